/*
 * Where each page is backed now, and why: of an address space's pages, and of the machine's frames. The page's word
 * says where it is, its frame says what stands behind it; nothing is kept for these answers alone.
 */
#include "lib/string.h"
#include "mm/vspace.h"

/* What stands behind a word that is in no frame, or behind a frame: zero, a slot, or the file. */
static void behind(word_t w, struct bs_page *out)
{
	switch (word_kind(w)) {
	case WORD_SWAP:
		out->backing = BS_PAGING_FILE;
		out->file = word_swap_file(w);
		out->offset = word_swap_slot(w);
		break;
	case WORD_BACKING:
		out->backing = BS_IMAGE;
		break;
	case WORD_ZERO:
		out->backing = BS_ZERO;
		break;
	default:
		out->backing = BS_NOTHING;
	}
}

/* The page is in a frame, whole and usable. frames_lock held. */
static void in_frame(u32 pfn, struct bs_page *out)
{
	const struct frame *f = &frames[pfn];

	out->flags |= BS_RESIDENT;
	out->frame = pfn;
	out->shares = f->shares;
	if (f->flags & (FRAME_DIRTY | FRAME_WRITING)) /* on its way to a slot, it is in memory alone */
		out->flags |= BS_DIRTY;
	if (out->flags & BS_DIRTY) {
		out->backing = BS_MEMORY;
		out->why = f->flags & FRAME_WRITING ? BS_WHY_WRITING : BS_WHY_MODIFIED;
		return;
	}
	behind(f->backing, out);
	out->why = out->backing == BS_PAGING_FILE ? BS_WHY_PAGED_IN :
		   out->backing == BS_IMAGE	  ? BS_WHY_FILE :
						    BS_WHY_UNWRITTEN;
}

/* Follows a word that is not "see elsewhere". frames_lock held. */
static void follow(word_t w, struct bs_page *out)
{
	bool framed = word_valid(w) || word_kind(w) == WORD_TRANSITION;

	if (framed && !(frames[word_pfn(w)].flags & FRAME_READING)) {
		in_frame(word_pfn(w), out);
		return;
	}
	/* What is being read is still where it is read from. */
	behind(framed ? frames[word_pfn(w)].backing : w, out);
	out->why = out->backing == BS_PAGING_FILE ? BS_WHY_PAGED_OUT :
		   out->backing == BS_IMAGE	  ? BS_WHY_FILE :
						    BS_WHY_UNTOUCHED;
}

/* What is special about the process's own pages. */
static void explain_private(const struct view *w, u32 prot, struct bs_page *out)
{
	if (prot & MARK_LOST && !(out->flags & BS_RESIDENT))
		out->why = BS_WHY_DISCARDED;
	else if (prot & (MARK_RESET | MARK_OFFERED) && out->why != BS_WHY_UNTOUCHED && !(out->flags & BS_DIRTY))
		out->why = BS_WHY_RESET;
	else if (w->section && out->why == BS_WHY_MODIFIED)
		out->why = BS_WHY_COPIED;
}

/* In a large page, seen so (pfn) or, of a section, by small pages. */
static void large_page(const struct view *w, u64 va, u32 pfn, struct bs_page *out)
{
	out->backing = BS_MEMORY;
	out->why = BS_WHY_LARGE;
	out->flags |= BS_RESIDENT | BS_DIRTY | BS_LOCKED | BS_LARGE | (w->section ? BS_SHARED : 0);
	out->frame = pfn ? pfn : large_run_frame(w->section->large, view_index(w, va));
	out->shares = MAX(frames[out->frame].shares, pfn ? 1u : 0u);
}

static void section_page(struct section *s, u64 index, struct bs_page *out)
{
	word_t *p;

	out->flags |= BS_SHARED;
	mutex_lock(&s->lock);
	p = section_word(s, index);
	spin_lock(&frames_lock);
	follow(p && *p ? *p : s->backing->initial(s, index), out);
	spin_unlock(&frames_lock);
	mutex_unlock(&s->lock);
	if (s->backing->use == BS_USE_FILE) {
		if (out->backing == BS_IMAGE)
			out->backing = BS_DATA_FILE;
		else if (out->why == BS_WHY_MODIFIED || out->why == BS_WHY_WRITING)
			out->why = BS_WHY_FILE_MODIFIED;
	}
	if (s->backing->offset && (out->backing == BS_IMAGE || out->backing == BS_DATA_FILE))
		out->offset = s->backing->offset(s, index);
}

