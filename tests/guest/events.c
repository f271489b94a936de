/*
 * Events: each kind is told with the right address, slot and number of pages when it is provoked; what a trace leaves
 * out; what is lost; bad arguments; traces of those who end without closing them.
 */
#include "call_raw.h"
#include "squeeze.h"

#define MASK(kind) (1ull << (kind))
#define EVENTS_MAX 16384

static struct bs_event *events;
static uint64_t event_count, events_lost;

static LARGE_INTEGER no_wait;

static HANDLE trace_open(uint64_t mask, uint32_t process, uint64_t entries)
{
	HANDLE trace = NULL;
	NTSTATUS status = BsTraceOpen(mask, process, entries, &trace);
	if (status != 0)
		note("BsTraceOpen: 0x%08lx", (unsigned long)status);
	return trace;
}

/* All that there are, into events. */
static void trace_drain(HANDLE trace)
{
	uint64_t got, lost;
	event_count = events_lost = 0;
	while (event_count < EVENTS_MAX &&
	       BsTraceRead(trace, events + event_count, EVENTS_MAX - event_count, &got, &lost, &no_wait) == 0) {
		event_count += got;
		events_lost += lost;
	}
}

static void trace_end(HANDLE trace)
{
	trace_drain(trace);
	CloseHandle(trace);
}

/* The number-th event of this kind, whose address, if it is not NULL, is that of the page; NULL: there is none. */
static const struct bs_event *event_find(enum bs_event_kind kind, const volatile void *address, uint64_t number)
{
	for (uint64_t i = 0; i < event_count; i++)
		if (events[i].kind == kind && (!address || events[i].address == (uint64_t)address) && number-- == 0)
			return &events[i];
	return NULL;
}

static uint64_t event_times(enum bs_event_kind kind, const volatile void *address)
{
	uint64_t times = 0;
	while (event_find(kind, address, times))
		times++;
	return times;
}

/* Is a slot among those of a request of this kind? */
static bool slot_in(enum bs_event_kind kind, uint32_t file, uint64_t slot)
{
	const struct bs_event *e;
	for (uint64_t i = 0; (e = event_find(kind, NULL, i)); i++)
		if (e->unit == file && slot >= e->place && slot < e->place + e->count)
			return true;
	return false;
}

static bool is_mine(const struct bs_event *e, unsigned int access)
{
	return e && e->process == GetCurrentProcessId() && e->thread == GetCurrentThreadId() && e->access == access;
}

#define WROTE (1 | 4) /* bs_event.access: from user mode */
#define DID_READ 4

/* ---- faults ---- */

static void test_zero(void)
{
	volatile char *p = commit_bytes(16 * PAGE_BYTES);
	HANDLE trace = trace_open(MASK(BS_EVENT_ZERO), GetCurrentProcessId(), 0);
	LARGE_INTEGER before, after;
	bool in_order = true, once = true;
	QueryPerformanceCounter(&before);
	for (int page = 0; page < 16; page++)
		p[page * PAGE_BYTES] = 1;
	QueryPerformanceCounter(&after);
	trace_end(trace);
	for (int page = 0; page < 16; page++)
		once &= event_times(BS_EVENT_ZERO, p + page * PAGE_BYTES) == 1;
	for (uint64_t i = 1; i < event_count; i++)
		in_order &= events[i].time_ns >= events[i - 1].time_ns;
	const struct bs_event *first = event_find(BS_EVENT_ZERO, p, 0);
	ok(once, "each first touch of a page is told once");
	ok(is_mine(first, WROTE), "with process, thread, and that it was written to");
	ok(in_order, "in the order of time");
	ok(first && first->time_ns / 100 >= (uint64_t)before.QuadPart && first->time_ns / 100 <= (uint64_t)after.QuadPart,
	   "at a time of QueryPerformanceCounter");
	is(events_lost, 0, "and none is lost");
	memory_release((void *)p);
}

