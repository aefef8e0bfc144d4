"""The command `pmdswp model`: what it plays, what it prints, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

import pmdswp
from pmdswp.cli import main
from pmdswp.cli.model import FORMATS
from pmdswp.model import Machine, Process
from pmdswp.model.play import selftests
from pmdswp.model.show import command

EXAMPLES = Path(__file__).parents[2] / "examples"
SCENARIOS = sorted(EXAMPLES.glob("*.py"))
HEAD = "from pmdswp.model import KernelError, Machine\n"
GOOD = f"{HEAD}with Machine() as m:\n    p = m.process()\n    p.pageout(p.mmap(pmds=1))\n"


class Outcome(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


class Run(NamedTuple):
    """Runs the command in a folder of its own."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Outcome:
        try:
            status = main(["model", *arguments])
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        return Outcome(status, *self.capsys.readouterr())

    def play(self, scenario: str, *arguments: str) -> Outcome:
        path = self.folder / "scenario.py"
        path.write_text(scenario, encoding="utf-8")
        return self("run", str(path), *arguments)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return Run(tmp_path, capsys)


def test_the_formats_that_the_command_offers_are_those_that_there_are() -> None:
    assert FORMATS == command.FORMATS


@pytest.mark.parametrize(
    ("path", "name"),
    # the invariants are checked after every step: many pages to a PMD take a while where a step is one page
    [
        pytest.param(path, name, id=f"{name}-{path.name}")
        for path in SCENARIOS
        for name in pmdswp.names()
        if path.name != "swapoff_zswap.py" or pmdswp.get(name).hpage_pmd_nr <= 256
    ],
)
def test_every_example_goes_well_on_every_architecture(run: Run, path: Path, name: str) -> None:
    status, out, err = run("run", str(path), "--arch", name)
    assert (status, err) == (0, "")
    assert out.startswith(f"machine 1: pmdswp.get({name!r}, kernel='pmd-swap-v3'")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.name)
