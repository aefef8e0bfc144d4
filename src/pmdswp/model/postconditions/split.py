"""What holds once a swap PMD is split, or was to be (rules 2)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.softleaf import SoftLeafType


@promised("2.1")
def _is_counted(o: Obeyed) -> bool:
    return o.event_by("THP_SPLIT_PMD", 1)


@promised("2.2")
def _deposited_table_names_the_slots(o: Obeyed) -> bool:
    return o.now.here.table is o.was.here.deposit and o.now.here.deposit is None and o.stays_swapped


@promised("2.3")
def _all_have_the_flags(o: Obeyed) -> bool:
    return {o.m.pte.entries[word].flags for word in o.now.here.words} == {o.entry.flags}


@promised("2.4")
def _nothing_is_counted_anew(o: Obeyed) -> bool:
    was, now = o.was.here, o.now.here
    counters = (was.anonpages, was.swapents, was.nr_ptes) == (now.anonpages, now.swapents, now.nr_ptes)
    return counters and o.counts_by(0)


@promised("2.5")
def _nothing_is_read(o: Obeyed) -> bool:
    others = (name for name in o.now.events if name != "THP_SPLIT_PMD")
    return o.was.slots.cache == o.now.slots.cache and all(o.event_by(name, 0) for name in others)


@promised("2.6", "2.8")
def _is_left_as_it_is(o: Obeyed) -> bool:
    return o.is_same and o.event_by("THP_SPLIT_PMD", 0)


@promised("2.7")
def _is_split_first(o: Obeyed) -> bool:
    return o.is_table and o.event_by("THP_SPLIT_PMD", 1)


@promised("2.9")
def _pagemap_says_the_same(o: Obeyed) -> bool:
    before, after = o.answer
    return o.is_table and before == after


@promised("6.4")
def _pages_stay_swapped(o: Obeyed) -> bool:
    return o.stays_swapped


@promised("6.2", "6.17")
def _only_a_part_is_gone(o: Obeyed) -> bool:
    none, zapped = o.m.pte.none, o.answer
    words = o.now.here.words
    return o.is_table and all(word == none if i in zapped else o.names_slot(i, word) for i, word in enumerate(words))


@promised("6.20")
def _ptes_have_moved(o: Obeyed) -> bool:
    moved, by = o.answer
    source, target, none = o.now.here.words, o.now.there.words, o.m.pte.none
    return o.is_table and all(source[i] == none and _is_at(o, i, target[i + by]) for i in moved)


def _is_at(o: Obeyed, i: int, word: int) -> bool:
    """Whether a PTE at the target says what slot `i` of the first PMD, or of its table, said of a swapped page."""
    was = o.entry if o.was.here.table is None else o.m.pte.entries[o.was.here.words[i]]
    if was.kind is not SoftLeafType.SWAP or was.leaf is None:
        return True
    leaf = was.leaf if o.was.here.table is not None else (was.leaf.swp_type, was.leaf.offset + i)
    now = o.m.pte.entries[word]
    return now.leaf == leaf and now.exclusive == was.exclusive and now.soft_dirty == o.m.has_soft_dirty
