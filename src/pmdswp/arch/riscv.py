"""riscv64: arch/riscv/include/asm/pgtable.h, pgtable-64.h, pgtable-bits.h; the same for Sv39, Sv48 and Sv57.

One layout for PTE and PMD. Before 6.3 there was no exclusive bit, and type and offset began one bit lower; the comment
in the 6.1 header says that the offset begins at bit 10, and the macros put it at 11. Soft-dirty and uffd exist since
6.19, and only where the CPU has Svrsw60t59b. Swap soft-dirty is _PAGE_EXEC, one of the leaf bits that pmd_present()
tests: a soft-dirty PMD entry reads back as present.

Before 5.17 PROT_NONE was _PAGE_READ, and type and offset began four bits lower; no PMD held a softleaf. 4.19 had no
PROT_NONE bit at all. Until 5.16 there was Sv39 alone.

A frame number begins at bit 10 of the word, so that its address is two bits lower there than in memory. What has R, W
or X maps a page, and what has none of them points to a table. With Sv48 the P4D is folded, with Sv39 the PUD too: the
entries of the root table are what the helpers of the folded level are asked of.
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
)
from pmdswp.config import Choice, Config, Switch, VirtualBits, common_options
from pmdswp.formula import MASK64, Formula
from pmdswp.hazards import Hazard, zero_entry
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, ignored, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    PMD_SWAP,
    RISCV_EXCLUSIVE,
    RISCV_NAPOT,
    RISCV_PMD_SPECIAL,
    RISCV_PROT_NONE,
    RISCV_PUD_BAD,
    RISCV_SHADOW_STACK,
    RISCV_SOFT_DIRTY,
    RISCV_SV48,
    RISCV_SV57,
    RISCV_SVPBMT,
    RISCV_SWAP_LAYOUT,
    RISCV_THP,
    RISCV_THP_MIGRATION,
    RISCV_UFFD,
    RISCV_ZONE_DEVICE,
)
from pmdswp.softleaf import LevelName, State

__all__ = ["RISCV64"]

PRESENT, READ, WRITE, EXEC, USER, PROT_NONE, ACCESSED = 0, 1, 2, 3, 4, 5, 6
GLOBAL, DIRTY, SPECIAL, DEVMAP, PFN, PFN_END, PRESENT_SOFT_DIRTY, PRESENT_UFFD, NAPOT = 5, 7, 8, 9, 10, 54, 59, 60, 63
LEAF = bits(READ, WRITE, EXEC)
PAGE_SHIFTS: Mapping[LevelName, int] = {"pte": 12, "pmd": 21, "pud": 30}


def _prot_none() -> Field:
    return fixed("prot_none", PROT_NONE, 0, "_PAGE_PROT_NONE", "not present (= _PAGE_GLOBAL)", since=RISCV_SWAP_LAYOUT)


def _layout(config: Config, level: LevelName) -> Layout:
    pmd = level == "pmd"
    leaf = (
        fixed("leaf", READ, 0, "_PAGE_READ | _PAGE_WRITE", "pmd_present() tests them", width=2)
        if pmd
        else zero(READ, 2, kernel_name="_PAGE_READ | _PAGE_WRITE")
    )
    soft_dirty = (
        fixed("exec", EXEC, 0, "_PAGE_EXEC", "pmd_present() tests it")
        if pmd and not config.soft_dirty
        else flag(
            "soft_dirty",
            EXEC,
            "_PAGE_SWP_SOFT_DIRTY",
            "soft-dirty (= _PAGE_EXEC)",
            configured=config.soft_dirty,
            since=RISCV_SOFT_DIRTY,
        )
    )
    return Layout(
        (
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            leaf,
            soft_dirty,
            flag(
                "uffd",
                USER,
                f"_PAGE_SWP_{config.uffd_name}",
                "watched by userfaultfd (= _PAGE_USER)",
                configured=config.uffd,
                since=RISCV_UFFD,
            ),
            _prot_none(),
            flag(
                "exclusive",
                ACCESSED,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_ACCESSED)",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if pmd else RISCV_EXCLUSIVE,
            ),
            value("type", 7, 5, "__SWP_TYPE_SHIFT", "swap type", since=RISCV_EXCLUSIVE),
            value("offset", 12, 52, "__SWP_OFFSET_SHIFT", "swap offset", since=RISCV_EXCLUSIVE),
        )
    )


def _layout_before_6_3(level: LevelName) -> Layout:
    return Layout(
        (
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            fixed("leaf", READ, 0, "_PAGE_LEAF", "pmd_present() tests them", width=3)
            if level == "pmd"
            else zero(READ, 3, kernel_name="_PAGE_LEAF"),
            zero(USER, kernel_name="_PAGE_USER"),
            _prot_none(),
            value("type", 6, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False, since=RISCV_SWAP_LAYOUT),
            value("offset", 11, 53, "__SWP_OFFSET_SHIFT", "swap offset", since=RISCV_SWAP_LAYOUT),
        )
    )


def _layout_before_5_17(config: Config) -> Layout:
    return Layout(
        (
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            fixed("prot_none", READ, 0, "_PAGE_PROT_NONE", "not present (= _PAGE_READ)", since=RISCV_PROT_NONE)
            if config.has(RISCV_PROT_NONE)
            else zero(READ),
            value("type", 2, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False),
            value("offset", 7, 57, "__SWP_OFFSET_SHIFT", "swap offset"),
        )
    )


def _layout_of(config: Config, level: LevelName) -> Layout:
    if config.has(RISCV_EXCLUSIVE):
        return _layout(config, level)
    return _layout_before_6_3(level) if config.has(RISCV_SWAP_LAYOUT) else _layout_before_5_17(config)


def _pte_present(config: Config) -> int:
    return bits(PRESENT) | _prot_none_bits(config)


def _pmd_bad(config: Config, present: int) -> Predicate:
    leaf = LEAF if config.has(RISCV_THP) else 0
    return lambda v: ((v & present) == 0) | ((v & leaf) != 0)


def _facts(config: Config) -> Facts:
    pte_present = _pte_present(config)
    pmd_present = pte_present | LEAF if config.thp else pte_present
    return Facts(
        pte=LevelFacts(
            layout=_layout_of(config, "pte"),
            none=lambda v: v == 0,
            present=lambda v: (v & pte_present) != 0,
        ),
        pmd=LevelFacts(
            layout=_layout_of(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & pmd_present) != 0,
            leaf=lambda v: ((v & pmd_present) != 0) & ((v & LEAF) != 0),
            trans_huge=lambda v: ((v & pmd_present) != 0) & ((v & LEAF) != 0),
            bad=_pmd_bad(config, pmd_present),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
    )


def _page(config: Config, level: LevelName) -> PresentLayout:
    below = PAGE_SHIFTS[level] - PAGE_SHIFTS["pte"]
    old, without_present = not config.has(RISCV_SWAP_LAYOUT), "; without present: _PAGE_PROT_NONE"
    return PresentLayout(
        (
            flag("present", PRESENT, "_PAGE_PRESENT", "the CPU may use the entry (V)"),
            flag("read", READ, "_PAGE_READ", f"readable (R){without_present if old else ''}"),
            flag("write", WRITE, "_PAGE_WRITE", "writable (W)"),
            flag("exec", EXEC, "_PAGE_EXEC", "may be executed (X)"),
            flag("user", USER, "_PAGE_USER", "for user space (U)"),
            flag("global", GLOBAL, "_PAGE_GLOBAL", f"in every address space (G){'' if old else without_present}"),
            flag("young", ACCESSED, "_PAGE_ACCESSED", "was accessed (A)"),
            flag("dirty", DIRTY, "_PAGE_DIRTY", "was written to (D)"),
            flag("special", SPECIAL, "_PAGE_SPECIAL", "no page that the mm counts (RSW)"),
            _devmap(config),
            *((zero(PFN, below, meaning="a page of this size is aligned"),) if below else ()),
            address(PFN + below, PFN_END - PFN - below, "_PAGE_PFN_MASK", "physical address", bit=PAGE_SHIFTS[level]),
            zero(PFN_END, PRESENT_SOFT_DIRTY - PFN_END, meaning="reserved"),
            _software("soft_dirty", PRESENT_SOFT_DIRTY, "_PAGE_SOFT_DIRTY", config.soft_dirty, "soft-dirty"),
            _software("uffd", PRESENT_UFFD, f"_PAGE_{config.uffd_name}", config.uffd, "watched by userfaultfd"),
            value("pbmt", 61, 2, "_PAGE_MTMASK", "memory type (Svpbmt): 0 that of the platform, 1 NC, 2 IO")
            if config.has(RISCV_SVPBMT)
            else zero(61, 2, meaning="reserved"),
            flag("napot", NAPOT, "_PAGE_NAPOT", "one of a run of pages (Svnapot)", since=RISCV_NAPOT)
            if level == "pte" and config.has(RISCV_NAPOT)
            else zero(NAPOT),
        )
    )


def _devmap(config: Config) -> Field:
    if config.has(RISCV_ZONE_DEVICE) and not config.has(DEVMAP_REMOVED):
        return flag("devmap", DEVMAP, "_PAGE_DEVMAP", "device memory with struct pages (RSW)", since=RISCV_ZONE_DEVICE)
    return ignored("rsw", DEVMAP, "_PAGE_SOFT", "not used (RSW)")


def _software(name: str, bit: int, kernel_name: str, configured: bool, meaning: str) -> Field:  # noqa: FBT001
    """A bit that Svrsw60t59b leaves to software; without it hardware reserves the bit."""
    since = RISCV_SOFT_DIRTY if name == "soft_dirty" else RISCV_UFFD
    return flag(name, bit, kernel_name, f"{meaning} (Svrsw60t59b)", configured=configured, since=since)


TABLE = PresentLayout(
    (
        fixed("present", PRESENT, 1, "_PAGE_PRESENT", "the CPU may use the entry"),
        fixed("leaf", READ, 0, "_PAGE_LEAF", "points to a table", width=3),
        zero(USER, 4, meaning="reserved in a table's entry"),
        ignored("rsw", SPECIAL, "_PAGE_SOFT", "not used", width=2),
        address(PFN, PFN_END - PFN, "_PAGE_PFN_MASK", "physical address of the table", bit=12),
        zero(PFN_END, 64 - PFN_END, meaning="reserved"),
    )
)


def _attributes(config: Config, level: LevelName) -> dict[str, Attribute | None]:
    present, prot_none = bits(PRESENT, GLOBAL), _prot_none_bits(config)
    shares = prot_none == bits(GLOBAL)
    readable = bits(READ) if config.has(RISCV_SHADOW_STACK) else 0
    soft_dirty = bits(PRESENT_SOFT_DIRTY) if config.soft_dirty else 0

    def wrprotect(v: Formula) -> Formula:
        # what is written to and not read would be a shadow stack, and what is neither would be a table
        return (v & (MASK64 ^ bits(WRITE))) | readable if readable else v & (MASK64 ^ bits(WRITE))

    # with CONFIG_TRANSPARENT_HUGEPAGE a PMD is present by its leaf bits alone
    by_leaf = {"protnone": True} if level == "pmd" and config.thp else {}
    # without any of the three bits it points to a table
    no_leaf = {} if readable else {"huge": False}
    return {
        "write": any_bit(bits(WRITE))._replace(clear=wrprotect, clear_changes=no_leaf),
        "dirty": any_bit(bits(DIRTY), sets=bits(DIRTY) | soft_dirty)._replace(set_changes={"soft_dirty": True}),
        "exec": any_bit(bits(EXEC))._replace(clear_changes={"huge": False}),
        "special": any_bit(bits(SPECIAL)) if level == "pte" or config.has(RISCV_PMD_SPECIAL) else None,
        "uffd": any_bit(bits(PRESENT_UFFD))._replace(
            set=lambda v: wrprotect(v | bits(PRESENT_UFFD)), set_changes={"write": False, **no_leaf}
        )
        if config.uffd
        else None,
        "protnone": Attribute(
            lambda v: (v & (bits(PRESENT) | prot_none)) == prot_none,
            lambda v: (v & (MASK64 ^ bits(PRESENT))) | prot_none,
            lambda v: v | bits(PRESENT),
            set_changes={"global": False} if shares else {},
            clear_changes={"global": True} if shares else {},
        )
        # above the PMD nothing without _PAGE_PRESENT is present
        if prot_none and level in ("pte", "pmd")
        else None,
        # without _PAGE_PRESENT the bit is _PAGE_PROT_NONE, which nothing but protnone takes away
        "global": Attribute(
            lambda v: (v & present) == present,
            lambda v: v | bits(GLOBAL),
            lambda v: v ^ (((v >> GLOBAL) & (v & 1)) << GLOBAL),
            set_changes={"global": False, **by_leaf} if level in ("pte", "pmd") else {},
        )
        if shares
        else any_bit(bits(GLOBAL)),
    }


def _prot_none_bits(config: Config) -> int:
    if config.has(RISCV_SWAP_LAYOUT):
        return bits(PROT_NONE)
    return bits(READ) if config.has(RISCV_PROT_NONE) else 0


def _napot_address(v: Formula) -> Formula:
    """Of a run of pages the lowest bit that is set in the frame number says how many; the rest is the frame."""
    pfn = TABLE.address(v) >> PAGE_SHIFTS["pte"]
    return (pfn & (pfn - (v >> NAPOT))) << PAGE_SHIFTS["pte"]


def _unmasked_pfn(v: Formula) -> Formula:
    """What is above the frame's bits counted for it, though hardware reserves it."""
    return v >> PFN


