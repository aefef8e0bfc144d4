"""loongarch64: arch/loongarch/include/asm/pgtable.h, pgtable-bits.h.

A swap PMD is the PTE form with _PAGE_HUGE set; an empty PMD is not 0 but the address of `invalid_pte_table`, which
differs from build to build and may be relocated at boot. pmd_present() tests bit 60 of a huge entry, and that is bit 36
of the swap offset: a PMD entry with it set reads back as present (with 4K pages it is the migration young bit). There
is no soft-dirty and no uffd bit. The type has 7 bits in the word, of which the generic layer uses 5; before 6.3 it had
8, and there was no exclusive bit.

An entry that points to a table holds its virtual address, in the window that maps memory cached. So does an empty
one: it points to `invalid_pte_table`, `invalid_pmd_table` or `invalid_pud_table`. A page is dirty if the kernel marked
it so, and since 6.5 if the hardware did. The entries of the root are asked by the helpers of PUDs with three levels,
and by those of P4Ds with four; with two levels the root is the PMD.
"""

from __future__ import annotations

from collections.abc import Mapping

from pmdswp.arch.facts import (
    Architecture,
    Attribute,
    Facts,
    LevelFacts,
    Machine,
    PresentFacts,
    UpperFacts,
    any_bit,
    never,
    no_bit,
)
from pmdswp.config import Address, Choice, Config, Switch, VirtualBits, common_options
from pmdswp.formula import MASK64, moved
from pmdswp.hazards import Hazard, zero_entry
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    LOONGARCH,
    LOONGARCH_EXCLUSIVE,
    LOONGARCH_HARDWARE_DIRTY,
    LOONGARCH_PRESENT_INVALID,
    LOONGARCH_RESPELLED,
    LOONGARCH_ZONE_DEVICE,
    PMD_SWAP,
)
from pmdswp.softleaf import LevelName, State

__all__ = ["LOONGARCH64"]

VALID, GLOBAL, HUGE = 0, 6, 6
PRESENT, PROTNONE, TYPE, EXCLUSIVE, OFFSET, PRESENT_INVALID = 7, 10, 16, 23, 24, 60
DIRTY, PLV, CACHE, WRITE, MODIFIED, SPECIAL, HGLOBAL = 1, 2, 4, 8, 9, 11, 12
DEVMAP, NO_READ, NO_EXEC, RPLV = 59, 61, 62, 63
USER, CACHED = 3 << PLV, 1 << CACHE
PFN_END = 48
WINDOW, CACHED_WINDOW = 60, 9
VIRTUAL_BITS: Mapping[int, tuple[int, ...]] = {4096: (48, 39), 16384: (47, 36), 65536: (55, 42)}


def _type_and_exclusive(config: Config, level: LevelName, name: str) -> tuple[Field, ...]:
    """Bits 16 to 23: a type of seven bits below the exclusive bit, or one of eight, which is not masked."""
    if not config.has(LOONGARCH_EXCLUSIVE):
        return (value("type", TYPE, 8, name, "swap type", masked=False, since=LOONGARCH),)
    return (
        value("type", TYPE, 7, name, "swap type", since=LOONGARCH_EXCLUSIVE),
        flag(
            "exclusive",
            EXCLUSIVE,
            "_PAGE_SWP_EXCLUSIVE",
            "exclusive to one process",
            configured=config.has_exclusive(level),
            since=PMD_SWAP if level == "pmd" else LOONGARCH_EXCLUSIVE,
        ),
    )


def _layout(config: Config, level: LevelName) -> Layout:
    # before, the header had the numbers
    named = config.has(LOONGARCH_RESPELLED)
    return Layout(
        (
            zero(0, 6),
            fixed("huge", HUGE, 1, "_PAGE_HUGE", "without it the word is a pointer to a table", since=LOONGARCH)
            if level == "pmd"
            else zero(GLOBAL, kernel_name="_PAGE_GLOBAL"),
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present", since=LOONGARCH),
            zero(8, 2),
            fixed("protnone", PROTNONE, 0, "_PAGE_PROTNONE", "not present", since=LOONGARCH),
            zero(11, 5),
            *_type_and_exclusive(config, level, name="__SWP_TYPE_SHIFT" if named else ""),
            value("offset", OFFSET, 40, "__SWP_OFFSET_SHIFT" if named else "", "swap offset", since=LOONGARCH),
        )
    )


def _facts(config: Config) -> Facts:
    huge, invalid_pte_table = bits(HUGE), config.number("invalid_pte_table")
    huge_present = bits(PRESENT, PROTNONE)
    if config.has(LOONGARCH_PRESENT_INVALID):
        huge_present |= bits(PRESENT_INVALID)

    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & (MASK64 ^ bits(GLOBAL))) == 0,
            present=lambda v: (v & bits(PRESENT, PROTNONE)) != 0,
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: v == invalid_pte_table,
            present=lambda v: (
                (((v & huge) != 0) & ((v & huge_present) != 0)) | (((v & huge) == 0) & (v != invalid_pte_table))
            ),
            leaf=lambda v: (v & huge) != 0,
            trans_huge=lambda v: ((v & huge) != 0) & ((v & huge_present) != 0),
            bad=lambda v: (v & (config.page_size - 1)) != 0,
            from_arch=lambda e: e | huge,
            empty=invalid_pte_table,
        ),
        pmd_shift=2 * config.page_shift - 3,
        ptrs_per_pmd=config.page_size // 8,
    )


