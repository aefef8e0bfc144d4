"""Every worked example of data/worked_examples, both ways, at each level and kernel it holds for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import pytest

import pmdswp
from data_files import DATA, Fields
from examples.common import configure, kernels_of
from facts import REFUSED, or_refused
from levels import apply, ask
from pmdswp import Arch, Entry, SoftLeaf, SoftLeafType, State
from pmdswp.config import Options
from pmdswp.softleaf import FLAGS, LevelName
from timeline import EVER, PMD_DEVICE_PRIVATE

EXAMPLES_OF = {
    "x86_64": 31,
    "arm64": 22,
    "riscv64": 19,
    "s390x": 14,
    "ppc64": 24,
    "loongarch64": 35,
}
LEVELS: tuple[LevelName, ...] = ("pte", "pmd")


@dataclass(frozen=True)
class Form:
    """What an example looks like at one level.

    `softleaf` is what the kernel's `softleaf_from_pte` or `softleaf_from_pmd` makes of the word; `read_back` is the
    architecture's own `swp_entry_t` of the word without its flags.
    """

    level: LevelName
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

    def __repr__(self) -> str:
        return f"{self.example.source} {self.form.level} on {self.arch!r}"


def read_form(level: LevelName, fields: Fields) -> Form:
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


@cache
def examples_of(name: str) -> tuple[Example, ...]:
    """Every example of one architecture."""
    return tuple(read_example(name, row) for row in read_table(name, "examples"))


@cache
def cases_of(name: str, *levels: LevelName) -> tuple[Case, ...]:
    """Every example at each of `levels`, on each revision and in each configuration that has it."""
    return tuple(
        Case(example, form, configure(name, kernel, options))
        for example in examples_of(name)
        for form in example.forms
        if form.level in levels
        for kernel in kernels_of(name, form.kernels)
        for options in example.configurations
    )


def refused_pmds_of(name: str) -> Iterator[Case]:
    """The PMD forms that a kernel does not have although it has the PTE form of the same example."""
    for example in examples_of(name):
        if len(example.forms) == len(LEVELS):
            pte, pmd = example.forms
            for kernel in kernels_of(name, pte.kernels):
                if kernel not in pmd.kernels:
                    yield Case(example, pmd, configure(name, kernel, example.configurations[0]))


each_architecture = pytest.mark.parametrize("name", EXAMPLES_OF)


@pytest.mark.parametrize(("arch", "count"), EXAMPLES_OF.items())
def test_no_example_is_lost(arch: str, count: int) -> None:
    sources = {example.source for example in examples_of(arch)}
    assert len(sources) == len(read_table(arch, "examples")) == count


@each_architecture
def test_every_release_listed_stores_the_word_and_reads_it_again(name: str) -> None:
    for example in examples_of(name):
        for form, options in product(example.forms, example.configurations):
            for kernel in form.kernels:
                place = configure(example.arch, kernel, options).level(form.level)
                word = place.encode(*example.leaf, **example.flag_arguments)
                assert f"{word:#018x}" == f"{form.word:#018x}", place
                assert place.decode(form.word).state is form.state, place
                assert place.arch.softleaf_type(example.leaf) is example.kind, place


@each_architecture
def test_encoding_gives_the_word(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, form, arch = case
        swp_type, offset = example.leaf
        word = arch.level(form.level).encode(swp_type, offset, **example.flag_arguments)
        assert f"{word:#018x}" == f"{form.word:#018x}", case


@each_architecture
def test_decoding_gives_what_the_kernel_sees_in_the_word(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, form, arch = case
        entry = arch.level(form.level).decode(form.word)
        if form.state is State.SOFTLEAF:
            fields = example.flag_arguments
            assert entry == Entry(form.level, form.word, State.SOFTLEAF, example.leaf, example.kind, **fields), case
        else:
            assert entry == Entry(form.level, form.word, form.state), case


@each_architecture
def test_word_and_bytes_in_memory_stand_for_each_other(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        place = case.arch.level(case.form.level)
        assert place.to_bytes(case.form.word) == case.form.memory, case
        assert place.from_bytes(case.form.memory) == case.form.word, case


@each_architecture
def test_softleaf_is_what_the_kernel_reads_from_the_word(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, form, arch = case
        place = arch.level(form.level)
        seen = example.leaf if form.state is State.SOFTLEAF else SoftLeaf.none()
        assert example.leaf.val == example.generic, case
        assert SoftLeaf.from_val(example.generic) == example.leaf, case
        assert form.softleaf == seen, case
        assert place.softleaf_from(form.word) == seen, case


@each_architecture
def test_flag_helpers_make_the_word_of_the_bare_softleaf_and_undo_it(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, form, arch = case
        place = arch.level(form.level)
        bare = word = place.softleaf_to(example.leaf)
        # those of the other flags need not exist: no PMD has an exclusive bit before the swap series
        for flag in example.flags:
            assert not ask(place, f"swp_{flag}", word), case
            word = apply(place, f"swp_mk{flag}", word)
            assert ask(place, f"swp_{flag}", word), case
        assert word == form.word, case
        for flag in example.flags:
            word = apply(place, f"swp_clear_{flag}", word)
        assert word == bare, case


@each_architecture
def test_arch_swp_entry_converts_to_the_bare_word_and_back(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, form, arch = case
        place = arch.level(form.level)
        entry = arch.arch_swp_entry(*example.leaf)
        bare = place.softleaf_to(example.leaf)
        assert f"{entry:#018x}" == f"{example.arch_swp_entry:#018x}", case
        assert place.from_arch_swp_entry(entry) == bare, case
        assert apply(place, "to_arch_swp_entry", bare) == form.read_back, case
        for value in (entry, form.read_back, apply(place, "to_arch_swp_entry", form.word)):
            assert (arch.arch_swp_type(value), arch.arch_swp_offset(value)) == example.leaf, case


@each_architecture
def test_kind_and_contents_of_the_softleaf_are_as_named(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        example, _, arch = case
        assert arch.softleaf_type(example.leaf) is example.kind, case
        assert (example.pfn is not None) is example.kind.has_pfn, case
        assert (example.markers is not None) is (example.kind is SoftLeafType.MARKER), case
        if example.pfn is not None:
            assert arch.softleaf_pfn(example.leaf) == example.pfn, case
            assert arch.softleaf_young(example.leaf) is example.young, case
            assert arch.softleaf_dirty(example.leaf) is example.dirty, case
        if example.markers is not None:
            assert arch.softleaf_markers(example.leaf) == example.markers, case


@each_architecture
def test_none_and_present_are_as_the_example_says(name: str) -> None:
    for case in cases_of(name, *LEVELS):
        place = case.arch.level(case.form.level)
        assert ask(place, "none", case.form.word) is (case.form.state is State.NONE), case
        assert ask(place, "present", case.form.word) is (case.form.state is State.PRESENT), case


@each_architecture
def test_pmd_that_reads_as_present_reads_as_huge_too(name: str) -> None:
    for case in cases_of(name, "pmd"):
        present = case.form.state is State.PRESENT
        assert case.arch.pmd_trans_huge(case.form.word) is present, case
        assert case.arch.pmd_leaf(case.form.word) or not present, case


@each_architecture
def test_only_markers_are_markers(name: str) -> None:
    for case in cases_of(name, "pte"):
        is_marker = case.example.kind is SoftLeafType.MARKER
        assert case.arch.pte_is_marker(case.form.word) is is_marker, case


@each_architecture
def test_pmd_is_the_entry_its_kind_says(name: str) -> None:
    for case in cases_of(name, "pmd"):
        example, form, arch = case
        kind = example.kind if form.state is State.SOFTLEAF else SoftLeafType.NONE
        is_swap = kind is SoftLeafType.SWAP
        assert arch.pmd_is_migration_entry(form.word) is kind.is_migration, case
        if arch.kernel in PMD_DEVICE_PRIVATE:
            assert arch.pmd_is_device_private_entry(form.word) is kind.is_device_private, case
        if arch.has_pmd_swap:
            assert arch.pmd_is_swap_entry(form.word) is is_swap, case
        assert arch.pmd_is_valid_softleaf(form.word) is (
            kind.is_migration
            or (kind.is_device_private and arch.kernel in PMD_DEVICE_PRIVATE)
            or (is_swap and arch.has_pmd_swap)
        ), case


@each_architecture
def test_split_gives_the_pte_of_the_example_first(name: str) -> None:
    for case in cases_of(name, "pmd"):
        example, form, arch = case
        if not arch.has_pmd_swap:
            continue
        pte, _ = example.forms
        first_page = example.leaf.offset if example.pfn is None else example.pfn
        is_aligned = first_page % arch.hpage_pmd_nr == 0
        ptes = or_refused(partial(arch.split_pmd, form.word), pmdswp.DecodeError)
        if form.state is State.SOFTLEAF and example.kind is not SoftLeafType.NONE and is_aligned:
            assert isinstance(ptes, list), case
            assert ptes[0] == pte.word, case
        else:
            assert ptes == REFUSED, case


@each_architecture
def test_kernel_without_the_pmd_form_refuses_to_encode_it(name: str) -> None:
    for case in refused_pmds_of(name):
        example, _, arch = case
        refusal = pmdswp.EncodeError if arch.has_pmd_softleaf else pmdswp.UnsupportedError
        word = or_refused(partial(arch.encode_pmd, *example.leaf, **example.flag_arguments), refusal)
        assert word == REFUSED, case


@each_architecture
def test_empty_entry_is_none_on_every_kernel(name: str) -> None:
    for row, kernel in product(read_table(name, "empty"), EVER):
        options: Options = {}
        if "invalid_pte_table" in row["options"]:
            options["invalid_pte_table"] = int(row["options"]["invalid_pte_table"], 16)
        word = int(row["word"], 16)
        memory = bytes.fromhex(row["bytes"])
        place = configure(name, kernel, options).level(row["level"])
        assert ask(place, "none", word), place
        assert not ask(place, "present", word), place
        assert place.decode(word) == Entry(row["level"], word, State.NONE), place
        assert place.to_bytes(word) == memory, place
        assert place.from_bytes(memory) == word, place
