/* System calls for Address Windowing Extensions. Source: Windows documentation of AllocateUserPhysicalPages and its kin. */
#include "mm/sys_mm.h"

u32 sys_NtAllocateUserPhysicalPages(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtFreeUserPhysicalPages(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtMapUserPhysicalPages(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}

u32 sys_NtMapUserPhysicalPagesScatter(const u64 *a)
{
	(void)a;
	return STATUS_NOT_IMPLEMENTED;
}
