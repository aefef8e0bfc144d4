"""arm64: arch/arm64/include/asm/pgtable.h, pgtable-prot.h, pgtable-hwdef.h.

One layout for PTE and PMD, for every page size and address width. It moved with 6.10, when PROT_NONE lost its own bit
and PTE_PRESENT_INVALID became PTE_NG; 6.10 also added the uffd bit. There is no soft-dirty bit. The kernel masks
neither type nor offset when it stores them.
"""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine
from pmdswp.config import Choice, Config, Switch, Value, common_options
from pmdswp.hazards import zero_entry
from pmdswp.layout import Field, Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import ARM64_LPA2, ARM64_RUN_TIME_PA_BITS, ARM64_SWAP_LAYOUT, ARM64_UFFD, PMD_SWAP
from pmdswp.softleaf import LevelName

__all__ = ["ARM64"]

LARGE_PAGE = 65536

VALID, TABLE, EXCLUSIVE, UFFD, ACCESS_FLAG, PRESENT_INVALID = 0, 1, 2, 3, 10, 11
OLD_PROT_NONE, OLD_PRESENT_INVALID = 58, 59
"""Before 6.10."""


def _exclusive(config: Config, level: LevelName) -> Field:
    return flag(
        "exclusive",
        EXCLUSIVE,
        "PTE_SWP_EXCLUSIVE",
        "exclusive to one process",
        configured=config.has_exclusive(level),
        since=PMD_SWAP if level == "pmd" else None,
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
    return Layout(
        (
            fixed("valid", VALID, 0, "PTE_VALID", "not present"),
            zero(TABLE),
            _exclusive(config, level),
            value("type", 3, 5, "__SWP_TYPE_SHIFT", "swap type", masked=False),
            value("offset", 8, 50, "__SWP_OFFSET_SHIFT", "swap offset", masked=False),
            fixed("prot_none", OLD_PROT_NONE, 0, "PTE_PROT_NONE", "not present"),
            fixed("present_invalid", OLD_PRESENT_INVALID, 0, "PMD_PRESENT_INVALID", "not present")
            if level == "pmd"
            else zero(OLD_PRESENT_INVALID),
            zero(60, 4),
        )
    )


def _facts(config: Config) -> Facts:
    if config.has(ARM64_SWAP_LAYOUT):
        layout, pte_present = _layout, bits(VALID, PRESENT_INVALID)
        pmd_present = pte_present
    else:
        layout, pte_present = _layout_before_6_10, bits(VALID, OLD_PROT_NONE)
        pmd_present = pte_present | bits(OLD_PRESENT_INVALID)
    table = bits(VALID, TABLE)
    return Facts(
        pte=LevelFacts(
            layout=layout(config, "pte"),
            none=lambda v: v == 0,
            present=lambda v: (v & pte_present) != 0,
            page=bits(VALID, TABLE, ACCESS_FLAG),
        ),
        pmd=LevelFacts(
            layout=layout(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & pmd_present) != 0,
            leaf=lambda v: ((v & pmd_present) != 0) & ((v & table) != table),
            trans_huge=lambda v: ((v & pmd_present) != 0) & ((v & bits(TABLE)) == 0),
            bad=lambda v: (v & table) != table,
            page=bits(VALID, ACCESS_FLAG),
            table=table,
        ),
        pmd_shift=2 * config.page_shift - 3,
        ptrs_per_pmd=config.page_size // 8,
        pfn_lsb=config.page_shift,
    )


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
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 52 if config.is_on("static_pa_bits") else config.number("pa_bits"),
    ),
    facts=_facts,
    present=lambda config: {},
    hazards=(zero_entry("pte", "pmd"),),
    passing=("pa_bits", "static_pa_bits"),
    machine=Machine(
        "arm64",
        kernel="arm64",
        source="arm64",
        emulation="aarch64linux",
        qemu="qemu-aarch64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT __SWP_OFFSET_BITS VA_BITS PHYS_MASK_SHIFT "
        "CONFIG_ARM64_PA_BITS",
        words="PTE_SWP_EXCLUSIVE PTE_SWP_UFFD_WP PTE_SWP_UFFD PTE_VALID PTE_PRESENT_INVALID",
    ),
)
