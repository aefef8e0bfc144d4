"""Dumps as a hypervisor writes them of its guest: what they lack, or say wrongly, is found in the guest's memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import pmdswp
from dump.kernel import FakeKernel

pytest.importorskip("drgn", reason="dumps are read by drgn")

from pmdswp.dump import Dump
from pmdswp.dump.drgn import Core, machine_in
from pmdswp.dump.elf import MACHINE_NUMBERS, Span, write_vmcore
from pmdswp.dump.image import TABLE
from pmdswp.walk import ReadError

VA = 0x10000000000
PLACE, MARK = 1 << 35, b"\xee" * 4096
"""A page that is in the dump beside the kernel's own, and what it holds before something is put there."""


def kernel_of(name: str, **options: Any) -> FakeKernel:
    """A kernel with a process that has one swapped page."""
    kernel = FakeKernel(pmdswp.get(name, kernel="6.12", **options))
    tables = kernel.tables()
    tables.put(VA, kernel.arch.encode_pte(0, 0x321))
    kernel.process(1, "init", kernel.mm(tables))
    kernel.extra[PLACE] = MARK
    return kernel


def is_read(dump: Dump, kernel: FakeKernel) -> bool:
    """Whether the kernel was identified, and the process, its root and its swapped page found."""
    [init] = dump.processes
    last = dump.lookup(init, VA)[-1]
    return (dump.arch, init.comm, last.word) == (kernel.arch, "init", kernel.arch.encode_pte(0, 0x321))


def pointed(kernel: FakeKernel, name: str, address: int) -> str:
    """The kernel's VMCOREINFO, with another address for a symbol."""
    text, count = re.subn(rf"(?m)^SYMBOL\({name}\)=.*$", f"SYMBOL({name})={address:x}", kernel.vmcoreinfo())
    assert count == 1
    return text


