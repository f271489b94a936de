/* System calls for Address Windowing Extensions. Source: Windows documentation of AllocateUserPhysicalPages and its kin. */
#include "mm/physical.h"
#include "mm/pool.h"
#include "mm/sys_mm.h"
#include "mm/vspace.h"

#define NUMBERS_MAX (KMALLOC_MAX / sizeof(u64 *) * NUMBERS_PART) /* pages of 16 GiB, all that the kernel knows to use */

static void numbers_free(struct numbers *n)
{
	for (u64 i = 0; n->parts && i < DIV_UP(n->count, NUMBERS_PART); i++)
		kfree(n->parts[i]);
	kfree(n->parts);
	n->parts = NULL;
}

static u32 numbers_make(u64 count, struct numbers *n)
{
	u64 parts = DIV_UP(count, NUMBERS_PART);

	n->count = count;
	n->parts = count <= NUMBERS_MAX ? kzalloc(parts * sizeof(u64 *)) : NULL;
	if (!n->parts)
		return STATUS_INSUFFICIENT_RESOURCES;
	for (u64 i = 0; i < parts; i++)
		if (!(n->parts[i] = kmalloc(NUMBERS_PART * sizeof(u64)))) {
			numbers_free(n);
			return STATUS_INSUFFICIENT_RESOURCES;
		}
	return STATUS_SUCCESS;
}

/* The array of count numbers at user address at. On failure there is nothing to free. */
static u32 numbers_get(u64 at, u64 count, struct numbers *n)
{
	u32 status = numbers_make(count, n);

	for (u64 i = 0; !status && i < count; i += NUMBERS_PART)
		if (!copy_from_user(number_at(n, i), at + i * sizeof(u64), MIN(count - i, (u64)NUMBERS_PART) * sizeof(u64))) {
			numbers_free(n);
			status = STATUS_ACCESS_VIOLATION;
		}
	return status;
}

static bool numbers_put(u64 at, const struct numbers *n, u64 count)
{
	for (u64 i = 0; i < count; i += NUMBERS_PART)
		if (!copy_to_user(at + i * sizeof(u64), number_at(n, i), MIN(count - i, (u64)NUMBERS_PART) * sizeof(u64)))
			return false;
	return true;
}

/* Fills n, which is for as many pages as may be had, and tells the caller. On failure it gives all of them back. */
static u32 pages_give(struct vspace *v, struct numbers *n, u64 count_at, u64 pfns_at)
{
	u64 freed;

	n->count = physical_allocate(v, n);
	if (!n->count)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (numbers_put(pfns_at, n, n->count) && put_user_u64(count_at, n->count))
		return STATUS_SUCCESS;
	physical_free(v, n, &freed);
	return STATUS_ACCESS_VIOLATION;
}

/* NtAllocateUserPhysicalPages(HANDLE process, ULONG_PTR *count, ULONG_PTR *pfns): *count becomes how many there were */
u32 sys_NtAllocateUserPhysicalPages(const u64 *a)
{
	struct process *p;
	struct numbers n;
	u64 count, parts;
	u32 status;

	if (!get_user_u64(a[1], &count) || !user_probe(a[1], sizeof(count)))
		return STATUS_ACCESS_VIOLATION;
	if (!count)
		return STATUS_SUCCESS;
	if (count > USER_HIGH / sizeof(u64))
		return STATUS_INVALID_PARAMETER_2;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (status)
		return status;
	status = numbers_make(MIN(MIN(count, frame_counts.total), NUMBERS_MAX), &n);
	if (!status) {
		parts = n.count;
		status = pages_give(p->vspace, &n, a[1], a[2]);
		n.count = parts;
		numbers_free(&n);
	}
	process_vspace_release(p);
	return status;
}

/* NtFreeUserPhysicalPages(HANDLE process, ULONG_PTR *count, ULONG_PTR *pfns): *count becomes how many were freed */
u32 sys_NtFreeUserPhysicalPages(const u64 *a)
{
	u64 count, freed = 0;
	struct process *p;
	struct numbers n;
	u32 status;

	if (!get_user_u64(a[1], &count) || !user_probe(a[1], sizeof(count)))
		return STATUS_ACCESS_VIOLATION;
	if (!count)
		return STATUS_SUCCESS;
	if (count > NUMBERS_MAX)
		return STATUS_INVALID_PARAMETER_2;
	status = numbers_get(a[2], count, &n);
	if (status)
		return status;
	status = process_vspace_acquire(a[0], PROCESS_VM_OPERATION, &p);
	if (!status) {
		status = physical_free(p->vspace, &n, &freed);
		process_vspace_release(p);
		put_user_u64(a[1], freed); /* it may have been in a window, and gone with its page */
	}
	numbers_free(&n);
	return status;
}

/* Of the caller's own address space; vas and pfns: user addresses, or 0. */
static u32 pages_map(u64 base, u64 vas_at, u64 count, u64 pfns_at)
{
	struct physical_mapping m = { .count = count, .base = ALIGN_DOWN(base, PAGE_SIZE) };
	struct numbers vas = { 0 }, pfns = { 0 };
	u32 status = STATUS_SUCCESS;

	if (!count)
		return STATUS_SUCCESS;
	if (count > USER_HIGH >> PAGE_SHIFT || ((vas_at || pfns_at) && count > NUMBERS_MAX))
		return STATUS_INVALID_PARAMETER_2;
	if (m.base >= USER_HIGH)
		return STATUS_INVALID_PARAMETER_1;
	if (vas_at) {
		status = numbers_get(vas_at, count, &vas);
		m.vas = &vas;
	}
	if (!status && pfns_at) {
		status = numbers_get(pfns_at, count, &pfns);
		m.pfns = &pfns;
	}
	if (!status)
		status = physical_map(process_current()->vspace, &m);
	numbers_free(&vas);
	numbers_free(&pfns);
	return status;
}

/* NtMapUserPhysicalPages(void *address, ULONG_PTR count, ULONG_PTR *pfns): no pfns: unmap */
u32 sys_NtMapUserPhysicalPages(const u64 *a)
{
	return pages_map(a[0], 0, a[1], a[2]);
}

/* NtMapUserPhysicalPagesScatter(void **addresses, ULONG_PTR count, ULONG_PTR *pfns): a pfn of 0, or no pfns: unmap */
u32 sys_NtMapUserPhysicalPagesScatter(const u64 *a)
{
	if (!a[0] && a[1])
		return STATUS_ACCESS_VIOLATION;
	return pages_map(0, a[0], a[1], a[2]);
}
