"""From a kernel source tree and a configuration to a program that answers questions."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmdswp.oracle import constants
from pmdswp.oracle.configurations import PLAIN, Configuration, Release
from pmdswp.oracle.constants import KernelNames
from pmdswp.oracle.tools import OracleError, Toolchain, find_program, is_native

__all__ = ["INVALID_PTE_TABLE", "Build", "release_of", "version_of"]

PROBE = Path(__file__).parent / "probe"
OBJECTS = ("start.o", "main.o", "answers.o", "geometry.o", "standins.o")
INVALID_PTE_TABLE = 0xFF0000
"""Where loongarch's table is said to lie: aligned to the largest page, and clear of the program."""

logger = logging.getLogger(__name__)


def release_of(source: Path) -> Release:
    """The release of a source tree, by its makefile. Raises `OracleError` if it is none."""
    version = _version(source)
    return int(version["VERSION"]), int(version["PATCHLEVEL"])


def version_of(source: Path) -> str:
    """What `make kernelversion` says, such as 7.3.4 or 7.4.0-rc2. Raises `OracleError` if it is no kernel tree."""
    return "{VERSION}.{PATCHLEVEL}.{SUBLEVEL}{EXTRAVERSION}".format(**_version(source))


def _version(source: Path) -> Mapping[str, str]:
    makefile = source / "Makefile"
    text = makefile.read_text(errors="replace") if makefile.is_file() else ""
    found = dict(re.findall(r"(?m)^(VERSION|PATCHLEVEL|SUBLEVEL) =[ \t]*([0-9]+)[ \t]*$", text))
    found |= re.findall(r"(?m)^(EXTRAVERSION) =[ \t]*(\S*)[ \t]*$", text)
    # a boot loader may have the same makefile and the same scripts, but no memory management
    if len(found) != 4 or not all((source / name).is_file() for name in ("scripts/config", "mm/Kconfig")):
        raise OracleError(f"{source} is no kernel source tree")
    return found


def _edit(name: str, value: str) -> tuple[str, ...]:
    """Arguments of the kernel's scripts/config."""
    return {"y": ("--enable", name), "n": ("--disable", name)}.get(value, ("--set-val", name, value))


def _has_clang_target(source: Path, kernel_arch: str) -> bool:
    """Whether the tree can be compiled by clang for this architecture."""
    return f"CLANG_TARGET_FLAGS_{kernel_arch}" in (source / "scripts/Makefile.clang").read_text()


