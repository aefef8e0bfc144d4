"""What the commands answer in gdb, with a target that is not there."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

import pmdswp
from debuggers.fake import FakeTarget, core_file, note, qemu_note
from pmdswp import DecodeError, PmdSwpError, UnsupportedError
from pmdswp.cli import main
from pmdswp.errors import IdentifyError
from pmdswp.gdb import script
from pmdswp.gdb.session import Session, Word
from walk.memory import Memory

DIRECT_MAP = 0xFFFF888000000000
VA = 0x7F0000201000
ASSUMED = "kernel pmd-swap-v3 is assumed: `pswp-config ARCH --kernel RELEASE` says which it is"
NO_MEMORY = "physical memory cannot be read here: that needs QEMU's stub or an ELF vmcore"


def value_of(lines: Iterable[str], name: str) -> str:
    """What pswp-config says of an option."""
    return next(line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} "))


def tables() -> Memory:
    memory = Memory(pmdswp.get("x86_64"))
    memory.put(VA, memory.arch.encode_pte(2, 0x500, exclusive=True))
    return memory


def in_qemu(memory: Memory, **more: int) -> FakeTarget:
    return FakeTarget(registers={"cr3": memory.root, "cr4": 0x20, "cr0": 1 << 31, **more}, physical=memory.read)


def test_the_script_is_a_file_that_any_python_3_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gdb-script"]) == 0
    assert capsys.readouterr().out == f"{script()}\n"
    assert main(["gdb-script", "--json"]) == 0
    assert capsys.readouterr().out == f'{{"path": "{script()}"}}\n'
    compile(script().read_text(encoding="utf-8"), "script", "exec", dont_inherit=True)


def test_a_gdb_with_an_old_python_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    gdb = ModuleType("gdb")
    vars(gdb)["GdbError"] = RuntimeError
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(
        RuntimeError, match=r"^pmdswp needs Python 3\.11 or later, and this gdb has Python 3\.9 in it: "
    ):
        runpy.run_path(str(script()))


def test_words_go_by_their_type() -> None:
    session = Session(FakeTarget())
    pmd = 0x07FFFFFFFFFBFE08
    assert session.shown(Word(pmd, "pmd_t")) == f"{pmd:#018x} SWAP type 0 offset 0x200 exclusive"
    assert session.text(Word(pmd)) == "SWAP type 0 offset 0x200 exclusive"
    assert session.text(Word(0x102067, "pud_t")).startswith("TABLE at 0x102000")
    assert session.text(Word(0x200, "softleaf_t")) == session.text(Word(0x200), "swp_entry")
    assert session.text(Word(0x200, "swp_entry_t")) == "SWAP type 0 offset 0x200"
    assert session.text(Word(pmd, "swp_entry_t"), "pmd") == session.text(Word(pmd))
    with pytest.raises(UnsupportedError, match="no level 'none'"):
        session.text(Word(pmd), "none")


def test_bytes_of_big_endian_entries_are_turned_where_gdb_reads_them_the_other_way() -> None:
    session = Session(FakeTarget(name="powerpc:common64"))
    arch = session.arch
    word = arch.encode_pte(1, 0x20, exclusive=True)
    as_little = int.from_bytes(arch.pte_to_bytes(word), "little")
    assert session.shown(Word(as_little, "pte_t", "little")) == session.shown(Word(word, "pte_t", "big"))
    assert session.shown(Word(word, "pte_t", "big")).startswith(f"{word:#018x} SWAP type 1 offset 0x20")
    # a plain number is what the kernel computes with
    assert session.text(Word(word), "pte") == "SWAP type 1 offset 0x20 exclusive"


def test_a_software_leaf_is_shown_with_the_words_that_give_it() -> None:
    session = Session(FakeTarget(kernel="7.3.4"))
    assert list(session.word_lines(Word(0x200, "softleaf_t"))) == [
        "swp_entry 0x0000000000000200  SWAP type 0 offset 0x200",
        "as pte 0x07fffffffffbfe00, without flags",
        "as pmd: no PMD of kernel 7.3 holds this",
        "as read by pmdswp.get('x86_64', kernel='7.3.4')",
    ]
    beyond = list(session.word_lines(Word((1 << 58) - 1), "swp_entry"))
    assert beyond[1] == "as pte: offset 0x3ffffffffffffff is not within 0..0x3ffffffffffff"
    assert next(session.word_lines(Word(0))) == "pmd 0x0000000000000000  NONE"


def test_that_the_kernel_is_assumed_is_said_with_every_answer() -> None:
    memory = tables()
    session = Session(in_qemu(memory))
    for lines in (session.word_lines(Word(0)), session.walk_lines(VA), session.range_lines(VA, VA + 1)):
        assert list(lines)[-1] == ASSUMED
    session.configure("x86_64", {"kernel": "6.12"})
    assert ASSUMED not in list(session.walk_lines(VA))


def test_a_walk_shows_each_level_and_what_it_comes_to() -> None:
    memory = tables()
    *_, before, _ = Session(in_qemu(memory)).walk_lines(VA)
    assert before.endswith("SWAP type 2 offset 0x500 exclusive")
    memory.put(0x40000000, memory.arch.encode_pmd(1, 0x200), "pmd")
    memory.put(0x80000000, memory.arch.pmd.make(0x1200, {"user"}), "pmd")
    session = Session(in_qemu(memory))
    for va, levels, end in (
        (0x40003000, "pgd pud pmd", "page 3 of the 512 that this entry stands for"),
        (0x80003210, "pgd pud pmd", "physical address 0x1203210"),
        (0xC0000000, "pgd pud", "nothing is mapped here, nor swapped out"),
        (0x40200000, "pgd pud pmd", "nothing is mapped here, nor swapped out"),
    ):
        root, *steps, last, assumed = session.walk_lines(va)
        assert (root, last, assumed) == ("root 0x100000: cr3", f"{va:#x}: {end}", ASSUMED)
        assert " ".join(step.split()[0] for step in steps) == levels
    memory.lost.add(memory.root + 0x100000)
    assert list(session.walk_lines(VA))[-3:-1] == [
        "pud  0x200000  " + " " * 20 + "this table cannot be read",
        f"{VA:#x}: unknown, as a table on the way cannot be read",
    ]


def test_a_range_is_listed_in_runs_with_what_could_not_be_read() -> None:
    memory = Memory(pmdswp.get("x86_64"))
    for page in range(8):
        memory.put(page * 4096, memory.arch.encode_pte(1, 0x500 + page))
    # the next slot, but not the next page
    memory.put(9 * 4096, memory.arch.encode_pte(1, 0x508))
    for huge in range(3):
        memory.put((huge + 4) << 21, memory.arch.encode_pmd(1, (huge + 4) * 512), "pmd")
    lost = memory.put(1 << 30, 0) & ~0xFFF
    memory.put(2 << 30, memory.arch.encode_pte(2, 1))
    memory.lost.add(lost)
    session = Session(in_qemu(memory))
    listed = [line.split(maxsplit=4) for line in session.range_lines(0, 3 << 30)][2:-1]
    assert [row[:3] for row in listed if row[2] != "a"] == [
        ["0x0", "pte", "8"],
        ["0x9000", "pte", "1"],
        ["0x800000", "pmd", "1"],
        ["0xa00000", "pmd", "1"],
        ["0xc00000", "pmd", "1"],
        ["0x80000000", "pte", "1"],
    ]
    assert listed[0][4] == "SWAP type 1 offset 0x500, then +1 each"
    assert " ".join(listed[5]) == f"0x40000000 pte a table at {lost:#x} cannot be read: 0x200000 bytes of addresses"
    with pytest.raises(DecodeError, match="the range ends at 0x1, not above its start 0x1"):
        list(session.range_lines(1, 1))


def test_a_root_given_by_hand_wins_and_a_missing_one_is_asked_for() -> None:
    memory = tables()
    session = Session(FakeTarget(physical=memory.read))
    with pytest.raises(DecodeError, match="no register here says where page tables begin; give a physical address"):
        list(session.walk_lines(VA))
    assert next(session.walk_lines(VA, memory.root)) == "root 0x100000: given"
    off = Session(in_qemu(memory, cr0=0))
    with pytest.raises(DecodeError, match="cr3: CR0 has paging off; give a physical address: -r ROOT"):
        list(off.walk_lines(VA))
    assert value_of(off.config_lines(), "root") == "cr3: CR0 has paging off"
    assert value_of(Session(FakeTarget(name="Loongarch64")).config_lines(), "root").startswith("no register")


def test_memory_that_cannot_be_read_is_said() -> None:
    session = Session(FakeTarget(registers={"cr3": 0x1000}))
    with pytest.raises(UnsupportedError, match=NO_MEMORY):
        list(session.walk_lines(0))
    assert value_of(session.config_lines(), "memory") == NO_MEMORY


def test_qemus_stub_is_left_as_it_was_also_after_an_error() -> None:
    memory = tables()
    target = in_qemu(memory)
    list(Session(target).walk_lines(VA, 0x7000000))
    assert target.modes == ["1", "0"]
    target.mode = "1"
    list(Session(target).walk_lines(VA))
    assert target.mode == "1"


def test_a_vmcore_tells_kernel_root_and_memory(tmp_path: Path) -> None:
    memory = tables()
    path = tmp_path / "vmcore"
    text = b"OSRELEASE=6.12.117\nPAGESIZE=4096\nNUMBER(pgtable_l5_enabled)=0\n"
    notes = qemu_note(0x7000, 0x20) + qemu_note(memory.root, 0x20) + note(b"VMCOREINFO", 0, text)
    image = memory.image()
    path.write_bytes(core_file(notes, {(memory.root, memory.root + DIRECT_MAP): image}))

    def read(address: int, size: int) -> bytes:
        return image[address - memory.root - DIRECT_MAP :][:size]

    target = FakeTarget(path=str(path), memory=read, thread=1)
    session = Session(target)
    assert value_of(session.config_lines(), "kernel") == "6.12.117: OSRELEASE in VMCOREINFO"
    assert value_of(session.config_lines(), "memory") == "physical, by the program headers of the vmcore"
    lines = list(session.walk_lines(VA))
    assert (lines[0], lines[-1].split("  ")[-1]) == ("root 0x100000: cr3", "SWAP type 2 offset 0x500 exclusive")
    target.thread = 2
    assert value_of(session.config_lines(), "root") == "no register here says where page tables begin"
    # other targets in the same session
    other = tmp_path / "other"
    other.write_bytes(core_file(note(b"VMCOREINFO", 0, b"OSRELEASE=6.1.5\n"), {}))
    target.path = str(other)
    assert value_of(session.config_lines(), "kernel") == "6.1.5: OSRELEASE in VMCOREINFO"
    target.path = None
    assert value_of(session.config_lines(), "kernel") == "pmd-swap-v3: assumed"


def test_a_core_file_that_is_no_vmcore_is_named(tmp_path: Path) -> None:
    path = tmp_path / "core"
    path.write_bytes(b"not a core")
    with pytest.raises(DecodeError, match="core': not an ELF file"):
        Session(FakeTarget(path=str(path))).identified()
    with pytest.raises(DecodeError, match="gone"):
        Session(FakeTarget(path=str(tmp_path / "gone"))).identified()
    path.write_bytes(core_file(b"", {}))
    assert value_of(Session(FakeTarget(path=str(path))).config_lines(), "memory") == NO_MEMORY


def test_what_is_chosen_wins_over_what_the_target_says_and_the_rest_stays() -> None:
    session = Session(FakeTarget(registers={"cr3": 0x1000, "cr4": 1 << 12}, kernel="7.3.4"))
    session.configure("amd64", {"kernel": "6.12", "device_private": False})
    lines = list(session.config_lines())
    assert lines[0] == "pmdswp.get('x86_64', kernel='6.12', la57=True, device_private=False)"
    assert value_of(lines, "kernel") == "6.12: by pswp-config"
    assert value_of(lines, "device_private") == "False: by pswp-config"
    assert value_of(lines, "la57") == "True: CR4 is 0x1000"
    assert value_of(lines, "migration") == "True: assumed"
    # what is assumed of another release does not stay
    s390x = Session(FakeTarget(name="s390:64-bit", order="big"))
    s390x.configure("s390x", {"kernel": "6.12"})
    assert s390x.arch == pmdswp.get("s390x", kernel="6.12")
    session.configure("arm64", {"page_size": 16384})
    assert (session.arch.name, session.arch.page_size) == ("arm64", 16384)
    session.configure(None)
    assert session.arch == pmdswp.get("x86_64", kernel="7.3.4", la57=True)


def test_what_cannot_be_is_refused_when_it_is_chosen() -> None:
    session = Session(FakeTarget())
    for name, options in (("vax", {}), ("x86_64", {"page_size": 3}), ("x86_64", {"kernel": "2.4"})):
        with pytest.raises(UnsupportedError):
            session.configure(name, options)
        assert session.arch == pmdswp.get("x86_64")


def test_what_gdb_takes_for_another_machine_is_said() -> None:
    session = Session(FakeTarget(name="i386"))
    with pytest.raises(UnsupportedError, match="gdb has architecture i386: `set architecture` or pswp-config says"):
        session.text(Word(0))
    session.configure("x86_64")
    assert session.text(Word(0)) == "NONE"


def test_an_s390x_that_gdb_takes_for_little_endian_is_said() -> None:
    target = FakeTarget(name="s390:64-bit", registers={"cr1": 0x110000F})
    with pytest.raises(UnsupportedError, match="gdb reads numbers of s390:64-bit as little-endian: `set endian big`"):
        list(Session(target).config_lines())
    target.order = "big"
    assert value_of(Session(target).config_lines(), "root") == "0x110000f: cr1"


def test_facts_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    path = tmp_path / "vmcore"
    text = b"OSRELEASE=6.12\nNUMBER(pgtable_l5_enabled)=1\n"
    path.write_bytes(core_file(note(b"VMCOREINFO", 0, text) + qemu_note(0x1000, 0), {}))
    with pytest.raises(IdentifyError, match=r"la57 is True \(NUMBER.*\), and False \(CR4 is 0x0\)"):
        Session(FakeTarget(path=str(path))).identified()
    assert issubclass(IdentifyError, PmdSwpError)


def test_an_unknown_release_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"9\.9"):
        Session(FakeTarget(kernel="9.9.1")).identified()
