/*
 * NtFreeVirtualMemory and VirtualFree in each mode: the native call releases parts of an allocation, which splits it;
 * decommitting at the edges; refusals, after which everything is as before.
 */
#include "calls.h"

#define KIB64 65536
#define PAGES 16

static void fill(char *p)
{
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, 77);
}

static bool region_is(const char *at, uint64_t pages, DWORD state, const char *allocation)
{
	MEMORY_BASIC_INFORMATION info = query(at);
	bool so = info.RegionSize == pages * PAGE_BYTES && info.State == state && info.AllocationBase == allocation;
	if (!so)
		note("region of %llu pages, state 0x%lx, allocation base %p; expected %llu, 0x%lx, %p",
		     (unsigned long long)info.RegionSize / PAGE_BYTES, info.State, info.AllocationBase,
		     (unsigned long long)pages, state, allocation);
	return so;
}

static uint64_t charge_now(void)
{
	return memory_now().commit_private;
}

static void test_release_front(void)
{
	char *p = commit_bytes(KIB64);
	fill(p);
	uint64_t charge = charge_now();
	void *base = p;
	SIZE_T size = 4 * PAGE_BYTES;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, MEM_RELEASE), 0, "the first 4 of 16 pages released");
	ok(base == p && size == 4 * PAGE_BYTES, "the call tells what it released");
	is(query(p).State, MEM_FREE, "they are free");
	ok(region_is(p + 4 * PAGE_BYTES, 12, MEM_COMMIT, p + 4 * PAGE_BYTES),
	   "the others are an allocation that begins at the first of them");
	is(query(p + 4 * PAGE_BYTES).AllocationProtect, PAGE_READWRITE, "with the same allocation protection");
	is(pattern_wrong(p, 4, 12, 77), 0, "and the same contents");
	is(charge_now(), charge - 4, "4 pages less are charged");
	violation(can_read(p), KIND_READ, p, "the released ones can't be read");
	SetLastError(0);
	refused(VirtualFree(p, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS, "VirtualFree at the old base");
	ok(VirtualFree(p + 4 * PAGE_BYTES, 0, MEM_RELEASE), "VirtualFree at the new one");
	is(charge_now(), charge - 16, "all is given back");
}

static void test_release_end(void)
{
	char *p = commit_bytes(KIB64);
	fill(p);
	status_is(native_free(p + 12 * PAGE_BYTES, 4 * PAGE_BYTES, MEM_RELEASE), 0, "the last 4 of 16 pages released");
	ok(region_is(p, 12, MEM_COMMIT, p), "the first 12 remain");
	is(query(p + 12 * PAGE_BYTES).State, MEM_FREE, "the others are free");
	is(pattern_wrong(p, 0, 12, 77), 0, "contents are as before");
	status_is(native_free(p, 0, MEM_RELEASE), 0, "size 0 releases what is left");
	is(query(p).State, MEM_FREE, "which is free then");
}

static void test_release_middle(void)
{
	char *p = commit_bytes(KIB64), *second = p + 10 * PAGE_BYTES;
	DWORD old;
	fill(p);
	VirtualProtect(p + 12 * PAGE_BYTES, PAGE_BYTES, PAGE_READONLY, &old);
	VirtualFree(p + 15 * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT);
	uint64_t charge = charge_now();
	/* Rounded to whole pages: 6 to 9. */
	void *base = p + 6 * PAGE_BYTES + 100;
	SIZE_T size = 3 * PAGE_BYTES + 1;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, MEM_RELEASE), 0, "pages 6 to 9 of 16 released");
	ok(base == p + 6 * PAGE_BYTES && size == 4 * PAGE_BYTES, "the range was widened to whole pages");
	is(charge_now(), charge - 4, "4 pages less are charged");
	ok(region_is(p, 6, MEM_COMMIT, p), "the part before is an allocation");
	ok(region_is(p + 6 * PAGE_BYTES, 4, MEM_FREE, NULL), "the hole is free");
	ok(region_is(second, 2, MEM_COMMIT, second), "the part behind is an allocation with a base of its own");
	ok(region_is(second + 2 * PAGE_BYTES, 1, MEM_COMMIT, second), "a page of it");
	is(query(second + 2 * PAGE_BYTES).Protect, PAGE_READONLY, "keeps its protection");
	ok(region_is(second + 5 * PAGE_BYTES, 1, MEM_RESERVE, second), "a decommitted one stays decommitted");
	is(pattern_wrong(p, 0, 6, 77) + pattern_wrong(p, 10, 5, 77), 0, "contents are as before");
	ok(VirtualAlloc(second + 5 * PAGE_BYTES, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE) != NULL,
	   "it can be committed again");
	status_is(native_free(p, 10 * PAGE_BYTES, MEM_RELEASE), STATUS_UNABLE_TO_FREE_VM, "beyond the first part's end");
	status_is(native_free(p, 16 * PAGE_BYTES, MEM_RELEASE), STATUS_UNABLE_TO_FREE_VM, "over both parts");
	ok(VirtualFree(p, 0, MEM_RELEASE), "the first part released");
	is(pattern_wrong(p, 10, 5, 77), 0, "leaves the second");
	ok(VirtualFree(second, 0, MEM_RELEASE), "the second part released");
	is(query(p).State, MEM_FREE, "nothing is left");
}

