/* The PFN database and the page lists; waiting for memory; the thresholds. */
#include "mm/frame.h"

#include "lib/string.h"
#include "mm/event.h"
#include "mm/file_cache.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/thrash.h"
#include "mm/vspace.h"
#include "options.h"
#include "proc/sched.h"

struct spinlock frames_lock = SPINLOCK_INIT("frames", RANK_FRAMES);
struct frame_counts frame_counts;

static struct frame_list { u32 first, last; } lists[FRAME_STATES][PRIORITIES];
static struct wait_queue memory_waiters = WAIT_QUEUE_INIT(memory_waiters);
static u32 memory_waiting;

#define IO_QUEUES 32
static struct wait_queue io_queues[IO_QUEUES];

u64 frame_floors[FRAME_USERS] = { [FRAME_FOR_USER] = 40, [FRAME_FOR_KERNEL] = 8 }; /* FRAME_FOR_GOOD: the low mark */

/* ---- the lists ---- */

static bool state_has_list(enum frame_state s)
{
	return s == FRAME_FREE || s == FRAME_ZEROED || s == FRAME_STANDBY || s == FRAME_MODIFIED || s == FRAME_FILE_MODIFIED;
}

/* The list that f is on, or will be, in its state. */
static struct frame_list *list_of(const struct frame *f)
{
	return &lists[f->state][f->state == FRAME_STANDBY || f->state == FRAME_MODIFIED ? f->priority : 0];
}

void frame_list_add(u32 pfn, enum frame_state s)
{
	struct frame *f = &frames[pfn];
	struct frame_list *l;

	assert(spin_held(&frames_lock) && state_has_list(s));
	f->state = s;
	l = list_of(f);
	f->next = 0;
	f->prev = l->last;
	if (f->prev)
		frames[f->prev].next = pfn;
	else
		l->first = pfn;
	l->last = pfn;
	frame_counts.state[s]++;
	if (s == FRAME_FILE_MODIFIED)
		file_page_modified(f);
	else if (memory_waiting && s != FRAME_MODIFIED)
		wait_wake_all(&memory_waiters);
}

void frames_give_free(enum frame_state s, const u32 *pfns, u32 count)
{
	struct frame_list *l = &lists[s][0];
	u32 last;

	if (!count)
		return;
	spin_lock(&frames_lock);
	last = l->last;
	for (u32 i = 0; i < count; last = pfns[i++]) {
		struct frame *f = &frames[pfns[i]];

		assert(f->state == FRAME_CACHED && !f->next && !f->prev);
		f->state = s;
		f->prev = last;
		if (last)
			frames[last].next = pfns[i];
		else
			l->first = pfns[i];
	}
	l->last = last;
	frame_counts.state[s] += count;
	if (memory_waiting)
		wait_wake_all(&memory_waiters);
	spin_unlock(&frames_lock);
}

void frame_list_remove(u32 pfn)
{
	struct frame *f = &frames[pfn];
	struct frame_list *l = list_of(f);

	assert(spin_held(&frames_lock) && state_has_list(f->state));
	if (f->prev)
		frames[f->prev].next = f->next;
	else
		l->first = f->next;
	if (f->next)
		frames[f->next].prev = f->prev;
	else
		l->last = f->prev;
	frame_counts.state[f->state]--;
	f->next = f->prev = 0;
}

u32 frame_list_first(enum frame_state s)
{
	u32 priority = 0;

	while (priority < PRIORITIES - 1 && !lists[s][priority].first)
		priority++;
	return lists[s][priority].first;
}

u32 frame_list_head(enum frame_state s, u32 priority)
{
	return lists[s][priority].first;
}

void frame_priority_set(u32 pfn, u32 priority)
{
	struct frame *f = &frames[pfn];
	enum frame_state s = f->state;
	bool listed = s == FRAME_STANDBY || s == FRAME_MODIFIED;

	assert(spin_held(&frames_lock));
	if (listed)
		frame_list_remove(pfn);
	f->priority = priority & (PRIORITIES - 1);
	if (listed)
		frame_list_add(pfn, s);
}

void frame_state_set(u32 pfn, enum frame_state s)
{
	struct frame *f = &frames[pfn];

	assert(spin_held(&frames_lock) && !state_has_list(s) && !state_has_list(f->state));
	frame_counts.state[FRAME_TRANSITION] += (s == FRAME_TRANSITION) - (f->state == FRAME_TRANSITION);
	f->state = s;
}

