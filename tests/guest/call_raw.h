/* System calls by number, as no library makes them. In one file of a program. */
#ifndef CALL_RAW_H
#define CALL_RAW_H

#include "abi/syscalls.h"
#include <stdint.h>

/* Convention: abi/syscalls.h. arguments has SYSCALL_ARGUMENTS_MAX entries. */
uint32_t call_raw(uint64_t number, const uint64_t *arguments);
__asm__(".text\n"
	".globl call_raw\n"
	"call_raw:\n"
	"	pushq %rbp\n"
	"	pushq %rsi\n"
	"	movq %rsp, %rbp\n"
	"	subq $0x80, %rsp\n"
	"	movq %rcx, %rax\n"
	"	movq %rdx, %rsi\n"
	"	xorl %ecx, %ecx\n"
	"1:	movq 32(%rsi,%rcx,8), %r10\n"
	"	movq %r10, 0x28(%rsp,%rcx,8)\n"
	"	incq %rcx\n"
	"	cmpq $8, %rcx\n"
	"	jb 1b\n"
	"	movq (%rsi), %r10\n"
	"	movq 8(%rsi), %rdx\n"
	"	movq 16(%rsi), %r8\n"
	"	movq 24(%rsi), %r9\n"
	"	syscall\n"
	"	movq %rbp, %rsp\n"
	"	popq %rsi\n"
	"	popq %rbp\n"
	"	ret\n");

#endif
