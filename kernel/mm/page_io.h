/*
 * Pages on their way in. A page's word says "in transition", its frame FRAME_READING, and the frame's backing where it comes
 * from; so who else wants the page waits for the frame, and who gives it up leaves it to us.
 */
#ifndef MM_PAGE_IO_H
#define MM_PAGE_IO_H

#include "mm/swap.h"

struct section;

struct page_io {
	enum { IO_NONE, IO_WAIT, IO_SWAP, IO_READ } kind; /* IO_WAIT: for somebody else's read, of pfns[0] */
	u32 pfns[SWAP_CLUSTER], count;
	struct section *section; /* IO_READ: pages from index on, in a row. A reference, */
	bool borrowed;           /* but if somebody else's keeps the section */
	u64 index;
	u32 status;              /* why the first page could not be had, if so */
	bool returns, refault;   /* the first page was evicted once: the wait for it is a stall; shortly before (thrash.h) */
};

/*
 * The page of *word, which says paging file or backing file, will be read into pfn, a frame just allocated. The lock of the
 * word is held. flags: FRAME_* that say whose word it is, and FRAME_AHEAD; use: enum bs_frame_use, of a section's page;
 * priority: PRIORITY_*.
 */
void page_io_add(struct page_io *io, u32 pfn, word_t *word, u16 flags, u8 use, u32 priority);
/*
 * No locks held. Reads: in as few requests as the pages' places allow, and what fails in one of several pages again alone.
 * Then good pages are standby, or, if they can't keep their slot, modified; the others are back where they were. Bit i of
 * the result: page i could not be had.
 */
u64 page_io_run(struct page_io *io);
/*
 * The second half of that, for one who has read the pages himself; bad as the result above. keep: what could not be had may
 * be asked for again; else its slot is retired.
 */
void page_io_finish(struct page_io *io, u64 bad, bool keep);

#endif
