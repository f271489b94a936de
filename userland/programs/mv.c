/* mv: renames files and directories. */
#include "file_tool.h"

static const char usage[] = "usage: mv FROM TO\n"
			    "       mv FROM... DIRECTORY\n"
			    "Gives files and directories another name or place; a file that has the name\n"
			    "already is replaced.\n";

static int move(const char *from, const char *to)
{
	if (file_is_directory(from) && file_same(from, to, true)) {
		fprintf(stderr, "mv: %s can't be moved into itself\n", from);
		return TOOL_FAILED;
	}
	if (MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_COPY_ALLOWED))
		return TOOL_OK;
	return file_fail_two("mv", from, to, GetLastError());
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	int result = TOOL_OK, first;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "mv", NULL, NULL);
	first = tool_options("mv", usage, "", argc, argv, &options);
	if (!first)
		return TOOL_USAGE;
	if (argc - first < 2)
		return tool_usage(usage, "mv", "two names are needed at least", NULL);
	const char *to = argv[argc - 1];
	/* A directory may get other letters' case: then it does not go into itself. */
	bool into = file_is_directory(to) && (argc - first > 2 || _stricmp(argv[first], to));
	if (argc - first > 2 && !into)
		return tool_fail("mv", to, GetFileAttributesA(to) == INVALID_FILE_ATTRIBUTES ? GetLastError() : ERROR_DIRECTORY);
	for (int i = first; i < argc - 1; i++) {
		char path[MAX_PATH];
		if (into && !file_path_join("mv", path, to, file_last_part(argv[i]))) {
			result = TOOL_FAILED;
			continue;
		}
		result |= move(argv[i], into ? path : to);
	}
	return result;
}
