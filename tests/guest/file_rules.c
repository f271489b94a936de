/*
 * The file calls as Microsoft's documentation has them, each rule by itself: CreateFile, ReadFile, LockFileEx, MoveFileEx, CopyFile,
 * GetTempFileName, GetFullPathName, SetFileInformationByHandle, CreateFileMapping, MapViewOfFile. Works in C:\rules, which it
 * makes and removes.
 */
#include "file_text.h"
#include "guest.h"

#define PLACE "C:\\rules"
#define FILE_A PLACE "\\a.txt"
#define FILE_B PLACE "\\b.txt"

static HANDLE open_as(const char *path, DWORD access, DWORD share, DWORD disposition, DWORD flags)
{
	SetLastError(12345);
	return CreateFileA(path, access, share, NULL, disposition, flags, NULL);
}

static void test_dispositions(void)
{
	static const struct {
		const char *name;
		DWORD disposition, error_existing, error_missing; /* at success: what GetLastError says then */
		bool existing, missing, empties;
	} rules[] = {
		{ "CREATE_NEW", CREATE_NEW, ERROR_FILE_EXISTS, 0, false, true, false },
		{ "CREATE_ALWAYS", CREATE_ALWAYS, ERROR_ALREADY_EXISTS, 0, true, true, true },
		{ "OPEN_EXISTING", OPEN_EXISTING, 0, ERROR_FILE_NOT_FOUND, true, false, false },
		{ "OPEN_ALWAYS", OPEN_ALWAYS, ERROR_ALREADY_EXISTS, 0, true, true, false },
		{ "TRUNCATE_EXISTING", TRUNCATE_EXISTING, 0, ERROR_FILE_NOT_FOUND, true, false, true },
	};
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (int existing = 0; existing < 2; existing++) {
			DeleteFileA(FILE_A);
			if (existing)
				file_put(FILE_A, "text");
			HANDLE file = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE, 0, rules[i].disposition, 0);
			DWORD error = GetLastError();
			bool made = file != INVALID_HANDLE_VALUE, wanted = existing ? rules[i].existing : rules[i].missing;
			DWORD expected = existing ? rules[i].error_existing : rules[i].error_missing;
			DWORD size = made ? GetFileSize(file, NULL) : 0;
			CloseHandle(file);
			/* Only these two say anything at success. */
			bool said = error == expected || (wanted && !expected && rules[i].disposition != CREATE_ALWAYS &&
							  rules[i].disposition != OPEN_ALWAYS);
			ok(made == wanted && said && size == (made && existing && !rules[i].empties ? 4u : 0u),
			   "%s, %s: %d, error %lu, %lu bytes", rules[i].name, existing ? "there is one" : "there is none", made, error, size);
		}
	file_put(FILE_A, "text");
	refused(open_as(FILE_A, GENERIC_READ, 0, TRUNCATE_EXISTING, 0) != INVALID_HANDLE_VALUE, ERROR_INVALID_PARAMETER,
		"TRUNCATE_EXISTING without GENERIC_WRITE");
	SetFileAttributesA(FILE_A, FILE_ATTRIBUTE_HIDDEN);
	refused(open_as(FILE_A, GENERIC_WRITE, 0, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL) != INVALID_HANDLE_VALUE,
		ERROR_ACCESS_DENIED, "CREATE_ALWAYS of a hidden file");
	HANDLE file = open_as(FILE_A, GENERIC_WRITE, 0, CREATE_ALWAYS, FILE_ATTRIBUTE_HIDDEN);
	ok(file != INVALID_HANDLE_VALUE && CloseHandle(file), "unless it is to be hidden");
	SetFileAttributesA(FILE_A, FILE_ATTRIBUTE_READONLY);
	refused(open_as(FILE_A, GENERIC_WRITE, 0, OPEN_EXISTING, 0) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED,
		"a read-only file for writing");
	refused(open_as(FILE_A, GENERIC_WRITE, 0, CREATE_ALWAYS, 0) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "or over it");
	refused(DeleteFileA(FILE_A), ERROR_ACCESS_DENIED, "nor is it deleted");
	SetFileAttributesA(FILE_A, FILE_ATTRIBUTE_NORMAL);
	refused(open_as(PLACE, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED,
		"a directory without FILE_FLAG_BACKUP_SEMANTICS");
	file = open_as(PLACE, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
	ok(file != INVALID_HANDLE_VALUE && CloseHandle(file), "with it");
	refused(open_as(FILE_A, GENERIC_READ, 0, 9, 0) != INVALID_HANDLE_VALUE, ERROR_INVALID_PARAMETER, "no disposition");
}

static void test_sharing(void)
{
	static const DWORD accesses[] = { GENERIC_READ, GENERIC_WRITE, GENERIC_READ | GENERIC_WRITE, DELETE, 0 };
	unsigned int wrong = 0, tried = 0;
	for (int a = 0; a < 5; a++)
		for (DWORD b = 0; b < 5; b++)
			for (DWORD first = 0; first < 8; first++)
				for (DWORD second = 0; second < 8; second++) {
					/* FILE_SHARE_READ, WRITE, DELETE are 1, 2, 4: what each access needs of the other's. */
					static const DWORD needs[] = { 1, 2, 3, 4, 0 };
					HANDLE one = open_as(FILE_A, accesses[a], first, OPEN_EXISTING, 0);
					HANDLE two = open_as(FILE_A, accesses[b], second, OPEN_EXISTING, 0);
					DWORD error = GetLastError();
					bool neither = !needs[a] || !needs[b];
					bool expected = neither || (!(needs[b] & ~first) && !(needs[a] & ~second));
					tried++;
					if ((two != INVALID_HANDLE_VALUE) != expected ||
					    (!expected && error != ERROR_SHARING_VIOLATION)) {
						wrong++;
						note("access %d share %lu, then access %lu share %lu", a, first, b, second);
					}
					CloseHandle(one);
					CloseHandle(two);
				}
	is(wrong, 0, "%u pairs of opens share as documented", tried);
	HANDLE file = open_as(FILE_A, GENERIC_READ | DELETE, FILE_SHARE_READ | FILE_SHARE_DELETE, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE);
	ok(file != INVALID_HANDLE_VALUE, "FILE_FLAG_DELETE_ON_CLOSE");
	refused(open_as(FILE_A, GENERIC_READ, FILE_SHARE_READ, OPEN_EXISTING, 0) != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION,
		"later opens need FILE_SHARE_DELETE");
	HANDLE other = open_as(FILE_A, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0);
	ok(other != INVALID_HANDLE_VALUE, "with it they open");
	CloseHandle(file);
	refused(open_as(FILE_A, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED,
		"not when the first one is closed");
	CloseHandle(other);
	is(GetFileAttributesA(FILE_A), INVALID_FILE_ATTRIBUTES, "after the last one it has gone");
}

static void test_reading(void)
{
	char *page = commit_bytes(2 * PAGE_BYTES), byte[8];
	DWORD count = 99;
	file_put(FILE_A, "0123456789");
	HANDLE file = open_as(FILE_A, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_NO_BUFFERING);
	ok(ReadFile(file, page, 512, &count, NULL) && count == 10, "without buffering: a sector, as far as the file goes");
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	refused(ReadFile(file, page, 100, &count, NULL), ERROR_INVALID_PARAMETER, "a part of a sector");
	OVERLAPPED o = { .Offset = 3 };
	refused(ReadFile(file, page, 512, &count, &o), ERROR_INVALID_PARAMETER, "an offset that is not");
	CloseHandle(file);
	file = open_as(FILE_A, GENERIC_READ, SHARE_ALL, OPEN_EXISTING, 0);
	ok(ReadFile(file, byte, 4, &count, &o) && count == 4 && !memcmp(byte, "3456", 4), "an OVERLAPPED says where");
	is(SetFilePointer(file, 0, NULL, FILE_CURRENT), 7, "the file pointer is behind it");
	o.Offset = 10;
	refused(ReadFile(file, byte, 4, &count, &o), ERROR_HANDLE_EOF, "at the end with an OVERLAPPED");
	SetFilePointer(file, 0, NULL, FILE_END);
	count = 99;
	ok(ReadFile(file, byte, 4, &count, NULL) && count == 0, "at the end without");
	refused(WriteFile(file, byte, 1, &count, NULL), ERROR_ACCESS_DENIED, "writing to what was opened to read");
	refused(SetFilePointer(file, -1, NULL, FILE_BEGIN) != INVALID_SET_FILE_POINTER, ERROR_NEGATIVE_SEEK, "before the beginning");
	CloseHandle(file);
	file = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED);
	OVERLAPPED e = { .Offset = 2, .hEvent = CreateEventA(NULL, TRUE, FALSE, NULL) };
	bool now = ReadFile(file, byte, 3, NULL, &e);
	ok(now || GetLastError() == ERROR_IO_PENDING, "overlapped with an event");
	is(WaitForSingleObject(e.hEvent, 10000), WAIT_OBJECT_0, "which is signalled");
	ok(GetOverlappedResult(file, &e, &count, TRUE) && count == 3 && !memcmp(byte, "234", 3), "GetOverlappedResult: 3 bytes");
	e.Offset = 100;
	now = ReadFile(file, byte, 3, NULL, &e) || (GetLastError() == ERROR_IO_PENDING && GetOverlappedResult(file, &e, &count, TRUE));
	refused(now, ERROR_HANDLE_EOF, "behind the end");
	CloseHandle(e.hEvent);
	CloseHandle(file);
	memory_release(page);
}

static HANDLE locked_file;

static DWORD WINAPI lock_waits(void *arg)
{
	OVERLAPPED o = { 0 };
	(void)arg;
	return LockFileEx(locked_file, LOCKFILE_EXCLUSIVE_LOCK, 0, 10, 0, &o);
}

static void test_locks(void)
{
	HANDLE a = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING, 0);
	HANDLE b = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING, 0);
	OVERLAPPED o = { 0 };
	char byte;
	DWORD count, code = 0;
	ok(LockFileEx(a, LOCKFILE_FAIL_IMMEDIATELY, 0, 10, 0, &o), "a shared lock");
	ok(LockFileEx(b, LOCKFILE_FAIL_IMMEDIATELY, 0, 10, 0, &o), "a second one");
	refused(LockFileEx(b, LOCKFILE_FAIL_IMMEDIATELY | LOCKFILE_EXCLUSIVE_LOCK, 0, 5, 0, &o), ERROR_LOCK_VIOLATION,
		"an exclusive one beside them");
	refused(WriteFile(a, "x", 1, &count, NULL), ERROR_LOCK_VIOLATION, "nobody writes");
	ok(UnlockFileEx(a, 0, 10, 0, &o) && UnlockFileEx(b, 0, 10, 0, &o), "unlocked");
	refused(UnlockFileEx(b, 0, 10, 0, &o), ERROR_NOT_LOCKED, "only once");
	ok(LockFileEx(a, LOCKFILE_EXCLUSIVE_LOCK, 0, 10, 0, &o), "an exclusive one");
	refused(ReadFile(b, &byte, 1, &count, NULL), ERROR_LOCK_VIOLATION, "others do not read");
	ok(ReadFile(a, &byte, 1, &count, NULL), "its owner does");
	SetFilePointer(b, 12, NULL, FILE_BEGIN);
	ok(WriteFile(b, "y", 1, &count, NULL), "beside it others write");
	locked_file = b;
	HANDLE thread = CreateThread(NULL, 0, lock_waits, NULL, 0, NULL);
	is(WaitForSingleObject(thread, 200), WAIT_TIMEOUT, "who wants it waits");
	ok(UnlockFile(a, 0, 0, 10, 0), "until it is free");
	is(WaitForSingleObject(thread, 10000), WAIT_OBJECT_0, "then he has it");
	GetExitCodeThread(thread, &code);
	is(code, TRUE, "and is told so");
	CloseHandle(thread);
	refused(LockFile(a, 5, 0, 1, 0), ERROR_LOCK_VIOLATION, "the other one has not");
	CloseHandle(b);
	ok(LockFile(a, 5, 0, 1, 0), "a handle's locks go with it");
	CloseHandle(a);
}

