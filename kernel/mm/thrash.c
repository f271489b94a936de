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
#define THRASH_REFAULTS 16 /* in the window; fewer: one slow disk, but memory holds what is used */
#define LOG_PAUSE_NS 30000000000ull

static volatile u64 refaults_swap, refaults_image;

static struct {
	u64 some, full, refaults, at; /* the counters when each slot began */
} slots[SLOTS];
static u32 slot;
static u64 slot_end;
static u32 some_percent, full_percent; /* of the window */
static bool thrashing, logged;
static u64 episodes, episode_began, logged_at, episode_refaults;

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

bool refault_note(word_t w)
{
	u32 stamp = word_evicted(w);

	if (!stamp || (stamp_now() + STAMPS - (stamp - 1)) % STAMPS >= STAMPS_OF_MEMORY)
		return false;
	__atomic_add_fetch(word_kind(w) == WORD_SWAP ? &refaults_swap : &refaults_image, 1, __ATOMIC_RELAXED);
	return true;
}

static u64 refaults(void)
{
	return refaults_swap + refaults_image;
}

static void episode_begin(u64 now)
{
	thrashing = true;
	episodes++;
	episode_began = now;
	episode_refaults = refaults();
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
		klog(LOG_WARNING, "memory thrashes no more, after %llu s and %llu refaults",
		     (unsigned long long)(now - episode_began) / 1000000000, (unsigned long long)(refaults() - episode_refaults));
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
	if (!thrashing && full_percent >= THRASH_BEGIN && refaults() - slots[slot].refaults >= THRASH_REFAULTS)
		episode_begin(now);
	else if (thrashing && full_percent < THRASH_END)
		episode_end(now);
	slots[slot].some = some;
	slots[slot].full = full;
	slots[slot].refaults = refaults();
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
	out->thrashing = thrashing;
	out->thrash_episodes = episodes;
}
