// Observed on Linux 7.3.4 (Debian, x86_64 and arm64, QEMU), not on 6.12.117: pagemap's bit 56 of the pages of a huge page.
//
//     cc -o bit_56_of_huge_page bit_56_of_huge_page.c && ./bit_56_of_huge_page
//
// A huge page is shared with a child by fork, and the child gives its first page back. Bit 56 says that a page is mapped
// by this process only (Documentation/admin-guide/mm/pagemap.rst). Expected in the parent: one page has it, the first.
// Seen on 7.3.4: all pages have it. What was read in its source fits: the bit is taken from the first page that is read,
// for all pages of the huge one.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (2ul << 20)

int main(void)
{
	static uint64_t records[SIZE / 4096];
	char *area = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *start = (char *)(((uintptr_t)area + SIZE - 1) & -SIZE), ready;
	long page_size = sysconf(_SC_PAGESIZE), pages = SIZE / page_size, alone = 0;
	int done[2];
	madvise(start, SIZE, MADV_HUGEPAGE);
	memset(start, 1, SIZE);
	if (pipe(done))
		return 1;
	pid_t child = fork();
	if (!child) {
		madvise(start, page_size, MADV_DONTNEED);
		if (write(done[1], "k", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(done[0], &ready, 1) != 1)
		return 1;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	ssize_t length = pages * 8; // all in one read
	if (pread(fd, records, length, (uintptr_t)start / page_size * 8) != length)
		perror("pagemap");
	for (long i = 0; i < pages; i++)
		alone += records[i] >> 56 & 1;
	printf("pages mapped by this process only: %ld of %ld (expected 1)\n", alone, pages);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
