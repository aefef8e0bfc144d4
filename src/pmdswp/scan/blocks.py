"""Blocks of words reduced to summaries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np

from pmdswp import array
from pmdswp.arch import Arch
from pmdswp.attributes import Attributes
from pmdswp.checks import check_count
from pmdswp.columns import Words
from pmdswp.errors import DecodeError
from pmdswp.scan.kinds import COUNTS_PAGES, KIND_INDEX, KINDS
from pmdswp.scan.summary import LONGEST, PRESENT_STATES, Leaf, Present, Run, Summary
from pmdswp.scan.tables import WORD, block_entries, table_entries
from pmdswp.scan.threads import in_order
from pmdswp.softleaf import FLAGS, GENERIC_TYPE_MAX, Flags, LevelName, SoftLeafType, State

__all__ = ["scan", "scan_block", "scan_zeros"]

_FLAG_SETS = 1 << len(FLAGS)


def scan(
    arch: Arch,
    level: LevelName,
    words: Words,
    *,
    position: int = 0,
    attributes: bool = False,
    jit: bool | None = None,
    threads: int = 1,
) -> Summary:
    """The summary of `words`, which begin with a table, in one dimension and any byte order, and may be mapped.

    `position` is where they stand in their file, in bytes, and counts for the positions of runs alone. `attributes`:
    whether those of present words are counted too. `jit` is that of `array.decode`; up to `threads` blocks are worked
    on at a time.

    `DecodeError` for words that are not such an array, and for a position that is not an integer from 0;
    `UnsupportedError` for what is not an `Arch`, an unknown level, fewer than one thread, another `jit`, or
    ``jit=True`` without numba.
    """
    size = block_entries(arch, level)
    position = check_count("position", position)
    if isinstance(words, np.ma.MaskedArray):
        raise DecodeError("words: a masked array has places without a value")
    if not isinstance(words, np.ndarray) or words.ndim != 1 or words.dtype.newbyteorder("=") != np.uint64:
        raise DecodeError("words: a numpy.ndarray of one dimension and dtype uint64 is needed")

    def summary(start: int) -> Summary:
        block = words[start : start + size]
        return scan_block(arch, level, block, position + start * WORD, attributes=attributes, jit=jit)[0]

    return sum(in_order(summary, range(0, words.size, size), threads), start=Summary(arch, level))


def scan_block(
    arch: Arch, level: LevelName, words: Words, position: int, *, attributes: bool, jit: bool | None
) -> tuple[Summary, array.Columns | None]:
    """The summary of a block, and its columns; None for those of a block that is all zero."""
    if not words.any():
        return scan_zeros(arch, level, words.size, attributes=attributes), None
    words = np.ascontiguousarray(words, np.uint64)
    columns = array.decode(arch, level, words, jit=jit)
    summary = _of_block(arch, level, words, columns, position)
    return (_with_attributes(summary, words, columns) if attributes else summary), columns


def scan_zeros(arch: Arch, level: LevelName, count: int, *, attributes: bool) -> Summary:
    """The summary of `count` words that are 0: one is decoded. They are no run, since their offsets do not step."""
    zero = np.zeros(1, np.uint64)
    columns = array.decode(arch, level, zero)
    one = _of_block(arch, level, zero, columns, 0)
    if attributes:
        one = _with_attributes(one, zero, columns)
    return replace(
        one,
        words=count,
        tables=count // table_entries(arch, level),
        states={state: count for state in one.states if count},
        leaves={leaf: count for leaf in one.leaves if count},
        present=None if one.present is None else {present: count for present in one.present if count},
        stray_words=one.stray_words * count,
    )


def _of_block(arch: Arch, level: LevelName, words: Words, columns: array.Columns, position: int) -> Summary:
    states = {state: int(np.count_nonzero(columns.state == state.code)) for state in State}
    summary = Summary(
        arch,
        level,
        words=words.size,
        tables=words.size // table_entries(arch, level),
        states={state: count for state, count in states.items() if count},
    )
    if not states[State.SOFTLEAF]:
        return summary
    [places] = np.nonzero(columns.state == State.SOFTLEAF.code)
    strays = arch.layout(level).stray_bits(cast("int", _at(places, words)))
    summary = replace(summary, leaves=_leaves(columns, places), stray_words=int(np.count_nonzero(strays)))
    return summary if level == "pmd" else _with_runs(summary, words, columns, position)


def _with_attributes(summary: Summary, words: Words, columns: array.Columns) -> Summary:
    """`summary` with its present words by attributes."""
    present: dict[Present, int] = {}
    if any(summary.states.get(state) for state in PRESENT_STATES):
        attributes = array.mapped(summary.arch, summary.level, words, columns=columns).attributes
        for state in PRESENT_STATES:
            counts = np.bincount(attributes[columns.state == state.code])
            for number in np.flatnonzero(counts).tolist():
                present[Present(state, Attributes(number))] = int(counts[number])
    return replace(summary, present=present)


def _at(places: np.ndarray[Any, Any], column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What stands at the `places`, which are in order: no copy where that is all."""
    return column if places.size == column.size else column[places]


