"""From the facts of an architecture to an `Arch`: every helper becomes one expression with literal masks.

`formulas` writes the helpers down, `make` compiles them. An `Arch` and its levels share the compiled functions, so a
helper costs the same under either name.
"""

from __future__ import annotations

import operator
from abc import ABCMeta
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pmdswp.arch.absence import absence
from pmdswp.arch.api import Arch
from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Predicate, never
from pmdswp.arch.level import Level
from pmdswp.arch.present import lazy_helpers, lazy_levels, lazy_of_level, of_the_kernel, present_formulas
from pmdswp.config import Address, Config, Value
from pmdswp.errors import DecodeError, EncodeError, UnsupportedError, brief, brief_hex
from pmdswp.formula import MASK64, Formula, compile_methods, method_source, returned
from pmdswp.layout import Layout, check_word
from pmdswp.numbering import Numbering, numbering
from pmdswp.releases import notes
from pmdswp.revisions import PMD_DEVICE_PRIVATE, PMD_SWAP
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    FLAGS,
    GENERIC_TYPE_MAX,
    MAX_SWAPFILES_SHIFT,
    MIGRATION_KINDS,
    NR_SWAP_TYPES,
    LevelName,
    SoftLeaf,
    SoftLeafType,
)

__all__ = ["conversions", "expressions", "formulas", "leaf_type", "make", "readings"]


# --- formulas -----------------------------------------------------------------------------------------------


def _is_leaf(level: LevelFacts) -> Predicate:
    return lambda v: (level.none(v) == False) & (level.present(v) == False)  # noqa: E712  # a formula has no `not`


def leaf_type(layout: Layout, v: Formula) -> Formula:
    """The type as the generic entry keeps it: 6 bits above the offset."""
    number = layout.type.get(v)
    return number & GENERIC_TYPE_MAX if layout.type.max > GENERIC_TYPE_MAX else number


def _has_type(layout: Layout, numbers: Sequence[int]) -> Predicate:
    """Whether the type of a softleaf is one of the `numbers`, which are consecutive."""
    if not numbers:
        return never
    return lambda v: (
        ((leaf_type(layout, v) < numbers[0]) == False)  # noqa: E712
        & (leaf_type(layout, v) < numbers[-1] + 1)
    )


def _has_swap_type(layout: Layout, max_swapfiles: int) -> Predicate:
    """Whether the type of a softleaf is that of a swap device; type 0, offset 0 is none to the kernel."""
    value_bits = layout.offset.mask | (layout.type.mask & GENERIC_TYPE_MAX << layout.type.lsb)
    none_leaf = layout.encode(0, 0) & value_bits
    return lambda v: (leaf_type(layout, v) < max_swapfiles) & ((v & value_bits) != none_leaf)


def _predicates(config: Config, facts: Facts, numbers: Numbering) -> dict[str, Formula]:
    """The predicates and the conversions, over the word ``v``."""
    v = Formula("v")
    pte, pmd = facts.pte, facts.pmd
    is_pmd_leaf = _is_leaf(pmd)
    has_migration_type = _has_type(pmd.layout, numbers.numbers(*MIGRATION_KINDS))
    has_device_private_type = _has_type(pmd.layout, numbers.numbers(*DEVICE_PRIVATE_KINDS))
    has_swap_type = _has_swap_type(pmd.layout, numbers.max_swapfiles)
    has_valid_type = has_migration_type(v)
    if config.has(PMD_DEVICE_PRIVATE):
        has_valid_type = has_valid_type | has_device_private_type(v)
    if config.has(PMD_SWAP):
        has_valid_type = has_valid_type | has_swap_type(v)
    has_marker_type = _has_type(pte.layout, numbers.numbers(SoftLeafType.MARKER))
    return {
        "pte_none": pte.none(v),
        "pte_present": pte.present(v),
        "pmd_none": pmd.none(v),
        "pmd_present": pmd.present(v),
        "pmd_leaf": (pmd.leaf or pmd.present)(v),
        "pmd_trans_huge": pmd.trans_huge(v) if config.thp else never(v),
        "pmd_bad": pmd.bad(v),
        "pte_swp_clear_flags": v & (MASK64 ^ sum(pte.layout.flags.values())),
        "pte_is_marker": _is_leaf(pte)(v) & has_marker_type(v),
        "pmd_is_swap_entry": is_pmd_leaf(v) & has_swap_type(v),
        "pmd_is_migration_entry": is_pmd_leaf(v) & has_migration_type(v),
        "pmd_is_device_private_entry": is_pmd_leaf(v) & has_device_private_type(v),
        "pmd_is_valid_softleaf": is_pmd_leaf(v) & has_valid_type,
        "pte_to_arch_swp_entry": pte.to_arch(v),
        "pmd_to_arch_swp_entry": pmd.to_arch(v),
    }