void frame_deactivate(u32 pfn)
{
	struct frame *f = &frames[pfn];

	assert(spin_held(&frames_lock) && f->state == FRAME_ACTIVE && !f->shares);
	*f->word = word_transition(pfn, word_prot(*f->word));
	if (f->flags & FRAME_DIRTY) {
		swap_slot_drop(f);
		/* Written to after MEM_RESET: its contents are wanted again. */
		if (word_prot(*f->word) & MARK_RESET)
			f->priority = PRIORITY_NORMAL;
		*f->word = word_with_prot(*f->word, word_prot(*f->word) & ~MARK_RESET);
	}
	if (f->flags & FRAME_WRITING)
		frame_state_set(pfn, FRAME_TRANSITION); /* the writer still has it, and puts it on a list */
	else
		frame_list_add(pfn, frame_list_for(f));
}

void frame_reactivate(u32 pfn)
{
	struct frame *f = &frames[pfn];

	assert(spin_held(&frames_lock) && !f->shares && !(f->flags & FRAME_READING));
	if (f->state == FRAME_TRANSITION)
		frame_state_set(pfn, FRAME_ACTIVE);
	else {
		frame_list_remove(pfn);
		f->state = FRAME_ACTIVE;
	}
	f->shares = 1;
}

bool frame_give_up(u32 pfn)
{
	struct frame *f = &frames[pfn];

	assert(spin_held(&frames_lock) && !f->shares);
	if (state_has_list(f->state))
		frame_list_remove(pfn);
	f->word = NULL;
	if (f->flags & (FRAME_READING | FRAME_WRITING)) {
		if (f->state != FRAME_TRANSITION)
			frame_state_set(pfn, FRAME_TRANSITION);
		f->flags |= FRAME_ABANDONED;
		return false;
	}
	swap_slot_drop(f);
	f->flags = 0;
	f->state = FRAME_KERNEL;
	return true;
}

/* ---- waiting ---- */

void frame_queues_init(void)
{
	for (u32 i = 0; i < IO_QUEUES; i++)
		wait_queue_init(&io_queues[i]);
}

void frame_io_done(u32 pfn)
{
	assert(spin_held(&frames_lock));
	wait_wake_all(&io_queues[pfn % IO_QUEUES]);
}

void frame_wait_io(u32 pfn)
{
	assert(mutex_none_held());
	spin_lock(&frames_lock);
	/* The frame may have been freed and taken again since: then this is one look too many, and no harm. */
	if (frames[pfn].flags & FRAME_READING)
		wait_sleep(&io_queues[pfn % IO_QUEUES], &frames_lock, WAIT_FOREVER, false);
	spin_unlock(&frames_lock);
}

static bool memory_wait(enum frame_user user, u64 deadline)
{
	bool enough;

	assert(mutex_none_held());
	trimmer_wake();
	stall_begin();
	spin_lock(&frames_lock);
	memory_waiting++;
	while (!(enough = frames_available() > frame_floors[user]) && !thread_ending() && clock_ns() < deadline) {
		wait_sleep(&memory_waiters, &frames_lock, clock_ns() + 20000000, true);
		trimmer_wake();
	}
	memory_waiting--;
	spin_unlock(&frames_lock);
	stall_end();
	return enough && !thread_ending();
}

bool frames_wait(void) { return memory_wait(FRAME_FOR_USER, WAIT_FOREVER); }
bool frames_wait_for_good(u64 deadline) { return memory_wait(FRAME_FOR_GOOD, deadline); }

/* ---- taking what is available ---- */

/* A standby page loses its frame: from now on its word names the backing store. frames_lock held. */
static void standby_take(u32 pfn)
{
	struct frame *f = &frames[pfn];
	u32 prot = word_prot(*f->word);

	event(BS_EVENT_DISCARD, .process = event_process(), .place = pfn, .count = 1,
	      .unit = word_kind(f->backing) == WORD_SWAP    ? BS_PAGING_FILE :
		      word_kind(f->backing) != WORD_BACKING ? BS_ZERO :
		      frame_is_file(f)			    ? BS_DATA_FILE : BS_IMAGE);
	frame_list_remove(pfn);
	if (prot & (MARK_RESET | MARK_OFFERED) && word_kind(f->backing) == WORD_ZERO)
		prot = (prot & ~MARK_RESET) | MARK_LOST;
	if (f->flags & FRAME_AHEAD)
		reclaim_counters.ahead_wasted++;
	*f->word = eviction_stamp(word_with_prot(f->backing, prot));
	f->word = NULL;
	f->backing = 0;
	f->flags = 0;
	reclaim_counters.discarded++;
}

