/*
 * The end of an address space. No CPU has its page tables loaded any more, and none will: so the words are given up where
 * they stand, table by table, without a TLB flush, and views and tables without a look at their neighbours; the tables last.
 */
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"

/* What is to be freed when frames_lock is not held. */
struct leftover {
	u32 free;      /* frames, chained */
	void **blocks;  /* of clone pages, chained through their first words */
};

/* An entry is gone. Its frame, if that is to be freed; else 0. */
static u32 valid_give_up(word_t w)
{
	u32 pfn = word_pfn(w);
	struct frame *f = &frames[pfn];

	assert((f->state == FRAME_ACTIVE || f->state == FRAME_PHYSICAL) && f->shares);
	if (w & PTE_DIRTY)
		f->flags |= FRAME_DIRTY;
	if (--f->shares || f->state == FRAME_PHYSICAL)
		return 0;
	if (!(w & PTE_SECTION))
		return frame_give_up(pfn) ? pfn : 0;
	frame_deactivate(pfn);
	return 0;
}

/* frames_lock held. */
static void word_give_up(word_t w, struct leftover *l)
{
	struct clone_page *c = word_is_clone(w) ? clone_of(w) : NULL;
	void **block = NULL;
	u32 pfn = 0;

	if (word_valid(w))
		pfn = valid_give_up(w);
	else if (word_kind(w) == WORD_TRANSITION && frame_give_up(word_pfn(w)))
		pfn = word_pfn(w);
	else if (word_kind(w) == WORD_SWAP)
		swap_slot_free(word_swap_file(w), word_swap_slot(w));
	if (c)
		block = clone_unref(c, &pfn);
	if (block) {
		*block = l->blocks;
		l->blocks = block;
	}
	if (pfn) {
		frames[pfn].next = l->free;
		l->free = pfn;
	}
}

/* A page that stays where it is, as others have it too. frames_lock held. False: there are none, in page tables or at all. */
static bool shared_give_up(word_t w)
{
	struct frame *f = &frames[word_pfn(w)];
	struct clone_page *c = (struct clone_page *)f->word;

	if (f->shares == 1 || c->refs == 1)
		return false;
	f->shares--;
	c->refs--;
	return true;
}

/* Returns how many of the words were valid. */
static u64 words_give_up(word_t *word, u64 count)
{
	const word_t cloned = PTE_VALID | PTE_SECTION | PTE_CLONE;
	struct leftover l = { 0 };
	u64 valid = 0;

	spin_lock(&frames_lock);
	for (u64 i = 0; i < count; i++) {
		word_t w = word[i]; /* with the lock held: its frame may have been taken just now */

		if (!w)
			continue;
		word[i] = 0;
		valid += w & PTE_VALID;
		if ((w & cloned) == cloned) {
			if (!shared_give_up(w))
				word_give_up(w, &l);
		} else if ((w & (PTE_VALID | PTE_SECTION | PTE_DIRTY)) == (PTE_VALID | PTE_SECTION) &&
			   frames[word_pfn(w)].shares > 1) {
			frames[word_pfn(w)].shares--;
		} else {
			word_give_up(w, &l);
		}
	}
	spin_unlock(&frames_lock);
	while (l.free) {
		u32 pfn = l.free;

		l.free = frames[pfn].next;
		frame_free(pfn);
	}
	while (l.blocks) {
		void **block = l.blocks;

		l.blocks = *block;
		kfree(block);
	}
	return valid;
}

static void view_end(struct vspace *v, struct view *w)
{
	u64 start = w->node.start, end = w->node.end, count;
	word_t *word;

	if (w->flags & VIEW_LARGE)
		large_unmap(v, w);
	else if (w->flags & VIEW_AWE)
		physical_unmap(v, start, end);
	else
		for (u64 va = start; (word = pt_next(v, &va, end, &count)); va += count << PAGE_SHIFT)
			for (u64 i = 0, n; (i = words_skip(word, i, count)) < count; i += n) {
				n = MIN(count - i, WORDS_LOCKED);
				v->resident -= words_give_up(word + i, n);
			}
	commit_release(COMMIT_PRIVATE, w->charge);
	v->private_charge -= w->charge;
}

void views_end(struct vspace *v)
{
	struct tree_node *n, *ended = NULL;

	mutex_lock(&v->lock);
	assert(!v->cpus);
	v->dying = true;
	for (n = tree_first(&v->views); n; n = tree_next(n))
		view_end(v, view_of(n));
	pt_end(v);
	v->locked = 0;
	while ((n = tree_leaf_take(&v->views))) {
		n->parent = ended;
		ended = n;
	}
	mutex_unlock(&v->lock);
	if (frames_available() < frame_counts.high)
		writers_wake();
	/* The last reference frees the section's pages: not under our lock. */
	while ((n = ended)) {
		struct view *w = view_of(n);

		ended = n->parent;
		if (w->section)
			section_unref(w->section);
		kfree(w);
	}
}