def test_an_example_is_a_program_too(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_trace_tells_every_step(run: Run) -> None:
    plain, traced = run.play(GOOD), run.play(GOOD, "--trace")
    assert "mmap(" not in plain.out
    assert "p1 mmap(pmds=1, pages=0, address=0, huge=True): ok" in traced.out


def test_options_choose_the_configuration_of_machines_that_name_none(run: Run) -> None:
    out = run.play(GOOD, "--arch", "arm64", "--page-size", "16K").out
    assert out.startswith("machine 1: pmdswp.get('arm64', kernel='pmd-swap-v3', page_size=16384), 2048 pages to a PMD")
    named = run.play(GOOD.replace("Machine()", "Machine('s390x')"), "--arch", "arm64").out
    assert named.startswith("machine 1: pmdswp.get('s390x'")


def test_json_is_one_object_with_every_machine(run: Run) -> None:
    twice = f"{GOOD}{GOOD}print('said')\n"
    for arguments in (("--json",), ("--format", "json"), ("--json", "--format", "json")):
        status, out, err = run.play(twice, *arguments)
        report = json.loads(out)
        assert (status, err) == (0, "said\n")
        assert report["title"] == "scenario.py"
        assert [machine["name"] for machine in report["machines"]] == ["machine 1", "machine 2"]
        assert [step["operation"] for step in report["machines"][0]["steps"]][-1] == "shutdown"


def test_a_report_may_go_to_a_file_and_leaves_standard_output_to_the_scenario(run: Run) -> None:
    page = run.folder / "page.html"
    status, out, err = run.play(f"{GOOD}print('said')\n", "--format", "html", "-o", str(page))
    assert (status, out, err) == (0, "said\n", "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        ("\n1 / 0\n", "scenario.py:2: ZeroDivisionError: division by zero"),
        ("def f():\n    assert False\n\nf()\n", "scenario.py:2: AssertionError"),
        (f"{GOOD}    p.read(0)\n", "scenario.py:5: KernelError: SIGSEGV"),
        (f"{GOOD}    raise KernelError('EIO')\n", "scenario.py:5: KernelError: EIO"),
        (f"{HEAD}Machine('vax')\n", "scenario.py:2: UnsupportedError: no architecture 'vax'; allowed: "),
        ("import no_such_module\n", "scenario.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("int('x')\n", "scenario.py:1: ValueError: invalid literal"),
        ("raise SystemExit('enough')\n", "scenario.py: enough"),
        ("raise SystemExit(3)\n", "scenario.py: 3"),
        ("eval('1 +')\n", "scenario.py:1: SyntaxError: "),
        ("pass\n", "scenario.py: no Machine was made"),
        ("def f(): f()\nf()\n", "scenario.py:1: RecursionError: "),
        ("\nraise ValueError('a\\nb')\n", "scenario.py:2: ValueError: a b\n"),
        ("import sys\nsys.exit('a\\nb\\n')\n", "scenario.py: a b\n"),
        ("class Stop(BaseException): ...\nraise Stop('a\\rb')\n", "scenario.py:2: Stop: a b\n"),
        (f"{HEAD}Machine(errors=['bogus'])\n", "scenario.py:2: UnsupportedError: no error 'bogus'; allowed: v1_"),
    ],
)
def test_a_scenario_that_fails_is_one_line_with_its_place_and_status_1(run: Run, scenario: str, complaint: str) -> None:
    status, _, err = run.play(scenario)
    assert status == 1
    assert err.count("\n") == 1
    assert complaint in err


def test_what_happened_before_a_failure_is_told(run: Run) -> None:
    status, out, err = run.play(f"{GOOD}    p.read(0)\n", "--trace")
    assert (status, err.count("\n")) == (1, 1)
    assert "p1 pageout" in out
    assert "p1 read(address=0): SIGSEGV" in out


@pytest.mark.parametrize("code", ["", "0", "None"])
def test_a_scenario_may_exit_in_peace(run: Run, code: str) -> None:
    assert run.play(f"{GOOD}raise SystemExit({code})\n").status == 0


def test_a_violated_invariant_is_status_1(run: Run) -> None:
    broken = f"{GOOD}    a = p.mmap(pmds=1)\n    p.write(a)\n    p.pageout(a)\n    p.mm.swapents -= 1\n    p.read(a)\n"
    status, _, err = run.play(broken)
    assert status == 1
    assert ":9: Violation: G3: " in err
    forgotten = f"{HEAD}m = Machine()\nm.process().mmap(pmds=1)\n"
    assert run.play(forgotten).status == 0


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        ("with Machine() as m\n", "scenario.py:1: not Python: expected ':'"),
        ("\0", "scenario.py:1: not Python: source code string cannot contain null bytes"),
    ],
)
def test_what_is_not_python_is_status_2(run: Run, scenario: str, complaint: str) -> None:
    status, out, err = run.play(scenario)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_bytes_that_are_not_text_are_not_python(run: Run) -> None:
    (run.folder / "scenario.py").write_bytes(b"x = '\xff'\n")
    status, _, err = run("run", "scenario.py")
    assert (status, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("walk",),
        ("run",),
        ("run", "missing.py"),
        ("run", "."),
        ("run", "missing.py", "--arch", "vax"),
        ("run", "missing.py", "--format", "pdf"),
        ("run", "missing.py", "--json", "--format", "html"),
        ("run", "missing.py", "--json", "--format", "text"),
        ("selftest", "--format", "text"),
        ("selftest", "scenario.py"),
        ("selftest", "--arch", "vax"),
        ("selftest", "--kernel", "7.3"),
        ("selftest", "--arch", "arm64", "--no-thp"),
        ("selftest", "--page-size", "1"),
        ("selftest", "--format", "html"),
        ("selftest", "-o", "somewhere"),
    ],
)
def test_bad_arguments_are_one_line_and_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_a_file_that_cannot_be_written_is_one_line_and_status_2(run: Run) -> None:
    status, _, err = run.play(GOOD, "-o", ".")
    assert (status, err.count("\n")) == (2, 1)


def test_a_reader_that_has_seen_enough_ends_a_scenario_quietly(run: Run) -> None:
    (run.folder / "endless.py").write_text("while True:\n    print('said' * 1000)\n", encoding="utf-8")
    command_line = f"{sys.executable} -m pmdswp model run endless.py | head -1 >/dev/null"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command_line}"], capture_output=True, check=False)  # noqa: S607
    assert (done.returncode, done.stderr) == (0, b"")


def test_selftests_run_on_all_architectures_unless_one_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftests, "SELFTESTS", {"basic": selftests.basic, "munmap": selftests.munmap})
    status, out, err = run("selftest", "--page-size", "4096", "--no-soft-dirty", "--no-uffd")
    assert (status, err) == (0, "")
    assert [line.partition("'")[2].partition("'")[0] for line in out.splitlines()] == list(pmdswp.names())
    status, out, _ = run("selftest", "--arch", "ppc64")
    assert out == "pmdswp.get('ppc64', kernel='pmd-swap-v3'), 32 pages to a PMD: 4 of 4 passed\n"


