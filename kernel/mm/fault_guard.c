/*
 * Guard pages: the first access takes the guard away. In the running thread's own stack that is how the stack grows: the
 * next page below becomes the guard; where there is none left, it is a stack overflow. Everywhere else it is an exception.
 * Source: Windows documentation, "Creating Guard Pages" and "Thread Stack Size".
 */
#include "mm/vspace.h"
#include "proc/thread.h"

/* So many pages at a stack's end are for the handlers of its overflow, which find frames and unwind them. */
#define STACK_HANDLER_PAGES 3

/* Commits the page below with this protection, if it is not. FAULT_RETRY, or why not. */
static enum fault_result stack_commit(struct fault *f, u64 va, u32 prot)
{
	word_t *word;
	u32 status = pt_word_make(f->v, va, false, &word);
	if (status == MM_WAIT_MEMORY)
		return FAULT_WAIT_MEMORY;
	if (status)
		return FAULT_STACK_OVERFLOW;
	if (*word)
		return FAULT_RETRY;
	if (!commit_charge(COMMIT_PRIVATE, 1))
		return FAULT_STACK_OVERFLOW;
	*word = word_zero(prot);
	f->view->charge++;
	f->v->private_charge++;
	return FAULT_RETRY;
}

static enum fault_result stack_grow(struct fault *f, struct user_thread *t)
{
	/* The lowest page is never committed: what runs over the end of the stack must find nothing. */
	u64 low = t->stack_low + PAGE_SIZE, end = low + STACK_HANDLER_PAGES * PAGE_SIZE;
	enum fault_result r = FAULT_RETRY;

	if (f->view->section || low < f->view->node.start)
		return FAULT_STACK_OVERFLOW;
	if (f->va < end) {
		f->grow_stack_to = f->va;
		for (u64 va = f->va - PAGE_SIZE; va >= low && r == FAULT_RETRY; va -= PAGE_SIZE) {
			r = stack_commit(f, va, PROT_READ | PROT_WRITE);
			if (r == FAULT_RETRY)
				f->grow_stack_to = va;
		}
		return r == FAULT_RETRY ? FAULT_STACK_OVERFLOW : r;
	}
	r = stack_commit(f, f->va - PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_GUARD);
	if (r == FAULT_RETRY)
		f->grow_stack_to = f->va;
	return r; /* FAULT_RETRY: the page itself is not there yet */
}

enum fault_result fault_guard(struct fault *f)
{
	struct thread *current = thread_current();
	struct user_thread *t = current->process ? user_thread_of(current) : NULL;
	enum fault_result r = FAULT_GUARD_PAGE;

	if (t && current->vspace == f->v && f->va >= t->stack_low && f->va < t->stack_high)
		r = stack_grow(f, t);
	if (r == FAULT_WAIT_MEMORY)
		return r;
	/* Its frame may be taken meanwhile, if it is in transition: so under the lock. A guarded page is never valid. */
	spin_lock(&frames_lock);
	*f->word = word_with_prot(*f->word, f->prot & ~PROT_GUARD);
	spin_unlock(&frames_lock);
	__atomic_add_fetch(&fault_counters.guard, 1, __ATOMIC_RELAXED);
	return r;
}
