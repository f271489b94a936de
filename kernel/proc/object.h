/*
 * Objects that user space holds handles to. Lifetime: refs counts every pointer (handles, views, running operations);
 * at zero the type's destroy runs, in thread context, no spinlock held. handles counts handles alone: at zero the
 * name goes away.
 */
#ifndef PROC_OBJECT_H
#define PROC_OBJECT_H

#include "lib/debug.h"
#include "lib/list.h"
#include "lib/types.h"
#include "proc/lock.h"

struct object;
struct process;

struct object_type {
	const char *name;
	u32 generic_read, generic_write, generic_execute, all_access; /* mapping of generic rights */
	bool waitable;
	void (*destroy)(struct object *o);
};

struct object {
	const struct object_type *type;
	u32 refs;    /* atomic */
	u32 handles; /* atomic */
	/* Dispatcher state, under the dispatch lock. */
	bool signaled;
	bool auto_reset;
	struct list wait_blocks;
	/* Name, under the names lock; "" = none. */
	char *name;
	struct list name_link;
};

extern const struct object_type process_type, thread_type, section_type, event_type, file_type, trace_type;

void object_init(void);
void object_setup(struct object *o, const struct object_type *type); /* one reference, no name, not signaled */
static inline void object_ref(struct object *o)
{
	assert(__atomic_load_n(&o->refs, __ATOMIC_RELAXED));
	__atomic_add_fetch(&o->refs, 1, __ATOMIC_RELAXED);
}
bool object_ref_unless_zero(struct object *o); /* for those who find it in a list; false: it is being destroyed */
void object_destroy(struct object *o); /* the last reference has gone */
static inline void object_unref(struct object *o)
{
	assert(__atomic_load_n(&o->refs, __ATOMIC_RELAXED));
	if (__atomic_sub_fetch(&o->refs, 1, __ATOMIC_ACQ_REL) == 0)
		object_destroy(o);
}
/* Both tell what it was before. */
bool object_signal(struct object *o);   /* sets it signaled and wakes; thread or interrupt context */
bool object_reset(struct object *o);
/* Rights as a caller wishes them, with the generic ones and MAXIMUM_ALLOWED translated. */
u32 object_access_map(const struct object_type *type, u32 desired);
/* Names are case-sensitive UTF-8, e.g. "\BaseNamedObjects\x". NTSTATUS. lookup returns one more reference. */
u32 object_name_insert(struct object *o, const char *name); /* STATUS_OBJECT_NAME_COLLISION if taken */
struct object *object_name_lookup(const char *name);
/*
 * Takes the object's name away, so that nobody finds it any more. The last handle's end does it; unless_handles: not if
 * there are handles again.
 */
void object_name_remove(struct object *o, bool unless_handles);
/*
 * What NtCreateX and NtOpenX have in common. a: the call's arguments, which begin with HANDLE *handle,
 * ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes. make gives a new object, with one reference; named: it will get a
 * name. An object of that name is opened instead if OBJ_OPENIF says so: STATUS_OBJECT_NAME_EXISTS, a success.
 * STATUS_OBJECT_NAME_COLLISION,
 * STATUS_OBJECT_TYPE_MISMATCH, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_ACCESS_VIOLATION, and what make returns.
 */
u32 object_create_call(const u64 *a, const struct object_type *type,
		       u32 (*make)(const u64 *a, bool named, struct object **out));
u32 object_open_call(const u64 *a, const struct object_type *type);
/*
 * NTSTATUS: index of the object that ended the wait, STATUS_TIMEOUT, STATUS_THREAD_IS_TERMINATING. deadline:
 * clock_ns().
 */
#define WAIT_OBJECTS_MAX 64
u32 object_wait(struct object **objects, u32 count, bool all, u64 deadline);

/* Handles: multiples of 4, from 4 on, in a table of each process that grows. Under process->lock. */
#define HANDLE_INHERIT 1
#define HANDLE_PROTECT 2 /* can't be closed */
/*
 * Takes its own reference; access goes through object_access_map. STATUS_INSUFFICIENT_RESOURCES,
 * STATUS_PROCESS_IS_TERMINATING.
 */
u32 handle_create(struct process *p, struct object *o, u32 access, u32 flags, u64 *handle);
/*
 * As handle_create for the current process, and the handle is stored at the user address to; if that fails it is
 * closed again.
 */
u32 handle_create_for_user(struct object *o, u32 access, u32 flags, u64 to);
/* type NULL: any. access: rights that the handle must have. One more reference in *out. Knows the pseudo-handles. */
u32 handle_lookup(struct process *p, u64 handle, const struct object_type *type, u32 access, struct object **out);
/* All of an entry at one moment; *o gets one more reference. A pseudo-handle has all rights and no flags. */
u32 handle_query(struct process *p, u64 handle, struct object **o, u32 *access, u32 *flags);
u32 handle_set_flags(struct process *p, u64 handle, u32 flags);
u32 handle_close(struct process *p, u64 handle);
void handle_close_all(struct process *p);
/*
 * Gives child, which nobody else knows yet, the parent's handles with the same values: those that can be inherited (if
 * inherit is set), and count others in any case. STATUS_INSUFFICIENT_RESOURCES.
 */
u32 handle_inherit(struct process *parent, struct process *child, bool inherit, const u64 *others, u32 count);
u64 handle_count_all(void); /* in the whole system */

#endif
