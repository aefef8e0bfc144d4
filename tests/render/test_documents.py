"""What a document says comes through every writer unharmed, whatever characters it is written with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from docutils import nodes
from hypothesis import example, given
from hypothesis import strategies as st

import pmdswp
from pmdswp.render import formats, html, markdown, rst
from pmdswp.render.ascii import boxes
from pmdswp.render.document import Diagram, Paragraph, Picture, Section, Table, inline, marked, plain
from pmdswp.render.formats import Slot
from pmdswp.render.tables import size
from render.layouts import default_layouts
from render.pages import Page
from render.tables import doctree, markdown_grids, markdown_text, markdown_tree, rst_grids

PLAIN = (
    "word",
    "a|b",
    "|",
    "||",
    "*",
    "*bold*",
    "**",
    "x_",
    "_x",
    "_x_",
    "a_b",
    "__",
    "<",
    "<b>",
    "&",
    "&amp;",
    "&#35;",
    "\\",
    "\\*",
    "-",
    "--",
    "+",
    "#",
    ">",
    "[a](b)",
    "!",
    "~",
    "1.",
    "a:",
    '"',
    "0-24",
    "(v",
    "v)",
)
CODE = ("v", "(v & 0x1) != 0x0", "a | b", "|", "x_", "_x_", "*", "<b>", "&amp;", "\\", "a\\", "-")

TEXTS = st.lists(
    st.sampled_from(PLAIN) | st.sampled_from(CODE).map(lambda piece: f"`{piece}`"), min_size=1, max_size=8
).map(" ".join)
"""Words and code, with a space between them."""


class Read(NamedTuple):
    """What comes out of a document: titles, paragraphs, tables, and the pieces of code of all of it."""

    titles: list[str]
    paragraphs: list[str]
    tables: list[list[tuple[str, ...]]]
    code: list[str]


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))


def read_rst(text: str) -> Read:
    tree = doctree(text)
    titles = [node.astext() for node in tree.findall(nodes.Titular)]
    paragraphs = [node for node in tree.findall(nodes.paragraph) if not isinstance(node.parent, nodes.entry)]
    return Read(
        titles,
        [_one_line(node.astext()) for node in paragraphs],
        [[grid.head, *grid.cells] for grid in rst_grids(text)],
        [_one_line(node.astext()) for node in tree.findall(nodes.literal)],
    )


def read_markdown(text: str) -> Read:
    tree = list(markdown_tree(text).walk())
    return Read(
        [markdown_text(node) for node in tree if node.type == "heading"],
        [_one_line(markdown_text(node)) for node in tree if node.type == "paragraph"],
        [[grid.head, *grid.cells] for grid in markdown_grids(text)],
        [node.content for node in tree if node.type == "code_inline"],
    )


def read_html(text: str) -> Read:
    page = Page(text)
    cells = [*page.texts("th"), *page.texts("td")]
    columns = len(page.texts("th"))
    rows = [tuple(cells[i : i + columns]) for i in range(0, len(cells), columns or 1)]
    return Read(
        [text for tag in ("h1", "h2", "h3", "h4") for text in page.texts(tag)],
        page.texts("p"),
        [rows] if rows else [],
        page.texts("code"),
    )


def _write(section: Section, format: str) -> str:
    writer = formats.FORMATS[format].document
    assert writer
    return "\n".join(writer(section)) + "\n"


READ: Mapping[str, Callable[[str], Read]] = {
    "rst": read_rst,
    "rst-list": read_rst,
    "markdown": read_markdown,
    "html": read_html,
}

EVERY_FORMAT = pytest.mark.parametrize("format", READ)


def code_of(*texts: str) -> list[str]:
    return [piece for text in texts for is_code, piece in inline(text) if is_code]


@EVERY_FORMAT
@given(text=TEXTS)
@example(text="- not a list")
@example(text="-")
@example(text="1. not a list")
@example(text="`code` first")
@example(text="| not a line block")
def test_a_paragraph_reads_as_it_was_written(format: str, text: str) -> None:
    read = READ[format](_write(Section("Title", (Paragraph(text),)), format))
    assert read.paragraphs == [plain(text)]
    assert read.code == code_of(text)
    assert read.titles == ["Title"]


@EVERY_FORMAT
@given(title=TEXTS)
def test_a_title_reads_as_it_was_written(format: str, title: str) -> None:
    read = READ[format](_write(Section(title, (Paragraph("Text."),)), format))
    assert read.titles == [plain(title)]
    assert read.paragraphs == ["Text."]


@EVERY_FORMAT
@given(cells=st.lists(TEXTS | st.just(""), min_size=4, max_size=4))
@example(cells=["-", "`a | b`", "long words " * 10 + "`and (v & 0x1) != 0x0`", ""])
def test_a_table_reads_as_it_was_written(format: str, cells: list[str]) -> None:
    cells = [cell.strip() for cell in cells]
    table = Table(("Head", "`code`"), (tuple(cells[:2]), tuple(cells[2:])))
    read = READ[format](_write(Section("Title", (table,)), format))
    assert read.tables == [[("Head", "code"), tuple(map(plain, cells[:2])), tuple(map(plain, cells[2:]))]]
    assert read.code == code_of("`code`", *cells)
