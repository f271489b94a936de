/* Handles, events and waiting. */
#include "kernel32.h"

/*
 * Attributes for an object that may have a name. "Global\" and "Local\" mean the same here: there is one session.
 * name NULL: none. security: only whether the handle is inheritable.
 */
NTSTATUS object_name_set(struct object_name *object, const WCHAR *name, const SECURITY_ATTRIBUTES *security)
{
	static const WCHAR directory[] = L"\\BaseNamedObjects\\";
	ULONG prefix = sizeof(directory) / sizeof(WCHAR) - 1, length;

	InitializeObjectAttributes(&object->attributes, NULL, 0, NULL, NULL);
	if (security && security->bInheritHandle)
		object->attributes.Attributes |= OBJ_INHERIT;
	if (!name)
		return STATUS_SUCCESS;
	if (!_wcsnicmp(name, L"Global\\", 7))
		name += 7;
	else if (!_wcsnicmp(name, L"Local\\", 6))
		name += 6;
	length = (ULONG)wcslen(name);
	if (length + prefix > sizeof(object->buffer) / sizeof(WCHAR))
		return STATUS_NAME_TOO_LONG;
	memcpy(object->buffer, directory, prefix * sizeof(WCHAR));
	memcpy(object->buffer + prefix, name, length * sizeof(WCHAR));
	object->name.Buffer = object->buffer;
	object->name.Length = object->name.MaximumLength = (USHORT)((prefix + length) * sizeof(WCHAR));
	object->attributes.ObjectName = &object->name;
	return STATUS_SUCCESS;
}

WINBOOL WINAPI CloseHandle(HANDLE handle)
{
	return status_result(NtClose(handle));
}

WINBOOL WINAPI DuplicateHandle(HANDLE source_process, HANDLE source, HANDLE target_process, LPHANDLE target,
			       DWORD access, WINBOOL inherit, DWORD options)
{
	return status_result(NtDuplicateObject(source_process, source, target_process, target, access,
					       inherit ? OBJ_INHERIT : 0, options));
}

/* The mask has to name HANDLE_FLAG_INHERIT: the kernel sets both flags at once, and does not tell what they were. */
WINBOOL WINAPI SetHandleInformation(HANDLE handle, DWORD mask, DWORD flags)
{
	BYTE information[2] = { (flags & HANDLE_FLAG_INHERIT) != 0,
				(flags & mask & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0 };

	if (!(mask & HANDLE_FLAG_INHERIT)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	return status_result(NtSetInformationObject(handle, 4 /* ObjectHandleFlagInformation */, information,
						    sizeof(information)));
}

LARGE_INTEGER *timeout_set(LARGE_INTEGER *timeout, DWORD milliseconds)
{
	if (milliseconds == INFINITE)
		return NULL;
	timeout->QuadPart = -10000ll * milliseconds;
	return timeout;
}

/* What a waiting function returns: the status, which has the same values, or WAIT_FAILED. */
static DWORD wait_result(NTSTATUS status)
{
	return status_result(status) ? (DWORD)status : WAIT_FAILED;
}

DWORD WINAPI WaitForSingleObject(HANDLE handle, DWORD milliseconds)
{
	LARGE_INTEGER timeout;

	return wait_result(NtWaitForSingleObject(handle, FALSE, timeout_set(&timeout, milliseconds)));
}

DWORD WINAPI WaitForMultipleObjects(DWORD count, const HANDLE *handles, WINBOOL all, DWORD milliseconds)
{
	LARGE_INTEGER timeout;

	if (!count || count > MAXIMUM_WAIT_OBJECTS) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return WAIT_FAILED;
	}
	return wait_result(NtWaitForMultipleObjects(count, (HANDLE *)handles, !all, FALSE,
						    timeout_set(&timeout, milliseconds)));
}

HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES security, WINBOOL manual, WINBOOL initial, LPCWSTR name)
{
	struct object_name object;
	HANDLE event;
	NTSTATUS status = object_name_set(&object, name, security);

	if (NT_SUCCESS(status)) {
		object.attributes.Attributes |= OBJ_OPENIF;
		status = NtCreateEvent(&event, EVENT_ALL_ACCESS, &object.attributes, !manual, initial != 0);
	}
	if (!status_result(status)) {
		if (status == STATUS_OBJECT_TYPE_MISMATCH)
			SetLastError(ERROR_INVALID_HANDLE);
		return NULL;
	}
	SetLastError(status == STATUS_OBJECT_NAME_EXISTS ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
	return event;
}

HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES security, WINBOOL manual, WINBOOL initial, LPCSTR name)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HANDLE event = !name || wide ? CreateEventW(security, manual, initial, wide) : NULL;

	memory_free(wide);
	return event;
}

