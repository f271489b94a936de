/* Strings of UTF-16 units, as string.c. Letters have a case in ASCII only, and strings are ordered by their units. */
#include "msvcrt.h"

size_t __cdecl wcslen(const wchar_t *s)
{
	const wchar_t *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t __cdecl wcsnlen(const wchar_t *s, size_t room)
{
	size_t n = 0;

	while (n < room && s[n])
		n++;
	return n;
}

wchar_t *__cdecl wcscpy(wchar_t *to, const wchar_t *from)
{
	return memcpy(to, from, (wcslen(from) + 1) * sizeof(*to));
}

wchar_t *__cdecl wcsncpy(wchar_t *to, const wchar_t *from, size_t count)
{
	size_t n = wcsnlen(from, count);

	memcpy(to, from, n * sizeof(*to));
	memset(to + n, 0, (count - n) * sizeof(*to));
	return to;
}

wchar_t *__cdecl wcscat(wchar_t *to, const wchar_t *from)
{
	wcscpy(to + wcslen(to), from);
	return to;
}

wchar_t *__cdecl wcsncat(wchar_t *to, const wchar_t *from, size_t count)
{
	size_t n = wcsnlen(from, count);
	wchar_t *end = to + wcslen(to);

	memcpy(end, from, n * sizeof(*end));
	end[n] = 0;
	return to;
}

int __cdecl wcscmp(const wchar_t *a, const wchar_t *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (*a > *b) - (*a < *b);
}

int __cdecl wcsncmp(const wchar_t *a, const wchar_t *b, size_t count)
{
	for (; count && *a && *a == *b; a++, b++)
		count--;
	return count ? *a - *b : 0;
}

int __cdecl wcscoll(const wchar_t *a, const wchar_t *b)
{
	return wcscmp(a, b);
}

size_t __cdecl wcsxfrm(wchar_t *to, const wchar_t *from, size_t room)
{
	size_t n = wcslen(from);

	if (n < room)
		wcscpy(to, from);
	return n;
}

int __cdecl _wcsnicmp(const wchar_t *a, const wchar_t *b, size_t count)
{
	for (; count; count--, a++, b++) {
		int x = letter_lower(*a), y = letter_lower(*b);

		if (x != y || !x)
			return x - y;
	}
	return 0;
}

int __cdecl _wcsicmp(const wchar_t *a, const wchar_t *b)
{
	return _wcsnicmp(a, b, (size_t)-1);
}

wchar_t *__cdecl wcschr(const wchar_t *s, wchar_t c)
{
	for (;; s++) {
		if (*s == c)
			return (wchar_t *)s;
		if (!*s)
			return NULL;
	}
}

wchar_t *__cdecl wcsrchr(const wchar_t *s, wchar_t c)
{
	const wchar_t *found = NULL;

	for (;; s++) {
		if (*s == c)
			found = s;
		if (!*s)
			return (wchar_t *)found;
	}
}

wchar_t *__cdecl wcsstr(const wchar_t *s, const wchar_t *part)
{
	size_t n = wcslen(part);

	if (!n)
		return (wchar_t *)s;
	while ((s = wcschr(s, *part)) && wcsncmp(s, part, n))
		s++;
	return (wchar_t *)s;
}

size_t __cdecl wcsspn(const wchar_t *s, const wchar_t *set)
{
	size_t n = 0;

	while (s[n] && wcschr(set, s[n]))
		n++;
	return n;
}

size_t __cdecl wcscspn(const wchar_t *s, const wchar_t *set)
{
	size_t n = 0;

	while (s[n] && !wcschr(set, s[n]))
		n++;
	return n;
}

wchar_t *__cdecl wcspbrk(const wchar_t *s, const wchar_t *set)
{
	s += wcscspn(s, set);
	return *s ? (wchar_t *)s : NULL;
}

wchar_t *__cdecl wcstok_s(wchar_t *s, const wchar_t *separators, wchar_t **next)
{
	if (!s)
		s = *next;
	if (!s)
		return NULL;
	s += wcsspn(s, separators);
	*next = s + wcscspn(s, separators);
	if (**next)
		*(*next)++ = 0;
	return *s || *next != s ? s : NULL;
}

wchar_t *__cdecl wcstok(wchar_t *s, const wchar_t *separators)
{
	return wcstok_s(s, separators, &thread_data()->wide_token);
}

wchar_t *__cdecl _wcsdup(const wchar_t *s)
{
	size_t size;
	wchar_t *copy;

	if (!s)
		return NULL;
	size = (wcslen(s) + 1) * sizeof(*s);
	copy = malloc(size);
	return copy ? memcpy(copy, s, size) : NULL;
}

wchar_t *__cdecl _wcslwr(wchar_t *s)
{
	for (wchar_t *at = s; *at; at++)
		*at = (wchar_t)letter_lower(*at);
	return s;
}

wchar_t *__cdecl _wcsupr(wchar_t *s)
{
	for (wchar_t *at = s; *at; at++)
		*at = (wchar_t)letter_upper(*at);
	return s;
}

wchar_t *__cdecl _wcsrev(wchar_t *s)
{
	for (wchar_t *from = s, *to = s + wcslen(s); from < to; from++) {
		wchar_t c = *--to;

		*to = *from;
		*from = c;
	}
	return s;
}

wchar_t *__cdecl _wcsset(wchar_t *s, wchar_t c)
{
	return _wcsnset(s, c, (size_t)-1);
}

wchar_t *__cdecl _wcsnset(wchar_t *s, wchar_t c, size_t count)
{
	for (wchar_t *at = s; *at && count; count--)
		*at++ = c;
	return s;
}

/* The functions with a size in elements: an error number, and what does not fit leaves an empty string. */
static errno_t wide_refuse(wchar_t *to, size_t room, errno_t error)
{
	if (to && room)
		*to = 0;
	errno = error;
	return error;
}

errno_t __cdecl wcsncpy_s(wchar_t *to, size_t room, const wchar_t *from, size_t count)
{
	size_t n;

	if (!to || !room || (!from && count))
		return wide_refuse(to, room, EINVAL);
	n = from ? wcsnlen(from, count == _TRUNCATE ? (size_t)-1 : count) : 0;
	if (n >= room && count != _TRUNCATE)
		return wide_refuse(to, room, ERANGE);
	if (n >= room) {
		memcpy(to, from, (room - 1) * sizeof(*to));
		to[room - 1] = 0;
		return STRUNCATE;
	}
	memcpy(to, from, n * sizeof(*to));
	to[n] = 0;
	return 0;
}

errno_t __cdecl wcscpy_s(wchar_t *to, size_t room, const wchar_t *from)
{
	return from ? wcsncpy_s(to, room, from, (size_t)-2) : wide_refuse(to, room, EINVAL);
}

errno_t __cdecl wcsncat_s(wchar_t *to, size_t room, const wchar_t *from, size_t count)
{
	size_t used = to ? wcsnlen(to, room) : 0;
	errno_t error;

	if (!to || used == room)
		return wide_refuse(to, room, EINVAL);
	error = wcsncpy_s(to + used, room - used, from, count);
	return error && error != STRUNCATE ? wide_refuse(to, room, error) : error;
}

errno_t __cdecl wcscat_s(wchar_t *to, size_t room, const wchar_t *from)
{
	return from ? wcsncat_s(to, room, from, (size_t)-2) : wide_refuse(to, room, EINVAL);
}
