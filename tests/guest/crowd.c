/*
 * All CPUs fill memory at once, and nobody may be left waiting: processes with several threads each write, check and
 * write again pages of private memory and of a section that all of them have, together more than memory holds.
 * Arguments: crowd [SECONDS [PROCESSES [THREADS [PERCENT]]]] (30, 4, 4, 140): for how long, and how much of what is
 * available they have.
 * Nothing here depends on how long anything takes: in each quarter of the time each thread has to get on, and every
 * page has to be right.
 */
#include "guest.h"

#define NAME "Crowd"
#define PROCESSES_MAX 8
#define THREADS_MAX 8
#define QUARTERS 4

struct board {
	volatile LONG quarter;                                 /* QUARTERS: it is the end */
	volatile LONG filled;                                  /* threads */
	volatile LONG wrong;                                   /* pages */
	volatile LONG done[PROCESSES_MAX][THREADS_MAX][QUARTERS]; /* pages checked and written */
};

struct worker {
	struct board *board;
	uint64_t process, thread;
	char *memory;
	uint64_t pages;
	uint8_t *generation;
	uint64_t random;
};

static uint64_t owner_of(const struct worker *w, uint64_t page)
{
	return (w->process * THREADS_MAX + w->thread) * 256 + w->generation[page];
}

/* The worker's own sequence: random_next is one for all threads. */
static uint64_t worker_random(struct worker *w)
{
	w->random = w->random * 6364136223846793005ull + 1442695040888963407ull;
	return w->random >> 33;
}

static DWORD WINAPI work(void *argument)
{
	struct worker *w = argument;
	LONG quarter;
	for (uint64_t page = 0; page < w->pages; page++)
		pattern_fill(w->memory, page, owner_of(w, page));
	InterlockedIncrement(&w->board->filled);
	while ((quarter = w->board->quarter) < QUARTERS) {
		uint64_t page = worker_random(w) % w->pages;
		if (!pattern_holds(w->memory, page, owner_of(w, page)))
			InterlockedIncrement(&w->board->wrong);
		w->generation[page]++;
		pattern_fill(w->memory, page, owner_of(w, page));
		InterlockedIncrement(&w->board->done[w->process][w->thread][quarter]);
	}
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < w->pages; page++)
		wrong += !pattern_holds(w->memory, page, owner_of(w, page));
	InterlockedExchangeAdd(&w->board->wrong, (LONG)wrong);
	return 0;
}

static void *section_open(const char *name, uint64_t size)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)(size >> 32), (DWORD)size,
					    name);
	return section ? MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) : NULL;
}

/* child PROCESS THREADS PAGES SHARED: pages are of each thread; every second one has its own in the section. */
static int child(uint64_t process, uint64_t threads, uint64_t pages, uint64_t shared)
{
	static struct worker workers[THREADS_MAX];
	HANDLE handles[THREADS_MAX];
	struct board *board = section_open(NAME, sizeof(struct board));
	char *section = section_open(NAME "Pages", shared * PAGE_BYTES);
	char *private = commit_bytes((threads + 1) / 2 * pages * PAGE_BYTES);
	uint8_t *generation = (uint8_t *)commit_bytes(threads * pages);
	if (!board || !section || !private || !generation)
		return 2;
	for (uint64_t i = 0; i < threads; i++) {
		char *memory = i % 2 ? section + (process * (threads / 2) + i / 2) * pages * PAGE_BYTES :
				       private + i / 2 * pages * PAGE_BYTES;
		workers[i] = (struct worker){ board, process, i, memory, pages, generation + i * pages, process * 31 + i };
		handles[i] = CreateThread(NULL, 0, work, &workers[i], 0, NULL);
		if (!handles[i])
			return 2;
	}
	for (uint64_t i = 0; i < threads; i++)
		WaitForSingleObject(handles[i], INFINITE);
	return 0;
}

static uint64_t count_ended(PROCESS_INFORMATION *p, uint64_t processes)
{
	uint64_t ended = 0;
	for (uint64_t i = 0; i < processes; i++)
		ended += WaitForSingleObject(p[i].hProcess, 0) == WAIT_OBJECT_0;
	return ended;
}

