"""A toy architecture: what CONTRIBUTING asks of a newcomer, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from pmdswp.arch.facts import Architecture, Attribute, Facts, LevelFacts, PresentFacts, UpperFacts, no_bit
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.formula import MASK64
from pmdswp.hazards import zero_entry
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, value, zero
from pmdswp.revisions import PMD_SWAP
from pmdswp.softleaf import LevelName

__all__ = ["TOY"]

PRESENT, LARGE, EXCLUSIVE, SOFT_DIRTY, UFFD = 0, 1, 2, 3, 4
WRITE, READ_ONCE, LOCKED, HIGH_ADDRESS = 2, 5, 6, 60


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
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: v == 0,
            present=lambda v: (v & bits(PRESENT)) != 0,
            leaf=lambda v: (v & bits(LARGE)) != 0,
            trans_huge=lambda v: (v & bits(PRESENT, LARGE)) == bits(PRESENT, LARGE),
            bad=lambda v: (v & bits(PRESENT, LARGE)) != bits(PRESENT),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
    )


def _page(config: Config, shift: int, large: Field) -> PresentLayout:
    """A page, with the uppermost bits of its address where there was room."""
    return PresentLayout(
        (
            fixed("present", PRESENT, 1, "TOY_PRESENT", "present"),
            large,
            flag("write", WRITE, "TOY_WRITE", "writable"),
            flag("soft_dirty", SOFT_DIRTY, "TOY_SOFT_DIRTY", "soft-dirty", configured=config.soft_dirty),
            flag("uffd", UFFD, f"TOY_{config.uffd_name}", "watched by userfaultfd", configured=config.uffd),
            flag("read_once", READ_ONCE, "TOY_READ_ONCE", "not young"),
            flag("locked", LOCKED, "TOY_LOCKED", "neither writable nor for user space"),
            zero(7, shift - 7),
            address(shift, 44 - shift, "TOY_ADDRESS", "physical address"),
            zero(44, HIGH_ADDRESS - 44),
            address(HIGH_ADDRESS, 4, "TOY_HIGH_ADDRESS", "its bits 44-47", name="address_high", bit=44),
        )
    )


def _table(*, locks: bool) -> PresentLayout:
    return PresentLayout(
        (
            fixed("present", PRESENT, 1, "TOY_PRESENT", "present"),
            fixed("large", LARGE, 0, "TOY_LARGE", "points to a table"),
            zero(2, 4),
            flag("locked", LOCKED, "TOY_LOCKED", "nothing below is for user space", configured=locks),
            zero(7, 3),
            # tables are smaller than a page
            address(10, 54, "TOY_TABLE", "physical address of the table"),
        )
    )


def _attributes(config: Config) -> Mapping[str, Attribute]:
    soft_dirty = bits(SOFT_DIRTY) if config.soft_dirty else 0
    return {
        "young": no_bit(bits(READ_ONCE)),
        "user": no_bit(bits(LOCKED))._replace(set_changes={"write": True}, clear_changes={"write": False}),
        # what is locked is not writable, whatever the other bit says
        "write": Attribute(
            lambda v: (v & bits(WRITE, LOCKED)) == bits(WRITE),
            lambda v: (v | bits(WRITE) | soft_dirty) & (MASK64 ^ bits(LOCKED)),
            lambda v: v & (MASK64 ^ bits(WRITE)),
            set_changes={"user": True, "soft_dirty": True},
        ),
    }


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    attributes = _attributes(config)
    return {
        "pgd": PresentFacts(
            index_bits=10,
            table=_table(locks=False),
            upper=UpperFacts(
                none=lambda v: v == 0,
                present=lambda v: (v & bits(PRESENT)) != 0,
                bad=lambda v: (v & bits(PRESENT, LARGE)) != bits(PRESENT),
            ),
            table_base=bits(PRESENT),
        ),
        "pmd": PresentFacts(
            index_bits=9,
            page=_page(config, 21, fixed("large", LARGE, 1, "TOY_LARGE", "maps a page")),
            table=_table(locks=True),
            attributes=attributes,
            base=bits(PRESENT, LARGE),
            table_base=bits(PRESENT),
        ),
        "pte": PresentFacts(
            index_bits=9,
            page=_page(config, 12, zero(LARGE)),
            attributes=attributes,
            base=bits(PRESENT),
        ),
    }


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
    present=_present,
    hazards=(zero_entry("pte", "pmd"),),
)
