/*
 * Which page leaves a working set: reference strings over private pages under a hard maximum, with the policy that the
 * machine was started with (option replace=). Everything else that the loop touches is locked, so that faults are counted
 * of the string's pages alone. What the policies would do in theory is computed beside it.
 */
#include "guest.h"
#include <psapi.h>

#define SELF BACKSTORE_CURRENT_PROCESS
#define QUOTA_LIMITS_CLASS 1
#define VM_COUNTERS_CLASS 3
#define GROUP 8        /* pages that are always touched together: a maximum never takes the last 8 that arrived */
#define LENGTH_MAX 4096
#define PAGES_MAX 128
#define LOCKED_MAX 1024

static char *pages;
static uint64_t locked;
static char policy[16];

static bool is_policy(const char *name)
{
	return !strcmp(policy, name);
}

static uint64_t faults(void)
{
	VM_COUNTERS c = { 0 };
	NtQueryInformationProcess(SELF, VM_COUNTERS_CLASS, &c, sizeof(c), NULL);
	return c.PageFaultCount;
}

static bool limits(uint64_t min, uint64_t max, DWORD flags)
{
	QUOTA_LIMITS_EX q = { .MinimumWorkingSetSize = min * PAGE_BYTES, .MaximumWorkingSetSize = max * PAGE_BYTES,
			      .Flags = flags };
	return NtSetInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, sizeof(q)) == STATUS_SUCCESS;
}

/* Touches the string's pages in its order. Returns how often one was not in the working set. */
static uint64_t string_run(const uint16_t *string, uint64_t length)
{
	uint64_t before = faults();
	for (uint64_t i = 0; i < length; i++)
		*(volatile char *)(pages + string[i] * PAGE_BYTES);
	return faults() - before;
}

/* The string with so many frames for it. */
static uint64_t faults_with(uint64_t frames, const uint16_t *string, uint64_t length)
{
	limits(locked + 8, locked + frames, QUOTA_LIMITS_HARDWS_MAX_ENABLE);
	working_set_empty(); /* but for what is locked */
	return string_run(string, length);
}

/* Locks what the loop needs: all that is in the working set after one turn of it. */
static void rest_lock(const uint16_t *string)
{
	static PSAPI_WORKING_SET_INFORMATION *set;
	set = VirtualAlloc(NULL, LOCKED_MAX * sizeof(ULONG_PTR), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t i = 0; i < LOCKED_MAX * sizeof(ULONG_PTR); i += PAGE_BYTES)
		((volatile char *)set)[i] = 0;
	limits(LOCKED_MAX, LOCKED_MAX + 100, 0);
	faults_with(LOCKED_MAX, string, LENGTH_MAX);
	limits(LOCKED_MAX, LOCKED_MAX + 100, QUOTA_LIMITS_HARDWS_MAX_DISABLE);
	QueryWorkingSet(SELF, set, LOCKED_MAX * sizeof(ULONG_PTR));
	for (uint64_t i = 0; i < set->NumberOfEntries; i++) {
		char *page = (char *)(set->WorkingSetInfo[i].VirtualPage * PAGE_BYTES);
		if (page < pages || page >= pages + PAGES_MAX * PAGE_BYTES)
			locked += VirtualLock(page, PAGE_BYTES);
	}
}

/* ---- theory ---- */

enum theory { FIFO, LRU, OPTIMAL };

static uint64_t next_use(const uint16_t *string, uint64_t length, uint64_t from, uint16_t page)
{
	while (from < length && string[from] != page)
		from++;
	return from;
}

/* Which of the frames is to be given up: the one with the lowest rank. */
static uint64_t faults_in_theory(enum theory theory, uint64_t frames, const uint16_t *string, uint64_t length)
{
	static uint16_t held[PAGES_MAX];
	static uint64_t rank[PAGES_MAX];
	uint64_t used = 0, count = 0;
	for (uint64_t i = 0; i < length; i++) {
		uint64_t at = 0, lowest = 0;
		while (at < used && held[at] != string[i])
			at++;
		bool hit = at < used;
		if (!hit && used == frames) {
			for (uint64_t f = 0; f < used; f++) {
				if (theory == OPTIMAL)
					rank[f] = length - next_use(string, length, i, held[f]);
				if (rank[f] < rank[lowest])
					lowest = f;
			}
			at = lowest;
		} else if (!hit) {
			at = used++;
		}
		held[at] = string[i];
		if (!hit || theory == LRU)
			rank[at] = i;
		count += !hit;
	}
	return count;
}

