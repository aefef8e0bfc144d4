"""`pmdswp dump`, over a small vmcore of a real kernel."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pmdswp import State
from pmdswp.cli import main
from pmdswp.dump import Dump
from pmdswp.dump.records import COLUMNS

SWAPPED = 0x10000000000
"""An address of process 146 that is swapped out to /dev/ram0."""
MIGRATING = 0x1001C000000
"""Where it has a PMD migration entry."""


WAY = """\
address 0x10000000000 of process 146 tester
VMA 0x10000000000-0x10000010000 rw-p
page tables from 0x10046000 (root table)
pgd  entry 2 (bits 47-39 of the address), at 0x10046010: 0x0000000002219067
     TABLE at 0x2219000 write young dirty exec user
pud  entry 0 (bits 38-30 of the address), at 0x2219000: 0x000000000221a067
     TABLE at 0x221a000 write young dirty exec user
pmd  entry 0 (bits 29-21 of the address), at 0x221a000: 0x000000000221b067
     TABLE at 0x221b000 write young dirty exec user
pte  entry 0 (bits 20-12 of the address), at 0x221b000: 0x07fffffffffbfe08
     SWAP type 0 offset 0x200 exclusive
     swapped out: slot 0x200 of /dev/ram0 (type 0)
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], x86: str) -> Any:
    def _run(*arguments: str, status: int = 0) -> list[str]:
        assert main(["dump", x86, *arguments]) == status
        captured = capsys.readouterr()
        return captured.out.splitlines() if status == 0 else captured.err.splitlines()

    return _run


def test_a_summary_of_all_processes_names_the_devices(run: Any) -> None:
    lines = run()
    assert lines[0].startswith("read as pmdswp.get('x86_64', kernel='6.12.117+deb13-amd64', device_private=False)")
    assert any(re.fullmatch(r"1 +/dev/ram1 +4194304 +1154", line) for line in lines)
    assert any(re.match(r"146 +tester +274 +43 +1160 +41 +12 +1 +2 +0", line) for line in lines)


def test_a_summary_counts_what_a_walk_finds(run: Any, x86: str) -> None:
    records = [json.loads(line) for line in run("--summary", "--json")]
    dump = Dump.open(x86)
    for process, record in zip(dump.processes, records, strict=True):
        states: dict[str, dict[str, int]] = {}
        for step in dump.walk(process):
            assert step.entry is not None
            of_level = states.setdefault(step.level, {})
            of_level[step.entry.state.name] = of_level.get(step.entry.state.name, 0) + 1
        assert record["states"] == states
        assert (record["pid"], record["comm"], record["unread"]) == (process.pid, process.comm, 0)


def test_the_way_to_an_address_is_explained_level_by_level(run: Any) -> None:
    text = "\n".join(run("--pid", "146", "--va", hex(SWAPPED)))
    assert text.startswith(WAY)
    assert text[len(WAY) :].startswith("note: 6.12.117+deb13-amd64 is a kernel of Debian")


def test_the_way_to_an_address_ends_where_nothing_is(run: Any) -> None:
    text = "\n".join(run("--comm", "init", "--va", "7fff00000000"))
    assert "no VMA covers it" in text
    assert "empty: no page is here; if a file, or shared memory, is mapped, its page may be elsewhere\nnote:" in text


def test_entries_of_a_range_have_the_keys_of_the_contract(run: Any) -> None:
    records = [
        json.loads(line) for line in run("--pid", "146", "--va", f"{SWAPPED:#x}-{SWAPPED + 0x2000:#x}", "--json")
    ]
    assert [record["level"] for record in records] == ["pgd", "pud", "pmd", "pte", "pte"]
    assert all(tuple(record) == COLUMNS for record in records)
    assert records[-1] == {
        "pid": 146,
        "comm": "tester",
        "va": "0x10000001000",
        "size": 4096,
        "level": "pte",
        "word": "0x07fffffffffbfc08",
        "entry_address": "0x221b008",
        "state": "SOFTLEAF",
        "kind": "SWAP",
        "type": 0,
        "offset": "0x201",
        "pfn": None,
        "flags": ["exclusive"],
        "attributes": [],
        "device": "/dev/ram0",
        "vma": "0x10000000000-0x10000010000 rw-p",
        "young": None,
        "dirty": None,
        "markers": [],
    }


