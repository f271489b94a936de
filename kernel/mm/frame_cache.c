/*
 * The frame allocator: each CPU has a few free frames in reserve, of which it takes and gives back without a lock, and gets
 * from the lists, and returns to them, many at once. Short of memory, CPUs keep nothing to themselves. Idle CPUs fill free
 * frames with zeros.
 */
#include "mm/frame.h"

#include "lib/string.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/thrash.h"

#define CACHE_MAX ARRAY_SIZE(((struct cpu *)0)->frame_cache_free)
#define CACHE_BATCH 16
#define ZEROED_TARGET 32768 /* idle CPUs keep at most this many zeroed frames (128 MiB) */
_Static_assert(CACHE_MAX >= 2 * CACHE_BATCH, "a batch fits into a cache that is half full");

u64 frames_cached(void)
{
	u64 n = 0;

	for (u32 i = 0; i < cpu_count; i++)
		n += cpus[i]->frame_cache_free_count + cpus[i]->frame_cache_zero_count + cpus[i]->frame_cache_zeroing;
	return n;
}

/* May a CPU have frames in reserve? */
static bool plenty(void)
{
	return frames_available() > 4 * frame_counts.high && !frame_counts.compacting;
}

/* Up to batch frames of a list of free ones. Zeroed ones for which there is no place count as any others. */
static u32 refill_from(struct cpu *c, enum frame_state s, u32 batch)
{
	bool zeroed = s == FRAME_ZEROED && c->frame_cache_zero_count + batch <= CACHE_MAX;
	u32 *count = zeroed ? &c->frame_cache_zero_count : &c->frame_cache_free_count;
	u32 n = frames_take_free(s, (zeroed ? c->frame_cache_zero : c->frame_cache_free) + *count, batch);

	*count += n;
	return n;
}

/* The cheapest first: what is free, in the order that suits, then standby pages. Interrupts are off. */
static void refill(struct cpu *c, bool want_zeroed)
{
	u32 batch = plenty() ? CACHE_BATCH : 1, pfn;

	assert(!c->frame_cache_free_count);
	spin_lock(&frames_lock);
	batch -= refill_from(c, want_zeroed ? FRAME_ZEROED : FRAME_FREE, batch);
	if (batch)
		batch -= refill_from(c, want_zeroed ? FRAME_FREE : FRAME_ZEROED, batch);
	for (; batch && (pfn = frame_list_first(FRAME_STANDBY)); batch--) {
		frame_take(pfn);
		frames[pfn].state = FRAME_CACHED;
		c->frame_cache_free[c->frame_cache_free_count++] = pfn;
	}
	spin_unlock(&frames_lock);
}

/* When there is none that suits. *zeroed: whether it is. 0: there is none at all. */
static __attribute__((noinline)) u32 take_from_lists(struct cpu *c, bool want_zeroed, bool *zeroed)
{
	refill(c, want_zeroed);
	*zeroed = c->frame_cache_zero_count && (want_zeroed || !c->frame_cache_free_count);
	if (*zeroed)
		return c->frame_cache_zero[--c->frame_cache_zero_count];
	return c->frame_cache_free_count ? c->frame_cache_free[--c->frame_cache_free_count] : 0;
}

HOT u32 frame_alloc(enum frame_user user, bool want_zeroed)
{
	bool on = interrupts_enabled(), zeroed = false;
	u64 available = frames_available();
	struct frame *f;
	struct cpu *c;
	u32 pfn;

	if (unlikely(available < frame_counts.low))
		trimmer_wake();
	if (unlikely(available <= frame_floors[user]))
		return 0;
	interrupts_off();
	c = this_cpu();
	if (want_zeroed && c->frame_cache_zero_count) {
		pfn = c->frame_cache_zero[--c->frame_cache_zero_count];
		zeroed = true;
	} else if (likely(c->frame_cache_free_count)) {
		pfn = c->frame_cache_free[--c->frame_cache_free_count];
	} else {
		pfn = take_from_lists(c, want_zeroed, &zeroed);
	}
	if (on)
		interrupts_on();
	if (unlikely(!pfn))
		return 0;
	f = &frames[pfn];
	assert(f->state == FRAME_CACHED && !f->shares && !f->word);
	f->state = FRAME_KERNEL;
	f->use = BS_USE_KERNEL;
	f->priority = 0; /* raised to that of who touches it */
	f->flags = 0;
	if (want_zeroed && !zeroed)
		page_zero(frame_address(pfn));
	return pfn;
}

/* To this CPU's reserve, or, when memory is short, to the list. s: FRAME_FREE, FRAME_ZEROED: what it holds. */
static inline void give(u32 pfn, enum frame_state s)
{
	bool on = interrupts_enabled();
	struct frame *f = &frames[pfn];

	assert(f->state == FRAME_KERNEL && !f->shares);
	f->word = NULL;
	f->backing = 0;
	f->flags = 0;
	f->next = f->prev = 0;
	f->state = FRAME_CACHED;
	interrupts_off();
	if (likely(plenty())) {
		struct cpu *c = this_cpu();
		u32 *cache = s == FRAME_ZEROED ? c->frame_cache_zero : c->frame_cache_free;
		u32 *count = s == FRAME_ZEROED ? &c->frame_cache_zero_count : &c->frame_cache_free_count;

		if (unlikely(*count == CACHE_MAX)) {
			*count -= CACHE_BATCH;
			frames_give_free(s, cache + *count, CACHE_BATCH);
		}
		cache[(*count)++] = pfn;
	} else {
		frames_give_free(s, &pfn, 1);
	}
	if (on)
		interrupts_on();
}

void frame_free(u32 pfn)
{
#ifdef DEBUG
	memset(frame_address(pfn), JUNK_FREED, PAGE_SIZE);
#endif
	give(pfn, FRAME_FREE);
}

void frame_free_zeroed(u32 pfn)
{
#ifdef DEBUG
	for (const u64 *word = frame_address(pfn), *end = word + PAGE_SIZE / sizeof(*word); word < end; word++)
		check(!*word);
#endif
	give(pfn, FRAME_ZEROED);
}

/* Short of memory, a CPU gives back what it has in reserve. Interrupts are off. */
static void drain(struct cpu *c)
{
	u32 free = c->frame_cache_free_count, zeroed = c->frame_cache_zero_count;

	c->frame_cache_free_count = c->frame_cache_zero_count = 0;
	frames_give_free(FRAME_FREE, c->frame_cache_free, free);
	frames_give_free(FRAME_ZEROED, c->frame_cache_zero, zeroed);
}

void frame_tick(void)
{
	struct cpu *c = this_cpu();

	if (frames_available() < frame_counts.high || frame_counts.compacting)
		drain(c);
	if (c->id == 0)
		thrash_tick();
}

bool frame_idle_work(void)
{
	struct cpu *c = this_cpu(); /* the idle thread's: it stays here */
	u32 pfn, n;

	if (frame_counts.state[FRAME_ZEROED] >= ZEROED_TARGET || !frame_counts.state[FRAME_FREE])
		return false;
	spin_lock(&frames_lock);
	n = c->frame_cache_zeroing = frames_take_free(FRAME_FREE, &pfn, 1);
	spin_unlock(&frames_lock);
	if (!n)
		return false;
	page_zero(frame_address(pfn));
	spin_lock(&frames_lock);
	frame_list_add(pfn, FRAME_ZEROED);
	c->frame_cache_zeroing = 0;
	spin_unlock(&frames_lock);
	return true;
}
