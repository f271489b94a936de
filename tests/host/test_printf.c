/* ksnprintf against the C library's snprintf, and parse_size. */
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#include "lib/string.h"
#include "tap.h"

#define AREA 300

/* Both print into a buffer of this size; what is behind it has to stay. */
static void printf_like(2, 3) agree(size_t size, const char *fmt, ...)
{
	char ours[AREA], theirs[AREA];
	int our_length, their_length;
	va_list ap;

	memset(ours, '~', sizeof(ours));
	memset(theirs, '~', sizeof(theirs));
	va_start(ap, fmt);
	our_length = kvsnprintf(ours, size, fmt, ap);
	va_end(ap);
	va_start(ap, fmt);
	their_length = vsnprintf(theirs, size, fmt, ap);
	va_end(ap);
	if (our_length != their_length || memcmp(ours, theirs, AREA) != 0)
		tap_fail(__FILE__, __LINE__, "\"%s\", size %zu: \"%.*s\" (%d), expected \"%.*s\" (%d)", fmt, size, AREA,
			 ours, our_length, AREA, theirs, their_length);
}

static void conversions_agree_with_c(void)
{
	agree(100, "plain");
	agree(100, "%d %i %u %x %X %o %%", -5, 7, 8u, 0xbeefu, 0xbeefu, 8u);
	agree(100, "%hhd %hd %ld %lld %zd %jd", 300, 70000, LONG_MIN, LLONG_MIN, (ssize_t)-1, INTMAX_MIN);
	agree(100, "%hhu %hu %lu %llu %zu %ju", 300, 70000, ULONG_MAX, ULLONG_MAX, SIZE_MAX, UINTMAX_MAX);
	agree(100, "[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, 42, 42, 42);
	agree(100, "[%.*d] [%.*d] [%.0u] [%#.0o]", 0, 0, 0, 7, 0u, 0u);
	agree(100, "[%5s] [%-5s] [%.2s] [%.0s] [%c]", "abc", "abc", "abc", "abc", 'x');
	agree(100, "[%*d] [%*d] [%.*d] [%.*d]", 6, 1, -6, 1, 3, 1, -3, 1);
	agree(100, "[%#x] [%#X] [%#o] [%#x] [%#o]", 255u, 255u, 8u, 0u, 0u);
	agree(100, "[%p]", (void *)0xffff800000001000);
	agree(100, "[%c%c]", 0, 'a');
}

static void truncates_like_c(void)
{
	for (size_t size = 0; size < 20; size++) {
		agree(size, "%s-%5d-%x", "abc", 12, 0xffu);
		agree(size, "%10s", "a");
		agree(size, "%-10d|", 3);
	}
	expect_equal(ksnprintf(NULL, 0, "%s", "four"), 4);
}

static void beyond_c(void)
{
	const char *volatile nothing = NULL; /* volatile: the compiler would complain */
	char text[64];

	ksnprintf(text, sizeof(text), "%s", nothing);
	expect_text(text, "(null)");
	ksnprintf(text, sizeof(text), "%p", NULL);
	expect_text(text, "0x0");
}

/* A panic message is no place for undefined behaviour. */
static void unknown_conversions_are_shown(void)
{
	static const char *const formats[] = { "a%yb", "%-08ly", "100%", "%5", "%.", "%l", "%%%", "%hhq" };
	static const char *const texts[] = { "a%yb", "%-08ly", "100%", "%5", "%.", "%l", "%%", "%hhq" };
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const char *volatile fmt = formats[i]; /* the compiler shall not check it */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-security"
		ksnprintf(text, sizeof(text), fmt);
#pragma GCC diagnostic pop
		expect_text(text, texts[i]);
	}
}

/* Lengths beyond what an int holds neither hang nor wrap. */
static void enormous_widths(void)
{
	volatile int most = INT_MAX, least = INT_MIN; /* volatile: the compiler would complain */
	char text[8];

	expect_equal(ksnprintf(text, sizeof(text), "%*d%*d", most, 1, least, 2), INT_MAX);
	expect_text(text, "       ");
	expect_equal(ksnprintf(text, sizeof(text), "%.*d", most, 1), INT_MAX);
	expect_text(text, "0000000");
}

