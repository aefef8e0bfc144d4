// Observed on Linux 7.3.4 (Debian, x86_64, QEMU), not on 6.12.117: mprotect() makes pages soft-dirty that nobody wrote.
//
//     cc -o soft_dirty_run soft_dirty_run.c && ./soft_dirty_run
//
// A huge page is written to, its mapping is split, and soft-dirty is cleared. Then the range is made read-only. Expected:
// no page is soft-dirty (Documentation/admin-guide/mm/soft-dirty.rst: the bit tells which pages a task writes to).
// Seen on 7.3.4: all of them are. What was read in its source fits: runs of PTEs of one folio are changed together, the
// dirty bits of a run are gathered by pte_mkdirty(), and on x86 that sets soft-dirty, too.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (2ul << 20)

static int soft_dirty_pages(const char *start)
{
	long page_size = sysconf(_SC_PAGESIZE), found = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	for (unsigned long at = 0; at < SIZE; at += page_size) {
		uint64_t record = 0;
		if (pread(fd, &record, 8, ((uintptr_t)start + at) / page_size * 8) == 8)
			found += record >> 55 & 1;
	}
	close(fd);
	return found;
}

int main(void)
{
	char *area = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = (char *)(((uintptr_t)area + SIZE - 1) & -SIZE);
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	madvise(start, SIZE, MADV_HUGEPAGE);
	memset(start, 1, SIZE);
	mprotect(start, SIZE / 8, PROT_READ); // splits the mapping
	mprotect(start, SIZE / 8, PROT_READ | PROT_WRITE);
	if (fd < 0 || write(fd, "4", 1) != 1)
		perror("clear_refs");
	int before = soft_dirty_pages(start);
	mprotect(start, SIZE, PROT_READ);
	printf("soft-dirty pages: %d after clear_refs, %d after mprotect (expected 0 and 0)\n", before, soft_dirty_pages(start));
	return 0;
}
