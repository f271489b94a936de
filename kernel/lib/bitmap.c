/* A bitmap with a search for runs. Words that are full, or empty, are passed in one step. */
#include "lib/bitmap.h"
#include "lib/debug.h"
#include "lib/string.h"

void bitmap_init(struct bitmap *b, u64 *words, u64 bits)
{
	*b = (struct bitmap){ .words = words, .bits = bits };
	memset(words, 0, bitmap_words(bits) * sizeof(*words));
}

bool bitmap_test(const struct bitmap *b, u64 bit)
{
	assert(bit < b->bits);
	return b->words[bit / 64] >> (bit % 64) & 1;
}

void bitmap_set(struct bitmap *b, u64 bit)
{
	assert(!bitmap_test(b, bit));
	b->words[bit / 64] |= 1ull << (bit % 64);
	b->used++;
}

void bitmap_clear(struct bitmap *b, u64 bit)
{
	assert(bitmap_test(b, bit));
	b->words[bit / 64] &= ~(1ull << (bit % 64));
	b->used--;
}

/* The first bit in [from, limit) that equals value, or limit. */
static u64 bit_find(const struct bitmap *b, u64 from, u64 limit, bool value)
{
	while (from < limit) {
		u64 word = (value ? b->words[from / 64] : ~b->words[from / 64]) >> (from % 64);

		if (word)
			return MIN(from + (u64)__builtin_ctzll(word), limit);
		from = ALIGN_DOWN(from, 64) + 64;
	}
	return limit;
}

struct search {
	u64 want, best, best_length;
	u32 runs;
};

/* Looks at the runs that begin in [from, limit); they may end behind limit. True ends the search. */
static bool runs_search(const struct bitmap *b, struct search *s, u64 from, u64 limit)
{
	while ((from = bit_find(b, from, limit, false)) < limit) {
		u64 length = bit_find(b, from, from + MIN(s->want, b->bits - from), true) - from;

		if (length > s->best_length) {
			s->best = from;
			s->best_length = length;
		}
		if (length == s->want || ++s->runs == BITMAP_RUNS_MAX)
			return true;
		from += length;
	}
	return false;
}

u64 bitmap_take_run(struct bitmap *b, u64 want, u64 *got)
{
	struct search s = { .want = want };
	u64 hint = b->hint < b->bits ? b->hint : 0;

	assert(want >= 1);
	if (b->used == b->bits)
		return BITMAP_NONE;
	if (!runs_search(b, &s, hint, b->bits))
		runs_search(b, &s, 0, hint);
	if (s.best_length == 0)
		return BITMAP_NONE;

	for (u64 i = 0; i < s.best_length; i++)
		bitmap_set(b, s.best + i);
	b->hint = s.best + s.best_length;
	*got = s.best_length;
	return s.best;
}
