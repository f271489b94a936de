/* The library's numbered locks. */
#include "msvcrt.h"

/* As InitializeCriticalSection leaves them. */
static CRITICAL_SECTION locks[LOCKS] = { [0 ... LOCKS - 1] = { .DebugInfo = (void *)(LONG_PTR)-1, .LockCount = -1 } };

void __cdecl _lock(int number)
{
	EnterCriticalSection(&locks[number]);
}

void __cdecl _unlock(int number)
{
	LeaveCriticalSection(&locks[number]);
}
