/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries of loongarch64, kernel pmd-swap-v3: what pmdswp.get('loongarch64',
 * kernel='pmd-swap-v3') says, in C.
 *
 * Written by pmdswp layout --format c from the formulas that the library proves and replays; do not
 * edit.
 * Facts from the kernel's arch/loongarch/include/asm/pgtable.h, pgtable-bits.h.
 *
 * A word is what pte_val() and pmd_val() give, whatever the byte order in memory. As in the kernel,
 * a helper checks nothing: one for swap entries says nothing sensible about a present entry, and
 * vice versa.
 */

/*
 * loongarch64 swap PMD, kernel pmd-swap-v3
 *
 * | 63-24  | 23 | 22-16 | 15-11 | 10 | 9-8 | 7 | 6 | 5-0 |
 * | offset | E  | type  |   -   | 0  |  -  | 0 | 1 |  -  |
 *
 * bits 63-24: __SWP_OFFSET_SHIFT, swap offset; v5.19
 * bit 23: _PAGE_SWP_EXCLUSIVE, exclusive to one process; 75e78aeacb86 in pmd-swap-v3
 * bits 22-16: __SWP_TYPE_SHIFT, swap type; ad3150f11b09 ("loongarch/mm: support
 *   __HAVE_ARCH_PTE_SWP_EXCLUSIVE") in v6.3
 * bit 10: _PAGE_PROTNONE, must be 0: not present; v5.19
 * bit 7: _PAGE_PRESENT, must be 0: not present; v5.19
 * bit 6: _PAGE_HUGE, must be 1: without it the word is a pointer to a table; v5.19
 */

/*
 * loongarch64 swap PTE, kernel pmd-swap-v3
 *
 * | 63-24  | 23 | 22-16 | 15-11 | 10 | 9-8 | 7 | 6 | 5-0 |
 * | offset | E  | type  |   -   | 0  |  -  | 0 | - |  -  |
 *
 * bits 63-24: __SWP_OFFSET_SHIFT, swap offset; v5.19
 * bit 23: _PAGE_SWP_EXCLUSIVE, exclusive to one process; ad3150f11b09 ("loongarch/mm: support
 *   __HAVE_ARCH_PTE_SWP_EXCLUSIVE") in v6.3
 * bits 22-16: __SWP_TYPE_SHIFT, swap type; ad3150f11b09 ("loongarch/mm: support
 *   __HAVE_ARCH_PTE_SWP_EXCLUSIVE") in v6.3
 * bit 10: _PAGE_PROTNONE, must be 0: not present; v5.19
 * bit 7: _PAGE_PRESENT, must be 0: not present; v5.19
 */

#ifndef PMDSWP_LOONGARCH64_PMD_SWAP_V3_H
#define PMDSWP_LOONGARCH64_PMD_SWAP_V3_H

#if !defined(__KERNEL__) && !defined(__VMLINUX_H__) /* these have the types already */
#include <stdbool.h>
#include <stdint.h>
#endif

#ifdef PMDSWP_PAGE_SHIFT
#error "two layouts under one prefix: write one of them with another --prefix"
#endif

#ifdef __GNUC__
#define PMDSWP_INLINE inline __attribute__((always_inline, unused))
#else
#define PMDSWP_INLINE inline
#endif

/* The address that an empty PMD holds. Define it before, if yours is another. */
#ifndef PMDSWP_INVALID_PTE_TABLE
#define PMDSWP_INVALID_PTE_TABLE 0x9000000001a50000ULL
#endif

/* The address that an empty entry above the PMD holds. Define it before, if yours is another. */
#ifndef PMDSWP_INVALID_PMD_TABLE
#define PMDSWP_INVALID_PMD_TABLE 0x9000000001a60000ULL
#endif

/* The address that an empty entry above the PUD holds. Define it before, if yours is another. */
#ifndef PMDSWP_INVALID_PUD_TABLE
#define PMDSWP_INVALID_PUD_TABLE 0x9000000001a70000ULL
#endif

#define PMDSWP_BIG_ENDIAN 0 /* in memory */
#define PMDSWP_PAGE_SHIFT 14
#define PMDSWP_PAGE_SIZE (1ULL << PMDSWP_PAGE_SHIFT)
#define PMDSWP_HPAGE_PMD_ORDER 11
#define PMDSWP_HPAGE_PMD_NR (1ULL << PMDSWP_HPAGE_PMD_ORDER) /* slots of one PMD entry */
#define PMDSWP_PTRS_PER_PTE 2048
#define PMDSWP_PMD_SHIFT 25
#define PMDSWP_PMD_SIZE (1ULL << PMDSWP_PMD_SHIFT)
#define PMDSWP_PTRS_PER_PMD 2048
#define PMDSWP_PGDIR_SHIFT 36
#define PMDSWP_PGDIR_SIZE (1ULL << PMDSWP_PGDIR_SHIFT)
#define PMDSWP_PTRS_PER_PGD 2048
#define PMDSWP_MAX_PHYSMEM_BITS 48
#define PMDSWP_MAX_SWAP_OFFSET 0xffffffffffULL
#define PMDSWP_SWP_TYPE_SHIFT 58
#define PMDSWP_SWP_OFFSET_MASK ((1ULL << PMDSWP_SWP_TYPE_SHIFT) - 1)
#define PMDSWP_SWP_PFN_BITS 34
#define PMDSWP_SWP_PFN_MASK 0x3ffffffffULL
#define PMDSWP_HAS_PMD_SOFTLEAF 1
#define PMDSWP_HAS_PMD_SWAP 1
#define PMDSWP_MIGRATION_AD 1 /* migration entries keep young and dirty */

