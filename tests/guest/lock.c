/*
 * VirtualLock and VirtualUnlock: within the quota that the minimum working set gives, pages are in memory and stay there
 * under pressure, whatever kind of memory they are of; refusals; the native calls' statuses; nothing is left locked by
 * what ends.
 */
#include "calls.h"
#include "squeeze.h"

#define PAGES 24
#define SIZE (PAGES * PAGE_BYTES)

static uint64_t locked_now(void)
{
	return memory_now().pages_locked;
}

static void test_plain(void)
{
	char *p = commit_bytes(SIZE);
	uint64_t before = locked_now();
	ok(VirtualLock(p, SIZE), "VirtualLock of pages never touched");
	is(pages_with(p, PAGES, BS_VALID | BS_LOCKED), PAGES, "they are in memory and locked");
	is(locked_now(), before + PAGES, "and counted");
	bool zero = true;
	for (uint64_t i = 0; i < SIZE; i += 64)
		zero &= p[i] == 0;
	ok(zero, "they hold zeros");
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, 3);
	ok(VirtualLock(p + 5, SIZE - 10), "locking them again succeeds");
	is(locked_now(), before + PAGES, "and counts none twice");
	ok(VirtualUnlock(p, SIZE), "unlocked once");
	is(pages_with(p, PAGES, BS_LOCKED), 0, "they are not locked: there is no lock count");
	is(locked_now(), before, "and not counted");
	SetLastError(0);
	refused(VirtualUnlock(p, SIZE), ERROR_NOT_LOCKED, "unlocked twice");
	is(pages_with(p, PAGES, BS_VALID), 0, "which takes them out of the working set");
	is(pattern_wrong(p, 0, PAGES, 3), 0, "contents are as they were");
	ok(VirtualLock(p + PAGE_BYTES - 1, 2), "two bytes across an edge");
	is(pages_with(p, PAGES, BS_LOCKED), 2, "are two pages");
	ok(VirtualUnlock(p + PAGE_BYTES, 1), "a byte of one unlocked");
	is(pages_with(p, PAGES, BS_LOCKED), 1, "leaves the other");
	refused(VirtualUnlock(p, 2 * PAGE_BYTES), ERROR_NOT_LOCKED, "a range with a page that is not locked");
	VirtualUnlock(p, 1);
	is(locked_now(), before, "nothing is left locked");
	memory_release(p);
}

/* Row 12: under pressure. */
static void test_pressure(void)
{
	char *p = commit_bytes(SIZE), *other = commit_bytes(SIZE);
	for (uint64_t page = 0; page < PAGES; page++) {
		pattern_fill(p, page, 4);
		pattern_fill(other, page, 5);
	}
	ok(VirtualLock(p, SIZE), "pages with contents locked");
	static struct bs_page then[PAGES];
	BsQueryBacking(GetCurrentProcess(), p, PAGES, then);
	bool more = memory_squeeze_all();
	struct bs_page page;
	uint64_t moved = 0;
	for (uint64_t i = 0; i < PAGES; i++) {
		page = page_at(p + i * PAGE_BYTES);
		moved += page.frame != then[i].frame;
	}
	is(pages_with(p, PAGES, BS_VALID | BS_LOCKED), PAGES, "pressure and emptying the working set leave them in it");
	is(moved, 0, "in the same page frames");
	is(pages_backed(p, PAGES, BS_PAGING_FILE), 0, "none was written to a paging file");
	note("of %u others that were not locked, %llu are paged out%s", PAGES,
	     (unsigned long long)pages_backed(other, PAGES, BS_PAGING_FILE), more ? "" : "; memory was not short");
	is(pages_with(other, PAGES, BS_VALID), 0, "others left the working set");
	is(pattern_wrong(p, 0, PAGES, 4) + pattern_wrong(other, 0, PAGES, 5), 0, "all contents are intact");
	uint64_t faults = memory_now().faults;
	for (uint64_t i = 0; i < PAGES; i++)
		p[i * PAGE_BYTES + 9] = 1;
	note("%llu faults meanwhile, on all CPUs", (unsigned long long)(memory_now().faults - faults));
	VirtualUnlock(p, SIZE);
	working_set_empty();
	is(pages_with(p, PAGES, BS_VALID), 0, "unlocked they leave the working set as well");

	/* Locked when they are paged out: they are read in. */
	memory_squeeze_all();
	uint64_t away = PAGES - pages_with(other, PAGES, BS_RESIDENT);
	ok(VirtualLock(other, SIZE), "locking pages that are away (%llu of %u)", (unsigned long long)away, PAGES);
	is(pages_with(other, PAGES, BS_VALID | BS_LOCKED), PAGES, "brings them in");
	is(pattern_wrong(other, 0, PAGES, 5), 0, "with their contents");
	memory_release(other);
	memory_release(p);
}

