/*
 * The limits of working sets: what may be set, what a hard maximum and a hard minimum do, what may be locked, and that
 * memory is never promised to locked pages that it could not hold.
 */
#include "guest.h"

#define SELF BACKSTORE_CURRENT_PROCESS
#define QUOTA_LIMITS_CLASS 1
#define PAGES(n) ((SIZE_T)(n) * 4096)

static NTSTATUS set(HANDLE process, SIZE_T min, SIZE_T max)
{
	QUOTA_LIMITS q = { .MinimumWorkingSetSize = min, .MaximumWorkingSetSize = max };
	return NtSetInformationProcess(process, QUOTA_LIMITS_CLASS, &q, sizeof(q));
}

static NTSTATUS set_ex(SIZE_T min, SIZE_T max, DWORD flags)
{
	QUOTA_LIMITS_EX q = { .MinimumWorkingSetSize = min, .MaximumWorkingSetSize = max, .Flags = flags };
	return NtSetInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, sizeof(q));
}

static QUOTA_LIMITS_EX get(void)
{
	QUOTA_LIMITS_EX q = { 0 };
	NtQueryInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, sizeof(q), NULL);
	return q;
}

static void limits_are(uint64_t min, uint64_t max, const char *name)
{
	QUOTA_LIMITS_EX q = get();
	ok(q.MinimumWorkingSetSize == PAGES(min) && q.MaximumWorkingSetSize == PAGES(max),
		"%s: %llu and %llu pages", name,
	   (unsigned long long)min, (unsigned long long)max);
}

static void status_is(NTSTATUS got, NTSTATUS expected, const char *name)
{
	is((uint32_t)got, (uint32_t)expected, "%s", name);
}

static void defaults(void)
{
	set_ex(PAGES(50), PAGES(345), QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE);
}

static uint64_t resident(void)
{
	VM_COUNTERS c = { 0 };
	NtQueryInformationProcess(SELF, 3 /* ProcessVmCounters */, &c, sizeof(c), NULL);
	return c.WorkingSetSize / 4096;
}

static char *commit(uint64_t pages)
{
	return VirtualAlloc(NULL, PAGES(pages), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static NTSTATUS lock(char *p, uint64_t pages)
{
	void *base = p;
	SIZE_T size = PAGES(pages);
	return NtLockVirtualMemory(SELF, &base, &size, 1);
}

static void unlock(char *p, uint64_t pages)
{
	void *base = p;
	SIZE_T size = PAGES(pages);
	NtUnlockVirtualMemory(SELF, &base, &size, 1);
}

static void test_setting(void)
{
	QUOTA_LIMITS_EX q;
	ULONG returned = 0;
	limits_are(50, 345, "as Windows sets them");
	is(get().Flags, QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE, "neither is hard");
	status_is(NtQueryInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, sizeof(QUOTA_LIMITS), &returned),
		STATUS_SUCCESS,
		  "QUOTA_LIMITS can be asked for");
	is(returned, sizeof(QUOTA_LIMITS), "in 48 bytes");
	status_is(NtQueryInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, 50, NULL), STATUS_INFO_LENGTH_MISMATCH,
		"not in 50");
	status_is(set(SELF, PAGES(60), PAGES(400)), STATUS_SUCCESS, "new limits");
	limits_are(60, 400, "are in force");
	status_is(set(SELF, PAGES(60), PAGES(59)), STATUS_BAD_WORKING_SET_LIMIT, "a minimum over the maximum");
	status_is(set(SELF, PAGES(1), PAGES(12)), STATUS_BAD_WORKING_SET_LIMIT, "a maximum of 12 pages");
	status_is(set(SELF, 0, PAGES(100)), STATUS_INVALID_PARAMETER, "no minimum");
	status_is(set(SELF, PAGES(100), 0), STATUS_INVALID_PARAMETER, "no maximum");
	status_is(set(SELF, PAGES(1ull << 40), PAGES(1ull << 41)), STATUS_INSUFFICIENT_RESOURCES,
		  "a minimum that no memory holds");
	status_is(set_ex(PAGES(60), PAGES(400), 3), STATUS_INVALID_PARAMETER, "a hard and a soft minimum at once");
	status_is(set_ex(PAGES(60), PAGES(400), 12), STATUS_INVALID_PARAMETER, "a hard and a soft maximum at once");
	status_is(set_ex(PAGES(60), PAGES(400), 32), STATUS_INVALID_PARAMETER, "a flag that there is not");
	status_is(NtSetInformationProcess(SELF, QUOTA_LIMITS_CLASS, &q, 47), STATUS_INFO_LENGTH_MISMATCH,
		"a bad length");
	status_is(NtSetInformationProcess(SELF, QUOTA_LIMITS_CLASS, NULL, 48), STATUS_ACCESS_VIOLATION,
		"a bad address");
	status_is(set((HANDLE)0xdead0, PAGES(60), PAGES(400)), STATUS_INVALID_HANDLE, "a bad handle");
	HANDLE weak = NULL;
	DuplicateHandle(SELF, SELF, SELF, &weak, PROCESS_QUERY_INFORMATION, FALSE, 0);
	status_is(set(weak, PAGES(60), PAGES(400)), STATUS_ACCESS_DENIED, "a handle without PROCESS_SET_QUOTA");
	CloseHandle(weak);
	limits_are(60, 400, "none of this changed them");
	status_is(set(SELF, PAGES(1), PAGES(100)), STATUS_SUCCESS, "a minimum of one page");
	limits_are(20, 100, "becomes the lowest");
	uint64_t frames = memory_now().frames_total;
	status_is(set(SELF, PAGES(50), PAGES(1ull << 40)), STATUS_SUCCESS, "a maximum beyond memory");
	limits_are(50, frames - 512, "becomes the highest");
	defaults();
}

