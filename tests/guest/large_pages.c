/*
 * Large pages: 2 MiB that are there at once and never leave memory. That they are large is told by the frames, which are
 * neighbours and begin at a multiple of 512; what they hold by contents.
 */
#include "guest.h"

#define LARGE (2ull << 20)
#define LARGE_PAGES_OF_4K 512
#define PRIVATE (MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES)

static char *large(uint64_t count)
{
	return VirtualAlloc(NULL, count * LARGE, PRIVATE, PAGE_READWRITE);
}

static bool all_zero(const char *p, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += 8)
		if (*(const uint64_t *)(p + i))
			return false;
	return true;
}

static uint64_t frame_at(const char *p)
{
	return page_at(p).frame;
}

/* Whether the 2 MiB at p lie in frames in a row, from a multiple of 512 on. */
static bool is_one_run(const char *p)
{
	uint64_t first = frame_at(p);
	for (uint64_t i = 0; i < LARGE_PAGES_OF_4K; i++)
		if (frame_at(p + i * PAGE_BYTES) != first + i)
			return false;
	return first && first % LARGE_PAGES_OF_4K == 0;
}

static void test_private(void)
{
	struct bs_memory before = memory_now(), during;
	DWORD old = 0;
	char *p = large(2), *q;
	ok(p != NULL, "two large pages");
	if (!p)
		return;
	is((uintptr_t)p % LARGE, 0, "begin at a multiple of 2 MiB");
	during = memory_now();
	is(during.frames_physical - before.frames_physical, 2 * LARGE_PAGES_OF_4K, "they are in memory at once");
	is(during.commit_physical - before.commit_physical, 2 * LARGE_PAGES_OF_4K, "and charged as what stays there");
	ok(is_one_run(p) && is_one_run(p + LARGE), "each lies in 512 frames in a row");
	is(query(p).State, MEM_COMMIT, "they are committed");
	is(query(p + LARGE + 5).Protect, PAGE_READWRITE, "readable and writable");
	is(query(p).Type, MEM_PRIVATE, "private");
	is(query(p).RegionSize, 2 * LARGE, "and one region");
	uint64_t faults = memory_now().faults;
	ok(all_zero(p, 2 * LARGE), "they are zero");
	for (uint64_t i = 0; i < 2 * LARGE_PAGES_OF_4K; i++)
		pattern_fill(p, i, 1);
	is_within(memory_now().faults - faults, 0, 20, "touching them faults nothing in");
	working_set_empty();
	is(pattern_wrong(p, 0, 2 * LARGE_PAGES_OF_4K, 1), 0, "what is written stays");
	violation(can_execute(p), KIND_EXECUTE, p, "they can't be executed");
	ok(can_write(p + 2 * LARGE - 1), "the last byte is there");

	char text[32] = "";
	SIZE_T done = 0;
	ok(WriteProcessMemory(GetCurrentProcess(), p + LARGE - 3, "across", 7, &done) &&
	   ReadProcessMemory(GetCurrentProcess(), p + LARGE - 3, text, 7, &done) && !strcmp(text, "across"),
	   "the kernel writes and reads them");
	IO_STATUS_BLOCK io;
	HANDLE file = CreateFileA("C:\\tests\\large_pages.exe", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	LARGE_INTEGER at = { .QuadPart = 0 };
	is((uint32_t)NtReadFile(file, NULL, NULL, NULL, &io, p + LARGE - 100, 4096, &at, NULL), 0,
	   "a file is read into them");
	ok(p[LARGE - 100] == 'M' && p[LARGE - 99] == 'Z', "with its contents");
	CloseHandle(file);

	ok(VirtualProtect(p, LARGE, PAGE_READONLY, &old), "VirtualProtect of one of them");
	is(old, PAGE_READWRITE, "gives the old protection");
	violation(can_write(p + 4096), KIND_WRITE, p + 4096, "it can't be written");
	ok(can_read(p) && can_write(p + LARGE), "but read; and the other one written");
	is(query(p).RegionSize, LARGE, "they are two regions");
	is(query(p).Protect, PAGE_READONLY, "of two protections");
	is(query(p + LARGE).Protect, PAGE_READWRITE, "each its own");
	ok(!WriteProcessMemory(GetCurrentProcess(), p, "x", 1, &done), "WriteProcessMemory respects it");
	ok(VirtualProtect(p, 2 * LARGE, PAGE_NOACCESS, &old), "PAGE_NOACCESS for both");
	is(old, PAGE_READONLY, "the old protection is the first one's");
	violation(can_read(p + LARGE + 9), KIND_READ, p + LARGE + 9, "they can't be read");
	ok(!ReadProcessMemory(GetCurrentProcess(), p, text, 1, &done), "not by ReadProcessMemory either");
	is(query(p).Protect, PAGE_NOACCESS, "and say so");
	ok(VirtualProtect(p, 2 * LARGE, PAGE_EXECUTE_READWRITE, &old), "all allowed");
	is(old, PAGE_NOACCESS, "after no access");
	p[4096] = (char)0xc3; /* ret */
	ok(can_execute(p + 4096), "they can be executed");
	is(pattern_wrong(p, 2, 500, 1), 0, "and have their contents");
	refused(VirtualProtect(p, 4096, PAGE_READONLY, &old), ERROR_INVALID_PARAMETER,
		"a part of a large page can't be protected");
	refused(VirtualProtect(p + 4096, LARGE, PAGE_READONLY, &old), ERROR_INVALID_PARAMETER, "nor parts of two");
	refused(VirtualProtect(p, LARGE, PAGE_READWRITE | PAGE_GUARD, &old), ERROR_INVALID_PARAMETER, "nor guarded");
	refused(VirtualFree(p, LARGE, MEM_DECOMMIT), ERROR_INVALID_ADDRESS, "nor decommitted");
	refused(VirtualAlloc(p, LARGE, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "nor committed again");
	void *part = p;
	SIZE_T size = LARGE;
	ok(NtFreeVirtualMemory(GetCurrentProcess(), &part, &size, MEM_RELEASE) < 0, "nor released in parts");
	ok(VirtualFree(p, 0, MEM_RELEASE), "all of it is released");
	violation(can_read(p), KIND_READ, p, "and not there");
	during = memory_now();
	is(during.frames_physical, before.frames_physical, "the frames are given back");
	is(during.commit_physical, before.commit_physical, "and the charge");

	q = VirtualAlloc(p, LARGE, PRIVATE, PAGE_READWRITE);
	ok(q == p, "a large page at an address");
	ok(all_zero(q, LARGE), "is zero again");
	ok(!VirtualAlloc(p, LARGE, PRIVATE, PAGE_READWRITE), "but only once");
	ok(!VirtualAlloc(p + 4096, 4096, MEM_RESERVE, PAGE_READWRITE), "and nothing else is put there");
	memory_release(q);
	char *small = VirtualAlloc(p + 65536, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(small && can_write(small), "small pages where a large one was");
	memory_release(small);
	q = VirtualAlloc(NULL, LARGE, PRIVATE | MEM_TOP_DOWN, PAGE_READWRITE);
	ok(q && (uintptr_t)q % LARGE == 0, "a large page from the top");
	memory_release(q);
}

static void test_refusals(void)
{
	refused(VirtualAlloc(NULL, LARGE, MEM_RESERVE | MEM_LARGE_PAGES, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_LARGE_PAGES without MEM_COMMIT");
	refused(VirtualAlloc(NULL, LARGE, MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"without MEM_RESERVE");
	refused(VirtualAlloc(NULL, LARGE, PRIVATE | MEM_PHYSICAL, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"with MEM_PHYSICAL");
	refused(VirtualAlloc(NULL, LARGE, PRIVATE | MEM_WRITE_WATCH, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"with MEM_WRITE_WATCH");
	refused(VirtualAlloc(NULL, LARGE + 4096, PRIVATE, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "of an odd size");
	refused(VirtualAlloc(NULL, 4096, PRIVATE, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "of a small page");
	refused(VirtualAlloc(NULL, 0, PRIVATE, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "of nothing");
	refused(VirtualAlloc((void *)0x10010000, LARGE, PRIVATE, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"at an odd address");
	refused(VirtualAlloc(NULL, LARGE, PRIVATE, PAGE_READWRITE | PAGE_GUARD), ERROR_INVALID_PARAMETER, "guarded");
	refused(VirtualAlloc(NULL, LARGE, PRIVATE, PAGE_WRITECOPY), ERROR_INVALID_PARAMETER, "write-copy");
	refused(VirtualAlloc(NULL, 1ull << 40, PRIVATE, PAGE_READWRITE), ERROR_COMMITMENT_LIMIT,
		"of more than there is");
	refused(VirtualAlloc(NULL, 1ull << 50, PRIVATE, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"of more than can be addressed");
}

/* ---- sections ---- */

static NTSTATUS section_make(uint64_t size, ULONG protect, ULONG attributes, HANDLE *section)
{
	LARGE_INTEGER bytes = { .QuadPart = (LONGLONG)size };
	return NtCreateSection(section, SECTION_ALL_ACCESS, NULL, &bytes, protect, attributes, NULL);
}

static NTSTATUS map(HANDLE section, char **base, uint64_t offset, SIZE_T size, ULONG type, ULONG protect)
{
	LARGE_INTEGER at = { .QuadPart = (LONGLONG)offset };
	return NtMapViewOfSection(section, GetCurrentProcess(), (void **)base, 0, 0, &at, &size, 2, type, protect);
}

static void test_section(void)
{
	uint64_t physical = memory_now().frames_physical;
	HANDLE section = NULL;
	NTSTATUS status = section_make(2 * LARGE, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, &section);
	is((uint32_t)status, 0, "a section of two large pages");
	if (status)
		return;
	char *a = NULL, *b = NULL, *c = NULL, *d = (char *)0x7e0000010000;
	is(memory_now().frames_physical - physical, 2 * LARGE_PAGES_OF_4K, "is in memory at once");
	is((uint32_t)map(section, &a, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE), 0, "a view with large pages");
	is((uintptr_t)a % LARGE, 0, "at a multiple of 2 MiB");
	ok(is_one_run(a), "of frames in a row");
	is(query(a).Type, MEM_MAPPED, "is mapped");
	is(query(a).RegionSize, 2 * LARGE, "all of the section");
	ok(all_zero(a, 2 * LARGE), "zero");
	for (uint64_t i = 0; i < 2 * LARGE_PAGES_OF_4K; i++)
		pattern_fill(a, i, 2);
	is((uint32_t)map(section, &b, LARGE, LARGE, MEM_LARGE_PAGES, PAGE_READONLY), 0,
	   "a second one, of the second page");
	is(pattern_wrong(b - LARGE, LARGE_PAGES_OF_4K, LARGE_PAGES_OF_4K, 2), 0, "shows the same");
	is(frame_at(b), frame_at(a + LARGE), "in the same frames");
	violation(can_write(b), KIND_WRITE, b, "but can't be written");
	DWORD old;
	refused(VirtualProtect(b, LARGE, PAGE_READWRITE, &old), ERROR_INVALID_PARAMETER, "nor made writable");
	is((uint32_t)map(section, &c, 65536, 3 * 65536, 0, PAGE_READWRITE), 0, "a view of small pages");
	is(query(c).RegionSize, 3 * 65536, "of any size");
	is(pattern_wrong(c - 65536, 16, 48, 2), 0, "shows the same");
	c[5] = 'c';
	is(a[65541], 'c', "and writes there");
	ok(VirtualProtect(c, 4096, PAGE_NOACCESS, &old) && !can_read(c) && can_read(c + 4096),
	   "its pages are protected one by one");
	working_set_empty();
	ok(VirtualProtect(c, 4096, PAGE_READWRITE, &old) && c[5] == 'c', "and keep their contents");
	char *copy = NULL;
	is((uint32_t)map(section, &copy, 0, 65536, 0, PAGE_WRITECOPY), 0, "a write-copy view of small pages");
	copy[0] = 'x';
	ok(a[0] != 'x' && copy[1] == a[1], "makes private copies");

	is((uint32_t)map(section, &d, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE), (uint32_t)STATUS_MAPPED_ALIGNMENT,
	   "a view at an odd address");
	d = NULL;
	is((uint32_t)map(section, &d, 65536, LARGE, MEM_LARGE_PAGES, PAGE_READWRITE), (uint32_t)STATUS_MAPPED_ALIGNMENT,
	   "of an odd offset");
	is((uint32_t)map(section, &d, 0, 65536, MEM_LARGE_PAGES, PAGE_READWRITE), (uint32_t)STATUS_INVALID_VIEW_SIZE,
	   "of an odd size");
	is((uint32_t)map(section, &d, 0, 0, MEM_LARGE_PAGES, PAGE_WRITECOPY), (uint32_t)STATUS_INVALID_PAGE_PROTECTION,
	   "write-copy");
	ok(!d, "no view was made by that");
	NtUnmapViewOfSection(GetCurrentProcess(), a);
	CloseHandle(section);
	is(pattern_wrong(b - LARGE, LARGE_PAGES_OF_4K, LARGE_PAGES_OF_4K, 2), 0,
	   "the pages stay while a view is there");
	is(memory_now().frames_physical - physical, 2 * LARGE_PAGES_OF_4K, "all of them");
	NtUnmapViewOfSection(GetCurrentProcess(), b);
	NtUnmapViewOfSection(GetCurrentProcess(), copy);
	is(c[5], 'c', "the last view");
	NtUnmapViewOfSection(GetCurrentProcess(), c);
	is(memory_now().frames_physical, physical, "then they go");


	   is((uint32_t)section_make(LARGE, PAGE_READWRITE, SEC_LARGE_PAGES, &section), (uint32_t)STATUS_INVALID_PARAMETER_6,
	   "SEC_LARGE_PAGES without SEC_COMMIT");
	is((uint32_t)section_make(LARGE, PAGE_READWRITE, SEC_RESERVE | SEC_LARGE_PAGES, &section),
	   (uint32_t)STATUS_INVALID_PARAMETER_6, "with SEC_RESERVE");
	is((uint32_t)section_make(LARGE + 4096, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, &section),
	   (uint32_t)STATUS_INVALID_PARAMETER_4, "of an odd size");
	is((uint32_t)section_make(1ull << 40, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, &section),
	   (uint32_t)STATUS_COMMITMENT_LIMIT, "of more than there is");
	is((uint32_t)section_make(LARGE, PAGE_READWRITE, SEC_COMMIT, &section), 0, "a section of small pages");
	is((uint32_t)map(section, &d, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE), (uint32_t)STATUS_INVALID_PARAMETER_9,
	   "has no view with large ones");
	CloseHandle(section);
}

/* child HANDLE: an inherited section of a large page: reads what the parent wrote, answers, and ends with the view. */
static int child(HANDLE section)
{
	char *view = NULL;
	if (map(section, &view, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE))
		return 2;
	if (pattern_wrong(view, 0, LARGE_PAGES_OF_4K, 5))
		return 3;
	for (uint64_t i = 0; i < LARGE_PAGES_OF_4K; i++)
		pattern_fill(view, i, 6);
	large(1);
	return 0; /* ends with that too, if it got one */
}

static void test_processes(void)
{
	uint64_t physical = memory_now().frames_physical;
	HANDLE section = NULL;
	char *view = NULL, arguments[64];
	NTSTATUS status = section_make(LARGE, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, &section);
	if (!status)
		status = map(section, &view, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE);
	is((uint32_t)status, 0, "a section for two processes");
	if (status)
		return;
	for (uint64_t i = 0; i < LARGE_PAGES_OF_4K; i++)
		pattern_fill(view, i, 5);
	SetHandleInformation(section, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
	sprintf(arguments, "child %llu", (unsigned long long)(uintptr_t)section);
	is(process_run(arguments, true), 0, "another process sees what this one wrote");
	is(pattern_wrong(view, 0, LARGE_PAGES_OF_4K, 6), 0, "and the other way round");
	for (int i = 0; i < 100 && memory_now().frames_physical != physical + LARGE_PAGES_OF_4K; i++)
		Sleep(20);
	is(memory_now().frames_physical, physical + LARGE_PAGES_OF_4K, "its end frees what it had alone");
	NtUnmapViewOfSection(GetCurrentProcess(), view);
	CloseHandle(section);
	is(memory_now().frames_physical, physical, "the last reference frees the section's");
}

/* ---- memory that is scattered ---- */

static void body(void)
{
	HANDLE section;
	char *view = NULL, *p = large(1);
	if (p)
		*p = 1;
	memory_release(p);
	if (section_make(LARGE, PAGE_READWRITE, SEC_COMMIT | SEC_LARGE_PAGES, &section) == 0) {
		map(section, &view, 0, 0, MEM_LARGE_PAGES, PAGE_READWRITE);
		*view = 1;
		CloseHandle(section);
		NtUnmapViewOfSection(GetCurrentProcess(), view);
	}
}

/*
 * Other memory fills so many percent of what is available, and then every second page of it is freed: there are few runs
 * any more, but for what the kernel brings together.
 */
static char *scatter(uint64_t percent, uint64_t *pages)
{
	struct bs_memory m = memory_now();
	uint64_t fill = memory_available(&m) * percent / 100, room = (m.commit_limit - m.commit_charge) * 63 / 64 - 256;
	fill = fill < room ? fill : room;
	char *p = VirtualAlloc(NULL, fill * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t i = 0; p && i < fill; i++) {
		pattern_fill(p, i, 8);
		if (i % 256 == 0)
			tap_alive();
	}
	for (uint64_t i = 0; p && i < fill; i += 2)
		VirtualFree(p + i * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT);
	*pages = fill;
	return p;
}

static void test_scattered(void)
{
	uint64_t fill, want = memory_now().frames_total > 8192 ? 4 : 1, got = 0;
	char *p = scatter(85, &fill), *l[4] = { NULL };
	ok(p != NULL, "%llu pages of small ones", (unsigned long long)fill);
	while (got < want && (l[got] = large(1)))
		got++;
	/* What the kernel has can't be moved, and may be anywhere: so not as many as there would be room for. */
	is_within(got, 1, want, "large pages where every second small one was free");
	for (uint64_t n = 0; n < got; n++)
		for (uint64_t i = 0; i < LARGE_PAGES_OF_4K; i++)
			pattern_fill(l[n], i, 9 + n);
	uint64_t wrong = 0;
	for (uint64_t i = 1; i < fill; i += 2)
		wrong += !pattern_holds(p, i, 8);
	is(wrong, 0, "the small ones have their contents");
	wrong = 0;
	for (uint64_t n = 0; n < got; n++)
		wrong += pattern_wrong(l[n], 0, LARGE_PAGES_OF_4K, 9 + n) + !is_one_run(l[n]);
	is(wrong, 0, "as have the large ones");
	for (uint64_t n = 0; n < got; n++)
		memory_release(l[n]);
	memory_release(p);
}

/* Threads that read and write pages all the time, while these are moved out of the way of large ones. */
#define WORKERS 3
#define WORK_PAGES 300

static volatile LONG stop, pause, wrong_pages;

static DWORD WINAPI worker(void *base)
{
	uint64_t owner = 30;
	while (!stop) {
		if (pause) { /* freeing page by page interrupts all who run */
			Sleep(1);
			continue;
		}
		for (uint64_t i = 0; i < WORK_PAGES; i++)
			pattern_fill(base, i, owner);
		InterlockedExchangeAdd(&wrong_pages, (LONG)pattern_wrong(base, 0, WORK_PAGES, owner));
		owner = 30 + (owner + 1) % 1000;
	}
	return 0;
}

static void test_moved(void)
{
	HANDLE threads[WORKERS], section = NULL;
	uint64_t got = 0;
	stop = wrong_pages = 0;
	char *base[WORKERS];
	section_make(WORK_PAGES * PAGE_BYTES, PAGE_READWRITE, SEC_COMMIT, &section);
	for (int i = 0; i < WORKERS; i++) {
		base[i] = NULL;
		if (i) /* private memory, and a section */
			base[i] = VirtualAlloc(NULL, WORK_PAGES * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		else
			map(section, &base[i], 0, 0, 0, PAGE_READWRITE);
		threads[i] = CreateThread(NULL, 0, worker, base[i], 0, NULL);
	}
	for (int round = 0; round < 5; round++) {
		uint64_t fill;
		pause = 1;
		char *p = scatter(90, &fill);
		pause = 0;
		char *l = large(1);
		got += l != NULL;
		Sleep(20);
		memory_release(l);
		memory_release(p);
		tap_alive();
	}
	stop = 1;
	for (int i = 0; i < WORKERS; i++) {
		WaitForSingleObject(threads[i], INFINITE);
		CloseHandle(threads[i]);
		i ? memory_release(base[i]) : (void)NtUnmapViewOfSection(GetCurrentProcess(), base[i]);
	}
	CloseHandle(section);
	/* What is in use just then can't be moved, nor what the kernel has: so not each time. */
	is_within(got, 0, 5, "large pages are made while threads use small ones");
	is((uint64_t)wrong_pages, 0, "whose contents are never wrong");
}

static void test_pressure(void)
{
	uint64_t count = memory_now().frames_total > 8192 ? 4 : 1;
	char *p = large(count);
	ok(p != NULL, "large pages");
	if (!p)
		return;
	struct bs_memory m = memory_now();
	uint64_t fill = memory_available(&m) * 11 / 10, frames[4];
	uint64_t room = (m.commit_limit - m.commit_charge) * 63 / 64 - 256;
	fill = fill < room ? fill : room;
	for (uint64_t i = 0; i < count * LARGE_PAGES_OF_4K; i++)
		pattern_fill(p, i, 20);
	for (uint64_t i = 0; i < count; i++)
		frames[i] = frame_at(p + i * LARGE);
	char *q = VirtualAlloc(NULL, fill * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t i = 0; q && i < fill; i++) {
		pattern_fill(q, i, 21);
		if (i % 256 == 0)
			tap_alive();
	}
	bool there = true;
	for (uint64_t i = 0; i < count; i++)
		there &= frames[i] == frame_at(p + i * LARGE) && is_one_run(p + i * LARGE);
	ok(q && there, "%llu pages later they are where they were", (unsigned long long)fill);
	is(pattern_wrong(p, 0, count * LARGE_PAGES_OF_4K, 20), 0, "with their contents");
	is(q ? pattern_wrong(q, 0, fill, 21) : 1, 0, "as the others");
	memory_release(q);
	memory_release(p);
}

static void test_exhaustion(void)
{
	uint64_t physical = memory_now().frames_physical, count = 0;
	char *all[1024];
	DWORD error = 0;
	while (count < 1024 && (all[count] = large(1)))
		count++;
	error = GetLastError();
	note("%llu large pages of %llu MiB", (unsigned long long)count, (unsigned long long)memory_now().frames_total >> 8);
	ok(count >= 2, "there are some large pages");
	ok(error == ERROR_NO_SYSTEM_RESOURCES || error == ERROR_COMMITMENT_LIMIT || count == 1024,
	   "then no more: error %lu", error);
	char *plain = VirtualAlloc(NULL, 1 << 20, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(plain && can_write(plain), "small ones are still there");
	memory_release(plain);
	while (count)
		memory_release(all[--count]);
	is(memory_now().frames_physical, physical, "all are given back");
}

int main(int argc, char **argv)
{
	probes_init();
	if (argc > 2 && !strcmp(argv[1], "child"))
		return child((HANDLE)(uintptr_t)strtoull(argv[2], NULL, 10));
	test_private();
	test_refusals();
	test_section();
	test_processes();
	test_pressure();
	test_scattered();
	test_moved();
	test_exhaustion();
	return leaks_none_and_end(body, 0);
}
