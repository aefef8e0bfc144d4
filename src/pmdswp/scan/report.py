"""A summary as it is shown: text, or a JSON value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pmdswp.render.records import Json
from pmdswp.scan.summary import PRESENT_STATES, Run, Summary
from pmdswp.scan.tables import table_entries
from pmdswp.softleaf import FLAGS, Flags, SoftLeafType
from pmdswp.words import printable

__all__ = ["SUMMARIES", "summary_lines", "summary_record"]

SUMMARIES = ("text", "json", "none")
"""What a summary may be shown as."""


def summary_record(summary: Summary, name: str) -> Json:
    """A summary as a JSON value; counts and positions are numbers, offsets "0x..." text.

    `attributes` is null where they were not counted; `joinable` is null where no PTE tables were read or no PMD can
    hold a softleaf.
    """
    return {
        "file": name,
        "arch": summary.arch.name,
        "kernel": summary.arch.kernel,
        "options": dict(summary.arch.config.chosen),
        "level": summary.level,
        "words": summary.words,
        "tables": summary.tables,
        "states": {state.name: count for state, count in summary.states.items()},
        "kinds": {kind.name: count for kind, count in summary.kinds.items()},
        "devices": {str(device): count for device, count in summary.devices.items()},
        "flags": summary.flags,
        "leaves": [
            {"kind": leaf.kind.name, "type": leaf.swp_type, **_flag_record(leaf.flags), "count": count}
            for leaf, count in summary.leaves.items()
        ],
        "attributes": _attributes_record(summary),
        "stray_words": summary.stray_words,
        "runs": summary.runs,
        "longest": [_run_record(run) for run in summary.longest],
        "joinable": summary.joinable if _can_join(summary) else None,
        "unreadable": summary.unreadable,
        "tail": summary.tail,
        "complete": summary.is_complete,
    }


def _attributes_record(summary: Summary) -> Json | None:
    if summary.present is None:
        return None
    return {state.name: summary.attributes(state) for state in PRESENT_STATES}


def _can_join(summary: Summary) -> bool:
    return summary.level == "pte" and summary.arch.has_pmd_softleaf


def _flag_record(flags: Flags) -> Json:
    return {name: Flags[name.upper()] in flags for name in FLAGS}


def _run_record(run: Run) -> Json:
    return {
        "length": run.length,
        "position": run.position,
        "kind": run.kind.name,
        "type": run.swp_type,
        "offset": hex(run.offset),
        **_flag_record(run.flags),
    }


def summary_lines(summary: Summary, name: str) -> Iterator[str]:
    """A summary as text: one table for each thing that is counted; `name` is that of the file."""
    arch, entries = summary.arch, table_entries(summary.arch, summary.level)
    yield f"{printable(name)}: read as {summary.level} by {arch!r}"
    yield f"{summary.words} words, {summary.tables} whole tables of {entries}"
    yield from _counts("state", ((state.name, count, "") for state, count in summary.states.items()))
    foreign = f"no PMD of kernel {arch.kernel} holds this"
    are_foreign = set(SoftLeafType).difference(arch.pmd_kinds) if summary.level == "pmd" else set()
    kinds = summary.kinds.items()
    yield from _counts("kind", ((kind.name, n, foreign if kind in are_foreign else "") for kind, n in kinds))
    yield from _counts("swap type", ((str(device), count, "") for device, count in summary.devices.items()))
    if summary.present:
        yield from _attribute_lines(summary)
    if summary.leaves:
        yield from _counts("flag", ((flag, count, "") for flag, count in summary.flags.items()))
        yield ""
        yield f"stray words: {summary.stray_words}"
    if summary.level == "pte":
        yield from _run_lines(summary)
    if summary.unreadable:
        yield f"unreadable bytes: {summary.unreadable}"
    if summary.tail:
        yield f"bytes at the end that are not a whole word: {summary.tail}"
    if not summary.is_complete:
        yield "THIS IS NOT ALL: some of the file was not read"


def _attribute_lines(summary: Summary) -> Iterator[str]:
    """A column for the pages and one for the tables, where there are any."""
    states = [state for state in PRESENT_STATES if summary.states.get(state)]
    counts = [summary.attributes(state) for state in states]
    if counts[0]:
        yield ""
        rows = [[name, *(str(count[name]) for count in counts)] for name in counts[0]]
        yield from _aligned([["attribute", *(state.name for state in states)], *rows])


def _run_lines(summary: Summary) -> Iterator[str]:
    if _can_join(summary):
        yield f"tables that join to one PMD entry: {summary.joinable}"
    yield f"runs of entries whose offsets step by one, within a table: {summary.runs}"
    if summary.longest:
        yield ""
        rows = [["longest", "at byte", "what"]]
        for run in summary.longest:
            flags = [name for name in FLAGS if Flags[name.upper()] in run.flags]
            what = [run.kind.name, "type", str(run.swp_type), "from offset", hex(run.offset), *flags]
            rows.append([str(run.length), hex(run.position), " ".join(what)])
        yield from _aligned(rows)


def _counts(head: str, rows: Iterable[tuple[str, int, str]]) -> Iterator[str]:
    """A table of counts under an empty line; nothing for no rows."""
    cells = [[name, str(count), note] for name, count, note in rows]
    if cells:
        yield ""
        yield from _aligned([[head, "words", ""], *cells])


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
