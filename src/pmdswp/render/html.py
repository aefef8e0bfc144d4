"""A self-contained HTML page: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from pmdswp.render.document import Block, Diagram, Paragraph, Picture, Section, Table, inline, plain
from pmdswp.render.palette import style_sheet
from pmdswp.render.svg import svg

__all__ = ["frame", "page", "write"]

_STYLE = """
body { margin: 2rem auto; max-width: 64rem; padding: 0 1rem; color: var(--pmdswp-ink); background: var(--pmdswp-paper);
  font: 16px/1.5 system-ui, sans-serif; color-scheme: light dark; }
h1, h2, h3 { line-height: 1.2; margin: 2rem 0 .6rem; }
code { font: .9em ui-monospace, monospace; }
svg { display: block; max-width: 100%; min-width: 42rem; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { border: 1px solid var(--pmdswp-zero-edge); padding: .25rem .6rem; text-align: left; vertical-align: top; }
td:first-child { white-space: nowrap; }
th { background: var(--pmdswp-zero-fill); }
"""


def _text(text: str) -> str:
    return "".join(f"<code>{escape(piece)}</code>" if is_code else escape(piece) for is_code, piece in inline(text))


def _row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{_text(cell)}</{tag}>' for cell in cells)}</tr>"


def _table(table: Table) -> Iterator[str]:
    yield '<div class="scroll" tabindex="0"><table>'
    yield f"<thead>{_row(table.head, 'th')}</thead>"
    yield "<tbody>"
    yield from (_row(row, "td") for row in table.rows)
    yield "</tbody></table></div>"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"<p>{_text(block.text)}</p>"
    elif isinstance(block, Diagram):
        yield f'<div class="scroll" tabindex="0">{svg(block, heading=False)}</div>'
    elif isinstance(block, Picture):
        yield f'<img src="{escape(block.path)}" alt="{escape(block.text)}">'
    else:
        yield from _table(block)


def write(section: Section, depth: int = 0) -> Iterator[str]:
    """The lines of a section; `depth` is 0 for the title of a page."""
    yield f"<h{depth + 1}>{_text(section.title)}</h{depth + 1}>"
    for block in section.blocks:
        yield from _block(block)
    for inner in section.sections:
        yield from write(inner, depth + 1)


def page(sections: Iterable[Section], title: str) -> Iterator[str]:
    """The lines of a whole page."""
    return frame((line for section in sections for line in write(section)), title)


def frame(lines: Iterable[str], title: str, style: str = "") -> Iterator[str]:
    """The lines of a page around those of its body; `style` is CSS beside that of all pages."""
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(plain(title))}</title>"
    yield f"<style>{style_sheet()}{_STYLE}{style}</style>\n</head>\n<body>\n<main>"
    yield from lines
    yield "</main>\n</body>\n</html>"
