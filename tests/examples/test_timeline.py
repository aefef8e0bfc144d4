"""The history of six architectures as one matrix, a row for each release: every cell is a code with facts behind it.

The matrix is the same history as in timeline.py, told by release instead of by fact, so that neither has a slip of the
pen that the other shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

import pmdswp
from examples.common import configure
from pmdswp import Arch, Layout, SoftLeaf, SoftLeafType
from pmdswp.config import Options
from timeline import EVER, LOONGARCH_BIT_60

# types: type numbers; mark: PTE markers; pmd: kinds in PMDs (m migration, d device-private, s swap); names: how those
# of the uffd bit end. x86, ppc: pmd_trans_huge; arm64, riscv, loong: layouts; pa: 52 bits with small pages (n no, s
# static or as the CPU has it, c as the CPU has it); s390: the PMD (- no softleaf, R in RSTE form; 0 without a present
# bit, 1 with one); dev: device-private on riscv64 and loongarch64, and on s390x.
MATRIX = """
release     types mark pmd names    x86 arm64 pa riscv s390 ppc loong dev
6.1         T1    K1   m   UFFD_WP  V0  A1    n  R1    -0   V1  L1    nn
6.2         T2    K2   m   UFFD_WP  V0  A1    n  R1    -0   V1  L1    nn
6.3         T2    K2   m   UFFD_WP  V0  A1    n  R2    -0   V1  L2    nn
6.4         T2    K2   m   UFFD_WP  V0  A1    n  R2    -0   V1  L2    nn
6.5         T2    K2   m   UFFD_WP  V0  A1    n  R2    -0   V1  L2    nn
6.6         T2    K2   m   UFFD_WP  V1  A1    n  R2    -0   V1  L2    nn
6.7         T2    K2   m   UFFD_WP  V1  A1    n  R2    -0   V1  L2    nn
6.8         T2    K2   m   UFFD_WP  V1  A1    n  R2    -0   V1  L2    nn
6.9         T2    K2   m   UFFD_WP  V1  A1    s  R2    -0   V1  L2    nn
6.10        T2    K2   m   UFFD_WP  V1  A2    s  R2    -0   V1  L2    nn
6.11        T2    K2   m   UFFD_WP  V1  A2    s  R2    -0   V1  L2    yn
6.12        T2    K2   m   UFFD_WP  V1  A2    s  R2    -0   V1  L2    yn
6.13        T2    K3   m   UFFD_WP  V1  A2    s  R2    -1   V1  L2    yn
6.14        T2    K3   m   UFFD_WP  V1  A2    c  R2    -1   V1  L2    yn
6.15        T3    K3   m   UFFD_WP  V1  A2    c  R2    -1   V1  L2    yn
6.16        T3    K3   m   UFFD_WP  V1  A2    c  R2    -1   V1  L2    yn
6.17        T3    K3   m   UFFD_WP  V2  A2    c  R2    R1   V2  L2    yy
6.18        T3    K3   m   UFFD_WP  V2  A2    c  R2    R1   V2  L2    yy
6.19        T3    K3   md  UFFD_WP  V2  A2    c  R3    R1   V2  L2    yy
7.0         T3    K3   md  UFFD_WP  V2  A2    c  R3    R1   V2  L2    yy
7.1         T3    K3   md  UFFD_WP  V2  A2    c  R3    R1   V2  L2    yy
7.2         T3    K3   md  UFFD_WP  V2  A2    c  R3    R1   V2  L2    yy
7.3         T3    K3   md  UFFD     V2  A2    c  R3    R1   V2  L2    yy
pmd-swap-v3 T3    K3   mds UFFD     V2  A2    c  R3    R1   V2  L2    yy
"""

_HEADER, *_ROWS = (line.split() for line in MATRIX.strip().splitlines())
TABLE = {row[0]: dict(zip(_HEADER, row, strict=True)) for row in _ROWS}

each_release = pytest.mark.parametrize("release", TABLE)


def cases(column: str) -> pytest.MarkDecorator:
    """Each release with its code in one column."""
    return pytest.mark.parametrize(("release", "code"), [(release, row[column]) for release, row in TABLE.items()])


def test_the_matrix_has_every_release() -> None:
    assert tuple(TABLE) == EVER


class Where(NamedTuple):
    """Lowest bit and width of type and offset; the bits of the flags, None where there is none."""

    type: tuple[int, int]
    offset: tuple[int, int]
    exclusive: int | None
    soft_dirty: int | None
    uffd: int | None

    def of_pmd(self, release: str) -> Where:
        """The same without the exclusive bit, which PMDs have in the series only."""
        return self if release == "pmd-swap-v3" else self._replace(exclusive=None)


NONE: None = None
X = Where((59, 5), (9, 50), 3, 1, 2)
A = {"A1": Where((3, 5), (8, 50), 2, NONE, NONE), "A2": Where((6, 5), (12, 50), 2, NONE, 3)}
R = {"R1": Where((6, 5), (11, 53), NONE, NONE, NONE), "R2": Where((7, 5), (12, 52), 6, NONE, NONE)}
R["R3"] = R["R2"]
R3_SVRSW = Where((7, 5), (12, 52), 6, 3, 4)
S, S_PMD = Where((2, 5), (12, 52), 11, 1, NONE), Where((6, 5), (12, 52), 11, 1, NONE)
P = {4096: Where((0, 5), (12, 41), 5, 9, NONE), 65536: Where((0, 5), (16, 37), 5, 9, NONE)}
L = {"L1": Where((16, 8), (24, 40), NONE, NONE, NONE), "L2": Where((16, 7), (24, 40), 23, NONE, NONE)}


def where(layout: Layout) -> Where:
    bits = {name: mask.bit_length() - 1 for name, mask in layout.flags.items()}
    assert all(layout.flags[name] == 1 << bit for name, bit in bits.items())
    swp_type, offset = layout.field("type"), layout.field("offset")
    flags = (bits.get(name) for name in ("exclusive", "soft_dirty", "uffd"))
    return Where((swp_type.lsb, swp_type.width), (offset.lsb, offset.width), *flags)


def layouts(release: str) -> Iterator[tuple[Arch, Where, Where | None]]:
    """Configurations with what the matrix says of their PTEs and PMDs."""
    row = TABLE[release]
    yield configure("x86_64", release, {}), X, X
    for page_size in (4096, 16384, 65536):
        arm64, loongarch64 = A[row["arm64"]], L[row["loong"]]
        yield configure("arm64", release, {"page_size": page_size}), arm64, arm64
        yield configure("loongarch64", release, {"page_size": page_size}), loongarch64, loongarch64
    yield configure("riscv64", release, {}), R[row["riscv"]], R[row["riscv"]]
    if row["riscv"] == "R3":
        yield configure("riscv64", release, {"svrsw60t59b": True}), R3_SVRSW, R3_SVRSW
    yield configure("s390x", release, {}), S, S_PMD if row["s390"][0] == "R" else None
    for page_size, ppc in P.items():
        for mmu in ("radix", "hash"):
            yield configure("ppc64", release, {"page_size": page_size, "mmu": mmu}), ppc, ppc


@each_release
def test_fields_stand_where_the_layout_of_the_release_has_them(release: str) -> None:
    for arch, pte, pmd in layouts(release):
        assert where(arch.pte_layout) == pte, arch
        if pmd is None:
            assert arch.pmd_layout is None, arch
        else:
            assert where(arch.layout("pmd")) == pmd.of_pmd(release), arch


@each_release
def test_fields_that_are_not_configured_are_no_flags(release: str) -> None:
    for name in pmdswp.names():
        arch = configure(name, release, {"soft_dirty": False, "uffd": False})
        assert set(arch.pte_layout.flags) <= {"exclusive"}, arch


NUMBERS = {
    # device-private and memory failure configured or not -> MAX_SWAPFILES, and the numbers from there on:
    # h hwpoison, m migration (read, read exclusive, write), d device-private (write, read), e device-exclusive,
    # p PTE marker, s swap error
    "T1 with markers": {"yy": (22, "hmmmddeeps"), "yn": (23, "mmmddeeps"), "ny": (26, "hmmmps"), "nn": (27, "mmmps")},
    "T1": {"yy": (23, "hmmmddees"), "yn": (24, "mmmddees"), "ny": (27, "hmmms"), "nn": (28, "mmms")},
    "T2": {"yy": (23, "hmmmddeep"), "yn": (24, "mmmddeep"), "ny": (27, "hmmmp"), "nn": (28, "mmmp")},
    "T3": {"yy": (24, "hmmmddep"), "yn": (25, "mmmddep"), "ny": (27, "hmmmp"), "nn": (28, "mmmp")},
}
KIND_CODES = {
    SoftLeafType.SWAP: "",
    SoftLeafType.HWPOISON: "h",
    SoftLeafType.MIGRATION_READ: "m",
    SoftLeafType.MIGRATION_READ_EXCLUSIVE: "m",
    SoftLeafType.MIGRATION_WRITE: "m",
    SoftLeafType.DEVICE_PRIVATE_WRITE: "d",
    SoftLeafType.DEVICE_PRIVATE_READ: "d",
    SoftLeafType.DEVICE_EXCLUSIVE: "e",
    SoftLeafType.MARKER: "p",
    SoftLeafType.SWAPIN_ERROR: "s",
}
HAS_MEMORY_FAILURE = ("x86_64", "arm64", "ppc64")


def has_device_private(name: str, release: str) -> bool:
    codes = TABLE[release]["dev"]
    code = {"riscv64": codes[0], "loongarch64": codes[0], "s390x": codes[1]}.get(name, "y")
    return code == "y"


def yes_or_no(*answers: bool) -> str:
    return "".join("y" if answer else "n" for answer in answers)


@cases("types")
def test_types_have_the_numbers_of_their_era(release: str, code: str) -> None:
    checked = 0
    for name in pmdswp.names():
        has_failure, has_device = name in HAS_MEMORY_FAILURE, has_device_private(name, release)
        default = configure(name, release, {})
        assert SoftLeafType.HWPOISON in default.swp_types or not has_failure, default
        assert SoftLeafType.DEVICE_EXCLUSIVE in default.swp_types or not has_device, default
        for device in {False, has_device}:
            for failure in {False, has_failure}:
                options: Options = {"device_private": device, "memory_failure": failure}
                eras: list[tuple[str, Options]] = [(code, options)]
                if code == "T1" and name == "x86_64":
                    eras = [("T1 with markers", options), ("T1", {**options, "pte_marker": False})]
                for era, chosen in eras:
                    arch = configure(name, release, chosen)
                    kinds = [arch.softleaf_type(SoftLeaf(number, 1)) for number in range(32)]
                    max_swapfiles, special = NUMBERS[era][yes_or_no(device, failure)]
                    assert arch.max_swapfiles == max_swapfiles, arch
                    assert "".join(KIND_CODES[kind] for kind in kinds[max_swapfiles:]) == special, arch
                    assert set(kinds[:max_swapfiles]) == {SoftLeafType.SWAP}, arch
                    checked += 1
    assert checked >= 15


@cases("mark")
def test_markers_have_the_bits_of_their_era(release: str, code: str) -> None:
    mask = {"K1": 0x1, "K2": 0x3, "K3": 0x7}[code]
    for name in pmdswp.names() if code != "K1" else ("x86_64",):
        arch = configure(name, release, {})
        marker = arch.swp_types[SoftLeafType.MARKER]
        assert isinstance(marker, int)
        assert arch.softleaf_markers(SoftLeaf(marker, (1 << 40) - 1)) == mask, arch
    without: Options = {"pte_marker": False} if code == "K1" else {}
    assert (SoftLeafType.MARKER in configure("x86_64", release, without).swp_types) is (code != "K1")


@cases("pmd")
def test_pmds_hold_the_kinds_of_their_era(release: str, code: str) -> None:
    kinds = {"": {SoftLeafType.SWAP} if "s" in code else set()}
    kinds["m"] = {kind for kind, letter in KIND_CODES.items() if letter == "m"}
    kinds["d"] = {kind for kind, letter in KIND_CODES.items() if letter == "d" and "d" in code}
    for name in pmdswp.names():
        arch = configure(name, release, {})
        if name == "s390x" and TABLE[release]["s390"][0] == "-":
            assert not arch.has_pmd_softleaf
            assert arch.pmd_kinds == ()
            continue
        expected = kinds[""] | kinds["m"] | (kinds["d"] if has_device_private(name, release) else set())
        assert set(arch.pmd_kinds) == expected, arch
        assert arch.has_pmd_swap is ("s" in code), arch
        for number in range(32):
            kind = arch.softleaf_type(SoftLeaf(number, 0x100))
            assert arch.pmd_is_valid_softleaf(arch.encode_pmd(number, 0x100)) is (kind in expected), (arch, kind)


@cases("names")
def test_the_uffd_bit_has_the_name_of_its_era(release: str, code: str) -> None:
    for name, prefix, kernels in (
        ("x86_64", "_PAGE_SWP_", EVER),
        ("arm64", "PTE_SWP_", [old for old, row in TABLE.items() if row["arm64"] == "A2"]),
        ("riscv64", "_PAGE_SWP_", [old for old, row in TABLE.items() if row["riscv"] == "R3"]),
    ):
        if release in kernels:
            options: Options = {"svrsw60t59b": True} if name == "riscv64" else {}
            arch = configure(name, release, options)
            for layout in (arch.pte_layout, arch.layout("pmd")):
                assert layout.field("uffd").kernel_name == f"{prefix}{code}", arch


@cases("x86")
def test_x86_64_huge_pages_are_told_from_device_pages_by_the_bit_of_the_era(release: str, code: str) -> None:
    arch = configure("x86_64", release, {})
    answers = [arch.pmd_trans_huge(word) for word in (0x80, 0x80 | 1 << 57, 0x80 | 1 << 58, 1 << 57, 1 << 58)]
    assert (
        answers
        == {
            "V0": [True, True, False, False, False],
            "V1": [True, False, True, False, False],
            "V2": [True, True, True, False, False],
        }[code]
    )


@cases("ppc")
def test_ppc64_huge_pages_are_told_from_device_pages_until_the_bit_is_gone(release: str, code: str) -> None:
    for page_size, mmu, huge in ((4096, "radix", 0), (65536, "radix", 0), (65536, "hash", 0x2000)):
        arch = configure("ppc64", release, {"page_size": page_size, "mmu": mmu})
        word = 1 << 63 | 1 << 62 | huge
        assert arch.pmd_trans_huge(word), arch
        assert arch.pmd_trans_huge(word | 0x800) is (code == "V2"), arch


@cases("arm64")
def test_arm64_entries_are_present_by_the_bits_of_their_era(release: str, code: str) -> None:
    old = code == "A1"
    for page_size in (4096, 16384, 65536):
        arch = configure("arm64", release, {"page_size": page_size})
        assert [arch.pte_present(1 << bit) for bit in (0, 1, 11, 58, 59)] == [True, False, not old, old, False], arch
        assert [arch.pmd_present(1 << bit) for bit in (0, 1, 11, 58, 59)] == [True, False, not old, old, old], arch
        # bit 59 counts even if bit 0 is set
        assert arch.pmd_trans_huge(1 << 59 | 1), arch
        assert not arch.pmd_trans_huge(1 << 59 | 3), arch


@cases("pa")
def test_arm64_physical_addresses_are_as_wide_as_the_era_allows(release: str, code: str) -> None:
    for page_size, narrow, wide in ((4096, 36, 40), (16384, 34, 38)):
        small: Options = {"page_size": page_size}
        options: dict[str, tuple[Options, int]] = {
            "default": (small, narrow),
            "cpu": ({**small, "pa_bits": 52}, wide),
            "static": ({**small, "static_pa_bits": True}, wide),
            "both": ({**small, "pa_bits": 52, "static_pa_bits": True}, wide),
        }
        allowed = {"n": ["default"], "s": [*options], "c": ["default", "cpu"]}[code]
        for how, (chosen, pfn_bits) in options.items():
            if how in allowed:
                arch = configure("arm64", release, chosen)
                assert arch.swp_pfn_bits == pfn_bits, arch
                assert arch.migration_ad, arch
            else:
                with pytest.raises(pmdswp.UnsupportedError):
                    configure("arm64", release, chosen)
    large: Options = {"page_size": 65536}
    assert configure("arm64", release, large).swp_pfn_bits == 32
    assert configure("arm64", release, {**large, "pa_bits": 52}).swp_pfn_bits == 36


@each_release
def test_other_architectures_have_one_width_of_physical_addresses(release: str) -> None:
    widths = {"x86_64": 46, "riscv64": 56, "s390x": 46, "ppc64": 51, "loongarch64": 48}
    assert {name: configure(name, release, {}).max_physmem_bits for name in widths} == widths
    assert configure("x86_64", release, {"la57": True}).max_physmem_bits == 52


@cases("riscv")
def test_riscv64_bits_of_svrsw60t59b_exist_in_the_third_era_only(release: str, code: str) -> None:
    if code == "R3":
        arch = configure("riscv64", release, {"svrsw60t59b": True})
        assert (arch.pte_swp_mksoft_dirty(0), arch.pte_swp_mkuffd(0)) == (0x8, 0x10)
    else:
        with pytest.raises(pmdswp.UnsupportedError):
            configure("riscv64", release, {"svrsw60t59b": True})
    arch = configure("riscv64", release, {})
    assert (arch.pte_swp_mksoft_dirty(0), arch.pte_swp_mkuffd(0)) == (0, 0)
    # present, and PROT_NONE; in a PMD also the leaf bits
    assert [bit for bit in range(64) if arch.pte_present(1 << bit)] == [0, 5]
    assert [bit for bit in range(64) if arch.pmd_present(1 << bit)] == [0, 1, 2, 3, 5]


@cases("s390")
def test_s390x_pmds_are_present_by_the_bit_of_their_era(release: str, code: str) -> None:
    arch = configure("s390x", release, {})
    has_present_bit = code[1] == "1"
    words = (0x20, 0x21, 0x22, 0x30, 0x0, 0x401, 0x400)
    assert [arch.pmd_present(word) for word in words] == (
        [False, True, False, False, False, True, False] if has_present_bit else [False, *[True] * 6]
    )
    assert [arch.pmd_leaf(word) for word in words] == [False] * 5 + [True, not has_present_bit]
    assert [arch.pmd_trans_huge(word) for word in words] == [False] * 5 + [True, not has_present_bit]
    if code[0] == "R":
        assert arch.encode_pmd(0, 0) == 0x30
        assert arch.encode_pmd(1, 1, soft_dirty=True) == 0x1072
    else:
        with pytest.raises(pmdswp.UnsupportedError, match=r"since 6\.17, 10dd5a000989"):
            arch.encode_pmd(0, 0)


@each_release
def test_loongarch64_predicates_changed_by_one_bit_alone(release: str) -> None:
    arch = configure("loongarch64", release, {"page_size": 4096})
    assert [bit for bit in range(64) if arch.pte_present(1 << bit)] == [7, 10]
    present = [7, 10, 60] if release in LOONGARCH_BIT_60 else [7, 10]
    assert [bit for bit in range(64) if arch.pmd_present(0x40 | 1 << bit)] == present
    assert arch.pmd_none(arch.config.number("invalid_pte_table"))
    assert not arch.pmd_none(0)
    assert arch.pte_none(0x40)
