/* Modified pages of data files go to their files: one request for neighbours, under file->lock (file_cache.h). */
#include "mm/file_cache.h"

#include "mm/event.h"
#include "mm/page_io.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

/* ---- one run of pages ---- */

struct run {
	u64 index;
	u32 count;
	u32 pfns[SWAP_CLUSTER];
};

/* Is *word's page to be written? Then it is on its way. frames_lock held. */
static u32 page_take(word_t *word, bool mapped)
{
	bool framed = word_valid(*word) || word_kind(*word) == WORD_TRANSITION;
	u32 pfn = framed ? word_pfn(*word) : 0;
	struct frame *f = &frames[pfn];

	if (!pfn || !(f->flags & FRAME_DIRTY) || f->flags & (FRAME_READING | FRAME_WRITING))
		return 0;
	if (f->state == FRAME_FILE_MODIFIED) {
		frame_list_remove(pfn);
		f->state = FRAME_KERNEL;
		frame_state_set(pfn, FRAME_TRANSITION);
	} else if (!mapped) {
		return 0;
	}
	f->flags = (f->flags & ~FRAME_DIRTY) | FRAME_WRITING;
	return pfn;
}

/* The first run of pages in [r->index, end) that are to be written. False: there is none. file->lock held. */
static bool run_take(struct section *s, struct run *r, u64 end, bool mapped)
{
	u64 index = r->index;

	r->count = 0;
	mutex_lock(&s->lock);
	while (!r->count && (index = section_next(s, index)) < MIN(end, s->pages)) {
		word_t *word = section_word(s, index);
		u32 words = (u32)MIN(512 - (index & 511), MIN(end, s->pages) - index), i = 0, looked;

		while (i < words && !r->count) {
			i = (u32)words_skip(word, i, words);
			spin_lock(&frames_lock);
			for (looked = 0; i < words && looked < WORDS_LOCKED && r->count < SWAP_CLUSTER; i++, looked++) {
				u32 pfn = page_take(&word[i], mapped);

				if (!pfn && r->count)
					break;
				if (pfn && !r->count)
					r->index = index + i;
				if (pfn)
					r->pfns[r->count++] = pfn;
			}
			spin_unlock(&frames_lock);
		}
		index += words;
	}
	mutex_unlock(&s->lock);
	return r->count;
}

/* Meanwhile they may have been wanted again, and modified again, or given up. */
static void run_done(const struct run *r, bool ok)
{
	u32 to_free[SWAP_CLUSTER], free_count = 0;

	spin_lock(&frames_lock);
	for (u32 i = 0; i < r->count; i++) {
		struct frame *f = &frames[r->pfns[i]];

		f->flags &= ~FRAME_WRITING;
		if (!ok)
			f->flags |= FRAME_DIRTY;
		if (f->state != FRAME_TRANSITION)
			continue;
		frame_state_set(r->pfns[i], FRAME_KERNEL);
		if (f->flags & FRAME_ABANDONED)
			to_free[free_count++] = r->pfns[i];
		else
			frame_list_add(r->pfns[i], frame_list_for(f));
	}
	spin_unlock(&frames_lock);
	while (free_count)
		frame_free(to_free[--free_count]);
}

static enum file_status run_write(struct section *s, const struct run *r)
{
	u64 phys[SWAP_CLUSTER];
	enum file_status status;

	for (u32 i = 0; i < r->count; i++)
		phys[i] = (u64)r->pfns[i] << PAGE_SHIFT;
	status = file_pages_write(s->file, r->index << PAGE_SHIFT, phys, r->count);
	if (status == FILE_STALE)
		s->lost += r->count;
	run_done(r, status == FILE_OK || status == FILE_STALE);
	__atomic_add_fetch(&file_cache_counters.write_requests, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(status == FILE_OK ? &file_cache_counters.pages_written : &file_cache_counters.write_errors,
			   status == FILE_OK ? r->count : 1, __ATOMIC_RELAXED);
	event(BS_EVENT_FILE_WRITE, .process = event_process(), .place = r->index << PAGE_SHIFT, .count = r->count);
	return status;
}

/* ---- ranges ---- */

enum file_status file_pages_flush(struct section *s, u64 first, u64 end, bool mapped, bool *wrote)
{
	struct run r = { .index = first };
	enum file_status status = FILE_OK, one;
	bool more = true;

