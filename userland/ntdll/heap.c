/*
 * The heap's calls. Sizes are bytes; blocks are aligned to 16 bytes. Failure is NULL or FALSE, or an exception if
 * asked for.
 */
#include "heap.h"

static void heap_lock(struct heap *heap, ULONG flags)
{
	if (!((heap->flags | flags) & HEAP_NO_SERIALIZE))
		RtlEnterCriticalSection(&heap->lock);
}

static void heap_unlock(struct heap *heap, ULONG flags)
{
	if (!((heap->flags | flags) & HEAP_NO_SERIALIZE))
		RtlLeaveCriticalSection(&heap->lock);
}

static struct heap *heap_of(void *handle)
{
	struct heap *heap = handle;

	if (!heap || heap->signature != HEAP_SIGNATURE)
		heap_corrupt();
	return heap;
}

static void *heap_refuse(struct heap *heap, ULONG flags)
{
	RtlSetLastWin32ErrorAndNtStatusFromNtStatus(STATUS_NO_MEMORY);
	if ((heap->flags | flags) & HEAP_GENERATE_EXCEPTIONS)
		RtlRaiseStatus(STATUS_NO_MEMORY);
	return NULL;
}

/* Units for a block of so many bytes, its header included. */
static ULONG units_of(SIZE_T size)
{
	ULONG units = (ULONG)((size + HEAP_UNIT - 1) / HEAP_UNIT) + 1;

	return units < HEAP_BLOCK_MIN_UNITS ? (ULONG)HEAP_BLOCK_MIN_UNITS : units;
}

/*
 * reserve 0 or HEAP_GROWABLE in flags: the heap grows as needed; else reserve bytes are all it gets. commit bytes are
 * committed at once. base, lock and parameters must be NULL: memory and lock of the caller's are not supported.
 */
void *NTAPI RtlCreateHeap(ULONG flags, void *base, SIZE_T reserve, SIZE_T commit, void *lock,
			  PRTL_HEAP_PARAMETERS parameters)
{
	BOOLEAN fixed = reserve && !(flags & HEAP_GROWABLE);
	SIZE_T header = sizeof(struct heap_segment) + address_round_up(sizeof(struct heap), HEAP_UNIT);
	ULONG protect = (flags & HEAP_CREATE_ENABLE_EXECUTE) ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
	struct heap_segment *segment;
	struct heap *heap;
	NTSTATUS status;
	SIZE_T size;

	if (base || lock || parameters) {
		RtlSetLastWin32ErrorAndNtStatusFromNtStatus(STATUS_INVALID_PARAMETER);
		return NULL;
	}
	commit = address_round_up(commit + header + sizeof(struct heap_free_block), HEAP_PAGE);
	reserve = address_round_up(reserve, HEAP_PAGE);
	if (!fixed && reserve < HEAP_SEGMENT_MIN)
		reserve = HEAP_SEGMENT_MIN;
	if (fixed && reserve < header + HEAP_PAGE)
		reserve = 2 * HEAP_PAGE;
	if (commit > reserve) {
		if (fixed)
			commit = reserve;
		else
			reserve = commit;
	}
	size = reserve;
	status = NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &size, MEM_RESERVE, protect);
	if (NT_SUCCESS(status)) {
		size = commit;
		status = NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &size, MEM_COMMIT, protect);
		if (!NT_SUCCESS(status)) {
			size = 0;
			NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
		}
	}
	if (!NT_SUCCESS(status)) {
		RtlSetLastWin32ErrorAndNtStatusFromNtStatus(status);
		return NULL;
	}
	segment = base;
	heap = (struct heap *)(segment + 1);
	heap->signature = HEAP_SIGNATURE;
	heap->flags = flags & (HEAP_NO_SERIALIZE | HEAP_GENERATE_EXCEPTIONS | HEAP_CREATE_ENABLE_EXECUTE);
	heap->secret = (ULONG)__rdtsc() * 2654435761u ^ (ULONG)((ULONG_PTR)base >> 12);
	heap->fixed = fixed;
	heap->next_segment = HEAP_SEGMENT_MIN;
	RtlInitializeCriticalSection(&heap->lock);
	list_init(&heap->segments);
	list_init(&heap->large);
	list_init(&heap->holes);
	segment_init(heap, segment, reserve, header, commit);
	return heap;
}

