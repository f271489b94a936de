/* mv: renames files and directories. */
#include "file_tool.h"

static const char usage[] = "usage: mv FROM TO\n"
			    "       mv FROM... DIRECTORY\n"
			    "Gives files and directories another name or place; a file that has the name\n"
			    "already is replaced.\n";

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "mv", NULL, NULL);
	if (argc < 3)
		return tool_usage(usage, "mv", "two names are needed at least", NULL);
	const char *to = argv[argc - 1];
	/* A directory may get other letters' case: then it does not go into itself. */
	bool into = file_is_directory(to) && (argc > 3 || _stricmp(argv[1], to));
	if (argc > 3 && !into)
		return tool_fail("mv", to, GetFileAttributesA(to) == INVALID_FILE_ATTRIBUTES ? GetLastError() : ERROR_DIRECTORY);
	for (int i = 1; i < argc - 1; i++) {
		char path[MAX_PATH];
		if (into && !file_path_join("mv", path, to, file_last_part(argv[i]))) {
			result = TOOL_FAILED;
			continue;
		}
		if (!MoveFileExA(argv[i], into ? path : to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_COPY_ALLOWED))
			result |= tool_fail("mv", argv[i], GetLastError());
	}
	return result;
}