def _flag_helpers(level: LevelName, layout: Layout) -> dict[str, Formula]:
    """What tests, sets and clears each flag; stubs for a flag that is not configured."""
    v = Formula("v")
    found: dict[str, Formula] = {}
    for flag in FLAGS:
        mask = layout.flags.get(flag, 0)
        found[f"{level}_swp_{flag}"] = (v & mask) != 0
        found[f"{level}_swp_mk{flag}"] = v | mask
        found[f"{level}_swp_clear_{flag}"] = v & (MASK64 ^ mask)
    return found


_WORDS = ("pte_swp_clear_flags", "pte_to_arch_swp_entry", "pmd_to_arch_swp_entry")
"""What among the predicates and conversions gives a word; the others give truth."""


def _formulas(config: Config, facts: Facts, numbers: Numbering) -> dict[str, Formula]:
    predicates = _predicates(config, facts, numbers)
    for name, formula in predicates.items():
        if not isinstance(formula, Formula) or formula.is_truth is (name in _WORDS):
            wanted = "a word" if name in _WORDS else "a comparison"
            raise TypeError(f"{config.arch}: {name} is {brief(str(formula))}, not {wanted}")
    return {
        **predicates,
        **_flag_helpers("pte", facts.pte.layout),
        **_flag_helpers("pmd", facts.pmd.layout),
    }


def _numbering(architecture: Architecture, config: Config, facts: Facts) -> Numbering:
    return numbering(config, facts.pte.layout.offset.width, has_pmd_softleaf=architecture.has_pmd_softleaf(config))


def formulas(architecture: Architecture, config: Config) -> dict[str, Formula]:
    """Name -> formula over the word ``v`` of every helper that is one expression and that the configuration has."""
    facts = architecture.facts(config)
    found = _formulas(config, facts, _numbering(architecture, config, facts))
    return {name: formula for name, formula in found.items() if not absence(architecture, config, name)}


def expressions(arch: Arch, *, present: bool = False) -> dict[str, str]:
    """Name -> the expression over the word ``v`` that the helper of that name computes, as Python text.

    Every helper of swap entries that is one expression and that the configuration has; with `present`, those of present
    words and of the levels above the PMD instead. The text is that of `Arch.source`, except that
    an address, which differs from build to build, goes by the name of its option.
    """
    if _has_addresses(arch):
        write = present_formulas if present else formulas
        texts = {name: formula.unwrapped for name, formula in write(arch.architecture, _named(arch)).items()}
    else:
        texts = _of_tables(arch) if present else returned(arch.source)
    if present:
        return of_the_kernel(texts)
    return {name: text for name, text in texts.items() if name not in _CONVERSIONS and not name.endswith("uffd_wp")}


def readings(arch: Arch) -> dict[str, str]:
    """Name -> the expression over the word ``v``, as in `expressions`, that `Level` reads of present words.

    For each level it is one for every attribute (``pmd_write``), for the addresses (``pmd_page_address``,
    ``pmd_table_address``), and for the word as its layout shows it (``pmd_plain``).
    """
    if not _has_addresses(arch):
        return _of_tables(arch)
    config = _named(arch)
    found = {name: formula.unwrapped for name, formula in present_formulas(arch.architecture, config).items()}
    for name, facts in arch.architecture.present(config).items():
        found[f"{name}_plain"] = facts.plain(Formula("v")).unwrapped
    return found


