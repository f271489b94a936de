/*
 * Registers: exceptions show all of them and take all of them back, NtContinue takes what its flags name from any address,
 * system calls keep those that they have to and show none of the kernel's, and threads keep their own.
 */
#include "calls.h"

#include "abi/syscalls.h"

enum {
#define NUMBER(number, name, arguments) CALL_##name = (number),
	SYSCALLS(NUMBER)
#undef NUMBER
};

enum { RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GENERAL };

struct registers {
	uint64_t general[GENERAL], flags;
	uint64_t xmm[16][2];
};

/* Loads all of in, executes one instruction of two bytes, stores all in out. */
void registers_trap(const struct registers *in, struct registers *out); /* ud2, at trap_place */
void registers_call(const struct registers *in, struct registers *out); /* syscall */
extern const char trap_place[];

#define EACH_XMM(instruction, from, to)                                                                                \
	"	.irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n	" instruction " " from ", " to "\n	.endr\n"
#define REGISTERS_FUNCTION(name, instruction)                                                                          \
	".globl " name "\n" name ":\n"                                                                                 \
	"	.irp r, rbp, rbx, rdi, rsi, r12, r13, r14, r15\n	pushq %\\r\n	.endr\n"                               \
	"	subq $0xa8, %rsp\n"                                                                                    \
	"	.irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n	movaps %xmm\\n, (\\n - 6) * 16(%rsp)\n	.endr\n"       \
	"	movq %rdx, 0xa0(%rsp)\n"                                                                               \
	EACH_XMM("movups", "128 + \\n * 16(%rcx)", "%xmm\\n")                                                          \
	"	movq (%rcx), %rax\n	movq 16(%rcx), %rdx\n	movq 24(%rcx), %rbx\n	movq 32(%rcx), %rbp\n"         \
	"	movq 40(%rcx), %rsi\n	movq 48(%rcx), %rdi\n	movq 56(%rcx), %r8\n	movq 64(%rcx), %r9\n"          \
	"	movq 72(%rcx), %r10\n	movq 80(%rcx), %r11\n	movq 88(%rcx), %r12\n	movq 96(%rcx), %r13\n"         \
	"	movq 104(%rcx), %r14\n	movq 112(%rcx), %r15\n	movq 8(%rcx), %rcx\n"                                 \
	instruction "\n"                                                                                               \
	"	pushfq\n	pushq %rax\n"                                                                          \
	"	movq 0xb0(%rsp), %rax\n	popq (%rax)\n	popq 120(%rax)\n"                                              \
	"	movq %rcx, 8(%rax)\n	movq %rdx, 16(%rax)\n	movq %rbx, 24(%rax)\n	movq %rbp, 32(%rax)\n"         \
	"	movq %rsi, 40(%rax)\n	movq %rdi, 48(%rax)\n	movq %r8, 56(%rax)\n	movq %r9, 64(%rax)\n"          \
	"	movq %r10, 72(%rax)\n	movq %r11, 80(%rax)\n	movq %r12, 88(%rax)\n	movq %r13, 96(%rax)\n"         \
	"	movq %r14, 104(%rax)\n	movq %r15, 112(%rax)\n"                                                        \
	EACH_XMM("movups", "%xmm\\n", "128 + \\n * 16(%rax)")                                                          \
	"	cld\n"                                                                                                 \
	"	.irp n, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n	movaps (\\n - 6) * 16(%rsp), %xmm\\n\n	.endr\n"       \
	"	addq $0xa8, %rsp\n"                                                                                    \
	"	.irp r, r15, r14, r13, r12, rsi, rdi, rbx, rbp\n	popq %\\r\n	.endr\n"                               \
	"	ret\n"
__asm__(".text\n" REGISTERS_FUNCTION("registers_trap", ".globl trap_place\ntrap_place: ud2")
	REGISTERS_FUNCTION("registers_call", "syscall"));

static void fill(struct registers *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	for (int i = 0; i < GENERAL; i++)
		r->general[i] = seed * 0x0101010101010101 + ((uint64_t)i << 56) + i;
	for (int i = 0; i < 16; i++) {
		r->xmm[i][0] = seed + 0x1000 * (uint64_t)i;
		r->xmm[i][1] = ~r->xmm[i][0];
	}
}

static uint64_t *context_register(CONTEXT *c, int i)
{
	DWORD64 *const places[GENERAL] = { &c->Rax, &c->Rcx, &c->Rdx, &c->Rbx, &c->Rbp, &c->Rsi, &c->Rdi, &c->R8,
					   &c->R9,  &c->R10, &c->R11, &c->R12, &c->R13, &c->R14, &c->R15 };

	return (uint64_t *)places[i];
}

static uint32_t mxcsr_read(void)
{
	return __builtin_ia32_stmxcsr();
}

