"""What compiled kernels computed: published vectors, and their reader.

Each file holds the answers of one kernel configuration's own macros and inline functions (see `pmdswp.oracle`, which
measures them). It is xz-compressed text with one JSON object a line: a header, the kernel's constants, and the answers.
`vectors.schema.json` beside this module describes every kind of record and every field.

>>> from pmdswp import vectors
>>> vectors.kernels()
('5.10', '6.1', '6.12', '7.2', '7.3')
>>> found = vectors.load("7.3/x86_64-full-la48")
>>> found.header.kernel, found.header.arch
('7.3.4', 'x86_64')
>>> record = next(found.of_kind("swp"))
>>> record["t"], record["o"], record["pte"][0]["v"]
(0, '0x0', '0x3fffffffffffe00')

"""

from __future__ import annotations

import json
import lzma
import os
import reprlib
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from pmdswp.config import Options
from pmdswp.errors import PmdSwpError
from pmdswp.vectors.geometry import SPECIAL_TYPES, number, options

__all__ = [
    "FORMAT",
    "Header",
    "Record",
    "Vectors",
    "VectorsError",
    "files",
    "header",
    "kernels",
    "lines",
    "load",
    "number",
    "path",
    "read",
    "schema",
]

FORMAT = 1
"""The version of the format, in each header: it goes up when a field changes its meaning, not when one is added."""

_ANSWERS = ("swp", "raw", "low12", "mkpte", "mkpmd", "whole")
"""The kinds of answers."""

_SHOWN = 200
"""Characters of a path that a message shows."""

_DATA = Path(__file__).parent / "data"
_SUFFIX = ".ndjson.xz"

Record = Mapping[str, Any]
"""One JSON object; `k` names its kind."""


class VectorsError(PmdSwpError, ValueError):
    """No file of that name, one that cannot be read, or one that is none of vectors.

    The message is one line; it names the file, and what was expected or why it could not be read.
    """


@dataclass(frozen=True)
class Header:
    """Which kernel a file was measured on, how it was configured, and why each word is in the file."""

    format: int
    """Version of the format; 0 for a file that has no header record, of which only `geom` tells."""
    kernel: str
    """The kernel's version, such as 6.12.117."""
    release: str
    """Its release, such as 6.12: a revision of `pmdswp.get`."""
    arch: str
    """The architecture, as `pmdswp.get` takes it."""
    configuration: str
    """The name of the configuration, such as 64k-minimal."""
    mode: str
    """Which machine the kernel was told that it runs on (la48, radix, ...), or - where there is but one kind."""
    defconfig: str
    """The kernel's default configuration on which `symbols` come."""
    symbols: Mapping[str, str]
    """Kconfig symbols that were set on top of it, as SPARSEMEM_VMEMMAP: y, n or a number."""
    compiler: str
    """Name and version of the compiler."""
    emulated: tuple[str, ...]
    """Helpers that the kernel lacks, and that the probe put in their place."""
    legend: Mapping[str, str]
    """Why a word was asked: the note for each `w` in the file."""
    geom: Record
    """The kernel's constants and CONFIG symbols, by the kernel's names."""

    def options(self, kernel: str | None = None) -> Options:
        """The options of `pmdswp.get` that ask for this configuration, at this release or the revision `kernel`.

        Raises `VectorsError` if the `geom` record lacks a constant that decides an option.
        """
        try:
            return options(self.geom, self.release if kernel is None else kernel)
        except (LookupError, TypeError, ValueError) as error:
            raise VectorsError(f"a geom record of {self.arch} that no options follow from: {error!r}") from None


@dataclass(frozen=True)
class Vectors:
    """One file: its header, and its answers."""

    header: Header
    records: tuple[Record, ...]
    """The answers, in the order of the file, kinds swp, raw, low12, mkpte, mkpmd and whole."""

    def of_kind(self, kind: str) -> Iterator[Record]:
        """The answers of one kind."""
        return (record for record in self.records if record["k"] == kind)

    def note(self, record: Record) -> str:
        """Why the word of this answer is in the file; an empty text for kinds that need no reason."""
        return self.header.legend.get(record.get("w", ""), "")

    @cached_property
    def special_types(self) -> Mapping[str, int]:
        """The kernel's numbers of the special types, by its names for them, such as SWP_HWPOISON."""
        geom = self.header.geom
        return {f"SWP_{name}": geom[f"SWP_{name}"] for name in SPECIAL_TYPES if f"SWP_{name}" in geom}


def kernels() -> tuple[str, ...]:
    """The releases that there are vectors of, oldest first.

    Raises `VectorsError` where the files are not in the file system, as when the package is run from a zip.
    """
    try:
        folders = list(_DATA.iterdir())
    except OSError as error:
        raise VectorsError(f"{on_one_line(str(_DATA))}: {error.strerror}: unpack the package to read them") from None
    return tuple(sorted((folder.name for folder in folders if folder.is_dir()), key=_version))


