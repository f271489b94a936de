/*
 * Writing: files and directories that are made, written, renamed and deleted, and what is refused, with the errors that
 * Windows documents. Works in C:\written, which it makes and removes.
 */
#include "file_text.h"
#include "guest.h"

#define PLACE "C:\\written"

static HANDLE make(const char *path, DWORD disposition)
{
	SetLastError(12345);
	return CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, NULL, disposition, 0, NULL);
}

static bool exists(const char *path)
{
	return GetFileAttributesA(path) != INVALID_FILE_ATTRIBUTES;
}

static void test_dispositions(void)
{
	HANDLE file = make(PLACE "\\new.txt", CREATE_NEW);
	ok(file != INVALID_HANDLE_VALUE, "CREATE_NEW makes a file");
	CloseHandle(file);
	refused(make(PLACE "\\new.txt", CREATE_NEW) != INVALID_HANDLE_VALUE, ERROR_FILE_EXISTS, "CREATE_NEW of what is there");
	file = make(PLACE "\\new.txt", OPEN_ALWAYS);
	is(GetLastError(), ERROR_ALREADY_EXISTS, "OPEN_ALWAYS says that it was there");
	CloseHandle(file);
	file = make(PLACE "\\other.txt", OPEN_ALWAYS);
	is(GetLastError(), ERROR_SUCCESS, "or that it was not");
	CloseHandle(file);
	ok(file_put(PLACE "\\new.txt", "some text"), "a file is written");
	ok(file_holds(PLACE "\\new.txt", "some text"), "and read");
	file = make(PLACE "\\NEW.TXT", CREATE_ALWAYS);
	is(GetLastError(), ERROR_ALREADY_EXISTS, "CREATE_ALWAYS says that there was one");
	is(GetFileSize(file, NULL), 0, "and makes it empty");
	CloseHandle(file);
	refused(make(PLACE "\\none.txt", TRUNCATE_EXISTING) != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND,
		"TRUNCATE_EXISTING of what is not there");
	refused(make("C:\\nowhere\\x", CREATE_ALWAYS) != INVALID_HANDLE_VALUE, ERROR_PATH_NOT_FOUND,
		"a file in a directory that is not there");
	refused(make(PLACE "\\a?b", CREATE_ALWAYS) != INVALID_HANDLE_VALUE, ERROR_INVALID_NAME, "a name that is not valid");
	ok(DeleteFileA(PLACE "\\new.txt") && DeleteFileA(PLACE "\\other.txt"), "both are deleted");
	refused(DeleteFileA(PLACE "\\new.txt"), ERROR_FILE_NOT_FOUND, "a file that was deleted");
}