static void test_sections(void)
{
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 65536, NULL);
	volatile char *shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	volatile char *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	HANDLE trace = trace_open(MASK(BS_EVENT_SECTION) | MASK(BS_EVENT_COPY) | MASK(BS_EVENT_STEAL), 0, 0);
	(void)shared[4096];
	shared[0] = 1;
	copy[0] = 2;
	CloseHandle(section);
	UnmapViewOfFile((void *)shared);
	(void)copy[4096];
	copy[4096] = 3;
	trace_end(trace);
	ok(is_mine(event_find(BS_EVENT_SECTION, shared, 0), WROTE), "a section's page is mapped for a write");
	ok(is_mine(event_find(BS_EVENT_SECTION, shared + 4096, 0), DID_READ), "and for a read");
	ok(is_mine(event_find(BS_EVENT_COPY, copy, 0), WROTE), "a write to a copy view copies the page");
	ok(is_mine(event_find(BS_EVENT_STEAL, copy + 4096, 0), WROTE), "or takes it, if nobody else has it");
	is(event_times(BS_EVENT_COPY, copy + 4096) + event_times(BS_EVENT_STEAL, copy), 0, "but never both");
	UnmapViewOfFile((void *)copy);
}

static void test_guard(void)
{
	volatile char *p = VirtualAlloc(NULL, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE | PAGE_GUARD);
	HANDLE trace = trace_open(MASK(BS_EVENT_GUARD), GetCurrentProcessId(), 0);
	can_read(p);
	trace_end(trace);
	is(event_times(BS_EVENT_GUARD, p), 1, "a guard page touched");
	memory_release((void *)p);
}

static void test_trim(void)
{
	volatile char *p = commit_bytes(8 * PAGE_BYTES);
	for (int page = 0; page < 8; page++)
		p[page * PAGE_BYTES] = 1;
	HANDLE trace = trace_open(MASK(BS_EVENT_TRIM) | MASK(BS_EVENT_TRANSITION), GetCurrentProcessId(), 0);
	struct bs_memory before = memory_now();
	working_set_empty();
	struct bs_memory after = memory_now();
	bool away = page_at(p).flags & BS_RESIDENT && !(page_at(p).flags & BS_VALID);
	(void)*p;
	trace_end(trace);
	const struct bs_event *trim = event_find(BS_EVENT_TRIM, NULL, 0);
	ok(trim && trim->process == GetCurrentProcessId(), "a working set emptied");
	ok(trim && trim->count >= 8 && trim->count <= after.pages_trimmed - before.pages_trimmed, "tells how many pages went");
	if (away)
		ok(is_mine(event_find(BS_EVENT_TRANSITION, p, 0), DID_READ), "the next touch finds the page in memory");
	else
		skip("the next touch finds the page in memory", "it has left memory");
	memory_release((void *)p);
}

/* ---- what happens when memory is short ---- */

static void test_paging(void)
{
	volatile char *p = commit_bytes(64 * PAGE_BYTES);
	struct bs_page was[64];
	uint64_t out = 0, told = 0, written = 0, read = 0;
	for (int page = 0; page < 64; page++)
		pattern_fill((void *)p, (uint64_t)page, 7);
	HANDLE writes = trace_open(MASK(BS_EVENT_WRITE) | MASK(BS_EVENT_DISCARD), 0, 32768);
	bool more = memory_squeeze_all();
	trace_end(writes);
	for (int page = 0; page < 64; page++) {
		was[page] = page_at(p + page * PAGE_BYTES);
		bool is_out = was[page].backing == BS_PAGING_FILE && !(was[page].flags & BS_RESIDENT);
		out += is_out;
		written += is_out && slot_in(BS_EVENT_WRITE, was[page].file, was[page].offset);
	}
	uint64_t discards = event_times(BS_EVENT_DISCARD, NULL), full = events_lost || event_count == EVENTS_MAX;
	HANDLE faults = trace_open(MASK(BS_EVENT_SWAP_IN) | MASK(BS_EVENT_READ) | MASK(BS_EVENT_IMAGE_READ),
				   GetCurrentProcessId(), 0);
	bool whole = pattern_wrong((void *)p, 0, 64, 7) == 0;
	trace_end(faults);
	for (int page = 0; page < 64; page++) {
		const struct bs_event *e = event_find(BS_EVENT_SWAP_IN, p + page * PAGE_BYTES, 0);
		told += e && is_mine(e, DID_READ) && e->unit == was[page].file && e->place == was[page].offset && e->count >= 1;
		read += e && slot_in(BS_EVENT_READ, e->unit, e->place);
	}
	ok(whole, "pages come back as they were");
	if (out == 0 || !more) {
		skip("paging is told", "memory was not short, or there is no paging file");
	} else {
		note("%llu of 64 pages were out, %llu faults waited", (unsigned long long)out, (unsigned long long)told);
		ok(full || written == out, "each slot was written in a request that is told");
		ok(told >= 1, "a fault that waits for the paging file tells the page's slot");
		is(read, told, "and so does the request");
		ok(discards > 0, "frames of clean pages were taken");
	}
	memory_release((void *)p);
}

