"""The interactive decoder: one HTML page without server or network, whose every bit comes from the layouts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import get_type_hints

from pmdswp import __version__
from pmdswp.arch import ARCHITECTURES, Arch, get_with
from pmdswp.arch.base import Architecture, expressions, leaf_type
from pmdswp.config import KERNELS, Address, Option, Options, PhysmemBits, Value
from pmdswp.errors import UnsupportedError
from pmdswp.formula import Formula
from pmdswp.hazards import hazards
from pmdswp.render.records import Json, expression_record, field_record, hazard_record, kind_numbers
from pmdswp.softleaf import MARKER_BITS, Level, SoftLeafType, marker_mask, migration_ad, swp_pfn_bits

__all__ = ["decoder_data"]


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

    def level(self, arch: Arch, level: Level) -> int:
        """The number of one level: its helpers, and where it has a layout the fields and what is read from them."""
        helpers = {
            name: self.expressions.number(expression_record(text))
            for name, text in expressions(arch).items()
            if name.startswith(f"{level}_")
        }
        record: dict[str, object] = {"helpers": helpers, "layout": None}
        if level in arch.levels:
            layout, v = arch.layout(level), Formula("v")
            record["layout"] = {
                "fields": [self.fields.number(field_record(field)) for field in layout],
                "type": self.expressions.number(expression_record(leaf_type(layout, v).unwrapped)),
                "offset": self.expressions.number(expression_record(layout.offset.get(v).unwrapped)),
                "encode": self.expressions.number(
                    expression_record(layout.encode(Formula("type"), Formula("offset")).unwrapped)
                ),
                "hazards": [self.hazards.number(hazard_record(hazard)) for hazard in hazards(arch, level)],
            }
        return self.levels.number(record)

    def configuration(self, arch: Arch) -> list[int]:
        """The numbers of [pte level, pmd level, types, geometry, physmem]."""
        types = {
            "numbers": kind_numbers(arch),
            "max_swapfiles": arch.max_swapfiles,
            "marker_bits": {name: hex(bit) for name, bit in MARKER_BITS.items() if bit & marker_mask(arch.config)},
            "pmd_kinds": [kind.name for kind in arch.pmd_kinds],
        }
        geometry = {
            "page_size": arch.page_size,
            "pmd_size": arch.pmd_size,
            "hpage_pmd_nr": arch.hpage_pmd_nr,
            "max_swap_offset": hex(arch.max_swap_offset),
        }
        physmem = {"default": _physmem_key(arch.max_physmem_bits), "values": dict(_physmem(arch))}
        return [
            self.level(arch, "pte"),
            self.level(arch, "pmd"),
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
            config = arch.config._replace(max_physmem_bits=bits)
            yield _physmem_key(bits), (swp_pfn_bits(config), migration_ad(config, arch.pte_layout.offset.width))


_FREE = (PhysmemBits, Address)
"""Options with too many values to list a configuration for each."""


def _option_record(name: str, option: Option) -> Json:
    kind = get_type_hints(Options)[name]
    record: dict[str, object] = {"name": name, "switch": kind is bool}
    if isinstance(option, Address):
        return {**record, "example": hex(option.example)}
    return {**record, "values": option.examples}


def _configurations(architecture: Architecture) -> Iterator[tuple[str, Arch]]:
    """Key -> configuration, for every combination of the options that are not free; the key is their values in JSON."""
    listed = {name: option for name, option in architecture.options.items() if not isinstance(option, _FREE)}
    for values in product(*(option.examples for option in listed.values())):
        options: Mapping[str, Value] = dict(zip(listed, values, strict=True))
        try:
            yield json.dumps(values, separators=(",", ":")), get_with(architecture.name, options)
        except UnsupportedError:
            continue


def decoder_data() -> Json:
    """Every configuration of every architecture as one JSON value in which nothing is said twice."""
    pools = _Pools()
    arches = {
        architecture.name: {
            "aliases": architecture.aliases,
            "byteorder": architecture.byteorder,
            "msb0": architecture.msb0,
            "options": [_option_record(name, option) for name, option in architecture.options.items()],
            "configurations": {key: pools.configuration(arch) for key, arch in _configurations(architecture)},
        }
        for architecture in ARCHITECTURES.values()
    }
    return {
        "version": __version__,
        "kernels": KERNELS,
        "kinds": {
            kind.name: {
                "pfn": kind.has_pfn,
                "migration": kind.is_migration,
            }
            for kind in SoftLeafType
        },
        "arches": arches,
        **{name: pool.values for name, pool in vars(pools).items()},
    }
