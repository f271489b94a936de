/* touch: makes files, or makes them new. */
#include "file_tool.h"

static const char usage[] = "usage: touch FILE...\n"
			    "Makes empty files; of those that exist the time of the last change becomes now.\n";

static bool change(const char *path)
{
	FILETIME now;
	HANDLE file = CreateFileA(path, FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
				  OPEN_ALWAYS, FILE_FLAG_BACKUP_SEMANTICS, NULL);
	GetSystemTimeAsFileTime(&now);
	bool done = file != INVALID_HANDLE_VALUE && SetFileTime(file, NULL, &now, &now);
	DWORD error = GetLastError();
	if (file != INVALID_HANDLE_VALUE)
		CloseHandle(file);
	SetLastError(error);
	return done;
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	return file_change_each("touch", usage, "", &options, argc, argv, change);
}
