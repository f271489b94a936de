/*
 * Memory calls that mingw-w64's import libraries lack, looked up by name as Windows programs do: those of kernelbase.dll
 * under their own name with an underscore for each capital letter, native ones likewise.
 */
#ifndef CALLS_H
#define CALLS_H

#include "guest.h"

/* X(DLL, name, result, variable, arguments) */
#define CALLS(X)                                                                                                       \
	X("kernelbase.dll", "VirtualAlloc2", void *, virtual_alloc2,                                                   \
	  (HANDLE process, void *base, SIZE_T size, ULONG type, ULONG protect, MEM_EXTENDED_PARAMETER *parameters,     \
	   ULONG count))                                                                                               \
	X("kernelbase.dll", "MapViewOfFile3", void *, map_view_of_file3,                                               \
	  (HANDLE section, HANDLE process, void *base, ULONG64 offset, SIZE_T size, ULONG type, ULONG protect,         \
	   MEM_EXTENDED_PARAMETER *parameters, ULONG count))                                                           \
	X("kernelbase.dll", "UnmapViewOfFile2", BOOL, unmap_view_of_file2, (HANDLE process, void *base, ULONG flags))  \
	X("ntdll.dll", "NtAllocateVirtualMemoryEx", NTSTATUS, nt_allocate_ex,                                          \
	  (HANDLE process, void **base, SIZE_T *size, ULONG type, ULONG protect, MEM_EXTENDED_PARAMETER *parameters,   \
	   ULONG count))                                                                                               \
	X("ntdll.dll", "NtLockVirtualMemory", NTSTATUS, nt_lock,                                                       \
	  (HANDLE process, void **base, SIZE_T *size, ULONG type))                                                     \
	X("ntdll.dll", "NtUnlockVirtualMemory", NTSTATUS, nt_unlock,                                                   \
	  (HANDLE process, void **base, SIZE_T *size, ULONG type))                                                     \
	X("ntdll.dll", "NtGetWriteWatch", NTSTATUS, nt_get_write_watch,                                                \
	  (HANDLE process, ULONG flags, void *base, SIZE_T size, void **addresses, ULONG_PTR *count,                   \
	   ULONG *granularity))                                                                                        \
	X("ntdll.dll", "NtResetWriteWatch", NTSTATUS, nt_reset_write_watch, (HANDLE process, void *base, SIZE_T size))

#define CALL_VARIABLE(dll, name, result, variable, arguments) static result(WINAPI *variable) arguments;
CALLS(CALL_VARIABLE)
#undef CALL_VARIABLE

/* Looks all up. A program that has called this may use them if it is true; else what is missing is a failed test. */
static inline bool calls_init(void)
{
	bool all = true;
#define CALL_FIND(dll, name, result, variable, arguments)                                                              \
	variable = (result(WINAPI *) arguments)(void (*)(void))GetProcAddress(LoadLibraryA(dll), name);                \
	if (!variable)                                                                                                 \
		all = ok(false, "%s has %s", dll, name);
	CALLS(CALL_FIND)
#undef CALL_FIND
	return all;
}

#define NATIVE_PROCESS ((HANDLE)(LONG_PTR)-1)

/* The native calls give back the range that they took; these ask for one and forget it. */
static inline NTSTATUS native_free(void *base, SIZE_T size, ULONG type)
{
	return NtFreeVirtualMemory(NATIVE_PROCESS, &base, &size, type);
}

/* The test holds if a native call gave this status. */
#define status_is(got, expected, ...) is((uint32_t)(got), (uint32_t)(expected), __VA_ARGS__)

#endif
