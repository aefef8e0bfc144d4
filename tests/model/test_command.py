"""The command `pmdswp model`: what it plays, what it prints, and how it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import pmdswp
from pmdswp import cli
from pmdswp.model import Machine, Process, command, selftests

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
            status = cli.main(["model", *arguments])
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
    assert cli.MODEL_FORMATS == command.FORMATS


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
    assert "p1 mmap(pmds=1, pages=0, address=0): ok" in traced.out


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
        ("with Machine() as m\n", "scenario.py:1: no Python: expected ':'"),
        ("\0", "scenario.py:1: no Python: source code string cannot contain null bytes"),
    ],
)
def test_what_is_no_python_is_status_2(run: Run, scenario: str, complaint: str) -> None:
    status, out, err = run.play(scenario)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert complaint in err


def test_bytes_that_are_no_text_are_no_python(run: Run) -> None:
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
