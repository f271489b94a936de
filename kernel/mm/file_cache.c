/* ReadFile and WriteFile: bytes to and from the pages of the file's data section (file_cache.h). */
#include "mm/file_cache.h"

#include "lib/string.h"
#include "mm/pool.h"
#include "mm/vspace.h"
#include "proc/file_object.h"
#include "proc/sched.h"

#define PINS_MAX 16        /* pages that are held at once for a copy */
#define AHEAD_FIRST 8      /* pages: the first window of one who reads on */
#define AHEAD_MAX SWAP_CLUSTER

u64 file_pins, file_pins_hash;

/* ---- pages that are held ---- */

/* Why a page can't be had now. */
struct obstacle {
	enum { NOTHING, READ_IT, WAIT_READ, WAIT_MEMORY } what;
	u32 pfn;   /* WAIT_READ: for whom */
	u64 index; /* READ_IT */
};

/* The page of *word, if it is in memory, with one share more. s->lock and frames_lock held. 0: it is not, see *o. */
static u32 pin(struct section *s, u64 index, struct obstacle *o)
{
	word_t *word = section_word(s, index);
	struct frame *f;
	u32 pfn;

	o->what = READ_IT;
	o->index = index;
	if (!word || (!word_valid(*word) && word_kind(*word) != WORD_TRANSITION))
		return 0;
	pfn = word_pfn(*word);
	f = &frames[pfn];
	if (word_valid(*word)) {
		f->shares++;
	} else if (f->flags & FRAME_READING) {
		o->what = WAIT_READ;
		o->pfn = pfn;
		return 0;
	} else {
		frame_reactivate(pfn);
		*word = word_valid_make(pfn, 0, true, false);
	}
	f->priority = MAX((u32)f->priority, PRIORITY_NORMAL) & (PRIORITIES - 1);
	file_pins++;
	file_pins_hash += file_pin_hash(pfn);
	o->what = NOTHING;
	return pfn;
}

/* frames_lock held. */
static void unpin(const u32 *pfns, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		file_pins--;
		file_pins_hash -= file_pin_hash(pfns[i]);
		if (!--frames[pfns[i]].shares)
			frame_deactivate(pfns[i]);
	}
}

/* ---- reading ---- */

