/*
 * The sectors of FATs and directories that were used last, in blocks, changed here and written later. A block remembers
 * which of its sectors have to be written; the others may be a file's data, which is written past it.
 */
#include "io/fat.h"
#include "lib/string.h"
#include "mm/pool.h"

#define BLOCK_SECTORS (FAT_BLOCK_SIZE / SECTOR_SIZE)
#define BLOCKS_MIN 8 /* a change touches at most a few blocks before it may be committed */
#define BLOCKS_MAX 64
#define NO_BLOCK (~0ull)

struct fat_block {
	u64 number; /* in blocks from the device's start; NO_BLOCK: nothing */
	u8 *bytes;
	u8 dirty;         /* bit i: sector i has to be written */
	struct list link; /* the one used last is the first */
};

static struct fat_block blocks[BLOCKS_MAX];
static u32 block_count; /* that have memory: all but a few get it when they are first needed */
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
	b->dirty = 0;
	list_push_back(&order, &b->link);
	block_count++;
	return b;
}

bool fat_cache_init(struct block_device *d)
{
	for (u32 i = 0; i < block_count; i++) {
		blocks[i].number = NO_BLOCK;
		blocks[i].dirty = 0;
	}
	device = d;
	while (block_count < BLOCKS_MIN)
		if (!block_add())
			return false;
	return true;
}

/* count sectors of memory from or to the disk. */
static bool transfer(bool write, u64 sector, u8 *bytes, u64 count)
{
	request.sector = sector;
	request.write = write;
	request.complete = NULL;
	request.piece_count = 1;
	request.pieces[0].phys = virt_to_phys(bytes);
	request.pieces[0].bytes = count * SECTOR_SIZE;
	if (!write)
		__atomic_fetch_add(&file_counters.device_reads, 1, __ATOMIC_RELAXED);
	block_submit(device, &request);
	if (!block_wait(&request))
		return false;
	if (write)
		fat_wrote();
	return true;
}

/* The bits of those sectors of a block that lie before the data. */
static u8 tables_mask(const struct fat_block *b)
{
	u64 first = b->number * BLOCK_SECTORS;

	if (first >= fat_volume.data_sector)
		return 0;
	return fat_volume.data_sector - first >= BLOCK_SECTORS ? 0xff : (u8)((1u << (fat_volume.data_sector - first)) - 1);
}

/* A run of a block's sectors to the disk; those of the FAT that is read also to its copies. */
static bool sectors_write(const struct fat_block *b, u32 from, u32 count)
{
	u64 sector = b->number * BLOCK_SECTORS + from, in_fat = sector - fat_volume.fat_sector;
	u8 *bytes = b->bytes + from * SECTOR_SIZE;

	if (!transfer(true, sector, bytes, count))
		return false;
	if (sector < fat_volume.fat_sector || in_fat >= fat_volume.fat_sectors)
		return true;
	for (u32 i = 0; i < fat_volume.copies; i++) {
		u64 copy = fat_volume.copies_sector + i * fat_volume.fat_sectors;

		if (copy != fat_volume.fat_sector && !transfer(true, copy + in_fat, bytes, count))
			return false;
	}
	return true;
}

/* Writes the sectors of b in mask that have to be. */
static bool block_write(struct fat_block *b, u8 mask)
{
	u8 left = b->dirty & mask;

	while (left) {
		u32 from = (u32)__builtin_ctz(left), count = 1;
		u64 fat_end = fat_volume.fat_sector + fat_volume.fat_sectors, sector = b->number * BLOCK_SECTORS + from;

		/* A run does not cross the FAT's limits: its copies would be written with it. */
		while (from + count < BLOCK_SECTORS && (left & 1 << (from + count)) && sector + count != fat_end &&
		       sector + count != fat_volume.fat_sector)
			count++;
		if (!sectors_write(b, from, count))
			return false;
		left &= ~(((1u << count) - 1) << from);
		b->dirty &= ~(((1u << count) - 1) << from);
	}
	return true;
}

