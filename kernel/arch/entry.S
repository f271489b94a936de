/*
 * Where the processor enters the kernel: from the boot application, at traps and interrupts, at system calls; and the
 * ways back. In kernel mode GS points at struct cpu; in user mode at the thread's TEB: whoever crosses swaps the two.
 */
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

	.text

	.macro push_registers
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	.endm

	.macro pop_registers
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	.endm

/*
 * One stub of 16 bytes for each vector, so that all frames look alike: an error code (0 where the processor pushes
 * none) and the vector. Double fault, NMI and machine check come at any moment, on stacks of their own.
 */
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

	.balign 16
	.type trap_entry, @function
trap_entry:
	testb $3, FRAME_CS - FRAME_VECTOR(%rsp)
	jz 1f
	swapgs
1:	push_registers
	cld
	SMAP_CLOSE			/* user mode, or an interrupted copy, may have left it open */
	movq %rsp, %rdi
	call trap_dispatch
	testb $3, FRAME_CS(%rsp)
	jz 2f
trap_restore_user:			/* interrupts are off here */
	swapgs
2:	pop_registers
	addq $16, %rsp
	iretq
	.size trap_entry, . - trap_entry

/* The trap may have come between a swapgs and what belongs to it: only the base itself tells whose GS this is. */
	.balign 16
	.type fatal_entry, @function
fatal_entry:
	push_registers
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
 * are off. The C compiler keeps rbx, rbp, r12 to r15, so the short way back restores only rdi and rsi, which Windows
 * programs expect to keep, and clears the rest.
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
	sti				/* the stack is the kernel's, and the scratch field free again */
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq $0
	pushq $0x100			/* TRAP_SYSCALL */
	push_registers
	movq %rsp, %rdi
	call syscall_dispatch
	cli
	movq %gs:CPU_CURRENT, %rdx
	movzbl %gs:CPU_RESCHEDULE, %ecx
	orb THREAD_ENDING(%rdx), %cl
	orb FRAME_VECTOR(%rsp), %cl	/* 0 as long as it is TRAP_SYSCALL */
	jnz 1f
	movq FRAME_RIP(%rsp), %rcx
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
1:	movq %rsp, %rdi
	movq %rax, %rsi
	call syscall_return_slowly
	jmp trap_restore_user
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
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
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
