"""``pmdswp check-tree``, from the command line down to the programs on PATH, which answer as real kernels did.

`tests/data/planted` has what trees of Linux 7.3.4 answered into which one difference each was planted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import pmdswp
from oracle import files
from oracle.fakes import constants_of, made, write_toolchain, write_tree
from pmdswp import vectors
from pmdswp.cli import main
from pmdswp.oracle import check as check_module
from pmdswp.oracle.tools import LLVM

HOW_TO = (Path(__file__).parents[2] / "docs/how-to/check-your-tree.md").read_text(encoding="utf-8")
PLANTED = Path(__file__).parents[1] / "data/planted"
EMULATED = "the tree has no pmd_swp_mkexclusive; the exclusive bit of PMD entries was not compared"
NEWEST = [kernel for kernel in pmdswp.kernels() if kernel[0].isdigit()][-1]
X86 = [vectors.path(f"7.3/x86_64-full-{mode}") for mode in ("la48", "la57")]


class Check:
    """Runs the command on a tree that answers as recorded."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._capsys, self._monkeypatch = folder, capsys, monkeypatch
        self.out = self.err = ""
        self.toolchain = folder / "bin"

    def tools(self, recorded: Iterable[Path] = (), **options: Any) -> None:
        write_toolchain(self.toolchain, recorded, **options)
        self._monkeypatch.setenv("PATH", str(self.toolchain))

    def few_answers(self, *names: str, **options: Any) -> None:
        """Tools for tests that go by what is run and told, whatever is answered beside the constants."""
        recorded = [constants_of(vectors.path(name), self._folder) for name in names]
        self.tools(recorded, partial=True, **options)

    def __call__(self, tree: Path, *arguments: str) -> int:
        self._monkeypatch.setenv("XDG_CACHE_HOME", str(self._folder / "cache"))
        status = main(["check-tree", str(tree), *arguments])
        self.out, self.err = self._capsys.readouterr()
        return status


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Check:
    return Check(tmp_path, capsys, monkeypatch)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "linux")


def test_a_tree_that_answers_as_the_release_agrees_with_it(check: Check, tree: Path) -> None:
    check.tools(X86)
    assert check(tree, "--configuration", "x86_64-full", "--jobs", "1") == 0
    first, agrees, emulated = check.out.splitlines()
    assert first == (
        f"{tree}: Linux 7.3.4, compared with 7.3: the newest revision that is not newer than the tree "
        "(--kernel names another)"
    )
    assert agrees.startswith("x86_64 (full la48, full la57): agrees with 7.3, ")
    assert emulated == f"x86_64: {EMULATED}"
    assert check.err == "pmdswp: 1/1 x86_64-full\n"


def test_the_second_time_nothing_is_made(check: Check, tree: Path) -> None:
    check.few_answers("7.3/riscv64-minimal")
    arguments = ("--configuration", "riscv64-minimal", "--cache", str(tree.parent / "elsewhere"))
    assert check(tree, *arguments) == 0
    assert made(check.toolchain) == ["defconfig", "olddefconfig", "prepare0", "objects"]
    assert check(tree, *arguments) == 0
    assert made(check.toolchain)[4:] == []


def planted(name: str, mode: str) -> list[Path]:
    """The planted answers for one machine, and those of the stock kernel for the other."""
    stock = {"la48": [X86[1]], "rsw": [vectors.path("7.3/riscv64-full-norsw")], "-": []}
    return [PLANTED / f"{name}.ndjson.xz", *stock[mode]]


def difference_lines(check: Check, mode: str) -> list[str]:
    """What is reported for the machine with the planted difference, less counts and examples."""
    records = [json.loads(line) for line in check.out.splitlines()]
    (record,) = (record for record in records if record["mode"] == mode)
    assert all(other["agrees"] for other in records if other["mode"] != mode)
    return [difference["text"] for difference in record["differences"]]


