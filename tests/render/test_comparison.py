"""What the comparison says is recomputed from what the codec does with words; the layouts are not asked."""

from __future__ import annotations

import random
import re
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import combinations, pairwise, product
from typing import NamedTuple, cast

import numpy as np
import pytest

import pmdswp
from levels import apply, ask
from pmdswp import Arch, SoftLeaf, SoftLeafType, UnsupportedError
from pmdswp.arch import ARCHITECTURES, Level, get_with
from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import Value
from pmdswp.formula import MASK64
from pmdswp.layout import FieldKind
from pmdswp.render import drift, formats
from pmdswp.render.variants import fullest
from pmdswp.revisions import RELEASES, Revision, releases_of, revisions
from pmdswp.softleaf import FLAGS, NR_SWAP_TYPES, LevelName
from render.tables import Grid, markdown_grids

NEWEST = pmdswp.kernels()[-1]
NAMES = pmdswp.names()
BITS = [1 << bit for bit in range(64)]
LOWER = ("pte_none", "pte_present", "pmd_none", "pmd_present", "pmd_leaf", "pmd_trans_huge", "pmd_bad")
UPPER = [f"{level}_{test}" for level in ("pud", "p4d", "pgd") for test in ("none", "present", "leaf", "bad")]
READERS = [f"{level}_{name}" for level in ("pte", "pmd", "pud", "p4d", "pgd") for name in ("pfn", *ATTRIBUTES)]
MAKERS = [
    f"{level}_{maker}" for level in ("pte", "pmd", "pud") for makers in ATTRIBUTES.values() for maker in makers if maker
]
ADDRESSES = ("invalid_pte_table", "invalid_pmd_table", "invalid_pud_table")
PREDICATES = (*LOWER, *UPPER, *READERS, *MAKERS)


@cache
def grids() -> Mapping[str, Grid]:
    """The tables of the whole comparison as a reader of Markdown sees them."""
    found = markdown_grids(formats.compare(NAMES, "markdown"))
    return dict(zip(("fields", "attributes", "limits", "levels", "types", "revisions"), found, strict=True))


class Role(NamedTuple):
    """What one bit of a swap entry does: a number's bit, a flag, a bit that must be so, or nothing."""

    what: str
    bit: int = 0


def numbers_of(place: Level, word: int) -> tuple[int, int]:
    """The type and the offset that the architecture's own entry holds when it is read out of a word."""
    entry = apply(place, "to_arch_swp_entry", word)
    return place.arch.arch_swp_type(entry), place.arch.arch_swp_offset(entry)


def answers(place: Level, word: int) -> list[bool]:
    """What all the kernel's tests say of a word."""
    names = ("none", "present") if place.name == "pte" else ("none", "present", "leaf", "trans_huge", "bad")
    return [ask(place, name, word) for name in names]


@cache
def roles(place: Level) -> Mapping[int, Role]:
    """Bit number -> what it does, found by setting it."""
    swp_type, offset = numbers_of(place, 0)
    flags = {apply(place, f"swp_mk{flag}", 0): flag for flag in place.flags}
    entries = [place.softleaf_to(SoftLeaf(1, 1 << shift)) for shift in (0, 3)]
    found = {}
    for number, bit in enumerate(BITS):
        of_type, of_offset = numbers_of(place, bit)
        if of_type != swp_type:
            role = Role("type", of_type ^ swp_type)
        elif of_offset != offset:
            role = Role("offset", of_offset ^ offset)
        elif bit in flags:
            role = Role(flags[bit])
        elif all(entry & bit for entry in entries):
            role = Role("must be 1")
        elif any(answers(place, entry | bit) != answers(place, entry) for entry in entries):
            role = Role("must be 0")
        else:
            role = Role("nothing")
        found[number] = role
    return found


def bits_of(cell: str) -> list[int]:
    """The bit numbers in a cell such as `63-12 (0-51)`, from the highest."""
    high, low = re.findall(r"^(\d+)(?:-(\d+))?", cell)[0]
    return list(range(int(high), int(low or high) - 1, -1))


