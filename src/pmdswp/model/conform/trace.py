"""Traces of running kernels: what a guest program saw after each operation of a history.

A trace is text, or that compressed by xz. Its first line says what kernel it is of; then come histories, each begun
by ``H name``. A history is steps: ``o`` the operation, ``r`` its result, ``d`` how event counters changed, ``u`` swap
pages in use, and for each process ``v`` its VMAs, ``s`` sums of smaps in kilobytes and VmSwap, ``g`` runs of pages as
pagemap, mincore and the pages themselves have them, ``c`` the regions of PAGEMAP_SCAN. Lines that begin with ``#`` are
notes of something that went wrong.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from pmdswp.errors import DecodeError

__all__ = [
    "ARMED",
    "EXCLUSIVE",
    "KINDS",
    "PRESENT",
    "RESIDENT",
    "SMAPS",
    "SWAPPED",
    "TOUCHED",
    "Header",
    "History",
    "Step",
    "View",
    "Wanted",
    "read",
]

PRESENT, SWAPPED, TOUCHED, EXCLUSIVE, ARMED, RESIDENT = (1 << bit for bit in range(6))
"""What is known of a page: in memory, on swap, soft-dirty, pagemap's bit 56, armed for userfaultfd, resident."""

KINDS = {"state": PRESENT | SWAPPED, "soft-dirty": TOUCHED, "exclusive": EXCLUSIVE, "uffd": ARMED, "mincore": RESIDENT}
"""What is compared of a page, and the bits that say it."""

_LETTERS = {"P": PRESENT, "S": SWAPPED, "d": TOUCHED, "x": EXCLUSIVE, "u": ARMED, "m": RESIDENT, "z": 0}

SMAPS = (
    "Rss",
    "Pss",
    "Pss_Dirty",
    "Shared_Clean",
    "Shared_Dirty",
    "Private_Clean",
    "Private_Dirty",
    "Anonymous",
    "LazyFree",
    "AnonHugePages",
    "Swap",
    "SwapPss",
    "Locked",
    "VmSwap",
)
"""The sums of an ``s`` line, in its order."""


class Header(NamedTuple):
    """What a trace is of: the kernel's release and machine, sizes in bytes, and how many pages swap has.

    `synchronous` is whether a write to the device is finished when it returns, as to a RAM disk.
    """

    release: str
    machine: str
    page_size: int
    pmd_size: int
    swap_pages: int
    synchronous: bool = True


class View(NamedTuple):
    """What was seen of one process. Pages are numbered from the start of the range that the histories play on.

    `pages` has a byte of what is known for each page, `values` something that is the same for the same frame and for
    the same slot, and rises with slots by `slot_step`; `tokens` has what the page holds, or -1 if that is not known.
    `scan` are regions as (first, pages, categories), or None where there is no PAGEMAP_SCAN (before 6.7).
    """

    pages: bytes
    values: Sequence[int]
    tokens: Sequence[int]
    smaps: Sequence[int]
    scan: Sequence[tuple[int, int, int]] | None
    slot_step: int = 1


@dataclass(slots=True)
class Step:
    """One operation and what was seen after it. `views` has the processes by number."""

    operation: str
    result: str = ""
    moved: int | None = None
    events: dict[str, int] = field(default_factory=dict)
    used: int = 0
    views: dict[int, View] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class History(NamedTuple):
    """A history by its name."""

    name: str
    steps: list[Step]


Wanted = Callable[[int, str], bool]
"""Whether a history is wanted, by its number from 0 and its name."""


@contextmanager
def read(path: Path, wanted: Wanted | None = None) -> Iterator[tuple[Header, Iterator[History]]]:
    """Open a trace: its header, and the histories that are wanted, all if nothing says which, one after the other.

    `DecodeError` that names the line for what is no trace, `OSError` if the file cannot be read.
    """
    with path.open("rb") as file, _plain(file) as text:
        reader = _Reader(path.name, text)
        yield reader.header(), reader.histories(wanted)


@contextmanager
def _plain(file: IO[bytes]) -> Iterator[Iterable[bytes]]:
    magic = file.read(6)
    file.seek(0)
    if magic != b"\xfd7zXZ\x00":
        yield file
        return
    with lzma.open(file, "rb") as text:
        yield text


_WITHIN = frozenset("orduvsgc")
"""What lines of a history begin with."""

_NO_SCAN = "E25"
"""In place of regions, where the kernel does not know the request (ENOTTY)."""

_UNREAD = (1 << 64) - 1

_Views = dict[int, dict[str, str]]
"""Lines of each process since the last step, by what they begin with."""


