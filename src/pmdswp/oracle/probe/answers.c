/*
 * Answers of the kernel's functions on entries.
 *
 * HAS_NAME is 1 iff the headers of the tree have a function of that name: the builder looks, because a preprocessor
 * cannot (names.h).
 */
#include <linux/mm.h>
#include <linux/hugetlb.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "names.h"
#include "older.h"

#if HAS_softleaf_type
#include <linux/leafops.h>
#endif

#include "made.h"
#include "probe.h"

#if HAS_pte_swp_mkuffd
#define pte_uffd pte_swp_uffd
#define pte_mkuffd_swp pte_swp_mkuffd
#define pmd_uffd_swp pmd_swp_uffd
#define pmd_mkuffd_swp pmd_swp_mkuffd
#else
#define pte_uffd pte_swp_uffd_wp
#define pte_mkuffd_swp pte_swp_mkuffd_wp
#define pmd_uffd_swp pmd_swp_uffd_wp
#define pmd_mkuffd_swp pmd_swp_mkuffd_wp
#endif

#if defined(CONFIG_ARCH_HAS_PMD_SOFTLEAVES) || defined(CONFIG_ARCH_ENABLE_THP_MIGRATION)
#define PMD_SOFTLEAVES 1
#else
#define PMD_SOFTLEAVES 0
#endif

/* --- one entry ------------------------------------------------------------------------------------------------ */

static void entry(const char *value, const char *type, const char *offset, swp_entry_t e)
{
	hex(value, e.val);
	dec(type, swp_type(e));
	hex(offset, swp_offset(e));
}

static void arch_entry(swp_entry_t a)
{
	hex("a", a.val);
	dec("at", __swp_type(a));
	hex("ao", __swp_offset(a));
}

static void answer_pte(const char *name, pte_t pte)
{
	object_open(name);
	hex("v", pte_val(pte));
	memory("m", &pte, sizeof(pte));
	dec("p", !!pte_present(pte));
	dec("n", !!pte_none(pte));
#if HAS_is_swap_pte
	dec("s", !!is_swap_pte(pte));
#else
	dec("s", !pte_none(pte) && !pte_present(pte));
#endif
#if HAS_pte_none_mostly
	dec("nm", !!pte_none_mostly(pte));
#elif HAS_pte_is_marker
	dec("nm", pte_none(pte) || pte_is_marker(pte));
#endif
#if HAS_softleaf_type
	dec("pn", !!pte_protnone(pte));
#endif
	dec("x", !!pte_swp_exclusive(pte));
	dec("d", !!pte_swp_soft_dirty(pte));
	dec("u", !!pte_uffd(pte));
	arch_entry(__pte_to_swp_entry(pte));
#if HAS_softleaf_type
	entry("e", "et", "eo", softleaf_from_pte(pte));
	dec("lt", softleaf_type(softleaf_from_pte(pte)));
#else
	entry("e", "et", "eo", pte_to_swp_entry(pte));
#endif
	object_close();
}

/* The bit that the PMD helpers of the series use is the one of the PTE helpers. */
u64 pmd_exclusive_mask(void)
{
#if HAS_pmd_swp_mkexclusive
	return pmd_val(pmd_swp_mkexclusive(__pmd(0)));
#else
	return pte_val(pte_swp_mkexclusive(__pte(0))) & ~pte_val(__pte(0));
#endif
}

static void answer_pmd(const char *name, pmd_t pmd)
{
	object_open(name);
	hex("v", pmd_val(pmd));
	memory("m", &pmd, sizeof(pmd));
	dec("p", !!pmd_present(pmd));
	dec("n", !!pmd_none(pmd));
	dec("l", !!pmd_leaf(pmd));
	dec("b", !!pmd_bad(pmd));
#if HAS_softleaf_type
	dec("s", !pmd_none(pmd) && !pmd_present(pmd));
#endif
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	dec("h", !!pmd_trans_huge(pmd));
#if HAS_pmd_is_huge
	dec("ih", !!pmd_is_huge(pmd));
#endif
#endif
#if HAS_softleaf_type
	dec("pn", !!pmd_protnone(pmd));
#if PMD_SOFTLEAVES
#if HAS_pmd_swp_exclusive
	dec("x", !!pmd_swp_exclusive(pmd));
#else
	dec("x", !!(pmd_val(pmd) & pmd_exclusive_mask()));
#endif
#endif
#endif
	dec("d", !!pmd_swp_soft_dirty(pmd));
	dec("u", !!pmd_uffd_swp(pmd));
#if PMD_SOFTLEAVES && HAS_softleaf_type
	dec("is", !pmd_none(pmd) && !pmd_present(pmd));
	dec("mig", !!pmd_is_migration_entry(pmd));
#if HAS_pmd_is_device_private_entry
	dec("dp", !!pmd_is_device_private_entry(pmd));
#endif
#if HAS_pmd_is_valid_softleaf
	dec("vs", !!pmd_is_valid_softleaf(pmd));
#endif
#if HAS_pmd_is_swap_entry
	dec("sw", !!pmd_is_swap_entry(pmd));
#endif
	arch_entry(__pmd_to_swp_entry(pmd));
	entry("e", "et", "eo", softleaf_from_pmd(pmd));
	dec("lt", softleaf_type(softleaf_from_pmd(pmd)));
#elif PMD_SOFTLEAVES
	dec("is", !!is_swap_pmd(pmd));
	dec("mig", !!is_pmd_migration_entry(pmd));
	arch_entry(__pmd_to_swp_entry(pmd));
	entry("e", "et", "eo", pmd_to_swp_entry(pmd));
#endif
	object_close();
}