@pytest.fixture
def _big_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers of ppc64 are big-endian, whatever the kernel is."""
    monkeypatch.setattr("pmdswp.dump.elf.MACHINE_NUMBERS", {**MACHINE_NUMBERS, "ppc64": (21, ">")})


@pytest.mark.parametrize("name", ["x86_64", "riscv64", "s390x"])
def test_vmcoreinfo_is_found_in_memory_where_the_dump_has_no_note(tmp_path: Path, name: str) -> None:
    kernel = kernel_of(name)
    kernel.extra[PLACE - 4096] = b"OSRELEASE=as some other text begins\n".ljust(4096, b"\0")
    path = kernel.write(tmp_path / "vmcore", without=["vmcoreinfo"])
    path.write_bytes(path.read_bytes().replace(MARK, kernel.vmcoreinfo().encode().ljust(4096, b"\0")))
    dump = Dump.open(path)
    assert dump.core.vmcoreinfo == kernel.vmcoreinfo()
    assert is_read(dump, kernel)
    assert not dump.notes


def with_a_note(path: Path, owner: str, kind: int, content: bytes) -> Path:
    """The dump with one note, as QEMU writes of a CPU, in the place of its own, and behind its headers."""
    data = bytearray(path.read_bytes())
    name = owner.encode() + b"\0"
    note = struct.pack("<III", len(name), len(content), kind) + name.ljust(len(name) + 3 & -4, b"\0") + content
    header, flags, _, va, pa, *_ = struct.unpack_from("<IIQQQQQQ", data, 64)
    assert header == 4
    count = struct.unpack_from("<H", data, 56)[0]
    place = 64 + 56 * count
    assert not any(data[place : place + len(note)])
    data[place : place + len(note)] = note
    struct.pack_into("<IIQQQQQQ", data, 64, header, flags, place, va, pa, len(note), len(note), 4)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["x86_64", "arm64"])
def test_a_dump_of_qemu_that_drgn_refuses_for_its_vmcoreinfo_is_opened_by_the_one_in_memory(
    tmp_path: Path, name: str
) -> None:
    kernel = kernel_of(name)
    path = kernel.write(tmp_path / "vmcore", without=["vmcoreinfo"])
    with_a_note(path, "QEMU", 0, struct.pack("<II", 1, 440) + bytes(432))
    with pytest.raises(ReadError, match="unrecognized QEMU memory dump"):
        Dump.open(path)
    with pytest.raises(ReadError, match="VMCOREINFO does not contain"):
        Dump.open(path, vmcoreinfo="OSRELEASE=6.12\n")
    assert is_read(Dump.open(path, vmcoreinfo=kernel.vmcoreinfo()), kernel)
    path.write_bytes(path.read_bytes().replace(MARK, kernel.vmcoreinfo().encode().ljust(4096, b"\0")))
    dump = Dump.open(path)
    assert is_read(dump, kernel)
    assert not dump.notes


def test_a_kdump_of_qemu_says_neither_architecture_nor_vmcoreinfo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import drgn  # noqa: PLC0415

    program = drgn.Program

    def refusing(platform: object = None, **given: object) -> object:
        if platform is None or not given:
            raise LookupError("linux.vmcoreinfo.raw is not set")
        return program(platform, **given)

    monkeypatch.setattr(drgn, "Program", refusing)
    kernel = kernel_of("arm64")
    path = kernel.write(tmp_path / "vmcore", without=["vmcoreinfo"])
    for options in ({}, {"machine": "arm64"}):
        with pytest.raises(ReadError, match=r"linux\.vmcoreinfo\.raw is not set"):
            Core.open(path, **options)
    path.write_bytes(path.read_bytes().replace(MARK, kernel.vmcoreinfo().encode().ljust(4096, b"\0")))
    path = with_a_note(path, "CORE", 1, bytes(392))
    for options in ({}, {"machine": "arm64"}):
        assert is_read(Dump.open(path, **options), kernel)  # type: ignore[arg-type]


def test_without_vmcoreinfo_anywhere_it_is_said_that_the_kernel_is_assumed(tmp_path: Path) -> None:
    path = kernel_of("riscv64").write(tmp_path / "vmcore", without=["vmcoreinfo"])
    assert any("no VMCOREINFO" in note and "--vmcoreinfo" in note for note in Dump.open(path).notes)
    assert not any("no VMCOREINFO" in note for note in Dump.open(path, options={"kernel": "6.12"}).notes)


@pytest.mark.usefixtures("_big_headers")
@pytest.mark.parametrize("page_size", [4096, 65536])
def test_headers_of_the_other_byte_order_do_not_matter(tmp_path: Path, page_size: int) -> None:
    kernel = kernel_of("ppc64", page_size=page_size)
    path = kernel.write(tmp_path / "vmcore")
    assert path.read_bytes()[5] == 2
    dump = Dump.open(path)
    assert dump.core.byteorder == "little"
    assert is_read(dump, kernel)
    assert not dump.notes


@pytest.mark.usefixtures("_big_headers")
def test_the_byte_order_of_the_headers_holds_where_nothing_is_against_it(tmp_path: Path) -> None:
    kernel = kernel_of("ppc64")
    path = kernel.write(tmp_path / "vmcore")
    nowhere = pointed(kernel, "kallsyms_num_syms", 0xC << 60 | 1 << 45)
    assert Core.open(path, vmcoreinfo=nowhere).byteorder == "big"
    # of such a number either order is as good
    assert Core.open(path, vmcoreinfo=pointed(kernel, "kallsyms_num_syms", 0xC << 60 | PLACE)).byteorder == "big"
    path = kernel_of("ppc64").write(tmp_path / "vmcore", without=["symbols"])
    assert Core.open(path).byteorder == "big"


@pytest.mark.parametrize("name", ["s390x", "ppc64"])
def test_memory_in_one_piece_from_0_on_is_physical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def in_one_piece(
        file: BinaryIO, machine: str, spans: Sequence[Span], pages: Iterable[tuple[int, bytes]], vmcoreinfo: str = ""
    ) -> None:
        write_vmcore(file, machine, [Span(0, max(map(sum, spans)))], pages, vmcoreinfo)

    monkeypatch.setattr("pmdswp.dump.image.write_vmcore", in_one_piece)
    kernel = kernel_of(name)
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert is_read(dump, kernel)
    assert not dump.notes


def test_symbols_that_are_damaged_are_none(tmp_path: Path) -> None:
    kernel = kernel_of("ppc64")
    path = kernel.write(tmp_path / "vmcore")
    dump = Dump.open(path, vmcoreinfo=pointed(kernel, "kallsyms_names", 0xC << 60 | PLACE))
    assert dump.processes == ()
    assert any("no symbols (kallsyms)" in note for note in dump.notes)


@pytest.mark.parametrize("levels", [3, 4])
def test_the_empty_tables_of_loongarch64_are_found_without_symbols(tmp_path: Path, levels: int) -> None:
    names = ("invalid_pud_table", "invalid_pmd_table", "invalid_pte_table")[4 - levels :]
    places = {name: 0x9 << 60 | PLACE + (1 + i << 16) for i, name in enumerate(names)}
    page_size, va_bits = {3: (16384, 47), 4: (4096, 48)}[levels]
    kernel = kernel_of("loongarch64", page_size=page_size, va_bits=va_bits, **places)
    for name, below in pairwise(names):
        kernel.extra[places[name] - (0x9 << 60)] = places[below].to_bytes(8, "little") * (page_size // 8)
    path = kernel.write(tmp_path / "vmcore")
    assert is_read(Dump.open(path), kernel)
    # a root table that is full of something else leads nowhere
    full = bytes.fromhex("0102030405060708") + bytes(range(256)) * (page_size // 256)
    kernel.extra[PLACE] = full[:page_size]
    kernel.info_symbols["swapper_pg_dir"] = 0x9 << 60 | PLACE
    path = kernel.write(tmp_path / "vmcore")
    assert Dump.open(path).arch.config.option("invalid_pte_table") != places["invalid_pte_table"]


def test_the_root_tables_of_loongarch64_are_found_where_nothing_leads_to_the_processes(tmp_path: Path) -> None:
    kernel = kernel_of("loongarch64")
    level, size = kernel.arch.tables[0], kernel.arch.page_size
    root, empty = kernel.memory.root + TABLE, level.to_bytes(level.empty)
    # of a process that has nothing, what is no table, and one of which half is not there
    kernel.extra[PLACE] = empty * level.entries
    kernel.extra[PLACE + size] = b"text" * 2 + empty * (level.entries - 1)
    kernel.extra[PLACE + 3 * size] = empty * (level.entries // 2)
    dump = Dump.open(kernel.write(tmp_path / "vmcore", without=["symbols"]))
    assert [(process.pid, process.root) for process in dump.processes] == [(None, root)]
    assert dump.lookup(dump.processes[0], VA)[-1].word == kernel.arch.encode_pte(0, 0x321)
    assert any("whose they are is not known" in note for note in dump.notes)
    elsewhere = pointed(kernel, "swapper_pg_dir", 0xFFFF800000000000)
    dump = Dump.open(tmp_path / "vmcore", vmcoreinfo=elsewhere)
    assert dump.processes == ()
    assert any("cannot be looked for" in note for note in dump.notes)


def test_the_architecture_is_in_the_notes_and_never_tried(tmp_path: Path) -> None:
    path = tmp_path / "kdump"
    sizes = {"x86_64": 336, "arm64": 392, "riscv64": 376, "ppc64": 504, "loongarch64": 480}
    for name, size in sizes.items():
        path.write_bytes(bytes(100) + struct.pack("<III", 5, size, 1) + b"CORE\0\0\0\0" + bytes(size))
        assert machine_in(path) == name
    for name, size in {"s390x": 336, "ppc64": 504}.items():
        path.write_bytes(struct.pack(">III", 5, size, 1) + b"CORE\0\0\0\0" + bytes(size))
        assert machine_in(path) == name
    path.write_bytes(bytes(100) + b"OSRELEASE=6.12\nNUMBER(TCR_EL1_T1SZ)=0x10\n\0" + bytes(100))
    assert machine_in(path) == "arm64"
    path.write_bytes(bytes(100))
    assert machine_in(path) is None
    assert machine_in(tmp_path / "nowhere") is None
