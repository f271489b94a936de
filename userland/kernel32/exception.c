/* Exceptions: raising them, and the filter for those that nobody handles. */
#include "kernel32.h"

static LPTOP_LEVEL_EXCEPTION_FILTER top_level_filter START_DATA;

/* Returns the filter that was set before. */
LPTOP_LEVEL_EXCEPTION_FILTER WINAPI SetUnhandledExceptionFilter(LPTOP_LEVEL_EXCEPTION_FILTER filter)
{
	LPTOP_LEVEL_EXCEPTION_FILTER before = __atomic_exchange_n(&top_level_filter, filter, __ATOMIC_SEQ_CST);

	RtlSetUnhandledExceptionFilter(filter);
	return before;
}

WINBOOL WINAPI IsDebuggerPresent(VOID)
{
	return peb_current()->being_debugged;
}

/* The program's filter, or EXCEPTION_CONTINUE_SEARCH: then the kernel prints its line and ends the process. */
LONG WINAPI UnhandledExceptionFilter(EXCEPTION_POINTERS *pointers)
{
	return top_level_filter ? top_level_filter(pointers) : EXCEPTION_CONTINUE_SEARCH;
}

VOID WINAPI RaiseException(DWORD code, DWORD flags, DWORD count, const ULONG_PTR *arguments)
{
	EXCEPTION_RECORD record = { .ExceptionCode = code & ~0x10000000u, /* the system's bit */
				    .ExceptionFlags = flags & EXCEPTION_NONCONTINUABLE };

	if (count > EXCEPTION_MAXIMUM_PARAMETERS)
		count = EXCEPTION_MAXIMUM_PARAMETERS;
	if (arguments) {
		record.NumberParameters = count;
		memcpy(record.ExceptionInformation, arguments, count * sizeof(ULONG_PTR));
	}
	RtlRaiseException(&record);
}
