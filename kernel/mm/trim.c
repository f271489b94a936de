/*
 * Trimming: pages leave the page tables of processes for the standby list (clean) or the modified list, from where a fault
 * brings them back without I/O until the frame is taken. The trimmer runs when available frames get short; which pages go
 * is the policy's choice. It may take any address space's lock: nobody waits for memory while holding one.
 */
#include "mm/event.h"
#include "mm/reclaim.h"
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

/* ---- policies ---- */

/* Second chance: a page that was used since the hand came by last stays. */
static bool clock_take(word_t *word)
{
	if (!(*word & PTE_ACCESSED))
		return true;
	__atomic_and_fetch(word, ~PTE_ACCESSED, __ATOMIC_RELAXED);
	return false;
}

static const struct trim_policy policy_clock = { .name = "clock", .take = clock_take };
const struct trim_policy *trim_policy = &policy_clock;

/* ---- trimming one address space ---- */

/*
 * Without a free slot a modified page would only wait on a list for a place that does not come; unless it still has the
 * slot that it was read from, which becomes free as it leaves.
 */
static bool can_leave(word_t w)
{
	const struct frame *f = &frames[word_pfn(w)];

	return !(w & PTE_DIRTY || f->flags & FRAME_DIRTY) || word_kind(f->backing) == WORD_SWAP;
}

u64 trim_vspace(struct vspace *v, u64 want, const struct trim_policy *policy)
{
	bool slots = swap_slots_total() && swap_slots_free();
	u64 taken = 0, count, start = policy ? v->trim_cursor : 0, va = start, end = USER_HIGH;
	struct gather g;
	word_t *word;

	assert(mutex_held(&v->lock));
	gather_init(&g, v);
	for (;;) {
		word = pt_next(v, &va, end, &count);
		if (!word) {
			if (!start || end == start)
				break;
			end = start; /* once round */
			va = 0;
			start = 0;
			continue;
		}
		for (u64 i = 0; i < count && taken < want; i++, va += PAGE_SIZE) {
			word_t old = word[i];

			if (!word_valid(old) || word_prot(old) & MARK_LOCKED)
				continue;
			if (policy && ((!slots && !policy->always && !can_leave(old)) || !policy->take(&word[i])))
				continue;
			gather_deactivate(&g, va, &word[i], word_prot(old));
			taken++;
		}
		if (taken >= want)
			break;
	}
	v->trim_cursor = va;
	gather_finish(&g);
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
	u64 coming = frames_available() + frame_counts.state[FRAME_TRANSITION] + MIN(modified, slots);

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
			taken += trim_vspace(v, want, trim_policy);
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
		if (idle_rounds && exhausted())
			victim_kill();
		if (idle_rounds)
			sleep_until(clock_ns() + 5000000); /* nothing to be had: let others end, free, or write */
	}
}

void mm_threads_start(void)
{
	check(thread_create_kernel("trimmer", trimmer_thread, NULL));
	check(thread_create_kernel("writer", writer_thread, NULL));
}
