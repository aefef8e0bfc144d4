"""s390x: arch/s390/include/asm/pgtable.h. Big-endian; the manuals number bits from the other end (MSB0).

A PMD is a segment-table entry. A swap PMD has the region/segment-table-entry form (RSTE), which puts the type at other
bits than a PTE does. The kernel's `swp_entry_t` always has the PTE form. The RSTE form came with 6.13 for hugetlb; THPs
use it since 6.17, and there is no PMD softleaf before. Before 6.13 a PMD has no present bit, and everything but the
empty entry is present.
"""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine, Predicate
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.layout import Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    PMD_SWAP,
    S390_PMD_PRESENT_BIT,
    S390_PMD_SOFTLEAF,
    S390_RSTE_SWAP,
    S390_SOFT_BITS,
)

__all__ = ["S390X"]

PRESENT, SOFT_DIRTY = 0, 1
PTE_PROTECT, PTE_INVALID = 9, 10
RSTE_COMM, RSTE_INVALID, SEGMENT_LARGE = 4, 5, 10
EXCLUSIVE = 11
TABLE_TYPE = bits(2, 3)
SEGMENT_UNKNOWN_BITS = bits(6, 7, 8)


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
                configured=True,
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


def _pmd_leaf(config: Config) -> Predicate:
    leaf = bits(SEGMENT_LARGE, PRESENT) if config.has(S390_PMD_PRESENT_BIT) else bits(SEGMENT_LARGE)
    return lambda v: (v & leaf) == leaf


def _facts(config: Config) -> Facts:
    pte, pmd = _pte_layout(config), _pmd_layout(config)
    pmd_leaf = _pmd_leaf(config)
    return Facts(
        pte=LevelFacts(
            layout=pte,
            none=lambda v: v == bits(PTE_INVALID),
            present=lambda v: (v & bits(PRESENT)) != 0,
            empty=bits(PTE_INVALID),
            page=bits(PRESENT),
        ),
        pmd=LevelFacts(
            layout=pmd,
            none=lambda v: v == bits(RSTE_INVALID),
            present=_pmd_present(config),
            leaf=pmd_leaf,
            trans_huge=pmd_leaf,
            bad=lambda v: ((v & (TABLE_TYPE | SEGMENT_UNKNOWN_BITS)) != 0) | pmd_leaf(v),
            to_arch=lambda v: pte.encode(pmd.type.get(v), pmd.offset.get(v)),
            from_arch=lambda e: pmd.encode(pte.type.get(e), pte.offset.get(e)),
            empty=bits(RSTE_INVALID),
            page=bits(PRESENT, SEGMENT_LARGE),
            table=bits(PRESENT),
        ),
        pmd_shift=20,
        ptrs_per_pmd=2048,
        pfn_lsb=config.page_shift,
    )


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
    present=lambda config: {},
    msb0=True,
    pmd_softleaf_since=S390_PMD_SOFTLEAF,
    machine=Machine(
        "s390x",
        kernel="s390",
        source="s390",
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
