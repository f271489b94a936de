/*
 * Privileges, from advapi32.dll. Programs enable SeLockMemoryPrivilege before they use physical or large pages. There are
 * no users here, and every process holds every privilege, always enabled: what programs ask for succeeds. A token is a
 * handle to its process.
 */
#include "kernel32.h"

/* Their numbers (SE_*_PRIVILEGE in the WDK) begin at 2. */
#define PRIVILEGE_FIRST 2

static const WCHAR *const privileges[] = {
	L"SeCreateTokenPrivilege", L"SeAssignPrimaryTokenPrivilege", L"SeLockMemoryPrivilege",
	L"SeIncreaseQuotaPrivilege", L"SeMachineAccountPrivilege", L"SeTcbPrivilege", L"SeSecurityPrivilege",
	L"SeTakeOwnershipPrivilege", L"SeLoadDriverPrivilege", L"SeSystemProfilePrivilege", L"SeSystemtimePrivilege",
	L"SeProfileSingleProcessPrivilege", L"SeIncreaseBasePriorityPrivilege", L"SeCreatePagefilePrivilege",
	L"SeCreatePermanentPrivilege", L"SeBackupPrivilege", L"SeRestorePrivilege", L"SeShutdownPrivilege",
	L"SeDebugPrivilege", L"SeAuditPrivilege", L"SeSystemEnvironmentPrivilege", L"SeChangeNotifyPrivilege",
	L"SeRemoteShutdownPrivilege", L"SeUndockPrivilege", L"SeSyncAgentPrivilege", L"SeEnableDelegationPrivilege",
	L"SeManageVolumePrivilege", L"SeImpersonatePrivilege", L"SeCreateGlobalPrivilege",
	L"SeTrustedCredManAccessPrivilege", L"SeRelabelPrivilege", L"SeIncreaseWorkingSetPrivilege",
	L"SeTimeZonePrivilege", L"SeCreateSymbolicLinkPrivilege", L"SeDelegateSessionUserImpersonatePrivilege",
};
#define PRIVILEGE_COUNT (sizeof(privileges) / sizeof(privileges[0]))

static BOOL privilege_exists(const LUID *value)
{
	return !value->HighPart && value->LowPart - PRIVILEGE_FIRST < PRIVILEGE_COUNT;
}

/* The process must be open for PROCESS_QUERY_(LIMITED_)INFORMATION. */
static BOOL process_known(HANDLE process)
{
	PROCESS_BASIC_INFORMATION information;

	return status_result(NtQueryInformationProcess(process, ProcessBasicInformation, &information,
						       sizeof(information), NULL));
}

WINBOOL WINAPI OpenProcessToken(HANDLE process, DWORD access, PHANDLE token)
{
	(void)access;
	return process_known(process) &&
	       status_result(NtDuplicateObject(BACKSTORE_CURRENT_PROCESS, process, BACKSTORE_CURRENT_PROCESS, token,
					       PROCESS_QUERY_INFORMATION, 0, 0));
}

/* Threads have none of their own: nobody impersonates. */
WINBOOL WINAPI OpenThreadToken(HANDLE thread, DWORD access, WINBOOL as_self, PHANDLE token)
{
	(void)thread;
	(void)access;
	(void)as_self;
	(void)token;
	SetLastError(ERROR_NO_TOKEN);
	return FALSE;
}

/* system: NULL or empty, this one. */
WINBOOL WINAPI LookupPrivilegeValueW(LPCWSTR system, LPCWSTR name, PLUID value)
{
	if (system && *system) {
		SetLastError(ERROR_NOT_SUPPORTED);
		return FALSE;
	}
	for (DWORD i = 0; name && i < PRIVILEGE_COUNT; i++)
		if (!_wcsicmp(name, privileges[i])) {
			*value = (LUID){ PRIVILEGE_FIRST + i, 0 };
			return TRUE;
		}
	SetLastError(ERROR_NO_SUCH_PRIVILEGE);
	return FALSE;
}

WINBOOL WINAPI LookupPrivilegeValueA(LPCSTR system, LPCSTR name, PLUID value)
{
	WCHAR *wide = name ? wide_from(name) : NULL;
	BOOL done = (!name || wide) && LookupPrivilegeValueW(system && *system ? L"?" : NULL, wide, value);

	memory_free(wide);
	return done;
}

/*
 * ERROR_NOT_ALL_ASSIGNED, with TRUE: one of them does not exist. Nothing changes, so *previous has none; size: its bytes.
 */
WINBOOL WINAPI AdjustTokenPrivileges(HANDLE token, WINBOOL disable_all, PTOKEN_PRIVILEGES wanted, DWORD size,
				     PTOKEN_PRIVILEGES previous, PDWORD returned)
{
	const DWORD needed = offsetof(TOKEN_PRIVILEGES, Privileges);
	DWORD error = ERROR_SUCCESS;

	if (!process_known(token))
		return FALSE;
	if ((!disable_all && !wanted) || (previous && !returned)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (previous) {
		*returned = needed;
		if (size < needed) {
			SetLastError(ERROR_INSUFFICIENT_BUFFER);
			return FALSE;
		}
		previous->PrivilegeCount = 0;
	}
	for (DWORD i = 0; !disable_all && i < wanted->PrivilegeCount; i++)
		if (!privilege_exists(&wanted->Privileges[i].Luid))
			error = ERROR_NOT_ALL_ASSIGNED;
	SetLastError(error);
	return TRUE;
}

/* *held: whether all of the set are (PRIVILEGE_SET_ALL_NECESSARY), or one of it. */
WINBOOL WINAPI PrivilegeCheck(HANDLE token, PPRIVILEGE_SET set, LPBOOL held)
{
	DWORD found = 0;

	if (!process_known(token))
		return FALSE;
	for (DWORD i = 0; i < set->PrivilegeCount; i++)
		if (privilege_exists(&set->Privilege[i].Luid)) {
			set->Privilege[i].Attributes |= SE_PRIVILEGE_USED_FOR_ACCESS;
			found++;
		}
	*held = set->Control & PRIVILEGE_SET_ALL_NECESSARY ? found == set->PrivilegeCount : found != 0;
	return TRUE;
}
