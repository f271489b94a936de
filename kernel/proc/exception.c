/*
 * Hardware exceptions of user threads, and exceptions that user space raises: delivery to ntdll's
 * KiUserExceptionDispatcher with a record and a context on the user's stack, NtContinue's way back, and the end of a
 * process that nobody saves. Source: Windows documentation, "Structured Exception Handling", EXCEPTION_RECORD, CONTEXT.
 */
#include "proc/exception.h"

#include "abi/nt_process.h"
#include "lib/string.h"
#include "proc/exception_report.h"
#include "proc/syscall.h"
#include "proc/thread.h"

#define FLAG_TRAP 0x100u
#define FLAG_DIRECTION 0x400u
#define FLAG_ALIGNMENT 0x40000u
#define HOME_SPACE 32 /* the Windows x64 calling convention's, for the dispatcher */
#define MXCSR_OFFSET 24 /* in FXSAVE's format */

/* ---- registers ---- */

/* The part of a context in user memory that is looked at here; the floating-point registers are loaded from there. */
#define CONTEXT_FIRST offsetof(struct nt_context, flags)
#define CONTEXT_BYTES (offsetof(struct nt_context, fpu) - CONTEXT_FIRST)

static bool context_read(u64 at, struct nt_context *c)
{
	return copy_from_user((u8 *)c + CONTEXT_FIRST, at + CONTEXT_FIRST, CONTEXT_BYTES);
}

/*
 * What the context's flags name: c is what context_read got from at. All that matters to the kernel's safety (segments,
 * flags, rip) arch sets right itself. False: at can't be read; f is as before then.
 */
static bool context_apply(struct trap_frame *f, const struct nt_context *c, u64 at)
{
	if ((c->flags & CONTEXT_FLOATING_POINT_) == CONTEXT_FLOATING_POINT_) {
		if (!fpu_load_user(at + offsetof(struct nt_context, fpu)))
			return false;
		mxcsr_load(c->mxcsr);
	}
	if ((c->flags & CONTEXT_CONTROL_) == CONTEXT_CONTROL_) {
		f->rip = c->rip;
		f->rsp = c->rsp;
		f->rflags = c->eflags;
	}
	if ((c->flags & CONTEXT_INTEGER_) == CONTEXT_INTEGER_) {
		f->rax = c->rax;
		f->rcx = c->rcx;
		f->rdx = c->rdx;
		f->rbx = c->rbx;
		f->rbp = c->rbp;
		f->rsi = c->rsi;
		f->rdi = c->rdi;
		f->r8 = c->r8;
		f->r9 = c->r9;
		f->r10 = c->r10;
		f->r11 = c->r11;
		f->r12 = c->r12;
		f->r13 = c->r13;
		f->r14 = c->r14;
		f->r15 = c->r15;
	}
	return true;
}

/* ---- delivery ---- */

static noreturn void end_process(const struct nt_exception_record *r, const char *why)
{
	if (!thread_ending())
		exception_report(r, why);
	process_terminate(process_current(), r->code);
	thread_exit_ending();
}

/* Of a record: with those parameters that it has. */
static u64 record_bytes(const struct nt_exception_record *r)
{
	return offsetof(struct nt_exception_record, parameters) + r->parameter_count * sizeof(r->parameters[0]);
}

/*
 * Changes f so that the thread goes on in KiUserExceptionDispatcher (rcx = record, rdx = context), with both on its
 * stack below the stack pointer. If the stack does not take them, the process ends.
 */
static void deliver(struct trap_frame *f, const struct nt_exception_record *r)
{
	u64 record_at = ALIGN_DOWN(f->rsp - sizeof(*r), 16);
	u64 context_at = record_at - sizeof(struct nt_context);

	/* From the top down, so that a guard page is met first where it may be. */
	if (!copy_to_user(record_at, r, record_bytes(r)) || !context_to_user(context_at, f))
		end_process(r, "and its stack has no room for an exception record");
	f->rip = process_current()->ntdll_base + ntdll_exception_rva;
	f->rsp = context_at - HOME_SPACE;
	f->rcx = record_at;
	f->rdx = context_at;
	f->rflags &= ~(u64)(FLAG_TRAP | FLAG_DIRECTION | FLAG_ALIGNMENT);
}

