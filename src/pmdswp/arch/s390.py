"""s390x: arch/s390/include/asm/pgtable.h. Big-endian; the manuals number bits from the other end (MSB0).

A PMD is a segment-table entry. A swap PMD has the region/segment-table-entry form (RSTE), which puts the type at other
bits than a PTE does. The kernel's `swp_entry_t` always has the PTE form. The RSTE form came with 6.13 for hugetlb; THPs
use it since 6.17, and there is no PMD softleaf before. Before 6.13 a PMD has no present bit, and everything but the
empty entry is present.

The kernel calls the region-third, region-second and region-first table the PUD, P4D and PGD. Which of them is the root,
the ASCE says, at run time: `table_level`. The helpers of an upper level look at the table type in the entry itself: one
of a lower table is "folded" to them, present and a table. What the hardware may do with a page, bits I and P say; what
the process may do and did, bits of software.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pmdswp.arch.facts import (
    Architecture,
    Attribute,
    Facts,
    LevelFacts,
    Machine,
    Predicate,
    PresentFacts,
    UpperFacts,
    any_bit,
    never,
    no_bit,
)
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.errors import DecodeError
from pmdswp.formula import MASK64, Formula, moved, where
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, check_word, fixed, flag, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    PMD_SWAP,
    S390_EXCLUSIVE,
    S390_PMD_BAD,
    S390_PMD_PRESENT_BIT,
    S390_PMD_SOFTLEAF,
    S390_PUD_SOFT_BITS,
    S390_RSTE_SWAP,
    S390_SOFT_BITS,
)
from pmdswp.softleaf import LevelName

__all__ = ["ASCE", "S390X", "table_level"]

PRESENT, SOFT_DIRTY = 0, 1
PTE_PROTECT, PTE_INVALID = 9, 10
RSTE_COMM, RSTE_INVALID, SEGMENT_LARGE = 4, 5, 10
EXCLUSIVE = 11
SPECIAL, UNUSED, NOEXEC, PROTECT = 6, 7, 8, 9
TABLE_TYPE_BIT = 2
TABLE_TYPE = bits(2, 3)
TABLE_TYPES: tuple[LevelName, ...] = ("pmd", "pud", "p4d", "pgd")
WHOLE_TABLE = 3
PAGE_SHIFT = 12
PAGE_SHIFTS: Mapping[LevelName, int] = {"pmd": 20, "pud": 31}
SEGMENT_ORIGIN, REGION_ORIGIN = 11, 12
REGION_UNKNOWN_BITS = bits(4, 6, 7, 8, 10, 11)
SEGMENT_UNKNOWN_BITS = bits(6, 7, 8)
LARGE_UNKNOWN_BITS = bits(2, 3, 6, 7, 16, 17, 18, 19)
"""Of a large segment-table entry, before 5.7."""


def _pte_layout(config: Config) -> Layout:
    return Layout(
        (
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            flag("soft_dirty", SOFT_DIRTY, "_PAGE_SOFT_DIRTY", "soft-dirty", configured=config.soft_dirty),
            value("type", 2, 5, "__SWP_TYPE_SHIFT", "swap type"),
            zero(7, 2),
            fixed("protect", PTE_PROTECT, 1, "_PAGE_PROTECT", "marks a swap entry"),
            fixed("invalid", PTE_INVALID, 1, "_PAGE_INVALID", "the hardware must fault"),
            flag(
                "exclusive",
                EXCLUSIVE,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_LARGE)",
                configured=config.has_exclusive("pte"),
                since=S390_EXCLUSIVE,
            ),
            value("offset", 12, 52, "__SWP_OFFSET_SHIFT", "swap offset"),
        )
    )


def _pmd_layout(config: Config) -> Layout:
    return Layout(
        (
            fixed("present", PRESENT, 0, "_SEGMENT_ENTRY_PRESENT", "not present", since=S390_PMD_PRESENT_BIT),
            flag(
                "soft_dirty",
                SOFT_DIRTY,
                "_SEGMENT_ENTRY_SOFT_DIRTY",
                "soft-dirty",
                configured=config.soft_dirty,
                since=S390_SOFT_BITS,
            ),
            fixed("tt", 2, 0, "_SEGMENT_ENTRY_TYPE_MASK", "segment table (1: region-third)", width=2),
            fixed("comm", RSTE_COMM, 1, "_RST_ENTRY_COMM", "marks a swap entry", since=S390_RSTE_SWAP),
            fixed("invalid", RSTE_INVALID, 1, "_RST_ENTRY_INVALID", "the hardware must fault"),
            value("type", 6, 5, "__SWP_TYPE_SHIFT_RSTE", "swap type", since=S390_RSTE_SWAP),
            flag(
                "exclusive",
                EXCLUSIVE,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_LARGE)",
                configured=config.has_exclusive("pmd"),
                since=PMD_SWAP,
            ),
            value("offset", 12, 52, "__SWP_OFFSET_SHIFT_RSTE", "swap offset", since=S390_RSTE_SWAP),
        )
    )


def _pmd_present(config: Config) -> Predicate:
    if config.has(S390_PMD_PRESENT_BIT):
        return lambda v: (v & bits(PRESENT)) != 0
    return lambda v: v != bits(RSTE_INVALID)


def _leaf_bits(config: Config, level: LevelName) -> tuple[int, int]:
    """By which bits pmd_leaf() and pud_leaf() know a page, and what they are there."""
    leaf = bits(SEGMENT_LARGE, PRESENT) if config.has(S390_PMD_PRESENT_BIT) else bits(SEGMENT_LARGE)
    return (leaf, leaf) if level == "pmd" else (leaf | TABLE_TYPE, leaf | _table_type(level))


def _leaf(config: Config, level: LevelName) -> Predicate:
    mask, leaf = _leaf_bits(config, level)
    return lambda v: (v & mask) == leaf


def _pmd_bad(config: Config, pmd_leaf: Predicate) -> Predicate:
    unknown = TABLE_TYPE | SEGMENT_UNKNOWN_BITS
    if config.has(S390_PMD_BAD):
        return lambda v: ((v & unknown) != 0) | pmd_leaf(v)
    return lambda v: (
        (((v & bits(SEGMENT_LARGE)) == 0) & ((v & unknown) != 0))
        | (((v & bits(SEGMENT_LARGE)) != 0) & ((v & LARGE_UNKNOWN_BITS) != 0))
    )


def _facts(config: Config) -> Facts:
    pte, pmd = _pte_layout(config), _pmd_layout(config)
    pmd_leaf = _leaf(config, "pmd")
    return Facts(
        pte=LevelFacts(
            layout=pte,
            none=lambda v: v == bits(PTE_INVALID),
            present=lambda v: (v & bits(PRESENT)) != 0,
            empty=bits(PTE_INVALID),
        ),
        pmd=LevelFacts(
            layout=pmd,
            none=lambda v: v == bits(RSTE_INVALID),
            present=_pmd_present(config),
            leaf=pmd_leaf,
            trans_huge=pmd_leaf,
            bad=_pmd_bad(config, pmd_leaf),
            to_arch=lambda v: pte.encode(pmd.type.get(v), pmd.offset.get(v)),
            from_arch=lambda e: pmd.encode(pte.type.get(e), pte.offset.get(e)),
            empty=bits(RSTE_INVALID),
        ),
        pmd_shift=20,
        ptrs_per_pmd=2048,
    )


# --- present words ------------------------------------------------------------------------------------------


class _Bits(NamedTuple):
    """Where a word that maps a page has what the PTE and the upper levels have at different bits."""

    young: int
    dirty: int
    read: int
    write: int
    soft_dirty: int
    invalid: int


PTE_BITS = _Bits(young=2, dirty=3, read=4, write=5, soft_dirty=SOFT_DIRTY, invalid=PTE_INVALID)
RSTE_BITS = _Bits(young=12, dirty=13, read=14, write=15, soft_dirty=SOFT_DIRTY, invalid=RSTE_INVALID)


def _rste_bits(config: Config, level: LevelName) -> _Bits:
    if config.has(S390_SOFT_BITS):
        return RSTE_BITS
    swapped = level == "pud" and not config.has(S390_PUD_SOFT_BITS)
    return RSTE_BITS._replace(read=int(swapped), write=int(not swapped), soft_dirty=14)


def _pte_page(config: Config) -> PresentLayout:
    return PresentLayout(
        (
            fixed("present", PRESENT, 1, "_PAGE_PRESENT", "maps a page"),
            flag("soft_dirty", PTE_BITS.soft_dirty, "_PAGE_SOFT_DIRTY", "soft-dirty", configured=config.soft_dirty),
            flag("young", PTE_BITS.young, "_PAGE_YOUNG", "was accessed"),
            flag("dirty", PTE_BITS.dirty, "_PAGE_DIRTY", "was written to"),
            flag("read", PTE_BITS.read, "_PAGE_READ", "readable; without it: PROT_NONE"),
            flag("write", PTE_BITS.write, "_PAGE_WRITE", "writable"),
            flag("special", SPECIAL, "_PAGE_SPECIAL", "no page that the mm counts"),
            flag("unused", UNUSED, "_PAGE_UNUSED", "a guest does not use the page"),
            *_hardware_page_bits("_PAGE"),
            flag("invalid", PTE_INVALID, "_PAGE_INVALID", "the hardware faults: not readable, or not young"),
            zero(11, kernel_name="_PAGE_LARGE", meaning="set in copies only, which hugetlb passes about"),
            address(PAGE_SHIFT, 52, "PAGE_MASK", "physical address"),
        )
    )


def _hardware_page_bits(prefix: str) -> tuple[Field, Field]:
    return (
        flag("noexec", NOEXEC, f"{prefix}_NOEXEC", "not to be executed"),
        flag("protect", PROTECT, f"{prefix}_PROTECT", "the hardware allows no write: not writable, or clean"),
    )


def _rste_page(config: Config, level: LevelName) -> PresentLayout:
    """The layout of a segment-table or region-third-table entry that maps a page."""
    prefix, hardware = ("_SEGMENT_ENTRY",) * 2 if level == "pmd" else ("_REGION3_ENTRY", "_REGION_ENTRY")
    at, shift = _rste_bits(config, level), PAGE_SHIFTS[level]
    arranged = S390_SOFT_BITS if config.has(S390_SOFT_BITS) else None
    swapped = S390_PUD_SOFT_BITS if level == "pud" and config.has(S390_PUD_SOFT_BITS) else None
    has_present_bit = config.has(S390_PMD_PRESENT_BIT)
    fields = (
        fixed("present", PRESENT, 1, f"{prefix}_PRESENT", "present", since=S390_PMD_PRESENT_BIT)
        if has_present_bit
        else zero(15),
        flag(
            "soft_dirty",
            at.soft_dirty,
            f"{prefix}_SOFT_DIRTY",
            "soft-dirty",
            configured=config.soft_dirty,
            since=arranged,
        ),
        flag("read", at.read, f"{prefix}_READ", "readable; without it: PROT_NONE", since=arranged or swapped),
        flag("write", at.write, f"{prefix}_WRITE", "writable", since=arranged or swapped),
        _type_field(level),
        zero(RSTE_COMM, kernel_name=f"{prefix}_COMM" if has_present_bit else ""),
        flag("invalid", at.invalid, f"{hardware}_INVALID", "the hardware faults: not readable, or not young"),
        zero(6, 2),
        *_hardware_page_bits(hardware),
        fixed("large", SEGMENT_LARGE, 1, f"{prefix}_LARGE", "maps a page"),
        zero(11),
        flag("young", at.young, f"{prefix}_YOUNG", "was accessed"),
        flag("dirty", at.dirty, f"{prefix}_DIRTY", "was written to"),
        zero(16, shift - 16),
        address(shift, 64 - shift, f"{prefix}_ORIGIN_LARGE", "physical address"),
    )
    return PresentLayout(sorted(fields, key=lambda field: field.lsb))


def _table_type(level: LevelName) -> int:
    """What the bits of the table type are in an entry of that level."""
    return TABLE_TYPES.index(level) << TABLE_TYPE_BIT


def _type_field(level: LevelName) -> Field:
    name = "_SEGMENT_ENTRY_TYPE_MASK" if level == "pmd" else "_REGION_ENTRY_TYPE_MASK"
    table = {"pmd": "segment", "pud": "region-third", "p4d": "region-second", "pgd": "region-first"}[level]
    return fixed("tt", TABLE_TYPE_BIT, TABLE_TYPES.index(level), name, f"entry of a {table} table", width=2)


def _table(config: Config, level: LevelName) -> PresentLayout:
    """The layout of an entry that points to a table."""
    prefix = "_SEGMENT_ENTRY" if level == "pmd" else "_REGION_ENTRY"
    large = "_SEGMENT_ENTRY_LARGE" if level == "pmd" else "_REGION3_ENTRY_LARGE"
    origin = SEGMENT_ORIGIN if level == "pmd" else REGION_ORIGIN
    return PresentLayout(
        (
            *_table_start(config, level),
            _type_field(level),
            zero(RSTE_COMM),
            fixed("invalid", RSTE_INVALID, 0, f"{prefix}_INVALID", "the hardware goes on to the table"),
            zero(6, 3) if level == "pmd" else zero(6, 2, kernel_name="_REGION_ENTRY_OFFSET"),
            *(() if level == "pmd" else (zero(NOEXEC, kernel_name="_REGION_ENTRY_NOEXEC"),)),
            flag("protect", PROTECT, f"{prefix}_PROTECT", "nothing below is writable"),
            fixed("large", SEGMENT_LARGE, 0, large, "points to a table") if level in PAGE_SHIFTS else zero(10),
            *(() if level == "pmd" else (zero(11),)),
            address(origin, 64 - origin, f"{prefix}_ORIGIN", "physical address of the table"),
        )
    )


def _table_start(config: Config, level: LevelName) -> tuple[Field, ...]:
    """Bits 0 and 1."""
    if level != "pmd":
        return (fixed("tl", 0, WHOLE_TABLE, "_REGION_ENTRY_LENGTH", "the table has all its entries", width=2),)
    if not config.has(S390_PMD_PRESENT_BIT):
        return (zero(0, 2),)
    name = "_SEGMENT_ENTRY_PRESENT"
    return (fixed("present", PRESENT, 1, name, "present", since=S390_PMD_PRESENT_BIT), zero(1))


def _attributes(config: Config, at: _Bits, maps_page: Predicate) -> dict[str, Attribute | None]:
    """Attributes that the hardware's bits follow: I is clear of what is readable and young, P of writable and dirty."""
    young, dirty, read, write = bits(at.young), bits(at.dirty), bits(at.read), bits(at.write)
    invalid, protect = bits(at.invalid), bits(PROTECT)
    soft_dirty = bits(at.soft_dirty) if config.soft_dirty else 0
    return {
        "write": Attribute(
            any_bit(write).test,
            lambda v: (v | write) & (moved(v, at.dirty, PROTECT) ^ MASK64),
            lambda v: (v & (MASK64 ^ write)) | protect,
        ),
        "young": Attribute(
            any_bit(young).test,
            lambda v: (v | young) & (moved(v, at.read, at.invalid) ^ MASK64),
            lambda v: (v & (MASK64 ^ young)) | invalid,
        ),
        "dirty": Attribute(
            any_bit(dirty).test,
            lambda v: (v | dirty | soft_dirty) & (moved(v, at.write, PROTECT) ^ MASK64),
            lambda v: (v & (MASK64 ^ dirty)) | protect,
            set_changes={"soft_dirty": True},
        ),
        "exec": no_bit(bits(NOEXEC)),
        "protnone": Attribute(
            lambda v: maps_page(v) & ((v & read) == 0),
            lambda v: (v & (MASK64 ^ read)) | invalid,
            lambda v: (v | read) & (moved(v, at.young, at.invalid) ^ MASK64),
        ),
    }


