/* Imports from base by name, ordinal and as data; exports one of it again, as a forwarder. */
#include "log.h"

__declspec(dllimport) extern int base_data;
int base_named(void);
int base_ordinal(void);

int middle_sum(void) { return base_named() + 10 * base_ordinal() + 100 * base_data; }

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	say("middle", reason_name(reason, reserved));
	if (reason == DLL_PROCESS_ATTACH)
		LoadLibraryA("early.dll");
	return TRUE;
}
