// The guest program: plays histories of operations on one range of four PMDs of anonymous memory, and prints after each
// operation what user space sees. `pmdswp.model.conform.trace` tells the form of what it prints.
//
// It is /init of a virtual machine and reads /script, and swaps to a virtio disk if the module for that is there, else to a
// RAM disk; or, as `guest DEVICE SCRIPT`, it runs as root on a machine whose
// DEVICE it may swap to. One process conducts; each process of a history is an actor, told what to do through a pipe.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers that older headers lack.
#ifndef UFFD_FEATURE_SIGBUS
#define UFFD_FEATURE_SIGBUS (1 << 7)
#endif
struct move_request { uint64_t dst, src, len, mode; int64_t moved; };
#define MOVE _IOWR(UFFDIO, 0x05, struct move_request)
struct region { uint64_t start, end, categories; };
struct scan_request {
	uint64_t size, flags, start, end, walk_end, regions, nr_regions, max_pages, inverted, all_of, any_of, report;
};
#define SCAN _IOWR('f', 16, struct scan_request)
enum { IS_WRITTEN = 1 << 1, IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, IS_HUGE = 1 << 6, IS_SOFT_DIRTY = 1 << 7 };
enum { ADVICE_COLD = 20, ADVICE_PAGEOUT = 21, ADVICE_COLLAPSE = 25 };

enum { MOST_PROCESSES = 4, PMDS = 4, MOST_PAGES = PMDS * 8192 };
#define UNKNOWN (~0ull)
static char *const range = (char *)0x10000000000ull;
static long page_size, nr_pages, pages_of_pmd;
static size_t pmd_size;
static char device[256] = "/dev/ram0";
static const char *script = "/script";
static uint64_t device_pages;
static int device_fd = -1, device_is_asynchronous;
static char *buffer;

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

// --- an actor ------------------------------------------------------------------------------------------------------

static sigjmp_buf landing;
static volatile int may_land;
static volatile long disarmed;
static int pagemap_fd = -1, uffd = -1;
static uint64_t records[MOST_PAGES], tokens[MOST_PAGES];
static unsigned char resident[MOST_PAGES], mapped[MOST_PAGES], readable[MOST_PAGES];

static uint64_t record_of(uint64_t address)
{
	uint64_t record = 0;
	return pread(pagemap_fd, &record, 8, address / page_size * 8) == 8 ? record : 0;
}

static int is_huge(uint64_t address)
{
	struct region found;
	struct scan_request scan = { .size = sizeof scan, .start = address, .end = address + page_size,
		.regions = (uintptr_t)&found, .nr_regions = 1, .any_of = IS_PRESENT | IS_SWAPPED, .report = IS_HUGE };
	return ioctl(pagemap_fd, SCAN, &scan) == 1 && found.categories & IS_HUGE;
}

// A write to an armed page: disarm it, or the huge page that it is in, as a monitor would. Anything else ends the access.
static void on_signal(int number, siginfo_t *info, void *context)
{
	uint64_t address = (uintptr_t)info->si_addr & -page_size, length = page_size;
	(void)context;
	if (number == SIGBUS && uffd >= 0 && record_of(address) >> 57 & 1) {
		if (is_huge(address)) {
			length = pmd_size;
			address &= -(uint64_t)pmd_size;
		}
		struct uffdio_writeprotect request = { .range = { address, length }, .mode = 0 };
		disarmed++;
		if (!ioctl(uffd, UFFDIO_WRITEPROTECT, &request))
			return;
	}
	if (may_land)
		siglongjmp(landing, number);
	printf("# signal %d at %llx\n", number, (unsigned long long)address);
	fflush(stdout);
	_exit(99);
}

static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_SIGBUS };
	if (uffd >= 0)
		return 0;
	uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api))
		return 0;
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
	return -1;
}

// What is this program's own is not to be reclaimed: faults for it would be counted.
static void lock_own_memory(void)
{
	char line[512];
	unsigned long long start, end;
	FILE *file = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%llx-%llx", &start, &end) == 2 && (end <= (uintptr_t)range || start >= (uintptr_t)range + nr_pages * page_size))
			mlock((void *)(uintptr_t)start, end - start);
	fclose(file);
}

