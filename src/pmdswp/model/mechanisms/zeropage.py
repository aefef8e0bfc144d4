"""The shared zero page: one frame of zeros that any PTE may map. It belongs to no folio and counts for nothing."""

from __future__ import annotations

from collections.abc import Iterable

from pmdswp.model.mechanisms.rmap import folio_remove_rmap_pte, mappings
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.words import ZERO_PFN

__all__ = ["is_zero_pte", "map_unused_to_zeropage"]


def is_zero_pte(m: Kernel, word: int) -> bool:
    """`is_zero_pfn`: whether a PTE maps the shared zero page."""
    return m.pte.frames[word] == ZERO_PFN


def map_unused_to_zeropage(m: Kernel, pieces: Iterable[Folio]) -> None:
    """`try_to_map_unused_to_zeropage`: what a folio that was split left behind of zeros gives its frames back."""
    for piece in pieces:
        if piece.nr > 1 or piece.data[0] or not piece.is_mapped:
            continue
        found = mappings(m, piece)
        if any(mapped.vma.locked for mapped in found):
            continue
        was = m.view(folio=piece)
        for mapped in found:
            table = mapped.pmd.ptes()
            word, zero = table.words[mapped.i], m.zero_pte
            if m.pte.soft_dirty(word):
                zero = m.pte.mksoft_dirty(zero)
            if m.pte.uffd(word):
                zero = m.pte.mkuffd(zero)
            table.words[mapped.i] = zero
            mapped.vma.mm.anonpages -= 1
            folio_remove_rmap_pte(m, piece, 0)
        m.rule("B.9", was=was, answer=(False, [mapped.pmd.ptes().words[mapped.i] for mapped in found]))
