/* What a trap or an interrupt is, and who deals with it. */
#include "arch/internal.h"
#include "mm/mm.h"
#include "proc/exception.h"
#include "proc/process.h"
#include "proc/sched.h"

/* Page-fault error code. Source: Intel SDM volume 3A, section 4.7. */
#define ERROR_WRITE 2
#define ERROR_RESERVED_BIT 8
#define ERROR_FETCH 16

_Static_assert(USER_HIGH == USER_HIGH_ADDRESS, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, kernel_rsp) == CPU_KERNEL_RSP, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, preempt_off) == CPU_PREEMPT_OFF, "arch/offsets.h");
_Static_assert(offsetof(struct cpu, reschedule) == CPU_RESCHEDULE, "arch/offsets.h");
_Static_assert(offsetof(struct thread, vspace) == THREAD_VSPACE, "arch/offsets.h");
_Static_assert(offsetof(struct thread, ending) == THREAD_ENDING, "arch/offsets.h");
#define FRAME_ASSERT(field, offset) _Static_assert(offsetof(struct trap_frame, field) == (offset), "arch/offsets.h")
FRAME_ASSERT(r15, FRAME_R15);
FRAME_ASSERT(r14, FRAME_R14);
FRAME_ASSERT(r13, FRAME_R13);
FRAME_ASSERT(r12, FRAME_R12);
FRAME_ASSERT(rbx, FRAME_RBX);
FRAME_ASSERT(rbp, FRAME_RBP);
FRAME_ASSERT(r10, FRAME_R10);
FRAME_ASSERT(rdx, FRAME_RDX);
FRAME_ASSERT(r8, FRAME_R8);
FRAME_ASSERT(r9, FRAME_R9);
FRAME_ASSERT(r11, FRAME_R11);
FRAME_ASSERT(rdi, FRAME_RDI);
FRAME_ASSERT(rsi, FRAME_RSI);
FRAME_ASSERT(rcx, FRAME_RCX);
FRAME_ASSERT(rax, FRAME_RAX);
FRAME_ASSERT(vector, FRAME_VECTOR);
FRAME_ASSERT(error, FRAME_ERROR);
FRAME_ASSERT(rip, FRAME_RIP);
FRAME_ASSERT(cs, FRAME_CS);
FRAME_ASSERT(rflags, FRAME_RFLAGS);
FRAME_ASSERT(rsp, FRAME_RSP);
_Static_assert(sizeof(struct trap_frame) == FRAME_SIZE, "arch/offsets.h");
_Static_assert(FAULT_RESOLVED == 0, "entry.S tests for it");

/* The kernel's code that may touch user memory, and where it goes on if that fails: see user_copy.S. */
struct user_range {
	u64 first, last, fixup;
};
extern const struct user_range __user_ranges_start[], __user_ranges_end[];

static const char *const trap_names[] = {
	"divide error", "debug trap", "NMI", "breakpoint", "overflow", "bound exceeded", "invalid opcode", "no FPU",
	"double fault", "trap 9", "invalid TSS", "segment not present", "stack segment fault",
	"general protection fault", "page fault", "trap 15", "x87 error", "alignment check", "machine check",
	"SIMD error",
};

static const char *trap_name(u64 vector)
{
	return vector < ARRAY_SIZE(trap_names) ? trap_names[vector] : "unexpected trap";
}