/* ---- the strings ---- */

/* Belady, Nelson and Shedler, "An anomaly in space-time characteristics of certain programs running in a paging machine". */
static uint64_t string_belady(uint16_t *string)
{
	static const char order[] = "123412512345";
	uint64_t n = 0;
	for (uint64_t i = 0; order[i]; i++)
		for (uint64_t page = 0; page < GROUP; page++)
			string[n++] = (uint16_t)((order[i] - '1') * GROUP + page);
	return n;
}

/* Nine times of ten one of a few pages, which change now and then; else any. */
static uint64_t string_local(uint16_t *string, uint64_t hot, uint64_t all)
{
	uint64_t first = 0;
	for (uint64_t i = 0; i < LENGTH_MAX; i++) {
		if (i % 512 == 0)
			first = random_next() % all;
		uint64_t page = random_next() % 10 ? first + random_next() % hot : random_next();
		string[i] = (uint16_t)(page % all);
	}
	return LENGTH_MAX;
}

static void test_belady(uint16_t *string)
{
	uint64_t length = string_belady(string);
	uint64_t three = faults_with(3 * GROUP, string, length), four = faults_with(4 * GROUP, string, length);
	note("Belady's string: %llu faults with 3 times %u frames, %llu with 4 times %u", (unsigned long long)three, GROUP,
	     (unsigned long long)four, GROUP);
	if (is_policy("fifo")) {
		is(three, 9 * GROUP, "fifo: 9 faults with 3 frames");
		is(four, 10 * GROUP, "fifo: 10 faults with 4 frames, Belady's anomaly");
	} else if (is_policy("lru")) {
		is_within(three, 9 * GROUP, 10 * GROUP, "lru: 10 faults with 3 frames");
		is_within(four, 7 * GROUP, 9 * GROUP, "lru: fewer with 4");
	}
	uint64_t best = faults_in_theory(OPTIMAL, 4 * GROUP, string, length);
	is_within(four, best, length, "no policy is better than the best possible");
}

static void test_local(uint16_t *string, uint64_t hot, uint64_t all, uint64_t frames)
{
	uint64_t length = string_local(string, hot, all);
	uint64_t got = faults_with(frames, string, length), best = faults_in_theory(OPTIMAL, frames, string, length);
	uint64_t lru = faults_in_theory(LRU, frames, string, length), fifo = faults_in_theory(FIFO, frames, string, length);
	note("%llu of %llu pages hot, %llu frames: %llu faults; in theory: best %llu, lru %llu, fifo %llu",
	     (unsigned long long)hot, (unsigned long long)all, (unsigned long long)frames, (unsigned long long)got,
	     (unsigned long long)best, (unsigned long long)lru, (unsigned long long)fifo);
	is_within(got, best, length, "between the best possible and a fault each time");
	if (is_policy("fifo"))
		is(got, fifo, "fifo: exactly as in theory");
	else if (is_policy("random"))
		is_within(got, best, fifo + fifo / 4, "random: not much worse than fifo");
	else
		is_within(got, lru - lru * 15 / 100, lru + lru * 15 / 100, "%s: within 15 %% of lru in theory", policy);
}

int main(void)
{
	static uint16_t string[LENGTH_MAX];
	if (BsQueryOption("replace", policy, sizeof(policy)) != STATUS_SUCCESS)
		return 2;
	note("replace=%s", policy);
	pages = commit_bytes(PAGES_MAX * PAGE_BYTES);
	for (uint64_t i = 0; i < PAGES_MAX; i++)
		pattern_fill(pages, i, 1);
	string_local(string, 4, 16);
	rest_lock(string);
	is_within(locked, 10, LOCKED_MAX - 1, "what the loop needs is locked");
	test_belady(string);
	test_local(string, 8, 64, 24);
	test_local(string, 16, 96, 32);
	test_local(string, 12, 128, 48);
	is(pattern_wrong(pages, 0, PAGES_MAX, 1), 0, "all pages hold what was written");
	limits(50, 345, QUOTA_LIMITS_HARDWS_MAX_DISABLE);
	memory_release(pages);
	memory_is_consistent();
	return tap_end();
}
