"""The measured data of tests/data: where it lies, and its JSON records, taken apart field by field."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pmdswp import SoftLeafType
from pmdswp.config import Options

DATA = Path(__file__).parent / "data"
VECTOR_FILES = tuple(sorted(DATA.glob("vectors/*/*.ndjson.xz")))
GUEST_FILES = tuple(sorted(DATA.glob("guests/*.ndjson.xz")))

SPECIAL_TYPES = {
    "HWPOISON": SoftLeafType.HWPOISON,
    "MIGRATION_READ": SoftLeafType.MIGRATION_READ,
    "MIGRATION_READ_EXCLUSIVE": SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    "MIGRATION_WRITE": SoftLeafType.MIGRATION_WRITE,
    "DEVICE_WRITE": SoftLeafType.DEVICE_PRIVATE_WRITE,
    "DEVICE_READ": SoftLeafType.DEVICE_PRIVATE_READ,
    "DEVICE_EXCLUSIVE": SoftLeafType.DEVICE_EXCLUSIVE,
    "DEVICE_EXCLUSIVE_WRITE": SoftLeafType.DEVICE_EXCLUSIVE,
    "DEVICE_EXCLUSIVE_READ": SoftLeafType.DEVICE_EXCLUSIVE,
    "PTE_MARKER": SoftLeafType.MARKER,
    "SWAPIN_ERROR": SoftLeafType.SWAPIN_ERROR,
}
"""What the special types mean, by the kernel's names for their numbers (less the SWP_ in front)."""


def label(path: Path) -> str:
    """Folder and name of a data file without its endings, as `6.12/riscv64-full`."""
    return f"{path.parent.name}/{path.name.removesuffix('.ndjson.xz')}"


def vector_cases() -> Iterator[tuple[Path, str]]:
    """Each file of vectors, and each layout revision that it holds for."""
    for path in VECTOR_FILES:
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
        return _number(self._left.pop(name))

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
        return {name: _number(value) for name, value in left.items() if value is not None}

    def without(self, *names: str) -> Fields:
        """The same, less fields about which pmdswp says nothing."""
        for name in names:
            self._left.pop(name, None)
        return self

    def done(self) -> None:
        if self._left:
            raise UnknownFieldError(f"unknown fields: {', '.join(sorted(self._left))}")


def _number(value: Any) -> int:
    # 64-bit numbers are "0x..." text: JSON numbers are doubles to many a reader
    return int(value, 16) if isinstance(value, str) else int(value)


def read_records(path: Path) -> Iterator[Fields]:
    """The records of an xz-compressed file with one JSON object a line."""
    with lzma.open(path, "rt", encoding="ascii") as lines:
        for line in lines:
            yield Fields(json.loads(line))


def config_options(arch: str, symbols: Mapping[str, bool], *, svrsw60t59b: bool) -> Options:
    """The options of `pmdswp.get` that follow from CONFIG symbols (named without CONFIG_).

    `svrsw60t59b`: the CPU has it; riscv64 keeps soft-dirty and uffd bits only then, whatever its kernel's symbols.
    """
    flag_bits = svrsw60t59b or arch != "riscv64"
    options = Options(
        soft_dirty=symbols["MEM_SOFT_DIRTY"] and flag_bits,
        uffd=symbols["HAVE_ARCH_USERFAULTFD_WP"] and flag_bits,
        device_private=symbols["DEVICE_PRIVATE"],
        memory_failure=symbols["MEMORY_FAILURE"],
        migration=symbols["MIGRATION"],
        thp=symbols["TRANSPARENT_HUGEPAGE"],
    )
    if svrsw60t59b:
        options["svrsw60t59b"] = True
    return options
