"""Entries and layouts as JSON values, for programs. 64-bit numbers are "0x..." text: many readers have only doubles.

A layout's record is described by ``layout.schema.json`` beside this module, that of an entry by ``entry.schema.json``
(JSON Schema 2020-12).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import cast

from pmdswp.arch import Arch, Level
from pmdswp.arch.compiler import expressions, readings
from pmdswp.attributes import ATTRIBUTES
from pmdswp.expressions import Tree, tree
from pmdswp.formula import Formula
from pmdswp.hazards import Hazard
from pmdswp.layout import Field, FieldKind
from pmdswp.render.tables import PREDICATES
from pmdswp.revisions import Change
from pmdswp.softleaf import FLAGS, Entry, FormName, SoftLeafType

__all__ = [
    "Json",
    "csv_cell",
    "entry_record",
    "entry_schema",
    "expression_record",
    "field_record",
    "hazard_record",
    "hexadecimal",
    "kind_numbers",
    "known_marker_bits",
    "layout_record",
    "layout_schema",
    "marker_names",
    "stray_bits",
]

Json = Mapping[str, object]
"""A JSON object."""


def hexadecimal(number: int) -> str:
    """A word as text: 0x and 16 digits."""
    return f"{number:#018x}"


def marker_names(arch: Arch, bits: int) -> list[str]:
    """The kernel's names of the marker bits that are set."""
    return [name for name, bit in arch.numbering.marker_bits.items() if bits & bit]