def test_selftests_tell_what_they_show_and_are_records(run: Run) -> None:
    lines = run("selftest", "--arch", "ppc64", "--trace").out.splitlines()
    assert lines[0] == f"ppc64: basic, zswap off: {selftests.basic.__doc__}"
    assert len(lines) == 2 * len(selftests.SELFTESTS) + 1
    records = [json.loads(line) for line in run("selftest", "--arch", "ppc64", "--json").out.splitlines()]
    assert {record["selftest"] for record in records} == selftests.SELFTESTS.keys()
    assert all(record["passed"] and record["rules"] and record["failure"] is None for record in records)


def test_a_selftest_that_fails_is_a_line_and_status_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "read", lambda _p, _address: 0)
    for arguments in ((), ("--trace",), ("--json",)):
        status, out, err = run("selftest", "--arch", "ppc64", *arguments)
        assert status == 1
        assert (
            err.splitlines()[0] == "pmdswp: ppc64: basic, zswap off: AssertionError: p1 does not read what was written"
        )
        assert ("of 34 passed" in out) == ("--json" not in arguments)


def test_an_interrupt_of_the_user_is_not_the_scenario_s(run: Run) -> None:
    interrupted = run.play(f"{GOOD}raise KeyboardInterrupt\n")
    assert interrupted.out == ""
    assert "Traceback" not in interrupted.err


def test_a_machine_needs_no_stage() -> None:
    with Machine("ppc64") as m:
        assert m.process().mmap(pmds=1)


