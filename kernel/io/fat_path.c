#include "io/fat_path.h"

#include "lib/string.h"

#define REPLACEMENT 0xfffd

/* Decodes one character; returns its bytes, 0 if it is not valid. */
static u32 utf8_decode(const u8 *s, size_t n, u32 *c)
{
	static const u32 smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	u32 length;

	if (s[0] < 0x80) {
		*c = s[0];
		return 1;
	}
	if (s[0] >= 0xf0)
		length = 4;
	else if (s[0] >= 0xe0)
		length = 3;
	else
		length = 2;
	if (s[0] < 0xc0 || s[0] > 0xf7 || n < length)
		return 0;
	*c = s[0] & (0x7f >> length);
	for (u32 i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < smallest[length] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return length;
}

int utf8_to_utf16(const char *from, size_t n, u16 *to, u32 max)
{
	const u8 *s = (const u8 *)from;
	u32 units = 0;

	while (n > 0) {
		u32 c, length = utf8_decode(s, n, &c), need = length == 4 ? 2 : 1;

		if (!length || units + need > max)
			return -1;
		if (need == 2) {
			to[units++] = 0xd800 | (c - 0x10000) >> 10;
			to[units++] = 0xdc00 | ((c - 0x10000) & 0x3ff);
		} else {
			to[units++] = c;
		}
		s += length;
		n -= length;
	}
	return units;
}

int utf16_to_utf8(const u16 *from, u32 n, char *to, size_t size)
{
	size_t at = 0;

	for (u32 i = 0; i < n; i++) {
		u32 c = from[i], length;

		if (likely(c < 0x80 && at + 1 < size)) {
			to[at++] = c;
			continue;
		}
		if (c >= 0xd800 && c <= 0xdbff && i + 1 < n && from[i + 1] >= 0xdc00 && from[i + 1] <= 0xdfff)
			c = 0x10000 + ((c & 0x3ff) << 10) + (from[++i] & 0x3ff);
		else if (c >= 0xd800 && c <= 0xdfff)
			c = REPLACEMENT;
		length = c < 0x80 ? 1 /* there is no room */ : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		if (at + length + 1 > size)
			return -1;
		to[at++] = (0xf00 >> length) | c >> 6 * (length - 1);
		for (u32 k = length - 1; k > 0; k--)
			to[at++] = 0x80 | (c >> 6 * (k - 1) & 0x3f);
	}
	if (at + 1 > size)
		return -1;
	to[at] = 0;
	return at;
}

/* Characters that neither a long name nor a path's component may hold. */
static bool forbidden(u32 c)
{
	static const u64 low = 0xffffffff | 1ull << '"' | 1ull << '*' | 1ull << '/' | 1ull << ':' | 1ull << '<' |
			       1ull << '>' | 1ull << '?';

	return c < 64 ? low >> c & 1 : c == '\\' || c == '|';
}

bool fat_name_valid(const u16 *name, u32 length)
{
	for (u32 i = 0; i < length; i++)
		if (forbidden(name[i]))
			return false;
	return length > 0;
}

static bool separator(char c)
{
	return c == '\\' || c == '/';
}

static bool component_valid(const char *s, size_t n)
{
	u16 units[FILE_NAME_MAX];
	int length = utf8_to_utf16(s, n, units, FILE_NAME_MAX);

	return length > 0 && fat_name_valid(units, length);
}

enum file_status path_normalize(const char *path, char *to)
{
	size_t at = 0;

	if (!separator(*path))
		return FILE_BAD_NAME;
	for (;;) {
		size_t n = 0;

		while (separator(*path))
			path++;
		if (!*path)
			break;
		while (path[n] && !separator(path[n]))
			n++;
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (at > 0 && to[--at] != '\\')
				;
		} else if (n != 1 || path[0] != '.') {
			if (at + 1 + n + 1 > FILE_PATH_MAX || !component_valid(path, n))
				return FILE_BAD_NAME;
			to[at++] = '\\';
			memcpy(to + at, path, n);
			at += n;
		}
		path += n;
	}
	if (at == 0)
		to[at++] = '\\';
	to[at] = 0;
	return FILE_OK;
}

const char *path_next(const char **rest, size_t *length)
{
	const char *start = *rest;
	size_t n = 0;

	if (*start == '\\')
		start++;
	if (!*start)
		return NULL;
	while (start[n] && start[n] != '\\')
		n++;
	*rest = start + n;
	*length = n;
	return start;
}

