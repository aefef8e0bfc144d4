"""A run of the model as text and as JSON, and what of a step every writer shows.

The JSON is one object: ``title``, and under ``machines`` one object for each `Recording`, with the architecture and its
configuration, the `rules` that it obeyed, and under ``steps`` one object for each `pmdswp.model.Step`, field by
field. There a PMD word is an object as `pmdswp decode --json` prints it, less the architecture; addresses and offsets
are "0x..." text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from pmdswp.arch import Arch
from pmdswp.model.play.trace import PmdChange, Step
from pmdswp.model.state.rules import order
from pmdswp.render.records import Json, entry_record, hexadecimal
from pmdswp.render.text import describe
from pmdswp.softleaf import State

__all__ = [
    "Place",
    "Recording",
    "Told",
    "final_words",
    "folded",
    "machine_text",
    "record",
    "references",
    "short_name",
    "slots",
    "tell",
    "text",
]


class Recording(NamedTuple):
    """What a machine did: its architecture, a name for it, and its steps."""

    name: str
    arch: Arch
    steps: Sequence[Step]

    @property
    def rules(self) -> list[str]:
        """The rules obeyed, in the order of `pmdswp.model.state.rules.RULES`."""
        return order(rule for step in self.steps for rule in step.rules)


class Place(NamedTuple):
    """Where a PMD stands."""

    process: str
    address: int

    def __str__(self) -> str:
        return f"{self.process} {self.address:#x}"


class Told(NamedTuple):
    """A step in words, in pieces that a writer arranges. Counts and counters are those that changed."""

    number: int
    operation: str
    outcome: str
    pmds: tuple[str, ...]
    cache: tuple[str, ...]
    counts: tuple[str, ...]
    events: tuple[str, ...]
    rules: tuple[str, ...]
    note: str

    @property
    def pieces(self) -> Iterator[tuple[str, str]]:
        """Everything below the operation, each piece with its title."""
        yield from (("pmd", line) for line in self.pmds)
        yield from (("cache", line) for line in self.cache)
        if self.counts:
            yield "counts", ", ".join(self.counts)
        if self.events:
            yield "events", ", ".join(self.events)
        if self.rules:
            yield "rules", " ".join(self.rules)
        if self.note:
            yield "note", self.note


def tell(run: Recording) -> Iterator[Told]:
    """Every step of a run in words."""
    counts: dict[str, int] = {}
    for step in folded(run).steps:
        now = _numbers(step)
        yield Told(
            step.index,
            _operation(step),
            step.outcome,
            tuple(f"{_place(change)}: {_change(run.arch, change)}" for change in step.pmds),
            tuple(_cache(step)),
            tuple(_changes(counts, now)),
            tuple(f"{event} +{number}" for event, number in step.events.items()),
            step.rules,
            step.note,
        )
        counts = now


def folded(run: Recording) -> Recording:
    """The run with steps that repeat the one before, and change neither PMDs nor the cache, as one."""
    groups = groupby(run.steps, key=lambda step: (step.process, step.operation, step.outcome, _what_it_shows(step)))
    return run._replace(steps=[_fold(list(group)) for _, group in groups])


def _what_it_shows(step: Step) -> int | None:
    """None for steps that may be one with those around them, and else a number that only this one has."""
    before, after = ((step.cache_before, step.references_before), (step.cache_after, step.references_after))
    return step.index if step.pmds or before != after or step.note else None


def _fold(steps: Sequence[Step]) -> Step:
    first, last = steps[0], steps[-1]
    if first is last:
        return first
    events: Counter[str] = Counter()
    for step in steps:
        events.update(step.events)
    rules = tuple(dict.fromkeys(rule for step in steps for rule in step.rules))
    return replace(
        last,
        index=first.index,
        arguments=first.arguments,
        events=events,
        rules=rules,
        note=f"to step {last.index} alike",
    )


def _operation(step: Step) -> str:
    given = {name: value for name, value in step.arguments.items() if value != "None"}
    arguments = ", ".join(f"{name}={_argument(value)}" for name, value in given.items())
    return f"{step.process + ' ' if step.process else ''}{step.operation}({arguments})"


def _argument(value: object) -> str:
    # page numbers and lengths read best as they are, addresses in hex
    is_address = isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 16
    return f"{value:#x}" if is_address else str(value)


def _place(change: PmdChange) -> Place:
    return Place(change.process, change.address)


def _change(arch: Arch, change: PmdChange) -> str:
    before, after = (_word(arch, word) for word in (change.before, change.after))
    return f"{before} -> {after}"


def _word(arch: Arch, word: int) -> str:
    """What a PMD holds, and the word."""
    entry = arch.decode_pmd(word)
    return "NONE" if entry.state is State.NONE else f"{describe(arch, entry)} {hexadecimal(word)}"


def short_name(arch: Arch, word: int) -> str:
    """What a PMD holds in one word: NONE, TABLE, HUGE, SWAP, MIGRATION or another kind of softleaf."""
    entry = arch.decode_pmd(word)
    if entry.leaf is None:
        return "HUGE" if entry.state is State.PRESENT else entry.state.name
    return entry.kind.name.partition("_")[0]


def _cache(step: Step) -> Iterator[str]:
    for range_ in {**step.cache_before, **step.cache_after}:
        classes = (cache.get(range_) or "free" for cache in (step.cache_before, step.cache_after))
        counts = (references(each.get(range_)) for each in (step.references_before, step.references_after))
        yield f"{slots(range_)}: {_arrow(*classes)}, {_arrow(*counts)} to a slot"


def _arrow(before: str, after: str) -> str:
    return f"{before} -> {after}" if after != before else before


def references(count: tuple[int, int] | None) -> str:
    """How many references the slots of a range have: one number, or the least and the most."""
    least, most = count or (0, 0)
    return str(least) if least == most else f"{least}..{most}"


def slots(range_: str) -> str:
    """A swap range of a step: device and first slot, as they stand in the description of an entry."""
    number, _, offset = range_.partition(":")
    return f"type {number} offset {int(offset, 0):#x}"


def _numbers(step: Step) -> dict[str, int]:
    """All counts and counters, by what they are called in a report."""
    of_processes = {
        f"{process} {counter}": number
        for process, counters in step.counters.items()
        for counter, number in counters.items()
    }
    return {**{name.replace("_", " "): number for name, number in step.counts.items()}, **of_processes}


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> Iterator[str]:
    for name, number in after.items():
        if number != before.get(name, 0):
            yield f"{name} {number}"


def final_words(run: Recording) -> dict[Place, int]:
    """The word of every PMD at the end of a run that any step of it changed, before all processes are made to exit."""
    return {_place(change): change.after for step in run.steps if step.operation != "shutdown" for change in step.pmds}


# --- text ---------------------------------------------------------------------------------------------------


def text(runs: Iterable[Recording], *, trace: bool) -> Iterator[str]:
    """The lines of a report: every step if `trace`, and in any case what came of it."""
    for number, run in enumerate(runs):
        if number:
            yield ""
        yield from machine_text(run, trace=trace)


def machine_text(run: Recording, *, trace: bool) -> Iterator[str]:
    """The lines of the report on one machine."""
    yield f"{run.name}: {run.arch!r}, {run.arch.hpage_pmd_nr} pages to a PMD"
    if trace:
        for told in tell(run):
            yield f"{told.number:>3}  {told.operation}: {told.outcome}"
            yield from (f"     {title:<6}  {piece}" for title, piece in told.pieces)
        rules = run.rules
        yield f"{len(rules)} rules of the series obeyed: {' '.join(rules)}".rstrip(": ")
    yield f"{len(run.steps)} steps"
    for place, word in final_words(run).items():
        yield f"at the end, {place}: {_word(run.arch, word)}"


# --- JSON ---------------------------------------------------------------------------------------------------


def record(runs: Iterable[Recording], title: str) -> Json:
    """The whole report as one JSON object."""
    return {"title": title, "machines": [_machine_record(run) for run in runs]}


def _machine_record(run: Recording) -> Json:
    return {
        "name": run.name,
        "arch": run.arch.name,
        "kernel": run.arch.kernel,
        "options": dict(run.arch.config.chosen),
        "page_size": run.arch.page_size,
        "hpage_pmd_nr": run.arch.hpage_pmd_nr,
        "rules": run.rules,
        "steps": [_step_record(run.arch, step) for step in run.steps],
    }


def _step_record(arch: Arch, step: Step) -> Json:
    return {
        "index": step.index,
        "operation": step.operation,
        "process": step.process,
        "arguments": dict(step.arguments),
        "outcome": step.outcome,
        "pmds": [
            {
                "process": change.process,
                "address": hex(change.address),
                "before": _word_record(arch, change.before),
                "after": _word_record(arch, change.after),
            }
            for change in step.pmds
        ],
        "cache_before": dict(step.cache_before),
        "cache_after": dict(step.cache_after),
        "references_before": _references_record(step.references_before),
        "references_after": _references_record(step.references_after),
        "counts": dict(step.counts),
        "counters": {process: dict(counters) for process, counters in step.counters.items()},
        "events": dict(step.events),
        "rules": list(step.rules),
        "note": step.note,
    }


def _references_record(counts: Mapping[str, tuple[int, int] | None]) -> Json:
    return {range_: None if count is None else list(count) for range_, count in counts.items()}


def _word_record(arch: Arch, word: int) -> Json:
    of_arch = {"arch", "kernel", "level"}
    return {name: value for name, value in entry_record(arch, arch.decode_pmd(word)).items() if name not in of_arch}
