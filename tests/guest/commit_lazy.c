/*
 * The commit policy lazy-writecopy: what may be copied is charged when it is copied, and the write that makes the copy
 * fails if the limit does not allow it. For machines with commit=lazy-writecopy; on others there is nothing to test.
 */
#include "fork.h"

#define PAGES 64
#define SIZE (PAGES * PAGE_BYTES)
#define SPARE 96 /* pages of commit that the program itself may need while the rest is taken */
#define SECTION 1 /* owners of patterns */
#define COPY 2

static HANDLE section;
static char *shared;

static char *commit(uint64_t pages)
{
	return VirtualAlloc(NULL, pages * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static uint64_t room_now(void)
{
	struct bs_memory m = memory_now();
	return m.commit_limit - m.commit_charge;
}

/* Takes all commit but so many pages. */
static char *room_leave(uint64_t pages)
{
	uint64_t room = room_now(), tables = room / 512 + 4;
	return room > pages + tables ? commit(room - pages - tables) : NULL;
}

static void section_begin(uint64_t pages)
{
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, (DWORD)(pages * PAGE_BYTES), NULL);
	shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	for (uint64_t page = 0; page < pages; page++)
		pattern_fill(shared, page, SECTION);
}

static void section_end(void)
{
	UnmapViewOfFile(shared);
	CloseHandle(section);
}

/* The test holds if a write there fails for the commit limit. */
static bool write_refused(char *at, const char *name)
{
	bool so = !can_write(at) && fault.code == (DWORD)STATUS_IN_PAGE_ERROR && fault.kind == KIND_WRITE &&
		  fault.address == (ULONG_PTR)at && (DWORD)fault.status == (DWORD)STATUS_COMMITMENT_LIMIT;
	if (!so)
		note("exception 0x%08lx, kind %llu, address 0x%llx, status 0x%llx", fault.code,
		     (unsigned long long)fault.kind, (unsigned long long)fault.address, (unsigned long long)fault.status);
	return ok(so, "%s", name);
}

/* ---- views ---- */

static void test_charge(void)
{
	DWORD old;
	section_begin(PAGES);
	uint64_t before = memory_now().commit_private;
	char *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	is(memory_now().commit_private, before, "a copy view is charged nothing when it is mapped");
	for (int page = 0; page < 10; page++)
		pattern_fill(copy, page, COPY);
	is(memory_now().commit_private - before, 10, "each private copy is charged when it is made");
	ok(pattern_holds(copy, 9, COPY) && pattern_holds(shared, 9, SECTION) && pattern_holds(copy, 10, SECTION),
	   "and is a copy");
	working_set_empty();
	ok(pattern_holds(copy, 3, COPY) && pattern_holds(copy, 13, SECTION), "also when it was out of the working set");
	VirtualProtect(copy, SIZE, PAGE_READONLY, &old);
	is(memory_now().commit_private - before, 10, "read-only, it stays charged");
	VirtualProtect(copy, SIZE, PAGE_WRITECOPY, &old);
	is(memory_now().commit_private - before, 10, "write-copy again, the others are not charged");
	pattern_fill(copy, 20, COPY);
	is(memory_now().commit_private - before, 11, "until they are written to");
	UnmapViewOfFile(copy);
	is(memory_now().commit_private, before, "all is given back with the view");

	/* Never touched section pages, and those of an image, whose data pages are write-copy. */
	char *code = (char *)GetModuleHandleA(NULL);
	ok(VirtualProtect(code + 0x1000, PAGE_BYTES, PAGE_EXECUTE_WRITECOPY, &old), "code can be made write-copy");
	is(memory_now().commit_private, before, "which is charged nothing");
	VirtualProtect(code + 0x1000, PAGE_BYTES, old, &old);
	is(memory_now().commit_private, before, "nor is the way back");
	section_end();

	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, SIZE, NULL);
	copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	before = memory_now().commit_private;
	copy[5 * PAGE_BYTES] = 1;
	is(memory_now().commit_private - before, 1, "the private copy of a page that nobody touched is charged, too");
	is(shared[5 * PAGE_BYTES], 0, "and private");
	/* The section's last view: its pages are taken over. */
	pattern_fill(shared, 7, SECTION);
	section_end();
	ok(pattern_holds(copy, 7, SECTION), "the last view of the section");
	before = memory_now().commit_private;
	pattern_fill(copy, 7, COPY);
	is(memory_now().commit_private - before, 1, "is charged for a page that it takes over");
	UnmapViewOfFile(copy);
}