void frame_take(u32 pfn)
{
	if (frames[pfn].state == FRAME_STANDBY)
		standby_take(pfn);
	else
		frame_list_remove(pfn);
}

void frame_take_run(u32 first, u32 count, u64 *zeroed)
{
	u64 taken[FRAME_STATES] = { 0 };

	assert(spin_held(&frames_lock));
	for (u32 i = 0; i < count; i++) {
		struct frame *f = &frames[first + i];
		struct frame_list *l = &lists[f->state][0];

		if (i % 64 == 0)
			zeroed[i / 64] = 0;
		if (unlikely(f->state == FRAME_STANDBY)) {
			standby_take(first + i);
		} else {
			*(f->prev ? &frames[f->prev].next : &l->first) = f->next;
			*(f->next ? &frames[f->next].prev : &l->last) = f->prev;
			f->next = f->prev = 0;
			taken[f->state]++;
			if (f->state == FRAME_ZEROED)
				zeroed[i / 64] |= 1ull << i % 64;
		}
		f->state = FRAME_KERNEL;
		f->use = BS_USE_KERNEL;
	}
	frame_counts.state[FRAME_FREE] -= taken[FRAME_FREE];
	frame_counts.state[FRAME_ZEROED] -= taken[FRAME_ZEROED];
}

void frames_purge(u32 priority)
{
	u64 left = frame_counts.state[FRAME_STANDBY]; /* others may put pages there as fast as they go */
	u32 pfns[64], n, pfn;

	do {
		n = 0;
		spin_lock(&frames_lock);
		for (; n < ARRAY_SIZE(pfns) && n < left; pfns[n++] = pfn) {
			pfn = frame_list_first(FRAME_STANDBY);
			if (!pfn || frames[pfn].priority > priority)
				break;
			standby_take(pfn);
			frames[pfn].state = FRAME_KERNEL;
			frames[pfn].use = BS_USE_KERNEL;
		}
		spin_unlock(&frames_lock);
		for (u32 i = 0; i < n; i++)
			frame_free(pfns[i]);
		left -= n;
	} while (n);
}

u32 frames_take_free(enum frame_state s, u32 *out, u32 max)
{
	struct frame_list *l = &lists[s][0];
	u32 pfn = l->first, n = 0;

	assert(spin_held(&frames_lock) && (s == FRAME_FREE || s == FRAME_ZEROED));
	for (; pfn && n < max; n++) {
		struct frame *f = &frames[pfn];

		out[n] = pfn;
		pfn = f->next;
		f->next = f->prev = 0;
		f->state = FRAME_CACHED;
	}
	l->first = pfn;
	if (pfn)
		frames[pfn].prev = 0;
	else
		l->last = 0;
	frame_counts.state[s] -= n;
	return n;
}

/* How many go to the list before others get its lock. */
#define FREE_BATCH 64

void frames_free(u32 chain, u32 count)
{
	if (count == 1) {
		frame_free(chain); /* the CPU will soon want it */
		return;
	}
#ifdef DEBUG
	for (u32 pfn = chain; pfn; pfn = frames[pfn].next)
		memset(frame_address(pfn), JUNK_FREED, PAGE_SIZE);
#endif
	while (chain) {
		struct frame_list *l = &lists[FRAME_FREE][0];
		u32 n;

		spin_lock(&frames_lock);
		for (n = 0; chain && n < FREE_BATCH; n++) {
			struct frame *f = &frames[chain];
			u32 next = f->next;

			assert(f->state == FRAME_KERNEL && !f->shares);
			f->word = NULL;
			f->backing = 0;
			f->flags = 0;
			f->state = FRAME_FREE;
			f->next = 0;
			f->prev = l->last;
			*(l->last ? &frames[l->last].next : &l->first) = chain;
			l->last = chain;
			chain = next;
		}
		frame_counts.state[FRAME_FREE] += n;
		if (memory_waiting)
			wait_wake_all(&memory_waiters);
		spin_unlock(&frames_lock);
	}
}

/* ---- the thresholds ---- */

bool reclaim_set(u64 low, u64 high)
{
	if (!low && !high) {
		low = MAX(96, frame_counts.total / 64);
		high = low * 2;
	}
	if (low < RECLAIM_LOWEST || high > frame_counts.total / 2 || low + RECLAIM_GAP > high)
		return false;
	spin_lock(&frames_lock);
	frame_counts.low = low;
	frame_counts.high = high;
	frame_floors[FRAME_FOR_GOOD] = low;
	spin_unlock(&frames_lock);
	return true;
}
