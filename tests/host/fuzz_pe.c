/*
 * libFuzzer target: any bytes as a PE file, through all that the kernel does with one before it maps it: headers, relocations of
 * each page, a name that is exported, its imports bound to its own exports. See host.mk.
 */
#include "pe_world.h"

#include "image/bind.h"
#include "io/file.h"
#include "mm/pool.h"

#define PAGES_MAX 64 /* relocated of an image: those are enough to see */

static const u8 *file_bytes;
static size_t file_size;

/* Below kernel/image/export.c. */
enum file_status file_read(struct file *f, u64 offset, void *to, u64 n, u64 *got)
{
	(void)f;
	*got = offset < file_size ? MIN(n, file_size - offset) : 0;
	memcpy(to, file_bytes + MIN(offset, file_size), *got);
	return FILE_OK;
}

void *kmalloc(size_t size) { return size <= KMALLOC_MAX ? malloc(size) : NULL; }
void kfree(void *p) { free(p); }

static void relocations_try(void)
{
	const struct pe_segment *g = pe_segment_at(&image, image.relocation_rva);
	size_t size = image.relocation_size;
	u64 offset = g ? image.relocation_rva - g->rva : 0;
	u8 *relocations, *page, before[8] = { 0 };

	if (!size || size > KMALLOC_MAX || !g)
		return;
	relocations = calloc(1, size);
	page = calloc(1, PAGE_SIZE);
	if (offset < g->file_bytes)
		memcpy(relocations, file_bytes + g->file_offset + offset, MIN(size, g->file_bytes - offset));
	if (pe_check_relocations(&image, relocations, size) == PE_OK) {
		for (u32 rva = 0; rva < MIN(image.size, PAGES_MAX * (u32)PAGE_SIZE); rva += PAGE_SIZE) {
			bool crosses = pe_page_crosses(relocations, size, rva);

			pe_relocate_page(relocations, size, rva, page, 0x123456789abull, crosses ? before : NULL);
		}
	}
	free(page);
	free(relocations);
}

static void imports_try(void)
{
	struct bind_dll dlls[2] = { { .name = "kernel32.dll", .base = 0x10000 }, { .name = "msvcrt.dll", .base = 0x20000 } };
	struct image_bytes imports;
	const char *forwarder;
	size_t room, used;
	void *records;
	u8 *page;
	u32 rva;

	if (!image_exports_read(NULL, &image, &dlls[0].exports))
		return;
	dlls[1].exports = dlls[0].exports;
	image_export_find(&dlls[0].exports, "LdrInitializeThunk", 0, &rva, &forwarder);
	image_export_find(&dlls[0].exports, NULL, 1, &rva, &forwarder);
	if (image_bytes_read(NULL, &image, image.import_rva, KMALLOC_MAX, &imports)) {
		room = bind_imports(&image, &imports, dlls, 2, NULL, KMALLOC_MAX);
		records = malloc(room);
		used = bind_imports(&image, &imports, dlls, 2, records, room);
		if (used > room)
			abort();
		page = malloc(PAGE_SIZE);
		for (rva = 0; rva < MIN(image.size, PAGES_MAX * (u32)PAGE_SIZE); rva += PAGE_SIZE)
			bind_page(records, used, rva, page);
		free(page);
		free(records);
		kfree(imports.at);
	}
	kfree(dlls[0].exports.at);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	file_bytes = data;
	file_size = size;
	if (parse_and_check(data, MIN(size, PE_HEADERS_MAX), size) != PE_OK)
		return 0;
	relocations_try();
	imports_try();
	return 0;
}
