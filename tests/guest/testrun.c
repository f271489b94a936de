/*
 * Runs other tests, one after the other, and goes on whatever happens to them: each argument is a command line, whose
 * first word is a program in C:\tests. The lines that begin with "# testrun:" say where each begins and ends. Exit
 * code: how many failed.
 */
#include "counters.h"
#include <stdio.h>
#include <string.h>

static DWORD run(const char *command)
{
	char path[MAX_PATH], line[1024];
	STARTUPINFOA start = { .cb = sizeof(start) };
	PROCESS_INFORMATION p;
	DWORD code = 0;
	snprintf(path, sizeof(path), "C:\\tests\\%.*s.exe", (int)strcspn(command, " "), command);
	snprintf(line, sizeof(line), "%s", command);
	if (!CreateProcessA(path, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &p)) {
		printf("# testrun: %s can't be started: error %lu\n", path, GetLastError());
		return 99;
	}
	WaitForSingleObject(p.hProcess, INFINITE);
	GetExitCodeProcess(p.hProcess, &code);
	CloseHandle(p.hProcess);
	CloseHandle(p.hThread);
	return code;
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++) {
		printf("# testrun: begin %s\n", argv[i]);
		fflush(stdout);
		ULONGLONG start = GetTickCount64();
		DWORD code = run(argv[i]);
		printf("# testrun: end %s: exit code 0x%lX after %llu ms\n", argv[i], code, GetTickCount64() - start);
		fflush(stdout);
		failed += code != 0;
	}
	printf("# testrun: %d of %d failed\n", failed, argc - 1);
	return failed;
}
