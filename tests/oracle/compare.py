"""Vectors that are already there, asked again: the same questions have to get the same answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmdswp.oracle.build import INVALID_PTE_TABLE, Build
from pmdswp.oracle.questions import repeated
from pmdswp.vectors import Record, number, read

IGNORED = frozenset({"cc", "kver_sub"})
"""What of a `geom` record may differ: the compiler, and the stable release."""


@dataclass(frozen=True)
class Reference:
    """A file of vectors."""

    path: Path
    geom: Record
    records: Sequence[Record]
    """All others."""

    @classmethod
    def read(cls, path: Path) -> Reference:
        """Read a file. Raises `pmdswp.vectors.VectorsError` for one that is none of vectors."""
        vectors = read(path)
        return cls(path, vectors.header.geom, vectors.records)

    def is_of(self, geom: Record) -> bool:
        """Whether it was measured on the same configuration."""
        names = {name for name in self.geom if name.startswith("CONFIG_")}
        names |= {"arch", "mode", "PAGE_SHIFT", "kver_major", "kver_minor"}
        return all(geom.get(name, 0) == self.geom[name] for name in names)


def differences(reference: Reference, build: Build, mode: str) -> Iterator[str]:
    """What the probe answers otherwise than the reference says, a line for each field."""
    table = number(reference.geom.get("invalid_pte_table", INVALID_PTE_TABLE))
    lines = build.ask(mode, ["geom", *repeated(reference.records)], invalid_pte_table=table)
    geom, *answers = (json.loads(line) for line in lines)
    for name, told in reference.geom.items():
        if name not in IGNORED and geom.get(name) != told:
            yield f"geom {name}: {geom.get(name)} instead of {told}"
    asked = reference.records
    if len(answers) != len(asked):
        yield f"{len(answers)} answers to {len(asked)} questions"
    for answer, record in zip(answers, asked, strict=False):
        where = " ".join(str(record[key]) for key in ("k", "w", "t", "o", "v", "base", "pfn") if key in record)
        yield from (f"{where}: {line}" for line in _unequal("", answer, record))


def _unequal(path: str, answer: Any, told: Any) -> Iterator[str]:
    if isinstance(answer, dict) and isinstance(told, dict):
        for name in {**told, **answer}:
            yield from _unequal(f"{path}.{name}", answer.get(name), told.get(name))
    elif isinstance(answer, list) and isinstance(told, list) and len(answer) == len(told):
        for index, (left, right) in enumerate(zip(answer, told, strict=True)):
            yield from _unequal(f"{path}[{index}]", left, right)
    elif answer != told:
        yield f"{path} is {answer} instead of {told}"
