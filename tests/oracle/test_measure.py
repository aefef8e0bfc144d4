"""The driver for published vectors, on a tree and a toolchain of paper that answer as the published kernel."""

from __future__ import annotations

import json
import platform
import re
from pathlib import Path

import pytest

from data_files import VECTOR_SAMPLE
from oracle import files
from oracle.compare import Reference, differences
from oracle.fakes import made, write_toolchain, write_tree
from oracle.oracle import main
from pmdswp import PmdSwpError, vectors
from pmdswp.oracle.build import Build, release_of, version_of
from pmdswp.oracle.configurations import configurations, machines
from pmdswp.oracle.constants import KernelNames, arch_constants_header, names_header, symbols_header
from pmdswp.oracle.contents import Contents
from pmdswp.oracle.helpers import MAKERS, TESTS, headers
from pmdswp.oracle.questions import EARLIER, LEGEND, earlier, invalid_tables, questions, repeated
from pmdswp.oracle.tools import OracleError, Toolchain, find_program, is_native, missing

NAME = "7.3/riscv64-minimal"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "linux")


def tools(folder: Path, monkeypatch: pytest.MonkeyPatch, *recorded: Path) -> Path:
    toolchain = write_toolchain(folder, recorded or [vectors.path(NAME)])
    monkeypatch.setenv("PATH", str(toolchain))
    return toolchain


def build_of(tree: Path, folder: Path, label: str) -> Build:
    (configuration,) = configurations(release_of(tree), frozenset(), frozenset({label}))
    return Build(tree, configuration, folder, Toolchain(jobs=1))


# --- the driver ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_published_vectors_come_out_byte_for_byte(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools(tmp_path / "bin", monkeypatch)
    cache = tmp_path / "cache"
    arguments = ["--kernel", str(tree), "--cache", str(cache), "--configuration", "riscv64-minimal"]
    assert main([*arguments, "--check"]) == 0
    written = list(vectors.lines(cache / f"vectors/{NAME}.ndjson.xz"))
    assert written == list(vectors.lines(vectors.path(NAME)))
    assert main([*arguments, "--compare"]) == 0


