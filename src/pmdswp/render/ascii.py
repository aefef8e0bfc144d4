"""A layout as a row of boxes in plain characters, which pastes into the comment of a header."""

from __future__ import annotations

from collections.abc import Iterator

from pmdswp.layout import FieldKind, WordLayout
from pmdswp.render.document import Diagram
from pmdswp.render.fields import lsb0_bits, msb0_bits, numbered_bits, symbol

__all__ = ["boxes", "comment", "diagram_lines"]


def boxes(layout: WordLayout, *, msb0: bool) -> Iterator[str]:
    """The fields from bit 63 down: their bits, and below what they hold. MSB0 bits are a third line."""
    fields = list(reversed(layout.fields))
    rows = [[lsb0_bits(field) for field in fields], [symbol(field) for field in fields]]
    if msb0:
        rows.append([msb0_bits(field) for field in fields])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = ("", "", "  MSB0")
    for name, row in zip(names, rows, strict=False):
        cells = " | ".join(f"{cell:^{width}}" for cell, width in zip(row, widths, strict=True))
        yield f"| {cells} |{name}"


def diagram_lines(diagram: Diagram) -> Iterator[str]:
    """A diagram for documents that have no pictures."""
    yield from boxes(diagram.layout, msb0=diagram.msb0)


def comment(title: str, diagram: Diagram) -> Iterator[str]:
    """A C comment with the boxes, and the fields that mean something by name."""
    fields = [
        field
        for field in reversed(diagram.layout.fields)
        if field.kind not in {FieldKind.ZERO, FieldKind.VALUE} and field.meaning
    ]
    lines = [title, "", *diagram_lines(diagram), ""]
    lines += [f"{numbered_bits(field)}: {field.kernel_name}, {field.meaning}" for field in fields]
    yield "/*"
    yield from (f" * {line}".rstrip() for line in lines)
    yield " */"
