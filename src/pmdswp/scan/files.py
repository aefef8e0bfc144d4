"""The bytes of a file or a stream, piece by piece: tables, holes, and what cannot be read."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from pmdswp.checks import check_count, check_path
from pmdswp.errors import DecodeError
from pmdswp.scan.tables import WORD

__all__ = ["Lost", "Piece", "Span", "Tables", "Tail", "Zeros", "opened", "pieces"]

UNIT = 4096
"""Bytes that are given up together where a file cannot be read."""

_FARTHEST = (1 << 63) - 1
"""The last byte that the kernel reads by its position (the greatest off_t)."""

_ENDED = "the file ends there"


class Tables(NamedTuple):
    """Bytes of whole words that begin with a table, or lie within one."""

    position: int
    size: int
    data: bytes


class Zeros(NamedTuple):
    """A hole of the file: whole tables of words that are 0. It is not read."""

    position: int
    size: int


class Lost(NamedTuple):
    """Bytes of whole words that could not be read; size 0 if nobody knows how many."""

    position: int
    size: int
    reason: str


class Tail(NamedTuple):
    """The last bytes, fewer than a word has."""

    position: int
    size: int


Piece = Tables | Zeros | Lost | Tail


def opened(path: str | os.PathLike[str]) -> AbstractContextManager[BinaryIO]:
    """A file to be read piece by piece; `DecodeError` for a name that is empty or has a NUL in it."""
    # a buffer would read on into what cannot be read
    return cast("AbstractContextManager[BinaryIO]", Path(check_path(path)).open("rb", buffering=0))


class Span(NamedTuple):
    """What is to be read of a file, in bytes."""

    begin: int
    end: int | None
    """None: as far as the stream goes."""
    size: int | None
    """That of the file; None for one that has none. A file that has one has an `end` too."""
    is_stream: bool = False
    """Whether the file can only be read onwards from where it stands."""

    @classmethod
    def of(cls, file: BinaryIO, offset: int, length: int | None, *, is_stream: bool) -> Span:
        """The span of `length` bytes from `offset`; `DecodeError` for one that begins beyond the end."""
        offset = check_count("offset", offset)
        end = None if length is None else offset + check_count("length", length)
        size = None if is_stream else _size(file)
        if size is not None and offset > size:
            raise DecodeError(f"offset {offset:#x} is beyond the end of the file, which has {size:#x} bytes")
        if size is not None:
            return cls(offset, size if end is None else end, size)
        if max(offset, end or 0) > _FARTHEST:
            raise DecodeError(f"byte {max(offset, end or 0):#x} is not within 0..{_FARTHEST:#x}, which files have")
        return cls(offset, end, None, is_stream or not _has_positions(file, offset))


def _size(file: BinaryIO) -> int | None:
    """The size of a file in bytes; None for one that does not say."""
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except OSError:
        return None
    # files of /proc have content and no size
    return size or None


def _has_positions(file: BinaryIO, position: int) -> bool:
    """Whether a file without a size can be read at a position, as memory can (/dev/mem, /proc/PID/mem)."""
    # a tape, and /dev/zero, go to no place but 0
    elsewhere = position or WORD
    try:
        return file.seek(elsewhere) == elsewhere and file.seek(position) == position
    except OSError:
        return False


def pieces(file: BinaryIO, span: Span, block: int, table: int, *, skip_holes: bool) -> Iterator[Piece]:
    """What is in the span, in order and without gaps; `block` and `table` are in bytes."""
    if span.size is None and span.end is not None and not span.is_stream:
        yield from _positioned(file, span.begin, span.end, block, table)
        return
    if span.size is None or span.end is None:
        yield from _stream(file, span, block)
        return
    there = min(span.end, span.size)
    whole = there - (there - span.begin) % WORD
    for start, stop, is_hole in _extents(file, span.begin, whole, table, skip_holes=skip_holes):
        if is_hole:
            yield Zeros(start, stop - start)
            continue
        for position in range(start, stop, block):
            yield from _block(file, position, min(block, stop - position), table)
    if whole < there:
        yield Tail(whole, there - whole)
    if there < span.end:
        yield Lost(there, span.end - there, _ENDED)


def _positioned(file: BinaryIO, begin: int, end: int, block: int, table: int) -> Iterator[Piece]:
    """As `pieces`, of a file without a size that is read by positions: it may have gaps, and may end before `end`."""
    whole = end - (end - begin) % WORD
    for position in range(begin, whole, block):
        stop = min(whole, position + block)
        for piece in _block(file, position, stop - position, table):
            if isinstance(piece, Lost) and piece.reason == _ENDED:
                yield Lost(piece.position, end - piece.position, _ENDED)
                return
            yield piece
    if whole < end:
        yield Tail(whole, end - whole)


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


def _block(file: BinaryIO, start: int, size: int, table: int) -> Iterator[Piece]:
    """The whole words of a block that begins with a table, and what of it could not be read."""
    data, _ = _read_at(file, start, size)
    if len(data) == size:
        yield Tables(start, size, data)
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
            if not reason:
                yield Lost(position + whole, start + size - position - whole, _ENDED)
                return
            yield Lost(position + whole, unit - whole, reason)
    yield from _within_tables(kept, kept_at, start, table)


def _within_tables(data: bytes, position: int, origin: int, table: int) -> Iterator[Piece]:
    """What is left of a table by itself, then what begins with a table; there is a table at `origin`."""
    rest = (origin - position) % table
    if data[:rest]:
        yield Tables(position, len(data[:rest]), data[:rest])
    if data[rest:]:
        yield Tables(position + rest, len(data) - rest, data[rest:])


def _read_at(file: BinaryIO, position: int, size: int) -> tuple[bytes, str]:
    file.seek(position)
    return _read(file, size)


def _read(file: BinaryIO, size: int) -> tuple[bytes, str]:
    """The next bytes, `size` of them unless the file ends or fails, and why it failed; empty if it did not."""
    data, reason = b"", ""
    while len(data) < size:
        try:
            more: bytes | None = file.read(size - len(data))
        except OSError as error:
            reason = error.strerror or str(error)
            break
        if more is None:
            # a stream that does not wait by itself and has nothing to give yet
            _wait(file)
            continue
        if not more:
            break
        data = data + more if data else more
    return data, reason


def _wait(file: BinaryIO) -> None:
    """Wait until a file has something to read, or has ended."""
    poll = select.poll()
    poll.register(file.fileno(), select.POLLIN)
    poll.poll()


def _stream(file: BinaryIO, span: Span, block: int) -> Iterator[Piece]:
    """As `pieces`, of a file that is read onwards: what follows bytes that cannot be read is lost."""
    position = 0 if span.is_stream else span.begin
    while span.end is None or position < span.end:
        is_wanted = position >= span.begin
        stop = span.end if is_wanted else span.begin
        wanted = block if stop is None else min(block, stop - position)
        data, reason = _read(file, wanted)
        position += len(data)
        if is_wanted:
            whole, start = len(data) - len(data) % WORD, position - len(data)
            if whole:
                yield Tables(start, whole, data[:whole])
            if len(data) > whole:
                yield Tail(start + whole, len(data) - whole)
        if len(data) < wanted:
            lost = max(position, span.begin)
            if reason or span.end is not None:
                yield Lost(lost, 0 if span.end is None else span.end - lost, reason or _ENDED)
            return
