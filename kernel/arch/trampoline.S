/*
 * How the other processors come from real mode to the kernel. smp.c copies this to a page below 640 KiB, fills in the
 * fields at its end and sends the page's number with the start-up interrupt.
 * Source: Intel SDM volume 3A, sections 8.4 (start-up) and 9.8.5 (entering IA-32e mode).
 */
#include "arch/offsets.h"

#define AT(label) (label - trampoline_start)

	.section .rodata.trampoline, "a", @progbits
	.globl trampoline_start, trampoline_end
	.globl trampoline_gdt_pointer, trampoline_gdt, trampoline_jump, trampoline_long, trampoline_pml4
	.globl trampoline_stack, trampoline_cpu, trampoline_entry

	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl AT(trampoline_gdt_pointer)

	movl $0x620, %eax		/* CR4: PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl AT(trampoline_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $0x900, %eax		/* long mode, no-execute */
	wrmsr
	movl $0x80010011, %eax		/* CR0: paging, write protection, extension type, protection */
	movl %eax, %cr0
	ljmpl *AT(trampoline_jump)

	.code64
trampoline_long:
	movw $KERNEL_DS, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movq trampoline_stack(%rip), %rsp
	movq trampoline_cpu(%rip), %rdi
	xorl %ebp, %ebp
	pushq $0
	jmp *trampoline_entry(%rip)

	.balign 8
trampoline_gdt:				/* kernel code and data where the kernel's own table has them */
	.quad 0, 0
	.quad 0x00af9b000000ffff
	.quad 0x00cf93000000ffff
trampoline_gdt_pointer:
	.word . - trampoline_gdt - 1
	.long 0
trampoline_jump:
	.long 0
	.word KERNEL_CS
	.balign 8
trampoline_pml4:
	.quad 0
trampoline_stack:
	.quad 0
trampoline_cpu:
	.quad 0
trampoline_entry:
	.quad 0
trampoline_end:

	.section .note.GNU-stack, "", @progbits
