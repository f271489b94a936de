/*
 * What changes a volume. Whether it may be changed is for the kernel to say: on a read-only one all of this ends in
 * ERROR_WRITE_PROTECT, for files that exist.
 */
#include "kernel32.h"

WINBOOL WINAPI DeleteFileW(LPCWSTR path)
{
	HANDLE file;

	if (!status_result(path_open(path, DELETE, FILE_DELETE_ON_CLOSE | FILE_NON_DIRECTORY_FILE, &file)))
		return FALSE;
	return status_result(NtClose(file));
}

WINBOOL WINAPI DeleteFileA(LPCSTR path)
{
	WCHAR *wide = wide_from(path);
	BOOL done = wide && DeleteFileW(wide);

	memory_free(wide);
	return done;
}

WINBOOL WINAPI RemoveDirectoryW(LPCWSTR path)
{
	HANDLE directory;

	if (!status_result(path_open(path, DELETE, FILE_DELETE_ON_CLOSE | FILE_DIRECTORY_FILE, &directory)))
		return FALSE;
	return status_result(NtClose(directory));
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

/* FILE_RENAME_INFORMATION, which mingw-w64's winternl.h lacks. */
struct rename_information {
	BOOLEAN replace;
	HANDLE root;
	ULONG name_bytes;
	WCHAR name[];
};

WINBOOL WINAPI MoveFileW(LPCWSTR from, LPCWSTR to)
{
	struct rename_information *information = NULL;
	UNICODE_STRING name;
	IO_STATUS_BLOCK io;
	HANDLE file = NULL;
	NTSTATUS status = path_to_nt(to, &name);

	if (!status_result(status))
		return FALSE;
	status = path_open(from, DELETE, 0, &file);
	if (NT_SUCCESS(status)) {
		information = memory_get(sizeof(*information) + name.Length);
		status = STATUS_NO_MEMORY;
	}
	if (information) {
		memset(information, 0, sizeof(*information));
		information->name_bytes = name.Length;
		memcpy(information->name, name.Buffer, name.Length);
		status = NtSetInformationFile(file, &io, information, (ULONG)sizeof(*information) + name.Length,
					      (FILE_INFORMATION_CLASS)10 /* FileRenameInformation */);
		memory_free(information);
	}
	if (file)
		NtClose(file);
	path_free(&name);
	return status_result(status);
}

WINBOOL WINAPI MoveFileA(LPCSTR from, LPCSTR to)
{
	WCHAR *wide_from_path = wide_from(from), *wide_to = wide_from(to);
	BOOL done = wide_from_path && wide_to && MoveFileW(wide_from_path, wide_to);

	memory_free(wide_from_path);
	memory_free(wide_to);
	return done;
}
