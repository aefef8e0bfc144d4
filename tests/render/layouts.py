"""The layouts that the tests of writers go through."""

from __future__ import annotations

from functools import cache

import pmdswp
from pmdswp import Arch
from pmdswp.render import formats
from pmdswp.softleaf import LevelName


@cache
def every_layout() -> tuple[tuple[Arch, LevelName], ...]:
    """Every layout that differs from the others, by the first configuration that has it."""
    return tuple((level.arch, level.name) for level in formats.distinct(pmdswp.names()))


def default_layouts() -> list[tuple[Arch, LevelName]]:
    """Both levels of every architecture as `pmdswp.get` gives it."""
    return [(arch, level) for arch in map(pmdswp.get, pmdswp.names()) for level in arch.levels]
