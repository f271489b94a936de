/* Finding an exported function of a PE file that is not mapped anywhere. */
#ifndef IMAGE_EXPORT_H
#define IMAGE_EXPORT_H

#include "lib/types.h"

struct file;
struct pe_image;

/*
 * Bytes of an image, size of them from rva on, as its file has them. Whatever they are, nothing outside is read. Source: PE
 * Format specification (Microsoft), "The .edata Section".
 */
struct image_bytes {
	u8 *at;
	u32 rva, size;
};

/* Count entries of size bytes at rva, at any address; NULL: not all of it is there. */
const void *image_bytes_at(const struct image_bytes *b, u32 rva, u64 count, u32 size);
u32 image_bytes_u32(const void *table, u64 i);
u64 image_bytes_u64(const void *table, u64 i);
/* A text with its 0, of at most IMAGE_NAME_MAX characters; NULL: there is none. */
#define IMAGE_NAME_MAX 511
const char *image_bytes_text(const struct image_bytes *b, u32 rva);

/*
 * Reads what the file (whose headers were parsed to image) has at rva: size bytes, or fewer if the segment's data end before;
 * at most KMALLOC_MAX. To be freed with kfree(out->at). False: nothing is there, or it can't be read, or there is no memory.
 * Thread context, sleeps.
 */
bool image_bytes_read(struct file *file, const struct pe_image *image, u32 rva, u64 size, struct image_bytes *out);

/* The export directory with its tables and names: all of it lies in one run of bytes, as linkers make it. */
bool image_exports_read(struct file *file, const struct pe_image *image, struct image_bytes *out);

/*
 * The rva of a function by name, where hint is its place in the table of names, perhaps; or by ordinal, if name is NULL. False:
 * it is not exported, or the directory is damaged. *forwarder: NULL, or the text that names another module's function; *rva
 * is its then.
 */
bool image_export_find(const struct image_bytes *exports, const char *name, u32 hint_or_ordinal, u32 *rva,
		       const char **forwarder);

#endif
