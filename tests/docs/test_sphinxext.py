"""The directives of `pmdswp.sphinxext` in a sample project of somebody else's."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import NamedTuple

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

import pmdswp
from pmdswp.render import comparison
from pmdswp.render.text import Palette, entry_block

CONF = """
project = "sample"
extensions = ["pmdswp.sphinxext"]
exclude_patterns = ["out*"]
"""


class Built(NamedTuple):
    """What a build gave: page -> its text, and all warnings."""

    pages: Mapping[str, str]
    warnings: str

    def words(self, page: str) -> str:
        """A page of HTML without its tags, on one line."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.pages[page])).split())


class Project:
    """A Sphinx project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conf.py").write_text(CONF, encoding="utf-8")

    def build(self, pages: Mapping[str, str], builder: str = "html", jobs: int = 1) -> Built:
        """Build the pages, whose source starts in line 4 of each file."""
        toctree = "".join(f"   {name}\n" for name in pages)
        for name, text in {**pages, "index": f".. toctree::\n\n{toctree}"}.items():
            (self.folder / f"{name}.rst").write_text(f"Title\n=====\n\n{text}\n", encoding="utf-8")
        warnings = io.StringIO()
        out = self.folder / f"out-{builder}"
        with patch_docutils(), docutils_namespace():
            app = Sphinx(
                *(self.folder, self.folder, out, out / ".doctrees", builder),
                status=None,
                warning=warnings,
                freshenv=True,
                parallel=jobs,
            )
            app.build()
        suffix = "html" if builder == "html" else "txt"
        texts = {name: (out / f"{name}.{suffix}").read_text(encoding="utf-8") for name in pages}
        return Built(texts, warnings.getvalue())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


EVERYTHING = """
.. pmdswp-layout:: loongarch64
   :with: all
   :page-size: 4096

.. pmdswp-diagram:: s390x
   :level: pte
   :kernel: 6.12

.. pmdswp-word:: x86_64 0x07fffffffffbfe0e

