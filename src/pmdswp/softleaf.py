"""The architecture-independent entry, and what its type numbers mean.

A software leaf is what the kernel stores in a page-table slot that maps nothing: `swp_entry_t`, called
`softleaf_t` since 6.19 (commit 68aa2fdbf57f). It is a 5-bit type above a 58-bit offset; the lower types are swap
devices, and the upper ones are given to other uses by the kernel's configuration.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from pmdswp.config import Config, show
from pmdswp.errors import UnsupportedError
from pmdswp.revisions import (
    DEVICE_EXCLUSIVE_MERGED,
    MARKER_ALWAYS,
    MARKER_GUARD,
    MARKER_POISONED,
    PMD_DEVICE_PRIVATE,
    PMD_SWAP,
    SWAP_ERROR_MARKER,
)

__all__ = [
    "DEVICE_PRIVATE_KINDS",
    "FLAGS",
    "GENERIC_TYPE_MAX",
    "MARKER_BITS",
    "MAX_SWAPFILES_SHIFT",
    "MIGRATION_KINDS",
    "NR_SWAP_TYPES",
    "SWP_OFFSET_MASK",
    "SWP_TYPE_SHIFT",
    "Entry",
    "Flags",
    "Level",
    "SoftLeaf",
    "SoftLeafType",
    "State",
    "check_level",
    "marker_bits",
    "marker_mask",
    "max_swapfiles",
    "migration_ad",
    "pmd_kinds",
    "special_types",
    "swp_pfn_bits",
]

MAX_SWAPFILES_SHIFT = 5
NR_SWAP_TYPES = 1 << MAX_SWAPFILES_SHIFT
SWP_TYPE_SHIFT = 63 - MAX_SWAPFILES_SHIFT
"""Bits of offset below the type; bit 63 stays clear for the xarray's value tag (include/linux/swapops.h)."""
SWP_OFFSET_MASK = (1 << SWP_TYPE_SHIFT) - 1

GENERIC_TYPE_MAX = (1 << (64 - SWP_TYPE_SHIFT)) - 1
"""The largest type that a 64-bit generic entry can hold; larger ones lose their upper bits."""

Level = Literal["pte", "pmd"]


def check_level(level: Level) -> Level:
    """The level itself; `UnsupportedError` if it is none."""
    if level not in ("pte", "pmd"):
        raise UnsupportedError(f"no level {level!r}; allowed: 'pte', 'pmd'")
    return level


class SoftLeafType(enum.Enum):
    """What a software leaf stands for: the kernel's `enum softleaf_type`, with its numbers.

    These are not the type numbers in an entry, which depend on the configuration: see `Arch.swp_types`.
    """

    NONE = 0
    SWAP = 1
    MIGRATION_READ = 2
    MIGRATION_READ_EXCLUSIVE = 3
    MIGRATION_WRITE = 4
    DEVICE_PRIVATE_READ = 5
    DEVICE_PRIVATE_WRITE = 6
    DEVICE_EXCLUSIVE = 7
    HWPOISON = 8
    MARKER = 9
    SWAPIN_ERROR = 254
    """A page that could not be read back, in 6.1 only; later a PTE marker. No number of the kernel's enum."""
    UNKNOWN = 255
    """A type number above 31, which no kernel writes."""

    @property
    def is_migration(self) -> bool:
        """Whether this is one of the three migration kinds."""
        return self in MIGRATION_KINDS

    @property
    def is_device_private(self) -> bool:
        """Whether this is one of the two device-private kinds."""
        return self in DEVICE_PRIVATE_KINDS

    @property
    def has_pfn(self) -> bool:
        """Whether the offset holds a page frame number (the kernel's `softleaf_has_pfn`)."""
        return self in _HAS_PFN


