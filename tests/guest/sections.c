/* Anonymous sections in one process: creating, mapping in whole and in part, protection, lifetime, refusals. */
#include "guest.h"

#define SIZE (256 * 1024)
#define TABLES_MAX 5 /* pages: a section's own tables, as deep as its size wants */

static HANDLE make(uint64_t size, DWORD protect)
{
	return CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, protect, (DWORD)(size >> 32), (DWORD)size, NULL);
}

static char *map(HANDLE section, DWORD access, uint64_t offset, SIZE_T size)
{
	SetLastError(0);
	return MapViewOfFile(section, access, (DWORD)(offset >> 32), (DWORD)offset, size);
}

static void test_views(void)
{
	HANDLE section = make(SIZE, PAGE_READWRITE);
	ok(section != NULL, "an anonymous section");
	char *a = map(section, FILE_MAP_WRITE, 0, 0), *b = map(section, FILE_MAP_READ, 0, 0);
	ok(a && b && a != b, "two views, at two places");
	is((uintptr_t)a % 65536, 0, "a view begins at a multiple of 65,536");
	is(query(a).RegionSize, SIZE, "it shows the whole section");
	is(query(a).Type, MEM_MAPPED, "its memory is mapped");
	is(query(a).State, MEM_COMMIT, "and committed");
	is(query(a).Protect, PAGE_READWRITE, "a view for writing is PAGE_READWRITE");
	is(query(b).Protect, PAGE_READONLY, "one for reading is PAGE_READONLY");
	is(a[0] | a[SIZE - 1], 0, "it is zero at first");
	pattern_fill(a, 3, 1);
	ok(pattern_holds(b, 3, 1), "what is written in one view is in the other");
	ok(page_at(a + 3 * 4096).frame == page_at(b + 3 * 4096).frame && page_at(a + 3 * 4096).frame != 0,
	   "in the same page frame");
	ok(page_at(a + 3 * 4096).flags & BS_SHARED, "the page belongs to a section");
	violation(can_write(b), KIND_WRITE, b, "a view for reading can't be written");

	char *part = map(section, FILE_MAP_WRITE, 131072, 4096);
	ok(part != NULL, "a view of one page at an offset");
	is(query(part).RegionSize, 4096, "it is of one page");
	part[5] = 'p';
	is(a[131072 + 5], 'p', "at the right place");
	violation(can_read(part + 4096), KIND_READ, part + 4096, "behind it is nothing");
	char *odd = map(section, FILE_MAP_READ, 65536, 5000);
	is(query(odd).RegionSize, 8192, "a view of 5,000 bytes is of two pages");
	char *rest = map(section, FILE_MAP_READ, 65536, 0);
	is(query(rest).RegionSize, SIZE - 65536, "a view of size 0 reaches from its offset to the end");
	ok(UnmapViewOfFile(odd) && UnmapViewOfFile(rest) && UnmapViewOfFile(part), "they are unmapped");
	violation(can_read(part), KIND_READ, part, "and are gone");
	is(a[131072 + 5], 'p', "the section is not");
	UnmapViewOfFile(a);
	UnmapViewOfFile(b);
	a = map(section, FILE_MAP_READ, 0, 0);
	ok(pattern_holds(a, 3, 1), "with no view, the handle keeps the contents");
	CloseHandle(section);
	ok(pattern_holds(a, 3, 1), "with no handle, the view keeps them");
	UnmapViewOfFile(a);

	section = make(5000, PAGE_READWRITE);
	a = map(section, FILE_MAP_WRITE, 0, 0);
	is(query(a).RegionSize, 8192, "a section of 5,000 bytes has two pages");
	UnmapViewOfFile(a);
	CloseHandle(section);
}

