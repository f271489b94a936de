/* The DLL's entry point. */
#include "kernel32.h"

BOOL WINAPI DllMainCRTStartup(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
	(void)instance;
	(void)reserved;
	switch (reason) {
	case DLL_PROCESS_ATTACH:
		return command_line_init();
	case DLL_THREAD_DETACH:
	case DLL_PROCESS_DETACH:
		fls_thread_end();
		break;
	}
	return TRUE;
}
