"""The layouts that the tests of writers go through."""

from __future__ import annotations

from functools import cache

import pmdswp
from pmdswp import Arch
from pmdswp.arch import Level
from pmdswp.render import formats
from pmdswp.render.variants import fullest, geometries
from pmdswp.revisions import revisions
from pmdswp.softleaf import FormName, LevelName


@cache
def every_layout() -> tuple[tuple[Arch, LevelName], ...]:
    """Every layout that differs from the others, by the first configuration that has it."""
    return tuple((level.arch, level.name) for level, _ in formats.distinct(pmdswp.names(), "swap"))


@cache
def present_layouts() -> tuple[tuple[Level, FormName], ...]:
    """The layouts of present words of the fullest configuration of every revision, and of every geometry."""
    arches = {fullest(name, revision.name) for name in pmdswp.names() for revision in revisions(name)}
    arches |= {
        fullest(name, pmdswp.kernels()[-1], **options) for name in pmdswp.names() for options in geometries(name)
    }
    levels = [level for arch in sorted(arches, key=repr) for level in arch.tables]
    return tuple((level, form) for level in levels for form in level.forms if form != "swap")


def default_layouts() -> list[tuple[Arch, LevelName]]:
    """Both levels of every architecture as `pmdswp.get` gives it."""
    return [(arch, level) for arch in map(pmdswp.get, pmdswp.names()) for level in arch.levels]
