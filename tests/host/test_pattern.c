/* Patterns of names: each wildcard, its edges, and random ones beside a matcher that tries all ways. */
#include "tap.h"

#include <string.h>

#include "io/fat_path.h"

#define NAME_BYTES 64

static u32 units(const char *text, u16 *to)
{
	u32 n = 0;

	for (; *text; text++)
		to[n++] = (u8)*text;
	return n;
}

static bool matches(const char *pattern, const char *name)
{
	u16 p[300], n[300];
	u32 length = units(pattern, p);

	return fat_name_matches(p, length, n, units(name, n));
}

static void each_wildcard(void)
{
	static const struct {
		const char *pattern, *yes, *no; /* names, with a blank behind each */
	} cases[] = {
		{ "*", "a a.b .x a.b.c ", "" },
		{ "a", "a A ", "b aa .a " },
		{ "*.txt", "a.txt .txt a.b.TXT ", "txt a.txt2 a.txt.b " },
		{ "a*c*e", "ace abcde aecee ", "ac aceb bace " },
		{ "?", "a . ", "ab " },
		{ "a?c", "abc a.c ", "ac abbc " },
		{ "<", "a ab ", "a.b .a a.b.c " },           /* "*.": what has no suffix */
		{ "<.txt", "a.txt a.b.txt .txt ", "a.txt.b txt " },
		{ "<.c", "x.c x.y.c ", "x.c.y " },
		{ "a>", "a ab a ", "abc a.b " },
		{ "a>>.c", "a.c ab.c abc.c ", "abcd.c a.d " },
		{ ">>>", "a ab abc ", "abcd a.b " },
		{ "a\"", "a a. ", "ab a.b " },
		{ "a\"*", "a a. a.b a.b.c ", "ab b " },      /* "a.*" */
		{ "\xe4*", "\xc4x \xe4 ", "a " },
		{ "****x", "x abx ", "y xa " },
	};

	for (u32 i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (u32 side = 0; side < 2; side++) {
			const char *at = side ? cases[i].no : cases[i].yes, *blank;

			for (; (blank = strchr(at, ' ')); at = blank + 1) {
				char name[NAME_BYTES] = "";

				memcpy(name, at, (size_t)(blank - at));
				if (matches(cases[i].pattern, name) == (side == 0))
					continue;
				tap_note("pattern %s, name %s", cases[i].pattern, name);
				expect(false);
			}
		}
	}
	expect(matches("", "") && !matches("", "a") && matches("*", "") && matches("<>\"*", "") && !matches("?", ""));
}

/* The same by trying: what the documentation says, word by word. */
static bool tried(const char *p, const char *n, const char *last_dot)
{
	if (!*p)
		return !*n;
	switch (*p) {
	case '*':
		return tried(p + 1, n, last_dot) || (*n && tried(p, n + 1, last_dot));
	case '<':
		return tried(p + 1, n, last_dot) || (*n && n != last_dot && tried(p, n + 1, last_dot));
	case '?':
		return *n && tried(p + 1, n + 1, last_dot);
	case '>':
		return !*n || *n == '.' ? tried(p + 1, n, last_dot) : tried(p + 1, n + 1, last_dot);
	case '"':
		return (*n == '.' && tried(p + 1, n + 1, last_dot)) || (!*n && tried(p + 1, n, last_dot));
	default:
		return *n == *p && tried(p + 1, n + 1, last_dot);
	}
}

static void random_patterns(void)
{
	u32 wrong = 0, yes = 0;

	for (u32 i = 0; i < 200000; i++) {
		char pattern[10] = "", name[10] = "";

		for (u64 k = tap_below(8); k--;)
			pattern[k] = "ab.*?<>\"a."[tap_below(10)];
		for (u64 k = tap_below(8); k--;)
			name[k] = "ab.."[tap_below(4)];
		yes += matches(pattern, name);
		if (matches(pattern, name) != tried(pattern, name, strrchr(name, '.')) && !wrong++)
			tap_note("pattern %s, name %s", pattern, name);
	}
	expect_equal(wrong, 0);
	expect(yes > 1000);
}

/* Stars that all could take any part: no more work than for others. */
static void long_patterns(void)
{
	char pattern[256], name[256];

	memset(pattern, '*', 255);
	memset(name, 'a', 255);
	pattern[255] = name[255] = 0;
	for (u32 i = 1; i < 255; i += 2)
		pattern[i] = 'a';
	expect(matches(pattern, name));
	pattern[254] = 'b';
	expect(!matches(pattern, name));
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(each_wildcard);
	tap_run(random_patterns);
	tap_run(long_patterns);
	return tap_end();
}
