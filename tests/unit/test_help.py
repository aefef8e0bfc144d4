"""Each command says by examples that run what it is for, and what the Tab key completes is what its parser takes."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pmdswp
from pmdswp.cli import COMMANDS, GROUPS, command_parser, completion, examples, main

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "oops.txt": "kernel-log.txt",
    "vmcore": "x86_64-6.12-vmcore.elf",
    "pmd-page.bin": "x86_64-7.3.4-pmd-page.bin",
    "scenario.py": "fork_cow.py",
}
SWAPS = "Filename Type Size Used Priority\n/dev/zram6 partition 4194300 0 -2\n"
CONFIG = "#\n# Linux/x86 6.12.0 Kernel Configuration\n#\nCONFIG_X86_64=y\nCONFIG_MEM_SOFT_DIRTY=y\nCONFIG_MIGRATION=y\n"

ALL = [(name, line) for name in COMMANDS for _question, line in examples(name)]
NEEDS = ("sudo pmdswp", "check-tree", "prove --all")
"""Root, a kernel tree, minutes: what begins so is parsed, and not run."""


def _calls(line: str) -> list[list[str]]:
    """The arguments of each call of pmdswp in a line of shell."""
    return [shlex.split(call) for call in re.findall(r"pmdswp ([^|>)]*)", line)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, source in FILES.items():
        shutil.copy(EXAMPLES / source, tmp_path / name)
    (tmp_path / "swaps.txt").write_text(SWAPS)
    (tmp_path / ".config").write_text(CONFIG)
    arch = pmdswp.get("x86_64")
    (tmp_path / "ptes.txt").write_text("\n".join(map(hex, arch.split_pmd(0x07FFFFFFFFFBFE0E))))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    # a scenario is run as a program
    sys.modules.pop("scenario", None)


@pytest.mark.parametrize(("name", "line"), ALL, ids=[line for _name, line in ALL])
def test_every_example_runs(
    name: str,
    line: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = _calls(line)
    assert name in {call[0] for call in calls} or name == "identify"
    for command, *arguments in calls:
        command_parser(command).parse_intermixed_args(arguments)
    if any(need in line for need in NEEDS):
        return
    text = (folder / "oops.txt").read_text()
    for arguments in calls:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        status = main(arguments)
        text, errors = capsys.readouterr()
        assert status == 0, errors
        assert text or {"-o", "--output"} & set(arguments)


def test_help_has_two_to_four_examples_of_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        _usage, title, told = capsys.readouterr().out.partition("How do I ...\n")
        assert title
        assert told.splitlines() == [
            text for question, line in examples(name) for text in (f"  {question}:", f"    {line}")
        ]
        assert 2 <= len(examples(name)) <= 4


def test_help_names_each_command_under_those_who_ask_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    places = [told.index(f"\n{whom}:\n") for whom in GROUPS]
    assert places == sorted(places)
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", told, re.MULTILINE)


# --- the Tab key ------------------------------------------------------------------------------------------------------


def completions(line: str, folder: Path) -> set[str]:
    told = folder / "told"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(told)}
    where = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    command = [sys.executable, "-c", "import pmdswp_command; pmdswp_command.main()"]
    subprocess.run(command, env={**os.environ, **asked, **where}, check=False, capture_output=True)
    return set(told.read_text().split("\n")) if told.exists() else set()


def test_the_tab_key_completes_commands_options_and_values(tmp_path: Path) -> None:
    pytest.importorskip("argcomplete")
    assert set(COMMANDS) <= completions("pmdswp ", tmp_path)
    assert completions("pmdswp de", tmp_path) == {"decode"}
    assert completions("pmdswp explain --swa", tmp_path) == {"--swaps"}
    assert completions("pmdswp layout s", tmp_path) == {"s390x"}
    assert {"6.12", "6.1"} <= completions("pmdswp decode x86_64 --kernel 6.", tmp_path)
    assert completions("pmdswp decode arm64 --page-size ", tmp_path) == {"4096", "16384", "65536"}
    assert completions("pmdswp decode --level e", tmp_path) == {"entry"}


def test_without_argcomplete_the_tab_key_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    monkeypatch.delenv("COMP_LINE", raising=False)
    # else it would look at the line of the shell, and end the process
    completion.complete()


def test_the_command_loads_no_completion_unless_the_shell_asks() -> None:
    code = "import sys, pmdswp.cli; pmdswp.cli.main(['arches']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert not {"argcomplete", "pmdswp.cli.completion"} & set(loaded)


# --- complaints say what to do next -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("", "try `pmdswp --help`"),
        ("dcode x86_64 0x1", "no command 'dcode'; try `pmdswp decode`"),
        ("quux", "no command 'quux'; try `pmdswp --help`"),
        ("decode --levl pte", "try `pmdswp decode --help`"),
        ("decode 0x123", "'0x123' is not an architecture, which comes first; try x86_64 before it"),
        ("decode x86_64 123", "try 0x123"),
        ("decode x86_64 0x1 --level p4d", "allowed: pte, pmd, pud, pgd"),
        ("decode arm64 0x1 --like vmcore", "is of x86_64, and not of arm64; try x86_64 as the architecture"),
        ("join x86_64 --file oops.txt", "`pmdswp explain` reads logs"),
        ("explain oops.txt --swaps oops.txt", "try a copy of /proc/swaps, or crash's `swap`"),
        ("identify swaps.txt", "try a vmcore, its VMCOREINFO, a .config, or a log with the boot in it"),
        ("dump swaps.txt", "swaps.txt: not an ELF core file; `pmdswp scan` reads raw page tables"),
        ("dump missing", "missing: No such file or directory"),
        ("prove --la57 --all", "try `pmdswp prove x86_64 ...`"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_who_cannot_know_what_to_do_next_is_told(line: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(line.split())
    except SystemExit as ended:
        status = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.endswith(f"{hint}\n")
    assert err.count("\n") == 1
