/*
 * Open files as small numbers. In text mode reading turns CR LF into LF and ends at ^Z, writing turns LF into CR LF,
 * except on the console, which does that itself.
 */
#include "msvcrt.h"
#include <fcntl.h>
#include <io.h>
#include <share.h>
#include <sys/stat.h>

int _fmode = _O_TEXT;
static struct descriptor table[DESCRIPTORS] START_DATA_LAST;

/* What the handle is: flags without FD_TEXT and FD_APPEND. */
static unsigned char handle_flags(HANDLE handle)
{
	LARGE_INTEGER here = { .QuadPart = 0 };
	DWORD mode;

	if (GetConsoleMode(handle, &mode))
		return FD_CONSOLE;
	return GetFileType(handle) == FILE_TYPE_DISK && SetFilePointerEx(handle, here, &here, FILE_CURRENT) ? FD_SEEKABLE : 0;
}

void descriptors_init(void)
{
	static const DWORD standard[] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };

	for (int fd = 0; fd < 3; fd++) {
		HANDLE handle = GetStdHandle(standard[fd]);

		if (!handle || handle == INVALID_HANDLE_VALUE)
			continue;
		table[fd] = (struct descriptor){ handle, FD_TEXT | FD_UNKNOWN, -1 };
	}
}

void descriptors_close(void)
{
	for (int fd = 3; fd < DESCRIPTORS; fd++)
		if (table[fd].handle)
			CloseHandle(table[fd].handle);
}

struct descriptor *descriptor_get(int fd)
{
	if (fd >= 0 && fd < DESCRIPTORS && table[fd].handle) {
		if (table[fd].flags & FD_UNKNOWN) {
			DWORD error = GetLastError();

			table[fd].flags = (unsigned char)((table[fd].flags & ~FD_UNKNOWN) | handle_flags(table[fd].handle));
			SetLastError(error);
		}
		return &table[fd];
	}
	*__doserrno() = 0;
	errno = EBADF;
	return NULL;
}

/* The lowest free number from first on, or -1. */
static int descriptor_new(int first, HANDLE handle, unsigned char flags)
{
	int fd = first;

	_lock(LOCK_FILES);
	while (fd < DESCRIPTORS && table[fd].handle)
		fd++;
	if (fd < DESCRIPTORS)
		table[fd] = (struct descriptor){ handle, flags, -1 };
	_unlock(LOCK_FILES);
	return fd < DESCRIPTORS ? fd : error_set(EMFILE);
}

int __cdecl _open_osfhandle(intptr_t handle, int flags)
{
	unsigned char own = handle_flags((HANDLE)handle);

	if (GetFileType((HANDLE)handle) == FILE_TYPE_UNKNOWN && GetLastError())
		return error_set_windows();
	if (flags & _O_APPEND)
		own |= FD_APPEND;
	if (flags & _O_TEXT)
		own |= FD_TEXT;
	return descriptor_new(0, (HANDLE)handle, own);
}

intptr_t __cdecl _get_osfhandle(int fd)
{
	struct descriptor *d = descriptor_get(fd);

	return d ? (intptr_t)d->handle : -1;
}

static int mode_mask;

/* Takes the permission to write (_S_IWRITE) from files that will be created. Returns the mask before. */
int __cdecl _umask(int mask)
{
	int old = mode_mask;

	mode_mask = mask & (_S_IREAD | _S_IWRITE);
	return old;
}

static DWORD share_flags(int share, DWORD access)
{
	switch (share) {
	case _SH_DENYRW:
		return 0;
	case _SH_DENYWR:
		return FILE_SHARE_READ;
	case _SH_DENYRD:
		return FILE_SHARE_WRITE;
	case _SH_SECURE:
		return access == GENERIC_READ ? FILE_SHARE_READ : 0;
	}
	return FILE_SHARE_READ | FILE_SHARE_WRITE;
}

/* flags and mode as for _open, share as for _sopen. Text mode is _fmode's unless flags say it. Returns fd or -1. */
int descriptor_open(const wchar_t *path, int flags, int share, int mode)
{
	static const DWORD accesses[] = { GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE };
	SECURITY_ATTRIBUTES security = { sizeof(security), NULL, !(flags & _O_NOINHERIT) };
	DWORD access, create, attributes = FILE_ATTRIBUTE_NORMAL;
	unsigned char own = 0;
	HANDLE handle;
	int fd;

	if ((flags & 3) == 3)
		return error_set(EINVAL);
	access = accesses[flags & 3];
	if ((flags & (_O_CREAT | _O_EXCL)) == (_O_CREAT | _O_EXCL))
		create = CREATE_NEW;
	else if (flags & _O_CREAT)
		create = flags & _O_TRUNC ? CREATE_ALWAYS : OPEN_ALWAYS;
	else
		create = flags & _O_TRUNC ? TRUNCATE_EXISTING : OPEN_EXISTING;
	if ((flags & _O_CREAT) && !(mode & ~mode_mask & _S_IWRITE))
		attributes = FILE_ATTRIBUTE_READONLY;
	if (flags & _O_TEMPORARY) {
		attributes |= FILE_FLAG_DELETE_ON_CLOSE;
		access |= DELETE;
	}
	handle = CreateFileW(path, access, share_flags(share, access), &security, create, attributes, NULL);
	if (handle == INVALID_HANDLE_VALUE)
		return error_set_windows();
	if (flags & _O_TEXT || (!(flags & _O_BINARY) && _fmode != _O_BINARY))
		own = FD_TEXT;
	if (flags & _O_APPEND)
		own |= FD_APPEND;
	fd = descriptor_new(0, handle, own | handle_flags(handle));
	if (fd < 0)
		CloseHandle(handle);
	return fd;
}

