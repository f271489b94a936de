/*
 * The copy of a process: memory that is shared until one writes to it, views, handles. Arguments: fork [PROCESSES]:
 * how many copies the test of many makes (12).
 */
#include "fork_memory.h"

static int data_word = 42; /* in the program's image */
static int zero_word;
static int many = 12;

/* A number that the compiler knows nothing of. */
static ULONG_PTR opaque(volatile ULONG_PTR number)
{
	return number;
}

/* ---- who it is ---- */

static DWORD child_identity(void *argument)
{
	(void)argument;
	board->values[0] = (LONG)GetCurrentProcessId();
	board->values[1] = (LONG)GetCurrentThreadId();
	return 77;
}

static void test_identity(void)
{
	RTL_USER_PROCESS_INFORMATION copy = { 0 };
	uint32_t ids[2];
	uint32_t *nowhere = (uint32_t *)opaque(8);
	HANDLE process, thread;
	NTSTATUS status;
	begin();
	fork_start(child_identity, NULL, 0, &copy, &status);
	is((uint32_t)status, (uint32_t)STATUS_SUCCESS, "a process is copied");
	is(copy.Length, sizeof(copy), "and described");
	ok(copy.ImageInformation.TransferAddress != NULL && copy.ImageInformation.MaximumStackSize != 0,
	   "with its image's information");
	is(GetProcessId(copy.ProcessHandle), (ULONG_PTR)copy.ClientId.UniqueProcess, "the handle is that of the process");
	is(fork_end(&copy), 77, "the copy's exit code is its own");
	is(board->values[0], (ULONG_PTR)copy.ClientId.UniqueProcess, "the copy knows its process id");
	is(board->values[1], (ULONG_PTR)copy.ClientId.UniqueThread, "and its thread's");
	ok(GetCurrentProcessId() != (DWORD)board->values[0], "which are not the original's");

	is((uint32_t)BsCloneProcess(64, &process, &thread, ids), (uint32_t)STATUS_INVALID_PARAMETER, "unknown flags are refused");
	is((uint32_t)BsCloneProcess(0, (HANDLE *)8, &thread, ids), (uint32_t)STATUS_ACCESS_VIOLATION, "nowhere for the process's handle");
	is((uint32_t)BsCloneProcess(0, &process, (HANDLE *)8, ids), (uint32_t)STATUS_ACCESS_VIOLATION, "nor for the thread's");
	is((uint32_t)BsCloneProcess(0, &process, &thread, nowhere), (uint32_t)STATUS_ACCESS_VIOLATION, "nor for the ids");
	is((uint32_t)RtlCloneUserProcess(0, NULL, NULL, (HANDLE)4, &copy), (uint32_t)STATUS_INVALID_PARAMETER, "no debug port");

	fork_start(child_identity, NULL, RTL_CLONE_PROCESS_FLAGS_CREATE_SUSPENDED, &copy, &status);
	board->values[0] = 0;
	Sleep(20);
	is(board->values[0], 0, "a copy that is suspended waits");
	NtResumeThread(copy.ThreadHandle, NULL);
	is(fork_end(&copy), 77, "until it is resumed");
	end();
}

/* ---- contents ---- */

static DWORD child_isolated(void *argument)
{
	uint64_t wrong = pattern_wrong(memory, 0, PAGES, PARENT);
	(void)argument;
	for (uint64_t page = 0; page < PAGES; page += 2)
		pattern_fill(memory, page, CHILD);
	board->stage = 1;
	stage_wait(2);
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(memory, page, page % 2 ? PARENT : CHILD);
	return (DWORD)wrong;
}

