/*
 * The last instructions of the boot application: from the firmware's page tables to the kernel's. Runs from a copy
 * below 4 GiB, because the application itself may lie above, where the new tables do not map it.
 */
	.section .rodata.boot_jump, "a", @progbits
	.globl boot_jump_start, boot_jump_end

/* rdi: struct bootinfo (stays, as the first argument), rsi: PML4, rdx: the kernel's entry, rcx: top of the stack */
boot_jump_start:
	cli
	cld
	movq %rcx, %r8
	movq %rdx, %r9

	movl $0xc0000080, %ecx		/* EFER.NXE, before tables are used that have the no-execute bit */
	rdmsr
	btsl $11, %eax
	wrmsr

	movq %rsi, %cr3
	movq %cr0, %rax
	btsq $16, %rax			/* CR0.WP: read-only pages are read-only for the kernel too */
	movq %rax, %cr0

	movq %r8, %rsp
	xorl %ebp, %ebp			/* the end of every stack trace */
	pushq $0			/* as after a call: a return address, and the alignment that goes with it */
	jmp *%r9
boot_jump_end:

	.section .note.GNU-stack, "", @progbits
