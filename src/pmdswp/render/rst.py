"""reStructuredText, as kernel documentation has it: grid tables, or list-tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from pmdswp.render.ascii import diagram_lines
from pmdswp.render.document import Block, Diagram, Paragraph, Picture, Section, Table, inline

__all__ = ["grid_table", "list_table", "write"]

TableWriter = Callable[[Table], Iterator[str]]

_UNDERLINES = "=-~^"
"""Of titles, from the outermost level inwards."""

_WIDEST = 44
"""Characters of a cell of a grid table before it breaks into lines."""

_WIDTH = 100
"""Characters of a line of running text."""


def _text(text: str) -> str:
    return "".join(f"``{piece}``" if is_code else _escaped(piece) for is_code, piece in inline(text))


def _escaped(text: str) -> str:
    # a dash at the start would begin a list
    text = re.sub(r"^-(?= |$)", r"\\-", text)
    return re.sub(r"([*|`]|\\(?!-)|_\b)", r"\\\1", text)


def grid_table(table: Table) -> Iterator[str]:
    """A table drawn with lines."""
    rows = [[_lines(_text(cell)) for cell in row] for row in (table.head, *table.rows)]
    widths = [max(len(line) for row in rows for line in row[i]) for i in range(len(table.head))]
    yield _rule(widths, "-")
    for number, row in enumerate(rows):
        for lines in zip_longest(*row, fillvalue=""):
            yield "|" + "|".join(f" {line:<{width}} " for line, width in zip(lines, widths, strict=True)) + "|"
        yield _rule(widths, "-" if number else "=")


def _lines(text: str) -> list[str]:
    # a cell that is code alone does not break: an expression reads best whole
    return [text] if re.fullmatch("``[^`]+``", text) else _wrapped(text, _WIDEST) or [""]


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _rule(widths: Sequence[int], character: str) -> str:
    return "+" + "+".join(character * (width + 2) for width in widths) + "+"


def list_table(table: Table) -> Iterator[str]:
    """A table as the `list-table` directive."""
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield ""
    for row in (table.head, *table.rows):
        for number, cell in enumerate(row):
            yield f"   {' ' if number else '*'} - {_text(cell)}".rstrip()


def block(block: Block, table_writer: TableWriter) -> Iterator[str]:
    """The lines of one block."""
    if isinstance(block, Paragraph):
        yield from _wrapped(_text(block.text), _WIDTH)
    elif isinstance(block, Diagram):
        yield "::"
        yield ""
        yield from (f"  {line}".rstrip() for line in diagram_lines(block))
    elif isinstance(block, Picture):
        yield f".. image:: {block.path}"
        yield f"   :alt: {block.text}"
    else:
        yield from table_writer(block)


def write(section: Section, table_writer: TableWriter = grid_table, depth: int = 0) -> Iterator[str]:
    """The lines of a section; `depth` is 0 for the title of a page."""
    title = _text(section.title)
    yield title
    yield _UNDERLINES[depth] * len(title)
    yield ""
    for part in section.blocks:
        yield from block(part, table_writer)
        yield ""
    for inner in section.sections:
        yield from write(inner, table_writer, depth + 1)
