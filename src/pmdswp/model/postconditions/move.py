"""What holds once UFFDIO_MOVE has moved a swap PMD, or refused to (rules 8). The second PMD is the target."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.softleaf import State


@promised("8.1")
def _refuses_a_bad_target(o: Obeyed) -> bool:
    return o.answer == "EINVAL" and o.is_same


@promised("8.2")
def _waits_for_migration(o: Obeyed) -> bool:
    return o.answer == "EAGAIN" and o.entry.kind.is_migration and o.is_huge and o.now.there == o.was.there


@promised("8.3")
def _finds_no_page(o: Obeyed) -> bool:
    return o.answer == "ENOENT" and o.is_same and (o.entry.state is State.NONE or o.entry.kind.is_device_private)


@promised("8.4")
def _refuses_a_shared_one(o: Obeyed) -> bool:
    return o.answer == "EBUSY" and not o.m.arch.pmd_swp_exclusive(o.was.here.word) and o.is_same


@promised("8.5", "8.9")
def _tries_again(o: Obeyed) -> bool:
    return o.answer == "EAGAIN" and o.is_same


@promised("8.6")
def _folio_goes_along(o: Obeyed) -> bool:
    folio, vma, address = o.answer
    found = folio.anon_vma in vma.chain and folio.index == vma.linear_index(address)
    return o.was.slots.whole is folio and o.now.slots.whole is folio and found


@promised("8.7")
def _moves_unless_cached_meanwhile(o: Obeyed) -> bool:
    has_moved = o.now.here.word == o.m.pmd.none and o.now.there.word != o.m.pmd.none
    is_refused = o.answer == "EAGAIN" and o.is_same
    return o.was.slots.uncached and has_moved == o.now.slots.uncached and (has_moved or is_refused)


@promised("8.8")
def _pieces_are_left_to_the_ptes(o: Obeyed) -> bool:
    return o.answer == "EAGAIN" and not o.was.slots.uncached and o.was.slots.whole is None and o.is_split


@promised("8.10")
def _all_is_at_the_target(o: Obeyed) -> bool:
    source, target = o.now.here, o.now.there
    entry = o.m.pmd.entries[target.word]
    empty = (source.word, source.deposit) == (o.m.pmd.none, None)
    same = entry.leaf == o.entry.leaf and entry.exclusive and target.deposit is o.was.here.deposit
    return empty and same and entry.soft_dirty == o.m.has_soft_dirty and o.same_counters and o.counts_by(0)


@promised("8.11")
def _uffd_bit_is_as_chosen(o: Obeyed) -> bool:
    copied = o.entry.uffd and o.m.switches.move_uffd_bit == "copy"
    return o.m.pmd.entries[o.now.there.word].uffd == copied


@promised("8.12")
def _slots_stay(o: Obeyed) -> bool:
    was, now = o.was.slots, o.now.slots
    return (was.in_zswap, was.zeros, was.cache) == (now.in_zswap, now.zeros, now.cache) and o.counts_by(0)


@promised("8.13")
def _refuses_a_large_folio(o: Obeyed) -> bool:
    is_cached = o.now.folio.nr > 1 and o.now.folio.device is not None
    return o.answer == "EBUSY" and is_cached and o.was.folio == o.now.folio and o.counts_by(0)


@promised("B.6")
def _refuses_before_any_split(o: Obeyed) -> bool:
    shared = o.answer == "EBUSY" and o.is_huge and not o.m.mem_map[o.m.pmd.frames[o.now.here.word]].exclusive
    return (shared or o.answer == "ENOENT") and o.is_same and o.event_by("THP_SPLIT_PMD", 0)