static int path_open_narrow(const char *path, int flags, int share, int mode)
{
	wchar_t buffer[PATH_UNITS], *wide = path_wide(path, buffer);

	return wide ? descriptor_open(wide, flags, share, mode) : -1;
}

static int mode_argument(int flags, va_list arguments)
{
	return flags & _O_CREAT ? va_arg(arguments, int) : 0;
}

int __cdecl _open(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = path_open_narrow(path, flags, _SH_DENYNO, mode_argument(flags, arguments));
	va_end(arguments);
	return fd;
}

int __cdecl _sopen(const char *path, int flags, int share, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, share);
	fd = path_open_narrow(path, flags, share, mode_argument(flags, arguments));
	va_end(arguments);
	return fd;
}

int __cdecl _wopen(const wchar_t *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = descriptor_open(path, flags, _SH_DENYNO, mode_argument(flags, arguments));
	va_end(arguments);
	return fd;
}

int __cdecl _creat(const char *path, int mode)
{
	return _open(path, _O_CREAT | _O_TRUNC | _O_RDWR, mode);
}

int __cdecl _close(int fd)
{
	struct descriptor *d = descriptor_get(fd);
	HANDLE handle;

	if (!d)
		return -1;
	handle = d->handle;
	_lock(LOCK_FILES);
	d->handle = NULL;
	_unlock(LOCK_FILES);
	/* The standard numbers may share one handle of the console. */
	for (int other = 0; other < 3; other++)
		if (table[other].handle == handle)
			return 0;
	return CloseHandle(handle) ? 0 : error_set_windows();
}

static HANDLE handle_duplicate(HANDLE handle)
{
	HANDLE copy;

	if (DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, TRUE, DUPLICATE_SAME_ACCESS))
		return copy;
	error_set_windows();
	return NULL;
}

int __cdecl _dup(int fd)
{
	struct descriptor *d = descriptor_get(fd);
	HANDLE copy = d ? handle_duplicate(d->handle) : NULL;
	int other;

	if (!copy)
		return -1;
	other = descriptor_new(0, copy, d->flags);
	if (other < 0)
		CloseHandle(copy);
	return other;
}

/* Makes to another number of fd's file. The standard ones are the process's standard handles as well. */
int __cdecl _dup2(int fd, int to)
{
	static const DWORD standard[] = { STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE };
	struct descriptor *d = descriptor_get(fd);
	HANDLE copy;

	if (!d)
		return -1;
	if (to < 0 || to >= DESCRIPTORS)
		return error_set(EBADF);
	if (to == fd)
		return 0;
	copy = handle_duplicate(d->handle);
	if (!copy)
		return -1;
	if (table[to].handle)
		_close(to);
	_lock(LOCK_FILES);
	table[to] = (struct descriptor){ copy, d->flags, -1 };
	_unlock(LOCK_FILES);
	if (to < 3)
		SetStdHandle(standard[to], copy);
	return 0;
}

int __cdecl _isatty(int fd)
{
	struct descriptor *d = descriptor_get(fd);

	return d && GetFileType(d->handle) == FILE_TYPE_CHAR ? 0x40 : 0;
}

/* Returns the mode before, _O_TEXT or _O_BINARY. */
int __cdecl _setmode(int fd, int mode)
{
	struct descriptor *d = descriptor_get(fd);
	int old;

	if (!d)
		return -1;
	if (mode != _O_TEXT && mode != _O_BINARY)
		return error_set(EINVAL);
	old = d->flags & FD_TEXT ? _O_TEXT : _O_BINARY;
	d->flags = (unsigned char)(mode == _O_TEXT ? d->flags | FD_TEXT : d->flags & ~FD_TEXT);
	return old;
}

int __cdecl _set_fmode(int mode)
{
	if (mode != _O_TEXT && mode != _O_BINARY)
		return error_set(EINVAL), EINVAL;
	_fmode = mode;
	return 0;
}

int __cdecl _get_fmode(int *mode)
{
	if (!mode)
		return error_set(EINVAL), EINVAL;
	*mode = _fmode;
	return 0;
}

long long descriptor_seek(int fd, long long offset, int origin)
{
	struct descriptor *d = descriptor_get(fd);
	LARGE_INTEGER at;

	if (!d)
		return -1;
	if (origin < SEEK_SET || origin > SEEK_END)
		return error_set(EINVAL);
	if (!(d->flags & FD_SEEKABLE))
		return error_set(ESPIPE);
	/* FILE_BEGIN, FILE_CURRENT and FILE_END are 0, 1, 2; SEEK_SET, SEEK_CUR and SEEK_END are too. */
	if (!SetFilePointerEx(d->handle, (LARGE_INTEGER){ .QuadPart = offset }, &at, (DWORD)origin))
		return error_set_windows();
	d->flags &= (unsigned char)~FD_END;
	return at.QuadPart;
}
