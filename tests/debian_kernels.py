"""Debian's kernels, fetched by a configuration of apt that is this module's own: nothing is installed."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from oracle.kernels import KEYRING, MIRROR
from pmdswp.oracle.tools import OracleError, find_program

__all__ = ["candidates", "fetch", "run"]

logger = logging.getLogger(__name__)


def fetch(debian: str, flavour: str, release: str, suite: str, tree: Path) -> Path:
    """The tree in which the newest kernel of a release is unpacked; it is fetched if it is not there.

    `debian`: Debian's name of the architecture; `flavour`: what the names of its packages end in. A mirror may not yet
    have the newest one, or no longer: then the one before is taken. `OracleError` if there is none.
    """
    if tree.is_dir():
        return tree
    mirror = f"{MIRROR}-security" if suite.endswith("-security") else MIRROR
    folder = tree.with_name(f"{tree.name}.apt").resolve()
    for part in ("state/lists/partial", "cache/archives/partial", "packages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [arch={debian} signed-by={KEYRING}] {mirror} {suite} main\n", encoding="ascii")
    settings = {
        "APT::Architecture": debian,
        "APT::Architectures": debian,
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",
    }
    apt = [f"-o{option}={value}" for option, value in settings.items()]
    logger.info("fetching Linux %s for %s", release, flavour)
    run([find_program("apt-get"), *apt, "--quiet", "update"])
    names = run([find_program("apt-cache"), *apt, "pkgnames", "linux-"]).split()
    problem = OracleError(f"Debian has no kernel {release} for {flavour} where it is looked for")
    for wanted in candidates(names, release, flavour):
        try:
            run([find_program("apt-get"), *apt, "--quiet", "download", *wanted], cwd=folder / "packages")
        except OracleError as error:
            problem = error
            continue
        unpacked = tree.with_name(f"{tree.name}.part")
        for package in sorted((folder / "packages").glob("*.deb")):
            run([find_program("dpkg-deb"), "-x", str(package), str(unpacked)])
        return unpacked.rename(tree)
    raise problem


def candidates(names: Sequence[str], release: str, flavour: str) -> list[list[str]]:
    """The packages of each kernel of a release, newest first: the one with all, or image and modules."""
    pattern = re.compile(rf"linux-(image|binary|modules)-({re.escape(release)}\.[\d.]+(?:-\d+)?)\S*-{flavour}$")
    found: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        match = pattern.match(name)
        if match and not re.search(r"-(rt|cloud)-", name):
            found.setdefault(tuple(map(int, re.findall(r"\d+", match[2]))), []).append(name)
    kernels = [found[version] for version in sorted(found, reverse=True)]
    return [sorted(name for name in kernel if "-image-" not in name) or sorted(kernel)[-1:] for kernel in kernels]


def run(command: list[str], cwd: Path | None = None) -> str:
    """What a program says; `OracleError` if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise OracleError(f"{' '.join(command[:3])} ...: {done.stderr.strip()[-300:]}")
    return done.stdout
