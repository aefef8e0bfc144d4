from __future__ import annotations

import pytest

from model.scenes import ARCH, split_in_cache, swapped_out
from pmdswp.model import KernelError, Machine, Switches
from pmdswp.model.syscalls.pagemap import PM_PRESENT, PM_SOFT_DIRTY, PM_SWAP, PM_UFFD_WP, Category


@pytest.mark.parametrize("cached", [True, False])
def test_munmap_gives_slots_and_table_back(m: Machine, cached: bool) -> None:
    scene = swapped_out(m, cached=cached)
    m.end_writeback()
    scene.p.munmap(scene.a)
    assert not any(scene.p.counters().values())
    assert not any(m.counts().values())


def test_munmap_of_a_part_leaves_the_rest_swapped(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.munmap(scene.a, m.page_size)
    assert scene.p.counters()["MM_SWAPENTS"] == m.nr - 1
    assert scene.p.read_all(scene.page(1), m.pmd_size - m.page_size) == scene.written[1:]
    with pytest.raises(KernelError, match="SIGSEGV"):
        scene.p.read(scene.a)


def test_dontneed_of_a_swapped_range_reads_as_zeroes(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.dontneed(scene.a)
    assert not any(scene.p.read_all(scene.a))


def test_mprotect_of_the_whole_leaves_the_entry_bit_for_bit(m: Machine) -> None:
    scene = swapped_out(m)
    word = scene.p.mm.pmd(scene.a).word
    scene.p.mprotect(scene.a, write=False)
    assert scene.p.mm.pmd(scene.a).word == word
    with pytest.raises(KernelError, match="SIGSEGV"):
        scene.p.write(scene.a)
    scene.p.mprotect(scene.a, write=True)
    assert scene.p.mm.pmd(scene.a).word == word


def test_clearing_soft_dirty_changes_nothing_but_that_bit(m: Machine) -> None:
    scene = swapped_out(m)
    before = scene.entry
    assert before.soft_dirty
    scene.p.clear_soft_dirty()
    assert scene.entry._replace(raw=0) == before._replace(raw=0, soft_dirty=False)
    assert not scene.p.pagemap(scene.a)[0] & PM_SOFT_DIRTY
    scene.p.write(scene.page(1))
    assert scene.p.pagemap(scene.a)[1] & PM_SOFT_DIRTY


def test_without_a_soft_dirty_bit_there_is_nothing_to_clear() -> None:
    with Machine("arm64") as m:
        scene = swapped_out(m)
        before = scene.entry
        scene.p.clear_soft_dirty()
        assert scene.entry == before


def test_uffd_write_protection_is_in_place_and_needs_a_registration() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        before = scene.entry
        with pytest.raises(KernelError, match="ENOENT"):
            scene.p.uffd_writeprotect(scene.a)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.a)
        assert scene.entry._replace(raw=0) == before._replace(raw=0, uffd=True)
        assert scene.p.pagemap(scene.a)[-1] & PM_UFFD_WP
        scene.p.uffd_writeprotect(scene.a, protect=False)
        assert scene.entry == before
        scene.p.uffd_writeprotect(scene.a, m.page_size)
        assert [bool(record & PM_UFFD_WP) for record in scene.p.pagemap(scene.a)] == [True] + [False] * (m.nr - 1)


def test_uffd_registration_for_write_protection_needs_the_bit(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    with pytest.raises(KernelError, match="EINVAL"):
        p.uffd_register(a, wp=True)
    with pytest.raises(KernelError, match="EPERM"):
        p.pagemap_scan(a, wp_matching=True)


def test_pagemap_counts_the_slots_up(m: Machine) -> None:
    scene = swapped_out(m)
    records = scene.p.pagemap(scene.a)
    assert records[0] & (PM_SWAP | PM_PRESENT) == PM_SWAP
    assert [record - records[0] for record in records] == [32 * i for i in range(m.nr)]
    hidden = scene.p.pagemap(scene.a, privileged=False)
    assert set(hidden) == {PM_SWAP | PM_SOFT_DIRTY}


def test_pagemap_takes_soft_dirty_from_the_area_of_each_page(m: Machine) -> None:
    p = m.process()
    pages = m.nr // 4
    a = p.mmap(pages=pages)
    p.clear_soft_dirty()
    p.mmap(pages=pages, address=a + 2 * pages * m.page_size)
    told = [bool(record & PM_SOFT_DIRTY) for record in p.pagemap(a - m.page_size, m.pmd_size + m.page_size)]
    assert told == [False, *[False] * pages, *[False] * pages, *[True] * pages, *[False] * pages]


def test_pagemap_scan_protects_whole_entries_in_place_and_parts_after_a_split() -> None:
    with Machine("x86_64") as m:
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        [region] = scene.p.pagemap_scan(scene.a, wp_matching=True)
        assert region == (
            scene.a,
            scene.a + m.pmd_size,
            Category.SWAPPED | Category.HUGE | Category.WRITTEN | Category.SOFT_DIRTY,
        )
        assert scene.is_swapped
        [region] = scene.p.pagemap_scan(scene.a, wp_matching=True)
        assert Category.WRITTEN not in region.categories
        scene.p.uffd_writeprotect(scene.a, protect=False)
        [region] = scene.p.pagemap_scan(scene.a, m.page_size, wp_matching=True)
        assert Category.HUGE not in region.categories
        assert scene.is_table


def test_mincore_looks_at_the_cache_slot_by_slot_where_it_is_split(m: Machine) -> None:
    scene = split_in_cache(m)
    assert scene.p.mincore(scene.a) == [True] * m.nr
    m.reclaim_slot(0, scene.offset + 2)
    assert scene.p.mincore(scene.a, 4 * m.page_size) == [True, True, False, True]
    assert scene.is_swapped


def test_swap_pss_divides_by_the_sharers_of_each_slot(m: Machine) -> None:
    scene = swapped_out(m)
    child = scene.p.fork()
    child.munmap(scene.a, m.pmd_size // 2)
    sums = scene.p.smaps()
    assert sums["Swap"] == m.pmd_size
    assert sums["SwapPss"] == m.pmd_size // 2 + m.pmd_size // 4


def test_swap_pss_may_look_at_the_first_slot_only() -> None:
    with Machine(ARCH, switches=Switches(smaps_pss="first-slot")) as m:
        scene = swapped_out(m)
        scene.p.fork().munmap(scene.a, m.pmd_size // 2)
        assert scene.p.smaps()["SwapPss"] == m.pmd_size


def test_free_of_the_whole_drops_it_and_of_a_part_splits(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.free(scene.a, m.page_size)
    assert scene.p.read_all(scene.a)[:2] == [0, scene.written[1]]
    other = swapped_out(m)
    other.p.free(other.a)
    assert other.p.counters()["MM_SWAPENTS"] == 0
    assert not any(other.p.read_all(other.a))


@pytest.mark.parametrize("new_address", [0, 1])
def test_mremap_takes_the_entry_along(m: Machine, new_address: int) -> None:
    scene = swapped_out(m)
    scene.p.clear_soft_dirty()
    offset = scene.offset
    shift = new_address * m.page_size
    b = scene.p.mremap(scene.a, new_address=scene.a + 4 * m.pmd_size + shift)
    entry = scene.p.mm.entry(scene.p.mm.pmd(b & -m.pmd_size))
    if new_address:
        assert scene.p.mm.pmd(b & -m.pmd_size).table is not None
    else:
        assert entry.leaf == (0, offset)
        assert entry.soft_dirty
    assert scene.p.read_all(b) == scene.written


def test_the_remaining_walkers_pass_by(m: Machine) -> None:
    scene = swapped_out(m)
    word = scene.p.mm.pmd(scene.a).word
    scene.p.cold(scene.a)
    scene.p.pageout(scene.a)
    assert scene.p.mbind(scene.a) == (0, 0)
    assert scene.p.check_pmd_state(scene.a) == "SCAN_PMD_MAPPED"
    assert scene.p.hmm_range_fault(scene.a) == [""] * m.nr
    assert scene.p.mm.pmd(scene.a).word == word
    assert scene.p.hmm_range_fault(scene.a, fault=True) == ["pfn"] * m.nr


def test_hmm_faults_by_reads(m: Machine) -> None:
    scene = swapped_out(m)
    scene.p.mprotect(scene.a, write=False)
    assert scene.p.hmm_range_fault(scene.a, fault=True) == ["pfn"] * m.nr


def test_what_walkers_report_can_be_switched() -> None:
    with Machine(ARCH, switches=Switches(mempolicy_failed="count", hmm_nofault="error")) as m:
        scene = swapped_out(m)
        assert scene.p.mbind(scene.a) == (0, 1)
        assert set(scene.p.hmm_range_fault(scene.a)) == {"error"}


@pytest.mark.parametrize(("to_device", "failed"), [(False, 1), (True, 0)])
def test_mbind_fails_once_for_a_migrating_pmd_and_passes_over_one_with_a_device(
    m: Machine, to_device: bool, failed: int
) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write_all(a)
    assert p.start_migration(a, to_device=to_device)
    assert p.mbind(a) == (0, failed)


def test_walkers_pass_over_what_was_never_touched_and_what_is_there(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=3)
    length = 3 * m.pmd_size
    written = p.write_all(a + m.pmd_size)
    scene = swapped_out(m)
    for process, start, size in ((p, a, length), (scene.p, scene.a, m.page_size)):
        process.cold(start, size)
        process.free(start, m.page_size)
        process.mbind(start, size)
        process.pagemap_scan(start, size)
        process.clear_soft_dirty()
        process.pagemap_scan(start, size)
        process.smaps()
    assert p.check_pmd_state(a) == "SCAN_PMD_NONE"
    assert scene.p.check_pmd_state(scene.a) == "SCAN_SUCCEED"
    assert p.mincore(a, length) == [False] * m.nr + [True] * m.nr + [False] * m.nr
    assert p.pagemap(a, length)[0] == 0
    assert [region[:2] for region in p.pagemap_scan(a, length)] == [(a + m.pmd_size, a + 2 * m.pmd_size)]
    assert p.smaps().items() >= {"Rss": m.pmd_size, "AnonHugePages": m.pmd_size, "Swap": 0, "SwapPss": 0}.items()
    p.mprotect(a, length, write=False)
    p.mprotect(a, length, write=True)
    m.swapoff(0)
    assert p.read_all(a + m.pmd_size) == written


def test_smaps_and_mincore_of_single_pages(m: Machine) -> None:
    scene = split_in_cache(m)
    scene.p.read(scene.a)
    scene.p.cold(scene.a)
    scene.p.mprotect(scene.a, write=False)
    assert (
        scene.p.smaps().items()
        >= {
            "Rss": m.page_size,
            "AnonHugePages": 0,
            "Swap": m.pmd_size - m.page_size,
            "SwapPss": m.pmd_size - m.page_size,
        }.items()
    )
    assert all(scene.p.mincore(scene.a))
    m.reclaim_slot(0, m.nr - 1)
    m.populate_slot(0, m.nr - 1)
    m.split_cached(0, m.nr - 1)


def test_mprotect_leaves_a_shared_huge_page_read_only(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    written = p.write_all(a)
    child = p.fork()
    p.mprotect(a, write=False)
    p.mprotect(a, write=True)
    assert not m.pmd.write(p.mm.pmd(a).word)
    p.write(a)
    assert child.read_all(a) == written
