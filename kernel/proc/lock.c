/* Spinlocks and mutexes. */
#include "proc/lock.h"

#include "proc/sched.h"

#define STUCK_SECONDS 60 /* debug: nobody holds a spinlock so long */
#define WAITERS 1ull     /* in mutex.word */

/* ---- spinlocks ---- */

void spin_init(struct spinlock *s, const char *name, enum lock_rank rank)
{
	*s = (struct spinlock)SPINLOCK_INIT(name, rank);
}

#ifdef DEBUG
static void spin_check_order(const struct cpu *c, const struct spinlock *s)
{
	u32 i;

	if (c->spin_depth >= ARRAY_SIZE(c->spin_stack))
		panic("too many spinlocks held, taking \"%s\"", s->name);
	for (i = 0; i < c->spin_depth; i++)
		if (c->spin_stack[i]->rank >= s->rank)
			panic("lock order: spinlock \"%s\" (%u) taken with \"%s\" (%u) held", s->name, s->rank,
			      c->spin_stack[i]->name, c->spin_stack[i]->rank);
}

static void spin_remember(struct cpu *c, const struct spinlock *s)
{
	c->spin_stack[c->spin_depth - 1] = s;
}

static void spin_forget(struct cpu *c, const struct spinlock *s)
{
	u32 i;

	for (i = c->spin_depth; i-- > 0;) {
		if (c->spin_stack[i] != s)
			continue;
		for (; i + 1 < c->spin_depth; i++)
			c->spin_stack[i] = c->spin_stack[i + 1];
		return;
	}
}

static void spin_wait(const struct spinlock *s)
{
	u64 start = clock_ns();

	while (s->holder) {
		cpu_relax();
		if (clock_ns() - start > STUCK_SECONDS * 1000000000ull && !panicking)
			panic("spinlock \"%s\" is stuck, held by CPU %u", s->name, s->holder - 1);
	}
}
#else
static void spin_check_order(const struct cpu *c, const struct spinlock *s) { (void)c; (void)s; }
static void spin_remember(struct cpu *c, const struct spinlock *s) { (void)c; (void)s; }
static void spin_forget(struct cpu *c, const struct spinlock *s) { (void)c; (void)s; }

static void spin_wait(const struct spinlock *s)
{
	while (s->holder)
		cpu_relax();
}
#endif

static bool spin_take(struct spinlock *s, u32 me)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(&s->holder, &free, me, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void spin_lock(struct spinlock *s)
{
	bool on = interrupts_enabled();
	struct cpu *c;

	interrupts_off();
	c = this_cpu();
	spin_check_order(c, s);
	if (c->spin_depth++ == 0)
		c->spin_saved_if = on;
	while (!spin_take(s, c->id + 1))
		spin_wait(s);
	spin_remember(c, s);
}

bool spin_trylock(struct spinlock *s)
{
	bool on = interrupts_enabled();
	struct cpu *c;

	interrupts_off();
	c = this_cpu();
	if (!spin_take(s, c->id + 1)) {
		if (on)
			interrupts_on();
		return false;
	}
	if (c->spin_depth++ == 0)
		c->spin_saved_if = on;
	spin_remember(c, s);
	return true;
}

void spin_unlock(struct spinlock *s)
{
	struct cpu *c = this_cpu();

	assert(s->holder == c->id + 1);
	spin_forget(c, s);
	__atomic_store_n(&s->holder, 0, __ATOMIC_RELEASE);
	if (--c->spin_depth == 0 && c->spin_saved_if)
		interrupts_on();
}

bool spin_held(const struct spinlock *s)
{
	return s->holder == this_cpu()->id + 1;
}

/* ---- mutexes ---- */

/*
 * The word is changed with compare-and-swap; only who finds it taken goes to the wait queue. A mutex that is given
 * back is free for anybody, not handed to the first waiter: a waiter that has still to run would keep all others out
 * until then. No wake-up is lost: a waiter that wakes takes the lock, marking it if others wait, or marks it and
 * waits again.
 */
void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
	*m = (struct mutex){ .rank = rank, .name = name };
	spin_init(&m->lock, name, RANK_DISPATCH);
	wait_queue_init(&m->waiters);
	list_init(&m->held);
}

static bool word_swap(struct mutex *m, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&m->word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void mutex_wait(struct mutex *m, u64 me)
{
	u64 word;

	spin_lock(&m->lock);
	for (;;) {
		word = m->word;
		if (word == 0) {
			if (word_swap(m, 0, me | (list_empty(&m->waiters.waiters) ? 0 : WAITERS)))
				break;
		} else if (word & WAITERS || word_swap(m, word, word | WAITERS)) {
			wait_sleep(&m->waiters, &m->lock, WAIT_FOREVER, false);
		}
	}
	spin_unlock(&m->lock);
}

static void mutex_check_order(const struct mutex *m, struct thread *t, bool nested)
{
#ifdef DEBUG
	const struct mutex *held;

	if (this_cpu()->spin_depth || this_cpu()->preempt_off)
		panic("mutex \"%s\" taken with preemption off", m->name);
	list_for_each(&t->mutexes, held, held)
		if (held == m || held->rank > m->rank || (held->rank == m->rank && !nested))
			panic("lock order: mutex \"%s\" (%u) taken with \"%s\" (%u) held", m->name, m->rank, held->name,
			      held->rank);
#else
	(void)m;
	(void)t;
	(void)nested;
#endif
}

static void mutex_take(struct mutex *m, bool nested)
{
	struct thread *t = thread_current();

	mutex_check_order(m, t, nested);
	if (unlikely(!word_swap(m, 0, (u64)t)))
		mutex_wait(m, (u64)t);
	list_push_front(&t->mutexes, &m->held);
}

void mutex_lock(struct mutex *m)
{
	mutex_take(m, false);
}

void mutex_lock_nested(struct mutex *m)
{
	mutex_take(m, true);
}

bool mutex_trylock(struct mutex *m)
{
	struct thread *t = thread_current();

	if (!word_swap(m, 0, (u64)t))
		return false;
	list_push_front(&t->mutexes, &m->held);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	struct thread *t = thread_current();

	assert(mutex_held(m));
	list_remove(&m->held);
	if (likely(word_swap(m, (u64)t, 0)))
		return;
	spin_lock(&m->lock);
	__atomic_store_n(&m->word, 0, __ATOMIC_RELEASE);
	wait_wake_one(&m->waiters);
	spin_unlock(&m->lock);
}

bool mutex_held(const struct mutex *m)
{
	return (m->word & ~WAITERS) == (u64)thread_current();
}

bool mutex_none_held(void)
{
	return list_empty(&thread_current()->mutexes);
}
