/* Words that the kernel makes: what pages, huge pages and tables leave in entries. */
#include "made.h"
#include "probe.h"

#include <asm/pgalloc.h>

/* Protections of user space have the same names here, whatever an architecture calls them. */
#if defined(CONFIG_S390)
#define READ_ONLY PAGE_RO
#define READ_ONLY_EXEC PAGE_RX
#define SHARED_EXEC PAGE_RWX
#elif defined(CONFIG_RISCV)
#define READ_ONLY PAGE_READ
#define READ_ONLY_EXEC PAGE_READ_EXEC
#define SHARED_EXEC PAGE_SHARED_EXEC
#elif defined(CONFIG_PPC)
#define READ_ONLY PAGE_READONLY
#define READ_ONLY_EXEC PAGE_READONLY_X
#define SHARED_EXEC PAGE_SHARED_X
#elif defined(CONFIG_LOONGARCH)
/* whether a page may run stands in no protection but those of the kernel */
#define READ_ONLY PAGE_READONLY
#define READ_ONLY_EXEC PAGE_READONLY
#define SHARED_EXEC PAGE_SHARED
#else
#define READ_ONLY PAGE_READONLY
#define READ_ONLY_EXEC PAGE_READONLY_EXEC
#define SHARED_EXEC PAGE_SHARED_EXEC
#endif

pgprot_t protection(const char *name)
{
	if (same(name, "PAGE_NONE"))
		return PAGE_NONE;
	if (same(name, "PAGE_READONLY"))
		return READ_ONLY;
	if (same(name, "PAGE_READONLY_EXEC"))
		return READ_ONLY_EXEC;
	if (same(name, "PAGE_SHARED"))
		return PAGE_SHARED;
	if (same(name, "PAGE_SHARED_EXEC"))
		return SHARED_EXEC;
	if (same(name, "PAGE_KERNEL"))
		return PAGE_KERNEL;
	if (same(name, "PAGE_KERNEL_EXEC"))
		return PAGE_KERNEL_EXEC;
	if (same(name, "PAGE_KERNEL_RO"))
		return PAGE_KERNEL_RO;
	fail("an unknown protection");
}

bool makes_huge_pmds(void)
{
#ifdef CONFIG_PPC
	return PAGE_SHIFT != 12 || radix_enabled();
#else
	return true;
#endif
}

bool makes_huge_puds(void)
{
#ifdef CONFIG_PPC
	return radix_enabled();
#else
	return true;
#endif
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
pmd_t huge_pmd(u64 pfn, pgprot_t prot)
{
	return pmd_mkhuge(pfn_pmd(pfn, prot));
}

/* A THP's entry while it is being split: s390 and powerpc do that in functions that stand in no header. */
pmd_t invalid_pmd(pmd_t pmd)
{
#if defined(CONFIG_S390)
	return __pmd(pmd_val(pmd) | _SEGMENT_ENTRY_INVALID);
#elif defined(CONFIG_PPC)
	return __pmd((pmd_val(pmd) & ~_PAGE_PRESENT) | _PAGE_INVALID);
#else
	return pmd_mkinvalid(pmd);
#endif
}

static u64 huge_word(u64 pfn, const char *name)
{
	return pmd_val(huge_pmd(pfn, protection(name)));
}

u64 huge_bits(void)
{
	return huge_word(0, "PAGE_READONLY") & huge_word(0, "PAGE_READONLY_EXEC") & huge_word(0, "PAGE_SHARED");
}
#else
static u64 huge_word(u64 pfn, const char *name)
{
	fail("huge entries without transparent huge pages");
}

u64 huge_bits(void)
{
	fail("huge entries without transparent huge pages");
}
#endif

static u64 page_word(u64 pfn, const char *name)
{
	return pte_val(pfn_pte(pfn, protection(name)));
}

u64 present_bits(void)
{
	return page_word(0, "PAGE_READONLY") & page_word(0, "PAGE_READONLY_EXEC") & page_word(0, "PAGE_SHARED") &
	       page_word(0, "PAGE_KERNEL") & page_word(0, "PAGE_KERNEL_EXEC");
}

/*
 * What an entry holds that points to the table below: the functions that make it write it to where tables are, so
 * that what they compute is computed here.
 */
#ifndef PMD_TABLE_AF
#define PMD_TABLE_AF 0
#define PUD_TABLE_AF 0
#define P4D_TABLE_AF 0
#define PGD_TABLE_AF 0
#endif
#ifndef PMD_TABLE_PXN
#define PMD_TABLE_PXN 0
#define PUD_TABLE_PXN 0
#endif

static u64 table_word(u64 pfn, const char *level)
{
	u64 address = pfn << PAGE_SHIFT;

#if defined(CONFIG_X86_64)
	return address | _PAGE_TABLE;
#elif defined(CONFIG_ARM64)
	u64 at = pte_val(pfn_pte(pfn, __pgprot(0)));

	if (same(level, "pmd"))
		return at | PMD_TYPE_TABLE | PMD_TABLE_AF | PMD_TABLE_PXN;
	return at | PUD_TYPE_TABLE | PUD_TABLE_AF | PUD_TABLE_PXN;
#elif defined(CONFIG_RISCV)
	return pfn << _PAGE_PFN_SHIFT | _PAGE_TABLE;
#elif defined(CONFIG_S390)
	if (same(level, "pmd"))
		return address | _SEGMENT_ENTRY;
	if (same(level, "pud"))
		return address | _REGION3_ENTRY;
	if (same(level, "p4d"))
		return address | _REGION2_ENTRY;
	return address | _REGION1_ENTRY;
#elif defined(CONFIG_PPC64)
	if (same(level, "pmd"))
		return address | PMD_VAL_BITS;
	if (same(level, "pud"))
		return address | PUD_VAL_BITS;
	return address | PGD_VAL_BITS;
#elif defined(CONFIG_LOONGARCH)
	return (u64)__va(address);
#endif
}

/* What an entry holds that leads nowhere. */
static u64 empty_word(const char *level)
{
#if defined(CONFIG_S390)
	if (same(level, "pmd"))
		return _SEGMENT_ENTRY_EMPTY;
	if (same(level, "pud"))
		return _REGION3_ENTRY_EMPTY;
	if (same(level, "p4d"))
		return _REGION2_ENTRY_EMPTY;
	return _REGION1_ENTRY_EMPTY;
#elif defined(CONFIG_LOONGARCH)
	if (same(level, "pmd"))
		return (u64)invalid_pte_table;
#ifndef __PAGETABLE_PMD_FOLDED
	if (same(level, "pud"))
		return (u64)invalid_pmd_table;
#endif
#ifndef __PAGETABLE_PUD_FOLDED
	if (same(level, "p4d"))
		return (u64)invalid_pud_table;
#endif
	return 0;
#else
	return 0;
#endif
}

static const char *after(const char *prefix, const char *text)
{
	while (*prefix && *prefix == *text) {
		prefix++;
		text++;
	}
	return *prefix ? NULL : text;
}

u64 made_word(const char *what, u64 pfn)
{
	const char *rest;

	if ((rest = after("huge_", what)))
		return huge_word(pfn, rest);
	if ((rest = after("empty_", what)))
		return empty_word(rest);
	if ((rest = after("table_", what)))
		return table_word(pfn, rest);
	return page_word(pfn, what);
}