static void test_names(void)
{
	char text[MAX_PATH], *part = NULL;
	file_put(FILE_A, "one");
	file_put(FILE_B, "two");
	refused(MoveFileA(FILE_A, FILE_B), ERROR_ALREADY_EXISTS, "MoveFile to a name that is taken");
	ok(MoveFileExA(FILE_A, FILE_B, MOVEFILE_REPLACE_EXISTING) && file_holds(FILE_B, "one"), "MOVEFILE_REPLACE_EXISTING");
	ok(CreateDirectoryA(PLACE "\\d", NULL), "a directory");
	refused(MoveFileExA(FILE_B, PLACE "\\d", MOVEFILE_REPLACE_EXISTING), ERROR_ACCESS_DENIED, "is not replaced");
	refused(CreateDirectoryA(PLACE "\\d", NULL), ERROR_ALREADY_EXISTS, "nor made again");
	file_put(FILE_A, "three");
	refused(CopyFileA(FILE_A, FILE_B, TRUE), ERROR_FILE_EXISTS, "CopyFile, fail if it exists");
	SetFileAttributesA(FILE_A, FILE_ATTRIBUTE_HIDDEN);
	ok(CopyFileA(FILE_A, PLACE "\\c.txt", TRUE), "CopyFile");
	ok(GetFileAttributesA(PLACE "\\c.txt") & FILE_ATTRIBUTE_HIDDEN, "copies attributes");
	SetFileAttributesA(FILE_B, FILE_ATTRIBUTE_READONLY);
	refused(CopyFileA(FILE_A, FILE_B, FALSE), ERROR_ACCESS_DENIED, "not over a read-only file");
	SetFileAttributesA(FILE_B, FILE_ATTRIBUTE_NORMAL);
	SetFileAttributesA(PLACE "\\c.txt", FILE_ATTRIBUTE_NORMAL);
	SetFileAttributesA(FILE_A, FILE_ATTRIBUTE_NORMAL);
	refused(CopyFileA(PLACE "\\none", FILE_B, FALSE), ERROR_FILE_NOT_FOUND, "CopyFile of nothing");

	UINT number = GetTempFileNameA(PLACE, "prefix", 0, text);
	char expected[MAX_PATH];
	sprintf(expected, PLACE "\\pre%X.tmp", number & 0xffff);
	ok(number && !_stricmp(text, expected) && GetFileAttributesA(text) != INVALID_FILE_ATTRIBUTES,
	   "GetTempFileName makes %s", text);
	DeleteFileA(text);
	ok(GetTempFileNameA(PLACE, "x", 0x1234, text) == 0x1234 && !_stricmp(text, PLACE "\\x1234.tmp") &&
	   GetFileAttributesA(text) == INVALID_FILE_ATTRIBUTES, "with a number it makes the name alone");
	refused(GetTempFileNameA(PLACE "\\none", "x", 0, text), ERROR_DIRECTORY, "in no directory");

	is(GetFullPathNameA(PLACE "\\d\\..\\.\\e.txt", sizeof(text), text, &part), strlen(PLACE "\\e.txt"), "GetFullPathName");
	ok(!strcmp(text, PLACE "\\e.txt") && part && !strcmp(part, "e.txt"), "%s", text);
	is(GetFullPathNameA(PLACE "\\e.txt", 4, text, NULL), strlen(PLACE "\\e.txt") + 1, "with too little room: what it needs");
	ok(SetCurrentDirectoryA(PLACE "\\d") && GetFullPathNameA("..\\x", sizeof(text), text, NULL) && !strcmp(text, PLACE "\\x"),
	   "from the current directory: %s", text);
	SetCurrentDirectoryA("C:\\");

	HANDLE file = CreateFileW(L"C:\\rules\\gr\u00fc\u00dfe \u20ac.txt", GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	ok(file != INVALID_HANDLE_VALUE && CloseHandle(file), "a name in UTF-16");
	WIN32_FIND_DATAA found;
	HANDLE search = FindFirstFileA(PLACE "\\gr*", &found);
	ok(search != INVALID_HANDLE_VALUE && !strcmp(found.cFileName, "gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac.txt"), "is found in UTF-8");
	FindClose(search);
	ok(DeleteFileA(PLACE "\\GR\xc3\x9c\xc3\x9f" "E \xe2\x82\xac.TXT"), "and deleted, in other letters");
	ok(DeleteFileA(PLACE "\\c.txt") && RemoveDirectoryA(PLACE "\\d"), "(as before)");
}

static void test_information(void)
{
	struct {
		FILE_RENAME_INFO info;
		WCHAR rest[64];
	} rename = { 0 };
	file_put(FILE_A, "some text");
	HANDLE file = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE | DELETE, SHARE_ALL, OPEN_EXISTING, 0);
	wcscpy(rename.info.FileName, L"C:\\rules\\b.txt");
	rename.info.FileNameLength = 2 * (DWORD)wcslen(rename.info.FileName);
	refused(SetFileInformationByHandle(file, FileRenameInfo, &rename, sizeof(rename)), ERROR_ALREADY_EXISTS, "FileRenameInfo");
	rename.info.ReplaceIfExists = TRUE;
	ok(SetFileInformationByHandle(file, FileRenameInfo, &rename, sizeof(rename)), "with ReplaceIfExists");
	FILE_END_OF_FILE_INFO end = { .EndOfFile.QuadPart = 4 };
	ok(SetFileInformationByHandle(file, FileEndOfFileInfo, &end, sizeof(end)) && file_holds(FILE_B, "some"), "FileEndOfFileInfo");
	FILE_ALLOCATION_INFO allocation = { .AllocationSize.QuadPart = 100000 };
	FILE_STANDARD_INFO standard = { 0 };
	ok(SetFileInformationByHandle(file, FileAllocationInfo, &allocation, sizeof(allocation)), "FileAllocationInfo");
	ok(GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof(standard)) &&
	   standard.AllocationSize.QuadPart >= 100000 && standard.EndOfFile.QuadPart == 4, "takes room, and adds nothing");
	FILE_DISPOSITION_INFO gone = { TRUE };
	ok(SetFileInformationByHandle(file, FileDispositionInfo, &gone, sizeof(gone)), "FileDispositionInfo");
	ok(GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof(standard)) && standard.DeletePending, "says so");
	refused(SetFileInformationByHandle(file, FileDispositionInfo, &gone, 0), ERROR_BAD_LENGTH, "a buffer that is too small");
	CloseHandle(file);
	is(GetFileAttributesA(FILE_B), INVALID_FILE_ATTRIBUTES, "it goes when it is closed");
}

