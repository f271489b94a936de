/*
 * Trimming: pages leave the page tables of processes for the standby list (clean) or the modified list, from where a fault
 * brings them back without I/O until the frame is taken. The trimmer runs when available frames get short; which pages go
 * is the policy's choice. It may take any address space's lock: nobody waits for memory while holding one.
 */
#include "mm/event.h"
#include "mm/file_cache.h"
#include "mm/reclaim.h"
#include "mm/replace.h"
#include "mm/swap.h"
#include "mm/vspace.h"
#include "proc/sched.h"

struct reclaim_counters reclaim_counters;

static struct spinlock wake_lock = SPINLOCK_INIT("trimmer", RANK_DISPATCH);
static struct wait_queue wake_queue = WAIT_QUEUE_INIT(wake_queue);
static bool woken;

void trimmer_wake(void)
{
	if (woken) /* it will look at everything anyway */
		return;
	spin_lock(&wake_lock);
	woken = true;
	wait_wake_all(&wake_queue);
	spin_unlock(&wake_lock);
}

/* ---- trimming one address space ---- */

/*
 * Without a free slot a modified page would only wait on a list for a place that does not come; unless it still has the
 * slot that it was read from, which becomes free as it leaves, or goes to a file of its own.
 */
static bool can_leave(word_t w)
{
	const struct frame *f = &frames[word_pfn(w)];

	return !(w & PTE_DIRTY || f->flags & FRAME_DIRTY) || word_kind(f->backing) == WORD_SWAP || (w & PTE_SECTION && frame_is_file(f));
}

static bool is_recent(const struct vspace *v, u64 va)
{
	for (u32 i = 0; i < RECENT_ARRIVALS; i++)
		if (v->recent[i] == va)
			return true;
	return false;
}

static bool is_candidate(const struct trim *t, u64 va, word_t w)
{
	if (!word_valid(w) || word_prot(w) & MARK_LOCKED)
		return false;
	if (t->why == TRIM_LIMIT)
		return !is_recent(t->v, va);
	return t->why == TRIM_ALL || t->slots || can_leave(w);
}

void trim_look(struct trim *t, trim_see *see)
{
	word_t *word;
	u64 count;

	for (u64 va = 0; (word = pt_next(t->v, &va, USER_HIGH, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			if (is_candidate(t, va + (i << PAGE_SHIFT), word[i]))
				see(t, va + (i << PAGE_SHIFT), &word[i]);
}

bool trim_accessed(struct trim *t, u64 va, word_t *word)
{
	if (!(*word & PTE_ACCESSED))
		return false;
	__atomic_and_fetch(word, ~PTE_ACCESSED, __ATOMIC_RELAXED);
	gather_flush_only(t->gather, va); /* so that the next use sets it again */
	return true;
}

/* The pages of [va, end); returns where it ended, with t->want pages fewer to take. */
static u64 trim_range(struct trim *t, u64 va, u64 end)
{
	word_t *word;
	u64 count;

	while (t->want && (word = pt_next(t->v, &va, end, &count)))
		for (u64 i = 0; i < count && t->want; i++, va += PAGE_SIZE) {
			if (!is_candidate(t, va, word[i]))
				continue;
			if (t->why != TRIM_ALL && !trim_policy->take(t, va, &word[i]))
				continue;
			gather_deactivate(t->gather, va, &word[i], word_prot(word[i]));
			t->want--;
		}
	return t->want ? 0 : va;
}

u64 trim_vspace(struct vspace *v, u64 want, enum trim_why why)
{
	struct gather g;
	struct trim t = { .v = v, .want = want, .why = why, .gather = &g };
	u64 start = v->trim_cursor, taken;

	assert(mutex_held(&v->lock));
	t.slots = swap_slots_total() && swap_slots_free();
	gather_init(&g, v);
	if (why != TRIM_ALL && trim_policy->begin)
		trim_policy->begin(&t);
	/* Round and round: from where the last one ended to the end, and from the beginning to there. */
	v->trim_cursor = trim_range(&t, start, USER_HIGH);
	if (t.want && start)
		v->trim_cursor = trim_range(&t, 0, start);
	gather_finish(&g);
	taken = want - t.want;
	__atomic_add_fetch(&reclaim_counters.trimmed, taken, __ATOMIC_RELAXED);
	if (taken)
		event(BS_EVENT_TRIM, .process = v->process_id, .count = (u32)taken);
	return taken;
}

/* ---- the thread ---- */

/* How many more pages have to leave page tables until enough frames are available, or will be when they are written. */
static u64 shortage(void)
{
	u64 modified = frame_counts.state[FRAME_MODIFIED], slots = swap_slots_free();
	u64 coming = frames_available() + frame_counts.state[FRAME_TRANSITION] + MIN(modified, slots) +
		     frame_counts.state[FRAME_FILE_MODIFIED];

	return coming < frame_counts.high ? frame_counts.high - coming : 0;
}

/* One round over all address spaces; each gives in proportion to what it has. Returns how many pages went. */
static u64 trim_all(void)
{
	struct vspace *v;
	u64 taken = 0, resident = 0;

	/* Slots that only pages in memory hold: without them no modified page could leave. */
	if (swap_slots_total() && !swap_slots_free())
		slots_reclaim();
	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link)
		resident += v->resident;
	list_for_each(&all_vspaces, v, all_link) {
		u64 want = shortage();

		if (!want)
			break;
		mutex_lock(&v->lock);
		want = MIN(working_set_spare(v), want * v->resident / (resident + 1) + 16);
		if (want)
			taken += trim_vspace(v, want, TRIM_SHORT);
		mutex_unlock(&v->lock);
	}
	mutex_unlock(&vspaces_lock);
	return taken;
}

/*
 * More is promised than there is: because nothing was refused, or because slots that were counted on turned out to be bad.
 * When that is found out, somebody has to go.
 */
static bool exhausted(void)
{
	return (commit_totals.overcommit || commit_totals.charge > commit_totals.limit) && frames_available() < frame_counts.low / 2 &&
	       (!frame_counts.state[FRAME_MODIFIED] || !swap_slots_free());
}

void trimmer_thread(void *arg)
{
	(void)arg;
	for (;;) {
		u32 idle_rounds = 0;

		spin_lock(&wake_lock);
		while (!woken)
			wait_sleep(&wake_queue, &wake_lock, WAIT_FOREVER, false);
		spin_unlock(&wake_lock);
		/* The first rounds of second chance only clear accessed bits. */
		while (shortage() && idle_rounds < 4)
			idle_rounds = trim_all() ? 0 : idle_rounds + 1;
		woken = false;
		writer_wake();
		file_writer_hurry();
		if (idle_rounds && exhausted())
			victim_kill();
		if (idle_rounds)
			sleep_until(clock_ns() + 5000000); /* nothing to be had: let others end, free, or write */
	}
}

void mm_threads_start(void)
{
	clones_init();
	check(thread_create_kernel("trimmer", trimmer_thread, NULL));
	check(thread_create_kernel("writer", writer_thread, NULL));
	check(thread_create_kernel("reader", reader_thread, NULL));
	check(thread_create_kernel("file writer", file_writer_thread, NULL));
}
