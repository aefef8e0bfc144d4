"""The measured data: where it lies, and its JSON records, taken apart field by field."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pmdswp import vectors
from pmdswp.vectors.geometry import SPECIAL_TYPES, config_options, number

__all__ = [
    "DATA",
    "GUEST_FILES",
    "SOME_RECORDS_OR_ALL",
    "SPECIAL_TYPES",
    "VECTOR_FILES",
    "VECTOR_SAMPLE",
    "Fields",
    "UnknownFieldError",
    "config_options",
    "label",
    "number",
    "read_records",
    "sample_cases",
    "sample_params",
    "vector_cases",
    "vector_geometry",
]

DATA = Path(__file__).parent / "data"

VECTOR_FILES = tuple(vectors.path(name) for name in vectors.files())
"""Every published file."""

_SAMPLE: Mapping[str, str] = {
    "5.10": "arm64-4k-va48-pa48 riscv64-full",
    "6.1": "x86_64-full-la48 ppc64le-4k-hash s390x-full",
    "6.12": "x86_64-full-la48 x86_64-defconfig-la48 arm64-64k-va52-pa52 riscv64-full s390x-defconfig ppc64le-4k-hash "
    "loongarch64-4k-3level",
    "7.3": "x86_64-full-la48 arm64-4k-va48-pa48 riscv64-full-rsw riscv64-full-norsw s390x-full ppc64le-64k-radix "
    "loongarch64-4k",
}
VECTOR_SAMPLE = tuple(
    path for path in VECTOR_FILES if path.name.partition(".")[0] in _SAMPLE.get(path.parent.name, "").split()
)
"""Some of them, every layout among them: for readings other than the helpers, which the replay holds to all files."""

SOME_RECORDS_OR_ALL = pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.long)])
"""Of the records of a file one in `step`: for readings that take long, and whose own session takes them all."""

GUEST_FILES = tuple(sorted(DATA.glob("guests/*.ndjson.xz")))


def label(path: Path) -> str:
    """Folder and name of a data file without its endings, as `6.12/riscv64-full`."""
    return f"{path.parent.name}/{path.name.removesuffix('.ndjson.xz')}"


def vector_cases() -> Iterator[tuple[Path, str]]:
    """Each file of vectors, and each layout revision that it holds for."""
    return _cases(VECTOR_FILES)


def sample_cases() -> Iterator[tuple[Path, str]]:
    """The same of `VECTOR_SAMPLE`."""
    return _cases(VECTOR_SAMPLE)


def sample_params() -> list[Any]:
    """`sample_cases` as parameters of tests; those of kernels older than the series take long."""
    return [
        pytest.param(
            (path, kernel),
            id=f"{label(path)}-as-{kernel}",
            marks=[] if kernel == "pmd-swap-v3" else pytest.mark.long,
        )
        for path, kernel in sample_cases()
    ]


def _cases(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        release = path.parent.name
        yield path, release
        # the series adds to 7.3, and these words carry its exclusive bit already
        if release == "7.3":
            yield path, "pmd-swap-v3"


class UnknownFieldError(Exception):
    """A record has a field that no test knows."""


class Fields:
    """The fields of one JSON object, each to be taken once and by its type.

    `done` raises `UnknownFieldError` if a field was left behind, so that nothing in the data goes unseen.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._left = dict(fields)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def text(self, name: str) -> str:
        value = self._left.pop(name)
        assert isinstance(value, str)
        return value

    def number(self, name: str) -> int:
        return number(self._left.pop(name))

    def memory(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name))

    def texts(self, name: str) -> list[str]:
        return [str(value) for value in self._left.pop(name)]

    def all_texts(self) -> dict[str, str]:
        """All fields that are left, as texts."""
        return {name: self.text(name) for name in tuple(self._left)}

    def inner(self, name: str) -> Fields:
        return Fields(self._left.pop(name))

    def inners(self, name: str) -> list[Fields]:
        return [Fields(fields) for fields in self._left.pop(name)]

    def all_numbers(self) -> dict[str, int]:
        """All fields that are left, as numbers; one that is null counts as absent."""
        left, self._left = self._left, {}
        return {name: number(value) for name, value in left.items() if value is not None}

    def without(self, *names: str) -> Fields:
        """The same, less fields about which pmdswp says nothing."""
        for name in names:
            self._left.pop(name, None)
        return self

    def done(self) -> None:
        if self._left:
            raise UnknownFieldError(f"unknown fields: {', '.join(sorted(self._left))}")


def read_records(path: Path, *, but: str = "", step: int = 1) -> Iterator[Fields]:
    """The records of an xz-compressed file with one JSON object a line, but those of one kind.

    Of the others of each kind the first one and one in `step`: others in each published file.
    """
    start = VECTOR_FILES.index(path) if step > 1 else 0
    passed = Counter[str]()
    with lzma.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            kind = line[: line.index(",")]
            number, passed[kind] = passed[kind], passed[kind] + 1
            if kind != f'{{"k":"{but}"' and (number == 0 or (number + start) % step == 0):
                yield Fields(json.loads(line))


def vector_geometry(path: Path) -> Fields:
    """The `geom` record of a file of vectors."""
    return Fields(vectors.read(path).header.geom)
