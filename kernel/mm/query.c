/* Questions about memory: what is where, and how much of it. */
#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"

/* State of the page at va of w, as VirtualQuery shows it. */
static void page_attributes(struct vspace *v, struct view *w, u64 va, u32 *state, u32 *protect)
{
	word_t *word = pt_word(v, va);
	struct page_state s;

	view_page_state(v, w, va, word ? *word : 0, &s);
	*state = s.committed ? MEM_COMMIT : MEM_RESERVE;
	*protect = s.committed ? prot_to_page(s.prot) : 0;
}

/*
 * Where a run from va on ends that is all alike because nothing was ever said of its pages: no table of ours, nor, where
 * that counts, of the section's. va itself: not known. So a large reservation is not asked page by page.
 */
static u64 uniform_end(struct vspace *v, struct view *w, u64 va)
{
	u64 at = va, count, end, index;

	if (w->kind == VIEW_IMAGE || pt_word(v, va))
		return va;
	if (w->flags & VIEW_LARGE)
		return ALIGN_DOWN(va, LARGE_PAGE) + LARGE_PAGE;
	end = pt_next(v, &at, w->node.end, &count) ? at : w->node.end;
	if (w->section && w->section->attributes & SEC_RESERVE) {
		mutex_lock(&w->section->lock);
		index = section_next(w->section, view_index(w, va));
		mutex_unlock(&w->section->lock);
		end = MIN(end, va + ((index - view_index(w, va)) << PAGE_SHIFT));
	}
	return end;
}

u32 vspace_query(struct vspace *v, u64 address, struct nt_memory_basic_information *out)
{
	u64 va = ALIGN_DOWN(address, PAGE_SIZE), end;
	struct view *w;

	if (address >= USER_HIGH)
		return STATUS_INVALID_PARAMETER;
	memset(out, 0, sizeof(*out));
	out->base_address = va;
	mutex_lock(&v->lock);
	w = view_find(v, va);
	if (!w) {
		struct tree_node *next = tree_find_from(&v->views, va);

		out->region_size = (next ? next->start : USER_HIGH) - va;
		out->state = MEM_FREE;
		out->protect = PAGE_NOACCESS;
		mutex_unlock(&v->lock);
		return STATUS_SUCCESS;
	}
	out->allocation_base = w->node.start;
	out->allocation_protect = w->protect;
	out->type = w->kind == VIEW_IMAGE ? MEM_IMAGE : w->kind == VIEW_SECTION ? MEM_MAPPED : MEM_PRIVATE;
	page_attributes(v, w, va, &out->state, &out->protect);
	for (end = va; end < w->node.end; end = MAX(uniform_end(v, w, end), end + PAGE_SIZE)) {
		u32 state, protect;

		page_attributes(v, w, end, &state, &protect);
		if (state != out->state || protect != out->protect)
			break;
	}
	out->region_size = end - va;
	mutex_unlock(&v->lock);
	return STATUS_SUCCESS;
}

u32 vspace_query_file(struct vspace *v, u64 address, char *path, size_t size)
{
	u32 status = STATUS_INVALID_ADDRESS;
	struct view *w;

	mutex_lock(&v->lock);
	w = address < USER_HIGH ? view_find(v, address) : NULL;
	if (w && w->section && w->section->file) {
		ksnprintf(path, size, "\\??\\C:%s", w->section->file->path);
		status = STATUS_SUCCESS;
	} else if (w && w->section) {
		status = STATUS_FILE_INVALID;
	}
	mutex_unlock(&v->lock);
	return status;
}

/* What is in a frame and what stands behind it. frames_lock held. */
static void frame_backing(const struct frame *f, u32 pfn, struct bs_page *out)
{
	out->flags |= BS_RESIDENT;
	out->frame = pfn;
	if (f->flags & (FRAME_DIRTY | FRAME_WRITING)) /* on its way to a slot, it is in memory alone */
		out->flags |= BS_DIRTY;
	if (out->flags & BS_DIRTY)
		out->backing = BS_MEMORY;
	else if (word_kind(f->backing) == WORD_SWAP) {
		out->backing = BS_PAGING_FILE;
		out->file = word_swap_file(f->backing);
		out->offset = word_swap_slot(f->backing);
	} else if (word_kind(f->backing) == WORD_BACKING) {
		out->backing = BS_IMAGE;
	} else {
		out->backing = BS_ZERO;
	}
}

/* Follows a word that is not "see elsewhere". */
static void word_backing(word_t w, struct bs_page *out)
{
	switch (word_kind(w)) {
	case WORD_VALID:
	case WORD_TRANSITION:
		frame_backing(&frames[word_pfn(w)], word_pfn(w), out);
		break;
	case WORD_ZERO:
		out->backing = BS_ZERO;
		break;
	case WORD_SWAP:
		out->backing = BS_PAGING_FILE;
		out->file = word_swap_file(w);
		out->offset = word_swap_slot(w);
		break;
	case WORD_BACKING:
		out->backing = BS_IMAGE;
		break;
	default:
		out->backing = BS_NOTHING;
	}
}

