"""No state of a standard stream makes the command lose an answer with status 0."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import pmdswp
from pmdswp.cli import main
from pmdswp.waiting import Waiting

WORD = "0x07fffffffffbfe0e"
ANSWER = f"{WORD}  SWAP type 0 offset 0x200 exclusive soft_dirty uffd\n"
COMMAND = [sys.executable, "-m", "pmdswp"]


def _shell(line: str) -> subprocess.CompletedProcess[str]:
    text = f'pmdswp() {{ {sys.executable} -m pmdswp "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)  # noqa: S607


@pytest.mark.parametrize("how", [("-",), ("--table", "-")])
def test_an_input_that_does_not_block_and_is_empty_for_a_moment_is_read_to_its_end(how: tuple[str, ...]) -> None:
    arch = pmdswp.get("x86_64")
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_NONBLOCK)
    data = f"{WORD}\n".encode() if how == ("-",) else arch.pmd_to_bytes(int(WORD, 16))

    def write() -> None:
        for byte in (data[:3], data[3:]):
            time.sleep(0.3)
            os.write(writer, byte)
        os.close(writer)

    thread = threading.Thread(target=write)
    with subprocess.Popen(
        [*COMMAND, "decode", "x86_64", *how], stdin=reader, stdout=subprocess.PIPE, text=True
    ) as process:
        thread.start()
        out = process.communicate()[0]
    thread.join()
    os.close(reader)
    assert process.returncode == 0
    assert "SWAP type 0 offset 0x200 exclusive soft_dirty uffd" in out


def test_a_descriptor_is_waited_for_both_ways() -> None:
    reader, writer = os.pipe()
    capacity = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    with Waiting(reader, "rb") as source, Waiting(writer, "wb") as sink:
        later = threading.Timer(0.1, sink.write, (bytes(capacity),))
        later.start()
        # the page that a pipe has is full until all of it is read
        assert source.readinto(bytearray(1)) == 1
        later.join()
        later = threading.Timer(0.1, source.readinto, (bytearray(capacity),))
        later.start()
        assert sink.write(b"b") == 1
        later.join()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("unbuffered", [pytest.param("", marks=pytest.mark.long), "1"])
def test_an_output_that_does_not_block_and_is_full_for_a_moment_gets_all(tmp_path: Path, unbuffered: str) -> None:
    word = tmp_path / "word"
    word.write_bytes(pmdswp.get("x86_64").pmd_to_bytes(int(WORD, 16)))
    for arguments in (["split", "x86_64", *[WORD] * 10], ["scan", str(word), "--arch", "x86_64", "--format", "csv"]):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        # what another process has written fills it
        filled = os.write(writer, bytes(4096))
        with subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        ) as process:
            os.close(writer)
            time.sleep(0.7)
            with open(reader, "rb") as file:  # noqa: PTH123  # a descriptor
                out = file.read()[filled:]
        assert process.returncode == 0
        assert out.decode().count("\n") == (512 * 10 if arguments[0] == "split" else 2)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_is_cut_off_is_an_error(tmp_path: Path, unbuffered: str) -> None:
    # nor may it leave half a .pyc behind, which Python before 3.14 does
    variables = f"PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED={unbuffered}"
    ended = _shell(f"ulimit -f 1; {variables} pmdswp layout s390x --format svg > {tmp_path}/out; echo $?")
    assert ended.stdout == "2\n"
    # what measures coverage cannot write either
    assert ended.stderr.startswith("pmdswp: File too large\n")


def test_complaints_that_nobody_reads_end_nothing() -> None:
    # the reader of standard error is gone before the first complaint
    line = f"printf 'bad\\n%.0s' $(seq 2000) | (cat; echo {WORD}) | pmdswp decode x86_64 - 2> >(exec true); echo $?"
    ended = _shell(line)
    assert ended.stdout == f"{ANSWER}1\n"


def test_complaints_do_not_go_to_standard_output_when_standard_error_is_closed() -> None:
    ended = _shell(f"printf 'bad\\n{WORD}\\n' | pmdswp decode x86_64 - 2>&-; echo $?")
    assert ended.stdout == f"{ANSWER}1\n"
    ended = _shell("pmdswp decode x86_64 nonsense 2>&-; echo $?")
    assert ended.stdout == "2\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_an_error(unbuffered: str) -> None:
    ended = _shell(f"PYTHONUNBUFFERED={unbuffered} pmdswp decode x86_64 {WORD} > /dev/full; echo $?")
    assert (ended.stdout, ended.stderr) == ("2\n", "pmdswp: No space left on device\n")


@pytest.mark.parametrize("arguments", ["--help", "--version", "decode --help"])
def test_help_that_cannot_be_written_is_an_error_and_help_that_nobody_reads_none(arguments: str) -> None:
    ended = _shell(f"pmdswp {arguments} > /dev/full; echo $?")
    assert (ended.stdout, ended.stderr) == ("2\n", "pmdswp: No space left on device\n")
    ended = _shell(f"pmdswp {arguments} > >(exec true); echo $?; exec >&-; wait")
    assert (ended.stdout, ended.stderr) == ("0\n", "")


def test_a_long_table_is_listed_as_it_is_read_and_its_rows_are_those_of_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = pmdswp.get("arm64")
    # no entry continues the one before
    words = [arch.encode_pte(1 + index % 2, 7 * index) for index in range(10_000)]
    table = tmp_path / "table"
    table.write_bytes(b"".join(map(arch.pte_to_bytes, words)))
    assert main(["decode", "arm64", "--level", "pte", "--table", str(table)]) == 0
    head, columns, *rows, count = capsys.readouterr().out.splitlines()
    assert head.startswith(f"{table}: more than 8192 entries, read as pte by ")
    assert columns.split() == ["index", "count", "first", "word", "what"]
    assert [(int(row.split()[0]), int(row.split()[2], 16)) for row in rows] == list(enumerate(words))
    assert count == "10000 entries"


def test_an_endless_input_is_not_kept() -> None:
    limit = "ulimit -v 300000; "
    ended = _shell(f"{limit} pmdswp decode x86_64 --table /dev/zero --json | head -n 60000 | tail -n 1 | cut -c 1-17")
    assert ended.stdout == '{"index": 59999, \n'
    ended = _shell(f"{limit} yes 0x0 | pmdswp join x86_64 -; echo $?")
    assert (ended.stdout, ended.stderr) == ("2\n", "pmdswp: line 513: more than 512 words\n")
    ended = _shell(f"{limit} pmdswp decode x86_64 --file /dev/zero; echo $?")
    assert ended.stdout == "2\n"
    assert "not a list of words" in ended.stderr


def test_a_stand_in_without_a_descriptor_is_read_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WORD.encode())))
    assert main(["decode", "x86_64", "-"]) == 0
    assert capsys.readouterr().out == ANSWER


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "\udcff"])
def test_the_name_of_a_file_is_shown_in_one_line_of_printable_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    table = tmp_path / name
    table.write_bytes(bytes(11))
    assert main(["decode", "x86_64", "--table", str(table)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[0].startswith(f"{str(table)!r}: 1 entries")
    assert err == f"pmdswp: {str(table)!r}: the last 3 bytes are not a whole entry\n"
    assert main(["decode", "x86_64", "--table", f"{table}/none"]) == 2
    assert capsys.readouterr().err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "arguments",
    [
        ("decode", "x86_64", "0x1", "--level", "f" * 100_000),
        ("decode", "x86_64", "0x1", "--" + "f" * 100_000),
        ("f" * 100_000,),
        ("decode", "x86_64", "--file", "f" * 5_000),
        ("decode", "x86_64", "0x" + "1" * 100_000),
        ("encode", "x86_64", "1", "9" * 100_000),
        ("decode", "x86_64", "0x1", "--x\x1b[31m"),
        ("decode", "x86_64", "--file", "/no\x1b[31m/such\nfile"),
        ("encode", "x86_64", "1_0", "3"),
        ("encode", "x86_64", "\u0663", "3"),
        ("layout", "x86_64", "-o", ""),
        ("decode", "x86_64", "0x1", "--why", "--json"),
        ("decode", "x86_64", "--table", "/dev/null", "--why"),
    ],
    ids=lambda arguments: " ".join(arguments)[:30].encode("unicode_escape").decode(),
)
def test_a_complaint_is_one_short_line_of_characters_that_print(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.endswith("\n")
    assert err[:-1].isprintable()
    assert len(err) < 1100


def test_what_the_system_refuses_is_said_with_the_name_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "x86_64", "--file", "/no/such/file"]) == 2
    assert capsys.readouterr().err == "pmdswp: /no/such/file: No such file or directory\n"
    assert main(["decode", "x86_64", "--table", ""]) == 2
    assert capsys.readouterr().err == "pmdswp: '': No such file or directory\n"


def test_an_empty_table_has_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decode", "x86_64", "--table", "/dev/null"]) == 0
    head, columns = capsys.readouterr().out.splitlines()
    assert head.startswith("/dev/null: 0 entries")
    assert columns.split()[0] == "index"


def test_binary_data_is_complained_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF\0\n" * 100)
    assert main(["decode", "x86_64", "--file", str(path)]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("form", ["text", "json", "html"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_scenario_that_closes_a_stream_leaves_no_more_than_a_line(tmp_path: Path, stream: str, form: str) -> None:
    scenario = tmp_path / "scenario.py"
    scenario.write_text(f"import sys\nsys.{stream}.close()\n1/0\n")
    ended = _shell(f"pmdswp model run {scenario} --format {form}; echo status $?")
    assert ended.stderr.count("\n") <= 1
    assert ended.stdout.splitlines()[-1] in {"status 1", "status 2"}


def test_a_command_that_closes_standard_output_has_not_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def close(_options: object) -> int:
        sys.stdout.close()
        return 0

    monkeypatch.setattr("pmdswp.cli.arches.run", close)
    with monkeypatch.context() as closed:
        closed.setattr(sys, "stdout", io.StringIO())
        assert main(["arches"]) == 2
    assert capsys.readouterr().err == "pmdswp: standard output was closed\n"


def test_help_without_standard_output_ends_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
