/* Bytes and narrow or wide text: what the compiler calls by itself, and what kernel32 needs. */
#include "ntdll.h"

void *__cdecl memcpy(void *to, const void *from, size_t size)
{
	void *d = to;
	size_t words = size / 8, bytes = size % 8;

	__asm__ volatile("rep movsq\n\tmovq %3, %2\n\trep movsb"
			 : "+D"(d), "+S"(from), "+c"(words) : "r"(bytes) : "memory");
	return to;
}

void *__cdecl memmove(void *to, const void *from, size_t size)
{
	BYTE *d = to;
	const BYTE *s = from;

	if ((size_t)(d - s) >= size)
		return memcpy(to, from, size);
	/* The end of the source is overwritten first: copy from the end. */
	d += size - 1;
	s += size - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(d), "+S"(s), "+c"(size) : : "memory");
	return to;
}

void *__cdecl memset(void *to, int byte, size_t size)
{
	void *d = to;
	size_t words = size / 8, bytes = size % 8;
	ULONG64 pattern = (BYTE)byte * 0x0101010101010101ull;

	__asm__ volatile("rep stosq\n\tmovq %3, %1\n\trep stosb"
			 : "+D"(d), "+c"(words) : "a"(pattern), "r"(bytes) : "memory");
	return to;
}

int __cdecl memcmp(const void *a, const void *b, size_t size)
{
	const BYTE *x = a, *y = b;

	for (; size >= 8 && *(const ULONG64 *)x == *(const ULONG64 *)y; size -= 8)
		x += 8, y += 8;
	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t __cdecl strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

size_t __cdecl wcslen(const wchar_t *s)
{
	const wchar_t *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}

int __cdecl strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return (BYTE)*a - (BYTE)*b;
}

static int narrow_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : (BYTE)c;
}

int __cdecl _stricmp(const char *a, const char *b)
{
	for (; *a && narrow_lower(*a) == narrow_lower(*b); a++)
		b++;
	return narrow_lower(*a) - narrow_lower(*b);
}

int __cdecl _wcsnicmp(const wchar_t *a, const wchar_t *b, size_t n)
{
	for (; n; n--, a++, b++) {
		int difference = RtlDowncaseUnicodeChar(*a) - RtlDowncaseUnicodeChar(*b);

		if (difference || !*a)
			return difference;
	}
	return 0;
}

int __cdecl _wcsicmp(const wchar_t *a, const wchar_t *b)
{
	return _wcsnicmp(a, b, (size_t)-1);
}

SIZE_T NTAPI RtlCompareMemory(const void *a, const void *b, SIZE_T size)
{
	const BYTE *x = a, *y = b;
	SIZE_T same = 0;

	while (same < size && x[same] == y[same])
		same++;
	return same;
}
