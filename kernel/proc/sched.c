/*
 * The scheduler and sleeping.
 *
 * One lock covers the run queue, the sleepers and every thread's state; it is held across a switch, and let go by the
 * thread that was switched to. So nobody sees a thread as ready, or as dead, that still uses its stack.
 *
 * Threads run in turn, a tick at most. Only a thread that an interrupt has woken (its disk request is done, its time
 * has come) runs at once, in front of the queue, and the one that it interrupts comes right behind it; a limit to the
 * number of such favours in a tick keeps threads that only compute from starving.
 */
#include "proc/sched.h"

#include "lib/string.h"
#include "mm/pool.h"
#include "proc/lock.h"

#define FAVOURS_PER_TICK 32

extern u8 boot_stack[];

static HOT_DATA struct spinlock sched_lock = SPINLOCK_INIT("scheduler", RANK_SCHED);
static HOT_DATA struct list run_queue = LIST_INIT(run_queue);
static struct list sleepers = LIST_INIT(sleepers); /* by deadline, earliest first */
static struct list dead = LIST_INIT(dead);         /* for the reaper */
static volatile u64 next_deadline = WAIT_FOREVER;  /* of sleepers */
static HOT_DATA u32 idle_cpus;                     /* a bit for each CPU that runs its idle thread and was not called */
static u32 favours;
static u32 last_id = 1;

struct thread thread_boot = {
	.name = "main",
	.state = THREAD_RUNNING,
	.id = 1,
	.kernel_stack = boot_stack,
	.run_link = LIST_INIT(thread_boot.run_link),
	.wait_link = LIST_INIT(thread_boot.wait_link),
	.sleep_link = LIST_INIT(thread_boot.sleep_link),
#ifdef DEBUG
	.mutexes = LIST_INIT(thread_boot.mutexes),
#endif
};
static u64 threads = 1;
static struct thread idle_threads[CPU_MAX];
static struct thread *reaper;

/* ---- the run queue; sched_lock is held ---- */

static void idle_cpu_call(const struct thread *t)
{
	u32 i = t->cpu;

	if (!idle_cpus)
		return;
	if (!(idle_cpus & 1u << i))
		i = (u32)__builtin_ctz(idle_cpus);
	idle_cpus &= ~(1u << i);
	ipi_reschedule(cpus[i]);
}

/*
 * Stalls (sched.h). able: user threads that run or could run. Before either count changes, the time since the last change
 * is given to what was true in it.
 */
static HOT_DATA struct {
	u32 stalled, able;
	u64 since, some_ns, full_ns;
} stall;

static void stall_account(void)
{
	u64 now;

	if (!stall.stalled)
		return;
	now = clock_ns();
	stall.some_ns += now - stall.since;
	if (!stall.able)
		stall.full_ns += now - stall.since;
	stall.since = now;
}

static void able_change(const struct thread *t, i32 change)
{
	if (!t->process)
		return;
	stall_account();
	stall.able += (u32)change;
}

static void stalled_change(i32 change)
{
	spin_lock(&sched_lock);
	stall_account();
	if (!stall.stalled)
		stall.since = clock_ns();
	stall.stalled += (u32)change;
	spin_unlock(&sched_lock);
}

void stall_begin(void) { stalled_change(1); }
void stall_end(void) { stalled_change(-1); }

static void polling_change(i32 able)
{
	spin_lock(&sched_lock);
	able_change(thread_current(), able);
	spin_unlock(&sched_lock);
}

void poll_begin(void) { polling_change(-1); }
void poll_end(void) { polling_change(1); }
bool thread_is_ready(void) { return !list_empty(&run_queue); }

void stall_times(u64 *some_ns, u64 *full_ns)
{
	spin_lock(&sched_lock);
	stall_account();
	*some_ns = stall.some_ns;
	*full_ns = stall.full_ns;
	spin_unlock(&sched_lock);
}

