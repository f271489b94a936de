/* FindFirstFile: the kernel lists a directory, as far as the pattern matches. */
#include "kernel32.h"

#define FIND_BUFFER 2048u

struct find {
	HANDLE directory;
	BYTE *next;          /* the next entry in buffer; NULL: ask the kernel */
	BOOL basic;          /* short names are not wanted */
	WCHAR pattern[256];
	ULONG64 buffer[FIND_BUFFER / 8];
};

/*
 * A pattern as programs write it, in terms of the kernel's: "*.*" stands for all names, those without a dot too; a ? may match
 * nothing at a name's end or before its dot (>), a dot before ? or * nothing at its end ("), and what is before a dot ends at the
 * last one (<), so that "*." is what has no suffix. Source: the behaviour that Windows documents for FindFirstFile, and
 * FsRtlIsNameInExpression.
 */
static void pattern_translate(WCHAR *pattern)
{
	ULONG length = (ULONG)wcslen(pattern);

	if (!_wcsicmp(pattern, L"*.*")) {
		pattern[1] = 0;
		return;
	}
	if (length > 1 && pattern[length - 1] == '.') { /* no name ends with a dot */
		pattern[--length] = 0;
		if (pattern[length - 1] == '*')
			pattern[length - 1] = '<';
	}
	for (ULONG i = 0; i < length; i++) {
		WCHAR next = pattern[i + 1];

		if (pattern[i] == '?')
			pattern[i] = '>';
		else if (pattern[i] == '.' && (next == '?' || next == '*'))
			pattern[i] = '"';
		else if (pattern[i] == '*' && next == '.')
			pattern[i] = '<';
	}
}

static void entry_copy(const FILE_BOTH_DIR_INFORMATION *entry, BOOL basic, WIN32_FIND_DATAW *out)
{
	ULONG units = entry->FileNameLength / sizeof(WCHAR);

	memset(out, 0, sizeof(*out));
	out->dwFileAttributes = entry->FileAttributes;
	memcpy(&out->ftCreationTime, &entry->CreationTime, sizeof(FILETIME));
	memcpy(&out->ftLastAccessTime, &entry->LastAccessTime, sizeof(FILETIME));
	memcpy(&out->ftLastWriteTime, &entry->LastWriteTime, sizeof(FILETIME));
	out->nFileSizeHigh = (DWORD)entry->EndOfFile.HighPart;
	out->nFileSizeLow = entry->EndOfFile.LowPart;
	if (units >= MAX_PATH)
		units = MAX_PATH - 1;
	memcpy(out->cFileName, entry->FileName, units * sizeof(WCHAR));
	if (!basic) /* 12 characters at most, of 14 */
		memcpy(out->cAlternateFileName, entry->ShortName, (ULONG)entry->ShortNameLength);
}

static NTSTATUS find_step(struct find *find, WIN32_FIND_DATAW *out)
{
	FILE_BOTH_DIR_INFORMATION *entry;
	UNICODE_STRING pattern;
	IO_STATUS_BLOCK io;
	NTSTATUS status;

	if (!find->next) {
		RtlInitUnicodeString(&pattern, find->pattern);
		status = NtQueryDirectoryFile(find->directory, NULL, NULL, NULL, &io, find->buffer, FIND_BUFFER,
					      FileBothDirectoryInformation, FALSE, &pattern, FALSE);
		if (!NT_SUCCESS(status))
			return status;
		find->next = (BYTE *)find->buffer;
	}
	entry = (FILE_BOTH_DIR_INFORMATION *)find->next;
	find->next = entry->NextEntryOffset ? find->next + entry->NextEntryOffset : NULL;
	entry_copy(entry, find->basic, out);
	return STATUS_SUCCESS;
}

static HANDLE find_first(LPCWSTR path, BOOL basic, LPWIN32_FIND_DATAW out)
{
	ULONG length = (ULONG)wcslen(path), at = length;
	struct find *find = memory_get(sizeof(*find));
	WCHAR *directory = memory_get((length + 3) * sizeof(WCHAR));
	NTSTATUS status;

	if (!find || !directory) {
		memory_free(find);
		memory_free(directory);
		return INVALID_HANDLE_VALUE;
	}
	while (at && path[at - 1] != '\\' && path[at - 1] != '/' && path[at - 1] != ':')
		at--;
	memcpy(directory, path, at * sizeof(WCHAR));
	memcpy(directory + at, L".", 2 * sizeof(WCHAR));
	find->next = NULL;
	find->basic = basic;
	find->directory = NULL;
	if (length == at || length - at >= sizeof(find->pattern) / sizeof(WCHAR)) {
		status = STATUS_OBJECT_NAME_NOT_FOUND;
	} else {
		memcpy(find->pattern, path + at, (length - at + 1) * sizeof(WCHAR));
		pattern_translate(find->pattern);
		status = path_open(directory, FILE_LIST_DIRECTORY, FILE_DIRECTORY_FILE, &find->directory);
		if (NT_SUCCESS(status))
			status = find_step(find, out);
		else if (status == STATUS_OBJECT_NAME_NOT_FOUND)
			status = STATUS_OBJECT_PATH_NOT_FOUND;
	}
	memory_free(directory);
	if (NT_SUCCESS(status))
		return find;
	if (find->directory)
		NtClose(find->directory);
	memory_free(find);
	status_result(status == STATUS_NO_MORE_FILES ? STATUS_NO_SUCH_FILE : status);
	return INVALID_HANDLE_VALUE;
}

