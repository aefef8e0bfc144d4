"""What holds once a fault has dealt with a swap PMD (rules 9)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised


@promised("9.1")
def _maps_what_is_cached(o: Obeyed) -> bool:
    return o.was.slots.whole is o.answer and o.is_word_of(o.answer) and o.event_by("PGMAJFAULT", 0)


@promised("9.2")
def _reads_and_maps_one_folio(o: Obeyed) -> bool:
    slots = o.was.slots
    return slots.uncached and not slots.in_zswap and o.is_word_of(o.answer) and o.event_by("PGMAJFAULT", 1)


@promised("9.3")
def _is_split(o: Obeyed) -> bool:
    return o.is_split


@promised("9.4")
def _is_not_mapped(o: Obeyed) -> bool:
    return o.now.slots.whole is None and (o.is_split or o.is_same)


@promised("9.5", "9.6")
def _nothing_was_done(o: Obeyed) -> bool:
    return o.answer == "RETRY" and o.is_same


@promised("9.7")
def _is_a_signal(o: Obeyed) -> bool:
    folio = o.now.slots.whole
    has_no_data = folio is not None and not folio.uptodate
    if o.m.switches.fault_not_uptodate == "split":
        return has_no_data and o.is_split
    return has_no_data and o.answer == "SIGBUS" and o.is_same


def _needs_stable_pages(o: Obeyed) -> bool:
    return o.was.folio.writeback and o.was.slots.device.stable_writes


@promised("9.9")
def _is_not_exclusive(o: Obeyed) -> bool:
    refused = o.entry.exclusive and _needs_stable_pages(o)
    return refused and not o.now.folio.exclusive and not o.m.pmd.write(o.now.here.word)


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
    return o.is_dirty if words.write(word) and o.answer else not words.dirty(word)


@promised("9.13")
def _is_reused_or_split(o: Obeyed) -> bool:
    words, word = o.m.pmd, o.now.here.word
    if o.is_table:
        return o.now.here.table is o.was.here.deposit and o.event_by("THP_SPLIT_PMD", 1)
    is_reused = words.write(word) and o.is_dirty and bool(o.now.folio.exclusive & 1)
    return o.is_word_of(o.now.about) and (is_reused or words.uffd(word))


@promised("9.14")
def _is_one_mapping_of_the_whole(o: Obeyed) -> bool:
    was_exclusive = bool(o.was.folio.exclusive & 1) or (o.entry.exclusive and not _needs_stable_pages(o))
    return o.is_one_mapping and bool(o.now.folio.exclusive & 1) == was_exclusive


@promised("9.15")
def _pages_come_back(o: Obeyed) -> bool:
    return o.pages_by(0, anon=1, swap=-1) and o.counts_by(-1)


@promised("9.16")
def _cache_is_dropped_if_it_may_be(o: Obeyed) -> bool:
    vma, write = o.answer
    slots, folio = o.now.slots, o.now.folio
    nobody_else = write and folio.entire_mapcount + sum(folio.mapcount) == 1
    wanted = slots.device.synchronous or vma.locked or nobody_else
    if not wanted or any(slots.references) or o.was.folio.writeback:
        return slots.whole is o.now.about
    return slots.uncached and not slots.in_zswap and not slots.zeros and folio.device is None and folio.dirty


@promised("9.18")
def _is_armed_still(o: Obeyed) -> bool:
    return o.is_huge and o.m.pmd.uffd(o.now.here.word) and not o.m.pmd.write(o.now.here.word)


@promised("9.19")
def _has_the_data_of_the_slots(o: Obeyed) -> bool:
    return o.now.folio.uptodate and list(o.now.folio.data) == o.answer


@promised("9.21")
def _keeps_the_data(o: Obeyed) -> bool:
    slots = o.now.slots
    return o.was.slots.uncached and bool(o.was.slots.in_zswap) and slots.device.contents_of(slots.run) == o.answer
