/* Facts about the machine, the system and its memory. */
#include "kernel32.h"
#include <psapi.h>
#include <cpuid.h>

#define PAGE_BYTES 4096ull

/* SYSTEM_BASIC_INFORMATION; mingw-w64's winternl.h has most of it as reserved. */
struct system_basic_information {
	ULONG reserved, timer_resolution, page_size, physical_pages, lowest_page, highest_page, allocation_granularity;
	ULONG_PTR minimum_address, maximum_address, active_processors;
	BYTE processors;
};

VOID WINAPI GetSystemInfo(LPSYSTEM_INFO out)
{
	struct system_basic_information basic = { 0 };
	unsigned int eax, ebx, ecx, edx;

	NtQuerySystemInformation(SystemBasicInformation, &basic, sizeof(basic), NULL);
	memset(out, 0, sizeof(*out));
	out->wProcessorArchitecture = PROCESSOR_ARCHITECTURE_AMD64;
	out->dwPageSize = basic.page_size;
	out->lpMinimumApplicationAddress = (void *)basic.minimum_address;
	out->lpMaximumApplicationAddress = (void *)basic.maximum_address;
	out->dwActiveProcessorMask = basic.active_processors;
	out->dwNumberOfProcessors = basic.processors;
	out->dwProcessorType = PROCESSOR_AMD_X8664;
	out->dwAllocationGranularity = basic.allocation_granularity;
	__cpuid(1, eax, ebx, ecx, edx);
	out->wProcessorLevel = (WORD)((eax >> 8 & 15) + ((eax >> 8 & 15) == 15 ? eax >> 20 & 255 : 0));
	out->wProcessorRevision = (WORD)(((eax >> 4 & 15) | (eax >> 12 & 0xF0)) << 8 | (eax & 15));
}

VOID WINAPI GetNativeSystemInfo(LPSYSTEM_INFO out)
{
	GetSystemInfo(out);
}

WINBOOL WINAPI IsProcessorFeaturePresent(DWORD feature)
{
	unsigned int eax, ebx, ecx, edx;

	switch (feature) { /* what every x86-64 processor has */
	case PF_COMPARE_EXCHANGE_DOUBLE:
	case PF_MMX_INSTRUCTIONS_AVAILABLE:
	case PF_XMMI_INSTRUCTIONS_AVAILABLE:
	case PF_RDTSC_INSTRUCTION_AVAILABLE:
	case PF_PAE_ENABLED:
	case PF_XMMI64_INSTRUCTIONS_AVAILABLE:
	case PF_NX_ENABLED:
	case PF_FASTFAIL_AVAILABLE:
		return TRUE;
	}
	__cpuid(1, eax, ebx, ecx, edx);
	switch (feature) {
	case PF_SSE3_INSTRUCTIONS_AVAILABLE:
		return (ecx & bit_SSE3) != 0;
	case PF_COMPARE_EXCHANGE128:
		return (ecx & bit_CMPXCHG16B) != 0;
	}
	return FALSE;
}

DWORD WINAPI GetVersion(VOID)
{
	struct peb *peb = peb_current();

	return peb->os_major | peb->os_minor << 8 | (DWORD)peb->os_build << 16;
}

/* The numbers, which lie at the same place in the A and W forms. */
static void version_numbers(DWORD *out)
{
	struct peb *peb = peb_current();

	out[0] = peb->os_major;
	out[1] = peb->os_minor;
	out[2] = peb->os_build;
	out[3] = VER_PLATFORM_WIN32_NT;
}

WINBOOL WINAPI GetVersionExW(LPOSVERSIONINFOW out)
{
	DWORD size = out->dwOSVersionInfoSize;

	if (size != sizeof(OSVERSIONINFOW) && size != sizeof(OSVERSIONINFOEXW)) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	memset(&out->dwMajorVersion, 0, size - sizeof(DWORD));
	version_numbers(&out->dwMajorVersion);
	if (size == sizeof(OSVERSIONINFOEXW))
		((OSVERSIONINFOEXW *)out)->wProductType = VER_NT_WORKSTATION;
	return TRUE;
}

