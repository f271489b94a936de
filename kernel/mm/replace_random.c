/*
 * random: each page that may go is as likely to go as any other. What every other policy has to beat. The seed is always
 * the same, so that a run can be repeated as far as the machine lets it.
 */
#include "mm/replace.h"

static u64 random_state = 0x853c49e6748fea9bull;

/* xorshift64*; Marsaglia, "Xorshift RNGs", and Vigna's multiplier. A race between CPUs makes it no less random. */
static u64 random_next(void)
{
	u64 x = random_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return x * 0x2545f4914f6cdd1dull >> 16;
}

static void count(struct trim *t, u64 va, word_t *word)
{
	(void)va;
	(void)word;
	t->candidates++;
}

static void begin(struct trim *t)
{
	if (t->want)
		trim_look(t, count);
}

/* So many are wanted of so many that are left to be asked about (Knuth, volume 2, selection sampling). */
static bool take(struct trim *t, u64 va, word_t *word)
{
	u64 left = t->candidates ? t->candidates-- : 1;

	(void)va;
	(void)word;
	return random_next() % left < t->want;
}

const struct trim_policy replace_random = { .begin = begin, .take = take };
