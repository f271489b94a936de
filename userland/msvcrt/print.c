/* printf and its relatives: where the output of format.c goes. */
#include "msvcrt.h"

#undef vsnprintf
#undef snprintf

static int stream_print(FILE *stream, bool wide, const void *format, va_list arguments)
{
	struct output out = { .stream = stream, .wide = wide };
	int result;

	stream_lock(stream);
	result = format_write(&out, format, arguments);
	stream_unlock(stream);
	return result;
}

/*
 * To memory of room units. Returns the units that the whole takes, or -1; as many as fit are stored, and a 0 behind
 * them if there is room for it too.
 */
static int memory_print(void *to, size_t room, bool wide, const void *format, va_list arguments)
{
	struct output out = { .to = to, .room = to ? room : 0, .wide = wide };
	int result = format_write(&out, format, arguments);

	if (to && out.room && wide)
		*(wchar_t *)out.to = 0;
	else if (to && out.room)
		*(char *)out.to = 0;
	return result;
}

/* The counted functions: -1 if it does not fit; with neither memory nor count the size that it takes. */
static int counted_print(void *to, size_t room, bool wide, const void *format, va_list arguments)
{
	int result = memory_print(to, room, wide, format, arguments);

	if (!to && !room)
		return result;
	if (!to)
		return error_set(EINVAL);
	return result >= 0 && (size_t)result > room ? -1 : result;
}

/*
 * The secure functions: text always ends with a 0. What does not fit leaves none (errno is ERANGE), unless count, the
 * units wanted at most, says _TRUNCATE.
 */
static int secure_print(char *to, size_t room, size_t count, const char *format, va_list arguments)
{
	bool cut = count == _TRUNCATE || count < room;
	int result;

	if (!to || !room || !format)
		return error_set(EINVAL);
	result = memory_print(to, cut && count < room ? count : room, false, format, arguments);
	if (result >= 0 && (size_t)result < room && (count == _TRUNCATE || (size_t)result <= count)) {
		to[result] = 0;
		return result;
	}
	if (result >= 0 && cut) {
		to[count < room ? count : room - 1] = 0;
		return -1;
	}
	to[0] = 0;
	return error_set(result < 0 ? errno : ERANGE);
}

int __cdecl vfprintf(FILE *stream, const char *format, va_list arguments)
{
	return stream_print(stream, false, format, arguments);
}

int __cdecl vprintf(const char *format, va_list arguments)
{
	return stream_print(stdout, false, format, arguments);
}

int __cdecl vfwprintf(FILE *stream, const wchar_t *format, va_list arguments)
{
	return stream_print(stream, true, format, arguments);
}

int __cdecl vwprintf(const wchar_t *format, va_list arguments)
{
	return stream_print(stdout, true, format, arguments);
}

int __cdecl vsprintf(char *to, const char *format, va_list arguments)
{
	return memory_print(to, SIZE_MAX, false, format, arguments);
}

int __cdecl _vsnprintf(char *to, size_t room, const char *format, va_list arguments)
{
	return counted_print(to, room, false, format, arguments);
}

int __cdecl _vsnwprintf(wchar_t *to, size_t room, const wchar_t *format, va_list arguments)
{
	return counted_print(to, room, true, format, arguments);
}

/* The forms of vswprintf and swprintf without a size, which msvcrt.dll has under these names (see msvcrt.def). */
int __cdecl vswprintf_unsized(wchar_t *to, const wchar_t *format, va_list arguments)
{
	return memory_print(to, SIZE_MAX, true, format, arguments);
}

int __cdecl _vscprintf(const char *format, va_list arguments)
{
	return memory_print(NULL, 0, false, format, arguments);
}

int __cdecl _vscwprintf(const wchar_t *format, va_list arguments)
{
	return memory_print(NULL, 0, true, format, arguments);
}

int __cdecl vsprintf_s(char *to, size_t room, const char *format, va_list arguments)
{
	return secure_print(to, room, (size_t)-2, format, arguments);
}

int __cdecl _vsnprintf_s(char *to, size_t room, size_t count, const char *format, va_list arguments)
{
	return secure_print(to, room, count, format, arguments);
}

/* Functions with their arguments in place of a list of them; last is the parameter in front of those. */
#define VARIADIC(call, last) \
	{ \
		va_list arguments; \
		int result; \
		va_start(arguments, last); \
		result = call; \
		va_end(arguments); \
		return result; \
	}

int __cdecl printf(const char *format, ...)
VARIADIC(vprintf(format, arguments), format)

int __cdecl fprintf(FILE *stream, const char *format, ...)
VARIADIC(vfprintf(stream, format, arguments), format)

int __cdecl sprintf(char *to, const char *format, ...)
VARIADIC(vsprintf(to, format, arguments), format)

int __cdecl _snprintf(char *to, size_t room, const char *format, ...)
VARIADIC(_vsnprintf(to, room, format, arguments), format)

int __cdecl _scprintf(const char *format, ...)
VARIADIC(_vscprintf(format, arguments), format)

int __cdecl sprintf_s(char *to, size_t room, const char *format, ...)
VARIADIC(vsprintf_s(to, room, format, arguments), format)

int __cdecl _snprintf_s(char *to, size_t room, size_t count, const char *format, ...)
VARIADIC(_vsnprintf_s(to, room, count, format, arguments), format)

int __cdecl wprintf(const wchar_t *format, ...)
VARIADIC(vwprintf(format, arguments), format)

int __cdecl fwprintf(FILE *stream, const wchar_t *format, ...)
VARIADIC(vfwprintf(stream, format, arguments), format)

int __cdecl _snwprintf(wchar_t *to, size_t room, const wchar_t *format, ...)
VARIADIC(_vsnwprintf(to, room, format, arguments), format)

int __cdecl swprintf_unsized(wchar_t *to, const wchar_t *format, ...)
VARIADIC(vswprintf_unsized(to, format, arguments), format)

int __cdecl _scwprintf(const wchar_t *format, ...)
VARIADIC(_vscwprintf(format, arguments), format)
