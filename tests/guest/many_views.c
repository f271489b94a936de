/*
 * Ten thousand allocations in one process: where they are placed, and that they go in any order. Places are the lowest
 * that are free, or with MEM_TOP_DOWN the highest, as VirtualAlloc's are on Windows.
 */
#include "calls.h"
#include <stdlib.h>

#define VIEWS 10000
#define KIB64 65536
#define TOP_DOWN 300

static char *views[VIEWS];

/* Two of five are committed: as many as the smallest machine can promise. */
static char *allocate(int i, SIZE_T size, DWORD type)
{
	return VirtualAlloc(NULL, size, MEM_RESERVE | (i % 5 < 2 ? MEM_COMMIT : 0) | type, PAGE_READWRITE);
}

static int by_address(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	return (x > y) - (x < y);
}

static void shuffle(char **at, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int j = (int)(random_next() % (uint64_t)(i + 1));
		char *swap = at[i];
		at[i] = at[j];
		at[j] = swap;
	}
}

/* Ticks of the time-stamp counter for a page allocated and freed. */
static uint64_t pair_cost(void)
{
	enum { ROUNDS = 64 };
	uint64_t start = __builtin_ia32_rdtsc();
	for (int i = 0; i < ROUNDS; i++)
		VirtualFree(VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), 0, MEM_RELEASE);
	return (__builtin_ia32_rdtsc() - start) / ROUNDS;
}

static void all(void)
{
	static char *freed[VIEWS / 3];
	int failed = 0, wrong = 0, count = VIEWS / 3;
	uint64_t cost_few = pair_cost(), cost_hundred = 0;

	for (int i = 0; i < VIEWS; i++) {
		if (i == 100)
			cost_hundred = pair_cost();
		views[i] = allocate(i, PAGE_BYTES, 0);
		failed += !views[i];
		wrong += (uintptr_t)views[i] % KIB64 || (i && views[i] <= views[i - 1]);
		if (i % 50 == 0 && views[i])
			pattern_fill(views[i], 0, (uint32_t)i);
	}
	is(failed, 0, "10,000 allocations of a page");
	is(wrong, 0, "each at the lowest place that is free: each above the one before");
	note("allocating and freeing a page, ticks: %llu, with 100 views more %llu, with 10,000 %llu",
	     (unsigned long long)cost_few, (unsigned long long)cost_hundred, (unsigned long long)pair_cost());

	shuffle(views, VIEWS);
	for (int i = 0; i < count; i++) {
		failed += !VirtualFree(views[i], 0, MEM_RELEASE);
		freed[i] = views[i];
	}
	is(failed, 0, "every third is freed, in no order");
	qsort(freed, (size_t)count, sizeof(*freed), by_address);
	for (int i = 0; i < count; i++) {
		views[i] = allocate(i, i % 5 < 2 ? PAGE_BYTES : KIB64, 0);
		wrong += views[i] != freed[i];
	}
	is(wrong, 0, "new ones take their places, from the lowest on");

	qsort(views, VIEWS, sizeof(*views), by_address);
	int pair = 0;
	for (int i = VIEWS / 2; i < VIEWS - 1 && !pair; i++)
		pair = views[i + 1] - views[i] == KIB64 ? i : 0;
	VirtualFree(views[pair], 0, MEM_RELEASE);
	VirtualFree(views[pair + 1], 0, MEM_RELEASE);
	char *two = allocate(2, KIB64 + PAGE_BYTES, 0);
	ok(two == views[pair], "what is larger goes where two neighbours were");
	VirtualFree(two, 0, MEM_RELEASE);
	views[pair] = allocate(0, PAGE_BYTES, 0);
	views[pair + 1] = allocate(1, PAGE_BYTES, 0);

	static char *high[TOP_DOWN];
	for (int i = 0; i < TOP_DOWN; i++) {
		high[i] = allocate(i, PAGE_BYTES, MEM_TOP_DOWN);
		wrong += !high[i] || (i && high[i] >= high[i - 1]) || high[i] < views[VIEWS - 1];
	}
	is(wrong, 0, "with MEM_TOP_DOWN each is below the one before, and above all others");
	shuffle(high, TOP_DOWN);
	shuffle(views, VIEWS);
	for (int i = 0; i < TOP_DOWN; i++)
		failed += !VirtualFree(high[i], 0, MEM_RELEASE);
	for (int i = 0; i < VIEWS; i++)
		failed += !VirtualFree(views[i], 0, MEM_RELEASE);
	is(failed, 0, "all are freed, in no order");
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
