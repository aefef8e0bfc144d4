"""``pmdswp check-tree``: what a working tree computes of swap entries, beside a revision of pmdswp."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmdswp.arch import Arch, get_with
from pmdswp.arch.facts import Machine
from pmdswp.config import show
from pmdswp.errors import UnsupportedError
from pmdswp.oracle.build import Build, release_of, version_of
from pmdswp.oracle.configurations import Configuration, Release, configurations, machines
from pmdswp.oracle.constants import KernelNames
from pmdswp.oracle.contents import Contents
from pmdswp.oracle.diagnose import Difference, diagnose
from pmdswp.oracle.paths import cache_folder, source_folder
from pmdswp.oracle.questions import questions
from pmdswp.oracle.replay import replay
from pmdswp.oracle.tools import OracleError, Toolchain, missing
from pmdswp.revisions import RELEASES
from pmdswp.signals import ended_by_signals
from pmdswp.vectors import Record, on_one_line
from pmdswp.vectors.geometry import MEASURED, options

__all__ = ["Base", "Measurement", "TreeCheck", "check", "measure", "report"]

OLDEST = (5, 10)
"""The oldest release whose headers the probe knows."""

SHOWN = 4
"""Lines of a failing build that are shown."""

CUT = 300
"""Characters that are shown of each."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class TreeCheck:
    """What the command was asked for."""

    tree: Path
    arches: tuple[str, ...] = ()
    """All, if none is named."""
    labels: tuple[str, ...] = ()
    """Configurations; all, if none is named."""
    kernel: str | None = None
    """The revision to compare with; one is chosen if it is None."""
    jobs: int = 1
    """Of make."""
    cache: Path | None = None
    """Where objects are kept from one run to the next."""
    llvm: str = "-19"
    """Suffix of LLVM's programs."""
    json: bool = False


@dataclass(frozen=True)
class Base:
    """The revision that a tree is compared with."""

    kernel: str
    why: str


@dataclass(frozen=True)
class Measurement:
    """What came of one configuration, on one kind of machine."""

    configuration: Configuration
    mode: str
    exclusive: str
    """Where the exclusive bit of PMDs comes from: "own" helpers of the tree, "emulated" by the probe, or "none"."""
    answers: int
    """How many answers of the kernel were compared."""
    differences: tuple[Difference, ...]
    options: Mapping[str, Any]
    """Options of the revision that do not follow from the configuration: those with which it fits this kernel."""

    @property
    def taken(self) -> str:
        """The options that do not follow from the configuration, as a part of a sentence."""
        return "".join(f", with {name}={show(value)}" for name, value in self.options.items())

    @property
    def name(self) -> str:
        """The configuration, and the machine where there is more than one."""
        return self.configuration.name if self.mode == "-" else f"{self.configuration.name} {self.mode}"


def check(asked: TreeCheck, write: Say, progress: Say) -> int:
    """Run the command: the report goes to `write`, line by line, and what is being done to `progress`.

    Returns 0 if all agrees, 1 if something differs, 2 if a configuration could not be measured. Raises `OracleError` if
    nothing could be.
    """
    with ended_by_signals():
        return _check(asked, write, progress)


def _check(asked: TreeCheck, write: Say, progress: Say) -> int:
    source = source_folder(asked.tree)
    cache = cache_folder(asked.cache, source)
    toolchain = Toolchain(asked.llvm, asked.jobs)
    chosen = _chosen(asked, source)
    contents = Contents(source)
    base = choose_base(source, asked.kernel)
    version = version_of(source)
    if not asked.json:
        write(f"{on_one_line(str(asked.tree))}: Linux {version}, compared with {base.kernel}: {base.why}")
    failed = False
    found: list[Measurement] = []
    for number, configuration in enumerate(chosen, start=1):
        progress(f"{number}/{len(chosen)} {configuration.label}")
        folder = cache / _key(source) / configuration.label
        try:
            of_configuration = list(measure(Build(source, configuration, folder, toolchain), contents, base.kernel))
        except OracleError as error:
            progress(f"{configuration.label} could not be measured: {_short(str(error))}")
            failed = True
            continue
        found += of_configuration
        for measured in of_configuration if asked.json else ():
            write(json.dumps(_record(measured, base, version)))
    if not asked.json:
        for line in report(found, base):
            write(line)
    return 2 if failed else int(any(measured.differences for measured in found))


