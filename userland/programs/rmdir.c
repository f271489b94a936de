/* rmdir: removes empty directories. */
#include "tool.h"

static const char usage[] = "usage: rmdir DIRECTORY...\n"
			    "Removes directories that are empty.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "rmdir", NULL, NULL);
	if (argc == 1)
		return tool_usage(usage, "rmdir", "a name is needed", NULL);
	for (int i = 1; i < argc; i++)
		if (!RemoveDirectoryA(argv[i]))
			result |= tool_fail("rmdir", argv[i], GetLastError());
	return result;
}
