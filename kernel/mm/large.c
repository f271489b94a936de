/*
 * Large pages: 2 MiB that one page-directory entry maps. They are there from the start, zeroed, and never leave memory;
 * so they are charged as physical pages, and there is nothing to fault in. VirtualAlloc's belong to the view, a section's
 * (SEC_LARGE_PAGES) to the section, of which there can be views of small pages too. Source: Windows documentation,
 * "Large-Page Support", VirtualAlloc, CreateFileMapping, MapViewOfFile. The privilege SeLockMemoryPrivilege, which
 * Windows asks for, is not modelled: every process has it.
 */
#include "mm/pool.h"
#include "mm/vspace.h"

/* The large pages of one allocation, in their order; each is LARGE_FRAMES frames in a row. */
struct large_run {
	u64 count;
	u32 first[]; /* frame numbers */
};

/* ---- the pages ---- */

u64 large_run_pages(const struct large_run *run) { return run->count * LARGE_FRAMES; }

u32 large_run_frame(const struct large_run *run, u64 index)
{
	assert(index < large_run_pages(run));
	return run->first[index / LARGE_FRAMES] + index % LARGE_FRAMES;
}

void large_run_free(struct large_run *run)
{
	if (!run)
		return;
	for (u64 i = 0; i < run->count; i++) {
		for (u32 n = 0; n < LARGE_FRAMES; n++)
			frames[run->first[i] + n].next = n + 1 < LARGE_FRAMES ? run->first[i] + n + 1 : 0;
		frames_free_physical(run->first[i]);
	}
	commit_release(COMMIT_PHYSICAL, large_run_pages(run));
	kfree(run);
}