/* Type numbers: swap devices are below MAX_SWAPFILES; the other types are not swap. */
#define PMDSWP_MAX_SWAPFILES 25
#define PMDSWP_SWP_MIGRATION_READ 25
#define PMDSWP_SWP_MIGRATION_READ_EXCLUSIVE 26
#define PMDSWP_SWP_MIGRATION_WRITE 27
#define PMDSWP_SWP_DEVICE_WRITE 28
#define PMDSWP_SWP_DEVICE_READ 29
#define PMDSWP_SWP_DEVICE_EXCLUSIVE 30
#define PMDSWP_SWP_PTE_MARKER 31

/* Bits of a PTE marker. */
#define PMDSWP_PTE_MARKER_UFFD_WP 0x1
#define PMDSWP_PTE_MARKER_POISONED 0x2
#define PMDSWP_PTE_MARKER_GUARD 0x4
#define PMDSWP_PTE_MARKER_MASK 0x7

/* What a word is. */
enum pmdswp_state {
	PMDSWP_STATE_NONE = 0,
	PMDSWP_STATE_PRESENT = 1,
	PMDSWP_STATE_TABLE = 2,
	PMDSWP_STATE_SOFTLEAF = 3,
	PMDSWP_STATE_BAD = 4,
};

/* What a softleaf is: the numbers of the kernel's enum softleaf_type, not those in an entry. */
enum pmdswp_softleaf_type {
	PMDSWP_SOFTLEAF_NONE = 0,
	PMDSWP_SOFTLEAF_SWAP = 1,
	PMDSWP_SOFTLEAF_MIGRATION_READ = 2,
	PMDSWP_SOFTLEAF_MIGRATION_READ_EXCLUSIVE = 3,
	PMDSWP_SOFTLEAF_MIGRATION_WRITE = 4,
	PMDSWP_SOFTLEAF_DEVICE_PRIVATE_READ = 5,
	PMDSWP_SOFTLEAF_DEVICE_PRIVATE_WRITE = 6,
	PMDSWP_SOFTLEAF_DEVICE_EXCLUSIVE = 7,
	PMDSWP_SOFTLEAF_HWPOISON = 8,
	PMDSWP_SOFTLEAF_MARKER = 9,
	PMDSWP_SOFTLEAF_SWAPIN_ERROR = 254,
	PMDSWP_SOFTLEAF_UNKNOWN = 255,
};

/* Flags of a swap entry, for encode and decode. */
enum pmdswp_flags {
	PMDSWP_FLAG_EXCLUSIVE = 1,
	PMDSWP_FLAG_SOFT_DIRTY = 2,
	PMDSWP_FLAG_UFFD = 4,
};

/* The generic entry: swp_entry_t, called softleaf_t since 6.19, as its value. 0 is none. */

/* A type and an offset as one value; an offset that is too large is cut. */
static PMDSWP_INLINE uint64_t pmdswp_swp_entry(uint64_t type, uint64_t offset)
{
	return (type << PMDSWP_SWP_TYPE_SHIFT) | (offset & PMDSWP_SWP_OFFSET_MASK);
}

/* The type number. */
static PMDSWP_INLINE uint64_t pmdswp_swp_type(uint64_t leaf)
{
	return leaf >> PMDSWP_SWP_TYPE_SHIFT;
}

/* The offset: a slot of a swap device, a PFN with migration bits above it, or marker bits. */
static PMDSWP_INLINE uint64_t pmdswp_swp_offset(uint64_t leaf)
{
	return leaf & PMDSWP_SWP_OFFSET_MASK;
}

/* --- PTE --- */

/* Whether the PTE is empty. */
static PMDSWP_INLINE bool pmdswp_pte_none(uint64_t v)
{
	return (v & ~0x40ULL) == 0;
}

/* Whether the PTE maps a page, PROT_NONE mappings included. */
static PMDSWP_INLINE bool pmdswp_pte_present(uint64_t v)
{
	return (v & 0x480) != 0;
}

/* The type field of a swap PTE. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_type(uint64_t v)
{
	return (v >> 16) & 0x3f;
}

/* The offset field of a swap PTE. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_offset(uint64_t v)
{
	return v >> 24;
}

/* The swap PTE with all three flags clear. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_clear_flags(uint64_t v)
{
	return v & ~0x800000ULL;
}

/* Whether the swap PTE says that its page belonged to one process alone. */
static PMDSWP_INLINE bool pmdswp_pte_swp_exclusive(uint64_t v)
{
	return (v & 0x800000) != 0;
}

