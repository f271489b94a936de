/* What is known of files besides their contents: attributes, times, names; asked for and changed, by handle and by name. */
#include "kernel32.h"

/* Classes of NtQueryInformationFile and NtSetInformationFile. */
enum { BASIC = 4, STANDARD = 5, INTERNAL = 6, NAME = 9, RENAME = 10, DISPOSITION = 13, ALLOCATION = 19, END_OF_FILE = 20 };

/* Classes of NtQueryDirectoryFile. */
enum { FULL_DIRECTORY = 2, ID_BOTH_DIRECTORY = 37 };

/* ---- by handle ---- */

/* The entries of a directory that come next, as many as fit; the structures are those of the native call. */
static WINBOOL list_by_handle(HANDLE directory, LPVOID out, DWORD size, ULONG class, BOOLEAN restart)
{
	IO_STATUS_BLOCK io;

	return status_result(NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io, out, size, class, FALSE, NULL, restart));
}

WINBOOL WINAPI GetFileInformationByHandle(HANDLE file, LPBY_HANDLE_FILE_INFORMATION out)
{
	FILE_BASIC_INFORMATION basic;
	FILE_STANDARD_INFORMATION standard;
	LARGE_INTEGER number;
	NTSTATUS status = file_query(file, &basic, sizeof(basic), BASIC);

	if (NT_SUCCESS(status))
		status = file_query(file, &standard, sizeof(standard), STANDARD);
	if (NT_SUCCESS(status))
		status = file_query(file, &number, sizeof(number), INTERNAL);
	if (!status_result(status))
		return FALSE;
	memset(out, 0, sizeof(*out));
	out->dwFileAttributes = basic.FileAttributes;
	memcpy(&out->ftCreationTime, &basic.CreationTime, sizeof(FILETIME));
	memcpy(&out->ftLastAccessTime, &basic.LastAccessTime, sizeof(FILETIME));
	memcpy(&out->ftLastWriteTime, &basic.LastWriteTime, sizeof(FILETIME));
	out->nFileSizeHigh = (DWORD)standard.EndOfFile.HighPart;
	out->nFileSizeLow = standard.EndOfFile.LowPart;
	out->nNumberOfLinks = standard.NumberOfLinks;
	out->nFileIndexHigh = (DWORD)number.HighPart;
	out->nFileIndexLow = number.LowPart;
	return TRUE;
}

