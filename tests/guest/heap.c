/* The heap: blocks keep their contents, are aligned, and give their memory back. */
#include "guest.h"

#define BLOCKS 512

static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static bool block_holds(int i)
{
	for (size_t byte = 0; byte < sizes[i]; byte += 1 + sizes[i] / 64)
		if (blocks[i][byte] != (unsigned char)(i * 7 + byte))
			return false;
	return true;
}

static void block_fill(int i)
{
	for (size_t byte = 0; byte < sizes[i]; byte++)
		blocks[i][byte] = (unsigned char)(i * 7 + byte);
}

/* Mostly small, sometimes of many pages. */
static size_t random_size(void)
{
	uint64_t r = random_next();
	return r % 64 == 0 ? r / 64 % 300000 : r % 8 == 0 ? r / 64 % 8000 : r / 64 % 200;
}

static void test_calls(void)
{
	HANDLE heap = GetProcessHeap();
	unsigned char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 1000);
	bool zero = true;
	for (int i = 0; i < 1000; i++)
		zero &= p[i] == 0;
	ok(zero, "HEAP_ZERO_MEMORY");
	is((uintptr_t)p % 16, 0, "a block is aligned to 16 bytes");
	is(HeapSize(heap, 0, p), 1000, "HeapSize gives what was asked for");
	memset(p, 'h', 1000);
	p = HeapReAlloc(heap, HEAP_ZERO_MEMORY, p, 100000);
	ok(p && p[0] == 'h' && p[999] == 'h' && p[1000] == 0 && p[99999] == 0,
	   "HeapReAlloc keeps the contents and zeroes the rest");
	p = HeapReAlloc(heap, 0, p, 10);
	ok(p && p[9] == 'h', "and makes smaller");
	ok(HeapFree(heap, 0, p), "HeapFree");
	ok(HeapFree(heap, 0, NULL), "HeapFree of nothing");
	p = HeapAlloc(heap, 0, 0);
	ok(p != NULL, "a block of 0 bytes");
	HeapFree(heap, 0, p);
	ok(HeapAlloc(heap, 0, 1ull << 50) == NULL, "a block larger than memory is refused");
	ok(HeapValidate(heap, 0, NULL), "HeapValidate");
}

static void test_random(HANDLE heap, const char *name)
{
	bool good = true, aligned = true;
	for (int round = 0; round < 8; round++) {
		for (int n = 0; n < BLOCKS; n++) {
			int i = (int)(random_next() % BLOCKS);
			if (blocks[i]) {
				good &= block_holds(i);
				if (random_next() % 3 == 0) {
					size_t size = random_size(), keep = size < sizes[i] ? size : sizes[i];
					unsigned char *p = HeapReAlloc(heap, 0, blocks[i], size);
					good &= p != NULL;
					blocks[i] = p;
					sizes[i] = keep;
					good &= block_holds(i);
					sizes[i] = size;
					block_fill(i);
					continue;
				}
				HeapFree(heap, 0, blocks[i]);
				blocks[i] = NULL;
			} else {
				sizes[i] = random_size();
				blocks[i] = HeapAlloc(heap, 0, sizes[i]);
				good &= blocks[i] != NULL;
				aligned &= (uintptr_t)blocks[i] % 16 == 0;
				block_fill(i);
			}
		}
		tap_alive();
	}
	ok(good, "%s: 4,096 random operations keep all contents", name);
	ok(aligned, "%s: all blocks are aligned", name);
	ok(HeapValidate(heap, 0, NULL), "%s: it is valid", name);
}

static void free_all(HANDLE heap)
{
	for (int i = 0; i < BLOCKS; i++) {
		if (heap && blocks[i])
			HeapFree(heap, 0, blocks[i]);
		blocks[i] = NULL;
	}
}

static void test_private_heap(void)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	ok(heap != NULL, "HeapCreate");
	test_random(heap, "a heap of its own");
	free_all(NULL); /* HeapDestroy frees them all */
	ok(HeapDestroy(heap), "HeapDestroy");
}

/* A block that was freed is none any more, wherever its neighbours are: who frees it again is to be noticed. */
static void test_freed(void)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	void *p[5];

	for (int i = 0; i < 5; i++)
		p[i] = HeapAlloc(heap, 0, 100);
	HeapFree(heap, 0, p[1]);
	HeapFree(heap, 0, p[2]); /* joins the one to its left */
	HeapFree(heap, 0, p[0]); /* and the one to its right */
	ok(!HeapValidate(heap, 0, p[1]) && HeapSize(heap, 0, p[1]) == (SIZE_T)-1, "a freed block is no block");
	ok(!HeapValidate(heap, 0, p[2]) && HeapSize(heap, 0, p[2]) == (SIZE_T)-1, "nor one that was joined to a free one before it");
	ok(!HeapValidate(heap, 0, p[0]) && HeapSize(heap, 0, p[0]) == (SIZE_T)-1, "nor one that was joined to a free one behind it");
	ok(HeapValidate(heap, 0, p[3]) && HeapValidate(heap, 0, NULL), "the others are");
	HeapDestroy(heap);
}

static void test_backing(void)
{
	struct bs_memory before = memory_now();
	const uint64_t pages = 512;
	char *p = HeapAlloc(GetProcessHeap(), 0, (pages + 1) * 4096);
	char *whole = (char *)(((uintptr_t)p + 4095) & ~(uintptr_t)4095);
	struct bs_memory made = memory_now();
	is_within(made.commit_private - before.commit_private, pages + 1, pages + 64,
		  "a block of 2 MiB is charged for");
	is(pages_backed(whole, pages, BS_ZERO), pages, "a large block's pages are zero on demand");
	for (uint64_t page = 0; page < pages; page++)
		pattern_fill(whole, page, 9);
	is(pages_backed(whole, pages, BS_MEMORY), pages, "written, they are in memory alone");
	is(pattern_wrong(whole, 0, pages, 9), 0, "and hold what was written");
	HeapFree(GetProcessHeap(), 0, p);
	is_within(memory_now().commit_private, 0, before.commit_private + 16, "freeing it gives the charge back");
	is(memory_now().pages_swapped_out, before.pages_swapped_out, "nothing was written to a paging file");
}

/* What is run again for leaks: random blocks in the process heap leave it larger or smaller, as they happen to lie. */
#define HEAP_STEP_PAGES 16 /* so much the process heap commits at a time, and keeps */
static void repeated(void)
{
	test_calls();
	test_private_heap();
	test_freed();
	test_backing();
}

int main(void)
{
	test_random(GetProcessHeap(), "the process heap");
	free_all(GetProcessHeap());
	repeated();
	return leaks_none_and_end(repeated, HEAP_STEP_PAGES);
}
