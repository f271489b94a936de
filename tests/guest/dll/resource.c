/* A DLL for tests/guest/load_flags.c: it has resources (resource.rc), and says whether it was initialised. */
#include <windows.h>

__declspec(dllexport) int resource_attached = 0;
__declspec(dllexport) int resource_constant = 12;

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	(void)reserved;
	resource_attached += reason == DLL_PROCESS_ATTACH;
	return TRUE;
}
