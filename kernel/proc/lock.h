/*
 * Locks. The order in which they may be taken is their rank: a lock is taken only while all locks that the CPU
 * (spinlocks) or the thread (mutexes) holds have a lower rank; equal ranks are refused too, except by
 * mutex_lock_nested. BUILD=debug asserts it at each acquisition. docs/locking.md lists who owns what.
 */
#ifndef PROC_LOCK_H
#define PROC_LOCK_H

#include "arch/arch.h"
#include "lib/debug.h"
#include "lib/list.h"
#include "lib/types.h"
#include "proc/sched.h"

/* The host's unit tests have locks of their own. */
#ifdef HOST_TEST
#define LOCK_CALL
#else
#define LOCK_CALL static inline
#endif

enum lock_rank {
	/* mutexes: may be held while sleeping */
	RANK_PROCESS = 10,  /* struct process: handles, threads, state */
	RANK_NAMES = 15,    /* the table of object names */
	RANK_WRITER = 17,   /* held by the writer over a cluster, and by mm_check */
	RANK_VSPACES = 18,  /* the list of address spaces */
	RANK_VSPACE = 20,   /* an address space: its views and the words of its page tables */
	RANK_SECTIONS = 25, /* the list of sections */
	RANK_SECTION = 30,  /* a section's prototype words */
	RANK_FILE = 40,     /* an open file's position */
	RANK_TRACES = 42,   /* who reads events, and how far */
	RANK_FILE_DATA = 44, /* a file's contents and size */
	RANK_FS = 45,       /* a FAT volume */
	RANK_FILE_SECTION = 46, /* the prototype words of a data file's pages */
	RANK_SWAP_LIST = 48, /* the set of paging files */
	RANK_BLOCK = 50,    /* a device's set-up */
	/* spinlocks: interrupts off, never sleep */
	RANK_PROCESS_LIST = 56, /* the list of processes, the users of their address spaces */
	RANK_FILE_TABLE = 58, /* the table of files in use */
	RANK_DEVICES = 59,  /* the list of block devices, and who has them */
	RANK_POOL = 60,     /* kernel memory */
	RANK_PAGING = 65,   /* the kernel's own page tables, kernel stacks */
	RANK_FRAMES = 70,   /* the frame lists, transition words, frame states */
	RANK_SWAP = 75,     /* slot bitmaps */
	RANK_COMMIT = 78,
	RANK_DEVICE = 80,   /* a device's queue */
	RANK_DISPATCH = 85, /* signal state of objects, wait queues */
	RANK_SCHED = 90,    /* run queues */
	RANK_CONSOLE = 100, /* last: any context may print */
};

/*
 * Disables interrupts while held. One word, taken by whoever comes first: with more virtual CPUs than real ones, a
 * queue of tickets would wait for waiters that do not run.
 */
struct spinlock {
	volatile u32 holder; /* cpu id + 1, 0 = free */
	u32 rank;
	const char *name;
};
#define SPINLOCK_INIT(lockname, lockrank) { .name = (lockname), .rank = (lockrank) }
void spin_init(struct spinlock *s, const char *name, enum lock_rank rank);
LOCK_CALL void spin_lock(struct spinlock *s);
bool spin_trylock(struct spinlock *s);
LOCK_CALL void spin_unlock(struct spinlock *s);
LOCK_CALL bool spin_held(const struct spinlock *s); /* by this CPU */

/* A queue of sleeping threads, under a spinlock of the owner's (rank below RANK_SCHED). */
struct wait_queue {
	struct list waiters;
};
#define WAIT_QUEUE_INIT(name) { LIST_INIT((name).waiters) }
#define WAIT_FOREVER (~0ull)
void wait_queue_init(struct wait_queue *q);
/*
 * Sleeps on q. The caller holds s, and no other spinlock; s protects the condition, is released while asleep and held
 * again on return. deadline: clock_ns() value or WAIT_FOREVER. True if woken; false at the deadline, or, if
 * interruptible, when the thread is told to end (see thread_ending). Look at the condition again in any case.
 */
bool wait_sleep(struct wait_queue *q, struct spinlock *s, u64 deadline, bool interruptible);
bool wait_sleep_release(struct wait_queue *q, struct spinlock *s, u64 deadline, bool interruptible); /* s is free on return */
/* The caller holds the same spinlock. Wakes the one that has waited longest, or all. Any context. */
void wait_wake_one(struct wait_queue *q);
void wait_wake_all(struct wait_queue *q);

/* Sleeping lock. Not recursive. Taken in thread context only, with no spinlock held. */
struct mutex {
	volatile u64 word;    /* the owner's address, + 1 if threads wait; 0 = free */
	struct spinlock lock; /* of waiters */
	struct wait_queue waiters;
	u32 rank;
	const char *name;
#ifdef DEBUG
	struct list held;     /* in the owner's list of held mutexes */
#endif
};
#define MUTEX_INIT(mutexname, lockname, lockrank)                                                                     \
	{ .lock = SPINLOCK_INIT(lockname, RANK_DISPATCH), .waiters = WAIT_QUEUE_INIT((mutexname).waiters),             \
	  .rank = (lockrank), .name = (lockname) }
