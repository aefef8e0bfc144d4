"""The page tables of an address space as bytes in physical memory, up to the root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pmdswp.errors import UnsupportedError
from pmdswp.model.state.mm import Mm
from pmdswp.model.state.words import ZERO_PFN

__all__ = ["Tables", "tables_in_memory"]


class Tables(NamedTuple):
    """Page tables in memory: `memory` has the bytes of each under its physical address.

    `root` is the physical address of the root table, and `next_pfn` the first frame behind those that were given to
    tables above the PTEs.
    """

    root: int
    memory: Mapping[int, bytes]
    next_pfn: int


def tables_in_memory(mm: Mm, first_pfn: int = ZERO_PFN + 1) -> Tables:
    """All tables of an address space, so that `pmdswp.walk` finds there what the model has.

    The model has frames for its tables of PTEs only; those above get the frames from `first_pfn` on, below all others
    of the model. For several address spaces in one memory, give each the `next_pfn` of the one before.
    `UnsupportedError` if something is mapped at an address for which the architecture's tables have no place.
    """
    m = mm.services
    arch = m.arch
    *above, pte = arch.tables
    end = 1 << above[0].shift + above[0].index_bits - arch.architecture.sign_extends
    entries = {haddr: pmd.word for haddr, pmd in sorted(mm.pmds.items()) if pmd.word != m.pmd.none}
    for haddr in entries:
        if haddr >= end:
            raise UnsupportedError(f"{haddr:#x} is not within the {end:#x} bytes that the tables of {arch!r} cover")
    memory = {
        pmd.table.pfn << m.page_shift: b"".join(map(pte.to_bytes, pmd.table.words))
        for _haddr, pmd in sorted(mm.pmds.items())
        if pmd.table is not None
    }
    root = 0
    for number, level in reversed(list(enumerate(above))):
        size = 1 << level.shift + level.index_bits
        tables: dict[int, list[int]] = {} if number else {0: [level.empty] * level.entries}
        for address, word in entries.items():
            words = tables.setdefault(address & -size, [level.empty] * level.entries)
            words[address % size >> level.shift] = word
        frames = max(1, level.entries * level.entry_size >> m.page_shift)
        entries = {}
        for address, words in tables.items():
            pfn = -(-first_pfn // frames) * frames
            first_pfn, root = pfn + frames, pfn << m.page_shift
            memory[root] = b"".join(map(level.to_bytes, words))
            if number:
                entries[address] = above[number - 1].make_table(root)
    return Tables(root, memory, first_pfn)
