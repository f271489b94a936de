/*
 * Questions about address spaces and memory as a whole: which regions there are, how many pages of what kind. Where a
 * page is, and why, tells backed.c.
 */
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/thrash.h"
#include "mm/vspace.h"

u64 view_uniform_end(struct vspace *v, struct view *w, u64 va)
{
	u64 at = va, count, end, index;

	if (w->kind == VIEW_IMAGE)
		return va + PAGE_SIZE;
	if (w->flags & VIEW_LARGE)
		return ALIGN_DOWN(va, LARGE_PAGE) + LARGE_PAGE;
	end = pt_next(v, &at, w->node.end, &count) ? at : w->node.end;
	if (w->section && w->section->backing == &backing_file) /* behind the file's end nothing is committed */
		end = va < view_committed_end(w) ? MIN(end, view_committed_end(w)) : end;
	if (w->section && w->section->attributes & SEC_RESERVE) {
		mutex_lock(&w->section->lock);
		index = section_next(w->section, view_index(w, va));
		mutex_unlock(&w->section->lock);
		end = MIN(end, va + ((index - view_index(w, va)) << PAGE_SHIFT));
	}
	return MAX(end, va + PAGE_SIZE);
}

static bool alike(const struct page_state *a, const struct page_state *b)
{
	return a->committed == b->committed && (!a->committed || !((a->prot ^ b->prot) & PROT_PAGE_MASK));
}

/* Where the pages end, from va on, that have the same state and protection as it; *state: that. */
static u64 region_end(struct vspace *v, struct view *w, u64 va, struct page_state *state)
{
	struct page_state other;
	word_t *word = pt_word(v, va);
	u64 at = va, end;

	view_page_state(v, w, va, word ? *word : 0, state);
	while (at < w->node.end) {
		word = pt_word(v, at);
		end = word ? MIN(ALIGN_DOWN(at, TABLE_SPAN) + TABLE_SPAN, w->node.end) : view_uniform_end(v, w, at);
		if (!word) {
			view_page_state(v, w, at, 0, &other);
			if (!alike(&other, state))
				return at;
			at = end;
		}
		for (; at < end; at += PAGE_SIZE) {
			view_page_state(v, w, at, *word++, &other);
			if (!alike(&other, state))
				return at;
		}
	}
	return w->node.end;
}

u32 vspace_query(struct vspace *v, u64 address, struct nt_memory_basic_information *out)
{
	u64 va = ALIGN_DOWN(address, PAGE_SIZE);
	struct page_state state;
	struct view *w;

	memset(out, 0, sizeof(*out));
	if (address >= USER_HIGH)
		return STATUS_INVALID_PARAMETER;
	out->base_address = va;
	mutex_lock(&v->lock);
	w = view_find(v, va);
	if (w) {
		out->allocation_base = w->node.start;
		out->allocation_protect = w->protect;
		out->type = w->kind == VIEW_IMAGE ? MEM_IMAGE : w->kind == VIEW_SECTION ? MEM_MAPPED : MEM_PRIVATE;
		out->region_size = region_end(v, w, va, &state) - va;
		out->state = state.committed ? MEM_COMMIT : MEM_RESERVE;
		out->protect = state.committed ? prot_to_page(state.prot) : 0;
	} else {
		struct tree_node *next = tree_find_from(&v->views, va);

		out->region_size = (next ? next->start : USER_HIGH) - va;
		out->state = MEM_FREE;
		out->protect = PAGE_NOACCESS;
	}
	mutex_unlock(&v->lock);
	return STATUS_SUCCESS;
}

/* Pages of private memory that are committed. Under lazy-writecopy those that are shared with clones are not its charge. */
static u64 committed_private(struct vspace *v, const struct view *w)
{
	u64 n = 0, count;
	word_t *word;

	if (!commit_totals.lazy_writecopy)
		return w->charge;
	for (u64 va = w->node.start; (word = pt_next(v, &va, w->node.end, &count)); va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++)
			n += word[i] != 0;
	return n;
}

/* Pages of a view that are committed. */
static u64 committed_pages(struct vspace *v, const struct view *w)
{
	u64 pages = (w->node.end - w->node.start) >> PAGE_SHIFT;

	if (w->flags & VIEW_LARGE)
		return pages;
	if (w->section && w->section->backing == &backing_file)
		return (view_committed_end(w) - w->node.start) >> PAGE_SHIFT;
	return w->section ? section_committed(w->section, w->first, pages) : committed_private(v, w);
}

