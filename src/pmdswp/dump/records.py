"""Entries of processes as records: a table, JSON, CSV and Parquet. Needs NumPy."""

from __future__ import annotations

import csv
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from importlib import import_module
from typing import IO, Any

from pmdswp.arch import Arch
from pmdswp.array import NO_PFN
from pmdswp.attributes import ATTRIBUTES, attribute_names
from pmdswp.dump.opened import Dump
from pmdswp.dump.processes import Area, Process
from pmdswp.dump.rows import Rows
from pmdswp.errors import DecodeError, escaped
from pmdswp.render.records import Json, csv_cell, hexadecimal, marker_names
from pmdswp.render.text import describe
from pmdswp.softleaf import FLAGS, Flags, SoftLeaf, SoftLeafType, State

__all__ = ["BINARY_FORMATS", "COLUMNS", "FORMATS", "WRITERS", "Write", "records"]

COLUMNS = (
    "pid",
    "comm",
    "va",
    "size",
    "level",
    "word",
    "entry_address",
    "state",
    "kind",
    "type",
    "offset",
    "pfn",
    "flags",
    "attributes",
    "device",
    "vma",
    "young",
    "dirty",
    "markers",
)
"""The keys of a record, in order. 64-bit numbers are "0x..." text; what an entry does not have is None or empty."""


class _Areas:
    """The VMAs of a process, to look one up by address."""

    def __init__(self, areas: Sequence[Area]) -> None:
        self._areas = sorted(areas)
        self._starts = [area.start for area in self._areas]
        self._texts = [str(area) for area in self._areas]

    def text(self, va: int, size: int) -> str | None:
        """The VMA of an entry that covers addresses: the one of the first of them that is in any."""
        place = max(bisect_right(self._starts, va) - 1, 0)
        for area, text in zip(self._areas[place : place + 2], self._texts[place : place + 2], strict=True):
            if area.start < va + size and va < area.stop:
                return text
        return None


def records(dump: Dump, process: Process, found: Iterator[Rows], *, split: bool = False) -> Iterator[dict[str, Any]]:
    """The records of rows; with `split`, a PMD entry of softleaf is followed by the PTE entries that it stands for."""
    arch = dump.arch
    areas = _Areas(list(dump.areas(process)))
    levels = [(level.name, level.size) for level in arch.tables]
    kinds = {kind.value: kind for kind in SoftLeafType}
    states = [State.from_code(code) for code in range(len(State))]
    for some in found:
        columns = (column.tolist() for column in some)
        for va, place, address, word, code, number, swp_type, flags, offset, pfn, attributes in zip(
            *columns, strict=True
        ):
            level, size = levels[place]
            state, kind = states[code], kinds[number]
            is_leaf = state is State.SOFTLEAF
            record = {
                "pid": process.pid,
                "comm": process.comm,
                "va": hex(va),
                "size": size,
                "level": level,
                "word": hexadecimal(word),
                "entry_address": hex(address),
                "state": state.name,
                "kind": kind.name,
                "type": swp_type if is_leaf else None,
                "offset": hex(offset) if is_leaf else None,
                "pfn": None if pfn == NO_PFN else hex(pfn),
                "flags": list(_flag_names(flags)),
                "attributes": list(_attribute_names(attributes)),
                "device": dump.device(swp_type) if kind is SoftLeafType.SWAP else None,
                "vma": None if state is State.TABLE else areas.text(va, size),
                "young": None,
                "dirty": None,
                "markers": [],
            }
            leaf = SoftLeaf(swp_type, offset)
            if kind.has_pfn:
                record["young"], record["dirty"] = arch.softleaf_young(leaf), arch.softleaf_dirty(leaf)
            elif kind is SoftLeafType.MARKER:
                record["markers"] = marker_names(arch, arch.softleaf_markers(leaf))
            yield record
            if split and is_leaf and level == "pmd":
                yield from _split(dump, record, word)


@lru_cache(64)
def _flag_names(flags: int) -> tuple[str, ...]:
    return tuple(name for name in FLAGS if flags & Flags[name.upper()])


@lru_cache(4096)
def _attribute_names(attributes: int) -> tuple[str, ...]:
    names = attribute_names(attributes)
    return tuple(name for name in ATTRIBUTES if name in names)


