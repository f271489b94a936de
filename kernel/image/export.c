#include "image/export.h"

#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"

/* The export directory with its tables and names: all of it lies in one run of bytes, as linkers make it. */
struct exports {
	u8 *bytes;
	u32 rva, size;
};

struct export_directory {
	u32 flags, timestamp;
	u16 major, minor;
	u32 name, ordinal_base, function_count, name_count;
	u32 functions, names, ordinals; /* rvas of u32[function_count], u32[name_count], u16[name_count] */
};

/* What lies at rva, count entries of size bytes; NULL if that is not inside the directory. */
static const void *exports_at(const struct exports *e, u32 rva, u32 count, u32 size)
{
	u64 from = (u64)rva - e->rva;

	if (rva < e->rva || from + (u64)count * size > e->size)
		return NULL;
	return e->bytes + from;
}

/* The directory's place, from the optional header; pe_parse has checked the headers, but not this entry. */
static bool directory_place(struct file *file, u32 *rva, u32 *size)
{
	u8 *header = kmalloc(128); /* not on the stack: file_read wants memory of the direct map */
	u32 pe, directories = 0;
	u64 got;

	if (!header)
		return false;
	if (!file_read(file, 0x3c, header, sizeof(pe), &got) && got == sizeof(pe)) {
		memcpy(&pe, header, sizeof(pe));
		/*
		 * Behind the signature (4 bytes) and the file header (20): the optional header up to the first
		 * directory.
		 */
		if (!file_read(file, (u64)pe + 24, header, 120, &got) && got == 120) {
			memcpy(&directories, header + 108, sizeof(directories));
			memcpy(rva, header + 112, sizeof(*rva));
			memcpy(size, header + 116, sizeof(*size));
		}
	}
	kfree(header);
	return directories && *rva && *size;
}

static bool exports_read(struct file *file, const struct pe_image *image, struct exports *e)
{
	const struct pe_segment *segment;
	u32 offset;
	u64 got;

	if (!directory_place(file, &e->rva, &e->size))
		return false;
	if (e->size < sizeof(struct export_directory) || e->size > KMALLOC_MAX)
		return false;
	segment = pe_segment_at(image, e->rva);
	if (!segment)
		return false;
	offset = e->rva - segment->rva;
	if ((u64)offset + e->size > segment->file_bytes)
		return false;
	e->bytes = kmalloc(e->size);
	if (!e->bytes)
		return false;
	if (file_read(file, (u64)segment->file_offset + offset, e->bytes, e->size, &got) || got != e->size) {
		kfree(e->bytes);
		return false;
	}
	return true;
}

/* Entry i of a table that may lie anywhere, as a hostile file has it. */
static u32 entry32(const void *table, u32 i)
{
	u32 value;

	memcpy(&value, (const u8 *)table + i * sizeof(value), sizeof(value));
	return value;
}

static u16 entry16(const void *table, u32 i)
{
	u16 value;

	memcpy(&value, (const u8 *)table + i * sizeof(value), sizeof(value));
	return value;
}

static bool exports_find(const struct exports *e, const char *name, u32 *rva)
{
	const struct export_directory *d = exports_at(e, e->rva, 1, sizeof(*d));
	const void *functions = exports_at(e, d->functions, d->function_count, sizeof(u32));
	const void *names = exports_at(e, d->names, d->name_count, sizeof(u32));
	const void *ordinals = exports_at(e, d->ordinals, d->name_count, sizeof(u16));
	size_t size = strlen(name) + 1;
	const char *candidate;
	u32 i;

	if (!functions || !names || !ordinals)
		return false;
	for (i = 0; i < d->name_count; i++) {
		candidate = exports_at(e, entry32(names, i), 1, size);
		if (!candidate || memcmp(candidate, name, size))
			continue;
		if (entry16(ordinals, i) >= d->function_count)
			return false;
		*rva = entry32(functions, entry16(ordinals, i));
		return *rva && !exports_at(e, *rva, 1, 1); /* inside: the name of another module's function */
	}
	return false;
}

bool image_export_find(struct file *file, const struct pe_image *image, const char *name, u32 *rva)
{
	struct exports e;
	bool found;

	if (!exports_read(file, image, &e))
		return false;
	found = exports_find(&e, name, rva);
	kfree(e.bytes);
	return found;
}