/* Views and images. */
static void test_views(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0), *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	uint64_t before = locked_now();
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(view, page, 6);
	ok(VirtualLock(view, SIZE), "a view of shared memory");
	memory_squeeze_all();
	is(pages_with(view, PAGES, BS_VALID | BS_LOCKED), PAGES, "stays in memory");
	is(pages_backed(view, PAGES, BS_PAGING_FILE), 0, "and out of the paging file");
	ok(VirtualUnlock(view, SIZE), "unlocked");
	ok(VirtualLock(copy, 4 * PAGE_BYTES), "a write-copy view");
	pattern_fill(copy, 2, 7);
	is(pages_with(copy, 4, BS_VALID | BS_LOCKED), 4, "is locked");
	memory_squeeze_all();
	is(pages_with(copy, 4, BS_VALID | BS_LOCKED), 4, "and stays when a page has become private");
	ok(pattern_holds(copy, 2, 7) && pattern_holds(view, 2, 6), "with its own contents");
	ok(UnmapViewOfFile(copy), "unmapped while locked");
	UnmapViewOfFile(view);
	CloseHandle(section);
	is(locked_now(), before, "nothing is left locked");

	char *code = (char *)((uintptr_t)test_views & ~(PAGE_BYTES - 1));
	ok(VirtualLock(code, 2 * PAGE_BYTES), "a program's code");
	working_set_empty();
	is(pages_with(code, 2, BS_VALID | BS_LOCKED), 2, "is in memory");
	ok(VirtualUnlock(code, 2 * PAGE_BYTES), "unlocked");
}

static void test_refusals(void)
{
	char *p = VirtualAlloc(NULL, 2 * 65536, MEM_RESERVE, PAGE_READWRITE);
	DWORD old;
	uint64_t before = locked_now();
	VirtualAlloc(p, 4 * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	SetLastError(0);
	refused(VirtualLock(p + 4 * PAGE_BYTES, 1), ERROR_NOACCESS, "a page that is not committed");
	refused(VirtualLock(p, 5 * PAGE_BYTES), ERROR_NOACCESS, "a range with one");
	is(pages_with(p, 4, BS_LOCKED), 0, "locks none of it");
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_NOACCESS, &old);
	refused(VirtualLock(p + PAGE_BYTES, 1), ERROR_NOACCESS, "a page of no access");
	refused(VirtualLock(p, 4 * PAGE_BYTES), ERROR_NOACCESS, "a range with one");
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_READONLY, &old);
	ok(VirtualLock(p, 4 * PAGE_BYTES), "a range with a page that is read-only");
	VirtualUnlock(p, 4 * PAGE_BYTES);
	VirtualProtect(p, PAGE_BYTES, PAGE_READWRITE | PAGE_GUARD, &old);
	SetLastError(0);
	refused(VirtualLock(p, 1), (DWORD)STATUS_GUARD_PAGE_VIOLATION, "a guard page at the first attempt");
	is(query(p).Protect, PAGE_READWRITE, "which is its touch");
	ok(VirtualLock(p, 1) && VirtualUnlock(p, 1), "at the second it is locked");
	ok(!VirtualLock(p, 0), "no size");
	memory_release(p);
	ok(!VirtualLock(p, PAGE_BYTES), "free memory is not locked");
	ok(!VirtualUnlock(p, PAGE_BYTES), "nor unlocked");
	ok(!VirtualLock((void *)0xffff800000000000ull, PAGE_BYTES), "nor the kernel's");
	ok(!VirtualLock(NULL, 1), "nor address 0");
	is(locked_now(), before, "nothing is left locked");
}

