"""HTML, read back: what a reader sees, and whether every element is closed where it should be."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr"}
"""Elements that have no end tag."""


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text of each; an error if they do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._texts: list[tuple[str, list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            text: list[str] = []
            self._open.append((tag, text))
            self._texts.append((tag, text))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        for _, text in self._open:
            text.append(data)

    def texts(self, tag: str) -> list[str]:
        """The text of every element of that name."""
        return ["".join(text) for name, text in self._texts if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of that name."""
        return [attributes for name, attributes in self.elements if name == tag]
