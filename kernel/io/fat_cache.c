/*
 * The sectors of FATs and directories that were used last, in blocks, changed here and written later. A block remembers
 * which of its sectors have to be written; the others may be a file's data, which is written past it.
 */
#include "io/fat.h"
#include "lib/string.h"
#include "mm/pool.h"

#define BLOCK_SECTORS (FAT_BLOCK_SIZE / SECTOR_SIZE)
#define BLOCKS_MIN 8 /* a change touches at most a few blocks before it may be committed */
#define NO_BLOCK (~0ull)

static struct fat_block *block_add(struct fat_cache *c)
{
	struct fat_block *b = &c->blocks[c->block_count];

	b->bytes = kmalloc(FAT_BLOCK_SIZE);
	if (!b->bytes)
		return NULL;
	b->number = NO_BLOCK;
	b->dirty = 0;
	list_push_back(&c->order, &b->link);
	c->block_count++;
	return b;
}

bool fat_cache_init(struct volume *v)
{
	list_init(&v->cache.order);
	while (v->cache.block_count < BLOCKS_MIN)
		if (!block_add(&v->cache))
			return false;
	return true;
}

void fat_cache_free(struct volume *v)
{
	for (u32 i = 0; i < v->cache.block_count; i++)
		kfree(v->cache.blocks[i].bytes);
	v->cache.block_count = 0;
	list_init(&v->cache.order);
}

void fat_cache_forget(struct volume *v)
{
	for (u32 i = 0; i < v->cache.block_count; i++) {
		v->cache.blocks[i].number = NO_BLOCK;
		v->cache.blocks[i].dirty = 0;
	}
}

/* count sectors of memory from or to the disk. */
static bool transfer(struct volume *v, bool write, u64 sector, u8 *bytes, u64 count)
{
	struct block_request *r = &v->cache.request;

	if (volume_status(v) != FILE_OK || !v->device)
		return false;
	r->sector = sector;
	r->write = write;
	r->complete = NULL;
	r->piece_count = 1;
	r->pieces[0].phys = virt_to_phys(bytes);
	r->pieces[0].bytes = count * SECTOR_SIZE;
	if (!write)
		__atomic_fetch_add(&file_counters.device_reads, 1, __ATOMIC_RELAXED);
	block_submit(v->device, r);
	if (!block_wait(r))
		return false;
	if (write)
		fat_wrote(v);
	return true;
}

/* The bits of those sectors of a block that lie before the data. */
static u8 tables_mask(const struct volume *v, const struct fat_block *b)
{
	u64 first = b->number * BLOCK_SECTORS;

	if (first >= v->data_sector)
		return 0;
	return v->data_sector - first >= BLOCK_SECTORS ? 0xff : (u8)((1u << (v->data_sector - first)) - 1);
}

/* A run of a block's sectors to the disk; those of the FAT that is read also to its copies. */
static bool sectors_write(struct volume *v, const struct fat_block *b, u32 from, u32 count)
{
	u64 sector = b->number * BLOCK_SECTORS + from, in_fat = sector - v->fat_sector;
	u8 *bytes = b->bytes + from * SECTOR_SIZE;

	if (!transfer(v, true, sector, bytes, count))
		return false;
	if (sector < v->fat_sector || in_fat >= v->fat_sectors)
		return true;
	for (u32 i = 0; i < v->copies; i++) {
		u64 copy = v->copies_sector + i * v->fat_sectors;

		if (copy != v->fat_sector && !transfer(v, true, copy + in_fat, bytes, count))
			return false;
	}
	return true;
}

/* Writes the sectors of b in mask that have to be. */
static bool block_write(struct volume *v, struct fat_block *b, u8 mask)
{
	u8 left = b->dirty & mask;

	while (left) {
		u32 from = (u32)__builtin_ctz(left), count = 1;
		u64 fat_end = v->fat_sector + v->fat_sectors, sector = b->number * BLOCK_SECTORS + from;

		/* A run does not cross the FAT's limits: its copies would be written with it. */
		while (from + count < BLOCK_SECTORS && (left & 1 << (from + count)) && sector + count != fat_end &&
		       sector + count != v->fat_sector)
			count++;
		if (!sectors_write(v, b, from, count))
			return false;
		left &= ~(((1u << count) - 1) << from);
		b->dirty &= ~(((1u << count) - 1) << from);
	}
	return true;
}

static enum file_status all_write(struct volume *v, bool tables)
{
	for (u32 i = 0; i < v->cache.block_count; i++) {
		struct fat_block *b = &v->cache.blocks[i];
		u8 mask = tables_mask(v, b);

		if (b->dirty && !block_write(v, b, tables ? mask : (u8)~mask))
			return FILE_IO_ERROR;
	}
	return FILE_OK;
}

