/* What the system calls for memory share. Inside kernel/mm only. */
#ifndef MM_SYS_MM_H
#define MM_SYS_MM_H

#include "mm/mm.h"
#include "proc/process.h"
#include "proc/syscall.h"

/* A pointer and a size in user memory, as many calls take and give them; and as they were given. */
struct range {
	u64 base, size, base_given, size_given;
};

static inline bool get_range(u64 base_at, u64 size_at, struct range *r)
{
	if (!get_user_two_writable(base_at, &r->base_given, size_at, &r->size_given))
		return false;
	r->base = r->base_given;
	r->size = r->size_given;
	return true;
}

/* What has not changed need not be stored. */
static inline bool put_range(u64 base_at, u64 size_at, const struct range *r)
{
	return (r->base == r->base_given || put_user_u64(base_at, r->base)) &&
	       (r->size == r->size_given || put_user_u64(size_at, r->size));
}

/*
 * The whole of a call whose arguments begin with a process's handle, and the addresses of base and size in user memory;
 * work rounds these. They are stored if it succeeds.
 */
u32 range_call(const u64 *a, u32 (*work)(struct vspace *v, u64 *base, u64 *size));
/* Where zero_bits allows an address: a count of high bits of 32, or a mask; 0 = anywhere. False: no such value. */
bool limits_from_zero_bits(u64 zero_bits, struct address_limits *where);
/*
 * MEM_EXTENDED_PARAMETERs at user address at; on success *where is complete. Source: Windows documentation of
 * MEM_EXTENDED_PARAMETER and MEM_ADDRESS_REQUIREMENTS. STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_ACCESS_VIOLATION.
 */
u32 limits_from_parameters(u64 at, u64 count, struct address_limits *where);
/* Did the caller say where? Then it may not name an address as well. */
bool limits_given(const struct address_limits *where);

#endif
