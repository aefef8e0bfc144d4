"""Ctrl-C ends the command without a traceback, also while it imports; the library leaves signals alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pmdswp.signals import interrupted_at_once

INTERRUPTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{late}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
SCRIPT = "import sys\nfrom pmdswp_command import main\nsys.exit(main())\n"
"""What an installer writes for the entry point."""


def _ended(folder: Path, site: str, *command: str) -> subprocess.CompletedProcess[str]:
    """What came of Python with these arguments, after it had run `site`."""
    (folder / "sitecustomize.py").write_text(site)
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    command = (sys.executable, *command)
    return subprocess.run(
        command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.fixture(params=["module", "script"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    """The command, as arguments of Python."""
    if request.param == "module":
        return ("-m", "pmdswp")
    script = tmp_path / "bin/pmdswp"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    return (str(script),)


@pytest.mark.parametrize("late", ["pmdswp.revisions", "pmdswp.cli"])
def test_an_interrupted_import_is_the_end_and_no_traceback(tmp_path: Path, start: tuple[str, ...], late: str) -> None:
    ended = _ended(tmp_path, INTERRUPTING.format(late=late), *start, "arches")
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


def test_what_a_command_does_is_interrupted_in_order(tmp_path: Path, start: tuple[str, ...]) -> None:
    ended = _ended(tmp_path, INTERRUPTING.format(late="pmdswp.vectors"), *start, "vectors")
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_python_is_interrupted_at_its_end_without_a_traceback(tmp_path: Path, start: tuple[str, ...]) -> None:
    site = "import atexit, os, signal\natexit.register(os.kill, os.getpid(), signal.SIGINT)\n"
    ended = _ended(tmp_path, site, *start, "split", "x86_64", "0x07fffffffffbfe0e")
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
    assert ended.stdout.count("\n") == 512


def test_an_ignored_interrupt_stays_ignored(tmp_path: Path, start: tuple[str, ...]) -> None:
    site = INTERRUPTING.format(late="pmdswp.cli") + "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    ended = _ended(tmp_path, site, *start, "decode", "x86_64", "-")
    assert (ended.returncode, ended.stderr) == (1, "pmdswp: no words to read\n")


AT_ONCE = """
import os, signal, threading
from pmdswp.signals import interrupted_at_once
def handler(): return signal.getsignal(signal.SIGINT)
def work():
    with interrupted_at_once(): print(handler() is signal.default_int_handler)
thread = threading.Thread(target=work); thread.start(); thread.join()
with interrupted_at_once(): print(handler() is signal.SIG_DFL)
print(handler() is signal.default_int_handler, flush=True)
with interrupted_at_once(): {work}
"""
ENDLESS_PROOF = """
    import z3, pmdswp.term
    a, b = z3.BitVecs("a b", 128)
    solver = pmdswp.term.Solver()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    # the factors of a product of two primes, which no solver finds in a day
    primes = 2**61 - 1, 2**64 - 59
    solver._can_be(a * b == primes[0] * primes[1], a > 1, a < 1 << 62, b > 1, b < 1 << 65)
"""


@pytest.mark.parametrize("work", ["os.kill(os.getpid(), signal.SIGINT)", ENDLESS_PROOF], ids=["self", "z3"])
def test_an_interrupt_at_once_is_one_also_in_a_proof(tmp_path: Path, work: str) -> None:
    ended = _ended(tmp_path, "", "-c", AT_ONCE.format(work=work))
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "True\n" * 3, "")


def test_the_library_leaves_signals_alone(tmp_path: Path) -> None:
    # as the command does, another one may begin with a package that imports the library
    package = tmp_path / "other"
    package.mkdir()
    look = "import pmdswp, pmdswp.cli, signal\nprint(signal.getsignal(signal.SIGINT) is signal.default_int_handler)\n"
    (package / "__init__.py").write_text(look)
    (package / "__main__.py").write_text("")
    for how in (("-m", "other"), ("-m", "other", "pmdswp"), ("-c", look, "-m", "pmdswp")):
        ended = _ended(tmp_path, "", *how)
        assert (ended.stdout, ended.stderr) == ("True\n", "")


def test_who_handles_the_interrupt_in_a_way_of_their_own_keeps_it() -> None:
    def handle(*_: object) -> None:
        """Does nothing."""

    before = signal.signal(signal.SIGINT, handle)
    try:
        with interrupted_at_once():
            assert signal.getsignal(signal.SIGINT) is handle
    finally:
        signal.signal(signal.SIGINT, before)
