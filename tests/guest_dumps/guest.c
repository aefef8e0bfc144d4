/*
 * The only program of a guest: makes entries of many kinds, says what the kernel's own pagemap says of each page, and
 * then moves some pages to the other node, in which the host stops the machine.
 *
 * It is built with the kernel's nolibc. What it writes to the console, one a line:
 *
 *	S ADDRESS MODE NAME	a symbol of the kernel at which the machine can be stopped in a migration
 *	D NAME PAGES		a swap device
 *	P PID NAME		a process, whose lines follow
 *	V PID START STOP MODES	a VMA, and
 *	R PID VA COUNT WORD	a run of pages in it: the first one's word of pagemap, the others count PFN or offset on
 *	READY			that is all; in a few seconds it moves pages
 *	# WHAT: ERROR		something that this kernel does not have
 */
#include <linux/mman.h>
#include <linux/userfaultfd.h>

#ifndef __NR_nanosleep
#define __NR_nanosleep __NR_clock_nanosleep
#endif
#define GUARD_INSTALL 102
#define MOVE_ALL 4
#define RW (PROT_READ | PROT_WRITE)
#define MANY 4096

typedef unsigned long ul;

static ul page, huge;
static char buffer[1 << 17] __attribute__((aligned(65536)));
static ul words[MANY];
static ul moved, moved_huge;
static void *to_move[40];
static int nodes[40], status[40], moves;

static long try(const char *what, long result)
{
	if (result < 0)
		printf("# %s: %ld\n", what, result);
	return result;
}

static int open_file(const char *path, int flags)
{
	return my_syscall4(__NR_openat, -100, path, flags, 0);
}

static long read_file(const char *path, char *to, ul most)
{
	int fd = open_file(path, 0);
	ul all = 0;

	for (long n; fd >= 0 && (n = my_syscall3(__NR_read, fd, to + all, most - 1 - all)) > 0;)
		all += n;
	to[all] = 0;
	my_syscall1(__NR_close, fd);
	return fd < 0 ? fd : (long)all;
}

static void write_file(const char *path, const char *text)
{
	int fd = open_file(path, 1);

	try(path, fd < 0 ? fd : my_syscall3(__NR_write, fd, text, strlen(text)));
	my_syscall1(__NR_close, fd);
}

static void nap(long seconds)
{
	struct { long long s, ns; } time = { seconds, 0 };

	my_syscall2(__NR_nanosleep, &time, 0);
}

/* --- entries ---------------------------------------------------------------------------------------------------- */

static ul map(ul where, ul size, int prot, int flags)
{
	long found = (long)sys_mmap((void *)where, size, prot, flags | MAP_ANONYMOUS, -1, 0);

	return found < 0 && found > -4096 ? try("mmap", found), 0 : found;
}

static void touch(ul va, ul size)
{
	for (ul end = va + size; va < end; va += page)
		((volatile ul *)va)[0] = va ^ 0x5a5a;
}

static void advise(const char *what, ul va, ul size, int how)
{
	try(what, my_syscall3(__NR_madvise, va, size, how));
}

static void page_out(ul va, ul size)
{
	advise("MADV_PAGEOUT", va, size, MADV_PAGEOUT);
}

static void protect(ul va, ul size, int prot)
{
	try("mprotect", my_syscall3(__NR_mprotect, va, size, prot));
}

static ul touched(ul where, ul pages, int flags)
{
	ul va = map(where, pages * page, RW, flags);

	if (va)
		touch(va, pages * page);
	return va;
}

static ul touched_huge(void)
{
	ul va = map(0, 2 * huge, RW, MAP_PRIVATE);

	va = (va + huge - 1) / huge * huge;
	advise("MADV_HUGEPAGE", va, huge, MADV_HUGEPAGE);
	touch(va, huge);
	return va;
}

static void watch(ul va, ul pages, ul features)
{
	long fd = try("userfaultfd", my_syscall1(__NR_userfaultfd, 0));
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | features };
	struct uffdio_register range = { { va, pages * page }, UFFDIO_REGISTER_MODE_WP, 0 };
	struct uffdio_writeprotect half = { { va, pages / 2 * page }, UFFDIO_WRITEPROTECT_MODE_WP };

	if (fd < 0 || try("uffd-wp", my_syscall3(__NR_ioctl, fd, UFFDIO_API, &api)) < 0)
		return;
	my_syscall3(__NR_ioctl, fd, UFFDIO_REGISTER, &range);
	my_syscall3(__NR_ioctl, fd, UFFDIO_WRITEPROTECT, &half);
}

