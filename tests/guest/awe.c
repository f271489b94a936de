/*
 * Address Windowing Extensions: physical pages that a process is given, and windows that show them. Which page is where is
 * told by its contents; that none leaves memory, by BsQueryBacking under pressure.
 */
#include "guest.h"

#define WINDOW 256 /* pages */

static ULONG_PTR pages[WINDOW];

static char *window_make(uint64_t size)
{
	return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);
}

static NTSTATUS give(ULONG_PTR *count, ULONG_PTR *frames)
{
	return NtAllocateUserPhysicalPages(GetCurrentProcess(), count, frames);
}

static NTSTATUS take_back(ULONG_PTR count, ULONG_PTR *frames)
{
	return NtFreeUserPhysicalPages(GetCurrentProcess(), &count, frames);
}

static bool all_zero(const char *p, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += 8)
		if (*(const uint64_t *)(p + i))
			return false;
	return true;
}

/* count pages, each with its index in it, not mapped. */
static bool pages_marked(char *window, ULONG_PTR *frames, ULONG_PTR count)
{
	ULONG_PTR got = count;
	if (give(&got, frames) || got != count || NtMapUserPhysicalPages(window, count, frames))
		return false;
	for (uint64_t i = 0; i < count; i++)
		*(uint64_t *)(window + i * PAGE_BYTES) = i + 1;
	return !NtMapUserPhysicalPages(window, count, NULL);
}

static uint64_t mark_at(const char *window, uint64_t i)
{
	return *(const volatile uint64_t *)(window + i * PAGE_BYTES);
}

