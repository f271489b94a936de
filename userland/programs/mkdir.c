/* mkdir: makes directories. */
#include "file_tool.h"

static const char usage[] = "usage: mkdir [-p] DIRECTORY...\n"
			    "Makes directories.\n"
			    "  -p   those that they are to be in too; one that exists is no error\n";

static unsigned int parents;

static bool make(const char *path)
{
	if (CreateDirectoryA(path, NULL))
		return true;
	if (!parents || GetLastError() != ERROR_ALREADY_EXISTS)
		return false;
	SetLastError(ERROR_DIRECTORY);
	return file_is_directory(path);
}

static bool change(const char *path)
{
	char part[MAX_PATH];
	for (size_t i = 1; parents && path[i] && i < sizeof(part); i++) {
		snprintf(part, i + 1, "%s", path);
		/* Not of a drive, or of its root: that is there, or not. */
		if (strchr("\\/", path[i]) && !strchr("\\/:", path[i - 1]) && !make(part))
			return false;
	}
	return make(path);
}

int main(int argc, char **argv)
{
	return file_change_each("mkdir", usage, "p", &parents, argc, argv, change);
}
