"""Verdicts added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pmdswp.live.ranges import BREAKS, HIDDEN, Verdict

__all__ = ["Count", "Tally"]


class Count(NamedTuple):
    """A number of ranges, and of the pages in them that are swapped out."""

    ranges: int = 0
    pages: int = 0

    def plus(self, pages: int) -> Count:
        """One range more."""
        return Count(self.ranges + 1, self.pages + pages)

    def __add__(self, other: object) -> Count:
        if not isinstance(other, Count):
            return NotImplemented
        return Count(self.ranges + other.ranges, self.pages + other.pages)


_NONE = Count()


@dataclass
class Tally:
    """The swapped pages of a process, or of several, by what one PMD entry could hold.

    Pages that processes share count in each of them.
    """

    whole: Count = _NONE
    """Ranges that one PMD entry could stand for."""
    hidden: Count = _NONE
    """Ranges of which nobody knows, as types and offsets were not shown to the reader, and nothing else breaks them."""
    broken: Count = _NONE
    """All other PMD-sized ranges of anonymous memory that have a page in swap."""
    breaks: dict[str, Count] = field(default_factory=lambda: dict.fromkeys(BREAKS, _NONE))
    """Name of `BREAKS` -> the broken ranges that it breaks; a range may be broken by several."""
    alone: dict[str, Count] = field(default_factory=lambda: dict.fromkeys(BREAKS, _NONE))
    """Name of `BREAKS` -> the broken ranges that nothing else breaks."""
    edge: int = 0
    """Pages of anonymous memory outside of whole PMD-sized ranges: at the ends of mappings."""
    file: int = 0
    """Pages of private mappings of files."""
    shared: int = 0
    """Pages of shared memory, by smaps: page tables have no entries for them, and `pages` does not count them."""
    huge: Count = _NONE
    """Ranges of which PAGEMAP_SCAN says that a PMD swap entry stands for them already, where the kernel has such."""
    devices: Counter[int] = field(default_factory=Counter)
    """Type -> swapped pages."""
    others: Counter[int] = field(default_factory=Counter)
    """Type -> entries that are not swap entries, in ranges that have swapped pages."""

    @property
    def pages(self) -> int:
        """All pages in swap."""
        return self.whole.pages + self.hidden.pages + self.broken.pages + self.edge + self.file

    def add(self, verdict: Verdict) -> None:
        """Count a PMD-sized range of anonymous memory; one without a page in swap counts for nothing."""
        if not verdict.swapped:
            return
        pages = verdict.swapped
        self.devices.update(verdict.devices)
        self.others.update(verdict.others)
        if not verdict.breaks:
            self.whole = self.whole.plus(pages)
        elif verdict.breaks == (HIDDEN,):
            self.hidden = self.hidden.plus(pages)
        else:
            self.broken = self.broken.plus(pages)
            known = [name for name in verdict.breaks if name != HIDDEN]
            for name in known:
                self.breaks[name] = self.breaks[name].plus(pages)
            if len(verdict.breaks) == 1:
                self.alone[known[0]] = self.alone[known[0]].plus(pages)

    def add_all(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.whole += other.whole
        self.hidden += other.hidden
        self.broken += other.broken
        self.huge += other.huge
        self.edge += other.edge
        self.file += other.file
        self.shared += other.shared
        self.devices.update(other.devices)
        self.others.update(other.others)
        _add(self.breaks, other.breaks)
        _add(self.alone, other.alone)


def _add(to: dict[str, Count], counts: Mapping[str, Count]) -> None:
    for name, count in counts.items():
        to[name] += count