@pytest.mark.parametrize(
    ("name", "configuration", "told"),
    [
        (
            "riscv64-type-shift",
            ("riscv64-full", "rsw"),
            [
                "__SWP_TYPE_SHIFT: 8 here, 7 in 7.3",
                "__SWP_OFFSET_SHIFT: 13 here, 12 in 7.3",
                "generic_max_swapfile_size: 0x8000000000000 here, 0x10000000000000 in 7.3",
                "max_offset: 0x7ffffffffffff here, 0xfffffffffffff in 7.3",
                "pte type field: bits 12-8 here, bits 11-7 in 7.3",
                "pte offset field: bits 63-13 here, bits 63-12 in 7.3",
                "pmd type field: bits 12-8 here, bits 11-7 in 7.3",
                "pmd offset field: bits 63-13 here, bits 63-12 in 7.3",
            ],
        ),
        (
            "arm64-pmd-present",
            ("arm64-4k-va48-pa48", "-"),
            ["pmd_present differs from 7.3 on words with bit 60 set and bits 11, 0 clear"],
        ),
        pytest.param(
            "x86_64-exclusive-and-device-types",
            ("x86_64-full", "la48"),
            [
                "SWP_DEVICE_WRITE: 29 here, 28 in 7.3",
                "SWP_DEVICE_READ: 28 here, 29 in 7.3",
                "pte_swp_clear_flags_clear: 0x16 here, 0xe in 7.3",
                "_PAGE_SWP_EXCLUSIVE: 0x10 here, 0x8 in 7.3",
                "pte exclusive flag: bit 4 here, bit 3 in 7.3",
            ],
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_planted_difference_is_named(
    check: Check, tree: Path, name: str, configuration: tuple[str, str], told: list[str]
) -> None:
    label, mode = configuration
    check.tools(planted(name, mode), partial=True)
    assert check(tree, "--configuration", label, "--json") == 1
    *causes, follows = difference_lines(check, mode)
    assert causes == told
    assert follows.startswith("and what follows from that: ")
    if label == "riscv64-full":
        assert all(f"\n  {line}\n" in HOW_TO for line in causes)


def test_helpers_of_the_series_are_compared_with_the_series(check: Check, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "series", has_series=True)
    # the stock answers of 5-level paging cannot be those of the series: only 4-level ones were recorded of it
    check.tools([PLANTED / "x86_64-pmd-swap-mkexclusive.ndjson.xz", X86[1]], partial=True)
    assert check(tree, "--configuration", "x86_64-full") == 1
    lines = check.out.splitlines()
    assert lines[0].endswith("compared with pmd-swap-v3: the tree has pmd_swp_mkexclusive (--kernel names another)")
    assert lines[1:4] == [
        "x86_64 (full la48): differs from pmd-swap-v3",
        "  pmd exclusive flag: bit 4 here, bit 3 in pmd-swap-v3",
        "x86_64 (full la57): differs from pmd-swap-v3",
    ]
    assert "  pmd_swp_exclusive, pmd_swp_mkexclusive: not in this tree, in pmd-swap-v3" in lines
    assert lines[-2:] == [
        "x86_64: pmd_swp_exclusive and pmd_swp_mkexclusive are the tree's own",
        f"x86_64: {EMULATED}",
    ]


@pytest.mark.long
def test_another_revision_may_be_asked_for(check: Check, tree: Path) -> None:
    check.tools(X86)
    assert check(tree, "--configuration", "x86_64-full", "--kernel", "6.12") == 1
    assert "compared with 6.12: as asked for" in check.out
    assert "  MAX_SWAPFILES: 24 here, 23 in 6.12" in check.out.splitlines()
    assert "  pmd_trans_huge differs from 6.12 on words with bits 57, 7 set (" in check.out


def test_what_no_kernel_of_the_revision_can_be_is_a_difference(check: Check, tree: Path) -> None:
    check.tools([vectors.path("7.3/s390x-full")])
    assert check(tree, "--configuration", "s390x-full", "--kernel", "6.12") == 1
    assert "  no such configuration in 6.12: s390x cannot have device_private=True;" in check.out
    assert "  pmd entries: there are some here, none in 6.12" in check.out.splitlines()


def relabelled(folder: Path, name: str, old: str, new: str) -> Path:
    """Recorded answers about swap entries that say of themselves that they are of another kind of machine."""
    path = folder / f"{new}.ndjson.xz"
    of_swap = (line for line in vectors.lines(vectors.path(name)) if '"k":"whole"' not in line)
    path.write_bytes(files.compressed("".join(of_swap).replace(f'"mode":"{old}"', f'"mode":"{new}"')))
    return path


def lpa2_only(check: Check, folder: Path, release: str) -> Path:
    """A tree whose kernels have 52 bits of physical addresses with or without LPA2."""
    name = f"{release}/arm64-4k-va52-pa52-lpa2"
    check.tools([vectors.path(name), relabelled(folder, name, "lpa2", "nolpa2")], partial=True)
    return write_tree(folder / release, f"{release}.0")


@pytest.mark.long
def test_52_bits_without_lpa2_differ_from_releases_that_have_48(check: Check, tmp_path: Path) -> None:
    assert check(lpa2_only(check, tmp_path, "7.3"), "--configuration", "arm64-4k-va52-pa52") == 1
    lines = check.out.splitlines()
    assert lines[1].startswith("arm64 (4k-va52-pa52 lpa2): agrees with 7.3, ")
    assert lines[2] == "arm64 (4k-va52-pa52 nolpa2): differs from 7.3"
    assert lines[3].startswith("  no such configuration in 7.3: arm64 cannot have static_pa_bits=True;")
    assert "  MAX_PHYSMEM_BITS: 52 here, 48 in 7.3" in lines
    assert "  SWP_PFN_BITS: 40 here, 36 in 7.3" in lines


@pytest.mark.long
def test_an_option_that_no_configuration_decides_is_told(check: Check, tmp_path: Path) -> None:
    arguments = (lpa2_only(check, tmp_path, "6.12"), "--configuration", "arm64-4k-va52-pa52")
    assert check(*arguments) == 0
    lines = check.out.splitlines()
    assert lines[1].startswith("arm64 (4k-va52-pa52 lpa2): agrees with 6.12, ")
    assert lines[1].endswith(" answers")
    assert lines[2].startswith("arm64 (4k-va52-pa52 nolpa2): agrees with 6.12, with static_pa_bits=True, ")
    assert check(*arguments, "--json") == 0
    assert [json.loads(line)["options"] for line in check.out.splitlines()] == [{}, {"static_pa_bits": True}]


def test_the_tree_is_compared_with_the_newest_revision_that_is_not_newer(tmp_path: Path) -> None:
    for version, kernel in (("6.12.9", "6.12"), ("9.9.0", NEWEST), ("2024.01.0", NEWEST)):
        base = check_module.choose_base(write_tree(tmp_path / version, version), None)
        assert base.kernel == kernel
        assert base.why.startswith("the newest revision that is not newer than the tree")


@pytest.mark.parametrize("version", ["7.4.0", "2024.01.0"])
def test_a_release_that_is_not_known_is_measured_as_the_newest(check: Check, tmp_path: Path, version: str) -> None:
    check.few_answers("7.3/riscv64-minimal")
    assert check(write_tree(tmp_path / "next", version), "--configuration", "riscv64-minimal") == 0
    assert f"compared with {NEWEST}: the newest revision" in check.out


def test_a_tree_older_than_every_revision_is_compared_with_the_oldest(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_module, "RELEASES", ("9.1", "9.2"))
    base = check_module.choose_base(tree, None)
    assert (base.kernel, base.why.partition(",")[0]) == ("9.1", "the oldest revision")


def test_architectures_are_named_as_elsewhere(check: Check, tree: Path) -> None:
    check.few_answers(*(f"7.3/ppc64le-64k-minimal-{mmu}" for mmu in ("radix", "hash")))
    assert check(tree, "--arch", "powerpc", "--configuration", "ppc64le-64k-minimal") == 0
    assert "ppc64le (64k-minimal radix, 64k-minimal hash): agrees" in check.out
    assert check(tree, "--arch", "vax") == 2
    assert "vax" in check.err


def test_a_configuration_that_does_not_compile_is_reported_and_the_others_are_measured(
    check: Check, tree: Path
) -> None:
    check.few_answers("7.3/riscv64-minimal", fail="ARCH=s390")
    assert check(tree, "--configuration", "riscv64-minimal", "--configuration", "s390x-full") == 2
    assert "riscv64 (minimal): agrees" in check.out
    (complaint,) = (line for line in check.err.splitlines() if "could not be measured" in line)
    assert complaint.startswith("pmdswp: s390x-full could not be measured: ")
    assert complaint.endswith("include/linux/mm.h:1:1: error: no such thing")


def test_what_the_makefiles_themselves_complain_of_is_shown_alone() -> None:
    said = "make: arch/x86/Makefile:1: error\n***\n*** Compiler is too old.\n***   Minimum: 15\n***\nmake: *** Error 2"
    assert check_module._short(said) == "Compiler is too old. | Minimum: 15"
    assert check_module._short("one\nmake: *** [x] Error 2") == "make: *** [x] Error 2"
    assert check_module._short("one\n\n two\n") == "one | two"


def test_tools_without_a_version_in_their_names(check: Check, tree: Path) -> None:
    check.few_answers("7.3/riscv64-minimal")
    for program in LLVM:
        (check.toolchain / f"{program}-19").rename(check.toolchain / program)
    assert check(tree, "--configuration", "riscv64-minimal") == 2
    assert "clang-19" in check.err
    assert check(tree, "--configuration", "riscv64-minimal", "--llvm", "") == 0
    # an empty LLVM= would be gcc
    assert all("LLVM=1" in call.split() for call in (check.toolchain / "make.log").read_text().splitlines())


def test_a_probe_that_stops_is_reported(check: Check, tree: Path) -> None:
    check.tools([PLANTED / "arm64-pmd-present.ndjson.xz"])
    assert check(tree, "--configuration", "arm64-4k-va48-pa48") == 2
    assert "arm64-4k-va48-pa48 - ended with 1 after " in check.err
    assert "probe: nobody recorded: " in check.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["--configuration", "x86_64-none", "--configuration", "x86_64-full"],
            "no configuration 'x86_64-none' of Linux 7.3; there are: x86_64-full, x86_64-defconfig, arm64-",
        ),
        (
            ["--configuration", "arm64-4k-minimal", "--arch", "x86"],
            "no configuration 'arm64-4k-minimal' of Linux 7.3 on x86_64; there are: x86_64-full, x86_64-defconfig\n",
        ),
        (["--jobs", "0"], "cannot run 0 jobs; allowed: 1 and more"),
        (["--jobs", "-1"], "cannot run -1 jobs; allowed: 1 and more"),
        (["--kernel", "4.17"], "no kernel '4.17'; allowed: "),
    ],
)
def test_bad_arguments_are_one_line(check: Check, tree: Path, arguments: list[str], complaint: str) -> None:
    check.tools()
    assert check(tree, *arguments) == 2
    assert complaint in check.err
    assert check.err.count("\n") == 1


