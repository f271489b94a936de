/* DOS paths: made full, turned into NT paths, searched for; the current directory and the system's ones. */
#include "kernel32.h"

static const WCHAR system_directory[] = L"C:\\system";

static WCHAR path_unit(WCHAR c)
{
	return c == '/' ? '\\' : c;
}

static BOOL is_device(const WCHAR *path)
{
	if ((path[0] != 'C' && path[0] != 'c') || (path[1] != 'O' && path[1] != 'o'))
		return FALSE;
	return !_wcsicmp(path, L"CONIN$") || !_wcsicmp(path, L"CONOUT$") || !_wcsicmp(path, L"CON");
}

/* "\\?\", "\\.\" or "\??\" in front: what follows is for the kernel as it is. */
static BOOL is_verbatim(const WCHAR *path)
{
	return path[0] == '\\' && (path[1] == '\\' || path[1] == '?') && (path[2] == '?' || path[2] == '.') &&
	       path[3] == '\\';
}

/*
 * Writes the full form of path: drive, backslashes only, no "." and "..", no trailing blanks and dots of components.
 * Returns units without the end; when they and the end do not fit: units needed with the end. 0: the path is too long.
 */
DWORD path_full(const WCHAR *path, WCHAR *out, DWORD units)
{
	const UNICODE_STRING *current = &peb_current()->parameters->current_directory;
	WCHAR full[PATH_UNITS_MAX];
	DWORD length = 0, root = 3;

	RtlEnterCriticalSection(peb_current()->fast_lock); /* SetCurrentDirectory */
	if (path[0] && path[1] == ':') {
		full[length++] = RtlUpcaseUnicodeChar(path[0]);
		full[length++] = ':';
		full[length++] = '\\';
		path += 2;
		/* "D:name" counts from the drive's current directory: the variable "=D:" has that of another drive. */
		if (path_unit(path[0]) != '\\' && RtlUpcaseUnicodeChar(current->Buffer[0]) == full[0]) {
			length = current->Length / sizeof(WCHAR);
			memcpy(full, current->Buffer, current->Length);
		} else if (path_unit(path[0]) != '\\') {
			const WCHAR name[] = { '=', full[0], ':', 0 };
			WCHAR other[PATH_UNITS_MAX / 2];
			DWORD units = GetEnvironmentVariableW(name, other, PATH_UNITS_MAX / 2);

			if (units > 3 && units < PATH_UNITS_MAX / 2 && other[0] == full[0] && other[1] == ':' && other[2] == '\\') {
				length = units;
				memcpy(full, other, units * sizeof(WCHAR));
			}
		}
	} else if (path_unit(path[0]) == '\\') {
		memcpy(full, current->Buffer, 2 * sizeof(WCHAR));
		full[2] = '\\';
		length = 3;
	} else {
		length = current->Length / sizeof(WCHAR);
		memcpy(full, current->Buffer, current->Length);
	}
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	if (full[length - 1] != '\\')
		full[length++] = '\\';
	while (*path) {
		const WCHAR *start;
		DWORD part;

		while (path_unit(*path) == '\\')
			path++;
		for (start = path; *path && path_unit(*path) != '\\';)
			path++;
		part = (DWORD)(path - start);
		if (part == 2 && start[0] == '.' && start[1] == '.') {
			while (length > root && full[--length - 1] != '\\')
				;
			continue;
		}
		while (part && (start[part - 1] == '.' || (start[part - 1] == ' ' && !*path)))
			part--;
		if (!part)
			continue;
		if (length + part + 2 >= PATH_UNITS_MAX)
			return 0;
		memcpy(full + length, start, part * sizeof(WCHAR));
		length += part;
		if (*path)
			full[length++] = '\\';
	}
	if (length + 1 > units)
		return length + 1;
	memcpy(out, full, length * sizeof(WCHAR));
	out[length] = 0;
	return length;
}

/*
 * The NT path of a DOS path: \??\ and the full form; devices keep their name, "\\?\" and "\??\" paths are taken as
 * they are.
 */
NTSTATUS path_to_nt_in(const WCHAR *path, WCHAR *buffer, UNICODE_STRING *out)
{
	DWORD length;

	if (!*path)
		return STATUS_OBJECT_PATH_NOT_FOUND;
	memcpy(buffer, L"\\??\\", 4 * sizeof(WCHAR));
	if (is_verbatim(path)) {
		path += 4;
	} else if (!is_device(path)) {
		length = path_full(path, buffer + 4, PATH_UNITS_MAX);
		if (!length || length >= PATH_UNITS_MAX)
			return STATUS_NAME_TOO_LONG;
		path = NULL;
	}
	if (path) {
		length = (DWORD)wcslen(path);
		if (length >= PATH_UNITS_MAX)
			return STATUS_NAME_TOO_LONG;
		memcpy(buffer + 4, path, (length + 1) * sizeof(WCHAR));
	}
	out->Buffer = buffer;
	out->Length = (USHORT)((length + 4) * sizeof(WCHAR));
	out->MaximumLength = out->Length + sizeof(WCHAR);
	return STATUS_SUCCESS;
}

