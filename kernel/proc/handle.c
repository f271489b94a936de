/*
 * Handle tables: blocks of entries, found through an array of pointers that doubles; entries that are free again are
 * chained, those from handle_end on were never used. A handle's value is its index + 1, times 4; its two lowest bits are
 * ignored, as on Windows.
 */
#include "lib/debug.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "proc/syscall.h"
#include "proc/thread.h"

#define BLOCK_ENTRIES 64u
#define HANDLES_MAX (KMALLOC_MAX / sizeof(void *) * BLOCK_ENTRIES)

struct handle_entry {
	struct object *object; /* NULL: free */
	union {
		u32 access;
		u32 next_free; /* index + 1, 0 = none */
	};
	u32 flags;
};

static u64 handles_in_system;

u64 handle_count_all(void)
{
	return __atomic_load_n(&handles_in_system, __ATOMIC_RELAXED);
}

static struct handle_entry *entry_at(const struct process *p, u32 index)
{
	return &p->handle_blocks[index / BLOCK_ENTRIES][index % BLOCK_ENTRIES];
}

/* NULL: no such handle. */
static struct handle_entry *entry_find(const struct process *p, u64 handle)
{
	u64 index = handle / 4 - 1; /* of 0: beyond all */
	struct handle_entry *e;

	assert(mutex_held(&p->lock));
	if (unlikely(index >= p->handle_capacity))
		return NULL;
	e = entry_at(p, (u32)index);
	return e->object ? e : NULL;
}

/* One more block of free entries. The child of handle_inherit is not locked: nobody else knows it. */
static bool table_grow(struct process *p)
{
	struct handle_entry **blocks, *block;
	u32 slot = p->handle_capacity / BLOCK_ENTRIES, slots;

	if (p->handle_capacity >= HANDLES_MAX)
		return false;
	if (slot == p->handle_block_slots) {
		slots = MAX(p->handle_block_slots * 2, 8u);
		blocks = kzalloc(slots * sizeof(*blocks));
		if (!blocks)
			return false;
		if (slot)
			memcpy(blocks, p->handle_blocks, slot * sizeof(*blocks));
		kfree(p->handle_blocks);
		p->handle_blocks = blocks;
		p->handle_block_slots = slots;
	}
	block = kzalloc(BLOCK_ENTRIES * sizeof(*block));
	if (!block)
		return false;
	p->handle_blocks[slot] = block;
	p->handle_capacity += BLOCK_ENTRIES;
	return true;
}

static void entry_fill(struct process *p, struct handle_entry *e, struct object *o, u32 access, u32 flags)
{
	object_ref(o);
	__atomic_fetch_add(&o->handles, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&handles_in_system, 1, __ATOMIC_RELAXED);
	e->object = o;
	e->access = access;
	e->flags = flags;
	p->handle_used++;
}

/* What remains to be done with an object whose entry is gone. No lock held. */
static void handle_drop(struct object *o)
{
	u32 before = __atomic_fetch_sub(&o->handles, 1, __ATOMIC_ACQ_REL);

	assert(before);
	__atomic_fetch_sub(&handles_in_system, 1, __ATOMIC_RELAXED);
	if (before == 1 && o->name)
		object_name_remove(o, true);
	object_unref(o);
}

u32 handle_create(struct process *p, struct object *o, u32 access, u32 flags, u64 *handle)
{
	struct handle_entry *e;
	u32 status = STATUS_SUCCESS, index;

	mutex_lock(&p->lock);
	if (p->handles_closed) {
		status = STATUS_PROCESS_IS_TERMINATING;
	} else if (!p->handle_free && p->handle_end == p->handle_capacity && !table_grow(p)) {
		status = STATUS_INSUFFICIENT_RESOURCES;
	} else {
		if (p->handle_free) {
			index = p->handle_free - 1;
			p->handle_free = entry_at(p, index)->next_free;
		} else {
			index = p->handle_end++;
		}
		e = entry_at(p, index);
		entry_fill(p, e, o, object_access_map(o->type, access), flags);
		*handle = ((u64)index + 1) * 4;
	}
	mutex_unlock(&p->lock);
	return status;
}

u32 handle_create_for_user(struct object *o, u32 access, u32 flags, u64 to)
{
	u64 handle;
	u32 status = handle_create(process_current(), o, access, flags, &handle);

	if (status == STATUS_SUCCESS && !put_user_u64(to, handle)) {
		handle_close(process_current(), handle);
		status = STATUS_ACCESS_VIOLATION;
	}
	return status;
}

/* The object of a pseudo-handle, with one more reference. A thread's means something to the thread itself only. */
static struct object *pseudo_object(struct process *p, u64 handle)
{
	struct object *o = NULL;

	if (handle == NT_CURRENT_PROCESS)
		o = &p->object;
	else if (handle == NT_CURRENT_THREAD && p == process_current())
		o = &user_thread_current()->object;
	if (o)
		object_ref(o);
	return o;
}

