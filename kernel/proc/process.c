/* Processes: the list of them, their end, and who may use their memory meanwhile. Creation is in process_create.c. */
#include "proc/process.h"

#include "lib/debug.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "options.h"
#include "proc/thread.h"

/* The list; vspace_users, vspace_closed and vspace_idle of every process; the last id given out. */
static struct spinlock processes_lock = SPINLOCK_INIT("processes", RANK_PROCESS_LIST);
static struct list processes = LIST_INIT(processes);
static u64 processes_count;
static u32 last_id;
static bool ids_used; /* last_id has come round: an id may be somebody's still */

u64 process_first_user_tsc;

static void process_destroy(struct object *o)
{
	struct process *p = container_of(o, struct process, object);

	assert(!p->vspace && !p->image && !p->handle_blocks && list_empty(&p->threads));
	spin_lock(&processes_lock);
	if (!list_empty(&p->all_link)) {
		list_remove(&p->all_link);
		processes_count--;
	}
	spin_unlock(&processes_lock);
	kfree(p);
}

HOT_CONST const struct object_type process_type = {
	.name = "process",
	.generic_read = 0x20410,
	.generic_write = 0x20bea,
	.generic_execute = 0x121001,
	.all_access = 0x1fffff,
	.waitable = true,
	.destroy = process_destroy,
};

void process_init(void)
{
	if (!process_load_ntdll())
		machine_exit(EXIT_NO_FIRST_PROGRAM);
}

u64 process_count(void)
{
	return __atomic_load_n(&processes_count, __ATOMIC_RELAXED);
}

/* ---- the list ---- */

static struct process *find_by_id(u32 id)
{
	struct process *p;

	assert(spin_held(&processes_lock));
	list_for_each(&processes, p, all_link)
		if (p->id == id)
			return p;
	return NULL;
}

u32 client_id_new(void)
{
	u32 id;

	spin_lock(&processes_lock);
	do {
		last_id += 4; /* after 2^30 of them it starts anew */
		ids_used |= !last_id;
	} while (!last_id || (ids_used && find_by_id(last_id)));
	id = last_id;
	spin_unlock(&processes_lock);
	return id;
}

struct process *process_by_id(u32 id)
{
	struct process *p;

	spin_lock(&processes_lock);
	p = find_by_id(id);
	if (p && !object_ref_unless_zero(&p->object))
		p = NULL;
	spin_unlock(&processes_lock);
	return p;
}

struct process *process_next(struct process *p)
{
	struct process *found = NULL;
	struct list *l;

	spin_lock(&processes_lock);
	for (l = p ? p->all_link.next : processes.next; l != &processes && !found; l = l->next) {
		found = list_entry(l, struct process, all_link);
		if (!object_ref_unless_zero(&found->object))
			found = NULL;
	}
	spin_unlock(&processes_lock);
	if (p)
		object_unref(&p->object);
	return found;
}

struct process *process_alloc(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	object_setup(&p->object, &process_type);
	mutex_init(&p->lock, "process", RANK_PROCESS);
	list_init(&p->threads);
	list_init(&p->all_link);
	wait_queue_init(&p->vspace_idle);
	p->exit_status = STATUS_PENDING;
	p->id = client_id_new();
	return p;
}

/* ---- its memory, used by others ---- */

bool process_vspace_enter(struct process *p)
{
	bool open;

	spin_lock(&processes_lock);
	open = !p->vspace_closed;
	if (open)
		p->vspace_users++;
	spin_unlock(&processes_lock);
	return open;
}

void process_vspace_leave(struct process *p)
{
	spin_lock(&processes_lock);
	assert(p->vspace_users);
	if (--p->vspace_users == 0)
		wait_wake_all(&p->vspace_idle);
	spin_unlock(&processes_lock);
}

