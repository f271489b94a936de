/*
 * Memory pressure: several processes write more than memory holds, with contents that tell owner and address, change
 * pages at random, and read all back. Arguments: pressure [PROCESSES [PERCENT [ROUNDS]]]: how many processes (3), how
 * much they write together in percent of what is available (140; never more than may be promised), how often (2).
 */
#include "guest.h"

#define NAME "PressureTest"
#define SHARED_PAGES 256

/* In a section. All workers fill their memory before the first goes on: all of it is in use at the same time. */
struct board {
	volatile LONG filled; /* workers */
	volatile LONG go;
	volatile LONG wrong; /* pages */
};

static uint64_t owner_of(uint64_t worker, uint64_t generation)
{
	return worker * 256 + generation % 256;
}

/*
 * Writes all pages; then in each round changes a quarter of them at random and reads all. Returns how many were wrong.
 */
static uint64_t work(char *base, uint64_t pages, uint64_t worker, uint64_t rounds, struct board *board)
{
	uint8_t *generation = VirtualAlloc(NULL, pages, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	uint64_t wrong = 0;
	if (!generation)
		return pages;
	random_state += worker * 1000003;
	for (uint64_t page = 0; page < pages; page++) {
		pattern_fill(base, page, owner_of(worker, 0));
		if (page % 256 == 0)
			tap_alive();
	}
	InterlockedIncrement(&board->filled);
	while (!board->go)
		Sleep(5);
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint64_t i = 0; i < pages / 4; i++) {
			uint64_t page = random_next() % pages;
			wrong += !pattern_holds(base, page, owner_of(worker, generation[page]));
			pattern_fill(base, page, owner_of(worker, ++generation[page]));
			if (i % 256 == 0)
				tap_alive();
		}
		for (uint64_t page = 0; page < pages; page++) {
			wrong += !pattern_holds(base, page, owner_of(worker, generation[page]));
			if (page % 256 == 0)
				tap_alive();
		}
	}
	VirtualFree(generation, 0, MEM_RELEASE);
	return wrong;
}

/* child WORKER PAGES ROUNDS */
static int child(uint64_t worker, uint64_t pages, uint64_t rounds)
{
	HANDLE section = OpenFileMappingA(FILE_MAP_WRITE, FALSE, NAME);
	struct board *board = section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	char *base = VirtualAlloc(NULL, pages * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!board || !base)
		return 2;
	uint64_t wrong = work(base, pages, worker, rounds, board);
	InterlockedExchangeAdd(&board->wrong, (LONG)wrong);
	return wrong ? 1 : 0;
}

static uint64_t size_choose(uint64_t percent, uint64_t processes, bool *more_than_memory)
{
	struct bs_memory m = memory_now();
	uint64_t available = memory_available(&m), want = available * percent / 100;
	/* Each process needs some for itself: page tables, stack, heap, its images' data. */
	uint64_t own = 256 * processes, room = m.commit_limit - m.commit_charge;
	uint64_t fits = available + m.paging_file_pages - m.paging_file_used;
	if (room > fits)
		room = fits;
	uint64_t most = room > own + room / 16 ? room - own - room / 16 : 0;
	*more_than_memory = (want < most ? want : most) > available;
	note("available %llu pages, commit left %llu, paging files %llu: writing %llu",
	     (unsigned long long)available, (unsigned long long)(m.commit_limit - m.commit_charge),
	     (unsigned long long)m.paging_file_pages, (unsigned long long)(want < most ? want : most));
	return want < most ? want : most;
}

