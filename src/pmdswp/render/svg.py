"""The picture of a layout: 64 bits in two rows of 32, as SVG for light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from textwrap import wrap
from typing import NamedTuple

from pmdswp.layout import Field, FieldKind
from pmdswp.render.document import Diagram
from pmdswp.render.fields import lsb0_bits, msb0_bits, numbered_bits, symbol
from pmdswp.render.palette import DARK, LIGHT, Theme, tone_name
from pmdswp.render.tables import title

__all__ = ["STYLE", "svg"]

# sizes in pixels
_CELL = 26
_BOX = 42
_MARGIN = 14
_TITLE_LINE = 20
_NUMBERS = 16
_GAP = 14
_KEY_LINE = 22
_ROW_BITS = 32
_WIDTH = _ROW_BITS * _CELL + 2 * _MARGIN
_TITLE_CHARACTERS = 86
"""Of a line of the title at 16 px."""


class _Part(NamedTuple):
    """The part of a field that is in one row."""

    field: Field
    high: int
    low: int

    @property
    def width(self) -> int:
        return (self.high - self.low + 1) * _CELL

    @property
    def x(self) -> int:
        """Left edge."""
        return _MARGIN + (_ROW_BITS - 1 - self.high % _ROW_BITS) * _CELL


def _theme_rules(theme: Theme, scope: str = "") -> str:
    """CSS rules that give a picture the colours of a theme."""
    rules = [
        f"{scope}.pmdswp-paper{{fill:{theme.paper}}}",
        f"{scope}.pmdswp-ink{{fill:{theme.ink}}}",
        f"{scope}.pmdswp-muted{{fill:{theme.muted}}}",
    ]
    for name, tone in theme.tones.items():
        rules.append(f"{scope}.pmdswp-{name}{{fill:{tone.fill};stroke:{tone.edge}}}")
        rules.append(f"{scope}.pmdswp-{name}-ink{{fill:{tone.ink}}}")
        rules.append(f"{scope}.pmdswp-{name}-edge{{stroke:{tone.edge}}}")
    return "".join(rules)


STYLE = (
    ".pmdswp-diagram{font-family:system-ui,sans-serif}"
    ".pmdswp-code{font-family:ui-monospace,monospace}"
    f"{_theme_rules(LIGHT)}@media (prefers-color-scheme:dark){{{_theme_rules(DARK)}}}"
    # a page may let its reader choose
    f"{_theme_rules(LIGHT, '[data-theme=light] ')}{_theme_rules(DARK, '[data-theme=dark] ')}"
)
"""The rules of every picture, for a light and a dark page."""


def svg(diagram: Diagram, *, heading: bool = True, ident: str = "") -> str:
    """The picture as one SVG element.

    `heading`: whether it carries its title in letters. `ident` begins its ids, which the page must not have elsewhere;
    without one they are made of the title.
    """
    layout = diagram.layout
    key = [field for field in reversed(layout.fields) if field.kind is not FieldKind.ZERO]
    name = title(diagram.level, diagram.form)
    title_lines = wrap(name, _TITLE_CHARACTERS) if heading else []
    top = _MARGIN + (len(title_lines) * _TITLE_LINE + _GAP if heading else 0)
    row_height = _NUMBERS * (2 if diagram.msb0 else 1) + _BOX + _GAP
    key_top = top + 2 * row_height + _GAP
    height = key_top + (len(key) + 1) // 2 * _KEY_LINE + _MARGIN // 2
    slug = ident or "".join(character if character.isalnum() else "-" for character in name)
    size = f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="{slug}-title {slug}-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pmdswp-diagram" viewBox="0 0 {_WIDTH} {height}" {size}>',
        f'<title id="{slug}-title">{escape(name)}</title>',
        f'<desc id="{slug}-desc">{escape(_description(diagram))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="pmdswp-paper" width="{_WIDTH}" height="{height}" rx="6"/>',
    ]
    for number, words in enumerate(title_lines):
        y = _MARGIN + 14 + number * _TITLE_LINE
        parts.append(_text(_MARGIN, y, words, "pmdswp-ink", size=16, anchor="start", weight=600))
    for row, highest in enumerate((63, 31)):
        parts.extend(_row(diagram, highest, top + row * row_height))
    for number, field in enumerate(key):
        column, line = divmod(number, (len(key) + 1) // 2)
        parts.extend(_key(field, _MARGIN + column * _WIDTH // 2, key_top + line * _KEY_LINE, msb0=diagram.msb0))
    return "\n".join([*parts, "</svg>"])


def _description(diagram: Diagram) -> str:
    """The picture in words."""
    fields = reversed(diagram.layout.fields)
    named = (f"{numbered_bits(field)}: {field.name}, {field.meaning}" for field in fields)
    return f"The 64 bits of a {diagram.form} {diagram.level.label} from the most significant one. {'; '.join(named)}."


def _text(
    x: float, y: float, text: str, style: str, *, size: int = 11, anchor: str = "middle", weight: int = 400
) -> str:
    font = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" class="{style}" {font}>{escape(text)}</text>'


def _row(diagram: Diagram, highest: int, top: int) -> Iterator[str]:
    lowest = highest - _ROW_BITS + 1
    box_top = top + _NUMBERS
    for field in reversed(diagram.layout.fields):
        if field.lsb <= highest and field.msb >= lowest:
            part = _Part(field, min(field.msb, highest), max(field.lsb, lowest))
            yield from _box(part, box_top)
            yield from _numbers(part, part.high, part.low, box_top - 4)
            if diagram.msb0:
                yield from _numbers(part, 63 - part.high, 63 - part.low, box_top + _BOX + 12, style="pmdswp-muted")


def _box(part: _Part, top: int) -> Iterator[str]:
    tone = tone_name(part.field)
    dashes = ' stroke-dasharray="3 3"' if part.field.kind in {FieldKind.ZERO, FieldKind.IGNORED} else ""
    yield (
        f'<rect class="pmdswp-{tone}" x="{part.x + 1}" y="{top}" width="{part.width - 2}" height="{_BOX}" '
        f'rx="3" stroke-width="1.5"{dashes}/>'
    )
    for bit in range(part.low + 1, part.high + 1):
        # a tick between bits, so that they can be counted
        x = _MARGIN + (_ROW_BITS - bit % _ROW_BITS) * _CELL
        yield f'<path class="pmdswp-{tone}-edge" d="M{x} {top + _BOX - 5}v5" stroke-width="1"/>'
    middle = part.x + part.width / 2
    yield _text(middle, top + _BOX / 2 + 5, symbol(part.field), f"pmdswp-code pmdswp-{tone}-ink", size=13, weight=600)


def _numbers(part: _Part, first: int, last: int, y: int, style: str = "pmdswp-ink") -> Iterator[str]:
    if first == last:
        yield _text(part.x + part.width / 2, y, str(first), style)
        return
    yield _text(part.x + 3, y, str(first), style, anchor="start")
    yield _text(part.x + part.width - 3, y, str(last), style, anchor="end")


def _key(field: Field, x: int, top: int, *, msb0: bool) -> Iterator[str]:
    tone = tone_name(field)
    mark = symbol(field)
    yield f'<rect class="pmdswp-{tone}" x="{x + 1}" y="{top}" width="30" height="16" rx="3" stroke-width="1.5"/>'
    if field.kind not in {FieldKind.VALUE, FieldKind.ADDRESS}:
        yield _text(x + 16, top + 12, mark, f"pmdswp-code pmdswp-{tone}-ink", weight=600)
    bits = f"{lsb0_bits(field)} ({msb0_bits(field)})" if msb0 else lsb0_bits(field)
    yield _text(x + 40, top + 12, bits, "pmdswp-muted pmdswp-code", anchor="start")
    yield _text(x + (130 if msb0 else 90), top + 12, field.name, "pmdswp-ink", size=13, anchor="start", weight=600)
    yield _text(x + (250 if msb0 else 212), top + 12, field.kernel_name, "pmdswp-muted pmdswp-code", anchor="start")
