"""The tables of the six layouts, row by row: type numbers, bits, geometry, PFN bits, limits, predicates."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import pytest

import pmdswp
from examples.common import configure, kernels_of
from levels import apply, ask
from pmdswp import Arch, SoftLeaf, SoftLeafType
from pmdswp.arch import Level
from pmdswp.config import Options
from pmdswp.revisions import revisions
from pmdswp.softleaf import FLAGS, LevelName
from timeline import (
    A1,
    A2,
    DEVICE_PRIVATE,
    EVER,
    L1,
    L2,
    LOONGARCH_BIT_60,
    LPA2,
    MARKER_MASK,
    MEMORY_FAILURE,
    NO_DEVMAP,
    PMD_DEVICE_PRIVATE,
    PMD_SOFTLEAF,
    PPC_DEVMAP,
    PTE_MARKER,
    R1,
    S390_NO_PRESENT_BIT,
    S390_PRESENT_BIT,
    SERIES,
    SVRSW60T59B,
    T1,
    T2,
    T3,
    TA,
    TB,
    THP,
    X86_DEVMAP,
    X86_OLD_DEVMAP,
    Releases,
    span,
)

KiB = 1 << 10
MiB = 1 << 20

# As the tables have it: yes, no, and nothing there.
y, n = True, False
NA: None = None

NO_OPTIONS: Options = {}
P4K: Options = {"page_size": 4 * KiB}
P16K: Options = {"page_size": 16 * KiB}
P64K: Options = {"page_size": 64 * KiB}
HASH_4K: Options = {"page_size": 4 * KiB, "mmu": "hash"}
HASH_64K: Options = {"page_size": 64 * KiB, "mmu": "hash"}
SVRSW: Options = {"svrsw60t59b": True}
LA57: Options = {"la57": True}


def described(arch: str, options: Options) -> str:
    return ", ".join([arch, *(f"{name}={value}" for name, value in options.items())])


def migration_write(arch: Arch) -> int:
    number = arch.swp_types[SoftLeafType.MIGRATION_WRITE]
    assert isinstance(number, int)
    return number


# Type numbers by configuration


class TypeNumbers(NamedTuple):
    """The special types of the kernels with those CONFIG symbols; the last one is a choice from 5.19 to 6.1."""

    kernels: Releases
    device_private: bool
    migration: bool
    memory_failure: bool
    pte_marker: bool | None
    max_swapfiles: int
    hwpoison: int | None
    migration_read: int | None
    migration_read_exclusive: int | None
    migration_write: int | None
    device_private_write: int | None
    device_private_read: int | None
    device_exclusive: int | range | None
    marker: int | None
    swapin_error: int | None

    def __str__(self) -> str:
        return f"MAX_SWAPFILES {self.max_swapfiles} since {self.kernels[0]}"

    @property
    def by_kind(self) -> dict[SoftLeafType, int | range]:
        named = {
            SoftLeafType.HWPOISON: self.hwpoison,
            SoftLeafType.MIGRATION_READ: self.migration_read,
            SoftLeafType.MIGRATION_READ_EXCLUSIVE: self.migration_read_exclusive,
            SoftLeafType.MIGRATION_WRITE: self.migration_write,
            SoftLeafType.DEVICE_PRIVATE_WRITE: self.device_private_write,
            SoftLeafType.DEVICE_PRIVATE_READ: self.device_private_read,
            SoftLeafType.DEVICE_EXCLUSIVE: self.device_exclusive,
            SoftLeafType.MARKER: self.marker,
            SoftLeafType.SWAPIN_ERROR: self.swapin_error,
        }
        return {kind: number for kind, number in named.items() if number is not None}

    @property
    def by_number(self) -> list[SoftLeafType | None]:
        kinds: list[SoftLeafType | None] = [None] * 32
        kinds[: self.max_swapfiles] = [SoftLeafType.SWAP] * self.max_swapfiles
        for kind, numbers in self.by_kind.items():
            for number in numbers if isinstance(numbers, range) else [numbers]:
                kinds[number] = kind
        return kinds

    @property
    def arches(self) -> list[Arch]:
        """All that can be configured so."""
        options: Options = {
            "device_private": self.device_private,
            "migration": self.migration,
            "memory_failure": self.memory_failure,
        }
        return [
            # THP selects COMPACTION, and that selects MIGRATION
            configure(name, kernel, {**options, "thp": has_thp, **marker_option(name, kernel, self.pte_marker)})
            for name in pmdswp.names()
            for kernel in kernels_of(name, self.kernels)
            for has_thp in [self.migration and kernel in THP[name]]
            if not (self.memory_failure and kernel not in MEMORY_FAILURE[name])
            if not (self.device_private and kernel not in DEVICE_PRIVATE[name])
            if not (self.pte_marker and name != "x86_64")
        ]


def marker_option(name: str, kernel: str, wanted: bool | None) -> Options:
    """CONFIG_PTE_MARKER, where it is an option."""
    return {"pte_marker": bool(wanted)} if name == "x86_64" and kernel in PTE_MARKER else {}


W28_R29, W29_R30 = range(28, 30), range(29, 31)
W30_R31 = range(30, 32)
T2_T3, TA_TB = (*T2, *T3), (*TA, *TB)

# fmt: off
TYPE_NUMBERS = [
    #           kernel  DEV_  MIGRA- MEM_  PTE_    MAX_SWAP HW-     MIG_  MIG_R MIG_   DEV_   DEV_  DEV_     MARKER SWAP
    #                   PRIV  TION   FAIL  MARKER  FILES    POISON  READ  _EXCL WRITE  WRITE  READ  EXCL            ERR
    TypeNumbers(TA,     y,    y,     y,    NA,     27,      27,     28,   NA,   29,    30,    31,   NA,      NA,    NA),
    TypeNumbers(TA,     y,    y,     n,    NA,     28,      NA,     28,   NA,   29,    30,    31,   NA,      NA,    NA),
    TypeNumbers(TA,     y,    n,     y,    NA,     29,      29,     NA,   NA,   NA,    30,    31,   NA,      NA,    NA),
    TypeNumbers(TA,     y,    n,     n,    NA,     30,      NA,     NA,   NA,   NA,    30,    31,   NA,      NA,    NA),
    TypeNumbers(TB,     y,    y,     y,    NA,     25,      25,     26,   NA,   27,    28,    29,   W30_R31, NA,    NA),
    TypeNumbers(TB,     y,    y,     n,    NA,     26,      NA,     26,   NA,   27,    28,    29,   W30_R31, NA,    NA),
    TypeNumbers(TB,     y,    n,     y,    NA,     27,      27,     NA,   NA,   NA,    28,    29,   W30_R31, NA,    NA),
    TypeNumbers(TB,     y,    n,     n,    NA,     28,      NA,     NA,   NA,   NA,    28,    29,   W30_R31, NA,    NA),
    TypeNumbers(TA_TB,  n,    y,     y,    NA,     29,      29,     30,   NA,   31,    NA,    NA,   NA,      NA,    NA),
    TypeNumbers(TA_TB,  n,    y,     n,    NA,     30,      NA,     30,   NA,   31,    NA,    NA,   NA,      NA,    NA),
    TypeNumbers(TA_TB,  n,    n,     y,    NA,     31,      31,     NA,   NA,   NA,    NA,    NA,   NA,      NA,    NA),
    TypeNumbers(TA_TB,  n,    n,     n,    NA,     32,      NA,     NA,   NA,   NA,    NA,    NA,   NA,      NA,    NA),
    TypeNumbers(T1,     y,    y,     y,    y,      22,      22,     23,   24,   25,    26,    27,   W28_R29, 30,    31),
    TypeNumbers(T1,     y,    y,     n,    y,      23,      NA,     23,   24,   25,    26,    27,   W28_R29, 30,    31),
    TypeNumbers(T1,     y,    n,     y,    y,      25,      25,     NA,   NA,   NA,    26,    27,   W28_R29, 30,    31),
    TypeNumbers(T1,     y,    n,     n,    y,      26,      NA,     NA,   NA,   NA,    26,    27,   W28_R29, 30,    31),
    TypeNumbers(T1,     n,    y,     y,    y,      26,      26,     27,   28,   29,    NA,    NA,   NA,      30,    31),
    TypeNumbers(T1,     n,    y,     n,    y,      27,      NA,     27,   28,   29,    NA,    NA,   NA,      30,    31),
    TypeNumbers(T1,     n,    n,     y,    y,      29,      29,     NA,   NA,   NA,    NA,    NA,   NA,      30,    31),
    TypeNumbers(T1,     n,    n,     n,    y,      30,      NA,     NA,   NA,   NA,    NA,    NA,   NA,      30,    31),
    TypeNumbers(T1,     y,    y,     y,    n,      23,      23,     24,   25,   26,    27,    28,   W29_R30, NA,    31),
    TypeNumbers(T1,     y,    y,     n,    n,      24,      NA,     24,   25,   26,    27,    28,   W29_R30, NA,    31),
    TypeNumbers(T1,     y,    n,     y,    n,      26,      26,     NA,   NA,   NA,    27,    28,   W29_R30, NA,    31),
    TypeNumbers(T1,     y,    n,     n,    n,      27,      NA,     NA,   NA,   NA,    27,    28,   W29_R30, NA,    31),
    TypeNumbers(T1,     n,    y,     y,    n,      27,      27,     28,   29,   30,    NA,    NA,   NA,      NA,    31),
    TypeNumbers(T1,     n,    y,     n,    n,      28,      NA,     28,   29,   30,    NA,    NA,   NA,      NA,    31),
    TypeNumbers(T1,     n,    n,     y,    n,      30,      30,     NA,   NA,   NA,    NA,    NA,   NA,      NA,    31),
    TypeNumbers(T1,     n,    n,     n,    n,      31,      NA,     NA,   NA,   NA,    NA,    NA,   NA,      NA,    31),
    TypeNumbers(T2,     y,    y,     y,    NA,     23,      23,     24,   25,   26,    27,    28,   W29_R30, 31,    NA),
    TypeNumbers(T2,     y,    y,     n,    NA,     24,      NA,     24,   25,   26,    27,    28,   W29_R30, 31,    NA),
    TypeNumbers(T2,     y,    n,     y,    NA,     26,      26,     NA,   NA,   NA,    27,    28,   W29_R30, 31,    NA),
    TypeNumbers(T2,     y,    n,     n,    NA,     27,      NA,     NA,   NA,   NA,    27,    28,   W29_R30, 31,    NA),
    TypeNumbers(T3,     y,    y,     y,    NA,     24,      24,     25,   26,   27,    28,    29,   30,      31,    NA),
    TypeNumbers(T3,     y,    y,     n,    NA,     25,      NA,     25,   26,   27,    28,    29,   30,      31,    NA),
    TypeNumbers(T3,     y,    n,     y,    NA,     27,      27,     NA,   NA,   NA,    28,    29,   30,      31,    NA),
    TypeNumbers(T3,     y,    n,     n,    NA,     28,      NA,     NA,   NA,   NA,    28,    29,   30,      31,    NA),
    TypeNumbers(T2_T3,  n,    y,     y,    NA,     27,      27,     28,   29,   30,    NA,    NA,   NA,      31,    NA),
    TypeNumbers(T2_T3,  n,    y,     n,    NA,     28,      NA,     28,   29,   30,    NA,    NA,   NA,      31,    NA),
    TypeNumbers(T2_T3,  n,    n,     y,    NA,     30,      30,     NA,   NA,   NA,    NA,    NA,   NA,      31,    NA),
    TypeNumbers(T2_T3,  n,    n,     n,    NA,     31,      NA,     NA,   NA,   NA,    NA,    NA,   NA,      31,    NA),
]
# fmt: on


@pytest.mark.parametrize("row", TYPE_NUMBERS, ids=str)
def test_special_types_are_numbered_by_configuration(row: TypeNumbers) -> None:
    arches = row.arches
    assert arches
    for arch in arches:
        assert arch.max_swapfiles == row.max_swapfiles, arch
        assert dict(arch.swp_types) == row.by_kind, arch
        assert [arch.softleaf_type(SoftLeaf(number, 1)) for number in range(32)] == row.by_number, arch


@pytest.mark.parametrize("name", pmdswp.names())
def test_every_kernel_has_a_row_of_numbers_for_its_default_configuration(name: str) -> None:
    rows = [arch for row in TYPE_NUMBERS for arch in row.arches if arch.name == name]
    defaults = {arch.kernel for arch in rows if arch == configure(name, arch.kernel, {})}
    for revision in revisions(name):
        assert any(kernel in revision for kernel in defaults), revision


SOFTLEAF_ENUM = {
    "NONE": 0,
    "SWAP": 1,
    "MIGRATION_READ": 2,
    "MIGRATION_READ_EXCLUSIVE": 3,
    "MIGRATION_WRITE": 4,
    "DEVICE_PRIVATE_READ": 5,
    "DEVICE_PRIVATE_WRITE": 6,
    "DEVICE_EXCLUSIVE": 7,
    "HWPOISON": 8,
    "MARKER": 9,
}


def test_softleaf_types_have_the_numbers_of_the_kernels_enum() -> None:
    kernel_kinds = set(SoftLeafType) - {SoftLeafType.UNKNOWN, SoftLeafType.SWAPIN_ERROR}
    assert {kind.name: kind.value for kind in kernel_kinds} == SOFTLEAF_ENUM


def test_swap_errors_which_are_older_than_the_kernels_enum_have_a_number_apart_from_it() -> None:
    assert SoftLeafType.SWAPIN_ERROR.value == 254
    assert not SoftLeafType.SWAPIN_ERROR.is_migration
    assert not SoftLeafType.SWAPIN_ERROR.is_device_private


@pytest.mark.parametrize(
    ("val", "leaf"),
    [
        (0, SoftLeaf(0, 0)),
        (1, SoftLeaf(0, 1)),
        (2**58 - 1, SoftLeaf(0, 2**58 - 1)),
        (2**58, SoftLeaf(1, 0)),
        (2**63 - 1, SoftLeaf(31, 2**58 - 1)),
    ],
)
def test_type_of_the_generic_entry_starts_at_bit_58(val: int, leaf: SoftLeaf) -> None:
    assert leaf.val == val
    assert SoftLeaf.from_val(val) == leaf
    assert leaf.is_none is (val == 0)


# What a kernel can be configured to have


class Possible(NamedTuple):
    """What the kernels of one architecture can have; all of it is on unless an option says otherwise."""

    arch: str
    kernels: Releases
    options: Options
    soft_dirty: bool
    uffd: bool
    device_private: bool
    memory_failure: bool
    pmd_softleaf: bool

    def __str__(self) -> str:
        return described(self.arch, self.options)


UNTIL_6_10, SINCE_6_11 = span("6.1", "6.10"), span("6.11")
UNTIL_6_16, SINCE_6_17 = span("6.1", "6.16"), span("6.17")
SINCE_6_19 = span("6.19")

# fmt: off
POSSIBLE = [
    #                                               SOFT_  UFFD   DEVICE_  MEMORY_  PMD
    #                                               DIRTY         PRIVATE  FAILURE  softleaf
    Possible("x86_64",      EVER,       NO_OPTIONS, y,     y,     y,       y,       y),
    Possible("arm64",       A1,         NO_OPTIONS, n,     n,     y,       y,       y),
    Possible("arm64",       A2,         NO_OPTIONS, n,     y,     y,       y,       y),
    Possible("riscv64",     UNTIL_6_10, NO_OPTIONS, n,     n,     n,       n,       y),
    Possible("riscv64",     SINCE_6_11, NO_OPTIONS, n,     n,     y,       n,       y),
    Possible("riscv64",     SINCE_6_19, SVRSW,      y,     y,     y,       n,       y),
    Possible("s390x",       UNTIL_6_16, NO_OPTIONS, y,     n,     n,       n,       n),
    Possible("s390x",       SINCE_6_17, NO_OPTIONS, y,     n,     y,       n,       y),
    Possible("ppc64",       EVER,       NO_OPTIONS, y,     n,     y,       y,       y),
    Possible("loongarch64", UNTIL_6_10, NO_OPTIONS, n,     n,     n,       n,       y),
    Possible("loongarch64", SINCE_6_11, NO_OPTIONS, n,     n,     y,       n,       y),
]
# fmt: on


@pytest.mark.parametrize("row", POSSIBLE, ids=str)
def test_configuration_has_all_that_is_possible_and_refuses_the_rest(row: Possible) -> None:
    for kernel in row.kernels:
        arch = configure(row.arch, kernel, row.options)
        assert ("soft_dirty" in arch.pte_layout.flags) is row.soft_dirty, arch
        assert ("uffd" in arch.pte_layout.flags) is row.uffd, arch
        assert (SoftLeafType.DEVICE_PRIVATE_READ in arch.swp_types) is row.device_private, arch
        assert (SoftLeafType.HWPOISON in arch.swp_types) is row.memory_failure, arch
        assert arch.has_pmd_softleaf is row.pmd_softleaf, arch
        assert arch.has_pmd_swap is (kernel in SERIES), arch

        asked: list[tuple[Options, bool]] = [
            ({**row.options, "soft_dirty": True}, row.soft_dirty),
            ({**row.options, "uffd": True}, row.uffd),
            ({**row.options, "device_private": True}, row.device_private),
            ({**row.options, "memory_failure": True}, row.memory_failure),
        ]
        for options, possible in asked:
            if possible:
                assert configure(row.arch, kernel, options) == arch
            else:
                with pytest.raises(pmdswp.UnsupportedError):
                    configure(row.arch, kernel, options)


def test_every_kernel_of_every_architecture_has_a_row_of_what_is_possible() -> None:
    without_options = [(row.arch, kernel) for row in POSSIBLE if not row.options for kernel in row.kernels]
    assert sorted(without_options) == sorted((name, kernel) for name in pmdswp.names() for kernel in EVER)


def test_svrsw60t59b_is_known_since_6_19() -> None:
    for kernel in EVER:
        if kernel in SVRSW60T59B:
            assert configure("riscv64", kernel, SVRSW).config.is_on("svrsw60t59b")
        else:
            with pytest.raises(pmdswp.UnsupportedError):
                configure("riscv64", kernel, SVRSW)


# Where the bits are


class Bits(NamedTuple):
    """First and last bit of the type and the offset, the bits of the flags, and the bits that are always set."""

    arch: str
    level: LevelName
    kernels: Releases
    options: Options
    type: tuple[int, int]
    offset: tuple[int, int]
    exclusive: int | None
    soft_dirty: int | None
    uffd: int | None
    always: int

    def __str__(self) -> str:
        return f"{self.level} of {described(self.arch, self.options)} since {self.kernels[0]}"

    @property
    def flags(self) -> dict[str, int]:
        bits = zip(FLAGS, (self.exclusive, self.soft_dirty, self.uffd), strict=True)
        return {flag: 1 << bit for flag, bit in bits if bit is not None}


X86_OFFSET = (1 << 59) - (1 << 9)  # stored inverted: an offset of 0 sets all its bits
BEFORE = span("6.1", "7.3")  # the series
A2_BEFORE, R23_BEFORE, L2_BEFORE = span("6.10", "7.3"), span("6.3", "7.3"), span("6.3", "7.3")
R23, R3_BEFORE, S390_BEFORE = span("6.3"), span("6.19", "7.3"), span("6.17", "7.3")

# fmt: off
BITS = [
    #    arch           level  kernels      options     type      offset    excl  s_d  uffd  always set
    Bits("x86_64",      "pte", EVER,        NO_OPTIONS, (59, 63), (9, 58),  3,    1,   2,    X86_OFFSET),
    Bits("x86_64",      "pmd", BEFORE,      NO_OPTIONS, (59, 63), (9, 58),  NA,   1,   2,    X86_OFFSET),
    Bits("x86_64",      "pmd", SERIES,      NO_OPTIONS, (59, 63), (9, 58),  3,    1,   2,    X86_OFFSET),
    Bits("arm64",       "pte", A1,          P4K,        (3, 7),   (8, 57),  2,    NA,  NA,   0),
    Bits("arm64",       "pte", A1,          P16K,       (3, 7),   (8, 57),  2,    NA,  NA,   0),
    Bits("arm64",       "pte", A1,          P64K,       (3, 7),   (8, 57),  2,    NA,  NA,   0),
    Bits("arm64",       "pmd", A1,          P4K,        (3, 7),   (8, 57),  NA,   NA,  NA,   0),
    Bits("arm64",       "pmd", A1,          P16K,       (3, 7),   (8, 57),  NA,   NA,  NA,   0),
    Bits("arm64",       "pmd", A1,          P64K,       (3, 7),   (8, 57),  NA,   NA,  NA,   0),
    Bits("arm64",       "pte", A2,          P4K,        (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pte", A2,          P16K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pte", A2,          P64K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", A2_BEFORE,   P4K,        (6, 10),  (12, 61), NA,   NA,  3,    0),
    Bits("arm64",       "pmd", SERIES,      P4K,        (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", SERIES,      P16K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", SERIES,      P64K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("riscv64",     "pte", R1,          NO_OPTIONS, (6, 10),  (11, 63), NA,   NA,  NA,   0),
    Bits("riscv64",     "pmd", R1,          NO_OPTIONS, (6, 10),  (11, 63), NA,   NA,  NA,   0),
    Bits("riscv64",     "pte", R23,         NO_OPTIONS, (7, 11),  (12, 63), 6,    NA,  NA,   0),
    Bits("riscv64",     "pmd", R23_BEFORE,  NO_OPTIONS, (7, 11),  (12, 63), NA,   NA,  NA,   0),
    Bits("riscv64",     "pmd", SERIES,      NO_OPTIONS, (7, 11),  (12, 63), 6,    NA,  NA,   0),
    Bits("riscv64",     "pte", SVRSW60T59B, SVRSW,      (7, 11),  (12, 63), 6,    3,   4,    0),
    Bits("riscv64",     "pmd", R3_BEFORE,   SVRSW,      (7, 11),  (12, 63), NA,   3,   4,    0),
    Bits("riscv64",     "pmd", SERIES,      SVRSW,      (7, 11),  (12, 63), 6,    3,   4,    0),
    Bits("s390x",       "pte", EVER,        NO_OPTIONS, (2, 6),   (12, 63), 11,   1,   NA,   0x600),
    Bits("s390x",       "pmd", S390_BEFORE, NO_OPTIONS, (6, 10),  (12, 63), NA,   1,   NA,   0x30),
    Bits("s390x",       "pmd", SERIES,      NO_OPTIONS, (6, 10),  (12, 63), 11,   1,   NA,   0x30),
    Bits("ppc64",       "pte", EVER,        P4K,        (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", BEFORE,      P4K,        (0, 4),   (12, 52), NA,   9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", SERIES,      P4K,        (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", SERIES,      HASH_4K,    (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pte", EVER,        P64K,       (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", BEFORE,      P64K,       (0, 4),   (16, 52), NA,   9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", SERIES,      P64K,       (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", SERIES,      HASH_64K,   (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    # the field has seven bits, before 6.3 eight, the generic entry five
    Bits("loongarch64", "pte", L1,          P4K,        (16, 20), (24, 63), NA,   NA,  NA,   0),
    Bits("loongarch64", "pte", L1,          P16K,       (16, 20), (24, 63), NA,   NA,  NA,   0),
    Bits("loongarch64", "pte", L1,          P64K,       (16, 20), (24, 63), NA,   NA,  NA,   0),
    Bits("loongarch64", "pmd", L1,          P16K,       (16, 20), (24, 63), NA,   NA,  NA,   0x40),
    Bits("loongarch64", "pte", L2,          P4K,        (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pte", L2,          P16K,       (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pte", L2,          P64K,       (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pmd", L2_BEFORE,   P4K,        (16, 20), (24, 63), NA,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", SERIES,      P4K,        (16, 20), (24, 63), 23,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", SERIES,      P16K,       (16, 20), (24, 63), 23,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", SERIES,      P64K,       (16, 20), (24, 63), 23,   NA,  NA,   0x40),
]
# fmt: on

EVERY_ROW_OF_BITS = pytest.mark.parametrize("row", BITS, ids=str)


def slots_of(row: Bits) -> list[Level]:
    """The place on every release that it is told of."""
    return [configure(row.arch, kernel, row.options).level(row.level) for kernel in row.kernels]


@EVERY_ROW_OF_BITS
def test_each_bit_of_type_and_offset_is_stored_where_the_table_says(row: Bits) -> None:
    for place in slots_of(row):
        empty = place.encode(0, 0)
        assert empty == row.always, place
        for bit, entry_bit in enumerate(range(row.type[0], row.type[1] + 1)):
            assert place.encode(1 << bit, 0) ^ empty == 1 << entry_bit, place
        for bit, entry_bit in enumerate(range(row.offset[0], row.offset[1] + 1)):
            assert place.encode(0, 1 << bit) ^ empty == 1 << entry_bit, place


@EVERY_ROW_OF_BITS
def test_each_flag_is_the_bit_of_the_table_or_refused(row: Bits) -> None:
    for place in slots_of(row):
        assert dict(place.require_layout().flags) == row.flags, place
        for flag in FLAGS:
            if flag in row.flags:
                assert place.encode(0, 0, **{flag: True}) == row.always | row.flags[flag], place
            else:
                with pytest.raises(pmdswp.EncodeError):
                    place.encode(0, 0, **{flag: True})


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize("name", pmdswp.names())
def test_every_kernel_that_has_softleaves_at_a_level_has_a_row_of_bits(name: str, level: LevelName) -> None:
    told = {kernel for row in BITS if (row.arch, row.level) == (name, level) for kernel in row.kernels}
    assert told == set(EVER) & set(EVER if level == "pte" else PMD_SOFTLEAF[name])


MASK64 = (1 << 64) - 1
BIT = [1 << bit for bit in range(64)]
WORDS = [0, MASK64, *BIT, *(MASK64 ^ bit for bit in BIT)]


@EVERY_ROW_OF_BITS
def test_flag_helpers_touch_no_other_bit_whatever_the_word(row: Bits) -> None:
    for kernel in kernels_of(row.arch, row.kernels):
        place = configure(row.arch, kernel, row.options).level(row.level)
        for flag in FLAGS:
            if (row.level, flag) == ("pmd", "exclusive") and kernel not in SERIES:
                for name in (f"swp_{flag}", f"swp_mk{flag}", f"swp_clear_{flag}"):
                    with pytest.raises(pmdswp.UnsupportedError, match="pmd-swap-v3"):
                        apply(place, name, 0)
            else:
                mask = row.flags.get(flag, 0)
                for word in WORDS:
                    assert ask(place, f"swp_{flag}", word) is bool(word & mask), place
                    assert apply(place, f"swp_mk{flag}", word) == word | mask, place
                    assert apply(place, f"swp_clear_{flag}", word) == word & ~mask, place


# Geometry


class Geometry(NamedTuple):
    """Sizes, by page size and MMU."""

    arch: str
    options: Options
    page_shift: int
    pmd_shift: int
    hpage_pmd_order: int
    hpage_pmd_nr: int
    pmd_size: int
    entry_size: int
    byteorder: str

    def __str__(self) -> str:
        return described(self.arch, self.options)


# fmt: off
GEOMETRY = [
    #        arch           options     PAGE_  PMD_   HPAGE_PMD_   PMD        entry  memory
    #                                   SHIFT  SHIFT  ORDER  NR    size       bytes  order
    Geometry("x86_64",      NO_OPTIONS, 12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("arm64",       P4K,        12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("arm64",       P16K,       14,    25,    11,    2048, 32 * MiB,  8,     "little"),
    Geometry("arm64",       P64K,       16,    29,    13,    8192, 512 * MiB, 8,     "little"),
    Geometry("riscv64",     NO_OPTIONS, 12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("s390x",       NO_OPTIONS, 12,    20,    8,     256,  1 * MiB,   8,     "big"),
    Geometry("ppc64",       P4K,        12,    21,    9,     512,  2 * MiB,   8,     "big"),
    Geometry("ppc64",       P64K,       16,    21,    5,     32,   2 * MiB,   8,     "big"),
    Geometry("ppc64",       HASH_64K,   16,    24,    8,     256,  16 * MiB,  8,     "big"),
    Geometry("ppc64",       HASH_4K,    12,    21,    9,     512,  2 * MiB,   8,     "big"),
    Geometry("loongarch64", P4K,        12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("loongarch64", P16K,       14,    25,    11,    2048, 32 * MiB,  8,     "little"),
    Geometry("loongarch64", P64K,       16,    29,    13,    8192, 512 * MiB, 8,     "little"),
]
# fmt: on


@pytest.mark.parametrize("row", GEOMETRY, ids=str)
def test_geometry_is_that_of_the_table_on_every_kernel(row: Geometry) -> None:
    for kernel in kernels_of(row.arch):
        arch = configure(row.arch, kernel, row.options)
        sizes = (
            arch.page_shift,
            arch.pmd_shift,
            arch.hpage_pmd_order,
            arch.hpage_pmd_nr,
            arch.pmd_size,
            arch.entry_size,
            arch.byteorder,
        )
        assert sizes == row[2:], arch
        assert arch.page_size == 1 << arch.page_shift, arch


# PFNs, and the young and dirty bits of migration entries above them


class PfnBits(NamedTuple):
    """How the offset of a migration entry is used; `young_bit` is counted in the PTE, and dirty is the next."""

    arch: str
    kernels: Releases
    options: Options
    max_physmem_bits: int | None
    swp_pfn_bits: int
    young: int
    dirty: int
    total: int
    migration_ad: bool
    young_bit: int | None

    def __str__(self) -> str:
        return f"{described(self.arch, self.options)} since {self.kernels[0]}"


PA52: Options = {"pa_bits": 52}
FLATMEM: Options = {"max_physmem_bits": None}
PHYS46: Options = {"max_physmem_bits": 46}
PHYS42: Options = {"max_physmem_bits": 42}
PHYS53: Options = {"max_physmem_bits": 53}
STATIC: Options = {"static_pa_bits": True}
LPA2_A1, LPA2_A2, STATIC_A1, STATIC_A2 = span("6.9", "6.9"), span("6.10"), span("6.9", "6.9"), span("6.10", "6.13")

# fmt: off
PFN_BITS = [
    #       arch           kernels    options               MAX_PHYSMEM SWP_PFN YOUNG DIRTY TOTAL A/D  in the
    #                                                       _BITS       _BITS                          entry
    PfnBits("x86_64",      EVER,      NO_OPTIONS,           46,         34,     34,   35,   36,   y,   43),
    PfnBits("x86_64",      EVER,      LA57,                 52,         40,     40,   41,   42,   y,   49),
    PfnBits("arm64",       A1,        P4K,                  48,         36,     36,   37,   38,   y,   44),
    PfnBits("arm64",       A2,        P4K,                  48,         36,     36,   37,   38,   y,   48),
    PfnBits("arm64",       LPA2_A1,   {**P4K, **PA52},      52,         40,     40,   41,   42,   y,   48),
    PfnBits("arm64",       LPA2_A2,   {**P4K, **PA52},      52,         40,     40,   41,   42,   y,   52),
    PfnBits("arm64",       STATIC_A1, {**P4K, **STATIC},    52,         40,     40,   41,   42,   y,   48),
    PfnBits("arm64",       STATIC_A2, {**P4K, **STATIC},    52,         40,     40,   41,   42,   y,   52),
    PfnBits("arm64",       A1,        P16K,                 48,         34,     34,   35,   36,   y,   42),
    PfnBits("arm64",       A2,        P16K,                 48,         34,     34,   35,   36,   y,   46),
    PfnBits("arm64",       LPA2_A1,   {**P16K, **PA52},     52,         38,     38,   39,   40,   y,   46),
    PfnBits("arm64",       LPA2_A2,   {**P16K, **PA52},     52,         38,     38,   39,   40,   y,   50),
    PfnBits("arm64",       STATIC_A1, {**P16K, **STATIC},   52,         38,     38,   39,   40,   y,   46),
    PfnBits("arm64",       STATIC_A2, {**P16K, **STATIC},   52,         38,     38,   39,   40,   y,   50),
    PfnBits("arm64",       A1,        P64K,                 48,         32,     32,   33,   34,   y,   40),
    PfnBits("arm64",       A2,        P64K,                 48,         32,     32,   33,   34,   y,   44),
    PfnBits("arm64",       A1,        {**P64K, **PA52},     52,         36,     36,   37,   38,   y,   44),
    PfnBits("arm64",       A2,        {**P64K, **PA52},     52,         36,     36,   37,   38,   y,   48),
    PfnBits("riscv64",     R1,        NO_OPTIONS,           56,         44,     44,   45,   46,   y,   55),
    PfnBits("riscv64",     R23,       NO_OPTIONS,           56,         44,     44,   45,   46,   y,   56),
    PfnBits("riscv64",     EVER,      FLATMEM,              NA,         52,     52,   53,   54,   n,   NA),
    PfnBits("s390x",       EVER,      NO_OPTIONS,           46,         34,     34,   35,   36,   y,   46),
    PfnBits("s390x",       EVER,      PHYS42,               42,         30,     30,   31,   32,   y,   42),
    PfnBits("s390x",       EVER,      PHYS53,               53,         41,     41,   42,   43,   y,   53),
    PfnBits("ppc64",       EVER,      P4K,                  51,         39,     39,   40,   41,   y,   51),
    PfnBits("ppc64",       EVER,      P64K,                 51,         35,     35,   36,   37,   y,   51),
    PfnBits("ppc64",       EVER,      HASH_4K,              51,         39,     39,   40,   41,   y,   51),
    PfnBits("ppc64",       EVER,      HASH_64K,             51,         35,     35,   36,   37,   y,   51),
    PfnBits("ppc64",       EVER,      {**P4K, **PHYS46},    46,         34,     34,   35,   36,   y,   46),
    PfnBits("ppc64",       EVER,      {**P64K, **PHYS46},   46,         30,     30,   31,   32,   y,   46),
    PfnBits("loongarch64", EVER,      P4K,                  48,         36,     36,   37,   38,   y,   60),
    PfnBits("loongarch64", EVER,      P16K,                 48,         34,     34,   35,   36,   y,   58),
    PfnBits("loongarch64", EVER,      P64K,                 48,         32,     32,   33,   34,   y,   56),
    PfnBits("loongarch64", EVER,      {**P4K, **FLATMEM},   NA,         52,     52,   53,   54,   n,   NA),
    PfnBits("loongarch64", EVER,      {**P16K, **FLATMEM},  NA,         50,     50,   51,   52,   n,   NA),
    PfnBits("loongarch64", EVER,      {**P64K, **FLATMEM},  NA,         48,     48,   49,   50,   n,   NA),
]
# fmt: on


@pytest.mark.parametrize("row", PFN_BITS, ids=str)
def test_young_and_dirty_stand_above_the_pfn_where_the_offset_has_room(row: PfnBits) -> None:
    for kernel in kernels_of(row.arch, row.kernels):
        arch = configure(row.arch, kernel, row.options)
        assert arch.max_physmem_bits == row.max_physmem_bits, arch
        assert arch.swp_pfn_bits == row.swp_pfn_bits, arch
        assert arch.migration_ad is row.migration_ad, arch
        assert (arch.max_swap_offset + 1 >= 1 << row.total) is row.migration_ad, arch
        pfn = (1 << row.swp_pfn_bits) - 1
        for young, dirty in ((n, n), (y, n), (n, y), (y, y)):
            leaf = SoftLeaf(migration_write(arch), pfn | young << row.young | dirty << row.dirty)
            assert arch.softleaf_pfn(leaf) == pfn, arch
            assert arch.softleaf_young(leaf) is (young and row.migration_ad), arch
            assert arch.softleaf_dirty(leaf) is (dirty and row.migration_ad), arch


@pytest.mark.parametrize("row", [row for row in PFN_BITS if row.migration_ad], ids=str)
def test_young_and_dirty_are_the_named_bits_of_the_entry(row: PfnBits) -> None:
    assert row.young_bit is not None
    for kernel in kernels_of(row.arch, row.kernels):
        arch = configure(row.arch, kernel, row.options)
        old = arch.encode_pte(migration_write(arch), 0)
        young = arch.encode_pte(migration_write(arch), 1 << row.young)
        dirty = arch.encode_pte(migration_write(arch), 1 << row.dirty)
        assert (old ^ young, old ^ dirty) == (1 << row.young_bit, 1 << row.young_bit + 1), arch


def test_the_width_of_arm64_addresses_is_a_choice_where_the_kernel_has_one() -> None:
    for kernel in EVER:
        for options in (P4K, P16K):
            for chosen, kernels in ((PA52, LPA2), (STATIC, span("6.9", "6.13"))):
                if kernel in kernels:
                    assert configure("arm64", kernel, {**options, **chosen}).max_physmem_bits == 52
                else:
                    with pytest.raises(pmdswp.UnsupportedError):
                        configure("arm64", kernel, {**options, **chosen})
        assert configure("arm64", kernel, {**P64K, **PA52}).max_physmem_bits == 52
        with pytest.raises(pmdswp.UnsupportedError):
            configure("arm64", kernel, {**P64K, **STATIC})
    # what the CPU has makes no difference to a width that is built in
    for kernel in span("6.9", "6.13"):
        assert configure("arm64", kernel, {**STATIC, **PA52}).swp_pfn_bits == 40


# Limits

# fmt: off
OFFSETS = [
    #              kernels options     number of offsets
    ("x86_64",      EVER,  NO_OPTIONS, 2**50),
    ("arm64",       EVER,  P4K,        2**50),
    ("arm64",       EVER,  P16K,       2**50),
    ("arm64",       EVER,  P64K,       2**50),
    ("riscv64",     R1,    NO_OPTIONS, 2**53),
    ("riscv64",     R23,   NO_OPTIONS, 2**52),
    ("s390x",       EVER,  NO_OPTIONS, 2**52),
    ("ppc64",       EVER,  P4K,        2**41),
    ("ppc64",       EVER,  P64K,       2**37),
    ("ppc64",       EVER,  HASH_4K,    2**41),
    ("ppc64",       EVER,  HASH_64K,   2**37),
    ("loongarch64", EVER,  P4K,        2**40),
    ("loongarch64", EVER,  P16K,       2**40),
    ("loongarch64", EVER,  P64K,       2**40),
]
# fmt: on


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize(("name", "kernels", "options", "offsets"), OFFSETS)
def test_largest_type_and_offset_are_stored_and_the_next_refused(
    name: str, kernels: Releases, options: Options, offsets: int, level: LevelName
) -> None:
    for kernel in kernels:
        arch = configure(name, kernel, options)
        place = arch.level(level)
        assert arch.max_swap_offset == offsets - 1, arch
        if level == "pmd" and kernel not in PMD_SOFTLEAF[name]:
            with pytest.raises(pmdswp.UnsupportedError):
                place.encode(0, 0)
            continue
        entry = apply(place, "to_arch_swp_entry", place.encode(31, offsets - 1))
        assert (arch.arch_swp_type(entry), arch.arch_swp_offset(entry)) == (31, offsets - 1), arch
        with pytest.raises(pmdswp.EncodeError):
            place.encode(0, offsets)
        with pytest.raises(pmdswp.EncodeError):
            place.encode(32, 0)


# fmt: off
OVERSIZED = [
    #              kernels options     leaf                word
    ("x86_64",      EVER,  NO_OPTIONS, SoftLeaf(32, 0),    0x07FF_FFFF_FFFF_FE00),  # type shifted out
    ("x86_64",      EVER,  NO_OPTIONS, SoftLeaf(0, 2**50), 0x07FF_FFFF_FFFF_FE00),  # offset shifted out
    ("arm64",       A1,    NO_OPTIONS, SoftLeaf(32, 0),    0x0000_0000_0000_0100),  # type in bit 8: offset 1
    ("arm64",       A1,    NO_OPTIONS, SoftLeaf(0, 2**50), 0x0400_0000_0000_0000),  # offset in bit 58: PROT_NONE
    ("arm64",       A1,    NO_OPTIONS, SoftLeaf(0, 2**51), 0x0800_0000_0000_0000),  # offset in bit 59: present-invalid
    ("arm64",       A1,    NO_OPTIONS, SoftLeaf(0, 2**55), 0x8000_0000_0000_0000),  # offset in bit 63
    ("arm64",       A1,    NO_OPTIONS, SoftLeaf(0, 2**56), 0x0000_0000_0000_0000),  # offset shifted out
    ("arm64",       A2,    NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1800),  # type in bit 11: present
    ("arm64",       A2,    NO_OPTIONS, SoftLeaf(0, 2**50), 0x4000_0000_0000_0000),  # offset in bit 62
    ("arm64",       A2,    NO_OPTIONS, SoftLeaf(0, 2**51), 0x8000_0000_0000_0000),  # offset in bit 63
    ("arm64",       A2,    NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0000),  # offset shifted out
    ("riscv64",     R1,    NO_OPTIONS, SoftLeaf(33, 0),    0x0000_0000_0000_0840),  # type in bit 11: type 1, offset 1
    ("riscv64",     R1,    NO_OPTIONS, SoftLeaf(0, 2**53), 0x0000_0000_0000_0000),  # offset shifted out
    ("riscv64",     R23,   NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1000),  # type masked
    ("riscv64",     R23,   NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0000),  # offset shifted out
    ("s390x",       EVER,  NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1600),  # type masked
    ("s390x",       EVER,  NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0600),  # offset masked
    ("ppc64",       EVER,  P4K,        SoftLeaf(32, 1),    0x4000_0000_0000_1020),  # type in bit 5: exclusive
    ("ppc64",       EVER,  P4K,        SoftLeaf(0, 2**41), 0x4000_0000_0000_0000),  # offset masked
    ("ppc64",       EVER,  P64K,       SoftLeaf(0, 2**37), 0x4000_0000_0000_0000),  # offset masked
    ("loongarch64", EVER,  NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0120_0000),  # type has seven bits, or eight
    ("loongarch64", EVER,  NO_OPTIONS, SoftLeaf(0, 2**40), 0x0000_0000_0000_0000),  # offset shifted out
]
# fmt: on


@pytest.mark.parametrize(("name", "kernels", "options", "leaf", "word"), OVERSIZED)
def test_oversized_leaf_is_refused_and_truncated_only_when_asked(
    name: str, kernels: Releases, options: Options, leaf: SoftLeaf, word: int
) -> None:
    for kernel in kernels:
        arch = configure(name, kernel, options)
        with pytest.raises(pmdswp.EncodeError):
            arch.softleaf_to_pte(leaf)
        assert arch.softleaf_to_pte(leaf, truncate=True) == word, arch


def test_an_oversized_type_sets_bit_23_on_loongarch64_until_it_is_exclusive() -> None:
    for kernel in EVER:
        arch = configure("loongarch64", kernel, NO_OPTIONS)
        assert arch.arch_swp_entry(0xFF, 1) == (0x1FF_0000 if kernel in L1 else 0x17F_0000), arch
        # until then nothing is masked, and a ninth bit would be the lowest one of the offset
        assert arch.arch_swp_entry(0x1FF, 0) == (0x1FF_0000 if kernel in L1 else 0x7F_0000), arch
        assert arch.arch_swp_type(0xFF_0000) == (0xFF if kernel in L1 else 0x7F), arch
        assert arch.pte_swp_exclusive(0x80_0000) is (kernel in L2), arch


# PTE markers


@pytest.mark.parametrize("name", pmdswp.names())
def test_marker_bits_are_uffd_wp_then_poisoned_too_then_guard_too(name: str) -> None:
    for kernel in EVER:
        arch = pmdswp.get(name, kernel=kernel)
        number = 30 if kernel in T1 else 31
        for offset in range(16):
            if kernel in T1 and name != "x86_64":
                with pytest.raises(pmdswp.DecodeError):
                    arch.softleaf_markers(SoftLeaf(number, offset))
            else:
                assert arch.softleaf_markers(SoftLeaf(number, offset)) == offset & MARKER_MASK[kernel], arch


@pytest.mark.parametrize("name", pmdswp.names())
def test_31_is_a_swap_error_in_6_1_and_a_marker_in_every_later_kernel(name: str) -> None:
    for kernel in EVER:
        arch = pmdswp.get(name, kernel=kernel)
        word, kind = arch.encode_pte(31, 1), SoftLeafType.SWAPIN_ERROR if kernel in T1 else SoftLeafType.MARKER
        assert arch.decode_pte(word).kind is kind, arch
        assert arch.pte_is_marker(word) is (kernel not in T1), arch
        assert (SoftLeafType.SWAPIN_ERROR in arch.swp_types) is (kernel in T1), arch


# What may stand in a PMD

MIGRATION = {
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
}
DEVICE_PRIVATE_KINDS = {SoftLeafType.DEVICE_PRIVATE_READ, SoftLeafType.DEVICE_PRIVATE_WRITE}


def valid_in_a_pmd(kernel: str) -> set[SoftLeafType]:
    kinds = MIGRATION | DEVICE_PRIVATE_KINDS if kernel in PMD_DEVICE_PRIVATE else MIGRATION
    return kinds | {SoftLeafType.SWAP} if kernel in SERIES else kinds


@pytest.mark.parametrize("name", pmdswp.names())
def test_kinds_that_are_valid_in_a_pmd_grow_with_the_kernels(name: str) -> None:
    for kernel in EVER:
        arch = pmdswp.get(name, kernel=kernel)
        if kernel not in PMD_SOFTLEAF[name]:
            with pytest.raises(pmdswp.UnsupportedError):
                arch.pmd_is_valid_softleaf(0)
            assert arch.pmd_kinds == ()
            continue
        for number in range(32):
            leaf = SoftLeaf(number, 0x2000)
            valid = arch.pmd_is_valid_softleaf(arch.softleaf_to_pmd(leaf))
            assert valid is (arch.softleaf_type(leaf) in valid_in_a_pmd(kernel)), arch
        assert set(arch.pmd_kinds) <= valid_in_a_pmd(kernel), arch


# Predicates

Predicate = Callable[[int], object]
INVALID_PTE_TABLE = 0x9000_0000_01A5_0000


class Predicates(NamedTuple):
    """What the predicates test, as formulas over the word; any true value means yes."""

    arch: str
    kernels: Releases
    options: Options
    pte_none: Predicate
    pte_present: Predicate
    pmd_none: Predicate
    pmd_present: Predicate
    pmd_leaf: Predicate
    pmd_trans_huge: Predicate
    pmd_bad: Predicate

    def __str__(self) -> str:
        return f"{described(self.arch, self.options)} since {self.kernels[0]}"


def x86_64(kernels: Releases, *, devmap: int) -> Predicates:
    return Predicates(
        "x86_64",
        kernels,
        {},
        pte_none=lambda v: v & ~0x60 == 0,
        pte_present=lambda v: v & 0x101,
        pmd_none=lambda v: v & ~0x60 == 0,
        pmd_present=lambda v: v & 0x181,
        pmd_leaf=lambda v: v & 0x80,
        pmd_trans_huge=lambda v: v & (devmap | 0x80) == 0x80,
        pmd_bad=lambda v: v & 0xFFF0_0000_0000_0FFF & ~0x24 != 0x43,
    )


def old_arm64(page_size: int) -> Predicates:
    """Bit 58 is PTE_PROT_NONE; bit 59 is PMD_PRESENT_INVALID, and an address bit or nothing in a PTE."""
    in_ptes, in_pmds = 1 | 1 << 58, 1 | 1 << 58 | 1 << 59
    return Predicates(
        "arm64",
        A1,
        {"page_size": page_size},
        pte_none=lambda v: v == 0,
        pte_present=lambda v: v & in_ptes,
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: v & in_pmds,
        pmd_leaf=lambda v: v & in_pmds and v & 3 != 3,
        pmd_trans_huge=lambda v: v & in_pmds and not v & 2,
        pmd_bad=lambda v: v & 3 != 3,
    )


def arm64(page_size: int) -> Predicates:
    return Predicates(
        "arm64",
        A2,
        {"page_size": page_size},
        pte_none=lambda v: v == 0,
        pte_present=lambda v: v & 1 or v & 0x801 == 0x800,
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: v & 1 or v & 0x801 == 0x800,
        pmd_leaf=lambda v: v & 0x801 and v & 3 != 3,
        pmd_trans_huge=lambda v: v & 0x801 and (v | 1) & 3 != 3,
        pmd_bad=lambda v: v & 3 != 3,
    )


def riscv64(kernels: Releases, options: Options, *, pmd_present: int) -> Predicates:
    huge = 0xE if pmd_present == 0x2F else 0
    return Predicates(
        "riscv64",
        kernels,
        options,
        pte_none=lambda v: v == 0,
        pte_present=lambda v: v & 0x21,
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: v & pmd_present,
        pmd_leaf=lambda v: v & pmd_present and v & 0xE,
        pmd_trans_huge=lambda v: v & huge,
        pmd_bad=lambda v: not v & pmd_present or v & 0xE,
    )


S390X_WITHOUT_PRESENT_BIT = Predicates(
    "s390x",
    S390_NO_PRESENT_BIT,
    {},
    pte_none=lambda v: v == 0x400,
    pte_present=lambda v: v & 1,
    pmd_none=lambda v: v == 0x20,
    pmd_present=lambda v: v != 0x20,
    pmd_leaf=lambda v: v & 0x400,
    pmd_trans_huge=lambda v: v & 0x400,
    pmd_bad=lambda v: v & 0xC or v & 0x400 or v & 0x1C0,
)
S390X = Predicates(
    "s390x",
    S390_PRESENT_BIT,
    {},
    pte_none=lambda v: v == 0x400,
    pte_present=lambda v: v & 1,
    pmd_none=lambda v: v == 0x20,
    pmd_present=lambda v: v & 1,
    pmd_leaf=lambda v: v & 1 and v & 0x400,
    pmd_trans_huge=lambda v: v & 1 and v & 0x400,
    pmd_bad=lambda v: v & 0xC or (v & 1 and v & 0x400) or v & 0x1C0,
)


def ppc64(
    kernels: Releases,
    options: Options,
    *,
    unseen: int,
    bad: int,
    huge: int | None,
    devmap: int,
) -> Predicates:
    """`unseen`: what `pte_none` overlooks. `huge`: what a THP has set, None where there is none."""
    return Predicates(
        "ppc64",
        kernels,
        options,
        pte_none=lambda v: v & ~unseen == 0,
        pte_present=lambda v: v & 1 << 62 and (v & 1 << 63 or v & 1 << 61),
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: v & 1 << 63 or v & 1 << 61,
        pmd_leaf=lambda v: v & 1 << 62,
        pmd_trans_huge=lambda v: (v & 1 << 63 or v & 1 << 61) and v & ((huge or 0) | devmap) == huge,
        pmd_bad=lambda v: v & bad,
    )


def ppc64_mmus(kernels: Releases, *, devmap: int) -> list[Predicates]:
    radix_bad, hash_bad = 0x6000_0000_0000_00E0, 0xFFF
    leaf, hash_leaf = 1 << 62, 1 << 62 | 0x2000
    hpte_4k, hpte_64k = 0x11E0_0000_0000_0040, 0x0080_0000_0000_1040
    return [
        ppc64(kernels, P4K, unseen=0x180, bad=radix_bad, huge=leaf, devmap=devmap),
        ppc64(kernels, P64K, unseen=0x180, bad=radix_bad, huge=leaf, devmap=devmap),
        ppc64(kernels, HASH_4K, unseen=hpte_4k, bad=hash_bad, huge=None, devmap=devmap),
        ppc64(kernels, HASH_64K, unseen=hpte_64k, bad=hash_bad, huge=hash_leaf, devmap=devmap),
    ]


def loongarch64(page_size: int) -> Predicates:
    def pmd_present(v: int) -> object:
        return v & (0x80 | 0x400 | 1 << 60) if v & 0x40 else v != INVALID_PTE_TABLE

    return Predicates(
        "loongarch64",
        LOONGARCH_BIT_60,
        {"page_size": page_size, "invalid_pte_table": INVALID_PTE_TABLE},
        pte_none=lambda v: v & ~0x40 == 0,
        pte_present=lambda v: v & 0x480,
        pmd_none=lambda v: v == INVALID_PTE_TABLE,
        pmd_present=pmd_present,
        pmd_leaf=lambda v: v & 0x40,
        pmd_trans_huge=lambda v: v & 0x40 and pmd_present(v),
        pmd_bad=lambda v: v & (page_size - 1),
    )


PREDICATES = [
    x86_64(X86_OLD_DEVMAP, devmap=1 << 58),
    x86_64(X86_DEVMAP, devmap=1 << 57),
    x86_64(NO_DEVMAP, devmap=0),
    old_arm64(4 * KiB),
    old_arm64(16 * KiB),
    old_arm64(64 * KiB),
    arm64(4 * KiB),
    arm64(16 * KiB),
    arm64(64 * KiB),
    riscv64(EVER, NO_OPTIONS, pmd_present=0x2F),
    riscv64(SVRSW60T59B, SVRSW, pmd_present=0x2F),
    riscv64(EVER, {"thp": False}, pmd_present=0x21),
    S390X_WITHOUT_PRESENT_BIT,
    S390X,
    *ppc64_mmus(PPC_DEVMAP, devmap=0x800),
    *ppc64_mmus(NO_DEVMAP, devmap=0),
    loongarch64(4 * KiB),
    loongarch64(16 * KiB),
    loongarch64(64 * KiB),
]

# Around the words that some predicate singles out, every word one bit away.
SINGLED_OUT = [
    0x43,  # x86_64: a table entry
    0x20,  # s390x: the empty PMD
    0x400,  # s390x: the empty PTE
    1 << 63 | 1 << 62 | 0x2000,  # ppc64: a THP under hash
    1 << 61 | 1 << 62 | 0x2000,  # ppc64: the same while it is split
    INVALID_PTE_TABLE,
]
PREDICATE_WORDS = [
    *WORDS,
    *(low | high for low, high in combinations(BIT, 2)),
    *SINGLED_OUT,
    *(word ^ bit for word in SINGLED_OUT for bit in BIT),
]


HELPERS = ("pte_none", "pte_present", "pmd_none", "pmd_present", "pmd_leaf", "pmd_trans_huge", "pmd_bad")


@pytest.mark.parametrize("row", PREDICATES, ids=str)
def test_predicates_test_the_bits_of_the_table_and_no_others(row: Predicates) -> None:
    formulas: dict[str, Predicate] = {name: getattr(row, name) for name in HELPERS}
    answers = {name: [bool(formula(v)) for v in PREDICATE_WORDS] for name, formula in formulas.items()}
    for kernel in kernels_of(row.arch, row.kernels):
        arch = configure(row.arch, kernel, row.options)
        for name, expected in answers.items():
            predicate: Predicate = getattr(arch, name)
            pairs = zip(PREDICATE_WORDS, expected, strict=True)
            wrong = [f"{v:#x}" for v, answer in pairs if predicate(v) is not answer]
            assert not wrong, (arch, name)


def test_every_kernel_has_a_row_of_predicates_with_every_page_size() -> None:
    told = {(row.arch, kernel, row.options.get("page_size")) for row in PREDICATES for kernel in row.kernels}
    sizes = {"arm64": (4, 16, 64), "ppc64": (4, 64), "loongarch64": (4, 16, 64)}
    assert told == {
        (name, kernel, size and size * KiB)
        for name in pmdswp.names()
        for kernel in (LOONGARCH_BIT_60 if name == "loongarch64" else EVER)
        for size in sizes.get(name, (None,))
    }
