/* Threads: start and end, stacks, TLS, events, critical sections; and several of them in the pager at once. */
#include "guest.h"

#define THREADS 16

static HANDLE start(LPTHREAD_START_ROUTINE run, void *argument)
{
	return CreateThread(NULL, 0, run, argument, 0, NULL);
}

/* Waits for all, sums their exit codes, closes them. */
static uint64_t join(HANDLE *threads, int count)
{
	uint64_t sum = 0;
	for (int i = 0; i < count; i++) {
		DWORD code = 0;
		WaitForSingleObject(threads[i], INFINITE);
		GetExitCodeThread(threads[i], &code);
		sum += code;
		CloseHandle(threads[i]);
	}
	return sum;
}

static DWORD WINAPI return_argument(void *argument)
{
	return (DWORD)(uintptr_t)argument;
}

static DWORD WINAPI exit_thread(void *argument)
{
	ExitThread((DWORD)(uintptr_t)argument + 1);
}

static void test_ends(void)
{
	DWORD id = 0, code = 0;
	HANDLE t = CreateThread(NULL, 0, return_argument, (void *)1234, 0, &id);
	is(WaitForSingleObject(t, INFINITE), WAIT_OBJECT_0, "a thread ends");
	ok(GetExitCodeThread(t, &code) && code == 1234, "with what its function returns");
	ok(id != 0 && id != GetCurrentThreadId(), "it has a number of its own");
	CloseHandle(t);
	t = start(exit_thread, (void *)9);
	is(join(&t, 1), 10, "ExitThread");
	t = CreateThread(NULL, 0, return_argument, (void *)5, CREATE_SUSPENDED, NULL);
	is(WaitForSingleObject(t, 20), WAIT_TIMEOUT, "a suspended thread does not run");
	ResumeThread(t);
	is(join(&t, 1), 5, "until it is resumed");
	HANDLE threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(return_argument, (void *)(uintptr_t)i);
	is(WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE), WAIT_OBJECT_0, "waiting for all of %d threads",
	   THREADS);
	is(join(threads, THREADS), THREADS * (THREADS - 1) / 2, "all gave their codes");
}

static DWORD tls_index;

static DWORD WINAPI use_tls(void *argument)
{
	if (TlsGetValue(tls_index) != NULL)
		return 1;
	TlsSetValue(tls_index, argument);
	for (int i = 0; i < 20; i++) {
		Sleep(0);
		if (TlsGetValue(tls_index) != argument)
			return 2;
	}
	SetLastError((DWORD)(uintptr_t)argument);
	Sleep(1);
	return GetLastError() == (DWORD)(uintptr_t)argument ? 0 : 3;
}

static void test_tls(void)
{
	HANDLE threads[THREADS];
	tls_index = TlsAlloc();
	ok(tls_index != TLS_OUT_OF_INDEXES, "TlsAlloc");
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(use_tls, (void *)(uintptr_t)(i + 1));
	is(join(threads, THREADS), 0, "each thread has its own value, and its own last error");
	ok(TlsFree(tls_index), "TlsFree");
}

/* Uses about as many bytes of stack; the sum keeps the compiler from leaving it out. */
static __attribute__((noinline)) uint64_t deep(uint64_t bytes)
{
	volatile char frame[2048];
	frame[0] = (char)bytes;
	frame[2047] = 1;
	return bytes > sizeof(frame) ? deep(bytes - sizeof(frame)) + (uint64_t)frame[2047] : (uint64_t)frame[2047];
}

static DWORD WINAPI use_stack(void *argument)
{
	return deep((uintptr_t)argument) > 0;
}

