/* Reading pages in, for faults and for the removal of a paging file. */
#include "mm/page_io.h"

#include "mm/reclaim.h"
#include "mm/vspace.h"

void page_io_add(struct page_io *io, u32 pfn, word_t *word, u16 flags, u8 use, u32 priority)
{
	struct frame *f = &frames[pfn];

	assert(io->count < ARRAY_SIZE(io->pfns));
	spin_lock(&frames_lock);
	f->word = word;
	f->backing = *word;
	f->flags = FRAME_READING | flags | (io->returns ? FRAME_RETURNS : 0);
	f->priority = priority & (PRIORITIES - 1);
	if ((flags & (FRAME_SECTION | FRAME_CLONE)) == FRAME_SECTION)
		f->use = use & 31;
	frame_state_set(pfn, FRAME_TRANSITION);
	*word = word_transition(pfn, word_prot(*word));
	spin_unlock(&frames_lock);
	io->pfns[io->count++] = pfn;
}

/* ---- reading ---- */

/* Nobody changes a frame's backing while it is being read. */
static u32 file_at(const struct page_io *io, u32 i) { return word_swap_file(frames[io->pfns[i]].backing); }
static u64 slot_at(const struct page_io *io, u32 i) { return word_swap_slot(frames[io->pfns[i]].backing); }

/* How many pages from the first-th on stand in a row. */
static u32 run_length(const struct page_io *io, u32 first)
{
	u32 n = 1;

	if (io->kind == IO_READ)
		return io->count - first;
	while (first + n < io->count && file_at(io, first + n) == file_at(io, first) &&
	       slot_at(io, first + n) == slot_at(io, first) + n)
		n++;
	return n;
}

/* In one request; STATUS_SUCCESS, or why it failed. *bad: pages that came, but are not what was written. */
static u32 run_read(const struct page_io *io, u32 first, u32 count, u64 *bad)
{
	*bad = 0;
	if (io->kind != IO_SWAP)
		return io->section->backing->read(io->section, io->index + first, io->pfns + first, count);
	return swap_read(file_at(io, first), slot_at(io, first), io->pfns + first, count, bad) ? STATUS_SUCCESS
											       : STATUS_IO_DEVICE_ERROR;
}

static u64 pages_read(struct page_io *io)
{
	u64 bad = 0, wrong;

	io->status = STATUS_CRC_ERROR; /* unless it does not even come */
	for (u32 first = 0, n; first < io->count; first += n) {
		u32 status;

		n = run_length(io, first);
		status = run_read(io, first, n, &wrong);
		if (!status) {
			bad |= wrong << first;
			continue;
		}
		/* One that can't be read must not take the others with it. */
		for (u32 i = first; i < first + n; i++) {
			if (n > 1)
				status = run_read(io, i, 1, &wrong);
			if (status || wrong)
				bad |= 1ull << i;
			if (status && !i)
				io->status = status;
		}
	}
	return bad;
}

/* ---- and what then ---- */

/* A good page: from now on it can be had, or taken. frames_lock held. */
static void page_arrived(u32 pfn)
{
	struct frame *f = &frames[pfn];

	if (word_kind(f->backing) == WORD_SWAP &&
	    !swap_slot_keeps(word_swap_file(f->backing), word_swap_slot(f->backing))) {
		swap_slot_drop(f);
		f->flags |= FRAME_DIRTY;
	}
	frame_list_add(pfn, frame_list_for(f));
}

void page_io_finish(struct page_io *io, u64 bad, bool keep)
{
	u32 to_free[ARRAY_SIZE(io->pfns)], free_count = 0;

	spin_lock(&frames_lock);
	for (u32 i = 0; i < io->count; i++) {
		u32 pfn = io->pfns[i];
		struct frame *f = &frames[pfn];

		if (bad & 1ull << i && !keep && word_kind(f->backing) == WORD_SWAP)
			swap_slot_retire(word_swap_file(f->backing), word_swap_slot(f->backing));
		f->flags &= ~(FRAME_READING | FRAME_RETURNS);
		frame_state_set(pfn, FRAME_KERNEL);
		if (f->flags & FRAME_ABANDONED) {
			swap_slot_drop(f);
			to_free[free_count++] = pfn;
		} else if (bad & 1ull << i) {
			*f->word = word_with_prot(f->backing, word_prot(*f->word));
			f->word = NULL;
			f->backing = 0;
			to_free[free_count++] = pfn;
		} else {
			page_arrived(pfn);
		}
		frame_io_done(pfn);
	}
	spin_unlock(&frames_lock);
	while (free_count)
		frame_free(to_free[--free_count]);
}

u64 page_io_run(struct page_io *io)
{
	u64 bad;

	assert(mutex_none_held() && (io->kind == IO_SWAP || io->kind == IO_READ));
	bad = pages_read(io);
	page_io_finish(io, bad, false);
	if (io->kind == IO_READ && !io->borrowed)
		section_unref(io->section);
	return bad;
}
