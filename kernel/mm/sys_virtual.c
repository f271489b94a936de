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

u32 range_call(const u64 *a, u32 (*work)(struct vspace *v, u64 *base, u64 *size))
{
	struct process *p;
	struct range r;
	u32 status;

	if (!get_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = work(p->vspace, &r.base, &r.size);
	process_vspace_release(p);
	if (NT_SUCCESS(status) && !put_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	return status;
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
	if (NT_SUCCESS(status)) {
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

/* ---- extended parameters ---- */

#define PARAMETERS_MAX 16

static bool requirements_valid(const struct nt_mem_address_requirements *r)
{
	if (r->alignment && (r->alignment < GRANULARITY || r->alignment & (r->alignment - 1)))
		return false;
	if (!IS_ALIGNED(r->lowest, GRANULARITY) || r->lowest >= USER_HIGH || r->highest >= USER_HIGH)
		return false;
	/* The highest address is inclusive, and the last one of a page. */
	return !r->highest || (IS_ALIGNED(r->highest + 1, PAGE_SIZE) && r->highest > r->lowest);
}

u32 limits_from_parameters(u64 at, u64 count, struct address_limits *where)
{
	struct nt_mem_address_requirements r;
	struct nt_mem_extended_parameter p;
	u64 seen = 0;

	*where = ANYWHERE;
	if (count > PARAMETERS_MAX || (count && !at))
		return STATUS_INVALID_PARAMETER;
	for (u64 i = 0; i < count; i++) {
		if (!copy_from_user(&p, at + i * sizeof(p), sizeof(p)))
			return STATUS_ACCESS_VIOLATION;
		if (!p.type || p.type > MEM_EXTENDED_IMAGE_MACHINE || seen & 1ull << p.type)
			return STATUS_INVALID_PARAMETER;
		seen |= 1ull << p.type;
		switch (p.type) {
		case MEM_EXTENDED_ADDRESS_REQUIREMENTS:
			if (!copy_from_user(&r, p.value, sizeof(r)))
				return STATUS_ACCESS_VIOLATION;
			if (!requirements_valid(&r))
				return STATUS_INVALID_PARAMETER;
			where->low = MAX(r.lowest, USER_LOW);
			where->high = r.highest ? r.highest + 1 : USER_HIGH;
			where->align = r.alignment ? r.alignment : GRANULARITY;
			break;
		case MEM_EXTENDED_NUMA_NODE: /* there is one */
			if (p.value && (u32)p.value != ~0u)
				return STATUS_INVALID_PARAMETER;
			break;
		case MEM_EXTENDED_ATTRIBUTE_FLAGS:
			if (p.value)
				return STATUS_NOT_SUPPORTED;
			break;
		default:
			return STATUS_NOT_SUPPORTED;
		}
	}
	return STATUS_SUCCESS;
}

bool limits_given(const struct address_limits *where)
{
	return where->low != USER_LOW || where->high != USER_HIGH || where->align != GRANULARITY;
}

/*
 * NtAllocateVirtualMemoryEx(HANDLE process, void **base, SIZE_T *size, ULONG type, ULONG protect,
 * MEM_EXTENDED_PARAMETER *parameters, ULONG count)
 */
u32 sys_NtAllocateVirtualMemoryEx(const u64 *a)
{
	struct address_limits where;
	struct process *p;
	struct range r;
	u32 status = limits_from_parameters(a[5], (u32)a[6], &where);

	if (status)
		return status;
	if (!get_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	if (r.base && limits_given(&where))
		return STATUS_INVALID_PARAMETER;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_allocate(p->vspace, &r.base, &r.size, &where, (u32)a[3], (u32)a[4], true);
	process_vspace_release(p);
	if (status == STATUS_SUCCESS && !put_range(a[1], a[2], &r))
		return STATUS_ACCESS_VIOLATION;
	return status;
}

/* ---- locked pages ---- */

static bool map_valid(u32 map)
{
	return map && !(map & ~(MAP_PROCESS | MAP_SYSTEM));
}

/*
 * NtLockVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG map): MAP_PROCESS keeps pages in the working set,
 * MAP_SYSTEM in memory: one is as good as the other here.
 */
u32 sys_NtLockVirtualMemory(const u64 *a)
{
	return map_valid((u32)a[3]) ? range_call(a, vspace_lock_pages) : STATUS_INVALID_PARAMETER;
}

/* NtUnlockVirtualMemory(HANDLE process, void **base, SIZE_T *size, ULONG map) */
u32 sys_NtUnlockVirtualMemory(const u64 *a)
{
	return map_valid((u32)a[3]) ? range_call(a, vspace_unlock_pages) : STATUS_INVALID_PARAMETER;
}

/* ---- write watch ---- */

/* Whether count quadwords can be stored at at: each page of them. */
static bool probe_array(u64 at, u64 count)
{
	if (!count || count > USER_HIGH / sizeof(u64))
		return false;
	for (u64 i = 0; i < count; i += PAGE_SIZE / sizeof(u64))
		if (!user_probe(at + i * sizeof(u64), sizeof(u64)))
			return false;
	return user_probe(at + (count - 1) * sizeof(u64), sizeof(u64));
}

/*
 * NtGetWriteWatch(HANDLE process, ULONG flags, void *base, SIZE_T size, void **addresses, ULONG_PTR *count, ULONG
 * *granularity)
 */
u32 sys_NtGetWriteWatch(const u64 *a)
{
	enum { PART = 256 };
	u64 room, found = 0, at = a[2], end = a[2] + a[3], *part;
	struct process *p;
	u32 status;

	if ((u32)a[1] & ~WRITE_WATCH_FLAG_RESET)
		return STATUS_INVALID_PARAMETER_2;
	if (!get_user_u64(a[5], &room) || !user_probe(a[5], sizeof(u64)) || !user_probe(a[6], sizeof(u32)))
		return STATUS_ACCESS_VIOLATION;
	if (!room)
		return STATUS_INVALID_PARAMETER_5;
	/* More than the range has is never stored. */
	if (!probe_array(a[4], MIN(room, a[3] / PAGE_SIZE + 2)))
		return STATUS_ACCESS_VIOLATION;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	part = kmalloc(PART * sizeof(*part));
	if (!part)
		status = STATUS_INSUFFICIENT_RESOURCES;
	while (!status) {
		u64 n = MIN((u64)PART, room - found), next = end;

		/* The first call says what is wrong with the range; behind it only the rest of it is asked for. */
		status = vspace_write_watch(p->vspace, at, end - at, (u32)a[1] & WRITE_WATCH_FLAG_RESET, part, &n, &next);
		if (!status && !copy_to_user(a[4] + found * sizeof(*part), part, n * sizeof(*part)))
			status = STATUS_ACCESS_VIOLATION;
		found += n;
		at = next;
		if (at >= end || found >= room)
			break;
	}
	kfree(part);
	process_vspace_release(p);
	if (!status && (!put_user_u64(a[5], found) || !put_user_u32(a[6], PAGE_SIZE)))
		status = STATUS_ACCESS_VIOLATION;
	return status;
}

/* NtResetWriteWatch(HANDLE process, void *base, SIZE_T size) */
u32 sys_NtResetWriteWatch(const u64 *a)
{
	struct process *p;
	u32 status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);

	if (status)
		return status;
	status = vspace_write_watch_reset(p->vspace, a[1], a[2]);
	process_vspace_release(p);
	return status;
}

/* ---- advice ---- */

/*
 * NtSetInformationVirtualMemory(HANDLE process, class, ULONG_PTR count, MEMORY_RANGE_ENTRY *ranges, void *information,
 * ULONG size): VmPrefetchInformation (0), whose information is a ULONG of flags that must be 0.
 */
u32 sys_NtSetInformationVirtualMemory(const u64 *a)
{
	struct nt_memory_range_entry r;
	struct process *p;
	u32 status, flags;

	if ((u32)a[1] != VM_PREFETCH_INFORMATION)
		return STATUS_INVALID_PARAMETER_2;
	if (!a[2])
		return STATUS_INVALID_PARAMETER_3;
	if ((u32)a[5] != sizeof(flags))
		return STATUS_INVALID_PARAMETER_6;
	if (!get_user_u32(a[4], &flags))
		return STATUS_ACCESS_VIOLATION;
	if (flags)
		return STATUS_INVALID_PARAMETER_5;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	/* All ranges are looked at before the first one is read. */
	for (u64 pass = 0; pass < 2 && !status; pass++)
		for (u64 i = 0; i < a[2] && !status; i++) {
			if (thread_ending())
				status = STATUS_PROCESS_IS_TERMINATING;
			else if (!copy_from_user(&r, a[3] + i * sizeof(r), sizeof(r)))
				status = STATUS_ACCESS_VIOLATION;
			else if (!r.bytes || r.address >= USER_HIGH || r.bytes > USER_HIGH - r.address)
				status = STATUS_INVALID_PARAMETER_4;
			else if (pass)
				vspace_prefetch(p->vspace, r.address, r.bytes);
		}
	process_vspace_release(p);
	return status;
}

/* BsOfferVirtualMemory(HANDLE process, void *address, uint64_t bytes, uint32_t priority) */
u32 sys_BsOfferVirtualMemory(const u64 *a)
{
	struct process *p;
	u32 status;

	if ((u32)a[3] < 1 || (u32)a[3] > 4)
		return STATUS_INVALID_PARAMETER_4;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = vspace_offer(p->vspace, a[1], a[2], (u32)a[3]);
	process_vspace_release(p);
	return status;
}

/* BsReclaimVirtualMemory(HANDLE process, void *address, uint64_t bytes) */
u32 sys_BsReclaimVirtualMemory(const u64 *a)
{
	struct process *p;
	u32 status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);

	if (status)
		return status;
	status = vspace_reclaim(p->vspace, a[1], a[2]);
	process_vspace_release(p);
	return status;
}
