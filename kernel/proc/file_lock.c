/*
 * Ranges of bytes that a handle has locked: others can't read (if it is exclusive) or write there. All of them are under
 * one spinlock, and all who wait for one wait in one queue: they are few. Source: Windows documentation of LockFileEx.
 */
#include "abi/nt_process.h"
#include "mm/pool.h"
#include "proc/syscall.h"
#include "proc/sys_file.h"
#include "proc/thread.h"

struct range {
	struct list link;
	struct file_object *owner;
	u64 from, last; /* bytes, both included */
	bool exclusive;
};

static struct spinlock ranges_lock = SPINLOCK_INIT("file ranges", RANK_FILE_TABLE);
static struct wait_queue ranges_queue = WAIT_QUEUE_INIT(ranges_queue);

/* A range that keeps o from [from, last]: with another owner, or, for a new lock, of any owner. ranges_lock held. */
static bool range_conflict(const struct file_object *o, u64 from, u64 last, bool shared_is_enough, bool own_too)
{
	struct range *r;

	list_for_each(&o->file->locked, r, link)
		if (r->from <= last && from <= r->last && (own_too || r->owner != o) && (r->exclusive || !shared_is_enough))
			return true;
	return false;
}

bool file_lock_allows(struct file_object *o, u64 offset, u64 n, bool write)
{
	bool conflict;

	if (!n)
		return true;
	spin_lock(&ranges_lock);
	conflict = range_conflict(o, offset, offset + n - 1, !write, false);
	spin_unlock(&ranges_lock);
	return !conflict;
}

void file_lock_release_all(struct file_object *o)
{
	struct range *r, *next;
	struct list gone;

	list_init(&gone);
	spin_lock(&ranges_lock);
	list_for_each_safe(&o->file->locked, r, next, link)
		if (r->owner == o) {
			list_remove(&r->link);
			list_push_back(&gone, &r->link);
		}
	wait_wake_all(&ranges_queue);
	spin_unlock(&ranges_lock);
	list_for_each_safe(&gone, r, next, link)
		kfree(r);
}

/* Offset and length from user memory as a range; at least one byte. */
static u32 range_from_user(u64 offset_at, u64 length_at, u64 *from, u64 *last)
{
	u64 length;

	if (!get_user_u64(offset_at, from) || !get_user_u64(length_at, &length))
		return STATUS_ACCESS_VIOLATION;
	if (!length || length - 1 > ~0ull - *from)
		return STATUS_INVALID_LOCK_RANGE;
	*last = *from + length - 1;
	return STATUS_SUCCESS;
}

static u32 range_lock(struct file_object *o, u64 from, u64 last, bool fail_at_once, bool exclusive)
{
	struct range *r = kmalloc(sizeof(*r));
	u32 status = STATUS_SUCCESS;

	if (!r)
		return STATUS_INSUFFICIENT_RESOURCES;
	*r = (struct range){ .owner = o, .from = from, .last = last, .exclusive = exclusive };
	spin_lock(&ranges_lock);
	while (range_conflict(o, from, last, !exclusive, true)) {
		if (fail_at_once)
			status = STATUS_LOCK_NOT_GRANTED;
		else if (thread_ending())
			status = STATUS_THREAD_IS_TERMINATING;
		else
			wait_sleep(&ranges_queue, &ranges_lock, WAIT_FOREVER, true);
		if (status)
			break;
	}
	if (!status)
		list_push_back(&o->file->locked, &r->link);
	spin_unlock(&ranges_lock);
	if (status)
		kfree(r);
	return status;
}

/*
 * NtLockFile(HANDLE file, HANDLE event, apc, apc_context, IO_STATUS_BLOCK *io, LARGE_INTEGER *offset, LARGE_INTEGER *length,
 * ULONG key, BOOLEAN fail_at_once, BOOLEAN exclusive). Keys are not told apart.
 */
u32 sys_NtLockFile(const u64 *a)
{
	struct file_object *o;
	struct object *event;
	u64 from, last;
	u32 status = range_from_user(a[5], a[6], &from, &last);

	if (!status)
		status = io_begin(a, 0, &o, &event);
	if (status)
		return status;
	status = o->file ? range_lock(o, from, last, (u8)a[8], (u8)a[9]) : STATUS_INVALID_DEVICE_REQUEST;
	object_unref(&o->object);
	return io_complete(a[4], event, status, 0);
}

/* NtUnlockFile(HANDLE file, IO_STATUS_BLOCK *io, LARGE_INTEGER *offset, LARGE_INTEGER *length, ULONG key) */
u32 sys_NtUnlockFile(const u64 *a)
{
	struct range *r, *found = NULL;
	struct file_object *o;
	u64 from, last;
	u32 status = range_from_user(a[2], a[3], &from, &last);

	if (!status && !user_probe(a[1], sizeof(struct nt_io_status_block)))
		status = STATUS_ACCESS_VIOLATION;
	if (!status)
		status = file_handle_lookup(a[0], 0, &o);
	if (status)
		return status;
	if (o->file) {
		spin_lock(&ranges_lock);
		list_for_each(&o->file->locked, r, link)
			if (r->owner == o && r->from == from && r->last == last) {
				found = r;
				list_remove(&r->link);
				wait_wake_all(&ranges_queue);
				break;
			}
		spin_unlock(&ranges_lock);
	}
	kfree(found);
	object_unref(&o->object);
	status = found ? STATUS_SUCCESS : STATUS_RANGE_NOT_LOCKED;
	return io_status_put(a[1], status, 0) ? status : STATUS_ACCESS_VIOLATION;
}
