/*
 * Mapping neighbours: who touches a page of a section that is in memory already is likely to touch those beside it. Each of
 * them would be one more fault, which finds the page as this one did. So the entries of those that can be had without
 * anything being read, copied, zeroed or waited for are made now.
 *
 * Such a neighbour is part of the working set, but nobody has touched it, and nothing may say so:
 * - its entry's accessed bit is clear. The processor sets it at the first use; until then the page is the first to go;
 * - it gets no priority and no place among the last arrivals, and counts as no fault;
 * - what a write to it would change must be so already, since there is no fault any more that could do it: where its entry
 *   allows writes, its frame is dirty.
 * The pages of an image that other processes have, or had, are mapped with its view: each of its segments would be a fault
 * or more. These, and a data file's, come from the standby list too: who maps or reads what others used comes to them soon.
 * It never costs another page its place: where memory is short, or the working set has a hard maximum, there are none.
 */
#include "image/pe.h"
#include "mm/vspace.h"

#define IMAGE_AROUND_PAGES 512 /* so many of an image are looked at when it is mapped: one table of prototype words, */
#define IMAGE_AROUND_MAX 128   /* and of those, at most so many are mapped */
#define AROUND FAULT_CLUSTER /* pages, at multiples of as many: so they lie under one page table */

/*
 * Which of the pages [first, end) of f's view may be mapped by the fault at page own, all counted from the view's start:
 * same view, page table and table of prototype words, and the same protection if nobody changed it.
 */
static void window(const struct fault *f, u64 *first, u64 *own, u64 *end)
{
	const struct view *w = f->view;
	u64 index = view_index(w, f->va), low = 0, high = w->section->pages;
	u64 start = MAX(ALIGN_DOWN(f->va, AROUND * PAGE_SIZE), w->node.start);
	u64 stop = MIN(ALIGN_DOWN(f->va, AROUND * PAGE_SIZE) + AROUND * PAGE_SIZE, w->node.end);

	*own = (f->va - w->node.start) >> PAGE_SHIFT;
	*first = (start - w->node.start) >> PAGE_SHIFT;
	*end = (stop - w->node.start) >> PAGE_SHIFT;
	if (w->section->backing->alike)
		w->section->backing->alike(w->section, index, &low, &high);
	low = MAX(low, ALIGN_DOWN(index, 512));
	high = MIN(high, ALIGN_DOWN(index, 512) + 512);
	*first = *own - MIN(*own - *first, index - low);
	*end = *own + MIN(*end - *own, high - index);
}

/* The protection that f's page has if nobody said anything else of it; and so have those that are alike. */
static u32 prot_by_itself(const struct fault *f)
{
	const struct section *s = f->view->section;

	return s->backing->prot ? s->backing->prot(s, view_index(f->view, f->va)) : f->view->prot;
}

/* A data file's pages that no page table has, and that are neither read nor written, become active, and so can be mapped. */
static __attribute__((noinline)) void lists_leave(word_t *word, const word_t *at, u64 count, word_t same, word_t none,
						  bool write)
{
	for (u64 i = 0; i < count; i++) {
		u32 pfn = word_pfn(word[i]);

		if (word_kind(word[i]) != WORD_TRANSITION || frames[pfn].state == FRAME_TRANSITION ||
		    (at[i] != same && at[i] != none) || (write && !(frames[pfn].flags & FRAME_DIRTY)))
			continue;
		frame_reactivate(pfn);
		frames[pfn].shares = 0; /* until it is mapped, at once */
		word[i] = word_valid_make(pfn, 0, true, false);
	}
}

