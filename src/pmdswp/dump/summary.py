"""What the page tables of a process hold, counted. Needs NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pmdswp.arch import Arch
from pmdswp.arraywalk import Tables, tables
from pmdswp.dump.names import Device
from pmdswp.dump.opened import Dump
from pmdswp.dump.processes import Process
from pmdswp.errors import escaped
from pmdswp.render.records import Json
from pmdswp.softleaf import FLAGS, Flags, SoftLeafType, State
from pmdswp.walk import Step

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Summary", "summarise", "summary_lines", "summary_record"]


@dataclass
class Summary:
    """Counts of the entries of a process that are not empty.

    `states` and `kinds` by level and name; `devices` by swap type: how many pages are there, those of PMD entries
    counted one by one; `flags` of softleaves; `pmd_entries`: softleaves in PMDs; `runs`: PTE tables whose entries one
    PMD swap entry could hold, as they have consecutive slots from an aligned one on, and equal flags; `unread`: tables,
    or parts, that could not be read; `words`: how many words were looked at.
    """

    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    devices: Counter[int] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    pmd_entries: int = 0
    runs: int = 0
    unread: int = 0
    words: int = 0

    def add(self, arch: Arch, found: Tables) -> None:
        """Count what is in some tables."""
        name, columns = found.level.name, found.columns
        self.words += found.words.size
        for code, count in _counts(columns.state):
            if code != State.NONE.code:
                self.states[name, State.from_code(code).name] += count
        is_leaf = columns.state == State.SOFTLEAF.code
        if not is_leaf.any():
            return
        for number, count in _counts(columns.kind[is_leaf]):
            self.kinds[name, SoftLeafType(number).name] += count
        is_swap = columns.kind == SoftLeafType.SWAP.value
        for number, count in _counts(columns.swp_type[is_swap]):
            self.devices[number] += count * (arch.hpage_pmd_nr if name == "pmd" else 1)
        for flags, count in _counts(columns.flags[is_leaf]):
            self.flags.update({flag: count for flag in FLAGS if flags & Flags[flag.upper()]})
        if name == "pmd":
            self.pmd_entries += int(np.count_nonzero(is_leaf))
        elif columns.state.shape[1] == arch.hpage_pmd_nr:
            self.runs += _runs(arch, found, is_swap.all(axis=1))


def _counts(column: NDArray[np.uint8]) -> Iterator[tuple[int, int]]:
    """Each number in a column, and how often it is there."""
    found = np.bincount(column.reshape(-1))
    yield from ((number, int(found[number])) for number in np.flatnonzero(found).tolist())


def _runs(arch: Arch, found: Tables, is_all_swap: NDArray[np.bool_]) -> int:
    """How many tables are one run of slots that a PMD entry could hold."""
    columns = found.columns
    offsets, types, flags = (column[is_all_swap] for column in (columns.offset, columns.swp_type, columns.flags))
    nr = arch.hpage_pmd_nr
    steps = offsets - np.arange(nr, dtype=np.uint64)
    is_run = (steps == offsets[:, :1]).all(axis=1) & (offsets[:, 0] % np.uint64(nr) == 0)
    is_run &= (types == types[:, :1]).all(axis=1) & (flags == flags[:, :1]).all(axis=1)
    return int(np.count_nonzero(is_run))


def summarise(
    dump: Dump, process: Process, wanted: range, unread: Callable[[Step], object], advance: Callable[[int], object]
) -> Summary:
    """The summary of these addresses of a process; `advance` is told how many words were looked at."""
    arch = dump.arch
    summary = Summary()
    for found in tables(arch, dump.core.read_physical, process.root, wanted.start, wanted.stop):
        if isinstance(found, Step):
            summary.unread += 1
            unread(found)
        else:
            summary.add(arch, found)
            advance(summary.words)
    return summary


def summary_record(arch: Arch, process: Process, summary: Summary, devices: Callable[[int], str | None]) -> Json:
    """A summary as a JSON value."""
    return {
        "pid": process.pid,
        "comm": process.comm,
        "root": hex(process.root),
        "shares": list(process.shares),
        "arch": arch.name,
        "kernel": arch.release,
        "states": _nested(summary.states),
        "kinds": _nested(summary.kinds),
        "devices": [
            {"type": number, "device": devices(number), "pages": count}
            for number, count in sorted(summary.devices.items())
        ],
        "flags": dict(summary.flags),
        "pmd_entries": summary.pmd_entries,
        "runs": summary.runs,
        "unread": summary.unread,
        "words": summary.words,
    }


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (level, name), count in counts.items():
        found.setdefault(level, {})[name] = count
    return found


def summary_lines(arch: Arch, processes: Sequence[tuple[Process, Summary]], devices: Sequence[Device]) -> Iterator[str]:
    """Summaries as text: the swap devices, then a line for each process, and below it what its entries are."""
    yield f"read as {arch!r}"
    yield from (f"note: {note}" for note in arch.notes)
    names = {device.type: escaped(device.name) for device in devices}
    used: Counter[int] = Counter()
    for _, summary in processes:
        used.update(summary.devices)
    slots = {device.type: str(device.slots) for device in devices}
    if used:
        yield ""
        rows = [["type", "swap device", "slots", "pages in these processes"]]
        rows += (
            [str(number), names.get(number, "(none known)"), slots.get(number, ""), str(count)]
            for number, count in sorted(used.items())
        )
        yield from _aligned(rows)
    others = [name for number, name in names.items() if number not in used]
    if others:
        yield ""
        yield f"none of these pages are on {', '.join(others)}"
    yield ""
    rows = [["pid", "command", "pages", "tables", "swap", "migration", "other", "in PMDs", "runs", "unread"]]
    for process, summary in processes:
        kinds: Counter[str] = Counter()
        for (_, kind), count in summary.kinds.items():
            kinds["swap" if kind == "SWAP" else "migration" if kind.startswith("MIGRATION") else "other"] += count
        states: Counter[str] = Counter()
        for (_, state), count in summary.states.items():
            states[state] += count
        rows.append(
            [
                "?" if process.pid is None else str(process.pid),
                escaped(process.comm) if process.comm else hex(process.root),
                *(str(states[state]) for state in ("PRESENT", "TABLE")),
                *(str(kinds[kind]) for kind in ("swap", "migration", "other")),
                *(str(number) for number in (summary.pmd_entries, summary.runs, summary.unread)),
            ]
        )
    yield from _aligned(rows)
    kinds_of = [(process, summary) for process, summary in processes if summary.kinds]
    if kinds_of:
        yield ""
    for process, summary in kinds_of:
        counts = ", ".join(f"{count} {level} {kind}" for (level, kind), count in sorted(summary.kinds.items()))
        yield f"{process.pid if process.pid is not None else hex(process.root)}: {counts}"
        used_here = sorted(summary.devices.items())
        pages = ", ".join(f"{count} on {names.get(number, f'type {number}')}" for number, count in used_here)
        if pages:
            yield f"    pages: {pages}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
