/* A bitmap over caller-supplied 64-bit words; bit set = taken. The caller locks. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include "lib/types.h"

struct bitmap {
	u64 *words;
	u64 bits;  /* how many bits are valid */
	u64 used;  /* how many are set */
	u64 hint;  /* where the next search begins */
};

#define BITMAP_NONE (~0ull)
#define BITMAP_RUNS_MAX 64 /* a search looks at so many runs, then the longest of them will do */

/* How many bits of a word are set. The compiler's own function would want a library that the kernel does not have. */
static inline u32 bits_set(u64 word)
{
	u32 n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

static inline u64 bitmap_words(u64 bits)
{
	return (bits + 63) / 64;
}

void bitmap_init(struct bitmap *b, u64 *words, u64 bits); /* all clear; words has bitmap_words(bits) entries */
bool bitmap_test(const struct bitmap *b, u64 bit);
void bitmap_set(struct bitmap *b, u64 bit);   /* must be clear */
void bitmap_clear(struct bitmap *b, u64 bit); /* must be set */

/*
 * Takes a run of up to want clear bits, the longest of the first BITMAP_RUNS_MAX runs found from the hint on (a run of
 * want ends the search; the search wraps once) and moves the hint behind it. Returns the first bit and *got >= 1, or
 * BITMAP_NONE if every bit is set. want >= 1.
 */
u64 bitmap_take_run(struct bitmap *b, u64 want, u64 *got);

#endif
