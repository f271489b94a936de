/*
 * What one fault does for pages beside the one that was touched: the neighbours of a section's page that are in memory are
 * mapped with it, and who writes on where a copy of the process was takes back several pages at once. Nothing else may
 * tell that from one fault for each page.
 */
#include "calls.h"
#include "fork.h"

#define PAGES 64
#define SIZE (PAGES * PAGE_BYTES)
#define WINDOW 16 /* pages that come with one fault, at multiples of as many */
#define WRITER 1  /* owners of patterns */
#define OTHER 2

static HANDLE section;
static char *first, *second; /* two views of it */

static char *page(char *base, int n) { return base + n * PAGE_BYTES; }

static void views_make(DWORD access)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_EXECUTE_READWRITE, 0, SIZE, NULL);
	first = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	second = MapViewOfFile(section, access, 0, 0, 0);
	for (int n = 0; n < PAGES; n++)
		pattern_fill(first, n, WRITER);
}

static void views_end(void)
{
	UnmapViewOfFile(first);
	UnmapViewOfFile(second);
	CloseHandle(section);
}

/* The pages of base that have all these flags, a bit each. */
static uint64_t those_with(char *base, unsigned int flags)
{
	uint64_t bits = 0;
	for (int n = 0; n < PAGES; n++)
		bits |= (uint64_t)((page_at(page(base, n)).flags & flags) == flags) << n;
	return bits;
}

static uint64_t bits(int from, int count) { return ((1ull << count) - 1) << from; }

static void read_page(char *base, int n) { (void)*(volatile char *)page(base, n); }
static void write_page(char *base, int n) { *(volatile char *)(page(base, n) + PAGE_BYTES - 1) = (char)n; }

/* ---- neighbours of a section's page ---- */

static void test_mapped(void)
{
	uint64_t valid = 0, counted;
	views_make(FILE_MAP_WRITE);
	struct bs_memory before = memory_now();
	read_page(second, 20);
	is(those_with(second, BS_VALID), bits(16, WINDOW), "one read maps the pages around that are in memory");
	is(those_with(second, BS_ACCESSED), bits(20, 1), "only the one that was read counts as used");
	is_within(memory_now().pages_around - before.pages_around, WINDOW - 1, UINT64_MAX, "the others are counted");
	for (int n = 16; n < 32; n++)
		valid += page_at(page(second, n)).frame == page_at(page(first, n)).frame && page_at(page(second, n)).shares == 2;
	is(valid, WINDOW, "each is the frame of the first view, which has two shares now");

	for (int n = 16; n < 32; n++)
		pattern_wrong(second, n, 1, WRITER); /* the code itself is in memory after this */
	working_set_empty();
	for (int n = 16; n < 32; n++)
		read_page(first, n);
	read_page(second, 16);
	before = memory_now();
	for (int n = 16; n < 32; n++)
		read_page(second, n);
	counted = memory_now().faults - before.faults;
	is_within(counted, 0, WINDOW / 2, "the neighbours are read without faults");
	is(those_with(second, BS_ACCESSED), bits(16, WINDOW), "and used then");
	is(pattern_wrong(second, 16, WINDOW, WRITER), 0, "they hold what was written");
	write_page(second, 17);
	is((uint8_t)page(first, 17)[PAGE_BYTES - 1], 17, "what is written to a neighbour, the first view sees");
	views_end();
}

/* What the processor tells nobody of must not depend on a fault: a clean page is not mapped beside another if it could be written. */
static void test_dirty_known(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	first = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	second = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	char *reader = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
	pattern_fill(first, 5, WRITER);
	for (int n = 0; n < 32; n++)
		read_page(first, n);
	read_page(second, 4);
	is(those_with(second, BS_VALID), bits(4, 2), "beside a page of a writable view only what is modified already is mapped");
	read_page(reader, 4);
	is(those_with(reader, BS_VALID), bits(0, WINDOW), "in a view that can't be written all that is in memory");
	write_page(second, 6);
	ok(page_at(page(reader, 6)).flags & BS_DIRTY, "a write is known to all views at once");
	ok(!(page_at(page(reader, 7)).flags & BS_DIRTY), "and the page beside it is as clean as before");
	UnmapViewOfFile(reader);
	views_end();
}

static void test_not_there(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	first = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	second = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	pattern_fill(first, 2, WRITER);
	pattern_fill(first, 9, WRITER);
	read_page(second, 2);
	is(those_with(second, BS_VALID), 1 << 2 | 1 << 9, "pages that nobody has touched are left alone");
	is(page_at(page(second, 3)).backing, BS_ZERO, "they are still zero on demand");
	is(those_with(second, BS_RESIDENT), 1 << 2 | 1 << 9, "and have no frame");
	views_end();
}

