from __future__ import annotations

import pytest

import pmdswp
from model.scenes import ARCH, swapped_out
from pmdswp.model import CacheClass, FailPoint, Machine, Switches, check
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
    assert m.events["THP_SWPOUT_PMD"] == 2
    assert p.mm.pmd(a).word == child.mm.pmd(a).word
    assert set(m.device(0).count) == {0, 2}


def test_the_event_can_count_folios() -> None:
    with Machine(ARCH, switches=Switches(swapout_event="per-folio")) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        p.write_all(a)
        p.fork()
        p.pageout(a)
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
