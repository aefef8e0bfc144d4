"""Which words are wanted as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.attributes import ATTRIBUTES, Attributes
from pmdswp.columns import Words
from pmdswp.errors import UnsupportedError
from pmdswp.scan.kinds import CODES, KINDS, marked
from pmdswp.scan.tables import WORD
from pmdswp.softleaf import DEVICE_PRIVATE_KINDS, MIGRATION_KINDS, Entry, LevelName, SoftLeafType, State
from pmdswp.words import excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SELECTABLE", "Selected", "Selection"]

SELECTABLE: Mapping[str, Sequence[State | SoftLeafType | Attributes]] = {
    **{state.name.lower(): (state,) for state in State if state is not State.SOFTLEAF},
    "softleaf": KINDS,
    **{kind.name.lower(): (kind,) for kind in KINDS if kind is not SoftLeafType.NONE},
    "migration": MIGRATION_KINDS,
    "device_private": DEVICE_PRIVATE_KINDS,
    **{name: (Attributes[name.upper()],) for name in ATTRIBUTES},
}
"""Name -> what it selects. `none` is the state; softleaves of kind NONE are among `softleaf`.

An attribute selects the present words that have it: `soft_dirty` and `uffd` no softleaf.
"""


class Selected(NamedTuple):
    """Words that are wanted as records, and where they stand, in bytes."""

    positions: Words
    words: Words


class Selection:
    """Which words are wanted as records, by state, by kind and by attribute."""

    def __init__(self, states: Iterable[State], kinds: Iterable[SoftLeafType], attributes: Attributes) -> None:
        self._wanted = np.zeros((len(State), CODES), np.bool_)
        self._wanted[[state.code for state in states], 0] = True
        self._wanted[State.SOFTLEAF.code] = marked(kinds)
        self._attributes = attributes

    @classmethod
    def named(cls, names: str) -> Selection:
        """What is named, with commas between: states, kinds, groups of kinds, attributes; else `UnsupportedError`."""
        states, kinds, attributes = set(), set(), Attributes(0)
        for name in names.split(","):
            key = name.strip().lower()
            if key not in SELECTABLE:
                allowed = ", ".join(SELECTABLE)
                raise UnsupportedError(f"no state, kind or attribute is called {excerpt(name)}; allowed: {allowed}")
            for what in SELECTABLE[key]:
                if isinstance(what, State):
                    states.add(what)
                elif isinstance(what, SoftLeafType):
                    kinds.add(what)
                else:
                    attributes |= what
        return cls(states, kinds, attributes)

    def takes(self, entry: Entry) -> bool:
        """Whether `entry` is wanted."""
        has_attribute = any(Attributes[name.upper()] in self._attributes for name in entry.attributes)
        return bool(self._wanted[entry.state.code, entry.kind.value]) or has_attribute

    def mask(self, arch: Arch, level: LevelName, words: Words, columns: array.Columns) -> NDArray[np.bool_]:
        """Which of the words are wanted; `columns` is what `array.decode` says of them."""
        wanted = self._wanted[columns.state, columns.kind]
        if self._attributes:
            wanted |= array.mapped(arch, level, words, columns=columns).attributes & self._attributes.value != 0
        return cast("NDArray[np.bool_]", wanted)

    def of(self, arch: Arch, level: LevelName, words: Words, columns: array.Columns, position: int) -> Selected:
        """Those of `words` that are wanted; the first of `words` stands at byte `position`."""
        places = np.flatnonzero(self.mask(arch, level, words, columns))
        return Selected(places.astype(np.uint64) * np.uint64(WORD) + np.uint64(position), words[places])
