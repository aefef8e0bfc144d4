// SPDX-License-Identifier: MIT
/*
 * Counts what swap faults meet on a live machine: kinds of entries, devices, flags, and where on the device.
 *
 * do_swap_page() is called for every PTE that is neither none nor present; the entry stands in its argument. The header
 * is that of the running kernel:
 *
 *     pmdswp layout x86_64 --like /boot/config-$(uname -r) --format c -o . && mv x86_64-*.h pmdswp.h
 *     clang -g -O2 -target bpf -ffreestanding -I. -c swap_faults.bpf.c
 *     bpftool prog loadall swap_faults.bpf.o /sys/fs/bpf/swap_faults autoattach
 *     bpftool map dump name kinds      # and: devices, flags, offsets
 *     rm -r /sys/fs/bpf/swap_faults    # that ends it
 *
 * Needs root, a kernel with BTF (CONFIG_DEBUG_INFO_BTF) whose functions BPF can be attached to (CONFIG_FUNCTION_TRACER,
 * CONFIG_KPROBES), clang with the target bpf, and a bpftool that knows autoattach (7.5 does, 7.1 does not). No other
 * header and no library.
 */
#include "pmdswp.h"

#define SECTION(name) __attribute__((section(name), used))

/* What libbpf reads out of the declaration of a map: type 2 is an array. */
#define COUNTERS(name, number)                  \
	struct {                                \
		int (*type)[2];                 \
		int (*max_entries)[number];     \
		uint32_t *key;                  \
		uint64_t *value;                \
	} name SECTION(".maps")

COUNTERS(kinds, 256);    /* by enum pmdswp_softleaf_type */
COUNTERS(devices, 32);   /* swap entries, by swap device */
COUNTERS(flags, 8);      /* swap entries, by enum pmdswp_flags, several at once */
COUNTERS(offsets, 64);   /* swap entries, by the bits that their offset has */

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;

/* The members of the kernel's structures that are used; where they are, the kernel's BTF says. */
typedef struct {
	uint64_t pte;
} pte_t;

struct vm_fault {
	pte_t orig_pte;
} __attribute__((preserve_access_index));

static inline __attribute__((always_inline)) void count(void *map, uint32_t key)
{
	uint64_t *counter = map_lookup(map, &key);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

/* How many bits a number has, without a loop. */
static inline __attribute__((always_inline)) uint32_t bits(uint64_t number)
{
	uint32_t found = 0;

	if (number >> 32) { found += 32; number >>= 32; }
	if (number >> 16) { found += 16; number >>= 16; }
	if (number >> 8) { found += 8; number >>= 8; }
	if (number >> 4) { found += 4; number >>= 4; }
	if (number >> 2) { found += 2; number >>= 2; }
	return found + (number >> 1 ? 2 : (uint32_t)number);
}

SECTION("fentry/do_swap_page")
int swap_fault(uint64_t *arguments)
{
	const struct vm_fault *fault = (const struct vm_fault *)arguments[0];
	const struct pmdswp_entry entry = pmdswp_decode_pte(fault->orig_pte.pte);

	count(&kinds, entry.kind);
	if (entry.kind == PMDSWP_SOFTLEAF_SWAP) {
		count(&devices, entry.swp_type & 31);
		count(&flags, entry.flags & 7);
		count(&offsets, bits(entry.offset) & 63);
	}
	return 0;
}

char _license[] SECTION("license") = "Dual MIT/GPL";
