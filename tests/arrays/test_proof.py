"""The shortcuts of `split` and `join` are sound for every 64-bit word: proved over the helpers that they call.

Both take the PTEs of a run for PTE 0 with a delta for each slot, the same for all runs, and look only at the ends for
what reads as none or present. z3 finds no word for which that is wrong, on any kernel in its default configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest

import pmdswp
from pmdswp import Arch, array
from pmdswp.arch import get_with
from pmdswp.formula import Formula
from pmdswp.layout import Layout
from pmdswp.revisions import revisions
from pmdswp.softleaf import GENERIC_TYPE_MAX
from pmdswp.term import Solver, Term

Word = Any
"""A `Term` where the helpers are declared to take and give an `int`."""


def _looked_at(arch: Arch) -> object:
    """What the proofs look at: what holds for one configuration holds for others that have the same."""
    v, i = Formula("v"), cast("int", Formula("i"))
    word = cast("int", v)
    formulas = arch.pte_none(word), arch.pte_present(word), arch.pmd_entry_to_pte(word, i), arch.pte_entry_to_pmd(word)
    return arch.name, arch.pte_layout, arch.pmd_layout, arch.hpage_pmd_nr, *map(str, formulas)


def _arches() -> Iterator[Arch]:
    """Default configurations, one of those that differ in nothing that the proofs look at."""
    seen = set()
    for name in pmdswp.names():
        for revision in revisions(name):
            for page_size in pmdswp.get(name).architecture.options["page_size"].examples:
                arch = get_with(name, {"kernel": revision.name, "page_size": page_size})
                if arch.pmd_kinds and _looked_at(arch) not in seen:
                    seen.add(_looked_at(arch))
                    yield arch


CASES = [
    pytest.param(
        arch,
        id=f"{arch.name}-{arch.kernel}-{arch.page_size}",
        # older kernels have their own session
        marks=[] if arch.kernel == pmdswp.kernels()[-1] else [pytest.mark.long],
    )
    for arch in _arches()
]


def fields(layout: Layout, word: Word) -> tuple[Word, Word]:
    """Type, as the generic entry keeps it, and offset."""
    return layout.type.get(word) & GENERIC_TYPE_MAX, layout.offset.get(word)


@dataclass
class Question:
    """Any word `v`, any other word `w`, any slot `i`, and the delta of that slot."""

    arch: Arch
    solver: Solver
    v: Word
    w: Word
    i: Word
    delta: Word

    def assume_aligned(self, layout: Layout) -> None:
        self.solver.assume(fields(layout, self.v)[1] & (self.arch.hpage_pmd_nr - 1) == 0)

    def assume_not_at_an_end(self) -> None:
        self.solver.assume(self.i != 0)
        self.solver.assume(self.i != self.arch.hpage_pmd_nr - 1)


Claim = Callable[[Question], Word]


def counterexample(arch: Arch, claim: Claim) -> int | None:
    """The smallest word for which the claim is wrong."""
    solver = Solver()
    v, w, i = (solver.word(name) for name in "vwi")
    solver.assume(i < arch.hpage_pmd_nr)
    pmd = arch.layout("pmd").encode(1, 0)
    delta: Word = arch.pmd_entry_to_pte(pmd, i) ^ arch.pmd_entry_to_pte(pmd, 0)  # type: ignore[arg-type]
    question = Question(arch, solver, v, w, i, delta)
    holds: Term = claim(question)
    assert solver.is_possible()
    return solver.smallest(v, holds == False)  # noqa: E712  # a term has no `not`


def pte_i_of_a_pmd_is_pte_0_and_a_delta(q: Question) -> Word:
    q.assume_aligned(q.arch.layout("pmd"))
    of_slot_i: Word = q.arch.pmd_entry_to_pte(q.v, q.i)
    return of_slot_i == q.arch.pmd_entry_to_pte(q.v, 0) ^ q.delta


def only_an_end_of_a_split_pmd_is_none(q: Question) -> Word:
    q.assume_aligned(q.arch.layout("pmd"))
    q.assume_not_at_an_end()
    pte: Word = q.arch.pmd_entry_to_pte(q.v, 0)
    none: Word = q.arch.pte_none(pte ^ q.delta)
    return none == False  # noqa: E712


def pte_0_of_a_pmd_is_not_none_unless_it_is_of_type_0_and_offset_0(q: Question) -> Word:
    q.assume_aligned(q.arch.layout("pmd"))
    swp_type, offset = fields(q.arch.layout("pmd"), q.v)
    q.solver.assume(swp_type | offset != 0)
    none: Word = q.arch.pte_none(q.arch.pmd_entry_to_pte(q.v, 0))
    return none == False  # noqa: E712


def only_an_end_of_an_aligned_run_is_none(q: Question) -> Word:
    q.assume_aligned(q.arch.pte_layout)
    q.assume_not_at_an_end()
    none: Word = q.arch.pte_none(q.v ^ q.delta)
    return none == False  # noqa: E712


def a_delta_makes_no_pte_present(q: Question) -> Word:
    return q.arch.pte_present(q.v ^ q.delta) == q.arch.pte_present(q.v)


def ignored_bits_make_no_pte_none_or_present(q: Question) -> Word:
    other = q.v ^ (q.w & array._ignored_bits(q.arch))
    none: Word = q.arch.pte_none(other) == q.arch.pte_none(q.v)
    present: Word = q.arch.pte_present(other) == q.arch.pte_present(q.v)
    return none & present


def _steps_on(q: Question, meant: int) -> Word:
    """That the fields of `w` are those of `v`, `i` slots on, exactly if nothing but the delta differs in `meant`."""
    q.assume_aligned(q.arch.pte_layout)
    (swp_type, offset), (other_type, other_offset) = fields(q.arch.pte_layout, q.v), fields(q.arch.pte_layout, q.w)
    steps: Word = (other_type == swp_type) & (other_offset == offset + q.i)
    for mask in q.arch.pte_layout.flags.values():
        steps = steps & ((q.w & mask) == (q.v & mask))
    return steps == (((q.w ^ q.v ^ q.delta) & meant) == 0)


def the_meant_bits_are_those_of_the_fields(q: Question) -> Word:
    return _steps_on(q, array._meant_bits(q.arch))


def the_pmd_of_a_pte_has_its_type_and_offset(q: Question) -> Word:
    (swp_type, offset), pmd = fields(q.arch.pte_layout, q.v), q.arch.pte_entry_to_pmd(q.v)
    pmd_type, pmd_offset = fields(q.arch.layout("pmd"), pmd)
    return (pmd_type == swp_type) & (pmd_offset == offset)


@pytest.mark.parametrize(
    "claim",
    [
        pte_i_of_a_pmd_is_pte_0_and_a_delta,
        only_an_end_of_a_split_pmd_is_none,
        pte_0_of_a_pmd_is_not_none_unless_it_is_of_type_0_and_offset_0,
        only_an_end_of_an_aligned_run_is_none,
        a_delta_makes_no_pte_present,
        ignored_bits_make_no_pte_none_or_present,
        the_meant_bits_are_those_of_the_fields,
        the_pmd_of_a_pte_has_its_type_and_offset,
    ],
    ids=lambda claim: claim.__name__,
)
@pytest.mark.parametrize("arch", CASES)
def test_for_every_word_and_slot(arch: Arch, claim: Claim) -> None:
    wrong = counterexample(arch, claim)
    assert wrong is None, hex(wrong)


@pytest.mark.parametrize("arch", CASES)
def test_the_deltas_of_the_proof_are_those_of_split_and_join(arch: Arch) -> None:
    pmd = arch.layout("pmd").encode(1, 0)
    head = arch.pmd_entry_to_pte(pmd, 0)
    deltas = array._deltas(arch)
    assert deltas.tolist() == [arch.pmd_entry_to_pte(pmd, i) ^ head for i in range(arch.hpage_pmd_nr)]


# --- what is not so -------------------------------------------------------------------------------------------


def test_at_the_last_slot_of_an_aligned_run_a_pte_can_be_none() -> None:
    def never_none(q: Question) -> Word:
        q.assume_aligned(q.arch.pte_layout)
        q.solver.assume(q.i != 0)
        none: Word = q.arch.pte_none(q.v ^ q.delta)
        return none == False  # noqa: E712

    # offset 2^50 - 512 of type 0, stored inverted
    assert counterexample(pmdswp.get("x86_64"), never_none) == 0x3FE00
    assert counterexample(pmdswp.get("arm64"), never_none) is None


def test_in_a_run_that_is_not_aligned_any_pte_can_be_none() -> None:
    def never_none(q: Question) -> Word:
        q.assume_not_at_an_end()
        none: Word = q.arch.pte_none(q.v ^ q.delta)
        return none == False  # noqa: E712

    assert counterexample(pmdswp.get("x86_64"), never_none) is not None


def test_the_last_bit_of_the_loongarch_type_is_not_meant() -> None:
    arch = pmdswp.get("loongarch64")
    whole = sum(field.mask for field in (arch.pte_layout.type, arch.pte_layout.offset))
    whole |= sum(arch.pte_layout.flags.values())
    assert whole ^ array._meant_bits(arch) == 1 << arch.pte_layout.type.msb
    assert counterexample(arch, lambda q: _steps_on(q, whole)) == 0
