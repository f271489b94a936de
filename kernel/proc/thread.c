/* User threads: their stack and TEB, their beginning and their end. */
#include "proc/thread.h"

#include "abi/nt_process.h"
#include "image/pe.h"
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/exception.h"

#define STACK_RESERVE_DEFAULT MIB(1)

static struct spinlock suspend_lock = SPINLOCK_INIT("suspended threads", RANK_DISPATCH);

static void thread_destroy(struct object *o)
{
	struct user_thread *t = user_thread_from(o);

	object_unref(&t->thread.process->object);
	kfree(t->clone_frame);
	kfree(t);
}

HOT_CONST const struct object_type thread_type = {
	.name = "thread",
	.generic_read = 0x20048,
	.generic_write = 0x20437,
	.generic_execute = 0x121800,
	.all_access = 0x1fffff,
	.waitable = true,
	.destroy = thread_destroy,
};

/* ---- creation ---- */

static u32 write_all(struct vspace *v, u64 to, const void *from, size_t n)
{
	size_t done;

	return vspace_write(v, to, from, n, &done);
}

static void region_free(struct vspace *v, u64 base)
{
	u64 size = 0;

	if (base)
		vspace_free(v, &base, &size, MEM_RELEASE);
}

/*
 * Reserves a stack and commits its upper end; the page below that is a guard, which grows the stack when it is touched.
 * *limit: the lowest address that can be used. As on Windows, a commitment that does not fit makes the reservation
 * grow.
 */
static u32 stack_create(struct user_thread *t, u64 commit, u64 reserve, u64 *limit)
{
	const struct pe_image *image = section_image(t->thread.process->image);
	struct vspace *v = t->thread.vspace;
	u64 base, size;
	u32 status;

	if (!reserve)
		reserve = image->stack_reserve ? image->stack_reserve : STACK_RESERVE_DEFAULT;
	if (!commit)
		commit = image->stack_commit;
	if (reserve > USER_HIGH || commit > USER_HIGH)
		return STATUS_NO_MEMORY;
	commit = ALIGN_UP(MAX(commit, PAGE_SIZE), PAGE_SIZE);
	size = ALIGN_UP(reserve, GRANULARITY);
	if (commit + 2 * PAGE_SIZE > size) /* the guard, and one more that stays unused */
		size = ALIGN_UP(commit + 2 * PAGE_SIZE, MIB(1));

	status = vspace_allocate_stack(v, &base, size, commit);
	if (status)
		return status;
	t->stack_low = base;
	t->stack_high = base + size;
	*limit = t->stack_high - commit;
	return STATUS_SUCCESS;
}

static u32 teb_create(struct user_thread *t, u64 stack_limit)
{
	struct process *p = t->thread.process;
	u64 size = TEB_SIZE;
	u32 status = vspace_allocate(p->vspace, &t->teb, &size, NULL, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, false);
	struct nt_teb teb = {
		.exception_list = ~0ull,
		.stack_base = t->stack_high,
		.stack_limit = stack_limit,
		.self = t->teb,
		.client_id = { p->id, t->thread.id },
		.peb = p->peb,
	};

	if (!status)
		status = write_all(p->vspace, t->teb, &teb, sizeof(teb));
	if (!status)
		status = write_all(p->vspace, t->teb + TEB_DEALLOCATION_STACK, &t->stack_low, sizeof(t->stack_low));
	return status;
}

/* Before it goes to user mode for the first time. */
static void wait_resumed(struct user_thread *t)
{
	spin_lock(&suspend_lock);
	while (t->suspend_count && !thread_ending())
		wait_sleep(&t->resumed, &suspend_lock, WAIT_FOREVER, true);
	spin_unlock(&suspend_lock);
	if (thread_ending())
		thread_exit_ending();
	if (!process_first_user_tsc)
		process_first_user_tsc = tsc_read();
}

/* The scheduler's first call, on the thread's own stack. */
static void user_thread_begin(void *arg)
{
	struct user_thread *t = arg;

	wait_resumed(t);
	enter_user(t->entry, t->rsp, t->start, t->parameter);
}

/* The same for the copy of a thread, which goes on where the other one is. */
static void thread_clone_begin(void *arg)
{
	struct user_thread *t = arg;
	struct trap_frame f = *t->clone_frame;

	kfree(t->clone_frame);
	t->clone_frame = NULL;
	wait_resumed(t);
	trap_return(&f);
}

/* From the scheduler, when the thread's kernel stack is free: so who waits for it finds all of it gone. */
static void user_thread_ended(struct thread *thread)
{
	struct user_thread *t = user_thread_of(thread);

	object_signal(&t->object);
	if (t->last)
		object_signal(&thread->process->object);
	object_unref(&t->object);
}

/* Puts t among the threads of its process, unless that ends already. */
static u32 thread_link(struct user_thread *t)
{
	struct process *p = t->thread.process;
	u32 status = STATUS_SUCCESS;

	mutex_lock(&p->lock);
	if (p->ending) {
		status = STATUS_PROCESS_IS_TERMINATING;
	} else {
		list_push_back(&p->threads, &t->process_link);
		p->thread_count++;
	}
	mutex_unlock(&p->lock);
	return status;
}

