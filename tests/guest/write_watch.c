/*
 * GetWriteWatch and ResetWriteWatch: which pages were written to since, by the program and by the kernel for it, in
 * memory or away from it in between; changes of protection and decommitting; refusals.
 */
#include "calls.h"
#include "squeeze.h"

#define PAGES 32
#define SIZE (PAGES * PAGE_BYTES)
#define ROOM 64

static void *found[ROOM];
static ULONG_PTR found_count;

static char *watched(DWORD type, DWORD protect)
{
	return VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_WRITE_WATCH | type, protect);
}

/* The pages of a range that were written to, as a mask by their number from base on; ~0: the call failed. */
static uint64_t written(char *base, char *from, uint64_t size, DWORD flags)
{
	DWORD granularity = 0;
	uint64_t mask = 0;
	found_count = ROOM;
	if (GetWriteWatch(flags, from, size, found, &found_count, &granularity) || granularity != PAGE_BYTES)
		return ~0ull;
	for (ULONG_PTR i = 0; i < found_count; i++) {
		if ((i && found[i] <= found[i - 1]) || (uintptr_t)found[i] % PAGE_BYTES)
			return ~0ull; /* not in order, or not a page */
		mask |= 1ull << (((char *)found[i] - base) / PAGE_BYTES);
	}
	return mask;
}

static uint64_t peek(char *p)
{
	return written(p, p, SIZE, 0);
}

static uint64_t take(char *p)
{
	return written(p, p, SIZE, WRITE_WATCH_FLAG_RESET);
}

#define PAGE(number) (1ull << (number))

static void test_plain(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE);
	MEMORY_BASIC_INFORMATION info = query(p);
	ok(p && info.State == MEM_COMMIT && info.Type == MEM_PRIVATE && info.Protect == PAGE_READWRITE &&
		   info.AllocationProtect == PAGE_READWRITE && info.RegionSize == SIZE,
	   "write-watched memory looks like other memory");
	is(peek(p), 0, "nothing was written");
	volatile char sum = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		sum += p[page * PAGE_BYTES];
	is(peek(p), 0, "reading is not writing");
	p[PAGE_BYTES + 1] = 1;
	is(peek(p), PAGE(1), "one page was written");
	is(peek(p), PAGE(1), "looking does not change that");
	is(take(p), PAGE(1), "nor does the reset come before the answer");
	is(peek(p), 0, "but after it");
	p[PAGE_BYTES + 1] = 2;
	is(take(p), PAGE(1), "written again it counts again");
	p[2 * PAGE_BYTES + 3] = 1;
	p[4 * PAGE_BYTES + 8] = 1;
	is(peek(p), PAGE(2) | PAGE(4), "two pages, in order");
	is(written(p, p + 3 * PAGE_BYTES, 2 * PAGE_BYTES, 0), PAGE(4), "in a part of the range");
	is(ResetWriteWatch(p, 3 * PAGE_BYTES), 0, "ResetWriteWatch of a part");
	is(peek(p), PAGE(4), "forgets that part alone");
	*(volatile uint32_t *)(p + 2 * PAGE_BYTES - 2) = 7;
	is(peek(p), PAGE(1) | PAGE(2) | PAGE(4), "a word across an edge is two pages");
	DWORD granularity;
	found_count = 1;
	ok(GetWriteWatch(WRITE_WATCH_FLAG_RESET, p, SIZE, found, &found_count, &granularity) == 0 && found_count == 1 &&
		   found[0] == p + PAGE_BYTES,
	   "an array too small gets the first");
	is(take(p), PAGE(2) | PAGE(4), "and only what it got is reset");
	found_count = 2;
	p[9 * PAGE_BYTES] = p[8 * PAGE_BYTES] = p[7 * PAGE_BYTES] = 1;
	ok(GetWriteWatch(0, p + 100, 8 * PAGE_BYTES, found, &found_count, &granularity) == 0 && found_count == 2 &&
		   found[0] == p + 7 * PAGE_BYTES && found[1] == p + 8 * PAGE_BYTES,
	   "a range between edges is widened to pages");
	for (uint64_t page = 0; page < PAGES; page++)
		p[page * PAGE_BYTES + 1] = 2;
	is(take(p), (1ull << PAGES) - 1, "all of them");
	is(ResetWriteWatch(p, SIZE), 0, "ResetWriteWatch of nothing new");
	VirtualFree(p, 0, MEM_RELEASE);
}

