"""madvise: FREE, COLD, PAGEOUT (6.16 to 6.18) and WILLNEED (patch 7)."""

from __future__ import annotations

from pmdswp.model.mechanisms.migration import pmd_to_softleaf_folio
from pmdswp.model.mechanisms.split import split_folio, split_huge_pmd
from pmdswp.model.mechanisms.swap import folio_free_swap, swap_pmd_cache_lookup, swap_zero_in_part
from pmdswp.model.mechanisms.swapin import read_swap_cache_async, swapin_sync
from pmdswp.model.mechanisms.swapout import shrink_folio
from pmdswp.model.mechanisms.zap import zap_huge_pmd, zap_pte
from pmdswp.model.mechanisms.zswap import zswap_range_has_entry
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, Folio
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.pgtable import DIRTY, WRITE, YOUNG, Pmd
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["madvise_cold", "madvise_free", "madvise_pageout", "madvise_willneed"]


def madvise_free(m: Kernel, mm: Mm, start: int, end: int) -> list[int]:
    """MADV_FREE: swapped pages go at once, present ones when memory is short. Returns the latter's addresses."""
    lazy: list[int] = []
    for haddr, first, last, pmd in mm.populated(start, end):
        if pmd.table is None and _free_huge_pmd(m, mm, pmd, lazy, range(first, last, m.page_size)):
            continue
        table = pmd.ptes()
        for address in range(first, last, m.page_size):
            i = address - haddr >> m.page_shift
            if m.pte_entries[table.words[i]].kind in (SoftLeafType.SWAP, SoftLeafType.MARKER):
                zap_pte(m, mm, table, i)
            elif _free_lazily(m, pmd, i, 1):
                lazy.append(address)
    return lazy


def _free_huge_pmd(m: Kernel, mm: Mm, pmd: Pmd, lazy: list[int], pages: range) -> bool:
    """`madvise_free_huge_pmd`; False if the PMD was split and the PTEs are to be walked."""
    entry = mm.entry(pmd)
    if entry.kind is SoftLeafType.SWAP:
        if len(pages) < m.nr:
            m.rule("6.17", "2.7")
            split_huge_pmd(m, mm, pmd)
            return False
        m.rule("6.16")
        zap_huge_pmd(m, mm, pmd)
    elif len(pages) == m.nr and _free_lazily(m, pmd, 0, m.nr):
        lazy += pages
    return True


def _free_lazily(m: Kernel, pmd: Pmd, i: int, nr: int) -> bool:
    """`folio_mark_lazyfree`, if this is the whole folio and nobody else maps it."""
    mapped = m.mapped_page(pmd, i)
    if mapped is None:
        return False
    folio, _page, bits = mapped
    if folio.nr != nr or folio.entire_mapcount + sum(folio.mapcount) != 1:
        return False
    if folio.device is not None and not folio_free_swap(m, folio):
        return False
    folio.dirty = False
    folio.lazyfree = True
    bits &= ~(DIRTY | YOUNG | WRITE)
    if pmd.table is None:
        pmd.bits = bits
    else:
        pmd.table.bits[i] = bits
    return True


def madvise_cold(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """MADV_COLD: present pages become old. There is nothing to do for a swap PMD."""
    for haddr, first, last, pmd in mm.populated(start, end):
        if pmd.table is None:
            if mm.entry(pmd).state is State.SOFTLEAF:
                m.rule("6.18")
                pmd_to_softleaf_folio(m, mm.entry(pmd))
            elif last - first == m.pmd_size:
                pmd.bits &= ~YOUNG
            continue
        for i in range(first - haddr >> m.page_shift, last - haddr >> m.page_shift):
            pmd.table.bits[i] &= ~YOUNG


def madvise_pageout(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """MADV_PAGEOUT: reclaim the pages in the range, split off their folio if need be. A swap PMD is out already."""
    folios: dict[Folio, None] = {}
    for haddr, first, last, pmd in mm.populated(start, end):
        if pmd.table is None and mm.entry(pmd).state is State.SOFTLEAF:
            m.rule("6.18")
            pmd_to_softleaf_folio(m, mm.entry(pmd))
            continue
        slots = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        for folio, nr in _mapped_pages(m, pmd, slots).items():
            if nr < folio.nr:
                split_folio(m, folio)
        folios.update((folio, None) for folio, nr in _mapped_pages(m, pmd, slots).items() if nr == folio.nr)
    for folio in folios:
        shrink_folio(m, folio)


def _mapped_pages(m: Kernel, pmd: Pmd, slots: range) -> dict[Folio, int]:
    """How many pages of each folio some slots of a PMD map."""
    pages: dict[Folio, int] = {}
    for mapped in (m.mapped_page(pmd, i) for i in slots):
        if mapped is not None:
            pages[mapped[0]] = pages.get(mapped[0], 0) + 1
    return pages


def madvise_willneed(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """MADV_WILLNEED: read what is swapped into the cache. It is advice: failing is no error."""
    for haddr, first, last, pmd in mm.populated(start, end):
        entry = mm.entry(pmd)
        ptes = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if entry.kind is SoftLeafType.SWAP and willneed_swap_pmd(m, mm, pmd, entry, ptes):
            continue
        if pmd.table is None:
            continue
        for i in ptes:
            entry = m.pte_entries[pmd.table.words[i]]
            if entry.kind is SoftLeafType.SWAP:
                device, slot = m.swap_slot(entry)
                if device.cache[slot] is None:
                    read_swap_cache_async(m, device, slot)


@replaceable
def willneed_swap_pmd(m: Kernel, mm: Mm, pmd: Pmd, entry: Entry, _ptes: range) -> bool:
    """`swapin_walk_pmd_entry` of a swap PMD; False if it was split and the PTEs are to be walked."""
    device, offset = m.swap_slot(entry)
    m.rule("7.6")
    cache, _folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.WHOLE:
        m.rule("7.1")
        return True
    if cache is CacheClass.EMPTY and not zswap_range_has_entry(m, device, offset, m.nr):
        if m.fails(FailPoint.RACE_SLOT_CACHED):
            read_swap_cache_async(m, device, offset + 1)
        m.rule("7.2", "7.5")
        folio = swapin_sync(m, device, offset, m.nr)
        if folio is not None and folio.uptodate:
            return True
        single = device.cache[offset : offset + m.nr].count(None) != m.nr or swap_zero_in_part(device, offset, m.nr)
        if folio is not None or not single:
            m.rule("7.4")
            if m.switches.willneed_fail == "leave":
                return True
    m.rule("7.3")
    split_huge_pmd(m, mm, pmd)
    return False
