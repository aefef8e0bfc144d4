"""Rows of text for many words at once.

The scalar library writes one row of every class of words: those that differ in their numbers alone. What is left to do
for the others is to put their numbers into it, which NumPy does for thousands of rows in a few steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.columns import Words
from pmdswp.render.records import Json, entry_record
from pmdswp.scan.kinds import HAS_PFN
from pmdswp.scan.places import addresses, mapped, stray_bits
from pmdswp.scan.selection import Selected
from pmdswp.softleaf import SWP_OFFSET_MASK, LevelName, SoftLeaf, SoftLeafType

__all__ = ["HOLES", "Rows", "hole"]

_Bytes = NDArray[np.uint8]

AT_ONCE = 1 << 13
"""Rows that are made at a time: their text takes a few MiB."""

HOLES = ("position", "raw", "offset", "bytes", "pfn", "address", "stray_bits")
"""The cells that differ within a class, in the order in which they stand in a row."""

_HEXADECIMAL = frozenset(HOLES) - {"position", "bytes"}
"""The holes with 0x before the digits."""


def hole(name: str) -> str:
    """What stands in the row of a class where the digits of a number go."""
    return f"<{name}>"


class _Template(NamedTuple):
    """The row of a class: the text before each hole, and after the last; a class without a hole has no text for it."""

    texts: tuple[str, ...]
    has_hole: tuple[bool, ...]


class Rows:
    """The rows of one file; `render` gives that of a record."""

    def __init__(self, arch: Arch, level: LevelName, render: Callable[[Json], str]) -> None:
        self._arch, self._level, self._render = arch, level, render
        self._templates: dict[int, _Template] = {}
        self._pfn_bits = np.uint64(arch.swp_pfn_bits)
        marker = arch.swp_types.get(SoftLeafType.MARKER)
        # a kernel that knows no bits of markers has none that could differ
        known = arch.softleaf_markers(SoftLeaf(marker, SWP_OFFSET_MASK)) if isinstance(marker, int) else 0
        self._marker_mask = np.uint64(known)

    def of(self, selected: Selected) -> Iterator[str]:
        """The rows of words, some thousands in each text."""
        for start in range(0, selected.words.size, AT_ONCE):
            part = slice(start, start + AT_ONCE)
            yield self._text(selected.positions[part], selected.words[part])

    def _text(self, positions: Words, words: Words) -> str:
        columns = array.decode(self._arch, self._level, words)
        found = mapped(self._arch, self._level, words, columns)
        keys, firsts, classes = np.unique(self._classes(columns, found), return_index=True, return_inverse=True)
        templates = [self._template(key, word) for key, word in zip(keys.tolist(), words[firsts].tolist(), strict=True)]
        digits = self._digits(positions, words, columns, found)
        parts: list[_Bytes] = []
        for place in range(len(HOLES) + 1):
            parts.append(_texts([template.texts[place] for template in templates])[classes])
            has_hole = np.array([place < len(HOLES) and template.has_hole[place] for template in templates])
            if has_hole.any():
                parts.append(digits[HOLES[place]]() * has_hole[classes, None])
        rows = np.concatenate(parts, axis=1).reshape(-1)
        return str(rows[rows != 0].tobytes(), "utf-8")

    def _classes(self, columns: array.Columns, found: array.Mapped | None) -> Words:
        """A number for each word: equal ones have rows that differ in numbers alone."""
        young_and_dirty = columns.offset >> self._pfn_bits & np.uint64(3)
        key = young_and_dirty * HAS_PFN[columns.kind]
        key |= (columns.offset & self._marker_mask) * (columns.kind == SoftLeafType.MARKER.value)
        if found is not None:
            key = key << np.uint64(16) | found.attributes
        for column in (columns.state, columns.kind, columns.swp_type, columns.flags):
            key = key << np.uint64(8) | column
        return key

    def _template(self, key: int, word: int) -> _Template:
        if key not in self._templates:
            record = dict(entry_record(self._arch, self._arch.decode(self._level, word)))
            record = {"position": 0, **record}
            for name in HOLES:
                if record.get(name) is not None:
                    record[name] = f"0x{hole(name)}" if name in _HEXADECIMAL else hole(name)
            text, texts, has_hole = self._render(record), [], []
            for name in HOLES:
                before, found, after = text.partition(hole(name))
                has_hole.append(bool(found))
                texts.append(before if found else "")
                text = after if found else text
            self._templates[key] = _Template((*texts, text), tuple(has_hole))
        return self._templates[key]

    def _digits(
        self, positions: Words, words: Words, columns: array.Columns, found: array.Mapped | None
    ) -> Mapping[str, Callable[[], _Bytes]]:
        """What gives the digits for each hole, in rows of one width; 0 where a number has no digit."""
        place, order = (self._arch, self._level, words, columns), ">" if self._arch.byteorder == "big" else "<"
        return {
            "position": lambda: _decimal(positions),
            "raw": lambda: _hexadecimal(words, ">"),
            "offset": lambda: _significant(columns.offset),
            "bytes": lambda: _hexadecimal(words, order),
            "pfn": lambda: _significant(columns.offset if found is None else found.pfn),
            "address": lambda: _significant(addresses(*place)),
            "stray_bits": lambda: _significant(stray_bits(*place)),
        }


def _texts(texts: list[str]) -> _Bytes:
    """Texts as rows of one width, with 0 behind what is shorter."""
    found = np.array([text.encode() for text in texts], np.bytes_)
    return found.view(np.uint8).reshape(len(texts), -1)


def _table(texts: Iterator[str]) -> NDArray[Any]:
    """By number: its digits, as many bytes in one item."""
    found = np.array([text.encode() for text in texts])
    return found.view(f"u{found.dtype.itemsize}")


_PAIRS = _table(f"{number:02x}" for number in range(256))
_FOURS = _table(f"{number:04}" for number in range(10_000))

_HEX_DIGITS, _DECIMAL_DIGITS = 16, 20

_POWERS_OF_16 = np.array([16**power for power in range(1, _HEX_DIGITS)], np.uint64)
_POWERS_OF_10 = np.array([10**power for power in range(1, _DECIMAL_DIGITS)], np.uint64)


def _hexadecimal(numbers: Words, order: str) -> _Bytes:
    """16 digits of each number, its bytes in that order."""
    memory = numbers.astype(f"{order}u8").view(np.uint8).reshape(-1, 8)
    return _PAIRS[memory].view(np.uint8)


def _significant(numbers: Words) -> _Bytes:
    """The hexadecimal digits of each number without zeros before it."""
    return _without_zeros(_hexadecimal(numbers, ">"), np.searchsorted(_POWERS_OF_16, numbers, side="right"))


def _decimal(numbers: Words) -> _Bytes:
    rest, fours = numbers, []
    for _ in range(_DECIMAL_DIGITS // 4):
        rest, four = np.divmod(rest, np.uint64(10_000))
        fours.append(_FOURS[four.astype(np.intp)])
    digits = np.stack(fours[::-1], axis=1).view(np.uint8)
    return _without_zeros(digits, np.searchsorted(_POWERS_OF_10, numbers, side="right"))


def _without_zeros(digits: _Bytes, more: NDArray[np.intp]) -> _Bytes:
    """The last digit and so `more` before it; 0 for the others."""
    width = digits.shape[1]
    kept = np.tri(width, dtype=np.uint8)[:, ::-1]
    digits *= kept[more]
    return digits
