/* Files: opening, reading, writing, positions, attributes. */
#include "kernel32.h"

NTSTATUS file_query(HANDLE file, void *out, ULONG size, ULONG information)
{
	IO_STATUS_BLOCK io;

	return NtQueryInformationFile(file, &io, out, size, (FILE_INFORMATION_CLASS)information);
}

NTSTATUS file_set(HANDLE file, void *in, ULONG size, ULONG information)
{
	IO_STATUS_BLOCK io;

	return NtSetInformationFile(file, &io, in, size, (FILE_INFORMATION_CLASS)information);
}

HANDLE WINAPI CreateFileW(LPCWSTR path, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition,
			  DWORD flags, HANDLE template)
{
	static const ULONG dispositions[] = { 0, FILE_CREATE, FILE_OVERWRITE_IF, FILE_OPEN, FILE_OPEN_IF,
					      FILE_OVERWRITE };
	ULONG options = (flags & FILE_FLAG_OVERLAPPED) ? 0 : FILE_SYNCHRONOUS_IO_NONALERT;
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING name;
	IO_STATUS_BLOCK io;
	HANDLE file;
	NTSTATUS status;

	(void)template;
	if (disposition < CREATE_NEW || disposition > TRUNCATE_EXISTING ||
	    (disposition == TRUNCATE_EXISTING && !(access & (GENERIC_WRITE | GENERIC_ALL | FILE_WRITE_DATA)))) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return INVALID_HANDLE_VALUE;
	}
	if (flags & FILE_FLAG_WRITE_THROUGH)
		options |= FILE_WRITE_THROUGH;
	if (flags & FILE_FLAG_NO_BUFFERING)
		options |= FILE_NO_INTERMEDIATE_BUFFERING;
	if (!(flags & FILE_FLAG_BACKUP_SEMANTICS))
		options |= FILE_NON_DIRECTORY_FILE;
	if (flags & FILE_FLAG_DELETE_ON_CLOSE) {
		options |= FILE_DELETE_ON_CLOSE;
		access |= DELETE;
	}
	if (!_wcsicmp(path, L"CON"))
		path = (access & GENERIC_WRITE) ? L"CONOUT$" : L"CONIN$";
	/* Programs ask for both directions; each has only one, and GetConsoleMode tells them apart by it. */
	if (!_wcsicmp(path, L"CONOUT$"))
		access &= ~(DWORD)(GENERIC_READ | FILE_READ_DATA);
	else if (!_wcsicmp(path, L"CONIN$"))
		access &= ~(DWORD)(GENERIC_WRITE | FILE_WRITE_DATA);
	status = path_to_nt(path, &name);
	if (!status_result(status))
		return INVALID_HANDLE_VALUE;
	InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
	if (security && security->bInheritHandle)
		attributes.Attributes |= OBJ_INHERIT;
	status = NtCreateFile(&file, access | SYNCHRONIZE | FILE_READ_ATTRIBUTES, &attributes, &io, NULL,
			      flags & 0xFFEF /* FILE_ATTRIBUTE_* but DIRECTORY */, share,
			      dispositions[disposition], options, NULL, 0);
	path_free(&name);
	if (!NT_SUCCESS(status)) {
		RtlSetLastWin32ErrorAndNtStatusFromNtStatus(status);
		if (status == STATUS_OBJECT_NAME_COLLISION)
			SetLastError(ERROR_FILE_EXISTS);
		return INVALID_HANDLE_VALUE;
	}
	if (disposition == CREATE_ALWAYS || disposition == OPEN_ALWAYS)
		SetLastError(io.Information == FILE_CREATED ? ERROR_SUCCESS : ERROR_ALREADY_EXISTS);
	return file;
}

HANDLE WINAPI CreateFileA(LPCSTR path, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition,
			  DWORD flags, HANDLE template)
{
	WCHAR *wide = wide_from(path);
	HANDLE file = wide ? CreateFileW(wide, access, share, security, disposition, flags, template) :
			     INVALID_HANDLE_VALUE;

	memory_free(wide);
	return file;
}

/*
 * An OVERLAPPED says where to read or write; its event is signalled at the end. That is always before the call returns, as
 * Windows may do it too: nothing is ever left to wait for.
 */
static LARGE_INTEGER *overlapped_offset(OVERLAPPED *overlapped, LARGE_INTEGER *offset)
{
	if (!overlapped)
		return NULL;
	offset->LowPart = overlapped->Offset;
	offset->HighPart = (LONG)overlapped->OffsetHigh;
	return offset;
}

/* With its lowest bit set an event's handle says that no completion port is to be told: there are none. */
static HANDLE overlapped_event(const OVERLAPPED *overlapped)
{
	return overlapped ? (HANDLE)((ULONG_PTR)overlapped->hEvent & ~(ULONG_PTR)1) : NULL;
}

