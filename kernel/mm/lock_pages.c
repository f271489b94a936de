/*
 * VirtualLock: pages that the trimmer leaves alone, within a quota: a process may lock as many as its minimum working set
 * has, less a few that it needs to run at all. A locked page is one whose valid entry has the mark; there is no other
 * record, and no count: one unlock undoes any number of locks. Source: Windows documentation of VirtualLock, VirtualUnlock.
 */
#include "lib/bitmap.h"
#include "mm/pool.h"
#include "mm/vspace.h"

static bool range_round(u64 *base, u64 *size)
{
	u64 start = ALIGN_DOWN(*base, PAGE_SIZE);

	if (*base >= USER_HIGH || !*size || *size > USER_HIGH - *base)
		return false;
	*size = ALIGN_UP(*base + *size, PAGE_SIZE) - start;
	*base = start;
	return true;
}

static u32 status_of(enum fault_result r)
{
	switch (r) {
	case FAULT_IN_PAGE_ERROR:
		return STATUS_IN_PAGE_ERROR;
	case FAULT_GUARD_PAGE:
		return STATUS_GUARD_PAGE_VIOLATION;
	case FAULT_STACK_OVERFLOW:
		return STATUS_STACK_OVERFLOW;
	case FAULT_NO_MEMORY:
		return STATUS_NO_MEMORY;
	default:
		return STATUS_ACCESS_VIOLATION;
	}
}

/* Physical and large pages never leave memory anyway. v->lock held. */
static bool is_always_locked(struct vspace *v, u64 va)
{
	struct view *w = view_find(v, va);

	return w && (w->flags & VIEW_LARGE || (w->section && w->section->large));
}

/* Brings the page in and marks it. STATUS_WAS_LOCKED: it was. */
static u32 page_lock(struct vspace *v, u64 va)
{
	u64 quota = MAX(v->working_set_min, WORKING_SET_NOT_LOCKABLE) - WORKING_SET_NOT_LOCKABLE;
	enum fault_result r;
	word_t *word;
	u32 status;

	for (;;) {
		mutex_lock(&v->lock);
		word = pt_word(v, va);
		if (is_always_locked(v, va)) {
			status = STATUS_WAS_LOCKED;
			break;
		}
		if (word && word_valid(*word)) {
			status = word_prot(*word) & MARK_LOCKED ? STATUS_WAS_LOCKED
			       : v->locked < quota && working_set_hold(v) ? STATUS_SUCCESS
								: STATUS_WORKING_SET_QUOTA;
			if (status == STATUS_SUCCESS) {
				__atomic_or_fetch(word, word_prot_bits(MARK_LOCKED), __ATOMIC_RELAXED);
				v->locked++;
			}
			break;
		}
		mutex_unlock(&v->lock);
		r = mm_fault(v, va, FAULT_READ);
		if (r != FAULT_RESOLVED)
			return status_of(r);
	}
	mutex_unlock(&v->lock);
	return status;
}

/* v->lock held. */
static void page_unlock(struct vspace *v, u64 va)
{
	word_t *word = is_always_locked(v, va) ? NULL : pt_word(v, va);
	struct view *w = view_find(v, va);

	if (word && word_valid(*word) && word_prot(*word) & MARK_LOCKED && !(w->flags & VIEW_AWE)) {
		__atomic_and_fetch(word, ~word_prot_bits(MARK_LOCKED), __ATOMIC_RELAXED);
		v->locked--;
	}
}

u32 vspace_lock_pages(struct vspace *v, u64 *base, u64 *size)
{
	u64 pages, *bits, done = 0;
	u32 status = STATUS_SUCCESS, result = STATUS_SUCCESS;

	if (!range_round(base, size))
		return STATUS_INVALID_PARAMETER;
	pages = *size >> PAGE_SHIFT;
	/* What can't be locked at all is not brought in first. */
	if (pages > v->working_set_min || bitmap_words(pages) * sizeof(u64) > KMALLOC_MAX)
		return STATUS_WORKING_SET_QUOTA;
	bits = kzalloc(bitmap_words(pages) * sizeof(u64));
	if (!bits)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (; done < pages && NT_SUCCESS(status); done++) {
		status = page_lock(v, *base + (done << PAGE_SHIFT));
		if (status == STATUS_SUCCESS)
			bits[done / 64] |= 1ull << (done % 64);
		else if (status == STATUS_WAS_LOCKED)
			result = status;
	}
	if (!NT_SUCCESS(status)) {
		mutex_lock(&v->lock);
		for (u64 i = 0; i < done; i++)
			if (bits[i / 64] >> (i % 64) & 1)
				page_unlock(v, *base + (i << PAGE_SHIFT));
		mutex_unlock(&v->lock);
		result = status;
	}
	kfree(bits);
	return result;
}

/*
 * If not all of the pages are locked, none is unlocked, and those that are not locked leave the working set: Windows
 * documents that as VirtualUnlock's other use.
 */
u32 vspace_unlock_pages(struct vspace *v, u64 *base, u64 *size)
{
	u64 end, locked = 0, count;
	struct gather g;
	word_t *word;

	if (!range_round(base, size))
		return STATUS_INVALID_PARAMETER;
	end = *base + *size;
	mutex_lock(&v->lock);
	for (u64 va = *base; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			locked += word_valid(word[i]) && word_prot(word[i]) & MARK_LOCKED;
	for (struct tree_node *n = tree_find_from(&v->views, *base); n && n->start < end; n = tree_next(n))
		if (is_always_locked(v, n->start))
			locked += (MIN(n->end, end) - MAX(n->start, *base)) >> PAGE_SHIFT;
	if (locked == *size >> PAGE_SHIFT) {
		for (u64 va = *base; va < end; va += PAGE_SIZE)
			page_unlock(v, va);
	} else {
		gather_init(&g, v);
		for (u64 va = *base; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
			for (u64 i = 0; i < count; i++)
				if (word_valid(word[i]) && !(word_prot(word[i]) & MARK_LOCKED))
					gather_deactivate(&g, va + (i << PAGE_SHIFT), &word[i], word_prot(word[i]));
		gather_finish(&g);
	}
	mutex_unlock(&v->lock);
	return locked == *size >> PAGE_SHIFT ? STATUS_SUCCESS : STATUS_NOT_LOCKED;
}
