/*
 * What the headers expect of a booted kernel, put in its place: every stand-in of the probe is in this file.
 *
 * boot(mode) does what early boot does on the machine that the mode names ("-" where there is but one kind).
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "names.h"
#include "probe.h"

const char *booted_mode;

bool same_as_booted(const char *mode)
{
	return same(booted_mode, mode);
}

/* Whether migration entries have room for young and dirty bits; mm/swapfile.c decides so when swap is set up. */
#if HAS_swap_migration_ad_supported && defined(CONFIG_SWAP)
bool swap_migration_ad_supported;
#endif

/* loongarch's invalid_pte_table is an address alone, given to the linker. */

/* What is called when something goes wrong in a kernel ends the probe. */
int _printk(const char *format, ...)
{
	fail("the kernel printed a message");
}

void __warn_printk(const char *format, ...)
{
	fail("the kernel warned");
}

void __noreturn panic(const char *format, ...)
{
	fail("the kernel panicked");
}

/* --- x86-64 --------------------------------------------------------------------------------------------------- */

#ifdef CONFIG_X86_64
#include <asm/processor.h>

/* CPU features: cpu_feature_enabled() reads them as long as no alternatives are patched in. */
struct cpuinfo_x86 boot_cpu_data;

/* Page-table geometry, by whether 5-level paging is in use. */
unsigned int __pgtable_l5_enabled;
unsigned int pgdir_shift = 39;
unsigned int ptrs_per_p4d = 1;

/* Which bits of present entries the CPU has: all. */
pteval_t __supported_pte_mask = ~0UL;
pteval_t __default_kernel_pte_mask = ~0UL;

#ifdef CONFIG_DYNAMIC_PHYSICAL_MASK
phys_addr_t physical_mask = (1ULL << __PHYSICAL_MASK_SHIFT) - 1;
#endif

static void boot_arch(void)
{
	bool la57 = same_as_booted("la57");

	if (!la57 && !same_as_booted("la48"))
		fail("x86_64 boots as la48 or la57");
	if (la57) {
		__pgtable_l5_enabled = 1;
		pgdir_shift = 48;
		ptrs_per_p4d = 512;
		set_cpu_cap(&boot_cpu_data, X86_FEATURE_LA57);
	}
}

/* --- arm64 ---------------------------------------------------------------------------------------------------- */

#elif defined(CONFIG_ARM64)
#include <linux/signal_types.h>
#include <asm/ucontext.h>

/* Kernel mappings are not global: user space has page tables of its own. */
bool arm64_use_ng_mappings = true;

/* Shared bits of realms; this is none. */
unsigned long prot_ns_shared;

/*
 * TCR_EL1, which headers read with an instruction that user space may not execute: it traps, and the trap is answered
 * here. DS says whether addresses of 52 bits are in use with pages of 4K and 16K.
 */
#if defined(TCR_EL1_DS)
#define TCR_LPA2 TCR_EL1_DS
#else
#define TCR_LPA2 (1UL << 59)
#endif
#define READ_TCR_EL1 0xd5382040U
#define SYS_RT_SIGACTION 134

static u64 tcr;

static void illegal_instruction(int number, void *info, void *context)
{
	struct sigcontext *state = &((struct ucontext *)context)->uc_mcontext;
	u32 instruction = *(u32 *)state->pc;

	if ((instruction & ~31U) != READ_TCR_EL1)
		fail("an illegal instruction");
	if ((instruction & 31) != 31)
		state->regs[instruction & 31] = tcr;
	state->pc += 4;
}

static void boot_arch(void)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };
	bool small_pages_52 = IS_ENABLED(CONFIG_ARM64_LPA2) && IS_ENABLED(CONFIG_ARM64_PA_BITS_52);
	bool lpa2 = same_as_booted("lpa2");

	if (small_pages_52 ? !lpa2 && !same_as_booted("nolpa2") : !same_as_booted("-"))
		fail("arm64 boots as lpa2 or nolpa2 where that makes a difference");
	/* with the size of virtual addresses, of which the headers ask too */
	tcr = (u64)(64 - (small_pages_52 && !lpa2 ? 48 : VA_BITS)) << 16 | (lpa2 ? TCR_LPA2 : 0);
	action.sa_handler = (__sighandler_t)illegal_instruction;
	if (system_call(SYS_RT_SIGACTION, SIGILL, (long)&action, 0, sizeof(action.sa_mask)))
		fail("no signal handler");
}

/* --- riscv ---------------------------------------------------------------------------------------------------- */

#elif defined(CONFIG_RISCV)
/* Page tables have five levels, as wherever the CPU can. */
bool pgtable_l4_enabled = true;
bool pgtable_l5_enabled = true;

#ifdef CONFIG_RISCV_ISA_SVRSW60T59B
#include <asm/alternative.h>
#include <asm/hwcap.h>

extern struct alt_entry alternatives_start[], alternatives_end[];

/* The immediate of a jump and back: 20 bits of it, in the order 20, 10-1, 11, 19-12. */
static s32 jump_distance(u32 jump)
{
	return (s32)(jump & 0x80000000) >> 11 | (jump & 0xff000) | (jump >> 9 & 0x800) | (jump >> 20 & 0x7fe);
}

static u32 jump_by(u32 jump, s32 distance)
{
	return (jump & 0xfff) | (distance & 0x100000) << 11 | (distance & 0x7fe) << 20 | (distance & 0x800) << 9 |
	       (distance & 0xff000);
}

