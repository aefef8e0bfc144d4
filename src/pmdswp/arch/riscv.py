"""riscv64: arch/riscv/include/asm/pgtable.h, pgtable-bits.h; the same for Sv39, Sv48 and Sv57.

One layout for PTE and PMD. Before 6.3 there was no exclusive bit, and type and offset began one bit lower; the comment
in the 6.1 header says that the offset begins at bit 10, and the macros put it at 11. Soft-dirty and uffd exist since
6.19, and only where the CPU has Svrsw60t59b. Swap soft-dirty is _PAGE_EXEC, one of the leaf bits that pmd_present()
tests: a soft-dirty PMD entry reads back as present.
"""

from __future__ import annotations

from functools import partial

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.hazards import Hazard, zero_entry
from pmdswp.layout import Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import PMD_SWAP, RISCV_EXCLUSIVE, RISCV_SOFT_DIRTY, RISCV_UFFD, RISCV_ZONE_DEVICE
from pmdswp.softleaf import LevelName, State

__all__ = ["RISCV64"]

PRESENT, READ, WRITE, EXEC, USER, PROT_NONE, ACCESSED = 0, 1, 2, 3, 4, 5, 6
LEAF = bits(READ, WRITE, EXEC)


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
            fixed("prot_none", PROT_NONE, 0, "_PAGE_PROT_NONE", "not present (= _PAGE_GLOBAL)"),
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
            fixed("prot_none", PROT_NONE, 0, "_PAGE_PROT_NONE", "not present (= _PAGE_GLOBAL)"),
            value("type", 6, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False),
            value("offset", 11, 53, "__SWP_OFFSET_SHIFT", "swap offset"),
        )
    )


def _facts(config: Config) -> Facts:
    layout = partial(_layout, config) if config.has(RISCV_EXCLUSIVE) else _layout_before_6_3
    pte_present = bits(PRESENT, PROT_NONE)
    pmd_present = pte_present | LEAF if config.thp else pte_present
    page = bits(PRESENT, READ, USER, ACCESSED)
    return Facts(
        pte=LevelFacts(
            layout=layout("pte"),
            none=lambda v: v == 0,
            present=lambda v: (v & pte_present) != 0,
            page=page,
        ),
        pmd=LevelFacts(
            layout=layout("pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & pmd_present) != 0,
            leaf=lambda v: ((v & pmd_present) != 0) & ((v & LEAF) != 0),
            trans_huge=lambda v: ((v & pmd_present) != 0) & ((v & LEAF) != 0),
            bad=lambda v: ((v & pmd_present) == 0) | ((v & LEAF) != 0),
            page=page,
            table=bits(PRESENT),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
        pfn_lsb=10,
    )


RISCV64 = Architecture(
    name="riscv64",
    aliases=("riscv",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096,), 4096),
        svrsw60t59b=Switch(since=RISCV_SOFT_DIRTY, on=False, help="the CPU has the extension Svrsw60t59b"),
        soft_dirty=Switch(needs="svrsw60t59b"),
        uffd=Switch(needs="svrsw60t59b"),
        device_private=Switch(since=RISCV_ZONE_DEVICE),
        memory_failure=Switch(possible=False),
        max_physmem_bits=lambda config: 56,
    ),
    facts=_facts,
    present=lambda config: {},
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
    full=("svrsw60t59b",),
    machine=Machine(
        "riscv64",
        kernel="riscv",
        source="riscv",
        emulation="elf64lriscv",
        qemu="qemu-riscv64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_SWP_SOFT_DIRTY _PAGE_SWP_UFFD_WP _PAGE_SWP_UFFD _PAGE_UFFD "
        "_PAGE_SOFT_DIRTY _PAGE_PRESENT _PAGE_PROT_NONE _PAGE_GLOBAL _PAGE_LEAF",
    ),
)
