"""Standard streams that wait, whatever the process at their other end has made of them."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["Waiting", "let_output_wait"]


class Waiting(io.FileIO):
    """A file descriptor, left open in the end, that is waited for if it does not block and has nothing to give or take.

    Whether it blocks is not a matter of this process alone: it is that of all who have the same pipe or terminal.
    """

    def __init__(self, descriptor: int, mode: str) -> None:
        super().__init__(descriptor, mode, closefd=False)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while (count := cast("int | None", super().readinto(buffer))) is None:
            select.select([self], [], [])
        return count

    def write(self, data: ReadableBuffer, /) -> int:
        while (count := cast("int | None", super().write(data))) is None:
            select.select([], [self], [])
        return count


def let_output_wait() -> None:
    """Let standard output and standard error wait, from now on, until all is taken or refused.

    Those of Python fail if they do not block; where they have no buffer (`python -u`), they silently drop what is not
    taken at once, also by a disk that is full.
    """
    sys.stdout, sys.stderr = _waiting(sys.stdout), _waiting(sys.stderr)


def _waiting(stream: TextIO) -> TextIO:
    try:
        number = stream.fileno()
        is_unbuffered = isinstance(stream.buffer, io.RawIOBase)
        if os.get_blocking(number) and not is_unbuffered:
            return stream
        stream.flush()
    except (AttributeError, OSError, ValueError):
        # it is None, or closed, or no stream of the system's
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Waiting(number, "wb")),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=is_unbuffered or stream is sys.stderr or stream.isatty(),
    )
