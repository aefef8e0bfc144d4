"""Check every link within the built site, anchors included: ``python docs/check_links.py docs/_build/html``."""

from __future__ import annotations

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """The links of a page, and the anchors that links may lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors = {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"href", "src"} and value is not None:
                self.links.append(value)
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text(encoding="utf-8"))


def broken_links(site: Path) -> list[str]:
    """Every link of the site's pages that leads to no file or to no anchor; links out of the site are left alone."""
    found = []
    for path in sorted(site.rglob("*.html")):
        for link in _page(path).links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if target.is_dir():
                target /= "index.html"
            where = f"{path.relative_to(site)}: {link}"
            if not target.is_file():
                found.append(f"{where}: no such file")
            elif target.suffix == ".html" and unquote(url.fragment) not in _page(target).anchors:
                found.append(f"{where}: no such anchor")
    return found


def main() -> int:
    """Print what is broken."""
    site = Path(sys.argv[1])
    broken = broken_links(site)
    print(*broken, f"{len(list(site.rglob('*.html')))} pages, {len(broken)} broken links", sep="\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
