/* What each DLL of tests/scenarios/test_dlls.py says when it is called: one line, told at once. */
#include <stdio.h>
#include <windows.h>

static inline void say(const char *who, const char *what)
{
	char line[80];
	DWORD done;

	WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, (DWORD)sprintf(line, "%s: %s\n", who, what), &done, NULL);
}

static inline const char *reason_name(DWORD reason, const void *reserved)
{
	switch (reason) {
	case DLL_PROCESS_ATTACH:
		return reserved ? "attached with the program" : "attached later";
	case DLL_PROCESS_DETACH:
		return reserved ? "the process ends" : "detached";
	case DLL_THREAD_ATTACH:
		return "a thread begins";
	default:
		return "a thread ends";
	}
}

#define DLL_MAIN(name)                                                                                                 \
	BOOL WINAPI DllMain(HINSTANCE module, DWORD reason, void *reserved)                                            \
	{                                                                                                              \
		(void)module;                                                                                          \
		say(name, reason_name(reason, reserved));                                                              \
		return TRUE;                                                                                           \
	}
