/* Reading characters and blocks from streams. */
#include "msvcrt.h"

int stream_get(FILE *stream)
{
	return --stream->_cnt >= 0 ? (unsigned char)*stream->_ptr++ : _filbuf(stream);
}

/* Gives c back; one character is always taken after a read. */
int stream_unget(int c, FILE *stream)
{
	bool readable = (stream->_flag & _IOREAD) || ((stream->_flag & _IORW) && !(stream->_flag & _IOWRT));

	if (c == EOF || !readable)
		return EOF;
	if (!stream->_base) {
		/* Nothing has been read yet: an empty buffer, filled later. */
		stream->_flag |= _IOREAD;
		stream->_base = malloc(BUFSIZ);
		if (!stream->_base)
			return EOF;
		stream->_flag |= _IOMYBUF;
		stream->_bufsiz = BUFSIZ;
		stream->_ptr = stream->_base;
		stream->_cnt = 0;
		stream_state(stream)->fill_offset = -1;
	}
	if (stream->_ptr == stream->_base) {
		if (stream->_cnt > 0)
			return EOF;
		stream->_ptr++;
		stream_state(stream)->fill_offset = -1;
	}
	*--stream->_ptr = (char)c;
	if (stream->_cnt < 0)
		stream->_cnt = 0;
	stream->_cnt++;
	stream->_flag = (stream->_flag & ~_IOEOF) | _IOREAD;
	return (unsigned char)c;
}

size_t stream_read(FILE *stream, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t n = stream->_cnt > 0 ? (size_t)stream->_cnt : 0;
		int c;

		if (n) {
			n = n < size - done ? n : size - done;
			memcpy(to + done, stream->_ptr, n);
			stream->_ptr += n;
			stream->_cnt -= (int)n;
			done += n;
			continue;
		}
		stream->_cnt = -1;
		c = _filbuf(stream);
		if (c == EOF)
			break;
		to[done++] = (char)c;
	}
	return done;
}

int __cdecl fgetc(FILE *stream)
{
	int c;

	stream_lock(stream);
	c = stream_get(stream);
	stream_unlock(stream);
	return c;
}

int __cdecl getc(FILE *stream)
{
	return fgetc(stream);
}

int __cdecl getchar(void)
{
	return fgetc(stdin);
}

int __cdecl _fgetchar(void)
{
	return fgetc(stdin);
}

int __cdecl ungetc(int c, FILE *stream)
{
	stream_lock(stream);
	c = stream_unget(c, stream);
	stream_unlock(stream);
	return c;
}

int __cdecl _getw(FILE *stream)
{
	int value;

	return fread(&value, sizeof(value), 1, stream) ? value : EOF;
}

/* Returns the number of whole elements. */
size_t __cdecl fread(void *to, size_t size, size_t count, FILE *stream)
{
	size_t total, done;

	if (!size || !count)
		return 0;
	if (__builtin_mul_overflow(size, count, &total)) {
		errno = EINVAL;
		return 0;
	}
	stream_lock(stream);
	done = stream_read(stream, to, total);
	stream_unlock(stream);
	return done / size;
}

char *__cdecl fgets(char *to, int size, FILE *stream)
{
	int done = 0, c = 0;

	if (!to || size <= 0) {
		errno = EINVAL;
		return NULL;
	}
	stream_lock(stream);
	while (done < size - 1 && c != '\n') {
		c = stream_get(stream);
		if (c == EOF)
			break;
		to[done++] = (char)c;
	}
	stream_unlock(stream);
	if (c == EOF && (!done || ferror(stream)))
		return NULL;
	to[done] = 0;
	return to;
}

/* The line without its end; to must be large enough for any. */
char *__cdecl gets(char *to)
{
	char *at = to;
	int c;

	stream_lock(stdin);
	while ((c = stream_get(stdin)) != EOF && c != '\n')
		*at++ = (char)c;
	stream_unlock(stdin);
	if (c == EOF && at == to)
		return NULL;
	*at = 0;
	return to;
}

int __cdecl (feof)(FILE *stream)
{
	return stream->_flag & _IOEOF;
}

int __cdecl (ferror)(FILE *stream)
{
	return stream->_flag & _IOERR;
}

int __cdecl (_fileno)(FILE *stream)
{
	if (!stream)
		return error_set(EINVAL);
	return stream->_file;
}

void __cdecl clearerr(FILE *stream)
{
	stream_lock(stream);
	stream->_flag &= ~(_IOEOF | _IOERR);
	stream_unlock(stream);
}