/* Reserved memory, and a hole that another allocation fills: at 64 KiB, where one can be placed. */
static void test_release_reserved(void)
{
	char *p = VirtualAlloc(NULL, 4 * KIB64, MEM_RESERVE, PAGE_NOACCESS);
	status_is(native_free(p + KIB64, KIB64, MEM_RELEASE), 0, "a part of a reservation released");
	char *q = VirtualAlloc(p + KIB64, KIB64, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(q == p + KIB64, "another allocation takes its place");
	ok(region_is(p, PAGES, MEM_RESERVE, p), "the reservation before it remains");
	ok(region_is(p + 2 * KIB64, 2 * PAGES, MEM_RESERVE, p + 2 * KIB64), "and the one behind it");
	ok(VirtualFree(p, 0, MEM_RELEASE) && VirtualFree(q, 0, MEM_RELEASE) &&
		   VirtualFree(p + 2 * KIB64, 0, MEM_RELEASE),
	   "three releases for three allocations");

	/* Page by page, from both ends to the middle. */
	p = commit_bytes(KIB64);
	bool good = true;
	fill(p);
	for (uint64_t i = 0; i < PAGES / 2; i++) {
		good &= native_free(p + i * PAGE_BYTES, PAGE_BYTES, MEM_RELEASE) == 0;
		good &= native_free(p + (PAGES - 1 - i) * PAGE_BYTES, PAGE_BYTES, MEM_RELEASE) == 0;
		good &= pattern_wrong(p, i + 1, PAGES - 2 - 2 * i, 77) == 0 || i == PAGES / 2 - 1;
	}
	ok(good, "released page by page from both ends");
	is(query(p).State, MEM_FREE, "nothing is left");

	/* Every second page: eight allocations of a page. */
	p = commit_bytes(KIB64);
	fill(p);
	good = true;
	for (uint64_t i = 0; i < PAGES; i += 2)
		good &= native_free(p + i * PAGE_BYTES, PAGE_BYTES, MEM_RELEASE) == 0;
	for (uint64_t i = 1; i < PAGES; i += 2)
		good &= region_is(p + i * PAGE_BYTES, 1, MEM_COMMIT, p + i * PAGE_BYTES) && pattern_holds(p, i, 77);
	ok(good, "every second page released leaves eight allocations");
	for (uint64_t i = 1; i < PAGES; i += 2)
		good &= VirtualFree(p + i * PAGE_BYTES, 0, MEM_RELEASE);
	ok(good, "each of which is released for itself");
}

static void test_decommit(void)
{
	char *p = commit_bytes(KIB64);
	fill(p);
	void *base = p + 2 * PAGE_BYTES - 1;
	SIZE_T size = 2;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, MEM_DECOMMIT), 0, "two bytes across an edge");
	ok(base == p + PAGE_BYTES && size == 2 * PAGE_BYTES, "decommit both pages, and the call says so");
	ok(region_is(p + PAGE_BYTES, 2, MEM_RESERVE, p), "they are reserved");
	is(query(p + PAGE_BYTES).Protect, 0, "and have no protection");
	is(pattern_wrong(p, 3, 13, 77) + !pattern_holds(p, 0, 77), 0, "the others keep their contents");
	status_is(native_free(p + PAGE_BYTES + 1, 0, MEM_DECOMMIT), STATUS_FREE_VM_NOT_AT_BASE,
		  "size 0 elsewhere than at the base");
	base = p + PAGE_BYTES - 2;
	size = 0;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, MEM_DECOMMIT), 0,
		  "size 0 in the first page, which counts as the base");
	ok(base == p && region_is(p, PAGES, MEM_RESERVE, p), "decommits everything");
	uint64_t charge = charge_now();
	status_is(native_free(p, KIB64, MEM_DECOMMIT), 0, "decommitting what is decommitted");
	is(charge_now(), charge, "gives nothing back twice");
	status_is(native_free(p, KIB64 + 1, MEM_DECOMMIT), STATUS_UNABLE_TO_FREE_VM, "decommitting beyond the end");
	status_is(native_free(p + PAGE_BYTES + 1, 0, MEM_RELEASE), STATUS_FREE_VM_NOT_AT_BASE,
		  "releasing with size 0 elsewhere than at the base");
	base = p + PAGE_BYTES - 1;
	size = 0;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, MEM_RELEASE), 0, "in the first page it is released");
	ok(base == p && size == KIB64, "with base and size of the whole");
	is(query(p).State, MEM_FREE, "it is free");
}

