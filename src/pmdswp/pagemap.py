"""What the kernel says of a page to programs: words of /proc/PID/pagemap, PAGEMAP_SCAN categories, kpageflags.

>>> from pmdswp import pagemap
>>> word = pagemap.decode(0x818000000038944C)
>>> word.state, hex(word.pfn), word.flags
(<State.PRESENT: 'PRESENT'>, '0x38944c', ('soft_dirty', 'exclusive'))

The words are the same on every architecture. What a type number in one stands for depends on the kernel, as in page
tables: `kind`. Sources: fs/proc/task_mmu.c, include/uapi/linux/fs.h, include/uapi/linux/kernel-page-flags.h,
Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pmdswp.errors import DecodeError, EncodeError, brief, brief_hex
from pmdswp.layout import Field, Layout, WordLayout, check_word, flag, value, zero
from pmdswp.softleaf import MAX_SWAPFILES_SHIFT, SoftLeaf, SoftLeafType, State

if TYPE_CHECKING:
    from pmdswp.arch import Arch

__all__ = [
    "ENTRY_SIZE",
    "FLAGS",
    "LAYOUTS",
    "PAGE_FLAGS",
    "PFRAME_BITS",
    "Category",
    "Pagemap",
    "decode",
    "encode",
    "kind",
    "page_flags",
]

ENTRY_SIZE = 8
"""Bytes of a word. In the file they are in the byte order of the CPU, also where page tables have the other one."""

PFRAME_BITS = 55
"""The bits below the flags: those of a PFN, or of type and offset."""

_FLAGS: tuple[Field, ...] = (
    flag("soft_dirty", 55, "PM_SOFT_DIRTY", "the entry, or the VMA, is soft-dirty"),
    flag("exclusive", 56, "PM_MMAP_EXCLUSIVE", "mapped by one process alone (since 4.2)"),
    flag("uffd", 57, "PM_UFFD_WP", "watched by userfaultfd (since 5.13)"),
    flag("guard", 58, "PM_GUARD_REGION", "a guard region (since 6.15)"),
    zero(59, 2),
    flag("file", 61, "PM_FILE", "a page of a file, or of shared anonymous memory (since 3.5)"),
    flag("swap", 62, "PM_SWAP", "not present: a swap entry, or another softleaf"),
    flag("present", 63, "PM_PRESENT", "present"),
)

_TYPE = value("type", 0, MAX_SWAPFILES_SHIFT, "MAX_SWAPFILES_SHIFT", "swap type")
_OFFSET = value(
    "offset", MAX_SWAPFILES_SHIFT, PFRAME_BITS - MAX_SWAPFILES_SHIFT, "PM_PFRAME_MASK", "swap offset, or PFN, or marker"
)
_PFN = value("pfn", 0, PFRAME_BITS, "PM_PFRAME_MASK", "page frame number; 0 for readers without CAP_SYS_ADMIN")

LAYOUTS: Mapping[State, WordLayout] = MappingProxyType(
    {
        State.PRESENT: WordLayout((_PFN, *_FLAGS)),
        State.SOFTLEAF: Layout((_TYPE, _OFFSET, *_FLAGS)),
        State.NONE: WordLayout((zero(0, PFRAME_BITS), *_FLAGS)),
    }
)
"""What the bits of a word mean: of a page that is present, of one that is swapped out, of one that is neither."""

FLAGS: tuple[str, ...] = ("soft_dirty", "exclusive", "uffd", "guard", "file")
"""The flags of a word, in the order of their bits; what is present and what is swapped out is `Pagemap.state`."""


class Pagemap(NamedTuple):
    """A word of /proc/PID/pagemap.

    `state` is PRESENT, SOFTLEAF (the kernel calls it swapped; it may be a migration entry or a marker) or NONE. `pfn`
    is that of a PRESENT page, `leaf` the type and offset of a SOFTLEAF; otherwise they are None. Without CAP_SYS_ADMIN
    the kernel shows both as 0.
    """

    raw: int
    state: State
    pfn: int | None
    leaf: SoftLeaf | None
    flags: tuple[str, ...]

    @property
    def is_hidden(self) -> bool:
        """Whether the kernel kept PFN, type and offset to itself: no page that is used has frame 0."""
        return self.pfn == 0 or (self.leaf is not None and self.leaf.is_none)

    @property
    def stray_bits(self) -> int:
        """The bits that no kernel sets: those without a meaning, and a frame where there is no page."""
        both = self.raw & _STATE_BITS if self.raw & _STATE_BITS == _STATE_BITS else 0
        return LAYOUTS[self.state].stray_bits(self.raw) | both


_STATE_BITS = 3 << 62


def decode(v: int) -> Pagemap:
    """What a word says; `DecodeError` beyond 64 bits."""
    v = check_word(v, DecodeError, "pagemap word")
    state = State.PRESENT if v >> 63 else State.SOFTLEAF if v >> 62 else State.NONE
    layout = LAYOUTS[state]
    flags = tuple(name for name in FLAGS if v & layout.flags[name])
    if state is State.PRESENT:
        return Pagemap(v, state, _PFN.get(v), None, flags)
    leaf = SoftLeaf(_TYPE.get(v), _OFFSET.get(v)) if state is State.SOFTLEAF else None
    return Pagemap(v, state, None, leaf, flags)


def encode(*, pfn: int | None = None, leaf: SoftLeaf | None = None, flags: tuple[str, ...] = ()) -> int:
    """The word for a page that is present at `pfn`, for a `leaf`, or, with neither, for no page.

    `EncodeError` for both at once, for a number that does not fit, and for a flag that is not one of `FLAGS`.
    """
    if pfn is not None and leaf is not None:
        raise EncodeError("a page is present at a pfn or it is a leaf, not both")
    state = State.PRESENT if pfn is not None else State.SOFTLEAF if leaf is not None else State.NONE
    layout = LAYOUTS[state]
    word = {State.PRESENT: layout.flags["present"], State.SOFTLEAF: layout.flags["swap"]}.get(state, 0)
    for name in flags:
        if name not in FLAGS:
            raise EncodeError(f"flag {brief(name)}; allowed: {', '.join(FLAGS)}")
        word |= layout.flags[name]
    parts = [] if leaf is None else [(_TYPE, leaf.swp_type), (_OFFSET, leaf.offset)]
    for field, number in parts if pfn is None else [(_PFN, pfn)]:
        word |= field.put(_within(field, number))
    return word


def _within(field: Field, number: object) -> int:
    try:
        index = operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        raise EncodeError(f"{field.name} {brief(number)} is not an integer within 0..{field.max:#x}") from None
    if not 0 <= index <= field.max:
        raise EncodeError(f"{field.name} {brief_hex(index)} is not within 0..{field.max:#x}")
    return index


def kind(arch: Arch, word: Pagemap) -> SoftLeafType:
    """What a word that is SOFTLEAF stands for in that kernel; NONE for others, and where type and offset are hidden."""
    return SoftLeafType.NONE if word.leaf is None else arch.numbering.kind(word.leaf)


class Category(enum.IntFlag):
    """What PAGEMAP_SCAN says of a page: the kernel's PAGE_IS_*, since 6.7."""

    WPALLOWED = 1 << 0
    WRITTEN = 1 << 1
    FILE = 1 << 2
    PRESENT = 1 << 3
    SWAPPED = 1 << 4
    PFNZERO = 1 << 5
    HUGE = 1 << 6
    SOFT_DIRTY = 1 << 7
    GUARD = 1 << 8
    ACCESSED = 1 << 9

    @property
    def names(self) -> tuple[str, ...]:
        """The kernel's names of the bits that are set; one that has no name here reads "bit N"."""
        known = {one.value: f"PAGE_IS_{one.name}" for one in Category}
        bits = (1 << number for number in range(self.value.bit_length()))
        return tuple(known.get(bit, f"bit {bit.bit_length() - 1}") for bit in bits if self.value & bit)