NTSTATUS path_to_nt(const WCHAR *path, UNICODE_STRING *out)
{
	WCHAR *buffer = memory_get(NT_PATH_UNITS_MAX * sizeof(WCHAR));
	NTSTATUS status = buffer ? path_to_nt_in(path, buffer, out) : STATUS_NO_MEMORY;

	if (!NT_SUCCESS(status))
		memory_free(buffer);
	return status;
}

void path_free(UNICODE_STRING *path)
{
	memory_free(path->Buffer);
}

/* Opens something that exists, sharing everything, for synchronous use. options: FILE_DIRECTORY_FILE and the like. */
NTSTATUS path_open(const WCHAR *path, ACCESS_MASK access, ULONG options, HANDLE *out)
{
	OBJECT_ATTRIBUTES attributes;
	IO_STATUS_BLOCK io;
	UNICODE_STRING name;
	NTSTATUS status = path_to_nt(path, &name);

	if (!NT_SUCCESS(status))
		return status;
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	status = NtOpenFile(out, access | SYNCHRONIZE, &attributes, &io,
			    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
			    options | FILE_SYNCHRONOUS_IO_NONALERT);
	path_free(&name);
	return status;
}

/* Whether there is such a file; if not, the last error says why: ERROR_ACCESS_DENIED for a directory. */
BOOL path_exists(const WCHAR *path)
{
	DWORD attributes = GetFileAttributesW(path);

	if (attributes == INVALID_FILE_ATTRIBUTES)
		return FALSE;
	if (attributes & FILE_ATTRIBUTE_DIRECTORY)
		SetLastError(ERROR_ACCESS_DENIED);
	return !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

/* Tries directory\name, then with the suffix if the name has none. out has PATH_UNITS_MAX units. */
static BOOL search_in(const WCHAR *directory, ULONG units, const WCHAR *name, const WCHAR *suffix, WCHAR *out)
{
	ULONG length = (ULONG)wcslen(name), suffix_units = suffix ? (ULONG)wcslen(suffix) : 0;
	BOOL has_suffix = FALSE;

	if (units + length + suffix_units + 2 > PATH_UNITS_MAX)
		return FALSE;
	memcpy(out, directory, units * sizeof(WCHAR));
	if (units && out[units - 1] != '\\')
		out[units++] = '\\';
	memcpy(out + units, name, (length + 1) * sizeof(WCHAR));
	for (ULONG i = 0; i < length; i++) {
		if (name[i] == '.')
			has_suffix = TRUE;
		else if (path_unit(name[i]) == '\\')
			has_suffix = FALSE;
	}
	if (has_suffix || !suffix_units)
		return path_exists(out);
	memcpy(out + units + length, suffix, (suffix_units + 1) * sizeof(WCHAR));
	if (path_exists(out))
		return TRUE;
	out[units + length] = 0;
	return path_exists(out);
}

/*
 * Finds a file: a name with a path there; else in the EXE's directory, the current directory, C:\system, C:\bin, and
 * the directories of PATH. out has PATH_UNITS_MAX units, and holds a path that exists when TRUE is returned.
 */
BOOL path_search(const WCHAR *name, const WCHAR *suffix, WCHAR *out)
{
	WCHAR exe[PATH_UNITS_MAX / 2];
	WCHAR *list;
	DWORD units = GetModuleFileNameW(NULL, exe, PATH_UNITS_MAX / 2);
	BOOL found = FALSE;

	for (const WCHAR *at = name; *at; at++)
		if (path_unit(*at) == '\\' || *at == ':')
			return search_in(L"", 0, name, suffix, out);
	while (units && exe[units - 1] != '\\')
		units--;
	if (search_in(exe, units, name, suffix, out) || search_in(L"", 0, name, suffix, out) ||
	    search_in(system_directory, 9, name, suffix, out) || search_in(L"C:\\bin", 6, name, suffix, out))
		return TRUE;
	units = GetEnvironmentVariableW(L"PATH", NULL, 0);
	list = memory_get((units + 1) * sizeof(WCHAR));
	if (!list)
		return FALSE;
	list[0] = 0;
	GetEnvironmentVariableW(L"PATH", list, units);
	for (WCHAR *at = list; !found && *at;) {
		ULONG length = 0;

		while (at[length] && at[length] != ';')
			length++;
		found = length && search_in(at, length, name, suffix, out);
		at += length + (at[length] == ';');
	}
	memory_free(list);
	if (!found)
		SetLastError(ERROR_FILE_NOT_FOUND);
	return found;
}

DWORD WINAPI GetFullPathNameW(LPCWSTR path, DWORD units, LPWSTR out, LPWSTR *file_part)
{
	DWORD length;

	if (!path || !*path) {
		SetLastError(ERROR_INVALID_NAME);
		return 0;
	}
	length = path_full(path, out, units);
	if (!length)
		SetLastError(ERROR_FILENAME_EXCED_RANGE);
	if (file_part && length && length < units) {
		DWORD at = length;

		while (out[at - 1] != '\\')
			at--;
		*file_part = out[at] ? out + at : NULL;
	}
	return length;
}

DWORD WINAPI GetFullPathNameA(LPCSTR path, DWORD size, LPSTR out, LPSTR *file_part)
{
	WCHAR *wide = wide_from(path), *full = NULL;
	DWORD length = 0;

	if (wide)
		full = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	if (full)
		length = GetFullPathNameW(wide, PATH_UNITS_MAX, full, NULL);
	if (length)
		length = narrow_result(full, length, out, size);
	if (file_part && length && length < size) {
		DWORD at = length;

		while (out[at - 1] != '\\')
			at--;
		*file_part = out[at] ? out + at : NULL;
	}
	memory_free(full);
	memory_free(wide);
	return length;
}

/* The usual result for wide text: see narrow_result. */
static DWORD wide_result(const WCHAR *text, DWORD length, WCHAR *out, DWORD units)
{
	if (length + 1 > units)
		return length + 1;
	memcpy(out, text, length * sizeof(WCHAR));
	out[length] = 0;
	return length;
}

/* Without the backslash at its end, but for the root. */
static DWORD current_directory_units(void)
{
	const UNICODE_STRING *current = &peb_current()->parameters->current_directory;
	DWORD units = current->Length / sizeof(WCHAR);

	return units > 3 && current->Buffer[units - 1] == '\\' ? units - 1 : units;
}

DWORD WINAPI GetCurrentDirectoryW(DWORD units, LPWSTR out)
{
	return wide_result(peb_current()->parameters->current_directory.Buffer, current_directory_units(), out, units);
}

DWORD WINAPI GetCurrentDirectoryA(DWORD size, LPSTR out)
{
	return narrow_result(peb_current()->parameters->current_directory.Buffer, current_directory_units(), out, size);
}

WINBOOL WINAPI SetCurrentDirectoryW(LPCWSTR path)
{
	UNICODE_STRING *current = &peb_current()->parameters->current_directory;
	static WCHAR *own; /* the block that current points to once it has been changed */
	WCHAR *full;
	DWORD length;
	HANDLE directory;

	if (!status_result(path_open(path, FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE, &directory)))
		return FALSE;
	NtClose(directory);
	full = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	if (!full)
		return FALSE;
	length = path_full(path, full, PATH_UNITS_MAX - 1);
	if (full[length - 1] != '\\')
		full[length++] = '\\';
	full[length] = 0;
	RtlEnterCriticalSection(peb_current()->fast_lock);
	current->Buffer = full;
	current->Length = (USHORT)(length * sizeof(WCHAR));
	current->MaximumLength = PATH_UNITS_MAX * sizeof(WCHAR);
	memory_free(own);
	own = full;
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	return TRUE;
}

WINBOOL WINAPI SetCurrentDirectoryA(LPCSTR path)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && SetCurrentDirectoryW(wide);

	memory_free(wide);
	return done;
}

UINT WINAPI GetSystemDirectoryW(LPWSTR out, UINT units)
{
	return wide_result(system_directory, 9, out, units);
}

UINT WINAPI GetSystemDirectoryA(LPSTR out, UINT size)
{
	return narrow_result(system_directory, 9, out, size);
}

/*
 * suffix is added to a name without one. Only the standard directories: a path in the first argument is searched
 * alone.
 */
DWORD WINAPI SearchPathW(LPCWSTR path, LPCWSTR name, LPCWSTR suffix, DWORD units, LPWSTR out, LPWSTR *file_part)
{
	WCHAR *found = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = 0;

	if (!found)
		return 0;
	if (path ? search_in(path, (ULONG)wcslen(path), name, suffix, found) : path_search(name, suffix, found))
		length = GetFullPathNameW(found, units, out, file_part);
	memory_free(found);
	return length;
}
