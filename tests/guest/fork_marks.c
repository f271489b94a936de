/*
 * What a page is besides its contents, in the copy of a process: locked, watched, reset, on offer; and the allocations that
 * are not there in the copy, or in another way: physical and large pages, placeholders.
 */
#include "fork.h"

#define PAGES 8
#define SIZE (PAGES * PAGE_BYTES)
#define PARENT 1 /* owners of patterns */
#define CHILD 2

#define PLACEHOLDER 0x40000 /* MEM_RESERVE_PLACEHOLDER, MEM_REPLACE_PLACEHOLDER */
#define REPLACE 0x4000
#define LARGE (2ull << 20)

static char *allocate(DWORD type)
{
	char *p = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_COMMIT | type, PAGE_READWRITE);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, PARENT);
	return p;
}

static uint64_t wrong(char *p)
{
	return pattern_wrong(p, 0, PAGES, PARENT);
}

/* ---- locked ---- */

static DWORD child_locked(void *argument)
{
	char *p = argument;
	DWORD bad = 0;
	for (int page = 0; page < PAGES; page++)
		bad |= page_at(p + page * PAGE_BYTES).flags & BS_LOCKED ? 1 : 0;
	bad |= wrong(p) ? 2 : 0;
	pattern_fill(p, 0, CHILD);
	bad |= VirtualUnlock(p, SIZE) || GetLastError() != ERROR_NOT_LOCKED ? 4 : 0;
	/* Locked here as well, while it is shared. */
	bad |= !VirtualLock(p, SIZE) ? 8 : 0;
	pattern_fill(p, 1, CHILD);
	bad |= !(page_at(p + PAGE_BYTES).flags & BS_LOCKED) || !(page_at(p + 2 * PAGE_BYTES).flags & BS_LOCKED) ? 16 : 0;
	return bad;
}

static void test_locked(void)
{
	char *p = allocate(0);
	uint64_t before = memory_now().pages_locked, locked = 0;
	ok(VirtualLock(p, SIZE), "locked pages");
	is(fork_run(child_locked, p), 0, "are not locked in the copy, and can be locked there");
	is(memory_now().pages_locked - before, PAGES, "they are in the original");
	for (uint64_t page = 0; page < PAGES; page += 2)
		pattern_fill(p, page, PARENT);
	working_set_empty();
	for (int page = 0; page < PAGES; page++)
		locked += (page_at(p + page * PAGE_BYTES).flags & (BS_LOCKED | BS_VALID)) == (BS_LOCKED | BS_VALID);
	is(locked, PAGES, "also those that were written to since, and they stay in the working set");
	is(wrong(p), 0, "with their contents");
	ok(VirtualUnlock(p, SIZE), "they can be unlocked");
	is(memory_now().pages_locked, before, "and then none is locked");
	VirtualFree(p, 0, MEM_RELEASE);
}

/* ---- watched ---- */

/* The pages that were written, a bit each. */
static uint64_t written(char *p, DWORD flags)
{
	void *addresses[PAGES];
	ULONG_PTR count = PAGES;
	DWORD unit;
	uint64_t bits = 0;
	if (GetWriteWatch(flags, p, SIZE, addresses, &count, &unit))
		return ~0ull;
	for (ULONG_PTR i = 0; i < count; i++)
		bits |= 1ull << (((char *)addresses[i] - p) / PAGE_BYTES);
	return bits;
}

static DWORD child_watched(void *argument)
{
	char *p = argument;
	DWORD bad = written(p, 0) != 0x5 ? 1 : 0;
	bad |= wrong(p) ? 2 : 0;
	p[3 * PAGE_BYTES + 1] = 1;
	bad |= written(p, WRITE_WATCH_FLAG_RESET) != 0xd ? 4 : 0;
	bad |= written(p, 0) != 0 ? 8 : 0;
	p[2 * PAGE_BYTES + 1] = 1;
	working_set_empty();
	bad |= written(p, 0) != 0x4 ? 16 : 0;
	return bad;
}

