/*
 * Damaged images must be refused with the documented error, and leave nothing behind. The host makes them, in
 * C:\damaged; their names say what is expected: "error-193-NAME.exe" or "error-193-216-NAME.exe" (CreateProcess fails
 * with one of these), "exit-C0000135-NAME.exe" (the process ends with this code), "runs.exe" (exit code 0),
 * "any-NAME.exe" (whatever happens, it happens to that process alone).
 */
#include "guest.h"

#define DIRECTORY "C:\\damaged"
#define SECONDS_MAX 10 /* that one of them may run */

static uint64_t files;

static bool start(const char *name, PROCESS_INFORMATION *p)
{
	char path[MAX_PATH + 16], line[MAX_PATH + 16];
	STARTUPINFOA s = { .cb = sizeof(s) };
	sprintf(path, DIRECTORY "\\%s", name);
	sprintf(line, "\"%s\"", path);
	SetLastError(0);
	return CreateProcessA(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &s, p);
}

static void try_file(const char *name)
{
	PROCESS_INFORMATION p;
	char *rest;
	bool started = start(name, &p);
	DWORD error = GetLastError(), code;
	if (started && WaitForSingleObject(p.hProcess, SECONDS_MAX * 1000) != WAIT_OBJECT_0)
		TerminateProcess(p.hProcess, 1);
	code = started ? process_end(&p) : 0;
	if (!strncmp(name, "error-", 6)) {
		unsigned long first = strtoul(name + 6, &rest, 10), second = first;
		if (rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9')
			second = strtoul(rest + 1, &rest, 10);
		if (started)
			ok(false, "%s is refused (it ran, exit code 0x%lx)", name, code);
		else
			ok(error == first || error == second, "%s is refused (error %lu)", name, error);
	} else if (!strncmp(name, "exit-", 5)) {
		ok(started, "%s is started", name);
		is(code, strtoul(name + 5, &rest, 16), "%s ends with this code", name);
	} else if (!strncmp(name, "any-", 4)) {
		note("%s: %s %lu", name, started ? "exit code" : "refused, error", started ? code : error);
	} else {
		ok(started, "%s is started", name);
		is(code, 0, "%s runs", name);
	}
	files++;
}

static void all(void)
{
	WIN32_FIND_DATAA found;
	HANDLE search = FindFirstFileA(DIRECTORY "\\*.exe", &found);
	files = 0;
	if (search == INVALID_HANDLE_VALUE) {
		ok(false, "there are files in " DIRECTORY);
		return;
	}
	do {
		tap_alive();
		try_file(found.cFileName);
	} while (FindNextFileA(search, &found));
	FindClose(search);
}

int main(void)
{
	probes_init();
	all();
	is_within(files, 10, 1000, "there were files to try");
	return leaks_none_and_end(all, STACKS_KEPT);
}
