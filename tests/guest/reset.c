/*
 * Memory whose contents may be thrown away: MEM_RESET and MEM_RESET_UNDO, DiscardVirtualMemory, OfferVirtualMemory and
 * ReclaimVirtualMemory. Contents are afterwards what they were or zeros, page by page, and nothing else; they are not
 * written to a paging file; what they were before they were reset is only promised where the calls say so.
 */
#include "squeeze.h"

#define PAGES 128
#define SIZE (PAGES * PAGE_BYTES)
#define OWNER 901

static void fill(char *p, uint64_t owner)
{
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, owner);
}

static bool page_is_zero(const char *p, uint64_t page)
{
	const uint64_t *words = (const uint64_t *)(p + page * PAGE_BYTES);
	uint64_t bits = 0;
	for (unsigned int i = 0; i < 512; i++)
		bits |= words[i];
	return bits == 0;
}

struct contents {
	uint64_t intact, zero, garbage;
};

static struct contents contents_of(const char *p, uint64_t first, uint64_t count, uint64_t owner)
{
	struct contents c = { 0 };
	for (uint64_t page = first; page < first + count; page++) {
		if (pattern_holds(p, page, owner))
			c.intact++;
		else if (page_is_zero(p, page))
			c.zero++;
		else
			c.garbage++;
	}
	return c;
}

static void *reset(void *p, uint64_t size)
{
	SetLastError(0);
	return VirtualAlloc(p, size, MEM_RESET, PAGE_NOACCESS);
}

static void *undo(void *p, uint64_t size)
{
	SetLastError(0);
	return VirtualAlloc(p, size, MEM_RESET_UNDO, PAGE_NOACCESS);
}

/* Whether memory can be made short at all: the commit limit may allow too little. */
static void test_reset(void)
{
	char *p = commit_bytes(SIZE);
	fill(p, OWNER);
	uint64_t charge = memory_now().commit_private;
	ok(reset(p, SIZE) == p, "MEM_RESET");
	is(query(p).State, MEM_COMMIT, "leaves pages committed");
	is(query(p).Protect, PAGE_READWRITE, "with the protection that they had, not the one given");
	is(memory_now().commit_private, charge, "and charged for");
	is(contents_of(p, 0, PAGES, OWNER).garbage, 0, "contents are what they were, or zero");
	ok(undo(p, SIZE) == p, "MEM_RESET_UNDO while nothing was short");
	is(contents_of(p, 0, PAGES, OWNER).intact, PAGES, "has all contents intact");

	/* Only what the range has whole may be lost. */
	fill(p, OWNER);
	ok(reset(p + 100, 4 * PAGE_BYTES) != NULL, "a range between pages' edges");
	memory_squeeze_all();
	ok(pattern_holds(p, 5, OWNER), "the page behind it is intact");
	struct contents c = contents_of(p, 0, 5, OWNER);
	is(c.garbage, 0, "those in it are intact or zero");
	ok(pattern_holds(p, 0, OWNER) && pattern_holds(p, 4, OWNER), "the two that it has in part are intact");

	/* What is written later counts. */
	fill(p, OWNER);
	reset(p, SIZE);
	for (uint64_t page = 0; page < PAGES; page += 2)
		pattern_fill(p, page, OWNER + 1);
	memory_squeeze_all();
	uint64_t wrong = 0, garbage = 0;
	for (uint64_t page = 0; page < PAGES; page++) {
		if (page % 2 == 0)
			wrong += !pattern_holds(p, page, OWNER + 1);
		else
			garbage += contents_of(p, page, 1, OWNER).garbage;
	}
	is(wrong, 0, "pages written after the reset keep what was written, under pressure too");
	is(garbage, 0, "the others are intact or zero");
	memory_release(p);
}

