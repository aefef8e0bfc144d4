"""One PMD entry and its run of PTEs stand for each other; whatever does not is refused where it breaks."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from levels import ask
from pmdswp import Arch, DecodeError, FieldKind, JoinError, SoftLeafType, State
from pmdswp.arch import Level
from property.generators import (
    MAX_TYPE,
    LevelWord,
    Storable,
    flag_sets,
    level_words,
    pmd_levels,
    splittables,
)
from timeline import LOONGARCH_BIT_60, PMD_DEVICE_PRIVATE, PTE_EXCLUSIVE, SERIES

# A run can be 8192 words long.
FEWER = settings(max_examples=max(10, settings().max_examples // 4))

EMPTY_PTE = {"s390x": 0x400}
PRESENT_PTE = {
    "x86_64": 0x1,
    "arm64": 0x1,
    "riscv64": 0x1,
    "s390x": 0x1,
    "ppc64": 0xC000000000000000,
    "loongarch64": 0x80,
}


def run_of(pmd: Storable) -> list[int]:
    """The PTE words that the PMD entry splits into, each encoded on its own."""
    encode, flags = pmd.place.arch.encode_pte, dict.fromkeys(pmd.flags, True)
    run = range(pmd.offset, pmd.offset + pmd.place.arch.hpage_pmd_nr)
    return [encode(pmd.swp_type, offset, **flags) for offset in run]


@st.composite
def broken_runs(draw: st.DrawFn, first: int = 0) -> tuple[Storable, int]:
    """An entry that splits, and which of its PTEs to break, from index `first` on."""
    pmd = draw(splittables())
    nr = pmd.place.arch.hpage_pmd_nr
    return pmd, draw(st.sampled_from((first, nr // 2, nr - 1)) | st.integers(first, nr - 1))


def assert_join_breaks_at(index: int | None, pmd: Storable, ptes: list[int]) -> None:
    with pytest.raises(JoinError) as caught:
        pmd.place.arch.join_ptes(ptes)
    assert caught.value.index == index
    assert caught.value.reason
    assert caught.value.reason in str(caught.value)


@FEWER
@given(splittables())
def test_split_gives_the_type_and_flags_and_consecutive_offsets(pmd: Storable) -> None:
    assert pmd.place.arch.split_pmd(pmd.word) == run_of(pmd)


@FEWER
@given(splittables())
def test_join_undoes_split(pmd: Storable) -> None:
    arch = pmd.place.arch
    assert arch.join_ptes(arch.split_pmd(pmd.word)) == pmd.word


@FEWER
@given(splittables())
def test_split_undoes_join(pmd: Storable) -> None:
    ptes = run_of(pmd)
    assert pmd.place.arch.join_ptes(ptes) == pmd.word
    assert pmd.place.arch.split_pmd(pmd.place.arch.join_ptes(ptes)) == ptes


@FEWER
@given(splittables())
def test_join_takes_any_iterable(pmd: Storable) -> None:
    assert pmd.place.arch.join_ptes(iter(run_of(pmd))) == pmd.word


@FEWER
@given(broken_runs())
def test_each_pte_keeps_kind_and_ages_and_has_the_next_pfn(case: tuple[Storable, int]) -> None:
    pmd, index = case
    arch = pmd.place.arch
    leaf = arch.softleaf_from_pte(arch.split_pmd(pmd.word)[index])
    kind = arch.softleaf_type(pmd.leaf)
    assert arch.softleaf_type(leaf) is kind
    if kind is SoftLeafType.SWAP:
        assert leaf.offset == pmd.offset + index
        return
    assert arch.softleaf_pfn(leaf) == arch.softleaf_pfn(pmd.leaf) + index
    assert arch.softleaf_young(leaf) is arch.softleaf_young(pmd.leaf)
    assert arch.softleaf_dirty(leaf) is arch.softleaf_dirty(pmd.leaf)


@given(broken_runs())
def test_one_entry_changes_its_level_as_split_and_join_do_it(case: tuple[Storable, int]) -> None:
    pmd, index = case
    arch = pmd.place.arch
    assert arch.pmd_entry_to_pte(pmd.word, index) == pmd.pte(index).word
    assert arch.pte_entry_to_pmd(pmd.pte(0).word) == pmd.word


def ptes_have_exclusive(arch: Arch) -> bool:
    return arch.kernel in PTE_EXCLUSIVE[arch.name]


@FEWER
@given(broken_runs(first=1).filter(lambda case: ptes_have_exclusive(case[0].place.arch)), st.data())
def test_a_flag_that_differs_breaks_the_run(case: tuple[Storable, int], data: st.DataObject) -> None:
    pmd, index = case
    ptes = run_of(pmd)
    flag = data.draw(st.sampled_from(sorted(pmd.pte(index).place.require_layout().flags)), "flag")
    ptes[index] = pmd.pte(index)._replace(flags=pmd.flags ^ {flag}).word
    assert_join_breaks_at(index, pmd, ptes)


@FEWER
@given(broken_runs(first=1), st.integers(1, MAX_TYPE))
def test_a_type_that_differs_breaks_the_run(case: tuple[Storable, int], change: int) -> None:
    pmd, index = case
    ptes = run_of(pmd)
    ptes[index] = pmd.pte(index)._replace(swp_type=pmd.swp_type ^ change).word
    assert_join_breaks_at(index, pmd, ptes)


@FEWER
@given(broken_runs(first=1), st.data())
def test_an_offset_that_does_not_step_by_one_breaks_the_run(case: tuple[Storable, int], data: st.DataObject) -> None:
    pmd, index = case
    ptes = run_of(pmd)
    pte = pmd.pte(index)
    limit = pmd.place.arch.max_swap_offset
    offset = data.draw(
        st.sampled_from((pte.offset - 1, pte.offset + 1, pmd.offset)) | st.integers(0, limit),
        "offset",
    )
    assume(offset != pte.offset and 0 <= offset <= limit)
    ptes[index] = pte._replace(offset=offset).word
    assert_join_breaks_at(index, pmd, ptes)


@FEWER
@given(broken_runs())
def test_an_empty_pte_breaks_the_run(case: tuple[Storable, int]) -> None:
    pmd, index = case
    ptes = run_of(pmd)
    ptes[index] = EMPTY_PTE.get(pmd.place.arch.name, 0)
    assert_join_breaks_at(index, pmd, ptes)


@FEWER
@given(broken_runs())
def test_a_present_pte_breaks_the_run(case: tuple[Storable, int]) -> None:
    pmd, index = case
    ptes = run_of(pmd)
    ptes[index] = PRESENT_PTE[pmd.place.arch.name]
    assert_join_breaks_at(index, pmd, ptes)


@FEWER
@given(splittables(), st.sampled_from(("none", "one less", "one more")))
def test_a_wrong_number_of_ptes_has_no_index(pmd: Storable, count: str) -> None:
    ptes = run_of(pmd)
    counts = {"none": [], "one less": ptes[:-1], "one more": [*ptes, ptes[-1]]}
    assert_join_breaks_at(None, pmd, counts[count])


@FEWER
@given(broken_runs(first=1))
def test_a_run_that_starts_between_multiples_breaks_at_its_start(
    case: tuple[Storable, int],
) -> None:
    pmd, shift = case
    assume(pmd.offset + shift + pmd.place.arch.hpage_pmd_nr <= pmd.place.arch.max_swap_offset)
    ptes = run_of(pmd._replace(offset=pmd.offset + shift))
    assert_join_breaks_at(0, pmd, ptes)


@st.composite
def foreign_types(draw: st.DrawFn) -> Storable:
    """An aligned entry of a type that the kernel does not put into a PMD."""
    place = draw(pmd_levels())
    kind = draw(st.sampled_from(sorted(unsplittable_kinds(place), key=lambda kind: kind.value)))
    numbers = place.arch.swp_types.get(kind, range(place.arch.max_swapfiles))
    swp_type = numbers if isinstance(numbers, int) else draw(st.sampled_from(numbers))
    runs = place.arch.max_swap_offset // place.arch.hpage_pmd_nr
    offset = draw(st.integers(1, runs - 1)) * place.arch.hpage_pmd_nr
    return Storable(place, swp_type, offset, draw(flag_sets(place)))


def unsplittable_kinds(place: Level) -> set[SoftLeafType]:
    kinds = {SoftLeafType.MARKER, SoftLeafType.HWPOISON, SoftLeafType.DEVICE_EXCLUSIVE, SoftLeafType.SWAPIN_ERROR}
    if place.arch.kernel not in PMD_DEVICE_PRIVATE:
        kinds |= {SoftLeafType.DEVICE_PRIVATE_READ, SoftLeafType.DEVICE_PRIVATE_WRITE}
    kinds &= set(place.arch.swp_types)
    return kinds if place.arch.has_pmd_swap else kinds | {SoftLeafType.SWAP}


@FEWER
@given(foreign_types())
def test_kinds_that_the_kernel_keeps_out_of_pmds_neither_split_nor_join(pmd: Storable) -> None:
    arch = pmd.place.arch
    with pytest.raises(DecodeError):
        arch.split_pmd(pmd.word)
    assert_join_breaks_at(0, pmd, run_of(pmd))


@given(level_words(pmd_levels()))
def test_only_valid_aligned_softleaves_split(case: LevelWord) -> None:
    place, word = case
    entry = place.decode(word)
    is_aligned = entry.leaf is not None and entry.leaf.offset % place.arch.hpage_pmd_nr == 0
    if ask(place, "is_valid_softleaf", word) and is_aligned:
        return
    with pytest.raises(DecodeError):
        place.arch.split_pmd(word)


@FEWER
@given(broken_runs(first=1))
def test_an_entry_between_multiples_does_not_split(case: tuple[Storable, int]) -> None:
    pmd, shift = case
    with pytest.raises(DecodeError):
        pmd.place.arch.split_pmd(pmd._replace(offset=pmd.offset + shift).word)


@FEWER
@given(splittables())
def test_bits_that_the_architecture_ignores_are_dropped(pmd: Storable) -> None:
    arch = pmd.place.arch
    ptes = run_of(pmd)
    for pmd_bit, pte_bit in zip(ignored_bits(pmd.place), ignored_bits(pmd.pte(0).place), strict=True):
        assert arch.split_pmd(pmd.word | pmd_bit) == ptes
        assert arch.join_ptes([ptes[0] | pte_bit, *ptes[1:]]) == pmd.word


def ignored_bits(place: Level) -> list[int]:
    return [field.mask for field in place.require_layout().fields if field.kind is FieldKind.IGNORED]


@FEWER
@given(
    splittables().filter(lambda pmd: pmd.place.arch.kernel not in SERIES and ptes_have_exclusive(pmd.place.arch)),
)
def test_exclusive_ptes_join_only_where_pmds_have_the_bit(pmd: Storable) -> None:
    ptes = run_of(pmd._replace(flags=pmd.flags | {"exclusive"}))
    assert_join_breaks_at(0, pmd, ptes)


@FEWER
@given(splittables("riscv64", "loongarch64"))
def test_a_run_whose_pmd_would_read_as_present_does_not_join(pmd: Storable) -> None:
    if pmd.place.arch.name == "loongarch64":
        assume(pmd.place.arch.kernel in LOONGARCH_BIT_60)
        trapped = pmd._replace(offset=pmd.offset | 1 << 36)
    else:
        assume("soft_dirty" in pmd.place.require_layout().flags)
        trapped = pmd._replace(flags=pmd.flags | {"soft_dirty"})
    assert trapped.reads_as is State.PRESENT
    assert_join_breaks_at(None, pmd, run_of(trapped))
    with pytest.raises(DecodeError):
        pmd.place.arch.split_pmd(trapped.word)


@FEWER
@given(pmd_levels("x86_64").filter(lambda place: place.arch.has_pmd_swap))
def test_an_entry_with_a_pte_that_would_read_as_none_does_not_split(place: Level) -> None:
    arch = place.arch
    pmd = Storable(place, 0, arch.max_swap_offset + 1 - arch.hpage_pmd_nr)
    assert pmd.reads_as is State.SOFTLEAF
    with pytest.raises(DecodeError, match="none"):
        arch.split_pmd(pmd.word)
    assert_join_breaks_at(arch.hpage_pmd_nr - 1, pmd, run_of(pmd))
