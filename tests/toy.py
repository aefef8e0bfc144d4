"""A toy architecture: what CONTRIBUTING asks of a newcomer, and nothing else."""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.hazards import zero_entry
from pmdswp.layout import Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import PMD_SWAP
from pmdswp.softleaf import LevelName

__all__ = ["TOY"]

PRESENT, LARGE, EXCLUSIVE, SOFT_DIRTY, UFFD = 0, 1, 2, 3, 4


def _layout(config: Config, level: LevelName) -> Layout:
    return Layout(
        (
            fixed("present", PRESENT, 0, "TOY_PRESENT", "not present"),
            zero(LARGE, kernel_name="TOY_LARGE"),
            flag(
                "exclusive",
                EXCLUSIVE,
                "TOY_SWP_EXCLUSIVE",
                "exclusive to one process",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else None,
            ),
            flag("soft_dirty", SOFT_DIRTY, "TOY_SWP_SOFT_DIRTY", "soft-dirty", configured=config.soft_dirty),
            flag("uffd", UFFD, f"TOY_SWP_{config.uffd_name}", "watched by userfaultfd", configured=config.uffd),
            zero(5, 2),
            value("type", 7, 5, "TOY_TYPE", "swap type"),
            value("offset", 12, 52, "TOY_OFFSET", "swap offset"),
        )
    )


def _facts(config: Config) -> Facts:
    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: v == 0,
            present=lambda v: (v & bits(PRESENT)) != 0,
            page=bits(PRESENT),
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & bits(PRESENT)) != 0,
            leaf=lambda v: (v & bits(LARGE)) != 0,
            trans_huge=lambda v: (v & bits(PRESENT, LARGE)) == bits(PRESENT, LARGE),
            bad=lambda v: (v & bits(PRESENT, LARGE)) != bits(PRESENT),
            page=bits(PRESENT, LARGE),
            table=bits(PRESENT),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
        pfn_lsb=12,
    )


TOY = Architecture(
    name="toy",
    aliases=("toybox",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096,), 4096),
        # an option that no other architecture has
        wheels=Choice((3, 4), 4, help="wheels of the toy"),
        soft_dirty=Switch(),
        uffd=Switch(),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 44 + config.number("wheels"),
    ),
    facts=_facts,
    hazards=(zero_entry("pte", "pmd"),),
)
