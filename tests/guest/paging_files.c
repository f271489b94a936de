/*
 * Paging files that come and go while memory is in use: contents, refusals and their numbers, priorities, and that nothing
 * is left behind. Wants a machine of 64 MiB. Arguments: paging_files [DISK...]: disks that may be added as well.
 * paging_files unreadable SLOT: the only paging file is one whose slot SLOT can't be read.
 */
#include "fork.h"

#define OWNER 0x50f1
#define OTHER 0x50f2

static NTSTATUS add(const char *name, uint64_t size, int64_t priority)
{
	return BsAddPagingFile(name, size, priority);
}

static struct bs_paging_file_removal removal;

static NTSTATUS remove_file(const char *name)
{
	return BsRemovePagingFile(name, 0, &removal);
}

/* The paging file with this name; pages 0: there is none. */
static struct bs_paging_file file_of(const char *name)
{
	struct bs_paging_file f;
	for (uint64_t i = 0; BsQueryPagingFile(i, &f) == 0; i++)
		if (!strcmp(f.name, name))
			return f;
	return (struct bs_paging_file){ 0 };
}

/* The one that was added last: that is not in before. */
static struct bs_paging_file files_before[BS_PAGING_FILES_MAX];
static uint64_t files_before_count;

static void files_note(void)
{
	for (files_before_count = 0; BsQueryPagingFile(files_before_count, &files_before[files_before_count]) == 0;)
		files_before_count++;
}

static struct bs_paging_file file_new(void)
{
	struct bs_paging_file f;
	for (uint64_t i = 0; BsQueryPagingFile(i, &f) == 0; i++) {
		bool old = false;
		for (uint64_t k = 0; k < files_before_count; k++)
			old |= files_before[k].number == f.number;
		if (!old)
			return f;
	}
	return (struct bs_paging_file){ 0 };
}

/* Adds a RAM disk; its name into name. */
static bool ramdisk_add(uint64_t pages, int64_t priority, char *name)
{
	files_note();
	NTSTATUS status = add("ramdisk", pages * PAGE_BYTES, priority);
	if (status)
		note("a RAM disk of %llu pages: status 0x%08lx", (unsigned long long)pages, (unsigned long)status);
	strcpy(name, file_new().name);
	return status == 0;
}

static void pages_fill(char *base, uint64_t pages, uint64_t owner)
{
	for (uint64_t page = 0; page < pages; page++) {
		pattern_fill(base, page, owner);
		if (page % 256 == 0)
			tap_alive();
	}
}

/* What is available now, less what the test needs for itself. */
static uint64_t pages_for(uint64_t percent)
{
	struct bs_memory m = memory_now();
	uint64_t want = memory_available(&m) * percent / 100, room = m.commit_limit - m.commit_charge;
	return want < room * 9 / 10 ? want : room * 9 / 10;
}

/* ---- refusals ---- */

