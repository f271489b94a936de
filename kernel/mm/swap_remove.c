/*
 * Emptying a paging file, while everybody goes on. It gives out no more slots. What is in memory and has a copy in the file
 * loses that, and is modified; what is only in the file is read, as by a fault, and is modified then: the writer puts both
 * into other files when memory is short. Faults that read from the file meanwhile do the same (page_io.c).
 *
 * The words are looked through in passes, until no slot is in use: address spaces and sections come and go, and a pass may
 * miss one, or find a page that somebody else is reading just now. Nobody waits with a lock held, here either: each step
 * gathers a few words, drops the locks, and reads.
 *
 * A disk may take for ever. So a thread of its own does the reading, and who removes the file stops waiting for it when told
 * to end, or when nothing was answered for a while: the file is opened again. What is on its way then arrives as if a fault
 * had read it.
 */
#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap_file.h"
#include "mm/vspace.h"
#include "proc/sched.h"

#define PATIENCE_NS 5000000000ull /* without a frame, nor a page on its way out of memory, in this time: there is no room */
#define PATIENCE_ROUNDS 12        /* and no frame in so many of them, whatever is on its way */
#define MOMENT_NS 5000000ull
#define ANSWER_NS 30000000000ull  /* a disk that has not answered for so long is not waited for */

struct reader {
	struct spinlock lock;
	struct wait_queue changed;
	enum { READER_FREE, READER_READS, READER_LEFT } state; /* FREE: io and bad are the remover's. LEFT: all is the thread's */
	struct page_io io;
	u64 bad;
};

struct removal {
	u32 file;
	struct reader *reader; /* NULL: it was left behind, with a read that does not end */
	u64 moved, unreadable; /* pages, in this pass */
	bool short_of_memory;  /* the step ended for that */
	u64 place, at;         /* where the pass is: in the so-manieth address space or section; address or index there */
};

/* ---- what is in memory ---- */

/* frames_lock held. */
static void copy_drop(u32 file, u32 pfn)
{
	struct frame *f = &frames[pfn];
	bool standby = f->state == FRAME_STANDBY;

	if (word_kind(f->backing) != WORD_SWAP || word_swap_file(f->backing) != file)
		return;
	if (f->state == FRAME_KERNEL || f->state == FRAME_PHYSICAL || f->flags & (FRAME_READING | FRAME_WRITING))
		return;
	if (standby)
		frame_list_remove(pfn);
	swap_slot_drop(f);
	f->flags |= FRAME_DIRTY;
	if (standby)
		frame_list_add(pfn, FRAME_MODIFIED);
}

static void copies_drop(u32 file)
{
	u64 first, count;

	for (u32 r = 0; frame_range(r, &first, &count); r++)
		for (u64 pfn = first; pfn < first + count; pfn++) {
			if (word_kind(frames[pfn].backing) != WORD_SWAP) /* a glance; the lock is for those that matter */
				continue;
			spin_lock(&frames_lock);
			copy_drop(file, pfn);
			spin_unlock(&frames_lock);
		}
}

/* ---- reading ---- */

static void reader_main(void *arg)
{
	struct reader *r = arg;

	spin_lock(&r->lock);
	while (r->state != READER_LEFT) {
		if (r->state == READER_FREE) {
			wait_sleep(&r->changed, &r->lock, WAIT_FOREVER, false);
			continue;
		}
		spin_unlock(&r->lock);
		r->bad = page_io_run(&r->io);
		spin_lock(&r->lock);
		if (r->state == READER_READS)
			r->state = READER_FREE;
		wait_wake_all(&r->changed);
	}
	spin_unlock(&r->lock);
	kfree(r);
}

static struct reader *reader_start(void)
{
	struct reader *r = kzalloc(sizeof(*r));

	if (!r)
		return NULL;
	spin_init(&r->lock, "swapoff", RANK_DISPATCH);
	wait_queue_init(&r->changed);
	if (thread_create_kernel("swapoff", reader_main, r))
		return r;
	kfree(r);
	return NULL;
}

