"""Storable entries that the kernel itself misreads: the exact set, held by proof (see `pmdswp.prove`).

All were confirmed with the functions of Linux 7.3.4 as compiled. The codec, being byte-exact, reproduces them. Each
architecture's module declares its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from pmdswp.config import Config
from pmdswp.errors import DecodeError
from pmdswp.layout import check_word
from pmdswp.softleaf import FLAGS, Level, State

if TYPE_CHECKING:
    from pmdswp.arch.base import Arch

__all__ = ["EntryFormula", "Hazard", "hazards", "misread", "zero_entry"]

EntryFormula = Callable[[Any, Any, dict[str, Any]], Any]
"""A formula of type, offset and flags (by name) that is true for some entries."""


class Hazard(NamedTuple):
    """Entries that an architecture can store at these levels, and that read back as `reads_as`: NONE or PRESENT.

    `entry` is true for exactly the entries concerned, in configurations for which `applies` is true.
    """

    levels: tuple[Level, ...]
    reads_as: State
    entries: str
    entry: EntryFormula
    explanation: str
    applies: Callable[[Config], bool] = lambda _config: True


def no_flag(flags: dict[str, Any]) -> Any:
    """Whether no flag is set, as a formula, which has no `not`."""
    return (flags["exclusive"] == False) & (flags["soft_dirty"] == False) & (flags["uffd"] == False)  # noqa: E712


def zero_entry(*levels: Level) -> Hazard:
    """The hazard of the architectures on which type 0, offset 0 is stored as 0, and 0 is none."""
    return Hazard(
        levels=levels,
        reads_as=State.NONE,
        entries="type 0, offset 0, no flag",
        entry=lambda swp_type, offset, flags: (swp_type == 0) & (offset == 0) & no_flag(flags),
        explanation="Type 0, offset 0 without a flag is stored as 0, the empty entry. Slot 0 of a swap device holds "
        "its header, so no page is ever swapped there: harmless in a running kernel, not in a test that encodes it.",
    )


def hazards(arch: Arch, level: Level) -> tuple[Hazard, ...]:
    """The hazards of one configuration at one level."""
    if level == "pmd" and not arch.has_pmd_softleaf:
        return ()
    declared = arch.architecture.hazards
    return tuple(hazard for hazard in declared if level in hazard.levels and hazard.applies(arch.config))


def misread(arch: Arch, level: Level, word: int) -> tuple[Hazard, ...]:
    """The hazards to which `word` falls when it was stored as an entry; none if no encoder writes it.

    `DecodeError` beyond 64 bits.
    """
    word = check_word(word, DecodeError, level.upper())
    possible = hazards(arch, level)
    if not possible:
        return ()
    layout = arch.layout(level)
    if not layout.contains(word):
        return ()
    swp_type, offset = layout.type.get(word), layout.offset.get(word)
    flags = {name: word & layout.flags.get(name, 0) != 0 for name in FLAGS}
    return tuple(hazard for hazard in possible if hazard.entry(swp_type, offset, flags))
