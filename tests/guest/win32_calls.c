/*
 * The memory calls of Win32 as a layer: what they check before the kernel does, the codes that they give, and the forms
 * for Store apps, NUMA nodes and older programs. What the calls do to memory is tested elsewhere.
 */
#include "guest.h"
#include <psapi.h>

/* mingw-w64's import libraries lack some; they are looked up where Windows has them. */
#define CALLS(X)                                                                                                       \
	X(VirtualAlloc2) X(VirtualAlloc2FromApp) X(VirtualAllocFromApp) X(VirtualProtectFromApp) X(VirtualUnlockEx)    \
	X(DiscardVirtualMemory) X(OfferVirtualMemory) X(ReclaimVirtualMemory) X(QueryVirtualMemoryInformation)         \
	X(PrefetchVirtualMemory) X(CreateFileMapping2) X(CreateFileMappingFromApp) X(OpenFileMappingFromApp)           \
	X(MapViewOfFile2) X(MapViewOfFileNuma2) X(MapViewOfFile3) X(MapViewOfFileFromApp) X(UnmapViewOfFile2)          \
	X(UnmapViewOfFileEx)
#define CALL_DECLARE(name) static __typeof__(&name) p_##name;
CALLS(CALL_DECLARE)

static void calls_find(void)
{
	HMODULE kernelbase = LoadLibraryA("kernelbase.dll");
	unsigned int missing = 0;
#define CALL_FIND(name)                                                                                                \
	p_##name = (__typeof__(p_##name))(void (*)(void))GetProcAddress(kernelbase, #name);                            \
	missing += !p_##name;
	CALLS(CALL_FIND)
	is(missing, 0, "kernelbase.dll has all calls");
}

#define SIZE (16 * PAGE_BYTES)
#define NOT(call) (SetLastError(0), (call))
#define OWN GetCurrentProcess()

static char *commit(SIZE_T size, DWORD protect)
{
	return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, protect);
}

