"""What the README shows is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from pmdswp.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def _commands() -> list[tuple[str, str]]:
    """Each command line in the console blocks with the output shown below it."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", "".join(_blocks("console")), re.MULTILINE)


def test_every_python_snippet_does_what_it_shows() -> None:
    source = "\n".join(_blocks("pycon"))
    tour = doctest.DocTestParser().get_doctest(source, {}, "README", "README.md", 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.REPORT_NDIFF)
    runner.run(tour)
    assert runner.summarize().failed == 0
    assert len(tour.examples) > 15


@pytest.mark.parametrize(("command", "output"), _commands())
def test_every_command_prints_what_is_shown(command: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, *arguments = shlex.split(command)
    assert program == "pmdswp"
    assert main(arguments) == 0
    assert capsys.readouterr().out == output


def test_the_first_command_lists_the_entry_that_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    command = _blocks("sh")[0].strip().rpartition("bin/pmdswp ")[2]
    assert main(shlex.split(command)) == 0
    assert _blocks("text")[0] in capsys.readouterr().out


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert _blocks("sh")[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
