"""The programs that the oracle runs: in an environment of their own, and gone when the oracle is."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pmdswp.oracle.tools import OracleError

__all__ = ["environment", "run"]

KEPT = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
"""Variables of the user's that programs are given: where programs, libraries and scratch space are, and no more.

A variable of make or kbuild (MAKEFLAGS, KCONFIG_CONFIG, ARCH, O, ...), of a compiler (CPATH) or of qemu would change
what is built, where it is written, or what it answers.
"""

GRACE = 5.0
"""Seconds in which a program that is told to end may do so."""


def environment() -> Mapping[str, str]:
    """The environment of every program."""
    return {**{name: os.environ[name] for name in KEPT if name in os.environ}, "LANG": "C", "LC_ALL": "C"}


def run(command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end, in a session of its own: whatever ends this function early ends all that it started.

    Raises `OracleError` if it cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment(),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise OracleError(f"{command[0]}: cannot be run: {error}") from None
    with process:
        try:
            out, err = process.communicate(stdin)
        except BaseException:
            _end(process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """End a program and all that it started: make does not end its compilers if it is killed."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