static u32 region_flags(const struct view *w)
{
	if (w->kind == VIEW_IMAGE)
		return MEMORY_REGION_MAPPED_IMAGE;
	if (w->section)
		return w->section->file ? MEMORY_REGION_MAPPED_DATA_FILE : MEMORY_REGION_MAPPED_PAGE_FILE;
	return (w->flags & VIEW_AWE ? MEMORY_REGION_MAPPED_PHYSICAL : MEMORY_REGION_PRIVATE) |
	       (w->flags & VIEW_PLACEHOLDER ? MEMORY_REGION_PLACEHOLDER : 0);
}

u32 vspace_query_region(struct vspace *v, u64 address, struct nt_memory_region_information *out)
{
	struct view *w;

	memset(out, 0, sizeof(*out));
	if (address >= USER_HIGH)
		return STATUS_INVALID_PARAMETER;
	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (w) {
		out->allocation_base = w->node.start;
		out->allocation_protect = w->protect;
		out->flags = region_flags(w);
		out->region_size = w->node.end - w->node.start;
		out->commit_size = committed_pages(v, w) << PAGE_SHIFT;
	}
	mutex_unlock(&v->lock);
	return w ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
}

/* Sums over all address spaces. */
static void count_vspaces(struct bs_memory *out)
{
	struct vspace *v;

	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link)
		out->pages_locked += v->locked;
	mutex_unlock(&vspaces_lock);
}

void mm_query(struct bs_memory *out)
{
	u64 used;

	memset(out, 0, sizeof(*out));
	spin_lock(&frames_lock);
	out->frames_total = frame_counts.total;
	out->frames_free = frame_counts.state[FRAME_FREE] + frames_cached();
	out->frames_zeroed = frame_counts.state[FRAME_ZEROED];
	out->frames_standby = frame_counts.state[FRAME_STANDBY];
	out->frames_modified = frame_counts.state[FRAME_MODIFIED] + frame_counts.state[FRAME_FILE_MODIFIED];
	out->frames_transition = frame_counts.state[FRAME_TRANSITION];
	out->frames_kernel = frame_counts.kernel;
	out->frames_physical = frame_counts.physical;
	spin_unlock(&frames_lock);
	used = out->frames_free + out->frames_zeroed + out->frames_standby + out->frames_modified + out->frames_transition +
	       out->frames_kernel + out->frames_physical;
	out->frames_active = out->frames_total > used ? out->frames_total - used : 0;
	out->commit_charge = commit_totals.charge;
	out->commit_limit = commit_totals.limit;
	out->commit_peak = commit_totals.peak;
	out->commit_private = commit_totals.by_owner[COMMIT_PRIVATE];
	out->commit_sections = commit_totals.by_owner[COMMIT_SECTION];
	out->commit_page_tables = commit_totals.by_owner[COMMIT_TABLES];
	out->commit_kernel = commit_totals.by_owner[COMMIT_KERNEL];
	out->commit_physical = commit_totals.by_owner[COMMIT_PHYSICAL];
	out->commit_refused = commit_totals.refused;
	out->commit_clones = commit_totals.by_owner[COMMIT_CLONES];
	out->commit_policy = commit_totals.overcommit ? BS_COMMIT_OVERCOMMIT
			     : commit_totals.lazy_writecopy ? BS_COMMIT_LAZY_WRITECOPY : BS_COMMIT_STRICT;
	out->faults = fault_count(FAULTS_ALL);
	out->faults_zero = fault_count(FAULTS_ZERO);
	out->faults_section = fault_count(FAULTS_SECTION);
	out->pages_around = fault_count(FAULTS_AROUND);
	out->faults_cow = fault_count(FAULTS_COW);
	out->faults_cow_steal = fault_count(FAULTS_COW_STEAL);
	out->faults_swap_in = fault_count(FAULTS_SWAP_IN);
	out->faults_transition = fault_count(FAULTS_TRANSITION);
	out->faults_guard = fault_count(FAULTS_GUARD);
	out->faults_image_read = fault_count(FAULTS_IMAGE_READ);
	out->pages_image_read = fault_count(FAULTS_IMAGE_PAGES);
	file_cache_query(out);
	out->pages_swapped_out = reclaim_counters.swapped_out;
	out->pages_swapped_in = reclaim_counters.swapped_in;
	out->pages_trimmed = reclaim_counters.trimmed;
	out->pages_discarded = reclaim_counters.discarded;
	out->swap_ahead_pages = reclaim_counters.ahead;
	out->swap_ahead_used = reclaim_counters.ahead_used;
	out->swap_ahead_wasted = reclaim_counters.ahead_wasted;
	out->reclaim_low = frame_counts.low;
	out->reclaim_high = frame_counts.high;
	thrash_query(out);
	count_vspaces(out);
	out->frame_highest = frame_highest();
	out->frame_entry_bytes = sizeof(struct frame);
	out->pool_pages = pool_pages();
	out->uptime_ns = clock_ns();
	swap_query_totals(out);
}
