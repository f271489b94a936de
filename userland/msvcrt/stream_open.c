/* Opening streams, and files that have no name or one of ours. */
#include "msvcrt.h"
#include <fcntl.h>
#include <io.h>
#include <share.h>
#include <sys/stat.h>

/*
 * A mode as for fopen: r, w or a, then + b t x c n N S R T D. *flags are those of _open, *stream_flags of the FILE.
 * false: errno is EINVAL.
 */
bool stream_mode_parse(const wchar_t *mode, int *flags, int *stream_flags)
{
	while (*mode == ' ')
		mode++;
	switch (*mode) {
	case 'r':
		*flags = _O_RDONLY;
		*stream_flags = _IOREAD;
		break;
	case 'w':
		*flags = _O_WRONLY | _O_CREAT | _O_TRUNC;
		*stream_flags = _IOWRT;
		break;
	case 'a':
		*flags = _O_WRONLY | _O_CREAT | _O_APPEND;
		*stream_flags = _IOWRT;
		break;
	default:
		errno = EINVAL;
		return false;
	}
	while (*++mode && *mode != ',') {
		switch (*mode) {
		case '+':
			*flags = (*flags & ~(_O_RDONLY | _O_WRONLY)) | _O_RDWR;
			*stream_flags = _IORW;
			break;
		case 'b':
			*flags |= _O_BINARY;
			break;
		case 't':
			*flags |= _O_TEXT;
			break;
		case 'x':
			*flags |= _O_EXCL;
			break;
		case 'N':
			*flags |= _O_NOINHERIT;
			break;
		case 'T':
			*flags |= _O_SHORT_LIVED;
			break;
		case 'D':
			*flags |= _O_TEMPORARY;
			break;
		case 'S': /* hints about the way of access, and when to commit */
		case 'R':
		case 'c':
		case 'n':
		case ' ':
			break;
		default:
			errno = EINVAL;
			return false;
		}
	}
	return true;
}

/* Opens path on a stream from stream_new; NULL: errno is set, the stream is free again. */
FILE *stream_open(FILE *stream, const wchar_t *path, const wchar_t *mode, int share)
{
	int flags, stream_flags, fd;

	if (!stream)
		return NULL;
	if (stream_mode_parse(mode, &flags, &stream_flags)) {
		fd = descriptor_open(path, flags, share, _S_IREAD | _S_IWRITE);
		if (fd >= 0) {
			stream->_flag = stream_flags;
			stream->_file = fd;
			if (stream_flags != _IOREAD && _isatty(fd))
				stream->_flag |= STREAM_LINE;
			stream_unlock(stream);
			return stream;
		}
	}
	stream_free(stream);
	return NULL;
}

FILE *__cdecl _wfsopen(const wchar_t *path, const wchar_t *mode, int share)
{
	if (!path || !mode) {
		errno = EINVAL;
		return NULL;
	}
	return stream_open(stream_new(), path, mode, share);
}

/* A mode in UTF-16: longer ones than this are not valid anyway. */
static const wchar_t *mode_wide(const char *mode, wchar_t buffer[16])
{
	size_t i = 0;

	if (!mode) {
		errno = EINVAL;
		return NULL;
	}
	for (; mode[i] && i < 15; i++)
		buffer[i] = (unsigned char)mode[i];
	buffer[i] = 0;
	return buffer;
}

FILE *__cdecl _fsopen(const char *path, const char *mode, int share)
{
	wchar_t path_buffer[PATH_UNITS], mode_buffer[16];
	const wchar_t *wide = path_wide(path, path_buffer), *wide_mode = mode_wide(mode, mode_buffer);

	return wide && wide_mode ? _wfsopen(wide, wide_mode, share) : NULL;
}

FILE *__cdecl fopen(const char *path, const char *mode)
{
	return _fsopen(path, mode, _SH_DENYNO);
}

FILE *__cdecl _wfopen(const wchar_t *path, const wchar_t *mode)
{
	return _wfsopen(path, mode, _SH_DENYNO);
}

