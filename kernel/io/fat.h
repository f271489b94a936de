/*
 * The FAT32 volume, inside io only. All of it is read under fat_volume.lock, except the data of files: their clusters
 * are known from the open on. The disk is never trusted: every number that comes from it is checked before it is used.
 */
#ifndef IO_FAT_H
#define IO_FAT_H

#include "io/block.h"
#include "io/fat_path.h"
#include "io/file.h"
#include "proc/lock.h"

struct fat_volume {
	struct block_device *device; /* NULL: nothing is mounted */
	struct mutex lock;           /* RANK_FS */
	u64 fat_sector;              /* of the FAT in use; in sectors of 512 bytes, as everywhere */
	u64 data_sector;             /* of cluster 2 */
	u32 cluster_sectors;
	u32 cluster_count; /* clusters 2 to cluster_count + 1 */
	u32 root_cluster;
};
extern struct fat_volume fat_volume;

/*
 * fat_cache.c: blocks of 4 KiB with what was read last. fat_cache_get: the 512 bytes of a sector, in its block; they
 * stay until the next call. NULL: it can't be read. fat_cache_init: for a new device; false: no memory for even one
 * block.
 */
#define FAT_BLOCK_SIZE 4096
bool fat_cache_init(struct block_device *d);
const u8 *fat_cache_get(u64 sector);

/*
 * A file's clusters, in runs that lie one after the other on the disk. A run ends where the next one begins; behind the
 * last one is one more entry, with the number of the file's clusters in file_cluster.
 */
struct fat_run {
	u32 file_cluster; /* counted in the file */
	u32 disk_cluster;
};

/* The most that a directory may have: FAT32 File System Specification, "FAT Directory Structure". */
#define FAT_DIRECTORY_BYTES_MAX MIB(2)

/*
 * Follows the chain that begins at cluster first to its end. size: bytes of the file that it must hold; for a directory
 * FAT_DIRECTORY: as long as the chain, but not over the limit. *runs is to be freed with kfree (NULL, 0: no clusters).
 */
#define FAT_DIRECTORY (~0ull)
enum file_status fat_chain_read(u32 first, u64 size, struct fat_run **runs, u32 *run_count);
/*
 * The sector on the disk of byte offset (rounded down to a sector) of a file; *count: how many follow it there without
 * a gap, itself included. offset must lie in the runs.
 */
u64 fat_sector_at(const struct fat_run *runs, u32 run_count, u64 offset, u64 *count);
static inline u64 fat_runs_bytes(const struct fat_run *runs, u32 run_count)
{
	return run_count ? (u64)runs[run_count].file_cluster * fat_volume.cluster_sectors * SECTOR_SIZE : 0;
}

/* A directory entry, read. */
struct fat_entry {
	u16 name[FILE_NAME_MAX]; /* the long name; the short one if there is none */
	u32 name_length;
	u16 short_name[FAT_SHORT_MAX];
	u32 short_length;
	u32 attributes;
	u32 first_cluster;
	u32 size;
	u64 modified_unix;
	u64 at; /* bytes from the volume's start; 0: the root, which has no entry */
};

/* A walk through a directory's entries. Its memory belongs to the caller; slot counts the 32-byte entries. */
struct fat_walk {
	const struct fat_run *runs;
	u32 run_count;
	u32 slot;
	struct fat_long_name long_name;
};
void fat_walk_begin(struct fat_walk *w, const struct fat_run *runs, u32 run_count, u32 slot);
/* The next entry that is in use; volume labels and damaged entries are passed over. FILE_END behind the last. */
enum file_status fat_walk_next(struct fat_walk *w, struct fat_entry *e);
void fat_root_entry(struct fat_entry *e);
/* Looks name (UTF-8, length bytes) up in the directory whose entry is *e and replaces *e. FILE_NOT_FOUND: not there. */
enum file_status fat_lookup(struct fat_entry *e, const char *name, size_t length);

#endif
