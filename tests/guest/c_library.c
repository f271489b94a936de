/* The C library's most used functions, those of msvcrt.dll and not those that mingw-w64 brings itself. */
#define __USE_MINGW_ANSI_STDIO 0
#include "guest.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <time.h>

static void format_is(const char *expected, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	int length = vsprintf(text, format, args);
	va_end(args);
	ok(!strcmp(text, expected) && length == (int)strlen(expected), "printf \"%s\" gives \"%s\" (got \"%s\")",
	   format, expected, text);
}

static void test_formats(void)
{
	format_is("42 -7 +3", "%d %i %+d", 42, -7, 3);
	format_is("[   42][42   ][00042]", "[%5d][%-5d][%05d]", 42, 42, 42);
	format_is("4294967295 ff FF 0xff 377", "%u %x %X %#x %o", ~0u, 255, 255, 255, 255);
	format_is("18446744073709551615 -9223372036854775808", "%I64u %I64d", ~0ull, (long long)(1ull << 63));
	format_is("123456789012 deadbeefcafe", "%lld %llx", 123456789012ll, 0xdeadbeefcafell);
	format_is("[text][  te][text  ][]", "[%s][%4.2s][%-6s][%s]", "text", "text", "text", "");
	format_is("a % [  b]", "%c %% [%3c]", 'a', 'b');
	format_is("[   12][7  ]", "[%*d][%-*d]", 5, 12, 3, 7);
	format_is("wide", "%S", L"wide");
	format_is("[0012]", "[%.4d]", 12);
	format_is("65535 -1", "%hu %hd", 65535, 65535);
	format_is("3.141593 2.50 -0.001", "%f %.2f %.3f", 3.14159265358979, 2.5, -0.001);
	format_is("[    1.50][1.50    ][00001.50]", "[%8.2f][%-8.2f][%08.2f]", 1.5, 1.5, 1.5);
	format_is("100000 1e-005", "%g %g", 100000.0, 0.00001);
	format_is("0.5 123.456 12345.7", "%g %g %g", 0.5, 123.456, 12345.678);
	format_is("1.234560e+004 1.5e-010", "%e %.1e", 12345.6, 1.5e-10);
	format_is("0 1000000000000000000000", "%.0f %.0f", 0.0, 1e21);
	char text[8];
	memset(text, 'x', sizeof(text));
	is((uint64_t)(int64_t)_snprintf(text, 4, "%d", 123456), ~0ull, "_snprintf of what does not fit gives -1");
	ok(!memcmp(text, "1234xxxx", 8), "and fills its buffer, no more");
}