static void reader_state_set(struct reader *r, u32 state)
{
	r->state = state;
	wait_wake_all(&r->changed);
}

static void reader_leave(struct reader *r)
{
	spin_lock(&r->lock);
	reader_state_set(r, READER_LEFT);
	spin_unlock(&r->lock);
}

/* Has r->io done. False: it was not waited for to the end, and the thread was left alone with it. */
static bool reader_run(struct reader *r)
{
	u64 deadline = clock_ns() + ANSWER_NS;
	bool answered;

	spin_lock(&r->lock);
	reader_state_set(r, READER_READS);
	while (r->state == READER_READS && !thread_ending() && clock_ns() < deadline)
		wait_sleep(&r->changed, &r->lock, deadline, true);
	answered = r->state == READER_FREE;
	if (!answered)
		reader_state_set(r, READER_LEFT);
	spin_unlock(&r->lock);
	return answered;
}

/* ---- what is not in memory ---- */

/* One more page of the file to be read, if *word says that it is there. False: the step is full, or memory is short. */
static bool gather(struct removal *r, word_t *word, u16 flags, u8 use)
{
	u32 pfn;

	if (word_kind(*word) != WORD_SWAP || word_swap_file(*word) != r->file)
		return true;
	if (r->reader->io.count == ARRAY_SIZE(r->reader->io.pfns))
		return false;
	pfn = frame_alloc(FRAME_FOR_GOOD, false); /* leaves memory to those who have to go on */
	if (!pfn) {
		r->short_of_memory = true;
		return false;
	}
	page_io_add(&r->reader->io, pfn, word, flags, use, PRIORITY_NORMAL);
	return true;
}

/* Private pages, and those that are shared with clones, from r->at on. False: there is more. */
static bool vspace_gather(struct removal *r, struct vspace *v)
{
	word_t *word;
	u64 count;

	for (; (word = pt_next(v, &r->at, USER_HIGH, &count)); r->at += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++) {
			bool clone = word_kind(word[i]) == WORD_CLONE;

			if (gather(r, clone ? &clone_of(word[i])->word : &word[i], clone ? FRAME_SECTION | FRAME_CLONE : 0, 0))
				continue;
			r->at += i << PAGE_SHIFT;
			return false;
		}
	return true;
}

static bool section_gather(struct removal *r, struct section *s)
{
	while ((r->at = section_next(s, r->at)) < s->pages) {
		word_t *words = section_word(s, r->at);
		u64 count = MIN(512 - (r->at & 511), s->pages - r->at);

		for (u64 i = 0; i < count; i++, r->at++)
			if (!gather(r, &words[i], FRAME_SECTION, s->backing->use))
				return false;
	}
	return true;
}

/* The step goes on in the next place if this one is done. */
static void place_end(struct removal *r, bool done)
{
	r->place += done;
	r->at = done ? 0 : r->at;
}

/* Each takes up words of one place. False: there are no more places. */
static bool vspaces_step(struct removal *r)
{
	struct vspace *v;
	bool found = false, done = true;
	u64 n = 0;

	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link) {
		found = n++ == r->place;
		if (!found)
			continue;
		mutex_lock(&v->lock);
		mutex_lock(&clones_lock);
		if (v->pml4_phys)
			done = vspace_gather(r, v);
		mutex_unlock(&clones_lock);
		mutex_unlock(&v->lock);
		break;
	}
	mutex_unlock(&vspaces_lock);
	place_end(r, done);
	return found;
}

static bool sections_step(struct removal *r)
{
	struct section *s;
	bool found = false, done = true;
	u64 n = 0;

	mutex_lock(&sections_lock);
	list_for_each(&all_sections, s, all_link) {
		found = n++ == r->place;
		if (!found)
			continue;
		mutex_lock(&s->lock);
		if (!s->large)
			done = section_gather(r, s);
		mutex_unlock(&s->lock);
		break;
	}
	mutex_unlock(&sections_lock);
	place_end(r, done);
	return found;
}

