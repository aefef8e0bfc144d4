"""Records of words, in every format that they can be written in."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib import import_module
from typing import IO, Any

import numpy as np

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.attributes import ATTRIBUTES, Attributes
from pmdswp.columns import Words
from pmdswp.render.records import csv_cell, marker_names
from pmdswp.render.text import describe
from pmdswp.scan.kinds import HAS_PFN, KIND_INDEX, KINDS
from pmdswp.scan.places import IS_PRESENT, addresses, mapped, stray_bits
from pmdswp.scan.rows import Rows, hole
from pmdswp.scan.selection import Selected
from pmdswp.scan.tables import WORD
from pmdswp.softleaf import FLAGS, Entry, LevelName, SoftLeaf, SoftLeafType, State

__all__ = ["BINARY_FORMATS", "COLUMNS", "FORMATS", "WRITERS", "Write"]

BATCH = 1 << 16
"""Records that a Parquet row group or an Arrow record batch has at least; the last may have fewer."""

COLUMNS = (
    "position",
    "arch",
    "kernel",
    "level",
    "raw",
    "state",
    "kind",
    "type",
    "offset",
    "exclusive",
    "soft_dirty",
    "uffd",
    "bytes",
    "pfn",
    "address",
    "attributes",
    "stray_bits",
    "young",
    "dirty",
    "markers",
)
"""The columns of a record: where the word stands, in bytes, and what `entry_record` tells of it."""

Write = Callable[[Selected], object]
"""What writes the records of words; a writer below gives it while its file is open."""


def _entries(arch: Arch, level: LevelName, selected: Selected) -> Iterator[tuple[int, Entry]]:
    for position, word in zip(selected.positions.tolist(), selected.words.tolist(), strict=True):
        yield position, arch.decode(level, word)


def _lines(arch: Arch, level: LevelName, selected: Selected) -> Iterator[str]:
    for position, entry in _entries(arch, level, selected):
        yield f"{position:#014x}  {entry.raw:#018x}  {describe(arch, entry)}\n"


@contextmanager
def _table_writer(arch: Arch, level: LevelName, file: IO[str]) -> Iterator[Write]:
    yield lambda selected: file.writelines(_lines(arch, level, selected))


@contextmanager
def _json_writer(arch: Arch, level: LevelName, file: IO[str]) -> Iterator[Write]:
    number = hole("position")
    rows = Rows(arch, level, lambda record: f"{json.dumps(record).replace(json.dumps(number), number)}\n")
    yield lambda selected: file.writelines(rows.of(selected))


@contextmanager
def _csv_writer(arch: Arch, level: LevelName, file: IO[str]) -> Iterator[Write]:
    file.write(_csv_row(COLUMNS))
    rows = Rows(arch, level, lambda record: _csv_row(csv_cell(record.get(name)) for name in COLUMNS))
    yield lambda selected: file.writelines(rows.of(selected))


def _csv_row(cells: Iterable[object]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()


@contextmanager
def _arrow_writer(arch: Arch, level: LevelName, file: IO[bytes], *, is_parquet: bool) -> Iterator[Write]:
    pa = import_module("pyarrow")
    schema = _schema(pa)
    waiting: list[Selected] = []

    def flush() -> None:
        rows = Selected(*(np.concatenate(column) for column in zip(*waiting, strict=True)))
        writer.write_batch(pa.record_batch(_arrow_columns(pa, schema, arch, level, rows), schema=schema))
        waiting.clear()

    def write(selected: Selected) -> None:
        waiting.append(selected)
        if sum(rows.words.size for rows in waiting) >= BATCH:
            flush()

    if is_parquet:
        new_writer = import_module("pyarrow.parquet").ParquetWriter(file, schema)
    else:
        new_writer = pa.ipc.new_file(file, schema)
    with new_writer as writer:
        yield write
        if waiting:
            flush()


def _schema(pa: Any) -> Any:
    name = pa.dictionary(pa.uint8(), pa.string())
    types = {
        **dict.fromkeys(("arch", "kernel", "level", "state", "kind"), name),
        **dict.fromkeys(("position", "raw", "offset", "pfn", "address", "stray_bits"), pa.uint64()),
        **dict.fromkeys((*FLAGS, "young", "dirty"), pa.bool_()),
        "type": pa.uint8(),
        "bytes": pa.binary(WORD),
        **dict.fromkeys(("attributes", "markers"), pa.list_(pa.string())),
    }
    return pa.schema([(column, types[column]) for column in COLUMNS])


def _arrow_columns(pa: Any, schema: Any, arch: Arch, level: LevelName, rows: Selected) -> list[Any]:
    """The columns of a batch, null where a word does not have the thing."""
    columns = array.decode(arch, level, rows.words)
    whole = mapped(arch, level, rows.words, columns)
    if whole is None:
        whole = array.Mapped(np.full(rows.words.size, array.NO_PFN), np.zeros(rows.words.size, np.uint16))
    is_none, is_absent = columns.state != State.SOFTLEAF.code, IS_PRESENT[columns.state] == False  # noqa: E712  # an array
    memory = rows.words.astype(rows.words.dtype.newbyteorder(arch.byteorder)).tobytes()

    def names(indices: Words, of: Sequence[str]) -> object:
        return pa.DictionaryArray.from_arrays(pa.array(indices.astype(np.uint8)), pa.array(of))

    def same(text: str) -> object:
        return names(np.zeros(rows.words.size, np.uint64), [text])

    found = {
        "position": rows.positions,
        "arch": same(arch.name),
        "kernel": same(arch.kernel),
        "level": same(level),
        "raw": rows.words,
        "state": names(columns.state.astype(np.uint64), [state.name for state in State]),
        "kind": names(KIND_INDEX[columns.kind].astype(np.uint64), [kind.name for kind in KINDS]),
        "type": pa.array(columns.swp_type, mask=is_none),
        "offset": pa.array(columns.offset, mask=is_none),
        "exclusive": columns.exclusive,
        "soft_dirty": columns.soft_dirty,
        "uffd": columns.uffd,
        "bytes": pa.Array.from_buffers(pa.binary(WORD), rows.words.size, [None, pa.py_buffer(memory)]),
        "pfn": pa.array(whole.pfn, mask=whole.pfn == array.NO_PFN),
        "address": pa.array(addresses(arch, level, rows.words, columns), mask=is_absent),
        "attributes": _name_lists(pa, whole.attributes),
        "stray_bits": pa.array(stray_bits(arch, level, rows.words, columns), mask=is_none & is_absent),
        **{name: pa.array(values, schema.field(name).type) for name, values in _rare_columns(arch, columns).items()},
    }
    return [found[name] for name in COLUMNS]


def _name_lists(pa: Any, attributes: np.ndarray[Any, Any]) -> object:
    """The names of the attributes of each word: those of each set once, and then repeated."""
    sets, places = np.unique(attributes, return_inverse=True)
    names = [[name for name in ATTRIBUTES if Attributes[name.upper()] & number] for number in sets.tolist()]
    return pa.array(names, pa.list_(pa.string())).take(pa.array(places))


def _rare_columns(arch: Arch, columns: array.Columns) -> dict[str, list[object]]:
    """The columns that swap entries, by far the most, do not have: made word by word."""
    rare: dict[str, list[object]] = {name: [None] * columns.state.size for name in ("young", "dirty", "markers")}
    for place in np.flatnonzero(HAS_PFN[columns.kind]).tolist():
        leaf = SoftLeaf(int(columns.swp_type[place]), int(columns.offset[place]))
        rare["young"][place], rare["dirty"][place] = arch.softleaf_young(leaf), arch.softleaf_dirty(leaf)
    for place in np.flatnonzero(columns.kind == SoftLeafType.MARKER.value).tolist():
        leaf = SoftLeaf(int(columns.swp_type[place]), int(columns.offset[place]))
        rare["markers"][place] = marker_names(arch, arch.softleaf_markers(leaf))
    return rare


WRITERS: Mapping[str, Callable[[Arch, LevelName, IO[Any]], AbstractContextManager[Write]]] = {
    "table": _table_writer,
    "json": _json_writer,
    "csv": _csv_writer,
    "parquet": partial(_arrow_writer, is_parquet=True),
    "arrow": partial(_arrow_writer, is_parquet=False),
}
"""Format -> what writes records so, to a file of text or, for `BINARY_FORMATS`, of bytes."""

FORMATS = tuple(WRITERS)

BINARY_FORMATS = ("parquet", "arrow")
"""Those that need pyarrow."""
