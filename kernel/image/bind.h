/*
 * Import address tables that the pager fills in when it reads their page, as it relocates pages: so the pages stay clean and
 * shared, and no process looks up names or writes to them. That is possible for what is imported from the system's own DLLs,
 * because these stay where they are until the next boot (known_dlls.h).
 *
 * A table that was filled in has a mark: the base of the DLL that it leads to, in the fields TimeDateStamp and ForwarderChain of
 * its import descriptor, which mean nothing else here (images that were bound by a linker's tools are treated as if they were
 * not). ntdll's loader finds the DLL that the descriptor names as ever. If that is at this base, the table is right; if it is
 * another one, or one at another place, the loader looks up the names, which are still there. All or nothing: a descriptor of
 * which one name can't be found is left as the file has it, so that the loader complains of it.
 *
 * From bytes alone, like pe.h. Source: PE Format specification (Microsoft), "The .idata Section".
 */
#ifndef IMAGE_BIND_H
#define IMAGE_BIND_H

#include "image/export.h"

struct pe_image;

struct bind_dll {
	const char *name; /* with .dll; letters' case does not matter */
	u64 base;
	struct image_bytes exports;
};

/* What the pages of an image get: records, one behind the other. */
struct bind_record {
	u32 rva, count; /* of u64 */
	u64 values[];
};

/*
 * imports: the image's bytes from its import directory on, with descriptors, names and lookup tables. Returns how many bytes
 * of records there are, which go to out; with NULL, how many there are at most. 0: none. Never more than room.
 */
size_t bind_imports(const struct pe_image *image, const struct image_bytes *imports, const struct bind_dll *dlls, u32 dll_count,
		    void *out, size_t room);

/* Puts into the page at page_rva (4096 bytes at page) what lies in it of the records. */
void bind_page(const void *records, size_t size, u32 page_rva, u8 *page);

#endif
