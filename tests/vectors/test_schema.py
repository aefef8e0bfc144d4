"""The published JSON Schema holds for every published record, and for no record that lacks a field or has another."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

from pmdswp import vectors

Json = Any
Shape = object
"""Names of fields and types of values, without the values."""

KINDS = ("header", "geom", "swp", "raw", "low12", "mkpte", "mkpmd", "whole")
MAPS = ("symbols", "legend")
"""Objects whose names are data."""
WHOLE_LEVELS = ("pte", "pmd", "pud", "p4d", "pgd")
OPTIONAL = {("pmd", "sw")}
"""Fields that a record may have though no published one has: the schema says why."""
VALUE = re.compile(r':("[^"]*"|[0-9]+)')
OTHERS: tuple[Json, ...] = (None, True, 5, -1, 0.5, "text", [], {})


@cache
def validator(kind: str) -> Draft202012Validator:
    """Of one kind of record, as messages on all kinds at once tell nothing."""
    definitions = vectors.schema()["$defs"]
    return Draft202012Validator(without_references(definitions[kind], definitions))


def without_references(schema: Json, definitions: Json) -> Json:
    """The same schema with each definition in place of its name, which takes longer to look up than to apply."""
    if isinstance(schema, list):
        return [without_references(inner, definitions) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: without_references(part, definitions) for name, part in schema.items() if name != "$ref"}
    if "$ref" not in schema:
        return inner
    named = without_references(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    return {**inner, "allOf": [*inner.get("allOf", []), named]} if inner.keys() - {"description"} else named


def shape(value: Json) -> Shape:
    if isinstance(value, dict):
        return frozenset((name, "map" if name in MAPS else shape(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return "list", len(value), frozenset(map(shape, value))
    return type(value)


class Seen(NamedTuple):
    """A shape of a record, and of which kernels it is, as far as the record says."""

    kind: str
    kernel: object
    shape: Shape


def seen(record: Json) -> Seen:
    return Seen(record["k"], (record.get("kver_major"), record.get("kver_minor"), record.get("arch")), shape(record))


def lines_of(name: str) -> list[str]:
    return list(vectors.lines(vectors.path(name)))


@cache
def published() -> dict[Seen, list[Json]]:
    """Up to two records of each shape, of the first records for each reason and type in each file."""
    found: dict[Seen, list[Json]] = {}
    outlines = Counter[str]()
    for name in vectors.files():
        firsts = {
            line.partition('"o"')[0].partition('"v"')[0].partition('"pfn"')[0][:80]: line for line in lines_of(name)
        }
        for line in firsts.values():
            # lines that are alike but for their values, constants apart, are of one shape, and most are the third
            outline = VALUE.sub(":", line)
            if "arch" in outline or outlines[outline] < 2:
                outlines[outline] += 1
                record = json.loads(line)
                alike = found.setdefault(seen(record), [])
                if len(alike) < 2:
                    alike.append(record)
    return found


def test_the_schema_is_one_and_knows_every_kind() -> None:
    schema = vectors.schema()
    Draft202012Validator.check_schema(schema)
    assert schema["oneOf"] == [{"$ref": f"#/$defs/{kind}"} for kind in KINDS]
    assert {found.kind for found in published()} == set(KINDS)


def test_every_object_lists_its_fields_and_allows_no_others() -> None:
    definitions = vectors.schema()["$defs"]
    for kind in (*KINDS, "pte", "pmd", "cls", *(f"whole_{level}" for level in WHOLE_LEVELS)):
        assert definitions[kind]["additionalProperties"] is False
        assert definitions[kind]["required"]
    assert definitions["whole_mk"]["additionalProperties"] is False
    optional = {
        (name, field)
        for name, definition in definitions.items()
        for field, stated in definition.get("properties", {}).items()
        if isinstance(stated, dict) and "; optional: " in stated.get("description", "")
    }
    assert optional == OPTIONAL


def test_records_of_every_shape_are_as_the_schema_says() -> None:
    for found, records in published().items():
        for record in records:
            validator(found.kind).validate(record)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_tells_the_kinds_apart_by_itself(kind: str) -> None:
    whole = Draft202012Validator(vectors.schema())
    assert whole.is_valid(next(records[0] for found, records in published().items() if found.kind == kind))


@pytest.mark.long
@pytest.mark.parametrize("name", vectors.files())
def test_all_records_are_as_the_schema_says(name: str) -> None:
    lines = lines_of(name)
    assert lines[0].startswith('{"k":"header","format":1,')
    assert lines[1].startswith('{"k":"geom",')
    for number, record in enumerate(map(json.loads, lines)):
        # those that are chosen by default have every shape that there is
        assert seen(record) in published()
        if number % 10 == 0:
            validator(record["k"]).validate(record)


class Edit(NamedTuple):
    """One change of a record."""

    path: tuple[str | int, ...]
    """Where the object is."""
    what: str
    field: str
    value: Json = None

    def __str__(self) -> str:
        return f"{self.what} {'.'.join(map(str, (*self.path, self.field)))} {self.value!r:.40}"

    def of(self, record: Json) -> Json:
        edited = copy.deepcopy(record)
        place = edited
        for step in self.path:
            place = place[step]
        if self.what == "remove":
            del place[self.field]
        else:
            place[self.field] = self.value
        return edited


@cache
def known_fields(kind: str) -> dict[str, Json]:
    """Each field that some record has in the objects of this kind, with a value that it has somewhere."""
    found: dict[str, Json] = {}

    def collect(name: str, value: Json) -> None:
        if isinstance(value, list):
            for item in value:
                collect(name, item)
        elif isinstance(value, dict):
            if name == kind:
                found.update(value)
            for field, inner in value.items():
                collect(field, inner)

    for records in published().values():
        for record in records:
            collect(record["k"], record)
    return found


def edits(kind: str, value: Json, path: tuple[str | int, ...] = (), *, every: bool) -> Iterator[Edit]:
    """Each field removed, each one of another type, and one added that there is elsewhere or nowhere."""
    for field, inner in value.items():
        yield Edit(path, "remove", field)
        others = [other for other in OTHERS if type(other) is not type(inner)]
        for other in others if every else others[len(path) + len(field) & 3 :][:1]:
            yield Edit(path, "retype", field, other)
        if isinstance(inner, dict) and field not in MAPS:
            yield from edits(field, inner, (*path, field), every=every)
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield Edit(path, "shorten", field, inner[1:])
            yield Edit(path, "lengthen", field, [*inner, inner[0]])
            for index in (0, len(inner) - 1) if every else (0,):
                yield from edits(field, inner[index], (*path, field, index), every=every)
    yield Edit(path, "add", "novel", "0x0")
    for field, other in known_fields(kind).items():
        if field not in value:
            yield Edit(path, "add", field, other)


def is_refused(record: Json, edit: Edit) -> bool:
    edited = edit.of(record)
    kind = record["k"]
    named = str(edit.path[0]) if edit.path else kind
    # a record may become one of another shape that there is
    if kind == "whole" and may_be_otherwise(edit):
        return True
    return (
        not validator(kind).is_valid(edited)
        or ("k" in edited and edited["k"] in KINDS and seen(edited) in published())
        or (named, edit.field) in OPTIONAL
    )


@cache
def optional_in_whole(path: tuple[str | int, ...]) -> frozenset[str]:
    """Fields of the whole records' object at this path that the schema leaves to the kernel's configuration."""
    definitions = vectors.schema()["$defs"]
    definition = definitions["_".join(("whole", *map(str, path[-1:])))]
    required = set(definition.get("required", ()))
    if path[1:] == ("mk",):
        required |= set(definitions[f"whole_{path[0]}"]["properties"]["mk"].get("required", ()))
    return frozenset(definition["properties"]) - required


def may_be_otherwise(edit: Edit) -> bool:
    """Whether a whole record may be of another configuration.

    That all those of a file have the same fields is a test of its own.
    """
    return edit.what in ("remove", "add") and edit.field in optional_in_whole(edit.path)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if i % 13 else []) for i, name in enumerate(vectors.files())]
)
def test_whole_records_of_a_file_have_the_same_fields_at_every_level(name: str) -> None:
    shapes = {shape({level: record.get(level) for level in WHOLE_LEVELS}) for record in whole_records(name)}
    assert len(shapes) == 1


def whole_records(name: str) -> Iterator[Json]:
    return (json.loads(line) for line in lines_of(name) if line.startswith('{"k":"whole"'))


def context(record: Json, edit: Edit) -> object:
    """Edits that are alike in this are one and the same to the schema."""
    place = record
    for step in edit.path:
        place = place[step]
    if record["k"] == "geom":
        kernel = record["kver_major"], record["kver_minor"]
        everywhere = edit.what != "add" and edit.field in common_constants()
        return (kernel, edit) if everywhere else (kernel, record["arch"], edit)
    return record["k"], edit[:3], shape(place) if edit.path else frozenset(record)


@cache
def common_constants() -> frozenset[str]:
    return frozenset.intersection(*(frozenset(geom) for geom in geoms()))


def geoms() -> list[Json]:
    return [records[0] for found, records in published().items() if found.kind == "geom"]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.long] if kind in ("geom", "swp") else []) for kind in KINDS]
)
def test_a_record_without_a_field_or_with_another_one_is_refused(kind: str) -> None:
    tried: set[object] = set()
    accepted = []
    for found, records in published().items():
        for edit in edits(kind, records[0], every=False) if found.kind == kind else ():
            alike = repr(context(records[0], edit)) if kind == "geom" else context(records[0], edit)
            if alike in tried:
                continue
            tried.add(alike)
            if not is_refused(records[0], edit):
                accepted.append(f"{edit} of {found.kernel}")
    assert accepted == []
    assert len(tried) > 10


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_every_record_without_a_field_or_with_another_one_is_refused(kind: str) -> None:
    shapes = [(found, records) for found, records in published().items() if found.kind == kind]
    # many shapes differ in their kernels alone
    accepted = [
        f"{edit} of {found.kernel}"
        for found, records in shapes[::9]
        for record in records
        for edit in edits(kind, record, every=True)
        if not (is_refused(record, edit) or is_of_another_kernel(edit))
    ]
    assert accepted == []


def is_of_another_kernel(edit: Edit) -> bool:
    """Whether a record, which does not name its kernel, may be that of one that no file is of.

    Without its PMD it is that of a kernel without THPs, with an answer on swap errors that of 6.1 without THPs.
    """
    return (edit.path, edit.what, edit.field) in {((), "remove", "pmd"), (("cls",), "add", "swapin_error")}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("swp", "o", "0x01"),
        ("swp", "o", "0x10000000000000000"),
        ("swp", "t", 32),
        ("swp", "rt", 2),
        ("low12", "pte_none", "0"),
        ("mkpte", "same_pfn", 2),
        ("whole", "v", "0x01"),
        ("whole", "pte", {}),
        ("header", "format", 2),
        ("header", "emulated", ["pmd_none"]),
        ("geom", "CONFIG_SWAP", 2),
        ("geom", "arch", "vax"),
    ],
)
def test_a_value_out_of_range_is_refused(kind: str, field: str, value: Json) -> None:
    record = next(records[0] for found, records in published().items() if found.kind == kind)
    assert not validator(kind).is_valid({**record, field: value})
    assert not Draft202012Validator(vectors.schema()).is_valid({**record, field: value})
