"""What is committed of the generated documentation is what the layouts say today."""

from __future__ import annotations

import importlib.util
import re
from difflib import unified_diff
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"


def _program(name: str) -> ModuleType:
    """A program of the documentation, as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES: dict[str, str] = dict(_program("generate").pages())


@pytest.mark.parametrize("path", PAGES)
def test_a_generated_page_is_up_to_date(path: str) -> None:
    committed = (REFERENCE / path).read_text(encoding="utf-8")
    diff = unified_diff(committed.splitlines(), PAGES[path].splitlines(), "committed", "generated", lineterm="")
    shown = "\n".join(diff)
    assert committed == PAGES[path], f"{path} is stale: run `nox -s docs -- --update`\n{shown}"


@pytest.mark.parametrize("folder", ["architectures", "kernel-doc"])
def test_nothing_in_a_generated_folder_is_left_over(folder: str) -> None:
    files = {path.relative_to(REFERENCE).as_posix() for path in (REFERENCE / folder).iterdir()}
    assert files == {path for path in PAGES if path.startswith(f"{folder}/")}


@pytest.mark.parametrize(
    ("link", "complaint"),
    [
        ("other.html", None),
        ("other.html#there", None),
        ("#here", None),
        ("https://www.kernel.org/", None),
        ("folder/", None),
        ("missing.html", "no such file"),
        ("other.html#missing", "no such anchor"),
        ("#missing", "no such anchor"),
        ("missing.svg", "no such file"),
    ],
)
def test_the_link_check_finds_exactly_what_leads_nowhere(tmp_path: Path, link: str, complaint: str | None) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("<p>", encoding="utf-8")
    (tmp_path / "other.html").write_text('<h2 id="there">There</h2>', encoding="utf-8")
    (tmp_path / "index.html").write_text(f'<a href="{link}">x</a><p id="here">', encoding="utf-8")
    expected = [] if complaint is None else [f"index.html: {link}: {complaint}"]
    assert _program("check_links").broken_links(tmp_path) == expected


def test_every_page_of_the_table_of_contents_is_there() -> None:
    for source in DOCS.rglob("*.rst"):
        for block in re.findall(
            r"^\.\. toctree::\n((?:   .*\n|\n)+)", source.read_text(encoding="utf-8"), re.MULTILINE
        ):
            pages = [line.strip() for line in block.splitlines() if line.strip() and not line.strip().startswith(":")]
            for page in pages:
                assert any((source.parent / f"{page}.{suffix}").is_file() for suffix in ("md", "rst")), page