static void test_sections(void)
{
	static const struct {
		DWORD access;
		DWORD protect;
		DWORD error;
	} rules[] = {
		{ GENERIC_READ, PAGE_READONLY, 0 },
		{ GENERIC_READ, PAGE_WRITECOPY, 0 },
		{ GENERIC_READ, PAGE_READWRITE, ERROR_ACCESS_DENIED },
		{ GENERIC_READ, PAGE_EXECUTE_READ, ERROR_ACCESS_DENIED },
		{ GENERIC_READ | GENERIC_EXECUTE, PAGE_EXECUTE_READ, 0 },
		{ GENERIC_READ | GENERIC_EXECUTE, PAGE_EXECUTE_READWRITE, ERROR_ACCESS_DENIED },
		{ GENERIC_READ | GENERIC_WRITE, PAGE_READWRITE, 0 },
		{ GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE, PAGE_EXECUTE_READWRITE, 0 },
		{ GENERIC_WRITE, PAGE_READONLY, ERROR_ACCESS_DENIED },
		{ GENERIC_WRITE, PAGE_READWRITE, ERROR_ACCESS_DENIED },
		{ GENERIC_READ, PAGE_NOACCESS, ERROR_INVALID_PARAMETER },
		{ GENERIC_READ, PAGE_EXECUTE, ERROR_INVALID_PARAMETER },
	};
	file_put(FILE_A, "contents of a file");
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		HANDLE file = open_as(FILE_A, rules[i].access, SHARE_ALL, OPEN_EXISTING, 0);
		SetLastError(0);
		HANDLE section = CreateFileMappingA(file, NULL, rules[i].protect, 0, 0, NULL);
		DWORD error = GetLastError();
		ok((section == NULL) == (rules[i].error != 0) && error == rules[i].error,
		   "a handle with access %lx, protection %lx: error %lu", rules[i].access, rules[i].protect, error);
		CloseHandle(section);
		CloseHandle(file);
	}
	HANDLE file = open_as(FILE_B, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, CREATE_ALWAYS, 0);
	refused(CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL) != NULL, ERROR_FILE_INVALID, "a file without bytes");
	CloseHandle(file);
	file = open_as(FILE_A, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, OPEN_EXISTING, 0);
	refused(CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 1 << 20, NULL) != NULL, ERROR_NOT_ENOUGH_MEMORY,
		"to read more than there is");
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 200000, "RulesSection");
	is(GetFileSize(file, NULL), 200000, "to write more makes more");
	SetLastError(0);
	HANDLE again = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 200000, "RulesSection");
	ok(again && GetLastError() == ERROR_ALREADY_EXISTS && CloseHandle(again), "a name that is taken is opened");
	refused(MapViewOfFile(section, FILE_MAP_READ, 0, 4096, 0) != NULL, ERROR_MAPPED_ALIGNMENT, "an offset of a page");
	refused(MapViewOfFile(section, FILE_MAP_READ, 0, 65536, 200000) != NULL, ERROR_ACCESS_DENIED, "a view beyond the section");
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0), *copy = MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0);
	ok(view && copy && !memcmp(view, "contents", 8), "views of it");
	copy[0] = 'X';
	ok(view[0] == 'c', "what is written to a copy nobody else sees");
	view[1] = 'Y';
	ok(copy[1] == 'o', "a page that was copied is not written any more");
	SetFilePointer(file, 10, NULL, FILE_BEGIN);
	refused(SetEndOfFile(file), ERROR_USER_MAPPED_FILE, "it can't be cut");
	ok(UnmapViewOfFile(view) && UnmapViewOfFile(copy) && CloseHandle(section), "(closed)");
	ok(SetEndOfFile(file), "now it can");
	section = CreateFileMappingA(file, NULL, PAGE_READONLY, 0, 0, NULL);
	refused(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) != NULL, ERROR_ACCESS_DENIED, "a view to write of a section to read");
	ok(CloseHandle(section) && CloseHandle(file) && DeleteFileA(FILE_A) && DeleteFileA(FILE_B), "(deleted)");
}

int main(void)
{
	probes_init();
	ok(CreateDirectoryA(PLACE, NULL), "(a place)");
	test_dispositions();
	test_sharing();
	test_reading();
	test_locks();
	test_names();
	test_information();
	test_sections();
	ok(RemoveDirectoryA(PLACE), "(no place)");
	return tap_end();
}
