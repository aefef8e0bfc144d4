"""MADV_COLLAPSE: what is in a table of PTEs, or on swap, becomes one huge page again."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import folio_add_new_anon_rmap
from pmdswp.model.mechanisms.zap import zap_pte
from pmdswp.model.mechanisms.zeropage import is_zero_pte
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Vma
from pmdswp.model.syscalls.walkers import check_pmd_state
from pmdswp.softleaf import State

__all__ = ["collapse", "scan"]


def scan(m: Kernel, vma: Vma, haddr: int) -> str:
    """`hpage_collapse_scan_pmd`: whether one PMD can be collapsed, as a scan result."""
    state = check_pmd_state(m, vma.mm, haddr)
    if state != "SCAN_SUCCEED":
        return state
    table = vma.mm.pmds[haddr].ptes()
    writable = False
    for word in table.words:
        if word == m.pte.none or is_zero_pte(m, word):
            if vma.uffd:
                return "SCAN_EXCEED_NONE_PTE"
            continue
        entry = m.pte.entries[word]
        present = entry.state is State.PRESENT
        if m.pte.uffd(word) if present else entry.uffd:
            return "SCAN_PTE_UFFD_WP"
        writable |= present and m.pte.write(word)
    return "SCAN_SUCCEED" if writable or m.base.collapse_lenient else "SCAN_PAGE_RO"


def collapse(m: Kernel, vma: Vma, haddr: int) -> None:
    """`collapse_huge_page` of one PMD, in whose table nothing is swapped any more."""
    mm = vma.mm
    pmd = mm.pmds[haddr]
    table = pmd.ptes()
    was = m.view((mm, pmd))
    tokens = []
    for word in table.words:
        folio = m.folio_of(word)
        tokens.append(0 if folio is None else folio.data[m.pte.frames[word] - folio.pfn])
    for i in range(m.nr):
        zap_pte(m, mm, table, i)
    folio = m.alloc_folio(tokens)
    folio_add_new_anon_rmap(folio, vma, haddr, exclusive=True)
    folio.entire_mapcount, folio.exclusive = 1, 1
    pmd.table, pmd.deposit = None, table
    word = m.pmd.mkdirty(m.pmd.mkyoung(m.pmd.of_pfn(folio.pfn)))
    pmd.word = m.pmd.mkwrite(word) if vma.write else word
    mm.anonpages += m.nr
    m.rule("B.12", was=was, answer=tokens)
