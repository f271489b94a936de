/* Between bytes and UTF-16: names of files, which are always UTF-8, and text in the locale's code page. */
#include "msvcrt.h"

unsigned int locale_code_page;

/* path in UTF-16, in buffer. Too long or not UTF-8 is ENOENT: there can be no such file. */
wchar_t *path_wide(const char *path, wchar_t buffer[PATH_UNITS])
{
	if (!path) {
		errno = EINVAL;
		return NULL;
	}
	if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, buffer, PATH_UNITS)) {
		errno = ENOENT;
		return NULL;
	}
	return buffer;
}

/* The other way. NULL: size bytes are too few; errno is ERANGE. */
char *path_narrow(const wchar_t *path, char *buffer, size_t size)
{
	if (!WideCharToMultiByte(CP_UTF8, 0, path, -1, buffer, size > INT_MAX ? INT_MAX : (int)size, NULL, NULL)) {
		errno = ERANGE;
		return NULL;
	}
	return buffer;
}

/*
 * The character that starts at *text as 1 to 4 bytes of the locale's code page; *text moves on by one unit, or two
 * for a surrogate pair. Returns the number of bytes, or -1 with errno EILSEQ.
 */
int wide_to_bytes(const wchar_t **text, char out[4])
{
	unsigned int c = *(*text)++;

	if (!locale_code_page) {
		out[0] = (char)c;
		return c <= 0xFF ? 1 : error_set(EILSEQ);
	}
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c >= 0xD800 && c < 0xDC00 && **text >= 0xDC00 && **text < 0xE000) {
		c = 0x10000 + ((c - 0xD800) << 10) + (*(*text)++ - 0xDC00);
		out[0] = (char)(0xF0 | c >> 18);
		out[1] = (char)(0x80 | (c >> 12 & 0x3F));
		out[2] = (char)(0x80 | (c >> 6 & 0x3F));
		out[3] = (char)(0x80 | (c & 0x3F));
		return 4;
	}
	if (c >= 0xD800 && c < 0xE000)
		return error_set(EILSEQ);
	out[0] = (char)(0xE0 | c >> 12);
	out[1] = (char)(0x80 | (c >> 6 & 0x3F));
	out[2] = (char)(0x80 | (c & 0x3F));
	return 3;
}

/*
 * The character at the start of text, of which size bytes are there, as one or two units. Returns how many bytes it
 * has; -1 if it is not valid (errno EILSEQ), -2 if more bytes are needed.
 */
int bytes_to_wide(const char *text, size_t size, wchar_t out[2], int *units)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned int c, least;
	int length;

	*units = 1;
	if (!size)
		return -2;
	out[0] = s[0];
	if (!locale_code_page || s[0] < 0x80)
		return 1;
	if (s[0] < 0xC2 || s[0] >= 0xF8)
		return error_set(EILSEQ);
	length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
	c = s[0] & (0xFFu >> (length + 1));
	for (int i = 1; i < length; i++) {
		if ((size_t)i == size)
			return -2;
		if ((s[i] & 0xC0) != 0x80)
			return error_set(EILSEQ);
		c = c << 6 | (s[i] & 0x3F);
	}
	least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
	if (c < least || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return error_set(EILSEQ);
	out[0] = (wchar_t)c;
	if (c >= 0x10000) {
		out[0] = (wchar_t)(0xD800 + ((c - 0x10000) >> 10));
		out[1] = (wchar_t)(0xDC00 + (c & 0x3FF));
		*units = 2;
	}
	return length;
}

int __cdecl wctomb(char *out, wchar_t c)
{
	wchar_t text[2] = { c, 0 };
	const wchar_t *at = text;

	return out ? wide_to_bytes(&at, out) : 0;
}

int __cdecl mbtowc(wchar_t *out, const char *text, size_t size)
{
	wchar_t pair[2];
	int units, used;

	if (!text || !size)
		return 0;
	used = bytes_to_wide(text, size, pair, &units);
	if (used < 0 || units == 2)
		return error_set(EILSEQ);
	if (out)
		*out = pair[0];
	return *text ? used : 0;
}

int __cdecl mblen(const char *text, size_t size)
{
	return mbtowc(NULL, text, size);
}

/* At most count bytes; without out, how many there would be. -1: a character has no bytes here. */
size_t __cdecl wcstombs(char *out, const wchar_t *text, size_t count)
{
	char bytes[4];
	size_t done = 0;
	int n;

	while (*text) {
		n = wide_to_bytes(&text, bytes);
		if (n < 0)
			return (size_t)-1;
		if (out && done + (size_t)n > count)
			return done;
		if (out)
			memcpy(out + done, bytes, (size_t)n);
		done += (size_t)n;
	}
	if (out && done < count)
		out[done] = 0;
	return done;
}

size_t __cdecl mbstowcs(wchar_t *out, const char *text, size_t count)
{
	wchar_t pair[2];
	size_t done = 0;
	int units, used;

	while (*text) {
		used = bytes_to_wide(text, strnlen(text, 4), pair, &units);
		if (used < 0) {
			errno = EILSEQ;
			return (size_t)-1;
		}
		if (out && done + (size_t)units > count)
			return done;
		for (int i = 0; out && i < units; i++)
			out[done + (size_t)i] = pair[i];
		done += (size_t)units;
		text += used;
	}
	if (out && done < count)
		out[done] = 0;
	return done;
}
