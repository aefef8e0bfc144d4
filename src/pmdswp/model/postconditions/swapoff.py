"""What holds once swapoff has dealt with a swap PMD (rules 5)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.softleaf import MARKER_BITS, SoftLeafType


@promised("5.1")
def _reads_one_folio(o: Obeyed) -> bool:
    slots = o.was.slots
    return slots.uncached and not slots.in_zswap and o.is_word_of(o.answer)


@promised("5.2")
def _splits_what_zswap_has(o: Obeyed) -> bool:
    return o.was.slots.uncached and bool(o.was.slots.in_zswap) and o.is_split


@promised("5.3")
def _splits_what_is_in_pieces(o: Obeyed) -> bool:
    return not o.was.slots.uncached and o.was.slots.whole is None and o.is_split


@promised("5.4")
def _maps_what_is_cached(o: Obeyed) -> bool:
    return o.was.slots.whole is not None and o.was.slots.whole is o.answer and o.is_word_of(o.answer)


@promised("5.5")
def _splits_what_cannot_be_read(o: Obeyed) -> bool:
    folio = o.now.slots.whole
    return o.was.slots.uncached and (folio is None or not folio.uptodate) and o.is_split


@promised("5.6")
def _is_tried_again_or_split(o: Obeyed) -> bool:
    if o.answer == "EIO":
        return not o.was.folio.uptodate and o.is_split
    return o.answer == "EAGAIN" and o.is_same


@promised("5.7")
def _is_left_to_the_ptes(o: Obeyed) -> bool:
    return o.is_split or o.is_same


@promised("5.8")
def _is_old_clean_and_read_only(o: Obeyed) -> bool:
    words, word = o.m.pmd, o.now.here.word
    unused = not (words.young(word) or words.dirty(word) or words.write(word))
    return unused and (words.soft_dirty(word), words.uffd(word)) == (o.entry.soft_dirty, o.entry.uffd)


@promised("5.9")
def _is_exclusive_if_the_entry_was(o: Obeyed) -> bool:
    exclusive = o.entry.exclusive or bool(o.was.folio.exclusive & 1)
    return o.is_one_mapping and bool(o.now.folio.exclusive & 1) == exclusive


@promised("5.10")
def _pages_come_back_and_unused_slots_go(o: Obeyed) -> bool:
    # a folio stays as long as a slot of it is used
    used = any(o.now.slots.references) or o.now.slots.uncached
    kept = o.now.folio.device is not None or o.now.folio.dirty
    return o.pages_by(0, anon=1, swap=-1) and o.counts_by(-1) and used and kept


@promised("5.11", "9.17")
def _table_stays_deposited(o: Obeyed) -> bool:
    return o.now.here.deposit is o.was.here.deposit is not None


@promised("5.12")
def _is_written_and_exclusive(o: Obeyed) -> bool:
    return not o.was.folio.writeback and (not o.entry.exclusive or bool(o.now.folio.exclusive & 1))


@promised("5.13")
def _is_one_huge_mapping(o: Obeyed) -> bool:
    return o.is_word_of(o.now.about)


@promised("9.20")
def _is_one_huge_mapping_that_was_written(o: Obeyed) -> bool:
    return o.is_huge and o.m.pmd.write(o.now.here.word) and o.is_dirty


@promised("5.14")
def _is_poison_in_one_pte(o: Obeyed) -> bool:
    changed = [i for i, (was, now) in enumerate(zip(o.was.here.words, o.now.here.words, strict=True)) if was != now]
    entry = o.m.pte.entries[o.now.here.words[o.answer]]
    is_poison = (
        entry.kind is SoftLeafType.MARKER and entry.leaf is not None and entry.leaf[1] == MARKER_BITS["poisoned"]
    )
    was, now = o.was.here, o.now.here
    counted = (was.swapents - now.swapents, was.anonpages) == (1, now.anonpages)
    return changed == [o.answer] and is_poison and o.counts_by(-1) and counted
