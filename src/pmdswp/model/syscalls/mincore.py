"""mincore (6.12)."""

from __future__ import annotations

from pmdswp.model.mechanisms.swap import swap_pmd_cache_lookup
from pmdswp.model.state.kernel import Kernel, replaceable
from pmdswp.model.state.memory import CacheClass, SwapDevice
from pmdswp.model.state.mm import Mm
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["mincore_range"]


def mincore_range(m: Kernel, mm: Mm, start: int, end: int) -> list[bool]:
    """A flag per page: whether an access would need no I/O. Nothing is faulted in, split or locked for it."""
    answer: list[bool] = []
    for haddr, first, last in mm.pmd_ranges(start, end):
        pmd = mm.pmds.get(haddr)
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if pmd is None:
            answer += [False] * len(pages)
        elif pmd.table is not None:
            entries = (m.pte.entries[pmd.table.words[i]] for i in pages)
            answer += [_mincore_pte(m, entry) for entry in entries]
        else:
            entry = mm.entry(pmd)
            if entry.kind is SoftLeafType.SWAP:
                was = m.view((mm, pmd))
                found = mincore_swap_pmd(m, entry, pages)
                m.rule("6.12", was=was, answer=(pages, found))
                answer += found
            else:
                answer += [entry.state is not State.NONE] * len(pages)
    return answer


@replaceable
def mincore_swap_pmd(m: Kernel, entry: Entry, pages: range) -> list[bool]:
    device, offset = m.swap_slot(entry)
    cache, folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.SPLIT:
        return [mincore_swap(device, offset + i) for i in pages]
    return [folio is not None and folio.uptodate] * len(pages)


def mincore_swap(device: SwapDevice, slot: int) -> bool:
    folio = device.cache[slot]
    return folio is not None and folio.uptodate


def _mincore_pte(m: Kernel, entry: Entry) -> bool:
    if entry.kind is SoftLeafType.SWAP:
        return mincore_swap(*m.swap_slot(entry))
    return entry.state is not State.NONE and entry.kind is not SoftLeafType.MARKER
