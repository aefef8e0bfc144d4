from __future__ import annotations

import pytest

from model.scenes import ARCH, Scene, split_in_cache, swapped_out
from pmdswp.model import CacheClass, FailPoint, KernelError, Machine, Switches, check
from pmdswp.model.mechanisms.rmap import mappings


def test_willneed_reads_the_range_as_one_folio(m: Machine) -> None:
    scene = swapped_out(m)
    word = scene.p.mm.pmd(scene.a).word
    scene.p.willneed(scene.a)
    assert scene.cache is CacheClass.WHOLE
    assert scene.p.mm.pmd(scene.a).word == word
    scene.p.willneed(scene.a)
    assert m.events["PGMAJFAULT"] == 0
    scene.p.read(scene.a)
    assert scene.is_huge


def test_willneed_splits_what_is_split_in_the_cache(m: Machine) -> None:
    scene = split_in_cache(m)
    m.reclaim_slot(0, scene.offset)
    scene.p.willneed(scene.a)
    assert scene.is_table
    assert all(scene.p.mincore(scene.a))


def test_willneed_splits_what_zswap_holds_a_part_of() -> None:
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        scene.p.willneed(scene.a)
        assert scene.is_table
        assert all(scene.p.mincore(scene.a))
        assert not scene.p.machine.device(0).zswap


@pytest.mark.parametrize("point", [FailPoint.ALLOC_PMD_FOLIO, FailPoint.READ_IO])
@pytest.mark.parametrize(("choice", "is_table"), [("leave", False), ("split", True)])
def test_willneed_that_cannot_read_the_whole_is_no_error(choice: str, is_table: bool, point: FailPoint) -> None:
    with Machine(ARCH, switches=Switches(willneed_fail="split" if choice == "split" else "leave")) as m:
        scene = swapped_out(m)
        m.fail_next(point)
        scene.p.willneed(scene.a)
        assert scene.is_table == is_table
        assert "7.4" in m.rules_used


def target(scene: Scene) -> int:
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    return b


@pytest.mark.parametrize("cached", [True, False])
def test_move_takes_entry_and_folio_along(m: Machine, cached: bool) -> None:
    scene = swapped_out(m, cached=cached)
    b = target(scene)
    offset = scene.offset
    assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
    assert scene.p.mm.entry(scene.p.mm.pmd(b)).leaf == (0, offset)
    assert scene.p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": m.nr, "nr_ptes": 1}
    check(m)
    assert scene.p.read_all(b) == scene.written
    assert not any(scene.p.read_all(scene.a))


def test_fork_copies_what_was_moved_to_memory_that_never_had_a_page(m: Machine) -> None:
    """Nothing is cached that would be anchored there: the memory has to get an anon_vma all the same."""
    scene = swapped_out(m)
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    scene.p.uffdio_move(b, scene.a)
    child = scene.p.fork()
    check(m)
    assert child.read_all(b) == scene.written


def test_move_of_a_range_split_in_the_cache_goes_page_by_page(m: Machine) -> None:
    scene = split_in_cache(m)
    b = target(scene)
    assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
    check(m)
    assert scene.p.read_all(b) == scene.written


def test_move_looks_at_every_slot_again_under_the_lock(m: Machine) -> None:
    scene = swapped_out(m)
    b = target(scene)
    m.fail_next(FailPoint.RACE_REFILLED)
    assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
    check(m)
    assert scene.p.mm.pmd(b).table is not None


@pytest.mark.parametrize("point", [FailPoint.GET_SWAP_DEVICE, FailPoint.RACE_PMD_CHANGED])
def test_move_tries_again(m: Machine, point: FailPoint) -> None:
    scene = swapped_out(m, cached=True)
    b = target(scene)
    m.fail_next(point)
    assert scene.p.uffdio_move(b, scene.a) == m.pmd_size


