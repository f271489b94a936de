/*
 * Base relocations: an image relocated page by page, each page seeing no more than its own bytes and the eight before
 * them, has to be the same as the image relocated as a whole.
 */
#include <string.h>

#include "image/pe.h"
#include "tap.h"

#define PAGES 5
#define SIZE (PAGES * PAGE_SIZE)
#define ABSOLUTE 0
#define HIGHLOW 3
#define DIR64 10

static struct pe_image image;

/* A relocation directory that grows. */
struct directory {
	u8 bytes[64 * 1024];
	size_t size;
};

static struct directory directory;

static void append16(u16 value)
{
	memcpy(directory.bytes + directory.size, &value, 2);
	directory.size += 2;
}

static void append32(u32 value)
{
	memcpy(directory.bytes + directory.size, &value, 4);
	directory.size += 4;
}

/* Returns where the block begins. */
static size_t block_begin(u32 page_rva)
{
	append32(page_rva);
	append32(0);
	return directory.size - 8;
}

static void block_entry(u32 kind, u32 offset)
{
	append16((u16)(kind << 12 | offset));
}

static void block_end(size_t block)
{
	u32 size;

	if (directory.size % 4)
		block_entry(ABSOLUTE, 0);
	size = (u32)(directory.size - block);
	memcpy(directory.bytes + block + 4, &size, 4);
}

/* The reference: all of an image in one piece, the way the specification tells it. */
static void image_relocate(u8 *bytes, const u8 *relocations, size_t size, u64 delta)
{
	for (size_t at = 0; at + 8 <= size;) {
		u32 header[2];

		memcpy(header, relocations + at, 8);
		for (size_t entry = at + 8; entry < at + header[1]; entry += 2) {
			u16 word;
			u64 value = 0;
			size_t width;

			memcpy(&word, relocations + entry, 2);
			width = word >> 12 == DIR64 ? 8 : word >> 12 == HIGHLOW ? 4 : 0;
			memcpy(&value, bytes + header[0] + (word & 0xfff), width);
			value += delta;
			memcpy(bytes + header[0] + (word & 0xfff), &value, width);
		}
		at += header[1];
	}
}

/* One page of an image, in memory of its own; the bytes before it are given only if they are asked for. */
static u8 *page_relocated(const u8 *bytes, u32 rva, const u8 *relocations, size_t relocations_size, u64 delta)
{
	u8 *page = malloc(PAGE_SIZE), *before = calloc(1, 8);
	bool crosses = pe_page_crosses(relocations, relocations_size, rva);

	memcpy(page, bytes + rva, PAGE_SIZE);
	if (rva > 0)
		memcpy(before, bytes + rva - 8, 8);
	pe_relocate_page(relocations, relocations_size, rva, page, delta, crosses ? before : NULL);
	free(before);
	return page;
}

/* Returns how many of the pages' edges have a value across them. */
static int page_by_page_is_the_same(const u8 *bytes, size_t size, const u8 *relocations, size_t relocations_size,
				    u64 delta)
{
	u8 *whole = malloc(size);
	int crossings = 0;

	memcpy(whole, bytes, size);
	image_relocate(whole, relocations, relocations_size, delta);
	for (u32 rva = 0; rva < size; rva += PAGE_SIZE) {
		u8 *page = page_relocated(bytes, rva, relocations, relocations_size, delta);
		bool crosses = pe_page_crosses(relocations, relocations_size, rva);

		if (memcmp(page, whole + rva, PAGE_SIZE) != 0)
			tap_fail(__FILE__, __LINE__, "page 0x%x, delta 0x%llx", rva, (unsigned long long)delta);
		expect(rva > 0 || !crosses);
		crossings += crosses;
		free(page);
	}
	free(whole);
	return crossings;
}

static void bytes_fill(u8 *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += 8) {
		u64 value = tap_random();

		memcpy(bytes + at, &value, 8);
	}
}

