/* The lowest one: functions by name and by ordinal alone, a variable, thread-local storage with a callback. */
#include "log.h"

int base_data = 17;

/* A variable of the .tls section: gcc keeps those of its own __thread elsewhere, so its address is made here. */
extern ULONG _tls_index;
extern char _tls_start[];
__attribute__((section(".tls$AAB"))) int base_own = 5;

static int *own(void)
{
	char **blocks = (char **)((char **)NtCurrentTeb())[11]; /* ThreadLocalStoragePointer */

	return (int *)(blocks[_tls_index] + ((char *)&base_own - _tls_start));
}

int base_named(void) { return 1; }
int base_ordinal(void) { return 2; }
int base_thread_local(void) { return (*own())++; }
int base_old_name(void) { return 3; }

static void NTAPI callback(void *module, DWORD reason, void *reserved)
{
	(void)module;
	(void)reserved;
	if (reason == DLL_PROCESS_ATTACH)
		say("base", "TLS callback before DllMain");
}

__attribute__((section(".CRT$XLF"), used)) static PIMAGE_TLS_CALLBACK callbacks = callback;

DLL_MAIN("base")