_LOW_FLAGS = (
    *("locked", "error", "referenced", "uptodate", "dirty", "lru", "active", "slab", "writeback", "reclaim", "buddy"),
    *("mmap", "anonymous", "swapcache", "swapbacked", "compound_head", "compound_tail", "huge", "unevictable"),
    *("hwpoison", "nopage", "ksm", "thp", "offline", "zero_page", "idle_page", "pgtable"),
)

PAGE_FLAGS: Mapping[int, str] = MappingProxyType(
    dict(enumerate(_LOW_FLAGS))
    | {
        32: "reserved",
        33: "mlocked",
        34: "owner_2",
        35: "private",
        36: "private_2",
        37: "owner_private",
        38: "arch",
        40: "softdirty",
        41: "arch_2",
        42: "arch_3",
        47: "anon_exclusive",
        48: "readahead",
        50: "slub_frozen",
        51: "slub_debug",
        61: "file",
        62: "swap",
        63: "mmap_exclusive",
    }
)
"""Bit of a word of /proc/kpageflags -> its name, as the tool page-types has it. From 47 on they are the tool's own."""


def page_flags(v: int) -> tuple[str, ...]:
    """The names of the bits that are set in a word of /proc/kpageflags or in a row of page-types, the lowest first.

    One that has no name reads "bit N". `DecodeError` beyond 64 bits.
    """
    v = check_word(v, DecodeError, "page flags")
    return tuple(PAGE_FLAGS.get(bit, f"bit {bit}") for bit in range(v.bit_length()) if v >> bit & 1)