u32 fault_around(struct fault *f, word_t *word)
{
	const word_t entry = word_valid_make(0, f->prot, true, false) & ~PTE_ACCESSED;
	/* An entry that says as much; and one that says nothing, if that means the same. */
	const word_t same = word_make(WORD_PROTOTYPE, f->prot), none = prot_by_itself(f) == f->prot ? 0 : same;
	u64 first, own, end;
	u32 n = 0;

	assert(mutex_held(&f->v->lock) && mutex_held(&f->view->section->lock) && word_valid(*f->word));
	if (f->access & FAULT_ALONE || f->v->working_set_flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE ||
	    frames_available() <= frame_counts.high)
		return 0;
	window(f, &first, &own, &end);
	spin_lock(&frames_lock);
	if (f->view->section->backing == &backing_file)
		lists_leave(word + first - own, f->word + first - own, end - first, same, none, entry & PTE_WRITE);
	for (u64 i = first; i < end; i++) {
		word_t *at = f->word + i - own, where = word[i - own];
		struct frame *frame = &frames[word_pfn(where)];

		if ((*at != same && *at != none) || !word_valid(where) || (entry & PTE_WRITE && !(frame->flags & FRAME_DIRTY)))
			continue;
		frame->shares++;
		*at = entry | (where & PTE_ADDRESS);
		n++;
	}
	spin_unlock(&frames_lock);
	if (n)
		view_use(f->view, f->view->node.start, f->view->node.end);
	resident_add(f->v, n);
	cpu_count(FAULTS_AROUND, n);
	return n;
}

/*
 * Clean pages that no page table has come from the standby list, if somebody used them: programs that run again and again have
 * theirs there. What was only read ahead stays.
 */
static bool image_word_active(word_t *word)
{
	u32 pfn = word_pfn(*word);

	if (word_kind(*word) != WORD_TRANSITION || frames[pfn].state != FRAME_STANDBY || frames[pfn].priority == PRIORITY_AHEAD ||
	    frames_available() <= frame_counts.high)
		return false;
	frame_reactivate(pfn);
	frames[pfn].shares = 0; /* until it is mapped, at once */
	*word = word_valid_make(pfn, 0, true, false);
	return true;
}

/* A segment's entries, without frame; 0: none are made before a fault. */
static word_t image_entry(const struct pe_segment *g)
{
	u32 prot = image_segment_prot(g);

	/* What is written in place counts as dirty once it is mapped: only a fault says so. */
	if (prot == PROT_NONE || (prot & PROT_WRITE && !(prot & PROT_COPY)))
		return 0;
	return word_valid_make(0, prot, true, false) & ~PTE_ACCESSED;
}

/* Of pages [first, end), under one table of ours and one of prototype words, whose first words' places these are; at most max. */
static u32 image_pages_map(const struct pe_image *pe, word_t *at, word_t *word, u64 first, u64 end, u32 max)
{
	const struct pe_segment *g = pe->segments, *last = g + pe->segment_count;
	u64 low = 0, high = 0; /* the pages of the segment in front of g */
	word_t entry = 0;
	u32 n = 0;

	for (u64 i = first; i < end && n < max; i++) {
		if (!word[i] && (i = words_skip(word, i, end)) == end)
			break;
		if (i >= high) {
			for (; i >= high && g < last; g++) {
				low = g->rva >> PAGE_SHIFT;
				high = low + g->pages;
			}
			entry = i < high ? image_entry(g - 1) : 0;
		}
		if (!entry || i < low || at[i] || (!word_valid(word[i]) && !image_word_active(&word[i])))
			continue;
		frames[word_pfn(word[i])].shares++;
		at[i] = entry | (word[i] & PTE_ADDRESS);
		n++;
	}
	return n;
}

void image_map_around(struct vspace *v, struct view *w)
{
	const struct pe_image *pe = section_image(w->section);
	u64 pages = MIN((w->node.end - w->node.start) >> PAGE_SHIFT, IMAGE_AROUND_PAGES), start = w->node.start >> PAGE_SHIFT;
	word_t *word, *at;
	u32 n = 0;

	assert(mutex_held(&v->lock));
	if (w->first || v->working_set_flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE || frames_available() <= frame_counts.high)
		return;
	mutex_lock(&w->section->lock);
	spin_lock(&frames_lock);
	word = section_word(w->section, 0);
	for (u64 first = 0, end; word && first < pages; first = end) {
		end = MIN(pages, ALIGN_DOWN(start + first, 512) + 512 - start);
		at = pt_word(v, (start + first) << PAGE_SHIFT);
		if (at)
			n += image_pages_map(pe, at - first, word, first, end, IMAGE_AROUND_MAX - n);
	}
	spin_unlock(&frames_lock);
	mutex_unlock(&w->section->lock);
	if (n)
		view_use(w, w->node.start, w->node.end);
	resident_add(v, n);
	cpu_count(FAULTS_AROUND, n);
}
