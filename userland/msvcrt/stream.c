/*
 * Streams: the table, locks, buffers, what passes between buffer and file. A FILE has the layout that mingw-w64 and
 * its macros know: _cnt is what can be read from _ptr on, or written there, before _filbuf or _flsbuf must be
 * called. A stream that is flushed after each line has no room, ever, so that each character comes by here.
 */
#include "msvcrt.h"
#include <io.h>

#define STREAMS 512
#define IN_USE (_IOREAD | _IOWRT | _IORW)
#define BUFFER_SIZE 4096
#define FIRST _IOB_ENTRIES /* streams of the table that have their FILE in iob */

/* mingw-w64's _lock_file expects the lock right behind the FILE; for those in iob it uses _lock. */
struct stream {
	FILE file;
	CRITICAL_SECTION lock;
	struct stream_state state;
};

START_DATA int _commode;
FILE _iob[FIRST] = {
	{ ._file = 0, ._flag = _IOREAD },
	{ ._file = 1, ._flag = _IOWRT | STREAM_LINE_ASK },
	{ ._file = 2, ._flag = _IOWRT | STREAM_NO_BUFFER },
	[3 ... FIRST - 1] = { ._file = -1 },
};
static struct stream_state first_states[FIRST];
/* Those behind the first ones that are in memory, in use or not. Made under LOCK_STREAM_TABLE, never freed. */
static FILE *more[STREAMS - FIRST];
static int streams_count = FIRST;
static int streams_used = 3; /* none behind these has ever been in use */

/* i below streams_count. */
static FILE *stream_at(int i)
{
	return i < FIRST ? &_iob[i] : more[i - FIRST];
}

FILE *__cdecl __iob_func(void)
{
	return _iob;
}

static bool in_use(const FILE *stream)
{
	return stream->_flag & IN_USE;
}

static bool is_first(const FILE *stream)
{
	return stream >= _iob && stream < _iob + FIRST;
}

struct stream_state *stream_state(FILE *stream)
{
	return is_first(stream) ? &first_states[stream - _iob] : &((struct stream *)stream)->state;
}

void stream_lock(FILE *stream)
{
	if (is_first(stream))
		_lock(LOCK_STREAMS + (int)(stream - _iob));
	else
		EnterCriticalSection(&((struct stream *)stream)->lock);
}

void stream_unlock(FILE *stream)
{
	if (is_first(stream))
		_unlock(LOCK_STREAMS + (int)(stream - _iob));
	else
		LeaveCriticalSection(&((struct stream *)stream)->lock);
}

void __cdecl _lock_file(FILE *stream)
{
	stream_lock(stream);
}

void __cdecl _unlock_file(FILE *stream)
{
	stream_unlock(stream);
}

/* A stream that nobody uses, locked, and marked as used. NULL: errno is set. */
FILE *stream_new(void)
{
	FILE *found = NULL;

	_lock(LOCK_STREAM_TABLE);
	for (int i = 3; i < STREAMS && !found; i++) {
		if (i == streams_count) {
			struct stream *fresh = calloc(1, sizeof(*fresh));

			if (!fresh)
				break;
			InitializeCriticalSection(&fresh->lock);
			more[i - FIRST] = &fresh->file;
			__atomic_store_n(&streams_count, i + 1, __ATOMIC_RELEASE);
		}
		if (!in_use(stream_at(i))) {
			found = stream_at(i);
			if (i >= streams_used)
				__atomic_store_n(&streams_used, i + 1, __ATOMIC_RELEASE);
			memset(found, 0, sizeof(*found));
			*stream_state(found) = (struct stream_state){ .fill_offset = -1 };
			found->_flag = _IORW; /* in use; the opener sets what it is */
			found->_file = -1;
		}
	}
	_unlock(LOCK_STREAM_TABLE);
	if (found)
		stream_lock(found);
	else
		errno = EMFILE;
	return found;
}

/* The FILE stays in the table, for the next one to be opened. */
void stream_free(FILE *stream)
{
	stream->_flag = 0;
	stream_unlock(stream);
}

/*
 * Calls function for each stream, locked, that has one of the flags. Others are not even locked: another thread may
 * wait for input with the lock. Returns how many calls returned 0.
 */
