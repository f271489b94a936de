/*
 * The console. The kernel gives bytes as they are typed and echoes nothing: lines, echo and editing are made here,
 * for the process that reads. The modes of SetConsoleMode are this process's own: another one starts with the usual
 * ones.
 */
#include "kernel32.h"

#define LINE_BYTES 4096u
#define CONTROL_HANDLERS 16u

enum { KEY_CTRL_C = 3, KEY_CTRL_D = 4, KEY_BACKSPACE = 8, KEY_CTRL_U = 21, KEY_CTRL_Z = 26, KEY_DELETE = 127 };

static DWORD input_mode = ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT;
static DWORD output_mode = ENABLE_PROCESSED_OUTPUT | ENABLE_WRAP_AT_EOL_OUTPUT;

static CRITICAL_SECTION input_lock = CRITICAL_SECTION_START;
static char line[LINE_BYTES];
static DWORD line_at, line_end;  /* what of it has not been given out yet */
static BOOL after_return;        /* a line feed behind a carriage return belongs to it */
static HANDLE echo_handle;

static CRITICAL_SECTION control_lock = CRITICAL_SECTION_START;
static PHANDLER_ROUTINE control_handlers[CONTROL_HANDLERS];
static DWORD control_handler_count;
static BOOL control_ignored;

BOOL handle_is_console(HANDLE handle)
{
	FILE_FS_DEVICE_INFORMATION device;
	IO_STATUS_BLOCK io;

	return NT_SUCCESS(NtQueryVolumeInformationFile(handle, &io, &device, sizeof(device), DEVICE_INFORMATION)) &&
	       device.DeviceType == DEVICE_CONSOLE;
}

HANDLE WINAPI GetStdHandle(DWORD which)
{
	struct process_parameters *parameters = peb_current()->parameters;

	switch (which) {
	case STD_INPUT_HANDLE:
		return parameters->standard_input;
	case STD_OUTPUT_HANDLE:
		return parameters->standard_output;
	case STD_ERROR_HANDLE:
		return parameters->standard_error;
	}
	SetLastError(ERROR_INVALID_HANDLE);
	return INVALID_HANDLE_VALUE;
}

WINBOOL WINAPI SetStdHandle(DWORD which, HANDLE handle)
{
	struct process_parameters *parameters = peb_current()->parameters;

	switch (which) {
	case STD_INPUT_HANDLE:
		parameters->standard_input = handle;
		return TRUE;
	case STD_OUTPUT_HANDLE:
		parameters->standard_output = handle;
		return TRUE;
	case STD_ERROR_HANDLE:
		parameters->standard_error = handle;
		return TRUE;
	}
	SetLastError(ERROR_INVALID_HANDLE);
	return FALSE;
}

/* Whether a console handle is one for output: it can be written to, and is not standard input. */
static BOOL is_output(HANDLE handle)
{
	IO_STATUS_BLOCK io;

	if (handle == peb_current()->parameters->standard_input)
		return FALSE;
	return NT_SUCCESS(NtWriteFile(handle, NULL, NULL, NULL, &io, "", 0, NULL, NULL));
}

WINBOOL WINAPI GetConsoleMode(HANDLE handle, LPDWORD mode)
{
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	*mode = is_output(handle) ? output_mode : input_mode;
	return TRUE;
}

/* Output: carriage return and wrapping are the kernel's; ENABLE_VIRTUAL_TERMINAL_PROCESSING is up to the terminal. */
WINBOOL WINAPI SetConsoleMode(HANDLE handle, DWORD mode)
{
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	if (is_output(handle))
		output_mode = mode;
	else if ((mode & (ENABLE_LINE_INPUT | ENABLE_ECHO_INPUT)) == ENABLE_ECHO_INPUT)
		return status_result(STATUS_INVALID_PARAMETER); /* echo without lines is not possible */
	else
		input_mode = mode;
	return TRUE;
}

UINT WINAPI GetConsoleCP(VOID)
{
	return CP_UTF8;
}

UINT WINAPI GetConsoleOutputCP(VOID)
{
	return CP_UTF8;
}

WINBOOL WINAPI SetConsoleCP(UINT page)
{
	return page == CP_UTF8 || status_result(STATUS_INVALID_PARAMETER);
}

