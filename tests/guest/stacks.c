/*
 * Thread stacks: as large as the image's header and CreateThread say, reserved and committed as documented; grown by
 * their guard page; overflow is an exception that a vectored or a frame's handler catches, in that thread alone, and
 * that can come again once the guard is there again.
 */
#include "guest.h"
#include <malloc.h>

#define KIB 1024ull
#define MIB (1024 * KIB)

/* What tells about the running thread's stack: fields of its TEB, by their offset. */
static char *teb_field(uintptr_t offset)
{
	char *value;
	__asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

static char *stack_base(void)
{
	return teb_field(0x08); /* NT_TIB.StackBase */
}

static char *stack_limit(void)
{
	return teb_field(0x10); /* NT_TIB.StackLimit */
}

static char *stack_allocation(void)
{
	return teb_field(0x1478); /* DeallocationStack */
}

static const IMAGE_OPTIONAL_HEADER64 *header(void)
{
	const char *image = (const char *)GetModuleHandleA(NULL);
	return &((const IMAGE_NT_HEADERS64 *)(image + ((const IMAGE_DOS_HEADER *)image)->e_lfanew))->OptionalHeader;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static DWORD run(LPTHREAD_START_ROUTINE start, void *argument, SIZE_T size, DWORD flags)
{
	DWORD code = ~0ul;
	HANDLE thread = CreateThread(NULL, size, start, argument, flags, NULL);
	if (!thread)
		return code;
	WaitForSingleObject(thread, INFINITE);
	GetExitCodeThread(thread, &code);
	CloseHandle(thread);
	return code;
}

/* ---- sizes ---- */

struct sizes {
	uint64_t reserve, commit;
	bool regions; /* reserved, guard, committed, in this order, in one allocation */
};

static void sizes_look(struct sizes *s)
{
	char *bottom = stack_allocation(), *limit = stack_limit(), *base = stack_base();
	MEMORY_BASIC_INFORMATION reserved = query(bottom), guard, committed = query(limit);
	s->reserve = (uint64_t)(base - bottom);
	s->commit = (uint64_t)(base - limit);
	guard = query(limit - PAGE_BYTES);
	s->regions = reserved.AllocationBase == bottom && reserved.State == MEM_RESERVE && reserved.Protect == 0 &&
		     reserved.AllocationProtect == PAGE_READWRITE && reserved.Type == MEM_PRIVATE &&
		     guard.State == MEM_COMMIT && guard.Protect == (PAGE_READWRITE | PAGE_GUARD) &&
		     guard.AllocationBase == bottom && committed.State == MEM_COMMIT &&
		     committed.Protect == PAGE_READWRITE && committed.AllocationBase == bottom &&
		     (char *)committed.BaseAddress + committed.RegionSize == base;
	char *below = bottom + reserved.RegionSize;
	uint64_t guards = (uint64_t)(limit - below) / PAGE_BYTES;
	s->regions &= guards >= 1 && guards <= 3 && query(below).Protect == (PAGE_READWRITE | PAGE_GUARD);
	if (!s->regions)
		note("stack %p to %p, limit %p: %llu guard pages, protection 0x%lx", bottom, base, limit,
		     (unsigned long long)guards, guard.Protect);
}

static DWORD WINAPI sizes_thread(void *s)
{
	sizes_look(s);
	return 0;
}

static void test_sizes(void)
{
	uint64_t reserve = round_up(header()->SizeOfStackReserve, 64 * KIB), commit = header()->SizeOfStackCommit;
	struct sizes s = { 0 };
	sizes_look(&s);
	is(s.reserve, reserve, "the first thread's stack is reserved as the image says");
	ok(s.regions, "it is reserved memory, a guard and committed memory");
	run(sizes_thread, &s, 0, 0);
	is(s.reserve, reserve, "another thread's, too");
	ok(s.commit >= commit && s.commit <= commit + 16 * KIB, "and committed as the image says");
	ok(s.regions, "with reserved memory, a guard and committed memory");

	run(sizes_thread, &s, 0x3f00, 0);
	is(s.reserve, reserve, "a size of 0x3f00 is what is committed at first: reserved as the image says");
	is_within(s.commit, 0x4000, 0x5000, "rounded to pages");
	ok(s.regions, "with reserved memory, a guard and committed memory");
	run(sizes_thread, &s, 0x3ff000, STACK_SIZE_PARAM_IS_A_RESERVATION);
	is(s.reserve, 4 * MIB, "a reservation of 0x3ff000 is rounded to 64 KiB");
	ok(s.commit <= commit + 16 * KIB, "and committed as the image says");
	run(sizes_thread, &s, 64 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION);
	ok(s.reserve >= 64 * KIB && s.reserve <= MIB && s.regions, "a small reservation is a stack (%llu KiB)",
	   (unsigned long long)(s.reserve / KIB));
	run(sizes_thread, &s, reserve + 1, 0);
	is(s.reserve, round_up(reserve + 1, MIB), "more committed than is reserved: reserved in steps of 1 MiB");
	ok(s.commit > reserve, "and committed (%llu KiB)", (unsigned long long)(s.commit / KIB));

	/* What is charged: committed memory, not reserved memory. */
	uint64_t before = memory_now().commit_charge;
	HANDLE thread = CreateThread(NULL, 64 * MIB, sizes_thread, &s,
				     CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	is_within(memory_now().commit_charge - before, 0, 64, "a stack of 64 MiB reserved is charged for little");
	ResumeThread(thread);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	is(s.reserve, 64 * MIB, "and is as large");
	before = memory_now().commit_private;
	thread = CreateThread(NULL, MIB, sizes_thread, &s, CREATE_SUSPENDED, NULL);
	is_within(memory_now().commit_private - before, 256, 256 + 64, "1 MiB committed is charged for");
	ResumeThread(thread);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	SetLastError(0);
	thread = CreateThread(NULL, 1ull << 46, sizes_thread, &s, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	ok(thread || GetLastError(), "64 TiB of stack are there or refused");
	if (thread) {
		WaitForSingleObject(thread, INFINITE);
		CloseHandle(thread);
	}
}

/* ---- growth ---- */

/* Uses about as many bytes of stack, a little more than half a page a call; the sum keeps the calls. */
static __attribute__((noinline)) uint64_t deep(uint64_t bytes)
{
	volatile char frame[2400];
	frame[0] = (char)bytes;
	frame[sizeof(frame) - 1] = 1;
	return bytes > sizeof(frame) ? deep(bytes - sizeof(frame)) + (uint64_t)frame[sizeof(frame) - 1] : 1;
}

/* A frame of many pages: its prologue touches each, by mingw's stack probe. */
static __attribute__((noinline)) uint64_t wide(uint64_t seed)
{
	volatile char frame[200 * 1024];
	frame[0] = (char)seed;
	frame[100 * 1024] = 2;
	return (uint64_t)frame[0] + (uint64_t)frame[100 * 1024];
}

static __attribute__((noinline)) uint64_t wide_by_alloca(uint64_t bytes)
{
	volatile char *frame = __builtin_alloca(bytes);
	frame[0] = 3;
	return (uint64_t)frame[0];
}

struct growth {
	uint64_t before, deep, wide, alloca;
	bool regions;
	DWORD far_code;
	bool far_touched, limit_kept;
};

static DWORD WINAPI growth_thread(void *argument)
{
	struct growth *g = argument;
	struct sizes s;
	char *base = stack_base();
	g->before = (uint64_t)(base - stack_limit());
	deep(100 * KIB);
	g->deep = (uint64_t)(base - stack_limit());
	sizes_look(&s);
	g->regions = s.regions;
	wide(1);
	g->wide = (uint64_t)(base - stack_limit());
	wide_by_alloca(400 * KIB);
	g->alloca = (uint64_t)(base - stack_limit());
	sizes_look(&s);
	g->regions &= s.regions;
	/* Behind the guard page: nothing grows. */
	char *beyond = stack_limit() - 64 * KIB;
	g->far_touched = can_read(beyond);
	g->far_code = fault.code;
	g->limit_kept = stack_limit() == base - g->alloca;
	return 0;
}

static void test_growth(void)
{
	struct growth g = { 0 };
	is(run(growth_thread, &g, MIB, STACK_SIZE_PARAM_IS_A_RESERVATION), 0, "a thread uses its stack");
	ok(g.deep >= 100 * KIB && g.deep < 150 * KIB, "calls grow it, page by page (%llu KiB committed)",
	   (unsigned long long)(g.deep / KIB));
	ok(g.wide >= 200 * KIB && g.wide < 250 * KIB, "a frame of 200 KiB grows it (%llu KiB)",
	   (unsigned long long)(g.wide / KIB));
	ok(g.alloca >= 400 * KIB && g.alloca < 450 * KIB, "and alloca of 400 KiB (%llu KiB)",
	   (unsigned long long)(g.alloca / KIB));
	ok(g.regions, "each time the guard is below what is committed");
	ok(!g.far_touched && g.far_code == (DWORD)STATUS_ACCESS_VIOLATION && g.limit_kept,
	   "a touch behind the guard page is an access violation, and grows nothing");
}

/* ---- overflow ---- */

/*
 * overflow_run(f, record) and overflow_run_seh(f, record) call f(~0), which recurses without end. A handler lets them
 * return 1 in its place: the first a vectored one, which sets the stack pointer that is in the record; the second
 * overflow_frame_handler by unwinding. 0: f returned.
 */
struct overflow {
	DWORD64 rsp;
	volatile DWORD code;
	volatile LONG caught;
	char *volatile address, *volatile left; /* where it overflowed; a place in the handler's frame */
};
long overflow_run(uint64_t (*f)(uint64_t), struct overflow *record);
long overflow_run_seh(uint64_t (*f)(uint64_t), struct overflow *record);
extern const char overflow_caught[], overflow_seh_caught[];

#define PUSH_ALL                                                                                                       \
	"	pushq %rbx\n	.seh_pushreg %rbx\n	pushq %rbp\n	.seh_pushreg %rbp\n	pushq %rdi\n	.seh_pushreg %rdi\n"                \
	"	pushq %rsi\n	.seh_pushreg %rsi\n	pushq %r12\n	.seh_pushreg %r12\n	pushq %r13\n	.seh_pushreg %r13\n"                \
	"	pushq %r14\n	.seh_pushreg %r14\n	pushq %r15\n	.seh_pushreg %r15\n	subq $40, %rsp\n	.seh_stackalloc 40\n"           \
	"	.seh_endprologue\n"
#define POP_ALL                                                                                                        \
	"	addq $40, %rsp\n	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rsi\n	popq %rdi\n	popq %rbp\n	popq %rbx\n"     \
	"	ret\n"

__asm__(".text\n"
	".globl overflow_run, overflow_run_seh, overflow_caught, overflow_seh_caught\n"
	".def overflow_run; .scl 2; .type 32; .endef\n"
	".seh_proc overflow_run\n"
	"overflow_run:\n" PUSH_ALL
	"	movq %rsp, (%rdx)\n"
	"	movq %rcx, %rax\n"
	"	movq $-1, %rcx\n"
	"	call *%rax\n"
	"	xorl %eax, %eax\n"
	"	jmp 1f\n"
	"overflow_caught:\n" /* the handler has set rsp */
	"	movl $1, %eax\n"
	"1:\n" POP_ALL
	".seh_endproc\n"
	".def overflow_run_seh; .scl 2; .type 32; .endef\n"
	".seh_proc overflow_run_seh\n"
	".seh_handler overflow_frame_handler, @except\n"
	"overflow_run_seh:\n" PUSH_ALL
	"	movq %rcx, %rax\n"
	"	movq $-1, %rcx\n"
	"	call *%rax\n"
	"	xorl %eax, %eax\n"
	"	jmp 2f\n"
	"overflow_seh_caught:\n" /* rax: RtlUnwind's return value */
	"	nop\n"
	"2:\n" POP_ALL
	".seh_endproc\n");

static DWORD overflow_slot; /* TLS: the thread's struct overflow */
static bool overflow_vectored;

static void overflow_note(struct overflow *o, const EXCEPTION_RECORD *r, void *here)
{
	o->code = r->ExceptionCode;
	o->address = r->NumberParameters >= 2 ? (char *)r->ExceptionInformation[1] : NULL;
	o->left = here;
	o->caught++;
}

static LONG WINAPI overflow_handler(EXCEPTION_POINTERS *e)
{
	struct overflow *o = TlsGetValue(overflow_slot);
	if (!overflow_vectored || !o || e->ExceptionRecord->ExceptionCode != (DWORD)STATUS_STACK_OVERFLOW)
		return EXCEPTION_CONTINUE_SEARCH;
	overflow_note(o, e->ExceptionRecord, &o);
	e->ContextRecord->Rsp = o->rsp;
	e->ContextRecord->Rip = (DWORD64)overflow_caught;
	return EXCEPTION_CONTINUE_EXECUTION;
}

EXCEPTION_DISPOSITION overflow_frame_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context, void *dispatcher);

EXCEPTION_DISPOSITION overflow_frame_handler(EXCEPTION_RECORD *record, void *frame, CONTEXT *context, void *dispatcher)
{
	struct overflow *o = TlsGetValue(overflow_slot);
	(void)context, (void)dispatcher;
	if (record->ExceptionFlags & 0x66 /* an unwind passes */ || record->ExceptionCode != (DWORD)STATUS_STACK_OVERFLOW)
		return ExceptionContinueSearch;
	overflow_note(o, record, &o);
	RtlUnwind(frame, (void *)overflow_seh_caught, record, (void *)1);
	return ExceptionContinueSearch;
}

/* -Winfinite-recursion is right about this one. */
static volatile uint64_t endless_on = 1;

static __attribute__((noinline)) uint64_t endless(uint64_t n)
{
	volatile char frame[1000];
	frame[0] = (char)n;
	return endless_on ? endless(n - 1) + (uint64_t)frame[0] : 0;
}

struct overflow_thread {
	struct overflow first, second, seh;
	long first_result, second_result, seh_result;
	int rearmed, rearmed_unused;
	bool usable, guarded;
	uint64_t size, committed;
};

static DWORD WINAPI overflow_thread(void *argument)
{
	struct overflow_thread *t = argument;
	char *bottom = stack_allocation();
	t->size = (uint64_t)(stack_base() - bottom);
	t->rearmed_unused = _resetstkoflw();
	TlsSetValue(overflow_slot, &t->first);
	t->first_result = overflow_run(endless, &t->first);
	t->committed = (uint64_t)(stack_base() - stack_limit());
	t->usable = deep(t->size / 2) > 0;
	t->rearmed = _resetstkoflw();
	MEMORY_BASIC_INFORMATION info;
	for (char *at = bottom; VirtualQuery(at, &info, sizeof(info)) && info.AllocationBase == bottom;
	     at = (char *)info.BaseAddress + info.RegionSize)
		t->guarded |= (info.Protect & PAGE_GUARD) != 0;
	TlsSetValue(overflow_slot, &t->second);
	t->second_result = overflow_run(endless, &t->second);
	_resetstkoflw();
	return 0;
}

static DWORD WINAPI overflow_seh_thread(void *argument)
{
	struct overflow_thread *t = argument;
	TlsSetValue(overflow_slot, &t->seh);
	t->seh_result = overflow_run_seh(endless, &t->seh);
	t->usable = deep(100 * KIB) > 0;
	return 0;
}

static volatile LONG busy_go, busy_rounds, busy_wrong;

/* Goes deep and comes back, again and again, while others overflow. */
static DWORD WINAPI busy_thread(void *argument)
{
	uint64_t expected = deep(300 * KIB);
	(void)argument;
	while (busy_go) {
		busy_wrong += deep(300 * KIB) != expected;
		InterlockedIncrement(&busy_rounds);
	}
	return 0;
}

static void test_overflow(void)
{
	struct overflow_thread t;
	memset(&t, 0, sizeof(t));
	busy_go = 1;
	busy_wrong = busy_rounds = 0;
	overflow_vectored = true;
	HANDLE busy = CreateThread(NULL, MIB, busy_thread, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	run(overflow_thread, &t, 256 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION);
	is((uint64_t)t.rearmed_unused, 1, "_resetstkoflw finds the guard of a stack that has not overflowed");
	is(t.first_result, 1, "endless recursion is stopped");
	is(t.first.code, (DWORD)STATUS_STACK_OVERFLOW, "by the exception STATUS_STACK_OVERFLOW");
	is((uint64_t)t.first.caught, 1, "once");
	ok(t.usable, "the handler ran, and the thread goes on with its stack");
	is_within(t.committed, t.size - 6 * PAGE_BYTES, t.size, "nearly all of the stack is committed");
	ok(t.rearmed != 0, "_resetstkoflw succeeds");
	ok(t.guarded, "there is a guard page again");
	is(t.second_result, 1, "the second overflow is stopped, too");
	is(t.second.code, (DWORD)STATUS_STACK_OVERFLOW, "by the same exception");
	overflow_vectored = false;
	run(overflow_seh_thread, &t, 256 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION);
	is(t.seh_result, 1, "a handler of a frame catches it by unwinding");
	is(t.seh.code, (DWORD)STATUS_STACK_OVERFLOW, "the same exception");
	ok(t.usable, "the thread goes on with its stack");
	while (busy_rounds < 3)
		Sleep(1);
	busy_go = 0;
	WaitForSingleObject(busy, INFINITE);
	CloseHandle(busy);
	is((uint64_t)busy_wrong, 0, "another thread went on with its own stack all the time");
}

/* SetThreadStackGuarantee: so many bytes are left for the handler. */
static DWORD WINAPI guarantee_thread(void *argument)
{
	typedef BOOL(WINAPI * guarantee_call)(ULONG *);
	guarantee_call guarantee = (guarantee_call)(void (*)(void))GetProcAddress(GetModuleHandleA("kernel32.dll"),
										  "SetThreadStackGuarantee");
	struct overflow *o = argument;
	ULONG bytes = 0;
	if (!guarantee)
		return 2;
	if (!guarantee(&bytes) || bytes != 0)
		return 3;
	bytes = 32 * KIB;
	if (!guarantee(&bytes) || bytes != 0)
		return 4;
	bytes = 0;
	if (!guarantee(&bytes) || bytes != 32 * KIB)
		return 5;
	TlsSetValue(overflow_slot, o);
	return overflow_run(endless, o) == 1 && o->left - stack_allocation() >= (ptrdiff_t)(24 * KIB) ? 0 : 6;
}

static void test_guarantee(void)
{
	struct overflow o;
	memset(&o, 0, sizeof(o));
	overflow_vectored = true;
	DWORD code = run(guarantee_thread, &o, 256 * KIB, STACK_SIZE_PARAM_IS_A_RESERVATION);
	overflow_vectored = false;
	if (code == 2)
		skip("SetThreadStackGuarantee", "kernel32.dll has none");
	else
		is(code, 0, "SetThreadStackGuarantee leaves the handler as many bytes");
}

static DWORD WINAPI child_thread(void *argument)
{
	(void)argument;
	return (DWORD)endless(0);
}

/* child: overflows, without a handler, in another thread or the first. */
static int child(const char *where)
{
	if (!strcmp(where, "thread"))
		run(child_thread, NULL, 0, 0);
	else
		endless(0);
	return 0;
}

static void test_unhandled(void)
{
	is(process_run("first", false), (DWORD)STATUS_STACK_OVERFLOW, "without a handler it ends the process");
	is(process_run("thread", false), (DWORD)STATUS_STACK_OVERFLOW, "in whatever thread");
}

static void all(void)
{
	test_sizes();
	test_growth();
	test_overflow();
	test_guarantee();
	test_unhandled();
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return child(argv[1]);
	overflow_slot = TlsAlloc();
	AddVectoredExceptionHandler(0, overflow_handler);
	probes_init();
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
