"""What holds once a walker has passed a swap PMD (rules 6); for a part of one, see what a split promises."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.pagemap import Category, decode
from pmdswp.softleaf import SoftLeafType


@promised("6.1", "6.16")
def _references_and_table_are_given_back(o: Obeyed) -> bool:
    was, now = o.was.here, o.now.here
    table = now.deposit is None and was.nr_ptes - now.nr_ptes == 1
    given_back = o.pages_by(0, anon=0, swap=-1) and o.counts_by(-1)
    return now.word == o.m.pmd.none and table and given_back and _no_folio_is_touched(o)


def _no_folio_is_touched(o: Obeyed) -> bool:
    """Whether the folio that was cached for the slots, if one was, has as many mappings as it had."""
    was, now = o.was.folio_state, o.now.folio_state
    if was is None or now is None:
        return was is now
    return (was.entire_mapcount, was.mapcount) == (now.entire_mapcount, now.mapcount)


@promised("6.3", "6.18")
def _is_the_same_bit_for_bit(o: Obeyed) -> bool:
    return o.is_same and o.is_same_cache and o.no_event


@promised("6.5")
def _uffd_bit_is_changed_in_place(o: Obeyed) -> bool:
    protect, ptes = o.answer
    if len(ptes) == o.m.nr:
        now = o.m.pmd.entries[o.now.here.word]
        same = (now.leaf, now.exclusive, now.soft_dirty) == (o.entry.leaf, o.entry.exclusive, o.entry.soft_dirty)
        return same and now.uffd is bool(protect)
    wanted = [(protect if i in ptes else o.entry.uffd, o.entry.exclusive, o.entry.soft_dirty) for i in range(o.m.nr)]
    entries = [o.m.pte.entries[word] for word in o.now.here.words]
    return o.stays_swapped and [(one.uffd, one.exclusive, one.soft_dirty) for one in entries] == wanted


@promised("6.7")
def _soft_dirty_is_cleared_in_place(o: Obeyed) -> bool:
    now = o.m.pmd.entries[o.now.here.word]
    same = (now.leaf, now.exclusive, now.uffd) == (o.entry.leaf, o.entry.exclusive, o.entry.uffd)
    return same and not now.soft_dirty


@promised("6.9")
def _swap_is_whole_and_its_pss_shared(o: Obeyed) -> bool:
    swap, pss = o.answer
    counts = o.was.slots.references if o.m.switches.smaps_pss == "per-slot" else o.was.slots.references[:1] * o.m.nr
    # each page is divided in units of 1/4096 byte
    lost = sum(o.m.page_size / count for count in counts) - pss
    return bool(swap == o.m.pmd_size and 0 <= lost < o.m.nr / 4096)


@promised("6.10")
def _each_record_names_its_slot(o: Obeyed) -> bool:
    pages, records = o.answer
    swp_type, offset = o.entry.leaf or (0, 0)
    found = [decode(record) for record in records]
    flags = {name for name in ("soft_dirty", "uffd") if getattr(o.entry, name)}
    # all pages of a VMA may be soft-dirty
    are_shown = all(flags <= set(one.flags) <= flags | {"soft_dirty"} for one in found)
    return are_shown and [one.leaf for one in found] == [(swp_type, offset + page) for page in pages]


_CHANGING = Category.WRITTEN | Category.SOFT_DIRTY


@promised("6.11")
def _is_huge_and_swapped(o: Obeyed) -> bool:
    found, protect, is_whole = o.answer
    is_swapped = found & ~_CHANGING == Category.HUGE | Category.SWAPPED
    is_written = Category.WRITTEN in found
    as_flagged = not (is_written and o.entry.uffd) and (Category.SOFT_DIRTY in found or not o.entry.soft_dirty)
    if not is_swapped or not as_flagged:
        return False
    if not protect:
        return o.is_same
    return is_written and (o.now.here.word == o.m.arch.pmd_swp_mkuffd(o.was.here.word) if is_whole else o.is_split)


@promised("6.12")
def _what_is_cached_is_resident(o: Obeyed) -> bool:
    pages, found = o.answer
    cache = o.was.slots.cache
    resident = [(folio := cache[page]) is not None and folio.uptodate for page in pages]
    return found == resident and o.is_same and o.is_same_cache


@promised("6.13")
def _nothing_is_queued(o: Obeyed) -> bool:
    return o.answer == 0 and o.is_same


@promised("6.14")
def _is_taken_for_mapped(o: Obeyed) -> bool:
    return o.answer == "SCAN_PMD_MAPPED" and o.is_same


@promised("6.15")
def _faults_or_reports_no_page(o: Obeyed) -> bool:
    if o.answer == "fault":
        return _nothing_is_swapped(o)
    return set(o.answer) == {"error" if o.m.switches.hmm_nofault == "error" else ""} and o.is_same


@promised("6.19")
def _entry_and_table_are_at_the_target(o: Obeyed) -> bool:
    was, source, target = o.was.here, o.now.here, o.now.there
    entry = o.m.pmd.entries[target.word]
    empty = (source.word, source.deposit) == (o.m.pmd.none, None)
    same = entry.leaf == o.entry.leaf and entry.exclusive == o.entry.exclusive and target.deposit is was.deposit
    flags = (entry.soft_dirty, entry.uffd) == (o.m.has_soft_dirty, o.entry.uffd and not o.answer)
    return empty and same and flags and o.same_counters and (o.was.slots_state is None or o.counts_by(0))


@promised("6.21")
def _is_faulted_in(o: Obeyed) -> bool:
    return _nothing_is_swapped(o)


def _nothing_is_swapped(o: Obeyed) -> bool:
    return not any(o.m.pmd.entries[place.word].kind is SoftLeafType.SWAP for place in o.now.places)


@promised("6.22")
def _no_swap_pmd_is_met(o: Obeyed) -> bool:
    return not any(o.m.pmd.entries[word].kind is SoftLeafType.SWAP for word in o.answer)
