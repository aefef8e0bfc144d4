"""arm64: arch/arm64/include/asm/pgtable.h, pgtable-prot.h, pgtable-hwdef.h.

One layout for PTE and PMD, for every page size and address width. It moved with 6.10, when PROT_NONE lost its own bit
and PTE_PRESENT_INVALID became PTE_NG; 6.10 also added the uffd bit. Before 5.19 there was no exclusive bit, and the
type had six bits, of which the generic layer uses five: read by the wrong one of the two layouts, a type is halved or
doubled. Before 5.10 no PMD held a softleaf. There is no soft-dirty bit. The kernel masks neither type nor offset when
it stores them.

An entry that maps a page has the same bits at every level. Its address is cut in two where it has 52 bits: with 64K
pages bits 51 to 48 of it stand below the others, with smaller ones (LPA2) bits 51 and 50. How many levels there are
follows from page size and `va_bits`; where the kernel folds levels, the entries of the root table are what the helpers
of the lowest folded level are asked of.
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
from pmdswp.config import Choice, Config, Switch, Value, VirtualBits, common_options
from pmdswp.formula import MASK64, Formula
from pmdswp.hazards import zero_entry
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, ignored, value, zero
from pmdswp.revisions import (
    ARM64_EXCLUSIVE,
    ARM64_LPA2,
    ARM64_P4D_BAD,
    ARM64_PKEYS,
    ARM64_PMD_BAD,
    ARM64_PMD_LEAF,
    ARM64_PMD_PRESENT,
    ARM64_PMD_SPECIAL,
    ARM64_RUN_TIME_PA_BITS,
    ARM64_SWAP_LAYOUT,
    ARM64_TABLE_AF,
    ARM64_THP_MIGRATION,
    ARM64_UFFD,
    ARM64_ZONE_DEVICE,
    DEVMAP_REMOVED,
    PMD_SWAP,
)
from pmdswp.softleaf import LevelName

__all__ = ["ARM64"]

LARGE_PAGE = 65536

VALID, TABLE, EXCLUSIVE, UFFD, ACCESS_FLAG, PRESENT_INVALID = 0, 1, 2, 3, 10, 11
OLD_PROT_NONE, OLD_PRESENT_INVALID = 58, 59
"""Before 6.10."""
USER, RDONLY, SHARED, NG, WRITE, CONT, PXN, UXN, SW_DIRTY, SPECIAL, DEVMAP = 6, 7, 8, 11, 51, 52, 53, 54, 55, 56, 57
PRESENT_UFFD, TABLE_PXN = 58, 59
VIRTUAL_BITS: Mapping[int, tuple[int, ...]] = {4096: (48, 39, 52), 16384: (48, 36, 47, 52), LARGE_PAGE: (48, 42, 52)}
"""By page size, the default first."""


def _exclusive(config: Config, level: LevelName) -> Field:
    return flag(
        "exclusive",
        EXCLUSIVE,
        "PTE_SWP_EXCLUSIVE",
        "exclusive to one process",
        configured=config.has_exclusive(level),
        since=PMD_SWAP if level == "pmd" else ARM64_EXCLUSIVE,
    )


def _layout(config: Config, level: LevelName) -> Layout:
    return Layout(
        (
            fixed("valid", VALID, 0, "PTE_VALID", "not present"),
            zero(TABLE),
            _exclusive(config, level),
            flag(
                "uffd",
                UFFD,
                f"PTE_SWP_{config.uffd_name}",
                "watched by userfaultfd",
                configured=config.uffd,
                since=ARM64_UFFD,
            ),
            zero(4, 2),
            value("type", 6, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False, since=ARM64_SWAP_LAYOUT),
            fixed(
                "present_invalid",
                PRESENT_INVALID,
                0,
                "PTE_PRESENT_INVALID",
                "not present (= PTE_NG)",
                since=ARM64_SWAP_LAYOUT,
            ),
            value("offset", 12, 50, "__SWP_OFFSET_SHIFT", "swap offset", masked=False, since=ARM64_SWAP_LAYOUT),
            zero(62, 2),
        )
    )


def _layout_before_6_10(config: Config, level: LevelName) -> Layout:
    narrow = value("type", 3, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False, since=ARM64_EXCLUSIVE)
    wide = value("type", 2, 6, "__SWP_TYPE_SHIFT", "swap type", masked=False)
    type_and_exclusive = (_exclusive(config, level), narrow) if config.has(ARM64_EXCLUSIVE) else (wide,)
    return Layout(
        (
            fixed("valid", VALID, 0, "PTE_VALID", "not present"),
            zero(TABLE),
            *type_and_exclusive,
            value("offset", 8, 50, "__SWP_OFFSET_SHIFT", "swap offset", masked=False),
            fixed("prot_none", OLD_PROT_NONE, 0, "PTE_PROT_NONE", "not present"),
            fixed(
                "present_invalid",
                OLD_PRESENT_INVALID,
                0,
                "PMD_PRESENT_INVALID",
                "not present",
                since=ARM64_PMD_PRESENT,
            )
            if level == "pmd" and config.has(ARM64_PMD_PRESENT)
            else zero(OLD_PRESENT_INVALID),
            zero(60, 4),
        )
    )


def _pmd_leaf(config: Config, present: int) -> Predicate:
    table = bits(VALID, TABLE)
    if config.has(ARM64_PMD_LEAF):
        return lambda v: ((v & present) != 0) & ((v & table) != table)
    return lambda v: (v & table) == bits(VALID)


def _pmd_trans_huge(config: Config, present: int) -> Predicate:
    tested = present if config.has(ARM64_PMD_PRESENT) else MASK64
    return lambda v: ((v & tested) != 0) & ((v & bits(TABLE)) == 0)


def _pmd_bad(config: Config) -> Predicate:
    table = bits(VALID, TABLE) if config.has(ARM64_PMD_BAD) else bits(TABLE)
    return lambda v: (v & table) != table


def _facts(config: Config) -> Facts:
    if config.has(ARM64_SWAP_LAYOUT):
        layout, pte_present = _layout, bits(VALID, PRESENT_INVALID)
        pmd_present = pte_present
    else:
        layout, pte_present = _layout_before_6_10, bits(VALID, OLD_PROT_NONE)
        pmd_present = pte_present | (bits(OLD_PRESENT_INVALID) if config.has(ARM64_PMD_PRESENT) else 0)
    return Facts(
        pte=LevelFacts(
            layout=layout(config, "pte"),
            none=lambda v: v == 0,
            present=lambda v: (v & pte_present) != 0,
        ),
        pmd=LevelFacts(
            layout=layout(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & pmd_present) != 0,
            leaf=_pmd_leaf(config, pmd_present),
            trans_huge=_pmd_trans_huge(config, pmd_present),
            bad=_pmd_bad(config),
        ),
        pmd_shift=2 * config.page_shift - 3,
        ptrs_per_pmd=config.page_size // 8,
    )


def _has_lpa2(config: Config) -> bool:
    return config.number("pa_bits") == 52 and config.page_size != LARGE_PAGE


def _address(config: Config, shift: int) -> tuple[Field, ...]:
    """Bits 12 to 49: the address from bit `shift` on, and with 64K pages its highest bits below."""
    # since LPA2 the kernel takes bits 48 and 49 for the address on every machine
    top = 50 if config.has(ARM64_LPA2) else 48
    below: tuple[Field, ...] = (zero(12, shift - 12),) if shift > 12 else ()
    if config.page_size == LARGE_PAGE and config.number("pa_bits") == 52:
        high = address(12, 4, "PTE_ADDR_HIGH", "bits 51-48 of the physical address", name="address_high", bit=48)
        below = (high, *((zero(16, shift - 16),) if shift > 16 else ()))
    above = (zero(48, 2),) if top == 48 else ()
    return (*below, address(shift, top - shift, "PTE_ADDR_LOW", "physical address"), *above)


def _shared(config: Config) -> Field:
    if _has_lpa2(config):
        meaning = "bits 51 and 50 of the physical address (LPA2)"
        return address(SHARED, 2, "PTE_ADDR_HIGH", meaning, name="address_high", bit=50, since=ARM64_LPA2)
    return value("shared", SHARED, 2, "PTE_SHARED", "shareability: 3 inner")


def _page(config: Config, level: LevelName, shift: int) -> PresentLayout:
    new = config.has(ARM64_SWAP_LAYOUT)
    invalid = "; without valid: PTE_PRESENT_INVALID" if new else ""
    return PresentLayout(
        (
            flag("valid", VALID, "PTE_VALID", "the CPU may use the entry"),
            fixed("page", TABLE, 1, "PTE_TYPE_PAGE", "a page, at the lowest level")
            if level == "pte"
            else fixed("block", TABLE, 0, "PMD_TYPE_SECT", "maps a block"),
            value("attrindx", 2, 3, "PTE_ATTRINDX_MASK", "memory type: index into MAIR_EL1"),
            ignored("ns", 5, "", "not used"),
            flag("user", USER, "PTE_USER", "for user space (AP[1])"),
            flag("rdonly", RDONLY, "PTE_RDONLY", "read-only; clean, if the write bit is set (AP[2])"),
            _shared(config),
            flag("young", ACCESS_FLAG, "PTE_AF", "was accessed"),
            flag("ng", NG, "PTE_NG", f"of one address space only (nG){invalid}"),
            *_address(config, shift),
            flag("gp", 50, "PTE_GP", "branch targets are guarded (BTI)"),
            flag("write", WRITE, "PTE_WRITE", "writable (DBM)"),
            flag("cont", CONT, "PTE_CONT", "one of a run of pages"),
            flag("pxn", PXN, "PTE_PXN", "not to be executed by the kernel"),
            flag("uxn", UXN, "PTE_UXN", "not to be executed by user space"),
            flag("sw_dirty", SW_DIRTY, "PTE_DIRTY", "was written to, as the kernel notes it"),
            flag("special", SPECIAL, "PTE_SPECIAL", "no page that the mm counts"),
            ignored("sw", DEVMAP, "", "not used")
            if config.has(DEVMAP_REMOVED)
            else flag("devmap", DEVMAP, "PTE_DEVMAP", "device memory with struct pages"),
            flag(
                "uffd",
                PRESENT_UFFD,
                f"PTE_{config.uffd_name}",
                "watched by userfaultfd",
                configured=config.uffd,
                since=ARM64_UFFD,
            )
            if new
            else flag("prot_none", OLD_PROT_NONE, "PTE_PROT_NONE", "without valid: a page that nobody may access"),
            ignored("pbha", 59, "", "not used by the kernel")
            if new or level != "pmd"
            else flag("present_invalid", OLD_PRESENT_INVALID, "PMD_PRESENT_INVALID", "present, while it is split"),
            value("po_idx", 60, 3, "PTE_PO_IDX_MASK", "protection key (POE)", since=ARM64_PKEYS)
            if config.has(ARM64_PKEYS)
            else ignored("pbha_high", 60, "", "not used by the kernel", width=3),
            ignored("available", 63, "", "not used"),
        )
    )


def _table(config: Config) -> PresentLayout:
    return PresentLayout(
        (
            fixed("table", VALID, 3, "PMD_TYPE_TABLE", "points to a table", width=2),
            ignored("low", 2, "", "not used", width=6),
            _shared(config) if _has_lpa2(config) else ignored("shared", SHARED, "", "not used", width=2),
            flag("af", ACCESS_FLAG, "PMD_TABLE_AF", "was used by the CPU (HAFT)", since=ARM64_TABLE_AF)
            if config.has(ARM64_TABLE_AF)
            else ignored("af", ACCESS_FLAG, "", "not used"),
            ignored("ng", NG, "", "not used"),
            *_address(config, config.page_shift),
            ignored("available", 50, "", "not used", width=9),
            flag("pxn_table", TABLE_PXN, "PMD_TABLE_PXN", "nothing below is to be executed by the kernel"),
            flag("uxn_table", 60, "PMD_TABLE_UXN", "nothing below is to be executed by user space"),
            value("ap_table", 61, 2, "", "restricts access to what is below (APTable)"),
            ignored("ns_table", 63, "", "not used"),
        )
    )


def _without(bit: int, v: Formula, where_set: int) -> Formula:
    """The word with a bit cleared, if another of its bits is set."""
    return v & ((((v >> where_set) & 1) << bit) ^ MASK64)


def _wrprotect(v: Formula) -> Formula:
    """What the hardware noted by clearing RDONLY is kept in the software's bit."""
    hw_dirty = (v >> WRITE) & ((v >> RDONLY) ^ 1) & 1
    return ((v | (hw_dirty << SW_DIRTY)) & (MASK64 ^ bits(WRITE))) | bits(RDONLY)


