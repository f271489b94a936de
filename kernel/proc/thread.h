/* User threads: the scheduler's thread, embedded in an object that user space can hold handles to. */
#ifndef PROC_THREAD_H
#define PROC_THREAD_H

#include "proc/process.h"

struct user_thread {
	struct object object;      /* signaled when it has ended and its kernel stack is free */
	struct thread thread;      /* thread.process holds a reference */
	struct list process_link;  /* in process->threads, under the process's lock */
	u64 teb;                   /* user address */
	u64 stack_low, stack_high; /* the reserved range of its stack; the guard-page fault grows the stack in it */
	u64 entry;                 /* where it starts in user mode (ntdll), and its registers there: */
	u64 rsp, start, parameter;
	u32 exit_status;
	bool exit_set;             /* exit_status was given; under the process's lock */
	bool last;                 /* it ended its process */
	u32 suspend_count;         /* it waits for 0 before it begins; under a lock of thread.c */
	struct wait_queue resumed;
	struct trap_frame *clone_frame; /* the copy of a thread: its registers until it starts */
	u8 fpu[512] __attribute__((aligned(16)));
};

static inline struct user_thread *user_thread_of(struct thread *t)
{
	return container_of(t, struct user_thread, thread);
}

static inline struct user_thread *user_thread_current(void)
{
	return user_thread_of(thread_current());
}

/* The registers of the current thread in user mode, from its trap or system call: they lie at its kernel stack's top. */
static inline struct trap_frame *thread_frame(void)
{
	return (struct trap_frame *)((u8 *)thread_current()->kernel_stack + KERNEL_STACK_SIZE) - 1;
}

/*
 * A thread of p, linked into it but not started: the caller gets a reference, and has to thread_start it, if only to
 * let it end. commit, reserve: bytes of its stack, 0 = as the EXE says. p's address space stays: acquired, or p is
 * new. STATUS_PROCESS_IS_TERMINATING, STATUS_NO_MEMORY, STATUS_COMMITMENT_LIMIT, STATUS_INSUFFICIENT_RESOURCES.
 */
u32 user_thread_create(struct process *p, u64 start, u64 parameter, u64 commit, u64 reserve, bool suspended,
		       struct user_thread **out);
/*
 * The same, of a copy of the current thread in p, whose memory is a copy of the current process's: it returns from the same
 * system call, with this result. STATUS_ACCESS_VIOLATION: its TEB can't be written.
 */
u32 user_thread_clone(struct process *p, u32 result, bool suspended, struct user_thread **out);
static inline struct user_thread *user_thread_from(struct object *o)
{
	return container_of(o, struct user_thread, object);
}

/*
 * Tells it to end, with this status unless it has one already. It may be the current one, which then goes on until it
 * leaves.
 */
void user_thread_terminate(struct user_thread *t, u32 status);
/* One resume; the count before. */
u32 user_thread_resume(struct user_thread *t);
/* The id of a new process or thread: a multiple of 4, not 0. */
u32 client_id_new(void);

#endif
