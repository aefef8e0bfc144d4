/* Constants and CONFIG symbols, and which bits the helpers set and clear. */
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/xarray.h>

#include "names.h"
#include "older.h"
#include "version-numbers.h"

#if HAS_softleaf_type
#include <linux/leafops.h>
#endif
#if HAS_uffd_supports_wp_marker
#include <linux/userfaultfd_k.h>
#endif

#include "probe.h"

#if defined(CONFIG_X86_64)
#define ARCH_NAME "x86_64"
#elif defined(CONFIG_ARM64)
#define ARCH_NAME "arm64"
#elif defined(CONFIG_RISCV)
#define ARCH_NAME "riscv64"
#elif defined(CONFIG_S390)
#define ARCH_NAME "s390x"
#elif defined(CONFIG_PPC64)
#define ARCH_NAME "ppc64le"
#elif defined(CONFIG_LOONGARCH)
#define ARCH_NAME "loongarch64"
#endif

#define DEC(name) dec(#name, name)
#define HEX(name) hex(#name, name)

static void symbols(void)
{
#include "symbols.h"
}

/* Written by the builder from the names that it is given; some stand for calls, so that they need a function. */
static void constants(void)
{
#include "constants.h"
}

static void arch_constants(void)
{
#include "arch-constants.h"
}

/* The largest offset that a PTE keeps; what the kernel's swapfile code computes of the arch's functions. */
u64 max_offset(void)
{
	return __swp_offset(__pte_to_swp_entry(__swp_entry_to_pte(__swp_entry(0, SWP_OFFSET_MASK))));
}

#define PTE_SETS(helper) (pte_val(helper(__pte(0))) & ~pte_val(__pte(0)))
#define PTE_CLEARS(helper) (pte_val(__pte(~0UL)) & ~pte_val(helper(__pte(~0UL))))
#define PMD_SETS(helper) (pmd_val(helper(__pmd(0))) & ~pmd_val(__pmd(0)))
#define PMD_CLEARS(helper) (pmd_val(__pmd(~0UL)) & ~pmd_val(helper(__pmd(~0UL))))

static void flags(void)
{
#if defined(CONFIG_ARCH_HAS_PMD_SOFTLEAVES) || (HAS_softleaf_type && defined(CONFIG_ARCH_ENABLE_THP_MIGRATION))
	hex("pmd_swp_exclusive_bits", pmd_exclusive_mask());
	dec("pmd_swp_exclusive_emulated", !HAS_pmd_swp_mkexclusive);
	hex("pmd_swp_soft_dirty_bits", PMD_SETS(pmd_swp_mksoft_dirty));
#if HAS_pte_swp_mkuffd
	hex("pmd_swp_uffd_bits", PMD_SETS(pmd_swp_mkuffd));
#else
	hex("pmd_swp_uffd_bits", PMD_SETS(pmd_swp_mkuffd_wp));
#endif
#if HAS_pmd_swp_clear_exclusive
	hex("pmd_swp_exclusive_clear", PMD_CLEARS(pmd_swp_clear_exclusive));
#endif
	hex("pmd_swp_soft_dirty_clear", PMD_CLEARS(pmd_swp_clear_soft_dirty));
#if HAS_pte_swp_mkuffd
	hex("pmd_swp_uffd_clear", PMD_CLEARS(pmd_swp_clear_uffd));
#else
	hex("pmd_swp_uffd_clear", PMD_CLEARS(pmd_swp_clear_uffd_wp));
#endif
#endif
	hex("swp_exclusive_bits", PTE_SETS(pte_swp_mkexclusive));
	hex("swp_soft_dirty_bits", PTE_SETS(pte_swp_mksoft_dirty));
#if HAS_pte_swp_mkuffd
	hex("swp_uffd_wp_bits", PTE_SETS(pte_swp_mkuffd));
#else
	hex("swp_uffd_wp_bits", PTE_SETS(pte_swp_mkuffd_wp));
#endif
	hex("swp_exclusive_clear", PTE_CLEARS(pte_swp_clear_exclusive));
	hex("swp_soft_dirty_clear", PTE_CLEARS(pte_swp_clear_soft_dirty));
#if HAS_pte_swp_mkuffd
	hex("swp_uffd_wp_clear", PTE_CLEARS(pte_swp_clear_uffd));
#else
	hex("swp_uffd_wp_clear", PTE_CLEARS(pte_swp_clear_uffd_wp));
#endif
	hex("pte_swp_clear_flags_clear", PTE_CLEARS(pte_swp_clear_flags));
}