static void page_backing(struct vspace *v, struct view *w, u64 va, struct bs_page *out)
{
	word_t *at = pt_word(v, va), word = at ? *at : 0;
	struct section *s = w->section;
	struct page_state state;

	view_page_state(v, w, va, word, &state);
	if (!state.committed)
		return;
	out->protect = prot_to_page(state.prot);
	if (state.prot & PROT_COPY)
		out->flags |= BS_WRITE_COPY;
	if (word_valid(word))
		out->flags |= BS_VALID | (word & PTE_DIRTY ? BS_DIRTY : 0) | (word & PTE_ACCESSED ? BS_ACCESSED : 0);
	if (s && !state.private_copy) {
		u64 index = view_index(w, va);
		word_t *p;

		out->flags |= BS_SHARED;
		mutex_lock(&s->lock);
		p = section_word(s, index);
		spin_lock(&frames_lock);
		word_backing(p && *p ? *p : s->backing->initial(s, index), out);
		spin_unlock(&frames_lock);
		mutex_unlock(&s->lock);
		if (out->backing == BS_IMAGE && s->backing->offset)
			out->offset = s->backing->offset(s, index);
	} else {
		spin_lock(&frames_lock);
		word_backing(at ? *at : 0, out);
		spin_unlock(&frames_lock);
	}
}

u32 vspace_query_backing(struct vspace *v, u64 address, u64 pages, struct bs_page *out)
{
	u64 va = ALIGN_DOWN(address, PAGE_SIZE);

	if (va >= USER_HIGH || pages > (USER_HIGH - va) >> PAGE_SHIFT)
		return STATUS_INVALID_PARAMETER;
	memset(out, 0, pages * sizeof(*out));
	mutex_lock(&v->lock);
	for (u64 i = 0; i < pages; i++, va += PAGE_SIZE) {
		struct view *w = view_find(v, va);

		if (w)
			page_backing(v, w, va, &out[i]);
	}
	mutex_unlock(&v->lock);
	return STATUS_SUCCESS;
}

void vspace_describe(struct vspace *v, u64 address, char *text, size_t size)
{
	struct nt_memory_basic_information m;
	struct view *w;

	if (vspace_query(v, address, &m) || m.state == MEM_FREE) {
		strlcpy(text, address < USER_HIGH ? "nothing is mapped there" : "an address of the kernel", size);
		return;
	}
	mutex_lock(&v->lock);
	w = view_find(v, address);
	if (!w)
		strlcpy(text, "nothing is mapped there", size);
	else if (w->section && w->section->file) {
		const struct pe_image *pe = section_image(w->section);
		const struct pe_segment *g = pe ? pe_segment_at(pe, view_index(w, address) << PAGE_SHIFT) : NULL;

		ksnprintf(text, size, "C:%s%s%s+0x%llx", w->section->file->path, g && g->name[0] ? " " : "", g ? g->name : "",
			  (unsigned long long)(address - w->node.start));
	} else {
		ksnprintf(text, size, "%s%s", w->section ? "a view of an anonymous section" : "private memory",
			  m.state == MEM_RESERVE ? ", reserved but not committed" : "");
	}
	mutex_unlock(&v->lock);
}

void mm_query(struct bs_memory *out)
{
	u64 used;

	memset(out, 0, sizeof(*out));
	spin_lock(&frames_lock);
	out->frames_total = frame_counts.total;
	out->frames_free = frame_counts.state[FRAME_FREE] + frame_counts.cached;
	out->frames_zeroed = frame_counts.state[FRAME_ZEROED];
	out->frames_standby = frame_counts.state[FRAME_STANDBY];
	out->frames_modified = frame_counts.state[FRAME_MODIFIED];
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
	out->commit_policy = commit_totals.overcommit;
	out->faults = fault_counters.all;
	out->faults_zero = fault_counters.zero;
	out->faults_section = fault_counters.section;
	out->faults_cow = fault_counters.cow;
	out->faults_cow_steal = fault_counters.cow_steal;
	out->faults_swap_in = fault_counters.swap_in;
	out->faults_transition = fault_counters.transition;
	out->faults_guard = fault_counters.guard;
	out->faults_image_read = fault_counters.image_read;
	out->pages_image_read = fault_counters.image_pages;
	out->pages_swapped_out = reclaim_counters.swapped_out;
	out->pages_swapped_in = reclaim_counters.swapped_in;
	out->pages_trimmed = reclaim_counters.trimmed;
	out->pages_discarded = reclaim_counters.discarded;
	out->frame_entry_bytes = sizeof(struct frame);
	out->pool_pages = pool_pages();
	out->uptime_ns = clock_ns();
	for (u64 i = 0;; i++) {
		struct bs_paging_file f;

		if (swap_query(i, &f))
			break;
		out->paging_file_count++;
		out->paging_file_pages += f.pages;
		out->paging_file_used += f.used;
		out->swap_write_requests += f.write_requests;
		out->swap_read_requests += f.read_requests;
		out->swap_errors += f.errors;
	}
}
