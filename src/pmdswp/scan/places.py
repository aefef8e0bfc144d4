"""What whole columns of words map or point to, and which of their bits are not as they must be."""

from __future__ import annotations

from typing import cast

import numpy as np

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.columns import Words
from pmdswp.layout import WordLayout
from pmdswp.scan.kinds import HAS_PFN
from pmdswp.softleaf import LevelName, State

__all__ = ["IS_PRESENT", "addresses", "mapped", "stray_bits"]

IS_PRESENT = np.array([state in {State.PRESENT, State.TABLE} for state in State])
"""By the code of a state: whether words in it are present."""


def mapped(arch: Arch, level: LevelName, words: Words, columns: array.Columns) -> array.Mapped | None:
    """The frames and attributes of words; None, for nothing, where none of them has any."""
    has_any = _are_present(columns) or HAS_PFN[columns.kind].any()
    return array.mapped(arch, level, words, columns=columns) if has_any else None


def _are_present(columns: array.Columns) -> bool:
    return bool(IS_PRESENT[columns.state].any())


def addresses(arch: Arch, level: LevelName, words: Words, columns: array.Columns) -> Words:
    """The physical address, in bytes, that each word maps or points to: `Entry.address`; 0 where there is none."""
    of_level = arch.level(level)
    found: Words = np.zeros(words.size, np.uint64)
    for state, read in ((State.PRESENT, of_level.page_address), (State.TABLE, of_level.table_address)):
        places = np.flatnonzero(columns.state == state.code)
        if places.size:
            found[places] = cast("Words", read(cast("int", words[places])))
    return found


def stray_bits(arch: Arch, level: LevelName, words: Words, columns: array.Columns) -> Words:
    """The bits of each word that no kernel leaves so; 0 for what has no form."""
    of_level = arch.level(level)
    layouts: dict[State, WordLayout | None] = {State.SOFTLEAF: of_level.layout}
    if _are_present(columns):
        layouts |= {State.PRESENT: of_level.page_layout, State.TABLE: of_level.table_layout}
    found: Words = np.zeros(words.size, np.uint64)
    for state, layout in layouts.items():
        places = np.flatnonzero(columns.state == state.code)
        if layout is not None and places.size:
            found[places] = cast("Words", layout.stray_bits(cast("int", words[places])))
    return found
