"""Storable entries that the kernel itself misreads: the exact set, held by proof (see `pmdswp.prove`).

All were confirmed with the functions of Linux 7.3.4 as compiled. The codec, being byte-exact, reproduces them. Each
architecture's module declares its own; `Level.hazards` gives those of one configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pmdswp.config import Config
from pmdswp.softleaf import LevelName, State

__all__ = ["EntryFormula", "Hazard", "no_flag", "zero_entry"]

EntryFormula = Callable[[Any, Any, dict[str, Any]], Any]
"""A formula of type, offset and flags (by name) that is true for some entries."""


class Hazard(NamedTuple):
    """Entries that an architecture can store at these levels, and that read back as `reads_as`: NONE or PRESENT.

    `entry` is true for exactly the entries concerned, in configurations for which `applies` is true.
    """

    levels: tuple[LevelName, ...]
    reads_as: State
    entries: str
    entry: EntryFormula
    explanation: str
    applies: Callable[[Config], bool] = lambda _config: True


def no_flag(flags: dict[str, Any]) -> Any:
    """Whether no flag is set, as a formula, which has no `not`."""
    return (flags["exclusive"] == False) & (flags["soft_dirty"] == False) & (flags["uffd"] == False)  # noqa: E712


def zero_entry(*levels: LevelName) -> Hazard:
    """The hazard of the architectures on which type 0, offset 0 is stored as 0, and 0 is none."""
    return Hazard(
        levels=levels,
        reads_as=State.NONE,
        entries="type 0, offset 0, no flag",
        entry=lambda swp_type, offset, flags: (swp_type == 0) & (offset == 0) & no_flag(flags),
        explanation="Type 0, offset 0 without a flag is stored as 0, the empty entry. Slot 0 of a swap device holds "
        "its header, so no page is ever swapped there: harmless in a running kernel, not in a test that encodes it.",
    )
