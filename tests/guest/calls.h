/*
 * Memory calls that mingw-w64's import libraries lack, looked up in kernelbase.dll by name as Windows programs do; and
 * what tests of native calls have in common.
 */
#ifndef CALLS_H
#define CALLS_H

#include "guest.h"

/* X(name, result, variable, arguments) */
#define CALLS(X)                                                                                                       \
	X("VirtualAlloc2", void *, virtual_alloc2,                                                                     \
	  (HANDLE process, void *base, SIZE_T size, ULONG type, ULONG protect, MEM_EXTENDED_PARAMETER *parameters,     \
	   ULONG count))                                                                                               \
	X("MapViewOfFile3", void *, map_view_of_file3,                                                                 \
	  (HANDLE section, HANDLE process, void *base, ULONG64 offset, SIZE_T size, ULONG type, ULONG protect,         \
	   MEM_EXTENDED_PARAMETER *parameters, ULONG count))                                                           \
	X("UnmapViewOfFile2", BOOL, unmap_view_of_file2, (HANDLE process, void *base, ULONG flags))

#define CALL_VARIABLE(name, result, variable, arguments) static result(WINAPI *variable) arguments;
CALLS(CALL_VARIABLE)
#undef CALL_VARIABLE

/* Looks all up. A program that has called this may use them if it is true; else what is missing is a failed test. */
static inline bool calls_init(void)
{
	HMODULE kernelbase = LoadLibraryA("kernelbase.dll");
	bool all = true;
#define CALL_FIND(name, result, variable, arguments)                                                                   \
	variable = (result(WINAPI *) arguments)(void (*)(void))GetProcAddress(kernelbase, name);                       \
	if (!variable)                                                                                                 \
		all = ok(false, "kernelbase.dll has %s", name);
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
