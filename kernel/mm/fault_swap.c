/*
 * Pages that are in memory but in no page table (transition), pages in a paging file, and what I/O a fault waits for.
 * The word of a page that is being read says transition; its frame is FRAME_READING, and whoever else wants it waits.
 */
#include "lib/string.h"
#include "mm/event.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/thrash.h"
#include "mm/vspace.h"

void fault_reactivate(struct fault *f, u32 pfn)
{
	if (frames[pfn].flags & FRAME_AHEAD) {
		frames[pfn].flags &= ~FRAME_AHEAD;
		f->v->ahead_used++;
		reclaim_counters.ahead_used++;
	}
	frame_reactivate(pfn);
}

enum fault_result fault_transition(struct fault *f)
{
	enum fault_result r = FAULT_RETRY;
	u32 pfn;

	spin_lock(&frames_lock);
	if (word_kind(*f->word) == WORD_TRANSITION) {
		pfn = word_pfn(*f->word);
		if (frames[pfn].flags & FRAME_READING) {
			f->io.kind = IO_WAIT;
			f->io.pfns[0] = pfn;
			f->io.returns = frames[pfn].flags & FRAME_RETURNS;
		} else {
			fault_reactivate(f, pfn);
			fault_map(f, pfn, f->prot & ~PROT_COPY, false, f->access & FAULT_WRITE);
			r = FAULT_RESOLVED;
		}
	} /* else its frame was taken just now */
	spin_unlock(&frames_lock);
	if (r == FAULT_RESOLVED) {
		if (f->va >= f->v->ahead_mark && f->va < f->v->ahead_next)
			swap_ahead(f);
		cpu_count(FAULTS_TRANSITION, 1);
		if (!f->brought)
			event(BS_EVENT_TRANSITION, FAULT_FIELDS(f));
	}
	return r;
}

enum fault_result fault_swap(struct fault *f)
{
	u32 after = 511 - (f->va >> PAGE_SHIFT & 511);
	u64 in_view = (f->view->node.end - f->va) >> PAGE_SHIFT;

	return swap_in_begin(f, f->word, MIN(after, in_view - 1), 0);
}

/*
 * Reading ahead. The pages behind this one that stand behind it in the paging file too come with it, as many as the window
 * allows. It doubles when at least half of those that came with the last one were touched, and halves when none was; so who
 * reads here and there soon reads only what he needs. From a window of one page it grows again when two reads are neighbours.
 * Beyond FAULT_CLUSTER it grows for one who goes on where the last read ended: he walks through memory. When he comes to the
 * mark, in the middle of what was read, the next pages are asked for, and he does not wait for them (swap_ahead.c).
 */
#define AHEAD_FIRST 4

/* Of a window: small against what is available when memory is not short, so that it does not drive out what it brings in. */
static u32 window_max(void)
{
	return frame_counts.high >= 8 * SWAP_CLUSTER ? SWAP_CLUSTER : FAULT_CLUSTER;
}

u32 ahead_window(struct vspace *v, bool goes_on)
{
	u32 window = v->ahead_window ? v->ahead_window : AHEAD_FIRST, max = goes_on ? window_max() : FAULT_CLUSTER;

	window = MIN(window, max);
	if (v->ahead_asked ? 2 * v->ahead_used >= v->ahead_asked : window == 1 && goes_on)
		window = MIN(2 * window, max);
	else if (v->ahead_asked && !v->ahead_used)
		window /= 2;
	v->ahead_window = (u8)window;
	return window;
}

/* The read begins, with count pages. private: of the process's own page table. */
static void ahead_note(struct fault *f, u32 count, bool private)
{
	f->v->ahead_asked = count - 1;
	f->v->ahead_used = 0;
	f->v->ahead_next = f->va + count * PAGE_SIZE;
	f->v->ahead_mark = private && count >= FAULT_CLUSTER ? f->va + count / 2 * PAGE_SIZE : f->v->ahead_next;
	__atomic_add_fetch(&reclaim_counters.ahead, count - 1, __ATOMIC_RELAXED);
}