enum file_status fat_cache_write_tables(struct volume *v)
{
	return all_write(v, true);
}

enum file_status fat_cache_write_directories(struct volume *v)
{
	return all_write(v, false);
}

bool fat_cache_crowded(struct volume *v)
{
	u32 n = 0;

	for (u32 i = 0; i < v->cache.block_count; i++)
		n += (v->cache.blocks[i].dirty & ~tables_mask(v, &v->cache.blocks[i])) != 0;
	return n >= v->cache.block_count / 2;
}

bool fat_cache_dirty(struct volume *v)
{
	for (u32 i = 0; i < v->cache.block_count; i++)
		if (v->cache.blocks[i].dirty)
			return true;
	return false;
}

/* The block used longest ago that may go: FATs can be written at any time, directories only by a commit. */
static struct fat_block *victim_find(struct volume *v)
{
	struct fat_block *b;

	for (struct list *l = v->cache.order.prev; l != &v->cache.order; l = l->prev) {
		b = list_entry(l, struct fat_block, link);
		if (!b->dirty)
			return b;
	}
	for (struct list *l = v->cache.order.prev; l != &v->cache.order; l = l->prev) {
		b = list_entry(l, struct fat_block, link);
		if (!(b->dirty & ~tables_mask(v, b)))
			return block_write(v, b, 0xff) ? b : NULL;
	}
	return NULL;
}

static struct fat_block *block_find_cached(struct volume *v, u64 number)
{
	struct fat_block *b;

	list_for_each(&v->cache.order, b, link)
		if (b->number == number)
			return b;
	return NULL;
}

static void data_numbers_set(struct volume *v)
{
	v->cache.data_numbers = 0;
	for (u32 i = 0; i < v->cache.block_count; i++) {
		u64 number = v->cache.blocks[i].number;

		if (number != NO_BLOCK && (number + 1) * BLOCK_SECTORS > v->data_sector)
			v->cache.data_numbers |= 1ull << number % 64;
	}
}

static struct fat_block *block_get(struct volume *v, u64 sector)
{
	u64 number = sector / BLOCK_SECTORS, first = number * BLOCK_SECTORS;
	struct fat_block *b;

	if (volume_status(v) != FILE_OK || !v->device || sector >= v->device->sectors)
		return NULL;
	b = block_find_cached(v, number);
	if (!b) {
		b = v->cache.block_count < FAT_BLOCKS_MAX ? block_add(&v->cache) : NULL;
		if (!b)
			b = victim_find(v);
		if (!b)
			return NULL;
		b->number = NO_BLOCK;
		if (!transfer(v, false, first, b->bytes, MIN(BLOCK_SECTORS, v->device->sectors - first)))
			return NULL;
		b->number = number;
		data_numbers_set(v);
	}
	list_remove(&b->link);
	list_push_front(&v->cache.order, &b->link);
	return b;
}

const u8 *fat_cache_get(struct volume *v, u64 sector)
{
	struct fat_block *b = block_get(v, sector);

	return b ? b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE : NULL;
}

u8 *fat_cache_change(struct volume *v, u64 sector)
{
	struct fat_block *b = block_get(v, sector);

	if (!b)
		return NULL;
	b->dirty |= 1 << sector % BLOCK_SECTORS;
	return b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE;
}

/* If the disk does not take it, the block is forgotten: it may hold what the disk does not. */
enum file_status fat_cache_store(struct volume *v, u64 sector, u32 at, const void *from, u32 n)
{
	struct fat_block *b = block_get(v, sector);
	u8 *bytes;

	assert(sector >= v->data_sector && at + n <= SECTOR_SIZE);
	if (!b)
		return FILE_IO_ERROR;
	bytes = b->bytes + sector % BLOCK_SECTORS * SECTOR_SIZE;
	memcpy(bytes + at, from, n);
	if (transfer(v, true, sector, bytes, 1))
		return FILE_OK;
	if (!b->dirty)
		b->number = NO_BLOCK;
	return FILE_IO_ERROR;
}

/* May there be a block that holds some of these sectors of the data? Nearly never: blocks are FATs and directories. */
static bool data_may_be_cached(const struct volume *v, u64 sector, u64 count)
{
	u64 first = sector / BLOCK_SECTORS, last = (sector + count - 1) / BLOCK_SECTORS;

	for (u64 i = first; i <= MIN(last, first + 63); i++)
		if (v->cache.data_numbers & 1ull << i % 64)
			return true;
	return false;
}

void fat_cache_patch(struct volume *v, u64 sector, u64 count, const u8 *bytes)
{
	struct fat_block *b;

	assert(sector >= v->data_sector);
	if (!count || !data_may_be_cached(v, sector, count))
		return;
	list_for_each(&v->cache.order, b, link) {
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