static int streams_each(int from, int flags, int (*function)(FILE *stream))
{
	int count = 0;

	for (int i = from; i < __atomic_load_n(&streams_used, __ATOMIC_ACQUIRE); i++) {
		FILE *stream = stream_at(i);

		if (!(stream->_flag & flags))
			continue;
		stream_lock(stream);
		if ((stream->_flag & flags) && function(stream) == 0)
			count++;
		stream_unlock(stream);
	}
	return count;
}

/* Gives the stream a buffer if it wants one and has none; without memory it goes on with one character. */
static void buffer_get(FILE *stream)
{
	if (stream->_base)
		return;
	if (stream->_flag & STREAM_LINE_ASK)
		stream->_flag ^= STREAM_LINE_ASK | (_isatty(stream->_file) ? STREAM_LINE : 0);
	if (!(stream->_flag & STREAM_NO_BUFFER)) {
		stream->_base = malloc(BUFFER_SIZE);
		stream->_bufsiz = BUFFER_SIZE;
		stream->_flag |= stream->_base ? _IOMYBUF : STREAM_NO_BUFFER;
	}
	if (!stream->_base) {
		stream->_base = (char *)&stream->_charbuf;
		stream->_bufsiz = 1;
	}
	stream->_ptr = stream->_base;
	stream->_cnt = 0;
}

static void buffer_drop(FILE *stream)
{
	if (stream->_flag & _IOMYBUF)
		free(stream->_base);
	stream->_flag &= ~(_IOMYBUF | STREAM_NO_BUFFER);
	stream->_base = stream->_ptr = NULL;
	stream->_cnt = 0;
	stream->_bufsiz = 0;
}

int stream_flush(FILE *stream)
{
	int size, done;

	if ((stream->_flag & (_IOREAD | _IOWRT)) != _IOWRT || !stream->_base)
		return 0;
	size = (int)(stream->_ptr - stream->_base);
	stream->_ptr = stream->_base;
	stream->_cnt = 0;
	for (char *at = stream->_base; size > 0; at += done, size -= done) {
		done = _write(stream->_file, at, (unsigned int)size);
		if (done < 0) {
			stream->_flag |= _IOERR;
			return EOF;
		}
	}
	if (stream->_flag & _IORW)
		stream->_flag &= ~_IOWRT; /* it may be read next */
	return 0;
}

/* What waits for the end of a line goes out before the program waits for input. */
void streams_flush_lines(void)
{
	streams_each(0, STREAM_LINE, stream_flush);
}

/* Without a stream: all of them. */
int __cdecl fflush(FILE *stream)
{
	int result;

	if (!stream) {
		streams_each(0, _IOWRT, stream_flush);
		return 0;
	}
	stream_lock(stream);
	result = stream_flush(stream);
	stream_unlock(stream);
	return result;
}

int __cdecl _flushall(void)
{
	return streams_each(0, _IOWRT, stream_flush);
}

/*
 * Reads the next part of the file. Returns its first character, EOF at its end or on error. Called with _cnt below
 * 0.
 */
int __cdecl _filbuf(FILE *stream)
{
	struct stream_state *state = stream_state(stream);
	int got;

	stream->_cnt = 0;
	if (!in_use(stream) || (stream->_flag & (_IOREAD | _IORW)) == 0 || (stream->_flag & _IOWRT)) {
		errno = EBADF;
		stream->_flag |= _IOERR;
		return EOF;
	}
	stream->_flag |= _IOREAD;
	buffer_get(stream);
	stream->_ptr = stream->_base;
	if (_isatty(stream->_file))
		streams_flush_lines();
	state->fill_offset = stream_is_text(stream) ? descriptor_seek(stream->_file, 0, SEEK_CUR) : -1;
	got = _read(stream->_file, stream->_base, (unsigned int)stream->_bufsiz);
	if (got <= 0) {
		stream->_flag |= got ? _IOERR : _IOEOF;
		return EOF;
	}
	stream->_cnt = got - 1;
	return (unsigned char)*stream->_ptr++;
}

/* Makes the stream one that is being written to. */
static bool write_begin(FILE *stream)
{
	if (!in_use(stream) || !(stream->_flag & (_IOWRT | _IORW)) ||
	    ((stream->_flag & _IOREAD) && (!(stream->_flag & _IORW) || !(stream->_flag & _IOEOF)))) {
		errno = EBADF;
		stream->_flag |= _IOERR;
		stream->_cnt = 0;
		return false;
	}
	if (!(stream->_flag & _IOWRT)) {
		stream->_flag = (stream->_flag & ~(_IOREAD | _IOEOF)) | _IOWRT;
		stream->_ptr = stream->_base;
		stream->_cnt = 0;
	}
	if (!stream->_base)
		buffer_get(stream);
	return true;
}

