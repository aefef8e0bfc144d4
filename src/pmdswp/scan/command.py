"""What ``pmdswp scan`` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.scan.complaints import Complaints
from pmdswp.scan.files import Span, opened
from pmdswp.scan.interrupts import held
from pmdswp.scan.progress import progress
from pmdswp.scan.records import BINARY_FORMATS, FORMATS, WRITERS, Write
from pmdswp.scan.report import SUMMARIES, summary_lines, summary_record
from pmdswp.scan.scanner import Scanner
from pmdswp.scan.selection import Selection
from pmdswp.scan.summary import Summary
from pmdswp.softleaf import LevelName as Level

__all__ = ["Request", "command"]

_STANDARD = "-"


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
        span = Span.of(file, request.offset, request.length, is_stream=request.path == _STANDARD)
        write = stack.enter_context(_writer(request))
        advance = stack.enter_context(_progress(request, span))
        complaints = Complaints(request.path, complain)
        scanner = Scanner(request.arch, request.level, selection, request.jit)
        try:
            for part in scanner.parts(file, span, request.threads):
                with held():
                    if part.selected is not None and part.selected.words.size:
                        write(part.selected)
                    total += part.summary
                    complaints.see(part.piece)
                advance(part.piece.position + part.piece.size - span.begin)
        except KeyboardInterrupt:
            is_interrupted = True
            total = replace(total, is_complete=False)
        complaints.end()
        with held():
            stack.close()
    is_empty = total == Summary(request.arch, request.level)
    if is_interrupted:
        complain(f"{request.path}: interrupted; the summary is that of what was read")
    elif is_empty:
        complain(f"{request.path}: no words to read")
    _print_summary(request, total)
    return 130 if is_interrupted else int(is_empty or not total.is_complete)


def _input(path: str) -> AbstractContextManager[BinaryIO]:
    if path != _STANDARD:
        return opened(path)
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    return nullcontext(sys.stdin.buffer)


def _check_output(request: Request, selection: Selection | None) -> None:
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
    paths = Path(request.path), Path(request.output)
    if request.path != _STANDARD and all(path.exists() for path in paths) and paths[0].samefile(paths[1]):
        raise UnsupportedError(f"{request.output} is the file to be read")


@contextmanager
def _writer(request: Request) -> Iterator[Write]:
    """What writes records to where they are wanted."""
    is_binary = request.format in BINARY_FORMATS
    with ExitStack() as stack:
        file: Any
        if request.output is None:
            file = sys.stdout.buffer if is_binary else sys.stdout
        elif is_binary:
            file = stack.enter_context(Path(request.output).open("wb"))
        else:
            file = stack.enter_context(Path(request.output).open("w", encoding="utf-8", newline=""))
        yield stack.enter_context(WRITERS[request.format](request.arch, request.level, file))


def _progress(request: Request, span: Span) -> AbstractContextManager[Callable[[int], object]]:
    """The progress, unless records go to the terminal: there they are the progress."""
    shows_records = request.selection is not None and request.output is None and sys.stdout.isatty()
    total = None if span.end is None else span.end - span.begin
    return progress(request.path, total, is_wanted=not shows_records)


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
