/*
 * Wide characters on streams. In text mode the file has bytes in the locale's code page, in binary mode it has the
 * UTF-16 units themselves. Source: Microsoft C runtime library reference, "Unicode stream I/O in text and binary
 * modes".
 */
#include "msvcrt.h"

bool stream_is_text(FILE *stream)
{
	struct descriptor *d = stream->_file >= 0 ? descriptor_get(stream->_file) : NULL;

	return d && (d->flags & FD_TEXT);
}

/* The first half of a surrogate pair waits for the second. */
wint_t stream_put_wide(wchar_t c, FILE *stream)
{
	struct stream_state *state = stream_state(stream);
	wchar_t text[3] = { state->high ? state->high : c, state->high ? c : 0, 0 };
	const wchar_t *at = text;
	char bytes[4];
	int n;

	if (!stream_is_text(stream))
		return stream_write(stream, (const char *)&c, sizeof(c)) == sizeof(c) ? c : WEOF;
	if (locale_code_page && !state->high && IS_HIGH_SURROGATE(c)) {
		state->high = c;
		return c;
	}
	state->high = 0;
	n = wide_to_bytes(&at, bytes);
	if (n < 0) {
		stream->_flag |= _IOERR;
		return WEOF;
	}
	return stream_write(stream, bytes, (size_t)n) == (size_t)n ? c : WEOF;
}

wint_t stream_get_wide(FILE *stream)
{
	struct stream_state *state = stream_state(stream);
	wchar_t units[2] = { state->low };
	char bytes[4];
	int size = 0, count, used, c;

	state->low = 0;
	if (units[0])
		return units[0];
	if (!stream_is_text(stream))
		return stream_read(stream, (char *)units, sizeof(units[0])) == sizeof(units[0]) ? units[0] : WEOF;
	do {
		c = stream_get(stream);
		if (c == EOF)
			return WEOF;
		bytes[size++] = (char)c;
		used = bytes_to_wide(bytes, (size_t)size, units, &count);
	} while (used == -2);
	if (used < 0) {
		stream->_flag |= _IOERR;
		return WEOF;
	}
	if (count == 2)
		state->low = units[1];
	return units[0];
}

wint_t stream_unget_wide(wint_t c, FILE *stream)
{
	wchar_t text[2] = { c, 0 };
	const wchar_t *at = text;
	char bytes[4] = { (char)c, (char)(c >> 8) };
	int n = stream_is_text(stream) ? wide_to_bytes(&at, bytes) : 2;

	if (c == WEOF || n < 0)
		return WEOF;
	while (n > 0)
		if (stream_unget((unsigned char)bytes[--n], stream) == EOF)
			return WEOF;
	return c;
}

wint_t __cdecl fputwc(wchar_t c, FILE *stream)
{
	wint_t result;

	stream_lock(stream);
	result = stream_put_wide(c, stream);
	stream_unlock(stream);
	return result;
}

wint_t __cdecl (putwc)(wchar_t c, FILE *stream)
{
	return fputwc(c, stream);
}

wint_t __cdecl (putwchar)(wchar_t c)
{
	return fputwc(c, stdout);
}

wint_t __cdecl fgetwc(FILE *stream)
{
	wint_t result;

	stream_lock(stream);
	result = stream_get_wide(stream);
	stream_unlock(stream);
	return result;
}

wint_t __cdecl (getwc)(FILE *stream)
{
	return fgetwc(stream);
}

wint_t __cdecl (getwchar)(void)
{
	return fgetwc(stdin);
}

wint_t __cdecl ungetwc(wint_t c, FILE *stream)
{
	stream_lock(stream);
	c = stream_unget_wide(c, stream);
	stream_unlock(stream);
	return c;
}

int __cdecl fputws(const wchar_t *text, FILE *stream)
{
	const wchar_t *c = text;

	stream_lock(stream);
	while (*c && stream_put_wide(*c, stream) != WEOF)
		c++;
	stream_unlock(stream);
	return *c ? EOF : 0;
}

int __cdecl _putws(const wchar_t *text)
{
	return fputws(text, stdout) || fputwc('\n', stdout) == WEOF ? EOF : 0;
}

wchar_t *__cdecl fgetws(wchar_t *to, int size, FILE *stream)
{
	int done = 0;
	wint_t c = 0;

	if (!to || size <= 0) {
		errno = EINVAL;
		return NULL;
	}
	stream_lock(stream);
	while (done < size - 1 && c != '\n') {
		c = stream_get_wide(stream);
		if (c == WEOF)
			break;
		to[done++] = c;
	}
	stream_unlock(stream);
	if (c == WEOF && !done)
		return NULL;
	to[done] = 0;
	return to;
}
