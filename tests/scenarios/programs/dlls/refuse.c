/* Its DllMain says no. */
#include "log.h"

BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)
{
	(void)module;
	say("refuse", reason_name(reason, reserved));
	return FALSE;
}
