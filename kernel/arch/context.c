/* A thread's registers: switching between threads, and the ways to user mode. */
#include "arch/internal.h"
#include "lib/string.h"
#include "proc/exception.h"
#include "proc/sched.h"

#define FLAGS_FIXED 0x202ull    /* interrupts on, and the bit that is always set */
#define FLAGS_USER 0x240dd5ull  /* what user space may choose: CF PF AF ZF SF TF DF OF AC ID */
#define MXCSR_VALID 0xffbfu     /* without DAZ, which the oldest processors lack */

/* Source: Intel SDM volume 1, section 10.5.1 (the layout of FXSAVE's area). */
struct fpu_area {
	u16 control, status;
	u8 tags, reserved;
	u16 opcode;
	u64 instruction, operand;
	u32 mxcsr, mxcsr_mask;
	u8 registers[480];
};
_Static_assert(sizeof(struct fpu_area) == 512, "FXSAVE writes 512 bytes");

void fpu_init_state(void *fpu)
{
	struct fpu_area *a = fpu;

	memset(a, 0, sizeof(*a));
	a->control = 0x27f;
	a->mxcsr = 0x1f80;
}

void fpu_store(void *area)
{
	__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void fpu_load(void *area)
{
	struct fpu_area *a = area;

	a->mxcsr &= MXCSR_VALID; /* a reserved bit would be a protection fault in the kernel */
	__asm__ volatile("fxrstor64 (%0)" ::"r"(a) : "memory");
}

void mxcsr_load(u32 mxcsr)
{
	mxcsr &= MXCSR_VALID;
	__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
}

HOT void context_switch(struct cpu *c, struct thread *from, struct thread *to)
{
	thread_set_kernel_stack(to);
	if (to->vspace && to->vspace != c->vspace)
		page_tables_switch(c, to->vspace);
	if (from->context.fpu)
		fpu_store(from->context.fpu);
	if (to->context.fpu) {
		/* What fpu_store left there has no reserved bits. */
		__asm__ volatile("fxrstor64 (%0)" ::"r"(to->context.fpu) : "memory");
		msr_write(MSR_KERNEL_GS_BASE, to->context.user_gs);
	}
	stack_switch(&from->context.rsp, to->context.rsp);
}

void context_init(struct arch_context *c, void *stack_top, void (*entry)(void *), void *arg)
{
	u64 *sp = stack_top;

	*--sp = 0; /* aligns the stack for context_begin */
	*--sp = (u64)context_begin;
	*--sp = 0; /* rbp: the end of every stack trace */
	*--sp = 0; /* rbx */
	*--sp = (u64)entry; /* r12 */
	*--sp = (u64)arg;   /* r13 */
	*--sp = 0; /* r14 */
	*--sp = 0; /* r15 */
	c->rsp = (u64)sp;
}

void frame_make_safe(struct trap_frame *f)
{
	f->cs = USER_CS;
	f->ss = USER_DS;
	f->rflags = (f->rflags & FLAGS_USER) | FLAGS_FIXED;
	if (f->rip > USER_HIGH) /* not canonical: iretq would fault in the kernel; at this address the program will */
		f->rip = USER_HIGH;
}

void return_to_user(void)
{
	for (;;) {
		interrupts_off();
		if (unlikely(thread_current()->ending)) {
			interrupts_on();
			thread_exit_ending();
		}
		if (likely(!this_cpu()->reschedule))
			break;
		sched_preempt();
	}
}

void trap_restore(struct trap_frame *f)
{
	assert(mutex_none_held());
	frame_make_safe(f);
	return_to_user();
	frame_restore_user(f);
}

void trap_return(const struct trap_frame *frame)
{
	struct thread *t = thread_current();
	struct trap_frame f = *frame;

	frame_make_safe(&f);
	interrupts_off();
	if (t->context.fpu)
		fpu_load(t->context.fpu);
	msr_write(MSR_KERNEL_GS_BASE, t->context.user_gs);
	return_to_user();
	frame_restore_user(&f);
}

void enter_user(u64 rip, u64 rsp, u64 rcx, u64 rdx)
{
	struct trap_frame f = { .rip = rip, .rsp = rsp, .rcx = rcx, .rdx = rdx };

	trap_return(&f);
}
