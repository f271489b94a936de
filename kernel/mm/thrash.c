/*
 * Refaults and thrashing. Time is counted in evictions: a stamp is a sixteenth of memory, and the word of an evicted page
 * says in which it went. The stamps repeat after 255; a page that is read again that much later, which is hardly thrashing,
 * counts as a refault with a chance of 16 in 255.
 */
#include "mm/thrash.h"

#include "lib/debug.h"
#include "mm/reclaim.h"

#define STAMPS 255u /* 1 .. 255; 0: never evicted */
#define STAMPS_OF_MEMORY 16u

/* The last seconds, slot by slot. */
#define SLOTS 8
#define SLOT_NS 500000000ull
#define WINDOW_NS (SLOTS * SLOT_NS)

#define THRASH_BEGIN 25    /* percent of the window in which everybody waited */
#define THRASH_END 10
#define THRASH_PAGES 16    /* that return in the window, and that are evicted; fewer: one slow disk, or there is room for them */
#define LOG_PAUSE_NS 30000000000ull

static volatile u64 refaults_swap, refaults_image, returned;

static struct {
	u64 some, full, returned, evicted, at; /* the counters when each slot began */
} slots[SLOTS];
static u32 slot;
static u64 slot_end;
static u32 some_percent, full_percent; /* of the window */
static bool thrashing, logged;
static u64 episodes, episode_began, logged_at, episode_returned;

static u32 stamp_now(void)
{
	return reclaim_counters.discarded / MAX(frame_counts.total / STAMPS_OF_MEMORY, 1ull) % STAMPS;
}

word_t eviction_stamp(word_t w)
{
	if (word_kind(w) != WORD_SWAP && word_kind(w) != WORD_BACKING)
		return w;
	return word_with_evicted(w, stamp_now() + 1);
}

bool return_note(word_t w, bool *refault)
{
	u32 stamp = word_evicted(w);

	*refault = stamp && (stamp_now() + STAMPS - (stamp - 1)) % STAMPS < STAMPS_OF_MEMORY;
	if (*refault)
		__atomic_add_fetch(word_kind(w) == WORD_SWAP ? &refaults_swap : &refaults_image, 1, __ATOMIC_RELAXED);
	if (stamp)
		__atomic_add_fetch(&returned, 1, __ATOMIC_RELAXED);
	return stamp;
}

static void episode_begin(u64 now)
{
	thrashing = true;
	episodes++;
	episode_began = now;
	episode_returned = returned;
	logged = !logged_at || now - logged_at >= LOG_PAUSE_NS;
	if (!logged)
		return;
	logged_at = now;
	klog(LOG_WARNING, "memory thrashes: in %u %% of the last %u s everybody waited for pages that had been in memory before",
	     full_percent, (u32)(WINDOW_NS / 1000000000));
}

static void episode_end(u64 now)
{
	thrashing = false;
	if (logged)
		klog(LOG_WARNING, "memory thrashes no more, after %llu s and %llu waits",
		     (unsigned long long)(now - episode_began) / 1000000000, (unsigned long long)(returned - episode_returned));
}

void thrash_tick(void)
{
	u64 now = clock_ns(), some, full, back;

	if (now < slot_end)
		return;
	slot_end = now + SLOT_NS;
	stall_times(&some, &full);
	/* The slot that is replaced began a window ago. */
	back = MAX(now - slots[slot].at, 1ull);
	some_percent = (u32)((some - slots[slot].some) * 100 / back);
	full_percent = (u32)((full - slots[slot].full) * 100 / back);
	if (!thrashing && full_percent >= THRASH_BEGIN && returned - slots[slot].returned >= THRASH_PAGES &&
	    reclaim_counters.discarded - slots[slot].evicted >= THRASH_PAGES)
		episode_begin(now);
	else if (thrashing && full_percent < THRASH_END)
		episode_end(now);
	slots[slot].some = some;
	slots[slot].full = full;
	slots[slot].returned = returned;
	slots[slot].evicted = reclaim_counters.discarded;
	slots[slot].at = now;
	slot = (slot + 1) % SLOTS;
}

void thrash_query(struct bs_memory *out)
{
	stall_times(&out->memory_stall_ns, &out->memory_full_ns);
	out->memory_stall_percent = some_percent;
	out->memory_full_percent = full_percent;
	out->refaults_swap = refaults_swap;
	out->refaults_image = refaults_image;
	out->faults_returned = returned;
	out->thrashing = thrashing;
	out->thrash_episodes = episodes;
}