static void test_isolated(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	struct bs_memory before, after;
	NTSTATUS status;
	begin();
	ok(fork_start(child_isolated, NULL, 0, &copy, &status), "a process with %d written pages is copied", PAGES);
	stage_wait(1);
	is(pattern_wrong(memory, 0, PAGES, PARENT), 0, "what the copy writes, the original does not see");
	struct bs_page page = page_at(memory + PAGE_BYTES);
	ok(page.flags & BS_CLONE && page.flags & BS_WRITE_COPY, "a page that neither wrote to is shared");
	is(page.protect, PAGE_READWRITE, "and its protection is as it was");
	ok(!(page_at(memory).flags & BS_CLONE), "one that the copy wrote to is not");
	for (uint64_t i = 0; i < PAGES; i++)
		pattern_fill(memory, i, LATER);
	ok(!(page_at(memory + PAGE_BYTES).flags & BS_CLONE), "nor one that the original wrote to");
	board->stage = 2;
	is(fork_end(&copy), 0, "what the original writes, the copy does not see");
	is(pattern_wrong(memory, 0, PAGES, LATER), 0, "the original has what it wrote");

	for (uint64_t i = 0; i < PAGES; i++)
		pattern_fill(memory, i, PARENT);
	board->stage = 2;
	fork_run(child_waits, NULL);
	before = memory_now();
	for (uint64_t i = 0; i < PAGES; i++)
		pattern_fill(memory, i, LATER);
	after = memory_now();
	is_within(after.faults_cow_steal - before.faults_cow_steal + after.pages_around - before.pages_around, PAGES, UINT64_MAX,
		  "pages that only one has left are taken over");
	is(after.faults_cow, before.faults_cow, "and not copied");
	is(pattern_wrong(memory, 0, PAGES, LATER), 0, "with what was written");
	end();
}

/* Which page of memory is shared with the other: a bit for each of the first 20. */
static DWORD shared_pages(void)
{
	DWORD shared = 0;
	for (DWORD page = 0; page < 20; page++)
		shared |= (DWORD)!!(page_at(memory + page * PAGE_BYTES).flags & BS_CLONE) << page;
	return shared;
}

/* The original has written to so many pages. */
static DWORD child_hot(void *argument)
{
	uint64_t written = (uintptr_t)argument, wrong = 0;
	board->values[0] = (LONG)shared_pages();
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(memory, page, page < written ? LATER : PARENT);
	for (uint64_t page = 0; page < 20; page++)
		pattern_fill(memory, page, CHILD);
	return (DWORD)wrong;
}

/* Pages that the original writes to between two clones are copied at once, if they are few. Nothing is printed meanwhile. */
static void test_hot(void)
{
	DWORD wrong = 0, shared[4];
	begin();
	board->stage = 2;
	fork_run(child_waits, NULL);
	wrong += fork_run(child_hot, (void *)0);
	pattern_fill(memory, 0, LATER);
	wrong += fork_run(child_hot, (void *)1);
	shared[0] = (DWORD)board->values[0];
	wrong += fork_run(child_hot, (void *)1);
	shared[1] = (DWORD)board->values[0];
	pattern_fill(memory, 0, LATER);
	wrong += fork_run(child_hot, (void *)1);
	shared[2] = (DWORD)board->values[0];
	for (uint64_t page = 0; page < 16; page++)
		pattern_fill(memory, page, LATER);
	wrong += fork_run(child_hot, (void *)16);
	shared[3] = (DWORD)board->values[0];
	is(wrong, 0, "copies have what the original wrote since the last one");
	is(shared[0], 0xffffe, "a page that was written since is copied at once, the others are shared");
	is(shared[1], 0xfffff, "one that was not written again is shared with the next copy");
	is(shared[2], 0xffffe, "and copied when it was");
	is(shared[3], 0xfffff, "many are shared");
	uint64_t kept = 0;
	for (uint64_t page = 0; page < PAGES; page++)
		kept += pattern_holds(memory, page, page < 16 ? LATER : PARENT);
	is(kept, PAGES, "what copies write to theirs, the original does not see");
	end();
}

/*
 * More clone pages than one block of them holds, in several page tables; of every fourth page the copy becomes the only
 * owner, and the others go one by one.
 */
#define MANY_PAGES 1100
static DWORD child_many(void *argument)
{
	char *large = argument;
	uint64_t wrong = 0;
	board->stage = 1;
	stage_wait(2);
	for (uint64_t page = 0; page < MANY_PAGES; page++) {
		wrong += !pattern_holds(large, page, PARENT);
		if (page % 3 == 0)
			pattern_fill(large, page, CHILD);
	}
	for (uint64_t page = 0; page < MANY_PAGES; page++)
		wrong += !pattern_holds(large, page, page % 3 ? PARENT : CHILD);
	return (DWORD)wrong;
}