static void test_allocate(void)
{
	refused(NOT(VirtualAlloc((void *)0x1000, PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE)) != NULL,
		ERROR_INVALID_PARAMETER, "VirtualAlloc in the lowest 64 KiB");
	refused(NOT(p_VirtualAlloc2(NULL, (void *)0x1000, PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE, NULL, 0)) != NULL,
		ERROR_INVALID_PARAMETER, "VirtualAlloc2 there");
	char *p = p_VirtualAlloc2(NULL, NULL, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE, NULL, 0);
	ok(p && can_write(p), "VirtualAlloc2 of no process means the caller");
	refused(NOT(VirtualFree(p, SIZE, MEM_RELEASE)), ERROR_INVALID_PARAMETER, "MEM_RELEASE with a size");
	ok(VirtualFree(p, 0, MEM_RELEASE), "and without");

	refused(NOT(p_VirtualAllocFromApp(NULL, SIZE, MEM_RESERVE, PAGE_EXECUTE_READ)) != NULL, ERROR_INVALID_PARAMETER,
		"VirtualAllocFromApp gives no executable memory");
	refused(NOT(p_VirtualAlloc2FromApp(NULL, NULL, SIZE, MEM_RESERVE, PAGE_EXECUTE_READWRITE, NULL, 0)) != NULL,
		ERROR_INVALID_PARAMETER, "nor does VirtualAlloc2FromApp");
	p = p_VirtualAllocFromApp(NULL, SIZE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ULONG old = 0;
	refused(NOT(p_VirtualProtectFromApp(p, SIZE, PAGE_EXECUTE_READWRITE, &old)), ERROR_INVALID_PARAMETER,
		"VirtualProtectFromApp makes nothing writable and executable");
	ok(p_VirtualProtectFromApp(p, SIZE, PAGE_EXECUTE_READ, &old) && old == PAGE_READWRITE, "but executable");
	refused(NOT(VirtualProtect(p, SIZE, PAGE_READONLY, NULL)), ERROR_NOACCESS, "VirtualProtect must say what was");
	VirtualFree(p, 0, MEM_RELEASE);

	p = VirtualAllocExNuma(OWN, NULL, SIZE, MEM_RESERVE, PAGE_READWRITE, 0);
	ok(p != NULL, "memory of node 0");
	VirtualFree(p, 0, MEM_RELEASE);
	refused(NOT(VirtualAllocExNuma(OWN, NULL, SIZE, MEM_RESERVE, PAGE_READWRITE, 1)) != NULL,
		ERROR_INVALID_PARAMETER, "there is no node 1");
	MEMORY_BASIC_INFORMATION info;
	refused(NOT(VirtualQuery(commit, &info, sizeof(info) - 1)) != 0, ERROR_BAD_LENGTH, "VirtualQuery wants room");
	is(GetLargePageMinimum(), 2 << 20, "a large page is 2 MiB");
}

static void test_advice(void)
{
	char *p = commit(SIZE, PAGE_READWRITE);
	DWORD old;
	p[0] = 1;
	is(p_DiscardVirtualMemory(p + 1, PAGE_BYTES), ERROR_INVALID_PARAMETER, "DiscardVirtualMemory between pages");
	is(p_DiscardVirtualMemory(p, 1), ERROR_INVALID_PARAMETER, "or of a part of one");
	is(p_DiscardVirtualMemory(p, SIZE), ERROR_SUCCESS, "DiscardVirtualMemory");
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_READONLY, &old);
	is(p_DiscardVirtualMemory(p, SIZE), ERROR_INVALID_PARAMETER, "which takes nothing but PAGE_READWRITE");
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old);

	p[0] = 2;
	is(p_OfferVirtualMemory(p, 5, VmOfferPriorityLow), ERROR_INVALID_PARAMETER,
	   "OfferVirtualMemory of a part of a page");
	is(p_OfferVirtualMemory(p, SIZE, 9), ERROR_INVALID_PARAMETER, "of an unknown priority");
	is(p_OfferVirtualMemory(p, SIZE, VmOfferPriorityNormal), ERROR_SUCCESS, "OfferVirtualMemory");
	violation(can_read(p), KIND_READ, p, "what is on offer can't be read");
	is(p_ReclaimVirtualMemory(p, SIZE), ERROR_SUCCESS, "ReclaimVirtualMemory");
	is(p[0], 2, "while memory is plentiful, the contents are there");
	is(p_ReclaimVirtualMemory(p, SIZE), ERROR_INVALID_PARAMETER, "what is not on offer can't be reclaimed");

	WIN32_MEMORY_RANGE_ENTRY range = { p, SIZE };
	ok(p_PrefetchVirtualMemory(OWN, 1, &range, 0), "PrefetchVirtualMemory");
	refused(NOT(p_PrefetchVirtualMemory(OWN, 1, &range, 1)), ERROR_INVALID_PARAMETER, "has no flags");
	refused(NOT(p_PrefetchVirtualMemory(OWN, 0, &range, 0)), ERROR_INVALID_PARAMETER, "and needs a range");

	ok(VirtualLock(p, SIZE), "VirtualLock");
	ok(p_VirtualUnlockEx(NULL, p, SIZE), "VirtualUnlockEx of no process means the caller");
	refused(NOT(VirtualUnlock(p, SIZE)), ERROR_NOT_LOCKED, "what is not locked can't be unlocked");

	WIN32_MEMORY_REGION_INFORMATION region = { 0 };
	SIZE_T returned = 0;
	ok(p_QueryVirtualMemoryInformation(OWN, p + 5, MemoryRegionInfo, &region, sizeof(region), &returned) &&
		   region.AllocationBase == p && region.RegionSize == SIZE && region.Private,
	   "QueryVirtualMemoryInformation");
	refused(NOT(p_QueryVirtualMemoryInformation(OWN, p, 1, &region, sizeof(region), &returned)),
		ERROR_INVALID_PARAMETER, "knows one class");
	VirtualFree(p, 0, MEM_RELEASE);

	p = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_COMMIT | MEM_WRITE_WATCH, PAGE_READWRITE);
	void *written[16];
	ULONG_PTR count = 16;
	DWORD granularity = 0;
	p[PAGE_BYTES] = 1;
	is(GetWriteWatch(WRITE_WATCH_FLAG_RESET, p, SIZE, written, &count, &granularity), 0, "GetWriteWatch");
	ok(count == 1 && written[0] == p + PAGE_BYTES && granularity == PAGE_BYTES, "finds the page");
	is(ResetWriteWatch(p, SIZE), 0, "ResetWriteWatch");
	VirtualFree(p, 0, MEM_RELEASE);
	refused(NOT(ResetWriteWatch((void *)calls_find, PAGE_BYTES)) == 0, ERROR_INVALID_PARAMETER,
		"of memory that is not watched");
}

