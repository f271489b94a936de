/* PE headers: real images, one made by hand, and what has to come of each field of it damaged. */
#include "pe_world.h"

static const struct pe_segment *segment_named(const char *name)
{
	for (u32 i = 0; i < image.segment_count; i++) {
		if (strcmp(image.segments[i].name, name) == 0)
			return &image.segments[i];
	}
	tap_fail(__FILE__, __LINE__, "no section %s", name);
}

static void sample_check(const u8 *bytes, size_t size)
{
	const struct pe_segment *g;

	expect_equal(parse_and_check(bytes, MIN(size, PE_HEADERS_MAX), size), PE_OK);
	expect(image.relocatable && image.relocation_size > 100);
	expect_equal(image.machine, 0x8664);
	expect_equal(image.subsystem, 3);
	expect(image.dll_characteristics & PE_DLL_DYNAMIC_BASE);
	expect_equal(image.stack_reserve, MIB(2));

	g = pe_segment_at(&image, image.entry_rva);
	expect(g == segment_named(".text"));
	expect(g->read && !g->write && g->execute && !g->shared);
	expect(g->file_offset == image.headers_size && g->file_bytes > 0);
	g = segment_named(".data");
	expect(g->read && g->write && !g->execute && !g->shared && g->file_bytes > 27000);
	g = segment_named(".bss");
	expect(g->read && g->write && !g->execute && g->pages >= 5 && g->file_bytes == 0 && g->file_offset == 0);
	g = segment_named(".shared");
	expect(g->read && g->write && g->shared && g->pages == 1 && g->file_bytes == 512);
	g = segment_named(".rdata");
	expect(g->read && !g->write && !g->execute);
	expect(pe_segment_at(&image, image.relocation_rva) == segment_named(".reloc"));
	segment_named(".tls");
	segment_named(".idata");
	g = segment_named("headers");
	expect(g == &image.segments[0] && g->rva == 0 && g->read && !g->write && g->file_bytes == image.headers_size);
}

static void exe_parses(void)
{
	const struct pe_segment *debug;

	sample_check(exe, exe_size);
	expect(!(image.characteristics & PE_FILE_DLL));
	debug = segment_named("/4");
	expect(debug->read && !debug->write && !debug->execute && debug->file_bytes > 0);
	expect(debug->rva > segment_named(".reloc")->rva);
}

static void dll_parses(void)
{
	sample_check(dll, dll_size);
	expect(image.characteristics & PE_FILE_DLL);
	expect(IS_ALIGNED(image.preferred_base, KIB(64)));
	segment_named(".edata");
}

static void built_image_parses(void)
{
	static const struct pe_segment expected[] = {
		{ 0, 1, 0, 0x400, true, false, false, false, "headers" },
		{ 0x1000, 2, 0x400, 0x400, true, false, true, false, ".text" },
		{ 0x3000, 3, 0x800, 0x200, true, true, false, false, ".data" },
		{ 0x6000, 1, 0, 0, true, true, false, false, "longname" },
		{ 0x7000, 1, 0xa00, 0x200, true, false, false, false, ".r?loc" },
	};
	u8 f[FILE_SIZE];

	image_build(f);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect_equal(image.preferred_base, 0x140000000);
	expect_equal(image.size, 0x8000);
	expect_equal(image.entry_rva, 0x1010);
	expect_equal(image.headers_size, 0x400);
	expect_equal(image.timestamp, 0x12345678);
	expect_equal(image.checksum, 0xabcdef);
	expect_equal(image.machine, 0x8664);
	expect_equal(image.characteristics, 0x0422);
	expect_equal(image.subsystem, 3);
	expect_equal(image.dll_characteristics, 0x0140);
	expect_equal(image.os_major, 6);
	expect_equal(image.os_minor, 1);
	expect_equal(image.stack_reserve, 0x200000);
	expect_equal(image.stack_commit, 0x1000);
	expect_equal(image.heap_reserve, 0x100000);
	expect_equal(image.heap_commit, 0x2000);
	expect_equal(image.relocation_rva, 0x7000);
	expect_equal(image.relocation_size, 12);
	expect(image.relocatable);
	expect_equal(image.segment_count, ARRAY_SIZE(expected));
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct pe_segment *g = &image.segments[i], *e = &expected[i];

		expect_text(g->name, e->name);
		expect_equal(g->rva, e->rva);
		expect_equal(g->pages, e->pages);
		expect_equal(g->file_offset, e->file_offset);
		expect_equal(g->file_bytes, e->file_bytes);
		expect(g->read == e->read && g->write == e->write);
		expect(g->execute == e->execute && g->shared == e->shared);
	}
	expect(pe_segment_at(&image, 0x2fff) == &image.segments[1]);
	expect(pe_segment_at(&image, 0x8000) == NULL);
	expect(pe_segment_at(&image, 0xffffffff) == NULL);
}

