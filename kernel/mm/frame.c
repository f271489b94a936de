/* The PFN database, the page lists and the frame allocator. */
#include "mm/frame.h"

#include "lib/string.h"
#include "mm/event.h"
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

/* Available frames that a caller of each kind leaves for those who free memory. */
static u64 floors[FRAME_USERS] = { [FRAME_FOR_USER] = 40, [FRAME_FOR_KERNEL] = 8 }; /* FRAME_FOR_GOOD: the low mark */

#define CACHE_MAX ARRAY_SIZE(((struct cpu *)0)->frame_cache_free)
#define CACHE_BATCH 16
#define ZEROED_TARGET 32768 /* idle CPUs keep at most this many zeroed frames (128 MiB) */

/* ---- the lists ---- */

static bool state_has_list(enum frame_state s)
{
	return s == FRAME_FREE || s == FRAME_ZEROED || s == FRAME_STANDBY || s == FRAME_MODIFIED;
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
	if (memory_waiting && s != FRAME_MODIFIED)
		wait_wake_all(&memory_waiters);
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
		frame_list_add(pfn, f->flags & FRAME_DIRTY ? FRAME_MODIFIED : FRAME_STANDBY);
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
	while (!(enough = frames_available() > floors[user]) && !thread_ending() && clock_ns() < deadline) {
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

/* ---- the allocator ---- */

/* A standby page loses its frame: from now on its word names the backing store. frames_lock held. */
static void standby_take(u32 pfn)
{
	struct frame *f = &frames[pfn];
	u32 prot = word_prot(*f->word);

	event(BS_EVENT_DISCARD, .process = event_process(), .place = pfn, .count = 1,
	      .unit = word_kind(f->backing) == WORD_SWAP    ? BS_PAGING_FILE :
		      word_kind(f->backing) == WORD_BACKING ? BS_IMAGE : BS_ZERO);
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

/* Takes a frame off the lists, the cheapest first; frames_lock held. 0: none. */
static u32 take_locked(bool prefer_zeroed, bool *zeroed)
{
	enum frame_state first = prefer_zeroed ? FRAME_ZEROED : FRAME_FREE;
	enum frame_state second = prefer_zeroed ? FRAME_FREE : FRAME_ZEROED;
	u32 pfn = lists[first][0].first;

	if (!pfn)
		pfn = lists[second][0].first;
	*zeroed = false;
	if (pfn) {
		*zeroed = frames[pfn].state == FRAME_ZEROED;
		frame_list_remove(pfn);
	} else if ((pfn = frame_list_first(FRAME_STANDBY))) {
		standby_take(pfn);
	}
	if (pfn)
		frames[pfn].state = FRAME_CACHED;
	return pfn;
}

static void cpu_cache_refill(struct cpu *c, bool want_zeroed)
{
	/* Short of memory, CPUs do not hoard. */
	u32 batch = frames_available() > 4 * frame_counts.high && !frame_counts.compacting ? CACHE_BATCH : 1;

	spin_lock(&frames_lock);
	while (batch--) {
		bool zeroed;
		u32 pfn = take_locked(want_zeroed, &zeroed);

		if (!pfn)
			break;
		if (zeroed && c->frame_cache_zero_count < CACHE_MAX)
			c->frame_cache_zero[c->frame_cache_zero_count++] = pfn;
		else
			c->frame_cache_free[c->frame_cache_free_count++] = pfn;
		__atomic_add_fetch(&frame_counts.cached, 1, __ATOMIC_RELAXED);
	}
	spin_unlock(&frames_lock);
}

u32 frame_alloc(enum frame_user user, bool want_zeroed)
{
	bool was_on = interrupts_enabled(), zeroed = false;
	u64 available = frames_available();
	struct cpu *c;
	u32 pfn = 0;

	if (available < frame_counts.low)
		trimmer_wake();
	if (available <= floors[user])
		return 0;
	interrupts_off();
	c = this_cpu();
	if (want_zeroed ? !c->frame_cache_zero_count && !c->frame_cache_free_count : !c->frame_cache_free_count)
		cpu_cache_refill(c, want_zeroed);
	if ((want_zeroed || !c->frame_cache_free_count) && c->frame_cache_zero_count) {
		pfn = c->frame_cache_zero[--c->frame_cache_zero_count];
		zeroed = true;
	} else if (c->frame_cache_free_count) {
		pfn = c->frame_cache_free[--c->frame_cache_free_count];
	}
	if (was_on)
		interrupts_on();
	if (!pfn)
		return 0;
	__atomic_sub_fetch(&frame_counts.cached, 1, __ATOMIC_RELAXED);
	assert(frames[pfn].state == FRAME_CACHED && !frames[pfn].shares && !frames[pfn].word);
	frames[pfn].state = FRAME_KERNEL;
	frames[pfn].flags = 0;
	frames[pfn].use = BS_USE_KERNEL;
	frames[pfn].priority = 0; /* raised to that of who touches it */
	if (want_zeroed && !zeroed)
		page_zero(frame_address(pfn));
	return pfn;
}

/* A CPU's cache is full: to the lists. */
static void cache_spill(u32 *cache, u32 *count, enum frame_state s)
{
	u32 first = *count;

	spin_lock(&frames_lock);
	while (*count > CACHE_MAX - CACHE_BATCH)
		frame_list_add(cache[--*count], s);
	spin_unlock(&frames_lock);
	__atomic_sub_fetch(&frame_counts.cached, first - *count, __ATOMIC_RELAXED);
}

/* To the CPU's cache of free or of zeroed frames, or, when memory is short, to the list. */
static void frame_give(u32 pfn, enum frame_state s)
{
	bool was_on = interrupts_enabled();
	struct frame *f = &frames[pfn];
	struct cpu *c;

	assert(f->state == FRAME_KERNEL && !f->shares);
	f->word = NULL;
	f->backing = 0;
	f->flags = 0;
	f->next = f->prev = 0;
	interrupts_off();
	c = this_cpu();
	if (frames_available() > 4 * frame_counts.high && !frame_counts.compacting) {
		u32 *cache = s == FRAME_ZEROED ? c->frame_cache_zero : c->frame_cache_free;
		u32 *count = s == FRAME_ZEROED ? &c->frame_cache_zero_count : &c->frame_cache_free_count;

		if (*count == CACHE_MAX)
			cache_spill(cache, count, s);
		f->state = FRAME_CACHED;
		cache[(*count)++] = pfn;
		__atomic_add_fetch(&frame_counts.cached, 1, __ATOMIC_RELAXED);
	} else {
		spin_lock(&frames_lock);
		frame_list_add(pfn, s);
		spin_unlock(&frames_lock);
	}
	if (was_on)
		interrupts_on();
}

void frame_free(u32 pfn)
{
#ifdef DEBUG
	memset(frame_address(pfn), JUNK_FREED, PAGE_SIZE);
#endif
	frame_give(pfn, FRAME_FREE);
}

void frame_free_zeroed(u32 pfn)
{
#ifdef DEBUG
	for (const u64 *word = frame_address(pfn), *end = word + PAGE_SIZE / sizeof(*word); word < end; word++)
		check(!*word);
#endif
	frame_give(pfn, FRAME_ZEROED);
}

/* Short of memory, a CPU gives back what its cache holds. Interrupts are off. */
static void cpu_cache_drain(void)
{
	struct cpu *c;

	spin_lock(&frames_lock);
	c = this_cpu();
	__atomic_sub_fetch(&frame_counts.cached, c->frame_cache_free_count + c->frame_cache_zero_count, __ATOMIC_RELAXED);
	while (c->frame_cache_free_count)
		frame_list_add(c->frame_cache_free[--c->frame_cache_free_count], FRAME_FREE);
	while (c->frame_cache_zero_count)
		frame_list_add(c->frame_cache_zero[--c->frame_cache_zero_count], FRAME_ZEROED);
	spin_unlock(&frames_lock);
}

void frame_tick(void)
{
	if (frames_available() < frame_counts.high || frame_counts.compacting)
		cpu_cache_drain();
	if (this_cpu()->id == 0)
		thrash_tick();
}

bool frame_idle_work(void)
{
	u32 pfn = 0;

	if (frame_counts.state[FRAME_ZEROED] >= ZEROED_TARGET || !frame_counts.state[FRAME_FREE])
		return false;
	spin_lock(&frames_lock);
	pfn = lists[FRAME_FREE][0].first;
	if (pfn) {
		frame_list_remove(pfn);
		frames[pfn].state = FRAME_CACHED;
	}
	spin_unlock(&frames_lock);
	if (!pfn)
		return false;
	__atomic_add_fetch(&frame_counts.cached, 1, __ATOMIC_RELAXED);
	page_zero(frame_address(pfn));
	spin_lock(&frames_lock);
	frame_list_add(pfn, FRAME_ZEROED);
	spin_unlock(&frames_lock);
	__atomic_sub_fetch(&frame_counts.cached, 1, __ATOMIC_RELAXED);
	return true;
}

/* ---- frames for the kernel ---- */

/* Ranges of managed memory; before the free lists exist, the last page of the last range is handed out. */
#define RANGES_MAX 64
static struct { u64 first, count; } ranges[RANGES_MAX];
static u32 range_count;
static bool lists_ready;

static u64 early_alloc(void)
{
	while (range_count && !ranges[range_count - 1].count)
		range_count--;
	if (!range_count)
		return 0;
	return (ranges[range_count - 1].first + --ranges[range_count - 1].count) << PAGE_SHIFT;
}

static u64 kernel_frame(bool zeroed)
{
	u32 pfn;

	if (!lists_ready) {
		u64 phys = early_alloc();

		if (phys && zeroed)
			page_zero(phys_to_virt(phys));
		return phys;
	}
	if (!commit_charge(COMMIT_KERNEL, 1))
		return 0;
	while (!(pfn = frame_alloc(FRAME_FOR_KERNEL, zeroed))) {
		/* Only a thread without locks may wait; everyone else is told that there is none. */
		if (!interrupts_enabled() || this_cpu()->spin_depth || !mutex_none_held() || !frames_wait()) {
			commit_release(COMMIT_KERNEL, 1);
			return 0;
		}
	}
	__atomic_add_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	return (u64)pfn << PAGE_SHIFT;
}

u64 frame_alloc_kernel(void) { return kernel_frame(false); }
u64 frame_alloc_table(void) { return kernel_frame(true); }

void frame_free_kernel(u64 phys)
{
	frame_free(phys >> PAGE_SHIFT);
	__atomic_sub_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	commit_release(COMMIT_KERNEL, 1);
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
	floors[FRAME_FOR_GOOD] = low;
	spin_unlock(&frames_lock);
	return true;
}

/* ---- start ---- */

static u64 ramdisk_runs[SWAP_ENTRIES_MAX];

static void range_add(u64 first, u64 count)
{
	if (count && range_count < RANGES_MAX) {
		ranges[range_count].first = first;
		ranges[range_count++].count = count;
	}
}

/* Takes a run for a RAM disk out of the highest range that can hold it. 0: there is none. */
static u64 ramdisk_reserve(u64 bytes)
{
	u64 pages = bytes >> PAGE_SHIFT;

	for (u32 r = range_count; r-- > 0;)
		if (ranges[r].count >= pages + 1024) {
			ranges[r].count -= pages;
			return (ranges[r].first + ranges[r].count) << PAGE_SHIFT;
		}
	return 0;
}

static void ramdisks_reserve(void)
{
	for (u32 i = 0; i < options.swap_count; i++) {
		u64 bytes = options.swap[i].size;

		if (!bytes)
			continue;
		ramdisk_runs[i] = ramdisk_reserve(bytes);
		if (!ramdisk_runs[i]) {
			kprintf("backstore: swap=ramdisk:%lluK does not fit into memory; use a smaller one or more memory\n",
				(unsigned long long)bytes >> 10);
			machine_exit(EXIT_BAD_OPTION);
		}
	}
}

u64 frame_ramdisk_phys(u32 entry) { return ramdisk_runs[entry]; }

void mm_init(const struct bootinfo *b)
{
	const struct boot_memory *m = phys_to_virt(b->memory);
	u64 cap = options.memory_limit ? options.memory_limit >> PAGE_SHIFT : ~0ull, total = 0;

	for (u32 i = 0; i < IO_QUEUES; i++)
		wait_queue_init(&io_queues[i]);
	replace_init();
	mutex_init(&writer_lock, "writer", RANK_WRITER);
	mutex_init(&vspaces_lock, "address spaces", RANK_VSPACES);
	mutex_init(&sections_lock, "sections", RANK_SECTIONS);
	commit_totals.overcommit = options.commit == COMMIT_OVERCOMMIT;
	commit_totals.lazy_writecopy = options.commit == COMMIT_LAZY_WRITECOPY;
	for (u32 i = 0; i < b->memory_count; i++)
		if (m[i].kind == BOOT_USABLE) {
			u64 first = MAX(m[i].base, MIB(1)) >> PAGE_SHIFT, end = (m[i].base >> PAGE_SHIFT) + m[i].pages;

			if (end > first)
				range_add(first, end - first);
		}
	ramdisks_reserve();
	for (u32 r = 0; r < range_count; r++) {
		ranges[r].count = MIN(ranges[r].count, cap - total);
		total += ranges[r].count;
	}
	while (range_count && !ranges[range_count - 1].count)
		range_count--;

	/* The PFN database: mapped only where there are frames. */
	for (u32 r = 0; r < range_count; r++) {
		u64 at = ALIGN_DOWN((u64)&frames[ranges[r].first], PAGE_SIZE);
		u64 end = (u64)&frames[ranges[r].first + ranges[r].count];
		static u64 mapped;

		for (at = MAX(at, mapped); at < end; at += PAGE_SIZE) {
			u64 phys = frame_alloc_table();

			if (!phys || !kernel_map_page(at, phys, PTE_WRITE | PTE_NX)) {
				kprintf("backstore: too little memory: %llu MiB are usable, and the kernel needs more\n",
					(unsigned long long)total >> 8);
				machine_exit(EXIT_NO_MEMORY);
			}
			mapped = at + PAGE_SIZE;
		}
	}
	lists_ready = true;
	spin_lock(&frames_lock);
	for (u32 r = 0; r < range_count; r++)
		for (u64 i = 0; i < ranges[r].count; i++) {
			frame_list_add(ranges[r].first + i, FRAME_FREE);
			frame_counts.total++;
		}
	spin_unlock(&frames_lock);
	if (frame_counts.total < 1024) {
		kprintf("backstore: too little memory: %llu KiB are usable, 4096 KiB are needed\n",
			(unsigned long long)frame_counts.total * 4);
		machine_exit(EXIT_NO_MEMORY);
	}
	if (!reclaim_set(options.reclaim_low >> PAGE_SHIFT, options.reclaim_high >> PAGE_SHIFT)) {
		kprintf("backstore: boot option reclaim=: allowed with this memory: LOW of at least %uK, HIGH of at least %uK more "
			"and at most %lluK\n", RECLAIM_LOWEST * 4, RECLAIM_GAP * 4,
			(unsigned long long)frame_counts.total / 2 * 4);
		machine_exit(EXIT_BAD_OPTION);
	}
	/* What the limit leaves out keeps clean pages (code) in memory when everything promised is touched. */
	commit_totals.fixed_limit = frame_counts.total / 4 * 3;
	commit_limit_add(frame_counts.total - MAX(384, frame_counts.total / 32));
}

bool frame_range(u32 index, u64 *first, u64 *count)
{
	if (index >= range_count)
		return false;
	*first = ranges[index].first;
	*count = ranges[index].count;
	return true;
}

bool frame_managed(u64 pfn)
{
	for (u32 r = 0; r < range_count; r++)
		if (pfn - ranges[r].first < ranges[r].count)
			return true;
	return false;
}
