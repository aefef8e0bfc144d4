"""A reading in words, in one line."""

from __future__ import annotations

from pmdswp import pagemap
from pmdswp.arch import Arch
from pmdswp.explain.finding import Reading
from pmdswp.pagemap import Pagemap
from pmdswp.render.records import marker_names
from pmdswp.render.text import describe
from pmdswp.softleaf import Entry, SoftLeaf, SoftLeafType, State

__all__ = ["brief_reading", "leaf_in_words"]


def brief_reading(arch: Arch, reading: Reading | None) -> str:
    """What a value is, without the value itself and without what is odd about it; empty for None."""
    if reading is None:
        return ""
    if isinstance(reading, Entry):
        return describe(arch, reading).partition(" (")[0]
    if isinstance(reading, Pagemap):
        return " ".join([*_of_pagemap(arch, reading), *reading.flags])
    if not reading.raw:
        return "NONE"
    words = [leaf_in_words(arch, reading.kind, reading.leaf)]
    return " ".join([*words, *(name for name in ("young", "dirty") if getattr(reading, name))])


def leaf_in_words(arch: Arch, kind: SoftLeafType, leaf: SoftLeaf, pfn: int | None = None) -> str:
    """Kind, type and what the offset stands for."""
    if kind is SoftLeafType.MARKER:
        markers = leaf.offset & arch.numbering.marker_mask
        return f"MARKER {' '.join(marker_names(arch, markers)) or 'no known bit'}"
    if kind.has_pfn:
        shown = leaf.offset & arch.numbering.pfn_mask if pfn is None else pfn
        return f"{kind.name} type {leaf.swp_type} pfn {shown:#x}"
    return f"{kind.name} type {leaf.swp_type} offset {leaf.offset:#x}"


def _of_pagemap(arch: Arch, reading: Pagemap) -> list[str]:
    if reading.is_hidden:
        what = "present" if reading.state is State.PRESENT else "swapped"
        return [what, "(PFN, type and offset are shown to readers with CAP_SYS_ADMIN only)"]
    if reading.pfn is not None:
        return ["present", f"pfn {reading.pfn:#x}"]
    if reading.leaf is None:
        return ["not present, not swapped"]
    return ["swapped", leaf_in_words(arch, pagemap.kind(arch, reading), reading.leaf, reading.leaf.offset)]
