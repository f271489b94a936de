/*
 * PrefetchVirtualMemory, and what tells about memory: QueryWorkingSet and QueryWorkingSetEx, GetProcessMemoryInfo,
 * GetPerformanceInfo, GlobalMemoryStatusEx, the working set's limits and EmptyWorkingSet. The values agree with each
 * other, with the kernel's own counters, and with what the program does.
 */
#include "squeeze.h"
#include <psapi.h>

#define PAGES 64
#define SIZE (PAGES * PAGE_BYTES)

static PROCESS_MEMORY_COUNTERS_EX counters_now(void)
{
	PROCESS_MEMORY_COUNTERS_EX c = { .cb = sizeof(c) };
	GetProcessMemoryInfo(GetCurrentProcess(), (PROCESS_MEMORY_COUNTERS *)&c, sizeof(c));
	return c;
}

/* ---- prefetch ---- */

static bool prefetch(void *address, SIZE_T bytes)
{
	WIN32_MEMORY_RANGE_ENTRY range = { address, bytes };
	SetLastError(0);
	return PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

static void test_prefetch(void)
{
	char *p = commit_bytes(SIZE), *q = commit_bytes(SIZE);
	for (uint64_t page = 0; page < PAGES; page++) {
		pattern_fill(p, page, 20);
		pattern_fill(q, page, 21);
	}
	memory_squeeze_all();
	uint64_t away = 2 * PAGES - pages_with(p, PAGES, BS_RESIDENT) - pages_with(q, PAGES, BS_RESIDENT);
	WIN32_MEMORY_RANGE_ENTRY ranges[] = { { p, SIZE }, { q + 100, SIZE / 2 }, { q + SIZE / 2, SIZE / 2 } };
	ok(PrefetchVirtualMemory(GetCurrentProcess(), 3, ranges, 0), "PrefetchVirtualMemory of three ranges");
	for (int i = 0; i < 100 && pages_with(p, PAGES, BS_RESIDENT) + pages_with(q, PAGES, BS_RESIDENT) < 2 * PAGES; i++)
		Sleep(10); /* whether it waits for the reads is its own affair */
	is(pages_with(p, PAGES, BS_RESIDENT) + pages_with(q, PAGES, BS_RESIDENT), 2 * PAGES,
	   "brings all pages into memory (%llu of %u were away)", (unsigned long long)away, 2 * PAGES);
	is(pages_with(p, PAGES, BS_VALID) + pages_with(q, PAGES, BS_VALID), 0, "and none into the working set");
	uint64_t read = memory_now().pages_swapped_in;
	is(pattern_wrong(p, 0, PAGES, 20) + pattern_wrong(q, 0, PAGES, 21), 0, "contents are intact");
	is(memory_now().pages_swapped_in, read, "and nothing had to be read for them");
	ok(prefetch(p, SIZE), "what is in memory can be prefetched");
	char *huge = VirtualAlloc(NULL, 1ull << 40, MEM_RESERVE, PAGE_READWRITE);
	ok(prefetch(huge, 1ull << 40), "so can 1 TiB of which nothing is committed: there is nothing to do");
	memory_release(huge);
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 1 << 8, 0, NULL);
	huge = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	ok(huge && prefetch(huge, 1ull << 40), "and a view of as much");
	UnmapViewOfFile(huge);
	CloseHandle(section);

	WIN32_MEMORY_RANGE_ENTRY range = { p, SIZE };
	SetLastError(0);
	refused(PrefetchVirtualMemory(GetCurrentProcess(), 0, &range, 0), ERROR_INVALID_PARAMETER, "no ranges");
	refused(PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 1), ERROR_INVALID_PARAMETER, "flags");
	refused(PrefetchVirtualMemory(GetCurrentProcess(), 1, NULL, 0), ERROR_NOACCESS, "no array");
	refused(PrefetchVirtualMemory((HANDLE)0x7ffffffc, 1, &range, 0), ERROR_INVALID_HANDLE, "no process");
	refused(PrefetchVirtualMemory(GetCurrentThread(), 1, &range, 0), ERROR_INVALID_HANDLE, "a thread");
	is(pattern_wrong(p, 0, PAGES, 20), 0, "after all that contents are intact");

	/* It is advice: memory that is not there, or never was touched, does no harm and is not made. */
	char *fresh = commit_bytes(SIZE);
	prefetch(fresh, SIZE);
	bool zero = true;
	for (uint64_t i = 0; i < SIZE; i += 512)
		zero &= fresh[i] == 0;
	ok(zero, "pages never touched hold zeros");
	memory_release(fresh);
	prefetch(fresh, SIZE);
	is(query(fresh).State, MEM_FREE, "free memory stays free");
	char *reserved = VirtualAlloc(NULL, SIZE, MEM_RESERVE, PAGE_NOACCESS);
	prefetch(reserved, SIZE);
	is(query(reserved).State, MEM_RESERVE, "reserved memory stays reserved");
	memory_release(reserved);
	/* Image pages, too. */
	working_set_empty();
	char *code = (char *)((uintptr_t)test_prefetch & ~(PAGE_BYTES - 1));
	ok(prefetch(code, PAGE_BYTES) && (page_at(code).flags & BS_RESIDENT), "a page of the program's code");
	memory_release(p);
	memory_release(q);
}

