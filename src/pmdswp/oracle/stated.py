"""What pmdswp has to say to the constants in a `geom` record.

`stated` gives pmdswp's answer to a constant: to those that every architecture has (`STATED`), to those that only a
kernel with PMD softleaves has a use for (`PMD_STATED`), and to those of one architecture (`Architecture.constants`).
`NOT_STATED` names the constants to which pmdswp has no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pmdswp import Arch, SoftLeaf, SoftLeafType
from pmdswp.formula import MASK64
from pmdswp.softleaf import DEVICE_PRIVATE_KINDS, MAX_SWAPFILES_SHIFT, MIGRATION_KINDS

Answer = Callable[[Arch], int]


def _pfn_bits_plus(bits: int) -> Answer:
    return lambda arch: arch.swp_pfn_bits + bits


def _type_number(kind: SoftLeafType, index: int = 0) -> Answer:
    def answer(arch: Arch) -> int:
        numbers = arch.swp_types[kind]
        return numbers if isinstance(numbers, int) else numbers[index]

    return answer


def _type_count(*kinds: SoftLeafType) -> Answer:
    def answer(arch: Arch) -> int:
        numbers = [arch.swp_types[kind] for kind in kinds if kind in arch.swp_types]
        return sum(1 if isinstance(number, int) else len(number) for number in numbers)

    return answer


def _kind_number(kind: SoftLeafType) -> Answer:
    return lambda arch: int(kind.value)


def _marker_bits(offset: int) -> Answer:
    return lambda arch: arch.numbering.marker_mask & offset


def _sets(helper: Callable[[Arch, int], int]) -> Answer:
    return lambda arch: helper(arch, 0)


def _clears(helper: Callable[[Arch, int], int]) -> Answer:
    return lambda arch: helper(arch, MASK64) ^ MASK64


def _flag(name: str) -> Answer:
    return lambda arch: arch.pte_layout.flags.get(name, 0)


def _has_flag(name: str) -> Answer:
    return lambda arch: name in arch.pte_layout.flags


def _has_pmd_softleaf(arch: Arch) -> int:
    return arch.has_pmd_softleaf


STATED: Mapping[str, Answer] = {
    "PAGE_SHIFT": lambda arch: arch.page_shift,
    "PAGE_SIZE": lambda arch: arch.page_size,
    "PAGE_MASK": lambda arch: MASK64 ^ (arch.page_size - 1),
    "PMD_SHIFT": lambda arch: arch.pmd_shift,
    "HPAGE_PMD_SHIFT": lambda arch: arch.pmd_size.bit_length() - 1,
    "HPAGE_PMD_ORDER": lambda arch: arch.hpage_pmd_order,
    "HPAGE_PMD_NR": lambda arch: arch.hpage_pmd_nr,
    "PMD_NR_computed": lambda arch: arch.hpage_pmd_nr,
    "PTRS_PER_PTE": lambda arch: arch.ptrs_per_pte,
    "PTRS_PER_PMD": lambda arch: arch.ptrs_per_pmd,
    "MAX_PHYSMEM_BITS_defined": lambda arch: arch.max_physmem_bits is not None,
    # the offset stands below the type, and one bit above the type stays clear
    "BITS_PER_XA_VALUE": lambda arch: SoftLeaf(1, 0).val.bit_length() - 1 + MAX_SWAPFILES_SHIFT,
    "SWP_TYPE_SHIFT": lambda arch: SoftLeaf(1, 0).val.bit_length() - 1,
    "LEAF_TYPE_SHIFT": lambda arch: SoftLeaf(1, 0).val.bit_length() - 1,
    "SWP_OFFSET_MASK": lambda arch: SoftLeaf.from_val(MASK64).offset,
    "SWP_PFN_BITS": _pfn_bits_plus(0),
    "SWP_PFN_MASK": lambda arch: (1 << arch.swp_pfn_bits) - 1,
    "SWP_MIG_YOUNG_BIT": _pfn_bits_plus(0),
    "SWP_MIG_DIRTY_BIT": _pfn_bits_plus(1),
    "SWP_MIG_TOTAL_BITS": _pfn_bits_plus(2),
    "generic_max_swapfile_size": lambda arch: arch.max_swap_offset + 1,
    "max_offset": lambda arch: arch.max_swap_offset,
    # type numbers
    "MAX_SWAPFILES_SHIFT": lambda arch: MAX_SWAPFILES_SHIFT,
    "MAX_SWAPFILES": lambda arch: arch.max_swapfiles,
    "SWP_PTE_MARKER_NUM": _type_count(SoftLeafType.MARKER),
    "SWP_DEVICE_NUM": _type_count(*DEVICE_PRIVATE_KINDS, SoftLeafType.DEVICE_EXCLUSIVE),
    "SWP_MIGRATION_NUM": _type_count(*MIGRATION_KINDS),
    "SWP_HWPOISON_NUM": _type_count(SoftLeafType.HWPOISON),
    "SWP_SWAPIN_ERROR_NUM": _type_count(SoftLeafType.SWAPIN_ERROR),
    "SWP_SWAPIN_ERROR": _type_number(SoftLeafType.SWAPIN_ERROR),
    "SWP_PTE_MARKER": _type_number(SoftLeafType.MARKER),
    "SWP_DEVICE_WRITE": _type_number(SoftLeafType.DEVICE_PRIVATE_WRITE),
    "SWP_DEVICE_READ": _type_number(SoftLeafType.DEVICE_PRIVATE_READ),
    "SWP_DEVICE_EXCLUSIVE": _type_number(SoftLeafType.DEVICE_EXCLUSIVE),
    "SWP_DEVICE_EXCLUSIVE_WRITE": _type_number(SoftLeafType.DEVICE_EXCLUSIVE, 0),
    "SWP_DEVICE_EXCLUSIVE_READ": _type_number(SoftLeafType.DEVICE_EXCLUSIVE, 1),
    "SWP_MIGRATION_READ": _type_number(SoftLeafType.MIGRATION_READ),
    "SWP_MIGRATION_READ_EXCLUSIVE": _type_number(SoftLeafType.MIGRATION_READ_EXCLUSIVE),
    "SWP_MIGRATION_WRITE": _type_number(SoftLeafType.MIGRATION_WRITE),
    "SWP_HWPOISON": _type_number(SoftLeafType.HWPOISON),
    # marker bits
    "PTE_MARKER_UFFD_WP": _marker_bits(0x1),
    "PTE_MARKER_POISONED": _marker_bits(0x2),
    "PTE_MARKER_GUARD": _marker_bits(0x4),
    "PTE_MARKER_MASK": _marker_bits(SoftLeaf.from_val(MASK64).offset),
    # enum softleaf_type
    **{f"SOFTLEAF_{kind.name}": _kind_number(kind) for kind in SoftLeafType if kind.value <= SoftLeafType.MARKER.value},
    # flags, by what the helpers do and by the layout
    "swp_exclusive_bits": _sets(lambda arch, v: arch.pte_swp_mkexclusive(v)),
    "swp_soft_dirty_bits": _sets(lambda arch, v: arch.pte_swp_mksoft_dirty(v)),
    "swp_uffd_wp_bits": _sets(lambda arch, v: arch.pte_swp_mkuffd_wp(v)),
    "swp_exclusive_clear": _clears(lambda arch, v: arch.pte_swp_clear_exclusive(v)),
    "swp_soft_dirty_clear": _clears(lambda arch, v: arch.pte_swp_clear_soft_dirty(v)),
    "swp_uffd_wp_clear": _clears(lambda arch, v: arch.pte_swp_clear_uffd_wp(v)),
    "pte_swp_clear_flags_clear": _clears(lambda arch, v: arch.pte_swp_clear_flags(v)),
    "PTE_SWP_EXCLUSIVE": _flag("exclusive"),
    "_PAGE_SWP_EXCLUSIVE": _flag("exclusive"),
    "_PAGE_SWP_SOFT_DIRTY": _flag("soft_dirty"),
    "PTE_SWP_UFFD": _flag("uffd"),
    "PTE_SWP_UFFD_WP": _flag("uffd"),
    "_PAGE_SWP_UFFD": _flag("uffd"),
    "_PAGE_SWP_UFFD_WP": _flag("uffd"),
    "pgtable_supports_soft_dirty": _has_flag("soft_dirty"),
    "pgtable_supports_uffd": _has_flag("uffd"),
    # whether there are PMD softleaves
    "has_swp_entry_to_pmd": _has_pmd_softleaf,
    "thp_migration_supported": _has_pmd_softleaf,
    "CONFIG_ARCH_ENABLE_THP_MIGRATION": _has_pmd_softleaf,
    "CONFIG_ARCH_HAS_PMD_SOFTLEAVES": _has_pmd_softleaf,
    # type and offset in the word
    "__SWP_TYPE_SHIFT": lambda arch: arch.pte_layout.field("type").lsb,
    "__SWP_TYPE_BITS": lambda arch: arch.pte_layout.field("type").width,
    "__SWP_TYPE_MASK": lambda arch: (1 << arch.pte_layout.field("type").width) - 1,
    "SWP_TYPE_BITS": lambda arch: arch.pte_layout.field("type").width,
    "SWP_TYPE_MASK": lambda arch: arch.pte_layout.field("type").mask,
    "__SWP_OFFSET_SHIFT": lambda arch: arch.pte_layout.field("offset").lsb,
    "__SWP_OFFSET_BITS": lambda arch: arch.pte_layout.field("offset").width,
    "__SWP_OFFSET_MASK": lambda arch: (1 << arch.pte_layout.field("offset").width) - 1,
    "SWP_OFFSET_FIRST_BIT": lambda arch: arch.pte_layout.field("offset").lsb,
}

PMD_STATED: Mapping[str, Answer] = {
    "pmd_swp_soft_dirty_bits": _sets(lambda arch, v: arch.pmd_swp_mksoft_dirty(v)),
    "pmd_swp_exclusive_clear": _clears(lambda arch, v: arch.pmd_swp_clear_exclusive(v)),
    "pmd_swp_uffd_bits": _sets(lambda arch, v: arch.pmd_swp_mkuffd(v)),
    "pmd_swp_soft_dirty_clear": _clears(lambda arch, v: arch.pmd_swp_clear_soft_dirty(v)),
    "pmd_swp_uffd_clear": _clears(lambda arch, v: arch.pmd_swp_clear_uffd(v)),
}


def stated(arch: Arch, name: str) -> Answer | None:
    """What answers for a constant on an architecture; None where pmdswp has no answer."""
    own = arch.architecture.constants.get(name)
    if own is None:
        return STATED.get(name) or PMD_STATED.get(name)
    return lambda arch: own(arch.architecture.facts(arch.config))


NOT_STATED = frozenset(
    {
        # checked apart, as pmdswp's answer depends on its kernel option or on more than one constant
        "MAX_PHYSMEM_BITS",
        "swap_migration_ad_supported",
        "pmd_swp_exclusive_bits",
        # read to ask for the configuration
        "kver_major",
        "kver_minor",
        "has_svrsw60t59b",
        "invalid_pte_table",
        "CONFIG_ARM64_PA_BITS",
        "CONFIG_DEVICE_PRIVATE",
        "CONFIG_HAVE_ARCH_USERFAULTFD_WP",
        "CONFIG_MEMORY_FAILURE",
        "CONFIG_MEM_SOFT_DIRTY",
        "CONFIG_MIGRATION",
        "CONFIG_SPARSEMEM_VMEMMAP",
        "CONFIG_TRANSPARENT_HUGEPAGE",
        # symbols without a say in the encoding
        "kver_sub",
        "CONFIG_ARCH_HAS_PTE_PROTNONE",
        "CONFIG_ARM64_LPA2",
        "CONFIG_ARM64_PA_BITS_52",
        "CONFIG_ARM64_VA_BITS_52",
        "CONFIG_HAVE_ARCH_SOFT_DIRTY",
        "CONFIG_HUGETLB_PAGE",
        "CONFIG_NUMA_BALANCING",
        "CONFIG_PGTABLE_LEVELS",
        "CONFIG_PPC_64S_HASH_MMU",
        "CONFIG_PPC_RADIX_MMU",
        "CONFIG_PTE_MARKER",
        "CONFIG_PTE_MARKER_UFFD_WP",
        "CONFIG_RISCV_ISA_SVRSW60T59B",
        "CONFIG_SPARSEMEM",
        "CONFIG_SWAP",
        "CONFIG_THP_SWAP",
        "CONFIG_X86_5LEVEL",
        "CONFIG_ZONE_DEVICE",
        "arch_defines___swp_entry_to_pmd",
        "pmd_swp_exclusive_emulated",
        "uffd_supports_wp_marker",
        # levels above the PMD, memory sections, and what MAX_PHYSMEM_BITS is made of
        "PGDIR_SHIFT",
        "PHYS_MASK_SHIFT",
        "PTRS_PER_PGD",
        "PUD_SHIFT",
        "SECTION_SIZE_BITS",
        "VA_BITS",
        # bits of present entries and of predicates, which the words of the other records try out
        "H_MAX_PHYSMEM_BITS",
        "H_PAGE_HASHPTE",
        "H_PMD_BAD_BITS",
        "H_PTE_NONE_MASK",
        "PTE_PRESENT_INVALID",
        "PTE_VALID",
        "RADIX_PMD_BAD_BITS",
        "RADIX_PTE_NONE_MASK",
        "R_MAX_PHYSMEM_BITS",
        "_KERNPG_TABLE",
        "_PAGE_ACCESSED",
        "_PAGE_DEVMAP",
        "_PAGE_DIRTY",
        "_PAGE_ENC",
        "_PAGE_GLOBAL",
        "_PAGE_HPTEFLAGS",
        "_PAGE_INVALID",
        "_PAGE_LEAF",
        "_PAGE_NON_IDEMPOTENT",
        "_PAGE_PRESENT",
        "_PAGE_PRESENT_INVALID",
        "_PAGE_PROTNONE",
        "_PAGE_PROT_NONE",
        "_PAGE_PSE",
        "_PAGE_SOFT_DIRTY",
        "_PAGE_UFFD",
        "_PAGE_USER",
        "_SEGMENT_ENTRY_BITS",
        "_SEGMENT_ENTRY_EMPTY",
        "_SEGMENT_ENTRY_LARGE",
        "_SEGMENT_ENTRY_PRESENT",
        "_SEGMENT_ENTRY_READ",
        "_SEGMENT_ENTRY_SOFT_DIRTY",
        "_SEGMENT_ENTRY_WRITE",
    }
)
