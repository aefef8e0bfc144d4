from __future__ import annotations

from collections.abc import Iterator

import pytest

from model.scenes import ARCH
from pmdswp.model import Machine, check


@pytest.fixture
def m() -> Iterator[Machine]:
    """A machine that obeys the invariants after the test and leaves nothing behind."""
    with Machine(ARCH) as machine:
        yield machine
        check(machine)
