/* The C library's memory and string functions, and formatted printing into a buffer (freestanding). */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stdarg.h>

#include "lib/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
/* Copies at most size - 1 bytes and always ends with 0; returns strlen(from), as BSD's strlcpy does. */
size_t strlcpy(char *to, const char *from, size_t size);
int ascii_lower(int c);
int ascii_compare_nocase(const char *a, const char *b); /* like strcmp, letters A-Z equal to a-z */

/*
 * %d %i %u %x %X %o %c %s %p %% with h, hh, l, ll, z, j, width, precision, *, flags - 0 + space #. No floating point.
 * Returns the length that the whole text would have, as C's vsnprintf does. size 0 is allowed.
 */
int ksnprintf(char *buffer, size_t size, const char *fmt, ...) printf_like(3, 4);
int kvsnprintf(char *buffer, size_t size, const char *fmt, va_list ap);

/*
 * A number with an optional unit: "4096", "0x1000", "64K", "16M", "2G" (powers of 1024). The whole string must be
 * used. False on anything else or on overflow.
 */
bool parse_size(const char *text, u64 *value);

#endif
