"""The layouts that the tests of writers go through."""

from __future__ import annotations

from functools import cache

import pmdswp
from pmdswp import Arch
from pmdswp.render import formats
from pmdswp.softleaf import LevelName as Level


@cache
def every_layout() -> tuple[tuple[Arch, Level], ...]:
    """Every layout that differs from the others, by the first configuration that has it."""
    return tuple(formats.distinct(pmdswp.names()))


def default_layouts() -> list[tuple[Arch, Level]]:
    """Both levels of every architecture as `pmdswp.get` gives it."""
    return [(arch, level) for arch in map(pmdswp.get, pmdswp.names()) for level in arch.levels]