WINBOOL WINAPI GetFileInformationByHandleEx(HANDLE file, FILE_INFO_BY_HANDLE_CLASS class, LPVOID out, DWORD size)
{
	FILE_BASIC_INFORMATION basic;
	FILE_ATTRIBUTE_TAG_INFO *tag = out;

	switch (class) {
	case FileBasicInfo:
		return status_result(file_query(file, out, size, BASIC));
	case FileStandardInfo:
		return status_result(file_query(file, out, size, STANDARD));
	case FileNameInfo:
		return status_result(file_query(file, out, size, NAME));
	case FileAttributeTagInfo:
		if (size < sizeof(*tag))
			return status_result(STATUS_INFO_LENGTH_MISMATCH);
		if (!status_result(file_query(file, &basic, sizeof(basic), BASIC)))
			return FALSE;
		tag->FileAttributes = basic.FileAttributes;
		tag->ReparseTag = 0;
		return TRUE;
	case FileIdBothDirectoryInfo:
	case FileIdBothDirectoryRestartInfo:
		return list_by_handle(file, out, size, ID_BOTH_DIRECTORY, class == FileIdBothDirectoryRestartInfo);
	case FileFullDirectoryInfo:
	case FileFullDirectoryRestartInfo:
		return list_by_handle(file, out, size, FULL_DIRECTORY, class == FileFullDirectoryRestartInfo);
	default:
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
}

/* FILE_RENAME_INFO and its native form differ in the name alone: a DOS path there, an NT path here. */
static NTSTATUS rename_by_handle(HANDLE file, const WCHAR *to, BOOLEAN replace)
{
	struct {
		BOOLEAN replace;
		HANDLE root;
		ULONG name_bytes;
		WCHAR name[];
	} *information;
	UNICODE_STRING name;
	NTSTATUS status = path_to_nt(to, &name);
	ULONG size = 24 + (NT_SUCCESS(status) ? name.Length : 0);

	if (!NT_SUCCESS(status))
		return status;
	information = memory_get(size);
	status = STATUS_NO_MEMORY;
	if (information) {
		memset(information, 0, size);
		information->replace = replace;
		information->name_bytes = name.Length;
		memcpy(information->name, name.Buffer, name.Length);
		status = file_set(file, information, size, RENAME);
		memory_free(information);
	}
	path_free(&name);
	return status;
}

static NTSTATUS rename_from_info(HANDLE file, const FILE_RENAME_INFO *info, DWORD size)
{
	ULONG units = size >= sizeof(*info) ? info->FileNameLength / sizeof(WCHAR) : 0;
	NTSTATUS status = STATUS_NO_MEMORY;
	WCHAR *to;

	if (size < sizeof(*info) || info->FileNameLength > size - offsetof(FILE_RENAME_INFO, FileName))
		return STATUS_INFO_LENGTH_MISMATCH;
	to = memory_get((units + 1) * sizeof(WCHAR));
	if (to) {
		memcpy(to, info->FileName, units * sizeof(WCHAR));
		to[units] = 0;
		status = rename_by_handle(file, to, info->ReplaceIfExists);
		memory_free(to);
	}
	return status;
}

WINBOOL WINAPI SetFileInformationByHandle(HANDLE file, FILE_INFO_BY_HANDLE_CLASS class, LPVOID in, DWORD size)
{
	switch (class) {
	case FileBasicInfo:
		return status_result(file_set(file, in, size, BASIC));
	case FileRenameInfo:
		return status_result(rename_from_info(file, in, size));
	case FileDispositionInfo:
		return status_result(file_set(file, in, size, DISPOSITION));
	case FileAllocationInfo:
		return status_result(file_set(file, in, size, ALLOCATION));
	case FileEndOfFileInfo:
		return status_result(file_set(file, in, size, END_OF_FILE));
	default:
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
}

WINBOOL WINAPI GetFileTime(HANDLE file, LPFILETIME creation, LPFILETIME access, LPFILETIME write)
{
	FILE_BASIC_INFORMATION basic;

	if (!status_result(file_query(file, &basic, sizeof(basic), BASIC)))
		return FALSE;
	if (creation)
		memcpy(creation, &basic.CreationTime, sizeof(FILETIME));
	if (access)
		memcpy(access, &basic.LastAccessTime, sizeof(FILETIME));
	if (write)
		memcpy(write, &basic.LastWriteTime, sizeof(FILETIME));
	return TRUE;
}

WINBOOL WINAPI SetFileTime(HANDLE file, const FILETIME *creation, const FILETIME *access, const FILETIME *write)
{
	FILE_BASIC_INFORMATION basic = { 0 };

	if (creation)
		memcpy(&basic.CreationTime, creation, sizeof(FILETIME));
	if (access)
		memcpy(&basic.LastAccessTime, access, sizeof(FILETIME));
	if (write)
		memcpy(&basic.LastWriteTime, write, sizeof(FILETIME));
	return status_result(file_set(file, &basic, sizeof(basic), BASIC));
}

/* ---- by name ---- */

DWORD WINAPI GetFileAttributesW(LPCWSTR path)
{
	OBJECT_ATTRIBUTES attributes;
	FILE_BASIC_INFORMATION basic;
	UNICODE_STRING name;
	NTSTATUS status = path_to_nt(path, &name);

	if (NT_SUCCESS(status)) {
		InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
		status = NtQueryAttributesFile(&attributes, &basic);
		path_free(&name);
	}
	return status_result(status) ? basic.FileAttributes : INVALID_FILE_ATTRIBUTES;
}

DWORD WINAPI GetFileAttributesA(LPCSTR path)
{
	WCHAR *wide = wide_from(path);
	DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;

	memory_free(wide);
	return attributes;
}

WINBOOL WINAPI GetFileAttributesExW(LPCWSTR path, GET_FILEEX_INFO_LEVELS level, LPVOID out)
{
	struct {
		LARGE_INTEGER creation, access, write, change, allocation, size;
		ULONG attributes;
	} network;
	WIN32_FILE_ATTRIBUTE_DATA *data = out;
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING name;
	NTSTATUS status;

	if (level != GetFileExInfoStandard) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	status = path_to_nt(path, &name);
	if (NT_SUCCESS(status)) {
		InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
		status = NtQueryFullAttributesFile(&attributes, &network);
		path_free(&name);
	}
	if (!status_result(status))
		return FALSE;
	data->dwFileAttributes = network.attributes;
	memcpy(&data->ftCreationTime, &network.creation, sizeof(FILETIME));
	memcpy(&data->ftLastAccessTime, &network.access, sizeof(FILETIME));
	memcpy(&data->ftLastWriteTime, &network.write, sizeof(FILETIME));
	data->nFileSizeHigh = (DWORD)network.size.HighPart;
	data->nFileSizeLow = network.size.LowPart;
	return TRUE;
}

WINBOOL WINAPI GetFileAttributesExA(LPCSTR path, GET_FILEEX_INFO_LEVELS level, LPVOID out)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && GetFileAttributesExW(wide, level, out);

	memory_free(wide);
	return done;
}

/* Opens, does one thing, closes. */
static BOOL change_by_name(LPCWSTR path, ACCESS_MASK access, void *in, ULONG size, ULONG class, ULONG options)
{
	HANDLE file;
	NTSTATUS status = path_open(path, access, options, &file);

	if (NT_SUCCESS(status)) {
		status = file_set(file, in, size, class);
		NtClose(file);
	}
	return status_result(status);
}

WINBOOL WINAPI SetFileAttributesW(LPCWSTR path, DWORD attributes)
{
	FILE_BASIC_INFORMATION basic = { 0 };

	attributes &= FILE_ATTRIBUTE_READONLY | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_ARCHIVE;
	basic.FileAttributes = attributes ? attributes : FILE_ATTRIBUTE_NORMAL;
	return change_by_name(path, FILE_WRITE_ATTRIBUTES, &basic, sizeof(basic), BASIC, 0);
}

WINBOOL WINAPI SetFileAttributesA(LPCSTR path, DWORD attributes)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && SetFileAttributesW(wide, attributes);

	memory_free(wide);
	return done;
}