/* ---- exceptions ---- */

static struct {
	struct registers seen, reply;
	uint32_t mxcsr, mxcsr_reply, segments, flags_reply;
	bool bad_rip, bad_rip_seen;
} trap;

static LONG WINAPI on_exception(EXCEPTION_POINTERS *e)
{
	CONTEXT *c = e->ContextRecord;
	DWORD code = e->ExceptionRecord->ExceptionCode;

	if (code == (DWORD)STATUS_ACCESS_VIOLATION && trap.bad_rip) { /* where the program was sent by the lines below */
		trap.bad_rip_seen = e->ExceptionRecord->ExceptionInformation[0] == 8;
		c->Rip = (DWORD64)trap_place + 2;
		return EXCEPTION_CONTINUE_EXECUTION;
	}
	if (code != (DWORD)STATUS_ILLEGAL_INSTRUCTION || c->Rip != (DWORD64)trap_place)
		return EXCEPTION_CONTINUE_SEARCH;
	for (int i = 0; i < GENERAL; i++) {
		trap.seen.general[i] = *context_register(c, i);
		*context_register(c, i) = trap.reply.general[i];
	}
	memcpy(trap.seen.xmm, &c->Xmm0, sizeof(trap.seen.xmm));
	memcpy(&c->Xmm0, trap.reply.xmm, sizeof(trap.reply.xmm));
	trap.mxcsr = c->MxCsr;
	trap.segments = c->SegCs << 16 | c->SegSs;
	c->MxCsr = trap.mxcsr_reply;
	c->FltSave.MxCsr = ~0u; /* reserved bits; MxCsr is the one that counts */
	c->EFlags = trap.flags_reply;
	c->SegCs = c->SegSs = 0;
	c->Rip = trap.bad_rip ? 0x8000000000000000 : c->Rip + 2;
	return EXCEPTION_CONTINUE_EXECUTION;
}

#define FLAGS_ALLOWED 0x8d5u /* carry, parity, adjust, zero, sign, overflow */
#define FLAGS_KERNELS 0x3200u /* I/O privilege, interrupts */

static void test_exception(void)
{
	struct registers in, out;
	void *handler = AddVectoredExceptionHandler(1, on_exception);
	uint16_t cs, ss;

	__asm__("movw %%cs, %0; movw %%ss, %1" : "=r"(cs), "=r"(ss));
	fill(&in, 3);
	fill(&trap.reply, 0x80);
	trap.mxcsr_reply = 0xffffffff;
	trap.flags_reply = FLAGS_ALLOWED | 0x3000;
	registers_trap(&in, &out);
	ok(!memcmp(in.general, trap.seen.general, sizeof(in.general)), "a handler sees all general registers");
	ok(!memcmp(in.xmm, trap.seen.xmm, sizeof(in.xmm)), "and all of SSE's");
	is(trap.mxcsr, mxcsr_read() & 0x1f80, "and MXCSR");
	is(trap.segments, cs << 16 | ss, "and the selectors");
	ok(!memcmp(out.general, trap.reply.general, sizeof(out.general)), "it changes all general registers");
	ok(!memcmp(out.xmm, trap.reply.xmm, sizeof(out.xmm)), "and all of SSE's");
	is(mxcsr_read() & ~0x40u, 0xffbf, "and MXCSR, but for bits that it does not have");
	is(out.flags & (FLAGS_ALLOWED | FLAGS_KERNELS), FLAGS_ALLOWED | 0x200, "and those flags that are a program's");

	trap.mxcsr_reply = 0x1f80;
	trap.flags_reply = 0;
	trap.bad_rip = true;
	registers_trap(&in, &out);
	ok(trap.bad_rip_seen, "an instruction pointer that is no address is an access violation of the program's");
	trap.bad_rip = false;
	ok(!memcmp(out.general, trap.reply.general, sizeof(out.general)), "and the program goes on");
	is(mxcsr_read(), 0x1f80, "with the MXCSR that it had asked for");
	RemoveVectoredExceptionHandler(handler);
}

/* ---- NtContinue ---- */

/* Continues right here, from a copy of the context at this address: how often this place was reached; *status: NtContinue's. */
static int continue_here(void *at, DWORD flags, NTSTATUS *status)
{
	volatile int reached = 0;
	CONTEXT c;

	*status = 0;
	RtlCaptureContext(&c);
	reached++;
	if (reached == 1) {
		size_t bytes = flags & CONTEXT_FLOATING_POINT & ~CONTEXT_AMD64 ? sizeof(c) : offsetof(CONTEXT, FltSave);
		size_t room = PAGE_BYTES - ((uintptr_t)at & (PAGE_BYTES - 1));

		c.ContextFlags = flags;
		memcpy(at, &c, bytes < room ? bytes : room);
		*status = NtContinue(at, FALSE);
	}
	return reached;
}

