"""Scenarios for the rules that no selftest of the series comes upon: each is one function, and says what it shows.

`CASES` lists them; the tests play them on every architecture, and the reference of the rules names them. They use no
test library, so that the pages can be written without one.
"""

from __future__ import annotations

from collections.abc import Callable

import pmdswp
from pmdswp import Arch, SoftLeafType, State
from pmdswp.model import CacheClass, FailPoint, KernelBug, KernelError, Machine, Process, Switches, check
from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.mechanisms.swap import swap_cache_class
from pmdswp.model.play.stage import stage
from pmdswp.model.state.rules import order
from pmdswp.model.syscalls.pagemap import PM_SOFT_DIRTY, Category
from pmdswp.model.syscalls.uffdio_move import move_pages_huge_pmd

FIRST = 0


def swapped(m: Machine) -> tuple[Process, int, list[int]]:
    """A process with one huge page that was swapped out, its address, and what its pages hold."""
    p = m.process()
    address = p.mmap(pmds=1)
    written = p.write_all(address)
    p.pageout(address)
    assert is_swap_pmd(p, address)
    return p, address, written


def uncached(m: Machine) -> tuple[Process, int, list[int]]:
    """The same, with the cache dropped."""
    found = swapped(m)
    m.end_writeback()
    m.reclaim()
    assert cache_class(m) is CacheClass.EMPTY
    return found


def is_swap_pmd(p: Process, address: int) -> bool:
    return p.mm.entry(p.mm.pmds[address]).kind is SoftLeafType.SWAP


def is_table(p: Process, address: int) -> bool:
    return p.mm.pmds[address].table is not None


def cache_class(m: Machine) -> CacheClass:
    """The class of the first range of slots."""
    return swap_cache_class(m.device(FIRST), m.nr, m.nr)


def refused(operation: Callable[..., object], *arguments: object) -> str:
    """The errno with which an operation fails."""
    try:
        operation(*arguments)
    except KernelError as error:
        return error.errno_name
    raise AssertionError("it was not refused")


def can_arm(m: Machine, p: Process, address: int) -> bool:
    """Register a range for write-protection, where the architecture has the bit; elsewhere that is refused."""
    if not m.has_uffd:
        assert refused(lambda: p.uffd_register(address, wp=True)) == "EINVAL"
        return False
    p.uffd_register(address, wp=True)
    return True


# --- what a PMD holds -------------------------------------------------------------------------------------------


def kinds_of_pmds() -> None:
    """Each word that a PMD goes through is told for what it is, and the flags do not matter for that."""
    with Machine() as m:
        p, address, _ = swapped(m)
        arch, word = m.arch, p.mm.pmds[address].word
        assert arch.pmd_is_swap_entry(word)
        flagless = arch.pmd_swp_clear_exclusive(arch.pmd_swp_clear_soft_dirty(arch.pmd_swp_clear_uffd(word)))
        assert arch.softleaf_from_pmd(flagless) == arch.softleaf_from_pmd(word)
        assert arch.pmd_swp_exclusive(word)
        assert not arch.pmd_swp_exclusive(flagless)
        assert arch.pmd_swp_exclusive(arch.pmd_swp_mkexclusive(flagless))
        huge = m.process()
        other = huge.mmap(pmds=1)
        huge.write(other)
        migrating = huge.start_migration(other)
        assert migrating
        kinds = {arch.decode_pmd(each).kind for each in (word, huge.mm.pmds[other].word)}
        assert kinds == {SoftLeafType.SWAP, SoftLeafType.MIGRATION_WRITE}
        assert not any(arch.pmd_present(each) for each in (word, huge.mm.pmds[other].word))
        m.finish_migration()
        for present in (m.pmd.none, huge.mm.pmds[other].word):
            assert arch.softleaf_from_pmd(present).is_none
        check(m)


def no_folio() -> None:
    """Who asks a swap PMD for its folio is told that there is none, so advice to reclaim it does nothing."""
    with Machine() as m:
        p, address, written = swapped(m)
        word = p.mm.pmds[address].word
        p.cold(address)
        p.pageout(address)
        assert p.mbind(address) == (0, 0)
        assert p.mm.pmds[address].word == word
        assert p.read_all(address) == written


