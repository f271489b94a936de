/* Uses the DLLs in every way that programs do; tests/scenarios/test_dlls.py checks the order of the lines. */
#include "log.h"
#include <winternl.h>

int middle_sum(void);
int middle_forward(void);
int base_thread_local(void);
int base_renamed(void);
int late_value(int);
int middle_nothing(void);
int gone_value(void);

/* The program's own TLS callback: after the DLLs have been told, also of ends. */
static void NTAPI callback(void *module, DWORD reason, void *reserved)
{
	static const char *const what[] = { "TLS callback: the process ends", "TLS callback: the process begins",
					    "TLS callback: a thread begins", "TLS callback: a thread ends" };

	(void)module;
	(void)reserved;
	say("main", what[reason]);
}

__attribute__((section(".CRT$XLF"), used)) static PIMAGE_TLS_CALLBACK callbacks = callback;

/* What a call through a delayed import raises whose DLL, or function, is not there. Source: delayimp.h. */
#define DELAYED(error) (0xC06D0000 | (error))

static void (*try_next)(void);
static DWORD seen;

static LONG WINAPI see(EXCEPTION_POINTERS *e)
{
	seen = e->ExceptionRecord->ExceptionCode;
	if (seen != DELAYED(ERROR_MOD_NOT_FOUND) && seen != DELAYED(ERROR_PROC_NOT_FOUND))
		return EXCEPTION_CONTINUE_SEARCH;
	/* What comes next is tried on top of all this: it does not return. */
	try_next();
	return EXCEPTION_CONTINUE_SEARCH;
}

static void delayed_end(void)
{
	say("main", seen == DELAYED(ERROR_PROC_NOT_FOUND) ? "the delayed function is missing" : "another exception");
	say("main", "ends");
	ExitProcess(0);
}

static void delayed_function(void)
{
	say("main", seen == DELAYED(ERROR_MOD_NOT_FOUND) ? "the delayed DLL is missing" : "another exception");
	try_next = delayed_end;
	middle_nothing();
}

static DWORD WINAPI thread(void *argument)
{
	(void)argument;
	printf("thread: own copy of thread-local data: %d\n", base_thread_local());
	fflush(stdout);
	return 0;
}

/* The names on one of the loader's lists, as debuggers and many programs read them. */
static void list_print(const char *what, LIST_ENTRY *head, size_t link)
{
	printf("%s:", what);
	for (LIST_ENTRY *at = head->Flink; at != head; at = at->Flink) {
		const char *entry = (const char *)at - link;
		const UNICODE_STRING *name = (const UNICODE_STRING *)(entry + 0x58); /* BaseDllName */

		printf(" %.*ls", name->Length / 2, name->Buffer);
	}
	printf("\n");
}

static void lists_print(void)
{
	PPEB peb = NtCurrentTeb()->ProcessEnvironmentBlock;
	char *loader = (char *)peb->Ldr;

	list_print("load order", (LIST_ENTRY *)(loader + 0x10), 0);
	list_print("memory order", (LIST_ENTRY *)(loader + 0x20), 0x10);
	list_print("initialisation order", (LIST_ENTRY *)(loader + 0x30), 0x20);
	fflush(stdout);
}

int main(void)
{
	HMODULE late, again;
	HANDLE t;

	say("main", "begins");
	lists_print();
	printf("sum %d, forwarded %d, renamed %d\n", middle_sum(), middle_forward(), base_renamed());
	base_thread_local();
	printf("main: own copy of thread-local data: %d\n", base_thread_local());
	fflush(stdout);
	t = CreateThread(NULL, 0, thread, NULL, 0, NULL);
	WaitForSingleObject(t, INFINITE);
	CloseHandle(t);
	say("main", GetModuleHandleA("late.dll") ? "late is there too early" : "late is not loaded yet");
	printf("late: %d\n", late_value(5));
	fflush(stdout);
	late = LoadLibraryA("late");
	again = LoadLibraryA("LATE.DLL");
	say("main", late && late == again && late == GetModuleHandleA("late") ? "one module for all" : "modules differ");
	FreeLibrary(again);
	FreeLibrary(late);
	FreeLibrary(late); /* the delay import's reference */
	say("main", GetModuleHandleA("late.dll") ? "late has stayed" : "late is gone");
	say("main", LoadLibraryA("refuse.dll") ? "refuse was loaded" :
		    GetLastError() == ERROR_DLL_INIT_FAILED ? "refuse: ERROR_DLL_INIT_FAILED" : "refuse: another error");
	say("main", FreeLibrary(GetModuleHandleA("early")) && !GetModuleHandleA("early") ? "early is gone" : "early has stayed");
	AddVectoredExceptionHandler(1, see);
	try_next = delayed_function;
	gone_value();
	return 1;
}