def _upper(config: Config) -> Mapping[LevelName, UpperFacts]:
    region3, region2, region1 = (_table_type(level) for level in TABLE_TYPES[1:])
    invalid = bits(RSTE_INVALID)

    def is_unsound(region: int) -> Predicate:
        return lambda v: ((v & TABLE_TYPE) == region) & ((v & REGION_UNKNOWN_BITS) != 0)

    def is_present(region: int) -> Predicate:
        return lambda v: ((v & TABLE_TYPE) < region) | ((v >> REGION_ORIGIN) != 0)

    return {
        "pgd": UpperFacts(
            none=lambda v: (v & (region1 | invalid)) == (region1 | invalid),
            present=is_present(region1),
            bad=is_unsound(region1),
            empty=region1 | invalid,
        ),
        "p4d": UpperFacts(
            none=lambda v: v == region2 | invalid,
            present=is_present(region2),
            bad=lambda v: ((v & TABLE_TYPE) == region1) | is_unsound(region2)(v),
            empty=region2 | invalid,
        ),
        "pud": UpperFacts(
            none=lambda v: v == region3 | invalid,
            present=(lambda v: ((v & TABLE_TYPE) < region3) | ((v & bits(PRESENT)) != 0))
            if config.has(S390_PMD_PRESENT_BIT)
            else is_present(region3),
            leaf=_leaf(config, "pud"),
            bad=lambda v: ((v & region2) != 0) | is_unsound(region3)(v),
            empty=region3 | invalid,
        ),
    }


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    upper = _upper(config)

    def at_zero(v: Formula) -> Formula:
        # the tests of the region tables' entries ask for an address, which nothing at 0 has
        return (v >> REGION_ORIGIN) == 0

    def none_with_address(v: Formula) -> Formula:
        # pgd_none() looks at no address
        return upper["pgd"].none(v) & ((v >> REGION_ORIGIN) != 0)

    def of_tables(level: LevelName) -> PresentFacts:
        return PresentFacts(
            index_bits=11,
            table=_table(config, level),
            upper=upper[level],
            exceptions={"seen": at_zero, "one_state": none_with_address if level == "pgd" else never},
            table_base=_table(config, level).fixed_value,
        )

    def of_pages(level: LevelName) -> PresentFacts:
        page, table, at = _rste_page(config, level), _table(config, level), _rste_bits(config, level)
        mask, leaf = _leaf_bits(config, level)
        # where no page is mapped, as of the table
        small = (table.address_mask ^ page.address_mask) & (MASK64 ^ ((1 << PAGE_SHIFT) - 1))
        return PresentFacts(
            index_bits=11,
            page=page,
            table=table,
            upper=upper.get(level),
            attributes=_attributes(config, at, _leaf(config, level)),
            exceptions={"seen": at_zero} if level == "pud" and not config.has(S390_PMD_PRESENT_BIT) else {},
            pfn=lambda v: ((v & page.address_mask) | (v & where(v, (v & mask) != leaf, small))) >> PAGE_SHIFT,
            base=page.fixed_value | bits(at.read, at.invalid, PROTECT),
            table_base=table.fixed_value,
        )

    page = _pte_page(config)
    return {
        "pgd": of_tables("pgd"),
        "p4d": of_tables("p4d"),
        "pud": of_pages("pud"),
        "pmd": of_pages("pmd"),
        "pte": PresentFacts(
            index_bits=8,
            page=page,
            attributes=_attributes(config, PTE_BITS, any_bit(bits(PRESENT)).test),
            base=page.fixed_value | bits(PTE_BITS.read, PTE_INVALID, PTE_PROTECT),
        ),
    }


