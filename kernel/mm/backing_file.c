/*
 * Data sections: a file's contents, a page of which is read when it is touched and written back to the file (file_cache.h).
 * What a program makes of a file is a section of its own, with a size, a protection and perhaps a name; its views show the
 * pages of the file's data section, of which there is one.
 */
#include "mm/file_cache.h"

#include "lib/string.h"
#include "mm/event.h"
#include "mm/pool.h"
#include "mm/vspace.h"
#include "proc/file_object.h"

u64 file_sections;
struct file_cache_counters file_cache_counters;

static word_t initial(const struct section *s, u64 index)
{
	(void)s;
	(void)index;
	return word_make(WORD_BACKING, 0);
}

static u32 run(const struct section *s, u64 index, u32 max)
{
	return (u32)MIN(max, s->pages - index);
}

static u64 offset(const struct section *s, u64 index)
{
	(void)s;
	return index << PAGE_SHIFT;
}

static u32 read(struct section *s, u64 index, const u32 *pfns, u32 count)
{
	u64 phys[SWAP_CLUSTER];
	enum file_status status;

	assert(count <= ARRAY_SIZE(phys));
	for (u32 i = 0; i < count; i++)
		phys[i] = (u64)pfns[i] << PAGE_SHIFT;
	mutex_lock(&s->file->lock);
	status = file_pages_read(s->file, index << PAGE_SHIFT, phys, count);
	mutex_unlock(&s->file->lock);
	__atomic_add_fetch(&file_cache_counters.read_requests, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&file_cache_counters.pages_read, count, __ATOMIC_RELAXED);
	event(BS_EVENT_FILE_READ, .process = event_process(), .place = index << PAGE_SHIFT, .count = count);
	return file_status_nt(status);
}

static void destroy(struct section *s)
{
	if (s->data) {
		section_unref(s->data);
		return;
	}
	__atomic_sub_fetch(&file_sections, 1, __ATOMIC_RELAXED);
	file_unref(s->file);
}

const struct backing backing_file = {
	.name = "data file",
	.use = BS_USE_FILE,
	.cluster = 16,
	.initial = initial,
	.read = read,
	.run = run,
	.offset = offset,
	.destroy = destroy,
};

/* ---- which table is whose ---- */

/* A table's own frame says so: it is on no list. */
void file_table_note(struct section *s, word_t *table, u64 index)
{
	struct frame *f = &frames[frame_of_address(table)];

	f->backing = (word_t)s;
	f->next = (u32)index;
}

struct section *file_page_find(const struct frame *f, u64 *index)
{
	const struct frame *table = &frames[frame_of_address(f->word)];

	*index = (u64)table->next * 512 + ((u64)f->word & (PAGE_SIZE - 1)) / sizeof(word_t);
	return (struct section *)table->backing;
}

/* ---- the file's data section ---- */

static struct section *data_of(struct file *f)
{
	return __atomic_load_n(&f->data_section, __ATOMIC_ACQUIRE);
}

/* Users, not holders. */
static u32 users(const struct section *s)
{
	return s ? __atomic_load_n(&s->object.refs, __ATOMIC_SEQ_CST) : 0;
}

struct section *file_section(struct file *f)
{
	struct section *s = data_of(f), *other;

	if (s)
		return s;
	if (section_setup(&s, &backing_file, DIV_UP(f->size, PAGE_SIZE), SEC_COMMIT, PAGE_EXECUTE_READWRITE, 0))
		return NULL;
	s->object.refs = 0;
	s->file = f;
	list_init(&s->modified_link);
	file_ref(f);
	__atomic_add_fetch(&file_sections, 1, __ATOMIC_RELAXED);
	mutex_lock(&f->lock);
	other = f->data_section;
	if (!other) {
		s->pages = DIV_UP(f->size, PAGE_SIZE);
		__atomic_store_n(&f->data_section, s, __ATOMIC_RELEASE);
	}
	mutex_unlock(&f->lock);
	if (other)
		section_free(s);
	file_writer_wake();
	return other ? other : s;
}

struct section *file_section_hold(struct file *f)
{
	struct section *s;

	mutex_lock(&f->lock);
	s = f->data_section;
	if (s) {
		spin_lock(&frames_lock);
		s->holds++;
		spin_unlock(&frames_lock);
	}
	mutex_unlock(&f->lock);
	return s;
}