static HOT void queue_put(struct thread *t, bool front)
{
	t->state = THREAD_READY;
	if (front)
		list_push_front(&run_queue, &t->run_link);
	else
		list_push_back(&run_queue, &t->run_link);
	idle_cpu_call(t);
}

static struct thread *queue_take(void)
{
	struct thread *t;

	if (list_empty(&run_queue))
		return NULL;
	t = list_first(&run_queue, struct thread, run_link);
	list_remove(&t->run_link);
	return t;
}

static HOT void wake(struct thread *t, bool woken)
{
	struct cpu *c = this_cpu();
	bool favoured = c->in_interrupt && !idle_cpus && favours < FAVOURS_PER_TICK;

	list_remove(&t->wait_link);
	if (t->deadline != WAIT_FOREVER)
		list_remove(&t->sleep_link);
	t->woken = woken;
	able_change(t, 1);
	queue_put(t, favoured);
	if (favoured) {
		favours++;
		c->reschedule = true;
	}
}

/* Runs t. The current thread is in its new state, and on its new queue, already. Returns when it runs again. */
static HOT void switch_to(struct thread *t)
{
	struct cpu *c = this_cpu();
	struct thread *from = c->current;
	u32 spins = c->spins;
	u64 now = tsc_read();

	assert(c->spin_depth == 1 && c->preempt_off == 0);
	from->cpu_ticks += now - from->switched_at;
	t->switched_at = now;
	t->state = THREAD_RUNNING;
	t->cpu = c->id;
	if (unlikely(t == c->idle))
		idle_cpus |= 1u << c->id;
	else if (unlikely(from == c->idle))
		idle_cpus &= ~(1u << c->id);
	c->current = t;
	c->context_switches++;
	context_switch(c, from, t);
	this_cpu()->spins = spins; /* another CPU, perhaps */
}

/* The current thread's state says that it no longer runs. */
static HOT void switch_away(void)
{
	struct thread *t = queue_take();

	switch_to(t ? t : this_cpu()->idle);
}

/* ---- preemption ---- */

void yield(void)
{
	struct thread *t;

	spin_lock(&sched_lock);
	t = queue_take();
	if (t) {
		queue_put(thread_current(), false);
		switch_to(t);
	}
	spin_unlock(&sched_lock);
}

void preempt_disable(void)
{
	__asm__ volatile("incl %%gs:%c0" ::"i"(offsetof(struct cpu, preempt_off)) : "memory");
}

void preempt_enable(void)
{
	struct cpu *c;

	__asm__ volatile("decl %%gs:%c0" ::"i"(offsetof(struct cpu, preempt_off)) : "memory");
	if (likely(!this_cpu()->reschedule) || !interrupts_enabled())
		return;
	interrupts_off();
	c = this_cpu();
	if (!c->preempt_off)
		sched_preempt();
	interrupts_on();
}

HOT void sched_tick(void)
{
	struct cpu *c = this_cpu();

	if (c->id == 0)
		favours = 0;
	frame_tick();
	if (clock_ns() >= next_deadline) {
		spin_lock(&sched_lock);
		while (!list_empty(&sleepers)) {
			struct thread *t = list_first(&sleepers, struct thread, sleep_link);

			next_deadline = t->deadline;
			if (clock_ns() < t->deadline)
				break;
			wake(t, false);
		}
		if (list_empty(&sleepers))
			next_deadline = WAIT_FOREVER;
		spin_unlock(&sched_lock);
	}
	if (!list_empty(&run_queue)) {
		c->slice_over = true;
		c->reschedule = true;
	}
}

/* Interrupts are off, no spinlock is held. */
void sched_preempt(void)
{
	struct cpu *c = this_cpu();
	struct thread *current = c->current, *t;

	c->reschedule = false;
	spin_lock(&sched_lock);
	t = queue_take();
	if (t) {
		if (current != c->idle)
			queue_put(current, !c->slice_over);
		c->slice_over = false;
		switch_to(t);
	}
	spin_unlock(&sched_lock);
}

/* ---- sleeping ---- */

HOT void wait_queue_init(struct wait_queue *q)
{
	list_init(&q->waiters);
}

