"""Summaries of raw files of page tables of any size, in bounded memory. Needs NumPy (extras ``scan`` and ``array``).

>>> import numpy, pmdswp
>>> from pmdswp.scan import scan
>>> arch = pmdswp.get("x86_64")
>>> words = numpy.array(arch.split_pmd(0x07fffffffffbfe0e) + [0] * 512, dtype=numpy.uint64)
>>> summary = scan(arch, "pte", words)
>>> summary.states, summary.devices, summary.joinable
({<State.NONE: 'NONE'>: 512, <State.SOFTLEAF: 'SOFTLEAF'>: 512}, {0: 512}, 1)
>>> summary == scan(arch, "pte", words[:512]) + scan(arch, "pte", words[512:], position=4096)
True

The words are those of page tables, one table after the other; `table_entries` tells how many a table has, and the last
may be cut short. What is said of a table depends on that table alone: a run of entries ends where its table ends. So
whole tables may be scanned block by block, anywhere and in any order, and the summaries added.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, TypeVar, cast

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.render.records import Json, entry_record, marker_names
from pmdswp.render.text import describe
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    FLAGS,
    GENERIC_TYPE_MAX,
    MIGRATION_KINDS,
    Entry,
    Flags,
    Level,
    SoftLeaf,
    SoftLeafType,
    State,
)

try:
    import numpy as np

    from pmdswp import array
    from pmdswp.columns import Words
except ImportError as error:
    raise ImportError("pmdswp.scan needs NumPy: pip install 'pmdswp[scan]'", name="numpy") from error

__all__ = ["LONGEST", "Leaf", "Run", "Summary", "scan", "scan_file", "table_entries"]

WORD = 8
"""Bytes of a page-table word."""

BLOCK = 1 << 18
"""Words that are read and decoded at a time, in whole tables: 2 MiB, and some 15 MiB with all that is made of them."""

UNIT = 4096
"""Bytes that are given up together where a file cannot be read."""

BATCH = 1 << 16
"""Records that a Parquet row group or an Arrow record batch has at least; the last may have fewer."""

LONGEST = 10
"""How many of the longest runs a summary keeps."""

_KINDS = tuple(SoftLeafType)
_FLAG_SETS = 1 << len(FLAGS)
_CODES = 1 << 8
"""Numbers that a byte can hold, such as the value of a kind."""


def _marked(kinds: Iterable[SoftLeafType]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """A table by the value of a kind: whether it is one of `kinds`."""
    table = np.zeros(_CODES, np.bool_)
    table[[kind.value for kind in kinds]] = True
    return table


_KIND_INDEX = np.zeros(_CODES, np.uint16)
_KIND_INDEX[[kind.value for kind in _KINDS]] = range(len(_KINDS))
_HAS_PFN = _marked(kind for kind in _KINDS if kind.has_pfn)
_COUNTS_PAGES = _HAS_PFN | _marked([SoftLeafType.SWAP])
"""The kinds whose offset counts pages, so that one can be the next of another; that of a marker does not."""


# --- summaries ----------------------------------------------------------------------------------------------


class Leaf(NamedTuple):
    """What softleaves have in common that a summary counts together."""

    kind: SoftLeafType
    swp_type: int
    flags: Flags


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
    level: Level
    words: int = 0
    """Words that were read."""
    tables: int = 0
    """Whole tables among them."""
    states: Mapping[State, int] = field(default_factory=dict)
    """Words by what they are; a state that does not occur is left out."""
    leaves: Mapping[Leaf, int] = field(default_factory=dict)
    """Softleaves by kind, type and flags; what does not occur is left out."""
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


_SUMS = [name.name for name in fields(Summary) if name.default == 0 and name.default is not False]

_Key = TypeVar("_Key", State, SoftLeafType)


def _in_order_of(order: Iterable[_Key], counts: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: counts[key] for key in order if counts.get(key)}


def _leaf_rank(item: tuple[Leaf, int]) -> tuple[int, ...]:
    leaf = item[0]
    return (leaf.kind.value, leaf.swp_type, leaf.flags)


def _reading(summary: Summary) -> str:
    return f"{summary.level} of {summary.arch!r}"


def table_entries(arch: Arch, level: Level) -> int:
    """How many entries a table of that level has; `UnsupportedError` for an unknown level.

    A PTE table has just as many as one PMD entry stands for.
    """
    entries = {"pte": arch.ptrs_per_pte, "pmd": arch.ptrs_per_pmd}
    if level not in entries:
        raise UnsupportedError(f"no level {level!r}; allowed: 'pte', 'pmd'")
    return entries[level]


# --- the reduction ------------------------------------------------------------------------------------------


def scan(
    arch: Arch, level: Level, words: Words, *, position: int = 0, jit: bool | None = None, threads: int = 1
) -> Summary:
    """The summary of `words`, which begin with a table, in one dimension and any byte order, and may be mapped.

    `position` is where they stand in their file, in bytes, and counts for the positions of runs alone. `jit` is that
    of `array.decode`; up to `threads` blocks are worked on at a time.

    `DecodeError` for words that are not such an array; `UnsupportedError` for an unknown level, fewer than one thread,
    or ``jit=True`` without numba.
    """
    size = _block_words(arch, level)
    if not isinstance(words, np.ndarray) or words.ndim != 1 or words.dtype.newbyteorder("=") != np.uint64:
        raise DecodeError("words: a numpy.ndarray of one dimension and dtype uint64 is needed")

    def summary(start: int) -> Summary:
        block = words[start : start + size]
        return _scanned(arch, level, block, position + start * WORD, jit=jit)[0]

    return sum(_in_order(summary, range(0, words.size, size), threads), start=Summary(arch, level))


def _block_words(arch: Arch, level: Level) -> int:
    entries = table_entries(arch, level)
    return BLOCK // entries * entries


def _scanned(
    arch: Arch, level: Level, words: Words, position: int, *, jit: bool | None
) -> tuple[Summary, array.Columns | None]:
    """The summary of a block, and its columns; None for those of a block that is all zero."""
    if not words.any():
        return _of_zeros(arch, level, words.size), None
    words = np.ascontiguousarray(words, np.uint64)
    columns = array.decode(arch, level, words, jit=jit)
    return _of_block(arch, level, words, columns, position), columns


def _of_zeros(arch: Arch, level: Level, count: int) -> Summary:
    """The summary of `count` words that are 0: one is decoded. They are no run, since their offsets do not step."""
    zero = np.zeros(1, np.uint64)
    one = _of_block(arch, level, zero, array.decode(arch, level, zero), 0)
    return replace(
        one,
        words=count,
        tables=count // table_entries(arch, level),
        states={state: count for state in one.states if count},
        leaves={leaf: count for leaf in one.leaves if count},
        stray_words=one.stray_words * count,
    )


def _of_block(arch: Arch, level: Level, words: Words, columns: array.Columns, position: int) -> Summary:
    is_leaf = columns.state == State.SOFTLEAF.code
    states = {state: int(np.count_nonzero(columns.state == state.code)) for state in State}
    summary = Summary(
        arch,
        level,
        words=words.size,
        tables=words.size // table_entries(arch, level),
        states={state: count for state, count in states.items() if count},
    )
    if not states[State.SOFTLEAF]:
        return summary
    [places] = np.nonzero(is_leaf)
    strays = arch.layout(level).stray_bits(cast("int", _at(places, words)))
    summary = replace(summary, leaves=_leaves(columns, places), stray_words=int(np.count_nonzero(strays)))
    return summary if level == "pmd" else _with_runs(summary, words, columns, position)


def _at(places: np.ndarray[Any, Any], column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What stands at the `places`, which are in order: no copy where that is all."""
    return column if places.size == column.size else column[places]


