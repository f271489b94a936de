/* PE headers damaged at random, cut off at every length, or given in part. */
#include "pe_world.h"

#define FUZZ_ROUNDS 100000

static u64 raw_data_end(const u8 *f)
{
	const u8 *pe = f + get32(f + 0x3c);
	const u8 *table = pe + 24 + (get32(pe + 20) & 0xffff);
	u32 count = get32(pe + 4) >> 16;
	u64 end = 0;

	for (u32 i = 0; i < count; i++, table += 40) {
		if (get32(table + 16) && get32(table + 20))
			end = MAX(end, (u64)get32(table + 16) + get32(table + 20));
	}
	return end;
}

static void truncated_at_every_length(const u8 *f, size_t size)
{
	u64 end = raw_data_end(f);

	expect(end > PE_HEADERS_MAX && end <= size);
	for (size_t n = 0; n <= size; n++)
		expect_equal(parse_and_check(f, MIN(n, PE_HEADERS_MAX), n), n < end ? PE_TRUNCATED : PE_OK);
}

static void exe_truncated_at_every_length(void)
{
	truncated_at_every_length(exe, exe_size);
}

static void dll_truncated_at_every_length(void)
{
	truncated_at_every_length(dll, dll_size);
}

/* Too few of the headers are given, of a file that is whole: it says how many it needs, and means it. */
static void asks_for_the_bytes_it_needs(void)
{
	u64 table_end = get32(exe + 0x3c) + 24 + 240 + 40 * (get32(exe + get32(exe + 0x3c) + 4) >> 16);

	for (size_t n = 0; n <= 2000; n++) {
		size_t need = n;
		int rounds = 0;

		while (parse(exe, need, exe_size, &need) != PE_OK) {
			expect(need > n && ++rounds <= 7);
			expect_equal(parse_and_check(exe, need - 1, exe_size), PE_TRUNCATED);
		}
		expect(n >= table_end || rounds > 0);
		expect_equal(parse(exe, n, exe_size, NULL), n < table_end ? PE_TRUNCATED : PE_OK);
	}
}

/* Changes 1 to 4 fields in the headers: to anything, to a number that is an edge, or by a little. */
static void headers_mutate(u8 *f, size_t size)
{
	static const u64 edges[] = { 0, 1, 7, 8, 0xff, 0x200, 0xfff, 0x1000, 0x7fff, 0x8000, 0xffff, 0x10000,
				     0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff };

	for (u64 i = tap_between(1, 4); i > 0; i--) {
		size_t width = 1ull << tap_below(3), at = tap_below(size - width + 1);
		u64 value = 0;

		/* The bytes between the DOS header's ends say nothing, so they are taken seldom. */
		if (at < 0x80 && at != 0x3c && !tap_one_in(8))
			at = 0x3c;
		memcpy(&value, f + at, width);
		switch (tap_below(4)) {
		case 0: value = tap_random(); break;
		case 1: value = edges[tap_below(ARRAY_SIZE(edges))]; break;
		case 2: value += tap_between(0, 16) - 8; break;
		case 3: value ^= 1ull << tap_below(width * 8); break;
		}
		memcpy(f + at, &value, width);
	}
}

static void fuzz(const u8 *bytes, size_t file_size, u64 rounds)
{
	size_t size = MIN(file_size, 0x600); /* the headers and little more */
	u64 passed = 0, results[PE_BAD_RELOCATION + 1] = { 0 };
	u8 f[0x600];

	for (u64 i = 0; i < rounds; i++) {
		enum pe_error e;

		memcpy(f, bytes, size);
		headers_mutate(f, size);
		e = parse_and_check(f, tap_one_in(4) ? tap_below(size + 1) : size,
				    tap_one_in(4) ? tap_below(file_size) : file_size);
		results[e]++;
		passed += e == PE_OK;
	}
	/* The damage is neither always nor never found, and every kind of it is seen, but for signatures that chance can't hit. */
	expect(passed > rounds / 100 && passed < rounds);
	for (u32 e = 0; e <= PE_BAD_RELOCATION; e++) {
		if (results[e] == 0 && e != PE_NE && e != PE_LE && e != PE_WINDOWS_16 && e != PE_WINDOWS_32)
			tap_fail(__FILE__, __LINE__, "never seen: %s", pe_error_text(e));
	}
}

static void fuzz_exe(void)
{
	fuzz(exe, exe_size, FUZZ_ROUNDS);
}

static void fuzz_dll(void)
{
	fuzz(dll, dll_size, FUZZ_ROUNDS);
}

static void fuzz_built_image(void)
{
	u8 f[FILE_SIZE];

	image_build(f);
	fuzz(f, FILE_SIZE, FUZZ_ROUNDS);
}

static void fuzz_noise(void)
{
	u8 f[1024];

	for (u64 i = 0; i < FUZZ_ROUNDS / 8; i++) {
		for (size_t at = 0; at < sizeof(f); at += 8)
			put64(f + at, tap_random());
		memcpy(f, "MZ", 2);
		put32(f + 0x3c, tap_below(600));
		if (tap_one_in(2))
			memcpy(f + get32(f + 0x3c), "PE\0\0\x64\x86", 6);
		parse_and_check(f, tap_below(sizeof(f) + 1), sizeof(f));
	}
}

int main(int argc, char **argv)
{
	tap_begin(argc, argv);
	tap_run(samples_load);
	tap_run(exe_truncated_at_every_length);
	tap_run(dll_truncated_at_every_length);
	tap_run(asks_for_the_bytes_it_needs);
	tap_run(fuzz_exe);
	tap_run(fuzz_dll);
	tap_run(fuzz_built_image);
	tap_run(fuzz_noise);
	samples_free();
	return tap_end();
}
