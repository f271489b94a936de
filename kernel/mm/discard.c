/*
 * Contents that the process does not need: MEM_RESET says so and lets the pages be used on; OfferVirtualMemory says so and
 * makes them inaccessible until they are reclaimed. Such a page is clean whatever was written to it: it is never paged
 * out, and its frame can be taken like any standby page's. The marks of its word tell afterwards whether that happened.
 * Source: Windows documentation of VirtualAlloc (MEM_RESET, MEM_RESET_UNDO), OfferVirtualMemory, ReclaimVirtualMemory.
 */
#include "mm/swap.h"
#include "mm/vspace.h"

/*
 * Whoever needs the frame may have it: before all others of a higher priority. While it is being read, its slot must stay.
 * frames_lock held.
 */
static void contents_drop(u32 pfn, u32 priority)
{
	struct frame *f = &frames[pfn];

	frame_priority_set(pfn, priority);
	if (f->flags & FRAME_READING)
		return;
	f->flags &= ~FRAME_DIRTY;
	swap_slot_drop(f);
	if (f->state == FRAME_MODIFIED) {
		frame_list_remove(pfn);
		frame_list_add(pfn, FRAME_STANDBY);
	}
}

void page_contents_keep(u32 pfn)
{
	struct frame *f = &frames[pfn];

	if (f->flags & (FRAME_READING | FRAME_WRITING) || word_kind(f->backing) == WORD_SWAP)
		return;
	f->flags |= FRAME_DIRTY;
	if (f->state == FRAME_STANDBY) {
		frame_list_remove(pfn);
		frame_list_add(pfn, FRAME_MODIFIED);
	}
}

/* A page in a paging file loses its slot. The caller frees that after frames_lock. */
static word_t slot_lose(word_t *word, u32 prot)
{
	word_t was = *word;

	*word = word_zero((prot & ~MARK_RESET) | MARK_LOST);
	return was;
}

static void slot_free(word_t swapped)
{
	if (word_kind(swapped) == WORD_SWAP)
		swap_slot_free(word_swap_file(swapped), word_swap_slot(swapped));
}

/* Can this word's page be discarded? Pages shared with a clone can't: the clone did not agree. */
static bool is_private(word_t w)
{
	return word_valid(w) ? !(w & PTE_SECTION) : word_kind(w) == WORD_TRANSITION || word_kind(w) == WORD_SWAP;
}

/* watched: that the page was written is kept, though what was written is not wanted. */
static void page_reset(struct gather *g, u64 va, word_t *word, bool watched)
{
	word_t swapped = 0, old;

	spin_lock(&frames_lock);
	if (!is_private(*word)) {
		/* never touched, or shared: nothing to give up */
	} else if (word_valid(*word)) {
		/* The processor may set its bits meanwhile: so one bit at a time. */
		old = __atomic_fetch_and(word, ~(PTE_DIRTY | word_prot_bits(MARK_LOST)), __ATOMIC_RELAXED);
		__atomic_or_fetch(word, word_prot_bits(watched && old & PTE_DIRTY ? MARK_RESET | MARK_WRITTEN : MARK_RESET),
				  __ATOMIC_RELAXED);
		contents_drop(word_pfn(*word), PRIORITY_LOWEST);
		gather_flush_only(g, va); /* so that the next write sets the dirty bit again */
	} else if (word_kind(*word) == WORD_SWAP) {
		swapped = slot_lose(word, word_prot(*word));
	} else {
		*word = word_with_prot(*word, (word_prot(*word) & ~MARK_LOST) | MARK_RESET);
		contents_drop(word_pfn(*word), PRIORITY_LOWEST);
	}
	spin_unlock(&frames_lock);
	slot_free(swapped);
}

/* True if the contents are intact. */
static bool page_reset_undo(word_t *word)
{
	bool intact;

	spin_lock(&frames_lock);
	intact = !(word_prot(*word) & MARK_LOST);
	if (word_prot(*word) & MARK_RESET && (word_valid(*word) || word_kind(*word) == WORD_TRANSITION))
		page_contents_keep(word_pfn(*word));
	__atomic_and_fetch(word, ~word_prot_bits(MARK_RESET | MARK_LOST), __ATOMIC_RELAXED);
	spin_unlock(&frames_lock);
	return intact;
}

static u32 reset_locked(struct vspace *v, u64 start, u64 end, bool undo)
{
	struct view *w = view_find(v, start);
	bool intact = true;
	struct gather g;
	word_t *word;
	u64 count;

	if (!w || end > w->node.end || w->flags & (VIEW_PLACEHOLDER | VIEW_AWE | VIEW_LARGE))
		return STATUS_CONFLICTING_ADDRESSES;
	if (w->section) /* others may see these pages: allowed, and without effect */
		return w->section->file ? STATUS_USER_MAPPED_FILE : STATUS_SUCCESS;
	gather_init(&g, v);
	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++) {
			if (!word[i])
				continue;
			if (undo)
				intact &= page_reset_undo(&word[i]);
			else
				page_reset(&g, va + (i << PAGE_SHIFT), &word[i], w->flags & VIEW_WRITE_WATCH);
		}
	gather_finish(&g);
	return intact ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}

