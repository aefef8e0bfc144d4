"""What was counted of processes, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.live.process import Range
from pmdswp.live.ranges import BREAKS
from pmdswp.live.tally import Tally
from pmdswp.render.tables import size
from pmdswp.render.text import columns
from pmdswp.softleaf import SoftLeaf
from pmdswp.swaps import CAVEAT, SwapDevice
from pmdswp.words import printable

__all__ = ["Found", "many_lines", "range_line", "range_record", "record", "tally_lines"]


class Found(NamedTuple):
    """What was counted of a process, and what happened meanwhile."""

    pid: int
    comm: str
    tally: Tally
    notes: Sequence[str]


_UNSEEN = "pagemap does not show the exclusive flag: what differs in it alone counts as one PMD entry would do"
_HIDDEN = "types and slots are not shown to you (that needs CAP_SYS_ADMIN): nobody knows of order, alignment, devices"


def tally_lines(arch: Arch, title: str, tally: Tally, devices: Sequence[SwapDevice]) -> Iterator[str]:
    """The answer in full, for a process or for several."""
    yield f"{title}: {_amount(arch, tally.pages)} in swap, {tally.pages} pages"
    if tally.shared:
        yield f"  beside them {_amount(arch, tally.shared)} of shared memory, which has no entries in page tables"
    if not tally.pages:
        return
    for number, pages in sorted(tally.devices.items()):
        yield f"  {_device(devices, number)}: {_amount(arch, pages)}"
    for kind, pages in _kinds(arch, tally).items():
        yield f"  beside them {pages} entries {kind}"
    yield ""
    yield from _rows([["", "ranges", "in swap", ""], *_shares(arch, tally)])
    if tally.huge.ranges:
        yield f"a PMD entry stands for {tally.huge.ranges} ranges already"
    if tally.broken.ranges:
        yield ""
        yield from _rows([["what breaks ranges", "ranges", "in swap", "alone", "in swap", ""], *_breaks(arch, tally)])
    yield ""
    yield _HIDDEN if not tally.devices else _UNSEEN
    if tally.devices and (len(devices) > 1 or max(tally.devices) >= len(devices)):
        yield CAVEAT


def _breaks(arch: Arch, tally: Tally) -> Iterator[list[str]]:
    for name, meaning in BREAKS.items():
        count, alone = tally.breaks[name], tally.alone[name]
        if count.ranges:
            pages = (_amount(arch, count.pages), str(alone.ranges), _amount(arch, alone.pages))
            yield [name, str(count.ranges), *pages, meaning]


def _shares(arch: Arch, tally: Tally) -> Iterator[list[str]]:
    """All that is in swap, in parts."""
    parts: list[tuple[str, int | None, int]] = [("one PMD entry would do", *tally.whole)]
    if tally.hidden.ranges:
        parts.append(("perhaps: slots are hidden", *tally.hidden))
    parts.append((f"other ranges of {size(arch.pmd_size)}", *tally.broken))
    parts.append(("at ends of mappings", None, tally.edge))
    if tally.file:
        parts.append(("in mappings of files", None, tally.file))
    for name, ranges, pages in parts:
        number = "" if ranges is None else str(ranges)
        yield [name, number, _amount(arch, pages), f"{pages / tally.pages:.1%}"]


def _rows(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns whose cells, but for the first and the last, are numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *numbers, last = row
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=False)]
        yield "  ".join([first.ljust(widths[0]), *cells, last]).rstrip()


def many_lines(arch: Arch, found: Sequence[Found]) -> Iterator[str]:
    """A line for each process that has something in swap, the largest first."""
    rows = [("pid", "name", "in swap", "one PMD", "what breaks most of the rest")]
    for one in sorted(found, key=lambda one: -one.tally.pages):
        tally = one.tally
        if tally.pages:
            share = f"{tally.whole.pages / tally.pages:.1%}" if tally.devices else "?"
            rows.append((str(one.pid), printable(one.comm), _amount(arch, tally.pages), share, _most(tally)))
    yield from columns(rows)


_SHOWN = 2
"""Breaks that are named of each process."""


def _most(tally: Tally) -> str:
    by_pages = sorted(tally.breaks, key=lambda name: -tally.breaks[name].pages)
    named = [name for name in by_pages[:_SHOWN] if tally.breaks[name].ranges]
    return ", ".join(f"{name} {tally.breaks[name].pages / tally.pages:.0%}" for name in named)


def range_line(one: Range) -> str:
    """A PMD-sized range, what breaks it, and the mapping that it is in."""
    breaks = ", ".join(one.verdict.breaks) or "one PMD entry would do"
    return f"{one.start:#x}  {one.verdict.swapped} pages  {breaks}  {printable(one.area.name)}".rstrip()


def range_record(pid: int, one: Range) -> dict[str, object]:
    """The same as JSON."""
    return {
        "pid": pid,
        "va": hex(one.start),
        "swapped": one.verdict.swapped,
        "breaks": list(one.verdict.breaks),
        "types": {str(number): pages for number, pages in sorted(one.verdict.devices.items())},
    }


def record(arch: Arch, found: Found, devices: Sequence[SwapDevice]) -> dict[str, object]:
    """What was counted, as JSON: numbers of ranges and of pages."""
    tally = found.tally
    return {
        "pid": found.pid,
        "comm": found.comm,
        "page_size": arch.page_size,
        "hpage_pmd_nr": arch.hpage_pmd_nr,
        "swapped": tally.pages,
        "one_pmd": tally.whole._asdict(),
        "hidden": tally.hidden._asdict(),
        "broken": tally.broken._asdict(),
        "breaks": {name: {**tally.breaks[name]._asdict(), "alone": tally.alone[name]._asdict()} for name in BREAKS},
        "edge": tally.edge,
        "file": tally.file,
        "shared": tally.shared,
        "already_pmd": tally.huge.ranges,
        "devices": [
            {"type": number, "name": _name(devices, number), "pages": pages}
            for number, pages in sorted(tally.devices.items())
        ],
        "others": _kinds(arch, tally),
        "is_hidden": bool(tally.pages) and not tally.devices,
        "notes": list(found.notes),
    }


def _kinds(arch: Arch, tally: Tally) -> Mapping[str, int]:
    kinds: dict[str, int] = {}
    for number, pages in sorted(tally.others.items()):
        name = arch.numbering.kind(SoftLeaf(number, 1)).name
        kinds[name] = kinds.get(name, 0) + pages
    return kinds


def _name(devices: Sequence[SwapDevice], number: int) -> str | None:
    return next((device.name for device in devices if device.type == number), None)


def _device(devices: Sequence[SwapDevice], number: int) -> str:
    name = _name(devices, number)
    return f"type {number}, {'not in /proc/swaps' if name is None else printable(name)}"


def _amount(arch: Arch, pages: int) -> str:
    """So many pages in bytes, as people read them."""
    kib = pages * arch.page_size / 1024
    for unit in ("KiB", "MiB"):
        if kib < 1024:
            return f"{kib:.0f} {unit}" if unit == "KiB" else f"{kib:.1f} {unit}"
        kib /= 1024
    return f"{kib:.1f} GiB"
