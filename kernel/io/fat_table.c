/* Entries of the FAT that change: clusters are taken and given back. Source: FAT32 File System Specification (1.03). */
#include "io/fat.h"
#include "lib/string.h"
#include "mm/pool.h"

#define ENTRIES_PER_SECTOR (SECTOR_SIZE / 4)
#define ENTRY_MASK 0x0fffffffu
#define END_MARK 0x0fffffffu

static u64 entry_sector(const struct volume *v, u32 cluster)
{
	return v->fat_sector + cluster / ENTRIES_PER_SECTOR;
}

static u32 entry_of(const u8 *sector, u32 cluster)
{
	return fat_get32(sector + cluster % ENTRIES_PER_SECTOR * 4) & ENTRY_MASK;
}

/* The upper four bits are not the file system's: they stay. */
static void entry_put(u8 *sector, u32 cluster, u32 value)
{
	u8 *entry = sector + cluster % ENTRIES_PER_SECTOR * 4;

	fat_put32(entry, (fat_get32(entry) & ~ENTRY_MASK) | value);
}

static enum file_status entry_set(struct volume *v, u32 cluster, u32 value)
{
	u8 *sector = fat_cache_change(v, entry_sector(v, cluster));

	if (!sector)
		return FILE_IO_ERROR;
	entry_put(sector, cluster, value);
	return FILE_OK;
}

/* Counts the entries that are 0 of clusters [from, end), and says where the first one is; stops there if it is wanted. */
static enum file_status free_scan(struct volume *v, u32 from, u32 end, u32 *first, u32 *count)
{
	u32 cluster = from;

	while (cluster < end) {
		const u8 *sector = fat_cache_get(v, entry_sector(v, cluster));

		if (!sector)
			return FILE_IO_ERROR;
		do {
			if (entry_of(sector, cluster))
				continue;
			if (first) {
				*first = cluster;
				return FILE_OK;
			}
			++*count;
		} while (++cluster < end && cluster % ENTRIES_PER_SECTOR);
	}
	return first ? FILE_NO_SPACE : FILE_OK;
}

enum file_status fat_free_clusters(struct volume *v, u32 *count)
{
	enum file_status status;

	if (!v->free_known) {
		v->free_count = 0;
		status = free_scan(v, FAT_FIRST_CLUSTER, FAT_FIRST_CLUSTER + v->cluster_count, NULL, &v->free_count);
		if (status != FILE_OK)
			return status;
		v->free_known = true;
	}
	*count = v->free_count;
	return FILE_OK;
}

static enum file_status free_find(struct volume *v, u32 from, u32 *found)
{
	u32 end = FAT_FIRST_CLUSTER + v->cluster_count;
	enum file_status status;

	if (v->free_known && !v->free_count)
		return FILE_NO_SPACE;
	if (!fat_cluster_valid(v, from))
		from = FAT_FIRST_CLUSTER;
	status = free_scan(v, from, end, found, NULL);
	if (status == FILE_NO_SPACE)
		status = free_scan(v, FAT_FIRST_CLUSTER, from, found, NULL);
	return status;
}

/* Free clusters in a row become a chain: at most max, with entries in one sector. near is where they would fit best. */
static enum file_status row_take(struct volume *v, u32 near, u32 max, u32 *first, u32 *taken)
{
	enum file_status status = free_find(v, near, first);
	u32 last, end;
	u8 *sector;

	/* Nothing points to what was taken so far: it is a good moment for a commit, and that frees what was dropped. */
	if (status == FILE_NO_SPACE && v->freed_count) {
		status = fat_commit(v);
		if (status == FILE_OK)
			status = free_find(v, near, first);
	}
	if (status != FILE_OK)
		return status;
	sector = fat_cache_change(v, entry_sector(v, *first));
	if (!sector)
		return FILE_IO_ERROR;
	end = MIN(ALIGN_DOWN(*first, ENTRIES_PER_SECTOR) + ENTRIES_PER_SECTOR, FAT_FIRST_CLUSTER + v->cluster_count);
	for (last = *first; last - *first + 1 < max && last + 1 < end && !entry_of(sector, last + 1); last++)
		entry_put(sector, last, last + 1);
	entry_put(sector, last, END_MARK);
	*taken = last - *first + 1;
	if (v->free_known)
		v->free_count -= *taken;
	v->next_free = last + 1;
	return FILE_OK;
}

/* Frees a chain. On a damaged volume it may end anywhere, or in itself: what is free already ends it. */
static void chain_free(struct volume *v, u32 first)
{
	u32 cluster = first, next;

	while (fat_cluster_valid(v, cluster) && fat_entry_get(v, cluster, &next) == FILE_OK && next) {
		if (entry_set(v, cluster, 0) != FILE_OK)
			return;
		if (v->free_known)
			v->free_count++;
		cluster = next;
	}
}

void fat_chains_free(struct volume *v)
{
	for (u32 i = 0; i < v->freed_count; i++)
		chain_free(v, v->freed[i]);
	v->freed_count = 0;
}

