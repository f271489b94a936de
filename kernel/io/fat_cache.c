/* The sectors of FATs and directories that were read last. */
#include "io/fat.h"
#include "mm/pool.h"

#define BLOCK_SECTORS (FAT_BLOCK_SIZE / SECTOR_SIZE)
#define BLOCKS_MAX 64
#define NO_BLOCK (~0ull)

struct fat_block {
	u64 number; /* in blocks from the device's start; NO_BLOCK: nothing */
	u8 *bytes;
	struct list link; /* the one used last is the first */
};

static struct fat_block blocks[BLOCKS_MAX];
static u32 block_count; /* that have memory: they get it when they are first needed */
static struct list order = LIST_INIT(order);
static struct block_device *device;
static struct block_request request; /* one at a time, under the volume's lock: too large for the stack */

static struct fat_block *block_add(void)
{
	struct fat_block *b = &blocks[block_count];

	b->bytes = kmalloc(FAT_BLOCK_SIZE);
	if (!b->bytes)
		return NULL;
	b->number = NO_BLOCK;
	list_push_back(&order, &b->link);
	block_count++;
	return b;
}

bool fat_cache_init(struct block_device *d)
{
	for (u32 i = 0; i < block_count; i++)
		blocks[i].number = NO_BLOCK;
	device = d;
	return block_count > 0 || block_add();
}

static bool block_read(struct fat_block *b, u64 number)
{
	u64 sector = number * BLOCK_SECTORS;

	b->number = NO_BLOCK;
	if (sector >= device->sectors)
		return false;
	request.sector = sector;
	request.write = false;
	request.complete = NULL;
	request.piece_count = 1;
	request.pieces[0].phys = virt_to_phys(b->bytes);
	request.pieces[0].bytes = MIN(BLOCK_SECTORS, device->sectors - sector) * SECTOR_SIZE;
	__atomic_fetch_add(&file_counters.device_reads, 1, __ATOMIC_RELAXED);
	block_submit(device, &request);
	if (!block_wait(&request))
		return false;
	b->number = number;
	return true;
}

const u8 *fat_cache_get(u64 sector)
{
	u64 number = sector / BLOCK_SECTORS;
	struct fat_block *b;

	if (sector >= device->sectors)
		return NULL;
	list_for_each(&order, b, link)
		if (b->number == number)
			goto found;
	b = block_count < BLOCKS_MAX ? block_add() : NULL;
	if (!b)
		b = list_last(&order, struct fat_block, link);
	if (!block_read(b, number))
		return NULL;
found:
	list_remove(&b->link);
	list_push_front(&order, &b->link);
	return b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE;
}
