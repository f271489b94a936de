/*
 * How a name is written into a directory: the pieces of a long one, and the short one that goes with it. From bytes alone.
 * Source: FAT32 File System Specification (1.03), "FAT Long Directory Entries", "The Basis-Name Generation Algorithm".
 */
#include "io/fat_path.h"

#include "lib/string.h"

#define BASE_BYTES 8
#define EXTENSION_BYTES 3
#define CASE_BASE 0x08
#define CASE_EXTENSION 0x10

u8 fat_short_checksum(const u8 *short_name)
{
	u8 sum = 0;

	for (u32 i = 0; i < FAT_SHORT_BYTES; i++)
		sum = (u8)(sum << 7 | sum >> 1) + short_name[i];
	return sum;
}

static bool small(u16 c)
{
	return c >= 'a' && c <= 'z';
}

/* What a short name may hold of ASCII, letters of both kinds. */
static bool short_allowed(u16 c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || small(c) || (c < 0x80 && c && strchr("$%'-_@~`!(){}^#&", c));
}

/* Fills n->basis from the units; n->lossy if it says less than they do, letters' case aside. */
static void basis_make(struct fat_name *n)
{
	u32 first = 0, dot = n->length, base = 0, extension = 0;

	memset(n->basis, ' ', sizeof(n->basis));
	while (first < n->length && n->units[first] == '.')
		first++;
	for (u32 i = first; i < n->length; i++)
		if (n->units[i] == '.')
			dot = i;
	n->lossy = first > 0;
	for (u32 i = first; i < n->length; i++) {
		u16 c = n->units[i];
		u8 byte;

		if (i == dot)
			continue;
		if (c == ' ' || c == '.') {
			n->lossy = true;
			continue;
		}
		byte = short_allowed(c) ? (u8)(small(c) ? c - 0x20 : c) : '_';
		n->lossy = n->lossy || !short_allowed(c);
		if (i < dot && base < BASE_BYTES)
			n->basis[base++] = byte;
		else if (i > dot && extension < EXTENSION_BYTES)
			n->basis[BASE_BYTES + extension++] = byte;
		else
			n->lossy = true;
	}
	if (!base) {
		n->basis[0] = '_';
		n->lossy = true;
	}
}

/* Whether the short entry alone says the name, with the letters of each part all small or all capital. */
static bool short_is_enough(struct fat_name *n)
{
	bool smalls[2] = { false, false }, capitals[2] = { false, false };
	u32 part = 0;

	if (n->lossy)
		return false;
	for (u32 i = 0; i < n->length; i++) {
		u16 c = n->units[i];

		if (c == '.')
			part = 1;
		smalls[part] = smalls[part] || small(c);
		capitals[part] = capitals[part] || (c >= 'A' && c <= 'Z');
	}
	if ((smalls[0] && capitals[0]) || (smalls[1] && capitals[1]))
		return false;
	n->letter_case = (smalls[0] ? CASE_BASE : 0) | (smalls[1] ? CASE_EXTENSION : 0);
	return true;
}

bool fat_name_make(struct fat_name *n, const u16 *units, u32 length)
{
	if (length > FILE_NAME_MAX || !fat_name_valid(units, length) || units[length - 1] == '.' || units[length - 1] == ' ')
		return false;
	memcpy(n->units, units, length * sizeof(*units));
	n->length = length;
	n->letter_case = 0;
	basis_make(n);
	n->long_entries = short_is_enough(n) ? 0 : DIV_UP(length, FAT_LONG_UNITS);
	return true;
}

/* Puts text behind the base, which is cut to keep bytes at most if the two do not fit. */
static void tail_put(u8 *raw, u32 keep, const char *text)
{
	u32 base = BASE_BYTES, n = (u32)strlen(text);

	while (base && raw[base - 1] == ' ')
		base--;
	base = MIN(MIN(base, keep), BASE_BYTES - n);
	memset(raw + base, ' ', BASE_BYTES - base);
	memcpy(raw + base, text, n);
}

/* ~1 to ~4, then with a number that the long name gives: so many files whose names begin alike stay quick to make. */
bool fat_name_short(const struct fat_name *n, u32 attempt, u8 *raw)
{
	u32 hash = 2166136261u;
	char tail[BASE_BYTES + 1];

	memcpy(raw, n->basis, FAT_SHORT_BYTES);
	if (attempt == 0 && !n->lossy)
		return true;
	if (attempt >= FAT_NAME_ATTEMPTS || !n->long_entries)
		return false;
	if (attempt < 5) {
		ksnprintf(tail, sizeof(tail), "~%u", attempt + n->lossy);
		tail_put(raw, BASE_BYTES, tail);
		return true;
	}
	for (u32 i = 0; i < n->length; i++)
		hash = (hash ^ n->units[i]) * 16777619u;
	hash = (hash ^ hash >> 16) + attempt * 40503u;
	ksnprintf(tail, sizeof(tail), "%04X~%u", hash & 0xffff, 1 + attempt % 9);
	tail_put(raw, 2, tail);
	return true;
}

void fat_name_piece(const struct fat_name *n, u32 order, const u8 *short_name, u8 *entry)
{
	static const u8 places[FAT_LONG_UNITS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	u32 from = (order - 1) * FAT_LONG_UNITS;

	memset(entry, 0, FAT_ENTRY_SIZE);
	entry[0] = (u8)(order | (order == n->long_entries ? 0x40 : 0));
	entry[11] = FAT_ATTRIBUTE_LONG;
	entry[13] = fat_short_checksum(short_name);
	for (u32 i = 0; i < FAT_LONG_UNITS; i++) {
		u16 unit = 0xffff; /* behind the end, which is a 0 */

		if (from + i <= n->length)
			unit = from + i < n->length ? n->units[from + i] : 0;
		fat_put16(entry + places[i], unit);
	}
}