/* ---- the working set, page by page ---- */

static PSAPI_WORKING_SET_EX_BLOCK look(void *address)
{
	PSAPI_WORKING_SET_EX_INFORMATION info = { .VirtualAddress = address };
	QueryWorkingSetEx(GetCurrentProcess(), &info, sizeof(info));
	return info.VirtualAttributes;
}

static void test_working_set_ex(void)
{
	char *p = commit_bytes(SIZE);
	static PSAPI_WORKING_SET_EX_INFORMATION info[PAGES];
	for (uint64_t page = 0; page < PAGES; page++) {
		info[page].VirtualAddress = p + page * PAGE_BYTES + page;
		if (page % 3 == 0)
			p[page * PAGE_BYTES] = 1;
	}
	ok(QueryWorkingSetEx(GetCurrentProcess(), info, sizeof(info)), "QueryWorkingSetEx of %u pages", PAGES);
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < PAGES; page++) {
		PSAPI_WORKING_SET_EX_BLOCK b = info[page].VirtualAttributes;
		wrong += b.Valid != (page % 3 == 0);
		if (b.Valid)
			wrong += b.Win32Protection != PAGE_READWRITE || b.Shared || b.Locked || b.LargePage || b.Node;
		wrong += b.Valid != ((page_at(p + page * PAGE_BYTES).flags & BS_VALID) != 0);
	}
	is(wrong, 0, "tells which were touched, and how they are protected");
	DWORD old;
	VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old);
	ok(look(p).Valid && look(p).Win32Protection == PAGE_READONLY, "a change of protection shows");
	VirtualLock(p + 3 * PAGE_BYTES, PAGE_BYTES);
	ok(look(p + 3 * PAGE_BYTES).Locked && !look(p + 6 * PAGE_BYTES).Locked, "a locked page says so");
	VirtualUnlock(p + 3 * PAGE_BYTES, PAGE_BYTES);
	working_set_empty();
	is(look(p + 6 * PAGE_BYTES).Valid, 0, "a page that has left the working set is not valid");
	memory_release(p);
	is(look(p).Flags & 1, 0, "nor is free memory");

	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	char *a = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0), *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	a[0] = copy[PAGE_BYTES] = 1;
	char read = *(volatile char *)copy;
	ok(look(a).Valid && look(a).Shared && look(a).Win32Protection == PAGE_READWRITE, "a shared page says so");
	ok(read == 1 && look(copy).Valid && look(copy).Shared && look(copy).Win32Protection == PAGE_WRITECOPY,
	   "and one that copies on write, while it is shared");
	ok(look(copy + PAGE_BYTES).Valid && !look(copy + PAGE_BYTES).Shared &&
		   look(copy + PAGE_BYTES).Win32Protection == PAGE_READWRITE,
	   "and is private when it was written");
	UnmapViewOfFile(a);
	UnmapViewOfFile(copy);
	CloseHandle(section);
	SetLastError(0);
	PSAPI_WORKING_SET_EX_INFORMATION one = { 0 };
	refused(QueryWorkingSetEx((HANDLE)0x7ffffffc, &one, sizeof(one)), ERROR_INVALID_HANDLE, "no process");
	ok(!QueryWorkingSetEx(GetCurrentProcess(), NULL, sizeof(one)), "no array");
}