	assert(mutex_none_held());
	*wrote = false;
	/* The lock is given back between requests, so that others come to the file too. */
	while (more) {
		mutex_lock(&s->file->lock);
		more = run_take(s, &r, end, mapped);
		one = more ? run_write(s, &r) : FILE_OK;
		if (!more) {
			file_lost_report(s->file, s->lost, FILE_STALE);
			s->lost = 0;
		}
		mutex_unlock(&s->file->lock);
		*wrote = *wrote || more;
		status = status == FILE_OK ? one : status;
		r.index += r.count;
	}
	return status;
}

/* The entry may say, when this succeeds, that the file has the bytes that it had when this began; unless *again is set. */
static enum file_status flush_once(struct section *s, bool views, bool *again)
{
	struct file *f = s->file;
	enum file_status status;
	bool wrote, late;
	u64 size;
	u32 cuts;

	*again = false;
	mutex_lock(&f->lock);
	size = f->size;
	cuts = f->cuts;
	late = s->entry_late;
	mutex_unlock(&f->lock);
	status = file_pages_flush(s, 0, ~0ull, views || late, &wrote);
	if (status != FILE_OK || !(wrote || late))
		return status;
	mutex_lock(&f->lock);
	/* If it was made shorter meanwhile, what there was of it may not be what there is. */
	*again = f->cuts != cuts;
	if (!*again) {
		status = file_entry_settle(f, size, !late);
		if (status == FILE_OK && f->size == size)
			s->entry_late = false;
	}
	mutex_unlock(&f->lock);
	return status;
}

void file_section_touch(struct section *s)
{
	mutex_lock(&s->file->lock);
	file_write_end(s->file, 0);
	s->entry_late = true;
	mutex_unlock(&s->file->lock);
	spin_lock(&frames_lock);
	file_section_list(s);
	spin_unlock(&frames_lock);
}

#define FLUSH_TRIES 4 /* somebody may make the file shorter all the time */

enum file_status file_section_flush(struct section *s, bool views)
{
	enum file_status status = FILE_OK;
	bool again = true;

	if (views)
		file_views_collect(s, 0, ~0ull);
	for (u32 i = 0; i < FLUSH_TRIES && again && status == FILE_OK; i++)
		status = flush_once(s, views, &again);
	if (again) {
		spin_lock(&frames_lock);
		file_section_list(s);
		spin_unlock(&frames_lock);
	}
	return status;
}

/* ---- what page tables know ---- */

static void view_collect(struct vspace *v, struct view *w, u64 first, u64 end)
{
	u64 pages = (w->node.end - w->node.start) >> PAGE_SHIFT, count;
	u64 low = MAX(first, w->first), high = MIN(end, w->first + pages);
	struct gather g;
	word_t *word;

	if (low >= high)
		return;
	gather_init(&g, v);
	high = w->node.start + ((high - w->first) << PAGE_SHIFT);
	for (u64 va = w->node.start + ((low - w->first) << PAGE_SHIFT); (word = pt_next(v, &va, high, &count));
	     va += count << PAGE_SHIFT)
		for (u64 i = 0; i < count; i++) {
			if (!word_valid(word[i]) || (word[i] & (PTE_SECTION | PTE_CLONE | PTE_DIRTY)) != (PTE_SECTION | PTE_DIRTY))
				continue;
			/* The processor may set its bits meanwhile: so this bit alone. */
			__atomic_and_fetch(&word[i], ~PTE_DIRTY, __ATOMIC_RELAXED);
			spin_lock(&frames_lock);
			frames[word_pfn(word[i])].flags |= FRAME_DIRTY;
			spin_unlock(&frames_lock);
			gather_flush_only(&g, va + (i << PAGE_SHIFT)); /* so that the next write sets it again */
		}
	gather_finish(&g);
}

void file_views_collect(struct section *s, u64 first, u64 end)
{
	struct vspace *v;

	if (!__atomic_load_n(&s->object.refs, __ATOMIC_RELAXED))
		return;
	mutex_lock(&vspaces_lock);
	list_for_each(&all_vspaces, v, all_link) {
		mutex_lock(&v->lock);
		for (struct tree_node *n = tree_first(&v->views); n; n = tree_next(n))
			if (view_of(n)->section == s)
				view_collect(v, view_of(n), first, end);
		mutex_unlock(&v->lock);
	}
	mutex_unlock(&vspaces_lock);
}

/* ---- for those who have a file ---- */

enum file_status file_cache_flush(struct file *f)
{
	struct section *s = file_section_hold(f);
	enum file_status status = s ? file_section_flush(s, true) : FILE_OK;