static void test_refusals(void)
{
	char *p = commit_bytes(KIB64);
	void *base = NULL;
	SIZE_T size = 0;
	fill(p);
	status_is(native_free(p, 0, 0), STATUS_INVALID_PARAMETER_4, "no mode");
	status_is(native_free(p, 0, MEM_RELEASE | MEM_DECOMMIT), STATUS_INVALID_PARAMETER_4, "two modes");
	status_is(native_free(p, 0, MEM_RELEASE | MEM_RESERVE), STATUS_INVALID_PARAMETER_4, "a mode of another call");
	status_is(native_free(p, 0, 0x80000000), STATUS_INVALID_PARAMETER_4, "a mode that does not exist");
	status_is(native_free(p, ~0ull, MEM_DECOMMIT), STATUS_INVALID_PARAMETER_3, "a size that goes around");
	status_is(native_free((void *)0xffff800000000000ull, PAGE_BYTES, MEM_RELEASE), STATUS_INVALID_PARAMETER_2,
		  "a kernel address");
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, NULL, &size, MEM_RELEASE), STATUS_ACCESS_VIOLATION, "no base");
	base = p;
	status_is(NtFreeVirtualMemory(NATIVE_PROCESS, &base, NULL, MEM_RELEASE), STATUS_ACCESS_VIOLATION, "no size");
	status_is(NtFreeVirtualMemory((HANDLE)0x1234568, &base, &size, MEM_RELEASE), STATUS_INVALID_HANDLE,
		  "no process");
	status_is(NtFreeVirtualMemory(GetCurrentThread(), &base, &size, MEM_RELEASE), STATUS_OBJECT_TYPE_MISMATCH,
		  "a thread");
	is(pattern_wrong(p, 0, PAGES, 77), 0, "after all that the memory is as it was");

	SetLastError(0);
	refused(VirtualFree(p, PAGE_BYTES, MEM_RELEASE), ERROR_INVALID_PARAMETER, "VirtualFree releases no parts");
	refused(VirtualFree(p, 0, MEM_RELEASE | MEM_DECOMMIT), ERROR_INVALID_PARAMETER, "VirtualFree with two modes");
	refused(VirtualFree(p, 0, MEM_FREE), ERROR_INVALID_PARAMETER, "VirtualFree with a state for a mode");
	refused(VirtualFree(NULL, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS, "VirtualFree of NULL");
	ok(VirtualFree(p, 0, MEM_RELEASE), "VirtualFree as it should be");
	refused(VirtualFree(p, 0, MEM_RELEASE), ERROR_INVALID_ADDRESS, "VirtualFree once more");
	refused(VirtualFree(p, 0, MEM_DECOMMIT), ERROR_INVALID_ADDRESS, "decommitting what is free");
	status_is(native_free(p, 0, MEM_RELEASE), STATUS_MEMORY_NOT_ALLOCATED, "the native call for free memory");
	status_is(native_free(p, PAGE_BYTES, MEM_DECOMMIT), STATUS_MEMORY_NOT_ALLOCATED, "and decommitting it");

	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, KIB64, NULL);
	p = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	fill(p);
	status_is(native_free(p, 0, MEM_RELEASE), STATUS_UNABLE_TO_DELETE_SECTION, "a view is not released");
	ok(native_free(p, PAGE_BYTES, MEM_DECOMMIT) < 0, "nor decommitted");
	refused(VirtualFree(p, PAGE_BYTES, MEM_DECOMMIT), ERROR_INVALID_PARAMETER, "nor by VirtualFree");
	is(pattern_wrong(p, 0, PAGES, 77), 0, "it is as it was");
	UnmapViewOfFile(p);
	CloseHandle(section);
	char *image = (char *)GetModuleHandleA(NULL);
	status_is(native_free(image, 0, MEM_RELEASE), STATUS_UNABLE_TO_DELETE_SECTION, "an image is not released");
	ok(!memcmp(image, "MZ", 2), "and runs on");
}

/* What is in the paging file, or on its way, when it is released: slots and frames come back (leaks_none sees). */
static void test_paged(void)
{
	char *p = commit_bytes(64 * PAGE_BYTES);
	for (uint64_t page = 0; page < 64; page++)
		pattern_fill(p, page, 78);
	working_set_empty();
	status_is(native_free(p + 16 * PAGE_BYTES, 32 * PAGE_BYTES, MEM_RELEASE), 0, "pages that left the working set");
	is(pattern_wrong(p, 0, 16, 78) + pattern_wrong(p, 48, 16, 78), 0, "their neighbours are intact");
	working_set_empty();
	VirtualFree(p, 0, MEM_RELEASE);
	VirtualFree(p + 48 * PAGE_BYTES, 0, MEM_RELEASE);
}

static void all(void)
{
	test_release_front();
	test_release_end();
	test_release_middle();
	test_release_reserved();
	test_decommit();
	test_refusals();
	test_paged();
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
