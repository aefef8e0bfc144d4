"""The prover finds the documented hazards, no more and no fewer, and refutes wrong layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

import pmdswp
from pmdswp import Arch, Layout, State
from pmdswp.arch import ARCHITECTURES, Level, configurations
from pmdswp.arch.compiler import make
from pmdswp.arch.facts import Attribute, Facts, PresentFacts, any_bit
from pmdswp.config import Config, option_sets, resolve
from pmdswp.formula import MASK64, where
from pmdswp.layout import Field, PresentLayout, zero
from pmdswp.prove import LAWS, Claim, Law, ProofResult, Subject, check, distinct, prove
from pmdswp.prove.present import PRESENT_LAWS
from pmdswp.prove.swap import SWAP_LAWS
from pmdswp.prove.walk import WALK_LAWS
from pmdswp.revisions import revisions
from pmdswp.softleaf import LevelName, SoftLeafType
from pmdswp.term import Solver
from timeline import LOONGARCH_BIT_60

HAZARDS = [(name, hazard) for name, architecture in ARCHITECTURES.items() for hazard in architecture.hazards]

ZERO_IS_NONE = {("pte", "not-none"): 0, ("pmd", "not-none"): 0}

HAZARDOUS_WORDS: dict[str, dict[tuple[str, str], int]] = {
    "x86_64": ZERO_IS_NONE,
    "arm64": ZERO_IS_NONE,
    "riscv64": ZERO_IS_NONE,
    "s390x": {},
    "ppc64": {},
    "loongarch64": {("pte", "not-none"): 0, ("pmd", "not-present"): 0x1000000000000040},
}
"""Architecture -> (level, law) -> the smallest word that breaks the law."""


proved = cache(prove)


def _hazards(results: list[ProofResult]) -> dict[tuple[str, str], int | None]:
    return {(result.level, result.law): result.witness for result in results if result.status == "hazard"}


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        # `nox -s prove` proves all of them
        pytest.param(name, kernel, marks=[] if kernel == pmdswp.kernels()[-1] else pytest.mark.long)
        for name in pmdswp.names()
        for kernel in (revisions(name)[0].name, "6.1", "6.12", pmdswp.kernels()[-1])
    ],
)
def test_the_hazards_of_a_kernel_are_exactly_the_documented_ones(name: str, kernel: str) -> None:
    arch = pmdswp.get(name, kernel=kernel)
    results = proved(arch)
    assert all(result.documented for result in results)
    levels = ("pte", "pmd") if arch.has_pmd_softleaf else ("pte",)
    expected = {key: word for key, word in HAZARDOUS_WORDS[name].items() if key[0] in levels}
    if name == "loongarch64" and kernel not in LOONGARCH_BIT_60:
        del expected["pmd", "not-present"]
    assert _hazards(results) == expected


@pytest.mark.parametrize("kernel", [pytest.param("7.3", marks=pytest.mark.long), "pmd-swap-v3"])
def test_riscv_soft_dirty_makes_a_pmd_read_as_present(kernel: str) -> None:
    results = prove(pmdswp.get("riscv64", kernel=kernel, svrsw60t59b=True))
    assert all(result.documented for result in results)
    assert _hazards(results) == {**ZERO_IS_NONE, ("pmd", "not-present"): 0x8}


@pytest.mark.parametrize("page_size", [4096, 65536])
def test_loongarch_offset_bit_36_is_a_hazard_with_every_page_size(page_size: int) -> None:
    results = proved(pmdswp.get("loongarch64", page_size=page_size))
    assert _hazards(results) == HAZARDOUS_WORDS["loongarch64"]


def test_with_4k_pages_the_loongarch_hazard_is_the_migration_young_bit() -> None:
    assert pmdswp.get("loongarch64", page_size=4096).swp_pfn_bits == 36


def test_every_law_is_checked_where_it_applies(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(law: Law, level: Level) -> ProofResult:
        return ProofResult(level.arch, level.name, law.name, "proved")

    no_kinds = [result.law for result in prove(pmdswp.get("arm64", kernel="6.12", migration=False))]
    # of the others, which laws these are is known before any of them is proved
    monkeypatch.setattr(f"{prove.__module__}.check", named)
    both, pmd_only = prove(pmdswp.get("arm64")), {"swap-types", "split", "join-split", "pte-pmd-alike"}
    assert "split" not in no_kinds
    assert "kinds" in no_kinds
    names, of_tables = [law.name for law in LAWS], {"tables", "next-table"}
    assert [result.law for result in both if result.level == "pmd"] == names
    without = pmd_only | of_tables
    assert [result.law for result in both if result.level == "pte"] == [name for name in names if name not in without]
    assert [result.law for result in both if result.level == "pgd"] == [
        *("one-state", "addresses", "tables"),
        *("indices", "next-table"),
    ]
    assert "swap-types" not in [result.law for result in prove(pmdswp.get("arm64", kernel="7.3"))]
    without_thp = prove(pmdswp.get("arm64", thp=False))
    swap_laws = {law.name for law in SWAP_LAWS}
    assert {result.level for result in without_thp if result.law in swap_laws} == {"pte"}
    assert {result.level for result in without_thp} == {"pte", "pmd", "pud", "pgd"}


def test_a_hazard_is_explained_with_its_smallest_word() -> None:
    [hazard] = [r for r in proved(pmdswp.get("loongarch64", page_size=4096)) if r.law == "not-present" and r.witness]
    assert "bit 36 of the swap offset" in hazard.explanation
    assert "0x1000000000000040, holds type 0, offset 0x1000000000 and no flag" in hazard.explanation
    assert hazard.explanation.endswith("the kernel takes it for PRESENT.")


def test_every_documented_hazard_is_the_kernels_own_reading() -> None:
    for _, hazard in HAZARDS:
        assert hazard.reads_as in {State.NONE, State.PRESENT}
        assert hazard.explanation
        assert hazard.entries


def test_what_is_proved_once_stands_for_configurations_with_the_same_helpers() -> None:
    la48, la57 = pmdswp.get("x86_64"), pmdswp.get("x86_64", la57=True)
    assert list(distinct([la48, la48])) == [Subject.whole(la48)]
    # with 5 levels the entries of the root are asked of by other helpers, and nothing else differs
    assert list(distinct([la48, la57])) == [Subject.whole(la48), Subject(la57, (), ("pgd", "p4d"))]
    without_migration = pmdswp.get("x86_64", migration=False)
    # the types of a PMD have other numbers; a PTE goes by the number of markers alone
    assert list(distinct([la48, without_migration]))[1:] == [Subject(without_migration, ("pmd",), ())]
    without_markers = pmdswp.get("x86_64", kernel="6.1", pte_marker=False)
    with_markers = pmdswp.get("x86_64", kernel="6.1")
    assert list(distinct([with_markers, without_markers]))[1:] == [Subject(without_markers, ("pte", "pmd"), ())]
    without_uffd = pmdswp.get("x86_64", uffd=False)
    assert list(distinct([la48, without_uffd]))[1:] == [Subject(without_uffd, ("pte", "pmd"), ("pud", "pmd", "pte"))]
    assert list(distinct([pmdswp.get("arm64"), pmdswp.get("arm64", page_size=65536)]))[1].arch.page_size == 65536


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize("kind", [SoftLeafType.MARKER, SoftLeafType.MIGRATION_READ])
def test_no_proof_stands_for_numbers_that_it_did_not_look_at(level: LevelName, kind: SoftLeafType) -> None:
    arch = pmdswp.get("x86_64")
    other = make(arch.architecture, arch.config)
    # the helpers are the same, and what the laws hold them to is not
    setattr(type(other), "swp_types", {**arch.swp_types, kind: 30})  # noqa: B010
    subjects = list(distinct([arch, other]))
    looks_at_it = (level, kind) in {("pte", SoftLeafType.MARKER), ("pmd", SoftLeafType.MIGRATION_READ)}
    assert any(level in subject.swap for subject in subjects[1:]) == looks_at_it


@pytest.mark.parametrize("name", pmdswp.names())
def test_configurations_hold_every_value_of_every_option_and_start_with_the_default(name: str) -> None:
    options = ARCHITECTURES[name].options
    # resolved, but not compiled: there are hundreds
    configs = [resolve(name, options, chosen) for chosen in option_sets(name, options)]
    assert configs[0] == next(configurations(name)).config == pmdswp.get(name).config
    assert len(set(configs)) == len(configs)
    assert {config.kernel for config in configs} == {revision.name for revision in revisions(name, present=True)}
    for option, allowed in options.items():
        if option != "kernel":
            assert {config.option(option) for config in configs} >= set(allowed.examples) - {None}, option


# --- planted bugs -------------------------------------------------------------------------------------------

Plant = Callable[[Facts], Facts]


def _with_fields(layout: Layout, changes: dict[str, list[Field]]) -> Layout:
    """A layout in which some fields, by name, are replaced."""
    fields: list[Field] = []
    for field in layout.fields:
        fields.extend(changes.get(field.name, [field]))
    return Layout(fields)


def _planted(name: str, plant: Plant, **options: object) -> Arch:
    """An architecture with a bug in it."""
    arch = pmdswp.arch.get_with(name, options)
    facts = plant(arch.architecture.facts(arch.config))
    bugged = make(arch.architecture._replace(facts=lambda _config: facts), arch.config)
    assert isinstance(bugged, Arch)
    return bugged


def _with_pte(facts: Facts, layout: Layout) -> Facts:
    return facts._replace(pte=facts.pte._replace(layout=layout))


def _with_pmd(facts: Facts, layout: Layout) -> Facts:
    return facts._replace(pmd=facts.pmd._replace(layout=layout))


def _offset_one_bit_up(facts: Facts) -> Facts:
    offset = facts.pmd.layout.offset
    moved = [zero(offset.lsb), offset._replace(lsb=offset.lsb + 1, width=offset.width - 1)]
    return _with_pmd(facts, _with_fields(facts.pmd.layout, {"offset": moved}))


def _offset_one_bit_narrow(facts: Facts) -> Facts:
    offset = facts.pmd.layout.offset
    narrow = [offset._replace(width=offset.width - 1), zero(offset.msb)]
    return _with_pmd(facts, _with_fields(facts.pmd.layout, {"offset": narrow}))


def _offset_not_inverted(facts: Facts) -> Facts:
    def plain(layout: Layout) -> Layout:
        return _with_fields(layout, {"offset": [layout.offset._replace(inverted=False)]})

    return _with_pmd(_with_pte(facts, plain(facts.pte.layout)), plain(facts.pmd.layout))


def _flags_swapped(facts: Facts) -> Facts:
    soft_dirty, uffd = facts.pmd.layout.field("soft_dirty"), facts.pmd.layout.field("uffd")
    swapped = {"soft_dirty": [uffd._replace(lsb=soft_dirty.lsb)], "uffd": [soft_dirty._replace(lsb=uffd.lsb)]}
    return _with_pmd(facts, _with_fields(facts.pmd.layout, swapped))


def _exclusive_on_a_bit_that_present_tests(facts: Facts) -> Facts:
    pse, exclusive = facts.pmd.layout.field("pse"), facts.pmd.layout.field("exclusive")
    changes = {"pse": [exclusive._replace(lsb=pse.lsb)], "exclusive": [pse._replace(lsb=exclusive.lsb)]}
    return _with_pmd(facts, _with_fields(facts.pmd.layout, changes))


def _must_be_one_bit_left_out(facts: Facts) -> Facts:
    huge = facts.pmd.layout.field("huge")
    return _with_pmd(facts, _with_fields(facts.pmd.layout, {"huge": [huge._replace(value=0)]}))


def _must_be_one_bit_of_the_pte_left_out(facts: Facts) -> Facts:
    pte = facts.pte.layout.field("pte")
    return _with_pte(facts, _with_fields(facts.pte.layout, {"pte": [pte._replace(value=0)]}))


def _type_shift_of_the_pte_in_the_pmd(facts: Facts) -> Facts:
    swp_type = facts.pmd.layout.type._replace(lsb=facts.pte.layout.type.lsb)
    fields = [
        *(field for field in facts.pmd.layout if field.msb < swp_type.lsb),
        swp_type,
        zero(swp_type.msb + 1, 4),
        *(field for field in facts.pmd.layout if field.lsb > facts.pmd.layout.type.msb),
    ]
    return _with_pmd(facts, Layout(fields))


def _present_test_forgets_a_bit(facts: Facts) -> Facts:
    return facts._replace(pmd=facts.pmd._replace(present=facts.pte.present))


def _none_test_looks_at_everything(facts: Facts) -> Facts:
    return facts._replace(pte=facts.pte._replace(none=lambda v: (v & 0xFF00000000000000) == 0))


@pytest.mark.parametrize(
    ("name", "options", "plant", "refuted"),
    [
        ("x86_64", {}, _offset_one_bit_up, ("pmd", "encode-decode")),
        ("arm64", {}, _offset_one_bit_up, ("pmd", "split")),
        ("s390x", {}, _offset_one_bit_up, ("pmd", "encode-decode")),
        ("x86_64", {}, _offset_one_bit_narrow, ("pmd", "pte-pmd-alike")),
        ("riscv64", {}, _offset_one_bit_narrow, ("pmd", "canonical")),
        ("x86_64", {}, _offset_not_inverted, ("pmd", "not-none")),
        ("x86_64", {}, _flags_swapped, ("pmd", "split")),
        ("x86_64", {}, _exclusive_on_a_bit_that_present_tests, ("pmd", "not-present")),
        ("loongarch64", {}, _must_be_one_bit_left_out, ("pmd", "not-present")),
        ("ppc64", {}, _must_be_one_bit_of_the_pte_left_out, ("pte", "not-none")),
        ("s390x", {}, _type_shift_of_the_pte_in_the_pmd, ("pmd", "not-none")),
        ("riscv64", {"svrsw60t59b": True}, _present_test_forgets_a_bit, ("pmd", "not-present")),
        ("arm64", {}, _none_test_looks_at_everything, ("pte", "not-none")),
    ],
)
def test_a_wrong_layout_is_refuted(
    name: str, options: dict[str, object], plant: Plant, refuted: tuple[LevelName, str]
) -> None:
    level, law_name = refuted
    [law] = (law for law in LAWS if law.name == law_name)
    assert not check(law, _planted(name, plant, **options).level(level)).documented


def _bugged(name: str, **helpers: object) -> list[ProofResult]:
    """What is undocumented of swap entries of the default configuration if some helpers are replaced."""
    original = pmdswp.get(name)
    arch = make(original.architecture, original.config)
    for helper, bug in helpers.items():
        # the classes are of this object alone
        setattr(type(arch), helper, bug)
        of_level = helper.replace("_pte", "").replace("pte_", "")
        if of_level != helper:
            setattr(type(arch.pte), of_level, bug)
    return [result for result in Subject(arch, arch.levels, ()).prove() if not result.documented]


def test_a_predicate_that_is_never_true_is_refuted_and_does_not_make_laws_hold_for_nothing() -> None:
    refuted = _bugged("arm64", pmd_is_valid_softleaf=lambda _self, v: v != v)  # noqa: PLR0124
    assert {result.law for result in refuted} == {"kinds", "join-split"}


def test_a_split_into_empty_entries_is_refuted() -> None:
    refuted = _bugged("arm64", pmd_entry_to_pte=lambda _self, v, _i: v & 0)
    assert "split" in {result.law for result in refuted}


def test_a_helper_that_refuses_what_it_must_take_is_reported_and_not_raised() -> None:
    def refuse(_self: Arch, _v: int) -> int:
        raise pmdswp.DecodeError("no")

    refuted = _bugged("arm64", softleaf_from_pte=refuse)
    assert "softleaf-from" in {result.law for result in refuted}
    assert "Undocumented. A helper refused: no" in {result.explanation for result in refuted}


def test_a_law_that_no_input_is_left_for_is_not_proved() -> None:
    def nothing(level: Level, solver: Solver) -> Iterator[Claim]:
        word: Any = solver.word("word")
        solver.assume(cast("Any", level.none(word) & level.present(word)))
        yield Claim(word, level.none(word))

    result = check(Law("nothing", "", nothing), pmdswp.get("arm64").pte)
    assert (result.status, result.documented) == ("hazard", False)
    assert "No input is left" in result.explanation


def test_an_undocumented_hazard_beside_a_documented_one_is_shown_with_its_own_word() -> None:
    def also_0x1000(_self: Arch, v: int) -> bool:
        return (v == 0) | (v == 0x1000)

    [result] = [found for found in _bugged("arm64", pte_none=also_0x1000) if found.law == "not-none"]
    assert (result.witness, result.documented) == (0x1000, False)


def test_a_documented_hazard_that_is_none_is_reported() -> None:
    [result] = [found for found in _bugged("arm64", pte_none=lambda _self, v: v != v) if found.law == "not-none"]  # noqa: PLR0124
    assert (result.status, result.witness, result.documented) == ("hazard", 0, False)


def test_without_a_bug_what_is_planted_is_the_architecture_itself() -> None:
    for name in pmdswp.names():
        arch, planted = pmdswp.get(name), _planted(name, lambda facts: facts)
        # of which the proofs hold, as tested above
        assert (planted.source, planted.pte_layout, planted.pmd_layout) == (
            arch.source,
            arch.pte_layout,
            arch.pmd_layout,
        )


# --- planted bugs in present words ----------------------------------------------------------------------------

PresentPlant = Callable[[PresentFacts], PresentFacts]


def _refuted(laws: set[str], name: str, level: LevelName, plant: PresentPlant, **options: object) -> set[str]:
    """Those of these laws of present words that do not hold at a level with a bug in it."""
    arch = pmdswp.arch.get_with(name, options)
    original = arch.architecture

    def present(config: Config) -> dict[LevelName, PresentFacts]:
        levels = dict(original.present(config))
        return {**levels, level: plant(levels[level])}

    planted = make(original._replace(present=present), arch.config).level(level)
    asked = [law for law in (*PRESENT_LAWS, *WALK_LAWS) if law.name in laws]
    return {law.name for law in asked if not check(law, planted).documented}


def _attribute(facts: PresentFacts, name: str) -> Attribute:
    found = facts.attributes[name]
    assert found is not None
    return found


def _with_attribute(facts: PresentFacts, name: str, **changes: Any) -> PresentFacts:
    attribute = _attribute(facts, name)._replace(**changes)
    return facts._replace(attributes={**facts.attributes, name: attribute})


def _page_address_one_bit_up(facts: PresentFacts) -> PresentFacts:
    return facts._replace(page_address=lambda v: cast("PresentLayout", facts.page).address(v) << 1)


def _inversion_forgotten(facts: PresentFacts) -> PresentFacts:
    return facts._replace(page_address=lambda v: cast("PresentLayout", facts.page).address(facts.plain(v)))


def _not_its_own_inverse(facts: PresentFacts) -> PresentFacts:
    return facts._replace(plain=lambda v: v ^ where(v, (v & 1) == 0, 1))


def _pfn_one_bit_down(facts: PresentFacts) -> PresentFacts:
    return facts._replace(pfn=lambda v: (v & 0x000FFFFFFFFFF000) >> 11)


def _clearing_young_clears_dirty(facts: PresentFacts) -> PresentFacts:
    young, dirty = (cast("PresentLayout", facts.page).flags[name] for name in ("young", "dirty"))
    bug = any_bit(young)._replace(clear=lambda v: v & (MASK64 ^ (young | dirty)))
    return facts._replace(attributes={**facts.attributes, "young": bug})


def _young_and_user_swapped(facts: PresentFacts) -> PresentFacts:
    young, user = (cast("PresentLayout", facts.page).flags[name] for name in ("young", "user"))
    bug = any_bit(young)._replace(set=any_bit(user).set)
    return facts._replace(attributes={**facts.attributes, "young": bug})


def _set_does_nothing(facts: PresentFacts) -> PresentFacts:
    return _with_attribute(facts, "write", set=lambda v: v)


def _undeclared(facts: PresentFacts) -> PresentFacts:
    return _with_attribute(facts, "dirty", set_changes={})


def _declared_and_not_so(facts: PresentFacts) -> PresentFacts:
    return _with_attribute(facts, "dirty", set_changes={"soft_dirty": True, "exec": True})


def _an_attribute_of_an_address_bit(facts: PresentFacts) -> PresentFacts:
    return _with_attribute(facts, "exec", test=lambda v: (v & 1 << 30) != 0)


def _base_not_present(facts: PresentFacts) -> PresentFacts:
    return facts._replace(base=0)


def _table_base_forgotten(facts: PresentFacts) -> PresentFacts:
    return facts._replace(table_base=facts.table_base & 1)


def _no_exceptions(facts: PresentFacts) -> PresentFacts:
    return facts._replace(exceptions={})


def _next_table_one_bit_up(facts: PresentFacts) -> PresentFacts:
    return facts._replace(table_address=lambda v: (v & 0x000FFFFFFFFFF000) << 1)


@pytest.mark.parametrize(
    ("name", "level", "plant", "options", "refuted"),
    [
        ("x86_64", "pte", _page_address_one_bit_up, {}, {"pages"}),
        ("x86_64", "pte", _inversion_forgotten, {}, {"pages"}),
        ("x86_64", "pte", _not_its_own_inverse, {}, {"inversion"}),
        ("arm64", "pmd", _pfn_one_bit_down, {}, {"pages", "frames"}),
        ("s390x", "pte", _clearing_young_clears_dirty, {}, {"attributes"}),
        ("x86_64", "pte", _young_and_user_swapped, {}, {"attributes"}),
        ("x86_64", "pmd", _set_does_nothing, {}, {"attributes"}),
        ("riscv64", "pte", _set_does_nothing, {}, {"attributes"}),
        ("s390x", "pud", _undeclared, {}, {"attributes"}),
        ("ppc64", "pmd", _declared_and_not_so, {}, {"attributes"}),
        ("x86_64", "pud", _an_attribute_of_an_address_bit, {}, {"attributes", "attribute-numbers"}),
        ("arm64", "pte", _base_not_present, {}, {"pages"}),
        ("x86_64", "pmd", _table_base_forgotten, {}, {"tables"}),
        ("x86_64", "pmd", _next_table_one_bit_up, {}, {"tables", "next-table"}),
        ("loongarch64", "pmd", _no_exceptions, {"page_size": 4096}, {"tables", "pages", "frames"}),
        ("s390x", "pgd", _no_exceptions, {}, {"one-state", "tables"}),
        ("s390x", "pud", _no_exceptions, {"kernel": "6.6"}, {"pages", "attributes"}),
    ],
)
def test_a_wrong_present_word_is_refuted(
    name: str, level: LevelName, plant: PresentPlant, options: dict[str, object], refuted: set[str]
) -> None:
    assert _refuted(refuted, name, level, lambda facts: facts, **options) == set()
    assert _refuted(refuted, name, level, plant, **options) == refuted


@pytest.mark.parametrize(
    "wrong",
    [
        lambda level, va: (va >> level.shift + 1) & level.entries - 1,
        lambda level, va: (va >> level.shift) & level.entries - 2,
        lambda level, va: (va >> level.shift) & 2 * level.entries - 1,
        lambda level, va: ((va >> level.shift) & level.entries - 1) | 1,
    ],
)
def test_a_wrong_index_is_refuted(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Level, int], int]) -> None:
    [law] = [law for law in WALK_LAWS if law.name == "indices"]
    level = pmdswp.get("arm64", page_size=16384, pa_bits=52, va_bits=52).level("pmd")
    assert check(law, level).status == "proved"
    monkeypatch.setattr(law.claims.__module__ + ".entry_index", wrong)
    assert check(law, level).status == "hazard"


def test_a_broken_law_of_present_words_is_explained_with_its_attributes() -> None:
    arch = pmdswp.get("s390x")
    broken = Law("never", "No page.", _no_page, about="present words")
    result = check(broken, arch.pte)
    assert (result.status, result.documented) == ("hazard", False)
    assert "The law: No page. The smallest word, 0x1, has the attributes exec, protnone;" in result.explanation


def _no_page(level: Level, solver: Solver) -> Iterator[Claim]:
    word: Any = solver.word("word")
    yield Claim(word, level.present(word) == False)  # noqa: E712


@pytest.mark.parametrize("name", pmdswp.names())
def test_what_is_declared_of_attributes_is_of_attributes_that_there_are(name: str) -> None:
    for level in pmdswp.get(name).tables:
        for changes in (level.set_changes, level.clear_changes):
            assert set(changes) == set(level.attribute_names)
            assert {other for others in changes.values() for other in others} <= set(level.attribute_names)


# --- the documents ------------------------------------------------------------------------------------------


def _document(name: str) -> str:
    return " ".join((Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8").split())


def test_the_reference_lists_every_hazard() -> None:
    document = _document("reference/hazards.md").replace("`", "")
    for name, hazard in HAZARDS:
        assert f"{name} {' and '.join(level.upper() for level in hazard.levels)}: {hazard.entries}" in document
        assert f"Reads as {hazard.reads_as.name}. {hazard.explanation}" in document
    # one section each, and one for what no law forbids
    assert document.count(" ## ") == len(HAZARDS) + 1


def test_the_explanation_states_every_law() -> None:
    document = _document("explanation/proofs.md")
    for law in LAWS:
        assert f"**{law.name}**: {law.statement}" in document
