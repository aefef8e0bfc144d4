"""What the sources of the series do not settle, as named choices."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from pmdswp.errors import UnsupportedError

__all__ = ["Switches"]


@dataclass(frozen=True, slots=True)
class Switches:
    """One field per unsettled fact; the defaults are what the sources make most likely."""

    zswap_large_err: Literal["EINVAL", "EIO"] = "EIO"
    """What zswap answers to a read of several pages some of which it holds (rule 4.4): a later revision says EIO."""
    willneed_fail: Literal["leave", "split"] = "leave"
    """MADV_WILLNEED when the read at PMD order fails (7.4): leave the entry, or split it and read single pages."""
    fault_not_uptodate: Literal["sigbus", "split"] = "sigbus"
    """A fault that finds the cached folio without data (9.7): SIGBUS as for a PTE, or split as swapoff does."""
    fault_refcount1_excl: bool = False
    """Whether a fault takes a folio that nobody else refers to as exclusive (9.11), as the PTE path does."""
    smaps_pss: Literal["per-slot", "first-slot"] = "per-slot"
    """Which slot counts SwapPss of a swap PMD is computed from (6.9)."""
    hmm_nofault: Literal["0", "error"] = "0"
    """What hmm_range_fault() reports for a swap PMD if it was not asked to fault (6.15)."""
    move_uffd_bit: Literal["copy", "clear"] = "copy"
    """Whether UFFDIO_MOVE takes the uffd bit of a swap PMD along (8.11)."""
    mempolicy_failed: Literal["count", "ignore"] = "ignore"
    """Whether mbind counts a swap PMD as one that it failed to queue (6.13)."""
    swapout_event: Literal["per-install", "per-folio"] = "per-install"
    """How often swap-out counts THP_SWPOUT_PMD (10.7): for every PMD written, or once for the folio."""

    def __post_init__(self) -> None:
        for name, allowed in _choices().items():
            value = getattr(self, name)
            if not any(type(value) is type(choice) and value == choice for choice in allowed):
                choices = ", ".join(map(repr, allowed))
                raise UnsupportedError(f"switch {name} cannot be {value!r}; allowed: {choices}")


@functools.cache
def _choices() -> dict[str, tuple[object, ...]]:
    """The values of each switch."""
    return {name: get_args(kind) or (False, True) for name, kind in get_type_hints(Switches).items()}
