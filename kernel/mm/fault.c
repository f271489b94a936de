/*
 * The way of a page fault: trap -> mm_fault -> one function for the case, each in a file of its own.
 *
 *   address in no view, page not committed, access not allowed . . . . . . . . access violation
 *   guard page  . . . . . . . . . . . . . . . . . . . . . . fault_guard.c      stack grows, or a guard-page exception
 *   word: demand zero . . . . . . . . . . . . . . . . . . . fault_zero.c       a zeroed frame
 *   word: in transition . . . . . . . . . . . . . . . . . . fault_swap.c       back from standby or modified: no I/O
 *   word: in a paging file  . . . . . . . . . . . . . . . . fault_swap.c       read
 *   word: nothing or "see the prototype", in a section's view  fault_section.c the same cases, of the section's word
 *   word: shared with a clone of the process  . . . . . . . fault_clone.c      the same cases, of the clone page's word
 *   valid, but write-copy and written . . . . . . . . . . . fault_cow.c        a private copy, or the page itself
 *   behind a section's page that was in memory  . . . . . . fault_around.c     its neighbours that are, too
 *
 * Locks: v->lock, then the section's, then frames_lock (mm.h). A case that needs I/O marks the page (its word says
 * "transition", its frame FRAME_READING), says so in struct fault and returns FAULT_RETRY: mm_fault drops the locks, does
 * the I/O, and looks at everything again from the start, since the view, the section's page or the process may have gone
 * meanwhile. A case that finds no frame returns FAULT_WAIT_MEMORY: nobody waits for memory with a lock held.
 */
#include "mm/vspace.h"

#include "mm/reclaim.h"
#include "mm/replace.h"
#include "proc/thread.h"

u64 fault_count(enum fault_counter counter)
{
	u64 n = 0;

	for (u32 i = 0; i < cpu_count; i++)
		n += cpus[i]->counters[counter];
	return n;
}

/* ---- a page comes into the page table ---- */

u32 fault_priority(const struct fault *f)
{
	const struct thread *t = thread_current();

	return t->vspace == f->v ? MIN(t->page_priority, f->v->page_priority) : f->v->page_priority;
}

/* A page comes into the working set. Of a section's page counts when it came into the first one. */
static inline void arrived(struct fault *f, u32 pfn)
{
	struct frame *frame = &frames[pfn];
	u32 priority = fault_priority(f);
	struct vspace *v = f->v;

	v->recent[v->recent_next++ % RECENT_ARRIVALS] = f->va;
	if (frame->priority < priority) /* never lowered by a touch */
		frame->priority = priority & (PRIORITIES - 1);
	if (frame->state == FRAME_ACTIVE && frame->shares == 1)
		replace_arrived(frame);
}

HOT void fault_map_word(struct fault *f, word_t valid)
{
	word_t *word = f->word, old = *word;

	if (!word_valid(old))
		resident_add(f->v, 1);
	if (!word_valid(old) || word_pfn(old) != word_pfn(valid))
		arrived(f, word_pfn(valid));
	*word = valid;
}

/* ---- which case it is ---- */

/* Present, and allowed: either write-copy, or another thread was faster, or this CPU's TLB is behind. */
static enum fault_result fault_valid(struct fault *f)
{
	enum fault_result r;
	struct mutex *lock;

	if (!(f->access & FAULT_WRITE) || !(f->prot & PROT_COPY)) {
		tlb_flush_local(f->va);
		return FAULT_RESOLVED;
	}
	lock = *f->word & PTE_CLONE ? &clones_lock : &f->view->section->lock;
	mutex_lock(lock);
	r = fault_cow(f, word_pfn(*f->word));
	mutex_unlock(lock);
	return r;
}