static u64 fault_address(void)
{
	u64 cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

static u64 user_fixup(u64 rip)
{
	const struct user_range *r;

	for (r = __user_ranges_start; r < __user_ranges_end; r++)
		if (rip >= r->first && rip < r->last)
			return r->fixup;
	return 0;
}

static bool in_stack_guard(u64 address)
{
	const struct thread *t = thread_current();

	return t->kernel_stack && address - ((u64)t->kernel_stack - PAGE_SIZE) < PAGE_SIZE;
}

static void page_fault_of_kernel(struct trap_frame *f, u64 address, u32 access)
{
	struct vspace *v = thread_current()->vspace;
	u64 fixup = user_fixup(f->rip);

	if (in_stack_guard(address))
		panic_frame(f, "kernel stack overflow");
	if (address >= USER_HIGH || !fixup)
		panic_frame(f, "page fault in the kernel: %s of address %#lx",
			    access == FAULT_WRITE ? "write" : access == FAULT_EXECUTE ? "execution" : "read", address);
	if (this_cpu()->spin_depth || this_cpu()->preempt_off)
		panic_frame(f, "user memory used with preemption off, at address %#lx", address);
	interrupts_on();
	if (!v || mm_fault(v, address, access) != FAULT_RESOLVED)
		f->rip = fixup;
}

/* What mm_fault is told, by the five low bits of the error code of a fault in user mode. */
#define ACCESS_READ FAULT_USER
#define ACCESS_WRITE (FAULT_USER | FAULT_WRITE)
#define ACCESS_EXECUTE (FAULT_USER | FAULT_EXECUTE)
#define ACCESS_BAD 0x80 /* a reserved bit is set in an entry: the kernel's mistake */
HOT_CONST const u8 page_fault_access[32] = {
	[0 ... 1] = ACCESS_READ,      [2 ... 3] = ACCESS_WRITE,    [4 ... 5] = ACCESS_READ,
	[6 ... 7] = ACCESS_WRITE,     [8 ... 15] = ACCESS_BAD,     [16 ... 23] = ACCESS_EXECUTE,
	[24 ... 31] = ACCESS_BAD,
};

/* From entry.S: mm_fault did not resolve a fault in user mode. vector has the address. Interrupts are off on return. */
void page_fault_unresolved(struct trap_frame *f, enum fault_result result)
{
	u64 address = f->vector;

	f->vector = TRAP_PAGE_FAULT;
	exception_from_trap(f, result, address, page_fault_access[f->error & 31]);
	frame_make_safe(f);
	return_to_user();
}

/* In kernel mode, or with a bad entry. */
static void page_fault(struct trap_frame *f)
{
	u64 address = fault_address(); /* before interrupts go on: another fault would overwrite it */
	u32 access = f->error & ERROR_FETCH ? FAULT_EXECUTE : f->error & ERROR_WRITE ? FAULT_WRITE : FAULT_READ;

	if (unlikely(f->error & ERROR_RESERVED_BIT))
		panic_frame(f, "bad page-table entry for address %#lx", address);
	page_fault_of_kernel(f, address, access);
}

/* From entry.S. Interrupts are off; they are off again on return to user mode. */
HOT void trap_dispatch(struct trap_frame *f)
{
	struct cpu *c;

	if (f->vector == TRAP_PAGE_FAULT) {
		page_fault(f);
	} else if (f->vector >= VECTOR_DEVICE_FIRST) {
		irq_dispatch((u32)f->vector);
	} else if (trap_from_user(f)) {
		interrupts_on();
		exception_from_vector(f);
		frame_make_safe(f);
	} else if (f->vector == TRAP_PROTECTION && user_fixup(f->rip)) {
		f->rip = user_fixup(f->rip);
	} else {
		panic_frame(f, "%s in the kernel (error code %#lx)", trap_name(f->vector), f->error);
	}

	if (trap_from_user(f)) {
		return_to_user();
		return;
	}
	/* Interrupts off, or a fault in user_copy, which may go on without a look at this: */
	if (f->vector >= VECTOR_DEVICE_FIRST) {
		c = this_cpu();
		if (c->reschedule && !c->preempt_off)
			sched_preempt();
	}
}

/* Double fault, NMI, machine check: on a stack of its own. */
void trap_fatal(struct trap_frame *f)
{
	if (f->vector == TRAP_NMI && panicking)
		panic_stop_this_cpu(f);
	/* The processor could not push a page fault's frame: what it wanted to touch is still in CR2. */
	if (f->vector == TRAP_DOUBLE_FAULT && (in_stack_guard(fault_address()) || in_stack_guard(f->rsp)))
		panic_frame(f, "kernel stack overflow");
	panic_frame(f, "%s", trap_name(f->vector));
}