# --- present words ------------------------------------------------------------------------------------------


def _page(config: Config, huge_shift: int = 0) -> PresentLayout:
    """The layout of a PTE, or of an upper entry that maps a page of 1 << `huge_shift` bytes."""
    shift = huge_shift or config.page_shift
    has_devmap = config.has(LOONGARCH_ZONE_DEVICE) and not config.has(DEVMAP_REMOVED)
    return PresentLayout(
        (
            flag("young", VALID, "_PAGE_VALID", "was accessed (= _PAGE_ACCESSED); the TLB takes the entry"),
            flag("dirty", DIRTY, "_PAGE_DIRTY", "the hardware allows writes, or saw one"),
            value("plv", PLV, 2, "_PAGE_PLV_SHIFT", "privilege level: 0 kernel, 3 user space"),
            value("mat", CACHE, 2, "_CACHE_SHIFT", "memory access type: 1 is cached"),
            fixed("huge", HUGE, 1, "_PAGE_HUGE", "maps a page")
            if huge_shift
            else flag("global", GLOBAL, "_PAGE_GLOBAL", "in every address space"),
            flag("present", PRESENT, "_PAGE_PRESENT", "present"),
            flag("write", WRITE, "_PAGE_WRITE", "writable"),
            flag("modified", MODIFIED, "_PAGE_MODIFIED", "was written to"),
            flag("protnone", PROTNONE, "_PAGE_PROTNONE", "present, and nobody may access it"),
            flag("special", SPECIAL, "_PAGE_SPECIAL", "no page that the mm counts"),
            *(_huge_bits(shift) if huge_shift else ()),
            *(() if huge_shift or shift == HGLOBAL else (zero(HGLOBAL, shift - HGLOBAL),)),
            address(shift, PFN_END - shift, "_PFN_MASK", "physical address"),
            zero(PFN_END, DEVMAP - PFN_END),
            flag("devmap", DEVMAP, "_PAGE_DEVMAP", "device memory with struct pages", since=LOONGARCH_ZONE_DEVICE)
            if has_devmap
            else zero(DEVMAP),
            flag("present_invalid", PRESENT_INVALID, "_PAGE_PRESENT_INVALID", "present, though the TLB may not take it")
            if huge_shift
            else zero(PRESENT_INVALID),
            flag("no_read", NO_READ, "_PAGE_NO_READ", "not to be read"),
            flag("no_exec", NO_EXEC, "_PAGE_NO_EXEC", "not to be executed"),
            flag("rplv", RPLV, "_PAGE_RPLV", "for the privilege level alone, not for those above it"),
        )
    )


def _huge_bits(shift: int) -> tuple[Field, Field]:
    """The bits between the flags and the address of a huge page."""
    global_bit = flag("global", HGLOBAL, "_PAGE_HGLOBAL", "in every address space")
    return (global_bit, zero(HGLOBAL + 1, shift - HGLOBAL - 1))


def _table(config: Config) -> PresentLayout:
    """The layout of an entry that points to a table."""
    shift = config.page_shift
    return PresentLayout(
        (
            zero(0, HUGE),
            fixed("huge", HUGE, 0, "_PAGE_HUGE", "points to a table"),
            zero(HUGE + 1, shift - HUGE - 1),
            address(shift, PFN_END - shift, "TO_PHYS_MASK", "physical address of the table"),
            zero(PFN_END, WINDOW - PFN_END),
            fixed("window", WINDOW, CACHED_WINDOW, "CSR_DMW1_VSEG", "the window that maps memory cached", width=4),
        )
    )


