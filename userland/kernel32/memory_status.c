/* How much memory the system has, and what it is used for. */
#include "kernel32.h"
#include <psapi.h>

/* Bytes of this process's address space that nothing is reserved in. */
static ULONG64 address_space_free(const struct system_basic_information *basic)
{
	MEMORY_BASIC_INFORMATION region;
	ULONG64 free = 0;

	for (ULONG_PTR at = basic->minimum_address; at < basic->maximum_address;) {
		if (!VirtualQuery((void *)at, &region, sizeof(region)) || !region.RegionSize)
			break;
		if (region.State == MEM_FREE)
			free += region.RegionSize - (at - (ULONG_PTR)region.BaseAddress);
		at = (ULONG_PTR)region.BaseAddress + region.RegionSize;
	}
	return free;
}

WINBOOL WINAPI GlobalMemoryStatusEx(LPMEMORYSTATUSEX out)
{
	struct system_basic_information basic;
	struct bs_memory memory;
	ULONG64 available;

	if (out->dwLength != sizeof(*out)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!status_result(BsQueryMemory(&memory)) ||
	    !status_result(NtQuerySystemInformation(SystemBasicInformation, &basic, sizeof(basic), NULL)))
		return FALSE;
	available = memory.frames_free + memory.frames_zeroed + memory.frames_standby;
	out->ullTotalPhys = memory.frames_total * PAGE_BYTES;
	out->ullAvailPhys = available * PAGE_BYTES;
	out->dwMemoryLoad = memory.frames_total ? (DWORD)(100 - available * 100 / memory.frames_total) : 0;
	/* Windows calls them page file sizes, but they are the commit limit and what is left of it. */
	out->ullTotalPageFile = memory.commit_limit * PAGE_BYTES;
	out->ullAvailPageFile = memory.commit_limit > memory.commit_charge ?
					(memory.commit_limit - memory.commit_charge) * PAGE_BYTES : 0;
	out->ullTotalVirtual = basic.maximum_address + 1 - basic.minimum_address;
	out->ullAvailVirtual = address_space_free(&basic);
	out->ullAvailExtendedVirtual = 0;
	return TRUE;
}

/* MEMORYSTATUS, the form of old: bytes as SIZE_T. */
VOID WINAPI GlobalMemoryStatus(LPMEMORYSTATUS out)
{
	MEMORYSTATUSEX status = { .dwLength = sizeof(status) };

	memset(out, 0, sizeof(*out));
	out->dwLength = sizeof(*out);
	if (!GlobalMemoryStatusEx(&status))
		return;
	out->dwMemoryLoad = status.dwMemoryLoad;
	out->dwTotalPhys = status.ullTotalPhys;
	out->dwAvailPhys = status.ullAvailPhys;
	out->dwTotalPageFile = status.ullTotalPageFile;
	out->dwAvailPageFile = status.ullAvailPageFile;
	out->dwTotalVirtual = status.ullTotalVirtual;
	out->dwAvailVirtual = status.ullAvailVirtual;
}

/* In KiB. Windows reads it from the firmware's tables; this is what the pager has, as they are not kept. */
WINBOOL WINAPI GetPhysicallyInstalledSystemMemory(PULONGLONG kib)
{
	struct bs_memory memory;

	if (!kib) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (!status_result(BsQueryMemory(&memory)))
		return FALSE;
	*kib = memory.frames_total * PAGE_BYTES / 1024;
	return TRUE;
}

WINBOOL WINAPI K32GetPerformanceInfo(PPERFORMANCE_INFORMATION out, DWORD size)
{
	struct bs_memory memory;

	if (size < sizeof(*out)) {
		SetLastError(ERROR_BAD_LENGTH);
		return FALSE;
	}
	if (!status_result(BsQueryMemory(&memory)))
		return FALSE;
	memset(out, 0, sizeof(*out));
	out->cb = sizeof(*out);
	out->CommitTotal = memory.commit_charge;
	out->CommitLimit = memory.commit_limit;
	out->CommitPeak = memory.commit_peak;
	out->PhysicalTotal = memory.frames_total;
	out->PhysicalAvailable = memory.frames_free + memory.frames_zeroed + memory.frames_standby;
	out->SystemCache = memory.frames_standby + memory.frames_modified;
	out->KernelTotal = memory.frames_kernel;
	out->KernelPaged = 0;
	out->KernelNonpaged = memory.pool_pages;
	out->PageSize = PAGE_BYTES;
	out->HandleCount = (DWORD)memory.handles;
	out->ProcessCount = (DWORD)memory.processes;
	out->ThreadCount = (DWORD)memory.threads;
	return TRUE;
}
