"""Page tables: lists of words."""

from __future__ import annotations

from pmdswp.model.state.failures import KernelBug
from pmdswp.softleaf import Entry, SoftLeaf

__all__ = ["Pmd", "PteTable", "leaf_of"]


class PteTable:
    """One PTE table, at the start of a frame."""

    __slots__ = ("pfn", "words")

    def __init__(self, pfn: int, nr: int, pte_none: int) -> None:
        self.pfn = pfn
        self.words = [pte_none] * nr


class Pmd:
    """One entry of a PMD table, the PTE table that it points to, and the one deposited with it."""

    __slots__ = ("deposit", "table", "word")

    def __init__(self, word: int) -> None:
        self.word = word
        self.table: PteTable | None = None
        self.deposit: PteTable | None = None

    def ptes(self) -> PteTable:
        """The PTE table, where the caller has seen that there is one (`pte_offset_map`)."""
        if self.table is None:
            raise KernelBug(f"a PTE walk meets {self.word:#x}")
        return self.table


def leaf_of(entry: Entry) -> SoftLeaf:
    """What an entry says that is known to be a softleaf."""
    if entry.leaf is None:
        raise KernelBug(f"{entry!r} is taken for a softleaf")
    return entry.leaf