WINBOOL WINAPI SetConsoleOutputCP(UINT page)
{
	return page == CP_UTF8 || status_result(STATUS_INVALID_PARAMETER);
}

/* handler NULL: Ctrl-C is ignored (add) or not. The handler that was added last is asked first. */
WINBOOL WINAPI SetConsoleCtrlHandler(PHANDLER_ROUTINE handler, WINBOOL add)
{
	DWORD error = ERROR_SUCCESS, i;

	EnterCriticalSection(&control_lock);
	if (!handler) {
		control_ignored = add;
	} else if (add) {
		if (control_handler_count < CONTROL_HANDLERS)
			control_handlers[control_handler_count++] = handler;
		else
			error = ERROR_NOT_ENOUGH_MEMORY;
	} else {
		for (i = control_handler_count; i && control_handlers[i - 1] != handler; i--)
			;
		error = i ? ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
		for (; i && i < control_handler_count; i++)
			control_handlers[i - 1] = control_handlers[i];
		if (!error)
			control_handler_count--;
	}
	LeaveCriticalSection(&control_lock);
	if (error)
		SetLastError(error);
	return !error;
}

/* The handlers run on a thread of their own, as on Windows; if none takes it, the process ends. */
static DWORD WINAPI control_thread(void *parameter)
{
	PHANDLER_ROUTINE handlers[CONTROL_HANDLERS];
	DWORD count;

	(void)parameter;
	EnterCriticalSection(&control_lock);
	count = control_handler_count;
	memcpy(handlers, control_handlers, sizeof(handlers));
	LeaveCriticalSection(&control_lock);
	while (count)
		if (handlers[--count](CTRL_C_EVENT))
			return 0;
	ExitProcess((UINT)STATUS_CONTROL_C_EXIT);
}

static void control_c(void)
{
	HANDLE thread;

	if (control_ignored)
		return;
	thread = control_handler_count ? CreateThread(NULL, 0, control_thread, NULL, 0, NULL) : NULL;
	if (!thread) /* also without a handler: the reader shall not see an end of input first */
		ExitProcess((UINT)STATUS_CONTROL_C_EXIT);
	NtClose(thread);
}

static void echo(const char *text, DWORD size)
{
	IO_STATUS_BLOCK io;

	if (!(input_mode & ENABLE_ECHO_INPUT))
		return;
	if (!echo_handle && !NT_SUCCESS(path_open(L"CONOUT$", FILE_GENERIC_WRITE, 0, &echo_handle)))
		echo_handle = NULL;
	if (echo_handle)
		NtWriteFile(echo_handle, NULL, NULL, NULL, &io, text, size, NULL, NULL);
}

static void line_rub_out(void)
{
	while (line_end && (line[line_end - 1] & 0xC0) == 0x80)
		line_end--; /* a character of several bytes is one on the screen */
	if (line_end)
		line_end--;
	echo("\b \b", 3);
}

/*
 * Reads one line with its "\r\n" into line. Byte by byte: what is typed behind the line belongs to whoever reads next,
 * perhaps another process. An end of input gives what there is, or nothing.
 */
static NTSTATUS line_read(HANDLE handle)
{
	line_at = line_end = 0;
	for (;;) {
		IO_STATUS_BLOCK io = { 0 };
		char key;
		NTSTATUS status = NtReadFile(handle, NULL, NULL, NULL, &io, &key, 1, NULL, NULL);
		BOOL second = after_return && key == '\n';

		if (status == STATUS_END_OF_FILE || (NT_SUCCESS(status) && !io.Information))
			return STATUS_SUCCESS;
		if (!NT_SUCCESS(status))
			return status;
		after_return = key == '\r';
		if (second)
			continue;
		if (key == '\r' || key == '\n') {
			memcpy(line + line_end, "\r\n", 2);
			line_end += 2;
			echo("\n", 1);
			return STATUS_SUCCESS;
		}
		if (key == KEY_CTRL_C && (input_mode & ENABLE_PROCESSED_INPUT)) {
			echo("^C\n", 3);
			line_end = 0;
			control_c();
			return STATUS_CANCELLED;
		}
		if ((key == KEY_CTRL_D || key == KEY_CTRL_Z) && !line_end) {
			echo("\n", 1);
			return STATUS_SUCCESS;
		}
		if (key == KEY_BACKSPACE || key == KEY_DELETE) {
			if (line_end)
				line_rub_out();
		} else if (key == KEY_CTRL_U) {
			while (line_end)
				line_rub_out();
		} else if (line_end + 3 <= LINE_BYTES && ((BYTE)key >= ' ' || key == '\t')) {
			line[line_end++] = key;
			echo(&key, 1);
		}
	}
}

