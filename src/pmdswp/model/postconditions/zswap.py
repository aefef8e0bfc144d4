"""What holds of zswap and of the look-up in the swap cache (rules 4 and S)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.model.state.memory import CacheClass


@promised("4.1")
def _answers_for_every_slot(o: Obeyed) -> bool:
    return bool(o.answer) == (o.m.zswap_was_enabled and bool(o.now.slots.in_zswap))


@promised("4.2")
def _page_has_left_zswap(o: Obeyed) -> bool:
    folio = o.now.folio
    is_filled = folio.data == (o.answer,) and folio.uptodate and folio.dirty
    return is_filled and bool(o.was.slots.in_zswap) and not o.now.slots.in_zswap


@promised("4.3")
def _is_left_to_the_disk(o: Obeyed) -> bool:
    is_untouched = o.now.folio == o.was.folio and not o.now.folio.uptodate
    return o.answer == "ENOENT" and o.now.folio.nr > 1 and not o.now.slots.in_zswap and is_untouched


@promised("4.4")
def _is_an_error_without_data(o: Obeyed) -> bool:
    is_untouched = o.now.folio == o.was.folio and not o.now.folio.uptodate
    return o.answer == o.m.switches.zswap_large_err and bool(o.now.slots.in_zswap) and is_untouched


@promised("4.5")
def _is_split_for_what_zswap_has(o: Obeyed) -> bool:
    return o.is_split if o.was.slots.in_zswap else not o.is_table


@promised("4.6")
def _has_all_or_none(o: Obeyed) -> bool:
    slots = o.now.slots
    kept = tuple(map(slots.device.zswap.get, slots.run))
    return kept == (o.now.folio.data if o.answer else (None,) * len(slots.run))


@promised("4.7")
def _one_slot_is_on_the_disk(o: Obeyed) -> bool:
    slot, token = o.answer
    kept = tuple(one for one in o.was.slots.in_zswap if one != slot)
    return slot in o.was.slots.in_zswap and o.now.slots.in_zswap == kept and o.now.slots.device.disk[slot] == token


@promised("4.8")
def _free_slots_have_left(o: Obeyed) -> bool:
    slots = o.now.slots
    pairs = enumerate(zip(slots.references, slots.cache, strict=True), slots.first)
    free = [slot for slot, (count, folio) in pairs if not count and folio is None]
    return not any(slot in slots.in_zswap or slot in slots.zeros for slot in free)


@promised("S.1")
def _asks_every_slot(o: Obeyed) -> bool:
    slots = o.now.slots
    return o.answer is (
        CacheClass.WHOLE if slots.whole is not None else CacheClass.EMPTY if slots.uncached else CacheClass.SPLIT
    )


@promised("S.2", "10.3")
def _folio_has_these_slots(o: Obeyed) -> bool:
    slots = o.now.slots
    return slots.whole is o.answer and slots.cache == (o.answer,) * o.m.nr and slots.first % o.m.nr == 0


@promised("S.3")
def _is_still_the_cached_one(o: Obeyed) -> bool:
    return o.now.slots.whole is o.answer and o.now.here == o.was.here
