/* Modules: the loader of ntdll with kernel32's names and results. */
#include "kernel32.h"

#define SEARCH_FLAGS                                                                                                   \
	(LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_USER_DIRS |      \
	 LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
#define MAP_FLAGS (LOAD_LIBRARY_AS_IMAGE_RESOURCE | LOAD_LIBRARY_AS_DATAFILE | LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE)
#define LOAD_FLAGS                                                                                                     \
	(DONT_RESOLVE_DLL_REFERENCES | LOAD_WITH_ALTERED_SEARCH_PATH | MAP_FLAGS | SEARCH_FLAGS)
/* In a handle: mapped as an image, as a data file, for its resources, and no module of the process. ntdll knows the second. */
#define AS_IMAGE_RESOURCE 2
#define AS_DATA_FILE 1
#define AS_RESOURCE (AS_IMAGE_RESOURCE | AS_DATA_FILE)

/* The image at handle, which may be that of a file that was mapped for its resources. */
void *module_base(HMODULE module)
{
	return module ? (void *)((ULONG_PTR)module & ~(ULONG_PTR)AS_RESOURCE) : peb_current()->image_base;
}

/* LOAD_LIBRARY_SEARCH_*: the path of name, if it is in one of the directories that flags allow. */
static BOOL search(const WCHAR *name, DWORD flags, WCHAR *path)
{
	DWORD all = flags & LOAD_LIBRARY_SEARCH_DEFAULT_DIRS ? SEARCH_FLAGS : flags, units;
	WCHAR directory[MAX_PATH];

	for (const WCHAR *at = name; *at; at++)
		if (*at == '\\' || *at == '/' || *at == ':')
			return SearchPathW(L"", name, L".dll", PATH_UNITS_MAX, path, NULL) != 0;
	units = GetModuleFileNameW(NULL, directory, MAX_PATH);
	while (units && directory[units - 1] != '\\')
		units--;
	directory[units] = 0;
	return (all & LOAD_LIBRARY_SEARCH_APPLICATION_DIR &&
		SearchPathW(directory, name, L".dll", PATH_UNITS_MAX, path, NULL)) ||
	       (all & LOAD_LIBRARY_SEARCH_SYSTEM32 && SearchPathW(L"C:\\system", name, L".dll", PATH_UNITS_MAX, path, NULL));
}

/* Files that are mapped as data, and that nobody may write to meanwhile. */
struct exclusive {
	void *base;
	HANDLE file;
	struct exclusive *next;
};
static struct exclusive *exclusives;
static RTL_SRWLOCK exclusives_lock;

static BOOL exclusive_keep(void *base, HANDLE file)
{
	struct exclusive *e = memory_get(sizeof(*e));

	if (!e)
		return FALSE;
	*e = (struct exclusive){ .base = base, .file = file };
	RtlAcquireSRWLockExclusive(&exclusives_lock);
	e->next = exclusives;
	exclusives = e;
	RtlReleaseSRWLockExclusive(&exclusives_lock);
	return TRUE;
}

static void exclusive_end(void *base)
{
	struct exclusive **at = &exclusives, *e;

	RtlAcquireSRWLockExclusive(&exclusives_lock);
	while (*at && (*at)->base != base)
		at = &(*at)->next;
	e = *at;
	if (e)
		*at = e->next;
	RtlReleaseSRWLockExclusive(&exclusives_lock);
	if (e)
		NtClose(e->file);
	memory_free(e);
}

/*
 * Maps the file at path, as an image if flags allow it, so that its resources can be read; it is on no list, and nothing of it
 * runs. LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE: nobody may write to it meanwhile. That is so of every mapped image here; of a data
 * file the handle sees to it, which goes with FreeLibrary.
 */
static HMODULE load_as_resource(const WCHAR *path, DWORD flags)
{
	BOOL image = (flags & LOAD_LIBRARY_AS_IMAGE_RESOURCE) != 0, alone = (flags & LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE) != 0;
	HANDLE file = CreateFileW(path, GENERIC_READ | (image ? GENERIC_EXECUTE : 0),
				  FILE_SHARE_READ | FILE_SHARE_DELETE | (alone ? 0 : FILE_SHARE_WRITE), NULL, OPEN_EXISTING, 0, NULL);
	HANDLE section = NULL;
	IMAGE_NT_HEADERS *headers;
	SIZE_T size = 0;
	void *base = NULL;
	NTSTATUS status;

	if (file == INVALID_HANDLE_VALUE)
		return NULL;
	status = NtCreateSection(&section, SECTION_MAP_READ | SECTION_QUERY, NULL, NULL, PAGE_READONLY,
				 image ? SEC_IMAGE : SEC_COMMIT, file);
	if (NT_SUCCESS(status)) {
		status = NtMapViewOfSection(section, GetCurrentProcess(), &base, 0, 0, NULL, &size, 1 /* ViewShare */, 0,
					    PAGE_READONLY);
		NtClose(section);
	}
	if (NT_SUCCESS(status) && !image && !NT_SUCCESS(RtlImageNtHeaderEx(0, base, size, &headers))) {
		NtUnmapViewOfSection(GetCurrentProcess(), base);
		status = STATUS_INVALID_IMAGE_FORMAT;
	}
	if (status == STATUS_MAPPED_FILE_SIZE_ZERO)
		status = STATUS_INVALID_IMAGE_FORMAT;
	if (NT_SUCCESS(status) && !image && alone && !exclusive_keep(base, file)) {
		NtUnmapViewOfSection(GetCurrentProcess(), base);
		status = STATUS_NO_MEMORY;
	}
	if (!NT_SUCCESS(status) || image || !alone)
		NtClose(file);
	return status_result(status) ? (HMODULE)((ULONG_PTR)base | (image ? AS_IMAGE_RESOURCE : AS_DATA_FILE)) : NULL;
}

static NTSTATUS resource_free(HMODULE module)
{
	void *base = module_base(module);
	NTSTATUS status = NtUnmapViewOfSection(GetCurrentProcess(), base);

	if (NT_SUCCESS(status))
		exclusive_end(base);
	return status;
}

/*
 * With LOAD_LIBRARY_AS_DATAFILE and LOAD_LIBRARY_AS_IMAGE_RESOURCE the file is mapped as an image. LOAD_WITH_ALTERED_SEARCH_PATH changes nothing but for a full
 * path, which works anyway. There are no directories of AddDllDirectory.
 */
HMODULE WINAPI LoadLibraryExW(LPCWSTR name, HANDLE reserved, DWORD flags)
{
	ULONG mapped_only = IMAGE_FILE_EXECUTABLE_IMAGE;
	WCHAR *path = NULL;
	UNICODE_STRING text;
	HMODULE module = NULL;
	void *base;

	if (!name || !*name || reserved || flags & ~LOAD_FLAGS ||
	    (flags & LOAD_WITH_ALTERED_SEARCH_PATH && flags & SEARCH_FLAGS)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	if (flags & (MAP_FLAGS | SEARCH_FLAGS)) {
		path = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
		if (!path)
			return NULL;
		if (!(flags & SEARCH_FLAGS ? search(name, flags, path) : path_search(name, L".dll", path))) {
			memory_free(path);
			SetLastError(flags & MAP_FLAGS ? ERROR_FILE_NOT_FOUND : ERROR_MOD_NOT_FOUND);
			return NULL;
		}
		name = path;
	}
	RtlInitUnicodeString(&text, name);
	if (flags & MAP_FLAGS)
		module = load_as_resource(name, flags);
	else if (status_result(LdrLoadDll(NULL, flags & DONT_RESOLVE_DLL_REFERENCES ? &mapped_only : NULL, &text, &base)))
		module = base;
	memory_free(path);
	return module;
}

HMODULE WINAPI LoadLibraryExA(LPCSTR name, HANDLE reserved, DWORD flags)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HMODULE module = !name || wide ? LoadLibraryExW(wide, reserved, flags) : NULL;

	memory_free(wide);
	return module;
}

HMODULE WINAPI LoadLibraryW(LPCWSTR name)
{
	return LoadLibraryExW(name, NULL, 0);
}

HMODULE WINAPI LoadLibraryA(LPCSTR name)
{
	return LoadLibraryExA(name, NULL, 0);
}

WINBOOL WINAPI FreeLibrary(HMODULE module)
{
	NTSTATUS status = (ULONG_PTR)module & AS_RESOURCE ? resource_free(module) : LdrUnloadDll(module);

	return status_result(status == STATUS_DLL_NOT_FOUND ? STATUS_INVALID_HANDLE : status);
}

DECLSPEC_NORETURN VOID WINAPI FreeLibraryAndExitThread(HMODULE module, DWORD code)
{
	FreeLibrary(module);
	ExitThread(code);
}

WINBOOL WINAPI DisableThreadLibraryCalls(HMODULE module)
{
	return status_result(LdrDisableThreadCalloutsForDll(module));
}

WINBOOL WINAPI GetModuleHandleExW(DWORD flags, LPCWSTR name, HMODULE *module)
{
	UNICODE_STRING text;
	void *base = NULL;
	NTSTATUS status = STATUS_SUCCESS;

	*module = NULL;
	if (flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS) {
		if (!RtlPcToFileHeader((void *)name, &base))
			status = STATUS_DLL_NOT_FOUND;
	} else if (!name) {
		base = peb_current()->image_base;
	} else {
		RtlInitUnicodeString(&text, name);
		status = LdrGetDllHandle(NULL, NULL, &text, &base);
	}
	if (NT_SUCCESS(status) && (flags & GET_MODULE_HANDLE_EX_FLAG_PIN))
		status = LdrAddRefDll(LDR_ADDREF_DLL_PIN, base);
	else if (NT_SUCCESS(status) && !(flags & GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT))
		status = LdrAddRefDll(0, base);
	if (!status_result(status))
		return FALSE;
	*module = base;
	return TRUE;
}

WINBOOL WINAPI GetModuleHandleExA(DWORD flags, LPCSTR name, HMODULE *module)
{
	WCHAR *wide = NULL;
	BOOL done;

	if (!name || (flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS))
		return GetModuleHandleExW(flags, (LPCWSTR)name, module);
	wide = wide_from(name);
	done = wide && GetModuleHandleExW(flags, wide, module);
	memory_free(wide);
	return done;
}

HMODULE WINAPI GetModuleHandleW(LPCWSTR name)
{
	HMODULE module;

	GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, name, &module);
	return module;
}

