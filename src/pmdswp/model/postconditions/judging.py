"""Judging: each rule that is noted is held against its postcondition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from pmdswp.model.state.failures import Violation
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.memory import Folio
from pmdswp.model.state.rules import RULES
from pmdswp.model.state.view import View
from pmdswp.softleaf import Entry, SoftLeafType, State

__all__ = ["POSTCONDITIONS", "Obeyed", "judge", "promised"]


class Obeyed(NamedTuple):
    """A rule that is said to have been obeyed: what it is about, before and after, and what was answered or decided."""

    m: Kernel
    was: View
    now: View
    answer: Any

    # --- what was there

    @property
    def entry(self) -> Entry:
        """What the first PMD held."""
        return self.m.pmd.entries[self.was.here.word]

    # --- what became of it

    @property
    def is_same(self) -> bool:
        """Whether no word, table, counter or slot count has changed."""
        same_counts = self.was.slots_state is None or self.was.slots.references == self.now.slots.references
        return self.was.places == self.now.places and same_counts

    @property
    def is_same_cache(self) -> bool:
        """Whether the cache, the folio that is cached for all slots, zswap and the notes of zeros are the same."""
        was, now = self.was.slots, self.now.slots
        same_copies = (was.cache, was.in_zswap, was.zeros) == (now.cache, now.in_zswap, now.zeros)
        return same_copies and self.was.folio_state == self.now.folio_state

    @property
    def no_event(self) -> bool:
        """Whether no event was counted."""
        return self.was.events == self.now.events

    @property
    def is_table(self) -> bool:
        """Whether the first PMD points to a table."""
        return self.now.here.table is not None

    @property
    def is_huge(self) -> bool:
        """Whether the first PMD maps a huge page."""
        return self.m.pmd.entries[self.now.here.word].state is State.PRESENT

    @property
    def stays_swapped(self) -> bool:
        """Whether a table names the slots that the first PMD named, page by page."""
        return self.is_table and all(map(self.names_slot, range(self.m.nr), self.now.here.words))

    @property
    def is_split(self) -> bool:
        """Whether the same is so of the table that was deposited, flags and slot counts too."""
        same_flags = {self.m.pte.entries[word].flags for word in self.now.here.words} == {self.entry.flags}
        return self.now.here.table is self.was.here.deposit and self.stays_swapped and same_flags and self.counts_by(0)

    def names_slot(self, i: int, word: int) -> bool:
        """Whether a PTE is the swap entry of slot `i` of those that the first PMD named, flags left out."""
        slots, found = self.was.slots, self.m.pte.entries[word]
        return found.kind is SoftLeafType.SWAP and found.leaf == (slots.device.type, slots.first + i)

    @property
    def is_dirty(self) -> bool:
        """Whether the first PMD is dirty, or the architecture has no bit to say so."""
        words, word = self.m.pmd, self.now.here.word
        return words.dirty(word) or not words.dirty(words.mkdirty(word))

    def is_word_of(self, folio: Folio | None) -> bool:
        """Whether the first PMD maps a folio as a whole."""
        frame = self.m.pmd.frames[self.now.here.word]
        return folio is not None and self.is_huge and (frame, self.m.nr) == (folio.pfn, folio.nr)

    @property
    def is_one_mapping(self) -> bool:
        """Whether the first PMD maps the folio as a whole, which is one mapping of it more than there was."""
        was, now = self.was.folio, self.now.folio
        once = now.entire_mapcount - was.entire_mapcount == 1 and now.mapcount == was.mapcount
        return once and self.is_word_of(self.now.about)

    def counts_by(self, change: int) -> bool:
        """Whether the count of each slot has changed by so many."""
        pairs = zip(self.was.slots.references, self.now.slots.references, strict=True)
        return all(now - was == change for was, now in pairs)

    @property
    def same_counters(self) -> bool:
        """Whether the counters of every address space are the same."""
        return all(self.pages_by(place, anon=0, swap=0) for place in range(len(self.was.places))) and all(
            was.nr_ptes == now.nr_ptes for was, now in zip(self.was.places, self.now.places, strict=True)
        )

    def pages_by(self, place: int, *, anon: int, swap: int) -> bool:
        """Whether so many huge pages were added to the counters of a place's address space."""
        was, now, nr = self.was.places[place], self.now.places[place], self.m.nr
        return (now.anonpages - was.anonpages, now.swapents - was.swapents) == (anon * nr, swap * nr)

    def event_by(self, name: str, change: int) -> bool:
        """Whether an event was counted so often."""
        return self.now.events.get(name, 0) - self.was.events.get(name, 0) == change


Postcondition = Callable[[Obeyed], bool]

POSTCONDITIONS: dict[str, Postcondition] = {}
"""What holds after each rule has been obeyed, by its id."""

_P = TypeVar("_P", bound=Postcondition)


def promised(*rules: str) -> Callable[[_P], _P]:
    """Register what these rules promise."""

    def register(holds: _P) -> _P:
        POSTCONDITIONS.update(dict.fromkeys(rules, holds))
        return holds

    return register


def judge(m: Kernel, rules: Sequence[str], was: View, answer: object) -> None:
    """`Violation` unless what the rules promise has come about."""
    obeyed = Obeyed(m, was, was.again(), answer)
    for rule in rules:
        if not POSTCONDITIONS[rule](obeyed):
            raise Violation(f"{rule}: not so after it was obeyed: {RULES[rule].text}{_seen(obeyed)}")


def _seen(obeyed: Obeyed) -> str:
    """What a reader may want to know of a broken promise."""
    words = zip(obeyed.was.places, obeyed.now.places, strict=True)
    seen = [f"{was.mm.name} {was.word:#x} -> {now.word:#x}" for was, now in words]
    if obeyed.answer is not None:
        seen.append(f"answer {_plain(obeyed.answer)}")
    return f" ({'; '.join(seen)})" if seen else ""


def _plain(answer: object) -> str:
    """An answer without the addresses in memory that a default repr has."""
    if isinstance(answer, (str, int, float)) or answer is None:
        return repr(answer)
    if isinstance(answer, Iterable):
        return f"[{', '.join(_plain(one) for one in list(answer)[:4])}]"
    return type(answer).__name__