static void test_refused(void)
{
	struct bs_memory m = memory_now();
	uint64_t much = m.commit_limit - m.commit_charge + 4096;
	if (m.commit_policy == BS_COMMIT_OVERCOMMIT || much > m.commit_limit) {
		skip("a refused charge", "nothing is refused, or next to nothing is charged");
		return;
	}
	HANDLE trace = trace_open(MASK(BS_EVENT_REFUSED), GetCurrentProcessId(), 0);
	void *p = commit_bytes(much * PAGE_BYTES), *q = commit_bytes((m.commit_limit + 1) * PAGE_BYTES);
	trace_end(trace);
	const struct bs_event *first = event_find(BS_EVENT_REFUSED, NULL, 0), *second = event_find(BS_EVENT_REFUSED, NULL, 1);
	ok(!p && !q, "more than the commit limit is refused");
	ok(first && first->count == much && first->unit == BS_OWNER_PRIVATE && first->process == GetCurrentProcessId(),
	   "which is told, with who asked, and for how many pages of what");
	ok(second && second->count == m.commit_limit + 1 && second->unit == BS_OWNER_NONE, "also if it could never be granted");
}

/* ---- traces ---- */

static void test_filters(void)
{
	volatile char *p = commit_bytes(4 * PAGE_BYTES);
	PROCESS_INFORMATION child;
	process_start("wait", false, CREATE_SUSPENDED, &child);
	HANDLE mine = trace_open(BS_EVENT_ALL, GetCurrentProcessId(), 0);
	HANDLE theirs = trace_open(MASK(BS_EVENT_ZERO), child.dwProcessId, 0);
	HANDLE others = trace_open(MASK(BS_EVENT_ZERO) | BS_TRACE_EXCEPT, GetCurrentProcessId(), 0);
	HANDLE guards = trace_open(MASK(BS_EVENT_GUARD), 0, 0);
	p[0] = 1;
	ResumeThread(child.hThread);
	WaitForSingleObject(child.hProcess, INFINITE);
	process_close(&child);
	trace_end(mine);
	ok(event_times(BS_EVENT_ZERO, p) == 1, "two traces and more at once: one of this process's events");
	trace_drain(theirs);
	uint64_t faults = event_count;
	ok(faults > 0 && event_times(BS_EVENT_ZERO, p) == 0, "one of another process's");
	trace_drain(theirs);
	is(event_count, 0, "an event is given once");
	trace_drain(others);
	ok(event_count >= faults && event_times(BS_EVENT_ZERO, p) == 0, "to each of them: one of all but this process's");
	trace_drain(guards);
	is(event_times(BS_EVENT_ZERO, NULL), 0, "one of other kinds");
	CloseHandle(theirs);
	CloseHandle(others);
	CloseHandle(guards);
	memory_release((void *)p);
}

static void test_lost(void)
{
	enum { PAGES = 2000 };
	volatile char *p = commit_bytes(PAGES * PAGE_BYTES);
	SYSTEM_INFO info;
	GetSystemInfo(&info);
	HANDLE trace = trace_open(MASK(BS_EVENT_ZERO), GetCurrentProcessId(), 1);
	for (int page = 0; page < PAGES; page++)
		p[page * PAGE_BYTES] = 1;
	trace_end(trace);
	/* Reading touches pages of its buffer, which are events too. */
	is_within(event_count, 1, 4096 / sizeof(struct bs_event) * info.dwNumberOfProcessors + 8,
		  "a full ring keeps what it has room for");
	is_within(event_count + events_lost, PAGES, PAGES + 50, "and counts what it has lost");
	ok(event_find(BS_EVENT_ZERO, p + (PAGES - 1) * PAGE_BYTES, 0), "the newest are kept");
	memory_release((void *)p);
}

