"""Words of present entries and of tables, which the library has no encoder for.

pmdswp encodes non-present entries only. The model needs present ones too, so that its tables hold nothing but real
words; here each architecture gets just the bits by which its own predicates tell a page, a huge page and a table
apart, and the frame. Nothing else is in the word: permissions, dirty, young, soft-dirty and the uffd bit of a present
entry are kept beside it (`pmdswp.model.pgtable`: `WRITE`, `DIRTY` and so on).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pmdswp.arch import Arch

__all__ = ["PresentWords", "present_words"]


class PresentWords(NamedTuple):
    """The fixed bits of present words on one architecture, and where the frame number stands."""

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
"""Above the frame and below the flags of every architecture: ppc64 keeps its own at bits 61 to 63."""


def _x86_64(arch: Arch) -> PresentWords:
    present_user, pse, table = 0x5, 0x80, 0x67
    return PresentWords(present_user, present_user | pse, table, arch.page_shift, 0, 0)


def _arm64(arch: Arch) -> PresentWords:
    valid, page, accessed = 0x1, 0x2, 0x400
    return PresentWords(valid | page | accessed, valid | accessed, valid | page, arch.page_shift, 0, 0)


def _riscv64(_arch: Arch) -> PresentWords:
    valid, read_user_accessed, pfn_shift = 0x1, 0x52, 10
    return PresentWords(valid | read_user_accessed, valid | read_user_accessed, valid, pfn_shift, 0, 0)


def _s390x(arch: Arch) -> PresentWords:
    present, large, pte_invalid, segment_invalid = 0x1, 0x400, 0x400, 0x20
    return PresentWords(present, present | large, present, arch.page_shift, pte_invalid, segment_invalid)


def _ppc64(arch: Arch) -> PresentWords:
    present, pte, thp_huge = 1 << 63, 1 << 62, 1 << 13
    huge = present | pte | (thp_huge if arch.config.mmu == "hash" else 0)
    return PresentWords(present | pte, huge, present, arch.page_shift, 0, 0)


def _loongarch64(arch: Arch) -> PresentWords:
    valid_present, huge = 0x81, 0x40
    return PresentWords(valid_present, valid_present | huge, 0, arch.page_shift, 0, arch.config.invalid_pte_table)


_BY_ARCH: dict[str, Callable[[Arch], PresentWords]] = {
    "x86_64": _x86_64,
    "arm64": _arm64,
    "riscv64": _riscv64,
    "s390x": _s390x,
    "ppc64": _ppc64,
    "loongarch64": _loongarch64,
}


def present_words(arch: Arch) -> PresentWords:
    """The present words of an architecture."""
    return _BY_ARCH[arch.name](arch)