static void test_blocks(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	NTSTATUS status;
	begin();
	char *large = commit(MANY_PAGES);
	for (uint64_t page = 0; page < MANY_PAGES; page++)
		pattern_fill(large, page, PARENT);
	fork_start(child_many, large, 0, &copy, &status);
	stage_wait(1);
	for (uint64_t page = 0; page < MANY_PAGES; page += 4)
		pattern_fill(large, page, LATER);
	VirtualFree(large + 500 * PAGE_BYTES, 600 * PAGE_BYTES, MEM_DECOMMIT);
	board->stage = 2;
	is(fork_end(&copy), 0, "a copy of %d pages has them all, whatever becomes of the original's", MANY_PAGES);
	uint64_t wrong = 0;
	for (uint64_t page = 0; page < 500; page++)
		wrong += !pattern_holds(large, page, page % 4 ? PARENT : LATER);
	is(wrong, 0, "the original has its own");
	VirtualFree(large, 0, MEM_RELEASE);
	end();
}

static DWORD child_untouched(void *argument)
{
	char *fresh = argument;
	DWORD wrong = 0;
	for (int page = 0; page < PAGES; page++)
		wrong += fresh[page * PAGE_BYTES] != 0;
	memset(fresh, 7, SIZE);
	return wrong;
}

static void test_untouched(void)
{
	begin();
	char *fresh = commit(PAGES);
	is(fork_run(child_untouched, fresh), 0, "pages that nobody touched are zero in the copy");
	is(page_at(fresh).backing, BS_ZERO, "and untouched in the original");
	uint64_t wrong = 0;
	for (int page = 0; page < PAGES; page++)
		wrong += fresh[page * PAGE_BYTES] != 0;
	is(wrong, 0, "what the copy wrote there is its own");
	/* Read, never written: they have frames, which can be discarded. */
	is(fork_run(child_untouched, fresh), 0, "so it is with pages that were only read");
	working_set_empty();
	is(fork_run(child_untouched, fresh), 0, "also when they are out of the working set");
	is(fresh[5 * PAGE_BYTES], 0, "and zero they stay");
	VirtualFree(fresh, 0, MEM_RELEASE);
	end();
}

/* Everything that a program uses without thinking of it. */
static DWORD child_program(void *argument)
{
	char *heap = argument, local[256];
	DWORD wrong = 0;
	volatile double x = 1.5;
	wrong += strcmp(heap, "on the heap") != 0;
	wrong += data_word != 43 || zero_word != 1;
	data_word = 1000;
	zero_word = 2000;
	strcpy(heap, "changed");
	for (int i = 0; i < 100; i++) {
		char *block = malloc(1000 + i * 100);
		memset(block, i, 1000);
		free(block);
	}
	sprintf(local, "%.3f %d", x * 2, data_word);
	wrong += strcmp(local, "3.000 1000") != 0;
	/* The stack grows here as well. */
	volatile char deep[200 << 10];
	for (size_t i = sizeof(deep); i > 0; i -= 1024)
		deep[i - 1] = 1;
	wrong += deep[1023] != 1;
	wrong += LoadLibraryA("kernel32.dll") != GetModuleHandleA("kernel32.dll");
	return wrong;
}

static void test_program(void)
{
	begin();
	char *heap = malloc(64);
	strcpy(heap, "on the heap");
	data_word = 43;
	zero_word = 1;
	is(fork_run(child_program, heap), 0, "image data, stack, heap and C library work in the copy");
	ok(!strcmp(heap, "on the heap"), "the original's heap is as it was");
	ok(data_word == 43 && zero_word == 1, "and its image's data");
	data_word = 42;
	zero_word = 0;
	free(heap);
	end();
}

