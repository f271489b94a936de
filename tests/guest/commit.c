/* The commit limit: what is charged, what is refused, and that what was granted can be touched. */
#include "guest.h"

static bool strict;

static uint64_t room_now(void)
{
	struct bs_memory m = memory_now();
	return m.commit_limit - m.commit_charge;
}

static char *commit(uint64_t pages)
{
	SetLastError(0);
	return VirtualAlloc(NULL, pages * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static uint64_t private_charge(void)
{
	return memory_now().commit_private;
}

static void test_charges(void)
{
	note("charges"); /* the heap and the output have what they need before it is measured */
	uint64_t before = private_charge();
	char *p = commit(100);
	is(private_charge() - before, 100, "100 committed pages are charged, though none was touched");
	for (int i = 0; i < 100; i++)
		p[i * 4096] = 1;
	is(private_charge() - before, 100, "touching them charges no more");
	VirtualFree(p + 4096, 50 * 4096, MEM_DECOMMIT);
	is(private_charge() - before, 50, "decommitting 50 gives 50 back");
	VirtualAlloc(p, 100 * 4096, MEM_COMMIT, PAGE_READWRITE);
	is(private_charge() - before, 100, "committing all again charges only those");
	DWORD old;
	VirtualProtect(p, 100 * 4096, PAGE_READONLY, &old);
	is(private_charge() - before, 100, "read-only pages stay charged: they may hold something");
	memory_release(p);
	is(private_charge(), before, "releasing gives all back");

	p = VirtualAlloc(NULL, 64 << 20, MEM_RESERVE, PAGE_READWRITE);
	is(private_charge(), before, "reserving is charged nothing");
	VirtualAlloc(p + (32 << 20), 4096, MEM_COMMIT, PAGE_READWRITE);
	is(private_charge() - before, 1, "a page committed in it is charged");
	memory_release(p);
	is(private_charge(), before, "and given back with the reservation");
}

/* What a reservation of this size costs in all, in pages; and releases it again. */
static uint64_t reserve_cost(uint64_t size, uint64_t *frames)
{
	struct bs_memory before = memory_now();
	char *p = VirtualAlloc(NULL, size, MEM_RESERVE, PAGE_READWRITE);
	struct bs_memory made = memory_now();
	*frames = memory_available(&before) + before.frames_modified - memory_available(&made) - made.frames_modified;
	if (!p)
		return ~0ull;
	memory_release(p);
	return made.commit_charge - before.commit_charge;
}

static void test_reserve(void)
{
	uint64_t small_frames, large_frames, small, large;
	/* Other CPUs may take or give back a frame of their own meanwhile: it is the same in one of some tries. */
	for (int i = 0; i < 10; i++) {
		small = reserve_cost(64 << 10, &small_frames);
		large = reserve_cost(1ull << 40, &large_frames);
		if (i > 0 && small_frames == large_frames)
			break;
	}
	is(large, small, "reserving 1 TiB costs as much commit as reserving 64 KiB");
	is(large_frames, small_frames, "and as many frames");
	is_within(large, 0, 1, "which is at most a page");
}

static void test_refusals(void)
{
	struct bs_memory before = memory_now(), after;
	if (!strict) {
		char *p = commit(room_now() + 1024);
		ok(p != NULL, "overcommit: more than the limit is granted");
		memory_release(p);
		return;
	}
	refused(commit(room_now() + 1) != NULL, ERROR_COMMITMENT_LIMIT, "a page more than is left");
	refused(commit(1ull << 28) != NULL, ERROR_COMMITMENT_LIMIT, "1 TiB");
	after = memory_now();
	is(after.commit_refused - before.commit_refused, 2, "two requests were refused");
	is(after.commit_charge, before.commit_charge, "the charge is as before");
	char *p = VirtualAlloc(NULL, 1ull << 40, MEM_RESERVE, PAGE_READWRITE);
	SetLastError(0);
	refused(VirtualAlloc(p, 1ull << 40, MEM_COMMIT, PAGE_READWRITE) != NULL, ERROR_COMMITMENT_LIMIT,
		"committing 1 TiB that is reserved");
	is(query(p).State, MEM_RESERVE, "leaves it reserved");
	is(query(p).RegionSize, 1ull << 40, "all of it");
	memory_release(p);
	SetLastError(0);
	refused(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 1 << 8, 0, NULL) != NULL,
		ERROR_COMMITMENT_LIMIT, "a section of 1 TiB");
	ok(HeapAlloc(GetProcessHeap(), 0, 1ull << 40) == NULL, "a heap block of 1 TiB");
	ok(malloc(1ull << 40) == NULL, "malloc of 1 TiB");
	is(memory_now().commit_charge, before.commit_charge, "none of them left a charge");

	/* A copy-on-write view is a promise too. */
	uint64_t half = room_now() * 2 / 3;
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, (DWORD)(half >> 20),
					    (DWORD)(half << 12), NULL);
	SetLastError(0);
	char *view = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	if (memory_now().commit_policy == BS_COMMIT_LAZY_WRITECOPY)
		ok(view != NULL, "a copy-on-write view of a section costs nothing before it is written");
	else
		refused(view != NULL, ERROR_COMMITMENT_LIMIT,
			"a copy-on-write view of a section, which together are too much");
	if (view)
		UnmapViewOfFile(view);
	view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	ok(view != NULL, "though a shared view of it costs nothing more");
	UnmapViewOfFile(view);
	CloseHandle(section);
}

