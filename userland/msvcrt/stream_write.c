/* Writing characters and blocks to streams. */
#include "msvcrt.h"

int stream_put(int c, FILE *stream)
{
	if (--stream->_cnt < 0)
		return _flsbuf(c, stream);
	*stream->_ptr++ = (char)c;
	return (unsigned char)c;
}

int __cdecl fputc(int c, FILE *stream)
{
	stream_lock(stream);
	c = stream_put(c, stream);
	stream_unlock(stream);
	return c;
}

int __cdecl putc(int c, FILE *stream)
{
	return fputc(c, stream);
}

int __cdecl putchar(int c)
{
	return fputc(c, stdout);
}

int __cdecl _fputchar(int c)
{
	return fputc(c, stdout);
}

int __cdecl _putw(int value, FILE *stream)
{
	return fwrite(&value, sizeof(value), 1, stream) ? value : EOF;
}

size_t __cdecl fwrite(const void *from, size_t size, size_t count, FILE *stream)
{
	size_t total, done;

	if (!size || !count)
		return 0;
	if (__builtin_mul_overflow(size, count, &total)) {
		errno = EINVAL;
		return 0;
	}
	stream_lock(stream);
	done = stream_write(stream, from, total);
	stream_unlock(stream);
	return done / size;
}

int __cdecl fputs(const char *text, FILE *stream)
{
	size_t size = strlen(text), done;

	stream_lock(stream);
	done = stream_write(stream, text, size);
	stream_unlock(stream);
	return done == size ? 0 : EOF;
}

int __cdecl puts(const char *text)
{
	size_t size = strlen(text);
	bool ok;

	stream_lock(stdout);
	ok = stream_write(stdout, text, size) == size && stream_write(stdout, "\n", 1) == 1;
	stream_unlock(stdout);
	return ok ? 0 : EOF;
}