/* The swap PTE with the exclusive bit set. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_mkexclusive(uint64_t v)
{
	return v | 0x800000;
}

/* The swap PTE with the exclusive bit clear. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_clear_exclusive(uint64_t v)
{
	return v & ~0x800000ULL;
}

/* Whether the swap PTE is soft-dirty. */
static PMDSWP_INLINE bool pmdswp_pte_swp_soft_dirty(uint64_t v)
{
	(void)v;
	return false;
}

/* The swap PTE with the soft-dirty bit set. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_mksoft_dirty(uint64_t v)
{
	return v;
}

/* The swap PTE with the soft-dirty bit clear. */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_clear_soft_dirty(uint64_t v)
{
	return v;
}

/* Whether userfaultfd watches the swap PTE (pte_swp_uffd_wp before 7.3). */
static PMDSWP_INLINE bool pmdswp_pte_swp_uffd(uint64_t v)
{
	(void)v;
	return false;
}

/* The swap PTE with the uffd bit set (pte_swp_mkuffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_mkuffd(uint64_t v)
{
	return v;
}

/* The swap PTE with the uffd bit clear (pte_swp_clear_uffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pte_swp_clear_uffd(uint64_t v)
{
	return v;
}

/* Whether the PTE is a marker: no page, but bits that say why (softleaf_to_marker). */
static PMDSWP_INLINE bool pmdswp_pte_is_marker(uint64_t v)
{
	return !pmdswp_pte_none(v) &&
	       !pmdswp_pte_present(v) &&
	       pmdswp_pte_swp_type(v) == PMDSWP_SWP_PTE_MARKER;
}

/* The softleaf in a PTE; 0 if the PTE is none or present. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_from_pte(uint64_t v)
{
	if (pmdswp_pte_none(v) || pmdswp_pte_present(v))
		return 0;
	return pmdswp_swp_entry(pmdswp_pte_swp_type(v), pmdswp_pte_swp_offset(v));
}

/* The PTE that holds a type and an offset, and no flag, cut as the kernel's macros cut them. */
static PMDSWP_INLINE uint64_t pmdswp_pte_from_swp(uint64_t type, uint64_t offset)
{
	return ((type & 0x7f) << 16) | ((offset & 0xffffffffffULL) << 24);
}

/* The PTE that holds a softleaf, and no flag. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_to_pte(uint64_t leaf)
{
	return pmdswp_pte_from_swp(pmdswp_swp_type(leaf), pmdswp_swp_offset(leaf));
}

/* --- PMD --- */

/* Whether the PMD is empty. */
static PMDSWP_INLINE bool pmdswp_pmd_none(uint64_t v)
{
	return v == PMDSWP_INVALID_PTE_TABLE;
}

/* Whether the PMD maps a huge page or points to a table. */
static PMDSWP_INLINE bool pmdswp_pmd_present(uint64_t v)
{
	return ((v & 0x40) != 0 && (v & 0x1000000000000480ULL) != 0) ||
	       ((v & 0x40) == 0 && !pmdswp_pmd_none(v));
}

/*
 * The kernel's leaf test, which on ppc64 and loongarch64 is true for a non-present entry as well.
 */
static PMDSWP_INLINE bool pmdswp_pmd_leaf(uint64_t v)
{
	return (v & 0x40) != 0;
}

/*
 * Whether the PMD maps a transparent huge page; always false without CONFIG_TRANSPARENT_HUGEPAGE.
 */
static PMDSWP_INLINE bool pmdswp_pmd_trans_huge(uint64_t v)
{
	return (v & 0x40) != 0 && (v & 0x1000000000000480ULL) != 0;
}

/* Whether the PMD is not a sound pointer to a table. */
static PMDSWP_INLINE bool pmdswp_pmd_bad(uint64_t v)
{
	return (v & 0x3fff) != 0;
}

/* The type field of a swap PMD. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_type(uint64_t v)
{
	return (v >> 16) & 0x3f;
}

/* The offset field of a swap PMD. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_offset(uint64_t v)
{
	return v >> 24;
}

/* Whether the swap PMD says that its folio belonged to one process alone; new with the series. */
static PMDSWP_INLINE bool pmdswp_pmd_swp_exclusive(uint64_t v)
{
	return (v & 0x800000) != 0;
}

/* The swap PMD with the exclusive bit set; new with the series. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_mkexclusive(uint64_t v)
{
	return v | 0x800000;
}

/* The swap PMD with the exclusive bit clear; new with the series. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_clear_exclusive(uint64_t v)
{
	return v & ~0x800000ULL;
}

/* Whether the PMD softleaf is soft-dirty. */
static PMDSWP_INLINE bool pmdswp_pmd_swp_soft_dirty(uint64_t v)
{
	(void)v;
	return false;
}