class Alone(NamedTuple):
    """Runs the command as a process of its own, whose standard output a scenario may break."""

    folder: Path

    def __call__(self, scenario: str, *arguments: str, stdout: int = subprocess.PIPE, **variables: str) -> Outcome:
        (self.folder / "s.py").write_text(scenario, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pmdswp", "model", "run", "s.py", *arguments],
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            check=False,
            # Python that does not buffer has streams of its own here
            env={**os.environ, "PYTHONUNBUFFERED": "", **variables},
        )
        return Outcome(done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


@pytest.fixture
def alone(tmp_path: Path) -> Alone:
    return Alone(tmp_path)


@pytest.mark.parametrize(
    ("closing", "arguments"),
    [
        ("sys.stdout.close()", ()),
        ("sys.stdout.detach()", ()),
        ("print(); os.close(1)", ()),
        ("sys.__stdout__.buffer.close()", ("--json",)),
        ("print(); os.close(1)", ("--format", "html", "-o", "page.html")),
    ],
)
def test_a_scenario_that_closes_standard_output_is_one_line_and_status_2(
    alone: Alone, closing: str, arguments: tuple[str, ...]
) -> None:
    status, _, err = alone(f"{GOOD}import os, sys\n{closing}\n", *arguments)
    assert (status, err) == (2, "pmdswp: s.py: the scenario closed standard output\n")
    if arguments[-1:] == ("page.html",):
        # the report is where it was wanted: only what the scenario said itself is lost
        assert (alone.folder / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "breaking", ["raise BrokenPipeError('mine')", "r, w = os.pipe()\nos.close(r)\nos.write(w, b'x')"]
)
@pytest.mark.parametrize("by_itself", [False, True])
def test_a_pipe_of_the_scenario_that_breaks_is_its_failure(
    run: Run, alone: Alone, breaking: str, *, by_itself: bool
) -> None:
    scenario = f"import os\n{GOOD}{breaking}\n"
    status, _, err = alone(scenario) if by_itself else run.play(scenario)
    assert (status, err.count("\n")) == (1, 1)
    assert ": BrokenPipeError: " in err


@pytest.mark.parametrize("failing", [False, True])
def test_a_failure_is_status_1_though_nobody_reads_the_report(alone: Alone, *, failing: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    status, _, err = alone(f"{GOOD}assert {not failing}\n", stdout=writing)
    os.close(writing)
    assert (status, err) == ((1, "pmdswp: s.py:5: AssertionError\n") if failing else (0, ""))


@pytest.mark.parametrize(
    ("scenario", "complaint"),
    [
        (
            "class E(Exception):\n    def __str__(self): return 1 / 0\nraise E\n",
            "scenario.py:3: E: its message cannot be printed (ZeroDivisionError)",
        ),
        ("class E(Exception):\n    def __str__(self): return 1\nraise E\n", "scenario.py:3: E: its message cannot be"),
        ("raise type('A\\nB\\x1b', (Exception,), {})\n", "scenario.py:1: A B\\x1b\n"),
        ("raise SystemExit([])\n", "scenario.py: []"),
        ("raise SystemExit(0.0)\n", "scenario.py: 0.0"),
        (
            "class C:\n    def __repr__(self): raise KeyError\nraise SystemExit(C())\n",
            "scenario.py: its message cannot",
        ),
        ("raise ValueError('\\x1b[2J \\udce9 \\x07')\n", "ValueError: \\x1b[2J \\udce9 \\x07\n"),
        ("raise ValueError('x' * 10**7)\n", "xxx…\n"),
        ("raise BaseExceptionGroup('many', [ValueError('a'), KeyboardInterrupt()])\n", "many (2 sub-exceptions)"),
    ],
)
def test_whatever_a_scenario_raises_is_one_short_line_that_can_be_printed(
    run: Run, scenario: str, complaint: str
) -> None:
    status, _, err = run.play(scenario)
    assert (status, err.count("\n")) == (1, 1)
    assert complaint in err
    assert len(err.replace(str(run.folder), "")) < 700


@pytest.mark.parametrize("source", ["(" * 100_000, "x = " + "-" * 100_000 + "1\n", "# coding: no-such\n", "\x00"])
def test_what_python_cannot_compile_is_one_line_and_status_2(run: Run, source: str) -> None:
    status, out, err = run.play(source)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "scenario.py:1: not Python: " in err


@pytest.mark.parametrize("name", [b"caf\xe9.py", b"a\nb.py", b"\x1b[2J.py"])
@pytest.mark.parametrize("format_name", command.FORMATS)
def test_a_file_may_have_any_name(run: Run, name: bytes, format_name: str) -> None:
    path = run.folder / os.fsdecode(name)
    path.write_text(GOOD, encoding="utf-8")
    title = ascii(path.name)[1:-1]
    for output in ((), ("-o", f"{path}.out")):
        status, out, err = run("run", path.name, "--format", format_name, *output)
        report = Path(output[1]).read_text(encoding="utf-8") if output else out
        assert (status, err) == (0, "")
        assert format_name == "text" or title in (json.loads(report)["title"] if format_name == "json" else report)
    path.write_text(f"{GOOD}1 / 0\n", encoding="utf-8")
    status, _, err = run("run", path.name, "--format", format_name)
    assert (status, err) == (1, f"pmdswp: {title}:5: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("format_name", ["text", "html"])
def test_what_no_encoding_has_does_not_end_the_report(run: Run, alone: Alone, format_name: str) -> None:
    scenario = f"{HEAD}with Machine() as m:\n    p = m.process()\n    a = p.mmap(pmds=1)\n    p.write(a, '\\ud800 é')\n"
    arguments = ("--trace", "--format", format_name)
    for status, out, err in (run.play(scenario, *arguments), alone(scenario, *arguments, PYTHONIOENCODING="ascii")):
        assert (status, err) == (0, "")
        assert "\\ud800 " in out


@pytest.mark.parametrize("how", ["itself", "another spelling", "symbolic link", "hard link"])
@pytest.mark.parametrize("format_name", command.FORMATS)
def test_the_report_never_replaces_the_scenario(run: Run, how: str, format_name: str) -> None:
    other = run.folder / "other"
    if how == "symbolic link":
        other.symlink_to("scenario.py")
    elif how == "hard link":
        (run.folder / "scenario.py").touch()
        other.hardlink_to(run.folder / "scenario.py")
    output = {"itself": "scenario.py", "another spelling": "./../" + run.folder.name + "/scenario.py"}.get(how, "other")
    scenario = f"print('played')\n{GOOD}"
    status, out, err = run.play(scenario, "-o", output, "--format", format_name)
    assert (status, out) == (2, "")
    assert err == f"pmdswp: the report cannot replace the scenario: {output} is the same file\n"
    assert (run.folder / "scenario.py").read_text(encoding="utf-8") == scenario


def test_the_report_goes_where_it_was_to_go_wherever_the_scenario_goes(run: Run) -> None:
    (run.folder / "elsewhere").mkdir()
    status, _, err = run.play(f"import os\nos.chdir('elsewhere')\n{GOOD}", "-o", "report")
    assert (status, err) == (0, "")
    assert (run.folder / "report").exists()


def test_a_scenario_may_come_through_a_pipe(run: Run) -> None:
    path = run.folder / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(GOOD,))
    writer.start()
    status, out, err = run("run", "fifo")
    writer.join()
    assert (status, err) == (0, "")
    assert out.startswith("machine 1: ")


def test_a_scenario_is_the_main_program(run: Run) -> None:
    before = sys.modules["__main__"], list(sys.argv)
    status, out, err = run.play(
        "import sys\nfrom dataclasses import dataclass\n\n@dataclass\nclass A:\n    b: 'int'\n\n"
        f"print(__name__, sys.modules['__main__'].A(1), sys.argv == [__file__])\n{GOOD}"
    )
    assert (status, err) == (0, "")
    assert out.startswith("__main__ A(b=1) True\n")
    assert (sys.modules["__main__"], sys.argv) == before
