/*
 * What the files of kernel32.dll share. Functions for programs set the last error and return what Windows documents;
 * internal ones return an NTSTATUS. Narrow text is UTF-8: CP_ACP and CP_OEMCP are 65001 here.
 */
#ifndef KERNEL32_KERNEL32_H
#define KERNEL32_KERNEL32_H

#define _ADVAPI32_
#define _KERNEL32_ /* the headers' functions are defined here, not imported */
#define _CRTIMP
#include "peb.h"
#include "rtl.h"
#include "start_data.h"

/* Exported as forwarders to ntdll, so there are none of these names here. */
#define SetLastError RtlSetLastWin32Error
#define EnterCriticalSection RtlEnterCriticalSection
#define LeaveCriticalSection RtlLeaveCriticalSection

/* NtQueryVolumeInformationFile: FileFsDeviceInformation, and the types that are no disk. */
#define DEVICE_INFORMATION ((FS_INFORMATION_CLASS)4)
#define DEVICE_CONSOLE 0x50
#define DEVICE_NAMED_PIPE 0x11

#define PAGE_BYTES 4096ull
#define PATH_UNITS_MAX 1024 /* the longest path in UTF-16 units that is taken, its end included */
#define NT_PATH_UNITS_MAX (PATH_UNITS_MAX + 4)

/* system.c */
/* SYSTEM_BASIC_INFORMATION; mingw-w64's winternl.h has most of it as reserved. */
struct system_basic_information {
	ULONG reserved, timer_resolution, page_size, physical_pages, lowest_page, highest_page, allocation_granularity;
	ULONG_PTR minimum_address, maximum_address, active_processors;
	BYTE processors;
};

/* error.c */
BOOL status_failed(NTSTATUS status); /* FALSE, with the last error set */
/* TRUE for success; else FALSE with the last error set */
static inline BOOL status_result(NTSTATUS status)
{
	return NT_SUCCESS(status) ? TRUE : status_failed(status);
}

/* text.c: conversions for the A functions; the results are on the process heap. */
WCHAR *wide_from(const char *text);              /* NULL: last error set */
WCHAR *wide_from_in(const char *text, WCHAR *buffer, ULONG units); /* in the buffer if it fits: memory_free_beside */
void memory_free_beside(const void *memory, const void *buffer); /* memory, if that is not the buffer */
char *narrow_from(const WCHAR *text, ULONG units);
DWORD narrow_result(const WCHAR *text, DWORD units, char *out, DWORD size);
void *memory_get(SIZE_T size);                   /* NULL: last error set */
void memory_free(const void *memory);

/* module.c */
void *module_base(HMODULE module);

/* path.c */
NTSTATUS path_to_nt(const WCHAR *path, UNICODE_STRING *out); /* free with path_free */
NTSTATUS path_to_nt_in(const WCHAR *path, WCHAR *buffer, UNICODE_STRING *out); /* buffer: NT_PATH_UNITS_MAX */
void path_free(UNICODE_STRING *path);
DWORD path_full(const WCHAR *path, WCHAR *out, DWORD units);
BOOL path_exists(const WCHAR *path);
BOOL path_search(const WCHAR *name, const WCHAR *suffix, WCHAR *out);
NTSTATUS path_open(const WCHAR *path, ACCESS_MASK access, ULONG options, HANDLE *out);

/* object.c: OBJECT_ATTRIBUTES for a named object: \BaseNamedObjects\name. */
struct object_name {
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING name;
	WCHAR buffer[300];
};
NTSTATUS object_name_set(struct object_name *object, const WCHAR *name, const SECURITY_ATTRIBUTES *security);
LARGE_INTEGER *timeout_set(LARGE_INTEGER *timeout, DWORD milliseconds); /* NULL for INFINITE */

/* memory.c: VirtualAlloc does not allow the lowest 64 KiB, where NULL pointers lead. FALSE: last error set. */
BOOL address_allowed(const void *address);
BOOL node_exists(DWORD node);                    /* memory_ex.c: the same for NUMA nodes */

/* file.c: by a number of FILE_INFORMATION_CLASS */
NTSTATUS file_query(HANDLE file, void *out, ULONG size, ULONG information);
NTSTATUS file_set(HANDLE file, void *in, ULONG size, ULONG information);

/* console.c */
BOOL handle_is_console(HANDLE handle);
NTSTATUS console_read(HANDLE handle, void *buffer, DWORD size, DWORD *done);

/* tls.c, environment.c */
void fls_thread_end(void);
BOOL command_line_init(void);

/* As InitializeCriticalSection leaves one: no page is written before it is used. */
#define CRITICAL_SECTION_START { .DebugInfo = (void *)(LONG_PTR)-1, .LockCount = -1 }

#endif