/* The PMD softleaf with the soft-dirty bit set. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_mksoft_dirty(uint64_t v)
{
	return v;
}

/* The PMD softleaf with the soft-dirty bit clear. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_clear_soft_dirty(uint64_t v)
{
	return v;
}

/* Whether userfaultfd watches the PMD softleaf (pmd_swp_uffd_wp before 7.3). */
static PMDSWP_INLINE bool pmdswp_pmd_swp_uffd(uint64_t v)
{
	(void)v;
	return false;
}

/* The PMD softleaf with the uffd bit set (pmd_swp_mkuffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_mkuffd(uint64_t v)
{
	return v;
}

/* The PMD softleaf with the uffd bit clear (pmd_swp_clear_uffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_swp_clear_uffd(uint64_t v)
{
	return v;
}

/* Whether the PMD stands for HPAGE_PMD_NR swap slots; new with the series. */
static PMDSWP_INLINE bool pmdswp_pmd_is_swap_entry(uint64_t v)
{
	return !pmdswp_pmd_none(v) &&
	       !pmdswp_pmd_present(v) &&
	       pmdswp_pmd_swp_type(v) < PMDSWP_MAX_SWAPFILES &&
	       (v & ~0xc0ffffULL) != 0;
}

/* Whether the PMD stands for a huge page that is being migrated. */
static PMDSWP_INLINE bool pmdswp_pmd_is_migration_entry(uint64_t v)
{
	return !pmdswp_pmd_none(v) &&
	       !pmdswp_pmd_present(v) &&
	       pmdswp_pmd_swp_type(v) >= PMDSWP_SWP_MIGRATION_READ &&
	       pmdswp_pmd_swp_type(v) <= PMDSWP_SWP_MIGRATION_WRITE;
}

/* Whether the PMD stands for a huge page in device memory, since 6.19. */
static PMDSWP_INLINE bool pmdswp_pmd_is_device_private_entry(uint64_t v)
{
	return !pmdswp_pmd_none(v) &&
	       !pmdswp_pmd_present(v) &&
	       pmdswp_pmd_swp_type(v) >= PMDSWP_SWP_DEVICE_WRITE &&
	       pmdswp_pmd_swp_type(v) <= PMDSWP_SWP_DEVICE_READ;
}

/* Whether the PMD holds a softleaf of a kind that this kernel puts into PMDs. */
static PMDSWP_INLINE bool pmdswp_pmd_is_valid_softleaf(uint64_t v)
{
	return !pmdswp_pmd_none(v) &&
	       !pmdswp_pmd_present(v) &&
	       ((pmdswp_pmd_swp_type(v) >= PMDSWP_SWP_MIGRATION_READ &&
	         pmdswp_pmd_swp_type(v) <= PMDSWP_SWP_MIGRATION_WRITE) ||
	        (pmdswp_pmd_swp_type(v) >= PMDSWP_SWP_DEVICE_WRITE &&
	         pmdswp_pmd_swp_type(v) <= PMDSWP_SWP_DEVICE_READ) ||
	        (pmdswp_pmd_swp_type(v) < PMDSWP_MAX_SWAPFILES && (v & ~0xc0ffffULL) != 0));
}

/* The softleaf in a PMD; 0 if the PMD is none or present. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_from_pmd(uint64_t v)
{
	if (pmdswp_pmd_none(v) || pmdswp_pmd_present(v))
		return 0;
	return pmdswp_swp_entry(pmdswp_pmd_swp_type(v), pmdswp_pmd_swp_offset(v));
}

/* The PMD that holds a type and an offset, and no flag, cut as the kernel's macros cut them. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_from_swp(uint64_t type, uint64_t offset)
{
	return ((type & 0x7f) << 16) | ((offset & 0xffffffffffULL) << 24) | 0x40;
}

/* The PMD that holds a softleaf, and no flag. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_to_pmd(uint64_t leaf)
{
	return pmdswp_pmd_from_swp(pmdswp_swp_type(leaf), pmdswp_swp_offset(leaf));
}

/* --- the kernel's own forms of an entry (__swp_entry and its like), and one PMD as PTEs --- */

/* __pte_to_swp_entry; it clears no flag. */
static PMDSWP_INLINE uint64_t pmdswp_pte_to_arch_swp_entry(uint64_t v)
{
	return v;
}

/* __pmd_to_swp_entry; it clears no flag (on s390x the conversion drops them). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_to_arch_swp_entry(uint64_t v)
{
	return v;
}

/* The PTE for slot i (0..HPAGE_PMD_NR - 1) of a PMD softleaf: offset + i, same type, same flags. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_entry_to_pte(uint64_t v, uint64_t i)
{
	return (pmdswp_pmd_swp_type(v) << 16) |
	       (((pmdswp_pmd_swp_offset(v) | i) & 0xffffffffffULL) << 24) |
	       (v & 0x800000);
}

/*
 * The PMD form of a PTE softleaf: same type, offset and flags. Bits without a meaning are dropped.
 */