static void test_contents(void)
{
	static unsigned char model[300000], buffer[300000];
	HANDLE file = make(PLACE "\\data.bin", CREATE_ALWAYS);
	DWORD size = 0, count;
	bool right = true;
	memset(model, 0, sizeof(model));
	for (int i = 0; i < 150; i++) {
		DWORD offset = (DWORD)(random_next() % 200000), n = (DWORD)(random_next() % (i % 10 ? 3000 : 90000));
		for (DWORD k = 0; k < n; k++)
			buffer[k] = (unsigned char)random_next();
		SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
		right &= WriteFile(file, buffer, n, &count, NULL) && count == n;
		memcpy(model + offset, buffer, n);
		if (n && offset + n > size)
			size = offset + n;
		if (i % 20 == 19) {
			size = (DWORD)(random_next() % 150000);
			memset(model + size, 0, sizeof(model) - size);
			SetFilePointer(file, (LONG)size, NULL, FILE_BEGIN);
			right &= SetEndOfFile(file);
		}
	}
	ok(right, "150 writes at random places, some behind the end, and ends that move");
	is(GetFileSize(file, NULL), size, "the size is right");
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	ok(ReadFile(file, buffer, sizeof(buffer), &count, NULL) && count == size && !memcmp(buffer, model, size),
	   "and so is each byte");
	ok(FlushFileBuffers(file), "it is flushed");
	CloseHandle(file);
	file = CreateFileA(PLACE "\\data.bin", FILE_APPEND_DATA, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	ok(WriteFile(file, "end", 3, &count, NULL) && GetFileAttributesA(PLACE "\\data.bin") == FILE_ATTRIBUTE_ARCHIVE,
	   "a handle that may only append appends");
	CloseHandle(file);
	WIN32_FILE_ATTRIBUTE_DATA facts;
	ok(GetFileAttributesExA(PLACE "\\data.bin", GetFileExInfoStandard, &facts) && facts.nFileSizeLow == size + 3,
	   "three bytes more");

	OVERLAPPED at = { .Offset = 5, .hEvent = CreateEventA(NULL, TRUE, FALSE, NULL) };
	file = CreateFileA(PLACE "\\data.bin", GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_OVERLAPPED, NULL);
	ok(WriteFile(file, "hello", 5, NULL, &at) || GetLastError() == ERROR_IO_PENDING, "an overlapped write");
	is(WaitForSingleObject(at.hEvent, 10000), WAIT_OBJECT_0, "signals its event");
	ok(GetOverlappedResult(file, &at, &count, TRUE) && count == 5 && at.Internal == 0, "and says how much it wrote");
	memset(buffer, 'x', 10);
	at.Offset = 0;
	ok(ReadFile(file, buffer, 10, NULL, &at) && at.InternalHigh == 10 && !memcmp(buffer, "\0\0\0\0\0hello", 10),
	   "where it was told, with zeros before it");
	refused(ReadFile(file, buffer, 10, &count, NULL), ERROR_INVALID_PARAMETER, "such a handle has no position");
	CloseHandle(at.hEvent);
	CloseHandle(file);
	file = CreateFileA(PLACE "\\data.bin", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_NO_BUFFERING | FILE_FLAG_WRITE_THROUGH,
			   NULL);
	refused(WriteFile(file, model, 100, &count, NULL), ERROR_INVALID_PARAMETER, "without buffering, less than a sector");
	ok(WriteFile(file, model, 1024, &count, NULL) && count == 1024, "whole sectors are written");
	CloseHandle(file);
	ok(DeleteFileA(PLACE "\\data.bin"), "it is deleted");
}

/* Whole pages behind a file's end are written another way than the rest: the pages that they are filled into become the file's. */
static void test_whole_pages(void)
{
	static uint32_t back[5 * PAGE_BYTES / 4];
	HANDLE file = make(PLACE "\\pages.bin", CREATE_ALWAYS);
	char *buffer = VirtualAlloc(NULL, 3 * PAGE_BYTES, MEM_RESERVE, PAGE_READWRITE);
	VirtualAlloc(buffer, 2 * PAGE_BYTES, MEM_COMMIT, PAGE_READWRITE);
	for (uint32_t i = 0; i < 2 * PAGE_BYTES / 4; i++)
		((uint32_t *)buffer)[i] = i;
	DWORD count = 1;
	refused(WriteFile(file, buffer, 3 * PAGE_BYTES, &count, NULL), ERROR_NOACCESS,
		"three pages from a buffer of which two are there");
	is(count, 0, "nothing of them is written");
	is(GetFileSize(file, NULL), 0, "and the file stays empty");
	ok(WriteFile(file, buffer, 2 * PAGE_BYTES, &count, NULL) && count == 2 * PAGE_BYTES, "two pages are written");
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, 0, NULL);
	char *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	ok(view && !memcmp(view, buffer, 2 * PAGE_BYTES), "a view has them");
	buffer[0] = 77;
	ok(view && !view[0], "and not what the buffer holds later");
	SetFilePointer(file, 3 * PAGE_BYTES, NULL, FILE_BEGIN);
	ok(view && WriteFile(file, view, 2 * PAGE_BYTES, &count, NULL), "they are written from there behind a gap of a page");
	SetFilePointer(file, 0, NULL, FILE_BEGIN);
	ok(ReadFile(file, back, sizeof(back), &count, NULL) && count == sizeof(back), "all is read");
	bool right = true;
	for (uint32_t i = 0; i < sizeof(back) / 4; i++)
		right &= back[i] == (i < 2 * PAGE_BYTES / 4 ? i : i < 3 * PAGE_BYTES / 4 ? 0 : i - 3 * PAGE_BYTES / 4);
	ok(right, "it is what was written, and zeros between");
	UnmapViewOfFile(view);
	CloseHandle(section);
	CloseHandle(file);
	VirtualFree(buffer, 0, MEM_RELEASE);
	ok(DeleteFileA(PLACE "\\pages.bin"), "it is deleted");
}