def _version(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def files(kernel: str | None = None) -> tuple[str, ...]:
    """The names of all files, or of those of one release: what `load` takes, such as 7.3/x86_64-full-la48.

    Raises `VectorsError` for a release of which there are none.
    """
    if kernel is None:
        return tuple(name for release in kernels() for name in files(release))
    if not isinstance(kernel, str) or kernel not in kernels():
        raise VectorsError(f"no vectors of kernel {reprlib.repr(kernel)}; there are: {', '.join(kernels())}")
    return tuple(sorted(f"{kernel}/{file.name.removesuffix(_SUFFIX)}" for file in (_DATA / kernel).glob(f"*{_SUFFIX}")))


def path(name: str) -> Path:
    """Where the file of that name lies. Raises `VectorsError` if there is none."""
    if not isinstance(name, str) or name not in files():
        raise VectorsError(f"no vectors {reprlib.repr(name)}; `pmdswp vectors --list` names all {len(files())}")
    return _DATA / f"{name}{_SUFFIX}"


def load(name: str) -> Vectors:
    """The published file of that name, such as 7.3/x86_64-full-la48. Raises `VectorsError` if there is none."""
    return read(path(name))


def lines(file: str | os.PathLike[str]) -> Iterator[str]:
    """The lines of a file of vectors as they are in it, each with its line feed.

    Raises `VectorsError` for a file that cannot be read, or is not xz-compressed text.
    """
    name, shown = _regular(file)
    try:
        with lzma.open(name, "rt", encoding="ascii", newline="\n") as text:
            yield from text
    except OSError as error:
        raise VectorsError(f"{shown}: {error.strerror or error}") from None
    except (lzma.LZMAError, EOFError, UnicodeError) as error:
        raise VectorsError(f"{shown}: not xz-compressed text: {error}") from None


def _regular(file: object) -> tuple[str, str]:
    """The path of a regular file, and the same as a message shows it."""
    try:
        name = os.fspath(file)  # type: ignore[call-overload]  # whatever it is
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise VectorsError(f"a file of vectors is named by a str or an os.PathLike of one, not by {reprlib.repr(file)}")
    shown = on_one_line(name)
    try:
        # whoever opens a FIFO waits for somebody to write
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - Path() refuses some names by itself
            raise VectorsError(f"{shown}: not a regular file")
    except OSError as error:
        raise VectorsError(f"{shown}: {error.strerror}") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, VectorsError):
            raise
        raise VectorsError(f"{shown}: not the name of a file: {error}") from None
    return name, shown


def on_one_line(name: str) -> str:
    """The name of a file as a message shows it: escaped if it has a line feed or the like, and cut if it is long."""
    cut = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
    return cut if cut.isprintable() else ascii(cut)


def read(file: str | os.PathLike[str]) -> Vectors:
    """Any file of vectors, such as one that you measured yourself.

    Raises `VectorsError` for one that cannot be read, is of another format, or of a version after `FORMAT`.
    """
    return _read(file, lines(file))


def header(name: str) -> Header:
    """The header of a published file, without reading the rest. Raises `VectorsError` if there is none."""
    file = path(name)
    return _read(file, islice(lines(file), 2)).header


def _read(file: str | os.PathLike[str], text: Iterable[str]) -> Vectors:
    try:
        records = [json.loads(line) for line in text]
        first = records.pop(0) if records[0]["k"] == "header" else {"format": 0}
        geom, *answers = records
        if geom["k"] != "geom" or first["format"] > FORMAT:
            raise VectorsError(f"{on_one_line(os.fspath(file))}: not vectors of format {FORMAT} or less")
        _check_answers(answers)
        return Vectors(_header(first, geom), tuple(answers))
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, VectorsError):
            raise
        raise VectorsError(f"{on_one_line(os.fspath(file))}: not vectors: {error!r}") from None


def _check_answers(answers: Iterable[Any]) -> None:
    for record in answers:
        if not isinstance(record, dict) or record.get("k") not in _ANSWERS:
            raise ValueError(
                f"an answer is an object whose k is one of {', '.join(_ANSWERS)}, not {reprlib.repr(record)}"
            )


def _header(first: Record, geom: Record) -> Header:
    release = f"{_number(geom, 'kver_major')}.{_number(geom, 'kver_minor')}"
    sub = _number(geom, "kver_sub")
    return Header(
        format=_number(first, "format"),
        kernel=_text(first, "kernel", f"{release}.{sub}"),
        release=release,
        arch=_text(geom, "arch"),
        configuration=_text(first, "configuration", ""),
        mode=_text(geom, "mode"),
        defconfig=_text(first, "defconfig", ""),
        symbols=_texts(first, "symbols"),
        compiler=_text(first, "compiler", geom["cc"]),
        emulated=_emulated(first),
        legend=_texts(first, "legend"),
        geom=geom,
    )


def _number(record: Record, name: str) -> int:
    value = record[name]
    if type(value) is not int:
        raise TypeError(f"{name} is not a number")
    return value


def _text(record: Record, name: str, default: str | None = None) -> str:
    value = record[name] if default is None else record.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a text")
    return value


def _emulated(record: Record) -> tuple[str, ...]:
    value = record.get("emulated", [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError("emulated is not a list of texts")
    return tuple(value)


def _texts(record: Record, name: str) -> Mapping[str, str]:
    value = record.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise TypeError(f"{name} is not an object of texts")
    return value


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one record, of whatever kind."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "vectors.schema.json").read_text(encoding="utf-8"))
    return found
