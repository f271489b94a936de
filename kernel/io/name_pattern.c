#include "io/fat_path.h"

#include "lib/string.h"

/* What the pattern's characters mean besides themselves; the last three are those of MS-DOS' names. */
enum { ANY = '*', ONE = '?', ANY_TO_LAST_DOT = '<', ONE_OR_END = '>', DOT_OR_END = '"' };

/* Marks where the pattern can go on before the name's character c (0: its end) without taking it. */
static void skip(const u16 *pattern, u32 length, bool *at, u16 c)
{
	for (u32 i = 0; i < length; i++) {
		u16 p = pattern[i];

		if (at[i] && (p == ANY || p == ANY_TO_LAST_DOT || (p == ONE_OR_END && (!c || c == '.')) || (p == DOT_OR_END && !c)))
			at[i + 1] = true;
	}
}

bool fat_name_matches(const u16 *pattern, u32 length, const u16 *name, u32 name_length)
{
	bool at[FILE_NAME_MAX + 1] = { true }, next[FILE_NAME_MAX + 1]; /* places in the pattern: all at once */
	u32 last_dot = name_length;

	if (length > FILE_NAME_MAX)
		return false;
	for (u32 k = 0; k < name_length; k++)
		if (name[k] == '.')
			last_dot = k;
	for (u32 k = 0; k < name_length; k++) {
		u16 c = name[k];

		skip(pattern, length, at, c);
		memset(next, 0, sizeof(next));
		for (u32 i = 0; i < length; i++) {
			u16 p = pattern[i];

			if (!at[i])
				continue;
			if (p == ANY || (p == ANY_TO_LAST_DOT && k != last_dot))
				next[i] = true;
			else if (p == ONE || (p == ONE_OR_END && c != '.') || (p == DOT_OR_END && c == '.') ||
				 (p != ANY_TO_LAST_DOT && fat_name_equal(&p, 1, &c, 1)))
				next[i + 1] = true;
		}
		memcpy(at, next, sizeof(at));
	}
	skip(pattern, length, at, 0);
	return at[length];
}