static PMDSWP_INLINE uint64_t pmdswp_pte_entry_to_pmd(uint64_t v)
{
	return (pmdswp_pte_swp_type(v) << 16) |
	       (pmdswp_pte_swp_offset(v) << 24) |
	       0x40 |
	       (v & 0x800000);
}

/*
 * __swp_entry: the architecture's swp_entry_t; numbers out of range do what the kernel's shifts do.
 */
static PMDSWP_INLINE uint64_t pmdswp_arch_swp_entry(uint64_t type, uint64_t offset)
{
	return ((type & 0x7f) << 16) | ((offset & 0xffffffffffULL) << 24);
}

/* __swp_type: the type in the architecture's swp_entry_t. */
static PMDSWP_INLINE uint64_t pmdswp_arch_swp_type(uint64_t v)
{
	return (v >> 16) & 0x7f;
}

/* __swp_offset: the offset in the architecture's swp_entry_t. */
static PMDSWP_INLINE uint64_t pmdswp_arch_swp_offset(uint64_t v)
{
	return pmdswp_pte_swp_offset(v);
}

/* __swp_entry_to_pte. */
static PMDSWP_INLINE uint64_t pmdswp_arch_swp_entry_to_pte(uint64_t e)
{
	return e;
}

/* __swp_entry_to_pmd. */
static PMDSWP_INLINE uint64_t pmdswp_arch_swp_entry_to_pmd(uint64_t e)
{
	return e | 0x40;
}

/* --- softleaves --- */

/*
 * What a type number stands for; UNKNOWN for one that no kernel writes. From each number upwards it
 * is something else: no branch, so that compilers do it for many words at once.
 */
static PMDSWP_INLINE enum pmdswp_softleaf_type pmdswp_kind_of_type(uint8_t type)
{
	int kind = PMDSWP_SOFTLEAF_SWAP;

	kind += (type >= PMDSWP_SWP_MIGRATION_READ) *
		(PMDSWP_SOFTLEAF_MIGRATION_READ - PMDSWP_SOFTLEAF_SWAP);
	kind += (type >= PMDSWP_SWP_MIGRATION_READ_EXCLUSIVE) *
		(PMDSWP_SOFTLEAF_MIGRATION_READ_EXCLUSIVE - PMDSWP_SOFTLEAF_MIGRATION_READ);
	kind += (type >= PMDSWP_SWP_MIGRATION_WRITE) *
		(PMDSWP_SOFTLEAF_MIGRATION_WRITE - PMDSWP_SOFTLEAF_MIGRATION_READ_EXCLUSIVE);
	kind += (type >= PMDSWP_SWP_DEVICE_WRITE) *
		(PMDSWP_SOFTLEAF_DEVICE_PRIVATE_WRITE - PMDSWP_SOFTLEAF_MIGRATION_WRITE);
	kind += (type >= PMDSWP_SWP_DEVICE_READ) *
		(PMDSWP_SOFTLEAF_DEVICE_PRIVATE_READ - PMDSWP_SOFTLEAF_DEVICE_PRIVATE_WRITE);
	kind += (type >= PMDSWP_SWP_DEVICE_EXCLUSIVE) *
		(PMDSWP_SOFTLEAF_DEVICE_EXCLUSIVE - PMDSWP_SOFTLEAF_DEVICE_PRIVATE_READ);
	kind += (type >= PMDSWP_SWP_PTE_MARKER) *
		(PMDSWP_SOFTLEAF_MARKER - PMDSWP_SOFTLEAF_DEVICE_EXCLUSIVE);
	kind += (type > 31) *
		(PMDSWP_SOFTLEAF_UNKNOWN - PMDSWP_SOFTLEAF_MARKER);
	return (enum pmdswp_softleaf_type)kind;
}

/* What a softleaf is. */
static PMDSWP_INLINE enum pmdswp_softleaf_type pmdswp_softleaf_type(uint64_t leaf)
{
	return leaf == 0 ? PMDSWP_SOFTLEAF_NONE : pmdswp_kind_of_type((uint8_t)pmdswp_swp_type(leaf));
}

/* Whether the offset of a softleaf holds a page frame number. */
static PMDSWP_INLINE bool pmdswp_softleaf_has_pfn(uint64_t leaf)
{
	return pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_READ ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_READ_EXCLUSIVE ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_WRITE ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_DEVICE_WRITE ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_DEVICE_READ ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_DEVICE_EXCLUSIVE;
}

/* Whether a softleaf is a migration entry. */
static PMDSWP_INLINE bool pmdswp_softleaf_is_migration(uint64_t leaf)
{
	return pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_READ ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_READ_EXCLUSIVE ||
	       pmdswp_swp_type(leaf) == PMDSWP_SWP_MIGRATION_WRITE;
}

/* The page frame number in a softleaf that has one. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_to_pfn(uint64_t leaf)
{
	return pmdswp_swp_offset(leaf) & PMDSWP_SWP_PFN_MASK;
}

/* Whether a migration entry is young; false for other softleaves, and without MIGRATION_AD. */
static PMDSWP_INLINE bool pmdswp_softleaf_is_migration_young(uint64_t leaf)
{
	return pmdswp_softleaf_is_migration(leaf) && ((leaf >> (PMDSWP_SWP_PFN_BITS + 0)) & 1) != 0;
}