u32 read_priority(const struct fault *f, u32 n, u32 ahead)
{
	u32 own = fault_priority(f);

	if (n)
		return MIN(own, ahead);
	return f->io.refault && own == PRIORITY_NORMAL ? PRIORITY_REFAULTED : own;
}

bool swap_follows(word_t first, word_t next, u32 distance)
{
	return word_kind(next) == WORD_SWAP && word_swap_file(next) == word_swap_file(first) &&
	       word_swap_slot(next) == word_swap_slot(first) + distance;
}

/* Where the page of *entry is: that is said there, or by the clone page that it refers to. */
static word_t *place_of(word_t *entry, u8 flags)
{
	return flags & FRAME_CLONE && word_kind(*entry) == WORD_CLONE ? &clone_of(*entry)->word : entry;
}

enum fault_result swap_in_begin(struct fault *f, word_t *word, u32 words_after, u8 flags)
{
	word_t first = *place_of(word, flags);
	u32 want = ahead_window(f->v, f->va == f->v->ahead_next);
	/* Where reading ahead has proved useful its pages are worth as much as others. */
	u32 ahead = want > AHEAD_FIRST ? PRIORITY_NORMAL : PRIORITY_AHEAD;

	for (u32 n = 0; n < want && n <= words_after; n++) {
		word_t *place = place_of(&word[n], flags);
		u32 pfn;

		/* Where clone pages are asked for, a private page's word is not one. */
		if (!swap_follows(first, *place, n) || (flags & FRAME_CLONE && place == &word[n]))
			break;
		pfn = frame_alloc(FRAME_FOR_USER, false);
		if (!pfn)
			break;
		if (!n)
			f->io.returns = return_note(first, &f->io.refault);
		page_io_add(&f->io, pfn, place, flags | (n ? FRAME_AHEAD : 0),
			    flags == FRAME_SECTION ? f->view->section->backing->use : 0, read_priority(f, n, ahead));
	}
	if (!f->io.count)
		return FAULT_WAIT_MEMORY;
	ahead_note(f, f->io.count, !flags);
	f->io.kind = IO_SWAP;
	return FAULT_RETRY;
}

/* Where the page stands that the fault is about: its slot, or its offset in the image. */
static void io_place(const struct page_io *io, u8 *file, u64 *place)
{
	word_t slot = frames[io->pfns[0]].backing;

	*file = io->kind == IO_SWAP ? (u8)word_swap_file(slot) : 0;
	*place = io->kind == IO_SWAP ? word_swap_slot(slot) : io->section->backing->offset(io->section, io->index);
}

static enum fault_result io_do(struct fault *f)
{
	u64 bad, place;
	bool is_image;
	u8 file;

	assert(mutex_none_held());
	if (f->io.kind == IO_WAIT) {
		frame_wait_io(f->io.pfns[0]);
		return FAULT_RETRY;
	}
	io_place(&f->io, &file, &place);
	if (f->io.kind == IO_SWAP || f->io.section->image)
		event(f->io.kind == IO_SWAP ? BS_EVENT_SWAP_IN : BS_EVENT_IMAGE_READ, FAULT_FIELDS(f), .unit = file,
		      .place = place, .count = f->io.count);
	is_image = f->io.kind == IO_READ && f->io.section->image;
	bad = page_io_run(&f->io);
	if (f->io.kind == IO_SWAP) {
		cpu_count(FAULTS_SWAP_IN, 1);
		__atomic_add_fetch(&reclaim_counters.swapped_in, f->io.count, __ATOMIC_RELAXED);
	} else if (is_image) {
		cpu_count(FAULTS_IMAGE_READ, 1);
		cpu_count(FAULTS_IMAGE_PAGES, f->io.count);
	}
	if (bad & 1) {
		thread_current()->in_page_status = f->io.status;
		event(BS_EVENT_IN_PAGE_ERROR, FAULT_FIELDS(f), .unit = file, .place = place, .count = 1);
	}
	return bad & 1 ? FAULT_IN_PAGE_ERROR : FAULT_RETRY;
}

enum fault_result fault_io(struct fault *f)
{
	bool stalls = f->io.returns;
	enum fault_result r;

	if (stalls)
		stall_begin();
	r = io_do(f);
	if (stalls)
		stall_end();
	return r;
}
