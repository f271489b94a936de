/*
 * The modified-page writer: writes pages of the modified list to the paging files when, and only when, available frames
 * are short; then they are standby pages, and their frames can be had. It has its own requests and takes no memory: it
 * never waits for what only it can free.
 */
#include "lib/bitmap.h"
#include "mm/file_cache.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"
#include "proc/sched.h"

static struct spinlock wake_lock = SPINLOCK_INIT("writer", RANK_DISPATCH);
static struct wait_queue wake_queue = WAIT_QUEUE_INIT(wake_queue);
static bool woken;
struct mutex writer_lock;
static u64 round;

u64 writer_round(void)
{
	return __atomic_load_n(&round, __ATOMIC_SEQ_CST);
}

void writer_wake(void)
{
	if (woken)
		return;
	spin_lock(&wake_lock);
	woken = true;
	wait_wake_all(&wake_queue);
	spin_unlock(&wake_lock);
}

void writers_wake(void)
{
	if (frame_counts.state[FRAME_MODIFIED])
		writer_wake();
	if (frame_counts.state[FRAME_FILE_MODIFIED])
		file_writer_hurry();
}

u64 slots_reclaim(void)
{
	u64 first, count, got = 0;

	for (u32 r = 0; frame_range(r, &first, &count); r++)
		for (u64 i = 0; i < count && got < 4 * SWAP_CLUSTER; i++) {
			struct frame *f = &frames[first + i];

			if (f->state != FRAME_ACTIVE || word_kind(f->backing) != WORD_SWAP)
				continue;
			spin_lock(&frames_lock);
			if (f->state == FRAME_ACTIVE && word_kind(f->backing) == WORD_SWAP && !(f->flags & FRAME_WRITING)) {
				swap_slot_drop(f);
				f->flags |= FRAME_DIRTY;
				got++;
			}
			spin_unlock(&frames_lock);
		}
	return got;
}

/* ---- what is written ---- */

/* The modified page, on the list, whose word is *word; 0: there is none. frames_lock held. */
static u32 modified_at(const word_t *word)
{
	u32 pfn = word_kind(*word) == WORD_TRANSITION ? word_pfn(*word) : 0;

	return pfn && frames[pfn].word == word && frames[pfn].state == FRAME_MODIFIED ? pfn : 0;
}

/* The neighbour of a page in its table of words, if it is on the list too. step: 1, -1. */
static u32 modified_neighbour(u32 pfn, i64 step)
{
	const word_t *word = frames[pfn].word;

	if (frames[pfn].flags & FRAME_CLONE || !((u64)(step < 0 ? word : word + 1) & (PAGE_SIZE - 1)))
		return 0; /* a clone page's word stands alone; or the table ends */
	return modified_at(word + step);
}

/*
 * Takes up to want frames off the modified list: the first one and its neighbours by address, from the lowest on, then
 * the next. So they get neighbouring slots, and can be read in one request when one of them is wanted.
 */
static u32 modified_take(u32 *pfns, u32 want)
{
	u32 n = 0, pfn = 0, before;

	spin_lock(&frames_lock);
	while (n < want) {
		if (!pfn) {
			pfn = frame_list_first(FRAME_MODIFIED);
			for (u32 back = 1; pfn && back < want - n && (before = modified_neighbour(pfn, -1)); back++)
				pfn = before;
		}
		if (!pfn)
			break;
		frame_list_remove(pfn);
		frames[pfn].state = FRAME_KERNEL;
		frame_state_set(pfn, FRAME_TRANSITION);
		frames[pfn].flags = (frames[pfn].flags & ~FRAME_DIRTY) | FRAME_WRITING;
		pfns[n++] = pfn;
		pfn = modified_neighbour(pfn, 1);
	}
	spin_unlock(&frames_lock);
	return n;
}

/*
 * One page of a cluster is done with. During the write it may have been wanted again (then it is active, and perhaps
 * modified again), or given up. frames_lock held; true: the caller frees the frame.
 */
