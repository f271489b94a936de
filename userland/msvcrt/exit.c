/* The end of a program: registered functions, streams, and the ways to leave without them. */
#include "msvcrt.h"
#include <signal.h>

START_DATA static _onexit_t *exit_begin, *exit_end; /* the library's own list, in order of registration */
static bool ended START_DATA;

/*
 * Adds a function to a list that a DLL of its own may keep: *begin to *end on the heap. Returns the function, or
 * NULL if memory is short.
 */
_onexit_t __cdecl __dllonexit(_onexit_t function, _onexit_t **begin, _onexit_t **end)
{
	size_t count, room;
	_onexit_t *list;

	_lock(LOCK_EXIT);
	count = (size_t)(*end - *begin);
	room = *begin ? _msize(*begin) / sizeof(*list) : 0;
	list = *begin;
	if (count >= room)
		list = realloc(*begin, (room ? room * 2 : 32) * sizeof(*list));
	if (list) {
		list[count] = function;
		*begin = list;
		*end = list + count + 1;
	}
	_unlock(LOCK_EXIT);
	return list ? function : NULL;
}

_onexit_t __cdecl _onexit(_onexit_t function)
{
	return __dllonexit(function, &exit_begin, &exit_end);
}

int __cdecl atexit(void (__cdecl *function)(void))
{
	return _onexit((_onexit_t)function) ? 0 : -1;
}

/* A function that exits may register others, which are called next. */
static void exit_functions_call(void)
{
	for (;;) {
		_onexit_t function = NULL;

		_lock(LOCK_EXIT);
		if (exit_end > exit_begin)
			function = *--exit_end;
		_unlock(LOCK_EXIT);
		if (!function)
			return;
		function();
	}
}

void process_end(void)
{
	if (ended)
		return;
	exit_functions_call();
	ended = true;
	fflush(NULL);
	_rmtmp();
}

void __cdecl _cexit(void)
{
	process_end();
}

/* As _cexit for callers that want nothing but to be the last: no functions, no streams. */
void __cdecl _c_exit(void)
{
	ended = true;
}

void __cdecl exit(int code)
{
	process_end();
	ExitProcess((UINT)code);
}

void __cdecl _exit(int code)
{
	ended = true;
	ExitProcess((UINT)code);
}

void message_write(const char *text)
{
	DWORD done;

	WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, (DWORD)strlen(text), &done, NULL);
}

void __cdecl abort(void)
{
	message_write("\nabnormal program termination\n");
	raise(SIGABRT);
	_exit(3);
}

/* The end of a program that can't start or go on; the numbers are those of Microsoft's run-time errors. */
void __cdecl _amsg_exit(int number)
{
	char text[] = "\nruntime error R60xx\n";

	text[18] = (char)('0' + number / 10 % 10);
	text[19] = (char)('0' + number % 10);
	message_write(text);
	_exit(255);
}

void __cdecl _purecall(void)
{
	_amsg_exit(25);
}

void __cdecl _assert(const char *expression, const char *file, unsigned int line)
{
	fflush(stdout);
	fprintf(stderr, "Assertion failed: %s, file %s, line %u\n", expression, file, line);
	abort();
}

void __cdecl _wassert(const wchar_t *expression, const wchar_t *file, unsigned int line)
{
	fflush(stdout);
	fprintf(stderr, "Assertion failed: %ls, file %ls, line %u\n", expression, file, line);
	abort();
}
