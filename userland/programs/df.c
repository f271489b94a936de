/* df: how much room there is on the volumes. */
#include "file_tool.h"
#include <ctype.h>

static const char usage[] = "usage: df [PATH]...\n"
			    "Shows how large each volume is, or those of the PATHs, and how much of it is free.\n";

static int show(char letter)
{
	char root[] = "A:\\";
	DWORD sectors, bytes, free, total;
	root[0] = letter;
	if (!GetDiskFreeSpaceA(root, &sectors, &bytes, &free, &total))
		return tool_fail("df", root, GetLastError());
	uint64_t cluster = (uint64_t)sectors * bytes;
	printf("%c:     %10s  %10s  %10s  %3u%%  %s\n", letter, tool_size(total * cluster), tool_size((total - free) * cluster),
	       tool_size(free * cluster), (unsigned int)((total - free) * 100ull / (total ? total : 1)), tool_size(cluster));
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	int result = TOOL_OK, first;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "df", NULL, NULL);
	first = tool_options("df", usage, "", argc, argv, &options);
	if (!first)
		return TOOL_USAGE;
	printf("VOLUME       SIZE        USED        FREE  USED  CLUSTER\n");
	for (DWORD drives = GetLogicalDrives(), i = 0; first == argc && i < 26; i++)
		if (drives & 1u << i)
			result |= show((char)('A' + i));
	for (int i = first; i < argc; i++) {
		char path[MAX_PATH];
		if (!GetFullPathNameA(argv[i], sizeof(path), path, NULL) || GetFileAttributesA(path) == INVALID_FILE_ATTRIBUTES)
			result |= tool_fail("df", argv[i], GetLastError());
		else
			result |= show((char)toupper(path[0]));
	}
	return result;
}