class _Reader:
    def __init__(self, name: str, lines: Iterable[bytes]) -> None:
        self._name = name
        self._lines = iter(lines)
        self._number = 0
        self._pages = 0
        self._known: dict[str, tuple[bytes, list[int], list[int]]] = {}

    def _wrong(self, line: str) -> DecodeError:
        return DecodeError(f"{self._name}:{self._number}: {line[:80]!r} is not a line of a trace")

    def _next(self) -> Iterator[str]:
        try:
            for line in self._lines:
                self._number += 1
                yield line.decode("ascii").rstrip("\n")
        except (lzma.LZMAError, EOFError, UnicodeDecodeError):
            raise DecodeError(f"{self._name}:{max(self._number, 1)}: not text, nor text compressed by xz") from None

    def header(self) -> Header:
        """The first line."""
        line = next(self._next(), "")
        first, *words = line.split() or [""]
        fields = dict(word.partition("=")[::2] for word in words)
        try:
            page_size, pmd_size, swap_pages = (int(fields[name]) for name in ("pagesize", "thp", "devpages"))
            synchronous = fields.get("device", "/dev/ram0").startswith("/dev/ram")
            header = Header(fields["release"], fields["machine"], page_size, pmd_size, swap_pages, synchronous)
        except (ValueError, KeyError):
            raise self._wrong(line) from None
        if first != "BEGIN" or header.page_size <= 0 or header.pmd_size % header.page_size:
            raise self._wrong(line)
        self._pages = 4 * header.pmd_size // header.page_size
        return header

    def histories(self, wanted: Wanted | None) -> Iterator[History]:
        """The histories; what is seen of a process that did not change is kept once."""
        number = -1
        history: History | None = None
        views: _Views = {}
        # the last history ends where another would begin
        for line in chain(self._next(), ["H"]):
            kind, _, rest = line.partition(" ")
            try:
                if kind == "H":
                    if history is not None:
                        self._see(history, views)
                        yield history
                    self._known.clear()
                    number += 1
                    name = rest.partition(" ")[0]
                    history = History(rest, []) if wanted is None or wanted(number, name) else None
                elif number < 0 or history is not None:
                    self._take(history, kind, rest, views)
            except (ValueError, KeyError, IndexError):
                raise self._wrong(line) from None

    def _take(self, history: History | None, kind: str, rest: str, views: _Views) -> None:
        """A line within a history; `ValueError` if there is none such."""
        if kind == "#":
            if history is not None and history.steps:
                history.steps[-1].notes.append(rest)
        elif kind not in _WITHIN or history is None:
            raise ValueError(kind)
        elif kind == "o":
            self._see(history, views)
            history.steps.append(Step(rest))
        elif kind in "rdu":
            self._say(history.steps[-1], kind, rest)
        else:
            number, _, words = rest.partition(" ")
            views.setdefault(int(number), {})[kind] = words

    @staticmethod
    def _say(step: Step, kind: str, rest: str) -> None:
        if kind == "r":
            step.result, *more = rest.split() or [""]
            for word in more:
                name, _, value = word.partition("=")
                if name == "moved":
                    step.moved = int(value)
        elif kind == "d":
            step.events = {name: int(value) for name, _, value in (word.partition("=") for word in rest.split())}
        else:
            step.used = int(rest)

    def _see(self, history: History, views: _Views) -> None:
        """Give what was seen of processes to the last step, unless the guest program was in trouble by then."""
        if history.steps and history.steps[-1].notes:
            views.clear()
        for number, lines in views.items():
            pages, values, tokens = self._runs(lines["g"])
            sums = tuple(map(int, lines["s"].split()))
            if len(sums) != len(SMAPS):
                raise ValueError(lines["s"])
            regions = [word.replace("+", ":").split(":") for word in lines["c"].split()]
            scan = None if lines["c"] == _NO_SCAN else [(int(a), int(n), int(found, 16)) for a, n, found in regions]
            history.steps[-1].views[number] = View(pages, values, tokens, sums, scan)
        views.clear()

    def _runs(self, line: str) -> tuple[bytes, list[int], list[int]]:
        known = self._known.get(line)
        if known is not None:
            return known
        pages, values, tokens = bytearray(self._pages), [0] * self._pages, [-1] * self._pages
        for word in line.split():
            where, letters, *numbers = word.split(":")
            first, number = map(int, where.split("+"))
            own = slice(first, first + number)
            if number <= 0 or first + number > self._pages:
                raise ValueError(word)
            pages[own] = bytes([sum(_LETTERS[letter] for letter in letters)]) * number
            if numbers:
                value, token = (int(text, 16) for text in numbers)
                values[own] = [value] * number if "z" in letters else range(value, value + number)
                # what could not be read is all ones
                tokens[own] = range(token, token + number) if 0 < token < _UNREAD else [-(token == _UNREAD)] * number
        known = self._known[line] = bytes(pages), values, tokens
        return known