static void test_places(void)
{
	HANDLE section = make(SIZE, PAGE_READWRITE);
	char *free_place = VirtualAlloc(NULL, SIZE, MEM_RESERVE, PAGE_READWRITE);
	VirtualFree(free_place, 0, MEM_RELEASE);
	char *view = MapViewOfFileEx(section, FILE_MAP_WRITE, 0, 0, 0, free_place);
	ok(view == free_place, "a view at a chosen address");
	SetLastError(0);
	refused(MapViewOfFileEx(section, FILE_MAP_WRITE, 0, 0, 0, view), ERROR_INVALID_ADDRESS, "a view where one is");
	SetLastError(0);
	refused(MapViewOfFileEx(section, FILE_MAP_WRITE, 0, 0, 4096, view + SIZE + 4096), ERROR_MAPPED_ALIGNMENT,
		"a view at an address that is no multiple of 65,536");
	refused(map(section, FILE_MAP_WRITE, 4096, 4096) != NULL, ERROR_MAPPED_ALIGNMENT,
		"a view at an offset that is no multiple of 65,536");
	refused(map(section, FILE_MAP_WRITE, 0, SIZE + 1) != NULL, ERROR_ACCESS_DENIED,
		"a view larger than the section");
	refused(map(section, FILE_MAP_WRITE, 65536, SIZE) != NULL, ERROR_ACCESS_DENIED,
		"a view that begins inside and ends outside");
	refused(map(section, FILE_MAP_WRITE, SIZE, 4096) != NULL, ERROR_ACCESS_DENIED, "a view behind the end");
	refused(map(section, FILE_MAP_WRITE, 1ull << 62, 4096) != NULL, ERROR_ACCESS_DENIED,
		"a view far behind the end");
	ok(can_write(view), "the view at the chosen address is as it was");
	ok(UnmapViewOfFile(view), "it is unmapped");
	SetLastError(0);
	refused(UnmapViewOfFile(view), ERROR_INVALID_ADDRESS, "unmapping it twice");
	char *private = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	SetLastError(0);
	refused(UnmapViewOfFile(private), ERROR_INVALID_ADDRESS, "unmapping private memory");
	VirtualFree(private, 0, MEM_RELEASE);
	CloseHandle(section);
}

static void test_refusals(void)
{
	struct bs_memory m = memory_now();
	SetLastError(0);
	refused(make(0, PAGE_READWRITE) != NULL, ERROR_INVALID_PARAMETER, "a section of size 0 without a file");
	SetLastError(0);
	refused(make(4096, 0) != NULL, ERROR_INVALID_PARAMETER, "a section with protection 0");
	SetLastError(0);
	if (m.commit_policy != BS_COMMIT_OVERCOMMIT)
		refused(make((m.commit_limit + 256) * 4096, PAGE_READWRITE) != NULL, ERROR_COMMITMENT_LIMIT,
			"a section larger than the commit limit");
	SetLastError(0);
	refused(map((HANDLE)0xdead0, FILE_MAP_READ, 0, 0) != NULL, ERROR_INVALID_HANDLE, "a view of a bad handle");
	HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
	refused(map(event, FILE_MAP_READ, 0, 0) != NULL, ERROR_INVALID_HANDLE, "a view of an event");
	CloseHandle(event);
	HANDLE section = make(4096, PAGE_READONLY);
	refused(map(section, FILE_MAP_WRITE, 0, 0) != NULL, ERROR_ACCESS_DENIED,
		"a view for writing of a read-only section");
	char *view = map(section, FILE_MAP_READ, 0, 0);
	DWORD old;
	SetLastError(0);
	ok(view && !VirtualProtect(view, 4096, PAGE_READWRITE, &old),
	   "a read-only view can't be made writable (error %lu)", GetLastError());
	ok(!VirtualFree(view, 0, MEM_RELEASE) && can_read(view), "a view can't be freed by VirtualFree");
	ok(!VirtualFree(view, 4096, MEM_DECOMMIT) && can_read(view), "nor decommitted");
	UnmapViewOfFile(view);
	CloseHandle(section);
}

static void test_charge(void)
{
	struct bs_memory before = memory_now(), now;
	HANDLE section = make(SIZE, PAGE_READWRITE);
	now = memory_now();
	is_within(now.commit_sections - before.commit_sections, SIZE / 4096, SIZE / 4096 + TABLES_MAX,
		  "a section is charged its pages, and the tables for them, when it is made");
	char *view = map(section, FILE_MAP_WRITE, 0, 0);
	for (int page = 0; page < SIZE / 4096; page++)
		pattern_fill(view, (uint64_t)page, 1);
	is(memory_now().commit_sections, now.commit_sections, "mapping and writing it charge no more for it");
	is(pages_backed(view, SIZE / 4096, BS_MEMORY), SIZE / 4096, "its pages are in memory alone");
	CloseHandle(section);
	is(memory_now().commit_sections, now.commit_sections, "a view keeps the charge");
	UnmapViewOfFile(view);
	is(memory_now().commit_sections, before.commit_sections, "the last view gives it back");
	is(memory_now().pages_swapped_out, before.pages_swapped_out, "none of this wrote to a paging file");
}

