/*
 * Heaps: ntdll's, most of them exported as they are; and the older Local and Global calls on the process heap. There
 * is no movable memory: a handle is the block's address, as Windows does it for LMEM_FIXED; LMEM_MOVEABLE is ignored.
 */
#include "kernel32.h"

HANDLE WINAPI GetProcessHeap(VOID)
{
	return peb_current()->process_heap;
}

/* maximum 0: the heap grows. */
HANDLE WINAPI HeapCreate(DWORD options, SIZE_T initial, SIZE_T maximum)
{
	return RtlCreateHeap(options | (maximum ? 0 : HEAP_GROWABLE), NULL, maximum, initial, NULL, NULL);
}

WINBOOL WINAPI HeapDestroy(HANDLE heap)
{
	if (!RtlDestroyHeap(heap))
		return TRUE;
	SetLastError(ERROR_INVALID_HANDLE);
	return FALSE;
}

HLOCAL WINAPI LocalAlloc(UINT flags, SIZE_T size)
{
	return RtlAllocateHeap(peb_current()->process_heap, (flags & LMEM_ZEROINIT) ? HEAP_ZERO_MEMORY : 0, size);
}

HLOCAL WINAPI LocalReAlloc(HLOCAL block, SIZE_T size, UINT flags)
{
	if (flags & LMEM_MODIFY)
		return block;
	return RtlReAllocateHeap(peb_current()->process_heap, (flags & LMEM_ZEROINIT) ? HEAP_ZERO_MEMORY : 0, block,
				 size);
}

/* NULL: it is free now. */
HLOCAL WINAPI LocalFree(HLOCAL block)
{
	RtlFreeHeap(peb_current()->process_heap, 0, block);
	return NULL;
}

SIZE_T WINAPI LocalSize(HLOCAL block)
{
	SIZE_T size = RtlSizeHeap(peb_current()->process_heap, 0, block);

	if (size != (SIZE_T)-1)
		return size;
	SetLastError(ERROR_INVALID_HANDLE);
	return 0;
}

LPVOID WINAPI LocalLock(HLOCAL block)
{
	return block;
}

/* Fixed blocks have no lock count: FALSE without an error, as documented. */
WINBOOL WINAPI LocalUnlock(HLOCAL block)
{
	(void)block;
	SetLastError(ERROR_NOT_LOCKED);
	return FALSE;
}
