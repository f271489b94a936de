/* Paging files: slots, checksums, reading and writing. Inside kernel/mm only (but for swap_init in mm.h). */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include "abi/backstore.h"
#include "mm/frame.h"

#define SWAP_FILES_MAX 16
#define SWAP_CLUSTER 64 /* most pages in one request */

/*
 * Takes a run of up to want free slots in one paging file; *got >= 1. False: none is free (no paging file is the same as
 * a full one). Any context.
 */
bool swap_slots_take(u32 want, u32 *file, u64 *slot, u32 *got);
void swap_slot_free(u32 file, u64 slot);
void swap_slot_bad(u32 file, u64 slot); /* never used again; stays taken */
bool swap_slot_used(u32 file, u64 slot);
u64 swap_slots_free(void);
u64 swap_slots_total(void);
u64 swap_slots_in_use(void); /* without bad ones */

/* The slot in f->backing, if any, becomes free and the frame has no copy on a disk; frames_lock held. */
void swap_slot_drop(struct frame *f);

/* Writes count frames to slots from slot on, in one request; thread context. Keeps each slot's checksum. One caller at a time (the writer). */
bool swap_write(u32 file, u64 slot, const u32 *pfns, u32 count);
/* Reads them; the checksum of each is compared: bit i of *bad = page i is not what was written. False: the request failed. */
bool swap_read(u32 file, u64 slot, const u32 *pfns, u32 count, u64 *bad);

#endif
