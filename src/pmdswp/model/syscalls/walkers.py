"""Walkers that a swap PMD only passes by: khugepaged, mempolicy, HMM (6.13 to 6.15)."""

from __future__ import annotations

from pmdswp.model.mechanisms.migration import pmd_to_softleaf_folio
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.mm import Mm
from pmdswp.softleaf import SoftLeafType, State

__all__ = ["check_pmd_state", "hmm_range", "queue_folios"]


def check_pmd_state(m: Kernel, mm: Mm, haddr: int) -> str:
    """`check_pmd_state`: whether khugepaged or MADV_COLLAPSE has anything to collapse, as a scan result."""
    pmd = mm.pmds.get(haddr)
    if pmd is None or mm.entry(pmd).state is State.NONE:
        return "SCAN_PMD_NONE"
    entry = mm.entry(pmd)
    if entry.state is State.TABLE:
        return "SCAN_SUCCEED"
    if entry.kind is SoftLeafType.SWAP:
        was = m.view((mm, pmd))
        result = scan_result_of_swap_pmd(m)
        m.rule("6.14", was=was, answer=result)
        return result
    return "SCAN_PMD_MAPPED"


@replaceable
def scan_result_of_swap_pmd(_m: Kernel) -> str:
    """What khugepaged finds in a swap PMD: there is nothing to collapse."""
    return "SCAN_PMD_MAPPED"


def queue_folios(m: Kernel, mm: Mm, start: int, end: int) -> tuple[int, int]:
    """mbind: how many pages there are to migrate, and how many PMDs are counted as failed, as they migrate already."""
    queued = failed = 0
    for haddr, first, last, pmd in mm.populated(start, end):
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        entry = mm.entry(pmd)
        if entry.state is State.SOFTLEAF:
            if entry.kind is SoftLeafType.SWAP:
                was = m.view((mm, pmd))
                found = len(pages) if pmd_to_softleaf_folio(m, entry) is not None else 0
                m.rule("6.13", was=was, answer=found)
                failed += m.switches.mempolicy_failed == "count"
                queued += found
            else:
                failed += entry.kind.is_migration
            continue
        queued += sum(1 for i in pages if m.mapped_page(pmd, i) is not None)
    return queued, failed


def hmm_range(m: Kernel, mm: Mm, start: int, end: int) -> list[str]:
    """hmm_range_fault() without faulting, a word per page: "pfn", "error", or "" for no page.

    A request that needs faults is a read of every page: `Process.hmm_range_fault`.
    """
    answer = []
    for haddr, first, last in mm.pmd_ranges(start, end):
        pmd = mm.pmds.get(haddr)
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if pmd is not None and mm.entry(pmd).kind is SoftLeafType.SWAP:
            found = ["error" if m.switches.hmm_nofault == "error" else ""] * len(pages)
            m.rule("6.15", was=m.view((mm, pmd)), answer=found)
        else:
            found = ["pfn" if pmd is not None and m.mapped_page(pmd, i) is not None else "" for i in pages]
        answer += found
    return answer
