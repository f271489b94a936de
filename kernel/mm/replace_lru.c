/*
 * lru, the least recently used page goes, as far as the processor tells: each look at an address space finds out which
 * pages were used since the look before it. So uses between two looks are all alike; under a hard maximum there is a look
 * at each fault.
 */
#include "mm/replace.h"

static u32 age(const struct frame *f)
{
	return replace_looks - f->used;
}

static void see(struct trim *t, u64 va, word_t *word)
{
	if (trim_accessed(t, va, word))
		frames[word_pfn(*word)].used = replace_looks;
}

static void begin(struct trim *t)
{
	__atomic_add_fetch(&replace_looks, 1, __ATOMIC_RELAXED);
	trim_look(t, see);
	trim_oldest(t, age);
}

static bool take(struct trim *t, u64 va, word_t *word)
{
	(void)va;
	return age(&frames[word_pfn(*word)]) >= t->age;
}

const struct trim_policy replace_lru = { .begin = begin, .take = take };
