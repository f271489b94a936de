/*
 * For the tests of the FAT32 code: a volume that dosfstools and mtools made (fat_image.py), and below the code under
 * test a disk, kernel memory and locks of the tests' own, which can be told to fail and which look at what they are
 * asked for.
 */
#ifndef TESTS_HOST_FAT_WORLD_H
#define TESTS_HOST_FAT_WORLD_H

#include "io/fat.h"
#include "mm/pool.h"
#include "tap.h"

#define CONTENT_STEP 2654435761u
#define MODIFIED 1700000000

struct expected {
	const char *path, *typed; /* as on the disk; another way to write it */
	u64 size;
	u32 seed;
	u32 attributes;
};
#define FILES 12
#define MANY 150 /* more in \many: "file number i.txt", i bytes, seed 100 + i */
#define BIG 9
#define DEEP 10
extern struct expected expected[FILES];

extern u8 *image; /* a private copy */
extern size_t image_size;
extern struct block_device disk;
extern u64 requests;         /* that the disk got */
extern u64 bad_from, bad_to; /* sectors in [bad_from, bad_to) can't be read */
extern u64 fail_writes_after; /* how many more writes succeed; flushes fail with them */
extern bool image_changed;   /* world_begin loads the image anew */
extern u64 world_now;        /* seconds since 1970 */
extern u8 *touched;          /* if set, of each sector: read as metadata */
extern u64 allocations;      /* of kernel memory that were not freed */
extern u64 fail_after;       /* how many more allocations succeed */
extern u64 baseline;         /* allocations when cache_fill was called */

/* What was written, in order, and the flushes between, while record is set. */
struct write {
	u64 sector, count; /* one piece of a request */
	u8 *bytes;
	bool flush;
};
extern struct write *writes;
extern u32 write_count, flush_count;
extern bool record;
void record_begin(void);

/* Uses this image from now on: its name in the program's directory. */
void world_image(const char *program, const char *name);
/* Undoes all damage and failures and mounts the volume. */
void world_begin(void);
bool world_mount(void);
enum file_status world_sync(void), world_commit(void), world_space(struct file_space *out);
bool world_locked(void); /* a lock is held */
/* Lets the cache take all the memory that it ever takes, so that what a case leaves behind shows. */
void cache_fill(void);
void expect_no_leak(void); /* since then, perhaps with another volume mounted */

/* Changes the image until repair. */
void damage(size_t at, u8 value);
void damage32(size_t at, u32 value);
void repair(void);

/* Where things are in the image, found without the code under test. */
size_t fat_entry_at(u32 cluster);
size_t cluster_at(u32 cluster);
u32 cluster_bytes(void);

/* file_read_pages, as an image reads. */
enum file_status image_read_pages(struct file *f, u64 offset, u64 limit, const u64 *phys, u32 count);
/* The n bytes from offset of a file are what they should be. */
void expect_contents(const u8 *bytes, u64 offset, u64 n, u32 seed);
/* Opens path, compares everything with e. */
void expect_file(const char *path, const struct expected *e);

#endif