static void begin_actor(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };
	char path[64];
	signal(SIGCHLD, SIG_IGN);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	snprintf(path, sizeof path, "/proc/%d/pagemap", getpid());
	if (pagemap_fd >= 0)
		close(pagemap_fd);
	pagemap_fd = open(path, O_RDONLY);
	if (uffd >= 0)
		close(uffd);
	uffd = -1;
	if (device_is_asynchronous)
		lock_own_memory();
}

// A page has its contents in its first and its last word.
static uint64_t token_of(const char *page)
{
	uint64_t first = *(const uint64_t *)page, last = *(const uint64_t *)(page + page_size - 8);
	return first == last ? first : UNKNOWN - 1;
}

static const char *const FIELDS[] = { "Rss:", "Pss:", "Pss_Dirty:", "Shared_Clean:", "Shared_Dirty:", "Private_Clean:",
	"Private_Dirty:", "Anonymous:", "LazyFree:", "AnonHugePages:", "Swap:", "SwapPss:", "Locked:", NULL };

static void see_vmas(int me)
{
	uint64_t sums[16] = { 0 }, low = (uintptr_t)range;
	char line[512], permissions[8];
	unsigned long long start, end;
	int inside = 0;
	FILE *file = fopen("/proc/self/smaps", "r");
	printf("v %d", me);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "%llx-%llx %7s", &start, &end, permissions) == 3) {
			inside = start >= low && start < low + nr_pages * page_size;
			if (!inside)
				continue;
			long first = (start - low) / page_size, last = (end - low) / page_size;
			printf(" %ld-%ld%s", first, last, permissions[1] == 'w' ? "w" : "r");
			memset(mapped + first, 1, last - first);
			memset(readable + first, permissions[0] == 'r', last - first);
		} else if (inside && !strncmp(line, "VmFlags:", 8)) {
			printf("%s%s%s%s", strstr(line, " sd") ? "d" : "", strstr(line, " um") || strstr(line, " uw") ? "u" : "",
			       strstr(line, " uw") ? "p" : "", strstr(line, " hg") ? "h" : "");
		} else if (inside) {
			for (int i = 0; FIELDS[i]; i++)
				if (!strncmp(line, FIELDS[i], strlen(FIELDS[i])))
					sums[i] += strtoull(line + strlen(FIELDS[i]), NULL, 10);
		}
	}
	fclose(file);
	printf("\ns %d", me);
	for (int i = 0; FIELDS[i]; i++)
		printf(" %llu", (unsigned long long)sums[i]);
	file = fopen("/proc/self/status", "r");
	while (fgets(line, sizeof line, file))
		if (!strncmp(line, "VmSwap:", 7))
			printf(" %llu", strtoull(line + 7, NULL, 10));
	fclose(file);
	printf("\n");
}

static uint64_t slot_of(uint64_t record) { return record << 9 >> 14; }
static int is_swapped(uint64_t record) { return (record >> 62 & 3) == 1; }

// What pages hold: those in memory are read, those on swap from the device, past the page cache.
static void see_contents(void)
{
	for (long i = 0; i < nr_pages; i++)
		tokens[i] = records[i] >> 63 && readable[i] ? token_of(range + i * page_size) : UNKNOWN;
	for (long i = 0, end; i < nr_pages; i = end) {
		end = i + 1;
		if (!is_swapped(records[i]) || device_fd < 0)
			continue;
		uint64_t slot = slot_of(records[i]);
		while (end < nr_pages && end - i < pages_of_pmd && is_swapped(records[end]) && slot_of(records[end]) == slot + (end - i))
			end++;
		ssize_t length = (end - i) * page_size;
		if (slot + (end - i) <= device_pages && pread(device_fd, buffer, length, slot * page_size) == length)
			for (long k = i; k < end; k++)
				tokens[k] = token_of(buffer + (k - i) * page_size);
	}
}

