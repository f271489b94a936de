/*
 * Sections: memory that views show. The prototype words say where each page is; they stand in tables of 512 words with as
 * many levels as the size wants, made where a page is first touched, so that a section of 1 TiB costs what one of 64 KiB does.
 */
#include "lib/string.h"
#include "mm/file_cache.h"
#include "mm/pool.h"
#include "mm/swap.h"
#include "mm/vspace.h"

struct mutex sections_lock;
struct list all_sections = LIST_INIT(all_sections);

#define TABLE_WORDS 512

static void section_destroy(struct object *o);

HOT_CONST const struct object_type section_type = {
	.name = "section",
	.generic_read = SECTION_QUERY | SECTION_MAP_READ | 0x20000,
	.generic_write = SECTION_MAP_WRITE | 0x20000,
	.generic_execute = SECTION_MAP_EXECUTE | 0x20000,
	.all_access = 0xf001f,
	.destroy = section_destroy,
};

/* ---- the tables of prototype words ---- */

static u32 levels_for(u64 pages)
{
	u32 levels = 1;

	while (levels < 6 && pages > 1ull << (9 * levels))
		levels++;
	return levels;
}

/* How many tables all levels have together when every page was touched. */
static u64 tables_for(u64 pages)
{
	u64 n = 0;

	do {
		pages = DIV_UP(pages, TABLE_WORDS);
		n += pages;
	} while (pages > 1);
	return n;
}

/* Who holds s->charge: what says where a file's pages are is the kernel's own, like the file. */
static enum commit_owner charge_owner(const struct section *s)
{
	return s->backing == &backing_file ? COMMIT_KERNEL : COMMIT_SECTION;
}

static u32 table_make(struct section *s, u64 *entry)
{
	u32 pfn;

	/* A file's pages are promised by the file: what says where they are is charged, and never refused. */
	if (s->backing == &backing_file)
		commit_charge_always(charge_owner(s), 1);
	else if (!s->tables_charged && !commit_charge(COMMIT_SECTION, 1))
		return STATUS_COMMITMENT_LIMIT;
	s->charge += !s->tables_charged;
	pfn = frame_alloc(FRAME_FOR_USER, true);
	if (!pfn) {
		if (!s->tables_charged) {
			s->charge--;
			commit_release(charge_owner(s), 1);
		}
		return MM_WAIT_MEMORY;
	}
	frames[pfn].use = BS_USE_TABLE;
	__atomic_add_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	*entry = (u64)frame_address(pfn);
	return STATUS_SUCCESS;
}

static u32 index_at(u64 index, u32 level)
{
	return index >> (9 * (level - 1)) & (TABLE_WORDS - 1);
}

/* As many words as there is room for with this many levels. */
static u64 pages_max(const struct section *s)
{
	return 1ull << (9 * s->levels);
}

word_t *section_word(struct section *s, u64 index)
{
	u64 *table = index < pages_max(s) ? s->root : NULL;

	assert(mutex_held(&s->lock) && index < s->pages);
	for (u32 level = s->levels; table && level > 1; level--)
		table = (u64 *)table[index_at(index, level)];
	return table ? &table[index_at(index, 1)] : NULL;
}

u64 section_next(struct section *s, u64 index)
{
	while (s->root && index < MIN(s->pages, pages_max(s))) {
		u64 *table = s->root, span, i;
		u32 level = s->levels;

		for (; level > 1 && table[index_at(index, level)]; level--)
			table = (u64 *)table[index_at(index, level)];
		if (level == 1)
			return index;
		/* On, in the table that has nothing here, to the next entry that leads further. */
		span = 1ull << (9 * (level - 1));
		i = words_skip(table, index_at(index, level), TABLE_WORDS);
		index = ALIGN_DOWN(index, span) + (i - index_at(index, level)) * span;
	}
	return s->pages;
}

/* A file has grown: one more level, with what there was below its first entry. */
static u32 level_add(struct section *s)
{
	u64 root = (u64)s->root;
	u32 status = STATUS_SUCCESS;

	if (root) {
		status = table_make(s, (u64 *)&s->root);
		if (status)
			s->root = (u64 *)root;
		else
			s->root[0] = root;
	}
	if (!status)
		s->levels++;
	return status;
}