static void test_waiting(void)
{
	HANDLE trace = trace_open(MASK(BS_EVENT_GUARD), GetCurrentProcessId(), 0);
	LARGE_INTEGER wait = { .QuadPart = -300000 }, before, after;
	uint64_t got = 7, lost = 7;
	is((uint32_t)BsTraceRead(trace, events, 1, &got, &lost, &no_wait), (uint32_t)STATUS_TIMEOUT, "no event, no wait");
	ok(got == 0 && lost == 0, "tells that there was none");
	QueryPerformanceCounter(&before);
	is((uint32_t)BsTraceRead(trace, events, 1, &got, &lost, &wait), (uint32_t)STATUS_TIMEOUT, "no event within 30 ms");
	QueryPerformanceCounter(&after);
	is_within((uint64_t)(after.QuadPart - before.QuadPart), 300000, UINT64_MAX, "after 30 ms");
	CloseHandle(trace);
}

static uint32_t opened(uint64_t mask, uint64_t process, uint64_t entries, HANDLE *to)
{
	uint64_t a[SYSCALL_ARGUMENTS_MAX] = { mask, process, entries, (uint64_t)to };
	return (uint32_t)call_raw(102, a);
}

static void test_bad_arguments(void)
{
	HANDLE trace, more[16] = { 0 }, event = CreateEventA(NULL, TRUE, FALSE, NULL);
	uint64_t got, lost, me = GetCurrentProcessId();
	is(opened(0, 0, 0, &trace), (uint32_t)STATUS_INVALID_PARAMETER_1, "no kinds");
	is(opened(MASK(BS_EVENT_KINDS), 0, 0, &trace), (uint32_t)STATUS_INVALID_PARAMETER_1, "a kind that there is not");
	is(opened(BS_TRACE_EXCEPT, me, 0, &trace), (uint32_t)STATUS_INVALID_PARAMETER_1, "no kinds of all but a process");
	is(opened(BS_EVENT_ALL | BS_TRACE_EXCEPT, 0, 0, &trace), (uint32_t)STATUS_INVALID_PARAMETER_2, "all but no process");
	is(opened(BS_EVENT_ALL, me | 1ull << 32, 0, &trace), (uint32_t)STATUS_INVALID_PARAMETER_2, "a process's number that is too large");
	is(opened(BS_EVENT_ALL, 0x7ffffffc, 0, &trace), (uint32_t)STATUS_INVALID_CID, "a process that there is not");
	is(opened(BS_EVENT_ALL, 0, BS_TRACE_ENTRIES_MAX + 1, &trace), (uint32_t)STATUS_INVALID_PARAMETER_3, "too large a ring");
	is(opened(BS_EVENT_ALL, 0, 0, (HANDLE *)8), (uint32_t)STATUS_ACCESS_VIOLATION, "no place for the handle");

	trace = trace_open(MASK(BS_EVENT_GUARD), 0, 0);
	is((uint32_t)BsTraceRead(trace, events, 0, &got, &lost, &no_wait), (uint32_t)STATUS_INVALID_PARAMETER_3, "room for no event");
	is((uint32_t)BsTraceRead(event, events, 1, &got, &lost, &no_wait), (uint32_t)STATUS_OBJECT_TYPE_MISMATCH, "reading an event object");
	is((uint32_t)BsTraceRead(trace, (void *)8, 1, &got, &lost, &no_wait), (uint32_t)STATUS_ACCESS_VIOLATION, "no place for events");
	is((uint32_t)BsTraceRead(trace, events, 1, (void *)8, &lost, &no_wait), (uint32_t)STATUS_ACCESS_VIOLATION, "for their count");
	is((uint32_t)BsTraceRead(trace, events, 1, &got, (void *)8, &no_wait), (uint32_t)STATUS_ACCESS_VIOLATION, "for the count of those lost");
	is((uint32_t)BsTraceRead(trace, events, 1, &got, &lost, (void *)8), (uint32_t)STATUS_ACCESS_VIOLATION, "no time");
	CloseHandle(trace);
	is((uint32_t)BsTraceRead(trace, events, 1, &got, &lost, &no_wait), (uint32_t)STATUS_INVALID_HANDLE, "a closed handle");
	CloseHandle(event);

	uint32_t status = 0, count = 0;
	while (count < 16 && (status = opened(MASK(BS_EVENT_GUARD), 0, 1, &more[count])) == 0)
		count++;
	ok(count >= 4 && status == (uint32_t)STATUS_INSUFFICIENT_RESOURCES, "there is an end of traces at once");
	while (count > 0)
		CloseHandle(more[--count]);
}

