"""Words of present entries and of tables, which the library has no encoder for.

pmdswp encodes non-present entries only. The model needs present ones too, so that its tables hold nothing but real
words. They have just the bits by which the architecture's own predicates know a page, a huge page and a table
(`pmdswp.arch.facts.LevelFacts`), and the frame. Nothing else is in the word: permissions, dirty, young, soft-dirty and
the uffd bit of a present entry are kept beside it (`pmdswp.model.state.pgtable`: `WRITE`, `DIRTY` and so on).
"""

from __future__ import annotations

from typing import NamedTuple

from pmdswp.arch import Arch

__all__ = ["PresentWords", "present_words"]


class PresentWords(NamedTuple):
    """The fixed bits of present words on one architecture, and the bit at which the frame number begins."""

    pte: int
    huge: int
    table: int
    shift: int
    pte_none: int
    pmd_none: int

    def mk_pte(self, pfn: int) -> int:
        """The PTE that maps a frame."""
        return self.pte | pfn << self.shift

    def mk_huge_pmd(self, pfn: int) -> int:
        """The PMD that maps a huge page from a frame on."""
        return self.huge | pfn << self.shift

    def mk_pmd(self, pfn: int) -> int:
        """The PMD that points to a PTE table in a frame."""
        return self.table | pfn << self.shift

    def pfn(self, word: int) -> int:
        """The frame in a present word."""
        return (word & _FRAME_END - 1) >> self.shift


_FRAME_END = 1 << 48
"""Above the frame and below the flags of every architecture: ppc64 keeps its own at bits 63-61."""


def present_words(arch: Arch) -> PresentWords:
    """The present words of a configuration."""
    facts = arch.architecture.facts(arch.config)
    return PresentWords(
        facts.pte.page, facts.pmd.page, facts.pmd.table, facts.pfn_lsb, facts.pte.empty, facts.pmd.empty
    )
