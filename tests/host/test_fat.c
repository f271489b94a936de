/* The FAT32 code on good volumes: finding, listing and reading files; paths, names and times. */
#include <string.h>

#include "fat_world.h"

static void files_are_found_and_read(void)
{
	world_begin();
	cache_fill();
	for (u32 i = 0; i < FILES; i++) {
		expect_file(expected[i].path, &expected[i]);
		expect_file(expected[i].typed, &expected[i]);
	}
	for (u32 i = 0; i < MANY; i++) {
		char path[64];
		struct expected e = { path, path, i, 100 + i, 0x20 };

		snprintf(path, sizeof(path), "\\many\\file number %u.txt", i);
		expect_file(path, &e);
	}
	expect_equal(allocations, baseline);
}

static void what_is_not_there_is_refused(void)
{
	static const struct {
		const char *path;
		enum file_status status;
	} cases[] = {
		{ "\\nothing", FILE_NOT_FOUND },
		{ "\\many\\nothing", FILE_NOT_FOUND },
		{ "\\nothing\\at all", FILE_PATH_NOT_FOUND },
		{ "\\HELLO.TXT\\x", FILE_PATH_NOT_FOUND },
		{ "\\TEST", FILE_NOT_FOUND }, /* the volume's label */
		{ "HELLO.TXT", FILE_BAD_NAME },
		{ "", FILE_BAD_NAME },
		{ "\\a:b", FILE_BAD_NAME },
		{ "\\what?", FILE_BAD_NAME },
		{ "\\\xff", FILE_BAD_NAME },
		{ "\\\x01", FILE_BAD_NAME },
	};
	struct file *f;

	world_begin();
	cache_fill();
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++)
		if (file_open(cases[i].path, &f) != cases[i].status)
			tap_fail(__FILE__, __LINE__, "wrong status for %s", cases[i].path);
	expect_equal(allocations, baseline);
}

static void one_file_has_one_struct(void)
{
	struct file *a, *b, *c;
	u64 got;

	world_begin();
	cache_fill();
	expect_equal(file_open("\\big.bin", &a), FILE_OK);
	expect_equal(file_open("/BIG.BIN", &b), FILE_OK);
	expect(a == b);
	expect_equal(a->refs, 2);
	expect_equal(file_open("\\empty", &c), FILE_OK);
	expect(c != a);
	file_unref(c);
	file_unref(a);
	file_ref(b);
	file_unref(b);
	file_unref(b);
	expect_equal(file_open("\\", &a), FILE_OK);
	expect_text(a->path, "\\");
	expect_equal(a->attributes, FILE_ATTRIBUTE_DIRECTORY_);
	expect_equal(file_read(a, 0, &got, 1, &got), FILE_IS_DIRECTORY);
	expect_equal(file_open("\\many\\..\\..", &b), FILE_OK);
	expect(a == b);
	file_unref(a);
	file_unref(b);
	expect_equal(allocations, baseline);
}

static void directories_are_listed(void)
{
	struct file_entry *e = kmalloc(sizeof(*e));
	char seen[MANY] = { 0 };
	struct file *f;
	u32 n, found = 0, slot;

	world_begin();
	expect_equal(file_open("\\many", &f), FILE_OK);
	for (n = slot = 0; file_list(f, &slot, e) == FILE_OK; n++) {
		unsigned number;

		if (sscanf(e->name, "file number %u.txt", &number) != 1) {
			expect(n < 2 && (!strcmp(e->name, ".") || !strcmp(e->name, "..")));
			expect_equal(e->attributes & FILE_ATTRIBUTE_DIRECTORY_, FILE_ATTRIBUTE_DIRECTORY_);
			continue;
		}
		expect(number < MANY && !seen[number]++);
		expect_equal(e->size, number);
		expect_equal(e->modified_unix, MODIFIED);
	}
	expect_equal(n, MANY + 2);
	expect_equal(file_list(f, &slot, e), FILE_END);
	for (u32 i = 0; i < 500; i++) { /* any order gives the same */
		u32 start = tap_below(slot + 4), first = start, second = start;
		char again[sizeof(e->name)];
		bool there = file_list(f, &first, e) == FILE_OK;

		strcpy(again, e->name);
		expect_equal(file_list(f, &second, e), there ? FILE_OK : FILE_END);
		expect_equal(first, second);
		if (there)
			expect_text(e->name, again);
	}
	file_unref(f);
	expect_equal(file_open("\\", &f), FILE_OK);
	for (n = slot = 0; file_list(f, &slot, e) == FILE_OK; n++)
		for (u32 i = 0; i < FILES; i++)
			found += !strcmp(e->name, expected[i].path + 1);
	expect_equal(n, 12);
	expect_equal(found, 10);
	file_unref(f);
	expect_equal(file_open("\\empty", &f), FILE_OK);
	slot = 0;
	expect_equal(file_list(f, &slot, e), FILE_NOT_DIRECTORY);
	file_unref(f);
	kfree(e);
}