/* Of its parameters only the first three are set. */
static void record_fill(struct nt_exception_record *r, const struct trap_frame *f, u32 code, u32 count, u64 p0, u64 p1,
			u64 p2)
{
	r->code = code;
	r->flags = 0;
	r->next = 0;
	r->address = f->rip;
	r->parameter_count = count;
	r->padding = 0;
	r->parameters[0] = p0;
	r->parameters[1] = p1;
	r->parameters[2] = p2;
}

static void raise(struct trap_frame *f, u32 code, u32 count, u64 p0, u64 p1, u64 p2)
{
	struct nt_exception_record r;

	if (thread_ending())
		return;
	record_fill(&r, f, code, count, p0, p1, p2);
	deliver(f, &r);
}

static void out_of_memory(const struct trap_frame *f, u64 kind, u64 address)
{
	struct nt_exception_record r;

	if (thread_ending())
		return;
	record_fill(&r, f, STATUS_NO_MEMORY, 2, kind, address, 0);
	end_process(&r, "ended because no memory is left");
}

void exception_from_trap(struct trap_frame *f, enum fault_result result, u64 address, u32 access)
{
	u64 kind = access & FAULT_EXECUTE ? 8 : access & FAULT_WRITE ? 1 : 0;

	switch (result) {
	case FAULT_IN_PAGE_ERROR:
		raise(f, STATUS_IN_PAGE_ERROR, 3, kind, address, thread_current()->in_page_status);
		break;
	case FAULT_COMMIT_LIMIT:
		raise(f, STATUS_IN_PAGE_ERROR, 3, kind, address, STATUS_COMMITMENT_LIMIT);
		break;
	case FAULT_GUARD_PAGE:
		raise(f, STATUS_GUARD_PAGE_VIOLATION, 2, kind, address, 0);
		break;
	case FAULT_STACK_OVERFLOW:
		raise(f, STATUS_STACK_OVERFLOW, 2, kind, address, 0);
		break;
	case FAULT_NO_MEMORY:
		out_of_memory(f, kind, address);
		break;
	default:
		raise(f, STATUS_ACCESS_VIOLATION, 2, kind, address, 0);
		break;
	}
}

/* Whether the instruction at rip is one that only the kernel may execute: the other cause of a protection fault. */
static bool instruction_privileged(u64 rip)
{
	u8 b[15];
	u32 n, i = 0;

	for (n = 0; n < sizeof(b) && copy_from_user(&b[n], rip + n, 1); n++)
		;
	while (i < n && (b[i] == 0x66 || b[i] == 0x67 || b[i] == 0xf2 || b[i] == 0xf3 || b[i] == 0x2e || b[i] == 0x36 ||
			 b[i] == 0x3e || b[i] == 0x26 || b[i] == 0x64 || b[i] == 0x65 || (b[i] & 0xf0) == 0x40))
		i++; /* prefixes */
	if (i == n)
		return false;
	switch (b[i]) {
	case 0xf4: /* hlt */
	case 0xfa: /* cli */
	case 0xfb: /* sti */
	case 0x6c ... 0x6f: /* ins, outs */
	case 0xe4 ... 0xe7: /* in, out */
	case 0xec ... 0xef:
		return true;
	case 0x0f:
		break;
	default:
		return false;
	}
	if (i + 1 == n)
		return false;
	switch (b[i + 1]) {
	case 0x00: /* lldt, ltr, ... */
	case 0x01: /* lgdt, lidt, invlpg, ... */
	case 0x06: /* clts */
	case 0x07: /* sysret */
	case 0x08: /* invd */
	case 0x09: /* wbinvd */
	case 0x20 ... 0x23: /* control and debug registers */
	case 0x30: /* wrmsr */
	case 0x32: /* rdmsr */
	case 0x33: /* rdpmc */
	case 0x35: /* sysexit */
		return true;
	default:
		return false;
	}
}