.. pmdswp-compare::
"""


@pytest.mark.parametrize("builder", ["html", pytest.param("text", marks=pytest.mark.long)])
def test_every_directive_builds_without_a_warning(project: Project, builder: str) -> None:
    built = project.build({"page": EVERYTHING}, builder)
    assert built.warnings == ""
    assert "_PAGE_HUGE" in built.pages["page"]


def test_a_layout_is_the_table_of_its_fields(project: Project) -> None:
    built = project.build({"page": ".. pmdswp-layout:: riscv64\n   :level: pte\n   :svrsw60t59b: yes"})
    words = built.words("page")
    assert "riscv64 swap PTE, kernel pmd-swap-v3, svrsw60t59b=True" in words
    assert "63-12 52 offset value __SWP_OFFSET_SHIFT swap offset 51a1007d4113" in words
    assert "riscv/mm: support __HAVE_ARCH_PTE_SWP_EXCLUSIVE" in words
    assert "3 1 soft_dirty flag _PAGE_SWP_SOFT_DIRTY" in words
    assert "Predicates" not in words


def test_parts_of_a_layout_are_added_as_asked(project: Project) -> None:
    parts = {
        "diagram": "The 64 bits of a swap PMD",
        "predicates": "(v & 0x801) != 0x0",
        "geometry": "HPAGE_PMD_NR 512",
        "types": "MIGRATION_WRITE 27 yes",
        "hazards": "reads as NONE",
    }
    layout = ".. pmdswp-layout:: arm64"
    built = project.build({name: f"{layout}\n   :with: {name}" for name in (*parts, "all")} | {"plain": layout})
    for name, shown in parts.items():
        assert [page for page in built.pages if shown in built.words(page)] == [name, "all"]


def test_options_are_those_of_get(project: Project) -> None:
    options: dict[str, dict[str, object]] = {
        "page-size: 65536": {"page_size": 65536},
        "page-size: 0x4000": {"page_size": 16384},
        "kernel: 7.3": {"kernel": "7.3"},
        "uffd: false": {"uffd": False},
        "device-private: no": {"device_private": False},
        "max-physmem-bits: none": {"max_physmem_bits": None},
        "pa-bits: 52": {"pa_bits": 52},
    }
    word = ".. pmdswp-word:: arm64 0x12345600044"
    built = project.build({str(i): f"{word}\n   :{option}" for i, option in enumerate(options)}, "text")
    assert built.warnings == ""
    for text, given in zip(built.pages.values(), options.values(), strict=True):
        assert repr(pmdswp.get("arm64", **given)) in text  # type: ignore[arg-type]


def test_a_flag_without_a_value_is_on(project: Project) -> None:
    built = project.build({"page": ".. pmdswp-word:: x86_64 0x200\n   :la57:"}, "text")
    assert "la57=True" in built.pages["page"]


def test_a_word_is_shown_as_the_command_prints_it(project: Project) -> None:
    arch = pmdswp.get("s390x")
    built = project.build({"page": ".. pmdswp-word:: s390x 0xabcde00972"}, "text")
    lines = list(entry_block(arch, arch.decode_pmd(0xABCDE00972), Palette()))
    assert "\n".join(f"   {line}".rstrip() for line in lines) in built.pages["page"]


def test_a_diagram_is_a_picture_in_html_and_characters_elsewhere(project: Project) -> None:
    source = {"page": ".. pmdswp-diagram:: ppc64"}
    html, text = (project.build(source, builder).pages["page"] for builder in ("html", "text"))
    assert "<svg" in html
    assert "pmdswp.css" in html
    assert "<svg" not in text
    assert "| 63 | 62 | 61 |" in text
    assert "MSB0" in text


def test_a_comparison_shows_the_tables_that_are_named(project: Project) -> None:
    tables = ("fields", "attributes", "limits", "levels", "types", "revisions")
    titles = [section.title for section in comparison.comparison().sections]
    built = project.build({name: f".. pmdswp-compare:: arm64 ppc64le\n   :tables: {name}" for name in tables})
    for name, title in zip(tables, titles, strict=True):
        words = built.words(name)
        assert [other for other in titles if other in words] == [title]
        assert "riscv64" not in words


def test_what_the_library_refuses_is_a_warning_at_the_directive(project: Project) -> None:
    refused = {
        ".. pmdswp-layout:: sparc64": "no architecture 'sparc64'; allowed: x86_64",
        ".. pmdswp-layout:: s390x\n   :kernel: 6.12": "it comes with PMD softleaves on s390",
        ".. pmdswp-layout:: arm64\n   :with: everything": ":with: 'everything'; allowed: diagram, predicates",
        ".. pmdswp-layout:: arm64\n   :level: asce": '"asce" unknown',
        ".. pmdswp-layout:: arm64\n   :level: pud": "no softleaf can be at level 'pud'",
        ".. pmdswp-diagram:: arm64\n   :level: pte\n   :form: table": "no entry of level 'pte' has form 'table'",
        ".. pmdswp-layout:: arm64\n   :uffd: perhaps": "'perhaps' is neither true nor false",
        ".. pmdswp-layout:: arm64\n   :page-size: big": "invalid literal",
        ".. pmdswp-compare:: arm64\n   :tables: chairs": ":tables: 'chairs'; allowed: fields, attributes",
        ".. pmdswp-word:: arm64 0x12zz": "'0x12zz' is not a word",
        ".. pmdswp-word:: arm64 0x11111111111111111": "is not within 0..0xffffffffffffffff",
    }
    warnings = project.build({f"page{i}": source for i, source in enumerate(refused)}).warnings
    assert "Traceback" not in warnings
    for i, complaint in enumerate(refused.values()):
        [shown] = re.findall(rf"page{i}.rst:4: .*", warnings)
        assert complaint in shown or complaint in warnings.partition(shown)[2].partition(".rst:")[0]


@pytest.mark.long
def test_a_parallel_build_gives_the_same_pages(project: Project) -> None:
    pages = {f"page{i}": ".. pmdswp-layout:: arm64\n   :with: diagram hazards" for i in range(6)}
    assert project.build(pages, jobs=2) == project.build(pages)


def test_without_sphinx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sphinx.util.docutils", None)
    monkeypatch.delitem(sys.modules, "pmdswp.sphinxext", raising=False)
    with pytest.raises(ImportError, match=r"pip install pmdswp\[sphinx\]"):
        import pmdswp.sphinxext  # noqa: F401, PLC0415


def test_pictures_of_one_page_share_no_id(project: Project) -> None:
    built = project.build({"page": ".. pmdswp-diagram:: arm64\n\n.. pmdswp-diagram:: arm64"})
    ids = re.findall(r'\bid="([^"]+-(?:title|desc))"', built.pages["page"])
    assert len(ids) == len(set(ids)) == 4


def test_the_name_of_a_page_cannot_break_the_ids_of_its_pictures(project: Project) -> None:
    built = project.build({'a "b" & c': ".. pmdswp-diagram:: s390x"})
    [ident] = re.findall(r'<title id="([^"]*)-title">', built.pages['a "b" & c'])
    assert re.fullmatch(r"pmdswp-a--b----c-\d+", ident)


@pytest.mark.long
def test_generated_rst_builds_as_kernel_documentation_does(project: Project) -> None:
    # the kernel's configuration refers to sections by their titles, which must not occur twice in a page
    labels = (
        'extensions.append("sphinx.ext.autosectionlabel")\n'
        "autosectionlabel_prefix_document = True\nautosectionlabel_maxdepth = 2\n"
    )
    (project.folder / "conf.py").write_text(CONF + labels, encoding="utf-8")
    files = sorted((Path(__file__).parents[2] / "docs" / "reference" / "kernel-doc").glob("*.rst"))
    assert len(files) == len(pmdswp.names())
    pages = {path.stem: path.read_text(encoding="utf-8").replace("=\n", "~\n") for path in files}
    assert project.build(pages).warnings == ""
