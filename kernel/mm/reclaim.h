/* The trimmer and the modified-page writer, as the rest of kernel/mm sees them. */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "mm/frame.h"
#include "mm/mm.h"

struct reclaim_counters {
	volatile u64 trimmed, discarded, swapped_out, swapped_in;
	volatile u64 ahead, ahead_used, ahead_wasted; /* pages read ahead from paging files; touched; evicted before that */
};
extern struct reclaim_counters reclaim_counters;

void trimmer_wake(void); /* any context but with frames_lock or a scheduler lock held */
void writer_wake(void);
void writers_wake(void); /* those that have something to write; memory is short */
enum trim_why {
	TRIM_SHORT, /* memory is short: pages that could go nowhere, with no slot free, stay */
	TRIM_LIMIT, /* a hard maximum: these go too, to the modified list; what has just arrived stays */
	TRIM_ALL,   /* every page that is not locked, whatever the policy says */
};
/* Takes up to want pages out of v's working set, those that the policy in force chooses. v->lock held. Returns how many. */
u64 trim_vspace(struct vspace *v, u64 want, enum trim_why why);
void replace_init(void); /* the policy that option replace= names */

void trimmer_thread(void *arg);
void writer_thread(void *arg);
void reader_thread(void *arg); /* takes in what was read ahead (swap_ahead.c) */
/*
 * Pages that were read back keep their slots, so that they need not be written again. When slots run out, some of those of
 * pages in use are taken back: nothing that fits into memory and paging files together may fail. Returns how many.
 */
u64 slots_reclaim(void);
extern struct mutex writer_lock; /* while it is held, no page is being written */
u64 writer_round(void);          /* odd while it writes; changes when all that it was writing is written */
void victim_kill(void); /* overcommit only, at exhaustion; one caller at a time, no locks */

#endif
