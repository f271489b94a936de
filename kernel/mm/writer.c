/*
 * The modified-page writer: writes pages of the modified list to the paging files when, and only when, available frames
 * are short; then they are standby pages, and their frames can be had. It has its own request and takes no memory: it
 * never waits for what only it can free.
 */
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"
#include "proc/sched.h"

static struct spinlock wake_lock = SPINLOCK_INIT("writer", RANK_DISPATCH);
static struct wait_queue wake_queue = WAIT_QUEUE_INIT(wake_queue);
static bool woken;
struct mutex writer_lock;

void writer_wake(void)
{
	if (woken)
		return;
	spin_lock(&wake_lock);
	woken = true;
	wait_wake_all(&wake_queue);
	spin_unlock(&wake_lock);
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

/* Takes up to want frames off the modified list. */
static u32 modified_take(u32 *pfns, u32 want)
{
	u32 n = 0, pfn;

	spin_lock(&frames_lock);
	while (n < want && (pfn = frame_list_first(FRAME_MODIFIED))) {
		frame_list_remove(pfn);
		frames[pfn].state = FRAME_KERNEL;
		frame_state_set(pfn, FRAME_TRANSITION);
		frames[pfn].flags = (frames[pfn].flags & ~FRAME_DIRTY) | FRAME_WRITING;
		pfns[n++] = pfn;
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
		swap_slot_bad(file, slot);
	if (f->flags & FRAME_ABANDONED) {
		if (ok)
			swap_slot_free(file, slot);
		frame_state_set(pfn, FRAME_KERNEL);
		return true;
	}
	if (!ok)
		f->flags |= FRAME_DIRTY;
	else if (f->flags & FRAME_DIRTY)
		swap_slot_free(file, slot); /* the slot holds what the page was, not what it is */
	else
		f->backing = word_swap(file, slot, 0);
	if (absent) {
		frame_state_set(pfn, FRAME_KERNEL);
		frame_list_add(pfn, f->flags & FRAME_DIRTY ? FRAME_MODIFIED : FRAME_STANDBY);
	}
	return false;
}

/* Writes one cluster. False: there is no slot, or nothing to write. */
static bool write_cluster(void)
{
	static u32 pfns[SWAP_CLUSTER], to_free[SWAP_CLUSTER]; /* one writer */
	u32 file, got, n, free_count = 0;
	u64 slot, modified = __atomic_load_n(&frame_counts.state[FRAME_MODIFIED], __ATOMIC_RELAXED);
	bool ok;

	if (!modified)
		return false;
	if (!swap_slots_take(MIN(SWAP_CLUSTER, modified), &file, &slot, &got))
		return swap_slots_total() && slots_reclaim();
	n = modified_take(pfns, got);
	for (u32 i = n; i < got; i++)
		swap_slot_free(file, slot + i);
	if (!n)
		return false;
	ok = swap_write(file, slot, pfns, n);
	spin_lock(&frames_lock);
	for (u32 i = 0; i < n; i++)
		if (written(pfns[i], file, slot + i, ok))
			to_free[free_count++] = pfns[i];
	spin_unlock(&frames_lock);
	while (free_count)
		frame_free(to_free[--free_count]);
	if (ok)
		__atomic_add_fetch(&reclaim_counters.swapped_out, n, __ATOMIC_RELAXED);
	return true;
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
			more = write_cluster();
			mutex_unlock(&writer_lock);
		}
	}
}
