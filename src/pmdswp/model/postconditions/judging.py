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

    def names_slot(self, i: int, word: int) -> bool:
        """Whether a PTE is the swap entry of slot `i` of the first PMD as it was, flags left out."""
        swp_type, offset = self.entry.leaf or (None, 0)
        found = self.m.pte.entries[word]
        return found.kind is SoftLeafType.SWAP and found.leaf == (swp_type, offset + i)

    def is_word_of(self, folio: Folio) -> bool:
        """Whether the first PMD maps a folio as a whole."""
        return self.is_huge and folio.nr == self.m.nr and self.m.pmd.frames[self.now.here.word] == folio.pfn

    def counts_by(self, change: int) -> bool:
        """Whether the count of each slot has changed by so many."""
        pairs = zip(self.was.slots.references, self.now.slots.references, strict=True)
        return all(now - was == change for was, now in pairs)

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
