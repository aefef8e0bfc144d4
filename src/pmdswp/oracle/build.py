"""From a kernel source tree and a configuration to a program that answers questions."""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmdswp.oracle import constants, helpers
from pmdswp.oracle.configurations import PLAIN, Configuration, Release
from pmdswp.oracle.constants import KernelNames
from pmdswp.oracle.contents import Contents, read_elsewhere, states, text_of
from pmdswp.oracle.processes import run
from pmdswp.oracle.questions import invalid_tables
from pmdswp.oracle.tools import OracleError, Toolchain, find_program, is_native
from pmdswp.vectors import on_one_line

__all__ = ["INVALID_PTE_TABLE", "Build", "release_of", "version_of"]

PROBE = Path(__file__).parent / "probe"
OBJECTS = ("start.o", "main.o", "answers.o", "whole.o", "made.o", "geometry.o", "standins.o")
INVALID_PTE_TABLE = 0xFF0000
"""Where loongarch's table is said to lie: aligned to the largest page, and clear of the program."""

VARIABLES: Mapping[str, str] = {
    "CC": "clang",
    "HOSTCC": "clang",
    "LD": "ld.lld",
    "AR": "llvm-ar",
    "NM": "llvm-nm",
    "OBJCOPY": "llvm-objcopy",
    "STRIP": "llvm-strip",
}
"""The programs of `LLVM`, by what makefiles call them that take no suffix."""

logger = logging.getLogger(__name__)


def release_of(source: Path) -> Release:
    """The release of a source tree, by its makefile. Raises `OracleError` for what is not a kernel tree."""
    version = _version(source)
    return int(version["VERSION"]), int(version["PATCHLEVEL"])


def version_of(source: Path) -> str:
    """What `make kernelversion` says, such as 7.4.0-rc2. Raises `OracleError` for what is not a kernel tree."""
    return "{VERSION}.{PATCHLEVEL}.{SUBLEVEL}{EXTRAVERSION}".format(**_version(source))


def _version(source: Path) -> Mapping[str, str]:
    text = text_of(source / "Makefile")
    found = dict(re.findall(r"(?m)^(VERSION|PATCHLEVEL|SUBLEVEL) =[ \t]*([0-9]+)[ \t]*$", text))
    found |= re.findall(r"(?m)^(EXTRAVERSION) =[ \t]*(\S*)[ \t]*$", text)
    # a boot loader may have the same makefile and the same scripts, but no memory management
    if len(found) != 4 or not all((source / name).is_file() for name in ("scripts/config", "mm/Kconfig")):
        raise OracleError(
            f"{on_one_line(str(source))} is not a kernel source tree; try the folder that has mm/ and Kbuild"
        )
    return found


def _edit(name: str, value: str) -> tuple[str, ...]:
    """Arguments of the kernel's scripts/config."""
    return {"y": ("--enable", name), "n": ("--disable", name)}.get(value, ("--set-val", name, value))


def _has_clang_target(source: Path, kernel_arch: str) -> bool:
    """Whether the tree can be compiled by clang for this architecture."""
    return f"CLANG_TARGET_FLAGS_{kernel_arch}" in text_of(source / "scripts/Makefile.clang")


