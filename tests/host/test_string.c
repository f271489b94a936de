/*
 * The kernel's own memory and string functions, under other names, against the C library's. The assembly in them is
 * nothing that a sanitizer sees, so all that surrounds the destination is compared as well.
 */
#include <string.h>

#include "lib/string.h"
#include "tap.h"

#undef HOST_TEST
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define strlcpy kernel_strlcpy

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
size_t strlcpy(char *to, const char *from, size_t size);

#include "lib/string.c"

#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strlcpy

#define AREA 256

static u8 ours[AREA], theirs[AREA], source[AREA];

static void areas_fill(void)
{
	for (int i = 0; i < AREA; i++) {
		ours[i] = theirs[i] = (u8)tap_random();
		source[i] = (u8)tap_random();
	}
}

static void areas_compare(void)
{
	expect(memcmp(ours, theirs, AREA) == 0);
}

static void memcpy_every_size_and_alignment(void)
{
	for (size_t n = 0; n <= 80; n++) {
		for (size_t to = 0; to < 9; to++) {
			size_t from = tap_below(9);

			areas_fill();
			expect(kernel_memcpy(ours + 16 + to, source + from, n) == ours + 16 + to);
			memcpy(theirs + 16 + to, source + from, n);
			areas_compare();
		}
	}
}

static void memmove_every_size_and_overlap(void)
{
	for (size_t n = 0; n <= 80; n++) {
		for (size_t to = 0; to < 100; to += tap_between(1, 3)) {
			size_t from = tap_below(100);

			areas_fill();
			expect(kernel_memmove(ours + to, ours + from, n) == ours + to);
			memmove(theirs + to, theirs + from, n);
			areas_compare();
		}
	}
	/* The smallest distances are the hardest. */
	for (size_t n = 0; n <= 80; n++) {
		for (size_t from = 40; from <= 60; from++) {
			areas_fill();
			kernel_memmove(ours + 50, ours + from, n);
			memmove(theirs + 50, theirs + from, n);
			areas_compare();
		}
	}
}

static void memset_every_size_and_alignment(void)
{
	for (size_t n = 0; n <= 80; n++) {
		for (size_t to = 0; to < 9; to++) {
			int byte = (int)tap_random();

			areas_fill();
			expect(kernel_memset(ours + 16 + to, byte, n) == ours + 16 + to);
			memset(theirs + 16 + to, byte, n);
			areas_compare();
		}
	}
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void memcmp_agrees(void)
{
	for (int i = 0; i < 20000; i++) {
		size_t n = tap_below(60), a = tap_below(9), b = tap_below(9);

		areas_fill();
		memcpy(ours + a, source + b, n);
		if (n && !tap_one_in(4))
			ours[a + tap_below(n)] = (u8)tap_random();
		expect_equal(sign(kernel_memcmp(ours + a, source + b, n)), sign(memcmp(ours + a, source + b, n)));
	}
}

/* Few different bytes, so that strings often are equal for a while; some of them are negative as a char. */
static void text_fill(char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		text[i] = "ab\xe4\0"[tap_below(tap_one_in(4) ? 4 : 3)];
	text[size - 1] = 0;
}

static void string_functions_agree(void)
{
	for (int i = 0; i < 50000; i++) {
		size_t size = tap_between(1, 12), n = tap_below(14);
		char *a = malloc(size), *b = malloc(size), copy[16], c = "abc\xe4\0"[tap_below(5)];

		text_fill(a, size);
		text_fill(b, size);
		expect_equal(kernel_strlen(a), strlen(a));
		expect_equal(kernel_strnlen(a, n), strnlen(a, n));
		expect_equal(kernel_strnlen(a, strlen(a)), strlen(a));
		expect_equal(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
		expect_equal(sign(kernel_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		expect(kernel_strchr(a, c) == strchr(a, c));

		memset(copy, '#', sizeof(copy));
		expect_equal(kernel_strlcpy(copy, a, n), strlen(a));
		if (n > 0) {
			expect_equal(strlen(copy), MIN(strlen(a), n - 1));
			expect(strncmp(copy, a, n - 1) == 0);
		}
		expect(copy[n] == '#');
		free(a);
		free(b);
	}
}

static void nocase_is_ascii_only(void)
{
	expect_equal(ascii_lower('A'), 'a');
	expect_equal(ascii_lower('Z'), 'z');
	expect_equal(ascii_lower('@'), '@');
	expect_equal(ascii_lower('['), '[');
	expect_equal(ascii_lower(0xc4), 0xc4);
	expect_equal(ascii_compare_nocase("Kernel32.DLL", "kernel32.dll"), 0);
	expect(ascii_compare_nocase("a", "B") < 0);
	expect(ascii_compare_nocase("b", "A") > 0);
	expect(ascii_compare_nocase("ab", "abc") < 0);
	expect(ascii_compare_nocase("\xe4", "a") > 0);
	expect(ascii_compare_nocase("", "") == 0);
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(memcpy_every_size_and_alignment);
	tap_run(memmove_every_size_and_overlap);
	tap_run(memset_every_size_and_alignment);
	tap_run(memcmp_agrees);
	tap_run(string_functions_agree);
	tap_run(nocase_is_ascii_only);
	return tap_end();
}
