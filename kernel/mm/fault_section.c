/*
 * A page of a section that this address space does not have in its page table: where it is says the section's prototype
 * word. The process's entry becomes a cache of it, or, for a write to a write-copy page, a private copy.
 */
#include "mm/event.h"
#include "mm/thrash.h"
#include "mm/vspace.h"

/* Begins to read pages from the section's file into new frames; the section's lock is held. */
static enum fault_result read_begin(struct fault *f, struct section *s, u64 index, word_t *word)
{
	/* Neighbours come with it, as far as the file and this table of words go on. */
	u32 want = frames_available() > frame_counts.high ? s->backing->cluster : 1, n = 0;

	want = MIN(want, 512 - (index & 511));
	want = s->backing->run(s, index, want);
	while (n < want) {
		u32 pfn;

		if (!word[n])
			word[n] = s->backing->initial(s, index + n);
		if (word_kind(word[n]) != WORD_BACKING)
			break;
		pfn = frame_alloc(FRAME_FOR_USER, false);
		if (!pfn)
			break;
		if (!n)
			f->io.returns = return_note(word[0], &f->io.refault);
		page_io_add(&f->io, pfn, &word[n], FRAME_SECTION, s->backing->use, read_priority(f, n, PRIORITY_AHEAD));
		n++;
	}
	if (!n)
		return FAULT_WAIT_MEMORY;
	f->io.kind = IO_READ;
	f->io.borrowed = false;
	f->io.section = s;
	f->io.index = index;
	section_ref(s); /* the view may go during the read */
	return FAULT_RETRY;
}

enum fault_result prototype_zero(struct fault *f, word_t *word, u8 flags, u32 *pfn)
{
	bool copy = f->access & FAULT_WRITE && f->prot & PROT_COPY;
	u32 got = frame_alloc(FRAME_FOR_USER, true);
	struct frame *frame = &frames[got];

	if (unlikely(!got))
		return FAULT_WAIT_MEMORY;
	frame->word = word;
	frame->backing = word_zero(0);
	frame->flags = flags | (f->access & FAULT_WRITE && !copy ? FRAME_DIRTY : 0);
	if (!(flags & FRAME_CLONE))
		frame->use = f->view->section->backing->use;
	frame->shares = 1;
	frame->state = FRAME_ACTIVE;
	*word = word_valid_make(got, 0, true, false);
	*pfn = got;
	return FAULT_RETRY; /* that is: go on and map it */
}

/* A zeroed frame for the section's page, or, if it is written to write-copy, for the process alone. */
static enum fault_result zero(struct fault *f, word_t *word, u32 *pfn)
{
	enum fault_result r;

	if (!(f->access & FAULT_WRITE && f->prot & PROT_COPY))
		return prototype_zero(f, word, FRAME_SECTION, pfn);
	if (!fault_copy_charge(f))
		return FAULT_COMMIT_LIMIT;
	r = fault_zero(f);
	if (r != FAULT_RESOLVED)
		fault_copy_release(f);
	return r;
}

enum fault_result prototype_in_memory(struct fault *f, word_t *word, u32 *pfn)
{
	spin_lock(&frames_lock);
	if (word_valid(*word)) {
		*pfn = word_pfn(*word);
		frames[*pfn].shares++;
	} else if (word_kind(*word) == WORD_TRANSITION) {
		if (frames[word_pfn(*word)].flags & FRAME_READING) {
			f->io.kind = IO_WAIT;
			f->io.pfns[0] = word_pfn(*word);
			f->io.returns = frames[word_pfn(*word)].flags & FRAME_RETURNS;
		} else {
			*pfn = word_pfn(*word);
			fault_reactivate(f, *pfn);
			*word = word_valid_make(*pfn, 0, true, false);
			cpu_count(FAULTS_TRANSITION, 1);
			if (!f->brought)
				event(BS_EVENT_TRANSITION, FAULT_FIELDS(f));
		}
	} /* else its frame was taken just now: look again */
	/* Said at once, not when the entry's dirty bit is collected: others ask where the page is backed. */
	if (*pfn && f->access & FAULT_WRITE && !(f->prot & PROT_COPY))
		frames[*pfn].flags |= FRAME_DIRTY;
	spin_unlock(&frames_lock);
	return FAULT_RETRY;
}

/* The page of a section of large pages, seen through a view of small ones: always there. */
static enum fault_result in_large(struct section *s, u64 index, u32 *pfn)
{
	*pfn = large_run_frame(s->large, index);
	spin_lock(&frames_lock);
	frames[*pfn].shares++;
	spin_unlock(&frames_lock);
	return FAULT_RETRY;
}

/* The section's lock is held. */
static enum fault_result resolve(struct fault *f, struct section *s, u64 index)
{
	u32 pfn = 0, status = STATUS_SUCCESS, around = 0;
	enum fault_result r;
	bool was_there;
	word_t *word;

	if (unlikely(index >= s->pages)) /* of a file that ends there */
		return FAULT_ACCESS_VIOLATION;
	if (unlikely(!f->word))
		status = pt_word_make(f->v, f->va, true, &f->word);
	if (!status && !s->large)
		status = section_word_make(s, index, &word);
	if (status)
		return status == MM_WAIT_MEMORY ? FAULT_WAIT_MEMORY : FAULT_NO_MEMORY;
	was_there = !s->large && (word_valid(*word) || s->backing == &backing_file);
	switch (s->large ? WORD_VALID : word_kind(*word)) {
	case WORD_ZERO:
		r = zero(f, word, &pfn);
		break;
	case WORD_SWAP:
		r = swap_in_begin(f, word, MIN(511 - (index & 511), s->pages - 1 - index), FRAME_SECTION);
		break;
	case WORD_BACKING:
		r = read_begin(f, s, index, word);
		break;
	default:
		r = s->large ? in_large(s, index, &pfn) : prototype_in_memory(f, word, &pfn);
		break;
	}
	if (!pfn)
		return r;
	if (f->access & FAULT_WRITE && f->prot & PROT_COPY)
		return fault_cow(f, pfn);
	fault_map(f, pfn, f->prot, true, f->access & FAULT_WRITE);
	if (was_there)
		around = fault_around(f, word);
	cpu_count(FAULTS_SECTION, 1);
	event(BS_EVENT_SECTION, FAULT_FIELDS(f), .count = 1 + around);
	return FAULT_RESOLVED;
}

enum fault_result fault_section(struct fault *f)
{
	struct section *s = f->view->section;
	enum fault_result r;

	if (unlikely(f->va < f->view->used_low || f->va >= f->view->used_high))
		view_use(f->view, f->view->node.start, f->view->node.end);
	mutex_lock(&s->lock);
	r = resolve(f, s, view_index(f->view, f->va));
	mutex_unlock(&s->lock);
	return r;
}
