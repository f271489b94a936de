/* A path's components by their long or their short names, as the directories have them. */
#include "kernel32.h"

static BOOL append(WCHAR *out, DWORD *length, const WCHAR *from, DWORD units)
{
	if (*length + units >= PATH_UNITS_MAX) {
		SetLastError(ERROR_FILENAME_EXCED_RANGE);
		return FALSE;
	}
	memcpy(out + *length, from, units * sizeof(WCHAR));
	out[*length += units] = 0;
	return TRUE;
}

/* The component of path that begins at at and ends before end. */
static BOOL component_append(const WCHAR *path, DWORD at, DWORD end, BOOL to_short, WCHAR *out, DWORD *length)
{
	WIN32_FIND_DATAW data;
	WCHAR prefix[PATH_UNITS_MAX];
	const WCHAR *name;
	HANDLE find;

	if (end - at <= 2 && path[at] == '.' && path[end - 1] == '.')
		return append(out, length, path + at, end - at);
	memcpy(prefix, path, end * sizeof(WCHAR));
	prefix[end] = 0;
	find = FindFirstFileW(prefix, &data);
	if (find == INVALID_HANDLE_VALUE)
		return FALSE;
	FindClose(find);
	name = to_short && data.cAlternateFileName[0] ? data.cAlternateFileName : data.cFileName;
	return append(out, length, name, (DWORD)wcslen(name));
}

/* out has PATH_UNITS_MAX units. Returns the length; 0: last error set. */
static DWORD path_convert(const WCHAR *path, BOOL to_short, WCHAR *out)
{
	DWORD total = path ? (DWORD)wcslen(path) : 0, length = 0, at = 0;

	if (!total || total >= PATH_UNITS_MAX) {
		SetLastError(total ? ERROR_FILENAME_EXCED_RANGE : ERROR_INVALID_PARAMETER);
		return 0;
	}
	if (GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
		return 0;
	if (path[1] == ':')
		at = 2;
	append(out, &length, path, at);
	while (at < total) {
		DWORD end = at;

		while (end < total && path[end] != '\\' && path[end] != '/')
			end++;
		if (end == at ? !append(out, &length, path + end++, 1) : !component_append(path, at, end, to_short, out, &length))
			return 0;
		at = end;
	}
	return length;
}

static DWORD convert_wide(LPCWSTR path, BOOL to_short, LPWSTR out, DWORD units)
{
	WCHAR *text = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = text ? path_convert(path, to_short, text) : 0;

	if (length && length + 1 > units)
		length++;
	else if (length)
		memcpy(out, text, (length + 1) * sizeof(WCHAR));
	memory_free(text);
	return length;
}

static DWORD convert_narrow(LPCSTR path, BOOL to_short, LPSTR out, DWORD size)
{
	WCHAR *wide = path ? wide_from(path) : NULL, *text = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = 0;

	if (!path)
		SetLastError(ERROR_INVALID_PARAMETER);
	else if (wide && text)
		length = path_convert(wide, to_short, text);
	if (length)
		length = narrow_result(text, length, out, size);
	memory_free(text);
	memory_free(wide);
	return length;
}

DWORD WINAPI GetLongPathNameW(LPCWSTR path, LPWSTR out, DWORD units)
{
	return convert_wide(path, FALSE, out, units);
}

DWORD WINAPI GetLongPathNameA(LPCSTR path, LPSTR out, DWORD size)
{
	return convert_narrow(path, FALSE, out, size);
}

DWORD WINAPI GetShortPathNameW(LPCWSTR path, LPWSTR out, DWORD units)
{
	return convert_wide(path, TRUE, out, units);
}

DWORD WINAPI GetShortPathNameA(LPCSTR path, LPSTR out, DWORD size)
{
	return convert_narrow(path, TRUE, out, size);
}

DWORD WINAPI SearchPathA(LPCSTR path, LPCSTR name, LPCSTR suffix, DWORD size, LPSTR out, LPSTR *file_part)
{
	WCHAR *wide[] = { path ? wide_from(path) : NULL, name ? wide_from(name) : NULL, suffix ? wide_from(suffix) : NULL };
	WCHAR *text = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	DWORD length = 0;

	if (!name)
		SetLastError(ERROR_INVALID_PARAMETER);
	else if (text && wide[1] && (wide[0] || !path) && (wide[2] || !suffix))
		length = SearchPathW(wide[0], wide[1], wide[2], PATH_UNITS_MAX, text, NULL);
	if (length)
		length = narrow_result(text, length, out, size);
	if (file_part && length && length < size) {
		*file_part = out + length;
		while ((*file_part)[-1] != '\\')
			--*file_part;
	}
	memory_free(text);
	for (int i = 0; i < 3; i++)
		memory_free(wide[i]);
	return length;
}
