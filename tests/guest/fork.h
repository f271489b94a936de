/* Copies of the running process, for tests: a function that runs in the copy, and its exit code. */
#ifndef FORK_H
#define FORK_H

#include "guest.h"

#define NOT_FORKED 0xBADF0000u

/* Runs child(argument) in a copy of this process, which ends with its result. False: there is no copy; *status says why. */
static bool fork_start(DWORD (*child)(void *), void *argument, ULONG flags, RTL_USER_PROCESS_INFORMATION *copy, NTSTATUS *status)
{
	*status = RtlCloneUserProcess(flags, NULL, NULL, NULL, copy);
	if (*status == STATUS_PROCESS_CLONED)
		NtTerminateProcess(GetCurrentProcess(), (NTSTATUS)child(argument));
	return *status == STATUS_SUCCESS;
}

static DWORD fork_end(RTL_USER_PROCESS_INFORMATION *copy)
{
	PROCESS_INFORMATION p = { .hProcess = copy->ProcessHandle, .hThread = copy->ThreadHandle };
	return process_end(&p);
}

static DWORD fork_run(DWORD (*child)(void *), void *argument)
{
	RTL_USER_PROCESS_INFORMATION copy;
	NTSTATUS status;
	if (!fork_start(child, argument, RTL_CLONE_PROCESS_FLAGS_INHERIT_HANDLES, &copy, &status)) {
		note("no copy: status 0x%08lx", (unsigned long)status);
		return NOT_FORKED;
	}
	return fork_end(&copy);
}

#endif
