/* Spinlocks and mutexes. */
#include "proc/lock.h"

#define STUCK_SECONDS 60 /* debug: nobody holds a spinlock so long */
#define WAITERS 1ull     /* in mutex.word */

/* ---- spinlocks ---- */

void spin_init(struct spinlock *s, const char *name, enum lock_rank rank)
{
	*s = (struct spinlock)SPINLOCK_INIT(name, rank);
}

#ifdef DEBUG
void spin_check_order(const struct spinlock *s)
{
	const struct cpu *c = this_cpu();
	u32 i;

	if (c->spin_depth >= ARRAY_SIZE(c->spin_stack))
		panic("too many spinlocks held, taking \"%s\"", s->name);
	for (i = 0; i < c->spin_depth; i++)
		if (c->spin_stack[i]->rank >= s->rank)
			panic("lock order: spinlock \"%s\" (%u) taken with \"%s\" (%u) held", s->name, s->rank,
			      c->spin_stack[i]->name, c->spin_stack[i]->rank);
}

void spin_remember(const struct spinlock *s)
{
	struct cpu *c = this_cpu();

	c->spin_stack[c->spin_depth - 1] = s;
}

void spin_forget(const struct spinlock *s)
{
	struct cpu *c = this_cpu();
	u32 i;

	for (i = c->spin_depth; i-- > 0;) {
		if (c->spin_stack[i] != s)
			continue;
		for (; i + 1 < c->spin_depth; i++)
			c->spin_stack[i] = c->spin_stack[i + 1];
		return;
	}
}

void spin_wait(struct spinlock *s)
{
	u64 start = clock_ns();

	while (s->holder || !spin_take(s)) {
		cpu_relax();
		if (clock_ns() - start > STUCK_SECONDS * 1000000000ull && !panicking)
			panic("spinlock \"%s\" is stuck, held by CPU %u", s->name, s->holder - 1);
	}
}
#else
void spin_wait(struct spinlock *s)
{
	while (s->holder || !spin_take(s))
		cpu_relax();
}
#endif

bool spin_trylock(struct spinlock *s)
{
	u32 flag = interrupts_flag();

	interrupts_off();
	if (!spin_take(s)) {
		if (flag)
			interrupts_on();
		return false;
	}
	spins_add(flag);
	spin_remember(s);
	return true;
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
}

void mutex_wait(struct mutex *m)
{
	u64 me = (u64)thread_current(), word;

	spin_lock(&m->lock);
	for (;;) {
		word = m->word;
		if (word == 0) {
			if (mutex_word_swap(m, 0, me | (list_empty(&m->waiters.waiters) ? 0 : WAITERS)))
				break;
		} else if (word & WAITERS || mutex_word_swap(m, word, word | WAITERS)) {
			wait_sleep(&m->waiters, &m->lock, WAIT_FOREVER, false);
		}
	}
	spin_unlock(&m->lock);
}

void mutex_unlock_waited(struct mutex *m)
{
	spin_lock(&m->lock);
	__atomic_store_n(&m->word, 0, __ATOMIC_RELEASE);
	wait_wake_one(&m->waiters);
	spin_unlock(&m->lock);
}

#ifdef DEBUG
void mutex_check_order(const struct mutex *m, bool nested)
{
	const struct mutex *held;

	if (this_cpu()->spin_depth || this_cpu()->preempt_off)
		panic("mutex \"%s\" taken with preemption off", m->name);
	list_for_each(&thread_current()->mutexes, held, held)
		if (held == m || held->rank > m->rank || (held->rank == m->rank && !nested))
			panic("lock order: mutex \"%s\" (%u) taken with \"%s\" (%u) held", m->name, m->rank, held->name,
			      held->rank);
}

void mutex_remember(struct mutex *m)
{
	list_push_front(&thread_current()->mutexes, &m->held);
}

void mutex_forget(struct mutex *m)
{
	list_remove(&m->held);
}
#endif
