/*
 * What re-mapping a window costs beside one flat address space, on the same data and with the same work: pages are visited
 * in order and at random, through a view of all of them and through a window (Address Windowing Extensions) of a half, an
 * eighth and a thirty-second of them.
 */
#include "backstore.h"
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>

#define PAGES 8192ull /* 32 MiB of data */
#define VISITS 20000
#define PAGE_WORDS (PAGE_BYTES / sizeof(uint64_t))

static ULONG_PTR frames[PAGES];
static uint64_t holds[PAGES]; /* the page that a slot of the window shows */
static volatile uint64_t sum;

static void give_up(const char *what)
{
	printf("bench: %s failed: error %lu\n", what, GetLastError());
	exit(1);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static void visit(const char *page, size_t words)
{
	const volatile uint64_t *p = (const volatile uint64_t *)page;

	for (size_t i = 0; i < words; i++)
		sum += p[i];
}

static void map(char *at, uint64_t count, ULONG_PTR *list)
{
	if (!MapUserPhysicalPages(at, count, list))
		give_up("MapUserPhysicalPages");
}

static void report_window(const char *order, const char *where, uint64_t start, uint64_t visits)
{
	char name[32];

	snprintf(name, sizeof(name), "awe-%s-%s", order, where);
	report(name, "per page", (double)(ticks() - start) / (double)visits);
}

static void visit_flat(const char *data)
{
	uint64_t start = ticks(), state = 1;

	for (uint64_t i = 0; i < PAGES; i++)
		visit(data + i * PAGE_BYTES, 1);
	report_window("order", "flat", start, PAGES);
	start = ticks();
	for (uint64_t n = 0; n < VISITS; n++)
		visit(data + next_random(&state) % PAGES * PAGE_BYTES, 1);
	report_window("random", "flat", start, VISITS);
	start = ticks();
	for (uint64_t i = 0; i < PAGES; i++)
		visit(data + i * PAGE_BYTES, PAGE_WORDS);
	report_window("read", "flat", start, PAGES);
}

/* In order the window moves by its whole size; at random each of its pages moves alone, when another one is wanted there. */
static void visit_window(char *window, uint64_t size, const char *where)
{
	uint64_t start = ticks(), state = 1;

	for (uint64_t i = 0; i < PAGES; i += size) {
		map(window, size, frames + i);
		for (uint64_t k = 0; k < size; k++)
			visit(window + k * PAGE_BYTES, 1);
	}
	report_window("order", where, start, PAGES);
	map(window, size, frames);
	for (uint64_t i = 0; i < size; i++)
		holds[i] = i;
	start = ticks();
	for (uint64_t n = 0; n < VISITS; n++) {
		uint64_t page = next_random(&state) % PAGES, slot = page % size;

		if (holds[slot] != page) {
			map(window + slot * PAGE_BYTES, 1, frames + page);
			holds[slot] = page;
		}
		visit(window + slot * PAGE_BYTES, 1);
	}
	report_window("random", where, start, VISITS);
	map(window, size, NULL);
}

static void awe(void)
{
	ULONG_PTR count = PAGES;
	char *data = os_alloc(PAGES * PAGE_BYTES);
	char *window = VirtualAlloc(NULL, PAGES * PAGE_BYTES, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);

	if (!window)
		give_up("VirtualAlloc");
	if (!AllocateUserPhysicalPages(GetCurrentProcess(), &count, frames) || count != PAGES)
		give_up("AllocateUserPhysicalPages");
	touch_write(data, PAGES * PAGE_BYTES);
	map(window, PAGES, frames);
	touch_write(window, PAGES * PAGE_BYTES);
	map(window, PAGES, NULL);
	visit_flat(data);
	visit_window(window, PAGES / 2, "2");
	visit_window(window, PAGES / 8, "8");
	visit_window(window, PAGES / 32, "32");
	if (!FreeUserPhysicalPages(GetCurrentProcess(), &count, frames))
		give_up("FreeUserPhysicalPages");
	VirtualFree(window, 0, MEM_RELEASE);
	os_free(data, PAGES * PAGE_BYTES);
}

const struct row os_rows[] = {
	{ "awe", "pages visited through a window of a half to 1/32 of them, beside one view of all", awe },
	{ 0 },
};
