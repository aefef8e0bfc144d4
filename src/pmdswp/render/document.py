"""A document as data: sections of paragraphs, tables and diagrams, for the writers of RST, Markdown and HTML.

Text is plain but for `code` between backticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pmdswp.arch import Level
from pmdswp.layout import WordLayout
from pmdswp.softleaf import FormName

__all__ = ["Block", "Diagram", "Paragraph", "Picture", "Section", "Table", "code", "inline", "marked", "plain"]


class Paragraph(NamedTuple):
    """Running text."""

    text: str


class Table(NamedTuple):
    """A table with one head row; every row has as many cells."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Diagram(NamedTuple):
    """The picture of the layout of one form of the words of a level.

    `msb0`: bits are numbered from the most significant one as well.
    """

    level: Level
    msb0: bool
    form: FormName = "swap"

    @property
    def layout(self) -> WordLayout:
        """The layout; `UnsupportedError` where the level does not have the form."""
        return self.level.require_form(self.form)


class Picture(NamedTuple):
    """A picture in a file beside the document, with what it shows."""

    text: str
    path: str


Block = Paragraph | Table | Diagram | Picture


class Section(NamedTuple):
    """A title, what is below it, and sections one level down."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


def code(text: object) -> str:
    """`text` in fixed width; nothing for no text."""
    return f"`{text}`" if str(text) else ""


# what kernel names look like in a sentence: they have an underscore, or are called
_NAME = re.compile(r"\b[A-Za-z]\w*\(\)|(?<![\w`])(?:[A-Za-z]\w*)?_[A-Za-z0-9_]+(?:\(\))?")


def marked(text: str) -> str:
    """`text` with the kernel's names in it in fixed width."""
    pieces = inline(text)
    return "".join(code(piece) if is_code else _NAME.sub(r"`\g<0>`", piece) for is_code, piece in pieces)


def inline(text: str) -> Iterator[tuple[bool, str]]:
    """The pieces of a text, each with whether it is code."""
    for i, piece in enumerate(text.split("`")):
        if piece:
            yield i % 2 == 1, piece


def plain(text: str) -> str:
    """A text without its marks."""
    return text.replace("`", "")
