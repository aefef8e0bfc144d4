from __future__ import annotations

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from model.histories import Histories


def test_invariants_hold_through_every_history() -> None:
    run_state_machine_as_test(Histories, settings=settings(stateful_step_count=25))
