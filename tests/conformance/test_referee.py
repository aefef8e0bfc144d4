"""The law of twins has a referee: a kernel played the same, and the twin without PMD swap entries does as it did.

The twins of `tests/model/test_differential.py` share nearly all their code, and where both are wrong in the same way
they agree. So they play histories here that a kernel played: it decides for the twin that is like it, and the law for
the other.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.recorded import TRACES
from model.soft_dirty import Move, SoftDirtyLaw
from pmdswp.arch import get
from pmdswp.model.conform.player import Outcome, Player
from pmdswp.model.conform.trace import TOUCHED, Header, History, Step, read
from pmdswp.model.play import machine
from pmdswp.model.state.kernel import Kernel
from pmdswp.model.state.mm import Vma
from pmdswp.model.state.pgtable import Pmd
from pmdswp.model.syscalls import mremap
from pmdswp.softleaf import State

[TRACE] = [trace for trace in TRACES if "-moves-" in trace.name]
PARTS = 12
"""Every so many-th history is played by one test."""
QUICK = 2
"""The part that is quick."""
BOTH_WAYS = "170-26"
"""A history of it that moves single pages, present and swapped ones, while they are clean."""


def _histories(first: int, step: int) -> Iterator[tuple[Header, History]]:
    with read(TRACE, lambda number, _name: number % step == first) as (header, histories):
        for history in histories:
            yield header, history


def _move(step: Step, outcome: Outcome, player: Player) -> Move | None:
    name, *words = step.operation.split()
    if name not in ("mremap", "move"):
        return None
    who, first, number, to = map(int, words)
    if name == "mremap":
        return Move(player.processes[who].name, first, number, to, outcome.result == "ok")
    return Move(player.processes[who].name, first, outcome.moved, to) if outcome.moved else None


def _follow(header: Header, history: History) -> int:
    """How many moves there were until the twins parted: who has a huge page may be told other errors."""
    arch = get(header.machine)
    with_entries, without = (Player(arch, "7.3", header, pmd_swap=pmd_swap) for pmd_swap in (True, False))
    law = SoftDirtyLaw((with_entries.m, without.m), without.start, without.pages)
    moves = 0
    for number, step in enumerate(history.steps):
        outcome, same = with_entries.play(step.operation), without.play(step.operation)
        for process, view in step.views.items():
            model = without.view(without.processes[process])
            differ = [i for i, (a, b) in enumerate(zip(view.pages, model.pages, strict=True)) if (a ^ b) & TOUCHED]
            assert differ == [], f"{history.name}, step {number}: p{process}"
        if outcome != same:
            break
        move = _move(step, outcome, without)
        parent = f"p{int(step.operation.split()[1]) + 1}" if step.operation.startswith("fork") else ""
        assert law.broken(move, parent) == [], f"{history.name}, step {number}: {step.operation}"
        moves += move is not None and move.done
    return moves


def test_the_twin_that_is_as_kernels_are_is_so_and_the_other_keeps_the_law() -> None:
    assert sum(_follow(*one) for one in _histories(QUICK, PARTS)) > 5


@pytest.mark.long
@pytest.mark.parametrize("first", [part for part in range(PARTS) if part != QUICK])
def test_both_twins_keep_to_it_in_all_histories(first: int) -> None:
    assert sum(_follow(*one) for one in _histories(first, PARTS)) > 5


@pytest.mark.parametrize("state", [State.PRESENT, State.SOFTLEAF])
def test_it_finds_what_both_twins_do_wrong(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are moved one by one stay clean: the twins agree, the kernel does not."""
    right = mremap._mark_moved

    def wrong(m: Kernel, vma: Vma, pmd: Pmd, i: int) -> None:
        if m.pte.entries[pmd.ptes().words[i]].state is not state:
            right(m, vma, pmd, i)

    monkeypatch.setattr(mremap, "_mark_moved", wrong)
    # the postcondition of the rule would find it, but is the same for both twins
    monkeypatch.setattr(machine, "judge", lambda *_: None)
    [(header, history)] = [one for one in _histories(QUICK, PARTS) if one[1].name == BOTH_WAYS]
    with pytest.raises(AssertionError, match=f"^{BOTH_WAYS}, step "):
        _follow(header, history)