def test_only_some_kinds(run: Any) -> None:
    records = [json.loads(line) for line in run("--pid", "146", "--only", "marker,hwpoison", "--json")]
    assert {record["kind"] for record in records} == {"MARKER", "HWPOISON"}
    assert {name for record in records for name in record["markers"]} == {"uffd_wp", "poisoned"}
    assert all(record["pfn"] for record in records if record["kind"] == "HWPOISON")


def test_a_pmd_entry_is_split_on_request(run: Any) -> None:
    records = [json.loads(line) for line in run("--pid", "146", "--only", "migration", "--split", "--json")]
    [place] = [i for i, record in enumerate(records) if record["level"] == "pmd"]
    pmd, *ptes = records[place : place + 513]
    assert (pmd["va"], pmd["size"], pmd["pfn"], pmd["dirty"]) == (hex(MIGRATING), 2 << 20, "0x3200", True)
    assert [int(pte["va"], 16) for pte in ptes] == [MIGRATING + 4096 * i for i in range(512)]
    assert [int(pte["pfn"], 16) for pte in ptes] == [0x3200 + i for i in range(512)]
    assert {pte["level"] for pte in ptes} == {"pte"}


def test_a_table_has_a_line_for_each_entry_below_its_vma(run: Any) -> None:
    lines = run("--comm", "holder1", "--only", "swap")
    assert lines[0] == "process 148 holder1"
    assert re.fullmatch(r"  0x[0-9a-f]+-0x[0-9a-f]+ rw-p.*", lines[1])
    assert re.fullmatch(r"    0x[0-9a-f]+ +pte  0x[0-9a-f]{16}  SWAP type 1 .* on /dev/ram1", lines[2])


def test_csv_and_parquet_have_what_json_has(run: Any, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    wanted = [json.loads(line) for line in run("--json")]
    assert {record["pid"] for record in wanted} == {1, 146, 147, 148, 149}
    run("--csv", "-o", str(tmp_path / "a.csv"))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["word"] for row in rows] == [record["word"] for record in wanted]
    assert {row["young"] for row in rows} == {"", "true", "false"}
    assert [row["attributes"].split() for row in rows] == [record["attributes"] for record in wanted]
    run("--parquet", "-o", str(tmp_path / "a.parquet"))
    found = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for record in wanted:
        for name in ("va", "word", "entry_address", "offset", "pfn"):
            record[name] = None if record[name] is None else int(record[name], 16)
    assert found == wanted


def test_a_root_given_by_hand(run: Any) -> None:
    records = [json.loads(line) for line in run("--root", "0x10046000", "--only", "swap", "--json")]
    assert len(records) == 1160
    assert {(record["pid"], record["comm"], record["vma"]) for record in records} == {(None, None, None)}
    assert records[0]["device"] == "/dev/ram0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pid", "5"], "no process 5 with memory of its own is in the dump; it has 1 init, 146 tester"),
        (["--comm", "nobody"], "no process with memory is called 'nobody' in the dump; it has 1 init"),
        (["--only", "nothing"], "no state, kind or attribute is called 'nothing'"),
        (["--csv", "--json"], "--json and --csv contradict each other"),
        (["--csv", "--summary"], "a summary is text or JSON, not csv"),
        (["--va", "0x1000000000000", "--pid", "146"], "is not canonical"),
        (["--arch", "vax"], "'vax'"),
        (["--vmcoreinfo", "/nowhere"], "No such file"),
    ],
)
def test_bad_arguments_are_one_line(run: Any, arguments: list[str], message: str) -> None:
    lines = [line for line in run(*arguments, status=2) if "note:" not in line]
    assert len(lines) == 1
    assert message in lines[0]


