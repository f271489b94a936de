/* The command line, the environment, and what GetStartupInfo says. */
#include "kernel32.h"

static char *command_line_narrow START_DATA;
static WCHAR *environment_own; /* the block that the parameters point to once it has been changed */

/* Called when the DLL is attached: GetCommandLineA can't fail. */
BOOL command_line_init(void)
{
	const UNICODE_STRING *line = &peb_current()->parameters->command_line;

	command_line_narrow = narrow_from(line->Buffer, line->Length / sizeof(WCHAR));
	return command_line_narrow != NULL;
}

LPSTR WINAPI GetCommandLineA(VOID)
{
	return command_line_narrow;
}

LPWSTR WINAPI GetCommandLineW(VOID)
{
	return peb_current()->parameters->command_line.Buffer;
}

static void startup_info(STARTUPINFOW *out)
{
	struct process_parameters *parameters = peb_current()->parameters;

	memset(out, 0, sizeof(*out));
	out->cb = sizeof(*out);
	out->dwFlags = STARTF_USESTDHANDLES;
	out->hStdInput = parameters->standard_input;
	out->hStdOutput = parameters->standard_output;
	out->hStdError = parameters->standard_error;
}

VOID WINAPI GetStartupInfoW(LPSTARTUPINFOW out)
{
	startup_info(out);
}

VOID WINAPI GetStartupInfoA(LPSTARTUPINFOA out)
{
	startup_info((STARTUPINFOW *)out); /* the same layout, and no strings */
}

/* The entry for a name of so many units in the block, at its name; NULL. Call with the lock held. */
static WCHAR *variable_find(const WCHAR *name, SIZE_T units)
{
	for (WCHAR *at = peb_current()->parameters->environment; at && *at; at += wcslen(at) + 1)
		if (!_wcsnicmp(at, name, units) && at[units] == '=')
			return at;
	return NULL;
}

DWORD WINAPI GetEnvironmentVariableW(LPCWSTR name, LPWSTR out, DWORD units)
{
	SIZE_T name_units = wcslen(name);
	DWORD result = 0;
	WCHAR *at;

	RtlEnterCriticalSection(peb_current()->fast_lock);
	at = name_units ? variable_find(name, name_units) : NULL;
	if (at) {
		DWORD length;

		at += name_units + 1;
		length = (DWORD)wcslen(at);
		if (length < units)
			memcpy(out, at, (length + 1) * sizeof(WCHAR));
		result = length < units ? length : length + 1;
	}
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	SetLastError(at ? ERROR_SUCCESS : ERROR_ENVVAR_NOT_FOUND);
	return result;
}

DWORD WINAPI GetEnvironmentVariableA(LPCSTR name, LPSTR out, DWORD size)
{
	WCHAR *wide = wide_from(name), *value;
	DWORD units = wide ? GetEnvironmentVariableW(wide, NULL, 0) : 0, result = 0;

	value = units ? memory_get(units * sizeof(WCHAR)) : NULL;
	if (value) {
		units = GetEnvironmentVariableW(wide, value, units);
		result = narrow_result(value, units, out, size);
		memory_free(value);
	}
	memory_free(wide);
	return result;
}

/* value NULL: the variable is removed. */
WINBOOL WINAPI SetEnvironmentVariableW(LPCWSTR name, LPCWSTR value)
{
	struct process_parameters *parameters = peb_current()->parameters;
	SIZE_T name_units = wcslen(name), value_units = value ? wcslen(value) : 0, old_units = 1;
	WCHAR *block, *out, *existing;

	for (SIZE_T i = 0; i < name_units; i++)
		if (name[i] == '=' && i)
			name_units = 0;
	if (!name_units) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	RtlEnterCriticalSection(peb_current()->fast_lock);
	existing = variable_find(name, name_units);
	if (!value && !existing) {
		RtlLeaveCriticalSection(peb_current()->fast_lock);
		SetLastError(ERROR_ENVVAR_NOT_FOUND);
		return FALSE;
	}
	for (WCHAR *at = parameters->environment; at && *at; at += wcslen(at) + 1)
		old_units += wcslen(at) + 1;
	block = out = memory_get((old_units + name_units + value_units + 3) * sizeof(WCHAR));
	if (!block) {
		RtlLeaveCriticalSection(peb_current()->fast_lock);
		return FALSE;
	}
	for (WCHAR *at = parameters->environment; at && *at; at += wcslen(at) + 1) {
		if (at == existing)
			continue;
		memcpy(out, at, (wcslen(at) + 1) * sizeof(WCHAR));
		out += wcslen(at) + 1;
	}
	if (value) {
		memcpy(out, name, name_units * sizeof(WCHAR));
		out += name_units;
		*out++ = '=';
		memcpy(out, value, (value_units + 1) * sizeof(WCHAR));
		out += value_units + 1;
	}
	if (out == block)
		*out++ = 0;
	*out = 0;
	parameters->environment = block;
	memory_free(environment_own);
	environment_own = block;
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	return TRUE;
}

WINBOOL WINAPI SetEnvironmentVariableA(LPCSTR name, LPCSTR value)
{
	WCHAR *wide_name = wide_from(name), *wide_value = value ? wide_from(value) : NULL;
	BOOL done = wide_name && (!value || wide_value) && SetEnvironmentVariableW(wide_name, wide_value);

	memory_free(wide_name);
	memory_free(wide_value);
	return done;
}

/* A copy of the block: free it with FreeEnvironmentStrings. */
LPWCH WINAPI GetEnvironmentStringsW(VOID)
{
	WCHAR *block, *at;
	SIZE_T size;

	RtlEnterCriticalSection(peb_current()->fast_lock);
	at = peb_current()->parameters->environment;
	while (*at)
		at += wcslen(at) + 1;
	size = (SIZE_T)(at + 1 - peb_current()->parameters->environment) * sizeof(WCHAR);
	block = memory_get(size);
	if (block)
		memcpy(block, peb_current()->parameters->environment, size);
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	return block;
}

LPCH WINAPI GetEnvironmentStrings(VOID)
{
	WCHAR *block, *at;
	char *narrow;

	RtlEnterCriticalSection(peb_current()->fast_lock);
	block = at = peb_current()->parameters->environment;
	while (*at)
		at += wcslen(at) + 1;
	narrow = narrow_from(block, (ULONG)(at + 1 - block));
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	return narrow;
}

WINBOOL WINAPI FreeEnvironmentStringsW(LPWCH block)
{
	memory_free(block);
	return TRUE;
}

WINBOOL WINAPI FreeEnvironmentStringsA(LPCH block)
{
	memory_free(block);
	return TRUE;
}
