"""The site: ``nox -s docs`` builds it into docs/_build/html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

import pmdswp
from pmdswp.render.decoder import page

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "pmdswp"
copyright = "the pmdswp authors"  # noqa: A001  # Sphinx's name
version = release = pmdswp.__version__

extensions = ["myst_parser", "pmdswp.sphinxext", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "reference/c", "reference/kernel-doc"]
myst_heading_anchors = 3
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "undoc-members": False, "exclude-members": "count, index"}
python_use_unqualified_type_names = True

smartquotes = False  # subjects of commits are quoted as the kernel quotes them

html_theme = "furo"
html_title = "pmdswp"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = [
    "reference/pmdswp.1",
    "reference/layout.schema.json",
    "reference/entry.schema.json",
    "reference/layouts.ndjson",
]


def inline_pictures(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Put SVG files into the page itself, where they follow the theme that the reader has chosen."""
    if app.builder.format == "html":
        for image in list(doctree.findall(nodes.image)):
            picture = Path(app.srcdir, image["uri"])
            text = picture.read_text(encoding="utf-8") if picture.suffix == ".svg" else ""
            if 'class="pmdswp-diagram' in text:
                figure = f'<div class="pmdswp-figure">{text}</div>'
                image.parent.replace(image, nodes.raw("", figure, format="html"))


def mark_generated_tables(_app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give the tables of layouts in the reference the style of the directives' tables: bit ranges do not break."""
    if docname.startswith("reference/") and not docname.startswith("reference/model-"):
        for table in doctree.findall(nodes.table):
            table["classes"].append("pmdswp")


def write_decoder(app: Sphinx, error: Exception | None) -> None:
    """Put the interactive decoder beside the pages."""
    if error is None and app.builder.format == "html":
        Path(app.outdir, "decoder.html").write_text(page(documentation="index.html"), encoding="utf-8")


SINCE = {
    name: version
    for version, names in json.loads(Path(__file__).with_name("since.json").read_text(encoding="utf-8")).items()
    for name in names
}
"""Public name -> the version that brought it."""


def tell_version(_app: Sphinx, _what: str, name: str, _found: object, _options: object, lines: list[str]) -> None:
    """Say below the text of a public name which version brought it."""
    if name in SINCE:
        lines.extend(("", f".. versionadded:: {SINCE[name]}", ""))


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", tell_version)
    app.connect("doctree-resolved", inline_pictures)
    app.connect("doctree-resolved", mark_generated_tables)
    app.connect("build-finished", write_decoder)