/* The room that putc may use. */
static void write_room_set(FILE *stream)
{
	bool each = stream->_flag & (STREAM_NO_BUFFER | STREAM_LINE);

	stream->_cnt = each ? 0 : stream->_bufsiz - (int)(stream->_ptr - stream->_base);
}

size_t stream_write(FILE *stream, const char *from, size_t size)
{
	size_t left = size;

	if (!size || !write_begin(stream))
		return 0;
	while (left) {
		size_t room = (size_t)(stream->_base + stream->_bufsiz - stream->_ptr), n = left < room ? left : room;

		if (stream->_ptr == stream->_base && (left >= room || (stream->_flag & STREAM_NO_BUFFER))) {
			/* Nothing waits in front of it: no need to copy. */
			int done = _write(stream->_file, from, left < INT_MAX ? (unsigned int)left : INT_MAX);

			if (done < 0) {
				stream->_flag |= _IOERR;
				break;
			}
			n = (size_t)done;
		} else if (!n) {
			if (stream_flush(stream))
				break;
			stream->_flag |= _IOWRT;
		} else {
			memcpy(stream->_ptr, from, n);
			stream->_ptr += n;
		}
		from += n;
		left -= n;
	}
	if ((stream->_flag & STREAM_LINE) && memchr(from - (size - left), '\n', size - left)) {
		if (stream_flush(stream))
			return 0;
		stream->_flag |= _IOWRT;
	}
	write_room_set(stream);
	return size - left;
}

/* Writes c, for which there is no room. Called with _cnt below 0. */
int __cdecl _flsbuf(int c, FILE *stream)
{
	char byte = (char)c;

	stream->_cnt = 0;
	return stream_write(stream, &byte, 1) ? (unsigned char)c : EOF;
}

int stream_close(FILE *stream)
{
	int result = stream_flush(stream);
	char *name = stream->_tmpfname;

	buffer_drop(stream);
	if (stream->_file >= 0 && _close(stream->_file))
		result = EOF;
	if (name) {
		if (stream->_flag & STREAM_TEMPORARY)
			remove(name);
		free(name);
	}
	stream->_tmpfname = NULL;
	stream->_file = -1;
	return result;
}

int __cdecl fclose(FILE *stream)
{
	int result = EOF;

	if (!stream) {
		errno = EINVAL;
		return EOF;
	}
	stream_lock(stream);
	if (in_use(stream))
		result = stream_close(stream);
	stream_free(stream);
	return result;
}

static int close_one(FILE *stream)
{
	int result = stream_close(stream);

	stream->_flag = 0;
	return result;
}

/* All but the standard ones. Returns how many. */
int __cdecl _fcloseall(void)
{
	return streams_each(3, IN_USE, close_one);
}

bool streams_temporary START_DATA;

/* Closes, and so deletes, the files of tmpfile. */
int __cdecl _rmtmp(void)
{
	return streams_temporary ? streams_each(3, STREAM_TEMPORARY, close_one) : 0;
}

/* _IOLBF is full buffering except on the console, as for Windows in general. */
int __cdecl setvbuf(FILE *stream, char *buffer, int mode, size_t size)
{
	if ((mode != _IONBF && mode != _IOFBF && mode != _IOLBF) || (mode != _IONBF && (size < 2 || size > INT_MAX)))
		return error_set(EINVAL);
	stream_lock(stream);
	stream_flush(stream);
	buffer_drop(stream);
	stream->_flag &= ~(STREAM_LINE | STREAM_LINE_ASK);
	if (mode == _IONBF) {
		stream->_flag |= STREAM_NO_BUFFER;
	} else {
		stream->_base = buffer ? buffer : malloc(size);
		if (stream->_base) {
			stream->_flag |= buffer ? 0 : _IOMYBUF;
			stream->_bufsiz = (int)size;
		}
		if (mode == _IOLBF && _isatty(stream->_file))
			stream->_flag |= STREAM_LINE;
	}
	stream->_ptr = stream->_base;
	stream->_cnt = 0;
	stream_unlock(stream);
	return 0;
}

void __cdecl setbuf(FILE *stream, char *buffer)
{
	setvbuf(stream, buffer, buffer ? _IOFBF : _IONBF, BUFSIZ);
}
