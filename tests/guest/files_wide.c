/*
 * The W forms of the calls for files, with names that no 8-bit code page has, and what the A forms make of them in UTF-8; what a
 * handle tells of a file, and of a directory's entries.
 * Works in C:\wide, which it makes and removes.
 */
#include "guest.h"
#include <wchar.h>

#define PLACE L"C:\\wide"
#define NAME L"\x65e5\x672c \xd83d\xde00.txt" /* two ideographs, and one of two units */
#define NAME_UTF8 "\xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80.txt"
#define FILE_W PLACE L"\\" NAME
#define FILE_A "C:\\wide\\" NAME_UTF8
#define OTHER PLACE L"\\\x03b1\x03b2.bin"

static HANDLE make(const wchar_t *path, const char *text)
{
	DWORD count;
	HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
	WriteFile(file, text, (DWORD)strlen(text), &count, NULL);
	return file;
}

static bool same(const wchar_t *a, const wchar_t *b)
{
	return !wcscmp(a, b);
}

static void test_change(void)
{
	WIN32_FILE_ATTRIBUTE_DATA data;
	ok(CreateDirectoryW(PLACE L"\\\x0434\x0438\x0440", NULL), "CreateDirectoryW");
	is(GetFileAttributesW(PLACE L"\\\x0434\x0438\x0440"), FILE_ATTRIBUTE_DIRECTORY, "GetFileAttributesW");
	ok(CloseHandle(make(FILE_W, "wide")), "CreateFileW");
	is(GetFileAttributesA(FILE_A), FILE_ATTRIBUTE_ARCHIVE, "the A form sees it under its name in UTF-8");
	ok(SetFileAttributesW(FILE_W, FILE_ATTRIBUTE_READONLY), "SetFileAttributesW");
	ok(GetFileAttributesExW(FILE_W, GetFileExInfoStandard, &data) && data.nFileSizeLow == 4 &&
		   data.dwFileAttributes == FILE_ATTRIBUTE_READONLY,
	   "GetFileAttributesExW");
	refused(DeleteFileW(FILE_W), ERROR_ACCESS_DENIED, "DeleteFileW of a read-only file");
	ok(SetFileAttributesW(FILE_W, FILE_ATTRIBUTE_NORMAL), "(as before)");
	ok(CopyFileW(FILE_W, OTHER, TRUE), "CopyFileW");
	refused(CopyFileW(FILE_W, OTHER, TRUE), ERROR_FILE_EXISTS, "once");
	refused(MoveFileW(FILE_W, OTHER), ERROR_ALREADY_EXISTS, "MoveFileW to a name that there is");
	ok(MoveFileExW(FILE_W, OTHER, MOVEFILE_REPLACE_EXISTING), "MoveFileExW replaces it");
	is(GetFileAttributesW(FILE_W), INVALID_FILE_ATTRIBUTES, "the old name has gone");
	ok(MoveFileW(OTHER, FILE_W), "MoveFileW");
	ok(DeleteFileW(FILE_W), "DeleteFileW");
	refused(DeleteFileW(FILE_W), ERROR_FILE_NOT_FOUND, "twice");
	ok(RemoveDirectoryW(PLACE L"\\\x0434\x0438\x0440"), "RemoveDirectoryW");
	refused(RemoveDirectoryW(PLACE L"\\\x0434\x0438\x0440"), ERROR_FILE_NOT_FOUND, "twice");
}

static void test_find(void)
{
	WIN32_FIND_DATAW wide;
	WIN32_FIND_DATAA narrow;
	wchar_t first[MAX_PATH] = L"";
	unsigned int count = 0;
	ok(CloseHandle(make(FILE_W, "1")) && CloseHandle(make(OTHER, "22")), "two files");
	HANDLE search = FindFirstFileExW(PLACE L"\\*.txt", FindExInfoBasic, &wide, FindExSearchNameMatch, NULL, 0);
	ok(search != INVALID_HANDLE_VALUE && same(wide.cFileName, NAME) && wide.nFileSizeLow == 1, "FindFirstFileExW");
	refused(FindNextFileW(search, &wide), ERROR_NO_MORE_FILES, "FindNextFileW: no other fits");
	FindClose(search);
	search = FindFirstFileW(PLACE L"\\\x03b1*", &wide);
	ok(search != INVALID_HANDLE_VALUE && same(wide.cFileName, L"\x03b1\x03b2.bin"), "FindFirstFileW, a pattern with such a letter");
	FindClose(search);
	search = FindFirstFileA("C:\\wide\\*.txt", &narrow);
	ok(search != INVALID_HANDLE_VALUE && !strcmp(narrow.cFileName, NAME_UTF8), "FindFirstFileA gives UTF-8");
	FindClose(search);
	search = FindFirstFileW(PLACE L"\\*", &wide);
	do {
		wcscpy(first, wide.cFileName);
		count++;
	} while (FindNextFileW(search, &wide));
	is(count, 4, "all of them, with . and ..");
	FindClose(search);
}

