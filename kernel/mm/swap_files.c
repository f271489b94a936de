/* The table of paging files: those of option swap, and adding and removing while the system runs. */
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/kmap.h"
#include "mm/mm.h"
#include "mm/reclaim.h"
#include "mm/swap_file.h"
#include "options.h"
#include "proc/sched.h"

/* Fewer slots while the system runs would cost more memory, for tables, than they are worth. */
#define SLOTS_MIN 16
/* What the page tables for the tables of one file take, at most. */
#define KMAP_TABLES 4

struct mutex swap_files_lock = MUTEX_INIT(swap_files_lock, "paging files", RANK_SWAP_LIST);

/* ---- opening ---- */

/* Bytes of bitmaps and checksums. */
static u64 tables_size(u64 slots)
{
	return 2 * bitmap_words(slots) * sizeof(u64) + slots * sizeof(u32);
}

/* What memory can't keep account of, with a quarter of what is available, is not used. */
static u64 slots_most(void)
{
	return frames_available() / 4 * PAGE_SIZE / (2 * sizeof(u64) + 64 * sizeof(u32)) * 64;
}

/* Takes a number. NULL: there is none. */
static struct swap_file *number_take(void)
{
	struct swap_file *f = swap_files, *end = swap_files + BS_PAGING_FILES_MAX;

	mutex_lock(&swap_files_lock);
	while (f < end && f->state != SWAP_CLOSED)
		f++;
	if (f < end)
		f->state = SWAP_OPENING;
	mutex_unlock(&swap_files_lock);
	return f < end ? f : NULL;
}

/* The lowest that was not given. */
static i64 priority_lowest(void)
{
	i64 lowest = 0;

	assert(mutex_held(&swap_files_lock));
	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++)
		if (swap_files[i].state >= SWAP_OPEN)
			lowest = MIN(lowest, swap_files[i].priority);
	return lowest;
}

static void open(struct swap_file *f, struct block_device *d, u64 slots, i64 priority, u64 *tables)
{
	u64 words = bitmap_words(slots);

	mutex_lock(&swap_files_lock);
	spin_lock(&f->lock);
	f->device = d;
	f->priority = priority == BS_PRIORITY_NONE ? priority_lowest() - 1 : priority;
	f->tables = tables;
	bitmap_init(&f->slots, tables, slots);
	bitmap_init(&f->retired, tables + words, slots);
	f->checksums = (u32 *)(tables + 2 * words);
	f->retired_idle = f->peak = f->turn = 0;
	f->transfers = (struct swap_transfers){ 0 };
	f->failures = 0;
	f->state = SWAP_OPEN;
	commit_limit_add(slots);
	spin_unlock(&f->lock);
	mutex_unlock(&swap_files_lock);
}

/* d is the caller's, claimed. slots_min: with fewer it is refused. */
static u32 swap_file_open(struct block_device *d, u64 size, i64 priority, u64 slots_min)
{
	u64 slots = MIN((size ? size / SECTOR_SIZE : d->sectors) / SECTORS_PER_PAGE, slots_most()), cost;
	struct swap_file *f;
	u64 *tables;

	if (size / SECTOR_SIZE > d->sectors || slots < slots_min)
		return STATUS_INVALID_PARAMETER_2;
	if (d->read_only)
		return STATUS_MEDIA_WRITE_PROTECTED;
	f = number_take();
	if (!f)
		return STATUS_INSUFFICIENT_RESOURCES;
	/* The tables are worth it: what they take must not be what the limit lacks, when it is to be raised. */
	cost = slots >= SLOTS_MIN ? DIV_UP(tables_size(slots), PAGE_SIZE) + KMAP_TABLES : 0;
	commit_limit_add(cost);
	tables = kmap_alloc(tables_size(slots));
	if (tables)
		open(f, d, slots, priority, tables);
	else
		f->state = SWAP_CLOSED;
	commit_limit_remove(cost);
	return tables ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* A disk that was found by its name. */
static u32 disk_open(struct block_device *d, u64 size, i64 priority, u64 slots_min)
{
	u32 status;

	if (!block_claim(d))
		return STATUS_SHARING_VIOLATION;
	status = swap_file_open(d, size, priority, slots_min);
	if (status)
		block_release(d);
	return status;
}

static bool name_in_use(const char *name)
{
	bool found = false;

	mutex_lock(&swap_files_lock);
	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++)
		found |= swap_files[i].state >= SWAP_OPEN && !strcmp(swap_files[i].device->name, name);
	mutex_unlock(&swap_files_lock);
	return found;
}

