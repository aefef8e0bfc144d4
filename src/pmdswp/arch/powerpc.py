"""ppc64: arch/powerpc/include/asm/book3s/64 (Book3S): radix and hash MMU, 4K and 64K pages.

One layout for PTE and PMD, radix and hash. Page-table words are big-endian in memory under little-endian kernels
too, and the manuals number bits from the most significant one (MSB0). The kernel's `swp_entry_t` is the word without
_PAGE_PTE. Hash with 4K pages has PMD softleaves by the kernel's gate, but no THPs, so that none occurs.
"""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine, Predicate, never
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.formula import MASK64, Formula
from pmdswp.layout import Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import DEVMAP_REMOVED, PMD_SWAP
from pmdswp.softleaf import LevelName

__all__ = ["PPC64"]

NON_IDEMPOTENT, BUSY, DIRTY, ACCESSED, SOFT_DIRTY, DEVMAP = 5, 6, 7, 8, 9, 11
COMBO, THP_HUGE, RPN43 = 12, 13, 55
INVALID, PTE, PRESENT = 61, 62, 63
RPN_END = 53
RADIX_PMD_BAD = bits(BUSY, DIRTY, NON_IDEMPOTENT, INVALID, PTE)
HASH_PTE_TABLE_SIZE = 4096
"""Bytes of a page table under hash, with 4K and with 64K pages (H_PTE_TABLE_SIZE)."""


def _layout(config: Config, level: LevelName) -> Layout:
    offset_lsb = config.page_shift
    return Layout(
        (
            value("type", 0, 5, "SWP_TYPE_BITS", "swap type", masked=False),
            flag(
                "exclusive",
                NON_IDEMPOTENT,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_NON_IDEMPOTENT)",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else None,
            ),
            zero(BUSY, 3),
            flag(
                "soft_dirty",
                SOFT_DIRTY,
                "_PAGE_SWP_SOFT_DIRTY",
                "soft-dirty (= _PAGE_SOFT_DIRTY)",
                configured=config.soft_dirty,
            ),
            zero(10, offset_lsb - 10),
            value("offset", offset_lsb, RPN_END - offset_lsb, "PTE_RPN_MASK", "swap offset"),
            zero(RPN_END, INVALID - RPN_END),
            fixed("invalid", INVALID, 0, "_PAGE_INVALID", "not present"),
            fixed("pte", PTE, 1, "_PAGE_PTE", "an entry, not a pointer to a table"),
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
        )
    )


def _is_hash(config: Config) -> bool:
    return config.text("mmu") == "hash"


def _huge(config: Config) -> int:
    return bits(PTE, THP_HUGE) if _is_hash(config) else bits(PTE)


def _pte_none_ignores(config: Config) -> int:
    if not _is_hash(config):
        return bits(DIRTY, ACCESSED)
    # _PAGE_HPTEFLAGS: where the hash page table's slot is remembered
    return bits(BUSY, COMBO, RPN43) if config.page_size == 65536 else bits(BUSY, 53, 54, RPN43, 56, 60)


def _pmd_trans_huge(config: Config) -> Predicate:
    if _is_hash(config) and config.page_size == 4096:
        return never
    huge = _huge(config)
    tested = huge if config.has(DEVMAP_REMOVED) else huge | bits(DEVMAP)
    return lambda v: ((v & bits(PRESENT, INVALID)) != 0) & ((v & tested) == huge)


def _ptrs_per_pmd(config: Config) -> int:
    if not _is_hash(config):
        return 512
    return 1024 if config.page_size == 65536 else 128


def _without_pte_bit(v: Formula) -> Formula:
    return v & (MASK64 ^ bits(PTE))


def _with_pte_bit(e: Formula) -> Formula:
    return e | bits(PTE)


def _facts(config: Config) -> Facts:
    pmd_bad = HASH_PTE_TABLE_SIZE - 1 if _is_hash(config) else RADIX_PMD_BAD
    none_mask = MASK64 ^ _pte_none_ignores(config)
    valid, invalid = bits(PTE, PRESENT), bits(PTE, INVALID)
    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & none_mask) == 0,
            present=lambda v: ((v & valid) == valid) | ((v & invalid) == invalid),
            to_arch=_without_pte_bit,
            from_arch=_with_pte_bit,
            page=valid,
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & bits(PRESENT, INVALID)) != 0,
            leaf=lambda v: (v & bits(PTE)) != 0,
            trans_huge=_pmd_trans_huge(config),
            bad=lambda v: (v & pmd_bad) != 0,
            to_arch=_without_pte_bit,
            from_arch=_with_pte_bit,
            page=bits(PRESENT) | _huge(config),
            table=bits(PRESENT),
        ),
        pmd_shift=24 if _is_hash(config) and config.page_size == 65536 else 21,
        ptrs_per_pmd=_ptrs_per_pmd(config),
        pfn_lsb=config.page_shift,
        arch_entry_fixed=0,
    )


PPC64 = Architecture(
    name="ppc64",
    aliases=("powerpc", "ppc64le"),
    byteorder="big",
    options=common_options(
        page_size=Choice((4096, 65536), 65536),
        mmu=Choice(("radix", "hash"), "radix", help="radix or hash"),
        soft_dirty=Switch(),
        uffd=Switch(possible=False),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 51,
    ),
    facts=_facts,
    present=lambda config: {},
    msb0=True,
    geometry=("page_size", "mmu"),
    machine=Machine(
        "ppc64le",
        kernel="powerpc",
        source="powerpc",
        emulation="elf64lppc",
        qemu="qemu-ppc64le",
        numbers="SWP_TYPE_BITS H_MAX_PHYSMEM_BITS R_MAX_PHYSMEM_BITS",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_SWP_SOFT_DIRTY _PAGE_SOFT_DIRTY _PAGE_PRESENT _PAGE_PTE _PAGE_INVALID "
        "_PAGE_HPTEFLAGS PTE_RPN_MASK H_PTE_NONE_MASK SWP_TYPE_MASK _PAGE_NON_IDEMPOTENT H_PAGE_HASHPTE "
        "RADIX_PTE_NONE_MASK H_PMD_BAD_BITS RADIX_PMD_BAD_BITS _PAGE_DIRTY _PAGE_ACCESSED",
    ),
    constants={
        "PTE_RPN_MASK": lambda facts: facts.pte.layout.offset.mask,
        "_PAGE_PTE": lambda facts: facts.pte.layout.fixed_value,
    },
)