static void test_stacks(void)
{
	HANDLE t = start(use_stack, (void *)(700 * 1024));
	is(join(&t, 1), 1, "a stack grows to 700 KiB by its guard page");
	t = CreateThread(NULL, 8 << 20, use_stack, (void *)(7 << 20), STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	is(join(&t, 1), 1, "one of 8 MiB to 7 MiB");
	ok(deep(500 * 1024) > 0, "the first thread's to 500 KiB");
}

static HANDLE ping, pong;

static DWORD WINAPI answer(void *argument)
{
	for (uintptr_t i = 0; i < (uintptr_t)argument; i++) {
		WaitForSingleObject(ping, INFINITE);
		SetEvent(pong);
	}
	return 0;
}

static void test_events(void)
{
	HANDLE manual = CreateEventA(NULL, TRUE, FALSE, NULL), automatic = CreateEventA(NULL, FALSE, TRUE, NULL);
	is(WaitForSingleObject(manual, 0), WAIT_TIMEOUT, "a reset event is not there");
	SetEvent(manual);
	ok(WaitForSingleObject(manual, 0) == WAIT_OBJECT_0 && WaitForSingleObject(manual, 0) == WAIT_OBJECT_0,
	   "a manual-reset event stays set");
	ResetEvent(manual);
	is(WaitForSingleObject(manual, 0), WAIT_TIMEOUT, "until ResetEvent");
	is(WaitForSingleObject(automatic, 0), WAIT_OBJECT_0, "an auto-reset event that is set at first");
	is(WaitForSingleObject(automatic, 10), WAIT_TIMEOUT, "is reset by the wait");
	HANDLE both[2] = { manual, automatic };
	SetEvent(automatic);
	is(WaitForMultipleObjects(2, both, FALSE, INFINITE), WAIT_OBJECT_0 + 1, "waiting for one of two");
	SetEvent(manual);
	is(WaitForMultipleObjects(2, both, TRUE, 10), WAIT_TIMEOUT, "waiting for both times out");
	SetEvent(automatic);
	is(WaitForMultipleObjects(2, both, TRUE, 1000), WAIT_OBJECT_0, "and succeeds when both are set");
	is(WaitForSingleObject(automatic, 0), WAIT_TIMEOUT, "which resets the auto-reset one");
	CloseHandle(manual);
	CloseHandle(automatic);

	ping = CreateEventA(NULL, FALSE, FALSE, NULL);
	pong = CreateEventA(NULL, FALSE, FALSE, NULL);
	HANDLE t = start(answer, (void *)200);
	bool good = true;
	for (int i = 0; i < 200; i++)
		good &= SetEvent(ping) && WaitForSingleObject(pong, 60000) == WAIT_OBJECT_0;
	ok(good, "200 times to another thread and back");
	join(&t, 1);
	CloseHandle(ping);
	CloseHandle(pong);
}

static CRITICAL_SECTION section;
static volatile uint64_t guarded;
static volatile LONG interlocked;

static DWORD WINAPI count(void *argument)
{
	for (uintptr_t i = 0; i < (uintptr_t)argument; i++) {
		EnterCriticalSection(&section);
		uint64_t value = guarded;
		if (i % 64 == 0)
			Sleep(0);
		guarded = value + 1;
		LeaveCriticalSection(&section);
		InterlockedIncrement(&interlocked);
	}
	return 0;
}

static void test_critical_sections(void)
{
	HANDLE threads[8];
	InitializeCriticalSection(&section);
	guarded = 0;
	interlocked = 0;
	for (int i = 0; i < 8; i++)
		threads[i] = start(count, (void *)1000);
	join(threads, 8);
	is(guarded, 8000, "8 threads count to 8,000 in a critical section");
	is((uint64_t)interlocked, 8000, "and by InterlockedIncrement");
	EnterCriticalSection(&section);
	EnterCriticalSection(&section);
	LeaveCriticalSection(&section);
	LeaveCriticalSection(&section);
	ok(TryEnterCriticalSection(&section), "it may be entered twice by its owner, and is free again");
	LeaveCriticalSection(&section);
	DeleteCriticalSection(&section);
}

#define RACE_PAGES 256
static char *race;
static HANDLE race_start;

/* All threads touch the same pages in the same order: each page must be made once. Each has its own word in a page. */
static DWORD WINAPI race_touch(void *argument)
{
	uint64_t me = (uintptr_t)argument;
	WaitForSingleObject(race_start, INFINITE);
	for (uint64_t page = 0; page < RACE_PAGES; page++)
		((volatile uint64_t *)(race + page * 4096))[me] = page * 100 + me;
	return 0;
}

static bool race_right(void)
{
	bool right = true;
	for (uint64_t page = 0; page < RACE_PAGES; page++)
		for (uint64_t me = 0; me < 4; me++)
			right &= ((volatile uint64_t *)(race + page * 4096))[me] == page * 100 + me;
	return right;
}

static void race_run(void)
{
	HANDLE threads[4];
	race_start = CreateEventA(NULL, TRUE, FALSE, NULL);
	for (int i = 0; i < 4; i++)
		threads[i] = start(race_touch, (void *)(uintptr_t)i);
	SetEvent(race_start);
	join(threads, 4);
	CloseHandle(race_start);
}

static void test_races(void)
{
	race = VirtualAlloc(NULL, RACE_PAGES * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	race_run();
	ok(race_right(), "4 threads touch the same private pages at once: no write is lost");
	VirtualFree(race, 0, MEM_RELEASE);

	HANDLE section_handle =
		CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, RACE_PAGES * 4096, NULL);
	race = MapViewOfFile(section_handle, FILE_MAP_WRITE, 0, 0, 0);
	race_run();
	ok(race_right(), "the same in a section");
	UnmapViewOfFile(race);
	race = MapViewOfFile(section_handle, FILE_MAP_COPY, 0, 0, 0);
	race_run();
	ok(race_right(), "the same in a copy-on-write view");
	UnmapViewOfFile(race);
	CloseHandle(section_handle);
}

/* Allocates, writes, protects, checks and frees; several do so at once. */
static DWORD WINAPI churn(void *argument)
{
	uint64_t owner = (uintptr_t)argument, state = owner * 7919 + 1, wrong = 0;
	for (int i = 0; i < 60; i++) {
		DWORD old;
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		uint64_t pages = 1 + (state >> 40) % 40;
		char *p = VirtualAlloc(NULL, pages * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		if (!p)
			return 1000;
		for (uint64_t page = 0; page < pages; page++)
			pattern_fill(p, page, owner);
		VirtualProtect(p, pages * 4096, PAGE_READONLY, &old);
		wrong += pattern_wrong(p, 0, pages, owner);
		VirtualFree(p, 0, MEM_RELEASE);
	}
	return (DWORD)wrong;
}

static void test_churn(void)
{
	HANDLE threads[4];
	for (int i = 0; i < 4; i++)
		threads[i] = start(churn, (void *)(uintptr_t)(i + 1));
	is(join(threads, 4), 0, "4 threads allocate, protect and free at once: all contents are right");
}

static void all(void)
{
	test_ends();
	test_tls();
	test_stacks();
	test_events();
	test_critical_sections();
	test_races();
	test_churn();
}

int main(void)
{
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
