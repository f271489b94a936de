/*
 * FAT32 volumes, inside io only. The disk is never trusted: every number that comes from it is checked before it is used.
 *
 * All metadata is read and changed under the volume's lock, in the blocks of fat_cache.c, which are written later, in an
 * order that leaves nothing worse than clusters that no file has, whenever the power goes (docs/files.md):
 *
 *	- data of files goes to the disk at once, past the blocks;
 *	- a FAT's sector may be written at any time: an entry of a chain that a directory knows only points to entries
 *	  that are on the disk already or in the same sector;
 *	- directories are written by fat_commit alone, after the data and the FATs that they point to are on the disk;
 *	- clusters are free again after the directories that no longer point to them are on the disk.
 */
#ifndef IO_FAT_H
#define IO_FAT_H

#include "io/block.h"
#include "io/fat_path.h"
#include "io/file.h"
#include "proc/lock.h"

#define FAT_FREED_MAX 64
#define FAT_ERASED_MAX 32

#define FAT_BLOCK_SIZE 4096
#define FAT_BLOCKS_MAX 64

struct fat_block {
	u64 number; /* in blocks from the device's start, or none */
	u8 *bytes;
	u8 dirty;         /* bit i: sector i has to be written */
	struct list link; /* the one used last is the first */
};

struct fat_cache {
	struct fat_block blocks[FAT_BLOCKS_MAX];
	u32 block_count; /* that have memory: all but a few get it when they are first needed */
	struct list order;
	u64 data_numbers; /* bit i: a block may be there that reaches into the data, and whose number % 64 is i */
	struct block_request request; /* one at a time, under the volume's lock: too large for the stack */
};

struct volume {
	u32 refs; /* under the list's lock: that it is mounted, and one for each struct file */
	char letter;
	/*
	 * Claimed, while the disk is there; NULL: it is not. Changes under the lock below and the list's: who has neither takes
	 * a reference of his own for a request (volume_device).
	 */
	struct block_device *device;
	bool read_only; /* the disk; as device */
	enum volume_state { VOLUME_PRESENT, VOLUME_AWAY, VOLUME_REPLACED } state; /* changed by one thread: hotplug's */
	u32 medium;        /* counts how often its disk came back; under the lock; read without */
	bool resumable;    /* away, but all of it was written before */
	u8 first[512];     /* the first sector */
	struct list unlinked; /* files that have gone and keep their clusters, under the lock below */
	struct mutex lock; /* RANK_FS; over all below, if nothing else is said */
	struct fat_cache cache;
	u64 fat_sector;              /* of the FAT that is read; in sectors of 512 bytes, as everywhere */
	u64 fat_sectors;             /* of one FAT */
	u64 copies_sector;           /* of the first FAT that is kept up to date */
	u32 copies;                  /* how many are, one behind the other */
	u64 data_sector;             /* of cluster 2: all before it is FATs and the like, all behind it files and directories */
	u32 cluster_sectors;
	u32 cluster_count; /* clusters 2 to cluster_count + 1 */
	u32 root_cluster;
	u32 serial;
	u64 info_sector;  /* of FSInfo; 0: there is none */
	bool info_stale;  /* FSInfo on the disk says that it does not know */
	u32 next_free;    /* where the search for a free cluster begins */
	u32 free_count;   /* clusters, if free_known */
	bool free_known;
	u32 freed[FAT_FREED_MAX]; /* first clusters of chains that are free after the next commit */
	u32 freed_count;
	struct fat_erased {
		u64 key, sector;
	} erased[FAT_ERASED_MAX]; /* names that the disk may have until the next commit: see fat_dir_change.c */
	u32 erased_count;         /* above FAT_ERASED_MAX: there are others */
	u32 directory_changes; /* counts directories that grew: who has kept one's clusters looks again */
	bool unflushed;        /* atomic: the device may have in its own memory what was written to it */
	bool commit_wanted;    /* the committer has to do something */
};

/* The volume that has this letter: one more reference; NULL: there is none. */
struct volume *volume_get(char letter);
void volume_ref(struct volume *v);
struct block_device *volume_device(struct volume *v); /* one more reference; NULL: it is not there */
/* A request of the volume's, from start to end; the volume's lock need not be held. FILE_NO_MEDIUM, FILE_STALE, FILE_IO_ERROR. */
enum file_status volume_transfer(struct volume *v, struct block_request *r);
/* An error, named for what it comes from if the disk has gone meanwhile. */
enum file_status volume_error(const struct volume *v, enum file_status status);

