"""Kernels from 4.18 to 6.0: their layouts and predicates as one matrix, and words of theirs by hand.

The matrix is written from the sources of those kernels and from what some of them computed, release by release; the
numbers of their types are in test_tables.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

import pmdswp
from pmdswp import Layout, SoftLeaf, SoftLeafType, State
from pmdswp.arch import get_with
from timeline import ALL, RELEASES

# x86: flags (d soft-dirty, u uffd, x exclusive); arm64: layout, PMD softleaves (- or m), pmd_present (o old, n new),
# pmd_bad and pmd_leaf (o, n); riscv: layout, pte_present (0, 1, 5: the bits beside 0), pmd_present with the leaf bits
# (-, l), PMD softleaves; s390: flags, pmd_bad (o, n); ppc: layout, PMD softleaves, pte_present (o, n), bits that a hash
# pte_none ignores (o, n), hash DEVMAP (-, d); loong: whether it is there.
MATRIX = """
release shift x86 arm64  riscv s390 ppc    loong
4.18    57    d   A0-ooo R00-- do   P0-oo- -
4.19    57    d   A0-ooo R00-- do   P0-oo- -
4.20    58    d   A0-ooo R00-- do   P0moo- -
5.0     58    d   A0-ooo R01-- do   P0moo- -
5.1     58    d   A0-ooo R01-- do   P0moo- -
5.2     58    d   A0-ooo R01-- do   P0moo- -
5.3     58    d   A0-ooo R01-- do   P0moo- -
5.4     58    d   A0-ooo R01-- do   P0mood -
5.5     58    d   A0-ooo R01-- do   P0mood -
5.6     58    d   A0-ooo R01-- do   P0mood -
5.7     58    du  A0-ooo R01-- dn   P0mood -
5.8     58    du  A0-ooo R01-- dn   P0mnod -
5.9     58    du  A0-ooo R01-- dn   P0mnnd -
5.10    58    du  A0mnnn R01-- dn   P0mnnd -
5.11    58    du  A0mnoo R01-- dn   P0mnnd -
5.12    58    du  A0mnoo R01-- dn   P0mnnd -
5.13    58    du  A0mnoo R01-- dn   P0mnnd -
5.14    58    du  A0mnno R01l- dn   P0mnnd -
5.15    58    du  A0mnnn R01l- dn   P0mnnd -
5.16    58    du  A0mnno R01l- dn   P0mnnd -
5.17    58    du  A0mnno R15lm dn   P0mnnd -
5.18    58    du  A0mnnn R15lm dn   P0mnnd -
5.19    58    dux A1mnnn R15lm dxn  P1mnnd L1
6.0     58    dux A1mnnn R15lm dxn  P1mnnd L1
"""

_HEADER, *_ROWS = (line.split() for line in MATRIX.strip().splitlines())
TABLE = {row[0]: dict(zip(_HEADER, row, strict=True)) for row in _ROWS}

FLAG_CODES = {"soft_dirty": "d", "uffd": "u", "exclusive": "x"}


def cases(column: str) -> pytest.MarkDecorator:
    """Each release with its code in one column."""
    return pytest.mark.parametrize(("release", "code"), [(release, row[column]) for release, row in TABLE.items()])


def configurations(name: str, release: str) -> Iterator[pmdswp.Arch]:
    """The default, and every page size and MMU."""
    options = pmdswp.get(name).architecture.options
    for page_size in options["page_size"].examples:
        for mmu in options["mmu"].examples if "mmu" in options else [None]:
            yield get_with(name, {"kernel": release, "page_size": page_size, **({"mmu": mmu} if mmu else {})})


def where(layout: Layout) -> tuple[tuple[int, int], tuple[int, int], dict[str, int]]:
    """Lowest bit and width of type and offset; the flags by their codes."""
    flags = {FLAG_CODES[name]: mask for name, mask in layout.flags.items()}
    return (layout.type.lsb, layout.type.width), (layout.offset.lsb, layout.offset.width), flags


def test_the_matrix_has_every_release_before_6_1() -> None:
    assert tuple(TABLE) == ALL[: ALL.index("6.1")]
    for release, row in TABLE.items():
        assert (row["loong"] != "-") is (release in RELEASES["loongarch64"])


@cases("shift")
def test_the_generic_entry_has_its_type_above_57_or_58_bits(release: str, code: str) -> None:
    for name in (name for name in pmdswp.names() if release in RELEASES[name]):
        arch = get_with(name, {"kernel": release})
        assert arch.swp_type_shift == arch.swp_pfn_bits == int(code)
        # the whole offset is the PFN, and there are no young and dirty bits
        assert not arch.migration_ad
        leaf = SoftLeaf(next(iter(arch.numbering.numbers(SoftLeafType.MIGRATION_WRITE))), arch.max_swap_offset)
        assert arch.softleaf_pfn(leaf) == leaf.offset
        assert not arch.softleaf_young(leaf)


@cases("x86")
def test_x86_64(release: str, code: str) -> None:
    arch = pmdswp.get("x86_64", kernel=release)
    flags = {flag: {"d": 2, "u": 4, "x": 8}[flag] for flag in code}
    assert where(arch.pte_layout) == ((59, 5), (9, 50), flags)
    assert where(arch.layout("pmd")) == ((59, 5), (9, 50), {flag: bit for flag, bit in flags.items() if flag != "x"})
    # a table that was not accessed is bad, and user access does not matter
    assert [arch.pmd_bad(word) for word in (0x1067, 0x1063, 0x1047, 0x1065)] == [False, False, True, True]
    assert [arch.pmd_trans_huge(0x80 | 1 << bit) for bit in (57, 58)] == [True, False]


@cases("arm64")
def test_arm64(release: str, code: str) -> None:
    layout, pmd, present, bad, leaf = code[:2], *code[2:]
    for arch in configurations("arm64", release):
        expected = ((2, 6), (8, 50), {}) if layout == "A0" else ((3, 5), (8, 50), {"x": 4})
        assert where(arch.pte_layout) == expected
        assert arch.has_pmd_softleaf is (pmd == "m")
        if pmd == "m":
            assert where(arch.layout("pmd")) == (*expected[:2], {})
        assert [bit for bit in range(64) if arch.pte_present(1 << bit)] == [0, 58]
        assert [bit for bit in range(64) if arch.pmd_present(1 << bit)] == [0, 58, *([59] if present == "n" else [])]
        # what is not present maps no huge page, from then on
        assert arch.pmd_trans_huge(1 << 8) is (present == "o")
        assert [arch.pmd_bad(word) for word in (0, 1, 2, 3)] == [True, True, bad == "n", False]
        assert [arch.pmd_leaf(word) for word in (1, 3, 1 << 58, 0)] == [True, False, leaf == "n", False]


@cases("riscv")
def test_riscv64(release: str, code: str) -> None:
    layout, present, leaf, pmd = code[:2], *code[2:]
    arch = pmdswp.get("riscv64", kernel=release)
    assert where(arch.pte_layout) == {"R0": ((2, 5), (7, 57), {}), "R1": ((6, 5), (11, 53), {})}[layout]
    assert arch.has_pmd_softleaf is (pmd == "m")
    bits = {"0": [0], "1": [0, 1], "5": [0, 5]}[present]
    assert [bit for bit in range(64) if arch.pte_present(1 << bit)] == bits
    of_pmd = sorted({*bits, 1, 2, 3}) if leaf == "l" else bits
    assert [bit for bit in range(64) if arch.pmd_present(1 << bit)] == of_pmd
    assert [arch.pmd_bad(word) for word in (0, 1, 0xF)] == [True, False, leaf == "l"]
    assert arch.config.thp is (leaf == "l")
    assert arch.pmd_trans_huge(0xF) is (leaf == "l")


@cases("s390")
def test_s390x(release: str, code: str) -> None:
    arch = pmdswp.get("s390x", kernel=release)
    flags = {flag: {"d": 0x2, "x": 0x800}[flag] for flag in code[:-1]}
    assert where(arch.pte_layout) == ((2, 5), (12, 52), flags)
    assert not arch.has_pmd_softleaf
    assert [arch.pmd_present(word) for word in (0x20, 0x0, 0x400)] == [False, True, True]
    # every large entry is bad since 5.7; before, those with bits that mean nothing there
    words = (0x400, 0x404, 0x440, 0x500, 1 << 16 | 0x400, 0x100, 0x4)
    assert [arch.pmd_bad(word) for word in words] == (
        [True] * 7 if code[-1] == "n" else [False, True, True, False, True, True, True]
    )


HASH_IGNORES = {
    ("o", 65536): 0x0180_0000_0000_1000,
    ("o", 4096): 0x19E0_0000_0000_0000,
    ("n", 65536): 0x0080_0000_0000_1040,
    ("n", 4096): 0x11E0_0000_0000_0040,
}


@cases("ppc")
def test_ppc64(release: str, code: str) -> None:
    layout, pmd, present, ignored, devmap = code[:2], *code[2:]
    for arch in configurations("ppc64", release):
        flags = {"d": 0x20} if layout == "P0" else {"d": 0x200, "x": 0x20}
        shift, mmu = arch.page_shift, arch.config.text("mmu")
        assert where(arch.pte_layout) == ((0, 5), (shift, 53 - shift), flags)
        assert arch.has_pmd_softleaf is (pmd == "m")
        alone = [bit for bit in range(64) if arch.pte_present(1 << bit)]
        assert alone == ([61, 63] if present == "o" else [])
        assert arch.pte_present(1 << 62 | 1 << 63)
        assert [bit for bit in range(64) if arch.pmd_present(1 << bit)] == ([61, 63] if pmd == "m" else [*range(64)])
        mask = HASH_IGNORES[ignored, arch.page_size] if mmu == "hash" else 0x180
        assert sum(1 << bit for bit in range(64) if arch.pte_none(1 << bit)) == mask
        if (mmu, arch.page_size) != ("hash", 4096):
            huge = 1 << 63 | 1 << 62 | (0x2000 if mmu == "hash" else 0)
            assert arch.pmd_trans_huge(huge)
            assert arch.pmd_trans_huge(huge | 0x800) is (mmu == "hash" and devmap == "-")
            assert arch.pmd_trans_huge(huge ^ 1 << 63) is (pmd == "-")


@pytest.mark.parametrize("release", [release for release, row in TABLE.items() if row["loong"] != "-"])
def test_loongarch64(release: str) -> None:
    for arch in configurations("loongarch64", release):
        for level in (arch.pte, arch.pmd):
            assert where(level.require_layout()) == ((16, 8), (24, 40), {})
        assert [bit for bit in range(64) if arch.pmd_present(0x40 | 1 << bit)] == [7, 10]


# --- words by hand ------------------------------------------------------------------------------------------


class Word(NamedTuple):
    """A type, an offset, flags, and the word that these releases store of them in a PTE (and in a PMD)."""

    name: str
    releases: tuple[str, ...]
    options: Mapping[str, object]
    leaf: SoftLeaf
    flags: tuple[str, ...]
    word: int
    kind: str = "SWAP"


SD, E = ("soft_dirty",), ("exclusive",)
PPC_4K, PPC_64K = {"page_size": 4096}, {"page_size": 65536}
NO_DEVICES = {"device_private": False}
WORDS = [
    Word("x86_64", ("4.18", "4.19", "5.4", "5.10", "5.18"), {}, SoftLeaf(1, 0x12345600), SD, 0x0FFF_FFDB_9753_FE02),
    Word("x86_64", ("5.10",), {}, SoftLeaf(29, 0x123400), SD, 0xEFFF_FFFF_DB97_FE02, "MIGRATION_WRITE"),
    Word("x86_64", ("5.15",), {}, SoftLeaf(27, 0x123400), SD, 0xDFFF_FFFF_DB97_FE02, "MIGRATION_WRITE"),
    Word("x86_64", ("5.19",), {}, SoftLeaf(25, 0x123400), SD, 0xCFFF_FFFF_DB97_FE02, "MIGRATION_WRITE"),
    # a report of "bad pmd" from 5.15, which was none
    Word("x86_64", ("5.14", "5.15", "5.18"), {}, SoftLeaf(27, 0xC70200), SD, 0xDFFF_FFFE_71FB_FE02, "MIGRATION_WRITE"),
    # crash on 5.6.6: /dev/zram0, slot 96847
    Word("x86_64", ("5.6",), {}, SoftLeaf(0, 96847), SD, 0x07FF_FFFF_FD0B_6002),
    Word("arm64", ("4.19", "5.4", "5.18"), {}, SoftLeaf(0, 0x200), (), 0x0000_0000_0002_0000),
    Word("arm64", ("4.19", "5.4", "5.18"), {}, SoftLeaf(1, 0x12345600), (), 0x0000_0012_3456_0004),
    Word("arm64", ("5.10",), {}, SoftLeaf(26, 0x3FFFFFFFFFE00), (), 0x03FF_FFFF_FFFE_0068),
    Word("arm64", ("5.10",), {}, SoftLeaf(29, 0x123400), (), 0x0000_0000_1234_0074, "MIGRATION_WRITE"),
    Word("arm64", ("5.15",), {}, SoftLeaf(27, 0x123400), (), 0x0000_0000_1234_006C, "MIGRATION_WRITE"),
    Word("arm64", ("5.10", "5.15"), NO_DEVICES, SoftLeaf(31, 0x123400), (), 0x1234_007C, "MIGRATION_WRITE"),
    Word("arm64", ("5.19", "6.0"), {}, SoftLeaf(1, 0x12345600), E, 0x0000_0012_3456_000C),
    Word("riscv64", ("4.19", "5.4", "5.16"), {}, SoftLeaf(0, 0x200), (), 0x0000_0000_0001_0000),
    Word("riscv64", ("4.19", "5.4", "5.16"), {}, SoftLeaf(1, 0x12345600), (), 0x0000_0009_1A2B_0004),
    Word("riscv64", ("4.19", "5.16"), {}, SoftLeaf(31, 0x123400), (), 0x0000_0000_091A_007C, "MIGRATION_WRITE"),
    Word("riscv64", ("5.17", "5.19"), {}, SoftLeaf(1, 0x12345600), (), 0x0000_0091_A2B0_0040),
    Word("riscv64", ("5.17", "5.18"), {}, SoftLeaf(31, 0x123400), (), 0x0000_0000_91A0_07C0, "MIGRATION_WRITE"),
    Word("riscv64", ("5.19", "6.0"), {}, SoftLeaf(30, 0x123400), (), 0x0000_0000_91A0_0780, "MIGRATION_WRITE"),
    Word("s390x", ("4.18", "5.10", "6.0"), {}, SoftLeaf(1, 0x12300), (), 0x0000_0000_1230_0604),
    Word("s390x", ("4.18", "5.10", "6.0"), {}, SoftLeaf(2, 0x400000), SD, 0x0000_0004_0000_060A),
    Word("s390x", ("4.18", "5.18"), {}, SoftLeaf(31, 0x12300), (), 0x0000_0000_1230_067C, "MIGRATION_WRITE"),
    Word("s390x", ("5.19", "6.0"), {}, SoftLeaf(30, 0x12300), (), 0x0000_0000_1230_0678, "MIGRATION_WRITE"),
    Word("ppc64", ("4.18", "5.18"), PPC_4K, SoftLeaf(0, 0x200), (), 0x4000_0000_0020_0000),
    Word("ppc64", ("4.18", "5.18"), PPC_4K, SoftLeaf(2, 0x400000), SD, 0x4000_0004_0000_0022),
    Word("ppc64", ("5.19", "6.0"), PPC_4K, SoftLeaf(2, 0x400000), SD, 0x4000_0004_0000_0202),
    Word("ppc64", ("5.10",), PPC_4K, SoftLeaf(29, 0x12300), (), 0x4000_0000_1230_001D, "MIGRATION_WRITE"),
    Word("ppc64", ("4.18", "5.18"), PPC_64K, SoftLeaf(2, 0x400000), SD, 0x4000_0040_0000_0022),
    Word("ppc64", ("5.10",), PPC_64K, SoftLeaf(29, 0x12300), (), 0x4000_0001_2300_001D, "MIGRATION_WRITE"),
    Word("loongarch64", ("5.19", "6.0"), {}, SoftLeaf(1, 0x600), (), 0x0000_0006_0001_0000),
]


@pytest.mark.parametrize("case", WORDS, ids=lambda case: f"{case.name}-{case.word:#x}")
def test_words_by_hand(case: Word) -> None:
    for release in case.releases:
        arch = get_with(case.name, {"kernel": release, **case.options})
        on = dict.fromkeys(case.flags, True)
        for level in (arch.pte, arch.pmd):
            if not level.holds_softleaf or (level.name == "pmd" and ("exclusive" in on or case.name == "loongarch64")):
                continue
            assert level.encode(*case.leaf, **on) == case.word, arch
            entry = level.decode(case.word)
            assert (entry.state, entry.leaf, entry.kind.name) == (State.SOFTLEAF, case.leaf, case.kind), arch
            assert {flag for flag in ("exclusive", "soft_dirty", "uffd") if getattr(entry, flag)} == set(case.flags)


def test_a_loongarch64_pmd_by_hand() -> None:
    arch = pmdswp.get("loongarch64", kernel="5.19")
    assert arch.encode_pmd(30, 0x1200) == 0x0000_0012_001E_0040
    assert arch.decode_pmd(0x0000_0012_001E_0040).kind is SoftLeafType.MIGRATION_WRITE


def test_bit_5_of_ppc64_is_soft_dirty_until_5_18_and_exclusive_from_5_19() -> None:
    old, new = (pmdswp.get("ppc64", kernel=kernel).decode_pte(0x4000_0040_0000_0022) for kernel in ("5.18", "5.19"))
    assert (old.soft_dirty, old.exclusive) == (True, False)
    assert (new.soft_dirty, new.exclusive) == (False, True)


def test_an_arm64_word_is_read_in_two_ways_before_and_after_5_19() -> None:
    word = pmdswp.get("arm64", kernel="5.18").encode_pte(5, 0x2D2D2F)
    entry = pmdswp.get("arm64", kernel="5.19").decode_pte(word)
    assert (entry.leaf, entry.exclusive) == (SoftLeaf(2, 0x2D2D2F), True)


@pytest.mark.parametrize(
    ("name", "kernel", "answers"),
    [
        # pmd_bad and pmd_leaf of arm64: bit 1 alone, PROT_NONE
        ("arm64", "5.10.0", (False, False)),
        ("arm64", "5.10.262", (True, True)),
        ("arm64", "5.15.0", (True, False)),
        ("arm64", "5.15.100", (True, True)),
        ("arm64", "5.15", (True, True)),
    ],
)
def test_stable_updates_of_arm64_changed_predicates(name: str, kernel: str, answers: tuple[bool, bool]) -> None:
    arch = pmdswp.get(name, kernel=kernel)
    assert (arch.pmd_bad(2), arch.pmd_leaf(1 << 58)) == answers


@pytest.mark.parametrize(
    ("kernel", "shift", "has_uffd"),
    [
        ("4.18", 57, False),
        ("4.18.0-147.5.1.el8.x86_64", 58, False),
        ("4.18.0-240.el8.x86_64", 58, False),
        ("4.18.0-348.2.1.el8_5.x86_64", 58, True),
        ("4.18.0-553.el8_10.x86_64", 58, True),
    ],
)
def test_red_hat_8_has_what_was_read_in_it(kernel: str, shift: int, has_uffd: bool) -> None:
    arch = pmdswp.get("x86_64", kernel=kernel)
    assert (arch.swp_type_shift, "uffd" in arch.pte_layout.flags) == (shift, has_uffd)
    assert bool(arch.notes) is (kernel != "4.18")
    assert pmdswp.get("ppc64", kernel=kernel).pte_present(1 << 63) is (kernel in ("4.18", "4.18.0-147.5.1.el8.x86_64"))


def test_what_lies_between_two_builds_that_were_read_is_said_to_be_unknown() -> None:
    [_, note] = pmdswp.get("x86_64", kernel="4.18.0-305.el8.x86_64").notes
    assert "Whether build 305 of 4.18 has a change is not known" in note
    [note] = pmdswp.get("arm64", kernel="5.15.50").notes
    assert "stable update 50 of 5.15" in note


def test_red_hat_9_is_read_as_mainline_and_says_that_it_may_be_another() -> None:
    for kernel in ("5.14.0-70.el9.x86_64", "5.14.0-503.el9.x86_64"):
        arch = pmdswp.get("x86_64", kernel=kernel)
        assert arch == pmdswp.get("x86_64", kernel="5.14")
        assert "not one revision" in arch.notes[0]