def _chosen(asked: TreeCheck, source: Path) -> list[Configuration]:
    tree, release = on_one_line(str(asked.tree)), release_of(source)
    if release < OLDEST:
        raise OracleError(f"{tree}: Linux {release[0]}.{release[1]} is older than any kernel that can be asked")
    if asked.kernel is not None and asked.kernel not in RELEASES:
        raise UnsupportedError(f"no kernel {asked.kernel!r}; allowed: {', '.join(RELEASES)}")
    chosen = list(_configurations(asked, release))
    for machine in dict.fromkeys(configuration.machine for configuration in chosen):
        _check_clean(source, machine, tree)
    complaint = missing(dict.fromkeys(configuration.arch for configuration in chosen), asked.llvm)
    if complaint is not None:
        raise OracleError(complaint)
    return chosen


def _configurations(asked: TreeCheck, release: Release) -> Iterator[Configuration]:
    known = {
        configuration.label: configuration
        for configuration in configurations(release, frozenset(asked.arches), frozenset())
    }
    unknown = [label for label in asked.labels if label not in known]
    if unknown:
        of_arches = f" on {', '.join(asked.arches)}" if asked.arches else ""
        raise OracleError(
            f"no configuration {', '.join(map(repr, unknown))} of Linux {release[0]}.{release[1]}{of_arches}; there "
            f"are: {', '.join(known)}"
        )
    return (configuration for label, configuration in known.items() if not asked.labels or label in asked.labels)


def _check_clean(source: Path, machine: Machine, tree: str) -> None:
    """Raise `OracleError` where the kernel's makefile would refuse to build elsewhere."""
    for name in (".config", "include/config", f"arch/{machine.source}/include/generated"):
        if (source / name).exists():
            raise OracleError(
                f"{tree}: a kernel was built in the tree itself, {name} is there; give a clean one (git worktree add, "
                f"or make ARCH={machine.kernel} mrproper)"
            )


def choose_base(source: Path, kernel: str | None) -> Base:
    """The revision to compare a tree with: `kernel`, or the nearest one that is not newer than the tree.

    A tree with the helpers of the series for PMD swap entries is compared with the first revision that has them. The
    revision is chosen by what the tree says that it is, not by which fits best: a patch that moves a bit to where
    another release had it would otherwise be compared with that release, and pass.
    """
    if kernel is not None:
        return Base(kernel, "as asked for")
    if any(KernelNames(source, machine.source).has_name("pmd_swp_mkexclusive") for machine in machines().values()):
        newest = RELEASES[-1]
        return Base(newest, "the tree has pmd_swp_mkexclusive (--kernel names another)")
    release = release_of(source)
    numbered = [name for name in RELEASES if re.fullmatch(r"\d+\.\d+", name)]
    older = [name for name in numbered if tuple(map(int, name.split("."))) <= release]
    if older:
        return Base(older[-1], "the newest revision that is not newer than the tree (--kernel names another)")
    return Base(numbered[0], "the oldest revision, newer than the tree (--kernel names another)")


def _key(source: Path) -> str:
    """The name of the folder of a tree: two trees may have the same configurations."""
    return hashlib.sha256(str(source).encode(errors="surrogateescape")).hexdigest()[:12]


def measure(build: Build, contents: Contents, kernel: str) -> Iterator[Measurement]:
    """Measure one configuration, and compare it with the revision `kernel`; one measurement for each machine."""
    with build.locked():
        build.run(contents)
        for mode in build.configuration.modes:
            geom = build.geom(mode)
            records = [json.loads(line) for line in build.ask(mode, list(questions(geom)))]
            yield compare(build.configuration, geom, records, kernel)


