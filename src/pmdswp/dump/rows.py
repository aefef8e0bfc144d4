"""The entries of page tables as rows, in the order of their addresses, many at a time. Needs NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from pmdswp import array
from pmdswp.arch import Arch, Level
from pmdswp.arraywalk import Tables, tables
from pmdswp.columns import Words
from pmdswp.dump.opened import Dump
from pmdswp.dump.processes import Process
from pmdswp.scan.selection import Selection
from pmdswp.softleaf import State
from pmdswp.walk import Step

__all__ = ["Rows", "rows"]

_Bytes = NDArray[np.uint8]


class Rows(NamedTuple):
    """Entries that are not empty: a column for each thing, in the order of `va`; what is above comes first.

    `level` is the place of the level in `Arch.tables`; the others are those of `pmdswp.arraywalk.Tables`,
    `pmdswp.array.Columns` and `pmdswp.array.Mapped`.
    """

    va: Words
    level: _Bytes
    entry_address: Words
    word: Words
    state: _Bytes
    kind: _Bytes
    swp_type: _Bytes
    flags: _Bytes
    offset: Words
    pfn: Words
    attributes: NDArray[np.uint16]

    def only(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Rows:
        """Some of the rows."""
        return Rows(*(cast("Any", column[places]) for column in self))


def rows(
    dump: Dump, process: Process, wanted: range, selection: Selection | None, unread: Callable[[Step], object]
) -> Iterator[Rows]:
    """The entries of a process that cover some of these addresses and are not empty, or those of a selection.

    `unread` is told of each table that could not be read. The rest is as in `pmdswp.arraywalk.tables`.
    """
    arch = dump.arch
    waiting: Rows | None = None
    for found in tables(arch, dump.core.read_physical, process.root, wanted.start, wanted.stop):
        if isinstance(found, Step):
            unread(found)
            continue
        some = _rows(arch, found, selection)
        if some.va.size:
            waiting = some if waiting is None else _merged(waiting, some)
        if waiting is not None and found.level.name == "pte":
            # whatever comes later is behind these tables
            last = found.va[-1] + np.uint64((found.words.shape[1] << found.level.shift) - 1)
            is_done = waiting.va <= last
            yield waiting.only(is_done)
            waiting = waiting.only(~is_done)
    if waiting is not None and waiting.va.size:
        yield waiting


def _rows(arch: Arch, found: Tables, selection: Selection | None) -> Rows:
    columns = found.columns
    if selection is None:
        is_wanted = columns.state != State.NONE.code
    else:
        is_wanted = selection.mask(arch, found.level.name, found.words, columns) & (columns.state != State.NONE.code)
    row, place = np.nonzero(is_wanted)
    words = found.words[row, place].astype(np.uint64)
    some = array.Columns(*(cast("Any", column[row, place]) for column in columns))
    mapped = array.mapped(arch, found.level.name, words, columns=some)
    steps = place.astype(np.uint64)
    return Rows(
        va=found.va[row] + (steps << np.uint64(found.level.shift)),
        level=np.full(words.size, _place(arch, found.level), np.uint8),
        entry_address=found.address[row] + steps * np.uint64(found.level.entry_size),
        word=words,
        state=some.state,
        kind=some.kind,
        swp_type=some.swp_type,
        flags=some.flags,
        offset=some.offset,
        pfn=mapped.pfn,
        attributes=mapped.attributes,
    )


def _place(arch: Arch, level: Level) -> int:
    return [one.name for one in arch.tables].index(level.name)


def _merged(one: Rows, other: Rows) -> Rows:
    both = Rows(*(np.concatenate(cast("Any", pair)) for pair in zip(one, other, strict=True)))
    return both.only(np.lexsort((both.level, both.va)))
