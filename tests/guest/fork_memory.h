/* What most tests of copies have: memory with contents, and a view that all copies share. */
#ifndef FORK_MEMORY_H
#define FORK_MEMORY_H

#include "fork.h"

NTSTATUS NTAPI RtlWaitOnAddress(const volatile void *address, const void *compare, SIZE_T size, const LARGE_INTEGER *timeout);

#define PAGES 64
#define SIZE (PAGES * PAGE_BYTES)
#define PARENT 1 /* owners of patterns */
#define CHILD 2
#define LATER 3

/* Shared by all copies: a section's view. */
static struct board {
	volatile LONG stage;
	volatile LONG wrong;
	volatile LONG values[32];
} *board;

static char *memory; /* each one's own */

static inline char *commit(uint64_t pages)
{
	return VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static inline void begin(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(*board), NULL);
	board = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	CloseHandle(section);
	memory = commit(PAGES);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(memory, page, PARENT);
}

static inline void end(void)
{
	VirtualFree(memory, 0, MEM_RELEASE);
	UnmapViewOfFile((void *)board);
	memory = NULL;
	board = NULL;
}

static inline void stage_wait(LONG stage)
{
	while (board->stage < stage)
		Sleep(1);
}

static inline DWORD child_waits(void *argument)
{
	(void)argument;
	InterlockedCompareExchange(&board->stage, 1, 0);
	stage_wait(2);
	return 0;
}

/* The event that a thread sleeps on when a lock of ntdll's is taken: it is made once, and stays. */
static inline void wait_event_make(void)
{
	LARGE_INTEGER at_once = { .QuadPart = 0 };
	ULONG same = 0;
	RtlWaitOnAddress(&same, &same, sizeof(same), &at_once);
}

#endif
