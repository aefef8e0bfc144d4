"""The PTE path, which everything falls back to, and what only goes wrong now and then."""

from __future__ import annotations

import pytest

import pmdswp
from model.scenes import ARCH, Scene, split_in_cache, swapped_out
from pmdswp.model import FailPoint, KernelBug, KernelError, Machine, check
from pmdswp.model.mechanisms.rmap import mappings
from pmdswp.model.mechanisms.split import split_folio, split_huge_pmd
from pmdswp.model.mechanisms.swap import swap_cache_del_folio, swap_put_entries_direct
from pmdswp.model.mechanisms.swapout import shrink_folio
from pmdswp.model.syscalls.pagemap import PM_UFFD_WP, Category
from pmdswp.softleaf import SoftLeafType


def small_pages(m: Machine) -> Scene:
    """Present, page by page, each in a folio of its own."""
    p = m.process()
    a = p.mmap(pmds=1)
    m.fail_next(FailPoint.ALLOC_PMD_FOLIO)
    p.write(a)
    written = p.write_all(a)
    assert p.mm.pmd(a).table is not None
    return Scene(m, p, a, written)


def test_small_pages_go_out_and_come_back(m: Machine) -> None:
    scene = small_pages(m)
    scene.p.pageout(scene.a)
    assert scene.p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": m.nr, "nr_ptes": 1}
    m.end_writeback()
    m.reclaim()
    assert scene.p.read_all(scene.a) == scene.written
    assert m.events["PGMAJFAULT"] == m.nr


@pytest.mark.parametrize("point", [FailPoint.DUP_SWAP, FailPoint.PINNED, FailPoint.ALLOC_SWAP])
def test_a_small_page_may_stay(m: Machine, point: FailPoint) -> None:
    scene = small_pages(m)
    m.fail_next(point)
    scene.p.pageout(scene.a)
    assert scene.p.counters()["MM_ANONPAGES"] == 1
    check(m)


def test_lazily_freed_small_pages_are_discarded(m: Machine) -> None:
    scene = small_pages(m)
    scene.p.free(scene.a, 2 * m.page_size)
    scene.p.pageout(scene.a, m.page_size)
    assert scene.p.read_all(scene.a, 3 * m.page_size) == [0, *scene.written[1:3]]