def _attributes(config: Config, *, huge: bool) -> dict[str, Attribute | None]:
    dirty = bits(DIRTY, MODIFIED)
    tests_dirty = dirty if config.has(LOONGARCH_HARDWARE_DIRTY) else bits(MODIFIED)
    unreadable = bits(PROTNONE, NO_READ)
    found: dict[str, Attribute | None] = {
        "write": Attribute(
            any_bit(bits(WRITE)).test,
            lambda v: v | bits(WRITE) | moved(v, MODIFIED, DIRTY),
            lambda v: (v | moved(v, DIRTY, MODIFIED)) & (MASK64 ^ bits(WRITE, DIRTY)),
            clear_changes={} if config.has(LOONGARCH_HARDWARE_DIRTY) else {"dirty": True},
        ),
        "dirty": Attribute(
            any_bit(tests_dirty).test,
            lambda v: v | bits(MODIFIED) | moved(v, WRITE, DIRTY),
            any_bit(dirty).clear,
        ),
        "exec": no_bit(bits(NO_EXEC)),
        "user": Attribute(lambda v: (v & USER) == USER, any_bit(USER).set, any_bit(USER).clear),
        "protnone": Attribute(
            any_bit(bits(PROTNONE)).test,
            lambda v: (v | unreadable) & (MASK64 ^ bits(PRESENT)),
            lambda v: (v | bits(PRESENT)) & (MASK64 ^ unreadable),
        ),
    }
    if huge:
        # in a pointer to a table the bit is one of its address
        is_global = any_bit(bits(HGLOBAL))
        in_page = bits(HUGE, HGLOBAL)
        found["global"] = Attribute(lambda v: (v & in_page) == in_page, is_global.set, is_global.clear)
        found["special"] = None
    return found


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    shift, table = config.page_shift, _table(config)
    index_bits = shift - 3
    physical = (1 << PFN_END) - 1
    pfn = physical - (config.page_size - 1)

    def of_tables(upper: UpperFacts | None = None) -> PresentFacts:
        empty = config.number("invalid_pte_table") if upper is None else upper.empty
        return PresentFacts(
            index_bits=index_bits,
            table=table,
            upper=upper,
            # an unsound pointer, to no page, is followed all the same
            table_address=lambda v: v & physical,
            exceptions={"seen": lambda v: v == empty},
            table_base=table.fixed_value,
        )

    def of_pages(huge_shift: int, upper: UpperFacts | None = None) -> PresentFacts:
        tables = of_tables(upper)
        return tables._replace(
            page=_page(config, huge_shift),
            attributes=_attributes(config, huge=True),
            pfn=lambda v: (v & pfn) >> shift,
            # with pages of 4 KiB the helper takes the global bit for a bit of the frame number
            exceptions={**tables.exceptions, "frame": any_bit(bits(HGLOBAL) & pfn).test},
            base=bits(PRESENT, HUGE) | CACHED,
        )

    def upper(points_to: str, *, leaf: bool) -> UpperFacts:
        invalid = config.number(points_to)
        return UpperFacts(
            none=lambda v: v == invalid,
            present=lambda v: v != invalid,
            leaf=(lambda v: (v & bits(HUGE)) != 0) if leaf else never,
            bad=lambda v: (v & (config.page_size - 1)) != 0,
            empty=invalid,
        )

    pmd_shift = shift + index_bits
    lower: dict[LevelName, PresentFacts] = {
        "pmd": of_pages(pmd_shift),
        "pte": PresentFacts(
            index_bits=index_bits,
            page=_page(config),
            attributes=_attributes(config, huge=False),
            base=bits(PRESENT) | CACHED,
        ),
    }
    levels = (config.number("va_bits") - shift) // index_bits
    if levels == len(lower):
        return lower
    puds = of_pages(pmd_shift + index_bits, upper("invalid_pmd_table", leaf=True))
    if levels == len(lower) + 1:
        return {"pgd": puds, **lower}
    return {"pgd": of_tables(upper("invalid_pud_table", leaf=False)), "pud": puds, **lower}


LOONGARCH64 = Architecture(
    name="loongarch64",
    aliases=("loongarch", "loong64", "la64"),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096, 16384, 65536), 16384),
        invalid_pte_table=Address(0x9000000001A50000, help="the address that an empty PMD holds"),
        invalid_pmd_table=Address(0x9000000001A60000, help="the address that an empty entry above the PMD holds"),
        invalid_pud_table=Address(0x9000000001A70000, help="the address that an empty entry above the PUD holds"),
        va_bits=VirtualBits(lambda config: VIRTUAL_BITS[config.page_size], (47, 36, 39, 42, 48, 55)),
        soft_dirty=Switch(possible=False),
        uffd=Switch(possible=False),
        device_private=Switch(since=LOONGARCH_ZONE_DEVICE),
        memory_failure=Switch(possible=False),
        max_physmem_bits=lambda config: 48,
    ),
    facts=_facts,
    present=_present,
    hazards=(
        zero_entry("pte"),
        Hazard(
            levels=("pmd",),
            reads_as=State.PRESENT,
            entries="offset bit 36 set",
            entry=lambda _type, offset, _flags: ((offset >> (PRESENT_INVALID - OFFSET)) & 1) != 0,
            explanation="pmd_present() of a huge entry tests _PAGE_PRESENT_INVALID, bit 60 of the word, and that is "
            "bit 36 of the swap offset. With 4K pages that is the young bit of a migration entry: a young PMD "
            "migration entry reads as a present huge page, and softleaf_from_pmd() gives the none leaf.",
            applies=lambda config: config.has(LOONGARCH_PRESENT_INVALID),
        ),
    ),
    machine=Machine(
        "loongarch64",
        kernel="loongarch",
        source="loongarch",
        triple="loongarch64-linux-gnusf",
        emulation="elf64loongarch",
        qemu="qemu-loongarch64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_PRESENT _PAGE_PROTNONE _PAGE_PRESENT_INVALID _PAGE_HUGE _PAGE_GLOBAL",
    ),
    constants={"_PAGE_HUGE": lambda facts: facts.pmd.layout.fixed_value},
)
