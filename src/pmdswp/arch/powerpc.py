"""ppc64: arch/powerpc/include/asm/book3s/64 (Book3S): radix and hash MMU, 4K and 64K pages.

One layout for PTE and PMD, radix and hash. Page-table words are big-endian in memory under little-endian kernels
too, and the manuals number bits from the most significant one (MSB0). The kernel's `swp_entry_t` is the word without
_PAGE_PTE. Bit 5 is soft-dirty until 5.18, and exclusive since. Hash with 4K pages has PMD softleaves by the kernel's
gate, but no THPs, so that none occurs.

An entry that maps a page has one layout at every level, in which bit 62 separates it from a pointer to a table. Under
hash the MMU reads none of these words: software fills its table from them, and some bits say where in there a page is.
The P4D is folded: p4d_none() and the other helpers of P4Ds are asked of the entries of the root table. Tables can be
smaller than a page.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from pmdswp.formula import MASK64, Formula
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, ignored, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    PMD_SWAP,
    PPC_DEVMAP,
    PPC_EXCLUSIVE,
    PPC_HPTEFLAGS,
    PPC_NO_HUGEPD,
    PPC_NO_ROOT_LEAF,
    PPC_NO_SAVED_WRITE,
    PPC_PHYSMEM,
    PPC_PMD_PRESENT,
    PPC_PMD_SPECIAL,
    PPC_PTE_PRESENT,
)
from pmdswp.softleaf import LevelName

__all__ = ["PPC64"]

NON_IDEMPOTENT, BUSY, DIRTY, ACCESSED, SOFT_DIRTY, DEVMAP = 5, 6, 7, 8, 9, 11
OLD_SOFT_DIRTY = NON_IDEMPOTENT
"""Before 5.19, where the exclusive bit is since."""
COMBO, THP_HUGE, RPN43 = 12, 13, 55
INVALID, PTE, PRESENT = 61, 62, 63
RPN_END = 53
EXEC, WRITE, READ, PRIVILEGED, SPECIAL = 0, 1, 2, 3, 10
LARGE_PAGE = 65536
TABLE_POINTER = 8, 52
"""The bits of a pointer to a table: a table has 256 bytes at least."""
INDEX_BITS: Mapping[tuple[str, int], tuple[int, int, int, int]] = {
    ("radix", 4096): (13, 9, 9, 9),
    ("radix", LARGE_PAGE): (13, 9, 9, 5),
    ("hash", 4096): (9, 9, 7, 9),
    ("hash", LARGE_PAGE): (8, 10, 10, 8),
}
"""MMU and page size -> log2 of the entries of a table, from the root down."""
RADIX_PMD_BAD = bits(BUSY, DIRTY, NON_IDEMPOTENT, INVALID, PTE)
HASH_PTE_TABLE_SIZE = 4096
"""Bytes of a page table under hash, with 4K and with 64K pages (H_PTE_TABLE_SIZE)."""


def _layout(config: Config, level: LevelName) -> Layout:
    offset_lsb = config.page_shift
    if not config.has(PPC_EXCLUSIVE):
        return _layout_before_5_19(config)
    return Layout(
        (
            value("type", 0, 5, "SWP_TYPE_BITS", "swap type", masked=False),
            flag(
                "exclusive",
                NON_IDEMPOTENT,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_NON_IDEMPOTENT)",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else PPC_EXCLUSIVE,
            ),
            zero(BUSY, 3),
            flag(
                "soft_dirty",
                SOFT_DIRTY,
                "_PAGE_SWP_SOFT_DIRTY",
                "soft-dirty (= _PAGE_SOFT_DIRTY)",
                configured=config.soft_dirty,
                since=PPC_EXCLUSIVE,
            ),
            zero(10, offset_lsb - 10),
            *_offset_and_above(config),
        )
    )


def _offset_and_above(config: Config) -> tuple[Field, ...]:
    offset_lsb = config.page_shift
    return (
        value("offset", offset_lsb, RPN_END - offset_lsb, "PTE_RPN_MASK", "swap offset"),
        zero(RPN_END, INVALID - RPN_END),
        fixed("invalid", INVALID, 0, "_PAGE_INVALID", "not present"),
        fixed("pte", PTE, 1, "_PAGE_PTE", "an entry, not a pointer to a table"),
        fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
    )


def _layout_before_5_19(config: Config) -> Layout:
    return Layout(
        (
            value("type", 0, 5, "SWP_TYPE_BITS", "swap type", masked=False),
            flag(
                "soft_dirty",
                OLD_SOFT_DIRTY,
                "_PAGE_SWP_SOFT_DIRTY",
                "soft-dirty (= _PAGE_NON_IDEMPOTENT)",
                configured=config.soft_dirty,
            ),
            zero(BUSY, config.page_shift - BUSY),
            *_offset_and_above(config),
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
    if not config.has(PPC_HPTEFLAGS):
        return bits(COMBO, RPN43, 56) if config.page_size == LARGE_PAGE else bits(53, 54, RPN43, 56, 59, 60)
    return bits(BUSY, COMBO, RPN43) if config.page_size == LARGE_PAGE else bits(BUSY, 53, 54, RPN43, 56, 60)


def _pmd_trans_huge(config: Config) -> Predicate:
    if _is_hash(config) and config.page_size == 4096:
        return never
    huge = _huge(config)
    has_devmap = not config.has(DEVMAP_REMOVED) and (config.has(PPC_DEVMAP) or not _is_hash(config))
    tested = huge | bits(DEVMAP) if has_devmap else huge
    if not config.has(PPC_PMD_PRESENT):
        return lambda v: (v & tested) == huge
    return lambda v: ((v & bits(PRESENT, INVALID)) != 0) & ((v & tested) == huge)


def _pte_present(config: Config) -> Predicate:
    valid, invalid = bits(PTE, PRESENT), bits(PTE, INVALID)
    if config.has(PPC_PTE_PRESENT):
        return lambda v: ((v & valid) == valid) | ((v & invalid) == invalid)
    return lambda v: (v & bits(PRESENT, INVALID)) != 0


def _pmd_present(config: Config) -> Predicate:
    tested = bits(PRESENT, INVALID) if config.has(PPC_PMD_PRESENT) else MASK64
    return lambda v: (v & tested) != 0


def _ptrs_per_pmd(config: Config) -> int:
    if not _is_hash(config):
        return 512
    return 1024 if config.page_size == LARGE_PAGE else 128


def _without_pte_bit(v: Formula) -> Formula:
    return v & (MASK64 ^ bits(PTE))


def _with_pte_bit(e: Formula) -> Formula:
    return e | bits(PTE)


def _facts(config: Config) -> Facts:
    pmd_bad = HASH_PTE_TABLE_SIZE - 1 if _is_hash(config) else RADIX_PMD_BAD
    none_mask = MASK64 ^ _pte_none_ignores(config)
    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & none_mask) == 0,
            present=_pte_present(config),
            to_arch=_without_pte_bit,
            from_arch=_with_pte_bit,
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: v == 0,
            present=_pmd_present(config),
            leaf=lambda v: (v & bits(PTE)) != 0,
            trans_huge=_pmd_trans_huge(config),
            bad=lambda v: (v & pmd_bad) != 0,
            to_arch=_without_pte_bit,
            from_arch=_with_pte_bit,
        ),
        pmd_shift=24 if _is_hash(config) and config.page_size == LARGE_PAGE else 21,
        ptrs_per_pmd=_ptrs_per_pmd(config),
        arch_entry_fixed=0,
    )


def _hash_bits(config: Config) -> tuple[Field, ...]:
    """Bits 53 to 60."""
    if not _is_hash(config):
        return (zero(RPN_END, INVALID - RPN_END, meaning="reserved"),)
    if config.page_size == LARGE_PAGE:
        return (
            zero(RPN_END, 2),
            flag("hashpte", RPN43, "H_PAGE_HASHPTE", "is in the hash table"),
            value("pkey", 56, 5, "_RPAGE_PKEY_BIT0", "protection key"),
        )
    return (
        value("gix", RPN_END, 3, "H_PAGE_F_GIX", "place in its group of the hash table"),
        flag("second", 56, "H_PAGE_F_SECOND", "is in the secondary group"),
        value("pkey", 57, 3, "_RPAGE_PKEY_BIT1", "protection key"),
        flag("hashpte", 60, "H_PAGE_HASHPTE", "is in the hash table"),
    )


def _low_rpn_bits(config: Config, level: LevelName) -> tuple[Field, ...]:
    """Bits 12 to 15, where pages have 64K."""
    if config.page_size != LARGE_PAGE:
        return ()
    if not _is_hash(config):
        return (zero(COMBO, 4),)
    return (
        flag("combo", COMBO, "H_PAGE_COMBO", "mapped by pages of 4K in the hash table"),
        flag("pfn_4k", THP_HUGE, "H_PAGE_4K_PFN", "the frame is one of 4K")
        if level == "pte"
        else flag("thp_huge", THP_HUGE, "H_PAGE_THP_HUGE", "a transparent huge page"),
        zero(14, 2),
    )


def _page(config: Config, level: LevelName, shift: int) -> PresentLayout:
    return PresentLayout(
        (
            flag("exec", EXEC, "_PAGE_EXEC", "may be executed"),
            flag("write", WRITE, "_PAGE_WRITE", "writable"),
            flag("read", READ, "_PAGE_READ", "readable"),
            flag("privileged", PRIVILEGED, "_PAGE_PRIVILEGED", "for the kernel only"),
            value("cache", 4, 2, "_PAGE_CACHE_CTL", "memory type: 1 SAO, 2 non-idempotent, 3 tolerant"),
            flag("busy", BUSY, "H_PAGE_BUSY", "is being put into the hash table", configured=_is_hash(config)),
            flag("dirty", DIRTY, "_PAGE_DIRTY", "was written to"),
            flag("young", ACCESSED, "_PAGE_ACCESSED", "was accessed"),
            flag("soft_dirty", SOFT_DIRTY, "_PAGE_SOFT_DIRTY", "soft-dirty"),
            flag("special", SPECIAL, "_PAGE_SPECIAL", "no page that the mm counts"),
            ignored("sw1", DEVMAP, "_RPAGE_SW1", "not used")
            if config.has(DEVMAP_REMOVED)
            else flag("devmap", DEVMAP, "_PAGE_DEVMAP", "device memory with struct pages"),
            *_low_rpn_bits(config, level),
            *((zero(config.page_shift, shift - config.page_shift),) if shift > config.page_shift else ()),
            address(shift, RPN_END - shift, "PTE_RPN_MASK", "physical address"),
            *_hash_bits(config),
            flag("invalid", INVALID, "_PAGE_INVALID", "invalid for the moment, and present all the same"),
            fixed("pte", PTE, 1, "_PAGE_PTE", "an entry, not a pointer to a table"),
            flag("present", PRESENT, "_PAGE_PRESENT", "the CPU may use the entry"),
        )
    )


def _table(config: Config) -> PresentLayout:
    lsb, width = TABLE_POINTER
    nls = value("nls", 0, 5, "", "log2 of the entries of the table (NLS)")
    return PresentLayout(
        (
            *((zero(0, lsb),) if _is_hash(config) else (nls, zero(5, lsb - 5))),
            address(lsb, width, "PMD_MASKED_BITS", "physical address of the table"),
            zero(lsb + width, PTE - lsb - width, meaning="reserved"),
            fixed("pte", PTE, 0, "_PAGE_PTE", "a pointer to a table"),
            fixed("present", PRESENT, 1, "_PAGE_PRESENT", "the CPU may use the entry"),
        )
    )


def _attributes(config: Config, level: LevelName) -> dict[str, Attribute | None]:
    # NUMA balancing wrote down so that a page without access had been writable: none of the four bits set
    saved = config.is_on("numa_balancing")
    permissions = bits(EXEC, WRITE, READ)

    def wrprotect(v: Formula) -> Formula:
        plain = v & (MASK64 ^ bits(WRITE))
        if not saved:
            return plain
        any_set = (v | (v >> WRITE) | (v >> READ) | (v >> PRIVILEGED)) & 1
        return plain | ((any_set ^ 1) << PRIVILEGED)

    def write(v: Formula) -> Formula:
        is_writable = (v & bits(WRITE)) != 0
        return is_writable | ((v & (permissions | bits(PRIVILEGED))) == 0) if saved else is_writable

    # a PTE and a PMD that are present without _PAGE_PRESENT (invalidated) are never protnone
    stays = {"protnone": False} if level in ("pte", "pmd") else {}
    saved_write = {"write": True} if saved else {}
    not_saved = {"write": False} if saved else {}
    # huge pages were in directories of their own
    no_huge = _is_hash(config) and config.page_size != LARGE_PAGE and not config.has(PPC_NO_HUGEPD)
    return {
        **({"huge": None} if no_huge else {}),
        "write": Attribute(
            write,
            any_bit(bits(WRITE), sets=bits(WRITE, READ)).set,
            wrprotect,
            set_changes={"protnone": False},
            clear_changes={"protnone": True, **({"write": True, "user": False} if saved else {})},
        ),
        "dirty": any_bit(bits(DIRTY), sets=bits(DIRTY, SOFT_DIRTY))._replace(set_changes={"soft_dirty": True}),
        "exec": any_bit(bits(EXEC))._replace(
            set_changes={"protnone": False, **not_saved}, clear_changes={"protnone": True, **saved_write}
        ),
        "user": no_bit(bits(PRIVILEGED))._replace(set_changes=saved_write, clear_changes=not_saved),
        "special": any_bit(bits(SPECIAL)) if level == "pte" or config.has(PPC_PMD_SPECIAL) else None,
        "protnone": Attribute(
            lambda v: (v & (bits(PRESENT, PTE) | permissions)) == bits(PRESENT, PTE),
            lambda v: (v & (MASK64 ^ permissions)) | (bits(PRIVILEGED) if saved else 0),
            lambda v: v | bits(READ),
            set_changes={"exec": False, "write": False, **stays, **({"user": False} if saved else {})},
            clear_changes=not_saved,
        ),
    }


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    mmu = config.text("mmu")
    root_bits, pud_bits, pmd_bits, pte_bits = INDEX_BITS[mmu, config.page_size]
    pmd_shift = config.page_shift + pte_bits
    rpn = (1 << RPN_END) - (1 << config.page_shift)

    def of_pages(level: LevelName, index_bits: int, shift: int, upper: UpperFacts | None = None) -> PresentFacts:
        huge = level == "pmd" and mmu == "hash" and config.page_size == LARGE_PAGE
        entries = {"pgd": pud_bits, "pud": pmd_bits}.get(level, pte_bits)
        return PresentFacts(
            index_bits=index_bits,
            page=_page(config, level, shift),
            table=None if level == "pte" else _table(config),
            upper=upper,
            attributes=_attributes(config, level),
            pfn=lambda v: (v & rpn) >> config.page_shift,
            base=bits(PTE, PRESENT, READ) | (bits(THP_HUGE) if huge else 0),
            table_base=bits(PRESENT) | (0 if mmu == "hash" else entries),
        )

    # under hash an address that is not aligned to its table is bad
    pud_bad = RADIX_PMD_BAD if mmu == "radix" else (0x3FFF if config.page_size == LARGE_PAGE else 0x3FF)
    pud = UpperFacts(
        none=lambda v: v == 0,
        present=lambda v: (v & bits(PRESENT)) != 0,
        leaf=lambda v: (v & bits(PTE)) != 0,
        bad=lambda v: (v & pud_bad) != 0,
    )
    # a page of that size there never was
    root_leaf = not config.has(PPC_NO_ROOT_LEAF)
    root = UpperFacts(
        none=lambda v: v == 0,
        present=lambda v: (v & bits(PRESENT)) != 0,
        leaf=pud.leaf if root_leaf else never,
        bad=(lambda v: (v & RADIX_PMD_BAD) != 0) if mmu == "radix" else (lambda v: v == 0),
    )
    return {
        "pgd": of_pages("pgd", root_bits, pmd_shift + pmd_bits + pud_bits, root)
        if root_leaf
        else PresentFacts(
            index_bits=root_bits,
            table=_table(config),
            upper=root,
            table_base=bits(PRESENT) | (0 if mmu == "hash" else pud_bits),
        ),
        "pud": of_pages("pud", pud_bits, pmd_shift + pmd_bits, pud),
        "pmd": of_pages("pmd", pmd_bits, pmd_shift),
        "pte": of_pages("pte", pte_bits, config.page_shift),
    }


PPC64 = Architecture(
    name="ppc64",
    aliases=("powerpc", "ppc64le", "ppc64el", "powerpc64le", "powerpc64"),
    byteorder="big",
    options=common_options(
        page_size=Choice((4096, 65536), 65536),
        mmu=Choice(("radix", "hash"), "radix", help="radix or hash"),
        numa_balancing=Switch(
            until=PPC_NO_SAVED_WRITE,
            help="CONFIG_NUMA_BALANCING of 6.1: an entry without any permission may have been writable",
            numbers_only=True,
        ),
        soft_dirty=Switch(),
        uffd=Switch(possible=False),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 51 if config.has(PPC_PHYSMEM) else 47,
    ),
    facts=_facts,
    present=_present,
    msb0=True,
    pmd_softleaf_since=PPC_PMD_PRESENT,
    geometry=("page_size", "mmu"),
    has_no_tree=_is_hash,
    machine=Machine(
        "ppc64le",
        kernel="powerpc",
        source="powerpc",
        triple="powerpc64le-linux-gnu",
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