/* Threads on other CPUs have the page writable in their TLB: a reset must reach them. */
static volatile LONG stop;

static DWORD WINAPI writer(void *page)
{
	while (!stop)
		++*(volatile uint64_t *)page;
	return 0;
}

static void test_threads(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE);
	stop = 0;
	HANDLE thread = CreateThread(NULL, 0, writer, p + 3 * PAGE_BYTES, 0, NULL);
	int seen = 0;
	for (int i = 0; i < 50; i++) {
		volatile uint64_t *counter = (volatile uint64_t *)(p + 3 * PAGE_BYTES);
		take(p);
		uint64_t then = *counter;
		while (*counter == then)
			Sleep(0);
		seen += peek(p) == PAGE(3);
	}
	stop = 1;
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	is((uint64_t)seen, 50, "another thread's writes are seen after each of 50 resets");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void test_kernel_writes(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE), path[MAX_PATH], text[100] = "text";
	SIZE_T done;
	DWORD got = 0;
	GetModuleFileNameA(NULL, path, sizeof(path));
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	ok(ReadFile(file, p + 5 * PAGE_BYTES - 100, 200, &got, NULL) && got == 200, "a file read across an edge");
	is(take(p), PAGE(4) | PAGE(5), "wrote two pages");
	ok(WriteProcessMemory(GetCurrentProcess(), p + 9 * PAGE_BYTES, text, 4, &done), "WriteProcessMemory");
	is(take(p), PAGE(9), "wrote one");
	ok(ReadProcessMemory(GetCurrentProcess(), text, p + 11 * PAGE_BYTES, 4, &done), "ReadProcessMemory into it");
	is(take(p), PAGE(11), "wrote one");
	HANDLE process = GetCurrentProcess();
	ok(ReadProcessMemory(process, p + 12 * PAGE_BYTES, text, 4, &done), "ReadProcessMemory out of it");
	is(take(p), 0, "wrote none");
	LARGE_INTEGER *counter = (LARGE_INTEGER *)(p + 2 * PAGE_BYTES);
	NtQueryPerformanceCounter(counter, NULL);
	ok(counter->QuadPart != 0 && take(p) == PAGE(2), "a result that a system call stores");
	/* The very array that tells it, and the count. */
	found_count = ROOM;
	p[0] = 1;
	ULONG granularity;
	void **array = (void **)(p + 20 * PAGE_BYTES);
	ok(GetWriteWatch(WRITE_WATCH_FLAG_RESET, p, SIZE, array, &found_count, &granularity) == 0 && found_count >= 1 &&
		   array[0] == p,
	   "an array in watched memory itself");
	CloseHandle(file);
	VirtualFree(p, 0, MEM_RELEASE);
}

