#include "image/export.h"

#include "image/pe.h"
#include "io/file.h"
#include "lib/string.h"
#include "mm/pool.h"

struct export_directory {
	u32 flags, timestamp;
	u16 major, minor;
	u32 name, ordinal_base, function_count, name_count;
	u32 functions, names, ordinals; /* rvas of u32[function_count], u32[name_count], u16[name_count] */
};

/* ---- bytes, as a hostile file may have them ---- */

const void *image_bytes_at(const struct image_bytes *b, u32 rva, u64 count, u32 size)
{
	u64 from = (u64)rva - b->rva;

	if (rva < b->rva || from > b->size || count > (b->size - from) / size)
		return NULL;
	return b->at + from;
}

u32 image_bytes_u32(const void *table, u64 i)
{
	u32 value;

	memcpy(&value, (const u8 *)table + i * sizeof(value), sizeof(value));
	return value;
}

u64 image_bytes_u64(const void *table, u64 i)
{
	u64 value;

	memcpy(&value, (const u8 *)table + i * sizeof(value), sizeof(value));
	return value;
}

static u16 image_bytes_u16(const void *table, u64 i)
{
	u16 value;

	memcpy(&value, (const u8 *)table + i * sizeof(value), sizeof(value));
	return value;
}

const char *image_bytes_text(const struct image_bytes *b, u32 rva)
{
	const char *text = image_bytes_at(b, rva, 1, 1);
	size_t room = text ? MIN((size_t)(b->at + b->size - (const u8 *)text), (size_t)IMAGE_NAME_MAX + 1) : 0;

	return text && strnlen(text, room) < room ? text : NULL;
}

bool image_bytes_read(struct file *file, const struct pe_image *image, u32 rva, u64 size, struct image_bytes *out)
{
	const struct pe_segment *segment = pe_segment_at(image, rva);
	u64 offset = segment ? rva - segment->rva : 0, got;

	if (!segment || offset >= segment->file_bytes || !size)
		return false;
	size = MIN(MIN(size, segment->file_bytes - offset), (u64)KMALLOC_MAX);
	*out = (struct image_bytes){ kmalloc(size), rva, (u32)size };
	if (!out->at)
		return false;
	if (!file_read(file, (u64)segment->file_offset + offset, out->at, size, &got) && got == size)
		return true;
	kfree(out->at);
	return false;
}

/* ---- exports ---- */

bool image_exports_read(struct file *file, const struct pe_image *image, struct image_bytes *out)
{
	if (image->export_size < sizeof(struct export_directory))
		return false;
	return image_bytes_read(file, image, image->export_rva, image->export_size, out);
}

/* A number of the table of functions; -1: there is no such name. The table of names is sorted. */
static u32 name_index(const struct image_bytes *e, const struct export_directory *d, const char *name, u32 hint)
{
	const void *names = image_bytes_at(e, d->names, d->name_count, sizeof(u32));
	const void *indexes = image_bytes_at(e, d->ordinals, d->name_count, sizeof(u16));
	u32 low = 0, high = d->name_count, middle = hint;
	const char *candidate;

	if (!names || !indexes)
		return ~0u;
	if (hint >= high)
		middle = high / 2;
	for (; low < high; middle = low + (high - low) / 2) {
		int order;

		candidate = image_bytes_text(e, image_bytes_u32(names, middle));
		if (!candidate)
			return ~0u;
		order = strcmp(name, candidate);
		if (!order)
			return image_bytes_u16(indexes, middle);
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return ~0u;
}

bool image_export_find(const struct image_bytes *exports, const char *name, u32 hint_or_ordinal, u32 *rva,
		       const char **forwarder)
{
	const void *directory = image_bytes_at(exports, exports->rva, 1, sizeof(struct export_directory)), *functions;
	struct export_directory d;
	u32 index;

	if (!directory)
		return false;
	memcpy(&d, directory, sizeof(d));
	functions = image_bytes_at(exports, d.functions, d.function_count, sizeof(u32));
	index = name ? name_index(exports, &d, name, hint_or_ordinal) : hint_or_ordinal - d.ordinal_base;
	if (!functions || index >= d.function_count)
		return false;
	*rva = image_bytes_u32(functions, index);
	*forwarder = NULL;
	if (image_bytes_at(exports, *rva, 1, 1)) { /* inside: the name of another module's function */
		*forwarder = image_bytes_text(exports, *rva);
		return *forwarder != NULL;
	}
	return *rva != 0;
}
