/*
 * Pages that are asked for before the process comes to them, so that it need not wait. As with every read, their words say "in
 * transition", and their frames FRAME_READING (page_io.h): who touches one of them too early waits for it, and who gives it up
 * leaves it to us. But nobody has waited for the request: when it is done a thread of the pager takes the pages in.
 *
 * What can't be read, or is not what was written, is put back as if nobody had asked: who touches it reads it himself, and
 * finds out. What is needed is set aside for ever; when all of it is under way nothing is read ahead.
 */
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/thrash.h"
#include "mm/vspace.h"
#include "proc/sched.h"

struct ahead {
	struct block_request request;
	struct page_io io;
	const struct vspace *v; /* for whom */
	u32 file;
	u64 slot; /* the first page's; the others stand behind it */
	enum { AHEAD_FREE, AHEAD_TAKEN, AHEAD_DONE } state; /* under ahead_lock */
};

#define AHEAD_MAX 8
static struct ahead aheads[AHEAD_MAX];
static struct spinlock ahead_lock = SPINLOCK_INIT("read ahead", RANK_DISPATCH);
static struct wait_queue done_queue = WAIT_QUEUE_INIT(done_queue); /* the reader */
static struct wait_queue free_queue = WAIT_QUEUE_INIT(free_queue); /* who waits until one is free */

static void state_set(struct ahead *a, u32 state, struct wait_queue *wake)
{
	spin_lock(&ahead_lock);
	a->state = state;
	wait_wake_all(wake);
	spin_unlock(&ahead_lock);
}

static struct ahead *ahead_take(const struct vspace *v)
{
	struct ahead *a = aheads;

	spin_lock(&ahead_lock);
	while (a < aheads + AHEAD_MAX && a->state != AHEAD_FREE)
		a++;
	if (a < aheads + AHEAD_MAX) {
		a->state = AHEAD_TAKEN;
		a->v = v;
	}
	spin_unlock(&ahead_lock);
	return a < aheads + AHEAD_MAX ? a : NULL;
}

/* Any context: the request is done. */
static void ahead_done(struct block_request *r)
{
	state_set(r->context, AHEAD_DONE, &done_queue);
}

/* The pages from va on, as many as stand in a row in the paging file, in one page table and in f's view. */
static void gather(struct fault *f, struct ahead *a, u64 va, word_t *word, u32 want)
{
	word_t first = *word;

	want = MIN(want, 512 - (va >> PAGE_SHIFT & 511));
	want = MIN(want, (f->view->node.end - va) >> PAGE_SHIFT);
	a->file = word_swap_file(first);
	a->slot = word_swap_slot(first);
	a->io.kind = IO_SWAP;
	a->io.count = 0;
	a->io.returns = a->io.refault = false;
	for (u32 n = 0; n < want && swap_follows(first, word[n], n); n++) {
		u32 pfn = frame_alloc(FRAME_FOR_USER, false);

		if (!pfn)
			break;
		if (!n)
			a->io.returns = return_note(first, &a->io.refault);
		page_io_add(&a->io, pfn, &word[n], FRAME_AHEAD, 0, read_priority(f, n, PRIORITY_NORMAL));
	}
}

void swap_ahead(struct fault *f)
{
	struct vspace *v = f->v;
	u64 va = v->ahead_next;
	struct ahead *a;
	word_t *word;

	assert(mutex_held(&v->lock));
	/* Short of memory, or of requests: perhaps at the next page. */
	if (frames_available() < SWAP_CLUSTER + frame_counts.low / 4 || !(a = ahead_take(v)))
		return;
	v->ahead_mark = va; /* no more of it, if nothing comes of this */
	word = va < f->view->node.end ? pt_word(v, va) : NULL;
	a->io.count = 0;
	if (word && word_kind(*word) == WORD_SWAP)
		gather(f, a, va, word, ahead_window(v, true));
	if (!a->io.count) {
		state_set(a, AHEAD_FREE, &free_queue);
		return;
	}
	v->ahead_asked = a->io.count;
	v->ahead_used = 0;
	v->ahead_next = va + a->io.count * PAGE_SIZE;
	v->ahead_mark = va + a->io.count / 2 * PAGE_SIZE;
	__atomic_add_fetch(&reclaim_counters.ahead, a->io.count, __ATOMIC_RELAXED);
	a->request.context = a;
	swap_read_begin(a->file, a->slot, a->io.pfns, a->io.count, &a->request, ahead_done);
}

void swap_ahead_wait(const struct vspace *v)
{
	assert(mutex_none_held());
	spin_lock(&ahead_lock);
	for (u32 i = 0; i < AHEAD_MAX; i++)
		while (aheads[i].state != AHEAD_FREE && aheads[i].v == v)
			wait_sleep(&free_queue, &ahead_lock, WAIT_FOREVER, false);
	spin_unlock(&ahead_lock);
}

static void take_in(struct ahead *a)
{
	u64 bad = a->request.failed ? ~0ull : swap_read_wrong(a->file, a->slot, a->io.pfns, a->io.count);

	__atomic_add_fetch(&reclaim_counters.swapped_in, a->io.count, __ATOMIC_RELAXED);
	page_io_finish(&a->io, bad, true);
}

void reader_thread(void *arg)
{
	struct ahead *a;

	(void)arg;
	for (;;) {
		spin_lock(&ahead_lock);
		for (a = aheads; a->state != AHEAD_DONE;)
			if (++a == aheads + AHEAD_MAX) {
				wait_sleep(&done_queue, &ahead_lock, WAIT_FOREVER, false);
				a = aheads;
			}
		spin_unlock(&ahead_lock);
		take_in(a);
		state_set(a, AHEAD_FREE, &free_queue);
	}
}
