"""Which kernels and options make a word sound: all of them asked, those that answer alike together, the best first.

>>> from pmdswp.explain.ways import ways
>>> for way in ways(0xFFFFFFFFFFFFF600, "x86_64", ("pte",))[:2]:
...     print(way.is_sound, way.reading.kind.name, way.where)
True DEVICE_PRIVATE_READ 4.18 to 5.13
True MARKER 6.13 to pmd-swap-v3
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pmdswp.arch import ARCHITECTURES, Arch, find, get_with
from pmdswp.config import Value, show
from pmdswp.errors import UnsupportedError
from pmdswp.explain.finding import Doubt, Reading
from pmdswp.explain.kernels import answer_of, span
from pmdswp.explain.soundness import NUMBERS, flaws, read
from pmdswp.revisions import RELEASES, revisions
from pmdswp.softleaf import NR_SWAP_TYPES, Entry
from pmdswp.swp_entry import SwpEntry

__all__ = ["Way", "ways"]


class Way(NamedTuple):
    """One answer to what a word is, with who gives it.

    `arch`: one of the configurations that do, the newest; `what`: the level, or what else it was read as; `doubts`:
    what speaks against it, none of a sound word; `kernels`: options (beside the defaults) -> the releases that answer
    so with them. Options are only tried where they can change an answer, one or two of them at a time.
    """

    arch: Arch
    what: str
    reading: Reading
    doubts: tuple[Doubt, ...]
    kernels: Mapping[tuple[tuple[str, Value], ...], tuple[str, ...]]

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.doubts

    @property
    def by_default(self) -> tuple[str, ...]:
        """The releases that answer so with default options."""
        return self.kernels.get((), ())

    @property
    def where(self) -> str:
        """The kernels in words."""
        parts = []
        for options, releases in self.kernels.items():
            shown = ", ".join(f"{name}={show(value)}" for name, value in options)
            parts.append(span(releases) + (f" with {shown}" if shown else ""))
        return "; ".join(parts)


class _Run(NamedTuple):
    first: str
    last: str

    @property
    def releases(self) -> tuple[str, ...]:
        return RELEASES[RELEASES.index(self.first) : RELEASES.index(self.last) + 1]


def ways(raw: int, arch: str | None = None, levels: Sequence[str] = ("pte", "pmd")) -> list[Way]:
    """All answers to what a word is, on one architecture or on all: sound ones first, those of more releases first.

    Of all architectures only default options are asked. `levels`: what to read it as, of `pmdswp.explain.WHATS`.
    """
    found: dict[object, Way] = {}
    for name in ARCHITECTURES if arch is None else (find(arch).name,):
        for what in levels:
            for answered in _answers(name, what, raw, with_options=arch is not None):
                _add(found, answered)
    return sorted(found.values(), key=_rank, reverse=True)


def _rank(way: Way) -> tuple[bool, int, int, int]:
    newest = max(RELEASES.index(release) for releases in way.kernels.values() for release in releases)
    return (way.is_sound, -len(way.doubts), len(way.by_default), newest)


class _Answered(NamedTuple):
    arch: Arch
    what: str
    reading: Reading
    options: tuple[tuple[str, Value], ...]
    releases: tuple[str, ...]


def _add(found: dict[object, Way], one: _Answered) -> None:
    key = (one.arch.name, one.what, answer_of(one.arch, one.reading))
    known = found.get(key)
    kernels = {} if known is None else dict(known.kernels)
    kernels[one.options] = (*kernels.get(one.options, ()), *one.releases)
    arch = one.arch if known is None or not one.options else known.arch
    found[key] = Way(arch, one.what, one.reading, tuple(flaws(arch, one.reading)), kernels)


def _answers(name: str, what: str, raw: int, *, with_options: bool) -> Iterator[_Answered]:
    spans: list[list[_Answered]] = []
    for run in revisions(name):
        arch = get_with(name, {"kernel": run.name})
        reading = read(arch, what, raw)
        assert reading is not None  # noqa: S101  # what else is there has no reading
        one = _Answered(arch, what, reading, (), _Run(run.first, run.last).releases)
        yield one
        if spans and answer_of(arch, spans[-1][-1].reading) == answer_of(arch, reading):
            spans[-1].append(one)
        else:
            spans.append([one])
    if not with_options:
        return
    for members in spans:
        # runs that agree are asked once with other options
        newest = members[-1]
        releases = tuple(release for member in members for release in member.releases)
        for options in _option_sets(newest):
            try:
                arch = get_with(name, {"kernel": newest.arch.kernel, **options})
            except UnsupportedError:
                continue
            reading = read(arch, what, raw)
            assert reading is not None  # noqa: S101
            if answer_of(arch, reading) != answer_of(newest.arch, newest.reading):
                yield _Answered(arch, what, reading, tuple(options.items()), releases)


_MOST_SPECIAL = 12
"""More special types than any kernel has."""

_LAYOUTS = ("page_size", "pa_bits", "mmu", "svrsw60t59b", "la57", "static_pa_bits")
"""Options that decide the places of bits, and that every word may depend on."""


def _option_sets(one: _Answered) -> Iterator[Mapping[str, Value]]:
    """The options that can change an answer."""
    known = one.arch.architecture.options
    leaf = one.reading.leaf
    if leaf is not None and leaf.swp_type >= NR_SWAP_TYPES - _MOST_SPECIAL:
        yield from (options for options in NUMBERS if all(name in known for name in options))
    if isinstance(one.reading, SwpEntry):
        return
    for name in (name for name in _LAYOUTS if name in known):
        yield from ({name: value} for value in known[name].examples if value != one.arch.config.option(name))
    if isinstance(one.reading, Entry):
        flags = {"soft_dirty": one.reading.soft_dirty, "uffd": one.reading.uffd}
        for name, is_set in flags.items():
            if is_set or name in one.reading.attributes:
                yield {name: False}