/* The six exception bits of the x87 and of SSE are the same. Source: Intel SDM volume 1, sections 8.5 and 11.5. */
static u32 float_code(u32 raised)
{
	if (raised & 0x01)
		return STATUS_FLOAT_INVALID_OPERATION;
	if (raised & 0x04)
		return STATUS_FLOAT_DIVIDE_BY_ZERO;
	if (raised & 0x02)
		return STATUS_FLOAT_DENORMAL_OPERAND;
	if (raised & 0x08)
		return STATUS_FLOAT_OVERFLOW;
	if (raised & 0x10)
		return STATUS_FLOAT_UNDERFLOW;
	if (raised & 0x20)
		return STATUS_FLOAT_INEXACT_RESULT;
	return STATUS_FLOAT_MULTIPLE_FAULTS;
}

static u32 float_exception(bool simd)
{
	u8 area[512] __attribute__((aligned(16)));
	u16 control, status;
	u32 mxcsr;

	fpu_store(area);
	memcpy(&control, area, sizeof(control));
	memcpy(&status, area + 2, sizeof(status));
	memcpy(&mxcsr, area + MXCSR_OFFSET, sizeof(mxcsr));
	if (simd)
		return float_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
	if (status & 0x40 && !(control & 1))
		return STATUS_FLOAT_STACK_CHECK;
	return float_code(status & ~control & 0x3f);
}

void exception_from_vector(struct trap_frame *f)
{
	switch (f->vector) {
	case TRAP_DIVIDE:
		raise(f, STATUS_INTEGER_DIVIDE_BY_ZERO, 0, 0, 0, 0);
		break;
	case TRAP_DEBUG:
		f->rflags &= ~(u64)FLAG_TRAP;
		raise(f, STATUS_SINGLE_STEP, 0, 0, 0, 0);
		break;
	case TRAP_BREAKPOINT:
		f->rip--; /* the instruction itself; to step over it is its handler's business */
		raise(f, STATUS_BREAKPOINT, 1, 0, 0, 0);
		break;
	case TRAP_OVERFLOW:
		raise(f, STATUS_INTEGER_OVERFLOW, 0, 0, 0, 0);
		break;
	case TRAP_X87:
		raise(f, float_exception(false), 1, 0, 0, 0);
		break;
	case TRAP_SIMD:
		raise(f, float_exception(true), 1, 0, 0, 0);
		break;
	case TRAP_ALIGNMENT:
		raise(f, STATUS_DATATYPE_MISALIGNMENT, 0, 0, 0, 0);
		break;
	case TRAP_NO_SEGMENT:
	case TRAP_STACK_SEGMENT:
	case TRAP_PROTECTION:
		/* The processor does not tell the address: Windows gives -1 then. */
		if (instruction_privileged(f->rip))
			raise(f, STATUS_PRIVILEGED_INSTRUCTION, 0, 0, 0, 0);
		else
			raise(f, STATUS_ACCESS_VIOLATION, 2, 0, ~0ull, 0);
		break;
	default:
		raise(f, STATUS_ILLEGAL_INSTRUCTION, 0, 0, 0, 0);
		break;
	}
}

/* ---- calls ---- */

/* NtContinue(const CONTEXT *context, BOOLEAN alert) */
u32 sys_NtContinue(const u64 *a)
{
	struct trap_frame *f = thread_frame();
	struct nt_context c;

	if (!context_read(a[0], &c) || !context_apply(f, &c, a[0]))
		return STATUS_ACCESS_VIOLATION;
	trap_restore(f);
}

/* NtRaiseException(const EXCEPTION_RECORD *record, const CONTEXT *context, BOOLEAN first_chance) */
u32 sys_NtRaiseException(const u64 *a)
{
	struct trap_frame *f = thread_frame();
	struct nt_exception_record r;
	struct nt_context c;

	if (!copy_from_user(&r, a[0], sizeof(r)) || !context_read(a[1], &c))
		return STATUS_ACCESS_VIOLATION;
	if (r.parameter_count > EXCEPTION_PARAMETERS_MAX)
		return STATUS_INVALID_PARAMETER;
	if (!(u8)a[2])
		end_process(&r, NULL);
	if (!context_apply(f, &c, a[1]))
		return STATUS_ACCESS_VIOLATION;
	deliver(f, &r);
	trap_restore(f);
}
