"""MADV_COLLAPSE: what is in a table of PTEs, or on swap, becomes one huge page again."""

from __future__ import annotations

from pmdswp.model.mechanisms.rmap import folio_add_new_anon_rmap
from pmdswp.model.mechanisms.zap import zap_pte
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import UFFD, WRITE, YOUNG
from pmdswp.model.syscalls.walkers import check_pmd_state

__all__ = ["collapse"]


def collapse(m: Kernel, vma: Vma, haddr: int) -> str:
    """`hpage_collapse_scan_pmd` and `collapse_huge_page` of one PMD: the scan's result.

    Every page is there by then: the caller has faulted in what was swapped.
    """
    m.rule("B.12")
    mm = vma.mm
    state = check_pmd_state(m, mm, haddr)
    if state != "SCAN_SUCCEED":
        return state
    pmd = mm.pmds[haddr]
    table = pmd.ptes()
    if any(table.bits[i] & UFFD for i in range(m.nr)):
        return "SCAN_PTE_UFFD_WP"
    tokens = []
    for word in table.words:
        folio = m.folio_of(word)
        tokens.append(0 if folio is None else folio.data[m.words.pfn(word) - folio.pfn])
    for i in range(m.nr):
        zap_pte(m, mm, table, i)
    folio = m.alloc_folio(tokens)
    folio_add_new_anon_rmap(folio, vma, haddr, exclusive=True)
    folio.entire_mapcount, folio.exclusive = 1, 1
    pmd.table, pmd.deposit = None, table
    pmd.word = m.words.mk_huge_pmd(folio.pfn)
    pmd.bits = YOUNG | m.dirty_bits | (WRITE if vma.write else 0)
    mm.anonpages += m.nr
    return "SCAN_SUCCEED"