/* Reads from the console by its mode. 0 bytes: the input ended, or Ctrl-C was handled (the last error says so). */
NTSTATUS console_read(HANDLE handle, void *buffer, DWORD size, DWORD *done)
{
	NTSTATUS status = STATUS_SUCCESS;

	*done = 0;
	if (!(input_mode & ENABLE_LINE_INPUT)) {
		IO_STATUS_BLOCK io = { 0 };

		status = NtReadFile(handle, NULL, NULL, NULL, &io, buffer, size, NULL, NULL);
		if (NT_SUCCESS(status))
			*done = (DWORD)io.Information;
		return status == STATUS_END_OF_FILE ? STATUS_SUCCESS : status;
	}
	EnterCriticalSection(&input_lock);
	if (line_at == line_end)
		status = line_read(handle);
	if (NT_SUCCESS(status)) {
		*done = line_end - line_at < size ? line_end - line_at : size;
		memcpy(buffer, line + line_at, *done);
		line_at += *done;
	} else if (status == STATUS_CANCELLED) {
		SetLastError(ERROR_OPERATION_ABORTED);
		status = STATUS_SUCCESS;
	}
	LeaveCriticalSection(&input_lock);
	return status;
}

WINBOOL WINAPI ReadConsoleA(HANDLE handle, LPVOID buffer, DWORD size, LPDWORD done, LPVOID control)
{
	(void)control;
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	return status_result(console_read(handle, buffer, size, done));
}

/* Bytes of the UTF-8 character that begins with this byte. */
static DWORD character_bytes(char first)
{
	return (first & 0xE0) == 0xC0 ? 2 : (first & 0xF0) == 0xE0 ? 3 : (first & 0xF8) == 0xF0 ? 4 : 1;
}

/* Character by character, so that none is cut in two at the end of the buffer. */
WINBOOL WINAPI ReadConsoleW(HANDLE handle, LPVOID buffer, DWORD units, LPDWORD done, LPVOID control)
{
	WCHAR *out = buffer;

	(void)control;
	*done = 0;
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	while (*done + 2 <= units) {
		char character[4];
		DWORD size = 0, need = 1, got;
		ULONG bytes;

		while (size < need) {
			NTSTATUS status = console_read(handle, character + size, 1, &got);

			if (!NT_SUCCESS(status))
				return status_result(status);
			if (!got)
				return TRUE;
			if (!size)
				need = character_bytes(character[0]);
			size += got;
		}
		RtlUTF8ToUnicodeN(out + *done, 2 * sizeof(WCHAR), &bytes, character, size);
		*done += bytes / sizeof(WCHAR);
		if (!(input_mode & ENABLE_LINE_INPUT) || line_at == line_end)
			break;
	}
	return TRUE;
}

WINBOOL WINAPI WriteConsoleA(HANDLE handle, CONST VOID *text, DWORD size, LPDWORD done, LPVOID reserved)
{
	DWORD count;

	(void)reserved;
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	return WriteFile(handle, text, size, done ? done : &count, NULL);
}

WINBOOL WINAPI WriteConsoleW(HANDLE handle, CONST VOID *text, DWORD units, LPDWORD done, LPVOID reserved)
{
	DWORD count;
	char *narrow;
	BOOL written;

	(void)reserved;
	if (!handle_is_console(handle))
		return status_result(STATUS_INVALID_HANDLE);
	narrow = narrow_from(text, units);
	if (!narrow)
		return FALSE;
	written = WriteFile(handle, narrow, (DWORD)strlen(narrow), &count, NULL);
	memory_free(narrow);
	if (done)
		*done = written ? units : 0;
	return written;
}