static void test_working_set(void)
{
	static ULONG_PTR buffer[16384]; /* count, then a block a page */
	char *p = commit_bytes(SIZE);
	for (uint64_t page = 0; page < PAGES; page += 2)
		p[page * PAGE_BYTES] = 1;
	ok(QueryWorkingSet(GetCurrentProcess(), buffer, sizeof(buffer)), "QueryWorkingSet");
	uint64_t mine = 0, wrong = 0, count = buffer[0], size = counters_now().WorkingSetSize / PAGE_BYTES;
	for (uint64_t i = 1; i <= count && i < 16384; i++) {
		PSAPI_WORKING_SET_BLOCK b = { .Flags = buffer[i] };
		char *at = (char *)(b.VirtualPage * PAGE_BYTES);
		if (at >= p && at < p + SIZE) {
			mine++;
			wrong += (at - p) / PAGE_BYTES % 2 != 0 || b.Shared || b.Protection != 4 /* read and write */;
		} else {
			MEMORY_BASIC_INFORMATION info = query(at);
			wrong += info.State != MEM_COMMIT;
		}
	}
	is(mine, PAGES / 2, "lists the pages that were touched");
	is(wrong, 0, "and no others");
	is_within(count, size * 9 / 10, size * 11 / 10 + 8, "as many as GetProcessMemoryInfo says");
	SetLastError(0);
	buffer[0] = 0;
	refused(QueryWorkingSet(GetCurrentProcess(), buffer, 8 * sizeof(*buffer)), ERROR_BAD_LENGTH, "too small a buffer");
	is_within(buffer[0], size * 9 / 10, size * 11 / 10 + 8, "is told how many there are");
	memory_release(p);
}

/* ---- counters ---- */

static void test_process_counters(void)
{
	PROCESS_MEMORY_COUNTERS_EX a = counters_now(), b;
	ok(a.PeakWorkingSetSize >= a.WorkingSetSize && a.PeakPagefileUsage >= a.PagefileUsage, "peaks are peaks");
	is(a.PrivateUsage, a.PagefileUsage, "private usage is paging-file usage");
	char *p = commit_bytes(SIZE);
	b = counters_now();
	is(b.PrivateUsage - a.PrivateUsage, SIZE, "committed memory is usage");
	for (uint64_t page = 0; page < PAGES; page++)
		p[page * PAGE_BYTES] = 1;
	a = counters_now();
	is_within(a.WorkingSetSize - b.WorkingSetSize, SIZE, SIZE + 8 * PAGE_BYTES, "touched pages are working set");
	is_within(a.PageFaultCount - b.PageFaultCount, PAGES, PAGES + 16, "and page faults");
	is(a.PrivateUsage, b.PrivateUsage, "and no more usage");
	ok(EmptyWorkingSet(GetCurrentProcess()), "EmptyWorkingSet");
	b = counters_now();
	ok(b.WorkingSetSize + SIZE <= a.WorkingSetSize, "makes it small (%llu KiB, then %llu)",
	   (unsigned long long)a.WorkingSetSize / 1024, (unsigned long long)b.WorkingSetSize / 1024);
	ok(b.PeakWorkingSetSize >= a.WorkingSetSize, "the peak remains");
	is(p[5 * PAGE_BYTES], 1, "contents come back");
	VirtualFree(p, SIZE / 2, MEM_DECOMMIT);
	is(counters_now().PrivateUsage, a.PrivateUsage - SIZE / 2, "decommitted memory is no usage");
	memory_release(p);
	is(counters_now().PrivateUsage, a.PrivateUsage - SIZE, "nor is released memory");
	PROCESS_MEMORY_COUNTERS c;
	ok(GetProcessMemoryInfo(GetCurrentProcess(), &c, sizeof(c)), "the short structure will do");
	SetLastError(0);
	refused(GetProcessMemoryInfo(GetCurrentProcess(), &c, 8), ERROR_INSUFFICIENT_BUFFER, "a shorter one not");
}

