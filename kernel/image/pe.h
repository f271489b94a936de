/*
 * A PE32+ file's headers, from bytes alone: no allocation, no I/O, no kernel calls, so that the host builds, tests and
 * fuzzes the same code. Source: PE Format specification (Microsoft). All rvas and sizes are in bytes.
 */
#ifndef IMAGE_PE_H
#define IMAGE_PE_H

#include "lib/types.h"

#define PE_SECTIONS_MAX 96 /* the limit of the Windows loader */
#define PE_HEADERS_MAX 8192 /* where the section table has to end: never is more than this needed to parse a file */

/* pe_image.characteristics */
#define PE_FILE_RELOCS_STRIPPED 0x0001
#define PE_FILE_EXECUTABLE_IMAGE 0x0002
#define PE_FILE_LARGE_ADDRESS_AWARE 0x0020
#define PE_FILE_REMOVABLE_RUN_FROM_SWAP 0x0400
#define PE_FILE_NET_RUN_FROM_SWAP 0x0800
#define PE_FILE_DLL 0x2000

/* pe_image.dll_characteristics */
#define PE_DLL_HIGH_ENTROPY_VA 0x0020
#define PE_DLL_DYNAMIC_BASE 0x0040
#define PE_DLL_NX_COMPAT 0x0100

enum pe_error {
	PE_OK = 0,
	PE_TRUNCATED,      /* a header or a section's data lies beyond the end of the file */
	PE_NOT_MZ,         /* not the first two bytes of a program */
	PE_DOS,            /* no PE signature: a program for DOS */
	PE_NE, PE_LE,      /* the signature of a program for OS/2, or the like; of a driver of that time */
	PE_WINDOWS_16,     /* that of a program for 16-bit Windows */
	PE_WINDOWS_32,     /* for the machine i386 */
	PE_BAD_MACHINE,    /* for another machine than x86-64, or not PE32+ */
	PE_NOT_IMAGE,      /* an object file: IMAGE_FILE_EXECUTABLE_IMAGE is not set */
	PE_BAD_ALIGNMENT,  /* section alignment not a power of two, file alignment wrong; under 4096: not as in the file */
	PE_BAD_SECTION,    /* sections overlap, are out of order, leave gaps, exceed the image, or there are too many */
	PE_BAD_HEADER,     /* any other field that contradicts itself */
	PE_BAD_RELOCATION, /* base relocations out of the image or of an unknown kind */
};

/*
 * A run of pages of the image with one protection. Segment 0 is the headers. Segments ascend and do not overlap. Pages
 * between them (of a section alignment above 4096) and behind the last one belong to none: nothing is mapped there. With a
 * section alignment under 4096 segment 0 is all of the image.
 */
struct pe_segment {
	u32 rva;         /* page-aligned */
	u32 pages;       /* >= 1 */
	u32 file_offset; /* of the first byte; may be unaligned to pages */
	u32 file_bytes;  /* from there on the file; the rest of the pages is zero. <= pages * 4096 */
	bool read, write, execute, shared; /* shared: IMAGE_SCN_MEM_SHARED, written in place for everyone */
	char name[9]; /* as the section table has it (so a long name is "/123"); what cannot be printed is '?' */
};

struct pe_image {
	u64 preferred_base;
	u32 size; /* SizeOfImage, rounded up to pages */
	u32 entry_rva; /* 0 = none */
	u32 headers_size;
	u32 timestamp, checksum;
	u16 machine, characteristics, subsystem, dll_characteristics;
	u16 os_major, os_minor;
	u64 stack_reserve, stack_commit, heap_reserve, heap_commit;
	u32 relocation_rva, relocation_size; /* size 0 = none, or stripped; else inside one segment's pages */
	u32 export_rva, export_size, import_rva, import_size; /* as the header has them: not checked */
	bool relocatable; /* relocations not stripped and present (or DYNAMICBASE with nothing to relocate) */
	u32 segment_count;
	struct pe_segment segments[PE_SECTIONS_MAX + 1];
};

/*
 * Parses and checks the headers, which are the first header_bytes bytes of a file of file_size bytes. A file whose
 * headers do not fit into header_bytes although the file is longer gives PE_TRUNCATED with *need (may be NULL) set to
 * the number of bytes wanted, header_bytes < *need <= PE_HEADERS_MAX; *need is 0 in all other cases. out is all zero
 * unless the result is PE_OK; it is large (4 KiB), so not for the stack.
 * Whoever calls decides what addresses are good for an image that is not relocatable.
 */
enum pe_error pe_parse(const void *headers, size_t header_bytes, u64 file_size, struct pe_image *out, size_t *need);
const char *pe_error_text(enum pe_error e); /* a phrase for people, e.g. "sections overlap" */

/*
 * Checks all base-relocation blocks (the bytes of the relocation directory, which may be at any address) against the
 * image: blocks for whole pages, only IMAGE_REL_BASED_ABSOLUTE (padding), HIGHLOW (4 bytes) and DIR64 (8 bytes).
 */
enum pe_error pe_check_relocations(const struct pe_image *image, const void *relocations, size_t size);

/*
 * Adds delta to every relocated value that touches the page at page_rva (4096 bytes at page). Of a value that crosses
 * the page's edge, only the bytes inside this page are stored. A sum's low bytes come first and do not depend on the
 * high ones, so what follows the page does not matter; what comes before it does, for the carry: before = the 8
 * unrelocated bytes that end where the page begins (zeros for what no segment holds), or NULL if pe_page_crosses says
 * that no value crosses that edge. relocations must have passed pe_check_relocations. The same input always gives the
 * same page; but relocations that overlap one another, which no linker makes, may leave a value that crosses an edge
 * different from what relocating the whole image would.
 */
void pe_relocate_page(const void *relocations, size_t size, u32 page_rva, u8 *page, u64 delta, const u8 before[8]);
bool pe_page_crosses(const void *relocations, size_t size, u32 page_rva);

/* The segment that holds rva, or NULL. */
const struct pe_segment *pe_segment_at(const struct pe_image *image, u32 rva);

#endif
