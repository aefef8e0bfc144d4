"""The tables of the six layouts, row by row: type numbers, bits, geometry, PFN bits, limits, predicates."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import pytest

import pmdswp
from examples.common import configure
from pmdswp import Arch, SoftLeaf, SoftLeafType
from pmdswp.config import Options
from pmdswp.softleaf import FLAGS, Level
from slots import Slot

KiB = 1 << 10
MiB = 1 << 20

OLD = ("6.12",)
NEW = ("7.3", "pmd-swap-v3")
V3 = ("pmd-swap-v3",)
ALL = (*OLD, *NEW)

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
    """The special types of the kernels with those three CONFIG symbols."""

    kernels: tuple[str, ...]
    device_private: bool
    migration: bool
    memory_failure: bool
    max_swapfiles: int
    hwpoison: int | None
    migration_read: int | None
    migration_read_exclusive: int | None
    migration_write: int | None
    device_private_write: int | None
    device_private_read: int | None
    device_exclusive: int | range | None
    marker: int

    def __str__(self) -> str:
        return f"MAX_SWAPFILES {self.max_swapfiles}"

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
            # THP selects COMPACTION, and that selects MIGRATION
            "thp": self.migration,
        }
        return [
            configure(name, kernel, options)
            for name in pmdswp.names()
            for kernel in self.kernels
            if not (self.memory_failure and name in ("riscv64", "s390x", "loongarch64"))
            if not (self.device_private and (name, kernel) == ("s390x", "6.12"))
        ]


W29_R30 = range(29, 31)

# fmt: off
TYPE_NUMBERS = [
    #           kernel  DEV_  MIGRA- MEM_   MAX_SWAP HW-     MIG_  MIG_R MIG_   DEV_   DEV_  DEV_     MARKER
    #                   PRIV  TION   FAIL   FILES    POISON  READ  _EXCL WRITE  WRITE  READ  EXCL
    TypeNumbers(OLD,    y,    y,     y,     23,      23,     24,   25,   26,    27,    28,   W29_R30, 31),
    TypeNumbers(OLD,    y,    y,     n,     24,      NA,     24,   25,   26,    27,    28,   W29_R30, 31),
    TypeNumbers(OLD,    y,    n,     y,     26,      26,     NA,   NA,   NA,    27,    28,   W29_R30, 31),
    TypeNumbers(OLD,    y,    n,     n,     27,      NA,     NA,   NA,   NA,    27,    28,   W29_R30, 31),
    TypeNumbers(NEW,    y,    y,     y,     24,      24,     25,   26,   27,    28,    29,   30,      31),
    TypeNumbers(NEW,    y,    y,     n,     25,      NA,     25,   26,   27,    28,    29,   30,      31),
    TypeNumbers(NEW,    y,    n,     y,     27,      27,     NA,   NA,   NA,    28,    29,   30,      31),
    TypeNumbers(NEW,    y,    n,     n,     28,      NA,     NA,   NA,   NA,    28,    29,   30,      31),
    TypeNumbers(ALL,    n,    y,     y,     27,      27,     28,   29,   30,    NA,    NA,   NA,      31),
    TypeNumbers(ALL,    n,    y,     n,     28,      NA,     28,   29,   30,    NA,    NA,   NA,      31),
    TypeNumbers(ALL,    n,    n,     y,     30,      30,     NA,   NA,   NA,    NA,    NA,   NA,      31),
    TypeNumbers(ALL,    n,    n,     n,     31,      NA,     NA,   NA,   NA,    NA,    NA,   NA,      31),
]
# fmt: on


@pytest.mark.parametrize(("row", "arch"), [(row, arch) for row in TYPE_NUMBERS for arch in row.arches], ids=str)
def test_special_types_are_numbered_by_configuration(row: TypeNumbers, arch: Arch) -> None:
    assert arch.max_swapfiles == row.max_swapfiles
    assert dict(arch.swp_types) == row.by_kind
    assert [arch.softleaf_type(SoftLeaf(number, 1)) for number in range(32)] == row.by_number


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
    kernel_kinds = set(SoftLeafType) - {SoftLeafType.UNKNOWN}
    assert {kind.name: kind.value for kind in kernel_kinds} == SOFTLEAF_ENUM


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
    kernels: tuple[str, ...]
    options: Options
    soft_dirty: bool
    uffd: bool
    device_private: bool
    memory_failure: bool
    pmd_softleaf: bool

    def __str__(self) -> str:
        return described(self.arch, self.options)


# fmt: off
POSSIBLE = [
    #                                         SOFT_  UFFD   DEVICE_  MEMORY_  PMD
    #                                         DIRTY         PRIVATE  FAILURE  softleaf
    Possible("x86_64",      ALL, NO_OPTIONS,  y,     y,     y,       y,       y),
    Possible("arm64",       ALL, NO_OPTIONS,  n,     y,     y,       y,       y),
    Possible("riscv64",     ALL, NO_OPTIONS,  n,     n,     y,       n,       y),
    Possible("riscv64",     NEW, SVRSW,       y,     y,     y,       n,       y),
    Possible("s390x",       OLD, NO_OPTIONS,  y,     n,     n,       n,       n),
    Possible("s390x",       NEW, NO_OPTIONS,  y,     n,     y,       n,       y),
    Possible("ppc64",       ALL, NO_OPTIONS,  y,     n,     y,       y,       y),
    Possible("loongarch64", ALL, NO_OPTIONS,  n,     n,     y,       n,       y),
]
# fmt: on


@pytest.mark.parametrize(("row", "kernel"), [(row, kernel) for row in POSSIBLE for kernel in row.kernels], ids=str)
def test_configuration_has_all_that_is_possible_and_refuses_the_rest(row: Possible, kernel: str) -> None:
    arch = configure(row.arch, kernel, row.options)
    assert ("soft_dirty" in arch.pte_layout.flags) is row.soft_dirty
    assert ("uffd" in arch.pte_layout.flags) is row.uffd
    assert (SoftLeafType.DEVICE_PRIVATE_READ in arch.swp_types) is row.device_private
    assert (SoftLeafType.HWPOISON in arch.swp_types) is row.memory_failure
    assert arch.has_pmd_softleaf is row.pmd_softleaf
    assert arch.has_pmd_swap is (kernel == "pmd-swap-v3")

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


def test_6_12_knows_no_svrsw60t59b() -> None:
    with pytest.raises(pmdswp.UnsupportedError):
        pmdswp.get("riscv64", kernel="6.12", svrsw60t59b=True)


# Where the bits are


class Bits(NamedTuple):
    """First and last bit of the type and the offset, the bits of the flags, and the bits that are always set."""

    arch: str
    level: Level
    kernels: tuple[str, ...]
    options: Options
    type: tuple[int, int]
    offset: tuple[int, int]
    exclusive: int | None
    soft_dirty: int | None
    uffd: int | None
    always: int

    def __str__(self) -> str:
        return f"{self.level} of {described(self.arch, self.options)}"

    @property
    def flags(self) -> dict[str, int]:
        bits = zip(FLAGS, (self.exclusive, self.soft_dirty, self.uffd), strict=True)
        return {flag: 1 << bit for flag, bit in bits if bit is not None}


X86_OFFSET = (1 << 59) - (1 << 9)  # stored inverted: an offset of 0 sets all its bits
ONLY_73 = ("7.3",)
NO_PMD_EXCLUSIVE = (*OLD, *ONLY_73)

# fmt: off
BITS = [
    #    arch           level  kernels           options     type      offset    excl  s_d  uffd  always set
    Bits("x86_64",      "pte", ALL,              NO_OPTIONS, (59, 63), (9, 58),  3,    1,   2,    X86_OFFSET),
    Bits("x86_64",      "pmd", NO_PMD_EXCLUSIVE, NO_OPTIONS, (59, 63), (9, 58),  NA,   1,   2,    X86_OFFSET),
    Bits("x86_64",      "pmd", V3,               NO_OPTIONS, (59, 63), (9, 58),  3,    1,   2,    X86_OFFSET),
    Bits("arm64",       "pte", ALL,              P4K,        (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pte", ALL,              P16K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pte", ALL,              P64K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", NO_PMD_EXCLUSIVE, P4K,        (6, 10),  (12, 61), NA,   NA,  3,    0),
    Bits("arm64",       "pmd", V3,               P4K,        (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", V3,               P16K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("arm64",       "pmd", V3,               P64K,       (6, 10),  (12, 61), 2,    NA,  3,    0),
    Bits("riscv64",     "pte", ALL,              NO_OPTIONS, (7, 11),  (12, 63), 6,    NA,  NA,   0),
    Bits("riscv64",     "pmd", NO_PMD_EXCLUSIVE, NO_OPTIONS, (7, 11),  (12, 63), NA,   NA,  NA,   0),
    Bits("riscv64",     "pmd", V3,               NO_OPTIONS, (7, 11),  (12, 63), 6,    NA,  NA,   0),
    Bits("riscv64",     "pte", NEW,              SVRSW,      (7, 11),  (12, 63), 6,    3,   4,    0),
    Bits("riscv64",     "pmd", ONLY_73,          SVRSW,      (7, 11),  (12, 63), NA,   3,   4,    0),
    Bits("riscv64",     "pmd", V3,               SVRSW,      (7, 11),  (12, 63), 6,    3,   4,    0),
    Bits("s390x",       "pte", ALL,              NO_OPTIONS, (2, 6),   (12, 63), 11,   1,   NA,   0x600),
    Bits("s390x",       "pmd", ONLY_73,          NO_OPTIONS, (6, 10),  (12, 63), NA,   1,   NA,   0x30),
    Bits("s390x",       "pmd", V3,               NO_OPTIONS, (6, 10),  (12, 63), 11,   1,   NA,   0x30),
    Bits("ppc64",       "pte", ALL,              P4K,        (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", NO_PMD_EXCLUSIVE, P4K,        (0, 4),   (12, 52), NA,   9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", V3,               P4K,        (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", V3,               HASH_4K,    (0, 4),   (12, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pte", ALL,              P64K,       (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", NO_PMD_EXCLUSIVE, P64K,       (0, 4),   (16, 52), NA,   9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", V3,               P64K,       (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    Bits("ppc64",       "pmd", V3,               HASH_64K,   (0, 4),   (16, 52), 5,    9,   NA,   1 << 62),
    # the field has seven bits, the generic entry five
    Bits("loongarch64", "pte", ALL,              P4K,        (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pte", ALL,              P16K,       (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pte", ALL,              P64K,       (16, 20), (24, 63), 23,   NA,  NA,   0),
    Bits("loongarch64", "pmd", NO_PMD_EXCLUSIVE, P4K,        (16, 20), (24, 63), NA,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", V3,               P4K,        (16, 20), (24, 63), 23,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", V3,               P16K,       (16, 20), (24, 63), 23,   NA,  NA,   0x40),
    Bits("loongarch64", "pmd", V3,               P64K,       (16, 20), (24, 63), 23,   NA,  NA,   0x40),
]
# fmt: on

BITS_ON_KERNELS = pytest.mark.parametrize(
    ("row", "kernel"), [(row, kernel) for row in BITS for kernel in row.kernels], ids=str
)


@BITS_ON_KERNELS
def test_each_bit_of_type_and_offset_is_stored_where_the_table_says(row: Bits, kernel: str) -> None:
    encode = Slot(configure(row.arch, kernel, row.options), row.level).encode
    empty = encode(0, 0)
    assert empty == row.always
    for bit, entry_bit in enumerate(range(row.type[0], row.type[1] + 1)):
        assert encode(1 << bit, 0) ^ empty == 1 << entry_bit
    for bit, entry_bit in enumerate(range(row.offset[0], row.offset[1] + 1)):
        assert encode(0, 1 << bit) ^ empty == 1 << entry_bit


@BITS_ON_KERNELS
def test_each_flag_is_the_bit_of_the_table_or_refused(row: Bits, kernel: str) -> None:
    slot = Slot(configure(row.arch, kernel, row.options), row.level)
    assert dict(slot.layout.flags) == row.flags
    for flag in FLAGS:
        if flag in row.flags:
            assert slot.encode(0, 0, **{flag: True}) == row.always | row.flags[flag]
        else:
            with pytest.raises(pmdswp.EncodeError):
                slot.encode(0, 0, **{flag: True})


MASK64 = (1 << 64) - 1
BIT = [1 << bit for bit in range(64)]
WORDS = [0, MASK64, *BIT, *(MASK64 ^ bit for bit in BIT)]


@BITS_ON_KERNELS
def test_flag_helpers_touch_no_other_bit_whatever_the_word(row: Bits, kernel: str) -> None:
    slot = Slot(configure(row.arch, kernel, row.options), row.level)
    for flag in FLAGS:
        if (row.level, flag) == ("pmd", "exclusive") and kernel != "pmd-swap-v3":
            for name in (f"swp_{flag}", f"swp_mk{flag}", f"swp_clear_{flag}"):
                with pytest.raises(pmdswp.UnsupportedError, match="pmd-swap-v3"):
                    slot.apply(name, 0)
        else:
            mask = row.flags.get(flag, 0)
            for word in WORDS:
                assert slot.test(f"swp_{flag}", word) is bool(word & mask)
                assert slot.apply(f"swp_mk{flag}", word) == word | mask
                assert slot.apply(f"swp_clear_{flag}", word) == word & ~mask


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


@pytest.mark.parametrize("kernel", ALL)
@pytest.mark.parametrize("row", GEOMETRY, ids=str)
def test_geometry_is_that_of_the_table_on_every_kernel(row: Geometry, kernel: str) -> None:
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
    assert sizes == row[2:]
    assert arch.page_size == 1 << arch.page_shift


# PFNs, and the young and dirty bits of migration entries above them


class PfnBits(NamedTuple):
    """How the offset of a migration entry is used; `young_bit` is counted in the PTE, and dirty is the next."""

    arch: str
    options: Options
    max_physmem_bits: int | None
    swp_pfn_bits: int
    young: int
    dirty: int
    total: int
    migration_ad: bool
    young_bit: int | None

    def __str__(self) -> str:
        return described(self.arch, self.options)


PA52: Options = {"pa_bits": 52}
FLATMEM: Options = {"max_physmem_bits": None}
PHYS46: Options = {"max_physmem_bits": 46}
PHYS42: Options = {"max_physmem_bits": 42}
PHYS53: Options = {"max_physmem_bits": 53}

# fmt: off
PFN_BITS = [
    #       arch           options               MAX_PHYSMEM SWP_PFN YOUNG DIRTY TOTAL A/D  in the
    #                                            _BITS       _BITS                          entry
    PfnBits("x86_64",      NO_OPTIONS,           46,         34,     34,   35,   36,   y,   43),
    PfnBits("x86_64",      LA57,                 52,         40,     40,   41,   42,   y,   49),
    PfnBits("arm64",       P4K,                  48,         36,     36,   37,   38,   y,   48),
    PfnBits("arm64",       {**P4K, **PA52},      52,         40,     40,   41,   42,   y,   52),
    PfnBits("arm64",       P16K,                 48,         34,     34,   35,   36,   y,   46),
    PfnBits("arm64",       {**P16K, **PA52},     52,         38,     38,   39,   40,   y,   50),
    PfnBits("arm64",       P64K,                 48,         32,     32,   33,   34,   y,   44),
    PfnBits("arm64",       {**P64K, **PA52},     52,         36,     36,   37,   38,   y,   48),
    PfnBits("riscv64",     NO_OPTIONS,           56,         44,     44,   45,   46,   y,   56),
    PfnBits("riscv64",     FLATMEM,              NA,         52,     52,   53,   54,   n,   NA),
    PfnBits("s390x",       NO_OPTIONS,           46,         34,     34,   35,   36,   y,   46),
    PfnBits("s390x",       PHYS42,               42,         30,     30,   31,   32,   y,   42),
    PfnBits("s390x",       PHYS53,               53,         41,     41,   42,   43,   y,   53),
    PfnBits("ppc64",       P4K,                  51,         39,     39,   40,   41,   y,   51),
    PfnBits("ppc64",       P64K,                 51,         35,     35,   36,   37,   y,   51),
    PfnBits("ppc64",       HASH_4K,              51,         39,     39,   40,   41,   y,   51),
    PfnBits("ppc64",       HASH_64K,             51,         35,     35,   36,   37,   y,   51),
    PfnBits("ppc64",       {**P4K, **PHYS46},    46,         34,     34,   35,   36,   y,   46),
    PfnBits("ppc64",       {**P64K, **PHYS46},   46,         30,     30,   31,   32,   y,   46),
    PfnBits("loongarch64", P4K,                  48,         36,     36,   37,   38,   y,   60),
    PfnBits("loongarch64", P16K,                 48,         34,     34,   35,   36,   y,   58),
    PfnBits("loongarch64", P64K,                 48,         32,     32,   33,   34,   y,   56),
    PfnBits("loongarch64", {**P4K, **FLATMEM},   NA,         52,     52,   53,   54,   n,   NA),
    PfnBits("loongarch64", {**P16K, **FLATMEM},  NA,         50,     50,   51,   52,   n,   NA),
    PfnBits("loongarch64", {**P64K, **FLATMEM},  NA,         48,     48,   49,   50,   n,   NA),
]
# fmt: on


@pytest.mark.parametrize("kernel", ALL)
@pytest.mark.parametrize("row", PFN_BITS, ids=str)
def test_young_and_dirty_stand_above_the_pfn_where_the_offset_has_room(row: PfnBits, kernel: str) -> None:
    arch = configure(row.arch, kernel, row.options)
    assert arch.max_physmem_bits == row.max_physmem_bits
    assert arch.swp_pfn_bits == row.swp_pfn_bits
    assert arch.migration_ad is row.migration_ad
    assert (arch.max_swap_offset + 1 >= 1 << row.total) is row.migration_ad
    pfn = (1 << row.swp_pfn_bits) - 1
    for young, dirty in ((n, n), (y, n), (n, y), (y, y)):
        leaf = SoftLeaf(migration_write(arch), pfn | young << row.young | dirty << row.dirty)
        assert arch.softleaf_pfn(leaf) == pfn
        assert arch.softleaf_young(leaf) is (young and row.migration_ad)
        assert arch.softleaf_dirty(leaf) is (dirty and row.migration_ad)


@pytest.mark.parametrize("kernel", ALL)
@pytest.mark.parametrize("row", [row for row in PFN_BITS if row.migration_ad], ids=str)
def test_young_and_dirty_are_the_named_bits_of_the_entry(row: PfnBits, kernel: str) -> None:
    arch = configure(row.arch, kernel, row.options)
    old = arch.encode_pte(migration_write(arch), 0)
    young = arch.encode_pte(migration_write(arch), 1 << row.young)
    dirty = arch.encode_pte(migration_write(arch), 1 << row.dirty)
    assert row.young_bit is not None
    assert (old ^ young, old ^ dirty) == (1 << row.young_bit, 1 << row.young_bit + 1)


# Limits

# fmt: off
OFFSETS = [
    #              options      number of offsets
    ("x86_64",      NO_OPTIONS, 2**50),
    ("arm64",       P4K,        2**50),
    ("arm64",       P16K,       2**50),
    ("arm64",       P64K,       2**50),
    ("riscv64",     NO_OPTIONS, 2**52),
    ("s390x",       NO_OPTIONS, 2**52),
    ("ppc64",       P4K,        2**41),
    ("ppc64",       P64K,       2**37),
    ("ppc64",       HASH_4K,    2**41),
    ("ppc64",       HASH_64K,   2**37),
    ("loongarch64", P4K,        2**40),
    ("loongarch64", P16K,       2**40),
    ("loongarch64", P64K,       2**40),
]
# fmt: on


@pytest.mark.parametrize("level", ["pte", "pmd"])
@pytest.mark.parametrize(("name", "options", "offsets"), OFFSETS)
def test_largest_type_and_offset_are_stored_and_the_next_refused(
    name: str, options: Options, offsets: int, level: Level
) -> None:
    arch = configure(name, "pmd-swap-v3", options)
    slot = Slot(arch, level)
    assert arch.max_swap_offset == offsets - 1
    entry = slot.apply("to_arch_swp_entry", slot.encode(31, offsets - 1))
    assert (arch.arch_swp_type(entry), arch.arch_swp_offset(entry)) == (31, offsets - 1)
    with pytest.raises(pmdswp.EncodeError):
        slot.encode(0, offsets)
    with pytest.raises(pmdswp.EncodeError):
        slot.encode(32, 0)


# fmt: off
OVERSIZED = [
    #              options     leaf                word
    ("x86_64",      NO_OPTIONS, SoftLeaf(32, 0),    0x07FF_FFFF_FFFF_FE00),  # type shifted out
    ("x86_64",      NO_OPTIONS, SoftLeaf(0, 2**50), 0x07FF_FFFF_FFFF_FE00),  # offset shifted out
    ("arm64",       NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1800),  # type in bit 11: present
    ("arm64",       NO_OPTIONS, SoftLeaf(0, 2**50), 0x4000_0000_0000_0000),  # offset in bit 62
    ("arm64",       NO_OPTIONS, SoftLeaf(0, 2**51), 0x8000_0000_0000_0000),  # offset in bit 63
    ("arm64",       NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0000),  # offset shifted out
    ("riscv64",     NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1000),  # type masked
    ("riscv64",     NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0000),  # offset shifted out
    ("s390x",       NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0000_1600),  # type masked
    ("s390x",       NO_OPTIONS, SoftLeaf(0, 2**52), 0x0000_0000_0000_0600),  # offset masked
    ("ppc64",       P4K,        SoftLeaf(32, 1),    0x4000_0000_0000_1020),  # type in bit 5: exclusive
    ("ppc64",       P4K,        SoftLeaf(0, 2**41), 0x4000_0000_0000_0000),  # offset masked
    ("ppc64",       P64K,       SoftLeaf(0, 2**37), 0x4000_0000_0000_0000),  # offset masked
    ("loongarch64", NO_OPTIONS, SoftLeaf(32, 1),    0x0000_0000_0120_0000),  # type has seven bits
    ("loongarch64", NO_OPTIONS, SoftLeaf(0, 2**40), 0x0000_0000_0000_0000),  # offset shifted out
]
# fmt: on


@pytest.mark.parametrize("kernel", ALL)
@pytest.mark.parametrize(("name", "options", "leaf", "word"), OVERSIZED)
def test_oversized_leaf_is_refused_and_truncated_only_when_asked(
    name: str, options: Options, leaf: SoftLeaf, word: int, kernel: str
) -> None:
    arch = configure(name, kernel, options)
    with pytest.raises(pmdswp.EncodeError):
        arch.softleaf_to_pte(leaf)
    assert arch.softleaf_to_pte(leaf, truncate=True) == word


# PTE markers


@pytest.mark.parametrize("name", pmdswp.names())
@pytest.mark.parametrize(("kernel", "mask"), [("6.12", 0x3), ("7.3", 0x7), ("pmd-swap-v3", 0x7)])
def test_marker_bits_are_uffd_wp_and_poisoned_and_later_guard(name: str, kernel: str, mask: int) -> None:
    arch = pmdswp.get(name, kernel=kernel)
    for offset in range(16):
        assert arch.softleaf_markers(SoftLeaf(31, offset)) == offset & mask


# What may stand in a PMD

MIGRATION = {
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
}
DEVICE_PRIVATE = {SoftLeafType.DEVICE_PRIVATE_READ, SoftLeafType.DEVICE_PRIVATE_WRITE}

VALID_IN_A_PMD = {
    "6.12": MIGRATION,
    "7.3": MIGRATION | DEVICE_PRIVATE,
    "pmd-swap-v3": MIGRATION | DEVICE_PRIVATE | {SoftLeafType.SWAP},
}


@pytest.mark.parametrize("name", pmdswp.names())
@pytest.mark.parametrize("kernel", ALL)
def test_kinds_that_are_valid_in_a_pmd_grow_with_the_kernels(name: str, kernel: str) -> None:
    arch = pmdswp.get(name, kernel=kernel)
    if (name, kernel) == ("s390x", "6.12"):
        with pytest.raises(pmdswp.UnsupportedError):
            arch.pmd_is_valid_softleaf(0)
        return
    for number in range(32):
        leaf = SoftLeaf(number, 0x2000)
        valid = arch.pmd_is_valid_softleaf(arch.softleaf_to_pmd(leaf))
        assert valid is (arch.softleaf_type(leaf) in VALID_IN_A_PMD[kernel])


# Predicates

Predicate = Callable[[int], object]
INVALID_PTE_TABLE = 0x9000_0000_01A5_0000


class Predicates(NamedTuple):
    """What the predicates test, as formulas over the word; any true value means yes."""

    arch: str
    kernels: tuple[str, ...]
    options: Options
    pte_none: Predicate
    pte_present: Predicate
    pmd_none: Predicate
    pmd_present: Predicate
    pmd_leaf: Predicate
    pmd_trans_huge: Predicate
    pmd_bad: Predicate

    def __str__(self) -> str:
        return described(self.arch, self.options)


def x86_64(kernels: tuple[str, ...], *, devmap: int) -> Predicates:
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


def arm64(page_size: int) -> Predicates:
    return Predicates(
        "arm64",
        ALL,
        {"page_size": page_size},
        pte_none=lambda v: v == 0,
        pte_present=lambda v: v & 1 or v & 0x801 == 0x800,
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: v & 1 or v & 0x801 == 0x800,
        pmd_leaf=lambda v: v & 0x801 and v & 3 != 3,
        pmd_trans_huge=lambda v: v & 0x801 and (v | 1) & 3 != 3,
        pmd_bad=lambda v: v & 3 != 3,
    )


def riscv64(kernels: tuple[str, ...], options: Options, *, pmd_present: int) -> Predicates:
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


S390X_6_12 = Predicates(
    "s390x",
    OLD,
    {},
    pte_none=lambda v: v == 0x400,
    pte_present=lambda v: v & 1,
    pmd_none=lambda v: v == 0x20,
    pmd_present=lambda v: v != 0x20,
    pmd_leaf=lambda v: v & 0x400,
    pmd_trans_huge=lambda v: v & 0x400,
    pmd_bad=lambda v: v & 0xC or v & 0x400 or v & 0x1C0,
)
S390X_NEWER = Predicates(
    "s390x",
    NEW,
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
    kernels: tuple[str, ...],
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


def ppc64_mmus(kernels: tuple[str, ...], *, devmap: int) -> list[Predicates]:
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
        ALL,
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
    x86_64(OLD, devmap=1 << 57),
    x86_64(NEW, devmap=0),
    arm64(4 * KiB),
    arm64(16 * KiB),
    arm64(64 * KiB),
    riscv64(ALL, NO_OPTIONS, pmd_present=0x2F),
    riscv64(NEW, SVRSW, pmd_present=0x2F),
    riscv64(ALL, {"thp": False}, pmd_present=0x21),
    S390X_6_12,
    S390X_NEWER,
    *ppc64_mmus(OLD, devmap=0x800),
    *ppc64_mmus(NEW, devmap=0),
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


@pytest.mark.parametrize(("row", "kernel"), [(row, kernel) for row in PREDICATES for kernel in row.kernels], ids=str)
def test_predicates_test_the_bits_of_the_table_and_no_others(row: Predicates, kernel: str) -> None:
    arch = configure(row.arch, kernel, row.options)
    for predicate, formula in (
        (arch.pte_none, row.pte_none),
        (arch.pte_present, row.pte_present),
        (arch.pmd_none, row.pmd_none),
        (arch.pmd_present, row.pmd_present),
        (arch.pmd_leaf, row.pmd_leaf),
        (arch.pmd_trans_huge, row.pmd_trans_huge),
        (arch.pmd_bad, row.pmd_bad),
    ):
        wrong = [f"{v:#x}" for v in PREDICATE_WORDS if predicate(v) is not bool(formula(v))]
        assert not wrong, predicate.__name__
