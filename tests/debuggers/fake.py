"""A target of gdb's that is not there: registers, memory and packets as they are given."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pmdswp.walk import ReadError

__all__ = ["FakeTarget", "core_file", "note", "qemu_note"]


def _nothing(physical: int, _size: int) -> bytes:
    raise ReadError(f"Cannot access memory at address {physical:#x}")


@dataclass
class FakeTarget:
    """Answers as gdb would. `physical` is the memory of a machine in QEMU, `memory` that of a core file."""

    name: str = "i386:x86-64"
    registers: Mapping[str, int] = field(default_factory=dict)
    physical: Callable[[int, int], bytes] | None = None
    memory: Callable[[int, int], bytes] = _nothing
    path: str | None = None
    kernel: str | None = None
    thread: int = 0
    order: Literal["little", "big"] = "little"
    mode: str = "0"
    modes: list[str] = field(default_factory=list)

    def architecture(self) -> str:
        return self.name

    def byteorder(self) -> Literal["little", "big"]:
        return self.order

    def register(self, name: str) -> int | None:
        return self.registers.get(name)

    def cpu(self) -> int:
        return self.thread

    def read(self, address: int, size: int) -> bytes:
        if self.mode == "1" and self.physical is not None:
            return self.physical(address, size)
        return self.memory(address, size)

    def packet(self, text: str) -> str:
        if self.physical is None:
            return ""
        if text.startswith("Q"):
            self.mode = text.partition(":")[2]
            self.modes.append(self.mode)
            return "OK"
        return self.mode

    def core(self) -> str | None:
        return self.path

    def release(self) -> str | None:
        return self.kernel


def note(owner: bytes, kind: int, data: bytes, order: str = "<") -> bytes:
    """A note as ELF has it."""
    name = owner + b"\0"
    padded = b"".join(part + bytes(-len(part) % 4) for part in (name, data))
    return struct.pack(f"{order}III", len(name), len(data), kind) + padded


def qemu_note(cr3: int, cr4: int) -> bytes:
    """QEMU's note about an x86 CPU, with nothing else in it."""
    return note(b"QEMU", 0, struct.pack("<II", 1, 440) + bytes(384) + struct.pack("<5Q", 0, 0, 0, cr3, cr4) + bytes(8))


def core_file(notes: bytes, segments: Mapping[tuple[int, int], bytes], order: str = "<", machine: int = 62) -> bytes:
    """A core file: (physical, virtual) -> memory."""
    headers = 1 + len(segments)
    at = 64 + 56 * headers
    program = [struct.pack(f"{order}IIQQQQQQ", 4, 0, at, 0, 0, len(notes), len(notes), 0)]
    body = notes
    for (physical, virtual), memory in segments.items():
        size = len(memory)
        program.append(struct.pack(f"{order}IIQQQQQQ", 1, 7, at + len(body), virtual, physical, size, size, 0))
        body += memory
    ident = b"\x7fELF" + bytes([2, 1 if order == "<" else 2, 1]) + bytes(9)
    header = struct.pack(f"{order}HHIQQQIHHHHHH", 4, machine, 1, 0, 64, 0, 0, 64, 56, headers, 0, 0, 0)
    return ident + header + b"".join(program) + body
