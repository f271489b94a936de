/* vmmap: the ranges of a process's address space, and what each of them is. map.c reads, main.c shows. */
#ifndef VMMAP_H
#define VMMAP_H

#include "backing.h"
#include "peb.h"
#include "process.h"

enum range_kind {
	RANGE_IMAGE, RANGE_MAPPED, RANGE_SECTION, RANGE_HEAP, RANGE_STACK, RANGE_TEB, RANGE_PHYSICAL, RANGE_LARGE,
	RANGE_PRIVATE, RANGE_FREE, RANGE_KINDS,
};

/* Pages of a range. */
struct range_counts {
	uint64_t backing[BACKINGS]; /* by enum bs_backing; all but BS_NOTHING are committed */
	uint64_t committed;
	uint64_t charged;           /* count against the commit limit for this process alone: private or write-copy */
	uint64_t working_set;       /* in the process's page table = set_private + set_shareable */
	uint64_t set_private, set_shareable;
	uint64_t set_shared;        /* those shareable ones that other page tables have too */
	uint64_t locked;
};

struct range {
	uint64_t base, size, allocation; /* bytes */
	uint32_t state, protect;
	enum range_kind kind;
	struct range_counts counts;
};

struct map {
	struct range *ranges;
	size_t count;
};

const char *range_kind_text(enum range_kind kind);
void range_counts_add(struct range_counts *to, const struct range_counts *from);

/*
 * Reads the whole map of a process: all ranges, free ones too, in order. Needs PROCESS_QUERY_INFORMATION and
 * PROCESS_VM_READ. False: GetLastError says why.
 */
bool map_read(HANDLE process, struct map *map);

#endif