@pytest.mark.long
def test_vectors_that_differ_are_told(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    altered = tmp_path / "altered.ndjson.xz"
    text = "".join(vectors.lines(vectors.path(NAME))).replace('"MAX_SWAPFILES":31', '"MAX_SWAPFILES":30')
    altered.write_bytes(files.compressed(text))
    tools(tmp_path / "bin", monkeypatch, altered)
    arguments = ["--kernel", str(tree), "--cache", str(tmp_path / "cache"), "--configuration", "riscv64-minimal"]
    assert main([*arguments, "--check"]) == 1
    assert f"differs or failed: {NAME}" in caplog.messages
    assert main([*arguments, "--compare"]) == 1
    assert any("geom MAX_SWAPFILES: 30 instead of 31" in message for message in caplog.messages)


@pytest.mark.long
def test_what_is_checked_is_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, name = write_tree(tmp_path / "linux", "7.2.12"), "7.2/riscv64-full-rsw"
    tools(tmp_path / "bin", monkeypatch, vectors.path(name))
    cache = tmp_path / "cache"
    arguments = ["--kernel", str(tree), "--cache", str(cache), "--arch", "riscv64", "--check"]
    assert main(arguments) == 0
    assert [path.name for path in (cache / "vectors/7.2").iterdir()] == ["riscv64-full-rsw.ndjson.xz"]
    assert main([*arguments, "--configuration", "riscv64-minimal"]) == 1


# --- build --------------------------------------------------------------------------------------------------


def test_a_configuration_is_made_once_and_anew_when_asked(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = tools(tmp_path / "bin", monkeypatch)
    build = build_of(tree, tmp_path / "build", "riscv64-minimal")
    build.run(Contents(tree))
    assert made(toolchain) == ["defconfig", "olddefconfig", "prepare0", "objects"]
    build.run(Contents(tree))
    assert made(toolchain)[4:] == []
    build.run(Contents(tree), fresh=True)
    assert made(toolchain)[4:] == ["defconfig", "olddefconfig", "prepare0", "objects"]


@pytest.mark.parametrize(("targets", "is_old"), [("", True), ("CLANG_TARGET_FLAGS_loongarch := x\n", False)])
def test_loongarch_trees_that_clang_cannot_compile_get_help(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: str, *, is_old: bool
) -> None:
    (tree / "scripts/Makefile.clang").write_text(targets)
    toolchain = tools(tmp_path / "bin", monkeypatch, vectors.path("7.3/loongarch64-4k"))
    build_of(tree, tmp_path / "build", "loongarch64-4k").run(Contents(tree))
    called = (toolchain / "make.log").read_text()
    assert ("CROSS_COMPILE=loongarch64-linux-gnusf-" in called) is is_old
    assert ("loongarch-intrinsics.h" in called) is is_old


@pytest.mark.parametrize("label", ["riscv64-minimal", "ppc64le-64k"])
def test_trees_whose_makefiles_take_no_suffix_are_told_each_program_and_the_target(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    toolchain = tools(tmp_path / "bin", monkeypatch)
    configuration = build_of(tree, tmp_path / "new", label)
    configuration.run(Contents(tree))
    new = set((toolchain / "make.log").read_text().split())
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("LLVM_SUFFIX", ""))
    (tree / "scripts/Makefile.clang").unlink()
    build_of(tree, tmp_path / "old", label).run(Contents(tree))
    old = set((toolchain / "make.log").read_text().split())
    triple = configuration.configuration.machine.triple
    told = {f"CC={toolchain}/clang-19", f"HOSTCC={toolchain}/clang-19", f"LD={toolchain}/ld.lld-19"}
    told |= {"LLVM_IAS=1", "cpu-as-y="}
    assert told | {f"CROSS_COMPILE={triple}-"} <= old
    assert not {word.partition("=")[0] for word in told} & {word.partition("=")[0] for word in new}


def test_of_the_invalid_tables_of_loongarch_the_lowest_is_asked_for() -> None:
    # a configuration with fewer levels has no others
    header = arch_constants_header("loongarch64")
    assert re.findall(r"hex\(\"(invalid_\w+)\"", header) == ["invalid_pte_table"]


def test_the_probe_is_told_where_the_invalid_table_of_loongarch_is(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools(tmp_path / "bin", monkeypatch, vectors.path("7.3/loongarch64-4k"))
    build = build_of(tree, tmp_path / "build", "loongarch64-4k")
    build.run(Contents(tree))
    assert build.geom("-", invalid_pte_table=0x1230000)["arch"] == "loongarch64"
    assert (tmp_path / "build/probe-1230000").is_file()
    assert invalid_tables(0x1230000) == {
        "invalid_pte_table": 0x1230000,
        "invalid_pmd_table": 0x1240000,
        "invalid_pud_table": 0x1250000,
    }


def test_versions_are_read_from_the_makefile(tree: Path) -> None:
    assert (version_of(tree), release_of(tree)) == ("7.3.4", (7, 3))
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("EXTRAVERSION =", "EXTRAVERSION = -rc2"))
    assert (version_of(tree), release_of(tree)) == ("7.3.4-rc2", (7, 3))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("VERSION = 7", "VERSION ="),
        ("VERSION = 7", "VERSION = seven"),
        ("PATCHLEVEL = 3", "PATCHLEVEL = 3x"),
        ("SUBLEVEL = 4", "SUBLEVEL ="),
        ("EXTRAVERSION =", "EXTRA ="),
    ],
)
def test_a_makefile_without_a_version_is_none_of_a_kernel(tree: Path, old: str, new: str) -> None:
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace(old, new, 1))
    for read in (version_of, release_of):
        with pytest.raises(OracleError, match=r" is not a kernel source tree; try the folder that has mm/ and Kbuild$"):
            read(tree)


@pytest.mark.parametrize("name", ["Makefile", "scripts/config", "mm/Kconfig"])
def test_a_tree_without_what_every_kernel_has_is_none(tree: Path, name: str) -> None:
    (tree / name).unlink()
    with pytest.raises(OracleError, match=r" is not a kernel source tree; try the folder that has mm/ and Kbuild$"):
        version_of(tree)