static void test_directories(void)
{
	ok(CreateDirectoryA(PLACE "\\Sub Directory", NULL), "a directory is made");
	refused(CreateDirectoryA(PLACE "\\sub directory", NULL), ERROR_ALREADY_EXISTS, "the same once more");
	refused(CreateDirectoryA("C:\\nowhere\\x", NULL), ERROR_PATH_NOT_FOUND, "one below nothing");
	char path[MAX_PATH];
	bool right = true;
	for (int i = 0; i < 60; i++) {
		sprintf(path, PLACE "\\Sub Directory\\a file with a long name %d.text", i);
		right &= file_put(path, path);
	}
	ok(right, "60 files in it");
	refused(RemoveDirectoryA(PLACE "\\Sub Directory"), ERROR_DIR_NOT_EMPTY, "it is not empty");
	refused(DeleteFileA(PLACE "\\Sub Directory"), ERROR_ACCESS_DENIED, "and no file");
	WIN32_FIND_DATAA found;
	HANDLE search = FindFirstFileA(PLACE "\\Sub Directory\\*.text", &found);
	int files = 0;
	if (search != INVALID_HANDLE_VALUE)
		do { /* deleted while they are listed */
			sprintf(path, PLACE "\\Sub Directory\\%s", found.cFileName);
			right &= file_holds(path, path) && DeleteFileA(path);
			files++;
		} while (FindNextFileA(search, &found));
	FindClose(search);
	is((uint64_t)files, 60, "each is found once");
	ok(right, "with what was written, and deleted");
	ok(RemoveDirectoryA(PLACE "\\Sub Directory"), "then the directory goes");
	ok(!exists(PLACE "\\Sub Directory"), "it is gone");
}

/* The short name that a search gives for a name, "" if it gives none; NULL: it is not found. */
static const char *short_name(const char *path, FINDEX_INFO_LEVELS level)
{
	static WIN32_FIND_DATAA found;
	HANDLE search = FindFirstFileExA(path, level, &found, FindExSearchNameMatch, NULL, 0);
	FindClose(search);
	return search == INVALID_HANDLE_VALUE ? NULL : found.cAlternateFileName;
}

static bool short_is(const char *path, const char *expected)
{
	const char *name = short_name(path, FindExInfoStandard);
	return name && !strcmp(name, expected);
}

static void test_short_names(void)
{
	char path[MAX_PATH];
	WCHAR wide[MAX_PATH];
	const char *long_path = PLACE "\\A long directory\\some long name.text", *short_path = PLACE "\\ALONGD~1\\SOMELO~1.TEX";
	ok(CreateDirectoryA(PLACE "\\A long directory", NULL) && file_put(long_path, "1") &&
		   file_put(PLACE "\\A long directory\\some long names.text", "2") && file_put(PLACE "\\A long directory\\small.txt", "3"),
	   "files with long names and short ones");
	ok(short_is(PLACE "\\A long directory", "ALONGD~1"), "a search gives a directory's short name");
	ok(short_is(long_path, "SOMELO~1.TEX"), "and a file's");
	ok(short_is(PLACE "\\A long directory\\some long names.text", "SOMELO~2.TEX"), "each has its own");
	ok(short_is(PLACE "\\A long directory\\small.txt", ""), "none where the name is a short one");
	ok(short_is(short_path, "SOMELO~1.TEX") && file_holds(short_path, "1"), "by the short name it is found, too");
	const char *basic = short_name(long_path, FindExInfoBasic);
	ok(basic && !*basic, "FindExInfoBasic leaves it out");
	WIN32_FIND_DATAW found;
	HANDLE search = FindFirstFileW(L"C:\\written\\A long directory\\*~2.tex", &found);
	ok(search != INVALID_HANDLE_VALUE && !wcscmp(found.cAlternateFileName, L"SOMELO~2.TEX") &&
		   !wcscmp(found.cFileName, L"some long names.text"), "patterns are for both names");
	ok(!FindNextFileW(search, &found), "which is one file");
	FindClose(search);

	is(GetShortPathNameA(long_path, path, sizeof(path)), strlen(short_path), "GetShortPathName");
	ok(!strcmp(path, short_path), "is the path by short names: %s", path);
	is(GetLongPathNameA(short_path, path, sizeof(path)), strlen(long_path), "GetLongPathName");
	ok(!strcmp(path, long_path), "is the path by long names: %s", path);
	is(GetLongPathNameA("c:/WRITTEN/alongd~1/SMALL.TXT", path, sizeof(path)), 29 + 8, "of a name in other letters");
	ok(!strcmp(path, "c:/written/A long directory/small.txt"), "as the directories have it: %s", path);
	is(GetShortPathNameA(path, path, sizeof(path)), 29, "into the same buffer");
	is(GetShortPathNameA(long_path, path, (DWORD)strlen(short_path)), strlen(short_path) + 1, "too small by one: what is needed");
	is(GetLongPathNameW(L"C:\\", wide, MAX_PATH), 3, "the root");
	ok(!wcscmp(wide, L"C:\\"), "is what it is");
	SetLastError(0);
	refused(GetLongPathNameA(PLACE "\\none", path, sizeof(path)), ERROR_FILE_NOT_FOUND, "of a file that is not there");
	SetLastError(0);
	refused(GetShortPathNameA(PLACE "\\none\\x", path, sizeof(path)), ERROR_PATH_NOT_FOUND, "below what is not there");
	SetLastError(0);
	refused(GetLongPathNameA(PLACE "\\*", path, sizeof(path)), ERROR_INVALID_NAME, "of a pattern");
	SetLastError(0);
	refused(GetLongPathNameW(NULL, wide, MAX_PATH), ERROR_INVALID_PARAMETER, "of nothing");
	ok(DeleteFileA(short_path) && DeleteFileA(PLACE "\\ALONGD~1\\SOMELO~2.TEX") && DeleteFileA(PLACE "\\ALONGD~1\\small.txt") &&
		   RemoveDirectoryA(PLACE "\\ALONGD~1"), "deleted by their short names");
}

