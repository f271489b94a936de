/*
 * Which pages leave a working set: one small table of functions for each policy, each in a file of its own; option
 * replace= chooses one at boot. trim.c walks the page tables and asks. Inside kernel/mm only.
 */
#ifndef MM_REPLACE_H
#define MM_REPLACE_H

#include "mm/reclaim.h"
#include "mm/vspace.h"

/* One look at an address space, out of which want pages are to go. */
struct trim {
	struct vspace *v;      /* its lock is held */
	u64 want;              /* still to be taken; may be 0 from the start: then the policy only looks what was used */
	enum trim_why why;
	bool slots;            /* modified pages can go to a paging file */
	struct gather *gather;
	u64 candidates;        /* random: pages that will be asked about */
	u32 age;               /* fifo, lru: pages of this age or older go */
	struct trim_search *search; /* while trim_oldest looks for that */
};

struct trim_policy {
	/* Before the first take; NULL: nothing to do. */
	void (*begin)(struct trim *t);
	/*
	 * Asked about each page that may go, in the order of addresses, from where the last look ended, until t->want have
	 * gone or all were asked about. True: it goes.
	 */
	bool (*take)(struct trim *t, u64 va, word_t *word);
};
extern const struct trim_policy replace_clock, replace_fifo, replace_lru, replace_random;
extern const struct trim_policy *trim_policy; /* the one in force */

/* Calls see for each page that may go. */
typedef void trim_see(struct trim *t, u64 va, word_t *word);
void trim_look(struct trim *t, trim_see *see);
/* Was the page used since somebody asked last? The processor's accessed bit is cleared. */
bool trim_accessed(struct trim *t, u64 va, word_t *word);
/* Sets t->age so that t->want pages are of that age or older. age: of a frame, in units of the policy's own. */
void trim_oldest(struct trim *t, u32 (*age)(const struct frame *f));

/* Stamps f, which has just become active: f->arrived and f->used. Both wrap round: only differences count. */
extern u32 replace_arrivals; /* the last frame's stamp */
extern u32 replace_looks;    /* lru: how many looks there were */
static inline void replace_arrived(struct frame *f)
{
	f->arrived = __atomic_add_fetch(&replace_arrivals, 1, __ATOMIC_RELAXED);
	f->used = __atomic_load_n(&replace_looks, __ATOMIC_RELAXED);
}

#endif
