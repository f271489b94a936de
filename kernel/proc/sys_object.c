/* System calls for objects of all kinds: handles, waits, events. Source: Windows documentation of these calls. */
#include "abi/nt.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/syscall.h"
#include "proc/thread.h"
#include "proc/timeout.h"

#define EVENT_MODIFY_STATE_ 2u

/* ---- handles ---- */

/* NtClose(HANDLE handle) */
u32 sys_NtClose(const u64 *a)
{
	if (a[0] == NT_CURRENT_PROCESS || a[0] == NT_CURRENT_THREAD)
		return STATUS_SUCCESS;
	return handle_close(process_current(), a[0]);
}

#define DUPLICATE_CLOSE_SOURCE_ 1u
#define DUPLICATE_SAME_ACCESS_ 2u
#define DUPLICATE_SAME_ATTRIBUTES_ 4u

/* The copy itself: to is NULL if the caller does not want to know the handle. */
static u32 duplicate(struct process *source, u64 handle, struct process *target, u64 to, u32 desired, u32 attributes,
		     u32 options)
{
	struct object *o;
	u32 granted, access, flags;
	u32 status = handle_query(source, handle, &o, &granted, &flags);
	u64 copy;

	if (status)
		return status;
	access = options & DUPLICATE_SAME_ACCESS_ || desired & MAXIMUM_ALLOWED_ACCESS ? granted :
		 object_access_map(o->type, desired);
	if (!(options & DUPLICATE_SAME_ATTRIBUTES_))
		flags = attributes & OBJ_INHERIT ? HANDLE_INHERIT : 0;
	/* There are no access lists that could allow more than the handle has. */
	if (access & ~granted)
		status = STATUS_ACCESS_DENIED;
	if (!status)
		status = handle_create(target, o, access, flags, &copy);
	object_unref(o);
	if (!status && to && !put_user_u64(to, copy)) {
		handle_set_flags(target, copy, 0);
		handle_close(target, copy);
		status = STATUS_ACCESS_VIOLATION;
	}
	return status;
}

/*
 * NtDuplicateObject(HANDLE source_process, HANDLE source, HANDLE target_process, HANDLE *target, ACCESS_MASK access,
 * ULONG attributes, ULONG options). DUPLICATE_CLOSE_SOURCE closes the source even if the rest fails; with no target
 * process it does only that.
 */
