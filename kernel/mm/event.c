/*
 * Events go to rings: each trace (somebody who reads) has one for each CPU, and only this CPU writes there. A writer
 * takes no lock and waits for nobody: interrupts are off for the copy, and a full ring loses its oldest entry. A reader
 * copies an entry and then looks whether it was overwritten meanwhile.
 *
 * Who closes a trace, or wants all events up to now, waits for writers: each CPU says that it is writing before it looks
 * at the traces or at the clock. So once it was seen not to, what it writes later is later, and to the traces of later.
 */
#include "mm/event.h"

#include "lib/string.h"
#include "mm/commit.h"
#include "mm/pool.h"
#include "proc/process.h"

#define TRACES_MAX 8
#define PAGE_ENTRIES (PAGE_SIZE / sizeof(struct bs_event))

struct ring {
	struct bs_event **pages;
	u64 entries;
	u64 begun, done; /* entries whose writing was begun, done, since the trace was made; the CPU's own */
	u64 cursor;      /* the next one to be read; under traces_lock */
};

struct trace {
	struct object object;
	u64 mask;
	u32 process;
	bool except;
	struct ring rings[CPU_MAX];
};

u64 event_mask;

static struct mutex traces_lock = MUTEX_INIT(traces_lock, "traces", RANK_TRACES); /* opening, closing, all cursors */
static struct trace *traces[TRACES_MAX];
static struct {
	bool yes;
} __attribute__((aligned(64))) writing[CPU_MAX];

/* ---- writing ---- */

static struct bs_event *ring_entry(const struct ring *r, u64 number)
{
	u64 place = number % r->entries;

	return &r->pages[place / PAGE_ENTRIES][place % PAGE_ENTRIES];
}