@pytest.mark.parametrize(
    ("machine", "native"),
    [
        ("x86_64", ["x86_64"]),
        ("aarch64", ["arm64"]),
        ("ppc64le", ["ppc64le"]),
        ("ppc64", []),
        ("s390x", ["s390x"]),
        ("riscv64", ["riscv64"]),
        ("loongarch64", ["loongarch64"]),
        ("mips64", []),
    ],
)
def test_a_machine_is_known_by_the_name_that_it_gives_itself(
    monkeypatch: pytest.MonkeyPatch, machine: str, native: list[str]
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert [arch for arch in machines() if is_native(arch)] == native


def test_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for program, package in (
        ("make", "make"),
        ("ld.lld-19", "lld-19"),
        ("llvm-nm", "llvm"),
        ("qemu-riscv64", "qemu-user"),
        ("dpkg-deb", "dpkg-deb"),
        ("apt-9", "apt-9"),
    ):
        with pytest.raises(OracleError, match=f"^not installed: {program}; on Debian: apt install {package}$"):
            find_program(program)
    write_toolchain(tmp_path / "bin", [])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert missing(machines(), "-19") is None
    assert "clang-18" in str(missing([], "-18"))


# --- names --------------------------------------------------------------------------------------------------


def test_a_name_is_one_that_is_called_or_declared_outside_of_comments(tree: Path, tmp_path: Path) -> None:
    names = KernelNames(tree, "x86")
    assert names.has_name("softleaf_type")
    assert not names.has_name("pmd_swp_mkexclusive")
    source = tmp_path / "probe.c"
    source.write_text("#if HAS_softleaf_type\n#if HAS_pmd_swp_mkexclusive /* HAS_NAME */\n")
    assert names_header(names, [source]) == "#define HAS_pmd_swp_mkexclusive 0\n#define HAS_softleaf_type 1\n"


ARCH_HEADER = """
#define pte_young(pte)		is_young(pte)
# define pud_pfn pud_pfn
static inline unsigned long pud_pfn(pud_t pud)
{
	return pud_val(pud) >> 12;
}
static inline int p4d_pfn(p4d_t p4d)
{
	BUILD_BUG();
	return 0;
}
static __always_inline pte_t pte_mkwrite_novma(pte_t pte) { return pte; }
extern pte_t pte_mkwrite(pte_t pte, struct vm_area_struct *vma);
static inline int pte_accessible(struct mm_struct *mm, pte_t pte)
static inline int pmd_soft_dirty(pmd_t pmd) { return pte_dirty(pmd_pte(pmd)); }
static inline pmd_t pmd_mkuffd_wp(pmd_t pmd)
static inline pmd_t pmd_mkhuge(pmd_t pmd)
static inline pte_t pte_mkhuge(pte_t pte)
/* static inline pte_t pte_mkold(pte_t pte) */
"""


def test_helpers_are_asked_that_the_architecture_itself_defines(tree: Path) -> None:
    (tree / "include/linux/pgtable.h").write_text("static inline int pmd_write(pmd_t pmd) { return 0; }\n")
    folder = tree / "arch/x86/include/asm"
    folder.mkdir(parents=True)
    (folder / "pgtable.h").write_text(ARCH_HEADER)
    assert {name: text for name, text in headers(KernelNames(tree, "x86")) if text} == {
        "pte-tests.h": 'TEST("y", pte_young(pte));\nTEST("ac", ACCESSIBLE(pte));\n',
        "pte-makers.h": 'MAKER("mkwrite", pte, pte_mkwrite_novma(pte));\nMAKER("mkhuge", pte, pte_mkhuge(pte));\n',
        "pmd-tests.h": '#if defined(CONFIG_MEM_SOFT_DIRTY)\nTEST("sd", pmd_soft_dirty(pmd));\n#endif\n',
        "pmd-makers.h": (
            "#if defined(CONFIG_HAVE_ARCH_USERFAULTFD_WP)\n"
            'MAKER("mkuffd", pmd, pmd_mkuffd_wp(pmd));\n'
            "#endif\n"
            'if (makes_huge_pmds())\nMAKER("mkhuge", pmd, pmd_mkhuge(pmd));\n'
        ),
        "pud-frame.h": 'hex("f", pud_pfn(pud));\n',
    }


def test_every_helper_that_is_asked_is_in_some_published_file() -> None:
    found: set[str] = set()
    for path in VECTOR_SAMPLE:
        last = json.loads(list(vectors.lines(path))[-1])
        for level in ("pte", "pmd", "pud"):
            found |= {*last[level], *last[level].get("mk", ())}
    assert {*TESTS, *MAKERS} <= found


def test_symbols_are_those_that_kconfig_knows(tree: Path) -> None:
    assert symbols_header(KernelNames(tree, "x86")) == "".join(
        f'dec("CONFIG_{name}", IS_ENABLED(CONFIG_{name}));\n' for name in ("SWAP", "MIGRATION")
    )


@pytest.mark.parametrize("arch", machines())
def test_every_constant_is_printed_under_its_own_name_if_it_is_defined(arch: str) -> None:
    header = arch_constants_header(arch)
    for name in machines()[arch].numbers.split():
        assert f"#if defined({name})\nDEC({name});\n#endif\n" in header
    assert ("invalid_pte_table" in header) is (arch == "loongarch64")


# --- configurations and questions ---------------------------------------------------------------------------


def test_labels_are_unique_within_a_release() -> None:
    for release in ((6, 1), (6, 12), (6, 19), (7, 3)):
        chosen = list(configurations(release, frozenset(), frozenset()))
        assert len({configuration.label for configuration in chosen}) == len(chosen)
        assert {configuration.arch for configuration in chosen} == set(machines())


def test_a_release_has_configurations_of_the_architectures_that_it_has() -> None:
    for release, has_loongarch in (((5, 10), False), ((5, 18), False), ((5, 19), True)):
        arches = {configuration.arch for configuration in configurations(release, frozenset(), frozenset())}
        assert arches | {"loongarch64"} == set(machines())
        assert ("loongarch64" in arches) is has_loongarch


SOME_ARE_PUBLISHED = {"5.10": 9, "7.2": 8}
"""Releases of which not every configuration is published, and how many files are."""


@pytest.mark.parametrize("release", vectors.kernels())
def test_every_configuration_of_a_release_is_published_and_no_other(release: str) -> None:
    major, minor = map(int, release.split("."))
    labels = {
        f"{release}/{configuration.file_label(mode)}"
        for configuration in configurations((major, minor), frozenset(), frozenset())
        for mode in configuration.modes
    }
    published = set(vectors.files(release))
    assert published <= labels
    assert len(published) == SOME_ARE_PUBLISHED.get(release, len(labels))
    arches = {name.partition("/")[2].partition("-")[0] for name in labels}
    assert {name.partition("/")[2].partition("-")[0] for name in published} == arches


@pytest.mark.parametrize(
    "name",
    [
        # the other files were asked by the same code
        pytest.param(name, marks=[] if index % 9 == 0 else [pytest.mark.long])
        for index, name in enumerate(vectors.files())
    ],
)
def test_published_answers_are_those_to_the_questions_and_their_header_is_the_oracles(name: str) -> None:
    header, geom, *answers = (json.loads(line) for line in vectors.lines(vectors.path(name)))
    assert list(repeated(answers)) == list(questions(geom, name))
    release = (geom["kver_major"], geom["kver_minor"])
    (configuration,) = (
        configuration
        for configuration in configurations(release, frozenset(), frozenset())
        if (configuration.arch, configuration.name) == (header["arch"], header["configuration"])
    )
    assert files._header(configuration, geom, answers) == header


def test_every_reason_has_a_note_and_every_note_is_needed() -> None:
    legends = (json.loads(next(vectors.lines(vectors.path(name))))["legend"] for name in vectors.files())
    assert {why: note for legend in legends for why, note in legend.items()} == LEGEND


def test_questions_of_earlier_editions_belong_to_published_files() -> None:
    headings = [line for line in EARLIER.read_text().splitlines() if line.startswith(">")]
    named = {name for heading in headings for name in heading[1:].split()}
    assert named <= set(vectors.files())
    assert list(earlier("7.3/no-such-file")) == []


# --- compare ------------------------------------------------------------------------------------------------


class Asked:
    """Answers as recorded, but for some words; in place of a build."""

    def __init__(self, name: str, edit: dict[str, str]) -> None:
        self.lines = [line.rstrip("\n") for line in vectors.lines(vectors.path(name))][1:]
        for old, new in edit.items():
            self.lines = [line.replace(old, new) for line in self.lines]

    def ask(self, mode: str, questions: list[str], *, invalid_pte_table: int) -> list[str]:
        assert (mode, len(questions)) == ("-", len(self.lines))
        return self.lines


def test_each_field_that_differs_is_one_line() -> None:
    reference = Reference.read(vectors.path(NAME))
    assert reference.is_of(json.loads(Asked(NAME, {}).lines[0]))
    assert not reference.is_of({**reference.geom, "CONFIG_SWAP": 0})
    assert list(differences(reference, Asked(NAME, {}), "-")) == []  # type: ignore[arg-type]
    first = '"w":"type0","t":0,"o":"0x0","e":"0x0"'
    edited = Asked(NAME, {first: first[:-2] + '1"', '"kver_sub":4': '"kver_sub":5', '"PMD_SHIFT":21': '"PMD_SHIFT":20'})
    assert list(differences(reference, edited, "-")) == [  # type: ignore[arg-type]
        "geom PMD_SHIFT: 20 instead of 21",
        "swp type0 0 0x0: .e is 0x1 instead of 0x0",
    ]
    short = Asked(NAME, {})
    del short.lines[-1]
    short.ask = lambda *_, **__: short.lines  # type: ignore[method-assign]
    count = len(reference.records)
    assert list(differences(reference, short, "-")) == [  # type: ignore[arg-type]
        f"{count - 1} answers to {count} questions"
    ]


def test_errors_of_the_oracle_are_the_librarys() -> None:
    assert issubclass(OracleError, PmdSwpError)
