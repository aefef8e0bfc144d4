"""Which words are wanted as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from pmdswp import array
from pmdswp.columns import Words
from pmdswp.errors import UnsupportedError
from pmdswp.scan.kinds import CODES, KINDS, marked
from pmdswp.scan.tables import WORD
from pmdswp.softleaf import DEVICE_PRIVATE_KINDS, MIGRATION_KINDS, Entry, SoftLeafType, State
from pmdswp.words import excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SELECTABLE", "Selected", "Selection"]

SELECTABLE: Mapping[str, Sequence[State | SoftLeafType]] = {
    **{state.name.lower(): (state,) for state in State if state is not State.SOFTLEAF},
    "softleaf": KINDS,
    **{kind.name.lower(): (kind,) for kind in KINDS if kind is not SoftLeafType.NONE},
    "migration": MIGRATION_KINDS,
    "device_private": DEVICE_PRIVATE_KINDS,
}
"""Name -> what it selects. `none` is the state; softleaves of kind NONE are among `softleaf`."""


class Selected(NamedTuple):
    """Words that are wanted as records, and where they stand, in bytes."""

    positions: Words
    words: Words


class Selection:
    """Which words are wanted as records, by state and by kind."""

    def __init__(self, states: Iterable[State], kinds: Iterable[SoftLeafType]) -> None:
        self._wanted = np.zeros((len(State), CODES), np.bool_)
        self._wanted[[state.code for state in states], 0] = True
        self._wanted[State.SOFTLEAF.code] = marked(kinds)

    @classmethod
    def named(cls, names: str) -> Selection:
        """What is named, with commas between: states, kinds and groups of kinds; `UnsupportedError` for others."""
        states, kinds = set(), set()
        for name in names.split(","):
            key = name.strip().lower()
            if key not in SELECTABLE:
                raise UnsupportedError(f"nothing is called {excerpt(name)}; allowed: {', '.join(SELECTABLE)}")
            for what in SELECTABLE[key]:
                if isinstance(what, State):
                    states.add(what)
                else:
                    kinds.add(what)
        return cls(states, kinds)

    def takes(self, entry: Entry) -> bool:
        """Whether `entry` is wanted."""
        return bool(self._wanted[entry.state.code, entry.kind.value])

    def mask(self, columns: array.Columns) -> NDArray[np.bool_]:
        """Which of the words with these columns are wanted."""
        return cast("NDArray[np.bool_]", self._wanted[columns.state, columns.kind])

    def of(self, words: Words, columns: array.Columns, position: int) -> Selected:
        """Those of `words` that are wanted; the first of `words` stands at byte `position`."""
        places = np.flatnonzero(self.mask(columns))
        return Selected(places.astype(np.uint64) * np.uint64(WORD) + np.uint64(position), words[places])