/* Whether a migration entry is dirty; false for other softleaves, and without MIGRATION_AD. */
static PMDSWP_INLINE bool pmdswp_softleaf_is_migration_dirty(uint64_t leaf)
{
	return pmdswp_softleaf_is_migration(leaf) && ((leaf >> (PMDSWP_SWP_PFN_BITS + 1)) & 1) != 0;
}

/* The bits of a PTE marker that this kernel knows. */
static PMDSWP_INLINE uint64_t pmdswp_softleaf_to_marker(uint64_t leaf)
{
	return pmdswp_swp_offset(leaf) & PMDSWP_PTE_MARKER_MASK;
}

/* A word taken apart. If it is not a softleaf, everything but the state is 0. */
struct pmdswp_entry {
	uint64_t offset;
	uint8_t state;    /* enum pmdswp_state */
	uint8_t kind;     /* enum pmdswp_softleaf_type */
	uint8_t swp_type; /* the number in the entry */
	uint8_t flags;    /* enum pmdswp_flags */
};

/* What a PTE is. */
static PMDSWP_INLINE enum pmdswp_state pmdswp_pte_state(uint64_t v)
{
	if (pmdswp_pte_none(v))
		return PMDSWP_STATE_NONE;
	if (!pmdswp_pte_present(v))
		return PMDSWP_STATE_SOFTLEAF;
	return PMDSWP_STATE_PRESENT;
}

/* A PTE taken apart. */
static PMDSWP_INLINE struct pmdswp_entry pmdswp_decode_pte(uint64_t v)
{
	const enum pmdswp_state state = pmdswp_pte_state(v);
	const uint64_t kept = state == PMDSWP_STATE_SOFTLEAF ? ~0ULL : 0;
	struct pmdswp_entry entry;

	entry.state = (uint8_t)state;
	entry.offset = pmdswp_pte_swp_offset(v) & kept;
	entry.swp_type = (uint8_t)(pmdswp_pte_swp_type(v) & kept);
	entry.kind = (uint8_t)(pmdswp_kind_of_type(entry.swp_type) * (entry.offset != 0 || entry.swp_type != 0));
	entry.flags = (uint8_t)(((pmdswp_pte_swp_exclusive(v) ? PMDSWP_FLAG_EXCLUSIVE : 0)) & kept);
	return entry;
}

/* The PTE that holds a type, an offset and flags; a flag that this kernel lacks is left out. */
static PMDSWP_INLINE uint64_t pmdswp_encode_pte(uint64_t type, uint64_t offset, unsigned int flags)
{
	uint64_t v = pmdswp_pte_from_swp(type, offset);

	if (flags & PMDSWP_FLAG_EXCLUSIVE)
		v = pmdswp_pte_swp_mkexclusive(v);
	return v;
}

/* What a PMD is. */
static PMDSWP_INLINE enum pmdswp_state pmdswp_pmd_state(uint64_t v)
{
	if (pmdswp_pmd_none(v))
		return PMDSWP_STATE_NONE;
	if (!pmdswp_pmd_present(v))
		return PMDSWP_STATE_SOFTLEAF;
	if (!pmdswp_pmd_leaf(v))
		return PMDSWP_STATE_TABLE;
	return PMDSWP_STATE_PRESENT;
}

/* A PMD taken apart. */
static PMDSWP_INLINE struct pmdswp_entry pmdswp_decode_pmd(uint64_t v)
{
	const enum pmdswp_state state = pmdswp_pmd_state(v);
	const uint64_t kept = state == PMDSWP_STATE_SOFTLEAF ? ~0ULL : 0;
	struct pmdswp_entry entry;

	entry.state = (uint8_t)state;
	entry.offset = pmdswp_pmd_swp_offset(v) & kept;
	entry.swp_type = (uint8_t)(pmdswp_pmd_swp_type(v) & kept);
	entry.kind = (uint8_t)(pmdswp_kind_of_type(entry.swp_type) * (entry.offset != 0 || entry.swp_type != 0));
	entry.flags = (uint8_t)(((pmdswp_pmd_swp_exclusive(v) ? PMDSWP_FLAG_EXCLUSIVE : 0)) & kept);
	return entry;
}

/* The PMD that holds a type, an offset and flags; a flag that this kernel lacks is left out. */
static PMDSWP_INLINE uint64_t pmdswp_encode_pmd(uint64_t type, uint64_t offset, unsigned int flags)
{
	uint64_t v = pmdswp_pmd_from_swp(type, offset);

	if (flags & PMDSWP_FLAG_EXCLUSIVE)
		v = pmdswp_pmd_swp_mkexclusive(v);
	return v;
}

/* --- present PTE --- */

