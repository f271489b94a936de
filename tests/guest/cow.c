/* Copy-on-write views (FILE_MAP_COPY): the first write makes a private page, and nobody else sees it. */
#include "guest.h"

#define PAGES 32
#define SIZE (PAGES * 4096)

enum { OWNER_SECTION = 1, OWNER_COPY = 2, OWNER_LATER = 3 };

static HANDLE section;
static char *shared, *copy;

static void begin(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(shared, page, OWNER_SECTION);
	copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
}

static void end(void)
{
	UnmapViewOfFile(copy);
	if (shared)
		UnmapViewOfFile(shared);
	if (section)
		CloseHandle(section);
}

static void test_copy(void)
{
	begin();
	is(query(copy).Protect, PAGE_WRITECOPY, "a copy view is PAGE_WRITECOPY");
	is(pattern_wrong(copy, 0, PAGES, OWNER_SECTION), 0, "it shows what the section holds");
	is(page_at(copy).frame, page_at(shared).frame, "in the same frames, until it is written");
	ok(page_at(copy).flags & BS_WRITE_COPY, "which is known beforehand");

	struct bs_memory before = memory_now();
	for (uint64_t page = 0; page < PAGES; page += 2)
		pattern_fill(copy, page, OWNER_COPY);
	struct bs_memory after = memory_now();
	is(after.faults_cow - before.faults_cow, PAGES / 2, "each page that is written is copied once");
	is(pattern_wrong(shared, 0, PAGES, OWNER_SECTION), 0, "the section is unchanged");
	bool mine = true, theirs = true, own_frames = true;
	for (uint64_t page = 0; page < PAGES; page++) {
		mine &= pattern_holds(copy, page, page % 2 ? OWNER_SECTION : OWNER_COPY);
		own_frames &=
			(page_at(copy + page * 4096).frame != page_at(shared + page * 4096).frame) == (page % 2 == 0);
	}
	ok(mine, "the view shows its own pages where it wrote");
	ok(own_frames, "in frames of their own");
	ok(!(page_at(copy).flags & (BS_SHARED | BS_WRITE_COPY)) && page_at(copy).backing == BS_MEMORY,
	   "a copied page is private, in memory alone");
	is(query(copy).Protect, PAGE_READWRITE, "its protection is PAGE_READWRITE now");
	is(query(copy + 4096).Protect, PAGE_WRITECOPY, "its neighbour's is not");

	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(shared, page, OWNER_LATER);
	for (uint64_t page = 0; page < PAGES; page++)
		theirs &= pattern_holds(copy, page, page % 2 ? OWNER_LATER : OWNER_COPY);
	ok(theirs, "what is written to the section later shows in the pages that were not copied, and only there");
	end();
}

static void test_zero_pages(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	copy[100] = 'c';
	is(shared[100], 0, "a copy of a page that nobody has touched: the section's page stays zero");
	is(copy[101], 0, "and so does the rest of the copy");
	shared[4096] = 's';
	is(copy[4096], 's', "a page first written in the section shows in the copy view");
	end();
}

static void test_charge(void)
{
	if (option_is("commit", "lazy-writecopy")) {
		skip("copy views are charged when they are mapped", "lazy-writecopy charges each copy (commit_lazy)");
		return;
	}
	begin();
	struct bs_memory before = memory_now();
	char *more = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	struct bs_memory mapped = memory_now();
	is(mapped.commit_private - before.commit_private, PAGES,
	   "a copy view is charged for all its pages when it is mapped");
	pattern_fill(more, 0, OWNER_COPY);
	is(memory_now().commit_private, mapped.commit_private, "and no more when a page is copied");
	UnmapViewOfFile(more);
	is(memory_now().commit_private, before.commit_private, "the charge is given back");
	end();
}

static void test_steal(void)
{
	begin();
	CloseHandle(section);
	section = NULL;
	UnmapViewOfFile(shared);
	shared = NULL;
	is(pattern_wrong(copy, 0, PAGES, OWNER_SECTION), 0, "a copy view that is the section's last reference");
	struct bs_memory before = memory_now();
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(copy, page, OWNER_COPY);
	struct bs_memory after = memory_now();
	is(after.faults_cow_steal - before.faults_cow_steal, PAGES, "takes its pages over without copying them");
	is(after.faults_cow, before.faults_cow, "and copies none");
	is(pattern_wrong(copy, 0, PAGES, OWNER_COPY), 0, "they hold what was written");
	end();
}

static void test_protect(void)
{
	DWORD old = 0;
	begin();
	pattern_fill(copy, 0, OWNER_COPY);
	ok(VirtualProtect(copy, SIZE, PAGE_READONLY, &old), "a copy view is made read-only");
	violation(can_write(copy), KIND_WRITE, copy, "its private page can't be written");
	violation(can_write(copy + 4096), KIND_WRITE, copy + 4096, "nor can a shared one");
	ok(pattern_holds(copy, 0, OWNER_COPY) && pattern_holds(copy, 1, OWNER_SECTION), "both keep their contents");
	ok(VirtualProtect(copy, SIZE, PAGE_WRITECOPY, &old), "and back");
	ok(can_write(copy + 4096 * 3) && pattern_holds(shared, 3, OWNER_SECTION), "a write makes a copy again");
	ok(pattern_holds(copy, 0, OWNER_COPY), "the first copy is still there");
	ok(pattern_holds(shared, 0, OWNER_SECTION), "and the section's page too");
	end();
}

/* Two copy views have different private pages. */
static void test_two_copies(void)
{
	begin();
	char *other = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	pattern_fill(copy, 1, OWNER_COPY);
	pattern_fill(other, 1, OWNER_LATER);
	ok(pattern_holds(copy, 1, OWNER_COPY) && pattern_holds(other, 1, OWNER_LATER) &&
		   pattern_holds(shared, 1, OWNER_SECTION),
	   "two copy views and the section hold three different pages");
	UnmapViewOfFile(other);
	ok(pattern_holds(copy, 1, OWNER_COPY), "unmapping one leaves the other");
	end();
}

/* Copies survive trimming, and what is read again is what was written. */
static void test_trim(void)
{
	begin();
	for (uint64_t page = 0; page < PAGES; page += 2)
		pattern_fill(copy, page, OWNER_COPY);
	working_set_empty();
	bool good = true;
	for (uint64_t page = 0; page < PAGES; page++)
		good &= pattern_holds(copy, page, page % 2 ? OWNER_SECTION : OWNER_COPY);
	ok(good, "after trimming, private and shared pages hold what they held");
	pattern_fill(copy, 1, OWNER_COPY);
	ok(pattern_holds(shared, 1, OWNER_SECTION) && pattern_holds(copy, 1, OWNER_COPY),
	   "and a write still makes a copy");
	end();
}

static void all(void)
{
	test_copy();
	test_zero_pages();
	test_charge();
	test_steal();
	test_protect();
	test_two_copies();
	test_trim();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
