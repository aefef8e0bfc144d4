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
from pmdswp.model.state.view import View
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
    is_swapped = entry.kind is SoftLeafType.SWAP
    rules = ("1.3", "1.1", "1.2") if is_swapped else ("1.3",) if entry.state is State.SOFTLEAF else ("1.5",)
    m.rule(*rules, was=m.view((vma.mm, pmd)))
    if entry.state is State.NONE:
        if vma.huge and vma.start <= haddr and haddr + m.pmd_size <= vma.end:
            result = _do_huge_pmd_anonymous_page(m, vma, haddr, pmd)
    elif entry.state is State.PRESENT:
        result = _do_huge_pmd_wp_page(m, vma, pmd)
    elif is_swapped:
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
    was = m.view((vma.mm, pmd))
    tokens = device.contents_of(was.slots.run)
    folio = _cached_or_read(m, device, offset)
    if folio is None:
        return _split_and_go_on(m, vma, pmd)
    refused = _not_to_be_mapped(m, vma, pmd, was, folio)
    if refused is not None:
        return refused
    return _map_swapped_in(m, vma, haddr, pmd, folio, found=was, tokens=tokens, write=write)


def _not_to_be_mapped(m: Kernel, vma: Vma, pmd: Pmd, was: View, folio: Folio) -> VmFault | _Next | None:
    """Lock the folio, and look again: what is to be done if it cannot be mapped, or not now."""
    slots = was.slots
    race_before_lock(m, folio)
    if m.fails(FailPoint.LOCK_FOLIO):
        m.rule("9.5", was=was, answer=VmFault.RETRY.name)
        return VmFault.RETRY
    if (folio.nr, folio.device, folio.offset) != (m.nr, slots.device, slots.first):
        # what it was split into is there still; what has left the cache is to be looked up again
        result = VmFault.RETRY if folio.nr else _split_and_go_on(m, vma, pmd)
        m.rule("9.4", was=was)
        return result
    if m.fails(FailPoint.RACE_PMD_CHANGED):
        m.rule("9.6", was=was, answer=VmFault.RETRY.name)
        return VmFault.RETRY
    m.rule("S.3", was=was, answer=folio)
    if folio.uptodate:
        return None
    if m.switches.fault_not_uptodate == "sigbus":
        m.rule("9.7", was=was, answer=VmFault.SIGBUS.value)
        return VmFault.SIGBUS
    return _split_and_go_on(m, vma, pmd, "9.7")


def _split_and_go_on(m: Kernel, vma: Vma, pmd: Pmd, *rules: str) -> _Next:
    was = m.view((vma.mm, pmd))
    slots = was.slots
    tokens = slots.device.contents_of(slots.run)
    split_huge_pmd(m, vma.mm, pmd)
    m.rule("9.3", "G7", "G10", "2.7", *rules, was=was)
    if slots.uncached and slots.in_zswap:
        m.rule("4.5", "9.21", was=was, answer=tokens)
    return _Next.FALLBACK


def _cached_or_read(m: Kernel, device: SwapDevice, offset: int) -> Folio | None:
    """The folio to map, or None if the PMD has to be split."""
    cache, folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.WHOLE:
        return folio
    if cache is CacheClass.SPLIT or zswap_range_has_entry(m, device, offset, m.nr):
        return None
    if m.fails(FailPoint.RACE_SLOT_CACHED):
        read_swap_cache_async(m, device, offset + 1)
    folio = swapin_sync(m, device, offset, m.nr)
    if folio is not None:
        m.event("PGMAJFAULT")
    return folio


def _map_swapped_in(
    m: Kernel,
    vma: Vma,
    haddr: int,
    pmd: Pmd,
    folio: Folio,
    *,
    found: View,
    tokens: list[int | None],
    write: bool,
) -> VmFault | _Next:
    """Map the folio for what was `found`: slots whose contents were `tokens`."""
    entry = vma.mm.entry(pmd)
    device, _offset = folio.swap()
    was = m.view((vma.mm, pmd), folio=folio)
    is_unstable = folio.writeback and device.stable_writes
    exclusive = entry.exclusive and not is_unstable
    set_huge_pmd(m, vma, haddr, pmd, folio, exclusive=exclusive)
    pmd.word = m.pmd.mkyoung(pmd.word)
    m.rule("9.10", "9.14", "9.15", "9.17", "G2", was=was)
    m.rule("9.19", was=was, answer=tokens)
    if found.slots.whole is not None:
        m.rule("9.1", was=found, answer=folio)
    else:
        m.rule("9.2", "4.5", was=found, answer=folio)
    if entry.exclusive and is_unstable:
        m.rule("9.9", was=was)
    if vma.uffd_rwp and entry.uffd:
        m.rule("9.18", was=was)
    may_drop = device.synchronous or vma.locked or (write and folio.ref_count() == 1 + m.nr)
    if may_drop:
        folio_free_swap(m, folio)
    m.rule("9.16", "4.8", was=was, answer=(vma, write))
    if m.switches.fault_refcount1_excl and folio.ref_count() == 1:
        exclusive = True
        folio.exclusive = 1
    if exclusive and may_map_writable(m, vma, entry):
        if write:
            pmd.word = m.pmd.mkdirty(pmd.word)
        pmd.word = m.pmd.mkwrite(pmd.word)
    m.rule("9.11", was=was, answer=vma)
    m.rule("9.12", was=was, answer=write)
    if write and not m.pmd.write(pmd.word):
        result = _do_huge_pmd_wp_page(m, vma, pmd)
        m.rule("9.13", was=was)
        return result
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
