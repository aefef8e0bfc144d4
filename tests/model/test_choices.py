"""Switches and errors that there are not are refused by name."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

import pytest

from model.scenes import ARCH, swapped_out
from pmdswp import UnsupportedError
from pmdswp.model import FailPoint, KernelError, Machine, Reintroduced, Switches
from pmdswp.model.mechanisms import swapin, zswap
from pmdswp.model.state.memory import Folio


@pytest.mark.parametrize("errors", [["bogus"], [Reintroduced.V1_MOVE_BLIND, "bogus"]])
def test_an_error_that_there_never_was_is_refused(errors: list[str]) -> None:
    with pytest.raises(UnsupportedError, match=r"^no error 'bogus'; allowed: .*v1_move_blind, .*base_swapoff"):
        Machine(ARCH, errors=errors)


def test_an_error_may_be_given_by_its_name() -> None:
    assert Machine(ARCH, errors=["v1_move_blind"]).errors == {Reintroduced.V1_MOVE_BLIND}


@pytest.mark.parametrize(
    ("choice", "complaint"),
    [
        ({"fault_not_uptodate": "sigbuss"}, "fault_not_uptodate cannot be 'sigbuss'; allowed: 'sigbus', 'split'"),
        ({"fault_refcount1_excl": 1}, "fault_refcount1_excl cannot be 1; allowed: False, True"),
        ({"hmm_nofault": 0}, "hmm_nofault cannot be 0; allowed: '0', 'error'"),
        ({"smaps_pss": None}, "smaps_pss cannot be None; allowed: 'per-slot', 'first-slot'"),
    ],
)
def test_a_switch_takes_its_values_only(choice: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UnsupportedError) as refusal:
        Switches(**choice)
    assert str(refusal.value) == f"switch {complaint}"


def test_the_defaults_can_be_given() -> None:
    defaults = Switches()
    assert Switches(**{field.name: getattr(defaults, field.name) for field in fields(Switches)}) == defaults


@pytest.mark.parametrize("error", ["EIO", "EINVAL"])
def test_what_zswap_answers_for_a_large_folio_is_told_to_the_reader_alone(
    error: Literal["EIO", "EINVAL"], monkeypatch: pytest.MonkeyPatch
) -> None:
    """4.4: user space sees the same in either case, a folio without data."""
    answers = []

    def load(m: Machine, folio: Folio) -> str:
        answers.append(zswap.zswap_load(m, folio))
        return answers[-1]

    monkeypatch.setattr(swapin, "zswap_load", load)
    m = Machine(ARCH, switches=Switches(zswap_large_err=error))
    scene = swapped_out(m)
    m.set_zswap(enabled=True)
    m.fail_next(FailPoint.RACE_ZSWAP)
    with pytest.raises(KernelError, match="SIGBUS"):
        scene.p.read(scene.a)
    assert answers == [error]