/* At the end of the file TRUE with 0 bytes; with an OVERLAPPED FALSE and ERROR_HANDLE_EOF. */
WINBOOL WINAPI ReadFile(HANDLE file, LPVOID buffer, DWORD size, LPDWORD done, LPOVERLAPPED overlapped)
{
	IO_STATUS_BLOCK io = { 0 };
	LARGE_INTEGER offset;
	ULONG no_key = 0; /* which the console alone refuses */
	DWORD count = 0;
	NTSTATUS status = NtReadFile(file, overlapped_event(overlapped), NULL, NULL, &io, buffer, size,
				     overlapped_offset(overlapped, &offset), &no_key);

	if (status == STATUS_INVALID_PARAMETER_9)
		status = console_read(file, buffer, size, &count);
	else if (NT_SUCCESS(status))
		count = (DWORD)io.Information;
	else if (status == STATUS_END_OF_FILE && !overlapped)
		status = STATUS_SUCCESS;
	if (done)
		*done = count;
	if (overlapped) {
		overlapped->Internal = (ULONG)status;
		overlapped->InternalHigh = count;
	}
	return status_result(status);
}

WINBOOL WINAPI WriteFile(HANDLE file, LPCVOID buffer, DWORD size, LPDWORD done, LPOVERLAPPED overlapped)
{
	IO_STATUS_BLOCK io = { 0 };
	LARGE_INTEGER offset;
	NTSTATUS status = NtWriteFile(file, overlapped_event(overlapped), NULL, NULL, &io, buffer, size,
				      overlapped_offset(overlapped, &offset), NULL);

	if (done)
		*done = NT_SUCCESS(status) ? (DWORD)io.Information : 0;
	if (overlapped) {
		overlapped->Internal = (ULONG)status;
		overlapped->InternalHigh = io.Information;
	}
	return status_result(status);
}

WINBOOL WINAPI GetFileSizeEx(HANDLE file, PLARGE_INTEGER size)
{
	FILE_STANDARD_INFORMATION standard;

	if (!status_result(file_query(file, &standard, sizeof(standard), 5)))
		return FALSE;
	*size = standard.EndOfFile;
	return TRUE;
}

DWORD WINAPI GetFileSize(HANDLE file, LPDWORD high)
{
	LARGE_INTEGER size;

	if (!GetFileSizeEx(file, &size))
		return INVALID_FILE_SIZE;
	if (high)
		*high = (DWORD)size.HighPart;
	if (size.LowPart == INVALID_FILE_SIZE)
		SetLastError(ERROR_SUCCESS);
	return size.LowPart;
}

WINBOOL WINAPI SetFilePointerEx(HANDLE file, LARGE_INTEGER distance, PLARGE_INTEGER new_position, DWORD method)
{
	LARGE_INTEGER position = { .QuadPart = 0 };
	NTSTATUS status = STATUS_SUCCESS;

	if (handle_is_console(file)) { /* no positions there */
		status = STATUS_INVALID_DEVICE_REQUEST;
	} else if (method == FILE_CURRENT) {
		status = file_query(file, &position, sizeof(position), 14 /* FilePositionInformation */);
	} else if (method == FILE_END) {
		if (!GetFileSizeEx(file, &position))
			return FALSE;
	} else if (method != FILE_BEGIN) {
		status = STATUS_INVALID_PARAMETER;
	}
	if (!status_result(status))
		return FALSE;
	position.QuadPart += distance.QuadPart;
	if (position.QuadPart < 0) {
		SetLastError(ERROR_NEGATIVE_SEEK);
		return FALSE;
	}
	if (!status_result(file_set(file, &position, sizeof(position), 14)))
		return FALSE;
	if (new_position)
		*new_position = position;
	return TRUE;
}

DWORD WINAPI SetFilePointer(HANDLE file, LONG distance, PLONG distance_high, DWORD method)
{
	LARGE_INTEGER move = { .QuadPart = distance };

	if (distance_high) {
		move.LowPart = (DWORD)distance;
		move.HighPart = *distance_high;
	}
	if (!SetFilePointerEx(file, move, &move, method))
		return INVALID_SET_FILE_POINTER;
	if (distance_high)
		*distance_high = move.HighPart;
	if (move.LowPart == INVALID_SET_FILE_POINTER)
		SetLastError(ERROR_SUCCESS);
	return move.LowPart;
}

/* The file ends at its current position from now on. */
WINBOOL WINAPI SetEndOfFile(HANDLE file)
{
	LARGE_INTEGER position;
	NTSTATUS status = file_query(file, &position, sizeof(position), 14);

	if (NT_SUCCESS(status))
		status = file_set(file, &position, sizeof(position), 20 /* FileEndOfFileInformation */);
	return status_result(status);
}

DWORD WINAPI GetFileType(HANDLE file)
{
	FILE_FS_DEVICE_INFORMATION device;
	IO_STATUS_BLOCK io;

	if (!status_result(NtQueryVolumeInformationFile(file, &io, &device, sizeof(device), DEVICE_INFORMATION)))
		return FILE_TYPE_UNKNOWN;
	SetLastError(ERROR_SUCCESS);
	if (device.DeviceType == DEVICE_NAMED_PIPE)
		return FILE_TYPE_PIPE;
	return device.DeviceType == DEVICE_CONSOLE ? FILE_TYPE_CHAR : FILE_TYPE_DISK;
}

/* The console keeps nothing back. */
WINBOOL WINAPI FlushFileBuffers(HANDLE file)
{
	IO_STATUS_BLOCK io;

	return handle_is_console(file) || status_result(NtFlushBuffersFile(file, &io));
}
