"""A process that runs, by what /proc says of it. It may change and end meanwhile: that is noted, and is no error."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from pmdswp.arch import Arch
from pmdswp.errors import PmdSwpError
from pmdswp.live.ranges import Verdict, is_swapped, judge
from pmdswp.live.tally import Tally
from pmdswp.pagemap import ENTRY_SIZE, Category

__all__ = ["Area", "EndedError", "Memory", "Process", "Processes", "Range", "examine", "read_areas"]


class EndedError(PmdSwpError):
    """A process that is not there any more."""


class Area(NamedTuple):
    """A mapping of a process: a line of smaps. `swap` is in bytes; `is_anonymous`: private memory without a file."""

    start: int
    end: int
    name: str
    is_anonymous: bool
    swap: int


class Range(NamedTuple):
    """A PMD-sized range at an address, with what it is made of; `area` is the mapping that it is in."""

    start: int
    verdict: Verdict
    area: Area


class Memory(Protocol):
    """What `examine` asks of a process."""

    def areas(self) -> list[Area]:
        """Its mappings."""

    def words(self, start: int, end: int) -> Sequence[int]:
        """The pagemap words of a range of addresses; fewer where the process has ended."""

    def scan(self, start: int, end: int) -> Iterable[tuple[int, int, Category]] | None:
        """The parts of a range that have swapped pages, in order; None where the kernel does not say."""


_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ \S+ (\d+) *(.*)")
_SWAP = re.compile(r"Swap: +(\d+) kB")


def read_areas(text: str) -> list[Area]:
    """The mappings that a text in the form of /proc/PID/smaps lists."""
    found: list[Area] = []
    for line in text.splitlines():
        head = _HEAD.fullmatch(line)
        if head is not None:
            start, end, mode, inode, name = head.groups()
            found.append(Area(int(start, 16), int(end, 16), name, mode[3] == "p" and inode == "0", 0))
        elif found and (swap := _SWAP.fullmatch(line)) is not None:
            found[-1] = found[-1]._replace(swap=int(swap[1]) << 10)
    return found


_WINDOWS = 64
"""PMD-sized ranges that are read at once."""


def examine(arch: Arch, memory: Memory, tally: Tally, notes: list[str]) -> Iterator[Range]:
    """Count all that a process has in swap, and yield its PMD-sized ranges that have a page there.

    What happens meanwhile goes into `notes`. `EndedError` if the process ends; what was counted until then stays so.
    """
    changed, differ = 0, 0
    for area in memory.areas():
        if not area.swap:
            continue
        before = tally.pages
        for start, end in _windows(arch, memory, area, tally):
            words = memory.words(start, end)
            if len(words) < end - start >> arch.page_shift:
                raise EndedError(f"its memory was gone at {start:#x}")
            yield from _ranges(arch, area, start, words, tally)
        pages = tally.pages - before
        told = area.swap >> arch.page_shift
        if not area.is_anonymous:
            tally.shared += max(0, told - pages)
        elif pages != told:
            changed, differ = changed + 1, differ + abs(pages - told)
    if changed:
        notes.append(f"mappings that changed while they were read: {changed}; pages in swap, more or fewer: {differ}")


def _windows(arch: Arch, memory: Memory, area: Area, tally: Tally) -> Iterator[tuple[int, int]]:
    """The parts of a mapping to read, in pieces that end where PMD-sized ranges do."""
    size, step = arch.pmd_size, arch.pmd_size * _WINDOWS
    regions = memory.scan(area.start, area.end)
    if regions is None:
        regions = [(area.start, area.end, Category(0))]
    begun, done = area.start, area.start
    for first, last, categories in regions:
        if arch.has_pmd_swap and Category.HUGE in categories:
            for _ in range(first // size, -(-last // size)):
                tally.huge = tally.huge.plus(size >> arch.page_shift)
        low, high = max(first // size * size, area.start), min(-(-last // size) * size, area.end)
        if low > done:
            yield from _pieces(begun, done, step)
            begun = low
        done = max(done, high)
    yield from _pieces(begun, done, step)


def _pieces(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = min(end, start // step * step + step)
        yield start, stop
        start = stop


def _ranges(arch: Arch, area: Area, start: int, words: Sequence[int], tally: Tally) -> Iterator[Range]:
    """The PMD-sized ranges among the words from an address on."""
    nr, shift = arch.hpage_pmd_nr, arch.page_shift
    # up to the first border of a range
    at = 0
    while at < len(words):
        here = start + (at << shift)
        until = min(len(words), at + nr - (here >> shift) % nr)
        part = words[at:until]
        at = until
        if not is_swapped(part):
            continue
        if len(part) == nr and area.is_anonymous:
            verdict = judge(arch, part)
            tally.add(verdict)
            if verdict.swapped:
                yield Range(here, verdict, area)
            continue
        outside = judge(arch, [*part, *[0] * (nr - len(part))])
        tally.devices.update(outside.devices)
        if area.is_anonymous:
            tally.edge += outside.swapped
        else:
            tally.file += outside.swapped


# --- /proc ----------------------------------------------------------------------------------------------------------

_PM_SCAN = struct.Struct("=12Q")
_PAGEMAP_SCAN = 3 << 30 | _PM_SCAN.size << 16 | ord("f") << 8 | 16
"""_IOWR('f', 16, struct pm_scan_arg): the same number on every architecture that pmdswp knows."""
_REGION = 3
"""Words of a struct page_region."""
_REGIONS = 1024
_GONE = (errno.ESRCH, errno.ENOENT)


class Process:
    """The memory of a process, by /proc. `EndedError` where there is no such process; else `OSError`, as for `open`."""

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        self.pid = pid
        self._path = proc / str(pid)
        self.comm = self._text("comm").removesuffix("\n")
        self._smaps = self._text("smaps")
        try:
            self._pagemap = os.open(self._path / "pagemap", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _ended(error) from None
        self._page_size = os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._pagemap)

    def _text(self, name: str) -> str:
        try:
            return (self._path / name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise _ended(error) from None

    def areas(self) -> list[Area]:
        """Its mappings, as they were when it was opened."""
        return read_areas(self._smaps)

    def words(self, start: int, end: int) -> array[int]:
        """The pagemap words of a range of addresses; fewer where the process has ended."""
        wanted, place = (end - start) // self._page_size * ENTRY_SIZE, start // self._page_size * ENTRY_SIZE
        data = b""
        with suppress(OSError):
            while len(data) < wanted and (more := os.pread(self._pagemap, wanted - len(data), place + len(data))):
                data += more
        words = array("Q")
        words.frombytes(data[: len(data) // ENTRY_SIZE * ENTRY_SIZE])
        return words

    def scan(self, start: int, end: int) -> Iterator[tuple[int, int, Category]] | None:
        """The parts of a range that have swapped pages, by PAGEMAP_SCAN; None before 6.7."""
        try:
            first = self._scan(start, end)
        except OSError:
            return None
        return self._regions(first, end)

    def _regions(self, found: tuple[array[int], int], end: int) -> Iterator[tuple[int, int, Category]]:
        while True:
            regions, walked = found
            for i in range(0, len(regions), _REGION):
                yield regions[i], regions[i + 1], Category(regions[i + 2])
            if walked >= end or not regions:
                return
            try:
                found = self._scan(walked, end)
            except OSError:
                # it has ended; the words that are read next say so
                return

    def _scan(self, start: int, end: int) -> tuple[array[int], int]:
        """Some regions, and up to where the kernel has looked for them."""
        regions = array("Q", bytes(_REGIONS * _REGION * ENTRY_SIZE))
        wanted, shown = Category.SWAPPED, Category.SWAPPED | Category.HUGE
        place, _ = regions.buffer_info()
        argument = bytearray(_PM_SCAN.pack(_PM_SCAN.size, 0, start, end, 0, place, _REGIONS, 0, 0, wanted, 0, shown))
        count = fcntl.ioctl(self._pagemap, _PAGEMAP_SCAN, argument)
        return regions[: count * _REGION], _PM_SCAN.unpack(argument)[4]


def _ended(error: OSError) -> Exception:
    return EndedError("it has ended") if error.errno in _GONE else error


class Processes(NamedTuple):
    """All processes that there are."""

    proc: Path = Path("/proc")

    def pids(self) -> list[int]:
        """Their numbers, in order."""
        return sorted(int(path.name) for path in self.proc.iterdir() if path.name.isdecimal())

    def open(self, pid: int) -> Process:
        """One of them; errors are those of `Process`."""
        return Process(pid, self.proc)

    def swaps(self) -> str:
        """The list of swap devices; empty where the kernel has no swap."""
        with suppress(OSError):
            return (self.proc / "swaps").read_text(encoding="utf-8", errors="replace")
        return ""
