"""What the scalar library says of words, as columns; the comparison with arrays; words to compare them by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st

import pmdswp
from pmdswp import Arch, SoftLeafType, State, strategies
from pmdswp.array import Columns
from pmdswp.softleaf import Entry, Flags, LevelName, SoftLeaf

Words = npt.NDArray[np.uint64]

FEWER = settings(max_examples=max(10, settings().max_examples // 3))
"""For laws of which an example is hundreds of words, or a configuration that has to be compiled first."""

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
ARCHES = [
    pmdswp.get("x86_64", pti=False),
    *(pmdswp.get(name) for name in ("arm64", "riscv64", "s390x", "ppc64")),
    pmdswp.get(
        "loongarch64",
        page_size=4096,
        invalid_pte_table=0xFF0000,
        invalid_pmd_table=0x1000000,
        invalid_pud_table=0x1010000,
    ),
]
"""A configuration of each architecture, of which there are vectors; few others are compiled, as that takes time."""

NO_LEAF = SoftLeaf(0, 0)
CODES = {State.NONE: 0, State.PRESENT: 1, State.TABLE: 2, State.SOFTLEAF: 3, State.BAD: 4}


def array_of(words: Iterable[int]) -> Words:
    return np.array(list(words), np.uint64)


def entries(arch: Arch, level: LevelName, words: Iterable[int]) -> list[Entry]:
    """What the scalar library decodes."""
    read = arch.decode_pte if level == "pte" else arch.decode_pmd
    return [read(word) for word in words]


def _row(entry: Entry) -> tuple[int, ...]:
    _, _, state, leaf, kind, exclusive, soft_dirty, uffd = entry
    swp_type, offset = leaf or NO_LEAF
    return CODES[state], kind.value, swp_type, exclusive | soft_dirty << 1 | uffd << 2, offset


def said_of(arch: Arch, level: LevelName, words: Iterable[int]) -> Words:
    """What the scalar library says of each word: state, kind, type, flags, offset."""
    rows = [_row(entry) for entry in entries(arch, level, words)]
    return np.array(rows, np.uint64).reshape(-1, len(Columns._fields))


def expect(columns: Columns, said: Words, words: Sequence[int]) -> None:
    """The columns say what `said` does, in their own types; otherwise some words are named."""
    assert [column.dtype for column in columns] == [np.uint8, np.uint8, np.uint8, np.uint8, np.uint64]
    found = np.stack([column.reshape(-1).astype(np.uint64) for column in columns], axis=1)
    assert found.shape == said.shape
    [wrong] = np.nonzero((found != said).any(axis=1))
    shown = [f"{words[i]:#x}: {found[i].tolist()}, the scalar library {said[i].tolist()}" for i in wrong[:5]]
    assert not shown, "\n".join(shown)


def names_of(columns: Columns) -> list[tuple[State, SoftLeafType, Flags]]:
    """State, kind and flags of each word as members of the enumerations."""
    numbers = zip(columns.state.tolist(), columns.kind.tolist(), columns.flags.tolist(), strict=True)
    return [(State.from_code(state), SoftLeafType(kind), Flags(flags)) for state, kind, flags in numbers]


@st.composite
def words_of(draw: st.DrawFn, arch: Arch, level: LevelName) -> list[int]:
    """Words of every sort, few enough for the path of few words or too many for it."""
    sorts = [strategies.arbitrary_words(), strategies.encoded_words(arch, "pte")]
    if level in arch.levels:
        sorts += [strategies.near_valid_words(arch, level)]
        if level == "pte" or arch.pmd_kinds:
            sorts += [strategies.encoded_words(arch, level)]
    return draw(st.lists(st.one_of(sorts), max_size=16))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Arch, LevelName, list[int]]:
    """Words at either level of any configuration."""
    arch, level = draw(strategies.architectures()), draw(st.sampled_from(LEVELS))
    return arch, level, draw(words_of(arch, level))