/* How many entries a directory's handle lists with a buffer of so many bytes; *file: the one with our name. */
static unsigned int listed(HANDLE directory, bool full, DWORD size, FILE_ID_BOTH_DIR_INFO *file)
{
	static char buffer[4096] __attribute__((aligned(8)));
	FILE_INFO_BY_HANDLE_CLASS class = full ? FileFullDirectoryRestartInfo : FileIdBothDirectoryRestartInfo;
	unsigned int count = 0;
	while (GetFileInformationByHandleEx(directory, class, buffer, size)) {
		for (char *at = buffer;; at += *(DWORD *)at) {
			const FILE_ID_BOTH_DIR_INFO *id = (void *)at;
			const FILE_FULL_DIR_INFO *info = (void *)at; /* the first fields are the same */
			const wchar_t *name = full ? info->FileName : id->FileName;
			if (info->FileNameLength == 2 * wcslen(NAME) && !memcmp(name, NAME, info->FileNameLength))
				memcpy(file, at, full ? offsetof(FILE_FULL_DIR_INFO, FileName) : sizeof(*file));
			count++;
			if (!*(DWORD *)at)
				break;
		}
		class = full ? FileFullDirectoryInfo : FileIdBothDirectoryInfo;
	}
	return count;
}

static void test_handle(void)
{
	struct {
		FILE_NAME_INFO info;
		wchar_t more[MAX_PATH];
	} name = { 0 };
	FILE_BASIC_INFO basic, again;
	FILE_ATTRIBUTE_TAG_INFO tag;
	FILE_ID_BOTH_DIR_INFO entry = { 0 };
	BY_HANDLE_FILE_INFORMATION facts;
	HANDLE file = CreateFileW(FILE_W, GENERIC_READ | FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	ok(GetFileInformationByHandleEx(file, FileNameInfo, &name, sizeof(name)) && name.info.FileNameLength == 2 * (wcslen(FILE_W) - 2) &&
		   same(name.info.FileName, FILE_W + 2),
	   "FileNameInfo: the path without the drive");
	refused(GetFileInformationByHandleEx(file, FileNameInfo, &name, 12), ERROR_MORE_DATA, "in too small a buffer");
	ok(GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic)) && basic.FileAttributes == FILE_ATTRIBUTE_ARCHIVE,
	   "FileBasicInfo");
	basic.LastWriteTime.QuadPart -= 100 * 10000000ll;
	basic.FileAttributes = FILE_ATTRIBUTE_HIDDEN;
	ok(SetFileInformationByHandle(file, FileBasicInfo, &basic, sizeof(basic)), "is set");
	ok(GetFileInformationByHandleEx(file, FileBasicInfo, &again, sizeof(again)) &&
		   again.LastWriteTime.QuadPart == basic.LastWriteTime.QuadPart && again.FileAttributes == FILE_ATTRIBUTE_HIDDEN,
	   "and says so");
	ok(GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof(tag)) && tag.FileAttributes == FILE_ATTRIBUTE_HIDDEN &&
		   tag.ReparseTag == 0,
	   "FileAttributeTagInfo");
	refused(GetFileInformationByHandleEx(file, FileBasicInfo, &basic, sizeof(basic) - 1), ERROR_BAD_LENGTH, "too small a buffer");
	refused(GetFileInformationByHandleEx(file, FileStreamInfo, &basic, sizeof(basic)), ERROR_INVALID_PARAMETER,
		"a class that is not there");
	ok(GetFileInformationByHandle(file, &facts), "GetFileInformationByHandle");
	HANDLE directory = CreateFileW(PLACE, FILE_LIST_DIRECTORY, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING,
				       FILE_FLAG_BACKUP_SEMANTICS, NULL);
	is(listed(directory, false, 4096, &entry), 4, "FileIdBothDirectoryInfo: all entries, with . and ..");
	ok(entry.EndOfFile.QuadPart == 1 && entry.FileAttributes == FILE_ATTRIBUTE_HIDDEN && entry.ShortNameLength > 0 &&
		   entry.LastWriteTime.QuadPart == again.LastWriteTime.QuadPart,
	   "with what is known of each");
	is(entry.FileId.QuadPart, (uint64_t)facts.nFileIndexHigh << 32 | facts.nFileIndexLow, "and the number that its handle tells");
	is(GetLastError(), ERROR_NO_MORE_FILES, "then there are no more");
	is(listed(directory, false, 160, &entry), 4, "again, one by one");
	is(listed(directory, true, 4096, &entry), 4, "FileFullDirectoryInfo");
	ok(entry.EndOfFile.QuadPart == 1 && entry.FileAttributes == FILE_ATTRIBUTE_HIDDEN, "says the same");
	refused(GetFileInformationByHandleEx(directory, FileIdBothDirectoryRestartInfo, &entry, 50), ERROR_BAD_LENGTH,
		"no room for an entry");
	refused(GetFileInformationByHandleEx(file, FileIdBothDirectoryInfo, &entry, sizeof(entry)), ERROR_INVALID_PARAMETER,
		"a file is no directory");
	CloseHandle(directory);
	CloseHandle(file);
}

