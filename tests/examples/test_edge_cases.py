"""Edge cases and traps of the six architectures, one test for each."""

from __future__ import annotations

from itertools import product

import pytest

import pmdswp
from examples.common import configure, kernels_of
from levels import apply, ask
from pmdswp import Arch, DecodeError, EncodeError, SoftLeaf, SoftLeafType, State
from pmdswp.arch import Level
from pmdswp.arch.x86 import l1tf_max_swapfile_size
from pmdswp.config import Options
from pmdswp.softleaf import FLAGS, LevelName
from timeline import (
    A1,
    A2,
    EVER,
    L1,
    L2,
    LOONGARCH_BIT_60,
    MEMORY_FAILURE,
    PMD_SOFTLEAF,
    PTE_EXCLUSIVE,
    R1,
    S390_NO_PRESENT_BIT,
    S390_PRESENT_BIT,
    SVRSW60T59B,
    T1,
    Releases,
    span,
)

LEVELS: tuple[LevelName, ...] = ("pte", "pmd")
FLAG_SETS = [
    {flag: True for flag, on in zip(FLAGS, switches, strict=True) if on}
    for switches in product((False, True), repeat=len(FLAGS))
]
SOME_OFFSETS = (0, 1, 0x200, 0x1234_5678, 2**36, 2**40 - 1)


def on_kernels_of(name: str, releases: Releases = EVER) -> pytest.MarkDecorator:
    """A run on each kernel of one architecture that differs from the one before it."""
    return pytest.mark.parametrize("kernel", kernels_of(name, releases))


both_levels = pytest.mark.parametrize("level", LEVELS)


def flags_of(place: Level) -> set[str]:
    return set(place.require_layout().flags)


# No word without a flag, and type 0, offset 0


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x86_64", {}),
        ("arm64", {}),
        ("riscv64", {}),
        ("s390x", {}),
        ("ppc64", {"mmu": "radix"}),
        ("ppc64", {"mmu": "hash"}),
        ("loongarch64", {}),
    ],
)
@both_levels
def test_type_0_offset_0_is_never_a_swap_entry(name: str, options: Options, level: LevelName) -> None:
    place = configure(name, "pmd-swap-v3", options).level(level)
    word = place.encode(0, 0)
    reads_as_none = name in ("arm64", "riscv64") or (name, level) == ("loongarch64", "pte")
    entry = place.decode(word)
    assert entry.state is (State.NONE if reads_as_none else State.SOFTLEAF)
    assert entry.leaf == (None if reads_as_none else SoftLeaf(0, 0))
    assert entry.kind is SoftLeafType.NONE
    assert place.softleaf_from(word).is_none
    if level == "pmd":
        assert not place.arch.pmd_is_swap_entry(word)
        assert not place.arch.pmd_is_valid_softleaf(word)


@pytest.mark.parametrize("name", ["arm64", "riscv64"])
@both_levels
def test_type_0_offset_0_with_a_flag_is_not_none_but_decodes_to_the_none_leaf(name: str, level: LevelName) -> None:
    options: Options = {"svrsw60t59b": True} if name == "riscv64" else {}
    place = configure(name, "pmd-swap-v3", options).level(level)
    for flag in flags_of(place):
        if (name, level, flag) != ("riscv64", "pmd", "soft_dirty"):
            word = place.encode(0, 0, **{flag: True})
            assert place.decode(word).state is State.SOFTLEAF
            assert place.softleaf_from(word).is_none


# x86_64