SLOTS = [fullest(name, NEWEST).level(level) for name in NAMES for level in ("pte", "pmd")]


# the one architecture whose offset begins at the page shift
SMALL_PAGES = [fullest("ppc64", NEWEST, page_size=4096).level(level) for level in ("pte", "pmd")]


@pytest.mark.parametrize("place", [*SLOTS, *SMALL_PAGES], ids=lambda place: f"{place.arch.name}-{place.name}")
def test_each_field_is_where_encoding_and_the_helpers_put_it(place: Level) -> None:
    variant = f" with {place.arch.page_size // 1024} KiB pages" if place.arch.name == "ppc64" else ""
    rows = [row for row in grids()["fields"].rows if row["Architecture"] == f"{place.arch.name}{variant}"]
    [row] = (row for row in rows if row["Level"] == place.name.upper())
    for flag in FLAGS:
        mask = apply(place, f"swp_mk{flag}", 0)
        assert row[flag].split(" ")[0] == (str(mask.bit_length() - 1) if mask else "-")
    base = place.softleaf_to(SoftLeaf(0, 0))
    for name, largest in (
        ("type", SoftLeaf(NR_SWAP_TYPES - 1, 0)),
        ("offset", SoftLeaf(0, place.arch.max_swap_offset)),
    ):
        places = bits_of(row[name])
        assert places == [number for number, role in sorted(roles(place).items(), reverse=True) if role.what == name]
        # upwards in order, as far as the generic entry reaches
        for i, bit in enumerate(reversed(places)):
            if max(largest) >> i:
                leaf = SoftLeaf(1 << i, 0) if name == "type" else SoftLeaf(0, 1 << i)
                assert place.softleaf_to(leaf) ^ base == 1 << bit
    assert row["offset"].endswith(", inverted") == (numbers_of(place, 0)[1] != 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_bits_of_an_attribute_are_those_that_its_helper_looks_at(name: str) -> None:
    arch = fullest(name, NEWEST)
    rows = {row["Level"]: row for row in grids()["attributes"].rows if row["Architecture"] == name}
    assert list(rows) == [level.label for level in reversed(arch.tables) if level.page_layout is not None]
    chance = random.Random(3)  # noqa: S311  # no secret
    for level in arch.tables:
        for attribute, cell in rows.get(level.label, {}).items():
            test = level.attribute_tests.get(attribute)
            if test is None:
                assert attribute in ("Architecture", "Level") or cell == "-"
                continue
            told = {int(bit): not word for word, bit in re.findall(r"(not )?(\d+)", cell)}
            mask = sum(1 << bit for bit in told)
            words = [chance.getrandbits(64) & mask for _ in range(600)]
            words += [word ^ chance.getrandbits(64) & (mask ^ MASK64) for word in words]
            words += [sum(1 << bit for bit, is_set in told.items() if is_set), 0, MASK64]
            truth = re.sub(r"\d+", lambda bit: f"bool(v >> {bit[0]} & 1)", cell)
            asked = eval(f"lambda v: {truth}")  # noqa: S307  # the table's own text
            assert all(asked(word) == test(word) for word in words), (level, attribute, cell)


def test_msb0_numbers_stand_in_parentheses_where_manuals_count_so() -> None:
    for row in grids()["fields"].rows:
        for name in ("type", "offset", *FLAGS):
            lsb0, _, msb0 = row[name].partition(" (")
            if row["Architecture"].partition(" ")[0] in {"s390x", "ppc64"} and lsb0 != "-":
                assert msb0 == "-".join(str(63 - int(bit)) for bit in lsb0.split("-")) + ")"
            else:
                assert not msb0


def differing(one: Level, other: Level) -> set[int]:
    """The bits that do one thing in one place and another in the other."""
    return {number for number in range(64) if roles(one)[number] != roles(other)[number]}


def unused(place: Level) -> set[int]:
    """The bits that a layout leaves unused."""
    return {
        bit for field in place.layout or () if field.kind is FieldKind.ZERO for bit in range(field.lsb, field.msb + 1)
    }


def _agrees(cell: str, role: Role) -> bool:
    """Whether a cell says what a bit does. What must be 0 by the manual alone, no predicate tells."""
    if role.what in ("type", "offset"):
        return cell.startswith(role.what)
    if role.what in FLAGS:
        return cell == f"{role.what}, flag"
    if role.what == "must be 1":
        return cell.endswith(", must be 1")
    return cell.endswith(", must be 0") or (role.what == "nothing" and cell == "unused")


@pytest.mark.parametrize("name", NAMES)
def test_the_bits_that_differ_between_pte_and_pmd_are_those_that_do_something_else(name: str) -> None:
    pte, pmd = (place for place in SLOTS if place.arch.name == name)
    rows = [row for row in grids()["levels"].rows if row["Architecture"] == name]
    listed = [bit for row in rows for bit in bits_of(row["Bits"])]
    assert listed == sorted(differing(pte, pmd), reverse=True)
    for row in rows:
        for bit in bits_of(row["Bits"]):
            assert _agrees(row["In a PTE"], roles(pte)[bit]), (row, bit)
            assert _agrees(row["In a PMD"], roles(pmd)[bit]), (row, bit)


CHANGES = [
    pytest.param(name, before, after, id=f"{name}-{after.first}")
    for name in NAMES
    for before, after in pairwise(revisions(name, present=True))
]
EVERY_CHANGE = pytest.mark.parametrize(("name", "before", "after"), CHANGES)


def change_rows(name: str, before: Revision, after: Revision) -> list[Mapping[str, str]]:
    rows = grids()["revisions"].rows
    return [row for row in rows if (row["Architecture"], row["Kernels"]) == (name, f"{before.last} to {after.first}")]


def kernels(before: Revision, after: Revision) -> tuple[str, str]:
    """The releases on both sides of a change."""
    return before.last, after.first


@EVERY_CHANGE
def test_the_bits_that_differ_between_revisions_are_those_that_do_something_else(
    name: str, before: Revision, after: Revision
) -> None:
    rows = change_rows(name, before, after)
    for level in ("pte", "pmd"):
        old, new = (fullest(name, kernel).level(level) for kernel in kernels(before, after))
        of_level = [row for row in rows if row["What"].startswith(f"{level.upper()} bit")]
        if not old.holds_softleaf:
            if not new.holds_softleaf:
                assert not of_level
                continue
            [row] = (row for row in rows if row["What"] == f"{level.upper()} layout")
            assert (row["Before"], not of_level) == ("none", True)
            continue
        listed = [(bit, row) for row in of_level for bit in bits_of(row["What"].split(" ")[2])]
        # what a predicate makes of a bit that both layouts leave unused is in the row of the predicate
        assert [bit for bit, _ in listed] == sorted(differing(old, new) - (unused(old) & unused(new)), reverse=True)
        for bit, row in listed:
            assert _agrees(row["Before"], roles(old)[bit]), row
            assert _agrees(row["After"], roles(new)[bit]), row


def helper_of(arch: Arch, name: str) -> Callable[[int], int]:
    """A helper of the kernel, of a word or an array; one that it does not have says no to all, or changes none."""
    try:
        helper: Callable[[int], int] = getattr(arch, name)
        helper(0)
    except (AttributeError, UnsupportedError):
        return lambda word: word if name in MAKERS else word < 0
    return helper


@EVERY_CHANGE
def test_a_flag_of_a_page_that_is_listed_is_the_one_that_the_helper_tests(
    name: str, before: Revision, after: Revision
) -> None:
    arches = [fullest(name, kernel) for kernel in kernels(before, after)]
    for row in change_rows(name, before, after):
        labels, is_of_page, bits = row["What"].partition(" page bit ")
        for level, (arch, cell) in product(
            labels.lower().split(", "), zip(arches, (row["Before"], row["After"]), strict=True)
        ):
            attribute, _, kind = cell.partition(", ")
            if is_of_page and kind == "flag" and hasattr(arch, f"{level}_{attribute}"):
                [bit] = bits_of(bits)
                test = helper_of(arch, f"{level}_{attribute}")
                assert any(test(word) != test(word ^ 1 << bit) for word in WORDS), row


def _telling_words() -> Iterator[int]:
    """Words among which two different tests are sure to be told apart: few bits, many bits, and any."""
    draw = random.Random(1)  # noqa: S311  # no secret
    few = [0, *BITS, *(one | other for one, other in combinations(BITS, 2))]
    yield from few
    yield from (word ^ MASK64 for word in few)
    yield from (draw.getrandbits(64) for _ in range(500))


WORDS = list(_telling_words())

THREE_LOW_BITS = [sum(some) for some in combinations(BITS[:8], 3)]

SAID_OTHERWISE = {("riscv64", "5.17", f"pmd_{name}") for name in ("leaf", "trans_huge")}
"""They ask for PROT_NONE, which moved, or a leaf bit, and for a leaf bit: the formula is another, the answer is not."""


def _array(words: list[int]) -> int:
    """Words as an array, which formulas take as they take one."""
    return cast("int", np.array(words, np.uint64))


@EVERY_CHANGE
def test_a_predicate_is_listed_exactly_if_it_answers_otherwise_for_some_word(
    name: str, before: Revision, after: Revision
) -> None:
    old, new = (fullest(name, kernel) for kernel in kernels(before, after))
    rows = {row["What"]: row for row in change_rows(name, before, after)}
    levels = {level.name for level in old.tables} & {level.name for level in new.tables}
    for predicate in PREDICATES:
        if predicate.partition("_")[0] not in levels:
            assert predicate not in rows
            continue
        helpers = [helper_of(arch, predicate) for arch in (old, new)]
        level = new.level(cast("LevelName", predicate.partition("_")[0]))
        bases = {level.base, level.table_base, old.level(level.name).base, old.level(level.name).table_base}
        words = _array([*WORDS, *(base ^ bit for base in bases for bit in (0, *BITS)), *THREE_LOW_BITS])
        said, says = (helper(words) for helper in helpers)
        differ = bool(np.any(said != says))
        assert differ == (predicate in rows and (name, after.first, predicate) not in SAID_OTHERWISE), predicate
        if differ:
            for helper, cell in zip(helpers, (rows[predicate]["Before"], rows[predicate]["After"]), strict=True):
                text = cell if cell not in ("-", "no word") else "v" if predicate in MAKERS else "False"
                addresses = {name: new.config.number(name) for name in ADDRESSES if name in new.architecture.options}
                told = eval(f"lambda v: {text}", addresses)  # noqa: S307  # the table's own text
                assert np.all(told(words) == helper(words))


def _pmd_kinds(arch: Arch) -> set[str]:
    """The kinds that the kernel takes for valid in a PMD."""
    if not arch.has_pmd_softleaf:
        return set()
    leaves = [SoftLeaf(number, 1) for number in range(NR_SWAP_TYPES)]
    return {arch.softleaf_type(leaf).name for leaf in leaves if arch.pmd_is_valid_softleaf(arch.softleaf_to_pmd(leaf))}


def _marker_bits(arch: Arch) -> set[int]:
    """The bits that the kernel knows in a marker."""
    number = arch.swp_types.get(SoftLeafType.MARKER)
    if not isinstance(number, int):
        return set()
    known = arch.softleaf_markers(SoftLeaf(number, (1 << 50) - 1))
    return {bit for bit in BITS if known & bit}


def _special_types(arch: Arch) -> set[tuple[str, int]]:
    kinds = [(number, arch.softleaf_type(SoftLeaf(number, 1))) for number in range(NR_SWAP_TYPES)]
    return {(kind.name, number) for number, kind in kinds if kind is not SoftLeafType.SWAP}


def _read_kinds(cell: str) -> set[str]:
    return set() if cell == "none" else set(cell.split(", "))


def _read_types(cell: str) -> set[tuple[str, int]]:
    found = [entry.split(" ") for entry in cell.split(", ")]
    return {(kind, number) for numbers, kind in found for number in _counted(numbers)}


def _read_markers(cell: str) -> set[int]:
    return set() if cell == "none" else {int(entry.split(" ")[0], 16) for entry in cell.split(", ")}


def _options(arch: Arch) -> set[tuple[str, object]]:
    """Which of the values that not every kernel can have this one takes."""
    found: set[tuple[str, object]] = set()
    for option, value in [("pa_bits", 52), ("static_pa_bits", True)]:
        with suppress(UnsupportedError):
            get_with(arch.name, {"kernel": arch.kernel, option: value})
            found.add((option, value))
    return found


def _read_options(cell: str) -> set[tuple[str, object]]:
    pairs = [] if cell == "none" else [option.split("=") for option in cell.split(", ")]
    return {(name, literal_eval(value)) for name, value in pairs}


SETS: Mapping[str, tuple[Callable[[Arch], object], Callable[[str], object]]] = {
    "page tables": (lambda arch: {level.name for level in arch.tables}, _read_kinds),
    "kinds in a PMD": (_pmd_kinds, _read_kinds),
    "special types": (_special_types, _read_types),
    "marker bits": (_marker_bits, _read_markers),
    "other options": (_options, _read_options),
}


@EVERY_CHANGE
def test_kinds_types_and_markers_that_differ_are_listed_with_all_there_are_on_both_sides(
    name: str, before: Revision, after: Revision
) -> None:
    for what, (of_arch, of_cell) in SETS.items():
        told = [of_arch(fullest(name, kernel)) for kernel in kernels(before, after)]
        rows = [row for row in change_rows(name, before, after) if row["What"] == what]
        assert [[of_cell(row["Before"]), of_cell(row["After"])] for row in rows] == [told] * len(rows), what
        # one marker bit has changed its name and nothing else
        renamed = what == "marker bits" and after.first == "6.6"
        assert bool(rows) == (told[0] != told[1] or renamed), what


@EVERY_CHANGE
def test_every_row_of_a_revision_is_of_a_kind_that_is_checked(name: str, before: Revision, after: Revision) -> None:
    for row in change_rows(name, before, after):
        what = row["What"]
        of_layout = re.match(r"(PTE|PMD) bit|((PTE|PMD|PUD|P4D|PGD)(, )?)+ (page|table) bit", what)
        assert what in {*PREDICATES, *SETS, "PMD layout"} or of_layout or what.endswith(", name")
        assert row["Before"] != row["After"]


@pytest.mark.parametrize("name", NAMES)
def test_the_releases_of_a_revision_do_not_differ(name: str) -> None:
    for revision in revisions(name, present=True):
        for release in (release for release in RELEASES if release in revision):
            assert not list(drift._differences(fullest(name, revision.name), fullest(name, release)))


def test_no_row_of_a_revision_is_of_anything_else() -> None:
    counted = [len(change_rows(name, *pair)) for name in NAMES for pair in pairwise(revisions(name, present=True))]
    assert sum(counted) == len(grids()["revisions"].rows)
    # what only some CPUs or configurations have is in no row
    assert counted.count(0) < len(counted) // 6


def _counted(cell: str) -> range:
    """The numbers from the first to the last of a cell such as `29-30`."""
    first, _, last = cell.partition("-")
    return range(int(first), int(last or first) + 1)


def _releases(cell: str) -> tuple[str, ...]:
    """The releases from the first to the last of a cell such as `6.2 to 6.14`."""
    first, _, last = cell.partition(" to ")
    return RELEASES[RELEASES.index(first) : RELEASES.index(last or first) + 1]


def test_the_type_numbers_are_those_of_the_codec() -> None:
    rows = grids()["types"].rows
    for name in NAMES:
        spans = [_releases(row["Kernel"]) for row in rows if row["Architecture"] == name]
        assert [release for span in spans for release in span] == list(releases_of(name))
    for row, release in [(told, release) for told in rows for release in _releases(told["Kernel"])]:
        arch = fullest(row["Architecture"], release)
        told = [(number, kind) for kind in list(row)[2:] if row[kind] != "-" for number in _counted(row[kind])]
        assert sorted(told) == [
            (number, arch.softleaf_type(SoftLeaf(number, 1)).name) for number in range(NR_SWAP_TYPES)
        ]


UNITS = {unit: 1 << 10 * power for power, unit in enumerate(["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])}


def _in_bytes(cell: str) -> int:
    count, unit = cell.split(" ")
    return int(count) * UNITS[unit]


def test_the_limits_are_the_attributes_of_the_architecture() -> None:
    seen = set()
    for row in grids()["limits"].rows:
        name = row["Architecture"]
        page_size, _, mmu = row["Page size"].partition(", ")
        options: dict[str, Value] = {"page_size": _in_bytes(page_size), **({"mmu": mmu} if mmu else {})}
        arch = fullest(name, NEWEST, **options)
        seen.add((name, *options.values()))
        assert arch.page_size == options["page_size"]
        assert _in_bytes(row["PMD size"]) == arch.pmd_size
        assert int(row["HPAGE_PMD_NR"]) == arch.hpage_pmd_nr == arch.pmd_size // arch.page_size
        assert (1 << int(row["Offset bits"])) - 1 == arch.max_swap_offset
        assert _in_bytes(row["Largest swap device"]) == (arch.max_swap_offset + 1) * arch.page_size
        assert int(row["Swap devices"]) == arch.max_swapfiles
        assert int(row["PFN bits"]) == arch.swp_pfn_bits
        assert row["Young and dirty kept"] == ("yes" if arch.migration_ad else "no")
    expected = {
        (name, page_size, *mmu)
        for name, architecture in ARCHITECTURES.items()
        for page_size in architecture.options["page_size"].examples
        for mmu in ([("radix",), ("hash",)] if name == "ppc64" else [()])
    }
    assert seen == expected
    assert len(grids()["limits"].rows) == len(expected)


def test_the_fullest_configuration_has_every_flag_that_some_configuration_has() -> None:
    for name in NAMES:
        for kernel in (revision.name for revision in revisions(name)):
            full = fullest(name, kernel)
            flags = {flag for flag in FLAGS if getattr(full, f"pte_swp_mk{flag}")(0)}
            age = RELEASES.index(kernel)
            svrsw = name == "riscv64" and age >= RELEASES.index("6.19")
            arm64_uffd = name == "arm64" and age >= RELEASES.index("6.10")
            assert ("soft_dirty" in flags) == (name in {"x86_64", "s390x", "ppc64"} or svrsw)
            x86_uffd = name == "x86_64" and age >= RELEASES.index("5.7")
            assert ("uffd" in flags) == (x86_uffd or arm64_uffd or svrsw)
            first = "6.3" if name in {"riscv64", "loongarch64"} else "5.19"
            assert ("exclusive" in flags) == (age >= RELEASES.index(first))


def test_a_comparison_of_some_architectures_has_the_rows_of_these_in_the_order_asked_for() -> None:
    names = ["s390x", "arm64"]
    assert formats.compare(["s390", "aarch64"], "rst") == formats.compare(names, "rst")
    for part, (title, whole) in zip(markdown_grids(formats.compare(names, "markdown")), grids().items(), strict=True):
        rows = [cells for name in names for cells in whole.cells if cells[0].split(" ")[0] == name]
        # there may be fewer columns of types
        assert title == "types" or list(part.cells) == rows
        assert [cells[0] for cells in part.cells] == [cells[0] for cells in rows]


def test_a_kind_that_no_compared_architecture_has_is_no_column() -> None:
    [types] = [grid for grid in markdown_grids(formats.compare(["s390x"], "markdown")) if "Kernel" in grid.head]
    assert SoftLeafType.HWPOISON.name not in types.head
    assert SoftLeafType.MARKER.name in types.head