u32 vspace_reset(struct vspace *v, u64 *base, u64 *size, bool undo, u32 protect)
{
	u64 start = ALIGN_UP(*base, PAGE_SIZE), end;
	u32 prot, status;

	if (!prot_from_page(protect, &prot))
		return STATUS_INVALID_PAGE_PROTECTION;
	if (*base >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_2;
	if (!*size || *size > USER_HIGH - *base)
		return STATUS_INVALID_PARAMETER_4;
	/* What is only partly in the range is kept: only whole pages are reset. */
	end = ALIGN_DOWN(*base + *size, PAGE_SIZE);
	mutex_lock(&v->lock);
	if (start < end)
		status = reset_locked(v, start, end, undo);
	else
		status = view_find(v, *base) ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
	mutex_unlock(&v->lock);
	if (status == STATUS_SUCCESS) {
		*base = ALIGN_DOWN(*base, PAGE_SIZE);
		*size = start < end ? end - start : 0;
	}
	return status;
}

/* ---- offer and reclaim ---- */

/* Is [start, end) committed private memory of one allocation, and each page's protection fit? */
static bool pages_fit(struct vspace *v, u64 start, u64 end, bool (*fits)(u32 prot))
{
	struct view *w = view_find(v, start);
	u64 seen = start, count;
	word_t *word;

	if (!w || end > w->node.end || w->section || w->flags & (VIEW_PLACEHOLDER | VIEW_AWE | VIEW_LARGE))
		return false;
	for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT, seen = va) {
		if (va != seen)
			return false; /* there is no table: not committed */
		for (u64 i = 0; i < count; i++)
			if (!word[i] || !fits(word_prot(word[i])))
				return false;
	}
	return seen == end;
}

/* Locks v if [base, base + size) is such a range of whole pages. False: it is not, and v is not locked. */
static bool pages_lock(struct vspace *v, u64 base, u64 size, bool (*fits)(u32 prot))
{
	if (!size || !IS_ALIGNED(base | size, PAGE_SIZE) || base >= USER_HIGH || size > USER_HIGH - base)
		return false;
	mutex_lock(&v->lock);
	if (pages_fit(v, base, base + size, fits))
		return true;
	mutex_unlock(&v->lock);
	return false;
}

static bool can_be_offered(u32 prot)
{
	return prot & PROT_WRITE && !(prot & PROT_GUARD);
}

static bool is_offered(u32 prot)
{
	return prot & MARK_OFFERED;
}

static void page_offer(word_t *word, u32 priority)
{
	word_t swapped = 0;

	spin_lock(&frames_lock);
	*word = word_with_prot(*word, word_prot(*word) | MARK_OFFERED);
	if (word_kind(*word) == WORD_TRANSITION)
		contents_drop(word_pfn(*word), priority);
	else if (word_kind(*word) == WORD_SWAP)
		swapped = slot_lose(word, word_prot(*word));
	spin_unlock(&frames_lock);
	slot_free(swapped);
}

u32 vspace_offer(struct vspace *v, u64 base, u64 size, u32 priority)
{
	u64 end = base + size, count;
	struct gather g;
	word_t *word;

	if (!pages_lock(v, base, size, can_be_offered))
		return STATUS_INVALID_PARAMETER;
	gather_init(&g, v);
	for (u64 va = base; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			if (word_valid(word[i]))
				gather_deactivate(&g, va + (i << PAGE_SHIFT), &word[i],
						  (word_prot(word[i]) & ~MARK_LOCKED) | MARK_OFFERED);
	gather_finish(&g);
	for (u64 va = base; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			page_offer(&word[i], priority);
	mutex_unlock(&v->lock);
	return STATUS_SUCCESS;
}

/* True if the contents are intact. */
static bool page_reclaim(word_t *word)
{
	u32 prot;

	spin_lock(&frames_lock);
	prot = word_prot(*word);
	if (word_kind(*word) == WORD_TRANSITION)
		page_contents_keep(word_pfn(*word));
	*word = word_with_prot(*word, prot & ~(MARK_OFFERED | MARK_LOST));
	spin_unlock(&frames_lock);
	return !(prot & MARK_LOST);
}

u32 vspace_reclaim(struct vspace *v, u64 base, u64 size)
{
	u64 end = base + size, count;
	bool intact = true;
	word_t *word;

	if (!pages_lock(v, base, size, is_offered))
		return STATUS_INVALID_PARAMETER;
	for (u64 va = base; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			intact &= page_reclaim(&word[i]);
	mutex_unlock(&v->lock);
	return intact ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
}
