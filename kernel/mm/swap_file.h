/* One paging file, as swap*.c share it. */
#ifndef MM_SWAP_FILE_H
#define MM_SWAP_FILE_H

#include "io/block.h"
#include "lib/bitmap.h"
#include "mm/swap.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

enum swap_state {
	SWAP_CLOSED,   /* the number is free */
	SWAP_OPENING,  /* the number is taken; nobody but the opener looks at the rest */
	SWAP_OPEN,
	SWAP_REMOVING, /* no more slots are given out */
};

struct swap_transfers {
	u64 write_requests, read_requests, pages_written, pages_read, errors; /* atomic */
};

/*
 * A file's entry stays for ever, so that whoever has a number may lock it. What it points to goes when the file is closed:
 * when no slot is in use, so that no word, frame or transfer names it any more.
 */
struct swap_file {
	struct spinlock lock;    /* state and slots; state changes only with swap_files_lock held too */
	enum swap_state state;
	struct block_device *device;
	i64 priority;
	u32 failures;            /* writes in a row that failed */
	u64 turn;                /* when it gave out slots last: the one with the lowest is next */
	struct bitmap slots;     /* set: in use, or retired */
	struct bitmap retired;   /* set: it failed. It may be in use still */
	u64 retired_idle;        /* of these, not in use */
	u64 peak;
	u32 *checksums;          /* one for each slot; owned by whoever owns the slot */
	void *tables;            /* the memory of the three */
	struct swap_transfers transfers;
};
extern struct swap_transfers swap_transfers_gone; /* of files that were removed; under swap_files_lock */
extern struct swap_file swap_files[BS_PAGING_FILES_MAX];
extern struct mutex swap_files_lock; /* which numbers are taken, by which disks, with which priorities */

/* With the file's lock held, or where nobody changes it: */
static inline u64 swap_file_in_use(const struct swap_file *f) { return f->slots.used - f->retired_idle; }
/* Counted in the commit limit, while it is open. */
static inline u64 swap_file_good(const struct swap_file *f) { return f->slots.bits - f->retired.used; }

/*
 * Moves all pages elsewhere that the file holds; it is SWAP_REMOVING. No locks held. STATUS_SUCCESS: no slot was in use any
 * more. Others: see BsRemovePagingFile. *unreadable: how many pages could not be read.
 */
u32 swap_file_empty(u32 number, u64 *unreadable);

/*
 * Waits for a frame that can be had for good, as long as pages leave memory: processes under pressure take what comes,
 * and on a slow machine that goes on for long. False: nothing more can leave memory to make room, or the thread was told to end.
 */
bool swap_room_wait(void);

/* A RAM disk of single frames, charged as kernel memory. Statuses as BsAddPagingFile's. */
u32 swap_ramdisk_make(u64 bytes, struct block_device **out);
void swap_ramdisk_free(struct block_device *d);

#endif