static void see_pages(int me)
{
	printf("g %d", me);
	for (long i = 0, end; i < nr_pages; i = end) {
		uint64_t flags = records[i] >> 55, payload = records[i] & ((1ull << 55) - 1);
		int present = flags >> 8 & 1;
		end = i + 1;
		if (!(flags & 0x180)) { // nothing there
			while (end < nr_pages && records[end] == records[i] && mapped[end] == mapped[i] && resident[end] == resident[i])
				end++;
			if (records[i] || resident[i])
				printf(" %ld+%ld:%s%s%s", i, end - i, flags & 1 ? "d" : "", payload || flags & ~1ull ? "?" : "",
				       resident[i] & 1 ? "m" : "");
			continue;
		}
		int one_frame = present && end < nr_pages && records[end] == records[i];
		uint64_t value = present ? payload : slot_of(records[i]);
		for (; end < nr_pages && records[end] >> 55 == flags && resident[end] == resident[i]; end++) {
			uint64_t here = present ? records[end] & ((1ull << 55) - 1) : slot_of(records[end]), step = end - i;
			int known = tokens[i] && tokens[i] != UNKNOWN && !one_frame;
			if (here != value + (one_frame ? 0 : step) || tokens[end] != tokens[i] + (known ? step : 0))
				break;
		}
		printf(" %ld+%ld:%s%s%s%s%s%s%s:%llx:%llx", i, end - i, present ? "P" : "S", flags & 1 ? "d" : "",
		       flags & 2 && !one_frame ? "x" : "", flags & 4 ? "u" : "", resident[i] & 1 ? "m" : "", one_frame ? "z" : "",
		       flags & 0x78 ? "?" : "", (unsigned long long)value, (unsigned long long)tokens[i]);
	}
	printf("\n");
}

static void see_regions(int me)
{
	static struct region found[4096];
	uint64_t low = (uintptr_t)range;
	struct scan_request scan = { .size = sizeof scan, .start = low, .end = low + nr_pages * page_size,
		.regions = (uintptr_t)found, .nr_regions = 4096, .any_of = IS_PRESENT | IS_SWAPPED,
		.report = IS_WRITTEN | IS_PRESENT | IS_SWAPPED | IS_HUGE | IS_SOFT_DIRTY };
	int number = ioctl(pagemap_fd, SCAN, &scan);
	printf("c %d", me);
	if (number < 0)
		printf(" E%d", errno);
	for (int i = 0; i < number; i++)
		printf(" %llu+%llu:%llx", (unsigned long long)(found[i].start - low) / page_size,
		       (unsigned long long)(found[i].end - found[i].start) / page_size, (unsigned long long)found[i].categories);
	printf("\n");
}

static void see(int me)
{
	memset(mapped, 0, nr_pages);
	memset(readable, 0, nr_pages);
	memset(resident, 0, nr_pages);
	see_vmas(me);
	if (pread(pagemap_fd, records, nr_pages * 8, (uintptr_t)range / page_size * 8) != nr_pages * 8)
		printf("# pagemap: %s\n", strerror(errno));
	for (long i = 0, end; i < nr_pages; i = end) {
		for (end = i + 1; mapped[i] && end < nr_pages && mapped[end]; end++)
			;
		if (mapped[i] && mincore(range + i * page_size, (end - i) * page_size, resident + i))
			printf("# mincore: %s\n", strerror(errno));
	}
	see_contents();
	see_pages(me);
	see_regions(me);
}

static const char *error_name(int number)
{
	static const struct { int number; const char *name; } known[] = { { ENOMEM, "ENOMEM" }, { EINVAL, "EINVAL" },
		{ EBUSY, "EBUSY" }, { EAGAIN, "EAGAIN" }, { EFAULT, "EFAULT" }, { ENOENT, "ENOENT" }, { EEXIST, "EEXIST" },
		{ EPERM, "EPERM" }, { EIO, "EIO" }, { ESRCH, "ESRCH" } };
	static char other[16];
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].number == number)
			return known[i].name;
	snprintf(other, sizeof other, "E%d", number);
	return other;
}

static void tell(long result) { printf("r %s\n", result < 0 ? error_name(errno) : "ok"); }

static void touch(long first, long number, long token, int write)
{
	static uint64_t before[MOST_PAGES];
	int signal_number;
	if (!write && pread(pagemap_fd, before, number * 8, ((uintptr_t)range / page_size + first) * 8) < 0)
		printf("# pagemap: %s\n", strerror(errno));
	may_land = 1;
	signal_number = sigsetjmp(landing, 1);
	if (signal_number) {
		printf("r %s\n", signal_number == SIGSEGV ? "SIGSEGV" : "SIGBUS");
	} else if (write) {
		for (long i = 0; i < number; i++) {
			char *page = range + (first + i) * page_size;
			*(volatile uint64_t *)page = token + i;
			*(volatile uint64_t *)(page + page_size - 8) = token + i;
		}
		printf("r ok wp=%ld\n", disarmed);
	} else {
		for (long i = 0; i < number; i++)
			if (before[i] >> 62)
				(void)*(volatile uint64_t *)(range + (first + i) * page_size);
		printf("r ok\n");
	}
	may_land = 0;
}

