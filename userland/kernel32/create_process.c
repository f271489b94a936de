/* CreateProcess: which file the command line means, and what the new process gets from this one. */
#include "kernel32.h"

/*
 * The program that a command line names, as a path that exists, in out (PATH_UNITS_MAX units). A quoted name is taken
 * as it is; without quotes each blank may be its end: "a b c" is tried as "a", "a b", "a b c".
 */
static BOOL program_find(const WCHAR *line, WCHAR *out)
{
	WCHAR *name = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
	BOOL quoted, found = FALSE;
	ULONG length = 0;

	if (!name)
		return FALSE;
	while (*line == ' ' || *line == '\t')
		line++;
	quoted = *line == '"';
	if (quoted)
		line++;
	while (!found && length + 1 < PATH_UNITS_MAX) {
		while (length + 1 < PATH_UNITS_MAX && line[length] &&
		       !(quoted ? line[length] == '"' : line[length] == ' ' || line[length] == '\t')) {
			name[length] = line[length];
			length++;
		}
		name[length] = 0;
		found = length && path_search(name, L".exe", out);
		if (quoted || !line[length] || length + 1 >= PATH_UNITS_MAX)
			break;
		name[length] = line[length];
		length++;
	}
	memory_free(name);
	return found; /* with the last error of the last attempt: no such file, or no such path */
}

static SIZE_T environment_bytes(const WCHAR *environment)
{
	const WCHAR *at = environment;

	while (*at)
		at += wcslen(at) + 1;
	return (SIZE_T)(at + 1 - environment) * sizeof(WCHAR);
}

/* The A form of an environment block as a wide one; NULL without memory. */
static WCHAR *environment_wide(const char *narrow)
{
	const char *end = narrow;
	ULONG bytes;
	WCHAR *wide;

	while (*end)
		end += strlen(end) + 1;
	end++;
	RtlUTF8ToUnicodeN(NULL, 0, &bytes, narrow, (ULONG)(end - narrow));
	wide = memory_get(bytes);
	if (wide)
		RtlUTF8ToUnicodeN(wide, bytes, NULL, narrow, (ULONG)(end - narrow));
	return wide;
}

/*
 * The standard handles: those of STARTF_USESTDHANDLES, also when they are NULL; else ours, if handles are inherited, and if
 * we were given them so, also when they are NULL. Without either the new process opens the console by itself (console_init).
 */
static void standard_handles(struct bs_create_process *in, const STARTUPINFOW *startup, BOOL inherit)
{
	struct process_parameters *own = peb_current()->parameters;

	if (startup && (startup->dwFlags & STARTF_USESTDHANDLES)) {
		in->standard_input = (uint64_t)startup->hStdInput;
		in->standard_output = (uint64_t)startup->hStdOutput;
		in->standard_error = (uint64_t)startup->hStdError;
		in->flags |= BS_PROCESS_USE_HANDLES;
	} else if (inherit || own->window_flags & STARTF_USESTDHANDLES) {
		in->standard_input = (uint64_t)own->standard_input;
		in->standard_output = (uint64_t)own->standard_output;
		in->standard_error = (uint64_t)own->standard_error;
		if (own->window_flags & STARTF_USESTDHANDLES)
			in->flags |= BS_PROCESS_USE_HANDLES;
	}
}

/* Whether a program's headers say that it is for another machine; then it is not a bad one. */
static BOOL is_for_other_machine(const WCHAR *program)
{
	HANDLE file = CreateFileW(program, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
				  OPEN_EXISTING, 0, NULL);
	OVERLAPPED at = { .Offset = 0 };
	IMAGE_DOS_HEADER dos;
	struct {
		DWORD signature;
		IMAGE_FILE_HEADER header;
		WORD magic;
	} pe;
	DWORD done;
	BOOL other;

	if (file == INVALID_HANDLE_VALUE)
		return FALSE;
	other = ReadFile(file, &dos, sizeof(dos), &done, &at) && done == sizeof(dos) && dos.e_magic == IMAGE_DOS_SIGNATURE;
	at.Offset = (DWORD)dos.e_lfanew;
	other = other && ReadFile(file, &pe, sizeof(pe), &done, &at) && done == sizeof(pe) && pe.signature == IMAGE_NT_SIGNATURE &&
		(pe.header.Machine != IMAGE_FILE_MACHINE_AMD64 || pe.magic == IMAGE_NT_OPTIONAL_HDR32_MAGIC);
	CloseHandle(file);
	return other;
}

