/*
 * Blocks of bytes. Bulk work is done in quadwords: an emulated processor repeats an instruction once for each
 * element.
 */
#include "msvcrt.h"

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
	char *d = to;
	const char *s = from;
	size_t words = size / 8, bytes = size % 8;

	if ((size_t)(d - s) >= size)
		return memcpy(to, from, size);
	/* The end of the source would be overwritten first: copy from the end, odd bytes and then quadwords. */
	d += size - 1;
	s += size - 1;
	__asm__ volatile("std\n\trep movsb\n\tsubq $7, %%rsi\n\tsubq $7, %%rdi\n\tmovq %3, %2\n\trep movsq\n\tcld"
			 : "+D"(d), "+S"(s), "+c"(bytes) : "r"(words) : "memory");
	return to;
}

void *__cdecl memset(void *to, int byte, size_t size)
{
	void *d = to;
	size_t words = size / 8, bytes = size % 8;
	uint64_t pattern = (unsigned char)byte * 0x0101010101010101ull;

	__asm__ volatile("rep stosq\n\tmovq %3, %1\n\trep stosb"
			 : "+D"(d), "+c"(words) : "a"(pattern), "r"(bytes) : "memory");
	return to;
}

int __cdecl memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;
	uint64_t p, q;

	for (; size >= 8; size -= 8, x += 8, y += 8) {
		__builtin_memcpy(&p, x, 8);
		__builtin_memcpy(&q, y, 8);
		if (p != q)
			break;
	}
	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

void *__cdecl memchr(const void *block, int byte, size_t size)
{
	const unsigned char *at = block;

	for (; size; size--, at++)
		if (*at == (unsigned char)byte)
			return (void *)at;
	return NULL;
}

/* Copies up to and with the first byte of that value; returns what follows the copy of it, NULL if it is not there. */
void *__cdecl _memccpy(void *to, const void *from, int byte, size_t size)
{
	const unsigned char *found = memchr(from, byte, size);
	size_t n = found ? (size_t)(found - (const unsigned char *)from) + 1 : size;

	memcpy(to, from, n);
	return found ? (char *)to + n : NULL;
}

int __cdecl _memicmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size; size--, x++, y++)
		if (letter_lower(*x) != letter_lower(*y))
			return letter_lower(*x) - letter_lower(*y);
	return 0;
}

int __cdecl memcpy_s(void *to, size_t room, const void *from, size_t size)
{
	if (!size)
		return 0;
	if (!to || !from || room < size) {
		if (to)
			memset(to, 0, room);
		errno = to && from ? ERANGE : EINVAL;
		return errno;
	}
	memcpy(to, from, size);
	return 0;
}

int __cdecl memmove_s(void *to, size_t room, const void *from, size_t size)
{
	if (!size)
		return 0;
	if (!to || !from || room < size) {
		errno = to && from ? ERANGE : EINVAL;
		return errno;
	}
	memmove(to, from, size);
	return 0;
}

/* Exchanges the bytes of each pair; an odd last byte is left out. */
void __cdecl _swab(char *from, char *to, int size)
{
	for (; size > 1; size -= 2, from += 2, to += 2) {
		char first = from[0];

		to[0] = from[1];
		to[1] = first;
	}
}