def _leaves(columns: array.Columns, places: np.ndarray[Any, Any]) -> dict[Leaf, int]:
    """How many softleaves of each kind, type and flags stand at the `places`."""
    shape = len(_KINDS), GENERIC_TYPE_MAX + 1, _FLAG_SETS
    numbers = _KIND_INDEX[_at(places, columns.kind)]
    for column, size in zip((columns.swp_type, columns.flags), shape[1:], strict=True):
        numbers *= np.uint16(size)
        numbers += _at(places, column)
    counts = np.bincount(numbers)
    leaves = {}
    for number in np.flatnonzero(counts).tolist():
        kind, swp_type, flags = np.unravel_index(number, shape)
        leaves[Leaf(_KINDS[kind], int(swp_type), Flags(int(flags)))] = int(counts[number])
    return leaves


def _with_runs(summary: Summary, words: Words, columns: array.Columns, position: int) -> Summary:
    """`summary` with the runs of its PTEs, and with how many tables join."""
    entries = summary.arch.ptrs_per_pte
    [places] = np.nonzero(_COUNTS_PAGES[columns.kind])
    offsets, types, flags = (_at(places, column) for column in (columns.offset, columns.swp_type, columns.flags))
    goes_on = places[1:] - places[:-1] == 1
    goes_on &= places[1:] % entries != 0
    goes_on &= offsets[1:] - offsets[:-1] == 1
    goes_on &= types[1:] == types[:-1]
    goes_on &= flags[1:] == flags[:-1]
    edges = np.flatnonzero(np.diff(goes_on, prepend=False, append=False))
    starts, lengths = edges[::2], edges[1::2] - edges[::2] + 1

    def run(number: int) -> Run:
        first, length = int(starts[number]), int(lengths[number])
        place = int(places[first])
        kind, flag_set = SoftLeafType(int(columns.kind[place])), Flags(int(flags[first]))
        return Run(length, position + place * WORD, kind, int(types[first]), int(offsets[first]), flag_set)

    # a stable sort leaves runs of equal length in the order in which they stand
    longest = np.argsort(-lengths, kind="stable")[:LONGEST].tolist()
    tables = places[starts[lengths == entries]] // entries
    return replace(
        summary,
        runs=len(starts),
        longest=tuple(run(number) for number in longest),
        joinable=_joinable(summary.arch, words, tables),
    )


