/* The library's numbered locks. */
#include "msvcrt.h"

static CRITICAL_SECTION locks[LOCKS];

void locks_init(void)
{
	for (int i = 0; i < LOCKS; i++)
		InitializeCriticalSection(&locks[i]);
}

void __cdecl _lock(int number)
{
	EnterCriticalSection(&locks[number]);
}

void __cdecl _unlock(int number)
{
	LeaveCriticalSection(&locks[number]);
}
