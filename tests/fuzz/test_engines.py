"""The fuzzer runs, and sees an engine that differs."""

from __future__ import annotations

import pytest

import pmdswp
from fuzz import engines


@pytest.mark.long
def test_no_engine_disagrees_for_a_moment() -> None:
    assert engines.fuzz(1.0) >= engines.ROUND


@pytest.mark.parametrize("reading", ["by_array", "by_term"])
def test_an_engine_that_differs_is_seen(reading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = getattr(engines, reading)
    monkeypatch.setattr(engines, reading, lambda slot, word: {**honest(slot, word), "offset": 0})
    arch = pmdswp.get("x86_64")
    with pytest.raises(AssertionError):
        engines.check(arch, "pmd", arch.encode_pmd(1, 512))