static void test_window(void)
{
	char *w = window_make(WINDOW * PAGE_BYTES);
	DWORD old;
	ok(w != NULL, "a window is reserved");
	is((uintptr_t)w % 65536, 0, "at a multiple of 65,536");
	is(query(w).State, MEM_RESERVE, "where nothing is mapped it is reserved");
	is(query(w).AllocationProtect, PAGE_READWRITE, "for reading and writing");
	is(query(w).Type, MEM_PRIVATE, "private");
	is(query(w).RegionSize, WINDOW * PAGE_BYTES, "and all alike");
	violation(can_read(w), KIND_READ, w, "it can't be read");
	violation(can_write(w + 5), KIND_WRITE, w + 5, "nor written");


		refused(VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT | MEM_PHYSICAL, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_PHYSICAL with MEM_COMMIT");
	refused(VirtualAlloc(NULL, 65536, MEM_PHYSICAL, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "MEM_PHYSICAL alone");
	refused(VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_PHYSICAL | MEM_WRITE_WATCH, PAGE_READWRITE),
		ERROR_INVALID_PARAMETER, "MEM_PHYSICAL with MEM_WRITE_WATCH");
	refused(VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_PHYSICAL, PAGE_READONLY), ERROR_INVALID_PARAMETER,
		"a window for reading only");
	refused(VirtualAlloc(w, 65536, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE), ERROR_INVALID_ADDRESS,
		"a window where one is");
	refused(VirtualAlloc(w, 4096, MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_ADDRESS, "MEM_COMMIT in a window");
	refused(VirtualFree(w, 4096, MEM_DECOMMIT), ERROR_INVALID_ADDRESS, "MEM_DECOMMIT in a window");
	refused(VirtualProtect(w, 4096, PAGE_READONLY, &old), ERROR_INVALID_PARAMETER, "VirtualProtect of a window");
	void *part = w + 65536;
	SIZE_T size = 65536;
	ok(NtFreeVirtualMemory(GetCurrentProcess(), &part, &size, MEM_RELEASE) < 0,
	   "a part of a window can't be released");
	ok(query(w).RegionSize == WINDOW * PAGE_BYTES, "after all that the window is as it was");
	memory_release(w);
	is(query(w).State, MEM_FREE, "released it is free");
	char *huge = window_make(1ull << 40);
	ok(huge != NULL, "a window of 1 TiB is reserved");
	is((uint32_t)NtMapUserPhysicalPages(huge, 1ull << 28, NULL), 0, "nothing is unmapped from it at once");
	memory_release(huge);
}

static void test_pages(void)
{
	char *w = window_make(WINDOW * PAGE_BYTES);
	struct bs_memory before = memory_now(), during;
	ULONG_PTR count = WINDOW;
	is((uint32_t)give(&count, pages), 0, "256 pages are given");
	is(count, WINDOW, "all of them");
	during = memory_now();
	is(during.frames_physical - before.frames_physical, WINDOW, "they are counted as physical");
	is(during.commit_physical - before.commit_physical, WINDOW, "and charged as such");
	is((uint32_t)NtMapUserPhysicalPages(w, WINDOW, pages), 0, "they are mapped");
	ok(all_zero(w, WINDOW * PAGE_BYTES), "they are zero");
	is(query(w).State, MEM_COMMIT, "the window is committed there");
	is(query(w).Protect, PAGE_READWRITE, "readable and writable");
	is(query(w).RegionSize, WINDOW * PAGE_BYTES, "all of it");
	is(page_at(w).frame, pages[0], "the numbers are those of the frames");
	violation(can_execute(w), KIND_EXECUTE, w, "a window can't be executed");
	for (uint64_t i = 0; i < WINDOW; i++)
		pattern_fill(w, i, 7);

	/* The same pages in another order, then in another window. */
	ULONG_PTR turned[WINDOW];
	for (int i = 0; i < WINDOW; i++)
		turned[i] = pages[WINDOW - 1 - i];
	is((uint32_t)NtMapUserPhysicalPages(w, WINDOW, turned), 0, "the same pages are mapped in another order");
	is(page_at(w).frame, pages[WINDOW - 1], "the last page is the first");
	is((uint32_t)NtMapUserPhysicalPages(w, WINDOW, pages), 0, "and back");
	bool good = true;
	for (uint64_t i = 0; i < WINDOW; i++)
		good &= pattern_holds(w, i, 7);
	ok(good, "remapping keeps contents");
	char *other = window_make(65536 * 2);
	is((uint32_t)NtMapUserPhysicalPages(other, 4, pages), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "what is mapped can't be mapped elsewhere");
	ok(!can_read(other), "and is not");
	is((uint32_t)NtMapUserPhysicalPages(w, 4, NULL), 0, "four pages are unmapped");
	violation(can_read(w + 3 * PAGE_BYTES), KIND_READ, w + 3 * PAGE_BYTES, "they are not there");
	ok(can_read(w + 4 * PAGE_BYTES), "the next one is");
	is((uint32_t)NtMapUserPhysicalPages(other + PAGE_BYTES, 4, pages), 0, "they are mapped in another window");
	is(mark_at(other, 1), mark_at(other, 1), "and can be read there");
	is((uint32_t)NtMapUserPhysicalPages(w, 1, pages + 4), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "a page that is mapped behind what is replaced can't be mapped");
	is((uint32_t)NtMapUserPhysicalPages(w + 4 * PAGE_BYTES, 1, pages + 4), 0, "where it is it can");
	is((uint32_t)NtMapUserPhysicalPages(w + 4 * PAGE_BYTES, 2, pages + 5), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "a page that only half leaves can't");
	is(page_at(w + 4 * PAGE_BYTES).frame, pages[4], "and nothing was changed");

	memory_release(other);
	is((uint32_t)NtMapUserPhysicalPages(w, 4, pages), 0, "when a window goes its pages can be mapped elsewhere");
	good = true;
	for (uint64_t i = 0; i < WINDOW; i++)
		good &= pattern_holds(w, i, 7);
	ok(good, "and all have their contents");
	ULONG_PTR half = WINDOW / 2;
	is((uint32_t)NtFreeUserPhysicalPages(GetCurrentProcess(), &half, pages), 0,
	   "half of them are freed while mapped");
	violation(can_read(w), KIND_READ, w, "they are unmapped");
	ok(can_read(w + WINDOW / 2 * PAGE_BYTES), "the others are not");
	is((uint32_t)NtMapUserPhysicalPages(w, 1, pages), (uint32_t)STATUS_CONFLICTING_ADDRESSES,
	   "what was freed can't be mapped");
	memory_release(w);
	is((uint32_t)take_back(WINDOW / 2, pages + WINDOW / 2), 0, "the rest is freed after the window");
	during = memory_now();
	is(during.frames_physical, before.frames_physical, "all are given back");
	is(during.commit_physical, before.commit_physical, "and their charge");
}

static void test_refusals(void)
{
	char *w = window_make(65536), *plain = VirtualAlloc(NULL, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ULONG_PTR count = 0, frames[16], bad[4];
	is((uint32_t)give(&count, NULL), 0, "no pages are given");
	is((uint32_t)take_back(0, NULL), 0, "and freed");
	is((uint32_t)NtMapUserPhysicalPages(NULL, 0, NULL), 0, "and mapped");
	count = ~0ull;
	is((uint32_t)give(&count, frames), (uint32_t)STATUS_INVALID_PARAMETER_2,
	   "more than an array can hold is refused");
	is((uint32_t)give(NULL, frames), (uint32_t)STATUS_ACCESS_VIOLATION, "a count that is not there");
	count = 4;
	is((uint32_t)NtAllocateUserPhysicalPages(NULL, &count, frames), (uint32_t)STATUS_INVALID_HANDLE,
	   "a process that is not there");
	uint64_t physical = memory_now().frames_physical;
	is((uint32_t)give(&count, NULL), (uint32_t)STATUS_ACCESS_VIOLATION, "an array that is not there");
	is((uint32_t)give(&count, (ULONG_PTR *)0xffff800000000000), (uint32_t)STATUS_ACCESS_VIOLATION,
	   "an array in the kernel");
	is(memory_now().frames_physical, physical, "and nothing is given");
	ok(pages_marked(w, frames, 8), "eight pages");

	is((uint32_t)NtMapUserPhysicalPages(plain, 1, frames), (uint32_t)STATUS_INVALID_PARAMETER_1,
	   "mapping them in plain memory");
	is((uint32_t)NtMapUserPhysicalPages(NULL, 1, frames), (uint32_t)STATUS_INVALID_PARAMETER_1, "where nothing is");
	is((uint32_t)NtMapUserPhysicalPages((void *)0xffff800000000000, 1, frames), (uint32_t)STATUS_INVALID_PARAMETER_1,
	   "in the kernel");
	is((uint32_t)NtMapUserPhysicalPages(w + 65536 - 4096, 2, frames), (uint32_t)STATUS_INVALID_PARAMETER_2,
	   "behind the window's end");
	is((uint32_t)NtMapUserPhysicalPages(w, ~0ull, frames), (uint32_t)STATUS_INVALID_PARAMETER_2,
	   "more than there are addresses");
	is((uint32_t)NtMapUserPhysicalPages(w, 4, (ULONG_PTR *)8), (uint32_t)STATUS_ACCESS_VIOLATION,
	   "numbers that can't be read");
	bad[0] = frames[0];
	bad[1] = frames[0];
	is((uint32_t)NtMapUserPhysicalPages(w, 2, bad), (uint32_t)STATUS_INVALID_PARAMETER_3, "a page named twice");
	static const ULONG_PTR wrong[] = { 0, 1, 0x100, 1ull << 40, ~0ull, 1ull << 63 };
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		bad[1] = wrong[i];
		is((uint32_t)NtMapUserPhysicalPages(w, 2, bad), (uint32_t)STATUS_CONFLICTING_ADDRESSES, "frame 0x%llx",
		   (unsigned long long)wrong[i]);
	}
	plain[0] = 'x';
	bad[1] = page_at(plain).frame;
	is((uint32_t)NtMapUserPhysicalPages(w, 2, bad), (uint32_t)STATUS_CONFLICTING_ADDRESSES,
	   "the frame of plain memory");
	is((uint32_t)take_back(1, bad + 1), (uint32_t)STATUS_CONFLICTING_ADDRESSES, "which can't be freed either");
	is(plain[0], 'x', "and keeps its contents");
	ok(!can_read(w) && !can_read(w + PAGE_BYTES), "nothing was mapped by all that");

	bad[0] = frames[6];
	bad[1] = frames[7];
	bad[2] = frames[7];
	count = 3;
	is((uint32_t)NtFreeUserPhysicalPages(GetCurrentProcess(), &count, bad), (uint32_t)STATUS_CONFLICTING_ADDRESSES,
	   "freeing a page twice");
	is(count, 2, "two were freed");
	is((uint32_t)NtMapUserPhysicalPages(w, 6, frames), 0, "the others can be mapped");
	is(mark_at(w, 5), 6, "and are what they were");

	/* The array lies in the window from which its page goes. */
	memcpy(w, frames, 6 * sizeof(*frames));
	is((uint32_t)NtMapUserPhysicalPages(w, 6, (ULONG_PTR *)w), 0, "numbers that lie in the window itself");
	is((uint32_t)take_back(6, (ULONG_PTR *)w), 0, "also to be freed");
	ok(!can_read(w), "and then it is gone");
	memory_release(w);
	memory_release(plain);
}

static void test_scatter(void)
{
	char *a = window_make(65536), *b = window_make(4 << 20), *plain = VirtualAlloc(NULL, 4096, MEM_COMMIT, PAGE_READWRITE);
	ULONG_PTR frames[16], some[4];
	void *at[4];
	ok(pages_marked(a, frames, 16), "16 pages");
	at[0] = a + 3 * PAGE_BYTES;
	at[1] = b + 1000 * PAGE_BYTES + 17;
	at[2] = b;
	at[3] = a;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 4, frames), 0, "four pages are mapped in two windows");
	ok(mark_at(a, 3) == 1 && mark_at(b, 1000) == 2 && mark_at(b, 0) == 3 && mark_at(a, 0) == 4,
	   "each where it shall be");
	some[0] = frames[1]; /* changes places with the second */
	some[1] = frames[0];
	some[2] = 0;
	some[3] = frames[3];
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 4, some), 0, "two change places, one goes, one stays");
	ok(mark_at(a, 3) == 2 && mark_at(b, 1000) == 1 && !can_read(b) && mark_at(a, 0) == 4, "as asked");
	some[0] = frames[4];
	some[1] = frames[4];
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, some), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "one page at two addresses");
	some[1] = frames[3];
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, some), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "a page that is elsewhere");
	some[1] = 5;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, some), (uint32_t)STATUS_CONFLICTING_ADDRESSES,
	   "somebody else's");
	at[1] = plain;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, frames + 4), (uint32_t)STATUS_INVALID_PARAMETER_1,
	   "an address in no window");
	at[1] = (void *)0xffffffffffff0000;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, NULL), (uint32_t)STATUS_INVALID_PARAMETER_1, "in the kernel");
	is((uint32_t)NtMapUserPhysicalPagesScatter(NULL, 2, NULL), (uint32_t)STATUS_ACCESS_VIOLATION, "no addresses");
	ok(mark_at(a, 3) == 2 && mark_at(b, 1000) == 1 && mark_at(a, 0) == 4, "nothing was changed by that");
	at[0] = at[1] = b + 8 * PAGE_BYTES;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, frames + 8), 0, "two pages for one address");
	is(mark_at(b, 8), 10, "the last is there");
	at[0] = a;
	is((uint32_t)NtMapUserPhysicalPagesScatter(at, 2, NULL), 0, "two are unmapped");
	ok(!can_read(a) && !can_read(b + 8 * PAGE_BYTES) && can_read(a + 3 * PAGE_BYTES), "those");
	memory_release(a);
	memory_release(b);
	memory_release(plain);
	is((uint32_t)take_back(16, frames), 0, "all are freed");
}