@pytest.mark.parametrize(
    ("cached", "point"),
    [
        (True, FailPoint.LOCK_FOLIO),
        (True, FailPoint.RACE_CACHE_SPLIT),
        (True, FailPoint.RACE_CACHE_REMOVED),
        (False, FailPoint.RACE_PMD_CHANGED),
    ],
)
def test_move_notices_what_changed_before_it_had_the_locks(m: Machine, cached: bool, point: FailPoint) -> None:
    scene = swapped_out(m, cached=cached)
    m.end_writeback()
    b = target(scene)
    m.fail_next(point)
    assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
    assert m.note == point
    assert (scene.p.mm.pmd(b).table is not None) == (point is FailPoint.RACE_CACHE_SPLIT)
    check(m)
    assert scene.p.read_all(b) == scene.written


def test_rules_are_noted_where_something_obeys_them_and_nowhere_else(m: Machine) -> None:
    scene = swapped_out(m)
    b = target(scene)
    scene.p.mprotect(scene.a, write=False)
    scene.p.mprotect(scene.a, write=True)
    scene.p.uffdio_move(b, scene.a)
    m.swapoff()
    scene.p.read_all(b)
    scene.p.munmap(b)
    assert not m.rules_used & {
        "2.7",
        "2.9",
        "4.3",
        "4.6",
        "5.6",
        "5.7",
        "6.2",
        "6.4",
        "8.1",
        "9.4",
        "9.5",
    }


