"""swapoff (patch 5): everything comes back from a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pmdswp.model.mechanisms.rmap import folio_add_new_anon_rmap
from pmdswp.model.mechanisms.split import race_before_lock, split_huge_pmd
from pmdswp.model.mechanisms.swap import folio_free_swap, swap_pmd_cache_lookup, swap_put_entries_direct
from pmdswp.model.mechanisms.swapin import as_swapped, read_swap_cache_async, set_huge_pmd, swapin_sync
from pmdswp.model.mechanisms.swapout import finish_writeback
from pmdswp.model.mechanisms.zswap import zswap_range_has_entry
from pmdswp.model.state.failures import FailPoint, KernelBug, KernelError
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, leaf_of
from pmdswp.softleaf import MARKER_BITS, Entry, SoftLeafType

__all__ = ["swapoff"]

_MAX_ROUNDS = 10


def swapoff(m: Kernel, device: SwapDevice, mmlist: Sequence[Mm]) -> None:
    """`swapoff` of a device that these address spaces may refer to.

    ENOMEM, and the device stays in use, if there is no memory for a page.
    """
    device.vanishing = True
    try:
        _try_to_unuse(m, device, mmlist)
    except KernelError:
        device.vanishing = False
        raise
    m.devices[device.type] = None


def _try_to_unuse(m: Kernel, device: SwapDevice, mmlist: Sequence[Mm]) -> None:
    for _ in range(_MAX_ROUNDS):
        for mm in mmlist:
            if mm.on_mmlist:
                _unuse_mm(m, mm, device)
        for folio in dict.fromkeys(device.cache):
            if folio is not None:
                _wait_on_writeback(m, folio)
                folio_free_swap(m, folio)
        if not device.slots_in_use():
            return
    raise KernelBug("swapoff never comes to an end")


def _wait_on_writeback(m: Kernel, folio: Folio) -> None:
    if folio.writeback:
        finish_writeback(m)


def _unuse_mm(m: Kernel, mm: Mm, device: SwapDevice) -> None:
    for vma in mm.vmas:
        for haddr, start, end, pmd in mm.populated(vma.start, vma.end):
            entry = mm.entry(pmd)
            if entry.kind is SoftLeafType.SWAP and _is_on(entry, device):
                unuse_swap_pmd(m, vma, haddr, pmd, entry)
            if pmd.table is not None:
                for address in range(start, end, m.page_size):
                    _unuse_pte(m, vma, address, pmd, device)


def _is_on(entry: Entry, device: SwapDevice) -> bool:
    return leaf_of(entry).swp_type == device.type


@replaceable
def unuse_swap_pmd(m: Kernel, vma: Vma, haddr: int, pmd: Pmd, entry: Entry) -> None:
    """`unuse_pmd_entry`: one folio for the range if that can be had, else split the PMD for the PTE walk."""
    device, offset = m.swap_slot(entry)
    was = m.view((vma.mm, pmd))
    cache, folio = swap_pmd_cache_lookup(m, device, offset)
    rule = "5.4"
    if cache is CacheClass.SPLIT:
        rule = "5.3"
    elif cache is CacheClass.EMPTY and zswap_range_has_entry(m, device, offset, m.nr):
        rule = "5.2"
    elif cache is CacheClass.EMPTY:
        if m.fails(FailPoint.RACE_SLOT_CACHED):
            read_swap_cache_async(m, device, offset + 1)
        folio = swapin_sync(m, device, offset, m.nr)
        rule = "5.5" if folio is None else "5.1"
    if folio is None:
        split_huge_pmd(m, vma.mm, pmd)
        m.rule(rule, "2.7", "5.7", "G7", was=was)
        if rule == "5.2":
            m.rule("4.5", was=was)
        return
    m.fails(FailPoint.LOCK_FOLIO)  # folio_lock() waits, however long
    _wait_on_writeback(m, folio)
    race_before_lock(m, folio)
    result = _unuse_pmd(m, vma, haddr, pmd, folio)
    if result:
        m.rule("5.7", was=was)
    elif rule == "5.1":
        m.rule("5.1", "4.5", was=was, answer=folio)
    else:
        m.rule("5.4", was=was, answer=folio)
    if result == "EIO" and rule == "5.1":
        m.rule("5.5", was=was)


def _unuse_pmd(m: Kernel, vma: Vma, haddr: int, pmd: Pmd, folio: Folio) -> Literal["", "EAGAIN", "EIO"]:
    """`unuse_pmd`: map the folio, old and read-only."""
    was = m.view((vma.mm, pmd), folio=folio)
    if folio.nr != m.nr or folio.device is None or m.fails(FailPoint.RACE_PMD_CHANGED):
        m.rule("5.6", was=was, answer="EAGAIN")
        return "EAGAIN"
    if not folio.uptodate:
        split_huge_pmd(m, vma.mm, pmd)
        m.rule("5.6", "2.7", was=was, answer="EIO")
        return "EIO"
    m.rule("S.3", was=was, answer=folio)
    entry = vma.mm.entry(pmd)
    set_huge_pmd(m, vma, haddr, pmd, folio, exclusive=entry.exclusive)
    folio_free_swap(m, folio)
    m.rule("5.8", "5.9", "5.10", "5.11", "5.12", "5.13", "4.8", "G2", was=was)
    return ""


def _unuse_pte(m: Kernel, vma: Vma, address: int, pmd: Pmd, device: SwapDevice) -> None:
    """`unuse_pte`: map one page, or leave a poison marker if it cannot be read."""
    table = pmd.ptes()
    i = (address & m.pmd_size - 1) >> m.page_shift
    entry = m.pte.entries[table.words[i]]
    if entry.kind is not SoftLeafType.SWAP or not _is_on(entry, device):
        return
    slot = leaf_of(entry).offset
    folio = device.cache[slot] or swapin_sync(m, device, slot, 1)
    if folio is None:
        raise KernelError("ENOMEM")
    _wait_on_writeback(m, folio)
    mm, page = vma.mm, slot - folio.offset
    was = m.view((mm, pmd), slots=(device, slot, 1))
    mm.swapents -= 1
    if not folio.uptodate:
        table.words[i] = m.arch.encode_pte(m.swp_type(SoftLeafType.MARKER), MARKER_BITS["poisoned"])
        swap_put_entries_direct(m, device, slot, 1)
        m.rule("5.14", was=was, answer=i)
        return
    if folio.anon_vma is None:
        folio_add_new_anon_rmap(folio, vma, address - (page << m.page_shift), exclusive=entry.exclusive)
    folio.mapcount[page] += 1
    folio.exclusive |= entry.exclusive << page
    table.words[i] = as_swapped(m.pte, m.pte.of_pfn(folio.pfn + page), entry)
    mm.anonpages += 1
    swap_put_entries_direct(m, device, slot, 1, keep_cache=True)
    folio_free_swap(m, folio)
    m.on_ptes.update(("5.8", "5.9", "5.10"))
