"""Walks through page tables as text: the way to one address, and what is in a range of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pmdswp.arch import Arch
from pmdswp.render.text import columns, describe, describe_run, runs
from pmdswp.softleaf import Entry, State
from pmdswp.walk import Step

__all__ = ["range_listing", "way"]


def way(arch: Arch, steps: Sequence[Step], va: int) -> Iterator[str]:
    """The steps of a `pmdswp.walk.lookup`, one a line, and what they come to."""
    rows = []
    for step in steps:
        if step.entry is None:
            rows.append((step.level, f"{step.entry_address:#x}", "", "this table cannot be read"))
        else:
            word = f"{step.entry.raw:#018x}"
            rows.append((step.level, f"{step.entry_address:#x}", word, describe(arch, step.entry)))
    yield from columns(rows)
    last = steps[-1]
    if last.entry is None:
        yield f"{va:#x}: unknown, as a table on the way cannot be read"
    elif last.entry.state is State.NONE:
        yield f"{va:#x}: nothing is mapped here, nor swapped out"
    elif last.entry.state is State.PRESENT and last.entry.address is not None:
        yield f"{va:#x}: physical address {last.entry.address + va - last.va:#x}"
    elif last.entry.leaf is not None and last.size > arch.page_size:
        page, pages = va - last.va >> arch.page_shift, last.size >> arch.page_shift
        yield f"{va:#x}: page {page} of the {pages} that this entry stands for"


def range_listing(arch: Arch, steps: Iterable[Step]) -> Iterator[str]:
    """The entries of a `pmdswp.walk.walk` that point to no table, runs of like ones in one line."""
    return columns(_rows(arch, steps))


def _rows(arch: Arch, steps: Iterable[Step]) -> Iterator[Sequence[str]]:
    yield ("address", "level", "count", "first word", "what")
    following: Iterator[Step] = iter(steps)
    while True:
        lost: list[Step] = []
        for run in runs(_until_lost(following, lost)):
            what = describe_run(arch, run)
            yield (f"{run.start:#x}", run.first.level, str(run.length), f"{run.first.raw:#018x}", what)
        if not lost:
            return
        step = lost[0]
        covers = f"a table at {step.entry_address:#x} cannot be read: {step.size:#x} bytes of addresses"
        yield (f"{step.va:#x}", step.level, "", "", covers)


def _until_lost(steps: Iterator[Step], lost: list[Step]) -> Iterator[tuple[int, int, Entry]]:
    """Where each entry is, its size, and the entry, up to a table that cannot be read: that goes into `lost`."""
    for step in steps:
        if step.entry is None:
            lost.append(step)
            return
        if step.entry.state is not State.TABLE:
            yield step.va, step.size, step.entry
