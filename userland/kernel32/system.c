/* Facts about the machine and the system. */
#include "kernel32.h"
#include <cpuid.h>

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