/* ---- processes ---- */

/* child FRAME: tries to use the parent's page FRAME, gets pages of its own, and ends without giving them back. */
static int child(ULONG_PTR frame)
{
	char *w = window_make(65536);
	ULONG_PTR own[4], count = 4;
	if (!w || give(&count, own) || count != 4)
		return 2;
	/* The parent's page is not ours. */
	if (NtMapUserPhysicalPages(w, 1, &frame) != STATUS_CONFLICTING_ADDRESSES)
		return 3;
	count = 1;
	if (NtFreeUserPhysicalPages(GetCurrentProcess(), &count, &frame) != STATUS_CONFLICTING_ADDRESSES || count)
		return 4;
	if (NtMapUserPhysicalPages(w, 4, own) || !all_zero(w, 4 * PAGE_BYTES))
		return 5;
	memset(w, 0x77, 4 * PAGE_BYTES);
	return 0;
}

static void test_processes(void)
{
	char *w = window_make(65536), arguments[64];
	uint64_t physical = memory_now().frames_physical;
	ULONG_PTR frames[8], given[8], count = 8;
	PROCESS_INFORMATION p;
	ok(pages_marked(w, frames, 8) && !NtMapUserPhysicalPages(w, 8, frames), "eight pages");
	sprintf(arguments, "child %llu", (unsigned long long)frames[2]);
	is(process_run(arguments, false), 0, "another process can't use them, and has its own");
	is(mark_at(w, 2), 3, "they are as they were");

	ok(process_start("child 0", false, CREATE_SUSPENDED, &p) != NULL, "a process to give pages to");
	is((uint32_t)NtAllocateUserPhysicalPages(p.hProcess, &count, given), 0, "eight pages are given to it");
	is((uint32_t)NtMapUserPhysicalPages(w, 8, given), (uint32_t)STATUS_CONFLICTING_ADDRESSES, "they are not ours");
	count = 2;
	is((uint32_t)NtFreeUserPhysicalPages(p.hProcess, &count, given), 0, "two are freed again");
	is(memory_now().frames_physical, physical + 8 + 6, "six stay");
	TerminateProcess(p.hProcess, 0);
	process_end(&p);
	for (int i = 0; i < 100 && memory_now().frames_physical != physical + 8; i++)
		Sleep(20);
	is(memory_now().frames_physical, physical + 8, "its end frees them");

	char copy[64] = "";
	SIZE_T done = 0;
	strcpy(w + PAGE_BYTES - 8, "across a page's edge");
	ok(ReadProcessMemory(GetCurrentProcess(), w + PAGE_BYTES - 8, copy, 21, &done) && done == 21 &&
	   !strcmp(copy, "across a page's edge"), "ReadProcessMemory reads a window");
	ok(WriteProcessMemory(GetCurrentProcess(), w + 16, "abc", 4, &done) && !strcmp(w + 16, "abc"),
	   "WriteProcessMemory writes it");
	NtMapUserPhysicalPages(w + PAGE_BYTES, 1, NULL);
	ok(!ReadProcessMemory(GetCurrentProcess(), w + PAGE_BYTES - 8, copy, 21, &done),
	   "but not where nothing is mapped");
	memory_release(w);
	take_back(8, frames);
}

