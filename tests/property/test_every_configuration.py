"""Cheap laws on every configuration there is, at every corner of its layout: nothing here is left to chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, combinations, product

import pytest

import pmdswp
from levels import apply
from pmdswp import Arch, SoftLeaf, SoftLeafType, UnsupportedError
from pmdswp.arch import Level, get_with
from pmdswp.revisions import revisions
from pmdswp.softleaf import FLAGS
from property.generators import (
    CONFIGURATIONS,
    LEVELS,
    MAX_TYPE,
    Storable,
    offset_edges,
)
from timeline import (
    DEVICE_PRIVATE,
    MEMORY_FAILURE,
    PMD_SOFTLEAF,
    PTE_EXCLUSIVE,
    PTE_MARKER,
    SERIES,
    SOFT_DIRTY,
    T1,
    T2,
    T3,
    TA,
    TB,
    UFFD,
)

EVERY_KERNEL = pytest.mark.parametrize(
    ("name", "kernel"), [(name, revision.name) for name in pmdswp.names() for revision in revisions(name)]
)
ORDER = (
    SoftLeafType.HWPOISON,
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
    SoftLeafType.DEVICE_PRIVATE_WRITE,
    SoftLeafType.DEVICE_PRIVATE_READ,
    SoftLeafType.DEVICE_EXCLUSIVE,
    SoftLeafType.MARKER,
    SoftLeafType.SWAPIN_ERROR,
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


def softleaf_levels(name: str, kernel: str) -> Iterator[Level]:
    for arch in configurations(name, kernel):
        places = (arch.level(level) for level in LEVELS)
        yield from (place for place in places if place.holds_softleaf)


def corners(place: Level) -> Iterator[Storable]:
    """Every type; every edge of the offset with the smallest and the largest type; every set of flags."""
    edges = offset_edges(place.arch)
    yield from (Storable(place, swp_type, 0x200) for swp_type in range(MAX_TYPE + 1))
    yield from (Storable(place, *leaf) for leaf in product((0, MAX_TYPE), edges))
    flags = sorted(place.require_layout().flags)
    sets = chain.from_iterable(combinations(flags, size) for size in range(1, len(flags) + 1))
    for chosen, offset in product(sets, (0, 0x200, edges[-1])):
        yield Storable(place, 0, offset, frozenset(chosen))


@EVERY_KERNEL
def test_corners_decode_to_what_was_encoded(name: str, kernel: str) -> None:
    seen = set()
    for place in softleaf_levels(name, kernel):
        # those that differ in nothing that a softleaf knows of are asked once
        looked_at = (place.name, place.arch.source, place.layout, *place.arch.swp_types.items())
        if looked_at in seen:
            continue
        seen.add(looked_at)
        for corner in corners(place):
            assert place.decode(corner.word) == corner.decodes_to, corner


@EVERY_KERNEL
def test_flag_masks_are_what_the_helpers_set(name: str, kernel: str) -> None:
    for place in softleaf_levels(name, kernel):
        masks = {flag: apply(place, f"swp_mk{flag}", 0) for flag in place.flags}
        assert {flag: mask for flag, mask in masks.items() if mask} == dict(place.require_layout().flags), place


@EVERY_KERNEL
def test_layouts_partition_the_word(name: str, kernel: str) -> None:
    for place in softleaf_levels(name, kernel):
        masks = [field.mask for field in place.require_layout().fields]
        assert sum(masks) == (1 << 64) - 1, place
        assert sum(mask.bit_count() for mask in masks) == 64, place


@EVERY_KERNEL
def test_pmd_softleaves_exist_with_thp_where_the_kernel_has_them(name: str, kernel: str) -> None:
    for arch in configurations(name, kernel):
        assert arch.has_pmd_softleaf is (kernel in PMD_SOFTLEAF[name] and arch.config.thp), arch
        assert arch.has_pmd_swap is (arch.has_pmd_softleaf and kernel in SERIES), arch
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
def test_flags_are_there_exactly_if_the_kernel_has_them_and_they_are_configured(name: str, kernel: str) -> None:
    for place in softleaf_levels(name, kernel):
        config = place.arch.config
        configured = {"exclusive": kernel in (PTE_EXCLUSIVE[name] if place.name == "pte" else SERIES)}
        configured |= {"soft_dirty": config.soft_dirty, "uffd": config.uffd}
        assert set(place.require_layout().flags) == {flag for flag, is_on in configured.items() if is_on}, place


@EVERY_KERNEL
def test_only_kernels_that_have_a_flag_can_be_configured_to(name: str, kernel: str) -> None:
    configs = [arch.config for arch in configurations(name, kernel)]
    for option, kernels in (("soft_dirty", SOFT_DIRTY[name]), ("uffd", UFFD[name])):
        assert any(config.option(option) for config in configs) is (kernel in kernels)
        assert not all(config.option(option) for config in configs)


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
    possible = {
        "device_private": kernel in DEVICE_PRIVATE[name],
        "memory_failure": kernel in MEMORY_FAILURE[name],
        "migration": True,
        "pte_marker": name == "x86_64" and kernel in PTE_MARKER,
    }
    return [option for option, is_possible in possible.items() if is_possible]


@EVERY_KERNEL
def test_special_types_fill_the_top_in_the_order_of_the_kernel(name: str, kernel: str) -> None:
    options = switchable(name, kernel)
    device_exclusive = 1 if kernel in T3 else 2
    for values in product((True, False), repeat=len(options)):
        chosen = dict(zip(options, values, strict=True))
        arch = get_with(name, {"kernel": kernel, **chosen})
        expected = arch.max_swapfiles
        for kind in (kind for kind in ORDER if kind in arch.swp_types):
            count = device_exclusive if kind is SoftLeafType.DEVICE_EXCLUSIVE else 1
            assert arch.swp_types[kind] == (range(expected, expected + 2) if count == 2 else expected), arch
            expected += count
        assert expected == MAX_TYPE + 1, arch
        kinds: set[SoftLeafType] = set()
        if chosen.get("memory_failure"):
            kinds.add(SoftLeafType.HWPOISON)
        if chosen["migration"]:
            kinds.update(ORDER[1:4])
        if chosen.get("device_private"):
            kinds.update(ORDER[4:7] if kernel not in TA else ORDER[4:6])
        if kernel in (*TA, *TB):
            kinds.discard(SoftLeafType.MIGRATION_READ_EXCLUSIVE)
        if kernel in (*T2, *T3) or chosen.get("pte_marker"):
            kinds.add(SoftLeafType.MARKER)
        if kernel in T1:
            kinds.add(SoftLeafType.SWAPIN_ERROR)
        assert set(arch.swp_types) == kinds, arch
