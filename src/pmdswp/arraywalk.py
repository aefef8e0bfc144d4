"""Page tables walked in bulk: whole tables read at once and decoded through `pmdswp.array`. Needs NumPy.

What `pmdswp.walk.walk` gives entry by entry, this gives many tables at a time: millions of entries a second, in memory
that does not grow with what is walked.

>>> import pmdswp
>>> from pmdswp.arraywalk import Tables, tables
>>> arch = pmdswp.get("x86_64")
>>> memory = bytearray(0x5000)
>>> def read(physical, size):
...     return bytes(memory[physical : physical + size])
>>> for place, level in zip((0x1000, 0x2000, 0x3000), arch.tables):
...     memory[place : place + 8] = level.to_bytes(level.make_table(place + 0x1000))
>>> memory[0x4008:0x4010] = arch.pte_to_bytes(arch.encode_pte(2, 0x500))
>>> for found in tables(arch, read, 0x1000, stop=1 << 47):
...     print(found.level.name, found.words.shape, int(found.columns.offset.max()))
pgd (1, 256) 0
pud (1, 512) 0
pmd (1, 512) 0
pte (1, 512) 1280
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

from pmdswp.arch import Arch, Level
from pmdswp.formula import MASK64
from pmdswp.softleaf import State
from pmdswp.walk import UNREADABLE, Read, Step, halves, read_whole, root_table

try:
    import numpy as np

    from pmdswp import array
    from pmdswp.array import Columns
    from pmdswp.columns import Words
except ImportError as error:
    raise ImportError("pmdswp.arraywalk needs NumPy: pip install 'pmdswp[array]'", name="numpy") from error

__all__ = ["MOST_VISITS", "Tables", "tables"]

AT_ONCE = 1 << 17
"""Words that are read and decoded at a time: what they take stays in the cache."""

PIECE = 4096
"""Bytes of the smallest page: of a table that cannot be read at once, what can be is read in such pieces."""

MOST_VISITS = 64
"""How often a walk goes through one table. Some are shared, and a damaged one that leads to itself ends so."""


class Tables(NamedTuple):
    """Page tables of one level, or the same entries of each: all that a walk reads at once.

    `va` (n,): the first address that the first entry of each row covers; `address` (n,): where that entry is in
    physical memory; `words` (n, k): the entries, in the byte order of memory; `columns`: these decoded, of that shape.
    """

    level: Level
    va: Words
    address: Words
    words: Words
    columns: Columns


class _Table(NamedTuple):
    """Tables that are to be read: `va` and `address` as in `Tables`, and how many entries of each."""

    va: Words
    address: Words
    entries: int


def tables(arch: Arch, read: Read, root: int, start: int = 0, stop: int | None = None) -> Iterator[Tables | Step]:
    """All tables on the way to the addresses from `start` on and below `stop`; those above come before those below.

    Without `stop` the walk goes on to the last address that the tables have a place for. Only entries that cover some
    of the range are read. A `Step` without a word stands for a table, or a part of one, that could not be read, where
    `words` has empty ones; or for a table that was gone through `MOST_VISITS` times already. `root` and errors are
    those of `pmdswp.walk.lookup`.
    """
    address, levels, read = root_table(arch, read, root)
    visits: Counter[int] = Counter()
    for base, wanted in halves(arch, levels, start, stop):
        if wanted:
            first = _Table(_words([base]), _words([address]), levels[0].entries)
            yield from _Walk(arch, read, wanted, visits).go(levels, first)


def _words(numbers: Sequence[int]) -> Words:
    return np.array(numbers, np.uint64)


class _Walk(NamedTuple):
    """What stays the same on the way down."""

    arch: Arch
    read: Read
    wanted: range
    visits: Counter[int]

    def go(self, levels: Sequence[Level], whole: _Table) -> Iterator[Tables | Step]:
        """The tables of a level, of which each is `whole`, as far as they are wanted, and those below."""
        level, rest = levels[0], levels[1:]
        for some in _parts(level, whole, self.wanted):
            part, refused = self._once_more(level, some)
            yield from refused
            if not part.va.size:
                continue
            found, problems = _read(level, self.read, part)
            yield from problems
            columns = array.decode(self.arch, level.name, found)
            yield Tables(level, part.va, part.address, found, columns)
            if not rest:
                continue
            rows, places = np.nonzero(columns.state == State.TABLE.code)
            if rows.size:
                words = found[rows, places].astype(np.uint64)
                below = cast("Words", level.table_address(cast("int", words)))
                va = part.va[rows] + (places.astype(np.uint64) << np.uint64(level.shift))
                yield from self.go(rest, _Table(va, below, rest[0].entries))

    def _once_more(self, level: Level, part: _Table) -> tuple[_Table, list[Step]]:
        """The tables that were not gone through too often yet, and a step for each of the others."""
        is_allowed = []
        for address in part.address.tolist():
            self.visits[address] += 1
            is_allowed.append(self.visits[address] <= MOST_VISITS)
        if all(is_allowed):
            return part, []
        size = part.entries << level.shift
        rows = zip(part.va.tolist(), part.address.tolist(), is_allowed, strict=True)
        refused = [Step(va, level.name, size, address, None, None) for va, address, allowed in rows if not allowed]
        return _Table(part.va[is_allowed], part.address[is_allowed], part.entries), refused


def _parts(level: Level, whole: _Table, wanted: range) -> Iterator[_Table]:
    """Tables of which all entries are wanted, so many at a time; of the others the entries that are, one at a time."""
    count = whole.va.size
    last = whole.va + np.uint64((1 << level.shift + level.index_bits) - 1)
    is_inside = (whole.va >= np.uint64(wanted.start)) & (last <= np.uint64(wanted.stop - 1))
    most = max(1, AT_ONCE // whole.entries)
    start = 0
    while start < count:
        if not is_inside[start]:
            yield _cut(level, int(whole.va[start]), int(whole.address[start]), wanted)
            start += 1
            continue
        outside = np.flatnonzero(~is_inside[start : start + most])
        stop = start + (int(outside[0]) if outside.size else most)
        yield _Table(whole.va[start:stop], whole.address[start:stop], whole.entries)
        start = min(stop, count)


def _cut(level: Level, va: int, address: int, wanted: range) -> _Table:
    """The entries of a table that are wanted, of which there are some."""
    first = max(0, wanted.start - va) >> level.shift
    last = min(level.entries - 1, wanted.stop - 1 - va >> level.shift)
    place = va + (first << level.shift) & MASK64
    return _Table(_words([place]), _words([address + first * level.entry_size]), last - first + 1)


def _read(level: Level, read: Read, part: _Table) -> tuple[Words, list[Step]]:
    """The words of tables, and what could not be read of them."""
    size = part.entries * level.entry_size
    dtype = np.dtype(np.uint64).newbyteorder(level.byteorder)
    try:
        data = b"".join(read_whole(read, start, count * size) for start, count in _runs(part.address, size))
    except UNREADABLE:
        data, problems = _read_apart(level, read, part)
    else:
        problems = []
    return np.frombuffer(data, dtype).reshape(-1, part.entries), problems


def _runs(addresses: Words, size: int) -> Iterator[tuple[int, int]]:
    """Tables that lie one behind the other: where they begin, and how many they are."""
    ends = np.flatnonzero(np.diff(addresses) != np.uint64(size)) + 1
    bounds = [0, *ends.tolist(), addresses.size]
    for start, stop in pairwise(bounds):
        yield int(addresses[start]), stop - start


def _read_apart(level: Level, read: Read, part: _Table) -> tuple[bytes, list[Step]]:
    """Tables read one by one, and in pieces; empty words where nothing could be read."""
    width, problems = level.entry_size, []
    empty = level.to_bytes(level.empty)
    found = []
    for va, address in zip(part.va.tolist(), part.address.tolist(), strict=True):
        for start, stop in _pieces(address, part.entries * width):
            try:
                found.append(read_whole(read, start, stop - start))
            except UNREADABLE:
                count, before = (stop - start) // width, (start - address) // width
                found.append(empty * count)
                place = va + (before << level.shift) & MASK64
                problems.append(Step(place, level.name, count << level.shift, start, None, None))
    return b"".join(found), _joined(level, problems)


def _pieces(address: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a stretch of memory, cut at the borders of the smallest pages."""
    bounds = [address, *range(address // PIECE * PIECE + PIECE, address + size, PIECE), address + size]
    return pairwise(bounds)


def _joined(level: Level, problems: Sequence[Step]) -> list[Step]:
    """Pieces that lie one behind the other in one table as one."""
    joined: list[Step] = []
    for step in problems:
        before = joined[-1] if joined else None
        end = before and (
            before.va + before.size,
            before.entry_address + (before.size >> level.shift) * level.entry_size,
        )
        if before is not None and end == (step.va, step.entry_address):
            joined[-1] = before._replace(size=before.size + step.size)
        else:
            joined.append(step)
    return joined