static void test_watched(void)
{
	char *p = allocate(MEM_WRITE_WATCH);
	is(written(p, WRITE_WATCH_FLAG_RESET), 0xff, "all pages of a watched allocation were written");
	pattern_fill(p, 0, PARENT);
	pattern_fill(p, 2, PARENT);
	is(fork_run(child_watched, p), 0, "the copy knows which were written, and keeps account of its own");
	is(written(p, 0), 0x5, "the original has not changed");
	is(wrong(p), 0, "reading writes nothing");
	p[4 * PAGE_BYTES + 1] = 1;
	is(written(p, 0), 0x15, "what it writes now is noticed");
	VirtualFree(p, 0, MEM_RELEASE);
}

/* ---- reset and on offer ---- */

static DWORD child_offered(void *argument)
{
	char *p = argument;
	DWORD bad = can_read(p) ? 1 : 0;
	bad |= BsReclaimVirtualMemory(GetCurrentProcess(), p, SIZE) != STATUS_SUCCESS ? 2 : 0;
	bad |= wrong(p) ? 4 : 0;
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, CHILD);
	return bad;
}

static DWORD child_offers(void *argument)
{
	char *p = argument;
	DWORD bad = BsOfferVirtualMemory(GetCurrentProcess(), p, SIZE, 1) != STATUS_SUCCESS ? 1 : 0;
	return bad | (can_read(p) ? 2 : 0);
}

static DWORD child_resets(void *argument)
{
	return VirtualAlloc(argument, SIZE, MEM_RESET, PAGE_READWRITE) ? 0 : 1;
}

static DWORD child_was_reset(void *argument)
{
	DWORD bad = VirtualAlloc(argument, SIZE, MEM_RESET_UNDO, PAGE_READWRITE) ? 0 : 1;
	return bad | (wrong(argument) ? 2 : 0);
}

static void test_discardable(void)
{
	char *p = allocate(0);
	is(BsOfferVirtualMemory(GetCurrentProcess(), p, SIZE, 1), STATUS_SUCCESS, "pages on offer");
	is(fork_run(child_offered, p), 0, "are on offer in the copy, which can reclaim them");
	ok(!can_read(p), "they are still on offer in the original");
	is(BsReclaimVirtualMemory(GetCurrentProcess(), p, SIZE), STATUS_SUCCESS, "which reclaims them, too");
	is(wrong(p), 0, "with its own contents");
	is(fork_run(child_offers, p), 0, "shared pages can be offered");
	is(wrong(p), 0, "which the other one does not notice");
	is(fork_run(child_resets, p), 0, "or reset");
	is(wrong(p), 0, "likewise");
	ok(VirtualAlloc(p, SIZE, MEM_RESET, PAGE_READWRITE) != NULL, "pages that were reset");
	is(fork_run(child_was_reset, p), 0, "have their contents in the copy, as memory is not short");
	ok(VirtualAlloc(p, SIZE, MEM_RESET_UNDO, PAGE_READWRITE) != NULL && wrong(p) == 0, "and in the original");
	VirtualFree(p, 0, MEM_RELEASE);
}

/* ---- allocations ---- */

struct allocations {
	char *placeholder, *replaced, *parts, *large_private, *large_section;
	void *window;
	bool has_window;
};

static DWORD child_allocations(void *argument)
{
	struct allocations *a = argument;
	SIZE_T size = SIZE;
	void *base = a->placeholder, *part = a->parts + 2 * PAGE_BYTES;
	SIZE_T part_size = 3 * PAGE_BYTES;
	DWORD bad = 0;
	bad |= NtAllocateVirtualMemoryEx(GetCurrentProcess(), &base, &size, MEM_RESERVE | MEM_COMMIT | REPLACE, PAGE_READWRITE,
					 NULL, 0) ? 1 : 0;
	bad |= wrong(a->replaced) ? 2 : 0;
	/* Part of a shared allocation goes, and the rest is two. */
	bad |= NtFreeVirtualMemory(GetCurrentProcess(), &part, &part_size, MEM_RELEASE) ? 4 : 0;
	bad |= pattern_wrong(a->parts, 0, 2, PARENT) || pattern_wrong(a->parts, 5, 3, PARENT) ? 8 : 0;
	bad |= query(a->parts + 5 * PAGE_BYTES).AllocationBase != a->parts + 5 * PAGE_BYTES ? 16 : 0;
	pattern_fill(a->parts, 6, CHILD);
	bad |= !VirtualFree(a->parts + 5 * PAGE_BYTES, 0, MEM_RELEASE) ? 32 : 0;
	bad |= a->large_private && query(a->large_private).State != MEM_FREE ? 64 : 0;
	bad |= a->large_section && (!pattern_holds(a->large_section, 300, PARENT) ||
				    !(page_at(a->large_section).flags & BS_LARGE)) ? 128 : 0;
	if (a->large_section)
		pattern_fill(a->large_section, 301, CHILD);
	bad |= a->has_window && query(a->window).State != MEM_FREE ? 256 : 0;
	return bad;
}

