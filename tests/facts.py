"""Facts: what pmdswp says beside what a kernel told, and the comparison of all facts of all records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import pytest

from pmdswp import Arch, PmdSwpError

REFUSED = "refused"
SHOWN = 20

RecordT = TypeVar("RecordT")


class Fact(NamedTuple):
    """What pmdswp says and what the kernel told of the same thing."""

    field: str
    said: object
    told: object


Facts = Iterator[Fact]


def expect(source: str, arch: Arch, records: Iterable[RecordT], facts_of: Callable[[RecordT], Facts]) -> None:
    """Every fact of every record is as the kernel told it, and every record has some; `source` names the data."""
    mismatches = [line for record in records for line in _mismatches(source, record, facts_of(record))]
    if mismatches:
        more = [f"... and {len(mismatches) - SHOWN} more"] if len(mismatches) > SHOWN else []
        pytest.fail("\n".join([f"{arch!r} differs from the kernel", *mismatches[:SHOWN], *more]), pytrace=False)


def or_refused(call: Callable[[], object], error: type[PmdSwpError]) -> object:
    """The result of `call`, or REFUSED if it raised `error`."""
    try:
        return call()
    except error:
        return REFUSED


def _mismatches(source: str, record: object, facts: Facts) -> Iterator[str]:
    count = 0
    try:
        for field, said, told in facts:
            count += 1
            if said != told:
                yield f"{source}: {record}: {field}: pmdswp says {_shown(said)}, the kernel {_shown(told)}"
    except (PmdSwpError, KeyError) as error:
        yield f"{source}: {record}: after {count} facts: {error!r}"
    if count == 0:
        yield f"{source}: {record}: nothing was checked"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_shown(item) for item in value[:SHOWN])}]"
    if isinstance(value, bytes):
        return value.hex(" ")
    return f"{value:#x}" if isinstance(value, int) else str(value)
