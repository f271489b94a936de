/* User memory, as the rest of the kernel sees it: checked ranges around user_copy.S. */
#include "arch/internal.h"
#include "proc/sched.h"

/* A thread without an address space must not touch whatever one its CPU happens to have loaded. */
static bool user_range_valid(u64 at, size_t n)
{
	return at <= USER_HIGH && n <= USER_HIGH - at && thread_current()->vspace;
}

bool copy_from_user(void *to, u64 from, size_t n)
{
	return user_range_valid(from, n) && user_copy(to, (const void *)from, n);
}

bool copy_to_user(u64 to, const void *from, size_t n)
{
	return user_range_valid(to, n) && user_copy((void *)to, from, n);
}

bool get_user_u64(u64 from, u64 *value)
{
	return user_range_valid(from, sizeof(*value)) && user_load(value, (const u64 *)from);
}

bool get_user_two_writable(u64 from1, u64 *value1, u64 from2, u64 *value2)
{
	return user_range_valid(MAX(from1, from2), sizeof(u64)) &&
	       user_load_two_writable(value1, (u64 *)from1, value2, (u64 *)from2);
}

bool put_user_u64(u64 to, u64 value)
{
	return user_range_valid(to, sizeof(value)) && user_store((u64 *)to, value);
}

bool put_user_u32(u64 to, u32 value)
{
	return user_range_valid(to, sizeof(value)) && user_store_u32((u32 *)to, value);
}

bool user_probe(u64 at, size_t n)
{
	assert(n && n <= PAGE_SIZE);
	return user_range_valid(at, n) && user_touch((u8 *)at, (u8 *)at + n - 1);
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
