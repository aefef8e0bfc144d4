"""The laws of walks: which entry of a table an address belongs to, and where the next table is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from pmdswp.arch import Level
from pmdswp.prove.law import Claim, Law, Word
from pmdswp.prove.present import is_table
from pmdswp.term import Solver
from pmdswp.walk import entry_index

__all__ = ["WALK_LAWS"]


def _indices(level: Level, solver: Solver) -> Iterator[Claim]:
    tables = level.arch.tables
    va: Word = solver.word("va")
    total: Word = va & level.arch.page_size - 1
    for below in tables[tables.index(level) :]:
        index: Word = entry_index(below, va)
        yield Claim(va, index < below.entries)
        # a sum, and no union: bits that two levels took would carry
        total = total + (index << below.shift)
    yield Claim(va, total == va & (1 << level.shift + level.index_bits) - 1)


def _next_table(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Word = solver.word("word")
    solver.assume(is_table(level, word))
    layout = level.require_table_layout()
    # loongarch64 looks at more bits than a kernel sets
    solver.assume(layout.stray_bits(word) == 0)  # type: ignore[arg-type]  # a Term
    address: Word = level.table_address(word)
    made: Word = level.table_word(address)
    stored = address & layout.address_mask
    yield Claim(word, (level.table_address(made) == address) & (stored == address))


_law = partial(Law, about="walks")

WALK_LAWS = (
    _law(
        "indices",
        "From a level down, the indices of an address and its place in a page hold each bit that the tables cover "
        "once, and no index is beyond its table.",
        _indices,
    ),
    _law(
        "next-table",
        "A word without stray bits that points to a table gives an address that the word made of it gives back.",
        _next_table,
        applies=lambda level: level.table_layout is not None,
    ),
)
"""In the order in which `prove` checks them."""
