/* cp: copies files and directories. */
#include "file_tool.h"

static const char usage[] = "usage: cp [-r] FROM TO\n"
			    "       cp [-r] FROM... DIRECTORY\n"
			    "Copies files; what has the name already is overwritten.\n"
			    "  -r   directories too, with all that is in them\n";

static bool recursive;

static int copy(const char *from, const char *to);

/* context: the directory that it goes to. */
static int copy_into(const char *from, void *context)
{
	char to[MAX_PATH];
	return file_path_join("cp", to, context, file_last_part(from)) ? copy(from, to) : TOOL_FAILED;
}

static int copy(const char *from, const char *to)
{
	if (file_same(from, to, false) && GetFileAttributesA(from) != INVALID_FILE_ATTRIBUTES) {
		fprintf(stderr, "cp: %s and %s are the same\n", from, to);
		return TOOL_FAILED;
	}
	if (!file_is_directory(from))
		return CopyFileA(from, to, FALSE) ? TOOL_OK : file_fail_two("cp", from, to, GetLastError());
	if (!recursive) {
		fprintf(stderr, "cp: %s is a directory; -r copies it\n", from);
		return TOOL_FAILED;
	}
	if (file_same(from, to, true)) {
		fprintf(stderr, "cp: %s can't be copied into itself\n", from);
		return TOOL_FAILED;
	}
	if (!CreateDirectoryA(to, NULL) && GetLastError() != ERROR_ALREADY_EXISTS)
		return tool_fail("cp", to, GetLastError());
	return file_each_in("cp", from, copy_into, (void *)to);
}

int main(int argc, char **argv)
{
	int first, result = TOOL_OK;
	unsigned int options = 0;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "cp", NULL, NULL);
	first = tool_options("cp", usage, "r", argc, argv, &options);
	if (!first)
		return TOOL_USAGE;
	recursive = options;
	if (argc - first < 2)
		return tool_usage(usage, "cp", "two names are needed at least", NULL);
	char *to = argv[argc - 1];
	bool into = file_is_directory(to);
	if (argc - first > 2 && !into)
		return tool_fail("cp", to, GetFileAttributesA(to) == INVALID_FILE_ATTRIBUTES ? GetLastError() : ERROR_DIRECTORY);
	for (int i = first; i < argc - 1; i++)
		result |= into ? copy_into(argv[i], to) : copy(argv[i], to);
	return result;
}
