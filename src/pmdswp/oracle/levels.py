"""pmdswp's answer for each field that a record tells of a word, by the level of the word.

`readers` are the answers of every configuration, `softleaf_readers` those that only a configuration with softleaves at
the level has, and `whole_readers` those for `whole` records, whose fields have names of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from pmdswp import Arch, Level, SoftLeaf, SoftLeafType, State
from pmdswp.attributes import ATTRIBUTES
from pmdswp.formula import MASK64
from pmdswp.oracle import helpers
from pmdswp.oracle.helpers import MAKER
from pmdswp.softleaf import LEVELS, SWP_TYPE_SHIFT, LevelName
from pmdswp.vectors import Record, number

__all__ = ["Reader", "WholeAnswer", "readers", "softleaf_readers", "whole_answers", "whole_readers"]

Reader = Callable[[int], object]


def readers(level: Level) -> Mapping[str, Reader]:
    """Field of a record -> the predicate that answers it."""
    arch = level.arch

    def is_neither(v: int) -> bool:
        return not level.none(v) and not level.present(v)

    def is_huge(v: int) -> bool:
        if not arch.has_pmd_softleaf:
            return False
        return arch.pmd_trans_huge(v) if arch.pmd_present(v) else not arch.pmd_none(v)

    both: dict[str, Reader] = {"p": level.present, "n": level.none, "s": is_neither}
    if level.name == "pte":
        return {**both, "nm": lambda v: arch.pte_none(v) or arch.pte_is_marker(v)}
    return {
        **both,
        "l": arch.pmd_leaf,
        "b": arch.pmd_bad,
        "h": arch.pmd_trans_huge,
        "ih": is_huge,
        "is": is_neither,
    }


def softleaf_readers(level: Level, *, tests_itself: bool) -> Mapping[str, Reader]:
    """Field of a record -> what answers it of a softleaf.

    `tests_itself`: the kernel's functions test for present and none themselves, as softleaf_from_pte() does.
    """
    arch = level.arch
    leaf_of = level.softleaf_from if tests_itself else _unchecked(level)

    def kind_number(v: int) -> int:
        kind = arch.softleaf_type(leaf_of(v))
        # the kernel warns of a type that nobody writes and takes it for none
        return 0 if kind is SoftLeafType.UNKNOWN else int(kind.value)

    both: dict[str, Reader] = {
        "x": level.swp_exclusive,
        "d": level.swp_soft_dirty,
        "u": level.swp_uffd,
        "a": level.to_arch_swp_entry,
        "at": lambda v: arch.arch_swp_type(level.to_arch_swp_entry(v)),
        "ao": lambda v: arch.arch_swp_offset(level.to_arch_swp_entry(v)),
        "e": lambda v: leaf_of(v).val,
        "et": lambda v: leaf_of(v).swp_type,
        "eo": lambda v: leaf_of(v).offset,
        "lt": kind_number,
    }
    if level.name == "pte":
        return both
    return {
        **both,
        "mig": arch.pmd_is_migration_entry,
        "dp": arch.pmd_is_device_private_entry,
        "vs": arch.pmd_is_valid_softleaf,
        "sw": arch.pmd_is_swap_entry,
    }


@lru_cache(maxsize=64)
def whole_readers(level: Level) -> Mapping[str, Reader]:
    """Field of a `whole` record -> what answers it, as the record has it.

    A test answers 0 or 1 (or a truth), `f` and `t` a number, and a maker, which has `MAKER` in front of its name, with
    the bits that it changes. What is not here has no answer yet, and is not compared.
    """
    arch, found = level.arch, dict[str, Reader]()
    found["n"], found["p"], found["f"] = level.none, level.present, level.pfn
    if level.name != "pte":
        found["l"], found["b"] = level.leaf, getattr(arch, f"{level.name}_bad")
        found["t"] = level.table_address
    if level.name == "pmd":
        found["th"] = arch.pmd_trans_huge
    # huge is whatever is a leaf; pmd_huge() and its like are of hugetlb
    tests = {name: test for name, test in level.attribute_tests.items() if name != "huge"}
    for field, alternatives in helpers.TESTS.items():
        if alternatives[0] in tests:
            found[field] = tests[alternatives[0]]
    for name in level.attribute_names:
        makers = ATTRIBUTES[name]
        for maker, change in ((makers.set, level.setters[name]), (makers.clear, level.clearers[name])):
            if maker and name != "huge":
                found[MAKER + maker] = partial(_changed, change)
    return found


def _changed(change: Callable[[int], int], v: int) -> int:
    return v ^ change(v)


class WholeAnswer(NamedTuple):
    """One answer of a `whole` record: the level by the kernel's name, its field, and what both say."""

    level: LevelName
    field: str
    said: object
    told: int


def whole_answers(arch: Arch, record: Record) -> Iterator[WholeAnswer]:
    """What pmdswp says to each field of a `whole` record that it has an answer to.

    Where the kernel folds levels, the root table is what the helpers of the lowest folded one are asked of.
    """
    word = number(record["v"])
    names = [name for name in LEVELS if name in record]
    for name in names:
        level = arch.tables[0] if name == names[-1] else arch.level(name)
        entry = record[name]
        answering = whole_readers(level)
        for field, told in (*entry.items(), *((MAKER + maker, bits) for maker, bits in entry.get("mk", {}).items())):
            if field == "t" and level.decode(word).state is not State.TABLE:
                # the kernel's way down takes a word that points to no table for a pointer all the same
                continue
            if field == "f" and level.page_layout is None:
                # there is no page whose frame it could be
                continue
            if field in answering:
                yield WholeAnswer(name, field, answering[field](word), number(told))


def _unchecked(level: Level) -> Callable[[int], SoftLeaf]:
    """The leaf of any word, as pte_to_swp_entry() and pmd_to_swp_entry() give it, which test nothing."""

    def leaf_of(v: int) -> SoftLeaf:
        for name in ("exclusive", "soft_dirty", "uffd"):
            # a PMD has no exclusive bit before the series, and no helper that would clear it
            v = level.flag_clearers[name](v) if name in level.flags else v
        return _generic_entry(level.arch, level.to_arch_swp_entry(v))

    return leaf_of


def _generic_entry(arch: Arch, arch_entry: int) -> SoftLeaf:
    """The kernel's `swp_entry(__swp_type(e), __swp_offset(e))`, which drops what does not fit in 64 bits."""
    swp_type, offset = arch.arch_swp_type(arch_entry), arch.arch_swp_offset(arch_entry)
    return SoftLeaf.from_val((swp_type << SWP_TYPE_SHIFT | SoftLeaf.from_val(offset).offset) & MASK64)