def _leaves(columns: array.Columns, places: np.ndarray[Any, Any]) -> dict[Leaf, int]:
    """How many softleaves of each kind, type and flags stand at the `places`."""
    shape = len(KINDS), GENERIC_TYPE_MAX + 1, _FLAG_SETS
    numbers = KIND_INDEX[_at(places, columns.kind)]
    for column, size in zip((columns.swp_type, columns.flags), shape[1:], strict=True):
        numbers *= np.uint16(size)
        numbers += _at(places, column)
    counts = np.bincount(numbers)
    leaves = {}
    for number in np.flatnonzero(counts).tolist():
        kind, swp_type, flags = np.unravel_index(number, shape)
        leaves[Leaf(KINDS[kind], int(swp_type), Flags(int(flags)))] = int(counts[number])
    return leaves


def _with_runs(summary: Summary, words: Words, columns: array.Columns, position: int) -> Summary:
    """`summary` with the runs of its PTEs, and with how many tables join."""
    entries = summary.arch.ptrs_per_pte
    [places] = np.nonzero(COUNTS_PAGES[columns.kind])
    offsets, types, flags = (_at(places, column) for column in (columns.offset, columns.swp_type, columns.flags))
    goes_on = places[1:] - places[:-1] == 1
    goes_on &= places[1:] % entries != 0
    goes_on &= offsets[1:] - offsets[:-1] == 1
    goes_on &= types[1:] == types[:-1]
    goes_on &= flags[1:] == flags[:-1]
    edges = np.flatnonzero(np.diff(goes_on, prepend=False, append=False))
    starts, lengths = edges[::2], edges[1::2] - edges[::2] + 1

    def run(number: int) -> Run:
        first, length = int(starts[number]), int(lengths[number])
        place = int(places[first])
        kind, flag_set = SoftLeafType(int(columns.kind[place])), Flags(int(flags[first]))
        return Run(length, position + place * WORD, kind, int(types[first]), int(offsets[first]), flag_set)

    # a stable sort leaves runs of equal length in the order in which they stand
    longest = np.argsort(-lengths, kind="stable")[:LONGEST].tolist()
    tables = places[starts[lengths == entries]] // entries
    return replace(
        summary,
        runs=len(starts),
        longest=tuple(run(number) for number in longest),
        joinable=_joinable(summary.arch, words, tables),
    )


def _joinable(arch: Arch, words: Words, tables: np.ndarray[Any, Any]) -> int:
    """How many of the PTE `tables`, each of them one run, join."""
    if not (tables.size and arch.has_pmd_softleaf):
        return 0
    rows = words[: words.size // arch.hpage_pmd_nr * arch.hpage_pmd_nr].reshape(-1, arch.hpage_pmd_nr)
    return int(np.count_nonzero(array.join(arch, rows[tables]).joined))
