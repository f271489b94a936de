/*
 * What the parts of the boot application share. Under UEFI memory is mapped one to one, so that physical addresses are
 * used as pointers here.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

#define BOOT_PAGE 4096ull
#define BOOT_LARGE_PAGE (2ull << 20)
#define GIB_4 (4ull << 30)
#define BOOT_STACK_PAGES 4

static inline uint64_t pages_of(uint64_t bytes)
{
	return bytes / BOOT_PAGE + (bytes % BOOT_PAGE != 0);
}

/* load_elf.c: the kernel's file. It knows nothing of UEFI, so that the host can build and test it. */

#define ELF_SEGMENTS_MAX 16

struct elf_segment {
	uint64_t address;                /* virtual, page-aligned */
	uint64_t memory_size;            /* bytes, at least 1; what the file does not hold is zero */
	uint64_t file_offset, file_size; /* bytes */
	bool writable, executable;       /* never both */
};

struct elf_image {
	uint64_t entry; /* virtual */
	uint64_t pages; /* from KERNEL_BASE to the end of the last segment */
	uint32_t segment_count;
	struct elf_segment segments[ELF_SEGMENTS_MAX]; /* by address */
};

/* Where a kernel's file is damaged. */
struct elf_fault {
	const char *what; /* a phrase that names the field, e.g. "e_machine is not x86-64 (62)" */
	int segment;      /* the program header's number, or -1: the fault is in the file header */
};

/* Checks all that is used of a file of size bytes. On false, *fault says what is wrong and *image is undefined. */
bool elf_parse(const void *file, uint64_t size, struct elf_image *image, struct elf_fault *fault);

/* Copies the segments of a parsed file to to, which has image->pages pages and becomes KERNEL_BASE; zeroes the rest. */
void elf_load(const void *file, const struct elf_image *image, void *to);

/* boot_map.c: the first page tables. */

/* How many pages boot_map_build needs at most, for memory that ends at memory_end (bytes). */
uint64_t boot_map_pages(uint64_t memory_end, const struct elf_image *image);

/*
 * Builds the page tables that boot/bootinfo.h promises in the boot_map_pages() pages at pool, for the image that was
 * loaded at the physical address kernel. Returns the address of the PML4, which is the first page of the pool.
 */
uint64_t boot_map_build(void *pool, uint64_t memory_end, const struct elf_image *image, uint64_t kernel);

/* boot_memory.c: the list of memory ranges. */

struct memory_list {
	struct boot_memory *ranges; /* sorted by base, none overlap */
	uint32_t count, max;
};

/* Makes [base, base + pages) one range of this kind, whatever it was before. Takes up to two entries of the list. */
void memory_list_set(struct memory_list *list, uint64_t base, uint64_t pages, enum boot_memory_kind kind);

/* Joins neighbours of the same kind. */
void memory_list_merge(struct memory_list *list);

/* jump.S: position-independent code that is copied to a page which both page tables map at its own address. */
extern const char boot_jump_start[], boot_jump_end[];

/* Does not return. All arguments but pml4 are virtual addresses of the kernel's. */
typedef void boot_jump(uint64_t info, uint64_t pml4, uint64_t entry, uint64_t stack_top);

#endif