static void test_reserved(void)
{
	struct bs_memory before = memory_now();
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 256, 0, NULL);
	ok(section != NULL, "a SEC_RESERVE section of 1 TiB");
	is(memory_now().commit_sections, before.commit_sections, "is charged nothing");
	char *a = map(section, FILE_MAP_WRITE, 0, 0), *b = map(section, FILE_MAP_WRITE, 0, 16 << 20);
	ok(a && b, "views of all of it and of a part");
	is(query(a).State, MEM_RESERVE, "its pages are reserved");
	violation(can_read(a), KIND_READ, a, "and can't be touched");
	char *at = a + (5 << 20);
	ok(VirtualAlloc(at, 8192, MEM_COMMIT, PAGE_READWRITE) == at, "VirtualAlloc commits two of them");
	struct bs_memory committed = memory_now();
	is_within(committed.commit_sections - before.commit_sections, 2, 2 + TABLES_MAX,
		  "which are charged, with their tables");
	at[1] = 's';
	ok(can_read(b + (5 << 20)) && b[(5 << 20) + 1] == 's', "and are committed in the other view too");
	violation(can_read(b + (5 << 20) + 8192), KIND_READ, b + (5 << 20) + 8192, "but not the page behind them");
	is(query(at).State, MEM_COMMIT, "a query says committed");
	is(query(at).RegionSize, 8192, "for both pages");
	ok(VirtualAlloc(at, 12288, MEM_COMMIT, PAGE_READWRITE) == at && at[1] == 's',
	   "committing them again, and one more");
	is(memory_now().commit_sections - committed.commit_sections, 1, "charges one more");
	UnmapViewOfFile(a);
	is(b[(5 << 20) + 1], 's', "they stay when a view goes");
	UnmapViewOfFile(b);
	CloseHandle(section);
	is(memory_now().commit_sections, before.commit_sections, "the charge is given back with the section");
}

static void test_names(void)
{
	HANDLE a = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 8192, "SectionsTest");
	ok(a && GetLastError() != ERROR_ALREADY_EXISTS, "a section with a name");
	HANDLE b = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, "SectionsTest");
	ok(b && GetLastError() == ERROR_ALREADY_EXISTS, "making it again opens it (ERROR_ALREADY_EXISTS)");
	char *x = map(a, FILE_MAP_WRITE, 0, 0), *y = map(b, FILE_MAP_READ, 0, 0);
	is(query(y).RegionSize, 8192, "with the size that it has");
	x[4097] = 'n';
	is(y[4097], 'n', "and the contents");
	HANDLE c = OpenFileMappingA(FILE_MAP_READ, FALSE, "SectionsTest");
	ok(c != NULL, "OpenFileMapping opens it");
	refused(map(c, FILE_MAP_WRITE, 0, 0) != NULL, ERROR_ACCESS_DENIED, "for reading only, if asked for that");
	SetLastError(0);
	refused(OpenFileMappingA(FILE_MAP_READ, FALSE, "SectionsTestNot") != NULL, ERROR_FILE_NOT_FOUND,
		"a name that is not there");
	SetLastError(0);
	refused(CreateEventA(NULL, FALSE, FALSE, "SectionsTest") != NULL, ERROR_INVALID_HANDLE,
		"an event of a section's name");
	CloseHandle(a);
	CloseHandle(b);
	CloseHandle(c);
	SetLastError(0);
	refused(OpenFileMappingA(FILE_MAP_READ, FALSE, "SectionsTest") != NULL, ERROR_FILE_NOT_FOUND,
		"the name goes with the last handle");
	is(y[4097], 'n', "though views keep the section");
	UnmapViewOfFile(x);
	UnmapViewOfFile(y);
}

static void test_duplicates(void)
{
	HANDLE section = make(4096, PAGE_READWRITE), copy = NULL;
	ok(DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS) &&
		   copy != section,
	   "DuplicateHandle");
	CloseHandle(section);
	char *view = map(copy, FILE_MAP_WRITE, 0, 0);
	ok(view && can_write(view), "the copy works when the first handle is closed");
	HANDLE reader = NULL;
	ok(DuplicateHandle(GetCurrentProcess(), copy, GetCurrentProcess(), &reader, FILE_MAP_READ, FALSE, 0),
	   "with less access");
	refused(map(reader, FILE_MAP_WRITE, 0, 0) != NULL, ERROR_ACCESS_DENIED, "it maps no view for writing");
	char *read_view = map(reader, FILE_MAP_READ, 0, 0);
	ok(read_view && *read_view == 0x5a, "but one for reading");
	CloseHandle(reader);
	CloseHandle(copy);
	UnmapViewOfFile(view);
	UnmapViewOfFile(read_view);
	SetLastError(0);
	refused(CloseHandle(copy), ERROR_INVALID_HANDLE, "closing a handle twice");
}

static void all(void)
{
	test_views();
	test_places();
	test_refusals();
	test_charge();
	test_reserved();
	test_names();
	test_duplicates();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