/* Pages that were reset leave memory without being written. */
static void test_reset_pressure(void)
{
	char *p = commit_bytes(SIZE), *kept = commit_bytes(SIZE);
	fill(p, OWNER);
	fill(kept, OWNER + 2);
	reset(p, SIZE);
	bool more = memory_squeeze_all();
	is(pages_backed(p, PAGES, BS_PAGING_FILE), 0, "no page that was reset is in a paging file");
	uint64_t in_memory = pages_backed(p, PAGES, BS_MEMORY);
	void *undone = undo(p, SIZE);
	struct contents c = contents_of(p, 0, PAGES, OWNER);
	note("%llu of %u in memory; then %llu intact, %llu zero%s", (unsigned long long)in_memory, PAGES,
	     (unsigned long long)c.intact, (unsigned long long)c.zero, more ? "" : "; memory was not short");
	is(c.garbage, 0, "each is intact or zero");
	is(undone != NULL, c.intact == PAGES, "MEM_RESET_UNDO succeeds if, and only if, all are intact");
	if (more)
		ok(c.zero > 0, "pressure took some of them");
	is(pattern_wrong(kept, 0, PAGES, OWNER + 2), 0, "memory that was not reset is intact");
	fill(p, OWNER + 3);
	memory_squeeze_all();
	is(pattern_wrong(p, 0, PAGES, OWNER + 3), 0, "after that it is ordinary memory");

	/* What is in the paging file already need not be read again. */
	uint64_t slots = memory_now().paging_file_used;
	if (pages_backed(p, PAGES, BS_PAGING_FILE) > 0) {
		uint64_t paged = pages_backed(p, PAGES, BS_PAGING_FILE);
		reset(p, SIZE);
		c = contents_of(p, 0, PAGES, OWNER + 3);
		is(c.garbage, 0, "reset when paged out (%llu pages): intact or zero", (unsigned long long)paged);
		ok(memory_now().paging_file_used <= slots, "no further slots are in use");
	} else {
		skip("reset when paged out", "nothing was paged out");
	}
	memory_release(p);
	memory_release(kept);
}