/* The floating-point registers go along, as the compiler may keep a value there. */
static void test_registers(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	uint32_t ids[2];
	HANDLE process, thread;
	unsigned int rounding = 0x5f80, own = 0, status; /* MXCSR: round down */
	begin();
	__asm__ volatile("stmxcsr %0\n\tldmxcsr %1" : "=m"(own) : "m"(rounding));
	status = (unsigned int)BsCloneProcess(0, &process, &thread, ids);
	if (status == STATUS_PROCESS_CLONED) {
		__asm__ volatile("stmxcsr %0" : "=m"(rounding));
		NtTerminateProcess(GetCurrentProcess(), (NTSTATUS)(rounding & 0x6000));
	}
	__asm__ volatile("ldmxcsr %0" : : "m"(own));
	copy.ProcessHandle = process;
	copy.ThreadHandle = thread;
	is(status, (uint32_t)STATUS_SUCCESS, "a process is copied by the call alone");
	is(fork_end(&copy), 0x4000, "and the copy has the floating-point unit's state");
	end();
}

/* ---- copies of copies ---- */

static DWORD child_deeper(void *argument)
{
	uint64_t depth = (uint64_t)(ULONG_PTR)argument;
	DWORD wrong = 0;
	/* Each generation has written the page of its number. */
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(memory, page, page && page < depth ? 100 + page : PARENT);
	pattern_fill(memory, depth, 100 + depth);
	if (depth < 6)
		wrong += fork_run(child_deeper, (void *)(ULONG_PTR)(depth + 1));
	wrong += !pattern_holds(memory, depth, 100 + depth) || !pattern_holds(memory, depth + 1, PARENT);
	return wrong;
}

static DWORD child_one_of_many(void *argument)
{
	uint64_t own = (uint64_t)(ULONG_PTR)argument;
	DWORD wrong = (DWORD)pattern_wrong(memory, 0, PAGES, PARENT);
	for (uint64_t page = 0; page < PAGES; page++)
		if ((page + own) % 3)
			pattern_fill(memory, page, 200 + own);
	InterlockedIncrement(&board->stage);
	stage_wait(many);
	for (uint64_t page = 0; page < PAGES; page++)
		wrong += !pattern_holds(memory, page, (page + own) % 3 ? 200 + own : PARENT);
	return wrong;
}

static void test_copies_of_copies(void)
{
	RTL_USER_PROCESS_INFORMATION copies[64];
	uint64_t wrong = 0;
	NTSTATUS status;
	int made = 0;
	begin();
	is(fork_run(child_deeper, (void *)1), 0, "copies of copies, six deep, each with a page of its own");
	is(pattern_wrong(memory, 0, PAGES, PARENT), 0, "the first one is as it was");
	while (made < many && fork_start(child_one_of_many, (void *)(ULONG_PTR)made, 0, &copies[made], &status))
		made++;
	is(made, many, "%d copies at the same time", many);
	if (made < many)
		board->stage = many;
	for (int i = 0; i < made; i++)
		wrong += fork_end(&copies[i]);
	is(wrong, 0, "all write, and none sees the others");
	is(pattern_wrong(memory, 0, PAGES, PARENT), 0, "nor does the original");
	/* The order in which they end does not matter: the original may be the first. */
	end();
}

/* The copy outlives who it was copied from. */
static DWORD child_orphan(void *argument)
{
	(void)argument;
	stage_wait(1);
	DWORD wrong = (DWORD)pattern_wrong(memory, 0, PAGES, CHILD);
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(memory, page, LATER);
	board->wrong += (LONG)(wrong + pattern_wrong(memory, 0, PAGES, LATER));
	board->stage = 2;
	return 0;
}

static DWORD child_leaves_orphan(void *argument)
{
	RTL_USER_PROCESS_INFORMATION copy;
	NTSTATUS status;
	(void)argument;
	for (uint64_t page = 0; page < PAGES; page++)
		pattern_fill(memory, page, CHILD);
	return !fork_start(child_orphan, NULL, 0, &copy, &status);
}

