"""arm64: arch/arm64/include/asm/pgtable.h, pgtable-prot.h, pgtable-hwdef.h.

One layout for PTE and PMD, for every page size and address width, since 6.10 (55564814a838 moved
PTE_PRESENT_INVALID, 5b32510af77b added the uffd bit). There is no soft-dirty bit. Neither type nor offset is
masked when it is stored.
"""

from __future__ import annotations

from pmdswp.arch.base import Architecture, Facts
from pmdswp.config import ARM64_SWAP_LAYOUT, ARM64_UFFD, PMD_SWAP, Choice, Config, Switch, common_options
from pmdswp.hazards import zero_entry
from pmdswp.layout import Layout, bits, fixed, flag, value, zero
from pmdswp.softleaf import Level

__all__ = ["ARM64"]

VALID, TABLE, EXCLUSIVE, UFFD, PRESENT_INVALID = 0, 1, 2, 3, 11


def _layout(config: Config, level: Level) -> Layout:
    return Layout(
        (
            fixed("valid", VALID, 0, "PTE_VALID", "not present"),
            zero(TABLE),
            flag(
                "exclusive",
                EXCLUSIVE,
                "PTE_SWP_EXCLUSIVE",
                "exclusive to one process",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else None,
            ),
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


def _facts(config: Config) -> Facts:
    present = bits(VALID, PRESENT_INVALID)
    table = bits(VALID, TABLE)
    return Facts(
        pte_layout=_layout(config, "pte"),
        pmd_layout=_layout(config, "pmd"),
        pmd_shift=2 * config.page_shift - 3,
        ptrs_per_pmd=config.page_size // 8,
        pte_none=lambda v: v == 0,
        pte_present=lambda v: (v & present) != 0,
        pmd_none=lambda v: v == 0,
        pmd_present=lambda v: (v & present) != 0,
        pmd_leaf=lambda v: ((v & present) != 0) & ((v & table) != table),
        pmd_trans_huge=lambda v: ((v & present) != 0) & ((v & bits(TABLE)) == 0),
        pmd_bad=lambda v: (v & table) != table,
    )


ARM64 = Architecture(
    name="arm64",
    aliases=("aarch64",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096, 16384, 65536), 4096),
        pa_bits=Choice((48, 52), 48),
        soft_dirty=Switch(possible=False),
        uffd=Switch(),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: config.pa_bits,
    ),
    facts=_facts,
    hazards=(zero_entry("pte", "pmd"),),
)