def without_the_series() -> None:
    """A kernel that has no swap PMDs splits before it swaps out."""
    with Machine(pmd_swap=False) as m:
        p = m.process()
        address = p.mmap(pmds=1)
        written = p.write_all(address)
        p.pageout(address)
        assert is_table(p, address)
        assert not m.events["THP_SWPOUT_PMD"]
        assert p.read_all(address) == written


# --- split ------------------------------------------------------------------------------------------------------


def freezing() -> None:
    """Splitting a swap PMD to freeze its folio is a bug, for it maps none."""
    m = Machine()
    p, address, _ = swapped(m)
    try:
        split_huge_pmd(m, p.mm, p.mm.pmds[address], freeze=True)
    except KernelBug:
        return
    raise AssertionError("the split went through")


def split_twice() -> None:
    """Splitting what is split already changes nothing."""
    with Machine() as m:
        p, address, written = uncached(m)
        records = p.pagemap(address)
        for _ in range(2):
            split_huge_pmd(m, p.mm, p.mm.pmds[address])
            assert m.events["THP_SPLIT_PMD"] == 1
            assert p.pagemap(address) == records
        m.rule("2.9", was=m.view((p.mm, p.mm.pmds[address])), answer=(records, p.pagemap(address)))
        check(m)
        assert p.read_all(address) == written


# --- fork -------------------------------------------------------------------------------------------------------


def fork_without_room_for_counts() -> None:
    """If the references cannot be taken at once, fork tries again; if not even then, it fails and changes nothing."""
    with Machine() as m:
        p, address, written = swapped(m)
        m.fail_next(FailPoint.DUP_SWAP)
        child = p.fork()
        check(m)
        child.exit()
        m.fail_next(FailPoint.DUP_SWAP)
        m.fail_next(FailPoint.DUP_SWAP_RETRY)
        assert refused(p.fork) == "ENOMEM"
        check(m)
        m.fail_next(FailPoint.ALLOC_PGTABLE)
        assert refused(p.fork) == "ENOMEM"
        check(m)
        assert p.read_all(address) == written


# --- zswap ------------------------------------------------------------------------------------------------------


def reading_over_zswap() -> None:
    """If a slot gets into zswap after the range was asked for, the read of the whole is an error and yields no data."""
    with Machine() as m:
        p, address, written = uncached(m)
        m.set_zswap(enabled=True)
        m.fail_next(FailPoint.RACE_ZSWAP)
        assert refused(p.read, address) == "SIGBUS"
        check(m)
        m.reclaim()
        assert p.read_all(address) == written


def zswap_in_part() -> None:
    """One page left in zswap is enough: the fault splits, and each page comes from where it is."""
    with Machine(zswap=True) as m:
        p, address, written = swapped(m)
        m.zswap_writeback(FIRST, m.nr, m.nr - 1)
        assert p.read(address) == written[0]
        assert is_table(p, address)
        assert p.read_all(address) == written
        check(m)


def zswap_written_back() -> None:
    """What the shrinker wrote back in whole is read from the disk as one folio."""
    with Machine(zswap=True) as m:
        p, address, written = swapped(m)
        m.zswap_writeback(FIRST, m.nr, m.nr)
        assert p.read_all(address) == written
        assert not is_table(p, address)
        check(m)


# --- swapoff ----------------------------------------------------------------------------------------------------


def swapoff_reads_the_whole() -> None:
    """With nothing cached, swapoff reads all pages as one folio; without memory for that, page by page."""
    for memory in (True, False):
        with Machine() as m:
            p, address, written = uncached(m)
            if not memory:
                m.fail_next(FailPoint.ALLOC_PMD_FOLIO)
            m.swapoff()
            assert is_table(p, address) != memory
            check(m)
            assert p.read_all(address) == written


def swapoff_of_pieces() -> None:
    """If the folio was split in the cache, swapoff maps the pieces."""
    with Machine() as m:
        p, address, written = swapped(m)
        m.end_writeback()
        assert m.split_cached(FIRST, m.nr)
        m.swapoff()
        assert is_table(p, address)
        check(m)
        assert p.read_all(address) == written


def swapoff_of_a_broken_disk() -> None:
    """If the read of the whole fails, the PMD is split, and its pages become poison markers."""
    m = Machine()
    p, address, _ = uncached(m)
    m.fail_next(FailPoint.READ_IO)
    m.swapoff()
    check(m)
    assert is_table(p, address)
    for page in (address, address + m.pmd_size - m.page_size):
        assert refused(p.read, page) == "SIGBUS"


