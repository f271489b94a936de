/* What tour writes: wrapped text, and statements with their verdict. */
#include "tour.h"
#include <stdarg.h>

struct tour tour;

static void write_format(const char *first, const char *rest, const char *format, va_list args)
{
	static char text[2048];
	vsnprintf(text, sizeof(text), format, args);
	tool_wrap(first, rest, text);
	fflush(stdout);
}

#define WRITE_FORMAT(first, rest)                                                                                      \
	do {                                                                                                           \
		va_list args;                                                                                          \
		va_start(args, format);                                                                                \
		write_format(first, rest, format, args);                                                               \
		va_end(args);                                                                                          \
	} while (0)

void say_title(const char *format, ...)
{
	printf("\n");
	WRITE_FORMAT("", "");
}

void say(const char *format, ...)
{
	WRITE_FORMAT("  ", "  ");
}

bool statement(bool so, const char *format, ...)
{
	tour.statements++;
	tour.held += so;
	WRITE_FORMAT(so ? "    [held]   " : "    [NOT SO] ", "             ");
	return so;
}

void statement_skipped(const char *format, ...)
{
	WRITE_FORMAT("    [not judged] ", "                 ");
}

void give_up(const char *what, DWORD error)
{
	tool_fail("tour", what, error);
	printf("tour: %u of %u statements held, then it could not go on\n", tour.held, tour.statements);
	exit(TOOL_FAILED);
}

double seconds_now(void)
{
	LARGE_INTEGER now, frequency;
	QueryPerformanceFrequency(&frequency);
	QueryPerformanceCounter(&now);
	return (double)now.QuadPart / (double)frequency.QuadPart;
}

void progress(const char *what, uint64_t done, uint64_t all)
{
	static double last;
	double now = seconds_now();
	if (last == 0 || done == 0)
		last = now;
	if (now - last < 2)
		return;
	last = now;
	say("(%s: %s of %s)", what, tool_pages(done), tool_pages(all));
}
