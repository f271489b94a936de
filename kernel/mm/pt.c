/*
 * A process's page tables, four levels. A table exists only under a view that overlaps the addresses that it maps, and is
 * charged to the address space. Tables for committed pages are made when the pages are committed, so that a fault finds them.
 */
#include "lib/string.h"
#include "mm/vspace.h"

#define TABLE_FLAGS (PTE_VALID | PTE_WRITE | PTE_USER)

static u32 shift_of(u32 level) { return PAGE_SHIFT + 9 * (level - 1); }
static u64 span_of(u32 level) { return 1ull << shift_of(level); } /* of one entry */
static u64 *table_of(u64 entry) { return phys_to_virt(entry & PTE_ADDRESS); }
static u32 index_of(u64 va, u32 level) { return va >> shift_of(level) & 511; }
/* How many entries of a table, whose first one is for base, are for addresses under end. */
static u64 entries_under(u64 base, u32 level, u64 end) { return MIN((end - base + span_of(level) - 1) >> shift_of(level), 512); }
static bool is_table(u64 entry) { return (entry & (PTE_VALID | PTE_LARGE)) == PTE_VALID; } /* else: nothing, or a large page */

/*
 * The first entry from i on, under count, that leads to another table; count: none does. Each table knows between which of its
 * entries these lie, so that what is empty beside them is not looked through: a sparse range costs hardly anything.
 */
static u64 next_table(const u64 *table, u64 i, u64 count)
{
	const struct frame *f = &frames[frame_of_address(table)];
	u64 high = MIN(count, f->entries.high);

	i = MAX(i, f->entries.low);
	while ((i = words_skip(table, i, high)) < high && !is_table(table[i]))
		i++;
	return i < high ? i : count;
}

static void entry_link(u64 *table, u64 i, u64 phys)
{
	struct frame *f = &frames[frame_of_address(table)];

	table[i] = phys | TABLE_FLAGS;
	f->entries.low = f->entries.high ? MIN(f->entries.low, i) : i;
	f->entries.high = MAX(f->entries.high, i + 1);
}

static void entry_unlink(u64 *table, u64 i)
{
	struct frame *f = &frames[frame_of_address(table)];

	table[i] = 0;
	if (i == f->entries.low)
		f->entries.low++;
	if (i + 1 == f->entries.high)
		f->entries.high--;
	if (f->entries.low >= f->entries.high)
		f->entries.low = f->entries.high = 0;
}

/* promised: for a page that was promised already, so that its table can't be refused. */
static u32 table_alloc(struct vspace *v, bool promised, u64 *phys)
{
	u32 pfn = v->spare_tables;

	if (pfn) {
		v->spare_tables = frames[pfn].next;
		frames[pfn].next = 0;
		*phys = (u64)pfn << PAGE_SHIFT;
		return STATUS_SUCCESS;
	}
	if (promised)
		commit_charge_always(COMMIT_TABLES, 1);
	else if (!commit_charge(COMMIT_TABLES, 1))
		return STATUS_COMMITMENT_LIMIT;
	pfn = frame_alloc(FRAME_FOR_USER, true);
	if (!pfn) {
		commit_release(COMMIT_TABLES, 1);
		return MM_WAIT_MEMORY;
	}
	frames[pfn].use = BS_USE_TABLE;
	__atomic_add_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	v->table_charge++;
	*phys = (u64)pfn << PAGE_SHIFT;
	return STATUS_SUCCESS;
}

/* What was unlinked, or unmapped, left zeros behind: it need not be filled with them for the next one. */
static void tables_free(struct vspace *v, u32 chain)
{
	u64 n = 0;

	for (; chain; n++) {
		u32 pfn = chain;

		chain = frames[pfn].next;
		frame_free_zeroed(pfn);
	}
	__atomic_sub_fetch(&frame_counts.kernel, n, __ATOMIC_RELAXED);
	v->table_charge -= n;
	commit_release(COMMIT_TABLES, n);
}

/* va's entry in its table of this level; NULL: there is no such table. */
static u64 *entry_find(struct vspace *v, u64 va, u32 level)
{
	u64 *table = phys_to_virt(v->pml4_phys);

	assert(va < USER_HIGH);
	for (u32 at = 4; at > level; at--) {
		u64 entry = table[index_of(va, at)];

		if (!is_table(entry))
			return NULL;
		table = table_of(entry);
	}
	return &table[index_of(va, level)];
}

static u32 entry_make(struct vspace *v, u64 va, u32 level, bool promised, u64 **out)
{
	u64 *table = phys_to_virt(v->pml4_phys);

	assert(mutex_held(&v->lock) && va < USER_HIGH);
	for (u32 at = 4; at > level; at--) {
		u64 *entry = &table[index_of(va, at)];

		assert(!(*entry & PTE_LARGE));
		if (!(*entry & PTE_VALID)) {
			u64 phys;
			u32 status = table_alloc(v, promised, &phys);

			if (status)
				return status;
			entry_link(table, index_of(va, at), phys);
		}
		table = table_of(*entry);
	}
	*out = &table[index_of(va, level)];
	return STATUS_SUCCESS;
}

word_t *pt_word_walk(struct vspace *v, u64 va)
{
	const u64 *table = phys_to_virt(v->pml4_phys);
	u64 entry;

	assert(mutex_held(&v->lock) && va < USER_HIGH);
	entry = table[index_of(va, 4)];
	if (is_table(entry))
		entry = table_of(entry)[index_of(va, 3)];
	if (is_table(entry))
		entry = table_of(entry)[index_of(va, 2)];
	if (!is_table(entry))
		return NULL;
	v->leaf_number = va / TABLE_SPAN;
	v->leaf = table_of(entry);
	return &v->leaf[index_of(va, 1)];
}

