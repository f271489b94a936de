/*
 * The only code of the kernel that touches user memory. Between the labels of a range, a page fault that the pager can't
 * serve, or a protection fault, continues at the range's third address (arch/trap.c). All functions return true in al, or
 * false after such a fault.
 */
#include "arch/offsets.h"
#include "arch/smap.h"

	.macro USER_RANGE first, last, fixup
	.pushsection .user_ranges, "a", @progbits
	.quad \first, \last, \fixup
	.popsection
	.endm

/*
 * Goes to user_refused unless [at, at + n) is user memory; rax is lost. A thread without an address space must not touch
 * whatever one its CPU happens to have loaded.
 */
	.macro USER_CHECK at, n
	movabsq $USER_HIGH_ADDRESS, %rax
	subq \at, %rax
	jb user_refused
	cmpq \n, %rax
	jb user_refused
	movq %gs:CPU_CURRENT, %rax
	cmpq $0, THREAD_VSPACE(%rax)
	je user_refused
	.endm

	.text

/* bool copy_from_user(void *to, u64 from, size_t n), bool copy_to_user(u64 to, const void *from, size_t n): see arch.h */
	.balign 16
	.globl copy_from_user
	.type copy_from_user, @function
copy_from_user:
	USER_CHECK %rsi, %rdx
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
	.size copy_from_user, . - copy_from_user
	USER_RANGE .Lcopy_first, .Lcopy_last, user_failed

	.balign 16
	.globl copy_to_user
	.type copy_to_user, @function
copy_to_user:
	USER_CHECK %rdi, %rdx
	jmp user_copy
	.size copy_to_user, . - copy_to_user

/* bool get_user_u64(u64 at, u64 *v), and so on: one value */
	.macro USER_VALUE name, bytes, from, to, register
	.balign 16
	.globl \name
	.type \name, @function
\name:
	USER_CHECK %rdi, $\bytes
	SMAP_OPEN
.Lfirst_\name:
	mov \from, \register
	mov \register, \to
.Llast_\name:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size \name, . - \name
	USER_RANGE .Lfirst_\name, .Llast_\name, user_failed
	.endm

	USER_VALUE get_user_u64, 8, (%rdi), (%rsi), %rax
	USER_VALUE get_user_u32, 4, (%rdi), (%rsi), %eax
	USER_VALUE put_user_u64, 8, %rsi, (%rdi), %rax
	USER_VALUE put_user_u32, 4, %esi, (%rdi), %eax

/*
 * bool get_user_two_writable(u64 at1, u64 *v1, u64 at2, u64 *v2): stores what was there, and loses nothing that another
 * thread stores meanwhile
 */
	.balign 16
	.globl get_user_two_writable
	.type get_user_two_writable, @function
get_user_two_writable:
	USER_CHECK %rdi, $8
	USER_CHECK %rdx, $8
	xorl %eax, %eax
	xorl %r8d, %r8d
	SMAP_OPEN
.Ltwo_first:
	lock xaddq %rax, (%rdi)
	lock xaddq %r8, (%rdx)
.Ltwo_last:
	SMAP_CLOSE
	movq %rax, (%rsi)
	movq %r8, (%rcx)
	movl $1, %eax
	ret
	.size get_user_two_writable, . - get_user_two_writable
	USER_RANGE .Ltwo_first, .Ltwo_last, user_failed

/* bool user_probe(u64 at, size_t n): its first and last byte are changed to what they are */
	.balign 16
	.globl user_probe
	.type user_probe, @function
user_probe:
	USER_CHECK %rdi, %rsi
	SMAP_OPEN
.Lprobe_first:
	lock orb $0, (%rdi)
	lock orb $0, -1(%rdi, %rsi)
.Lprobe_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_probe, . - user_probe
	USER_RANGE .Lprobe_first, .Lprobe_last, user_failed

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

/*
 * bool user_context_store(struct nt_context *to, const struct trap_frame *f): all that CONTEXT_PARTS names, the floating-point
 * registers as they are now; to is aligned to 16. The rest of the context stays as it is.
 */
	.macro STORE_REGISTER frame, context
	movq \frame(%rsi), %rax
	movq %rax, \context(%rdi)
	.endm

	.balign 16
	.globl user_context_store
	.type user_context_store, @function
user_context_store:
	movabsq $USER_CS | USER_DS << 16 | USER_DS << 32 | USER_DS << 48, %rdx
	SMAP_OPEN
.Lstore_first:
	movl $CONTEXT_PARTS, CONTEXT_FLAGS(%rdi)
	stmxcsr CONTEXT_MXCSR(%rdi)
	movq %rdx, CONTEXT_CS(%rdi)	/* cs, ds, es, fs */
	movl $USER_DS | USER_DS << 16, CONTEXT_CS + 8(%rdi) /* gs, ss */
	movl FRAME_RFLAGS(%rsi), %eax
	movl %eax, CONTEXT_EFLAGS(%rdi)
	STORE_REGISTER FRAME_RAX, CONTEXT_RAX
	STORE_REGISTER FRAME_RCX, CONTEXT_RAX+0x08
	STORE_REGISTER FRAME_RDX, CONTEXT_RAX+0x10
	STORE_REGISTER FRAME_RBX, CONTEXT_RAX+0x18
	STORE_REGISTER FRAME_RSP, CONTEXT_RAX+0x20
	STORE_REGISTER FRAME_RBP, CONTEXT_RAX+0x28
	STORE_REGISTER FRAME_RSI, CONTEXT_RAX+0x30
	STORE_REGISTER FRAME_RDI, CONTEXT_RAX+0x38
	STORE_REGISTER FRAME_R8, CONTEXT_RAX+0x40
	STORE_REGISTER FRAME_R9, CONTEXT_RAX+0x48
	STORE_REGISTER FRAME_R10, CONTEXT_RAX+0x50
	STORE_REGISTER FRAME_R11, CONTEXT_RAX+0x58
	STORE_REGISTER FRAME_R12, CONTEXT_RAX+0x60
	STORE_REGISTER FRAME_R13, CONTEXT_RAX+0x68
	STORE_REGISTER FRAME_R14, CONTEXT_RAX+0x70
	STORE_REGISTER FRAME_R15, CONTEXT_RAX+0x78
	STORE_REGISTER FRAME_RIP, CONTEXT_RAX+0x80
	fxsave64 CONTEXT_FPU(%rdi)
.Lstore_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_context_store, . - user_context_store
	USER_RANGE .Lstore_first, .Lstore_last, user_failed

/*
 * bool user_fpu_load(const void *from): FXSAVE's area. A protection fault, since a reserved bit of its MXCSR is set or it is
 * not aligned to 16, ends it like a page that can't be had.
 */
	.balign 16
	.globl user_fpu_load
	.type user_fpu_load, @function
user_fpu_load:
	SMAP_OPEN
.Lload_first:
	fxrstor64 (%rdi)
.Lload_last:
	SMAP_CLOSE
	movl $1, %eax
	ret
	.size user_fpu_load, . - user_fpu_load
	USER_RANGE .Lload_first, .Lload_last, user_failed

	.type user_failed, @function
user_failed:
	SMAP_CLOSE
user_refused:
	xorl %eax, %eax
	ret
	.size user_failed, . - user_failed

	.section .note.GNU-stack, "", @progbits
