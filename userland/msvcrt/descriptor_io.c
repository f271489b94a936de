/* Reading, writing and positions of open files by their numbers, with the translation of text mode. */
#include "msvcrt.h"
#include <fcntl.h>
#include <io.h>

#define CTRL_Z 26

/* Bytes as they are. The end of a pipe is the end of the file. */
int descriptor_read_raw(int fd, void *to, unsigned int size)
{
	struct descriptor *d = descriptor_get(fd);
	DWORD done;

	if (!d)
		return -1;
	if (!ReadFile(d->handle, to, size, &done, NULL)) {
		if (GetLastError() == ERROR_BROKEN_PIPE || GetLastError() == ERROR_HANDLE_EOF)
			return 0;
		error_set_windows();
		if (*__doserrno() == ERROR_ACCESS_DENIED)
			errno = EBADF; /* not opened for reading */
		return -1;
	}
	return (int)done;
}

static void step(const struct descriptor *d, int offset)
{
	SetFilePointerEx(d->handle, (LARGE_INTEGER){ .QuadPart = offset }, NULL, FILE_CURRENT);
}

/*
 * Turns CR LF into LF in place and ends at ^Z. A CR at the end needs the byte behind it: on a file it is read and given
 * back, otherwise it is kept in d->ahead. Returns what is left of size.
 */
static int text_translate(int fd, struct descriptor *d, char *text, int size)
{
	int to = 0;
	char next;

	for (int from = 0; from < size; from++) {
		if (text[from] == CTRL_Z) {
			d->flags |= FD_END;
			if (d->flags & FD_SEEKABLE)
				step(d, from - size);
			break;
		}
		if (text[from] != '\r') {
			text[to++] = text[from];
		} else if (from + 1 < size) {
			if (text[from + 1] != '\n')
				text[to++] = '\r';
		} else if (descriptor_read_raw(fd, &next, 1) != 1) {
			text[to++] = '\r';
		} else if (next == '\n' && !to) {
			text[to++] = '\n'; /* at least one byte, else it would be the end */
		} else {
			if (next != '\n')
				text[to++] = '\r';
			if (d->flags & FD_SEEKABLE)
				step(d, -1);
			else
				d->ahead = (unsigned char)next;
		}
	}
	return to;
}

/* Returns the bytes read, after translation; 0 at the end; -1 on error. */
int __cdecl _read(int fd, void *to, unsigned int size)
{
	struct descriptor *d = descriptor_get(fd);
	char *at = to;
	int done = 0, got;

	if (!d)
		return -1;
	if (size > INT_MAX || (!to && size))
		return error_set(EINVAL);
	if (!size || (d->flags & FD_END))
		return 0;
	if (d->ahead >= 0) {
		*at = (char)d->ahead;
		d->ahead = -1;
		if (*at == '\n' || size == 1 || !(d->flags & FD_TEXT))
			return 1;
		done = 1;
	}
	got = done ? 0 : descriptor_read_raw(fd, at, size);
	if (got < 0)
		return -1;
	done += got;
	if (d->flags & FD_TEXT) {
		done = text_translate(fd, d, at, done);
		/* The end that ^Z makes on a device is for one call. */
		if (!(d->flags & FD_SEEKABLE))
			d->flags &= (unsigned char)~FD_END;
	}
	return done;
}

static int write_raw(struct descriptor *d, const char *from, unsigned int size)
{
	DWORD done;

	if (!WriteFile(d->handle, from, size, &done, NULL)) {
		error_set_windows();
		if (*__doserrno() == ERROR_ACCESS_DENIED)
			errno = EBADF;
		return -1;
	}
	return (int)done;
}

/* LF becomes CR LF, a stretch of the text at a time. Returns the bytes of the text that have been written. */
static int write_text(struct descriptor *d, const char *from, unsigned int size)
{
	char stretch[1024];
	unsigned int at = 0;

	while (at < size) {
		unsigned int begin = at, length = 0;
		int done;

		while (at < size && length < sizeof(stretch) - 1) {
			if (from[at] == '\n')
				stretch[length++] = '\r';
			stretch[length++] = from[at++];
		}
		done = write_raw(d, stretch, length);
		if (done == (int)length)
			continue;
		if (done < 0)
			return begin ? (int)begin : -1;
		for (int written = 0; written < done; begin++)
			written += from[begin] == '\n' ? 2 : 1;
		return (int)begin;
	}
	return (int)size;
}

int __cdecl _write(int fd, const void *from, unsigned int size)
{
	struct descriptor *d = descriptor_get(fd);
	int done;

	if (!d)
		return -1;
	if (size > INT_MAX || (!from && size))
		return error_set(EINVAL);
	if (!size)
		return 0;
	if ((d->flags & FD_APPEND) && (d->flags & FD_SEEKABLE) && descriptor_seek(fd, 0, SEEK_END) < 0)
		return -1;
	if ((d->flags & FD_TEXT) && !(d->flags & FD_CONSOLE))
		done = write_text(d, from, size);
	else
		done = write_raw(d, from, size);
	return done ? done : error_set(ENOSPC);
}

__int64 __cdecl _lseeki64(int fd, __int64 offset, int origin)
{
	return descriptor_seek(fd, offset, origin);
}

long __cdecl _lseek(int fd, long offset, int origin)
{
	long long at = descriptor_seek(fd, offset, origin);

	return at > LONG_MAX ? error_set(EINVAL) : (long)at;
}

__int64 __cdecl _telli64(int fd)
{
	return descriptor_seek(fd, 0, SEEK_CUR);
}

long __cdecl _tell(int fd)
{
	return _lseek(fd, 0, SEEK_CUR);
}

__int64 __cdecl _filelengthi64(int fd)
{
	struct descriptor *d = descriptor_get(fd);
	LARGE_INTEGER size;

	if (!d)
		return -1;
	return GetFileSizeEx(d->handle, &size) ? size.QuadPart : error_set_windows();
}

long __cdecl _filelength(int fd)
{
	return (long)_filelengthi64(fd);
}

/* 1: at the end of the file. */
int __cdecl _eof(int fd)
{
	struct descriptor *d = descriptor_get(fd);
	long long at, end;

	if (!d)
		return -1;
	at = descriptor_seek(fd, 0, SEEK_CUR);
	end = at < 0 ? -1 : _filelengthi64(fd);
	return end < 0 ? -1 : at >= end;
}

/* Sets the file's length; the position stays. */
errno_t __cdecl _chsize_s(int fd, __int64 size)
{
	struct descriptor *d = descriptor_get(fd);
	long long at;
	bool ok;

	if (!d)
		return errno;
	at = size < 0 ? error_set(EINVAL) : descriptor_seek(fd, 0, SEEK_CUR);
	if (at < 0 || descriptor_seek(fd, size, SEEK_SET) < 0)
		return errno;
	ok = SetEndOfFile(d->handle);
	if (!ok)
		error_set_windows();
	descriptor_seek(fd, at, SEEK_SET);
	return ok ? 0 : errno;
}

int __cdecl _chsize(int fd, long size)
{
	return _chsize_s(fd, size) ? -1 : 0;
}

int __cdecl _commit(int fd)
{
	struct descriptor *d = descriptor_get(fd);

	if (!d)
		return -1;
	return FlushFileBuffers(d->handle) ? 0 : error_set(EBADF);
}
