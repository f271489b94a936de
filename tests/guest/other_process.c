/*
 * The memory calls on another process: with the access to its handle that each needs, without it, on handles that are
 * none, and on a process that has ended. A refused call changes nothing there.
 */
#include "calls.h"
#include <psapi.h>

#define PAGES 16
#define SIZE (PAGES * PAGE_BYTES)

/* In the other process: plain memory (its first page locked at times), watched memory, a view; and the section. */
static char *plain, *watch, *view;
static HANDLE section;

/* A native status as a Win32 call would report it. */
static bool done(NTSTATUS status)
{
	if (NT_SUCCESS(status))
		return true;
	SetLastError(RtlNtStatusToDosError(status));
	return false;
}

static bool call_alloc(HANDLE h)
{
	return VirtualAllocEx(h, plain, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE) != NULL;
}

static bool call_alloc2(HANDLE h)
{
	return virtual_alloc2(h, plain, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE, NULL, 0) != NULL;
}

static bool call_reserve_free(HANDLE h)
{
	void *p = VirtualAllocEx(h, NULL, PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	return p && VirtualFreeEx(h, p, 0, MEM_RELEASE);
}

static bool call_decommit(HANDLE h)
{
	return VirtualFreeEx(h, plain + 15 * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT);
}

static bool call_reset(HANDLE h)
{
	return VirtualAllocEx(h, plain + 14 * PAGE_BYTES, PAGE_BYTES, MEM_RESET, PAGE_READWRITE) != NULL;
}

static bool call_protect(HANDLE h)
{
	DWORD old;
	return VirtualProtectEx(h, plain + PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old);
}

static bool call_query(HANDLE h)
{
	MEMORY_BASIC_INFORMATION info;
	return VirtualQueryEx(h, plain, &info, sizeof(info)) == sizeof(info) && info.AllocationBase == plain;
}

static bool call_read(HANDLE h)
{
	char byte;
	SIZE_T count;
	return ReadProcessMemory(h, plain, &byte, 1, &count) && count == 1;
}

static bool call_write(HANDLE h)
{
	SIZE_T count;
	return WriteProcessMemory(h, plain + 2 * PAGE_BYTES, "x", 1, &count) && count == 1;
}

static bool call_map(HANDLE h)
{
	void *base = NULL;
	SIZE_T size = 0;
	return done(NtMapViewOfSection(section, h, &base, 0, 0, NULL, &size, 2, 0, PAGE_READONLY)) &&
	       done(NtUnmapViewOfSection(h, base));
}

static bool call_map3(HANDLE h)
{
	void *p = map_view_of_file3(section, h, NULL, 0, 0, 0, PAGE_READONLY, NULL, 0);
	return p && unmap_view_of_file2(h, p, 0);
}

static bool call_unmap(HANDLE h)
{
	/* There is no view: a process that may be asked says so. */
	return unmap_view_of_file2(h, plain, 0) || GetLastError() == ERROR_INVALID_ADDRESS;
}

static bool call_lock(HANDLE h)
{
	void *base = plain;
	SIZE_T size = PAGE_BYTES;
	return done(NtLockVirtualMemory(h, &base, &size, 1)) && done(NtUnlockVirtualMemory(h, &base, &size, 1));
}

static bool call_watch(HANDLE h)
{
	void *array[PAGES];
	ULONG_PTR count = PAGES;
	ULONG granularity;
	return done(NtGetWriteWatch(h, 0, watch, SIZE, array, &count, &granularity));
}

static bool call_watch_reset(HANDLE h)
{
	return done(NtResetWriteWatch(h, watch, SIZE));
}

static bool call_working_set_ex(HANDLE h)
{
	PSAPI_WORKING_SET_EX_INFORMATION page = { .VirtualAddress = plain };
	return QueryWorkingSetEx(h, &page, sizeof(page));
}

static bool call_working_set(HANDLE h)
{
	static ULONG_PTR buffer[4096];
	return QueryWorkingSet(h, buffer, sizeof(buffer)) && buffer[0] < 4096;
}

static bool call_memory_info(HANDLE h)
{
	PROCESS_MEMORY_COUNTERS counters = { .cb = sizeof(counters) };
	return GetProcessMemoryInfo(h, &counters, sizeof(counters)) && counters.PagefileUsage >= SIZE;
}

static bool call_limits_get(HANDLE h)
{
	SIZE_T least, most;
	return GetProcessWorkingSetSize(h, &least, &most);
}

static bool call_limits_set(HANDLE h)
{
	return SetProcessWorkingSetSize(h, 50 * PAGE_BYTES, 345 * PAGE_BYTES);
}

static bool call_empty(HANDLE h)
{
	return EmptyWorkingSet(h);
}

/* needs: the documented access. */
static const struct {
	const char *name;
	bool (*call)(HANDLE);
	DWORD needs, forbidden; /* forbidden: what a handle has to lack for the call to be refused */
} calls[] = {
	{ "VirtualAllocEx", call_alloc, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualAlloc2", call_alloc2, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualAllocEx and VirtualFreeEx", call_reserve_free, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualFreeEx, decommitting", call_decommit, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualAllocEx with MEM_RESET", call_reset, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualProtectEx", call_protect, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "VirtualQueryEx", call_query, PROCESS_QUERY_INFORMATION,
	  PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION },
	{ "ReadProcessMemory", call_read, PROCESS_VM_READ, PROCESS_VM_READ },
	{ "WriteProcessMemory", call_write, PROCESS_VM_WRITE | PROCESS_VM_OPERATION, PROCESS_VM_WRITE },
	{ "NtMapViewOfSection", call_map, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "MapViewOfFile3", call_map3, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "UnmapViewOfFile2", call_unmap, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "NtLockVirtualMemory", call_lock, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "NtGetWriteWatch", call_watch, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "NtResetWriteWatch", call_watch_reset, PROCESS_VM_OPERATION, PROCESS_VM_OPERATION },
	{ "QueryWorkingSetEx", call_working_set_ex, PROCESS_QUERY_INFORMATION,
	  PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION },
	{ "QueryWorkingSet", call_working_set, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ,
	  PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION },
	{ "GetProcessMemoryInfo", call_memory_info, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_VM_READ,
	  PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION },
	{ "GetProcessWorkingSetSize", call_limits_get, PROCESS_QUERY_LIMITED_INFORMATION,
	  PROCESS_QUERY_INFORMATION | PROCESS_QUERY_LIMITED_INFORMATION },
	{ "SetProcessWorkingSetSize", call_limits_set, PROCESS_SET_QUOTA, PROCESS_SET_QUOTA },
	{ "EmptyWorkingSet", call_empty, PROCESS_SET_QUOTA | PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SET_QUOTA },
};
#define CALLS_COUNT (sizeof(calls) / sizeof(*calls))

static HANDLE with_access(HANDLE process, DWORD access)
{
	HANDLE h = NULL;
	DuplicateHandle(GetCurrentProcess(), process, GetCurrentProcess(), &h, access, FALSE, 0);
	return h;
}

static void prepare(HANDLE process)
{
	plain = VirtualAllocEx(process, NULL, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	watch = VirtualAllocEx(process, NULL, SIZE, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
}

static void test_access(HANDLE process)
{
	for (unsigned int i = 0; i < CALLS_COUNT; i++) {
		HANDLE enough = with_access(process, calls[i].needs);
		HANDLE lacking = with_access(process, PROCESS_ALL_ACCESS & ~calls[i].forbidden);
		SetLastError(0);
		ok(enough && calls[i].call(enough), "%s with access 0x%lx", calls[i].name, calls[i].needs);
		SetLastError(0);
		refused(calls[i].call(lacking), ERROR_ACCESS_DENIED, "%s without", calls[i].name);
		ok(calls[i].call(process), "%s with all access", calls[i].name);
		CloseHandle(enough);
		CloseHandle(lacking);
	}
}

static void test_handles(HANDLE process, HANDLE thread)
{
	HANDLE closed = with_access(process, PROCESS_ALL_ACCESS);
	bool all = true;
	CloseHandle(closed);
	for (unsigned int i = 0; i < CALLS_COUNT; i++) {
		HANDLE wrong[] = { closed, thread, section, (HANDLE)0x7ffffffc };
		for (unsigned int w = 0; w < sizeof(wrong) / sizeof(*wrong); w++) {
			SetLastError(0);
			bool good = !calls[i].call(wrong[w]) && GetLastError() == ERROR_INVALID_HANDLE;
			if (!good)
				note("%s with wrong handle %u: error %lu", calls[i].name, w, GetLastError());
			all &= good;
		}
	}
	ok(all, "handles that are closed, or of a thread, a section or nothing are refused by all calls");
}

/* What is done there is seen there: values, states, faults of what is read over an edge. */
static void test_effects(HANDLE process)
{
	MEMORY_BASIC_INFORMATION info;
	char text[2 * 4096];
	SIZE_T count = 0;
	DWORD old;
	memset(text, 7, sizeof(text));
	ok(WriteProcessMemory(process, plain + 3 * PAGE_BYTES - 10, text, 20, &count) && count == 20, "a write over an edge");
	memset(text, 0, sizeof(text));
	ok(ReadProcessMemory(process, plain + 3 * PAGE_BYTES - 10, text, 20, &count) && count == 20 && text[0] == 7 &&
		   text[19] == 7 && text[20] == 0,
	   "is read back");
	ok(VirtualProtectEx(process, plain + 4 * PAGE_BYTES, PAGE_BYTES, PAGE_READONLY, &old) && old == PAGE_READWRITE &&
		   VirtualQueryEx(process, plain + 4 * PAGE_BYTES, &info, sizeof(info)) &&
		   info.Protect == PAGE_READONLY && info.RegionSize == PAGE_BYTES,
	   "a page protected there");
	ok(VirtualFreeEx(process, plain + 6 * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT), "a page decommitted there");
	SetLastError(0);
	refused(ReadProcessMemory(process, plain + 5 * PAGE_BYTES, text, 2 * PAGE_BYTES, &count), ERROR_PARTIAL_COPY,
		"a read that ends in it is in part");
	ok(count == 0 || count == PAGE_BYTES, "and tells how much it read (%llu)", (unsigned long long)count);
	refused(ReadProcessMemory(process, plain + 6 * PAGE_BYTES, text, 8, &count), ERROR_PARTIAL_COPY,
		"a read that begins in it");
	ok(!WriteProcessMemory(process, plain + 6 * PAGE_BYTES, text, 8, &count), "nor is it written");
	ok(VirtualAllocEx(process, plain + 6 * PAGE_BYTES, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE) != NULL &&
		   VirtualProtectEx(process, plain + 4 * PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old) &&
		   old == PAGE_READONLY,
	   "and both as before");

	void *array[PAGES];
	ULONG_PTR found = PAGES;
	ULONG granularity;
	NtResetWriteWatch(process, watch, SIZE);
	WriteProcessMemory(process, watch + 5 * PAGE_BYTES, text, 8, &count);
	ok(NtGetWriteWatch(process, WRITE_WATCH_FLAG_RESET, watch, SIZE, array, &found, &granularity) == 0 && found == 1 &&
		   array[0] == watch + 5 * PAGE_BYTES,
	   "a write from here is a write there");

	char *own = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	void *base = NULL;
	SIZE_T size = 0;
	status_is(NtMapViewOfSection(section, process, &base, 0, 0, NULL, &size, 2, 0, PAGE_READWRITE), 0,
		  "a view mapped there");
	view = base;
	strcpy(own, "seen from both");
	ok(ReadProcessMemory(process, view, text, 20, &count) && !strcmp(text, "seen from both"), "shows the same memory");
	ok(VirtualQueryEx(process, view, &info, sizeof(info)) && info.Type == MEM_MAPPED, "is a mapped view there");
	ok(query(view).AllocationBase != view || query(view).Type != MEM_MAPPED || view == own, "and not here");
	ok(unmap_view_of_file2(process, view, 0), "unmapped there");
	ok(!strcmp(own, "seen from both"), "it stays here");
	UnmapViewOfFile(own);

	/* The other process's pages leave its working set, and come back when it is asked for them. */
	pattern_fill(text, 0, 12);
	WriteProcessMemory(process, plain + 8 * PAGE_BYTES, text, PAGE_BYTES, &count);
	ok(EmptyWorkingSet(process), "its working set emptied");
	memset(text, 0, sizeof(text));
	ok(ReadProcessMemory(process, plain + 8 * PAGE_BYTES, text, PAGE_BYTES, &count) && pattern_holds(text, 0, 12),
	   "its memory is read then");
}

static void test_ended(HANDLE process)
{
	bool all = true;
	TerminateProcess(process, 5);
	WaitForSingleObject(process, INFINITE);
	for (unsigned int i = 0; i < CALLS_COUNT; i++) {
		/* These tell about the process, which a handle keeps, and not about its memory. */
		if (calls[i].call == call_memory_info || calls[i].call == call_limits_get ||
		    calls[i].call == call_limits_set || calls[i].call == call_empty ||
		    calls[i].call == call_working_set || calls[i].call == call_working_set_ex)
			continue;
		SetLastError(0);
		bool good = !calls[i].call(process) && GetLastError() != 0;
		if (!good)
			note("%s on an ended process: error %lu", calls[i].name, GetLastError());
		all &= good;
	}
	ok(all, "on an ended process the calls fail");
	SetLastError(0);
	refused(call_alloc(process), ERROR_ACCESS_DENIED, "VirtualAllocEx by ERROR_ACCESS_DENIED");
	/* And those that may succeed do no harm. */
	call_memory_info(process);
	call_limits_get(process);
	call_limits_set(process);
	call_empty(process);
	call_working_set(process);
	call_working_set_ex(process);
	DWORD code;
	ok(GetExitCodeProcess(process, &code) && code == 5, "its exit code is there still");
}

static void all(void)
{
	PROCESS_INFORMATION p;
	if (!ok(process_start("wait", false, CREATE_SUSPENDED, &p) != NULL, "another process"))
		return;
	prepare(p.hProcess);
	test_access(p.hProcess);
	test_handles(p.hProcess, p.hThread);
	test_effects(p.hProcess);
	test_ended(p.hProcess);
	process_close(&p);
	CloseHandle(section);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return 0;
	probes_init();
	if (!calls_init())
		return tap_end();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