def _takes_suffix(source: Path) -> bool:
    """Whether the tree's makefiles take LLVM=-19 for LLVM's programs of that name; older ones run plain clang."""
    return "LLVM_SUFFIX" in text_of(source / "Makefile")


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

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder to this process: others that would build in it, or ask what is built there, wait."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_name(f"{self.folder.name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def run(self, contents: Contents, *, fresh: bool = False) -> None:
        """Configure the kernel and compile the probe against its headers.

        Nothing is made if all that it would be made from is as it was the last time, unless `fresh`. Raises
        `OracleError` with what make said, or if somebody changes the tree meanwhile.
        """
        source_arch = self.configuration.machine.source
        made_from = contents.digest(source_arch)
        key = self._key(made_from)
        if not fresh and self._is_built(key):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self._kernel.mkdir(parents=True)
        self._configure()
        self._write_sources()
        self._make(f"M={self._probe}", *OBJECTS)
        if contents.digest_now(source_arch) != made_from:
            raise OracleError(f"{self.configuration.label}: the tree was changed while it was compiled; run again")
        elsewhere = states(read_elsewhere(self.folder, self.source, source_arch))
        text = json.dumps({"key": key, "elsewhere": elsewhere, "objects": self._objects()})
        # a stamp that is half written would be one of nothing
        written = self._stamp.with_suffix(".part")
        written.write_text(text)
        written.replace(self._stamp)

    def ask(self, mode: str, questions: Iterable[str], *, invalid_pte_table: int = INVALID_PTE_TABLE) -> list[str]:
        """The answers of the machine that `mode` names, a line of JSON each.

        Raises `OracleError` if the probe stopped: the kernel's code warned, or touched what has no stand-in.
        """
        program = self._link(invalid_pte_table)
        lines = "".join(f"{question}\n" for question in (f"boot {mode}", *questions))
        answered = run([*self._runner(), str(program)], lines)
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

    @property
    def _stamp(self) -> Path:
        return self.folder / "built"

    def _key(self, contents: str) -> str:
        """All that decides what is built: the tree, the compiler, the configuration, and what is ours."""
        files = (__file__, constants.__file__, helpers.__file__, inspect.getfile(Contents))
        ours = [*sorted(PROBE.iterdir()), *map(Path, files)]
        programs = [self.toolchain.program(name) for name in ("clang", "ld.lld")]
        made_from = {
            "source": str(self.source),
            "contents": contents,
            "default": self.configuration.default,
            "symbols": self._symbols,
            "settings": self._settings(),
            # a script in the place of a compiler may say that it is that compiler
            "programs": [states(frozenset(programs)), [run([program, "--version"]).stdout for program in programs]],
            "ours": [hashlib.sha256(path.read_bytes()).hexdigest() for path in ours],
        }
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()

    def _is_built(self, key: str) -> bool:
        """Whether what is in the folder was built from all that there is now."""
        try:
            stamp = json.loads(text_of(self._stamp))
            if stamp["key"] != key or stamp["objects"] != self._objects():
                return False
            return bool(stamp["elsewhere"] == states(frozenset(stamp["elsewhere"])))
        except (LookupError, TypeError, ValueError):
            return False

    def _objects(self) -> Mapping[str, str]:
        return states(frozenset(str(self._probe / name) for name in OBJECTS))

    @property
    def _symbols(self) -> Mapping[str, str]:
        return {**PLAIN, **self.configuration.symbols}

    def _configure(self) -> None:
        self._make(self.configuration.default)
        edits = [word for name, value in self._symbols.items() for word in _edit(name, value)]
        self._run([str(self.source / "scripts/config"), "--file", str(self._kernel / ".config"), *edits])
        self._make("olddefconfig")
        self._make("prepare0")

    def _write_sources(self) -> None:
        self._probe.mkdir()
        configuration = self.configuration
        tree = KernelNames(self.source, configuration.machine.source)
        sources = sorted(PROBE.iterdir())
        contents = {source.name: source.read_text() for source in sources}
        contents |= {
            "names.h": constants.names_header(tree, sources),
            "version-numbers.h": constants.version_header(_version(self.source)),
            "symbols.h": constants.symbols_header(tree),
            "constants.h": constants.constants_header(),
            "arch-constants.h": constants.arch_constants_header(configuration.arch),
            **dict(helpers.headers(tree)),
        }
        for name, content in contents.items():
            (self._probe / name).write_text(content)

    def _link(self, invalid_pte_table: int) -> Path:
        machine = self.configuration.machine
        program = self.folder / f"probe-{invalid_pte_table:x}"
        command = [self.toolchain.program("ld.lld"), "-m", machine.emulation, "-static", "--gc-sections", "--no-relax"]
        command += [f"--defsym={name}={address:#x}" for name, address in invalid_tables(invalid_pte_table).items()]
        command += ["-T", str(PROBE / "probe.lds"), "-o", str(program)]
        self._run([*command, *(str(self._probe / name) for name in OBJECTS)])
        return program

    def _runner(self) -> list[str]:
        if is_native(self.configuration.arch):
            return []
        return [find_program(self.configuration.machine.qemu)]

    def _settings(self) -> list[str]:
        machine = self.configuration.machine
        # an empty LLVM= is gcc
        settings = [f"ARCH={machine.kernel}", f"LLVM={self.toolchain.suffix or 1}", f"O={self._kernel}"]
        if not _takes_suffix(self.source):
            settings += [f"{variable}={self.toolchain.program(name)}" for variable, name in VARIABLES.items()]
            # the assembler would be GNU's, as are the options for it on powerpc
            settings += ["LLVM_IAS=1", "cpu-as-y="]
        if not _has_clang_target(self.source, machine.kernel):
            # clang finds the target by the name of the tools that it would need otherwise
            settings += [f"CROSS_COMPILE={machine.triple}-"]
            if machine.kernel == "loongarch":
                settings += [f"KCFLAGS=-include {PROBE / 'loongarch-intrinsics.h'}"]
        # the user, the host and the time would otherwise get into what is built
        return [*settings, "KBUILD_BUILD_USER=oracle", "KBUILD_BUILD_HOST=oracle", "KBUILD_BUILD_TIMESTAMP=@0"]

    def _make(self, *targets: str) -> None:
        make = [find_program("make"), "-s", f"-j{self.toolchain.jobs}", "-C", str(self.source)]
        self._run([*make, *self._settings(), *targets])

    def _run(self, command: list[str]) -> None:
        logger.debug("%s", " ".join(command))
        done = run(command)
        if done.returncode:
            raise OracleError(f"{self.configuration.label}: {' '.join(command)}\n{done.stdout}{done.stderr}")