/* One field of the built image changed, and what has to come of it. */
static const struct damage {
	const char *what;
	u32 at, size;
	u64 value;
	enum pe_error result;
} damages[] = {
	{ "no MZ", 0, 2, 0x4d5a, PE_NOT_MZ },
	{ "no PE", PE, 4, 0x4551, PE_DOS },
	{ "NE", PE, 4, 0x454e, PE_NE },
	{ "LE", PE, 4, 0x454c, PE_LE },
	{ "e_lfanew beyond the file", 0x3c, 4, FILE_SIZE - 23, PE_TRUNCATED },
	{ "e_lfanew wraps 32 bits", 0x3c, 4, 0xffffffff, PE_TRUNCATED },
	{ "e_lfanew in the DOS header", 0x3c, 4, 4, PE_DOS },
	{ "i386", COFF, 2, 0x14c, PE_WINDOWS_32 },
	{ "ARM64", COFF, 2, 0xaa64, PE_BAD_MACHINE },
	{ "PE32", OPTIONAL, 2, 0x10b, PE_BAD_MACHINE },
	{ "object file", COFF + 18, 2, 0x20, PE_NOT_IMAGE },
	{ "97 sections", COFF + 2, 2, 97, PE_BAD_SECTION },
	{ "65535 sections", COFF + 2, 2, 65535, PE_BAD_SECTION },
	{ "section table beyond the headers", COFF + 2, 2, 20, PE_BAD_HEADER },
	{ "one section fewer than there are relocations", COFF + 2, 2, 3, PE_BAD_RELOCATION },
	{ "no optional header", COFF + 16, 2, 0, PE_BAD_HEADER },
	{ "short optional header", COFF + 16, 2, 111, PE_BAD_HEADER },
	{ "optional header without the directory it counts", COFF + 16, 2, 112 + 5 * 8 + 7, PE_BAD_HEADER },
	{ "optional header beyond the headers", COFF + 16, 2, 0x400, PE_BAD_HEADER },
	{ "entry beyond the image", OPTIONAL + 16, 4, 0x8000, PE_BAD_HEADER },
	{ "entry wraps", OPTIONAL + 16, 4, 0xffffffff, PE_BAD_HEADER },
	{ "no entry", OPTIONAL + 16, 4, 0, PE_OK },
	{ "base not on 64 KiB", OPTIONAL + 24, 8, 0x140001000, PE_BAD_HEADER },
	{ "base at the end of 64 bits", OPTIONAL + 24, 8, ~0xffffull, PE_BAD_HEADER },
	{ "base 0", OPTIONAL + 24, 8, 0, PE_OK },
	{ "section alignment 0", OPTIONAL + 32, 4, 0, PE_BAD_ALIGNMENT },
	{ "section alignment under a page, sections not as in the file", OPTIONAL + 32, 4, 0x200, PE_BAD_SECTION },
	{ "section alignment under a page and the file's", OPTIONAL + 32, 4, 0x100, PE_BAD_ALIGNMENT },
	{ "section alignment no power of two", OPTIONAL + 32, 4, 0x3000, PE_BAD_ALIGNMENT },
	{ "section alignment of other sections", OPTIONAL + 32, 4, 0x2000, PE_BAD_SECTION },
	{ "section alignment 2 GiB", OPTIONAL + 32, 4, 0x80000000, PE_BAD_SECTION },
	{ "file alignment 0", OPTIONAL + 36, 4, 0, PE_BAD_ALIGNMENT },
	{ "file alignment 256", OPTIONAL + 36, 4, 0x100, PE_BAD_ALIGNMENT },
	{ "file alignment no power of two", OPTIONAL + 36, 4, 0x600, PE_BAD_ALIGNMENT },
	{ "file alignment above section alignment", OPTIONAL + 36, 4, 0x2000, PE_BAD_ALIGNMENT },
	{ "file alignment above 64 KiB", OPTIONAL + 36, 4, 0x20000, PE_BAD_ALIGNMENT },
	{ "image size 0", OPTIONAL + 56, 4, 0, PE_BAD_HEADER },
	{ "image smaller than the sections", OPTIONAL + 56, 4, 0x7000, PE_BAD_SECTION },
	{ "image ends in its last page", OPTIONAL + 56, 4, 0x7001, PE_OK },
	{ "image larger than the sections", OPTIONAL + 56, 4, 0x90000, PE_OK },
	{ "image of 2 GiB", OPTIONAL + 56, 4, 0x80000000, PE_BAD_HEADER },
	{ "image size rounds to 4 GiB", OPTIONAL + 56, 4, 0xffffffff, PE_BAD_HEADER },
	{ "headers size 0", OPTIONAL + 60, 4, 0, PE_BAD_HEADER },
	{ "headers end before the section table does", OPTIONAL + 60, 4, SECTION(SECTIONS) - 1, PE_BAD_HEADER },
	{ "headers end with the section table", OPTIONAL + 60, 4, SECTION(SECTIONS), PE_OK },
	{ "headers reach into the first section", OPTIONAL + 60, 4, 0x1001, PE_TRUNCATED },
	{ "headers larger than the image", OPTIONAL + 60, 4, 0x8001, PE_BAD_HEADER },
	{ "headers wrap", OPTIONAL + 60, 4, 0xffffffff, PE_BAD_HEADER },
	{ "few directories", OPTIONAL + 108, 4, 5, PE_OK },
	{ "no directories", OPTIONAL + 108, 4, 0, PE_OK },
	{ "many directories", OPTIONAL + 108, 4, 0xffffffff, PE_OK },
	{ "relocations in BSS", DIRECTORIES + 40, 4, 0x6000, PE_OK },
	{ "relocations beyond the image", DIRECTORIES + 40, 4, 0x8000, PE_BAD_RELOCATION },
	{ "relocations at the end of 32 bits", DIRECTORIES + 40, 4, 0xfffffff8, PE_BAD_RELOCATION },
	{ "relocations leave the section", DIRECTORIES + 44, 4, 0x1001, PE_BAD_RELOCATION },
	{ "relocations wrap", DIRECTORIES + 44, 4, 0xffffffff, PE_BAD_RELOCATION },
	{ "section at 0", SECTION(0) + 12, 4, 0, PE_BAD_SECTION },
	{ "section overlaps the one before", SECTION(1) + 12, 4, 0x2000, PE_BAD_SECTION },
	{ "section leaves a gap", SECTION(1) + 12, 4, 0x4000, PE_BAD_SECTION },
	{ "section not aligned", SECTION(1) + 12, 4, 0x3001, PE_BAD_SECTION },
	{ "section rva wraps", SECTION(3) + 12, 4, 0xfffff000, PE_BAD_SECTION },
	{ "section grows into the next", SECTION(0) + 8, 4, 0x2001, PE_BAD_SECTION },
	{ "section shrinks to a gap", SECTION(0) + 8, 4, 0x1000, PE_BAD_SECTION },
	{ "section fills its pages", SECTION(0) + 8, 4, 0x2000, PE_OK },
	{ "virtual size wraps", SECTION(3) + 8, 4, 0xffffffff, PE_BAD_SECTION },
	{ "virtual size makes rva wrap", SECTION(3) + 8, 4, 0xffff9000, PE_BAD_SECTION },
	{ "last section exceeds the image", SECTION(3) + 8, 4, 0x1001, PE_BAD_SECTION },
	{ "virtual size 0 is the raw size", SECTION(3) + 8, 4, 0, PE_OK },
	{ "section of nothing", SECTION(2) + 8, 4, 0, PE_BAD_SECTION },
	{ "raw data beyond the file", SECTION(3) + 20, 4, FILE_SIZE, PE_TRUNCATED },
	{ "raw data cross the file's end", SECTION(3) + 16, 4, FILE_SIZE - 0xa00 + 1, PE_TRUNCATED },
	{ "raw data end with the file", SECTION(3) + 16, 4, FILE_SIZE - 0xa00, PE_OK },
	{ "raw size wraps", SECTION(3) + 16, 4, 0xffffffff, PE_TRUNCATED },
	{ "raw offset wraps", SECTION(3) + 20, 4, 0xfffffe00, PE_TRUNCATED },
	{ "raw offset not aligned", SECTION(3) + 20, 4, 0xa01, PE_BAD_ALIGNMENT },
	{ "raw size without an offset", SECTION(2) + 16, 4, 0xffffffff, PE_OK },
	{ "raw offset without a size", SECTION(2) + 20, 4, 0xfffffff1, PE_OK },
};

