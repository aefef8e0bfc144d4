"""Processes as /proc has them: this one, one of our own making, and ones that change and end meanwhile."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import struct
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

import pmdswp
from live.recorded import ROOT, Recorded, make_process
from pmdswp.live import Area, Count, EndedError, Process, Processes, Range, Tally, examine, read_areas
from pmdswp.pagemap import Category

ARCH = pmdswp.get("x86_64", kernel="6.18")
SMAPS = """\
00400000-00401000 r--p 00000000 fe:00 5506                               /usr/bin/a b
Size:                  4 kB
Swap:                  0 kB
SwapPss:               0 kB
VmFlags: rd mr mw me sd
7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Swap:               2048 kB
7f0000400000-7f0000401000 rw-s 00000000 00:01 7                          /dev/zero (deleted)
Swap:                  4 kB
7ffc0000000-7ffc0001000 rw-p 00000000 00:00 0                            [stack]
Rss:                   4 kB
"""


def test_smaps_lists_mappings() -> None:
    assert read_areas(SMAPS) == [
        Area(0x400000, 0x401000, "/usr/bin/a b", is_anonymous=False, swap=0),
        Area(0x7F0000000000, 0x7F0000400000, "", is_anonymous=True, swap=2 << 20),
        Area(0x7F0000400000, 0x7F0000401000, "/dev/zero (deleted)", is_anonymous=False, swap=4096),
        Area(0x7FFC0000000, 0x7FFC0001000, "[stack]", is_anonymous=True, swap=0),
    ]
    # the kernel has a blank there where a mapping has no name
    assert read_areas("400000-401000 rw-p 00000000 00:00 0 \n")[0].name == ""
    assert read_areas("Swap: 4 kB\nnonsense\n") == []


def test_a_process_reads_as_it_was_recorded(tmp_path: Path) -> None:
    make_process(tmp_path, 7, "a b", ROOT)
    tally, expected = Tally(), Tally()
    with Processes(tmp_path).open(7) as process:
        assert process.comm == "a b"
        found = list(examine(ARCH, process, tally, []))
    assert found == list(examine(ARCH, ROOT, expected, []))
    assert tally == expected
    assert (Processes(tmp_path).pids(), Processes(tmp_path).swaps()) == ([7], ROOT.swaps)
    assert Processes(tmp_path / "7").swaps() == ""


def test_this_process_is_read_by_the_kernel_that_runs() -> None:
    with mmap.mmap(-1, 1 << 16) as memory, Process(os.getpid()) as process:
        memory[0] = 1
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        areas = [area for area in process.areas() if area.start <= start < area.end]
        assert len(areas) == 1
        words = process.words(start, start + (1 << 16))
        assert len(words) == (1 << 16) // mmap.PAGESIZE
        assert words[0] >> 63
        scanned = process.scan(start, start + (1 << 16))
        # None before 6.7
        assert scanned is None or list(scanned) == []
        # addresses that no process has
        assert len(process.words(1 << 63, (1 << 63) + (1 << 16))) == 0


def test_where_there_is_no_process_it_has_ended(tmp_path: Path) -> None:
    with pytest.raises(EndedError, match="it has ended"):
        Processes(tmp_path).open(7)
    make_process(tmp_path, 7, "a", ROOT)
    (tmp_path / "7" / "pagemap").unlink()
    with pytest.raises(EndedError):
        Processes(tmp_path).open(7)


def test_what_is_not_for_us_to_see_is_an_error_of_the_system(tmp_path: Path) -> None:
    make_process(tmp_path, 7, "a", ROOT)
    (tmp_path / "7" / "pagemap").unlink()
    (tmp_path / "7" / "pagemap").symlink_to("pagemap")
    with pytest.raises(OSError, match="symbolic links") as caught:
        Processes(tmp_path).open(7)
    assert caught.value.errno == errno.ELOOP


def test_a_process_that_ends_meanwhile_leaves_what_was_counted(tmp_path: Path) -> None:
    make_process(tmp_path, 7, "a", ROOT)
    os.truncate(tmp_path / "7" / "pagemap", (ROOT.names["shuffled"] >> 9) + 12)
    tally = Tally()
    with (
        Processes(tmp_path).open(7) as process,
        pytest.raises(EndedError, match=f"gone at {ROOT.names['shuffled']:#x}"),
    ):
        list(examine(ARCH, process, tally, []))
    assert (tally.whole, tally.broken) == (Count(2, 1024), Count(1, 512))


def test_mappings_that_change_meanwhile_are_noted() -> None:
    class Changed(Recorded):
        def words(self, start: int, end: int) -> list[int]:
            words = super().words(start, end)
            return [0] * len(words) if start == self.names["holes"] else words

    notes: list[str] = []
    list(examine(ARCH, Changed("x86_64-6.18-root"), Tally(), notes))
    assert notes == ["mappings that changed while they were read: 1; pages in swap, more or fewer: 509"]


class Small:
    """A mapping of a file, and one that begins and ends within PMD-sized ranges."""

    start = (1 << 40) + 0x5000
    shared = 1 << 43

    def areas(self) -> list[Area]:
        size = 3 * ARCH.pmd_size
        return [
            Area(self.start, self.start + size, "", is_anonymous=True, swap=size),
            Area(1 << 41, (1 << 41) + size, "/a", is_anonymous=False, swap=4096),
            Area(1 << 42, (1 << 42) + size, "", is_anonymous=True, swap=0),
            Area(self.shared, self.shared + size, "/dev/zero", is_anonymous=False, swap=size),
        ]

    def words(self, start: int, end: int) -> list[int]:
        word = 0 if start >= self.shared else 1 << 62 | 1
        return [word and word | (address >> 12) << 5 for address in range(start, end, 4096)]

    def scan(self, start: int, end: int) -> None:
        return None


def test_what_is_outside_of_whole_ranges_counts_apart() -> None:
    tally, notes = Tally(), list[str]()
    ranges = list(examine(ARCH, Small(), tally, notes))
    assert (notes, tally.shared) == ([], 3 * 512)
    first = (1 << 40) + ARCH.pmd_size
    assert [(one.start, one.verdict.breaks) for one in ranges] == [(first, ()), (first + ARCH.pmd_size, ())]
    assert isinstance(ranges[0], Range)
    assert (tally.whole, tally.edge, tally.file) == (Count(2, 1024), 512, 3 * 512)
    assert tally.devices == {1: tally.pages}


class Sparse:
    """A large mapping with little in swap, here and there, as PAGEMAP_SCAN says; and a range that has markers only."""

    start, size = 1 << 40, ARCH.pmd_size

    def __init__(self) -> None:
        self.read: list[int] = []

    def areas(self) -> list[Area]:
        return [Area(self.start, self.start + (1 << 40), "", is_anonymous=True, swap=2 * self.size)]

    def words(self, start: int, end: int) -> list[int]:
        assert start % self.size == end % self.size == 0
        assert end - start <= 64 * self.size
        self.read += range(start, end, self.size)
        marker = 1 << 62 | 31 | 1 << 5
        return [marker if a < self.start + self.size else 1 << 62 | (a >> 12) << 5 for a in range(start, end, 4096)]

    def scan(self, start: int, end: int) -> list[tuple[int, int, Category]]:
        at = [(0, 4096), (5 * self.size - 4096, 5 * self.size + 4096), (100 * self.size, 101 * self.size)]
        return [(self.start + first, self.start + last, Category.SWAPPED) for first, last in at]


def test_of_a_large_mapping_only_the_ranges_that_have_something_are_read() -> None:
    memory, tally = Sparse(), Tally()
    found = list(examine(ARCH, memory, tally, []))
    assert [(a - memory.start) // memory.size for a in memory.read] == [0, 4, 5, 100]
    assert [one.start for one in found] == memory.read[1:]
    assert (tally.pages, tally.others) == (3 * 512, {})


# --- PAGEMAP_SCAN --------------------------------------------------------------------------------------------------

Ioctl = Callable[[int, int, bytearray], int]


def scanning(pages: list[tuple[int, int]], at_once: int, ends_at: int | None = None) -> Ioctl:
    """An ioctl that finds these pages, each with its categories; from an address on, the process has ended."""

    def ioctl(_fd: int, number: int, argument: bytearray) -> int:
        size, flags, start, end, _, vector, length, _, _, mask, anyof, shown = struct.unpack("=12Q", argument)
        assert (number, size, flags, anyof) == (0xC0606610, 96, 0, 0)
        assert mask == Category.SWAPPED
        if ends_at is not None and start >= ends_at:
            raise OSError(errno.ESRCH, "gone")
        found = [(page, bits) for page, bits in pages if start <= page < end and bits & mask == mask]
        cut = found[: min(at_once, length)]
        words = array("Q", [word for page, bits in cut for word in (page, page + 4096, bits & shown)])
        ctypes.memmove(vector, words.tobytes(), len(words) * 8)
        struct.pack_into("=Q", argument, 32, cut[-1][0] + 4096 if len(cut) < len(found) else end)
        return len(cut)

    return ioctl


def scanned(process: Process, start: int, end: int) -> list[tuple[int, int, Category]]:
    regions = process.scan(start, end)
    assert regions is not None
    return list(regions)


def test_pagemap_scan_is_asked_until_all_is_scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_process(tmp_path, 7, "a", ROOT)
    swapped = Category.SWAPPED
    pages = [(page * 4096, int(swapped | Category.HUGE | Category.ACCESSED)) for page in range(10, 20)]
    pages[3] = (pages[3][0], int(Category.PRESENT))
    expected = [(page, page + 4096, swapped | Category.HUGE) for page, bits in pages if bits & swapped]
    with Processes(tmp_path).open(7) as process:
        assert process.scan(0, 1 << 20) is None
        for at_once in (1, 4, 100):
            monkeypatch.setattr(fcntl, "ioctl", scanning(pages, at_once))
            assert scanned(process, 0, 1 << 20) == expected
            assert scanned(process, 0, 12 * 4096) == expected[:2]
            assert scanned(process, 1 << 20, 1 << 21) == []
        monkeypatch.setattr(fcntl, "ioctl", scanning(pages, 2, ends_at=13 * 4096))
        assert scanned(process, 0, 1 << 20) == expected[:4]


def test_only_what_has_swapped_pages_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_process(tmp_path, 7, "a", ROOT)
    pages = [(a, int(Category.SWAPPED)) for a, word in ROOT.by_address.items() if word >> 62 == 1]
    expected, tally = Tally(), Tally()
    list(examine(ARCH, ROOT, expected, []))
    monkeypatch.setattr(fcntl, "ioctl", scanning(pages, 1000))
    with Processes(tmp_path).open(7) as process:
        list(examine(ARCH, process, tally, []))
    assert tally == expected
