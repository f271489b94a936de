/* Virtual memory. Sizes in bytes; addresses are rounded to pages as Windows does. */
#include "kernel32.h"

LPVOID WINAPI VirtualAllocEx(HANDLE process, LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	void *base = address;

	/* VirtualAlloc does not allow the lowest 64 KiB, where NULL pointers lead. */
	if (address && (ULONG_PTR)address < 0x10000) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	return status_result(NtAllocateVirtualMemory(process, &base, 0, &size, type, protect)) ? base : NULL;
}

LPVOID WINAPI VirtualAlloc(LPVOID address, SIZE_T size, DWORD type, DWORD protect)
{
	return VirtualAllocEx(BACKSTORE_CURRENT_PROCESS, address, size, type, protect);
}

/* With MEM_RELEASE the size must be 0. */
WINBOOL WINAPI VirtualFreeEx(HANDLE process, LPVOID address, SIZE_T size, DWORD type)
{
	if ((type & MEM_RELEASE) && size) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	return status_result(NtFreeVirtualMemory(process, &address, &size, type));
}

WINBOOL WINAPI VirtualFree(LPVOID address, SIZE_T size, DWORD type)
{
	return VirtualFreeEx(BACKSTORE_CURRENT_PROCESS, address, size, type);
}

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

WINBOOL WINAPI ReadProcessMemory(HANDLE process, LPCVOID address, LPVOID buffer, SIZE_T size, SIZE_T *done)
{
	SIZE_T count = 0;
	NTSTATUS status = NtReadVirtualMemory(process, address, buffer, size, &count);

	if (done)
		*done = count;
	return status_result(status);
}

WINBOOL WINAPI WriteProcessMemory(HANDLE process, LPVOID address, LPCVOID buffer, SIZE_T size, SIZE_T *done)
{
	SIZE_T count = 0;
	NTSTATUS status = NtWriteVirtualMemory(process, address, buffer, size, &count);

	if (done)
		*done = count;
	return status_result(status);
}

/* The processor keeps its instructions coherent by itself. */
WINBOOL WINAPI FlushInstructionCache(HANDLE process, LPCVOID address, SIZE_T size)
{
	(void)process;
	(void)address;
	(void)size;
	return TRUE;
}
