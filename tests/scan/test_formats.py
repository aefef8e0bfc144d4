"""Records are those of ``pmdswp decode``, in every format, and come in batches."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from arrays.readings import FEWER
from pmdswp import Arch, EncodeError, Entry, SoftLeafType, array
from pmdswp.arch import Level
from pmdswp.attributes import Attributes
from pmdswp.render.records import entry_record
from pmdswp.scan.records import COLUMNS, FORMATS, WRITERS
from pmdswp.scan.selection import SELECTABLE, Selected, Selection
from pmdswp.softleaf import LevelName
from property.generators import level_word_lists
from scan.conftest import Run
from scan.files import PMD_PAGE, PTE_PAGE, X86
from scan.model import array_of, entries_of

# imported so, since pyarrow has no types
pa, parquet, ipc = (import_module(f"pyarrow{name}") for name in ("", ".parquet", ".ipc"))

ARCH = pmdswp.get("x86_64", kernel="7.3")
Records = list[dict[str, Any]]


def everything(arch: Arch, level: LevelName) -> list[int]:
    """Words of every state and kind, with flags and stray bits."""
    words = [0, 1, 0x67, 0x8000000012345067, arch.hpage_pmd_nr, (1 << 64) - 1, 0x5500000000000000]
    of_level = arch.level(level)
    if of_level.page_layout is not None:
        frame = 1 << of_level.page_layout.address_mask.bit_length() - arch.page_shift - 1
        for attributes in ((), ("protnone", "global"), *((name,) for name in of_level.attribute_names)):
            with suppress(EncodeError):
                words.append(of_level.make(frame, attributes))
    if of_level.table_layout is not None:
        words += [of_level.make_table(0x70000), of_level.make_table(0x123456780000) | 1 << 58]
    if level in arch.levels:
        encode = arch.encode_pte if level == "pte" else arch.encode_pmd
        young = 1 << arch.swp_pfn_bits
        words += [encode(number, arch.hpage_pmd_nr * (number + 1)) for number in range(32)]
        words += [encode(number, (young | 5) if arch.migration_ad else 5) for number in range(20, 31)]
        words += [encode(31, bits) for bits in range(8)]
        words += [encode(3, arch.max_swap_offset, exclusive=level == "pte" or arch.has_pmd_swap)]
        words += [encode(0, 0), encode(3, 7) | 1 << 62, encode(3, 7) ^ 1 << 9]
    return words


def expected(arch: Arch, level: LevelName, words: list[int], names: str) -> Records:
    """What ``pmdswp decode`` tells of the words that are wanted, with their places."""
    wanted = {what for name in names.split(",") for what in SELECTABLE[name]}
    entries = enumerate(entries_of(arch, level, words))
    return [
        {"position": place * 8, **entry_record(arch, entry)}
        for place, entry in entries
        if (entry.kind if entry.leaf is not None else entry.state) in wanted
        or any(Attributes[attribute.upper()] in wanted for attribute in entry.attributes)
    ]


CASES: list[tuple[Arch, LevelName]] = [
    (pmdswp.get("x86_64"), "pte"),
    (pmdswp.get("x86_64", kernel="7.3"), "pmd"),
    (pmdswp.get("s390x"), "pte"),
    (pmdswp.get("s390x", kernel="6.12"), "pmd"),
    (pmdswp.get("ppc64"), "pmd"),
    (pmdswp.get("loongarch64", page_size=4096), "pmd"),
    (pmdswp.get("s390x"), "pud"),
    (pmdswp.get("x86_64", la57=True), "p4d"),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]!r}-{case[1]}")
def dump(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Arch, LevelName, list[int], list[object]]:
    """Words of one configuration, and what to ask the command for."""
    arch, level = request.param
    words = everything(arch, level)
    path = tmp_path / "dump"
    path.write_bytes(b"".join(map(arch.pte_to_bytes, words)))
    options: list[object] = []
    for name, value in arch.config.chosen:
        options += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    return arch, level, words, [path, "--arch", arch.name, "--level", level, *options]


@pytest.mark.parametrize(
    "names", ["softleaf", "swap,migration", "none,present,table,bad,softleaf", "marker,unknown", "write,protnone"]
)
def test_json_has_the_records_of_decode_with_their_places(
    run: Run, dump: tuple[Arch, LevelName, list[int], list[object]], names: str
) -> None:
    arch, level, words, arguments = dump
    assert run(*arguments, "--format", "json", "--only", names) == 0
    assert run.records() == expected(arch, level, words, names)
    assert f"{len(words)} words, " in run.err


def cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_csv_has_the_same_columns(run: Run, dump: tuple[Arch, LevelName, list[int], list[object]]) -> None:
    arch, level, words, arguments = dump
    names = "none,present,table,bad,softleaf"
    assert run(*arguments, "--format", "csv", "--only", names, "--summary", "none") == 0
    reader = csv.DictReader(io.StringIO(run.out))
    rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    records = expected(arch, level, words, names)
    assert rows == [{name: cell(record.get(name)) for name in COLUMNS} for record in records]
    assert {name for record in records for name in record} <= set(COLUMNS)
    assert run.err == ""


@st.composite
def selections(draw: st.DrawFn) -> tuple[Level, Selected]:
    """Words of any sort at any places, as many as need several steps and as there are, several times."""
    place, seeds = draw(level_word_lists(8))
    words = seeds * draw(st.integers(0, 5))
    places = st.integers(0, (1 << 64) - 1) | st.integers(0, 20).map(lambda power: min(10**power, (1 << 64) - 1))
    positions = draw(st.lists(places, min_size=len(words), max_size=len(words)))
    return place, Selected(array_of(positions), array_of(words))


@FEWER
@given(selections())
def test_rows_that_are_made_at_once_are_those_of_one_record_after_the_other(case: tuple[Level, Selected]) -> None:
    place, selected = case
    arch, level = place.arch, place.name
    records = [
        {"position": position, **entry_record(arch, arch.decode(level, word))}
        for position, word in zip(selected.positions.tolist(), selected.words.tolist(), strict=True)
    ]
    as_csv = io.StringIO()
    writer = csv.writer(as_csv, lineterminator="\n")
    writer.writerows([COLUMNS, *([cell(record.get(name)) for name in COLUMNS] for record in records)])
    expected_text = {"csv": as_csv.getvalue(), "json": "".join(f"{json.dumps(record)}\n" for record in records)}
    for format_name, text in expected_text.items():
        file = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pmdswp.scan.rows.AT_ONCE", 7)
            with WRITERS[format_name](arch, level, file) as write:
                write(selected)
        assert file.getvalue() == text


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_young_and_dirty_entries_have_rows_of_their_own(format_name: str) -> None:
    kind = SoftLeafType.MIGRATION_READ
    number, young, dirty = ARCH.swp_types[kind], 1 << ARCH.swp_pfn_bits, 2 << ARCH.swp_pfn_bits
    assert isinstance(number, int)
    words = array_of(ARCH.encode_pte(number, 5 | bits) for bits in (0, young, dirty, young | dirty, 0))
    file = io.StringIO()
    with WRITERS[format_name](ARCH, "pte", file) as write:
        write(Selected(words, words))
    if format_name == "json":
        found = [(record["young"], record["dirty"]) for record in map(json.loads, file.getvalue().splitlines())]
    else:
        rows = csv.DictReader(io.StringIO(file.getvalue()))
        found = [(row["young"] == "true", row["dirty"] == "true") for row in rows]
    assert found == [(False, False), (True, False), (False, True), (True, True), (False, False)]


@pytest.mark.parametrize("format_name", ["csv", "json"])
def test_the_scalar_library_writes_one_row_of_a_class(format_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counted(arch: Arch, entry: Entry) -> Mapping[str, object]:
        made.append(entry.raw)
        return entry_record(arch, entry)

    monkeypatch.setattr("pmdswp.scan.rows.entry_record", counted)
    words = array.encode(ARCH, "pte", np.arange(100_000) % 2, np.arange(100_000))
    file = io.StringIO()
    with WRITERS[format_name](ARCH, "pte", file) as write:
        write(Selected(words, words))
        write(Selected(words, words))
    assert file.getvalue().count("\n") == 200_000 + (format_name == "csv")
    # type 0 with offset 0 is of a class of its own
    assert len(made) == 3


def read_back(format_name: str, content: bytes) -> Any:
    if format_name == "parquet":
        return parquet.read_table(io.BytesIO(content))
    return ipc.open_file(io.BytesIO(content)).read_all()


NUMBERS = ("raw", "offset", "pfn", "address", "stray_bits")


def typed(record: dict[str, Any]) -> dict[str, Any]:
    """A record of JSON as Arrow has it: numbers are numbers, bytes are bytes."""
    row: dict[str, Any] = {name: record.get(name) for name in COLUMNS}
    row.update({name: None if row[name] is None else int(row[name], 16) for name in NUMBERS})
    return {**row, "bytes": bytes.fromhex(record["bytes"])}


@pytest.mark.parametrize("format_name", ["parquet", "arrow"])
@pytest.mark.parametrize("to_file", [False, True])
def test_parquet_and_arrow_have_the_same_records_with_types(
    run: Run, dump: tuple[Arch, LevelName, list[int], list[object]], format_name: str, *, to_file: bool, tmp_path: Path
) -> None:
    arch, level, words, arguments = dump
    names = "none,present,table,bad,softleaf"
    output = ["-o", tmp_path / "out"] if to_file else []
    assert run(*arguments, "--format", format_name, "--only", names, "--summary", "json", *output) == 0
    assert json.loads(run.err)["words"] == len(words)
    content = (tmp_path / "out").read_bytes() if to_file else run.raw
    table = read_back(format_name, content)
    assert table.to_pylist() == [typed(record) for record in expected(arch, level, words, names)]
    types = {column: table.schema.field(column).type for column in COLUMNS}
    assert [types[name] for name in ("position", *NUMBERS)] == [pa.uint64()] * 6
    assert (types["type"], types["uffd"], types["young"]) == (pa.uint8(), pa.bool_(), pa.bool_())
    assert types["bytes"] == pa.binary(8)
    assert pa.types.is_dictionary(types["kind"])


@pytest.mark.parametrize("format_name", ["parquet", "arrow"])
def test_records_come_in_batches(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_name: str) -> None:
    monkeypatch.setattr("pmdswp.scan.records.BATCH", 600)
    monkeypatch.setattr("pmdswp.scan.tables.BLOCK", 512)
    (tmp_path / "dump").write_bytes(PTE_PAGE.read_bytes() * 4)
    arguments = (tmp_path / "dump", *X86, "--level", "pte", "--only", "none,swap", "--format", format_name)
    for threads in (1, 3):
        assert run(*arguments, "--threads", threads) == 0
        table = read_back(format_name, run.raw)
        assert table.column("position").to_pylist() == list(range(0, 4 * 4096, 8))
        if format_name == "parquet":
            file = parquet.ParquetFile(io.BytesIO(run.raw))
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        else:
            reader = ipc.open_file(io.BytesIO(run.raw))
            sizes = [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]
        assert sizes == [1024, 1024]


@pytest.mark.parametrize("format_name", FORMATS)
def test_nothing_selected_is_an_empty_file_that_can_be_read(run: Run, format_name: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert run(PTE_PAGE, *X86, "--only", "unknown", "--format", format_name, "-o", output, "--summary", "none") == 0
    content = output.read_bytes()
    if format_name in ("parquet", "arrow"):
        assert read_back(format_name, content).num_rows == 0
    else:
        assert content == (f"{','.join(COLUMNS)}\n".encode() if format_name == "csv" else b"")


def test_zeros_of_a_hole_are_recorded_if_they_are_wanted(run: Run, tmp_path: Path) -> None:
    with (tmp_path / "dump").open("wb") as file:
        file.truncate(40 * 4096)
    assert run(tmp_path / "dump", *X86, "--only", "none", "--format", "json") == 0
    assert [record["position"] for record in run.records()] == list(range(0, 40 * 4096, 8))
    assert run(tmp_path / "dump", *X86, "--only", "present", "--format", "json") == 0
    assert run.out == ""


def test_text_has_a_line_for_each_record_and_then_the_summary(run: Run, tmp_path: Path) -> None:
    arguments = (PMD_PAGE, *X86, "--only", "MIGRATION,table", "--offset", "0xbf8")
    assert run(*arguments) == 0
    assert run.err == ""
    lines, _, summary = run.out.partition("\n\n")
    assert lines.splitlines()[0] == (
        "0x000000000c00  0xd7ffefffff47fe04  MIGRATION_READ_EXCLUSIVE type 26 pfn 0x5c00 dirty uffd"
    )
    assert summary.startswith(f"{PMD_PAGE}: read as pmd by {ARCH!r}\n129 words, 0 whole tables of 512\n\n")
    assert run(*arguments, "-o", tmp_path / "out") == 0
    assert (run.out, (tmp_path / "out").read_text()) == (summary, f"{lines}\n")


def test_every_name_selects_what_it_names() -> None:
    for name, wanted in SELECTABLE.items():
        selection = Selection.named(f" {name.upper()} ")
        for arch, level in CASES:
            for entry in entries_of(arch, level, everything(arch, level)):
                what: set[object] = {entry.state if entry.leaf is None else entry.kind}
                what |= {Attributes[attribute.upper()] for attribute in entry.attributes}
                assert selection.takes(entry) == bool(what.intersection(wanted))


def without(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Let a module and what is in it not be installed."""
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("format_name", ["parquet", "arrow"])
def test_without_pyarrow_the_extra_is_named_and_nothing_is_overwritten(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, format_name: str
) -> None:
    (tmp_path / "out").write_text("old")
    without(monkeypatch, "pyarrow")
    assert run(PTE_PAGE, *X86, "--format", format_name, "-o", tmp_path / "out") == 2
    assert run.err.startswith(f"pmdswp: no {format_name} without pyarrow: pip install 'pmdswp[scan]' (")
    assert run.err.count("\n") == 1
    assert (tmp_path / "out").read_text() == "old"


def test_without_numpy_the_extra_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "numpy")
    for name in ("scan", "array", "columns"):
        monkeypatch.delattr(pmdswp, name, raising=False)
    for name in [name for name in sys.modules if name.startswith(("pmdswp.scan", "pmdswp.array", "pmdswp.columns"))]:
        monkeypatch.delitem(sys.modules, name)
    assert run(PTE_PAGE, *X86) == 2
    assert run.err == "pmdswp: pmdswp.scan needs NumPy: pip install 'pmdswp[scan]'\n"