static void test_refusals(void)
{
	static const char *const system_names[] = { "system", "vd0" };
	struct bs_memory before = memory_now(), after;
	struct bs_paging_file f;
	char long_name[40];
	memset(long_name, 'x', sizeof(long_name));
	long_name[39] = 0;
	is((uint32_t)add("vd9", 0, BS_PRIORITY_NONE), (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND, "no such disk");
	is((uint32_t)add("", 0, BS_PRIORITY_NONE), (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND, "no name");
	is((uint32_t)add(long_name, 0, BS_PRIORITY_NONE), (uint32_t)STATUS_OBJECT_NAME_INVALID, "a name that is too long");
	char *edge = VirtualAlloc(NULL, 2 * PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	VirtualAlloc(edge, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	memset(edge, 'v', PAGE_BYTES);
	const char *const bad[] = { NULL, (char *)16, edge + PAGE_BYTES - 2, edge + PAGE_BYTES, (char *)0xffff800000100000ull,
				    (char *)0x0000900000000000ull, (char *)~0ull };
	uint64_t wrong = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wrong += add(bad[i], 0, BS_PRIORITY_NONE) != STATUS_ACCESS_VIOLATION;
		wrong += i && remove_file(bad[i]) != STATUS_ACCESS_VIOLATION;
	}
	is(wrong, 0, "names that can't be read");
	memory_release(edge);
	for (int i = 0; i < 2; i++)
		is((uint32_t)add(system_names[i], 0, BS_PRIORITY_NONE), (uint32_t)STATUS_SHARING_VIOLATION,
		   "the system volume's disk, as %s", system_names[i]);
	is((uint32_t)add("ramdisk", 0, BS_PRIORITY_NONE), (uint32_t)STATUS_INVALID_PARAMETER_2, "a RAM disk without a size");
	is((uint32_t)add("ramdisk", 15 * PAGE_BYTES, BS_PRIORITY_NONE), (uint32_t)STATUS_INVALID_PARAMETER_2,
	   "a RAM disk of 15 pages");
	is((uint32_t)add("ramdisk", 1ull << 40, BS_PRIORITY_NONE), (uint32_t)STATUS_COMMITMENT_LIMIT, "a RAM disk of 1 TiB");
	is((uint32_t)add("ramdisk", UINT64_MAX, BS_PRIORITY_NONE), (uint32_t)STATUS_COMMITMENT_LIMIT,
	   "a RAM disk of all bytes");
	is((uint32_t)add("ramdisk", 1 << 20, BS_PRIORITY_MAX + 1), (uint32_t)STATUS_INVALID_PARAMETER_3,
	   "a priority that is too high");
	is((uint32_t)add("ramdisk", 1 << 20, -2), (uint32_t)STATUS_INVALID_PARAMETER_3, "a priority below none");
	is((uint32_t)remove_file("vd9"), (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND, "removing what is no paging file");
	is((uint32_t)BsRemovePagingFile(NULL, 15, &removal), (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND, "a number that none has");
	is((uint32_t)BsRemovePagingFile(NULL, UINT64_MAX, &removal), (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND,
	   "the highest number");
	if (BsQueryPagingFile(0, &f) == 0) {
		is((uint32_t)add(f.name, 0, 5), (uint32_t)STATUS_SHARING_VIOLATION, "a disk that is a paging file already");
		is((uint32_t)BsRemovePagingFile(f.name, 0, NULL), (uint32_t)STATUS_ACCESS_VIOLATION,
		   "a bad pointer for the numbers: it is not removed");
		is(file_of(f.name).pages, f.pages, "and still there");
	}
	after = memory_now();
	is(after.commit_limit, before.commit_limit, "none of that changed the commit limit");
	is(after.paging_file_pages, before.paging_file_pages, "or the paging files");
}

/* What the charge needs can't be removed. */
static void test_limit(void)
{
	char name[32];
	uint64_t room, pages = 1024;
	if (!ok(ramdisk_add(pages, 100, name), "a RAM disk is added"))
		return;
	is(file_of(name).pages, pages, "with as many pages as it was to have");
	struct bs_memory m = memory_now();
	room = m.commit_limit - m.commit_charge;
	char *base = VirtualAlloc(NULL, (room - pages / 2) * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	ok(base != NULL, "nearly all of the commit limit is charged");
	if (m.commit_policy != BS_COMMIT_OVERCOMMIT) {
		is((uint32_t)remove_file(name), (uint32_t)STATUS_COMMITMENT_LIMIT, "then it can't be removed");
		is_within(removal.commit_charge, removal.commit_limit + 1, UINT64_MAX, "because the charge is above the limit");
		is(removal.commit_limit, m.commit_limit - pages, "that would be in force without it");
		is(memory_now().commit_limit, m.commit_limit, "the limit is what it was");
		is(file_of(name).state, BS_PAGING_FILE_OPEN, "it is a paging file still");
	}
	memory_release(base);
	is((uint32_t)remove_file(name), 0, "when that is freed, it is removed");
	is(file_of(name).pages, 0, "and is not there any more");
}

/* ---- priorities ---- */

/* More than memory holds, so that some of it is paged out. */
static char *press(uint64_t *pages, uint64_t more)
{
	struct bs_memory m = memory_now();
	*pages = memory_available(&m) + more;
	char *base = commit_bytes(*pages * PAGE_BYTES);
	if (!base) {
		note("%llu pages: error %lu", (unsigned long long)*pages, GetLastError());
		return NULL;
	}
	pages_fill(base, *pages, OWNER);
	return base;
}

static void test_priorities(void)
{
	char high[32], low[32], twin[32];
	uint64_t pages;
	if (!ok(ramdisk_add(1024, 300, high) && ramdisk_add(1024, 200, low) && ramdisk_add(1024, 200, twin),
		"three RAM disks, one of higher priority"))
		return;
	is(file_of(high).priority, 300, "its priority is told");
	char *base = press(&pages, 1100);
	if (ok(base != NULL, "1100 pages more than memory holds")) {
		struct bs_paging_file h = file_of(high), l = file_of(low), t = file_of(twin);
		note("used: %llu, %llu and %llu of 1024", (unsigned long long)h.used, (unsigned long long)l.used,
		     (unsigned long long)t.used);
		is_within(h.peak, 1000, 1024, "the one of the highest priority is filled first");
		ok(l.used + t.used > 0, "then the next");
		uint64_t apart = l.used > t.used ? l.used - t.used : t.used - l.used;
		is_within(apart, 0, 256, "those of one priority take turns");
		is(pattern_wrong(base, 0, pages, OWNER), 0, "every page is right");
		memory_release(base);
	}
	is((uint32_t)remove_file(low), 0, "one is removed");
	is((uint32_t)remove_file(high), 0, "so is the next");
	is((uint32_t)remove_file(twin), 0, "and the last");
}

/* A number is used again, and names nobody's page then. */
static void test_numbers(void)
{
	char name[32];
	uint64_t number, wrong = 0;
	ramdisk_add(64, 9, name);
	number = file_of(name).number;
	for (int i = 0; i < 5; i++) {
		wrong += remove_file(name) != 0;
		wrong += !ramdisk_add(64, 9, name) || file_of(name).number != number;
	}
	is(wrong, 0, "a number is used again after its paging file was removed");
	is((uint32_t)BsRemovePagingFile(NULL, number, &removal), 0, "it is removed by its number");
}

/* ---- contents, under load ---- */

#define THREADS 3

static char *memory, *shared;
static uint64_t memory_pages, shared_pages;
static volatile LONG stop, wrong_pages;
static uint8_t *generations;

static uint64_t owner_at(uint64_t page) { return OWNER + (uint64_t)generations[page] * 65536; }

/* Each has every third page: reads it, and at times changes it. */
static DWORD WINAPI working_thread(void *argument)
{
	uint64_t thread = (uint64_t)(ULONG_PTR)argument, state = thread * 77 + 5;
	for (unsigned int n = 1; !stop; n++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t page = (state >> 33) % (memory_pages / THREADS) * THREADS + thread;
		if (!pattern_holds(memory, page, owner_at(page)))
			InterlockedIncrement(&wrong_pages);
		if (n % 3 == 0) {
			generations[page]++;
			pattern_fill(memory, page, owner_at(page));
		}
		page = (state >> 13) % shared_pages;
		if (!pattern_holds(shared, page, OTHER))
			InterlockedIncrement(&wrong_pages);
		if (n % 32 == 0)
			Sleep(1);
	}
	return 0;
}

static DWORD copied_child(void *argument)
{
	uint64_t wrong = pattern_wrong(shared, 0, shared_pages, OTHER), step = (uint64_t)(ULONG_PTR)argument;
	for (uint64_t page = 0; page < shared_pages; page += step)
		pattern_fill(shared, page, OWNER);
	for (uint64_t page = 0; page < shared_pages; page++)
		wrong += !pattern_holds(shared, page, page % step ? OTHER : OWNER);
	return (DWORD)wrong;
}

/* Adds a RAM disk that is used before all others, waits until it is used, removes it. */
static void round_trip(uint64_t pages, uint64_t *failures, uint64_t *moved)
{
	char name[32];
	if (!ramdisk_add(pages, 1000, name)) {
		++*failures;
		return;
	}
	for (int i = 0; i < 40 && file_of(name).used < pages / 2; i++) {
		Sleep(10);
		tap_alive();
	}
	NTSTATUS status = remove_file(name);
	*moved += removal.pages;
	if (status) {
		note("%s stays: status 0x%08lx, %llu of %llu pages left, room for %llu, %llu unreadable", name,
		     (unsigned long)status, (unsigned long long)removal.left, (unsigned long long)removal.pages,
		     (unsigned long long)removal.room, (unsigned long long)removal.unreadable);
		++*failures;
	}
	*failures += BsCheckMemory() == STATUS_UNSUCCESSFUL;
}

static void test_load(void)
{
	HANDLE threads[THREADS], section;
	RTL_USER_PROCESS_INFORMATION copy;
	uint64_t failures = 0, moved = 0, wrong = 0;
	NTSTATUS status;
	char name[32];
	bool base = ramdisk_add(2048, 10, name);
	ok(base, "a RAM disk that stays for this test");
	section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 512 * PAGE_BYTES, NULL);
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	pages_fill(view, 512, OTHER + 1);
	shared_pages = 512;
	shared = commit_bytes(shared_pages * PAGE_BYTES);
	pages_fill(shared, shared_pages, OTHER);
	memory_pages = pages_for(120) / THREADS * THREADS;
	memory = commit_bytes(memory_pages * PAGE_BYTES);
	generations = calloc(1, memory_pages);
	if (!ok(memory && generations, "more private memory than is available, if that may be: %llu pages",
		(unsigned long long)memory_pages))
		return;
	pages_fill(memory, memory_pages, OWNER);
	stop = wrong_pages = 0;
	for (int i = 0; i < THREADS; i++)
		threads[i] = CreateThread(NULL, 0, working_thread, (void *)(ULONG_PTR)i, 0, NULL);
	for (int i = 0; i < 4; i++) {
		bool copied = fork_start(copied_child, (void *)(ULONG_PTR)(i + 2), 0, &copy, &status);
		round_trip(384, &failures, &moved);
		if (copied)
			wrong += fork_end(&copy);
		tap_alive();
	}
	stop = 1;
	WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
	for (int i = 0; i < THREADS; i++)
		CloseHandle(threads[i]);
	note("%llu pages were moved", (unsigned long long)moved);
	is(failures, 0, "paging files were added and removed while threads and clones used memory");
	ok(moved > 0, "pages were in them");
	is((uint64_t)wrong_pages, 0, "the threads found every page right meanwhile");
	is(wrong, 0, "so did the clones");
	for (uint64_t page = 0; page < memory_pages; page++)
		wrong += !pattern_holds(memory, page, owner_at(page));
	is(wrong, 0, "private memory is right in the end");
	is(pattern_wrong(view, 0, 512, OTHER + 1), 0, "so is a section that nobody touched");
	is(pattern_wrong(shared, 0, shared_pages, OTHER), 0, "and memory shared with clones");
	free(generations);
	memory_release(memory);
	is(fork_run(copied_child, (void *)(ULONG_PTR)7), 0, "a clone that is made then has all of that");
	memory_release(shared);
	UnmapViewOfFile(view);
	CloseHandle(section);
	if (base)
		is((uint32_t)remove_file(name), 0, "the RAM disk that stayed is removed");
}

/* ---- disks ---- */

static void test_disk(const char *name)
{
	struct bs_memory before = memory_now();
	uint64_t pages;
	is((uint32_t)add(name, 0, 500), 0, "the disk %s is added", name);
	struct bs_paging_file f = file_new();
	is(memory_now().commit_limit, before.commit_limit + f.pages, "the commit limit grows by its pages");
	is((uint32_t)add(name, 0, 500), (uint32_t)STATUS_SHARING_VIOLATION, "it can't be added twice");
	char *base = press(&pages, 500);
	if (ok(base != NULL, "500 pages more than memory holds")) {
		ok(file_of(f.name).used > 0, "some are in it");
		memory_release(base);
	}
	is((uint32_t)remove_file(f.name), 0, "it is removed");
	is(memory_now().commit_limit, before.commit_limit, "the commit limit is what it was");
}

/* ---- a slot that can't be read ---- */

static int unreadable(uint64_t slot)
{
	struct bs_paging_file f, after;
	struct bs_memory m = memory_now();
	uint64_t pages = memory_available(&m) / 2, more, lost = UINT64_MAX, wrong = 0;
	probes_init();
	BsQueryPagingFile(0, &f);
	char *base = commit_bytes(pages * PAGE_BYTES);
	pages_fill(base, pages, OTHER);
	char *pressing = press(&more, 600); /* base leaves memory; then the charge fits into that again */
	ok(base && pressing, "more than memory holds");
	memory_release(pressing);
	for (uint64_t page = 0; page < pages; page++) {
		struct bs_page p = page_at(base + page * PAGE_BYTES);
		if (p.backing == BS_PAGING_FILE && p.offset == slot && !(p.flags & BS_RESIDENT))
			lost = page;
	}
	if (!ok(lost != UINT64_MAX, "slot %llu holds a page of ours", (unsigned long long)slot))
		return tap_end();
	m = memory_now();
	is((uint32_t)remove_file(f.name), (uint32_t)STATUS_IO_DEVICE_ERROR, "its paging file can't be removed");
	is(removal.unreadable, 1, "since one page can't be read");
	is_within(removal.pages, 100, pages + 600, "of those that it held");
	is(removal.left, 1, "which is the only one that it still holds");
	after = file_of(f.name);
	is(after.state, BS_PAGING_FILE_OPEN, "it is a paging file still");
	is(after.bad, 1, "with one bad slot");
	is(memory_now().commit_limit, m.commit_limit - 1, "which the commit limit does not count");
	ok(!can_read(base + lost * PAGE_BYTES) && fault.code == (DWORD)STATUS_IN_PAGE_ERROR, "reading the page is an in-page error");
	ok(!can_read(base + lost * PAGE_BYTES) && fault.code == (DWORD)STATUS_IN_PAGE_ERROR, "each time");
	is(file_of(f.name).bad, 1, "the slot is counted once");
	for (uint64_t page = 0; page < pages; page++)
		wrong += page != lost && !pattern_holds(base, page, OTHER);
	is(wrong, 0, "all other pages are right");
	memory_is_consistent();
	memory_release(base);
	is((uint32_t)remove_file(f.name), 0, "without that page it is removed");
	is(memory_now().commit_limit, m.commit_limit - f.pages, "and the commit limit is memory's alone");
	memory_is_consistent();
	return tap_end();
}

/* ---- nothing stays ---- */

static void small(void)
{
	char first[32], second[32];
	bool two = ramdisk_add(100, 50, first) && ramdisk_add(200, 50, second);
	ok(two, "two RAM disks");
	if (two) {
		is((uint32_t)remove_file(first), 0, "are removed");
		is((uint32_t)remove_file(second), 0, "again");
	}
}

int main(int argc, char **argv)
{
	struct bs_memory before, after;
	if (argc == 3 && !strcmp(argv[1], "unreadable"))
		return unreadable(strtoull(argv[2], NULL, 10));
	small(); /* what is made once, like page tables of the kernel's, is there now */
	before = memory_now();
	test_refusals();
	test_limit();
	test_numbers();
	if (before.commit_policy == BS_COMMIT_OVERCOMMIT)
		note("overcommit: nothing is pressed out of memory");
	else
		test_priorities();
	test_load();
	for (int i = 1; i < argc; i++) {
		files_note();
		test_disk(argv[i]);
	}
	after = memory_now();
	is(after.commit_limit, before.commit_limit, "the commit limit is what it was");
	is(after.paging_file_count, before.paging_file_count, "so are the paging files");
	return leaks_none_and_end(small, STACKS_KEPT);
}