static long map(char *start, size_t length, int hint)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	if (mmap(start, length, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED)
		return -1;
	return hint ? madvise(start, length, MADV_HUGEPAGE) : 0;
}

static long clear_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	long result = write(fd, "4", 1) < 0 ? -1 : 0;
	int error = errno;
	close(fd);
	errno = error;
	return result;
}

static long uffd_request(const char *name, uint64_t start, uint64_t length, long on)
{
	if (open_uffd())
		return -1;
	if (!strcmp(name, "reg")) {
		struct uffdio_register request = { .range = { start, length },
			.mode = on ? UFFDIO_REGISTER_MODE_WP : UFFDIO_REGISTER_MODE_MISSING };
		return ioctl(uffd, UFFDIO_REGISTER, &request);
	}
	struct uffdio_writeprotect request = { .range = { start, length }, .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0 };
	return ioctl(uffd, UFFDIO_WRITEPROTECT, &request);
}

static void move_pages_to(uint64_t start, uint64_t length, long to)
{
	struct move_request request = { .dst = (uintptr_t)range + to * page_size, .src = start, .len = length };
	long result = open_uffd() ? -1 : ioctl(uffd, MOVE, &request);
	int error = errno;
	printf("r %s moved=%lld\n", result ? error_name(error) : "ok", request.moved > 0 ? (long long)request.moved / page_size : 0);
}

// One operation of this process.
static void act(const char *name, long first, long number, long third, long fourth)
{
	static const struct { const char *name; int advice; } advices[] = { { "pageout", ADVICE_PAGEOUT }, { "cold", ADVICE_COLD },
		{ "free", MADV_FREE }, { "dontneed", MADV_DONTNEED }, { "willneed", MADV_WILLNEED },
		{ "nohuge", MADV_NOHUGEPAGE }, { "collapse", ADVICE_COLLAPSE } };
	char *start = range + first * page_size;
	size_t length = number * page_size;
	(void)fourth;
	disarmed = 0;
	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
		if (!strcmp(name, advices[i].name)) {
			tell(madvise(start, length, advices[i].advice));
			return;
		}
	if (!strcmp(name, "mmap"))
		tell(map(start, length, third));
	else if (!strcmp(name, "write") || !strcmp(name, "read"))
		touch(first, number, third, *name == 'w');
	else if (!strcmp(name, "munmap"))
		tell(munmap(start, length));
	else if (!strcmp(name, "mprotect"))
		tell(mprotect(start, length, third ? PROT_READ | PROT_WRITE : PROT_READ));
	else if (!strcmp(name, "protnone"))
		tell(mprotect(start, length, PROT_NONE));
	else if (!strcmp(name, "mlock"))
		tell(mlock(start, length));
	else if (!strcmp(name, "munlock"))
		tell(munlock(start, length));
	else if (!strcmp(name, "mremap"))
		tell(mremap(start, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, range + third * page_size) == MAP_FAILED ? -1 : 0);
	else if (!strcmp(name, "clear"))
		tell(clear_soft_dirty());
	else if (!strcmp(name, "reg") || !strcmp(name, "wp"))
		tell(uffd_request(name, (uintptr_t)start, length, third));
	else if (!strcmp(name, "move"))
		move_pages_to((uintptr_t)start, length, third);
	else
		printf("# unknown operation %s\n", name);
}

// --- the conductor -------------------------------------------------------------------------------------------------

static int orders[MOST_PROCESSES][2], answers[MOST_PROCESSES][2];
static pid_t *pids; // shared: an actor notes the child that it forks
static int nr_processes;

