/* Rows of private memory, sections, protection. Each is run once to warm up; what is reported is per page or per call. */
#include "bench.h"

#define BLOCK (16 * MIB)
#define BLOCK_PAGES (BLOCK / PAGE_BYTES)
#define CALLS 2000

/* Frames that were zeroed while the machine was idle are used up first: the price of zeroing is a part of the row. */
static void spend_zeroed_frames(void)
{
	static bool done;

	for (uint64_t used = 0; !done && used < os_memory(); used += BLOCK) {
		void *p = os_alloc(BLOCK);
		touch_write(p, BLOCK);
		os_free(p, BLOCK);
	}
	done = true;
}

static void null_call(void)
{
	uint64_t start;

	for (int i = 0; i < 100; i++)
		os_null_call();
	start = ticks();
	for (int i = 0; i < CALLS; i++)
		os_null_call();
	report("null-call", "per call", (double)(ticks() - start) / CALLS);
}

static void private_touch(void)
{
	uint64_t start, touched, freed;
	char *p;

	spend_zeroed_frames();
	p = os_alloc(BLOCK);
	start = ticks();
	touch_write(p, BLOCK);
	touched = ticks();
	os_free(p, BLOCK);
	freed = ticks();
	report("touch", "per page", (double)(touched - start) / BLOCK_PAGES);
	report("release", "per page", (double)(freed - touched) / BLOCK_PAGES);
}

static void large_touch(void)
{
	uint64_t start;
	char *p;

	for (int round = 0; round < 2; round++) {
		start = ticks();
		p = os_alloc_large(BLOCK);
		if (!p)
			return;
		touch_write(p, BLOCK);
		start = ticks() - start;
		os_free(p, BLOCK);
	}
	report("touch-large", "per 4 KiB", (double)start / BLOCK_PAGES);
}

static void section_touch(void)
{
	uint64_t first = 0, second = 0, start;

	for (int round = 0; round < 2; round++) {
		intptr_t s = os_section(BLOCK);
		char *a = os_map(s, BLOCK), *b = os_map(s, BLOCK);

		start = ticks();
		touch_write(a, BLOCK);
		first = ticks() - start;
		start = ticks();
		touch_write(b, BLOCK);
		second = ticks() - start;
		os_unmap(a, BLOCK);
		os_unmap(b, BLOCK);
		os_section_close(s);
	}
	report("section-touch", "per page", (double)first / BLOCK_PAGES);
	report("second-view", "per page", (double)second / BLOCK_PAGES);
}

static void map_unmap(void)
{
	uint64_t start, empty = 0, touched = 0;

	for (int round = 0; round < 2; round++) {
		start = ticks();
		for (int i = 0; i < CALLS; i++)
			os_free(os_alloc(PAGE_BYTES), PAGE_BYTES);
		empty = ticks() - start;
		start = ticks();
		for (int i = 0; i < CALLS; i++) {
			volatile char *p = os_alloc(PAGE_BYTES);
			*p = 1;
			os_free((void *)p, PAGE_BYTES);
		}
		touched = ticks() - start;
	}
	report("map-unmap", "per pair", (double)empty / CALLS);
	report("map-touch-unmap", "per pair", (double)touched / CALLS);
}

static void protect(void)
{
	char *p = os_alloc(PAGE_BYTES);
	uint64_t start = 0;

	for (int round = 0; round < 2; round++) {
		*(volatile char *)p = 1;
		start = ticks();
		for (int i = 0; i < CALLS; i++) {
			os_protect_read(p, PAGE_BYTES);
			os_protect_write(p, PAGE_BYTES);
		}
		start = ticks() - start;
	}
	os_free(p, PAGE_BYTES);
	report("protect", "per pair", (double)start / CALLS);
}

const struct row memory_rows[] = {
	{ "null-call", "a system call that does nothing", null_call },
	{ "touch", "first touch of private memory, zeroing included; its release", private_touch },
	{ "touch-large", "allocating and touching memory in pages of 2 MiB", large_touch },
	{ "section-touch", "first touch of an anonymous section, and through a second view", section_touch },
	{ "map-unmap", "one page allocated and freed, untouched and touched", map_unmap },
	{ "protect", "one page made read-only and writable again", protect },
	{ 0 },
};
