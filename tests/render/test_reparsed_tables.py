"""What the written tables say is enough to build a codec that computes what the kernel computed.

Each table of fields is parsed from the finished document, and a layout is built from its rows alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import product
from typing import NamedTuple

import pytest

import pmdswp
from data_files import sample_params
from pmdswp import Arch, Layout
from pmdswp.layout import Field, FieldKind
from pmdswp.render import formats
from pmdswp.softleaf import FLAGS, LevelName
from render.layouts import default_layouts
from render.tables import READERS, Row
from vectors import records
from vectors.records import Flags, SwpRecord, Told

load = lru_cache(maxsize=1)(records.load)


class Source(NamedTuple):
    """A file of vectors, and the configuration that it was computed by."""

    records: list[SwpRecord]
    arch: Arch


@pytest.fixture(
    scope="module",
    params=sample_params(),
)
def source(request: pytest.FixtureRequest) -> Source:
    path, kernel = request.param
    vectors = load(path)
    # what does not fit is cut or spills, and of that the tables say nothing
    fitting = [record for record in vectors.swp if record.exact]
    return Source(fitting, pmdswp.get(vectors.geometry.arch, **vectors.geometry.options(kernel)))


def field_of(row: Row) -> Field:
    """The field that one row of a table describes."""
    high, _, low = row["Bits"].partition("-")
    lsb, width = int(low or high), int(row["Width"])
    assert int(high) == lsb + width - 1, row
    kind = FieldKind(row["Kind"])
    must_be = re.match(r"must be (\d+):", row["Meaning"])
    assert (must_be is not None) == (kind is FieldKind.FIXED), row
    assert (row["Field"] == "-") == (kind is FieldKind.ZERO), row
    return Field(
        name="zero" if row["Field"] == "-" else row["Field"],
        lsb=lsb,
        width=width,
        kind=kind,
        value=int(must_be[1]) if must_be else 0,
        inverted=row["Meaning"].endswith(", inverted"),
    )


@cache
def reparsed(arch: Arch, level: LevelName, format: str, *, msb0: bool | None = None) -> list[Row]:
    """The rows of the table of fields, which is the first of the document."""
    return READERS[format](formats.layout(arch, level, format, msb0=msb0))[0].rows


def rebuilt(arch: Arch, level: LevelName, format: str) -> Layout:
    """The layout that a document describes; no gap and no overlap, or it would be none."""
    return Layout(field_of(row) for row in reversed(reparsed(arch, level, format)))


def _told(records: Iterable[SwpRecord], level: LevelName, layout: Layout) -> Iterator[tuple[SwpRecord, Flags, Told]]:
    """Every word that the kernel made at that level, by what it made it of."""
    for record in records:
        told: Mapping[Flags, Told] = record.pte if level == "pte" else record.pmd
        for flags, answer in told.items():
            # before the series the bit is in the data, but nothing puts it into a PMD
            if level == "pte" or "exclusive" in layout.flags or not flags.exclusive:
                yield record, flags, answer


@pytest.mark.long
def test_the_tables_rebuild_a_codec_that_makes_and_reads_the_words_of_the_kernel(source: Source) -> None:
    for level in source.arch.levels:
        [layout] = {rebuilt(source.arch, level, reader) for reader in READERS}
        seen = set()
        for record, flags, told in _told(source.records, level, layout):
            # the helpers of a flag that the kernel lacks change nothing
            on = {name for name, is_on in flags._asdict().items() if is_on and name in layout.flags}
            word = layout.encode(record.swp_type, record.offset) | sum(layout.flags[name] for name in on)
            assert word == told.word, (level, str(record), str(flags))
            assert layout.type.get(word) == record.swp_type
            assert layout.offset.get(word) == record.offset
            assert {name for name, mask in layout.flags.items() if word & mask} == on
            assert layout.contains(told.word)
            seen.add(frozenset(on))
        assert len(seen) == 1 << len(layout.flags), f"{level}: not every combination of flags was recorded"


@pytest.mark.long
def test_the_vectors_reach_every_level_that_the_configuration_has(source: Source) -> None:
    assert source.records
    for level in ("pte", "pmd"):
        assert (level in source.arch.levels) == all(getattr(record, level) for record in source.records)


SLOTS = default_layouts()


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("name", pmdswp.names())
def test_the_msb0_column_counts_from_the_other_end_and_stands_where_manuals_count_so(name: str, format: str) -> None:
    arch = pmdswp.get(name)
    for level, msb0 in product(arch.levels, (None, True)):
        rows = reparsed(arch, level, format, msb0=msb0)
        if not (msb0 or (msb0 is None and name in {"s390x", "ppc64"})):
            assert all("MSB0" not in row for row in rows)
            continue
        for row in rows:
            bits = [str(63 - int(bit)) for bit in row["Bits"].split("-")]
            assert row["MSB0"].split("-") == bits, row


@pytest.mark.parametrize("format", READERS)
def test_every_row_names_what_the_kernel_calls_the_bits_and_since_when(format: str) -> None:
    for arch, level in SLOTS:
        for row, field in zip(reparsed(arch, level, format), reversed(arch.layout(level).fields), strict=True):
            assert row["Kernel name"] == (field.kernel_name or "-")
            assert row["Meaning"] == field.meaning
            if field.kind is FieldKind.ZERO:
                assert row["Since"] == "-"
            elif field.since is None:
                assert row["Since"] == "4.18 or earlier"
            else:
                assert row["Since"] == field.since.citation


SYMBOLS = {"exclusive": "E", "soft_dirty": "SD", "uffd": "UF"}


def _symbol(field: Field) -> str:
    """What stands for a field in a box: numbers by name, flags by initials, fixed bits as they are."""
    if field.kind is FieldKind.VALUE:
        return f"~{field.name}" if field.inverted else field.name
    if field.kind is FieldKind.FIXED:
        return f"{field.value:b}".zfill(field.width)
    return SYMBOLS.get(field.name) or {FieldKind.IGNORED: "X", FieldKind.ZERO: "-"}[field.kind]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


@pytest.mark.parametrize("msb0", [False, True])
@pytest.mark.parametrize(("arch", "level"), SLOTS, ids=str)
def test_the_boxes_of_a_comment_run_from_bit_63_to_bit_0_with_the_symbols_of_the_table(
    arch: Arch, level: LevelName, msb0: bool
) -> None:
    lines = formats.layout(arch, level, "ascii", msb0=msb0).splitlines()
    boxes = [line for line in lines if line.startswith(" * |")]
    assert len({line.rfind("|") for line in boxes}) == 1, "the boxes do not line up"
    numbers, symbols, *counted_down = map(_cells, boxes)
    fields = list(map(field_of, reparsed(arch, level, "markdown")))
    assert symbols == list(map(_symbol, fields))
    bits = [bit for cell in numbers for bit in _bits(cell)]
    assert bits == list(range(63, -1, -1))
    assert [len(list(_bits(cell))) for cell in numbers] == [field.width for field in fields]
    from_the_top = ["-".join(str(63 - int(bit)) for bit in cell.split("-")) for cell in numbers]
    assert counted_down == ([from_the_top] if msb0 else [])
    assert [line.endswith("|  MSB0") for line in boxes] == [False, False, True][: len(boxes)]


def _bits(cell: str) -> range:
    high, _, low = cell.partition("-")
    return range(int(high), int(low or high) - 1, -1)


@pytest.mark.parametrize(("arch", "level"), SLOTS, ids=str)
def test_a_comment_is_one_of_c_and_tells_of_flags_and_of_bits_that_must_be_so(arch: Arch, level: LevelName) -> None:
    text = formats.layout(arch, level, "ascii")
    assert text.startswith(f"/*\n * {arch.name} swap {level.upper()}, kernel {arch.kernel}\n *\n * |")
    assert text.endswith("\n */\n")
    assert text.count("*/") == 1
    assert all(line == line.rstrip() for line in text.splitlines())
    told = {FieldKind.FLAG, FieldKind.FIXED, FieldKind.IGNORED}
    fields = [field for field in reversed(arch.layout(level).fields) if field.kind in told]
    assert re.findall(r"^ \* bits? ([\d-]+): ([^,]+), (.+)$", text, re.MULTILINE) == [
        (f"{field.msb}-{field.lsb}" if field.width > 1 else str(field.lsb), field.kernel_name, field.meaning)
        for field in fields
    ]


@pytest.mark.parametrize(("arch", "level"), SLOTS, ids=str)
def test_the_ruler_of_the_text_has_a_letter_for_each_bit_of_its_table(arch: Arch, level: LevelName) -> None:
    lines = formats.layout(arch, level).splitlines()
    ruler = "".join(lines[4].split())
    start = next(i for i, line in enumerate(lines) if "kernel name" in line)
    named = [(row.split()[0], row.split()[1]) for row in lines[start + 1 :]]
    assert ruler == "".join(letter * len(_bits(bits)) for letter, bits in named)
    assert len(ruler) == 64
    kinds = {"type": "t", "offset": "o", **dict(zip(FLAGS, "xdu", strict=True))}
    for (letter, _), row in zip(named, reparsed(arch, level, "markdown"), strict=True):
        assert letter == kinds.get(row["Field"], {"fixed": "#", "ignored": "~", "zero": "."}.get(row["Kind"]))
