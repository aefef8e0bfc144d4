"""How the model says no, where it can be made to say no, and the errors of earlier versions it can make again."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from pmdswp.errors import UnsupportedError

__all__ = ["FailPoint", "KernelBug", "KernelError", "Reintroduced", "reintroduced"]


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


def reintroduced(errors: Iterable[str]) -> frozenset[Reintroduced]:
    """The errors of these names; `UnsupportedError` for a name that none has."""
    known = {error.value: error for error in Reintroduced}
    found = set()
    for error in errors:
        if error not in known:
            raise UnsupportedError(f"no error {error!r}; allowed: {', '.join(known)}")
        found.add(known[error])
    return frozenset(found)


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


class Reintroduced(enum.StrEnum):
    """Semantic errors of earlier versions, or of the base that the series had to extend; each can be made again."""

    V1_MINCORE_RESIDENT = "v1_mincore_resident"
    """mincore reports every huge PMD as resident, a swap PMD too (rule 6.12)."""
    V1_MOVE_BLIND = "v1_move_blind"
    """UFFDIO_MOVE moves the entry whatever is cached, and anchors anew what is cached at the first slot only (8.8)."""
    V1_ZSWAP_NOT_SEEN = "v1_zswap_not_seen"
    """Nobody asks zswap before a read of PMD order (4.5)."""
    V1_BOGUS_FOLIO = "v1_bogus_folio"
    """The offset of a swap PMD is taken for a PFN (1.4)."""
    V1_FORK_NEEDS_FOLIO = "v1_fork_needs_folio"
    """fork takes its references by the cached folio, which need not be there (3.1, 3.9)."""
    V1_WILLNEED_IGNORED = "v1_willneed_ignored"
    """MADV_WILLNEED reads nothing below a swap PMD (7.2)."""
    V1_COLLAPSE_NO_TABLE = "v1_collapse_no_table"
    """khugepaged and MADV_COLLAPSE take a swap PMD for one without a table, not for one that is mapped (6.14)."""
    V2_SINGLE_SLOT_LOOKUP = "v2_single_slot_lookup"
    """The cache class is judged from the first slot alone, and mincore answers for it alone (S.1, 6.12)."""
    V2_MOVE_NO_RECHECK = "v2_move_no_recheck"
    """UFFDIO_MOVE of an uncached range looks again at the first slot only (8.7)."""
    V2_MOVE_EBUSY = "v2_move_ebusy"
    """UFFDIO_MOVE of a range split in the cache gives up with EBUSY (8.8)."""
    WILLNEED_ORDER0 = "willneed_order0"
    """MADV_WILLNEED reads single pages in below a swap PMD (7.5)."""
    BASE_ZAP_KEEPS_DEPOSIT = "base_zap_keeps_deposit"
    """Zapping a PMD without a folio forgets the deposited table (6.1)."""
    BASE_FORK_COUNTS_ANON = "base_fork_counts_anon"
    """fork counts any non-present PMD as MM_ANONPAGES of the child (3.7)."""
    BASE_FORK_KEEPS_EXCLUSIVE = "base_fork_keeps_exclusive"
    """fork leaves the exclusive bit of the parent's swap PMD set (3.5)."""
    BASE_SOFT_DIRTY_KEPT = "base_soft_dirty_kept"
    """clear_refs clears soft-dirty in migration PMDs only (6.7)."""
    BASE_SWAPOFF_SKIPS_PMD = "base_swapoff_skips_pmd"
    """swapoff looks into PTE tables only (5.1)."""
