"""The command: its summary, its exit status, and how it ends when it is disturbed."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import pmdswp
from pmdswp import cli
from pmdswp.cli import scan as scan_arguments
from pmdswp.scan.interrupts import Terminated
from pmdswp.scan.records import FORMATS
from pmdswp.scan.report import SUMMARIES
from pmdswp.scan.tables import BLOCK, WORD
from scan.conftest import Run, put
from scan.files import PMD_PAGE, PTE_PAGE, X86, BrokenFile

# imported so, since pyarrow has no types
parquet, ipc = (import_module(f"pyarrow.{name}") for name in ("parquet", "ipc"))

PAGE = PTE_PAGE.read_bytes()


def test_the_summary_of_a_pte_page_of_a_running_kernel(run: Run) -> None:
    assert run(PTE_PAGE, *X86, "--level", "pte") == 0
    assert run.err == ""
    assert run.out == (
        f"{PTE_PAGE}: read as pte by pmdswp.get('x86_64', kernel='7.3')\n"
        "512 words, 1 whole tables of 512\n"
        "\n"
        "state     words\n"
        "NONE      504\n"
        "SOFTLEAF  8\n"
        "\n"
        "kind  words\n"
        "SWAP  8\n"
        "\n"
        "swap type  words\n"
        "1          8\n"
        "\n"
        "flag        words\n"
        "exclusive   8\n"
        "soft_dirty  8\n"
        "uffd        4\n"
        "\n"
        "stray words: 0\n"
        "tables that join to one PMD entry: 0\n"
        "runs of entries whose offsets step by one, within a table: 2\n"
        "\n"
        "longest  at byte  what\n"
        "4        0x28     SWAP type 1 from offset 0xf3 exclusive soft_dirty uffd\n"
        "4        0x48     SWAP type 1 from offset 0xf7 exclusive soft_dirty\n"
    )


def test_the_summary_as_json(run: Run) -> None:
    assert run(PTE_PAGE, *X86, "--level", "pte", "--summary", "json") == 0
    flags = {"exclusive": True, "soft_dirty": True}
    assert run.summary() == {
        "file": str(PTE_PAGE),
        "arch": "x86_64",
        "kernel": "7.3",
        "options": {"kernel": "7.3"},
        "level": "pte",
        "words": 512,
        "tables": 1,
        "states": {"NONE": 504, "SOFTLEAF": 8},
        "kinds": {"SWAP": 8},
        "devices": {"1": 8},
        "flags": {"exclusive": 8, "soft_dirty": 8, "uffd": 4},
        "leaves": [
            {"kind": "SWAP", "type": 1, **flags, "uffd": False, "count": 4},
            {"kind": "SWAP", "type": 1, **flags, "uffd": True, "count": 4},
        ],
        "attributes": None,
        "stray_words": 0,
        "runs": 2,
        "longest": [
            {"length": 4, "position": 0x28, "kind": "SWAP", "type": 1, "offset": "0xf3", **flags, "uffd": True},
            {"length": 4, "position": 0x48, "kind": "SWAP", "type": 1, "offset": "0xf7", **flags, "uffd": False},
        ],
        "joinable": 0,
        "unreadable": 0,
        "tail": 0,
        "complete": True,
    }
    assert run(PMD_PAGE, *X86, "--summary", "json") == 0
    assert (run.summary()["joinable"], run.summary()["runs"], run.summary()["longest"]) == (None, 0, [])


def test_attributes_are_counted_on_request(run: Run, tmp_path: Path) -> None:
    x86 = pmdswp.get("x86_64", kernel="7.3")
    words = [
        x86.pmd.make(512, ["write", "user"]),
        x86.pmd.make(0, ["protnone", "global", "uffd"]),
        x86.pmd.make_table(0x1000),
        0,
    ]
    (tmp_path / "dump").write_bytes(b"".join(map(x86.pmd_to_bytes, words)))
    assert run(tmp_path / "dump", *X86, "--summary", "json") == 0
    assert run.summary()["attributes"] is None
    assert run(tmp_path / "dump", *X86, "--summary", "json", "--attributes") == 0
    counts = run.summary()["attributes"]
    assert list(counts) == ["PRESENT", "TABLE"]
    assert {name: count for name, count in counts["PRESENT"].items() if count} == {
        "write": 1,
        "user": 1,
        "uffd": 1,
        "protnone": 1,
        "global": 1,
        "huge": 2,
    }
    assert list(counts["PRESENT"]) == list(counts["TABLE"]) == list(x86.pmd.attribute_names)
    assert (counts["TABLE"]["user"], counts["TABLE"]["huge"]) == (1, 0)
    assert run(tmp_path / "dump", *X86, "--attributes") == 0
    lines = [line.split() for line in run.out.splitlines()]
    start = lines.index(["attribute", "PRESENT", "TABLE"])
    rows = [[name, str(counts["PRESENT"][name]), str(counts["TABLE"][name])] for name in x86.pmd.attribute_names]
    assert lines[start + 1 : start + 1 + len(rows)] == rows


def test_attributes_of_a_level_that_has_none_are_no_table(run: Run, tmp_path: Path) -> None:
    arm = pmdswp.get("arm64")
    assert arm.pgd.attribute_names == ()
    (tmp_path / "dump").write_bytes(arm.pmd_to_bytes(arm.pgd.make_table(0x10000)))
    assert run(tmp_path / "dump", "--arch", "arm64", "--level", "pgd", "--attributes") == 0
    assert "TABLE  1" in run.out
    assert "\nattribute" not in run.out
    assert run(PTE_PAGE, *X86, "--level", "pte", "--attributes") == 0
    assert "\nattribute" not in run.out


def test_the_summary_goes_where_the_records_do_not(run: Run, tmp_path: Path) -> None:
    for arguments in (("--json",), ("--format", "json"), ("--format", "json", "--only", "softleaf")):
        assert run(PMD_PAGE, *X86, *arguments) == 0
        assert [record["kind"] for record in run.records()] == ["MIGRATION_READ_EXCLUSIVE"]
        assert run.err.startswith(f"{PMD_PAGE}: read as pmd by ")
    assert run(PMD_PAGE, *X86, "--json", "-o", tmp_path / "out", "--summary", "json") == 0
    assert run.out == ""
    assert json.loads(run.err)["words"] == 512
    assert run(PMD_PAGE, *X86, "--summary", "none") == 0
    assert (run.out, run.err) == ("", "")


def test_pmds_that_the_kernel_does_not_write_are_pointed_out(run: Run) -> None:
    word = bytes.fromhex("0efefbffffffff07")
    assert run("-", "--arch", "x86_64", "--kernel", "6.12", stdin=word) == 0
    assert "\nSWAP  1      no PMD of kernel 6.12 holds this\n" in run.out
    assert run("-", "--arch", "x86_64", stdin=word) == 0
    assert "holds this" not in run.out


def test_a_kernel_without_pmd_softleaves_says_nothing_of_joins(run: Run) -> None:
    assert run("-", "--arch", "s390x", "--kernel", "6.12", "--level", "pte", stdin=bytes(2048)) == 0
    assert "join" not in run.out
    assert run("-", "--arch", "s390x", "--no-thp", stdin=bytes.fromhex("0000000000000008")) == 0
    assert "\nBAD    1\n" in run.out
    assert "stray" not in run.out


def test_sizes_may_have_a_unit(run: Run) -> None:
    for length, words in (("0x10", 2), ("1k", 128), ("4K", 512), ("1M", 512), ("1G", 512)):
        run(PTE_PAGE, *X86, "--length", length, "--summary", "json")
        assert run.summary()["words"] == words


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (PTE_PAGE,),
        ("--arch", "x86_64"),
        (PTE_PAGE, "--arch", "vax"),
        (PTE_PAGE, *X86, "extra"),
        (PTE_PAGE, *X86, "--level", "p4d"),
        (PTE_PAGE, *X86, "--kernel", "2.4"),
        (PTE_PAGE, *X86, "--offset", "-1"),
        (PTE_PAGE, *X86, "--offset", "5000"),
        (PTE_PAGE, *X86, "--offset", "many"),
        (PTE_PAGE, *X86, "--offset", "1KM"),
        (PTE_PAGE, *X86, "--length", "-8"),
        (PTE_PAGE, *X86, "--length", ""),
        (PTE_PAGE, *X86, "--format", "xml"),
        (PTE_PAGE, *X86, "--only", "swop"),
        (PTE_PAGE, *X86, "--only", ""),
        (PTE_PAGE, *X86, "--summary", "long"),
        (PTE_PAGE, *X86, "--threads", "0"),
        (PTE_PAGE, *X86, "--threads", "two"),
        (PTE_PAGE, *X86, "-o", "/dev/null"),
        (PTE_PAGE, *X86, "--json", "-o", PTE_PAGE),
        (PTE_PAGE, *X86, "--json", "-o", "/no/such/directory/out"),
        (PTE_PAGE, *X86, "--json", "-o", ""),
        (PTE_PAGE, *X86, "--json", "-o", PTE_PAGE.parent),
        (PTE_PAGE, *X86, "--length", 1 << 70, "--offset", 1 << 69),
        ("", *X86),
        ("/no/such/file", *X86),
        (PTE_PAGE.parent, *X86),
    ],
    ids=lambda arguments: " ".join(map(str, arguments[1:])),
)
def test_bad_arguments_are_one_line_on_standard_error_and_status_2(run: Run, arguments: tuple[object, ...]) -> None:
    assert run(*arguments) == 2
    assert run.out == ""
    assert run.err.startswith("pmdswp")
    assert run.err.count("\n") == 1
    assert PTE_PAGE.read_bytes() == PAGE


def test_the_names_that_may_be_selected_are_told(run: Run) -> None:
    assert run(PTE_PAGE, *X86, "--only", "swap,swop") == 2
    said = "pmdswp: no state, kind or attribute is called 'swop'; allowed: none, present, table, bad, softleaf, swap, "
    assert run.err.startswith(said)


def test_jit_without_numba_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert run(PTE_PAGE, "--arch", "riscv64", "--jit") == 2
    assert "pip install 'pmdswp[jit]'" in run.err
    assert run(PTE_PAGE, "--arch", "riscv64", "--no-jit") == 0


def test_no_words_at_all_are_not_passed_over_in_silence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in (str(tmp_path / "empty"), "-"):
        assert run(name, *X86) == 1
        assert run.err == f"pmdswp: {name}: no words to read\n"
        assert "0 words, 0 whole tables" in run.out


def test_a_tail_is_told_and_is_status_1(run: Run) -> None:
    assert run("-", *X86, stdin=bytes(19)) == 1
    assert run.err == "pmdswp: -: the last 3 bytes are not a whole word\n"
    assert "2 words, 0 whole tables of 512\n" in run.out
    assert run.out.endswith(
        "bytes at the end that are not a whole word: 3\nTHIS IS NOT ALL: some of the file was not read\n"
    )


def test_an_unreadable_range_is_told_and_is_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, BrokenFile(PAGE * 4, [(4096, 8192), (8192, 8193)]))
    assert run("dump", *X86, "--level", "pte") == 1
    assert run.err == "pmdswp: dump: bytes 0x1000..0x2fff could not be read: Input/output error\n"
    assert "\nunreadable bytes: 8192\nTHIS IS NOT ALL: " in run.out
    assert "1024 words, 2 whole tables of 512\n" in run.out


def test_ranges_lost_for_different_reasons_are_told_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, BrokenFile(PAGE * 4, [(4096, 4097)], ends_at=8192))
    assert run("dump", *X86) == 1
    assert run.err.splitlines() == [
        "pmdswp: dump: bytes 0x1000..0x1fff could not be read: Input/output error",
        "pmdswp: dump: bytes 0x2000..0x3fff could not be read: the file ends there",
    ]


# --- how it ends --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_leaves_the_summary_so_far(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, threads: int
) -> None:
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", 512)
    put(monkeypatch, BrokenFile(PAGE * 40, interrupt_at=20 * 4096))
    arguments = (*X86, "--level", "pte", "--format", "parquet", "-o", tmp_path / "out", "--threads", threads)
    assert run("dump", *arguments, "--summary", "json") == 130
    complaint, summary = run.err.splitlines()
    assert complaint == "pmdswp: dump: interrupted; the summary is that of what was read"
    record = json.loads(summary)
    # blocks that were under way are dropped
    assert 20 - threads - 1 <= record["tables"] <= 20
    assert record["complete"] is False
    assert parquet.read_table(tmp_path / "out").num_rows == record["kinds"]["SWAP"]


def test_ctrl_c_ends_a_scan_that_waits_for_input() -> None:
    command = [sys.executable, "-m", "pmdswp", "scan", "-", *X86, "--level", "pte", "--summary", "json"]
    block, pipe = BLOCK * WORD, 1 << 16
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        # once more is written than the pipe holds, the first block has been read, and the next one is being read
        process.stdin.write(PAGE * ((block + 2 * pipe) // len(PAGE)))
        process.send_signal(signal.SIGINT)
        summary, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint == b"pmdswp: -: interrupted; the summary is that of what was read\n"
    record = json.loads(summary)
    assert (record["words"], record["complete"]) == (BLOCK, False)


@pytest.mark.parametrize(("number", "format_name"), [(signal.SIGTERM, "parquet"), (signal.SIGHUP, "arrow")])
def test_a_process_that_is_asked_to_end_leaves_a_file_that_can_be_read(
    number: signal.Signals, format_name: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    arguments = [*X86, "--level", "pte", "--format", format_name, "-o", str(output), "--summary", "json"]
    block, pipe = BLOCK * WORD, 1 << 16
    with subprocess.Popen(
        [sys.executable, "-m", "pmdswp", "scan", "-", *arguments],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stdin is not None
        process.stdin.write(PAGE * ((block + 2 * pipe) // len(PAGE)))
        process.send_signal(number)
        _, complaints = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    complaint, summary = complaints.splitlines()
    assert complaint == f"pmdswp: -: ended by {number.name}; the summary is that of what was read".encode()
    record = json.loads(summary)
    assert (record["words"], record["complete"]) == (BLOCK, False)
    readers = {"parquet": lambda: parquet.read_table(output), "arrow": lambda: ipc.open_file(output).read_all()}
    assert readers[format_name]().num_rows == record["kinds"]["SWAP"]


def test_a_request_to_end_before_anything_was_read_has_its_status(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(*_: object) -> None:
        raise Terminated(signal.SIGTERM)

    monkeypatch.setattr("pmdswp.scan.command.opened", ended)
    assert run(PTE_PAGE, *X86) == 143
    assert (run.out, run.err) == ("", "")


@pytest.mark.parametrize("arguments", ["--json --only none", "--format csv --only none", "--only none"])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(arguments: str, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(PAGE * 16)
    scanning = f"{sys.executable} -m pmdswp scan {tmp_path}/dump {' '.join(X86)} {arguments}"
    command = ["bash", "-o", "pipefail", "-c", f"{scanning} | head -n 1"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.stderr == b""
    assert ended.stdout.count(b"\n") == 1


def test_a_reader_of_parquet_that_has_seen_enough_ends_the_command_quietly(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(PAGE * 600)
    scanning = f"{sys.executable} -m pmdswp scan {tmp_path}/dump {' '.join(X86)} --only none --format parquet"
    command = ["bash", "-o", "pipefail", "-c", f"{scanning} | head -c 4"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.stderr == b""
    assert ended.stdout == b"PAR1"


def test_a_closed_standard_input_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdin", None)
        assert cli.main(["scan", "-", *X86]) == 2
    assert capsys.readouterr().err == "pmdswp: standard input is closed\n"


def test_what_a_name_holds_does_not_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "d\x1b[31m\n\udcff"
    shown = f"'{tmp_path}/d" + r"\x1b[31m\n\udcff'"
    path.write_bytes(PAGE + b"123")
    assert run(path, *X86) == 1
    assert run.out.splitlines()[0] == f"{shown}: read as pmd by pmdswp.get('x86_64', kernel='7.3')"
    assert run.err == f"pmdswp: {shown}: the last 3 bytes are not a whole word\n"
    assert run(path, *X86, "--json", "-o", path) == 2
    assert run.err == f"pmdswp: {shown} is the file to be read\n"
    assert run(path, *X86, "--summary", "json") == 1
    assert run.summary()["file"] == str(path)
    path.write_bytes(b"")
    assert run(path, *X86) == 1
    assert run.err == f"pmdswp: {shown}: no words to read\n"


def test_a_name_that_standard_output_has_no_letters_for_is_printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "d\u00e9"
    path.write_bytes(PAGE)
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    with monkeypatch.context() as replaced:
        replaced.setattr(sys, "stdout", stdout)
        assert cli.main(["scan", str(path), *X86]) == 0
    assert isinstance(stdout.buffer, io.BytesIO)
    assert stdout.buffer.getvalue().startswith(rf"{tmp_path}/d\xe9: read as".encode())


def test_the_choices_of_the_command_line_are_those_of_the_package() -> None:
    assert (scan_arguments.FORMATS, scan_arguments.SUMMARIES) == (FORMATS, SUMMARIES)


# --- terminals ----------------------------------------------------------------------------------------------


class Terminal(io.TextIOWrapper):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


def put_terminal(monkeypatch: pytest.MonkeyPatch, name: str) -> Terminal:
    """Let a standard stream be a terminal. (Not in a fixture: pytest puts its own there when a test begins.)"""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    monkeypatch.setattr(sys, name, terminal)
    return terminal


@pytest.mark.parametrize("name", ["file", "stream"])
def test_a_terminal_sees_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    stderr = put_terminal(monkeypatch, "stderr")
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", 512)
    file = BrokenFile(PAGE * 8, [(4096, 4097)])
    if name == "stream":
        file = BrokenFile(PAGE * 8)
        monkeypatch.setattr("pmdswp.scan.files._size", lambda _: None)
    put(monkeypatch, file)
    assert cli.main(["scan", "[dump]\x1b", *X86]) == (1 if name == "file" else 0)
    assert r"'[dump]\x1b'" in stderr.text
    assert "KiB" in stderr.text
    assert ("could not be read" in stderr.text) == (name == "file")
    assert capsys.readouterr().out.startswith(r"'[dump]\x1b': read as pmd")


def test_records_go_to_standard_output_while_the_bar_is_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stderr = put_terminal(monkeypatch, "stderr")
    assert cli.main(["scan", str(PTE_PAGE), *X86, "--level", "pte", "--json"]) == 0
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 8
    assert "KiB" in stderr.text
    assert "position" not in stderr.text


def test_without_rich_or_with_records_on_the_terminal_there_is_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = put_terminal(monkeypatch, "stderr")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "rich.progress", None)
        assert cli.main(["scan", str(PTE_PAGE), *X86]) == 0
    stdout = put_terminal(monkeypatch, "stdout")
    assert cli.main(["scan", str(PTE_PAGE), *X86, "--level", "pte", "--only", "swap"]) == 0
    assert stdout.text.startswith("0x000000000028  0x0ffffffffffe180e  SWAP type 1")
    assert stderr.text == ""


def test_binary_formats_are_not_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_terminal(monkeypatch, "stdout")
    assert cli.main(["scan", str(PTE_PAGE), *X86, "--format", "arrow"]) == 2
    assert capsys.readouterr().err == "pmdswp: arrow is not for a terminal: name a file with -o\n"
