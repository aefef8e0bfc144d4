"""What follows from a configuration before any word is looked at: type numbers, kinds, PFN bits and marker bits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.config import Config
from pmdswp.errors import DecodeError, brief
from pmdswp.revisions import (
    DEVICE_EXCLUSIVE,
    DEVICE_EXCLUSIVE_MERGED,
    MARKER_ALWAYS,
    MARKER_GUARD,
    MARKER_POISONED,
    MIGRATION_AD,
    MIGRATION_EXCLUSIVE,
    PMD_DEVICE_PRIVATE,
    PMD_SWAP,
    PTE_MARKER,
    SWAP_ERROR_MARKER,
    SWAPIN_ERROR,
    XARRAY,
)
from pmdswp.softleaf import (
    DEVICE_PRIVATE_KINDS,
    MARKER_BITS,
    MIGRATION_KINDS,
    NR_SWAP_TYPES,
    SWP_TYPE_SHIFT,
    SoftLeaf,
    SoftLeafType,
)

__all__ = ["Numbering", "numbering", "pfn_bits"]


class Numbering(NamedTuple):
    """The numbers of one configuration.

    `swp_types`: special kind -> its type number, or range of numbers; kinds not configured are left out. `kinds`: the
    kind of each type number 0..31. `pmd_kinds`: the kinds that this kernel puts into PMDs. `max_swapfiles`:
    MAX_SWAPFILES, types below are swap devices. `swp_type_shift`: SWP_TYPE_SHIFT, the bits of offset below the type in
    the generic entry. `swp_pfn_bits`: SWP_PFN_BITS, how many bits of the offset hold a PFN: before 6.1, all.
    `migration_ad`: whether migration entries keep the young and dirty bits, above the PFN. `marker_bits`: name -> bit
    in the offset of a PTE marker, by this kernel's names.
    """

    swp_types: Mapping[SoftLeafType, int | range]
    kinds: tuple[SoftLeafType, ...]
    pmd_kinds: tuple[SoftLeafType, ...]
    max_swapfiles: int
    swp_type_shift: int
    swp_pfn_bits: int
    migration_ad: bool
    marker_bits: Mapping[str, int]

    @property
    def pfn_mask(self) -> int:
        """SWP_PFN_MASK: the bits of an offset that hold a PFN."""
        return (1 << self.swp_pfn_bits) - 1

    @property
    def marker_mask(self) -> int:
        """PTE_MARKER_MASK: the offset bits of a PTE marker that mean something to this kernel."""
        return sum(self.marker_bits.values())

    def young_dirty(self, kind: SoftLeafType, offset: int) -> int:
        """The bits above the PFN of a migration entry, 1 young and 2 dirty; 0 of others and without `migration_ad`."""
        return offset >> self.swp_pfn_bits & 3 if self.migration_ad and kind.is_migration else 0

    def kind(self, leaf: SoftLeaf) -> SoftLeafType:
        """What `leaf` is in this configuration; UNKNOWN for a type that is not within 0..31.

        `DecodeError` if it is not a `SoftLeaf`.
        """
        try:
            swp_type, offset = leaf
            if not 0 <= swp_type < NR_SWAP_TYPES:
                return SoftLeafType.UNKNOWN
            if swp_type == 0 and offset == 0:
                return SoftLeafType.NONE
            return self.kinds[swp_type]
        except (TypeError, ValueError):
            raise DecodeError(f"{brief(leaf)} is not a SoftLeaf of two integers") from None

    def numbers(self, *kinds: SoftLeafType) -> list[int]:
        """All type numbers of these special kinds, lowest first where the kinds are given so."""
        found: list[int] = []
        for kind in kinds:
            number = self.swp_types.get(kind, range(0))
            found.extend([number] if isinstance(number, int) else number)
        return found


def numbering(config: Config, offset_width: int, *, has_pmd_softleaf: bool) -> Numbering:
    """The numbers of a configuration whose entries have `offset_width` bits of offset."""
    swp_types = _swp_types(config)
    kinds = [SoftLeafType.SWAP] * NR_SWAP_TYPES
    for kind, number in swp_types.items():
        for one in (number,) if isinstance(number, int) else number:
            kinds[one] = kind
    swp_pfn_bits, migration_ad = pfn_bits(config, offset_width)
    return Numbering(
        swp_types=swp_types,
        kinds=tuple(kinds),
        pmd_kinds=tuple(kind for kind in _pmd_kinds(config) if has_pmd_softleaf and kind in kinds),
        max_swapfiles=kinds.count(SoftLeafType.SWAP),
        swp_type_shift=_swp_type_shift(config),
        swp_pfn_bits=swp_pfn_bits,
        migration_ad=migration_ad,
        marker_bits=_marker_bits(config),
    )


def pfn_bits(config: Config, offset_width: int) -> tuple[int, bool]:
    """`Numbering.swp_pfn_bits` and `migration_ad`, where entries have `offset_width` bits of offset."""
    bits = _swp_pfn_bits(config)
    return bits, config.migration and offset_width >= bits + 2


def _swp_types(config: Config) -> Mapping[SoftLeafType, int | range]:
    """The special kinds by number: include/linux/swap.h gives the highest numbers away, upwards in this order.

    The PTE marker is 31 wherever every kernel has it; where only some have, it comes below the swap errors, which
    then had a type of their own.
    """
    kinds: list[SoftLeafType] = []
    if config.memory_failure:
        kinds.append(SoftLeafType.HWPOISON)
    if config.migration:
        is_old = not config.has(MIGRATION_EXCLUSIVE)
        kinds.extend(kind for kind in MIGRATION_KINDS if not (is_old and kind is SoftLeafType.MIGRATION_READ_EXCLUSIVE))
    if config.device_private:
        kinds.extend(DEVICE_PRIVATE_KINDS)
        if config.has(DEVICE_EXCLUSIVE):
            # one number, or one for write and one for read
            kinds.extend([SoftLeafType.DEVICE_EXCLUSIVE] * (1 if config.has(DEVICE_EXCLUSIVE_MERGED) else 2))
    if config.has(MARKER_ALWAYS) or config.is_on("pte_marker"):
        kinds.append(SoftLeafType.MARKER)
    if config.has(SWAPIN_ERROR) and not config.has(SWAP_ERROR_MARKER):
        kinds.append(SoftLeafType.SWAPIN_ERROR)
    first = NR_SWAP_TYPES - len(kinds)
    numbers: dict[SoftLeafType, int | range] = {}
    for kind in dict.fromkeys(kinds):
        number, count = first + kinds.index(kind), kinds.count(kind)
        numbers[kind] = number if count == 1 else range(number, number + count)
    return MappingProxyType(numbers)


def _pmd_kinds(config: Config) -> tuple[SoftLeafType, ...]:
    kinds = MIGRATION_KINDS
    if config.has(PMD_DEVICE_PRIVATE):
        kinds += DEVICE_PRIVATE_KINDS
    return (SoftLeafType.SWAP, *kinds) if config.has(PMD_SWAP) else kinds


def _swp_type_shift(config: Config) -> int:
    return SWP_TYPE_SHIFT if config.has(XARRAY) else SWP_TYPE_SHIFT - 1


def _swp_pfn_bits(config: Config) -> int:
    if not config.has(MIGRATION_AD):
        return _swp_type_shift(config)
    if config.max_physmem_bits is None:
        return min(64 - config.page_shift, _swp_type_shift(config))
    return config.max_physmem_bits - config.page_shift


def _marker_bits(config: Config) -> Mapping[str, int]:
    swap_error = "poisoned" if config.has(MARKER_POISONED) else "swapin_error"
    names = {"uffd_wp": PTE_MARKER, swap_error: SWAP_ERROR_MARKER, "guard": MARKER_GUARD}
    return MappingProxyType(
        {name: bit for (name, since), bit in zip(names.items(), MARKER_BITS.values(), strict=True) if config.has(since)}
    )