u32 handle_query(struct process *p, u64 handle, struct object **o, u32 *access, u32 *flags)
{
	struct handle_entry *e;

	*o = pseudo_object(p, handle);
	if (*o) {
		*access = (*o)->type->all_access;
		*flags = 0;
		return STATUS_SUCCESS;
	}
	mutex_lock(&p->lock);
	e = entry_find(p, handle);
	if (e) {
		*o = e->object;
		*access = e->access;
		*flags = e->flags;
		object_ref(*o);
	}
	mutex_unlock(&p->lock);
	return e ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

/* What is wrong with an object of that type, and a handle with those rights. */
static inline u32 lookup_check(const struct object *o, u32 granted, const struct object_type *type, u32 access)
{
	if (unlikely(type && o->type != type))
		return STATUS_OBJECT_TYPE_MISMATCH;
	return unlikely(access & ~granted) ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

static u32 pseudo_lookup(struct process *p, u64 handle, const struct object_type *type, u32 access, struct object **out)
{
	struct object *o = pseudo_object(p, handle);
	u32 status = o ? lookup_check(o, o->type->all_access, type, access) : STATUS_INVALID_HANDLE;

	if (o && status)
		object_unref(o);
	else
		*out = o;
	return status;
}

HOT u32 handle_lookup(struct process *p, u64 handle, const struct object_type *type, u32 access, struct object **out)
{
	struct handle_entry *e;
	u32 status = STATUS_INVALID_HANDLE;

	if ((i64)handle < 0) /* no table is so long */
		return pseudo_lookup(p, handle, type, access, out);
	mutex_lock(&p->lock);
	e = entry_find(p, handle);
	if (likely(e)) {
		status = lookup_check(e->object, e->access, type, access);
		if (likely(!status)) {
			object_ref(e->object);
			*out = e->object;
		}
	}
	mutex_unlock(&p->lock);
	return status;
}

u32 handle_set_flags(struct process *p, u64 handle, u32 flags)
{
	struct handle_entry *e;

	mutex_lock(&p->lock);
	e = entry_find(p, handle);
	if (e)
		e->flags = flags;
	mutex_unlock(&p->lock);
	return e ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

u32 handle_close(struct process *p, u64 handle)
{
	struct handle_entry *e;
	struct object *o = NULL;
	u32 status = STATUS_INVALID_HANDLE;

	mutex_lock(&p->lock);
	e = entry_find(p, handle);
	if (e && e->flags & HANDLE_PROTECT) {
		status = STATUS_HANDLE_NOT_CLOSABLE;
	} else if (e) {
		o = e->object;
		e->object = NULL;
		e->next_free = p->handle_free;
		p->handle_free = (u32)(handle / 4);
		p->handle_used--;
		status = STATUS_SUCCESS;
	}
	mutex_unlock(&p->lock);
	if (o)
		handle_drop(o);
	return status;
}

void handle_close_all(struct process *p)
{
	struct handle_entry **blocks;
	u32 capacity, end, i;

	mutex_lock(&p->lock);
	blocks = p->handle_blocks;
	capacity = p->handle_capacity;
	end = p->handle_end;
	p->handle_blocks = NULL;
	p->handle_block_slots = p->handle_capacity = p->handle_used = p->handle_free = p->handle_end = 0;
	p->handles_closed = true;
	mutex_unlock(&p->lock);

	for (i = 0; i < end; i++)
		if (blocks[i / BLOCK_ENTRIES][i % BLOCK_ENTRIES].object)
			handle_drop(blocks[i / BLOCK_ENTRIES][i % BLOCK_ENTRIES].object);
	for (i = 0; i < capacity / BLOCK_ENTRIES; i++)
		kfree(blocks[i]);
	kfree(blocks);
}

static bool handle_among(u32 index, const u64 *handles, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (handles[i] / 4 == (u64)index + 1)
			return true;
	return false;
}

u32 handle_inherit(struct process *parent, struct process *child, bool inherit, const u64 *others, u32 count)
{
	struct handle_entry *from, *to;
	u32 status = STATUS_SUCCESS, i;
	bool any = inherit;

	for (i = 0; i < count; i++)
		any |= others[i] != 0;
	if (!any)
		return status;
	mutex_lock(&parent->lock);
	for (i = 0; i < parent->handle_end; i++) {
		from = entry_at(parent, i);
		if (!from->object || !((inherit && from->flags & HANDLE_INHERIT) || handle_among(i, others, count)))
			continue;
		while (i >= child->handle_capacity && table_grow(child))
			;
		if (i >= child->handle_capacity) {
			status = STATUS_INSUFFICIENT_RESOURCES;
			break;
		}
		to = entry_at(child, i);
		entry_fill(child, to, from->object, from->access, from->flags);
		child->handle_end = i + 1;
	}
	mutex_unlock(&parent->lock);

	/* Those that were left out are free. The lowest values are given out first. */
	for (i = child->handle_end; i-- > 0;) {
		to = entry_at(child, i);
		if (!to->object) {
			to->next_free = child->handle_free;
			child->handle_free = i + 1;
		}
	}
	return status;
}