static void test_paths(void)
{
	wchar_t path[MAX_PATH], name[MAX_PATH], *part = NULL;
	char narrow[MAX_PATH], *narrow_part = NULL;
	DWORD n = GetCurrentDirectoryW(MAX_PATH, path);
	ok(n == 3 && same(path, L"C:\\"), "GetCurrentDirectoryW");
	ok(SetCurrentDirectoryW(PLACE), "SetCurrentDirectoryW");
	is(GetCurrentDirectoryW(3, path), 8, "too small a buffer: how many units it takes, with the end");
	n = GetFullPathNameW(L"x\\..\\" NAME, MAX_PATH, path, &part);
	ok(n == wcslen(FILE_W) && same(path, FILE_W) && part && same(part, NAME), "GetFullPathNameW");
	is(GetFullPathNameW(NAME, 4, path, &part), wcslen(FILE_W) + 1, "too small a buffer");
	is(GetFullPathNameA(NAME_UTF8, sizeof(narrow), narrow, &narrow_part), strlen(FILE_A), "GetFullPathNameA, in bytes");
	ok(!strcmp(narrow, FILE_A) && !strcmp(narrow_part, NAME_UTF8), "of UTF-8");
	n = GetShortPathNameW(FILE_W, path, MAX_PATH);
	ok(n && wcslen(path) == n && wcschr(path, L'~'), "GetShortPathNameW");
	n = GetLongPathNameW(path, name, MAX_PATH);
	ok(n == wcslen(FILE_W) && same(name, FILE_W), "GetLongPathNameW is the way back");
	ok(SearchPathW(PLACE, NAME, NULL, MAX_PATH, path, &part) == wcslen(FILE_W) && same(part, NAME), "SearchPathW");
	is(SearchPathA("C:\\wide", NAME_UTF8, NULL, sizeof(narrow), narrow, &narrow_part), strlen(FILE_A), "SearchPathA");
	ok(!strcmp(narrow, FILE_A) && !strcmp(narrow_part, NAME_UTF8), "finds the same");
	ok(SearchPathA(NULL, "kernel32", ".dll", sizeof(narrow), narrow, NULL) && !_stricmp(narrow, "C:\\system\\kernel32.dll"),
	   "and what is in the system's directory");
	SetLastError(0);
	refused(SearchPathA(NULL, "no such", ".dll", sizeof(narrow), narrow, NULL) != 0, ERROR_FILE_NOT_FOUND, "not what is nowhere");
	n = GetTempPathW(MAX_PATH, path);
	ok(n == wcslen(path) && n && path[n - 1] == L'\\' && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES, "GetTempPathW");
	is(GetTempFileNameW(PLACE, L"\x03b1\x03b2\x03b3\x03b4", 0x1234, path), 0x1234, "GetTempFileNameW with a number makes a name");
	ok(same(path, PLACE L"\\\x03b1\x03b2\x03b3" L"1234.TMP") || same(path, PLACE L"\\\x03b1\x03b2\x03b3" L"1234.tmp"),
	   "of three letters and the number");
	is(GetFileAttributesW(path), INVALID_FILE_ATTRIBUTES, "and no file");
	ok(GetTempFileNameW(PLACE, L"tmp", 0, path) && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES && DeleteFileW(path),
	   "without one, it makes the file");
	ok(SetCurrentDirectoryW(L"C:\\"), "(as before)");
}

