"""What holds of what surrounds swap (rules B)."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised
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
        return o.was.folio == o.now.folio
    return o.is_table and o.now.folio.nr == 0


@promised("B.3")
def _lazily_freed_is_clean(o: Obeyed) -> bool:
    folio = o.now.folio
    if o.answer:
        return folio.lazyfree and not folio.dirty
    return folio.dirty or folio.device is not None


@promised("B.4")
def _all_pages_are_dirty(o: Obeyed) -> bool:
    words, freezing = o.m.pte, o.answer
    soft_dirty = o.m.pmd.soft_dirty(o.was.here.word) if freezing else o.m.has_soft_dirty
    return o.is_table and all(words.dirty(word) and words.soft_dirty(word) == soft_dirty for word in o.now.here.words)


@promised("B.5")
def _table_moves_unseen(o: Obeyed) -> bool:
    source, target, was = o.now.here, o.now.there, o.was.here
    return source.word == o.m.pmd.none and target.table is was.table is not None and target.words == was.words


@promised("B.7")
def _goes_as_far_as_it_can(o: Obeyed) -> bool:
    return o.answer is True or o.answer in ("ENOMEM", "ENOENT")


@promised("B.8")
def _two_became_one(o: Obeyed) -> bool:
    start, right, left = o.answer
    return (left.start, left.end) == (start, right.end) and left in left.mm.vmas and right not in left.mm.vmas


@promised("B.9")
def _zeros_are_copied(o: Obeyed) -> bool:
    done, word = o.answer
    return not done or (o.m.pte.write(word) and o.m.pte.frames[word] != ZERO_PFN)


@promised("B.10")
def _takes_the_side_of_its_base(o: Obeyed) -> bool:
    name, side = o.answer
    return getattr(o.m.base, name) is side


@promised("B.11")
def _locked_is_there_or_refused(o: Obeyed) -> bool:
    return o.answer == "EINVAL" or all(decode(record).state is State.PRESENT for record in o.answer)


@promised("B.12")
def _is_one_huge_page_again(o: Obeyed) -> bool:
    pfn = o.m.pmd.frames[o.now.here.word]
    swapped = any(o.m.pte.entries[word].kind is SoftLeafType.SWAP for word in o.was.here.words)
    return o.is_huge and not swapped and o.m.mem_map[pfn].data == o.answer and o.now.here.deposit is o.was.here.table
