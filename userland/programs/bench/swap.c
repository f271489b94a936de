/* Rows of paging files: half more than memory is written, read in order, and read at random. */
#include "bench.h"
#include <stdlib.h>

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static void swap(void)
{
	size_t bytes = os_memory() / PAGE_BYTES * 3 / 2 * PAGE_BYTES, pages = bytes / PAGE_BYTES;
	uint64_t state = 1, read, start, *p;
	double begin;

	if (os_paging_file() < bytes) {
		report("swap-out", "none", 0);
		return;
	}
	p = os_alloc(bytes);
	begin = os_seconds();
	for (size_t i = 0; i < pages; i++)
		p[i * 512] = i + 1;
	report("swap-out", "MiB/s", (double)(bytes / MIB) / (os_seconds() - begin));
	begin = os_seconds();
	for (size_t i = 0; i < pages; i++)
		if (p[i * 512] != i + 1)
			abort();
	report("swap-in", "MiB/s", (double)(bytes / MIB) / (os_seconds() - begin));
	read = os_pages_read();
	start = ticks();
	for (size_t n = 0; n < 20000; n++) {
		size_t i = next_random(&state) % pages;
		if (p[i * 512] != i + 1)
			abort();
	}
	start = ticks() - start;
	read = os_pages_read() - read;
	report("swap-random", "thousand ticks per page", (double)start / (double)(read ? read : 1) / 1000);
	os_free(p, bytes);
}

const struct row swap_rows[] = {
	{ "swap", "half more than memory: written, read in order, read at random", swap },
	{ 0 },
};
