/* See pe_world.h. */
#include "pe_world.h"

struct pe_image image;
u8 *exe, *dll;
size_t exe_size, dll_size;

void samples_load(void)
{
	exe = tap_file("pe_sample.exe", &exe_size);
	dll = tap_file("pe_sample.dll", &dll_size);
}

void samples_free(void)
{
	free(exe);
	free(dll);
}

void section_build(u8 *at, const char *name, u32 rva, u32 virtual_size, u32 offset, u32 size, u32 flags)
{
	memcpy(at, name, strlen(name));
	put32(at + 8, virtual_size);
	put32(at + 12, rva);
	put32(at + 16, size);
	put32(at + 20, offset);
	put32(at + 36, flags);
}

void image_build(u8 *f)
{
	memset(f, 0, FILE_SIZE);
	memcpy(f, "MZ", 2);
	put32(f + 0x3c, PE);
	memcpy(f + PE, "PE\0\0", 4);
	put16(f + COFF, 0x8664);
	put16(f + COFF + 2, SECTIONS);
	put32(f + COFF + 4, 0x12345678);
	put16(f + COFF + 16, 112 + 16 * 8);
	put16(f + COFF + 18, PE_FILE_EXECUTABLE_IMAGE | PE_FILE_LARGE_ADDRESS_AWARE | PE_FILE_REMOVABLE_RUN_FROM_SWAP);
	put16(f + OPTIONAL, 0x20b);
	put32(f + OPTIONAL + 16, 0x1010);
	put64(f + OPTIONAL + 24, 0x140000000);
	put32(f + OPTIONAL + 32, 0x1000);
	put32(f + OPTIONAL + 36, 0x200);
	put16(f + OPTIONAL + 40, 6);
	put16(f + OPTIONAL + 42, 1);
	put32(f + OPTIONAL + 56, 0x8000);
	put32(f + OPTIONAL + 60, 0x400);
	put32(f + OPTIONAL + 64, 0xabcdef);
	put16(f + OPTIONAL + 68, 3);
	put16(f + OPTIONAL + 70, PE_DLL_DYNAMIC_BASE | PE_DLL_NX_COMPAT);
	put64(f + OPTIONAL + 72, 0x200000);
	put64(f + OPTIONAL + 80, 0x1000);
	put64(f + OPTIONAL + 88, 0x100000);
	put64(f + OPTIONAL + 96, 0x2000);
	put32(f + OPTIONAL + 108, 16);
	put32(f + DIRECTORIES + 5 * 8, 0x7000);
	put32(f + DIRECTORIES + 5 * 8 + 4, 12);
	section_build(f + SECTION(0), ".text", 0x1000, 0x1234, 0x400, 0x400, 0x60000020);
	section_build(f + SECTION(1), ".data", 0x3000, 0x2800, 0x800, 0x200, 0xc0000040);
	section_build(f + SECTION(2), "longname", 0x6000, 0x1000, 0, 0, 0x80000080);
	section_build(f + SECTION(3), ".r\x01loc", 0x7000, 0x10, 0xa00, 0x200, 0x42000040);
}

enum pe_error parse(const u8 *bytes, size_t header_bytes, u64 file_size, size_t *need)
{
	u8 *copy = malloc(header_bytes);
	enum pe_error e;

	memcpy(copy, bytes, header_bytes);
	memset(&image, 0xaa, sizeof(image));
	e = pe_parse(copy, header_bytes, file_size, &image, need);
	free(copy);
	return e;
}

/* What has to hold for every image that passes, whatever the file was. */
static void image_check(u64 file_size)
{
	u64 end = 0;

	expect(image.segment_count >= 1 && image.segment_count <= PE_SECTIONS_MAX + 1);
	expect(image.size > 0 && IS_ALIGNED(image.size, PAGE_SIZE));
	expect(image.preferred_base + image.size > image.preferred_base);
	expect(image.entry_rva < image.size);
	for (u32 i = 0; i < image.segment_count; i++) {
		const struct pe_segment *g = &image.segments[i];

		expect(IS_ALIGNED(g->rva, PAGE_SIZE));
		expect(g->rva >= end && g->pages >= 1);
		end = g->rva + g->pages * PAGE_SIZE;
		expect(end <= image.size);
		expect(g->file_bytes <= g->pages * PAGE_SIZE);
		expect((u64)g->file_offset + g->file_bytes <= file_size);
		expect(strnlen(g->name, sizeof(g->name)) < sizeof(g->name));
		expect(g->read || !g->write);
		expect(pe_segment_at(&image, g->rva) == g);
		expect(pe_segment_at(&image, (u32)(end - 1)) == g);
		expect(end > 0xffffffff || pe_segment_at(&image, (u32)end) != g);
	}
	if (image.relocation_size > 0) {
		const struct pe_segment *g = pe_segment_at(&image, image.relocation_rva);

		expect(g != NULL && image.relocatable);
		expect((u64)image.relocation_rva + image.relocation_size <= g->rva + g->pages * PAGE_SIZE);
	}
}

enum pe_error parse_and_check(const u8 *bytes, size_t header_bytes, u64 file_size)
{
	static const struct pe_image zero;
	size_t need = 77;
	enum pe_error e = parse(bytes, header_bytes, file_size, &need);

	expect((u32)e <= PE_BAD_RELOCATION);
	if (e == PE_OK)
		image_check(file_size);
	else
		expect(memcmp(&image, &zero, sizeof(image)) == 0);
	if (need > 0) {
		expect_equal(e, PE_TRUNCATED);
		expect(need > header_bytes && need <= file_size && need <= PE_HEADERS_MAX);
	}
	return e;
}
