"""The tables of the encoding notes, row by row: type numbers, bits, geometry, predicates, edge cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import pytest

import pmdswp
from pmdswp import Arch, SoftLeaf, SoftLeafType, State

M64 = (1 << 64) - 1
KiB = 1 << 10
MiB = 1 << 20

KERNELS = ("6.12", "7.3", "pmd-swap-v3")
OLD = ("6.12",)
NEW = ("7.3", "pmd-swap-v3")

y, n = True, False
_ = None


def arches(name: str, kernels: tuple[str, ...] = KERNELS, **options: Any) -> list[Arch]:
    return [pmdswp.get(name, kernel=kernel, **options) for kernel in kernels]


def named(arch: Arch) -> str:
    return f"{arch.name}-{arch.kernel}"


# ---- Type numbers -----------------------------------------------------------------------------


class TypeNumbers(NamedTuple):
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

    @property
    def numbers(self) -> dict[SoftLeafType, int | range]:
        named_numbers: dict[SoftLeafType, int | range | None] = {
            SoftLeafType.HWPOISON: self.hwpoison,
            SoftLeafType.MIGRATION_READ: self.migration_read,
            SoftLeafType.MIGRATION_READ_EXCLUSIVE: self.migration_read_exclusive,
            SoftLeafType.MIGRATION_WRITE: self.migration_write,
            SoftLeafType.DEVICE_PRIVATE_WRITE: self.device_private_write,
            SoftLeafType.DEVICE_PRIVATE_READ: self.device_private_read,
            SoftLeafType.DEVICE_EXCLUSIVE: self.device_exclusive,
            SoftLeafType.MARKER: self.marker,
        }
        return {kind: number for kind, number in named_numbers.items() if number is not None}

    @property
    def possible(self) -> Iterator[Arch]:
        """The architectures and kernels that can be configured like this row."""
        for name in pmdswp.names():
            for kernel in self.kernels:
                if self.memory_failure and name in ("riscv64", "s390x", "loongarch64"):
                    continue
                if self.device_private and (name, kernel) == ("s390x", "6.12"):
                    continue
                yield pmdswp.get(
                    name,
                    kernel=kernel,
                    device_private=self.device_private,
                    migration=self.migration,
                    memory_failure=self.memory_failure,
                    # THP selects COMPACTION, which selects MIGRATION.
                    thp=self.migration,
                )


W29_R30 = range(29, 31)

# fmt: off
TYPE_NUMBERS = [
    #           DEV_     MIGRA- MEMORY_  MAX_       HW-     MIG_  MIG_R MIG_   DEV_   DEV_  DEV_     MARKER
    #           PRIVATE  TION   FAILURE  SWAPFILES  POISON  READ  _EXCL WRITE  WRITE  READ  EXCL
    TypeNumbers(OLD,     y, y, y,        23,        23,     24,   25,   26,    27,    28,   W29_R30, 31),
    TypeNumbers(OLD,     y, y, n,        24,        _,      24,   25,   26,    27,    28,   W29_R30, 31),
    TypeNumbers(OLD,     y, n, y,        26,        26,     _,    _,    _,     27,    28,   W29_R30, 31),
    TypeNumbers(OLD,     y, n, n,        27,        _,      _,    _,    _,     27,    28,   W29_R30, 31),
    TypeNumbers(NEW,     y, y, y,        24,        24,     25,   26,   27,    28,    29,   30,      31),
    TypeNumbers(NEW,     y, y, n,        25,        _,      25,   26,   27,    28,    29,   30,      31),
    TypeNumbers(NEW,     y, n, y,        27,        27,     _,    _,    _,     28,    29,   30,      31),
    TypeNumbers(NEW,     y, n, n,        28,        _,      _,    _,    _,     28,    29,   30,      31),
    TypeNumbers(KERNELS, n, y, y,        27,        27,     28,   29,   30,    _,     _,    _,       31),
    TypeNumbers(KERNELS, n, y, n,        28,        _,      28,   29,   30,    _,     _,    _,       31),
    TypeNumbers(KERNELS, n, n, y,        30,        30,     _,    _,    _,     _,     _,    _,       31),
    TypeNumbers(KERNELS, n, n, n,        31,        _,      _,    _,    _,     _,     _,    _,       31),
]
# fmt: on


@pytest.mark.parametrize(
    ("arch", "row"),
    [
        pytest.param(arch, row, id=f"row{index}-{named(arch)}")
        for index, row in enumerate(TYPE_NUMBERS, start=1)
        for arch in row.possible
    ],
)
def test_special_types_have_the_numbers_of_their_row(arch: Arch, row: TypeNumbers) -> None:
    assert arch.max_swapfiles == row.max_swapfiles
    assert dict(arch.swp_types) == row.numbers
    kinds = [SoftLeafType.SWAP] * row.max_swapfiles + [SoftLeafType.NONE] * (32 - row.max_swapfiles)
    for kind, number in row.numbers.items():
        for one in number if isinstance(number, range) else (number,):
            kinds[one] = kind
    assert SoftLeafType.NONE not in kinds
    assert [arch.softleaf_type(SoftLeaf(number, 1)) for number in range(32)] == kinds


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


def test_softleaf_types_carry_the_numbers_of_the_kernels_enum() -> None:
    numbers = {kind.name: kind.value for kind in SoftLeafType if kind is not SoftLeafType.UNKNOWN}
    assert numbers == SOFTLEAF_ENUM


@pytest.mark.parametrize("name", pmdswp.names())
def test_type_numbers_above_31_are_of_unknown_kind(name: str) -> None:
    assert pmdswp.get(name).softleaf_type(SoftLeaf(32, 1)) is SoftLeafType.UNKNOWN


@pytest.mark.parametrize(
    ("val", "leaf"),
    [
        (0, SoftLeaf(0, 0)),
        (1, SoftLeaf(0, 1)),
        (1 << 58, SoftLeaf(1, 0)),
        ((1 << 58) - 1, SoftLeaf(0, (1 << 58) - 1)),
        ((1 << 63) - 1, SoftLeaf(31, (1 << 58) - 1)),
    ],
)
def test_generic_value_has_its_type_from_bit_58_up(val: int, leaf: SoftLeaf) -> None:
    assert leaf.val == val
    assert SoftLeaf.from_val(val) == leaf
    assert leaf.is_none is (val == 0)


# ---- What a kernel of the architecture can be configured to have -------------------------------


class Configurable(NamedTuple):
    arch: str
    kernels: tuple[str, ...]
    options: dict[str, Any]
    soft_dirty: bool
    uffd: bool
    device_private: bool
    memory_failure: bool
    pmd_softleaf: bool

    @property
    def switches(self) -> dict[str, bool]:
        return {
            "soft_dirty": self.soft_dirty,
            "uffd": self.uffd,
            "device_private": self.device_private,
            "memory_failure": self.memory_failure,
        }


SVRSW = {"svrsw60t59b": True}

# fmt: off
CONFIGURABLE = [
    #                                              SOFT_  UFFD  DEVICE_  MEMORY_  PMD
    #                                              DIRTY        PRIVATE  FAILURE  softleaf
    Configurable("x86_64",      KERNELS, {},       y,     y,    y,       y,       y),
    Configurable("arm64",       KERNELS, {},       n,     y,    y,       y,       y),
    Configurable("riscv64",     KERNELS, {},       n,     n,    y,       n,       y),
    Configurable("riscv64",     NEW,     SVRSW,    y,     y,    y,       n,       y),
    Configurable("s390x",       OLD,     {},       y,     n,    n,       n,       n),
    Configurable("s390x",       NEW,     {},       y,     n,    y,       n,       y),
    Configurable("ppc64",       KERNELS, {},       y,     n,    y,       y,       y),
    Configurable("loongarch64", KERNELS, {},       n,     n,    y,       n,       y),
]
# fmt: on


@pytest.mark.parametrize(
    ("row", "kernel"),
    [
        pytest.param(row, kernel, id="-".join([row.arch, kernel, *row.options]))
        for row in CONFIGURABLE
        for kernel in row.kernels
    ],
)
def test_defaults_are_all_that_the_kernel_can_have(row: Configurable, kernel: str) -> None:
    arch = pmdswp.get(row.arch, kernel=kernel, **row.options)
    assert ("soft_dirty" in arch.pte_layout.flags) is row.soft_dirty
    assert ("uffd" in arch.pte_layout.flags) is row.uffd
    assert (SoftLeafType.DEVICE_PRIVATE_READ in arch.swp_types) is row.device_private
    assert (SoftLeafType.HWPOISON in arch.swp_types) is row.memory_failure
    assert arch.has_pmd_softleaf is row.pmd_softleaf
    assert arch.has_pmd_swap is (kernel == "pmd-swap-v3")
    for option, possible in row.switches.items():
        if possible:
            assert pmdswp.get(row.arch, kernel=kernel, **row.options, **{option: True}) == arch
        else:
            with pytest.raises(pmdswp.UnsupportedError, match=option):
                pmdswp.get(row.arch, kernel=kernel, **row.options, **{option: True})


def test_svrsw60t59b_is_unknown_to_6_12() -> None:
    with pytest.raises(pmdswp.UnsupportedError):
        pmdswp.get("riscv64", kernel="6.12", svrsw60t59b=True)


@pytest.mark.parametrize("name", pmdswp.names())
def test_no_pmd_softleaf_without_thp(name: str) -> None:
    for arch in arches(name, thp=False):
        assert not arch.has_pmd_softleaf
        assert arch.pmd_layout is None
        with pytest.raises(pmdswp.UnsupportedError):
            arch.softleaf_to_pmd(SoftLeaf(1, 0x200))


# ---- Where the bits are -------------------------------------------------------------------------


class Bits(NamedTuple):
    arch: str
    kernels: tuple[str, ...]
    options: dict[str, Any]
    level: str
    type: tuple[int, int]
    offset: tuple[int, int]
    exclusive: int | None
    soft_dirty: int | None
    uffd: int | None
    always: int
    """Bits that every encoded entry has."""

    @property
    def flags(self) -> dict[str, int]:
        bits = {"exclusive": self.exclusive, "soft_dirty": self.soft_dirty, "uffd": self.uffd}
        return {flag: 1 << bit for flag, bit in bits.items() if bit is not None}


P4K, P64K = {"page_size": 4 * KiB}, {"page_size": 64 * KiB}
V3 = ("pmd-swap-v3",)
SEG_73 = ("7.3",)
PRE = ("6.12", "7.3")

# fmt: off
BITS = [
    #                                     level  type      offset    excl  s-dirty uffd  always set
    Bits("x86_64",      KERNELS, {},      "pte", (59, 63), (9, 58),  3,    1,      2,    0),
    Bits("x86_64",      PRE,     {},      "pmd", (59, 63), (9, 58),  _,    1,      2,    0),
    Bits("x86_64",      V3,      {},      "pmd", (59, 63), (9, 58),  3,    1,      2,    0),
    Bits("arm64",       KERNELS, {},      "pte", (6, 10),  (12, 61), 2,    _,      3,    0),
    Bits("arm64",       PRE,     {},      "pmd", (6, 10),  (12, 61), _,    _,      3,    0),
    Bits("arm64",       V3,      {},      "pmd", (6, 10),  (12, 61), 2,    _,      3,    0),
    Bits("riscv64",     KERNELS, {},      "pte", (7, 11),  (12, 63), 6,    _,      _,    0),
    Bits("riscv64",     PRE,     {},      "pmd", (7, 11),  (12, 63), _,    _,      _,    0),
    Bits("riscv64",     V3,      {},      "pmd", (7, 11),  (12, 63), 6,    _,      _,    0),
    Bits("riscv64",     NEW,     SVRSW,   "pte", (7, 11),  (12, 63), 6,    3,      4,    0),
    Bits("riscv64",     SEG_73,  SVRSW,   "pmd", (7, 11),  (12, 63), _,    3,      4,    0),
    Bits("riscv64",     V3,      SVRSW,   "pmd", (7, 11),  (12, 63), 6,    3,      4,    0),
    Bits("s390x",       KERNELS, {},      "pte", (2, 6),   (12, 63), 11,   1,      _,    0x600),
    Bits("s390x",       SEG_73,  {},      "pmd", (6, 10),  (12, 63), _,    1,      _,    0x30),
    Bits("s390x",       V3,      {},      "pmd", (6, 10),  (12, 63), 11,   1,      _,    0x30),
    Bits("ppc64",       KERNELS, P4K,     "pte", (0, 4),   (12, 52), 5,    9,      _,    1 << 62),
    Bits("ppc64",       PRE,     P4K,     "pmd", (0, 4),   (12, 52), _,    9,      _,    1 << 62),
    Bits("ppc64",       V3,      P4K,     "pmd", (0, 4),   (12, 52), 5,    9,      _,    1 << 62),
    Bits("ppc64",       KERNELS, P64K,    "pte", (0, 4),   (16, 52), 5,    9,      _,    1 << 62),
    Bits("ppc64",       PRE,     P64K,    "pmd", (0, 4),   (16, 52), _,    9,      _,    1 << 62),
    Bits("ppc64",       V3,      P64K,    "pmd", (0, 4),   (16, 52), 5,    9,      _,    1 << 62),
    Bits("loongarch64", KERNELS, {},      "pte", (16, 20), (24, 63), 23,   _,      _,    0),
    Bits("loongarch64", PRE,     {},      "pmd", (16, 20), (24, 63), _,    _,      _,    0x40),
    Bits("loongarch64", V3,      {},      "pmd", (16, 20), (24, 63), 23,   _,      _,    0x40),
]
# fmt: on


@pytest.mark.parametrize(
    ("row", "kernel"),
    [
        pytest.param(row, kernel, id=f"{index}-{row.arch}-{row.level}-{kernel}")
        for index, row in enumerate(BITS, start=1)
        for kernel in row.kernels
    ],
)
def test_every_bit_of_type_offset_and_flags_is_where_the_table_puts_it(
    row: Bits, kernel: str
) -> None:
    arch = pmdswp.get(row.arch, kernel=kernel, **row.options)
    encode = arch.encode_pte if row.level == "pte" else arch.encode_pmd
    layout = arch.pte_layout if row.level == "pte" else arch.pmd_layout
    zero = encode(0, 0)
    inverted = row.arch == "x86_64"
    type_lsb, type_msb = row.type
    offset_lsb, offset_msb = row.offset
    offset_mask = (1 << offset_msb + 1) - (1 << offset_lsb)

    assert zero == row.always | (offset_mask if inverted else 0)
    for bit in range(type_msb - type_lsb + 1):
        assert encode(1 << bit, 0) ^ zero == 1 << type_lsb + bit
    for bit in range(offset_msb - offset_lsb + 1):
        assert encode(0, 1 << bit) ^ zero == 1 << offset_lsb + bit
    assert arch.max_swap_offset == (1 << offset_msb - offset_lsb + 1) - 1
    assert layout is not None
    assert dict(layout.flags) == row.flags
    for flag in ("exclusive", "soft_dirty", "uffd"):
        if flag in row.flags:
            assert encode(0, 0, **{flag: True}) ^ zero == row.flags[flag]
        else:
            with pytest.raises(pmdswp.EncodeError):
                encode(0, 0, **{flag: True})


WORDS = [0, M64, *(1 << bit for bit in range(64)), *(M64 ^ 1 << bit for bit in range(64))]


@pytest.mark.parametrize("arch", [arch for name in pmdswp.names() for arch in arches(name)])
def test_flag_helpers_touch_nothing_but_their_bit(arch: Arch) -> None:
    bits = {
        row.level: row.flags
        for row in BITS
        if (row.arch, row.options.get("page_size", arch.page_size)) == (arch.name, arch.page_size)
        and arch.kernel in row.kernels
        and row.options.get("svrsw60t59b") is None
    }
    pte = bits["pte"]
    for word in WORDS:
        for flag, test, make, clear in (
            (
                "exclusive",
                arch.pte_swp_exclusive,
                arch.pte_swp_mkexclusive,
                arch.pte_swp_clear_exclusive,
            ),
            (
                "soft_dirty",
                arch.pte_swp_soft_dirty,
                arch.pte_swp_mksoft_dirty,
                arch.pte_swp_clear_soft_dirty,
            ),
            ("uffd", arch.pte_swp_uffd, arch.pte_swp_mkuffd, arch.pte_swp_clear_uffd),
        ):
            mask = pte.get(flag, 0)
            assert make(word) == word | mask
            assert clear(word) == word & ~mask
            assert test(word) is bool(word & mask)
        assert arch.pte_swp_clear_flags(word) == word & ~sum(pte.values())


# ---- Geometry -------------------------------------------------------------------------------------


class Geometry(NamedTuple):
    arch: str
    options: dict[str, Any]
    page_shift: int
    pmd_shift: int
    hpage_pmd_order: int
    hpage_pmd_nr: int
    pmd_size: int
    entry_size: int
    byteorder: str


P16K = {"page_size": 16 * KiB}
HASH_4K, HASH_64K = P4K | {"mmu": "hash"}, P64K | {"mmu": "hash"}

# fmt: off
GEOMETRY = [
    #                                  PAGE_  PMD_   HPAGE_PMD_   PMD        entry  memory
    #                                  SHIFT  SHIFT  ORDER  NR    size       bytes  order
    Geometry("x86_64",      {},        12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("arm64",       P4K,       12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("arm64",       P16K,      14,    25,    11,    2048, 32 * MiB,  8,     "little"),
    Geometry("arm64",       P64K,      16,    29,    13,    8192, 512 * MiB, 8,     "little"),
    Geometry("riscv64",     {},        12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("s390x",       {},        12,    20,    8,     256,  1 * MiB,   8,     "big"),
    Geometry("ppc64",       P4K,       12,    21,    9,     512,  2 * MiB,   8,     "big"),
    Geometry("ppc64",       P64K,      16,    21,    5,     32,   2 * MiB,   8,     "big"),
    Geometry("ppc64",       HASH_64K,  16,    24,    8,     256,  16 * MiB,  8,     "big"),
    Geometry("ppc64",       HASH_4K,   12,    21,    9,     512,  2 * MiB,   8,     "big"),
    Geometry("loongarch64", P4K,       12,    21,    9,     512,  2 * MiB,   8,     "little"),
    Geometry("loongarch64", P16K,      14,    25,    11,    2048, 32 * MiB,  8,     "little"),
    Geometry("loongarch64", P64K,      16,    29,    13,    8192, 512 * MiB, 8,     "little"),
]
# fmt: on


@pytest.mark.parametrize("row", GEOMETRY)
@pytest.mark.parametrize("thp", [True, False])
def test_geometry_is_that_of_the_table(row: Geometry, thp: bool) -> None:
    for arch in arches(row.arch, **row.options, thp=thp):
        assert row[2:] == (
            arch.page_shift,
            arch.pmd_shift,
            arch.hpage_pmd_order,
            arch.hpage_pmd_nr,
            arch.pmd_size,
            arch.entry_size,
            arch.byteorder,
        )
        assert arch.page_size == 1 << arch.page_shift


# ---- PFNs and the young and dirty bits of migration entries -----------------------------------------


class PfnBits(NamedTuple):
    arch: str
    options: dict[str, Any]
    max_physmem_bits: int | None
    swp_pfn_bits: int
    migration_ad: bool
    entry_young: int | None
    """Number of the young bit in the PTE; dirty is the next one. None without A/D bits."""


LA57 = {"la57": True}
PA52_4K, PA52_16K, PA52_64K = ({**pages, "pa_bits": 52} for pages in (P4K, P16K, P64K))
FLATMEM = {"max_physmem_bits": None}
PHYS46 = {"max_physmem_bits": 46}

# fmt: off
PFN_BITS = [
    #                                            MAX_PHYSMEM  SWP_PFN  A/D  young bit
    #                                            _BITS        _BITS         of the PTE
    PfnBits("x86_64",      {},                   46,          34,      y,   43),
    PfnBits("x86_64",      LA57,                 52,          40,      y,   49),
    PfnBits("arm64",       P4K,                  48,          36,      y,   48),
    PfnBits("arm64",       PA52_4K,              52,          40,      y,   52),
    PfnBits("arm64",       P16K,                 48,          34,      y,   46),
    PfnBits("arm64",       PA52_16K,             52,          38,      y,   50),
    PfnBits("arm64",       P64K,                 48,          32,      y,   44),
    PfnBits("arm64",       PA52_64K,             52,          36,      y,   48),
    PfnBits("riscv64",     {},                   56,          44,      y,   56),
    PfnBits("riscv64",     FLATMEM,              _,           52,      n,   _),
    PfnBits("s390x",       {},                   46,          34,      y,   46),
    PfnBits("s390x",       {"max_physmem_bits": 42}, 42,      30,      y,   42),
    PfnBits("s390x",       {"max_physmem_bits": 53}, 53,      41,      y,   53),
    PfnBits("ppc64",       P4K,                  51,          39,      y,   51),
    PfnBits("ppc64",       P64K,                 51,          35,      y,   51),
    PfnBits("ppc64",       HASH_64K,             51,          35,      y,   51),
    PfnBits("ppc64",       P4K | PHYS46,         46,          34,      y,   46),
    PfnBits("ppc64",       P64K | PHYS46,        46,          30,      y,   46),
    PfnBits("loongarch64", P4K,                  48,          36,      y,   60),
    PfnBits("loongarch64", P16K,                 48,          34,      y,   58),
    PfnBits("loongarch64", P64K,                 48,          32,      y,   56),
    PfnBits("loongarch64", P4K | FLATMEM,        _,           52,      n,   _),
    PfnBits("loongarch64", P16K | FLATMEM,       _,           50,      n,   _),
    PfnBits("loongarch64", P64K | FLATMEM,       _,           48,      n,   _),
]
# fmt: on


@pytest.mark.parametrize("row", PFN_BITS)
def test_young_and_dirty_stand_above_the_pfn(row: PfnBits) -> None:
    for arch in arches(row.arch, **row.options):
        assert arch.max_physmem_bits == row.max_physmem_bits
        assert arch.swp_pfn_bits == row.swp_pfn_bits
        assert arch.migration_ad is row.migration_ad
        number = arch.swp_types[SoftLeafType.MIGRATION_WRITE]
        assert isinstance(number, int)
        pfn = (1 << row.swp_pfn_bits) - 1
        young, dirty = 1 << row.swp_pfn_bits, 2 << row.swp_pfn_bits
        for offset in (pfn, pfn | young, pfn | dirty, pfn | young | dirty):
            leaf = SoftLeaf(number, offset)
            assert arch.softleaf_pfn(leaf) == pfn
            assert arch.softleaf_young(leaf) is (row.migration_ad and bool(offset & young))
            assert arch.softleaf_dirty(leaf) is (row.migration_ad and bool(offset & dirty))


@pytest.mark.parametrize("row", [row for row in PFN_BITS if row.entry_young is not None])
def test_young_and_dirty_are_the_named_bits_of_the_entry(row: PfnBits) -> None:
    assert row.entry_young is not None
    young, dirty = 1 << row.swp_pfn_bits, 2 << row.swp_pfn_bits
    for arch in arches(row.arch, **row.options):
        number = arch.swp_types[SoftLeafType.MIGRATION_WRITE]
        assert isinstance(number, int)
        old = arch.encode_pte(number, 0)
        assert arch.encode_pte(number, young) ^ old == 1 << row.entry_young
        assert arch.encode_pte(number, dirty) ^ old == 2 << row.entry_young


@pytest.mark.parametrize("bits", range(42, 54))
def test_every_physmem_size_of_s390_leaves_room_for_young_and_dirty(bits: int) -> None:
    for arch in arches("s390x", max_physmem_bits=bits):
        assert arch.swp_pfn_bits == bits - 12
        assert arch.migration_ad


# ---- Limits -----------------------------------------------------------------------------------------

# fmt: off
LIMITS = [
    # arch           options   offsets
    ("x86_64",       {},       2**50),
    ("arm64",        P4K,      2**50),
    ("arm64",        P16K,     2**50),
    ("arm64",        P64K,     2**50),
    ("riscv64",      {},       2**52),
    ("s390x",        {},       2**52),
    ("ppc64",        P4K,      2**41),
    ("ppc64",        P64K,     2**37),
    ("ppc64",        HASH_4K,  2**41),
    ("ppc64",        HASH_64K, 2**37),
    ("loongarch64",  P4K,      2**40),
    ("loongarch64",  P16K,     2**40),
    ("loongarch64",  P64K,     2**40),
]
# fmt: on


@pytest.mark.parametrize(("name", "options", "offsets"), LIMITS)
def test_the_largest_type_and_offset_are_stored_and_the_next_refused(
    name: str, options: dict[str, Any], offsets: int
) -> None:
    for arch in arches(name, **options):
        assert arch.max_swap_offset == offsets - 1
        largest = SoftLeaf(31, offsets - 1)
        assert arch.softleaf_from_pte(arch.encode_pte(*largest)) == largest
        with pytest.raises(pmdswp.EncodeError):
            arch.encode_pte(0, offsets)
        with pytest.raises(pmdswp.EncodeError):
            arch.encode_pte(32, 0)


# What the kernel's macros make of a type or an offset one too large.
# fmt: off
OVERSIZED = [
    #  arch           options  type  offset    word                   why
    ("x86_64",        {},      32,   0,        0x07ff_ffff_ffff_fe00, "type shifted out"),
    ("x86_64",        {},      0,    2**50,    0x07ff_ffff_ffff_fe00, "offset masked"),
    ("arm64",         {},      32,   1,        0x0000_0000_0000_1800, "type sets bit 11"),
    ("arm64",         {},      0,    2**50,    0x4000_0000_0000_0000, "offset sets bit 62"),
    ("arm64",         {},      0,    2**51,    0x8000_0000_0000_0000, "offset sets bit 63"),
    ("arm64",         {},      0,    2**52,    0x0000_0000_0000_0000, "offset shifted out"),
    ("riscv64",       {},      32,   1,        0x0000_0000_0000_1000, "type masked"),
    ("riscv64",       {},      0,    2**52,    0x0000_0000_0000_0000, "offset shifted out"),
    ("s390x",         {},      32,   1,        0x0000_0000_0000_1600, "type masked"),
    ("s390x",         {},      0,    2**52,    0x0000_0000_0000_0600, "offset masked"),
    ("ppc64",         P4K,     32,   1,        0x4000_0000_0000_1020, "type sets exclusive"),
    ("ppc64",         P4K,     0,    2**41,    0x4000_0000_0000_0000, "offset masked"),
    ("ppc64",         P64K,    0,    2**37,    0x4000_0000_0000_0000, "offset masked"),
    ("loongarch64",   {},      32,   1,        0x0000_0000_0120_0000, "7 bits of type"),
    ("loongarch64",   {},      0,    2**40,    0x0000_0000_0000_0000, "offset shifted out"),
]
# fmt: on


@pytest.mark.parametrize(("name", "options", "swp_type", "offset", "word", "why"), OVERSIZED)
def test_oversized_leaf_is_refused_or_truncated_as_the_kernel_does(
    name: str, options: dict[str, Any], swp_type: int, offset: int, word: int, why: str
) -> None:
    for arch in arches(name, **options):
        leaf = SoftLeaf(swp_type, offset)
        with pytest.raises(pmdswp.EncodeError):
            arch.softleaf_to_pte(leaf)
        assert arch.softleaf_to_pte(leaf, truncate=True) == word, why


# ---- PTE markers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pmdswp.names())
@pytest.mark.parametrize(("kernels", "mask"), [(OLD, 0x3), (NEW, 0x7)])
def test_marker_mask_is_uffd_wp_and_poisoned_then_guard_as_well(
    name: str, kernels: tuple[str, ...], mask: int
) -> None:
    for arch in arches(name, kernels):
        assert arch.softleaf_markers(SoftLeaf(31, 0xF)) == mask
        for bit in (0x1, 0x2, 0x4):
            assert arch.softleaf_markers(SoftLeaf(31, bit)) == bit & mask
            assert arch.pte_is_marker(arch.encode_pte(31, bit))


# ---- What may stand in a PMD ----------------------------------------------------------------------------

MIGRATION = {
    SoftLeafType.MIGRATION_READ,
    SoftLeafType.MIGRATION_READ_EXCLUSIVE,
    SoftLeafType.MIGRATION_WRITE,
}
DEVICE_PRIVATE = {SoftLeafType.DEVICE_PRIVATE_READ, SoftLeafType.DEVICE_PRIVATE_WRITE}
VALID_PMD_KINDS = {
    "6.12": MIGRATION,
    "7.3": MIGRATION | DEVICE_PRIVATE,
    "pmd-swap-v3": MIGRATION | DEVICE_PRIVATE | {SoftLeafType.SWAP},
}


@pytest.mark.parametrize(
    "arch",
    [arch for name in pmdswp.names() for arch in arches(name) if arch.has_pmd_softleaf],
)
def test_markers_hwpoison_and_device_exclusive_are_never_valid_pmds(arch: Arch) -> None:
    for number in range(32):
        leaf = SoftLeaf(number, 0x2000)
        kind = arch.softleaf_type(leaf)
        valid = arch.pmd_is_valid_softleaf(arch.softleaf_to_pmd(leaf))
        assert valid is (kind in VALID_PMD_KINDS[arch.kernel]), kind


# ---- Predicates -----------------------------------------------------------------------------------------

Formula = Callable[[int], bool]

TABLE = 0x9000_0000_01A5_4000
"""An `invalid_pte_table` address, aligned for 4K and 16K pages."""


class Predicates(NamedTuple):
    arch: str
    kernels: tuple[str, ...]
    options: dict[str, Any]
    pte_none: Formula
    pte_present: Formula
    pmd_none: Formula
    pmd_present: Formula
    pmd_leaf: Formula
    pmd_trans_huge: Formula
    pmd_bad: Formula


def ppc_pte_present(v: int) -> bool:
    return bool(v >> 62 & 1) and bool(v >> 63 & 1 or v >> 61 & 1)


def ppc_pmd_present(v: int) -> bool:
    return bool(v >> 63 & 1 or v >> 61 & 1)


def loongarch_pmd_present(v: int) -> bool:
    return bool(v & (1 << 60 | 0x480)) if v & 0x40 else v != TABLE


def ppc(
    kernels: tuple[str, ...], options: dict[str, Any], pte_ignored: int, huge: int, bad: int
) -> Predicates:
    """Radix and hash differ in the bits `pte_none` ignores, those `pmd_trans_huge` wants and in `pmd_bad`."""
    devmap = 0x800 if kernels == OLD else 0
    return Predicates(
        "ppc64",
        kernels,
        options,
        pte_none=lambda v: v & ~pte_ignored == 0,
        pte_present=ppc_pte_present,
        pmd_none=lambda v: v == 0,
        pmd_present=ppc_pmd_present,
        pmd_leaf=lambda v: bool(v & 1 << 62),
        pmd_trans_huge=lambda v: bool(huge) and ppc_pmd_present(v) and v & (huge | devmap) == huge,
        pmd_bad=lambda v: bool(v & bad),
    )


def loongarch(page_size: int) -> Predicates:
    return Predicates(
        "loongarch64",
        KERNELS,
        {"page_size": page_size, "invalid_pte_table": TABLE},
        pte_none=lambda v: v & ~0x40 == 0,
        pte_present=lambda v: bool(v & 0x480),
        pmd_none=lambda v: v == TABLE,
        pmd_present=loongarch_pmd_present,
        pmd_leaf=lambda v: bool(v & 0x40),
        pmd_trans_huge=lambda v: bool(v & 0x40) and loongarch_pmd_present(v),
        pmd_bad=lambda v: bool(v & page_size - 1),
    )


def x86(kernels: tuple[str, ...], pmd_trans_huge: Formula) -> Predicates:
    return Predicates(
        "x86_64",
        kernels,
        {},
        # KNL erratum: hardware may set A and D in an empty entry.
        pte_none=lambda v: v & ~0x60 == 0,
        pte_present=lambda v: bool(v & 0x101),
        pmd_none=lambda v: v & ~0x60 == 0,
        pmd_present=lambda v: bool(v & 0x181),
        pmd_leaf=lambda v: bool(v & 0x80),
        pmd_trans_huge=pmd_trans_huge,
        pmd_bad=lambda v: v & 0xFFF0_0000_0000_0FFF & ~0x24 != 0x43,
    )


def riscv(present: int, huge: Callable[[int], bool], **options: Any) -> Predicates:
    return Predicates(
        "riscv64",
        NEW if "svrsw60t59b" in options else KERNELS,
        options,
        pte_none=lambda v: v == 0,
        pte_present=lambda v: bool(v & 0x21),
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: bool(v & present),
        pmd_leaf=lambda v: bool(v & present) and bool(v & 0xE),
        pmd_trans_huge=huge,
        pmd_bad=lambda v: not v & present or bool(v & 0xE),
    )


RADIX_LEAF = 1 << 62
HASH_64K_LEAF = 1 << 62 | 0x2000

PREDICATES = [
    x86(OLD, pmd_trans_huge=lambda v: v & (1 << 57 | 0x80) == 0x80),
    x86(NEW, pmd_trans_huge=lambda v: bool(v & 0x80)),
    Predicates(
        "arm64",
        KERNELS,
        {},
        pte_none=lambda v: v == 0,
        # PTE_VALID, or else PTE_PRESENT_INVALID
        pte_present=lambda v: bool(v & 0x801),
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: bool(v & 0x801),
        pmd_leaf=lambda v: bool(v & 0x801) and v & 3 != 3,
        pmd_trans_huge=lambda v: bool(v & 0x801) and not v & 2,
        pmd_bad=lambda v: v & 3 != 3,
    ),
    riscv(0x2F, huge=lambda v: bool(v & 0xE)),
    riscv(0x2F, huge=lambda v: bool(v & 0xE), svrsw60t59b=True),
    riscv(0x21, huge=lambda v: False, thp=False),
    Predicates(
        "s390x",
        OLD,
        {},
        pte_none=lambda v: v == 0x400,
        pte_present=lambda v: bool(v & 1),
        pmd_none=lambda v: v == 0x20,
        pmd_present=lambda v: v != 0x20,
        pmd_leaf=lambda v: bool(v & 0x400),
        pmd_trans_huge=lambda v: bool(v & 0x400),
        pmd_bad=lambda v: bool(v & (0xC | 0x400 | 0x1C0)),
    ),
    Predicates(
        "s390x",
        NEW,
        {},
        pte_none=lambda v: v == 0x400,
        pte_present=lambda v: bool(v & 1),
        pmd_none=lambda v: v == 0x20,
        pmd_present=lambda v: bool(v & 1),
        pmd_leaf=lambda v: v & 0x401 == 0x401,
        pmd_trans_huge=lambda v: v & 0x401 == 0x401,
        pmd_bad=lambda v: bool(v & (0xC | 0x1C0)) or v & 0x401 == 0x401,
    ),
    *(
        predicates
        for kernels in (OLD, NEW)
        for predicates in (
            ppc(kernels, P4K, 0x180, RADIX_LEAF, 0x6000_0000_0000_00E0),
            ppc(kernels, P64K, 0x180, RADIX_LEAF, 0x6000_0000_0000_00E0),
            ppc(kernels, HASH_64K, 0x0080_0000_0000_1040, HASH_64K_LEAF, 0xFFF),
            ppc(kernels, HASH_4K, 0x11E0_0000_0000_0040, 0, 0xFFF),
        )
    ),
    loongarch(4 * KiB),
    loongarch(16 * KiB),
]

PREDICATE_WORDS = [
    *WORDS,
    *(1 << low | 1 << high for low, high in combinations(range(64), 2)),
    # With the present and leaf bits of ppc64, each further bit; and of x86_64 a table entry.
    *(1 << 63 | 1 << 62 | 0x2000 | 1 << bit for bit in range(64)),
    *(0x43 ^ 1 << bit for bit in range(64)),
    *(TABLE ^ 1 << bit for bit in range(64)),
    TABLE,
    0x43,
    0x60,
    0x61,
]


@pytest.mark.parametrize(
    ("row", "kernel"),
    [
        pytest.param(row, kernel, id=f"{index}-{row.arch}-{kernel}")
        for index, row in enumerate(PREDICATES, start=1)
        for kernel in row.kernels
    ],
)
def test_predicates_are_those_of_the_table(row: Predicates, kernel: str) -> None:
    arch = pmdswp.get(row.arch, kernel=kernel, **row.options)
    for predicate, expected in (
        (arch.pte_none, row.pte_none),
        (arch.pte_present, row.pte_present),
        (arch.pmd_none, row.pmd_none),
        (arch.pmd_present, row.pmd_present),
        (arch.pmd_leaf, row.pmd_leaf),
        (arch.pmd_trans_huge, row.pmd_trans_huge),
        (arch.pmd_bad, row.pmd_bad),
    ):
        wrong = [hex(word) for word in PREDICATE_WORDS if predicate(word) is not expected(word)]
        assert not wrong, predicate.__name__
