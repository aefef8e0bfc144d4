"""The interactive decoder: one HTML page without server or network, whose every bit comes from the layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from importlib import resources
from itertools import product
from string import Template
from typing import get_type_hints

from pmdswp import __version__
from pmdswp.arch import ARCHITECTURES, Arch, Architecture, Level, find, get, get_with
from pmdswp.arch.compiler import expressions, leaf_type
from pmdswp.config import Address, Choice, Option, PhysmemBits, Switch, Value, telling_values
from pmdswp.errors import UnsupportedError
from pmdswp.formula import Formula
from pmdswp.layout import WORD_BITS, Field
from pmdswp.numbering import numbering
from pmdswp.render.document import plain
from pmdswp.render.fields import source
from pmdswp.render.palette import style_sheet, tone_name
from pmdswp.render.records import Json, expression_record, field_record, hazard_record, kind_numbers, known_marker_bits
from pmdswp.revisions import KERNELS, RELEASES, Revision, revisions
from pmdswp.softleaf import FLAGS, NR_SWAP_TYPES, SWP_TYPE_SHIFT, SoftLeaf, SoftLeafType, State

__all__ = ["decoder_data", "page"]

_STATES = {
    State.NONE: "The slot is empty.",
    State.PRESENT: "The word maps a page; in a PMD, a huge one.",
    State.TABLE: "The PMD points to a page table.",
    State.SOFTLEAF: "Neither none nor present: the word holds a software leaf.",
    State.BAD: "The PMD is neither none nor present, and this kernel has no PMD software leaf: nothing may write it.",
}

_KINDS = {
    SoftLeafType.NONE: "Type 0, offset 0: the kernel takes this leaf for no entry.",
    SoftLeafType.SWAP: "Swapped out: the type is the number of the swap device, the offset its slot, in pages.",
    SoftLeafType.MIGRATION_READ: "A page under migration that was mapped read-only.",
    SoftLeafType.MIGRATION_READ_EXCLUSIVE: "A page under migration, mapped read-only, exclusive to one process.",
    SoftLeafType.MIGRATION_WRITE: "A page under migration that was mapped writable.",
    SoftLeafType.DEVICE_PRIVATE_READ: "A page in the private memory of a device, mapped read-only.",
    SoftLeafType.DEVICE_PRIVATE_WRITE: "A page in the private memory of a device, mapped writable.",
    SoftLeafType.DEVICE_EXCLUSIVE: "A page to which a device has exclusive access for a while.",
    SoftLeafType.HWPOISON: "A page frame with a memory error.",
    SoftLeafType.SWAPIN_ERROR: "A page that could not be read back from its swap device.",
    SoftLeafType.MARKER: "No page: bits that say what is to happen at the next fault.",
    SoftLeafType.UNKNOWN: "A type number that no kernel writes.",
}


# the same few hundred texts come from every configuration
_expression = cache(expression_record)


class _Pool:
    """JSON values that are stored once and referred to by their number."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._numbers: dict[str, int] = {}

    def number(self, value: object) -> int:
        """The number of `value`, which is added if it is new."""
        text = json.dumps(value)
        if text not in self._numbers:
            self._numbers[text] = len(self.values)
            self.values.append(value)
        return self._numbers[text]


class _Pools:
    """What configurations have in common."""

    def __init__(self) -> None:
        self.fields, self.expressions, self.hazards = _Pool(), _Pool(), _Pool()
        self.levels, self.types, self.geometries, self.physmem = _Pool(), _Pool(), _Pool(), _Pool()

    def expression(self, text: str) -> int:
        """The number of an expression."""
        return self.expressions.number(_expression(text))

    def level(self, level: Level, texts: Mapping[str, str]) -> int:
        """The number of one level: its helpers, and where it has a layout the fields and what is read from them."""
        helpers = {name: self.expression(text) for name, text in texts.items() if name.startswith(f"{level.name}_")}
        record: dict[str, object] = {"helpers": helpers, "layout": None}
        layout, v = level.layout, Formula("v")
        if layout is not None:
            record["layout"] = {
                "fields": [self.fields.number(_field(field)) for field in layout],
                "type": self.expression(leaf_type(layout, v).unwrapped),
                "offset": self.expression(layout.offset.get(v).unwrapped),
                "encode": self.expression(layout.encode(Formula("type"), Formula("offset")).unwrapped),
                "hazards": [self.hazards.number(hazard_record(hazard)) for hazard in level.hazards],
            }
        return self.levels.number(record)

    def configuration(self, arch: Arch) -> list[int]:
        """The numbers of [pte level, pmd level, types, geometry, physmem]."""
        types = {
            "numbers": kind_numbers(arch),
            "max_swapfiles": arch.max_swapfiles,
            "marker_bits": known_marker_bits(arch),
            "pmd_kinds": [kind.name for kind in arch.pmd_kinds],
        }
        geometry = {
            "page_size": arch.page_size,
            "pmd_size": arch.pmd_size,
            "hpage_pmd_nr": arch.hpage_pmd_nr,
            "max_swap_offset": hex(arch.max_swap_offset),
        }
        texts = expressions(arch)
        physmem = {"default": _physmem_key(arch.max_physmem_bits), "values": dict(_physmem(arch))}
        return [
            self.level(arch.pte, texts),
            self.level(arch.pmd, texts),
            self.types.number(types),
            self.geometries.number(geometry),
            self.physmem.number(physmem),
        ]