/* The name goes when the last handle is closed: that is this one, if nobody else has the file open. */
WINBOOL WINAPI DeleteFileW(LPCWSTR path)
{
	BOOLEAN yes = TRUE;

	return change_by_name(path, DELETE, &yes, sizeof(yes), DISPOSITION, FILE_NON_DIRECTORY_FILE);
}

WINBOOL WINAPI RemoveDirectoryW(LPCWSTR path)
{
	BOOLEAN yes = TRUE;

	return change_by_name(path, DELETE, &yes, sizeof(yes), DISPOSITION, FILE_DIRECTORY_FILE);
}

/* To another volume; files only. The copy stays if the original can't be deleted, as Windows has it. */
static BOOL move_by_copy(LPCWSTR from, LPCWSTR to, DWORD flags)
{
	DWORD attributes = GetFileAttributesW(from);
	HANDLE copy;

	if (attributes == INVALID_FILE_ATTRIBUTES)
		return FALSE;
	if (attributes & FILE_ATTRIBUTE_DIRECTORY) {
		SetLastError(ERROR_ACCESS_DENIED);
		return FALSE;
	}
	if (!CopyFileW(from, to, !(flags & MOVEFILE_REPLACE_EXISTING)))
		return FALSE;
	/* What was promised to be on one disk is on the other before it goes. */
	if (NT_SUCCESS(path_open(to, FILE_WRITE_DATA, 0, &copy))) {
		FlushFileBuffers(copy);
		NtClose(copy);
	}
	return DeleteFileW(from);
}

WINBOOL WINAPI MoveFileExW(LPCWSTR from, LPCWSTR to, DWORD flags)
{
	HANDLE file;
	NTSTATUS status;

	if (!to || (flags & MOVEFILE_DELAY_UNTIL_REBOOT)) {
		SetLastError(to ? ERROR_NOT_SUPPORTED : ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	status = path_open(from, DELETE, 0, &file);
	if (NT_SUCCESS(status)) {
		status = rename_by_handle(file, to, (flags & MOVEFILE_REPLACE_EXISTING) != 0);
		if (NT_SUCCESS(status) && (flags & MOVEFILE_WRITE_THROUGH)) {
			HANDLE again;

			if (NT_SUCCESS(path_open(to, FILE_WRITE_DATA, 0, &again))) {
				FlushFileBuffers(again);
				NtClose(again);
			}
		}
		NtClose(file);
	}
	if (status == STATUS_NOT_SAME_DEVICE && (flags & MOVEFILE_COPY_ALLOWED))
		return move_by_copy(from, to, flags);
	return status_result(status);
}

WINBOOL WINAPI MoveFileExA(LPCSTR from, LPCSTR to, DWORD flags)
{
	WCHAR *wide_from_path = wide_from(from), *wide_to = to ? wide_from(to) : NULL;
	BOOL done = wide_from_path && (wide_to || !to) && MoveFileExW(wide_from_path, wide_to, flags);

	memory_free(wide_from_path);
	memory_free(wide_to);
	return done;
}

WINBOOL WINAPI MoveFileW(LPCWSTR from, LPCWSTR to)
{
	return MoveFileExW(from, to, MOVEFILE_COPY_ALLOWED);
}

WINBOOL WINAPI MoveFileA(LPCSTR from, LPCSTR to)
{
	return MoveFileExA(from, to, MOVEFILE_COPY_ALLOWED);
}
