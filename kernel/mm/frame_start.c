/*
 * Which frames there are: the ranges of memory that the boot application found, and the first use that is made of them. The
 * kernel's own frames, which it gets from a range's end until the lists exist.
 */
#include "mm/frame.h"

#include "mm/pool.h"
#include "mm/reclaim.h"
#include "mm/swap.h"
#include "mm/vspace.h"
#include "options.h"

/* ---- frames for the kernel ---- */

/* Ranges of managed memory; before the free lists exist, the last page of the last range is handed out. */
#define RANGES_MAX 64
static struct { u64 first, count; } ranges[RANGES_MAX];
static u32 range_count;
static bool lists_ready;

static u64 early_alloc(void)
{
	while (range_count && !ranges[range_count - 1].count)
		range_count--;
	if (!range_count)
		return 0;
	return (ranges[range_count - 1].first + --ranges[range_count - 1].count) << PAGE_SHIFT;
}

static u64 kernel_frame(bool zeroed)
{
	u32 pfn;

	if (!lists_ready) {
		u64 phys = early_alloc();

		if (phys && zeroed)
			page_zero(phys_to_virt(phys));
		return phys;
	}
	if (!commit_charge(COMMIT_KERNEL, 1))
		return 0;
	while (!(pfn = frame_alloc(FRAME_FOR_KERNEL, zeroed))) {
		/* Only a thread without locks may wait; everyone else is told that there is none. */
		if (!interrupts_enabled() || this_cpu()->spin_depth || !mutex_none_held() || !frames_wait()) {
			commit_release(COMMIT_KERNEL, 1);
			return 0;
		}
	}
	__atomic_add_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	return (u64)pfn << PAGE_SHIFT;
}

u64 frame_alloc_kernel(void) { return kernel_frame(false); }
u64 frame_alloc_table(void) { return kernel_frame(true); }

void frame_free_kernel(u64 phys)
{
	frame_free(phys >> PAGE_SHIFT);
	__atomic_sub_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	commit_release(COMMIT_KERNEL, 1);
}

/* ---- start ---- */

static u64 ramdisk_runs[SWAP_ENTRIES_MAX];

static void range_add(u64 first, u64 count)
{
	if (count && range_count < RANGES_MAX) {
		ranges[range_count].first = first;
		ranges[range_count++].count = count;
	}
}

/* Takes a run for a RAM disk out of the highest range that can hold it. 0: there is none. */
static u64 ramdisk_reserve(u64 bytes)
{
	u64 pages = bytes >> PAGE_SHIFT;

	for (u32 r = range_count; r-- > 0;)
		if (ranges[r].count >= pages + 1024) {
			ranges[r].count -= pages;
			return (ranges[r].first + ranges[r].count) << PAGE_SHIFT;
		}
	return 0;
}

static void ramdisks_reserve(void)
{
	for (u32 i = 0; i < options.swap_count; i++) {
		u64 bytes = options.swap[i].size;

		if (!bytes)
			continue;
		ramdisk_runs[i] = ramdisk_reserve(bytes);
		if (!ramdisk_runs[i]) {
			kprintf("backstore: swap=ramdisk:%lluK does not fit into memory; use a smaller one or more memory\n",
				(unsigned long long)bytes >> 10);
			machine_exit(EXIT_BAD_OPTION);
		}
	}
}

u64 frame_ramdisk_phys(u32 entry) { return ramdisk_runs[entry]; }

void mm_init(const struct bootinfo *b)
{
	const struct boot_memory *m = phys_to_virt(b->memory);
	u64 cap = options.memory_limit ? options.memory_limit >> PAGE_SHIFT : ~0ull, total = 0;

	frame_queues_init();
	replace_init();
	mutex_init(&writer_lock, "writer", RANK_WRITER);
	mutex_init(&vspaces_lock, "address spaces", RANK_VSPACES);
	mutex_init(&sections_lock, "sections", RANK_SECTIONS);
	commit_totals.overcommit = options.commit == COMMIT_OVERCOMMIT;
	commit_totals.lazy_writecopy = options.commit == COMMIT_LAZY_WRITECOPY;
	for (u32 i = 0; i < b->memory_count; i++)
		if (m[i].kind == BOOT_USABLE) {
			u64 first = MAX(m[i].base, MIB(1)) >> PAGE_SHIFT, end = (m[i].base >> PAGE_SHIFT) + m[i].pages;

			if (end > first)
				range_add(first, end - first);
		}
	ramdisks_reserve();
	for (u32 r = 0; r < range_count; r++) {
		ranges[r].count = MIN(ranges[r].count, cap - total);
		total += ranges[r].count;
	}
	while (range_count && !ranges[range_count - 1].count)
		range_count--;

	/* The PFN database: mapped only where there are frames. */
	for (u32 r = 0; r < range_count; r++) {
		u64 at = ALIGN_DOWN((u64)&frames[ranges[r].first], PAGE_SIZE);
		u64 end = (u64)&frames[ranges[r].first + ranges[r].count];
		static u64 mapped;

		for (at = MAX(at, mapped); at < end; at += PAGE_SIZE) {
			u64 phys = frame_alloc_table();

			if (!phys || !kernel_map_page(at, phys, PTE_WRITE | PTE_NX)) {
				kprintf("backstore: too little memory: %llu MiB are usable, and the kernel needs more\n",
					(unsigned long long)total >> 8);
				machine_exit(EXIT_NO_MEMORY);
			}
			mapped = at + PAGE_SIZE;
		}
	}
	lists_ready = true;
	spin_lock(&frames_lock);
	for (u32 r = 0; r < range_count; r++)
		for (u64 i = 0; i < ranges[r].count; i++) {
			frame_list_add(ranges[r].first + i, FRAME_FREE);
			frame_counts.total++;
		}
	spin_unlock(&frames_lock);
	if (frame_counts.total < 1024) {
		kprintf("backstore: too little memory: %llu KiB are usable, 4096 KiB are needed\n",
			(unsigned long long)frame_counts.total * 4);
		machine_exit(EXIT_NO_MEMORY);
	}
	if (!reclaim_set(options.reclaim_low >> PAGE_SHIFT, options.reclaim_high >> PAGE_SHIFT)) {
		kprintf("backstore: boot option reclaim=: allowed with this memory: LOW of at least %uK, HIGH of at least %uK more "
			"and at most %lluK\n", RECLAIM_LOWEST * 4, RECLAIM_GAP * 4,
			(unsigned long long)frame_counts.total / 2 * 4);
		machine_exit(EXIT_BAD_OPTION);
	}
	/* What the limit leaves out keeps clean pages (code) in memory when everything promised is touched. */
	commit_totals.fixed_limit = frame_counts.total / 4 * 3;
	commit_limit_add(frame_counts.total - MAX(384, frame_counts.total / 32));
}

bool frame_range(u32 index, u64 *first, u64 *count)
{
	if (index >= range_count)
		return false;
	*first = ranges[index].first;
	*count = ranges[index].count;
	return true;
}

bool frame_managed(u64 pfn)
{
	for (u32 r = 0; r < range_count; r++)
		if (pfn - ranges[r].first < ranges[r].count)
			return true;
	return false;
}