void file_section_release(struct section *s)
{
	if (!s)
		return;
	spin_lock(&frames_lock);
	if (!--s->holds && s->orphan)
		file_section_list(s);
	spin_unlock(&frames_lock);
}

void file_section_leave(struct section *s)
{
	spin_lock(&frames_lock);
	s->holds++; /* from the moment that nobody uses it others may free it */
	if (!__atomic_sub_fetch(&s->object.refs, 1, __ATOMIC_SEQ_CST))
		file_section_list(s);
	spin_unlock(&frames_lock);
	file_section_release(s);
}

/* ---- what the file asks and tells; file->lock is held ---- */

bool data_section_in_use(struct file *f)
{
	return users(data_of(f));
}

bool data_section_writable(struct file *f)
{
	struct section *s = data_of(f);

	return users(s) && s->writable;
}

void data_section_resized(struct file *f)
{
	struct section *s = f->data_section;

	assert(mutex_held(&f->lock));
	if (!s)
		return;
	mutex_lock(&s->lock);
	s->pages = DIV_UP(f->size, PAGE_SIZE);
	mutex_unlock(&s->lock);
}

/* Gives up the pages from first on; nobody has them. How many were modified. s->lock held. */
static u64 pages_give_up(struct section *s, u64 first)
{
	u64 modified = 0;

	while ((first = section_next(s, first)) < s->pages) {
		word_t *word = section_word(s, first);
		u32 pfn = 0;

		spin_lock(&frames_lock);
		check(!word_valid(*word));
		modified += word_kind(*word) == WORD_TRANSITION && frames[word_pfn(*word)].flags & FRAME_DIRTY;
		if (word_kind(*word) == WORD_TRANSITION && frame_give_up(word_pfn(*word)))
			pfn = word_pfn(*word);
		*word = 0;
		spin_unlock(&frames_lock);
		if (pfn)
			frame_free(pfn);
		first++;
	}
	return modified;
}

/* Is a page from first on held by somebody who copies it? s->lock held. */
static bool pages_held(struct section *s, u64 first)
{
	for (; (first = section_next(s, first)) < s->pages; first++)
		if (word_valid(*section_word(s, first)))
			return true;
	return false;
}

