/* Modules: the loader of ntdll with kernel32's names and results. */
#include "kernel32.h"

#define SEARCH_FLAGS                                                                                                   \
	(LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_USER_DIRS |      \
	 LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_LIBRARY_SEARCH_DEFAULT_DIRS)
#define DEFAULT_DIRS (LOAD_LIBRARY_SEARCH_APPLICATION_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32)
#define MAP_FLAGS (LOAD_LIBRARY_AS_IMAGE_RESOURCE | LOAD_LIBRARY_AS_DATAFILE | LOAD_LIBRARY_AS_DATAFILE_EXCLUSIVE)
/* There are no rules who may run what, so that LOAD_IGNORE_CODE_AUTHZ_LEVEL has nothing to ignore. */
#define LOAD_FLAGS                                                                                                     \
	(DONT_RESOLVE_DLL_REFERENCES | LOAD_WITH_ALTERED_SEARCH_PATH | LOAD_IGNORE_CODE_AUTHZ_LEVEL | MAP_FLAGS | SEARCH_FLAGS)
/* In a handle: mapped as an image, as a data file, for its resources, and no module of the process. ntdll knows the second. */
#define AS_IMAGE_RESOURCE 2
#define AS_DATA_FILE 1
#define AS_RESOURCE (AS_IMAGE_RESOURCE | AS_DATA_FILE)

/* The image at handle, which may be that of a file that was mapped for its resources. */
void *module_base(HMODULE module)
{
	return module ? (void *)((ULONG_PTR)module & ~(ULONG_PTR)AS_RESOURCE) : peb_current()->image_base;
}

static BOOL is_separator(WCHAR c)
{
	return c == '\\' || c == '/';
}

static BOOL has_path(const WCHAR *name)
{
	while (*name && !is_separator(*name) && *name != ':')
		name++;
	return *name != 0;
}

/* A drive and a directory from its root on. */
static BOOL is_absolute(const WCHAR *name)
{
	return name[0] && name[1] == ':' && is_separator(name[2]);
}

/* Appends the directory of a path, without the separator at its end but after a drive; ends with a semicolon. */
static WCHAR *directory_append(WCHAR *to, const WCHAR *path)
{
	const WCHAR *end = path + wcslen(path);

	while (end > path && !is_separator(end[-1]))
		end--;
	if (end > path + 3)
		end--;
	while (path < end)
		*to++ = *path++;
	*to++ = ';';
	return to;
}

/*
 * Where a DLL and those that it imports are looked for, if flags have something to say of that: directories with semicolons
 * between them, in list (3 * PATH_UNITS_MAX units), else NULL. path: the DLL's, if it has a full one; its directory comes first.
 * There are no directories of AddDllDirectory.
 */
static WCHAR *search_list(const WCHAR *path, DWORD flags, WCHAR *list)
{
	DWORD all = flags & LOAD_LIBRARY_SEARCH_DEFAULT_DIRS ? flags | DEFAULT_DIRS : flags;
	WCHAR other[MAX_PATH], *end = list;

	if (!(flags & SEARCH_FLAGS) && !(flags & LOAD_WITH_ALTERED_SEARCH_PATH && path))
		return NULL;
	if (path && flags & (LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_WITH_ALTERED_SEARCH_PATH))
		end = directory_append(end, path);
	if (all & LOAD_LIBRARY_SEARCH_APPLICATION_DIR && GetModuleFileNameW(NULL, other, MAX_PATH))
		end = directory_append(end, other);
	if (all & (LOAD_LIBRARY_SEARCH_SYSTEM32 | LOAD_WITH_ALTERED_SEARCH_PATH))
		end = directory_append(end, L"C:\\system\\");
	if (flags & LOAD_WITH_ALTERED_SEARCH_PATH) {
		DWORD units = GetCurrentDirectoryW(MAX_PATH - 1, other);

		if (units && units < MAX_PATH - 1) {
			memcpy(other + units, L"\\", 2 * sizeof(WCHAR));
			end = directory_append(end, other);
		}
		end = directory_append(end, L"C:\\bin\\");
	}
	*end = 0;
	return list;
}

/*
 * The full path of a name that has one, in out (PATH_UNITS_MAX units): with a dot at its end if the name has one, which tells the
 * loader that it has no suffix. A name without a path is returned as it is. NULL: too long.
 */
