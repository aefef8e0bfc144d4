"""From the facts of present words to helpers: `pte_pfn`, `pmd_write`, the levels above the PMD.

Who asks only about swap entries pays nothing for them: the helpers of a configuration are compiled, all at once, when
the first of them is asked for, and then stand where they were asked for.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType
from typing import Any

from pmdswp.arch.facts import EXCEPTIONS, Architecture, Attribute, PresentFacts, any_bit, never, same
from pmdswp.arch.helpers import PresentHelpers
from pmdswp.arch.level import Level
from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import Config
from pmdswp.errors import UnsupportedError
from pmdswp.formula import MASK64, Formula, compile_methods, method_source
from pmdswp.layout import FieldKind, PresentLayout
from pmdswp.softleaf import LevelName

__all__ = ["attributes_of", "lazy_helpers", "lazy_levels", "lazy_of_level", "of_the_kernel", "present_formulas"]

UPPER: tuple[LevelName, ...] = ("pud", "p4d", "pgd")
"""The levels that only present words are at."""


def attributes_of(level: LevelName, facts: PresentFacts, leaf: Callable[[Formula], Formula]) -> dict[str, Attribute]:
    """Attribute -> its formulas, in the order of `ATTRIBUTES`."""
    layout = facts.page or facts.table
    flags = layout.flags if layout is not None else {}
    found: dict[str, Attribute] = {}
    for name in ATTRIBUTES:
        attribute = facts.attributes.get(name, any_bit(flags[name]) if name in flags else None)
        if name == "huge" and name not in facts.attributes:
            # a PTE maps one page, whatever the architecture's pte_huge() tests
            # and nothing turns a page into a table
            attribute = (
                Attribute(leaf, same, same, clear_changes={"huge": True})
                if facts.page is not None and level != "pte"
                else None
            )
        if attribute is not None:
            found[name] = attribute
    return found


def present_formulas(
    architecture: Architecture, config: Config, present: Mapping[LevelName, PresentFacts] | None = None
) -> dict[str, Formula]:
    """Name -> formula over the word ``v`` of every helper for present words that the configuration has.

    `present`: the facts of its levels, if they are at hand.
    """
    levels = architecture.facts(config)
    found: dict[str, Formula] = {}
    for name, facts in (present or architecture.present(config)).items():
        upper = facts.upper
        if upper is not None:
            v = Formula("v")
            found[f"{name}_none"] = upper.none(v)
            found[f"{name}_present"] = upper.present(v)
            found[f"{name}_leaf"] = upper.leaf(v)
            found[f"{name}_bad"] = upper.bad(v)
            leaf = upper.leaf
        else:
            of_level = levels.pmd if name == "pmd" else levels.pte
            leaf = of_level.leaf or of_level.present
        found.update(_of_level(name, facts, leaf, config))
    return found


def of_the_kernel(texts: Mapping[str, str]) -> dict[str, str]:
    """Those of the texts of `present_formulas` that are helpers of the kernel, under the kernel's names."""
    named = ((name, texts.get(_compiled_name(name))) for name in PresentHelpers.__dict__ if name in _PUBLIC)
    return {name: text for name, text in named if text is not None and not name.endswith("uffd_wp")}


def _of_level(
    name: LevelName, facts: PresentFacts, leaf: Callable[[Formula], Formula], config: Config
) -> Iterator[tuple[str, Formula]]:
    v = Formula("v")
    plain = facts.plain(v)
    page_address = (facts.page_address or facts.page.address)(plain) if facts.page is not None else None
    if page_address is not None:
        yield f"{name}_page_address", page_address
    if facts.table is not None:
        yield f"{name}_table_address", (facts.table_address or facts.table.address)(v)
    if facts.pfn is not None:
        yield f"{name}_pfn", facts.pfn(v)
    else:
        address = page_address if page_address is not None else _table(facts).address(v)
        yield f"{name}_pfn", address >> config.page_shift
    attributes = attributes_of(name, facts, leaf)
    if facts.upper is None:
        attributes = {**_STUBS, **attributes}
    for attribute, formulas in attributes.items():
        yield f"{name}_{attribute}", formulas.test(v)
        yield f"{name}_set_{attribute}", formulas.set(v)
        yield f"{name}_unset_{attribute}", formulas.clear(v)


_STUB = Attribute(never, same, same)
_STUBS = {"soft_dirty": _STUB, "uffd": _STUB}
"""What kernels without the bit have helpers of too, which find nothing and change nothing."""


def _table(facts: PresentFacts) -> PresentLayout:
    if facts.table is None:
        raise TypeError("a level maps pages or points to tables")
    return facts.table


