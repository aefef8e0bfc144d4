"""Values that are no page-table words, `swp_entry_t` and words of pagemap, as JSON values and as text."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp import pagemap, swp_entry
from pmdswp.arch import Arch
from pmdswp.pagemap import Pagemap
from pmdswp.render.records import Json, hexadecimal, marker_names
from pmdswp.render.text import Palette, bits_block
from pmdswp.softleaf import SoftLeaf, SoftLeafType, State
from pmdswp.swp_entry import SwpEntry

__all__ = ["describe_leaf", "describe_value", "value_block", "value_record"]


def describe_value(arch: Arch, value: SwpEntry | Pagemap) -> str:
    """What a value stands for, in one line without the value itself."""
    if isinstance(value, Pagemap):
        return " ".join([_of_pagemap(arch, value), *value.flags])
    if not value.raw:
        return "NONE"
    words = [describe_leaf(arch, value.kind, value.leaf, value.pfn)]
    return " ".join([*words, *(name for name in ("young", "dirty") if getattr(value, name))])


def describe_leaf(arch: Arch, kind: SoftLeafType, leaf: SoftLeaf, pfn: int | None) -> str:
    """Kind, type and what the offset stands for."""
    if kind is SoftLeafType.MARKER:
        markers = leaf.offset & arch.numbering.marker_mask
        return f"MARKER {' '.join(marker_names(arch, markers)) or 'no known bit'}"
    if pfn is not None:
        return f"{kind.name} type {leaf.swp_type} pfn {pfn:#x}"
    return f"{kind.name} type {leaf.swp_type} offset {leaf.offset:#x}"


def _of_pagemap(arch: Arch, word: Pagemap) -> str:
    what = {State.PRESENT: "present", State.SOFTLEAF: "swapped", State.NONE: "not present, not swapped"}[word.state]
    if word.is_hidden:
        return f"{what} (readers without CAP_SYS_ADMIN do not see where)"
    if word.pfn is not None:
        return f"{what} pfn {word.pfn:#x}"
    if word.leaf is None:
        return what
    kind = pagemap.kind(arch, word)
    # the young and dirty bits of a migration entry are not in it
    return f"{what}: {describe_leaf(arch, kind, word.leaf, word.leaf.offset if kind.has_pfn else None)}"


def value_record(arch: Arch, value: SwpEntry | Pagemap) -> Json:
    """A value with all that it says."""
    kind = pagemap.kind(arch, value) if isinstance(value, Pagemap) else value.kind
    record: dict[str, object] = {
        "arch": arch.name,
        "kernel": arch.kernel,
        "level": "pagemap" if isinstance(value, Pagemap) else "entry",
        "raw": hexadecimal(value.raw),
        "state": state_of(value).name,
        "kind": kind.name,
        "type": None if value.leaf is None else value.leaf.swp_type,
        "offset": None if value.leaf is None else hex(value.leaf.offset),
        "pfn": None if value.pfn is None else hex(value.pfn),
    }
    if isinstance(value, Pagemap):
        return {**record, "flags": list(value.flags), "stray_bits": hex(value.stray_bits)}
    record["pte"] = None if value.pte is None else hexadecimal(value.pte)
    record["pmd"] = None if value.pmd is None else hexadecimal(value.pmd)
    record["bytes"] = None if value.bytes is None else value.bytes.hex()
    if kind.has_pfn:
        record["young"], record["dirty"] = value.young, value.dirty
    if kind is SoftLeafType.MARKER:
        record["markers"] = marker_names(arch, value.markers)
    return record


def state_of(value: SwpEntry | Pagemap) -> State:
    """What a value is: of a `swp_entry_t` SOFTLEAF, or NONE for 0."""
    if isinstance(value, Pagemap):
        return value.state
    return State.SOFTLEAF if value.raw else State.NONE


def value_block(arch: Arch, value: SwpEntry | Pagemap, palette: Palette) -> Iterator[str]:
    """A value in full, with its bits and the fields named."""
    if isinstance(value, Pagemap):
        yield f"pagemap {value.raw:#018x}  {describe_value(arch, value)}"
        layout = pagemap.LAYOUTS[value.state]
    else:
        yield f"swp_entry_t {value.raw:#018x}  {describe_value(arch, value)}"
        yield f"PTE {_word(value.pte)}, PMD {_word(value.pmd)} (without flags)"
        if value.bytes is not None:
            yield f"memory {value.bytes.hex(' ')} (of the PTE)"
        layout = swp_entry.layout(arch)
    yield f"as read by {arch!r}"
    yield ""
    yield from bits_block(value.raw, layout, palette)


def _word(word: int | None) -> str:
    return "none" if word is None else hexadecimal(word)
