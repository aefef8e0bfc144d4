"""The architecture-independent entry: type, offset, kind and flags.

A software leaf is what the kernel stores in a page-table slot that maps nothing: `swp_entry_t`, called
`softleaf_t` since 6.19. It is a 5-bit type above a 58-bit offset; the lower types are swap
devices, and the upper ones are given to other uses by the kernel's configuration.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, NoReturn

from pmdswp.attributes import ATTRIBUTES
from pmdswp.config import show
from pmdswp.errors import EncodeError, brief

__all__ = [
    "DEVICE_PRIVATE_KINDS",
    "FLAGS",
    "FORMS",
    "GENERIC_TYPE_MAX",
    "LEVELS",
    "MARKER_BITS",
    "MAX_SWAPFILES_SHIFT",
    "MIGRATION_KINDS",
    "NR_SWAP_TYPES",
    "SWP_OFFSET_MASK",
    "SWP_TYPE_SHIFT",
    "Entry",
    "Flags",
    "FormName",
    "LevelName",
    "SoftLeaf",
    "SoftLeafType",
    "State",
]

MAX_SWAPFILES_SHIFT = 5
NR_SWAP_TYPES = 1 << MAX_SWAPFILES_SHIFT
SWP_TYPE_SHIFT = 63 - MAX_SWAPFILES_SHIFT
"""Bits of offset below the type; bit 63 stays clear for the xarray's value tag (include/linux/swapops.h)."""
SWP_OFFSET_MASK = (1 << SWP_TYPE_SHIFT) - 1

GENERIC_TYPE_MAX = (1 << (64 - SWP_TYPE_SHIFT)) - 1
"""The largest type that a 64-bit generic entry can hold; larger ones lose their upper bits."""

LevelName = Literal["pte", "pmd", "pud", "p4d", "pgd"]
"""A page-table level. Softleaves are at the lower two."""

FormName = Literal["swap", "page", "table"]
"""What a page-table word is of: a swap entry (any softleaf), a page that is mapped, a table that is pointed to."""

FORMS: tuple[FormName, ...] = ("swap", "page", "table")
"""The forms of a word."""

LEVELS: tuple[LevelName, ...] = ("pte", "pmd", "pud", "p4d", "pgd")
"""The page-table levels, from the bottom up."""


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
    """A page that could not be read back, from 5.19 to 6.1; later a PTE marker. No number of the kernel's enum."""
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

`poisoned` since 6.2 (named SWAPIN_ERROR before 6.6), `guard` since 6.13: `pmdswp.revisions` names the commits.
"""


def _integer(number: object, what: str) -> int:
    """`number` as an `int`: one of NumPy's would lose bits in a shift."""
    try:
        return operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        raise EncodeError(f"{what} {brief(number)} is not an integer") from None


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
        """The kernel's `.val`: ``swp_type << 58 | offset``. `EncodeError` where one of them is not an integer."""
        return _integer(self.swp_type, "type") << SWP_TYPE_SHIFT | _integer(self.offset, "offset")

    @property
    def is_none(self) -> bool:
        """Whether the kernel takes this for no entry at all: `val` is 0, so type 0 and offset 0."""
        return self.val == 0

    @classmethod
    def from_val(cls, val: int) -> SoftLeaf:
        """The leaf whose `.val` is `val`; `EncodeError` if that is not an integer."""
        val = _integer(val, "val")
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
    """A PMD, or an entry of a level above, that points to a table."""
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


class _Decoded(NamedTuple):
    level: LevelName
    raw: int
    state: State
    leaf: SoftLeaf | None = None
    kind: SoftLeafType = SoftLeafType.NONE
    exclusive: bool = False
    soft_dirty: bool = False
    uffd: bool = False


class Entry(_Decoded):
    """A decoded page-table word: `level`, `raw`, `state`, `leaf`, `kind`, `exclusive`, `soft_dirty`, `uffd`.

    `leaf`, `kind` and the flags tell of a SOFTLEAF: otherwise they are None, NONE and False. An entry is a tuple of
    these eight, and two are equal if these are. What else there is to know of it follows from them and from the
    configuration: `pfn`, `address`, `attributes`, `young`, `dirty`, `markers`. `Level.decode` fills that in; an entry
    that was made otherwise does not know it.
    """

    pfn: int | None = None
    """A page frame number: of the first page that a PRESENT entry maps, of the table to which a TABLE points (of the
    page in which it lies, as ppc64 and s390x have tables smaller than a page), or in a softleaf of a kind that has one,
    without the young and dirty bits; otherwise None."""
    address: int | None = None
    """Of a PRESENT or TABLE entry the physical address, in bytes, of what it maps or points to; otherwise None."""
    attributes: frozenset[str] = frozenset()
    """Of a PRESENT or TABLE entry the names of `ATTRIBUTES` for which the kernel's helper says yes."""
    young: bool = False
    """Whether a migration entry is young: `Arch.softleaf_young`."""
    dirty: bool = False
    """Whether a migration entry is dirty: `Arch.softleaf_dirty`."""
    markers: int = 0
    """The bits `MARKER_BITS` of a PTE marker: `Arch.softleaf_markers`."""

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"an Entry is immutable: cannot set {name!r}")

    def knowing(self, **known: object) -> Entry:
        """The same entry, with what follows from it and from the configuration; for those that make entries."""
        vars(self).update(known)
        return self

    @property
    def flags(self) -> Flags:
        """The three flags as one number."""
        return Flags(self.exclusive * Flags.EXCLUSIVE | self.soft_dirty * Flags.SOFT_DIRTY | self.uffd * Flags.UFFD)

    def __repr__(self) -> str:
        shown = [f"level={self.level!r}", f"raw={self.raw:#018x}"]
        shown += (f"{name}={value!r}" for name, value in zip(self._fields[2:], self[2:], strict=True))
        shown += (
            f"{name}={_shown(name, value)}" for name, value in vars(self).items() if value != getattr(Entry, name)
        )
        return f"Entry({', '.join(shown)})"


def _shown(name: str, value: object) -> str:
    if isinstance(value, frozenset):
        return f"frozenset({{{', '.join(repr(one) for one in ATTRIBUTES if one in value)}}})"
    return f"{value:#x}" if name in ("pfn", "address") else repr(value)
