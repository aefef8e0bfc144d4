"""What holds once a fault has dealt with a swap PMD (rules 9)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised


@promised("9.1")
def _finds_what_is_cached(o: Obeyed) -> bool:
    return o.was.slots.whole is o.answer is o.now.slots.whole and o.event_by("PGMAJFAULT", 0)


@promised("9.2")
def _reads_one_folio(o: Obeyed) -> bool:
    slots = o.was.slots
    read = slots.uncached and not slots.in_zswap and o.now.slots.whole is o.answer
    return read and o.event_by("PGMAJFAULT", 1)


@promised("9.3")
def _is_split(o: Obeyed) -> bool:
    return o.stays_swapped


@promised("9.4")
def _is_not_mapped(o: Obeyed) -> bool:
    return o.stays_swapped or o.now.here.word == o.was.here.word


@promised("9.5", "9.6")
def _nothing_was_done(o: Obeyed) -> bool:
    return o.answer == "RETRY" and o.is_same


@promised("9.7")
def _is_a_signal(o: Obeyed) -> bool:
    if o.m.switches.fault_not_uptodate == "split":
        return o.stays_swapped
    return o.answer == "SIGBUS" and o.is_same


@promised("9.9")
def _is_not_exclusive(o: Obeyed) -> bool:
    return not o.now.folio.exclusive and not o.m.pmd.write(o.now.here.word)


@promised("9.10")
def _has_soft_dirty_and_uffd_of_the_entry(o: Obeyed) -> bool:
    words, word = o.m.pmd, o.now.here.word
    return (words.soft_dirty(word), words.uffd(word)) == (o.entry.soft_dirty, o.entry.uffd)


@promised("9.11")
def _is_writable_if_nobody_minds(o: Obeyed) -> bool:
    vma, entry = o.answer, o.entry
    awaited = vma.is_armed and entry.uffd
    unseen = o.m.has_soft_dirty and not vma.soft_dirty and not entry.soft_dirty
    may = bool(o.now.folio.exclusive & 1) and vma.write and not awaited and not unseen
    return o.m.pmd.write(o.now.here.word) == may


@promised("9.12")
def _is_dirty_if_written(o: Obeyed) -> bool:
    words, word = o.m.pmd, o.now.here.word
    # an architecture may have no dirty bit
    return words.dirty(word) is (bool(o.answer) and words.dirty(words.mkdirty(word)))


@promised("9.13")
def _is_reused_or_split(o: Obeyed) -> bool:
    words, word = o.m.pmd, o.now.here.word
    return o.is_table or (o.is_huge and (words.write(word) or words.uffd(word)))


@promised("9.14")
def _is_one_mapping_of_the_whole(o: Obeyed) -> bool:
    was, now = o.was.folio, o.now.folio
    once = now.entire_mapcount - was.entire_mapcount == 1 and now.mapcount == was.mapcount
    return o.is_huge and once and bool(now.exclusive & 1) == (o.answer or bool(was.exclusive & 1))


@promised("9.15")
def _pages_come_back(o: Obeyed) -> bool:
    return o.pages_by(0, anon=1, swap=-1) and o.counts_by(-1)


@promised("9.16")
def _cache_is_dropped(o: Obeyed) -> bool:
    slots = o.now.slots
    copies = slots.in_zswap or slots.zeros or any(slots.references)
    return slots.uncached and not copies and o.now.folio.device is None and o.now.folio.dirty


@promised("9.18")
def _is_armed_still(o: Obeyed) -> bool:
    return o.is_huge and o.m.pmd.uffd(o.now.here.word)


@promised("9.19")
def _has_the_data_of_the_slots(o: Obeyed) -> bool:
    return o.now.folio.uptodate and list(o.now.folio.data) == o.answer


@promised("9.21")
def _keeps_the_data(o: Obeyed) -> bool:
    return o.was.slots.uncached and o.was.slots.in_zswap == o.now.slots.in_zswap and o.counts_by(0)
