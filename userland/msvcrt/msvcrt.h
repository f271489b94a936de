/*
 * What the files of msvcrt.dll share. The exported functions have the names, types and meanings of Microsoft's C
 * library of that name (the one that mingw-w64 links programs with by default), as "C runtime library reference"
 * documents it. Where that has changed over the years the older behaviour is kept: three digits in exponents,
 * "1.#INF".
 *
 * The locale is "C", where a byte is the character with that number; setlocale(LC_ALL, "") changes to UTF-8, the
 * system's own. Names of files, arguments and the environment are UTF-8 always. The time zone is UTC.
 */
#ifndef MSVCRT_MSVCRT_H
#define MSVCRT_MSVCRT_H

#define _CRTIMP /* the headers' functions are defined here, not imported */
#define _SECIMP
#define __MINGW_IMPORT extern
#define __USE_MINGW_ANSI_STDIO 0
#define WIN32_LEAN_AND_MEAN
#include "start_data.h"
#include <windows.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* The headers reach these through import tables; here they are. */
#undef _acmdln
#undef _wcmdln
#undef _commode
#undef _fmode
#undef _environ
#undef _wenviron
#undef __argc
#undef __argv
#undef __wargv
#undef __initenv
#undef __winitenv
#undef _iob
#undef stdin
#undef stdout
#undef stderr
extern FILE _iob[_IOB_ENTRIES];
#define stdin (&_iob[0])
#define stdout (&_iob[1])
#define stderr (&_iob[2])
extern char *_acmdln, **_environ, **__argv, **__initenv;
extern wchar_t *_wcmdln, **_wenviron, **__wargv, **__winitenv;
extern int _commode, _fmode, __argc;

#define PATH_UNITS 1024 /* the longest path in UTF-16 units, its end included */

static inline int letter_lower(int c) /* ASCII letters only, as in the locale "C" */
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static inline int letter_upper(int c)
{
	return c >= 'a' && c <= 'z' ? c - 32 : c;
}

/* thread.c: what each thread has of its own. */
struct thread_data {
	int error;                 /* errno */
	unsigned long dos_error;   /* _doserrno */
	unsigned int random;       /* rand */
	char *token;               /* strtok */
	wchar_t *wide_token;       /* wcstok */
	char message[256];         /* strerror, _strerror */
	char time_text[32];        /* asctime, ctime */
	wchar_t wide_time_text[32];
	struct tm time;            /* gmtime, localtime */
	EXCEPTION_POINTERS *fault; /* what a signal handler is told about */
	struct {
		void *buffer;
		long long value;
	} jump;                    /* longjmp, while the stack is unwound */
	void *start;               /* _beginthread, _beginthreadex */
	void *argument;
};
bool threads_init(void);
void thread_end(void);
struct thread_data *thread_data(void); /* never NULL; keeps the last error */

/* lock.c: numbers of _lock. mingw-w64's start-up code and stdio use the first two as well. */
enum lock_number { LOCK_EXIT = 8, LOCK_STREAMS = 16, LOCK_FILES = 36, LOCK_ENVIRONMENT, LOCK_STREAM_TABLE, LOCKS };
void __cdecl _lock(int number);
void __cdecl _unlock(int number);

/* error.c */
int error_set(int error);              /* sets errno; returns -1 */
int error_set_windows(void);           /* sets errno and _doserrno from GetLastError(); returns -1 */

/* arguments.c, environment.c, exit.c */
bool arguments_init(void);
bool environment_init(void);
bool environment_wide(void); /* makes _wenviron, if it was not made yet; false: no memory */
void process_end(void);                /* what is registered with atexit, then streams; once */
void message_write(const char *text);  /* to standard error, past all buffers */
void __cdecl _amsg_exit(int number) __attribute__((noreturn));

/* text.c: between bytes and UTF-16. */
extern unsigned int locale_code_page;                                    /* 0 ("C") or CP_UTF8 */
wchar_t *path_wide(const char *path, wchar_t buffer[PATH_UNITS]);        /* NULL: errno is set */
char *path_narrow(const wchar_t *path, char *buffer, size_t size);       /* the same */
int wide_to_bytes(const wchar_t **text, char out[4]);                    /* how many; -1 with errno */
int bytes_to_wide(const char *text, size_t size, wchar_t out[2], int *units); /* bytes used; -1 with errno; -2: more */

