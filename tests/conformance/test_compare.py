"""Whatever a kernel does otherwise than the model is found and told; what is no trace is refused with its line."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

import pmdswp
from conformance.recorded import TRACES
from pmdswp.cli import main
from pmdswp.errors import DecodeError, UnsupportedError
from pmdswp.model.conform import compare
from pmdswp.model.conform.compare import CUTS, Report, conform
from pmdswp.model.conform.player import Player
from pmdswp.model.conform.trace import SMAPS, Header, read
from pmdswp.model.play.process import Process
from pmdswp.model.state.failures import KernelBug

[MINIMAL] = [trace for trace in TRACES if trace.name == "x86_64-7.3.4-minimal.xz"]
[ARM64] = [trace for trace in TRACES if trace.name.startswith("arm64-")]


def lines(history: str) -> list[str]:
    """The first line of the trace, and the lines of one history."""
    with lzma.open(MINIMAL, "rt") as text:
        first, *rest = text.read().splitlines()
    start = rest.index(f"H {history}")
    ends = [i for i in range(start + 1, len(rest)) if rest[i].startswith("H ")]
    return [first, *rest[start : ends[0] if ends else None]]


def changed(old: str, new: str, history: str = "mremap-soft-dirty") -> str:
    """A history with the first appearance of something in it changed."""
    text = "\n".join(lines(history)) + "\n"
    assert old in text
    return text.replace(old, new, 1)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


def told(trace: Path, text: str) -> list[tuple[int, str, str, str]]:
    """What differs in a trace that holds this text."""
    trace.write_text(text, encoding="ascii")
    report = conform(trace)
    assert report.histories == 1
    assert report.agree == (not report.differ)
    return [difference[1:] for difference in report.differ]


def frame() -> str:
    [line] = [line for line in lines("mremap-soft-dirty") if line.startswith("g 0 0+512:P")]
    return line.split(":")[2]


@pytest.mark.parametrize(
    ("old", "new", "step", "what", "kernel", "model"),
    [
        ("r ok wp=0", "r ENOMEM", 1, "result", "ENOMEM", "ok"),
        ("d thp_fault_alloc=1", "d pgmajfault=1", 1, "event pgmajfault", "1", "0"),
        ("0+2048:d", "0+2047:d", 0, "soft-dirty p0 pages 2047+1", "0x0", "0x4"),
        ("0+512:Pdxm", "0+512:Pxm", 1, "soft-dirty p0 pages 0+512", "0x0", "0x4"),
        ("0+512:Pdxm", "0+512:Pdm", 1, "exclusive p0 pages 0+512", "0x0", "0x8"),
        ("0+512:Pdxm", "0+512:Pdxum", 1, "uffd p0 pages 0+512", "0x10", "0x0"),
        ("0+512:Pdxm", "0+512:Pdx", 1, "mincore p0 pages 0+512", "0x0", "0x20"),
        ("0+512:Pdxm", "0+512:Sdxm", 1, "state p0 pages 0+512", "0x2", "0x1"),
        (":2710 512+1536:d", ":2711 512+1536:d", 1, "content p0 pages 0+512", "0x2711", "0x2710"),
        ("s 0 2048 ", "s 0 2044 ", 1, "Rss p0", "2044 kB", "2048 kB"),
        ("c 0 0+512:c8", "c 0 0+512:88", 1, "scan p0", "0+512:88", "0+512:c8"),
        ("c 0 0+512:c8", "c 0", 1, "scan p0", "nothing", "0+512:c8"),
    ],
)
def test_a_difference_is_told(  # noqa: PLR0917
    trace: Path, old: str, new: str, step: int, what: str, kernel: str, model: str
) -> None:
    found = told(trace, changed(old, new))
    assert found == [(step, what, kernel, model)]


def test_many_differences_of_a_step_are_one_with_all_told(trace: Path) -> None:
    [(step, what, kernel, model)] = told(trace, changed("s 0 2048 2048 ", "s 0 2044 2040 "))
    assert (step, what) == (1, "Rss p0; Pss p0")
    assert (kernel, model) == ("2044 kB; 2040 kB", "2048 kB; 2048 kB")


def test_processes_that_one_side_does_not_have_are_told(trace: Path) -> None:
    more = f"s 1{' 0' * len(SMAPS)}\ng 1\nc 1\nd thp_fault_alloc=1"
    assert told(trace, changed("d thp_fault_alloc=1", more)) == [(1, "processes", "[0, 1]", "[0]")]


def test_pages_that_share_a_frame_are_told(trace: Path) -> None:
    halves = f"0+256:Pdxm:{frame()}:2710 256+256:Pdxm:{frame()}:2810"
    [(step, what, kernel, model)] = told(trace, changed(f"0+512:Pdxm:{frame()}:2710", halves))
    assert (step, what, kernel, model) == (1, "frame sharing p0 256", "as p0 0", "as p0 256")


def test_pages_that_change_their_place_are_told(trace: Path) -> None:
    """Here the kernel is made to have moved what is swapped when soft-dirty was cleared."""
    [slots] = {line for line in lines("mremap-soft-dirty") if line.startswith("g 0 0+512:S:")}
    start = int(slots.split(":")[2], 16)
    moved = slots.replace(f":{start:x}:", f":{start + 512:x}:")
    [(step, what, kernel, model)] = told(trace, changed(slots, moved))
    assert (step, what, kernel, model) == (3, "slot kept p0 page 0", "False", "True")


def test_slots_that_are_not_in_a_row_are_told(trace: Path) -> None:
    [slots] = {line for line in lines("mremap-soft-dirty") if line.startswith("g 0 0+512:Sd:") and "512+1536" in line}
    start = int(slots.split(":")[2], 16)
    moved = slots.replace(f":{start:x}:", f":{start + 1:x}:")
    [(step, what, kernel, model)] = told(trace, changed(slots, moved))
    assert (step, what, kernel, model) == (2, "row of slots p0 page 0", "not in a row", "in a row")


def test_moved_pages_are_counted(trace: Path) -> None:
    [(_, what, kernel, model)] = told(
        trace, changed("moved=0", "moved=1", "move-shared-part").replace("r EBUSY", "r ok")
    )
    assert (what, kernel, model) == ("result", "ok", "EBUSY")


def test_a_bug_of_the_model_is_a_difference(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_self: Process, *_arguments: object) -> None:
        raise KernelBug("a word names nothing")

    monkeypatch.setattr(Process, "pageout", die)
    assert told(trace, changed("r ok", "r ok")) == [(2, "bug", "ok", "a word names nothing")]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("d thp_fault_alloc=1", "# signal 11\nd thp_fault_alloc=1", "guest"), ("o pageout", "o fly", "operation")],
)
def test_a_history_is_cut_for_a_reason_of_the_list(trace: Path, old: str, new: str, reason: str) -> None:
    trace.write_text(changed(old, new), encoding="ascii")
    report = conform(trace)
    assert (report.agree, report.differ, report.cut) == (0, [], {reason: 1})
    assert reason in CUTS


def test_what_nobody_does_is_passed_over(trace: Path) -> None:
    text = changed("o clear 0", "o read 1 0 512\nr nobody\no fork 0\nr ok\no exit 1\nr ok\no clear 0")
    [(step, what, kernel, model)] = told(trace, text)
    # nothing was seen after the fork that stands here
    assert (step, what, kernel, model) == (4, "processes", "[]", "[0, 1]")


def test_histories_can_be_chosen() -> None:
    assert conform(MINIMAL, wanted=lambda number, _name: number == 1).histories == 1
    report = conform(MINIMAL, wanted=lambda _number, name: name == "register-holes")
    assert (report.histories, report.agree) == (1, 1)
    assert report.rules["B.7"] == "register-holes"


def test_another_base_or_architecture_differs() -> None:
    assert conform(MINIMAL, base="6.12").differ
    assert not conform(MINIMAL, base="7.2").differ
    with pytest.raises(UnsupportedError, match=r"pages of 0x1000 and huge pages of 0x200000 bytes, which pmdswp.get"):
        conform(MINIMAL, arch=pmdswp.get("ppc64"))


@pytest.mark.parametrize(
    ("release", "base"), [("7.3.4+deb13-amd64", "7.3"), ("7.0-rc1", "7.3"), ("6.19.1", "6.12"), ("6.1", "6.12")]
)
def test_a_release_is_of_the_base_that_it_is_nearest_to(release: str, base: str) -> None:
    with read(MINIMAL) as (header, _):
        assert compare._base(header._replace(release=release)) == base


def test_a_page_size_chooses_the_architecture() -> None:
    with read(ARM64) as (header, _):
        assert compare._arch(header) == pmdswp.get("arm64")
        assert compare._arch(header._replace(page_size=16384)) == pmdswp.get("arm64", page_size=16384)
        with pytest.raises(DecodeError, match="'next' is not a release of the kernel"):
            compare._base(header._replace(release="next"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        ("\n", 1),
        ("END\n", 1),
        ("BEGIN release=7 machine=x86_64 pagesize=0 thp=2097152 devpages=1\n", 1),
        ("BEGIN release=7 machine=x86_64 pagesize=4096 thp=x devpages=1\n", 1),
        ("BEGIN release=7 machine=x86_64 thp=2097152 devpages=1\n", 1),
    ],
)
def test_what_does_not_begin_as_a_trace_is_refused(trace: Path, text: str, line: int) -> None:
    trace.write_text(text, encoding="ascii")
    with pytest.raises(DecodeError, match=rf"^trace:{line}: .* is not a line of a trace$"), read(trace):
        pass


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("H mremap-soft-dirty\n", ""),
        ("r ok\n", "x ok\n"),
        ("u 0\n", "u some\n"),
        ("0+512:Pdxm", "0+512:Q"),
        ("0+512:Pdxm", "0+0:Pdxm"),
        ("0+2048:d", "0+2049:d"),
        ("s 0 0 0", "s 0 0"),
        ("c 0 0+512:c8", "c 0 0+512"),
    ],
)
def test_a_line_that_is_none_of_a_trace_is_refused(trace: Path, old: str, new: str) -> None:
    trace.write_text(changed(old, new), encoding="ascii")
    with pytest.raises(DecodeError, match=r"^trace:\d+: .* is not a line of a trace$"):
        conform(trace)


def test_notes_before_any_step_say_nothing(trace: Path) -> None:
    assert told(trace, changed("H mremap-soft-dirty\n", "# late\nH mremap-soft-dirty\n# early\n")) == []


def test_a_compressed_trace_that_was_cut_off_is_refused(trace: Path) -> None:
    trace.write_bytes(MINIMAL.read_bytes()[:-40])
    with pytest.raises(DecodeError, match=r"not text, nor text compressed by xz$"):
        conform(trace)
    trace.write_bytes(b"\xff\xfe")
    with pytest.raises(DecodeError, match=r"^trace:1: not text"):
        conform(trace)


def test_a_report_has_the_fields_of_the_contract() -> None:
    assert list(Report("x").record()) == ["file", "histories", "agree", "cut", "differ", "steps", "comparisons"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        status = main(["model", "conform", *arguments])
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 1
    return (status, *capsys.readouterr())


def test_the_command_prints_one_object_for_each_file(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "--json", str(MINIMAL), str(MINIMAL))
    assert (status, err) == (0, "")
    first, second = map(json.loads, out.splitlines())
    assert first == second
    assert (first["file"], first["histories"], first["agree"]) == (str(MINIMAL), 11, 11)
    assert (first["cut"], first["differ"], first["steps"]) == ({}, [], 61)


def test_the_command_says_what_differs(capsys: pytest.CaptureFixture[str], trace: Path) -> None:
    trace.write_text(changed("r ok wp=0", "r ENOMEM"), encoding="ascii")
    status, out, err = run(capsys, str(trace), "--arch", "x86_64", "--base", "7.3")
    assert (status, err) == (1, "")
    first, second = out.splitlines()
    assert first.startswith(f"{trace}: 0 of 1 histories agree to their end; 2 steps, ")
    assert second == "  mremap-soft-dirty, step 1: result: kernel ENOMEM, model ok"
    trace.write_text(changed("o pageout", "o fly"), encoding="ascii")
    status, out, err = run(capsys, str(trace))
    assert (status, err) == (0, "")
    assert ", 1 cut as the model does not have the operation; " in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "name a trace: pmdswp model conform TRACE..."),
        (["--base", "6.1", str(MINIMAL)], "no base '6.1'; allowed: 6.12, 7.2, 7.3"),
        (["--format", "html", str(MINIMAL)], "conform takes no --format, no --output and no --trace"),
        (["--page-size", "16K", str(MINIMAL)], "conform takes options of an architecture with --arch only"),
        (["nowhere"], "nowhere: No such file or directory"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_what_the_player_does_beside() -> None:
    """No more than four processes, swapon where swap is on, memory without huge pages."""
    player = Player(pmdswp.get("x86_64"), "7.3", Header("7.3", "x86_64", 4096, 2 << 20, 65536))
    for operation in ("mmap 0 0 2048 1", "nohuge 0 0 512", "write 0 0 1 7", "swapon", *["fork 0"] * 3):
        assert player.play(operation).result == "ok"
    assert player.play("fork 0").result == ""
    assert list(player.processes) == [0, 1, 2, 3]
    assert player.processes[0].mm.anonpages == 1


def test_a_disk_has_written_all_after_an_operation_and_what_it_has_is_cached() -> None:
    header = Header("7.3", "x86_64", 4096, 2 << 20, 65536, synchronous=False)
    player = Player(pmdswp.get("x86_64"), "7.3", header)
    for operation in ("zswap 1", "mmap 0 0 2048 1", "write 0 0 512 7", "pageout 0 0 512"):
        assert player.play(operation).result == "ok"
    assert not player.m.cached_folios()
    player.play("shrink")
    assert len(player.m.cached_folios()) == 512
    player.play("reclaim")
    assert not player.m.cached_folios()
    player.play("zswap 0")
    player.play("write 0 0 512 7")
    player.play("pageout 0 0 512")
    assert {(folio.nr, folio.writeback) for folio in player.m.cached_folios()} == {(1, False)}
    player.play("swapoff")
    assert player.play("shrink").result == "ok"


def test_where_a_kernel_has_no_pagemap_scan_there_is_nothing_to_compare(trace: Path) -> None:
    text = "\n".join("c 0 E25" if line.startswith("c 0") else line for line in lines("mremap-soft-dirty"))
    assert told(trace, text) == []


def test_other_actions_take_no_base(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "run", "x.py", "--series", "v7"]) == 2
    assert capsys.readouterr().err == "pmdswp: run takes no --series\n"
    assert main(["model", "selftest", "--base", "7.3"]) == 2
    assert capsys.readouterr().err == "pmdswp: selftest takes no --base\n"


def test_memory_is_huge_only_where_the_history_says_so() -> None:
    player = Player(pmdswp.get("x86_64"), "7.3", Header("7.3", "x86_64", 4096, 2 << 20, 65536))
    for operation in ("mmap 0 0 512 1", "mmap 0 512 512 0", "write 0 0 1 7", "write 0 512 1 8"):
        assert player.play(operation).result == "ok"
    pmds = player.processes[0].mm.pmds
    assert [pmd.table is None for _address, pmd in sorted(pmds.items())] == [True, False]
