/* User memory, as the rest of the kernel sees it: what of it is not in user_copy.S. */
#include "abi/nt_process.h"
#include "arch/internal.h"
#include "proc/sched.h"

/* As USER_CHECK in user_copy.S. */
static bool user_range_valid(u64 at, size_t n)
{
	return at <= USER_HIGH && n <= USER_HIGH - at && thread_current()->vspace;
}

bool zero_user(u64 to, size_t n)
{
	return user_range_valid(to, n) && user_zero((void *)to, n);
}

bool copy_string_from_user(char *to, u64 from, size_t size)
{
	if (!size || !user_range_valid(from, 1))
		return false;
	return user_string(to, (const char *)from, MIN(size, USER_HIGH - from));
}

#define CONTEXT_ASSERT(field, offset) _Static_assert(offsetof(struct nt_context, field) == (offset), "arch/offsets.h")
CONTEXT_ASSERT(flags, CONTEXT_FLAGS);
CONTEXT_ASSERT(mxcsr, CONTEXT_MXCSR);
CONTEXT_ASSERT(cs, CONTEXT_CS);
CONTEXT_ASSERT(eflags, CONTEXT_EFLAGS);
CONTEXT_ASSERT(rax, CONTEXT_RAX);
CONTEXT_ASSERT(rip, CONTEXT_RAX + 0x80);
CONTEXT_ASSERT(fpu, CONTEXT_FPU);
_Static_assert((CONTEXT_CONTROL_ | CONTEXT_INTEGER_ | CONTEXT_SEGMENTS_ | CONTEXT_FLOATING_POINT_) == CONTEXT_PARTS,
	       "arch/offsets.h");

bool context_to_user(u64 to, const struct trap_frame *f)
{
	return user_range_valid(to, sizeof(struct nt_context)) && user_context_store((struct nt_context *)to, f);
}

bool fpu_load_user(u64 from)
{
	u8 area[512] __attribute__((aligned(16)));

	if (!user_range_valid(from, sizeof(area)))
		return false;
	if (user_fpu_load((const void *)from))
		return true;
	/* Perhaps it is not aligned, or has reserved bits. */
	if (!copy_from_user(area, from, sizeof(area)))
		return false;
	fpu_load(area);
	return true;
}
