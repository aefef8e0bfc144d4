"""An ELF vmcore is written: memory by physical address, with the VMCOREINFO note. What drgn, crash and gdb read.

Only what is not zero takes room: the file has holes for the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, NamedTuple

from pmdswp.errors import UnsupportedError

__all__ = ["MACHINE_NUMBERS", "Span", "write_vmcore"]

MACHINE_NUMBERS: Mapping[str, tuple[int, str]] = {
    "x86_64": (62, "<"),
    "arm64": (183, "<"),
    "riscv64": (243, "<"),
    "s390x": (22, ">"),
    "ppc64": (21, "<"),
    "loongarch64": (258, "<"),
}
"""Architecture -> its number in ELF, and the byte order, which for ppc64 is that of ppc64le."""

_HEADER, _PROGRAM_HEADER = 64, 56
_CORE, _LOAD, _NOTE = 4, 1, 4
_PAGE = 4096


class Span(NamedTuple):
    """A stretch of physical memory that is in the dump; what nobody writes there is zero."""

    start: int
    size: int


def write_vmcore(
    file: BinaryIO, machine: str, spans: Sequence[Span], pages: Iterable[tuple[int, bytes]], vmcoreinfo: str = ""
) -> None:
    """Write a vmcore to an empty file that can be sought in.

    `pages` are pieces of memory by physical address, each within one of the `spans`, in any order; `vmcoreinfo` is the
    text of that note, if there is one. `UnsupportedError` for a machine that is not known and for a piece outside.
    """
    if machine not in MACHINE_NUMBERS:
        raise UnsupportedError(f"no vmcore of {machine!r}; allowed: {', '.join(MACHINE_NUMBERS)}")
    number, order = MACHINE_NUMBERS[machine]
    note = _note("VMCOREINFO", vmcoreinfo.encode(), order) if vmcoreinfo else b""
    count = len(spans) + 1
    start = _HEADER + count * _PROGRAM_HEADER
    ident = b"\x7fELF" + bytes((2, 1 if order == "<" else 2, 1)) + bytes(9)
    file.write(
        ident
        + struct.pack(
            f"{order}HHIQQQIHHHHHH", _CORE, number, 1, 0, _HEADER, 0, 0, _HEADER, _PROGRAM_HEADER, count, 0, 0, 0
        )
    )
    headers = [(_NOTE, start, 0, len(note))]
    place = _up(start + len(note))
    places = []
    for span in spans:
        headers.append((_LOAD, place, span.start, span.size))
        places.append(place)
        place = _up(place + span.size)
    # as QEMU does it, virtual addresses are the physical ones: gdb reads by these
    one = struct.Struct(f"{order}IIQQQQQQ")
    file.writelines(one.pack(kind, 7, offset, at, at, size, size, 0) for kind, offset, at, size in headers)
    file.write(note)
    for address, data in pages:
        file.seek(_place(spans, places, address, len(data)))
        file.write(data)
    file.truncate(place)


def _note(owner: str, data: bytes, order: str) -> bytes:
    """A note: who has made it, and what it says."""
    name = owner.encode() + b"\0"
    head = struct.pack(f"{order}III", len(name), len(data), 0)
    return head + name + bytes(-len(name) % 4) + data + bytes(-len(data) % 4)


def _up(place: int) -> int:
    return -(-place // _PAGE) * _PAGE


def _place(spans: Sequence[Span], places: Sequence[int], address: int, size: int) -> int:
    for span, place in zip(spans, places, strict=True):
        if span.start <= address and address + size <= span.start + span.size:
            return place + address - span.start
    raise UnsupportedError(f"{size} bytes at {address:#x} are in no span of the dump")
