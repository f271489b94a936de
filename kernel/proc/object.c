/*
 * Objects: references, names, and waiting for them. One lock, the dispatch lock, guards the signal state of all objects
 * and all waits: so a wait for several objects sees them at one moment, and whoever signals an object finishes the
 * waits that this satisfies. A waiter never has to look again.
 */
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/process.h"
#include "proc/syscall.h"

/* One for each object of a wait, on the waiter's stack, in the object's list; those of one wait are neighbours. */
struct wait_block {
	struct list link;
	struct waiter *waiter;
};

struct waiter {
	struct object **objects;
	u32 count;
	u32 index;               /* what ended it */
	bool all;
	bool done;               /* its blocks are in no list any more */
	struct wait_queue queue; /* of one; this and blocks: once it sleeps */
	struct wait_block *blocks;
};

static HOT_DATA struct spinlock dispatch_lock = SPINLOCK_INIT("dispatch", RANK_DISPATCH);
static struct mutex names_lock;
static struct list names = LIST_INIT(names); /* of objects */

void object_init(void)
{
	mutex_init(&names_lock, "names", RANK_NAMES);
}

void object_setup(struct object *o, const struct object_type *type)
{
	memset(o, 0, sizeof(*o));
	o->type = type;
	o->refs = 1;
	list_init(&o->wait_blocks);
	list_init(&o->name_link);
}

