/* Walking through a directory. */
#include "msvcrt.h"
#include <io.h>

/* Volumes do not keep all times: one that is missing is -1. */
static long long time_of(const FILETIME *time)
{
	return time->dwHighDateTime ? time_from_file_time(time) : -1;
}

static void found_set(struct _wfinddata64_t *out, const WIN32_FIND_DATAW *data)
{
	out->attrib = data->dwFileAttributes == FILE_ATTRIBUTE_NORMAL ? 0 : data->dwFileAttributes;
	out->time_write = time_from_file_time(&data->ftLastWriteTime);
	out->time_create = time_of(&data->ftCreationTime);
	out->time_access = time_of(&data->ftLastAccessTime);
	out->size = (long long)((uint64_t)data->nFileSizeHigh << 32 | data->nFileSizeLow);
	wcscpy(out->name, data->cFileName);
}

/* The first file whose name is like pattern. Returns a handle for _findnext64 and _findclose, or -1. */
intptr_t __cdecl _wfindfirst64(const wchar_t *pattern, struct _wfinddata64_t *out)
{
	WIN32_FIND_DATAW data;
	HANDLE find = FindFirstFileW(pattern, &data);

	if (find == INVALID_HANDLE_VALUE)
		return error_set_windows();
	found_set(out, &data);
	return (intptr_t)find;
}

int __cdecl _wfindnext64(intptr_t find, struct _wfinddata64_t *out)
{
	WIN32_FIND_DATAW data;

	if (!FindNextFileW((HANDLE)find, &data))
		return error_set_windows();
	found_set(out, &data);
	return 0;
}

static void found_narrow(struct __finddata64_t *out, const struct _wfinddata64_t *wide)
{
	out->attrib = wide->attrib;
	out->time_create = wide->time_create;
	out->time_access = wide->time_access;
	out->time_write = wide->time_write;
	out->size = wide->size;
	/* UTF-8 that does not fit: the name has more than 86 characters of three bytes. */
	if (!path_narrow(wide->name, out->name, sizeof(out->name)))
		out->name[0] = 0;
}

intptr_t __cdecl _findfirst64(const char *pattern, struct __finddata64_t *out)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(pattern, buffer);
	struct _wfinddata64_t found;
	intptr_t find = wide ? _wfindfirst64(wide, &found) : -1;

	if (find != -1)
		found_narrow(out, &found);
	return find;
}

int __cdecl _findnext64(intptr_t find, struct __finddata64_t *out)
{
	struct _wfinddata64_t found;

	if (_wfindnext64(find, &found))
		return -1;
	found_narrow(out, &found);
	return 0;
}

int __cdecl _findclose(intptr_t find)
{
	return FindClose((HANDLE)find) ? 0 : error_set_windows();
}

/* The forms with 32 bits for the size, of which a larger file has the lower ones. */
static void found_shorten(struct _wfinddata64i32_t *out, const struct _wfinddata64_t *found)
{
	out->attrib = found->attrib;
	out->time_create = found->time_create;
	out->time_access = found->time_access;
	out->time_write = found->time_write;
	out->size = (_fsize_t)found->size;
	wcscpy(out->name, found->name);
}

intptr_t __cdecl _wfindfirst64i32(const wchar_t *pattern, struct _wfinddata64i32_t *out)
{
	struct _wfinddata64_t found;
	intptr_t find = _wfindfirst64(pattern, &found);

	if (find != -1)
		found_shorten(out, &found);
	return find;
}

int __cdecl _wfindnext64i32(intptr_t find, struct _wfinddata64i32_t *out)
{
	struct _wfinddata64_t found;

	if (_wfindnext64(find, &found))
		return -1;
	found_shorten(out, &found);
	return 0;
}
