"""What holds once MADV_WILLNEED has passed a swap PMD (rules 7)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised


@promised("7.1")
def _nothing_is_done(o: Obeyed) -> bool:
    return o.was.slots.whole is not None and o.is_same and o.is_same_cache and o.no_event


@promised("7.2")
def _range_is_read_and_stays_swapped(o: Obeyed) -> bool:
    slots, folio = o.was.slots, o.now.slots.whole
    is_read = folio is not None and folio is o.answer and folio.uptodate and not folio.is_mapped
    return slots.uncached and not slots.in_zswap and is_read and o.is_same


@promised("7.3")
def _is_split_otherwise(o: Obeyed) -> bool:
    return o.was.slots.whole is None and o.is_split


@promised("7.4")
def _stays_if_it_cannot_be_read(o: Obeyed) -> bool:
    return o.is_same and (o.now.slots.whole is None or not o.now.slots.whole.uptodate)


@promised("7.5")
def _is_not_cached_in_pieces(o: Obeyed) -> bool:
    return o.is_table or o.now.slots.uncached or o.now.slots.whole is not None


@promised("7.6")
def _is_no_error(o: Obeyed) -> bool:
    return o.answer == 0 and o.same_counters
