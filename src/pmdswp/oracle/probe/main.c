/*
 * The probe program: reads questions from standard input, one a line, and writes one JSON object for each.
 *
 *	boot MODE		which machine to stand in for; first of all
 *	geom
 *	swp WHY TYPE OFFSET	numbers are 0x...
 *	raw WHY WORD
 *	low12 BASE
 *	mkpte WHY PFN		WHY is the protection
 *	mkpmd WHY PFN
 *	whole WHY WORD
 *	made WHAT PFN FLIPPED	WHAT the kernel makes of a page frame number, with some bits the other way round
 *
 * It stands on nothing but three system calls, and the memory functions that compilers call.
 */
#include <linux/types.h>

#include "probe.h"

#if defined(__x86_64__)
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_EXIT 60
#elif defined(__s390x__) || defined(__powerpc64__)
#define SYS_READ 3
#define SYS_WRITE 4
#define SYS_EXIT 1
#else
#define SYS_READ 63
#define SYS_WRITE 64
#define SYS_EXIT 93
#endif

#define INPUT_SIZE (1 << 20)
#define OUTPUT_SIZE (1 << 16)

static char input[INPUT_SIZE + 1];
static char output[OUTPUT_SIZE];
static unsigned int used;
static bool comma;

/* --- output --------------------------------------------------------------------------------------------------- */

static void write_all(int file, const char *from, unsigned long size)
{
	while (size) {
		long written = system_call(SYS_WRITE, file, (long)from, size, 0);

		if (written <= 0)
			system_call(SYS_EXIT, 2, 0, 0, 0);
		from += written;
		size -= written;
	}
}

static void put(char c)
{
	if (used == OUTPUT_SIZE) {
		write_all(1, output, used);
		used = 0;
	}
	output[used++] = c;
}

static void puts_(const char *s)
{
	while (*s)
		put(*s++);
}

static void put_number(u64 value, unsigned int base)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(digits[--n]);
}

static void put_name(const char *name)
{
	if (comma)
		put(',');
	comma = true;
	if (name) {
		put('"');
		puts_(name);
		puts_("\":");
	}
}

void line_open(const char *kind)
{
	comma = false;
	put('{');
	text("k", kind);
}

void line_close(void)
{
	puts_("}\n");
}

void object_open(const char *name)
{
	put_name(name);
	put('{');
	comma = false;
}

void object_close(void)
{
	put('}');
	comma = true;
}

void array_open(const char *name)
{
	put_name(name);
	put('[');
	comma = false;
}

void array_close(void)
{
	put(']');
	comma = true;
}

void text(const char *name, const char *value)
{
	put_name(name);
	put('"');
	puts_(value);
	put('"');
}

void dec(const char *name, u64 value)
{
	put_name(name);
	put_number(value, 10);
}

void hex(const char *name, u64 value)
{
	put_name(name);
	puts_("\"0x");
	put_number(value, 16);
	put('"');
}

void memory(const char *name, const void *bytes, unsigned int size)
{
	const unsigned char *at = bytes;

	put_name(name);
	put('"');
	while (size--) {
		put("0123456789abcdef"[*at >> 4]);
		put("0123456789abcdef"[*at++ & 15]);
	}
	put('"');
}

/* The answers for the 4096 words above base; answer i is bit i mod 4 of hexadecimal digit i div 4. */
void bits(const char *name, bool (*predicate)(u64 word), u64 base)
{
	unsigned int i, digit = 0;

	put_name(name);
	put('"');
	for (i = 0; i < 4096; i++) {
		digit |= (unsigned int)predicate(base | i) << (i & 3);
		if ((i & 3) == 3) {
			put("0123456789abcdef"[digit]);
			digit = 0;
		}
	}
	put('"');
}

static unsigned long length(const char *s)
{
	unsigned long n = 0;

	while (s[n])
		n++;
	return n;
}

void __noreturn fail(const char *why)
{
	write_all(1, output, used);
	write_all(2, "probe: ", 7);
	write_all(2, why, length(why));
	write_all(2, "\n", 1);
	for (;;)
		system_call(SYS_EXIT, 1, 0, 0, 0);
}

/* --- input ---------------------------------------------------------------------------------------------------- */

bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Cut the next word off a line. */
static char *word(char **line)
{
	char *start = *line;

	if (!*start)
		fail("a question ends too early");
	while (**line && **line != ' ')
		++*line;
	if (**line)
		*(*line)++ = 0;
	return start;
}

static u64 number(char **line)
{
	const char *digits = word(line);
	u64 value = 0;

	if (digits[0] != '0' || digits[1] != 'x' || !digits[2])
		fail("a number is not 0x...");
	for (digits += 2; *digits; digits++) {
		char c = *digits;

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			fail("a number is not 0x...");
	}
	return value;
}

static void answer(char *line)
{
	const char *kind = word(&line);

	if (same(kind, "boot")) {
		boot(word(&line));
	} else if (!booted_mode) {
		fail("the first question is not boot");
	} else if (same(kind, "geom")) {
		answer_geom();
	} else if (same(kind, "low12")) {
		answer_low12(number(&line));
	} else {
		const char *why = word(&line);
		u64 value = number(&line);

		if (same(kind, "swp"))
			answer_swp(why, value, number(&line));
		else if (same(kind, "raw"))
			answer_raw(why, value);
		else if (same(kind, "mkpte"))
			answer_mkpte(why, value);
		else if (same(kind, "mkpmd"))
			answer_mkpmd(why, value);
		else if (same(kind, "whole"))
			answer_whole(why, value);
		else if (same(kind, "made"))
			answer_made(why, value, number(&line));
		else
			fail("a question of an unknown kind");
	}
	if (*line)
		fail("a question is too long");
}

int probe_main(void);

int probe_main(void)
{
	unsigned long size = 0;
	char *line = input, *end;
	long got;

	while ((got = system_call(SYS_READ, 0, (long)(input + size), INPUT_SIZE - size, 0)) > 0)
		size += got;
	if (got < 0 || size == INPUT_SIZE)
		fail("the questions cannot be read");
	while (*line) {
		for (end = line; *end && *end != '\n'; end++)
			;
		if (!*end)
			fail("the last line has no end");
		*end = 0;
		answer(line);
		line = end + 1;
	}
	write_all(1, output, used);
	return 0;
}

/* --- what compilers call -------------------------------------------------------------------------------------- */

#undef memcpy
#undef memmove
#undef memset
#undef memcmp

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);

void *memset(void *to, int value, size_t size)
{
	volatile char *at = to;

	while (size--)
		*at++ = value;
	return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
	volatile char *at = to;
	const char *source = from;

	while (size--)
		*at++ = *source++;
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	volatile char *at = to;
	const char *source = from;

	if (to <= from)
		return memcpy(to, from, size);
	while (size--)
		at[size] = source[size];
	return to;
}
