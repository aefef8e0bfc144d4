"""Errors of earlier versions of the series, and of its base: what each does in place of the specification.

An error is a function that has the name and the arguments of one of the specification (`replaceable`). A machine that
makes the error calls it instead.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

from pmdswp.errors import UnsupportedError
from pmdswp.model.mechanisms.migration import softleaf_to_folio
from pmdswp.model.mechanisms.swap import swap_cache_class
from pmdswp.model.mechanisms.swapin import read_swap_cache_async
from pmdswp.model.state.failures import KernelBug, KernelError
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import CacheClass, Folio, SwapDevice
from pmdswp.model.state.mm import Mm, Vma
from pmdswp.model.state.pgtable import Pmd, leaf_of
from pmdswp.model.syscalls.fork import dup_slots
from pmdswp.model.syscalls.mincore import mincore_swap
from pmdswp.softleaf import Entry, SoftLeafType

__all__ = ["REPLACED", "Reintroduced", "reintroduced"]


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


def reintroduced(errors: Iterable[str]) -> frozenset[Reintroduced]:
    """The errors of these names; `UnsupportedError` for a name that none has."""
    known = {error.value: error for error in Reintroduced}
    found = set()
    for error in errors:
        if error not in known:
            raise UnsupportedError(f"no error {error!r}; allowed: {', '.join(known)}")
        found.add(known[error])
    return frozenset(found)


REPLACED: dict[Reintroduced, dict[str, Callable[..., object]]] = {}
"""What a kernel with an error does in place of the specification, by the name of what it does not do."""

_F = TypeVar("_F", bound=Callable[..., object])


def _instead(error: Reintroduced, name: str) -> Callable[[_F], _F]:
    """Register what is done instead of a function, named by its module and itself."""

    def register(function: _F) -> _F:
        REPLACED.setdefault(error, {})[name] = function
        return function

    return register


@_instead(Reintroduced.V1_MINCORE_RESIDENT, "mincore.mincore_swap_pmd")
def _all_resident(_m: Kernel, _entry: Entry, pages: range) -> list[bool]:
    return [True] * len(pages)


@_instead(Reintroduced.V1_MOVE_BLIND, "uffdio_move.cached_for_move")
def _first_slot_only(_m: Kernel, device: SwapDevice, offset: int) -> tuple[CacheClass, Folio | None]:
    folio = device.cache[offset]
    return CacheClass.EMPTY if folio is None else CacheClass.WHOLE, folio


@_instead(Reintroduced.V1_MOVE_BLIND, "uffdio_move.is_uncached")
def _never_looks_again(_m: Kernel, _device: SwapDevice, _offset: int) -> bool:
    return True


@_instead(Reintroduced.V1_ZSWAP_NOT_SEEN, "zswap.zswap_range_has_entry")
def _sees_nothing_in_zswap(_m: Kernel, _device: SwapDevice, _offset: int, _nr: int) -> bool:
    return False


@_instead(Reintroduced.V1_BOGUS_FOLIO, "migration.pmd_to_softleaf_folio")
def _offset_taken_for_frame(m: Kernel, entry: Entry) -> Folio | None:
    if entry.kind is SoftLeafType.SWAP:
        return m.mem_map[leaf_of(entry).offset]
    return softleaf_to_folio(m, entry)[0]


@_instead(Reintroduced.V1_FORK_NEEDS_FOLIO, "fork.dup_swap_pmd")
def _dup_by_folio(m: Kernel, device: SwapDevice, offset: int) -> None:
    if swap_cache_class(device, offset, m.nr) is not CacheClass.WHOLE:
        raise KernelBug("folio_dup_swap() without a folio")
    dup_slots(m, device, offset, m.nr)


@_instead(Reintroduced.V1_WILLNEED_IGNORED, "madvise.willneed_swap_pmd")
def _reads_nothing(_m: Kernel, _mm: Mm, _pmd: Pmd, _entry: Entry, _ptes: range) -> bool:
    return True


@_instead(Reintroduced.WILLNEED_ORDER0, "madvise.willneed_swap_pmd")
def _reads_single_pages(m: Kernel, _mm: Mm, _pmd: Pmd, entry: Entry, ptes: range) -> bool:
    device, offset = m.swap_slot(entry)
    for i in ptes:
        if device.cache[offset + i] is None:
            read_swap_cache_async(m, device, offset + i)
    return True


@_instead(Reintroduced.V1_COLLAPSE_NO_TABLE, "walkers.scan_result_of_swap_pmd")
def _no_table(_m: Kernel) -> str:
    return "SCAN_NO_PTE_TABLE"


@_instead(Reintroduced.V2_SINGLE_SLOT_LOOKUP, "swap.swap_pmd_cache_lookup")
def _class_of_first_slot(m: Kernel, device: SwapDevice, offset: int) -> tuple[CacheClass, Folio | None]:
    folio = device.cache[offset]
    if folio is not None and folio.nr == m.nr and folio.offset == offset:
        return CacheClass.WHOLE, folio
    return CacheClass.EMPTY if folio is None else CacheClass.SPLIT, None


@_instead(Reintroduced.V2_SINGLE_SLOT_LOOKUP, "mincore.mincore_swap_pmd")
def _as_first_slot(m: Kernel, entry: Entry, pages: range) -> list[bool]:
    return [mincore_swap(*m.swap_slot(entry))] * len(pages)


@_instead(Reintroduced.V2_MOVE_NO_RECHECK, "uffdio_move.is_uncached")
def _looks_at_first_slot_again(_m: Kernel, device: SwapDevice, offset: int) -> bool:
    return device.cache[offset] is None


@_instead(Reintroduced.V2_MOVE_EBUSY, "uffdio_move.move_pieces")
def _gives_up(_m: Kernel, _mm: Mm, _src_pmd: Pmd) -> NoReturn:
    raise KernelError("EBUSY")


@_instead(Reintroduced.BASE_ZAP_KEEPS_DEPOSIT, "zap.zap_deposit_of_swap_pmd")
def _forgets_deposit(_m: Kernel, _mm: Mm, pmd: Pmd) -> None:
    pmd.deposit = None


@_instead(Reintroduced.BASE_FORK_COUNTS_ANON, "fork.count_swap_pmd")
def _counts_anon(m: Kernel, child: Mm) -> None:
    child.anonpages += m.nr


@_instead(Reintroduced.BASE_FORK_KEEPS_EXCLUSIVE, "fork.unshare_swap_pmd")
def _keeps_exclusive(_m: Kernel, _pmd: Pmd, _entry: Entry) -> None:
    pass


@_instead(Reintroduced.BASE_SOFT_DIRTY_KEPT, "mprotect.clear_soft_dirty_pmd")
def _clears_migration_only(m: Kernel, pmd: Pmd, entry: Entry) -> None:
    if entry.kind is not SoftLeafType.SWAP:
        pmd.word = m.arch.pmd_swp_clear_soft_dirty(pmd.word)


@_instead(Reintroduced.BASE_SWAPOFF_SKIPS_PMD, "swapoff.unuse_swap_pmd")
def _skips_swap_pmds(_m: Kernel, _vma: Vma, _haddr: int, _pmd: Pmd, _entry: Entry) -> None:
    pass
