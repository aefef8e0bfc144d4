"""Cheap laws on every configuration there is, at every corner of its layout: nothing here is left to chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, combinations, product

import pytest

import pmdswp
from pmdswp import Arch, SoftLeaf, SoftLeafType, UnsupportedError
from pmdswp.arch import get_with
from pmdswp.softleaf import FLAGS
from property.generators import (
    CONFIGURATIONS,
    LEVELS,
    MAX_TYPE,
    Storable,
    offset_edges,
)
from slots import OLDEST_KERNEL, Slot

EVERY_KERNEL = pytest.mark.parametrize(("name", "kernel"), list(product(pmdswp.names(), pmdswp.kernels())))
TYPE_NUMBER_OPTIONS = ("device_private", "memory_failure", "migration")
ORDER = (
    SoftLeafType.HWPOISON,
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
    SoftLeafType.DEVICE_PRIVATE_WRITE,
    SoftLeafType.DEVICE_PRIVATE_READ,
    SoftLeafType.DEVICE_EXCLUSIVE,
    SoftLeafType.MARKER,
)

PMD_SOFTLEAF_HELPERS = (
    *(f"pmd_swp_{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_swp_mk{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_swp_clear_{flag}" for flag in (*FLAGS, "uffd_wp")),
    *(f"pmd_is_{kind}" for kind in ("swap_entry", "migration_entry", "device_private_entry")),
    *("pmd_is_valid_softleaf", "pmd_to_arch_swp_entry", "arch_swp_entry_to_pmd"),
    *("softleaf_from_pmd", "split_pmd", "pte_entry_to_pmd"),
)


def configurations(name: str, kernel: str) -> Iterator[Arch]:
    for options in CONFIGURATIONS[name]:
        if options["kernel"] == kernel:
            yield get_with(name, options)


def softleaf_slots(name: str, kernel: str) -> Iterator[Slot]:
    for arch in configurations(name, kernel):
        slots = (Slot(arch, level) for level in LEVELS)
        yield from (slot for slot in slots if slot.holds_softleaf)


def corners(slot: Slot) -> Iterator[Storable]:
    """Every type; every edge of the offset with the smallest and the largest type; every set of flags."""
    edges = offset_edges(slot.arch)
    yield from (Storable(slot, swp_type, 0x200) for swp_type in range(MAX_TYPE + 1))
    yield from (Storable(slot, *leaf) for leaf in product((0, MAX_TYPE), edges))
    flags = sorted(slot.layout.flags)
    sets = chain.from_iterable(combinations(flags, size) for size in range(1, len(flags) + 1))
    for chosen, offset in product(sets, (0, 0x200, edges[-1])):
        yield Storable(slot, 0, offset, frozenset(chosen))


@EVERY_KERNEL
def test_corners_decode_to_what_was_encoded(name: str, kernel: str) -> None:
    for slot in softleaf_slots(name, kernel):
        for corner in corners(slot):
            assert slot.decode(corner.word) == corner.decodes_to, corner


@EVERY_KERNEL
def test_flag_masks_are_what_the_helpers_set(name: str, kernel: str) -> None:
    for slot in softleaf_slots(name, kernel):
        masks = {flag: slot.apply(f"swp_mk{flag}", 0) for flag in slot.flags}
        assert {flag: mask for flag, mask in masks.items() if mask} == dict(slot.layout.flags), slot


@EVERY_KERNEL
def test_layouts_partition_the_word(name: str, kernel: str) -> None:
    for slot in softleaf_slots(name, kernel):
        masks = [field.mask for field in slot.layout.fields]
        assert sum(masks) == (1 << 64) - 1, slot
        assert sum(mask.bit_count() for mask in masks) == 64, slot


@EVERY_KERNEL
def test_pmd_softleaves_exist_with_thp_where_the_kernel_has_them(name: str, kernel: str) -> None:
    for arch in configurations(name, kernel):
        kernel_has_them = (name, kernel) != ("s390x", OLDEST_KERNEL)
        assert arch.has_pmd_softleaf is (kernel_has_them and arch.config.thp), arch
        assert arch.has_pmd_swap is (arch.has_pmd_softleaf and kernel == "pmd-swap-v3"), arch
        assert (arch.pmd_layout is not None) is arch.has_pmd_softleaf, arch


def pmd_softleaf_calls(arch: Arch) -> dict[str, Callable[[], object]]:
    """Every call that is about PMD softleaves, by helper."""
    calls: dict[str, Callable[[], object]] = {
        "softleaf_to_pmd": lambda: arch.softleaf_to_pmd(SoftLeaf(1, 1)),
        "encode_pmd": lambda: arch.encode_pmd(1, 1),
        "join_ptes": lambda: arch.join_ptes([]),
        "pmd_entry_to_pte": lambda: arch.pmd_entry_to_pte(0, 0),
    }
    for name in PMD_SOFTLEAF_HELPERS:
        helper: Callable[[int], object] = getattr(arch, name)
        calls[name] = partial(helper, 0)
    return calls


@EVERY_KERNEL
def test_without_pmd_softleaves_their_helpers_say_what_is_missing(name: str, kernel: str) -> None:
    for arch in configurations(name, kernel):
        if arch.has_pmd_softleaf:
            continue
        for helper, call in pmd_softleaf_calls(arch).items():
            with pytest.raises(UnsupportedError, match=rf"\b{helper}\b.*(since|thp=True)"):
                call()


@EVERY_KERNEL
def test_flags_are_there_exactly_if_configured(name: str, kernel: str) -> None:
    for slot in softleaf_slots(name, kernel):
        config = slot.arch.config
        configured = {"exclusive": slot.has_exclusive}
        configured |= {"soft_dirty": config.soft_dirty, "uffd": config.uffd}
        assert set(slot.layout.flags) == {flag for flag, is_on in configured.items() if is_on}, slot


@EVERY_KERNEL
def test_geometry_adds_up(name: str, kernel: str) -> None:
    for arch in configurations(name, kernel):
        assert arch.page_size == 1 << arch.page_shift, arch
        assert arch.pmd_size == 1 << arch.pmd_shift, arch
        assert arch.hpage_pmd_nr == 1 << arch.hpage_pmd_order, arch
        assert arch.hpage_pmd_nr * arch.page_size == arch.pmd_size, arch


@EVERY_KERNEL
def test_repr_is_the_call_that_makes_it_again(name: str, kernel: str) -> None:
    for arch in configurations(name, kernel):
        assert eval(repr(arch), {"pmdswp": pmdswp}) == arch, arch  # noqa: S307  # a repr of ours


def switchable(name: str, kernel: str) -> list[str]:
    """The options that decide type numbers and that this kernel can have."""
    default = get_with(name, {"kernel": kernel})
    kinds = {
        "device_private": SoftLeafType.DEVICE_EXCLUSIVE,
        "memory_failure": SoftLeafType.HWPOISON,
    }
    return [
        option for option in TYPE_NUMBER_OPTIONS if kinds.get(option, SoftLeafType.MIGRATION_READ) in default.swp_types
    ]


@EVERY_KERNEL
def test_special_types_fill_the_top_in_the_order_of_the_kernel(name: str, kernel: str) -> None:
    options = switchable(name, kernel)
    for values in product((True, False), repeat=len(options)):
        arch = get_with(name, {"kernel": kernel, **dict(zip(options, values, strict=True))})
        expected = arch.max_swapfiles
        for kind in (kind for kind in ORDER if kind in arch.swp_types):
            is_pair = kind is SoftLeafType.DEVICE_EXCLUSIVE and kernel == OLDEST_KERNEL
            assert arch.swp_types[kind] == (range(expected, expected + 2) if is_pair else expected)
            expected += 2 if is_pair else 1
        assert expected == MAX_TYPE + 1, arch
        assert len(arch.swp_types) == sum(
            (
                3 * arch.config.device_private,
                arch.config.memory_failure,
                3 * arch.config.migration,
                1,
            )
        ), arch
