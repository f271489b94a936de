/* The DLL's entry point: the order in which the library comes up, and its end. */
#include "msvcrt.h"

BOOL WINAPI DllMainCRTStartup(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	switch (reason) {
	case DLL_PROCESS_ATTACH:
		if (!threads_init())
			return FALSE;
		clock_init();
		descriptors_init();
		return environment_init() && arguments_init();
	case DLL_THREAD_DETACH:
		thread_end();
		break;
	case DLL_PROCESS_DETACH:
		/* With reserved the process ends, perhaps by ExitProcess; without, FreeLibrary was the last user's. */
		process_end();
		if (!reserved)
			descriptors_close();
		break;
	}
	return TRUE;
}
