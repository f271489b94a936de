/*
 * Working sets: their limits, emptying them, which pages are in one; and a process's counters. Sizes in bytes. The names
 * with K32 are those of today, the ones without (kernel32.def) those of the time when psapi.dll had them.
 */
#include "kernel32.h"
#include <psapi.h>

#define QUOTA_LIMITS_CLASS ((PROCESSINFOCLASS)1) /* ProcessQuotaLimits */
#define VM_COUNTERS_CLASS ((PROCESSINFOCLASS)3)  /* ProcessVmCounters */
#define WORKING_SET_CLASS 1                      /* MemoryWorkingSetInformation */
#define WORKING_SET_EX_CLASS 4                   /* MemoryWorkingSetExInformation */

/* QUOTA_LIMITS_EX begins as QUOTA_LIMITS does; the kernel takes both, by their sizes. */
static BOOL limits_set(HANDLE process, SIZE_T minimum, SIZE_T maximum, DWORD flags, ULONG size)
{
	QUOTA_LIMITS_EX limits = { .MinimumWorkingSetSize = minimum, .MaximumWorkingSetSize = maximum, .Flags = flags };

	if (!minimum || !maximum) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	return status_result(NtSetInformationProcess(process, QUOTA_LIMITS_CLASS, &limits, size));
}

static BOOL limits_get(HANDLE process, SIZE_T *minimum, SIZE_T *maximum, DWORD *flags, ULONG size)
{
	QUOTA_LIMITS_EX limits = { .Flags = 0 };

	if (!status_result(NtQueryInformationProcess(process, QUOTA_LIMITS_CLASS, &limits, size, NULL)))
		return FALSE;
	*minimum = limits.MinimumWorkingSetSize;
	*maximum = limits.MaximumWorkingSetSize;
	*flags = limits.Flags;
	return TRUE;
}

/*
 * Both sizes (SIZE_T)-1: the working set is emptied. flags: QUOTA_LIMITS_HARDWS_*, which make a limit strict or not; 0
 * leaves that as it is.
 */
WINBOOL WINAPI SetProcessWorkingSetSizeEx(HANDLE process, SIZE_T minimum, SIZE_T maximum, DWORD flags)
{
	return limits_set(process, minimum, maximum, flags, sizeof(QUOTA_LIMITS_EX));
}

WINBOOL WINAPI SetProcessWorkingSetSize(HANDLE process, SIZE_T minimum, SIZE_T maximum)
{
	return limits_set(process, minimum, maximum, 0, sizeof(QUOTA_LIMITS));
}

WINBOOL WINAPI GetProcessWorkingSetSizeEx(HANDLE process, PSIZE_T minimum, PSIZE_T maximum, PDWORD flags)
{
	return limits_get(process, minimum, maximum, flags, sizeof(QUOTA_LIMITS_EX));
}

WINBOOL WINAPI GetProcessWorkingSetSize(HANDLE process, PSIZE_T minimum, PSIZE_T maximum)
{
	DWORD flags;

	return limits_get(process, minimum, maximum, &flags, sizeof(QUOTA_LIMITS));
}

WINBOOL WINAPI K32EmptyWorkingSet(HANDLE process)
{
	return SetProcessWorkingSetSize(process, (SIZE_T)-1, (SIZE_T)-1);
}

/* PSAPI_WORKING_SET_INFORMATION. ERROR_BAD_LENGTH: not all fit, and only the number of entries was stored. */
WINBOOL WINAPI K32QueryWorkingSet(HANDLE process, PVOID out, DWORD size)
{
	return status_result(NtQueryVirtualMemory(process, NULL, WORKING_SET_CLASS, out, size, NULL));
}

/* For each PSAPI_WORKING_SET_EX_INFORMATION the caller sets the address. */
WINBOOL WINAPI K32QueryWorkingSetEx(HANDLE process, PVOID out, DWORD size)
{
	return status_result(NtQueryVirtualMemory(process, NULL, WORKING_SET_EX_CLASS, out, size, NULL));
}

/* VM_COUNTERS_EX: mingw-w64's has no private usage. */
struct vm_counters {
	SIZE_T peak_virtual, virtual;
	ULONG faults;
	SIZE_T peak_working_set, working_set, peak_paged_pool, paged_pool, peak_nonpaged_pool, nonpaged_pool, pagefile,
		peak_pagefile, private_usage;
};

/* PROCESS_MEMORY_COUNTERS, or the _EX form by its size. */
WINBOOL WINAPI K32GetProcessMemoryInfo(HANDLE process, PPROCESS_MEMORY_COUNTERS out, DWORD size)
{
	struct vm_counters counters;

	if (size < sizeof(*out)) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	if (!status_result(NtQueryInformationProcess(process, VM_COUNTERS_CLASS, &counters, sizeof(counters), NULL)))
		return FALSE;
	out->cb = size < sizeof(PROCESS_MEMORY_COUNTERS_EX) ? sizeof(*out) : sizeof(PROCESS_MEMORY_COUNTERS_EX);
	out->PageFaultCount = counters.faults;
	out->PeakWorkingSetSize = counters.peak_working_set;
	out->WorkingSetSize = counters.working_set;
	out->QuotaPeakPagedPoolUsage = counters.peak_paged_pool;
	out->QuotaPagedPoolUsage = counters.paged_pool;
	out->QuotaPeakNonPagedPoolUsage = counters.peak_nonpaged_pool;
	out->QuotaNonPagedPoolUsage = counters.nonpaged_pool;
	out->PagefileUsage = counters.pagefile;
	out->PeakPagefileUsage = counters.peak_pagefile;
	if (size >= sizeof(PROCESS_MEMORY_COUNTERS_EX))
		((PROCESS_MEMORY_COUNTERS_EX *)out)->PrivateUsage = counters.private_usage;
	return TRUE;
}
