/*
 * Copy-on-write: the first write to a write-copy page of a section's view, or to a page that is shared with a clone of the
 * process, makes it private. It was charged when the view was mapped or the process cloned, or, under lazy-writecopy, is
 * charged now; from now on it is ordinary private memory: its word is the process's own entry.
 */
#include "mm/event.h"
#include "mm/pool.h"
#include "mm/swap.h"
#include "mm/vspace.h"

/* ---- charge ---- */

static void view_charge_add(struct fault *f, i64 pages)
{
	f->view->charge += pages;
	f->v->private_charge += pages;
}

bool fault_copy_charge(struct fault *f)
{
	if (!commit_totals.lazy_writecopy)
		return true;
	if (!commit_charge(COMMIT_PRIVATE, 1))
		return false;
	view_charge_add(f, 1);
	return true;
}

void fault_copy_release(struct fault *f)
{
	if (!commit_totals.lazy_writecopy)
		return;
	commit_release(COMMIT_PRIVATE, 1);
	view_charge_add(f, -1);
}

/* ---- the last reference takes the page ---- */

/* The frame changes hands, to the process. Whatever it was backed by, it is written to now. */
static void page_take(struct fault *f, struct frame *frame)
{
	swap_slot_drop(frame);
	frame->word = f->word;
	frame->flags = (frame->flags & ~(FRAME_SECTION | FRAME_CLONE)) | FRAME_DIRTY;
}

/* From a section: if nobody else can ever see its page: no handle, no other view, no file to read it from again. */
static bool section_steal(struct fault *f, struct frame *frame)
{
	struct section *s = f->view->section;
	bool last;

	if (s->backing != &backing_anon || __atomic_load_n(&s->object.refs, __ATOMIC_RELAXED) != 1)
		return false;
	spin_lock(&frames_lock);
	last = frame->shares == 1;
	if (last) {
		*section_word(s, view_index(f->view, f->va)) = word_zero(0);
		page_take(f, frame);
	}
	spin_unlock(&frames_lock);
	return last;
}

/* From a clone page, whose charge comes with the page. */
static bool clone_steal(struct fault *f, struct clone_page *c, struct frame *frame)
{
	void *gone = NULL;
	bool last;

	spin_lock(&frames_lock);
	last = c->refs == 1;
	if (last) {
		page_take(f, frame);
		gone = clone_page_free(c);
	}
	spin_unlock(&frames_lock);
	if (!last)
		return false;
	kfree(gone);
	if (commit_totals.lazy_writecopy) {
		commit_move(COMMIT_CLONES, COMMIT_PRIVATE, 1);
		view_charge_add(f, 1);
	}
	return true;
}

/* ---- or it is copied ---- */

static u32 copy(struct fault *f, u32 source_pfn)
{
	u32 pfn = frame_alloc(FRAME_FOR_USER, false);

	if (!pfn)
		return 0;
	page_copy(frame_address(pfn), frame_address(source_pfn));
	frames[pfn].word = f->word;
	frames[pfn].backing = word_zero(0);
	frames[pfn].flags = FRAME_DIRTY;
	frames[pfn].shares = 1;
	frames[pfn].state = FRAME_ACTIVE;
	return pfn;
}

/* The source has one share less, and, if we have the page now, its clone page one reference. */
static void source_leave(u32 source_pfn, struct clone_page *c)
{
	u32 to_free = 0;
	void *gone;

	spin_lock(&frames_lock);
	if (!--frames[source_pfn].shares && frames[source_pfn].state == FRAME_ACTIVE) /* not in a large page */
		frame_deactivate(source_pfn);
	gone = c ? clone_unref(c, &to_free) : NULL;
	spin_unlock(&frames_lock);
	kfree(gone);
	if (to_free)
		frame_free(to_free);
}

/*
 * source_pfn: the shared page, active, with one share that is ours: the entry that maps it, or one taken for the copy.
 * v->lock and the section's lock, or that of clone pages, are held.
 */
enum fault_result fault_cow(struct fault *f, u32 source_pfn)
{
	struct frame *source = &frames[source_pfn];
	struct clone_page *c = source->flags & FRAME_CLONE ? (struct clone_page *)source->word : NULL;
	bool mapped = word_valid(*f->word), charged, stolen;
	u32 prot = f->prot & ~PROT_COPY, pfn = 0;

	assert(mutex_held(&f->v->lock) && mutex_held(c ? &clones_lock : &f->view->section->lock));
	if (c && clone_steal(f, c, source)) {
		charged = stolen = true;
	} else {
		charged = fault_copy_charge(f);
		stolen = charged && !c && section_steal(f, source);
	}
	if (stolen)
		pfn = source_pfn;
	else if (charged)
		pfn = copy(f, source_pfn);
	if (pfn)
		fault_map(f, pfn, prot, false, true);
	else if (charged)
		fault_copy_release(f);
	if (pfn && mapped) /* no CPU may go on reading the old page once it is not ours */
		tlb_flush_range(f->v, f->va, 1);
	if (!stolen && (pfn || !mapped)) /* what is mapped still keeps its share */
		source_leave(source_pfn, pfn ? c : NULL);
	if (pfn) {
		__atomic_add_fetch(stolen ? &fault_counters.cow_steal : &fault_counters.cow, 1, __ATOMIC_RELAXED);
		event(stolen ? BS_EVENT_STEAL : BS_EVENT_COPY, FAULT_FIELDS(f));
	}
	return pfn ? FAULT_RESOLVED : charged ? FAULT_WAIT_MEMORY : FAULT_COMMIT_LIMIT;
}
