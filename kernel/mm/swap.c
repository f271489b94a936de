/*
 * Paging files: a bitmap of slots, one of those that failed, and a checksum for each slot, in memory; nothing of it on the
 * disk. A slot that could not be read or written, or that holds something else than was written there, is retired: when
 * its page has left it, it is not used again. With no paging file, or full ones, swap_slots_take says no: that is the only
 * difference that it makes.
 */
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/event.h"
#include "mm/mm.h"
#include "mm/swap_file.h"

struct swap_file swap_files[BS_PAGING_FILES_MAX] = {
	[0 ... BS_PAGING_FILES_MAX - 1] = { .lock = SPINLOCK_INIT("paging file", RANK_SWAP) },
};

/* ---- slots ---- */

/* So many writes failed in a row that others come first, whatever the priority: nothing is lost by that, and time is won. */
#define FAILURES_PATIENCE 8

/* Does a come before b? */
static bool comes_before(const struct swap_file *a, const struct swap_file *b)
{
	bool fails = a->failures >= FAILURES_PATIENCE;

	if (fails != (b->failures >= FAILURES_PATIENCE))
		return !fails;
	return a->priority > b->priority || (a->priority == b->priority && a->turn < b->turn);
}

/* The next to give out slots, of those that are not tried yet: looked at without locks. */
static struct swap_file *file_choose(u32 tried)
{
	struct swap_file *best = NULL;

	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++) {
		struct swap_file *f = &swap_files[i];

		if (f->state != SWAP_OPEN || tried & 1u << i || f->slots.used == f->slots.bits)
			continue;
		if (!best || comes_before(f, best))
			best = f;
	}
	return best;
}

bool swap_slots_take(u32 want, u32 *file, u64 *slot, u32 *got)
{
	static u64 turns;
	struct swap_file *f;
	u32 tried = 0;

	while ((f = file_choose(tried))) {
		u64 n = 0;

		spin_lock(&f->lock);
		*slot = f->state == SWAP_OPEN ? bitmap_take_run(&f->slots, want, &n) : BITMAP_NONE;
		f->peak = MAX(f->peak, swap_file_in_use(f));
		f->turn = __atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
		spin_unlock(&f->lock);
		*file = f - swap_files;
		*got = n;
		if (*slot != BITMAP_NONE)
			return true;
		tried |= 1u << *file;
	}
	return false;
}

void swap_slot_free(u32 file, u64 slot)
{
	struct swap_file *f = &swap_files[file];

	spin_lock(&f->lock);
	if (bitmap_test(&f->retired, slot))
		f->retired_idle++;
	else
		bitmap_clear(&f->slots, slot);
	spin_unlock(&f->lock);
}

void swap_slot_retire(u32 file, u64 slot)
{
	struct swap_file *f = &swap_files[file];

	spin_lock(&f->lock);
	assert(bitmap_test(&f->slots, slot));
	if (!bitmap_test(&f->retired, slot)) {
		bitmap_set(&f->retired, slot);
		event(BS_EVENT_SLOT_BAD, .unit = (u8)file, .place = slot, .count = 1);
		if (f->state == SWAP_OPEN) /* else the limit does not count it any more */
			commit_limit_remove(1);
	}
	spin_unlock(&f->lock);
}

bool swap_slot_used(u32 file, u64 slot)
{
	struct swap_file *f = &swap_files[file];
	bool used;

	if (file >= BS_PAGING_FILES_MAX)
		return false;
	spin_lock(&f->lock);
	used = f->state >= SWAP_OPEN && slot < f->slots.bits && bitmap_test(&f->slots, slot);
	spin_unlock(&f->lock);
	return used;
}

bool swap_slot_keeps(u32 file, u64 slot)
{
	struct swap_file *f = &swap_files[file];
	bool keeps;

	spin_lock(&f->lock);
	keeps = f->state == SWAP_OPEN && !bitmap_test(&f->retired, slot);
	spin_unlock(&f->lock);
	return keeps;
}

void swap_slot_drop(struct frame *f)
{
	if (word_kind(f->backing) != WORD_SWAP)
		return;
	swap_slot_free(word_swap_file(f->backing), word_swap_slot(f->backing));
	f->backing = word_zero(0);
}

