/* df: how much room there is on the volumes. */
#include "tool.h"

static const char usage[] = "usage: df\n"
			    "Shows how large each volume is, and how much of it is free.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "df", NULL, NULL);
	if (argc > 1)
		return tool_usage(usage, "df", "no argument is expected", argv[1]);
	printf("VOLUME       SIZE        USED        FREE  USED  CLUSTER\n");
	for (DWORD drives = GetLogicalDrives(), i = 0; i < 26; i++) {
		char root[] = "A:\\";
		DWORD sectors, bytes, free, total;
		if (!(drives & 1u << i))
			continue;
		root[0] = (char)('A' + i);
		if (!GetDiskFreeSpaceA(root, &sectors, &bytes, &free, &total)) {
			result |= tool_fail("df", root, GetLastError());
			continue;
		}
		uint64_t cluster = (uint64_t)sectors * bytes;
		printf("%c:     %10s  %10s  %10s  %3u%%  %s\n", root[0], tool_size(total * cluster),
		       tool_size((total - free) * cluster), tool_size(free * cluster),
		       (unsigned int)((total - free) * 100ull / (total ? total : 1)), tool_size(cluster));
	}
	return result;
}
