/* touch: makes files, or makes them new. */
#include "tool.h"

static const char usage[] = "usage: touch FILE...\n"
			    "Makes empty files; of those that exist the time of the last change becomes now.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	FILETIME now;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "touch", NULL, NULL);
	if (argc == 1)
		return tool_usage(usage, "touch", "a name is needed", NULL);
	GetSystemTimeAsFileTime(&now);
	for (int i = 1; i < argc; i++) {
		HANDLE file = CreateFileA(argv[i], FILE_WRITE_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
					  NULL, OPEN_ALWAYS, FILE_FLAG_BACKUP_SEMANTICS, NULL);
		if (file == INVALID_HANDLE_VALUE || !SetFileTime(file, NULL, &now, &now))
			result |= tool_fail("touch", argv[i], GetLastError());
		if (file != INVALID_HANDLE_VALUE)
			CloseHandle(file);
	}
	return result;
}