/* Makes what is missing of the tables above the word. */
static u32 word_make_missing(struct section *s, u64 index, word_t **word)
{
	u64 *entry = (u64 *)&s->root;

	while (index >= pages_max(s)) {
		u32 status = level_add(s);

		if (status)
			return status;
	}

	for (u32 level = s->levels;; level--) {
		if (!*entry) {
			u32 status = table_make(s, entry);

			if (status)
				return status;
			if (level == 1 && s->backing == &backing_file)
				file_table_note(s, (word_t *)*entry, index / TABLE_WORDS);
		}
		entry = &((u64 *)*entry)[index_at(index, level)];
		if (level == 1)
			break;
	}
	*word = entry;
	return STATUS_SUCCESS;
}

u32 section_word_make(struct section *s, u64 index, word_t **word)
{
	u32 status = STATUS_SUCCESS;

	*word = section_word(s, index);
	if (unlikely(!*word))
		status = word_make_missing(s, index, word);
	if (!status && !**word)
		**word = s->backing->initial(s, index);
	return status;
}

u32 section_commit(struct section *s, u64 first, u64 count)
{
	u64 wanted = 0;
	word_t *word;
	u32 status;

	for (u64 i = first; i < first + count; i++) {
		word = section_word(s, i);
		wanted += !word || !*word;
	}
	if (!commit_charge(COMMIT_SECTION, wanted))
		return STATUS_COMMITMENT_LIMIT;
	for (u64 i = first; i < first + count; i++) {
		status = section_word_make(s, i, &word);
		if (status) {
			commit_release(COMMIT_SECTION, wanted);
			return status;
		}
	}
	s->charge += wanted;
	for (u64 i = first; i < first + count; i++) {
		word = section_word(s, i);
		if (!*word)
			*word = word_zero(0);
	}
	return STATUS_SUCCESS;
}

u32 section_commit_range(struct section *s, u64 first, u64 count)
{
	u32 status;

	if (!commit_possible(count))
		return STATUS_COMMITMENT_LIMIT;
	do {
		mutex_lock(&s->lock);
		status = section_commit(s, first, count);
		mutex_unlock(&s->lock);
	} while (memory_wait_again(NULL, &status));
	return status;
}

u64 section_committed(struct section *s, u64 first, u64 count)
{
	u64 end = first + count, n = 0;

	if (!(s->attributes & SEC_RESERVE))
		return count;
	mutex_lock(&s->lock);
	while ((first = section_next(s, first)) < end) {
		const word_t *words = section_word(s, first);
		u64 in_table = MIN(TABLE_WORDS - (first & (TABLE_WORDS - 1)), end - first);

		for (u64 i = 0; (i = words_skip(words, i, in_table)) < in_table; i++)
			n++;
		first += in_table;
	}
	mutex_unlock(&s->lock);
	return n;
}

static void each_table(struct section *s, u64 *table, u32 level, u64 first,
		       void (*f)(struct section *, u64, word_t *, u64, void *), void *arg)
{
	if (!table)
		return;
	if (level == 1) {
		f(s, first, table, MIN(TABLE_WORDS, s->pages - first), arg);
		return;
	}
	for (u64 i = 0; (i = words_skip(table, i, TABLE_WORDS)) < TABLE_WORDS; i++)
		each_table(s, (u64 *)table[i], level - 1, first + (i << (9 * (level - 1))), f, arg);
}

void section_for_each_table(struct section *s, void (*f)(struct section *, u64, word_t *, u64, void *), void *arg)
{
	each_table(s, s->root, s->levels, 0, f, arg);
}

/* No page is left, so all words are 0. */
static void tables_free(struct section *s, u64 *table, u32 level)
{
	if (!table)
		return;
	for (u64 i = 0; level > 1 && (i = words_skip(table, i, TABLE_WORDS)) < TABLE_WORDS; i++) {
		tables_free(s, (u64 *)table[i], level - 1);
		table[i] = 0;
	}
	frame_free_zeroed(frame_of_address(table));
	__atomic_sub_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
}

/* ---- lifetime ---- */