static void conversion_append(char *fmt, const char *conversions)
{
	size_t n = strlen(fmt);

	fmt[n] = conversions[tap_below(strlen(conversions))];
	fmt[n + 1] = 0;
}

/* Flags, width, precision: any. A few are undefined in C for some conversions and are left out there. */
static void spec_build(char *fmt, const char *flags, bool precision)
{
	strcpy(fmt, "<%");
	for (u64 i = tap_below(5); i > 0; i--)
		conversion_append(fmt, flags);
	if (tap_one_in(2))
		sprintf(fmt + strlen(fmt), "%d", (int)tap_between(1, 30));
	if (precision && tap_one_in(2))
		sprintf(fmt + strlen(fmt), ".%d", (int)tap_below(30));
}

static u64 interesting_number(void)
{
	u64 n = tap_random() >> tap_below(64);

	return tap_one_in(8) ? 0 : tap_one_in(3) ? -n : n;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void random_formats_agree_with_c(void)
{
	static const char *const lengths[] = { "hh", "h", "", "l", "ll", "z", "j" };

	for (int i = 0; i < 60000; i++) {
		char fmt[40], text[8] = "abcdefg";
		u64 number = interesting_number();
		size_t length = tap_below(ARRAY_SIZE(lengths)), size = tap_one_in(4) ? tap_below(40) : AREA;
		bool is_signed = tap_one_in(2);

		switch (tap_below(4)) {
		case 0:
			spec_build(fmt, "-", true);
			strcat(fmt, "s>");
			text[tap_below(sizeof(text))] = 0;
			agree(size, fmt, text);
			break;
		case 1:
			spec_build(fmt, "-", false);
			strcat(fmt, "c>");
			agree(size, fmt, (int)(u8)number);
			break;
		default:
			spec_build(fmt, is_signed ? "-0+ " : "-0", true);
			if (!is_signed && tap_one_in(3))
				memmove(fmt + 3, fmt + 2, strlen(fmt + 2) + 1), fmt[2] = '#';
			strcat(fmt, lengths[length]);
			if (is_signed)
				conversion_append(fmt, "di");
			else
				conversion_append(fmt, fmt[2] == '#' ? "xXo" : "uxXo");
			strcat(fmt, ">");
			if (length < 3)
				agree(size, fmt, (int)number);
			else
				agree(size, fmt, number);
		}
	}
}
#pragma GCC diagnostic pop

static void parse_size_good(void)
{
	static const struct {
		const char *text;
		u64 value;
	} cases[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "010", 10 },
		{ "0x1000", 4096 },
		{ "0XaBcDeF", 0xabcdef },
		{ "64K", KIB(64) },
		{ "16m", MIB(16) },
		{ "2G", GIB(2) },
		{ "0x10K", KIB(16) },
		{ "18446744073709551615", ~0ull },
		{ "0xffffffffffffffff", ~0ull },
		{ "0x00000000000000000001", 1 },
		{ "18014398509481983K", KIB(18014398509481983) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 value = 77;

		if (!parse_size(cases[i].text, &value) || value != cases[i].value)
			tap_fail(__FILE__, __LINE__, "\"%s\" gives %llu", cases[i].text, (unsigned long long)value);
	}
}

static void parse_size_bad(void)
{
	static const char *const cases[] = {
		"", "K", "0x", "0xK", "x10", " 1", "1 ", "-1", "+1", "1KB", "1KK", "1T", "12a", "0x1g2", "1.5G",
		"18446744073709551616", "0x10000000000000000", "99999999999999999999", "18014398509481984K",
		"17592186044416M", "17179869184G",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 value = 77;

		if (parse_size(cases[i], &value) || value != 77)
			tap_fail(__FILE__, __LINE__, "\"%s\" gives %llu", cases[i], (unsigned long long)value);
	}
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(conversions_agree_with_c);
	tap_run(truncates_like_c);
	tap_run(beyond_c);
	tap_run(unknown_conversions_are_shown);
	tap_run(enormous_widths);
	tap_run(random_formats_agree_with_c);
	tap_run(parse_size_good);
	tap_run(parse_size_bad);
	return tap_end();
}
