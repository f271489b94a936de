/*
 * Processes: start, command line, environment, exit codes, waiting, ending. Arguments: process [SERIAL [PARALLEL]]: how
 * many are run one after the other (100), and at a time (20).
 */
#include "guest.h"

static uint64_t serial = 100, parallel = 20;

static int child(int argc, char **argv)
{
	if (!strcmp(argv[2], "exit"))
		ExitProcess((UINT)strtoul(argv[3], NULL, 0));
	if (!strcmp(argv[2], "return"))
		return (int)strtoul(argv[3], NULL, 0);
	if (!strcmp(argv[2], "arguments"))
		return argc == 7 && !strcmp(argv[3], "two words") && !strcmp(argv[4], "") && !strcmp(argv[5], "a\"b") &&
		       !strcmp(argv[6], "c\\") ? 0 : argc;
	if (!strcmp(argv[2], "environment")) {
		char value[64] = "";
		GetEnvironmentVariableA("PROCESS_TEST", value, sizeof(value));
		return strcmp(value, argv[3]) != 0;
	}
	if (!strcmp(argv[2], "directory")) {
		char directory[MAX_PATH] = "";
		GetCurrentDirectoryA(sizeof(directory), directory);
		return _stricmp(directory, argv[3]) != 0;
	}
	if (!strcmp(argv[2], "sleep"))
		Sleep(INFINITE);
	if (!strcmp(argv[2], "work")) {
		char *p = VirtualAlloc(NULL, 64 * 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
		uint64_t owner = strtoull(argv[3], NULL, 10);
		for (uint64_t page = 0; page < 64; page++)
			pattern_fill(p, page, owner);
		Sleep(1);
		return pattern_wrong(p, 0, 64, owner) ? 1 : 0;
	}
	return 99;
}

static void test_exit_codes(void)
{
	is(process_run("child exit 0", false), 0, "ExitProcess(0)");
	is(process_run("child exit 77", false), 77, "ExitProcess(77)");
	is(process_run("child exit 0xFFFFFFFF", false), 0xffffffff, "ExitProcess(-1)");
	is(process_run("child return 3", false), 3, "main returns 3");
}

static void test_waiting(void)
{
	PROCESS_INFORMATION p;
	DWORD code = 0;
	process_start("child sleep", false, 0, &p);
	ok(p.dwProcessId != 0 && p.dwProcessId != GetCurrentProcessId(), "a new process has a number of its own");
	is(WaitForSingleObject(p.hProcess, 20), WAIT_TIMEOUT, "waiting for a process that runs times out");
	ok(GetExitCodeProcess(p.hProcess, &code) && code == STILL_ACTIVE, "its exit code is STILL_ACTIVE");
	HANDLE other = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, p.dwProcessId);
	ok(other != NULL, "OpenProcess by number");
	ok(TerminateProcess(other, 55), "TerminateProcess");
	is(WaitForSingleObject(p.hProcess, INFINITE), WAIT_OBJECT_0, "its end ends a wait");
	is(WaitForSingleObject(p.hThread, INFINITE), WAIT_OBJECT_0, "its thread has ended too");
	ok(GetExitCodeProcess(p.hProcess, &code) && code == 55, "its exit code is what TerminateProcess gave");
	ok(!TerminateProcess(other, 56), "a process that has ended can't be ended again");
	CloseHandle(other);
	process_close(&p);
	SetLastError(0);
	refused(OpenProcess(PROCESS_TERMINATE, FALSE, 0x7ffffff0) != NULL, ERROR_INVALID_PARAMETER,
		"OpenProcess of a number that nobody has");

	process_start("child exit 4", false, CREATE_SUSPENDED, &p);
	is(WaitForSingleObject(p.hProcess, 20), WAIT_TIMEOUT, "a suspended process does not run");
	is(ResumeThread(p.hThread), 1, "ResumeThread gives the old suspend count");
	is(process_end(&p), 4, "and it runs");

	process_start("child exit 4", false, CREATE_SUSPENDED, &p);
	TerminateProcess(p.hProcess, 5);
	is(process_end(&p), 5, "a suspended process can be ended");
}

static void test_parameters(void)
{
	is(process_run("child arguments \"two words\" \"\" a\\\"b \"c\\\\\"", false), 0,
	   "quotes and backslashes of a command line");
	SetEnvironmentVariableA("PROCESS_TEST", "value 1");
	is(process_run("child environment \"value 1\"", false), 0, "the environment is inherited");
	SetEnvironmentVariableA("PROCESS_TEST", NULL);
	is(process_run("child environment \"\"", false), 0, "a removed variable is not");
	char old[MAX_PATH];
	GetCurrentDirectoryA(sizeof(old), old);
	ok(SetCurrentDirectoryA("C:\\bin"), "SetCurrentDirectory");
	is(process_run("child directory C:\\bin", false), 0, "the current directory is inherited");
	SetCurrentDirectoryA(old);

	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	char line[] = "no_such_program";
	SetLastError(0);
	refused(CreateProcessA("C:\\bin\\no_such.exe", line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p),
		ERROR_FILE_NOT_FOUND, "a program that is not there");
	SetLastError(0);
	refused(CreateProcessA("C:\\nowhere\\no_such.exe", line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p),
		ERROR_PATH_NOT_FOUND, "a program in a directory that is not there");
	SetLastError(0);
	refused(CreateProcessA("C:\\backstore.cfg", line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p),
		ERROR_BAD_EXE_FORMAT, "a file that is no program");
}

static void test_serial(void)
{
	uint64_t right = 0;
	char arguments[64];
	for (uint64_t i = 0; i < serial; i++) {
		sprintf(arguments, "child exit %llu", (unsigned long long)(i % 251));
		right += process_run(arguments, false) == i % 251;
		tap_alive();
	}
	is(right, serial, "%llu processes one after the other", (unsigned long long)serial);
}

static void test_parallel(void)
{
	PROCESS_INFORMATION *p = calloc(parallel, sizeof(p[0]));
	uint64_t started = 0, right = 0;
	char arguments[64];
	for (; started < parallel; started++) {
		sprintf(arguments, "child work %llu", (unsigned long long)started + 100);
		if (!process_start(arguments, false, 0, &p[started]))
			break;
		tap_alive();
	}
	is(started, parallel, "%llu processes are started at a time", (unsigned long long)parallel);
	for (uint64_t i = 0; i < started; i++) {
		right += process_end(&p[i]) == 0;
		tap_alive();
	}
	is(right, started, "each of them kept its memory's contents");
	free(p);
}

static void all(void)
{
	test_exit_codes();
	test_waiting();
	test_parameters();
}

static void many(void)
{
	test_serial();
	test_parallel();
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "child"))
		return child(argc, argv);
	if (argc > 1)
		serial = strtoull(argv[1], NULL, 10);
	if (argc > 2)
		parallel = strtoull(argv[2], NULL, 10);
	probes_init();
	all();
	leaks_none(all, STACKS_KEPT);
	many();
	serial = 80;
	parallel = 20;
	return leaks_none_and_end(many, STACKS_KEPT);
}