# --- compiled when asked for --------------------------------------------------------------------------------

_PUBLIC = frozenset(PresentHelpers.__abstractmethods__)

_OF_LEVEL = ("pfn", "page_address", "table_address")
_OF_UPPER_LEVEL = (*_OF_LEVEL, "none", "present", "leaf")


class _WhenAsked:
    """What is put into the class of an `Arch`, or of a `Level`, when it is first asked for."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        if not owner.__dict__.get("arch_is_made"):
            # the class is being made, and only asked whether this is abstract
            return self
        _install(owner if issubclass(owner, PresentHelpers) else type(owner.arch))
        return getattr(owner if instance is None else instance, self.name)


class _Folded:
    """A level that the configuration does not have."""

    __slots__ = ("message",)

    def __init__(self, message: str) -> None:
        self.message = message

    def __get__(self, instance: object, owner: type[Any]) -> Any:
        raise UnsupportedError(self.message)


def lazy_helpers() -> dict[str, Any]:
    """What stands in for the helpers of an `Arch`."""
    return dict(_HELPERS)


def lazy_levels() -> dict[str, Any]:
    """What stands in for the levels above the PMD, and for `Arch.tables`."""
    return dict(_LEVELS)


def lazy_of_level() -> dict[str, Any]:
    """What stands in for what a `Level` has of present words."""
    return dict(_LEVEL)


_LEVEL_CONSTANTS = (
    "page_layout",
    "table_layout",
    "index_bits",
    "shift",
    "attribute_names",
    "base",
    "table_base",
    "table_attributes",
)
_HELPERS = {name: _WhenAsked(name) for name in _PUBLIC}
_LEVELS = {name: _WhenAsked(name) for name in (*UPPER, "tables")}
_LEVEL = {
    name: _WhenAsked(name)
    for name in (
        *_OF_LEVEL,
        *_LEVEL_CONSTANTS,
        "attribute_bits",
        "attribute_mask",
        "attribute_cache",
        "plain",
        "exceptions",
        "attribute_tests",
        "setters",
        "clearers",
        "set_changes",
        "clear_changes",
        "source",
    )
}


def _install(owner: type[Any]) -> None:
    """Compile the helpers of one configuration, and put them where they belong."""
    architecture, config = owner.architecture, owner.config
    levels = architecture.present(config)
    formulas = present_formulas(architecture, config, levels)
    sources = {name: method_source(name, "v", formula) for name, formula in formulas.items()}
    for name, facts in levels.items():
        sources[f"{name}_plain"] = method_source(f"{name}_plain", "v", facts.plain(Formula("v")))
        for one in EXCEPTIONS:
            exception = facts.exceptions.get(one, never)(Formula("v"))
            sources[f"{name}_except_{one}"] = method_source(f"{name}_except_{one}", "v", exception)
        has = _names(name, facts)
        tests = [(i, formulas[f"{name}_{one}"]) for i, one in enumerate(ATTRIBUTES) if one in has]
        bits = " | ".join(f"({test.unwrapped}) << {i}" for i, test in tests) or "0"
        sources[f"{name}_attribute_bits"] = method_source(f"{name}_attribute_bits", "v", bits)
    methods = compile_methods(
        f"{config.arch} {config.kernel} present", "\n".join(sources.values()), {"UnsupportedError": UnsupportedError}
    )
    shift = config.page_shift
    made: list[Any] = []
    for name in reversed(levels):
        facts = levels[name]
        constants = _constants(name, facts, methods, shift)
        constants["source"] = "\n".join(text for one, text in sources.items() if one.startswith(f"{name}_"))
        level = getattr(owner, name) if facts.upper is None else _upper_level(owner, name, facts, constants)
        for key, value in constants.items():
            setattr(type(level), key, value)
        made.insert(0, level)
        shift += facts.index_bits
    for name in UPPER:
        if name not in levels:
            allowed = ", ".join(reversed(levels))
            folded = f"{_of(owner)} has no level {name!r}: this configuration folds it; allowed: {allowed}"
            setattr(owner, name, _Folded(folded))
    for name in _PUBLIC:
        compiled = methods.get(_compiled_name(name))
        # a function of its own for each name, as two names may be of one formula
        method = (
            FunctionType(compiled.__code__, compiled.__globals__, name)
            if isinstance(compiled, FunctionType)
            else _raising(name, _absence(owner, levels, name))
        )
        method.__doc__ = getattr(PresentHelpers, name).__doc__
        method.__qualname__ = f"Arch.{name}"
        setattr(owner, name, method)
    owner.tables = tuple(made)


def _of(owner: type[Any]) -> str:
    return f"{owner.name} kernel {owner.kernel}"


def _compiled_name(name: str) -> str:
    """The name in the compiled text of a helper with a name of the kernel's."""
    level, helper = name.split("_", 1)
    helper = helper.removesuffix("_wp") if helper.endswith("uffd_wp") else helper
    for attribute, makers in ATTRIBUTES.items():
        if helper == makers.set:
            return f"{level}_set_{attribute}"
        if helper == makers.clear:
            return f"{level}_unset_{attribute}"
    return f"{level}_{helper}"


