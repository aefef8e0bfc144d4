"""What ``pmdswp scan`` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from typing import BinaryIO, NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.scan.complaints import Complaints
from pmdswp.scan.files import Span, opened
from pmdswp.scan.interrupts import Terminated, held, terminable
from pmdswp.scan.progress import progress
from pmdswp.scan.records import BINARY_FORMATS, WRITERS, Write
from pmdswp.scan.report import summary_lines, summary_record
from pmdswp.scan.scanner import Scanner
from pmdswp.scan.selection import Selection
from pmdswp.scan.streams import (
    on_standard_error,
    opened_output,
    refuse_output_over_input,
    reserve_descriptors,
    standard_output,
)
from pmdswp.scan.summary import Summary
from pmdswp.softleaf import LevelName
from pmdswp.words import printable

__all__ = ["ScanRequest", "command"]

_STANDARD = "-"


class ScanRequest(NamedTuple):
    """What ``pmdswp scan`` is asked for; numbers are bytes."""

    arch: Arch
    level: LevelName
    path: str
    offset: int
    length: int | None
    format: str
    only: str | None
    attributes: bool
    output: str | None
    summary: str
    threads: int
    jit: bool | None

    @property
    def selection(self) -> Selection | None:
        """The words to be recorded: those named, or all softleaves, but none if there is only a summary to print."""
        if self.only is None and self.format == "table":
            return None
        return Selection.named("softleaf" if self.only is None else self.only)


def command(request: ScanRequest, complain: Callable[[str], None]) -> int:
    """Do what ``pmdswp scan`` does, and return its exit status; `complain` prints a line of what went wrong.

    0; 1 if a part could not be read, or if nobody reads the standard error that the summary goes to; 130 after an
    interrupt, 143 after SIGTERM and 129 after SIGHUP, which leave whole files of what was read until then. Errors are
    those of `scan_file`, and `UnsupportedError` for a missing library or an output that cannot be.
    """
    reserve_descriptors()
    try:
        with terminable():
            return _scan(request, lambda complaint: on_standard_error(lambda: complain(complaint)))
    except Terminated as ended:
        return ended.status


def _scan(request: ScanRequest, complain: Callable[[str], object]) -> int:
    selection = request.selection
    _check_output(request, selection)
    total, stopped = Summary(request.arch, request.level), None
    with ExitStack() as stack:
        file = stack.enter_context(_input(request.path))
        refuse_output_over_input(file)
        span = Span.of(file, request.offset, request.length, is_stream=request.path == _STANDARD)
        write = stack.enter_context(_writer(request, file))
        advance = stack.enter_context(_progress(request, span))
        complaints = Complaints(request.path, complain)
        scanner = Scanner(request.arch, request.level, selection, request.attributes, request.jit)
        try:
            for part in scanner.parts(file, span, request.threads):
                with held():
                    if part.selected is not None and part.selected.words.size:
                        write(part.selected)
                    total += part.summary
                    complaints.see(part.piece)
                advance(part.piece.position + part.piece.size - span.begin)
        except KeyboardInterrupt as interrupt:
            stopped = interrupt
            total = replace(total, is_complete=False)
        complaints.end()
        with held():
            stack.close()
    is_empty = total == Summary(request.arch, request.level)
    name = printable(request.path)
    if stopped is not None:
        complain(f"{name}: {_cause(stopped)}; the summary is that of what was read")
    elif is_empty:
        complain(f"{name}: no words to read")
    is_told = _print_summary(request, total)
    sys.stdout.flush()
    if stopped is not None:
        return stopped.status if isinstance(stopped, Terminated) else 130
    return int(is_empty or not total.is_complete or not is_told)


def _cause(stopped: KeyboardInterrupt) -> str:
    return f"ended by {stopped}" if isinstance(stopped, Terminated) else "interrupted"


def _input(path: str) -> AbstractContextManager[BinaryIO]:
    if path != _STANDARD:
        return opened(path)
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    return nullcontext(sys.stdin.buffer)


def _check_output(request: ScanRequest, selection: Selection | None) -> None:
    """Refuse, before anything is opened, an output that cannot be."""
    if request.format in BINARY_FORMATS:
        try:
            import_module("pyarrow.parquet")
        except ImportError as error:
            raise UnsupportedError(
                f"no {request.format} without pyarrow: pip install 'pmdswp[scan]' ({error})"
            ) from None
    if request.jit:
        try:
            import_module("numba")
        except ImportError as error:
            raise UnsupportedError(f"no compiled loops without numba: pip install 'pmdswp[jit]' ({error})") from None
    if request.output is None:
        if request.format in BINARY_FORMATS and sys.stdout.isatty():
            raise UnsupportedError(f"{request.format} is not for a terminal: name a file with -o")
        return
    if selection is None:
        raise UnsupportedError("no records to write: choose some with --only, or a --format other than table")


@contextmanager
def _writer(request: ScanRequest, source: BinaryIO) -> Iterator[Write]:
    """What writes records to where they are wanted; never to the `source`."""
    mode = "wb" if request.format in BINARY_FORMATS else "w"
    opening = standard_output(mode) if request.output is None else opened_output(request.output, mode, source)
    with opening as file, WRITERS[request.format](request.arch, request.level, file) as write:
        yield write


def _progress(request: ScanRequest, span: Span) -> AbstractContextManager[Callable[[int], object]]:
    """The progress, unless records go to the terminal: there they are the progress."""
    shows_records = request.selection is not None and request.output is None and sys.stdout.isatty()
    total = None if span.end is None else span.end - span.begin
    return progress(request.path, total, is_wanted=not shows_records)


def _print_summary(request: ScanRequest, summary: Summary) -> bool:
    """On standard output, but on standard error if that may be where records are; whether it could be printed."""
    if request.summary == "none":
        return True
    is_output = request.format == "table"

    def write() -> None:
        file = sys.stdout if is_output else sys.stderr
        if request.summary == "json":
            file.write(f"{json.dumps(summary_record(summary, request.path))}\n")
            return
        if is_output and request.only is not None and request.output is None:
            file.write("\n")
        # the stream may have no place for what the name is written with
        encoding = file.encoding or "utf-8"
        for line in summary_lines(summary, request.path):
            file.write(f"{line.encode(encoding, 'backslashreplace').decode(encoding)}\n")

    if is_output:
        write()
        return True
    return on_standard_error(write)
