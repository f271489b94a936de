/*
 * Paths and names of the FAT file system, from bytes alone: no I/O, no allocation, so that the host builds and tests
 * the same code. Source: FAT32 File System Specification (Microsoft, 1.03), "FAT Directory Structure", "FAT Long
 * Directory Entries", "Name Limits and Character Sets".
 */
#ifndef IO_FAT_PATH_H
#define IO_FAT_PATH_H

#include "io/file.h"
#include "lib/types.h"

#define FAT_SHORT_MAX 12 /* "12345678.123" */
#define FAT_ENTRY_SIZE 32

/* Fields of a directory entry that are read in more than one place. */
#define FAT_ATTRIBUTE_VOLUME 0x08
#define FAT_ATTRIBUTE_LONG 0x0f /* of the low 6 bits: a piece of a long name */
#define FAT_ATTRIBUTE_MASK 0x3f

/* Little-endian fields at any alignment. */
static inline u16 fat_get16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

static inline u32 fat_get32(const u8 *p)
{
	return fat_get16(p) | (u32)fat_get16(p + 2) << 16;
}

static inline void fat_put16(u8 *p, u16 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static inline void fat_put32(u8 *p, u32 v)
{
	fat_put16(p, (u16)v);
	fat_put16(p + 2, (u16)(v >> 16));
}

/*
 * n bytes of UTF-8 to UTF-16. Returns the number of units, or -1 if the text is not valid UTF-8 (overlong forms and
 * surrogates are not) or has more than max.
 */
int utf8_to_utf16(const char *from, size_t n, u16 *to, u32 max);
/*
 * n units to UTF-8 with a final 0; a surrogate without its other half becomes U+FFFD. Returns the bytes without the 0,
 * or -1 if size (bytes of to) does not do.
 */
int utf16_to_utf8(const u16 *from, u32 n, char *to, size_t size);

/*
 * An absolute path to the form that the directory walk takes: to = "\a\b" or "\", with '\\' only, no empty components,
 * "." and ".." resolved by the text alone, as Windows does (".." of the root is the root). to has FILE_PATH_MAX bytes.
 * FILE_BAD_NAME: not absolute, not UTF-8, too long, or a character that no name may hold.
 */
enum file_status path_normalize(const char *path, char *to);
/* The component at *rest, which is moved behind it; *length in bytes. NULL at the end. path is normalized. */
const char *path_next(const char **rest, size_t *length);

/* Letters are equal to their other case in ASCII and Latin-1; all else must be the same unit. */
bool fat_name_equal(const u16 *a, u32 a_length, const u16 *b, u32 b_length);
/*
 * Whether a name matches a pattern, letters compared as above: * any characters, ? one, < any up to the last dot, > one or, at a
 * dot or the end, none, " a dot or, at the end, nothing. Takes as many steps as both lengths' product, at most.
 * Source: Windows documentation of FsRtlIsNameInExpression.
 */
bool fat_name_matches(const u16 *pattern, u32 length, const u16 *name, u32 name_length);

/* The short name of a directory entry as people see it. Returns its units (at most FAT_SHORT_MAX), 0 if damaged. */
u32 fat_short_name(const u8 *entry, u16 *name);

/* Puts a long name together from the pieces that come before its short entry. */
struct fat_long_name {
	u32 next; /* the order number that must come next; 0: complete */
	bool valid;
	u8 checksum;
	u16 units[20 * 13];
};
void fat_long_reset(struct fat_long_name *l);
/* Takes one entry with FAT_ATTRIBUTE_LONG. A piece out of order makes the name invalid, not the directory. */
void fat_long_add(struct fat_long_name *l, const u8 *entry);
/*
 * The length of the name, if it is complete and belongs to this short entry and holds only characters that a name may
 * hold; 0 if not: then the short name is all there is.
 */
u32 fat_long_finish(const struct fat_long_name *l, const u8 *short_entry);
/* Whether a name has at least one character and none that no name may hold. */
bool fat_name_valid(const u16 *name, u32 length);

/* Date and time as FAT stores them (local time, of somewhere: taken as UTC) to seconds since 1970; 0: no valid date. */
u64 fat_time_unix(u16 date, u16 time);
/* The other way: to the even second before. Years before 1980 and from 2108 on become the first or the last moment. */
void fat_time_from_unix(u64 seconds, u16 *date, u16 *time);

/* ---- fat_name.c: how a name is written ---- */

#define FAT_SHORT_BYTES 11
#define FAT_LONG_UNITS 13 /* of a name in one entry */

struct fat_name {
	u16 units[FILE_NAME_MAX];
	u32 length;
	u8 basis[FAT_SHORT_BYTES]; /* the short name, before a number makes it one of its own */
	u8 letter_case;            /* byte 12 of the short entry: Windows NT's flags for small letters */
	bool lossy;                /* the basis does not say all that the name does: it needs a number */
	u32 long_entries;          /* that come before the short one; 0: the short one says it all */
};
/* False: no name that can be written: forbidden characters, a blank or a dot at its end. */
bool fat_name_make(struct fat_name *n, const u16 *units, u32 length);
/* The attempt-th short name for n, from 0 on, up to FAT_NAME_ATTEMPTS - 1; false: there is no such attempt. */
#define FAT_NAME_ATTEMPTS 1024
bool fat_name_short(const struct fat_name *n, u32 attempt, u8 *raw);
/* The entry with the order-th piece of the long name; order counts from 1 to n->long_entries. */
void fat_name_piece(const struct fat_name *n, u32 order, const u8 *short_name, u8 *entry);
u8 fat_short_checksum(const u8 *short_name);

#endif