def _unmasked_table(v: Formula) -> Formula:
    return ((v >> PFN) << PAGE_SHIFTS["pte"]) & MASK64


def _virtual_bits(config: Config) -> tuple[int, ...]:
    """The sizes of virtual addresses that a kernel has page tables for, whichever the CPU knows."""
    if not config.has(RISCV_SV48):
        return (39,)
    return (57, 48, 39) if config.has(RISCV_SV57) else (48, 39)


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    has_napot = config.is_on("svnapot") and config.has(RISCV_NAPOT)
    is_masked = config.has(RISCV_SVPBMT)

    def of_pages(level: LevelName, upper: UpperFacts | None = None) -> PresentFacts:
        return PresentFacts(
            index_bits=9,
            page=_page(config, level),
            table=None if level == "pte" else TABLE,
            upper=upper,
            attributes=_attributes(config, level),
            pfn=None if is_masked else _unmasked_pfn,
            table_address=None if is_masked else _unmasked_table,
            page_address=_napot_address if level == "pte" and has_napot else None,
            base=bits(PRESENT, READ),
            table_base=bits(PRESENT),
        )

    def is_present(v: Formula) -> Formula:
        return (v & bits(PRESENT)) != 0

    def is_absent(v: Formula) -> Formula:
        return (v & bits(PRESENT)) == 0

    tables = PresentFacts(
        index_bits=9,
        table=TABLE,
        upper=UpperFacts(none=lambda v: v == 0, present=is_present, leaf=never, bad=is_absent),
        table_address=None if is_masked else _unmasked_table,
        table_base=bits(PRESENT),
    )
    pud = of_pages(
        "pud",
        UpperFacts(
            none=lambda v: v == 0,
            present=is_present,
            leaf=lambda v: is_present(v) & ((v & LEAF) != 0),
            bad=(lambda v: is_absent(v) | ((v & LEAF) != 0)) if config.has(RISCV_PUD_BAD) else is_absent,
        ),
    )
    top: Mapping[int, dict[LevelName, PresentFacts]] = {
        39: {"pgd": pud},
        48: {"pgd": tables, "pud": pud},
        57: {"pgd": tables, "p4d": tables, "pud": pud},
    }
    return {**top[config.number("va_bits")], "pmd": of_pages("pmd"), "pte": of_pages("pte")}


