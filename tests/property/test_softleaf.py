"""`SoftLeaf` and its `val` stand for each other; `softleaf_*` answers for every leaf."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmdswp import Arch, DecodeError, SoftLeaf, SoftLeafType
from property.generators import MAX_TYPE, MAX_WORD, architectures, offsets, swp_types
from timeline import K0, MARKER_MASK, T1

VALS = st.integers(0, MAX_WORD)
GENERIC_OFFSETS = st.integers(0, (1 << 58) - 1)
LEAVES = st.builds(SoftLeaf, swp_types(), GENERIC_OFFSETS)
MIGRATION = {
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
}
# 6.1 gives no PFN out of a swap error, though it stores one
WITHOUT_PFN = {SoftLeafType.NONE, SoftLeafType.SWAP, SoftLeafType.MARKER, SoftLeafType.SWAPIN_ERROR}


@given(VALS)
def test_val_comes_back_from_the_leaf(val: int) -> None:
    assert SoftLeaf.from_val(val).val == val


@given(LEAVES)
def test_leaf_comes_back_from_its_val(leaf: SoftLeaf) -> None:
    assert SoftLeaf.from_val(leaf.val) == leaf
    assert leaf.val == leaf.swp_type << 58 | leaf.offset


@given(VALS | st.just(0))
def test_a_leaf_is_none_exactly_if_its_val_is_zero(val: int) -> None:
    leaf = SoftLeaf.from_val(val)
    assert leaf.is_none is (val == 0)
    assert (leaf == SoftLeaf.none()) is leaf.is_none


@given(LEAVES, st.sampled_from(["swp_type", "offset", "val", "is_none", "another"]))
def test_a_leaf_cannot_be_changed(leaf: SoftLeaf, name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(leaf, name, 1)
    with pytest.raises(AttributeError):
        delattr(leaf, name)


@given(LEAVES)
def test_leaf_repr_makes_the_leaf_again(leaf: SoftLeaf) -> None:
    assert eval(repr(leaf), {"SoftLeaf": SoftLeaf}) == leaf  # noqa: S307  # a repr of ours


@given(architectures(), st.integers(1, MAX_WORD))
def test_every_type_number_means_one_kind(arch: Arch, offset: int) -> None:
    kinds = [arch.softleaf_type(SoftLeaf(number, offset)) for number in range(MAX_TYPE + 1)]
    swap, special = kinds[: arch.max_swapfiles], kinds[arch.max_swapfiles :]
    assert set(swap) == {SoftLeafType.SWAP}
    assert set(special) == set(arch.swp_types)
    for kind, numbers in arch.swp_types.items():
        expected = [numbers] if isinstance(numbers, int) else list(numbers)
        assert [number for number, found in enumerate(kinds) if found is kind] == expected


@given(architectures(), st.integers(MAX_TYPE + 1, 127), GENERIC_OFFSETS)
def test_a_type_above_31_is_unknown(arch: Arch, swp_type: int, offset: int) -> None:
    assert arch.softleaf_type(SoftLeaf(swp_type, offset)) is SoftLeafType.UNKNOWN


@st.composite
def leaves_of_every_type(draw: st.DrawFn) -> tuple[Arch, list[SoftLeaf]]:
    """A configuration, and one offset with each of its type numbers."""
    arch = draw(architectures())
    offset = draw(offsets(arch))
    return arch, [SoftLeaf(number, offset) for number in range(MAX_TYPE + 1)]


@given(leaves_of_every_type())
def test_pfn_and_migration_bits_make_up_the_offset(case: tuple[Arch, list[SoftLeaf]]) -> None:
    arch, leaves = case
    pfn_bits = arch.swp_pfn_bits
    for leaf in leaves:
        kind = arch.softleaf_type(leaf)
        if kind in WITHOUT_PFN:
            continue
        has_bits = kind in MIGRATION and arch.migration_ad
        assert arch.softleaf_pfn(leaf) == leaf.offset & (1 << pfn_bits) - 1
        assert arch.softleaf_young(leaf) is (has_bits and bool(leaf.offset >> pfn_bits & 1))
        assert arch.softleaf_dirty(leaf) is (has_bits and bool(leaf.offset >> pfn_bits + 1 & 1))


@given(leaves_of_every_type())
def test_kinds_without_a_pfn_refuse_to_give_one(case: tuple[Arch, list[SoftLeaf]]) -> None:
    arch, leaves = case
    for leaf in leaves:
        kind = arch.softleaf_type(leaf)
        if kind in WITHOUT_PFN:
            for ask in (arch.softleaf_pfn, arch.softleaf_young, arch.softleaf_dirty):
                with pytest.raises(DecodeError, match=kind.name):
                    ask(leaf)


@given(architectures())
def test_migration_bits_are_kept_exactly_if_the_offset_has_room_for_them(arch: Arch) -> None:
    has_room = arch.swp_pfn_bits + 2 <= arch.max_swap_offset.bit_length()
    assert arch.migration_ad is (has_room and SoftLeafType.MIGRATION_READ in arch.swp_types)


def marker_number(arch: Arch) -> int | None:
    """The highest number; but from 5.19 to 6.1 the one below, or none without CONFIG_PTE_MARKER; before, none."""
    if arch.kernel in K0:
        return None
    if arch.kernel not in T1:
        return MAX_TYPE
    return MAX_TYPE - 1 if arch.config.is_on("pte_marker") else None


@given(architectures(), st.integers(0, 15))
def test_markers_have_the_bits_that_the_kernel_knows(arch: Arch, bits: int) -> None:
    number = marker_number(arch)
    if number is not None:
        assert arch.softleaf_markers(SoftLeaf(number, bits)) == bits & MARKER_MASK[arch.kernel]


@given(leaves_of_every_type())
def test_only_markers_have_marker_bits(case: tuple[Arch, list[SoftLeaf]]) -> None:
    arch, leaves = case
    number = marker_number(arch)
    if number is not None:
        assert arch.softleaf_markers(leaves[number]) == leaves[number].offset & MARKER_MASK[arch.kernel]
    for leaf in leaves:
        if leaf.swp_type != number:
            with pytest.raises(DecodeError, match="marker"):
                arch.softleaf_markers(leaf)
