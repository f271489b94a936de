/*
 * Copy-on-write: the first write to a write-copy page of a section's view makes it private. The private page was charged
 * when the view was mapped; from now on it is ordinary private memory: its word is the process's own entry.
 */
#include "mm/swap.h"
#include "mm/vspace.h"

/* Nobody else can ever see the section's page: no handle, no other view, no file to read it from again. */
static bool last_reference(const struct section *s, const struct frame *frame)
{
	return s->backing == &backing_anon && __atomic_load_n(&s->object.refs, __ATOMIC_RELAXED) == 1 && frame->shares == 1;
}

/* The frame changes hands, from the section to the process. frames_lock held. */
static void steal(struct fault *f, struct section *s, struct frame *frame)
{
	*section_word(s, view_index(f->view, f->va)) = word_zero(0);
	swap_slot_drop(frame);
	frame->word = f->word;
	frame->flags = (frame->flags & ~FRAME_SECTION) | FRAME_DIRTY;
}

/*
 * source_pfn: the section's page, active, with one share that is ours: the entry that maps it, or one taken for the copy.
 * v->lock and the section's lock are held.
 */
enum fault_result fault_cow(struct fault *f, u32 source_pfn)
{
	struct frame *source = &frames[source_pfn];
	struct section *s = f->view->section;
	bool mapped = word_valid(*f->word), stolen;
	u32 prot = f->prot & ~PROT_COPY, pfn = source_pfn;

	assert(mutex_held(&f->v->lock) && mutex_held(&s->lock));
	spin_lock(&frames_lock);
	stolen = last_reference(s, source);
	if (stolen)
		steal(f, s, source);
	spin_unlock(&frames_lock);
	if (!stolen) {
		pfn = frame_alloc(FRAME_FOR_USER, false);
		if (pfn) {
			page_copy(frame_address(pfn), frame_address(source_pfn));
			frames[pfn].word = f->word;
			frames[pfn].backing = word_zero(0);
			frames[pfn].flags = FRAME_DIRTY;
			frames[pfn].shares = 1;
			frames[pfn].state = FRAME_ACTIVE;
		} else if (mapped) {
			return FAULT_WAIT_MEMORY; /* the entry keeps its share */
		}
	}
	if (pfn)
		fault_map(f, pfn, prot, false, true);
	if (mapped) /* no CPU may go on reading the old page once it is not ours */
		tlb_flush_range(f->v, f->va, 1);
	if (!stolen) {
		spin_lock(&frames_lock);
		if (!--source->shares && source->state == FRAME_ACTIVE)
			frame_deactivate(source_pfn);
		spin_unlock(&frames_lock);
		__atomic_add_fetch(&fault_counters.cow, 1, __ATOMIC_RELAXED);
	} else {
		__atomic_add_fetch(&fault_counters.cow_steal, 1, __ATOMIC_RELAXED);
	}
	return pfn ? FAULT_RESOLVED : FAULT_WAIT_MEMORY;
}