MIGRATION_KINDS: tuple[SoftLeafType, ...] = (
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
)
# The entry's numbers run write, then read: the other way round than the enum.
DEVICE_PRIVATE_KINDS = (SoftLeafType.DEVICE_PRIVATE_WRITE, SoftLeafType.DEVICE_PRIVATE_READ)
_HAS_PFN = (*MIGRATION_KINDS, *DEVICE_PRIVATE_KINDS, SoftLeafType.DEVICE_EXCLUSIVE, SoftLeafType.HWPOISON)

FLAGS = ("exclusive", "soft_dirty", "uffd")
"""The flags of a swap entry, in the order in which this library lists them."""

MARKER_BITS: Mapping[str, int] = MappingProxyType({"uffd_wp": 0x1, "poisoned": 0x2, "guard": 0x4})
"""Name -> bit in the offset of a PTE marker (include/linux/swapops.h), by the newest names.

`poisoned` since 6.2 (15520a3f0469; named SWAPIN_ERROR before 6.6), `guard` since 6.13 (7c53dfbdb024).
"""


class SoftLeaf(NamedTuple):
    """A type and an offset: the kernel's `softleaf_t` taken apart.

    `swp_type` is 0..31 in every entry that a kernel writes; `offset` counts slots (pages) of a swap device, or
    holds a PFN or marker bits. Nothing is checked here: an entry that does not fit is refused where it is stored.
    """

    swp_type: int
    offset: int

    def __repr__(self) -> str:
        return f"SoftLeaf(swp_type={show(self.swp_type)}, offset={self.offset:#x})"

    @property
    def val(self) -> int:
        """The kernel's `.val`: ``swp_type << 58 | offset``."""
        return self.swp_type << SWP_TYPE_SHIFT | self.offset

    @property
    def is_none(self) -> bool:
        """Whether the kernel takes this for no entry at all: `val` is 0, so type 0 and offset 0."""
        return self.val == 0

    @classmethod
    def from_val(cls, val: int) -> SoftLeaf:
        """The leaf whose `.val` is `val`."""
        return cls(val >> SWP_TYPE_SHIFT, val & SWP_OFFSET_MASK)

    @classmethod
    def none(cls) -> SoftLeaf:
        """The leaf that stands for an empty or a present slot."""
        return cls(0, 0)


class State(enum.StrEnum):
    """What a page-table word is, before anything is read out of it."""

    NONE = "NONE"
    """Empty: `pte_none` or `pmd_none`."""
    PRESENT = "PRESENT"
    """Maps a page (a huge one in a PMD)."""
    TABLE = "TABLE"
    """A PMD that points to a page table."""
    SOFTLEAF = "SOFTLEAF"
    """Neither none nor present: a software leaf."""
    BAD = "BAD"
    """A PMD neither none nor present in a kernel that has no PMD software leaf: nothing may write it."""

    @property
    def code(self) -> int:
        """The number of this state in arrays (`pmdswp.array`): NONE 0, PRESENT 1, TABLE 2, SOFTLEAF 3, BAD 4."""
        return _STATES.index(self)

    @classmethod
    def from_code(cls, code: int) -> State:
        """The state with that number; `IndexError` if there is none."""
        return _STATES[code]


_STATES = tuple(State)


class Flags(enum.IntFlag):
    """The flags of a swap entry as bits of one number: the column `flags` of `pmdswp.array`."""

    EXCLUSIVE = 1
    SOFT_DIRTY = 2
    UFFD = 4


class Entry(NamedTuple):
    """A decoded page-table word. Unless `state` is SOFTLEAF: `leaf` is None, `kind` NONE, and no flag is set."""

    level: Level
    raw: int
    state: State
    leaf: SoftLeaf | None = None
    kind: SoftLeafType = SoftLeafType.NONE
    exclusive: bool = False
    soft_dirty: bool = False
    uffd: bool = False

    @property
    def flags(self) -> Flags:
        """The three flags as one number."""
        return Flags(self.exclusive * Flags.EXCLUSIVE | self.soft_dirty * Flags.SOFT_DIRTY | self.uffd * Flags.UFFD)

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in zip(self._fields[2:], self[2:], strict=True))
        return f"Entry(level={self.level!r}, raw={self.raw:#018x}, {', '.join(fields)})"