@on_kernels_of("x86_64")
@both_levels
def test_x86_64_type_0_last_offset_is_none_until_a_flag_is_set(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("x86_64", kernel=kernel).level(level)
    last = SoftLeaf(0, 2**50 - 1)
    assert place.softleaf_to(last) == 0
    assert ask(place, "none", 0)
    for flags in FLAG_SETS:
        if flags and set(flags) <= flags_of(place):
            word = place.encode(*last, **flags)
            assert not ask(place, "none", word)
            assert place.decode(word).leaf == last


@on_kernels_of("x86_64")
@both_levels
def test_x86_64_accessed_and_dirty_neither_fill_an_empty_entry_nor_change_a_leaf(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("x86_64", kernel=kernel).level(level)
    leaf = SoftLeaf(3, 0x1200)
    for set_by_hardware in (0x20, 0x40, 0x60):
        assert place.decode(set_by_hardware).state is State.NONE
        word = place.softleaf_to(leaf) | set_by_hardware
        assert place.decode(word).leaf == leaf
        assert apply(place, "swp_clear_uffd", apply(place, "swp_mkuffd", word)) == word


@on_kernels_of("x86_64")
@both_levels
def test_x86_64_type_31_is_stored_as_it_is_and_not_inverted(kernel: str, level: LevelName) -> None:
    assert pmdswp.get("x86_64", kernel=kernel).level(level).encode(31, 0) == 0xFFFF_FFFF_FFFF_FE00


@on_kernels_of("x86_64")
def test_x86_64_pse_makes_a_pmd_present_and_leaves_a_pte_a_softleaf(kernel: str) -> None:
    arch = pmdswp.get("x86_64", kernel=kernel)
    leaf = SoftLeaf(1, 0x200)
    word = arch.softleaf_to_pte(leaf) | 0x80
    assert arch.decode_pte(word).leaf == leaf
    assert arch.decode_pmd(word).state is State.PRESENT
    assert arch.softleaf_from_pmd(word).is_none


@pytest.mark.parametrize(
    ("cache_bits", "pages", "ad_with_4_levels", "ad_with_5_levels"),
    [(44, 2**34, False, False), (46, 2**36, True, False), (52, 2**42, True, True), (62, 2**50, True, True)],
)
def test_x86_64_l1tf_mitigation_leaves_room_for_age_bits_or_not(
    cache_bits: int, pages: int, *, ad_with_4_levels: bool, ad_with_5_levels: bool
) -> None:
    limit = l1tf_max_swapfile_size(cache_bits)
    assert limit == pages
    for la57, ad in ((False, ad_with_4_levels), (True, ad_with_5_levels)):
        assert (limit >= 1 << pmdswp.get("x86_64", la57=la57).swp_pfn_bits + 2) is ad


# Which encoded entries read as present


def test_no_encoded_entry_reads_as_present_but_for_the_two_traps() -> None:
    options: dict[str, list[Options]] = {
        "x86_64": [{}],
        "arm64": [{}],
        "riscv64": [{}, {"svrsw60t59b": True}],
        "s390x": [{}],
        "ppc64": [{}, {"mmu": "hash"}, {"page_size": 4096}],
        "loongarch64": [{"page_size": 4096}, {}, {"page_size": 65536}],
    }
    # the kernels on which a layout or what pmd_present() tests was another
    older = {"arm64": A1[-1], "riscv64": R1[-1], "s390x": S390_PRESENT_BIT[0], "loongarch64": L1[-1]}
    places = [
        *((name, "pmd-swap-v3", one, level) for name in pmdswp.names() for one in options[name] for level in LEVELS),
        *((name, kernel, options[name][0], level) for name, kernel in older.items() for level in LEVELS),
    ]
    for name, kernel, one, level in places:
        place = configure(name, kernel, one).level(level)
        if place.holds_softleaf:
            offsets = [offset for offset in SOME_OFFSETS if offset <= place.arch.max_swap_offset]
            for swp_type, offset, flags in product(range(32), offsets, FLAG_SETS):
                if set(flags) <= flags_of(place):
                    trapped = level == "pmd" and (
                        (name == "loongarch64" and kernel in LOONGARCH_BIT_60 and bool(offset & 2**36))
                        or (name == "riscv64" and "soft_dirty" in flags)
                    )
                    assert ask(place, "present", place.encode(swp_type, offset, **flags)) is trapped


@on_kernels_of("loongarch64", LOONGARCH_BIT_60)
@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_loongarch64_pmd_with_offset_bit_36_reads_as_present_and_huge(kernel: str, page_size: int) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel, page_size=page_size)
    word = arch.encode_pmd(0, 1 << 36)
    assert word == 0x1000_0000_0000_0040
    assert arch.pmd_present(word)
    assert arch.pmd_trans_huge(word)
    assert arch.decode_pmd(word).state is State.PRESENT
    assert arch.decode_pte(arch.encode_pte(0, 1 << 36)).state is State.SOFTLEAF


@on_kernels_of("loongarch64", LOONGARCH_BIT_60)
def test_loongarch64_young_migration_pmd_reads_as_present_with_4k_pages_only(kernel: str) -> None:
    for page_size, trapped in ((4096, True), (16384, False), (65536, False)):
        arch = pmdswp.get("loongarch64", kernel=kernel, page_size=page_size)
        number = arch.swp_types[SoftLeafType.MIGRATION_READ]
        assert isinstance(number, int)
        young = SoftLeaf(number, 1 << arch.swp_pfn_bits)
        assert arch.softleaf_young(young)
        assert arch.pmd_present(arch.softleaf_to_pmd(young)) is trapped


@on_kernels_of("loongarch64", LOONGARCH_BIT_60)
def test_loongarch64_word_of_the_compiled_kernel_reads_as_present_and_huge(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel, page_size=4096)
    assert arch.pmd_present(0x1000_0ABC_DE1B_0040)
    assert arch.pmd_trans_huge(0x1000_0ABC_DE1B_0040)
    assert arch.softleaf_from_pmd(0x1000_0ABC_DE1B_0040).is_none


@on_kernels_of("riscv64", SVRSW60T59B)
def test_riscv64_soft_dirty_pmd_reads_as_present_huge_and_no_softleaf(kernel: str) -> None:
    arch = pmdswp.get("riscv64", kernel=kernel, svrsw60t59b=True)
    leaf = SoftLeaf(0, 0x200)
    word = arch.pmd_swp_mksoft_dirty(arch.softleaf_to_pmd(leaf))
    assert arch.pmd_present(word)
    assert arch.pmd_leaf(word)
    assert arch.pmd_trans_huge(word)
    assert arch.softleaf_from_pmd(word).is_none
    assert not arch.pmd_is_valid_softleaf(word)
    assert arch.pmd_swp_soft_dirty(word)
    # the fields are all there: only the predicate is in the way
    entry = arch.pmd_to_arch_swp_entry(word)
    assert (arch.arch_swp_type(entry), arch.arch_swp_offset(entry)) == leaf
    assert arch.softleaf_from_pte(word) == leaf


@on_kernels_of("riscv64", SVRSW60T59B)
@pytest.mark.parametrize("name", ["soft_dirty", "uffd"])
def test_riscv64_flag_helpers_do_nothing_without_svrsw60t59b(kernel: str, name: str) -> None:
    arch = pmdswp.get("riscv64", kernel=kernel, svrsw60t59b=False)
    for level in LEVELS:
        place = arch.level(level)
        assert apply(place, f"swp_mk{name}", 0x0020_0000) == 0x0020_0000
        assert apply(place, f"swp_clear_{name}", 0x0020_0018) == 0x0020_0018
        assert not ask(place, f"swp_{name}", 0x0020_0018)


# arm64


@on_kernels_of("arm64", A2)
@both_levels
def test_arm64_bits_4_5_62_63_are_overlooked(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    leaf = SoftLeaf(5, 0xABCDE00)
    for bit in (4, 5, 62, 63):
        assert place.softleaf_from(place.softleaf_to(leaf) | 1 << bit) == leaf


@on_kernels_of("arm64", A1)
@both_levels
def test_arm64_bits_60_to_63_are_overlooked_before_6_10_and_bit_59_in_ptes(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    leaf = SoftLeaf(5, 0xABCDE00)
    for bit in (60, 61, 62, 63):
        assert place.softleaf_from(place.softleaf_to(leaf) | 1 << bit) == leaf
    with_59 = place.softleaf_to(leaf) | 1 << 59
    assert ask(place, "present", with_59) is (level == "pmd")
    assert place.softleaf_from(with_59) == (leaf if level == "pte" else SoftLeaf.none())


@on_kernels_of("arm64")
@both_levels
def test_arm64_table_bit_alone_does_not_make_an_entry_present(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    leaf = SoftLeaf(5, 0xABCDE00)
    assert place.softleaf_from(place.softleaf_to(leaf) | 0b10) == leaf


@on_kernels_of("arm64", A2)
@both_levels
def test_arm64_type_32_would_set_the_bit_that_means_present(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    assert place.arch.arch_swp_entry(32, 1) == 0x1800
    assert place.softleaf_to(SoftLeaf(32, 1), truncate=True) == 0x1800
    assert ask(place, "present", 0x1800)
    with pytest.raises(EncodeError):
        place.encode(32, 1)


@on_kernels_of("arm64", A1)
@both_levels
def test_arm64_type_32_would_be_offset_1_before_6_10(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    assert place.arch.arch_swp_entry(32, 2) == 0x300
    assert place.softleaf_to(SoftLeaf(32, 2), truncate=True) == 0x300
    assert place.softleaf_from(0x300) == SoftLeaf(0, 3)
    with pytest.raises(EncodeError):
        place.encode(32, 2)


@on_kernels_of("arm64", A2)
@both_levels
@pytest.mark.parametrize("bit", [50, 51])
def test_arm64_offset_bits_50_and_51_are_stored_but_not_read_back(kernel: str, level: LevelName, bit: int) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    word = place.softleaf_to(SoftLeaf(1, 0x200 | 1 << bit), truncate=True)
    assert word == 0x0020_0040 | 1 << bit + 12
    assert place.softleaf_from(word) == SoftLeaf(1, 0x200)


@on_kernels_of("arm64", A1)
@both_levels
@pytest.mark.parametrize(("bit", "present_at"), [(50, {"pte", "pmd"}), (51, {"pmd"}), (52, set())])
def test_arm64_offset_bits_from_50_would_make_an_entry_present_before_6_10(
    kernel: str, level: LevelName, bit: int, present_at: set[LevelName]
) -> None:
    place = pmdswp.get("arm64", kernel=kernel).level(level)
    word = place.softleaf_to(SoftLeaf(1, 0x200 | 1 << bit), truncate=True)
    assert word == 0x0002_0008 | 1 << bit + 8
    assert ask(place, "present", word) is (level in present_at)
    assert place.softleaf_from(word) == (SoftLeaf.none() if level in present_at else SoftLeaf(1, 0x200))


def test_arm64_protnone_is_a_bit_of_its_own_before_6_10() -> None:
    # without the valid bit; since 6.10 bit 58 of a swap entry belongs to the offset
    for kernel in EVER:
        arch = pmdswp.get("arm64", kernel=kernel)
        assert arch.pte_present(1 << 58) is (kernel in A1), arch
        assert arch.pmd_present(1 << 58) is (kernel in A1), arch
        assert arch.pmd_present(1 << 59) is (kernel in A1), arch
        assert arch.pte_present(1 << 11) is (kernel in A2), arch


# riscv64 and loongarch64 before the exclusive bit


@on_kernels_of("riscv64", R1)
@both_levels
def test_riscv64_offset_began_at_bit_11_and_not_at_10_as_its_comment_said(kernel: str, level: LevelName) -> None:
    place = pmdswp.get("riscv64", kernel=kernel).level(level)
    assert place.encode(0, 1) == 1 << 11
    assert place.encode(16, 0) == 1 << 10


@pytest.mark.parametrize("name", ["riscv64", "loongarch64"])
def test_exclusive_helpers_of_ptes_are_stubs_before_the_bit_is_required(name: str) -> None:
    bit = {"riscv64": 1 << 6, "loongarch64": 1 << 23}[name]
    for kernel in EVER:
        arch, has_bit = pmdswp.get(name, kernel=kernel), kernel in PTE_EXCLUSIVE[name]
        word = arch.encode_pte(0, 0x200)
        assert arch.pte_swp_mkexclusive(word) == (word | bit if has_bit else word), arch
        assert arch.pte_swp_clear_exclusive(word | bit) == (word if has_bit else word | bit), arch
        assert arch.pte_swp_exclusive(word | bit) is has_bit, arch
        assert arch.pte_swp_clear_flags(word | bit) == (word if has_bit else word | bit), arch
        if not has_bit:
            with pytest.raises(EncodeError):
                arch.encode_pte(0, 0x200, exclusive=True)


def test_loongarch64_entries_without_flags_are_the_same_before_and_after_the_exclusive_bit() -> None:
    leaves = [SoftLeaf(swp_type, offset) for swp_type in range(32) for offset in SOME_OFFSETS]
    before, after = (pmdswp.get("loongarch64", kernel=kernel) for kernel in (L1[-1], L2[0]))
    for leaf in leaves:
        assert before.softleaf_to_pte(leaf) == after.softleaf_to_pte(leaf)
        assert before.softleaf_to_pmd(leaf) == after.softleaf_to_pmd(leaf)


# 6.1


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_swap_error_of_6_1_holds_the_number_of_its_page_and_no_marker_bits(name: str) -> None:
    arch = pmdswp.get(name, kernel=T1[0])
    entry = arch.decode_pte(arch.encode_pte(31, 0x1234))
    assert (entry.leaf, entry.kind) == (SoftLeaf(31, 0x1234), SoftLeafType.SWAPIN_ERROR)
    # the page's number is for a human to read: the kernel asks nothing of it
    for question in (arch.softleaf_pfn, arch.softleaf_young, arch.softleaf_markers):
        with pytest.raises(DecodeError, match="SWAPIN_ERROR"):
            question(SoftLeaf(31, 0x1234))


def test_6_1_without_markers_numbers_all_else_as_6_2_does() -> None:
    for name in pmdswp.names():
        options: Options = {"pte_marker": False} if name == "x86_64" else {}
        old, new = configure(name, T1[0], options), configure(name, "6.2", {})
        without = {kind: number for kind, number in new.swp_types.items() if kind is not SoftLeafType.MARKER}
        assert dict(old.swp_types) == {**without, SoftLeafType.SWAPIN_ERROR: 31}, name
        assert old.max_swapfiles == new.max_swapfiles
        with_failure = SoftLeafType.HWPOISON in new.swp_types
        assert with_failure is ("6.2" in MEMORY_FAILURE[name])


# s390x


def s390x_arches() -> list[Arch]:
    return [pmdswp.get("s390x", kernel=kernel) for kernel in kernels_of("s390x", PMD_SOFTLEAF["s390x"])]


@pytest.mark.parametrize("arch", s390x_arches(), ids=repr)
def test_s390x_swap_pmd_is_marked_by_comm_and_invalid(arch: Arch) -> None:
    for swp_type, offset in product(range(32), SOME_OFFSETS):
        word = arch.encode_pmd(swp_type, offset, soft_dirty=True)
        assert word & 0x3D == 0x30
        assert word & 0x011 == 0x010


@pytest.mark.parametrize("arch", s390x_arches(), ids=repr)
def test_s390x_upper_types_set_the_large_bit_without_becoming_leaves(arch: Arch) -> None:
    for swp_type in range(32):
        word = arch.encode_pmd(swp_type, 0x100)
        assert bool(word & 0x400) is (swp_type >= 16)
        assert not arch.pmd_leaf(word)


@pytest.mark.parametrize("arch", s390x_arches(), ids=repr)
def test_s390x_swap_pmd_is_bad_when_its_type_has_one_of_its_low_three_bits(arch: Arch) -> None:
    for swp_type in range(32):
        assert arch.pmd_bad(arch.encode_pmd(swp_type, 0x100)) is bool(swp_type & 7)


@pytest.mark.parametrize("arch", s390x_arches(), ids=repr)
def test_s390x_pmd_of_zero_is_neither_none_nor_present(arch: Arch) -> None:
    entry = arch.decode_pmd(0)
    assert (entry.state, entry.leaf) == (State.SOFTLEAF, SoftLeaf(0, 0))
    assert not arch.pmd_none(0)
    assert not arch.pmd_present(0)


@on_kernels_of("s390x", S390_NO_PRESENT_BIT)
def test_s390x_pmds_before_6_13_are_present_unless_exactly_the_empty_entry(kernel: str) -> None:
    arch = pmdswp.get("s390x", kernel=kernel)
    for word in (0, 1, 0x30, 0x21, 0x4030, *(1 << bit for bit in range(64))):
        assert arch.pmd_none(word) is (word == 0x20)
        assert arch.pmd_present(word) is (word != 0x20)
        assert arch.decode_pmd(word).state not in (State.SOFTLEAF, State.BAD)


def test_s390x_pmds_neither_none_nor_present_are_bad_until_they_can_be_softleaves() -> None:
    for kernel in S390_PRESENT_BIT:
        arch = pmdswp.get("s390x", kernel=kernel)
        for word in (0, 0x30, 0x4030, 0x400):
            is_softleaf = kernel in PMD_SOFTLEAF["s390x"]
            assert arch.decode_pmd(word).state is (State.SOFTLEAF if is_softleaf else State.BAD), arch


@pytest.mark.parametrize("kernel", span("6.1", "6.16"))
def test_s390x_pmd_softleaves_are_refused_before_6_17(kernel: str) -> None:
    arch = pmdswp.get("s390x", kernel=kernel)
    assert arch.pmd_layout is None
    for refused in (
        lambda: arch.encode_pmd(1, 1),
        lambda: arch.softleaf_from_pmd(0x30),
        lambda: arch.pmd_swp_soft_dirty(0x30),
        lambda: arch.pmd_to_arch_swp_entry(0x30),
    ):
        with pytest.raises(pmdswp.UnsupportedError, match=r"since 6\.17"):
            refused()


def test_s390x_conversion_drops_the_flags_of_a_pmd_and_keeps_the_pte_form() -> None:
    arch = pmdswp.get("s390x")
    flagged = arch.encode_pmd(5, 0xABCDE00, exclusive=True, soft_dirty=True)
    bare = arch.encode_pmd(5, 0xABCDE00)
    assert arch.pmd_to_arch_swp_entry(flagged) == arch.encode_pte(5, 0xABCDE00)
    assert arch.arch_swp_entry_to_pmd(arch.encode_pte(5, 0xABCDE00, exclusive=True, soft_dirty=True)) == bare


@on_kernels_of("s390x")
def test_s390x_empty_pte_needs_exactly_the_invalid_bit(kernel: str) -> None:
    arch = pmdswp.get("s390x", kernel=kernel)
    assert arch.pte_none(0x400)
    for other in (0, 0x600, 0x402, 0x401, 0xC00):
        assert not arch.pte_none(other)


# ppc64

PPC64: list[Options] = [
    {"page_size": page_size, "mmu": mmu} for page_size in (4096, 65536) for mmu in ("radix", "hash")
]


@on_kernels_of("ppc64")
@pytest.mark.parametrize("options", PPC64, ids=str)
def test_ppc64_encoded_pmds_are_leaves_but_not_huge(kernel: str, options: Options) -> None:
    arch = configure("ppc64", kernel, options)
    for swp_type in range(32):
        word = arch.encode_pmd(swp_type, 0x100)
        assert arch.pmd_leaf(word)
        assert not arch.pmd_trans_huge(word)


@on_kernels_of("ppc64")
@pytest.mark.parametrize("options", PPC64, ids=str)
def test_ppc64_encoded_pmds_are_bad_under_radix_and_under_hash_with_a_type(kernel: str, options: Options) -> None:
    arch = configure("ppc64", kernel, options)
    for swp_type in range(32):
        bad = options["mmu"] == "radix" or swp_type != 0
        assert arch.pmd_bad(arch.encode_pmd(swp_type, 0x100)) is bad


@on_kernels_of("ppc64")
def test_ppc64_words_are_the_same_under_radix_and_hash(kernel: str) -> None:
    for page_size in (4096, 65536):
        radix, hashed = (pmdswp.get("ppc64", kernel=kernel, page_size=page_size, mmu=mmu) for mmu in ("radix", "hash"))
        for swp_type, offset in product(range(32), (0, 1, 0x100, radix.max_swap_offset)):
            assert radix.encode_pte(swp_type, offset) == hashed.encode_pte(swp_type, offset)
            assert radix.encode_pmd(swp_type, offset) == hashed.encode_pmd(swp_type, offset)


@on_kernels_of("ppc64")
def test_ppc64_entry_without_the_pte_bit_is_still_a_pmd_softleaf(kernel: str) -> None:
    arch = pmdswp.get("ppc64", kernel=kernel)
    assert arch.decode_pmd(arch.arch_swp_entry(1, 0x20)).leaf == SoftLeaf(1, 0x20)


@on_kernels_of("ppc64")
def test_ppc64_pte_presence_wants_the_pte_bit_and_pmd_presence_does_not(kernel: str) -> None:
    arch = pmdswp.get("ppc64", kernel=kernel)
    for present in (1 << 63, 1 << 61):
        assert not arch.pte_present(present)
        assert arch.pte_present(present | 1 << 62)
        assert arch.pmd_present(present)


# loongarch64


@on_kernels_of("loongarch64")
def test_loongarch64_bit_6_of_a_stray_type_is_lost_in_the_generic_entry(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel)
    assert arch.arch_swp_type(0x40_0000) == 0x40
    assert arch.softleaf_from_pte(0x40_0000) == SoftLeaf(0, 0)
    assert arch.decode_pte(0x40_0000).leaf == SoftLeaf(0, 0)
    assert arch.softleaf_from_pmd(0x40_0040) == SoftLeaf(0, 0)


@on_kernels_of("loongarch64")
def test_loongarch64_type_beyond_31_is_of_unknown_kind(kernel: str) -> None:
    entry = pmdswp.get("loongarch64", kernel=kernel).decode_pte(0x20_0000)
    assert (entry.leaf, entry.kind) == (SoftLeaf(32, 0), SoftLeafType.UNKNOWN)


@pytest.mark.parametrize("kernel", ["5.19", "6.0", "6.1.49", "6.2", "6.3.0"])
def test_loongarch64_pmds_before_bit_60_are_softleaves_whatever_the_offset(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel, page_size=4096)
    entry = arch.decode_pmd(0x1000_0ABC_DE1B_0040)
    assert (entry.state, entry.leaf) == (State.SOFTLEAF, SoftLeaf(27, 0x10_000A_BCDE))
    assert arch.pmd.hazards == ()


@on_kernels_of("loongarch64")
def test_loongarch64_pmd_without_the_huge_bit_is_a_table(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel)
    for word in (0, arch.encode_pte(1, 0x800), 0x9000_0000_0123_4000):
        assert arch.pmd_present(word)
        assert arch.decode_pmd(word).state is State.TABLE


@on_kernels_of("loongarch64")
def test_loongarch64_pte_with_only_the_global_bit_is_none(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel)
    assert arch.pte_none(0x40)
    assert arch.pte_none(0)
    assert not arch.pte_none(0x80_0000)


@on_kernels_of("loongarch64")
def test_loongarch64_encoded_pmds_are_leaves_and_bad(kernel: str) -> None:
    arch = pmdswp.get("loongarch64", kernel=kernel)
    for swp_type in range(32):
        word = arch.encode_pmd(swp_type, 0x800)
        assert arch.pmd_leaf(word)
        assert arch.pmd_bad(word)


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
def test_loongarch64_empty_pmd_is_the_page_aligned_table_given(page_size: int) -> None:
    table = 0x9000_0000_0300_0000
    arch = pmdswp.get("loongarch64", page_size=page_size, invalid_pte_table=table)
    assert arch.pmd_none(table)
    assert not arch.pmd_none(table + page_size)
    with pytest.raises(pmdswp.UnsupportedError):
        pmdswp.get("loongarch64", page_size=page_size, invalid_pte_table=table + page_size // 2)


# Splitting


@pytest.mark.parametrize("name", ["x86_64", "arm64", "riscv64"])
def test_pmd_is_the_very_word_of_its_first_pte(name: str) -> None:
    arch = pmdswp.get(name)
    word = arch.encode_pmd(1, 0x1200, exclusive=True)
    ptes = arch.split_pmd(word)
    assert ptes[0] == word
    assert ptes == [arch.encode_pte(1, 0x1200 + i, exclusive=True) for i in range(arch.hpage_pmd_nr)]


def test_x86_64_pmd_that_holds_the_last_offset_of_type_0_does_not_split() -> None:
    arch = pmdswp.get("x86_64")
    with pytest.raises(DecodeError):
        arch.split_pmd(arch.encode_pmd(0, 2**50 - 512))
    assert len(arch.split_pmd(arch.encode_pmd(0, 2**50 - 1024))) == 512


@pytest.mark.parametrize("name", ["riscv64", "loongarch64"])
def test_words_that_read_as_present_do_not_split(name: str) -> None:
    arch = pmdswp.get("riscv64", svrsw60t59b=True) if name == "riscv64" else pmdswp.get(name)
    word = arch.pmd_swp_mksoft_dirty(arch.encode_pmd(1, 0x200)) if name == "riscv64" else arch.encode_pmd(1, 1 << 36)
    with pytest.raises(DecodeError):
        arch.split_pmd(word)