def _split(dump: Dump, record: Mapping[str, Any], word: int) -> Iterator[dict[str, Any]]:
    """The records of the PTE entries that a PMD entry stands for."""
    arch = dump.arch
    try:
        words = arch.split_pmd(word)
    except DecodeError as error:
        dump.note(f"PMD entry {word:#018x} at {record['va']} cannot be split: {error}")
        return
    for i, pte in enumerate(words):
        entry = arch.decode_pte(pte)
        yield {
            **record,
            "va": hex(int(record["va"], 16) + i * arch.page_size),
            "size": arch.page_size,
            "level": "pte",
            "word": hexadecimal(pte),
            "offset": hex(entry.leaf.offset) if entry.leaf is not None else None,
            "pfn": None if entry.pfn is None else hex(entry.pfn),
        }


Write = Callable[[Json], object]
"""What writes a record; a writer below gives it while its file is open."""


@contextmanager
def _table_writer(arch: Arch, file: IO[str]) -> Iterator[Write]:
    last: list[object] = []

    def write(record: Json) -> None:
        process = [record["pid"], record["comm"]]
        if process != last[:2]:
            pid = "?" if record["pid"] is None else record["pid"]
            file.write(f"process {pid} {escaped(str(record['comm'] or ''))}".rstrip() + "\n")
            last[:] = [*process, None]
        if record["vma"] != last[2]:
            last[2] = record["vma"]
            file.write(f"  {escaped(str(record['vma']) if record['vma'] else 'no VMA')}\n")
        entry = arch.decode(record["level"], int(str(record["word"]), 16))  # type: ignore[arg-type]
        device = f" on {escaped(str(record['device']))}" if record["device"] is not None else ""
        file.write(f"    {record['va']:<18} {record['level']}  {record['word']}  {describe(arch, entry)}{device}\n")

    yield write


@contextmanager
def _json_writer(_arch: Arch, file: IO[str]) -> Iterator[Write]:
    yield lambda record: file.write(f"{json.dumps(record)}\n")


@contextmanager
def _csv_writer(_arch: Arch, file: IO[str]) -> Iterator[Write]:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    yield lambda record: writer.writerow([csv_cell(record[name]) for name in COLUMNS])


_BATCH = 1 << 16


@contextmanager
def _parquet_writer(_arch: Arch, file: IO[bytes]) -> Iterator[Write]:
    pa = import_module("pyarrow")
    name = pa.dictionary(pa.int32(), pa.string())
    types = {
        **dict.fromkeys(("comm", "level", "state", "kind", "device", "vma"), name),
        **dict.fromkeys(("va", "word", "entry_address", "offset", "pfn"), pa.uint64()),
        **dict.fromkeys(("young", "dirty"), pa.bool_()),
        **dict.fromkeys(("flags", "attributes", "markers"), pa.list_(pa.string())),
        "pid": pa.int32(),
        "size": pa.uint64(),
        "type": pa.uint8(),
    }
    schema = pa.schema([(column, types[column]) for column in COLUMNS])
    waiting: list[Json] = []
    with import_module("pyarrow.parquet").ParquetWriter(file, schema) as writer:

        def flush() -> None:
            columns = []
            for column in COLUMNS:
                values = [record[column] for record in waiting]
                if types[column] == pa.uint64() and column != "size":
                    values = [None if value is None else int(str(value), 16) for value in values]
                columns.append(pa.array(values, types[column]))
            writer.write_batch(pa.record_batch(columns, schema=schema))
            waiting.clear()

        def write(record: Json) -> None:
            waiting.append(record)
            if len(waiting) >= _BATCH:
                flush()

        yield write
        if waiting:
            flush()


WRITERS: Mapping[str, Callable[[Arch, IO[Any]], AbstractContextManager[Write]]] = {
    "table": _table_writer,
    "json": _json_writer,
    "csv": _csv_writer,
    "parquet": _parquet_writer,
}
"""Format -> what writes records so, to a file of text or, for `BINARY_FORMATS`, of bytes."""

FORMATS = tuple(WRITERS)

BINARY_FORMATS = ("parquet",)
"""Those that need pyarrow."""