def _of_tables(arch: Arch) -> dict[str, str]:
    """What the compiled methods of present words compute."""
    return {name: text for level in arch.tables for name, text in returned(level.source).items()}


def _has_addresses(arch: Arch) -> bool:
    """Whether formulas have addresses in them, which stand for others in other builds."""
    return any(isinstance(option, Address) for option in arch.architecture.options.values())


def _named(arch: Arch) -> Config:
    """The configuration with the names of options in place of addresses."""
    options = arch.architecture.options
    named = tuple(
        (name, cast("Value", Formula(name)) if isinstance(options[name], Address) else value)
        for name, value in arch.config.particular
    )
    return arch.config._replace(particular=named)


def _conversions(facts: Facts) -> dict[str, tuple[str, Formula]]:
    """The helpers that are one expression of other things than one word ``v``, or that change the form of a word."""
    pte, pmd = facts.pte.layout, facts.pmd.layout
    v, e = Formula("v"), Formula("e")
    # a flag has one bit at both levels, if the PMD has it at all
    pmd_flags = sum(pmd.flags.values())
    slot_offset = pmd.offset.get(v) | Formula("i")
    return {
        "pmd_entry_to_pte": ("v, i", pte.encode(leaf_type(pmd, v), slot_offset) | (v & pmd_flags)),
        "pte_entry_to_pmd": ("v", pmd.encode(leaf_type(pte, v), pte.offset.get(v)) | (v & pmd_flags)),
        "arch_swp_entry": ("type, offset", pte.encode(Formula("type"), Formula("offset"), facts.arch_entry_fixed)),
        "arch_swp_type": ("v", pte.type.get(v)),
        "arch_swp_offset": ("v", pte.offset.get(v)),
        "arch_swp_entry_to_pte": ("e", facts.pte.from_arch(e)),
        "arch_swp_entry_to_pmd": ("e", facts.pmd.from_arch(e)),
    }


_CONVERSIONS = ("pte_entry_to_pmd", "arch_swp_type", "arch_swp_offset")
"""What among these is of one word ``v``, too."""


def conversions(arch: Arch) -> dict[str, tuple[str, Formula]]:
    """Name -> parameters and formula of the helpers that the configuration has beside those of `formulas`."""
    found = _conversions(arch.architecture.facts(arch.config))
    return {name: one for name, one in found.items() if not absence(arch.architecture, arch.config, name)}


# --- source text --------------------------------------------------------------------------------------------


def _softleaf_from(level: LevelName, layout: Layout, is_none_or_present: Formula) -> str:
    v = Formula("v")
    return method_source(
        f"softleaf_from_{level}",
        "v",
        f"new(SoftLeaf, ({leaf_type(layout, v).unwrapped}, {layout.offset.get(v).unwrapped}))",
        setup=(
            "try:",
            "    outside = v >> 64",
            "except (TypeError, ValueError):",
            "    outside = True",
            "if outside is not ZERO:",
            f"    v = word(v, outside, {level.upper()!r})",
            f"if {is_none_or_present.unwrapped}:",
            "    return NONE_LEAF",
        ),
    )


def _softleaf_to(level: LevelName, layout: Layout, swp_type_shift: int) -> str:
    return method_source(
        f"softleaf_to_{level}",
        "leaf, *, truncate=False",
        layout.encode(Formula("swp_type"), Formula("offset")),
        setup=(
            "try:",
            "    swp_type = leaf.swp_type",
            "    offset = leaf.offset",
            f"    outside = (swp_type >> {MAX_SWAPFILES_SHIFT}) | (offset >> {layout.offset.width})",
            "except (AttributeError, TypeError, ValueError):",
            "    outside = True",
            "if outside is not ZERO:",
            f"    swp_type, offset = fit(leaf, outside, {layout.offset.max:#x}, truncate, {swp_type_shift})",
        ),
    )


def _is_symbol(number: object, outside: object) -> bool:
    """Whether a number computes, fits, and yet is not an integer: the prover passes such terms."""
    return not hasattr(number, "__index__") and type(outside) is not bool and not outside


