/* Files and directories by their names: narrow names are UTF-8. */
#include "msvcrt.h"
#include <direct.h>
#include <io.h>
#include <sys/stat.h>
#include <sys/types.h>

static int result_of(BOOL ok)
{
	return ok ? 0 : error_set_windows();
}

/* mode: 2 or 6 asks whether it can be written; everything that exists can be read. */
int __cdecl _waccess(const wchar_t *path, int mode)
{
	DWORD attributes = GetFileAttributesW(path);

	if (attributes == INVALID_FILE_ATTRIBUTES)
		return error_set_windows();
	if ((mode & 2) && (attributes & FILE_ATTRIBUTE_READONLY) && !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		*__doserrno() = ERROR_ACCESS_DENIED;
		return error_set(EACCES);
	}
	return 0;
}

int __cdecl _wremove(const wchar_t *path)
{
	return result_of(DeleteFileW(path));
}

int __cdecl _wunlink(const wchar_t *path)
{
	return _wremove(path);
}

/* A file that has the new name already is not replaced: errno is EEXIST. */
int __cdecl _wrename(const wchar_t *from, const wchar_t *to)
{
	return result_of(MoveFileW(from, to));
}

int __cdecl _wmkdir(const wchar_t *path)
{
	return result_of(CreateDirectoryW(path, NULL));
}

int __cdecl _wrmdir(const wchar_t *path)
{
	return result_of(RemoveDirectoryW(path));
}

int __cdecl _wchdir(const wchar_t *path)
{
	WCHAR now[MAX_PATH], name[] = L"=C:";

	if (!SetCurrentDirectoryW(path))
		return result_of(FALSE);
	/* For "D:name", while another drive is the current one. */
	if (GetCurrentDirectoryW(MAX_PATH, now) < MAX_PATH && now[1] == ':') {
		name[1] = now[0];
		SetEnvironmentVariableW(name, now);
	}
	return 0;
}

#define NARROW(name, wide_name) \
	int __cdecl name(const char *path) \
	{ \
		wchar_t buffer[PATH_UNITS], *wide = path_wide(path, buffer); \
		return wide ? wide_name(wide) : -1; \
	}

NARROW(remove, _wremove)
NARROW(_unlink, _wunlink)
NARROW(_mkdir, _wmkdir)
NARROW(_rmdir, _wrmdir)
NARROW(_chdir, _wchdir)

int __cdecl _access(const char *path, int mode)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(path, buffer);

	return wide ? _waccess(wide, mode) : -1;
}

int __cdecl rename(const char *from, const char *to)
{
	wchar_t from_buffer[PATH_UNITS], to_buffer[PATH_UNITS];

	if (!path_wide(from, from_buffer) || !path_wide(to, to_buffer))
		return -1;
	return _wrename(from_buffer, to_buffer);
}

/* The current directory; without a buffer one is allocated, of size units at least. */
wchar_t *__cdecl _wgetcwd(wchar_t *to, int size)
{
	wchar_t path[PATH_UNITS];
	DWORD length = GetCurrentDirectoryW(PATH_UNITS, path);

	if (!length || length >= PATH_UNITS) {
		error_set_windows();
		return NULL;
	}
	if (!to) {
		to = malloc((size > (int)length ? (size_t)size : length + 1) * sizeof(wchar_t));
	} else if (size <= (int)length) {
		errno = ERANGE;
		return NULL;
	}
	return to ? wcscpy(to, path) : NULL;
}

char *__cdecl _getcwd(char *to, int size)
{
	wchar_t path[PATH_UNITS];
	char narrow[PATH_UNITS * 3];
	size_t length;

	if (!_wgetcwd(path, PATH_UNITS) || !path_narrow(path, narrow, sizeof(narrow)))
		return NULL;
	length = strlen(narrow);
	if (!to) {
		to = malloc(size > (int)length ? (size_t)size : length + 1);
	} else if (size <= (int)length) {
		errno = ERANGE;
		return NULL;
	}
	return to ? strcpy(to, narrow) : NULL;
}

static bool is_program(const wchar_t *path)
{
	static const wchar_t *const ends[] = { L".exe", L".com", L".cmd", L".bat" };
	const wchar_t *dot = path ? wcsrchr(path, '.') : NULL;

	for (int i = 0; dot && i < 4; i++)
		if (!_wcsicmp(dot, ends[i]))
			return true;
	return false;
}

static unsigned short mode_of(DWORD attributes, const wchar_t *path)
{
	unsigned short mode = attributes & FILE_ATTRIBUTE_DIRECTORY ? _S_IFDIR | _S_IEXEC : _S_IFREG;

	mode |= _S_IREAD;
	if (!(attributes & FILE_ATTRIBUTE_READONLY))
		mode |= _S_IWRITE;
	if (is_program(path))
		mode |= _S_IEXEC;
	return mode | (mode & 0700) >> 3 | (mode & 0700) >> 6;
}

/* Volumes do not keep all times: one that is missing is 0. */
static long long time_or(const FILETIME *time, long long otherwise)
{
	return time->dwHighDateTime ? time_from_file_time(time) : otherwise;
}

int __cdecl _wstat64(const wchar_t *path, struct _stat64 *out)
{
	WIN32_FILE_ATTRIBUTE_DATA data;
	wchar_t full[PATH_UNITS];

	if (!GetFileAttributesExW(path, GetFileExInfoStandard, &data)) {
		error_set_windows();
		return error_set(ENOENT);
	}
	*out = (struct _stat64){ .st_nlink = 1, .st_mode = mode_of(data.dwFileAttributes, path) };
	if (GetFullPathNameW(path, PATH_UNITS, full, NULL) && full[1] == ':')
		out->st_dev = out->st_rdev = (_dev_t)(letter_lower(full[0]) - 'a');
	out->st_size = (long long)((uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow);
	out->st_mtime = time_from_file_time(&data.ftLastWriteTime);
	out->st_atime = time_or(&data.ftLastAccessTime, out->st_mtime);
	out->st_ctime = time_or(&data.ftCreationTime, out->st_mtime);
	return 0;
}

int __cdecl _stat64(const char *path, struct _stat64 *out)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(path, buffer);

	return wide ? _wstat64(wide, out) : -1;
}

int __cdecl _fstat64(int fd, struct _stat64 *out)
{
	struct descriptor *d = descriptor_get(fd);
	BY_HANDLE_FILE_INFORMATION data;
	DWORD type;

	if (!d)
		return -1;
	*out = (struct _stat64){ .st_nlink = 1 };
	type = GetFileType(d->handle);
	if (type != FILE_TYPE_DISK) {
		out->st_mode = type == FILE_TYPE_CHAR ? _S_IFCHR : _S_IFIFO;
		out->st_dev = out->st_rdev = (_dev_t)fd;
		return 0;
	}
	if (!GetFileInformationByHandle(d->handle, &data))
		return error_set_windows();
	out->st_mode = mode_of(data.dwFileAttributes, NULL);
	out->st_size = (long long)((uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow);
	out->st_mtime = time_from_file_time(&data.ftLastWriteTime);
	out->st_atime = time_or(&data.ftLastAccessTime, out->st_mtime);
	out->st_ctime = time_or(&data.ftCreationTime, out->st_mtime);
	return 0;
}