static void sleepers_add(struct thread *t)
{
	struct list *at = sleepers.prev;

	while (at != &sleepers && list_entry(at, struct thread, sleep_link)->deadline > t->deadline)
		at = at->prev;
	list_insert_between(&t->sleep_link, at, at->next);
	next_deadline = list_first(&sleepers, struct thread, sleep_link)->deadline;
}

/* sched_lock is held. False: told to end, or too late; else the current thread's state is asleep. */
static bool sleep_begin(struct thread *t, u64 deadline, bool interruptible)
{
	t->woken = false;
	if ((interruptible && t->ending) || (deadline != WAIT_FOREVER && clock_ns() >= deadline))
		return false;
	t->interruptible = interruptible;
	t->deadline = deadline;
	if (deadline != WAIT_FOREVER)
		sleepers_add(t);
	t->state = THREAD_SLEEPING;
	able_change(t, -1);
	return true;
}

HOT bool wait_sleep_release(struct wait_queue *q, struct spinlock *s, u64 deadline, bool interruptible)
{
	struct thread *t = thread_current();

	assert(spin_held(s) && this_cpu()->spin_depth == 1 && !this_cpu()->in_interrupt && this_cpu()->idle);
	spin_lock(&sched_lock);
	if (sleep_begin(t, deadline, interruptible)) {
		list_push_back(&q->waiters, &t->wait_link);
		spin_unlock(s); /* a waker comes as far as sched_lock */
		switch_away();
	} else {
		spin_unlock(s);
	}
	spin_unlock(&sched_lock);
	return t->woken;
}

bool wait_sleep(struct wait_queue *q, struct spinlock *s, u64 deadline, bool interruptible)
{
	bool woken = wait_sleep_release(q, s, deadline, interruptible);

	spin_lock(s);
	return woken;
}

HOT void wait_wake_one(struct wait_queue *q)
{
	if (list_empty(&q->waiters)) /* joined only under the caller's lock */
		return;
	spin_lock(&sched_lock);
	if (!list_empty(&q->waiters)) /* a deadline may have come */
		wake(list_first(&q->waiters, struct thread, wait_link), true);
	spin_unlock(&sched_lock);
}

void wait_wake_all(struct wait_queue *q)
{
	if (list_empty(&q->waiters))
		return;
	spin_lock(&sched_lock);
	while (!list_empty(&q->waiters))
		wake(list_first(&q->waiters, struct thread, wait_link), true);
	spin_unlock(&sched_lock);
}

void sleep_until(u64 deadline)
{
	spin_lock(&sched_lock);
	if (sleep_begin(thread_current(), deadline, true))
		switch_away();
	spin_unlock(&sched_lock);
}

void thread_set_ending(struct thread *t)
{
	spin_lock(&sched_lock);
	t->ending = true;
	if (t->state == THREAD_SLEEPING && t->interruptible)
		wake(t, false);
	else if (t->state == THREAD_RUNNING && t != thread_current())
		ipi_reschedule(cpus[t->cpu]); /* out of user mode */
	spin_unlock(&sched_lock);
}

/* ---- threads ---- */

/* Where a new thread comes out of its first switch. */
static void thread_begin(void *thread)
{
	struct thread *t = thread;

	this_cpu()->spins = RFLAGS_INTERRUPTS | 1; /* sched_lock is held */
	spin_unlock(&sched_lock);
	t->entry(t->entry_argument);
	thread_end();
}

bool thread_init(struct thread *t, void (*entry)(void *), void *arg)
{
	t->kernel_stack = kernel_stack_alloc();
	if (!t->kernel_stack)
		return false;
	t->entry = entry;
	t->entry_argument = arg;
	if (!t->id)
		t->id = __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
	t->state = THREAD_SLEEPING;
	list_init(&t->run_link);
	list_init(&t->wait_link);
	list_init(&t->sleep_link);
#ifdef DEBUG
	list_init(&t->mutexes);
#endif
	t->deadline = WAIT_FOREVER;
	t->cpu = this_cpu()->id;
	context_init(&t->context, (u8 *)t->kernel_stack + KERNEL_STACK_SIZE, thread_begin, t);
	__atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
	return true;
}

