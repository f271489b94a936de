/*
 * Where the kernel enters user space, and what C can't say. Every function that calls has unwind data, so that a walk
 * of the stack can cross it; one that ends a stack has a return address of 0 above it.
 */
	.text

/* LdrInitializeThunk(start, parameter): every thread begins here. The 0 ends the walks of its stack. */
	.globl LdrInitializeThunk
	.seh_proc LdrInitializeThunk
LdrInitializeThunk:
	movq $0, (%rsp)
	subq $0x28, %rsp
	.seh_stackalloc 0x28
	.seh_endprologue
	call loader_start
	int3
	.seh_endproc

/*
 * KiUserExceptionDispatcher(record, context): entered by the kernel on the stack of the thread that faulted, 16-byte
 * aligned; both lie on that stack, above rsp. All other registers still are those of the fault. Does not return, but
 * when a handler unwinds, the walk of the stack comes through here and has to find the fault's place: hence the
 * frame, in the order in which the processor pushes one for a trap.
 */
	.globl KiUserExceptionDispatcher
	.seh_proc KiUserExceptionDispatcher
KiUserExceptionDispatcher:
	pushq $0			/* ss */
	pushq 0x98(%rdx)		/* rsp */
	pushq $0			/* flags */
	pushq $0			/* cs */
	pushq 0xF8(%rdx)		/* rip */
	.seh_pushframe
	subq $0x28, %rsp
	.seh_stackalloc 0x28
	.seh_endprologue
	call exception_dispatch
	int3
	.seh_endproc

/* RtlCaptureContext(context): all registers as the caller has them after the call. Offsets: CONTEXT in winnt.h. */
	.globl RtlCaptureContext
RtlCaptureContext:
	pushfq
	movl $0x10000F, 0x30(%rcx)	/* CONTEXT_ALL but the debug registers */
	stmxcsr 0x34(%rcx)
	movw %cs, 0x38(%rcx)
	movw %ds, 0x3A(%rcx)
	movw %es, 0x3C(%rcx)
	movw %fs, 0x3E(%rcx)
	movw %gs, 0x40(%rcx)
	movw %ss, 0x42(%rcx)
	popq %r10
	movl %r10d, 0x44(%rcx)
	movq %rax, 0x78(%rcx)
	movq %rcx, 0x80(%rcx)
	movq %rdx, 0x88(%rcx)
	movq %rbx, 0x90(%rcx)
	leaq 8(%rsp), %r10
	movq %r10, 0x98(%rcx)
	movq %rbp, 0xA0(%rcx)
	movq %rsi, 0xA8(%rcx)
	movq %rdi, 0xB0(%rcx)
	movq %r8, 0xB8(%rcx)
	movq %r9, 0xC0(%rcx)
	movq %r10, 0xC8(%rcx)
	movq %r11, 0xD0(%rcx)
	movq %r12, 0xD8(%rcx)
	movq %r13, 0xE0(%rcx)
	movq %r14, 0xE8(%rcx)
	movq %r15, 0xF0(%rcx)
	movq (%rsp), %r10
	movq %r10, 0xF8(%rcx)
	fxsave64 0x100(%rcx)
	ret
