/* The guard of a thread's stack after an overflow. */
#include "msvcrt.h"
#include "peb.h"
#include <malloc.h>

#define PAGE_BYTES 4096
#define HANDLERS_MINIMUM (2 * PAGE_BYTES) /* what an overflow leaves to its handlers if the thread asked for less */

/*
 * Puts the guard back that an overflow has used up, so that the next overflow is an exception again. Returns 1, also if
 * the guard is there; 0 if the stack is still used where the guard has to be, or the pages can't be had.
 */
int __cdecl _resetstkoflw(void)
{
	struct teb *teb = teb_current();
	SIZE_T for_handlers = (teb->guaranteed_stack_bytes + PAGE_BYTES - 1) & ~(SIZE_T)(PAGE_BYTES - 1);
	BYTE *lowest = (BYTE *)teb->deallocation_stack + PAGE_BYTES; /* the page below is never committed */
	BYTE *end = lowest + (for_handlers > HANDLERS_MINIMUM ? for_handlers : HANDLERS_MINIMUM) + PAGE_BYTES;
	DWORD old;

	if (teb->stack_limit >= end)
		return 1;
	if ((BYTE *)__builtin_frame_address(0) - PAGE_BYTES < end)
		return 0;
	if (!VirtualAlloc(lowest, (SIZE_T)(end - lowest), MEM_COMMIT, PAGE_READWRITE) ||
	    !VirtualProtect(lowest, (SIZE_T)(end - lowest), PAGE_READWRITE | PAGE_GUARD, &old))
		return 0;
	teb->stack_limit = end;
	return 1;
}