/* The sum over all files in these states. */
static u64 sum(enum swap_state first, enum swap_state last, u64 (*of)(const struct swap_file *f))
{
	u64 n = 0;

	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++)
		if (swap_files[i].state >= first && swap_files[i].state <= last)
			n += of(&swap_files[i]);
	return n;
}

static u64 slots_free(const struct swap_file *f) { return f->slots.bits - f->slots.used; }

u64 swap_slots_total(void) { return sum(SWAP_OPEN, SWAP_OPEN, swap_file_good); }
u64 swap_slots_free(void) { return sum(SWAP_OPEN, SWAP_OPEN, slots_free); }
u64 swap_slots_in_use(void) { return sum(SWAP_OPEN, SWAP_REMOVING, swap_file_in_use); }

static u64 bits_count(const struct bitmap *b)
{
	u64 n = 0;

	for (u64 i = 0; i < bitmap_words(b->bits); i++)
		n += bits_set(b->words[i]);
	return n;
}

u64 swap_files_check(void)
{
	u64 errors = 0;

	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++) {
		struct swap_file *f = &swap_files[i];
		u64 used = 0, retired = 0, not_used = 0;
		bool wrong = false;

		spin_lock(&f->lock);
		if (f->state >= SWAP_OPEN) {
			used = bits_count(&f->slots);
			retired = bits_count(&f->retired);
			for (u64 w = 0; w < bitmap_words(f->slots.bits); w++)
				not_used |= f->retired.words[w] & ~f->slots.words[w];
			wrong = used != f->slots.used || retired != f->retired.used || f->retired_idle > retired || not_used;
		}
		spin_unlock(&f->lock);
		if (wrong)
			kprintf("mm_check: paging file %u: %llu slots taken, %llu counted; %llu retired, %llu counted\n", i,
				(unsigned long long)used, (unsigned long long)f->slots.used, (unsigned long long)retired,
				(unsigned long long)f->retired.used);
		errors += wrong;
	}
	return errors;
}

/* ---- transfers ---- */

/*
 * A sum that notices lost, stale and misplaced contents: a multiplication for each quadword, so that it counts where that
 * stands. Four lanes do not wait for each other, and there is no loop around each few words: of what a page costs on its way
 * out and in, this is the largest part.
 */
#define SUM_FACTOR 0xff51afd7ed558ccdull
#define SUM_STEP(i)                                                                                                    \
	a = (a ^ p[i]) * SUM_FACTOR, b = (b ^ p[(i) + 1]) * SUM_FACTOR, c = (c ^ p[(i) + 2]) * SUM_FACTOR,             \
	d = (d ^ p[(i) + 3]) * SUM_FACTOR

static u32 page_checksum(const u64 *p)
{
	u64 a = 0x9e3779b97f4a7c15ull, b = 0xc2b2ae3d27d4eb4full, c = 0x165667b19e3779f9ull, d = 0x27d4eb2f165667c5ull;

	for (const u64 *end = p + PAGE_SIZE / 8; p != end; p += 32) {
		SUM_STEP(0), SUM_STEP(4), SUM_STEP(8), SUM_STEP(12);
		SUM_STEP(16), SUM_STEP(20), SUM_STEP(24), SUM_STEP(28);
	}
	a = ((a * SUM_FACTOR ^ b) * SUM_FACTOR ^ c) * SUM_FACTOR ^ d;
	return (u32)(a ^ a >> 32);
}