static void test_orphan(void)
{
	begin();
	is(fork_run(child_leaves_orphan, NULL), 0, "a copy makes a copy and ends");
	board->stage = 1;
	stage_wait(2);
	is(board->wrong, 0, "the last one has the memory to itself");
	end();
}

/* ---- protections ---- */

static DWORD child_protections(void *argument)
{
	char *p = argument;
	DWORD wrong = 0;
	wrong += can_write(p) || fault.code != (DWORD)STATUS_ACCESS_VIOLATION || !pattern_holds(p, 0, PARENT) ? 1 : 0;
	wrong += can_read(p + PAGE_BYTES) || fault.code != (DWORD)STATUS_GUARD_PAGE_VIOLATION ? 2 : 0;
	wrong += !can_read(p + PAGE_BYTES) || !pattern_holds(p, 1, PARENT) ? 4 : 0;
	wrong += can_read(p + 2 * PAGE_BYTES) ? 8 : 0;
	wrong += can_read(p + 3 * PAGE_BYTES) || query(p + 3 * PAGE_BYTES).State != MEM_RESERVE ? 16 : 0;
	wrong += !can_execute(p + 4 * PAGE_BYTES) ? 32 : 0;
	DWORD old = 0;
	wrong += !VirtualProtect(p, PAGE_BYTES, PAGE_READWRITE, &old) || old != PAGE_READONLY ? 64 : 0;
	pattern_fill(p, 0, CHILD);
	wrong += !VirtualProtect(p + 2 * PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old) || old != PAGE_NOACCESS ? 128 : 0;
	wrong += !pattern_holds(p, 2, PARENT) ? 256 : 0;
	pattern_fill(p, 2, CHILD);
	/* Without access and back again while it is shared. */
	VirtualProtect(p + 5 * PAGE_BYTES, PAGE_BYTES, PAGE_NOACCESS, &old);
	wrong += old != PAGE_READWRITE ? 512 : 0;
	VirtualProtect(p + 5 * PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old);
	wrong += !pattern_holds(p, 5, PARENT) ? 1024 : 0;
	pattern_fill(p, 5, CHILD);
	VirtualFree(p + 6 * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT);
	VirtualAlloc(p + 6 * PAGE_BYTES, PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	wrong += p[6 * PAGE_BYTES] != 0 ? 2048 : 0;
	wrong += !VirtualFree(p, 0, MEM_RELEASE) ? 4096 : 0;
	return wrong;
}

static void test_protections(void)
{
	DWORD old;
	begin();
	char *p = commit(8);
	for (int page = 0; page < 8; page++)
		pattern_fill(p, page, PARENT);
	VirtualProtect(p, PAGE_BYTES, PAGE_READONLY, &old);
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE | PAGE_GUARD, &old);
	VirtualProtect(p + 2 * PAGE_BYTES, PAGE_BYTES, PAGE_NOACCESS, &old);
	VirtualFree(p + 3 * PAGE_BYTES, PAGE_BYTES, MEM_DECOMMIT);
	p[4 * PAGE_BYTES] = (char)0xc3; /* ret */
	VirtualProtect(p + 4 * PAGE_BYTES, PAGE_BYTES, PAGE_EXECUTE_READ, &old);
	is(fork_run(child_protections, p), 0, "protections are in the copy what they were, and can be changed there");
	ok(!can_write(p), "read-only stays read-only in the original");
	ok(!can_read(p + PAGE_BYTES) && fault.code == (DWORD)(uint32_t)STATUS_GUARD_PAGE_VIOLATION, "its guard was not taken by the copy");
	ok(!can_read(p + 2 * PAGE_BYTES), "a page without access is that still");
	ok(can_execute(p + 4 * PAGE_BYTES), "code can be executed");
	VirtualProtect(p + 2 * PAGE_BYTES, PAGE_BYTES, PAGE_READWRITE, &old);
	ok(pattern_holds(p, 0, PARENT) && pattern_holds(p, 1, PARENT) && pattern_holds(p, 2, PARENT) &&
		   pattern_holds(p, 5, PARENT) && pattern_holds(p, 6, PARENT) && pattern_holds(p, 7, PARENT),
	   "and all contents are as they were");
	VirtualFree(p, 0, MEM_RELEASE);
	end();
}