/* --- kinds of entries ----------------------------------------------------------------------------------------- */

static void answer_classes(swp_entry_t e)
{
	object_open("cls");
#if HAS_softleaf_type
	dec("lt", softleaf_type(e));
	dec("none", softleaf_is_none(e));
	dec("swap", softleaf_is_swap(e));
	dec("non_swap", swp_type(e) >= MAX_SWAPFILES);
	dec("mig", softleaf_is_migration(e));
	dec("mig_w", softleaf_is_migration_write(e));
	dec("mig_r", softleaf_is_migration_read(e));
	dec("mig_rx", softleaf_is_migration_read_exclusive(e));
	if (softleaf_is_migration(e)) {
		dec("mig_young", softleaf_is_migration_young(e));
		dec("mig_dirty", softleaf_is_migration_dirty(e));
	}
	dec("dev_priv", softleaf_is_device_private(e));
	dec("dev_priv_w", softleaf_is_device_private_write(e));
	dec("dev_excl", softleaf_is_device_exclusive(e));
	dec("hwpoison", softleaf_is_hwpoison(e));
#if HAS_is_hwpoison_entry
	dec("hwpoison_old", !!is_hwpoison_entry(e));
#endif
	dec("marker", softleaf_is_marker(e));
	dec("pfn_entry", softleaf_has_pfn(e));
#if HAS_softleaf_is_valid_pmd_entry
	dec("valid_pmd", softleaf_is_valid_pmd_entry(e));
#endif
	if (softleaf_is_marker(e)) {
		hex("marker_bits", softleaf_to_marker(e));
		dec("mk_uffd_wp", softleaf_is_uffd_wp_marker(e));
		dec("mk_poison", softleaf_is_poison_marker(e));
		dec("mk_guard", softleaf_is_guard_marker(e));
	}
	if (softleaf_has_pfn(e))
		hex("pfn", softleaf_to_pfn(e));
#else
	dec("non_swap", !!non_swap_entry(e));
	dec("mig", !!is_migration_entry(e));
	dec("mig_w", !!is_writable_migration_entry(e));
#if HAS_is_readable_migration_entry
	dec("mig_r", !!is_readable_migration_entry(e));
#endif
#if HAS_is_readable_exclusive_migration_entry && defined(CONFIG_MIGRATION)
	dec("mig_rx", !!is_readable_exclusive_migration_entry(e));
#elif HAS_is_readable_exclusive_migration_entry
	dec("mig_rx", 0);
#endif
#if HAS_is_migration_entry_young
	if (is_migration_entry(e)) {
		dec("mig_young", !!is_migration_entry_young(e));
		dec("mig_dirty", !!is_migration_entry_dirty(e));
	}
#endif
	dec("dev_priv", !!is_device_private_entry(e));
	dec("dev_priv_w", !!is_writable_device_private_entry(e));
#if HAS_is_device_exclusive_entry
	dec("dev_excl", !!is_device_exclusive_entry(e));
	dec("dev_excl_w", !!is_writable_device_exclusive_entry(e));
#endif
	dec("hwpoison", !!is_hwpoison_entry(e));
#if HAS_is_pte_marker_entry
	dec("marker", !!is_pte_marker_entry(e));
#endif
#if HAS_is_pfn_swap_entry
	dec("pfn_entry", !!is_pfn_swap_entry(e));
#endif
#if HAS_is_swapin_error_entry
	dec("swapin_error", !!is_swapin_error_entry(e));
#endif
#if HAS_is_pte_marker_entry
	if (is_pte_marker_entry(e))
		hex("marker_bits", pte_marker_get(e));
#endif
#if HAS_swp_offset_pfn
	if (is_pfn_swap_entry(e))
		hex("pfn", swp_offset_pfn(e));
#endif
#endif
	object_close();
}

/* --- records -------------------------------------------------------------------------------------------------- */

static pte_t flagged_pte(pte_t pte, unsigned int flags)
{
	if (flags & 1)
		pte = pte_swp_mkexclusive(pte);
	if (flags & 2)
		pte = pte_swp_mksoft_dirty(pte);
	if (flags & 4)
		pte = pte_mkuffd_swp(pte);
	return pte;
}