/* Changes as long as pages leave working sets, are written, or lose their frames. */
static u64 pages_leaving(void)
{
	return reclaim_counters.trimmed + reclaim_counters.swapped_out + reclaim_counters.discarded;
}

bool swap_room_wait(void)
{
	for (u32 round = 0; round < PATIENCE_ROUNDS; round++) {
		u64 before = pages_leaving();

		if (frames_wait_for_good(clock_ns() + PATIENCE_NS))
			return true;
		if (thread_ending() || pages_leaving() == before)
			break;
	}
	return false;
}

/* Reads what the step has gathered. False: that did not come to an end. */
static bool gathered_read(struct removal *r)
{
	struct reader *reader = r->reader;

	if (!reader->io.count)
		return true;
	if (!reader_run(reader)) {
		r->reader = NULL;
		return false;
	}
	r->unreadable += bits_set(reader->bad);
	r->moved += reader->io.count - bits_set(reader->bad);
	return true;
}

static u32 walk(struct removal *r, bool (*step)(struct removal *r))
{
	bool more = true;

	for (r->place = r->at = 0; more;) {
		r->reader->io.count = 0;
		r->reader->io.kind = IO_SWAP;
		r->short_of_memory = false;
		more = step(r);
		if (!gathered_read(r))
			return thread_ending() ? STATUS_CANCELLED : STATUS_IO_TIMEOUT;
		if (thread_ending())
			return STATUS_CANCELLED;
		if (r->short_of_memory && !swap_room_wait())
			return thread_ending() ? STATUS_CANCELLED : STATUS_INSUFFICIENT_RESOURCES;
	}
	return STATUS_SUCCESS;
}

static u64 slots_in_use(u32 file)
{
	struct swap_file *f = &swap_files[file];
	u64 n;

	spin_lock(&f->lock);
	n = swap_file_in_use(f);
	spin_unlock(&f->lock);
	return n;
}

/*
 * What the writer is writing to the file just now is written, and has its word, when its round is over; the next one takes no
 * more slots there.
 */
static u32 writer_await(void)
{
	u64 deadline = clock_ns() + ANSWER_NS, round = writer_round();

	while (round % 2 && writer_round() == round) {
		if (thread_ending())
			return STATUS_CANCELLED;
		if (clock_ns() >= deadline)
			return STATUS_IO_TIMEOUT;
		sleep_until(clock_ns() + MOMENT_NS);
	}
	return STATUS_SUCCESS;
}

/* Passes, until no slot is in use. Without progress only what somebody else reads is left. */
static u32 passes(struct removal *r)
{
	u64 progress = clock_ns(), left = slots_in_use(r->file), before;
	u32 status;

	while (left) {
		r->moved = r->unreadable = 0;
		copies_drop(r->file);
		status = walk(r, vspaces_step);
		if (!status)
			status = walk(r, sections_step);
		if (status)
			return status;
		if (r->unreadable)
			return STATUS_IO_DEVICE_ERROR;
		before = left;
		left = slots_in_use(r->file);
		if (r->moved || left < before)
			progress = clock_ns();
		else if (clock_ns() - progress >= ANSWER_NS)
			return STATUS_IO_TIMEOUT;
		else
			sleep_until(clock_ns() + MOMENT_NS);
	}
	return STATUS_SUCCESS;
}

u32 swap_file_empty(u32 number, u64 *unreadable)
{
	struct removal r = { .file = number };
	u32 status = writer_await();

	assert(mutex_none_held());
	if (status || !slots_in_use(number))
		return status;
	r.reader = reader_start();
	if (!r.reader)
		return STATUS_NO_MEMORY;
	status = passes(&r);
	*unreadable = r.unreadable;
	if (r.reader)
		reader_leave(r.reader);
	return status;
}
