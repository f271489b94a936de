/*
 * What programs meet beside the memory calls themselves: DLLs by other names, privileges, standard handles that are
 * none, and a stack kept for the handler of its overflow.
 */
#include "guest.h"

static int child(void)
{
	DWORD done;
	bool none = !GetStdHandle(STD_INPUT_HANDLE) && !GetStdHandle(STD_OUTPUT_HANDLE) &&
		    !GetStdHandle(STD_ERROR_HANDLE);
	printf("not ok - this must not be on the console\n");
	fflush(stdout);
	return none && !WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "x", 1, &done, NULL) ? 0 : 1;
}

static void test_names(void)
{
	static const char *const names[] = {
		"kernelbase.dll", "KernelBase", "psapi.dll", "advapi32", "api-ms-win-core-memory-l1-1-6.dll",
		"API-MS-Win-Core-PSAPI-L1-1-0", "api-ms-win-security-base-l1-2-0.dll", "C:\\system\\psapi.dll",
	};
	HMODULE kernel32 = GetModuleHandleA("kernel32.dll"), loaded;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		loaded = LoadLibraryA(names[i]);
		ok(loaded == kernel32 && GetModuleHandleA(names[i]) == kernel32, "%s is kernel32.dll", names[i]);
		FreeLibrary(loaded);
	}
	ok(GetModuleHandleA("api-ms-win-core-rtlsupport-l1-2-0.dll") == GetModuleHandleA("ntdll.dll"),
	   "the API set of unwinding is ntdll.dll");
	FARPROC plain = GetProcAddress(LoadLibraryA("psapi.dll"), "QueryWorkingSet");
	ok(plain && plain == GetProcAddress(kernel32, "K32QueryWorkingSet"), "psapi.dll's names are those with K32");
	SetLastError(0);
	refused(LoadLibraryA("api-ms-win-crt-heap-l1-1-0.dll") != NULL, ERROR_MOD_NOT_FOUND,
		"an API set that is not there");
	SetLastError(0);
	refused(LoadLibraryA("C:\\bin\\psapi.dll") != NULL, ERROR_MOD_NOT_FOUND,
		"nor is one elsewhere than in C:\\system");
}

#define ADVAPI(result, name, arguments)                                                                                \
	result(WINAPI *name) arguments =                                                                               \
		(result(WINAPI *) arguments)(void (*)(void))GetProcAddress(LoadLibraryA("advapi32.dll"), #name + 2)

static void test_privileges(void)
{
	ADVAPI(BOOL, p_OpenProcessToken, (HANDLE, DWORD, HANDLE *));
	ADVAPI(BOOL, p_LookupPrivilegeValueA, (const char *, const char *, LUID *));
	ADVAPI(BOOL, p_AdjustTokenPrivileges, (HANDLE, BOOL, TOKEN_PRIVILEGES *, DWORD, TOKEN_PRIVILEGES *, DWORD *));
	TOKEN_PRIVILEGES wanted = { .PrivilegeCount = 1 }, before = { .PrivilegeCount = 5 };
	HANDLE token = NULL;
	DWORD size = 0;
	ok(p_OpenProcessToken(GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY, &token) && token,
	   "OpenProcessToken");
	ok(p_LookupPrivilegeValueA(NULL, "SeLockMemoryPrivilege", &wanted.Privileges[0].Luid) &&
		   wanted.Privileges[0].Luid.LowPart == 4, "SeLockMemoryPrivilege is number 4");
	wanted.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
	SetLastError(77);
	ok(p_AdjustTokenPrivileges(token, FALSE, &wanted, sizeof(before), &before, &size) &&
		   GetLastError() == ERROR_SUCCESS, "it can be enabled");
	ok(!before.PrivilegeCount && size == sizeof(DWORD), "and was");
	wanted.Privileges[0].Luid.LowPart = 999;
	ok(p_AdjustTokenPrivileges(token, FALSE, &wanted, 0, NULL, NULL) && GetLastError() == ERROR_NOT_ALL_ASSIGNED,
	   "one that does not exist can't");
	SetLastError(0);
	refused(p_LookupPrivilegeValueA(NULL, "SeNoSuchPrivilege", &wanted.Privileges[0].Luid), ERROR_NO_SUCH_PRIVILEGE,
		"nor is it found");
	ok(CloseHandle(token), "a token is a handle");
	SetLastError(0);
	refused(p_AdjustTokenPrivileges((HANDLE)0xdead0, FALSE, &wanted, 0, NULL, NULL), ERROR_INVALID_HANDLE,
		"a token that is none");
}

static void test_standard_handles(void)
{
	char path[MAX_PATH], line[MAX_PATH + 16];
	STARTUPINFOA start = { .cb = sizeof(start), .dwFlags = STARTF_USESTDHANDLES };
	PROCESS_INFORMATION p;
	GetModuleFileNameA(NULL, path, sizeof(path));
	sprintf(line, "\"%s\" child handles", path);
	is(CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &p) ? process_end(&p) : ~0ul, 0,
	   "a process with no standard handles has none, and prints nowhere");
}

/* ---- the stack ---- */

static volatile LONG overflows;

static LONG WINAPI overflow_handler(EXCEPTION_POINTERS *e)
{
	volatile char room[24 << 10];
	if (e->ExceptionRecord->ExceptionCode != (DWORD)STATUS_STACK_OVERFLOW)
		return EXCEPTION_CONTINUE_SEARCH;
	InterlockedIncrement(&overflows);
	for (size_t i = 0; i < sizeof(room); i += PAGE_BYTES / 2)
		room[sizeof(room) - 1 - i] = 1;
	ExitThread(42 + room[0] - room[0]);
}

static volatile LONG no_end = 1;

static __attribute__((noinline)) int recurse(volatile char *above)
{
	volatile char here[512];
	here[0] = above ? above[0] : 0;
	return no_end ? recurse(here) + here[0] : 0;
}

static DWORD WINAPI overflow_thread(void *guaranteed)
{
	ULONG size = 32 << 10, before = 0;
	if (guaranteed) {
		*(BOOL *)guaranteed = SetThreadStackGuarantee(&size) && !size && SetThreadStackGuarantee(&before) &&
				      before == 32 << 10;
		size = 1 << 30;
		*(BOOL *)guaranteed &= !SetThreadStackGuarantee(&size) && GetLastError() == ERROR_INVALID_PARAMETER;
	}
	return (DWORD)recurse(NULL);
}

static void test_stack_guarantee(void)
{
	BOOL set = FALSE;
	DWORD code = 0;
	void *handler = AddVectoredExceptionHandler(1, overflow_handler);
	HANDLE thread = CreateThread(NULL, 256 << 10, overflow_thread, &set, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
	WaitForSingleObject(thread, INFINITE);
	GetExitCodeThread(thread, &code);
	CloseHandle(thread);
	RemoveVectoredExceptionHandler(handler);
	ok(set, "SetThreadStackGuarantee, asked again, and of more than the stack");
	is(code, 42, "a handler of a stack overflow has the room that was asked for");
}

static void all(void)
{
	test_names();
	test_privileges();
	test_standard_handles();
	overflows = 0;
	test_stack_guarantee();
	is(overflows, 1, "the overflow was raised once");
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "child"))
		return child();
	probes_init();
	all();
	return leaks_none_and_end(all, STACKS_KEPT);
}
