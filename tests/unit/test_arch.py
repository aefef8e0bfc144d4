"""Facts of each architecture that no bit of an entry shows, and the corners of predicates over fields."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

import pmdswp
from pmdswp import (
    Arch,
    DecodeError,
    EncodeError,
    Entry,
    Field,
    FieldKind,
    SoftLeaf,
    SoftLeafType,
    State,
    UnsupportedError,
)
from pmdswp.arch import Level, configurations
from pmdswp.config import Options, show
from pmdswp.softleaf import FLAGS, MARKER_BITS

every_architecture = pytest.mark.parametrize("arch", [pmdswp.get(name) for name in pmdswp.names()], ids=repr)


def test_the_manuals_of_s390x_and_ppc64_number_bits_from_the_most_significant_one() -> None:
    assert {name for name in pmdswp.names() if pmdswp.get(name).architecture.msb0} == {"s390x", "ppc64"}


P4K: Options = {"page_size": 4096}
P16K: Options = {"page_size": 16384}
P64K: Options = {"page_size": 65536}


@pytest.mark.parametrize(
    ("name", "options", "ptrs_per_pte", "ptrs_per_pmd"),
    [
        ("x86_64", P4K, 512, 512),
        ("arm64", P4K, 512, 512),
        ("arm64", P16K, 2048, 2048),
        ("arm64", P64K, 8192, 8192),
        ("riscv64", P4K, 512, 512),
        ("s390x", P4K, 256, 2048),
        ("ppc64", {"mmu": "radix", **P4K}, 512, 512),
        ("ppc64", {"mmu": "radix", **P64K}, 32, 512),
        ("ppc64", {"mmu": "hash", **P4K}, 512, 128),
        ("ppc64", {"mmu": "hash", **P64K}, 256, 1024),
        ("loongarch64", P4K, 512, 512),
        ("loongarch64", P16K, 2048, 2048),
        ("loongarch64", P64K, 8192, 8192),
    ],
)
def test_tables_have_the_kernels_number_of_entries(
    name: str, options: Options, ptrs_per_pte: int, ptrs_per_pmd: int
) -> None:
    arch = pmdswp.get(name, **options)
    assert (arch.ptrs_per_pte, arch.ptrs_per_pmd) == (ptrs_per_pte, ptrs_per_pmd)


@every_architecture
def test_only_fixed_fields_have_a_value(arch: Arch) -> None:
    for field in (*arch.pte_layout, *arch.layout("pmd")):
        assert field.kind is FieldKind.FIXED or field.value == 0


@pytest.mark.parametrize(
    ("name", "options", "in_ptes", "in_pmds"),
    [
        ("x86_64", {}, "present protnone", "present pse protnone"),
        ("arm64", {}, "valid present_invalid", "valid present_invalid"),
        ("riscv64", {}, "present prot_none", "present leaf exec prot_none"),
        ("riscv64", {"svrsw60t59b": True}, "present prot_none", "present leaf prot_none"),
        ("s390x", {}, "present protect invalid", "present tt comm invalid"),
        ("ppc64", {}, "invalid pte present", "invalid pte present"),
        ("loongarch64", {}, "present protnone", "huge present protnone"),
    ],
)
def test_the_fixed_bits_of_each_level_are_those_that_its_predicates_test(
    name: str, options: Options, in_ptes: str, in_pmds: str
) -> None:
    arch = pmdswp.get(name, **options)
    for layout, expected in ((arch.pte_layout, in_ptes), (arch.layout("pmd"), in_pmds)):
        assert [field.name for field in layout if field.kind is FieldKind.FIXED] == expected.split()


def test_only_the_offset_of_x86_64_is_inverted_and_only_arm64_and_ppc64_do_not_mask() -> None:
    fields = [
        (name, field)
        for name in pmdswp.names()
        for layout in (pmdswp.get(name).pte_layout, pmdswp.get(name).layout("pmd"))
        for field in layout
    ]
    assert {(name, field.name) for name, field in fields if field.inverted} == {("x86_64", "offset")}
    unmasked = {(name, field.name) for name, field in fields if not field.masked}
    assert unmasked == {("arm64", "type"), ("arm64", "offset"), ("ppc64", "type")}


def test_marker_bits_are_the_kernels() -> None:
    assert dict(MARKER_BITS) == {"uffd_wp": 1, "poisoned": 2, "guard": 4}


@pytest.mark.parametrize("options", [{}, {"device_private": False}, {"migration": False}], ids=repr)
@pytest.mark.parametrize("name", pmdswp.names())
def test_each_type_number_in_a_pmd_is_of_its_kind_alone(name: str, options: Options) -> None:
    arch = pmdswp.get(name, **options)
    for swp_type in range(32):
        kind, word = arch.softleaf_type(SoftLeaf(swp_type, 1)), arch.encode_pmd(swp_type, arch.hpage_pmd_nr)
        assert arch.pmd_is_swap_entry(word) is (kind is SoftLeafType.SWAP)
        assert arch.pmd_is_migration_entry(word) is kind.is_migration
        assert arch.pmd_is_device_private_entry(word) is kind.is_device_private
        assert arch.pmd_is_valid_softleaf(word) is (kind in arch.pmd_kinds)


@every_architecture
def test_every_type_of_a_device_but_0_makes_a_swap_entry_at_offset_0(arch: Arch) -> None:
    for flags in ({}, *({flag: True} for flag in arch.layout("pmd").flags)):
        answers = [arch.pmd_is_swap_entry(arch.encode_pmd(swp_type, 0, **flags)) for swp_type in range(32)]
        assert answers == [0 < swp_type < arch.max_swapfiles for swp_type in range(32)]


@every_architecture
def test_a_decoded_entry_has_the_flags_it_was_encoded_with_and_no_others(arch: Arch) -> None:
    for wanted in ((), *((flag,) for flag in arch.pte_layout.flags)):
        entry = arch.decode_pte(arch.encode_pte(1, 2, **dict.fromkeys(wanted, True)))
        assert entry.leaf == SoftLeaf(1, 2)
        assert {flag for flag in FLAGS if getattr(entry, flag)} == set(wanted)


def test_an_entry_that_is_no_softleaf_has_no_leaf_and_no_flag() -> None:
    expected = (None, SoftLeafType.NONE, False, False, False)
    assert Entry("pte", 0, State.NONE)[3:] == expected


@every_architecture
def test_the_number_that_does_not_fit_is_the_one_that_is_refused(arch: Arch) -> None:
    too_large = arch.max_swap_offset + 1
    for swp_type in (0, 31):
        with pytest.raises(EncodeError, match=f"offset {too_large:#x} is not within"):
            arch.softleaf_to_pte(SoftLeaf(swp_type, too_large))
    with pytest.raises(EncodeError, match="type 0x20 is not within"):
        arch.softleaf_to_pte(SoftLeaf(32, arch.max_swap_offset))


@every_architecture
def test_compiled_helpers_are_documented_as_in_arch(arch: Arch) -> None:
    for name in sorted(Arch.__abstractmethods__):
        helper = getattr(arch, name)
        if isinstance(helper.__self__, Level):
            # what a level does in ordinary code is documented there
            assert getattr(Level, helper.__name__).__doc__
        else:
            assert helper.__doc__ == getattr(Arch, name).__doc__
            assert helper.__qualname__ == f"Arch.{name}"


def test_configurations_are_those_of_the_architectures_named_or_of_all() -> None:
    assert next(configurations("arm64")) == pmdswp.get("arm64")
    assert next(configurations()) == pmdswp.get(pmdswp.names()[0])


@every_architecture
def test_pmd_kinds_are_the_configured_ones_of_the_kernel(arch: Arch) -> None:
    assert set(arch.pmd_kinds) <= {SoftLeafType.SWAP, *arch.swp_types}
    without_migration = pmdswp.get(arch.name, migration=False)
    assert set(without_migration.pmd_kinds) == {kind for kind in arch.pmd_kinds if not kind.is_migration}
    assert pmdswp.get(arch.name, thp=False).pmd_kinds == ()


def test_a_flag_without_a_bit_is_refused_naming_the_level_and_the_flags_it_has() -> None:
    arch = pmdswp.get("arm64", kernel="7.3")
    with pytest.raises(EncodeError, match=r"has no such bit in a swap PTE; allowed: exclusive, uffd$"):
        arch.encode_pte(1, 2, soft_dirty=True)
    with pytest.raises(EncodeError, match=r"has no such bit in a swap PMD; allowed: uffd$"):
        arch.encode_pmd(1, 2, exclusive=True)


def test_an_entry_shows_its_word_and_every_field_by_name() -> None:
    arch = pmdswp.get("arm64")
    shown = repr(arch.decode_pte(arch.encode_pte(3, 7, uffd=True)))
    assert shown.startswith("Entry(level='pte', raw=0x00000000000070c8, state=")
    assert shown.endswith(
        "leaf=SoftLeaf(swp_type=3, offset=0x7), kind=<SoftLeafType.SWAP: 1>, "
        "exclusive=False, soft_dirty=False, uffd=True)"
    )


def test_an_entry_shows_what_follows_from_it_frame_0_too() -> None:
    arch = pmdswp.get("arm64")
    assert repr(arch.decode_pte(arch.pte.make(0))).endswith("uffd=False, pfn=0x0, address=0x0)")
    assert repr(arch.decode_pte(arch.encode_pte(arch.numbering.numbers(SoftLeafType.MIGRATION_READ)[0], 0))).endswith(
        "uffd=False, pfn=0x0)"
    )


def test_a_long_leaf_is_shown_in_part_where_it_is_refused() -> None:
    arch = pmdswp.get("x86_64")
    for ask in (arch.softleaf_pfn, arch.softleaf_young, arch.softleaf_markers):
        with pytest.raises(DecodeError) as caught:
            ask(SoftLeaf(0, 1 << 99999))
        assert len(str(caught.value)) < 500


def test_a_kind_given_for_a_type_number_is_refused_with_a_hint() -> None:
    arch = pmdswp.get("arm64")
    with pytest.raises(EncodeError, match=r"is not an integer within 0\.\.0x1f; Arch.swp_types has the number"):
        arch.encode_pte(SoftLeafType.MARKER, 0)  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match=r"'3' is not an integer within 0\.\.0x1f$"):
        arch.encode_pte("3", 0)  # type: ignore[arg-type]


@every_architecture
def test_compiled_helpers_take_what_arch_says(arch: Arch) -> None:
    for name in sorted(Arch.__abstractmethods__):
        compiled, documented = (_parameters(getattr(owner, name)) for owner in (arch, Arch))
        assert compiled == documented[1:], name
    for level in (arch.pte, arch.pmd):
        for name in sorted(Level.__abstractmethods__):
            compiled, documented = (_parameters(getattr(owner, name)) for owner in (level, Level))
            assert compiled == documented[1:], name


def _parameters(function: Callable[..., object]) -> list[tuple[object, ...]]:
    parameters = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


def test_a_field_has_no_value_and_stores_a_number_as_it_is_unless_told_otherwise() -> None:
    field = Field("type", 0, 5, FieldKind.VALUE)
    assert (field.value, field.inverted, field.masked) == (0, False, True)


def test_the_unknown_kind_is_numbered_apart_from_the_kernels() -> None:
    assert SoftLeafType.UNKNOWN.value == 255


@every_architecture
def test_a_leaf_takes_the_way_over_the_architectures_own_entry_to_the_same_word(arch: Arch) -> None:
    for leaf in (SoftLeaf(2, 0), SoftLeaf(21, arch.hpage_pmd_nr)):
        entry, pte, pmd = arch.arch_swp_entry(*leaf), arch.softleaf_to_pte(leaf), arch.softleaf_to_pmd(leaf)
        assert (arch.arch_swp_type(entry), arch.arch_swp_offset(entry)) == leaf
        assert (arch.arch_swp_entry_to_pte(entry), arch.arch_swp_entry_to_pmd(entry)) == (pte, pmd)
        assert arch.pte_to_arch_swp_entry(pte) == entry
        assert arch.softleaf_from_pmd(pmd) == leaf


@every_architecture
def test_only_markers_are_markers(arch: Arch) -> None:
    assert [arch.pte_is_marker(arch.encode_pte(swp_type, 1)) for swp_type in range(32)] == [False] * 31 + [True]
    assert not arch.pte_is_marker(0)


@every_architecture
def test_clearing_the_flags_of_a_pte_leaves_type_and_offset(arch: Arch) -> None:
    word = arch.encode_pte(5, 7)
    for flag, mask in arch.pte_layout.flags.items():
        assert arch.pte_swp_clear_flags(word | mask) == word, flag


def test_numbers_from_a_mebibyte_on_are_shown_in_hex() -> None:
    """They are addresses; smaller ones are sizes and counts."""
    for address in (1 << 20, 0x9000000001A60000):
        assert f"invalid_pte_table={address:#x}" in repr(pmdswp.get("loongarch64", invalid_pte_table=address))
    assert "page_size=65536" in repr(pmdswp.get("loongarch64", page_size=65536))
    assert show((1 << 20) - 1) == "1048575"


def test_the_table_of_no_ptes_may_be_any_page_of_the_64_bits() -> None:
    for address in (0, (1 << 64) - 4096):
        assert pmdswp.get("loongarch64", page_size=4096, invalid_pte_table=address).pmd_none(address)
    for address in (-4096, 1 << 64, 2048):
        with pytest.raises(UnsupportedError, match="invalid_pte_table"):
            pmdswp.get("loongarch64", page_size=4096, invalid_pte_table=address)
