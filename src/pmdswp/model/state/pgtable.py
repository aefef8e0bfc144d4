"""Page tables: real words, and beside each present word what the library does not encode."""

from __future__ import annotations

from collections.abc import Callable

from pmdswp.model.state.failures import KernelBug
from pmdswp.softleaf import Entry, SoftLeaf

__all__ = ["DIRTY", "SOFT_DIRTY", "UFFD", "WRITE", "YOUNG", "Decoded", "Pmd", "PteTable", "leaf_of"]

WRITE, DIRTY, YOUNG, SOFT_DIRTY, UFFD = 1, 2, 4, 8, 16
"""Bits of a present entry. Those of a non-present one are in its word."""


class PteTable:
    """One PTE table: `words` as in memory, `bits` beside the present ones."""

    __slots__ = ("bits", "pfn", "words")

    def __init__(self, pfn: int, nr: int, pte_none: int) -> None:
        self.pfn = pfn
        self.words = [pte_none] * nr
        self.bits = [0] * nr


class Pmd:
    """One entry of a PMD table, the PTE table that it points to, and the one deposited with it."""

    __slots__ = ("bits", "deposit", "table", "word")

    def __init__(self, word: int) -> None:
        self.word = word
        self.bits = 0
        self.table: PteTable | None = None
        self.deposit: PteTable | None = None

    def ptes(self) -> PteTable:
        """The PTE table, where the caller has seen that there is one (`pte_offset_map`)."""
        if self.table is None:
            raise KernelBug(f"a PTE walk meets {self.word:#x}")
        return self.table


class Decoded(dict[int, Entry]):
    """Word -> what the library decodes it to. The same few words are met again and again."""

    __slots__ = ("_decode",)

    def __init__(self, decode: Callable[[int], Entry]) -> None:
        self._decode = decode

    def __missing__(self, word: int) -> Entry:
        entry = self[word] = self._decode(word)
        return entry


def leaf_of(entry: Entry) -> SoftLeaf:
    """What an entry says that is known to be a softleaf."""
    if entry.leaf is None:
        raise KernelBug(f"{entry!r} is taken for a softleaf")
    return entry.leaf
