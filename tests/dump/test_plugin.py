"""drgn's own prompt and scripts have the commands, over a small vmcore of a real kernel."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pmdswp.dump import Dump

pytest.importorskip("drgn", reason="the commands are drgn's")

SRC = Path(__file__).parents[2] / "src"


AT_ONCE = {"PYTHONUNBUFFERED": "1"}
"""What a command pipes to another program comes in its order, as on a terminal."""


def environment() -> dict[str, str]:
    # what is installed may be another version, or of a time before the entry point
    paths = os.pathsep.join([str(SRC), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "DRGN_PLUGINS": "pmdswp=pmdswp.dump.plugin", "TERM": "dumb", **AT_ONCE}


def drgn(path: str, *lines: str) -> list[str]:
    """What these lines print in drgn, which runs each command of `lines` and each other one as Python."""
    code = ["from drgn.commands import run_command"]
    code += [f"run_command(prog, {line[1:]!r})" if line.startswith("%") else line for line in lines]
    command = [sys.executable, "-m", "drgn", "-q", "-c", path, "-e", "\n".join(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_entry_point_is_the_module() -> None:
    text = (SRC.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points."drgn.plugins"]\npmdswp = "pmdswp.dump.plugin"\n' in text


def test_the_commands(x86: str) -> None:
    lines = drgn(
        x86,
        "%pswp 0x07fffffffffbfe08",
        "%pswp -l pmd 0x221b067",
        "%pswp_walk -p 146 0x10000001000",
        "%pswp_walk -p 146 0x10000000000 0x10000002000",
        "%pswp_walk --root 0x10046000 0x10000000000 0x10000001000",
        "%pswp_vma 146 | grep ram0",
        "%pswp_summary -p 146 | grep tester",
    )
    assert lines[:4] == [
        "pte 0x07fffffffffbfe08  SWAP type 0 offset 0x200 exclusive",
        "    swapped out: slot 0x200 of /dev/ram0 (type 0)",
        "pmd 0x000000000221b067  TABLE at 0x221b000 write young dirty exec user",
        "address 0x10000001000 of process 146 tester",
    ]
    assert "     swapped out: slot 0x201 of /dev/ram0 (type 0)" in lines
    entry = "  0x10000001000      pte  0x07fffffffffbfc08  SWAP type 0 offset 0x201 exclusive on /dev/ram0"
    place = lines.index(entry)
    assert lines[place - 5] == "process 146 tester"
    assert lines[place + 1] == "root 0x10046000"
    assert "  0x10000000000-0x10000010000 rw-p: 16 pte SWAP on /dev/ram0" in lines
    assert lines[-1].split() == ["146", "tester", "274", "43", "1160", "41", "12", "1", "2", "0"]


def test_the_helpers_give_what_the_library_gives(x86: str) -> None:
    lines = drgn(
        x86,
        "from pmdswp.dump.plugin import explain, walk",
        "print(explain(146, 0x10000000000))",
        "print([step.word for step in walk(146)])",
        "print(len(list(walk(146, 0x10000000000, 0x10000010000))))",
    )
    dump = Dump.open(x86)
    [process] = [process for process in dump.processes if process.pid == 146]
    assert lines[0] == "address 0x10000000000 of process 146 tester"
    assert lines[-2] == str([step.word for step in dump.walk(process)])
    assert lines[-1] == "19"
    # the address of a struct mm_struct is as good
    lines = drgn(
        x86, "from pmdswp.dump.plugin import explain, opened", f"print(explain({process.mm:#x}, 0x10000000000))"
    )
    assert lines[-1] == "     swapped out: slot 0x200 of /dev/ram0 (type 0)"


def test_the_session_of_the_how_to_goes_as_shown() -> None:
    root = SRC.parent
    page = (root / "docs" / "how-to" / "drgn.md").read_text(encoding="utf-8")
    [session] = re.findall(r"^```python-console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^>>> (.*)$", session, re.MULTILINE)
    shown = [line for line in session.splitlines() if not line.startswith(">>> ")]
    assert len(commands) > 1
    assert drgn(str(root / "examples" / "x86_64-6.12-vmcore.elf"), *commands) == shown


def test_what_is_not_there_is_an_error_of_the_command(x86: str) -> None:
    code = "from drgn.commands import run_command\nrun_command(prog, 'pswp_vma 5', onerror=print)"
    lines = drgn(x86, code)
    assert lines == ["no process 5 with memory of its own"]


def test_at_the_prompt_the_commands_are_there_by_themselves(x86: str) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "drgn", "-q", "-c", x86]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment()
    ) as it:
        os.close(theirs)
        os.write(ours, b"%pswp 0x07fffffffffbfe08\nquit()\n")
        out, _ = it.communicate(timeout=120)
    os.close(ours)
    assert b"swapped out: slot 0x200 of /dev/ram0 (type 0)" in out
