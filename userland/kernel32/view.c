/* Views of file mappings: mapping, unmapping, flushing. Offsets and sizes in bytes; size 0: to the section's end. */
#include "kernel32.h"

#define VIEW_SHARE 1 /* SECTION_INHERIT: ViewShare */

/* The page protection that FILE_MAP_* stands for. Writing goes before copying: FILE_MAP_ALL_ACCESS has both bits. */
static ULONG protection_of(DWORD access)
{
	BOOL execute = (access & FILE_MAP_EXECUTE) != 0;

	if (access & FILE_MAP_WRITE)
		return execute ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
	if (access & FILE_MAP_COPY)
		return execute ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
	if (access & FILE_MAP_READ)
		return execute ? PAGE_EXECUTE_READ : PAGE_READONLY;
	return PAGE_NOACCESS;
}

static void *view_map(HANDLE section, HANDLE process, ULONG64 from, void *base, SIZE_T size, ULONG type, ULONG protect)
{
	LARGE_INTEGER offset = { .QuadPart = (LONGLONG)from };

	return status_result(NtMapViewOfSection(section, process, &base, 0, 0, &offset, &size, VIEW_SHARE, type,
						protect)) ? base : NULL;
}

/*
 * The offset is a multiple of 64 KiB, the address as well. FILE_MAP_LARGE_PAGES, FILE_MAP_RESERVE: as MEM_LARGE_PAGES
 * and MEM_RESERVE of MapViewOfFile2. There is no control flow guard for FILE_MAP_TARGETS_INVALID to change.
 */
LPVOID WINAPI MapViewOfFileEx(HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size,
			      LPVOID address)
{
	ULONG type = (access & FILE_MAP_LARGE_PAGES ? MEM_LARGE_PAGES : 0) | (access & FILE_MAP_RESERVE ? MEM_RESERVE : 0);

	return view_map(section, BACKSTORE_CURRENT_PROCESS, (ULONG64)offset_high << 32 | offset_low, address, size, type,
			protection_of(access));
}

LPVOID WINAPI MapViewOfFile(HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size)
{
	return MapViewOfFileEx(section, access, offset_high, offset_low, size, NULL);
}

LPVOID WINAPI MapViewOfFileExNuma(HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size,
				  LPVOID address, DWORD node)
{
	return node_exists(node) ? MapViewOfFileEx(section, access, offset_high, offset_low, size, address) : NULL;
}

PVOID WINAPI MapViewOfFileFromApp(HANDLE section, ULONG access, ULONG64 offset, SIZE_T size)
{
	return MapViewOfFileEx(section, access, (DWORD)(offset >> 32), (DWORD)offset, size, NULL);
}

/* type: 0, MEM_RESERVE, MEM_LARGE_PAGES; protect: PAGE_*. */
PVOID WINAPI MapViewOfFileNuma2(HANDLE section, HANDLE process, ULONG64 offset, PVOID address, SIZE_T size, ULONG type,
				ULONG protect, ULONG node)
{
	return node_exists(node) ? view_map(section, process, offset, address, size, type, protect) : NULL;
}

PVOID WINAPI MapViewOfFile2(HANDLE section, HANDLE process, ULONG64 offset, PVOID address, SIZE_T size, ULONG type,
			    ULONG protect)
{
	return view_map(section, process, offset, address, size, type, protect);
}

/* type: also MEM_REPLACE_PLACEHOLDER. process NULL: the caller. */
PVOID WINAPI MapViewOfFile3(HANDLE section, HANDLE process, PVOID address, ULONG64 from, SIZE_T size, ULONG type,
			    ULONG protect, MEM_EXTENDED_PARAMETER *parameters, ULONG count)
{
	LARGE_INTEGER offset = { .QuadPart = (LONGLONG)from };
	void *base = address;

	if (!process)
		process = BACKSTORE_CURRENT_PROCESS;
	return status_result(NtMapViewOfSectionEx(section, process, &base, &offset, &size, type, protect, parameters,
						  count)) ? base : NULL;
}

PVOID WINAPI MapViewOfFile3FromApp(HANDLE section, HANDLE process, PVOID address, ULONG64 offset, SIZE_T size,
				   ULONG type, ULONG protect, MEM_EXTENDED_PARAMETER *parameters, ULONG count)
{
	return MapViewOfFile3(section, process, address, offset, size, type, protect, parameters, count);
}

WINBOOL WINAPI UnmapViewOfFile(LPCVOID base)
{
	return status_result(NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, (void *)base));
}

/* flags: 0, MEM_UNMAP_WITH_TRANSIENT_BOOST, MEM_PRESERVE_PLACEHOLDER. */
WINBOOL WINAPI UnmapViewOfFile2(HANDLE process, PVOID base, ULONG flags)
{
	return status_result(NtUnmapViewOfSectionEx(process, base, flags));
}

WINBOOL WINAPI UnmapViewOfFileEx(PVOID base, ULONG flags)
{
	return UnmapViewOfFile2(BACKSTORE_CURRENT_PROCESS, base, flags);
}

/* size 0: to the end of the view. A view of no file has nothing to write: that is success. */
WINBOOL WINAPI FlushViewOfFile(LPCVOID address, SIZE_T size)
{
	void *base = (void *)address;
	IO_STATUS_BLOCK io;
	NTSTATUS status = NtFlushVirtualMemory(BACKSTORE_CURRENT_PROCESS, &base, &size, &io);

	return status_result(status == STATUS_NOT_MAPPED_DATA ? STATUS_SUCCESS : status);
}
