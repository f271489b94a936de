/* File mappings: sections and views of them. */
#include "kernel32.h"

#define SECTION_FLAGS (SEC_IMAGE | SEC_RESERVE | SEC_COMMIT | SEC_NOCACHE)

/*
 * file INVALID_HANDLE_VALUE: memory backed by the system paging file, of the given size. protect: PAGE_*, with SEC_*
 * flags. A section of the same name that exists is opened, and the last error is ERROR_ALREADY_EXISTS.
 */
HANDLE WINAPI CreateFileMappingW(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD size_high,
				 DWORD size_low, LPCWSTR name)
{
	ULONG flags = protect & SECTION_FLAGS;
	ACCESS_MASK access = STANDARD_RIGHTS_REQUIRED | SECTION_QUERY | SECTION_MAP_READ;
	LARGE_INTEGER size = { .LowPart = size_low, .HighPart = (LONG)size_high };
	struct object_name object;
	HANDLE section;
	NTSTATUS status;

	protect &= ~(DWORD)SECTION_FLAGS;
	if (file == INVALID_HANDLE_VALUE) {
		file = NULL;
		if (!size.QuadPart || (flags & SEC_IMAGE)) {
			SetLastError(ERROR_INVALID_PARAMETER);
			return NULL;
		}
	}
	switch (protect) {
	case PAGE_READWRITE:
	case PAGE_WRITECOPY:
		access |= SECTION_MAP_WRITE;
		break;
	case PAGE_EXECUTE_READWRITE:
	case PAGE_EXECUTE_WRITECOPY:
		access |= SECTION_MAP_WRITE | SECTION_MAP_EXECUTE;
		break;
	case PAGE_EXECUTE_READ:
		access |= SECTION_MAP_EXECUTE;
		break;
	case PAGE_READONLY:
		break;
	default:
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	/* An image's views are writable and executable as its headers say, whatever the page protection. */
	if (flags & SEC_IMAGE)
		access |= SECTION_MAP_WRITE | SECTION_MAP_EXECUTE;
	if (!flags || flags == SEC_NOCACHE)
		flags |= SEC_COMMIT;
	status = object_name_set(&object, name, security);
	if (NT_SUCCESS(status)) {
		object.attributes.Attributes |= OBJ_OPENIF;
		status = NtCreateSection(&section, access, &object.attributes, size.QuadPart ? &size : NULL, protect,
					 flags, file);
	}
	if (!NT_SUCCESS(status)) {
		RtlSetLastWin32ErrorAndNtStatusFromNtStatus(status);
		/* The name is taken by another kind of object. */
		if (status == STATUS_OBJECT_TYPE_MISMATCH)
			SetLastError(ERROR_INVALID_HANDLE);
		return NULL;
	}
	SetLastError(status == STATUS_OBJECT_NAME_EXISTS ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
	return section;
}

HANDLE WINAPI CreateFileMappingA(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD size_high,
				 DWORD size_low, LPCSTR name)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HANDLE section = NULL;

	if (!name || wide)
		section = CreateFileMappingW(file, security, protect, size_high, size_low, wide);
	memory_free(wide);
	return section;
}

/* FILE_MAP_* as rights to a section. FILE_MAP_WRITE means reading, too. */
static ACCESS_MASK section_access(DWORD access)
{
	if (access == FILE_MAP_COPY)
		return SECTION_MAP_READ;
	if (access & FILE_MAP_WRITE)
		access |= SECTION_MAP_READ;
	if (access & FILE_MAP_EXECUTE)
		access = (access & ~(DWORD)FILE_MAP_EXECUTE) | SECTION_MAP_EXECUTE;
	return access;
}

HANDLE WINAPI OpenFileMappingW(DWORD access, WINBOOL inherit, LPCWSTR name)
{
	SECURITY_ATTRIBUTES security = { sizeof(security), NULL, inherit };
	struct object_name object;
	HANDLE section;
	NTSTATUS status;

	if (!name) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	status = object_name_set(&object, name, &security);
	if (NT_SUCCESS(status))
		status = NtOpenSection(&section, section_access(access), &object.attributes);
	return status_result(status) ? section : NULL;
}

HANDLE WINAPI OpenFileMappingA(DWORD access, WINBOOL inherit, LPCSTR name)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HANDLE section = !name || wide ? OpenFileMappingW(access, inherit, wide) : NULL;

	memory_free(wide);
	return section;
}

/* size 0: to the end of the section. The offset is a multiple of 64 KiB. */
LPVOID WINAPI MapViewOfFileEx(HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size,
			      LPVOID address)
{
	LARGE_INTEGER offset = { .LowPart = offset_low, .HighPart = (LONG)offset_high };
	BOOL execute = (access & FILE_MAP_EXECUTE) != 0;
	ULONG protect;
	void *base = address;

	if ((access & FILE_MAP_COPY) && !(access & FILE_MAP_WRITE))
		protect = execute ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
	else if (access & FILE_MAP_WRITE)
		protect = execute ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
	else if (access & FILE_MAP_READ)
		protect = execute ? PAGE_EXECUTE_READ : PAGE_READONLY;
	else
		protect = PAGE_NOACCESS;
	return status_result(NtMapViewOfSection(section, BACKSTORE_CURRENT_PROCESS, &base, 0, 0, &offset, &size,
						1 /* ViewShare */, 0, protect)) ? base : NULL;
}

LPVOID WINAPI MapViewOfFile(HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low, SIZE_T size)
{
	return MapViewOfFileEx(section, access, offset_high, offset_low, size, NULL);
}

WINBOOL WINAPI UnmapViewOfFile(LPCVOID base)
{
	return status_result(NtUnmapViewOfSection(BACKSTORE_CURRENT_PROCESS, (void *)base));
}