def csv_cell(value: object) -> object:
    """A value of a record as CSV has it: nothing for none, true or false, and a space between the names of a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(value) if isinstance(value, list) else value


def stray_bits(arch: Arch, entry: Entry) -> int:
    """The bits of an entry that no kernel leaves so; 0 for an empty word, and for one that is of no form."""
    level = arch.level(entry.level)
    layout = level.layout_of(entry)
    if layout is None:
        return 0
    # where an address is stored inverted, no other bit is
    return layout.stray_bits(entry.raw)


def entry_record(arch: Arch, entry: Entry) -> Json:
    """A decoded word, with what its state and kind have: frame, address, attributes; young and dirty; marker bits."""
    leaf = entry.leaf
    record: dict[str, object] = {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": entry.level,
        "raw": hexadecimal(entry.raw),
        "state": entry.state.name,
        "kind": entry.kind.name,
        "type": None if leaf is None else leaf.swp_type,
        "offset": None if leaf is None else hex(leaf.offset),
        "exclusive": entry.exclusive,
        "soft_dirty": entry.soft_dirty,
        "uffd": entry.uffd,
        "bytes": arch.level(entry.level).to_bytes(entry.raw).hex(),
        "pfn": None if entry.pfn is None else hex(entry.pfn),
        "address": None if entry.address is None else hex(entry.address),
        "attributes": [name for name in ATTRIBUTES if name in entry.attributes],
    }
    if leaf is not None or entry.pfn is not None:
        record["stray_bits"] = hex(stray_bits(arch, entry))
    if entry.kind.has_pfn:
        record["young"], record["dirty"] = entry.young, entry.dirty
    if entry.kind is SoftLeafType.MARKER:
        record["markers"] = marker_names(arch, entry.markers)
    return record


def layout_record(level: Level, form: FormName = "swap") -> Json:
    """A layout with all that the tables show; `UnsupportedError` where there is no such layout."""
    return _swap_record(level) if form == "swap" else _present_record(level, form)


def _present_record(level: Level, form: FormName) -> Json:
    """The layout of a page's or a table's word."""
    arch, layout = level.arch, level.require_form(form)
    helpers = _helpers(level, present=True)
    predicates = _helpers(level, present=False) | helpers
    helpers = {name: predicates[name] for name in PREDICATES[level.name]} | helpers
    return {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": level.name,
        "form": form,
        "options": {name: _plain(arch.config.option(name)) for name in arch.architecture.options},
        "byteorder": arch.byteorder,
        "msb0": arch.architecture.msb0,
        "page_size": arch.page_size,
        "shift": level.shift,
        "entries": level.entries,
        "attributes": list(level.attribute_names),
        "fields": [field_record(field) for field in layout],
        "address": expression_record(readings(arch)[f"{level.name}_{form}_address"]),
        "helpers": {name: expression_record(text) for name, text in helpers.items()},
    }


def _helpers(level: Level, *, present: bool) -> dict[str, str]:
    texts = expressions(level.arch, present=present)
    return {name: text for name, text in texts.items() if name.startswith(f"{level.name}_")}


def _swap_record(level: Level) -> Json:
    arch, layout = level.arch, level.require_layout()
    of_level = _helpers(level, present=False)
    return {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": level.name,
        "form": "swap",
        "options": {name: _plain(arch.config.option(name)) for name in arch.architecture.options},
        "byteorder": arch.byteorder,
        "msb0": arch.architecture.msb0,
        "page_size": arch.page_size,
        "pmd_size": arch.pmd_size,
        "hpage_pmd_nr": arch.hpage_pmd_nr,
        "max_swapfiles": arch.max_swapfiles,
        "max_swap_offset": hex(arch.max_swap_offset),
        "max_physmem_bits": arch.max_physmem_bits,
        "swp_pfn_bits": arch.swp_pfn_bits,
        "migration_ad": arch.migration_ad,
        "marker_bits": known_marker_bits(arch),
        "swp_types": kind_numbers(arch),
        "kinds": [kind.name for kind in level.kinds],
        "fields": [field_record(field) for field in layout],
        "encode": expression_record(layout.encode(Formula("type"), Formula("offset")).unwrapped),
        "helpers": {name: expression_record(text) for name, text in of_level.items()},
        "hazards": [hazard_record(hazard) for hazard in level.hazards],
    }


def _plain(value: object) -> object:
    # an address does not fit into a double
    return hex(value) if type(value) is int and value >= 1 << 53 else value


def kind_numbers(arch: Arch) -> dict[str, list[int]]:
    """Name of each special kind -> its type numbers."""
    return {kind.name: [number] if isinstance(number, int) else list(number) for kind, number in arch.swp_types.items()}


def known_marker_bits(arch: Arch) -> dict[str, str]:
    """Name -> bit of the PTE markers that the kernel knows."""
    if SoftLeafType.MARKER not in arch.swp_types:
        return {}
    return {name: hex(bit) for name, bit in arch.numbering.marker_bits.items()}


def field_record(field: Field) -> Json:
    """One field of a layout."""
    return {
        "name": field.name,
        "msb": field.msb,
        "lsb": field.lsb,
        "width": field.width,
        "kind": field.kind.value,
        "value": hex(field.value),
        "kernel_name": field.kernel_name,
        "meaning": field.meaning,
        "inverted": field.inverted,
        "masked": field.masked,
        "since": None if field.since is None else _change(field.since),
        **({"address_bit": field.address_bit} if field.kind is FieldKind.ADDRESS else {}),
    }


def _change(change: Change) -> Json:
    return {
        "release": change.since,
        "tag": change.tag,
        "commit": change.commit,
        "subject": change.subject,
        "inferred": change.inferred,
    }


def hazard_record(hazard: Hazard) -> Json:
    """One hazard; `entry` is an expression over type, offset and the flags by name."""
    flags = {name: Formula(name) for name in FLAGS}
    entry: Formula = hazard.entry(Formula("type"), Formula("offset"), flags)
    return {
        "reads_as": hazard.reads_as.name,
        "entries": hazard.entries,
        "entry": expression_record(entry.unwrapped),
        "explanation": hazard.explanation,
    }


def expression_record(text: str) -> Json:
    """An expression as text, and as [operator, left, right] all the way down."""
    return {"text": text, "tree": _listed(tree(text))}


def _listed(node: Tree) -> object:
    return node if isinstance(node, str) else [node.symbol, _listed(node.left), _listed(node.right)]


def layout_schema() -> Json:
    """The JSON Schema of `layout_record`."""
    return _schema("layout")


def entry_schema() -> Json:
    """The JSON Schema of `entry_record`."""
    return _schema("entry")


def _schema(name: str) -> Json:
    text = resources.files("pmdswp.render").joinpath(f"{name}.schema.json").read_text(encoding="utf-8")
    return cast("Json", json.loads(text))