u32 large_run_create(u64 bytes, struct large_run **out)
{
	u64 count = bytes / LARGE_PAGE, from = 0;
	struct large_run *run;
	u32 pfn = 1;

	assert(count && IS_ALIGNED(bytes, LARGE_PAGE));
	if (!commit_charge(COMMIT_PHYSICAL, count * LARGE_FRAMES))
		return STATUS_COMMITMENT_LIMIT;
	run = sizeof(*run) + count * sizeof(u32) <= KMALLOC_MAX ? kmalloc(sizeof(*run) + count * sizeof(u32)) : NULL;
	if (!run) {
		commit_release(COMMIT_PHYSICAL, count * LARGE_FRAMES);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	for (run->count = 0; run->count < count && (pfn = frame_alloc_large(&from)); run->count++)
		run->first[run->count] = pfn;
	if (run->count < count) {
		commit_release(COMMIT_PHYSICAL, (count - run->count) * LARGE_FRAMES);
		large_run_free(run);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	*out = run;
	return STATUS_SUCCESS;
}

/* Uncached, guarded and write-copy large pages do not exist. */
static bool prot_possible(u32 prot)
{
	return !(prot & (PROT_GUARD | PROT_COPY | PROT_CACHING));
}

/* ---- private memory ---- */

static u32 allocate_locked(struct vspace *v, u64 *base, u64 size, const struct address_limits *where, bool top_down,
			   u32 protect, u32 prot)
{
	struct view like = { .kind = VIEW_PRIVATE, .prot = prot, .protect = protect, .flags = VIEW_LARGE }, *w;
	u32 status = view_create(v, base, size, where, top_down, &like, &w);

	if (status)
		return status;
	status = large_run_create(size, &w->large);
	if (!status) {
		v->physical += large_run_pages(w->large);
		status = large_map(v, w);
	}
	if (status)
		view_remove(v, w);
	return status;
}

u32 large_allocate(struct vspace *v, u64 *base, u64 *size, const struct address_limits *where, u32 type, u32 protect)
{
	struct address_limits place = where ? *where : ANYWHERE;
	bool compacted = false, again;
	u32 prot, status;
	u64 at;

	if ((type & ~MEM_TOP_DOWN) != (MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES))
		return STATUS_INVALID_PARAMETER_5;
	if (!prot_from_page(protect, &prot) || !prot_possible(prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (*base >= USER_HIGH || !IS_ALIGNED(*base, LARGE_PAGE))
		return STATUS_INVALID_PARAMETER_2;
	if (!*size || !IS_ALIGNED(*size, LARGE_PAGE) || *size > USER_HIGH - *base)
		return STATUS_INVALID_PARAMETER_4;
	place.align = MAX(place.align, LARGE_PAGE);
	do {
		at = *base;
		mutex_lock(&v->lock);
		status = allocate_locked(v, &at, *size, &place, type & MEM_TOP_DOWN, protect, prot);
		mutex_unlock(&v->lock);
		again = memory_wait_again(v, &status);
		if (status == STATUS_INSUFFICIENT_RESOURCES && !compacted) {
			compacted = true;
			again = frames_compact(*size / LARGE_PAGE);
		}
	} while (again);
	if (status == STATUS_SUCCESS)
		*base = at;
	return status;
}

/* ---- sections ---- */

/* All that such a section has is in its run: no page of it has a word. */
static word_t initial(const struct section *s, u64 index)
{
	(void)s;
	(void)index;
	return 0;
}

static const struct backing backing_large = { .name = "large pages", .initial = initial };

u32 section_create_large(u64 size, u32 protect, struct section **out)
{
	struct section *s;
	u32 status, prot;

	if (!prot_from_page(protect, &prot) || !prot_possible(prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (!size || !IS_ALIGNED(size, LARGE_PAGE))
		return STATUS_INVALID_PARAMETER_4;
	if (size >= USER_HIGH)
		return STATUS_SECTION_TOO_BIG;
	status = section_setup(&s, &backing_large, size >> PAGE_SHIFT, SEC_COMMIT | SEC_LARGE_PAGES, protect, 0);
	if (status)
		return status;
	for (bool compacted = false;; compacted = true) {
		mutex_lock(&s->lock);
		status = large_run_create(size, &s->large);
		mutex_unlock(&s->lock);
		if (status != STATUS_INSUFFICIENT_RESOURCES || compacted || !frames_compact(size / LARGE_PAGE))
			break;
	}
	if (status)
		section_unref(s);
	else
		*out = s;
	return status;
}

u32 large_view_check(const struct section *s, u64 base, u64 offset, u64 size, u32 prot)
{
	if (!s->large)
		return STATUS_INVALID_PARAMETER_9;
	if (!prot_possible(prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (!IS_ALIGNED(base | offset, LARGE_PAGE))
		return STATUS_MAPPED_ALIGNMENT;
	return IS_ALIGNED(size, LARGE_PAGE) ? STATUS_SUCCESS : STATUS_INVALID_VIEW_SIZE;
}

/* ---- the entries ---- */

static const struct large_run *run_of(const struct view *w) { return w->section ? w->section->large : w->large; }

/* The protection survives no access: the entry is not valid then, but says everything that a valid one does. */
static word_t entry_make(u32 pfn, u32 prot)
{
	word_t entry = word_valid_make(pfn, prot, false, true) | PTE_LARGE;

	return prot & (PROT_READ | PROT_EXECUTE) ? entry : entry & ~PTE_VALID;
}

static u32 entry_prot(word_t entry) { return entry >> WORD_PROT_SHIFT & PROT_PAGE_MASK; }

u32 large_map(struct vspace *v, struct view *w)
{
	word_t *entry;
	u32 status;

	assert(mutex_held(&v->lock) && IS_ALIGNED(w->node.start | w->node.end, LARGE_PAGE));
	for (u64 va = w->node.start; va < w->node.end; va += LARGE_PAGE) {
		status = pt_large_make(v, va, &entry);
		if (status)
			return status;
	}
	for (u64 va = w->node.start; va < w->node.end; va += LARGE_PAGE) {
		check(!pt_large_make(v, va, &entry) && !*entry);
		*entry = entry_make(large_run_frame(run_of(w), view_index(w, va)), w->prot);
	}
	return STATUS_SUCCESS;
}

void large_unmap(struct vspace *v, struct view *w)
{
	word_t *entry;

	assert(mutex_held(&v->lock));
	for (u64 va = w->node.start; va < w->node.end; va += LARGE_PAGE)
		if ((entry = pt_large(v, va)))
			*entry = 0;
	tlb_flush_range(v, w->node.start, (w->node.end - w->node.start) >> PAGE_SHIFT);
	if (w->large) {
		v->physical -= large_run_pages(w->large);
		large_run_free(w->large);
		w->large = NULL;
	}
}

u32 large_protect(struct vspace *v, struct view *w, u64 start, u64 end, u32 prot, u32 *old)
{
	if (!prot_possible(prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (!IS_ALIGNED(start | end, LARGE_PAGE))
		return STATUS_INVALID_PARAMETER;
	*old = prot_to_page(entry_prot(*pt_large(v, start)));
	for (u64 va = start; va < end; va += LARGE_PAGE)
		*pt_large(v, va) = entry_make(large_run_frame(run_of(w), view_index(w, va)), prot);
	tlb_flush_range(v, start, (end - start) >> PAGE_SHIFT);
	return STATUS_SUCCESS;
}

u32 large_pfn(struct vspace *v, u64 va)
{
	word_t *entry = pt_large(v, va);

	return entry ? word_pfn(*entry) + (va % LARGE_PAGE >> PAGE_SHIFT) : 0;
}

u32 large_prot(struct vspace *v, u64 va)
{
	return entry_prot(*pt_large(v, va));
}
