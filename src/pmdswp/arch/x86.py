"""x86_64: arch/x86/include/asm/pgtable_64.h, pgtable.h, pgtable_types.h.

One layout for PTE and PMD, unchanged from 6.1 to 7.3. The offset is stored inverted, so that a non-present entry
points at memory that does not exist (L1TF); the type is not. Bits 5 and 6 may be set behind the kernel's back
(Knights Landing erratum), so no none-test looks at them.
"""

from __future__ import annotations

from pmdswp.arch.facts import Architecture, Facts, LevelFacts, Machine, Predicate
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.formula import MASK64
from pmdswp.hazards import Hazard, no_flag
from pmdswp.layout import Layout, bits, fixed, flag, ignored, value, zero
from pmdswp.revisions import DEVMAP_REMOVED, MARKER_ALWAYS, PMD_SWAP, X86_SAVED_DIRTY
from pmdswp.softleaf import LevelName, State

__all__ = ["X86_64", "l1tf_max_swapfile_size"]

PRESENT, RW, USER, PWT, PCD, ACCESSED, DIRTY, PSE, PROTNONE, DEVMAP = 0, 1, 2, 3, 4, 5, 6, 7, 8, 57
OLD_DEVMAP = 58
"""Before 6.6."""
PAGE_SHIFT = 12
PFN = (1 << 52) - (1 << PAGE_SHIFT)
KNL_ERRATUM = bits(DIRTY, ACCESSED)
OFFSET, OFFSET_BITS = 9, 50


def _layout(config: Config, level: LevelName) -> Layout:
    pmd = level == "pmd"
    return Layout(
        (
            fixed("present", PRESENT, 0, "_PAGE_PRESENT", "not present"),
            flag("soft_dirty", RW, "_PAGE_SWP_SOFT_DIRTY", "soft-dirty (= _PAGE_RW)", configured=config.soft_dirty),
            flag(
                "uffd",
                USER,
                f"_PAGE_SWP_{config.uffd_name}",
                "watched by userfaultfd (= _PAGE_USER)",
                configured=config.uffd,
            ),
            flag(
                "exclusive",
                PWT,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_PWT)",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else None,
            ),
            zero(PCD, kernel_name="_PAGE_PCD"),
            ignored("accessed", ACCESSED, "_PAGE_ACCESSED", "hardware may set it"),
            ignored("dirty", DIRTY, "_PAGE_DIRTY", "hardware may set it"),
            fixed("pse", PSE, 0, "_PAGE_PSE", "pmd_present() tests it") if pmd else zero(PSE, kernel_name="_PAGE_PAT"),
            fixed("protnone", PROTNONE, 0, "_PAGE_PROTNONE", "not present (= _PAGE_GLOBAL)"),
            value("offset", OFFSET, OFFSET_BITS, "SWP_OFFSET_FIRST_BIT", "swap offset, inverted", inverted=True),
            value("type", 59, 5, "SWP_TYPE_BITS", "swap type"),
        )
    )


def _pmd_trans_huge(config: Config) -> Predicate:
    if config.has(DEVMAP_REMOVED):
        return lambda v: (v & bits(PSE)) != 0
    devmap = DEVMAP if config.has(X86_SAVED_DIRTY) else OLD_DEVMAP
    return lambda v: (v & bits(PSE, devmap)) == bits(PSE)


def _facts(config: Config) -> Facts:
    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
            present=lambda v: (v & bits(PRESENT, PROTNONE)) != 0,
            page=bits(PRESENT, USER),
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
            present=lambda v: (v & bits(PRESENT, PSE, PROTNONE)) != 0,
            leaf=lambda v: (v & bits(PSE)) != 0,
            trans_huge=_pmd_trans_huge(config),
            bad=lambda v: (v & (MASK64 ^ PFN ^ bits(USER, ACCESSED))) != bits(PRESENT, RW, DIRTY),
            page=bits(PRESENT, USER, PSE),
            table=bits(PRESENT, RW, USER, ACCESSED, DIRTY),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
        pfn_lsb=PAGE_SHIFT,
    )


X86_64 = Architecture(
    name="x86_64",
    aliases=("x86",),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096,), 4096),
        la57=Switch(on=False, help="5-level paging is active"),
        soft_dirty=Switch(),
        uffd=Switch(),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 52 if config.is_on("la57") else 46,
        after_flags={
            "pte_marker": Switch(
                needs="uffd",
                always=MARKER_ALWAYS,
                help="CONFIG_PTE_MARKER of 6.1; later kernels always have PTE markers",
                numbers_only=True,
            )
        },
    ),
    facts=_facts,
    hazards=(
        Hazard(
            levels=("pte", "pmd"),
            reads_as=State.NONE,
            entries="type 0, offset 2^50 - 1, no flag",
            entry=lambda swp_type, offset, flags: (swp_type == 0) & (offset == (1 << OFFSET_BITS) - 1) & no_flag(flags),
            explanation="The offset is stored inverted, so the largest one of type 0 without a flag is stored as 0, "
            "the empty entry. A device would need 4 EiB to have that slot, and on CPUs with the L1TF bug the limit "
            "lies far below.",
        ),
    ),
    machine=Machine(
        "x86_64",
        kernel="x86_64",
        source="x86",
        emulation="elf_x86_64",
        qemu="qemu-x86_64",
        numbers="SWP_TYPE_BITS SWP_OFFSET_FIRST_BIT SWP_OFFSET_SHIFT",
        words="_PAGE_SWP_EXCLUSIVE _PAGE_SWP_SOFT_DIRTY _PAGE_SWP_UFFD_WP _PAGE_SWP_UFFD _PAGE_UFFD "
        "_PAGE_SOFT_DIRTY _PAGE_PRESENT _PAGE_PROTNONE _PAGE_GLOBAL _PAGE_KNL_ERRATUM_MASK _PAGE_PSE "
        "_PAGE_DEVMAP _PAGE_ENC _KERNPG_TABLE _PAGE_USER",
    ),
    constants={
        # the kernel shifts the offset up by this and down by the width of the type
        "SWP_OFFSET_SHIFT": lambda facts: 64 - facts.pte.layout.offset.width,
        "_PAGE_KNL_ERRATUM_MASK": lambda facts: facts.pte.layout.ignored_mask,
    },
)


def l1tf_max_swapfile_size(cache_bits: int) -> int:
    """Largest swap device, in pages, on a CPU with the L1TF bug and the mitigation on.

    `cache_bits` is the kernel's `boot_cpu_data.x86_cache_bits`, the physical address bits of the L1 cache. Where
    this is below ``1 << (swp_pfn_bits + 2)`` the kernel keeps no migration A/D bits, whatever
    `Arch.migration_ad` says of the layout (arch/x86/mm/init.c, arch_max_swapfile_size).
    """
    half_of_memory_in_pages = 1 << (cache_bits - 1 - PAGE_SHIFT)
    return min(half_of_memory_in_pages << (PAGE_SHIFT - OFFSET), 1 << OFFSET_BITS)