static void softleaves(void)
{
#if HAS_softleaf_type
	DEC(SOFTLEAF_NONE);
	DEC(SOFTLEAF_SWAP);
	DEC(SOFTLEAF_MIGRATION_READ);
	DEC(SOFTLEAF_MIGRATION_READ_EXCLUSIVE);
	DEC(SOFTLEAF_MIGRATION_WRITE);
	DEC(SOFTLEAF_DEVICE_PRIVATE_READ);
	DEC(SOFTLEAF_DEVICE_PRIVATE_WRITE);
	DEC(SOFTLEAF_DEVICE_EXCLUSIVE);
	DEC(SOFTLEAF_HWPOISON);
	DEC(SOFTLEAF_MARKER);
	DEC(LEAF_TYPE_SHIFT);
#endif
#if HAS_pgtable_supports_soft_dirty
	dec("pgtable_supports_soft_dirty", pgtable_supports_soft_dirty());
#endif
#if HAS_pgtable_supports_uffd
	dec("pgtable_supports_uffd", pgtable_supports_uffd());
#elif HAS_pgtable_supports_uffd_wp
	dec("pgtable_supports_uffd", pgtable_supports_uffd_wp());
#endif
#if HAS_uffd_supports_wp_marker
	dec("uffd_supports_wp_marker", uffd_supports_wp_marker());
#endif
}

static void l1tf(void)
{
#ifdef CONFIG_X86
	static const u8 cache_bits[] = { 36, 39, 44, 46, 48, 52 };
	static const char *const names[] = { "36", "39", "44", "46", "48", "52" };
	unsigned int i;

	object_open("l1tf_limit_by_cache_bits");
	for (i = 0; i < ARRAY_SIZE(cache_bits); i++) {
		boot_cpu_data.x86_cache_bits = cache_bits[i];
		/* in units of the offset field, which begins below the page frame number */
		hex(names[i], (u64)l1tf_pfn_limit() << (PAGE_SHIFT - SWP_OFFSET_FIRST_BIT));
	}
	object_close();
#endif
}

void answer_geom(void)
{
	line_open("geom");
	text("cc", CONFIG_CC_VERSION_TEXT);
	dec("kver_major", VERSION_NUMBER);
	dec("kver_minor", PATCHLEVEL_NUMBER);
	dec("kver_sub", SUBLEVEL_NUMBER);
	text("arch", ARCH_NAME);
	text("mode", booted_mode);
#ifdef CONFIG_RISCV_ISA_SVRSW60T59B
	dec("has_svrsw60t59b", same_as_booted("rsw"));
#endif
	text("cpu_endian", IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) || IS_ENABLED(CONFIG_S390) ? "big" : "little");
	symbols();
	constants();
#if HAS_swap_migration_ad_supported
	dec("swap_migration_ad_supported", swap_migration_ad_supported);
#endif
	softleaves();
	flags();
	arch_constants();
#if HAS_softleaf_type
	dec("thp_migration_supported", thp_migration_supported());
#endif
	dec("has_swp_entry_to_pmd",
	    IS_ENABLED(CONFIG_ARCH_HAS_PMD_SOFTLEAVES) || IS_ENABLED(CONFIG_ARCH_ENABLE_THP_MIGRATION));
#ifdef __swp_entry_to_pmd
	dec("arch_defines___swp_entry_to_pmd", 1);
#else
	dec("arch_defines___swp_entry_to_pmd", 0);
#endif
	hex("generic_max_swapfile_size", max_offset() + 1);
	hex("max_offset", max_offset());
	l1tf();
	line_close();
}
