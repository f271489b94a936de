/*
 * Address Windowing Extensions: physical pages that a program owns by their frame numbers, never paged, and maps into a
 * window reserved with MEM_RESERVE | MEM_PHYSICAL. Counts in pages. Source: Windows documentation, "Address Windowing
 * Extensions".
 */
#include "kernel32.h"

/* *count: pages wanted, out how many there were. The privilege that Windows asks for is always held (privilege.c). */
WINBOOL WINAPI AllocateUserPhysicalPages(HANDLE process, PULONG_PTR count, PULONG_PTR frames)
{
	return status_result(NtAllocateUserPhysicalPages(process, count, frames));
}

WINBOOL WINAPI AllocateUserPhysicalPagesNuma(HANDLE process, PULONG_PTR count, PULONG_PTR frames, DWORD node)
{
	return node_exists(node) && AllocateUserPhysicalPages(process, count, frames);
}

/* *count: out how many were freed. What is mapped is unmapped before. */
WINBOOL WINAPI FreeUserPhysicalPages(HANDLE process, PULONG_PTR count, PULONG_PTR frames)
{
	return status_result(NtFreeUserPhysicalPages(process, count, frames));
}

/* frames NULL: the range is unmapped. */
WINBOOL WINAPI MapUserPhysicalPages(PVOID address, ULONG_PTR count, PULONG_PTR frames)
{
	return status_result(NtMapUserPhysicalPages(address, count, frames));
}

/* Each page to an address of its own. */
WINBOOL WINAPI MapUserPhysicalPagesScatter(PVOID *addresses, ULONG_PTR count, PULONG_PTR frames)
{
	return status_result(NtMapUserPhysicalPagesScatter(addresses, count, frames));
}
