/* Inside a heap: headers, lists of free blocks, splitting and joining, committing and giving back. See heap.h. */
#include "heap.h"

void heap_corrupt(void)
{
	EXCEPTION_RECORD record = { .ExceptionCode = (DWORD)STATUS_HEAP_CORRUPTION,
				    .ExceptionFlags = EXCEPTION_NONCONTINUABLE };

	RtlRaiseException(&record);
	NtTerminateProcess(BACKSTORE_CURRENT_PROCESS, STATUS_HEAP_CORRUPTION);
	__builtin_unreachable();
}

/* Of the address, the secret and all fields but the check word itself, mixed so that each bit of them tells. */
ULONG block_check(const struct heap *heap, const struct heap_block *block)
{
	ULONG64 sizes, mix = ((ULONG_PTR)block >> 4 ^ (ULONG64)heap->secret << 32) * 0x9E3779B97F4A7C15ull;
	ULONG rest;

	__builtin_memcpy(&sizes, block, sizeof(sizes));
	__builtin_memcpy(&rest, &block->slack, sizeof(rest)); /* and state, and last */
	mix = (mix ^ mix >> 29 ^ sizes) * 0xBF58476D1CE4E5B9ull;
	mix = (mix ^ mix >> 32 ^ rest) * 0x94D049BB133111EBull;
	return (ULONG)(mix >> 32);
}

void block_seal(const struct heap *heap, struct heap_block *block)
{
	block->check = block_check(heap, block);
}

BOOLEAN block_valid(const struct heap *heap, const struct heap_block *block)
{
	return block->check == block_check(heap, block);
}

static void block_expect_valid(const struct heap *heap, const struct heap_block *block)
{
	if (!block_valid(heap, block))
		heap_corrupt();
}

ULONG heap_protection(const struct heap *heap)
{
	return (heap->flags & HEAP_CREATE_ENABLE_EXECUTE) ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
}

/* One bin for each size below 1 KiB; above, four for each power of two. */
static ULONG bin_of(ULONG units)
{
	ULONG power, bin;

	if (units < 64)
		return units;
	power = 31 - (ULONG)__builtin_clz(units);
	bin = 64 + (power - 6) * 4 + (units >> (power - 2) & 3);
	return bin < HEAP_BINS ? bin : HEAP_BINS - 1;
}

static void free_block_unlink(struct heap *heap, struct heap_block *block)
{
	LIST_ENTRY *links = block_links(block);
	ULONG bin = bin_of(block->units);

	/* A write behind a free block's back shows here at the latest. */
	if (links->Flink->Blink != links || links->Blink->Flink != links)
		heap_corrupt();
	list_remove(links);
	if (block->state == BLOCK_FREE && heap->bins[bin].Flink == &heap->bins[bin]) /* it was in that one */
		heap->bin_used[bin / 64] &= ~(1ull << bin % 64);
}

static void free_block_link(struct heap *heap, struct heap_block *block)
{
	ULONG bin = bin_of(block->units);

	if (block->state == BLOCK_HOLE) {
		list_append(&heap->holes, block_links(block));
		return;
	}
	if (!bin_has(heap, bin))
		list_init(&heap->bins[bin]);
	list_append(&heap->bins[bin], block_links(block));
	heap->bin_used[bin / 64] |= 1ull << bin % 64;
}

/* Gives a block its size and state, and tells its right neighbour. */
static void block_set(struct heap *heap, struct heap_block *block, ULONG units, BYTE state)
{
	struct heap_block *right;

	block->units = units;
	block->state = state;
	block->slack = 0;
	block_seal(heap, block);
	right = block_right(block);
	if (right && right->left_units != units) {
		right->left_units = units;
		block_seal(heap, right);
	}
}

/*
 * Cuts a block, which is in no list, in two: the first part keeps units, the second one is returned, in no list
 * either.
 */
static struct heap_block *block_split(struct heap *heap, struct heap_block *block, ULONG units, BYTE state)
{
	struct heap_block *rest = block + units;
	ULONG rest_units = block->units - units;

	rest->left_units = units;
	rest->last = block->last;
	block->last = 0;
	block_set(heap, rest, rest_units, state);
	block_set(heap, block, units, block->state);
	return rest;
}

/* The right one of two neighbours, both in no list, becomes part of the left one. */
static void blocks_join(struct heap *heap, struct heap_block *left, struct heap_block *right, BYTE state)
{
	left->last = right->last;
	block_set(heap, left, left->units + right->units, state);
}

/* The pages of a hole that are decommitted: from behind its links to its end, whole pages only. */
static void hole_range(struct heap_block *block, BYTE **from, BYTE **to)
{
	*from = (BYTE *)address_round_up((ULONG64)((struct heap_free_block *)block + 1), HEAP_PAGE);
	*to = (BYTE *)((ULONG64)(block + block->units) & ~(HEAP_PAGE - 1));
	if (*to < *from)
		*to = *from;
}

