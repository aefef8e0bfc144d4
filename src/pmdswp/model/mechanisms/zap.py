"""Zapping: munmap, MADV_DONTNEED, exit, and MADV_FREE of what is swapped (6.1, 6.2)."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import folio_remove_rmap_pmd, folio_remove_rmap_pte
from pmdswp.model.mechanisms.split import split_huge_pmd
from pmdswp.model.mechanisms.swap import folio_free_swap, swap_put_entries_direct
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.pgtable import Pmd, PteTable
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["empty_tables", "free_empty_tables", "zap_huge_pmd", "zap_page_range", "zap_pte"]


def zap_page_range(m: Kernel, mm: Mm, start: int, end: int) -> None:
    """`unmap_page_range`: nothing is mapped or swapped there any more."""
    for haddr, first, last, pmd in mm.populated(start, end):
        entry = mm.entry(pmd)
        if entry.state is State.NONE:
            continue
        was = m.view((mm, pmd))
        if entry.state is not State.TABLE:
            if last - first == m.pmd_size:
                zap_huge_pmd(m, mm, pmd)
                continue
            split_huge_pmd(m, mm, pmd)
            m.rule("2.7", was=was)
        table = pmd.ptes()
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        for i in pages:
            zap_pte(m, mm, table, i)
        if entry.kind is SoftLeafType.SWAP:
            m.rule("6.2", was=was, answer=pages)


def empty_tables(m: Kernel, mm: Mm, start: int, end: int) -> list[Pmd]:
    """The PMDs that a range covers as a whole and whose table has nothing in it (`try_to_free_pte`)."""
    return [
        pmd
        for _haddr, first, last, pmd in mm.populated(start, end)
        if pmd.table is not None and last - first == m.pmd_size and pmd.table.words.count(m.pte.none) == m.nr
    ]


def zap_huge_pmd(m: Kernel, mm: Mm, pmd: Pmd) -> None:
    """`zap_huge_pmd`: also of a PMD without a folio, whose slots are given back in one go."""
    entry = mm.entry(pmd)
    word = pmd.word
    was = m.view((mm, pmd))
    mm.clear(pmd)
    if entry.kind is SoftLeafType.SWAP:
        mm.swapents -= m.nr
        swap_put_entries_direct(m, *m.swap_slot(entry), m.nr)
        zap_deposit_of_swap_pmd(m, mm, pmd)
        m.rule("6.1", "4.8", "G2", was=was)
        return
    if entry.state is State.PRESENT:
        mm.anonpages -= m.nr
        folio = m.mem_map[m.pte.frames[word]]
        folio_remove_rmap_pmd(m, folio)
        _free_swap_cache(m, folio)
    else:
        mm.anonpages -= m.nr
    mm.withdraw(pmd)
    mm.free_table()


@replaceable
def zap_deposit_of_swap_pmd(_m: Kernel, mm: Mm, pmd: Pmd) -> None:
    """`zap_deposited_table`, also where no folio is behind the PMD."""
    mm.withdraw(pmd)
    mm.free_table()


def zap_pte(m: Kernel, mm: Mm, table: PteTable, i: int) -> None:
    """`zap_pte_range` for one entry."""
    word = table.words[i]
    entry = m.pte.entries[word]
    if entry.state is State.NONE:
        return
    table.words[i] = m.pte.none
    if is_zero_pte(m, word):
        return
    if entry.state is State.PRESENT:
        mm.anonpages -= 1
        pfn = m.pte.frames[word]
        folio = m.mem_map[pfn]
        folio_remove_rmap_pte(m, folio, pfn - folio.pfn)
        _free_swap_cache(m, folio)
    elif entry.kind is SoftLeafType.SWAP:
        mm.swapents -= 1
        swap_put_entries_direct(m, *m.swap_slot(entry), 1)
    elif entry.kind.has_pfn:
        mm.anonpages -= 1


def _free_swap_cache(m: Kernel, folio: Folio) -> None:
    """`free_swap_cache`: the swap copy of a page that nobody maps goes if nobody needs it."""
    if folio.device is not None and not folio.is_mapped:
        folio_free_swap(m, folio)


def free_empty_tables(mm: Mm, start: int, end: int) -> None:
    """`free_pgtables`: the table of a PMD goes with the last VMA there."""
    size = mm.services.pmd_size
    for haddr, _first, _last, pmd in mm.populated(start, end):
        if any(vma.start < haddr + size and vma.end > haddr for vma in mm.vmas):
            continue
        if pmd.table is not None:
            mm.clear(pmd)
            mm.free_table()
        del mm.pmds[haddr]