static void test_states(void)
{
	char *p = watched(0, PAGE_NOACCESS);
	DWORD old;
	is(query(p).State, MEM_RESERVE, "reserved memory can be watched");
	is(peek(p), 0, "none was written");
	ok(VirtualAlloc(p, SIZE, MEM_COMMIT, PAGE_NOACCESS) == p && peek(p) == 0, "committed without access, none");
	VirtualProtect(p, 6 * PAGE_BYTES, PAGE_READWRITE, &old);
	is(peek(p), 0, "VirtualProtect writes nothing");
	p[5 * PAGE_BYTES + 200] = 3;
	VirtualProtect(p, 6 * PAGE_BYTES, PAGE_NOACCESS, &old);
	is(old, PAGE_READWRITE, "the protection is as it was set, whatever was written");
	is(peek(p), PAGE(5), "what was written stays known without access");
	VirtualProtect(p, SIZE, PAGE_READONLY, &old);
	is(peek(p), PAGE(5), "and when it is read-only");
	violation(can_write(p), KIND_WRITE, p, "which a write still meets");
	is(peek(p), PAGE(5), "and that write did not happen");
	VirtualProtect(p, SIZE, PAGE_READWRITE, &old);
	is(take(p), PAGE(5), "and when it is writable again");
	is(query(p).Protect, PAGE_READWRITE, "a reset does not change what VirtualQuery says");
	ok(can_write(p + PAGE_BYTES) && take(p) == PAGE(1), "nor what can be done");
	VirtualProtect(p, SIZE, PAGE_READWRITE | PAGE_GUARD, &old);
	ok(!can_write(p + 3 * PAGE_BYTES) && fault.code == (DWORD)STATUS_GUARD_PAGE_VIOLATION, "a guard page speaks first");
	is(peek(p), 0, "and that write did not happen");
	ok(can_write(p + 3 * PAGE_BYTES) && take(p) == PAGE(3), "the second one did");
	VirtualProtect(p, SIZE, PAGE_READWRITE, &old);

	/* Windows knows of the write still; here nothing is known of a page that is not committed. */
	p[5 * PAGE_BYTES] = 1;
	ok(VirtualFree(p, SIZE, MEM_DECOMMIT), "decommitted");
	uint64_t mask = peek(p);
	ok(mask == PAGE(5) || mask == 0, "nothing else was written");
	ok(VirtualAlloc(p, SIZE, MEM_COMMIT, PAGE_READWRITE) == p && p[5 * PAGE_BYTES] == 0, "committed again it is zero");
	is(take(p), mask, "which is no write");
	is(take(p), 0, "nothing is left to tell");
	VirtualFree(p, SIZE, MEM_DECOMMIT);
	is(peek(p), 0, "decommitting is not writing");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void test_paging(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE);
	for (uint64_t page = 0; page < PAGES; page += 3)
		pattern_fill(p, page, 31);
	uint64_t mask = peek(p);
	memory_squeeze_all();
	uint64_t paged = pages_backed(p, PAGES, BS_PAGING_FILE);
	is(peek(p), mask, "what was written is known of pages that have left memory (%llu are paged out)",
	   (unsigned long long)paged);
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < PAGES; page += 3)
		wrong += !pattern_holds(p, page, 31);
	is(wrong, 0, "they are intact");
	is(peek(p), mask, "and coming back is not writing");
	is(take(p), mask, "it is reset then");
	is(peek(p), 0, "and they are clean");
	memory_squeeze_all();
	is(peek(p), 0, "leaving memory does not write them");
	ResetWriteWatch(p, SIZE);
	p[6 * PAGE_BYTES + 8] = 9;
	is(take(p), PAGE(6), "a write to a page that was away");
	/* Reset while away: the next write must be seen though the page was dirty. */
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, 32);
	memory_squeeze_all();
	is(take(p), (1ull << PAGES) - 1, "a reset of pages that are away");
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(p, page, 32);
	is(wrong, 0, "leaves their contents");
	is(peek(p), 0, "and reading them changes nothing");
	pattern_fill(p, 17, 33);
	is(take(p), PAGE(17), "but writing does");
	working_set_empty();
	is(pattern_wrong(p, 0, 17, 32) + !pattern_holds(p, 17, 33), 0, "all is intact");
	VirtualFree(p, 0, MEM_RELEASE);
}

static UINT get(DWORD flags, void *base, SIZE_T size, void **array, ULONG_PTR *count, ULONG *granularity)
{
	SetLastError(0);
	return GetWriteWatch(flags, base, size, array, count, granularity);
}

