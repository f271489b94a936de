/*
 * One process: commits its part, writes to each page, then touches them as the plan says. What a page holds tells whose
 * it is, which one, and how often it was written to: each access checks that.
 */
#include "thrash.h"

#include "pattern.h"
#include <math.h>

#define COMMIT_STEP 256ull /* pages */

struct set {
	char *base;
	uint32_t *versions; /* of each page: how often it was written to */
	uint64_t pages, owner;
	uint64_t random;
	uint64_t next;      /* accesses so far */
};

static uint64_t random_next(struct set *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random * 0x2545f4914f6cdd1dull;
}

/* ---- contents ---- */

static uint64_t word_make(const struct set *s, uint64_t page, uint32_t version, unsigned int i)
{
	return pattern_word(s->owner, page, i) ^ version * 0xff51afd7ed558ccdull;
}

static void page_write(struct set *s, uint64_t page)
{
	volatile uint64_t *words = (volatile uint64_t *)(s->base + page * PAGE_BYTES);
	uint32_t version = ++s->versions[page];
	for (unsigned int i = 0; i < PAGE_BYTES / 8; i += PATTERN_STEP)
		words[i] = word_make(s, page, version, i);
}

static bool page_holds(const struct set *s, uint64_t page)
{
	const volatile uint64_t *words = (const volatile uint64_t *)(s->base + page * PAGE_BYTES);
	for (unsigned int i = 0; i < PAGE_BYTES / 8; i += PATTERN_STEP)
		if (words[i] != word_make(s, page, s->versions[page], i))
			return false;
	return true;
}

/* ---- memory ---- */

static void *reserve(uint64_t bytes, bool section)
{
	if (!section)
		return VirtualAlloc(NULL, bytes, MEM_RESERVE, PAGE_READWRITE);
	HANDLE h = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, (DWORD)(bytes >> 32),
				      (DWORD)bytes, NULL);
	void *p = h ? MapViewOfFile(h, FILE_MAP_WRITE, 0, 0, 0) : NULL;
	if (h)
		CloseHandle(h);
	return p;
}

/* As much of want as this process's share of the commit limit allows. Returns how much. */
static uint64_t set_commit(struct set *s, const struct plan *plan, uint64_t want, uint64_t share)
{
	s->base = reserve(want * PAGE_BYTES, plan->section);
	s->versions = VirtualAlloc(NULL, want * sizeof(uint32_t), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (!s->base || !s->versions)
		return 0;
	if (want > share)
		want = share;
	while (s->pages < want) {
		uint64_t step = want - s->pages < COMMIT_STEP ? want - s->pages : COMMIT_STEP;
		if (!VirtualAlloc(s->base + s->pages * PAGE_BYTES, step * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE))
			break;
		s->pages += step;
	}
	return s->pages;
}

/* ---- which page is next ---- */

/* In proportion to 1 / rank; the ranks are scattered over the set: a large prime has no factor in common with its size. */
static uint64_t next_zipf(struct set *s)
{
	double u = (double)(random_next(s) >> 11) / (double)(1ull << 53);
	uint64_t rank = (uint64_t)pow((double)(s->pages + 1), u) - 1;
	return (rank < s->pages ? rank : s->pages - 1) * 2147483647ull % s->pages;
}

static uint64_t next_loop(const struct set *s)
{
	uint64_t part = s->pages / TENTH ? s->pages / TENTH : 1, round = s->next / part;
	return (round / TENTH * part + s->next % part) % s->pages;
}

static uint64_t next_page(struct set *s, enum access_pattern pattern)
{
	switch (pattern) {
	case ACCESS_RANDOM:
		return random_next(s) % s->pages;
	case ACCESS_ZIPF:
		return next_zipf(s);
	case ACCESS_LOOP:
		return next_loop(s);
	default:
		return s->next % s->pages;
	}
}

static void touch(struct set *s, const struct plan *plan, struct worker *w)
{
	uint64_t page = next_page(s, plan->pattern);
	s->next++;
	if (!page_holds(s, page) && w->wrong++ == 0)
		w->wrong_page = page;
	if (random_next(s) % 100 < plan->write_percent) {
		page_write(s, page);
		w->written++;
	}
	w->touched++;
}

/* ---- all of it ---- */

static void wait_for(const volatile uint32_t *phase)
{
	while (!*phase)
		Sleep(1);
}

/* A worker has nothing to do without the one that started it, which somebody may end. */
static DWORD WINAPI parent_watch(void *parent)
{
	WaitForSingleObject(parent, INFINITE);
	ExitProcess(TOOL_FAILED);
}

int worker_run(struct board *board, uint64_t number)
{
	HANDLE parent = OpenProcess(SYNCHRONIZE, FALSE, board->parent);
	if (!parent || !CreateThread(NULL, 0, parent_watch, parent, 0, NULL))
		return tool_fail("thrash", "watching the process that started this one", GetLastError());
	const struct plan *plan = &board->plan;
	struct worker *w = &board->workers[number];
	struct set s = { .owner = number + 1, .random = (plan->seed + number + 1) * 0x9e3779b97f4a7c15ull | 1 };
	wait_for(&board->commit);
	w->pages = set_commit(&s, plan, plan->pages / plan->processes, board->share);
	w->state = WORKER_COMMITTED;
	wait_for(&board->fill);
	for (; w->filled < s.pages; w->filled++)
		page_write(&s, w->filled);
	w->state = WORKER_FILLED;
	wait_for(&board->go);
	ULONGLONG start = GetTickCount64();
	while (s.pages > 0 && (plan->milliseconds ? GetTickCount64() - start < plan->milliseconds
						  : w->touched < plan->accesses))
		for (int i = 0; i < 16 && (plan->milliseconds || w->touched < plan->accesses); i++)
			touch(&s, plan, w);
	w->elapsed_ms = GetTickCount64() - start;
	w->state = WORKER_DONE;
	return w->wrong ? TOOL_FAILED : TOOL_OK;
}
