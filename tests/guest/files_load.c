/*
 * For tests/scenarios/test_files.py, which takes the power away: "files_load flush" writes through a view and says when it is on
 * the disk; "files_load append" writes files that grow and never hold anything but the numbers of their 32-bit words.
 */
#include "guest.h"

#define PLACE "C:\\load"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define FLUSHED 300000u /* words */
#define FILES 12u
#define WORDS_MAX 200000u

static HANDLE file_open(unsigned int number, DWORD disposition)
{
	char path[64];
	snprintf(path, sizeof(path), PLACE "\\file-%u.bin", number);
	return CreateFileA(path, GENERIC_READ | GENERIC_WRITE, SHARE_ALL, NULL, disposition, 0, NULL);
}

static int flush(void)
{
	HANDLE file = file_open(0, CREATE_ALWAYS);
	HANDLE section = CreateFileMappingA(file, NULL, PAGE_READWRITE, 0, FLUSHED * 4, NULL);
	uint32_t *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
	if (!view)
		return 1;
	for (uint32_t i = 0; i < FLUSHED; i++)
		view[i] = i;
	if (!FlushViewOfFile(view, 0) || !FlushFileBuffers(file))
		return 1;
	printf("flushed\n");
	fflush(stdout);
	Sleep(INFINITE);
	return 0;
}

/* The words from the file's end on. */
static bool append(HANDLE file, uint32_t words)
{
	static uint32_t buffer[20000];
	LARGE_INTEGER size;
	DWORD count;
	GetFileSizeEx(file, &size);
	for (uint32_t i = 0; i < words; i++)
		buffer[i] = (uint32_t)(size.QuadPart / 4) + i;
	SetFilePointer(file, 0, NULL, FILE_END);
	return WriteFile(file, buffer, words * 4, &count, NULL) && count == words * 4;
}

static int append_for_ever(void)
{
	for (uint64_t round = 0;; round++) {
		unsigned int number = (unsigned int)(random_next() % FILES);
		HANDLE file = file_open(number, OPEN_ALWAYS);
		LARGE_INTEGER size;
		if (file == INVALID_HANDLE_VALUE || !GetFileSizeEx(file, &size))
			return 1;
		if (size.QuadPart / 4 > WORDS_MAX) {
			/* Shorter, or gone; what comes next gets its clusters. */
			SetFilePointer(file, (LONG)(random_next() % 3000) * 4, NULL, FILE_BEGIN);
			if (round % 2 && !SetEndOfFile(file))
				return 1;
			CloseHandle(file);
			char path[64];
			snprintf(path, sizeof(path), PLACE "\\file-%u.bin", number);
			if (!(round % 2) && !DeleteFileA(path))
				return 1;
			continue;
		}
		if (!append(file, (uint32_t)(random_next() % 20000)))
			return 1;
		if (random_next() % 16 == 0 && !FlushFileBuffers(file))
			return 1;
		/* Its entry is written soon, what was appended perhaps not yet. */
		BY_HANDLE_FILE_INFORMATION facts;
		if (!GetFileInformationByHandle(file, &facts) || !SetFileTime(file, NULL, NULL, &facts.ftLastWriteTime))
			return 1;
		CloseHandle(file);
		if (round % 100 == 99) {
			printf("round %llu\n", (unsigned long long)round + 1);
			fflush(stdout);
		}
		Sleep(2);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	CreateDirectoryA(PLACE, NULL);
	if (argc > 2)
		random_state = strtoull(argv[2], NULL, 0) * 2 + 1;
	return !strcmp(argv[1], "flush") ? flush() : append_for_ever();
}
