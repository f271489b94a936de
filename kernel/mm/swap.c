/*
 * Paging files: a slot bitmap and a checksum for each slot in memory, nothing of it on the disk. A slot that could not be
 * written is retired; one that reads back something else than was written is an in-page error of that page alone.
 * With no paging file, or a full one, swap_slots_take says no: that is the only difference that it makes.
 */
#include "mm/swap.h"

#include "io/block.h"
#include "lib/bitmap.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/event.h"
#include "mm/kmap.h"
#include "mm/mm.h"
#include "options.h"

struct swap_file {
	struct block_device *device;
	struct spinlock lock;    /* the bitmap and the counts */
	struct bitmap slots;
	u32 *checksums;          /* one for each slot; owned by whoever owns the slot */
	u64 peak, bad;
	u64 write_requests, read_requests, pages_written, pages_read, errors;
};

/* Filled at start, one CPU's thread; afterwards only the contents change. */
static struct swap_file files[SWAP_FILES_MAX];
static u32 file_count;

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

/* A sum that notices lost, stale and misplaced pages: multiply and rotate over quadwords, seeded by nothing else. */
static u32 page_checksum(const u64 *page)
{
	u64 a = 0x9e3779b97f4a7c15ull, b = 0xc2b2ae3d27d4eb4full;

	for (u32 i = 0; i < PAGE_SIZE / 8; i += 2) {
		a = (a ^ page[i]) * 0xff51afd7ed558ccdull;
		b = (b ^ page[i + 1]) * 0xc4ceb9fe1a85ec53ull;
	}
	a ^= b ^ (b >> 29);
	return (u32)(a ^ a >> 32);
}

static bool swap_file_add(struct block_device *d)
{
	struct swap_file *f = &files[file_count];
	/* A checksum and a bit for each slot: what memory can't keep account of, a quarter of it, is not used. */
	u64 most = frames_available() / 4 * PAGE_SIZE / (sizeof(u32) * 8 + 1) * 8;
	u64 slots = MIN(d->sectors / SECTORS_PER_PAGE, most), *bits;

	if (file_count == SWAP_FILES_MAX || !slots || d->read_only)
		return false;
	bits = kmap_alloc(bitmap_words(slots) * sizeof(u64));
	f->checksums = bits ? kmap_alloc(slots * sizeof(u32)) : NULL;
	if (!f->checksums)
		return false;
	spin_init(&f->lock, "paging file", RANK_SWAP);
	bitmap_init(&f->slots, bits, slots);
	f->device = d;
	file_count++;
	commit_limit_add(slots);
	return true;
}

static void paging_file_open(void)
{
	struct block_device *d = NULL;

	if (!strcmp(options.swap, "none"))
		return;
	if (options.swap_ramdisk_size)
		d = ramdisk_create(frame_ramdisk_phys(), options.swap_ramdisk_size);
	else
		d = block_find(!strcmp(options.swap, "auto") ? "swap" : options.swap);
	if (!d) {
		if (strcmp(options.swap, "auto"))
			klog(LOG_WARNING, "swap=%s: there is no such disk; going on without a paging file", options.swap);
		return;
	}
	if (!swap_file_add(d))
		klog(LOG_WARNING, "swap=%s: the disk is empty, read-only, or too large for this memory; going on without a paging file",
		     options.swap);
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
	paging_file_open();
	boot_memory_settle();
}

void mm_options_describe_swap(char *text, size_t size)
{
	u64 at = 0;

	if (!file_count)
		strlcpy(text, "none", size);
	for (u32 i = 0; i < file_count && at < size; i++)
		at += ksnprintf(text + at, size - at, "%s%s %llu MiB", i ? ", " : "", files[i].device->name,
				(unsigned long long)files[i].slots.bits >> 8);
}

/* ---- slots ---- */

bool swap_slots_take(u32 want, u32 *file, u64 *slot, u32 *got)
{
	for (u32 i = 0; i < file_count; i++) {
		struct swap_file *f = &files[i];
		u64 n = 0;

		spin_lock(&f->lock);
		*slot = bitmap_take_run(&f->slots, want, &n);
		f->peak = MAX(f->peak, f->slots.used - f->bad);
		spin_unlock(&f->lock);
		if (*slot != BITMAP_NONE) {
			*file = i;
			*got = n;
			return true;
		}
	}
	return false;
}

void swap_slot_free(u32 file, u64 slot)
{
	struct swap_file *f = &files[file];

	spin_lock(&f->lock);
	bitmap_clear(&f->slots, slot);
	spin_unlock(&f->lock);
}