static u16 fold(u16 c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7))
		return c - 0x20;
	return c;
}

bool fat_name_equal(const u16 *a, u32 a_length, const u16 *b, u32 b_length)
{
	if (a_length != b_length)
		return false;
	for (u32 i = 0; i < a_length; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

/* Bytes from 0x80 on are in a code page that nothing names: Latin-1 here. Such names have a long form anyway. */
static u32 short_part(const u8 *from, u32 size, bool lower, u16 *to)
{
	u32 n = size;

	while (n > 0 && from[n - 1] == ' ')
		n--;
	for (u32 i = 0; i < n; i++)
		to[i] = lower && from[i] < 0x80 ? ascii_lower(from[i]) : from[i];
	return n;
}

u32 fat_short_name(const u8 *entry, u16 *name)
{
	static const u8 lower_base = 0x08, lower_extension = 0x10; /* Windows NT's use of byte 12 */
	u8 text[11];
	u32 n, extension;

	memcpy(text, entry, sizeof(text));
	if (text[0] == '.') { /* "." and "..": the only names with a dot in them */
		n = text[1] == '.' ? 2 : 1;
		for (u32 i = n; i < sizeof(text); i++)
			if (text[i] != ' ')
				return 0;
		name[0] = name[1] = '.';
		return n;
	}
	if (text[0] == 0x05) /* stands for 0xe5, which marks an erased entry */
		text[0] = 0xe5;
	for (u32 i = 0; i < sizeof(text); i++)
		if (forbidden(text[i]) || text[i] == '.')
			return 0;
	if (text[0] == ' ')
		return 0;
	n = short_part(text, 8, entry[12] & lower_base, name);
	extension = short_part(text + 8, 3, entry[12] & lower_extension, name + n + 1);
	if (!extension)
		return n;
	name[n] = '.';
	return n + 1 + extension;
}

void fat_long_reset(struct fat_long_name *l)
{
	l->valid = false;
}

void fat_long_add(struct fat_long_name *l, const u8 *entry)
{
	static const u8 places[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	static const u8 last = 0x40;
	u32 order = entry[0] & ~last;

	if (entry[0] & last) { /* the last piece comes first */
		l->valid = order >= 1 && order <= 20;
		l->next = order;
		l->checksum = entry[13];
		memset(l->units, 0, sizeof(l->units));
	}
	if (!l->valid || order != l->next || order == 0 || entry[13] != l->checksum) {
		l->valid = false;
		return;
	}
	for (u32 i = 0; i < 13; i++)
		l->units[(order - 1) * 13 + i] = fat_get16(entry + places[i]);
	l->next = order - 1;
}

u32 fat_long_finish(const struct fat_long_name *l, const u8 *short_entry)
{
	u32 length = 0;

	if (!l->valid || l->next != 0 || l->checksum != fat_short_checksum(short_entry))
		return 0;
	while (length < ARRAY_SIZE(l->units) && l->units[length])
		length++;
	if (length > FILE_NAME_MAX || !fat_name_valid(l->units, length))
		return 0;
	return length;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar; years count from March, so that the leap day is the last. */
static u64 days_from_date(u32 year, u32 month, u32 day)
{
	u32 y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

u64 fat_time_unix(u16 date, u16 time)
{
	u32 year = 1980 + (date >> 9), month = date >> 5 & 15, day = date & 31;
	u32 hour = time >> 11, minute = time >> 5 & 63, second = (time & 31) * 2;

	if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
		return 0;
	return days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

void fat_time_from_unix(u64 seconds, u16 *date, u16 *time)
{
	static const u64 first = 315532800, last = 4354819198; /* 1980-01-01 00:00:00, 2107-12-31 23:59:58 */
	u64 days;
	u32 second_of_day, year, month, day;

	seconds = MIN(MAX(seconds, first), last);
	days = seconds / 86400;
	second_of_day = (u32)(seconds % 86400);
	year = 1980 + (u32)((days - first / 86400) / 366);
	while (days_from_date(year + 1, 1, 1) <= days)
		year++;
	month = 1;
	while (month < 12 && days_from_date(year, month + 1, 1) <= days)
		month++;
	day = (u32)(days - days_from_date(year, month, 1)) + 1;
	*date = (u16)((year - 1980) << 9 | month << 5 | day);
	*time = (u16)(second_of_day / 3600 << 11 | second_of_day / 60 % 60 << 5 | second_of_day % 60 / 2);
}