ASCE = PresentLayout(
    (
        value("tl", 0, 2, "_ASCE_TABLE_LENGTH", "length of the table in quarters, less one"),
        value("dt", TABLE_TYPE_BIT, 2, "_ASCE_TYPE_MASK", "the table: segment, region-third, -second or -first"),
        zero(4),
        flag("real_space", 5, "_ASCE_REAL_SPACE", "addresses are real ones: no table"),
        flag("space_switch", 6, "_ASCE_SPACE_SWITCH", "space-switch event"),
        flag("alt_event", 7, "_ASCE_ALT_EVENT", "storage-alteration event"),
        flag("private_space", 8, "_ASCE_PRIVATE_SPACE", "private space"),
        flag("subspace_group", 9, "", "subspace group"),
        zero(10, 2),
        address(REGION_ORIGIN, 52, "_ASCE_ORIGIN", "physical address of the root table"),
    )
)
"""The address-space-control element, in control register 1 (or 7, or 13): where page tables begin."""


def table_level(word: int) -> LevelName:
    """The level of the root table that an ASCE points to.

    `ASCE` has its address. An entry of a segment or region table, an empty one too, says at the same bits in which
    table it is: as the kernel does, ask the first entry of a root table whose ASCE is not known. `DecodeError` beyond
    64 bits.
    """
    return TABLE_TYPES[ASCE.field("dt").get(check_word(word, DecodeError))]


