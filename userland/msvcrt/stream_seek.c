/*
 * Positions in streams. In text mode the file's bytes and the buffer's characters differ by the CRs that were
 * dropped.
 */
#include "msvcrt.h"

/*
 * Where in the file the character at _ptr begins: the part of the file that the buffer came from is read again, and
 * counted. Returns -1 on error, errno is set.
 */
static long long text_position(FILE *stream, long long from, long long end)
{
	long long characters = stream->_ptr - stream->_base, at = from;
	char raw[512];

	if (characters + stream->_cnt == end - from)
		return from + characters; /* no CR was dropped */
	if (descriptor_seek(stream->_file, from, SEEK_SET) < 0)
		return -1;
	while (characters > 0) {
		int size = descriptor_read_raw(stream->_file, raw, sizeof(raw));

		if (size <= 0)
			break;
		for (int i = 0; i < size && characters > 0; i++, at++) {
			/* A CR at the end of what was read: the byte behind it decides, so it is read again. */
			if (raw[i] == '\r' && i + 1 == size && size > 1) {
				descriptor_seek(stream->_file, at, SEEK_SET);
				break;
			}
			if (raw[i] != '\r' || i + 1 == size || raw[i + 1] != '\n')
				characters--;
		}
	}
	/* Behind the CR of a line end that has not been passed as a whole nothing can be: no step over it is needed. */
	return descriptor_seek(stream->_file, end, SEEK_SET) < 0 ? -1 : at;
}

static long long position_get(FILE *stream)
{
	struct stream_state *state = stream_state(stream);
	long long at;

	if ((stream->_flag & _IOWRT) && stream_flush(stream))
		return -1;
	at = descriptor_seek(stream->_file, 0, SEEK_CUR);
	if (at < 0 || !(stream->_flag & _IOREAD) || stream->_cnt <= 0)
		return at;
	if (state->fill_offset >= 0 && stream_is_text(stream))
		return text_position(stream, state->fill_offset, at);
	return at - stream->_cnt;
}

static int position_set(FILE *stream, long long offset, int origin)
{
	if (!(stream->_flag & (_IOREAD | _IOWRT | _IORW)) || origin < SEEK_SET || origin > SEEK_END)
		return error_set(EINVAL);
	if (origin == SEEK_CUR) {
		long long at = position_get(stream);

		if (at < 0)
			return -1;
		offset += at;
		origin = SEEK_SET;
	}
	if (stream_flush(stream))
		return -1;
	stream->_flag &= ~_IOEOF;
	if (stream->_flag & _IORW)
		stream->_flag &= ~(_IOREAD | _IOWRT);
	stream->_ptr = stream->_base;
	stream->_cnt = 0;
	return descriptor_seek(stream->_file, offset, origin) < 0 ? -1 : 0;
}

__int64 __cdecl _ftelli64(FILE *stream)
{
	long long at;

	stream_lock(stream);
	at = position_get(stream);
	stream_unlock(stream);
	return at;
}

long __cdecl ftell(FILE *stream)
{
	long long at = _ftelli64(stream);

	return at > LONG_MAX ? error_set(EINVAL) : (long)at;
}

int __cdecl _fseeki64(FILE *stream, __int64 offset, int origin)
{
	int result;

	stream_lock(stream);
	result = position_set(stream, offset, origin);
	stream_unlock(stream);
	return result;
}

int __cdecl fseek(FILE *stream, long offset, int origin)
{
	return _fseeki64(stream, offset, origin);
}

void __cdecl rewind(FILE *stream)
{
	stream_lock(stream);
	position_set(stream, 0, SEEK_SET);
	stream->_flag &= ~_IOERR;
	stream_unlock(stream);
}

int __cdecl fgetpos(FILE *stream, fpos_t *at)
{
	*at = _ftelli64(stream);
	return *at < 0 ? -1 : 0;
}

int __cdecl fsetpos(FILE *stream, const fpos_t *at)
{
	return _fseeki64(stream, *at, SEEK_SET);
}
