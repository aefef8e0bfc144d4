"""What no sound word is: the doubts that follow from a word and the kernel alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pmdswp import pagemap, swp_entry
from pmdswp.arch import Arch, Level, get_with
from pmdswp.config import Value
from pmdswp.errors import UnsupportedError
from pmdswp.explain.finding import Doubt, Reading
from pmdswp.pagemap import Pagemap
from pmdswp.softleaf import LEVELS, Entry, LevelName, SoftLeaf, SoftLeafType, State
from pmdswp.swp_entry import SwpEntry

__all__ = ["LAST_SLOT", "NUMBERS", "S390_LEVELS", "flaws", "is_sound", "level_of", "read"]

LAST_SLOT = (1 << 32) - 1
"""The highest slot that a swap device can have: its header counts pages in 32 bits (union swap_header)."""

S390_LEVELS: Mapping[str, LevelName] = {"region1": "pgd", "region2": "p4d", "region3": "pud"}
"""What s390 calls its upper levels -> the level."""


def level_of(arch: Arch, what: str) -> Level:
    """The level of a page-table word by what it is called. One that is folded is that of the next level above."""
    wanted = S390_LEVELS.get(what, what)
    names = ("pte", "pmd", *(level.name for level in arch.tables))
    return arch.level(next(name for name in LEVELS[LEVELS.index(wanted) :] if name in names))


def read(arch: Arch, what: str, raw: int) -> Reading | None:
    """The value decoded as what it is; None for what holds no entry: an ASCE, flags, categories."""
    if what == "swp_entry":
        return swp_entry.decode(arch, raw)
    if what == "pagemap":
        return pagemap.decode(raw)
    if what in ("asce", "page_flags", "categories"):
        return None
    return level_of(arch, what).decode(raw)


def is_sound(arch: Arch, reading: Reading) -> bool:
    """Whether nothing speaks against the word."""
    return next(flaws(arch, reading), None) is None


def flaws(arch: Arch, reading: Reading) -> Iterator[Doubt]:
    """What speaks against the word: each a reason why no kernel of that configuration writes it, or needs it."""
    if isinstance(reading, Pagemap):
        yield from _of_pagemap(arch, reading)
        return
    if isinstance(reading, Entry):
        yield from _of_word(arch, reading)
    if reading.leaf is not None and not (isinstance(reading, SwpEntry) and reading.raw == 0):
        yield from _of_leaf(arch, reading)


def _of_pagemap(arch: Arch, reading: Pagemap) -> Iterator[Doubt]:
    if reading.stray_bits:
        yield Doubt("stray-bits", f"bits {reading.stray_bits:#x} are set, which have no meaning in a word of pagemap")
    if reading.pfn is not None:
        yield from _beyond_memory(arch, reading.pfn)
    if reading.leaf is not None and pagemap.kind(arch, reading) is SoftLeafType.SWAP:
        yield from _beyond_any_device(reading.leaf)


def _of_word(arch: Arch, entry: Entry) -> Iterator[Doubt]:
    level = arch.level(entry.level)
    layout = level.layout_of(entry)
    raw = entry.raw
    if entry.state is State.PRESENT:
        # where the address is stored inverted, its bits are all that differs
        layout, raw = level.require_page_layout(), level.plain(raw)
    stray = 0 if layout is None else layout.stray_bits(raw)
    if stray:
        yield Doubt("stray-bits", f"{_must_be(raw, stray)} in a word of that kind")
    if entry.state is State.BAD:
        yield Doubt("kind-not-at-level", f"a {level.label} is empty or present, and this is neither")
    elif entry.state is State.SOFTLEAF and entry.level == "pmd" and entry.kind not in arch.pmd_kinds:
        held = ", ".join(kind.name for kind in arch.pmd_kinds) or "no softleaf"
        text = f"no PMD of kernel {arch.kernel} holds {entry.kind.name}, but: {held}"
        yield Doubt("kind-not-at-level", f"{text}{_with_other_numbers(arch, entry)}")
    if entry.state in (State.PRESENT, State.TABLE) and entry.pfn is not None and "special" not in entry.attributes:
        yield from _beyond_memory(arch, entry.pfn)


def _must_be(word: int, stray: int) -> str:
    """What the stray bits of a word must be, in words."""
    masks = ((stray & word, 0), (stray & ~word, 1))
    return " and ".join(f"bits {mask:#x} must be {value}" for mask, value in masks if mask)


NUMBERS: tuple[Mapping[str, Value], ...] = (
    {"device_private": False},
    {"memory_failure": False},
    {"device_private": False, "memory_failure": False},
    {"migration": False},
    {"pte_marker": False},
)
"""Options that decide the numbers of special types."""


def _with_other_numbers(arch: Arch, entry: Entry) -> str:
    """By which options a PMD entry is of a kind that PMDs hold, in words; empty if by none."""
    known = arch.architecture.options
    for options in NUMBERS:
        if not all(name in known for name in options):
            continue
        try:
            other = get_with(arch.name, {**dict(arch.config.chosen), **options})
        except UnsupportedError:
            continue
        kind = other.pmd.decode(entry.raw).kind
        if kind in other.pmd_kinds:
            shown = ", ".join(f"{name}={value}" for name, value in options.items())
            return f"; of a kernel with {shown} it is {kind.name}"
    return ""


def _of_leaf(arch: Arch, reading: Entry | SwpEntry) -> Iterator[Doubt]:
    leaf, kind = reading.leaf, reading.kind
    assert leaf is not None  # noqa: S101  # the caller asked
    if kind is SoftLeafType.UNKNOWN:
        yield Doubt("stray-bits", f"type {leaf.swp_type} does not exist: there are 32")
    elif kind is SoftLeafType.NONE:
        yield Doubt("stray-bits", "type 0 with offset 0 is not an entry, but the word is not empty")
    elif kind is SoftLeafType.SWAP:
        yield from _beyond_any_device(leaf)
    elif kind is SoftLeafType.MARKER:
        unknown = leaf.offset & ~arch.numbering.marker_mask
        if unknown or not leaf.offset:
            what = f"bits {unknown:#x} of the marker are" if unknown else "no bit of the marker is"
            yield Doubt(
                "stray-bits", f"{what} {'not known to' if unknown else 'set, as in none of'} kernel {arch.kernel}"
            )
    elif kind.has_pfn and arch.max_physmem_bits is not None:
        # where the young and dirty bits are, and which kinds have them, hangs on options that may not be known
        bits = max(arch.max_physmem_bits, _PHYSMEM_BITS.get(arch.name, 0))
        if leaf.offset >> (bits - arch.page_shift + 2):
            yield _no_memory(leaf.offset, bits)


def _beyond_any_device(leaf: SoftLeaf) -> Iterator[Doubt]:
    if leaf.offset > LAST_SLOT:
        yield Doubt(
            "offset-beyond-device", f"no swap device has a slot {leaf.offset:#x}: they have 2^32 at most (16 TiB of 4K)"
        )


def _beyond_memory(arch: Arch, pfn: int) -> Iterator[Doubt]:
    bits = arch.max_physmem_bits
    if bits is None or not pfn >> (bits - arch.page_shift):
        return
    doubt = _no_memory(pfn, bits)
    for bit in _ENCRYPTED if arch.name == "x86_64" else ():
        if not (pfn ^ 1 << (bit - arch.page_shift)) >> (bits - arch.page_shift):
            doubt = doubt._replace(text=f"{doubt.text}, unless bit {bit} says that memory is encrypted (SME, SEV)")
    yield doubt


def _no_memory(pfn: int, bits: int) -> Doubt:
    return Doubt("pfn-beyond-memory", f"pfn {pfn:#x} is beyond the 2^{bits} bytes of memory that the kernel can have")


_ENCRYPTED = (47, 51)
"""Bits of a physical address that AMD's processors give to memory encryption; CPUID says which."""

_PHYSMEM_BITS = {"x86_64": 52, "arm64": 52, "riscv64": 56, "s390x": 53, "ppc64": 51, "loongarch64": 48}
"""MAX_PHYSMEM_BITS at most, whatever the options."""
