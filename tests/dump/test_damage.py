"""Dumps that are filtered, cut off or damaged, or say little: what is missing is said, and the rest is read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import pmdswp
from dump.kernel import BEFORE_MAPLE, FakeKernel
from dump.vmcores import Vmcore
from pmdswp import UnsupportedError
from pmdswp.cli import main

pytest.importorskip("drgn", reason="dumps are read by drgn")

from pmdswp.dump import Dump
from pmdswp.dump.explanation import explain
from pmdswp.dump.image import DATA, TABLES
from pmdswp.walk import ReadError

X86 = pmdswp.get("x86_64", kernel="6.12")
VA = 0x10000000000


def swapped(kernel: FakeKernel, va: int = VA, **values: int) -> int:
    """The memory of a process that has one swapped page."""
    tables = kernel.tables()
    tables.put(va, kernel.arch.encode_pte(0, 0x321))
    return kernel.mm(tables, **values)


def test_vmas_of_a_kernel_before_maple_trees_are_a_list(tmp_path: Path) -> None:
    kernel = FakeKernel(pmdswp.get("x86_64", kernel="5.15"), structures=BEFORE_MAPLE)
    second = kernel.vma(0x3000, 0x5000)
    first = kernel.vma(0x1000, 0x2000)
    kernel.store("vm_area_struct", first, "vm_next", second)
    kernel.process(1, "init", swapped(kernel, mmap=first))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert [(area.start, area.stop) for area in dump.areas(dump.processes[0])] == [(0x1000, 0x2000), (0x3000, 0x5000)]


def test_a_maple_tree_of_several_levels_is_read_in_order(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    areas = [kernel.vma(i << 20, (i << 20) + 0x1000) for i in range(40)]
    leaves, pivots = [], []
    for start in range(0, 40, 7):
        part = areas[start : start + 7]
        last = ((start + 7) << 20) - 1
        ends = [end for i in range(start, start + len(part)) for end in ((i << 20) + 0xFFF, ((i + 1) << 20) - 1)]
        slots = [slot for vma in part for slot in (vma, 0)]
        leaves.append(kernel.leaf(ends[:-1] if len(part) < 7 else ends, slots))
        pivots.append(last)
    root = kernel.node(pivots[:-1], leaves)
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=root))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert [area.start for area in dump.areas(dump.processes[0])] == [i << 20 for i in range(40)]
    assert dump.area(dump.processes[0], (5 << 20) + 0x123) == next(
        a for a in dump.areas(dump.processes[0]) if a.start == 5 << 20
    )
    assert not dump.notes


def test_nodes_of_a_maple_tree_that_are_not_there_are_noted(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    lost = kernel.leaf([0x1FFF], [kernel.vma(0, 0x1000)])
    kept = kernel.leaf([], [kernel.vma(0x4000, 0x5000)])
    odd = 0x5000 | 9 << 3 | 2
    kernel.alloc(1, 4096)
    hole = kernel.alloc(4096, 4096) | lost & 0xFF
    root = kernel.node([0x2FFF, 0x3FFF, 0x5FFF], [hole, odd, kept])
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=root))
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[hole]))
    assert [area.start for area in dump.areas(dump.processes[0])] == [0x4000]
    assert any("a node of a maple tree: kernel memory" in note for note in dump.notes)
    assert any("has type 9" in note for note in dump.notes)


def test_a_list_of_processes_with_a_hole_is_read_from_both_ends(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel))
    kernel.alloc(1, 4096)
    lost = kernel.process(2, "lost", swapped(kernel))
    kernel.alloc(1, 4096)
    kernel.process(3, "sleep", swapped(kernel))
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[lost]))
    assert [process.pid for process in dump.processes] == [1, 3]
    assert any("a list of struct task_struct is broken" in note for note in dump.notes)


def test_a_list_that_does_not_come_back_is_noted(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    first = kernel.process(1, "init", swapped(kernel))
    second = kernel.process(2, "sleep", swapped(kernel))
    path = kernel.write(tmp_path / "vmcore")
    offset = kernel.structures["task_struct"]["tasks"][0]
    kernel.number(second + offset, first + offset)
    kernel._link = lambda: None  # type: ignore[method-assign]
    kernel.write(path)
    dump = Dump.open(path)
    assert [process.pid for process in dump.processes] == [1, 2]
    assert any("comes back to" in note for note in dump.notes)


def test_a_process_whose_first_thread_has_ended_has_the_memory_of_another(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    signal = kernel.make("signal_struct")
    head = signal + kernel.structures["signal_struct"]["thread_head"][0]
    offset = kernel.structures["task_struct"]["thread_node"][0]
    leader = kernel.process(7, "threads", 0, signal=signal)
    mm = swapped(kernel)
    thread = kernel.make("task_struct", tgid=7, mm=mm)
    for one, other in ((head, leader + offset), (leader + offset, thread + offset), (thread + offset, head)):
        kernel.number(one, other)
        kernel.number(other + 8, one)
    kernel.process(8, "vfork", mm)
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert [(process.pid, process.mm, process.shares) for process in dump.processes] == [(7, mm, ()), (8, mm, (7,))]


def test_without_symbols_the_roots_of_x86_are_found_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = FakeKernel(X86)
    first = swapped(kernel)
    roots = [kernel.memory.root + 0]
    kernel.process(1, "init", first)
    tables = kernel.tables()
    tables.put(VA, X86.encode_pte(1, 5))
    empty = kernel.tables()
    node = kernel.alloc(4096)
    kernel.info_symbols["node_data"] = kernel.alloc(64) - kernel.linear + kernel.image
    kernel.number(kernel.info_symbols["node_data"] - kernel.image + kernel.linear, node)
    kernel.number(node + 8, TABLES // 4096)
    kernel.number(node + 16, (64 << 20) // 4096)
    kernel.info |= {"LENGTH(node_data)": 2, "OFFSET(pglist_data.node_start_pfn)": 8}
    kernel.info |= {"OFFSET(pglist_data.node_spanned_pages)": 16}
    kernel.map()
    own = bytes(kernel.memory.memory[kernel.memory.root][2048:])
    users = [address for address in kernel.memory.memory if address != roots[0]]
    pgd = kernel.structures["mm_struct"]["pgd"][0]
    mine = int.from_bytes(kernel.data[first - kernel.linear + pgd : first - kernel.linear + pgd + 8], "little")
    first_root = mine - kernel.image + DATA
    for root in (first_root, tables.root, empty.root):
        assert root in users
        kernel.memory.memory[root][2048:] = own
    kernel.map = lambda: None  # type: ignore[method-assign]
    path = kernel.write(tmp_path / "vmcore", without=["symbols"])
    dump = Dump.open(path)
    assert [process.root for process in dump.processes] == [first_root, tables.root]
    assert {process.pid for process in dump.processes} == {None}
    assert any("no symbols (kallsyms)" in note for note in dump.notes)
    assert any("root tables are looked for" in note for note in dump.notes)
    assert dump.lookup(dump.processes[1], VA)[-1].word == X86.encode_pte(1, 5)
    assert main(["dump", str(path), "--summary"]) == 0
    captured = capsys.readouterr()
    assert "?" in captured.out
    assert "no names of processes and devices" in captured.err


def test_without_symbols_elsewhere_a_root_is_to_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arch = pmdswp.get("arm64", kernel="6.12")
    kernel = FakeKernel(arch)
    tables = kernel.tables()
    tables.put(VA, arch.encode_pte(1, 5))
    path = kernel.write(tmp_path / "vmcore", without=["symbols"])
    dump = Dump.open(path)
    assert dump.processes == ()
    assert any("give one by hand (--root)" in note for note in dump.notes)
    assert dump.devices == {}
    assert main(["dump", str(path)]) == 1
    assert "no process was found: the dump may be cut off" in capsys.readouterr().err
    assert main(["dump", str(path), "--root", hex(tables.root)]) == 0
    assert main(["dump", str(path), "--root", hex(tables.root), "--va", hex(VA)]) == 0
    assert "slot 0x5 of swap type 1, whose name is not known" in capsys.readouterr().out
    with pytest.raises(LookupError, match="nothing describes"):
        dump.process_of(0xFFFF000010000000)


def test_without_btf_it_is_said(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel))
    dump = Dump.open(kernel.write(tmp_path / "vmcore", without=["btf"]))
    assert dump.processes == ()
    assert any("no BTF" in note for note in dump.notes)
    assert any("no memory map in VMCOREINFO" in note for note in dump.notes)


def test_a_dump_without_vmcoreinfo_takes_it_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel))
    path = kernel.write(tmp_path / "vmcore", without=["vmcoreinfo"])
    (tmp_path / "info").write_text(kernel.vmcoreinfo(), encoding="utf-8")
    assert main(["dump", str(path), "--vmcoreinfo", str(tmp_path / "info"), "--only", "swap", "--json"]) == 0
    [record] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (record["pid"], record["va"], record["offset"]) == (1, hex(VA), "0x321")


def test_a_dump_that_says_nothing_is_read_by_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = FakeKernel(X86)
    tables = kernel.tables()
    tables.put(VA, X86.encode_pte(1, 5))
    kernel.info["OSRELEASE"] = "none-1"
    path = kernel.write(tmp_path / "vmcore", without=["symbols"])
    assert main(["dump", str(path)]) == 2
    capsys.readouterr()
    arguments = ["--kernel", "6.12", "--root", hex(tables.root), "--only", "swap", "--json"]
    assert main(["dump", str(path), *arguments]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["offset"] == "0x5"
    assert "the dump does not say which kernel it is of" in captured.err


def test_options_win_over_what_the_dump_says(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    path = kernel.write(tmp_path / "vmcore")
    assert Dump.open(path, options={"soft_dirty": False}).arch == pmdswp.get("x86_64", kernel="6.12", soft_dirty=False)


def test_tables_that_are_not_there_are_told_of_and_the_rest_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = FakeKernel(X86)
    tables = kernel.tables()
    kernel.process(1, "init", kernel.mm(tables))
    places = [tables.put(VA + i * X86.pmd_size, X86.encode_pte(0, i + 1)) for i in range(10)]
    kernel.lost.update(places[:7])
    path = kernel.write(tmp_path / "vmcore")
    assert main(["dump", str(path), "--only", "swap", "--json"]) == 1
    captured = capsys.readouterr()
    assert [json.loads(line)["offset"] for line in captured.out.splitlines()] == ["0x8", "0x9", "0xa"]
    told = [line for line in captured.err.splitlines() if "cannot be read" in line]
    assert len(told) == 5
    assert f"process 1 init: the pte table for {VA:#x}-{VA + X86.pmd_size:#x}, at {places[0]:#x}," in told[0]
    assert "and more such tables" in captured.err
    assert main(["dump", str(path), "--va", hex(VA)]) == 0
    assert "is not in the dump, or cannot be read: the walk ends here" in capsys.readouterr().out
    assert main(["dump", str(path), "--json", "--summary"]) == 1
    assert json.loads(capsys.readouterr().out)["unread"] == 7


def test_a_table_that_leads_to_itself_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = FakeKernel(X86)
    tables = kernel.tables()
    table = X86.pud.make_table(tables.root)
    tables.memory[tables.root][:] = X86.pte_to_bytes(table) * 512
    kernel.process(1, "init", kernel.mm(tables))
    path = kernel.write(tmp_path / "vmcore")
    assert main(["dump", str(path), "--summary", "--json"]) == 1
    record = json.loads(capsys.readouterr().out)
    assert record["words"] < 1 << 20
    assert record["unread"]


def test_a_vmcore_that_is_cut_off_is_read_as_far_as_it_goes(unpacked: dict[str, Path], tmp_path: Path) -> None:
    whole = unpacked["x86_64-6.12"]
    size = whole.stat().st_size
    for part in (size * 3 // 4, size // 4, 5000, 100):
        path = tmp_path / f"{part}"
        shutil.copyfile(whole, path)
        with path.open("r+b") as file:
            file.truncate(part)
        try:
            dump = Dump.open(path)
        except (ReadError, pmdswp.IdentifyError):
            assert part < 5001
            continue
        for process in dump.processes:
            list(dump.walk(process))


def test_a_kdump_header_without_names_is_read_by_its_vmcoreinfo(vmcore: Vmcore, unpacked: dict[str, Path]) -> None:
    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    core = Core.open(unpacked[vmcore.name], machine=vmcore.header["arch"])
    assert core.machine == vmcore.header["arch"]


def test_swap_devices_without_a_name(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    kernel.swapon(max=8)
    bdev = kernel.make("block_device", bd_device__kobj__name=kernel.string("vda3"))
    kernel.swapon(max=8, bdev=bdev)
    kernel.swapon(flags=0)
    kernel.alloc(1, 4096)
    lost = kernel.swapon(max=8)
    kernel.alloc(1, 4096)
    kernel.swapon(max=8, swap_file=kernel.file("swap", "file"))
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[lost]))
    names = {number: device.name for number, device in dump.devices.items()}
    assert names[0] == "(unknown)"
    assert names[1] == "vda3"
    assert 2 not in names
    assert names[4].endswith("swap/file")
    assert any("swap device 3 cannot be read" in note for note in dump.notes)


def test_a_mount_in_a_mount_has_a_whole_path(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    top = kernel.make("mount")
    root = kernel.make("dentry", d_name__name=kernel.string("/"))
    kernel.store("dentry", root, "d_parent", root)
    kernel.store("mount", top, "mnt_parent", top)
    kernel.store("mount", top, "mnt", root)
    point = kernel.make("dentry", d_parent=root, d_name__name=kernel.string("dev"))
    mount = kernel.make("mount", mnt_parent=top, mnt_mountpoint=point)
    kernel.swapon(max=8, swap_file=kernel.file("mapper", "swap", mount=mount))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert dump.device(0) == "/dev/mapper/swap"
    assert dump.device(1) is None


def test_an_unknown_machine_is_refused() -> None:
    from pmdswp.dump.elf import Span, write_vmcore  # noqa: PLC0415

    with pytest.raises(UnsupportedError, match="no vmcore of 'vax'"):
        write_vmcore(None, "vax", [], [])  # type: ignore[arg-type]
    import io  # noqa: PLC0415

    with pytest.raises(UnsupportedError, match="are in no span"):
        write_vmcore(io.BytesIO(), "x86_64", [Span(0, 4096)], [(4090, bytes(8))])


def test_a_process_by_its_memory(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    mm = swapped(kernel)
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    process = dump.process_of(mm)
    assert (process.pid, process.mm) == (None, mm)
    assert dump.lookup(process, VA)[-1].word == X86.encode_pte(0, 0x321)
    assert str(process) == f"root {process.root:#x}"
    assert str(process._replace(pid=3, comm="a\x1b")) == "process 3 a\\x1b"


def lost_page(kernel: FakeKernel) -> int:
    """An address in a page of its own, to be lost."""
    kernel.alloc(1, 4096)
    place = kernel.alloc(4096, 4096)
    kernel.alloc(1, 4096)
    return place


def test_a_tree_whose_nodes_lead_to_themselves_ends(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    place = kernel.alloc(512)
    root = place | 3 << 3 | 2 | 4
    kernel.store("maple_arange_64", place, "slot", [root] * 10)
    kernel.store("maple_arange_64", place, "pivot", [0x1000 * i for i in range(1, 10)])
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=root))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert list(dump.areas(dump.processes[0])) == []
    assert any("is there twice" in note for note in dump.notes)


def test_an_internal_entry_of_a_tree_is_no_vma(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=0x406))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert list(dump.areas(dump.processes[0])) == []


def test_structures_that_are_not_there_are_noted(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    lost = lost_page(kernel)
    kernel.process(1, "no-mm", lost)
    kernel.process(2, "no-pgd", kernel.make("mm_struct", pgd=lost + 0x10000000))
    kernel.process(3, "no-signal", 0, signal=lost)
    kernel.process(4, "no-vma", swapped(kernel, mm_mt__ma_root=lost))
    unnamed = kernel.vma(0x1000, 0x2000, lost)
    kernel.process(5, "no-file", swapped(kernel, mm_mt__ma_root=unnamed))
    kernel.swapon(max=3, bdev=lost)
    dentry = kernel.make("dentry", d_parent=lost, d_name__name=kernel.string("half"))
    mount = kernel.make("mount")
    file = kernel.make("file", f_path__mnt=mount + 16, f_path__dentry=dentry)
    kernel.swapon(max=3, swap_file=file)
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[lost]))
    assert [process.pid for process in dump.processes] == [4, 5]
    assert list(dump.areas(dump.processes[0])) == []
    assert [area.file for area in dump.areas(dump.processes[1])] == [None]
    assert [device.name for device in dump.devices.values()] == ["(unknown)", ".../half"]
    assert sum("is left out" in note for note in dump.notes) == 2
    assert any("the VMAs of process 4 cannot all be had" in note for note in dump.notes)


def test_a_task_that_is_half_there_is_left_out(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    # the links at the end of a page, the rest on the next one, which is lost
    place = lost_page(kernel) - 48
    for name, value in (("tgid", 9), ("mm", 0)):
        kernel.store("task_struct", place, name, value)
    kernel.tasks.append(place)
    kernel.process(10, "sleep", swapped(kernel))
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[place + 48]))
    assert [process.pid for process in dump.processes] == [10]
    assert any("a process is left out" in note for note in dump.notes)


@pytest.mark.parametrize("name", ["init_task", "swap_info"])
def test_a_symbol_that_is_not_there_is_noted(tmp_path: Path, name: str) -> None:
    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel))
    address = kernel.symbols.pop(name)
    kernel.symbols[f"other_{name}"] = address
    path = kernel.path = tmp_path / "vmcore"  # type: ignore[attr-defined]
    kernel._link = lambda: None  # type: ignore[method-assign]
    dump = Dump.open(kernel.write(path))
    assert dump.processes == ()
    assert dump.devices == {}
    assert any(name in note for note in dump.notes)


def test_a_list_of_which_both_ends_are_broken_is_noted(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    lost, other = lost_page(kernel), lost_page(kernel)
    offset = kernel.structures["task_struct"]["tasks"][0]
    kernel.number(kernel.init_task + offset, lost)
    kernel.number(kernel.init_task + offset + 8, other)
    kernel._link = lambda: None  # type: ignore[method-assign]
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[lost, other]))
    assert dump.processes == ()
    assert any("from its other end" in note for note in dump.notes)


def test_a_list_that_is_too_long_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmdswp.dump.kernel._MOST", 3)
    kernel = FakeKernel(X86)
    for pid in range(1, 9):
        kernel.process(pid, "many", swapped(kernel))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert len(dump.processes) == 3
    assert any("the rest was left out" in note for note in dump.notes)


@pytest.mark.parametrize(
    ("stop", "message"), [(-1, "has -"), (0, "has 0 bytes"), (2, "cannot be read: BTF of 2 bytes is cut off")]
)
def test_btf_of_a_wrong_size_is_noted(tmp_path: Path, stop: int, message: str) -> None:
    kernel = FakeKernel(X86)
    place = kernel.alloc(64)
    kernel.put(place, b"\x9f\xeb\1\0")
    kernel.symbols["__start_BTF"] = kernel.symbol_of(place)
    kernel.symbols["__stop_BTF"] = kernel.symbols["__start_BTF"] + stop
    dump = Dump.open(kernel.write(tmp_path / "vmcore", without=["btf"]))
    assert dump.kernel is None
    assert any(message in note for note in dump.notes)


def test_a_pmd_that_cannot_be_split_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arch = pmdswp.get("x86_64")
    kernel = FakeKernel(arch)
    tables = kernel.tables()
    tables.put(VA, arch.encode_pmd(0, 0x201), "pmd")
    kernel.process(1, "init", kernel.mm(tables))
    path = kernel.write(tmp_path / "vmcore")
    assert main(["dump", str(path), "--only", "swap", "--split", "--json"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "cannot be split" in captured.err


def test_what_each_kind_means_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arch = pmdswp.get("x86_64", kernel="6.12", thp=False)
    kernel = FakeKernel(arch)
    kernel.swapon(max=0x100, swap_file=kernel.file("swap"))
    tables = kernel.tables()
    first = 0x10000000
    tables.put(first, 0x200, "pmd")
    pages = {
        0x2000000: arch.encode_pte(0, 0x1234),
        0x2001000: arch.encode_pte(arch.swp_types[pmdswp.SoftLeafType.MARKER], 0),  # type: ignore[arg-type]
        0x2002000: arch.encode_pte(arch.swp_types[pmdswp.SoftLeafType.MARKER], 4),  # type: ignore[arg-type]
        0x2003000: arch.pte.make(0x77, {"protnone", "global"}),
    }
    for va, word in pages.items():
        tables.put(va, word)
    kernel.process(1, "init", kernel.mm(tables))
    path = str(kernel.write(tmp_path / "vmcore"))
    said = []
    for va in (first, *pages):
        assert main(["dump", path, "--va", hex(va)]) == 0
        said.append(capsys.readouterr().out.splitlines()[-1].strip())
    assert said[0].startswith("neither empty nor present")
    assert said[1].endswith("the device has only 0x100 slots")
    assert said[2] == "a marker of unknown kind"
    assert said[4].startswith("present: the address is in page frame 0x77")


def test_vmcoreinfo_without_the_way_to_the_kernels_tables() -> None:
    from pmdswp.dump.translation import Translation  # noqa: PLC0415

    def read(_physical: int, size: int) -> bytes:
        return bytes(size)

    for info, message in (
        ("", "no SYMBOL"),
        ("SYMBOL(swapper_pg_dir)=ffffffff81000000\n", "does not say where"),
        ("SYMBOL(swapper_pg_dir)=ffffffff81000000\nphys_base=100000\n", "is not mapped"),
    ):
        with pytest.raises(ReadError, match=message):
            Translation(X86, info, read).physical(0xFFFF888000000000)
    arch = pmdswp.get("riscv64", kernel="6.12")
    with pytest.raises(ReadError, match="does not say where"):
        Translation(arch, "SYMBOL(swapper_pg_dir)=ffffffff81000000\n", read).physical(0xFF60000000000000)


def test_a_running_kernel_that_may_not_be_read_is_an_error() -> None:
    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    class Program:
        def set_kernel(self) -> None:
            raise PermissionError("kcore")

    import drgn  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drgn, "Program", Program)
        with pytest.raises(ReadError, match="/proc/kcore: kcore"):
            Core.running()


def test_a_dump_of_an_unknown_machine_is_tried_as_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import drgn  # noqa: PLC0415

    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    kernel = FakeKernel(pmdswp.get("arm64", kernel="6.12"))
    path = kernel.write(tmp_path / "vmcore")
    program = drgn.Program

    def unsure(platform: object = None, **given: object) -> object:
        if platform is None:
            raise LookupError("no name of the architecture")
        return program(platform, **given)

    monkeypatch.setattr(drgn, "Program", unsure)
    assert Core.open(path).machine == "arm64"
    assert Core.open(path, machine="arm64").machine == "arm64"
    with pytest.raises(ReadError, match="no name of the architecture"):
        Core.open(tmp_path / "nowhere")


class Blind:
    """A program of drgn's that finds nothing by page tables: only what is in the kernel's image."""

    def __init__(self, program: object, image: int) -> None:
        self._program, self._image = program, image

    def __getattr__(self, name: str) -> object:
        return getattr(self._program, name)

    def __getitem__(self, name: str) -> object:
        return self._program[name]  # type: ignore[index]

    def read(self, address: int, size: int, physical: bool = False) -> object:  # noqa: FBT002
        if not physical and address < self._image:
            raise LookupError("no translation")
        return self._program.read(address, size, physical)  # type: ignore[attr-defined]


def test_what_drgn_does_not_find_is_found_by_our_own_translation(tmp_path: Path) -> None:
    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    kernel = FakeKernel(X86)
    vma = kernel.vma(0x1000, 0x2000, kernel.file("bin", "true"))
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=vma))
    core = Core.open(kernel.write(tmp_path / "vmcore"))
    assert core.symbols
    core.program = Blind(core.program, kernel.image)
    with pytest.raises(ReadError, match="no translation"):
        core.read(vma, 8)
    dump = Dump(core)
    assert [process.comm for process in dump.processes] == ["init"]
    assert [area.file for area in dump.areas(dump.processes[0])] == ["/bin/true"]
    with pytest.raises(ReadError, match="is not mapped"):
        core.read(kernel.linear - (1 << 30), 8)


@pytest.mark.parametrize("name", ["x86_64", "s390x"])
def test_symbols_that_drgn_cannot_read_are_read_by_our_own_translation(tmp_path: Path, name: str) -> None:
    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    kernel = FakeKernel(pmdswp.get(name, kernel="6.12"))
    kernel.process(1, "init", swapped(kernel, 0x10000000))
    core = Core.open(kernel.write(tmp_path / "vmcore"))
    core._symbols = {}
    assert [process.comm for process in Dump(core).processes] == ["init"]


def test_folders_that_lead_to_each_other_end(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    one, other = (kernel.make("dentry", d_name__name=kernel.string(name)) for name in ("a", "b"))
    kernel.store("dentry", one, "d_parent", other)
    kernel.store("dentry", other, "d_parent", one)
    mount = kernel.make("mount")
    kernel.swapon(max=1, swap_file=kernel.make("file", f_path__mnt=mount + 16, f_path__dentry=one))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert str(dump.device(0)).startswith(".../b/a/b/a")


def test_a_thread_of_which_half_is_there_is_passed_over(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    signal = kernel.make("signal_struct")
    head = signal + kernel.structures["signal_struct"]["thread_head"][0]
    offset = kernel.structures["task_struct"]["thread_node"][0]
    lost = lost_page(kernel)
    thread = lost + 4096 - offset
    kernel.number(head, thread + offset)
    kernel.number(thread + offset, head)
    kernel.process(1, "threads", 0, signal=signal)
    kernel.process(2, "no-signal", 0)
    dump = Dump.open(kernel.write(tmp_path / "vmcore", lost=[lost]))
    assert dump.processes == ()


def test_an_entry_that_covers_more_than_a_vma_has_the_first_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = pmdswp.get("x86_64")
    kernel = FakeKernel(arch)
    tables = kernel.tables()
    for i in (1, 3):
        tables.put(VA + i * arch.pmd_size, arch.encode_pmd(0, 0x200 * i), "pmd")
    areas = [(VA, VA + 0x1000), (VA + arch.pmd_size + 0x3000, VA + arch.pmd_size + 0x4000)]
    root = kernel.maple([(start, stop, kernel.vma(start, stop)) for start, stop in areas])
    kernel.process(1, "init", kernel.mm(tables, mm_mt__ma_root=root))
    path = str(kernel.write(tmp_path / "vmcore"))
    assert main(["dump", path, "--only", "swap", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["vma"] for record in records] == [f"{areas[1][0]:#x}-{areas[1][1]:#x} rw-p", None]
    # half a table is no run
    assert main(["dump", path, "--summary", "--va", f"{VA + arch.pmd_size:#x}-{VA + arch.pmd_size + 0x1000:#x}"]) == 0
    assert "1 pmd SWAP" in capsys.readouterr().out


def test_a_tree_that_ends_with_the_last_address(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    areas = [(0, 0x1000), (0x1000, 0x2000), (0xFFFFFFFFFFFFF000, 1 << 64)]
    root = kernel.maple([(start, stop, kernel.vma(start, stop & (1 << 64) - 1)) for start, stop in areas])
    kernel.process(1, "init", swapped(kernel, mm_mt__ma_root=root))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert [area.start for area in dump.areas(dump.processes[0])] == [start for start, _ in areas]


def test_an_image_has_its_limits() -> None:
    kernel = FakeKernel(pmdswp.get("x86_64", kernel="6.12", max_physmem_bits=None))
    with pytest.raises(UnsupportedError, match="room for 16777216 bytes"):
        kernel.alloc(1 << 30)
    with pytest.raises(UnsupportedError, match="no level 'p4d'"):
        kernel.memory.put(0, 1, "p4d")
    assert "MAX_PHYSMEM_BITS" not in FakeKernel(kernel.arch).vmcoreinfo()


def test_places_of_pages_are_remembered_and_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmdswp.dump.translation._KEPT", 1)
    kernel = FakeKernel(pmdswp.get("riscv64", kernel="6.12"))
    for pid in (1, 2):
        kernel.alloc(1, 4096)
        kernel.process(pid, "init", swapped(kernel))
    assert [process.pid for process in Dump.open(kernel.write(tmp_path / "vmcore")).processes] == [1, 2]


def test_pages_like_a_root_table_and_others(tmp_path: Path) -> None:
    from pmdswp.dump.roots import _is_root  # noqa: PLC0415

    own = bytes(80) + b"kernel.." + bytes(1960)
    used = b"user...." + bytes(2040)
    assert _is_root(used + own, own)
    assert not _is_root(bytes(2048) + own, own)
    assert not _is_root(used + bytes(2048), own)
    more = bytearray(own)
    more[0:16] = b"another.and more"
    assert _is_root(used + more, own)
    more[16:24] = b"too many"
    assert not _is_root(used + more, own)
    # a kernel without NUMA has one node, by another name
    kernel = FakeKernel(X86)
    node = kernel.alloc(64)
    kernel.number(node + 8, DATA // 4096)
    kernel.number(node + 16, 16)
    kernel.info_symbols["contig_page_data"] = node
    kernel.info |= {"OFFSET(pglist_data.node_start_pfn)": 8, "OFFSET(pglist_data.node_spanned_pages)": 16}
    dump = Dump.open(kernel.write(tmp_path / "vmcore", without=["symbols"]))
    assert dump.processes == ()
    assert any("root tables are looked for" in note for note in dump.notes)


def test_the_running_kernel_is_a_dump_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import drgn  # noqa: PLC0415

    from pmdswp.dump.drgn import Core  # noqa: PLC0415

    kernel = FakeKernel(X86)
    kernel.process(1, "init", swapped(kernel))
    program = Core.open(kernel.write(tmp_path / "vmcore")).program

    class Running:
        def set_kernel(self) -> None:
            """The program is that of a dump already."""

        def __getattr__(self, name: str) -> object:
            return getattr(program, name)

        def __getitem__(self, name: str) -> object:
            return program[name]

    monkeypatch.setattr(drgn, "Program", Running)
    assert Core.running().machine == "x86_64"
    with pytest.raises(ReadError):
        Core.open(tmp_path / "nowhere", machine="arm64")


def test_a_line_for_a_table_that_is_not_there(tmp_path: Path) -> None:
    from pmdswp.dump.explanation import step_line, vma_lines  # noqa: PLC0415

    kernel = FakeKernel(X86)
    tables = kernel.tables()
    marker, hwpoison = (X86.swp_types[kind] for kind in (pmdswp.SoftLeafType.MARKER, pmdswp.SoftLeafType.HWPOISON))
    assert isinstance(marker, int)
    assert isinstance(hwpoison, int)
    tables.put(VA, X86.encode_pte(marker, 1))
    tables.put(VA + 0x1000, X86.encode_pte(hwpoison, 0x44))
    tables.put(VA + 0x2000, X86.encode_pte(3, 1))
    place = tables.put(VA + X86.pmd_size, X86.encode_pte(0, 1))
    kernel.lost.add(place // (1 << 20) * (1 << 20))
    vma = kernel.vma(VA, VA + 2 * X86.pmd_size)
    kernel.process(1, "init", kernel.mm(tables, mm_mt__ma_root=vma))
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    [process] = dump.processes
    lines = [step_line(dump, step) for step in dump.walk(process)]
    assert lines[-1].endswith("cannot be read")
    assert list(vma_lines(dump, process))[1].endswith("1 pte HWPOISON, 1 pte MARKER, 1 pte SWAP, 1 unreadable")
    text = "\n".join(line for va in (VA, VA + 0x1000, VA + 0x2000) for line in explain(dump, process, va))
    assert "no page, and a write to it goes to userfaultfd" in text
    assert "the page has a hardware error: whoever touches it gets SIGBUS; page frame 0x44" in text
    assert "slot 0x1 of swap type 3, whose name is not known" in text


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ({}, 1),
        ({7: (0, 0x407, False)}, 0),
        ({7: (1, 0x207, False)}, 0),
        ({7: (0, 0x207, True)}, 0),
        ({511: None}, 0),
    ],
)
def test_a_run_is_what_one_pmd_entry_could_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[int, tuple[int, int, bool] | None], runs: int
) -> None:
    kernel = FakeKernel(X86)
    tables = kernel.tables()
    for i in range(512):
        entry = change.get(i, (0, 0x200 + i, False))
        if entry is not None:
            swp_type, offset, exclusive = entry
            tables.put(VA + i * 4096, X86.encode_pte(swp_type, offset, exclusive=exclusive))
        # beside it one that is not aligned
        tables.put(VA + X86.pmd_size + i * 4096, X86.encode_pte(0, 0x401 + i))
    kernel.process(1, "init", kernel.mm(tables))
    assert main(["dump", str(kernel.write(tmp_path / "vmcore")), "--summary", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == runs


def test_a_thread_of_the_kernels_has_no_memory_of_its_own(tmp_path: Path) -> None:
    kernel = FakeKernel(X86)
    mm = swapped(kernel)
    kernel.process(1, "init", mm)
    kernel.process(2, "borrower", mm, flags=0x200000)
    dump = Dump.open(kernel.write(tmp_path / "vmcore"))
    assert [process.pid for process in dump.processes] == [1]
