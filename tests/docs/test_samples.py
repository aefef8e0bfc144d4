"""What README and documentation show is what happens.

In a ``pycon`` block is a Python session; the blocks of one page are one session. In a ``console`` block, each line that
starts with ``$`` is a ``pmdswp`` command, or several with ``|`` between them, and the lines up to the next one are all
that they print: standard output, then standard error. Their status is 0, unless there is something on standard error.
A ``python-console`` block is a session of drgn, which `tests/dump` runs. Blocks of other languages are not run.
"""

from __future__ import annotations

import doctest
import io
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from pmdswp.cli import main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
NOT_RUN = {"c", "python", "rst", "sh", "text"}
LANGUAGES = {"console", "pycon", "python-console"} | NOT_RUN


class Block(NamedTuple):
    """A fenced block: its language, the number of its first line (0-based), and its lines."""

    language: str
    start: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


class Sample(NamedTuple):
    """A command line, and what is shown below it."""

    command: str
    output: str


def _paths() -> list[Path]:
    pages = (ROOT / "docs").rglob("*.md")
    return [README, *sorted(page for page in pages if "_build" not in page.parts)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PAGES = pytest.mark.parametrize("path", _paths(), ids=_name)


def _blocks(path: Path) -> Iterator[Block]:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines())
    for number, line in lines:
        fence = re.match(r"\s*(```+|~~~+)\s*(.*)", line)
        if fence is None:
            continue
        where = f"{_name(path)}:{number + 1}"
        assert line.startswith("```"), f"{where}: a fence that is indented, or not of backticks"
        assert fence[2] in LANGUAGES, f"{where}: {fence[2]!r} is none of {', '.join(sorted(LANGUAGES))}"
        body: list[str] = []
        for _, inner in lines:
            if inner == fence[1]:
                break
            assert not inner.lstrip().startswith("```"), f"{where}: the block is not closed"
            body.append(inner)
        else:
            pytest.fail(f"{where}: the block is not closed")
        yield Block(fence[2], number + 1, body)


def _session(path: Path) -> doctest.DocTest:
    """The Python session of a page, every line at its place, so that a failure names it."""
    lines = [""] * len(path.read_text(encoding="utf-8").splitlines())
    for block in _blocks(path):
        if block.language == "pycon":
            assert block.lines[0].startswith(">>> "), f"{_name(path)}:{block.start + 1}: the session starts later"
            lines[block.start : block.start + len(block.lines)] = block.lines
    return doctest.DocTestParser().get_doctest("\n".join(lines), {}, _name(path), str(path), 0)


def _samples(path: Path) -> Iterator[Sample]:
    for block in _blocks(path):
        if block.language != "console":
            continue
        assert block.lines[0].startswith("$ "), f"{_name(path)}:{block.start + 1}: no command before the output"
        found = re.findall(r"^\$ (.*)\n((?:(?!\$).*\n)*)", block.text, re.MULTILINE)
        whole = "".join(f"$ {command}\n{output}" for command, output in found)
        assert whole == block.text, f"{_name(path)}:{block.start + 1}: a line that is neither a command nor output"
        yield from (Sample(command, output) for command, output in found)


def _pipeline(command: str) -> Iterator[list[str]]:
    """The arguments of each `pmdswp` of a command line."""
    arguments: list[str] = []
    for word in [*shlex.split(command), "|"]:
        if word != "|":
            arguments.append(word)
            continue
        assert arguments[:1] == ["pmdswp"], f"not a pmdswp command: {command}"
        yield arguments[1:]
        arguments = []