HMODULE WINAPI GetModuleHandleA(LPCSTR name)
{
	HMODULE module = NULL;

	GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, name, &module);
	return module;
}

/* A name below 65536 is an ordinal. */
FARPROC WINAPI GetProcAddress(HMODULE module, LPCSTR name)
{
	ANSI_STRING text;
	void *address;
	NTSTATUS status;

	if (!module)
		module = (HMODULE)peb_current()->image_base;
	if ((ULONG_PTR)name < 0x10000) {
		status = LdrGetProcedureAddress(module, NULL, (ULONG)(ULONG_PTR)name, &address);
	} else {
		RtlInitAnsiString(&text, name);
		status = LdrGetProcedureAddress(module, &text, 0, &address);
	}
	return status_result(status) ? (FARPROC)address : NULL;
}

/* The path, cut and ended at units, then with ERROR_INSUFFICIENT_BUFFER; returns the units copied. */
DWORD WINAPI GetModuleFileNameW(HMODULE module, LPWSTR out, DWORD units)
{
	UNICODE_STRING name = { 0, (USHORT)(units > 0x7FFF ? 0xFFFE : units * sizeof(WCHAR)), out };
	NTSTATUS status = LdrGetDllFullName(module, &name);
	DWORD length = name.Length / sizeof(WCHAR);

	if (status != STATUS_BUFFER_TOO_SMALL && !status_result(status))
		return 0;
	if (length < units) {
		out[length] = 0;
		SetLastError(ERROR_SUCCESS);
		return length;
	}
	if (units)
		out[units - 1] = 0;
	SetLastError(ERROR_INSUFFICIENT_BUFFER);
	return units;
}

DWORD WINAPI GetModuleFileNameA(HMODULE module, LPSTR out, DWORD size)
{
	WCHAR *wide = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = wide ? GetModuleFileNameW(module, wide, PATH_UNITS_MAX) : 0;
	ULONG bytes = 0;

	if (length) {
		if (RtlUnicodeToUTF8N(out, size ? size - 1 : 0, &bytes, wide, length * sizeof(WCHAR)) ==
		    STATUS_BUFFER_TOO_SMALL) {
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
			length = size;
		} else {
			length = bytes;
		}
		if (size)
			out[bytes] = 0;
	}
	memory_free(wide);
	return length;
}
