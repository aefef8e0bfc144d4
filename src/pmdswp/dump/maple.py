"""Maple trees: what the kernel keeps the VMAs of a process in since 6.1 (lib/maple_tree.c)."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.dump.kernel import Kernel
from pmdswp.formula import MASK64
from pmdswp.walk import ReadError

__all__ = ["maple_entries"]

_TYPES = {1: "maple_range_64", 2: "maple_range_64", 3: "maple_arange_64"}
"""Number of a node's type -> the structure of the node; 0 is a node without pivots, which no tree of VMAs has."""
_LEAF = 1
_NODE = 256
"""Bytes of a node, at a multiple of them; the bits below say what it is."""


def maple_entries(kernel: Kernel, root: int) -> Iterator[int]:
    """The pointers in a maple tree, in order, by the value of `ma_root`. What cannot be read is noted and left out."""
    if _is_node(root):
        yield from _in_node(kernel, root, MASK64, set())
    elif root and not root & 3:
        yield root


def _is_node(entry: int) -> bool:
    # an internal entry of an xarray, as a node is, ends in 10; small ones mean something else
    return entry & 3 == 2 and entry > 4096


def _in_node(kernel: Kernel, node: int, last: int, seen: set[int]) -> Iterator[int]:
    """What is in a node and below it; `last` is the last index that it covers, `seen` has the nodes come by."""
    kind, place = node >> 3 & 0xF, node & -_NODE
    structure = _TYPES.get(kind)
    if structure is None or place in seen:
        why = "is there twice" if place in seen else f"has type {kind}"
        kernel.note(f"a node of a maple tree at {place:#x} {why}: it was left out")
        return
    seen.add(place)
    try:
        pivots, slots = (kernel.items(structure, place, name) for name in ("pivot", "slot"))
    except ReadError as error:
        kernel.note(f"a node of a maple tree: {error}")
        return
    # behind the last pivot there is one slot more, which goes on to the last index, as does the last one of all
    ends = [pivot if pivot or not i else last for i, pivot in enumerate([*pivots, last])]
    used = 1 + min(i for i, end in enumerate(ends) if end >= last)
    for slot, end in zip(slots[:used], ends[:used], strict=True):
        if kind != _LEAF and slot:
            yield from _in_node(kernel, slot, end, seen)
        elif slot and not slot & 3:
            yield slot