/* The page frame number that the present entry maps, inversion undone (x86). */
static PMDSWP_INLINE uint64_t pmdswp_pte_pfn(uint64_t v)
{
	return (v & 0xffffffffc000ULL) >> 14;
}

/* Whether the page may be written to. */
static PMDSWP_INLINE bool pmdswp_pte_write(uint64_t v)
{
	return (v & 0x100) != 0;
}

/* Whether the page was accessed. */
static PMDSWP_INLINE bool pmdswp_pte_young(uint64_t v)
{
	return (v & 1) != 0;
}

/* Whether the page was written to. */
static PMDSWP_INLINE bool pmdswp_pte_dirty(uint64_t v)
{
	return (v & 0x202) != 0;
}

/* Whether the page may be executed. */
static PMDSWP_INLINE bool pmdswp_pte_exec(uint64_t v)
{
	return (v & 0x4000000000000000ULL) == 0;
}

/* Whether user space may access the page. */
static PMDSWP_INLINE bool pmdswp_pte_user(uint64_t v)
{
	return (v & 0xc) == 0xc;
}

/* Whether the entry maps no page that the mm counts: a raw frame, or the zero page. */
static PMDSWP_INLINE bool pmdswp_pte_special(uint64_t v)
{
	return (v & 0x800) != 0;
}

/* Whether the present entry is soft-dirty. */
static PMDSWP_INLINE bool pmdswp_pte_soft_dirty(uint64_t v)
{
	(void)v;
	return false;
}

/* Whether userfaultfd watches the present entry (pte_uffd_wp before 7.3). */
static PMDSWP_INLINE bool pmdswp_pte_uffd(uint64_t v)
{
	(void)v;
	return false;
}

/* Whether the entry maps a page that nobody may access (NUMA balancing, PROT_NONE). */
static PMDSWP_INLINE bool pmdswp_pte_protnone(uint64_t v)
{
	return (v & 0x400) != 0;
}

/* Whether the translation holds for every address space. */
static PMDSWP_INLINE bool pmdswp_pte_global(uint64_t v)
{
	return (v & 0x40) != 0;
}

/* The present entry, writable (pte_mkwrite_novma since 6.6). */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkwrite(uint64_t v)
{
	return v | 0x100 | (((v >> 9) & 1) << 1);
}

/* The present entry, write-protected. */
static PMDSWP_INLINE uint64_t pmdswp_pte_wrprotect(uint64_t v)
{
	return (v | (((v >> 1) & 1) << 9)) & ~0x102ULL;
}

/* The present entry, accessed. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkyoung(uint64_t v)
{
	return v | 1;
}

/* The present entry, not accessed. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkold(uint64_t v)
{
	return v & ~1ULL;
}

/* The present entry, dirty. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkdirty(uint64_t v)
{
	return v | 0x200 | (((v >> 8) & 1) << 1);
}

/* The present entry, clean. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkclean(uint64_t v)
{
	return v & ~0x202ULL;
}

/* The present entry, special. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkspecial(uint64_t v)
{
	return v | 0x800;
}

/* The present entry with the soft-dirty bit set. */
static PMDSWP_INLINE uint64_t pmdswp_pte_mksoft_dirty(uint64_t v)
{
	return v;
}

/* The present entry with the soft-dirty bit clear. */
static PMDSWP_INLINE uint64_t pmdswp_pte_clear_soft_dirty(uint64_t v)
{
	return v;
}

/* The present entry with the uffd bit set (pte_mkuffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pte_mkuffd(uint64_t v)
{
	return v;
}

/* The present entry with the uffd bit clear (pte_clear_uffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pte_clear_uffd(uint64_t v)
{
	return v;
}

/* The physical address, in bytes, of the page that it maps. */
static PMDSWP_INLINE uint64_t pmdswp_pte_page_address(uint64_t v)
{
	return v & 0xffffffffc000ULL;
}

/* --- present PMD --- */

/* The page frame number that the present entry maps; of a table, as the kernel computes it. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_pfn(uint64_t v)
{
	return (v & 0xffffffffc000ULL) >> 14;
}

/* Whether the page may be written to. */
static PMDSWP_INLINE bool pmdswp_pmd_write(uint64_t v)
{
	return (v & 0x100) != 0;
}

/* Whether the page was accessed. */
static PMDSWP_INLINE bool pmdswp_pmd_young(uint64_t v)
{
	return (v & 1) != 0;
}

/* Whether the page was written to. */
static PMDSWP_INLINE bool pmdswp_pmd_dirty(uint64_t v)
{
	return (v & 0x202) != 0;
}

/* Whether the page may be executed. */
static PMDSWP_INLINE bool pmdswp_pmd_exec(uint64_t v)
{
	return (v & 0x4000000000000000ULL) == 0;
}

/* Whether user space may access the page. */
static PMDSWP_INLINE bool pmdswp_pmd_user(uint64_t v)
{
	return (v & 0xc) == 0xc;
}

/* Whether the present entry is soft-dirty. */
static PMDSWP_INLINE bool pmdswp_pmd_soft_dirty(uint64_t v)
{
	(void)v;
	return false;
}

