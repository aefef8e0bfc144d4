from __future__ import annotations

import pytest

import pmdswp
from model.scenes import ARCH, Scene, swapped_out
from pmdswp.model import CacheClass, FailPoint, Machine, Switches, check
from pmdswp.model.mechanisms.swap import folio_free_swap
from pmdswp.model.mechanisms.zswap import zswap_store
from pmdswp.softleaf import SoftLeafType


@pytest.mark.parametrize("name", pmdswp.names())
def test_one_pmd_stands_for_a_huge_page_on_every_architecture(name: str) -> None:
    with Machine(name) as m:
        scene = swapped_out(m)
        entry = scene.entry
        assert entry.kind is SoftLeafType.SWAP
        assert entry.exclusive
        assert scene.offset % m.nr == 0
        assert scene.p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": m.nr, "nr_ptes": 1}
        assert m.events["THP_SWPOUT_PMD"] == 1
        assert scene.p.read_all(scene.a) == scene.written
        check(m)


def test_the_folio_stays_cached_while_it_is_written_to_an_asynchronous_device(m: Machine) -> None:
    assert swapped_out(m, cached=True).cache is CacheClass.WHOLE


def test_nothing_is_cached_after_a_write_to_a_synchronous_device() -> None:
    with Machine(ARCH, synchronous=True) as m:
        assert swapped_out(m).cache is CacheClass.EMPTY


def test_zswap_takes_all_pages_or_none() -> None:
    with Machine(ARCH, zswap=True) as m:
        assert len(swapped_out(m).device.zswap) == m.nr
        m.fail_next(FailPoint.COMPRESS)
        swapped_out(m)
        assert len(m.device(0).zswap) == m.nr


@pytest.mark.parametrize("point", [FailPoint.DUP_SWAP, FailPoint.PINNED])
def test_a_failing_step_leaves_everything_as_it_was(m: Machine, point: FailPoint) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    before = p.mm.pmd(a).word
    m.fail_next(point)
    p.pageout(a)
    assert p.mm.pmd(a).word == before
    assert not any(m.device(0).count)
    assert m.events["THP_SWPOUT_PMD"] == 0


