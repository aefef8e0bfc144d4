"""The compilers that are installed, and headers compiled by them."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")

LANGUAGES = {"c11": ("-x", "c", "-std=c11"), "c++17": ("-x", "c++", "-std=c++17")}


@cache
def compiler(name: str) -> str:
    """The command of gcc or clang, of whatever version; the test is skipped where there is none."""
    for command in (name, *(f"{name}-{version}" for version in range(22, 13, -1))):
        if shutil.which(command) is not None:
            return command
    pytest.skip(f"no {name}")


@cache
def bpf_compiler() -> str:
    """A clang that compiles for BPF; the test is skipped where there is none."""
    command = compiler("clang")
    targets = subprocess.run([command, "-print-targets"], capture_output=True, text=True, check=True).stdout
    if "bpf" not in targets:
        pytest.skip(f"{command} has no target bpf")
    return command


def run(command: str, *arguments: str | Path) -> None:
    """Compile, and fail with what the compiler says."""
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