static void test_quota(void)
{
	SIZE_T least, most;
	uint64_t before = locked_now();
	GetProcessWorkingSetSize(GetCurrentProcess(), &least, &most);
	char *p = commit_bytes(1024 * PAGE_BYTES);
	ok(SetProcessWorkingSetSize(GetCurrentProcess(), 50 * PAGE_BYTES, 345 * PAGE_BYTES), "the usual working set");
	SetLastError(0);
	refused(VirtualLock(p, 200 * PAGE_BYTES), ERROR_WORKING_SET_QUOTA, "200 pages are above its quota");
	is(pages_with(p, 200, BS_LOCKED), 0, "and none of them is locked");
	is(locked_now(), before, "nor counted");
	ok(VirtualLock(p, 30 * PAGE_BYTES), "30 are not");
	refused(VirtualLock(p + 30 * PAGE_BYTES, 30 * PAGE_BYTES), ERROR_WORKING_SET_QUOTA, "30 more are");
	is(pages_with(p, 60, BS_LOCKED), 30, "the 30 stay locked");
	ok(SetProcessWorkingSetSize(GetCurrentProcess(), 400 * PAGE_BYTES, 500 * PAGE_BYTES), "a larger minimum");
	ok(VirtualLock(p, 300 * PAGE_BYTES), "allows 300");
	is(locked_now(), before + 300, "of which 30 were locked before");
	refused(VirtualLock(p, 450 * PAGE_BYTES), ERROR_WORKING_SET_QUOTA, "but not 450");
	ok(VirtualFree(p, 100 * PAGE_BYTES, MEM_DECOMMIT), "decommitting locked pages");
	is(locked_now(), before + 200, "unlocks them");
	ok(VirtualLock(p + 500 * PAGE_BYTES, 100 * PAGE_BYTES), "so that others may be");
	status_is(native_free(p + 200 * PAGE_BYTES, 50 * PAGE_BYTES, MEM_RELEASE), 0, "releasing a part");
	is(locked_now(), before + 250, "unlocks that part");
	memory_release(p);
	memory_release(p + 250 * PAGE_BYTES);
	is(locked_now(), before, "releasing the rest unlocks all");
	ok(SetProcessWorkingSetSize(GetCurrentProcess(), least, most), "the working set as it was");
}

static void test_offer(void)
{
	char *p = commit_bytes(SIZE);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, 8);
	uint64_t before = locked_now();
	VirtualLock(p, SIZE);
	is(OfferVirtualMemory(p, 4 * PAGE_BYTES, VmOfferPriorityNormal), ERROR_SUCCESS, "locked pages offered");
	is(pages_with(p, PAGES, BS_LOCKED), PAGES - 4, "are unlocked by that");
	is(locked_now(), before + PAGES - 4, "and not counted");
	is(ReclaimVirtualMemory(p, 4 * PAGE_BYTES), ERROR_SUCCESS, "reclaimed");
	is(pattern_wrong(p, 0, PAGES, 8), 0, "they are intact");
	DWORD old;
	VirtualProtect(p, SIZE, PAGE_READONLY, &old);
	memory_squeeze_all();
	is(pages_with(p + 4 * PAGE_BYTES, PAGES - 4, BS_VALID | BS_LOCKED), PAGES - 4,
	   "a change of protection leaves pages locked");
	memory_release(p);
	is(locked_now(), before, "nothing is left locked");
}

static NTSTATUS lock(void *base, SIZE_T size, ULONG type)
{
	return NtLockVirtualMemory(NATIVE_PROCESS, &base, &size, type);
}