static void run(uint64_t seconds, uint64_t processes, uint64_t threads, uint64_t percent)
{
	struct bs_memory m = memory_now(), after;
	uint64_t available = memory_available(&m), room = m.commit_limit - m.commit_charge;
	uint64_t want = available * percent / 100, fits = available + m.paging_file_pages - m.paging_file_used;
	uint64_t own = 400 * processes + 1000, started = 0, ended = 0;
	PROCESS_INFORMATION p[PROCESSES_MAX];
	char arguments[128];
	room = room < fits ? room : fits;
	uint64_t most = room > own + room / 16 ? room - own - room / 16 : 0;
	uint64_t pages = (want < most ? want : most) / (processes * threads), shared = processes * (threads / 2) * pages;
	struct board *board = section_open(NAME, sizeof(struct board));
	char *section = section_open(NAME "Pages", shared * PAGE_BYTES);
	ok(board && section && pages, "the sections are made; each of %llu threads has %llu pages",
	   (unsigned long long)(processes * threads), (unsigned long long)pages);
	for (; started < processes; started++) {
		sprintf(arguments, "child %llu %llu %llu %llu", (unsigned long long)started, (unsigned long long)threads,
			(unsigned long long)pages, (unsigned long long)shared);
		if (!process_start(arguments, false, 0, &p[started]))
			break;
	}
	is(started, processes, "the processes are started");
	while ((uint64_t)board->filled < started * threads && !(ended = count_ended(p, started))) {
		Sleep(20);
		tap_alive();
	}
	is((uint64_t)board->filled, processes * threads, "all threads have written their pages");
	for (LONG quarter = 0; quarter < QUARTERS; quarter++) {
		ULONGLONG end = GetTickCount64() + seconds * 1000 / QUARTERS;
		board->quarter = quarter;
		while (GetTickCount64() < end && !ended) {
			Sleep(100);
			tap_alive();
			ended = count_ended(p, started);
		}
	}
	is(ended, 0, "no process ended before the end");
	board->quarter = QUARTERS;
	while (count_ended(p, started) < started) {
		Sleep(100);
		tap_alive();
	}
	uint64_t right = 0;
	for (uint64_t i = 0; i < started; i++)
		right += process_end(&p[i]) == 0;
	is(right, processes, "each process ended as it should");
	is((uint64_t)board->wrong, 0, "no page was wrong");
	for (uint64_t i = 0; i < processes; i++) {
		LONG least = board->done[i][0][0], all = 0;
		for (uint64_t j = 0; j < threads * QUARTERS; j++) {
			LONG done = board->done[i][j / QUARTERS][j % QUARTERS];
			least = done < least ? done : least;
			all += done;
		}
		ok(least > 0, "each thread of process %llu got on in each quarter of the time", (unsigned long long)i);
		note("%ld pages were checked and written, %ld by the slowest thread in its slowest quarter", all, least);
	}
	after = memory_now();
	note("written %llu pages in %llu requests, read %llu in %llu",
	     (unsigned long long)(after.pages_swapped_out - m.pages_swapped_out),
	     (unsigned long long)(after.swap_write_requests - m.swap_write_requests),
	     (unsigned long long)(after.pages_swapped_in - m.pages_swapped_in),
	     (unsigned long long)(after.swap_read_requests - m.swap_read_requests));
	is(after.swap_errors, 0, "no paging-file errors");
}

int main(int argc, char **argv)
{
	uint64_t n[6] = { 0, 30, 4, 4, 140, 0 };
	if (argc == 6 && !strcmp(argv[1], "child"))
		return child(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
			     strtoull(argv[5], NULL, 10));
	for (int i = 1; i < argc && i < 5; i++)
		n[i] = strtoull(argv[i], NULL, 10);
	if (n[2] < 1 || n[2] > PROCESSES_MAX || n[3] < 2 || n[3] > THREADS_MAX)
		return 2;
	run(n[1], n[2], n[3], n[4]);
	memory_is_consistent();
	return tap_end();
}