#define FAT_FIRST_CLUSTER 2

/* ---- fat_cache.c: blocks of 4 KiB with the metadata that was used last. The volume's lock is held ---- */

/* False: no memory for the fewest blocks that do. */
bool fat_cache_init(struct volume *v);
void fat_cache_free(struct volume *v);
void fat_cache_forget(struct volume *v); /* nothing is known of the disk any more */
/* The 512 bytes of a sector, in its block; they stay until the next call. NULL: it can't be read, or room can't be made. */
const u8 *fat_cache_get(struct volume *v, u64 sector);
/* The same to change them: they will be written. */
u8 *fat_cache_change(struct volume *v, u64 sector);
/* n bytes of a file's data into a sector from byte at on, written at once. */
enum file_status fat_cache_store(struct volume *v, u64 sector, u32 at, const void *from, u32 n);
/* count sectors of file data have been written past the blocks: bytes, or zeros if NULL. */
void fat_cache_patch(struct volume *v, u64 sector, u64 count, const u8 *bytes);
/* Writes changed sectors: those before the data (FATs, all copies; FSInfo), or those of directories. */
enum file_status fat_cache_write_tables(struct volume *v);
enum file_status fat_cache_write_directories(struct volume *v);
bool fat_cache_crowded(struct volume *v); /* so many blocks wait to be written that a commit is due */
bool fat_cache_dirty(struct volume *v);

/* ---- fat_commit.c: what reaches the disk when. The volume's lock is held ---- */

/* Before each change: FILE_READ_ONLY, or a commit that was due failed. */
enum file_status fat_begin(struct volume *v);
/* All changes so far are on the disk itself when this succeeds, but for what says that clusters are free. */
enum file_status fat_commit(struct volume *v);
/* The same, and FSInfo is right. */
enum file_status fat_sync(struct volume *v);
/* All that was written to the device is on the disk itself. */
enum file_status fat_barrier(struct volume *v);
void fat_wrote(struct volume *v); /* something was written to the device; any context */
void fat_commit_init(struct volume *v);

/* ---- fat.c, fat_table.c: chains of clusters ---- */

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
 * All of the chain is in them, also what lies behind the file's end.
 */
#define FAT_DIRECTORY (~0ull)
enum file_status fat_chain_read(struct volume *v, u32 first, u64 size, struct fat_run **runs, u32 *run_count);
/* Puts so many more clusters, from cluster on, at the end of the runs. False: no memory, or too many runs. */
bool fat_runs_append(struct fat_run **runs, u32 *run_count, u32 cluster, u32 clusters);
/* Only the first clusters stay. */
void fat_runs_cut(struct fat_run **runs, u32 *run_count, u32 clusters);
/*
 * The sector on the disk of byte offset (rounded down to a sector) of a file; *count: how many follow it there without
 * a gap, itself included. offset must lie in the runs.
 */
u64 fat_sector_at(const struct volume *v, const struct fat_run *runs, u32 run_count, u64 offset, u64 *count);
u32 fat_run_cluster(const struct fat_run *runs, u32 run_count, u32 file_cluster); /* on the disk */
static inline u32 fat_runs_clusters(const struct fat_run *runs, u32 run_count)
{
	return run_count ? runs[run_count].file_cluster : 0;
}
static inline u32 fat_cluster_bytes(const struct volume *v)
{
	return v->cluster_sectors * SECTOR_SIZE;
}
static inline u64 fat_runs_bytes(const struct volume *v, const struct fat_run *runs, u32 run_count)
{
	return (u64)fat_runs_clusters(runs, run_count) * fat_cluster_bytes(v);
}
static inline u64 fat_cluster_sector(const struct volume *v, u32 cluster)
{
	return v->data_sector + (u64)(cluster - FAT_FIRST_CLUSTER) * v->cluster_sectors;
}
bool fat_cluster_valid(const struct volume *v, u32 cluster);
/* What the FAT has for a cluster, the upper four bits aside; FAT_END: the end of the chain, and nothing else above it. */
#define FAT_END 0x0ffffff8u
enum file_status fat_entry_get(struct volume *v, u32 cluster, u32 *value);

/*
 * Makes the chain clusters long. *first is set if there was none: a directory entry has to get it. New clusters hold
 * what was on the disk before. zeroed: they are zeros and on the disk before the chain has them, for a directory.
 * FILE_NO_SPACE: nothing has changed.
 */
