"""Faults on a PMD: an empty one, a swap PMD (patch 9), a write-protected huge page."""

from __future__ import annotations

import enum

from pmdswp.model.mechanisms.fault_pte import VmFault, handle_pte_fault, may_map_writable
from pmdswp.model.mechanisms.migration import migration_entry_wait
from pmdswp.model.mechanisms.rmap import folio_add_new_anon_rmap
from pmdswp.model.mechanisms.split import race_before_lock, split_huge_pmd
from pmdswp.model.mechanisms.swap import folio_free_swap, swap_pmd_cache_lookup
from pmdswp.model.mechanisms.swapin import read_swap_cache_async, set_huge_pmd, swapin_sync
from pmdswp.model.mechanisms.zswap import zswap_range_has_entry
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["do_uffd_rwp", "handle_mm_fault"]


class _Next(enum.Enum):
    """What a PMD fault leaves to do."""

    FALLBACK = "fall back to the PTE path"


def handle_mm_fault(m: Kernel, vma: Vma, address: int, *, write: bool) -> VmFault:
    """`__handle_mm_fault`: deal with one access that the page table does not allow."""
    haddr = address & -m.pmd_size
    pmd = vma.mm.pmd(haddr)
    entry = vma.mm.entry(pmd)
    result: VmFault | _Next = _Next.FALLBACK
    m.rule("1.3" if entry.state is State.SOFTLEAF else "1.5")
    if entry.state is State.NONE:
        if vma.huge and vma.start <= haddr and haddr + m.pmd_size <= vma.end:
            result = _do_huge_pmd_anonymous_page(m, vma, haddr, pmd)
    elif entry.state is State.PRESENT:
        result = _do_huge_pmd_wp_page(m, vma, pmd)
    elif entry.kind is SoftLeafType.SWAP:
        m.rule("1.1", "1.2")
        result = do_huge_pmd_swap_page(m, vma, haddr, pmd, write=write)
    elif entry.state is State.SOFTLEAF:
        migration_entry_wait(m, entry)
        return VmFault.RETRY
    if isinstance(result, _Next):
        return handle_pte_fault(m, vma, address, pmd, write=write)
    return result


def _do_huge_pmd_anonymous_page(m: Kernel, vma: Vma, haddr: int, pmd: Pmd) -> VmFault | _Next:
    if m.fails(FailPoint.ALLOC_PMD_FOLIO) or m.fails(FailPoint.CHARGE_PMD_FOLIO):
        return _Next.FALLBACK
    if vma.uffd_missing and m.uffd_sigbus:
        return VmFault.SIGBUS
    table = vma.mm.alloc_table()
    if table is None:
        return VmFault.OOM
    folio = m.alloc_folio([0] * m.nr)
    folio_add_new_anon_rmap(folio, vma, haddr, exclusive=True)
    folio.entire_mapcount = 1
    folio.exclusive = 1
    pmd.deposit = table
    word = m.pmd.mkdirty(m.pmd.mkyoung(m.pmd.of_pfn(folio.pfn)))
    pmd.word = m.pmd.mkwrite(word) if vma.write else word
    vma.mm.anonpages += m.nr
    return VmFault.DONE


def do_huge_pmd_swap_page(m: Kernel, vma: Vma, haddr: int, pmd: Pmd, *, write: bool) -> VmFault | _Next:
    """A fault on a swap PMD: map one folio for all slots, or split the PMD and go on page by page."""
    original = vma.mm.entry(pmd)
    device, offset = m.swap_slot(original)
    folio = _cached_or_read(m, device, offset)
    if folio is None:
        return _split_and_go_on(m, vma, pmd)
    if not _lock(m, folio, device, offset):
        return VmFault.RETRY
    if folio.nr != m.nr:
        m.rule("9.4")
        return _split_and_go_on(m, vma, pmd)
    if m.fails(FailPoint.RACE_PMD_CHANGED):
        m.rule("9.6")
        return VmFault.RETRY
    if not folio.uptodate:
        m.rule("9.7")
        return VmFault.SIGBUS if m.switches.fault_not_uptodate == "sigbus" else _split_and_go_on(m, vma, pmd)
    return _map_swapped_in(m, vma, haddr, pmd, folio, write=write)


