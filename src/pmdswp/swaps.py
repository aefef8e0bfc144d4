r"""Swap devices: which one a type number in an entry stands for, and how many slots it has.

>>> from pmdswp import swaps
>>> text = "Filename  Type  Size  Used  Priority\n/dev/sda2  partition  2097148  0  -2\n/swapfile  file  1048572  0  -3"
>>> devices = swaps.read(text)
>>> devices[1].name, devices[1].pages(4096)
('/swapfile', 262143)

The type of an entry is the device's number in the kernel's `swap_info`. None of these texts shows that number: the
kernel lists devices in its order, so that the n-th line is type n as long as no device was taken away (swapoff) that
came before one still there. `CAVEAT` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["CAVEAT", "SwapDevice", "read", "read_line", "starts_table"]

CAVEAT = "the number of a device is its place in the list, which holds unless one before it was taken away by swapoff"
"""What is to be said of every device whose number was counted."""


class SwapDevice(NamedTuple):
    """A swap device or file: its type number, its name, and its size in bytes, without the header.

    `size` is None where only a rounded one is known.
    """

    type: int
    name: str
    size: int | None

    def pages(self, page_size: int) -> int | None:
        """How many pages it can hold; None if its size is not known."""
        return None if self.size is None else self.size // page_size

    def last_slot(self, page_size: int) -> int | None:
        """The highest slot that it can have; None if its size is not known.

        Slot 0 is its header, so that this is the number of pages. A partition may have bad blocks beside them, as many
        as its header has room to list (`mkswap --check`): no text shows them.
        """
        pages = self.pages(page_size)
        if pages is None or not self.name.startswith("/dev/") or self.name.startswith("/dev/zram"):
            return pages
        return pages + (page_size - _BAD_BLOCKS_AT - _MAGIC) // 4


_BAD_BLOCKS_AT, _MAGIC = 1536, 10
"""Bytes: where the list of bad blocks begins in the header of a device, and what ends the page that it is in."""


class _Row(NamedTuple):
    """What a line says of a device; `is_event`: it is of a log, and tells that the device was added."""

    name: str
    size: int | None
    is_event: bool = False


_KIB = 1024

_HEADER = re.compile(
    r"\s*(?:Filename\s+Type\s+Size\s+Used\s+Prio|NAME\s+TYPE\s+SIZE\s+USED\s+PRIO|SWAP_INFO_STRUCT\s+TYPE\s+SIZE"
    r"|FILENAME\s+TYPE\s+SIZE\s+USED\s+PCT)"
)
"""/proc/swaps and `swapon -s`; `swapon --show`; crash's `swap`, and that of old versions."""

_PROC = re.compile(r"\s*(\S+)\s+(?:partition|file)\s+(\d+)\s+\d+\s+-?\d+\s*")
_SWAPON = re.compile(r"\s*(\S+)\s+(?:partition|file)\s+\d+(?:\.\d+)?[BKMGTP]\s+\d+(?:\.\d+)?[BKMGTP]\s+-?\d+\s*")
_CRASH = re.compile(r"\s*[0-9a-f]{16}\s+(?:PARTITION|FILE)\s+(\d+)k\s+\d+k\s+\d+%\s+-?\d+\s+(\S+)\s*")
_OLD_CRASH = re.compile(r"\s*(\S+)\s+(?:PARTITION|FILE)\s+(\d+)k\s+\d+k\s+\d+%\s+-?\d+\s*")
_ADDING = re.compile(r".*?\bAdding (\d+)k swap on (\S+?)\.\s+Priority:.*")

_ESCAPE = re.compile(r"\\([0-7]{3})")


def _row(line: str) -> _Row | None:
    match = _PROC.fullmatch(line) or _OLD_CRASH.fullmatch(line)
    if match is not None:
        return _Row(match[1], int(match[2]) * _KIB)
    match = _CRASH.fullmatch(line)
    if match is not None:
        return _Row(match[2], int(match[1]) * _KIB)
    match = _SWAPON.fullmatch(line)
    if match is not None:
        return _Row(match[1], None)
    match = _ADDING.fullmatch(line)
    return None if match is None else _Row(match[2], int(match[1]) * _KIB, is_event=True)


_HINTS = ("partition", "file", "PARTITION", "FILE", "Adding ")
_LONGEST_LINE = 4096


def _read_row(line: str) -> _Row | None:
    is_likely = len(line) <= _LONGEST_LINE and any(hint in line for hint in _HINTS)
    return _row(line) if is_likely else None


def starts_table(line: str) -> bool:
    """Whether a line is the head of a table of swap devices."""
    return len(line) <= _LONGEST_LINE and _HEADER.match(line) is not None


def read_line(line: str) -> tuple[str, int | None] | None:
    """Name and size in bytes of the device that a line is about; None if it is about none."""
    row = _read_row(line)
    return None if row is None else (_unescaped(row.name), row.size)


def read(text: str | Iterable[str]) -> tuple[SwapDevice, ...]:
    """The devices that a text, or its lines, lists; none if it lists none.

    It takes /proc/swaps, `swapon -s` and `swapon --show`, crash's `swap`, and the lines of a kernel log that say which
    swap was added. Of several tables the last counts, and a table more than a log. Other lines are passed over.
    """
    tables: list[list[_Row]] = [[]]
    log: dict[str, _Row] = {}
    for line in text.splitlines() if isinstance(text, str) else text:
        if starts_table(line):
            tables.append([])
            continue
        row = _read_row(line)
        if row is not None and row.is_event:
            log.setdefault(row.name, row)
        elif row is not None:
            tables[-1].append(row)
    listed = next((rows for rows in reversed(tables) if rows), list(log.values()))
    return tuple(_numbered(listed))


def _numbered(rows: Iterable[_Row]) -> Iterator[SwapDevice]:
    for number, row in enumerate(rows):
        yield SwapDevice(number, _unescaped(row.name), row.size)


def _unescaped(name: str) -> str:
    """A name with the blanks and backslashes that the kernel writes in octal."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name)
