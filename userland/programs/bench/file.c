/* Rows of files whose contents are in memory. */
#include "bench.h"

#define FILE_BYTES (4 * MIB)
#define FILE_PAGES (FILE_BYTES / PAGE_BYTES)
#define PIECE 65536

static void cached_file(void)
{
	intptr_t file = os_file(FILE_BYTES);
	void *to = os_alloc(PIECE);
	uint64_t start, view = 0, read = 0, small = 0;

	for (int round = 0; round < 2; round++) {
		void *p = os_file_map(file, FILE_BYTES);

		start = ticks();
		touch_read(p, FILE_BYTES);
		view = ticks() - start;
		os_unmap(p, FILE_BYTES);
		start = ticks();
		for (size_t at = 0; at < FILE_BYTES; at += PIECE)
			os_file_read(file, at, to, PIECE);
		read = ticks() - start;
		start = ticks();
		for (size_t at = 0; at < FILE_BYTES; at += PAGE_BYTES)
			os_file_read(file, at, to, PAGE_BYTES);
		small = ticks() - start;
	}
	os_free(to, PIECE);
	os_file_close(file);
	report("file-view", "per page", (double)view / FILE_PAGES);
	report("file-read-64K", "per 4 KiB", (double)read / FILE_PAGES);
	report("file-read-4K", "per call", (double)small / FILE_PAGES);
}

const struct row file_rows[] = {
	{ "file", "a file in memory: through a fresh view, and read with calls", cached_file },
	{ 0 },
};
