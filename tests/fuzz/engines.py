"""All readings of random words side by side, for as long as one likes: ``python -m fuzz.engines [SECONDS]``.

The codec's helpers over an int, over a NumPy array and over z3 terms, construct, and bitstring: five engines read type,
offset and flags of one word, and the three that have the helpers answer every predicate too. Words are entries, one bit
away from one, or anything, on every architecture, kernel and option set. A disagreement is shrunk and shown.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import z3
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import pmdswp
from levels import apply, ask, flag_helpers, predicates
from pmdswp import strategies as ps
from pmdswp.arch import Level
from pmdswp.softleaf import LevelName
from pmdswp.term import Solver, Term
from views.engines import BITSTRING, CONSTRUCT

Answers = Mapping[str, int | bool]

ROUND = 100
"""Words between two looks at the clock."""


def helper_answers(place: Level, word: Any) -> dict[str, Any]:
    """What the helpers say of a word, which may be an int or what computes like one."""
    answers: dict[str, Any] = {name: ask(place, name, word) for name in predicates(place)}
    answers |= {name: apply(place, name, word) for name in flag_helpers(place)}
    entry = apply(place, "to_arch_swp_entry", word)
    return answers | {"type": place.arch.arch_swp_type(entry), "offset": place.arch.arch_swp_offset(entry)}


def by_int(place: Level, word: int) -> Answers:
    """The helpers as users call them."""
    return helper_answers(place, word)


def by_array(place: Level, word: int) -> Answers:
    """The helpers over an array of one word."""
    return {name: answer[0].item() for name, answer in helper_answers(place, np.array([word], np.uint64)).items()}


def by_term(place: Level, word: int) -> Answers:
    """The helpers over a term, of which z3 then says what it comes to."""

    def value(term: Term) -> int | bool:
        simple = z3.simplify(term.expression)
        return z3.is_true(simple) if z3.is_bool(simple) else int(simple.as_long())

    return {name: value(term) for name, term in helper_answers(place, Term(z3.BitVecVal(word, 64), Solver())).items()}


def field_numbers(place: Level, word: int) -> list[Mapping[str, int]]:
    """Type, offset and flags as each engine reads them; those of the codec come first."""
    names = ("type", "offset", *place.require_layout().flags)
    codec = {name: place.require_layout().field(name).get(word) for name in names}
    views = [engine.read(place, word) for engine in (CONSTRUCT, BITSTRING)]
    return [codec, *({name: int(view[name]) for name in names} for view in views)]


def check(arch: pmdswp.Arch, level: LevelName, word: int) -> None:
    """Raise AssertionError if two engines differ on a word."""
    place = arch.level(level)
    answers = by_int(place, word)
    assert by_array(place, word) == answers
    assert by_term(place, word) == answers
    codec, *views = field_numbers(place, word)
    for view in views:
        assert view == codec
    entry = place.decode(word)
    assert (entry.state == "NONE") == answers["none"]
    if entry.leaf is not None:
        assert (entry.leaf.swp_type, entry.leaf.offset) == (codec["type"] & 63, codec["offset"])
        assert {name: getattr(entry, name) for name in place.require_layout().flags} == {
            name: bool(codec[name]) for name in place.require_layout().flags
        }


@st.composite
def cases(draw: st.DrawFn) -> tuple[pmdswp.Arch, LevelName, int]:
    """A configuration, a level, and a word of any kind."""
    arch = draw(ps.architectures())
    level = draw(ps.levels(arch))
    kinds = [ps.encoded_words(arch, level), ps.near_valid_words(arch, level), ps.arbitrary_words()]
    return arch, level, draw(st.one_of(*kinds))


def fuzz(seconds: float) -> int:
    """Check random words until the time is up; return how many."""
    ends = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < ends:

        @seed(time.time_ns())
        @settings(
            max_examples=ROUND,
            database=None,
            deadline=None,
            derandomize=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(cases())
        def round_of_checks(case: tuple[pmdswp.Arch, LevelName, int]) -> None:
            check(*case)

        round_of_checks()
        rounds += 1
    return rounds * ROUND


if __name__ == "__main__":
    print(f"{fuzz(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)} words, no disagreement")
