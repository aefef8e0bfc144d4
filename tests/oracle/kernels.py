"""Kernel sources: a tree that is given, or Debian's source package of a release, fetched and unpacked.

Packages come from the mirrors by a configuration of apt that is this module's own: the machine's sources, lists and
packages stay as they are, and nothing is installed.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pmdswp.oracle.tools import OracleError, find_program

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
MIRROR = "http://deb.debian.org/debian"
SUITES: Mapping[str, tuple[str, ...]] = {
    "5.10": ("bullseye", "bullseye-security"),
    "6.1": ("bookworm", "bookworm-security"),
    "6.12": ("bookworm-security",),
    "7.2": ("trixie-backports",),
    "7.3": ("trixie-backports",),
}
"""Where Debian has the sources of a release."""

logger = logging.getLogger(__name__)


def source_tree(kernel: str, cache: Path, mirror: str = MIRROR) -> Path:
    """The tree of a kernel: its path, or one of `SUITES`, if need be with the package's version, as 6.12=6.12.117-*."""
    release, _, version = kernel.partition("=")
    if release not in SUITES:
        tree = Path(kernel).resolve()
        if not (tree / "Makefile").is_file():
            raise OracleError(f"{kernel} is neither a kernel source tree nor one of {', '.join(SUITES)}")
        return tree
    name = f"linux-source-{release}"
    tree = cache.resolve() / "src" / (f"{name}-{version.rstrip('-*')}" if version else name)
    if not tree.is_dir():
        _unpack(_download(name, release, version, cache.resolve() / "apt", mirror), tree)
    return tree


def _download(name: str, release: str, version: str, folder: Path, mirror: str) -> Path:
    """The package's file."""
    sources = folder / f"{release}.list"
    # the folders that apt expects
    for part in ("state/lists/partial", "cache/archives/partial", "packages"):
        (folder / release / part).mkdir(parents=True, exist_ok=True)
    sources.write_text(
        "".join(f"deb [signed-by={KEYRING}] {_suite(suite, mirror)} main\n" for suite in SUITES[release])
    )
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": folder / release / "state",
        "Dir::Cache": folder / release / "cache",
        "APT::Sandbox::User": "",
    }
    apt = [find_program("apt-get"), *(f"-o{option}={value}" for option, value in settings.items()), "--quiet"]
    packages = folder / release / "packages"
    logger.info("fetching %s", name)
    _run([*apt, "update"])
    _run([*apt, "download", f"{name}={version}" if version else name], cwd=packages)
    found = sorted(packages.glob(f"{name}_*.deb"), key=lambda package: package.stat().st_mtime)
    return found[-1]


def _suite(suite: str, mirror: str) -> str:
    return f"{mirror}-security {suite}" if suite.endswith("-security") else f"{mirror} {suite}"


def _unpack(package: Path, tree: Path) -> None:
    """Unpack the tree that lies in the package as an archive."""
    logger.info("unpacking %s", package.name)
    scratch = tree.with_name(f"{tree.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    _run([find_program("dpkg-deb"), "-x", str(package), str(scratch / "package")])
    (archive,) = (scratch / "package").rglob("linux-source-*.tar.xz")
    _run([find_program("tar"), "-C", str(scratch), "-xf", str(archive)])
    (unpacked,) = (path for path in scratch.iterdir() if re.match(r"linux-", path.name))
    unpacked.rename(tree)
    shutil.rmtree(scratch)


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise OracleError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