/* Remaps a window while another thread reads it. */
static volatile LONG stop;
static volatile uint64_t strange;

static DWORD WINAPI reader(void *window)
{
	while (!stop)
		for (int i = 0; i < 4; i++) {
			uint64_t got = mark_at(window, i);
			strange += got != (uint64_t)i + 1 && got != (uint64_t)i + 5;
		}
	return 0;
}

static void test_threads(void)
{
	char *w = window_make(65536);
	ULONG_PTR frames[8];
	ok(pages_marked(w, frames, 8) && !NtMapUserPhysicalPages(w, 4, frames), "eight pages, four of them mapped");
	stop = 0;
	HANDLE t = CreateThread(NULL, 0, reader, w, 0, NULL);
	bool good = true;
	for (int i = 0; i < 200; i++) {
		good &= !NtMapUserPhysicalPages(w, 2, frames + (i % 2 ? 0 : 4)) && mark_at(w, 0) == (i % 2 ? 1u : 5u);
		void *at[] = { w + 2 * PAGE_BYTES, w + 3 * PAGE_BYTES };
		good &= !NtMapUserPhysicalPagesScatter(at, 2, frames + (i % 2 ? 2 : 6)) && mark_at(w, 3) == (i % 2 ? 4u : 8u);
	}
	stop = 1;
	WaitForSingleObject(t, INFINITE);
	CloseHandle(t);
	ok(good, "a window is remapped 400 times");
	/* Between the old page and the new one the entry is empty for a moment: then the reader waits for the lock, and reads again. */
	is(strange, 0, "another thread sees the old page or the new one");
	memory_release(w);
	take_back(8, frames);
}