static void every_field_damaged(void)
{
	u8 f[FILE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		const struct damage *d = &damages[i];
		enum pe_error e;

		image_build(f);
		memcpy(f + d->at, &d->value, d->size);
		e = parse_and_check(f, FILE_SIZE, FILE_SIZE);
		if (e != d->result)
			tap_fail(__FILE__, __LINE__, "%s: \"%s\", expected \"%s\"", d->what, pe_error_text(e),
				 pe_error_text(d->result));
	}
}

/* Characteristics decide, not the directory alone. */
static void relocatable_or_not(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	put16(f + COFF + 18, PE_FILE_EXECUTABLE_IMAGE | PE_FILE_RELOCS_STRIPPED);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect(!image.relocatable && image.relocation_size == 0);

	image_build(f);
	put64(f + DIRECTORIES + 40, 0);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect(image.relocatable && image.relocation_size == 0);

	put16(f + OPTIONAL + 70, 0);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect(!image.relocatable);
}

/* A header need not have more directories than the one that is read, or any. */
static void short_optional_header(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	memmove(f + DIRECTORIES + 6 * 8, f + TABLE, 40 * SECTIONS);
	put16(f + COFF + 16, 112 + 6 * 8);
	put32(f + OPTIONAL + 108, 6);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect_equal(image.relocation_size, 12);
	memmove(f + DIRECTORIES, f + DIRECTORIES + 6 * 8, 40 * SECTIONS);
	put16(f + COFF + 16, 112);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_BAD_HEADER);
	put32(f + OPTIONAL + 108, 0);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect_equal(image.relocation_size, 0);
}

