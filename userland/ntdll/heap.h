/*
 * The heap. Memory is reserved in segments, each a row of blocks without gaps. A block begins with a header of 16
 * bytes that knows its own size and its left neighbour's, so that free neighbours are joined when a block is freed.
 * Free blocks are of two kinds: committed ones lie in lists by size; "holes" are large ones whose inner pages are
 * decommitted, all but the first bytes, where the header and the links are. Blocks of 512 KiB and more are
 * allocations of their own.
 *
 * Every header carries a check word made from its address, its other fields and a secret of the heap: a header that
 * somebody wrote over, a block freed twice and a pointer that never was a block are all noticed when it is used.
 */
#ifndef NTDLL_HEAP_H
#define NTDLL_HEAP_H

#include "ntdll.h"

#define HEAP_UNIT 16u
#define HEAP_PAGE 4096ull
#define HEAP_BINS 128u
#define HEAP_LARGE (512u << 10)        /* bytes asked for, from which a block is an allocation of its own */
#define HEAP_FIXED_BLOCK_MAX 0xFF000u  /* the largest block of a heap with a maximum size, as documented */
#define HEAP_HOLE_MIN (128u << 10)     /* free bytes, from which pages are given back */
#define HEAP_COMMIT_STEP (64u << 10)
#define HEAP_SEGMENT_MIN (1u << 20)
#define HEAP_SEGMENT_MAX (16u << 20)
#define HEAP_SIGNATURE 0x70616568u

enum block_state {
	BLOCK_USED = 0x55, /* values that zeroed or junk memory does not have by chance */
	BLOCK_FREE = 0xF1,
	BLOCK_HOLE = 0x81,
	BLOCK_LARGE = 0x1A,
};

struct heap_block {
	ULONG units;        /* the whole block, in units of 16 bytes; 0 for BLOCK_LARGE */
	ULONG left_units;   /* the block to the left; 0 for a segment's first */
	USHORT slack;       /* bytes at the end of a used block that nobody asked for */
	BYTE state;         /* enum block_state */
	BYTE last;          /* the last block of its segment */
	ULONG check;
};
_Static_assert(sizeof(struct heap_block) == HEAP_UNIT, "a header is one unit");

struct heap_free_block {
	struct heap_block header;
	LIST_ENTRY links;
};
#define HEAP_BLOCK_MIN_UNITS (sizeof(struct heap_free_block) / HEAP_UNIT)

struct heap_segment {
	LIST_ENTRY links;
	struct heap *heap;
	SIZE_T reserved;    /* bytes, this header included */
	struct heap_block *first;
	ULONG64 padding;
};

struct heap_large {
	LIST_ENTRY links;
	SIZE_T reserved, asked; /* bytes: of the allocation, of the caller's block */
	struct heap_block header;
};

/* Lies behind the header of the first segment. */
struct heap {
	ULONG signature, flags;   /* HEAP_NO_SERIALIZE, HEAP_GENERATE_EXCEPTIONS, HEAP_CREATE_ENABLE_EXECUTE */
	ULONG secret;
	BOOLEAN fixed;            /* one segment of the size given to HeapCreate, and no more */
	SIZE_T next_segment;      /* bytes to reserve for the next one */
	RTL_CRITICAL_SECTION lock;
	LIST_ENTRY segments, large, holes;
	ULONG64 bin_used[HEAP_BINS / 64];
	LIST_ENTRY bins[HEAP_BINS]; /* valid where bin_used has a bit: then there is a block in it */
};

static inline BOOLEAN bin_has(const struct heap *heap, ULONG bin)
{
	return heap->bin_used[bin / 64] >> bin % 64 & 1;
}

static inline struct heap_block *block_right(struct heap_block *block)
{
	return block->last ? NULL : block + block->units;
}

static inline struct heap_block *block_left(struct heap_block *block)
{
	return block->left_units ? block - block->left_units : NULL;
}

static inline LIST_ENTRY *block_links(struct heap_block *block)
{
	return &((struct heap_free_block *)block)->links;
}

static inline struct heap_block *block_of_links(LIST_ENTRY *links)
{
	return &CONTAINER(links, struct heap_free_block, links)->header;
}

/* heap_blocks.c: the caller holds the heap's lock. */
ULONG block_check(const struct heap *heap, const struct heap_block *block);
void block_seal(const struct heap *heap, struct heap_block *block);
BOOLEAN block_valid(const struct heap *heap, const struct heap_block *block);
void heap_corrupt(void) __attribute__((noreturn));
struct heap_block *blocks_take(struct heap *heap, ULONG units, SIZE_T size);
void block_release(struct heap *heap, struct heap_block *block);
BOOLEAN block_resize(struct heap *heap, struct heap_block *block, ULONG units);
NTSTATUS segment_add(struct heap *heap, SIZE_T reserve, SIZE_T commit);
void segment_init(struct heap *heap, struct heap_segment *segment, SIZE_T reserved, SIZE_T header, SIZE_T committed);
ULONG heap_protection(const struct heap *heap);

#endif
