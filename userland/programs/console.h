/* The console, for programs that go on until Ctrl-C or that write over what they wrote. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "counters.h"
#include <stdbool.h>

#define CONSOLE_CTRL_C 3
#define CONSOLE_CTRL_D 4

static HANDLE console_stop; /* the event: someone pressed Ctrl-C, Ctrl-D or q; NULL: nobody looks */

/* Whether somebody sits there: standard output is the console, and its input is not a script. */
static inline bool console_is_terminal(void)
{
	DWORD mode;
	return GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode) &&
	       GetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), &mode) && !option_is("script", "1");
}

/* The kernel hands keys on as bytes, Ctrl-C too: it is noticed by who reads. */
static DWORD WINAPI console_keys(void *parameter)
{
	HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
	char key = 0;
	DWORD count = 0;
	(void)parameter;
	SetConsoleMode(input, 0);
	do
		if (!ReadFile(input, &key, 1, &count, NULL))
			count = 0;
	while (count == 1 && key != CONSOLE_CTRL_C && key != CONSOLE_CTRL_D && key != 'q');
	SetEvent(console_stop);
	return 0;
}

/* From now on keys are read, until one of those that end it. False: GetLastError says why. */
static inline bool console_keys_watch(void)
{
	console_stop = CreateEventA(NULL, TRUE, FALSE, NULL);
	HANDLE thread = console_stop ? CreateThread(NULL, 0, console_keys, NULL, 0, NULL) : NULL;
	if (!thread)
		return false;
	CloseHandle(thread);
	return true;
}

/* Waits. True: it was told to end. */
static inline bool console_wait(uint64_t milliseconds)
{
	if (console_stop)
		return WaitForSingleObject(console_stop, (DWORD)milliseconds) == WAIT_OBJECT_0;
	Sleep((DWORD)milliseconds);
	return false;
}

#endif
