/* Strings of bytes. Letters have a case in ASCII only, and strings are ordered by their bytes. */
#include "msvcrt.h"

size_t __cdecl strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t __cdecl strnlen(const char *s, size_t room)
{
	size_t n = 0;

	while (n < room && s[n])
		n++;
	return n;
}

char *__cdecl strcpy(char *to, const char *from)
{
	return memcpy(to, from, strlen(from) + 1);
}

char *__cdecl strncpy(char *to, const char *from, size_t count)
{
	size_t n = strnlen(from, count);

	memcpy(to, from, n);
	memset(to + n, 0, count - n);
	return to;
}

char *__cdecl strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *__cdecl strncat(char *to, const char *from, size_t count)
{
	size_t n = strnlen(from, count);
	char *end = to + strlen(to);

	memcpy(end, from, n);
	end[n] = 0;
	return to;
}

int __cdecl strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return ((unsigned char)*a > (unsigned char)*b) - ((unsigned char)*a < (unsigned char)*b);
}

int __cdecl strncmp(const char *a, const char *b, size_t count)
{
	for (; count && *a && *a == *b; a++, b++)
		count--;
	return count ? (unsigned char)*a - (unsigned char)*b : 0;
}

int __cdecl strcoll(const char *a, const char *b)
{
	return strcmp(a, b);
}

size_t __cdecl strxfrm(char *to, const char *from, size_t room)
{
	size_t n = strlen(from);

	if (n < room)
		strcpy(to, from);
	return n;
}

int __cdecl _strnicmp(const char *a, const char *b, size_t count)
{
	for (; count; count--, a++, b++) {
		int x = letter_lower((unsigned char)*a), y = letter_lower((unsigned char)*b);

		if (x != y || !x)
			return x - y;
	}
	return 0;
}

int __cdecl _stricmp(const char *a, const char *b)
{
	return _strnicmp(a, b, (size_t)-1);
}

char *__cdecl strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *__cdecl strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (!*s)
			return (char *)found;
	}
}

char *__cdecl strstr(const char *s, const char *part)
{
	size_t n = strlen(part);

	if (!n)
		return (char *)s;
	while ((s = strchr(s, *part)) && strncmp(s, part, n))
		s++;
	return (char *)s;
}

size_t __cdecl strspn(const char *s, const char *set)
{
	size_t n = 0;

	while (s[n] && strchr(set, s[n]))
		n++;
	return n;
}

size_t __cdecl strcspn(const char *s, const char *set)
{
	size_t n = 0;

	while (s[n] && !strchr(set, s[n]))
		n++;
	return n;
}

char *__cdecl strpbrk(const char *s, const char *set)
{
	s += strcspn(s, set);
	return *s ? (char *)s : NULL;
}

char *__cdecl strtok_s(char *s, const char *separators, char **next)
{
	if (!s)
		s = *next;
	if (!s)
		return NULL;
	s += strspn(s, separators);
	*next = s + strcspn(s, separators);
	if (**next)
		*(*next)++ = 0;
	return *s || *next != s ? s : NULL;
}

char *__cdecl strtok(char *s, const char *separators)
{
	return strtok_s(s, separators, &thread_data()->token);
}

char *__cdecl _strdup(const char *s)
{
	size_t size;
	char *copy;

	if (!s)
		return NULL;
	size = strlen(s) + 1;
	copy = malloc(size);
	return copy ? memcpy(copy, s, size) : NULL;
}

char *__cdecl _strlwr(char *s)
{
	for (char *at = s; *at; at++)
		*at = (char)letter_lower(*at);
	return s;
}

char *__cdecl _strupr(char *s)
{
	for (char *at = s; *at; at++)
		*at = (char)letter_upper(*at);
	return s;
}

char *__cdecl _strrev(char *s)
{
	for (char *from = s, *to = s + strlen(s); from < to; from++) {
		char c = *--to;

		*to = *from;
		*from = c;
	}
	return s;
}

char *__cdecl _strset(char *s, int c)
{
	return memset(s, c, strlen(s));
}

char *__cdecl _strnset(char *s, int c, size_t count)
{
	return memset(s, c, strnlen(s, count));
}

/* The functions with a size in elements: an error number, and what does not fit leaves an empty string. */
static errno_t string_refuse(char *to, size_t room, errno_t error)
{
	if (to && room)
		*to = 0;
	errno = error;
	return error;
}

errno_t __cdecl strncpy_s(char *to, size_t room, const char *from, size_t count)
{
	size_t n;

	if (!to || !room || (!from && count))
		return string_refuse(to, room, EINVAL);
	n = from ? strnlen(from, count == _TRUNCATE ? (size_t)-1 : count) : 0;
	if (n >= room && count != _TRUNCATE)
		return string_refuse(to, room, ERANGE);
	if (n >= room) {
		memcpy(to, from, room - 1);
		to[room - 1] = 0;
		return STRUNCATE;
	}
	memcpy(to, from, n);
	to[n] = 0;
	return 0;
}

errno_t __cdecl strcpy_s(char *to, size_t room, const char *from)
{
	return from ? strncpy_s(to, room, from, (size_t)-2) : string_refuse(to, room, EINVAL);
}

errno_t __cdecl strncat_s(char *to, size_t room, const char *from, size_t count)
{
	size_t used = to ? strnlen(to, room) : 0;
	errno_t error;

	if (!to || used == room)
		return string_refuse(to, room, EINVAL);
	error = strncpy_s(to + used, room - used, from, count);
	return error && error != STRUNCATE ? string_refuse(to, room, error) : error;
}

errno_t __cdecl strcat_s(char *to, size_t room, const char *from)
{
	return from ? strncat_s(to, room, from, (size_t)-2) : string_refuse(to, room, EINVAL);
}