/* ---- much ---- */

static void body(void)
{
	char *w = window_make(8 << 20);
	ULONG_PTR frames[64], count = 64;
	give(&count, frames);
	NtMapUserPhysicalPages(w + (4 << 20) - 32 * PAGE_BYTES, count, frames);
	take_back(count / 2, frames);
	NtMapUserPhysicalPages(w, 4, frames);
	memory_release(w);
	take_back(count - count / 2, frames + count / 2);
}

static void test_pressure(void)
{
	struct bs_memory m = memory_now();
	uint64_t much = memory_available(&m) / 4;
	ULONG_PTR count = much, *frames = malloc(much * sizeof(*frames));
	char *w = window_make(much * PAGE_BYTES);
	is((uint32_t)give(&count, frames), 0, "a quarter of memory is given");
	is(count, much, "all of it");
	is((uint32_t)NtMapUserPhysicalPages(w, count, frames), 0, "and mapped");
	for (uint64_t i = 0; i < count; i++)
		pattern_fill(w, i, 3);
	/* More than the rest of memory, if it may be promised, with its page tables. */
	uint64_t fill = memory_available(&m) * 9 / 10, room;
	m = memory_now();
	room = (m.commit_limit - m.commit_charge) * 63 / 64 - 256;
	fill = fill < room ? fill : room;
	char *p = VirtualAlloc(NULL, fill * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(p != NULL, "%llu pages of other memory", (unsigned long long)fill);
	for (uint64_t i = 0; p && i < fill; i++) {
		pattern_fill(p, i, 4);
		if (i % 256 == 0)
			tap_alive();
	}
	working_set_empty();
	bool there = true, good = true;
	for (uint64_t i = 0; i < count; i++) {
		there &= page_at(w + i * PAGE_BYTES).frame == frames[i];
		good &= pattern_holds(w, i, 3);
	}
	ok(there, "under pressure the pages stay in their frames");
	ok(good, "and have their contents");
	good = true;
	for (uint64_t i = 0; p && i < fill; i++)
		good &= pattern_holds(p, i, 4);
	ok(good, "as does the other memory");
	memory_release(p);
	memory_release(w);
	is((uint32_t)take_back(count, frames), 0, "all are freed");
	free(frames);
}

static void test_exhaustion(void)
{
	struct bs_memory m = memory_now();
	ULONG_PTR count = m.frames_total * 2, *frames = malloc(m.frames_total * sizeof(*frames)), more = 1, one;
	is((uint32_t)give(&count, frames), 0, "more pages than there are are asked for");
	note("%llu of %llu frames were given, %llu were available", (unsigned long long)count,
	     (unsigned long long)m.frames_total, (unsigned long long)memory_available(&m));
	is_within(count, memory_available(&m) / 3, memory_available(&m), "some are given");
	uint64_t seen = 0, before = GetTickCount64();
	NTSTATUS status = 0;
	while (seen < 4096 && !(status = give(&more, &one)) && more == 1) {
		if (NtFreeUserPhysicalPages(GetCurrentProcess(), &more, &one))
			break;
		seen++;
		more = 1;
		if (GetTickCount64() - before > 1000)
			break;
	}
	ok(status == STATUS_INSUFFICIENT_RESOURCES || seen, "then no more (0x%08lx), or hardly", status);
	ok(process_run("child 0", false) != ~0ul, "processes can still be started");
	char *w = window_make(count * PAGE_BYTES);
	is((uint32_t)NtMapUserPhysicalPages(w, count, frames), 0, "all can be mapped at once");
	ok(can_write(w) && can_write(w + (count - 1) * PAGE_BYTES), "and used");
	is((uint32_t)take_back(count, frames), 0, "and freed");
	memory_release(w);
	is(memory_now().frames_physical, m.frames_physical, "then all is as before");
	free(frames);
}

int main(int argc, char **argv)
{
	probes_init();
	if (argc > 2 && !strcmp(argv[1], "child"))
		return child(strtoull(argv[2], NULL, 10));
	test_window();
	test_pages();
	test_refusals();
	test_scatter();
	test_processes();
	test_threads();
	test_pressure();
	test_exhaustion();
	return leaks_none_and_end(body, 0);
}
