"""What a law is: claims about every input, made of a level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from pmdswp.arch import Level
from pmdswp.softleaf import State
from pmdswp.term import Solver

__all__ = ["Claim", "Law", "Word", "all_true"]

Word = Any
"""A `Term` where the helpers are declared to take and give an `int`."""


class Claim(NamedTuple):
    """That `holds` is true for every input; `word` is the word to show where it is not.

    `known` says for which inputs a documented hazard says that it is not. `what`: what is claimed, where a law claims
    many things.
    """

    word: Word
    holds: Any
    known: Any = False
    what: str = ""


class Law(NamedTuple):
    """A law by name, its statement, and the claims that it makes of a `Level`."""

    name: str
    statement: str
    claims: Callable[[Level, Solver], Iterator[Claim]]
    reads_as: State | None = None
    """What an entry reads as that breaks the law, for the laws that documented hazards break."""
    applies: Callable[[Level], bool] = lambda _level: True
    about: Literal["swap entries", "present words", "walks"] = "swap entries"


def all_true(truths: Iterable[Any]) -> Any:
    """That all of them are true; there is at least one."""
    first, *others = truths
    for truth in others:
        first = first & truth
    return first
