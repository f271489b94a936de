/*
 * Virtual memory: the calls with extended parameters, for a NUMA node, for Store apps; write watch; and what tells the
 * pager that memory will or won't be needed.
 */
#include "kernel32.h"
#include <sysinfoapi.h>

#define EXECUTABLE (PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)

static BOOL parameter_refused(void)
{
	SetLastError(ERROR_INVALID_PARAMETER);
	return FALSE;
}

/* process NULL: the caller. Address requirements come with the parameters; then address is NULL. */
PVOID WINAPI VirtualAlloc2(HANDLE process, PVOID address, SIZE_T size, ULONG type, ULONG protect,
			   MEM_EXTENDED_PARAMETER *parameters, ULONG count)
{
	void *base = address;

	if (!address_allowed(address))
		return NULL;
	if (!process)
		process = BACKSTORE_CURRENT_PROCESS;
	return status_result(NtAllocateVirtualMemoryEx(process, &base, &size, type, protect, parameters, count)) ?
		       base : NULL;
}

/* Store apps get no executable memory; VirtualProtectFromApp makes it so, once it is written. */
PVOID WINAPI VirtualAlloc2FromApp(HANDLE process, PVOID address, SIZE_T size, ULONG type, ULONG protect,
				  MEM_EXTENDED_PARAMETER *parameters, ULONG count)
{
	if (protect & EXECUTABLE) {
		parameter_refused();
		return NULL;
	}
	return VirtualAlloc2(process, address, size, type, protect, parameters, count);
}

PVOID WINAPI VirtualAllocFromApp(PVOID address, SIZE_T size, ULONG type, ULONG protect)
{
	if (protect & EXECUTABLE) {
		parameter_refused();
		return NULL;
	}
	return VirtualAlloc(address, size, type, protect);
}

/* Never writable and executable at the same time. */
WINBOOL WINAPI VirtualProtectFromApp(PVOID address, SIZE_T size, ULONG protect, PULONG old)
{
	if (protect & (PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY))
		return parameter_refused();
	return VirtualProtect(address, size, protect, old);
}

/* ---- NUMA: all memory is in node 0 ---- */

BOOL node_exists(DWORD node)
{
	return !node || node == NUMA_NO_PREFERRED_NODE || parameter_refused();
}

LPVOID WINAPI VirtualAllocExNuma(HANDLE process, LPVOID address, SIZE_T size, DWORD type, DWORD protect, DWORD node)
{
	return node_exists(node) ? VirtualAllocEx(process, address, size, type, protect) : NULL;
}

WINBOOL WINAPI GetNumaHighestNodeNumber(PULONG highest)
{
	*highest = 0;
	return TRUE;
}

WINBOOL WINAPI GetNumaProcessorNode(UCHAR processor, PUCHAR node)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	*node = 0xFF;
	if (processor >= info.dwNumberOfProcessors)
		return parameter_refused();
	*node = 0;
	return TRUE;
}

WINBOOL WINAPI GetNumaNodeProcessorMask(UCHAR node, PULONGLONG mask)
{
	SYSTEM_INFO info;

	if (node)
		return parameter_refused();
	GetSystemInfo(&info);
	*mask = info.dwActiveProcessorMask;
	return TRUE;
}

WINBOOL WINAPI GetNumaAvailableMemoryNode(UCHAR node, PULONGLONG bytes)
{
	MEMORYSTATUSEX status = { .dwLength = sizeof(status) };

	if (node)
		return parameter_refused();
	if (!GlobalMemoryStatusEx(&status))
		return FALSE;
	*bytes = status.ullAvailPhys;
	return TRUE;
}

SIZE_T WINAPI GetLargePageMinimum(VOID)
{
	return 2 << 20;
}

/* ---- write watch ---- */

/* The pages of the range that were written to since they were watched or reset. 0, or ~0 with the last error set. */
UINT WINAPI GetWriteWatch(DWORD flags, PVOID base, SIZE_T size, PVOID *addresses, ULONG_PTR *count,
			  LPDWORD granularity)
{
	return status_result(NtGetWriteWatch(BACKSTORE_CURRENT_PROCESS, flags, base, size, addresses, count,
					     granularity)) ? 0 : ~0u;
}

UINT WINAPI ResetWriteWatch(LPVOID base, SIZE_T size)
{
	return status_result(NtResetWriteWatch(BACKSTORE_CURRENT_PROCESS, base, size)) ? 0 : ~0u;
}

/* ---- advice ---- */

/* Reads what is not in memory, in large requests; the pages are not put into the working set. flags: 0. */
WINBOOL WINAPI PrefetchVirtualMemory(HANDLE process, ULONG_PTR count, PWIN32_MEMORY_RANGE_ENTRY ranges, ULONG flags)
{
	return status_result(NtSetInformationVirtualMemory(process, 0 /* VmPrefetchInformation */, count, ranges, &flags,
							   sizeof(flags)));
}

/* The next three return an error code. Address and size are multiples of a page. */
static BOOL range_aligned(const void *address, SIZE_T size)
{
	return size && !((ULONG_PTR)address & (PAGE_BYTES - 1)) && !(size & (PAGE_BYTES - 1));
}

/*
 * The contents are not needed any more: MEM_RESET, which is only advice and takes any memory, while this is documented
 * to refuse all but PAGE_READWRITE.
 */
DWORD WINAPI DiscardVirtualMemory(PVOID address, SIZE_T size)
{
	ULONG_PTR at = (ULONG_PTR)address, end = at + size;
	MEMORY_BASIC_INFORMATION region;

	if (!range_aligned(address, size) || end < at)
		return ERROR_INVALID_PARAMETER;
	for (; at < end; at = (ULONG_PTR)region.BaseAddress + region.RegionSize) {
		if (!VirtualQuery((void *)at, &region, sizeof(region)))
			return RtlGetLastWin32Error();
		if (region.State != MEM_COMMIT || region.Protect != PAGE_READWRITE)
			return ERROR_INVALID_PARAMETER;
	}
	return RtlNtStatusToDosError(NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &address, 0, &size, MEM_RESET,
							     PAGE_READWRITE));
}

DWORD WINAPI OfferVirtualMemory(PVOID address, SIZE_T size, OFFER_PRIORITY priority)
{
	if (!range_aligned(address, size))
		return ERROR_INVALID_PARAMETER;
	return RtlNtStatusToDosError(BsOfferVirtualMemory(BACKSTORE_CURRENT_PROCESS, address, size, priority));
}

/* ERROR_BUSY: the memory can be used again, but contents were discarded. */
DWORD WINAPI ReclaimVirtualMemory(PVOID address, SIZE_T size)
{
	NTSTATUS status;

	if (!range_aligned(address, size))
		return ERROR_INVALID_PARAMETER;
	status = BsReclaimVirtualMemory(BACKSTORE_CURRENT_PROCESS, address, size);
	return status == STATUS_UNSUCCESSFUL ? ERROR_BUSY : RtlNtStatusToDosError(status);
}

/* The allocation that an address is in. */
WINBOOL WINAPI QueryVirtualMemoryInformation(HANDLE process, const VOID *address, WIN32_MEMORY_INFORMATION_CLASS class,
					     PVOID out, SIZE_T size, PSIZE_T returned)
{
	if (class != MemoryRegionInfo)
		return parameter_refused();
	return status_result(NtQueryVirtualMemory(process, address, 3 /* MemoryRegionInformation */, out, size, returned));
}
