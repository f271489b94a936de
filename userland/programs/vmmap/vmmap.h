/* vmmap: the ranges of a process's address space, and what each of them is. */
#ifndef VMMAP_H
#define VMMAP_H

#include "peb.h"
#include "process.h"

enum range_kind { RANGE_PRIVATE, RANGE_HEAP, RANGE_STACK, RANGE_TEB, RANGE_MAPPED, RANGE_IMAGE, RANGE_KINDS };

/* Pages of a range by where they are backed; the index of counts is enum bs_backing. */
struct backing_counts {
	uint64_t pages[BS_DATA_FILE + 1];
	uint64_t resident; /* in memory, whatever else backs them */
};

struct range {
	uint64_t base, size, allocation; /* bytes */
	uint32_t state, protect;
	enum range_kind kind;
	struct backing_counts counts;
};

struct map {
	struct range *ranges;
	size_t count;
};

const char *range_kind_text(enum range_kind kind);

/*
 * Reads the whole map of a process: all ranges that are not free, in order. Needs PROCESS_QUERY_INFORMATION and
 * PROCESS_VM_READ. False: GetLastError says why.
 */
bool map_read(HANDLE process, struct map *map);

/* The base name of the file behind an address; false if there is none. */
bool map_file_name(HANDLE process, uint64_t address, char *name, size_t size);

/* Adds the backing of the pages of [base, base + size) to counts. */
bool backing_count(HANDLE process, uint64_t base, uint64_t size, struct backing_counts *counts);

#endif