/* With a large section alignment there are pages that belong to nothing. */
static void large_section_alignment(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	put32(f + OPTIONAL + 32, 0x10000);
	put32(f + OPTIONAL + 56, 0x50000);
	for (u32 i = 0; i < SECTIONS; i++)
		put32(f + SECTION(i) + 12, 0x10000 * (i + 1));
	put32(f + DIRECTORIES + 40, 0x40000);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect_equal(image.segments[1].pages, 2);
	expect(pe_segment_at(&image, 0xfff) == &image.segments[0]);
	expect(pe_segment_at(&image, 0x1000) == NULL);
	expect(pe_segment_at(&image, 0x11fff) == &image.segments[1]);
	expect(pe_segment_at(&image, 0x12000) == NULL);
}

/* More raw data than pages, as Windows images have them when VirtualSize is right and SizeOfRawData is rounded up. */
static void raw_data_beyond_the_pages_ignored(void)
{
	u8 f[FILE_SIZE];
	u8 *large = calloc(1, 0x9000);

	image_build(f);
	put32(f + SECTION(3) + 16, 0x8000);
	memcpy(large, f, FILE_SIZE);
	expect_equal(parse_and_check(large, FILE_SIZE, 0x9000), PE_OK);
	expect_equal(image.segments[4].file_bytes, 0x1000);
	free(large);
}

/* The most sections there may be still fit the headers. */
static void ninety_six_sections(void)
{
	u8 f[PE_HEADERS_MAX] = { 0 };

	image_build(f);
	put16(f + COFF + 2, PE_SECTIONS_MAX);
	put32(f + OPTIONAL + 60, 0x1200);
	put32(f + OPTIONAL + 56, 0x2000 + PE_SECTIONS_MAX * 0x1000);
	for (u32 i = 0; i < PE_SECTIONS_MAX; i++)
		section_build(f + SECTION(i), "s", 0x2000 + i * 0x1000, 0x1000, 0, 0, 0x40000000);
	expect_equal(parse_and_check(f, sizeof(f), sizeof(f)), PE_OK);
	expect_equal(image.segment_count, PE_SECTIONS_MAX + 1);
	expect_equal(image.segments[0].pages, 2);
}

