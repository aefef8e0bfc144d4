"""What ``pmdswp dump`` does."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NamedTuple

from pmdswp.dump.explanation import explain
from pmdswp.dump.opened import Dump
from pmdswp.dump.processes import Process
from pmdswp.dump.records import BINARY_FORMATS, WRITERS, Write, records
from pmdswp.dump.rows import rows
from pmdswp.dump.summary import Summary, summarise, summary_lines, summary_record
from pmdswp.errors import UnsupportedError, brief, escaped
from pmdswp.formula import MASK64
from pmdswp.scan.selection import Selection
from pmdswp.scan.streams import opened_output, standard_output
from pmdswp.walk import Step

__all__ = ["DumpRequest", "command"]


_EVERY = 4096
"""Records after which progress is shown."""


class DumpRequest(NamedTuple):
    """What ``pmdswp dump`` is asked for."""

    path: str
    vmcoreinfo: str | None
    machine: str | None
    options: Mapping[str, object]
    pids: tuple[int, ...]
    comms: tuple[str, ...]
    roots: tuple[int, ...]
    va: tuple[int, int | None] | None
    only: str | None
    split: bool
    summary: bool
    format: str
    output: str | None

    @property
    def wants_records(self) -> bool:
        """Whether entries are asked for one by one: by any way to choose some, or by a format that is not text."""
        chosen = self.pids or self.comms or self.roots or self.only or self.split
        return not self.summary and bool(chosen or self.va or self.format != "table")


def command(request: DumpRequest, complain: Callable[[str], None]) -> int:
    """Do what ``pmdswp dump`` does, and return its exit status; `complain` prints a line of what could not be had.

    0; 1 if a table could not be read, or if no process was found. Errors are those of `Dump.open`, and
    `UnsupportedError` for a process that is not there.
    """
    text = None
    if request.vmcoreinfo is not None:
        with open(request.vmcoreinfo, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            text = file.read()
    if request.summary and request.format in ("csv", "parquet"):
        raise UnsupportedError(f"a summary is text or JSON, not {request.format}")
    selection = None if request.only is None else Selection.named(request.only)
    dump = Dump.open(
        request.path,
        vmcoreinfo=text,
        machine=request.machine,
        options=request.options,
        note=complain,
    )
    if request.format != "table":
        for note in dump.arch.notes:
            complain(f"note: {note}")
    processes = _chosen(dump, request)
    if not processes:
        complain("no process was found: the dump may be cut off, or filtered; --root gives a root table by hand")
    asked = _Asked(dump, request, selection, _Unread(dump))
    with _output(request) as file:
        if request.va is not None and request.va[1] is None and request.format == "table" and not request.summary:
            _explain(dump, processes, request.va[0], file)
        elif request.wants_records:
            with WRITERS[request.format](dump.arch, file) as write:
                for process in processes:
                    _record(asked, process, write)
        else:
            _summarise(asked, processes, file)
    return 1 if asked.unread.count or not processes else 0


def _chosen(dump: Dump, request: DumpRequest) -> list[Process]:
    """The processes that are asked for; all where none is named."""
    if request.roots:
        return [Process(None, None, root) for root in request.roots]
    found = [
        process
        for process in dump.processes
        if not (request.pids or request.comms) or process.pid in request.pids or process.comm in request.comms
    ]
    for pid in request.pids:
        if all(process.pid != pid for process in found):
            raise UnsupportedError(f"no process {pid} with memory of its own is in the dump; {_known(dump)}")
    for comm in request.comms:
        if all(process.comm != comm for process in found):
            raise UnsupportedError(f"no process with memory is called {brief(comm)} in the dump; {_known(dump)}")
    return found


def _known(dump: Dump) -> str:
    names = [f"{process.pid} {process.comm}" for process in dump.processes]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"it has {escaped(', '.join(names[:20])) or 'none'}{more}"


class _Unread:
    """Tells of tables that could not be read: of the first few of a process, then how many there are."""

    _FEW = 5

    def __init__(self, dump: Dump) -> None:
        self._dump, self.count = dump, 0

    def of(self, process: Process) -> Callable[[Step], None]:
        """What notes the tables of a process."""
        told = 0

        def note(step: Step) -> None:
            nonlocal told
            self.count += 1
            told += 1
            if told <= self._FEW:
                where = f"{step.va:#x}-{step.va + step.size & MASK64:#x}, at {step.entry_address:#x},"
                self._dump.note(
                    f"{process}: the {step.level} table for {where} cannot be read, or was walked too often"
                )
            elif told == self._FEW + 1:
                self._dump.note(f"{process}: and more such tables")

        return note


class _Asked(NamedTuple):
    """What is asked for, and what it is asked of."""

    dump: Dump
    request: DumpRequest
    selection: Selection | None
    unread: _Unread

    @property
    def wanted(self) -> range:
        """The addresses."""
        start, stop = (0, self.dump.user_end()) if self.request.va is None else self.request.va
        return range(start, start + 1 if stop is None else stop)


def _record(asked: _Asked, process: Process, write: Write) -> None:
    dump = asked.dump
    found = rows(dump, process, asked.wanted, asked.selection, asked.unread.of(process))
    with _progress(f"process {process.pid}") as advance:
        for count, record in enumerate(records(dump, process, found, split=asked.request.split), start=1):
            write(record)
            if count % _EVERY == 0:
                advance(count)


def _explain(dump: Dump, processes: list[Process], va: int, file: IO[str]) -> None:
    for number, process in enumerate(processes):
        if number:
            file.write("\n")
        file.writelines(f"{line}\n" for line in explain(dump, process, va))
    file.writelines(f"note: {note}\n" for note in dump.arch.notes)


def _summarise(asked: _Asked, processes: list[Process], file: IO[str]) -> None:
    dump, is_json = asked.dump, asked.request.format == "json"
    found: list[tuple[Process, Summary]] = []
    for number, process in enumerate(processes, start=1):
        with _progress(f"process {number} of {len(processes)}") as advance:
            summary = summarise(dump, process, asked.wanted, asked.unread.of(process), advance)
        if is_json:
            file.write(f"{json.dumps(summary_record(dump.arch, process, summary, dump.device))}\n")
        else:
            found.append((process, summary))
    if not is_json:
        file.writelines(f"{line}\n" for line in summary_lines(dump.arch, found, list(dump.devices.values())))


@contextmanager
def _output(request: DumpRequest) -> Iterator[IO[Any]]:
    """Where records, or the summary, go; never over the dump."""
    mode = "wb" if request.format in BINARY_FORMATS and request.wants_records else "w"
    if request.output is None:
        if mode == "wb" and sys.stdout.isatty():
            raise UnsupportedError(f"{request.format} is not for a terminal; -o FILE says where to write it")
        with standard_output(mode) as file:
            yield file
        return
    with open(request.path, "rb") as source, opened_output(request.output, mode, source) as file:  # noqa: PTH123
        yield file


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], object]]:
    """What shows how far it is, on one line of standard error, where that is a terminal and nothing else goes there."""
    stream = sys.stderr
    if stream is None or not stream.isatty() or sys.stdout.isatty():
        yield lambda _: None
        return

    def show(done: int) -> None:
        stream.write(f"\r{what}: {done:,} entries\x1b[K")
        stream.flush()

    try:
        yield show
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
