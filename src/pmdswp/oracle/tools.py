"""The programs that a build needs, and Debian's packages that have them."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pmdswp.arch import get_with
from pmdswp.errors import PmdSwpError, UnsupportedError
from pmdswp.oracle.configurations import machines

__all__ = ["OracleError", "Toolchain", "find_program", "is_native", "missing"]

PLAIN = ("make", "flex", "bison", "bc", "python3")
"""Programs whose packages have the same names."""

LLVM: Mapping[str, str] = {
    "clang": "clang",
    "ld.lld": "lld",
    "llvm-ar": "llvm",
    "llvm-nm": "llvm",
    "llvm-objcopy": "llvm",
    "llvm-strip": "llvm",
}
"""LLVM's programs -> packages, less the version behind both names."""

BIG_ENDIAN_POWERPC = "ppc64"
"""A machine that cannot run what is compiled for ppc64le, though pmdswp has one name for both."""


class OracleError(PmdSwpError):
    """The oracle cannot be built, or does not answer; the message names what is missing, or what failed."""


@dataclass(frozen=True)
class Toolchain:
    """LLVM's programs, by the suffix of their names, and how many jobs make runs."""

    suffix: str = "-19"
    jobs: int = 2

    def __post_init__(self) -> None:
        """Raise `OracleError` for a suffix that kbuild would not take for one: it would run plain clang."""
        if not re.fullmatch(r"(-[\w.+-]+)?", self.suffix, re.ASCII):
            raise OracleError(
                f"{self.suffix[:40]!r} does not follow the names of LLVM's programs; allowed: -19 and alike, or nothing"
            )

    def program(self, name: str) -> str:
        """The path of one of LLVM's programs. Raises `OracleError` if it is not installed."""
        return find_program(name + self.suffix)


def find_program(name: str) -> str:
    """The path of a program. Raises `OracleError`, naming Debian's package, if it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise OracleError(_complaint({name: _package(name)}))
    return found


def is_native(arch: str) -> bool:
    """Whether this machine runs the programs of that architecture."""
    host = platform.machine()
    if host == BIG_ENDIAN_POWERPC:
        return False
    try:
        return get_with(host, {}).name == get_with(arch, {}).name
    except UnsupportedError:
        return False


def missing(arches: Iterable[str], suffix: str) -> str | None:
    """One line on all programs that are missing for these architectures, and how to get them; None if none is."""
    wanted = [*PLAIN, *(program + suffix for program in LLVM)]
    wanted += [machines()[arch].qemu for arch in arches if not is_native(arch)]
    found = {program: _package(program) for program in wanted if shutil.which(program) is None}
    return _complaint(found) if found else None


def _package(program: str) -> str:
    if program in {machine.qemu for machine in machines().values()}:
        return "qemu-user"
    name, dash, version = program.rpartition("-")
    if dash and version.isdigit():
        return f"{LLVM.get(name, name)}-{version}"
    return LLVM.get(program, program)


def _complaint(programs: Mapping[str, str]) -> str:
    packages = " ".join(dict.fromkeys(programs.values()))
    return f"not installed: {', '.join(programs)}; on Debian: apt install {packages}"