static void test_allocations(void)
{
	struct allocations a = { .replaced = NULL };
	ULONG_PTR count = 4, frames[4];
	SIZE_T size = SIZE;
	void *base = NULL;
	HANDLE section;
	is(NtAllocateVirtualMemoryEx(GetCurrentProcess(), &base, &size, MEM_RESERVE | PLACEHOLDER, PAGE_NOACCESS, NULL, 0), 0,
	   "a placeholder");
	a.placeholder = base;
	base = NULL;
	NtAllocateVirtualMemoryEx(GetCurrentProcess(), &base, &size, MEM_RESERVE | PLACEHOLDER, PAGE_NOACCESS, NULL, 0);
	is(NtAllocateVirtualMemoryEx(GetCurrentProcess(), &base, &size, MEM_RESERVE | MEM_COMMIT | REPLACE, PAGE_READWRITE,
				     NULL, 0), 0, "and memory in place of another");
	a.replaced = base;
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(a.replaced, page, PARENT);
	a.parts = allocate(0);
	a.large_private = VirtualAlloc(NULL, LARGE, MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE);
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE | SEC_COMMIT | SEC_LARGE_PAGES, 0, LARGE, NULL);
	base = NULL;
	size = 0;
	if (section && !NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, NULL, &size, 1, MEM_LARGE_PAGES,
					   PAGE_READWRITE)) {
		a.large_section = base;
		pattern_fill(a.large_section, 300, PARENT);
	} else {
		note("no large page for a section");
	}
	a.window = VirtualAlloc(NULL, SIZE, MEM_RESERVE | MEM_PHYSICAL, PAGE_READWRITE);
	a.has_window = NtAllocateUserPhysicalPages(GetCurrentProcess(), &count, frames) == 0 && count &&
		       NtMapUserPhysicalPages(a.window, count, frames) == 0;
	ok(a.has_window, "physical pages in a window");
	pattern_fill(a.window, 0, PARENT);

	is(fork_run(child_allocations, &a), 0, "placeholders and parts are in the copy, physical and private large pages not");
	is(wrong(a.replaced), 0, "memory in place of a placeholder is as it was");
	is(wrong(a.parts), 0, "and what the copy freed a part of");
	ok(pattern_holds(a.window, 0, PARENT), "the window shows its pages");
	if (a.large_section)
		ok(pattern_holds(a.large_section, 301, CHILD), "a section's large page is shared");

	NtFreeUserPhysicalPages(GetCurrentProcess(), &count, frames);
	VirtualFree(a.window, 0, MEM_RELEASE);
	if (a.large_section)
		UnmapViewOfFile(a.large_section);
	CloseHandle(section);
	if (a.large_private)
		VirtualFree(a.large_private, 0, MEM_RELEASE);
	VirtualFree(a.parts, 0, MEM_RELEASE);
	VirtualFree(a.replaced, 0, MEM_RELEASE);
	VirtualFree(a.placeholder, 0, MEM_RELEASE);
}

/* ---- frames ---- */

static uint64_t frames_used(enum bs_frame_use use)
{
	static struct bs_frame frames[512];
	uint64_t highest = memory_now().frame_highest, n = 0;
	for (uint64_t first = 0; first <= highest; first += 512) {
		uint64_t part = highest + 1 - first < 512 ? highest + 1 - first : 512;
		BsQueryFrames(first, part, frames);
		for (uint64_t i = 0; i < part; i++)
			n += frames[i].use == use;
	}
	return n;
}

static DWORD child_counts(void *argument)
{
	(void)argument;
	return frames_used(BS_USE_CLONE) >= PAGES ? 0 : 1;
}

static void test_frames(void)
{
	char *p = allocate(0);
	is(fork_run(child_counts, NULL), 0, "frames that a copy shares are told from others");
	is(frames_used(BS_USE_CLONE), 0, "when it has ended there are none");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void all(void)
{
	test_locked();
	test_watched();
	test_discardable();
	test_allocations();
	test_frames();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
