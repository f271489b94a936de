/* Address Windowing Extensions, as their system calls see them. Inside kernel/mm only. */
#ifndef MM_PHYSICAL_H
#define MM_PHYSICAL_H

#include "mm/mm.h"

/* An array of any length in kernel memory: what a caller gave, or will get. */
#define NUMBERS_PART 512
struct numbers {
	u64 count;
	u64 **parts; /* of NUMBERS_PART each */
};

static inline u64 *number_at(const struct numbers *n, u64 i) { return &n->parts[i / NUMBERS_PART][i % NUMBERS_PART]; }

/* What goes where. */
struct physical_mapping {
	u64 count;                  /* pages */
	u64 base;                   /* page-aligned */
	const struct numbers *vas;  /* NULL: from base on; else the pages that have these addresses */
	const struct numbers *pfns; /* frame numbers, with vas 0 = unmap; NULL: unmap all */
};

/* Gives v up to out->count zeroed pages; fewer if memory, or the limit of what can't leave it, is short. Returns how many. */
u64 physical_allocate(struct vspace *v, struct numbers *out);
/* Frees pages of v, mapped or not. STATUS_CONFLICTING_ADDRESSES at the first that is not v's; *done: how many went. */
u32 physical_free(struct vspace *v, const struct numbers *pfns, u64 *done);
/*
 * Maps and unmaps pages; all of it or nothing. STATUS_INVALID_PARAMETER_1, _2: not in a window, or behind its end;
 * STATUS_CONFLICTING_ADDRESSES: not v's page; STATUS_INVALID_PARAMETER_3: it is mapped elsewhere, or was named twice;
 * STATUS_COMMITMENT_LIMIT, STATUS_NO_MEMORY: for page tables.
 */
u32 physical_map(struct vspace *v, const struct physical_mapping *m);

#endif
