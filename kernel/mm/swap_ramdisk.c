/* RAM disks that are made while the system runs: of single frames, since memory is scattered then. */
#include "mm/commit.h"
#include "mm/kmap.h"
#include "mm/mm.h"
#include "mm/swap_file.h"

/* Gives back the first n. */
static void frames_give(u32 *pfns, u64 n)
{
	for (u64 i = 0; i < n; i++)
		frame_free(pfns[i]);
	__atomic_sub_fetch(&frame_counts.kernel, n, __ATOMIC_RELAXED);
}

/* False: there are not so many that could be given for good. */
static bool frames_take(u32 *pfns, u64 count)
{
	for (u64 i = 0; i < count; i++) {
		while (!(pfns[i] = frame_alloc(FRAME_FOR_GOOD, false)))
			if (!swap_room_wait()) {
				frames_give(pfns, i);
				return false;
			}
		__atomic_add_fetch(&frame_counts.kernel, 1, __ATOMIC_RELAXED);
	}
	return true;
}

u32 swap_ramdisk_make(u64 bytes, struct block_device **out)
{
	u64 count = bytes >> PAGE_SHIFT;
	u32 *pfns;

	if (!commit_charge(COMMIT_KERNEL, count))
		return STATUS_COMMITMENT_LIMIT;
	pfns = kmap_alloc(count * sizeof(*pfns));
	if (pfns && frames_take(pfns, count)) {
		*out = ramdisk_create_of_frames(pfns, count);
		if (*out)
			return STATUS_SUCCESS;
		frames_give(pfns, count);
	}
	kmap_free(pfns);
	commit_release(COMMIT_KERNEL, count);
	return STATUS_INSUFFICIENT_RESOURCES;
}

void swap_ramdisk_free(struct block_device *d)
{
	u64 count = d->sectors / SECTORS_PER_PAGE;
	u32 *pfns = ramdisk_destroy(d);

	frames_give(pfns, count);
	kmap_free(pfns);
	commit_release(COMMIT_KERNEL, count);
}
