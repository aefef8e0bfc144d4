"""The summary of words by the scalar library, one word at a time: what `pmdswp.scan` has to say too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pmdswp import Arch, Entry, JoinError, SoftLeafType, State
from pmdswp.attributes import Attributes
from pmdswp.render.records import stray_bits
from pmdswp.scan import LONGEST, Leaf, Present, Run, Summary
from pmdswp.softleaf import LevelName


def array_of(words: Iterable[int]) -> npt.NDArray[np.uint64]:
    return np.array(list(words), np.uint64)


def entries_of(arch: Arch, level: LevelName, words: Iterable[int]) -> list[Entry]:
    return [arch.decode(level, word) for word in words]


def tables_of(arch: Arch, level: LevelName, words: Sequence[int]) -> Iterator[Sequence[int]]:
    """The words of each table; the last may be cut short."""
    [size] = table_sizes(arch, level)
    for start in range(0, len(words), size):
        yield words[start : start + size]


def summary_of(
    arch: Arch, level: LevelName, words: Sequence[int], position: int = 0, *, attributes: bool = False
) -> Summary:
    entries = entries_of(arch, level, words)
    tables = list(tables_of(arch, level, words))
    whole = [table for table in tables if len(table) == len(tables[0]) and len(table) in table_sizes(arch, level)]
    softleaves = [entry for entry in entries if entry.leaf is not None]
    runs: list[Run] = []
    if level == "pte":
        for number, table in enumerate(tables):
            runs.extend(runs_of(entries_of(arch, level, table), position + number * len(tables[0]) * 8))
    return Summary(
        arch,
        level,
        words=len(words),
        tables=len(whole),
        states=Counter(entry.state for entry in entries),
        leaves=Counter(Leaf(entry.kind, entry.leaf.swp_type, entry.flags) for entry in softleaves if entry.leaf),
        present=Counter(present_of(entries)) if attributes and words else None,
        stray_words=sum(stray_bits(arch, entry) != 0 for entry in softleaves),
        runs=len(runs),
        longest=tuple(sorted(runs, key=lambda run: (-run.length, run.position))[:LONGEST]),
        joinable=sum(joins(arch, table) for table in whole) if level == "pte" and arch.has_pmd_softleaf else 0,
    )


def present_of(entries: Iterable[Entry]) -> Iterator[Present]:
    for entry in entries:
        if entry.state in (State.PRESENT, State.TABLE):
            yield Present(entry.state, Attributes(sum(Attributes[name.upper()] for name in entry.attributes)))


def table_sizes(arch: Arch, level: LevelName) -> list[int]:
    if level not in ("pte", "pmd"):
        return [1 << arch.level(level).index_bits]
    return [arch.ptrs_per_pte if level == "pte" else arch.ptrs_per_pmd]


def joins(arch: Arch, table: Sequence[int]) -> bool:
    try:
        arch.join_ptes(table)
    except JoinError:
        return False
    return True


def runs_of(entries: Sequence[Entry], position: int) -> Iterator[Run]:
    """The runs of one table."""
    start = 0
    for end in range(1, len(entries) + 1):
        if end < len(entries) and follows(entries[end - 1], entries[end]):
            continue
        first = entries[start]
        if end - start > 1 and first.leaf is not None:
            swp_type, offset = first.leaf
            yield Run(end - start, position + start * 8, first.kind, swp_type, offset, first.flags)
        start = end


def follows(entry: Entry, following: Entry) -> bool:
    if entry.leaf is None or following.leaf is None or entry.state is not State.SOFTLEAF:
        return False
    counts_pages = entry.kind is SoftLeafType.SWAP or entry.kind.has_pfn
    next_leaf = entry.leaf._replace(offset=entry.leaf.offset + 1)
    return counts_pages and (entry.kind, next_leaf, entry.flags) == (following.kind, following.leaf, following.flags)
