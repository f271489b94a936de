/* Paths as text: made absolute, split into their parts, and put together. */
#include "msvcrt.h"

/* path made absolute; without a buffer one is allocated. The file need not exist. */
wchar_t *__cdecl _wfullpath(wchar_t *to, const wchar_t *path, size_t size)
{
	wchar_t full[PATH_UNITS];
	DWORD length = GetFullPathNameW(path && *path ? path : L".", PATH_UNITS, full, NULL);

	if (!length || length >= PATH_UNITS) {
		error_set_windows();
		return NULL;
	}
	if (!to)
		return _wcsdup(full);
	if (length >= size) {
		errno = ERANGE;
		return NULL;
	}
	return wcscpy(to, full);
}

char *__cdecl _fullpath(char *to, const char *path, size_t size)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(path ? path : "", buffer), full[PATH_UNITS];
	char narrow[PATH_UNITS * 3];

	if (!wide || !_wfullpath(full, wide, PATH_UNITS) || !path_narrow(full, narrow, sizeof(narrow)))
		return NULL;
	return to ? path_narrow(full, to, size) : _strdup(narrow);
}

static void part_copy(char *to, const char *from, const char *end, size_t room)
{
	size_t n = (size_t)(end - from);

	if (!to)
		return;
	if (n >= room)
		n = room - 1;
	memcpy(to, from, n);
	to[n] = 0;
}

/* drive with its colon, directory with its last slash, name, extension with its dot; each may be NULL. */
void __cdecl _splitpath(const char *path, char *drive, char *directory, char *name, char *extension)
{
	const char *at = path, *base, *dot = NULL, *end;

	if (*at && at[1] == ':')
		at += 2;
	part_copy(drive, path, at, _MAX_DRIVE);
	base = at;
	for (end = at; *end; end++) {
		if (*end == '\\' || *end == '/') {
			base = end + 1;
			dot = NULL;
		} else if (*end == '.') {
			dot = end;
		}
	}
	if (!dot)
		dot = end;
	part_copy(directory, at, base, _MAX_DIR);
	part_copy(name, base, dot, _MAX_FNAME);
	part_copy(extension, dot, end, _MAX_EXT);
}

/* The reverse: a colon, a backslash and a dot are added where they are missing. */
void __cdecl _makepath(char *path, const char *drive, const char *directory, const char *name, const char *extension)
{
	char *at = path;

	if (drive && *drive) {
		*at++ = *drive;
		*at++ = ':';
	}
	if (directory && *directory) {
		size_t n = strlen(directory);

		memcpy(at, directory, n);
		at += n;
		if (at[-1] != '\\' && at[-1] != '/')
			*at++ = '\\';
	}
	if (name) {
		strcpy(at, name);
		at += strlen(at);
	}
	if (extension && *extension) {
		if (*extension != '.')
			*at++ = '.';
		strcpy(at, extension);
		at += strlen(at);
	}
	*at = 0;
}
