/*
 * Reclaim, as a program can see it: the thresholds under which the paging file is written, the order of priorities in which
 * pages go, refaults and stalls, and reading ahead.
 */
#include "squeeze.h"

#define SELF BACKSTORE_CURRENT_PROCESS
#define PAGES 256

static void status_is(NTSTATUS got, NTSTATUS expected, const char *name)
{
	is((uint32_t)got, (uint32_t)expected, "%s", name);
}

/* ---- thresholds ---- */

static void test_bounds(void)
{
	struct bs_memory m = memory_now(), after;
	uint64_t half = m.frames_total / 2;
	status_is(BsSetReclaim(63, 1000), STATUS_INVALID_PARAMETER, "a low threshold of 63 pages");
	status_is(BsSetReclaim(64, 79), STATUS_INVALID_PARAMETER, "a high one only 15 above it");
	status_is(BsSetReclaim(64, half + 1), STATUS_INVALID_PARAMETER, "one above half of memory");
	status_is(BsSetReclaim(0, 1000), STATUS_INVALID_PARAMETER, "only one of them 0");
	status_is(BsSetReclaim(~0ull - 4, ~0ull), STATUS_INVALID_PARAMETER, "huge ones");
	after = memory_now();
	ok(after.reclaim_low == m.reclaim_low && after.reclaim_high == m.reclaim_high, "none of these changed anything");
	status_is(BsSetReclaim(64, 80), STATUS_SUCCESS, "the lowest that there are");
	after = memory_now();
	ok(after.reclaim_low == 64 && after.reclaim_high == 80, "are in force");
	status_is(BsSetReclaim(0, 0), STATUS_SUCCESS, "0 and 0");
	after = memory_now();
	ok(after.reclaim_low >= 96 && after.reclaim_high == 2 * after.reclaim_low, "are those that memory's size gives");
}

/* Until the paging file was written to, or a second has gone. */
static uint64_t written_since(const struct bs_memory *before)
{
	for (int i = 0; i < 50 && memory_now().pages_swapped_out == before->pages_swapped_out; i++)
		Sleep(20);
	return memory_now().pages_swapped_out - before->pages_swapped_out;
}

/* Modified pages, in no working set, lie in memory until less is available than the high threshold. */
static void test_threshold(void)
{
	char *p = commit_bytes(PAGES * PAGE_BYTES);
	struct bs_memory before, now;
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(p, page, 1);
	working_set_empty();
	before = memory_now();
	ok(before.frames_modified >= PAGES, "%u modified pages lie on their list", PAGES);
	uint64_t available = memory_available(&before);
	status_is(BsSetReclaim(available / 4, available / 2), STATUS_SUCCESS, "thresholds below what is available");
	Sleep(200);
	is(memory_now().pages_swapped_out, before.pages_swapped_out, "nothing is written above them");
	uint64_t half = before.frames_total / 2, most = available + PAGES / 2;
	/* So much has to be in use that half of memory is more than what is available. */
	uint64_t extra = most > half ? most - half : 0;
	char *fill = extra ? commit_bytes(extra * PAGE_BYTES) : NULL;
	for (uint64_t page = 0; fill && page < extra; page++) {
		fill[page * PAGE_BYTES] = 1;
		if (page % 1024 == 0)
			tap_alive();
	}
	now = memory_now();
	before = now;
	status_is(BsSetReclaim(half - 16, half), STATUS_SUCCESS, "thresholds above what is available now");
	if (now.paging_file_pages)
		ok(memory_available(&now) < half && written_since(&before) > 0, "the paging file is written at once");
	else
		is(written_since(&before), 0, "without a paging file nothing is written");
	BsSetReclaim(0, 0);
	is(pattern_wrong(p, 0, PAGES, 1), 0, "contents are intact");
	if (fill)
		memory_release(fill);
	memory_release(p);
}

/* ---- priorities ---- */

static ULONG process_priority(void)
{
	MEMORY_PRIORITY_INFORMATION m = { 0 };
	return GetProcessInformation(GetCurrentProcess(), ProcessMemoryPriority, &m, sizeof(m)) ? m.MemoryPriority : 99;
}

static BOOL process_priority_set(ULONG priority, DWORD size)
{
	MEMORY_PRIORITY_INFORMATION m = { priority };
	SetLastError(0);
	return SetProcessInformation(GetCurrentProcess(), ProcessMemoryPriority, &m, size);
}

static BOOL thread_priority_set(ULONG priority, DWORD size)
{
	MEMORY_PRIORITY_INFORMATION m = { priority };
	SetLastError(0);
	return SetThreadInformation(GetCurrentThread(), ThreadMemoryPriority, &m, size);
}

static unsigned int priority_of(const char *page)
{
	struct bs_frame frame = { 0 };
	BsQueryFrames(page_at(page).frame, 1, &frame);
	return frame.priority;
}