static void test_write_process(void)
{
	static const unsigned char code[] = { 0xC3 };
	char *p = commit(3 * PAGE_BYTES, PAGE_READWRITE);
	SIZE_T done = 99;
	DWORD old;
	VirtualProtect(p, PAGE_BYTES, PAGE_EXECUTE_READ, &old);
	ok(WriteProcessMemory(OWN, p, code, 1, &done) && done == 1, "WriteProcessMemory to code that is not writable");
	is(query(p).Protect, PAGE_EXECUTE_READ, "which stays so");
	ok(can_execute(p), "and is what was written");
	VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old);
	refused(NOT(WriteProcessMemory(OWN, p, code, 1, &done)), ERROR_NOACCESS, "to read-only data it does not write");
	is(done, 0, "not a byte");
	VirtualProtect(p, PAGE_BYTES, PAGE_NOACCESS, &old);
	refused(NOT(WriteProcessMemory(OWN, p, code, 1, NULL)), ERROR_NOACCESS, "nor where there is no access");
	VirtualProtect(p, PAGE_BYTES, PAGE_READWRITE, &old);
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_EXECUTE_READ, &old);
	char text[] = "across";
	ok(WriteProcessMemory(OWN, p + PAGE_BYTES - 3, text, sizeof(text), &done) && done == sizeof(text) &&
		   !strcmp(p + PAGE_BYTES - 3, text), "across pages of different protections");
	ok(query(p).Protect == PAGE_READWRITE && query(p + PAGE_BYTES).Protect == PAGE_EXECUTE_READ,
	   "which keep them");
	VirtualFree(p, 0, MEM_RELEASE);
	refused(NOT(WriteProcessMemory(OWN, p, text, 4, &done)), ERROR_PARTIAL_COPY, "to free addresses");
}

static void test_sections(void)
{
	refused(NOT(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 0, NULL)) != NULL,
		ERROR_INVALID_PARAMETER, "a section of no size");
	refused(NOT(CreateFileMappingA(NULL, NULL, PAGE_READWRITE, 0, SIZE, NULL)) != NULL, ERROR_INVALID_HANDLE,
		"of the file NULL");
	refused(NOT(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_NOACCESS, 0, SIZE, NULL)) != NULL,
		ERROR_INVALID_PARAMETER, "of a protection that is none for sections");
	refused(NOT(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_COMMIT | SEC_RESERVE, 0, SIZE,
				       NULL)) != NULL, ERROR_INVALID_PARAMETER, "reserved and committed");

	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_WRITECOPY, 0, SIZE, NULL);
	ok(section != NULL, "a section of PAGE_WRITECOPY");
	refused(NOT(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0)) != NULL, ERROR_ACCESS_DENIED,
		"has no view for writing");
	char *view = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	ok(view && can_write(view), "but one to copy");
	UnmapViewOfFile(view);
	CloseHandle(section);

	section = p_CreateFileMapping2(INVALID_HANDLE_VALUE, NULL, SECTION_MAP_READ, PAGE_READWRITE, SEC_COMMIT, SIZE,
				       L"Win32CallsTest", NULL, 0);
	ok(section != NULL, "CreateFileMapping2");
	refused(NOT(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0)) != NULL, ERROR_ACCESS_DENIED,
		"gives the rights that were asked for");
	HANDLE writer = p_OpenFileMappingFromApp(FILE_MAP_WRITE, FALSE, L"Win32CallsTest");
	view = p_MapViewOfFileFromApp(writer, FILE_MAP_WRITE, 0, 0);
	ok(view && can_write(view), "OpenFileMappingFromApp, MapViewOfFileFromApp");
	UnmapViewOfFile(view);
	CloseHandle(section);

	view = p_MapViewOfFile2(writer, OWN, 0, NULL, 0, 0, PAGE_READONLY);
	ok(view && query(view).Protect == PAGE_READONLY, "MapViewOfFile2");
	ok(p_UnmapViewOfFile2(OWN, view, 0), "UnmapViewOfFile2");
	refused(NOT(p_UnmapViewOfFileEx(view, 0)), ERROR_INVALID_ADDRESS, "only once");
	refused(NOT(p_MapViewOfFileNuma2(writer, OWN, 0, NULL, 0, 0, PAGE_READONLY, 7)) != NULL,
		ERROR_INVALID_PARAMETER, "MapViewOfFileNuma2 of a node that is not there");
	view = p_MapViewOfFile3(writer, NULL, NULL, 0, 0, 0, PAGE_READWRITE, NULL, 0);
	ok(view && can_write(view), "MapViewOfFile3 of no process means the caller");
	ok(FlushViewOfFile(view, 0), "FlushViewOfFile of memory");
	ok(p_UnmapViewOfFileEx(view, MEM_UNMAP_WITH_TRANSIENT_BOOST), "UnmapViewOfFileEx");
	CloseHandle(writer);
	section = p_CreateFileMappingFromApp(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_RESERVE, 1ull << 33,
					     NULL);
	ok(section != NULL, "CreateFileMappingFromApp of 8 GiB, reserved");
	view = MapViewOfFile(section, FILE_MAP_WRITE, 1, 0, SIZE);
	ok(view && query(view).State == MEM_RESERVE, "and a view at 4 GiB");
	UnmapViewOfFile(view);
	CloseHandle(section);
}

static BOOL count_page_files(void *context, PENUM_PAGE_FILE_INFORMATION info, LPCSTR name)
{
	*(SIZE_T *)context += info->TotalSize;
	return name[0] != 0;
}