bool object_ref_unless_zero(struct object *o)
{
	u32 refs = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);

	while (refs)
		if (__atomic_compare_exchange_n(&o->refs, &refs, refs + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	return false;
}

void object_destroy(struct object *o)
{
	if (o->name)
		object_name_remove(o, false);
	assert(list_empty(&o->wait_blocks));
	o->type->destroy(o);
}

u32 object_access_map(const struct object_type *type, u32 desired)
{
	u32 access = desired & ~(GENERIC_READ_ACCESS | GENERIC_WRITE_ACCESS | GENERIC_EXECUTE_ACCESS |
				 GENERIC_ALL_ACCESS | MAXIMUM_ALLOWED_ACCESS);

	if (desired & GENERIC_READ_ACCESS)
		access |= type->generic_read;
	if (desired & GENERIC_WRITE_ACCESS)
		access |= type->generic_write;
	if (desired & GENERIC_EXECUTE_ACCESS)
		access |= type->generic_execute;
	if (desired & (GENERIC_ALL_ACCESS | MAXIMUM_ALLOWED_ACCESS))
		access |= type->all_access;
	/* Who may ask everything about a process may ask a little: so Windows documents it since Vista. */
	if (type == &process_type && access & PROCESS_QUERY_INFORMATION)
		access |= PROCESS_QUERY_LIMITED_INFORMATION;
	return access;
}

/* ---- names ---- */

static struct object *name_find(const char *name)
{
	struct object *o;

	list_for_each(&names, o, name_link)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

u32 object_name_insert(struct object *o, const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = kmalloc(size);
	struct object *other;

	if (!copy)
		return STATUS_INSUFFICIENT_RESOURCES;
	memcpy(copy, name, size);
	mutex_lock(&names_lock);
	assert(!o->name);
	other = name_find(name);
	/* One that is being destroyed still has its name, for a moment: it gives way. */
	if (other && object_ref_unless_zero(other)) {
		mutex_unlock(&names_lock);
		object_unref(other);
		kfree(copy);
		return STATUS_OBJECT_NAME_COLLISION;
	}
	o->name = copy;
	list_push_front(&names, &o->name_link);
	mutex_unlock(&names_lock);
	return STATUS_SUCCESS;
}

struct object *object_name_lookup(const char *name)
{
	struct object *o;

	mutex_lock(&names_lock);
	o = name_find(name);
	if (o && !object_ref_unless_zero(o))
		o = NULL;
	mutex_unlock(&names_lock);
	return o;
}

void object_name_remove(struct object *o, bool unless_handles)
{
	char *name = NULL;

	mutex_lock(&names_lock);
	if (!unless_handles || !__atomic_load_n(&o->handles, __ATOMIC_ACQUIRE)) {
		name = o->name;
		o->name = NULL;
		list_remove(&o->name_link);
	}
	mutex_unlock(&names_lock);
	kfree(name);
}

/* ---- creating and opening for user space ---- */

#define NAME_BYTES 512

static u32 named_open(const char *name, const struct object_type *type, u32 access, u32 flags, u64 to)
{
	struct object *o = object_name_lookup(name);
	u32 status;

	if (!o)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	status = o->type == type ? handle_create_for_user(o, access, flags, to) : STATUS_OBJECT_TYPE_MISMATCH;
	object_unref(o);
	return status;
}

/* Gives o, which is new, a handle and its name. */
static u32 introduce(struct object *o, const char *name, u32 access, u32 flags, u64 to)
{
	u64 handle;
	/* The handle comes before the name: who finds the name, and closes it again, is never the last. */
	u32 status = handle_create(process_current(), o, access, flags, &handle);

	if (status)
		return status;
	if (name[0])
		status = object_name_insert(o, name);
	if (!status && !put_user_u64(to, handle))
		status = STATUS_ACCESS_VIOLATION;
	if (status)
		handle_close(process_current(), handle);
	return status;
}

u32 object_create_call(const u64 *a, const struct object_type *type,
		       u32 (*make)(const u64 *a, bool named, struct object **out))
{
	u32 attributes, flags, access = (u32)a[1], status;
	char name[NAME_BYTES];
	struct object *o;

	if (!user_probe(a[0], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	flags = attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0;
	do {
		if (name[0] && attributes & OBJ_OPENIF) {
			status = named_open(name, type, access, flags, a[0]);
			if (status != STATUS_OBJECT_NAME_NOT_FOUND)
				return status ? status : STATUS_OBJECT_NAME_EXISTS;
		}
		status = make(a, name[0], &o);
		if (status)
			return status;
		status = introduce(o, name, access, flags, a[0]);
		object_unref(o);
		/* Somebody else may have been faster, and may be gone again. */
	} while (status == STATUS_OBJECT_NAME_COLLISION && attributes & OBJ_OPENIF);
	return status;
}

u32 object_open_call(const u64 *a, const struct object_type *type)
{
	char name[NAME_BYTES];
	u32 attributes, status;

	if (!user_probe(a[0], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = user_object_attributes(a[2], name, sizeof(name), &attributes);
	if (status)
		return status;
	if (!name[0])
		return STATUS_OBJECT_PATH_SYNTAX_BAD;
	return named_open(name, type, (u32)a[1], attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0, a[0]);
}

/* ---- signals and waits ---- */

/* Whether the wait is satisfied; if so it has consumed the signals of the objects that reset themselves. */
static HOT bool waiter_try(struct waiter *w)
{
	u32 i;

	assert(spin_held(&dispatch_lock));
	if (w->all) {
		for (i = 0; i < w->count; i++)
			if (!w->objects[i]->signaled)
				return false;
		for (i = 0; i < w->count; i++)
			if (w->objects[i]->auto_reset)
				w->objects[i]->signaled = false;
		w->index = 0;
		return true;
	}
	for (i = 0; i < w->count; i++) {
		struct object *o = w->objects[i];

		if (!o->signaled)
			continue;
		if (o->auto_reset)
			o->signaled = false;
		w->index = i;
		return true;
	}
	return false;
}

static void waiter_unlink(struct waiter *w)
{
	u32 i;

	for (i = 0; i < w->count; i++)
		list_remove(&w->blocks[i].link);
}

HOT bool object_signal(struct object *o)
{
	struct list *at;
	bool before;

	spin_lock(&dispatch_lock);
	before = o->signaled;
	o->signaled = true;
	at = o->wait_blocks.next;
	while (at != &o->wait_blocks && o->signaled) {
		struct waiter *w = list_entry(at, struct wait_block, link)->waiter;

		do
			at = at->next;
		while (at != &o->wait_blocks && list_entry(at, struct wait_block, link)->waiter == w);
		if (waiter_try(w)) {
			w->done = true;
			waiter_unlink(w);
			wait_wake_one(&w->queue); /* and from here on w may be gone */
		}
	}
	spin_unlock(&dispatch_lock);
	return before;
}

bool object_reset(struct object *o)
{
	bool before;

	spin_lock(&dispatch_lock);
	before = o->signaled;
	o->signaled = false;
	spin_unlock(&dispatch_lock);
	return before;
}

/* It sleeps until somebody finishes the wait. dispatch_lock is held, and let go. False: the deadline, or told to end. */
static HOT bool waiter_sleep(struct waiter *w, u64 deadline)
{
	struct wait_block blocks[WAIT_OBJECTS_MAX];
	u32 i;

	wait_queue_init(&w->queue);
	w->blocks = blocks;
	for (i = 0; i < w->count; i++) {
		blocks[i].waiter = w;
		list_push_back(&w->objects[i]->wait_blocks, &blocks[i].link);
	}
	if (wait_sleep_release(&w->queue, &dispatch_lock, deadline, true))
		return true;
	/* Who finishes it just now may still use it until the lock is free. */
	spin_lock(&dispatch_lock);
	if (!w->done)
		waiter_unlink(w);
	spin_unlock(&dispatch_lock);
	return w->done;
}

HOT u32 object_wait(struct object **objects, u32 count, bool all, u64 deadline)
{
	struct waiter w;

	check(count >= 1 && count <= WAIT_OBJECTS_MAX);
	w.objects = objects;
	w.count = count;
	w.all = all;
	w.done = false;
	spin_lock(&dispatch_lock);
	if (waiter_try(&w)) {
		spin_unlock(&dispatch_lock);
		return STATUS_WAIT_0 + w.index;
	}
	if (waiter_sleep(&w, deadline))
		return STATUS_WAIT_0 + w.index;
	return thread_ending() ? STATUS_THREAD_IS_TERMINATING : STATUS_TIMEOUT;
}