static void run(uint64_t processes, uint64_t percent, uint64_t rounds)
{
	bool more;
	uint64_t total = size_choose(percent, processes, &more), started = 0, right = 0;
	PROCESS_INFORMATION p[16];
	char arguments[128];
	struct bs_memory before = memory_now(), after;
	HANDLE handle = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof(struct board), NAME);
	struct board *board = MapViewOfFile(handle, FILE_MAP_WRITE, 0, 0, 0);
	HANDLE shared_handle =
		CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SHARED_PAGES * 4096, NULL);
	char *shared = MapViewOfFile(shared_handle, FILE_MAP_WRITE, 0, 0, 0);
	char *copy = MapViewOfFile(shared_handle, FILE_MAP_COPY, 0, 0, 0);
	for (uint64_t page = 0; page < SHARED_PAGES; page++)
		pattern_fill(shared, page, 0xaaaa);
	for (uint64_t page = 0; page < SHARED_PAGES; page += 3)
		pattern_fill(copy, page, 0xbbbb);

	for (; started < processes; started++) {
		sprintf(arguments, "child %llu %llu %llu", (unsigned long long)started + 1,
			(unsigned long long)(total / processes), (unsigned long long)rounds);
		if (!process_start(arguments, false, 0, &p[started]))
			break;
	}
	is(started, processes, "%llu processes are started, each with %llu pages", (unsigned long long)processes,
	   (unsigned long long)(total / processes));
	/* A worker that could not get its memory ends at once, and fills none. */
	uint64_t ended = 0;
	while ((uint64_t)board->filled + ended < started) {
		Sleep(5);
		tap_alive();
		ended = 0;
		for (uint64_t i = 0; i < started; i++)
			ended += WaitForSingleObject(p[i].hProcess, 0) == WAIT_OBJECT_0;
	}
	is((uint64_t)board->filled, started, "all of them have their memory, and have written it");
	board->go = 1;
	for (uint64_t i = 0; i < started; i++)
		right += process_end(&p[i]) == 0;
	is(right, started, "each read back what it had written");
	is((uint64_t)board->wrong, 0, "no page was wrong");
	after = memory_now();
	is(pattern_wrong(shared, 0, SHARED_PAGES, 0xaaaa), 0, "a section that nobody touched meanwhile is intact");
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < SHARED_PAGES; page++)
		wrong += !pattern_holds(copy, page, page % 3 ? 0xaaaa : 0xbbbb);
	is(wrong, 0, "and so is a copy-on-write view of it");
	note("written %llu pages in %llu requests, read %llu in %llu, discarded %llu",
	     (unsigned long long)(after.pages_swapped_out - before.pages_swapped_out),
	     (unsigned long long)(after.swap_write_requests - before.swap_write_requests),
	     (unsigned long long)(after.pages_swapped_in - before.pages_swapped_in),
	     (unsigned long long)(after.swap_read_requests - before.swap_read_requests),
	     (unsigned long long)(after.pages_discarded - before.pages_discarded));
	if (after.paging_file_pages == 0)
		is(after.pages_swapped_out, 0, "without a paging file nothing was written to one");
	else if (more)
		ok(after.pages_swapped_out > before.pages_swapped_out &&
			   after.pages_swapped_in > before.pages_swapped_in,
		   "pages went to the paging file and came back");
	else
		skip("pages went to the paging file and came back",
		     "the commit limit allows no more than memory holds");
	is(after.swap_errors, 0, "no paging-file errors");
	UnmapViewOfFile(copy);
	UnmapViewOfFile(shared);
	UnmapViewOfFile(board);
	CloseHandle(shared_handle);
	CloseHandle(handle);
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "child"))
		return child(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	uint64_t processes = argc > 1 ? strtoull(argv[1], NULL, 10) : 3;
	uint64_t percent = argc > 2 ? strtoull(argv[2], NULL, 10) : 140;
	uint64_t rounds = argc > 3 ? strtoull(argv[3], NULL, 10) : 2;
	struct leak_state then = leak_state_now(), now;
	run(processes, percent, rounds);
	wait_until((now = leak_state_now()).processes <= then.processes && now.threads <= then.threads &&
		   now.sections <= then.sections);
	is_within(now.processes, 0, then.processes, "no process is left");
	is_within(now.sections, 0, then.sections, "sections' commit charge is as before");
	/* Pages of those who slept may be in the paging file now: no more than they have committed. */
	struct bs_memory m = memory_now();
	is_within(now.slots, 0, then.slots + m.commit_private + m.commit_sections,
		  "the processes' paging-file slots are free again");
	memory_is_consistent();
	return tap_end();
}
