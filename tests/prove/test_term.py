"""Terms compute as words do, and code that branches on them is run every way that an input can take."""

from __future__ import annotations

from typing import Any

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

import pmdswp
from pmdswp.term import Solver, Term

WORDS = st.integers(0, (1 << 64) - 1)
SHIFTS = st.integers(0, 80)


def _value(term: Term) -> Any:
    simple = z3.simplify(term.expression)
    return z3.is_true(simple) if z3.is_bool(simple) else simple.as_long()


@given(WORDS, WORDS, SHIFTS)
def test_a_term_computes_as_an_unsigned_word(a: int, b: int, shift: int) -> None:
    def word(value: int) -> Term:
        return Term(z3.BitVecVal(value, 64), Solver())

    mask = (1 << 64) - 1
    for other in (b, word(b)):
        assert _value(word(a) & other) == a & b
        assert _value(word(a) | other) == a | b
        assert _value(word(a) ^ other) == a ^ b
        assert _value(word(a) + other) == (a + b) & mask
        assert _value(word(a) - other) == (a - b) & mask
        assert _value(word(a) == other) == (a == b)
        assert _value(word(a) != other) == (a != b)
    assert _value(word(a) < b) == (a < b)
    assert _value(a & word(b)) == a & b
    assert _value(a | word(b)) == a | b
    assert _value(word(a) >> shift) == a >> shift
    assert _value(word(a) << shift) == (a << shift) & mask


@given(st.booleans(), st.booleans())
def test_truths_compute_as_truths(a: bool, b: bool) -> None:
    def truth(value: bool) -> Term:
        return Term(z3.BoolVal(value), Solver())

    for other in (b, truth(b)):
        assert _value(truth(a) & other) == (a and b)
        assert _value(truth(a) | other) == (a or b)
        assert _value(truth(a) == other) == (a == b)
        assert _value(truth(a) != other) == (a != b)


def test_code_is_run_once_for_each_way_that_some_input_takes() -> None:
    solver = Solver()
    word = solver.word("word")
    solver.assume(word < 8)

    def code() -> str:
        if word < 4:
            return "low odd" if word & 1 else "low even"
        return "never" if word == 9 else "high"

    found = {taken: solver.smallest(word, word == word) for taken in solver.runs(code)}  # noqa: PLR0124
    assert found == {"low odd": 1, "low even": 0, "high": 4}


def test_the_smallest_word_is_found_and_none_where_there_is_none() -> None:
    solver = Solver()
    word = solver.word("word")
    assert solver.smallest(word, (word & 0xF0) == 0x30) == 0x30
    assert solver.smallest(word, (word >> 60) == 5) == 5 << 60
    assert solver.smallest(word, word != word) is None  # noqa: PLR0124


def test_a_question_that_z3_cannot_answer_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z3.Solver, "check", lambda *_: z3.unknown)
    solver = Solver()
    word = solver.word("word")
    with pytest.raises(RuntimeError, match="z3 gave up"):
        solver.smallest(word, word == 0)


def test_a_branch_outside_of_runs_is_refused_since_one_way_would_be_forgotten() -> None:
    solver = Solver()
    word = solver.word("word")
    with pytest.raises(RuntimeError, match=r"must be run by Solver\.runs"):
        bool(word == 5)
    for _ in solver.runs(lambda: bool(word == 5)):
        with pytest.raises(RuntimeError, match=r"must be run by Solver\.runs"):
            bool(word == 6)


def test_runs_within_runs_are_refused() -> None:
    solver = Solver()
    word = solver.word("word")
    outer = solver.runs(lambda: bool(word == 5))
    next(outer)
    with pytest.raises(RuntimeError, match="still being taken"):
        next(solver.runs(lambda: bool(word == 6)))
    assert list(outer) == [False]


def test_a_number_that_is_no_word_is_refused() -> None:
    with pytest.raises(ValueError, match="0x10000000000000000 is not a word"):
        Solver().word("word") == 1 << 64  # noqa: B015


def test_a_term_cannot_be_mistaken_for_a_value() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Solver().word("word"))


def test_without_pmd_softleaves_there_is_no_hazard_in_a_pmd() -> None:
    assert pmdswp.get("arm64", thp=False).pmd.hazards == ()
    assert pmdswp.get("arm64").pmd.hazards != ()
