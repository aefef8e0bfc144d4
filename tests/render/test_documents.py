"""What a document says comes through every writer unharmed, whatever characters it is written with."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pytest
from docutils import nodes
from hypothesis import example, given, settings
from hypothesis import strategies as st

import pmdswp
from pmdswp.render import formats, html, markdown, rst
from pmdswp.render.ascii import boxes
from pmdswp.render.document import Diagram, Paragraph, Picture, Section, Table, inline, marked, plain
from pmdswp.render.formats import diagram
from pmdswp.render.tables import size
from render.layouts import default_layouts
from render.pages import Page
from render.tables import doctree, markdown_grids, markdown_text, markdown_tree, rst_grids

STARTS = ("word", "- word", "-1", "`v`", "|word", "| word", "*word*", "* word", "_word_", "<b>", "&amp;", "\\word")
WORDS = (
    "word",
    "a_b",
    "a:",
    "0-24",
    "(v",
    "v)",
    "-1",
    "1.",
    '"',
    "-",
    "--",
    "+",
    ">",
    "<",
    "<b>",
    "&",
    "&amp;",
    "&#35;",
)
MARKS = ("a|b", "|", "||", "*", "*bold*", "**", "x_", "_x", "_x_", "__", "\\", "\\*", "[a](b)", "!")
CODE = ("v", "(v & 0x1) != 0x0", "a | b", "|", "x_", "_x_", "*", "<b>", "&amp;", "\\", "a\\", "a\\|b", "-")

# docutils takes a while for each document
FEWER = settings(max_examples=max(10, settings().max_examples // 3))

PIECES = st.sampled_from(WORDS + MARKS) | st.sampled_from(CODE).map(lambda piece: f"`{piece}`")
REST = st.lists(PIECES, max_size=8)
TITLES = REST.map(lambda pieces: " ".join(["Title", *pieces]))
TEXTS = st.tuples(st.sampled_from(STARTS), REST).map(lambda text: " ".join([text[0], *text[1]]))
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
    titles = [node.astext() for node in tree.findall(nodes.title)]
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
@FEWER
@given(title=TITLES, text=TEXTS)
@example(title="Title", text="- not a list")
@example(title="Title", text="* not a list")
@example(title="Title", text="| not a line block")
def test_a_title_and_a_paragraph_read_as_they_were_written(format: str, title: str, text: str) -> None:
    read = READ[format](_write(Section(title, (Paragraph(text),)), format))
    assert read.titles == [plain(title)]
    assert read.paragraphs == [plain(text)]
    assert read.code == code_of(title, text)


@EVERY_FORMAT
@FEWER
@given(cells=st.lists(TEXTS | st.sampled_from(["", "-"]), min_size=4, max_size=4))
@example(cells=["-", "`a | b`", "long words " * 10 + "`and (v & 0x1) != 0x0`", ""])
def test_a_table_reads_as_it_was_written(format: str, cells: list[str]) -> None:
    table = Table(("Head", "`code`"), (tuple(cells[:2]), tuple(cells[2:])))
    read = READ[format](_write(Section("Title", (table,)), format))
    assert read.tables == [[("Head", "code"), tuple(map(plain, cells[:2])), tuple(map(plain, cells[2:]))]]
    assert read.code == code_of("`code`", *cells)


@EVERY_FORMAT
def test_a_picture_in_a_file_keeps_its_path_and_what_it_shows(format: str) -> None:
    text = 'A *swap* _PMD_ [<a> &amp; "b" | c]'
    written = _write(Section("Title", (Picture(text, "swap-pmd.svg"), Paragraph("Below."))), format)
    if format == "html":
        assert Page(written).attributes("img") == [{"src": "swap-pmd.svg", "alt": text}]
    elif format == "markdown":
        [image] = (node for node in markdown_tree(written).walk() if node.type == "image")
        assert (image.attrs["src"], markdown_text(image)) == ("swap-pmd.svg", text)
    else:
        [node] = doctree(written).findall(nodes.image)
        assert (node["uri"], node["alt"]) == ("swap-pmd.svg", text)
    assert READ[format](written).paragraphs[-1] == "Below."


def _rst_outline(node: nodes.Element, depth: int = 1) -> list[tuple[str, str]]:
    """Every title with its level."""
    titles = [(f"h{depth}", child.astext()) for child in node.children if isinstance(child, nodes.title)]
    sections = [child for child in node.children if isinstance(child, nodes.section)]
    return titles + [title for section in sections for title in _rst_outline(section, depth + 1)]


@EVERY_FORMAT
def test_sections_inside_one_another_have_titles_of_their_level(format: str) -> None:
    text = (Paragraph("Text."),)
    inner = Section("Two", text, (Section("Three", text, (Section("Four", text),)),))
    written = _write(Section("One", text, (inner, Section("Two again", text))), format)
    if format == "html":
        outline = [(tag, title) for tag in ("h1", "h2", "h3", "h4") for title in Page(written).texts(tag)]
    elif format == "markdown":
        heads = [node for node in markdown_tree(written).walk() if node.type == "heading"]
        outline = [(node.tag, markdown_text(node)) for node in heads]
    else:
        outline = _rst_outline(doctree(written))
    assert sorted(outline) == [("h1", "One"), ("h2", "Two"), ("h2", "Two again"), ("h3", "Three"), ("h4", "Four")]


@pytest.mark.parametrize("format", ["rst", "rst-list", "markdown"])
def test_a_diagram_is_a_block_of_boxes_where_there_are_no_pictures(format: str) -> None:
    for arch, level in default_layouts():
        written = _write(Section("Title", (Diagram(arch.level(level), msb0=True), Paragraph("Below."))), format)
        if format == "markdown":
            [fence] = (node for node in markdown_tree(written).walk() if node.type == "fence")
            assert fence.info == "text"
            block = fence.content
        else:
            [node] = doctree(written).findall(nodes.literal_block)
            block = node.astext()
        assert block.splitlines() == list(boxes(arch.layout(level), msb0=True))
        assert READ[format](written).paragraphs == ["Below."]


def test_code_in_a_grid_table_stands_in_one_line() -> None:
    expression = "((v & 0xa000000000000000) != 0x0) & ((v & 0x4000000000000800) == 0x4000000000000000)"
    lines = list(rst.grid_table(Table(("Head",), ((f"`{expression}`",), ("some words " * 10,)))))
    assert any(expression in line for line in lines)
    assert len({len(line) for line in lines}) == 1


@EVERY_FORMAT
@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.long)])
def test_every_layout_and_the_comparison_are_written_without_a_fault(format: str, *, few: bool) -> None:
    for arch, level in default_layouts():
        if few and (level, arch.name) not in (("pmd", "x86_64"), ("pmd", "s390x"), ("pte", "ppc64")):
            continue
        read = READ[format](formats.layout(arch, level, format))
        options = f"{arch.name} swap {level.upper()}, kernel {arch.kernel}"
        parts = ("Predicates", "Geometry", "Type numbers", "Known hazards")
        assert read.titles == [options, *(f"{part}, {arch.name} {level.upper()}" for part in parts)]
        assert read.paragraphs[0] == f"As read by {arch!r}."
        for form in arch.level(level).forms:
            if form != "swap" and not (few and arch.byteorder == "little"):
                read = READ[format](formats.layout(arch, level, format, form))
                options = f"{arch.name} {form} {level.upper()}, kernel {arch.kernel}"
                titles = [f"{part}, {arch.name} {form} {level.upper()}" for part in ("Predicates", "Attributes")]
                assert read.titles == [options, *titles]
    read = READ[format](formats.compare(pmdswp.names(), format))
    assert read.titles[0] == "Comparison"
    assert len(read.titles) == 7


# --- pages ----------------------------------------------------------------------------------------------------

PAGES = {
    "one layout": formats.layout(pmdswp.get("x86_64"), "pmd", "html"),
    "two layouts": formats.collection([diagram(pmdswp.get("s390x").level(level)) for level in ("pte", "pmd")], "html"),
    "comparison": formats.compare(["arm64", "s390x"], "html"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_asks_nothing_of_the_network(name: str) -> None:
    text = PAGES[name]
    page = Page(text)
    tags = {tag for tag, _ in page.elements}
    assert {"html", "head", "title", "body", "main"} <= tags
    assert not tags & {"script", "link", "img", "iframe", "object", "base", "a"}
    for tag, attributes in page.elements:
        assert not attributes.keys() & {"src", "href", "srcset", "xlink:href"}, tag
        assert not {name for name in attributes if name.startswith("on")}, tag
    assert not re.search(r"url\(|@import|//(?!www\.w3\.org/2000/svg\b)", text)
    [attributes] = page.attributes("html")
    assert attributes == {"lang": "en"}
    assert text.startswith("<!doctype html>\n")


def test_a_page_has_a_section_and_a_picture_for_each_layout() -> None:
    page = Page(PAGES["two layouts"])
    assert page.texts("h1") == ["s390x swap PTE, kernel pmd-swap-v3", "s390x swap PMD, kernel pmd-swap-v3"]
    pictures = page.attributes("svg")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(pictures) == 2
    assert len(set(ids)) == len(ids) == 4
    # a heading stands above the picture already
    assert page.texts("h1")[0] not in page.texts("text")


def test_a_page_has_the_title_that_it_is_given_as_plain_text() -> None:
    assert Page(PAGES["one layout"]).texts("title")[0] == "Page-table entry layouts"
    assert Page("\n".join(html.page([], "`<v>` & more"))).texts("title") == ["<v> & more"]


def test_every_colour_that_a_page_uses_is_one_that_it_has() -> None:
    [sheet, *_] = Page(PAGES["one layout"]).texts("style")
    used = set(re.findall(r"var\((--[\w-]+)\)", sheet))
    assert used
    assert used <= set(re.findall(r"(--[\w-]+):", sheet))


# --- text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pmd_present() tests it", "`pmd_present()` tests it"),
        ("exclusive to one process (= _PAGE_PWT)", "exclusive to one process (= `_PAGE_PWT`)"),
        ("bit 3, _PAGE_EXEC, one of", "bit 3, `_PAGE_EXEC`, one of"),
        ("__SWP_TYPE_SHIFT", "`__SWP_TYPE_SHIFT`"),
        ("PTE_NG; fork() copies it.", "`PTE_NG`; `fork()` copies it."),
        ("see `pmd_none()` and `a pmd_none b`", "see `pmd_none()` and `a pmd_none b`"),
        ("soft-dirty, a PMD (a huge one) of 2 MiB", "soft-dirty, a PMD (a huge one) of 2 MiB"),
        ("must be 0: not present", "must be 0: not present"),
        ("an entry, not a pointer to a table", "an entry, not a pointer to a table"),
        ("", ""),
    ],
)
def test_the_names_of_the_kernel_are_marked_and_words_are_not(text: str, expected: str) -> None:
    assert marked(text) == expected


@given(TEXTS)
def test_marking_changes_no_character_and_nothing_that_is_marked(text: str) -> None:
    assert plain(marked(text)) == plain(text)
    assert marked(marked(text)) == marked(text)
    assert set(code_of(text)) <= set(code_of(marked(text)))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1025, "1025 bytes"),
        (1536, "1536 bytes"),
        (3 << 20, "3 MiB"),
        ((1 << 40) + 1024, "1073741825 KiB"),
        (1 << 64, "16 EiB"),
        (1 << 70, "1 ZiB"),
        (1 << 83, "8192 ZiB"),
    ],
)
def test_a_size_is_in_the_largest_unit_without_a_fraction(number: int, expected: str) -> None:
    assert size(number) == expected


@given(st.integers(1, 1 << 90) | st.integers(0, 90).map(lambda bits: 1 << bits))
def test_a_size_is_exact(number: int) -> None:
    count, unit = size(number).split()
    power = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB"].index(unit)
    assert int(count) << 10 * power == number
    assert int(count) % 1024 or unit == "ZiB"


def test_a_pipe_table_has_a_line_for_each_row() -> None:
    table = Table(("a", "b"), (("`x | y`", "z"),))
    assert list(markdown.pipe_table(table)) == ["| a | b |", "|---|---|", r"| `x \| y` | z |"]