def test_what_is_no_clean_kernel_tree_is_refused_in_one_line(check: Check, tmp_path: Path) -> None:
    check.tools()
    (tmp_path / "empty").mkdir()
    assert check(tmp_path / "empty") == 2
    assert (
        check.err
        == f"pmdswp: {tmp_path / 'empty'} is not a kernel source tree; try the folder that has mm/ and Kbuild\n"
    )
    assert check(write_tree(tmp_path / "old", "5.9.0")) == 2
    assert check.err.endswith("Linux 5.9 is older than any kernel that can be asked\n")


@pytest.mark.parametrize("left", [".config", "include/config", "arch/riscv/include/generated"])
def test_a_tree_in_which_something_was_built_is_refused_in_one_line(check: Check, tree: Path, left: str) -> None:
    check.few_answers("7.3/riscv64-minimal")
    (tree / left).mkdir(parents=True)
    assert check(tree, "--configuration", "riscv64-minimal") == 2
    assert check.err == (
        f"pmdswp: {tree}: a kernel was built in the tree itself, {left} is there; give a clean one (git worktree add, "
        "or make ARCH=riscv mrproper)\n"
    )


def test_what_was_built_for_another_architecture_is_no_obstacle(check: Check, tree: Path) -> None:
    check.few_answers("7.3/riscv64-minimal")
    (tree / "arch/s390/include/generated").mkdir(parents=True)
    assert check(tree, "--configuration", "riscv64-minimal") == 0


def test_missing_programs_are_one_line_with_the_packages(check: Check, tree: Path) -> None:
    check.tools()
    for name in ("flex", "clang-19", "llvm-nm-19", "qemu-s390x", "qemu-aarch64"):
        (check.toolchain / name).unlink()
    assert check(tree, "--arch", "s390x") == 2
    assert check.err == (
        "pmdswp: not installed: flex, clang-19, llvm-nm-19, qemu-s390x; "
        "on Debian: apt install flex clang-19 llvm-19 qemu-user\n"
    )