static void test_process_status(void)
{
	PROCESS_MEMORY_COUNTERS_EX counters = { 0 };
	ok(GetProcessMemoryInfo(OWN, (PROCESS_MEMORY_COUNTERS *)&counters, sizeof(counters)) &&
		   counters.cb == sizeof(counters) && counters.PrivateUsage && counters.WorkingSetSize,
	   "GetProcessMemoryInfo");
	refused(NOT(GetProcessMemoryInfo(OWN, (PROCESS_MEMORY_COUNTERS *)&counters, 8)), ERROR_INSUFFICIENT_BUFFER,
		"wants room");
	PERFORMANCE_INFORMATION performance = { 0 };
	ok(GetPerformanceInfo(&performance, sizeof(performance)) && performance.CommitLimit > performance.CommitTotal,
	   "GetPerformanceInfo");
	SIZE_T pages = 0;
	ok(EnumPageFilesA(count_page_files, &pages) && pages == memory_now().paging_file_pages, "EnumPageFiles");
	MEMORYSTATUS status;
	ULONGLONG installed = 0;
	GlobalMemoryStatus(&status);
	ok(GetPhysicallyInstalledSystemMemory(&installed) && installed >= status.dwTotalPhys / 1024,
	   "GlobalMemoryStatus and GetPhysicallyInstalledSystemMemory agree");

	SIZE_T low = 0, high = 0;
	ok(GetProcessWorkingSetSize(OWN, &low, &high) && low && low <= high, "GetProcessWorkingSetSize");
	DWORD flags = 0;
	ok(SetProcessWorkingSetSizeEx(OWN, low, high + PAGE_BYTES, QUOTA_LIMITS_HARDWS_MAX_DISABLE),
	   "SetProcessWorkingSetSizeEx");
	SIZE_T now = 0;
	ok(GetProcessWorkingSetSizeEx(OWN, &low, &now, &flags) && now == high + PAGE_BYTES &&
		   (flags & QUOTA_LIMITS_HARDWS_MAX_DISABLE), "is found again");
	ok(SetProcessWorkingSetSize(OWN, low, high), "SetProcessWorkingSetSize");
	refused(NOT(SetProcessWorkingSetSize(OWN, 0, high)), ERROR_INVALID_PARAMETER, "a minimum of 0");
	refused(NOT(SetProcessWorkingSetSize(OWN, high, low)), ERROR_INVALID_PARAMETER, "or above the maximum");
	ok(EmptyWorkingSet(OWN), "EmptyWorkingSet");

	char name[MAX_PATH] = "", path[MAX_PATH] = "";
	ok(GetMappedFileNameA(OWN, GetModuleHandleA("ntdll.dll"), name, sizeof(name)) && strstr(name, "ntdll.dll"),
	   "GetMappedFileName");
	ULONG_PTR set[2] = { 0 };
	refused(NOT(QueryWorkingSet(OWN, set, sizeof(set))), ERROR_BAD_LENGTH, "QueryWorkingSet wants room");
	ok(set[0] > 1, "and says how much");
	PSAPI_WORKING_SET_EX_INFORMATION page = { .VirtualAddress = set };
	ok(QueryWorkingSetEx(OWN, &page, sizeof(page)) && page.VirtualAttributes.Valid, "QueryWorkingSetEx");

	PROCESS_INFORMATION p;
	process_start("child wait", false, 0, &p);
	HMODULE modules[16];
	DWORD needed = 0;
	BOOL listed = FALSE;
	/* Until its loader is done. */
	for (int i = 0; i < 200 && !(listed = EnumProcessModules(p.hProcess, modules, sizeof(modules), &needed) &&
					      needed >= 4 * sizeof(HMODULE)); i++)
		Sleep(10);
	ok(listed, "EnumProcessModules of another process");
	GetModuleFileNameA(NULL, path, sizeof(path));
	ok(GetModuleFileNameExA(p.hProcess, modules[0], name, sizeof(name)) && !_stricmp(name, path),
	   "the first is its program");
	ok(GetModuleBaseNameA(p.hProcess, modules[1], name, sizeof(name)) && !_stricmp(name, "ntdll.dll"),
	   "the second ntdll.dll");
	MODULEINFO info;
	ok(GetModuleInformation(p.hProcess, NULL, &info, sizeof(info)) && info.lpBaseOfDll == (void *)modules[0] &&
		   info.SizeOfImage, "GetModuleInformation");
	TerminateProcess(p.hProcess, 0);
	process_end(&p);
}

static void all(void)
{
	test_allocate();
	test_advice();
	test_write_process();
	test_sections();
	test_process_status();
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "child"))
		Sleep(INFINITE);
	probes_init();
	calls_find();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
