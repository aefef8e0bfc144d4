"""Each error of an earlier version fails its history, which goes well without it."""

from __future__ import annotations

import pytest

from model.errors import HISTORIES, found, page
from pmdswp.model import Reintroduced


@pytest.mark.parametrize("error", Reintroduced)
def test_the_history_of_an_error_fails_with_it_and_with_it_only(error: Reintroduced) -> None:
    assert found(error, HISTORIES[error])
    assert not found(None, HISTORIES[error])


def test_the_page_shows_every_history_and_what_is_found() -> None:
    text = page()
    for error in Reintroduced:
        assert f"\n## {error.name}\n" in text
    assert text.count("```python\np = m.process()\n") + text.count("```python\nm.set_zswap") == len(Reintroduced)
    assert text.count("```text") == len(Reintroduced)
