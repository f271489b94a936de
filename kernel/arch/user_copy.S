/*
 * The only code of the kernel that touches user memory. Between the labels of a range, a fault that the pager can't
 * serve continues at the range's third address (arch/trap.c). All functions return true in al, or false after such a
 * fault.
 */
#include "arch/smap.h"

	.macro USER_RANGE first, last, fixup
	.pushsection .user_ranges, "a", @progbits
	.quad \first, \last, \fixup
	.popsection
	.endm

	.text

/* bool user_copy(void *to, const void *from, size_t n) */
	.balign 16
	.globl user_copy
	.type user_copy, @function
user_copy:
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
	SMAP_OPEN
.Lcopy_first:
	rep movsq
	movl %edx, %ecx
	rep movsb
.Lcopy_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_copy, . - user_copy
	USER_RANGE .Lcopy_first, .Lcopy_last, user_failed

/* bool user_zero(void *to, size_t n) */
	.balign 16
	.globl user_zero
	.type user_zero, @function
user_zero:
	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
	xorl %eax, %eax
	SMAP_OPEN
.Lzero_first:
	rep stosq
	movl %esi, %ecx
	rep stosb
.Lzero_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_zero, . - user_zero
	USER_RANGE .Lzero_first, .Lzero_last, user_failed

/* bool user_string(char *to, const char *from, size_t size): size > 0; false too if there is no 0 byte within size */
	.balign 16
	.globl user_string
	.type user_string, @function
user_string:
	SMAP_OPEN
.Lstring_first:
	movb (%rsi), %al
.Lstring_last:
	movb %al, (%rdi)
	testb %al, %al
	jz 1f
	incq %rsi
	incq %rdi
	decq %rdx
	jnz .Lstring_first
	jmp user_failed
1:	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_string, . - user_string
	USER_RANGE .Lstring_first, .Lstring_last, user_failed

/* bool user_load(u64 *to, const u64 *from) */
	.balign 16
	.globl user_load
	.type user_load, @function
user_load:
	SMAP_OPEN
.Lload_first:
	movq (%rsi), %rax
.Lload_last:
	SMAP_CLOSE
	movq %rax, (%rdi)
	movl $1, %eax
	ret
	.size user_load, . - user_load
	USER_RANGE .Lload_first, .Lload_last, user_failed

/*
 * bool user_load_two_writable(u64 *to1, u64 *from1, u64 *to2, u64 *from2): stores what was there, and loses nothing that
 * another thread stores meanwhile
 */
	.balign 16
	.globl user_load_two_writable
	.type user_load_two_writable, @function
user_load_two_writable:
	xorl %eax, %eax
	xorl %r8d, %r8d
	SMAP_OPEN
.Lload_two_first:
	lock xaddq %rax, (%rsi)
	lock xaddq %r8, (%rcx)
.Lload_two_last:
	SMAP_CLOSE
	movq %rax, (%rdi)
	movq %r8, (%rdx)
	movl $1, %eax
	ret
	.size user_load_two_writable, . - user_load_two_writable
	USER_RANGE .Lload_two_first, .Lload_two_last, user_failed

/* bool user_store(u64 *to, u64 value) */
	.balign 16
	.globl user_store
	.type user_store, @function
user_store:
	SMAP_OPEN
.Lstore_first:
	movq %rsi, (%rdi)
.Lstore_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_store, . - user_store
	USER_RANGE .Lstore_first, .Lstore_last, user_failed

/* bool user_store_u32(u32 *to, u32 value) */
	.balign 16
	.globl user_store_u32
	.type user_store_u32, @function
user_store_u32:
	SMAP_OPEN
.Lstore_u32_first:
	movl %esi, (%rdi)
.Lstore_u32_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_store_u32, . - user_store_u32
	USER_RANGE .Lstore_u32_first, .Lstore_u32_last, user_failed

/* bool user_touch(u8 *first, u8 *last): writes, but changes nothing */
	.balign 16
	.globl user_touch
	.type user_touch, @function
user_touch:
	SMAP_OPEN
.Ltouch_first:
	lock orb $0, (%rdi)
	lock orb $0, (%rsi)
.Ltouch_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_touch, . - user_touch
	USER_RANGE .Ltouch_first, .Ltouch_last, user_failed

	.type user_failed, @function
user_failed:
	SMAP_CLOSE
	xorl %eax, %eax
	ret
	.size user_failed, . - user_failed

	.section .note.GNU-stack, "", @progbits
