"""What holds of what surrounds swap (rules B)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.words import ZERO_PFN
from pmdswp.pagemap import decode
from pmdswp.softleaf import SoftLeafType, State


@promised("B.1")
def _what_is_shared_is_let_be(o: Obeyed) -> bool:
    was, now = o.was.here, o.now.here
    if was.table is None:
        return not o.answer or was.word == now.word
    return all(was.words[i] == now.words[i] for i in o.answer)


@promised("B.2")
def _folio_is_split_for_a_part(o: Obeyed) -> bool:
    if not o.answer:
        return o.was.folio == o.now.folio and o.is_same
    is_shared = o.was.folio.entire_mapcount > 1
    return not is_shared and o.is_table and o.now.folio.nr == 0


@promised("B.3")
def _lazily_freed_is_clean(o: Obeyed) -> bool:
    was, now = o.was.folio, o.now.folio
    if o.answer:
        return now.lazyfree and not now.dirty
    is_kept = was.lazyfree and now.dirty and not now.lazyfree and any(now.mapcount)
    return is_kept or was == now


@promised("B.4")
def _all_pages_are_dirty(o: Obeyed) -> bool:
    words, freezing = o.m.pte, o.answer
    soft_dirty = o.m.pmd.soft_dirty(o.was.here.word) if freezing else o.m.has_soft_dirty
    pages = all(words.dirty(word) and words.soft_dirty(word) == soft_dirty for word in o.now.here.words)
    return o.is_table and pages and o.m.mem_map[o.m.pmd.frames[o.was.here.word]].dirty


@promised("B.5")
def _table_moves_unseen(o: Obeyed) -> bool:
    source, target, was = o.now.here, o.now.there, o.was.here
    return source.word == o.m.pmd.none and target.table is was.table is not None and target.words == was.words


@promised("B.7")
def _goes_as_far_as_it_can(o: Obeyed) -> bool:
    errno, mm, (start, stop, end), asked = o.answer

    def is_as_asked(vma: Vma | None) -> bool:
        return vma is not None and all(getattr(vma, name) is value for name, value in asked.items())

    done = start == stop or all(is_as_asked(vma) for vma, _first, _last in mm.overlaps(start, stop))
    has_hole = not mm.is_mapped(start, end)
    return done and (stop == end or not is_as_asked(mm.vma_at(stop))) and (has_hole or errno != "ENOMEM")


@promised("B.8")
def _two_became_one(o: Obeyed) -> bool:
    start, right, left = o.answer
    is_whole = (left.start, left.end) == (start, right.end) and left.has_flags_of(right)
    keeps_soft_dirty = left.soft_dirty or not right.soft_dirty or not o.m.base.merge_keeps_soft_dirty
    return is_whole and keeps_soft_dirty and left in left.mm.vmas and right not in left.mm.vmas


@promised("B.9")
def _zeros_are_copied(o: Obeyed) -> bool:
    is_copy, words = o.answer
    return all(o.m.pte.write(word) is is_copy is (o.m.pte.frames[word] != ZERO_PFN) for word in words)


@promised("B.10")
def _takes_the_side_of_its_base(o: Obeyed) -> bool:
    name, side = o.answer
    return getattr(o.m.base, name) is side


@promised("B.11")
def _locked_is_there_or_refused(o: Obeyed) -> bool:
    vma, records = o.answer
    return vma.locked and all(decode(record).state is State.PRESENT for record in records)


@promised("B.12")
def _is_one_huge_page_again(o: Obeyed) -> bool:
    pfn = o.m.pmd.frames[o.now.here.word]
    swapped = any(o.m.pte.entries[word].kind is SoftLeafType.SWAP for word in o.was.here.words)
    return o.is_huge and not swapped and o.m.mem_map[pfn].data == o.answer and o.now.here.deposit is o.was.here.table
