"""Every history obeys the invariants."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import pmdswp
from model.histories import Histories
from pmdswp.model import Switches

_EXAMPLES = settings().max_examples
RUNS = -(-_EXAMPLES // 1000)
"""Hypothesis remembers every example of a run: several runs need less memory, and more than one core can help."""

_MANY = settings(
    max_examples=-(-_EXAMPLES // RUNS), stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow]
)
_FEW = settings(_MANY, max_examples=max(_EXAMPLES // 20, 5))


@pytest.mark.parametrize("_run", range(RUNS))
def test_invariants_hold_through_every_history(_run: int) -> None:
    run_state_machine_as_test(Histories, settings=_MANY)


@pytest.mark.parametrize("name", ["x86_64", "s390x"])
def test_invariants_hold_on_larger_huge_pages(name: str) -> None:
    class OnAnother(Histories):
        arch = pmdswp.get(name)

    run_state_machine_as_test(OnAnother, settings=_FEW)


def test_invariants_hold_whatever_is_not_settled() -> None:
    class Switched(Histories):
        switches = Switches(
            zswap_large_err="EINVAL",
            willneed_fail="split",
            fault_not_uptodate="split",
            fault_refcount1_excl=True,
            move_uffd_bit="clear",
            mempolicy_failed="count",
            hmm_nofault="error",
            swapout_event="per-folio",
        )

    run_state_machine_as_test(Switched, settings=_FEW)
