/* Words that the kernel makes: what pages, huge pages and tables leave in entries. */
#ifndef MADE_H
#define MADE_H

#include <linux/mm.h>
#include <linux/pgtable.h>

/* a protection, by the name that most architectures have for it (made.c has what others call it) */
pgprot_t protection(const char *name);

/* the word of what answer_made() is asked for */
u64 made_word(const char *what, u64 pfn);

/* the bits that the words of all present pages have, but those of PAGE_NONE; and those of all present huge pages */
u64 present_bits(void);
u64 huge_bits(void);

/* whether a running kernel makes huge pages: the hash MMU of powerpc has no PUDs of them, and no PMDs of 4K pages */
bool makes_huge_pmds(void);
bool makes_huge_puds(void);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
pmd_t huge_pmd(u64 pfn, pgprot_t prot);
pmd_t invalid_pmd(pmd_t pmd);
#endif

#endif