u32 swap_file_add(const char *name, u64 size, i64 priority)
{
	struct block_device *d;
	u32 status;

	if (priority < BS_PRIORITY_NONE || priority > BS_PRIORITY_MAX)
		return STATUS_INVALID_PARAMETER_3;
	size = ALIGN_DOWN(size, PAGE_SIZE) + (size && size < PAGE_SIZE); /* too small is not "all of it" */
	if (!strcmp(name, "ramdisk")) {
		if (size / PAGE_SIZE < SLOTS_MIN)
			return STATUS_INVALID_PARAMETER_2;
		status = swap_ramdisk_make(size, &d);
		if (status)
			return status;
		status = swap_file_open(d, size, priority, SLOTS_MIN);
		if (status)
			swap_ramdisk_free(d);
		return status;
	}
	d = block_find(name);
	if (d) {
		status = disk_open(d, size, priority, SLOTS_MIN);
		block_unref(d);
		return status;
	}
	return name_in_use(name) ? STATUS_SHARING_VIOLATION : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- removing ---- */

/* Frames that could take pages, and slots of the other files. */
static u64 room_elsewhere(void)
{
	u64 available = frames_available();

	return (available > frame_counts.low ? available - frame_counts.low : 0) + swap_slots_free();
}

/* It is a paging file as before. */
static void reopen(struct swap_file *f, struct bs_paging_file_removal *out)
{
	assert(mutex_held(&swap_files_lock));
	spin_lock(&f->lock);
	f->state = SWAP_OPEN;
	commit_limit_add(swap_file_good(f));
	out->left = swap_file_in_use(f);
	spin_unlock(&f->lock);
}

/*
 * f gives out no more slots, and its slots leave the commit limit. What is promised must fit without them; under overcommit,
 * where the limit says nothing, what is there must. On an error f is as it was.
 */
static u32 removal_begin(struct swap_file *f, struct bs_paging_file_removal *out)
{
	const struct commit_totals *t = &commit_totals;
	bool fits;

	assert(mutex_held(&swap_files_lock));
	if (f->state != SWAP_OPEN)
		return STATUS_SHARING_VIOLATION;
	spin_lock(&f->lock);
	f->state = SWAP_REMOVING;
	out->commit_limit = t->limit - swap_file_good(f);
	commit_limit_remove(swap_file_good(f));
	out->pages = out->left = swap_file_in_use(f);
	spin_unlock(&f->lock);
	out->commit_charge = t->charge; /* from now on nobody gets more than fits */
	out->room = room_elsewhere();
	fits = t->overcommit ? out->pages <= out->room : out->commit_charge <= out->commit_limit;
	if (fits)
		return STATUS_SUCCESS;
	reopen(f, out);
	return t->overcommit ? STATUS_INSUFFICIENT_RESOURCES : STATUS_COMMITMENT_LIMIT;
}

/* No slot is in use. */
static void removal_end(struct swap_file *f, struct bs_paging_file_removal *out)
{
	struct block_device *d = f->device;
	void *tables = f->tables;

	mutex_lock(&swap_files_lock);
	spin_lock(&f->lock);
	assert(!swap_file_in_use(f));
	swap_transfers_gone.write_requests += f->transfers.write_requests;
	swap_transfers_gone.read_requests += f->transfers.read_requests;
	swap_transfers_gone.errors += f->transfers.errors;
	f->state = SWAP_CLOSED;
	f->device = NULL;
	f->tables = NULL;
	spin_unlock(&f->lock);
	mutex_unlock(&swap_files_lock);
	out->left = 0;
	out->room = room_elsewhere();
	kmap_free(tables);
	if (ramdisk_is_of_frames(d))
		swap_ramdisk_free(d);
	else
		block_release(d);
}

static struct swap_file *file_find(const char *name, u64 number)
{
	assert(mutex_held(&swap_files_lock));
	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++)
		if (swap_files[i].state >= SWAP_OPEN && (name ? !strcmp(swap_files[i].device->name, name) : i == number))
			return &swap_files[i];
	return NULL;
}

