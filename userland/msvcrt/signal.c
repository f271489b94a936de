/*
 * Signals: raise calls handlers; the system's exceptions become signals in _XcptFilter, or in mingw-w64's start-up
 * code, which asks signal for the handler; Ctrl-C becomes SIGINT on a thread of its own.
 */
#include "msvcrt.h"
#include <signal.h>

/* The second argument of a handler of SIGFPE: values of mingw-w64's float.h, which gcc's own hides. */
enum fpe_code { FPE_INVALID = 0x81, FPE_DENORMAL, FPE_ZERODIVIDE, FPE_OVERFLOW, FPE_UNDERFLOW, FPE_INEXACT,
		FPE_STACKOVERFLOW = 0x8A, FPE_EXPLICITGEN = 0x8C };

typedef void (__cdecl *handler)(int);
static handler handlers[NSIG];

static bool signal_exists(int number)
{
	switch (number) {
	case SIGINT:
	case SIGILL:
	case SIGFPE:
	case SIGSEGV:
	case SIGTERM:
	case SIGBREAK:
	case SIGABRT:
		return true;
	}
	return false;
}

/* A handler is called once: the next time the default is in force, unless it has been set again. */
static handler handler_take(int number)
{
	return (handler)InterlockedExchangePointer((void **)&handlers[number], (void *)SIG_DFL);
}

/* One that takes no code leaves it in its register. */
static void handler_call(handler called, int number, int code)
{
	((void (__cdecl *)(int, int))(void *)called)(number, code);
}

static BOOL WINAPI control_handler(DWORD event)
{
	int number = event == CTRL_C_EVENT ? SIGINT : SIGBREAK;
	handler called = handlers[number];

	if (called == SIG_DFL)
		return FALSE;
	if (called != SIG_IGN) {
		handler_take(number);
		called(number);
	}
	return TRUE;
}

handler __cdecl signal(int number, handler wanted)
{
	static LONG control_handled;

	if (!signal_exists(number) || wanted == SIG_ERR) {
		errno = EINVAL;
		return SIG_ERR;
	}
	if (wanted == SIG_GET)
		return handlers[number];
	if ((number == SIGINT || number == SIGBREAK) && !InterlockedExchange(&control_handled, 1) &&
	    !SetConsoleCtrlHandler(control_handler, TRUE)) {
		error_set_windows();
		InterlockedExchange(&control_handled, 0);
		return SIG_ERR;
	}
	return (handler)InterlockedExchangePointer((void **)&handlers[number], (void *)wanted);
}

/* The default for all is the end of the program with exit code 3. */
int __cdecl raise(int number)
{
	handler called;

	if (!signal_exists(number))
		return error_set(EINVAL);
	called = handlers[number];
	if (called == SIG_IGN)
		return 0;
	if (called == SIG_DFL)
		_exit(3);
	handler_take(number);
	handler_call(called, number, FPE_EXPLICITGEN);
	return 0;
}

static const struct {
	DWORD exception;
	int number, code;
} signals[] = {
	{ STATUS_ACCESS_VIOLATION, SIGSEGV, 0 },
	{ STATUS_IN_PAGE_ERROR, SIGSEGV, 0 },
	{ STATUS_STACK_OVERFLOW, SIGSEGV, 0 },
	{ STATUS_ILLEGAL_INSTRUCTION, SIGILL, 0 },
	{ STATUS_PRIVILEGED_INSTRUCTION, SIGILL, 0 },
	{ STATUS_FLOAT_DENORMAL_OPERAND, SIGFPE, FPE_DENORMAL },
	{ STATUS_FLOAT_DIVIDE_BY_ZERO, SIGFPE, FPE_ZERODIVIDE },
	{ STATUS_FLOAT_INEXACT_RESULT, SIGFPE, FPE_INEXACT },
	{ STATUS_FLOAT_INVALID_OPERATION, SIGFPE, FPE_INVALID },
	{ STATUS_FLOAT_OVERFLOW, SIGFPE, FPE_OVERFLOW },
	{ STATUS_FLOAT_STACK_CHECK, SIGFPE, FPE_STACKOVERFLOW },
	{ STATUS_FLOAT_UNDERFLOW, SIGFPE, FPE_UNDERFLOW },
	{ STATUS_INTEGER_DIVIDE_BY_ZERO, SIGFPE, FPE_ZERODIVIDE },
};

/*
 * For the filter expression around main: turns an exception into a signal. EXCEPTION_CONTINUE_EXECUTION if a handler
 * has dealt with it, else what UnhandledExceptionFilter says.
 */
int __cdecl _XcptFilter(unsigned long exception, EXCEPTION_POINTERS *pointers)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct thread_data *data = thread_data();
		EXCEPTION_POINTERS *before = data->fault;
		handler called;

		if (signals[i].exception != exception)
			continue;
		called = handlers[signals[i].number];
		if (called == SIG_DFL)
			break;
		if (called == SIG_IGN)
			return EXCEPTION_CONTINUE_EXECUTION;
		handler_take(signals[i].number);
		data->fault = pointers;
		handler_call(called, signals[i].number, signals[i].code);
		data->fault = before;
		return EXCEPTION_CONTINUE_EXECUTION;
	}
	return (int)UnhandledExceptionFilter(pointers);
}