def test_free_leaves_shared_huge_pages_alone(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.read(scene.a)
    child = scene.p.fork()
    scene.p.free(scene.a)
    assert child.read_all(scene.a) == scene.p.read_all(scene.a) == scene.written
    assert not scene.p.may_be_zero


def test_free_of_a_part_of_a_huge_page_splits_it_and_marks_that_part(m: Machine) -> None:
    """B.2."""
    scene = swapped_out(m)
    scene.p.read(scene.a)
    m.end_writeback()
    scene.p.free(scene.a, m.page_size)
    assert scene.p.may_be_zero == {scene.a}
    scene.p.pageout(scene.a)
    assert scene.p.read_all(scene.a) == [0, *scene.written[1:]]


def test_free_leaves_a_folio_alone_whose_swap_copy_is_needed(m: Machine) -> None:
    scene = swapped_out(m)
    child = scene.p.fork()
    scene.p.read(scene.a)
    scene.p.free(scene.a)
    assert not scene.p.may_be_zero
    assert child.read_all(scene.a) == scene.written


@pytest.mark.parametrize("synchronous", [False, True])
def test_a_partly_unmapped_folio_is_split_before_it_goes_out(synchronous: bool) -> None:
    with Machine(ARCH, synchronous=synchronous) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        written = p.write_all(a)
        child = p.fork()
        for process in (p, child):
            process.munmap(a, m.page_size)
        [folio] = set(m.mem_map.values())
        shrink_folio(m, folio)
        check(m)
        assert p.counters()["MM_SWAPENTS"] == child.counters()["MM_SWAPENTS"] == m.nr - 1
        assert p.read_all(a + m.page_size, m.pmd_size - m.page_size) == written[1:]


def test_a_folio_that_cannot_be_split_or_is_locked_stays(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    [folio] = set(m.mem_map.values())
    folio.locked = True
    shrink_folio(m, folio)
    m.fail_next(FailPoint.ALLOC_SWAP)
    folio.locked = False
    folio.index += m.nr
    with pytest.raises(KernelBug, match="no rmap walk finds"):
        split_folio(m, folio)
    folio.index -= m.nr
    m.clear_failures()
    assert p.counters()["MM_ANONPAGES"] == m.nr


@pytest.mark.parametrize("operation", ["munmap", "dontneed"])
def test_pages_of_a_cached_large_folio_come_back_one_by_one_where_some_are_gone(m: Machine, operation: str) -> None:
    scene = swapped_out(m, cached=True)
    getattr(scene.p, operation)(scene.a, m.page_size)
    assert scene.p.read(scene.page(1)) == scene.written[1]
    assert scene.p.counters()["MM_ANONPAGES"] == 1
    assert not scene.p.start_migration(scene.page(1))
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    m.fail_next(FailPoint.GET_SWAP_DEVICE)
    for page in (2, 1):
        with pytest.raises(KernelError, match="EBUSY"):
            scene.p.uffdio_move(b, scene.page(page), m.page_size)


def test_willneed_of_memory_that_was_never_touched_does_nothing(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=2)
    p.write_all(a)
    p.willneed(a, 2 * m.pmd_size)
    assert p.counters() == {"MM_ANONPAGES": m.nr, "MM_SWAPENTS": 0, "nr_ptes": 1}


def test_willneed_that_races_with_read_ahead_goes_page_by_page(m: Machine) -> None:
    scene = swapped_out(m)
    m.fail_next(FailPoint.RACE_SLOT_CACHED)
    scene.p.willneed(scene.a)
    assert scene.is_table
    assert all(scene.p.mincore(scene.a))


def test_a_full_device_is_passed_over(m: Machine) -> None:
    m.swapoff(0)
    for _ in range(2):
        m.swapon(1)
    scenes = []
    for _ in range(2):
        p = m.process()
        a = p.mmap(pmds=1)
        scenes.append((p, a, p.write_all(a)))
        p.pageout(a)
    assert [p.counters()["MM_SWAPENTS"] for p, _, _ in scenes] == [m.nr, m.nr]
    assert all(p.read_all(a) == written for p, a, written in scenes)


def test_reading_what_nobody_wrote_is_a_bug() -> None:
    m = Machine(ARCH)
    scene = swapped_out(m)
    scene.device.disk[scene.offset] = None
    with pytest.raises(KernelBug, match="not written"):
        scene.p.read(scene.a)


def test_a_pmd_that_is_not_what_a_walk_expects_is_a_bug(m: Machine) -> None:
    scene = swapped_out(m)
    mm, pmd = scene.p.mm, scene.p.mm.pmd(scene.a)
    with pytest.raises(KernelBug, match="a PTE walk meets"):
        mm.table_at(pmd)
    with pytest.raises(KernelBug, match="no table deposited"):
        mm.withdraw(mm.pmd(scene.a + m.pmd_size))


def test_a_fault_that_never_succeeds_is_a_bug() -> None:
    m = Machine(ARCH)
    scene = swapped_out(m)
    m.fail_next(FailPoint.LOCK_FOLIO, times=100)
    with pytest.raises(KernelBug, match="for ever"):
        scene.p.read(scene.a)


def test_lazily_freed_pages_stay_so_when_they_are_moved(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    p.free(a)
    b = p.mremap(a)
    assert b in p.may_be_zero
    p.pageout(b)
    assert p.read(b) == 0


def test_pages_of_one_folio_are_moved_after_a_split(m: Machine) -> None:
    p = m.process()
    a, b = p.mmap(pmds=1), p.mmap(pmds=1)
    written = p.write_all(a)
    p.uffd_register(b)
    assert p.uffdio_move(b, a) == m.pmd_size
    assert p.mm.pmd(b).table is None
    c = p.mmap(pmds=1)
    p.uffd_register(c)
    assert p.uffdio_move(c, b, 2 * m.page_size) == 2 * m.page_size
    check(m)
    assert p.read_all(c, 2 * m.page_size) == written[:2]


def test_a_shared_page_is_not_moved(m: Machine) -> None:
    for scene in (small_pages(m), swapped_out(m)):
        scene.p.read(scene.a)
        scene.p.fork()
        b = scene.p.mmap(pmds=1)
        scene.p.uffd_register(b)
        for length in (m.pmd_size, m.page_size):
            with pytest.raises(KernelError, match="EBUSY"):
                scene.p.uffdio_move(b, scene.a, length)


def test_a_move_stops_at_the_first_page_that_cannot_go(m: Machine) -> None:
    scene = small_pages(m)
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    m.fail_next(FailPoint.ALLOC_PMD_FOLIO)
    scene.p.write(b + 2 * m.page_size)
    assert scene.p.uffdio_move(b, scene.a) == 2 * m.page_size
    with pytest.raises(KernelError, match="EEXIST"):
        scene.p.uffdio_move(b + 2 * m.page_size, scene.page(2), m.page_size)


@pytest.mark.parametrize(("to_device", "errno"), [(False, ""), (True, "EFAULT")])
def test_a_migrating_page_is_waited_for_and_one_with_a_device_is_refused(
    m: Machine, to_device: bool, errno: str
) -> None:
    scene = small_pages(m)
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    assert scene.p.start_migration(scene.a, to_device=to_device)
    if errno:
        with pytest.raises(KernelError, match=errno):
            scene.p.uffdio_move(b, scene.a, m.page_size)
    else:
        assert scene.p.uffdio_move(b, scene.a, m.page_size) == m.page_size


@pytest.mark.parametrize(("to_device", "errno"), [(False, ""), (True, "ENOENT")])
def test_the_same_for_huge_pages(m: Machine, to_device: bool, errno: str) -> None:
    scene = swapped_out(m)
    scene.p.write_all(scene.a)
    m.end_writeback()
    m.device(0)
    b = scene.p.mmap(pmds=1)
    scene.p.uffd_register(b)
    assert scene.p.start_migration(scene.a, to_device=to_device)
    if errno:
        with pytest.raises(KernelError, match=errno):
            scene.p.uffdio_move(b, scene.a)
    else:
        assert scene.p.uffdio_move(b, scene.a) == m.pmd_size


def test_small_pages_migrate_through_fork_and_protection(m: Machine) -> None:
    scene = small_pages(m)
    for to_device in (False, True):
        scene.p.write(scene.page(1))
        expected = scene.p.read_all(scene.a)
        assert scene.p.start_migration(scene.a, to_device=to_device)
        assert scene.p.start_migration(scene.page(1), to_device=to_device)
        assert not scene.p.start_migration(scene.page(1))
        scene.p.mprotect(scene.a, 2 * m.page_size, write=False)
        scene.p.clear_soft_dirty()
        child = scene.p.fork()
        child.munmap(scene.page(1), m.page_size)
        check(m)
        assert all(scene.p.mincore(scene.a))
        assert scene.p.smaps()["Rss"] == m.pmd_size
        assert child.read(scene.a) == expected[0]
        assert scene.p.read_all(scene.a) == expected
        scene.p.mprotect(scene.a, 2 * m.page_size, write=True)
        child.exit()
        m.finish_migration()


def test_a_huge_page_with_a_device_is_zapped_and_protected(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=2)
    p.write_all(a, 2 * m.pmd_size)
    for start in (a, a + m.pmd_size):
        assert p.start_migration(start, to_device=True)
    p.mprotect(a, write=False)
    assert p.mm.entry(p.mm.pmd(a)).kind is SoftLeafType.DEVICE_PRIVATE_READ
    assert p.mbind(a) == (0, 0)
    p.clear_soft_dirty()
    p.munmap(a + m.pmd_size)
    m.finish_migration()
    assert p.counters()["MM_ANONPAGES"] == m.nr


def test_architectures_without_device_memory_keep_it_here() -> None:
    with Machine(pmdswp.get(ARCH, device_private=False)) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        p.write_all(a)
        assert not p.start_migration(a, to_device=True)
        assert not p.start_migration(a + m.pmd_size)


def test_watched_pages() -> None:
    with Machine("x86_64") as m:
        scene = split_in_cache(m)
        p, a = scene.p, scene.a
        p.uffd_register(a, wp=True)
        p.read(a)
        p.uffd_writeprotect(a, 2 * m.page_size)
        assert [bool(record & PM_UFFD_WP) for record in p.pagemap(a, 3 * m.page_size)] == [True, True, False]
        p.write(a)
        p.write(scene.page(1))
        assert m.events["UFFD_WP"] == 2
        regions = p.pagemap_scan(a, wp_matching=True)
        assert all(Category.WRITTEN in region.categories for region in regions)
        regions = p.pagemap_scan(a, wp_matching=True)
        assert not any(Category.WRITTEN in region.categories for region in regions)
        p.uffd_writeprotect(a, protect=False)
        p.uffd_writeprotect(a)
        b = p.mremap(a)
        assert not any(record & PM_UFFD_WP for record in p.pagemap(b))


def test_a_watched_huge_page_moves_unwatched() -> None:
    with Machine("x86_64") as m:
        for swapped in (False, True):
            scene = swapped_out(m)
            scene.p.uffd_register(scene.a, wp=True)
            scene.p.uffd_writeprotect(scene.a)
            if not swapped:
                scene.p.read(scene.a)
                scene.p.uffd_writeprotect(scene.a)
            b = scene.p.mremap(scene.a)
            assert not scene.p.pagemap(b)[0] & PM_UFFD_WP


def test_single_pages_move_between_unaligned_addresses(m: Machine) -> None:
    scene = split_in_cache(m)
    scene.p.read(scene.a)
    new = scene.p.mremap(scene.a, 2 * m.page_size, new_address=scene.a + 8 * m.pmd_size + m.page_size)
    assert scene.p.read_all(new, 2 * m.page_size) == scene.written[:2]
    m.fail_next(FailPoint.ALLOC_PGTABLE)
    with pytest.raises(KernelError, match="ENOMEM"):
        scene.p.mremap(scene.page(2), m.page_size, new_address=scene.a + 16 * m.pmd_size)
    assert scene.p.read(scene.page(2)) == scene.written[2]
    with pytest.raises(KernelError, match="EINVAL"):
        scene.p.mremap(scene.page(2), 2 * m.page_size, new_address=scene.page(3))
    with pytest.raises(KernelError, match="EFAULT"):
        scene.p.mremap(scene.page(2), m.pmd_size)


def test_memory_may_run_out_page_by_page(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pages=2)
    for points in ((FailPoint.ALLOC_PGTABLE,), (FailPoint.ALLOC_FOLIO,)):
        for point in points:
            m.fail_next(point)
        with pytest.raises(KernelError, match="ENOMEM"):
            p.write(a)
    written = p.write_all(a, 2 * m.page_size)
    child = p.fork()
    m.fail_next(FailPoint.ALLOC_FOLIO)
    with pytest.raises(KernelError, match="ENOMEM"):
        child.write(a)
    p.reclaim(a, 2 * m.page_size)
    m.end_writeback()
    m.reclaim()
    m.fail_next(FailPoint.LOCK_FOLIO)
    assert child.read(a) == written[0]
    m.fail_next(FailPoint.ALLOC_FOLIO)
    with pytest.raises(KernelError, match="ENOMEM"):
        child.read(a + m.page_size)
    m.fail_next(FailPoint.ALLOC_PGTABLE)
    with pytest.raises(KernelError, match="ENOMEM"):
        p.fork()


def test_a_page_that_zswap_cannot_decompress_is_sigbus() -> None:
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        m.fail_next(FailPoint.DECOMPRESS)
        with pytest.raises(KernelError, match="SIGBUS"):
            scene.p.read(scene.a)
        m.reclaim()
        assert scene.p.read_all(scene.a) == scene.written


def test_poisoned_pages_are_inherited_and_dropped(m: Machine) -> None:
    scene = split_in_cache(m)
    m.reclaim()
    scene.p.mprotect(scene.a, m.page_size, write=False)
    scene.p.mprotect(scene.a, m.page_size, write=True)
    m.fail_next(FailPoint.READ_IO)
    m.swapoff(0)
    child = scene.p.fork()
    for p in (scene.p, child):
        with pytest.raises(KernelError, match="SIGBUS"):
            p.read(scene.a)
    assert child.pagemap_scan(scene.a, m.page_size) == []
    assert not child.mincore(scene.a)[0]
    b = child.mremap(scene.a, m.page_size)
    child.uffd_register(scene.page(1), m.page_size)
    child.dontneed(scene.page(1), m.page_size)
    with pytest.raises(KernelError, match="EFAULT"):
        child.uffdio_move(scene.page(1), b, m.page_size)
    child.clear_soft_dirty()
    child.free(b, m.page_size)
    assert child.read(b) == 0


def test_what_the_kernel_would_warn_of_is_a_bug(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    [folio] = m.cached_folios()
    with pytest.raises(KernelBug, match="while it is written"):
        swap_cache_del_folio(m, folio)
    assert not mappings(m, folio)
    with pytest.raises(KernelBug, match="freeze"):
        split_huge_pmd(m, scene.p.mm, scene.p.mm.pmd(scene.a), freeze=True)
    scene.p.mm.pmd(scene.a).deposit = scene.p.mm.alloc_table()
    scene.p.mm.free_table()
    with pytest.raises(KernelBug, match="once too often"):
        swap_put_entries_direct(m, scene.device, 0, 1)
    with pytest.raises(KernelBug, match="not there"):
        m.device(1)
    assert not split_folio(m, folio)
    del folio
    assert "p1" in repr(scene.p) + repr(scene.p.mm.vmas[0])
    assert repr(scene.device) == "<SwapDevice 0>"


def test_a_page_that_changes_under_writeback_is_a_bug() -> None:
    m = Machine(ARCH, stable_writes=True)
    swapped_out(m, cached=True)
    [folio] = m.cached_folios()
    folio.data[0] += 1
    with pytest.raises(KernelBug, match="SWP_STABLE_WRITES"):
        m.end_writeback()


def test_a_folio_that_has_no_cache_has_no_slots(m: Machine) -> None:
    p = m.process()
    p.write_all(p.mmap(pmds=1))
    with pytest.raises(KernelBug, match="not in the swap cache"):
        next(iter(m.mem_map.values())).swap()


def test_errors_in_a_scenario_are_not_hidden_by_what_is_left_behind() -> None:
    with pytest.raises(KernelError, match="SIGSEGV"), Machine(ARCH) as m:
        swapped_out(m).p.read(0)


def test_without_a_device_nothing_goes_out(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    m.swapoff(0)
    p.write_all(a)
    p.pageout(a)
    assert p.counters()["MM_ANONPAGES"] == m.nr
    assert m.swapon(1) == 0
    p.pageout(a)
    assert p.counters()["MM_ANONPAGES"] == 0
    p.exit()
    p.exit()


def test_migration_without_room_for_young_and_dirty() -> None:
    arch = pmdswp.get(ARCH, max_physmem_bits=None)
    assert not arch.migration_ad
    with Machine(arch) as m:
        p = m.process()
        a = p.mmap(pmds=1)
        written = p.write_all(a)
        assert p.start_migration(a)
        assert p.read_all(a) == written
        p.write(a)
        p.pageout(a)
        check(m)


def test_a_write_to_a_shared_huge_page_copies_one_page_and_the_last_owner_reuses_all(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    child = p.fork()
    child.write(a)
    child.exit()
    p.write(a)
    assert p.mm.pmd(a).table is None
    assert p.read_all(a)[1:] == written[1:]


@pytest.mark.parametrize("others", ["read it too", "wait in the swap", "are gone"])
def test_a_page_swapped_in_is_exclusive_if_no_other_process_has_it(others: str) -> None:
    """Then a synchronous device gives the slot back at once, and nobody is left to see a write."""
    with Machine(ARCH, synchronous=True) as m:
        scene = small_pages(m)
        child = scene.p.fork()
        scene.p.reclaim(scene.a, m.page_size)
        m.reclaim()
        if others == "read it too":
            child.read(scene.a)
        elif others == "are gone":
            child.exit()
        scene.p.read(scene.a)
        mapped = scene.m.mapped_page(scene.p.mm.pmd(scene.a), 0)
        assert mapped is not None
        assert mapped[0].exclusive == (others == "are gone")
        scene.p.write(scene.a)
        if others != "are gone":
            assert child.read(scene.a) == scene.written[0]


def test_free_of_a_cached_huge_page_may_bring_back_older_contents(m: Machine) -> None:
    """The swap copy stays, and nobody writes what is clean."""
    scene = swapped_out(m, cached=True)
    p, a = scene.p, scene.a
    newer = p.write_all(a)
    p.free(a)
    assert p.may_be_older == set(range(a, a + m.pmd_size, m.page_size))
    assert not p.may_be_zero
    m.end_writeback()
    p.reclaim(a)
    assert p.read_all(a) == scene.written != newer


def test_what_may_be_older_is_so_where_it_goes_until_it_is_written(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    p, a = scene.p, scene.a
    p.write_all(a)
    p.free(a)
    moved = p.mremap(a)
    child = p.fork()
    token = p.write(moved)
    m.end_writeback()
    for process in (p, child):
        process.reclaim(moved)
    m.reclaim()
    assert p.read_all(moved) == [token, *scene.written[1:]]
    assert child.read_all(moved) == scene.written
    rest = set(range(moved + m.page_size, moved + m.pmd_size, m.page_size))
    assert (p.may_be_older, child.may_be_older) == (rest, {moved, *rest})
    p.munmap(moved)
    assert not p.may_be_older
