"""How the model says no, and where it can be made to say no."""

from __future__ import annotations

import enum

__all__ = ["FailPoint", "KernelBug", "KernelError", "Violation"]


class KernelError(Exception):
    """What user space gets instead of a result: an errno such as "EBUSY", or a signal, "SIGBUS" or "SIGSEGV".

    `reason` says why, where the errno alone would not: an address that no word can hold.
    """

    def __init__(self, errno_name: str, reason: str = "") -> None:
        self.errno_name = errno_name
        self.reason = reason
        super().__init__(errno_name, *filter(None, [reason]))

    def __str__(self) -> str:
        return ": ".join(self.args)


class KernelBug(AssertionError):  # noqa: N818  # the kernel's word for it
    """What the kernel would answer with BUG, WARN or a hang: the rules as modelled contradict each other."""


class Violation(AssertionError):  # noqa: N818  # it is what the state machine looks for
    """A rule is broken: an invariant does not hold, or what a rule promises has not come about."""


class FailPoint(enum.StrEnum):
    """Points at which an allocation, an I/O or a race can be made to go wrong, once (`Machine.fail_next`)."""

    ALLOC_PMD_FOLIO = "alloc_pmd_folio"
    """A folio of PMD order cannot be allocated."""
    CHARGE_PMD_FOLIO = "charge_pmd_folio"
    """The memory cgroup refuses a folio of PMD order."""
    ALLOC_FOLIO = "alloc_folio"
    """A single page cannot be allocated."""
    ALLOC_PGTABLE = "alloc_pgtable"
    """A PTE table cannot be allocated."""
    ALLOC_SWAP = "alloc_swap"
    """No run of slots is free for the folio."""
    DUP_SWAP = "dup_swap"
    """A slot count needs an extension table, and the atomic allocation fails."""
    DUP_SWAP_RETRY = "dup_swap_retry"
    """The GFP_KERNEL allocation of that extension table fails as well."""
    PINNED = "pinned"
    """The folio may be pinned, so that it cannot stop being exclusive."""
    READ_IO = "read_io"
    """Reading from the swap device fails."""
    COMPRESS = "compress"
    """zswap cannot store a page."""
    DECOMPRESS = "decompress"
    """zswap cannot decompress a page."""
    GET_SWAP_DEVICE = "get_swap_device"
    """The swap device is vanishing."""
    LOCK_FOLIO = "lock_folio"
    """The folio is locked by somebody else, and the fault shall be retried."""
    RACE_CACHE_SPLIT = "race_cache_split"
    """Between lookup and folio lock, the cached folio is split."""
    RACE_CACHE_REMOVED = "race_cache_removed"
    """Between lookup and folio lock, the cached folio leaves the cache."""
    RACE_PMD_CHANGED = "race_pmd_changed"
    """Between lookup and page-table lock, the PMD changes (and changes back before the retry)."""
    RACE_REFILLED = "race_refilled"
    """Between lookup and page-table lock the range is faulted in, swapped out to the same slots, split in the cache
    and its first page reclaimed: the PMD is the same word as before, but the cache class is SPLIT."""
    RACE_ZSWAP = "race_zswap"
    """Between the range query and the read, one slot of the range gets into zswap."""
    RACE_SLOT_CACHED = "race_slot_cached"
    """Between lookup and read, read-ahead caches one slot of the range."""