HANDLE WINAPI OpenEventW(DWORD access, WINBOOL inherit, LPCWSTR name)
{
	SECURITY_ATTRIBUTES security = { sizeof(security), NULL, inherit };
	struct object_name object;
	HANDLE event;
	NTSTATUS status;

	if (!name) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	status = object_name_set(&object, name, &security);
	if (NT_SUCCESS(status))
		status = NtOpenEvent(&event, access, &object.attributes);
	return status_result(status) ? event : NULL;
}

HANDLE WINAPI OpenEventA(DWORD access, WINBOOL inherit, LPCSTR name)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	HANDLE event = !name || wide ? OpenEventW(access, inherit, wide) : NULL;

	memory_free(wide);
	return event;
}

WINBOOL WINAPI SetEvent(HANDLE event)
{
	return status_result(NtSetEvent(event, NULL));
}

WINBOOL WINAPI ResetEvent(HANDLE event)
{
	return status_result(NtResetEvent(event, NULL));
}

/* Critical sections and their kin are ntdll's; these are the ones whose results differ. */

void WINAPI InitializeCriticalSection(LPCRITICAL_SECTION section)
{
	RtlInitializeCriticalSection(section);
}

WINBOOL WINAPI InitializeCriticalSectionAndSpinCount(LPCRITICAL_SECTION section, DWORD spins)
{
	return status_result(RtlInitializeCriticalSectionAndSpinCount(section, spins));
}

WINBOOL WINAPI InitializeCriticalSectionEx(LPCRITICAL_SECTION section, DWORD spins, DWORD flags)
{
	(void)flags; /* CRITICAL_SECTION_NO_DEBUG_INFO: there is none */
	return status_result(RtlInitializeCriticalSectionAndSpinCount(section, spins));
}

WINBOOL WINAPI SleepConditionVariableCS(PCONDITION_VARIABLE variable, PCRITICAL_SECTION section, DWORD milliseconds)
{
	LARGE_INTEGER timeout;
	NTSTATUS status = RtlSleepConditionVariableCS(variable, section, timeout_set(&timeout, milliseconds));

	if (status == STATUS_TIMEOUT)
		SetLastError(ERROR_TIMEOUT);
	return status != STATUS_TIMEOUT && status_result(status);
}

WINBOOL WINAPI SleepConditionVariableSRW(PCONDITION_VARIABLE variable, PSRWLOCK lock, DWORD milliseconds, ULONG flags)
{
	LARGE_INTEGER timeout;
	NTSTATUS status = RtlSleepConditionVariableSRW(variable, lock, timeout_set(&timeout, milliseconds), flags);

	if (status == STATUS_TIMEOUT)
		SetLastError(ERROR_TIMEOUT);
	return status != STATUS_TIMEOUT && status_result(status);
}

WINBOOL WINAPI WaitOnAddress(volatile VOID *address, PVOID compare, SIZE_T size, DWORD milliseconds)
{
	LARGE_INTEGER timeout;
	NTSTATUS status = RtlWaitOnAddress(address, compare, size, timeout_set(&timeout, milliseconds));

	if (status == STATUS_TIMEOUT)
		SetLastError(ERROR_TIMEOUT);
	return status != STATUS_TIMEOUT && status_result(status);
}

WINBOOL WINAPI InitOnceExecuteOnce(PINIT_ONCE once, PINIT_ONCE_FN init, PVOID parameter, LPVOID *context)
{
	return status_result(RtlRunOnceExecuteOnce(once, (PRTL_RUN_ONCE_INIT_FN)init, parameter, context));
}

WINBOOL WINAPI InitOnceBeginInitialize(LPINIT_ONCE once, DWORD flags, PBOOL pending, LPVOID *context)
{
	NTSTATUS status = RtlRunOnceBeginInitialize(once, flags, context);

	*pending = status == STATUS_PENDING;
	return status_result(status);
}

WINBOOL WINAPI InitOnceComplete(LPINIT_ONCE once, DWORD flags, LPVOID context)
{
	return status_result(RtlRunOnceComplete(once, flags, context));
}
