/* What the tests of PE headers share: an image made by hand, two real ones, and what must hold whatever is parsed. */
#ifndef TESTS_HOST_PE_WORLD_H
#define TESTS_HOST_PE_WORLD_H

#include <string.h>

#include "image/pe.h"
#include "tap.h"

/* Where the fields of the image that image_build makes are. */
#define PE 0x80
#define COFF (PE + 4)
#define OPTIONAL (COFF + 20)
#define DIRECTORIES (OPTIONAL + 112)
#define TABLE (DIRECTORIES + 16 * 8)
#define SECTION(i) (TABLE + 40 * (i))
#define SECTIONS 4
#define FILE_SIZE 0x1000

extern struct pe_image image; /* what was parsed last */
extern u8 *exe, *dll;	      /* pe_sample.exe and pe_sample.dll */
extern size_t exe_size, dll_size;

void samples_load(void);
void samples_free(void);

/* A small image of FILE_SIZE bytes with all that matters: code, data with BSS behind it, BSS alone, relocations. */
void image_build(u8 *f);
void section_build(u8 *at, const char *name, u32 rva, u32 virtual_size, u32 offset, u32 size, u32 flags);

/*
 * Parses a copy of exactly these bytes, in memory of its own, so that the address sanitizer sees a read of one too
 * many. The second form also checks the contract of pe_parse's results, which holds for any bytes.
 */
enum pe_error parse(const u8 *bytes, size_t header_bytes, u64 file_size, size_t *need);
enum pe_error parse_and_check(const u8 *bytes, size_t header_bytes, u64 file_size);

static inline void put16(u8 *at, u64 value)
{
	memcpy(at, &(u16){ (u16)value }, 2);
}

static inline void put32(u8 *at, u64 value)
{
	memcpy(at, &(u32){ (u32)value }, 4);
}

static inline void put64(u8 *at, u64 value)
{
	memcpy(at, &value, 8);
}

static inline u32 get32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

#endif