static void run_actor(int me)
{
	char order[256], name[24];
	begin_actor();
	while (read(orders[me][0], order, sizeof order) > 0) {
		long a = 0, b = 0, c = 0, d = 0;
		*name = 0;
		sscanf(order, "%23s %ld %ld %ld %ld", name, &a, &b, &c, &d);
		if (!strcmp(name, "exit"))
			_exit(0);
		if (!strcmp(name, "see")) {
			see(me);
		} else if (!strcmp(name, "fork")) {
			fflush(stdout);
			pid_t child = fork();
			if (!child) {
				me = a;
				begin_actor();
				continue;
			}
			tell(child < 0 ? -1 : 0);
			if (child > 0)
				pids[a] = child;
		} else {
			act(name, a, b, c, d);
		}
		fflush(stdout);
		if (write(answers[me][1], "k", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void order(int who, const char *name, long a, long b, long c, long d)
{
	char text[256] = "", answer;
	snprintf(text, sizeof text, "%s %ld %ld %ld %ld", name, a, b, c, d);
	fflush(stdout);
	if (write(orders[who][1], text, sizeof text) != sizeof text)
		printf("# actor %d hears nothing\n", who);
	fcntl(answers[who][0], F_SETFL, O_NONBLOCK);
	while (read(answers[who][0], &answer, 1) != 1) {
		waitpid(-1, NULL, WNOHANG);
		if (kill(pids[who], 0)) {
			printf("# actor %d died\n", who);
			pids[who] = 0;
			return;
		}
		sched_yield();
	}
}

static void dismiss(int who)
{
	char text[256] = "exit";
	if (!pids[who])
		return;
	if (write(orders[who][1], text, sizeof text) != sizeof text)
		printf("# actor %d hears nothing\n", who);
	while (!kill(pids[who], 0)) {
		waitpid(pids[who], NULL, WNOHANG);
		sched_yield();
	}
	pids[who] = 0;
}

static const char *const EVENTS[] = { "thp_swpout", "thp_swpout_fallback", "thp_split_pmd", "thp_split_page", "thp_fault_alloc",
	"thp_collapse_alloc", "pswpin", "pswpout", "pgmajfault", "zswpin", "zswpout", NULL };

static void count_events(uint64_t *counts)
{
	char name[64];
	unsigned long long value;
	FILE *file = fopen("/proc/vmstat", "r");
	while (fscanf(file, "%63s %llu", name, &value) == 2)
		for (int i = 0; EVENTS[i]; i++)
			if (!strcmp(name, EVENTS[i]))
				counts[i] = value;
	fclose(file);
}

static uint64_t used_pages(void)
{
	char line[256];
	unsigned long long size, used, sum = 0;
	FILE *file = fopen("/proc/swaps", "r");
	while (fgets(line, sizeof line, file))
		if (sscanf(line, "%*s %*s %llu %llu", &size, &used) == 2)
			sum += used;
	fclose(file);
	return sum * 1024 / page_size;
}

static unsigned long long number_in(const char *path, const char *wanted)
{
	char line[256], name[64];
	unsigned long long value = 0, found = 0;
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "%63s %llu", name, &value) == 2 && !strcmp(name, wanted))
			found = value;
	if (file)
		fclose(file);
	return found;
}

static int is_disk_busy(void)
{
	unsigned reads = 0, writes = 0;
	FILE *file = fopen("/sys/block/vda/inflight", "r");
	if (file && fscanf(file, "%u %u", &reads, &writes) != 2)
		reads = 1;
	if (file)
		fclose(file);
	return reads || writes;
}

// Until all that is written is on the disk, and all that is read in memory.
static void settle(void)
{
	for (int i = 0; device_is_asynchronous && i < 10000; i++) {
		put("/proc/sys/vm/stat_refresh", "1");
		if (!is_disk_busy() && !number_in("/proc/vmstat", "nr_writeback"))
			return;
		usleep(500);
	}
}

#define GROUP "/sys/fs/cgroup/actors"

// All memory of the actors that can go goes, and so does what of it is cached only.
static void reclaim_all(void)
{
	for (int i = 0; i < 16; i++) {
		int fd = open(GROUP "/memory.reclaim", O_WRONLY);
		if (fd < 0 || (write(fd, "1G", 2) < 0 && errno != EAGAIN))
			printf("# reclaim: %s\n", strerror(errno));
		close(fd);
		settle();
		if (!number_in(GROUP "/memory.stat", "inactive_anon") && !number_in(GROUP "/memory.stat", "active_anon"))
			return;
	}
}

// zswap's own writer runs when the pool is full at the time of a store: it gives each page a second chance, and gives up soon.
static void shrink_zswap(void)
{
	unsigned long long left = ~0ull, now;
	char *page = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	put("/sys/module/zswap/parameters/max_pool_percent", "0");
	for (int i = 0, idle = 0; i < 4000 && idle < 100; i++, idle++) {
		now = number_in("/proc/meminfo", "Zswapped:");
		if (now != left)
			idle = 0;
		left = now;
		if (!left)
			break;
		memset(page, i | 1, 8);
		madvise(page, page_size, ADVICE_PAGEOUT);
		madvise(page, page_size, MADV_DONTNEED);
		usleep(500);
	}
	put("/sys/module/zswap/parameters/max_pool_percent", "20");
	munmap(page, page_size);
}

static void report(const uint64_t *before)
{
	uint64_t now[32] = { 0 };
	settle();
	count_events(now);
	printf("d");
	for (int i = 0; EVENTS[i]; i++)
		if (now[i] != before[i])
			printf(" %s=%lld", EVENTS[i], (long long)(now[i] - before[i]));
	printf("\nu %llu\n", (unsigned long long)used_pages());
	for (int i = 0; i < nr_processes; i++)
		if (pids[i])
			order(i, "see", 0, 0, 0, 0);
}

static void begin_history(const char *line, int *is_on)
{
	static int open_pipes;
	for (int i = 0; i < MOST_PROCESSES; i++)
		dismiss(i);
	for (int i = 0; i < MOST_PROCESSES && open_pipes; i++)
		for (int end = 0; end < 2; end++) {
			close(orders[i][end]);
			close(answers[i][end]);
		}
	open_pipes = 0;
	if (!*is_on)
		*is_on = !swapon(device, 0);
	if (*line == 'Z')
		return;
	for (int i = 0; i < MOST_PROCESSES; i++)
		if (pipe(orders[i]) || pipe(answers[i]))
			printf("# pipe: %s\n", strerror(errno));
	open_pipes = nr_processes = 1;
	printf("%s\n", line);
	fflush(stdout);
	pid_t child = fork();
	if (!child) {
		if (device_is_asynchronous)
			put(GROUP "/cgroup.procs", "0");
		run_actor(0);
	}
	pids[0] = child;
}

static void perform(const char *line, int *is_on)
{
	char name[24] = "";
	long who = 0, a = 0, b = 0, c = 0, d = 0;
	uint64_t before[32] = { 0 };
	count_events(before);
	sscanf(line, "%23s %ld %ld %ld %ld %ld", name, &who, &a, &b, &c, &d);
	printf("o %s\n", line);
	if (!strcmp(name, "swapoff")) {
		int result = swapoff(device);
		*is_on &= result != 0;
		tell(result);
	} else if (!strcmp(name, "swapon")) {
		int result = *is_on ? 0 : swapon(device, 0);
		*is_on |= !result;
		tell(result);
	} else if (!strcmp(name, "zswap")) {
		put("/sys/module/zswap/parameters/enabled", who ? "Y" : "N");
		printf("r ok\n");
	} else if (!strcmp(name, "reclaim")) {
		reclaim_all();
		printf("r ok\n");
	} else if (!strcmp(name, "shrink")) {
		shrink_zswap();
		printf("r ok\n");
	} else if (who < 0 || who >= nr_processes || !pids[who]) {
		printf("r nobody\n");
		return;
	} else if (!strcmp(name, "fork")) {
		if (nr_processes < MOST_PROCESSES) {
			int child = nr_processes;
			pids[child] = 0;
			order(who, "fork", child, 0, 0, 0);
			nr_processes += pids[child] != 0;
		}
	} else if (!strcmp(name, "exit")) {
		dismiss(who);
		printf("r ok\n");
	} else {
		order(who, name, a, b, c, d);
	}
	report(before);
}

// --- the machine ---------------------------------------------------------------------------------------------------

static void make_swap(void)
{
	char *header = calloc(1, page_size);
	uint32_t *fields = (uint32_t *)(header + 1024);
	int fd = open(device, O_RDWR);
	fields[0] = 1;
	fields[1] = device_pages - 1;
	memcpy(header + page_size - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, header, page_size, 0) != page_size)
		printf("# mkswap: %s\n", strerror(errno));
	fsync(fd);
	close(fd);
	free(header);
}

static void boot(void)
{
	int fd;
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3 && fd >= 0; i++)
		dup2(fd, i);
}

