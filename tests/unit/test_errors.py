"""Errors say what they are about, and survive being sent elsewhere."""

from __future__ import annotations

import pickle

import pytest

import pmdswp
from pmdswp import JoinError, PmdSwpError


@pytest.mark.parametrize("error", [JoinError(7, "offset 0x9, not 0x7"), JoinError(None, "511 PTEs")])
def test_a_join_error_keeps_its_place_and_its_reason_when_pickled(error: JoinError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own
    assert (again.index, again.reason, str(again)) == (error.index, error.reason, str(error))


def test_the_message_of_a_join_error_names_the_place_if_there_is_one() -> None:
    assert str(JoinError(7, "NONE, not a softleaf")) == "PTE 7: NONE, not a softleaf"
    assert str(JoinError(None, "511 PTEs")) == "511 PTEs"


@pytest.mark.parametrize("name", ["EncodeError", "DecodeError", "JoinError", "LayoutError", "UnsupportedError"])
def test_every_error_is_a_pmdswp_error_and_those_of_bad_values_are_value_errors(name: str) -> None:
    error = getattr(pmdswp, name)
    assert issubclass(error, PmdSwpError)
    assert issubclass(error, ValueError) == (name != "UnsupportedError")