static const WCHAR *full_name(const WCHAR *name, WCHAR *out)
{
	DWORD length, units = (DWORD)wcslen(name);

	if (!has_path(name))
		return name;
	if (name[0] == '\\' && (name[1] == '\\' || name[1] == '?') && name[2] == '?' && name[3] == '\\')
		return name + 4;
	length = path_full(name, out, PATH_UNITS_MAX - 1);
	if (!length || length >= PATH_UNITS_MAX - 1) {
		SetLastError(ERROR_FILENAME_EXCED_RANGE);
		return NULL;
	}
	if (name[units - 1] == '.')
		memcpy(out + length, L".", 2 * sizeof(WCHAR));
	return out;
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
 * The path that LoadLibrary means, as full_name: a relative one that does not begin with a dot is looked for beside the program
 * first, as the standard search strategy has it.
 */
static const WCHAR *load_name(const WCHAR *name, WCHAR *out)
{
	WCHAR beside[MAX_PATH];
	DWORD units, length = (DWORD)wcslen(name);

	if (has_path(name) && !is_separator(name[0]) && name[0] != '.' && name[1] != ':') {
		units = GetModuleFileNameW(NULL, beside, MAX_PATH);
		while (units && !is_separator(beside[units - 1]))
			units--;
		if (units && units + length + 5 < MAX_PATH) {
			const WCHAR *last = name + length;

			memcpy(beside + units, name, (length + 1) * sizeof(WCHAR));
			while (last > name && !is_separator(last[-1]) && last[-1] != '.')
				last--;
			if (last == name || last[-1] != '.')
				memcpy(beside + units + length, L".dll", 5 * sizeof(WCHAR));
			if (path_exists(beside))
				return full_name(beside, out);
		}
	}
	return full_name(name, out);
}

/* The path of a file to be mapped for its resources, in path; list: as search_list has it. FALSE: it is not there. */
static BOOL resource_find(const WCHAR *name, WCHAR *list, WCHAR *path)
{
	BOOL found = FALSE;

	if (!list || has_path(name))
		found = path_search(name, L".dll", path);
	for (WCHAR *end; list && !found && *list; list = end + 1) {
		for (end = list; *end != ';'; end++)
			;
		*end = 0;
		found = SearchPathW(list, name, L".dll", PATH_UNITS_MAX, path, NULL) != 0;
	}
	if (!found)
		SetLastError(ERROR_FILE_NOT_FOUND);
	return found;
}

/* With LOAD_LIBRARY_AS_DATAFILE and LOAD_LIBRARY_AS_IMAGE_RESOURCE the file is mapped as an image. */
HMODULE WINAPI LoadLibraryExW(LPCWSTR name, HANDLE reserved, DWORD flags)
{
	ULONG mapped_only = IMAGE_FILE_EXECUTABLE_IMAGE;
	WCHAR *path, *list;
	UNICODE_STRING text;
	HMODULE module = NULL;
	void *base;

	if (!name || !*name || reserved || flags & ~LOAD_FLAGS ||
	    (flags & LOAD_WITH_ALTERED_SEARCH_PATH && flags & SEARCH_FLAGS) ||
	    (flags & LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR && !is_absolute(name))) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	path = memory_get(4 * PATH_UNITS_MAX * sizeof(WCHAR));
	if (!path)
		return NULL;
	list = path + PATH_UNITS_MAX;
	if (flags & MAP_FLAGS) {
		if (resource_find(name, search_list(is_absolute(name) ? name : NULL, flags, list), path))
			module = load_as_resource(path, flags);
	} else {
		const WCHAR *full = load_name(name, path);
		WCHAR *directories = full ? search_list(is_absolute(name) ? full : NULL, flags, list) : NULL;

		RtlInitUnicodeString(&text, full);
		if (full && status_result(LdrLoadDll(directories, flags & DONT_RESOLVE_DLL_REFERENCES ? &mapped_only : NULL, &text,
						     &base)))
			module = base;
	}
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

#define HANDLE_FLAGS                                                                                                   \
	(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS)

/* The base of the module that a name or an address stands for; NULL: the program's. */
static NTSTATUS module_find(DWORD flags, const WCHAR *name, void **base)
{
	const WCHAR *full;
	UNICODE_STRING text;
	NTSTATUS status;
	WCHAR *path;

	if (flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS)
		return RtlPcToFileHeader((void *)name, base) ? STATUS_SUCCESS : STATUS_DLL_NOT_FOUND;
	*base = peb_current()->image_base;
	if (!name)
		return STATUS_SUCCESS;
	path = has_path(name) ? memory_get(PATH_UNITS_MAX * sizeof(WCHAR)) : NULL;
	if (has_path(name) && !path)
		return STATUS_NO_MEMORY;
	full = full_name(name, path);
	RtlInitUnicodeString(&text, full);
	status = full ? LdrGetDllHandle(NULL, NULL, &text, base) : STATUS_NAME_TOO_LONG;
	memory_free(path);
	return status;
}

/* FALSE: *module is NULL. A module can't be kept for ever and not counted at once. */
WINBOOL WINAPI GetModuleHandleExW(DWORD flags, LPCWSTR name, HMODULE *module)
{
	void *base = NULL;
	NTSTATUS status;

	if (module)
		*module = NULL;
	if (!module || flags & ~(DWORD)HANDLE_FLAGS || (!name && flags & GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS) ||
	    (flags & GET_MODULE_HANDLE_EX_FLAG_PIN && flags & GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (flags & GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT) {
		status = module_find(flags, name, &base);
	} else { /* between the two calls nobody else may unload it */
		RtlEnterCriticalSection(peb_current()->loader_lock);
		status = module_find(flags, name, &base);
		if (NT_SUCCESS(status))
			status = LdrAddRefDll(flags & GET_MODULE_HANDLE_EX_FLAG_PIN ? LDR_ADDREF_DLL_PIN : 0, base);
		RtlLeaveCriticalSection(peb_current()->loader_lock);
	}
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
	if (module)
		*module = NULL;
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