static void ring_put(struct ring *r, const struct bs_event *e)
{
	u64 number = r->done;

	__atomic_store_n(&r->begun, number + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	*ring_entry(r, number) = *e;
	__atomic_store_n(&r->done, number + 1, __ATOMIC_RELEASE);
}

u32 event_process(void)
{
	struct process *p = process_current();

	return p ? p->id : 0;
}

void event_write(struct bs_event *e)
{
	bool on = interrupts_enabled();
	u32 cpu;

	interrupts_off();
	cpu = this_cpu()->id;
	__atomic_store_n(&writing[cpu].yes, true, __ATOMIC_SEQ_CST);
	e->time_ns = clock_ns();
	e->cpu = cpu;
	e->thread = thread_current()->id;
	for (u32 i = 0; i < TRACES_MAX; i++) {
		struct trace *t = __atomic_load_n(&traces[i], __ATOMIC_ACQUIRE);

		if (t && t->mask & 1ull << e->kind && (!t->process || (t->process == e->process) != t->except))
			ring_put(&t->rings[cpu], e);
	}
	__atomic_store_n(&writing[cpu].yes, false, __ATOMIC_RELEASE);
	if (on)
		interrupts_on();
}

/* Until each CPU was seen not to write: tens of instructions. */
static void writers_wait(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (u32 i = 0; i < cpu_count; i++)
		while (__atomic_load_n(&writing[i].yes, __ATOMIC_ACQUIRE))
			cpu_relax();
}

/* commit.c knows nothing of events: it is told whom to call. */
static void charge_refused(enum commit_owner owner, u64 pages)
{
	event(BS_EVENT_REFUSED, .process = event_process(), .unit = (u8)owner, .count = (u32)MIN(pages, (u64)~0u));
}

/* ---- opening and closing ---- */

/* traces_lock is held. */
static void mask_make(void)
{
	u64 mask = 0;

	for (u32 i = 0; i < TRACES_MAX; i++)
		mask |= traces[i] ? traces[i]->mask : 0;
	__atomic_store_n(&event_mask, mask, __ATOMIC_RELAXED);
}

/* t takes the place of old in the table. False: old is not there. */
static bool table_replace(const struct trace *old, struct trace *t)
{
	u32 i = 0;

	mutex_lock(&traces_lock);
	while (i < TRACES_MAX && traces[i] != old)
		i++;
	if (i < TRACES_MAX) {
		__atomic_store_n(&traces[i], t, __ATOMIC_RELEASE);
		mask_make();
	}
	mutex_unlock(&traces_lock);
	return i < TRACES_MAX;
}

static bool ring_make(struct ring *r, u64 pages)
{
	r->entries = pages * PAGE_ENTRIES;
	r->pages = kzalloc(pages * sizeof(r->pages[0]));
	for (u64 i = 0; r->pages && i < pages; i++)
		if (!(r->pages[i] = kmalloc(PAGE_SIZE)))
			return false;
	return r->pages;
}

static void trace_destroy(struct object *o)
{
	struct trace *t = trace_of_object(o);

	if (table_replace(t, NULL))
		writers_wait();
	for (u32 cpu = 0; cpu < CPU_MAX; cpu++) {
		struct ring *r = &t->rings[cpu];

		for (u64 i = 0; r->pages && i < r->entries / PAGE_ENTRIES; i++)
			kfree(r->pages[i]);
		kfree(r->pages);
	}
	kfree(t);
}

const struct object_type trace_type = {
	.name = "trace",
	.generic_read = SYNCHRONIZE_ACCESS | BS_TRACE_ACCESS_READ,
	.generic_write = SYNCHRONIZE_ACCESS,
	.generic_execute = SYNCHRONIZE_ACCESS,
	.all_access = SYNCHRONIZE_ACCESS | BS_TRACE_ACCESS_READ,
	.destroy = trace_destroy,
};

u32 trace_create(u64 mask, u32 process, bool except, u64 entries, struct trace **out)
{
	struct trace *t = kzalloc(sizeof(*t));
	bool made = t;

	if (!t)
		return STATUS_INSUFFICIENT_RESOURCES;
	object_setup(&t->object, &trace_type);
	t->mask = mask;
	t->process = process;
	t->except = except;
	for (u32 cpu = 0; made && cpu < cpu_count; cpu++)
		made = ring_make(&t->rings[cpu], DIV_UP(entries, PAGE_ENTRIES));
	commit_refused = charge_refused;
	if (made && table_replace(NULL, t)) {
		*out = t;
		return STATUS_SUCCESS;
	}
	object_unref(&t->object);
	return STATUS_INSUFFICIENT_RESOURCES;
}

struct object *trace_object(struct trace *t) { return &t->object; }
struct trace *trace_of_object(struct object *o) { return container_of(o, struct trace, object); }

/* ---- reading ---- */

/* r's entry at its cursor, which moves on if that was overwritten. False: there is none before number end. traces_lock held. */
static bool ring_look(struct ring *r, u64 end, struct bs_event *e, u64 *lost)
{
	while (r->cursor < end) {
		u64 begun;

		*e = *ring_entry(r, r->cursor);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		begun = __atomic_load_n(&r->begun, __ATOMIC_RELAXED);
		if (begun <= r->cursor + r->entries)
			return true;
		*lost += begun - r->entries - r->cursor;
		r->cursor = begun - r->entries;
	}
	return false;
}

u32 trace_take(struct trace *t, struct bs_event *out, u32 max, u64 *lost)
{
	struct bs_event first[CPU_MAX]; /* of each ring */
	u64 now = clock_ns(), end[CPU_MAX];
	bool any[CPU_MAX];
	u32 n = 0;

	mutex_lock(&traces_lock);
	writers_wait(); /* what is older than now is in the rings */
	for (u32 i = 0; i < cpu_count; i++) {
		end[i] = __atomic_load_n(&t->rings[i].done, __ATOMIC_ACQUIRE);
		any[i] = ring_look(&t->rings[i], end[i], &first[i], lost);
	}
	while (n < max) {
		u32 oldest = CPU_MAX;

		for (u32 i = 0; i < cpu_count; i++)
			if (any[i] && first[i].time_ns < now && (oldest == CPU_MAX || first[i].time_ns < first[oldest].time_ns))
				oldest = i;
		if (oldest == CPU_MAX)
			break;
		out[n++] = first[oldest];
		t->rings[oldest].cursor++;
		any[oldest] = ring_look(&t->rings[oldest], end[oldest], &first[oldest], lost);
	}
	mutex_unlock(&traces_lock);
	return n;
}
