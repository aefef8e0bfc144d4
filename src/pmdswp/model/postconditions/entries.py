"""What holds after every step, and what a PMD holds (rules G and 1)."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.model.postconditions.judging import Obeyed, promised
from pmdswp.model.state.view import View
from pmdswp.softleaf import SoftLeafType, State


@promised("G1")
def _is_only_slots_and_flags(o: Obeyed) -> bool:
    arch, entry = o.m.arch, o.m.pmd.entries[o.now.here.word]
    leaf = arch.softleaf_from_pmd(o.now.here.word)
    flags = {"exclusive": entry.exclusive, "soft_dirty": entry.soft_dirty, "uffd": entry.uffd}
    return leaf == (o.was.slots.device.type, o.was.slots.first) and o.now.here.word == arch.encode_pmd(*leaf, **flags)


@promised("G2")
def _counts_follow_the_entries(o: Obeyed) -> bool:
    slots, changes = o.now.slots, [0] * o.m.nr
    for view, by in ((o.was, -1), (o.now, 1)):
        for slot in _named(o, view):
            changes[slot - slots.first] += by
    before = o.was.slots.references
    return slots.references == tuple(count + by for count, by in zip(before, changes, strict=True))


def _named(o: Obeyed, view: View) -> Iterator[int]:
    """The slots that the PMDs name, or the PTEs in their tables: each as often as there is an entry for it."""
    slots = o.now.slots
    for place in view.places:
        if o.m.pmd.entries[place.word].leaf == (slots.device.type, slots.first):
            yield from slots.run
        leaves = (o.m.pte.entries[word].leaf for word in place.words)
        yield from (
            leaf.offset for leaf in leaves if leaf and leaf.swp_type == slots.device.type and leaf.offset in slots.run
        )


@promised("G3")
def _is_counted_as_swapped(o: Obeyed) -> bool:
    return o.pages_by(0, anon=-1, swap=1)


@promised("G4")
def _keeps_an_empty_table(o: Obeyed) -> bool:
    deposit = o.now.here.deposit
    return deposit is not None and deposit is o.was.here.deposit and set(deposit.words) == {o.m.pte.none}


@promised("G6")
def _is_exclusive_only_if_alone(o: Obeyed) -> bool:
    entries = [o.m.pmd.entries[place.word] for place in o.now.places]
    return set(o.now.slots.references) == {1} or not any(entry.exclusive for entry in entries)


@promised("G7")
def _is_no_whole_if_cached_in_pieces(o: Obeyed) -> bool:
    slots = o.was.slots
    return slots.uncached or slots.whole is not None or o.is_split


@promised("G8")
def _begins_at_a_multiple(o: Obeyed) -> bool:
    leaf = o.m.arch.softleaf_from_pmd(o.now.here.word)
    return leaf.offset % o.m.nr == 0


@promised("G10")
def _entries_stay_as_they_are(o: Obeyed) -> bool:
    named = all(
        (now.word, now.deposit) == (was.word, was.deposit)
        or (now.table is was.deposit and all(map(o.names_slot, range(o.m.nr), now.words)))
        for was, now in zip(o.was.places, o.now.places, strict=True)
    )
    return named and o.was.slots.references == o.now.slots.references


@promised("1.1")
def _is_a_swap_pmd_by_its_type(o: Obeyed) -> bool:
    arch, word = o.m.arch, o.was.here.word
    is_of_device = arch.softleaf_from_pmd(word).swp_type == o.was.slots.device.type
    return arch.pmd_is_swap_entry(word) and is_of_device and not arch.pmd_none(word) and not arch.pmd_present(word)


@promised("1.2")
def _decodes_alike_without_flags(o: Obeyed) -> bool:
    arch, word = o.m.arch, o.was.here.word
    bare = arch.pmd_swp_clear_exclusive(arch.pmd_swp_clear_soft_dirty(arch.pmd_swp_clear_uffd(word)))
    return arch.softleaf_from_pmd(bare) == arch.softleaf_from_pmd(word) == o.entry.leaf


@promised("1.3")
def _is_one_of_three(o: Obeyed) -> bool:
    kind = o.entry.kind
    return kind.is_device_private or kind.is_migration or kind is SoftLeafType.SWAP


@promised("1.4")
def _names_no_page(o: Obeyed) -> bool:
    entry, folio = o.answer
    return folio is None and entry.kind is SoftLeafType.SWAP


@promised("1.5")
def _decodes_to_none(o: Obeyed) -> bool:
    return o.entry.state is not State.SOFTLEAF and o.m.arch.softleaf_from_pmd(o.was.here.word).is_none


@promised("1.6")
def _has_an_exclusive_bit(o: Obeyed) -> bool:
    arch, word = o.m.arch, o.now.here.word
    on, off = arch.pmd_swp_mkexclusive(word), arch.pmd_swp_clear_exclusive(word)
    is_one_bit = (on ^ off).bit_count() == 1
    return arch.pmd_swp_exclusive(on) and not arch.pmd_swp_exclusive(off) and is_one_bit and word in (on, off)


@promised("1.7")
def _leaves_no_swap_pmd(o: Obeyed) -> bool:
    return not o.m.pmd_swap and o.is_table and o.event_by("THP_SWPOUT_PMD", 0)


@promised("1.8")
def _was_huge_and_not_present(o: Obeyed) -> bool:
    return o.entry.state is State.SOFTLEAF and o.was.here.table is None and o.was.here.deposit is not None
