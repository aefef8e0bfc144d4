"""The check of prose finds what CONTRIBUTING.md asks nobody to write, and the pages have none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import prose

PAGES = pytest.mark.parametrize("path", prose.pages(), ids=lambda path: path.relative_to(prose.ROOT).as_posix())
LONG = " ".join(["word"] + [f"word{number}" for number in range(prose.LONGEST)])


def faults(text: str, name: str = "README.md") -> list[str]:
    return list(prose.faults(name, text))


@PAGES
def test_no_page_has_a_fault_of_style(path: Path) -> None:
    name = path.relative_to(prose.ROOT).as_posix()
    assert faults(path.read_text(encoding="utf-8"), name) == []


def test_every_page_is_checked() -> None:
    names = {path.relative_to(prose.ROOT).as_posix() for path in prose.pages()}
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/reference/hazards.md"} <= names
    assert not any("_build" in name for name in names)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("The the page.", "README.md:1: 'The the': a double word"),
        ("One line.\n\nThe kernel\nutilizes it.", "README.md:3: 'utilize': use"),
        ("- It is simply so.", "README.md:1: 'simply': leave it out"),
        ("| a | tells b |", "README.md:1: 'tells': show or say"),
        ("# As of 7.3", "README.md:1: 'As of': in"),
        ("It is no page.", "README.md:1: 'is no': is not a"),
        (f"Short. {LONG}.", "README.md:1: a sentence of 41 words: word word0 word1 word2 word3 word4 ..."),
        (f"Short:\n\n- {LONG}", "README.md:3: a sentence of 41 words: word word0 word1 word2 word3 word4 ..."),
    ],
)
def test_a_planted_fault_is_found_at_its_line(text: str, complaint: str) -> None:
    assert faults(text) == [complaint]


@pytest.mark.parametrize(
    "text",
    [
        "```text\nsimply simply\n```\n\nA page.",
        "Write `simply`, and `a` `a`.",
        'Not "in order to".',
        "There is no page, and it is no longer there.",
        f"| {LONG} |",
        f"{LONG.removesuffix(' word39')}. {LONG.removesuffix(' word39')}.",
        "See [this page](simply.md).",
    ],
)
def test_code_quotations_links_and_tables_are_not_sentences(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize("text", ["# Title\n", "# Title\n\nA page about words.\n\nIt takes a minute.\n"])
def test_a_page_that_does_not_open_with_how_long_it_takes_is_found(text: str) -> None:
    assert faults(text, "docs/how-to/page.md") == [
        "docs/how-to/page.md:1: the opening paragraph does not say how long the page takes"
    ]
    assert faults(text) == []
    assert faults("# Title\n\nIn two minutes you know words.\n", "docs/how-to/page.md") == []


def test_the_command_counts_the_faults(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert prose.main() == 0
    assert capsys.readouterr().out.endswith(" pages, 0 faults of style\n")
    monkeypatch.setattr(prose, "LONGEST", 1)
    assert prose.main() == 1