def _word(v: Any, outside: object, what: str) -> Any:
    """A word that is not sure to be an `int` of 64 bits; `DecodeError` if it is not one."""
    return v if _is_symbol(v, outside) else check_word(v, DecodeError, what)


def _fit(leaf: object, outside: object, max_offset: int, truncate: object, swp_type_shift: int) -> tuple[Any, Any]:
    """Type and offset of a leaf that is not sure to fit, cut if need be as the generic entry cuts them."""
    if not isinstance(leaf, SoftLeaf):
        raise EncodeError(f"{brief(leaf)} is not a SoftLeaf")
    numbers = []
    for name, number, largest in (("type", leaf.swp_type, NR_SWAP_TYPES - 1), ("offset", leaf.offset, max_offset)):
        try:
            numbers.append(operator.index(number))
        except TypeError:
            if _is_symbol(number, outside):
                return leaf
            hint = "; Arch.swp_types has the number of each kind" if isinstance(number, SoftLeafType) else ""
            raise EncodeError(f"{name} {brief(number)} is not an integer within 0..{largest:#x}{hint}") from None
        if not (truncate or 0 <= numbers[-1] <= largest):
            raise EncodeError(f"{name} {brief_hex(numbers[-1])} is not within 0..{largest:#x}")
    return numbers[0] & (MASK64 >> swp_type_shift), numbers[1] & ((1 << swp_type_shift) - 1)


def _sources(architecture: Architecture, config: Config, facts: Facts, numbers: Numbering) -> dict[str, str]:
    """The source of every helper, by name; one that this configuration lacks raises."""
    pte, pmd = facts.pte.layout, facts.pmd.layout
    found = _formulas(config, facts, numbers)
    sources = {name: method_source(name, "v", formula) for name, formula in found.items()}
    for name, (parameters, formula) in _conversions(facts).items():
        sources[name] = method_source(name, parameters, formula)
    sources["softleaf_from_pte"] = _softleaf_from("pte", pte, found["pte_none"] | found["pte_present"])
    sources["softleaf_from_pmd"] = _softleaf_from("pmd", pmd, found["pmd_none"] | found["pmd_present"])
    sources["softleaf_to_pte"] = _softleaf_to("pte", pte, numbers.swp_type_shift)
    sources["softleaf_to_pmd"] = _softleaf_to("pmd", pmd, numbers.swp_type_shift)
    for name in [name for name in sources if name.endswith("uffd")]:
        sources[f"{name}_wp"] = sources[name].replace(name, f"{name}_wp", 1)
    for name in sources:
        lacking = absence(architecture, config, name)
        if lacking:
            sources[name] = f"def {name}(self, *arguments, **keywords):\n    raise UnsupportedError({lacking!r})\n"
    return sources


_GLOBALS = {
    "DecodeError": DecodeError,
    "NONE_LEAF": SoftLeaf.none(),
    "SoftLeaf": SoftLeaf,
    "UnsupportedError": UnsupportedError,
    # what a shift of an ordinary number that fits gives, and one of NumPy's does not
    "ZERO": 0,
    "fit": _fit,
    # a NamedTuple's own constructor goes through Python code and takes twice as long
    "new": tuple.__new__,
    "word": _word,
}


# --- classes ------------------------------------------------------------------------------------------------

Method = Callable[..., Any]

_OF_LEVEL = {
    **{f"{{level}}_{name}": name for name in ("none", "present", "to_arch_swp_entry")},
    **{f"{{level}}_swp_{verb}{flag}": f"swp_{verb}{flag}" for flag in FLAGS for verb in ("", "mk", "clear_")},
    "arch_swp_entry_to_{level}": "from_arch_swp_entry",
    "softleaf_from_{level}": "softleaf_from",
    "softleaf_to_{level}": "softleaf_to",
}
"""Name of a helper on `Arch` -> its name on `Level`."""

_DELEGATED = {
    "decode_{level}": "decode",
    "encode_{level}": "encode",
    "{level}_to_bytes": "to_bytes",
    "{level}_from_bytes": "from_bytes",
}
"""Name on `Arch` of what `Level` does in ordinary code -> its name there."""