static NTSTATUS unlock(void *base, SIZE_T size, ULONG type)
{
	return NtUnlockVirtualMemory(NATIVE_PROCESS, &base, &size, type);
}

static void test_native(void)
{
	char *p = commit_bytes(SIZE);
	void *base = p + 100;
	SIZE_T size = 2 * PAGE_BYTES;
	status_is(NtLockVirtualMemory(NATIVE_PROCESS, &base, &size, 1), 0, "NtLockVirtualMemory");
	ok(base == p && size == 3 * PAGE_BYTES, "tells which pages");
	status_is(lock(p, PAGE_BYTES, 1), STATUS_WAS_LOCKED, "a second time: they were locked");
	status_is(unlock(p, 3 * PAGE_BYTES, 1), 0, "NtUnlockVirtualMemory");
	status_is(unlock(p, 3 * PAGE_BYTES, 1), STATUS_NOT_LOCKED, "a second time: they were not");
	ok(lock(p, PAGE_BYTES, 0) < 0, "no kind of lock");
	ok(lock(p, PAGE_BYTES, 4) < 0, "an unknown kind");
	ok(lock(p, 0, 1) < 0, "no size");
	ok(lock(p, ~0ull - 4096, 1) < 0, "a size that goes around");
	ok(lock(p, 1024 * PAGE_BYTES, 1) < 0, "more than there is");
	size = PAGE_BYTES;
	base = p;
	status_is(NtLockVirtualMemory((HANDLE)0x1234568, &base, &size, 1), STATUS_INVALID_HANDLE, "no process");
	status_is(NtLockVirtualMemory(GetCurrentThread(), &base, &size, 1), STATUS_OBJECT_TYPE_MISMATCH, "a thread");
	status_is(NtLockVirtualMemory(NATIVE_PROCESS, NULL, &size, 1), STATUS_ACCESS_VIOLATION, "no address");
	status_is(NtLockVirtualMemory(NATIVE_PROCESS, &base, NULL, 1), STATUS_ACCESS_VIOLATION, "no place for the size");
	is(pages_with(p, PAGES, BS_LOCKED), 0, "after all that none is locked");

	/* One range over two allocations. */
	memory_release(p);
	p = VirtualAlloc(NULL, 2 * 65536, MEM_RESERVE, PAGE_READWRITE);
	memory_release(p);
	p = VirtualAlloc(p, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	char *q = VirtualAlloc(p + 65536, 65536, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(VirtualLock(q - 2 * PAGE_BYTES, 4 * PAGE_BYTES), "a range over two allocations");
	is(pages_with(q - 2 * PAGE_BYTES, 4, BS_LOCKED), 4, "is locked in both");
	memory_release(p);
	is(pages_with(q, 2, BS_LOCKED), 2, "releasing one leaves the other locked");
	ok(VirtualUnlock(q, 2 * PAGE_BYTES), "to be unlocked");
	memory_release(q);
}

/* child: locks pages and waits to be ended. */
static int child(void)
{
	char *p = commit_bytes(SIZE);
	return VirtualLock(p, SIZE) && VirtualLock(p, SIZE) ? 0 : 1;
}

static void test_end(void)
{
	uint64_t before = locked_now();
	PROCESS_INFORMATION p;
	is(process_run("child", false), 0, "a process that locked pages and ended");
	is(locked_now(), before, "left none locked");
	if (!process_start("child", false, CREATE_SUSPENDED, &p))
		return;
	void *base = NULL;
	SIZE_T size = SIZE;
	NtAllocateVirtualMemory(p.hProcess, &base, 0, &size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	status_is(NtLockVirtualMemory(p.hProcess, &base, &size, 1), 0, "pages of another process locked");
	is(locked_now(), before + PAGES, "are counted");
	TerminateProcess(p.hProcess, 0);
	process_end(&p);
	wait_until(locked_now() == before);
	is(locked_now(), before, "ended by force it leaves none");
}

static void all(void)
{
	test_plain();
	test_pressure();
	test_views();
	test_refusals();
	test_quota();
	test_offer();
	test_native();
	test_end();
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return child();
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
