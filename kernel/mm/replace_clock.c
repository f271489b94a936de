/*
 * clock, the second chance: a page that was used since the hand came by last stays. One that came back soon after it was
 * evicted gets a third.
 */
#include "mm/replace.h"

static bool take(struct trim *t, u64 va, word_t *word)
{
	struct frame *f = &frames[word_pfn(*word)];

	if (trim_accessed(t, va, word))
		return false;
	if (f->priority <= PRIORITY_NORMAL)
		return true;
	f->priority = PRIORITY_NORMAL;
	return false;
}

const struct trim_policy replace_clock = { .take = take };
