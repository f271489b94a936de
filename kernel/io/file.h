/*
 * Files: the FAT32 system volume, read. One struct file for each file in use, shared by all who opened it; an open
 * handle is an object of its own (proc) with a position. Source: FAT32 File System Specification (Microsoft, 1.03).
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "lib/types.h"
#include "proc/lock.h"

#define FILE_NAME_MAX 255 /* UTF-16 units of one component */
#define FILE_PATH_MAX 520 /* bytes of a whole path with its 0, UTF-8 */

enum file_status {
	FILE_OK,
	FILE_NOT_FOUND,      /* the last component */
	FILE_PATH_NOT_FOUND, /* a component before it */
	FILE_BAD_NAME,
	FILE_IO_ERROR,
	FILE_NO_MEMORY,
	FILE_IS_DIRECTORY,
	FILE_NOT_DIRECTORY,
	FILE_CORRUPT, /* the volume contradicts itself (a cluster chain that loops, ends early, ...) */
	FILE_END,
};

#define FILE_ATTRIBUTE_READONLY_ 0x01 /* values of FAT and of Windows alike */
#define FILE_ATTRIBUTE_DIRECTORY_ 0x10

struct file {
	u32 refs; /* under the table's lock */
	u32 first_cluster;
	u64 size; /* bytes; 0 for a directory */
	u32 attributes;
	u64 modified_unix;        /* seconds since 1970, as the directory says */
	char path[FILE_PATH_MAX]; /* canonical, as on disk: "\dir\Name.exe"; the root is "\" */
	void *image_section; /* mm's: the section of this file as an image, or NULL; under the lock of mm/section.c */
	struct list link;
	u64 entry_at; /* its identity: where its directory entry is, bytes from the volume's start; 0: the root */
	/* The clusters of the file: see fat.h. They never change. */
	struct fat_run *runs;
	u32 run_count;
	u32 list_index, list_slot; /* of a directory: where the last file_list ended; under the volume's lock */
};

struct file_entry {                       /* of a directory */
	char name[FILE_NAME_MAX * 3 + 1]; /* UTF-8 */
	u64 size;
	u32 attributes;
	u64 modified_unix;
};

/* Mounts the volume on d. False, with a message, if it is not a FAT32 volume that can be used. */
struct block_device;
bool fat_mount(struct block_device *d);

/*
 * Opens path: absolute, '\\' or '/' between components, "." and ".." resolved by the text alone, long and short names,
 * letters of ASCII and Latin-1 compared without case (Windows does so for all of Unicode). Two opens of the same file
 * give the same struct file with one more reference.
 */
enum file_status file_open(const char *path, struct file **out);
void file_ref(struct file *f);
void file_unref(struct file *f); /* the last one frees it; no spinlock held */

/*
 * Reads bytes [offset, offset + n) to kernel memory in the direct map (kmalloc's, or a frame's). *got < n only at the
 * end of the file. The larger n, the faster: the disk is asked for each contiguous run at once, and nothing is read
 * ahead. Under 4096 bytes go through the volume's cache: to may be any kernel memory. Thread context, sleeps; no mutex
 * of rank RANK_FS or above held.
 */
enum file_status file_read(struct file *f, u64 offset, void *to, u64 n, u64 *got);
/*
 * Reads count whole pages from offset (any alignment to bytes; aligned to sectors goes straight into the frames, one
 * request where the file is contiguous on the disk, without locks and allocations) into the given frames; bytes at or
 * beyond file offset limit or the file's end are zero. On an error the frames hold anything. As file_read otherwise.
 */
enum file_status file_read_pages(struct file *f, u64 offset, u64 limit, const u64 *phys, u32 count);

/* The index-th entry of a directory ("." and ".." included except in the root); FILE_END behind the last. */
enum file_status file_list(struct file *directory, u32 index, struct file_entry *out);

extern struct file_counters {
	u64 opens, reads, read_bytes, device_reads;
} file_counters;

#endif