/* Frames that are not in order. */
#define PAGES 80
static u8 *pages;

static void pages_expect(struct file *f, u64 offset, u64 limit, u32 count, u32 seed)
{
	u64 phys[PAGES], end = MIN(limit, f->size);
	u32 first = tap_below(PAGES);

	for (u32 i = 0; i < count; i++)
		phys[i] = virt_to_phys(pages + (first + i * 37) % PAGES * PAGE_SIZE);
	memset(pages, 0xee, PAGES * PAGE_SIZE);
	expect_equal(image_read_pages(f, offset, limit, phys, count), FILE_OK);
	for (u32 i = 0; i < count; i++) {
		u64 start = offset + i * PAGE_SIZE, valid = start < end ? MIN(end - start, PAGE_SIZE) : 0;
		u8 *page = phys_to_virt(phys[i]);

		expect_contents(page, start, valid, seed);
		for (u64 k = valid; k < PAGE_SIZE; k++)
			expect_equal(page[k], 0);
	}
	for (u32 i = count; i < PAGES; i++) /* and no others were written */
		expect_equal(pages[(first + i * 37) % PAGES * PAGE_SIZE + 99], 0xee);
}

static void read_at_random(const struct expected *e, u32 rounds)
{
	u8 *bytes = kmalloc(KMALLOC_MAX);
	struct file *f;
	u64 got;

	if (!pages)
		pages = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
	expect_equal(file_open(e->path, &f), FILE_OK);
	for (u32 i = 0; i < rounds; i++) {
		u64 offset = tap_below(e->size + 10), n = tap_below(tap_one_in(2) ? 600 : KMALLOC_MAX),
		    skew = tap_below(64);

		n = MIN(n, KMALLOC_MAX - skew);
		memset(bytes, 0xcc, KMALLOC_MAX);
		expect_equal(file_read(f, offset, bytes + skew, n, &got), FILE_OK);
		expect_equal(got, offset < e->size ? MIN(n, e->size - offset) : 0);
		expect_contents(bytes + skew, offset, got, e->seed);
		expect(skew + got == KMALLOC_MAX || bytes[skew + got] == 0xcc);

		offset = tap_below(e->size + 10000);
		if (!tap_one_in(4))
			offset = ALIGN_DOWN(offset, SECTOR_SIZE);
		pages_expect(f, offset, tap_one_in(2) ? ~0ull : tap_below(e->size + 10000), tap_between(1, PAGES),
			     e->seed);
	}
	file_unref(f);
	kfree(bytes);
}

static void any_range_is_read(void)
{
	world_begin();
	for (u32 i = 0; i < FILES; i++)
		read_at_random(&expected[i], 30);
}

