/* The policies' table, and what those share that take the oldest pages. */
#include "mm/replace.h"

#include "lib/string.h"
#include "options.h"

static const struct trim_policy *const policies[REPLACE_POLICIES] = {
	[REPLACE_CLOCK] = &replace_clock,
	[REPLACE_FIFO] = &replace_fifo,
	[REPLACE_LRU] = &replace_lru,
	[REPLACE_RANDOM] = &replace_random,
};
const struct trim_policy *trim_policy;
u32 replace_arrivals, replace_looks;

void replace_init(void)
{
	trim_policy = policies[options.replace];
}

/*
 * The age of the want-th oldest page, digit by digit: each pass counts, of the pages whose age begins with the digits found
 * so far, how many have which next digit. Four passes, whatever the ages are, and nothing to keep for each page.
 */
struct trim_search {
	u32 (*age)(const struct frame *f);
	u32 found, mask, shift;
	u32 counts[256];
};

static void count_digit(struct trim *t, u64 va, word_t *word)
{
	struct trim_search *s = t->search;
	u32 age = s->age(&frames[word_pfn(*word)]);

	(void)va;
	if ((age & s->mask) == s->found)
		s->counts[age >> s->shift & 255]++;
}

void trim_oldest(struct trim *t, u32 (*age)(const struct frame *f))
{
	struct trim_search s = { .age = age };
	u64 want = t->want;

	t->search = &s;
	for (i32 shift = 24; want && shift >= 0; shift -= 8) {
		i32 digit = 255;

		memset(s.counts, 0, sizeof(s.counts));
		s.shift = (u32)shift;
		trim_look(t, count_digit);
		for (; digit > 0 && s.counts[digit] < want; digit--)
			want -= s.counts[digit];
		s.found |= (u32)digit << shift;
		s.mask |= 255u << shift;
	}
	t->search = NULL;
	t->age = s.found;
}
