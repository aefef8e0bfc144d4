"""The tables of a written document, read back by parsers that know nothing of pmdswp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from docutils import nodes
from docutils.core import publish_doctree
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

Row = Mapping[str, str]


class Grid(NamedTuple):
    """A table as read back: its head, and the cells of its rows as plain text."""

    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]

    @property
    def rows(self) -> list[Row]:
        """The rows as mappings from the head."""
        return [dict(zip(self.head, cells, strict=True)) for cells in self.cells]


def doctree(text: str) -> nodes.document:
    """The document in reStructuredText; an error if docutils has anything to say about it."""
    settings = {"report_level": 1, "halt_level": 5, "warning_stream": False}
    tree = publish_doctree(text, settings_overrides=settings)
    messages = [*tree.findall(nodes.system_message), *tree.parse_messages, *tree.transform_messages]
    complaints = [message.astext() for message in messages]
    assert not complaints, "\n".join(complaints)
    return tree


def rst_grids(text: str) -> list[Grid]:
    """Every table of a document in reStructuredText."""
    grids = []
    for table in doctree(text).findall(nodes.table):
        head, *cells = (
            # a cell of a grid table may be broken into lines
            tuple(" ".join(entry.astext().split("\n")) for entry in row.findall(nodes.entry))
            for row in table.findall(nodes.row)
        )
        [of_head] = table.findall(nodes.thead)
        assert len(list(of_head.findall(nodes.row))) == 1
        grids.append(Grid(head, tuple(cells)))
    return grids


def markdown_tree(text: str) -> SyntaxTreeNode:
    """The document in Markdown with GitHub's tables."""
    return SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))


def markdown_text(node: SyntaxTreeNode) -> str:
    """What a reader sees of a node."""
    return node.content if not node.children else "".join(map(markdown_text, node.children))


def markdown_grids(text: str) -> list[Grid]:
    """Every table of a document in Markdown."""
    grids = []
    for table in markdown_tree(text).walk():
        if table.type == "table":
            rows = [row for part in table.children for row in part.children]
            head, *cells = (tuple(markdown_text(cell) for cell in row.children) for row in rows)
            grids.append(Grid(head, tuple(cells)))
    return grids


READERS: Mapping[str, Callable[[str], list[Grid]]] = {
    "rst": rst_grids,
    "rst-list": rst_grids,
    "markdown": markdown_grids,
}
"""How the tables of each format are read."""
