/* Threads and sleeping. */
#include "kernel32.h"

/* THREAD_BASIC_INFORMATION, which mingw-w64's headers lack. */
struct thread_basic_information {
	NTSTATUS exit_status;
	void *teb;
	CLIENT_ID client_id;
	ULONG_PTR affinity;
	LONG priority, base_priority;
};

/* stack_size: bytes to commit, or to reserve with STACK_SIZE_PARAM_IS_A_RESERVATION; 0 = as the EXE's header says. */
HANDLE WINAPI CreateThread(LPSECURITY_ATTRIBUTES security, SIZE_T stack_size, LPTHREAD_START_ROUTINE start,
			   LPVOID parameter, DWORD flags, LPDWORD id)
{
	BOOL reservation = (flags & STACK_SIZE_PARAM_IS_A_RESERVATION) != 0;
	struct thread_basic_information information;
	OBJECT_ATTRIBUTES attributes;
	HANDLE thread;

	InitializeObjectAttributes(&attributes, NULL, security && security->bInheritHandle ? OBJ_INHERIT : 0, NULL,
				   NULL);
	if (!status_result(NtCreateThreadEx(&thread, THREAD_ALL_ACCESS, &attributes, BACKSTORE_CURRENT_PROCESS,
					    (void *)start, parameter, (flags & CREATE_SUSPENDED) ? 1 : 0, 0,
					    reservation ? 0 : stack_size, reservation ? stack_size : 0, NULL)))
		return NULL;
	if (id && NT_SUCCESS(NtQueryInformationThread(thread, 0, &information, sizeof(information), NULL)))
		*id = (DWORD)(ULONG_PTR)information.client_id.UniqueThread;
	return thread;
}

DECLSPEC_NORETURN VOID WINAPI ExitThread(DWORD code)
{
	RtlExitUserThread((NTSTATUS)code);
}

WINBOOL WINAPI TerminateThread(HANDLE thread, DWORD code)
{
	struct thread_basic_information information = { 0 };

	NtQueryInformationThread(thread, 0, &information, sizeof(information), NULL);
	if (!status_result(NtTerminateThread(thread, (NTSTATUS)code)))
		return FALSE;
	RtlForgetThread(information.teb);
	return TRUE;
}

/* The count of suspensions before; (DWORD)-1 on failure. */
DWORD WINAPI ResumeThread(HANDLE thread)
{
	ULONG previous;

	return status_result(NtResumeThread(thread, &previous)) ? previous : (DWORD)-1;
}

WINBOOL WINAPI GetExitCodeThread(HANDLE thread, LPDWORD code)
{
	struct thread_basic_information information;

	if (!status_result(NtQueryInformationThread(thread, 0, &information, sizeof(information), NULL)))
		return FALSE;
	*code = (DWORD)information.exit_status; /* STILL_ACTIVE is STATUS_PENDING */
	return TRUE;
}

DWORD WINAPI GetThreadId(HANDLE thread)
{
	struct thread_basic_information information;

	if (!status_result(NtQueryInformationThread(thread, 0, &information, sizeof(information), NULL)))
		return 0;
	return (DWORD)(ULONG_PTR)information.client_id.UniqueThread;
}

HANDLE WINAPI GetCurrentThread(VOID)
{
	return BACKSTORE_CURRENT_THREAD;
}

DWORD WINAPI GetCurrentThreadId(VOID)
{
	return (DWORD)(ULONG_PTR)teb_current()->thread_id;
}

VOID WINAPI Sleep(DWORD milliseconds)
{
	LARGE_INTEGER interval = { .QuadPart = LLONG_MIN };

	if (!milliseconds) {
		NtYieldExecution();
		return;
	}
	timeout_set(&interval, milliseconds);
	NtDelayExecution(FALSE, &interval);
}

WINBOOL WINAPI SwitchToThread(VOID)
{
	return NtYieldExecution() == STATUS_SUCCESS;
}

/*
 * *size: how many bytes of this thread's stack are there for a handler of its overflow; out what it was before. Smaller
 * than that (0 as well) only asks. The pages are committed now; the kernel raises the overflow when the stack has come
 * down to them. ERROR_INVALID_PARAMETER: the stack is not that large, or already there.
 */
WINBOOL WINAPI SetThreadStackGuarantee(PULONG size)
{
	struct teb *teb = teb_current();
	BYTE *base = (BYTE *)teb->deallocation_stack + PAGE_BYTES; /* the lowest page is never used */
	SIZE_T bytes = (*size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	void *at = base;

	if (bytes > teb->guaranteed_stack_bytes) {
		/* Between it and what is used there is one page at least, the guard. */
		if (base + bytes + PAGE_BYTES > teb->stack_limit) {
			SetLastError(ERROR_INVALID_PARAMETER);
			return FALSE;
		}
		if (!status_result(NtAllocateVirtualMemory(BACKSTORE_CURRENT_PROCESS, &at, 0, &bytes, MEM_COMMIT,
							   PAGE_READWRITE)))
			return FALSE;
		*size = teb->guaranteed_stack_bytes;
		teb->guaranteed_stack_bytes = (ULONG)bytes;
	} else {
		*size = teb->guaranteed_stack_bytes;
	}
	return TRUE;
}
