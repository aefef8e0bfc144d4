"""Sphinx directives for layouts and decoded words. Needs Sphinx; add ``"pmdswp.sphinxext"`` to `extensions`.

``.. pmdswp-layout:: ARCH`` is the table of a layout, ``.. pmdswp-diagram:: ARCH`` its picture,
``.. pmdswp-compare:: [ARCH...]`` the comparison tables, and ``.. pmdswp-word:: ARCH WORD`` a decoded word. All but the
comparison take ``:level:`` (pmd is the default) and every option of `pmdswp.get`, with dashes: ``:kernel: 7.3``,
``:page-size: 16384``, ``:la57: true``. Table and picture take ``:form:`` (swap, which is the default, page or table).
`docs/how-to/document-your-layout.md` shows them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from typing import TYPE_CHECKING, ClassVar, cast

from pmdswp import __version__
from pmdswp.arch import ARCHITECTURES, Arch, Level, get_with, option_examples
from pmdswp.errors import PmdSwpError, UnsupportedError
from pmdswp.render import formats, rst
from pmdswp.render.ascii import diagram_lines
from pmdswp.render.comparison import comparison
from pmdswp.render.document import Block, Diagram, Paragraph, Section
from pmdswp.render.svg import svg
from pmdswp.render.tables import layout_section, title
from pmdswp.render.text import Palette, entry_block
from pmdswp.softleaf import FORMS, LEVELS, FormName
from pmdswp.words import parse_word

try:
    from docutils import nodes
    from docutils.parsers.rst import directives
    from sphinx.util.docutils import SphinxDirective
except ImportError as error:
    raise ImportError("pmdswp.sphinxext needs Sphinx: pip install pmdswp[sphinx]", name="sphinx") from error

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec
    from sphinx.writers.html5 import HTML5Translator

__all__ = ["ComparisonDirective", "DiagramDirective", "LayoutDirective", "WordDirective", "setup"]


class diagram(nodes.literal_block):  # noqa: N801  # docutils finds visitors by the node's name
    """A picture for HTML; for every other output the literal block that it is, with boxes of characters."""


def _visit_diagram_html(translator: HTML5Translator, node: nodes.Element) -> None:
    translator.body.append(f'<div class="pmdswp-figure">{node["svg"]}</div>')
    raise nodes.SkipNode


def _truth(text: str) -> bool:
    answers = {"": True, "true": True, "yes": True, "false": False, "no": False}
    answer = answers.get((text or "").lower())
    if answer is None:
        raise ValueError(f"{text!r} is neither true nor false")
    return answer


def _number(text: str) -> int | None:
    return None if (text or "").lower() == "none" else int(text or "", 0)


def _text(text: str) -> str:
    return directives.unchanged_required(text)


def _level(text: str) -> str:
    return directives.choice(text, LEVELS)


def _form(text: str) -> str:
    return directives.choice(text, FORMS)


def _readers() -> dict[str, Callable[[str], object]]:
    """The options of `pmdswp.get` as options of a directive."""
    by_type: dict[type, Callable[[str], object]] = {bool: _truth, str: _text}
    return {
        name.replace("_", "-"): by_type.get(type(option.examples[0]), _number)
        for name, option in option_examples().items()
    }


def _known(name: str, option: str, allowed: Iterable[str]) -> str:
    if name not in allowed:
        raise UnsupportedError(f":{option}: {name!r}; allowed: {', '.join(allowed)}")
    return name


class _Directive(SphinxDirective):
    """What the directives share: an architecture with its options, and documents made of RST."""

    required_arguments = 1
    option_spec: ClassVar[OptionSpec] = {"level": _level, "form": _form, **_readers()}

    @property
    def arch(self) -> Arch:
        """The configuration that the argument and the options ask for."""
        names = (name.replace("_", "-") for name in option_examples())
        given = {name.replace("-", "_"): self.options[name] for name in names if name in self.options}
        return get_with(self.arguments[0], given)

    @property
    def level(self) -> Level:
        """The level asked for."""
        return self.arch.level(self.options.get("level", "pmd"))

    @property
    def form(self) -> FormName:
        """The form of the words asked for."""
        return cast("FormName", self.options.get("form", "swap"))

    def run(self) -> list[nodes.Node]:
        """The nodes; what the library refuses is an error at the directive."""
        try:
            return list(self.content_nodes())
        except PmdSwpError as error:
            raise self.error(str(error)) from None

    @abstractmethod
    def content_nodes(self) -> Iterable[nodes.Node]:
        """The nodes; may raise a `PmdSwpError`."""

    def block_nodes(self, block: Block) -> list[nodes.Node]:
        """One block of a document."""
        if isinstance(block, Diagram):
            lines = "\n".join(diagram_lines(block))
            page = "".join(character if character.isalnum() else "-" for character in self.env.docname)
            ident = f"pmdswp-{page}-{self.env.new_serialno('pmdswp')}"
            return [diagram(lines, lines, svg=svg(block, heading=False, ident=ident), language="text")]
        made = self.parse_text_to_nodes("\n".join(rst.block(block, rst.grid_table)))
        for node in made:
            if isinstance(node, nodes.table):
                node["classes"].append("pmdswp")
        return made

    def section_nodes(self, section: Section) -> Iterator[nodes.Node]:
        """A section of a document under a rubric, so that it can be anywhere."""
        yield nodes.rubric(section.title, section.title)
        for block in section.blocks:
            yield from self.block_nodes(block)


class LayoutDirective(_Directive):
    """The table of fields; ``:with:`` adds diagram, predicates and the like, or all of them.

    A swap entry has geometry, types and hazards too, a present one attributes.
    """

    option_spec: ClassVar[OptionSpec] = {**_Directive.option_spec, "with": _text}

    def content_nodes(self) -> Iterator[nodes.Node]:
        section = layout_section(self.level, self.form)
        _, picture, fields = section.blocks
        names = ("predicates", "geometry", "types", "hazards") if self.form == "swap" else ("predicates", "attributes")
        more = dict(zip(names, section.sections, strict=False))
        wanted = self.options.get("with", "").split()
        for name in wanted:
            _known(name, "with", ("diagram", *more, "all"))
        yield nodes.rubric(section.title, section.title)
        if {"diagram", "all"} & {*wanted}:
            yield from self.block_nodes(picture)
        yield from self.block_nodes(fields)
        for name, inner in more.items():
            if {name, "all"} & {*wanted}:
                yield from self.section_nodes(inner)


class DiagramDirective(_Directive):
    """The picture of a layout."""

    def content_nodes(self) -> Iterator[nodes.Node]:
        yield from self.block_nodes(formats.diagram(self.level, self.form))


class ComparisonDirective(_Directive):
    """Comparison tables of the architectures named, or of all; ``:tables:`` names some of them."""

    required_arguments = 0
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[OptionSpec] = {"tables": _text}

    def content_nodes(self) -> Iterator[nodes.Node]:
        names = self.arguments[0].split() if self.arguments else list(ARCHITECTURES)
        sections = comparison([get_with(name, {}).name for name in names]).sections
        tables = dict(zip(("fields", "attributes", "limits", "levels", "types", "revisions"), sections, strict=True))
        wanted: list[str] = self.options["tables"].split() if "tables" in self.options else list(tables)
        for name in wanted:
            yield from self.section_nodes(tables[_known(name, "tables", tables)])


class WordDirective(_Directive):
    """A word in full, as ``pmdswp decode`` prints it, under the picture of its layout."""

    required_arguments = 2

    def content_nodes(self) -> Iterator[nodes.Node]:
        level, word = self.level, parse_word(self.arguments[1])
        lines = "\n".join(entry_block(level.arch, level.decode(word), Palette()))
        yield from self.block_nodes(Paragraph(f"`{word:#018x}` as the {title(level)}:"))
        yield nodes.literal_block(lines, lines, language="text")


def _add_style(app: Sphinx) -> None:
    app.config.html_static_path.append(str(resources.files("pmdswp.render") / "web" / "sphinx"))
    app.add_css_file("pmdswp.css")


def setup(app: Sphinx) -> ExtensionMetadata:
    """What Sphinx calls."""
    app.connect("builder-inited", _add_style)
    app.add_node(diagram, html=(_visit_diagram_html, None))
    app.add_directive("pmdswp-layout", LayoutDirective)
    app.add_directive("pmdswp-diagram", DiagramDirective)
    app.add_directive("pmdswp-compare", ComparisonDirective)
    app.add_directive("pmdswp-word", WordDirective)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
