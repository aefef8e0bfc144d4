"""What the how-to says of crash's macros is so, for every word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peers import DECODERS, Masks, Piece
from pmdswp import Level, get
from pmdswp.arch.compiler import leaf_type
from pmdswp.formula import Formula
from pmdswp.term import Solver, Term

KERNEL = "7.3"
CRASH = next(decoder for decoder in DECODERS if decoder.name.startswith("crash"))


def _masks(name: str) -> Masks:
    [found] = [masks for masks in CRASH.masks if masks.arch == name and masks.are_for(KERNEL)]
    return found


def _of(pieces: tuple[Piece, ...], word: Term) -> Term:
    found = word & 0
    for piece in pieces:
        value = word ^ (1 << 64) - 1 if piece.inverted else word
        found = found | ((value >> piece.shift) & piece.mask)
    return found


def _differs(name: str, word: Term) -> Term:
    """Whether crash reads another type or offset in a word than the generated header."""
    layout = get(name, kernel=KERNEL).pte_layout
    names = {"v": word}
    swp_type = eval(str(leaf_type(layout, Formula("v"))), {"__builtins__": {}}, names)  # noqa: S307
    offset = eval(str(layout.offset.get(Formula("v"))), {"__builtins__": {}}, names)  # noqa: S307
    masks = _masks(name)
    different: Term = (_of(masks.type, word) != swp_type) | (_of(masks.offset, word) != offset)
    return different


def _is_entry(level: Level, word: Term) -> Term:
    """Whether an encoder may write the word, with an offset above 0."""
    layout = level.require_layout()
    fixed = layout.fixed_mask | layout.zero_mask | layout.ignored_mask
    return ((word & fixed) == layout.fixed_value) & (layout.offset.get(word) != 0)  # type: ignore[type-var]


EXACTLY: dict[str, Callable[[Term], Term]] = {
    "x86_64": lambda word: word != word,  # noqa: PLR0124
    "arm64": lambda word: word != word,  # noqa: PLR0124
    "riscv64": lambda word: (word >> 6) != 0,
    "loongarch64": lambda word: (word & (1 << 22 | 1 << 23)) != 0,
}
"""Architecture -> the words that are read differently, and no others."""


@pytest.mark.parametrize("name", EXACTLY)
def test_crash_reads_exactly_these_words_differently(name: str) -> None:
    solver = Solver()
    word = solver.word("word")
    here, there = EXACTLY[name](word), _differs(name, word)
    assert not solver.is_possible(here, there == False)  # noqa: E712
    assert not solver.is_possible(there, here == False)  # noqa: E712


@pytest.mark.parametrize("name", ["s390x", "ppc64"])
def test_crash_reads_every_entry_with_an_offset_differently(name: str) -> None:
    solver = Solver()
    word = solver.word("word")
    entry = _is_entry(get(name, kernel=KERNEL).pte, word)
    assert solver.is_possible(entry)
    assert not solver.is_possible(entry, _differs(name, word) == False)  # noqa: E712


def test_crash_reads_twice_the_offset_on_s390x() -> None:
    solver = Solver()
    word = solver.word("word")
    level = get("s390x", kernel=KERNEL).pte
    offset: Term = level.require_layout().offset.get(word)  # type: ignore[type-var]
    assert not solver.is_possible(_is_entry(level, word), _of(_masks("s390x").offset, word) != (offset << 1))
