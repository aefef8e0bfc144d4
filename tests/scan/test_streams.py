"""The state of a stream loses no answer: input over output, streams that are closed, and streams that do not wait."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

import pytest

from pmdswp import cli
from pmdswp.scan import streams
from scan.conftest import Run
from scan.files import PTE_PAGE, X86

PAGE = PTE_PAGE.read_bytes()
PTES = (*X86, "--level", "pte")
SCAN = [sys.executable, "-m", "pmdswp", "scan"]


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "dump"
    path.write_bytes(PAGE)
    return path


# --- output over input ----------------------------------------------------------------------------------------


def _the_same(path: Path) -> Path:
    return path


def _symbolic(path: Path) -> Path:
    path.with_name("link").symlink_to("dump")
    return path.with_name("link")


def _hard(path: Path) -> Path:
    path.with_name("other").hardlink_to(path)
    return path.with_name("other")


def _winding(path: Path) -> Path:
    path.with_name("folder").mkdir()
    return path.parent / "folder" / ".." / "dump"


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
@pytest.mark.parametrize("output", [_the_same, _symbolic, _hard, _winding])
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_input_is_not_the_output(
    run: Run, dump: Path, output: Callable[[Path], Path], format_name: str, *, is_stream: bool
) -> None:
    name = output(dump)
    with dump.open("rb") as stdin:
        status = run("-" if is_stream else dump, *PTES, "--format", format_name, "-o", name, stdin=stdin)
    assert (status, run.out, run.err) == (2, "", f"pmdswp: {name} is the file to be read\n")
    assert dump.read_bytes() == PAGE


@pytest.mark.parametrize("name", ["/dev/stdin", "/proc/self/fd/0"])
def test_no_name_of_standard_input_is_an_output(dump: Path, name: str) -> None:
    with dump.open("r+b") as stdin:
        ended = subprocess.run(
            [*SCAN, "-", *PTES, "--json", "-o", name], stdin=stdin, capture_output=True, check=False, text=True
        )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"pmdswp: {name} is the file to be read\n"
    assert dump.read_bytes() == PAGE


@pytest.mark.parametrize("is_stream", [False, True])
def test_what_is_read_does_not_grow_by_standard_output(
    run: Run, dump: Path, monkeypatch: pytest.MonkeyPatch, *, is_stream: bool
) -> None:
    with dump.open("a") as stdout, dump.open("rb") as stdin, monkeypatch.context() as replaced:
        replaced.setattr(sys, "stdout", stdout)
        status = run("-" if is_stream else dump, *PTES, stdin=stdin)
    assert (status, run.err) == (2, "pmdswp: standard output is the file to be read\n")
    assert dump.read_bytes() == PAGE


def test_another_file_is_emptied_and_written(run: Run, dump: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_text("old" * 10_000)
    assert run(dump, *PTES, "--json", "-o", output) == 0
    assert len([json.loads(line) for line in output.read_text().splitlines()]) == 8
    assert run(dump, *PTES, "--json", "-o", "/dev/null") == 0


def test_a_terminal_or_a_socket_may_be_both_and_a_disk_by_two_names_is_one() -> None:
    def status(mode: int, inode: int, device: int) -> os.stat_result:
        return os.stat_result((mode, inode, 1, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": device})

    for kind, is_same in ((stat.S_IFREG, True), (stat.S_IFIFO, True), (stat.S_IFCHR, False), (stat.S_IFSOCK, False)):
        assert streams._is_same(status(kind, 5, 1), status(kind, 5, 1)) == is_same
        assert not streams._is_same(status(kind, 5, 1), status(kind, 6, 1))
    assert streams._is_same(status(stat.S_IFBLK, 5, 7), status(stat.S_IFBLK, 6, 7))
    assert not streams._is_same(status(stat.S_IFBLK, 5, 7), status(stat.S_IFBLK, 5, 8))
    assert not streams._is_same(status(stat.S_IFREG, 5, 7), None)


# --- standard input that does not wait --------------------------------------------------------------------------


def test_standard_input_that_has_nothing_yet_has_not_ended(run: Run) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write() -> None:
        for start in range(0, len(PAGE), 1000):
            time.sleep(0.02)
            os.write(writer, PAGE[start : start + 1000])
        time.sleep(0.02)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as stdin:
        status = run("-", *PTES, "--summary", "json", stdin=stdin)
    thread.join()
    assert (status, run.err) == (0, "")
    assert (run.summary()["words"], run.summary()["kinds"]) == (512, {"SWAP": 8})


# --- standard error that nobody reads ---------------------------------------------------------------------------


@pytest.fixture
def unread() -> Iterator[io.TextIOWrapper]:
    """Standard error whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", buffering=1)
    yield stream
    with suppress(BrokenPipeError):
        stream.close()


def test_a_standard_error_that_a_complaint_has_closed_is_closed(
    monkeypatch: pytest.MonkeyPatch, unread: io.TextIOWrapper
) -> None:
    with monkeypatch.context() as replaced:
        replaced.setattr(sys, "stderr", unread)
        assert not streams.on_standard_error(lambda: setattr(sys, "stderr", None))


@pytest.mark.parametrize("is_closed", [False, True])
def test_without_a_reader_of_complaints_the_work_is_done(
    monkeypatch: pytest.MonkeyPatch, unread: io.TextIOWrapper, tmp_path: Path, *, is_closed: bool
) -> None:
    # the reader of a pipe finds out about the tail after the records
    output = tmp_path / "out"
    (tmp_path / "dump").write_bytes(PAGE * 3 + b"123")
    stdout = io.StringIO()
    with monkeypatch.context() as replaced, redirect_stdout(stdout):
        replaced.setattr(sys, "stderr", None if is_closed else unread)
        status = cli.main(["scan", str(tmp_path / "dump"), *PTES, "--json", "-o", str(output)])
        # nothing is left that would fail when the process ends
        assert sys.stderr is None
    assert (status, stdout.getvalue()) == (1, "")
    assert len(output.read_text().splitlines()) == 24


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize(("summary", "status"), [("text", 1), ("json", 1), ("none", 0)])
def test_a_summary_that_nobody_reads_is_status_1(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    unread: io.TextIOWrapper,
    summary: str,
    status: int,
    *,
    is_closed: bool,
) -> None:
    with monkeypatch.context() as replaced:
        replaced.setattr(sys, "stderr", None if is_closed else unread)
        assert cli.main(["scan", str(PTE_PAGE), *PTES, "--json", "--summary", summary]) == status
    assert len([json.loads(line) for line in capfd.readouterr().out.splitlines()]) == 8


def test_a_file_does_not_get_the_place_of_a_closed_standard_error(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(PAGE + b"123")
    program = (
        "import os, sys\n"
        "from pmdswp import cli\n"
        "from pmdswp.scan.complaints import Complaints\n"
        "see = Complaints.see\n"
        "Complaints.see = lambda *given: (see(*given), os.write(2, b'what a library prints'))\n"
        "sys.exit(cli.main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", program, "scan", "-", *PTES, "--json", "-o", str(tmp_path / "out")]
    closing = ["bash", "-c", '"$@" 2>&-', "bash", *command]
    with (tmp_path / "dump").open("rb") as stdin:
        ended = subprocess.run(closing, stdin=stdin, stdout=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert len([json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]) == 8
