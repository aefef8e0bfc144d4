"""What stands in the way of one PMD entry for a PMD-sized range of addresses: pure, over words of pagemap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.errors import DecodeError
from pmdswp.pagemap import LAYOUTS, PFRAME_BITS
from pmdswp.softleaf import MAX_SWAPFILES_SHIFT, NR_SWAP_TYPES, State

__all__ = ["BREAKS", "HIDDEN", "Verdict", "is_swapped", "judge"]

BREAKS: Mapping[str, str] = MappingProxyType(
    {
        "present": "some pages are present",
        "holes": "some pages are neither present nor swapped out",
        "kind": "some entries are not swap entries: migration, markers and the like",
        "devices": "slots of more than one device",
        "order": "slots that are not consecutive",
        "alignment": "consecutive slots, the first of which is not a multiple of HPAGE_PMD_NR",
        "flags": "flags that differ: soft-dirty, uffd",
    }
)
"""What breaks a range, in this order, and what that means."""

HIDDEN = "hidden"
"""Among the breaks of a range: types and offsets were not shown to the reader, so that nobody knows."""


class Verdict(NamedTuple):
    """What a range is made of.

    `swapped`: how many pages are in swap; `breaks`: names of `BREAKS`, in that order, and `HIDDEN`; empty if one PMD
    entry could stand for the range. `devices`: type -> pages; `others`: type -> entries that are not swap entries.
    """

    swapped: int
    breaks: tuple[str, ...]
    devices: Mapping[int, int]
    others: Mapping[int, int]


_GUARD_BIT = LAYOUTS[State.SOFTLEAF].flags["guard"]
_STATE_SHIFT = 62
_PRESENT, _SWAPPED = 2, 1
"""The two bits of the state, where a page is present and where it is swapped out."""
_FRAME = (1 << PFRAME_BITS) - 1
_TYPE = NR_SWAP_TYPES - 1
_STEP = 1 << MAX_SWAPFILES_SHIFT
"""From a word to that of the next slot."""


def is_swapped(words: Sequence[int]) -> bool:
    """Whether some page is swapped out, or has another softleaf."""
    return any(word >> _STATE_SHIFT == _SWAPPED for word in words)


def judge(arch: Arch, words: Sequence[int]) -> Verdict:
    """What stands in the way of one PMD entry for `hpage_pmd_nr` pages; `DecodeError` for another number of words.

    The exclusive flag of a swap entry is not in pagemap: ranges that differ in it alone are taken for sound.
    """
    nr = arch.hpage_pmd_nr
    if len(words) != nr:
        raise DecodeError(f"{len(words)} words, but a PMD-sized range has {nr}")
    first = words[0]
    swp_type, slot = first & _TYPE, (first & _FRAME) >> MAX_SWAPFILES_SHIFT
    is_whole = first >> _STATE_SHIFT == _SWAPPED and swp_type < arch.max_swapfiles and slot and not slot % nr
    # most ranges are of one of a few forms: whole ones are compared at once
    if is_whole and list(words) == list(range(first, first + nr * _STEP, _STEP)):
        return Verdict(nr, (), {swp_type: nr}, {})
    entries = [(i, word) for i, word in enumerate(words) if word >> _STATE_SHIFT == _SWAPPED]
    breaks = set(_missing(words, len(entries)))
    if entries and not any(word & _FRAME for _, word in entries):
        # the kernel shows them to no one without CAP_SYS_ADMIN; slot 0 of a device is its header
        known = [word for _, word in entries if not word & _GUARD_BIT]
        breaks.update((HIDDEN, *_flags(known), *(["kind"] if len(known) < len(entries) else [])))
        return Verdict(len(known), _sorted(breaks), {}, {})
    # type, and above it the slot that page 0 would have: one number for all entries that follow each other
    runs = [(word & _FRAME) - i * _STEP for i, word in entries]
    types = Counter(run & _TYPE for run in runs)
    others = {swp_type: pages for swp_type, pages in types.items() if swp_type >= arch.max_swapfiles}
    devices = {swp_type: pages for swp_type, pages in types.items() if swp_type not in others}
    if others:
        breaks.add("kind")
        entries = [(i, word) for i, word in entries if word & _TYPE in devices]
        runs = [run for run in runs if run & _TYPE in devices]
    if len(devices) > 1:
        breaks.add("devices")
    starts = set(runs)
    if len(starts) > len(devices):
        breaks.add("order")
    elif any((start >> MAX_SWAPFILES_SHIFT) % nr for start in starts):
        breaks.add("alignment")
    breaks.update(_flags([word for _, word in entries]))
    return Verdict(len(entries), _sorted(breaks), devices, others)


def _missing(words: Sequence[int], entries: int) -> list[str]:
    """What is in the way of pages that have no entry."""
    present = sum(word >> _STATE_SHIFT & _PRESENT != 0 for word in words)
    found = ["present"] if present else []
    return [*found, "holes"] if present + entries < len(words) else found


def _flags(words: Sequence[int]) -> list[str]:
    return ["flags"] if len({word >> PFRAME_BITS for word in words}) > 1 else []


def _sorted(breaks: set[str]) -> tuple[str, ...]:
    return tuple(name for name in (*BREAKS, HIDDEN) if name in breaks)
