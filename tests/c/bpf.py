"""A header as BPF bytecode, run over arrays of words by an interpreter that knows what may be in it.

The verifier of the kernel wants what is checked here: no loop, no call, no memory but a register that is put by on the
stack. Without jumps back a function can be run for all words at once: each instruction changes the registers of those
words that come by.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from c.compilers import bpf_compiler, run
from c.reader import Function, Header
from c.replay import PREFIX, Replay, Words, arguments
from pmdswp import Arch, array
from pmdswp.render.c_header import header

_WRAPPER = "uint64_t each_NAME(uint64_t a, uint64_t b)\n{\n\t(void)b;\n\treturn (uint64_t)NAME(ARGUMENTS);\n}\n"
_DECODE = """
uint64_t each_NAME(uint64_t a)
{
	return NAME(a).offset;
}
uint64_t rest_NAME(uint64_t a)
{
	const struct pmdswp_entry entry = NAME(a);
	return entry.state | (entry.kind << 8) | (entry.swp_type << 16) | ((uint64_t)entry.flags << 24);
}
"""


class Instruction(NamedTuple):
    """One instruction, as it is encoded."""

    code: int
    target: int
    source: int
    offset: int
    immediate: int


class Bytecode(Replay):
    """The functions of a header as BPF bytecode."""

    def __init__(self, arch: Arch, folder: Path) -> None:
        text = header(arch)
        functions = Header(text).functions
        super().__init__(arch, {name: one for name, one in functions.items() if not name.endswith("_bytes")})
        source, compiled = folder / "functions.c", folder / "functions.o"
        source.write_text(text + "".join(map(_wrapper, self.functions.values())), encoding="utf-8")
        run(bpf_compiler(), "-target", "bpf", "-std=c11", "-ffreestanding", "-O2", "-c", "-o", compiled, source)
        self.code = dict(_functions_of(compiled.read_bytes()))

    def answers(self, name: str, words: Words, others: Words | None = None) -> Words:
        return execute(self.code[f"each_{name}"], words, words if others is None else others)

    def decoded(self, name: str, words: Words) -> array.Columns:
        rest = execute(self.code[f"rest_{name}"], words, words)
        state, kind, swp_type, flags = ((rest >> np.uint64(8 * i)).astype(np.uint8) for i in range(4))
        return array.Columns(state, kind, swp_type, flags, self.answers(name, words))

    def of_bytes(self, words: Words) -> Iterator[str]:
        """They go through memory, of which the interpreter has none."""
        return iter(())


def _wrapper(function: Function) -> str:
    if function.name.startswith(f"{PREFIX}decode_"):
        return _DECODE.replace("NAME", function.name)
    return _WRAPPER.replace("NAME", function.name).replace("ARGUMENTS", arguments(function, "a", "b"))


def _functions_of(elf: bytes) -> Iterator[tuple[str, list[Instruction]]]:
    """Name and code of every function of an object file."""
    start, size, count, names_at = struct.unpack_from("<Q", elf, 40) + struct.unpack_from("<3H", elf, 58)
    headers = [struct.unpack_from("<2I4Q2I2Q", elf, start + size * i) for i in range(count)]

    def content(i: int) -> bytes:
        return elf[headers[i][4] : headers[i][4] + headers[i][5]]

    def name(table: bytes, at: int) -> str:
        return table[at : table.index(b"\0", at)].decode()

    sections = {name(content(names_at), one[0]): i for i, one in enumerate(headers)}
    assert ".rel.text" not in sections, "the code refers to something outside"
    text, symbols = content(sections[".text"]), content(sections[".symtab"])
    strings = content(sections[".strtab"])
    for at in range(0, len(symbols), 24):
        name_at, info, _, _, value, length = struct.unpack_from("<I2BH2Q", symbols, at)
        if info & 15 == 2:
            yield name(strings, name_at), [_instruction(text, i) for i in range(value, value + length, 8)]


def _instruction(text: bytes, at: int) -> Instruction:
    code, registers, offset, immediate = struct.unpack_from("<2Bhi", text, at)
    return Instruction(code, registers & 15, registers >> 4, offset, immediate)


_MASK64, _MASK32 = (1 << 64) - 1, (1 << 32) - 1
_ARITHMETIC: Mapping[int, Callable[[Any, Any, int], Any]] = {
    0x00: lambda x, y, bits: x + y,
    0x10: lambda x, y, bits: x - y,
    0x20: lambda x, y, bits: x * y,
    0x40: lambda x, y, bits: x | y,
    0x50: lambda x, y, bits: x & y,
    0x60: lambda x, y, bits: x << (y & np.uint64(bits - 1)),
    0x70: lambda x, y, bits: x >> (y & np.uint64(bits - 1)),
    0x80: lambda x, y, bits: np.uint64(0) - x,
    0xA0: lambda x, y, bits: x ^ y,
    0xB0: lambda x, y, bits: y,
    0xC0: lambda x, y, bits: (x.astype(np.int64) >> (y & np.uint64(63)).astype(np.int64)).astype(np.uint64),
}
_CONDITIONS: Mapping[int, Callable[[Any, Any], Any]] = {
    0x10: lambda x, y: x == y,
    0x20: lambda x, y: x > y,
    0x30: lambda x, y: x >= y,
    0x40: lambda x, y: (x & y) != 0,
    0x50: lambda x, y: x != y,
    0x60: lambda x, y: x.astype(np.int64) > y.astype(np.int64),
    0x70: lambda x, y: x.astype(np.int64) >= y.astype(np.int64),
    0xA0: lambda x, y: x < y,
    0xB0: lambda x, y: x <= y,
    0xC0: lambda x, y: x.astype(np.int64) < y.astype(np.int64),
    0xD0: lambda x, y: x.astype(np.int64) <= y.astype(np.int64),
}
_ALU32, _JUMP, _JUMP32, _ALU64 = 4, 5, 6, 7
_STORE, _LOAD, _FRAME = 0x7B, 0x79, 10
_END = Instruction(0, 0, 0, 0, 0)


def execute(code: list[Instruction], first: Words, second: Words) -> Words:
    """What a function gives of pairs of words; it fails for what the verifier would not take, or is not known here."""
    machine = _Machine(first, second)
    skip = False
    for place, (one, following) in enumerate(zip(code, [*code[1:], _END], strict=True)):
        if skip:
            skip = False
        elif one.code == 0x18:
            machine.arrive(place)
            machine.set(one.target, np.uint64(one.immediate & _MASK32 | (following.immediate & _MASK32) << 32))
            skip = True
        else:
            machine.arrive(place)
            machine.step(one, place)
    assert not machine.here.any(), "the code has no end"
    return machine.out


class _Machine:
    """The registers of each word, and which words come by."""

    def __init__(self, first: Words, second: Words) -> None:
        self.registers = [np.zeros_like(first) for _ in range(11)]
        self.registers[1], self.registers[2] = first, second
        self.here: Any = np.ones(first.shape, np.bool_)
        self.waiting: dict[int, Any] = {}
        self.out = np.zeros_like(first)
        self.stack: dict[int, Any] = {}

    def arrive(self, place: int) -> None:
        """The words that jumped to this place come by as well."""
        self.here = self.here | self.waiting.pop(place, np.False_)

    def set(self, register: int, value: Any) -> None:
        self.registers[register] = np.where(self.here, value, self.registers[register])

    def step(self, one: Instruction, place: int) -> None:
        kind, operation = one.code & 7, one.code & 0xF0
        right: Any = self.registers[one.source] if one.code & 8 else np.uint64(one.immediate & _MASK64)
        if kind in (_ALU64, _ALU32):
            self._compute(one, operation, right, 64 if kind == _ALU64 else 32)
        elif one.code == _STORE and one.target == _FRAME:
            self.stack[one.offset] = np.where(self.here, right, self.stack.get(one.offset, right))
        elif one.code == _LOAD and one.source == _FRAME:
            self.set(one.target, self.stack[one.offset])
        elif one.code == 0x95:
            self.out = np.where(self.here, self.registers[0], self.out)
            self.here = np.zeros_like(self.here)
        else:
            assert kind in (_JUMP, _JUMP32), f"instruction {one.code:#x} is of memory"
            assert operation != 0x80, "a call"
            assert one.offset >= 0, "a loop"
            self._jump(one, operation, right, place, 64 if kind == _JUMP else 32)

    def _compute(self, one: Instruction, operation: int, right: Any, bits: int) -> None:
        left = self.registers[one.target]
        assert not (operation == 0xC0 and bits == 32), "not known here"
        assert not (operation == 0xB0 and one.offset), "not known here"
        if bits == 32:
            left, right = left & np.uint64(_MASK32), right & np.uint64(_MASK32)
        value = _ARITHMETIC[operation](left, right, bits)
        self.set(one.target, value & np.uint64(_MASK32) if bits == 32 else value)

    def _jump(self, one: Instruction, operation: int, right: Any, place: int, bits: int) -> None:
        left = self.registers[one.target]
        if operation == 0:
            taken = self.here
        elif bits == 32:
            assert operation not in (0x60, 0x70, 0xC0, 0xD0), "not known here"
            taken = self.here & _CONDITIONS[operation](left & np.uint64(_MASK32), right & np.uint64(_MASK32))
        else:
            taken = self.here & _CONDITIONS[operation](left, right)
        to = place + 1 + one.offset
        self.waiting[to] = self.waiting.get(to, np.False_) | taken
        self.here = self.here & ~taken
