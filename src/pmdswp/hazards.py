"""Storable entries that the kernel itself misreads: the exact set, held by proof (see `pmdswp.prove`).

All were confirmed with the functions of Linux 7.3.4 as compiled. The codec, being byte-exact, reproduces them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pmdswp.arch import Arch
from pmdswp.softleaf import Level, State

__all__ = ["HAZARDS", "Hazard", "hazards"]


class Hazard(NamedTuple):
    """Entries that an architecture can store, and that read back as `reads_as`, which is NONE or PRESENT.

    `applies` says in which configurations; `entry`, a formula of offset, type and flags (by name), for which entries.
    """

    arch: str
    levels: tuple[Level, ...]
    reads_as: State
    applies: Callable[[Arch], bool]
    entry: Callable[[Arch, Any, Any, dict[str, Any]], Any]
    entries: str
    explanation: str


def _everywhere(_arch: Arch) -> bool:
    return True


def _without_flags(flags: dict[str, Any]) -> Any:
    # `== False`, not `not`: a formula
    return (flags["exclusive"] == False) & (flags["soft_dirty"] == False) & (flags["uffd"] == False)  # noqa: E712


_ZERO_ENTRY = (
    "Type 0, offset 0 without a flag is stored as 0, the empty entry. Slot 0 of a swap device holds its header, so no "
    "page is ever swapped there: harmless in a running kernel, not in a test that encodes it."
)

_STORES_ZERO: dict[str, tuple[Level, ...]] = {
    "arm64": ("pte", "pmd"),
    "riscv64": ("pte", "pmd"),
    "loongarch64": ("pte",),
}

HAZARDS = (
    Hazard(
        arch="x86_64",
        levels=("pte", "pmd"),
        reads_as=State.NONE,
        applies=_everywhere,
        entry=lambda arch, swp_type, offset, flags: (
            (swp_type == 0) & (offset == arch.max_swap_offset) & _without_flags(flags)
        ),
        entries="type 0, offset 2^50 - 1, no flag",
        explanation="The offset is stored inverted, so the largest one of type 0 without a flag is stored as 0, the "
        "empty entry. A device would need 4 EiB to have that slot, and the L1TF limit lies below it on most machines.",
    ),
    *(
        Hazard(
            arch=name,
            levels=levels,
            reads_as=State.NONE,
            applies=_everywhere,
            entry=lambda _arch, swp_type, offset, flags: (swp_type == 0) & (offset == 0) & _without_flags(flags),
            entries="type 0, offset 0, no flag",
            explanation=_ZERO_ENTRY,
        )
        for name, levels in _STORES_ZERO.items()
    ),
    Hazard(
        arch="loongarch64",
        levels=("pmd",),
        reads_as=State.PRESENT,
        applies=_everywhere,
        entry=lambda _arch, _type, offset, _flags: (offset >> 36) & 1 != 0,
        entries="offset bit 36 set",
        explanation="pmd_present() of a huge entry tests _PAGE_PRESENT_INVALID, bit 60 of the word, and that is bit 36 "
        "of the swap offset. With 4K pages that is the young bit of a migration entry: a young PMD migration entry "
        "reads as a present huge page, and softleaf_from_pmd() gives the none leaf.",
    ),
    Hazard(
        arch="riscv64",
        levels=("pmd",),
        reads_as=State.PRESENT,
        applies=lambda arch: arch.config.soft_dirty,
        entry=lambda _arch, _type, _offset, flags: flags["soft_dirty"],
        entries="soft-dirty set (Svrsw60t59b, since 6.19)",
        explanation="Swap soft-dirty is bit 3, _PAGE_EXEC, one of the leaf bits that pmd_present() tests: every "
        "soft-dirty PMD softleaf reads as a present huge page, and softleaf_from_pmd() gives the none leaf.",
    ),
)


def hazards(arch: Arch, level: Level) -> tuple[Hazard, ...]:
    """The hazards of one configuration at one level."""
    if level == "pmd" and not arch.has_pmd_softleaf:
        return ()
    return tuple(
        hazard for hazard in HAZARDS if hazard.arch == arch.name and level in hazard.levels and hazard.applies(arch)
    )