@pytest.mark.parametrize("text", ["0x", "zz", "0x10000000000000000", "0x2000-0x1000", "0x1000-"])
def test_a_bad_address_is_one_line(x86: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dump", x86, "--va", text])
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_no_dump_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("no dump", encoding="utf-8")
    assert main(["dump", str(tmp_path / "a")]) == 2
    assert main(["dump", str(tmp_path / "nowhere")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_output_is_never_the_dump(x86: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(x86).read_bytes()
    assert main(["dump", x86, "--csv", "-o", x86]) == 2
    assert Path(x86).read_bytes() == before
    assert "is the file to be read" in capsys.readouterr().err


def test_without_drgn_the_extra_is_named(
    x86: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "drgn", None)
    assert main(["dump", x86]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'pmdswp[drgn]'" in line


def test_without_numpy_the_extra_is_named(x86: str) -> None:
    code = f"import sys; sys.modules['numpy'] = None; from pmdswp.cli import main; sys.exit(main(['dump', {x86!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'pmdswp[drgn]'" in done.stderr


def test_no_memory_of_a_process_is_printed(run: Any) -> None:
    # all that is shown of words are entries of page tables
    for record in map(json.loads, run("--json")):
        assert record["state"] in State.__members__
        assert set(record) == set(COLUMNS)


@pytest.mark.parametrize("arguments", [["--summary", "--json"], ["--json"]])
def test_progress_is_shown_on_a_terminal_that_shows_nothing_else(
    x86: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pmdswp.dump.command._EVERY", 100)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["dump", x86, *arguments]) == 0
    captured = capsys.readouterr()
    assert all(json.loads(line) for line in captured.out.splitlines())
    assert re.search(r"\rprocess .*: [1-9][0-9,]* entries\x1b\[K", captured.err)
    assert captured.err.endswith("\r\x1b[K")


def test_parquet_is_not_for_a_terminal(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert "parquet is not for a terminal" in run("--parquet", status=2)[-1]


def test_parquet_on_standard_output(x86: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    code = f"import sys; from pmdswp.cli import main; sys.exit(main(['dump', {x86!r}, '--only', 'swap', '--parquet']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    (tmp_path / "a").write_bytes(done.stdout)
    assert parquet.read_table(tmp_path / "a").num_rows == 1202
    # without a record it is a file all the same
    code = code.replace("'swap'", "'bad'")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    (tmp_path / "a").write_bytes(done.stdout)
    assert parquet.read_table(tmp_path / "a").num_rows == 0


def test_many_records_are_written_in_several_row_groups(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("pmdswp.dump.records._BATCH", 500)
    run("--parquet", "-o", str(tmp_path / "a"), "--only", "swap")
    assert parquet.ParquetFile(tmp_path / "a").num_row_groups == 3


def test_an_address_of_every_process_is_explained(run: Any) -> None:
    text = "\n".join(run("--va", "0x400000"))
    assert text.count("address 0x400000 of process ") == 5
    assert "\n\naddress" in text


def test_ctrl_c_ends_the_command_without_a_traceback(
    x86: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*_: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pmdswp.dump.command.summarise", interrupted)
    assert main(["dump", x86]) == 130
    monkeypatch.setattr("pmdswp.dump.command.records", interrupted)
    assert main(["dump", x86, "--csv", "-o", str(tmp_path / "a")]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert (tmp_path / "a").read_text(encoding="utf-8").startswith("pid,comm,va")


def test_a_summary_of_a_process_without_softleaves_names_none(run: Any) -> None:
    lines = run("--summary", "--pid", "1")
    assert not any("pages in these processes" in line or " pte " in line for line in lines)
    assert any(line.startswith("none of these pages are on /dev/ram0, /dev/ram1") for line in lines)


def test_part_of_a_table_is_no_run(run: Any) -> None:
    [record] = map(
        json.loads, run("--summary", "--json", "--pid", "146", "--va", f"{SWAPPED:#x}-{SWAPPED + 0x3000:#x}")
    )
    assert (record["kinds"], record["runs"]) == ({"pte": {"SWAP": 3}}, 0)