static void test_volume(void)
{
	DWORD sectors, bytes, free, total, sectors_a, bytes_a, free_a, total_a, serial, serial_a, n;
	ULARGE_INTEGER available, all, all_free, all_a;
	wchar_t label[32], system[32], drives[64];
	char label_a[32], drives_a[64];
	ok(GetDiskFreeSpaceW(L"C:\\", &sectors, &bytes, &free, &total) && GetDiskFreeSpaceA("C:\\", &sectors_a, &bytes_a, &free_a, &total_a),
	   "GetDiskFreeSpace, both forms");
	ok(sectors == sectors_a && bytes == bytes_a && total == total_a && bytes == 512 && free <= total, "say the same");
	ok(GetDiskFreeSpaceExW(PLACE, &available, &all, &all_free) && GetDiskFreeSpaceExA("C:\\", NULL, &all_a, NULL),
	   "GetDiskFreeSpaceEx, both forms");
	ok(all.QuadPart == all_a.QuadPart && all.QuadPart == (uint64_t)total * sectors * bytes &&
		   available.QuadPart == all_free.QuadPart,
	   "say the same, and as the other");
	refused(GetDiskFreeSpaceW(L"Q:\\", &sectors, &bytes, &free, &total), ERROR_PATH_NOT_FOUND, "of no volume");
	ok(GetVolumeInformationW(L"C:\\", label, 32, &serial, &n, NULL, system, 32) && same(label, L"BACKSTORE") && same(system, L"FAT32") &&
		   n == 255,
	   "GetVolumeInformationW");
	ok(GetVolumeInformationA("C:\\", label_a, 32, &serial_a, NULL, NULL, NULL, 0) && !strcmp(label_a, "BACKSTORE") && serial == serial_a,
	   "GetVolumeInformationA");
	is(GetDriveTypeW(L"C:\\"), GetDriveTypeA("C:\\"), "GetDriveTypeW");
	is(GetDriveTypeW(L"Q:\\"), DRIVE_NO_ROOT_DIR, "of no drive");
	n = GetLogicalDriveStringsW(64, drives);
	ok(n >= 4 && same(drives, L"C:\\") && !drives[n] && GetLogicalDriveStringsA(64, drives_a) == n && !strcmp(drives_a, "C:\\"),
	   "GetLogicalDriveStrings, both forms");
}

static void test_pipe(void)
{
	wchar_t user[16];
	char byte = 0;
	DWORD n, state = 99, instances = 0;
	const wchar_t *name = L"\\\\.\\pipe\\\x65e5\x672c";
	HANDLE server = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);
	ok(server != INVALID_HANDLE_VALUE, "CreateNamedPipeW");
	ok(WaitNamedPipeW(name, 1000), "WaitNamedPipeW");
	HANDLE client = CreateFileA("\\\\.\\pipe\\\xe6\x97\xa5\xe6\x9c\xac", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
	ok(client != INVALID_HANDLE_VALUE, "the A form opens it");
	ok(WriteFile(client, "x", 1, &n, NULL) && ReadFile(server, &byte, 1, &n, NULL) && byte == 'x', "and a byte goes through");
	ok(GetNamedPipeHandleStateW(client, &state, &instances, NULL, NULL, user, 0) && state == PIPE_WAIT && instances == 1,
	   "GetNamedPipeHandleStateW");
	CloseHandle(client);
	CloseHandle(server);
	SetLastError(0);
	refused(WaitNamedPipeW(name, 10), ERROR_FILE_NOT_FOUND, "of a pipe that has gone");
}

int main(void)
{
	ok(CreateDirectoryW(PLACE, NULL), "(a place)");
	test_change();
	test_find();
	test_handle();
	test_paths();
	test_volume();
	test_pipe();
	ok(DeleteFileW(FILE_W) && DeleteFileW(OTHER) && RemoveDirectoryW(PLACE), "(no place)");
	return tap_end();
}
