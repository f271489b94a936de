/* Files and directories that come and go: copies, temporary files; locked ranges; the space that is left. */
#include "kernel32.h"

WINBOOL WINAPI DeleteFileA(LPCSTR path)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && DeleteFileW(wide);

	memory_free(wide);
	return done;
}

WINBOOL WINAPI RemoveDirectoryA(LPCSTR path)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && RemoveDirectoryW(wide);

	memory_free(wide);
	return done;
}

WINBOOL WINAPI CreateDirectoryW(LPCWSTR path, LPSECURITY_ATTRIBUTES security)
{
	OBJECT_ATTRIBUTES attributes;
	UNICODE_STRING name;
	IO_STATUS_BLOCK io;
	HANDLE directory;
	NTSTATUS status = path_to_nt(path, &name);

	(void)security;
	if (NT_SUCCESS(status)) {
		InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, NULL, NULL);
		status = NtCreateFile(&directory, FILE_LIST_DIRECTORY | SYNCHRONIZE, &attributes, &io, NULL,
				      FILE_ATTRIBUTE_NORMAL, FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_CREATE,
				      FILE_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0);
		path_free(&name);
	}
	if (!status_result(status))
		return FALSE;
	return status_result(NtClose(directory));
}

WINBOOL WINAPI CreateDirectoryA(LPCSTR path, LPSECURITY_ATTRIBUTES security)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && CreateDirectoryW(wide, security);

	memory_free(wide);
	return done;
}

/* ---- copies ---- */

#define COPY_BYTES 65536u

/* Contents, attributes and the time of the last change; an unfinished copy is deleted again. */
WINBOOL WINAPI CopyFileW(LPCWSTR from, LPCWSTR to, WINBOOL fail_if_exists)
{
	BY_HANDLE_FILE_INFORMATION facts;
	HANDLE source, target = INVALID_HANDLE_VALUE;
	BYTE *buffer = memory_get(COPY_BYTES);
	DWORD count, error = ERROR_SUCCESS;
	BOOL done = FALSE;

	if (!buffer)
		return FALSE;
	source = CreateFileW(from, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
	if (source != INVALID_HANDLE_VALUE && GetFileInformationByHandle(source, &facts))
		target = CreateFileW(to, GENERIC_WRITE | DELETE, 0, NULL, fail_if_exists ? CREATE_NEW : CREATE_ALWAYS,
				     facts.dwFileAttributes & ~(DWORD)FILE_ATTRIBUTE_NORMAL, NULL);
	if (target != INVALID_HANDLE_VALUE) {
		do
			done = ReadFile(source, buffer, COPY_BYTES, &count, NULL) &&
			       (!count || WriteFile(target, buffer, count, &count, NULL));
		while (done && count);
		done = done && (GetFileType(target) != FILE_TYPE_DISK || SetFileTime(target, NULL, NULL, &facts.ftLastWriteTime));
	}
	error = RtlGetLastWin32Error();
	if (target != INVALID_HANDLE_VALUE) {
		FILE_DISPOSITION_INFO disposition = { TRUE };

		if (!done)
			SetFileInformationByHandle(target, FileDispositionInfo, &disposition, sizeof(disposition));
		NtClose(target);
	}
	if (source != INVALID_HANDLE_VALUE)
		NtClose(source);
	memory_free(buffer);
	SetLastError(error);
	return done;
}

WINBOOL WINAPI CopyFileA(LPCSTR from, LPCSTR to, WINBOOL fail_if_exists)
{
	WCHAR *wide_from_path = wide_from(from), *wide_to = wide_from(to);
	BOOL done = wide_from_path && wide_to && CopyFileW(wide_from_path, wide_to, fail_if_exists);

	memory_free(wide_from_path);
	memory_free(wide_to);
	return done;
}

/* ---- locked ranges ---- */

WINBOOL WINAPI LockFileEx(HANDLE file, DWORD flags, DWORD reserved, DWORD low, DWORD high, LPOVERLAPPED overlapped)
{
	LARGE_INTEGER offset, length;
	IO_STATUS_BLOCK io;

	(void)reserved;
	offset.LowPart = overlapped->Offset;
	offset.HighPart = (LONG)overlapped->OffsetHigh;
	length.LowPart = low;
	length.HighPart = (LONG)high;
	return status_result(NtLockFile(file, overlapped->hEvent, NULL, NULL, &io, &offset, &length, 0,
					(flags & LOCKFILE_FAIL_IMMEDIATELY) != 0, (flags & LOCKFILE_EXCLUSIVE_LOCK) != 0));
}

WINBOOL WINAPI LockFile(HANDLE file, DWORD offset_low, DWORD offset_high, DWORD low, DWORD high)
{
	OVERLAPPED overlapped = { 0 };

	overlapped.Offset = offset_low;
	overlapped.OffsetHigh = offset_high;
	return LockFileEx(file, LOCKFILE_FAIL_IMMEDIATELY | LOCKFILE_EXCLUSIVE_LOCK, 0, low, high, &overlapped);
}

WINBOOL WINAPI UnlockFile(HANDLE file, DWORD offset_low, DWORD offset_high, DWORD low, DWORD high)
{
	LARGE_INTEGER offset, length;
	IO_STATUS_BLOCK io;

	offset.LowPart = offset_low;
	offset.HighPart = (LONG)offset_high;
	length.LowPart = low;
	length.HighPart = (LONG)high;
	return status_result(NtUnlockFile(file, &io, &offset, &length, 0));
}

WINBOOL WINAPI UnlockFileEx(HANDLE file, DWORD reserved, DWORD low, DWORD high, LPOVERLAPPED overlapped)
{
	(void)reserved;
	return UnlockFile(file, overlapped->Offset, overlapped->OffsetHigh, low, high);
}

/* ---- operations that have ended already ---- */

WINBOOL WINAPI GetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD done, WINBOOL wait)
{
	(void)file;
	(void)wait;
	*done = (DWORD)overlapped->InternalHigh;
	return status_result((NTSTATUS)overlapped->Internal);
}

