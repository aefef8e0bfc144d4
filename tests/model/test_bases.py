"""What differs between base kernels, and what surrounds swap on all of them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from model.scenes import ARCH, swapped_out
from pmdswp.errors import UnsupportedError
from pmdswp.model import FailPoint, KernelBug, KernelError, Machine, Process, Violation, check
from pmdswp.model.mechanisms.split import split_folio
from pmdswp.model.state.base import BASES, DEFAULT_BASE, DIFFERENCES, Base, base_of
from pmdswp.model.state.pgtable import Pmd, leaf_of
from pmdswp.model.syscalls.pagemap import PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SWAP, Category

OLD, NEW = "6.12", "7.3"


def filled(m: Machine, pmds: int = 1) -> tuple[Process, int, list[int]]:
    p = m.process()
    a = p.mmap(pmds=pmds)
    return p, a, p.write_all(a, pmds * m.pmd_size)


def refused(errno: str) -> pytest.RaisesExc[KernelError]:
    return pytest.raises(KernelError, match=f"^{errno}$")


# --- the table of differences -----------------------------------------------------------------------------------


def test_every_difference_is_a_field_of_a_base_and_says_both_sides() -> None:
    assert [difference.name for difference in DIFFERENCES] == [field.name for field in fields(Base)[1:]]
    for difference in DIFFERENCES:
        assert all(difference)
        assert difference.newer != difference.older
        assert difference.why.startswith(("the newer: ", "the older: "))
        newer = getattr(BASES[DEFAULT_BASE], difference.name)
        assert difference.why.startswith("the newer" if newer else "the older")
        assert (getattr(BASES[OLD], difference.name), getattr(BASES[NEW], difference.name)) == (False, True)


def test_a_base_that_there_is_not_is_refused() -> None:
    assert Machine(ARCH).base == base_of("7.2")
    with pytest.raises(UnsupportedError, match=r"^no base '6\.6'; allowed: 6\.12, 7\.2, 7\.3$"):
        Machine(ARCH, base="6.6")


def both(*, arch: str = "x86_64", synchronous: bool = True) -> tuple[Machine, Machine]:
    """An older and a newer machine, without PMD swap entries."""
    old, new = (Machine(arch, base=base, pmd_swap=False, synchronous=synchronous) for base in (OLD, NEW))
    return old, new


def test_pages_are_written_in_any_vma_or_in_armed_ones_only() -> None:
    for m, written in zip(both(), (True, False), strict=True):
        p, a, _ = filled(m)
        [region] = p.pagemap_scan(a)
        assert (Category.WRITTEN in region.categories) == written


def test_a_page_read_back_is_clean_or_dirty() -> None:
    for m, dirty in zip(both(arch=ARCH), (0, 1), strict=True):
        p, a, written = filled(m)
        p.pageout(a)
        assert p.read(a) == written[0]
        assert p.smaps()["Private_Dirty"] == dirty * m.page_size
        assert not m.cached_folios()
        check(m)
        assert p.write(a + m.page_size) == p.read(a + m.page_size)
        check(m)


def test_a_swap_in_that_passes_the_cache_by_may_fail() -> None:
    m, _ = both(arch=ARCH)
    p, a, written = filled(m)
    p.pageout(a)
    m.fail_next(FailPoint.ALLOC_FOLIO)
    with refused("ENOMEM"):
        p.read(a)
    m.fail_next(FailPoint.READ_IO)
    with refused("SIGBUS"):
        p.read(a)
    check(m)
    assert p.read_all(a) == written
    p.pageout(a)
    p.clear_soft_dirty()
    # the next write is waited for, so that the page is mapped read-only first
    p.write(a)
    assert m.pte.soft_dirty(p.mm.pmd(a).ptes().words[0])
    check(m)


def test_slots_of_two_processes_stay_cached_until_the_last_has_them() -> None:
    m, _ = both(arch=ARCH)
    p, a, written = filled(m)
    p.pageout(a)
    child = p.fork()
    assert child.read(a) == written[0]
    assert len(m.cached_folios()) == 1
    assert p.write(a) != child.read(a)
    check(m)


def test_pages_of_a_huge_one_have_bit_56_each_or_that_of_the_first() -> None:
    for m, alone in zip(both(), (True, False), strict=True):
        p, a, _ = filled(m)
        p.fork().dontneed(a, m.pmd_size - m.page_size)
        records = p.pagemap(a, 2 * m.page_size) + p.pagemap(a + m.pmd_size - m.page_size, m.page_size)
        assert [bool(record & PM_MMAP_EXCLUSIVE) for record in records] == [True, True, False]
        both_records = p.pagemap(a + m.pmd_size - 2 * m.page_size, 2 * m.page_size)
        assert bool(both_records[1] & PM_MMAP_EXCLUSIVE) != alone


def test_registering_may_not_take_write_protection_away() -> None:
    for m in both():
        p, a, _ = filled(m)
        p.uffd_register(a, wp=True)
        if m.base.register_keeps_wp:
            with refused("EBUSY"):
                p.uffd_register(a)
        else:
            p.uffd_register(a)
        assert [vma.uffd_wp for vma in p.mm.vmas] == [m.base.register_keeps_wp]


def test_an_older_zswap_takes_single_pages_only() -> None:
    for base, stored in ((OLD, 0), (NEW, 1)):
        m = Machine(ARCH, base=base, pmd_swap=False, zswap=True)
        p, a, written = filled(m)
        p.pageout(a)
        assert m.counts()["slots in zswap"] == stored * m.nr
        assert p.read_all(a) == written


def test_mremap_moves_several_vmas_or_unmaps_the_target_in_vain() -> None:
    for m in both(arch=ARCH):
        p, a, written = filled(m, pmds=2)
        b = p.mmap(pmds=2)
        p.write(b)
        p.mprotect(a, write=False)
        if m.base.mremap_many:
            assert p.mremap(a, 2 * m.pmd_size, new_address=b) == b
            assert p.read_all(b, 2 * m.pmd_size) == written
        else:
            with refused("EFAULT"):
                p.mremap(a, 2 * m.pmd_size, new_address=b)
            with refused("SIGSEGV"):
                p.read(b)
            assert p.read_all(a, 2 * m.pmd_size) == written
        with refused("EFAULT"):
            p.mremap(a, 3 * m.pmd_size)
        check(m)


def test_mremap_of_several_vmas_stops_at_one_that_userfaultfd_knows() -> None:
    _, m = both(arch=ARCH)
    p, a, written = filled(m, pmds=2)
    p.mprotect(a, write=False)
    p.uffd_register(a + m.pmd_size)
    b = p.mmap(pmds=2)
    with refused("EFAULT"):
        p.mremap(a, 2 * m.pmd_size, new_address=b)
    assert p.read_all(b) == written[: m.nr]
    check(m)
    with refused("EFAULT"):
        p.mremap(a + m.pmd_size, 2 * m.pmd_size, new_address=b)


def test_an_address_where_nothing_is_overlaps_or_faults() -> None:
    for m, errno in zip(both(arch=ARCH), ("EFAULT", "EINVAL"), strict=True):
        p = m.process()
        a = p.mmap(pmds=2)
        p.munmap(a)
        with refused(errno):
            p.mremap(a, 2 * m.pmd_size, new_address=a + m.page_size)


def test_sharing_is_known_or_guessed() -> None:
    """What the child unmapped of a folio that PTEs map is not shared; the older kernel goes by the first page."""
    for m in both(arch=ARCH):
        p, a, _ = filled(m)
        p.mprotect(a, m.page_size, write=False)
        p.mprotect(a, m.page_size, write=True)
        child = p.fork()
        child.munmap(a, m.pmd_size - m.page_size)
        p.cold(a, m.page_size)
        shared = len(m.folios()) == 1
        assert shared == m.base.exact_sharing or p.mm.anonpages == m.nr
        check(m)


def test_vmas_that_merge_are_soft_dirty_if_one_is_or_if_the_changed_one_is() -> None:
    for m, dirty in zip(both(), (False, True), strict=True):
        p = m.process()
        a = p.mmap(pmds=2)
        p.write_all(a, 2 * m.pmd_size)
        p.mprotect(a, write=False)
        p.clear_soft_dirty()
        left, right = sorted(p.mm.vmas, key=lambda vma: vma.start)
        left.soft_dirty = True
        p.mprotect(right.start, write=False)
        [vma] = p.mm.vmas
        assert vma.soft_dirty == dirty


# --- on all of them ---------------------------------------------------------------------------------------------


def test_a_missing_page_is_a_signal_if_that_was_asked_for() -> None:
    with Machine(ARCH) as m:
        m.uffd_sigbus = True
        p = m.process()
        a = p.mmap(pmds=2)
        p.uffd_register(a)
        p.uffd_register(a + m.pmd_size + m.page_size, m.page_size)
        for address in (a, a + m.pmd_size + m.page_size):
            with refused("SIGBUS"):
                p.write(address)
            with refused("ENOMEM"):
                p.mlock(address, m.page_size)
        p.write(a + m.pmd_size)


def test_mlock_stops_where_userfaultfd_waits() -> None:
    with Machine("x86_64") as m:
        m.uffd_sigbus = True
        scene = swapped_out(m)
        scene.p.uffd_register(scene.a, wp=True)
        scene.p.uffd_writeprotect(scene.page(2), m.page_size)
        with refused("ENOMEM"):
            scene.p.mlock(scene.a)
        records = scene.p.pagemap(scene.a, 4 * m.page_size)
        assert [bool(record & PM_PRESENT) for record in records] == [True, True, True, False]
        assert [bool(record & PM_SWAP) for record in records] == [False, False, False, True]


def test_mlock_locks_up_to_the_first_hole(m: Machine) -> None:
    p, a, _ = filled(m, 3)
    p.munmap(a + m.pmd_size)
    with refused("ENOMEM"):
        p.mlock(a, 3 * m.pmd_size)
    assert [vma.locked for vma in p.mm.vmas] == [True, False]


def test_mlock_of_memory_that_cannot_be_written_maps_zeros() -> None:
    with Machine(ARCH) as m:
        p = m.process()
        a = p.mmap(pages=2)
        p.mprotect(a, 2 * m.page_size, write=False)
        p.mlock(a, 2 * m.page_size)
        assert [bool(record & PM_PRESENT) for record in p.pagemap(a, 2 * m.page_size)] == [True, True]
        assert p.mm.anonpages == 0
        assert p.smaps()["Locked"] == 0
        child = p.fork()
        assert child.mm.pmds == {}
        p.mprotect(a, 2 * m.page_size, write=True)
        p.write(a)
        assert p.mm.anonpages == 1
        with refused("ENOMEM"):
            p.mlock(a, m.pmd_size)
        p.munlock(a, 2 * m.page_size)
        m.fail_next(FailPoint.ALLOC_FOLIO)
        with refused("ENOMEM"):
            p.mlock(a, 2 * m.page_size)


def test_inaccessible_memory_keeps_what_it_has(m: Machine) -> None:
    p, a, written = filled(m)
    p.mprotect_none(a)
    for access in (p.read, p.write):
        with refused("SIGSEGV"):
            access(a)
    p.mlock(a)
    p.munlock(a)
    p.mprotect(a, write=True)
    assert p.read_all(a) == written


def test_zeros_that_are_locked_or_shared_keep_their_frames_or_share_one_more(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.mlock(a)
    p.munmap(a, m.page_size)
    assert m.split_cached(0, m.nr) is False
    assert p.mm.anonpages == m.nr - 1
    q = m.process()
    b = q.mmap(pmds=1)
    q.write(b)
    q.cold(b, m.page_size)
    child = q.fork()
    assert child.mm.anonpages == q.mm.anonpages == 1
    moved = q.mmap(pmds=1)
    q.uffd_register(moved)
    assert q.uffdio_move(moved, b + m.page_size, m.page_size) == m.page_size
    assert q.read(moved) == 0
    q.write(moved)
    q.free(b)
    q.dontneed(b)
    assert child.read_all(b)[1:] == [0] * (m.nr - 1)


def test_a_writable_zero_page_is_a_violation() -> None:
    m = Machine(ARCH)
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.cold(a, m.page_size)
    check(m)
    words = p.mm.pmd(a).ptes().words
    words[1] = m.pte.mkwrite(words[1])
    with pytest.raises(Violation, match=r"^B\.9: p1 0x[0-9a-f]+: the shared zero page is writable$"):
        check(m)


def test_what_cannot_be_collapsed_is_left_as_it_is() -> None:
    for m in both():
        p, a, written = filled(m, pmds=2)
        p.collapse(a)  # huge already
        p.cold(a, m.page_size)
        if m.base.collapse_lenient:
            p.collapse(a + m.page_size, m.page_size)
        else:
            with refused("EINVAL"):
                p.collapse(a + m.page_size, m.page_size)
        p.mprotect(a, write=False)
        if m.base.collapse_lenient:
            p.collapse(a)
        else:
            with refused("EINVAL"):
                p.collapse(a)
        p.mprotect(a, write=True)
        p.cold(a, m.page_size)
        p.uffd_register(a, wp=True)
        p.uffd_writeprotect(a, m.page_size)
        with refused("EINVAL"):
            p.collapse(a)
        p.uffd_writeprotect(a, m.page_size, protect=False)
        p.collapse(a)
        p.cold(a, m.page_size)
        p.dontneed(a, m.page_size)
        with refused("EINVAL"):
            p.collapse(a)  # userfaultfd waits for the page that is not there
        small = p.mmap(pages=3)
        with refused("EINVAL"):
            p.collapse(small, m.page_size)
        assert p.read_all(a)[1:] == written[1 : m.nr]
        check(m)


def test_memory_without_advice_gets_no_huge_pages(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=2, huge=False)
    p.write(a)
    assert p.mm.pmd(a).table is not None
    p.hugepage(a + m.pmd_size)
    p.write(a + m.pmd_size)
    assert p.mm.pmd(a + m.pmd_size).table is None
    assert len(p.mm.vmas) == 2
    p.hugepage(a)
    assert len(p.mm.vmas) == 1
    p.munmap(a)
    with refused("ENOMEM"):
        p.hugepage(a, 2 * m.pmd_size)


def test_locked_memory_is_not_reclaimed(m: Machine) -> None:
    p, a, _ = filled(m)
    p.mlock(a)
    p.reclaim(a)
    assert not p.mm.swapents
    p.munlock(a)
    p.reclaim(a)
    assert p.mm.swapents == m.nr


@pytest.mark.parametrize("onto_the_right", [False, True])
def test_a_vma_that_userfaultfd_makes_part_of_another_is_soft_dirty_as_that_is(onto_the_right: bool) -> None:
    """Seen on 6.12.117 (1714-24 of the disk); where merging keeps soft-dirty, the whole is so."""
    for m, soft_dirty in zip(both(), (False, True), strict=True):
        p, a, _ = filled(m, 2)
        first, second = (a + m.pmd_size, a) if onto_the_right else (a, a + m.pmd_size)
        p.uffd_register(first, wp=True)
        p.clear_soft_dirty()
        p.mmap(pmds=1, address=second)
        p.uffd_register(second, wp=True)
        [vma] = p.mm.vmas
        assert vma.soft_dirty == soft_dirty


def test_of_a_huge_page_that_is_locked_in_part_what_comes_first_is_reclaimed(m: Machine) -> None:
    """Seen on 7.3.4 (1711-0 of the disk): the walk of the reverse map ends at the locked VMA."""
    p, a, written = filled(m)
    half = m.pmd_size // 2
    p.mlock(a + half, half)
    p.reclaim(a)
    assert p.mm.swapents == m.nr // 2
    assert [bool(record & PM_SWAP) for record in p.pagemap(a)] == [True] * (m.nr // 2) + [False] * (m.nr // 2)
    p.munlock(a + half, half)
    p.mlock(a, half)
    assert p.read_all(a) == written
    p.reclaim(a + half, half)
    assert not p.mm.swapents
    check(m)


def test_one_dirty_pte_makes_all_pieces_of_a_folio_dirty() -> None:
    """Seen on 7.3.4 (`clear-swapped` on the disk): `try_to_migrate_one()` marks the folio before it is split."""
    with Machine(ARCH) as m:
        p, a, _ = filled(m)
        p.reclaim(a)
        m.end_writeback()
        p.read_all(a)
        folio, *_ = m.cached_folios()
        assert not folio.dirty
        p.mprotect(a, m.page_size, write=False)
        p.write(a + m.page_size)
        assert split_folio(m, folio)
        assert all(piece.dirty for piece in m.folios())


def test_reclaim_keeps_all_of_a_lazyfree_folio_of_which_a_page_was_written(m: Machine) -> None:
    """Seen on 7.3.4 (1713-7 of the disk): MADV_PAGEOUT drops the pages before that one, reclaim looks at all first."""
    p, a, written = filled(m)
    p.free(a)
    p.mprotect(a, m.page_size, write=False)
    written[-1] = p.write(a + m.pmd_size - m.page_size)
    p.reclaim(a)
    assert p.mm.swapents == m.nr
    assert p.read_all(a) == written
    p, a, written = filled(m)
    p.free(a)
    written[0] = p.write(a)
    p.reclaim(a)
    assert p.read_all(a) == written
    check(m)


def test_where_only_single_pages_can_have_slots_a_huge_page_is_split(m: Machine) -> None:
    """arm64 with 16K pages, ppc64: no CONFIG_THP_SWAP, and so no PMD swap entries either."""
    m.thp_swap = False
    p, a, written = filled(m)
    p.pageout(a)
    assert p.mm.pmd(a).table is not None
    assert (m.events["THP_SWPOUT"], m.events["THP_SWPOUT_FALLBACK"]) == (0, 1)
    assert p.read_all(a) == written


def test_smaps_tells_pages_under_migration_and_poisoned_ones(m: Machine) -> None:
    p, a, _ = filled(m)
    p.dontneed(a, m.page_size)
    assert p.start_migration(a + m.page_size)
    assert p.smaps()["Rss"] == m.pmd_size - m.page_size
    m.finish_migration()
    q, b, _ = filled(m)
    assert q.start_migration(b)
    assert (q.smaps()["Rss"], q.smaps()["AnonHugePages"]) == (m.pmd_size, m.pmd_size)


def test_poisoned_pages_are_neither_present_nor_swapped() -> None:
    m = Machine(ARCH)
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO, m.nr + 1)
    m.swapoff()
    records = scene.p.pagemap(scene.a)
    assert not any(record & (PM_PRESENT | PM_SWAP) for record in records)
    assert not scene.p.pagemap_scan(scene.a)
    scene.p.free(scene.a)


def test_what_is_taken_for_something_else_is_a_bug(m: Machine) -> None:
    p, a, _ = filled(m)
    with pytest.raises(KernelBug, match="is taken for a softleaf"):
        leaf_of(p.mm.entry(p.mm.pmd(a)))
    with pytest.raises(KernelBug, match=r"^a PTE walk meets 0x11$"):
        Pmd(0x11).ptes()


def test_a_page_that_stays_armed_does_not_become_writable() -> None:
    with Machine("x86_64") as m:
        p, a, _ = filled(m)
        p.uffd_register(a, wp=True)
        p.uffd_writeprotect(a)
        p.mprotect(a, write=False)
        p.mprotect(a, write=True)
        assert (m.pmd.uffd(p.mm.pmd(a).word), m.pmd.write(p.mm.pmd(a).word)) == (True, False)
        p.uffd_writeprotect(a, protect=False)
        assert (m.pmd.uffd(p.mm.pmd(a).word), m.pmd.write(p.mm.pmd(a).word)) == (False, True)


def test_a_huge_page_that_is_protected_against_reads_stays_so_when_it_is_written() -> None:
    """Swapped in by the write, and an event only after that."""
    with Machine("x86_64", series="v7", synchronous=True) as m:
        scene = swapped_out(m)
        child = scene.p.fork()
        scene.p.uffd_register(scene.a, rwp=True)
        scene.p.uffd_rwprotect(scene.a)
        scene.p.write(scene.a)
        assert m.events["UFFD_RWP"] == 1
        assert child.read(scene.a) == scene.written[0]


def test_a_neighbour_lends_its_anon_vma(m: Machine) -> None:
    """New memory beside pages that cannot be written shares their anon_vma, so that both merge once they are alike."""
    p, a, written = filled(m)
    p.mprotect(a, write=False)
    p.mmap(pmds=1, address=a + m.pmd_size)
    p.write(a + m.pmd_size)
    assert len(p.mm.vmas) == 2
    p.mprotect(a, write=True)
    assert len(p.mm.vmas) == 1
    check(m)
    assert p.read_all(a) == written


def test_zeros_of_a_locked_vma_keep_their_frames(m: Machine) -> None:
    p = m.process()
    a = p.mmap(pmds=1)
    p.write(a)
    p.uffd_register(a)
    child = p.fork()
    child.exit()
    [vma] = p.mm.vmas
    [folio] = m.folios()
    vma.locked = True
    assert split_folio(m, folio)
    assert p.mm.anonpages == m.nr
    check(m)


def test_mlock_of_memory_that_userfaultfd_waits_for_maps_nothing() -> None:
    with Machine(ARCH) as m:
        m.uffd_sigbus = True
        p = m.process()
        a = p.mmap(pages=2)
        p.mprotect(a, 2 * m.page_size, write=False)
        p.uffd_register(a, 2 * m.page_size)
        with refused("ENOMEM"):
            p.mlock(a, 2 * m.page_size)


def test_what_was_freed_lazily_may_be_zeros_in_a_huge_page_too(m: Machine) -> None:
    p, a, written = filled(m)
    p.free(a)
    p.pageout(a)
    token = p.write(a)
    p.collapse(a)
    check(m)
    assert p.read_all(a) == [token, *[0] * (m.nr - 1)]
    assert len(written) == m.nr


def test_free_of_a_part_of_a_large_folio_that_ptes_map_splits_it(m: Machine) -> None:
    p, a, written = filled(m)
    p.munmap(a, m.page_size)
    assert len(m.folios()) == 1
    p.free(a + m.page_size, m.page_size)
    assert len(m.folios()) == m.nr - 1
    assert p.read_all(a + 2 * m.page_size, m.pmd_size - 2 * m.page_size) == written[2:]


def test_pages_of_a_broken_disk_count_for_nothing() -> None:
    m = Machine(ARCH)
    scene = swapped_out(m)
    m.fail_next(FailPoint.READ_IO, m.nr + 1)
    m.swapoff()
    assert not any(scene.p.smaps().values())
    with refused("SIGBUS"):
        scene.p.collapse(scene.a)