static int compare_ints(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static void test_numbers(void)
{
	char *end;
	is((uint64_t)strtol("  -123xyz", &end, 10), (uint32_t)-123 | 0xffffffff00000000ull, "strtol");
	ok(!strcmp(end, "xyz"), "stops at what is no digit");
	is(strtoul("0x1fg", &end, 0), 31, "strtoul finds base 16");
	is(strtoul("0777", NULL, 0), 511, "and base 8");
	errno = 0;
	is((uint64_t)strtol("99999999999", NULL, 10), 0x7fffffff, "a number too large gives LONG_MAX");
	is((uint64_t)errno, ERANGE, "and ERANGE");
	ok(strtod("1.5e3", &end) == 1500.0 && *end == 0, "strtod");
	ok(atoi("77") == 77 && atof("0.25") == 0.25, "atoi, atof");
	int a = 0, b = 0;
	char word[16];
	ok(sscanf("12 0x1f name", "%d %x %15s", &a, &b, word) == 3 && a == 12 && b == 31 && !strcmp(word, "name"),
	   "sscanf");

	static int numbers[1000];
	for (int i = 0; i < 1000; i++)
		numbers[i] = (int)(random_next() % 5000) - 2500;
	qsort(numbers, 1000, sizeof(numbers[0]), compare_ints);
	bool sorted = true;
	for (int i = 1; i < 1000; i++)
		sorted &= numbers[i - 1] <= numbers[i];
	ok(sorted, "qsort");
	int *found = bsearch(&numbers[500], numbers, 1000, sizeof(numbers[0]), compare_ints);
	ok(found && *found == numbers[500], "bsearch");
	ok(abs(-3) == 3 && labs(-4) == 4, "abs, labs");
}

static void test_strings(void)
{
	char text[64] = "one";
	strcat(text, ",two");
	ok(!strcmp(text, "one,two") && strlen(text) == 7, "strcat, strlen");
	ok(strchr(text, ',') == text + 3 && strrchr(text, 'o') == text + 6 && !strchr(text, 'z'), "strchr, strrchr");
	ok(strstr(text, "two") == text + 4 && !strstr(text, "three"), "strstr");
	ok(strcmp("a", "b") < 0 && strncmp("abc", "abd", 2) == 0 && _stricmp("ABC", "abc") == 0,
	   "strcmp, strncmp, _stricmp");
	char *word = strtok(text, ",");
	ok(word && !strcmp(word, "one") && !strcmp(strtok(NULL, ","), "two") && !strtok(NULL, ","), "strtok");
	memcpy(text, "0123456789", 11);
	memmove(text + 2, text, 8);
	ok(!strcmp(text, "0101234567"), "memmove over itself");
	ok(memchr(text, '5', 10) == text + 7 && memcmp("abc", "abd", 3) < 0, "memchr, memcmp");
	ok(strspn("aabbc", "ab") == 4 && strcspn("xyz,", ",") == 3 && strpbrk("key=value", "=:"),
	   "strspn, strcspn, strpbrk");
	ok(toupper('q') == 'Q' && tolower('Q') == 'q' && isdigit('7') && !isalpha('7') && isspace('\t') &&
		   isxdigit('f'),
	   "ctype");
	char *copy = _strdup("duplicate");
	ok(copy && !strcmp(copy, "duplicate"), "_strdup");
	free(copy);
	ok(wcslen(L"wide") == 4 && !wcscmp(L"a", L"a"), "wcslen, wcscmp");
}

static void test_memory(void)
{
	char *p = malloc(100), *q;
	bool zero = true;
	memset(p, 1, 100);
	q = realloc(p, 100000);
	ok(q && q[99] == 1, "malloc, realloc");
	free(q);
	q = calloc(1000, 7);
	for (int i = 0; i < 7000; i++)
		zero &= q[i] == 0;
	ok(zero, "calloc");
	free(q);
	free(NULL);
	volatile size_t many = (size_t)1 << 60; /* volatile: the compiler would warn */
	ok(calloc(many, 64) == NULL, "calloc of more than a size can hold is refused");
}

static void test_math(void)
{
	volatile double two = 2.0;
	ok(fabs(sqrt(two) - 1.4142135623730951) < 1e-15, "sqrt");
	ok(pow(two, 10.0) == 1024.0 && floor(-2.5) == -3.0 && ceil(2.1) == 3.0 && fabs(-1.0) == 1.0,
	   "pow, floor, ceil, fabs");
	ok(fabs(sin(1.0) - 0.8414709848078965) < 1e-12 && fabs(cos(1.0) - 0.5403023058681398) < 1e-12, "sin, cos");
	ok(fabs(exp(1.0) - 2.718281828459045) < 1e-12 && fabs(log(10.0) - 2.302585092994046) < 1e-12, "exp, log");
}

static void test_time(void)
{
	time_t now = time(NULL);
	ok(now > 1600000000, "time (%lld)", (long long)now);
	clock_t start = clock();
	Sleep(30);
	ok(clock() - start >= 20 * CLOCKS_PER_SEC / 1000, "clock");
	LARGE_INTEGER a, b, frequency;
	QueryPerformanceFrequency(&frequency);
	QueryPerformanceCounter(&a);
	Sleep(30);
	QueryPerformanceCounter(&b);
	is_within((uint64_t)((b.QuadPart - a.QuadPart) * 1000 / frequency.QuadPart), 25, 5000,
		  "Sleep(30) takes 30 ms or more");
	ok(getenv("SystemRoot") != NULL, "getenv");
}

int main(void)
{
	test_formats();
	test_numbers();
	test_strings();
	test_memory();
	test_math();
	test_time();
	memory_is_consistent();
	return tap_end();
}