def _root(word: int) -> tuple[int, LevelName | None]:
    """What an ASCE says, or an entry; of the address of a table nothing is said but that."""
    if word % (1 << REGION_ORIGIN) == 0:
        return word, None
    return ASCE.address(word), table_level(word)


S390X = Architecture(
    name="s390x",
    aliases=("s390",),
    byteorder="big",
    options=common_options(
        page_size=Choice((4096,), 4096),
        soft_dirty=Switch(),
        uffd=Switch(possible=False),
        device_private=Switch(since=DEVMAP_REMOVED),
        memory_failure=Switch(possible=False),
        max_physmem_bits=lambda config: 46,
    ),
    facts=_facts,
    present=_present,
    msb0=True,
    pmd_softleaf_since=S390_PMD_SOFTLEAF,
    root=_root,
    machine=Machine(
        "s390x",
        kernel="s390",
        source="s390",
        triple="s390x-linux-gnu",
        emulation="elf64_s390",
        qemu="qemu-s390x",
        numbers="__SWP_TYPE_SHIFT __SWP_OFFSET_SHIFT __SWP_TYPE_SHIFT_RSTE __SWP_OFFSET_SHIFT_RSTE",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_SOFT_DIRTY _PAGE_PRESENT _PAGE_INVALID __SWP_TYPE_MASK "
        "__SWP_OFFSET_MASK _PAGE_PROTECT _SEGMENT_ENTRY_EMPTY _SEGMENT_ENTRY_LARGE "
        "_SEGMENT_ENTRY_SOFT_DIRTY _SEGMENT_ENTRY_PRESENT _SEGMENT_ENTRY_READ _SEGMENT_ENTRY_WRITE "
        "_SEGMENT_ENTRY_BITS _RST_ENTRY_COMM _RST_ENTRY_INVALID __SWP_TYPE_MASK_RSTE "
        "__SWP_OFFSET_MASK_RSTE",
    ),
    constants={
        "_PAGE_PROTECT": lambda facts: facts.pte.layout.field("protect").mask,
        "__SWP_TYPE_SHIFT_RSTE": lambda facts: facts.pmd.layout.type.lsb,
        "__SWP_TYPE_MASK_RSTE": lambda facts: facts.pmd.layout.type.max,
        "__SWP_OFFSET_SHIFT_RSTE": lambda facts: facts.pmd.layout.offset.lsb,
        "__SWP_OFFSET_MASK_RSTE": lambda facts: facts.pmd.layout.offset.max,
        "_RST_ENTRY_COMM": lambda facts: facts.pmd.layout.field("comm").mask,
        "_RST_ENTRY_INVALID": lambda facts: facts.pmd.layout.field("invalid").mask,
    },
)
