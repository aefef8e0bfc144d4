"""Files and streams that the command writes to: none of them is the one that is read, and any may be closed."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any

from pmdswp.checks import check_path
from pmdswp.errors import UnsupportedError
from pmdswp.waiting import Waiting
from pmdswp.words import printable

__all__ = ["on_standard_error", "opened_output", "refuse_output_over_input", "reserve_descriptors", "standard_output"]

_STANDARD_STREAMS = 3


def reserve_descriptors() -> None:
    """Let the descriptors of closed standard streams lead nowhere.

    A file that is opened would get one of them otherwise, and with it what libraries print there.
    """
    number = 0
    while number < _STANDARD_STREAMS:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def opened_output(name: str, mode: str, source: IO[Any]) -> IO[Any]:
    """The file of that name, emptied, in mode "wb" or "w"; `UnsupportedError` if it is the `source`."""

    def opener(path: str, _flags: int) -> int:
        number = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            _empty(number, name, source)
        except BaseException:
            os.close(number)
            raise
        return number

    is_text = mode == "w"
    return open(  # the caller closes it
        check_path(name), mode, encoding="utf-8" if is_text else None, newline="" if is_text else None, opener=opener
    )


def _empty(number: int, name: str, source: IO[Any]) -> None:
    """Empty a file that is open for writing, so that no link leads elsewhere any more, unless it is the `source`."""
    status = os.fstat(number)
    if _is_same(status, _status(source)):
        raise UnsupportedError(f"{printable(name)} is the file to be read")
    if stat.S_ISREG(status.st_mode):
        os.ftruncate(number, 0)


def refuse_output_over_input(source: IO[Any]) -> None:
    """`UnsupportedError` if standard output is the file to be read."""
    if _is_same(_status(sys.stdout), _status(source)):
        raise UnsupportedError("standard output is the file to be read")


def _status(file: IO[Any]) -> os.stat_result | None:
    """That of an open file; None for one that is no file of the kernel's."""
    try:
        return os.fstat(file.fileno())
    except (OSError, ValueError):
        return None


def _is_same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    """Whether what is written to one comes out of the other: a terminal or a socket has two sides."""
    if one is None or other is None:
        return False
    if stat.S_ISBLK(one.st_mode) and stat.S_ISBLK(other.st_mode):
        return one.st_rdev == other.st_rdev
    return (stat.S_ISREG(one.st_mode) or stat.S_ISFIFO(one.st_mode)) and os.path.samestat(one, other)


def standard_output(mode: str) -> AbstractContextManager[IO[Any]]:
    """Standard output in mode "wb" or "w", with a buffer of its own that is written out in the end.

    That of an unbuffered Python (`python -u`) drops, without an error, what the system does not take at once.
    """
    is_text = mode == "w"
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return nullcontext(sys.stdout if is_text else sys.stdout.buffer)
    sys.stdout.flush()
    raw = io.BufferedWriter(Waiting(number, "wb"))
    if not is_text:
        return raw
    return io.TextIOWrapper(
        raw, encoding=sys.stdout.encoding, errors=sys.stdout.errors, line_buffering=sys.stdout.isatty()
    )


def on_standard_error(write: Callable[[], object]) -> bool:
    """Do what writes to standard error, and tell whether somebody can read it; if not, that does not end the work."""
    if sys.stderr is None:
        return False
    try:
        write()
        # complaints may have found out, and closed it, by themselves
        if sys.stderr is not None:
            sys.stderr.flush()
    except OSError:
        # a flush at exit would fail again
        sys.stderr = None
    return sys.stderr is not None