def _split_and_go_on(m: Kernel, vma: Vma, pmd: Pmd) -> _Next:
    m.rule("9.3", "G7", "G10", "2.7")
    split_huge_pmd(m, vma.mm, pmd)
    return _Next.FALLBACK


def _cached_or_read(m: Kernel, device: SwapDevice, offset: int) -> Folio | None:
    """The folio to map, or None if the PMD has to be split."""
    cache, folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.WHOLE:
        m.rule("9.1")
        return folio
    if cache is CacheClass.SPLIT:
        return None
    if zswap_range_has_entry(m, device, offset, m.nr):
        m.rule("9.21")
        return None
    if m.fails(FailPoint.RACE_SLOT_CACHED):
        read_swap_cache_async(m, device, offset + 1)
    m.rule("9.2")
    folio = swapin_sync(m, device, offset, m.nr)
    if folio is not None:
        m.event("PGMAJFAULT")
    return folio


def _lock(m: Kernel, folio: Folio, device: SwapDevice, offset: int) -> bool:
    """`folio_lock_or_retry`, and whether the folio is still the cached one; what it was split into may be."""
    race_before_lock(m, folio)
    m.rule("S.3")
    if m.fails(FailPoint.LOCK_FOLIO):
        m.rule("9.5")
        return False
    if folio.nr and (folio.device is not device or folio.offset != offset):
        m.rule("9.4")
        return False
    return True


def _map_swapped_in(m: Kernel, vma: Vma, haddr: int, pmd: Pmd, folio: Folio, *, write: bool) -> VmFault | _Next:
    entry = vma.mm.entry(pmd)
    device, _offset = folio.swap()
    exclusive = entry.exclusive
    if exclusive and folio.writeback and device.stable_writes:
        m.rule("9.9")
        exclusive = False
    m.rule("9.10", "9.11", "9.14", "9.15", "9.17", "9.19")
    set_huge_pmd(m, vma, haddr, pmd, folio, exclusive=exclusive)
    pmd.word = m.pmd.mkyoung(pmd.word)
    if vma.uffd_rwp and entry.uffd:
        m.rule("9.18")
    may_drop = device.synchronous or vma.locked or (write and folio.ref_count() == 1 + m.nr)
    if may_drop and folio_free_swap(m, folio):
        m.rule("9.16")
    if m.switches.fault_refcount1_excl and folio.ref_count() == 1:
        exclusive = True
        folio.exclusive = 1
    if exclusive and may_map_writable(m, vma, entry):
        if write:
            m.rule("9.12")
            pmd.word = m.pmd.mkdirty(pmd.word)
        pmd.word = m.pmd.mkwrite(pmd.word)
    if write and not m.pmd.write(pmd.word):
        m.rule("9.13")
        return _do_huge_pmd_wp_page(m, vma, pmd)
    return VmFault.DONE


def _do_huge_pmd_wp_page(m: Kernel, vma: Vma, pmd: Pmd) -> VmFault | _Next:
    """A write to a huge page that is mapped read-only."""
    folio = m.mem_map[m.pmd.frames[pmd.word]]
    if vma.uffd_rwp and m.pmd.uffd(pmd.word):
        return VmFault.DONE
    if vma.uffd_wp and m.pmd.uffd(pmd.word):
        m.event("UFFD_WP")
        pmd.word = m.pmd.clear_uffd(pmd.word)
    if not folio.exclusive:
        cached = m.nr if folio.device is not None else 0
        if folio.ref_count() > 1 + cached:
            split_huge_pmd(m, vma.mm, pmd)
            return _Next.FALLBACK
        folio_free_swap(m, folio)
        if folio.ref_count() > 1:
            split_huge_pmd(m, vma.mm, pmd)
            return _Next.FALLBACK
        folio.exclusive = 1
    pmd.word = m.pmd.mkwrite(m.pmd.mkdirty(m.pmd.mkyoung(pmd.word)))
    return VmFault.DONE


def do_uffd_rwp(m: Kernel, pmd: Pmd, i: int) -> None:
    """An access to a page that is protected against reads too: an event, which the monitor resolves at once."""
    m.event("UFFD_RWP")
    if pmd.table is None:
        pmd.word = m.pmd.clear_uffd(pmd.word)
    else:
        pmd.table.words[i] = m.pte.clear_uffd(pmd.table.words[i])