@dataclass(frozen=True)
class Build:
    """One configuration of one source tree, in a folder of its own."""

    source: Path
    configuration: Configuration
    folder: Path
    toolchain: Toolchain

    @property
    def _kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def _probe(self) -> Path:
        return self.folder / "probe"

    def run(self, *, fresh: bool = False, changing: bool = False) -> None:
        """Configure the kernel, unless that is done (or `fresh`), and compile the probe against its headers.

        `changing`: somebody works on the tree, so that its Kconfig files and headers may be others than last time.
        Raises `OracleError` with what make said.
        """
        if not self._configure(fresh=fresh) and changing:
            self._make("olddefconfig")
            self._make("prepare0")
        self._write_sources()
        self._make(f"M={self._probe}", *OBJECTS)

    def ask(self, mode: str, questions: Iterable[str], *, invalid_pte_table: int = INVALID_PTE_TABLE) -> list[str]:
        """The answers of the machine that `mode` names, a line of JSON each.

        Raises `OracleError` if the probe stopped: the kernel's code warned, or touched what has no stand-in.
        """
        program = self._link(invalid_pte_table)
        lines = "".join(f"{question}\n" for question in (f"boot {mode}", *questions))
        answered = subprocess.run(
            [*self._runner(), str(program)], input=lines, capture_output=True, text=True, check=False
        )
        if answered.returncode:
            last = answered.stdout.count("\n")
            raise OracleError(
                f"{self.configuration.label} {mode} ended with {answered.returncode} after {last} answers: "
                f"{answered.stderr.strip()}"
            )
        return answered.stdout.splitlines()

    def geom(self, mode: str, *, invalid_pte_table: int = INVALID_PTE_TABLE) -> Mapping[str, Any]:
        """The constants of the kernel on the machine that `mode` names: a `geom` record."""
        (line,) = self.ask(mode, ["geom"], invalid_pte_table=invalid_pte_table)
        geom: Mapping[str, Any] = json.loads(line)
        return geom

    def _configure(self, *, fresh: bool) -> bool:
        """Whether there was anything to do."""
        wanted = {**PLAIN, **self.configuration.symbols}
        key = json.dumps([str(self.source), self.configuration.default, self.toolchain.suffix, wanted])
        stamp = self.folder / "configured"
        digest = hashlib.sha256(key.encode()).hexdigest()
        if not fresh and stamp.is_file() and stamp.read_text() == digest:
            return False
        shutil.rmtree(self.folder, ignore_errors=True)
        self._kernel.mkdir(parents=True)
        self._make(self.configuration.default)
        edits = [word for name, value in wanted.items() for word in _edit(name, value)]
        self._run([str(self.source / "scripts/config"), "--file", str(self._kernel / ".config"), *edits])
        self._make("olddefconfig")
        self._make("prepare0")
        stamp.write_text(digest)
        return True

    def _write_sources(self) -> None:
        self._probe.mkdir(exist_ok=True)
        configuration = self.configuration
        tree = KernelNames(self.source, configuration.machine.source)
        sources = sorted(PROBE.iterdir())
        contents = {source.name: source.read_text() for source in sources}
        contents |= {
            "names.h": constants.names_header(tree, sources),
            "symbols.h": constants.symbols_header(tree),
            "constants.h": constants.constants_header(),
            "arch-constants.h": constants.arch_constants_header(configuration.arch),
        }
        for name, content in contents.items():
            target = self._probe / name
            # make goes by the time of change
            if not target.is_file() or target.read_text() != content:
                target.write_text(content)

    def _link(self, invalid_pte_table: int) -> Path:
        machine = self.configuration.machine
        program = self.folder / f"probe-{invalid_pte_table:x}"
        command = [self.toolchain.program("ld.lld"), "-m", machine.emulation, "-static", "--gc-sections", "--no-relax"]
        command += [f"--defsym=invalid_pte_table={invalid_pte_table:#x}"]
        command += ["-T", str(PROBE / "probe.lds"), "-o", str(program)]
        self._run([*command, *(str(self._probe / name) for name in OBJECTS)])
        return program

    def _runner(self) -> list[str]:
        if is_native(self.configuration.arch):
            return []
        return [find_program(self.configuration.machine.qemu)]

    def _make(self, *targets: str) -> None:
        kernel_arch = self.configuration.machine.kernel
        # an empty LLVM= is gcc
        settings = [f"ARCH={kernel_arch}", f"LLVM={self.toolchain.suffix or 1}", f"O={self._kernel}"]
        if kernel_arch == "loongarch" and not _has_clang_target(self.source, kernel_arch):
            # clang finds the target by the name of the tools that it would need otherwise
            settings += ["CROSS_COMPILE=loongarch64-linux-gnusf-"]
            settings += [f"KCFLAGS=-include {PROBE / 'loongarch-intrinsics.h'}"]
        # the user, the host and the time would otherwise get into what is built
        settings += ["KBUILD_BUILD_USER=oracle", "KBUILD_BUILD_HOST=oracle", "KBUILD_BUILD_TIMESTAMP=@0"]
        self._run([find_program("make"), "-s", f"-j{self.toolchain.jobs}", "-C", str(self.source), *settings, *targets])

    def _run(self, command: list[str]) -> None:
        logger.debug("%s", " ".join(command))
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise OracleError(f"{self.configuration.label}: {' '.join(command)}\n{done.stdout}{done.stderr}")