errno_t __cdecl fopen_s(FILE **stream, const char *path, const char *mode)
{
	if (!stream)
		return error_set(EINVAL), EINVAL;
	*stream = _fsopen(path, mode, _SH_SECURE);
	return *stream ? 0 : errno;
}

FILE *__cdecl _wfreopen(const wchar_t *path, const wchar_t *mode, FILE *stream)
{
	int fd;

	if (!path || !mode || !stream) {
		errno = EINVAL;
		return NULL;
	}
	stream_lock(stream);
	fd = stream->_file;
	if (stream->_flag & (_IOREAD | _IOWRT | _IORW))
		stream_close(stream);
	stream->_flag = _IORW;
	stream = stream_open(stream, path, mode, _SH_DENYNO);
	/* A standard stream keeps its number, and with it what child processes inherit. */
	if (stream && fd >= 0 && fd < 3 && stream->_file != fd && !_dup2(stream->_file, fd)) {
		_close(stream->_file);
		stream->_file = fd;
	}
	return stream;
}

FILE *__cdecl freopen(const char *path, const char *mode, FILE *stream)
{
	wchar_t path_buffer[PATH_UNITS], mode_buffer[16];
	const wchar_t *wide = path_wide(path, path_buffer), *wide_mode = mode_wide(mode, mode_buffer);

	return wide && wide_mode ? _wfreopen(wide, wide_mode, stream) : NULL;
}

/* The stream takes over the descriptor. */
FILE *__cdecl _wfdopen(int fd, const wchar_t *mode)
{
	struct descriptor *d = descriptor_get(fd);
	int flags, stream_flags;
	FILE *stream;

	if (!d || !stream_mode_parse(mode, &flags, &stream_flags))
		return NULL;
	stream = stream_new();
	if (!stream)
		return NULL;
	if (flags & (_O_TEXT | _O_BINARY))
		_setmode(fd, flags & _O_BINARY ? _O_BINARY : _O_TEXT);
	if (flags & _O_APPEND)
		d->flags |= FD_APPEND;
	stream->_flag = stream_flags;
	stream->_file = fd;
	if (stream_flags != _IOREAD && _isatty(fd))
		stream->_flag |= STREAM_LINE;
	stream_unlock(stream);
	return stream;
}

FILE *__cdecl _fdopen(int fd, const char *mode)
{
	wchar_t buffer[16];
	const wchar_t *wide = mode_wide(mode, buffer);

	return wide ? _wfdopen(fd, wide) : NULL;
}

/* Puts a letter and digits of the process's number in place of the last six units, XXXXXX: a name that no file has. */
char *__cdecl _mktemp(char *name)
{
	size_t length = strlen(name);
	char *end = name + length - 6;

	if (length < 6 || strcmp(end, "XXXXXX")) {
		errno = EINVAL;
		return NULL;
	}
	for (char letter = 'a'; letter <= 'z'; letter++) {
		sprintf(end, "%c%05u", letter, (unsigned int)(GetCurrentProcessId() % 100000));
		if (_access(name, 0))
			return name;
	}
	errno = EEXIST;
	return NULL;
}

/* "\s", then the process and a count: a name in the root directory that no file has. */
char *__cdecl tmpnam(char *name)
{
	static char own[L_tmpnam];
	static LONG count;

	if (!name)
		name = own;
	do
		_snprintf(name, L_tmpnam, "\\s%x.%lx", (unsigned int)GetCurrentProcessId() & 0xFFFF,
			  InterlockedIncrement(&count) & 0xFFFFF);
	while (!_access(name, 0));
	return name;
}

/* A file for reading and writing that is deleted when it is closed. */
FILE *__cdecl tmpfile(void)
{
	char name[L_tmpnam];
	FILE *stream = fopen(tmpnam(name), "w+bx");

	if (stream) {
		stream->_tmpfname = _strdup(name);
		stream->_flag |= STREAM_TEMPORARY;
		streams_temporary = true;
	}
	return stream;
}
