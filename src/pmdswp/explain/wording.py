"""A reading in words, in one line."""

from __future__ import annotations

from pmdswp.arch import Arch
from pmdswp.explain.finding import Reading
from pmdswp.render.text import describe
from pmdswp.render.values import describe_value
from pmdswp.softleaf import Entry

__all__ = ["brief_reading"]


def brief_reading(arch: Arch, reading: Reading | None) -> str:
    """What a value is, without the value itself and without what is odd about it; empty for None."""
    if isinstance(reading, Entry):
        return describe(arch, reading).partition(" (")[0]
    return "" if reading is None else describe_value(arch, reading)
