"""What a summary says, and how summaries add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar

from pmdswp.arch import Arch
from pmdswp.attributes import Attributes
from pmdswp.errors import UnsupportedError
from pmdswp.softleaf import FLAGS, Flags, LevelName, SoftLeafType, State

__all__ = ["LONGEST", "PRESENT_STATES", "Leaf", "Present", "Run", "Summary"]

LONGEST = 10
"""How many of the longest runs a summary keeps."""


class Leaf(NamedTuple):
    """What softleaves have in common that a summary counts together."""

    kind: SoftLeafType
    swp_type: int
    flags: Flags


PRESENT_STATES = (State.PRESENT, State.TABLE)
"""The states of present words."""


class Present(NamedTuple):
    """What present words have in common that a summary counts together: PRESENT or TABLE, and all attributes."""

    state: State
    attributes: Attributes


class Run(NamedTuple):
    """Two or more neighbours in one PTE table, of one type and equal flags, whose offsets step by one.

    `length` counts entries; `position` is where the first stands, in bytes, and `offset` its offset, in pages.
    """

    length: int
    position: int
    kind: SoftLeafType
    swp_type: int
    offset: int
    flags: Flags

    @property
    def rank(self) -> tuple[int, ...]:
        """Sorts the longest first, and of equal ones the one that stands first."""
        return (-self.length, self.position, self.swp_type, self.offset, self.flags)


@dataclass(frozen=True)
class Summary:
    """What is in tables of one level, as exact numbers. Adding is associative and commutative.

    Summaries of blocks add up to that of the whole if each block begins with a table and only the last ends within
    one; the positions of runs are those that `scan` was given. `Summary(arch, level)` is the summary of nothing.
    """

    arch: Arch
    level: LevelName
    words: int = 0
    """Words that were read."""
    tables: int = 0
    """Whole tables among them."""
    states: Mapping[State, int] = field(default_factory=dict)
    """Words by what they are; a state that does not occur is left out."""
    leaves: Mapping[Leaf, int] = field(default_factory=dict)
    """Softleaves by kind, type and flags; what does not occur is left out."""
    present: Mapping[Present, int] | None = None
    """Present words by state and attributes; what does not occur is left out. None where they were not asked for."""
    stray_words: int = 0
    """Softleaves with bits as no encoder leaves them (`Layout.stray_bits`)."""
    runs: int = 0
    """Runs (see `Run`), of entries whose offset counts pages: swap entries and the kinds with a PFN. PTEs only."""
    longest: tuple[Run, ...] = ()
    """The longest runs, at most `LONGEST`, longest first."""
    joinable: int = 0
    """PTE tables that `array.join` makes one PMD entry of; 0 where a PMD holds no softleaf."""
    unreadable: int = 0
    """Bytes that should have been read and could not be."""
    tail: int = 0
    """Bytes at the end that are no whole word."""
    is_complete: bool = True
    """Whether nothing is missing; False also where nobody knows how much is."""

    def __add__(self, other: object) -> Summary:
        """The summary of both; `UnsupportedError` if they are not of one level of one `Arch`."""
        if not isinstance(other, Summary):
            return NotImplemented
        if (self.arch, self.level) != (other.arch, other.level):
            raise UnsupportedError(f"{_reading(self)} and {_reading(other)} do not add up")
        sums = {name: getattr(self, name) + getattr(other, name) for name in _SUMS}
        return Summary(
            self.arch,
            self.level,
            states=_in_order_of(State, Counter(self.states) + Counter(other.states)),
            leaves=dict(sorted((Counter(self.leaves) + Counter(other.leaves)).items(), key=_leaf_rank)),
            present=_sum_of_present(self, other),
            longest=tuple(sorted((*self.longest, *other.longest), key=lambda run: run.rank)[:LONGEST]),
            is_complete=self.is_complete and other.is_complete,
            **sums,
        )

    @property
    def kinds(self) -> dict[SoftLeafType, int]:
        """Softleaves by kind; NONE is type 0 with offset 0, which the kernel takes for no entry."""
        kinds: Counter[SoftLeafType] = Counter()
        for leaf, count in self.leaves.items():
            kinds[leaf.kind] += count
        return _in_order_of(SoftLeafType, kinds)

    @property
    def devices(self) -> dict[int, int]:
        """Swap entries by type, which is the number of the swap device."""
        devices: Counter[int] = Counter()
        for leaf, count in self.leaves.items():
            if leaf.kind is SoftLeafType.SWAP:
                devices[leaf.swp_type] += count
        return dict(sorted(devices.items()))

    @property
    def flags(self) -> dict[str, int]:
        """Softleaves by flag, all three named; one with two flags counts for both."""
        return {
            name: sum(count for leaf, count in self.leaves.items() if Flags[name.upper()] in leaf.flags)
            for name in FLAGS
        }

    def attributes(self, state: State) -> dict[str, int]:
        """Present words of a state by attribute; one with two attributes counts for both.

        Those that the level can have are named, in the order of `ATTRIBUTES`. `UnsupportedError` where attributes were
        not counted.
        """
        if self.present is None:
            raise UnsupportedError(f"{_reading(self)}: the attributes of present words were not counted")
        found = dict.fromkeys(self.arch.level(self.level).attribute_names, 0)
        for present, count in self.present.items():
            if present.state is state:
                for name in found:
                    found[name] += count * (Attributes[name.upper()] in present.attributes)
        return found


_SUMS = [number.name for number in fields(Summary) if number.default == 0]
"""The fields that are added as numbers."""


def _sum_of_present(one: Summary, other: Summary) -> dict[Present, int] | None:
    """The present words of both; unknown where those of a part are, but a part without words has none."""
    parts = [summary.present for summary in (one, other) if summary.words or summary.present is not None]
    total: Counter[Present] = Counter()
    for part in parts:
        if part is None:
            return None
        total += Counter(part)
    return dict(sorted(total.items(), key=_present_rank)) if parts else None


_Key = TypeVar("_Key", State, SoftLeafType)


def _in_order_of(order: Iterable[_Key], counts: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: counts[key] for key in order if counts.get(key)}


def _leaf_rank(item: tuple[Leaf, int]) -> tuple[int, ...]:
    leaf = item[0]
    return (leaf.kind.value, leaf.swp_type, leaf.flags)


def _present_rank(item: tuple[Present, int]) -> tuple[int, ...]:
    return (item[0].state.code, item[0].attributes)


def _reading(summary: Summary) -> str:
    return f"{summary.level} of {summary.arch!r}"
