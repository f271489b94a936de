/* The last error, and the text that goes with error codes. */
#include "kernel32.h"

static const struct {
	DWORD error;
	const char *text;
} messages[] = {
	{ ERROR_SUCCESS, "The operation completed successfully." },
	{ ERROR_INVALID_FUNCTION, "The device or system does not offer this function." },
	{ ERROR_FILE_NOT_FOUND, "There is no such file." },
	{ ERROR_PATH_NOT_FOUND, "There is no such path." },
	{ ERROR_TOO_MANY_OPEN_FILES, "Too many files are open." },
	{ ERROR_ACCESS_DENIED, "Access is denied." },
	{ ERROR_INVALID_HANDLE, "The handle is not valid." },
	{ ERROR_NOT_ENOUGH_MEMORY, "There is not enough memory." },
	{ ERROR_NO_MORE_FILES, "There are no more files." },
	{ ERROR_WRITE_PROTECT, "The medium is write-protected." },
	{ ERROR_NOT_READY, "The device is not ready." },
	{ ERROR_CRC, "The data is damaged (checksum)." },
	{ ERROR_BAD_LENGTH, "The length is wrong." },
	{ ERROR_GEN_FAILURE, "The operation failed." },
	{ ERROR_SHARING_VIOLATION, "The file is in use." },
	{ ERROR_LOCK_VIOLATION, "Another process has locked this part of the file." },
	{ ERROR_FILE_EXISTS, "The file exists." },
	{ ERROR_DIR_NOT_EMPTY, "The directory is not empty." },
	{ ERROR_NOT_SAME_DEVICE, "The two are not on the same volume." },
	{ ERROR_NEGATIVE_SEEK, "The position would be before the beginning." },
	{ ERROR_CURRENT_DIRECTORY, "The directory is somebody's current one." },
	{ ERROR_HANDLE_EOF, "The end of the file has been reached." },
	{ ERROR_NOT_SUPPORTED, "The request is not supported." },
	{ ERROR_INVALID_PARAMETER, "A parameter is wrong." },
	{ ERROR_DISK_FULL, "The disk is full." },
	{ ERROR_INSUFFICIENT_BUFFER, "The buffer is too small." },
	{ ERROR_INVALID_NAME, "The name is not valid." },
	{ ERROR_MOD_NOT_FOUND, "The DLL, or one that it needs, was not found." },
	{ ERROR_PROC_NOT_FOUND, "The DLL has no such function." },
	{ ERROR_BAD_PATHNAME, "The path is not valid." },
	{ ERROR_ALREADY_EXISTS, "It exists already." },
	{ ERROR_INVALID_ORDINAL, "The DLL has no function of this number." },
	{ ERROR_EXE_MACHINE_TYPE_MISMATCH, "The program is for another kind of machine." },
	{ ERROR_BAD_EXE_FORMAT, "This is no program for this system." },
	{ ERROR_ENVVAR_NOT_FOUND, "There is no such environment variable." },
	{ ERROR_FILENAME_EXCED_RANGE, "The name is too long." },
	{ WAIT_TIMEOUT, "The time to wait has passed." },
	{ ERROR_MORE_DATA, "There is more data." },
	{ ERROR_NO_MORE_ITEMS, "There are no more entries." },
	{ ERROR_DIRECTORY, "This is no directory." },
	{ ERROR_MR_MID_NOT_FOUND, "There is no text for this message." },
	{ ERROR_BUSY, "The resource is in use; or the memory that was reclaimed has lost its contents." },
	{ ERROR_NOT_LOCKED, "The pages are not locked." },
	{ ERROR_PARTIAL_COPY, "Only a part was copied." },
	{ ERROR_INVALID_ADDRESS, "The address is not valid for this." },
	{ ERROR_ARITHMETIC_OVERFLOW, "The result is too large." },
	{ ERROR_OPERATION_ABORTED, "The operation was cancelled." },
	{ ERROR_IO_PENDING, "The operation is still going on." },
	{ ERROR_NOACCESS, "Invalid access to memory." },
	{ ERROR_SWAPERROR, "A page could not be read." },
	{ ERROR_STACK_OVERFLOW, "The stack is used up." },
	{ ERROR_FILE_INVALID, "The file does not allow this: it may be empty." },
	{ ERROR_NO_UNICODE_TRANSLATION, "The text can't be converted." },
	{ ERROR_DLL_INIT_FAILED, "A DLL could not be initialised." },
	{ ERROR_DISK_CORRUPT, "The file system is damaged." },
	{ ERROR_NO_SYSTEM_RESOURCES, "The system has not enough resources." },
	{ ERROR_MAPPED_ALIGNMENT, "The offset or the address is not a multiple of 64 KiB." },
	{ ERROR_NOT_ALL_ASSIGNED, "Not all privileges exist." },
	{ ERROR_NO_SUCH_PRIVILEGE, "There is no such privilege." },
	{ ERROR_WORKING_SET_QUOTA, "The working set's quota is used up." },
	{ ERROR_COMMITMENT_LIMIT, "The commit limit does not allow this: memory and paging files are too small." },
};

BOOL status_failed(NTSTATUS status)
{
	RtlSetLastWin32ErrorAndNtStatusFromNtStatus(status);
	return FALSE;
}

/*
 * Only texts of the system (FORMAT_MESSAGE_FROM_SYSTEM), which have no inserts: others give ERROR_INVALID_PARAMETER.
 * The language is not looked at. Returns units without the end, 0 on failure.
 */
DWORD WINAPI FormatMessageW(DWORD flags, LPCVOID source, DWORD id, DWORD language, LPWSTR out, DWORD units,
			    va_list *arguments)
{
	const char *text = NULL;
	DWORD length;

	(void)source;
	(void)language;
	(void)arguments;
	if ((flags & (FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_FROM_STRING)) != FORMAT_MESSAGE_FROM_SYSTEM || !out) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return 0;
	}
	for (ULONG i = 0; i < sizeof(messages) / sizeof(messages[0]) && !text; i++)
		if (messages[i].error == id)
			text = messages[i].text;
	if (!text) {
		SetLastError(ERROR_MR_MID_NOT_FOUND);
		return 0;
	}
	length = (DWORD)strlen(text) + 2;
	if (flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) {
		WCHAR *buffer = LocalAlloc(LMEM_FIXED, (length + 1 > units ? length + 1 : units) * sizeof(WCHAR));

		if (!buffer)
			return 0;
		*(WCHAR **)out = buffer;
		out = buffer;
	} else if (length + 1 > units) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return 0;
	}
	for (DWORD i = 0; i < length - 2; i++)
		out[i] = (BYTE)text[i];
	memcpy(out + length - 2, L"\r\n", 3 * sizeof(WCHAR));
	return length;
}

DWORD WINAPI FormatMessageA(DWORD flags, LPCVOID source, DWORD id, DWORD language, LPSTR out, DWORD size,
			    va_list *arguments)
{
	WCHAR buffer[160];
	DWORD length = FormatMessageW(flags & ~(DWORD)FORMAT_MESSAGE_ALLOCATE_BUFFER, source, id, language, buffer, 160,
				      arguments);

	if (!length)
		return 0;
	if (flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) {
		size = length + 1 > size ? length + 1 : size;
		*(char **)out = LocalAlloc(LMEM_FIXED, size);
		out = *(char **)out;
		if (!out)
			return 0;
	} else if (length + 1 > size) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return 0;
	}
	for (DWORD i = 0; i <= length; i++)
		out[i] = (char)buffer[i];
	return length;
}
