/* Paging files: slots, checksums, reading and writing. Inside kernel/mm only (but for swap_init in mm.h). */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include "abi/backstore.h"
#include "io/block.h"
#include "mm/frame.h"

#define SWAP_CLUSTER 64 /* most pages in one request */

/* ---- slots; any context, frames_lock may be held ---- */

/*
 * Takes a run of up to want free slots in one paging file, of those with the highest priority that have any, in turn;
 * *got >= 1. False: none is free (no paging file is the same as a full one).
 */
bool swap_slots_take(u32 want, u32 *file, u64 *slot, u32 *got);
void swap_slot_free(u32 file, u64 slot);
/* The slot, which is taken, failed: once it is free it is not given out any more, and the commit limit is one page less. */
void swap_slot_retire(u32 file, u64 slot);
bool swap_slot_used(u32 file, u64 slot);
/* May a page that is in memory keep its copy there? Not if the slot failed, nor if the file is being removed. */
bool swap_slot_keeps(u32 file, u64 slot);
/* The slot in f->backing, if any, becomes free and the frame has no copy on a disk; frames_lock held. */
void swap_slot_drop(struct frame *f);
/* Of all files that pages can be written to. */
u64 swap_slots_free(void);
u64 swap_slots_total(void);
u64 swap_slots_in_use(void); /* of all files: that a word or a frame names */
u64 swap_files_check(void);  /* counts again; returns how many files' counts are wrong, each printed */

/* ---- transfers: in one request; thread context ---- */

/*
 * Begins to write count frames to slots from slot on, and keeps the checksum of each. r is the caller's, until
 * swap_write_end has waited for it. False: it failed, and nobody knows what is in the slots.
 */
void swap_write_begin(u32 file, u64 slot, const u32 *pfns, u32 count, struct block_request *r);
bool swap_write_end(u32 file, u64 slot, struct block_request *r);
/* Reads them; the checksum of each is compared: bit i of *bad = page i is not what was written. False: the request failed. */
bool swap_read(u32 file, u64 slot, const u32 *pfns, u32 count, u64 *bad);
/*
 * The same in parts: r is lent until complete is called (block.h), NULL: until block_wait returns; which pages are not what
 * was written. No error is noted: who has to have the pages reads them again.
 */
void swap_read_begin(u32 file, u64 slot, const u32 *pfns, u32 count, struct block_request *r,
		     void (*complete)(struct block_request *));
u64 swap_read_wrong(u32 file, u64 slot, const u32 *pfns, u32 count);

/* ---- files; thread context, no locks held ---- */

/* As BsAddPagingFile and BsRemovePagingFile (abi/backstore.h); name: NULL = by number. */
u32 swap_file_add(const char *name, u64 size, i64 priority);
u32 swap_file_remove(const char *name, u64 number, struct bs_paging_file_removal *out);

#endif