/* A block that spans its whole segment, but not the one with the heap itself, takes the segment with it. */
static BOOLEAN segment_release(struct heap *heap, struct heap_block *block)
{
	struct heap_segment *own = (struct heap_segment *)heap - 1, *segment = (struct heap_segment *)block - 1;
	SIZE_T size = 0;
	void *base = segment;

	if (block->left_units || !block->last || block == own->first)
		return FALSE;
	list_remove(&segment->links);
	NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
	return TRUE;
}

/*
 * Puts a block that became free into the right list, after joining it with free neighbours. Joined with a hole, or
 * large enough to be one, it gives its inner pages back; a small committed block beside a hole stays by itself, so
 * that small blocks that come and go there do not commit and decommit each time.
 */
void block_release(struct heap *heap, struct heap_block *block)
{
	struct heap_block *left = block_left(block), *right = block_right(block);

	if (left)
		block_expect_valid(heap, left);
	if (right)
		block_expect_valid(heap, right);
	if (right && right->state == BLOCK_FREE) {
		free_block_unlink(heap, right);
		block->last = right->last;
		block->units += right->units;
	}
	if (left && left->state == BLOCK_FREE) {
		free_block_unlink(heap, left);
		left->last = block->last;
		left->units += block->units;
		block->check = ~block_check(heap, block); /* inside another one: who frees it again is to be noticed */
		block = left;
	}
	block_set(heap, block, block->units, BLOCK_FREE);
	if ((SIZE_T)block->units * HEAP_UNIT >= HEAP_HOLE_MIN) {
		BYTE *from, *to;
		void *base;
		SIZE_T size;

		left = block_left(block);
		right = block_right(block);
		if (left && left->state == BLOCK_HOLE) {
			free_block_unlink(heap, left);
			blocks_join(heap, left, block, BLOCK_HOLE);
			block = left;
		}
		if (right && right->state == BLOCK_HOLE) {
			free_block_unlink(heap, right);
			blocks_join(heap, block, right, BLOCK_HOLE);
		}
		block_set(heap, block, block->units, BLOCK_HOLE);
		if (segment_release(heap, block))
			return;
		hole_range(block, &from, &to);
		base = from;
		size = (SIZE_T)(to - from);
		if (size)
			NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_DECOMMIT);
	}
	free_block_link(heap, block);
}

/*
 * Commits the front of a hole so that it, with the free block to its left if there is one, has room for units; the rest
 * stays a hole. Returns the committed free block, in no list; NULL when the memory could not be committed.
 */
static struct heap_block *hole_commit(struct heap *heap, struct heap_block *hole, ULONG units)
{
	struct heap_block *left = block_left(hole);
	ULONG step = HEAP_COMMIT_STEP / HEAP_UNIT, need = units;
	BYTE *from, *to, *end;

	if (left && left->state == BLOCK_FREE)
		need = units > left->units ? units - left->units : HEAP_BLOCK_MIN_UNITS;
	else
		left = NULL;
	need = (need + step - 1) / step * step;
	if (need + HEAP_BLOCK_MIN_UNITS + HEAP_PAGE / HEAP_UNIT > hole->units)
		need = hole->units; /* no hole worth its name would be left */
	hole_range(hole, &from, &end);
	to = end;
	if (need < hole->units)
		to = (BYTE *)address_round_up((ULONG64)(hole + need + HEAP_BLOCK_MIN_UNITS), HEAP_PAGE);
	if (to > end)
		to = end;
	if (to > from) {
		void *base = from;
		SIZE_T size = (SIZE_T)(to - from);

		if (!NT_SUCCESS(NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &size, MEM_COMMIT,
							heap_protection(heap))))
			return NULL;
	}
	free_block_unlink(heap, hole);
	if (need < hole->units) {
		struct heap_block *rest = block_split(heap, hole, need, BLOCK_HOLE);

		free_block_link(heap, rest);
	}
	block_set(heap, hole, hole->units, BLOCK_FREE);
	if (left) {
		free_block_unlink(heap, left);
		blocks_join(heap, left, hole, BLOCK_FREE);
		hole = left;
	}
	return hole;
}

static struct heap_block *bins_find(struct heap *heap, ULONG units)
{
	ULONG bin = bin_of(units);

	/* The blocks of a bin above the exact ones differ in size: look for one that fits, in the own bin only. */
	for (LIST_ENTRY *at = heap->bins[bin].Flink; bin_has(heap, bin) && at != &heap->bins[bin]; at = at->Flink) {
		struct heap_block *block = block_of_links(at);

		if (block->units >= units)
			return block;
	}
	for (bin++; bin < HEAP_BINS; bin = (bin / 64 + 1) * 64) {
		ULONG64 used = heap->bin_used[bin / 64] >> bin % 64;

		if (used)
			return block_of_links(heap->bins[bin + (ULONG)__builtin_ctzll(used)].Flink);
	}
	return NULL;
}