def compare(configuration: Configuration, geom: Record, records: Sequence[Record], kernel: str) -> Measurement:
    """Answers of a kernel beside those of the revision `kernel`, configured alike."""
    arch, refused = _arch(geom, kernel)
    replayed = replay(records, geom, arch)
    answers = (*replayed.of_words.values(), *replayed.of_entries.values(), *replayed.made.values())
    emulated = geom.get("pmd_swp_exclusive_emulated")
    return Measurement(
        configuration,
        geom["mode"],
        "none" if emulated is None else "emulated" if emulated else "own",
        sum(len(helper.agreed) + len(helper.differing) for helper in answers),
        (*refused, *diagnose(replayed, geom)),
        {name: value for name, value in arch.config.chosen if name in MEASURED},
    )


def _arch(geom: Record, kernel: str) -> tuple[Arch, list[Difference]]:
    """The library's reading of the configuration, and what of the configuration it refuses at that revision."""
    given = dict(options(geom, kernel))
    refused: list[Difference] = []
    while True:
        try:
            return get_with(geom["arch"], given), refused
        except UnsupportedError as error:
            if error.option not in given:
                raise
            del given[error.option]
            refused.append(Difference("configuration", error.option, f"no such configuration in {kernel}: {error}"))


# --- words out ----------------------------------------------------------------------------------------------


def report(found: Iterable[Measurement], base: Base) -> Iterator[str]:
    """The report in lines: configurations that differ alike stand together."""
    by_arch: dict[str, dict[tuple[str, ...], list[Measurement]]] = {}
    origins: dict[str, list[str]] = {}
    for measured in found:
        texts = (measured.taken, *(difference.text for difference in measured.differences))
        by_arch.setdefault(measured.configuration.arch, {}).setdefault(texts, []).append(measured)
    for arch, groups in by_arch.items():
        for alike in groups.values():
            first = alike[0]
            names = ", ".join(measured.name for measured in alike)
            if not first.differences:
                answers = sum(measured.answers for measured in alike)
                yield f"{arch} ({names}): agrees with {base.kernel}{first.taken}, {answers} answers"
                continue
            yield f"{arch} ({names}): differs from {base.kernel}{first.taken}"
            yield from (f"  {difference}" for difference in first.differences)
        for measured in (measured for alike in groups.values() for measured in alike):
            if arch not in origins.setdefault(measured.exclusive, []):
                origins[measured.exclusive].append(arch)
    for origin, text in ORIGINS.items():
        if origin in origins:
            yield f"{', '.join(origins[origin])}: {text}"


ORIGINS = {
    "own": "pmd_swp_exclusive and pmd_swp_mkexclusive are the tree's own",
    "emulated": "the tree has no pmd_swp_mkexclusive; the exclusive bit of PMD entries was not compared",
}


def _record(measured: Measurement, base: Base, version: str) -> dict[str, Any]:
    return {
        "arch": measured.configuration.arch,
        "configuration": measured.configuration.name,
        "mode": measured.mode,
        "version": version,
        "kernel": base.kernel,
        "options": dict(measured.options),
        "agrees": not measured.differences,
        "answers": measured.answers,
        "pmd_swp_exclusive": measured.exclusive,
        "differences": [difference.record() for difference in measured.differences],
    }


def _short(message: str) -> str:
    """Of a build's output, what it stopped at."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    # the kernel's makefiles set their own complaints between asterisks
    own = [line.lstrip("* ") for line in lines if line.startswith("***") and line.strip("* ")]
    telling = own or [line for line in lines if "error" in line.lower()] or lines
    shown = " | ".join(line[:CUT] for line in telling[:SHOWN])
    # no escape sequence of a compiler's reaches the terminal
    return "".join(character if character.isprintable() else " " for character in shown)
