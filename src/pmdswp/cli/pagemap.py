"""``pmdswp pagemap``: how much of what runs has in swap one PMD entry for each range could stand for."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence

from pmdswp import identify, swaps
from pmdswp.arch import Arch, get_with
from pmdswp.cli.output import complain, print_json
from pmdswp.cli.parser import Parser, add_options, given_options, note
from pmdswp.errors import PmdSwpError, UnsupportedError
from pmdswp.live import EndedError, Processes, Range, Tally, examine
from pmdswp.live.report import Found, many_lines, range_line, range_record, record, tally_lines
from pmdswp.words import excerpt, printable

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = (
    ("see how much of a process's swap PMD entries could hold", "pmdswp pagemap self"),
    ("see which ranges break, and why", "pmdswp pagemap self --ranges"),
    ("look at all processes", "sudo pmdswp pagemap all"),
)

ALL = "all"
SELF = "self"
"""This one, as in /proc."""

_LONGEST = 20
"""Digits of a number of a process; the kernel's own limit has 7, and Python refuses to read thousands."""


def add_arguments(parser: Parser) -> None:
    """The process, and how much to say."""
    parser.add_argument("pid", metavar="PID", help=f"a process of this machine, {SELF} or {ALL}")
    parser.add_argument("--ranges", action="store_true", help="list every PMD-sized range that has a page in swap, too")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Count, and say what came of it."""
    processes = Processes()
    pids = [_pid(options.pid)] if options.pid != ALL else processes.pids()
    arch = _arch(options)
    note([arch])
    survey = _Survey(arch, options, processes)
    is_only = options.pid != ALL
    status = 0
    try:
        for pid in pids:
            survey.look_at(pid, is_only=is_only)
    except KeyboardInterrupt:
        complain(f"interrupted after {len(survey.found)} of {len(pids)} processes")
        status = 130
    survey.show(swaps.read(processes.swaps()), is_only=is_only)
    return status or (1 if is_only and survey.ended else 0)


def _pid(text: str) -> int:
    if text == SELF:
        return os.getpid()
    if not (text.isascii() and text.isdecimal()):
        raise UnsupportedError(f"{excerpt(text)} is not a process: a number, {SELF} or {ALL}")
    if len(text) > _LONGEST:
        raise UnsupportedError(f"no process {excerpt(text)}")
    return int(text)


def _arch(options: argparse.Namespace) -> Arch:
    """The kernel that runs, with the options that are given."""
    try:
        running = identify.from_running_kernel().arch
    except PmdSwpError as error:
        options.arch = os.uname().machine
        given = given_options(options)
        if "kernel" not in given:
            raise UnsupportedError(f"{error}; try --kernel with the release that it is nearest to") from None
        return get_with(options.arch, given)
    options.arch = running.name
    return get_with(running.name, {**dict(running.config.chosen), "kernel": running.release, **given_options(options)})


class _Survey:
    """What was found of processes so far."""

    def __init__(self, arch: Arch, options: argparse.Namespace, processes: Processes) -> None:
        self._arch = arch
        self._processes = processes
        self._json: bool = options.json
        self._ranges: bool = options.ranges
        self._denied = 0
        self.found: list[Found] = []
        self.ended = False

    def look_at(self, pid: int, *, is_only: bool) -> None:
        """Count a process. That one of many ends or is not for us to see is noted; of a single one it is an error."""
        tally, notes = Tally(), list[str]()
        try:
            process = self._processes.open(pid)
        except EndedError:
            if is_only:
                raise UnsupportedError(f"no process {pid}") from None
            return
        except PermissionError as error:
            if is_only:
                raise UnsupportedError(f"{error.filename}: {error.strerror}; try it as root (sudo)") from None
            self._denied += 1
            return
        with process:
            try:
                self._list(pid, examine(self._arch, process, tally, notes))
            except EndedError as error:
                self.ended = True
                notes.append(f"it ended: {error}")
        for text in notes:
            complain(f"process {pid}: {text}")
        self.found.append(Found(pid, process.comm, tally, notes))

    def _list(self, pid: int, ranges: Iterable[Range]) -> None:
        for one in ranges:
            if self._ranges and self._json:
                print_json(range_record(pid, one))
            elif self._ranges:
                print(f"{pid}  {range_line(one)}")

    def show(self, devices: Sequence[swaps.SwapDevice], *, is_only: bool) -> None:
        """Say what was found."""
        if self._denied:
            complain(f"not for you to see: {self._denied} processes")
        if self._json:
            for one in self.found:
                if is_only or one.tally.pages:
                    print_json(record(self._arch, one, devices))
        elif is_only and self.found:
            (one,) = self.found
            print(*tally_lines(self._arch, f"{one.pid} {printable(one.comm)}", one.tally, devices), sep="\n")
        elif not is_only:
            total = Tally()
            for one in self.found:
                total.add_all(one.tally)
            if total.pages:
                print(*many_lines(self._arch, self.found), "", sep="\n")
            swapped = sum(one.tally.pages > 0 for one in self.found)
            title = f"{swapped} of {len(self.found)} processes"
            print(*tally_lines(self._arch, title, total, devices), sep="\n")