static bool close_to(uint64_t a, uint64_t b, uint64_t by)
{
	bool so = a <= b + by && b <= a + by;
	if (!so)
		note("%llu and %llu", (unsigned long long)a, (unsigned long long)b);
	return so;
}

static void test_system_counters(void)
{
	PERFORMANCE_INFORMATION i = { .cb = sizeof(i) };
	MEMORYSTATUSEX s = { .dwLength = sizeof(s) };
	struct bs_memory m = memory_now();
	ok(GetPerformanceInfo(&i, sizeof(i)) && GlobalMemoryStatusEx(&s), "GetPerformanceInfo and GlobalMemoryStatusEx");
	is(i.PageSize, PAGE_BYTES, "the page size");
	is(i.CommitLimit, m.commit_limit, "the commit limit");
	ok(close_to(i.CommitTotal, m.commit_charge, 8), "what is committed");
	ok(i.CommitPeak >= i.CommitTotal && i.CommitPeak <= i.CommitLimit, "its peak");
	is(s.ullTotalPageFile, i.CommitLimit * PAGE_BYTES, "the limit in bytes");
	ok(close_to(s.ullAvailPageFile / PAGE_BYTES, i.CommitLimit - i.CommitTotal, 8), "what is left of it");
	is(s.ullTotalPhys, i.PhysicalTotal * PAGE_BYTES, "memory in bytes");
	ok(close_to(i.PhysicalAvailable, memory_available(&m), 64), "available memory");
	ok(close_to(s.ullAvailPhys / PAGE_BYTES, i.PhysicalAvailable, 64), "in bytes");
	ok(close_to(s.dwMemoryLoad, 100 - s.ullAvailPhys * 100 / s.ullTotalPhys, 2), "and in percent");
	SYSTEM_INFO info;
	GetSystemInfo(&info);
	ok(close_to(s.ullTotalVirtual / 65536,
		((uint64_t)info.lpMaximumApplicationAddress - (uint64_t)info.lpMinimumApplicationAddress) / 65536, 2),
	   "the address space");
	ok(s.ullAvailVirtual < s.ullTotalVirtual && s.ullAvailVirtual > s.ullTotalVirtual / 2, "of which most is free");
	is(i.ProcessCount, m.processes, "processes");
	ok(close_to(i.ThreadCount, m.threads, 2), "threads");
	ok(close_to(i.HandleCount, m.handles, 4), "handles");

	char *p = commit_bytes(SIZE);
	MEMORYSTATUSEX t = { .dwLength = sizeof(t) };
	GlobalMemoryStatusEx(&t);
	ok(close_to((s.ullAvailPageFile - t.ullAvailPageFile) / PAGE_BYTES, PAGES, 8), "committing takes from what is left");
	ok(close_to((s.ullAvailVirtual - t.ullAvailVirtual) / 65536, SIZE / 65536, 1), "and from the address space");
	for (uint64_t page = 0; page < PAGES; page++)
		p[page * PAGE_BYTES] = 1;
	MEMORYSTATUSEX u = { .dwLength = sizeof(u) };
	GlobalMemoryStatusEx(&u);
	ok(close_to((t.ullAvailPhys - u.ullAvailPhys) / PAGE_BYTES, PAGES, 16), "touching takes from available memory");
	memory_release(p);
	SetLastError(0);
	s.dwLength = 8;
	refused(GlobalMemoryStatusEx(&s), ERROR_INVALID_PARAMETER, "a wrong length");
	refused(GetPerformanceInfo(&i, 8), ERROR_BAD_LENGTH, "a short structure");
}