static void requests_are_large(void)
{
	u64 phys[PAGES], got, before;
	struct file *f;
	u8 *bytes;

	world_begin();
	bytes = aligned_alloc(PAGE_SIZE, MIB(1));
	expect_equal(file_open("\\big.bin", &f), FILE_OK);
	expect_equal(f->run_count, 1);
	before = requests;
	expect_equal(file_read(f, 0, bytes, MIB(1), &got), FILE_OK);
	expect_equal(got, MIB(1));
	expect_equal(requests, before + 1);
	for (u32 i = 0; i < PAGES; i++) /* no two neighbours are contiguous */
		phys[i] = virt_to_phys(bytes + i * 7 % PAGES * PAGE_SIZE);
	before = requests;
	expect_equal(image_read_pages(f, 512, ~0ull, phys, 64), FILE_OK);
	expect_equal(requests, before + 1);
	expect_equal(image_read_pages(f, 0, 0, phys, 64), FILE_OK);
	expect_equal(image_read_pages(f, MIB(1), ~0ull, phys, 64), FILE_OK);
	expect_equal(requests, before + 1);
	for (u32 i = 0; i < PAGES; i++) /* all are: more than 64 pages in one */
		phys[i] = virt_to_phys(bytes + i * PAGE_SIZE);
	expect_equal(image_read_pages(f, 4096, ~0ull, phys, PAGES), FILE_OK);
	expect_equal(requests, before + 2);
	file_unref(f);
	free(bytes);
}

/* A file that is contiguous is laid out anew: its clusters backwards, or in a random order. For good. */
static void scatter(const char *path, bool backwards)
{
	u32 bytes = cluster_bytes(), count, first, *order;
	struct file *f;
	u8 *copy;

	expect_equal(file_open(path, &f), FILE_OK);
	first = f->first_cluster;
	count = DIV_UP(f->size, bytes);
	expect_equal(f->run_count, 1);
	file_unref(f);
	order = malloc(count * sizeof(*order));
	copy = malloc(count * bytes);
	memcpy(copy, image + cluster_at(first), count * bytes);
	for (u32 i = 0; i < count; i++)
		order[i] = i == 0 ? 0 : backwards ? count - i : i; /* the directory knows the first one: it stays */
	for (u32 i = count - 1; !backwards && i > 1; i--) {
		u32 k = tap_between(1, i), old = order[i];

		order[i] = order[k];
		order[k] = old;
	}
	for (u32 i = 0; i < count; i++) {
		u32 next = i + 1 < count ? first + order[i + 1] : 0x0fffffff;

		memcpy(image + cluster_at(first + order[i]), copy + i * bytes, bytes);
		memcpy(image + fat_entry_at(first + order[i]), &next, 4);
	}
	free(copy);
	free(order);
}

static void fragmented_files_are_read(void)
{
	struct file *f;

	world_begin();
	scatter("\\big.bin", false);
	scatter("\\Sub Directory\\nested\\deep.bin", true);
	world_begin();
	cache_fill();
	expect_equal(file_open("\\big.bin", &f), FILE_OK);
	expect(f->run_count > 100);
	file_unref(f);
	expect_file("\\big.bin", &expected[BIG]);
	read_at_random(&expected[BIG], 100);
	expect_file("\\Sub Directory\\nested\\deep.bin", &expected[DEEP]);
	read_at_random(&expected[DEEP], 100);
	expect_equal(allocations, baseline);
}

static void paths_are_normalized(void)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "\\", "\\" },
		{ "/", "\\" },
		{ "//a//b/", "\\a\\b" },
		{ "\\a\\.\\b\\..\\c", "\\a\\c" },
		{ "\\..\\..\\a", "\\a" },
		{ "\\a\\..", "\\" },
		{ "\\a...\\..b", "\\a...\\..b" },
	};
	char out[FILE_PATH_MAX], path[FILE_PATH_MAX * 2];

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		expect_equal(path_normalize(cases[i].from, out), FILE_OK);
		expect_text(out, cases[i].to);
	}
	for (u32 length = 1; length < sizeof(path); length++) { /* components of 99 */
		bool fits = length + 1 <= FILE_PATH_MAX;

		memset(path, 'x', length);
		path[length] = 0;
		for (u32 i = 0; i < length; i += 100)
			path[i] = '/';
		fits = fits || (length % 100 == 1 && length <= FILE_PATH_MAX); /* a separator at the end goes */
		expect_equal(path_normalize(path, out), fits ? FILE_OK : FILE_BAD_NAME);
	}
	memset(path, 'x', 300);
	path[0] = '\\';
	path[256] = 0;
	expect_equal(path_normalize(path, out), FILE_OK);
	path[256] = 'x';
	path[257] = 0;
	expect_equal(path_normalize(path, out), FILE_BAD_NAME);
}

