/* df: how much room there is on the volume. */
#include "tool.h"

static const char usage[] = "usage: df\n"
			    "Shows how large the volume is, and how much of it is free.\n";

int main(int argc, char **argv)
{
	DWORD sectors, bytes, free, total;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "df", NULL, NULL);
	if (argc > 1)
		return tool_usage(usage, "df", "no argument is expected", argv[1]);
	if (!GetDiskFreeSpaceA("C:\\", &sectors, &bytes, &free, &total))
		return tool_fail("df", "C:\\", GetLastError());
	uint64_t cluster = (uint64_t)sectors * bytes;
	printf("VOLUME       SIZE        USED        FREE  USED  CLUSTER\n");
	printf("C:     %10s  %10s  %10s  %3u%%  %s\n", tool_size(total * cluster), tool_size((total - free) * cluster),
	       tool_size(free * cluster), (unsigned int)((total - free) * 100ull / (total ? total : 1)), tool_size(cluster));
	return TOOL_OK;
}
