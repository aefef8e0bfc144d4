"""What of a kernel source tree a build may read, by its contents: times of change say too little.

A file may be replaced by another one that is as old (`mv`, `cp -p`, `tar`, `rsync -a`), and a file that was removed is
not missed by make, whose dependencies are those of the last build.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pmdswp.oracle.tools import OracleError
from pmdswp.vectors import on_one_line

__all__ = ["Contents", "read_elsewhere", "states", "text_of"]

WHOLE = ("include/", "scripts/", "tools/")
"""Folders of which every file counts, beside that of the architecture."""

SKIPPED = frozenset({".git", "tools/testing", "tools/perf"})
"""Folders of which none does."""

NAMES = ("Kconfig", "Makefile", "Kbuild")
"""How the names of files begin that count wherever they are."""


class Contents:
    """The contents of a tree, as they were when they were first asked for."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._digests: dict[str, str] = {}

    def digest(self, source_arch: str) -> str:
        """A digest of all that may matter to a build for arch/`source_arch`: names, links and contents.

        Raises `OracleError` for what cannot be read.
        """
        if source_arch not in self._digests:
            self._digests[source_arch] = self.digest_now(source_arch)
        return self._digests[source_arch]

    def digest_now(self, source_arch: str) -> str:
        """The same of the tree as it is now."""
        digest = hashlib.sha256()
        for name in _names(str(self.tree), source_arch):
            digest.update(f"{len(name)} {name} {_state(f'{self.tree}/{name}')}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()


def counts(name: str, source_arch: str) -> bool:
    """Whether the digest is also of the file of that name, as seen from the tree."""
    if name.startswith((*WHOLE, f"arch/{source_arch}/")):
        return not any(name.startswith(f"{folder}/") for folder in _skipped(source_arch))
    return "/" not in name or name.rpartition("/")[2].startswith(NAMES)


def _skipped(source_arch: str) -> frozenset[str]:
    return SKIPPED | {f"arch/{source_arch}/boot/dts"}


def _names(tree: str, source_arch: str) -> Iterator[str]:
    """The files that count, in an order that only their names decide."""
    skipped = _skipped(source_arch)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(f"{tree}/{folder}") as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise OracleError(f"{on_one_line(f'{tree}/{folder}')}: {error.strerror}") from None
        for entry in entries:
            name = folder + entry.name
            if entry.is_dir(follow_symlinks=False):
                if name not in skipped:
                    folders.append(f"{name}/")
            elif counts(name, source_arch):
                yield name


def _state(path: str) -> str:
    """What a file is: of a regular one its contents, of a link also where it leads.

    Raises `OracleError` for a file that cannot be read.
    """
    link = ""
    try:
        link = os.readlink(path) if os.path.islink(path) else ""
        # whoever opens a FIFO waits for somebody to write
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb") as file:
                return f"{link!r} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        if not link:
            raise OracleError(f"{on_one_line(path)}: {error.strerror}") from None
    return f"{link!r} no file"


def text_of(path: Path) -> str:
    """The text of a file; an empty one of what is no regular file. Raises `OracleError` if it cannot be read."""
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError as error:
        raise OracleError(f"{on_one_line(str(path))}: {error.strerror}") from None


def read_elsewhere(build: Path, tree: Path, source_arch: str) -> frozenset[str]:
    """What a build read that the digest is not of: files, and the folders in which they were searched.

    Such a file may be anywhere: an absolute name is included, or a link leads out of the tree. kbuild keeps the names
    of all files that a compiler read for an object in a file beside it.
    """
    words = {word for listing in build.rglob(".*.cmd") for word in text_of(listing).split() if word.startswith("/")}
    others = {
        word
        for word in words
        if not word.startswith(f"{build}/") and os.path.isfile(word) and not _is_in_digest(word, tree, source_arch)
    }
    return frozenset(others | {f"{os.path.dirname(name)}/" for name in others})


def _is_in_digest(path: str, tree: Path, source_arch: str) -> bool:
    """Whether the digest is of the file that is read there: it follows no link to a folder."""
    folder = os.path.realpath(os.path.dirname(path))
    name = f"{folder}/{os.path.basename(path)}".removeprefix(f"{tree}/")
    return not name.startswith("/") and folder == os.path.normpath(os.path.dirname(path)) and counts(name, source_arch)


def states(paths: frozenset[str]) -> Mapping[str, str]:
    """What each of these is now: a file's contents, or the names in a folder (its path ends in a slash)."""
    return {path: _listing(path) if path.endswith("/") else _content(path) for path in sorted(paths)}


def _listing(folder: str) -> str:
    try:
        return hashlib.sha256("\n".join(sorted(os.listdir(folder))).encode(errors="surrogateescape")).hexdigest()
    except OSError:
        return "none"


def _content(path: str) -> str:
    try:
        return _state(path)
    except OracleError:
        return "none"
