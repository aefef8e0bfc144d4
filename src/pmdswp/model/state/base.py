"""What the kernels below the series do differently from one another, each difference with a name, in one place.

A `Base` has a field for each difference, and `DIFFERENCES` says what it is, since when it is so, and where that was
read or seen. The series' v3 was posted on a tree of the time of 7.2; `BASES["7.2"]` takes for each difference the side
that is true there, and `Difference.why` says why that is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.errors import UnsupportedError

__all__ = ["BASES", "DEFAULT_BASE", "DIFFERENCES", "Base", "Difference", "base_of"]


@dataclass(frozen=True, slots=True)
class Base:
    """The base kernel: a name, and for each of `DIFFERENCES` whether it does as newer kernels do."""

    name: str
    written_needs_wp: bool
    swapin_through_cache: bool
    pt_reclaim: bool
    mremap_many: bool
    large_reuse: bool
    batch_makes_soft_dirty: bool
    head_is_exclusive: bool
    exact_sharing: bool
    batch_lazyfree: bool
    merge_keeps_soft_dirty: bool
    merges_with_untouched: bool
    collapse_lenient: bool
    zswap_large: bool
    register_keeps_wp: bool


class Difference(NamedTuple):
    """One difference: what kernels do that have it, and what those do that do not.

    `since` cites the change as far as it is known, `seen` says on which kernels both sides were seen, and `why` which
    side a tree of 7.2 takes.
    """

    name: str
    newer: str
    older: str
    since: str
    seen: str
    why: str


_BOTH = "6.12.117 and 7.3.4"

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "written_needs_wp",
        "PAGEMAP_SCAN reports PAGE_IS_WRITTEN only where the VMA is registered for write-protection",
        "a page is written unless it has the uffd bit, whatever the VMA",
        "between 6.12 and 7.3",
        _BOTH,
        "the newer: read in the source of 7.3, the nearest release that was available",
    ),
    Difference(
        "swapin_through_cache",
        "every swap-in goes through the swap cache: what a synchronous device had is dirty, as its copy is dropped",
        "a fault on a slot with one reference on a synchronous device passes the cache by, and the page is clean",
        "the swap table, 6.18 and later",
        _BOTH,
        "the newer: the series' functions (`swapin_sync()`, `swap_dup_entries_direct()`) come after that change",
    ),
    Difference(
        "pt_reclaim",
        "MADV_DONTNEED of a whole PMD gives its empty page table back, so that the next fault may be huge",
        "the empty page table stays",
        "CONFIG_PT_RECLAIM, 6.14",
        _BOTH,
        "the newer: 6.14 is before 7.2",
    ),
    Difference(
        "mremap_many",
        "mremap() to a fixed address moves several VMAs at once, and looks for overlaps before anything else",
        "a range of several VMAs is EFAULT, after the target was unmapped; a start without VMA is EFAULT first",
        "6.17",
        _BOTH,
        "the newer: 6.17 is before 7.2",
    ),
    Difference(
        "large_reuse",
        "a write to a page of a PTE-mapped large folio that no other process maps reuses it",
        "such a page is copied unless it is marked exclusive",
        "6.15",
        _BOTH,
        "the newer: 6.15 is before 7.2",
    ),
    Difference(
        "batch_makes_soft_dirty",
        "mprotect() and UFFDIO_WRITEPROTECT change runs of PTEs of a folio together; where a PTE of the run but the "
        "first is dirty, all become soft-dirty",
        "each PTE keeps its own soft-dirty bit",
        "6.17",
        _BOTH,
        "the newer: 6.17 is before 7.2",
    ),
    Difference(
        "head_is_exclusive",
        "pagemap takes bit 56 of all pages of a huge PMD from the first page that is read",
        "each page has its own bit 56",
        "between 6.12 and 7.3",
        _BOTH,
        "the newer: read in the source of 7.3, the nearest release that was available",
    ),
    Difference(
        "exact_sharing",
        "madvise() knows which folios more than one process maps",
        "madvise() guesses it from the count of all mappings and that of the first page",
        "6.15",
        _BOTH,
        "the newer: 6.15 is before 7.2",
    ),
    Difference(
        "batch_lazyfree",
        "reclaim of a PTE-mapped lazyfree folio unmaps its PTEs in runs: one dirty PTE keeps the whole run",
        "it unmaps one PTE after the other, up to the first dirty one",
        "6.16",
        "the source of both",
        "the newer: 6.16 is before 7.2",
    ),
    Difference(
        "merge_keeps_soft_dirty",
        "of two VMAs that merge, one that is soft-dirty makes the whole soft-dirty",
        "the whole is soft-dirty if the VMA is that was new, or that was changed",
        "the source of both: `VMA_STICKY_FLAGS`",
        "both sides in the source; the newer on 7.3.4",
        "the newer: read in the source of 7.3, the nearest release that was available",
    ),
    Difference(
        "merges_with_untouched",
        "a VMA with pages merges with a neighbour that never had any",
        "it does not, only the other way round",
        "the source of both: `is_mergeable_anon_vma()`",
        "the source of both",
        "the newer: read in the source of 7.3, the nearest release that was available",
    ),
    Difference(
        "collapse_lenient",
        "MADV_COLLAPSE takes a range whatever its pages allow, and has nothing to do within one PMD",
        "it is EINVAL unless a page is there that can be written, and so is a range within one PMD",
        "between 6.12 and 7.3",
        _BOTH,
        "the newer: read in the source of 7.3, the nearest release that was available",
    ),
    Difference(
        "zswap_large",
        "zswap stores large folios, page by page",
        "a large folio goes to the disk",
        "6.13",
        _BOTH,
        "the newer: 6.13 is before 7.2, and the series counts on it (rule 4.6)",
    ),
    Difference(
        "register_keeps_wp",
        "UFFDIO_REGISTER that would take write-protection from a VMA is EBUSY, and changes nothing",
        "the new mode takes the place of the old one",
        "7.3, with userfaultfd's read-write protection",
        _BOTH,
        "the older: read-write protection is not in the tree that v3 sits on",
    ),
)
"""Every difference, in the order of the fields of `Base`."""

_NEW = dict.fromkeys((difference.name for difference in DIFFERENCES), True)
_OLD = dict.fromkeys(_NEW, False)

BASES: Mapping[str, Base] = MappingProxyType(
    {
        "6.12": Base("6.12", **_OLD),
        "7.2": Base("7.2", **(_NEW | {"register_keeps_wp": False})),
        "7.3": Base("7.3", **_NEW),
    }
)
"""The bases by name: the two that were seen, and the one that the series' v3 sits on."""

DEFAULT_BASE = "7.2"


def base_of(name: str) -> Base:
    """The base of that name; `UnsupportedError` for a name that none has."""
    if name not in BASES:
        raise UnsupportedError(f"no base {name!r}; allowed: {', '.join(BASES)}")
    return BASES[name]