def _physmem_key(bits: int | None) -> str:
    return "none" if bits is None else str(bits)


def _physmem(arch: Arch) -> Iterator[tuple[str, tuple[int, bool]]]:
    """Every MAX_PHYSMEM_BITS that is allowed -> SWP_PFN_BITS, and whether migration entries keep young and dirty."""
    option = arch.architecture.options["max_physmem_bits"]
    for bits in (None, *range(65)):
        if option.refusal(bits, arch.config) is None:
            numbers = numbering(
                arch.config._replace(max_physmem_bits=bits),
                arch.pte_layout.offset.width,
                has_pmd_softleaf=arch.has_pmd_softleaf,
            )
            yield _physmem_key(bits), (numbers.swp_pfn_bits, numbers.migration_ad)


_FORMS: Mapping[type[Option], str] = {
    Switch: "switch",
    Choice: "choice",
    PhysmemBits: "physmem",
    Address: "address",
}
"""How an option is asked for."""

_FREE = (PhysmemBits, Address)
"""Options with too many values to list a configuration for each."""


def _option_record(name: str, option: Option) -> Json:
    record = {"name": name, "form": _FORMS[type(option)], "allowed": str(option)}
    if isinstance(option, Address):
        return {**record, "example": hex(option.example)}
    return record if isinstance(option, _FREE) else {**record, "values": option.examples}


def _field(field: Field) -> Json:
    return {**field_record(field), "tone": tone_name(field), "source": plain(source(field))}


def _configurations(architecture: Architecture) -> Iterator[tuple[str, Arch]]:
    """Key -> configuration, for every combination of the options that are not free; the key is their values in JSON.

    In place of a release it has the name of its revision.
    """
    values_of = telling_values(architecture.name, architecture.options)
    listed = {name: values_of[name] for name, option in architecture.options.items() if not isinstance(option, _FREE)}
    for values in product(*listed.values()):
        options: Mapping[str, Value] = dict(zip(listed, values, strict=True))
        try:
            yield json.dumps(values, separators=(",", ":")), get_with(architecture.name, options)
        except UnsupportedError:
            continue


def _revision(arch: str, release: str) -> Revision:
    """The revision of an architecture to which a release belongs."""
    [found] = (revision for revision in revisions(arch) if release in revision)
    return found


def _predicates() -> list[str]:
    """The names of the helpers that answer True or False."""
    helpers = {name: helper for name, helper in vars(Arch).items() if name.startswith(("pte_", "pmd_"))}
    return [name for name, helper in helpers.items() if callable(helper) and get_type_hints(helper)["return"] is bool]


def _above_pfn(arch: Arch) -> list[str]:
    """What the bits above the PFN of a migration entry say, from the lowest bit upwards."""
    readers = {"young": arch.softleaf_young, "dirty": arch.softleaf_dirty}
    [migration] = kind_numbers(arch)[SoftLeafType.MIGRATION_WRITE.name]
    leaves = [SoftLeaf(migration, 1 << (arch.swp_pfn_bits + i)) for i in range(len(readers))]
    return [name for leaf in leaves for name, is_set in readers.items() if is_set(leaf)]


def _softleaf() -> Json:
    """The generic entry: how many types there are, its `.val`, and the bits above the PFN."""
    return {
        "types": NR_SWAP_TYPES,
        "val": expression_record((Formula("type") << SWP_TYPE_SHIFT | Formula("offset")).unwrapped),
        "above_pfn": _above_pfn(get(next(iter(ARCHITECTURES)))),
    }


def decoder_data(*names: str) -> Json:
    """Every configuration of these architectures, or of all, as one JSON value in which nothing is said twice."""
    pools = _Pools()
    arches = {
        architecture.name: {
            "aliases": architecture.aliases,
            "byteorder": architecture.byteorder,
            "msb0": architecture.msb0,
            "options": [_option_record(name, option) for name, option in architecture.options.items()],
            "revisions": {release: _revision(architecture.name, release).name for release in RELEASES},
            "configurations": {key: pools.configuration(arch) for key, arch in _configurations(architecture)},
        }
        for architecture in map(find, names or ARCHITECTURES)
    }
    return {
        "version": __version__,
        "word_bits": WORD_BITS,
        "kernels": KERNELS,
        "flags": FLAGS,
        "predicates": _predicates(),
        "softleaf": _softleaf(),
        "states": {state.name: _STATES[state] for state in State},
        "kinds": {
            kind.name: {
                "pfn": kind.has_pfn,
                "migration": kind.is_migration,
                "marker": kind is SoftLeafType.MARKER,
                "meaning": _KINDS[kind],
            }
            for kind in SoftLeafType
        },
        "arches": arches,
        **{name: pool.values for name, pool in vars(pools).items()},
    }


def _web(name: str) -> str:
    return resources.files("pmdswp.render").joinpath("web", name).read_text(encoding="utf-8")


def page(documentation: str = "") -> str:
    """The decoder as one HTML page that needs no other file and asks nothing of a network.

    `documentation`: where its link to the documentation leads; none without it.
    """
    data = json.dumps(decoder_data(), separators=(",", ":"))
    return Template(_web("decoder.html")).substitute(
        documentation=f'<a href="{escape(documentation)}">Documentation</a>' if documentation else "",
        style=style_sheet() + _web("decoder.css"),
        # no "<" at all: neither "</script" nor "<!--" can then end or change the element early
        data=data.replace("<", "\\u003c"),
        script=_web("decoder.js"),
    )
