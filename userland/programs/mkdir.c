/* mkdir: makes directories. */
#include "file_tool.h"

static const char usage[] = "usage: mkdir DIRECTORY...\n"
			    "Makes directories.\n";

static bool change(const char *path)
{
	return CreateDirectoryA(path, NULL);
}

int main(int argc, char **argv)
{
	return file_change_each("mkdir", usage, argc, argv, change);
}
