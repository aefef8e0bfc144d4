"""Random histories: what a monkey would do with one range of four PMDs and up to three processes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

__all__ = ["GRAMMARS", "PMD", "Grammar", "draw", "scaled"]

PAGES = 2048
"""Of 4 KiB, in four PMDs of 2 MiB."""

PMD = 512


class Grammar(NamedTuple):
    """How often each operation is drawn, and which ones are of whole PMDs only."""

    weights: Mapping[str, int]
    whole: frozenset[str] = frozenset()


_ALL = {
    "pageout": 28,
    "write": 22,
    "read": 14,
    "fork": 8,
    "move": 6,
    "mprotect": 6,
    "dontneed": 6,
    "free": 6,
    "willneed": 6,
    "clear": 6,
    "munmap": 5,
    "mremap": 5,
    "wp": 5,
    "swapoff": 5,
    "mmap": 4,
    "reg": 4,
    "cold": 1,
    "exit": 1,
    "mlock": 1,
    "collapse": 1,
    "protnone": 1,
}

_DISK = {name: weight for name, weight in _ALL.items() if name != "collapse"} | {"reclaim": 12, "shrink": 4}
"""What MADV_COLLAPSE does depends on how soon a read is done."""

_MOVES = {
    "mremap": 26,
    "pageout": 22,
    "clear": 16,
    "write": 14,
    "move": 14,
    "read": 6,
    "mprotect": 4,
    "dontneed": 3,
    "fork": 3,
    "munmap": 2,
    "mmap": 2,
}

GRAMMARS: Mapping[str, Grammar] = {
    "random": Grammar(_ALL),
    "disk": Grammar(_DISK),
    "moves": Grammar(_MOVES, frozenset({"write", "read", "pageout", "mmap"})),
}
"""By the names that traces have.

Everything; the same and reclaim, for a device that writes asynchronously; and what the law of soft-dirty is about
(`tests/model/soft_dirty.py`).
"""


def draw(seed: int, number: int, *, zswap: bool = False, grammar: str = "random") -> Iterator[str]:
    """The lines of a script with so many histories, always the same for a seed and a grammar."""
    chance = random.Random(seed)  # noqa: S311  # to be the same again
    for i in range(number):
        yield f"H {seed}-{i}"
        if zswap:
            yield "zswap 1"
        yield from _History(chance, GRAMMARS[grammar]).lines()
    yield "Z"


def scaled(script: Iterable[str], nr: int) -> Iterator[str]:
    """The same histories where a PMD has `nr` pages in place of 512: the same parts of it, but at least a page."""
    for line in script:
        name, *words = line.split()
        if name == "H" or len(words) < 3:
            yield line
            continue
        who, first, number, *third = map(int, words)
        start, end = first * nr // PMD, -(-(first + number) * nr // PMD)
        if name in _TWO_PLACES:
            third = [third[0] * nr // PMD]
            end = min(end, start + 4 * nr - third[0])
        elif name == "write":
            third = [third[0] * max(nr // PMD, 1)]
        yield " ".join(map(str, [name, who, start, end - start, *third]))


_TWO_PLACES = ("move", "mremap")
_WITHOUT_RANGE = {
    "clear": ("clear {}",),
    "swapoff": ("swapoff", "swapon"),
    "reclaim": ("reclaim",),
    "shrink": ("shrink",),
}


class _History:
    """One history as it is drawn."""

    def __init__(self, chance: random.Random, grammar: Grammar) -> None:
        self.chance = chance
        self.grammar = grammar
        self.token = 4096
        self.made = 1
        self.alive = [0]

    def lines(self) -> Iterator[str]:
        """Memory, some of it written, and a dozen or two operations on it."""
        yield f"mmap 0 0 {PAGES} 1"
        yield self._write(0, 0, self.chance.choice([PMD, 2 * PMD, 2 * PMD, 3 * PMD]))
        for _ in range(self.chance.randrange(12, 20)):
            weights, whole = self.grammar
            [operation] = self.chance.choices(list(weights), list(weights.values()))
            who, first, number = self.chance.choice(self.alive), *self._piece()
            if operation in whole:
                first, number = first // PMD * PMD, PMD
            yield from self._operation(operation, who, first, number)

    def _piece(self) -> tuple[int, int]:
        """First page and number of pages: mostly whole huge pages, or parts that begin and end evenly."""
        kind = self.chance.random()
        if kind < 0.45:  # shares of what is drawn
            return self.chance.randrange(4) * PMD, PMD
        if kind < 0.55:
            return self.chance.randrange(3) * PMD, 2 * PMD
        for share, size in ((0.7, 256), (0.85, 64)):
            if kind < share:
                return self.chance.randrange(PAGES // size) * size, size
        first = self.chance.randrange(PAGES - 8)
        number = self.chance.choice([1, 3, self.chance.randrange(1, 64), self.chance.randrange(64, 1000)])
        return first, min(number, PAGES - first)

    def _write(self, who: int, first: int, number: int) -> str:
        self.token += number
        return f"write {who} {first} {number} {self.token - number}"

    def _operation(self, name: str, who: int, first: int, number: int) -> Iterator[str]:
        where = f"{who} {first} {number}"
        if name == "write":
            yield self._write(who, first, number)
        elif name == "fork":
            if self.made < 3:
                yield f"fork {who}"
                self.alive.append(self.made)
                self.made += 1
        elif name == "exit":
            if len(self.alive) > 1:
                yield f"exit {who}"
                self.alive.remove(who)
        elif name in _WITHOUT_RANGE:
            yield from (line.format(who) for line in _WITHOUT_RANGE[name])
        elif name in _TWO_PLACES:
            yield from self._elsewhere(name, who, first, number)
        elif name == "wp":
            yield from (f"reg {where} 1", f"wp {where} {self.chance.choice([1, 1, 0])}")
        elif name in ("mmap", "reg", "mprotect"):
            yield f"{name} {where} {self.chance.choice({'mmap': [1], 'reg': [1, 1, 1, 0], 'mprotect': [0, 1]}[name])}"
        else:
            yield f"{name} {where}"

    def _elsewhere(self, name: str, who: int, first: int, number: int) -> Iterator[str]:
        """To another PMD at the same place within it, or to any multiple of 64."""
        to = (
            first % PMD + PMD * self.chance.randrange(4)
            if self.chance.random() < 0.75
            else 64 * self.chance.randrange(32)
        )
        if to + number > PAGES:
            return
        if name == "move" and self.chance.random() < 0.8:
            yield from (f"reg {who} {to} {number} 1", f"dontneed {who} {to} {number}")
        yield f"{name} {who} {first} {number} {to}"