HANDLE WINAPI FindFirstFileW(LPCWSTR path, LPWIN32_FIND_DATAW out)
{
	return find_first(path, FALSE, out);
}

WINBOOL WINAPI FindNextFileW(HANDLE handle, LPWIN32_FIND_DATAW out)
{
	if (!handle || handle == INVALID_HANDLE_VALUE)
		return status_result(STATUS_INVALID_HANDLE);
	return status_result(find_step(handle, out));
}

WINBOOL WINAPI FindClose(HANDLE handle)
{
	struct find *find = handle;

	if (!handle || handle == INVALID_HANDLE_VALUE) {
		SetLastError(ERROR_INVALID_HANDLE);
		return FALSE;
	}
	NtClose(find->directory);
	memory_free(find);
	return TRUE;
}

static void data_narrow(const WIN32_FIND_DATAW *wide, WIN32_FIND_DATAA *out)
{
	ULONG bytes = 0;

	/* All fields before the names have the same layout. */
	memcpy(out, wide, offsetof(WIN32_FIND_DATAW, cFileName));
	RtlUnicodeToUTF8N(out->cFileName, MAX_PATH - 1, &bytes, wide->cFileName,
			  (ULONG)wcslen(wide->cFileName) * sizeof(WCHAR));
	out->cFileName[bytes] = 0;
	RtlUnicodeToUTF8N(out->cAlternateFileName, sizeof(out->cAlternateFileName) - 1, &bytes, wide->cAlternateFileName,
			  (ULONG)wcslen(wide->cAlternateFileName) * sizeof(WCHAR));
	out->cAlternateFileName[bytes] = 0;
}

static HANDLE find_first_narrow(LPCSTR path, BOOL basic, LPWIN32_FIND_DATAA out)
{
	WCHAR *wide = wide_from(path);
	WIN32_FIND_DATAW data;
	HANDLE find = wide ? find_first(wide, basic, &data) : INVALID_HANDLE_VALUE;

	memory_free(wide);
	if (find != INVALID_HANDLE_VALUE)
		data_narrow(&data, out);
	return find;
}

HANDLE WINAPI FindFirstFileA(LPCSTR path, LPWIN32_FIND_DATAA out)
{
	return find_first_narrow(path, FALSE, out);
}

WINBOOL WINAPI FindNextFileA(HANDLE handle, LPWIN32_FIND_DATAA out)
{
	WIN32_FIND_DATAW data;

	if (!FindNextFileW(handle, &data))
		return FALSE;
	data_narrow(&data, out);
	return TRUE;
}

/* Searches that only save work, and letters' case, are not told apart; the basic level leaves out short names. */
static BOOL search_allowed(FINDEX_INFO_LEVELS level, FINDEX_SEARCH_OPS operation, const void *filter)
{
	BOOL allowed = level <= FindExInfoBasic && operation <= FindExSearchLimitToDirectories && !filter;

	if (!allowed)
		SetLastError(ERROR_INVALID_PARAMETER);
	return allowed;
}

HANDLE WINAPI FindFirstFileExW(LPCWSTR path, FINDEX_INFO_LEVELS level, LPVOID out, FINDEX_SEARCH_OPS operation, LPVOID filter,
			       DWORD flags)
{
	(void)flags;
	return search_allowed(level, operation, filter) ? find_first(path, level == FindExInfoBasic, out) :
							      INVALID_HANDLE_VALUE;
}

HANDLE WINAPI FindFirstFileExA(LPCSTR path, FINDEX_INFO_LEVELS level, LPVOID out, FINDEX_SEARCH_OPS operation, LPVOID filter,
			       DWORD flags)
{
	(void)flags;
	return search_allowed(level, operation, filter) ? find_first_narrow(path, level == FindExInfoBasic, out) :
							      INVALID_HANDLE_VALUE;
}
