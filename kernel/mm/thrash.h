/*
 * Refaults, stalls, thrashing. A page is evicted when its frame is taken for another use, and returns when it is read again;
 * if that is before as many pages were evicted as memory has, it is a refault. A thread stalls while it waits for a page
 * that returns, or for memory. Memory thrashes when that is what everybody does: docs/paging.md. Inside kernel/mm only.
 */
#ifndef MM_THRASH_H
#define MM_THRASH_H

#include "abi/backstore.h"
#include "mm/frame.h"
#include "proc/sched.h"

/* The word of a page that is being evicted, with the time, if the page has to be read to come back. frames_lock held. */
word_t eviction_stamp(word_t w);
/* The page of this word is about to be read because it was touched. True: it returns. Counts that, and a refault. */
bool return_note(word_t w, bool *refault);

void thrash_tick(void); /* one CPU's timer interrupt: looks back on the last seconds, and says when they were all stall */
void thrash_query(struct bs_memory *out);

#endif
