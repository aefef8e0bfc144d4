"""x86_64: arch/x86/include/asm/pgtable_64.h, pgtable.h, pgtable_types.h.

One swap layout for PTE and PMD, the same in every kernel. The offset is stored inverted, so that a non-present entry
points at memory that does not exist (L1TF); the type is not. Bits 5 and 6 may be set behind the kernel's back
(Knights Landing erratum), so no none-test looks at them.

For the same reason an entry that maps a page and lacks _PAGE_PRESENT, as PROT_NONE makes it, has its address inverted.
Without 5-level paging the P4D is folded: p4d_none() and the other helpers of P4Ds are asked of the root's entries.
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
    no_bit,
)
from pmdswp.config import Choice, Config, Switch, common_options
from pmdswp.formula import MASK64, Formula, where
from pmdswp.hazards import Hazard, no_flag
from pmdswp.layout import Field, Layout, PresentLayout, address, bits, fixed, flag, ignored, value, zero
from pmdswp.revisions import (
    DEVMAP_REMOVED,
    MARKER_ALWAYS,
    PMD_SWAP,
    PTE_MARKER,
    X86_EXCLUSIVE,
    X86_NONLEAF_YOUNG,
    X86_PMD_SPECIAL,
    X86_PUD_LEAF,
    X86_SAVED_DIRTY,
    X86_UFFD,
    X86_UFFD_WRPROTECT,
)
from pmdswp.softleaf import LevelName, State

__all__ = ["X86_64", "l1tf_max_swapfile_size"]

PRESENT, RW, USER, PWT, PCD, ACCESSED, DIRTY, PSE, PROTNONE, DEVMAP = 0, 1, 2, 3, 4, 5, 6, 7, 8, 57
OLD_DEVMAP = 58
"""Before 6.6."""
GLOBAL, SPECIAL, UFFD, SOFT_DIRTY, PAT_LARGE, SAVED_DIRTY, PKEY, NX = 8, 9, 10, 11, 12, 58, 59, 63
TABLE_ATTRIBUTES = ("write", "young", "dirty", "exec", "user")
KERNPG_TABLE = bits(PRESENT, RW, ACCESSED, DIRTY)
PAGE_SHIFTS: Mapping[LevelName, int] = {"pte": 12, "pmd": 21, "pud": 30}
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
                since=X86_UFFD,
            ),
            flag(
                "exclusive",
                PWT,
                "_PAGE_SWP_EXCLUSIVE",
                "exclusive to one process (= _PAGE_PWT)",
                configured=config.has_exclusive(level),
                since=PMD_SWAP if level == "pmd" else X86_EXCLUSIVE,
            ),
            zero(PCD, kernel_name="_PAGE_PCD"),
            ignored("accessed", ACCESSED, "_PAGE_ACCESSED", "hardware may set it"),
            ignored("dirty", DIRTY, "_PAGE_DIRTY", "hardware may set it"),
            fixed("pse", PSE, 0, "_PAGE_PSE", "pmd_present() tests it") if pmd else zero(PSE, kernel_name="_PAGE_PAT"),
            fixed("protnone", PROTNONE, 0, "_PAGE_PROTNONE", "not present (= _PAGE_GLOBAL)"),
            value("offset", OFFSET, OFFSET_BITS, "SWP_OFFSET_FIRST_BIT", "swap offset", inverted=True),
            value("type", 59, 5, "SWP_TYPE_BITS", "swap type"),
        )
    )


def _pmd_trans_huge(config: Config) -> Predicate:
    if config.has(DEVMAP_REMOVED):
        return lambda v: (v & bits(PSE)) != 0
    devmap = DEVMAP if config.has(X86_SAVED_DIRTY) else OLD_DEVMAP
    return lambda v: (v & bits(PSE, devmap)) == bits(PSE)


def _pmd_bad(config: Config) -> Predicate:
    if config.has(X86_NONLEAF_YOUNG):
        return lambda v: (v & (MASK64 ^ PFN ^ bits(USER, ACCESSED))) != bits(PRESENT, RW, DIRTY)
    return lambda v: (v & (MASK64 ^ PFN ^ bits(USER))) != bits(PRESENT, RW, ACCESSED, DIRTY)


def _facts(config: Config) -> Facts:
    return Facts(
        pte=LevelFacts(
            layout=_layout(config, "pte"),
            none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
            present=lambda v: (v & bits(PRESENT, PROTNONE)) != 0,
        ),
        pmd=LevelFacts(
            layout=_layout(config, "pmd"),
            none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
            present=lambda v: (v & bits(PRESENT, PSE, PROTNONE)) != 0,
            leaf=lambda v: (v & bits(PSE)) != 0,
            trans_huge=_pmd_trans_huge(config),
            bad=_pmd_bad(config),
        ),
        pmd_shift=21,
        ptrs_per_pmd=512,
    )


def _page(config: Config, level: LevelName) -> PresentLayout:
    shift = PAGE_SHIFTS[level]
    return PresentLayout(
        (
            flag("present", PRESENT, "_PAGE_PRESENT", "the CPU may use the entry"),
            flag("write", RW, "_PAGE_RW", "writable"),
            flag("user", USER, "_PAGE_USER", "for user space"),
            flag("pwt", PWT, "_PAGE_PWT", "memory type, bit 0"),
            flag("pcd", PCD, "_PAGE_PCD", "memory type, bit 1"),
            flag("young", ACCESSED, "_PAGE_ACCESSED", "was accessed"),
            flag("dirty", DIRTY, "_PAGE_DIRTY", "was written to"),
            flag("pat", PSE, "_PAGE_PAT", "memory type, bit 2")
            if level == "pte"
            else fixed("pse", PSE, 1, "_PAGE_PSE", "maps a page"),
            flag("global", GLOBAL, "_PAGE_GLOBAL", "in every address space; without present: _PAGE_PROTNONE"),
            flag("special", SPECIAL, "_PAGE_SPECIAL", "no page that the mm counts (= _PAGE_SOFTW1)"),
            flag(
                "uffd",
                UFFD,
                f"_PAGE_{config.uffd_name}",
                "watched by userfaultfd (= _PAGE_SOFTW2)",
                configured=config.uffd,
            ),
            flag(
                "soft_dirty",
                SOFT_DIRTY,
                "_PAGE_SOFT_DIRTY",
                "soft-dirty (= _PAGE_SOFTW3)",
                configured=config.soft_dirty,
            ),
            *(() if level == "pte" else (flag("pat", PAT_LARGE, "_PAGE_PAT_LARGE", "memory type, bit 2"),)),
            *(() if level == "pte" else (zero(PAT_LARGE + 1, shift - PAT_LARGE - 1),)),
            address(shift, 52 - shift, "PTE_PFN_MASK", "physical address; inverted without _PAGE_PRESENT"),
            ignored("available", 52, "", "not used", width=5),
            *_software_bits(config),
            value("pkey", PKEY, 4, "_PAGE_PKEY_BIT0", "protection key"),
            flag("nx", NX, "_PAGE_NX", "not to be executed"),
        )
    )


def _software_bits(config: Config) -> tuple[Field, ...]:
    """Bits 57 and 58."""
    if not config.has(X86_SAVED_DIRTY):
        return (ignored("softw4", 57, "_PAGE_SOFTW4", "not used"), _devmap(OLD_DEVMAP))
    saved = flag("saved_dirty", SAVED_DIRTY, "_PAGE_SAVED_DIRTY", "dirty, while not writable", since=X86_SAVED_DIRTY)
    if config.has(DEVMAP_REMOVED):
        return (ignored("softw4", 57, "_PAGE_SOFTW4", "not used"), saved)
    return (_devmap(DEVMAP), saved)


def _devmap(bit: int) -> Field:
    return flag("devmap", bit, "_PAGE_DEVMAP", "device memory with struct pages")


def _table() -> PresentLayout:
    return PresentLayout(
        (
            fixed("present", PRESENT, 1, "_PAGE_PRESENT", "the CPU may use the entry"),
            flag("write", RW, "_PAGE_RW", "pages below may be writable"),
            flag("user", USER, "_PAGE_USER", "pages below may be for user space"),
            flag("pwt", PWT, "_PAGE_PWT", "memory type of the table, bit 0"),
            flag("pcd", PCD, "_PAGE_PCD", "memory type of the table, bit 1"),
            flag("young", ACCESSED, "_PAGE_ACCESSED", "was used by the CPU"),
            flag("dirty", DIRTY, "_PAGE_DIRTY", "set by the kernel; the CPU ignores it"),
            fixed("pse", PSE, 0, "_PAGE_PSE", "points to a table"),
            ignored("available", 8, "", "not used", width=4),
            address(PAGE_SHIFT, 40, "PTE_PFN_MASK", "physical address of the table"),
            ignored("available_high", 52, "", "not used", width=11),
            flag("nx", NX, "_PAGE_NX", "nothing below is to be executed"),
        )
    )


def _absent(v: Formula) -> Formula:
    return (v != 0) & ((v & bits(PRESENT)) == 0)


def _plain(mask: int) -> Predicate:
    """The word with its address turned back, if that is stored inverted."""
    return lambda v: v ^ where(v, _absent(v), mask)


def _huge_pfn(huge: int) -> Predicate:
    """pmd_pfn() and pud_pfn(): without _PAGE_PSE all bits of the address count."""
    small = PFN ^ huge
    return lambda v: ((_plain(PFN)(v) & huge) | (_plain(PFN)(v) & where(v, (v & bits(PSE)) == 0, small))) >> PAGE_SHIFT


def _to_saved(v: Formula) -> Formula:
    """The dirty bit moved to where a CPU with shadow stacks does not look, in words that are not writable."""
    moves = ((v >> DIRTY) & 1) & (((v >> RW) & 1) ^ 1)
    return (v ^ (moves << DIRTY)) | (moves << SAVED_DIRTY)


def _from_saved(v: Formula) -> Formula:
    """The dirty bit moved back, in words that are writable."""
    moves = ((v >> SAVED_DIRTY) & 1) & ((v >> RW) & 1)
    return (v ^ (moves << SAVED_DIRTY)) | (moves << DIRTY)


def _attributes(config: Config, level: LevelName) -> dict[str, Attribute | None]:
    writable, pse = bits(RW, DIRTY), bits(PSE) if level == "pmd" else 0
    saves = config.has(X86_SAVED_DIRTY)
    dirty = bits(DIRTY, SAVED_DIRTY) if saves else bits(DIRTY)
    soft_dirty = bits(SOFT_DIRTY) if config.soft_dirty else 0
    moved: Predicate = _to_saved if saves else lambda v: v
    shadow = config.is_on("shadow_stack") and level != "pud"

    def write(v: Formula) -> Formula:
        is_writable = (v & bits(RW)) != 0
        return is_writable | ((v & (writable | pse)) == (bits(DIRTY) | pse)) if shadow else is_writable

    # a change of the dirty bit takes a shadow-stack page's mark
    unshadowed = {"write": False} if shadow else {}
    # for the lower levels the callers move the dirty bit back: pte_mkwrite() against pte_mkwrite_novma()
    moved_back: Predicate = _from_saved if saves and level == "pud" else lambda v: v
    return {
        "write": Attribute(write, lambda v: moved_back(v | bits(RW)), lambda v: moved(v & (MASK64 ^ bits(RW)))),
        "dirty": Attribute(
            any_bit(dirty).test,
            lambda v: moved(v | bits(DIRTY) | soft_dirty),
            any_bit(dirty).clear,
            set_changes={**unshadowed, "soft_dirty": True},
            clear_changes=unshadowed,
        ),
        "exec": no_bit(bits(NX)),
        "special": any_bit(bits(SPECIAL)) if level == "pte" or config.has(X86_PMD_SPECIAL) else None,
        "uffd": Attribute(
            any_bit(bits(UFFD)).test,
            lambda v: (
                moved((v | bits(UFFD)) & (MASK64 ^ bits(RW))) if config.has(X86_UFFD_WRPROTECT) else v | bits(UFFD)
            ),
            any_bit(bits(UFFD)).clear,
            set_changes={"write": False} if config.has(X86_UFFD_WRPROTECT) else {},
        )
        if config.uffd
        else None,
        "protnone": Attribute(
            lambda v: (v & bits(PRESENT, PROTNONE)) == bits(PROTNONE),
            lambda v: (v & (MASK64 ^ bits(PRESENT))) | bits(PROTNONE),
            lambda v: v | bits(PRESENT),
            set_changes={"global": True},
        )
        # a PUD without _PAGE_PRESENT is not present
        if level != "pud"
        else None,
        # without _PAGE_PRESENT the bit is _PAGE_PROTNONE, which nothing but protnone takes away
        "global": Attribute(
            any_bit(bits(GLOBAL)).test,
            any_bit(bits(GLOBAL)).set,
            lambda v: v ^ (((v >> GLOBAL) & (v & 1)) << GLOBAL),
            # a huge page is present with _PAGE_PSE alone, and then this is _PAGE_PROTNONE
            set_changes={"protnone": True} if level == "pmd" else {},
            clear_changes={"global": True} if level != "pud" else {},
        ),
    }


def _present(config: Config) -> Mapping[LevelName, PresentFacts]:
    def of_pages(level: LevelName, upper: UpperFacts | None = None) -> PresentFacts:
        page = _page(config, level)
        huge = level != "pte"
        return PresentFacts(
            index_bits=9,
            page=page,
            table=_table() if huge else None,
            upper=upper,
            attributes=_attributes(config, level),
            plain=_plain(page.address_mask),
            pfn=_huge_pfn(page.address_mask) if huge else None,
            base=bits(PRESENT, PSE) if huge else bits(PRESENT),
            table_attributes=TABLE_ATTRIBUTES,
            table_base=KERNPG_TABLE | bits(USER),
        )

    ignored_flags = bits(USER, NX) if config.is_on("pti") else bits(USER)
    flags = MASK64 ^ PFN ^ ignored_flags
    root = UpperFacts(
        none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
        present=lambda v: (v & bits(PRESENT)) != 0,
        bad=lambda v: (v & flags & (MASK64 ^ KERNPG_TABLE)) != 0,
    )
    above = UpperFacts(
        none=lambda v: v == 0,
        present=lambda v: (v & bits(PRESENT)) != 0,
        bad=lambda v: (v & flags) != KERNPG_TABLE,
    )
    leaf = bits(PSE) if config.has(X86_PUD_LEAF) else bits(PSE, PRESENT)
    pud = UpperFacts(
        none=lambda v: (v & (MASK64 ^ KNL_ERRATUM)) == 0,
        present=lambda v: (v & bits(PRESENT)) != 0,
        leaf=lambda v: (v & leaf) == leaf,
        bad=lambda v: (v & (MASK64 ^ PFN ^ KERNPG_TABLE ^ bits(USER))) != 0,
    )

    def of_tables(upper: UpperFacts) -> PresentFacts:
        return PresentFacts(
            index_bits=9,
            table=_table(),
            upper=upper,
            attributes={"exec": no_bit(bits(NX))},
            table_attributes=TABLE_ATTRIBUTES,
            table_base=KERNPG_TABLE | bits(USER),
        )

    top: dict[LevelName, PresentFacts] = (
        {"pgd": of_tables(above), "p4d": of_tables(root)} if config.is_on("la57") else {"pgd": of_tables(root)}
    )
    return {**top, "pud": of_pages("pud", pud), "pmd": of_pages("pmd"), "pte": of_pages("pte")}


X86_64 = Architecture(
    name="x86_64",
    aliases=("x86", "amd64", "x64", "x86-64"),
    byteorder="little",
    options=common_options(
        page_size=Choice((4096,), 4096),
        la57=Switch(on=False, help="5-level paging is active"),
        shadow_stack=Switch(
            since=X86_SAVED_DIRTY,
            on=False,
            help="the CPU has user shadow stacks: pages that are dirty and not writable count as writable",
            numbers_only=True,
        ),
        pti=Switch(
            help="CONFIG_MITIGATION_PAGE_TABLE_ISOLATION, which p4d_bad() and pgd_bad() ask for",
            numbers_only=True,
        ),
        soft_dirty=Switch(),
        uffd=Switch(since=X86_UFFD),
        device_private=Switch(),
        memory_failure=Switch(),
        max_physmem_bits=lambda config: 52 if config.is_on("la57") else 46,
        after_flags={
            "pte_marker": Switch(
                since=PTE_MARKER,
                needs="uffd",
                always=MARKER_ALWAYS,
                help="CONFIG_PTE_MARKER of 5.19 to 6.1; later kernels always have PTE markers",
                numbers_only=True,
            )
        },
    ),
    facts=_facts,
    present=_present,
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
    sign_extends=True,
    machine=Machine(
        "x86_64",
        kernel="x86_64",
        source="x86",
        triple="x86_64-linux-gnu",
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
