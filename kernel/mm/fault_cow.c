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

/* The frame changes hands, to the process, whose entry is at word. */
static void page_take(struct frame *frame, word_t *word)
{
	frame->word = word;
	frame->flags &= ~(FRAME_SECTION | FRAME_CLONE);
}

/* The same, and it is written to now, whatever it was backed by. */
static void page_take_to_write(struct frame *frame, word_t *word)
{
	swap_slot_drop(frame);
	page_take(frame, word);
	frame->flags |= FRAME_DIRTY;
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
		page_take_to_write(frame, f->word);
	}
	spin_unlock(&frames_lock);
	return last;
}

/* Nobody else refers to c, and so nobody ever will: new references are made of an address space that has one, under its lock. */
static bool clone_is_ours(const struct clone_page *c)
{
	return __atomic_load_n(&c->refs, __ATOMIC_RELAXED) == 1;
}

/* From clone pages that were ours alone to the process itself go so many pages' charge. */
static void clones_charge_move(struct fault *f, u32 pages)
{
	if (!commit_totals.lazy_writecopy || !pages)
		return;
	commit_move(COMMIT_CLONES, COMMIT_PRIVATE, pages);
	view_charge_add(f, pages);
}

/* From a clone page, whose charge comes with the page. */
static bool clone_steal(struct fault *f, struct clone_page *c, struct frame *frame)
{
	void *gone;

	if (!clone_is_ours(c))
		return false;
	spin_lock(&frames_lock);
	page_take_to_write(frame, f->word);
	gone = clone_page_free(c);
	spin_unlock(&frames_lock);
	kfree(gone);
	clones_charge_move(f, 1);
	return true;
}

/*
 * Who writes on, page after page, where a clone was that has gone, would have one fault for each, and find the same: so the
 * neighbours are taken back too. Nothing is written to them: they keep their slots, what they are backed by, and whether
 * they were used; only a write needs no fault from here on, and is told by the entry's dirty bit, as of any private page.
 */
#define NEIGHBOURS FAULT_CLUSTER /* pages, at multiples of as many: so they lie under one page table */

static bool is_writable(word_t w)
{
	return (w & (PTE_VALID | PTE_WRITE)) == (PTE_VALID | PTE_WRITE);
}

/* Is a page beside f's, under the same page table, written to already? Who writes here and there takes back what he writes alone. */
static bool writes_in_order(const struct fault *f)
{
	u64 at = f->va >> PAGE_SHIFT & 511;

	return (at && f->va > f->view->node.start && is_writable(f->word[-1])) ||
	       (at < 511 && f->va + PAGE_SIZE < f->view->node.end && is_writable(f->word[1]));
}

/* Takes the page of a valid entry back, if it can be written to and only we have it. Returns what was its clone page. */
static struct clone_page *neighbour_take(word_t *word)
{
	word_t old = *word;
	struct clone_page *c;
	word_t valid;

	if (!word_valid(old) || !(old & PTE_CLONE) || !(word_prot(old) & PROT_WRITE))
		return NULL;
	c = clone_of(old);
	if (!clone_is_ours(c))
		return NULL;
	page_take(&frames[word_pfn(old)], word);
	valid = word_valid_make(word_pfn(old), word_own_prot(old), false, false);
	/* The processor may set the accessed bit meanwhile, and that one alone. */
	__atomic_fetch_xor(word, (old ^ valid) & ~PTE_ACCESSED, __ATOMIC_RELAXED);
	return c;
}

/* f's page is ours already. Returns how many came with it. */
static u32 neighbours_take(struct fault *f)
{
	u64 start = MAX(ALIGN_DOWN(f->va, NEIGHBOURS * PAGE_SIZE), f->view->node.start);
	u64 end = MIN(ALIGN_DOWN(f->va, NEIGHBOURS * PAGE_SIZE) + NEIGHBOURS * PAGE_SIZE, f->view->node.end);
	word_t *word = f->word - ((f->va - start) >> PAGE_SHIFT);
	struct clone_page *clone;
	void *blocks[NEIGHBOURS];
	u32 count = 0, gone = 0;

	if (!writes_in_order(f))
		return 0;
	spin_lock(&frames_lock);
	for (u64 va = start; va < end; va += PAGE_SIZE, word++)
		if ((clone = neighbour_take(word))) {
			count++;
			if ((blocks[gone] = clone_page_free(clone)))
				gone++;
		}
	spin_unlock(&frames_lock);
	while (gone)
		kfree(blocks[--gone]);
	clones_charge_move(f, count);
	return count;
}

/* The page of source_pfn is the process's now. No TLB is flushed: the frame is the same, and may be used for more than before. */
static enum fault_result stolen(struct fault *f, u32 source_pfn, bool was_clone)
{
	u32 more;

	fault_map(f, source_pfn, f->prot & ~PROT_COPY, false, true);
	more = was_clone ? neighbours_take(f) : 0;
	cpu_count(FAULTS_AROUND, more);
	cpu_count(FAULTS_COW_STEAL, 1);
	event(BS_EVENT_STEAL, FAULT_FIELDS(f), .count = 1 + more);
	return FAULT_RESOLVED;
}

/* ---- or it is copied ---- */

static u32 copy(struct fault *f, u32 source_pfn)
{
	u32 pfn = frame_alloc(FRAME_FOR_USER, false);
	struct frame *frame = &frames[pfn];

	if (unlikely(!pfn))
		return 0;
	page_copy(frame_address(pfn), frame_address(source_pfn));
	frame->word = f->word;
	frame->backing = word_zero(0);
	frame->flags = FRAME_DIRTY;
	frame->shares = 1;
	frame->state = FRAME_ACTIVE;
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
	bool mapped = word_valid(*f->word), charged;
	u32 pfn = 0;

	assert(mutex_held(&f->v->lock) && mutex_held(c ? &clones_lock : &f->view->section->lock));
	if (c && clone_steal(f, c, source))
		return stolen(f, source_pfn, true);
	charged = fault_copy_charge(f);
	if (charged && !c && section_steal(f, source))
		return stolen(f, source_pfn, false);
	if (charged)
		pfn = copy(f, source_pfn);
	if (charged && !pfn)
		fault_copy_release(f);
	if (pfn)
		fault_map(f, pfn, f->prot & ~PROT_COPY, false, true);
	if (pfn && mapped) /* no CPU may go on reading the old page once it is not ours */
		tlb_flush_range(f->v, f->va, 1);
	if (pfn || !mapped) /* what is mapped still keeps its share */
		source_leave(source_pfn, pfn ? c : NULL);
	if (!pfn)
		return charged ? FAULT_WAIT_MEMORY : FAULT_COMMIT_LIMIT;
	cpu_count(FAULTS_COW, 1);
	event(BS_EVENT_COPY, FAULT_FIELDS(f));
	return FAULT_RESOLVED;
}