def test_move_of_a_shared_entry_is_busy(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.fork()
    b = target(scene)
    with pytest.raises(KernelError, match="EBUSY"):
        scene.p.uffdio_move(b, scene.a)
    assert scene.is_swapped


def test_move_of_a_part_of_a_cached_large_folio_is_busy(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    b = target(scene)
    with pytest.raises(KernelError, match="EBUSY"):
        scene.p.uffdio_move(b, scene.a, m.page_size)


def test_move_of_pages_that_are_there(m: Machine) -> None:
    scene = swapped_out(m)
    b = target(scene)
    scene.p.read(scene.a)
    assert scene.p.uffdio_move(b, scene.a, m.page_size) == m.page_size
    assert scene.p.uffdio_move(b + m.page_size, scene.page(1), m.page_size) == m.page_size
    assert scene.p.read_all(b, 2 * m.page_size) == scene.written[:2]


def test_move_is_told_what_it_cannot_do(m: Machine) -> None:
    scene = swapped_out(m)
    b = target(scene)
    for dst, src, errno in ((scene.a, b, "EINVAL"), (b, scene.a + m.pmd_size - m.page_size, "EINVAL")):
        with pytest.raises(KernelError, match=errno):
            scene.p.uffdio_move(dst, src)
    scene.p.uffdio_move(b, scene.a)
    with pytest.raises(KernelError, match="ENOENT"):
        scene.p.uffdio_move(target(scene), scene.a)


def test_move_onto_a_swap_pmd_is_refused(m: Machine) -> None:
    scene = swapped_out(m)
    b = target(scene)
    scene.p.write_all(b)
    scene.p.pageout(b)
    with pytest.raises(KernelError, match="EEXIST"):
        scene.p.uffdio_move(b, scene.a)


def test_the_uffd_bit_may_stay_behind() -> None:
    for choice in ("copy", "clear"):
        with Machine("x86_64", switches=Switches(move_uffd_bit="clear" if choice == "clear" else "copy")) as m:
            scene = swapped_out(m)
            scene.p.uffd_register(scene.a, wp=True)
            scene.p.uffd_writeprotect(scene.a)
            b = target(scene)
            scene.p.uffdio_move(b, scene.a)
            assert scene.p.mm.entry(scene.p.mm.pmd(b)).uffd == (choice == "copy")


@pytest.mark.parametrize("cached", [True, False])
def test_swapoff_brings_the_whole_back_before_anybody_touches_it(m: Machine, cached: bool) -> None:
    scene = swapped_out(m, cached=cached)
    m.swapoff(0)
    assert scene.is_huge
    word = scene.p.mm.pmd(scene.a).word
    assert (m.pmd.write(word), m.pmd.dirty(word), m.pmd.young(word)) == (False, False, False)
    assert scene.p.counters() == {"MM_ANONPAGES": m.nr, "MM_SWAPENTS": 0, "nr_ptes": 1}
    assert m.devices == [None]
    assert scene.p.read_all(scene.a) == scene.written


def test_swapoff_of_a_split_range_goes_page_by_page(m: Machine) -> None:
    scene = split_in_cache(m)
    m.swapoff(0)
    assert scene.is_table
    assert scene.p.read_all(scene.a) == scene.written


def test_swapoff_of_a_range_in_zswap_goes_page_by_page() -> None:
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        m.swapoff(0)
        assert scene.is_table
        assert scene.p.read_all(scene.a) == scene.written


@pytest.mark.parametrize(
    ("point", "rule"),
    [
        (FailPoint.ALLOC_PMD_FOLIO, "5.5"),
        (FailPoint.RACE_SLOT_CACHED, "5.5"),
        (FailPoint.RACE_CACHE_SPLIT, "5.6"),
        (FailPoint.RACE_CACHE_REMOVED, "5.6"),
        (FailPoint.RACE_PMD_CHANGED, "5.6"),
        (FailPoint.LOCK_FOLIO, "5.8"),
    ],
)
def test_swapoff_gets_everything_in_the_end(m: Machine, point: FailPoint, rule: str) -> None:
    scene = swapped_out(m)
    m.fail_next(point)
    m.swapoff(0)
    assert m.note == point
    assert rule in m.step_rules
    assert ("5.7" in m.step_rules) == (rule != "5.8")
    assert scene.is_table == (rule == "5.5" or point is FailPoint.RACE_CACHE_SPLIT)
    check(m)
    assert scene.p.counters()["MM_SWAPENTS"] == 0
    assert scene.p.read_all(scene.a) == scene.written


def test_swapoff_poisons_what_cannot_be_read(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO)
    m.swapoff(0)
    assert scene.p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": 0, "nr_ptes": 1}
    with pytest.raises(KernelError, match="SIGBUS"):
        scene.p.read(scene.a)


def test_swapoff_without_memory_gives_up(m: Machine) -> None:
    scene = split_in_cache(m)
    m.reclaim()
    m.fail_next(FailPoint.ALLOC_PMD_FOLIO)
    m.fail_next(FailPoint.ALLOC_FOLIO)
    with pytest.raises(KernelError, match="ENOMEM"):
        m.swapoff(0)
    assert scene.p.read_all(scene.a) == scene.written


@pytest.mark.parametrize("by", ["swapoff", "faults"])
def test_a_large_folio_whose_first_page_is_gone_is_mapped_as_if_it_were_not(m: Machine, by: str) -> None:
    """Reclaim finds every page, and each has its own exclusive bit, whichever was mapped first."""
    scene = swapped_out(m)
    scene.p.willneed(scene.a)
    scene.p.dontneed(scene.a, m.page_size)
    if by == "swapoff":
        m.swapoff()
    else:
        for i in range(m.nr - 1, 0, -1):
            scene.p.read(scene.page(i))
    [folio] = dict.fromkeys(m.mem_map.values())
    pages = range(1, m.nr)
    assert [(found.address, found.page) for found in mappings(m, folio)] == [(scene.page(i), i) for i in pages]
    assert folio.exclusive == sum(1 << i for i in pages)
    assert scene.p.read_all(scene.page(1), m.pmd_size - m.page_size) == scene.written[1:]


@pytest.mark.parametrize("cached", [False, True])
def test_a_move_makes_the_entry_soft_dirty(cached: bool) -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m, cached=cached)
        scene.p.clear_soft_dirty()
        assert not scene.entry.soft_dirty
        b = target(scene)
        scene.p.uffdio_move(b, scene.a)
        assert m.pmd.entries[scene.p.mm.pmd(b).word].soft_dirty


def test_a_folio_whose_read_failed_is_cached_but_not_resident(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO)
    scene.p.willneed(scene.a)
    assert scene.cache is CacheClass.WHOLE
    assert scene.p.mincore(scene.a) == [False] * m.nr
