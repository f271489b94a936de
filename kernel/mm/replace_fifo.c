/*
 * fifo, first in, first out: the pages that came into the working set first go, used or not. Known for Belady's anomaly:
 * with more frames there may be more faults.
 */
#include "mm/replace.h"

static u32 age(const struct frame *f)
{
	return replace_arrivals - f->arrived;
}

static void begin(struct trim *t)
{
	trim_oldest(t, age);
}

static bool take(struct trim *t, u64 va, word_t *word)
{
	(void)va;
	return age(&frames[word_pfn(*word)]) >= t->age;
}

const struct trim_policy replace_fifo = { .begin = begin, .take = take };
