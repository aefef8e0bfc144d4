r"""Values of `swp_entry_t` (`softleaf_t` since 6.19): what the kernel prints as "swap entry".

>>> import pmdswp
>>> from pmdswp import swp_entry
>>> entry = swp_entry.decode(pmdswp.get("arm64", kernel="6.6"), 0x18000000002D2D2F)
>>> entry.kind, entry.leaf, hex(entry.pte), entry.bytes
(<SoftLeafType.SWAP: 1>, SoftLeaf(swp_type=6, offset=0x2d2d2f), '0x2d2d2f30', b'0/--\x00\x00\x00\x00')

A value is not a page-table word, though slots of the page cache hold it: it has the type above bit 58 (57 before 4.20)
and the offset below, on every architecture (include/linux/swapops.h). The words that give it depend on that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pmdswp.errors import DecodeError, EncodeError
from pmdswp.layout import Layout, check_word, zero
from pmdswp.layout import value as bits_of
from pmdswp.softleaf import MAX_SWAPFILES_SHIFT, LevelName, SoftLeaf, SoftLeafType

if TYPE_CHECKING:
    from pmdswp.arch import Arch

__all__ = ["SwpEntry", "decode", "layout", "value"]


class SwpEntry(NamedTuple):
    """A `swp_entry_t`, taken apart.

    `pte` and `pmd` are the words, without flags, that the kernel reads it from; None where no word of that level holds
    it. `bytes` are those of the PTE in memory. `pfn`, `young`, `dirty` and `markers` are as those of `pmdswp.Entry`.
    """

    raw: int
    leaf: SoftLeaf
    kind: SoftLeafType
    pte: int | None
    pmd: int | None
    bytes: bytes | None
    pfn: int | None = None
    young: bool = False
    dirty: bool = False
    markers: int = 0


def layout(arch: Arch) -> Layout:
    """What the bits of a value mean in that kernel."""
    shift = arch.swp_type_shift
    return Layout(
        (
            bits_of("offset", 0, shift, "SWP_OFFSET_MASK", "swap offset, or PFN, or marker", masked=False),
            bits_of("type", shift, MAX_SWAPFILES_SHIFT, "SWP_TYPE_SHIFT", "swap type", masked=False),
            zero(shift + MAX_SWAPFILES_SHIFT, 64 - shift - MAX_SWAPFILES_SHIFT),
        )
    )


def value(arch: Arch, leaf: SoftLeaf) -> int:
    """The value that a kernel computes for a leaf; `EncodeError` where it does not hold it."""
    if not 0 <= leaf.offset < 1 << arch.swp_type_shift:
        raise EncodeError(f"offset {leaf.offset:#x} is not within 0..{(1 << arch.swp_type_shift) - 1:#x}")
    return check_word(leaf.swp_type << arch.swp_type_shift | leaf.offset, EncodeError, "swp_entry_t")


def decode(arch: Arch, v: int) -> SwpEntry:
    """What a value stands for in that kernel; `DecodeError` beyond 64 bits."""
    v = check_word(v, DecodeError, "swp_entry_t")
    leaf = SoftLeaf(v >> arch.swp_type_shift, v & (1 << arch.swp_type_shift) - 1)
    kind, numbering = arch.numbering.kind(leaf), arch.numbering
    pte = _word(arch, "pte", leaf)
    entry = SwpEntry(v, leaf, kind, pte, _word(arch, "pmd", leaf), None if pte is None else arch.pte_to_bytes(pte))
    if kind.has_pfn:
        young_dirty = numbering.young_dirty(kind, leaf.offset)
        pfn = leaf.offset & numbering.pfn_mask
        return entry._replace(pfn=pfn, young=young_dirty & 1 != 0, dirty=young_dirty & 2 != 0)
    if kind is SoftLeafType.MARKER:
        return entry._replace(markers=leaf.offset & numbering.marker_mask)
    return entry


def _word(arch: Arch, level: LevelName, leaf: SoftLeaf) -> int | None:
    """The word of a level that holds the leaf; None if none does."""
    if level not in arch.levels:
        return None
    try:
        return arch.level(level).softleaf_to(leaf)
    except EncodeError:
        return None
