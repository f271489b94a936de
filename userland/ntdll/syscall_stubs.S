/* One stub for each system call. The kernel takes the first argument in r10: the instruction itself overwrites rcx. */
#include "abi/syscalls.h"

	.text
#define STUB(number, name, arguments)	\
	.globl name;			\
	.balign 16;			\
name:	movq %rcx, %r10;		\
	movl $number, %eax;		\
	syscall;			\
	ret;

SYSCALLS(STUB)