static void test_renames(void)
{
	ok(file_put(PLACE "\\one", "1") && file_put(PLACE "\\two", "2") && CreateDirectoryA(PLACE "\\d", NULL), "two files");
	refused(MoveFileA(PLACE "\\one", PLACE "\\two"), ERROR_ALREADY_EXISTS, "a name that is taken");
	ok(MoveFileExA(PLACE "\\one", PLACE "\\two", MOVEFILE_REPLACE_EXISTING), "unless it is to be replaced");
	ok(!exists(PLACE "\\one") && file_holds(PLACE "\\two", "1"), "then the other one is gone");
	ok(MoveFileA(PLACE "\\two", PLACE "\\TWO with a longer name"), "a longer name");
	ok(MoveFileA(PLACE "\\two WITH a longer name", PLACE "\\d\\three"), "another directory");
	ok(file_holds(PLACE "\\d\\three", "1"), "it is there");
	ok(MoveFileA(PLACE "\\d", PLACE "\\e"), "a directory is renamed");
	ok(file_holds(PLACE "\\e\\three", "1") && !exists(PLACE "\\d"), "with what is in it");
	refused(MoveFileA(PLACE "\\e", PLACE "\\e\\f"), ERROR_ACCESS_DENIED, "but not into itself");
	HANDLE file = CreateFileA(PLACE "\\e\\three", GENERIC_READ | DELETE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	refused(MoveFileA(PLACE "\\e", PLACE "\\f"), ERROR_SHARING_VIOLATION, "nor while a file in it is open");
	ok(MoveFileA(PLACE "\\e\\three", PLACE "\\four"), "an open file is renamed");
	char text[4];
	DWORD count;
	ok(ReadFile(file, text, 4, &count, NULL) && count == 1 && text[0] == '1', "its handle reads on");
	ok(DeleteFileA(PLACE "\\four"), "and it is deleted while it is open");
	refused(CreateFileA(PLACE "\\four", GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL) != INVALID_HANDLE_VALUE,
		ERROR_ACCESS_DENIED, "nobody opens it any more");
	CloseHandle(file);
	ok(!exists(PLACE "\\four") && GetLastError() == ERROR_FILE_NOT_FOUND, "with its last handle it goes");
	ok(RemoveDirectoryA(PLACE "\\e"), "the directory too");
}

static void test_sharing(void)
{
	ok(file_put(PLACE "\\shared", "abcdef"), "a file");
	HANDLE file = CreateFileA(PLACE "\\shared", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	refused(make(PLACE "\\shared", OPEN_EXISTING) != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION,
		"writing what another handle does not share");
	refused(DeleteFileA(PLACE "\\shared"), ERROR_SHARING_VIOLATION, "or deleting it");
	DWORD count;
	refused(WriteFile(file, "x", 1, &count, NULL), ERROR_ACCESS_DENIED, "writing with a handle for reading");
	CloseHandle(file);
	file = CreateFileA(PLACE "\\gone soon", GENERIC_WRITE, SHARE_ALL, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
	ok(file != INVALID_HANDLE_VALUE && exists(PLACE "\\gone soon"), "FILE_FLAG_DELETE_ON_CLOSE");
	CloseHandle(file);
	ok(!exists(PLACE "\\gone soon"), "deletes it on close");
	ok(SetFileAttributesA(PLACE "\\shared", FILE_ATTRIBUTE_READONLY), "a file is made read-only");
	is(GetFileAttributesA(PLACE "\\shared"), FILE_ATTRIBUTE_READONLY, "as its attributes say");
	refused(make(PLACE "\\shared", OPEN_EXISTING) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "it can't be written");
	refused(make(PLACE "\\shared", CREATE_ALWAYS) != INVALID_HANDLE_VALUE, ERROR_ACCESS_DENIED, "nor overwritten");
	refused(DeleteFileA(PLACE "\\shared"), ERROR_ACCESS_DENIED, "nor deleted");
	ok(SetFileAttributesA(PLACE "\\shared", FILE_ATTRIBUTE_NORMAL), "until it is not read-only any more");

	HANDLE a = CreateFileA(PLACE "\\shared", GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	HANDLE b = CreateFileA(PLACE "\\shared", GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	char text[8];
	ok(LockFile(a, 2, 0, 2, 0), "two bytes are locked");
	ok(WriteFile(b, "AB", 2, &count, NULL), "others write before them");
	refused(WriteFile(b, "CD", 2, &count, NULL), ERROR_LOCK_VIOLATION, "not there");
	refused(ReadFile(b, text, 4, &count, NULL), ERROR_LOCK_VIOLATION, "nor do they read there");
	refused(LockFile(b, 0, 0, 10, 0), ERROR_LOCK_VIOLATION, "nor lock it");
	ok(UnlockFile(a, 2, 0, 2, 0), "they are unlocked");
	ok(WriteFile(b, "CD", 2, &count, NULL), "and written");
	refused(UnlockFile(a, 2, 0, 2, 0), ERROR_NOT_LOCKED, "what is not locked");
	CloseHandle(a);
	CloseHandle(b);
	ok(file_holds(PLACE "\\shared", "ABCDef") && DeleteFileA(PLACE "\\shared"), "the file holds all of that");
}

/* A program that runs can be renamed, and its file replaced by another, but not written or deleted. */
static void test_running(void)
{
	PROCESS_INFORMATION p;
	STARTUPINFOA start = { .cb = sizeof(start) };
	char command[] = PLACE "\\runs.exe";
	ok(CopyFileA("C:\\tests\\silent.exe", PLACE "\\runs.exe", TRUE), "a program is copied");
	refused(CopyFileA("C:\\tests\\silent.exe", PLACE "\\runs.exe", TRUE), ERROR_FILE_EXISTS, "once");
	HANDLE writer = make(PLACE "\\runs.exe", OPEN_EXISTING);
	refused(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &p), ERROR_SHARING_VIOLATION,
		"it can't start while it is open for writing");
	CloseHandle(writer);
	if (!ok(CreateProcessA(NULL, command, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &start, &p), "it starts"))
		return;
	refused(make(PLACE "\\runs.exe", OPEN_EXISTING) != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION,
		"a running program can't be opened for writing");
	refused(make(PLACE "\\runs.exe", CREATE_ALWAYS) != INVALID_HANDLE_VALUE, ERROR_SHARING_VIOLATION, "nor overwritten");
	refused(DeleteFileA(PLACE "\\runs.exe"), ERROR_ACCESS_DENIED, "nor deleted");
	ok(MoveFileA(PLACE "\\runs.exe", PLACE "\\old.exe"), "it can be renamed");
	ok(file_put(PLACE "\\runs.exe", "no program"), "and another file gets its name");
	ok(ResumeThread(p.hThread) == 1 && WaitForSingleObject(p.hProcess, 60000) == WAIT_OBJECT_0, "it runs to its end");
	CloseHandle(p.hThread);
	CloseHandle(p.hProcess);
	ok(DeleteFileA(PLACE "\\old.exe") && DeleteFileA(PLACE "\\runs.exe"), "then it can be deleted");
}

static void test_library(void)
{
	char text[64] = "", path[MAX_PATH], name[MAX_PATH];
	FILE *f = fopen(PLACE "\\c.txt", "w");
	ok(f && fprintf(f, "line %d\n", 1) > 0 && !fclose(f), "fopen and fprintf");
	f = fopen(PLACE "\\c.txt", "a");
	ok(f && fputs("line 2\n", f) >= 0 && !fclose(f), "appending");
	ok(file_holds(PLACE "\\c.txt", "line 1\r\nline 2\r\n"), "lines end as text files' do");
	ok(!rename(PLACE "\\c.txt", PLACE "\\d.txt") && !remove(PLACE "\\d.txt"), "rename and remove");
	ok(GetTempPathA(sizeof(path), path) > 0 && path[strlen(path) - 1] == '\\', "GetTempPath: %s", path);
	ok(GetTempFileNameA(PLACE, "abc", 0, name) && exists(name) && DeleteFileA(name), "GetTempFileName makes one");
	ULARGE_INTEGER free_before, free_now, total;
	ok(GetDiskFreeSpaceExA("C:\\", &free_before, &total, NULL) && free_before.QuadPart < total.QuadPart,
	   "GetDiskFreeSpaceEx");
	HANDLE file = make(PLACE "\\large", CREATE_ALWAYS);
	SetFilePointer(file, 1 << 20, NULL, FILE_BEGIN);
	ok(SetEndOfFile(file), "a file of 1 MiB");
	GetDiskFreeSpaceExA("C:\\", &free_now, NULL, NULL);
	is(free_before.QuadPart - free_now.QuadPart, 1 << 20, "takes that much");
	LARGE_INTEGER huge = { .QuadPart = (LONGLONG)free_now.QuadPart + (1 << 20) + 4096 };
	SetFilePointerEx(file, huge, NULL, FILE_BEGIN);
	refused(WriteFile(file, text, 1, &(DWORD){ 0 }, NULL), ERROR_DISK_FULL, "more than there is");
	is(GetFileSize(file, NULL), 1 << 20, "then the file stays as it was");
	FILETIME time = { 0x12345678, 0x01d00000 }, back;
	ok(SetFileTime(file, NULL, NULL, &time) && GetFileTime(file, NULL, NULL, &back), "its time is set");
	ULONGLONG difference = (((ULONGLONG)time.dwHighDateTime << 32) | time.dwLowDateTime) -
			       (((ULONGLONG)back.dwHighDateTime << 32) | back.dwLowDateTime);
	ok(difference < 20000000 || -difference < 20000000, "to two seconds");
	CloseHandle(file);
	ok(DeleteFileA(PLACE "\\large"), "it is deleted");
}

/* Threads on all CPUs, each with files of its own and one that all append to. */
static DWORD WINAPI worker(void *number)
{
	char path[MAX_PATH], line[32];
	DWORD count, failures = 0;
	for (int i = 0; i < 12; i++) {
		sprintf(path, PLACE "\\thread %d file %d", (int)(INT_PTR)number, i);
		failures += !file_put(path, path) + !file_holds(path, path);
		HANDLE file = CreateFileA(PLACE "\\all", FILE_APPEND_DATA, SHARE_ALL, NULL, OPEN_ALWAYS, 0, NULL);
		sprintf(line, "%7d\n", (int)(INT_PTR)number);
		failures += !WriteFile(file, line, 8, &count, NULL);
		CloseHandle(file);
		failures += !DeleteFileA(path);
	}
	return failures;
}

static void test_threads(void)
{
	HANDLE threads[4];
	DWORD failures = 0, code;
	for (int i = 0; i < 4; i++)
		threads[i] = CreateThread(NULL, 0, worker, (void *)(INT_PTR)i, 0, NULL);
	WaitForMultipleObjects(4, threads, TRUE, INFINITE);
	for (int i = 0; i < 4; i++) {
		GetExitCodeThread(threads[i], &code);
		failures += code;
		CloseHandle(threads[i]);
	}
	is(failures, 0, "4 threads make and delete files");
	HANDLE file = CreateFileA(PLACE "\\all", GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	is(GetFileSize(file, NULL), 4 * 12 * 8, "and append to one, each line once");
	CloseHandle(file);
	ok(DeleteFileA(PLACE "\\all"), "it is deleted");
}

static void all(void)
{
	SetLastError(0);
	ok(CreateDirectoryA(PLACE, NULL), "a directory for the test (error %lu)", GetLastError());
	test_dispositions();
	test_contents();
	test_whole_pages();
	test_directories();
	test_short_names();
	test_renames();
	test_sharing();
	test_running();
	test_library();
	test_threads();
	ok(RemoveDirectoryA(PLACE), "nothing is left in it (error %lu)", GetLastError());
}

int main(void)
{
	all();
	return leaks_none_and_end(all, 0);
}