static void test_refusals(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE);
	char *plain = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	void *array[8];
	ULONG_PTR count = 8, none = 0;
	ULONG granularity;
	p[0] = 1;
	refused(get(0, NULL, SIZE, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "address 0");
	refused(get(0, plain, SIZE, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "memory without a watch");
	refused(get(0, GetModuleHandleA(NULL), PAGE_BYTES, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER,
		"an image");
	refused(get(0, p, SIZE, array, &none, &granularity) == 0, ERROR_INVALID_PARAMETER, "an array of no entries");
	refused(get(0, p, SIZE, array, NULL, &granularity) == 0, ERROR_NOACCESS, "no count");
	refused(get(0, p, SIZE, array, &count, NULL) == 0, ERROR_NOACCESS, "no place for the granularity");
	refused(get(0, p, SIZE, NULL, &count, &granularity) == 0, ERROR_NOACCESS, "no array");
	refused(get(0xdeadbeef, p, SIZE, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "unknown flags");
	refused(get(2, p, SIZE, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "flag 2");
	refused(get(0, p, 0, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "no size");
	refused(get(0, p, SIZE * 2, array, &count, &granularity) == 0, ERROR_INVALID_PARAMETER, "twice the size");
	refused(get(0, p + SIZE - PAGE_BYTES, PAGE_BYTES + 1, array, &count, &granularity) == 0,
		ERROR_INVALID_PARAMETER, "a byte too much");
	is(GetWriteWatch(0xdeadbeef, p, SIZE, array, &count, &granularity), ~0u, "the result of a refusal is -1");
	SetLastError(0);
	refused(ResetWriteWatch(p, 0) == 0, ERROR_INVALID_PARAMETER, "a reset of no size");
	refused(ResetWriteWatch(plain, SIZE) == 0, ERROR_INVALID_PARAMETER, "a reset of memory without a watch");
	refused(ResetWriteWatch(p, SIZE + 1) == 0, ERROR_INVALID_PARAMETER, "a reset beyond the end");
	refused(VirtualAlloc(NULL, SIZE, MEM_WRITE_WATCH, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_WRITE_WATCH alone");
	refused(VirtualAlloc(NULL, SIZE, MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_WRITE_WATCH without MEM_RESERVE");
	is(peek(p), PAGE(0), "after all that the write is known still");

	/* An array or count that can't be written: refused, and nothing is reset. */
	char *readable = VirtualAlloc(NULL, PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READONLY);
	refused(get(WRITE_WATCH_FLAG_RESET, p, SIZE, (void **)readable, &count, &granularity) == 0, ERROR_NOACCESS,
		"an array that is read-only");
	refused(get(WRITE_WATCH_FLAG_RESET, p, SIZE, array, &count, (ULONG *)readable) == 0, ERROR_NOACCESS,
		"a granularity that is read-only");
	is(take(p), PAGE(0), "the write is known still");

	/* Native, by process handle. */
	count = 8;
	status_is(NtGetWriteWatch((HANDLE)0x1234568, 0, p, SIZE, array, &count, &granularity), STATUS_INVALID_HANDLE,
		  "no process");
	status_is(NtResetWriteWatch(GetCurrentThread(), p, SIZE), STATUS_OBJECT_TYPE_MISMATCH, "a thread");
	status_is(NtGetWriteWatch(NATIVE_PROCESS, 0, p, SIZE, array, &count, &granularity), 0, "this process");
	VirtualFree(readable, 0, MEM_RELEASE);
	VirtualFree(plain, 0, MEM_RELEASE);
	VirtualFree(p, 0, MEM_RELEASE);
}

/* Watched memory is released as a whole. */
static void test_whole(void)
{
	char *p = watched(MEM_COMMIT, PAGE_READWRITE);
	p[2 * PAGE_BYTES] = p[20 * PAGE_BYTES] = 1;
	status_is(native_free(p + 8 * PAGE_BYTES, 4 * PAGE_BYTES, MEM_RELEASE), STATUS_FREE_VM_NOT_AT_BASE,
		  "a part is not released");
	is(take(p), PAGE(2) | PAGE(20), "what was written is known still");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void all(void)
{
	test_plain();
	test_threads();
	test_kernel_writes();
	test_states();
	test_paging();
	test_refusals();
	test_whole();
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