static void test_hard_maximum(void)
{
	enum { LIMIT = 200, MANY = 1000 };
	char *p = commit(MANY);
	uint64_t most = 0, wrong;
	status_is(set_ex(PAGES(50), PAGES(LIMIT), QUOTA_LIMITS_HARDWS_MAX_ENABLE), STATUS_SUCCESS,
		"a hard maximum of 200 pages");
	is(get().Flags, QUOTA_LIMITS_HARDWS_MIN_DISABLE | QUOTA_LIMITS_HARDWS_MAX_ENABLE, "is in force");
	is_within(resident(), 1, LIMIT, "the working set is within it at once");
	for (uint64_t i = 0; i < MANY; i++) {
		pattern_fill(p, i, 9);
		if (i % 100 == 0 && resident() > most)
			most = resident();
	}
	is_within(most, 1, LIMIT, "1,000 pages are written, and it stays within");
	wrong = pattern_wrong(p, 0, MANY, 9);
	is(wrong, 0, "their contents are right");
	is_within(resident(), 1, LIMIT, "reading them back does not exceed it either");
	status_is(lock(p, 30), STATUS_SUCCESS, "pages can be locked");
	pattern_wrong(p, 0, MANY, 9);
	bool valid = true;
	for (int i = 0; i < 30; i++)
		valid &= (page_at(p + i * 4096).flags & (BS_VALID | BS_LOCKED)) == (BS_VALID | BS_LOCKED);
	ok(valid, "and stay, when others leave for the maximum's sake");
	unlock(p, 30);
	status_is(set_ex(PAGES(20), PAGES(20), QUOTA_LIMITS_HARDWS_MAX_ENABLE), STATUS_SUCCESS,
		"the smallest that there is: 20 pages");
	is(pattern_wrong(p, 0, MANY, 9), 0, "everything still works, slowly");
	defaults();
	pattern_wrong(p, 0, MANY, 9);
	is_within(resident(), MANY, 2 * MANY, "a soft maximum limits nothing while memory is free");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void test_locking(void)
{
	char *p = commit(100);
	status_is(lock(p, 43), STATUS_WORKING_SET_QUOTA, "43 pages are more than a minimum of 50 lets lock");
	status_is(lock(p, 42), STATUS_SUCCESS, "42 are not");
	is(memory_now().pages_locked >= 42, 1, "they are counted");
	status_is(set(SELF, PAGES(30), PAGES(345)), STATUS_BAD_WORKING_SET_LIMIT, "the minimum can't go below them");
	status_is(set(SELF, PAGES(120), PAGES(345)), STATUS_SUCCESS, "a larger minimum");
	status_is(lock(p, 100), STATUS_WAS_LOCKED, "lets lock all 100");
	unlock(p, 100);
	defaults();
	VirtualFree(p, 0, MEM_RELEASE);
	is(memory_now().pages_locked, 0, "none is left");
}

/* child PAGES: sets that minimum, says so in the exit code, after its parent let it go. */
static int child(uint64_t pages)
{
	HANDLE go = OpenEventA(SYNCHRONIZE, FALSE, "WorkingSetGo"), done = OpenEventA(EVENT_MODIFY_STATE, FALSE,
		"WorkingSetDone");
	NTSTATUS status = set(SELF, PAGES(pages), PAGES(pages));
	SetEvent(done);
	WaitForSingleObject(go, INFINITE);
	return status == STATUS_SUCCESS ? 1 : status == STATUS_INSUFFICIENT_RESOURCES ? 2 : 3;
}

static void test_sum(void)
{
	enum { CHILDREN = 4 };
	HANDLE go = CreateEventA(NULL, TRUE, FALSE, "WorkingSetGo"), done = CreateEventA(NULL, FALSE, FALSE,
		"WorkingSetDone");
	PROCESS_INFORMATION p[CHILDREN];
	struct bs_memory m = memory_now();
	char arguments[32];
	DWORD codes[4] = { 0 };
	sprintf(arguments, "child %llu", (unsigned long long)m.frames_total / 3);
	for (int i = 0; i < CHILDREN; i++) {
		process_start(arguments, false, 0, &p[i]);
		WaitForSingleObject(done, INFINITE);
	}
	SetEvent(go);
	for (int i = 0; i < CHILDREN; i++)
		codes[process_end(&p[i]) & 3]++;
	ok(codes[1] >= 1 && codes[2] >= 2 && codes[3] == 0,
	   "of four processes that each want a third of memory as minimum some get it (%lu), and not all (%lu)",
		codes[1], codes[2]);
	is(process_run(arguments, false), 1, "when they have ended, the next one gets it");
	CloseHandle(go);
	CloseHandle(done);
}

static void test_hard_minimum(void)
{
	enum { KEEP = 400 };
	char *p = commit(KEEP);
	status_is(set_ex(PAGES(KEEP + 100), PAGES(2000), QUOTA_LIMITS_HARDWS_MIN_ENABLE), STATUS_SUCCESS,
		"a hard minimum");
	for (uint64_t i = 0; i < KEEP; i++)
		pattern_fill(p, i, 3);
	is(get().Flags, QUOTA_LIMITS_HARDWS_MIN_ENABLE | QUOTA_LIMITS_HARDWS_MAX_DISABLE, "is in force");
	working_set_empty();
	is_within(resident(), 0, KEEP, "both sizes -1 empty even this working set");
	is(pattern_wrong(p, 0, KEEP, 3), 0, "and it comes back");
	defaults();
	VirtualFree(p, 0, MEM_RELEASE);
}

/* press PAGES: writes that many pages and reads them back. */
static int press(uint64_t pages)
{
	char *p = commit(pages);
	if (!p)
		return 2;
	for (uint64_t i = 0; i < pages; i++)
		pattern_fill(p, i, 7);
	return pattern_wrong(p, 0, pages, 7) != 0;
}

/* While others press, pages of a hard minimum stay; without it they go. Needs a paging file that takes what goes. */
static void test_pressure(void)
{
	enum { KEEP = 600 };
	struct bs_memory m = memory_now();
	uint64_t pages = memory_available(&m) + m.frames_active, room = m.commit_limit - m.commit_charge, stay = 0;
	char arguments[32], *p;
	if (pages > 100000 || pages + 2 * KEEP + 1000 > room) {
		skip("a hard minimum under pressure", "memory is too large, or the paging file too small");
		return;
	}
	sprintf(arguments, "press %llu", (unsigned long long)pages);
	p = commit(KEEP);
	status_is(set_ex(PAGES(2 * KEEP), PAGES(3 * KEEP), QUOTA_LIMITS_HARDWS_MIN_ENABLE), STATUS_SUCCESS,
		  "a hard minimum, larger than all that is used");
	for (uint64_t i = 0; i < KEEP; i++)
		pattern_fill(p, i, 3);
	is(process_run(arguments, false), 0, "another process writes more than memory holds");
	for (uint64_t i = 0; i < KEEP; i++)
		stay += page_at(p + i * 4096).flags & BS_VALID;
	is(stay, KEEP, "all pages of the hard minimum have stayed");
	defaults();
	is(process_run(arguments, false), 0, "the same without it");
	stay = 0;
	for (uint64_t i = 0; i < KEEP; i++)
		stay += page_at(p + i * 4096).flags & BS_VALID;
	is_within(stay, 0, KEEP - 1, "some have gone");
	is(pattern_wrong(p, 0, KEEP, 3), 0, "and are right when they come back");
	VirtualFree(p, 0, MEM_RELEASE);
}

static void all(void)
{
	test_setting();
	test_hard_maximum();
	test_locking();
	test_sum();
	test_hard_minimum();
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "press"))
		return press(strtoull(argv[2], NULL, 10));
	if (argc == 3)
		return child(strtoull(argv[2], NULL, 10));
	probes_init();
	all();
	leaks_none(all, STACKS_KEPT);
	test_pressure();
	memory_is_consistent();
	return tap_end();
}
