/*
 * Frames in a row: a few for the pool, 512 for a large page. Free frames get scattered; so frames_compact can move pages
 * out of the way. A page that no page table has is easily moved, since one word alone says where it is.
 */
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"
#include "proc/sched.h"

/* The CPUs' caches of frames are given back at their next clock ticks. */
#define CACHES_DRAINED_NS 25000000ull

static bool can_be_taken(u64 pfn)
{
	u8 s = __atomic_load_n(&frames[pfn].state, __ATOMIC_RELAXED);

	return s == FRAME_FREE || s == FRAME_ZEROED || s == FRAME_STANDBY;
}

/* Also what is wanted: nothing but one word knows that it is there. */
static bool can_be_moved(u64 pfn)
{
	return __atomic_load_n(&frames[pfn].state, __ATOMIC_RELAXED) == FRAME_MODIFIED || can_be_taken(pfn);
}

static inline __attribute__((always_inline)) bool all_frames(u64 at, u32 count, bool (*can)(u64 pfn))
{
	u32 n = 0;

	while (n < count && can(at + n))
		n++;
	return n == count;
}

/*
 * The first count frames from *from on, aligned to count, that all can be taken or moved; *from goes behind them. Looks
 * without the lock: who wants them looks again. 0: none.
 */
static u64 run_find(u64 *from, u32 count, bool (*can)(u64 pfn))
{
	u64 first, n;

	for (u32 r = 0; frame_range(r, &first, &n); r++)
		for (u64 at = ALIGN_UP(MAX(first, *from), count); at + count <= first + n; at += count)
			if (all_frames(at, count, can)) {
				*from = at + count;
				return at;
			}
	*from = ~0ull / 2;
	return 0;
}

#define RUN_WORDS (LARGE_FRAMES / 64)

/* Takes them all, if they still can be; at most LARGE_FRAMES. zeroed: RUN_WORDS words, a bit for each that is filled with zeros. */
static bool run_take(u64 at, u32 count, u64 *zeroed)
{
	bool can;

	spin_lock(&frames_lock);
	can = all_frames(at, count, can_be_taken);
	if (can)
		frame_take_run(at, count, zeroed);
	spin_unlock(&frames_lock);
	return can;
}

u32 frame_alloc_run(u32 count)
{
	u64 from = 0, at, zeroed[RUN_WORDS];

	if (frames_available() <= 8 + count)
		return 0;
	while ((at = run_find(&from, count, can_be_taken)))
		if (run_take(at, count, zeroed)) {
			__atomic_add_fetch(&frame_counts.kernel, count, __ATOMIC_RELAXED);
			return at;
		}
	return 0;
}

u32 frame_alloc_large(u64 *from)
{
	u64 at, zeroed[RUN_WORDS];

	do {
		if (frames_available() < frame_counts.low + LARGE_FRAMES)
			return 0;
		at = run_find(from, LARGE_FRAMES, can_be_taken);
	} while (at && !run_take(at, LARGE_FRAMES, zeroed));
	for (u32 i = 0; at && i < LARGE_FRAMES; i++) {
		if (!(zeroed[i / 64] & 1ull << i % 64))
			page_zero(frame_address(at + i));
		frames[at + i].flags = FRAME_LARGE;
		frames[at + i].state = FRAME_PHYSICAL;
	}
	if (at)
		__atomic_add_fetch(&frame_counts.physical, LARGE_FRAMES, __ATOMIC_RELAXED);
	return at;
}

void frames_free_physical(u32 chain)
{
	u64 n = 0;

	for (; chain; n++) {
		u32 pfn = chain;

		chain = frames[pfn].next;
		frames[pfn].next = frames[pfn].prev = 0;
		frames[pfn].state = FRAME_KERNEL;
		frame_free(pfn);
	}
	__atomic_sub_fetch(&frame_counts.physical, n, __ATOMIC_RELAXED);
}

/* ---- making room ---- */

/* Pages leave all page tables, but for those that are locked: then each is named by one word only. */
static void page_tables_empty(void)
{
	struct vspace *v;

	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link)
		vspace_empty(v);
	mutex_unlock(&vspaces_lock);
}

/* The page in a modified frame moves to another one. False: the frame is in use again, or being written. */
static bool frame_move(u32 from, u32 to)
{
	struct frame *f = &frames[from], *t = &frames[to];
	bool can;

	spin_lock(&frames_lock);
	can = f->state == FRAME_MODIFIED && !(f->flags & (FRAME_READING | FRAME_WRITING));
	if (can) {
		page_copy(frame_address(to), frame_address(from));
		frame_list_remove(from);
		*t = *f;
		*t->word = word_transition(to, word_prot(*t->word));
		frame_list_add(to, FRAME_MODIFIED);
		*f = (struct frame){ .state = FRAME_KERNEL };
	}
	spin_unlock(&frames_lock);
	return can;
}

/* What lies in the run's way moves. Frames that are the caller's are marked FRAME_LARGE, and chained. */
static void run_clear(u64 at, u32 *chain, u32 *count)
{
	u64 zeroed[RUN_WORDS];

	for (u64 pass = 0; pass < 2; pass++)
		for (u64 pfn = at; pfn < at + LARGE_FRAMES; pfn++) {
			u32 to = 0;

			if (frames[pfn].state == FRAME_KERNEL && frames[pfn].flags & FRAME_LARGE)
				continue;
			/* The first pass takes what is free: nothing shall move there. */
			if (!run_take(pfn, 1, zeroed)) {
				if (!pass)
					continue;
				to = frame_alloc(FRAME_FOR_USER, false);
				if (!to || !frame_move(pfn, to)) {
					if (to)
						frame_free(to);
					return;
				}
			}
			frames[pfn].flags = FRAME_LARGE;
			frames[pfn].next = *chain;
			*chain = pfn;
			++*count;
		}
}

/* Empties a run. The frames go straight to the free list: a CPU's cache would keep some. */
static bool run_make(u64 at)
{
	u32 chain = 0, count = 0;

	run_clear(at, &chain, &count);
	spin_lock(&frames_lock);
	while (chain) {
		u32 pfn = chain;

		chain = frames[pfn].next;
		frames[pfn].flags = 0;
		frame_list_add(pfn, FRAME_FREE);
	}
	spin_unlock(&frames_lock);
	return count == LARGE_FRAMES;
}

u64 frames_compact(u64 count)
{
	u64 from = 0, at, made = 0;

	assert(mutex_none_held());
	__atomic_store_n(&frame_counts.compacting, true, __ATOMIC_RELAXED);
	file_writer_hurry(); /* modified pages of files are not moved, but written meanwhile */
	sleep_until(clock_ns() + CACHES_DRAINED_NS);
	page_tables_empty();
	/* While the writer stands still no page is being written, and so tied to its frame. Only one compacts at a time. */
	mutex_lock(&writer_lock);
	while (made < count && (at = run_find(&from, LARGE_FRAMES, can_be_moved)))
		made += run_make(at);
	mutex_unlock(&writer_lock);
	__atomic_store_n(&frame_counts.compacting, false, __ATOMIC_RELAXED);
	return made;
}
