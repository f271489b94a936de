/*
 * Kernel threads and the scheduler: one run queue, round robin, preemptive (the timer asks every 10 ms).
 * An ended thread's kernel stack is freed, and its ended function called, by a kernel thread of the scheduler's; its
 * memory belongs to whoever made it.
 */
#ifndef PROC_SCHED_H
#define PROC_SCHED_H

#include "arch/arch.h"
#include "lib/list.h"

struct process;
struct object;

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_SLEEPING, THREAD_ENDED };

/* The scheduler's part of a thread; user threads embed it as their first member (proc/thread.h). */
struct thread {
	struct arch_context context;
	struct process *process;      /* NULL: a kernel thread */
	struct vspace *vspace;        /* NULL: a kernel thread (keeps whatever is loaded) */
	void *kernel_stack;           /* lowest address; KERNEL_STACK_SIZE bytes */
	enum thread_state state;      /* under the scheduler's lock, as are the links, deadline and woken */
	u32 cpu;                      /* where it runs or ran last */
	u32 id;
	volatile bool ending;         /* told to end: interruptible waits return, the way back to user mode ends it */
	bool interruptible;           /* of the sleep that it is in */
	bool woken;
	const char *name;             /* kept */
	struct list run_link;         /* run queue, or the list of the dead */
	struct list wait_link;        /* wait queue */
	struct list sleep_link;       /* sleepers, by deadline */
	u64 deadline;                 /* clock_ns() value */
	u32 mutexes_held;             /* its own */
#ifdef DEBUG
	struct list mutexes;          /* those, newest first */
#endif
	u64 cpu_ticks, switched_at;   /* of the time-stamp counter: time on a CPU until switched_at */
	u32 in_page_status;           /* why its last in-page error was one: NTSTATUS */
	u8 page_priority;             /* of the pages that it brings in, if it is not higher than its process's */
	void (*entry)(void *);
	void *entry_argument;
	void (*ended)(struct thread *); /* thread context, no locks: t never runs again. May free t. NULL: nothing */
};

#define KERNEL_STACK_SIZE KIB(16)

extern struct thread thread_boot;

/* The boot context has been thread "main" from the start; this gives it an idle thread beside it: now it may sleep. */
void sched_init(void);
/* Gives another CPU its idle thread, and that as its current one. False: no memory. */
bool sched_cpu_prepare(struct cpu *c);
noreturn void sched_cpu_start(void); /* each CPU but the first ends here: its idle loop */
/* A kernel thread that runs entry(arg), already started; returning ends it. name is kept. NULL: no memory. */
struct thread *thread_create_kernel(const char *name, void (*entry)(void *), void *arg);
/*
 * For user threads: sets up t (zeroed; process, vspace, name, ended filled by the caller) with a kernel stack and an
 * id, not yet running; context.user_gs and context.fpu may be filled until thread_start. False: no memory.
 * thread_discard undoes it for a thread that was never started.
 */
bool thread_init(struct thread *t, void (*entry)(void *), void *arg);
void thread_discard(struct thread *t);
void thread_start(struct thread *t);
noreturn void thread_end(void);          /* the current one; holds no lock */
void thread_set_ending(struct thread *t); /* t->ending, and wakes it if it sleeps interruptibly */
static inline bool thread_ending(void) { return thread_current()->ending; }
void yield(void);
void sleep_until(u64 deadline);          /* clock_ns() value; interruptible */
void preempt_disable(void);
void preempt_enable(void);
void sched_tick(void);                   /* timer interrupt */
void sched_preempt(void);                /* at the end of a trap or interrupt, if cpu->reschedule */
/*
 * The current thread waits for memory, or for a page that had been in memory before, between the two. stall_times: for
 * how long since boot somebody did (some), and meanwhile no user thread ran or could run (full).
 */
void stall_begin(void);
void stall_end(void);
void stall_times(u64 *some_ns, u64 *full_ns);
/*
 * The current thread looks again and again whether what it waits for has come, which may be cheaper than to sleep, as long
 * as nobody else is ready. Between the two it does not count as able to run: it has nothing to do.
 */
void poll_begin(void);
void poll_end(void);
bool thread_is_ready(void);              /* some thread waits for a CPU: a glance, without a lock */
u64 thread_count(void);                  /* that have been set up and have not ended */
u64 thread_cpu_ns(const struct thread *t); /* time on a CPU until now */
/*
 * Idle CPUs call this again and again while it returns true (it did some work: zeroed a frame), with interrupts on.
 * In mm/frame_cache.c.
 */
bool frame_idle_work(void);
void frame_tick(void); /* each CPU's timer interrupt; in mm/frame_cache.c */

#endif