static void answer_flagged_pmds(swp_entry_t e)
{
#if PMD_SOFTLEAVES
	unsigned int flags;
#if HAS_softleaf_type
	const unsigned int exclusive = 1, soft_dirty = 2, uffd = 4, end = 8;
#else
	/* these kernels have no exclusive PMDs */
	const unsigned int exclusive = 0, soft_dirty = 1, uffd = 2, end = 4;
#endif

	array_open("pmd");
	for (flags = 0; flags < end; flags++) {
		pmd_t pmd = swp_entry_to_pmd(e);

		if (flags & exclusive)
#if HAS_pmd_swp_mkexclusive
			pmd = pmd_swp_mkexclusive(pmd);
#else
			pmd = __pmd(pmd_val(pmd) | pmd_exclusive_mask());
#endif
		if (flags & soft_dirty)
			pmd = pmd_swp_mksoft_dirty(pmd);
		if (flags & uffd)
			pmd = pmd_mkuffd_swp(pmd);
		answer_pmd(NULL, pmd);
	}
	array_close();
#endif
}

void answer_swp(const char *why, u64 type, u64 offset)
{
	swp_entry_t e = swp_entry(type, offset), a = __swp_entry(type, offset);
	swp_entry_t back = __pte_to_swp_entry(swp_entry_to_pte(e));
	unsigned int flags;

	line_open("swp");
	text("w", why);
	dec("t", type);
	hex("o", offset);
	hex("e", e.val);
	hex("a", a.val);
	hex("ap", pte_val(__swp_entry_to_pte(a)));
	dec("rt", __swp_type(back) == type && __swp_offset(back) == offset);
	answer_classes(e);
	array_open("pte");
	for (flags = 0; flags < 8; flags++)
		answer_pte(NULL, flagged_pte(swp_entry_to_pte(e), flags));
	array_close();
	answer_flagged_pmds(e);
	line_close();
}

void answer_raw(const char *why, u64 word)
{
	line_open("raw");
	text("w", why);
	hex("v", word);
	answer_pte("pte", __pte(word));
	answer_pmd("pmd", __pmd(word));
	line_close();
}

#define PREDICATE(name, answer) \
	static bool name##_of(u64 word) \
	{ \
		return answer; \
	}

PREDICATE(pte_present, pte_present(__pte(word)))
PREDICATE(pte_none, pte_none(__pte(word)))
PREDICATE(pmd_present, pmd_present(__pmd(word)))
PREDICATE(pmd_none, pmd_none(__pmd(word)))
PREDICATE(pmd_leaf, pmd_leaf(__pmd(word)))
PREDICATE(pmd_bad, pmd_bad(__pmd(word)))
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
PREDICATE(pmd_trans_huge, pmd_trans_huge(__pmd(word)))
#endif
#if HAS_softleaf_type
PREDICATE(softleaf_from_pmd, softleaf_from_pmd(__pmd(word)).val)
PREDICATE(softleaf_from_pte, softleaf_from_pte(__pte(word)).val)
#endif

void answer_low12(u64 base)
{
	line_open("low12");
	hex("base", base);
	bits("pte_present", pte_present_of, base);
	bits("pte_none", pte_none_of, base);
	bits("pmd_present", pmd_present_of, base);
	bits("pmd_none", pmd_none_of, base);
	bits("pmd_leaf", pmd_leaf_of, base);
	bits("pmd_bad", pmd_bad_of, base);
#ifdef CONFIG_TRANSPARENT_HUGEPAGE
	bits("pmd_trans_huge", pmd_trans_huge_of, base);
#endif
#if HAS_softleaf_type
	bits("softleaf_from_pmd_nonzero", softleaf_from_pmd_of, base);
	bits("softleaf_from_pte_nonzero", softleaf_from_pte_of, base);
#endif
	line_close();
}

void answer_mkpte(const char *why, u64 pfn)
{
	pte_t pte = pfn_pte(pfn, protection(why));

	line_open("mkpte");
	text("w", why);
	hex("pfn", pfn);
	answer_pte("pte", pte);
	hex("pte_pfn", pte_pfn(pte));
	dec("same_pfn", pte_pfn(pte) == pfn);
	line_close();
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
void answer_mkpmd(const char *why, u64 pfn)
{
	pmd_t pmd;

	if (same(why, "huge_PAGE_READONLY"))
		pmd = huge_pmd(pfn, protection("PAGE_READONLY"));
	else if (same(why, "huge_PAGE_NONE"))
		pmd = huge_pmd(pfn, PAGE_NONE);
	else if (same(why, "mkinvalid") || same(why, "pmdp_invalidate"))
		pmd = invalid_pmd(huge_pmd(pfn, protection("PAGE_READONLY")));
	else
		fail("an unknown huge entry");
	line_open("mkpmd");
	text("w", why);
	hex("pfn", pfn);
	answer_pmd("pmd", pmd);
	hex("pmd_pfn", pmd_pfn(pmd));
	line_close();
}
#else
void answer_mkpmd(const char *why, u64 pfn)
{
	fail("huge entries without transparent huge pages");
}
#endif
