/*
 * A page that the process shares with a clone of itself and does not have in its page table: where it is says the clone
 * page. All entries that refer to it go through here, so that no two of them begin to read it.
 */
#include "mm/vspace.h"

/* clones_lock is held. */
static enum fault_result resolve(struct fault *f, struct clone_page *c)
{
	u64 in_table = 511 - (f->va >> PAGE_SHIFT & 511), in_view = ((f->view->node.end - f->va) >> PAGE_SHIFT) - 1;
	enum fault_result r;
	u32 pfn = 0;

	switch (word_kind(c->word)) {
	case WORD_ZERO: /* it was never written to, and its frame was taken */
		r = prototype_zero(f, &c->word, FRAME_SECTION | FRAME_CLONE, &pfn);
		break;
	case WORD_SWAP:
		r = swap_in_begin(f, f->word, MIN(in_table, in_view), FRAME_SECTION | FRAME_CLONE);
		break;
	default:
		r = prototype_in_memory(f, &c->word, &pfn);
		break;
	}
	if (!pfn)
		return r;
	if (f->access & FAULT_WRITE)
		return fault_cow(f, pfn);
	fault_map_word(f, word_clone_valid_make(pfn, f->prot));
	return FAULT_RESOLVED;
}

enum fault_result fault_clone(struct fault *f)
{
	enum fault_result r;

	mutex_lock(&clones_lock);
	r = resolve(f, clone_of(*f->word));
	mutex_unlock(&clones_lock);
	return r;
}