/* The kernel's own alternatives for a CPU with Svrsw60t59b, put in their places; each is one nop or jump. */
static void patch_alternatives(void)
{
	struct alt_entry *alternative;

	for (alternative = alternatives_start; alternative < alternatives_end; alternative++) {
		u32 *old = ALT_OLD_PTR(alternative), *new = ALT_ALT_PTR(alternative);

		if (alternative->vendor_id || PATCH_ID_CPUFEATURE_ID(alternative->patch_id) != RISCV_ISA_EXT_SVRSW60T59B)
			continue;
		if (alternative->alt_len != 4)
			fail("an alternative is longer than an instruction");
		*old = (*new & 0x7f) == 0x6f ? jump_by(*new, jump_distance(*new) + (s32)((long)new - (long)old)) : *new;
	}
	asm volatile("fence.i" ::: "memory");
}

static void boot_arch(void)
{
	if (same_as_booted("rsw"))
		patch_alternatives();
	else if (!same_as_booted("norsw"))
		fail("riscv64 boots as rsw or norsw");
}
#else
#define ONE_MODE
#endif

/* --- s390 ----------------------------------------------------------------------------------------------------- */

#elif defined(CONFIG_S390)
#include <asm/lowcore.h>
#include <asm/setup.h>

/* The CPU can keep code from running (NX), as every CPU of today. */
unsigned long page_noexec_mask = ~0UL;
unsigned long segment_noexec_mask = ~0UL;

/* Physical addresses are virtual ones. */
#if HAS_vm_layout
struct vm_layout vm_layout;
#endif

/* Where older kernels look NX up: at address 0. */
#ifdef MACHINE_FLAG_NX
struct lowcore lowcore __section(".lowcore") = { .machine_flags = MACHINE_FLAG_NX };
#endif
#define ONE_MODE

/* --- powerpc -------------------------------------------------------------------------------------------------- */

#elif defined(CONFIG_PPC64)
#include <asm/cputable.h>
#include <asm/mmu.h>

/* The MMU's features, and the sizes of page tables that follow from which MMU it is. */
static struct cpu_spec cpu;
struct cpu_spec *cur_cpu_spec = &cpu;

unsigned long __pte_index_size, __pmd_index_size, __pud_index_size, __pgd_index_size;
unsigned long __pte_frag_nr, __pte_frag_size_shift, __pmd_frag_nr, __pmd_frag_size_shift;
unsigned long __pte_table_size, __pmd_table_size, __pud_table_size, __pgd_table_size;
unsigned long __pmd_val_bits, __pud_val_bits, __pgd_val_bits;

#define BOOT_AS(kind) \
	do { \
		__pte_index_size = kind##_PTE_INDEX_SIZE; \
		__pmd_index_size = kind##_PMD_INDEX_SIZE; \
		__pud_index_size = kind##_PUD_INDEX_SIZE; \
		__pgd_index_size = kind##_PGD_INDEX_SIZE; \
		/* sizes of tables come from those of their fragments */ \
		__pte_frag_nr = kind##_PTE_FRAG_NR; \
		__pte_frag_size_shift = kind##_PTE_FRAG_SIZE_SHIFT; \
		__pmd_frag_nr = kind##_PMD_FRAG_NR; \
		__pmd_frag_size_shift = kind##_PMD_FRAG_SIZE_SHIFT; \
		__pte_table_size = kind##_PTE_TABLE_SIZE; \
		__pmd_table_size = kind##_PMD_TABLE_SIZE; \
		__pud_table_size = kind##_PUD_TABLE_SIZE; \
		__pgd_table_size = kind##_PGD_TABLE_SIZE; \
		__pmd_val_bits = kind##_PMD_VAL_BITS; \
		__pud_val_bits = kind##_PUD_VAL_BITS; \
		__pgd_val_bits = kind##_PGD_VAL_BITS; \
	} while (0)

/* What stands above a level marks no table with the hash MMU. */
#define H_PMD_VAL_BITS 0
#define H_PUD_VAL_BITS 0
#define H_PGD_VAL_BITS 0

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/* No function of a header here; the PTE of the same page, in a PMD. */
pmd_t pfn_pmd(unsigned long pfn, pgprot_t prot)
{
	return __pmd(pte_val(pfn_pte(pfn, prot)));
}
#endif

static void boot_arch(void)
{
	if (same_as_booted("radix")) {
		cpu.mmu_features = MMU_FTR_TYPE_RADIX;
		BOOT_AS(RADIX);
	} else if (same_as_booted("hash")) {
		cpu.mmu_features = MMU_FTR_HPTE_TABLE;
		BOOT_AS(H);
	} else {
		fail("ppc64le boots as radix or hash");
	}
}

#else
#define ONE_MODE
#endif

#ifdef ONE_MODE
static void boot_arch(void)
{
	if (!same_as_booted("-"))
		fail("there is but one mode here");
}
#endif

/* -------------------------------------------------------------------------------------------------------------- */

void boot(const char *mode)
{
	booted_mode = mode;
	boot_arch();
#if HAS_swap_migration_ad_supported && defined(CONFIG_SWAP) && defined(CONFIG_MIGRATION)
	swap_migration_ad_supported = max_offset() + 1 >= 1UL << SWP_MIG_TOTAL_BITS;
#endif
}
