/*
 * Answers of the kernel's functions on whole words, at each level of page tables.
 *
 * What there is to ask differs by architecture and kernel: the builder writes *-tests.h and *-makers.h from the names
 * that it finds in the headers (helpers.py).
 */
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/mm_inline.h>
#include <linux/pgtable.h>

#include "names.h"

#include "made.h"
#include "probe.h"

/* Whoever asks has changes of page tables under way that have still to reach the TLB: no. */
#define ACCESSIBLE(pte) pte_accessible(&quiet, pte)
static __maybe_unused struct mm_struct quiet;

/* Where PUDs may be THPs there are helpers for them; these have some for other huge pages too. */
#if (defined(CONFIG_HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD) && defined(CONFIG_TRANSPARENT_HUGEPAGE)) || \
	defined(CONFIG_ARM64) || defined(CONFIG_S390)
#define PUD_HELPERS 1
#else
#define PUD_HELPERS 0
#endif

#define TEST(name, answer) dec(name, !!(answer))
#define MAKER(name, level, made) hex(name, level##_val(level) ^ level##_val(made))

/* The physical address of what a function of the kernel finds in its linear mapping. */
static __maybe_unused u64 physical(const void *at)
{
#if defined(CONFIG_PPC64) || defined(CONFIG_S390)
	return __pa(at);
#else
	return (u64)at - (u64)__va(0);
#endif
}

#if defined(CONFIG_ARM64)
#define PMD_TABLE(pmd) pmd_page_paddr(pmd)
#define PUD_TABLE(pud) pud_page_paddr(pud)
#define P4D_TABLE(p4d) p4d_page_paddr(p4d)
#define PGD_TABLE(pgd) pgd_page_paddr(pgd)
#elif defined(CONFIG_S390)
#define PMD_TABLE(pmd) physical((void *)pmd_deref(pmd))
#define PUD_TABLE(pud) physical((void *)pud_deref(pud))
#define P4D_TABLE(p4d) physical((void *)p4d_deref(p4d))
#define PGD_TABLE(pgd) physical((void *)pgd_deref(pgd))
#elif defined(CONFIG_LOONGARCH)
#define PMD_TABLE(pmd) pmd_phys(pmd)
#define PUD_TABLE(pud) pud_phys(pud)
#define P4D_TABLE(p4d) p4d_phys(p4d)
#else
#define PMD_TABLE(pmd) physical((void *)pmd_page_vaddr(pmd))
#define PUD_TABLE(pud) physical(pud_pgtable(pud))
#define P4D_TABLE(p4d) physical(p4d_pgtable(p4d))
#define PGD_TABLE(pgd) physical((void *)pgd_page_vaddr(pgd))
#endif

/* Whether the kernel uses a level; its functions answer for a folded one without looking at the word. */
static bool __maybe_unused has_p4d(void)
{
#if defined(CONFIG_ARM64) && HAS_pgtable_l4_enabled
	return pgtable_l4_enabled();
#elif defined(CONFIG_RISCV) && HAS_pgtable_l4_enabled
	return pgtable_l4_enabled;
#else
	return true;
#endif
}

static bool __maybe_unused has_pgd(void)
{
#if defined(CONFIG_X86_64) || (defined(CONFIG_ARM64) && HAS_pgtable_l5_enabled)
	return pgtable_l5_enabled();
#elif defined(CONFIG_RISCV) && HAS_pgtable_l5_enabled
	return pgtable_l5_enabled;
#else
	return true;
#endif
}

static void whole_pte(u64 word)
{
	pte_t pte = __pte(word);

	object_open("pte");
	dec("n", !!pte_none(pte));
	dec("p", !!pte_present(pte));
	hex("f", pte_pfn(pte));
#include "pte-tests.h"
	object_open("mk");
#include "pte-makers.h"
	object_close();
	object_close();
}

static void whole_pmd(u64 word)
{
	pmd_t pmd = __pmd(word);

	object_open("pmd");
	dec("n", !!pmd_none(pmd));
	dec("p", !!pmd_present(pmd));
	dec("l", !!pmd_leaf(pmd));
	dec("b", !!pmd_bad(pmd));
	hex("t", PMD_TABLE(pmd));
#include "pmd-frame.h"
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
#include "pmd-tests.h"
	object_open("mk");
#include "pmd-makers.h"
#if defined(CONFIG_S390) || defined(CONFIG_PPC)
	MAKER("mkinvalid", pmd, invalid_pmd(pmd));
#endif
	object_close();
#endif
	object_close();
}

static void whole_pud(u64 word)
{
#ifndef __PAGETABLE_PMD_FOLDED
	pud_t pud = __pud(word);

	object_open("pud");
	dec("n", !!pud_none(pud));
	dec("p", !!pud_present(pud));
	dec("l", !!pud_leaf(pud));
	dec("b", !!pud_bad(pud));
	hex("t", PUD_TABLE(pud));
#include "pud-frame.h"
#if PUD_HELPERS
#include "pud-tests.h"
	object_open("mk");
#include "pud-makers.h"
	object_close();
#endif
	object_close();
#endif
}

static void whole_p4d(u64 word)
{
#ifndef __PAGETABLE_PUD_FOLDED
	p4d_t p4d = __p4d(word);

	if (!has_p4d())
		return;
	object_open("p4d");
	dec("n", !!p4d_none(p4d));
	dec("p", !!p4d_present(p4d));
	dec("l", !!p4d_leaf(p4d));
	dec("b", !!p4d_bad(p4d));
	hex("t", P4D_TABLE(p4d));
#include "p4d-frame.h"
	object_close();
#endif
}

static void whole_pgd(u64 word)
{
#ifndef __PAGETABLE_P4D_FOLDED
	pgd_t pgd = __pgd(word);

	if (!has_pgd())
		return;
	object_open("pgd");
	dec("n", !!pgd_none(pgd));
	dec("p", !!pgd_present(pgd));
	dec("l", !!pgd_leaf(pgd));
	dec("b", !!pgd_bad(pgd));
	hex("t", PGD_TABLE(pgd));
#include "pgd-frame.h"
	object_close();
#endif
}

static void levels(u64 word)
{
	whole_pte(word);
	whole_pmd(word);
	whole_pud(word);
	whole_p4d(word);
	whole_pgd(word);
}

void answer_whole(const char *why, u64 word)
{
	bool present = same(why, "rnd_present"), huge = same(why, "rnd_huge");

	line_open("whole");
	text("w", why);
	if (present || huge) {
		hex("x", word);
		word |= present ? present_bits() : huge_bits();
	}
	hex("v", word);
	levels(word);
	line_close();
}

void answer_made(const char *what, u64 pfn, u64 flipped)
{
	u64 word = made_word(what, pfn) ^ flipped;

	line_open("whole");
	text("w", what);
	hex("pfn", pfn);
	hex("x", flipped);
	hex("v", word);
	levels(word);
	line_close();
}