/* The part of CreateProcess behind the search. directory NULL: ours. */
static NTSTATUS process_create(const WCHAR *program, const WCHAR *line, BOOL inherit, DWORD flags,
			       const WCHAR *environment, const WCHAR *directory, const STARTUPINFOW *startup,
			       PROCESS_INFORMATION *out)
{
	struct process_parameters *own = peb_current()->parameters;
	WCHAR path[NT_PATH_UNITS_MAX]; /* half a page: no more, there is no stack probe */
	WCHAR *full = directory ? memory_get(PATH_UNITS_MAX * sizeof(WCHAR)) : NULL;
	struct bs_create_process in = { 0 };
	UNICODE_STRING image;
	DWORD length = 0;
	NTSTATUS status = path_to_nt_in(program, path, &image);

	if (directory && !full)
		status = STATUS_NO_MEMORY;
	if (!NT_SUCCESS(status)) {
		memory_free(full);
		return status;
	}
	if (directory) {
		length = path_full(directory, full, PATH_UNITS_MAX - 1);
		if (length && full[length - 1] != '\\')
			full[length++] = '\\';
	}
	in.image_path = (uint64_t)image.Buffer;
	in.image_path_bytes = image.Length;
	in.command_line = (uint64_t)line;
	in.command_line_bytes = wcslen(line) * sizeof(WCHAR);
	in.flags = (inherit ? BS_PROCESS_INHERIT_HANDLES : 0) | ((flags & CREATE_SUSPENDED) ? BS_PROCESS_SUSPENDED : 0);
	standard_handles(&in, startup, inherit);
	RtlEnterCriticalSection(peb_current()->fast_lock); /* nobody changes ours while the kernel reads it */
	in.current_directory = (uint64_t)(directory ? full : own->current_directory.Buffer);
	in.current_directory_bytes = directory ? length * sizeof(WCHAR) : own->current_directory.Length;
	in.environment = (uint64_t)(environment ? environment : own->environment);
	in.environment_bytes = environment_bytes((WCHAR *)in.environment);
	status = BsCreateProcess(&in, &out->hProcess, &out->hThread);
	RtlLeaveCriticalSection(peb_current()->fast_lock);
	out->dwProcessId = in.process_id;
	out->dwThreadId = in.thread_id;
	memory_free(full);
	return status;
}

/*
 * Known flags: CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT; those about windows, priorities and groups have no meaning
 * here. Security attributes: neither handle becomes inheritable.
 */
WINBOOL WINAPI CreateProcessW(LPCWSTR application, LPWSTR command_line, LPSECURITY_ATTRIBUTES process_security,
			      LPSECURITY_ATTRIBUTES thread_security, WINBOOL inherit, DWORD flags, LPVOID environment,
			      LPCWSTR directory, LPSTARTUPINFOW startup, LPPROCESS_INFORMATION out)
{
	WCHAR *wide_environment = environment, *searched = NULL;
	const WCHAR *program = application;
	NTSTATUS status = STATUS_NO_MEMORY;

	(void)process_security;
	(void)thread_security;
	if (!application && !command_line) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	if (directory) {
		DWORD attributes = GetFileAttributesW(directory);

		if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
			SetLastError(ERROR_DIRECTORY);
			return FALSE;
		}
	}
	if (!application) {
		searched = memory_get(PATH_UNITS_MAX * sizeof(WCHAR));
		if (!searched || !program_find(command_line, searched)) {
			memory_free(searched);
			return FALSE;
		}
		program = searched;
	}
	if (environment && !(flags & CREATE_UNICODE_ENVIRONMENT))
		wide_environment = environment_wide(environment);
	if (!environment || wide_environment)
		status = process_create(program, command_line ? command_line : application, inherit, flags, wide_environment, directory,
					startup, out);
	memory_free_beside(wide_environment, environment);
	if ((status == STATUS_INVALID_IMAGE_FORMAT || status == STATUS_INVALID_IMAGE_WIN_32) && is_for_other_machine(program))
		status = STATUS_IMAGE_MACHINE_TYPE_MISMATCH;
	memory_free(searched);
	if (status == STATUS_IMAGE_MACHINE_TYPE_MISMATCH) /* which is no error elsewhere */
		return status_failed(status);
	return status_result(status);
}

WINBOOL WINAPI CreateProcessA(LPCSTR application, LPSTR command_line, LPSECURITY_ATTRIBUTES process_security,
			      LPSECURITY_ATTRIBUTES thread_security, WINBOOL inherit, DWORD flags, LPVOID environment,
			      LPCSTR directory, LPSTARTUPINFOA startup, LPPROCESS_INFORMATION out)
{
	WCHAR path[MAX_PATH], line[MAX_PATH];
	WCHAR *wide_application = application ? wide_from_in(application, path, MAX_PATH) : NULL;
	WCHAR *wide_line = command_line ? wide_from_in(command_line, line, MAX_PATH) : NULL;
	WCHAR *wide_directory = directory ? wide_from(directory) : NULL;
	STARTUPINFOW wide_startup = { .cb = sizeof(wide_startup) };
	BOOL done = FALSE;

	if (startup) {
		wide_startup.dwFlags = startup->dwFlags;
		wide_startup.hStdInput = startup->hStdInput;
		wide_startup.hStdOutput = startup->hStdOutput;
		wide_startup.hStdError = startup->hStdError;
	}
	if ((!application || wide_application) && (!command_line || wide_line) && (!directory || wide_directory))
		done = CreateProcessW(wide_application, wide_line, process_security, thread_security, inherit, flags,
				      environment, wide_directory, &wide_startup, out);
	memory_free_beside(wide_application, path);
	memory_free_beside(wide_line, line);
	memory_free(wide_directory);
	return done;
}
