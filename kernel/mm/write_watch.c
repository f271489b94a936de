/*
 * Write watch: which pages of an allocation were written since they were last asked about. A page's entry says so with the
 * processor's dirty bit, or, when it left the page table since, with a mark that its word keeps wherever the page goes.
 * Source: Windows documentation of VirtualAlloc (MEM_WRITE_WATCH), GetWriteWatch, ResetWriteWatch.
 */
#include "mm/vspace.h"

static bool was_written(word_t w)
{
	return word_prot(w) & MARK_WRITTEN || (word_valid(w) && w & PTE_DIRTY);
}

/* From here on it counts as not written. That it has to be paged out is kept with its frame. */
static void written_reset(struct gather *g, u64 va, word_t *word)
{
	const word_t mark = word_prot_bits(MARK_WRITTEN);

	spin_lock(&frames_lock);
	if (word_valid(*word)) {
		if (__atomic_fetch_and(word, ~(mark | PTE_DIRTY), __ATOMIC_RELAXED) & PTE_DIRTY)
			frames[word_pfn(*word)].flags |= FRAME_DIRTY;
		gather_flush_only(g, va);
	} else {
		*word &= ~mark;
	}
	spin_unlock(&frames_lock);
}

/* Rounds the range to pages, and locks v if it is in one allocation that is watched; else v is not locked. */
static u32 watched_lock(struct vspace *v, u64 base, u64 size, u64 *start, u64 *end)
{
	struct view *w;

	if (base >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_2;
	if (!size || size > USER_HIGH - base)
		return STATUS_INVALID_PARAMETER_3;
	*start = ALIGN_DOWN(base, PAGE_SIZE);
	*end = ALIGN_UP(base + size, PAGE_SIZE);
	mutex_lock(&v->lock);
	w = view_find(v, *start);
	if (w && w->flags & VIEW_WRITE_WATCH && *end <= w->node.end)
		return STATUS_SUCCESS;
	mutex_unlock(&v->lock);
	return STATUS_INVALID_PARAMETER_1;
}

u32 vspace_write_watch(struct vspace *v, u64 base, u64 size, bool reset, u64 *out, u64 *count, u64 *next)
{
	u64 va, end, words, found = 0;
	u32 status = watched_lock(v, base, size, &va, &end);
	struct gather g;
	word_t *word;

	if (status)
		return status;
	gather_init(&g, v);
	for (; found < *count && (word = pt_next(v, &va, end, &words)); )
		for (u64 i = 0; i < words && found < *count; i++, va += PAGE_SIZE) {
			if (!was_written(word[i]))
				continue;
			out[found++] = va;
			if (reset)
				written_reset(&g, va, &word[i]);
		}
	gather_finish(&g);
	mutex_unlock(&v->lock);
	*next = found < *count ? end : va;
	*count = found;
	return STATUS_SUCCESS;
}

u32 vspace_write_watch_reset(struct vspace *v, u64 base, u64 size)
{
	u64 va, end, words;
	u32 status = watched_lock(v, base, size, &va, &end);
	struct gather g;
	word_t *word;

	if (status)
		return status;
	gather_init(&g, v);
	for (; (word = pt_next(v, &va, end, &words)); va += words << PAGE_SHIFT)
		for (u64 i = 0; i < words; i++)
			if (was_written(word[i]))
				written_reset(&g, va + (i << PAGE_SHIFT), &word[i]);
	gather_finish(&g);
	mutex_unlock(&v->lock);
	return STATUS_SUCCESS;
}
