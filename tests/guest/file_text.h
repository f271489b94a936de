/* Small files of text, whole. */
#ifndef FILE_TEXT_H
#define FILE_TEXT_H

#include "tap.h"

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static inline bool file_put(const char *path, const char *text)
{
	DWORD count = 0;
	HANDLE file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
	bool so = file != INVALID_HANDLE_VALUE && WriteFile(file, text, (DWORD)strlen(text), &count, NULL) &&
		  count == strlen(text);
	CloseHandle(file);
	return so;
}

static inline bool file_holds(const char *path, const char *text)
{
	char buffer[256];
	DWORD count = 0;
	HANDLE file = CreateFileA(path, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
	bool so = file != INVALID_HANDLE_VALUE && ReadFile(file, buffer, sizeof(buffer), &count, NULL);
	CloseHandle(file);
	return so && count == strlen(text) && !memcmp(buffer, text, count);
}

#endif