def _sees_protnone(config: Config, level: LevelName) -> bool:
    """Whether the kernel takes a PROT_NONE page for a leaf: pmd_leaf() asked for PMD_SECT, which it has not."""
    return level != "pmd" or config.has(ARM64_PMD_LEAF)


def _attributes(config: Config, level: LevelName) -> dict[str, Attribute | None]:
    sees_protnone = _sees_protnone(config, level)
    if config.has(ARM64_SWAP_LAYOUT):
        # it has no bit of its own: present, invalid to the CPU, and for nobody
        protnone = Attribute(
            lambda v: (v & bits(VALID, NG, USER, UXN)) == bits(NG, UXN),
            lambda v: (v & (MASK64 ^ bits(VALID, USER))) | bits(NG, UXN),
            lambda v: v | bits(VALID),
            set_changes={"exec": False, "user": False, "global": False},
        )
    else:
        protnone = Attribute(
            lambda v: (v & bits(VALID, OLD_PROT_NONE)) == bits(OLD_PROT_NONE),
            lambda v: (v & (MASK64 ^ bits(VALID))) | bits(OLD_PROT_NONE),
            lambda v: (v & (MASK64 ^ bits(OLD_PROT_NONE))) | bits(VALID),
            set_changes={"global": False} if sees_protnone else {"global": False, "huge": False},
            clear_changes={"global": True} if sees_protnone else {},
        )
    # what is invalid to the CPU and for nobody is PROT_NONE, however it came to be so
    is_protnone = {"protnone": True} if config.has(ARM64_SWAP_LAYOUT) else {}
    no_protnone = {"protnone": False} if config.has(ARM64_SWAP_LAYOUT) else {}
    return {
        "write": Attribute(
            any_bit(bits(WRITE)).test,
            lambda v: _without(RDONLY, v | bits(WRITE), SW_DIRTY),
            _wrprotect,
            # a page that the CPU may write to is dirty to it
            set_changes={"dirty": True},
        ),
        "dirty": Attribute(
            lambda v: ((v & bits(SW_DIRTY)) != 0) | ((v & bits(WRITE, RDONLY)) == bits(WRITE)),
            lambda v: _without(RDONLY, v | bits(SW_DIRTY), WRITE),
            lambda v: (v & (MASK64 ^ bits(SW_DIRTY))) | bits(RDONLY),
        ),
        "exec": no_bit(bits(UXN))._replace(set_changes=no_protnone, clear_changes=is_protnone),
        "user": any_bit(bits(USER))._replace(set_changes=no_protnone, clear_changes=is_protnone),
        "special": any_bit(bits(SPECIAL))
        if level == "pte" or (level == "pmd" and config.has(ARM64_PMD_SPECIAL))
        else None,
        "uffd": Attribute(
            any_bit(bits(PRESENT_UFFD)).test,
            lambda v: _wrprotect(v | bits(PRESENT_UFFD)),
            any_bit(bits(PRESENT_UFFD)).clear,
            set_changes={"write": False},
        )
        if config.uffd
        else None,
        "protnone": protnone,
        "global": Attribute(
            lambda v: (v & bits(VALID, NG)) == bits(VALID),
            lambda v: v ^ (((v >> NG) & (v & 1)) << NG),
            lambda v: v | bits(NG),
            # without VALID nothing is global, and nothing makes it so
            set_changes={"global": False} if sees_protnone else {},
        ),
    }


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    per_table = config.page_shift - 3
    large = config.page_size == LARGE_PAGE
    present = bits(VALID, PRESENT_INVALID) if config.has(ARM64_SWAP_LAYOUT) else bits(VALID, OLD_PROT_NONE)
    table, table_base = bits(VALID, TABLE), bits(VALID, TABLE, TABLE_PXN)
    if config.has(ARM64_TABLE_AF):
        table_base |= bits(ACCESS_FLAG)

    def of_pages(level: LevelName, height: int, upper: UpperFacts | None = None) -> PresentFacts:
        shared = 0 if _has_lpa2(config) else 3 << SHARED
        return PresentFacts(
            index_bits=per_table,
            page=_page(config, level, config.page_shift + height * per_table),
            table=None if level == "pte" else _table(config),
            upper=upper,
            attributes=_attributes(config, level),
            exceptions={}
            if _sees_protnone(config, level)
            else {"seen": lambda v: (v & bits(VALID, OLD_PROT_NONE, TABLE)) == bits(OLD_PROT_NONE)},
            base=bits(VALID, NG, PXN, UXN) | shared | (bits(TABLE) if level == "pte" else 0),
            table_base=table_base,
        )

    pud_upper = UpperFacts(
        none=lambda v: v == 0,
        present=lambda v: (v & present) != 0,
        leaf=never if large else lambda v: ((v & present) != 0) & ((v & table) != table),
        bad=lambda v: (v & table) != table,
    )

    def pud_pfn(v: Formula) -> Formula:
        # as of a page as large as a PUD maps, which there is not with the largest pages
        return ((to_table.address(v) >> pud_shift) << pud_shift) >> config.page_shift

    to_table, pud_shift = _table(config), config.page_shift + 2 * per_table
    bad = table if config.has(ARM64_P4D_BAD) else bits(TABLE)
    tables = PresentFacts(
        index_bits=per_table,
        table=to_table,
        upper=UpperFacts(none=lambda v: v == 0, present=lambda v: v != 0, bad=lambda v: (v & bad) != bad),
        table_base=table_base,
    )
    levels: list[tuple[LevelName, PresentFacts]] = [
        ("pte", of_pages("pte", 0)),
        ("pmd", of_pages("pmd", 1)),
        ("pud", tables._replace(upper=pud_upper, pfn=pud_pfn) if large else of_pages("pud", 2, pud_upper)),
        ("p4d", tables),
        ("pgd", tables),
    ]
    va_bits = config.number("va_bits")
    height = -((config.page_shift - va_bits) // per_table)
    used = levels[:height]
    name, root = used[-1]
    root = root._replace(index_bits=va_bits - config.page_shift - (height - 1) * per_table)
    # a root above the PMD is the PGD, whatever level the kernel's helpers take it for
    return {"pgd" if height > 2 else name: root, **dict(reversed(used[:-1]))}


def _virtual_bits(config: Config) -> tuple[int, ...]:
    small = config.page_size != LARGE_PAGE
    if small and config.number("pa_bits") == 52:
        return (52,)
    possible = VIRTUAL_BITS[config.page_size]
    return possible[:-1] if small else possible


def _no_lpa2(value: Value, config: Config) -> str | None:
    if value == 48 or config.page_size == LARGE_PAGE or config.has(ARM64_LPA2):
        return None
    return f"kernel {config.kernel} lacks {ARM64_LPA2}; allowed: 48"


def _large_pages(_value: Value, config: Config) -> str | None:
    if config.page_size != LARGE_PAGE:
        return None
    return f"with pages of {LARGE_PAGE} bytes pa_bits is CONFIG_ARM64_PA_BITS in every kernel; allowed: False"


ARM64 = Architecture(
    name="arm64",
    aliases=("aarch64",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096, 16384, 65536), 4096),
        pa_bits=Choice((48, 52), 48, unless=_no_lpa2, help="52 if LPA or LPA2 is active"),
        va_bits=VirtualBits(_virtual_bits, (48, 36, 39, 42, 47, 52)),
        static_pa_bits=Switch(
            since=ARM64_LPA2,
            until=ARM64_RUN_TIME_PA_BITS,
            on=False,
            unless=_large_pages,
            help="6.9 to 6.13: built for 52 bits, and MAX_PHYSMEM_BITS is 52 though the CPU has no LPA2",
            numbers_only=True,
        ),
        soft_dirty=Switch(possible=False),
        uffd=Switch(since=ARM64_UFFD),
        device_private=Switch(since=ARM64_ZONE_DEVICE),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 52 if config.is_on("static_pa_bits") else config.number("pa_bits"),
    ),
    facts=_facts,
    present=_present,
    hazards=(zero_entry("pte", "pmd"),),
    pmd_softleaf_since=ARM64_THP_MIGRATION,
    passing=("pa_bits", "static_pa_bits"),
    machine=Machine(
        "arm64",
        kernel="arm64",
        source="arm64",
        triple="aarch64-linux-gnu",
        emulation="aarch64linux",
        qemu="qemu-aarch64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT __SWP_OFFSET_BITS VA_BITS PHYS_MASK_SHIFT "
        "CONFIG_ARM64_PA_BITS",
        words="PTE_SWP_EXCLUSIVE PTE_SWP_UFFD_WP PTE_SWP_UFFD PTE_VALID PTE_PRESENT_INVALID",
    ),
)
