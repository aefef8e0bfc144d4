"""What holds once a swap PMD is split, or was to be (rules 2)."""

from __future__ import annotations

from collections.abc import Sequence

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.softleaf import SoftLeafType, State


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
    return o.same_counters and o.counts_by(0) and o.was.folio_state == o.now.folio_state


@promised("2.5")
def _nothing_is_read(o: Obeyed) -> bool:
    others = (name for name in o.now.events if name != "THP_SPLIT_PMD")
    return o.is_table and o.is_same_cache and all(o.event_by(name, 0) for name in others)


@promised("2.6")
def _is_a_bug(o: Obeyed) -> bool:
    return o.entry.kind is SoftLeafType.SWAP and o.is_same and o.no_event


@promised("2.8")
def _is_left_as_it_is(o: Obeyed) -> bool:
    return o.entry.state in (State.NONE, State.TABLE) and o.is_same and o.no_event


@promised("2.7")
def _is_split_first(o: Obeyed) -> bool:
    return o.is_table and o.now.here.table is o.was.here.deposit and o.event_by("THP_SPLIT_PMD", 1)


@promised("2.9")
def _pagemap_says_the_same(o: Obeyed) -> bool:
    before, after = o.answer
    return o.is_table and before == after


@promised("6.4")
def _pages_stay_swapped(o: Obeyed) -> bool:
    return o.is_split


@promised("6.2", "6.17")
def _only_a_part_is_gone(o: Obeyed) -> bool:
    none, zapped, slots = o.m.pte.none, o.answer, o.was.slots
    kept = enumerate(o.now.here.words)
    is_right = all(word == none if i in zapped else o.names_slot(i, word) and _has_flags(o, word) for i, word in kept)
    counts = tuple(count - (i in zapped) for i, count in enumerate(slots.references))
    # a munmap may take parts of two PMDs, and whole ones between them
    given_back = o.was.here.swapents - o.now.here.swapents >= len(zapped) and o.now.slots.references == counts
    return o.is_table and is_right and given_back


def _has_flags(o: Obeyed, word: int) -> bool:
    """Whether a PTE has the flags that the first PMD had."""
    return o.m.pte.entries[word].flags == o.entry.flags


@promised("6.20")
def _ptes_have_moved(o: Obeyed) -> bool:
    moved, by = o.answer
    pages, source, target = _pages(o), o.now.here.words, o.now.there.words
    has_moved = all(source[i] == o.m.pte.none and _is_moved(o, pages[i], target[i + by]) for i in moved)
    taken = range(moved.start + by, moved.stop + by) if o.now.there.table is o.now.here.table else ()
    stays = all(_is_page(o, pages[i], source[i]) for i in range(o.m.nr) if i not in moved and i not in taken)
    return o.is_table and has_moved and stays


def _pages(o: Obeyed) -> Sequence[int]:
    """PTEs for what the first PMD held: of a huge page with its frames only."""
    here, words = o.was.here, o.m.pte
    if here.table is not None:
        return here.words
    if o.entry.state is State.SOFTLEAF:
        return o.m.arch.split_pmd(here.word)
    return words.run(words.of_pfn(o.m.pmd.frames[here.word]))


def _is_page(o: Obeyed, was: int, now: int) -> bool:
    """Whether two PTEs are of the same page, mapped or swapped, and as exclusive."""
    entries, frames = o.m.pte.entries, o.m.pte.frames
    same_leaf = (entries[was].leaf, entries[was].exclusive) == (entries[now].leaf, entries[now].exclusive)
    return same_leaf and frames[was] == frames[now]


def _is_moved(o: Obeyed, was: int, now: int) -> bool:
    """Whether a PTE is of the same page as another one was, and soft-dirty if it is a swap entry."""
    entry = o.m.pte.entries[now]
    return _is_page(o, was, now) and (entry.kind is not SoftLeafType.SWAP or entry.soft_dirty == o.m.has_soft_dirty)