void thread_discard(struct thread *t)
{
	kernel_stack_free(t->kernel_stack);
	t->kernel_stack = NULL;
	__atomic_sub_fetch(&threads, 1, __ATOMIC_RELAXED);
}

void thread_start(struct thread *t)
{
	spin_lock(&sched_lock);
	able_change(t, 1);
	queue_put(t, false);
	spin_unlock(&sched_lock);
}

static void kernel_thread_ended(struct thread *t)
{
	kfree(t);
}

struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->name = name;
	t->ended = kernel_thread_ended;
	if (!thread_init(t, entry, arg)) {
		kfree(t);
		return NULL;
	}
	thread_start(t);
	return t;
}

void thread_end(void)
{
	struct thread *t = thread_current();

	assert(!t->mutexes_held);
	__atomic_sub_fetch(&threads, 1, __ATOMIC_RELAXED);
	spin_lock(&sched_lock);
	t->state = THREAD_ENDED;
	able_change(t, -1);
	list_push_back(&dead, &t->run_link);
	if (reaper->state == THREAD_SLEEPING)
		wake(reaper, true);
	switch_away();
	panic("a dead thread runs");
}

static void reaper_run(void *arg)
{
	struct thread *t;

	(void)arg;
	for (;;) {
		spin_lock(&sched_lock);
		while (list_empty(&dead)) {
			thread_current()->state = THREAD_SLEEPING;
			thread_current()->interruptible = false;
			switch_away();
		}
		t = list_first(&dead, struct thread, run_link);
		list_remove(&t->run_link);
		spin_unlock(&sched_lock);
		if (t->kernel_stack != boot_stack)
			kernel_stack_free(t->kernel_stack);
		if (t->ended)
			t->ended(t);
	}
}

u64 thread_count(void)
{
	return threads;
}

u64 thread_cpu_ns(const struct thread *t)
{
	u64 ticks;

	spin_lock(&sched_lock);
	ticks = t->cpu_ticks + (t->state == THREAD_RUNNING ? tsc_read() - t->switched_at : 0);
	spin_unlock(&sched_lock);
	return clock_ticks_ns(ticks);
}

/* ---- idle CPUs ---- */

static void idle_run(void *arg)
{
	struct thread *t;

	(void)arg;
	for (;;) {
		while (list_empty(&run_queue) && frame_idle_work())
			;
		interrupts_off();
		spin_lock(&sched_lock);
		t = queue_take();
		if (t)
			switch_to(t);
		idle_cpus |= 1u << this_cpu()->id;
		spin_unlock(&sched_lock);
		if (t)
			interrupts_on();
		else
			__asm__ volatile("sti; hlt" ::: "memory"); /* no interrupt comes between the two */
	}
}

bool sched_cpu_prepare(struct cpu *c)
{
	struct thread *t = &idle_threads[c->id];

	t->name = "idle";
	if (!thread_init(t, idle_run, NULL))
		return false;
	t->cpu = c->id;
	c->idle = t;
	if (!c->current) {
		t->state = THREAD_RUNNING;
		c->current = t;
	}
	return true;
}

void sched_init(void)
{
	if (!sched_cpu_prepare(this_cpu()))
		panic("no memory for the idle thread");
	thread_set_kernel_stack(&thread_boot);
	reaper = thread_create_kernel("reaper", reaper_run, NULL);
	if (!reaper)
		panic("no memory for the scheduler's thread");
}

void sched_cpu_start(void)
{
	struct cpu *c = this_cpu();

	thread_set_kernel_stack(c->idle);
	c->online = true;
	while (cpu_count <= c->id) /* until the one that starts us counts us among those that flush their TLBs */
		cpu_relax();
	interrupts_on();
	idle_run(NULL);
	panic("the idle loop ended");
}
