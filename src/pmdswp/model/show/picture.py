"""The picture of a run: one lane for each page-table entry and swap range, steps along x, as SVG for light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

__all__ = ["Lane", "Spot", "picture"]

# sizes in pixels
_STEP = 46
_BAR = 26
_LANE = 40
_MARGIN = 12
_LETTER = 7.0
"""Width of a letter of the bars at 12 px, generously."""
_SLANT = 104
"""Height of the operations' names, which stand slanted above the steps."""
_LONGEST = 20
"""Letters of an operation's name that fit there."""


class Spot(NamedTuple):
    """What a lane shows after one step: a name on a tone of the palette, whether it is news, and what to tell of it."""

    name: str
    tone: str
    changed: bool
    detail: str


class Lane(NamedTuple):
    """One line of the picture: its name, where it is, and what it shows after each step, None before there is any."""

    name: str
    place: str
    spots: tuple[Spot | None, ...]


def picture(operations: Sequence[str], lanes: Sequence[Lane], ident: str) -> str:
    """The run as one SVG element, whose colours are the variables of `pmdswp.render.palette.style_sheet`.

    `ident` begins its ids, which the page must not have elsewhere.
    """
    left = (
        _MARGIN + max((len(text) for lane in lanes for text in (lane.name, lane.place)), default=0) * _LETTER + _MARGIN
    )
    top = _MARGIN + _SLANT
    # the last name leans out to the right
    width = left + len(operations) * _STEP + _SLANT
    height = top + len(lanes) * _LANE + _MARGIN
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    about = f'role="img" aria-labelledby="{ident}-title {ident}-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {about} font-family="system-ui,sans-serif">',
        f'<title id="{ident}-title">What the run did, step by step</title>',
        f'<desc id="{ident}-desc">{escape(" ".join(_description(operations, lanes)))}</desc>',
    ]
    for number, operation in enumerate(operations):
        x = left + number * _STEP
        short = operation if len(operation) <= _LONGEST else f"{operation[: _LONGEST - 1]}…"
        parts.append(
            f'<g transform="translate({x + _STEP / 2:g} {top - 8}) rotate(-45)"><title>{escape(operation)}</title>'
            f"{_text(0, 0, short, 'ink', anchor='start')}</g>"
        )
        parts.append(
            f'<path d="M{x:g} {top - 4}V{height - _MARGIN}" stroke="var(--pmdswp-zero-edge)" stroke-opacity=".35"/>'
        )
    for number, lane in enumerate(lanes):
        y = top + number * _LANE
        parts.append(_text(left - _MARGIN, y + _BAR / 2 - 3, lane.name, "ink", anchor="end", weight=600))
        parts.append(_text(left - _MARGIN, y + _BAR / 2 + 11, lane.place, "muted", anchor="end"))
        parts.extend(_bars(lane, left, y))
    return "\n".join([*parts, "</svg>"])


def _description(operations: Sequence[str], lanes: Sequence[Lane]) -> Iterator[str]:
    """The picture in words."""
    for number, operation in enumerate(operations):
        states = (f"{lane.name} {lane.place} {spot.name}" for lane in lanes if (spot := lane.spots[number]) is not None)
        yield f"{operation}: {', '.join(states)}."


def _text(x: float, y: float, text: str, colour: str, *, anchor: str = "middle", weight: int = 400) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" fill="var(--pmdswp-{colour})" font-size="12" font-weight="{weight}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def _bars(lane: Lane, left: float, y: float) -> Iterator[str]:
    """A bar for each stretch of steps with one name, and a dot at each step that changed something below the name."""
    place = 0
    for key, group in groupby(lane.spots, key=lambda spot: (spot.name, spot.tone) if spot else ("", "")):
        spots = list(group)
        x, length = left + place * _STEP, len(spots) * _STEP
        place += len(spots)
        name, tone = key
        if not name:
            continue
        dashes = ' stroke-dasharray="3 3"' if tone == "zero" else ""
        yield (
            f'<rect x="{x + 1:g}" y="{y}" width="{length - 2}" height="{_BAR}" rx="4" fill="var(--pmdswp-{tone}-fill)" '
            f'stroke="var(--pmdswp-{tone}-edge)" stroke-width="1.5"{dashes}/>'
        )
        fits = int((length - 6) / _LETTER)
        label = name if len(name) <= fits else f"{name[: fits - 1]}…"
        yield _text(x + length / 2, y + _BAR / 2 + 4, label, f"{tone}-ink", weight=600)
        for number, spot in enumerate(filter(None, spots)):
            yield from _step(spot, x + number * _STEP, y, tone, is_first=number == 0)


def _step(spot: Spot, x: float, y: float, tone: str, *, is_first: bool) -> Iterator[str]:
    """What the pointer is told of one step, and its dot."""
    if spot.changed and not is_first:
        yield f'<circle cx="{x + 1:g}" cy="{y + _BAR - 5:g}" r="3.5" fill="var(--pmdswp-{tone}-edge)"/>'
    yield (
        f'<rect x="{x:g}" y="{y}" width="{_STEP}" height="{_BAR}" fill="transparent">'
        f"<title>{escape(spot.detail)}</title></rect>"
    )