u32 process_vspace_acquire_by_handle(u64 handle, u32 access, struct process **out)
{
	struct object *o;
	u32 status = handle_lookup(process_current(), handle, &process_type, access, &o);

	if (status)
		return status;
	*out = container_of(o, struct process, object);
	if (*out != process_current() && process_vspace_enter(*out))
		return STATUS_SUCCESS;
	object_unref(o);
	return *out == process_current() ? STATUS_SUCCESS : STATUS_PROCESS_IS_TERMINATING;
}

void process_vspace_release_other(struct process *p)
{
	process_vspace_leave(p);
	object_unref(&p->object);
}

/* ---- end ---- */

void process_terminate(struct process *p, u32 status)
{
	struct user_thread *t;

	mutex_lock(&p->lock);
	if (!p->ending) {
		p->ending = true;
		p->exit_status = status;
		list_for_each(&p->threads, t, process_link)
			thread_set_ending(&t->thread);
	}
	mutex_unlock(&p->lock);
}

/* From here on nobody gets at the address space; waits for those who use it. */
static void vspace_close(struct process *p)
{
	if (p->vspace)
		p->vspace->dying = true; /* who waits for memory on its behalf need not */
	spin_lock(&processes_lock);
	p->vspace_closed = true;
	while (p->vspace_users)
		wait_sleep(&p->vspace_idle, &processes_lock, WAIT_FOREVER, false);
	spin_unlock(&processes_lock);
}

void process_finish(struct process *p)
{
	struct thread *self = thread_current();
	struct vspace *v = p->vspace;
	u64 errors;

	vspace_close(p);
	handle_close_all(p);
	if (v) {
		p->last.private_commit = v->private_charge + v->physical;
		p->last.working_set_peak = v->resident_peak;
		p->last.faults = v->faults;
		if (self->vspace == v) {
			preempt_disable();
			self->vspace = NULL;
			page_tables_load(NULL);
			preempt_enable();
		}
		p->vspace = NULL;
		vspace_destroy(v);
	}
	if (p->image)
		section_unref(p->image);
	p->image = NULL;
	if (options.check_exit) {
		errors = mm_check();
		if (errors)
			panic("mm_check: %lu errors after the end of %s (pid %u)", errors, p->name, p->id);
	}
	mutex_lock(&p->lock);
	p->ended = true;
	mutex_unlock(&p->lock);
}

u32 process_complete(struct process *p, u32 status, struct process **out)
{
	if (status) {
		process_finish(p);
		object_unref(&p->object);
		return status;
	}
	spin_lock(&processes_lock);
	list_push_back(&processes, &p->all_link);
	processes_count++;
	spin_unlock(&processes_lock);
	*out = p;
	return STATUS_SUCCESS;
}

/* ---- queries ---- */

void process_query(struct process *p, struct bs_process *out)
{
	struct user_thread *t;

	memset(out, 0, sizeof(*out));
	out->id = p->id;
	out->parent_id = p->parent_id;
	strlcpy(out->name, p->name, sizeof(out->name));

	mutex_lock(&p->lock);
	out->threads = p->thread_count;
	out->handles = p->handle_used;
	out->cpu_ns = p->cpu_ns;
	list_for_each(&p->threads, t, process_link)
		out->cpu_ns += thread_cpu_ns(&t->thread);
	out->exited = p->ended;
	out->exit_status = p->ended ? p->exit_status : STATUS_PENDING;
	mutex_unlock(&p->lock);

	if (process_vspace_enter(p)) {
		out->private_commit = p->vspace->private_charge + p->vspace->physical;
		out->physical = p->vspace->physical;
		out->working_set = p->vspace->resident;
		out->working_set_peak = p->vspace->resident_peak;
		out->page_tables = p->vspace->table_charge;
		out->faults = p->vspace->faults;
		out->locked = p->vspace->locked;
		process_vspace_leave(p);
	} else {
		out->private_commit = p->last.private_commit;
		out->working_set_peak = p->last.working_set_peak;
		out->faults = p->last.faults;
	}
}
