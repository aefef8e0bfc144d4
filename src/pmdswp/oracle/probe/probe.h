/* What the files of the probe know of each other. */
#ifndef PROBE_H
#define PROBE_H

#include <linux/types.h>

/* main.c: one JSON object a line */
void line_open(const char *kind);
void line_close(void);
void object_open(const char *name);
void object_close(void);
void array_open(const char *name);
void array_close(void);
void text(const char *name, const char *value);
void dec(const char *name, u64 value);
void hex(const char *name, u64 value);
void memory(const char *name, const void *bytes, unsigned int size);
void bits(const char *name, bool (*predicate)(u64 word), u64 base);
bool same(const char *a, const char *b);
void __noreturn fail(const char *why);

/* start.S */
long system_call(long number, long a, long b, long c, long d);

/* standins.c */
void boot(const char *mode);
bool same_as_booted(const char *mode);
extern const char *booted_mode;

/* geometry.c */
void answer_geom(void);
u64 max_offset(void);

/* answers.c */
void answer_swp(const char *why, u64 type, u64 offset);
void answer_raw(const char *why, u64 word);
void answer_low12(u64 base);
void answer_mkpte(const char *why, u64 pfn);
void answer_mkpmd(const char *why, u64 pfn);
u64 pmd_exclusive_mask(void);

/* whole.c; what: a protection, huge_ and a protection, table_ or empty_ and a level */
void answer_whole(const char *why, u64 word);
void answer_made(const char *what, u64 pfn, u64 flipped);

#endif