/* Headers so far behind that no bounded buffer holds them. */
static void headers_too_far(void)
{
	u8 f[PE_HEADERS_MAX] = { 0 };

	image_build(f);
	memcpy(f + PE_HEADERS_MAX - 24, f + PE, 24);
	put32(f + 0x3c, PE_HEADERS_MAX - 24);
	expect_equal(parse_and_check(f, sizeof(f), GIB(1)), PE_BAD_HEADER);
	put32(f + 0x3c, PE_HEADERS_MAX - 23);
	expect_equal(parse_and_check(f, sizeof(f), GIB(1)), PE_BAD_HEADER);
}

/* A program for OS/2 has another number in its header than one for Windows. */
static void sixteen_bit_kinds(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	put16(f + PE, 0x454e);
	f[PE + 0x36] = 2;
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_WINDOWS_16);
	f[PE + 0x36] = 1;
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_NE);
	expect_equal(parse_and_check(f, FILE_SIZE, PE + 0x36), PE_NE);
}

/* Section alignment under a page: memory is as the file. */
static void small_section_alignment(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	put32(f + OPTIONAL + 16, 0x410);
	put32(f + OPTIONAL + 32, 0x200);
	put32(f + OPTIONAL + 56, 0x1200);
	put64(f + DIRECTORIES + 40, 0);
	section_build(f + SECTION(0), ".text", 0x400, 0x3ff, 0x400, 0x400, 0x60000020);
	section_build(f + SECTION(1), ".data", 0x800, 0x200, 0x800, 0x200, 0xc0000040);
	section_build(f + SECTION(2), "longname", 0xa00, 0, 0xa00, 0x100, 0x80000080);
	section_build(f + SECTION(3), ".zero", 0xc00, 0x600, 0, 0, 0x42000040);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_OK);
	expect_equal(image.segment_count, 1);
	expect_equal(image.segments[0].pages, 2);
	expect_equal(image.segments[0].file_bytes, FILE_SIZE);
	expect(image.segments[0].read && image.segments[0].write && image.segments[0].execute && !image.segments[0].shared);
	put32(f + OPTIONAL + 36, 0x100);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_BAD_ALIGNMENT); /* the file's is another */
	put32(f + OPTIONAL + 36, 0x200);
	put32(f + SECTION(1) + 20, 0x600);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_BAD_ALIGNMENT); /* not as in the file */
	put32(f + SECTION(1) + 20, 0x800);
	put32(f + SECTION(1) + 12, 0xa00);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_BAD_SECTION); /* a gap */
	put32(f + SECTION(1) + 12, 0x800);
	put32(f + SECTION(3) + 8, 0x1601);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_BAD_SECTION);
	put32(f + SECTION(3) + 8, 0x600);
	put32(f + SECTION(2) + 16, FILE_SIZE);
	put32(f + OPTIONAL + 56, 0x9000);
	put32(f + SECTION(3) + 12, 0xa00 + FILE_SIZE);
	expect_equal(parse_and_check(f, FILE_SIZE, FILE_SIZE), PE_TRUNCATED);
}

static void every_error_has_a_text(void)
{
	for (u32 e = 0; e <= PE_BAD_RELOCATION; e++)
		expect(strlen(pe_error_text(e)) > 3 && strcmp(pe_error_text(e), "unknown error") != 0);
	expect_text(pe_error_text(99), "unknown error");
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(samples_load);
	tap_run(exe_parses);
	tap_run(dll_parses);
	tap_run(built_image_parses);
	tap_run(every_field_damaged);
	tap_run(relocatable_or_not);
	tap_run(short_optional_header);
	tap_run(large_section_alignment);
	tap_run(raw_data_beyond_the_pages_ignored);
	tap_run(ninety_six_sections);
	tap_run(headers_too_far);
	tap_run(sixteen_bit_kinds);
	tap_run(small_section_alignment);
	tap_run(every_error_has_a_text);
	samples_free();
	return tap_end();
}