void mutex_init(struct mutex *m, const char *name, enum lock_rank rank);
LOCK_CALL void mutex_lock(struct mutex *m);
LOCK_CALL void mutex_lock_nested(struct mutex *m); /* second lock of equal rank; the caller orders the two by address */
LOCK_CALL bool mutex_trylock(struct mutex *m);     /* never waits, is not checked for order */
LOCK_CALL void mutex_unlock(struct mutex *m);
LOCK_CALL bool mutex_held(const struct mutex *m);  /* by this thread */
/* True if this thread holds no mutex: then, and only then, it may wait for memory. */
LOCK_CALL bool mutex_none_held(void);

#ifndef HOST_TEST

/*
 * ---- the ways where nobody waits, inlined: taking and giving back a spinlock is sixteen instructions, a mutex eleven.
 * What BUILD=debug remembers and checks is in lock.c.
 */

#ifdef DEBUG
void spin_check_order(const struct spinlock *s);
void spin_remember(const struct spinlock *s);
void spin_forget(const struct spinlock *s);
void mutex_check_order(const struct mutex *m, bool nested);
void mutex_remember(struct mutex *m);
void mutex_forget(struct mutex *m);
#else
static inline void spin_check_order(const struct spinlock *s) { (void)s; }
static inline void spin_remember(const struct spinlock *s) { (void)s; }
static inline void spin_forget(const struct spinlock *s) { (void)s; }
static inline void mutex_check_order(const struct mutex *m, bool nested) { (void)m; (void)nested; }
static inline void mutex_remember(struct mutex *m) { (void)m; }
static inline void mutex_forget(struct mutex *m) { (void)m; }
#endif

/* lock.c: both end with the lock taken. */
void spin_wait(struct spinlock *s);
void mutex_wait(struct mutex *m);
void mutex_unlock_waited(struct mutex *m);

/*
 * struct cpu's spins, one word that one instruction changes: how many spinlocks the CPU holds, in the low byte, and above
 * it RFLAGS_INTERRUPTS if interrupts were on before the first.
 */
_Static_assert(offsetof(struct cpu, spin_depth) == offsetof(struct cpu, spins) && RFLAGS_INTERRUPTS > 0xff, "struct cpu");

/* Interrupts are off; flag: interrupts_flag() of before. */
static inline void spins_add(u32 flag)
{
	__asm__ volatile("addl %0, %%gs:%c1" ::"r"(flag + 1), "i"(offsetof(struct cpu, spins)) : "memory", "cc");
}

static inline void spins_remove(void)
{
	bool last;

	__asm__ volatile("decl %%gs:%c1; cmpl %2, %%gs:%c1"
			 : "=@cce"(last) : "i"(offsetof(struct cpu, spins)), "i"(RFLAGS_INTERRUPTS) : "memory");
	if (last) {
		this_cpu()->spins = 0;
		interrupts_on();
	}
}

static inline bool spin_take(struct spinlock *s)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(&s->holder, &free, cpu_id() + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_lock(struct spinlock *s)
{
	u32 flag = interrupts_flag();

	interrupts_off();
	spin_check_order(s);
	spins_add(flag);
	if (unlikely(!spin_take(s)))
		spin_wait(s);
	spin_remember(s);
}

static inline bool spin_held(const struct spinlock *s)
{
	return s->holder == cpu_id() + 1;
}

static inline void spin_unlock(struct spinlock *s)
{
	assert(spin_held(s));
	spin_forget(s);
	__atomic_store_n(&s->holder, 0, __ATOMIC_RELEASE);
	spins_remove();
}

static inline bool mutex_word_swap(struct mutex *m, u64 from, u64 to)
{
	return __atomic_compare_exchange_n(&m->word, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static inline void mutex_take(struct mutex *m, bool nested)
{
	struct thread *t = thread_current();

	mutex_check_order(m, nested);
	if (unlikely(!mutex_word_swap(m, 0, (u64)t)))
		mutex_wait(m);
	t->mutexes_held++;
	mutex_remember(m);
}

static inline void mutex_lock(struct mutex *m)
{
	mutex_take(m, false);
}

static inline void mutex_lock_nested(struct mutex *m)
{
	mutex_take(m, true);
}

static inline bool mutex_trylock(struct mutex *m)
{
	struct thread *t = thread_current();

	if (!mutex_word_swap(m, 0, (u64)t))
		return false;
	t->mutexes_held++;
	mutex_remember(m);
	return true;
}

static inline bool mutex_held(const struct mutex *m)
{
	return (m->word & ~1ull) == (u64)thread_current();
}

static inline void mutex_unlock(struct mutex *m)
{
	struct thread *t = thread_current();

	assert(mutex_held(m));
	mutex_forget(m);
	t->mutexes_held--;
	if (unlikely(!mutex_word_swap(m, (u64)t, 0)))
		mutex_unlock_waited(m);
}

static inline bool mutex_none_held(void)
{
	return !thread_current()->mutexes_held;
}

#endif /* HOST_TEST */

#endif