static enum file_status all_write(bool tables)
{
	for (u32 i = 0; i < block_count; i++) {
		struct fat_block *b = &blocks[i];
		u8 mask = tables_mask(b);

		if (b->dirty && !block_write(b, tables ? mask : (u8)~mask))
			return FILE_IO_ERROR;
	}
	return FILE_OK;
}

enum file_status fat_cache_write_tables(void)
{
	return all_write(true);
}

enum file_status fat_cache_write_directories(void)
{
	return all_write(false);
}

bool fat_cache_crowded(void)
{
	u32 n = 0;

	for (u32 i = 0; i < block_count; i++)
		n += (blocks[i].dirty & ~tables_mask(&blocks[i])) != 0;
	return n >= block_count / 2;
}

bool fat_cache_dirty(void)
{
	for (u32 i = 0; i < block_count; i++)
		if (blocks[i].dirty)
			return true;
	return false;
}

/* The block used longest ago that may go: FATs can be written at any time, directories only by a commit. */
static struct fat_block *victim_find(void)
{
	struct fat_block *b;

	for (struct list *l = order.prev; l != &order; l = l->prev) {
		b = list_entry(l, struct fat_block, link);
		if (!b->dirty)
			return b;
	}
	for (struct list *l = order.prev; l != &order; l = l->prev) {
		b = list_entry(l, struct fat_block, link);
		if (!(b->dirty & ~tables_mask(b)))
			return block_write(b, 0xff) ? b : NULL;
	}
	return NULL;
}

static struct fat_block *block_find_cached(u64 number)
{
	struct fat_block *b;

	list_for_each(&order, b, link)
		if (b->number == number)
			return b;
	return NULL;
}

static struct fat_block *block_get(u64 sector)
{
	u64 number = sector / BLOCK_SECTORS, first = number * BLOCK_SECTORS;
	struct fat_block *b;

	if (sector >= device->sectors)
		return NULL;
	b = block_find_cached(number);
	if (!b) {
		b = block_count < BLOCKS_MAX ? block_add() : NULL;
		if (!b)
			b = victim_find();
		if (!b)
			return NULL;
		b->number = NO_BLOCK;
		if (!transfer(false, first, b->bytes, MIN(BLOCK_SECTORS, device->sectors - first)))
			return NULL;
		b->number = number;
	}
	list_remove(&b->link);
	list_push_front(&order, &b->link);
	return b;
}

const u8 *fat_cache_get(u64 sector)
{
	struct fat_block *b = block_get(sector);

	return b ? b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE : NULL;
}

u8 *fat_cache_change(u64 sector)
{
	struct fat_block *b = block_get(sector);

	if (!b)
		return NULL;
	b->dirty |= 1 << sector % BLOCK_SECTORS;
	return b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE;
}

/* If the disk does not take it, the block is forgotten: it may hold what the disk does not. */
enum file_status fat_cache_store(u64 sector, u32 at, const void *from, u32 n)
{
	struct fat_block *b = block_get(sector);
	u8 *bytes;

	assert(sector >= fat_volume.data_sector && at + n <= SECTOR_SIZE);
	if (!b)
		return FILE_IO_ERROR;
	bytes = b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE;
	memcpy(bytes + at, from, n);
	if (transfer(true, sector, bytes, 1))
		return FILE_OK;
	if (!b->dirty)
		b->number = NO_BLOCK;
	return FILE_IO_ERROR;
}

void fat_cache_patch(u64 sector, u64 count, const u8 *bytes)
{
	struct fat_block *b;

	list_for_each(&order, b, link) {
		u64 first = b->number * BLOCK_SECTORS, from, end;

		if (b->number == NO_BLOCK || first >= sector + count || first + BLOCK_SECTORS <= sector)
			continue;
		from = MAX(first, sector);
		end = MIN(first + BLOCK_SECTORS, sector + count);
		if (bytes)
			memcpy(b->bytes + (from - first) * SECTOR_SIZE, bytes + (from - sector) * SECTOR_SIZE,
			       (end - from) * SECTOR_SIZE);
		else
			memset(b->bytes + (from - first) * SECTOR_SIZE, 0, (end - from) * SECTOR_SIZE);
	}
}
