/* sync: all changes reach the disk. */
#include "tool.h"

static const char usage[] = "usage: sync\n"
			    "Returns when all that was written to files is on the disk itself.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "sync", NULL, NULL);
	if (argc > 1)
		return tool_usage(usage, "sync", "no argument is expected", argv[1]);
	for (DWORD drives = GetLogicalDrives(), i = 0; i < 26; i++) {
		char path[] = "A:\\";
		if (!(drives & 1u << i))
			continue;
		path[0] = (char)('A' + i);
		/* A directory of the volume stands for all of it. */
		HANDLE root = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
					  OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
		if (root == INVALID_HANDLE_VALUE || !FlushFileBuffers(root))
			result |= tool_fail("sync", path, GetLastError());
		CloseHandle(root);
	}
	return result;
}
