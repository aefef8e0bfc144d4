"""The interactive decoder: one HTML page without server or network, whose every bit comes from the layouts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib import resources
from itertools import product
from string import Template
from typing import Generic, TypeVar, get_type_hints

from pmdswp import __version__, pagemap, swp_entry
from pmdswp.arch import ARCHITECTURES, Arch, Architecture, Level, find, get, get_with
from pmdswp.arch.compiler import expressions, leaf_type, readings
from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import Address, Choice, Kernel, Option, PhysmemBits, Switch, Value, VirtualBits
from pmdswp.errors import EncodeError, UnsupportedError
from pmdswp.explain.lines import AROUND
from pmdswp.explain.recognisers import RECOGNISERS
from pmdswp.explain.soundness import S390_LEVELS
from pmdswp.explain.spotting import NAMES, WRAPPED
from pmdswp.formula import Formula
from pmdswp.layout import WORD_BITS, Field, WordLayout
from pmdswp.numbering import pfn_bits
from pmdswp.render.document import plain
from pmdswp.render.fields import source
from pmdswp.render.palette import style_sheet, tone_name
from pmdswp.render.records import Json, expression_record, field_record, hazard_record, kind_numbers, known_marker_bits
from pmdswp.render.tables import PREDICATES
from pmdswp.revisions import KERNELS, Revision, releases_of, revisions
from pmdswp.softleaf import FLAGS, FORMS, LEVELS, NR_SWAP_TYPES, SoftLeaf, SoftLeafType, State

__all__ = ["decoder_data", "page", "text_data"]

_T = TypeVar("_T")

_STATES = {
    State.NONE: "The slot is empty.",
    State.PRESENT: "The word maps a page; above the PTE, a huge one.",
    State.TABLE: "The word points to a table of the level below.",
    State.SOFTLEAF: "Neither none nor present: the word holds a software leaf.",
    State.BAD: "Neither none nor present, and this kernel has no software leaf at this level: nothing may write it.",
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


class _Records(_Pool, Generic[_T]):
    """A pool of the records of things: the same few hundred come from thousands of configurations."""

    def __init__(self, record: Callable[[_T], Json]) -> None:
        super().__init__()
        self._record = record
        self._known: dict[_T, int] = {}

    def of(self, thing: _T) -> int:
        """The number of the record of a thing."""
        if thing not in self._known:
            self._known[thing] = self.number(self._record(thing))
        return self._known[thing]


class _Pools:
    """What configurations have in common."""

    def __init__(self) -> None:
        self.fields, self.expressions, self.hazards = _Records(_field), _Records(expression_record), _Pool()
        self.levels, self.types, self.geometries, self.physmem = _Pool(), _Pool(), _Pool(), _Pool()
        self.forms, self.presents, self.tables, self.views = _Pool(), _Pool(), _Pool(), _Pool()
        self._views: dict[object, int] = {}

    def level(self, level: Level, texts: Mapping[str, str]) -> int:
        """The number of one level: its helpers, and where it has a layout the fields and what is read from them."""
        helpers = {name: self.expressions.of(text) for name, text in texts.items() if name.startswith(f"{level.name}_")}
        record: dict[str, object] = {"helpers": helpers, "layout": None}
        layout, v = level.layout, Formula("v")
        if layout is not None:
            record["layout"] = {
                "fields": [self.fields.of(field) for field in layout],
                "type": self.expressions.of(leaf_type(layout, v).unwrapped),
                "offset": self.expressions.of(layout.offset.get(v).unwrapped),
                "encode": self.expressions.of(layout.encode(Formula("type"), Formula("offset")).unwrapped),
                "hazards": [self.hazards.number(hazard_record(hazard)) for hazard in level.hazards],
            }
        return self.levels.number(record)

    def present(self, level: Level, texts: Mapping[str, str]) -> int:
        """The number of the present words of one level: their forms, attributes, and above the PMD the predicates."""
        name, record = level.name, {"shift": level.shift}
        for form in FORMS[1:]:
            layout = level.forms.get(form)
            if layout is not None:
                fields = [self.fields.of(field) for field in layout]
                address = self.expressions.of(texts[f"{name}_{form}_address"])
                record[form] = self.forms.number({"fields": fields, "address": address})
        return self.presents.number(
            {
                **record,
                "plain": self.expressions.of(texts[f"{name}_plain"]),
                "attributes": {one: self.expressions.of(texts[f"{name}_{one}"]) for one in level.attribute_names},
                "table_attributes": [one for one in level.attribute_names if one in level.table_attributes],
                "helpers": {one: self.expressions.of(texts[one]) for one in _upper_predicates(level)},
                "samples": dict(_samples(level)),
            }
        )

    def view(self, arch: Arch) -> int:
        """The number of the present words of a configuration, by the options that concern nothing else."""
        options = arch.architecture.options
        known = {name: arch.config.option(name) for name, option in options.items() if not isinstance(option, _FREE)}
        silent = (*_OF_SWAP, *_OF_PRESENT, *(() if _has_thp_in_present(arch.name) else ("thp",)))
        telling = tuple((name, value) for name, value in known.items() if name not in silent)
        if (arch.name, telling) not in self._views:
            own = {name: option for name, option in options.items() if name in _OF_PRESENT}
            found = {}
            for values in product(*(option.examples for option in own.values())):
                try:
                    one = get_with(arch.name, {**known, **dict(zip(own, values, strict=True))})
                except UnsupportedError:
                    continue
                found[_key(values)] = self._tables(one)
            self._views[arch.name, telling] = self.views.number(found)
        return self._views[arch.name, telling]

    def _tables(self, arch: Arch) -> int:
        """The number of the levels of tables, from the PTE up."""
        texts = readings(arch)
        return self.tables.number({level.name: self.present(level, texts) for level in reversed(arch.tables)})

    def configuration(self, arch: Arch) -> list[int]:
        """The numbers of [pte level, pmd level, types, geometry, physmem, view]."""
        types = {
            "numbers": kind_numbers(arch),
            "max_swapfiles": arch.max_swapfiles,
            "swp_type_shift": arch.swp_type_shift,
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
            self.view(arch),
        ]


@cache
def _has_thp_in_present(name: str) -> bool:
    """Whether some kernel reads present words in another way without CONFIG_TRANSPARENT_HUGEPAGE."""
    for revision in revisions(name, present=True):
        usual = get_with(name, {"kernel": revision.name})
        without = get_with(name, {"kernel": revision.name, "thp": False})
        if readings(usual) != readings(without):
            return True
    return False


def _samples(level: Level) -> Iterator[tuple[str, str]]:
    """Name -> word of a few present entries."""
    pages: Mapping[str, tuple[str, ...]] = {
        "page": ("write", "young", "dirty", "exec", "user"),
        "read-only page": ("young", "user"),
        "PROT_NONE page": ("protnone", "global"),
    }
    if level.page_layout is not None:
        frame = 5 << (level.shift - level.arch.page_shift)
        for name, attributes in pages.items():
            if attributes[0] not in level.attribute_names:
                continue
            for wanted in (attributes, attributes[:1]):
                try:
                    word = level.make(frame, [one for one in wanted if one in level.attribute_names])
                except EncodeError:
                    continue
                yield name, hex(word)
                break
    if level.table_layout is not None:
        yield "table", hex(level.make_table(0x1230000))


def _upper_predicates(level: Level) -> tuple[str, ...]:
    return PREDICATES[level.name] if level.name in LEVELS[2:] else ()


def _key(values: Sequence[Value]) -> str:
    """Values of options in JSON: what configurations are found by."""
    return json.dumps(values, separators=(",", ":"))


def _physmem_key(bits: int | None) -> str:
    return "none" if bits is None else str(bits)


def _physmem(arch: Arch) -> Iterator[tuple[str, tuple[int, bool]]]:
    """Every MAX_PHYSMEM_BITS that is allowed -> SWP_PFN_BITS, and whether migration entries keep young and dirty."""
    option = arch.architecture.options["max_physmem_bits"]
    for bits in (None, *range(65)):
        if option.refusal(bits, arch.config) is None:
            config = arch.config._replace(max_physmem_bits=bits)
            yield _physmem_key(bits), pfn_bits(config, arch.pte_layout.offset.width)


_FORMS: Mapping[type[Option], str] = {
    Switch: "switch",
    Choice: "choice",
    PhysmemBits: "physmem",
    Address: "address",
    VirtualBits: "choice",
    Kernel: "choice",
}
"""How an option is asked for."""

_FREE = (PhysmemBits, Address)
"""Options with too many values to list a configuration for each."""

_OF_PRESENT = ("shadow_stack", "pti", "va_bits", "svnapot", "numa_balancing")
"""Options that concern present words and nothing else."""

_OF_SWAP = ("pte_marker", "device_private", "memory_failure", "migration")
"""Options that concern no present word."""


def _option_record(arch: str, name: str, option: Option) -> Json:
    record = {"name": name, "form": _FORMS[type(option)], "allowed": str(option)}
    if isinstance(option, Address):
        return {**record, "example": hex(option.example)}
    if isinstance(option, _FREE):
        return record
    values = tuple(reversed(releases_of(arch))) if isinstance(option, Kernel) else option.examples
    return {**record, "values": values, **({"of_present": True} if name in _OF_PRESENT else {})}


_NOT_SHOWN = ("since", "masked")
"""What the page says otherwise, or does not say."""


def _field(field: Field) -> Json:
    record = {name: value for name, value in field_record(field).items() if name not in _NOT_SHOWN}
    return {**record, "tone": tone_name(field), "source": plain(source(field))}


def _configurations(architecture: Architecture) -> Iterator[tuple[str, Arch]]:
    """Key -> configuration, for every combination of the options that are not free; the key is their values in JSON.

    In place of a release it has the name of its revision.
    """
    kernels = tuple(revision.name for revision in reversed(revisions(architecture.name, present=True)))
    listed = {
        name: kernels if name == "kernel" else option.examples
        for name, option in architecture.options.items()
        if not isinstance(option, _FREE) and name not in _OF_PRESENT
    }
    for values in product(*listed.values()):
        options: Mapping[str, Value] = dict(zip(listed, values, strict=True))
        try:
            yield _key(values), get_with(architecture.name, options)
        except UnsupportedError:
            continue


def _revision(arch: str, release: str) -> Revision:
    """The revision of an architecture to which a release belongs."""
    [found] = (revision for revision in revisions(arch, present=True) if release in revision)
    return found


def _predicates() -> list[str]:
    """The names of the helpers of swap entries that answer True or False."""
    helpers = {name: helper for name, helper in vars(Arch).items() if name.startswith(("pte_", "pmd_"))}
    return [name for name, helper in helpers.items() if callable(helper) and get_type_hints(helper)["return"] is bool]


def _above_pfn(arch: Arch) -> list[str]:
    """What the bits above the PFN of a migration entry say, from the lowest bit upwards."""
    readers = {"young": arch.softleaf_young, "dirty": arch.softleaf_dirty}
    [migration] = kind_numbers(arch)[SoftLeafType.MIGRATION_WRITE.name]
    leaves = [SoftLeaf(migration, 1 << (arch.swp_pfn_bits + i)) for i in range(len(readers))]
    return [name for leaf in leaves for name, is_set in readers.items() if is_set(leaf)]


def _softleaf() -> Json:
    """The generic entry: how many types there are, and the bits above the PFN."""
    return {
        "types": NR_SWAP_TYPES,
        "above_pfn": _above_pfn(get(next(iter(ARCHITECTURES)))),
    }


def _values(pools: _Pools, arches: Iterable[str]) -> Json:
    """Words that are none of page tables, by what `pmdswp decode --level` calls them: forms with their fields.

    Of a `swp_entry_t` the form goes by SWP_TYPE_SHIFT, of a word of pagemap by the state of the page.
    """

    def form(layout: WordLayout) -> Json:
        # these are no bits of a page table, whose changes are known release by release
        return {"fields": [pools.fields.number({**_field(field), "source": ""}) for field in layout]}

    kernels = (get_with(name, {"kernel": kernel}) for name in arches for kernel in (releases_of(name)[0], KERNELS[-1]))
    return {
        "entry": {
            "name": "swp_entry_t",
            "hint": "the value that the kernel prints as a swap entry, type above offset.",
            "forms": {str(arch.swp_type_shift): form(swp_entry.layout(arch)) for arch in kernels},
            "samples": {},
        },
        "pagemap": {
            "name": "pagemap word",
            "hint": "a word of /proc/PID/pagemap, which is the same on every architecture.",
            "states": {
                State.PRESENT.name: "A page is mapped.",
                State.SOFTLEAF.name: "No page is mapped: the kernel says swapped, which a migration entry is too.",
                State.NONE.name: "Neither present nor swapped.",
            },
            "forms": {state.name: form(layout) for state, layout in pagemap.LAYOUTS.items()},
            "flags": pagemap.FLAGS,
            "samples": {
                "page": hex(pagemap.encode(pfn=0x5000, flags=("exclusive",))),
                "swapped page": hex(pagemap.encode(leaf=SoftLeaf(1, 0x600), flags=("soft_dirty",))),
                "shared page": hex(pagemap.encode(pfn=0x5000, flags=("file",))),
                "as others see it": hex(pagemap.encode(pfn=0, flags=("exclusive",))),
                "nothing": hex(pagemap.encode()),
            },
        },
    }


def decoder_data(*names: str) -> Json:
    """Every configuration of these architectures, or of all, as one JSON value in which nothing is said twice."""
    pools = _Pools()
    arches = {
        architecture.name: {
            "aliases": architecture.aliases,
            "byteorder": architecture.byteorder,
            "msb0": architecture.msb0,
            "options": [
                _option_record(architecture.name, name, option) for name, option in architecture.options.items()
            ],
            "revisions": {
                release: _revision(architecture.name, release).name for release in releases_of(architecture.name)
            },
            "configurations": {key: pools.configuration(arch) for key, arch in _configurations(architecture)},
        }
        for architecture in map(find, names or ARCHITECTURES)
    }
    return {
        "version": __version__,
        "word_bits": WORD_BITS,
        "kernels": KERNELS,
        "flags": FLAGS,
        "attributes": list(ATTRIBUTES),
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
        "texts": text_data(),
        "values": _values(pools, arches),
        "arches": arches,
        **{name: pool.values for name, pool in vars(pools).items() if isinstance(pool, _Pool)},
    }


def text_data() -> Json:
    """How a log is read: what is around its lines, and the recognisers of `pmdswp.explain`, for JavaScript."""
    levels: dict[str, str] = {level: level for level in LEVELS}
    return {
        "around": {name: _javascript(pattern) for name, pattern in AROUND.items()},
        "wrapped": WRAPPED,
        "names": NAMES,
        "levels": {**levels, **S390_LEVELS},
        "values": {"swp_entry": "entry", "pagemap": "pagemap"},
        "recognisers": [
            {
                "name": one.name,
                "pattern": _javascript(one.pattern),
                "hints": one.hints,
                "arch": one.arch,
                "wraps": one.wraps,
                "list": one.is_list,
                "narrow": one.is_narrow,
                "last": one.is_last,
            }
            for one in RECOGNISERS
        ],
    }


_PART = re.compile(r"(?P<kept>\\.|\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<comment>\s+|#[^\n]*)|(?P<named>\(\?P<)|.", re.DOTALL)


def _javascript(pattern: re.Pattern[str]) -> str:
    """A pattern in the dialect of JavaScript: named groups, and nothing of what only explains it."""
    is_verbose = pattern.flags & re.VERBOSE
    parts = []
    for part in _PART.finditer(pattern.pattern):
        if part["named"]:
            parts.append("(?<")
        elif not (is_verbose and part["comment"]):
            parts.append(part[0])
    return "".join(parts)


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