u32 sys_NtDuplicateObject(const u64 *a)
{
	struct object *source, *target;
	struct process *p;
	u32 options = (u32)a[6];
	u32 status;

	if (a[3] && !user_probe(a[3], sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	status = handle_lookup(process_current(), a[0], &process_type, PROCESS_DUP_HANDLE, &source);
	if (status)
		return status;
	p = container_of(source, struct process, object);
	if (a[2]) {
		status = handle_lookup(process_current(), a[2], &process_type, PROCESS_DUP_HANDLE, &target);
		if (!status) {
			status = duplicate(p, a[1], container_of(target, struct process, object), a[3], (u32)a[4],
					   (u32)a[5], options);
			object_unref(target);
		}
	} else if (!(options & DUPLICATE_CLOSE_SOURCE_)) {
		status = STATUS_INVALID_PARAMETER;
	}
	if (options & DUPLICATE_CLOSE_SOURCE_) {
		u32 closed = handle_close(p, a[1]);

		if (!a[2])
			status = closed;
	}
	object_unref(source);
	return status;
}

/* NtSetInformationObject(HANDLE handle, class ObjectHandleFlagInformation (4), buffer, ULONG size) */
u32 sys_NtSetInformationObject(const u64 *a)
{
	struct {
		u8 inherit, protect;
	} flags;

	if ((u32)a[1] != 4)
		return STATUS_INVALID_INFO_CLASS;
	if ((u32)a[3] != sizeof(flags))
		return STATUS_INFO_LENGTH_MISMATCH;
	if (!copy_from_user(&flags, a[2], sizeof(flags)))
		return STATUS_ACCESS_VIOLATION;
	return handle_set_flags(process_current(), a[0],
				(flags.inherit ? HANDLE_INHERIT : 0) | (flags.protect ? HANDLE_PROTECT : 0));
}

/* ---- waits ---- */

static bool timeout_read(u64 address, u64 *deadline)
{
	u64 boot = time_from_unix(clock_boot_unix_seconds()), now = clock_ns(), units;
	i64 value;

	*deadline = WAIT_FOREVER;
	if (!copy_from_user(&value, address, sizeof(value)))
		return false;
	if (value >= 0)
		units = (u64)value > boot ? (u64)value - boot : 0;
	else
		units = now / 100 + (0 - (u64)value);
	if (units < WAIT_FOREVER / 100)
		*deadline = value < 0 ? now + (0 - (u64)value) * 100 : units * 100;
	return true;
}

bool timeout_from_user(u64 address, u64 *deadline)
{
	if (address)
		return timeout_read(address, deadline);
	*deadline = WAIT_FOREVER;
	return true;
}

static u32 wait_lookup(u64 handle, struct object **o)
{
	u32 status = handle_lookup(process_current(), handle, NULL, SYNCHRONIZE_ACCESS, o);

	if (!status && !(*o)->type->waitable) {
		object_unref(*o);
		status = STATUS_OBJECT_TYPE_MISMATCH;
	}
	return status;
}

/* NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, LARGE_INTEGER *timeout) */
HOT u32 sys_NtWaitForSingleObject(const u64 *a)
{
	struct object *o;
	u64 deadline;
	u32 status;

	if (!timeout_from_user(a[2], &deadline))
		return STATUS_ACCESS_VIOLATION;
	status = wait_lookup(a[0], &o);
	if (status)
		return status;
	status = object_wait(&o, 1, false, deadline);
	object_unref(o);
	return status;
}

static bool any_equal(struct object **objects, u32 count)
{
	u32 i, j;

	for (i = 1; i < count; i++)
		for (j = 0; j < i; j++)
			if (objects[i] == objects[j])
				return true;
	return false;
}

/* NtWaitForMultipleObjects(ULONG count, HANDLE *handles, WAIT_TYPE any, BOOLEAN alertable, LARGE_INTEGER *timeout) */
u32 sys_NtWaitForMultipleObjects(const u64 *a)
{
	struct object *objects[WAIT_OBJECTS_MAX];
	u64 handles[WAIT_OBJECTS_MAX], deadline;
	u32 count = (u32)a[0], found = 0, status = STATUS_SUCCESS;
	bool all = (u32)a[2] == 0;

	if (!count || count > WAIT_OBJECTS_MAX)
		return STATUS_INVALID_PARAMETER_1;
	if ((u32)a[2] > 1)
		return STATUS_INVALID_PARAMETER_3;
	if (!timeout_from_user(a[4], &deadline) || !copy_from_user(handles, a[1], count * sizeof(u64)))
		return STATUS_ACCESS_VIOLATION;
	while (!status && found < count) {
		status = wait_lookup(handles[found], &objects[found]);
		found += !status;
	}
	if (!status && all && any_equal(objects, count))
		status = STATUS_INVALID_PARAMETER_MIX;
	if (!status)
		status = object_wait(objects, count, all, deadline);
	while (found)
		object_unref(objects[--found]);
	return status;
}

/* ---- events ---- */

static void event_destroy(struct object *o)
{
	kfree(o);
}

HOT_CONST const struct object_type event_type = {
	.name = "event",
	.generic_read = 0x20001,
	.generic_write = 0x20002,
	.generic_execute = 0x120000,
	.all_access = 0x1f0003,
	.waitable = true,
	.destroy = event_destroy,
};

static u32 event_make(const u64 *a, bool named, struct object **out)
{
	struct object *o = kmalloc(sizeof(*o));

	(void)named;
	if (!o)
		return STATUS_INSUFFICIENT_RESOURCES;
	object_setup(o, &event_type);
	o->auto_reset = (u32)a[3] == 1;
	o->signaled = (u8)a[4];
	*out = o;
	return STATUS_SUCCESS;
}

/* NtCreateEvent(HANDLE *event, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes, EVENT_TYPE type, BOOLEAN signaled) */
u32 sys_NtCreateEvent(const u64 *a)
{
	if ((u32)a[3] > 1)
		return STATUS_INVALID_PARAMETER_4;
	return object_create_call(a, &event_type, event_make);
}

/* NtOpenEvent(HANDLE *event, ACCESS_MASK access, OBJECT_ATTRIBUTES *attributes) */
u32 sys_NtOpenEvent(const u64 *a)
{
	return object_open_call(a, &event_type);
}

static HOT u32 event_change(const u64 *a, bool (*change)(struct object *))
{
	struct object *o;
	u32 status;
	bool before;

	if (a[1] && !user_probe(a[1], sizeof(u32)))
		return STATUS_ACCESS_VIOLATION;
	status = handle_lookup(process_current(), a[0], &event_type, EVENT_MODIFY_STATE_, &o);
	if (status)
		return status;
	before = change(o);
	object_unref(o);
	return a[1] && !put_user_u32(a[1], before) ? STATUS_ACCESS_VIOLATION : STATUS_SUCCESS;
}

/* NtSetEvent(HANDLE event, LONG *previous) */
HOT u32 sys_NtSetEvent(const u64 *a)
{
	return event_change(a, object_signal);
}

/* NtResetEvent(HANDLE event, LONG *previous) */
u32 sys_NtResetEvent(const u64 *a)
{
	return event_change(a, object_reset);
}
