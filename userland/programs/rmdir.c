/* rmdir: removes empty directories. */
#include "file_tool.h"

static const char usage[] = "usage: rmdir DIRECTORY...\n"
			    "Removes directories that are empty.\n";

static bool change(const char *path)
{
	return RemoveDirectoryA(path);
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	return file_change_each("rmdir", usage, "", &options, argc, argv, change);
}
