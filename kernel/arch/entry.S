/*
 * Where the processor enters the kernel: from the boot application, at traps and interrupts, at system calls; and the
 * ways back. In kernel mode GS points at struct cpu; in user mode at the thread's TEB: whoever crosses swaps the two.
 */
#include "abi/syscalls.h"
#include "arch/offsets.h"
#include "arch/smap.h"

	.section .text.entry, "ax", @progbits

/* From the boot application: rdi = struct bootinfo, in the direct map. */
	.globl kernel_entry
	.type kernel_entry, @function
kernel_entry:
	movq $boot_stack_top, %rsp
	movq $cpu_boot, %rax
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	xorl %ebp, %ebp
	pushq $0			/* ends stack traces; aligns the stack as a call would */
	jmp kernel_main
	.size kernel_entry, . - kernel_entry

/* In the order of struct trap_frame. Functions in C keep the second half: a way back from them need not restore those. */
	.macro push_scratch
	pushq %rax
	pushq %rcx
	pushq %rsi
	pushq %rdi
	pushq %r11
	pushq %r9
	pushq %r8
	pushq %rdx
	pushq %r10
	.endm

	.macro push_kept
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_scratch
	popq %r10
	popq %rdx
	popq %r8
	popq %r9
	popq %r11
	popq %rdi
	popq %rsi
	popq %rcx
	popq %rax
	.endm

	.macro pop_kept
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	.endm

/*
 * Turns interrupts on, and all flags off that user mode may have set: direction, alignment check (with it SMAP's). For a
 * translator POPF is the cheaper way: STI holds interrupts back for one more instruction, which then stands alone.
 */
	.macro interrupts_on_flags_clear
	pushq $0x202
	popfq
	.endm

/* ZF = 0 if there is something to do before the way back to user mode: see return_to_user. Interrupts are off. */
	.macro test_work
	movq %gs:CPU_CURRENT, %rdx
	movzbl %gs:CPU_RESCHEDULE, %ecx
	orb THREAD_ENDING(%rdx), %cl
	.endm

/*
 * One stub of 16 bytes for each vector, so that all frames look alike: an error code (0 where the processor pushes
 * none) and the vector. Double fault, NMI and machine check come at any moment, on stacks of their own.
 */
	.text
	.balign 16
	.globl trap_stubs
	.type trap_stubs, @function
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || \
	      vector == 30)
	pushq $0
	.endif
	pushq $vector
	.if vector == 2 || vector == 8 || vector == 18
	jmp fatal_entry
	.else
	jmp trap_entry
	.endif
	.set vector, vector + 1
	.endr
	.size trap_stubs, . - trap_stubs

	.section .text.hot, "ax", @progbits	/* lib/types.h: HOT */

	.balign 16
	.type trap_entry, @function
trap_entry:
	testb $3, FRAME_CS - FRAME_VECTOR(%rsp)
	jz 1f
	swapgs
1:	push_scratch
2:	push_kept
	cld
	SMAP_CLOSE			/* user mode, or an interrupted copy, may have left it open */
	movq %rsp, %rdi
	call trap_dispatch
	testb $3, FRAME_CS(%rsp)
	jz 3f
trap_restore_user:			/* interrupts are off here */
	swapgs
3:	pop_kept
	pop_scratch
	addq $16, %rsp
	iretq

/*
 * A page fault. That of user mode is the commonest trap: mm_fault(address space, address, access) is called from here, and
 * the registers that it keeps are saved only if it does not resolve the fault.
 */
	.balign 16
	.globl page_fault_entry
page_fault_entry:
	pushq $14
	testb $3, FRAME_CS - FRAME_VECTOR(%rsp)
	jz 1b
	swapgs
	push_scratch
	movl FRAME_ERROR - FRAME_R10(%rsp), %edx
	andl $31, %edx
	movzbl page_fault_access(%rdx), %edx
	testb %dl, %dl
	js 2b
	movq %cr2, %rsi			/* before interrupts go on: another fault would overwrite it */
	movq %rsi, FRAME_VECTOR - FRAME_R10(%rsp)
	movq %gs:CPU_CURRENT, %rdi
	movq THREAD_VSPACE(%rdi), %rdi
	interrupts_on_flags_clear
	call mm_fault
	testl %eax, %eax
	jnz 2f
	cli
	test_work
	jnz 1f
	swapgs
	pop_scratch
	addq $16, %rsp
	iretq
