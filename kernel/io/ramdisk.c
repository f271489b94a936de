/* Disks that are memory, in one piece or of single page frames: a request is copied at once. */
#include "io/block.h"
#include "lib/string.h"
#include "mm/pool.h"

struct ramdisk {
	struct block_device block;
	u32 number;
	u64 phys;  /* in one piece: where; else 0 */
	u32 *pfns; /* else: a frame for each page */
};

static volatile u32 numbers; /* a bit for each RAM disk that there is */

static struct ramdisk *ramdisk_of(const struct block_device *d)
{
	return d->driver;
}

/* The memory at this offset; at least up to the end of its page it goes on. */
static u8 *memory_at(const struct ramdisk *ram, u64 offset)
{
	u64 phys = ram->pfns ? (u64)ram->pfns[offset >> PAGE_SHIFT] << PAGE_SHIFT | (offset & (PAGE_SIZE - 1))
			     : ram->phys + offset;

	return phys_to_virt(phys);
}

static void ramdisk_submit(struct block_device *d, struct block_request *r)
{
	const struct ramdisk *ram = ramdisk_of(d);
	u64 offset = r->sector * SECTOR_SIZE;

	for (u32 i = 0; i < r->piece_count; i++)
		for (u64 done = 0, n; done < r->pieces[i].bytes; done += n, offset += n) {
			u8 *piece = (u8 *)phys_to_virt(r->pieces[i].phys) + done, *at = memory_at(ram, offset);

			n = MIN(r->pieces[i].bytes - done, PAGE_SIZE - (offset & (PAGE_SIZE - 1)));
			if (r->write)
				memcpy(at, piece, n);
			else
				memcpy(piece, at, n);
		}
	block_complete(r, false);
}

static u32 number_take(void)
{
	u32 old = __atomic_load_n(&numbers, __ATOMIC_RELAXED), number;

	do {
		number = ~old ? (u32)__builtin_ctz(~old) : RAMDISKS_MAX;
	} while (number < RAMDISKS_MAX &&
		 !__atomic_compare_exchange_n(&numbers, &old, old | 1u << number, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return number;
}

static struct ramdisk *create(u64 bytes)
{
	struct ramdisk *ram = kzalloc(sizeof(*ram));

	if (!ram)
		return NULL;
	ram->number = number_take();
	if (ram->number == RAMDISKS_MAX) {
		kfree(ram);
		return NULL;
	}
	ksnprintf(ram->block.name, sizeof(ram->block.name), "ram%u", ram->number);
	ram->block.sectors = bytes / SECTOR_SIZE;
	ram->block.submit = ramdisk_submit;
	ram->block.driver = ram;
	return ram;
}

struct block_device *ramdisk_create(u64 phys, u64 size)
{
	struct ramdisk *ram = create(size);

	if (!ram)
		return NULL;
	ram->phys = phys;
	ram->block.refs = 1;
	block_register(&ram->block);
	return &ram->block;
}

struct block_device *ramdisk_create_of_frames(u32 *pfns, u64 count)
{
	struct ramdisk *ram = create(count << PAGE_SHIFT);

	if (!ram)
		return NULL;
	ram->pfns = pfns;
	return &ram->block;
}

u32 *ramdisk_destroy(struct block_device *d)
{
	struct ramdisk *ram = ramdisk_of(d);
	u32 *pfns = ram->pfns;

	__atomic_and_fetch(&numbers, ~(1u << ram->number), __ATOMIC_RELAXED);
	kfree(ram);
	return pfns;
}

static bool ramdisk_is(const struct block_device *d) { return d->submit == ramdisk_submit; }
u64 ramdisk_phys(const struct block_device *d) { return ramdisk_is(d) ? ramdisk_of(d)->phys : 0; }
bool ramdisk_is_of_frames(const struct block_device *d) { return ramdisk_is(d) && ramdisk_of(d)->pfns; }
