/*
 * System calls for private memory: arguments in, statuses out; the work is done by the functions of mm.h. Source: Windows
 * documentation of these calls and of the functions of Win32 that they are behind.
 */
#include "mm/sys_mm.h"

#include "lib/string.h"
#include "mm/pool.h"
#include "mm/vspace.h"

bool limits_from_zero_bits(u64 zero_bits, struct address_limits *where)
{
	*where = ANYWHERE;
	if (!zero_bits)
		return true;
	if (zero_bits >= 1ull << 47 || (zero_bits > 21 && zero_bits <= 32))
		return false;
	/* A count of high bits of 32, or a mask: then all bits under its highest one may be set. */
	where->high = zero_bits <= 21 ? 1ull << (32 - zero_bits) : 1ull << (64 - __builtin_clzll(zero_bits));
	where->high = MIN(where->high, USER_HIGH);
	return true;
}

/* NtAllocateVirtualMemory(HANDLE process, void **base, ULONG_PTR zero_bits, SIZE_T *size, ULONG type, ULONG protect) */
u32 sys_NtAllocateVirtualMemory(const u64 *a)
{
	struct address_limits where;
	struct process *p;
	struct range r;
	u32 status;

	if (!limits_from_zero_bits(a[2], &where))
		return STATUS_INVALID_PARAMETER_3;
	if (!get_range(a[1], a[3], &r))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_allocate(p->vspace, &r.base, &r.size, &where, (u32)a[4], (u32)a[5], false);
	process_vspace_release(p);
	if (status == STATUS_SUCCESS && !put_range(a[1], a[3], &r))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtFreeVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG type) */
u32 sys_NtFreeVirtualMemory(const u64 *a)
{
	struct process *p;
	struct range r;
	u32 status;

	if (!get_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_free(p->vspace, &r.base, &r.size, (u32)a[3]);
	process_vspace_release(p);
	/* The variables may have been in what was freed: that is the caller's affair. */
	if (status == STATUS_SUCCESS)
		put_range(a[1], a[2], &r);
	return status;
}

/* NtProtectVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG protect, ULONG *old) */
u32 sys_NtProtectVirtualMemory(const u64 *a)
{
	struct process *p;
	struct range r;
	u32 status, old = 0;

	if (!get_range(a[1], a[2], &r) || !user_probe(a[4], 4))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_protect(p->vspace, &r.base, &r.size, (u32)a[3], &old);
	process_vspace_release(p);
	if (status == STATUS_SUCCESS) {
		put_range(a[1], a[2], &r);
		put_user_u32(a[4], old);
	}
	return status;
}

/* Between another process's memory and the caller's, in pieces through kernel memory. */
static u32 copy_memory(const u64 *a, bool write)
{
	u64 done = 0, n = a[3];
	struct process *p;
	char *piece;
	u32 status = process_vspace_acquire(a[0], write ? PROCESS_VM_WRITE | PROCESS_VM_OPERATION : PROCESS_VM_READ, &p);

	if (status)
		return status;
	piece = kmalloc(PAGE_SIZE);
	if (!piece)
		status = STATUS_INSUFFICIENT_RESOURCES;
	while (status == STATUS_SUCCESS && done < n) {
		size_t part = MIN(n - done, PAGE_SIZE), moved = 0;

		if (write && !copy_from_user(piece, a[2] + done, part)) {
			status = STATUS_ACCESS_VIOLATION;
			break;
		}
		status = write ? vspace_write(p->vspace, a[1] + done, piece, part, &moved)
			       : vspace_read(p->vspace, a[1] + done, piece, part, &moved);
		if (!write && moved && !copy_to_user(a[2] + done, piece, moved)) {
			status = STATUS_ACCESS_VIOLATION;
			break;
		}
		done += moved;
		if (status != STATUS_SUCCESS)
			status = STATUS_PARTIAL_COPY;
	}
	kfree(piece);
	process_vspace_release(p);
	if (a[4] && !put_user_u64(a[4], done))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtReadVirtualMemory(HANDLE process, const void *from, void *to, SIZE_T n, SIZE_T *done) */
u32 sys_NtReadVirtualMemory(const u64 *a)
{
	return copy_memory(a, false);
}

/* NtWriteVirtualMemory(HANDLE process, void *to, const void *from, SIZE_T n, SIZE_T *done) */
u32 sys_NtWriteVirtualMemory(const u64 *a)
{
	return copy_memory(a, true);
}


u32 sys_NtAllocateVirtualMemoryEx(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtLockVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtUnlockVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtGetWriteWatch(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtResetWriteWatch(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtSetInformationVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_BsOfferVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_BsReclaimVirtualMemory(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}