/* ---- views ---- */

struct views {
	char *shared, *copy, *not_inherited;
};

static DWORD child_views(void *argument)
{
	struct views *v = argument;
	DWORD wrong = 0;
	wrong += !pattern_holds(v->shared, 0, PARENT) ? 1 : 0;
	pattern_fill(v->shared, 0, CHILD);
	wrong += !pattern_holds(v->copy, 1, LATER) || !pattern_holds(v->copy, 2, PARENT) ? 2 : 0;
	pattern_fill(v->copy, 1, CHILD);
	pattern_fill(v->copy, 2, CHILD);
	wrong += !pattern_holds(v->shared, 1, PARENT) || !pattern_holds(v->shared, 2, PARENT) ? 4 : 0;
	wrong += query(v->not_inherited).State != MEM_FREE || can_read(v->not_inherited) ? 8 : 0;
	wrong += !UnmapViewOfFile(v->copy) ? 16 : 0;
	wrong += query((void *)(ULONG_PTR)GetModuleHandleA(NULL)).Type != MEM_IMAGE ? 32 : 0;
	return wrong;
}

static void test_views(void)
{
	begin();
	HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 8 * PAGE_BYTES, NULL);
	struct views v = { .shared = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0),
			   .copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0) };
	SIZE_T size = 0;
	void *base = NULL;
	is((uint32_t)NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, NULL, &size, 2 /* ViewUnmap */, 0,
					PAGE_READWRITE), (uint32_t)STATUS_SUCCESS, "a view is mapped that is not inherited");
	v.not_inherited = base;
	for (int page = 0; page < 8; page++)
		pattern_fill(v.shared, page, PARENT);
	pattern_fill(v.copy, 1, LATER);
	is(fork_run(child_views, &v), 0, "views, private copies in them and images are in the copy; a ViewUnmap view is not");
	ok(pattern_holds(v.shared, 0, CHILD), "a section's view is shared");
	ok(pattern_holds(v.copy, 1, LATER), "a private copy is each one's own");
	ok(pattern_holds(v.shared, 1, PARENT) && pattern_holds(v.shared, 2, PARENT), "and not the section's");
	pattern_fill(v.copy, 1, PARENT);
	ok(pattern_holds(v.copy, 1, PARENT) && pattern_holds(v.copy, 2, PARENT), "which can be written again");
	UnmapViewOfFile(v.shared);
	UnmapViewOfFile(v.copy);
	UnmapViewOfFile(v.not_inherited);
	CloseHandle(section);
	end();
}

/* ---- handles ---- */

static DWORD child_handles(void *argument)
{
	HANDLE *events = argument;
	return (SetEvent(events[0]) ? 1 : 0) | (SetEvent(events[1]) ? 2 : 0);
}

static void test_handles(void)
{
	RTL_USER_PROCESS_INFORMATION copy;
	SECURITY_ATTRIBUTES inherit = { sizeof(inherit), NULL, TRUE };
	HANDLE events[2] = { CreateEventA(&inherit, TRUE, FALSE, NULL), CreateEventA(NULL, TRUE, FALSE, NULL) };
	NTSTATUS status;
	begin();
	is(fork_run(child_handles, events), 1, "an inheritable handle has the same value in the copy, another is not there");
	is(WaitForSingleObject(events[0], 0), WAIT_OBJECT_0, "it is the same event");
	fork_start(child_handles, events, 0, &copy, &status);
	is(fork_end(&copy), 0, "without the flag none is there");
	CloseHandle(events[0]);
	CloseHandle(events[1]);
	end();
}

static void all(void)
{
	test_identity();
	test_isolated();
	test_hot();
	test_blocks();
	test_untouched();
	test_program();
	test_registers();
	test_copies_of_copies();
	test_orphan();
	test_protections();
	test_views();
	test_handles();
}

int main(int argc, char **argv)
{
	wait_event_make();
	if (argc > 1)
		many = atoi(argv[1]) < 64 ? atoi(argv[1]) : 64;
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