/* Is f's page committed? What it may be used for, in f->prot: what view_page_state says, sooner where it is simple. */
static bool page_look(struct fault *f, word_t word)
{
	const struct section *s = f->view->section;
	struct page_state state;

	/* Private memory: the word says all. */
	if (!s && !(f->view->flags & VIEW_LARGE)) {
		f->prot = word_prot(word);
		if (word_is_clone(word) && f->prot & PROT_WRITE)
			f->prot |= PROT_COPY;
		return word;
	}
	/* A section whose pages are all committed and alike, and nobody said more of this one: the view does. */
	if (s && !word && !s->backing->prot && !(s->attributes & SEC_RESERVE) && !(f->view->flags & VIEW_LARGE)) {
		f->prot = f->view->prot;
		return true;
	}
	view_page_state(f->v, f->view, f->va, word, &state);
	f->prot = state.clone && state.prot & PROT_WRITE ? state.prot | PROT_COPY : state.prot;
	return state.committed;
}

/* v->lock held. */
static enum fault_result fault_classify(struct fault *f)
{
	word_t word;

	f->view = view_find(f->v, f->va);
	if (unlikely(!f->view))
		return FAULT_ACCESS_VIOLATION;
	f->word = pt_word(f->v, f->va);
	word = f->word ? *f->word : 0;
	if (unlikely(!page_look(f, word)))
		return FAULT_ACCESS_VIOLATION;
	if (unlikely(!prot_allows(f->prot, f->access)))
		return f->prot & PROT_GUARD ? fault_guard(f) : FAULT_ACCESS_VIOLATION;
	if (unlikely(f->view->flags & VIEW_LARGE)) { /* all there: this CPU's TLB is behind */
		tlb_flush_local(f->va);
		return FAULT_RESOLVED;
	}
	switch (word_kind(word)) {
	case WORD_VALID:
		return fault_valid(f);
	case WORD_ZERO:
		return fault_zero(f);
	case WORD_TRANSITION:
		return fault_transition(f);
	case WORD_SWAP:
		return fault_swap(f);
	case WORD_CLONE:
		return fault_clone(f);
	default:
		return fault_section(f);
	}
}

/* What a case has left to be done without the locks. r: its result. FAULT_RETRY: then look again from the start. */
static enum fault_result fault_go_on(struct fault *f, enum fault_result r)
{
	if (f->grow_stack_to && fault_stack_grown(f))
		r = FAULT_STACK_OVERFLOW;
	if (f->io.kind != IO_NONE) {
		r = fault_io(f);
		f->brought = true;
	} else if (r == FAULT_WAIT_MEMORY) {
		/* Nobody waits who was told to end, or for an address space that is going: its end waits for us. */
		if (!frames_wait() || f->v->dying)
			return f->access & FAULT_USER ? FAULT_RESOLVED : FAULT_NO_MEMORY;
		r = FAULT_RETRY;
	}
	return r;
}

HOT enum fault_result mm_fault(struct vspace *v, u64 address, u32 access)
{
	enum fault_result r;
	struct fault f; /* the rest is set by who uses it: most faults read nothing, and need no list of pages */

	f.v = v;
	f.va = ALIGN_DOWN(address, PAGE_SIZE);
	f.access = access;
	f.brought = false;

	assert(interrupts_enabled() && mutex_none_held());
	if (address >= USER_HIGH)
		return FAULT_ACCESS_VIOLATION;
	cpu_count(FAULTS_ALL, 1);
	do {
		f.io.kind = IO_NONE;
		f.io.count = 0;
		f.io.returns = f.io.refault = false;
		f.grow_stack_to = 0;
		mutex_lock(&v->lock);
		v->faults++;
		r = fault_classify(&f);
		mutex_unlock(&v->lock);
		if (unlikely(r != FAULT_RESOLVED))
			r = fault_go_on(&f, r);
	} while (unlikely(r == FAULT_RETRY));
	if (r == FAULT_RESOLVED && unlikely(v->working_set_flags & QUOTA_LIMITS_HARDWS_MAX_ENABLE)) {
		mutex_lock(&v->lock);
		working_set_enforce(v);
		mutex_unlock(&v->lock);
	}
	return r;
}
