/* File mappings: making and opening sections. Their views are in view.c. */
#include "kernel32.h"

/* What CreateFileMapping's protection may have in it beside PAGE_*. */
#define SECTION_ATTRIBUTES \
	(SEC_NO_CHANGE | SEC_FILE | SEC_IMAGE | SEC_RESERVE | SEC_COMMIT | SEC_NOCACHE | SEC_WRITECOMBINE | SEC_LARGE_PAGES)

static HANDLE section_create(HANDLE file, const SECURITY_ATTRIBUTES *security, ACCESS_MASK access, ULONG protect,
			     ULONG attributes, ULONG64 bytes, const WCHAR *name)
{
	LARGE_INTEGER size = { .QuadPart = (LONGLONG)bytes };
	struct object_name object;
	HANDLE section;
	NTSTATUS status;

	if (file == INVALID_HANDLE_VALUE) {
		file = NULL;
		if (!bytes || (attributes & SEC_IMAGE)) {
			SetLastError(ERROR_INVALID_PARAMETER);
			return NULL;
		}
	} else if (!file) { /* for the kernel that means a section without a file */
		SetLastError(ERROR_INVALID_HANDLE);
		return NULL;
	}
	status = object_name_set(&object, name, security);
	if (NT_SUCCESS(status)) {
		object.attributes.Attributes |= OBJ_OPENIF;
		status = NtCreateSection(&section, access, &object.attributes, bytes ? &size : NULL, protect, attributes,
					 file);
	}
	if (!status_result(status)) {
		/* The name is taken by another kind of object. */
		if (status == STATUS_OBJECT_TYPE_MISMATCH)
			SetLastError(ERROR_INVALID_HANDLE);
		return NULL;
	}
	SetLastError(status == STATUS_OBJECT_NAME_EXISTS ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
	return section;
}

/*
 * file INVALID_HANDLE_VALUE: memory backed by the system paging file, of the given size. protect: PAGE_*, with SEC_*
 * attributes. A section of the same name that exists is opened, and the last error is ERROR_ALREADY_EXISTS. The handle
 * has the rights that views of this protection need, so copies of it can be passed on.
 */
HANDLE WINAPI CreateFileMappingW(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD size_high,
				 DWORD size_low, LPCWSTR name)
{
	ULONG attributes = protect & SECTION_ATTRIBUTES;
	ACCESS_MASK access = STANDARD_RIGHTS_REQUIRED | SECTION_QUERY | SECTION_MAP_READ;

	protect &= ~(DWORD)SECTION_ATTRIBUTES;
	switch (protect) {
	case PAGE_READONLY:
	case PAGE_WRITECOPY:
		break;
	case PAGE_READWRITE:
		access |= SECTION_MAP_WRITE;
		break;
	case PAGE_EXECUTE_READ:
	case PAGE_EXECUTE_WRITECOPY:
		access |= SECTION_MAP_EXECUTE;
		break;
	case PAGE_EXECUTE_READWRITE:
		access |= SECTION_MAP_WRITE | SECTION_MAP_EXECUTE;
		break;
	default:
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	/* An image's views are writable and executable as its headers say, whatever the page protection. */
	if (attributes & SEC_IMAGE)
		access |= SECTION_MAP_WRITE | SECTION_MAP_EXECUTE;
	return section_create(file, security, access, protect, attributes ? attributes : SEC_COMMIT,
			      (ULONG64)size_high << 32 | size_low, name);
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

HANDLE WINAPI CreateFileMappingNumaW(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD size_high,
				     DWORD size_low, LPCWSTR name, DWORD node)
{
	return node_exists(node) ? CreateFileMappingW(file, security, protect, size_high, size_low, name) : NULL;
}

HANDLE WINAPI CreateFileMappingNumaA(HANDLE file, LPSECURITY_ATTRIBUTES security, DWORD protect, DWORD size_high,
				     DWORD size_low, LPCSTR name, DWORD node)
{
	return node_exists(node) ? CreateFileMappingA(file, security, protect, size_high, size_low, name) : NULL;
}

HANDLE WINAPI CreateFileMappingFromApp(HANDLE file, PSECURITY_ATTRIBUTES security, ULONG protect, ULONG64 size,
				       PCWSTR name)
{
	return CreateFileMappingW(file, security, protect, (DWORD)(size >> 32), (DWORD)size, name);
}

/* The rights of the handle and the attributes are given one by one. Known of the parameters: the preferred node. */
HANDLE WINAPI CreateFileMapping2(HANDLE file, SECURITY_ATTRIBUTES *security, ULONG access, ULONG protect,
				 ULONG attributes, ULONG64 size, PCWSTR name, MEM_EXTENDED_PARAMETER *parameters,
				 ULONG count)
{
	for (ULONG i = 0; i < count; i++) {
		BOOL node = parameters && parameters[i].Type == MemSectionExtendedParameterNumaNode;

		if (!node || !node_exists(parameters[i].ULong)) {
			SetLastError(ERROR_INVALID_PARAMETER);
			return NULL;
		}
	}
	return section_create(file, security, access, protect, attributes ? attributes : SEC_COMMIT, size, name);
}

/*
 * FILE_MAP_* as rights to a section. They have the values of these rights, but two: copying needs no more than reading,
 * and FILE_MAP_EXECUTE is not in FILE_MAP_ALL_ACCESS.
 */
static ACCESS_MASK rights_of(DWORD access)
{
	if (access == FILE_MAP_COPY)
		return SECTION_MAP_READ;
	if (access & FILE_MAP_WRITE)
		access |= SECTION_MAP_READ; /* it is documented as read/write access */
	if (access & FILE_MAP_EXECUTE)
		access |= SECTION_MAP_EXECUTE;
	return access & ~(DWORD)FILE_MAP_EXECUTE;
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
		status = NtOpenSection(&section, rights_of(access), &object.attributes);
	return status_result(status) ? section : NULL;
}

HANDLE WINAPI OpenFileMappingA(DWORD access, WINBOOL inherit, LPCSTR name)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HANDLE section = !name || wide ? OpenFileMappingW(access, inherit, wide) : NULL;

	memory_free(wide);
	return section;
}

HANDLE WINAPI OpenFileMappingFromApp(ULONG access, WINBOOL inherit, PCWSTR name)
{
	return OpenFileMappingW(access, inherit, name);
}