/* What faulted before a buffer that can't be written to is still there afterwards. */
static void test_kept(void)
{
	volatile char *p = commit_bytes(4 * PAGE_BYTES);
	HANDLE trace = trace_open(MASK(BS_EVENT_ZERO), GetCurrentProcessId(), 0);
	uint64_t got, lost;
	p[0] = 1;
	is((uint32_t)BsTraceRead(trace, (void *)test_kept, 1, &got, &lost, &no_wait), (uint32_t)STATUS_ACCESS_VIOLATION,
	   "events can't be stored in the program's text");
	trace_end(trace);
	is(event_times(BS_EVENT_ZERO, p), 1, "and are not lost by that");
	memory_release((void *)p);
}

static void test_charge(void)
{
	SYSTEM_INFO info;
	HANDLE trace;
	GetSystemInfo(&info);
	struct bs_memory before = memory_now();
	trace = trace_open(MASK(BS_EVENT_GUARD), 0, 10240);
	struct bs_memory with = memory_now();
	CloseHandle(trace);
	is_within(with.commit_kernel - before.commit_kernel, 100 * info.dwNumberOfProcessors, 110 * info.dwNumberOfProcessors,
		  "rings are charged to the kernel");

	if (before.commit_policy == BS_COMMIT_OVERCOMMIT || tap.quiet) {
		skip("a ring is refused at the commit limit", "nothing is refused");
		return;
	}
	/* All but a few pages: also what the page tables want is left. */
	uint64_t rest = before.commit_limit - before.commit_charge - 200;
	void *p = VirtualAlloc(NULL, rest * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	is(opened(MASK(BS_EVENT_GUARD), 0, BS_TRACE_ENTRIES_MAX, &trace), (uint32_t)STATUS_INSUFFICIENT_RESOURCES,
	   "rings that the commit limit does not allow are refused");
	if (p)
		memory_release(p);
}

static void test_ended(void)
{
	PROCESS_INFORMATION child;
	HANDLE ready = CreateEventA(NULL, TRUE, FALSE, "events-ready");
	process_start("read", false, 0, &child);
	WaitForSingleObject(ready, INFINITE);
	TerminateProcess(child.hProcess, 77);
	is(process_end(&child), 77, "a process that waits for events is ended");
	CloseHandle(ready);
}

/* ---- children ---- */

/* Waits for events that do not come, until it is ended. */
static int child_read(void)
{
	HANDLE ready = OpenEventA(EVENT_MODIFY_STATE, FALSE, "events-ready");
	HANDLE trace = trace_open(MASK(BS_EVENT_KILL), 0, 0);
	uint64_t got, lost;
	SetEvent(ready);
	BsTraceRead(trace, events, EVENTS_MAX, &got, &lost, NULL);
	return 1;
}

static void all(void)
{
	test_zero();
	test_sections();
	test_guard();
	test_trim();
	test_paging();
	test_refused();
	test_filters();
	test_lost();
	test_waiting();
	test_bad_arguments();
	test_kept();
	test_charge();
	test_ended();
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "wait"))
		return 0;
	events = VirtualAlloc(NULL, EVENTS_MAX * sizeof(*events), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	if (argc > 1)
		return child_read();
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