static bool written(u32 pfn, u32 file, u64 slot, bool ok)
{
	struct frame *f = &frames[pfn];
	bool absent = f->state == FRAME_TRANSITION;

	f->flags &= ~FRAME_WRITING;
	if (!ok)
		swap_slot_retire(file, slot);
	if (f->flags & FRAME_ABANDONED) {
		swap_slot_free(file, slot);
		frame_state_set(pfn, FRAME_KERNEL);
		return true;
	}
	if (!ok)
		f->flags |= FRAME_DIRTY;
	if (f->flags & FRAME_DIRTY)
		swap_slot_free(file, slot); /* what the slot holds is not what the page is */
	else
		f->backing = word_swap(file, slot, 0);
	if (absent) {
		frame_state_set(pfn, FRAME_KERNEL);
		frame_list_add(pfn, f->flags & FRAME_DIRTY ? FRAME_MODIFIED : FRAME_STANDBY);
	}
	return false;
}

/* ---- clusters ---- */

/* Pages that are on their way to slots in a row. All of it is the writer's, set aside for ever. */
struct cluster {
	struct block_request request;
	u32 pfns[SWAP_CLUSTER], count, file;
	u64 slot;
};
#define CLUSTERS 8 /* requests in flight */
static struct cluster clusters[CLUSTERS];

/* False: there is no slot, or fewer than least pages to write. */
static bool cluster_begin(struct cluster *c, u64 least)
{
	u64 modified = __atomic_load_n(&frame_counts.state[FRAME_MODIFIED], __ATOMIC_RELAXED);
	u32 got;

	if (modified < least || !swap_slots_take(MIN(SWAP_CLUSTER, modified), &c->file, &c->slot, &got))
		return false;
	c->count = modified_take(c->pfns, got);
	for (u32 i = c->count; i < got; i++)
		swap_slot_free(c->file, c->slot + i);
	if (c->count)
		swap_write_begin(c->file, c->slot, c->pfns, c->count, &c->request);
	return c->count;
}

/* A request that failed is made again for each page alone: only what really can't be written is lost. The pages that failed. */
static u64 cluster_wait(struct cluster *c)
{
	u64 failed = 0;

	if (swap_write_end(c->file, c->slot, &c->request))
		return 0;
	for (u32 i = 0; i < c->count; i++) {
		if (c->count > 1)
			swap_write_begin(c->file, c->slot + i, &c->pfns[i], 1, &c->request);
		if (c->count == 1 || !swap_write_end(c->file, c->slot + i, &c->request))
			failed |= 1ull << i;
	}
	return failed;
}

static void cluster_end(struct cluster *c)
{
	u32 to_free[SWAP_CLUSTER], free_count = 0;
	u64 failed = cluster_wait(c);

	spin_lock(&frames_lock);
	for (u32 i = 0; i < c->count; i++)
		if (written(c->pfns[i], c->file, c->slot + i, !(failed & 1ull << i)))
			to_free[free_count++] = c->pfns[i];
	spin_unlock(&frames_lock);
	while (free_count)
		frame_free(to_free[--free_count]);
	__atomic_add_fetch(&reclaim_counters.swapped_out, c->count - bits_set(failed), __ATOMIC_RELAXED);
}

/*
 * Writes what memory is short of, in several requests at a time, perhaps to several files. False: there is no slot, or
 * nothing to write.
 */
static bool write_round(void)
{
	u64 coming = 0;
	u32 n = 0;

	/* Beside the first only full ones: while that is written more pages come together for the next round. */
	while (n < CLUSTERS && frames_available() + coming < frame_counts.high &&
	       cluster_begin(&clusters[n], n ? SWAP_CLUSTER : 1))
		coming += clusters[n++].count;
	for (u32 i = 0; i < n; i++)
		cluster_end(&clusters[i]);
	if (!n && frame_counts.state[FRAME_MODIFIED] && swap_slots_total() && !swap_slots_free())
		return slots_reclaim();
	return n;
}

void writer_thread(void *arg)
{
	(void)arg;
	for (;;) {
		spin_lock(&wake_lock);
		while (!woken)
			wait_sleep(&wake_queue, &wake_lock, WAIT_FOREVER, false);
		woken = false;
		spin_unlock(&wake_lock);
		for (bool more = true; more && frames_available() < frame_counts.high;) {
			mutex_lock(&writer_lock);
			__atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
			more = write_round();
			__atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
			mutex_unlock(&writer_lock);
		}
	}
}
