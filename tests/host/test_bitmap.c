/* The bitmap, against a model that looks at one bit at a time. */
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"
#include "tap.h"

#define BITS_MAX 1500

static bool model[BITS_MAX];
static u64 model_hint;

/* The same rule as in bitmap.h, in the most obvious way. */
static u64 model_take_run(u64 bits, u64 want, u64 *got)
{
	u64 best = BITMAP_NONE, best_length = 0, start = model_hint < bits ? model_hint : 0, at = start;
	bool wrapped = false;
	int runs = 0;

	while (runs < BITMAP_RUNS_MAX && best_length < want) {
		u64 length = 0;

		if (at >= (wrapped ? start : bits)) {
			if (wrapped)
				break;
			wrapped = true;
			at = 0;
			continue;
		}
		while (at + length < bits && length < want && !model[at + length])
			length++;
		if (length == 0) {
			at++;
			continue;
		}
		runs++;
		if (length > best_length) {
			best = at;
			best_length = length;
		}
		at += length;
	}
	for (u64 i = 0; i < best_length; i++)
		model[best + i] = true;
	if (best_length)
		model_hint = best + best_length;
	*got = best_length;
	return best;
}

static void compare(const struct bitmap *b)
{
	u64 used = 0;

	for (u64 i = 0; i < b->bits; i++) {
		used += model[i];
		expect_equal(bitmap_test(b, i), model[i]);
	}
	expect_equal(b->used, used);
}

/* In words of exactly the size wanted, so that a sanitizer sees one too many. */
static void random_steps(u64 bits, int steps)
{
	u64 *words = malloc(bitmap_words(bits) * sizeof(*words));
	struct bitmap b;

	memset(words, 0xa5, bitmap_words(bits) * sizeof(*words));
	bitmap_init(&b, words, bits);
	memset(model, 0, sizeof(model));
	model_hint = 0;
	for (int step = 0; step < steps; step++) {
		u64 bit = tap_below(bits), want = tap_between(1, tap_one_in(3) ? 200 : 20);
		u64 got = 0, expected_got, expected;

		/* While it is full enough, more is cleared than taken. */
		if (step / 200 % 2 && !tap_one_in(3)) {
			if (model[bit])
				bitmap_clear(&b, bit);
			model[bit] = false;
		} else if (tap_one_in(2)) {
			if (!model[bit])
				bitmap_set(&b, bit);
			model[bit] = true;
		} else {
			expected = model_take_run(bits, want, &expected_got);
			expect_equal(bitmap_take_run(&b, want, &got), expected);
			expect_equal(got, expected_got);
		}
		if (step % 16 == 0)
			compare(&b);
	}
	compare(&b);
	free(words);
}

static void agrees_with_model(void)
{
	for (int i = 0; i < 10; i++)
		random_steps(tap_between(1, BITS_MAX), 2000);
}

static void agrees_with_model_at_word_edges(void)
{
	static const u64 sizes[] = { 1, 63, 64, 65, 127, 128, 129, 1024 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		random_steps(sizes[i], 1000);
}

static void takes_all_then_none(void)
{
	u64 words[2], got = 9;
	struct bitmap b;

	bitmap_init(&b, words, 100);
	expect_equal(bitmap_take_run(&b, 1000, &got), 0);
	expect_equal(got, 100);
	expect_equal(b.used, 100);
	expect_equal(bitmap_take_run(&b, 1, &got), BITMAP_NONE);
	bitmap_clear(&b, 99);
	expect_equal(bitmap_take_run(&b, 8, &got), 99);
	expect_equal(got, 1);
}

static void nothing_to_take_from_no_bits(void)
{
	u64 word, got;
	struct bitmap b;

	bitmap_init(&b, &word, 0);
	expect_equal(bitmap_take_run(&b, 1, &got), BITMAP_NONE);
}

static void prefers_the_longest(void)
{
	u64 words[2], got;
	struct bitmap b;

	bitmap_init(&b, words, 128);
	for (u64 i = 0; i < 128; i++)
		bitmap_set(&b, i);
	bitmap_clear(&b, 3);
	for (u64 i = 62; i < 67; i++)
		bitmap_clear(&b, i);
	bitmap_clear(&b, 100);
	expect_equal(bitmap_take_run(&b, 8, &got), 62);
	expect_equal(got, 5);
	expect_equal(b.hint, 67);
}

/* Enough short runs and the search is content: a longer one that comes later is not reached. */
static void looks_at_so_many_runs(void)
{
	enum { BITS = 2 * BITMAP_RUNS_MAX + 64 };
	u64 words[bitmap_words(BITS)], got;
	struct bitmap b;

	/* Every second bit is free, then all. */
	bitmap_init(&b, words, BITS);
	for (u64 i = 0; i <= 2 * BITMAP_RUNS_MAX; i += 2)
		bitmap_set(&b, i);
	expect_equal(bitmap_take_run(&b, 10, &got), 1);
	expect_equal(got, 1);
	expect_equal(bitmap_take_run(&b, 10, &got), 2 * BITMAP_RUNS_MAX + 1);
	expect_equal(got, 10);
	expect_equal(bitmap_take_run(&b, 100, &got), 2 * BITMAP_RUNS_MAX + 11);
	expect_equal(got, 53);
}

static void does_not_wrap_after_so_many_runs(void)
{
	enum { BITS = 2 * BITMAP_RUNS_MAX + 64 };
	u64 words[bitmap_words(BITS)], got;
	struct bitmap b;

	/* All is free, then every second bit. */
	bitmap_init(&b, words, BITS);
	for (u64 i = 50; i < BITS; i += 2)
		bitmap_set(&b, i);
	b.hint = 55;
	expect_equal(bitmap_take_run(&b, 100, &got), 55);
	expect_equal(got, 1);
	b.hint = 80;
	expect_equal(bitmap_take_run(&b, 100, &got), 0);
	expect_equal(got, 50);
}

static void debug_build_sees_misuse(void)
{
	u64 word;
	struct bitmap b;

	bitmap_init(&b, &word, 10);
	bitmap_set(&b, 3);
	expect_panic(bitmap_set(&b, 3));
	expect_panic(bitmap_clear(&b, 4));
	expect_panic(bitmap_test(&b, 10));
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(takes_all_then_none);
	tap_run(nothing_to_take_from_no_bits);
	tap_run(prefers_the_longest);
	tap_run(looks_at_so_many_runs);
	tap_run(does_not_wrap_after_so_many_runs);
	tap_run(debug_build_sees_misuse);
	tap_run(agrees_with_model_at_word_edges);
	tap_run(agrees_with_model);
	return tap_end();
}