static void make_entries(void)
{
	ul va, tops[] = { 1UL << 40, 1UL << 55, 1UL << 51, 1UL << 50, 1UL << 46, 1UL << 37 };
	int child;

	/* at both ends of what tables cover, with as many levels as there are */
	for (int i = 0; i < 6; i++) {
		va = touched(tops[i], 16, MAP_PRIVATE);
		page_out(va, 8 * page);
		protect(va + 4 * page, 8 * page, PROT_NONE);
	}
	va = touched(0, 16, MAP_PRIVATE);
	page_out(va, 8 * page);
	protect(va, 16 * page, PROT_READ);
	/* the zero page, shared memory, slots against the order of addresses */
	va = map(0, 16 * page, RW, MAP_PRIVATE);
	for (int i = 0; i < 16; i++)
		(void)*(volatile char *)(va + i * page);
	page_out(touched(0, 16, MAP_SHARED), 8 * page);
	va = touched(0, 64, MAP_PRIVATE);
	for (int i = 63; i >= 0; i -= 2)
		page_out(va + i * page, page);
	/* huge pages: present, swapped out, of each protection, and of hugetlb */
	touched_huge();
	page_out(touched_huge(), huge);
	protect(touched_huge(), huge, PROT_NONE);
	protect(touched_huge(), huge, PROT_READ);
	if ((va = map(0, huge, RW, MAP_PRIVATE | MAP_HUGETLB)))
		*(volatile char *)va = 1;
	/* who poisons a page may be killed for it */
	va = touched(0, 8, MAP_PRIVATE);
	child = fork();
	if (!child) {
		advise("MADV_HWPOISON", va + 3 * page, page, MADV_HWPOISON);
		exit(0);
	}
	my_syscall4(__NR_wait4, child, 0, 0, 0);
	/* markers and watched pages */
	advise("MADV_GUARD_INSTALL", touched(0, 8, MAP_PRIVATE) + 2 * page, 4 * page, GUARD_INSTALL);
	va = touched(0, 16, MAP_PRIVATE);
	watch(va, 16, 0);
	page_out(va + 4 * page, 8 * page);
	va = map(0, 16 * page, RW, MAP_SHARED);
	touch(va + 4 * page, 8 * page);
	watch(va, 16, UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
	/* soft-dirty or not, where the kernel counts */
	va = touched(0, 16, MAP_PRIVATE);
	write_file("/proc/self/clear_refs", "4");
	touch(va, 4 * page);
	page_out(va + 2 * page, 6 * page);
	/* so many VMAs that their tree has several levels */
	va = map(0, 800 * page, PROT_READ, MAP_PRIVATE);
	for (int i = 0; i < 800; i += 2)
		protect(va + i * page, page, RW);
	/* what is to be moved later */
	moved = touched(0, 32, MAP_PRIVATE);
	moved_huge = touched_huge();
}

/* Everything that it writes to, it has written to before the pages are told. */
static void prepare_moves(void)
{
	for (moves = 0; moves < 32; moves++)
		to_move[moves] = (void *)(moved + moves * page);
	to_move[moves++] = (void *)moved_huge;
	my_syscall6(__NR_move_pages, 0, moves, to_move, 0, status, 0);
	for (int i = 0; i < moves; i++)
		nodes[i] = status[i] != 1;
	printf("# %d pages are on node %d\n", moves, status[0]);
}

static void move(void)
{
	printf("# moving\n");
	try("move_pages", my_syscall6(__NR_move_pages, 0, moves, to_move, nodes, status, MOVE_ALL));
	/* where there are no nodes, the kernel may have a reason of its own */
	write_file("/proc/sys/vm/compact_memory", "1");
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

static void swap_on(const char *path, int minor, ul pages, int flags)
{
	int fd;

	my_syscall4(__NR_mknodat, -100, path, S_IFBLK | 0600, 1 << 8 | minor);
	fd = try(path, open_file(path, 2));
	memset(buffer, 0, page);
	((unsigned *)(buffer + 1024))[0] = 1;
	((unsigned *)(buffer + 1024))[1] = pages - 1;
	memcpy(buffer + page - 10, "SWAPSPACE2", 10);
	my_syscall3(__NR_write, fd, buffer, page);
	my_syscall1(__NR_fsync, fd);
	my_syscall1(__NR_close, fd);
	if (try("swapon", my_syscall2(__NR_swapon, path, flags)) >= 0)
		printf("D %s %lu\n", path, pages);
}

static void start(void)
{
	int fd;

	my_syscall3(__NR_mkdirat, -100, "/proc", 0755);
	my_syscall3(__NR_mkdirat, -100, "/sys", 0755);
	my_syscall5(__NR_mount, "proc", "/proc", "proc", 0, 0);
	my_syscall5(__NR_mount, "sys", "/sys", "sysfs", 0, 0);
	for (const ul *pair = _auxv; *pair; pair += 2)
		if (*pair == 6)
			page = pair[1];
	huge = 512 * page;
	if (read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", buffer, sizeof(buffer)) > 0)
		huge = atol(buffer);
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise");
	fd = open_file("/brd.ko", 0);
	try("brd", my_syscall3(__NR_finit_module, fd, "rd_nr=2 rd_size=65536", 0));
	swap_on("/dev/ram0", 0, 600, 0x8000 | 5);
	swap_on("/dev/ram1", 1, (64UL << 20) / page, 0x8000 | 3);
}

/* --- what it says ----------------------------------------------------------------------------------------------- */

static ul hex(const char **text)
{
	ul value = 0;

	for (;; (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			return value;
	}
}

static const char *path_of(int pid, const char *name)
{
	static char path[64], digits[16];
	int n = 0, at = 6;

	memcpy(path, "/proc/", 6);
	do
		digits[n++] = '0' + pid % 10;
	while (pid /= 10);
	while (n)
		path[at++] = digits[--n];
	path[at++] = '/';
	memcpy(path + at, name, strlen(name) + 1);
	return path;
}

static void tell_pages(int pid, int fd, ul va, ul stop)
{
	ul first = 0, word = 0, count = 0;

	while (va < stop) {
		ul wanted = (stop - va) / page;
		long got = my_syscall4(__NR_pread64, fd, words, (wanted < MANY ? wanted : MANY) * 8, va / page * 8);

		if (try("pagemap", got) <= 0)
			break;
		for (int i = 0; i < got / 8; i++, va += page) {
			ul step = word >> 63 ? count : word >> 62 ? 32 * count : 0;

			if (count && words[i] == word + step) {
				count++;
				continue;
			}
			if (count)
				printf("R %d %lx %lu %lx\n", pid, first, count, word);
			first = va;
			word = words[i];
			count = 1;
		}
	}
	if (count)
		printf("R %d %lx %lu %lx\n", pid, first, count, word);
}

static void tell(int pid, const char *name)
{
	const char *line = buffer;
	int fd;

	/* of its own pages, too, all that it writes to are there before */
	memset(buffer, 1, sizeof(buffer));
	memset(words, 1, sizeof(words));
	read_file(path_of(pid, "maps"), buffer, sizeof(buffer));
	fd = open_file(path_of(pid, "pagemap"), 0);
	printf("P %d %s\n", pid, name);
	while (*line) {
		ul va = hex(&line), stop = (line++, hex(&line));

		if (!(va >> 63)) {
			printf("V %d %lx %lx %c%c%c%c\n", pid, va, stop, line[1], line[2], line[3], line[4]);
			tell_pages(pid, fd, va, stop);
		}
		while (*line && *line++ != '\n')
			;
	}
	my_syscall1(__NR_close, fd);
}

static int is_wanted(const char *name)
{
	return !strcmp(name, "remove_migration_ptes") || !strcmp(name, "folio_mc_copy") || !strcmp(name, "folio_copy");
}

static void tell_symbols(void)
{
	int fd = open_file("/proc/kallsyms", 0), have = 0;

	for (long got; (got = my_syscall3(__NR_read, fd, buffer + have, 1 << 16)) > 0;) {
		char *line = buffer, *end = buffer + have + got, *stop;

		*end = 0;
		for (; (stop = strchr(line, '\n')); line = stop + 1) {
			*stop = 0;
			if (stop - line > 19 && is_wanted(line + 19))
				printf("S %s\n", line);
		}
		have = end - line;
		memmove(buffer, line, have);
	}
	my_syscall1(__NR_close, fd);
}

int main(void)
{
	int ready[2], go[2], tester, forked;
	char c = 0;

	/* behind what the firmware left of a line */
	printf("\n");
	start();
	my_syscall2(__NR_pipe2, ready, 0);
	my_syscall2(__NR_pipe2, go, 0);
	tester = fork();
	if (!tester) {
		my_syscall5(__NR_prctl, 15, "tester", 0, 0, 0);
		make_entries();
		forked = fork();
		if (forked) {
			prepare_moves();
			my_syscall3(__NR_write, ready[1], &forked, 4);
			my_syscall3(__NR_read, go[0], &c, 1);
			move();
		} else {
			my_syscall5(__NR_prctl, 15, "forked", 0, 0, 0);
		}
		for (;;)
			nap(1000);
	}
	my_syscall1(__NR_close, ready[1]);
	if (my_syscall3(__NR_read, ready[0], &forked, 4) != 4)
		printf("# the tester ended: -1\n");
	nap(1);
	tell_symbols();
	tell(tester, "tester");
	tell(forked, "forked");
	tell(1, "init");
	printf("READY\n");
	nap(4);
	my_syscall3(__NR_write, go[1], &c, 1);
	for (;;)
		nap(1000);
}