static void test_priority_calls(void)
{
	MEMORY_PRIORITY_INFORMATION m = { 0 };
	char *p = commit_bytes(8 * PAGE_BYTES);
	is(process_priority(), MEMORY_PRIORITY_NORMAL, "a process has normal priority");
	ok(GetThreadInformation(GetCurrentThread(), ThreadMemoryPriority, &m, sizeof(m)) && m.MemoryPriority == 5,
	   "so has a thread");
	refused(process_priority_set(0, sizeof(m)), ERROR_INVALID_PARAMETER, "priority 0");
	refused(process_priority_set(6, sizeof(m)), ERROR_INVALID_PARAMETER, "priority 6");
	refused(process_priority_set(3, 3), ERROR_BAD_LENGTH, "a bad length");
	refused(thread_priority_set(6, sizeof(m)), ERROR_INVALID_PARAMETER, "a thread's priority 6");
	refused(SetProcessInformation(GetCurrentProcess(), (PROCESS_INFORMATION_CLASS)77, &m, sizeof(m)),
		ERROR_INVALID_PARAMETER, "an unknown class");
	status_is(NtSetInformationThread((HANDLE)0xdead0, (THREADINFOCLASS)24, &(ULONG){ 3 }, 4), STATUS_INVALID_HANDLE,
		  "a bad handle");
	status_is(NtSetInformationThread(GetCurrentThread(), (THREADINFOCLASS)24, NULL, 4), STATUS_ACCESS_VIOLATION,
		  "a bad address");
	is(process_priority(), 5, "none of these changed anything");
	p[0] = 1;
	is(priority_of(p), 5, "a page that is touched gets the normal priority");
	ok(process_priority_set(3, sizeof(m)) && process_priority() == 3, "a process of priority 3");
	p[PAGE_BYTES] = 1;
	is(priority_of(p + PAGE_BYTES), 3, "gives it to its pages");
	is(priority_of(p), 5, "those that it had keep theirs");
	ok(thread_priority_set(1, sizeof(m)), "a thread of priority 1");
	p[2 * PAGE_BYTES] = 1;
	is(priority_of(p + 2 * PAGE_BYTES), 1, "in it: the lower one counts");
	ok(process_priority_set(5, sizeof(m)) && thread_priority_set(4, sizeof(m)), "now 5 and 4");
	working_set_empty();
	p[0] = p[2 * PAGE_BYTES] = 2;
	is(priority_of(p), 5, "a touch never lowers a page's priority");
	is(priority_of(p + 2 * PAGE_BYTES), 4, "but raises it");
	thread_priority_set(5, sizeof(m));
	VirtualAlloc(p, PAGE_BYTES, MEM_RESET, PAGE_READWRITE);
	is(priority_of(p), 0, "after MEM_RESET it is the lowest");
	OfferVirtualMemory(p + PAGE_BYTES, PAGE_BYTES, VmOfferPriorityLow);
	is(priority_of(p + PAGE_BYTES), 2, "on offer it is as OfferVirtualMemory says");
	memory_release(p);
}

/* Clean pages of two priorities on standby: those of the lower go first, though they are the younger. */
static void test_priority_order(void)
{
	MEMORY_PRIORITY_INFORMATION m;
	char *high = commit_bytes(PAGES * PAGE_BYTES), *low = commit_bytes(PAGES * PAGE_BYTES);
	volatile char sum = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		sum += ((volatile char *)high)[page * PAGE_BYTES]; /* read and never written: clean */
	process_priority_set(1, sizeof(m));
	for (uint64_t page = 0; page < PAGES; page++)
		sum += ((volatile char *)low)[page * PAGE_BYTES];
	process_priority_set(5, sizeof(m));
	working_set_empty();
	struct bs_memory now = memory_now();
	uint64_t want = now.frames_free + now.frames_zeroed + PAGES / 2;
	char *fill = commit_bytes(want * PAGE_BYTES);
	if (!fill || pages_with(low, PAGES, BS_RESIDENT) < PAGES) {
		skip("low priority goes first", "there is not enough memory for it");
	} else {
		uint64_t page = 0;
		for (; page < want && pages_with(low, PAGES, BS_RESIDENT) > PAGES / 2; page += 32) {
			for (uint64_t i = 0; i < 32 && page + i < want; i++)
				fill[(page + i) * PAGE_BYTES] = 1;
			tap_alive();
		}
		is_within(pages_with(low, PAGES, BS_RESIDENT), 0, PAGES / 2, "pages of very low priority are taken");
		is(pages_with(high, PAGES, BS_RESIDENT), PAGES, "while older ones of normal priority are still there");
	}
	if (fill)
		memory_release(fill);
	memory_release(low);
	memory_release(high);
}

/* ---- refaults ---- */

static uint64_t refaults(const struct bs_memory *m)
{
	return m->refaults_swap + m->refaults_image;
}