def swapoff_races() -> None:
    """If the PMD or the cache changes while swapoff waits, it comes again."""
    for point in (FailPoint.RACE_PMD_CHANGED, FailPoint.RACE_CACHE_SPLIT):
        with Machine() as m:
            p, address, written = swapped(m)
            m.fail_next(point)
            m.swapoff()
            check(m)
            assert p.read_all(address) == written


# --- walkers ----------------------------------------------------------------------------------------------------


def zap_a_part() -> None:
    """MADV_DONTNEED of a part splits; the rest stays swapped."""
    with Machine() as m:
        p, address, written = swapped(m)
        half = m.pmd_size // 2
        p.dontneed(address, half)
        assert p.counters()["MM_SWAPENTS"] == m.nr // 2
        check(m)
        assert p.read_all(address) == [0] * (m.nr // 2) + written[m.nr // 2 :]


def write_protection() -> None:
    """Arming and disarming userfaultfd changes one bit of the entry; arming a part splits."""
    with Machine() as m:
        p, address, written = swapped(m)
        if not can_arm(m, p, address):
            return
        word = p.mm.pmds[address].word
        p.uffd_writeprotect(address)
        assert p.mm.pmds[address].word == m.arch.pmd_swp_mkuffd(word) != word
        p.uffd_writeprotect(address, protect=False)
        assert p.mm.pmds[address].word == word
        p.uffd_writeprotect(address, m.page_size)
        assert is_table(p, address)
        check(m)
        assert p.read_all(address) == written


def armed_swapped_in() -> None:
    """A page that was armed while it was swapped is armed when it is back: a write is an event."""
    with Machine() as m:
        p, address, _ = swapped(m)
        if not can_arm(m, p, address):
            return
        p.uffd_writeprotect(address)
        events = []
        for access in (p.read, p.write):
            access(address)
            events.append(m.events["UFFD_WP"])
        assert events == [0, 1]
        check(m)


def soft_dirty() -> None:
    """Clearing soft-dirty clears the bit in the entry; moving the range sets it again, and so does a write."""
    with Machine() as m:
        p, address, _ = swapped(m)
        if not m.has_soft_dirty:
            p.clear_soft_dirty()
            return
        assert m.arch.pmd_swp_soft_dirty(p.mm.pmds[address].word)
        p.clear_soft_dirty()
        assert not m.arch.pmd_swp_soft_dirty(p.mm.pmds[address].word)
        moved = p.mremap(address)
        assert m.arch.pmd_swp_soft_dirty(p.mm.pmds[moved].word)
        p.clear_soft_dirty()
        p.write(moved)
        assert m.pmd.soft_dirty(p.mm.pmds[moved].word)
        check(m)


def smaps() -> None:
    """A range that two processes share is swapped once in full for each, and by half in proportion."""
    with Machine() as m:
        p, address, _ = swapped(m)
        sizes = {name: size for name, size in p.smaps().items() if size}
        assert sizes == {"Swap": m.pmd_size, "SwapPss": m.pmd_size}
        child = p.fork()
        assert p.smaps()["SwapPss"] == m.pmd_size // 2
        child.munmap(address, m.pmd_size // 2)
        assert p.smaps()["SwapPss"] == m.pmd_size * 3 // 4


def scan() -> None:
    """PAGEMAP_SCAN sees one huge swapped region; write-protecting what it found arms the entry, or splits it."""
    with Machine() as m:
        p, address, _ = swapped(m)
        [region] = p.pagemap_scan(address)
        assert region.end - region.start == m.pmd_size
        assert Category.HUGE | Category.SWAPPED in region.categories
        if not can_arm(m, p, address):
            return
        p.pagemap_scan(address, m.page_size, wp_matching=True)
        assert is_table(p, address)
        check(m)


def scan_the_whole() -> None:
    """PAGEMAP_SCAN write-protects a whole swap PMD in place."""
    with Machine() as m:
        p, address, _ = swapped(m)
        if not can_arm(m, p, address):
            return
        [region] = p.pagemap_scan(address, wp_matching=True)
        assert Category.WRITTEN in region.categories
        [region] = p.pagemap_scan(address, wp_matching=True)
        assert Category.WRITTEN not in region.categories
        assert is_swap_pmd(p, address)


def passers_by() -> None:
    """khugepaged finds the range mapped, mbind nothing to move, HMM no page unless it lets the range fault."""
    with Machine() as m:
        p, address, _ = swapped(m)
        assert p.check_pmd_state(address) == "SCAN_PMD_MAPPED"
        assert p.mbind(address) == (0, 0)
        assert not any(p.hmm_range_fault(address))
        assert is_swap_pmd(p, address)
        assert set(p.hmm_range_fault(address, fault=True)) == {"pfn"}
        check(m)


def free_a_part() -> None:
    """MADV_FREE of a part splits, and frees that part."""
    with Machine() as m:
        p, address, written = swapped(m)
        p.free(address, m.page_size)
        assert is_table(p, address)
        check(m)
        assert p.read_all(address) == [0, *written[1:]]


def move_a_part() -> None:
    """mremap of a part splits, and moves PTEs; so does mremap of the whole to where no PMD begins."""
    with Machine() as m:
        p, address, written = swapped(m)
        target = p.mremap(address, m.page_size)
        check(m)
        assert [p.read(target), *p.read_all(address + m.page_size, m.pmd_size - m.page_size)] == written
    for out in (False, True):
        with Machine() as m:
            p, address, written = swapped(m) if out else filled(m)
            target = p.mmap(pmds=2) + m.page_size
            p.mremap(address, new_address=target)
            check(m)
            assert p.read_all(target) == written


# --- read ahead -------------------------------------------------------------------------------------------------


def willneed_twice() -> None:
    """What is cached as one folio need not be read again."""
    with Machine() as m:
        p, address, _ = uncached(m)
        for _ in range(2):
            p.willneed(address)
            assert cache_class(m) is CacheClass.WHOLE
            assert is_swap_pmd(p, address)


def willneed_without_memory() -> None:
    """If the whole cannot be read, the advice still succeeds; the entry is left, or split by the switch."""
    for fails in ("leave", "split"):
        switches = Switches(willneed_fail="split") if fails == "split" else Switches()
        with Machine(switches=switches) as m:
            p, address, written = uncached(m)
            m.fail_next(FailPoint.ALLOC_PMD_FOLIO)
            p.willneed(address)
            assert is_table(p, address) == (fails == "split")
            check(m)
            assert p.read_all(address) == written


# --- UFFDIO_MOVE ------------------------------------------------------------------------------------------------


def _move(m: Machine, p: Process, address: int, length: int | None = None) -> int:
    """Where a range was moved to."""
    target = p.mmap(pmds=1)
    p.uffd_register(target)
    assert p.uffdio_move(target, address, length) == (m.pmd_size if length is None else length)
    check(m)
    return target


def move_refused() -> None:
    """What is empty, or shared with another process, cannot be moved."""
    with Machine() as m:
        p, address, _ = swapped(m)
        empty, target = p.mmap(pmds=1), p.mmap(pmds=1)
        p.uffd_register(target)
        assert refused(p.uffdio_move, target, empty) == "ENOENT"
        p.fork()
        assert refused(p.uffdio_move, target, address) == "EBUSY"
        check(m)


def move_onto_something() -> None:
    """A target that is in use is EEXIST; the move of the whole looks once more, and then it is EINVAL."""
    with Machine() as m:
        p, address, _ = swapped(m)
        target = p.mmap(pmds=1)
        p.uffd_register(target)
        p.write(target)
        assert refused(p.uffdio_move, target, address) == "EEXIST"
        pmds, vma = p.mm.pmds, p.mm.find_vma(target)
        assert refused(move_pages_huge_pmd, m, vma, pmds[address], pmds[target], target) == "EINVAL"
        check(m)


def move_of_a_migrating_page() -> None:
    """A page under migration is waited for, and then moved."""
    with Machine() as m:
        p = m.process()
        address = p.mmap(pmds=1)
        written = p.write_all(address)
        assert p.start_migration(address)
        assert p.read_all(_move(m, p, address)) == written


def move_races() -> None:
    """A device that goes away, or a PMD that changes meanwhile, makes the move start again."""
    for point in (FailPoint.GET_SWAP_DEVICE, FailPoint.RACE_PMD_CHANGED, FailPoint.LOCK_FOLIO):
        with Machine() as m:
            p, address, written = swapped(m)
            m.fail_next(point)
            assert p.read_all(_move(m, p, address)) == written


def move_of_an_uncached_range() -> None:
    """With nothing cached the entry moves alone, unless a slot is cached by the time of the move."""
    for race in (False, True):
        with Machine() as m:
            p, address, written = uncached(m)
            if race:
                m.fail_next(FailPoint.RACE_REFILLED)
            assert p.read_all(_move(m, p, address)) == written


def move_of_pieces() -> None:
    """If the folio was split in the cache, the entry is split, and the pieces move with their PTEs."""
    with Machine() as m:
        p, address, written = swapped(m)
        m.end_writeback()
        assert m.split_cached(FIRST, m.nr)
        target = _move(m, p, address)
        assert is_table(p, target)
        assert p.read_all(target) == written


def move_a_part_of_a_cached_folio() -> None:
    """A part of a range that is cached as one folio cannot be moved."""
    with Machine() as m:
        p, address, _ = swapped(m)
        target = p.mmap(pmds=1)
        p.uffd_register(target)
        assert refused(p.uffdio_move, target, address, m.page_size) == "EBUSY"
        check(m)


# --- fault ------------------------------------------------------------------------------------------------------


def fault_races() -> None:
    """A fault that finds the folio locked, gone or split, or the PMD changed, does nothing and is tried again."""
    for point in (
        FailPoint.LOCK_FOLIO,
        FailPoint.RACE_CACHE_SPLIT,
        FailPoint.RACE_CACHE_REMOVED,
        FailPoint.RACE_PMD_CHANGED,
    ):
        with Machine() as m:
            p, address, written = swapped(m)
            m.end_writeback()
            m.fail_next(point)
            assert p.read_all(address) == written
            check(m)


def fault_without_memory() -> None:
    """Without memory for the whole, the PMD is split, and one page is read."""
    for point in (FailPoint.ALLOC_PMD_FOLIO, FailPoint.CHARGE_PMD_FOLIO, FailPoint.RACE_SLOT_CACHED):
        with Machine() as m:
            p, address, written = uncached(m)
            m.fail_next(point)
            assert p.read(address) == written[0]
            assert is_table(p, address)
            check(m)


def fault_on_a_broken_disk() -> None:
    """A folio whose read failed is SIGBUS; by the switch, the PMD is split and each page tried by itself."""
    for on_failure in ("sigbus", "split"):
        m = Machine(switches=Switches(fault_not_uptodate="split") if on_failure == "split" else Switches())
        p, address, _ = uncached(m)
        m.fail_next(FailPoint.READ_IO)
        assert refused(p.read, address) == "SIGBUS"
        assert is_table(p, address) == (on_failure == "split")


def stable_pages() -> None:
    """While the folio is written to a device that needs stable pages, a write must not change it: it is copied."""
    with Machine(stable_writes=True) as m:
        p, address, written = swapped(m)
        now = [p.write(address), *written[1:]]
        check(m)
        m.end_writeback()
        assert p.read_all(address) == now


def slots_given_back() -> None:
    """After a fault on a synchronous device, no slot is in use any more."""
    with Machine(synchronous=True) as m:
        p, address, written = swapped(m)
        assert p.read_all(address) == written
        assert not m.counts()["slots used"]
        check(m)


# --- swap-out ---------------------------------------------------------------------------------------------------


def rollback() -> None:
    """If a step of the swap-out fails, the old PMD is put back, and so are the counts."""
    for point in (FailPoint.DUP_SWAP, FailPoint.PINNED):
        with Machine() as m:
            p = m.process()
            address = p.mmap(pmds=1)
            written = p.write_all(address)
            word = p.mm.pmds[address].word
            m.fail_next(point)
            p.pageout(address)
            assert p.mm.pmds[address].word == word
            assert p.mm.entry(p.mm.pmds[address]).state is State.PRESENT
            check(m)
            assert p.read_all(address) == written


def zeros() -> None:
    """A huge page of zeros is noted, not written, and comes back as one, with zswap too."""
    with Machine(zswap=True) as m:
        p = m.process()
        address = p.mmap(pmds=1)
        p.write(address, 0)
        p.pageout(address)
        m.reclaim()
        assert is_swap_pmd(p, address)
        assert not m.counts()["slots in zswap"]
        assert not any(p.read_all(address))
        assert not is_table(p, address)


def lazyfree() -> None:
    """A huge page that was freed lazily, and not written since, is discarded, not swapped."""
    with Machine() as m:
        p = m.process()
        address = p.mmap(pmds=1)
        p.write_all(address)
        p.free(address)
        p.pageout(address)
        assert not m.events["THP_SWPOUT_PMD"]
        assert p.counters() == {"MM_ANONPAGES": 0, "MM_SWAPENTS": 0, "nr_ptes": 1}


# --- what surrounds swap ----------------------------------------------------------------------------------------


def filled(m: Machine, pmds: int = 1) -> tuple[Process, int, list[int]]:
    """A process with huge pages that were written to."""
    p = m.process()
    address = p.mmap(pmds=pmds)
    return p, address, p.write_all(address, pmds * m.pmd_size)


def shared_is_spared() -> None:
    """MADV_PAGEOUT lets be what another process maps too; reclaim does not."""
    with Machine() as m:
        p, address, written = filled(m)
        child = p.fork()
        p.pageout(address)
        assert not p.mm.swapents
        p.reclaim(address)
        assert p.mm.swapents == child.mm.swapents == m.nr
        assert p.read_all(address) == written


def part_of_a_huge_page() -> None:
    """MADV_COLD of one page splits the folio, unless it is being written; every page keeps what it has."""
    with Machine() as m:
        p, address, written = swapped(m)
        assert p.read(address) == written[0]
        p.cold(address, m.page_size)
        assert not is_table(p, address)
    with Machine() as m:
        p, address, written = filled(m)
        p.cold(address, m.page_size)
        assert is_table(p, address)
        assert len(m.folios()) == m.nr
        assert p.read_all(address) == written


def freed_and_written_again() -> None:
    """What MADV_FREE marked and a write made dirty again survives the next reclaim, and is swapped out by another."""
    with Machine() as m:
        p, address, written = filled(m)
        p.free(address)
        token = p.write(address)
        p.pageout(address)
        assert not p.mm.swapents
        assert p.read_all(address) == [token, *written[1:]]
        p.pageout(address)
        assert p.mm.swapents == m.nr


def split_of_a_dirty_huge_page() -> None:
    """Unmapping one page makes the others soft-dirty, where `pte_mkdirty()` does; splitting the folio does not."""
    for advice in (False, True):
        with Machine() as m:
            p, address, _ = filled(m)
            p.clear_soft_dirty()
            if advice:
                p.cold(address, m.page_size)
            else:
                p.dontneed(address, m.page_size)
            touched = {bool(record & PM_SOFT_DIRTY) for record in p.pagemap(address)[1:]}
            assert touched == {not advice and m.has_soft_dirty}


def table_that_moves() -> None:
    """mremap of a whole PMD takes a table along as it is: what is swapped in it does not become soft-dirty."""
    with Machine(pmd_swap=False) as m:
        p, address, written = filled(m)
        p.pageout(address)
        p.clear_soft_dirty()
        moved = p.mremap(address)
        assert not any(record & PM_SOFT_DIRTY for record in p.pagemap(moved))
        assert p.read_all(moved) == written


def move_a_part_of_what_is_shared() -> None:
    """UFFDIO_MOVE of a part of a shared huge page is refused before anything is split."""
    with Machine() as m:
        p, address, _ = filled(m)
        target = p.mmap(pmds=1)
        p.uffd_register(target)
        p.fork()
        assert refused(p.uffdio_move, target, address, m.page_size) == "EBUSY"
        assert not is_table(p, address)
        p.munmap(target)
        assert refused(p.uffdio_move, target, address, m.page_size) == "ENOENT"


def over_holes() -> None:
    """madvise does what is there and says ENOMEM, mprotect stops at the hole, UFFDIO_REGISTER passes over it."""
    with Machine() as m:
        p, address, _ = filled(m, pmds=3)
        p.munmap(address + m.pmd_size)
        assert refused(p.pageout, address, 3 * m.pmd_size) == "ENOMEM"
        assert p.mm.swapents == 2 * m.nr
        assert refused(lambda: p.mprotect(address, 3 * m.pmd_size, write=False)) == "ENOMEM"
        assert [vma.write for vma in sorted(p.mm.vmas, key=lambda vma: vma.start)] == [False, True]
        p.uffd_register(address, 3 * m.pmd_size)
        assert all(vma.uffd for vma in p.mm.vmas)
        assert refused(p.uffd_register, address + m.pmd_size) == "EINVAL"


def memory_beside_memory() -> None:
    """New memory merges with what is beside it, and all of it is soft-dirty then."""
    with Machine() as m:
        p, address, _ = filled(m, pmds=2)
        p.munmap(address)
        p.clear_soft_dirty()
        p.mmap(pmds=1, address=address)
        [vma] = p.mm.vmas
        assert vma.soft_dirty
        records = p.pagemap(address, 2 * m.pmd_size)
        assert all(bool(record & PM_SOFT_DIRTY) == bool(m.has_soft_dirty) for record in records)


def pages_of_zeros() -> None:
    """Pages of zeros of a folio that is split give their frames back; a write to one brings a new page."""
    with Machine() as m:
        p = m.process()
        address = p.mmap(pmds=1)
        token = p.write(address + m.page_size)
        p.cold(address, m.page_size)
        assert len(m.folios()) == p.mm.anonpages == 1
        assert p.read_all(address) == [0, token, *[0] * (m.nr - 2)]
        p.write(address)
        assert p.mm.anonpages == 2
        check(m)


def of_another_base() -> None:
    """A base of 6.12 keeps an empty table, so that the next fault is no huge one; newer ones give it back."""
    for base in ("6.12", "7.3"):
        with Machine(base=base) as m:
            p, address, _ = filled(m)
            p.cold(address, m.page_size)
            p.dontneed(address)
            p.write(address)
            assert is_table(p, address) == (base == "6.12")


def locked() -> None:
    """mlock brings everything back, and advice to give it away is refused then."""
    with Machine() as m:
        p, address, written = swapped(m)
        p.mlock(address)
        assert not p.mm.swapents
        for advice in (p.pageout, p.cold, p.free, p.dontneed):
            assert refused(advice, address) == "EINVAL"
        p.munlock(address)
        m.end_writeback()
        p.pageout(address)
        assert p.mm.swapents == m.nr
        assert p.read_all(address) == written


def collapsed() -> None:
    """MADV_COLLAPSE makes one huge page of a table, and reads what is swapped there before."""
    with Machine() as m:
        p, address, written = filled(m)
        p.pageout(address, m.page_size)
        p.collapse(address)
        assert not is_table(p, address)
        assert p.mm.anonpages == m.nr
        assert p.read_all(address) == written


CASES: dict[str, Callable[[], None]] = {
    case.__name__: case
    for case in (
        kinds_of_pmds,
        no_folio,
        without_the_series,
        freezing,
        split_twice,
        fork_without_room_for_counts,
        reading_over_zswap,
        zswap_in_part,
        zswap_written_back,
        swapoff_reads_the_whole,
        swapoff_of_pieces,
        swapoff_of_a_broken_disk,
        swapoff_races,
        zap_a_part,
        write_protection,
        armed_swapped_in,
        soft_dirty,
        smaps,
        scan,
        scan_the_whole,
        passers_by,
        free_a_part,
        move_a_part,
        willneed_twice,
        willneed_without_memory,
        move_refused,
        move_onto_something,
        move_of_a_migrating_page,
        move_races,
        move_of_an_uncached_range,
        move_of_pieces,
        move_a_part_of_a_cached_folio,
        fault_races,
        fault_without_memory,
        fault_on_a_broken_disk,
        stable_pages,
        slots_given_back,
        rollback,
        zeros,
        lazyfree,
        shared_is_spared,
        part_of_a_huge_page,
        freed_and_written_again,
        split_of_a_dirty_huge_page,
        table_that_moves,
        move_a_part_of_what_is_shared,
        over_holes,
        memory_beside_memory,
        pages_of_zeros,
        of_another_base,
        locked,
        collapsed,
    )
}
"""Every case by its name."""


def rules_of(name: str, arch: Arch) -> list[str]:
    """Play a case on an architecture; the rules that its machines obeyed."""
    with stage(arch) as machines:
        CASES[name]()
    return order(rule for machine in machines for rule in machine.rules_used)


def fullest() -> Arch:
    """The architecture on which every case shows all that it can."""
    return pmdswp.get("x86_64")