enum file_status fat_chain_extend(struct volume *v, u32 *first, struct fat_run **runs, u32 *run_count, u32 clusters,
				  bool zeroed);
/*
 * The chain ends after clusters (at least one) of it; the rest is free after the next commit. Directories on the disk
 * must not need the rest any more: commit before.
 */
enum file_status fat_chain_cut(struct volume *v, struct fat_run **runs, u32 *run_count, u32 clusters);
/* The chain that begins at first (0: none) is free after the next commit. fat_begin has made room for two. */
void fat_chain_drop(struct volume *v, u32 first);
/* Frees the chains that were dropped: after the commit. */
void fat_chains_free(struct volume *v);
enum file_status fat_free_clusters(struct volume *v, u32 *count);
/* Zeros to count sectors of the disk; the volume's lock need not be held: the caller patches the cache. */
enum file_status fat_zero(struct volume *v, u64 sector, u64 count);

/* ---- fat_dir.c, fat_dir_change.c: directories ---- */

/* Where the entries of a name are: the pieces of the long name and behind them the short entry. */
struct fat_place {
	u32 directory; /* its first cluster */
	u32 slot;      /* of the first of them, in entries of 32 bytes */
	u32 slots;
	u64 at;        /* of the short entry: bytes from the volume's start; 0: the root, which has none */
};

/* A directory entry, read. */
struct fat_entry {
	u16 name[FILE_NAME_MAX]; /* the long name; the short one if there is none */
	u32 name_length;
	u16 short_name[FAT_SHORT_MAX];
	u32 short_length;
	u32 attributes;
	u32 first_cluster;
	u32 size;
	u64 modified_unix, created_unix, accessed_unix;
	struct fat_place place;
};

/* A walk through a directory's entries. Its memory belongs to the caller; slot counts the 32-byte entries. */
struct fat_walk {
	struct volume *volume;
	const struct fat_run *runs;
	u32 run_count;
	u32 slot;
	u32 long_slot; /* where the long name began, if it is valid */
	struct fat_long_name long_name;
};
void fat_walk_begin(struct volume *v, struct fat_walk *w, const struct fat_run *runs, u32 run_count, u32 slot);
/* The next entry that is in use; volume labels and damaged entries are passed over. FILE_END behind the last. */
enum file_status fat_walk_next(struct fat_walk *w, struct fat_entry *e);
void fat_root_entry(struct volume *v, struct fat_entry *e);
/* Looks name (UTF-16) up in the directory that begins at this cluster. FILE_NOT_FOUND: not there. */
enum file_status fat_lookup(struct volume *v, u32 directory, const u16 *name, u32 length, struct fat_entry *e);
/* The 11 bytes of the root directory's label. FILE_NOT_FOUND: it has none. */
enum file_status fat_label_read(struct volume *v, u8 *label);
/* FILE_OK: nothing but "." and ".."; FILE_NOT_EMPTY. */
enum file_status fat_directory_empty(struct volume *v, u32 directory);

/* What of a file its directory entry says. */
struct fat_facts {
	u32 attributes, first_cluster, size;
	u64 modified_unix, created_unix, accessed_unix;
};
/*
 * Writes entries for the name into a directory. vacated: places (count of them) whose entries go. The first *erased of
 * them, as many as can be, are erased here, in the very sector where the new entries are: all of that happens at once. The
 * caller erases the others, after a commit if they must not go before the new ones are there.
 */
enum file_status fat_dir_insert(struct volume *v, u32 directory, const struct fat_name *name,
				const struct fat_facts *facts, const struct fat_place *vacated, u32 count,
				struct fat_place *out, u32 *erased);
enum file_status fat_dir_erase(struct volume *v, const struct fat_place *place);
enum file_status fat_dir_update(struct volume *v, u64 at, const struct fat_facts *facts);
/* *so: there is an entry at at, of a directory or not, and it says just this. */
enum file_status fat_dir_compare(struct volume *v, u64 at, u32 attributes, u32 first_cluster, u32 size, u64 modified, bool *so);
/* A cluster for a new directory, with "." and "..", on the device when it returns. parent: 0 for the root. */
enum file_status fat_dir_make(struct volume *v, u32 parent, const struct fat_facts *facts, u32 *cluster);
/* ".." of the directory that begins at this cluster. */
enum file_status fat_dir_set_parent(struct volume *v, u32 directory, u32 parent);

u64 fat_now(void); /* seconds since 1970 */

#endif