/* Whether userfaultfd watches the present entry (pmd_uffd_wp before 7.3). */
static PMDSWP_INLINE bool pmdswp_pmd_uffd(uint64_t v)
{
	(void)v;
	return false;
}

/* Whether the entry maps a page that nobody may access (NUMA balancing, PROT_NONE). */
static PMDSWP_INLINE bool pmdswp_pmd_protnone(uint64_t v)
{
	return (v & 0x400) != 0;
}

/* Whether the translation holds for every address space. */
static PMDSWP_INLINE bool pmdswp_pmd_global(uint64_t v)
{
	return (v & 0x1040) == 0x1040;
}

/* The present entry, writable (pmd_mkwrite_novma since 6.6). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkwrite(uint64_t v)
{
	return v | 0x100 | (((v >> 9) & 1) << 1);
}

/* The present entry, write-protected. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_wrprotect(uint64_t v)
{
	return (v | (((v >> 1) & 1) << 9)) & ~0x102ULL;
}

/* The present entry, accessed. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkyoung(uint64_t v)
{
	return v | 1;
}

/* The present entry, not accessed. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkold(uint64_t v)
{
	return v & ~1ULL;
}

/* The present entry, dirty. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkdirty(uint64_t v)
{
	return v | 0x200 | (((v >> 8) & 1) << 1);
}

/* The present entry, clean. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkclean(uint64_t v)
{
	return v & ~0x202ULL;
}

/* The present entry with the soft-dirty bit set. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mksoft_dirty(uint64_t v)
{
	return v;
}

/* The present entry with the soft-dirty bit clear. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_clear_soft_dirty(uint64_t v)
{
	return v;
}

/* The present entry with the uffd bit set (pmd_mkuffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_mkuffd(uint64_t v)
{
	return v;
}

/* The present entry with the uffd bit clear (pmd_clear_uffd_wp before 7.3). */
static PMDSWP_INLINE uint64_t pmdswp_pmd_clear_uffd(uint64_t v)
{
	return v;
}

/* The physical address, in bytes, of the page that it maps. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_page_address(uint64_t v)
{
	return v & 0xfffffe000000ULL;
}

/* The physical address, in bytes, of the table to which it points. */
static PMDSWP_INLINE uint64_t pmdswp_pmd_table_address(uint64_t v)
{
	return v & 0xffffffffffffULL;
}

/* --- present PGD --- */

/* Whether the PGD is empty. */
static PMDSWP_INLINE bool pmdswp_pgd_none(uint64_t v)
{
	return v == PMDSWP_INVALID_PMD_TABLE;
}

/* Whether the PGD maps a page or points to a table. */
static PMDSWP_INLINE bool pmdswp_pgd_present(uint64_t v)
{
	return v != PMDSWP_INVALID_PMD_TABLE;
}

/* Whether the PGD maps a page. */
static PMDSWP_INLINE bool pmdswp_pgd_leaf(uint64_t v)
{
	return (v & 0x40) != 0;
}

/* Whether the PGD is not a sound pointer to a table. */
static PMDSWP_INLINE bool pmdswp_pgd_bad(uint64_t v)
{
	return (v & 0x3fff) != 0;
}

/* The page frame number of the table that the entry points to. */
static PMDSWP_INLINE uint64_t pmdswp_pgd_pfn(uint64_t v)
{
	return (v & 0xffffffffc000ULL) >> 14;
}

/* The physical address, in bytes, of the page that it maps. */
static PMDSWP_INLINE uint64_t pmdswp_pgd_page_address(uint64_t v)
{
	return v & 0xfff000000000ULL;
}

/* The physical address, in bytes, of the table to which it points. */
static PMDSWP_INLINE uint64_t pmdswp_pgd_table_address(uint64_t v)
{
	return v & 0xffffffffffffULL;
}

/* --- 8 bytes as they are in memory: little-endian --- */

/* The word in 8 bytes of memory. */
static PMDSWP_INLINE uint64_t pmdswp_word_from_bytes(const uint8_t *b)
{
	return (uint64_t)b[0] |
	       ((uint64_t)b[1] << 8) |
	       ((uint64_t)b[2] << 16) |
	       ((uint64_t)b[3] << 24) |
	       ((uint64_t)b[4] << 32) |
	       ((uint64_t)b[5] << 40) |
	       ((uint64_t)b[6] << 48) |
	       ((uint64_t)b[7] << 56);
}

/* A word as 8 bytes of memory. */
static PMDSWP_INLINE void pmdswp_word_to_bytes(uint64_t v, uint8_t *b)
{
	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
	b[2] = (uint8_t)(v >> 16);
	b[3] = (uint8_t)(v >> 24);
	b[4] = (uint8_t)(v >> 32);
	b[5] = (uint8_t)(v >> 40);
	b[6] = (uint8_t)(v >> 48);
	b[7] = (uint8_t)(v >> 56);
}

#endif /* PMDSWP_LOONGARCH64_PMD_SWAP_V3_H */
