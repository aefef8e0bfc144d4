"""What operations do with tables that are full in part, and with ranges that cover a huge page in part."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import pytest

from model.scenes import ARCH, Scene, swapped_out
from pmdswp.model import CacheClass, FailPoint, KernelError, Machine, Process, check
from pmdswp.model.syscalls.pagemap import PM_PRESENT, PM_SOFT_DIRTY, PM_SWAP, PM_UFFD_WP


def with_hole(m: Machine) -> Scene:
    """A range swapped out and split, whose second page was zapped (6.2)."""
    scene = swapped_out(m)
    scene.p.dontneed(scene.page(1), m.page_size)
    assert scene.is_table
    scene.written[1] = 0
    return scene


def in_memory(m: Machine) -> tuple[Process, int, list[int]]:
    p = m.process()
    a = p.mmap(pmds=1)
    return p, a, p.write_all(a)


def destination(p: Process) -> int:
    b = p.mmap(pmds=1)
    p.uffd_register(b)
    return b


def swapped(p: Process, a: int) -> list[bool]:
    return [bool(record & PM_SWAP) for record in p.pagemap(a)]


def test_fork_of_a_table_copies_what_is_in_it_and_no_more(m: Machine) -> None:
    scene = with_hole(m)
    child = scene.p.fork()
    assert child.mm.swapents == scene.p.mm.swapents == m.nr - 1
    assert m.device(0).count[m.nr : 2 * m.nr] == [2, 0, *[2] * (m.nr - 2)]
    assert child.read_all(scene.a) == scene.written


def test_mremap_of_a_table_leaves_holes_where_holes_were(m: Machine) -> None:
    scene = with_hole(m)
    before, half = swapped(scene.p, scene.a), m.pmd_size // 2
    b = scene.p.mremap(scene.a, half)
    assert swapped(scene.p, b)[: m.nr // 2] == before[: m.nr // 2]
    assert scene.p.read_all(b, half) == scene.written[: m.nr // 2]
    assert scene.p.mremap(b, half, new_address=scene.a) == scene.a
    assert scene.p.read_all(scene.a) == scene.written


def test_arming_a_table_leaves_holes_alone() -> None:
    with Machine("arm64") as m:
        scene = with_hole(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.a)
        assert [bool(record & PM_UFFD_WP) for record in scene.p.pagemap(scene.a)] == swapped(scene.p, scene.a)
        assert not scene.p.pagemap(scene.page(1), m.page_size)[0] & (PM_SWAP | PM_PRESENT | PM_UFFD_WP)


def test_willneed_of_a_table_reads_what_is_swapped_and_nothing_else(m: Machine) -> None:
    scene = with_hole(m)
    scene.p.willneed(scene.a)
    assert scene.p.mincore(scene.a) == swapped(scene.p, scene.a)
    assert m.counts()["folios"] == m.nr - 1


def test_pageout_of_a_table_takes_out_what_is_there(m: Machine) -> None:
    scene = with_hole(m)
    scene.p.read_all(scene.a)
    scene.p.pageout(scene.a)
    assert swapped(scene.p, scene.a) == [page != 1 for page in range(m.nr)]
    assert scene.p.read_all(scene.a) == scene.written


def test_pageout_takes_pages_out_though_others_of_their_folio_are_gone(m: Machine) -> None:
    """A folio of which a part was zapped is split, or the rest of it could never be paged out."""
    p, a, written = in_memory(m)
    half = m.pmd_size // 2
    p.dontneed(a, half)
    p.pageout(a)
    assert swapped(p, a) == [False] * (m.nr // 2) + [True] * (m.nr // 2)
    assert p.read_all(a + half, half) == written[m.nr // 2 :]


def test_cold_of_a_part_of_a_huge_page_splits_it_unless_others_map_it(m: Machine) -> None:
    """B.2."""
    p, a, written = in_memory(m)
    child = p.fork()
    p.cold(a, m.page_size)
    assert p.mm.pmd(a).table is None
    child.exit()
    p.cold(a)
    assert not m.pmd.young(p.mm.pmd(a).word)
    p.read(a)
    p.cold(a, m.page_size)
    assert [m.pte.young(word) for word in p.mm.pmd(a).ptes().words] == [False] + [True] * (m.nr - 1)
    assert len(m.folios()) == m.nr
    assert p.read_all(a) == written


def test_free_spares_what_another_process_maps_too(m: Machine) -> None:
    """Before a page is lost lazily, nobody else may need it: MADV_FREE passes over shared pages of a table."""
    scene = with_hole(m)
    scene.p.read_all(scene.a)
    child = scene.p.fork()
    scene.p.free(scene.a)
    scene.p.pageout(scene.a)
    assert scene.p.read_all(scene.a) == child.read_all(scene.a) == scene.written


def test_free_of_a_page_that_is_being_written_out_leaves_it_as_it_is(m: Machine) -> None:
    """The swap copy cannot go during writeback, and a page with a swap copy is not lazily freed."""
    scene = swapped_out(m, cached=True)
    scene.p.read(scene.a)
    assert scene.is_huge
    [folio] = m.cached_folios()
    assert folio.writeback
    scene.p.free(scene.a)
    assert not folio.lazyfree
    m.end_writeback()
    assert scene.p.read_all(scene.a) == scene.written


def test_pagemap_says_nothing_of_what_is_not_mapped(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.munmap(a)
    assert p.pagemap(a) == [0] * m.nr


def test_mmap_takes_the_address_that_it_is_given(m: Machine) -> None:
    """MAP_FIXED: what was there is zapped, its slots are free."""
    scene = swapped_out(m)
    assert scene.p.mmap(pmds=1, address=scene.a) == scene.a
    assert m.counts()["slots used"] == scene.p.mm.swapents == 0
    assert not any(scene.p.read_all(scene.a))


def test_khugepaged_has_nothing_to_do_where_a_huge_page_is(m: Machine) -> None:
    p, a, _ = in_memory(m)
    assert p.check_pmd_state(a) == "SCAN_PMD_MAPPED"


def test_the_shrinker_of_zswap_finds_nothing_where_a_page_was_read_back() -> None:
    """4.2: a page that is loaded leaves zswap; what is in the cache is not written a second time."""
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        m.populate_slot(0, m.nr)
        assert not m.zswap_writeback(0, m.nr)
        assert m.zswap_writeback(0, m.nr + 1)
        assert scene.p.read_all(scene.a) == scene.written


def test_what_the_shrinker_of_zswap_wrote_may_be_cached_still() -> None:
    """Then a fault on the swap PMD finds it SPLIT, not EMPTY."""
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        assert m.zswap_writeback(0, m.nr + 1, cached=True)
        m.end_writeback()
        assert scene.cache is CacheClass.SPLIT
        assert scene.p.mincore(scene.a) == [False, True] + [False] * (m.nr - 2)
        assert scene.p.read_all(scene.a) == scene.written
        check(m)


def test_swapoff_passes_over_memory_that_was_never_touched(m: Machine) -> None:
    scene = swapped_out(m)
    b = scene.p.mmap(pmds=1)
    m.swapoff()
    assert b not in scene.p.mm.pmds
    assert scene.is_huge


def test_move_needs_two_ranges_that_are_writable(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=3)
    written = p.write_all(a)
    p.uffd_register(a, 3 * m.pmd_size)
    with pytest.raises(KernelError, match="EEXIST"):  # ranges may overlap
        p.uffdio_move(a + m.page_size, a)
    p.mprotect(a, write=False)
    with pytest.raises(KernelError, match="EINVAL"):
        p.uffdio_move(a + m.pmd_size, a)
    p.mprotect(a, write=True)
    p.mprotect(a + m.pmd_size, write=False)
    with pytest.raises(KernelError, match="EINVAL"):
        p.uffdio_move(a + m.pmd_size, a)
    assert p.read_all(a) == written


def test_move_ends_at_a_hole(m: Machine) -> None:
    scene = with_hole(m)
    b = destination(scene.p)
    assert scene.p.uffdio_move(b, scene.a) == m.page_size
    with pytest.raises(KernelError, match="ENOENT"):
        scene.p.uffdio_move(b + m.page_size, scene.page(1), m.page_size)
    assert scene.p.read(b) == scene.written[0]


def test_move_of_a_swapped_page_that_is_shared_is_busy(m: Machine) -> None:
    """8.4: of a single page as of a whole PMD."""
    scene = with_hole(m)
    child = scene.p.fork()
    b = destination(scene.p)
    with pytest.raises(KernelError, match="EBUSY"):
        scene.p.uffdio_move(b, scene.a)
    child.exit()
    assert scene.p.read_all(scene.a) == scene.written


def test_move_of_a_page_of_a_folio_that_is_being_written_out_is_busy(m: Machine) -> None:
    """A folio under writeback cannot be split, so that none of its pages can move alone."""
    scene = swapped_out(m, cached=True)
    scene.p.read(scene.a)
    b = destination(scene.p)
    with pytest.raises(KernelError, match="EBUSY"):
        scene.p.uffdio_move(b, scene.a, m.page_size)
    m.end_writeback()
    assert scene.p.uffdio_move(b, scene.a, m.page_size) == m.page_size
    assert scene.p.read(b) == scene.written[0]


def test_move_notices_that_a_range_of_zswap_was_refilled_meanwhile() -> None:
    """8.7: pages that came from zswap, and stayed in the cache one by one, are found under the lock as well."""
    with Machine(ARCH, zswap=True) as m:
        scene = swapped_out(m)
        b = destination(scene.p)
        m.fail_next(FailPoint.RACE_REFILLED)
        assert scene.p.uffdio_move(b, scene.a) == m.pmd_size
        check(m)
        assert not scene.is_swapped
        assert scene.p.read_all(b) == scene.written


def test_what_changes_nothing_splits_nothing() -> None:
    """mprotect to what is allowed already, and a registration that is there already, pass over the VMA."""
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_register(scene.a, m.page_size, wp=True)
        scene.p.mprotect(scene.a, m.page_size, write=True)
        assert scene.is_swapped
        scene.p.mprotect(scene.a, m.page_size, write=False)
        assert scene.is_table
        assert "6.4" in m.rules_used
        other = swapped_out(m)
        other.p.uffd_register(other.a)
        other.p.uffd_register(other.a, m.page_size, wp=True)
        assert other.is_table


def test_addresses_that_are_chosen_are_free_ones(m: Machine) -> None:
    scene = swapped_out(m)
    taken = scene.p.mmap(pages=3, address=scene.a + 2 * m.pmd_size + m.page_size)
    written = scene.p.write_all(taken, 3 * m.page_size)
    b = scene.p.mmap(pmds=2)
    scene.p.mmap(pmds=1, address=b + 3 * m.pmd_size)
    moved = scene.p.mremap(scene.a)
    assert len(scene.p.mm.vmas) == 4
    assert moved == b + 4 * m.pmd_size
    assert scene.p.read_all(moved) == scene.written
    assert scene.p.read_all(taken, 3 * m.page_size) == written


def test_slots_devices_and_orders_that_there_are_not(m: Machine) -> None:
    scene = swapped_out(m, cached=True)
    for operation in (m.populate_slot, m.reclaim_slot, m.split_cached):
        for slot in (-1, scene.device.nr_slots):
            with pytest.raises(ValueError, match=r"^device 0 has \d+ slots, and none is "):
                operation(0, slot)
    m.end_writeback()
    with pytest.raises(ValueError, match=r"^a folio of order -1$"):
        m.split_cached(0, scene.offset, order=-1)
    m.swapoff()
    for number in (0, 1, -1):
        with pytest.raises(KernelError, match="EINVAL"):
            m.swapoff(number)


def test_scanning_a_part_of_a_swap_pmd_is_told_of_before_the_split() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.pagemap_scan(scene.a, m.page_size, wp_matching=True)
        assert scene.is_table
        assert "6.11" in m.rules_used


def _runs(flags: Iterable[tuple[bool, bool]]) -> list[tuple[tuple[bool, bool], int]]:
    """Flags of neighbouring pages with how many have them alike."""
    return [(flag, len(list(run))) for flag, run in groupby(flags)]


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("way", ["fault", "swapoff", "fork"])
def test_armed_pages_stay_armed_on_the_way_out_and_back(in_parts: bool, way: str) -> None:
    """PMD or PTEs: every armed page is armed while it is swapped and when it is back, and no other page is."""
    with Machine("x86_64") as m:
        p, a, written = in_memory(m)
        p.uffd_register(a, wp=True)
        armed = m.nr // 2 if in_parts else m.nr
        p.uffd_writeprotect(a, armed * m.page_size)
        p.clear_soft_dirty()
        wanted = _runs((page < armed, False) for page in range(m.nr))

        def flags() -> list[tuple[tuple[bool, bool], int]]:
            return _runs((bool(record & PM_UFFD_WP), bool(record & PM_SOFT_DIRTY)) for record in p.pagemap(a))

        assert flags() == wanted
        p.pageout(a)
        assert swapped(p, a) == [True] * m.nr
        assert flags() == wanted
        m.end_writeback()
        m.reclaim()
        if way == "swapoff":
            m.swapoff()
        elif way == "fork":
            assert not any(record & PM_UFFD_WP for record in p.fork().pagemap(a))
        assert flags() == wanted
        assert p.read_all(a) == written
        assert flags() == wanted
        for page in (0, m.nr - 1):
            p.write(a + page * m.page_size)
        assert m.events["UFFD_WP"] == 1
        check(m)


def test_arming_what_is_not_swapped_follows_no_rule_of_swap_pmds() -> None:
    """A part of a huge page splits its mapping; the entry of a migrating one is armed in place."""
    with Machine("x86_64") as m:
        p, a, written = in_memory(m)
        p.uffd_register(a, wp=True)
        p.uffd_writeprotect(a, m.page_size)
        assert p.mm.pmd(a).table is not None
        assert [bool(record & PM_UFFD_WP) for record in p.pagemap(a, 2 * m.page_size)] == [True, False]
        q, b, others = in_memory(m)
        q.uffd_register(b, wp=True)
        assert q.start_migration(b)
        q.uffd_writeprotect(b)
        assert q.mm.entry(q.mm.pmd(b)).uffd
        m.finish_migration()
        check(m)
        assert q.pagemap(b)[0] & PM_UFFD_WP
        assert not m.rules_used & {"2.7", "6.5"}
        assert (p.read_all(a), q.read_all(b)) == (written, others)


def test_single_pages_that_are_dirty_and_shared_are_not_freed_lazily(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    p.cold(a, m.page_size)
    child = p.fork()
    p.free(a)
    p.reclaim(a)
    assert p.read_all(a) == child.read_all(a) == written


def test_a_part_of_a_large_folio_that_is_shared_is_neither_freed_lazily_nor_split_off(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    p.mprotect(a, m.page_size, write=False)
    child = p.fork()
    p.free(a + m.page_size, m.page_size)
    assert len(m.folios()) == 1
    p.reclaim(a)
    assert p.read_all(a) == child.read_all(a) == written


def test_scanning_a_part_of_a_table_begins_where_it_is_asked_to(m: Machine) -> None:
    scene = with_hole(m)
    scene.p.dontneed(scene.page(5), m.page_size)
    regions = scene.p.pagemap_scan(scene.page(3), 4 * m.page_size)
    assert [(one.start, one.end) for one in regions] == [
        (scene.page(3), scene.page(5)),
        (scene.page(6), scene.page(7)),
    ]


@pytest.mark.parametrize("apart", [False, True])
def test_what_fills_a_hole_joins_both_sides_if_they_belong_together(m: Machine, apart: bool) -> None:
    p = m.process()
    size = m.pmd_size
    a = p.mmap(pmds=3)
    if not apart:
        p.write(a)
    p.munmap(a + size)
    p.write(a)
    p.write(a + 2 * size)
    p.mmap(pmds=1, address=a + size)
    vmas = sorted((vma.start, vma.end) for vma in p.mm.vmas)
    assert vmas == ([(a, a + 2 * size), (a + 2 * size, a + 3 * size)] if apart else [(a, a + 3 * size)])


def test_memory_becomes_writable_again_at_once_where_nobody_waits_for_soft_dirty() -> None:
    with Machine("x86_64") as m:
        p = m.process()
        a = p.mmap(pmds=2)
        p.munmap(a + m.pmd_size)
        p.write(a)
        p.clear_soft_dirty()
        # beside it, new memory, which makes the whole soft-dirty
        p.mmap(pmds=1, address=a + m.pmd_size)
        p.mprotect(a, write=False)
        p.mprotect(a, write=True)
        assert m.pmd.write(p.mm.pmd(a).word)
        assert not m.pmd.soft_dirty(p.mm.pmd(a).word)


def test_mlock_and_write_protection_stop_at_the_first_hole_or_stranger() -> None:
    with Machine("x86_64") as m:
        p = m.process()
        a = p.mmap(pmds=4)
        p.write_all(a, 4 * m.pmd_size)
        p.munmap(a + 2 * m.pmd_size)
        p.uffd_register(a, wp=True)
        for call in (p.mlock, p.uffd_writeprotect):
            with pytest.raises(KernelError) as refused:
                call(a, 4 * m.pmd_size)
            assert refused.value.errno_name == ("ENOENT" if call == p.uffd_writeprotect else "ENOMEM")
        first, *others = sorted(p.mm.vmas, key=lambda vma: vma.start)
        assert first.locked
        assert [vma.locked for vma in others] == [True, False]
        armed = [bool(record & PM_UFFD_WP) for record in p.pagemap(a, 4 * m.pmd_size)]
        assert armed == [page < m.nr for page in range(4 * m.nr)]
        # from the middle of one that is not registered
        with pytest.raises(KernelError, match="ENOENT"):
            p.uffd_writeprotect(a + 3 * m.pmd_size + m.page_size, m.page_size)
        p.munlock(a, 2 * m.pmd_size)


def test_pages_move_within_one_table(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.mremap(scene.page(0), 2 * m.page_size, new_address=scene.page(4))
    check(m)
    assert scene.p.read_all(scene.page(2), 4 * m.page_size) == [*scene.written[2:4], *scene.written[:2]]
