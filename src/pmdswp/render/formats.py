"""Every form in which layouts can be written: `layout` one, `collection` several, `compare` side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pmdswp.arch import Arch, Level, configurations
from pmdswp.arch.compiler import expressions
from pmdswp.config import show
from pmdswp.errors import UnsupportedError
from pmdswp.render import ascii as ascii_comment
from pmdswp.render import html, markdown, rst
from pmdswp.render.comparison import comparison
from pmdswp.render.document import Diagram, Section
from pmdswp.render.records import layout_record
from pmdswp.render.svg import svg
from pmdswp.render.tables import PREDICATES, layout_section, title
from pmdswp.render.text import Palette, layout_table
from pmdswp.softleaf import FormName, LevelName

__all__ = ["FORMATS", "collection", "compare", "diagram", "distinct", "file_name", "layout"]


class _Format(NamedTuple):
    """A file ending, and how several layouts are written; `document` writes any section, for formats that can."""

    suffix: str
    write: Callable[[Sequence[Diagram]], Iterator[str]]
    document: Callable[[Section], Iterator[str]] | None = None


def _of_each(
    lines: Callable[[Diagram], Iterable[str]], between: str = ""
) -> Callable[[Sequence[Diagram]], Iterator[str]]:
    """A writer that puts one layout below the other."""

    def write(diagrams: Sequence[Diagram]) -> Iterator[str]:
        for number, one in enumerate(diagrams):
            if number:
                yield between
            yield from lines(one)

    return write


def _of_sections(writer: Callable[[Section], Iterator[str]], suffix: str) -> _Format:
    return _Format(suffix, _of_each(lambda one: writer(layout_section(one.level, one.form, msb0=one.msb0))), writer)


def _rst_list(section: Section) -> Iterator[str]:
    return rst.write(section, rst.list_table)


def _text(diagram: Diagram) -> Iterator[str]:
    return layout_table(diagram.level, Palette(), diagram.form, msb0=diagram.msb0)


def _comment(diagram: Diagram) -> Iterator[str]:
    return ascii_comment.comment(title(diagram.level, diagram.form), diagram)


def _json(diagrams: Sequence[Diagram]) -> Iterator[str]:
    return (json.dumps(layout_record(one.level, one.form)) for one in diagrams)


def _svg(diagrams: Sequence[Diagram]) -> Iterator[str]:
    if len(diagrams) > 1:
        raise UnsupportedError("one SVG holds one picture: name one architecture and one level, or a directory")
    return (svg(one) for one in diagrams)


def _html(diagrams: Sequence[Diagram]) -> Iterator[str]:
    return html.page(
        [layout_section(one.level, one.form, msb0=one.msb0) for one in diagrams], "Page-table entry layouts"
    )


FORMATS: Mapping[str, _Format] = {
    "text": _Format("txt", _of_each(_text)),
    "rst": _of_sections(rst.write, "rst"),
    "rst-list": _of_sections(_rst_list, "rst"),
    "markdown": _of_sections(markdown.write, "md"),
    "ascii": _Format("h", _of_each(_comment)),
    "json": _Format("json", _json),
    "svg": _Format("svg", _svg),
    "html": _Format("html", _html, lambda section: html.page([section], section.title)),
}
"""The formats by name."""


def _format(name: str) -> _Format:
    if name not in FORMATS:
        raise UnsupportedError(f"no format {name!r}; allowed: {', '.join(FORMATS)}")
    return FORMATS[name]


def layout(
    arch: Arch, level: LevelName, format: str = "text", form: FormName = "swap", *, msb0: bool | None = None
) -> str:
    """The layout of one form of the words of a level in one of the `FORMATS`, with a line feed at the end.

    `msb0`: whether to number bits from the most significant one as well; None where the architecture's manuals do.
    `UnsupportedError` for an unknown format or level, and for a form that the level does not have.
    """
    return collection([diagram(arch.level(level), form, msb0=msb0)], format)


def diagram(level: Level, form: FormName = "swap", *, msb0: bool | None = None) -> Diagram:
    """What is written of one form; `UnsupportedError` where the level does not have it. `msb0` as in `layout`."""
    level.require_form(form)
    return Diagram(level, level.arch.architecture.msb0 if msb0 is None else msb0, form)


def collection(diagrams: Sequence[Diagram], format: str) -> str:
    """Several layouts in one text; `UnsupportedError` for several in one SVG."""
    return "\n".join(_format(format).write(diagrams)).rstrip("\n") + "\n"


def compare(names: Sequence[str], format: str) -> str:
    """The comparison of these architectures; `UnsupportedError` for a format that has no tables."""
    document = _format(format).document
    if document is None:
        allowed = ", ".join(name for name, known in FORMATS.items() if known.document is not None)
        raise UnsupportedError(f"no comparison in format {format!r}; allowed: {allowed}")
    return "\n".join(document(comparison(names))).rstrip("\n") + "\n"


def distinct(names: Iterable[str], *forms: FormName) -> Iterator[tuple[Level, FormName]]:
    """Every layout, of these forms and architectures, that differs from the others in a field or a predicate.

    It is given by the first configuration that has it.
    """
    seen: set[object] = set()
    for arch in configurations(*names, numbers=False):
        has_swap_alone = forms == ("swap",)
        texts = expressions(arch) if has_swap_alone else expressions(arch) | expressions(arch, present=True)
        levels = [arch.level(name) for name in arch.levels] if has_swap_alone else arch.tables
        for level in levels:
            for form in forms:
                layout = level.layout if form == "swap" else level.forms.get(form)
                if layout is None:
                    continue
                told = (texts[predicate] for predicate in PREDICATES[level.name])
                shown = (arch.name, level.name, form, layout, *told)
                if shown not in seen:
                    seen.add(shown)
                    yield level, form


def file_name(diagram: Diagram, format: str) -> str:
    """A name for the file of one layout: architecture, level, form unless it is swap, kernel and options."""
    level, form = diagram.level, "" if diagram.form == "swap" else f"-{diagram.form}"
    arch = level.arch
    options = "".join(f"-{name}-{show(value)}" for name, value in arch.config.chosen if name != "kernel")
    name = f"{arch.name}-{level.name}{form}-{arch.kernel}{options}".replace("'", "")
    return f"{name}.{_format(format).suffix}"