def _joinable(arch: Arch, words: Words, tables: np.ndarray[Any, Any]) -> int:
    """How many of the PTE `tables`, each of them one run, join."""
    if not (tables.size and arch.has_pmd_softleaf):
        return 0
    rows = words[: words.size // arch.hpage_pmd_nr * arch.hpage_pmd_nr].reshape(-1, arch.hpage_pmd_nr)
    return int(np.count_nonzero(array.join(arch, rows[tables]).joined))


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def _in_order(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int) -> Iterator[_Result]:
    """As `map`, by so many threads, with hardly more items under way; `UnsupportedError` for fewer than one thread."""
    if type(threads) is not int or threads < 1:
        raise UnsupportedError(f"threads {threads!r} is not within 1..")
    if threads == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


# --- reading ------------------------------------------------------------------------------------------------


class _Tables(NamedTuple):
    """Bytes of whole words that begin with a table, or lie within one."""

    position: int
    size: int
    data: bytes


class _Zeros(NamedTuple):
    """A hole of the file: whole tables of words that are 0. It is not read."""

    position: int
    size: int


class _Lost(NamedTuple):
    """Bytes of whole words that could not be read; size 0 if nobody knows how many."""

    position: int
    size: int
    reason: str


class _Tail(NamedTuple):
    """The last bytes, fewer than a word has."""

    position: int
    size: int


_Piece = _Tables | _Zeros | _Lost | _Tail


def _opened(path: str | os.PathLike[str]) -> AbstractContextManager[BinaryIO]:
    # a buffer would read on into what cannot be read
    return cast("AbstractContextManager[BinaryIO]", Path(path).open("rb", buffering=0))


class _Span(NamedTuple):
    """What is to be read of a file, in bytes."""

    begin: int
    end: int | None
    """None: as far as the stream goes."""
    size: int | None
    """That of the file; None for a stream."""

    @classmethod
    def of(cls, file: BinaryIO, offset: int, length: int | None, *, is_stream: bool) -> _Span:
        """The span of `length` bytes from `offset`; `DecodeError` for one that begins beyond the end."""
        for name, number in (("offset", offset), ("length", length)):
            if number is not None and number < 0:
                raise DecodeError(f"{name} {number} is not within 0..")
        size = None if is_stream else _size(file)
        if size is not None and offset > size:
            raise DecodeError(f"offset {offset:#x} is beyond the end of the file, which has {size:#x} bytes")
        return cls(offset, size if length is None else offset + length, size)


def _size(file: BinaryIO) -> int | None:
    """The size of a file in bytes; None for one that has to be read as a stream."""
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except OSError:
        return None
    # files of /proc have content and no size
    return size or None


def _pieces(file: BinaryIO, span: _Span, block: int, table: int, *, skip_holes: bool) -> Iterator[_Piece]:
    """What is in the span, in order and without gaps; `block` and `table` are in bytes."""
    if span.size is None:
        yield from _stream(file, span, block)
        return
    end = span.size if span.end is None else span.end
    there = min(end, span.size)
    whole = there - (there - span.begin) % WORD
    for start, stop, is_hole in _extents(file, span.begin, whole, table, skip_holes=skip_holes):
        if is_hole:
            yield _Zeros(start, stop - start)
            continue
        for position in range(start, stop, block):
            yield from _block(file, position, min(block, stop - position), table)
    if whole < there:
        yield _Tail(whole, there - whole)
    if there < end:
        yield _Lost(there, end - there, _ENDED)


_ENDED = "the file ends there"


def _extents(file: BinaryIO, begin: int, end: int, table: int, *, skip_holes: bool) -> Iterator[tuple[int, int, bool]]:
    """Where data begins and ends, and where holes, these in whole tables; without holes it is all data."""
    if not (skip_holes and hasattr(os, "SEEK_DATA")):
        yield begin, end, False
        return
    position = begin
    while position < end:
        data = _sought(file, position, os.SEEK_DATA, end, otherwise=position)
        hole_end = data - (data - position) % table
        if position < hole_end:
            yield position, hole_end, True
        data_end = _sought(file, data, os.SEEK_HOLE, end, otherwise=end)
        # a table at least, whatever a file that changes meanwhile tells
        position = min(end, max(data_end + (begin - data_end) % table, hole_end + table))
        if hole_end < position:
            yield hole_end, position, False


def _sought(file: BinaryIO, position: int, whence: int, end: int, *, otherwise: int) -> int:
    """Where the next data, or hole, begins; `end` if there is none, `otherwise` if the file cannot tell."""
    try:
        return min(end, file.seek(position, whence))
    except OSError as error:
        return end if error.errno == errno.ENXIO else otherwise
    except ValueError:
        return otherwise


def _block(file: BinaryIO, start: int, size: int, table: int) -> Iterator[_Piece]:
    """The whole words of a block that begins with a table, and what of it could not be read."""
    data, reason = _read_at(file, start, size)
    if len(data) == size:
        yield _Tables(start, size, data)
        return
    # now in small units, to find out what is lost
    kept, kept_at = b"", start
    for position in range(start, start + size, UNIT):
        unit = min(UNIT, start + size - position)
        data, reason = _read_at(file, position, unit)
        whole = len(data) - len(data) % WORD
        kept_at = kept_at if kept else position
        kept += data[:whole]
        if whole < unit:
            yield from _within_tables(kept, kept_at, start, table)
            kept = b""
            yield _Lost(position + whole, unit - whole, reason or _ENDED)
    yield from _within_tables(kept, kept_at, start, table)


def _within_tables(data: bytes, position: int, origin: int, table: int) -> Iterator[_Piece]:
    """What is left of a table by itself, then what begins with a table; there is a table at `origin`."""
    rest = (origin - position) % table
    if data[:rest]:
        yield _Tables(position, len(data[:rest]), data[:rest])
    if data[rest:]:
        yield _Tables(position + rest, len(data) - rest, data[rest:])


def _read_at(file: BinaryIO, position: int, size: int) -> tuple[bytes, str]:
    file.seek(position)
    return _read(file, size)


def _read(file: BinaryIO, size: int) -> tuple[bytes, str]:
    """The next bytes, `size` of them unless the file ends or fails, and why it failed; empty if it did not."""
    data, reason = b"", ""
    while len(data) < size:
        try:
            more = file.read(size - len(data))
        except OSError as error:
            reason = error.strerror or str(error)
            break
        if not more:
            break
        data = data + more if data else more
    return data, reason


def _stream(file: BinaryIO, span: _Span, block: int) -> Iterator[_Piece]:
    """As `_pieces`, of a file that can only be read onwards: what follows bytes that cannot be read is lost."""
    position = 0
    while span.end is None or position < span.end:
        is_wanted = position >= span.begin
        stop = span.end if is_wanted else span.begin
        wanted = block if stop is None else min(block, stop - position)
        data, reason = _read(file, wanted)
        position += len(data)
        if is_wanted:
            whole, start = len(data) - len(data) % WORD, position - len(data)
            if whole:
                yield _Tables(start, whole, data[:whole])
            if len(data) > whole:
                yield _Tail(start + whole, len(data) - whole)
        if len(data) < wanted:
            lost = max(position, span.begin)
            if reason or span.end is not None:
                yield _Lost(lost, 0 if span.end is None else span.end - lost, reason or _ENDED)
            return


# --- scanning files -----------------------------------------------------------------------------------------


class Selection:
    """Which words are wanted as records, by state and by kind."""

    def __init__(self, states: Iterable[State], kinds: Iterable[SoftLeafType]) -> None:
        self._wanted = np.zeros((len(State), _CODES), np.bool_)
        self._wanted[[state.code for state in states], 0] = True
        self._wanted[State.SOFTLEAF.code] = _marked(kinds)

    @classmethod
    def named(cls, names: str) -> Selection:
        """What is named, with commas between: states, kinds and groups of kinds; `UnsupportedError` for others."""
        states, kinds = set(), set()
        for name in names.split(","):
            key = name.strip().lower()
            if key not in SELECTABLE:
                raise UnsupportedError(f"nothing is called {name!r}; allowed: {', '.join(SELECTABLE)}")
            for what in SELECTABLE[key]:
                if isinstance(what, State):
                    states.add(what)
                else:
                    kinds.add(what)
        return cls(states, kinds)

    def takes(self, entry: Entry) -> bool:
        """Whether `entry` is wanted."""
        return bool(self._wanted[entry.state.code, entry.kind.value])

    def places(self, columns: array.Columns) -> np.ndarray[Any, Any]:
        """Where wanted words stand."""
        return np.flatnonzero(self._wanted[columns.state, columns.kind])


SELECTABLE: Mapping[str, Sequence[State | SoftLeafType]] = {
    **{state.name.lower(): (state,) for state in State if state is not State.SOFTLEAF},
    "softleaf": _KINDS,
    **{kind.name.lower(): (kind,) for kind in _KINDS if kind is not SoftLeafType.NONE},
    "migration": MIGRATION_KINDS,
    "device_private": DEVICE_PRIVATE_KINDS,
}
"""Name -> what it selects. `none` is the state; softleaves of kind NONE are among `softleaf`."""


class _Selected(NamedTuple):
    """Words that are wanted as records, and where they stand, in bytes."""

    positions: Words
    words: Words


class _Part(NamedTuple):
    """What became of a piece."""

    piece: _Piece
    summary: Summary
    selected: _Selected | None = None


@dataclass(frozen=True)
class _Scanner:
    """Turns pieces into parts, in any thread."""

    arch: Arch
    level: Level
    selection: Selection | None = None
    jit: bool | None = None

    def parts(self, file: BinaryIO, span: _Span, threads: int) -> Iterator[_Part]:
        """Every piece of the span, in order; `UnsupportedError` for fewer than one thread."""
        table = table_entries(self.arch, self.level) * WORD
        block = _block_words(self.arch, self.level) * WORD
        decode = self.arch.decode_pte if self.level == "pte" else self.arch.decode_pmd
        # words that are to be recorded have to be read, were they in a hole
        skip_holes = self.selection is None or not self.selection.takes(decode(0))
        return _in_order(self._part, _pieces(file, span, block, table, skip_holes=skip_holes), threads)

    def _part(self, piece: _Piece) -> _Part:
        match piece:
            case _Tables():
                return self._of_words(piece)
            case _Zeros():
                return _Part(piece, _of_zeros(self.arch, self.level, piece.size // WORD))
            case _Lost():
                return _Part(piece, Summary(self.arch, self.level, unreadable=piece.size, is_complete=False))
        return _Part(piece, Summary(self.arch, self.level, tail=piece.size, is_complete=False))

    def _of_words(self, piece: _Tables) -> _Part:
        words = np.ascontiguousarray(array.from_buffer(self.arch, piece.data), np.uint64)
        summary, columns = _scanned(self.arch, self.level, words, piece.position, jit=self.jit)
        if self.selection is None:
            return _Part(piece, summary)
        if columns is None:
            columns = array.decode(self.arch, self.level, words, jit=self.jit)
        places = self.selection.places(columns)
        positions = places.astype(np.uint64) * np.uint64(WORD) + np.uint64(piece.position)
        return _Part(piece, summary, _Selected(positions, words[places]))


class _Complaints:
    """Tells what could not be read: neighbours that failed for one reason as one."""

    def __init__(self, name: str, complain: Callable[[str], None]) -> None:
        self._name, self._complain = name, complain
        self._lost: _Lost | None = None

    def see(self, piece: _Piece) -> None:
        """Tell of `piece`, if there is something to tell; of what was lost once its end is known."""
        lost = self._lost
        if isinstance(piece, _Lost):
            if lost is not None and lost.reason == piece.reason and lost.position + lost.size == piece.position:
                self._lost = lost._replace(size=lost.size + piece.size)
                return
            self.end()
            self._lost = piece
            return
        self.end()
        if isinstance(piece, _Tail):
            self._complain(f"{self._name}: the last {piece.size} bytes are no whole word")

    def end(self) -> None:
        """Tell of what was lost last."""
        if self._lost is not None:
            position, size, reason = self._lost
            where = f"bytes {position:#x}..{position + size - 1:#x}" if size else f"what follows byte {position:#x}"
            self._complain(f"{self._name}: {where} could not be read: {reason}")
        self._lost = None


def scan_file(
    arch: Arch,
    level: Level,
    path: str | os.PathLike[str],
    *,
    offset: int = 0,
    length: int | None = None,
    jit: bool | None = None,
    threads: int = 1,
    complain: Callable[[str], None] | None = None,
) -> Summary:
    """The summary of `length` bytes of a raw file from byte `offset` on, where a table begins; of all without them.

    The positions of runs are those in the file. Holes of a sparse file count as the zeros that they are, unread.
    What cannot be read is counted in the summary, and told to `complain`, a line at a time. Memory: some 15 MiB for
    each of `threads`.

    `OSError` for a file that cannot be opened; `DecodeError` for an offset beyond its end, or a number below 0;
    `UnsupportedError` as for `scan`.
    """
    total = Summary(arch, level)
    with _opened(path) as file:
        span = _Span.of(file, offset, length, is_stream=False)
        complaints = _Complaints(os.fspath(path), complain or (lambda _: None))
        for part in _Scanner(arch, level, jit=jit).parts(file, span, threads):
            total += part.summary
            complaints.see(part.piece)
        complaints.end()
    return total


# --- records ------------------------------------------------------------------------------------------------

FORMATS = ("table", "json", "csv", "parquet", "arrow")

_BINARY_FORMATS = ("parquet", "arrow")

_Write = Callable[[_Selected], object]

COLUMNS = (
    "position",
    "arch",
    "kernel",
    "level",
    "raw",
    "state",
    "kind",
    "type",
    "offset",
    "exclusive",
    "soft_dirty",
    "uffd",
    "bytes",
    "stray_bits",
    "pfn",
    "young",
    "dirty",
    "markers",
)
"""The columns of a record: where the word stands, in bytes, and what `entry_record` tells of it."""


def _entries(arch: Arch, level: Level, selected: _Selected) -> Iterator[tuple[int, Entry]]:
    decode = arch.decode_pte if level == "pte" else arch.decode_pmd
    for position, word in zip(selected.positions.tolist(), selected.words.tolist(), strict=True):
        yield position, decode(word)


def _records(arch: Arch, level: Level, selected: _Selected) -> Iterator[Json]:
    for position, entry in _entries(arch, level, selected):
        yield {"position": position, **entry_record(arch, entry)}


def _lines(arch: Arch, level: Level, selected: _Selected) -> Iterator[str]:
    for position, entry in _entries(arch, level, selected):
        yield f"{position:#014x}  {entry.raw:#018x}  {describe(arch, entry)}\n"


def _cell(value: object) -> object:
    """A value of a record as CSV has it: nothing for none, true or false, and a space between the names of a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(value) if isinstance(value, list) else value


@contextmanager
def _csv_writer(arch: Arch, level: Level, file: IO[str]) -> Iterator[_Write]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)

    def rows(selected: _Selected) -> Iterator[list[object]]:
        for record in _records(arch, level, selected):
            yield [_cell(record.get(name)) for name in COLUMNS]

    yield lambda selected: writer.writerows(rows(selected))


@contextmanager
def _json_writer(arch: Arch, level: Level, file: IO[str]) -> Iterator[_Write]:
    yield lambda selected: file.writelines(f"{json.dumps(record)}\n" for record in _records(arch, level, selected))


@contextmanager
def _table_writer(arch: Arch, level: Level, file: IO[str]) -> Iterator[_Write]:
    yield lambda selected: file.writelines(_lines(arch, level, selected))


@contextmanager
def _arrow_writer(arch: Arch, level: Level, file: IO[bytes], *, is_parquet: bool) -> Iterator[_Write]:
    pa = import_module("pyarrow")
    schema = _schema(pa)
    waiting: list[_Selected] = []

    def flush() -> None:
        rows = _Selected(*(np.concatenate(column) for column in zip(*waiting, strict=True)))
        waiting.clear()
        writer.write_batch(pa.record_batch(_arrow_columns(pa, schema, arch, level, rows), schema=schema))

    def write(selected: _Selected) -> None:
        waiting.append(selected)
        if sum(rows.words.size for rows in waiting) >= BATCH:
            flush()

    if is_parquet:
        new_writer = import_module("pyarrow.parquet").ParquetWriter(file, schema)
    else:
        new_writer = pa.ipc.new_file(file, schema)
    with new_writer as writer:
        yield write
        if waiting:
            flush()


def _schema(pa: Any) -> Any:
    name = pa.dictionary(pa.uint8(), pa.string())
    types = {
        **dict.fromkeys(("arch", "kernel", "level", "state", "kind"), name),
        **dict.fromkeys(("position", "raw", "offset", "stray_bits", "pfn"), pa.uint64()),
        **dict.fromkeys((*FLAGS, "young", "dirty"), pa.bool_()),
        "type": pa.uint8(),
        "bytes": pa.binary(WORD),
        "markers": pa.list_(pa.string()),
    }
    return pa.schema([(column, types[column]) for column in COLUMNS])


def _arrow_columns(pa: Any, schema: Any, arch: Arch, level: Level, rows: _Selected) -> list[Any]:
    """The columns of a batch, null where a word does not have the thing."""
    columns = array.decode(arch, level, rows.words)
    is_none = columns.state != State.SOFTLEAF.code
    strays: object = np.zeros(rows.words.size, np.uint64)
    if level in arch.levels:
        strays = arch.layout(level).stray_bits(cast("int", rows.words))
    memory = rows.words.astype(rows.words.dtype.newbyteorder(arch.byteorder)).tobytes()

    def names(indices: Words, of: Sequence[str]) -> object:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.uint8)), pa.array(of))

    def same(text: str) -> object:
        return names(np.zeros(rows.words.size, np.uint64), [text])

    found = {
        "position": rows.positions,
        "arch": same(arch.name),
        "kernel": same(arch.kernel),
        "level": same(level),
        "raw": rows.words,
        "state": names(columns.state.astype(np.uint64), [state.name for state in State]),
        "kind": names(_KIND_INDEX[columns.kind].astype(np.uint64), [kind.name for kind in _KINDS]),
        "type": pa.array(columns.swp_type, mask=is_none),
        "offset": pa.array(columns.offset, mask=is_none),
        "exclusive": columns.exclusive,
        "soft_dirty": columns.soft_dirty,
        "uffd": columns.uffd,
        "bytes": pa.Array.from_buffers(pa.binary(WORD), rows.words.size, [None, pa.py_buffer(memory)]),
        "stray_bits": pa.array(strays, mask=is_none),
        **{name: pa.array(values, schema.field(name).type) for name, values in _rare_columns(arch, columns).items()},
    }
    return [found[name] for name in COLUMNS]


def _rare_columns(arch: Arch, columns: array.Columns) -> dict[str, list[object]]:
    """The columns that swap entries, by far the most, do not have: made word by word."""
    rare: dict[str, list[object]] = {name: [None] * columns.state.size for name in ("pfn", "young", "dirty", "markers")}
    for place in np.flatnonzero(_HAS_PFN[columns.kind]).tolist():
        leaf = SoftLeaf(int(columns.swp_type[place]), int(columns.offset[place]))
        rare["pfn"][place] = arch.softleaf_pfn(leaf)
        rare["young"][place], rare["dirty"][place] = arch.softleaf_young(leaf), arch.softleaf_dirty(leaf)
    for place in np.flatnonzero(columns.kind == SoftLeafType.MARKER.value).tolist():
        leaf = SoftLeaf(int(columns.swp_type[place]), int(columns.offset[place]))
        rare["markers"][place] = marker_names(arch.softleaf_markers(leaf))
    return rare


# --- the summary, shown -------------------------------------------------------------------------------------

SUMMARIES = ("text", "json", "none")


def summary_record(summary: Summary, name: str) -> Json:
    """A summary as a JSON value; counts and positions are numbers, offsets "0x..." text.

    `joinable` is null where no PTE tables were read or no PMD can hold a softleaf.
    """
    return {
        "file": name,
        "arch": summary.arch.name,
        "kernel": summary.arch.kernel,
        "options": dict(summary.arch.config.chosen),
        "level": summary.level,
        "words": summary.words,
        "tables": summary.tables,
        "states": {state.name: count for state, count in summary.states.items()},
        "kinds": {kind.name: count for kind, count in summary.kinds.items()},
        "devices": {str(device): count for device, count in summary.devices.items()},
        "flags": summary.flags,
        "leaves": [
            {"kind": leaf.kind.name, "type": leaf.swp_type, **_flag_record(leaf.flags), "count": count}
            for leaf, count in summary.leaves.items()
        ],
        "stray_words": summary.stray_words,
        "runs": summary.runs,
        "longest": [_run_record(run) for run in summary.longest],
        "joinable": summary.joinable if _can_join(summary) else None,
        "unreadable": summary.unreadable,
        "tail": summary.tail,
        "complete": summary.is_complete,
    }


def _can_join(summary: Summary) -> bool:
    return summary.level == "pte" and summary.arch.has_pmd_softleaf


def _flag_record(flags: Flags) -> Json:
    return {name: Flags[name.upper()] in flags for name in FLAGS}


def _run_record(run: Run) -> Json:
    return {
        "length": run.length,
        "position": run.position,
        "kind": run.kind.name,
        "type": run.swp_type,
        "offset": hex(run.offset),
        **_flag_record(run.flags),
    }


def summary_lines(summary: Summary, name: str) -> Iterator[str]:
    """A summary as text: one table for each thing that is counted."""
    arch, entries = summary.arch, table_entries(summary.arch, summary.level)
    yield f"{name}: read as {summary.level} by {arch!r}"
    yield f"{summary.words} words, {summary.tables} whole tables of {entries}"
    yield from _counts("state", ((state.name, count, "") for state, count in summary.states.items()))
    foreign = f"no PMD of kernel {arch.kernel} holds this"
    are_foreign = set(SoftLeafType).difference(arch.pmd_kinds) if summary.level == "pmd" else set()
    kinds = summary.kinds.items()
    yield from _counts("kind", ((kind.name, n, foreign if kind in are_foreign else "") for kind, n in kinds))
    yield from _counts("swap type", ((str(device), count, "") for device, count in summary.devices.items()))
    if summary.leaves:
        yield from _counts("flag", ((flag, count, "") for flag, count in summary.flags.items()))
        yield ""
        yield f"stray words: {summary.stray_words}"
    if summary.level == "pte":
        yield from _run_lines(summary)
    if summary.unreadable:
        yield f"unreadable bytes: {summary.unreadable}"
    if summary.tail:
        yield f"bytes at the end that are no word: {summary.tail}"
    if not summary.is_complete:
        yield "THIS IS NOT ALL: some of the file was not read"


def _run_lines(summary: Summary) -> Iterator[str]:
    if _can_join(summary):
        yield f"tables that join to one PMD entry: {summary.joinable}"
    yield f"runs of entries whose offsets step by one, within a table: {summary.runs}"
    if summary.longest:
        yield ""
        rows = [["longest", "at byte", "what"]]
        for run in summary.longest:
            flags = [name for name in FLAGS if Flags[name.upper()] in run.flags]
            what = [run.kind.name, "type", str(run.swp_type), "from offset", hex(run.offset), *flags]
            rows.append([str(run.length), hex(run.position), " ".join(what)])
        yield from _aligned(rows)


def _counts(head: str, rows: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    """A table of counts under an empty line; nothing for no rows."""
    cells = [[name, str(count), note] for name, count, note in rows]
    if cells:
        yield ""
        yield from _aligned([[head, "words", ""], *cells])


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


# --- the command --------------------------------------------------------------------------------------------


class Request(NamedTuple):
    """What ``pmdswp scan`` is asked for; numbers are bytes."""

    arch: Arch
    level: Level
    path: str
    offset: int = 0
    length: int | None = None
    format: str = FORMATS[0]
    only: str | None = None
    output: str | None = None
    summary: str = SUMMARIES[0]
    threads: int = 1
    jit: bool | None = None

    @property
    def selection(self) -> Selection | None:
        """The words to be recorded: those named, or all softleaves, but none if there is only a summary to print."""
        if self.only is None and self.format == "table":
            return None
        return Selection.named("softleaf" if self.only is None else self.only)


def command(request: Request, complain: Callable[[str], None]) -> int:
    """Do what ``pmdswp scan`` does, and return its exit status; `complain` takes a line of what went wrong.

    0; 1 if a part could not be read; 130 after an interrupt. Errors are those of `scan_file`, and `UnsupportedError`
    for a missing library or an output that cannot be.
    """
    selection = request.selection
    _check_output(request, selection)
    total, is_interrupted = Summary(request.arch, request.level), False
    with ExitStack() as stack:
        file = stack.enter_context(_input(request.path))
        span = _Span.of(file, request.offset, request.length, is_stream=request.path == _STANDARD)
        write = stack.enter_context(_writer(request))
        advance = stack.enter_context(_progress(request, span))
        complaints = _Complaints(request.path, complain)
        scanner = _Scanner(request.arch, request.level, selection, request.jit)
        try:
            for part in scanner.parts(file, span, request.threads):
                total += part.summary
                complaints.see(part.piece)
                if part.selected is not None and part.selected.words.size:
                    write(part.selected)
                advance(part.piece.position + part.piece.size - span.begin)
        except KeyboardInterrupt:
            is_interrupted = True
            total = replace(total, is_complete=False)
        complaints.end()
    if is_interrupted:
        complain(f"{request.path}: interrupted; the summary is that of what was read")
    elif total == Summary(request.arch, request.level):
        complain(f"{request.path}: no words to read")
        total = replace(total, is_complete=False)
    _print_summary(request, total)
    return 130 if is_interrupted else int(not total.is_complete)


_STANDARD = "-"


def _input(path: str) -> AbstractContextManager[BinaryIO]:
    if path != _STANDARD:
        return _opened(path)
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    return nullcontext(sys.stdin.buffer)


def _check_output(request: Request, selection: Selection | None) -> None:
    """Refuse, before anything is opened, an output that cannot be."""
    if request.format in _BINARY_FORMATS:
        try:
            import_module("pyarrow.parquet")
        except ImportError as error:
            raise UnsupportedError(
                f"no {request.format} without pyarrow: pip install 'pmdswp[scan]' ({error})"
            ) from None
    if request.output is None:
        if request.format in _BINARY_FORMATS and sys.stdout.isatty():
            raise UnsupportedError(f"{request.format} is not for a terminal: name a file with -o")
        return
    if selection is None:
        raise UnsupportedError("no records to write: choose some with --only, or a --format other than table")
    paths = Path(request.path), Path(request.output)
    if request.path != _STANDARD and all(path.exists() for path in paths) and paths[0].samefile(paths[1]):
        raise UnsupportedError(f"{request.output} is the file to be read")


@contextmanager
def _writer(request: Request) -> Iterator[_Write]:
    """What writes records to where they are wanted."""
    arch, level, is_binary = request.arch, request.level, request.format in _BINARY_FORMATS
    with ExitStack() as stack:
        file: Any
        if request.output is None:
            file = sys.stdout.buffer if is_binary else sys.stdout
        elif is_binary:
            file = stack.enter_context(Path(request.output).open("wb"))
        else:
            file = stack.enter_context(Path(request.output).open("w", encoding="utf-8", newline=""))
        if is_binary:
            writer = _arrow_writer(arch, level, file, is_parquet=request.format == "parquet")
        else:
            writer = {"table": _table_writer, "json": _json_writer, "csv": _csv_writer}[request.format](
                arch, level, file
            )
        yield stack.enter_context(writer)


def _print_summary(request: Request, summary: Summary) -> None:
    """On standard output, but on standard error if that may be where records are."""
    if request.summary == "none":
        return
    file = sys.stdout if request.format == "table" else sys.stderr
    if request.summary == "json":
        file.write(f"{json.dumps(summary_record(summary, request.path))}\n")
        return
    if request.format == "table" and request.only is not None and request.output is None:
        file.write("\n")
    file.writelines(f"{line}\n" for line in summary_lines(summary, request.path))


@contextmanager
def _progress(request: Request, span: _Span) -> Iterator[Callable[[int], object]]:
    """What shows how many bytes are done, where standard error is a terminal and rich is installed.

    Where records go to the terminal, they are the progress.
    """
    shows_records = request.selection is not None and request.output is None and sys.stdout.isatty()
    rich = None if shows_records or not sys.stderr.isatty() else _rich_progress()
    if rich is None:
        yield lambda _: None
        return
    columns = [rich.TextColumn("{task.description}"), rich.BarColumn(), rich.DownloadColumn(binary_units=True)]
    columns += [rich.TransferSpeedColumn(), rich.TimeRemainingColumn()]
    console = import_module("rich.console").Console(file=sys.stderr)
    # complaints on standard error go above the bar; standard output is for what is asked for
    with rich.Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        total = None if span.end is None else span.end - span.begin
        task = bar.add_task(import_module("rich.markup").escape(request.path), total=total)
        yield lambda done: bar.update(task, completed=done)


def _rich_progress() -> Any:
    """The module; None where rich is not installed."""
    try:
        return import_module("rich.progress")
    except ImportError:
        return None
