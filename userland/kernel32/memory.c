/*
 * Virtual memory: allocating, freeing, protecting, asking, locking. Sizes in bytes; addresses are rounded to pages as
 * Windows does. The newer forms of these calls are in memory_ex.c.
 */
#include "kernel32.h"

BOOL address_allowed(const void *address)
{
	if (!address || (ULONG_PTR)address >= 0x10000)
		return TRUE;
	SetLastError(ERROR_INVALID_PARAMETER);
	return FALSE;
}

LPVOID WINAPI VirtualAllocEx(HANDLE process, LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	void *base = address;

	if (!address_allowed(address))
		return NULL;
	return status_result(NtAllocateVirtualMemory(process, &base, 0, &size, type, protect)) ? base : NULL;
}

LPVOID WINAPI VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	return VirtualAllocEx(BACKSTORE_CURRENT_PROCESS, address, size, type, protect);
}

/*
 * With MEM_RELEASE the size must be 0, as the whole allocation goes; only placeholders (MEM_PRESERVE_PLACEHOLDER,
 * MEM_COALESCE_PLACEHOLDERS) are released in parts.
 */
WINBOOL WINAPI VirtualFreeEx(HANDLE process, LPVOID address, SIZE_T size, DWORD type)
{
	const DWORD placeholders = MEM_PRESERVE_PLACEHOLDER | MEM_COALESCE_PLACEHOLDERS;

	if ((type & (MEM_RELEASE | placeholders)) == MEM_RELEASE && size) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	return status_result(NtFreeVirtualMemory(process, &address, &size, type));
}

WINBOOL WINAPI VirtualFree(LPVOID address, SIZE_T size, DWORD type)
{
	return VirtualFreeEx(BACKSTORE_CURRENT_PROCESS, address, size, type);
}

/* *old: the protection that the first page had. */
WINBOOL WINAPI VirtualProtectEx(HANDLE process, LPVOID address, SIZE_T size, DWORD protect, PDWORD old)
{
	if (!old) {
		SetLastError(ERROR_NOACCESS);
		return FALSE;
	}
	return status_result(NtProtectVirtualMemory(process, &address, &size, protect, old));
}

WINBOOL WINAPI VirtualProtect(LPVOID address, SIZE_T size, DWORD protect, PDWORD old)
{
	return VirtualProtectEx(BACKSTORE_CURRENT_PROCESS, address, size, protect, old);
}

/* Returns the bytes that were stored; 0 on failure. */
SIZE_T WINAPI VirtualQueryEx(HANDLE process, LPCVOID address, PMEMORY_BASIC_INFORMATION out, SIZE_T size)
{
	SIZE_T returned = 0;

	if (size < sizeof(*out)) {
		SetLastError(ERROR_BAD_LENGTH);
		return 0;
	}
	return status_result(NtQueryVirtualMemory(process, address, 0, out, size, &returned)) ? returned : 0;
}

SIZE_T WINAPI VirtualQuery(LPCVOID address, PMEMORY_BASIC_INFORMATION out, SIZE_T size)
{
	return VirtualQueryEx(BACKSTORE_CURRENT_PROCESS, address, out, size);
}

#define LOCK_IN_WORKING_SET 1 /* MAP_PROCESS */

/* All pages must be committed and accessible. ERROR_WORKING_SET_QUOTA: more than the minimum working set allows. */
WINBOOL WINAPI VirtualLock(LPVOID address, SIZE_T size)
{
	return status_result(NtLockVirtualMemory(BACKSTORE_CURRENT_PROCESS, &address, &size, LOCK_IN_WORKING_SET));
}

/*
 * ERROR_NOT_LOCKED: not all pages were locked; those that were not leave the working set, which programs use to trim
 * a range. process NULL: the caller.
 */
WINBOOL WINAPI VirtualUnlockEx(HANDLE process, LPVOID address, SIZE_T size)
{
	if (!process)
		process = BACKSTORE_CURRENT_PROCESS;
	return status_result(NtUnlockVirtualMemory(process, &address, &size, LOCK_IN_WORKING_SET));
}

WINBOOL WINAPI VirtualUnlock(LPVOID address, SIZE_T size)
{
	return VirtualUnlockEx(BACKSTORE_CURRENT_PROCESS, address, size);
}
