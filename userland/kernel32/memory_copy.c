/* Reading and writing another process's memory. */
#include "kernel32.h"

WINBOOL WINAPI ReadProcessMemory(HANDLE process, LPCVOID address, LPVOID buffer, SIZE_T size, SIZE_T *done)
{
	SIZE_T count = 0;
	NTSTATUS status = NtReadVirtualMemory(process, address, buffer, size, &count);

	if (done)
		*done = count;
	return status_result(status);
}

/*
 * Writes to pages of one protection. Code is made writable for as long as that takes: so debuggers set breakpoints and
 * need not know how the page is protected. Data that is read-only is not.
 */
static NTSTATUS region_write(HANDLE process, const MEMORY_BASIC_INFORMATION *region, void *address, const void *buffer,
			     SIZE_T size, SIZE_T *done)
{
	ULONG writable = region->Type == MEM_PRIVATE ? PAGE_EXECUTE_READWRITE : PAGE_EXECUTE_WRITECOPY;
	void *base = address;
	SIZE_T length = size;
	NTSTATUS status, restored;
	ULONG old;

	if (region->State == MEM_COMMIT) {
		switch (region->Protect & 0xFF) {
		case PAGE_EXECUTE:
		case PAGE_EXECUTE_READ:
			status = NtProtectVirtualMemory(process, &base, &length, writable, &old);
			if (!NT_SUCCESS(status))
				return status;
			status = NtWriteVirtualMemory(process, address, buffer, size, done);
			restored = NtProtectVirtualMemory(process, &base, &length, old, &old);
			return NT_SUCCESS(status) ? restored : status;
		case PAGE_NOACCESS:
		case PAGE_READONLY:
			return STATUS_ACCESS_VIOLATION;
		}
	}
	return NtWriteVirtualMemory(process, address, buffer, size, done); /* which says what is wrong with it */
}

WINBOOL WINAPI WriteProcessMemory(HANDLE process, LPVOID address, LPCVOID buffer, SIZE_T size, SIZE_T *done)
{
	NTSTATUS status = STATUS_SUCCESS;
	SIZE_T total = 0;

	while (NT_SUCCESS(status) && total < size) {
		BYTE *at = (BYTE *)address + total;
		MEMORY_BASIC_INFORMATION region;
		SIZE_T count = 0, part = size - total;

		status = NtQueryVirtualMemory(process, at, 0, &region, sizeof(region), NULL);
		if (status == STATUS_ACCESS_DENIED) { /* who may write need not be one who may ask */
			status = NtWriteVirtualMemory(process, at, (const BYTE *)buffer + total, part, &count);
			total += count;
			break;
		}
		if (!NT_SUCCESS(status))
			break;
		if (part > (SIZE_T)((BYTE *)region.BaseAddress + region.RegionSize - at))
			part = (SIZE_T)((BYTE *)region.BaseAddress + region.RegionSize - at);
		status = region_write(process, &region, at, (const BYTE *)buffer + total, part, &count);
		total += count;
	}
	if (done)
		*done = total;
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
