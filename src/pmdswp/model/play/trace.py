"""What is recorded of a scenario: one `Step` per operation, plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Argument", "PmdChange", "Step"]

Argument = int | str | bool


@dataclass(frozen=True, slots=True)
class PmdChange:
    """A PMD word that an operation changed. `before` and `after` are CPU values; an unmapped PMD is the empty word."""

    process: str
    address: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a scenario and all that it changed.

    `cache_before` and `cache_after` give the class of the swap cache (EMPTY, WHOLE, SPLIT) over each swap range that a
    changed PMD names or of which something changed; the range is written "type:offset". None: no slot of it is in use.
    `references_before` and `references_after` give the least and the most references to a slot of the same ranges: one
    for each entry that names it.
    """

    index: int
    operation: str
    process: str | None
    arguments: Mapping[str, Argument]
    outcome: str
    """"ok", or the errno or signal that user space got, or the class of the exception that the step died of."""
    pmds: tuple[PmdChange, ...]
    cache_before: Mapping[str, str | None]
    cache_after: Mapping[str, str | None]
    references_before: Mapping[str, tuple[int, int] | None]
    references_after: Mapping[str, tuple[int, int] | None]
    counts: Mapping[str, int]
    """Summary after the step: slots in use, cached slots, slots in zswap, folios."""
    counters: Mapping[str, Mapping[str, int]]
    """Process -> its MM_ANONPAGES, MM_SWAPENTS and nr_ptes after the step."""
    events: Mapping[str, int]
    """Event -> by how much it grew."""
    rules: tuple[str, ...]
    """Rules obeyed, in order of first use."""
    note: str = ""
