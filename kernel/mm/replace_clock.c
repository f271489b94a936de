/* clock, the second chance: a page that was used since the hand came by last stays. */
#include "mm/replace.h"

static bool take(struct trim *t, u64 va, word_t *word)
{
	return !trim_accessed(t, va, word);
}

const struct trim_policy replace_clock = { .name = "clock", .take = take };