void fat_chain_drop(struct volume *v, u32 first)
{
	if (!first)
		return;
	check(v->freed_count < FAT_FREED_MAX);
	v->freed[v->freed_count++] = first;
}

/* A block of zeros is written as often as needed: made once, and kept. */
static u8 *zeros_get(void)
{
	static u8 *zeros;
	u8 *own, *expected = NULL;

	if (__atomic_load_n(&zeros, __ATOMIC_ACQUIRE))
		return zeros;
	own = kzalloc(FAT_BLOCK_SIZE);
	if (own && !__atomic_compare_exchange_n(&zeros, &expected, own, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		kfree(own);
	return __atomic_load_n(&zeros, __ATOMIC_ACQUIRE);
}

enum file_status fat_zero(struct volume *v, u64 sector, u64 count)
{
	enum file_status status;
	u8 *zeros = zeros_get();
	struct block_request r;

	if (!zeros)
		return FILE_NO_MEMORY;
	while (count) {
		u64 n = MIN(count, (u64)BLOCK_PIECES_MAX * FAT_BLOCK_SIZE / SECTOR_SIZE), left = n;

		r.sector = sector;
		r.write = true;
		r.complete = NULL;
		for (r.piece_count = 0; left; r.piece_count++) {
			u64 part = MIN(left, FAT_BLOCK_SIZE / SECTOR_SIZE);

			r.pieces[r.piece_count].phys = virt_to_phys(zeros);
			r.pieces[r.piece_count].bytes = part * SECTOR_SIZE;
			left -= part;
		}
		status = volume_transfer(v, &r);
		if (status != FILE_OK)
			return status;
		fat_wrote(v);
		sector += n;
		count -= n;
	}
	return FILE_OK;
}

static enum file_status clusters_zero(struct volume *v, u32 first, u32 count)
{
	u64 sector = fat_cluster_sector(v, first), sectors = (u64)count * v->cluster_sectors;
	enum file_status status = fat_zero(v, sector, sectors);

	if (status == FILE_OK)
		fat_cache_patch(v, sector, sectors, NULL);
	return status;
}

/*
 * The new clusters' entries have been set. Before the chain gets them they are on the disk, unless all that changes is in
 * one sector.
 */
static enum file_status chain_link(struct volume *v, u32 last, u32 first_new, bool one_sector, bool zeroed)
{
	enum file_status status = FILE_OK;

	if (!one_sector)
		status = fat_cache_write_tables(v);
	if (status == FILE_OK && (!one_sector || zeroed))
		status = fat_barrier(v);
	return status == FILE_OK ? entry_set(v, last, first_new) : status;
}

enum file_status fat_chain_extend(struct volume *v, u32 *first, struct fat_run **runs, u32 *run_count, u32 clusters,
				  bool zeroed)
{
	u32 have = fat_runs_clusters(*runs, *run_count), previous = 0, first_new = 0, cluster, taken;
	u32 last = have ? fat_run_cluster(*runs, *run_count, have - 1) : 0;
	enum file_status status = FILE_OK;
	bool one_sector = true;

	if (clusters <= have)
		return FILE_OK;
	/* An early answer, when the count is known. */
	if (v->free_known && !v->freed_count && clusters - have > v->free_count)
		return FILE_NO_SPACE;
	for (u32 n = have; n < clusters && status == FILE_OK; n += taken) {
		u32 near = previous ? previous + 1 : last ? last + 1 : v->next_free;

		status = row_take(v, near, clusters - n, &cluster, &taken);
		if (status != FILE_OK)
			break;
		if (previous)
			status = entry_set(v, previous, cluster);
		else
			first_new = cluster;
		previous = cluster + taken - 1;
		one_sector = one_sector && entry_sector(v, cluster) == entry_sector(v, last);
		if (status == FILE_OK && zeroed)
			status = clusters_zero(v, cluster, taken);
		if (status == FILE_OK && !fat_runs_append(runs, run_count, cluster, taken))
			status = FILE_NO_MEMORY;
	}
	if (status == FILE_OK && have)
		status = chain_link(v, last, first_new, one_sector, zeroed);
	if (status == FILE_OK) {
		if (!have)
			*first = first_new;
		return FILE_OK;
	}
	chain_free(v, first_new);
	fat_runs_cut(runs, run_count, have);
	return status;
}

enum file_status fat_chain_cut(struct volume *v, struct fat_run **runs, u32 *run_count, u32 clusters)
{
	u32 have = fat_runs_clusters(*runs, *run_count), rest;
	enum file_status status;

	assert(clusters > 0);
	if (clusters >= have)
		return FILE_OK;
	rest = fat_run_cluster(*runs, *run_count, clusters);
	status = entry_set(v, fat_run_cluster(*runs, *run_count, clusters - 1), END_MARK);
	if (status != FILE_OK)
		return status;
	fat_chain_drop(v, rest);
	fat_runs_cut(runs, run_count, clusters);
	return FILE_OK;
}
