"""By which kernel a value is read: that which is known, or that on whose sound reading most releases agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pmdswp.arch import Arch, find, get_with
from pmdswp.errors import UnsupportedError
from pmdswp.explain.finding import Reading
from pmdswp.explain.soundness import is_sound, read
from pmdswp.pagemap import Pagemap, kind
from pmdswp.revisions import RELEASES, SERIES, revisions
from pmdswp.softleaf import Entry

__all__ = ["Group", "Run", "answer_of", "arch_of", "groups", "revision_runs", "span"]


class Run(NamedTuple):
    """Releases that read words of an architecture alike."""

    arch: Arch
    releases: tuple[str, ...]


class Group(NamedTuple):
    """Releases that agree on what a value is: `reading`, by `arch`, the newest of them. `is_sound`: as in `flaws`."""

    arch: Arch
    reading: Reading | None
    releases: tuple[str, ...]
    is_sound: bool


def arch_of(
    name: str, kernel: str, told: Mapping[str, object], given: Mapping[str, object] = MappingProxyType({})
) -> Arch:
    """The configuration with all `given` options, and as many of the `told` ones as that kernel can have.

    What a text tells may be of another kernel. `UnsupportedError` for a kernel that cannot have what is given.
    """
    kept = {option: value for option, value in told.items() if option not in given}
    while True:
        try:
            return get_with(name, {"kernel": kernel, **kept, **given})
        except UnsupportedError as error:
            if not kept:
                raise
            kept.pop(error.option if error.option in kept else next(iter(kept)))


def revision_runs(
    name: str, told: Mapping[str, object], given: Mapping[str, object] = MappingProxyType({})
) -> tuple[Run, ...]:
    """The released kernels that can have the given options, in runs that agree, oldest first: without the series."""
    return tuple(_make_runs(find(name).name, told, given))


def _make_runs(name: str, told: Mapping[str, object], given: Mapping[str, object]) -> Iterator[Run]:
    order = [release for release in RELEASES if release != SERIES]
    for run in revisions(name):
        if run.first == SERIES:
            continue
        last = order[-1] if run.last == SERIES else run.last
        names = tuple(order[order.index(run.first) : order.index(last) + 1])
        try:
            yield Run(arch_of(name, names[-1], told, given), names)
        except UnsupportedError:
            continue


def answer_of(arch: Arch, reading: Reading | None) -> object:
    """What of a reading is an answer: two kernels agree if these are equal."""
    if isinstance(reading, Entry):
        return (reading, reading.pfn, reading.attributes, reading.young, reading.dirty, reading.markers)
    if isinstance(reading, Pagemap):
        return (reading, kind(arch, reading))
    return reading


def groups(runs: Sequence[Run], what: str, raw: int, since: str = "") -> list[Group]:
    """What kernels read, those that agree together; `since`: only from that release on.

    The first is that on which most releases agree, of the readings that are sound if there are some; of two as many,
    that of newer releases.
    """
    found: dict[object, list[tuple[Run, Reading | None]]] = {}
    for run in _from(since, runs) or runs:
        reading = read(run.arch, what, raw)
        found.setdefault(answer_of(run.arch, reading), []).append((run, reading))
    return sorted(map(_group, found.values()), key=_rank, reverse=True)


def _from(since: str, runs: Iterable[Run]) -> list[Run]:
    first = RELEASES.index(since) if since in RELEASES else 0
    left = (
        run._replace(releases=tuple(release for release in run.releases if RELEASES.index(release) >= first))
        for run in runs
    )
    return [run for run in left if run.releases]


def _group(members: list[tuple[Run, Reading | None]]) -> Group:
    run, reading = members[-1]
    names = tuple(release for one, _ in members for release in one.releases)
    return Group(run.arch, reading, names, reading is None or is_sound(run.arch, reading))


def _rank(group: Group) -> tuple[bool, int, int]:
    return group.is_sound, len(group.releases), RELEASES.index(group.releases[-1])


def span(names: tuple[str, ...]) -> str:
    """Releases in words: runs of neighbours as "5.14 to 5.18"."""
    places = [RELEASES.index(name) for name in names]
    parts: list[list[int]] = []
    for place in places:
        if parts and parts[-1][-1] == place - 1:
            parts[-1].append(place)
        else:
            parts.append([place])
    return ", ".join(
        RELEASES[part[0]] if len(part) == 1 else f"{RELEASES[part[0]]} to {RELEASES[part[-1]]}" for part in parts
    )