class Run(NamedTuple):
    """Runs command lines in the project's root."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, command: str) -> str:
        """All that a command line prints but notes on a kernel, which are no complaints; it fails if it complains."""
        shown, complaints, failed = "", "", False
        for arguments in _pipeline(command):
            self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shown.encode())))
            try:
                status = main(arguments)
            except SystemExit as exit_:  # argparse
                status = exit_.code if isinstance(exit_.code, int) else 1
            shown, complaint = self.capsys.readouterr()
            lines = complaint.splitlines(keepends=True)
            complaints += "".join(line for line in lines if not line.startswith("pmdswp: note: "))
            failed = failed or status != 0
        assert failed == bool(complaints), f"{command}: {complaints or 'failed without a word'}"
        return shown + complaints


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(ROOT)
    return Run(capsys, monkeypatch)


@PAGES
def test_every_python_session_goes_as_shown(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    session = _session(path)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    report: list[str] = []
    results = runner.run(session, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted == len(session.examples)


@PAGES
def test_every_command_prints_what_is_shown(path: Path, run: Run) -> None:
    for command, output in _samples(path):
        if command.startswith("pmdswp dump") and find_spec("drgn") is None:
            pytest.skip("dumps are read by drgn")
        assert run(command) == output, command


@PAGES
def test_every_line_of_a_sample_belongs_to_it(path: Path) -> None:
    for block in _blocks(path):
        prompts = [line for line in block.lines if line.startswith((">>>", "$ "))]
        assert not (prompts and block.language in NOT_RUN), f"{_name(path)}: never run: {prompts}"
        assert block.lines, f"{_name(path)}: an empty block"
    sessions = [block for block in _blocks(path) if block.language == "pycon"]
    prompts = [line for block in sessions for line in block.lines if line.startswith(">>>")]
    assert len(_session(path).examples) == len(prompts)


@PAGES
def test_every_link_leads_to_a_file(path: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{_name(path)}: {target}"


def test_the_samples_are_found() -> None:
    pages = _paths()
    assert len(pages) > 8
    assert len(_session(README).examples) > 15
    assert len(list(_samples(README))) >= 3
    assert sum(len(_session(page).examples) for page in pages) > 100
    assert sum(len(list(_samples(page))) for page in pages) > 10


@pytest.mark.parametrize(
    "text", ["```pycom\n>>> 1\n1\n```\n", "```\n$ pmdswp\n```\n", "~~~pycon\n~~~\n", " ```sh\n```\n"]
)
def test_a_fence_of_an_unknown_language_is_an_error(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(AssertionError, match=r"page\.md:1"):
        list(_blocks(page))


@pytest.mark.parametrize("text", ["```sh\nls\n", "```sh\nls\n```pycon\n>>> 1\n```\n"])
def test_a_fence_that_is_not_closed_is_an_error(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises((AssertionError, pytest.fail.Exception), match="not closed"):
        list(_blocks(page))


def test_a_command_fails_exactly_if_it_complains(run: Run) -> None:
    assert run("pmdswp decode x86_64 nonsense").startswith("pmdswp: 'nonsense' is not a word")
    assert run("pmdswp decode x86_64 --no-ruler 0x07fffffffffbfe0e").startswith("0x07fffffffffbfe0e  SWAP")
    with pytest.raises(AssertionError, match="not a pmdswp command"):
        run("ls")


def _of_readme(language: str) -> list[str]:
    return [block.text for block in _blocks(README) if block.language == language]


def test_the_first_command_of_the_readme_lists_the_entry_that_is_shown(run: Run) -> None:
    command = _of_readme("sh")[0].strip().rpartition("bin/pmdswp ")[2]
    assert _of_readme("text")[0] in run(f"pmdswp {command}")


def test_every_file_that_the_readme_names_is_there() -> None:
    folders = "(?:docs|src|tests|examples)/"
    text = README.read_text(encoding="utf-8")
    named = re.findall(rf"`({folders}[^`\s]*|[A-Z]+\.md)`|\]\(({folders}[^)#]*)\)", text)
    named = [in_code or linked for in_code, linked in named]
    assert len(named) > 20
    # the site is there once it is built
    assert [name for name in named if not (ROOT / name).exists() and "_build" not in name] == []


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert _of_readme("sh")[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