WINBOOL WINAPI GetVersionExA(LPOSVERSIONINFOA out)
{
	DWORD size = out->dwOSVersionInfoSize;

	if (size != sizeof(OSVERSIONINFOA) && size != sizeof(OSVERSIONINFOEXA)) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	memset(&out->dwMajorVersion, 0, size - sizeof(DWORD));
	version_numbers(&out->dwMajorVersion);
	if (size == sizeof(OSVERSIONINFOEXA))
		((OSVERSIONINFOEXA *)out)->wProductType = VER_NT_WORKSTATION;
	return TRUE;
}

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

/* VM_COUNTERS_EX: mingw-w64's has no private usage. */
struct vm_counters {
	SIZE_T peak_virtual, virtual;
	ULONG faults;
	SIZE_T peak_working_set, working_set, peak_paged_pool, paged_pool, peak_nonpaged_pool, nonpaged_pool, pagefile,
		peak_pagefile;
};

/* PROCESS_MEMORY_COUNTERS, or the _EX form by its size. */
WINBOOL WINAPI K32GetProcessMemoryInfo(HANDLE process, PPROCESS_MEMORY_COUNTERS out, DWORD size)
{
	struct vm_counters counters;

	if (size < sizeof(*out)) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	if (!status_result(NtQueryInformationProcess(process, 3 /* ProcessVmCounters */, &counters, sizeof(counters),
						     NULL)))
		return FALSE;
	out->cb = size;
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
		((PROCESS_MEMORY_COUNTERS_EX *)out)->PrivateUsage = counters.pagefile;
	return TRUE;
}

WINBOOL WINAPI K32EmptyWorkingSet(HANDLE process)
{
	return SetProcessWorkingSetSize(process, (SIZE_T)-1, (SIZE_T)-1);
}

/*
 * The file that is mapped at an address, with the name that the kernel has for it; units copied, cut at the buffer's
 * end.
 */
DWORD WINAPI K32GetMappedFileNameW(HANDLE process, LPVOID address, LPWSTR out, DWORD units)
{
	SIZE_T size = sizeof(UNICODE_STRING) + PATH_UNITS_MAX * sizeof(WCHAR);
	UNICODE_STRING *name = memory_get(size);
	DWORD length = 0;

	if (!name)
		return 0;
	if (status_result(NtQueryVirtualMemory(process, address, 2 /* MemoryMappedFilenameInformation */, name, size,
					       NULL)) && units) {
		length = name->Length / sizeof(WCHAR);
		if (length >= units) {
			length = units - 1;
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
		}
		memcpy(out, name->Buffer, length * sizeof(WCHAR));
		out[length] = 0;
	}
	memory_free(name);
	return length;
}

DWORD WINAPI K32GetMappedFileNameA(HANDLE process, LPVOID address, LPSTR out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? K32GetMappedFileNameW(process, address, wide, PATH_UNITS_MAX) : 0;
	ULONG bytes = 0;

	if (length && size) {
		if (RtlUnicodeToUTF8N(out, size - 1, &bytes, wide, length * sizeof(WCHAR)) == STATUS_BUFFER_TOO_SMALL)
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
		out[bytes] = 0;
	}
	memory_free(wide);
	return bytes;
}

/* The numbers of all processes, as many as fit; *needed: bytes written. */
WINBOOL WINAPI K32EnumProcesses(DWORD *ids, DWORD size, DWORD *needed)
{
	struct bs_process process;
	DWORD count = 0;

	for (uint64_t index = 0; NT_SUCCESS(BsQueryProcess(index, &process)); index++)
		if (!process.exited && count < size / sizeof(DWORD))
			ids[count++] = process.id;
	*needed = count * sizeof(DWORD);
	return TRUE;
}