/* Gives back all the memory of a heap. Returns NULL, or the handle if it is not a heap or is the process heap. */
void *NTAPI RtlDestroyHeap(void *handle)
{
	struct heap *heap = handle;
	struct heap_segment *own = (struct heap_segment *)heap - 1;
	SIZE_T size;
	void *base;

	if (!heap || heap->signature != HEAP_SIGNATURE || heap == peb_current()->process_heap)
		return handle;
	while (heap->large.Flink != &heap->large) {
		base = CONTAINER(heap->large.Flink, struct heap_large, links);
		size = 0;
		list_remove(heap->large.Flink);
		NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
	}
	for (LIST_ENTRY *at = heap->segments.Flink, *next; at != &heap->segments; at = next) {
		next = at->Flink;
		base = CONTAINER(at, struct heap_segment, links);
		size = 0;
		if (base != own)
			NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
	}
	base = own;
	size = 0;
	NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
	return NULL;
}

static void *large_allocate(struct heap *heap, ULONG flags, SIZE_T size)
{
	SIZE_T reserved = size + sizeof(struct heap_large);
	struct heap_large *large;
	void *base = NULL;

	if (reserved < size || !NT_SUCCESS(NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, 0, &reserved,
								   MEM_RESERVE | MEM_COMMIT, heap_protection(heap))))
		return NULL;
	large = base;
	large->reserved = reserved;
	large->asked = size;
	large->header.units = large->header.left_units = 0;
	large->header.slack = 0;
	large->header.last = 0;
	large->header.state = BLOCK_LARGE;
	block_seal(heap, &large->header);
	heap_lock(heap, flags);
	list_append(&heap->large, &large->links);
	heap_unlock(heap, flags);
	return large + 1;
}

void *NTAPI RtlAllocateHeap(void *handle, ULONG flags, SIZE_T size)
{
	struct heap *heap = heap_of(handle);
	struct heap_block *block;
	void *memory;

	if (size >= HEAP_LARGE && !heap->fixed) {
		memory = large_allocate(heap, flags, size); /* fresh pages: zero already */
		return memory ? memory : heap_refuse(heap, flags);
	}
	if (size > HEAP_FIXED_BLOCK_MAX)
		return heap_refuse(heap, flags);
	heap_lock(heap, flags);
	block = blocks_take(heap, units_of(size), size);
	heap_unlock(heap, flags);
	if (!block)
		return heap_refuse(heap, flags);
	if (flags & HEAP_ZERO_MEMORY)
		memset(block + 1, 0, size);
	return block + 1;
}

/* The header of a block in use, checked; NULL when there is none there. */
static struct heap_block *block_used(struct heap *heap, const void *memory)
{
	struct heap_block *block = (struct heap_block *)memory - 1;

	if ((ULONG_PTR)memory % HEAP_UNIT || !block_valid(heap, block))
		return NULL;
	return block->state == BLOCK_USED || block->state == BLOCK_LARGE ? block : NULL;
}

static struct heap_large *large_of(struct heap_block *block)
{
	return CONTAINER(block, struct heap_large, header);
}

static SIZE_T block_size(struct heap_block *block)
{
	if (block->state == BLOCK_LARGE)
		return large_of(block)->asked;
	return (SIZE_T)(block->units - 1) * HEAP_UNIT - block->slack;
}

/* NULL is fine. A pointer that is no block of this heap, or was freed, ends in STATUS_HEAP_CORRUPTION. */
BOOLEAN NTAPI RtlFreeHeap(void *handle, ULONG flags, void *memory)
{
	struct heap *heap = heap_of(handle);
	struct heap_block *block;

	if (!memory)
		return TRUE;
	heap_lock(heap, flags);
	block = block_used(heap, memory);
	if (!block) {
		heap_unlock(heap, flags);
		heap_corrupt();
	}
	if (block->state == BLOCK_LARGE) {
		void *base = large_of(block);
		SIZE_T size = 0;

		list_remove(&large_of(block)->links);
		heap_unlock(heap, flags);
		NtFreeVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, MEM_RELEASE);
		return TRUE;
	}
	block_release(heap, block);
	heap_unlock(heap, flags);
	return TRUE;
}

/* Bytes asked for when the block was made; (SIZE_T)-1 when it is no block of this heap. */
SIZE_T NTAPI RtlSizeHeap(void *handle, ULONG flags, const void *memory)
{
	struct heap *heap = heap_of(handle);
	struct heap_block *block;
	SIZE_T size;

	heap_lock(heap, flags);
	block = block_used(heap, memory);
	size = block ? block_size(block) : (SIZE_T)-1;
	heap_unlock(heap, flags);
	return size;
}