/* ---- the working set's limits ---- */

static bool limits_are(SIZE_T least, SIZE_T most, DWORD flags)
{
	SIZE_T a = 0, b = 0;
	DWORD f = 0;
	bool so = GetProcessWorkingSetSizeEx(GetCurrentProcess(), &a, &b, &f) && a == least * PAGE_BYTES &&
		  b == most * PAGE_BYTES && f == flags;
	if (!so)
		note("%llu to %llu pages, flags %lu", (unsigned long long)a / PAGE_BYTES,
		     (unsigned long long)b / PAGE_BYTES, f);
	return so;
}

static bool set(SIZE_T least, SIZE_T most, DWORD flags)
{
	SetLastError(0);
	return SetProcessWorkingSetSizeEx(GetCurrentProcess(), least * PAGE_BYTES, most * PAGE_BYTES, flags);
}

#define SOFT (QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE)

static void test_limits(void)
{
	ok(limits_are(50, 345, SOFT), "the limits are 50 and 345 pages at first, and soft");
	ok(SetProcessWorkingSetSize(GetCurrentProcess(), 100 * PAGE_BYTES, 700 * PAGE_BYTES) &&
		   limits_are(100, 700, SOFT),
	   "they can be set");
	ok(SetProcessWorkingSetSize(GetCurrentProcess(), PAGE_BYTES, 700 * PAGE_BYTES) && limits_are(20, 700, SOFT),
	   "a minimum below 20 pages becomes 20");
	working_set_empty();
	ok(limits_are(20, 700, SOFT), "emptying the working set leaves them");
	refused(set(0, 345, 0), ERROR_INVALID_PARAMETER, "a minimum of 0");
	refused(set(100, 50, 0), ERROR_INVALID_PARAMETER, "a maximum below the minimum");
	refused(set(50, 0, 0), ERROR_INVALID_PARAMETER, "a maximum of 0");
	refused(set(50, 345, QUOTA_LIMITS_HARDWS_MIN_ENABLE | QUOTA_LIMITS_HARDWS_MIN_DISABLE), ERROR_INVALID_PARAMETER,
		"a minimum that is hard and soft");
	refused(set(50, 345, QUOTA_LIMITS_HARDWS_MAX_ENABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE), ERROR_INVALID_PARAMETER,
		"a maximum that is hard and soft");
	refused(set(50, 345, 0x100), ERROR_INVALID_PARAMETER, "a flag that does not exist");
	SetLastError(0);
	refused(SetProcessWorkingSetSize((HANDLE)0x7ffffffc, 50 * PAGE_BYTES, 345 * PAGE_BYTES), ERROR_INVALID_HANDLE,
		"no process");
	ok(limits_are(20, 700, SOFT), "after all that they are as they were");
	ok(set(60, 400, QUOTA_LIMITS_HARDWS_MAX_ENABLE) &&
		   limits_are(60, 400, QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_ENABLE),
	   "a hard maximum");
	char *p = commit_bytes(1000 * PAGE_BYTES);
	for (uint64_t page = 0; page < 1000; page++)
		pattern_fill(p, page, 30);
	uint64_t size = counters_now().WorkingSetSize / PAGE_BYTES;
	is_within(size, 1, 400 + 32, "is not exceeded by touching 1,000 pages");
	is(pattern_wrong(p, 0, 1000, 30), 0, "all of which are intact");
	ok(set(60, 400, QUOTA_LIMITS_HARDWS_MAX_DISABLE) && limits_are(60, 400, SOFT), "soft again");
	for (uint64_t page = 0; page < 1000; page++)
		p[page * PAGE_BYTES + 8] = 1;
	memory_release(p);
	ok(set(50, 345, 0) && limits_are(50, 345, SOFT), "and as at first");
}

static void all(void)
{
	test_limits();
	test_prefetch();
	test_working_set_ex();
	test_working_set();
	test_process_counters();
	test_system_counters();
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