static void load_disk(void)
{
	int fd = open("/virtio_blk.ko", O_RDONLY);
	snprintf(device, sizeof device, "/dev/vda");
	device_is_asynchronous = 1;
	if (syscall(__NR_finit_module, fd, "", 0))
		printf("# virtio_blk: %s\n", strerror(errno));
	for (int i = 0; i < 100 && access(device, F_OK); i++)
		usleep(20000);
	// else huge pages are split before they are written
	put("/sys/block/vda/queue/rotational", "0");
	mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL);
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
}

static void load_ramdisk(uint64_t size)
{
	char parameters[96];
	int fd = open("/brd.ko", O_RDONLY);
	snprintf(parameters, sizeof parameters, "rd_nr=1 rd_size=%llu max_part=0", (unsigned long long)(size >> 10));
	if (fd >= 0 && syscall(__NR_finit_module, fd, parameters, 0))
		printf("# brd: %s\n", strerror(errno));
	for (int i = 0; i < 100 && access(device, F_OK); i++)
		usleep(20000);
}

// Settings of the whole machine, and what they were before.
static const char *const SETTINGS[][2] = { { "/proc/sys/vm/page-cluster", "0" },
	{ "/proc/sys/vm/compaction_proactiveness", "0" }, { "/sys/module/zswap/parameters/enabled", "N" },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", "madvise" },
	{ "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "100000000" },
	{ "/sys/kernel/mm/transparent_hugepage/khugepaged/defrag", "0" },
	{ "/sys/kernel/mm/transparent_hugepage/use_zero_page", "0" } };
enum { NR_SETTINGS = sizeof SETTINGS / sizeof *SETTINGS };
static char former[NR_SETTINGS][64];

static void set_up(void)
{
	for (int i = 0; i < NR_SETTINGS; i++) {
		char text[128] = "", *chosen;
		int fd = open(SETTINGS[i][0], O_RDONLY);
		if (fd >= 0 && read(fd, text, sizeof text - 1) > 0) {
			chosen = strchr(text, '['); // of several words, the one that holds
			chosen = chosen ? chosen + 1 : text;
			chosen[strcspn(chosen, "]\n")] = 0;
			snprintf(former[i], sizeof former[i], "%s", chosen);
		}
		if (fd >= 0)
			close(fd);
		put(SETTINGS[i][0], SETTINGS[i][1]);
	}
}

static void put_back(void)
{
	for (int i = 0; i < NR_SETTINGS; i++)
		if (*former[i])
			put(SETTINGS[i][0], former[i]);
}

static void read_sizes(void)
{
	char text[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", O_RDONLY);
	page_size = sysconf(_SC_PAGESIZE);
	if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
		pmd_size = strtoull(text, NULL, 10);
	close(fd);
	pages_of_pmd = pmd_size / page_size;
	nr_pages = PMDS * pages_of_pmd;
}

int main(int argc, char **argv)
{
	static char output[1 << 16];
	struct utsname about;
	char line[256];
	int is_on = 1, is_init = argc < 3;
	if (is_init) {
		boot();
	} else {
		snprintf(device, sizeof device, "%s", argv[1]);
		script = argv[2];
	}
	setvbuf(stdout, output, _IOFBF, sizeof output);
	uname(&about);
	read_sizes();
	uint64_t size = 64 * pmd_size > 256ull << 20 ? 64 * pmd_size : 256ull << 20;
	device_pages = size / page_size;
	if (is_init && !access("/virtio_blk.ko", F_OK))
		load_disk();
	else if (is_init)
		load_ramdisk(size);
	set_up();
	make_swap();
	device_fd = open(device, O_RDONLY | O_DIRECT);
	buffer = mmap(NULL, pmd_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	pids = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (swapon(device, 0)) {
		printf("# swapon %s: %s\n", device, strerror(errno));
		is_on = 0;
	}
	printf("\nBEGIN release=%s machine=%s pagesize=%ld thp=%zu devpages=%llu device=%s\n", about.release, about.machine, page_size,
	       pmd_size, (unsigned long long)device_pages, device);
	FILE *file = fopen(script, "r");
	while (file && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = 0;
		if (*line == 'H' || *line == 'Z')
			begin_history(line, &is_on);
		else if (*line && *line != '#')
			perform(line, &is_on);
		if (*line == 'Z')
			break;
	}
	printf("ALLDONE\n");
	fflush(stdout);
	if (!is_init) {
		put_back();
		return is_on && swapoff(device) ? 1 : 0;
	}
	sync();
	usleep(200000);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