RISCV64 = Architecture(
    name="riscv64",
    aliases=("riscv", "riscv64gc", "rv64"),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096,), 4096),
        va_bits=VirtualBits(_virtual_bits, (57, 48, 39)),
        svnapot=Switch(on=False, help="the CPU has the extension Svnapot, which counts since 6.4", numbers_only=True),
        svrsw60t59b=Switch(since=RISCV_SOFT_DIRTY, on=False, help="the CPU has the extension Svrsw60t59b"),
        soft_dirty=Switch(needs="svrsw60t59b"),
        uffd=Switch(needs="svrsw60t59b"),
        device_private=Switch(since=RISCV_ZONE_DEVICE),
        memory_failure=Switch(possible=False),
        max_physmem_bits=lambda config: 56,
        thp=Switch(since=RISCV_THP),
    ),
    facts=_facts,
    present=_present,
    hazards=(
        zero_entry("pte", "pmd"),
        Hazard(
            levels=("pmd",),
            reads_as=State.PRESENT,
            entries="soft-dirty set (Svrsw60t59b, since 6.19)",
            entry=lambda _type, _offset, flags: flags["soft_dirty"],
            explanation="Swap soft-dirty is bit 3, _PAGE_EXEC, one of the leaf bits that pmd_present() tests: every "
            "soft-dirty PMD softleaf reads as a present huge page, and softleaf_from_pmd() gives the none leaf.",
            applies=lambda config: config.soft_dirty,
        ),
    ),
    pmd_softleaf_since=RISCV_THP_MIGRATION,
    full=("svrsw60t59b",),
    sign_extends=True,
    machine=Machine(
        "riscv64",
        kernel="riscv",
        source="riscv",
        triple="riscv64-linux-gnu",
        emulation="elf64lriscv",
        qemu="qemu-riscv64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_SWP_SOFT_DIRTY _PAGE_SWP_UFFD_WP _PAGE_SWP_UFFD _PAGE_UFFD "
        "_PAGE_SOFT_DIRTY _PAGE_PRESENT _PAGE_PROT_NONE _PAGE_GLOBAL _PAGE_LEAF",
    ),
)
