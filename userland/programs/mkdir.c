/* mkdir: makes directories. */
#include "tool.h"

static const char usage[] = "usage: mkdir DIRECTORY...\n"
			    "Makes directories.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "mkdir", NULL, NULL);
	if (argc == 1)
		return tool_usage(usage, "mkdir", "a name is needed", NULL);
	for (int i = 1; i < argc; i++)
		if (!CreateDirectoryA(argv[i], NULL))
			result |= tool_fail("mkdir", argv[i], GetLastError());
	return result;
}
