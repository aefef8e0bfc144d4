"""The pictures: every bit at its place, every word inside its space, readable in light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise, product
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

import pmdswp
from pmdswp import Arch
from pmdswp.layout import Field, FieldKind
from pmdswp.render.document import Diagram
from pmdswp.render.palette import DARK, LIGHT, Theme, style_sheet
from pmdswp.render.svg import svg
from pmdswp.softleaf import LevelName
from render.layouts import default_layouts, every_layout

SVG = "{http://www.w3.org/2000/svg}"
MARGIN, CELL, BITS = 14, 26, 32
ROWS = ((63, 32), (31, 0))
EM = 0.6
"""Width of a character of fixed width, in font sizes; most others are narrower."""


class Text(NamedTuple):
    """Words in a picture, and the space that they take at most."""

    text: str
    left: float
    right: float
    baseline: float
    style: frozenset[str]


class Box(NamedTuple):
    """A rectangle, as it is drawn."""

    x: int
    y: int
    width: int
    height: int
    style: str
    is_dashed: bool


class Picture(NamedTuple):
    """A picture taken apart."""

    diagram: Diagram
    root: ET.Element

    @property
    def width(self) -> int:
        return int(self.root.attrib["width"])

    @property
    def height(self) -> int:
        return int(self.root.attrib["height"])

    @property
    def texts(self) -> list[Text]:
        return [_text(element) for element in self.root.iter(f"{SVG}text")]

    @property
    def boxes(self) -> list[Box]:
        """All rectangles but the paper."""
        return [_box(element) for element in self.root.iter(f"{SVG}rect") if "x" in element.attrib]

    @property
    def fields(self) -> list[Field]:
        return list(reversed(self.diagram.level.require_layout().fields))

    def row(self, number: int) -> list[Box]:
        """The boxes of one of the two rows of bits."""
        tops = sorted({box.y for box in self.boxes if box.height > BITS})
        return [box for box in self.boxes if box.y == tops[number]]

    @property
    def key(self) -> list[Box]:
        """The small boxes below the rows."""
        return [box for box in self.boxes if box.height < BITS]


def _text(element: ET.Element) -> Text:
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    text = element.text or ""
    width = len(text) * int(element.attrib["font-size"]) * EM
    left = {"start": x, "middle": x - width / 2, "end": x - width}[element.attrib["text-anchor"]]
    return Text(text, left, left + width, y, frozenset(element.attrib["class"].split()))


def _box(element: ET.Element) -> Box:
    x, y, width, height = (int(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return Box(x, y, width, height, element.attrib["class"], "stroke-dasharray" in element.attrib)


def picture(arch: Arch, level: LevelName, *, msb0: bool, heading: bool = True) -> Picture:
    diagram = Diagram(arch.level(level), msb0)
    return Picture(diagram, ET.fromstring(svg(diagram, heading=heading)))  # noqa: S314  # it is our own


@cache
def pictures() -> tuple[Picture, ...]:
    """Every layout, with its bits numbered in one way and in both."""
    return tuple(picture(arch, level, msb0=msb0) for (arch, level), msb0 in product(every_layout(), (False, True)))


class Part(NamedTuple):
    """The bits of a field in one row."""

    field: Field
    high: int
    low: int


def parts(drawn: Picture, row: int) -> list[Part]:
    """What stands in a row, from the left."""
    highest, lowest = ROWS[row]
    return [
        Part(field, min(field.msb, highest), max(field.lsb, lowest))
        for field in drawn.fields
        if field.lsb <= highest and field.msb >= lowest
    ]


def left_of(bit: int) -> int:
    """The left edge of the cell of a bit."""
    return MARGIN + (BITS - 1 - bit % BITS) * CELL


ROW = pytest.mark.parametrize("row", [1, pytest.param(0, marks=pytest.mark.long)])


@ROW
def test_each_field_has_a_box_from_its_highest_to_its_lowest_bit(row: int) -> None:
    for drawn in pictures():
        # a pixel of paper on each side parts the boxes
        spans = [(box.x - 1, box.x + box.width + 1) for box in drawn.row(row)]
        assert spans == [(left_of(part.high), left_of(part.low) + CELL) for part in parts(drawn, row)]


@ROW
def test_the_boxes_of_a_row_tile_its_32_cells(row: int) -> None:
    for drawn in pictures():
        boxes = drawn.row(row)
        assert boxes[0].x - 1 == MARGIN
        assert boxes[-1].x + boxes[-1].width + 1 == MARGIN + BITS * CELL == drawn.width - MARGIN
        assert all(one.x + one.width + 2 == other.x for one, other in pairwise(boxes))


@ROW
def test_the_ticks_stand_between_the_bits_of_a_field(row: int) -> None:
    for drawn in pictures():
        bottom = drawn.row(row)[0].y + drawn.row(row)[0].height
        starts = (re.match(r"M(\d+) (\d+)v5$", path.attrib["d"]) for path in drawn.root.iter(f"{SVG}path"))
        ticks = [int(start[1]) for start in starts if start and int(start[2]) + 5 == bottom]
        inner = [left_of(bit) for part in parts(drawn, row) for bit in range(part.low, part.high)]
        assert sorted(ticks) == sorted(inner)


@ROW
def test_the_ends_of_each_field_are_numbered_above_their_cells_and_msb0_below(row: int) -> None:
    for drawn in pictures():
        box = drawn.row(row)[0]
        ends = sorted({bit for part in parts(drawn, row) for bit in (part.high, part.low)})
        above = [text for text in drawn.texts if box.y - 10 < text.baseline < box.y]
        below = [text for text in drawn.texts if 0 < text.baseline - box.y - box.height < 16]
        assert sorted(int(text.text) for text in above) == ends
        assert sorted(63 - int(text.text) for text in below) == (ends if drawn.diagram.msb0 else [])
        numbered = [(int(text.text), text) for text in above] + [(63 - int(text.text), text) for text in below]
        for bit, text in numbered:
            assert left_of(bit) <= text.left < text.right <= left_of(bit) + CELL, (bit, text)


@ROW
def test_a_box_holds_the_symbol_of_its_field_in_its_tone(row: int) -> None:
    symbols = {"exclusive": "E", "soft_dirty": "SD", "uffd": "UF", "accessed": "X", "dirty": "X", "zero": "-"}
    for drawn in pictures():
        for box, part in zip(drawn.row(row), parts(drawn, row), strict=True):
            [label] = [
                text
                for text in drawn.texts
                if box.y < text.baseline < box.y + box.height and box.x <= text.left and text.right <= box.x + box.width
            ]
            field = part.field
            must_be = f"{field.value:b}".zfill(field.width)
            named = f"~{field.name}" if field.inverted else field.name
            symbol = must_be if field.kind is FieldKind.FIXED else symbols.get(field.name, named)
            assert label.text == symbol
            tone = field.name if field.kind is FieldKind.VALUE else field.kind.value
            assert box.style == f"pmdswp-{tone}"
            assert f"pmdswp-{tone}-ink" in label.style
            # what means nothing does not look solid, whatever its colour
            assert box.is_dashed == (field.kind in {FieldKind.ZERO, FieldKind.IGNORED})
        labels = [text for box in drawn.row(row) for text in drawn.texts if box.y < text.baseline < box.y + box.height]
        assert len(labels) == len(drawn.row(row)) ** 2


def _key_rows(drawn: Picture) -> Iterator[tuple[Box, list[Text]]]:
    """Each box of the key, and the words to the right of it, up to the next column."""
    for box in drawn.key:
        others = [other.x for other in drawn.key if other.y == box.y and other.x > box.x]
        end = min(others, default=drawn.width)
        line = (text for text in drawn.texts if box.y <= text.baseline <= box.y + box.height)
        beside = [text for text in line if box.x + box.width <= text.left < end]
        yield box, sorted(beside, key=lambda text: text.left)


def test_the_key_has_the_bits_and_the_names_of_every_field_that_means_something() -> None:
    for drawn in pictures():
        meaningful = [field for field in drawn.fields if field.kind is not FieldKind.ZERO]
        lines = [(box.style, *(text.text for text in beside)) for box, beside in _key_rows(drawn)]
        expected = []
        for field in meaningful:
            bits = str(field.lsb) if field.width == 1 else f"{field.msb}-{field.lsb}"
            if drawn.diagram.msb0:
                from_the_top = "-".join(str(63 - int(bit)) for bit in bits.split("-"))
                bits = f"{bits} ({from_the_top})"
            tone = field.name if field.kind is FieldKind.VALUE else field.kind.value
            expected.append((f"pmdswp-{tone}", bits, field.name, field.kernel_name))
        assert lines == expected


def test_no_words_of_the_key_run_into_the_next_ones() -> None:
    for drawn in pictures():
        for box, beside in _key_rows(drawn):
            ends = [other.x for other in drawn.key if other.y == box.y and other.x > box.x]
            limits = [*(text.left for text in beside[1:]), min(ends, default=drawn.width)]
            crowded = [text for text, limit in zip(beside, limits, strict=True) if text.right > limit]
            assert not crowded, (drawn.diagram, crowded)


def test_nothing_sticks_out_of_a_picture() -> None:
    for drawn in pictures():
        for text in drawn.texts:
            assert text.left >= 0, (drawn.diagram, text)
            assert text.right <= drawn.width, (drawn.diagram, text)
            assert 10 <= text.baseline <= drawn.height - 4, (drawn.diagram, text)
        for box in drawn.boxes:
            assert 0 < box.x < box.x + box.width < drawn.width
            assert 0 < box.y < box.y + box.height < drawn.height


@pytest.mark.parametrize(
    "arch",
    [
        pmdswp.get(
            "loongarch64",
            kernel="6.12",
            page_size=65536,
            invalid_pte_table=0x9000000000200000,
            device_private=False,
            migration=False,
            max_physmem_bits=None,
        ),
        pmdswp.get("arm64", page_size=16384, pa_bits=52, uffd=False, memory_failure=False, migration=False, thp=False),
        pmdswp.get("ppc64", page_size=4096, mmu="hash", soft_dirty=False),
    ],
    ids=repr,
)
def test_a_long_title_is_broken_into_lines_and_moves_the_rows_down(arch: Arch) -> None:
    with_heading, without = (picture(arch, "pte", msb0=False, heading=heading) for heading in (True, False))
    [title] = (element.text for element in with_heading.root.iter(f"{SVG}title"))
    lines = with_heading.texts[: len(with_heading.texts) - len(without.texts)]
    assert " ".join(line.text for line in lines) == title
    assert all(line.right <= with_heading.width - MARGIN for line in lines)
    assert all(other.baseline - one.baseline >= 16 for one, other in pairwise(lines))
    shift = with_heading.height - without.height
    assert lines[-1].baseline <= MARGIN + shift
    assert [text.baseline for text in with_heading.texts[len(lines) :]] == [
        text.baseline + shift for text in without.texts
    ]


def test_a_picture_has_a_title_and_says_in_words_what_it_shows() -> None:
    for drawn in pictures():
        root, diagram = drawn.root, drawn.diagram
        assert root.attrib["viewBox"] == f"0 0 {drawn.width} {drawn.height}"
        assert root.attrib["role"] == "img"
        by_id = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
        title, description = (by_id[name] for name in root.attrib["aria-labelledby"].split())
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert (title.text or "").startswith(f"{diagram.level.arch.name} swap {diagram.level.label}, kernel ")
        for field in drawn.fields:
            bits = f"bit {field.lsb}" if field.width == 1 else f"bits {field.msb}-{field.lsb}"
            assert f"{bits}: {field.name}, {field.meaning}" in (description.text or "")


def test_a_heading_is_there_only_where_asked_for() -> None:
    for arch, level in default_layouts():
        with_heading, without = (picture(arch, level, msb0=False, heading=heading) for heading in (True, False))
        [title] = (element.text for element in without.root.iter(f"{SVG}title"))
        assert with_heading.texts[0].text == title
        assert title not in [text.text for text in without.texts]
        assert [text.text for text in with_heading.texts[1:]] == [text.text for text in without.texts]


def test_no_two_pictures_of_a_page_share_an_id() -> None:
    ids = [
        element.attrib["id"]
        for drawn in pictures()
        if not drawn.diagram.msb0
        for element in drawn.root.iter()
        if "id" in element.attrib
    ]
    assert len(ids) == 2 * len(every_layout())
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]+", name) for name in ids)


# --- colours --------------------------------------------------------------------------------------------------

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it: 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.005)


@THEMES
def test_text_is_readable_on_what_it_stands_on(theme: Theme) -> None:
    assert contrast(theme.ink, theme.paper) >= 4.5
    assert contrast(theme.muted, theme.paper) >= 4.5
    for name, tone in theme.tones.items():
        assert contrast(tone.ink, tone.fill) >= 4.5, name


@THEMES
def test_the_edges_of_boxes_stand_out_from_the_paper(theme: Theme) -> None:
    for name, tone in theme.tones.items():
        assert contrast(tone.edge, theme.paper) >= 3, name


@THEMES
def test_every_field_has_a_tone(theme: Theme) -> None:
    used = {box.style.removeprefix("pmdswp-") for drawn in pictures() for box in drawn.boxes}
    # the decoder paints stray bits too
    assert set(theme.tones) == used | {"stray"}


def _rules(css: str) -> dict[str, dict[str, str]]:
    """Scope -> selector -> declarations of the style of a picture."""
    inner = re.search(r"@media \(prefers-color-scheme:dark\)\{((?:[^{}]*\{[^{}]*\})*)\}", css)
    assert inner
    scopes: dict[str, dict[str, str]] = {"": {}, "media": {}, "light": {}, "dark": {}}
    for scope, text in (("media", inner[1]), ("", css.replace(inner[0], ""))):
        for theme, selector, declarations in re.findall(r"(?:\[data-theme=(\w+)\] )?(\S[^{}]*)\{([^{}]*)\}", text):
            scopes[theme or scope][selector] = declarations
    return scopes


def _declared(theme: Theme) -> dict[str, str]:
    rules = {f".pmdswp-{name}": f"fill:{getattr(theme, name)}" for name in ("ink", "muted", "paper")}
    for name, tone in theme.tones.items():
        rules[f".pmdswp-{name}"] = f"fill:{tone.fill};stroke:{tone.edge}"
        rules[f".pmdswp-{name}-ink"] = f"fill:{tone.ink}"
        rules[f".pmdswp-{name}-edge"] = f"stroke:{tone.edge}"
    return rules


def test_a_picture_has_the_colours_of_both_themes_for_the_system_and_for_the_page() -> None:
    for arch, level in default_layouts():
        drawn = picture(arch, level, msb0=False)
        [style] = (element.text or "" for element in drawn.root.iter(f"{SVG}style"))
        scopes = _rules(style)
        plain = {selector: rule for selector, rule in scopes[""].items() if "font" not in rule}
        assert plain == scopes["light"] == _declared(LIGHT)
        assert scopes["media"] == scopes["dark"] == _declared(DARK)
        classes = {f".{name}" for element in drawn.root.iter() for name in element.attrib.get("class", "").split()}
        assert classes - {".pmdswp-diagram"} <= set(scopes[""])


def test_the_style_sheet_has_every_colour_in_all_four_scopes() -> None:
    found = re.findall(r"(\S+|@media \([^)]*\) \{ :root) \{ ((?:--pmdswp-[\w-]+: #[0-9a-f]{6}; ?)+)\}", style_sheet())
    scopes = {scope: dict(re.findall(r"--pmdswp-([\w-]+): (#\w+);", text)) for scope, text in found}
    selectors = [":root", "@media (prefers-color-scheme: dark) { :root", '[data-theme="light"]', '[data-theme="dark"]']
    assert list(scopes) == selectors
    for scope, theme in zip(selectors, (LIGHT, DARK, LIGHT, DARK), strict=True):
        expected = {name: getattr(theme, name) for name in ("ink", "muted", "paper")}
        for name, tone in theme.tones.items():
            expected |= {f"{name}-{part}": colour for part, colour in tone._asdict().items()}
        assert scopes[scope] == expected
