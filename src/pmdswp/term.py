"""Words as z3 terms: the reading in which a helper computes for every input at once. Needs the extra ``prove``.

A `Term` behaves as a 64-bit word, or as the truth of a comparison, does in Python. Code that branches on a term is run
once for each way that some input can take, so what is proved is the very code that users call. This is the only module
that imports z3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import z3

__all__ = ["Solver", "Term"]

WORD_BITS = 64
Result = TypeVar("Result")


class Solver:
    """Words without a value, what is assumed of them, and the questions that one may ask about all of them."""

    def __init__(self) -> None:
        self._solver = z3.Solver()
        # z3 would take the signal to itself, and give up without an answer
        self._solver.set("ctrl_c", False)  # noqa: FBT003
        self._outcomes: list[bool] = []
        self._step = 0
        self._waiting: list[list[bool]] = []
        self._is_open = False
        self._is_running = False

    def word(self, name: str) -> Term:
        """A word of which nothing is known; the same name is the same word."""
        return Term(z3.BitVec(name, WORD_BITS), self)

    def truth(self, name: str) -> Term:
        """A truth value of which nothing is known."""
        return Term(z3.Bool(name), self)

    def assume(self, condition: Term) -> None:
        """Leave out all inputs for which `condition` is not true; within `runs`, until the next run."""
        self._solver.add(condition.expression)

    def runs(self, code: Callable[[], Result]) -> Iterator[Result]:
        """Run `code` once for each way through its branches, with only the inputs left in that take it.

        One at a time: `RuntimeError` if another `runs` of this solver has not come to its end.
        """
        if self._is_open:
            raise RuntimeError("the branches of other code are still being taken")
        self._is_open, self._waiting = True, [[]]
        try:
            while self._waiting:
                self._outcomes, self._step = self._waiting.pop(), 0
                self._solver.push()
                try:
                    yield self._run(code)
                finally:
                    self._solver.pop()
        finally:
            self._is_open = False

    def _run(self, code: Callable[[], Result]) -> Result:
        self._is_running = True
        try:
            return code()
        finally:
            self._is_running = False

    def choose(self, condition: Any) -> bool:
        """Which way this run goes at a branch; the other way, if some input takes it, waits for a later run.

        `RuntimeError` outside `runs`, where only one of the ways would be looked at.
        """
        if not self._is_running:
            raise RuntimeError("code that branches on a term must be run by Solver.runs")
        if self._step == len(self._outcomes):
            can_be_true = self._can_be(condition)
            if can_be_true and self._can_be(z3.Not(condition)):
                self._waiting.append([*self._outcomes, False])
            self._outcomes.append(can_be_true)
        outcome = self._outcomes[self._step]
        self._step += 1
        self._solver.add(condition if outcome else z3.Not(condition))
        return outcome

    def is_possible(self, *conditions: Term) -> bool:
        """Whether any input is left in, for which these are true."""
        return self._can_be(*(condition.expression for condition in conditions))

    def smallest(self, word: Term, condition: Term) -> int | None:
        """The smallest value of `word` with which `condition` can be true; None if it never is."""
        fixed = [condition.expression]
        if not self._can_be(*fixed):
            return None
        value = self._found(word)
        for bit in reversed(range(WORD_BITS)):
            is_clear = z3.Extract(bit, bit, word.expression) == 0
            # what was found may have the bit clear already
            if value >> bit & 1 and self._can_be(*fixed, is_clear):
                value = self._found(word)
            fixed.append(z3.Not(is_clear) if value >> bit & 1 else is_clear)
        return value

    def _found(self, word: Term) -> int:
        """The value of `word` in the answer that made the last `_can_be` true."""
        return int(self._solver.model().eval(word.expression, model_completion=True).as_long())

    def either(self, condition: Term, this: Term, that: Term) -> Term:
        """`this` for the inputs for which `condition` is true, `that` for all others."""
        return Term(z3.If(condition.expression, this.expression, that.expression), self)

    def _can_be(self, *conditions: Any) -> bool:
        answer = self._solver.check(*conditions)
        if answer == z3.unknown:
            raise RuntimeError(f"z3 gave up: {self._solver.reason_unknown()}")
        return bool(answer == z3.sat)


@lru_cache(maxsize=4096)
def _constant(number: int) -> Any:
    """A word that is known: a few hundred are asked for again and again, and each takes long to make."""
    return z3.BitVecVal(number, WORD_BITS)


class Term:
    """A word, or a truth value, as an expression; the operators of words, without a sign.

    What is shifted or added beyond bit 63 is lost, where an int would grow: a formula has to mask it, and a `Layout`
    sees to it that what is put into a field stays in the word.
    """

    __slots__ = ("_solver", "expression")
    __hash__ = None  # type: ignore[assignment]  # == builds a term, so equality and hash mean nothing

    def __init__(self, expression: Any, solver: Solver) -> None:
        self.expression = expression
        self._solver = solver

    def _operand(self, other: Term | int) -> Any:
        if isinstance(other, Term):
            return other.expression
        if isinstance(other, bool):
            return z3.BoolVal(other)
        if other >> WORD_BITS:
            raise ValueError(f"{other:#x} is not a word, and a comparison with it would be wrong")
        return _constant(other)

    def _new(self, expression: Any) -> Term:
        return Term(expression, self._solver)

    def __and__(self, other: Term | int) -> Term:
        if z3.is_bool(self.expression):
            return self._new(z3.And(self.expression, self._operand(other)))
        return self._new(self.expression & self._operand(other))

    def __rand__(self, other: int) -> Term:
        return self & other

    def __or__(self, other: Term | int) -> Term:
        if z3.is_bool(self.expression):
            return self._new(z3.Or(self.expression, self._operand(other)))
        return self._new(self.expression | _number(self._operand(other)))

    def __ror__(self, other: int) -> Term:
        return self | other

    def __xor__(self, other: Term | int) -> Term:
        return self._new(self.expression ^ self._operand(other))

    def __add__(self, other: Term | int) -> Term:
        return self._new(self.expression + self._operand(other))

    def __sub__(self, other: Term | int) -> Term:
        return self._new(self.expression - self._operand(other))

    def __mul__(self, other: int) -> Term:
        simple = z3.simplify(self.expression)
        if z3.is_app_of(simple, z3.Z3_OP_ITE):
            # a choice of two products is solved much faster than the product of a choice
            condition, *choices = simple.children()
            return self._new(z3.If(condition, *(choice * self._operand(other) for choice in choices)))
        return self._new(simple * self._operand(other))

    def __lshift__(self, other: int) -> Term:
        return self._new(_number(self.expression) << self._operand(other))

    def __rshift__(self, other: int) -> Term:
        return self._new(z3.LShR(self.expression, self._operand(other)))

    def __lt__(self, other: int) -> Term:
        return self._new(z3.ULT(self.expression, self._operand(other)))

    def __eq__(self, other: Term | int) -> Term:  # type: ignore[override]
        return self._new(self.expression == self._operand(other))

    def __ne__(self, other: Term | int) -> Term:  # type: ignore[override]
        return self._new(self.expression != self._operand(other))

    def __bool__(self) -> bool:
        is_truth = z3.is_bool(self.expression)
        return self._solver.choose(self.expression if is_truth else self.expression != 0)


def _number(expression: Any) -> Any:
    """The expression as a word: a truth is 1 or 0 beside a word, as True is beside an int."""
    if z3.is_bool(expression):
        return z3.If(expression, _constant(1), _constant(0))
    return expression
