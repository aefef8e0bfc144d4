"""What holds once reclaim has put a swap PMD where a huge page was, or could not (rules 10)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.softleaf import SoftLeafType


def _is_swapped(o: Obeyed, place: int) -> bool:
    entry, slots = o.m.pmd.entries[o.now.places[place].word], o.was.slots
    return entry.kind is SoftLeafType.SWAP and entry.leaf == (slots.device.type, slots.first)


@promised("10.1", "10.2")
def _is_not_split(o: Obeyed) -> bool:
    done = _is_swapped(o, 0) if o.answer else o.is_same
    return done and o.event_by("THP_SPLIT_PMD", 0)


@promised("10.4")
def _is_split_as_before(o: Obeyed) -> bool:
    done = (o.stays_swapped and o.counts_by(1)) if o.answer else o.is_table
    return not o.m.pmd_swap and done and o.event_by("THP_SPLIT_PMD", 1)


@promised("10.5")
def _names_the_slots_and_keeps_flags(o: Obeyed) -> bool:
    words, was, now = o.m.pmd, o.was.here.word, o.m.pmd.entries[o.now.here.word]
    flags = (words.soft_dirty(was), words.uffd(was), bool(o.was.folio.exclusive))
    same = (now.soft_dirty, now.uffd, now.exclusive) == flags
    return _is_swapped(o, 0) and same and not o.now.folio.exclusive


@promised("10.6")
def _is_put_back(o: Obeyed) -> bool:
    return o.is_same and o.was.folio == o.now.folio


@promised("10.7")
def _is_counted(o: Obeyed) -> bool:
    swapped = [place for place in range(len(o.now.places)) if _is_swapped(o, place)]
    counted = 1 if o.m.switches.swapout_event == "per-folio" else len(swapped)
    charged = all(o.pages_by(place, anon=-1, swap=1) and o.now.places[place].on_mmlist for place in swapped)
    return len(swapped) == o.answer and charged and o.event_by("THP_SWPOUT_PMD", counted)


@promised("10.8")
def _dirt_is_the_folios(o: Obeyed) -> bool:
    entry = o.m.pmd.entries[o.now.here.word]
    was_dirty = o.m.pmd.dirty(o.was.here.word) or o.was.folio.dirty
    return not entry.young and not entry.dirty and o.now.folio.dirty == was_dirty


@promised("10.9")
def _every_mapping_became_an_entry(o: Obeyed) -> bool:
    places = range(len(o.now.places))
    return all(_is_swapped(o, place) for place in places) and o.counts_by(len(places))


@promised("10.10")
def _has_a_copy_and_stays_cached(o: Obeyed) -> bool:
    slots, folio = o.now.slots, o.now.folio
    device = slots.device
    copies = [0 if slot in slots.zeros else device.zswap.get(slot, device.disk[slot]) for slot in slots.run]
    return (
        copies == list(folio.data) and not folio.dirty and folio.device is device and slots.cache == o.was.slots.cache
    )


@promised("10.11")
def _zeros_are_only_noted(o: Obeyed) -> bool:
    slots = o.now.slots
    not_written = not slots.in_zswap and not any(slots.device.disk[slot] is not None for slot in slots.run)
    return not any(o.now.folio.data) and slots.zeros == tuple(slots.run) and not_written


@promised("10.12")
def _leaves_no_entry(o: Obeyed) -> bool:
    pairs = zip(o.was.places, o.now.places, strict=True)
    is_gone = not (o.now.folio.entire_mapcount or any(o.now.folio.mapcount))
    return all(was.swapents == now.swapents for was, now in pairs) and (is_gone or not o.answer)