def _absence(owner: type[Any], levels: Mapping[LevelName, PresentFacts], name: str) -> str:
    if name.split("_", 1)[0] not in levels:
        return f"{_of(owner)} has no {name}: this configuration folds the level"
    return f"{_of(owner)} has no {name}: its present entries have no bit for that"


def _raising(name: str, message: str) -> Callable[..., Any]:
    def refuse(_self: object, v: object) -> Any:  # noqa: ARG001
        raise UnsupportedError(message)

    refuse.__name__ = name
    return refuse


def _names(name: LevelName, facts: PresentFacts) -> tuple[str, ...]:
    """The attributes for which present entries of a level have bits."""
    return tuple(attributes_of(name, facts, same))


def _without_softleaf(message: str) -> Callable[..., Any]:
    def softleaf_to(_self: object, leaf: object, *, truncate: object = False) -> Any:  # noqa: ARG001
        raise UnsupportedError(message)

    return softleaf_to


def _constants(
    name: LevelName, facts: PresentFacts, methods: Mapping[str, Callable[..., Any]], shift: int
) -> dict[str, Any]:
    """What a level has of present words."""
    attributes = attributes_of(name, facts, same)
    names = tuple(attributes)
    of_level = _OF_UPPER_LEVEL if facts.upper is not None else _OF_LEVEL
    found: dict[str, Any] = {
        one: methods.get(f"{name}_{one}") or _raising(one, f"no {one.replace('_', ' ')} at level {name!r}")
        for one in of_level
    }
    found.update(
        page_layout=facts.page,
        table_layout=facts.table,
        index_bits=facts.index_bits,
        shift=shift,
        base=facts.base,
        table_base=facts.table_base,
        table_attributes=facts.table_attributes,
        plain=methods[f"{name}_plain"],
        exceptions={one: partial(methods[f"{name}_except_{one}"], None) for one in EXCEPTIONS},
        attribute_names=names,
        attribute_bits=methods[f"{name}_attribute_bits"],
        attribute_mask=_attribute_mask(facts),
        attribute_cache={},
        attribute_tests={one: partial(methods[f"{name}_{one}"], None) for one in names},
        setters={one: partial(methods[f"{name}_set_{one}"], None) for one in names},
        clearers={one: partial(methods[f"{name}_unset_{one}"], None) for one in names},
        set_changes={one: _those_of(names, attribute.set_changes) for one, attribute in attributes.items()},
        clear_changes={one: _those_of(names, attribute.clear_changes) for one, attribute in attributes.items()},
    )
    return found


def _those_of(names: tuple[str, ...], changes: Mapping[str, bool]) -> dict[str, bool]:
    """The changes, less those of attributes that this configuration does not have."""
    return {name: becomes for name, becomes in changes.items() if name in names}


def _attribute_mask(facts: PresentFacts) -> int:
    """The bits that attributes can hang on: all that hold no address, in a page's word and in a table's."""
    held = [
        sum(field.mask for field in layout if field.kind is FieldKind.ADDRESS)
        for layout in (facts.page, facts.table)
        if layout is not None
    ]
    return MASK64 ^ (held[0] & held[-1])


def _upper_level(owner: type[Any], name: LevelName, facts: PresentFacts, constants: Mapping[str, Any]) -> Level:
    upper = facts.upper
    message = f"{_of(owner)}: no softleaf can be at level {name!r}; allowed: 'pte', 'pmd'"
    namespace: dict[str, Any] = {one: _raising(one, message) for one in Level.__abstractmethods__}
    namespace["softleaf_to"] = _without_softleaf(message)
    namespace.update(
        constants,
        __slots__=(),
        __module__=Level.__module__,
        arch=owner.pte.arch,
        arch_is_made=True,
        name=name,
        label=name.upper(),
        layout=None,
        flags=(),
        kinds=(),
        entries=1 << facts.index_bits,
        empty=upper.empty if upper is not None else 0,
        numbering=owner.numbering,
        byteorder=owner.byteorder,
        entry_size=owner.entry_size,
    )
    level: Level = ABCMeta(Level.__name__, (Level,), namespace)()
    setattr(owner, name, level)
    return level
