/*
 * Memory priorities: of the pages that a process or a thread brings into memory, those of the lower priority are the first
 * to go. Of the information classes of these four functions there are no others. Source: Windows documentation of
 * SetProcessInformation, SetThreadInformation, MEMORY_PRIORITY_INFORMATION.
 */
#include "kernel32.h"

#define PROCESS_PAGE_PRIORITY_CLASS ((PROCESSINFOCLASS)39)
#define THREAD_PAGE_PRIORITY_CLASS ((THREADINFOCLASS)24)

/* class: both enumerations begin with the one that there is. */
static BOOL class_known(int class, DWORD size)
{
	if (class == 0 && size == sizeof(MEMORY_PRIORITY_INFORMATION))
		return TRUE;
	SetLastError(class ? ERROR_INVALID_PARAMETER : ERROR_BAD_LENGTH);
	return FALSE;
}

WINBOOL WINAPI SetProcessInformation(HANDLE process, PROCESS_INFORMATION_CLASS class, LPVOID information, DWORD size)
{
	return class_known(class, size) &&
	       status_result(NtSetInformationProcess(process, PROCESS_PAGE_PRIORITY_CLASS, information, size));
}

WINBOOL WINAPI GetProcessInformation(HANDLE process, PROCESS_INFORMATION_CLASS class, LPVOID information, DWORD size)
{
	return class_known(class, size) &&
	       status_result(NtQueryInformationProcess(process, PROCESS_PAGE_PRIORITY_CLASS, information, size, NULL));
}

WINBOOL WINAPI SetThreadInformation(HANDLE thread, THREAD_INFORMATION_CLASS class, LPVOID information, DWORD size)
{
	return class_known(class, size) &&
	       status_result(NtSetInformationThread(thread, THREAD_PAGE_PRIORITY_CLASS, information, size));
}

WINBOOL WINAPI GetThreadInformation(HANDLE thread, THREAD_INFORMATION_CLASS class, LPVOID information, DWORD size)
{
	return class_known(class, size) &&
	       status_result(NtQueryInformationThread(thread, THREAD_PAGE_PRIORITY_CLASS, information, size, NULL));
}
