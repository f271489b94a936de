/*
 * Takes all memory that can be had, and touches it for ever, page after page: what others then have to wait for.
 * Argument: hog [LEAVE [THREADS]]: pages of the commit limit that it leaves to others (1500), and how many threads touch
 * (1). Says when it has touched everything once. A scenario ends it.
 */
#include "guest.h"

static char *volatile memory;
static uint64_t pages;
static volatile LONG rounds;

static DWORD WINAPI touch(void *argument)
{
	for (uint64_t page = (uintptr_t)argument; memory; page = (page + 1) % pages) {
		++*(volatile char *)(memory + page * PAGE_BYTES);
		if (page + 1 == pages)
			InterlockedIncrement(&rounds);
	}
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t leave = argc > 1 ? strtoull(argv[1], NULL, 10) : 1500, told = 0;
	uint64_t threads = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct bs_memory m = memory_now();
	uint64_t room = m.commit_limit - m.commit_charge;
	/* Page tables are charged too: one for 512 pages. */
	pages = room > leave ? (room - leave) / 513 * 512 : 0;
	memory = pages ? commit_bytes(pages * PAGE_BYTES) : NULL;
	if (!memory) {
		printf("hog: %llu pages can't be had: error %lu\n", (unsigned long long)pages, GetLastError());
		return 1;
	}
	for (uint64_t i = 0; i < threads; i++)
		CloseHandle(CreateThread(NULL, 0, touch, (void *)(uintptr_t)(pages / threads * i), 0, NULL));
	for (;;) {
		Sleep(100);
		if (rounds && !told++)
			printf("hog: %llu pages are in use\n", (unsigned long long)pages);
		fflush(stdout);
	}
}
