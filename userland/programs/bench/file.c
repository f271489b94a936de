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

/* Twice as much as memory holds: when it is read from its beginning, what was read last is always what comes last. */
static void disk_file(void)
{
	uint64_t bytes = os_memory() / MIB * 2 * MIB;
	char *piece = os_alloc(PIECE);
	double start, written, read;
	intptr_t file = os_disk_file();

	for (size_t i = 0; i < PIECE; i++)
		piece[i] = (char)(i * 7);
	start = os_seconds();
	for (uint64_t at = 0; at < bytes; at += PIECE)
		os_file_write(file, piece, PIECE);
	os_file_flush(file);
	written = os_seconds() - start;
	start = os_seconds();
	for (uint64_t at = 0; at < bytes; at += PIECE)
		os_file_read(file, at, piece, PIECE);
	read = os_seconds() - start;
	os_free(piece, PIECE);
	os_disk_file_close(file);
	report("disk-write", "MiB per second", (double)bytes / MIB / written);
	report("disk-read", "MiB per second", (double)bytes / MIB / read);
}

const struct row file_rows[] = {
	{ "file", "a file in memory: through a fresh view, and read with calls", cached_file },
	{ 0 },
};

const struct row disk_rows[] = {
	{ "disk", "a file of twice the memory on a disk (D:), written in order, flushed, and read", disk_file },
	{ 0 },
};