/* All that can be had, in pieces of halving size; then each page is written and read. */
static void test_to_the_last_page(void)
{
	static char *pieces[4096];
	static uint64_t sizes[4096];
	uint64_t count = 0, total = 0, piece = room_now() / 4, wrong = 0;
	for (; piece >= 16 && count < 4096; ) {
		if (room_now() < 256)
			break;
		char *p = commit(piece);
		if (!p) {
			piece /= 2;
			continue;
		}
		pieces[count] = p;
		sizes[count++] = piece;
		total += piece;
	}
	struct bs_memory m = memory_now();
	note("%llu pages in %llu pieces; charge %llu of %llu, available %llu, paging files %llu",
	     (unsigned long long)total, (unsigned long long)count, (unsigned long long)m.commit_charge,
	     (unsigned long long)m.commit_limit, (unsigned long long)memory_available(&m),
	     (unsigned long long)m.paging_file_pages);
	for (uint64_t i = 0; i < count; i++) {
		for (uint64_t page = 0; page < sizes[i]; page++)
			pattern_fill(pieces[i], page, i + 1);
		tap_alive();
	}
	for (uint64_t i = 0; i < count; i++) {
		wrong += pattern_wrong(pieces[i], 0, sizes[i], i + 1);
		tap_alive();
	}
	is(wrong, 0, "all that was granted, %llu pages, can be written and read back", (unsigned long long)total);
	for (uint64_t i = 0; i < count; i++)
		memory_release(pieces[i]);
}

static void test_process(void)
{
	if (!strict)
		return;
	/*
	 * With next to nothing left, a new process is refused, and its maker goes on. The first one makes the kernel's
	 * pools grow.
	 */
	process_run("child", false);
	Sleep(50);
	uint64_t before = memory_now().commit_charge;
	uint64_t room = room_now(), leave = 24;
	char *p = NULL;
	for (uint64_t pages = room - leave; !p && pages > 0; pages -= pages > 8 ? 8 : pages)
		p = commit(pages);
	PROCESS_INFORMATION info;
	bool started = process_start("child", false, 0, &info) != NULL;
	DWORD error = GetLastError(), code = started ? process_end(&info) : 0;
	ok(!started || code != 0, "with %llu pages left no process can be started (error %lu, exit code 0x%lx)",
	   (unsigned long long)leave, started ? 0 : error, code);
	memory_release(p);
	is(process_run("child", false), 7, "it can when they are given back");
	wait_until(memory_now().commit_charge <= before);
	is_within(memory_now().commit_charge, 0, before, "the charge is as before");
}

static void test_limit(void)
{
	struct bs_memory m = memory_now();
	is(m.commit_charge, m.commit_private + m.commit_sections + m.commit_page_tables + m.commit_kernel,
	   "the charge is the sum of its parts");
	is_within(m.commit_limit, 1, m.frames_total + m.paging_file_pages, "the limit is memory and paging files");
	is_within(m.commit_peak, m.commit_charge, m.commit_limit + (strict ? 0 : 1ull << 40),
		  "the peak lies between charge and limit");
}

static void all(void)
{
	test_charges();
	test_reserve();
	test_refusals();
	test_limit();
	test_process();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "child"))
		return 7;
	strict = memory_now().commit_policy != BS_COMMIT_OVERCOMMIT;
	probes_init();
	all();
	leaks_none(all, STACKS_KEPT);
	if (strict)
		test_to_the_last_page();
	memory_is_consistent();
	return tap_end();
}