/* What is behind the new end in its page becomes zeros. False: the page is being read. s->lock held. */
static bool tail_zero(struct section *s, u64 size)
{
	word_t *word = size & (PAGE_SIZE - 1) && size >> PAGE_SHIFT < s->pages ? section_word(s, size >> PAGE_SHIFT) : NULL;
	bool done = true;

	if (!word)
		return true;
	spin_lock(&frames_lock);
	if (word_valid(*word) || word_kind(*word) == WORD_TRANSITION) {
		u32 pfn = word_pfn(*word);

		done = !(frames[pfn].flags & FRAME_READING);
		if (done)
			memset((u8 *)frame_address(pfn) + (size & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (size & (PAGE_SIZE - 1)));
	}
	spin_unlock(&frames_lock);
	return done;
}

enum file_status data_section_cut(struct file *f, u64 size)
{
	struct section *s = f->data_section;
	enum file_status status = FILE_OK;

	assert(mutex_held(&f->lock));
	if (!s)
		return FILE_OK;
	if (users(s) && size < s->mapped_bytes)
		return FILE_USER_MAPPED;
	mutex_lock(&s->lock);
	if (pages_held(s, DIV_UP(size, PAGE_SIZE)) || !tail_zero(s, size))
		status = FILE_BUSY;
	else
		pages_give_up(s, DIV_UP(size, PAGE_SIZE));
	mutex_unlock(&s->lock);
	return status;
}

enum file_status data_section_extend(struct file *f)
{
	struct section *s = f->data_section;
	bool done;

	if (!s)
		return FILE_OK;
	mutex_lock(&s->lock);
	done = tail_zero(s, f->size);
	mutex_unlock(&s->lock);
	return done ? FILE_OK : FILE_BUSY;
}

/* No longer the file's. s->lock is not held. */
static void orphan(struct section *s)
{
	spin_lock(&frames_lock);
	s->orphan = true;
	file_section_list(s);
	spin_unlock(&frames_lock);
}

u64 data_section_forget(struct file *f)
{
	struct section *s = f->data_section;
	u64 modified;

	if (!s)
		return 0;
	check(!users(s));
	mutex_lock(&s->lock);
	modified = pages_give_up(s, 0);
	mutex_unlock(&s->lock);
	f->data_section = NULL;
	orphan(s);
	return modified;
}

bool data_section_drop(struct file *f)
{
	struct section *s = f->data_section;
	bool gone;

	if (!s)
		return true;
	mutex_lock(&s->lock);
	spin_lock(&frames_lock);
	gone = !users(s) && !s->listed && !s->holds;
	spin_unlock(&frames_lock);
	if (gone)
		pages_give_up(s, 0);
	mutex_unlock(&s->lock);
	if (gone) {
		f->data_section = NULL;
		orphan(s);
	}
	return gone;
}

/* ---- sections that programs make ---- */

/* What is not found was found before: it has gone meanwhile. */
static u32 status_of(enum file_status e)
{
	return e == FILE_NOT_FOUND ? STATUS_DELETE_PENDING : file_status_nt(e);
}

/* One more user; *size as section_create_data. file->lock held. */
static u32 use_begin(struct file *f, struct section *s, u64 *size, bool write)
{
	if (!*size)
		*size = f->size;
	if (!*size)
		return STATUS_MAPPED_FILE_SIZE_ZERO;
	if (*size > FILE_SIZE_MAX || (*size > f->size && !write))
		return STATUS_SECTION_TOO_BIG;
	if (!users(s)) {
		s->mapped_bytes = 0;
		s->writable = false;
	}
	__atomic_add_fetch(&s->object.refs, 1, __ATOMIC_SEQ_CST);
	s->writable = s->writable || write;
	/* Who asks for its deletion looks for users after he has said so: one of us two sees the other. */
	return __atomic_load_n(&f->delete_pending, __ATOMIC_SEQ_CST) || f->gone ? STATUS_DELETE_PENDING : STATUS_SUCCESS;
}

/* The file has size bytes at least, and will as long as s is used. */
static u32 size_hold(struct file *f, struct section *s, u64 size)
{
	u32 status = STATUS_SUCCESS;
	bool held = false;

	while (!status && !held) {
		status = status_of(file_extend(f, size));
		mutex_lock(&f->lock);
		held = !status && f->size >= size; /* nobody has made it shorter since */
		if (held)
			s->mapped_bytes = MAX(s->mapped_bytes, size);
		mutex_unlock(&f->lock);
	}
	return status;
}

u32 section_create_data(struct file *f, u64 size, u32 protect, u32 attributes, struct section **out)
{
	struct section *s = file_section(f), *made;
	bool write, used;
	u32 prot, status;

	if (!s)
		return STATUS_INSUFFICIENT_RESOURCES;
	check(prot_from_page(protect, &prot));
	write = (prot & (PROT_WRITE | PROT_COPY)) == PROT_WRITE;
	mutex_lock(&f->lock);
	status = use_begin(f, s, &size, write);
	used = !status || status == STATUS_DELETE_PENDING;
	mutex_unlock(&f->lock);
	if (!status)
		status = size_hold(f, s, size);
	if (!status)
		status = section_setup(&made, &backing_file, DIV_UP(size, PAGE_SIZE), attributes, protect, 0);
	if (status) {
		if (used)
			section_unref(s);
		return status;
	}
	made->data = s;
	made->file = f;
	made->bytes = size;
	*out = made;
	return STATUS_SUCCESS;
}

u32 section_extend(struct section *s, u64 *size)
{
	u32 prot, status;

	check(prot_from_page(s->protect, &prot));
	if (!s->data || (prot & (PROT_WRITE | PROT_COPY)) != PROT_WRITE)
		return STATUS_SECTION_NOT_EXTENDED;
	if (*size <= s->bytes) {
		*size = s->bytes;
		return STATUS_SUCCESS;
	}
	status = *size > FILE_SIZE_MAX ? STATUS_SECTION_TOO_BIG : size_hold(s->file, s->data, *size);
	if (status)
		return status;
	mutex_lock(&s->file->lock);
	s->bytes = MAX(s->bytes, *size);
	s->pages = DIV_UP(s->bytes, PAGE_SIZE);
	*size = s->bytes;
	mutex_unlock(&s->file->lock);
	return STATUS_SUCCESS;
}