def test_without_a_run_of_slots_the_folio_is_split_and_goes_out_page_by_page(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    m.fail_next(FailPoint.ALLOC_SWAP)
    p.pageout(a)
    assert m.events["THP_SWPOUT_FALLBACK"] == 1
    assert m.events["THP_SWPOUT_PMD"] == 0
    assert p.counters()["MM_SWAPENTS"] == m.nr


def test_every_process_gets_its_own_entry(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    child = p.fork()
    p.pageout(a)
    assert not p.mm.swapents  # B.1: advice lets be what others map
    p.reclaim(a)
    assert m.events["THP_SWPOUT_PMD"] == 2
    assert p.mm.pmd(a).word == child.mm.pmd(a).word
    assert set(m.device(0).count) == {0, 2}


def test_the_event_can_count_folios() -> None:
    with Machine(ARCH, switches=Switches(swapout_event="per-folio")) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        p.write_all(a)
        p.fork()
        p.reclaim(a)
        assert m.events["THP_SWPOUT_PMD"] == 1


def test_lazily_freed_pages_are_discarded(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    p.free(a)
    p.pageout(a)
    assert p.counters()["MM_SWAPENTS"] == 0
    assert p.read(a) == 0


def test_a_lazily_freed_page_that_is_written_again_is_kept(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    p.free(a)
    written[0] = p.write(a)
    p.pageout(a)
    assert p.read_all(a) == written


def test_without_pmd_swap_entries_the_pmd_is_split() -> None:
    with Machine(ARCH, pmd_swap=False) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        written = p.write_all(a)
        p.pageout(a)
        assert p.mm.pmd(a).table is not None
        assert m.events["THP_SWPOUT_PMD"] == 0
        assert p.read_all(a) == written


def test_what_was_only_read_goes_out_again(m: Machine) -> None:
    scene = swapped_out(m)
    for part in (None, m.page_size):
        if part is not None:
            scene.p.mprotect(scene.a, part, write=False)
        scene.p.read_all(scene.a)
        scene.p.pageout(scene.a, m.pmd_size if part is None else part)
        m.end_writeback()
        m.reclaim()
    assert scene.p.read_all(scene.a) == scene.written


def test_a_child_that_never_had_the_page_is_passed_over(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    child = p.fork()
    written = p.write_all(a)
    p.pageout(a)
    assert p.counters()["MM_SWAPENTS"] == m.nr
    assert not any(child.read_all(a))
    assert p.read_all(a) == written


def of_zeros(m: Machine) -> Scene:
    """A huge page of zeros, swapped out and dropped from the cache."""
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a, 0)
    p.pageout(a)
    m.reclaim()
    scene = Scene(m, p, a, [0] * m.nr)
    assert scene.is_swapped
    assert scene.cache is CacheClass.EMPTY
    return scene


@pytest.mark.parametrize("zswap", [False, True])
def test_a_folio_of_zeros_goes_neither_to_zswap_nor_to_the_disk_and_comes_back_huge(zswap: bool) -> None:
    with Machine(ARCH, zswap=zswap) as m:
        scene = of_zeros(m)
        slots = range(scene.offset, scene.offset + m.nr)
        assert scene.device.zero == set(slots)
        assert not scene.device.zswap
        assert not any(scene.device.disk)
        assert not m.events["THP_SWPOUT"]
        check(m)
        m.fail_next(FailPoint.READ_IO)
        assert scene.p.read_all(scene.a) == scene.written
        assert scene.is_huge
        m.clear_failures()


def test_slots_of_zeros_are_forgotten_when_they_are_freed_or_written_again(m: Machine) -> None:
    scene = of_zeros(m)
    scene.p.munmap(scene.a)
    assert not scene.device.zero
    again = of_zeros(m)
    again.p.read(again.a)
    written = [again.p.write(again.a), *again.written[1:]]
    again.p.pageout(again.a)
    assert not again.device.zero
    m.end_writeback()
    m.reclaim()
    assert again.p.read_all(again.a) == written


def test_a_page_of_zeros_in_a_folio_with_others_is_written(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = [p.write(a), *[0] * (m.nr - 1)]
    p.pageout(a)
    assert not m.device(0).zero
    m.end_writeback()
    m.reclaim()
    assert p.read_all(a) == written
    assert p.mm.pmd(a).table is None


@pytest.mark.parametrize("operation", ["read", "willneed", "swapoff"])
def test_slots_that_are_zero_in_part_are_not_read_as_one_folio(m: Machine, operation: str) -> None:
    """The folio was split in the cache before it was written, so each page was looked at by itself."""
    p = m.process()
    a = p.mmap(pmds=1)
    written = [p.write(a), *[0] * (m.nr - 1)]
    child = p.fork()
    m.fail_next(FailPoint.DUP_SWAP, after=1)
    p.reclaim(a)
    assert m.split_cached(0, m.nr)
    child.reclaim(a)
    m.end_writeback()
    m.reclaim()
    scene = Scene(m, p, a, written)
    assert scene.is_swapped
    assert scene.cache is CacheClass.EMPTY
    assert len(m.device(0).zero) == m.nr - 1
    if operation == "swapoff":
        m.swapoff()
    elif operation == "willneed":
        p.willneed(a)
    else:
        p.read(a)
    assert scene.is_table
    assert p.read_all(a) == child.read_all(a) == written


@pytest.mark.parametrize("point", [FailPoint.DUP_SWAP, FailPoint.PINNED])
def test_the_second_process_may_keep_its_mapping(m: Machine, point: FailPoint) -> None:
    """10.6: what was installed before the failing step stays, and the folio stays in the cache with both."""
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    child = p.fork()
    m.fail_next(point, after=1)
    p.reclaim(a)
    swapped = [process.mm.entry(process.mm.pmd(a)).kind is SoftLeafType.SWAP for process in (p, child)]
    if point is FailPoint.PINNED:  # asked of exclusive folios only, and this one is shared
        assert swapped == [True, True]
        m.clear_failures()
    else:
        assert swapped == [True, False]
        assert m.device(0).count[m.nr : 2 * m.nr] == [1] * m.nr
        assert m.events["THP_SWPOUT_PMD"] == 1
        assert "10.6" in m.rules_used
        assert (p.counters()["MM_SWAPENTS"], child.counters()["MM_ANONPAGES"]) == (m.nr, m.nr)
    check(m)
    assert p.read_all(a) == child.read_all(a) == written


def test_falling_back_is_counted_for_huge_pages_only(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    p.pageout(a)
    m.end_writeback()
    m.split_cached(0, m.nr, order=2)
    p.mprotect(a, m.page_size, write=False)
    p.read_all(a)
    for folio in m.cached_folios():
        assert folio.nr == 4
        assert folio_free_swap(m, folio)
    m.fail_next(FailPoint.ALLOC_SWAP)
    p.pageout(a)
    assert m.events["THP_SWPOUT_FALLBACK"] == 0
    assert "10.3" in m.rules_used


def test_a_folio_that_zswap_cannot_take_leaves_no_older_copy_there(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    folio = scene.device.cache[scene.offset]
    assert folio is not None
    m.set_zswap(enabled=True)
    assert zswap_store(m, folio)
    m.fail_next(FailPoint.COMPRESS)
    assert not zswap_store(m, folio)
    assert not scene.device.zswap


def test_zeros_in_the_place_of_what_was_written_leave_nothing_on_the_disk(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    m.end_writeback()
    scene.p.read(scene.a)
    for page in range(m.nr):
        scene.p.write(scene.page(page), 0)
    scene.p.pageout(scene.a)
    assert scene.is_swapped
    assert set(scene.device.disk[scene.offset : scene.offset + m.nr]) == {None}
    assert not any(scene.p.read_all(scene.a))