/* Relocations that do not overlap, anywhere, often at the edges of pages; each page's in one block or in several. */
static void directory_random(void)
{
	u64 free_from[PAGES + 1] = { 0 }; /* where the last value ended that begins in the page before */
	u32 order[PAGES];

	directory.size = 0;
	for (u32 i = 0; i < PAGES; i++)
		order[i] = i;
	for (u32 i = PAGES - 1; i > 0; i--) {
		u32 j = (u32)tap_below(i + 1), other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
	/* First, what crosses each edge; the blocks then come in any order. */
	for (u32 i = 1; i < PAGES; i++)
		free_from[i] = tap_one_in(3) ? 0 : tap_between(1, 7);
	for (u32 i = 0; i < PAGES; i++) {
		u32 page = order[i];
		bool crosses = page + 1 < PAGES && free_from[page + 1] > 0;
		u64 end = crosses ? PAGE_SIZE - (8 - free_from[page + 1]) : PAGE_SIZE, at = free_from[page];
		size_t block = block_begin(page * PAGE_SIZE);

		if (crosses)
			block_entry(DIR64, (u32)end);
		for (;;) {
			u32 kind = tap_one_in(4) ? HIGHLOW : DIR64;

			at += tap_one_in(3) ? 0 : tap_below(200);
			if (at + 8 > end)
				break;
			block_entry(kind, (u32)at);
			at += kind == DIR64 ? 8 : 4;
			if (tap_one_in(10))
				block_entry(ABSOLUTE, (u32)tap_below(PAGE_SIZE));
			if (tap_one_in(20)) {
				block_end(block);
				block = block_begin(page * PAGE_SIZE);
			}
		}
		block_end(block);
	}
}

/* A copy of exactly the size, for the address sanitizer. */
static u8 *directory_copy(void)
{
	u8 *copy = malloc(directory.size);

	memcpy(copy, directory.bytes, directory.size);
	return copy;
}

static void random_relocations(void)
{
	u8 *bytes = malloc(SIZE);

	image = (struct pe_image){ .size = SIZE };
	for (int round = 0; round < 1500; round++) {
		u64 delta = tap_one_in(2) ? tap_random() : tap_random() << 16;
		u8 *relocations;

		bytes_fill(bytes, SIZE);
		directory_random();
		relocations = directory_copy();
		expect_equal(pe_check_relocations(&image, relocations, directory.size), PE_OK);
		page_by_page_is_the_same(bytes, SIZE, relocations, directory.size, delta);
		free(relocations);
	}
	free(bytes);
}

/* Both kinds, at each distance from an edge, with a delta whose carry has to come across it. */
static void every_crossing(void)
{
	u8 bytes[2 * PAGE_SIZE];

	image = (struct pe_image){ .size = sizeof(bytes) };
	for (u32 kind = HIGHLOW; kind <= DIR64; kind += DIR64 - HIGHLOW) {
		u32 width = kind == DIR64 ? 8 : 4;

		for (u32 offset = PAGE_SIZE - 9; offset < PAGE_SIZE; offset++) {
			bool crosses = offset + width > PAGE_SIZE;
			size_t block;

			directory.size = 0;
			block = block_begin(0);
			block_entry(kind, offset);
			block_end(block);
			memset(bytes, 0xff, sizeof(bytes));
			expect_equal(pe_check_relocations(&image, directory.bytes, directory.size), PE_OK);
			expect_equal(page_by_page_is_the_same(bytes, sizeof(bytes), directory.bytes, directory.size, 1),
				     crosses);
			page_by_page_is_the_same(bytes, sizeof(bytes), directory.bytes, directory.size, -0x10000ull);
		}
	}
}

static void check_one(u32 page_rva, u32 size_field, u32 entry, enum pe_error expected)
{
	directory.size = 0;
	append32(page_rva);
	append32(size_field);
	append16((u16)entry);
	append16(0);
	expect_equal(pe_check_relocations(&image, directory.bytes, directory.size), expected);
}

static void bad_blocks_refused(void)
{
	image = (struct pe_image){ .size = 0x3000 };
	check_one(0x2000, 12, DIR64 << 12, PE_OK);
	check_one(0x2000, 12, DIR64 << 12 | 0xff8, PE_OK);
	check_one(0x2000, 12, DIR64 << 12 | 0xff9, PE_BAD_RELOCATION);
	check_one(0x2000, 12, HIGHLOW << 12 | 0xffc, PE_OK);
	check_one(0x2000, 12, HIGHLOW << 12 | 0xffd, PE_BAD_RELOCATION);
	check_one(0x1000, 12, DIR64 << 12 | 0xfff, PE_OK);
	check_one(0x3000, 12, DIR64 << 12, PE_BAD_RELOCATION);
	check_one(0x3000, 12, ABSOLUTE << 12, PE_OK);
	check_one(0xfffff000, 12, DIR64 << 12 | 0xfff, PE_BAD_RELOCATION);
	check_one(0x1001, 12, DIR64 << 12, PE_BAD_RELOCATION);
	for (u32 kind = 0; kind < 16; kind++)
		check_one(0x1000, 12, kind << 12,
			  kind == ABSOLUTE || kind == HIGHLOW || kind == DIR64 ? PE_OK : PE_BAD_RELOCATION);
	check_one(0x1000, 0, 0, PE_BAD_RELOCATION);
	check_one(0x1000, 7, 0, PE_BAD_RELOCATION);
	check_one(0x1000, 8, 0, PE_BAD_RELOCATION); /* four bytes stay that are no block */
	check_one(0x1000, 11, 0, PE_BAD_RELOCATION);
	check_one(0x1000, 13, 0, PE_BAD_RELOCATION);
	check_one(0x1000, 16, 0, PE_BAD_RELOCATION);
	check_one(0x1000, 0xffffffff, 0, PE_BAD_RELOCATION);
	expect_equal(pe_check_relocations(&image, NULL, 0), PE_OK);
}

/* Damaged ones are refused, or harmless; and even what was refused does not make the page functions leave the bytes. */
static void fuzz(void)
{
	u8 *bytes = malloc(SIZE);
	int refused = 0, rounds = 4000;

	image = (struct pe_image){ .size = SIZE };
	bytes_fill(bytes, SIZE);
	for (int round = 0; round < rounds; round++) {
		u8 *relocations;

		directory_random();
		for (u64 i = tap_between(1, 3); i > 0; i--)
			directory.bytes[tap_below(directory.size)] = (u8)tap_random();
		if (tap_one_in(4))
			directory.size = tap_below(directory.size + 1);
		relocations = directory_copy();
		refused += pe_check_relocations(&image, relocations, directory.size) != PE_OK;
		free(page_relocated(bytes, (u32)(tap_below(PAGES) * PAGE_SIZE), relocations, directory.size,
				    tap_random()));
		free(relocations);
	}
	expect(refused > 0 && refused < rounds);
	free(bytes);
}

/* Lays the file's segments out in memory. */
static u8 *file_load(const u8 *file, size_t file_size)
{
	u8 *bytes;

	expect_equal(pe_parse(file, MIN(file_size, PE_HEADERS_MAX), file_size, &image, NULL), PE_OK);
	bytes = calloc(1, image.size);
	for (u32 i = 0; i < image.segment_count; i++) {
		const struct pe_segment *g = &image.segments[i];

		memcpy(bytes + g->rva, file + g->file_offset, g->file_bytes);
	}
	return bytes;
}

/* pe_sample.c has pointers that cross the edges of pages; the relocations relocate themselves in no linker's output. */
static void sample_relocates(const char *name)
{
	size_t size;
	u8 *file = tap_file(name, &size), *bytes = file_load(file, size);
	const u8 *relocations = bytes + image.relocation_rva;

	expect_equal(pe_check_relocations(&image, relocations, image.relocation_size), PE_OK);
	for (int round = 0; round < 4; round++) {
		u64 delta = tap_random() << 16;

		expect(page_by_page_is_the_same(bytes, image.size, relocations, image.relocation_size, delta) > 3);
	}
	free(bytes);
	free(file);
}

static void exe_relocates(void)
{
	sample_relocates("pe_sample.exe");
}

static void dll_relocates(void)
{
	sample_relocates("pe_sample.dll");
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(bad_blocks_refused);
	tap_run(every_crossing);
	tap_run(random_relocations);
	tap_run(exe_relocates);
	tap_run(dll_relocates);
	tap_run(fuzz);
	return tap_end();
}