static struct heap_block *holes_find(struct heap *heap, ULONG units)
{
	for (LIST_ENTRY *at = heap->holes.Flink; at != &heap->holes; at = at->Flink) {
		struct heap_block *hole = block_of_links(at), *left = block_left(hole);

		block_expect_valid(heap, hole);
		if (hole->units >= units)
			return hole;
		if (left && left->state == BLOCK_FREE && left->units + hole->units >= units)
			return hole;
	}
	return NULL;
}

/* A free block is cut to units; the rest, at least a block, stays in the list where the block is, if that is the right one. */
static void free_block_cut(struct heap *heap, struct heap_block *block, ULONG units)
{
	struct heap_block *rest = block + units;
	LIST_ENTRY *old = block_links(block), *links = block_links(rest);
	ULONG rest_units = block->units - units;
	BOOLEAN stays = bin_of(block->units) == bin_of(rest_units);

	if (stays) {
		if (old->Flink->Blink != old || old->Blink->Flink != old)
			heap_corrupt();
		*links = *old;
		links->Flink->Blink = links->Blink->Flink = links;
	} else {
		free_block_unlink(heap, block);
	}
	rest->left_units = units;
	rest->last = block->last;
	block->last = 0;
	block_set(heap, rest, rest_units, BLOCK_FREE);
	if (!stays)
		free_block_link(heap, rest);
	block->units = units;
}

/* A used block for size bytes, units with its header; NULL when there is no room left or the memory can't be committed. */
struct heap_block *blocks_take(struct heap *heap, ULONG units, SIZE_T size)
{
	struct heap_block *block = bins_find(heap, units);

	if (block) {
		block_expect_valid(heap, block);
		if (block->units - units >= HEAP_BLOCK_MIN_UNITS)
			free_block_cut(heap, block, units);
		else
			free_block_unlink(heap, block);
	} else {
		struct heap_block *hole = holes_find(heap, units);

		if (!hole) {
			if (heap->fixed || !NT_SUCCESS(segment_add(heap, heap->next_segment, 0)))
				return NULL;
			hole = holes_find(heap, units);
		}
		block = hole_commit(heap, hole, units);
		if (!block)
			return NULL;
		if (block->units - units >= HEAP_BLOCK_MIN_UNITS)
			free_block_link(heap, block_split(heap, block, units, BLOCK_FREE));
	}
	block->state = BLOCK_USED;
	block->slack = (USHORT)((block->units - 1) * HEAP_UNIT - size);
	block_seal(heap, block);
	return block;
}

/* Makes a used block smaller, or larger into a free block on its right. FALSE: it can't be done where it is. */
BOOLEAN block_resize(struct heap *heap, struct heap_block *block, ULONG units)
{
	struct heap_block *right = block_right(block);

	if (units > block->units) {
		if (!right)
			return FALSE;
		block_expect_valid(heap, right);
		if (right->state != BLOCK_FREE || block->units + right->units < units)
			return FALSE;
		free_block_unlink(heap, right);
		blocks_join(heap, block, right, BLOCK_USED);
	}
	if (block->units - units >= HEAP_BLOCK_MIN_UNITS)
		block_release(heap, block_split(heap, block, units, BLOCK_USED));
	return TRUE;
}

/* Writes the header of a segment and its only block: free up to where memory is committed, a hole beyond. */
void segment_init(struct heap *heap, struct heap_segment *segment, SIZE_T reserved, SIZE_T header, SIZE_T committed)
{
	struct heap_block *block = (struct heap_block *)((BYTE *)segment + header);

	segment->heap = heap;
	segment->reserved = reserved;
	segment->first = block;
	list_append(&heap->segments, &segment->links);
	block->left_units = 0;
	block->last = 1;
	block_set(heap, block, (ULONG)((reserved - header) / HEAP_UNIT), BLOCK_HOLE);
	/* Of what is committed, all but the end with the new hole's header and links is an ordinary free block. */
	if (committed >= reserved) {
		block_set(heap, block, block->units, BLOCK_FREE);
	} else if (committed >= header + 2 * sizeof(struct heap_free_block)) {
		ULONG units = (ULONG)((committed - sizeof(struct heap_free_block) - header) / HEAP_UNIT);

		free_block_link(heap, block_split(heap, block, units, BLOCK_HOLE));
		block_set(heap, block, units, BLOCK_FREE);
	}
	free_block_link(heap, block);
}

/* Reserves one more segment; the first page is committed. */
NTSTATUS segment_add(struct heap *heap, SIZE_T reserve, SIZE_T commit)
{
	void *base = NULL;
	SIZE_T size = reserve, first = commit > HEAP_PAGE ? commit : HEAP_PAGE;
	NTSTATUS status = NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &size, MEM_RESERVE,
						  heap_protection(heap));

	if (!NT_SUCCESS(status))
		return status;
	status = NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &first, MEM_COMMIT,
					 heap_protection(heap));
	if (!NT_SUCCESS(status)) {
		size = 0;
		NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
		return status;
	}
	segment_init(heap, base, reserve, sizeof(struct heap_segment), first);
	if (heap->next_segment < HEAP_SEGMENT_MAX)
		heap->next_segment *= 2;
	return STATUS_SUCCESS;
}
