/* memstat: main.c the options and the clock; tables.c one below the other; screen.c all on one screen. */
#ifndef MEMSTAT_H
#define MEMSTAT_H

#include "counters.h"
#include "tool.h"

/* Counters that have happened so often since boot; the others are quantities. */
struct event {
	const char *title, *short_title; /* NULL: not an event */
};

struct counter {
	const char *name;
	size_t offset; /* in struct bs_memory */
	struct event event;
};
extern const struct counter counters[];
extern const size_t counter_count;

static inline uint64_t counter_value(const struct bs_memory *m, const struct counter *c)
{
	return *(const uint64_t *)((const char *)m + c->offset);
}

/*
 * "thrashing: ..." or "memory stall N % ...", of the time since before (NULL: as the kernel sees it now). It thrashes when for
 * FULL_PERCENT of that time everybody waited, while at least PAGES_MANY pages came back and as many went.
 */
#define FULL_PERCENT 25
#define PAGES_MANY 16
const char *stall_text(const struct bs_memory *m, const struct bs_memory *before);
/* One name=value line for each counter. */
void print_raw(const struct bs_memory *m);
/* before: the numbers of the last time, or NULL. */
void print_tables(const struct bs_memory *m, const struct bs_memory *before);
/* In place, on a terminal of at least 24 lines of 80 columns. */
void print_screen(const struct bs_memory *m, const struct bs_memory *before, uint64_t seconds);

#endif
