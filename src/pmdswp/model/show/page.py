"""A run of the model as one self-contained HTML page: the picture of the run, and its steps as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from pmdswp.model.show.picture import Lane, Spot, picture
from pmdswp.model.show.report import Place, Recording, Told, folded, references, short_name, slots, tell
from pmdswp.model.state.rules import RULES
from pmdswp.render.html import frame
from pmdswp.render.text import describe

__all__ = ["lanes", "page"]

_STYLE = """
body { max-width: 84rem; }
.run svg { max-width: none; min-width: 0; }
td:first-child { white-space: normal; }
.steps td { overflow-wrap: anywhere; }
.steps td:first-child { min-width: 19rem; }
.steps p { margin: 0 0 .2rem; }
.steps b { font-weight: 600; }
.steps td:nth-child(4) p { white-space: nowrap; }
.failed { color: var(--pmdswp-stray-edge); font-weight: 600; }
abbr { text-decoration: none; cursor: help; white-space: nowrap; }
.muted { color: var(--pmdswp-muted); }
@media (max-width: 56rem) {
  .steps thead { display: none; }
  .steps td:first-child { min-width: 0; }
  .steps, .steps tbody, .steps tr, .steps td { display: block; border: 0; padding: 0; }
  .steps tr { border: 1px solid var(--pmdswp-zero-edge); border-radius: 6px; padding: .4rem .6rem; margin: 0 0 .6rem; }
  .steps td[data-title]:not(:empty)::before { content: attr(data-title); display: block; color: var(--pmdswp-muted);
    font-size: .85em; margin-top: .3rem; }
}
"""

_TONES = {"NONE": "zero", "TABLE": "type", "HUGE": "offset", "SWAP": "flag", "MIGRATION": "fixed"}
_OTHER_TONE = "ignored"
_CLASS_TONES = {"EMPTY": "zero", "WHOLE": "offset", "SPLIT": "stray"}
_HEAD = ("Step", "PMD words", "Swap cache", "Counts and events", "Rules")


def page(runs: Sequence[Recording], title: str) -> Iterator[str]:
    """The lines of the page."""
    return frame(_body(runs, title), title, _STYLE)


def _body(runs: Sequence[Recording], title: str) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    for number, run in enumerate(runs):
        yield f"<h2>{escape(run.name)}</h2>"
        yield (
            f"<p><code>{escape(repr(run.arch))}</code>: {run.arch.hpage_pmd_nr} pages to a PMD. A bar is what a PMD "
            "holds, or what the swap cache holds over a range of slots; a dot is a change within it.</p>"
        )
        shown = folded(run)
        operations = [
            f"{step.index} {step.process + ' ' if step.process else ''}{step.operation}" for step in shown.steps
        ]
        yield f'<div class="scroll run" tabindex="0">{picture(operations, lanes(shown), f"run-{number}")}</div>'
        yield '<h3>Steps</h3>\n<table class="steps">'
        yield f"<thead><tr>{''.join(f'<th>{title}</th>' for title in _HEAD)}</tr></thead>\n<tbody>"
        yield from (_row(told) for told in tell(run))
        yield "</tbody></table>"


def _row(told: Told) -> str:
    outcome = escape(told.outcome) if told.outcome == "ok" else f'<span class="failed">{escape(told.outcome)}</span>'
    note = f'<p class="muted">{escape(told.note)}</p>' if told.note else ""
    counts = (*(escape(count) for count in told.counts), *(f"<b>{escape(event)}</b>" for event in told.events))
    rules = " ".join(f'<abbr title="{escape(RULES[rule].text)}">{rule}</abbr>' for rule in told.rules)
    cells = (
        _paragraphs(map(escape, told.pmds)),
        _paragraphs(map(escape, told.cache)),
        _paragraphs(counts),
        rules,
    )
    first = f"<td><p><b>{told.number}</b> <code>{escape(told.operation)}</code> {outcome}</p>{note}</td>"
    rest = "".join(f'<td data-title="{title}">{cell}</td>' for title, cell in zip(_HEAD[1:], cells, strict=True))
    return f"<tr>{first}{rest}</tr>"


def _paragraphs(lines: Iterator[str] | tuple[str, ...]) -> str:
    return "".join(f"<p>{line}</p>" for line in lines)


def lanes(run: Recording) -> list[Lane]:
    """A lane for each PMD that the run changed, and below them one for each range of slots that such a PMD named."""
    return [*_pmd_lanes(run), *_cache_lanes(run)]


def _pmd_lanes(run: Recording) -> Iterator[Lane]:
    places = dict.fromkeys(Place(change.process, change.address) for step in run.steps for change in step.pmds)
    for place in places:
        spots: list[Spot | None] = []
        word: int | None = None
        for step in run.steps:
            changes = [change for change in step.pmds if (change.process, change.address) == place]
            if changes:
                word = changes[-1].after
            if word is None:
                spots.append(None)
                continue
            name = short_name(run.arch, word)
            detail = f"{place} after step {step.index}: {describe(run.arch, run.arch.decode_pmd(word))} ({word:#018x})"
            spots.append(Spot(name, _TONES.get(name, _OTHER_TONE), bool(changes), detail))
        yield Lane(place.process, hex(place.address), tuple(spots))


def _cache_lanes(run: Recording) -> Iterator[Lane]:
    ranges = dict.fromkeys(range_ for step in run.steps for range_ in (*step.cache_before, *step.cache_after))
    for range_ in ranges:
        spots: list[Spot | None] = []
        name: str | None = None
        count: tuple[int, int] | None = None
        for step in run.steps:
            name, before = step.cache_after.get(range_, name), count
            count = step.references_after.get(range_, count)
            detail = f"{slots(range_)} after step {step.index}: {name}, {references(count)} to a slot"
            spots.append(None if name is None else Spot(name, _CLASS_TONES[name], count != before, detail))
        yield Lane("swap cache", slots(range_), tuple(spots))
