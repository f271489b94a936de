/*
 * What the guest tests have in common beside tap.h: touching memory that may fault, looking at pages, and running more
 * processes of the same program.
 */
#ifndef GUEST_H
#define GUEST_H

#include "pattern.h"
#include "tap.h"

#define KIND_READ 0 /* ExceptionInformation[0] of an access violation */
#define KIND_WRITE 1
#define KIND_EXECUTE 8

/* ---- touching ---- */

/* The exception that the last probe met; code 0: none. */
static volatile struct {
	DWORD code;
	ULONG_PTR kind, address, status; /* status: of an in-page error */
} fault;

/* Each returns 0, or 1 if it faulted: the handler goes on at probe_failed. */
long probe_load(const volatile void *address);
long probe_store(volatile void *address);
long probe_execute(const volatile void *address);
extern const char probe_failed[], probe_returns[];

__asm__(".text\n"
	".globl probe_load, probe_store, probe_execute, probe_failed, probe_returns\n"
	"probe_load:\n"
	"	movb (%rcx), %al\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"probe_store:\n"
	"	movb $0x5a, (%rcx)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"probe_execute:\n"
	"	subq $40, %rsp\n"
	"	call *%rcx\n"
	"probe_returns:\n"
	"	addq $40, %rsp\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"probe_failed:\n"
	"	movl $1, %eax\n"
	"	ret\n");

static LONG WINAPI probe_handler(EXCEPTION_POINTERS *e)
{
	const EXCEPTION_RECORD *r = e->ExceptionRecord;
	CONTEXT *c = e->ContextRecord;
	bool called = r->NumberParameters >= 2 && r->ExceptionInformation[0] == KIND_EXECUTE;
	if (!called && c->Rip != (DWORD64)probe_load && c->Rip != (DWORD64)probe_store)
		return EXCEPTION_CONTINUE_SEARCH;
	if (called) {
		/* The call has pushed its return address: only a probe's is ours. */
		if (*(DWORD64 *)c->Rsp != (DWORD64)probe_returns)
			return EXCEPTION_CONTINUE_SEARCH;
		c->Rsp += 8 + 40;
	}
	fault.code = r->ExceptionCode;
	fault.kind = r->NumberParameters >= 1 ? r->ExceptionInformation[0] : 0;
	fault.address = r->NumberParameters >= 2 ? r->ExceptionInformation[1] : 0;
	fault.status = r->NumberParameters >= 3 ? r->ExceptionInformation[2] : 0;
	c->Rip = (DWORD64)probe_failed;
	return EXCEPTION_CONTINUE_EXECUTION;
}

static inline void probes_init(void)
{
	AddVectoredExceptionHandler(1, probe_handler);
}

static inline bool can_read(const volatile void *p)
{
	fault.code = 0;
	return probe_load(p) == 0;
}

static inline bool can_write(volatile void *p)
{
	fault.code = 0;
	return probe_store(p) == 0;
}

static inline bool can_execute(const volatile void *p)
{
	fault.code = 0;
	return probe_execute(p) == 0;
}

/* After a probe: the test holds if it met an access violation of this kind at this address. */
static inline bool violation(bool touched, ULONG_PTR kind, const volatile void *address, const char *name)
{
	bool so = !touched && fault.code == (DWORD)STATUS_ACCESS_VIOLATION && fault.kind == kind &&
		  fault.address == (ULONG_PTR)address;
	if (!so)
		note("touched %d, exception 0x%08lx, kind %llu, address 0x%llx; expected kind %llu, address 0x%llx",
		     touched, fault.code, (unsigned long long)fault.kind, (unsigned long long)fault.address,
		     (unsigned long long)kind, (unsigned long long)address);
	return ok(so, "%s", name);
}

/* ---- private memory ---- */

static inline char *commit_bytes(uint64_t size)
{
	return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

static inline void memory_release(void *p)
{
	VirtualFree(p, 0, MEM_RELEASE);
}

/* ---- looking ---- */

static inline struct bs_page page_at(const volatile void *address)
{
	struct bs_page page = { 0 };
	BsQueryBacking(GetCurrentProcess(), (void *)address, 1, &page);
	return page;
}

/* How many of the pages are backed so. */
static inline uint64_t pages_backed(const volatile void *base, uint64_t count, enum bs_backing backing)
{
	uint64_t found = 0;
	for (uint64_t i = 0; i < count; i++)
		found += page_at((const volatile char *)base + i * PAGE_BYTES).backing == backing;
	return found;
}

/* How many of the pages have all of these flags. */
static inline uint64_t pages_with(const volatile void *base, uint64_t count, unsigned int flags)
{
	uint64_t found = 0;
	for (uint64_t i = 0; i < count; i++)
		found += (page_at((const volatile char *)base + i * PAGE_BYTES).flags & flags) == flags;
	return found;
}

static inline MEMORY_BASIC_INFORMATION query(const volatile void *address)
{
	MEMORY_BASIC_INFORMATION info = { 0 };
	VirtualQuery((const void *)address, &info, sizeof(info));
	return info;
}

static inline void working_set_empty(void)
{
	SetProcessWorkingSetSize(GetCurrentProcess(), (SIZE_T)-1, (SIZE_T)-1);
}

/* ---- processes ---- */

/* Starts this program again with these arguments. The handle is the caller's; NULL: it could not be started. */
static inline HANDLE process_start(const char *arguments, bool inherit, DWORD flags, PROCESS_INFORMATION *p)
{
	char path[MAX_PATH], line[1024];
	STARTUPINFOA start = { .cb = sizeof(start) };
	GetModuleFileNameA(NULL, path, sizeof(path));
	snprintf(line, sizeof(line), "\"%s\" %s", path, arguments);
	return CreateProcessA(path, line, NULL, NULL, inherit, flags, NULL, NULL, &start, p) ? p->hProcess : NULL;
}

static inline void process_close(PROCESS_INFORMATION *p)
{
	CloseHandle(p->hThread);
	CloseHandle(p->hProcess);
}

/* Waits for the end of a started process, closes its handles, returns its exit code. */
static inline DWORD process_end(PROCESS_INFORMATION *p)
{
	DWORD code = 0;
	WaitForSingleObject(p->hProcess, INFINITE);
	GetExitCodeProcess(p->hProcess, &code);
	process_close(p);
	return code;
}

/* Starts so many of this program with the argument "child", and waits until *arrived says that all have come. How many did start. */
static inline uint64_t children_start(PROCESS_INFORMATION *p, uint64_t count, const volatile LONG *arrived)
{
	uint64_t started = 0;
	for (; started < count && process_start("child", false, 0, &p[started]); started++)
		tap_alive();
	is(started, count, "as many processes are started");
	while (*arrived < (LONG)started) {
		tap_alive();
		Sleep(20);
	}
	return started;
}

static inline void children_end(PROCESS_INFORMATION *p, uint64_t count)
{
	uint64_t bad = 0;
	for (uint64_t i = 0; i < count; i++)
		bad += process_end(&p[i]) != 0;
	is(bad, 0, "all processes end with code 0");
}

/* Runs this program with these arguments to its end. Returns its exit code; ~0: it could not be started. */
static inline DWORD process_run(const char *arguments, bool inherit)
{
	PROCESS_INFORMATION p;
	return process_start(arguments, inherit, 0, &p) ? process_end(&p) : ~0ul;
}

/* ---- chance ---- */

static uint64_t random_state = 0x853c49e6748fea9bull;

static inline uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1dull;
}

#endif
