"""What a kernel with the series (v3) does to a swap PMD, rule by rule, and where each rule comes from.

A rule's id is its place: G for what holds after every step, 1 to 10 for the patch of the series, S for the look-up that
patches 5, 7, 8 and 9 share. A step of the model names the rules that it followed.

In the texts N is `HPAGE_PMD_NR`, a *slot* is one page of a swap device, and Z is the set of slots that zswap holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Flag, auto
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["ASSERTED", "REFUTED", "RULES", "SECTIONS", "UNPLAYED", "Evidence", "Refuted", "Rule", "order"]


class Evidence(Flag):
    """What a rule rests on; it may rest on several things."""

    CODE = auto()
    """Code of some version of the series."""
    COVER = auto()
    """The cover letter of v3."""
    MSG = auto()
    """A commit message or a mail by the author, of v1, v2 or later."""
    BASE = auto()
    """Code that the series builds on: the function it extends, or the PTE path that it says it mirrors."""
    TEST = auto()
    """A selftest of the series asserts it."""
    INFERRED = auto()
    """Concluded, mostly as N times what the PTE path does."""

    @property
    def words(self) -> str:
        """The single tags, for a table."""
        return ", ".join(tag.name.lower() for tag in Evidence if tag in self and tag.name)


class Rule(NamedTuple):
    """One thing that the kernel does, in one or two sentences."""

    id: str
    section: str
    text: str
    evidence: Evidence


SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "G": "What holds after every step",
        "1": "Patch 1: telling what a PMD holds",
        "2": "Patch 2: splitting a swap PMD",
        "3": "Patch 3: fork",
        "4": "Patch 4: zswap",
        "S": "The look-up in the swap cache, shared by patches 5, 7, 8 and 9",
        "5": "Patch 5: swapoff",
        "6": "Patch 6: walkers of page tables",
        "7": "Patch 7: MADV_WILLNEED",
        "8": "Patch 8: UFFDIO_MOVE",
        "9": "Patch 9: page fault",
        "10": "Patch 10: swap-out",
        "B": "The base: what surrounds swap",
    }
)
"""Title of each group of rules, by what its ids begin with."""

_CODE, _COVER, _MSG = Evidence.CODE, Evidence.COVER, Evidence.MSG
_BASE, _TEST, _INFERRED = Evidence.BASE, Evidence.TEST, Evidence.INFERRED

_TABLE: tuple[tuple[str, str, Evidence], ...] = (
    ("G1", "A swap PMD stands for N slots in a row and says nothing about the swap cache.", _COVER | _MSG),
    ("G2", "A slot's count is the number of PMD and PTE swap entries that name it.", _COVER | _MSG),
    ("G3", "A swap PMD is N pages of MM_SWAPENTS and none of MM_ANONPAGES.", _MSG | _TEST),
    ("G4", "A swap PMD keeps one deposited page table until it is split, zapped or moved.", _BASE | _INFERRED),
    ("G5", "A page that a swap entry names is not AnonExclusive: the entry carries that bit.", _BASE),
    ("G6", "An exclusive entry is the only reference to its slots.", _BASE | _INFERRED),
    ("G7", "With some slots cached, but not as one folio of N pages, nobody treats the PMD as a whole.", _COVER | _MSG),
    ("G8", "The first slot of a swap PMD is a multiple of N.", _CODE | _INFERRED),
    ("G9", "Swap PMDs stand in anonymous VMAs only.", _COVER | _MSG | _BASE),
    ("G10", "The swap cache behind an entry may change at any time: folios are split, dropped, read again.", _MSG),
    ("1.1", "A PMD that is neither none nor present and whose type is a device's is a swap PMD.", _CODE),
    ("1.2", "Decoding drops the three flags: entries that differ only there decode alike.", _CODE),
    ("1.3", "A PMD that is not present holds a device-private, a migration or a swap entry.", _CODE),
    ("1.4", "A swap PMD names no page: asked for its folio, it has none.", _CODE | _INFERRED),
    ("1.5", "A present PMD and an empty one decode to the none leaf.", _CODE),
    ("1.6", "Each architecture can test, set and clear the exclusive bit of a swap PMD.", _COVER),
    ("1.7", "Where the architecture has no PMD softleaf, nothing of the series happens.", _CODE),
    ("1.8", "A locked huge PMD may be a swap PMD: pmd_trans_huge_lock() takes both.", _BASE | _INFERRED),
    ("2.1", "Each split of a PMD counts as THP_SPLIT_PMD, that of a swap PMD too.", _BASE | _MSG),
    ("2.2", "The deposited table becomes the PTE table; PTE i names slot i of the PMD.", _MSG),
    ("2.3", "All PTEs get soft-dirty, uffd and exclusive as they were on the PMD.", _MSG),
    ("2.4", "No count, no folio and no counter of the process changes.", _MSG | _BASE | _INFERRED),
    ("2.5", "A split asks no cache, reads nothing and cannot fail.", _BASE | _INFERRED),
    ("2.6", "A freezing split never meets a swap PMD; if it did, that would be a bug.", _MSG),
    ("2.7", "Who covers only a part, or cannot go on with the whole, splits first.", _COVER | _MSG | _INFERRED),
    ("2.8", "A PMD that is no longer huge by the time of the split is left as it is.", _BASE),
    ("2.9", "pagemap reports the same before and after a split.", _TEST | _INFERRED),
    ("3.1", "fork takes one more reference to each of the N slots, in one operation.", _COVER | _MSG),
    ("3.2", "If the references cannot all be taken, none is, and the child gets nothing.", _INFERRED),
    ("3.3", "Out of memory for the counts, fork allocates and tries again; failing that, it is -ENOMEM.", _MSG | _BASE),
    ("3.4", "The child goes on swapoff's list of processes before its entry is set.", _COVER | _BASE),
    (
        "3.5",
        "An exclusive entry loses that bit in the parent, and the child's never has it.",
        _BASE | _TEST | _INFERRED,
    ),
    ("3.6", "Soft-dirty is copied; the uffd bit only if the child's VMA has uffd-wp too.", _BASE | _INFERRED),
    ("3.7", "The child gains N in MM_SWAPENTS and a deposited table; the parent's counters stay.", _BASE | _INFERRED),
    ("3.8", "No page table for the child is -ENOMEM, before any count changes.", _BASE),
    ("3.9", "fork does not look at the swap cache.", _COVER | _INFERRED),
    ("4.1", "The range query says whether any of N slots is in Z; if zswap was never on, none is.", _CODE),
    ("4.2", "Loading one page that is in Z decompresses it: the page is dirty, and the slot leaves Z.", _CODE | _BASE),
    ("4.3", "Loading a large folio none of whose slots is in Z goes to the disk.", _CODE | _COVER),
    ("4.4", "Loading a large folio some of whose slots are in Z is an error and yields no data.", _CODE),
    (
        "4.5",
        "So who wants to read a whole PMD asks for the range first, and splits if any slot is in Z.",
        _CODE | _COVER,
    ),
    ("4.6", "Storing a folio puts all its slots into Z, or none.", _BASE),
    ("4.7", "Later, single slots are written back and leave Z: then some are in Z and some on disk.", _COVER | _BASE),
    ("4.8", "A slot that is freed leaves Z.", _BASE),
    ("S.1", "The look-up asks all N slots: none cached, one folio of N pages, or anything else.", _COVER | _MSG),
    ("S.2", "One folio means N pages whose first slot is that of the entry.", _INFERRED),
    ("S.3", "The answer may be stale: it is checked again under the folio lock and the page-table lock.", _MSG),
    ("S.4", "A shadow that reclaim left behind is not a cached page.", _BASE),
    ("5.1", "Nothing cached and no slot in Z: swapoff reads the N pages as one folio.", _COVER),
    ("5.2", "Nothing cached and some slot in Z: swapoff splits.", _COVER),
    ("5.3", "Cached, but not as one folio: swapoff splits.", _COVER),
    ("5.4", "Cached as one folio: swapoff maps that, whatever is in Z.", _COVER | _INFERRED),
    ("5.5", "No huge page, or a failed read: swapoff splits.", _COVER),
    ("5.6", "A folio or PMD that changed meanwhile is tried again; a folio without data is split.", _MSG | _BASE),
    ("5.7", "What could not be done as a whole falls through to the walk over PTEs.", _MSG),
    ("5.8", "swapoff maps old, clean and read-only, with soft-dirty and uffd of the entry.", _BASE | _INFERRED),
    ("5.9", "An exclusive entry becomes an exclusive mapping, any other a shared one.", _BASE | _INFERRED),
    ("5.10", "N pages move from MM_SWAPENTS to MM_ANONPAGES; unused slots and their cache go.", _BASE | _INFERRED),
    ("5.11", "The deposited table stays deposited.", _INFERRED),
    ("5.12", "swapoff waits for writeback, so exclusive is always restored.", _BASE),
    ("5.13", "With zswap off, the range is one huge mapping after swapoff, before any access.", _TEST),
    ("5.14", "A page without data becomes a poison marker, one PTE at a time.", _BASE),
    ("6.1", "Zapping the whole gives back N references and the table; no folio is touched.", _TEST | _BASE | _INFERRED),
    ("6.2", "Zapping a part splits; the rest stays swapped and sound.", _TEST | _MSG),
    ("6.3", "mprotect of the whole leaves the entry bit for bit as it is.", _BASE | _TEST),
    ("6.4", "mprotect of a part splits; the pages stay swapped.", _TEST),
    ("6.5", "uffd-wp sets and clears the uffd bit in place; for a part it splits first.", _BASE),
    ("6.6", "NUMA hinting leaves a swap PMD alone.", _BASE),
    ("6.7", "Clearing soft-dirty clears that bit of the entry in place.", _COVER | _BASE),
    ("6.8", "Clearing referenced bits leaves a swap PMD alone.", _BASE),
    ("6.9", "smaps reports N pages as Swap; SwapPss divides each page by its slot's count.", _COVER | _INFERRED),
    ("6.10", "pagemap reports page i as swapped, with the type and with slot i.", _BASE | _TEST),
    ("6.11", "PAGEMAP_SCAN reports huge and swapped; write-protecting a part splits.", _BASE | _COVER | _INFERRED),
    (
        "6.12",
        "mincore reports what is cached, as a whole or slot by slot, and changes nothing.",
        _COVER | _BASE | _TEST,
    ),
    ("6.13", "mbind and migrate_pages find nothing to move.", _COVER | _INFERRED),
    ("6.14", "khugepaged takes the range for huge already, and lets it be.", _COVER),
    ("6.15", "HMM lets a swap PMD fault if data is wanted, and reports no page otherwise.", _COVER | _INFERRED),
    ("6.16", "MADV_FREE of the whole frees the slots at once; later reads see zeros.", _TEST),
    ("6.17", "MADV_FREE of a part splits and frees that part.", _MSG | _INFERRED),
    ("6.18", "MADV_COLD and MADV_PAGEOUT do nothing to a swap PMD.", _INFERRED),
    ("6.19", "mremap of the whole moves entry and table; the entry becomes soft-dirty.", _BASE | _TEST),
    ("6.20", "mremap of a part splits and moves PTEs.", _BASE | _INFERRED),
    ("6.21", "Looking a page up by address finds none, so it faults.", _INFERRED),
    ("6.22", "A walk from a folio to its mappings never meets a swap PMD.", _MSG),
    ("7.1", "Cached as one folio: there is nothing to do.", _COVER),
    ("7.2", "Nothing cached and no slot in Z: N pages are read into the cache; the entry stays.", _COVER | _TEST),
    ("7.3", "Otherwise the PMD is split, and pages are read one by one.", _COVER),
    ("7.4", "If the whole cannot be read, the call still succeeds.", _INFERRED),
    ("7.5", "Reading single pages for an unsplit PMD would force the next fault to split.", _COVER),
    ("7.6", "madvise returns 0.", _TEST),
    ("8.1", "A target that is in use or not aligned is -EINVAL.", _BASE),
    ("8.2", "A source under migration is waited for, and is -EAGAIN.", _BASE),
    ("8.3", "A source that is neither huge, nor migrating, nor swapped is -ENOENT.", _BASE),
    ("8.4", "A swap PMD that is not exclusive is -EBUSY.", _BASE | _INFERRED),
    ("8.5", "A device that is going away is -EAGAIN.", _BASE | _INFERRED),
    ("8.6", "Cached as one folio: folio and entry move together, and rmap finds the new address.", _COVER | _BASE),
    ("8.7", "Nothing cached: the entry moves, unless a slot turns out to be cached by then.", _COVER | _BASE),
    ("8.8", "Cached, but not as one folio: split and -EAGAIN; the next try moves PTEs.", _COVER),
    ("8.9", "A source or target that changed meanwhile is -EAGAIN.", _BASE),
    ("8.10", "Afterwards the source is empty, and entry, table and soft-dirty are at the target.", _TEST | _BASE),
    (
        "8.11",
        "Whether the uffd bit moves along depends on the version; v3 is taken to copy it.",
        _BASE | _TEST | _INFERRED,
    ),
    ("8.12", "What is in Z does not matter: slots do not move.", _INFERRED),
    ("8.13", "Moving PTEs stops with -EBUSY at a cached large folio.", _BASE),
    ("9.1", "Cached as one folio: the fault maps it.", _COVER),
    ("9.2", "Nothing cached and no slot in Z: N pages are read as one folio; a major fault.", _COVER | _BASE),
    ("9.3", "Otherwise, and if the whole cannot be had, the PMD is split, and one page is faulted in.", _COVER),
    ("9.4", "A folio that left the cache or was split meanwhile is not mapped.", _MSG),
    ("9.5", "A folio that is locked may send the fault back to be tried again.", _BASE),
    ("9.6", "A PMD that changed meanwhile ends the fault; nothing was done.", _BASE),
    ("9.7", "A folio without data is SIGBUS.", _BASE | _INFERRED),
    ("9.8", "A poisoned page in the folio is reported as poison.", _BASE),
    ("9.9", "Under writeback to a device that needs stable pages, exclusive is not restored.", _MSG),
    ("9.10", "The new PMD has soft-dirty and uffd of the entry.", _MSG),
    ("9.11", "It is writable if the entry was exclusive, the VMA allows writing, and uffd-wp is off.", _MSG | _BASE),
    ("9.12", "A write to a writable PMD makes it dirty; a read does not.", _BASE),
    (
        "9.13",
        "A write that may not write yet goes on as write-protect fault: reuse, or split and copy.",
        _BASE | _INFERRED,
    ),
    ("9.14", "The mapping is one of the whole folio, exclusive if the entry was.", _BASE),
    ("9.15", "N pages move from MM_SWAPENTS to MM_ANONPAGES, and each slot loses a reference.", _BASE),
    ("9.16", "The cache is dropped where the PTE path would, if no slot is referenced any more.", _BASE | _INFERRED),
    ("9.17", "The deposited table stays deposited.", _INFERRED),
    ("9.18", "From v4: an entry armed for uffd RWP is made inaccessible after the swap-in.", _TEST),
    ("9.19", "Page i has the data of slot i.", _TEST),
    ("9.20", "After a write with zswap off, the range is one huge mapping.", _TEST),
    ("9.21", "With the range in Z and nothing cached the data is right, but huge is not promised.", _TEST | _COVER),
    ("10.1", "Reclaim no longer splits the mapping of a PMD-sized folio in the swap cache.", _COVER | _MSG),
    ("10.2", "v3 does so with zswap too; v2 did not.", _MSG | _COVER),
    ("10.3", "Such a folio already has its N slots in a row.", _MSG),
    ("10.4", "Where the architecture has no PMD softleaf, reclaim splits as before.", _INFERRED),
    ("10.5", "The entry names the folio's slots and keeps soft-dirty, uffd and exclusive.", _MSG | _BASE),
    ("10.6", "If a step fails, the old PMD is put back, and so are the counts.", _MSG),
    ("10.7", "N pages move from MM_ANONPAGES to MM_SWAPENTS; THP_SWPOUT_PMD counts.", _MSG | _TEST | _INFERRED),
    ("10.8", "Young and writable are forgotten; dirty goes to the folio.", _MSG | _INFERRED),
    ("10.9", "Each process that maps the folio gets an entry; a slot's count is their number.", _INFERRED),
    ("10.10", "The folio is written out, and stays in the cache until it is removed.", _COVER),
    ("10.11", "Pages of zeros are noted slot by slot, not written.", _BASE),
    ("10.12", "A clean folio after MADV_FREE is discarded: no entry at all.", _BASE),
    ("B.1", "MADV_PAGEOUT and MADV_COLD go VMA by VMA, and let be what more than one process maps.", _BASE),
    ("B.2", "Advice for a part of a huge page splits its folio, unless others map it.", _BASE),
    ("B.3", "MADV_FREE marks single pages even if shared, unless dirty; what was written to since is kept.", _BASE),
    ("B.4", "Splitting a dirty huge PMD makes folio and pages dirty, and by `pte_mkdirty()` soft-dirty.", _BASE),
    ("B.5", "mremap of a whole PMD moves its table unseen: no page of it becomes soft-dirty.", _BASE),
    ("B.6", "UFFDIO_MOVE of a part of a shared huge page is EBUSY before any split; no VMA is ENOENT.", _BASE),
    ("B.7", "Over holes, madvise does what is there, mprotect stops, UFFDIO_REGISTER skips them.", _BASE),
    ("B.8", "Neighbouring VMAs that differ in nothing else merge, and the whole may become soft-dirty.", _BASE),
    ("B.9", "Pages of zeros that a split leaves become the shared zero page, which a write copies.", _BASE),
    ("B.10", "What differs between base kernels: the table of differences says which side is taken.", _BASE),
    ("B.11", "mlock faults all in, and MADV_PAGEOUT, FREE, COLD, DONTNEED of locked memory are EINVAL.", _BASE),
    ("B.12", "MADV_COLLAPSE makes one huge page of a table, its swapped pages read one by one.", _BASE),
)


def _section(rule: str) -> str:
    """Which group a rule belongs to."""
    return "G" if rule.startswith("G") else rule.partition(".")[0]


RULES: Mapping[str, Rule] = MappingProxyType(
    {rule: Rule(rule, SECTIONS[_section(rule)], text, evidence) for rule, text, evidence in _TABLE}
)
"""Every rule by its id, in the order of the series."""

_PLACE = {rule: place for place, rule in enumerate(RULES)}


def order(rules: Iterable[str]) -> list[str]:
    """Rule ids in the order of `RULES`, each once."""
    return sorted(set(rules), key=_PLACE.__getitem__)


_CHECKED = "nothing obeys it in a step of its own: `check` looks for the contrary after any step"

UNPLAYED: Mapping[str, str] = MappingProxyType(
    {
        "G5": _CHECKED,
        "G9": _CHECKED,
        "S.4": "the model keeps no shadows",
        "6.6": "the model has no NUMA hinting",
        "6.8": "the model does not clear referenced bits",
        "9.8": "the model has no memory errors",
    }
)
"""Rules that no run of the model obeys, and why."""

ASSERTED = frozenset({"2.9", "9.20"})
"""Rules about what several operations amount to: no step obeys them by itself, a scenario asserts them."""


class Refuted(NamedTuple):
    """Something that the model did once, and that running kernels were seen not to do.

    `rule` says what it does now; `history` is one in which the difference shows.
    """

    rule: str
    believed: str
    history: str


REFUTED: tuple[Refuted, ...] = (
    Refuted("B.1", "MADV_PAGEOUT reclaims all that a range maps, also what others map.", "fork-present-pageout"),
    Refuted("B.2", "MADV_COLD of a part of a huge page passes over it.", "cold"),
    Refuted("B.2", "MADV_FREE of a part of a huge page, or of a large folio, passes over it.", "free-present-part"),
    Refuted("B.3", "A lazily freed page that was written to since goes out by the next reclaim.", "free-present-write"),
    Refuted("10.12", "A clean huge page after MADV_FREE is discarded without being split.", "free-present"),
    Refuted("B.4", "Splitting a huge PMD leaves soft-dirty as it is.", "split-soft-dirty"),
    Refuted("B.5", "mremap of a whole table of PTEs makes each of them soft-dirty.", "mremap-soft-dirty"),
    Refuted("B.6", "UFFDIO_MOVE of a part of a shared huge page splits it, and is refused then.", "move-shared-part"),
    Refuted("B.7", "madvise and UFFDIO_REGISTER do nothing where the range has a hole.", "register-holes"),
    Refuted("B.7", "mprotect does nothing where the range has a hole.", "mprotect-hole"),
    Refuted("B.7", "UFFDIO_WRITEPROTECT does nothing if a VMA is not registered.", "uffd-half-registered"),
    Refuted("B.8", "New memory stays apart from what is beside it, and leaves soft-dirty there alone.", "clear-mmap"),
    Refuted("B.9", "Pages of zeros of a folio that is split keep their frames.", "shared-zero-page"),
    Refuted("B.11", "No memory is locked.", "mlock"),
    Refuted("B.12", "MADV_COLLAPSE finds nothing to do.", "collapse-swapped"),
)
"""What was believed and is refuted."""