	file_section_release(s);
	return status;
}

/* Pages that are clean and that nobody has. */
static void pages_discard(struct section *s, u64 first, u64 end)
{
	mutex_lock(&s->lock);
	for (; (first = section_next(s, first)) < MIN(end, s->pages); first++) {
		word_t *word = section_word(s, first);
		u32 pfn = 0;

		spin_lock(&frames_lock);
		if (word_kind(*word) == WORD_TRANSITION && frames[word_pfn(*word)].state == FRAME_STANDBY) {
			pfn = word_pfn(*word);
			check(frame_give_up(pfn));
			*word = 0;
		}
		spin_unlock(&frames_lock);
		if (pfn)
			frame_free(pfn);
	}
	mutex_unlock(&s->lock);
}

enum file_status file_cache_flush_range(struct file *f, u64 offset, u64 n, bool discard)
{
	u64 first = offset >> PAGE_SHIFT, end = DIV_UP(offset + n, PAGE_SIZE);
	struct section *s = file_section_hold(f);
	enum file_status status = FILE_OK;
	bool wrote;

	if (s) {
		file_views_collect(s, first, end);
		status = file_pages_flush(s, first, end, true, &wrote);
		if (discard)
			pages_discard(s, first, end);
	}
	file_section_release(s);
	return status;
}

enum file_status file_cache_flush_all(const struct volume *v)
{
	enum file_status status = FILE_OK, one;
	struct file *f = NULL, *next;

	while ((next = file_next(f))) {
		if (f)
			file_unref(f);
		f = next;
		if (v ? f->volume != v : volume_status(f->volume) != FILE_OK)
			continue;
		one = file_cache_flush(f);
		status = status == FILE_OK ? one : status;
	}
	if (f)
		file_unref(f);
	return status;
}

/* ---- what can't be written ---- */

void file_lost_report(const struct file *f, u64 pages, enum file_status why)
{
	char path[FILE_FULL_PATH_MAX];

	if (!pages)
		return;
	file_path(f, path);
	klog(LOG_ERROR, "%s: %llu modified page%s lost: %s", path, (unsigned long long)pages, pages == 1 ? " is" : "s are",
	     file_status_text(why));
}

u64 file_section_modified(struct section *s)
{
	u64 first = 0, n = 0;

	mutex_lock(&s->lock);
	while ((first = section_next(s, first)) < s->pages) {
		word_t word;

		spin_lock(&frames_lock);
		word = *section_word(s, first++);
		if (word_valid(word) || word_kind(word) == WORD_TRANSITION)
			n += (frames[word_pfn(word)].flags & FRAME_DIRTY) != 0;
		spin_unlock(&frames_lock);
	}
	mutex_unlock(&s->lock);
	return n;
}

void file_cache_report_lost(void)
{
	struct file *f = NULL, *next;
	struct section *s;

	while ((next = file_next(f))) {
		if (f)
			file_unref(f);
		f = next;
		s = volume_status(f->volume) == FILE_OK ? NULL : file_section_hold(f);
		if (s) {
			file_views_collect(s, 0, ~0ull);
			file_lost_report(f, file_section_modified(s), volume_status(f->volume));
		}
		file_section_release(s);
	}
	if (f)
		file_unref(f);
}

void file_cache_query(struct bs_memory *out)
{
	out->pages_file_read = file_cache_counters.pages_read;
	out->pages_file_written = file_cache_counters.pages_written;
	out->file_read_requests = file_cache_counters.read_requests;
	out->file_write_requests = file_cache_counters.write_requests;
	out->file_write_errors = file_cache_counters.write_errors;
}