/* decimal.c: the exact value of a double in decimal, and the double nearest to a decimal number. */
#define DECIMAL_DIGITS 800
struct decimal {
	int count;                     /* of digits; the first and last are not '0'; 0: the value is zero */
	int point;                     /* the value is 0.digits * 10^point */
	char digits[DECIMAL_DIGITS];   /* '0' to '9', no terminator */
};
void decimal_from_double(struct decimal *out, double value);
void decimal_round(struct decimal *decimal, long long count);
double decimal_to_double(const struct decimal *decimal, bool inexact, bool *range);
double double_from_binary(uint64_t mantissa, bool inexact, long long exponent, bool *range);

/* strtod.c: floating-point numbers as text. */
struct number_source {
	int (*next)(struct number_source *source); /* the next unit, -1 at the end */
	const void *at;
	void *context;
	long long left;                            /* units that may be taken */
};
struct number {
	double value;
	bool valid, range;
	int last;                                  /* the unit behind; -1 at the end, -2 if not taken */
	long long used, taken;                     /* units that belong to the number; all in front of last */
};
void number_read(struct number *number, struct number_source *source, int first);

/* format.c: printf's engine. */
struct output {
	void *to;          /* memory: the next unit; NULL: only count */
	size_t room;       /* in units */
	FILE *stream;      /* or a stream, locked */
	bool wide;         /* units are wchar_t */
	bool failed;
	int staged;
	long long count;   /* units so far */
	union {
		char bytes[256];
		wchar_t units[128];
	} stage;
};
int format_write(struct output *out, const void *format, va_list arguments); /* units written; -1: errno is set */

/* scan.c: scanf's engine. */
struct input {
	const void *at;    /* memory */
	size_t left;       /* in units */
	FILE *stream;      /* or a stream, locked */
	bool wide;         /* units are wchar_t */
	long long count;   /* units so far */
};
int scan_read(struct input *in, const void *format, va_list arguments); /* fields stored, or EOF */

/* descriptor.c: the numbers of open files. */
#define DESCRIPTORS 512
enum descriptor_flag { FD_TEXT = 1, FD_APPEND = 2, FD_CONSOLE = 4, FD_SEEKABLE = 8, FD_END = 16, FD_UNKNOWN = 32 };
struct descriptor {
	HANDLE handle;         /* NULL: free */
	unsigned char flags;   /* FD_UNKNOWN: what it is was not asked yet; descriptor_get does */
	int ahead;             /* a byte behind a CR that a device or pipe has given already, or -1 */
};
void descriptors_init(void);
void descriptors_close(void);
struct descriptor *descriptor_get(int fd);      /* NULL: errno is EBADF */
int descriptor_open(const wchar_t *path, int flags, int share, int mode);
long long descriptor_seek(int fd, long long offset, int origin);
int descriptor_read_raw(int fd, void *to, unsigned int size);

/* stream.c */
#define STREAM_NO_BUFFER 0x4     /* these are values of _flag */
#define STREAM_OWN_BUFFER _IOMYBUF
#define STREAM_LOCKED 0x8000     /* mingw-w64's _lock_file sets it */
#define STREAM_LINE 0x10000      /* flushed after each line */
#define STREAM_TEMPORARY 0x20000 /* the file is deleted when it is closed */
#define STREAM_LINE_ASK 0x40000  /* with its buffer it becomes STREAM_LINE, if it is a console's then */
struct stream_state {
	long long fill_offset;   /* text mode: where in the file the buffer begins; -1: unknown */
	wchar_t high, low;       /* half of a surrogate pair: that has been put, that will be got next */
};
extern bool streams_temporary;               /* tmpfile was called */
void streams_flush_lines(void);              /* before input is waited for */
FILE *stream_new(void);                      /* locked; NULL: errno is set */
void stream_free(FILE *stream);              /* unlocks */
FILE *stream_open(FILE *stream, const wchar_t *path, const wchar_t *mode, int share);
bool stream_mode_parse(const wchar_t *mode, int *flags, int *stream_flags);
struct stream_state *stream_state(FILE *stream);
void stream_lock(FILE *stream);
void stream_unlock(FILE *stream);
int stream_flush(FILE *stream);              /* 0 or EOF; from here on the caller has the lock */
int stream_close(FILE *stream);
int stream_get(FILE *stream);
int stream_unget(int c, FILE *stream);
int stream_put(int c, FILE *stream);
size_t stream_write(FILE *stream, const char *from, size_t size);
size_t stream_read(FILE *stream, char *to, size_t size);
wint_t stream_get_wide(FILE *stream);
wint_t stream_unget_wide(wint_t c, FILE *stream);
wint_t stream_put_wide(wchar_t c, FILE *stream);
bool stream_is_text(FILE *stream);

/* time.c: seconds since 1970. */
void clock_init(void);
long long time_from_file_time(const FILETIME *time);
bool time_split(long long seconds, struct tm *out);

#endif