static void test_reserved(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 0, SIZE, NULL);
	first = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	second = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	VirtualAlloc(page(first, 2), 3 * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	VirtualAlloc(page(first, 8), PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	for (int n = 2; n < 5; n++)
		pattern_fill(first, n, WRITER);
	pattern_fill(first, 8, WRITER);
	ok(can_read(page(second, 3)), "a reserved section's committed page is read in another view");
	is(those_with(second, BS_VALID), bits(2, 3) | bits(8, 1), "its committed neighbours come with it");
	violation(can_read(page(second, 5)), KIND_READ, page(second, 5), "what is not committed between them stays out");
	views_end();
}

static void test_view_edges(void)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	first = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	for (int n = 0; n < PAGES; n++)
		pattern_fill(first, n, WRITER);
	second = MapViewOfFile(section, FILE_MAP_WRITE, 0, 16 * PAGE_BYTES, 5 * PAGE_BYTES);
	read_page(second, 4);
	is(pages_with(second, 5, BS_VALID), 5, "a view of five pages is mapped by one read");
	is(pages_with(page(second, 5), 11, BS_VALID), 0, "nothing is mapped behind its end");
	is(pattern_wrong(page(second, -16), 16, 5, WRITER), 0, "it shows the pages that it was made for");
	views_end();
}

static void test_protections(void)
{
	DWORD old;
	views_make(FILE_MAP_WRITE | FILE_MAP_EXECUTE);
	VirtualProtect(page(second, 4), 3 * PAGE_BYTES, PAGE_READONLY, &old);
	VirtualProtect(page(second, 9), PAGE_BYTES, PAGE_NOACCESS, &old);
	bool guarded = VirtualProtect(page(second, 11), PAGE_BYTES, PAGE_READWRITE | PAGE_GUARD, &old);
	read_page(second, 2);
	is(those_with(second, BS_VALID), bits(0, 16) & ~(bits(4, 3) | bits(9, 1) | bits(11, 1)),
	   "neighbours of another protection are left alone");
	violation(can_read(page(second, 9)), KIND_READ, page(second, 9), "no access is no access");
	ok(!guarded || (!can_read(page(second, 11)) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION),
	   "a guard page guards");
	read_page(second, 5);
	is(those_with(second, BS_VALID) & bits(4, 3), bits(4, 3), "those of the same protection come together");
	violation(can_write(page(second, 6)), KIND_WRITE, page(second, 6), "and are no more writable than before");
	VirtualProtect(page(second, 16), WINDOW * PAGE_BYTES, PAGE_READONLY, &old);
	read_page(second, 20);
	is(those_with(second, BS_VALID) & bits(16, 16), bits(16, 16), "so do those whose protection was changed together");
	violation(can_write(page(second, 21)), KIND_WRITE, page(second, 21), "with the protection that they were given");
	views_end();
}

static void test_copy_view(void)
{
	views_make(FILE_MAP_COPY);
	read_page(second, 3);
	is(those_with(second, BS_VALID), bits(0, WINDOW), "a read of a copy view maps neighbours");
	is(those_with(second, BS_VALID | BS_WRITE_COPY), bits(0, WINDOW), "which are write-copy");
	pattern_fill(second, 4, OTHER);
	ok(pattern_holds(second, 4, OTHER) && pattern_holds(first, 4, WRITER), "a write to one makes a copy of it");
	is(those_with(second, BS_WRITE_COPY), ~bits(4, 1), "of it alone");
	pattern_fill(second, 20, OTHER);
	is(those_with(second, BS_VALID), bits(0, WINDOW) | bits(20, 1), "a write that makes a copy maps no neighbours");
	views_end();
}

static void test_locked(void)
{
	views_make(FILE_MAP_WRITE);
	uint64_t before = memory_now().pages_locked;
	ok(VirtualLock(page(second, 3), PAGE_BYTES), "a page is locked");
	is(those_with(second, BS_VALID), bits(0, WINDOW), "its neighbours come with it");
	is(those_with(second, BS_LOCKED), bits(3, 1), "and are not locked");
	is(memory_now().pages_locked - before, 1, "nor counted so");
	VirtualUnlock(page(second, 3), PAGE_BYTES);
	views_end();
}

static void test_prefetched(void)
{
	views_make(FILE_MAP_WRITE);
	WIN32_MEMORY_RANGE_ENTRY range = { page(second, 18), 4 * PAGE_BYTES };
	ok(PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0), "pages that another view has are prefetched");
	is(those_with(second, BS_VALID), 0, "which brings neither them nor neighbours into the working set");
	views_end();
}

static void test_hard_maximum(void)
{
	SIZE_T min, max;
	DWORD flags;
	views_make(FILE_MAP_WRITE);
	GetProcessWorkingSetSizeEx(GetCurrentProcess(), &min, &max, &flags);
	ok(SetProcessWorkingSetSizeEx(GetCurrentProcess(), 50 * PAGE_BYTES, 200 * PAGE_BYTES, QUOTA_LIMITS_HARDWS_MAX_ENABLE),
	   "a hard maximum");
	read_page(second, 20);
	is(those_with(second, BS_VALID), bits(20, 1), "leaves a working set to what is touched");
	SetProcessWorkingSetSizeEx(GetCurrentProcess(), min, max, flags);
	read_page(second, 36);
	is(those_with(second, BS_VALID) & bits(32, 16), bits(32, 16), "without it neighbours are mapped again");
	views_end();
}

/* ---- taking back what a copy had ---- */

