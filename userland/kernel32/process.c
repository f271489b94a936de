/* Processes, but for making them: ending, opening, asking about them. */
#include "kernel32.h"

DECLSPEC_NORETURN VOID WINAPI ExitProcess(UINT code)
{
	RtlExitUserProcess((NTSTATUS)code);
}

WINBOOL WINAPI TerminateProcess(HANDLE process, UINT code)
{
	if (!process) { /* for the kernel NULL means all other threads of the caller */
		SetLastError(ERROR_INVALID_HANDLE);
		return FALSE;
	}
	return status_result(NtTerminateProcess(process, (NTSTATUS)code));
}

HANDLE WINAPI OpenProcess(DWORD access, WINBOOL inherit, DWORD id)
{
	CLIENT_ID client = { (HANDLE)(ULONG_PTR)id, NULL };
	OBJECT_ATTRIBUTES attributes;
	HANDLE process;

	InitializeObjectAttributes(&attributes, NULL, inherit ? OBJ_INHERIT : 0, NULL, NULL);
	return status_result(NtOpenProcess(&process, access, &attributes, &client)) ? process : NULL;
}

HANDLE WINAPI GetCurrentProcess(VOID)
{
	return BACKSTORE_CURRENT_PROCESS;
}

DWORD WINAPI GetCurrentProcessId(VOID)
{
	return (DWORD)(ULONG_PTR)teb_current()->process_id;
}

static BOOL process_basic(HANDLE process, PROCESS_BASIC_INFORMATION *out)
{
	return status_result(NtQueryInformationProcess(process, ProcessBasicInformation, out, sizeof(*out), NULL));
}

DWORD WINAPI GetProcessId(HANDLE process)
{
	PROCESS_BASIC_INFORMATION information;

	return process_basic(process, &information) ? (DWORD)information.UniqueProcessId : 0;
}

WINBOOL WINAPI GetExitCodeProcess(HANDLE process, LPDWORD code)
{
	PROCESS_BASIC_INFORMATION information;

	if (!process_basic(process, &information))
		return FALSE;
	*code = (DWORD)information.ExitStatus; /* STILL_ACTIVE is STATUS_PENDING */
	return TRUE;
}

/* A UNICODE_STRING with its text behind it, as queries return it; without \??\ in front. Free with memory_free. */
static UNICODE_STRING *image_name(HANDLE process)
{
	SIZE_T size = sizeof(UNICODE_STRING) + PATH_UNITS_MAX * sizeof(WCHAR);
	UNICODE_STRING *name = memory_get(size);

	if (!name)
		return NULL;
	if (!status_result(NtQueryInformationProcess(process, 27 /* ProcessImageFileName */, name, (ULONG)size,
						     NULL))) {
		memory_free(name);
		return NULL;
	}
	if (name->Length >= 8 && name->Buffer[0] == '\\' && name->Buffer[1] == '?' && name->Buffer[2] == '?') {
		name->Buffer += 4;
		name->Length -= 8;
	}
	return name;
}

/* flags: PROCESS_NAME_NATIVE is not known. *units: in the size of the buffer, out the units without the end. */
WINBOOL WINAPI QueryFullProcessImageNameW(HANDLE process, DWORD flags, LPWSTR out, PDWORD units)
{
	UNICODE_STRING *name = NULL;
	BOOL done = FALSE;

	if (flags)
		SetLastError(ERROR_INVALID_PARAMETER);
	else
		name = image_name(process);
	if (!name)
		return FALSE;
	if (name->Length / sizeof(WCHAR) < *units) {
		*units = name->Length / sizeof(WCHAR);
		memcpy(out, name->Buffer, name->Length);
		out[*units] = 0;
		done = TRUE;
	} else {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	}
	memory_free(name);
	return done;
}

WINBOOL WINAPI QueryFullProcessImageNameA(HANDLE process, DWORD flags, LPSTR out, PDWORD size)
{
	UNICODE_STRING *name = NULL;
	BOOL done = FALSE;
	DWORD length;

	if (flags)
		SetLastError(ERROR_INVALID_PARAMETER);
	else
		name = image_name(process);
	if (!name)
		return FALSE;
	length = narrow_result(name->Buffer, name->Length / sizeof(WCHAR), out, *size);
	if (length < *size) {
		*size = length;
		done = TRUE;
	} else {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
	}
	memory_free(name);
	return done;
}
