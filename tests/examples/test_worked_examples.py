"""Every worked example of data/worked_examples, both ways, at each level and kernel it holds for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import pytest

import pmdswp
from data_files import DATA, Fields
from examples.common import configure, kernels_of
from pmdswp import Arch, Entry, SoftLeaf, SoftLeafType, State
from pmdswp.config import Options
from pmdswp.softleaf import FLAGS
from pmdswp.softleaf import LevelName as Level
from slots import Slot
from timeline import EVER, PMD_DEVICE_PRIVATE

EXAMPLES_OF = {
    "x86_64": 31,
    "arm64": 22,
    "riscv64": 19,
    "s390x": 14,
    "ppc64": 24,
    "loongarch64": 35,
}
LEVELS: tuple[Level, ...] = ("pte", "pmd")


@dataclass(frozen=True)
class Form:
    """What an example looks like at one level.

    `softleaf` is what the kernel's `softleaf_from_pte` or `softleaf_from_pmd` makes of the word; `read_back` is the
    architecture's own `swp_entry_t` of the word without its flags.
    """

    level: Level
    kernels: tuple[str, ...]
    state: State
    word: int
    memory: bytes
    softleaf: SoftLeaf
    read_back: int


@dataclass(frozen=True)
class Example:
    """One row of a table of worked examples. `pfn`, `young` and `dirty` are None for kinds without them."""

    arch: str
    source: str
    configurations: tuple[Options, ...]
    kind: SoftLeafType
    leaf: SoftLeaf
    flags: tuple[str, ...]
    generic: int
    arch_swp_entry: int
    forms: tuple[Form, ...]
    pfn: int | None
    young: bool | None
    dirty: bool | None
    markers: int | None

    @property
    def flag_arguments(self) -> dict[str, bool]:
        return {flag: flag in self.flags for flag in FLAGS}


class Case(NamedTuple):
    """One example at one level, on one kernel in one configuration."""

    example: Example
    form: Form
    arch: Arch


def read_form(level: Level, fields: Fields) -> Form:
    form = Form(
        level=level,
        kernels=tuple(fields.texts("kernels")),
        state=State(fields.text("state")),
        word=fields.number("word"),
        memory=fields.memory("bytes"),
        softleaf=SoftLeaf.from_val(fields.number("softleaf")),
        read_back=fields.number("read_back"),
    )
    fields.done()
    return form


def read_example(arch: str, row: dict[str, Any]) -> Example:
    configurations: list[Options] = row.pop("configurations")
    fields = Fields(row).without("meaning")
    example = Example(
        arch=arch,
        source=fields.text("source"),
        configurations=tuple(configurations),
        kind=SoftLeafType[fields.text("kind")],
        leaf=SoftLeaf(fields.number("type"), fields.number("offset")),
        flags=tuple(fields.texts("flags")),
        generic=fields.number("generic"),
        arch_swp_entry=fields.number("arch_swp_entry"),
        forms=tuple(read_form(level, fields.inner(level)) for level in LEVELS if level in fields),
        pfn=fields.number("pfn") if "pfn" in fields else None,
        young=bool(fields.number("young")) if "young" in fields else None,
        dirty=bool(fields.number("dirty")) if "dirty" in fields else None,
        markers=fields.number("markers") if "markers" in fields else None,
    )
    fields.done()
    return example


def read_table(arch: str, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((DATA / f"worked_examples/{arch}.json").read_text())[table]
    return rows


EXAMPLES = [read_example(arch, row) for arch in EXAMPLES_OF for row in read_table(arch, "examples")]


# Every example at each of its levels, on each revision and in each configuration that has it.
CASES = [
    Case(example, form, configure(example.arch, kernel, options))
    for example in EXAMPLES
    for form in example.forms
    for kernel in kernels_of(example.arch, form.kernels)
    for options in example.configurations
]
PTE_CASES = [case for case in CASES if case.form.level == "pte"]
PMD_CASES = [case for case in CASES if case.form.level == "pmd"]

# The PMD forms that a kernel does not have although it has the PTE form of the same example.
REFUSED_PMDS = [
    Case(example, pmd, configure(example.arch, kernel, example.configurations[0]))
    for example in EXAMPLES
    if len(example.forms) == len(LEVELS)
    for pte, pmd in [example.forms]
    for kernel in kernels_of(example.arch, pte.kernels)
    if kernel not in pmd.kernels
]

EMPTY_ENTRIES = [pytest.param(arch, row, id=row["source"]) for arch in EXAMPLES_OF for row in read_table(arch, "empty")]


def title(case: Case) -> str:
    example, form, arch = case
    return f"{example.source} {form.level} on {arch!r}"


@pytest.mark.parametrize(("arch", "count"), EXAMPLES_OF.items())
def test_no_example_is_lost(arch: str, count: int) -> None:
    sources = {example.source for example in EXAMPLES if example.arch == arch}
    assert len(sources) == len(read_table(arch, "examples")) == count


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.source)
def test_every_release_listed_stores_the_word_and_reads_it_again(example: Example) -> None:
    for form in example.forms:
        for kernel, options in product(form.kernels, example.configurations):
            slot = Slot(configure(example.arch, kernel, options), form.level)
            word = slot.encode(*example.leaf, **example.flag_arguments)
            assert f"{word:#018x}" == f"{form.word:#018x}", slot
            assert slot.decode(form.word).state is form.state, slot
            assert slot.arch.softleaf_type(example.leaf) is example.kind, slot


@pytest.mark.parametrize("case", CASES, ids=title)
def test_encoding_gives_the_word(case: Case) -> None:
    example, form, arch = case
    swp_type, offset = example.leaf
    word = Slot(arch, form.level).encode(swp_type, offset, **example.flag_arguments)
    assert f"{word:#018x}" == f"{form.word:#018x}"


@pytest.mark.parametrize("case", CASES, ids=title)
def test_decoding_gives_what_the_kernel_sees_in_the_word(case: Case) -> None:
    example, form, arch = case
    entry = Slot(arch, form.level).decode(form.word)
    if form.state is State.SOFTLEAF:
        fields = example.flag_arguments
        assert entry == Entry(form.level, form.word, State.SOFTLEAF, example.leaf, example.kind, **fields)
    else:
        assert entry == Entry(form.level, form.word, form.state)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_word_and_bytes_in_memory_stand_for_each_other(case: Case) -> None:
    slot = Slot(case.arch, case.form.level)
    assert slot.to_bytes(case.form.word) == case.form.memory
    assert slot.from_bytes(case.form.memory) == case.form.word


@pytest.mark.parametrize("case", CASES, ids=title)
def test_softleaf_is_what_the_kernel_reads_from_the_word(case: Case) -> None:
    example, form, arch = case
    slot = Slot(arch, form.level)
    seen = example.leaf if form.state is State.SOFTLEAF else SoftLeaf.none()
    assert example.leaf.val == example.generic
    assert SoftLeaf.from_val(example.generic) == example.leaf
    assert form.softleaf == seen
    assert slot.softleaf_from(form.word) == seen


@pytest.mark.parametrize("case", CASES, ids=title)
def test_flag_helpers_make_the_word_of_the_bare_softleaf_and_undo_it(case: Case) -> None:
    example, form, arch = case
    slot = Slot(arch, form.level)
    bare = word = slot.softleaf_to(example.leaf)
    # those of the other flags need not exist: no PMD has an exclusive bit before the swap series
    for flag in example.flags:
        assert not slot.test(f"swp_{flag}", word)
        word = slot.apply(f"swp_mk{flag}", word)
        assert slot.test(f"swp_{flag}", word)
    assert word == form.word
    for flag in example.flags:
        word = slot.apply(f"swp_clear_{flag}", word)
    assert word == bare


@pytest.mark.parametrize("case", CASES, ids=title)
def test_arch_swp_entry_converts_to_the_bare_word_and_back(case: Case) -> None:
    example, form, arch = case
    slot = Slot(arch, form.level)
    entry = arch.arch_swp_entry(*example.leaf)
    bare = slot.softleaf_to(example.leaf)
    assert f"{entry:#018x}" == f"{example.arch_swp_entry:#018x}"
    assert slot.from_arch_entry(entry) == bare
    assert slot.apply("to_arch_swp_entry", bare) == form.read_back
    for value in (entry, form.read_back, slot.apply("to_arch_swp_entry", form.word)):
        assert (arch.arch_swp_type(value), arch.arch_swp_offset(value)) == example.leaf


@pytest.mark.parametrize("case", CASES, ids=title)
def test_kind_and_contents_of_the_softleaf_are_as_named(case: Case) -> None:
    example, _, arch = case
    assert arch.softleaf_type(example.leaf) is example.kind
    assert (example.pfn is not None) is example.kind.has_pfn
    assert (example.markers is not None) is (example.kind is SoftLeafType.MARKER)
    if example.pfn is not None:
        assert arch.softleaf_pfn(example.leaf) == example.pfn
        assert arch.softleaf_young(example.leaf) is example.young
        assert arch.softleaf_dirty(example.leaf) is example.dirty
    if example.markers is not None:
        assert arch.softleaf_markers(example.leaf) == example.markers


@pytest.mark.parametrize("case", CASES, ids=title)
def test_none_and_present_are_as_the_example_says(case: Case) -> None:
    slot = Slot(case.arch, case.form.level)
    assert slot.test("none", case.form.word) is (case.form.state is State.NONE)
    assert slot.test("present", case.form.word) is (case.form.state is State.PRESENT)


@pytest.mark.parametrize("case", PMD_CASES, ids=title)
def test_pmd_that_reads_as_present_reads_as_huge_too(case: Case) -> None:
    present = case.form.state is State.PRESENT
    assert case.arch.pmd_trans_huge(case.form.word) is present
    assert case.arch.pmd_leaf(case.form.word) or not present


@pytest.mark.parametrize("case", PTE_CASES, ids=title)
def test_only_markers_are_markers(case: Case) -> None:
    is_marker = case.example.kind is SoftLeafType.MARKER
    assert case.arch.pte_is_marker(case.form.word) is is_marker


@pytest.mark.parametrize("case", PMD_CASES, ids=title)
def test_pmd_is_the_entry_its_kind_says(case: Case) -> None:
    example, form, arch = case
    kind = example.kind if form.state is State.SOFTLEAF else SoftLeafType.NONE
    is_swap = kind is SoftLeafType.SWAP
    assert arch.pmd_is_migration_entry(form.word) is kind.is_migration
    if arch.kernel in PMD_DEVICE_PRIVATE:
        assert arch.pmd_is_device_private_entry(form.word) is kind.is_device_private
    if arch.has_pmd_swap:
        assert arch.pmd_is_swap_entry(form.word) is is_swap
    assert arch.pmd_is_valid_softleaf(form.word) is (
        kind.is_migration
        or (kind.is_device_private and arch.kernel in PMD_DEVICE_PRIVATE)
        or (is_swap and arch.has_pmd_swap)
    )


@pytest.mark.parametrize("case", [case for case in PMD_CASES if case.arch.has_pmd_swap], ids=title)
def test_split_gives_the_pte_of_the_example_first(case: Case) -> None:
    example, form, arch = case
    pte, _ = example.forms
    first_page = example.leaf.offset if example.pfn is None else example.pfn
    splits = (
        form.state is State.SOFTLEAF and example.kind is not SoftLeafType.NONE and first_page % arch.hpage_pmd_nr == 0
    )
    if splits:
        assert arch.split_pmd(form.word)[0] == pte.word
    else:
        with pytest.raises(pmdswp.DecodeError):
            arch.split_pmd(form.word)


@pytest.mark.parametrize("case", REFUSED_PMDS, ids=title)
def test_kernel_without_the_pmd_form_refuses_to_encode_it(case: Case) -> None:
    example, _, arch = case
    refusal = pmdswp.EncodeError if arch.has_pmd_softleaf else pmdswp.UnsupportedError
    with pytest.raises(refusal):
        arch.encode_pmd(*example.leaf, **example.flag_arguments)


@pytest.mark.parametrize(("name", "row"), EMPTY_ENTRIES)
def test_empty_entry_is_none_on_every_kernel(name: str, row: dict[str, Any]) -> None:
    options: Options = {}
    if "invalid_pte_table" in row["options"]:
        options["invalid_pte_table"] = int(row["options"]["invalid_pte_table"], 16)
    word = int(row["word"], 16)
    memory = bytes.fromhex(row["bytes"])
    for kernel in EVER:
        slot = Slot(configure(name, kernel, options), row["level"])
        assert slot.test("none", word), slot
        assert not slot.test("present", word), slot
        assert slot.decode(word) == Entry(row["level"], word, State.NONE), slot
        assert slot.to_bytes(word) == memory, slot
        assert slot.from_bytes(memory) == word, slot