u32 pt_word_make(struct vspace *v, u64 va, bool promised, word_t **word) { return entry_make(v, va, 1, promised, word); }

word_t *pt_large(struct vspace *v, u64 va)
{
	u64 *entry = entry_find(v, va, 2);

	return entry && *entry & PTE_LARGE ? entry : NULL;
}

u32 pt_large_make(struct vspace *v, u64 va, word_t **entry) { return entry_make(v, va, 2, false, entry); }

u32 pt_make_range(struct vspace *v, u64 start, u64 end)
{
	for (u64 va = start; va < end; va = ALIGN_DOWN(va, TABLE_SPAN) + TABLE_SPAN) {
		word_t *word;
		u32 status = pt_word_make(v, va, false, &word);

		if (status)
			return status;
	}
	return STATUS_SUCCESS;
}

word_t *pt_next(struct vspace *v, u64 *va, u64 end, u64 *words)
{
	while (*va < end) {
		word_t *word = pt_word(v, *va);
		u64 *table = phys_to_virt(v->pml4_phys), base;
		u32 level;

		if (likely(word)) {
			*words = MIN(512 - index_of(*va, 1), (end - *va) >> PAGE_SHIFT);
			return word;
		}
		/* In the table that has nothing here, to the next entry that leads further. */
		for (level = 4; is_table(table[index_of(*va, level)]); level--)
			table = table_of(table[index_of(*va, level)]);
		base = ALIGN_DOWN(*va, span_of(level + 1));
		*va = base + next_table(table, index_of(*va, level) + 1, entries_under(base, level, end)) * span_of(level);
	}
	return NULL;
}

/*
 * Unlinks the tables below one entry that lie wholly in [low, high), where no view is, and touch [start, end). They are
 * chained through their frames: other CPUs may still walk them until the TLB flush.
 */
static u32 unlink_tables(u64 *table, u32 level, u64 base, u64 start, u64 end, u64 low, u64 high, u32 chain)
{
	u64 i = index_of(MAX(start, base), level), count = entries_under(base, level, end);

	for (; (i = next_table(table, i, count)) < count; i++) {
		u64 at = base + i * span_of(level);

		if (level > 2)
			chain = unlink_tables(table_of(table[i]), level - 1, at, start, end, low, high, chain);
		if (at >= low && at + span_of(level) <= high) {
			u32 pfn = (table[i] & PTE_ADDRESS) >> PAGE_SHIFT;

			entry_unlink(table, i);
			frames[pfn].next = chain;
			chain = pfn;
		}
	}
	return chain;
}

void pt_prune(struct vspace *v, u64 start, u64 end, u64 low, u64 high)
{
	u64 first = ALIGN_DOWN(start, TABLE_SPAN);
	u32 chain;

	assert(mutex_held(&v->lock) && high >= end && low <= start);
	/* Mostly a neighbour needs the only table. */
	if (first < low)
		first += TABLE_SPAN;
	if (first >= end || first + TABLE_SPAN > high)
		return;
	chain = unlink_tables(phys_to_virt(v->pml4_phys), 4, 0, start, end, low, high, 0);
	if (!chain)
		return;
	v->leaf_number = ~0ull; /* it may be one of these */
	tlb_flush_range(v, start, (end - start) >> PAGE_SHIFT);
	tables_free(v, chain);
}

void pt_end(struct vspace *v)
{
	assert(mutex_held(&v->lock) && !v->cpus);
	v->leaf_number = ~0ull;
	tables_free(v, unlink_tables(phys_to_virt(v->pml4_phys), 4, 0, 0, USER_HIGH, 0, 1ull << 47, 0));
}

/* Runs a step under v->lock, again after each wait for memory. */
static u32 with_memory(struct vspace *v, u32 (*step)(struct vspace *v))
{
	u32 status;

	do {
		mutex_lock(&v->lock);
		status = step(v);
		mutex_unlock(&v->lock);
	} while (memory_wait_again(v, &status));
	return status;
}

static u32 spare_make(struct vspace *v)
{
	u32 spares = v->spare_tables, status;
	u64 phys;

	v->spare_tables = 0;
	status = table_alloc(v, false, &phys);
	if (!status) {
		frames[phys >> PAGE_SHIFT].next = spares;
		spares = phys >> PAGE_SHIFT;
	}
	v->spare_tables = spares;
	return status;
}

u32 pt_spares_make(struct vspace *v, u64 tables)
{
	u32 status;

	do {
		status = STATUS_SUCCESS;
		mutex_lock(&v->lock);
		while (!status && v->table_charge < tables)
			status = spare_make(v);
		mutex_unlock(&v->lock);
	} while (memory_wait_again(v, &status));
	return status;
}

void pt_spares_free(struct vspace *v)
{
	mutex_lock(&v->lock);
	tables_free(v, v->spare_tables);
	v->spare_tables = 0;
	mutex_unlock(&v->lock);
}

static u32 top_make(struct vspace *v)
{
	u64 phys;
	u32 status = table_alloc(v, false, &phys);

	if (!status) {
		kernel_half_copy(phys_to_virt(phys));
		v->pml4_phys = phys;
		v->leaf_number = ~0ull;
	}
	return status;
}

bool pt_create(struct vspace *v)
{
	return !with_memory(v, top_make);
}

void pt_destroy(struct vspace *v)
{
	u32 top = v->pml4_phys >> PAGE_SHIFT;

	kernel_half_clear(phys_to_virt(v->pml4_phys));
	frames[top].next = 0; /* no chain, and no entries */
	tables_free(v, top);
	assert(!v->table_charge);
	v->pml4_phys = 0;
}
