"""Where members are, by BTF and by debug information."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pmdswp
from dump.kernel import FakeKernel
from pmdswp import DecodeError
from pmdswp.dump.btf import Btf, Member
from pmdswp.dump.image import MEMBERS, btf

INT, PTR, ARRAY, STRUCT, UNION, TYPEDEF, CONST = 1, 2, 3, 4, 5, 8, 10


def made(types: list[bytes], names: bytes, *, order: str = "<", layout: bytes = b"") -> bytes:
    data = b"".join(types)
    head = 32 if layout else 24
    sizes = [head, 0, len(data), len(data), len(names)]
    sizes += [len(data) + len(names), len(layout)] if layout else []
    return struct.pack(f"{order}HBB{len(sizes)}I", 0xEB9F, 1, 0, *sizes) + data + names + layout


def of(name: int, kind: int, size: int, *behind: int, vlen: int = 0, flag: int = 0, order: str = "<") -> bytes:
    return struct.pack(f"{order}{3 + len(behind)}I", name, flag << 31 | kind << 24 | vlen, size, *behind)


NAMES = b"\0s\0a\0b\0c\0deep\0other\0"
S, A, B, C, DEEP, OTHER = (
    NAMES.index(b"\0" + name + b"\0") + 1 for name in (b"s", b"a", b"b", b"c", b"deep", b"other")
)


@pytest.mark.parametrize("order", ["<", ">"])
def test_members_of_every_kind_are_found(order: str) -> None:
    def t(*numbers: int, **more: Any) -> bytes:
        return of(*numbers, order=order, **more)

    types = [
        t(0, INT, 4, 32),  # 1
        t(0, PTR, 1),  # 2
        t(A, TYPEDEF, 1),  # 3
        t(0, CONST, 3),  # 4
        t(0, ARRAY, 0, 4, 1, 6),  # 5: six of them
        t(0, UNION, 8, DEEP, 2, 0, vlen=1),  # 6: without a name
        t(0, STRUCT, 8, 0, 6, 0, vlen=1),  # 7: and again
        # s: a at 0, an array b at 8, what has no name at 32, a bit field c in byte 40
        t(S, STRUCT, 48, A, 4, 0, B, 5, 64, 0, 7, 256, C, 1, 3 << 24 | 322, vlen=4, flag=1),
        t(OTHER, STRUCT, 56, A, 8, 64, vlen=1),  # 9: has an s at 8
    ]
    found = Btf(made(types, NAMES, order=order))
    assert found.size("s") == 48
    assert found.member("s", "a") == Member(0, 4)
    assert found.member("s", "b") == Member(8, 4, 6)
    assert found.member("s", "deep") == Member(32, 8)
    assert found.member("s", "c") == Member(40, 4)
    assert found.member("other", "a.b") == Member(16, 4, 6)
    for structure, path in (("s", "nothing"), ("s", "a.b"), ("nothing", "a")):
        with pytest.raises(LookupError):
            found.member(structure, path)


def test_of_structures_of_one_name_the_one_with_the_member_counts() -> None:
    types = [of(0, INT, 4, 32), of(S, STRUCT, 4, A, 1, 0, vlen=1), of(S, STRUCT, 8, B, 1, 32, vlen=1)]
    assert Btf(made(types, NAMES)).member("s", "b") == Member(4, 4)


def test_a_kind_that_came_later_is_skipped_by_what_the_kernel_says_of_it() -> None:
    types = [of(0, 20, 0, 7, 1, 2, vlen=1), of(0, INT, 4, 32), of(S, STRUCT, 4, A, 2, 0, vlen=1)]
    layout = bytes(4 * 20) + struct.pack("<BBH", 4, 8, 0)
    assert Btf(made(types, NAMES, layout=layout)).member("s", "a") == Member(0, 4)
    with pytest.raises(DecodeError, match=r"a type of kind 20; known: 1\.\.19"):
        Btf(made(types, NAMES))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF", "begins with 0x7f45"),
        (b"", "begins with 0x"),
        (b"\x9f\xeb\1\0", "cut off"),
        (made([of(0, INT, 4, 32)], NAMES)[:30], "cut off"),
    ],
)
def test_what_is_no_btf_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        Btf(data)


def test_types_that_refer_to_each_other_end() -> None:
    types = [of(A, TYPEDEF, 2), of(B, TYPEDEF, 1), of(S, STRUCT, 4, A, 1, 0, vlen=1)]
    with pytest.raises(DecodeError, match="refers to itself"):
        Btf(made(types, NAMES)).member("s", "a")


def type_finder(drgn: Any) -> Callable[..., Any]:
    """The structures of `MEMBERS` as drgn has them by DWARF."""

    def one(prog: Any, name: str | None, members: dict[str, tuple[int, int, int]]) -> Any:
        inner: dict[str, dict[str, tuple[int, int, int]]] = {}
        found = []
        for path, (offset, size, count) in members.items():
            head, _, rest = path.partition(".")
            if rest:
                inner.setdefault(head, {})[rest] = offset, size, count
                continue
            if size > 8:
                kind = prog.struct_type(None, size, ())
            else:
                base = prog.int_type(f"u{8 * size}", size, is_signed=False)
                kind = prog.typedef_type(f"t{size}", base)
            if count > 1:
                kind = prog.typedef_type("items", prog.array_type(kind, count))
            found.append(drgn.TypeMember(kind, head, offset * 8))
        found += [drgn.TypeMember(one(prog, None, some), head, 0) for head, some in inner.items()]
        return prog.struct_type(name, 512, tuple(found))

    def find(prog: Any, _kinds: Any, name: str, _filename: str | None) -> Any:
        return one(prog, name, dict(MEMBERS[name])) if name in MEMBERS else None

    return find


def test_debug_information_says_what_btf_says(tmp_path: Path) -> None:
    drgn = pytest.importorskip("drgn", reason="debug information is read by drgn")
    from pmdswp.dump.drgn import Core, Dwarf  # noqa: PLC0415
    from pmdswp.dump.kernel import types_of  # noqa: PLC0415
    from pmdswp.dump.opened import Dump  # noqa: PLC0415

    kernel = FakeKernel(pmdswp.get("x86_64", kernel="6.12"))
    vma = kernel.vma(0x1000, 0x3000, kernel.file("bin", "true"))
    kernel.process(1, "init", kernel.mm(kernel.tables(), mm_mt__ma_root=vma))
    kernel.swapon(max=5, swap_file=kernel.file("dev", "sda2"))
    core = Core.open(kernel.write(tmp_path / "vmcore", without=["btf"]))
    core.program.register_type_finder("test", type_finder(drgn), enable_index=0)
    types = types_of(core)
    assert isinstance(types, Dwarf)
    by_btf = Btf(btf(MEMBERS, "<"))
    for structure, members in MEMBERS.items():
        assert types.size(structure) == by_btf.size(structure) == 512
        for path in members:
            assert types.member(structure, path) == by_btf.member(structure, path)
    for structure, path in (("mm_struct", "nothing"), ("mm_struct", "pgd.nothing"), ("nothing", "at.all")):
        with pytest.raises(LookupError):
            types.member(structure, path)
    dump = Dump(core)
    assert [process.comm for process in dump.processes] == ["init"]
    assert list(map(str, dump.areas(dump.processes[0]))) == ["0x1000-0x3000 rw-p /bin/true"]
    assert dump.device(0) == "/dev/sda2"
    # drgn's helpers take objects
    from pmdswp.dump import plugin  # noqa: PLC0415

    plugin.drgn_prog_set(core.program)
    process = dump.processes[0]
    pointer = core.program.pointer_type(core.program.type("struct mm_struct"))
    mm = drgn.Object(core.program, pointer, process.mm)
    assert plugin.explain(mm, 0x1000).startswith("address 0x1000 of process 1 init")
    assert plugin.explain(process.mm, 0x1000) == plugin.explain(1, 0x1000) == plugin.explain(mm, 0x1000)
    other = kernel.mm(kernel.tables())
    with pytest.raises(LookupError, match="no process 5"):
        plugin.explain(5, 0)
    with pytest.raises(pmdswp.PmdSwpError):
        list(plugin.walk(other, 0, 0x1000))
    plugin._programs.clear()
    with pytest.raises(ValueError, match="no program"):
        plugin.explain(1, 0)


def test_a_task_is_as_good_as_its_memory(tmp_path: Path) -> None:
    drgn = pytest.importorskip("drgn", reason="debug information is read by drgn")
    from pmdswp.dump import plugin  # noqa: PLC0415
    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    kernel = FakeKernel(pmdswp.get("x86_64", kernel="6.12"))
    task = kernel.process(1, "init", kernel.mm(kernel.tables()))
    core = Core.open(kernel.write(tmp_path / "vmcore"))
    prog = core.program
    mm_struct = prog.struct_type("mm_struct", 512, ())
    member = drgn.TypeMember(prog.pointer_type(mm_struct), "mm", MEMBERS["task_struct"]["mm"][0] * 8)
    task_struct = prog.struct_type("task_struct", 512, (member,))
    pointer = drgn.Object(prog, prog.pointer_type(task_struct), task)
    assert plugin.explain(pointer, 0x1000).startswith("address 0x1000 of process 1 init")


RUNNING = Path("/sys/kernel/btf/vmlinux")


@pytest.mark.skipif(not os.access(RUNNING, os.R_OK), reason="the running kernel has no BTF to read")
def test_the_running_kernel_has_what_is_looked_for() -> None:
    found = Btf(RUNNING.read_bytes())
    for structure in (
        "list_head",
        "task_struct",
        "signal_struct",
        "vm_area_struct",
        "file",
        "dentry",
        "vfsmount",
        "mount",
    ):
        for path in MEMBERS[structure]:
            assert found.member(structure, path).offset < found.size(structure)
    assert found.member("list_head", "prev") == Member(8, 8)
    assert found.member("task_struct", "comm").items == 16
    if b"mm_mt" in RUNNING.read_bytes():
        assert (found.member("maple_range_64", "pivot").items, found.member("maple_arange_64", "slot").items) == (
            15,
            10,
        )
