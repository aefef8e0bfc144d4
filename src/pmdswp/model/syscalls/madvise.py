"""madvise: FREE, COLD, PAGEOUT (6.16 to 6.18) and WILLNEED (patch 7)."""

from __future__ import annotations

from typing import NamedTuple

from pmdswp.model.mechanisms.migration import pmd_to_softleaf_folio
from pmdswp.model.mechanisms.rmap import maybe_mapped_shared, total_mapcount
from pmdswp.model.mechanisms.split import split_folio, split_huge_pmd
from pmdswp.model.mechanisms.swap import folio_free_swap, swap_pmd_cache_lookup, swap_zero_in_part
from pmdswp.model.mechanisms.swapin import read_swap_cache_async, swapin_sync
from pmdswp.model.mechanisms.swapout import shrink_folio
from pmdswp.model.mechanisms.zap import empty_tables, zap_huge_pmd, zap_page_range, zap_pte
from pmdswp.model.mechanisms.zswap import zswap_range_has_entry
from pmdswp.model.state.failures import FailPoint
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, Folio
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["Freed", "madvise_cold", "madvise_dontneed", "madvise_free", "madvise_pageout", "madvise_willneed"]


def madvise_dontneed(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """MADV_DONTNEED."""
    zap_page_range(m, mm, start, end)
    empty = empty_tables(m, mm, start, end)
    for pmd in empty if m.base.pt_reclaim else ():
        mm.clear(pmd)
        mm.free_table()
    if empty:
        m.rule("B.10", was=m.view(), answer=("pt_reclaim", empty[0].table is None))


class Freed(NamedTuple):
    """Addresses of present pages whose contents MADV_FREE gave up, but for those that are gone at once.

    Those of `lazy` are as they were, or zeros. Those of `stale` are of a huge page in the swap cache: it is clean now,
    so reclaim will not write it, and what its slots hold may come back, which may be older.
    """

    lazy: list[int]
    stale: list[int]


def madvise_free(m: Kernel, vma: Vma, start: int, end: int) -> Freed:
    """MADV_FREE: swapped pages go at once, present ones when memory is short.

    A page that nobody else maps is marked with the folio that it belongs to, one of which only a part is meant is split
    first. Pages of their own are marked even if they are shared, unless they are dirty or cached.
    """
    mm = vma.mm
    freed = Freed([], [])
    for haddr, first, last, pmd in mm.populated(start, end):
        was = m.view((mm, pmd))
        if pmd.table is None and _free_huge_pmd(m, mm, pmd, freed, range(first, last, m.page_size)):
            continue
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        freed.lazy.extend(haddr + (i << m.page_shift) for i in _free_ptes(m, mm, pmd.ptes(), pages))
        if was.is_swapped:
            m.rule("2.7", "6.17", was=was, answer=pages)
    return freed


def _free_ptes(m: Kernel, mm: Mm, table: PteTable, pages: range) -> list[int]:
    """`madvise_free_pte_range`: the slots of the table whose pages are marked."""
    lazy: list[int] = []
    i = pages.start
    while i < pages.stop:
        folio = m.folio_of(table.words[i])
        n = 1
        if folio is None:
            if m.pte.entries[table.words[i]].kind in (SoftLeafType.SWAP, SoftLeafType.MARKER):
                zap_pte(m, mm, table, i)
        else:
            n = _run_of_folio(m, table, i, pages.stop, folio)
            if n < folio.nr:
                if not maybe_mapped_shared(m, folio) and split_folio(m, folio):
                    continue
            elif _mark_lazyfree(m, folio):
                for k in range(i, i + n):
                    table.words[k] = m.pte.mkclean(m.pte.mkold(table.words[k]))
                lazy += range(i, i + n)
        i += n
    return lazy


def _free_huge_pmd(m: Kernel, mm: Mm, pmd: Pmd, freed: Freed, pages: range) -> bool:
    """`madvise_free_huge_pmd`; False if the PMD was split and the PTEs are to be walked."""
    entry = mm.entry(pmd)
    if entry.kind is SoftLeafType.SWAP:
        if len(pages) < m.nr:
            split_huge_pmd(m, mm, pmd)
            return False
        was = m.view((mm, pmd))
        zap_huge_pmd(m, mm, pmd)
        m.rule("6.16", was=was)
        return True
    if entry.state is not State.PRESENT:
        return True
    folio = m.mem_map[m.pmd.frames[pmd.word]]
    if len(pages) < m.nr:
        return not _split_for_a_part(m, mm, pmd, folio) or pmd.table is None
    if maybe_mapped_shared(m, folio):
        return True
    folio.dirty = False
    pmd.word = m.pmd.mkclean(m.pmd.mkold(pmd.word))
    folio.lazyfree = folio.device is None
    (freed.lazy if folio.lazyfree else freed.stale).extend(pages)
    return True


def _split_for_a_part(m: Kernel, mm: Mm, pmd: Pmd, folio: Folio) -> bool:
    """Split the folio of a huge page of which only a part is meant, unless others map it; whether that was possible."""
    was = m.view((mm, pmd), folio=folio)
    done = not maybe_mapped_shared(m, folio) and split_folio(m, folio)
    m.rule("B.2", was=was, answer=done)
    return done


def _mark_lazyfree(m: Kernel, folio: Folio) -> bool:
    """`folio_mark_lazyfree` of a folio whose PTEs are all in the range; False if it has to stay as it is."""
    was = m.view(folio=folio)
    stays = folio.device is not None or folio.dirty
    if stays:
        stays = total_mapcount(folio) != folio.nr or (folio.device is not None and not folio_free_swap(m, folio))
    if not stays:
        folio.dirty, folio.lazyfree = False, True
    m.rule("B.3", was=was, answer=not stays)
    return not stays


def _run_of_folio(m: Kernel, table: PteTable, i: int, stop: int, folio: Folio) -> int:
    """How many PTEs from `i` on, below `stop`, map pages of the folio in a row (`madvise_folio_pte_batch`).

    Young, dirty, soft-dirty and writable may differ, the uffd bit may not.
    """
    words, frames = table.words, m.pte.frames
    pfn, uffd = frames[words[i]], m.pte.uffd(words[i])
    most = min(stop - i, folio.pfn + folio.nr - pfn)
    n = 1
    while n < most and frames[words[i + n]] == pfn + n and m.pte.uffd(words[i + n]) == uffd:
        n += 1
    return n


def madvise_cold(m: Kernel, vma: Vma, start: int, end: int) -> None:
    """MADV_COLD: pages that nobody else maps become old. There is nothing to do for a swap PMD."""
    _cold_or_pageout(m, vma, start, end, pageout=False)


def madvise_pageout(m: Kernel, vma: Vma, start: int, end: int) -> None:
    """MADV_PAGEOUT: reclaim what nobody else maps. A swap PMD is out already."""
    _cold_or_pageout(m, vma, start, end, pageout=True)


def _cold_or_pageout(m: Kernel, vma: Vma, start: int, end: int, *, pageout: bool) -> None:
    """`madvise_cold_or_pageout_pte_range`, PMD by PMD: a folio of which only a part is meant is split first."""
    for haddr, first, last, pmd in vma.mm.populated(start, end):
        folios: dict[Folio, None] = {}
        ptes = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        was, shared = m.view((vma.mm, pmd)), _shared(m, pmd, ptes)
        is_huge = pmd.table is None and _cold_huge_pmd(m, vma.mm, pmd, folios, whole=last - first == m.pmd_size)
        if not is_huge:
            _cold_ptes(m, pmd.ptes(), ptes, folios, pageout=pageout)
        if pageout:
            for folio in folios:
                shrink_folio(m, folio)
        elif pmd.table is None and folios:
            pmd.word = m.pmd.mkold(pmd.word)
        m.rule("B.1", was=was, answer=shared)
        if was.is_swapped:
            m.rule("6.18", was=was)


def _shared(m: Kernel, pmd: Pmd, ptes: range) -> list[int]:
    """The slots of a PMD, or of its table, whose page more than one entry maps."""
    found = ((i, m.mapped_page(pmd, i)) for i in ptes)
    return [i for i, page in found if page is not None and page[0].entire_mapcount + page[0].mapcount[page[1]] > 1]


def _cold_huge_pmd(m: Kernel, mm: Mm, pmd: Pmd, folios: dict[Folio, None], *, whole: bool) -> bool:
    """What a PMD maps as a whole; False if it was split and the PTEs are to be walked."""
    entry = mm.entry(pmd)
    if entry.state is State.SOFTLEAF:
        pmd_to_softleaf_folio(m, entry)
    if entry.state is not State.PRESENT:
        return True
    folio = m.mem_map[m.pmd.frames[pmd.word]]
    if not whole:
        return not _split_for_a_part(m, mm, pmd, folio)
    if maybe_mapped_shared(m, folio):
        return True
    folios[folio] = None
    return True


def _cold_ptes(m: Kernel, table: PteTable, ptes: range, folios: dict[Folio, None], *, pageout: bool) -> None:
    i = ptes.start
    while i < ptes.stop:
        folio = m.folio_of(table.words[i])
        n = 1
        if folio is not None:
            n = _run_of_folio(m, table, i, ptes.stop, folio)
            if n < folio.nr:
                if not maybe_mapped_shared(m, folio) and split_folio(m, folio):
                    continue
            elif total_mapcount(folio) == folio.nr:
                folios[folio] = None
                for k in range(i, i + n) if not pageout else ():
                    table.words[k] = m.pte.mkold(table.words[k])
        elif m.pte.entries[table.words[i]].kind is SoftLeafType.SWAP:
            m.on_ptes.add("6.18")
        i += n


def madvise_willneed(m: Kernel, mm: Mm, start: int, end: int) -> int:
    """MADV_WILLNEED: read what is swapped into the cache. It is advice: failing is no error, and the answer is 0."""
    for haddr, first, last, pmd in mm.populated(start, end):
        entry = mm.entry(pmd)
        ptes = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if entry.kind is SoftLeafType.SWAP:
            was = m.view((mm, pmd))
            willneed_swap_pmd(m, mm, pmd, entry, ptes)
            m.rule("7.5", was=was)
        if pmd.table is not None:
            _read_ahead(m, pmd.table, ptes)
    return 0


def _read_ahead(m: Kernel, table: PteTable, ptes: range) -> None:
    """`swapin_walk_pmd_entry` of a table: page by page."""
    for i in ptes:
        entry = m.pte.entries[table.words[i]]
        if entry.kind is SoftLeafType.SWAP:
            device, slot = m.swap_slot(entry)
            if device.cache[slot] is None:
                read_swap_cache_async(m, device, slot)


@replaceable
def willneed_swap_pmd(m: Kernel, mm: Mm, pmd: Pmd, entry: Entry, _ptes: range) -> bool:
    """`swapin_walk_pmd_entry` of a swap PMD; False if it was split and the PTEs are to be walked."""
    device, offset = m.swap_slot(entry)
    was = m.view((mm, pmd))
    cache, _folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.WHOLE:
        m.rule("7.1", was=was)
        return True
    if cache is CacheClass.EMPTY and not zswap_range_has_entry(m, device, offset, m.nr):
        if m.fails(FailPoint.RACE_SLOT_CACHED):
            read_swap_cache_async(m, device, offset + 1)
        folio = swapin_sync(m, device, offset, m.nr)
        if folio is not None and folio.uptodate:
            m.rule("7.2", "4.5", was=was, answer=folio)
            return True
        single = device.cache[offset : offset + m.nr].count(None) != m.nr or swap_zero_in_part(device, offset, m.nr)
        if folio is not None or not single:
            m.rule("7.4", was=was)
            if m.switches.willneed_fail == "leave":
                return True
    split_huge_pmd(m, mm, pmd)
    m.rule("7.3", "2.7", "G7", was=was)
    if was.slots.uncached and was.slots.in_zswap:
        m.rule("4.5", was=was)
    return False
