/*
 * Address spaces: made, ended, read and written by others. Lifetime: vspace_create to vspace_destroy, by the process that
 * owns it; the trimmer finds it in all_vspaces and holds vspaces_lock while it works on it, so destruction waits for that.
 */
#include "mm/vspace.h"

#include "lib/string.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "proc/sched.h"

struct mutex vspaces_lock;
struct list all_vspaces = LIST_INIT(all_vspaces);

bool vspace_memory_wait(const struct vspace *v, u32 *status)
{
	if (frames_wait() && !(v && v->dying))
		return true;
	*status = STATUS_NO_MEMORY;
	return false;
}

static void vspace_list_remove(struct vspace *v)
{
	mutex_lock(&vspaces_lock);
	mutex_lock(&v->lock);
	list_remove(&v->all_link);
	if (v->pml4_phys)
		pt_destroy(v);
	mutex_unlock(&v->lock);
	mutex_unlock(&vspaces_lock);
}

struct vspace *vspace_create(u32 process_id)
{
	struct vspace *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	mutex_init(&v->lock, "address space", RANK_VSPACE);
	v->views.gap_mask = GRANULARITY - 1;
	v->process_id = process_id;
	v->page_priority = PRIORITY_NORMAL;
	v->working_set_min = WORKING_SET_MIN;
	v->working_set_max = WORKING_SET_MAX;
	mutex_lock(&vspaces_lock);
	list_push_back(&all_vspaces, &v->all_link);
	mutex_unlock(&vspaces_lock);
	if (pt_create(v))
		return v;
	vspace_list_remove(v);
	kfree(v);
	return NULL;
}

void vspace_destroy(struct vspace *v)
{
	vspace_unload_everywhere(v);
	swap_ahead_wait(v);
	views_end(v);
	mutex_lock(&v->lock);
	physical_free_all(v);
	assert(!v->private_charge && !v->resident && !v->physical);
	working_set_release(v);
	mutex_unlock(&v->lock);
	vspace_list_remove(v);
	kfree(v);
}

/* The frame behind va, if it is there and may be used so now; NULL: not. */
static void *page_present(struct vspace *v, u64 va, u32 access)
{
	word_t *word = pt_word(v, va);
	u32 large = word ? 0 : large_pfn(v, va);

	if (large)
		return prot_allows(large_prot(v, va), access) ? frame_address(large) : NULL;
	if (!word || !word_valid(*word) || !prot_allows(word_prot(*word), access) ||
	    (access & FAULT_WRITE && word_prot(*word) & PROT_COPY))
		return NULL;
	if (access & FAULT_WRITE)
		__atomic_or_fetch(word, PTE_DIRTY, __ATOMIC_RELAXED);
	return frame_address(word_pfn(*word));
}

/*
 * The frame behind va, readable or writable as asked, with v->lock held on success. The pager brings the page in as if
 * the process had touched it. NULL: it can't be had; no lock is held then.
 */
static void *page_lock(struct vspace *v, u64 va, u32 access)
{
	if (va >= USER_HIGH)
		return NULL;
	for (;;) {
		void *page;

		mutex_lock(&v->lock);
		page = page_present(v, va, access);
		if (page)
			return page;
		mutex_unlock(&v->lock);
		if (mm_fault(v, va, access) != FAULT_RESOLVED)
			return NULL;
	}
}

static u32 transfer(struct vspace *v, u64 user, char *kernel, size_t n, size_t *done, u32 access)
{
	for (*done = 0; *done < n;) {
		u64 offset = (user + *done) & PAGE_MASK;
		size_t part = MIN(n - *done, PAGE_SIZE - offset);
		char *page = page_lock(v, ALIGN_DOWN(user + *done, PAGE_SIZE), access);

		if (!page)
			return *done ? STATUS_PARTIAL_COPY : STATUS_ACCESS_VIOLATION;
		if (access & FAULT_WRITE)
			memcpy(page + offset, kernel + *done, part);
		else
			memcpy(kernel + *done, page + offset, part);
		mutex_unlock(&v->lock);
		*done += part;
	}
	return STATUS_SUCCESS;
}

u32 vspace_read(struct vspace *v, u64 from, void *to, size_t n, size_t *done)
{
	return transfer(v, from, to, n, done, FAULT_READ);
}

u32 vspace_write(struct vspace *v, u64 to, const void *from, size_t n, size_t *done)
{
	return transfer(v, to, (char *)from, n, done, FAULT_WRITE);
}

void vspace_empty(struct vspace *v)
{
	mutex_lock(&v->lock);
	trim_vspace(v, ~0ull, TRIM_ALL);
	mutex_unlock(&v->lock);
}

/*
 * Looks at va. *wanted: a read of its page would bring it in, and nothing else would happen. Returns where to look next;
 * what is not allocated, or not committed, is passed over in one step.
 */
static u64 prefetch_look(struct vspace *v, u64 va, bool *wanted)
{
	struct page_state state;
	struct tree_node *n;
	word_t *word;
	u64 next;

	*wanted = false;
	mutex_lock(&v->lock);
	n = tree_find_from(&v->views, va);
	if (!n) {
		next = USER_HIGH;
	} else if (n->start > va) {
		next = n->start;
	} else if (view_of(n)->flags & (VIEW_PLACEHOLDER | VIEW_AWE | VIEW_LARGE)) {
		next = n->end;
	} else {
		word = pt_word(v, va);
		view_page_state(v, view_of(n), va, word ? *word : 0, &state);
		*wanted = state.committed && prot_allows(state.prot, FAULT_READ) && !(word && word_valid(*word));
		next = word || *wanted ? va + PAGE_SIZE : view_uniform_end(v, view_of(n), va);
	}
	mutex_unlock(&v->lock);
	return next;
}

/* Out of the page table again: what is prefetched is kept in memory, and no part of the working set. */
static void prefetched(struct vspace *v, u64 va)
{
	struct gather g;
	word_t *word;

	mutex_lock(&v->lock);
	word = pt_word(v, va);
	if (word && word_valid(*word) && !(word_prot(*word) & MARK_LOCKED)) {
		gather_init(&g, v);
		gather_deactivate(&g, va, word, word_prot(*word));
		gather_finish(&g);
	}
	mutex_unlock(&v->lock);
}

void vspace_prefetch(struct vspace *v, u64 base, u64 size)
{
	u64 va = ALIGN_DOWN(base, PAGE_SIZE), end = base + size, next;
	bool wanted;

	/* Advice: what was promised for later must not push out what is in use now. */
	for (; va < end && frames_available() > frame_counts.high && !thread_ending(); va = next) {
		next = prefetch_look(v, va, &wanted);
		if (wanted) {
			mm_fault(v, va, FAULT_READ | FAULT_ALONE);
			prefetched(v, va);
		}
	}
}
