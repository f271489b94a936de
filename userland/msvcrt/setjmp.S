/*
 * int _setjmp(jmp_buf buffer, void *frame): all that a function must preserve, with its caller as the place to
 * return to. The buffer is _JUMP_BUFFER of setjmp.h.
 */
	.text

	.globl _setjmp
	.globl _setjmpex
_setjmp:
_setjmpex:
	movq %rdx, 0x00(%rcx)
	movq %rbx, 0x08(%rcx)
	leaq 8(%rsp), %rax
	movq %rax, 0x10(%rcx)
	movq %rbp, 0x18(%rcx)
	movq %rsi, 0x20(%rcx)
	movq %rdi, 0x28(%rcx)
	movq %r12, 0x30(%rcx)
	movq %r13, 0x38(%rcx)
	movq %r14, 0x40(%rcx)
	movq %r15, 0x48(%rcx)
	movq (%rsp), %rax
	movq %rax, 0x50(%rcx)
	stmxcsr 0x58(%rcx)
	fnstcw 0x5c(%rcx)
	movdqu %xmm6, 0x60(%rcx)
	movdqu %xmm7, 0x70(%rcx)
	movdqu %xmm8, 0x80(%rcx)
	movdqu %xmm9, 0x90(%rcx)
	movdqu %xmm10, 0xa0(%rcx)
	movdqu %xmm11, 0xb0(%rcx)
	movdqu %xmm12, 0xc0(%rcx)
	movdqu %xmm13, 0xd0(%rcx)
	movdqu %xmm14, 0xe0(%rcx)
	movdqu %xmm15, 0xf0(%rcx)
	xorl %eax, %eax
	ret

/*
 * jump_after_unwind: RtlUnwindEx continues here, in the frame of setjmp's caller, with the thread's { buffer, value
 * } in rax. Falls into jump_restore(buffer, value).
 */
	.globl jump_after_unwind
	.globl jump_restore
jump_after_unwind:
	movq 0(%rax), %rcx
	movq 8(%rax), %rdx
jump_restore:
	movl %edx, %eax
	ldmxcsr 0x58(%rcx)
	fnclex
	fldcw 0x5c(%rcx)
	movdqu 0x60(%rcx), %xmm6
	movdqu 0x70(%rcx), %xmm7
	movdqu 0x80(%rcx), %xmm8
	movdqu 0x90(%rcx), %xmm9
	movdqu 0xa0(%rcx), %xmm10
	movdqu 0xb0(%rcx), %xmm11
	movdqu 0xc0(%rcx), %xmm12
	movdqu 0xd0(%rcx), %xmm13
	movdqu 0xe0(%rcx), %xmm14
	movdqu 0xf0(%rcx), %xmm15
	movq 0x08(%rcx), %rbx
	movq 0x18(%rcx), %rbp
	movq 0x20(%rcx), %rsi
	movq 0x28(%rcx), %rdi
	movq 0x30(%rcx), %r12
	movq 0x38(%rcx), %r13
	movq 0x40(%rcx), %r14
	movq 0x48(%rcx), %r15
	movq 0x10(%rcx), %rsp
	jmp *0x50(%rcx)
