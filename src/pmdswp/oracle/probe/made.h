/* Words that the kernel makes: what pages, huge pages and tables leave in entries. */
#ifndef MADE_H
#define MADE_H

#include <linux/mm.h>
#include <linux/pgtable.h>

/* the kernel's protection of that name; two names of user space are the same everywhere (made.c) */
pgprot_t protection(const char *name);

/* the word of a page, a huge page or a table; what it is of: see answer_made() in probe.h */
u64 made_word(const char *what, u64 pfn);
/* the bits that the words of all present pages have (but prot-none ones), and those of all present huge pages */
u64 present_bits(void);
u64 huge_bits(void);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/* whether a running kernel makes huge pages: the hash MMU of powerpc has none of 4K pages */
bool makes_huge_pages(void);
pmd_t huge_pmd(u64 pfn, pgprot_t prot);
pmd_t invalid_pmd(pmd_t pmd);
#endif

#endif
