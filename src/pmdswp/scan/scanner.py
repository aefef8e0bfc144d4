"""The pieces of a file, each with its summary and the words that are wanted of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.checks import check_path
from pmdswp.scan.blocks import scan_block, scan_zeros
from pmdswp.scan.complaints import Complaints
from pmdswp.scan.files import Lost, Piece, Span, Tables, Zeros, opened, pieces
from pmdswp.scan.selection import Selected, Selection
from pmdswp.scan.summary import Summary
from pmdswp.scan.tables import WORD, block_entries, table_entries
from pmdswp.scan.threads import in_order
from pmdswp.softleaf import LevelName

__all__ = ["Part", "Scanner", "scan_file"]


class Part(NamedTuple):
    """What became of a piece."""

    piece: Piece
    summary: Summary
    selected: Selected | None = None


@dataclass(frozen=True)
class Scanner:
    """Turns pieces into parts, in any thread."""

    arch: Arch
    level: LevelName
    selection: Selection | None = None
    attributes: bool = False
    jit: bool | None = None

    def parts(self, file: BinaryIO, span: Span, threads: int) -> Iterator[Part]:
        """Every piece of the span, in order; `UnsupportedError` for fewer than one thread."""
        table = table_entries(self.arch, self.level) * WORD
        block = block_entries(self.arch, self.level) * WORD
        # words that are to be recorded have to be read, were they in a hole
        skip_holes = self.selection is None or not self.selection.takes(self.arch.decode(self.level, 0))
        return in_order(self._part, pieces(file, span, block, table, skip_holes=skip_holes), threads)

    def _part(self, piece: Piece) -> Part:
        match piece:
            case Tables():
                return self._of_words(piece)
            case Zeros():
                zeros = scan_zeros(self.arch, self.level, piece.size // WORD, attributes=self.attributes)
                return Part(piece, zeros)
            case Lost():
                return Part(piece, Summary(self.arch, self.level, unreadable=piece.size, is_complete=False))
        return Part(piece, Summary(self.arch, self.level, tail=piece.size, is_complete=False))

    def _of_words(self, piece: Tables) -> Part:
        words = np.ascontiguousarray(array.from_buffer(self.arch, piece.data), np.uint64)
        summary, columns = scan_block(
            self.arch, self.level, words, piece.position, attributes=self.attributes, jit=self.jit
        )
        if self.selection is None:
            return Part(piece, summary)
        if columns is None:
            columns = array.decode(self.arch, self.level, words, jit=self.jit)
        return Part(piece, summary, self.selection.of(self.arch, self.level, words, columns, piece.position))


def scan_file(
    arch: Arch,
    level: LevelName,
    path: str | os.PathLike[str],
    *,
    offset: int = 0,
    length: int | None = None,
    attributes: bool = False,
    jit: bool | None = None,
    threads: int = 1,
    complain: Callable[[str], None] | None = None,
) -> Summary:
    """The summary of `length` bytes of a raw file from byte `offset` on, where a table begins; of all without them.

    `attributes` and `jit` are those of `scan`. The positions of runs are those in the file. Holes of a sparse file
    count as the zeros that they are, unread.
    What cannot be read is counted in the summary, and told to `complain`, a line at a time. Memory: some 15 MiB for
    each of `threads`.

    A file without a size, such as /proc/PID/mem, is read by positions if it can be, and onwards if it cannot.

    `OSError` for a file that cannot be opened; `DecodeError` for a name that is empty, an offset beyond the end of the
    file, and an offset or a length that is not an integer from 0; `UnsupportedError` as for `scan`.
    """
    table_entries(arch, level)
    total = Summary(arch, level)
    with opened(path) as file:
        span = Span.of(file, offset, length, is_stream=False)
        complaints = Complaints(check_path(path), complain or (lambda _: None))
        for part in Scanner(arch, level, attributes=attributes, jit=jit).parts(file, span, threads):
            total += part.summary
            complaints.see(part.piece)
        complaints.end()
    return total