static void test_reset_refusals(void)
{
	char *p = commit_bytes(SIZE);
	DWORD old;
	fill(p, OWNER);
	SetLastError(0);
	refused(VirtualAlloc(p, SIZE, MEM_RESET | MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_RESET with MEM_COMMIT");
	refused(VirtualAlloc(p, SIZE, MEM_RESET | MEM_RESERVE, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_RESET with MEM_RESERVE");
	refused(VirtualAlloc(p, SIZE, MEM_RESET | MEM_RESET_UNDO, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_RESET with MEM_RESET_UNDO");
	refused(VirtualAlloc(p, SIZE, MEM_RESET_UNDO | MEM_COMMIT, PAGE_READWRITE), ERROR_INVALID_PARAMETER,
		"MEM_RESET_UNDO with MEM_COMMIT");
	refused(VirtualAlloc(p, SIZE, MEM_RESET, 0), ERROR_INVALID_PARAMETER, "a protection that is none");
	refused(VirtualAlloc(p, 0, MEM_RESET, PAGE_READWRITE), ERROR_INVALID_PARAMETER, "no size");
	ok(!reset(p, SIZE + 4 * 65536) && GetLastError() == ERROR_INVALID_ADDRESS, "a range beyond the allocation's end");
	is(contents_of(p, 0, PAGES, OWNER).intact, PAGES, "after all that contents are intact");
	VirtualProtect(p, SIZE, PAGE_READONLY, &old);
	ok(reset(p, SIZE) == p, "read-only memory can be reset");
	is(query(p).Protect, PAGE_READONLY, "and stays read-only");
	memory_release(p);
	ok(!reset(p, SIZE) && GetLastError() == ERROR_INVALID_ADDRESS, "free memory");
	ok(!undo(p, SIZE) && GetLastError() == ERROR_INVALID_ADDRESS, "undo in free memory");

	/* Shared memory that the paging file backs may be reset; one of an image not. */
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	p = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	fill(p, OWNER);
	ok(reset(p, SIZE) == p, "a view of a section of the paging file can be reset");
	memory_squeeze_all();
	is(contents_of(p, 0, PAGES, OWNER).garbage, 0, "its pages are intact or zero");
	UnmapViewOfFile(p);
	CloseHandle(section);
	char path[MAX_PATH];
	GetModuleFileNameA(NULL, path, sizeof(path));
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	section = CreateFileMappingA(file, NULL, PAGE_READONLY | SEC_IMAGE, 0, 0, NULL);
	p = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
	ok(p && !reset(p, PAGE_BYTES) && GetLastError() != 0, "a view of an image can't");
	ok(!memcmp(p, "MZ", 2), "and shows the image");
	UnmapViewOfFile(p);
	CloseHandle(section);
	CloseHandle(file);
}

static void test_discard(void)
{
	char *p = commit_bytes(SIZE);
	DWORD old;
	fill(p, OWNER);
	is(DiscardVirtualMemory(p, SIZE), ERROR_SUCCESS, "DiscardVirtualMemory");
	is(query(p).State, MEM_COMMIT, "leaves pages committed");
	uint64_t kept = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		kept += (page_at(p + page * PAGE_BYTES).flags & BS_DIRTY) != 0;
	is(kept, 0, "none of which has to be kept");
	is(contents_of(p, 0, PAGES, OWNER).garbage, 0, "contents are what they were, or zero");
	fill(p, OWNER + 1);
	is(contents_of(p, 0, PAGES, OWNER + 1).intact, PAGES, "it can be written again");
	is(DiscardVirtualMemory(p + 4 * PAGE_BYTES, 4 * PAGE_BYTES), ERROR_SUCCESS, "a part of it");
	memory_squeeze_all();
	is(pattern_wrong(p, 0, 4, OWNER + 1) + pattern_wrong(p, 8, PAGES - 8, OWNER + 1), 0,
	   "leaves the rest, under pressure too");
	is(contents_of(p, 4, 4, OWNER + 1).garbage, 0, "and no garbage");
	fill(p, OWNER);
	is(DiscardVirtualMemory(p + 1, PAGE_BYTES), ERROR_INVALID_PARAMETER, "an address between pages");
	is(DiscardVirtualMemory(p, PAGE_BYTES + 1), ERROR_INVALID_PARAMETER, "a size that is no multiple of a page");
	is(DiscardVirtualMemory(p, 0), ERROR_INVALID_PARAMETER, "no size");
	ok(DiscardVirtualMemory(p, SIZE + PAGE_BYTES * 64) != ERROR_SUCCESS, "a range beyond the end");
	VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old);
	ok(DiscardVirtualMemory(p, SIZE) != ERROR_SUCCESS, "a page that is read-only");
	is(contents_of(p, 0, PAGES, OWNER).intact, PAGES, "after all that contents are intact");
	VirtualFree(p, PAGE_BYTES, MEM_DECOMMIT);
	ok(DiscardVirtualMemory(p, SIZE) != ERROR_SUCCESS, "a page that is not committed");
	memory_release(p);
	ok(DiscardVirtualMemory(p, SIZE) != ERROR_SUCCESS, "free memory");
}

static void test_offer(void)
{
	char *p = commit_bytes(SIZE);
	fill(p, OWNER);
	uint64_t charge = memory_now().commit_private;
	is(OfferVirtualMemory(p, SIZE, VmOfferPriorityNormal), ERROR_SUCCESS, "OfferVirtualMemory");
	uint64_t valid = 0, offered = 0;
	for (uint64_t page = 0; page < PAGES; page++) {
		valid += (page_at(p + page * PAGE_BYTES).flags & BS_VALID) != 0;
		offered += (page_at(p + page * PAGE_BYTES).flags & BS_OFFERED) != 0;
	}
	is(valid, 0, "takes the pages out of the working set");
	is(offered, PAGES, "and marks them");
	is(memory_now().commit_private, charge, "they are charged for still");
	is(query(p).State, MEM_COMMIT, "and committed");
	violation(can_read(p + 5), KIND_READ, p + 5, "they can't be read");
	violation(can_write(p + PAGE_BYTES), KIND_WRITE, p + PAGE_BYTES, "nor written");
	char byte = 1;
	SIZE_T done = 0;
	ok(!WriteProcessMemory(GetCurrentProcess(), p, &byte, 1, &done) && done == 0, "nor by WriteProcessMemory");
	ok(!ReadProcessMemory(GetCurrentProcess(), p, &byte, 1, &done) && done == 0, "nor read by ReadProcessMemory");
	is(ReclaimVirtualMemory(p, SIZE), ERROR_SUCCESS, "ReclaimVirtualMemory while nothing was short");
	is(contents_of(p, 0, PAGES, OWNER).intact, PAGES, "has all contents intact");
	ok(can_write(p), "they can be written");
	memory_release(p);

	/* Parts, each priority. */
	p = commit_bytes(SIZE);
	fill(p, OWNER);
	bool good = true;
	for (DWORD priority = 1; priority <= 4; priority++)
		good &= OfferVirtualMemory(p + 16 * priority * PAGE_BYTES, 8 * PAGE_BYTES, priority) == ERROR_SUCCESS;
	ok(good, "parts with each priority");
	ok(can_read(p + 15 * PAGE_BYTES) && can_read(p + 24 * PAGE_BYTES) && !can_read(p + 16 * PAGE_BYTES),
	   "those alone can't be touched");
	for (DWORD priority = 1; priority <= 4; priority++)
		good &= ReclaimVirtualMemory(p + 16 * priority * PAGE_BYTES, 8 * PAGE_BYTES) == ERROR_SUCCESS;
	ok(good && contents_of(p, 0, PAGES, OWNER).intact == PAGES, "reclaimed, everything is intact");

	DWORD old;
	is(OfferVirtualMemory(p, PAGE_BYTES, 0), ERROR_INVALID_PARAMETER, "priority 0");
	is(OfferVirtualMemory(p, PAGE_BYTES, 5), ERROR_INVALID_PARAMETER, "priority 5");
	is(OfferVirtualMemory(p + 1, PAGE_BYTES, 1), ERROR_INVALID_PARAMETER, "an address between pages");
	is(OfferVirtualMemory(p, 100, 1), ERROR_INVALID_PARAMETER, "a size that is no multiple of a page");
	is(OfferVirtualMemory(p, 0, 1), ERROR_INVALID_PARAMETER, "no size");
	VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old);
	ok(OfferVirtualMemory(p, SIZE, 1) != ERROR_SUCCESS, "a page that is read-only");
	ok(can_read(p + PAGE_BYTES), "then none is offered");
	VirtualProtect(p, PAGE_BYTES, PAGE_READWRITE, &old);
	ok(ReclaimVirtualMemory(p, PAGE_BYTES) != ERROR_SUCCESS, "pages that are not on offer can't be reclaimed");
	is(ReclaimVirtualMemory(p + 1, PAGE_BYTES), ERROR_INVALID_PARAMETER, "nor at an address between pages");
	is(contents_of(p, 1, PAGES - 1, OWNER).intact, PAGES - 1, "after all that contents are intact");
	/* Freed, decommitted and protected while on offer. */
	OfferVirtualMemory(p, SIZE, 1);
	ok(VirtualFree(p, 8 * PAGE_BYTES, MEM_DECOMMIT), "decommitting pages on offer");
	ok(VirtualAlloc(p, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE) && page_is_zero(p, 0), "and committing gives zeros");
	memory_release(p);
	is(query(p).State, MEM_FREE, "releasing the others");
	ok(OfferVirtualMemory(p, SIZE, 1) != ERROR_SUCCESS, "free memory can't be offered");
}

static void test_offer_pressure(void)
{
	char *p = commit_bytes(SIZE), *low = commit_bytes(SIZE);
	fill(p, OWNER);
	fill(low, OWNER + 1);
	uint64_t paged = pages_backed(p, PAGES, BS_PAGING_FILE);
	OfferVirtualMemory(p, SIZE, VmOfferPriorityNormal);
	OfferVirtualMemory(low, SIZE, VmOfferPriorityVeryLow);
	bool more = memory_squeeze();
	ok(pages_backed(p, PAGES, BS_PAGING_FILE) <= paged && pages_backed(low, PAGES, BS_PAGING_FILE) == 0,
	   "no page on offer is written to a paging file");
	DWORD first = ReclaimVirtualMemory(p, SIZE), second = ReclaimVirtualMemory(low, SIZE);
	struct contents c = contents_of(p, 0, PAGES, OWNER), d = contents_of(low, 0, PAGES, OWNER + 1);
	note("intact: %llu and %llu of %u", (unsigned long long)c.intact, (unsigned long long)d.intact, PAGES);
	is(c.garbage + d.garbage, 0, "each is intact or zero");
	is(first, c.intact == PAGES ? ERROR_SUCCESS : ERROR_BUSY, "ReclaimVirtualMemory tells which");
	is(second, d.intact == PAGES ? ERROR_SUCCESS : ERROR_BUSY, "the second time, too");
	if (more)
		is(second, ERROR_BUSY, "pressure took some");
	fill(p, OWNER + 2);
	memory_squeeze_all();
	is(pattern_wrong(p, 0, PAGES, OWNER + 2), 0, "after that it is ordinary memory");
	memory_release(p);
	memory_release(low);
}

static void all(void)
{
	test_reset();
	test_reset_pressure();
	test_reset_refusals();
	test_discard();
	test_offer();
	test_offer_pressure();
}

int main(void)
{
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