/* Pages from index on, at most want, on their way; the first is not in memory. No locks held. */
static u32 read_in(struct section *s, u64 index, u32 want)
{
	struct page_io io = { .kind = IO_READ, .section = s, .borrowed = true, .index = index };
	bool memory = true;
	word_t *word;

	mutex_lock(&s->lock);
	want = (u32)MIN(MIN(want, 512 - (index & 511)), index < s->pages ? s->pages - index : 0);
	while (io.count < want) {
		u32 pfn;

		if (section_word_make(s, index + io.count, &word)) {
			memory = io.count;
			break;
		}
		if (word_kind(*word) != WORD_BACKING)
			break; /* somebody has it by now */
		if (io.count && frames_available() < frame_counts.high)
			break;
		pfn = frame_alloc(FRAME_FOR_USER, false);
		if (!pfn) {
			memory = io.count;
			break;
		}
		page_io_add(&io, pfn, word, FRAME_SECTION, BS_USE_FILE, PRIORITY_NORMAL);
	}
	mutex_unlock(&s->lock);
	if (io.count)
		return page_io_run(&io) & 1 ? io.status : STATUS_SUCCESS;
	return memory || frames_wait() ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

static u32 overcome(struct section *s, const struct obstacle *o, u32 want)
{
	switch (o->what) {
	case READ_IT:
		return read_in(s, o->index, want);
	case WAIT_READ:
		frame_wait_io(o->pfn);
		return STATUS_SUCCESS;
	default:
		return STATUS_SUCCESS;
	}
}

/* Up to count pages from index on; how many there were in a row. */
static u32 pins_take(struct section *s, u64 index, u32 count, u32 *pfns, struct obstacle *o)
{
	u32 n = 0;

	mutex_lock(&s->lock);
	count = (u32)MIN(count, index < s->pages ? s->pages - index : 0);
	o->what = NOTHING;
	spin_lock(&frames_lock);
	while (n < count && (pfns[n] = pin(s, index + n, o)))
		n++;
	spin_unlock(&frames_lock);
	mutex_unlock(&s->lock);
	return n;
}

/* How many pages are read with the next one that is not there. */
static u32 window(struct file_ahead *a, u64 offset, u64 n)
{
	if (offset == a->next && offset)
		a->window = MIN(MAX(2 * a->window, AHEAD_FIRST), AHEAD_MAX);
	else
		a->window = 0;
	a->next = offset + n;
	return MAX(a->window, 1u);
}

u32 file_cache_read(struct file *f, u64 offset, u64 to, u64 n, u64 *done, struct file_ahead *ahead)
{
	u32 want = window(ahead, offset, n), status = STATUS_SUCCESS;
	struct section *s = file_section(f);
	u32 pfns[PINS_MAX], count;
	struct obstacle o;

	if (!s)
		return STATUS_INSUFFICIENT_RESOURCES;
	while (*done < n && !status && !thread_ending()) {
		u64 at = offset + *done, pages = DIV_UP(offset + n, PAGE_SIZE) - (at >> PAGE_SHIFT);
		u32 i = 0;

		count = pins_take(s, at >> PAGE_SHIFT, (u32)MIN(pages, PINS_MAX), pfns, &o);
		if (!count) {
			if (o.what == NOTHING)
				break; /* the file is shorter by now */
			status = overcome(s, &o, (u32)MIN(MAX(pages, want), AHEAD_MAX));
			continue;
		}
		for (; i < count && !status; i++) {
			u64 inside = (offset + *done) & (PAGE_SIZE - 1), part = MIN(n - *done, PAGE_SIZE - inside);

			if (!copy_to_user(to + *done, (u8 *)frame_address(pfns[i]) + inside, part))
				status = STATUS_ACCESS_VIOLATION;
			else
				*done += part;
		}
		spin_lock(&frames_lock);
		unpin(pfns, count);
		spin_unlock(&frames_lock);
	}
	return status;
}

/* ---- writing ---- */

#define WRITE_PAGES (FILE_CACHE_WRITE_MAX / PAGE_SIZE + 1)

/* One write: it has all its pages at once, or does nothing. */
struct write {
	struct section *s;
	u64 offset, n;
	const u8 *from;                /* what is written; NULL: it is in fresh, whole pages */
	u32 pfns[WRITE_PAGES], count;  /* its pages, held; 0: to be made, and need not be read */
	u32 fresh[WRITE_PAGES];        /* for each a frame that it may become, or 0 */
};

/* Need the page's old contents not be read? Because none of them stay, or it is behind the end of the file. */
static bool is_fresh(const struct write *w, u64 index)
{
	u64 start = index << PAGE_SHIFT, size = w->s->file->size;

	return start >= size || (w->offset <= start && w->offset + w->n >= MIN(start + PAGE_SIZE, size));
}

/* Takes the write's pages; what is to be made gets its table. False: *o says what is missing. file->lock and s->lock held. */
static bool write_pin(struct write *w, struct obstacle *o)
{
	u64 first = w->offset >> PAGE_SHIFT;
	u32 pages = (u32)(DIV_UP(w->offset + w->n, PAGE_SIZE) - first);
	bool missing = false;
	word_t *word;

	for (w->count = 0; w->count < pages; w->count++) {
		u64 index = first + w->count;

		o->what = WAIT_MEMORY;
		if (section_word_make(w->s, index, &word))
			return false;
		w->pfns[w->count] = 0;
		if (word_kind(*word) == WORD_BACKING && is_fresh(w, index)) {
			missing = missing || !w->fresh[w->count];
			continue;
		}
		spin_lock(&frames_lock);
		w->pfns[w->count] = pin(w->s, index, o);
		spin_unlock(&frames_lock);
		if (!w->pfns[w->count])
			return false;
	}
	o->what = missing ? WAIT_MEMORY : NOTHING;
	return !missing;
}

/* The i-th page becomes its fresh frame, which is held. */
static void fresh_install(struct write *w, u32 i)
{
	u64 index = (w->offset >> PAGE_SHIFT) + i;
	u32 pfn = w->fresh[i];
	word_t *word = section_word(w->s, index);
	struct frame *f = &frames[pfn];

	if (w->offset > index << PAGE_SHIFT || w->offset + w->n < (index + 1) << PAGE_SHIFT)
		page_zero(frame_address(pfn));
	spin_lock(&frames_lock);
	f->word = word;
	f->backing = word_make(WORD_BACKING, 0);
	f->flags = FRAME_SECTION;
	f->use = BS_USE_FILE;
	f->priority = PRIORITY_NORMAL;
	f->shares = 1;
	f->state = FRAME_ACTIVE;
	*word = word_valid_make(pfn, 0, true, false);
	file_pins++;
	file_pins_hash += file_pin_hash(pfn);
	spin_unlock(&frames_lock);
	w->pfns[i] = pfn;
	w->fresh[i] = 0;
}

static void write_unpin(struct write *w, bool written)
{
	spin_lock(&frames_lock);
	for (u32 i = 0; i < w->count; i++) {
		if (!w->pfns[i])
			continue;
		frames[w->pfns[i]].flags |= written ? FRAME_DIRTY : 0;
		unpin(&w->pfns[i], 1);
	}
	if (written)
		file_section_list(w->s);
	spin_unlock(&frames_lock);
}

static void write_copy(struct write *w)
{
	u64 done = 0;

	for (u32 i = 0; i < w->count; i++) {
		u64 inside = (w->offset + done) & (PAGE_SIZE - 1), part = MIN(w->n - done, PAGE_SIZE - inside);
		const u8 *from = w->from ? w->from + done : frame_address(w->fresh[i]);

		if (!w->pfns[i])
			fresh_install(w, i);
		if (from != frame_address(w->pfns[i]))
			memcpy((u8 *)frame_address(w->pfns[i]) + inside, from, part);
		done += part;
	}
}

/* Everything, or *o says why not. file->lock held. */
static enum file_status write_locked(struct write *w, struct obstacle *o)
{
	enum file_status status = file_write_begin(w->s->file, &w->offset, w->n);
	u64 before;
	bool all;

	o->what = NOTHING;
	if (status != FILE_OK || !w->n)
		return status;
	mutex_lock(&w->s->lock);
	before = w->s->pages;
	w->s->pages = MAX(before, DIV_UP(w->offset + w->n, PAGE_SIZE));
	all = write_pin(w, o);
	if (all)
		write_copy(w);
	else
		w->s->pages = before;
	write_unpin(w, all);
	mutex_unlock(&w->s->lock);
	if (all) {
		w->s->entry_late = true;
		file_write_end(w->s->file, w->offset + w->n);
	}
	return FILE_OK;
}

/* Frames for the first pages of the write. False: the thread is to end. No locks held. */
static bool fresh_take(struct write *w, u64 pages)
{
	for (u32 i = 0; i < pages; i++)
		while (!w->fresh[i] && !(w->fresh[i] = frame_alloc(FRAME_FOR_USER, false)))
			if (!frames_wait())
				return false;
	return true;
}

static void fresh_free(struct write *w)
{
	for (u32 i = 0; i < WRITE_PAGES; i++)
		if (w->fresh[i])
			frame_free(w->fresh[i]);
}

/* Whole pages from user memory, into frames that may become the file's. No locks held. */
static u32 fresh_fill(struct write *w, u64 from)
{
	u64 pages = w->n >> PAGE_SHIFT;

	if (!fresh_take(w, pages))
		return STATUS_NO_MEMORY;
	for (u32 i = 0; i < pages; i++)
		if (!copy_from_user(frame_address(w->fresh[i]), from + i * PAGE_SIZE, PAGE_SIZE))
			return STATUS_ACCESS_VIOLATION;
	return STATUS_SUCCESS;
}

/* Modified pages must not fill memory: who makes too many of them writes his file's. */
static enum file_status throttle(struct section *s)
{
	if (frame_counts.state[FRAME_FILE_MODIFIED] <= frame_counts.total / 8)
		return FILE_OK;
	return file_section_flush(s, false);
}

u32 file_cache_write(struct file *f, u64 offset, u64 from, u64 n, u64 *at)
{
	struct write w = { .s = file_section(f), .n = n };
	u64 pages = MIN(DIV_UP(n, PAGE_SIZE) + 1, WRITE_PAGES);
	struct obstacle o = { .what = WAIT_MEMORY };
	u32 status = STATUS_SUCCESS;
	u8 *bounce = NULL;

	assert(n && n <= FILE_CACHE_WRITE_MAX);
	if (!w.s)
		return STATUS_INSUFFICIENT_RESOURCES;
	/* Behind the end of the file there are no pages yet, most likely: what is written becomes them. */
	if (IS_ALIGNED(offset | n, PAGE_SIZE) && offset >= f->size) {
		status = fresh_fill(&w, from);
	} else {
		w.from = bounce = kmalloc(n);
		if (!bounce)
			status = STATUS_INSUFFICIENT_RESOURCES;
		else if (!copy_from_user(bounce, from, n))
			status = STATUS_ACCESS_VIOLATION;
	}
	while (!status) {
		w.offset = offset;
		mutex_lock(&f->lock);
		status = file_status_nt(write_locked(&w, &o));
		mutex_unlock(&f->lock);
		if (status || o.what == NOTHING)
			break;
		if (o.what == WAIT_MEMORY) /* for frames, or if it has those for tables */
			status = (w.fresh[pages - 1] ? frames_wait() : fresh_take(&w, pages)) ? STATUS_SUCCESS : STATUS_NO_MEMORY;
		else
			status = overcome(w.s, &o, 1);
	}
	fresh_free(&w);
	kfree(bounce);
	*at = w.offset;
	return status ? status : file_status_nt(throttle(w.s));
}