/* ---- temporary files ---- */

/* TMP, TEMP, or C:\temp, with a backslash at its end. It need not exist. */
DWORD WINAPI GetTempPathW(DWORD units, LPWSTR out)
{
	WCHAR path[MAX_PATH + 1], full[PATH_UNITS_MAX];
	DWORD length = GetEnvironmentVariableW(L"TMP", path, MAX_PATH);

	if (!length || length >= MAX_PATH)
		length = GetEnvironmentVariableW(L"TEMP", path, MAX_PATH);
	if (!length || length >= MAX_PATH)
		memcpy(path, L"C:\\temp", 8 * sizeof(WCHAR));
	length = path_full(path, full, PATH_UNITS_MAX - 1);
	if (!length || length >= PATH_UNITS_MAX - 1) {
		SetLastError(ERROR_FILENAME_EXCED_RANGE);
		return 0;
	}
	if (full[length - 1] != '\\')
		full[length++] = '\\';
	full[length] = 0;
	if (length + 1 > units)
		return length + 1;
	memcpy(out, full, (length + 1) * sizeof(WCHAR));
	return length;
}

DWORD WINAPI GetTempPathA(DWORD size, LPSTR out)
{
	WCHAR path[PATH_UNITS_MAX];
	DWORD length = GetTempPathW(PATH_UNITS_MAX, path);

	return length ? narrow_result(path, length, out, size) : 0;
}

/* directory\PREnnnn.tmp; without a number of the caller's one is found whose file does not exist, and the file is made. */
UINT WINAPI GetTempFileNameW(LPCWSTR directory, LPCWSTR prefix, UINT number, LPWSTR out)
{
	ULONG length = (ULONG)wcslen(directory), prefix_units = prefix ? (ULONG)wcslen(prefix) : 0, attributes;
	LARGE_INTEGER now;
	UINT unique = number;

	if (length > MAX_PATH - 14) {
		SetLastError(ERROR_BUFFER_OVERFLOW);
		return 0;
	}
	attributes = GetFileAttributesW(directory);
	if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
		SetLastError(ERROR_DIRECTORY);
		return 0;
	}
	memcpy(out, directory, length * sizeof(WCHAR));
	if (length && out[length - 1] != '\\' && out[length - 1] != '/')
		out[length++] = '\\';
	for (ULONG i = 0; i < prefix_units && i < 3; i++)
		out[length++] = prefix[i];
	NtQuerySystemTime(&now);
	for (UINT attempt = 0; attempt < 0xFFFF; attempt++) {
		ULONG at = length;
		HANDLE file;

		if (!number) {
			unique = (UINT)(now.QuadPart / 10000 + attempt) & 0xFFFF;
			if (!unique)
				continue;
		}
		for (int shift = 12; shift >= 0; shift -= 4)
			if (unique & 0xFFFF && (unique & 0xFFFF) >> shift)
				out[at++] = L"0123456789ABCDEF"[unique >> shift & 15];
		memcpy(out + at, L".tmp", 5 * sizeof(WCHAR));
		if (number)
			return number;
		file = CreateFileW(out, GENERIC_READ, 0, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
		if (file != INVALID_HANDLE_VALUE) {
			NtClose(file);
			return unique;
		}
		if (RtlGetLastWin32Error() != ERROR_FILE_EXISTS && RtlGetLastWin32Error() != ERROR_ACCESS_DENIED &&
		    RtlGetLastWin32Error() != ERROR_SHARING_VIOLATION)
			return 0;
	}
	return 0;
}

