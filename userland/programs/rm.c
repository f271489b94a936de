/* rm: deletes files and directories. */
#include "file_tool.h"

static const char usage[] = "usage: rm [-r] [-f] PATH...\n"
			    "Deletes files.\n"
			    "  -r   directories too, with all that is in them\n"
			    "  -f   files that are read-only too; what is not there is no error\n";

static bool recursive, force;

static int delete(const char *path, void *context)
{
	DWORD attributes = GetFileAttributesA(path);
	(void)context;
	if (attributes == INVALID_FILE_ATTRIBUTES)
		return force && GetLastError() == ERROR_FILE_NOT_FOUND ? TOOL_OK : tool_fail("rm", path, GetLastError());
	if (force && (attributes & FILE_ATTRIBUTE_READONLY))
		SetFileAttributesA(path, attributes & ~(DWORD)FILE_ATTRIBUTE_READONLY);
	if (!(attributes & FILE_ATTRIBUTE_DIRECTORY))
		return DeleteFileA(path) ? TOOL_OK : tool_fail("rm", path, GetLastError());
	if (!recursive) {
		fprintf(stderr, "rm: %s is a directory; -r deletes it with all that is in it, rmdir if it is empty\n", path);
		return TOOL_FAILED;
	}
	if (file_each_in("rm", path, delete, NULL) != TOOL_OK)
		return TOOL_FAILED;
	return RemoveDirectoryA(path) ? TOOL_OK : tool_fail("rm", path, GetLastError());
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	int i, result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "rm", NULL, NULL);
	i = tool_options("rm", usage, "rf", argc, argv, &options);
	if (!i)
		return TOOL_USAGE;
	recursive = options & 1;
	force = options & 2;
	if (i == argc)
		return tool_usage(usage, "rm", "a name is needed", NULL);
	for (; i < argc; i++)
		result |= delete(argv[i], NULL);
	return result;
}