def _class(base: type, module: str, namespace: Mapping[str, object]) -> Any:
    return ABCMeta(base.__name__, (base,), {"__slots__": (), "__module__": module, **namespace})


def _level(name: LevelName, methods: Mapping[str, Method], constants: Mapping[str, object]) -> Level:
    own = {suffix: methods[pattern.format(level=name)] for pattern, suffix in _OF_LEVEL.items()}
    # a present PTE maps a page: there is no pte_leaf
    own["leaf"] = methods.get(f"{name}_leaf", own["present"])
    level: Level = _class(
        Level, Level.__module__, {**lazy_of_level(), "name": name, "label": name.upper(), **constants, **own}
    )()
    return level


def make(architecture: Architecture, config: Config) -> Arch:
    """Compile one configuration of an architecture."""
    facts = architecture.facts(config)
    numbers = _numbering(architecture, config, facts)
    source = "\n".join(_sources(architecture, config, facts, numbers).values())
    methods = compile_methods(f"{config.arch} {config.kernel}", source, _GLOBALS)
    for name, function in methods.items():
        function.__doc__ = getattr(Arch, name).__doc__
        function.__qualname__ = f"Arch.{name}"
    has_pmd_softleaf = architecture.has_pmd_softleaf(config)
    order = facts.pmd_shift - config.page_shift
    shared = {"numbering": numbers, "byteorder": architecture.byteorder, "entry_size": 8}
    levels = {
        "pte": _level(
            "pte",
            methods,
            {
                **shared,
                "layout": facts.pte.layout,
                "flags": FLAGS,
                "kinds": (SoftLeafType.SWAP, *numbers.swp_types),
                "empty": facts.pte.empty,
                "entries": 1 << order,
            },
        ),
        "pmd": _level(
            "pmd",
            methods,
            {
                **shared,
                "layout": facts.pmd.layout if has_pmd_softleaf else None,
                # the exclusive helpers of a PMD come with swap PMDs
                "flags": tuple(flag for flag in FLAGS if not absence(architecture, config, f"pmd_swp_{flag}")),
                "kinds": numbers.pmd_kinds,
                "empty": facts.pmd.empty,
                "entries": facts.ptrs_per_pmd,
            },
        ),
    }
    delegated = {
        pattern.format(level=name): getattr(level, method)
        for name, level in levels.items()
        for pattern, method in _DELEGATED.items()
    }
    constants = {
        **shared,
        **levels,
        "architecture": architecture,
        "config": config,
        "source": source,
        "name": architecture.name,
        "kernel": config.kernel,
        "release": config.release.text,
        "notes": notes(config.release, config.arch),
        "page_shift": config.page_shift,
        "page_size": config.page_size,
        "pmd_shift": facts.pmd_shift,
        "pmd_size": 1 << facts.pmd_shift,
        "hpage_pmd_order": order,
        "hpage_pmd_nr": 1 << order,
        "ptrs_per_pte": 1 << order,
        "ptrs_per_pmd": facts.ptrs_per_pmd,
        "max_physmem_bits": config.max_physmem_bits,
        "swp_pfn_bits": numbers.swp_pfn_bits,
        "max_swapfiles": numbers.max_swapfiles,
        "swp_type_shift": numbers.swp_type_shift,
        "max_swap_offset": facts.pte.layout.offset.max,
        "migration_ad": numbers.migration_ad,
        "swp_types": numbers.swp_types,
        "has_pmd_softleaf": has_pmd_softleaf,
        "has_pmd_swap": has_pmd_softleaf and config.has(PMD_SWAP),
        "pmd_kinds": numbers.pmd_kinds,
        "levels": ("pte", "pmd") if has_pmd_softleaf else ("pte",),
        "pte_layout": facts.pte.layout,
        "pmd_layout": facts.pmd.layout if has_pmd_softleaf else None,
    }
    lazy = {**lazy_helpers(), **lazy_levels()}
    arch: Arch = _class(Arch, Arch.__module__, {**lazy, **constants, **delegated, **methods})()
    for level in levels.values():
        # a level and its architecture hold each other, so one of them has to be told later
        type(level).arch = arch
        type(level).arch_is_made = True
    type(arch).arch_is_made = True
    return arch