/* All but its memory. NULL: no memory. */
static struct user_thread *thread_alloc(struct process *p, bool suspended)
{
	struct user_thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	object_setup(&t->object, &thread_type);
	object_ref(&p->object);
	list_init(&t->process_link);
	wait_queue_init(&t->resumed);
	t->thread.process = p;
	t->thread.vspace = p->vspace;
	t->thread.name = p->name;
	t->thread.page_priority = MEMORY_PRIORITY_NORMAL;
	t->thread.id = client_id_new();
	t->thread.ended = user_thread_ended;
	t->exit_status = STATUS_PENDING;
	t->suspend_count = suspended;
	return t;
}

/* Its stack and TEB are there: it gets a kernel stack, where it will begin with begin, and joins its process. */
static u32 thread_set_up(struct user_thread *t, void (*begin)(void *t))
{
	u32 status;

	if (!thread_init(&t->thread, begin, t))
		return STATUS_INSUFFICIENT_RESOURCES;
	t->thread.context.fpu = t->fpu;
	t->thread.context.user_gs = t->teb;
	object_ref(&t->object); /* the thread's own, until it has ended */
	status = thread_link(t);
	if (status) {
		thread_discard(&t->thread);
		object_unref(&t->object);
	}
	return status;
}

u32 user_thread_create(struct process *p, u64 start, u64 parameter, u64 commit, u64 reserve, bool suspended,
		       struct user_thread **out)
{
	struct user_thread *t = thread_alloc(p, suspended);
	u64 stack_limit;
	u32 status;

	if (!t)
		return STATUS_INSUFFICIENT_RESOURCES;
	fpu_init_state(t->fpu);
	status = stack_create(t, commit, reserve, &stack_limit);
	if (!status)
		status = teb_create(t, stack_limit);
	if (!status) {
		t->entry = p->ntdll_base + ntdll_thread_start_rva;
		/* As if called: aligned but for a return address, with the caller's four home places above it. */
		t->rsp = t->stack_high - 5 * sizeof(u64);
		t->start = start;
		t->parameter = parameter;
		status = thread_set_up(t, user_thread_begin);
	}
	if (status) {
		region_free(p->vspace, t->teb);
		region_free(p->vspace, t->stack_low);
		object_unref(&t->object);
		return status;
	}
	*out = t;
	return STATUS_SUCCESS;
}

u32 user_thread_clone(struct process *p, u32 result, bool suspended, struct user_thread **out)
{
	struct user_thread *self = user_thread_current(), *t = thread_alloc(p, suspended);
	struct nt_client_id id;
	u32 status;

	if (!t)
		return STATUS_INSUFFICIENT_RESOURCES;
	t->thread.page_priority = self->thread.page_priority;
	t->teb = self->teb;
	t->stack_low = self->stack_low;
	t->stack_high = self->stack_high;
	fpu_store(t->fpu);
	t->clone_frame = kmalloc(sizeof(*t->clone_frame));
	if (!t->clone_frame) {
		object_unref(&t->object);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	*t->clone_frame = *thread_frame();
	t->clone_frame->rax = result;
	id = (struct nt_client_id){ p->id, t->thread.id };
	status = write_all(p->vspace, t->teb + offsetof(struct nt_teb, client_id), &id, sizeof(id));
	if (!status)
		status = thread_set_up(t, thread_clone_begin);
	if (status) {
		object_unref(&t->object);
		return status;
	}
	*out = t;
	return STATUS_SUCCESS;
}

u32 user_thread_resume(struct user_thread *t)
{
	u32 before;

	spin_lock(&suspend_lock);
	before = t->suspend_count;
	if (before && --t->suspend_count == 0)
		wait_wake_all(&t->resumed);
	spin_unlock(&suspend_lock);
	return before;
}

/* ---- end ---- */

void user_thread_terminate(struct user_thread *t, u32 status)
{
	struct process *p = t->thread.process;

	mutex_lock(&p->lock);
	if (!t->exit_set && !p->ending) {
		t->exit_set = true;
		t->exit_status = status;
	}
	mutex_unlock(&p->lock);
	thread_set_ending(&t->thread);
}

void thread_exit_ending(void)
{
	struct user_thread *t = user_thread_current();
	struct process *p = t->thread.process;
	u64 teb = t->teb, stack = t->stack_low;

	assert(mutex_none_held());
	/* If the process ends as well, this goes with the whole address space. */
	if (!__atomic_load_n(&p->ending, __ATOMIC_RELAXED)) {
		t->stack_low = t->stack_high = t->teb = 0;
		region_free(p->vspace, teb);
		region_free(p->vspace, stack);
	}

	mutex_lock(&p->lock);
	list_remove(&t->process_link);
	p->cpu_ns += thread_cpu_ns(&t->thread);
	t->last = --p->thread_count == 0;
	if (!t->exit_set) {
		t->exit_set = true;
		t->exit_status = p->exit_status;
	}
	if (t->last && !p->ending) {
		p->ending = true;
		p->exit_status = t->exit_status;
	}
	mutex_unlock(&p->lock);

	if (t->last)
		process_finish(p);
	thread_end();
}
