"""loongarch64: arch/loongarch/include/asm/pgtable.h, pgtable-bits.h.

A swap PMD is the PTE form with _PAGE_HUGE set; an empty PMD is not 0 but the address of `invalid_pte_table`, which
differs from build to build and may be relocated at boot. pmd_present() tests bit 60 of a huge entry, and that is bit 36
of the swap offset: a PMD entry with it set reads back as present (with 4K pages it is the migration young bit). There
is no soft-dirty and no uffd bit. The type has 7 bits in the word, of which the generic layer uses 5; before 6.3 it had
8, and there was no exclusive bit.
"""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine
from pmdswp.config import Address, Choice, Config, Switch, common_options
from pmdswp.formula import MASK64
from pmdswp.hazards import Hazard, zero_entry
from pmdswp.layout import Field, Layout, bits, fixed, flag, value, zero
from pmdswp.revisions import LOONGARCH_EXCLUSIVE, LOONGARCH_RESPELLED, LOONGARCH_ZONE_DEVICE, PMD_SWAP
from pmdswp.softleaf import LevelName, State

__all__ = ["LOONGARCH64"]

VALID, GLOBAL, HUGE = 0, 6, 6
PRESENT, PROTNONE, TYPE, EXCLUSIVE, OFFSET, PRESENT_INVALID = 7, 10, 16, 23, 24, 60


def _type_and_exclusive(config: Config, level: LevelName, name: str) -> tuple[Field, ...]:
    """Bits 16 to 23: a type of seven bits below the exclusive bit, or one of eight, which is not masked."""
    if not config.has(LOONGARCH_EXCLUSIVE):
        return (value("type", TYPE, 8, name, "swap type", masked=False),)
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
            fixed("huge", HUGE, 1, "_PAGE_HUGE", "without it the word is a pointer to a table")
            if level == "pmd"
            else zero(GLOBAL, kernel_name="_PAGE_GLOBAL"),
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            zero(8, 2),
            fixed("protnone", PROTNONE, 0, "_PAGE_PROTNONE", "not present"),
            zero(11, 5),
            *_type_and_exclusive(config, level, name="__SWP_TYPE_SHIFT" if named else ""),
            value("offset", OFFSET, 40, "__SWP_OFFSET_SHIFT" if named else "", "swap offset"),
        )
    )


def _facts(config: Config) -> Facts:
    huge, invalid_pte_table = bits(HUGE), config.number("invalid_pte_table")
    huge_present = bits(PRESENT, PROTNONE, PRESENT_INVALID)

    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & (MASK64 ^ bits(GLOBAL))) == 0,
            present=lambda v: (v & bits(PRESENT, PROTNONE)) != 0,
            page=bits(VALID, PRESENT),
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
            page=bits(VALID, PRESENT, HUGE),
        ),
        pmd_shift=2 * config.page_shift - 3,
        ptrs_per_pmd=config.page_size // 8,
        pfn_lsb=config.page_shift,
    )


LOONGARCH64 = Architecture(
    name="loongarch64",
    aliases=("loongarch",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096, 16384, 65536), 16384),
        invalid_pte_table=Address(0x9000000001A50000, help="the address that an empty PMD holds"),
        soft_dirty=Switch(possible=False),
        uffd=Switch(possible=False),
        device_private=Switch(since=LOONGARCH_ZONE_DEVICE),
        memory_failure=Switch(possible=False),
        max_physmem_bits=lambda config: 48,
    ),
    facts=_facts,
    present=lambda config: {},
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
        ),
    ),
    machine=Machine(
        "loongarch64",
        kernel="loongarch",
        source="loongarch",
        emulation="elf64loongarch",
        qemu="qemu-loongarch64",
        numbers="__SWP_TYPE_SHIFT __SWP_TYPE_BITS __SWP_OFFSET_SHIFT",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_PRESENT _PAGE_PROTNONE _PAGE_PRESENT_INVALID _PAGE_HUGE _PAGE_GLOBAL",
    ),
    constants={"_PAGE_HUGE": lambda facts: facts.pmd.layout.fixed_value},
)