static void test_continue(void)
{
	char *p = VirtualAlloc(NULL, 2 * PAGE_BYTES, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
	char *split = p + PAGE_BYTES - offsetof(CONTEXT, FltSave); /* the floating-point part is on the second page */
	const DWORD parts = CONTEXT_CONTROL | CONTEXT_INTEGER;
	NTSTATUS status;
	DWORD old;

	is(continue_here(p, CONTEXT_FULL, &status), 2, "NtContinue continues");
	is(continue_here(p + 8, CONTEXT_FULL, &status), 2, "from a context that is aligned to 8 only");
	is(continue_here(p + 1, CONTEXT_FULL, &status), 2, "or not at all");
	VirtualProtect(p + PAGE_BYTES, PAGE_BYTES, PAGE_NOACCESS, &old);
	is(continue_here(split, parts, &status), 2, "a part that the flags do not name is not read");
	is(continue_here(split, CONTEXT_FULL, &status), 1, "one that can't be read");
	is((DWORD)status, (DWORD)STATUS_ACCESS_VIOLATION, "is refused");
	is((DWORD)NtContinue((CONTEXT *)(p + PAGE_BYTES), FALSE), (DWORD)STATUS_ACCESS_VIOLATION, "as is a whole context");
	is((DWORD)NtContinue((CONTEXT *)0xffff800000000000, FALSE), (DWORD)STATUS_ACCESS_VIOLATION, "and one in the kernel");
	is((DWORD)NtContinue((CONTEXT *)-0x100, FALSE), (DWORD)STATUS_ACCESS_VIOLATION, "or at the end of all addresses");
	VirtualFree(p, 0, MEM_RELEASE);
}

/* ---- system calls ---- */

/* Whether a call kept what it has to, and cleared the rest: in is what it was called with. */
static bool call_kept(const struct registers *in, const struct registers *out, bool all_xmm)
{
	static const int kept[] = { RBX, RBP, RSI, RDI, R12, R13, R14, R15 }, cleared[] = { RDX, R8, R9, R10 };
	bool so = true;

	for (unsigned int i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		so &= in->general[kept[i]] == out->general[kept[i]];
	for (unsigned int i = 0; i < sizeof(cleared) / sizeof(*cleared); i++)
		so &= !out->general[cleared[i]];
	return so && (!all_xmm || !memcmp(in->xmm, out->xmm, sizeof(in->xmm)));
}

static void test_call(void)
{
	struct registers in, out;

	fill(&in, 5);
	in.general[RAX] = 0xdeadbeef00000000 | CALL_BsNull;
	registers_call(&in, &out);
	is(out.general[RAX], 0, "a system call's number has 32 bits");
	ok(call_kept(&in, &out, true), "it keeps the registers that calls keep, and clears the others");
	in.general[RAX] = 0xdeadbeef00000000 | SYSCALL_NUMBER_MAX;
	registers_call(&in, &out);
	is(out.general[RAX], (DWORD)STATUS_INVALID_SYSTEM_SERVICE, "a number of no call is refused; all of rax is the status");
	ok(call_kept(&in, &out, true), "with the same registers");
	in.general[RAX] = CALL_NtProtectVirtualMemory; /* five arguments, one of them on the stack */
	registers_call(&in, &out);
	ok(out.general[RAX] >> 31 == 1 && call_kept(&in, &out, true), "and so is one with bad arguments");
}

/* ---- threads ---- */

#define THREADS 4
#define YIELDS 3000

static volatile LONG mixed;

static DWORD WINAPI keeper(void *argument)
{
	struct registers in, out;
	uint32_t rounding = 0x1f80 | (uint32_t)((uintptr_t)argument & 3) << 13;

	fill(&in, 16 + (uintptr_t)argument);
	in.general[RAX] = CALL_NtYieldExecution;
	for (int i = 0; i < YIELDS; i++) {
		__builtin_ia32_ldmxcsr(rounding);
		registers_call(&in, &out);
		if (!call_kept(&in, &out, true) || mxcsr_read() != rounding)
			InterlockedIncrement(&mixed);
	}
	return 0;
}

static void test_threads(void)
{
	HANDLE threads[THREADS];

	mixed = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		threads[i] = CreateThread(NULL, 0, keeper, (void *)i, 0, NULL);
	WaitForMultipleObjects(THREADS, threads, TRUE, INFINITE);
	for (int i = 0; i < THREADS; i++)
		CloseHandle(threads[i]);
	is(mixed, 0, "%d threads that take turns keep their registers", THREADS);
}

static void all(void)
{
	test_exception();
	test_continue();
	test_call();
	test_threads();
}

int main(void)
{
	note("the first line takes memory for its own buffers");
	all();
	return leaks_none_and_end(all, 0);
}