static void count(u64 *counter, u64 n)
{
	__atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

/* A line for the first error, the second, the fourth, ...: a dying disk would fill the console with them. */
static void error_note(struct swap_file *f, const char *what, u64 slot)
{
	u64 n = __atomic_add_fetch(&f->transfers.errors, 1, __ATOMIC_RELAXED);

	if (!(n & (n - 1)))
		klog(LOG_ERROR, "paging file %s: slot %llu %s (%llu error%s so far)", f->device->name, (unsigned long long)slot,
		     what, (unsigned long long)n, n == 1 ? "" : "s");
}

static void begin(struct swap_file *f, bool write, u64 slot, const u32 *pfns, u32 n, struct block_request *r,
		  void (*complete)(struct block_request *))
{
	r->sector = slot * SECTORS_PER_PAGE;
	r->write = write;
	r->complete = complete;
	r->piece_count = n;
	for (u32 i = 0; i < n; i++) {
		r->pieces[i].phys = (u64)pfns[i] << PAGE_SHIFT;
		r->pieces[i].bytes = PAGE_SIZE;
	}
	block_submit(f->device, r);
}

void swap_write_begin(u32 file, u64 slot, const u32 *pfns, u32 n, struct block_request *r)
{
	struct swap_file *f = &swap_files[file];

	for (u32 i = 0; i < n; i++)
		f->checksums[slot + i] = page_checksum(frame_address(pfns[i]));
	event(BS_EVENT_WRITE, .unit = (u8)file, .place = slot, .count = n);
	count(&f->transfers.write_requests, 1);
	count(&f->transfers.pages_written, n);
	begin(f, true, slot, pfns, n, r, NULL);
}

bool swap_write_end(u32 file, u64 slot, struct block_request *r)
{
	struct swap_file *f = &swap_files[file];
	bool ok;

	block_poll(r);
	ok = block_wait(r);

	f->failures = ok ? 0 : f->failures + 1; /* one writer */
	if (!ok)
		error_note(f, "could not be written", slot);
	return ok;
}

void swap_read_begin(u32 file, u64 slot, const u32 *pfns, u32 n, struct block_request *r,
		     void (*complete)(struct block_request *))
{
	struct swap_file *f = &swap_files[file];

	event(BS_EVENT_READ, .process = event_process(), .unit = (u8)file, .place = slot, .count = n);
	count(&f->transfers.read_requests, 1);
	count(&f->transfers.pages_read, n);
	begin(f, false, slot, pfns, n, r, complete);
}

u64 swap_read_wrong(u32 file, u64 slot, const u32 *pfns, u32 n)
{
	const struct swap_file *f = &swap_files[file];
	u64 wrong = 0;

	for (u32 i = 0; i < n; i++)
		if (page_checksum(frame_address(pfns[i])) != f->checksums[slot + i])
			wrong |= 1ull << i;
	return wrong;
}

bool swap_read(u32 file, u64 slot, const u32 *pfns, u32 n, u64 *bad)
{
	struct block_request request;

	*bad = 0;
	swap_read_begin(file, slot, pfns, n, &request, NULL);
	block_poll(&request);
	if (!block_wait(&request)) {
		error_note(&swap_files[file], "could not be read", slot);
		return false;
	}
	*bad = swap_read_wrong(file, slot, pfns, n);
	for (u32 i = 0; i < n; i++)
		if (*bad & 1ull << i)
			error_note(&swap_files[file], "does not hold what was written there", slot + i);
	return true;
}

struct swap_transfers swap_transfers_gone;

static void transfers_add(struct bs_memory *out, const struct swap_transfers *t)
{
	out->swap_write_requests += t->write_requests;
	out->swap_read_requests += t->read_requests;
	out->swap_errors += t->errors;
}

void swap_query_totals(struct bs_memory *out)
{
	transfers_add(out, &swap_transfers_gone);
	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++) {
		struct swap_file *f = &swap_files[i];

		spin_lock(&f->lock);
		if (f->state >= SWAP_OPEN) {
			out->paging_file_count++;
			out->paging_file_pages += f->slots.bits;
			out->paging_file_used += swap_file_in_use(f);
			transfers_add(out, &f->transfers);
		}
		spin_unlock(&f->lock);
	}
}

u32 swap_query(u64 index, struct bs_paging_file *out)
{
	memset(out, 0, sizeof(*out));
	for (u32 i = 0; i < BS_PAGING_FILES_MAX; i++) {
		struct swap_file *f = &swap_files[i];
		bool found;

		spin_lock(&f->lock);
		found = f->state >= SWAP_OPEN && !index--;
		if (found) {
			strlcpy(out->name, f->device->name, sizeof(out->name));
			out->pages = f->slots.bits;
			out->used = swap_file_in_use(f);
			out->peak = f->peak;
			out->bad = f->retired.used;
			out->write_requests = f->transfers.write_requests;
			out->read_requests = f->transfers.read_requests;
			out->pages_written = f->transfers.pages_written;
			out->pages_read = f->transfers.pages_read;
			out->errors = f->transfers.errors;
			out->number = i;
			out->state = f->state == SWAP_OPEN ? BS_PAGING_FILE_OPEN : BS_PAGING_FILE_REMOVING;
			out->priority = f->priority;
			out->physical = ramdisk_phys(f->device);
		}
		spin_unlock(&f->lock);
		if (found)
			return STATUS_SUCCESS;
	}
	return STATUS_NO_MORE_ENTRIES;
}
