"""mincore (6.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmdswp.model.failures import Reintroduced
from pmdswp.model.swap import CacheClass, SwapDevice, swap_pmd_cache_lookup
from pmdswp.softleaf import Entry, SoftLeafType, State

if TYPE_CHECKING:
    from pmdswp.model.machine import Machine
    from pmdswp.model.mm import Mm

__all__ = ["mincore_range"]


def mincore_range(m: Machine, mm: Mm, start: int, end: int) -> list[bool]:
    """A flag per page: whether an access would need no I/O. Nothing is faulted in, split or locked for it."""
    answer: list[bool] = []
    for haddr, first, last in mm.pmd_ranges(start, end):
        pmd = mm.pmds.get(haddr)
        pages = range(first - haddr >> m.page_shift, last - haddr >> m.page_shift)
        if pmd is None:
            answer += [False] * len(pages)
        elif pmd.table is not None:
            entries = (m.pte_entries[pmd.table.words[i]] for i in pages)
            answer += [_mincore_pte(m, entry) for entry in entries]
        else:
            entry = mm.entry(pmd)
            if entry.kind is SoftLeafType.SWAP and Reintroduced.V1_MINCORE_RESIDENT not in m.errors:
                answer += _mincore_swap_pmd(m, entry, pages)
            else:
                answer += [entry.state is not State.NONE] * len(pages)
    return answer


def _mincore_swap_pmd(m: Machine, entry: Entry, pages: range) -> list[bool]:
    assert entry.leaf is not None  # noqa: S101  # a softleaf has a leaf
    m.rule("6.12")
    device, offset = m.device(entry.leaf.swp_type), entry.leaf.offset
    if Reintroduced.V2_SINGLE_SLOT_LOOKUP in m.errors:
        return [_mincore_swap(device, offset)] * len(pages)
    cache, folio = swap_pmd_cache_lookup(m, device, offset)
    if cache is CacheClass.SPLIT:
        return [_mincore_swap(device, offset + i) for i in pages]
    return [folio is not None and folio.uptodate] * len(pages)


def _mincore_swap(device: SwapDevice, slot: int) -> bool:
    folio = device.cache[slot]
    return folio is not None and folio.uptodate


def _mincore_pte(m: Machine, entry: Entry) -> bool:
    if entry.kind is SoftLeafType.SWAP and entry.leaf is not None:
        return _mincore_swap(m.device(entry.leaf.swp_type), entry.leaf.offset)
    return entry.state is not State.NONE and entry.kind is not SoftLeafType.MARKER