static void utf_is_converted(void)
{
	static const char *const bad[] = { "\x80",
					   "\xc0\xaf",
					   "\xc3",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xf8\x88\x80\x80\x80",
					   "\xf0\x9f\x98",
					   "\xc3(" };
	u16 units[16];
	char text[64];

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		expect_equal(utf8_to_utf16(bad[i], strlen(bad[i]), units, 16), -1);
	expect_equal(utf8_to_utf16("a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", 10, units, 16), 5);
	expect(units[0] == 'a' && units[1] == 0xe9 && units[2] == 0x65e5 && units[3] == 0xd83d && units[4] == 0xde00);
	expect_equal(utf16_to_utf8(units, 5, text, sizeof(text)), 10);
	expect_text(text, "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80");
	expect_equal(utf16_to_utf8(units, 5, text, 11), 10);
	expect_equal(utf16_to_utf8(units, 5, text, 10), -1);
	expect_equal(utf8_to_utf16("a\xf0\x9f\x98\x80", 5, units, 2), -1);
	units[0] = 0xde00;
	units[1] = 0xd83d;
	expect_equal(utf16_to_utf8(units, 2, text, sizeof(text)), 6);
	expect_text(text, "\xef\xbf\xbd\xef\xbf\xbd");
	for (u32 c = 1; c < 0x110000; c++) { /* there and back */
		u16 pair[2] = { c, 0 };
		u32 n = 1;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		if (c >= 0x10000) {
			pair[0] = 0xd800 + ((c - 0x10000) >> 10);
			pair[1] = 0xdc00 + (c & 0x3ff);
			n = 2;
		}
		expect(utf16_to_utf8(pair, n, text, sizeof(text)) > 0);
		expect_equal(utf8_to_utf16(text, strlen(text), units, 16), n);
		expect(memcmp(units, pair, n * 2) == 0);
	}
}

static void times_are_converted(void)
{
	expect_equal(fat_time_unix(0x0021, 0), 315532800); /* 1980-01-01 */
	expect_equal(fat_time_unix(40 << 9 | 2 << 5 | 29, 23 << 11 | 59 << 5 | 29), 1583020798);
	expect_equal(fat_time_unix(127 << 9 | 12 << 5 | 31, 0), 4354732800); /* 2107-12-31 */
	expect_equal(fat_time_unix(0, 0), 0);
	expect_equal(fat_time_unix(0x0021, 0xffff), 0);
	for (u32 i = 0; i < 20000; i++) { /* there and back; moments that can't be written become the nearest that can */
		u64 moment = tap_between(315532800, 4354819199);
		u16 date, time;

		fat_time_from_unix(moment, &date, &time);
		expect_equal(fat_time_unix(date, time), ALIGN_DOWN(moment, 2));
		fat_time_from_unix(tap_below(315532800), &date, &time);
		expect_equal(fat_time_unix(date, time), 315532800);
		fat_time_from_unix(tap_between(4354819200, ~0ull), &date, &time);
		expect_equal(fat_time_unix(date, time), 4354819198);
	}
}

int main(int argc, char **argv)
{
	static const char *const images[] = { "fat_512.img", "fat_1024.img" }; /* sectors of 512 and of 1024 bytes */

	tap_begin(argc, argv);
	for (u32 i = 0; i < ARRAY_SIZE(images); i++) {
		world_image(argv[0], images[i]);
		tap_run(files_are_found_and_read);
		tap_run(what_is_not_there_is_refused);
		tap_run(one_file_has_one_struct);
		tap_run(directories_are_listed);
		tap_run(any_range_is_read);
		tap_run(requests_are_large);
		tap_run(fragmented_files_are_read);
	}
	tap_run(paths_are_normalized);
	tap_run(utf_is_converted);
	tap_run(times_are_converted);
	free(pages);
	return tap_end();
}