static void test_refused(void)
{
	SIZE_T done;
	uint64_t made = 0, commit_refused;
	section_begin(4 * SPARE);
	char *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	pattern_fill(copy, 0, COPY);
	can_read(NULL); /* what the handling of an exception needs is there */
	note("room");
	char *hog = room_leave(SPARE);
	char *second = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	ok(second != NULL, "more than the limit allows can be mapped write-copy");
	UnmapViewOfFile(second);
	commit_refused = memory_now().commit_refused;
	while (made + 1 < 4 * SPARE && can_write(copy + (made + 1) * PAGE_BYTES))
		made++;
	is_within(made, SPARE / 2, 2 * SPARE, "as many copies can be made as the limit allows");
	char *next = copy + (made + 1) * PAGE_BYTES;
	write_refused(next, "the next one is an in-page error: STATUS_COMMITMENT_LIMIT");
	ok(memory_now().commit_refused > commit_refused, "which is counted as refused");
	ok(pattern_holds(copy, made + 1, SECTION), "the page can be read, and is the section's");
	is((uint32_t)NtQuerySystemTime((LARGE_INTEGER *)next), (uint32_t)STATUS_ACCESS_VIOLATION,
	   "a system call can't write there either");
	ok(!WriteProcessMemory(GetCurrentProcess(), next, "x", 1, &done) && done == 0, "nor can another process");
	ok(can_write(copy) && can_write(copy + made * PAGE_BYTES), "copies that were made can be written to");
	VirtualFree(hog, 0, MEM_RELEASE);
	ok(can_write(next), "when there is room again, so can the next");
	is(*next, 0x5a, "it holds what was written");
	ok(pattern_holds(shared, made + 1, SECTION), "and the section what it had");
	UnmapViewOfFile(copy);
	section_end();
}

/* ---- copies of processes ---- */

struct large {
	char *memory;
	uint64_t pages;
};

/* Writes until it is refused. Exit code: 0 if all was as it should be, else what was not. */
static DWORD child_writes(void *argument)
{
	struct large *l = argument;
	uint64_t made = 0;
	can_read(NULL);
	if (pattern_wrong(l->memory, 0, l->pages, SECTION))
		return 1;
	while (made < l->pages && can_write(l->memory + made * PAGE_BYTES))
		made++;
	if (made == 0 || made == l->pages)
		return 2;
	if (fault.code != (DWORD)STATUS_IN_PAGE_ERROR || (DWORD)fault.status != (DWORD)STATUS_COMMITMENT_LIMIT)
		return 4;
	if (!pattern_holds(l->memory, made, SECTION))
		return 8;
	/* What it gives back it can use for others. */
	if (!VirtualFree(l->memory, made * PAGE_BYTES, MEM_DECOMMIT))
		return 16;
	return can_write(l->memory + made * PAGE_BYTES) ? 0 : 32;
}

static DWORD child_reads(void *argument)
{
	struct large *l = argument;
	struct bs_memory before = memory_now();
	if (pattern_wrong(l->memory, 0, l->pages, SECTION))
		return 1;
	return memory_now().commit_charge > before.commit_charge + 16 ? 2 : 0;
}

static void test_fork(void)
{
	struct bs_memory before, after;
	uint64_t room = room_now();
	/* All of it has to be somewhere, even if half of it is there twice. */
	struct bs_memory m = memory_now();
	struct large l = { .pages = room * 6 / 10 };
	note("%llu pages of commit left, %llu frames available", (unsigned long long)room,
	     (unsigned long long)memory_available(&m));
	before = memory_now();
	l.memory = commit(l.pages);
	for (uint64_t page = 0; page < l.pages; page++) {
		pattern_fill(l.memory, page, SECTION);
		if (page % 256 == 0)
			tap_alive();
	}
	is(fork_run(child_reads, &l), 0, "a process with more than half of what can be promised is copied, if it was written");
	after = memory_now();
	is_within(after.commit_clones, l.pages, l.pages + 2000, "the shared pages are charged once");
	is(fork_run(child_writes, &l), 0, "the copy can write until the limit is reached");
	is(pattern_wrong(l.memory, 0, l.pages, SECTION), 0, "the original is as it was");
	after = memory_now();
	for (uint64_t page = 0; page < l.pages; page++)
		pattern_fill(l.memory, page, COPY);
	is_within(memory_now().commit_charge, 0, after.commit_charge + 4, "pages that are taken over are charged no more");
	is_within(memory_now().commit_clones, 0, after.commit_clones - l.pages, "but to their process");
	VirtualFree(l.memory, 0, MEM_RELEASE);
	is_within(memory_now().commit_charge, 0, before.commit_charge + 16, "all is given back");

	/* Nobody has these pages yet: each of the two may want them. */
	l.memory = commit(l.pages);
	before = memory_now();
	is(fork_run(child_reads, &l), NOT_FORKED, "a process with as many pages that were never written is not copied");
	is_within(memory_now().commit_charge, 0, before.commit_charge + 16, "and nothing stays charged");
	VirtualFree(l.memory, 0, MEM_RELEASE);
}

static void small(void)
{
	test_charge();
	test_refused();
}

int main(void)
{
	if (!option_is("commit", "lazy-writecopy")) {
		skip("the policy lazy-writecopy", "boot option commit=lazy-writecopy");
		return tap_end();
	}
	probes_init();
	is(memory_now().commit_policy, BS_COMMIT_LAZY_WRITECOPY, "the policy is lazy-writecopy");
	small();
	test_fork();
	return leaks_none_and_end(small, 0);
}