def special_types(config: Config) -> Mapping[SoftLeafType, int | range]:
    """Kind -> its type number, or range of numbers, above the swap devices; kinds not configured are left out.

    include/linux/swap.h gives the highest numbers away, upwards in this order. The PTE marker is 31, and in every
    kernel, since 6.2 (ca92ea3dc5a2); in 6.1 it is there with CONFIG_PTE_MARKER only, below the swap errors, which
    then had a type of their own (until 15520a3f0469). Until 6.15 (c25465eb7630) device-exclusive entries had two
    types, for write and for read.
    """
    kinds: list[SoftLeafType] = []
    if config.memory_failure:
        kinds.append(SoftLeafType.HWPOISON)
    if config.migration:
        kinds.extend(MIGRATION_KINDS)
    if config.device_private:
        kinds.extend(DEVICE_PRIVATE_KINDS)
        kinds.append(SoftLeafType.DEVICE_EXCLUSIVE)
        if not config.has(DEVICE_EXCLUSIVE_MERGED):
            kinds.append(SoftLeafType.DEVICE_EXCLUSIVE)
    if config.has(MARKER_ALWAYS) or config.pte_marker:
        kinds.append(SoftLeafType.MARKER)
    if not config.has(SWAP_ERROR_MARKER):
        kinds.append(SoftLeafType.SWAPIN_ERROR)
    first = NR_SWAP_TYPES - len(kinds)
    numbers: dict[SoftLeafType, int | range] = {}
    for kind in dict.fromkeys(kinds):
        number, count = first + kinds.index(kind), kinds.count(kind)
        numbers[kind] = number if count == 1 else range(number, number + count)
    return MappingProxyType(numbers)


def pmd_kinds(config: Config) -> tuple[SoftLeafType, ...]:
    """The kinds that this kernel puts into PMDs, those that are not configured included."""
    kinds = MIGRATION_KINDS
    if config.has(PMD_DEVICE_PRIVATE):
        kinds += DEVICE_PRIVATE_KINDS
    return (SoftLeafType.SWAP, *kinds) if config.has(PMD_SWAP) else kinds


def max_swapfiles(swp_types: Mapping[SoftLeafType, int | range]) -> int:
    """MAX_SWAPFILES: the lowest special number, and how many swap devices there can be."""
    return min(number if isinstance(number, int) else number.start for number in swp_types.values())


def marker_bits(config: Config) -> Mapping[str, int]:
    """Name -> bit in the offset of a PTE marker that means something to this kernel, by this kernel's names."""
    swap_error = "poisoned" if config.has(MARKER_POISONED) else "swapin_error"
    names = {"uffd_wp": None, swap_error: SWAP_ERROR_MARKER, "guard": MARKER_GUARD}
    return {
        name: bit
        for (name, since), bit in zip(names.items(), MARKER_BITS.values(), strict=True)
        if since is None or config.has(since)
    }


def marker_mask(config: Config) -> int:
    """PTE_MARKER_MASK: the offset bits of a PTE marker that mean something to this kernel."""
    return sum(marker_bits(config).values())


def swp_pfn_bits(config: Config) -> int:
    """SWP_PFN_BITS: how many bits of the offset hold a PFN; the migration young and dirty bits stand above them."""
    if config.max_physmem_bits is None:
        return min(64 - config.page_shift, SWP_TYPE_SHIFT)
    return config.max_physmem_bits - config.page_shift


def migration_ad(config: Config, offset_width: int) -> bool:
    """Whether migration entries keep the young and dirty bits: two bits of the offset must be left above the PFN."""
    return config.migration and offset_width >= swp_pfn_bits(config) + 2
