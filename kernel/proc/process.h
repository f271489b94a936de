/* Processes. A process owns an address space, handles and threads; it ends when its last thread does. */
#ifndef PROC_PROCESS_H
#define PROC_PROCESS_H

#include "mm/mm.h"
#include "proc/object.h"
#include "proc/sched.h"

struct handle_entry;
struct file;

struct process {
	struct object object;        /* signaled when it has ended */
	struct mutex lock;           /* handles, threads, exit state */
	u32 id, parent_id;
	char name[64];               /* base name of the image, UTF-8 */
	struct vspace *vspace;       /* NULL once it has ended */
	struct section *image;       /* held while it runs */
	struct list threads;
	u32 thread_count;
	bool ending, ended;
	u32 exit_status;
	u64 peb;
	u64 ntdll_base;              /* where ntdll.dll is mapped */
	u64 cpu_ns;                  /* of its ended threads */
	struct handle_entry **handle_blocks;
	u32 handle_block_slots;      /* length of handle_blocks */
	u32 handle_capacity;         /* entries in the blocks that exist */
	u32 handle_used;
	u32 handle_free;             /* head of the list of entries that are free again: index + 1, 0 = none */
	u32 handle_end;              /* no entry from here on was ever used */
	bool handles_closed;         /* it ends: no handle can be made any more */
	struct list all_link;        /* all processes, under the list's lock, as are the next three */
	u32 vspace_users;            /* see process_vspace_acquire */
	bool vspace_closed;
	struct wait_queue vspace_idle; /* its end waits here for the users to go */
	struct {
		u64 private_commit, working_set_peak, faults;
	} last;                      /* as they were when it ended */
};

static inline struct process *process_current(void)
{
	return thread_current()->process;
}

/* Loads what every process needs from the system volume; without it the machine ends. Thread context. */
void process_init(void);
/* Starts the first program (option run=) and waits for it; then the machine exits with its code. Does not return. */
noreturn void process_run_first(void);
/* The time-stamp counter when the first program's first thread left for user mode; 0 before. */
extern u64 process_first_user_tsc;
u64 process_count(void);
/* Ends p (another one or the current): all its threads are told to end. The first status given stays. */
void process_terminate(struct process *p, u32 status);

/* One more reference; NULL if there is none with this id. */
struct process *process_by_id(u32 id);
/*
 * Walks all processes: the one after p, or the first one if p is NULL. Takes p's reference, gives one; NULL at the
 * end.
 */
struct process *process_next(struct process *p);
/* What BsQueryProcess tells. */
void process_query(struct process *p, struct bs_process *out);
/*
 * The same as Windows' VM_COUNTERS_EX; the peaks of virtual size and commit are not kept: they equal the present
 * values.
 */
struct nt_vm_counters;
void process_memory_query(struct process *p, struct nt_vm_counters *out);

/*
 * Memory calls get a process by handle: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH, STATUS_ACCESS_DENIED;
 * STATUS_PROCESS_IS_TERMINATING if it has ended. Process and address space stay until process_vspace_release, by the same
 * thread.
 */
static inline u32 process_vspace_acquire(u64 handle, u32 access, struct process **out);
static inline void process_vspace_release(struct process *p);
/* The caller's own process stays while the caller runs in it: nothing is counted for it. */
u32 process_vspace_acquire_by_handle(u64 handle, u32 access, struct process **out);
void process_vspace_release_other(struct process *p);

static inline u32 process_vspace_acquire(u64 handle, u32 access, struct process **out)
{
	*out = process_current();
	return likely(handle == NT_CURRENT_PROCESS) ? STATUS_SUCCESS : process_vspace_acquire_by_handle(handle, access, out);
}

static inline void process_vspace_release(struct process *p)
{
	if (p != process_current())
		process_vspace_release_other(p);
}

/* The same for a process that the caller has a reference to, which stays the caller's. False: it has ended. */
bool process_vspace_enter(struct process *p);
void process_vspace_leave(struct process *p);

/* ---- for kernel/proc alone ---- */

/* A page priority that a program may set, from user memory: a ULONG, 1 to 5. STATUS_INVALID_PARAMETER, ... */
u32 page_priority_from_user(u64 at, u32 size, u8 *priority);

struct user_thread;

struct user_text { /* UTF-16, without a final 0 */
	u64 at;
	u64 bytes;
};

struct process_start {
	struct process *parent;  /* NULL: the kernel itself, and the texts are in kernel memory */
	struct file *image;
	struct user_text command_line, current_directory, environment;
	u64 standard[3];         /* handles: input, output, error */
	bool inherit, suspended;
	bool use_handles;        /* those of standard that are 0 stay 0 */
};

/*
 * A new process with one thread that was not started: the caller gets a reference to each, and has to thread_start the
 * thread, if only to let it end. Statuses as abi/backstore.h says of BsCreateProcess.
 */
u32 process_create(const struct process_start *s, struct process **out, struct user_thread **thread);
/* The same of a copy of the current process, with a copy of the current thread. flags: BS_CLONE_*. */
u32 process_clone(u32 flags, struct process **out, struct user_thread **thread);
/*
 * Starts a new process, whose references it takes, and gives the caller handles: process, thread and ids (two u32) say
 * where in user memory they are stored. If that fails the process ends at once.
 */
u32 process_launch(struct process *p, struct user_thread *t, u64 process, u64 thread, u64 ids);
/* The end of making a process: everybody knows it from here on; or, with a status that is an error, it is given back. */
u32 process_complete(struct process *p, u32 status, struct process **out);
struct process *process_alloc(void); /* one reference, not in the list yet. NULL: no memory */
/* Gives back all that the process has. No thread of it runs in user mode; it may be the caller's own. */
void process_finish(struct process *p);
/* Loads \system\ntdll.dll, which every process gets. False, with a message. */
bool process_load_ntdll(void);
extern u64 ntdll_thread_start_rva, ntdll_exception_rva; /* LdrInitializeThunk, KiUserExceptionDispatcher */

#endif
