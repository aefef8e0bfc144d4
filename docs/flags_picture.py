"""The picture of the lower bits of every swap entry, where the flags are, as SVG out of the layouts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from pmdswp.arch import ARCHITECTURES, Level
from pmdswp.layout import Field, FieldKind
from pmdswp.render.fields import symbol
from pmdswp.render.palette import tone_name
from pmdswp.render.svg import STYLE
from pmdswp.render.variants import fullest
from pmdswp.revisions import KERNELS

__all__ = ["flags_picture"]

BITS = 24
"""All flags are below this bit: `_rows` fails when one is not."""
CELL, ROW, LEFT, TOP, MARGIN = 17, 30, 100, 30, 8
WIDTH = LEFT + BITS * CELL + MARGIN


def flags_picture() -> str:
    """One row for each architecture, and for its PTE and its PMD where the two differ."""
    rows = list(_rows())
    height = TOP + len(rows) * ROW + 30
    said = "; ".join(f"{label}: {_flags(fields)}" for label, fields in rows)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    named = 'role="img" aria-labelledby="flags-title flags-desc"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pmdswp-diagram pmdswp-sketch" {size} {named}>',
        '<title id="flags-title">Where each flag of a swap entry is</title>',
        f'<desc id="flags-desc">Bits {BITS - 1} to 0 of swap entries. {escape(said)}.</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="pmdswp-paper" width="{WIDTH}" height="{height}" rx="6"/>',
        _text(MARGIN, TOP - 8, "bit", anchor="start"),
        *(_text(_x(bit) + CELL / 2, TOP - 8, str(bit), size=10) for bit in range(BITS)),
    ]
    for number, (label, fields) in enumerate(rows):
        top = TOP + number * ROW
        name, level = label.split(" ", 1)
        parts.append(_text(MARGIN, top + 12, name, anchor="start", weight=600))
        parts.append(_text(MARGIN, top + 23, level, "pmdswp-muted", size=9, anchor="start"))
        for field in fields:
            parts.extend(_box(field, top))
    key = "E exclusive (in PMDs with the series), SD soft-dirty, UF uffd; digits: must be so; X: ignored"
    parts.append(_text(MARGIN, height - 12, key, "pmdswp-muted", size=11, anchor="start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows() -> Iterator[tuple[str, tuple[Field, ...]]]:
    """Architecture and levels -> the fields that have a bit below `BITS`, of the newest kernel with all flags."""
    for name in ARCHITECTURES:
        arch = fullest(name, KERNELS[-1])
        found: dict[tuple[tuple[int, int, str], ...], list[Level]] = {}
        for level in (arch.pte, arch.pmd):
            shape = tuple((field.lsb, field.width, symbol(field)) for field in level.require_layout())
            found.setdefault(shape, []).append(level)
        for levels in found.values():
            layout = levels[0].require_layout()
            outside = [field.name for field in layout if field.kind is FieldKind.FLAG and field.lsb >= BITS]
            if outside:
                msg = f"{name}: {outside} above bit {BITS}"
                raise ValueError(msg)
            label = " and ".join(level.label for level in levels)
            yield f"{name} {label}", tuple(field for field in layout if field.lsb < BITS)


def _flags(fields: tuple[Field, ...]) -> str:
    """The flags in words."""
    flags = [f"{field.name} bit {field.lsb}" for field in fields if field.kind is FieldKind.FLAG]
    return ", ".join(flags) or "no flag"


def _x(bit: int) -> int:
    return LEFT + (BITS - 1 - bit) * CELL


def _box(field: Field, top: int) -> Iterator[str]:
    high = min(field.msb, BITS - 1)
    x, width = _x(high), (high - field.lsb + 1) * CELL
    tone = tone_name(field)
    yield f'<rect class="pmdswp-{tone}" x="{x + 1}" y="{top}" width="{width - 2}" height="{ROW - 6}" rx="2"/>'
    text = symbol(field)
    if width >= 7 * len(text):
        yield _text(x + width / 2, top + ROW / 2 + 1, text, f"pmdswp-code pmdswp-{tone}-ink", size=11, weight=600)


def _text(
    x: float,
    y: float,
    text: str,
    style: str = "pmdswp-ink",
    *,
    size: int = 12,
    anchor: str = "middle",
    weight: int = 400,
) -> str:
    font = f'font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" class="{style}" {font}>{escape(text)}</text>'
