"""The headers of vmcores, sound and broken; and what registers say of page tables."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debuggers.fake import core_file, note, qemu_note
from pmdswp import DecodeError
from pmdswp.gdb.core import Core, Segment, read_core
from pmdswp.gdb.registers import ROOTS, Root


def read(data: bytes) -> Core:
    return read_core(io.BytesIO(data))


@pytest.mark.parametrize("order", ["<", ">"])
def test_memory_is_where_the_headers_say(order: str) -> None:
    file = core_file(b"", {(0x8000, 0x18000): bytes(0x1000), (0x1000, 0x11000): bytes(0x2000)}, order)
    core = read(file)
    assert core == Core((Segment(0x1000, 0x11000, 0x2000), Segment(0x8000, 0x18000, 0x1000)), "", ())
    assert core.place(0x1000, 0x2000) == 0x11000
    assert core.place(0x8FF8, 8) == 0x18FF8
    for physical, size in ((0xFF8, 8), (0x2FF9, 8), (0x3000, 1), (0x8FF9, 8), (0x9000, 1)):
        with pytest.raises(LookupError, match=f"no {size} bytes at physical {physical:#x}"):
            core.place(physical, size)


def test_notes_tell_of_the_kernel_and_of_each_cpu() -> None:
    notes = b"".join(
        [
            note(b"CORE", 1, b"12345"),
            qemu_note(0x1000, 0x20),
            qemu_note(0x2000, 0x1020),
            note(b"QEMU", 0, b"too short"),
            note(b"VMCOREINFO", 0, b"OSRELEASE=6.12\nPAGESIZE=4096\n"),
            note(b"OTHER", 0x304, bytes(128)),
        ]
    )
    core = read(core_file(notes, {}))
    assert core.vmcoreinfo == "OSRELEASE=6.12\nPAGESIZE=4096\n"
    assert core.registers == ({"cr3": 0x1000, "cr4": 0x20}, {"cr3": 0x2000, "cr4": 0x1020})


def test_s390x_has_its_control_registers_in_a_note() -> None:
    controls = note(b"LINUX", 0x304, struct.pack(">16Q", *range(16)), ">") + note(b"LINUX", 0x304, b"short", ">")
    assert read(core_file(controls, {}, ">", 22)).registers == ({"cr1": 1},)


def test_a_note_that_is_cut_off_is_left_out() -> None:
    notes = note(b"VMCOREINFO", 0, b"OSRELEASE=6.12\n")
    assert read(core_file(notes + note(b"VMCOREINFO", 0, b"x" * 100)[:-20], {})).vmcoreinfo == "OSRELEASE=6.12\n"
    assert read(core_file(notes + b"12345", {})).vmcoreinfo == "OSRELEASE=6.12\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not an ELF file"),
        (b"\x7fELF", "not an ELF file"),
        (b"KDUMP   " + bytes(100), "not an ELF file"),
        (b"\x7fELF\1" + core_file(b"", {})[5:], "not a 64-bit core file"),
        (core_file(b"", {})[:16] + b"\2" + core_file(b"", {})[17:], "not a 64-bit core file"),
        (core_file(b"", {})[:100], "the file ends before its 1 program headers do"),
        (core_file(b"", {})[:54] + b"\1" + core_file(b"", {})[55:], "the file ends before"),
    ],
)
def test_what_is_no_vmcore_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        read(data)


@given(st.binary(min_size=46, max_size=400), st.integers(0, 3))
def test_whatever_follows_the_magic_number_is_read_or_refused(data: bytes, count: int) -> None:
    header = bytearray(b"\x7fELF\2\1\1" + bytes(9) + b"\4\0" + data)
    struct.pack_into("<HH", header, 54, 56, count)
    with suppress(DecodeError):
        read(bytes(header))


@pytest.mark.parametrize("offset", [1 << 62, (1 << 64) - 1])
def test_places_that_no_file_has_are_empty(offset: int) -> None:
    file = bytearray(core_file(note(b"VMCOREINFO", 0, b"OSRELEASE=6.12\n"), {(0, 0): b"1234"}))
    struct.pack_into("<Q", file, 64 + 8, offset)
    assert read(bytes(file)).vmcoreinfo == ""
    struct.pack_into("<I", file, 64, 6)
    assert read(bytes(file)) == Core((Segment(0, 0, 4),), "", ())
    struct.pack_into("<Q", file, 32, offset)
    with pytest.raises(DecodeError, match="the file ends before its 2 program headers do"):
        read(bytes(file))


def root(machine: str, registers: Mapping[str, int], va: int = 0) -> Root | None:
    return ROOTS[machine](registers.get, va)


def options(found: Root | None) -> dict[str, object]:
    assert found is not None
    assert not found.problem
    return {name: value for name, (value, _) in found.told.items()}


def test_x86_has_its_root_in_cr3_beside_other_bits() -> None:
    found = root("x86_64", {"cr3": 1 << 63 | 0xFFFFF_FFFFF_005, "cr4": 1 << 12})
    assert found is not None
    assert (found.address, found.register, options(found)) == (0xFFFFF_FFFFF_000 & (1 << 52) - 1, "cr3", {"la57": True})
    assert options(root("x86_64", {"cr3": 0x1000, "cr4": 0, "cr0": 1 << 31})) == {"la57": False}
    assert options(root("x86_64", {"cr3": 0x1000})) == {}
    assert root("x86_64", {}) is None
    off = root("x86_64", {"cr3": 0x1000, "cr0": 0x11})
    assert off is not None
    assert off.problem == "CR0 has paging off"


UPPER = 1 << 55 | 0xFF << 56


@pytest.mark.parametrize(
    ("pages", "lower", "upper"), [(4096, 0 << 14, 2 << 30), (16384, 2 << 14, 1 << 30), (65536, 1 << 14, 3 << 30)]
)
def test_arm64_has_a_root_for_each_half(pages: int, lower: int, upper: int) -> None:
    control = lower | upper | 17 << 16 | 16
    registers = {"TTBR0_EL1": 0x1234_0000_8000_0041, "TTBR1_EL1": 0x90000000, "TCR_EL1": control}
    low, high = root("arm64", registers), root("arm64", registers, UPPER)
    assert low is not None
    assert high is not None
    assert (low.address, low.register) == (0x8000_0040, "TTBR0_EL1")
    assert (high.address, high.register) == (0x90000000, "TTBR1_EL1")
    assert options(low) == {"page_size": pages, "va_bits": 48, "pa_bits": 48}
    assert options(high) == {"page_size": pages, "va_bits": 47, "pa_bits": 48}


@pytest.mark.parametrize("control", [1 << 59 | 12, 1 << 59 | 2 << 14 | 12, 6 << 32 | 1 << 14 | 12])
def test_arm64_has_four_more_bits_of_address_below_the_others(control: int) -> None:
    found = root("arm64", {"TTBR0_EL1": 0x8000_0000_0000 | 0xF << 2 | 0x40, "TCR_EL1": control})
    assert found is not None
    assert found.address == 0xF_8000_0000_0040
    assert options(found)["pa_bits"] == 52
    assert options(found)["va_bits"] == 52


@pytest.mark.parametrize("control", [0, 3 << 14 | 16])
def test_arm64_without_tables_is_said(control: int) -> None:
    found = root("arm64", {"TTBR0_EL1": 0, "TCR_EL1": control})
    assert found is not None
    assert found.problem == f"TCR_EL1 is {control:#x}: no tables are set up"
    assert root("arm64", {"TTBR0_EL1": 0}) is None
    assert root("arm64", {"TCR_EL1": 0}, UPPER) is None


@pytest.mark.parametrize(("mode", "bits"), [(8, 39), (9, 48), (10, 57)])
def test_riscv_says_its_levels_in_satp(mode: int, bits: int) -> None:
    found = root("riscv64", {"satp": mode << 60 | 0xFFFF << 44 | 0x80123})
    assert found is not None
    assert (found.address, options(found)) == (0x80123000, {"va_bits": bits})


def test_riscv_without_translation_and_machines_without_registers() -> None:
    off = root("riscv64", {"satp": 0})
    assert off is not None
    assert off.problem == "satp is 0x0: translation is off"
    assert root("riscv64", {}) is None
    assert root("s390x", {}) is None
    assert root("s390x", {"cr1": 0x1C7}) == Root(0x1C7, "cr1")