void swap_slot_bad(u32 file, u64 slot)
{
	struct swap_file *f = &files[file];

	assert(bitmap_test(&f->slots, slot));
	(void)slot;
	spin_lock(&f->lock);
	f->bad++;
	spin_unlock(&f->lock);
	commit_limit_remove(1);
	event(BS_EVENT_SLOT_BAD, .unit = (u8)file, .place = slot, .count = 1);
}

bool swap_slot_used(u32 file, u64 slot)
{
	return file < file_count && slot < files[file].slots.bits && bitmap_test(&files[file].slots, slot);
}

void swap_slot_drop(struct frame *f)
{
	if (word_kind(f->backing) != WORD_SWAP)
		return;
	swap_slot_free(word_swap_file(f->backing), word_swap_slot(f->backing));
	f->backing = word_zero(0);
}

u64 swap_slots_total(void)
{
	u64 n = 0;

	for (u32 i = 0; i < file_count; i++)
		n += files[i].slots.bits;
	return n;
}

u64 swap_slots_free(void)
{
	u64 n = 0;

	for (u32 i = 0; i < file_count; i++)
		n += files[i].slots.bits - files[i].slots.used;
	return n;
}

u64 swap_slots_in_use(void)
{
	u64 n = 0;

	for (u32 i = 0; i < file_count; i++)
		n += files[i].slots.used - files[i].bad;
	return n;
}

/* ---- transfers ---- */

static bool transfer(struct swap_file *f, bool write, u64 slot, const u32 *pfns, u32 count, struct block_request *r)
{
	memset(r, 0, sizeof(*r));
	r->sector = slot * SECTORS_PER_PAGE;
	r->write = write;
	r->piece_count = count;
	for (u32 i = 0; i < count; i++) {
		r->pieces[i].phys = (u64)pfns[i] << PAGE_SHIFT;
		r->pieces[i].bytes = PAGE_SIZE;
	}
	block_submit(f->device, r);
	if (block_wait(r))
		return true;
	__atomic_add_fetch(&f->errors, 1, __ATOMIC_RELAXED);
	klog(LOG_ERROR, "paging file %s: %s of %u pages at slot %llu failed", f->device->name, write ? "writing" : "reading",
	     count, (unsigned long long)slot);
	return false;
}

bool swap_write(u32 file, u64 slot, const u32 *pfns, u32 count)
{
	static struct block_request request; /* the writer's own: it must not depend on memory that only it can free */
	struct swap_file *f = &files[file];

	for (u32 i = 0; i < count; i++)
		f->checksums[slot + i] = page_checksum(frame_address(pfns[i]));
	event(BS_EVENT_WRITE, .unit = (u8)file, .place = slot, .count = count);
	f->write_requests++;
	f->pages_written += count;
	return transfer(f, true, slot, pfns, count, &request);
}

bool swap_read(u32 file, u64 slot, const u32 *pfns, u32 count, u64 *bad)
{
	struct swap_file *f = &files[file];
	struct block_request request;

	*bad = 0;
	event(BS_EVENT_READ, .process = event_process(), .unit = (u8)file, .place = slot, .count = count);
	__atomic_add_fetch(&f->read_requests, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&f->pages_read, count, __ATOMIC_RELAXED);
	if (!transfer(f, false, slot, pfns, count, &request))
		return false;
	for (u32 i = 0; i < count; i++)
		if (page_checksum(frame_address(pfns[i])) != f->checksums[slot + i]) {
			*bad |= 1ull << i;
			__atomic_add_fetch(&f->errors, 1, __ATOMIC_RELAXED);
			klog(LOG_ERROR, "paging file %s: slot %llu does not hold what was written there", f->device->name,
			     (unsigned long long)slot + i);
		}
	return true;
}

u32 swap_query(u64 number, struct bs_paging_file *out)
{
	struct swap_file *f = &files[number];

	if (number >= file_count)
		return STATUS_NO_MORE_ENTRIES;
	memset(out, 0, sizeof(*out));
	strlcpy(out->name, f->device->name, sizeof(out->name));
	out->pages = f->slots.bits;
	out->used = f->slots.used - f->bad;
	out->peak = f->peak;
	out->bad = f->bad;
	out->write_requests = f->write_requests;
	out->read_requests = f->read_requests;
	out->pages_written = f->pages_written;
	out->pages_read = f->pages_read;
	out->errors = f->errors;
	return STATUS_SUCCESS;
}
