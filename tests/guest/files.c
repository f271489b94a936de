/*
 * Reading files and directories. The host puts C:\data on the volume: numbers.bin (1 MiB: the 32-bit numbers 0, 1, 2,
 * ...),
 * empty.txt, hello.txt ("Hello, file.\n"), "A long name with blanks, and more than eight letters.text",
 * deep\er\and\deeper\ bottom.txt, many\ with 300 files file-000.txt to file-299.txt that hold their own names.
 */
#include "guest.h"

#define DIRECTORY "C:\\data"
#define NUMBERS 262144u

static HANDLE open_file(const char *path)
{
	SetLastError(0);
	return CreateFileA(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
}

/* Reads a whole small file; false: it can't be opened or read. */
static bool read_small(const char *path, char *text, DWORD size)
{
	DWORD count = 0;
	HANDLE file = open_file(path);
	bool so = file != INVALID_HANDLE_VALUE && ReadFile(file, text, size - 1, &count, NULL);
	text[count] = 0;
	CloseHandle(file);
	return so;
}

static void test_contents(void)
{
	static uint32_t buffer[16384];
	HANDLE file = open_file(DIRECTORY "\\numbers.bin");
	if (!ok(file != INVALID_HANDLE_VALUE, "a file of 1 MiB is opened"))
		return;
	is(GetFileSize(file, NULL), NUMBERS * 4, "its size");
	DWORD count = 1, next = 0;
	bool right = true;
	while (ReadFile(file, buffer, sizeof(buffer), &count, NULL) && count > 0)
		for (DWORD i = 0; i < count / 4; i++)
			right &= buffer[i] == next++;
	ok(right && next == NUMBERS, "read in pieces of 64 KiB, it holds what it should");
	ok(ReadFile(file, buffer, 4, &count, NULL) && count == 0, "a read at its end gives 0 bytes");

	right = true;
	for (int i = 0; i < 200; i++) {
		DWORD offset = (DWORD)(random_next() % (NUMBERS * 4 - 5000)), size = (DWORD)(random_next() % 5000);
		unsigned char *bytes = (unsigned char *)buffer;
		SetFilePointer(file, (LONG)offset, NULL, FILE_BEGIN);
		right &= ReadFile(file, bytes, size, &count, NULL) && count == size;
		for (DWORD n = 0; n < size; n++)
			right &= bytes[n] == (unsigned char)((offset + n) / 4 >> (offset + n) % 4 * 8);
	}
	ok(right, "200 reads at random places, of random sizes, are right to the byte");
	is(SetFilePointer(file, -4, NULL, FILE_END), NUMBERS * 4 - 4, "SetFilePointer from the end");
	ok(ReadFile(file, buffer, 100, &count, NULL) && count == 4 && buffer[0] == NUMBERS - 1,
	   "a read over the end gives what is there");
	CloseHandle(file);

	char text[64];
	ok(read_small(DIRECTORY "\\hello.txt", text, sizeof(text)) && !strcmp(text, "Hello, file.\n"), "a small file");
	ok(read_small(DIRECTORY "\\empty.txt", text, sizeof(text)) && text[0] == 0, "an empty file");
}

static void test_names(void)
{
	char text[64];
	ok(read_small(DIRECTORY "\\A long name with blanks, and more than eight letters.text", text, sizeof(text)),
	   "a long name");
	ok(read_small("c:/DATA/HELLO.TXT", text, sizeof(text)) && text[0] == 'H',
	   "other case, and slashes the other way");
	ok(read_small(DIRECTORY "\\deep\\er\\and\\deeper\\bottom.txt", text, sizeof(text)), "a deep directory");
	ok(read_small(DIRECTORY "\\deep\\..\\.\\hello.txt", text, sizeof(text)), ". and .. in a path");
	SetCurrentDirectoryA(DIRECTORY "\\deep");
	ok(read_small("er\\and\\..\\..\\..\\hello.txt", text, sizeof(text)), "a relative path");
	SetCurrentDirectoryA("C:\\");
	refused(open_file(DIRECTORY "\\nothing.txt") != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND,
		"a file that is not there");
	refused(open_file(DIRECTORY "\\nowhere\\x.txt") != INVALID_HANDLE_VALUE, ERROR_PATH_NOT_FOUND,
		"a directory that is not there");
	refused(open_file(DIRECTORY "\\hello.txt\\x") != INVALID_HANDLE_VALUE, ERROR_PATH_NOT_FOUND,
		"a file taken for a directory");
	refused(open_file(DIRECTORY "\\a|b") != INVALID_HANDLE_VALUE, ERROR_INVALID_NAME, "a name that is not valid");
	ok(open_file(DIRECTORY) == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED,
	   "a directory opened as a file");
	is(GetFileAttributesA(DIRECTORY), FILE_ATTRIBUTE_DIRECTORY, "attributes of a directory");
	ok(!(GetFileAttributesA(DIRECTORY "\\hello.txt") & FILE_ATTRIBUTE_DIRECTORY), "attributes of a file");
	SetLastError(0);
	refused(GetFileAttributesA(DIRECTORY "\\nothing") != INVALID_FILE_ATTRIBUTES, ERROR_FILE_NOT_FOUND,
		"attributes of what is not there");
}

static void test_directory(void)
{
	WIN32_FIND_DATAA found;
	bool seen[300] = { false }, right = true;
	int files = 0;
	HANDLE search = FindFirstFileA(DIRECTORY "\\many\\*", &found);
	if (!ok(search != INVALID_HANDLE_VALUE, "a directory is listed"))
		return;
	do {
		int number;
		if (sscanf(found.cFileName, "file-%d.txt", &number) != 1)
			continue;
		right &= number >= 0 && number < 300 && !seen[number] && found.nFileSizeLow == 12;
		seen[number] = true;
		files++;
	} while (FindNextFileA(search, &found));
	is(GetLastError(), ERROR_NO_MORE_FILES, "to its end");
	FindClose(search);
	refused(FindNextFileA(INVALID_HANDLE_VALUE, &found), ERROR_INVALID_HANDLE, "the next one of no search");
	refused(FindClose(INVALID_HANDLE_VALUE), ERROR_INVALID_HANDLE, "the end of none");
	is((uint64_t)files, 300, "all of its 300 files");
	ok(right, "each once, with its size");
	search = FindFirstFileA(DIRECTORY "\\many\\file-29?.txt", &found);
	for (files = search != INVALID_HANDLE_VALUE; files && FindNextFileA(search, &found);)
		files++;
	FindClose(search);
	is((uint64_t)files, 10, "a pattern picks 10 of them");
	SetLastError(0);
	refused(FindFirstFileA(DIRECTORY "\\many\\x*", &found) != INVALID_HANDLE_VALUE, ERROR_FILE_NOT_FOUND,
		"a pattern that nothing matches");
	char text[64], path[MAX_PATH], name[32];
	right = true;
	for (int i = 0; i < 300; i += 37) {
		sprintf(name, "file-%03d.txt", i);
		sprintf(path, DIRECTORY "\\many\\%s", name);
		right &= read_small(path, text, sizeof(text)) && !strcmp(text, name);
	}
	ok(right, "they hold what they should");
}

/* How many names a pattern finds, those of directories included. */
static int found_by(const char *pattern)
{
	WIN32_FIND_DATAA found;
	char path[MAX_PATH];
	int count = 0;
	sprintf(path, DIRECTORY "\\%s", pattern);
	HANDLE search = FindFirstFileA(path, &found);
	if (search == INVALID_HANDLE_VALUE)
		return 0;
	do
		count++;
	while (FindNextFileA(search, &found));
	FindClose(search);
	return count;
}

static void test_patterns(void)
{
	is(found_by("*.*"), found_by("*"), "\"*.*\" means all names");
	is(found_by("HELLO.*"), 1, "case does not matter");
	is(found_by("hello?.txt"), 1, "? may match nothing before a dot");
	is(found_by("hell?.txt"), 1, "or one character");
	is(found_by("hel?.txt"), 0, "not two");
	is(found_by("many.*"), 1, "\".*\" matches a name without a dot");
	is(found_by("*."), 2, "\"*.\" is what has no suffix: two directories");
	is(found_by("alongn~1.te?"), 1, "short names are compared too");
	is(found_by("many\\file-*9.t?t"), 30, "in a directory");

	/* The native call: a pattern stays with the handle. */
	HANDLE directory = CreateFileA(DIRECTORY "\\many", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING,
				       FILE_FLAG_BACKUP_SEMANTICS, NULL);
	static BYTE buffer[65536];
	UNICODE_STRING pattern, other;
	IO_STATUS_BLOCK io;
	RtlInitUnicodeString(&pattern, L"FILE-00<");
	RtlInitUnicodeString(&other, L"x*");
	is((uint32_t)NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io, buffer, sizeof(buffer), FileDirectoryInformation, TRUE,
					  &pattern, FALSE), (uint32_t)STATUS_NO_SUCH_FILE, "\"<\" does not go beyond the last dot");
	RtlInitUnicodeString(&pattern, L"FILE-00>\"TXT");
	int count = 0;
	for (BOOLEAN restart = TRUE;; restart = FALSE, count++)
		if (NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io, buffer, sizeof(buffer), FileDirectoryInformation, TRUE,
					 restart ? &pattern : &other, restart))
			break;
	is((uint64_t)count, 10, "a restart brings another pattern, which stays");
	RtlInitUnicodeString(&pattern, L"a\\b");
	is((uint32_t)NtQueryDirectoryFile(directory, NULL, NULL, NULL, &io, buffer, sizeof(buffer), FileDirectoryInformation, TRUE,
					  &pattern, TRUE), (uint32_t)STATUS_OBJECT_NAME_INVALID, "a pattern is no path");
	CloseHandle(directory);
}

static void test_library(void)
{
	char text[64];
	FILE *f = fopen(DIRECTORY "\\hello.txt", "r");
	ok(f && fgets(text, sizeof(text), f) && !strcmp(text, "Hello, file.\n") && !fgets(text, sizeof(text), f),
	   "fopen and fgets");
	if (f)
		fclose(f);
	ok(fopen(DIRECTORY "\\nothing.txt", "r") == NULL, "fopen of what is not there");
}

static void all(void)
{
	test_contents();
	test_names();
	test_directory();
	test_patterns();
	test_library();
}

int main(void)
{
	all();
	return leaks_none_and_end(all, 0);
}
