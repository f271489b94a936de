/*
 * Guard pages: the first access takes the guard away. In the running thread's own stack that is how the stack grows: the
 * next page below becomes the guard; where there is none left, it is a stack overflow. Everywhere else it is an exception.
 * Source: Windows documentation, "Creating Guard Pages" and "Thread Stack Size".
 */
#include "mm/event.h"
#include "mm/vspace.h"
#include "proc/thread.h"

/* Fields of the thread environment block. */
#define TEB_STACK_LIMIT 0x10
#define TEB_GUARANTEED_STACK 0x1748

/* What a stack's overflow leaves for its handlers at least: as much as they need to find frames and to unwind them. */
#define GUARANTEED_MINIMUM (2 * PAGE_SIZE)

static enum fault_result stack_grow(struct fault *f, struct user_thread *t)
{
	u64 next = f->va - PAGE_SIZE;
	word_t *word;
	u32 status;

	/* The lowest page is never committed: what runs over the end of the stack must find nothing. */
	if (f->view->section || next < f->view->node.start || next < t->stack_low + PAGE_SIZE)
		return FAULT_STACK_OVERFLOW;
	status = pt_word_make(f->v, next, false, &word);
	if (status == MM_WAIT_MEMORY)
		return FAULT_WAIT_MEMORY;
	if (!status && !*word) {
		if (!commit_charge(COMMIT_PRIVATE, 1))
			return FAULT_STACK_OVERFLOW;
		*word = word_zero(PROT_READ | PROT_WRITE | PROT_GUARD);
		view_use(f->view, next, next + PAGE_SIZE);
		f->view->charge++;
		f->v->private_charge++;
	}
	if (status)
		return FAULT_STACK_OVERFLOW;
	f->grow_stack_to = f->va;
	return FAULT_RETRY; /* the page itself is not there yet */
}

bool fault_stack_grown(const struct fault *f)
{
	struct user_thread *t = user_thread_of(thread_current());
	u32 asked;
	u64 guaranteed;

	/* What the thread does with its own block harms nobody else. */
	copy_to_user(t->teb + TEB_STACK_LIMIT, &f->grow_stack_to, sizeof(u64));
	if (!(f->access & FAULT_USER) || !copy_from_user(&asked, t->teb + TEB_GUARANTEED_STACK, sizeof(asked)))
		return false;
	guaranteed = asked > GUARANTEED_MINIMUM ? ALIGN_UP((u64)asked, PAGE_SIZE) : GUARANTEED_MINIMUM;
	return f->grow_stack_to == t->stack_low + PAGE_SIZE + guaranteed;
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
	cpu_count(FAULTS_GUARD, 1);
	event(BS_EVENT_GUARD, FAULT_FIELDS(f));
	return r;
}
