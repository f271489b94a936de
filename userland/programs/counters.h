/* The memory manager's counters and the boot options, as programs use them. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "backstore.h"
#include <stdbool.h>
#include <stdint.h>

#define PAGE_BYTES 4096ull

/* The counters as they are now. They can't be refused, so no program checks. */
static inline struct bs_memory memory_now(void)
{
	struct bs_memory now = { 0 };
	BsQueryMemory(&now);
	return now;
}

/* Frames that can be given out at once. */
static inline uint64_t memory_available(const struct bs_memory *m)
{
	return m->frames_free + m->frames_zeroed + m->frames_standby;
}

/* policy: enum bs_commit_policy; the name is that of the boot option commit. */
static inline const char *commit_policy_name(uint64_t policy)
{
	static const char *const names[] = {
		[BS_COMMIT_STRICT] = "strict",
		[BS_COMMIT_OVERCOMMIT] = "overcommit",
		[BS_COMMIT_LAZY_WRITECOPY] = "lazy-writecopy",
	};
	return policy < sizeof(names) / sizeof(names[0]) ? names[policy] : "unknown policy";
}

/* Whether a boot option, as it is in force, has this value. */
static inline bool option_is(const char *name, const char *value)
{
	char text[64] = "";
	return BsQueryOption(name, text, sizeof(text)) == 0 && !lstrcmpiA(text, value);
}

#endif
