"""The headers of an ELF vmcore, for what gdb does not say of one: where physical memory is, and its notes.

The memory itself gdb reads.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from pmdswp.errors import DecodeError

__all__ = ["Core", "Segment", "read_core"]

_MAGIC = b"\x7fELF"
_CORE_64 = (2, 4)
"""EI_CLASS of 64-bit files, and e_type of core files."""
_PT_LOAD, _PT_NOTE = 1, 4
_HEADER = 56
"""Bytes of a program header."""
_NT_S390_CTRS = 0x304
_LONGEST = 64 << 20
"""Bytes of notes that are read: those of some ten thousand CPUs."""

_QEMU_CR3 = 8 + 18 * 8 + 10 * 24 + 3 * 8
"""Where QEMU's note about an x86 CPU has CR3, and CR4 behind it: after 18 registers, 10 segments, and CR0 to CR2."""


class Segment(NamedTuple):
    """Memory that the file holds: `size` bytes at `physical`, which gdb has at the address `virtual`."""

    physical: int
    virtual: int
    size: int


class Core(NamedTuple):
    """What the headers of a vmcore say.

    `segments` by physical address; `vmcoreinfo` is the text of that note, empty where there is none; `registers`:
    for each CPU, the registers that gdb does not know of a vmcore and that lead to page tables.
    """

    segments: tuple[Segment, ...]
    vmcoreinfo: str
    registers: tuple[Mapping[str, int], ...]

    def place(self, physical: int, size: int) -> int:
        """The address at which gdb has physical memory; `LookupError` where the file does not hold all of it."""
        index = bisect_right(self.segments, (physical, 1 << 64, 0)) - 1
        if index >= 0:
            start, virtual, length = self.segments[index]
            if physical + size <= start + length:
                return virtual + physical - start
        raise LookupError(f"the vmcore holds no {size} bytes at physical {physical:#x}")


def read_core(file: BinaryIO) -> Core:
    """The headers of a vmcore that is open; `DecodeError` if it is not a sound 64-bit ELF core file."""
    start = file.read(64)
    if len(start) < 64 or not start.startswith(_MAGIC):
        raise DecodeError("not an ELF file")
    order = "<" if start[5] == 1 else ">"
    if (start[4], *struct.unpack_from(f"{order}H", start, 16)) != _CORE_64:
        raise DecodeError("an ELF file, but not a 64-bit core file")
    entry_size, count = struct.unpack_from(f"{order}HH", start, 54)
    (offset,) = struct.unpack_from(f"{order}Q", start, 32)
    headers = _read(file, offset, entry_size * count)
    if len(headers) < entry_size * count or entry_size < _HEADER:
        raise DecodeError(f"the file ends before its {count} program headers do")
    segments: list[Segment] = []
    registers: list[Mapping[str, int]] = []
    vmcoreinfo = ""
    for at in range(0, len(headers), entry_size):
        what, _, place, virtual, physical, in_file, _, _ = struct.unpack_from(f"{order}IIQQQQQQ", headers, at)
        if what == _PT_LOAD:
            # gdb has zeros where the file has less than the memory
            segments.append(Segment(physical, virtual, in_file))
        elif what == _PT_NOTE:
            for owner, kind, data in _notes(_read(file, place, min(in_file, _LONGEST)), order):
                vmcoreinfo = data.decode(errors="replace") if owner == b"VMCOREINFO" else vmcoreinfo
                registers.extend(_registers(owner, kind, data, order))
    return Core(tuple(sorted(segments)), vmcoreinfo, tuple(registers))


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    """What the file has there, which may be less, or nothing at an offset that no file can have."""
    if offset >> 63:
        return b""
    file.seek(offset)
    return file.read(size)


def _registers(owner: bytes, kind: int, data: bytes, order: str) -> Iterator[Mapping[str, int]]:
    """The registers of a CPU, if a note has those that are looked for."""
    if owner == b"QEMU" and len(data) >= _QEMU_CR3 + 16:
        cr3, cr4 = struct.unpack_from(f"{order}QQ", data, _QEMU_CR3)
        yield {"cr3": cr3, "cr4": cr4}
    elif (owner, kind) == (b"LINUX", _NT_S390_CTRS) and len(data) >= 16:
        yield {"cr1": struct.unpack_from(f"{order}8xQ", data)[0]}


def _notes(data: bytes, order: str) -> Iterator[tuple[bytes, int, bytes]]:
    """Owner, type and contents of each note; what is cut off at the end is left out."""
    at = 0
    while at + 12 <= len(data):
        name_size, size, kind = struct.unpack_from(f"{order}III", data, at)
        name, contents = at + 12, at + 12 + _padded(name_size)
        at = contents + _padded(size)
        if contents + size <= len(data):
            yield data[name : name + name_size].rstrip(b"\0"), kind, data[contents : contents + size]


def _padded(size: int) -> int:
    return (size + 3) & ~3
