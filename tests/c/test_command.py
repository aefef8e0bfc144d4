"""``pmdswp layout`` writes C: headers, and sources of kernel modules."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import pmdswp
from pmdswp import Arch, SoftLeaf
from pmdswp.cli import main
from pmdswp.render import c_header, kernel_test

_FUNCTION = r"INLINE [\w ]+ pmdswp_(\w+)\("


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["layout", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["layout", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_a_header_is_printed_for_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "arm64", "--page-size", "64K", "--format", "c")
    assert text == c_header.header(pmdswp.get("arm64", page_size=65536))
    assert "#define PMDSWP_PAGE_SHIFT 16\n" in text
    assert "SPDX-License-Identifier: MIT" in text.splitlines()[0]
    assert re.findall("#include .*", text) == ["#include <stdbool.h>", "#include <stdint.h>"]


def test_headers_in_a_directory_are_a_file_for_each_configuration(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = printed(capsys, "x86_64", "riscv64", "--kernel", "6.12", "--no-thp", "--format", "c", "-o", str(tmp_path))
    names = ["x86_64-6.12-thp-False.h", "riscv64-6.12-thp-False.h"]
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    for name in names:
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text == c_header.header(pmdswp.get(name.split("-")[0], kernel="6.12", thp=False))
        assert "softleaf_from_pmd" not in text


def test_all_writes_every_header_that_differs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def configurations(*names: str, numbers: bool) -> list[Arch]:
        asked.append(names)
        assert not numbers
        return [pmdswp.get("s390x", kernel=kernel) for kernel in ("7.3", "7.3.4", "6.12", "7.3")]

    monkeypatch.setattr(c_header, "configurations", configurations)
    out = printed(capsys, "s390x", "--all", "--level", "pte", "--format", "c", "-o", str(tmp_path))
    assert asked == [("s390x",)]
    # a stable update is like its release
    assert [Path(line).name for line in out.splitlines()] == ["s390x-7.3.h", "s390x-6.12.h"]
    assert not any("pmd_none" in Path(line).read_text(encoding="utf-8") for line in out.splitlines())


def test_a_level_has_its_own_functions_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    of = {
        level: set(re.findall(_FUNCTION, printed(capsys, "x86_64", "--level", level, "--format", "c")))
        for level in ("all", "both", "pmd", "pud")
    }
    assert of["pmd"] | of["pud"] < of["all"]
    assert of["pmd"] < of["both"] < of["all"]
    assert {name for name in of["pud"] if not name.startswith("pud_")} == {"word_from_bytes", "word_to_bytes"}
    assert printed(capsys, "x86_64", "--level", "all", "--format", "c") == printed(capsys, "x86_64", "--format", "c")


def test_every_name_begins_with_the_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "loongarch64", "--format", "c", "--prefix", "la_")
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    assert "pmdswp" not in code.lower()
    defined = re.findall(r"#define (\w+)", code) + re.findall(r"^static LA_INLINE (?:\w+ )+(\w+)\(", code, re.MULTILINE)
    assert len(defined) > 100
    assert all(name.startswith(("la_", "LA_")) for name in defined)


def test_a_number_that_differs_from_build_to_build_can_be_defined_before() -> None:
    text = c_header.header(pmdswp.get("loongarch64"))
    assert "#ifndef PMDSWP_INVALID_PTE_TABLE\n#define PMDSWP_INVALID_PTE_TABLE 0x9000000001a50000ULL\n#endif" in text
    assert "return v == PMDSWP_INVALID_PTE_TABLE;" in text


@pytest.mark.parametrize(
    "arch",
    [
        # no marker, a type in 57 bits, no PMD softleaf, no MAX_PHYSMEM_BITS, no migration
        pmdswp.get("x86_64", kernel="4.18"),
        pmdswp.get("arm64", kernel="5.2", max_physmem_bits=None),
        pmdswp.get("s390x", kernel="6.12", migration=False),
        pmdswp.get("ppc64", mmu="hash", page_size=4096),
        pmdswp.get("riscv64", kernel="6.1"),
    ],
    ids=repr,
)
def test_what_a_kernel_lacks_is_left_out(arch: Arch) -> None:
    text = c_header.header(arch)
    assert ("PTE_MARKER_MASK" in text) == bool(arch.numbering.marker_bits)
    assert ("define PMDSWP_MAX_PHYSMEM_BITS" in text) == (arch.max_physmem_bits is not None)
    assert ("softleaf_to_pmd" in text) == arch.has_pmd_softleaf
    assert f"#define PMDSWP_MAX_SWAPFILES {arch.max_swapfiles}\n" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("x86_64", "arm64", "--format", "c"), "one file holds one configuration"),
        (("--format", "c"), "name an architecture, or give --all"),
        (("--all", "--format", "c", "--kernel", "7.3"), "options of one configuration cannot go with --all"),
        (("x86_64", "--format", "c", "--prefix", "1x"), "prefix '1x'; allowed: letters, digits and _"),
        (("x86_64", "--format", "c", "--form", "page"), "goes without --compare, --form and --bits"),
        (("x86_64", "--format", "c", "--json"), "--json and --format c contradict each other"),
        (("x86_64", "--prefix", "x_"), "--prefix is for --format c"),
        (("x86_64", "--format", "c", "-o", ""), "-o needs the name of a directory"),
        (("x86_64", "--format", "kernel-test", "--level", "pmd"), "goes without --all, --level and --prefix"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    assert complaint in refused(capsys, *arguments)


def test_helpers_of_the_uffd_bit_have_their_old_names_in_old_kernels() -> None:
    old, new = (c_header.header(pmdswp.get("x86_64", kernel=kernel)) for kernel in ("6.12", "7.3"))
    for name in ("pte_swp_uffd", "pmd_swp_mkuffd", "pte_swp_clear_uffd", "pte_uffd", "pmd_mkuffd"):
        alias = f"#define pmdswp_{name}_wp pmdswp_{name} /* the name before 7.3 */"
        assert alias in old
        assert alias not in new


# --- kernel-test ----------------------------------------------------------------------------------------------


def test_a_kernel_test_comes_with_a_makefile(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = printed(capsys, "s390x", "arm64", "--kernel", "7.3", "--format", "kernel-test", "-o", str(tmp_path))
    names = ["pmdswp_s390x_7_3.c", "pmdswp_arm64_7_3.c", "Makefile"]
    assert out.splitlines() == [str(tmp_path / name) for name in names]
    assert "obj-m := pmdswp_s390x_7_3.o pmdswp_arm64_7_3.o\n" in (tmp_path / "Makefile").read_text(encoding="utf-8")
    text = (tmp_path / names[0]).read_text(encoding="utf-8")
    assert text == kernel_test.source(pmdswp.get("s390x", kernel="7.3"))
    assert text == printed(capsys, "s390x", "--kernel", "7.3", "--format", "kernel-test")


@pytest.mark.parametrize("name", pmdswp.names())
def test_a_kernel_test_holds_what_the_library_says(name: str) -> None:
    arch = pmdswp.get(name)
    text = kernel_test.source(arch)
    for level in (arch.pte, arch.pmd):
        entries, answers = (
            _numbers(text, one) for one in (f"{level.name}_entries", f"softleaf_from_{level.name}_answers")
        )
        assert len(entries) > 60
        assert [level.softleaf_from(word).val for word in entries] == answers
        assert {SoftLeaf.from_val(value).swp_type for value in answers} == set(range(32))
        words = _numbers(text, f"{level.name}_words")
        assert [int(level.none(word)) for word in words] == _numbers(text, f"{level.name}_none_answers")
        assert {level.decode(word).state.name for word in words} >= {"PRESENT", "SOFTLEAF"}
    assert f'#error "this is a test of {name}"' in text


def _numbers(text: str, array: str) -> list[int]:
    [found] = re.findall(rf"static const u64 {array}\[\] __initconst = {{(.*?)}};", text, re.DOTALL)
    return [int(number.removesuffix("ULL"), 16) for number in re.findall(r"0x[0-9a-f]+ULL", found)]


def test_a_kernel_test_does_not_ask_for_what_the_revision_lacks() -> None:
    old, new = (kernel_test.source(pmdswp.get("s390x", kernel=kernel)) for kernel in ("6.12", "pmd-swap-v3"))
    assert "softleaf_from_pmd" not in old.replace("#define SOFTLEAF_FROM_PMD softleaf_from_pmd", "")
    assert "ask_pmd_is_swap_entry" in new
    assert new.count("#if defined(PMDSWP_HAS_PMD_SWAP)") > 3


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("has_series", [False, True])
def test_the_makefile_of_a_kernel_test_sees_whether_a_tree_has_the_series(tmp_path: Path, *, has_series: bool) -> None:
    tree = tmp_path / "include" / "linux"
    tree.mkdir(parents=True)
    helper = "pmd_is_swap_entry" if has_series else "pmd_is_migration_entry"
    (tree / "leafops.h").write_text(f"static inline bool {helper}(pmd_t pmd)\n", encoding="ascii")
    makefile = kernel_test.makefile(["one.c"]) + "\nshown:\n\t@echo $(obj-m) $(ccflags-y)\n"
    command = ["make", "-s", "-f", "-", f"srctree={tmp_path}", "shown"]
    shown = subprocess.run(command, input=makefile, capture_output=True, check=True, text=True).stdout
    assert shown.split() == ["one.o", *["-DPMDSWP_HAS_PMD_SWAP"] * has_series]