UINT WINAPI GetTempFileNameA(LPCSTR directory, LPCSTR prefix, UINT number, LPSTR out)
{
	WCHAR *wide_directory = wide_from(directory), *wide_prefix = wide_from(prefix ? prefix : ""), name[MAX_PATH];
	UINT unique = 0;

	if (wide_directory && wide_prefix)
		unique = GetTempFileNameW(wide_directory, wide_prefix, number, name);
	if (unique)
		narrow_result(name, (DWORD)wcslen(name), out, MAX_PATH);
	memory_free(wide_directory);
	memory_free(wide_prefix);
	return unique;
}

/* ---- space ---- */

struct full_size {
	LARGE_INTEGER total, available_to_caller, available;
	ULONG sectors_per_unit, bytes_per_sector;
};

static BOOL size_query(LPCWSTR path, struct full_size *size)
{
	IO_STATUS_BLOCK io;
	HANDLE file;
	NTSTATUS status = path_open(path ? path : L"\\", FILE_READ_ATTRIBUTES, FILE_DIRECTORY_FILE, &file);

	if (NT_SUCCESS(status)) {
		status = NtQueryVolumeInformationFile(file, &io, size, sizeof(*size), (FS_INFORMATION_CLASS)7);
		NtClose(file);
	}
	return status_result(status);
}

WINBOOL WINAPI GetDiskFreeSpaceExW(LPCWSTR path, PULARGE_INTEGER to_caller, PULARGE_INTEGER total, PULARGE_INTEGER available)
{
	struct full_size size;
	ULONGLONG unit;

	if (!size_query(path, &size))
		return FALSE;
	unit = (ULONGLONG)size.sectors_per_unit * size.bytes_per_sector;
	if (to_caller)
		to_caller->QuadPart = (ULONGLONG)size.available_to_caller.QuadPart * unit;
	if (total)
		total->QuadPart = (ULONGLONG)size.total.QuadPart * unit;
	if (available)
		available->QuadPart = (ULONGLONG)size.available.QuadPart * unit;
	return TRUE;
}

WINBOOL WINAPI GetDiskFreeSpaceExA(LPCSTR path, PULARGE_INTEGER to_caller, PULARGE_INTEGER total, PULARGE_INTEGER available)
{
	WCHAR *wide = path ? wide_from(path) : NULL;
	BOOL done = (wide || !path) && GetDiskFreeSpaceExW(wide, to_caller, total, available);

	memory_free(wide);
	return done;
}

WINBOOL WINAPI GetDiskFreeSpaceW(LPCWSTR path, LPDWORD sectors_per_cluster, LPDWORD bytes_per_sector, LPDWORD available,
				 LPDWORD total)
{
	struct full_size size;

	if (!size_query(path, &size))
		return FALSE;
	if (sectors_per_cluster)
		*sectors_per_cluster = size.sectors_per_unit;
	if (bytes_per_sector)
		*bytes_per_sector = size.bytes_per_sector;
	if (available)
		*available = size.available.LowPart;
	if (total)
		*total = size.total.LowPart;
	return TRUE;
}

WINBOOL WINAPI GetDiskFreeSpaceA(LPCSTR path, LPDWORD sectors_per_cluster, LPDWORD bytes_per_sector, LPDWORD available,
				 LPDWORD total)
{
	WCHAR *wide = path ? wide_from(path) : NULL;
	BOOL done = (wide || !path) && GetDiskFreeSpaceW(wide, sectors_per_cluster, bytes_per_sector, available, total);

	memory_free(wide);
	return done;
}