u32 swap_file_remove(const char *name, u64 number, struct bs_paging_file_removal *out)
{
	struct swap_file *f;
	u32 status;

	memset(out, 0, sizeof(*out));
	mutex_lock(&swap_files_lock);
	f = file_find(name, number);
	status = f ? removal_begin(f, out) : STATUS_OBJECT_NAME_NOT_FOUND;
	mutex_unlock(&swap_files_lock);
	if (status)
		return status;
	status = swap_file_empty(f - swap_files, &out->unreadable);
	if (!status) {
		removal_end(f, out);
		return STATUS_SUCCESS;
	}
	mutex_lock(&swap_files_lock);
	reopen(f, out);
	mutex_unlock(&swap_files_lock);
	out->room = room_elsewhere();
	return status;
}

/* ---- start ---- */

static void entry_open(u32 index, const char *name, bool may_lack)
{
	const struct swap_entry *e = &options.swap[index];
	struct block_device *d;
	u32 status;

	d = e->size ? ramdisk_create(frame_ramdisk_phys(index), e->size) : block_find(name);
	if (!d) {
		if (!may_lack)
			klog(LOG_WARNING, "swap=%s: there is no such disk; going on without it", name);
		return;
	}
	status = disk_open(d, 0, e->priority, 1);
	if (status == STATUS_SHARING_VIOLATION)
		klog(LOG_WARNING, "swap=%s: the disk %s is in use already; going on without it", name, d->name);
	else if (status)
		klog(LOG_WARNING, "swap=%s: the disk is empty, read-only, or too large for this memory; going on without it",
		     name);
	block_unref(d);
}

/* Every disk with the serial number "swap", "swap1", "swap2", ... */
static void auto_open(u32 index)
{
	char name[8] = "swap";

	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++) {
		if (i)
			ksnprintf(name, sizeof(name), "swap%u", i);
		entry_open(index, name, true);
	}
}

/*
 * A paging file needs a disk, that needs a driver, and both need tables: kernel memory, which is charged. So that a small
 * paging file does not leave less to programs than none, the same number of pages is set aside for the kernel's memory
 * at boot in any case, and what it has not taken of them is taken off the limit: the room under the limit is then the same.
 */
static void boot_memory_settle(void)
{
	u64 aside = 80 + 12 * cpu_count, taken = commit_totals.by_owner[COMMIT_KERNEL];

	if (taken < aside)
		commit_limit_remove(aside - taken);
}

void swap_init(void)
{
	for (u32 i = 0; i < options.swap_count; i++)
		if (options.swap[i].kind == SWAP_ENTRY_AUTO)
			auto_open(i);
		else if (options.swap[i].kind != SWAP_ENTRY_NONE)
			entry_open(i, options.swap[i].name, false);
	boot_memory_settle();
}

void mm_options_describe_swap(char *text, size_t size)
{
	struct bs_paging_file f;
	size_t at = 0;

	strlcpy(text, "none", size);
	for (u64 i = 0; at < size && !swap_query(i, &f); i++)
		at += ksnprintf(text + at, size - at, f.physical ? "%s%s %llu MiB at %#llx" : "%s%s %llu MiB", i ? ", " : "",
				f.name, (unsigned long long)f.pages >> 8, (unsigned long long)f.physical);
}