1:	call return_to_user
	swapgs
	pop_scratch
	addq $16, %rsp
	iretq
2:	push_kept
	movq %rsp, %rdi
	movl %eax, %esi
	call page_fault_unresolved
	jmp trap_restore_user
	.size trap_entry, . - trap_entry

/* The trap may have come between a swapgs and what belongs to it: only the base itself tells whose GS this is. */
	.balign 16
	.type fatal_entry, @function
fatal_entry:
	push_scratch
	push_kept
	cld
	SMAP_CLOSE
	movl $MSR_GS_BASE, %ecx
	rdmsr
	testl %edx, %edx		/* the kernel's addresses are the negative ones */
	js 1f
	swapgs
1:	movq %rsp, %rdi
	call trap_fatal			/* does not return */
	.size fatal_entry, . - fatal_entry

/*
 * System call: rax = number, r10, rdx, r8, r9 and the user's stack = arguments, rcx = rip, r11 = rflags; interrupts
 * are off. The frame of registers has the first four arguments in a row: its functions are called with a pointer to
 * them. The C compiler keeps rbx, rbp, r12 to r15, so the way back restores only rdi and rsi, which Windows programs
 * expect to keep, and clears the rest.
 */
	.balign 16
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_KERNEL_RSP, %rsp
	pushq $USER_DS
	pushq %gs:CPU_USER_RSP
	interrupts_on_flags_clear	/* the stack is the kernel's, and the scratch field free again */
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq $0
	pushq $0x100			/* TRAP_SYSCALL */
	push_scratch
	push_kept
	movl %eax, %eax
	cmpl $SYSCALL_NUMBER_MAX, %eax
	jae 2f
	movq syscall_functions(, %rax, 8), %rax
	testq %rax, %rax
	jz 2f
1:	leaq FRAME_R10(%rsp), %rdi
#ifdef DEBUG
	movq %rax, %rsi
	call syscall_checked
#else
	call *%rax
#endif
	movl %eax, %eax			/* NTSTATUS: nothing else of the kernel's gets out */
	cli
	test_work
	jnz 3f
4:	movq FRAME_RIP(%rsp), %rcx
	movq FRAME_RFLAGS(%rsp), %r11
	movq FRAME_RDI(%rsp), %rdi
	movq FRAME_RSI(%rsp), %rsi
	xorl %edx, %edx
	xorl %r8d, %r8d
	xorl %r9d, %r9d
	xorl %r10d, %r10d
	movq FRAME_RSP(%rsp), %rsp
	swapgs
	sysretq
2:	movq $syscall_missing, %rax
	jmp 1b
3:	pushq %rax			/* two, so that the stack stays aligned */
	pushq %rax
	call return_to_user
	popq %rax
	popq %rax
	jmp 4b
	.size syscall_entry, . - syscall_entry

/* void frame_restore_user(struct trap_frame *f): interrupts off, f on this thread's kernel stack */
	.globl frame_restore_user
	.type frame_restore_user, @function
frame_restore_user:
	movq %rdi, %rsp
	jmp trap_restore_user
	.size frame_restore_user, . - frame_restore_user

/* void stack_switch(u64 *save_rsp, u64 load_rsp) */
	.balign 16
	.globl stack_switch
	.type stack_switch, @function
stack_switch:
	push_kept
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	pop_kept
	ret
	.size stack_switch, . - stack_switch

/* A new thread comes out of stack_switch here: r12 = function, r13 = its argument, rbp = 0. It does not return. */
	.globl context_begin
	.type context_begin, @function
context_begin:
	movq %r13, %rdi
	pushq $0
	jmp *%r12
	.size context_begin, . - context_begin

	.bss
	.balign 4096
	.globl boot_stack_guard, boot_stack, boot_stack_top
boot_stack_guard:			/* arch_init unmaps it */
	.skip 4096
boot_stack:
	.skip 16384			/* KERNEL_STACK_SIZE */
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