static void page_backing(struct vspace *v, struct view *w, u64 va, struct bs_page *out)
{
	word_t *at, word;
	struct page_state state;

	at = pt_word(v, va);
	word = at ? *at : 0;
	view_page_state(v, w, va, word, &state);
	out->why = BS_WHY_RESERVED;
	if (!state.committed)
		return;
	out->protect = prot_to_page(state.prot);
	if (state.prot & PROT_COPY)
		out->flags |= BS_WRITE_COPY;
	if (state.clone && clone_of(word)->refs > 1)
		out->flags |= BS_CLONE | (state.prot & PROT_WRITE ? BS_WRITE_COPY : 0);
	if (word_valid(word))
		out->flags |= BS_VALID | (word & PTE_DIRTY ? BS_DIRTY : 0) | (word & PTE_ACCESSED ? BS_ACCESSED : 0) |
			      (word_prot(word) & MARK_LOCKED ? BS_LOCKED : 0);
	if (w->flags & VIEW_LARGE) {
		out->flags |= word_valid(*pt_large(v, va)) ? BS_VALID | BS_ACCESSED : 0;
		large_page(w, va, large_pfn(v, va), out);
	} else if (w->section && w->section->large) {
		large_page(w, va, 0, out);
	} else if (w->flags & VIEW_AWE) {
		out->flags |= BS_RESIDENT | BS_DIRTY | BS_LOCKED;
		out->backing = BS_MEMORY;
		out->why = BS_WHY_PHYSICAL;
		out->frame = word_pfn(word);
		out->shares = 1;
	} else if (w->section && !state.private_copy) {
		section_page(w->section, view_index(w, va), out);
	} else {
		spin_lock(&frames_lock);
		word = *at;
		follow(word_is_clone(word) ? clone_of(word)->word : word, out);
		spin_unlock(&frames_lock);
		explain_private(w, word_prot(word), out);
		if (!word_valid(word) && word_prot(word) & MARK_OFFERED)
			out->flags |= BS_OFFERED;
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

/* ---- frames ---- */

static u8 backing_of(const struct frame *f)
{
	struct bs_page page = { 0 };

	if (f->flags & (FRAME_DIRTY | FRAME_WRITING))
		return BS_MEMORY;
	behind(f->backing, &page);
	return page.backing == BS_IMAGE && frame_is_file(f) ? BS_DATA_FILE : page.backing;
}

static u8 use_of(const struct frame *f)
{
	if (f->state == FRAME_PHYSICAL)
		return f->flags & FRAME_LARGE ? BS_USE_LARGE : BS_USE_PHYSICAL;
	if (f->flags & FRAME_CLONE) /* until only one has it */
		return f->word && ((const struct clone_page *)f->word)->refs > 1 ? BS_USE_CLONE : BS_USE_PRIVATE;
	return f->state == FRAME_KERNEL || f->flags & FRAME_SECTION ? f->use : BS_USE_PRIVATE;
}

/* frames_lock held. */
static void frame_describe(const struct frame *f, struct bs_frame *out)
{
	static const u8 states[] = {
		[FRAME_NONE] = BS_FRAME_NONE,		  [FRAME_KERNEL] = BS_FRAME_KERNEL,
		[FRAME_CACHED] = BS_FRAME_FREE,		  [FRAME_FREE] = BS_FRAME_FREE,
		[FRAME_ZEROED] = BS_FRAME_ZEROED,	  [FRAME_STANDBY] = BS_FRAME_STANDBY,
		[FRAME_MODIFIED] = BS_FRAME_MODIFIED,	  [FRAME_TRANSITION] = BS_FRAME_TRANSITION,
		[FRAME_FILE_MODIFIED] = BS_FRAME_MODIFIED,
		[FRAME_ACTIVE] = BS_FRAME_ACTIVE,	  [FRAME_PHYSICAL] = BS_FRAME_ACTIVE,
	};

	out->state = states[f->state];
	switch (f->state) {
	case FRAME_NONE:
		break;
	case FRAME_CACHED:
	case FRAME_FREE:
	case FRAME_ZEROED:
		out->use = BS_USE_FREE;
		break;
	case FRAME_KERNEL:
	case FRAME_PHYSICAL:
		out->use = use_of(f);
		out->backing = BS_MEMORY;
		out->dirty = 1;
		out->shares = f->shares;
		break;
	default:
		out->use = use_of(f);
		out->backing = backing_of(f);
		out->dirty = out->backing == BS_MEMORY;
		out->shares = f->shares;
		out->priority = f->priority;
	}
}

u64 frame_highest(void)
{
	u64 first, count, highest = 0;

	for (u32 r = 0; frame_range(r, &first, &count); r++)
		highest = MAX(highest, first + count - 1);
	return highest;
}

void frames_query(u64 first, u32 count, struct bs_frame *out)
{
	memset(out, 0, count * sizeof(*out));
	spin_lock(&frames_lock);
	for (u32 i = 0; i < count; i++)
		if (frame_managed(first + i))
			frame_describe(&frames[first + i], &out[i]);
	spin_unlock(&frames_lock);
}