u32 section_check(u32 attributes, u32 protect)
{
	const u32 kinds = SEC_COMMIT | SEC_RESERVE | SEC_IMAGE, both_cachings = SEC_NOCACHE | SEC_WRITECOMBINE;
	u32 kind = attributes & kinds;

	if (attributes & ~(kinds | both_cachings | SEC_LARGE_PAGES | SEC_NO_CHANGE))
		return STATUS_INVALID_PARAMETER_6;
	/* One of the three; an image says the rest itself. */
	if (!kind || kind & (kind - 1) || (kind == SEC_IMAGE && attributes != kind))
		return STATUS_INVALID_PARAMETER_6;
	if ((attributes & both_cachings) == both_cachings)
		return STATUS_INVALID_PARAMETER_6;
	if (attributes & SEC_LARGE_PAGES && attributes != (SEC_COMMIT | SEC_LARGE_PAGES))
		return STATUS_INVALID_PARAMETER_6;
	switch (protect) {
	case PAGE_READONLY:
	case PAGE_READWRITE:
	case PAGE_WRITECOPY:
	case PAGE_EXECUTE:
	case PAGE_EXECUTE_READ:
	case PAGE_EXECUTE_READWRITE:
	case PAGE_EXECUTE_WRITECOPY:
		return STATUS_SUCCESS;
	default:
		return STATUS_INVALID_PAGE_PROTECTION;
	}
}

u32 section_caching(const struct section *s)
{
	return s->attributes & SEC_NOCACHE ? PROT_NOCACHE : s->attributes & SEC_WRITECOMBINE ? PROT_WRITECOMBINE : 0;
}

u32 section_setup(struct section **out, const struct backing *b, u64 pages, u32 attributes, u32 protect, u64 charge)
{
	/* Large pages have no words; those of a file come and go with its pages. */
	bool tables_charged = !(attributes & (SEC_RESERVE | SEC_LARGE_PAGES)) && b != &backing_file, charged;
	struct section *s;

	if (tables_charged)
		charge += tables_for(pages);
	s = kzalloc(sizeof(*s));
	if (!s)
		return STATUS_INSUFFICIENT_RESOURCES;
	object_setup(&s->object, &section_type);
	mutex_init(&s->lock, "section", b == &backing_file ? RANK_FILE_SECTION : RANK_SECTION);
	s->backing = b;
	s->pages = pages;
	s->attributes = attributes;
	s->protect = protect;
	s->charge = charge;
	s->tables_charged = tables_charged;
	s->levels = levels_for(pages);
	mutex_lock(&sections_lock);
	charged = commit_charge(COMMIT_SECTION, charge);
	if (charged)
		list_push_back(&all_sections, &s->all_link);
	mutex_unlock(&sections_lock);
	if (!charged) {
		kfree(s);
		return STATUS_COMMITMENT_LIMIT;
	}
	*out = s;
	return STATUS_SUCCESS;
}

/* No view is left: each page is in memory unmapped, on a paging file, or nowhere. */
static void pages_give_up(struct section *s, u64 first, word_t *words, u64 count, void *arg)
{
	(void)s;
	(void)first;
	(void)arg;
	for (u64 i = 0; (i = words_skip(words, i, count)) < count; i++) {
		u32 pfn = 0;
		word_t w;

		spin_lock(&frames_lock);
		w = words[i];
		words[i] = 0;
		check(!word_valid(w));
		if (word_kind(w) == WORD_TRANSITION && frame_give_up(word_pfn(w)))
			pfn = word_pfn(w);
		spin_unlock(&frames_lock);
		if (word_kind(w) == WORD_SWAP)
			swap_slot_free(word_swap_file(w), word_swap_slot(w));
		if (pfn)
			frame_free(pfn);
	}
}

void section_free(struct section *s)
{
	mutex_lock(&sections_lock);
	mutex_lock(&s->lock);
	section_for_each_table(s, pages_give_up, NULL);
	tables_free(s, s->root, s->levels);
	large_run_free(s->large);
	list_remove(&s->all_link);
	commit_release(charge_owner(s), s->charge);
	mutex_unlock(&s->lock);
	mutex_unlock(&sections_lock);
	if (s->backing->destroy)
		s->backing->destroy(s);
	kfree(s);
}

static void section_destroy(struct object *o)
{
	section_free(container_of(o, struct section, object));
}

void section_ref(struct section *s) { object_ref(&s->object); }

/* A file's own section stays with the file; whoever sees that nobody uses it may free it at once. */
void section_unref(struct section *s)
{
	if (s->backing == &backing_file && !s->data && unlikely(__atomic_load_n(&volumes_left, __ATOMIC_RELAXED)))
		file_section_leave(s);
	else if (s->backing == &backing_file && !s->data)
		__atomic_sub_fetch(&s->object.refs, 1, __ATOMIC_SEQ_CST);
	else
		object_unref(&s->object);
}

u64 section_size(const struct section *s) { return s->data ? s->bytes : s->pages << PAGE_SHIFT; }
u32 section_attributes(const struct section *s) { return s->attributes; }
struct file *section_file(const struct section *s) { return s->file; }