/* Changes a block's size where it lies. The caller holds the lock. */
static BOOLEAN block_resize_in_place(struct heap *heap, struct heap_block *block, SIZE_T size)
{
	if (block->state == BLOCK_LARGE) {
		struct heap_large *large = large_of(block);

		/* Half of it unused: rather move, and give the memory back. */
		if (size + sizeof(*large) > large->reserved || size < large->reserved / 2)
			return FALSE;
		large->asked = size;
		return TRUE;
	}
	if (size >= HEAP_LARGE || !block_resize(heap, block, units_of(size)))
		return FALSE;
	block->slack = (USHORT)((block->units - 1) * HEAP_UNIT - size);
	block_seal(heap, block);
	return TRUE;
}

void *NTAPI RtlReAllocateHeap(void *handle, ULONG flags, void *memory, SIZE_T size)
{
	struct heap *heap = heap_of(handle);
	struct heap_block *block;
	SIZE_T old;
	BOOLEAN done;
	void *moved;

	if (!memory) {
		RtlSetLastWin32ErrorAndNtStatusFromNtStatus(STATUS_INVALID_PARAMETER);
		return NULL;
	}
	heap_lock(heap, flags);
	block = block_used(heap, memory);
	if (!block) {
		heap_unlock(heap, flags);
		heap_corrupt();
	}
	old = block_size(block);
	done = block_resize_in_place(heap, block, size);
	heap_unlock(heap, flags);
	if (done) {
		if ((flags & HEAP_ZERO_MEMORY) && size > old)
			memset((BYTE *)memory + old, 0, size - old);
		return memory;
	}
	if (flags & HEAP_REALLOC_IN_PLACE_ONLY)
		return heap_refuse(heap, flags);
	moved = RtlAllocateHeap(heap, flags & ~(ULONG)HEAP_ZERO_MEMORY, size);
	if (!moved)
		return NULL;
	memcpy(moved, memory, old < size ? old : size);
	if ((flags & HEAP_ZERO_MEMORY) && size > old)
		memset((BYTE *)moved + old, 0, size - old);
	RtlFreeHeap(heap, flags, memory);
	return moved;
}

/*
 * Checks one block, or with memory NULL the whole heap: headers, neighbours, and that the free lists hold what is
 * free.
 */
BOOLEAN NTAPI RtlValidateHeap(void *handle, ULONG flags, const void *memory)
{
	struct heap *heap = handle;
	BOOLEAN good = TRUE;
	ULONG free_blocks = 0, listed = 0;

	if (!heap || heap->signature != HEAP_SIGNATURE)
		return FALSE;
	heap_lock(heap, flags);
	if (memory) {
		good = block_used(heap, memory) != NULL;
		heap_unlock(heap, flags);
		return good;
	}
	for (LIST_ENTRY *at = heap->segments.Flink; good && at != &heap->segments; at = at->Flink) {
		struct heap_segment *segment = CONTAINER(at, struct heap_segment, links);
		struct heap_block *block = segment->first;
		struct heap_block *end = (struct heap_block *)((BYTE *)segment + segment->reserved);
		ULONG left = 0;

		while (block) {
			if (!block_valid(heap, block) || block->left_units != left || !block->units ||
			    block->units > (ULONG)(end - block)) {
				good = FALSE;
				break;
			}
			if (block->state == BLOCK_FREE || block->state == BLOCK_HOLE)
				free_blocks++;
			else if (block->state != BLOCK_USED)
				good = FALSE;
			left = block->units;
			block = block_right(block);
		}
	}
	for (ULONG bin = 0; good && bin <= HEAP_BINS; bin++) {
		LIST_ENTRY *head = bin < HEAP_BINS ? &heap->bins[bin] : &heap->holes;

		for (LIST_ENTRY *at = head->Flink; good && (bin == HEAP_BINS || bin_has(heap, bin)) && at != head; at = at->Flink)
			good = at->Flink->Blink == at && ++listed <= free_blocks;
	}
	for (LIST_ENTRY *at = heap->large.Flink; good && at != &heap->large; at = at->Flink)
		good = block_valid(heap, &CONTAINER(at, struct heap_large, links)->header);
	good = good && listed == free_blocks;
	heap_unlock(heap, flags);
	return good;
}

/* Keeps all other threads out of the heap's calls until RtlUnlockHeap. */
BOOLEAN NTAPI RtlLockHeap(void *handle)
{
	RtlEnterCriticalSection(&heap_of(handle)->lock);
	return TRUE;
}

BOOLEAN NTAPI RtlUnlockHeap(void *handle)
{
	RtlLeaveCriticalSection(&heap_of(handle)->lock);
	return TRUE;
}
