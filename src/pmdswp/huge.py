"""One PMD softleaf <-> `hpage_pmd_nr` PTE softleaves, as the kernel's split does it, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pmdswp.errors import DecodeError, JoinError, brief
from pmdswp.softleaf import FLAGS, Entry, SoftLeaf, State

if TYPE_CHECKING:
    from pmdswp.arch.api import Arch

__all__ = ["join_ptes", "split_pmd"]


def split_pmd(arch: Arch, pmd: int) -> list[int]:
    """The PTE words that stand for what one PMD word stands for.

    Entry i has the type and the flags of `pmd` and its offset + i; for migration and device-private entries that is
    PFN + i, and the young and dirty bits stay. Bits that the architecture ignores are dropped. `DecodeError` if
    `pmd` is not of a kind that this kernel puts into PMDs, if its offset is not a multiple of `hpage_pmd_nr`, or if
    one of the PTEs would read as none.
    """
    entry = arch.decode_pmd(pmd)
    if entry.leaf is None or entry.kind not in arch.pmd_kinds:
        raise DecodeError(f"PMD {entry.raw:#x} is {_what(entry)}; {_splittable(arch)}")
    if entry.leaf.offset % arch.hpage_pmd_nr:
        raise DecodeError(f"PMD {entry.raw:#x} has {_misaligned(arch, entry.leaf)}")
    ptes = [arch.pmd_entry_to_pte(entry.raw, i) for i in range(arch.hpage_pmd_nr)]
    for i, pte in enumerate(ptes):
        if arch.pte_none(pte):
            raise DecodeError(f"entry {i} of PMD {entry.raw:#x} would be PTE {pte:#x}, which reads as none")
    return ptes


def join_ptes(arch: Arch, ptes: Iterable[int]) -> int:
    """The PMD word that stands for what the PTE words stand for: the inverse of `split_pmd`.

    `JoinError`, with the index of the first word that does not fit, unless all are softleaves of one type that this
    kernel puts into PMDs, with equal flags and with offsets that step by one from a multiple of `hpage_pmd_nr`; and
    with index None for a wrong number of words, or if the PMD would not read as a softleaf. Bits that the
    architecture ignores are dropped. `DecodeError` for a word beyond 64 bits.
    """
    if not isinstance(ptes, Iterable):
        raise DecodeError(f"{brief(ptes)} is not a run of PTEs")
    entries = [arch.decode_pte(pte) for pte in ptes]
    if len(entries) != arch.hpage_pmd_nr:
        raise JoinError(None, f"{len(entries)} PTEs, but one PMD stands for {arch.hpage_pmd_nr}")
    first = entries[0]
    if first.leaf is None or first.kind not in arch.pmd_kinds:
        raise JoinError(0, f"{_what(first)}; {_splittable(arch)}")
    if first.leaf.offset % arch.hpage_pmd_nr:
        raise JoinError(0, _misaligned(arch, first.leaf))
    swp_type, offset = first.leaf
    for i, entry in enumerate(entries):
        reason = _difference(entry, first, SoftLeaf(swp_type, offset + i))
        if reason:
            raise JoinError(i, reason)
    for name in FLAGS:
        if getattr(first, name) and name not in arch.layout("pmd").flags:
            raise JoinError(0, f"{name} is set, and a PMD of kernel {arch.kernel} has no such bit")
    pmd = arch.pte_entry_to_pmd(first.raw)
    state = arch.decode_pmd(pmd).state
    if state is not State.SOFTLEAF:
        raise JoinError(None, f"the PMD would be {pmd:#x}, which reads as {state.name}")
    return pmd


def _difference(entry: Entry, first: Entry, expected: SoftLeaf) -> str:
    """In what `entry` is not the entry that continues `first`; empty if in nothing."""
    if entry.leaf is None:
        return f"{entry.state.name}, not a softleaf"
    if entry.leaf.swp_type != expected.swp_type:
        return f"type {entry.leaf.swp_type} after {expected.swp_type}"
    if entry.leaf.offset != expected.offset:
        return f"offset {entry.leaf.offset:#x}, not {expected.offset:#x}"
    for name in FLAGS:
        if getattr(entry, name) != getattr(first, name):
            return f"{name} is {getattr(entry, name)}, and {getattr(first, name)} in PTE 0"
    return ""


def _what(entry: Entry) -> str:
    if entry.leaf is None:
        return entry.state.name
    return f"{entry.leaf!r}, kind {entry.kind.name}"


def _splittable(arch: Arch) -> str:
    return f"a PMD of kernel {arch.kernel} holds {', '.join(kind.name for kind in arch.pmd_kinds)}"


def _misaligned(arch: Arch, leaf: SoftLeaf) -> str:
    return f"offset {leaf.offset:#x}, not a multiple of {arch.hpage_pmd_nr:#x}"