/* More than memory has is touched in turn: each page comes back after about one memory of evictions or less. */
static void test_refaults(void)
{
	struct bs_memory before = memory_now(), after;
	uint64_t memory = memory_available(&before) + before.frames_modified, want = memory + memory / 8;
	uint64_t room = before.commit_limit - before.commit_charge, stalled = before.memory_stall_ns;
	volatile char *p;
	if (before.paging_file_pages == 0 || room < want + 512 ||
	    before.paging_file_pages - before.paging_file_used < want - memory + 512) {
		skip("refaults are counted", "a paging file of some size is wanted");
		return;
	}
	p = commit_bytes(want * PAGE_BYTES);
	for (uint64_t page = 0; page < want; page++) {
		p[page * PAGE_BYTES] = (char)page;
		if (page % 512 == 0)
			tap_alive();
	}
	after = memory_now();
	note("writing %llu pages once: %llu refaults", (unsigned long long)want,
	     (unsigned long long)(refaults(&after) - refaults(&before)));
	is_within(refaults(&after) - refaults(&before), 0, want / 16, "who touches everything once refaults little");
	before = after;
	uint64_t wrong = 0;
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t page = random_next() % want;
		wrong += p[page * PAGE_BYTES] != (char)page;
		if (i % 32 == 0)
			tap_alive();
	}
	for (uint64_t page = 0; page < want; page++) {
		wrong += p[page * PAGE_BYTES] != (char)page;
		if (page % 512 == 0)
			tap_alive();
	}
	after = memory_now();
	is(wrong, 0, "all is there when it is read again");
	note("reading them again: %llu refaults, %llu pages read, %llu of them ahead (%llu used, %llu wasted), stalled %llu ms",
	     (unsigned long long)(refaults(&after) - refaults(&before)),
	     (unsigned long long)(after.pages_swapped_in - before.pages_swapped_in),
	     (unsigned long long)(after.swap_ahead_pages - before.swap_ahead_pages),
	     (unsigned long long)(after.swap_ahead_used - before.swap_ahead_used),
	     (unsigned long long)(after.swap_ahead_wasted - before.swap_ahead_wasted),
	     (unsigned long long)(after.memory_stall_ns - stalled) / 1000000);
	ok(after.refaults_swap > before.refaults_swap + 32, "that is refaults");
	ok(after.memory_stall_ns > stalled, "and time that somebody waited");
	ok(after.memory_full_ns <= after.memory_stall_ns, "everybody waits no longer than somebody");
	memory_release((void *)p);
}

static void test_quiet(void)
{
	struct bs_memory before = memory_now(), after;
	char *p = commit_bytes(PAGES * PAGE_BYTES);
	for (int round = 0; round < 20; round++) {
		for (uint64_t page = 0; page < PAGES; page++)
			p[page * PAGE_BYTES]++;
		working_set_empty();
	}
	after = memory_now();
	is(after.refaults_swap, before.refaults_swap, "while memory is free there are no refaults, whatever leaves working sets");
	memory_release(p);
}

/* ---- no paging file, and somebody who uses all memory ---- */

#define LEFT 200   /* pages that the hog leaves of the commit limit: some for each of the small programs */
#define RUNS 8
#define READ_MOST 8 /* pages of images that a run may have to read again, on the average */

/* Writes to all that can be had, again and again, until it is ended. */
static int hog(void)
{
	HANDLE ready = OpenEventA(EVENT_MODIFY_STATE, FALSE, "ReclaimHog");
	struct bs_memory m = memory_now();
	uint64_t pages = m.commit_limit - m.commit_charge - LEFT;
	char *p = commit_bytes(pages * PAGE_BYTES);
	if (!p || !ready)
		return 1;
	for (uint64_t round = 0;; round++) {
		for (uint64_t page = 0; page < pages; page++)
			p[page * PAGE_BYTES]++;
		if (round == 1)
			SetEvent(ready);
	}
}

/* What the hog can't push out, it must not make so scarce that small programs read their code anew all the time. */
static void test_hog(void)
{
	PROCESS_INFORMATION child;
	HANDLE ready = CreateEventA(NULL, FALSE, FALSE, "ReclaimHog");
	if (memory_now().paging_file_pages) {
		skip("small programs run beside a hog", "only without a paging file nothing of the hog can leave");
		return;
	}
	if (!process_start("hog", false, 0, &child) || WaitForSingleObject(ready, 60000) != WAIT_OBJECT_0) {
		ok(false, "the hog runs");
		return;
	}
	process_run("nothing", false);
	struct bs_memory before = memory_now(), after;
	uint64_t right = 0;
	for (int i = 0; i < RUNS; i++) {
		right += process_run("nothing", false) == 7;
		tap_alive();
	}
	after = memory_now();
	note("%llu available; %d programs: %llu pages of images read, %llu refaults, %llu trimmed",
	     (unsigned long long)memory_available(&after), RUNS,
	     (unsigned long long)(after.pages_image_read - before.pages_image_read),
	     (unsigned long long)(after.refaults_image - before.refaults_image),
	     (unsigned long long)(after.pages_trimmed - before.pages_trimmed));
	is(right, RUNS, "%d small programs run beside one that uses all memory", RUNS);
	is_within(after.pages_image_read - before.pages_image_read, 0, READ_MOST * RUNS,
		  "and do not read their code anew each time");
	TerminateProcess(child.hProcess, 0);
	process_end(&child);
	CloseHandle(ready);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return !strcmp(argv[1], "hog") ? hog() : 7;
	test_bounds();
	test_quiet();
	test_priority_calls();
	test_priority_order();
	test_threshold();
	test_refaults();
	test_hog();
	memory_is_consistent();
	return tap_end();
}