static DWORD child_nothing(void *argument)
{
	(void)argument;
	return 0;
}

static void test_taken_back(void)
{
	char *memory = commit_bytes(SIZE);
	DWORD old;
	uint64_t before, locked;
	for (int n = 0; n < PAGES; n++)
		pattern_fill(memory, n, WRITER);
	is(fork_run(child_nothing, NULL), 0, "a copy of the process comes and goes");
	VirtualProtect(page(memory, 20), PAGE_BYTES, PAGE_READONLY, &old);
	locked = memory_now().pages_locked;
	VirtualLock(page(memory, 22), PAGE_BYTES);
	pattern_fill(memory, 16, OTHER);
	before = memory_now().pages_around;
	pattern_fill(memory, 17, OTHER);
	is_within(memory_now().pages_around - before, WINDOW - 3, UINT64_MAX, "who writes on takes several pages back");
	before = memory_now().faults;
	for (int n = 24; n < 32; n++)
		write_page(memory, n);
	is_within(memory_now().faults - before, 0, 4, "and writes to them without faults");
	violation(can_write(page(memory, 20)), KIND_WRITE, page(memory, 20), "one that is read-only stays so");
	VirtualProtect(page(memory, 20), PAGE_BYTES, PAGE_READWRITE, &old);
	ok(page_at(page(memory, 22)).flags & BS_LOCKED && memory_now().pages_locked == locked + 1, "one that is locked too");
	VirtualUnlock(page(memory, 22), PAGE_BYTES);
	is(pattern_wrong(memory, 16, 2, OTHER), 0, "all pages hold what was written: since");
	is(pattern_wrong(memory, 0, 16, WRITER) + pattern_wrong(memory, 18, 6, WRITER) + pattern_wrong(memory, 32, 32, WRITER), 0,
	   "and before");
	working_set_empty();
	is((uint8_t)page(memory, 25)[PAGE_BYTES - 1], 25, "what was written without a fault outlives the page table's entry");
	memory_release(memory);
}

/* The pages of memory that were written, a bit each. */
static uint64_t written(char *memory, DWORD flags)
{
	void *addresses[PAGES];
	ULONG_PTR count = PAGES;
	DWORD unit;
	uint64_t found = 0;
	GetWriteWatch(flags, memory, SIZE, addresses, &count, &unit);
	for (ULONG_PTR i = 0; i < count; i++)
		found |= 1ull << ((char *)addresses[i] - memory) / PAGE_BYTES;
	return found;
}

static void test_taken_back_watched(void)
{
	char *memory = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
	for (int n = 0; n < PAGES; n++)
		write_page(memory, n);
	fork_run(child_nothing, NULL);
	is(written(memory, WRITE_WATCH_FLAG_RESET), ~0ull, "a copy changes nothing of what is known as written");
	write_page(memory, 16);
	write_page(memory, 17);
	is(written(memory, 0), bits(16, 2), "pages that are taken back with others count as not written");
	write_page(memory, 21);
	is(written(memory, 0), bits(16, 2) | bits(21, 1), "until they are");
	memory_release(memory);
}

/* Clean pages, which a paging file or nothing stands behind, stay what they are; and MEM_RESET has its effect again. */
static void test_taken_back_clean(void)
{
	char *memory = commit_bytes(SIZE);
	for (int n = 0; n < PAGES; n++)
		read_page(memory, n);
	fork_run(child_nothing, NULL);
	write_page(memory, 16);
	write_page(memory, 17);
	is(those_with(memory, BS_DIRTY), bits(16, 2), "pages that were never written are not modified by being taken back");
	is(page_at(page(memory, 18)).backing, BS_ZERO, "zeros stand behind them still");
	memory_release(memory);
}

static DWORD child_looks(void *argument)
{
	char *memory = argument;
	HANDLE go = OpenEventA(SYNCHRONIZE, FALSE, "neighbours-go");
	WaitForSingleObject(go, INFINITE);
	CloseHandle(go);
	return (DWORD)pattern_wrong(memory, 0, PAGES, WRITER);
}

static void test_shared_stay_shared(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	HANDLE go = CreateEventA(NULL, TRUE, FALSE, "neighbours-go");
	char *memory = commit_bytes(SIZE);
	NTSTATUS status;
	for (int n = 0; n < PAGES; n++)
		pattern_fill(memory, n, WRITER);
	ok(fork_start(child_looks, memory, RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES, &copy, &status), "while a copy lives");
	for (int n = 16; n < 20; n++)
		pattern_fill(memory, n, OTHER);
	is(those_with(memory, BS_CLONE), ~bits(16, 4), "only pages that are written leave it");
	SetEvent(go);
	is(fork_end(&copy), 0, "which sees nothing of it");
	CloseHandle(go);
	memory_release(memory);
}

static void all(void)
{
	test_mapped();
	test_dirty_known();
	test_not_there();
	test_reserved();
	test_view_edges();
	test_protections();
	test_copy_view();
	test_locked();
	test_prefetched();
	test_hard_maximum();
	test_taken_back();
	test_taken_back_watched();
	test_taken_back_clean();
	test_shared_stay_shared();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, 0);
}
