"""What holds once fork has copied a swap PMD, or could not (rules 3). The second PMD is the child's."""

from __future__ import annotations

from pmdswp.model.postconditions.judging import Obeyed, promised


@promised("3.1")
def _takes_one_reference_of_each(o: Obeyed) -> bool:
    return o.counts_by(1)


@promised("3.2")
def _takes_none(o: Obeyed) -> bool:
    return o.is_same


@promised("3.3")
def _tries_again_or_gives_up(o: Obeyed) -> bool:
    return o.answer in (None, "ENOMEM") and o.counts_by(0)


@promised("3.4")
def _swapoff_will_look_there(o: Obeyed) -> bool:
    return o.now.there.on_mmlist and o.now.there.word == o.m.pmd.none


@promised("3.5")
def _nobody_is_exclusive(o: Obeyed) -> bool:
    shared = not any(o.m.arch.pmd_swp_exclusive(place.word) for place in o.now.places)
    return shared and o.now.here.word == o.m.arch.pmd_swp_clear_exclusive(o.was.here.word)


@promised("3.6")
def _soft_dirty_is_copied_and_uffd_is_not(o: Obeyed) -> bool:
    parent, child = (o.m.pmd.entries[place.word] for place in o.now.places)
    same_leaf = parent.leaf == child.leaf == o.entry.leaf
    same_dirt = parent.soft_dirty == child.soft_dirty == o.entry.soft_dirty
    return same_leaf and same_dirt and parent.uffd == o.entry.uffd and not child.uffd


@promised("3.7")
def _child_is_charged(o: Obeyed) -> bool:
    deposit, kept = o.now.there.deposit, o.now.here.deposit
    is_new = deposit is not None and deposit is not kept and set(deposit.words) == {o.m.pte.none}
    has_one = is_new and o.now.there.nr_ptes - o.was.there.nr_ptes == 1
    parent = o.pages_by(0, anon=0, swap=0) and o.now.here.nr_ptes == o.was.here.nr_ptes and kept is o.was.here.deposit
    return has_one and parent and o.pages_by(1, anon=0, swap=1)


@promised("3.8")
def _no_count_has_changed(o: Obeyed) -> bool:
    if o.answer == "ENOMEM":
        return o.is_same
    has_table = o.now.there.nr_ptes - o.was.there.nr_ptes == 1 and o.now.there.word == o.m.pmd.none
    return has_table and o.now.here == o.was.here and (o.was.slots_state is None or o.counts_by(0))


@promised("3.9")
def _cache_is_as_it_was(o: Obeyed) -> bool:
    return o.is_same_cache
