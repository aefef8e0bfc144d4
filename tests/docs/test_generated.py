"""What is committed of the generated documentation is what the layouts say today."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from difflib import unified_diff
from pathlib import Path
from types import ModuleType

import pytest

import pmdswp
from pmdswp.cli import COMMANDS, command_parser, examples
from pmdswp.render.variants import fullest
from pmdswp.revisions import KERNELS

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


def _difference(path: str, generated: str) -> str:
    """How a committed page differs from what is generated today; empty if it does not."""
    committed = (REFERENCE / path).read_text(encoding="utf-8") if (REFERENCE / path).exists() else ""
    lines = unified_diff(committed.split("\n"), generated.split("\n"), path, "generated", n=1, lineterm="")
    return "\n".join(lines)


@pytest.mark.long
def test_every_generated_page_is_up_to_date_and_none_is_left_over() -> None:
    pages: dict[str, str] = dict(_program("generate").pages())
    differences = [difference for path, text in pages.items() if (difference := _difference(path, text))]
    assert not differences, "\n".join(["stale: run `nox -s docs -- --update`", *differences])
    for folder in ("architectures", "c", "kernel-doc"):
        files = {path.relative_to(REFERENCE).as_posix() for path in (REFERENCE / folder).iterdir()}
        assert files == {path for path in pages if path.startswith(f"{folder}/")}


def test_the_picture_of_the_flags_shows_every_flag_at_its_bit() -> None:
    picture = _program("flags_picture").flags_picture()
    assert _difference("flags.svg", picture) == ""
    for name in pmdswp.names():
        for level in ("pte", "pmd"):
            layout = fullest(name, KERNELS[-1]).level(level).require_layout()
            flags = ", ".join(f"{flag} bit {mask.bit_length() - 1}" for flag, mask in layout.flags.items())
            assert re.search(rf"{name} [^:;]*{level.upper()}[^:;]*: {flags}[;.]", picture)


def test_the_difference_of_a_page_shows_the_lines_that_differ() -> None:
    committed = (REFERENCE / "comparison.md").read_text(encoding="utf-8")
    assert _difference("comparison.md", committed) == ""
    assert "+one more" in _difference("comparison.md", f"{committed}one more\n").splitlines()
    assert _difference("comparison.md", committed.removesuffix("\n"))
    assert "+all of it" in _difference("no-such.md", "all of it")


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


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_manual_page_is_laid_out_without_a_warning_and_loses_no_argument() -> None:
    page = REFERENCE / "pmdswp.1"
    command = ["groff", "-man", "-ww", "-Tascii", "-rLL=200n", "-P-cbou", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    for name in COMMANDS:
        _, _, section = done.stdout.partition(f"\nPMDSWP {name.upper()}\n")
        arguments, _, _ = section.partition("\n   Examples\n")
        assert arguments, name
        for action in command_parser(name)._actions:
            if action.option_strings and action.dest != "help" and not _is_configuration(name, action.dest):
                assert action.option_strings[-1] in arguments
        for _question, line in examples(name):
            assert f"\n              {line}\n" in section


def _is_configuration(name: str, option: str) -> bool:
    groups = (group for group in command_parser(name)._action_groups if str(group.title).startswith("kernel"))
    return any(action.dest == option for group in groups for action in group._group_actions)


def test_the_table_of_the_flags_says_what_the_layouts_say() -> None:
    text = (DOCS / "explanation" / "flags.md").read_text(encoding="utf-8")
    heads = ["exclusive", "soft_dirty", "uffd"]
    rows = dict(re.findall(r"^\| (\w+) \| (.* \| .* \| .*) \|$", text, re.MULTILINE))
    assert list(rows) == list(pmdswp.names())
    for name, row in rows.items():
        pte = fullest(name, KERNELS[-1]).pte
        said = dict(zip(heads, row.split(" | "), strict=True))
        assert {head for head, cell in said.items() if cell != "none"} == pte.require_layout().flags.keys()
        present = {field.kernel_name: field for field in pte.require_page_layout().fields}
        for field in pte.require_layout().fields:
            cell = said.get(field.name, "")
            found = re.match(r"(\d+)(?:, `(\w+)`)?(?:, since ([\d.]+))?", cell)
            if found is None:
                continue
            bit, macro, since = found.groups()
            assert int(bit) == field.lsb
            if macro in present:
                assert field.lsb in range(present[macro].lsb, present[macro].lsb + present[macro].width)
            if since:
                assert field.since is not None
                assert field.since.since == since
