"""Markdown with the tables of GitHub and MyST."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pmdswp.render.ascii import diagram_lines
from pmdswp.render.document import Block, Diagram, Paragraph, Picture, Section, Table, code, inline

__all__ = ["pipe_table", "write"]


def _text(text: str) -> str:
    return "".join(code(piece) if is_code else _escaped(piece) for is_code, piece in inline(text))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_<\[\]|]|&(?=[#\w]+;))", r"\\\1", text)


def _cell(text: str) -> str:
    # a bar parts the cells even in code
    return "".join(code(piece).replace("|", r"\|") if is_code else _escaped(piece) for is_code, piece in inline(text))


def pipe_table(table: Table) -> Iterator[str]:
    """A table with bars between the cells."""
    yield f"| {' | '.join(map(_cell, table.head))} |"
    yield f"|{'---|' * len(table.head)}"
    for row in table.rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        # a dash at the start would begin a list
        yield re.sub(r"^(?=- )", r"\\", _text(block.text))
    elif isinstance(block, Diagram):
        yield "```text"
        yield from diagram_lines(block)
        yield "```"
    elif isinstance(block, Picture):
        yield f"![{_text(block.text)}]({block.path})"
    else:
        yield from pipe_table(block)


def write(section: Section, depth: int = 0) -> Iterator[str]:
    """The lines of a section; `depth` is 0 for the title of a page."""
    yield f"{'#' * (depth + 1)} {_text(section.title)}"
    yield ""
    for block in section.blocks:
        yield from _block(block)
        yield ""
    for inner in section.sections:
        yield from write(inner, depth + 1)
