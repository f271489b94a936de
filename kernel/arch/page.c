/*
 * Pages filled and copied. SSE's registers move 16 bytes an instruction, in loops of few rounds: that is half of the
 * instructions of "rep stosq", and less than half of its time in QEMU's translator, which goes round for each quadword.
 * The kernel uses these registers nowhere else; they hold the user's values. Each function puts back what it found. A
 * thread that has no room to keep them in while another one runs (a thread of the kernel) does without.
 */
#include "arch/arch.h"
#include "proc/sched.h"

static bool sse_usable(void)
{
	return thread_current()->context.fpu;
}

/* rounds of 64 times 16 bytes; offsets count up to 0. */
HOT void page_zero(void *page)
{
	u8 saved[16];
	i64 at = -(i64)PAGE_SIZE;
	u64 n = PAGE_SIZE / 8;

	if (unlikely(!sse_usable())) {
		__asm__ volatile("rep stosq" : "+D"(page), "+c"(n) : "a"(0ull) : "memory");
		return;
	}
	__asm__ volatile("movups %%xmm0, %[saved]\n\t"
			 "pxor %%xmm0, %%xmm0\n"
			 "1:\n\t"
			 ".set page_at, 0\n\t"
			 ".rept 64\n\t"
			 "movaps %%xmm0, page_at(%[end],%[at])\n\t"
			 ".set page_at, page_at + 16\n\t"
			 ".endr\n\t"
			 "addq $1024, %[at]\n\t"
			 "jnz 1b\n\t"
			 "movups %[saved], %%xmm0"
			 : [at] "+r"(at), [saved] "=m"(saved)
			 : [end] "r"((char *)page + PAGE_SIZE)
			 : "memory", "cc");
}

/* bytes: a multiple of 512; both ends at multiples of 16. */
static void bytes_copy(void *to, const void *from, u64 bytes)
{
	u8 saved[4][16];
	i64 at = -(i64)bytes;
	u64 n = bytes / 8;

	if (unlikely(!sse_usable())) {
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
		return;
	}
	__asm__ volatile("movups %%xmm0, (%[saved])\n\t"
			 "movups %%xmm1, 16(%[saved])\n\t"
			 "movups %%xmm2, 32(%[saved])\n\t"
			 "movups %%xmm3, 48(%[saved])\n"
			 "1:\n\t"
			 ".set page_at, 0\n\t"
			 ".rept 8\n\t"
			 "movaps page_at(%[from],%[at]), %%xmm0\n\t"
			 "movaps page_at+16(%[from],%[at]), %%xmm1\n\t"
			 "movaps page_at+32(%[from],%[at]), %%xmm2\n\t"
			 "movaps page_at+48(%[from],%[at]), %%xmm3\n\t"
			 "movaps %%xmm0, page_at(%[to],%[at])\n\t"
			 "movaps %%xmm1, page_at+16(%[to],%[at])\n\t"
			 "movaps %%xmm2, page_at+32(%[to],%[at])\n\t"
			 "movaps %%xmm3, page_at+48(%[to],%[at])\n\t"
			 ".set page_at, page_at + 64\n\t"
			 ".endr\n\t"
			 "addq $512, %[at]\n\t"
			 "jnz 1b\n\t"
			 "movups (%[saved]), %%xmm0\n\t"
			 "movups 16(%[saved]), %%xmm1\n\t"
			 "movups 32(%[saved]), %%xmm2\n\t"
			 "movups 48(%[saved]), %%xmm3"
			 : [at] "+r"(at)
			 : [from] "r"((const char *)from + bytes), [to] "r"((char *)to + bytes), [saved] "r"(saved)
			 : "memory", "cc");
}

/*
 * Two pages whose numbers agree in their low bits share a set of a cache, and an entry of the translator's TLB, which then
 * is refilled at each change between them: there the copy goes through a piece on the stack, at twice the instructions.
 */
#define PAGE_COLLIDES(a, b) (((((u64)(a) ^ (u64)(b)) >> PAGE_SHIFT) & 63) == 0)

void page_copy(void *to, const void *from)
{
	u8 piece[512] __attribute__((aligned(16)));

	if (!PAGE_COLLIDES(to, from)) {
		bytes_copy(to, from, PAGE_SIZE);
		return;
	}
	for (u32 at = 0; at < PAGE_SIZE; at += sizeof(piece)) {
		bytes_copy(piece, (const char *)from + at, sizeof(piece));
		bytes_copy((char *)to + at, piece, sizeof(piece));
	}
}
