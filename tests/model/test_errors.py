"""The state machine finds every error of an earlier version; what it found is played again."""

from __future__ import annotations

import pytest

from model.errors import ABOUT, page, recorded
from model.search import SHRINKING, find, play, shortest
from pmdswp.model import Machine, Process, Reintroduced

FEW = 2
"""Steps between the first, which sets the stage, and the last, which ends all processes."""


QUICKLY = {Reintroduced.BASE_SOFT_DIRTY_KEPT, Reintroduced.V1_ZSWAP_NOT_SEEN}
"""Found within a second. All are played again, as they were found, by the tests below."""


@pytest.mark.parametrize(
    "error", [pytest.param(error, marks=() if error in QUICKLY else pytest.mark.long) for error in Reintroduced]
)
def test_the_state_machine_finds_the_error_and_comes_down_to_a_few_steps(error: Reintroduced) -> None:
    steps = shortest(find(error, SHRINKING), error)
    assert len(steps) <= FEW + 2
    assert play(steps, error).found
    assert not play(steps).found


@pytest.mark.parametrize("error", Reintroduced)
def test_the_shrunk_history_is_short_and_fails_with_the_error_only(error: Reintroduced) -> None:
    finding = recorded()[error]
    start, *middle, end = finding.steps
    assert start.startswith("start(")
    assert end == "teardown()"
    assert len(middle) <= FEW
    assert play(finding.steps, error) == finding
    assert shortest(finding.steps, error) == finding.steps
    assert not play(finding.steps).found


def test_the_page_shows_every_history_and_what_is_found() -> None:
    text = page()
    assert list(ABOUT) == list(Reintroduced)
    for error, finding in recorded().items():
        _, _, section = text.partition(f"\n## {error.name}\n")
        assert section.startswith(f"\n{ABOUT[error]}\n\n```python\nm = Machine(")
        assert f"\n```text\n{finding.found}\n```\n" in section


@pytest.mark.parametrize("error", Reintroduced)
def test_the_operations_of_the_page_can_be_typed_in(error: Reintroduced) -> None:
    """All but the last, in or after which the error shows, go well; and they are what happened."""
    *before, last = recorded()[error].operations
    names = {"Machine": Machine}
    exec("\n".join(before), names)  # noqa: S102  # what the page prints
    for call in [*before, last]:
        operation = call.partition("(")[0].rpartition(".")[2]
        assert operation.endswith("Machine") or hasattr(Machine, operation) or hasattr(Process, operation)
