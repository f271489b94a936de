/* cat: writes files, or its input, to its output. */
#include "file_tool.h"

static const char usage[] =
	"usage: cat [FILE]...\n"
	"Writes the files one after the other; without a FILE (or for -) what is typed,\n"
	"to Ctrl-D.\n";

static int copy(HANDLE from, const char *name)
{
	static char buffer[16384];
	HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
	for (;;) {
		DWORD count = 0, written = 0;
		if (!ReadFile(from, buffer, sizeof(buffer), &count, NULL))
			return GetLastError() == ERROR_HANDLE_EOF || GetLastError() == ERROR_BROKEN_PIPE
				       ? TOOL_OK
				       : tool_fail("cat", name, GetLastError());
		if (count == 0)
			return TOOL_OK;
		for (DWORD done = 0; done < count; done += written)
			if (!WriteFile(out, buffer + done, count - done, &written, NULL) || written == 0)
				return tool_fail("cat", "output", GetLastError());
	}
}

int main(int argc, char **argv)
{
	unsigned int options = 0;
	int result = TOOL_OK, i;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "cat", NULL, NULL);
	i = tool_options("cat", usage, "", argc, argv, &options);
	if (!i)
		return TOOL_USAGE;
	if (i == argc)
		return copy(GetStdHandle(STD_INPUT_HANDLE), "input");
	for (; i < argc; i++) {
		if (!strcmp(argv[i], "-")) {
			result |= copy(GetStdHandle(STD_INPUT_HANDLE), "input");
			continue;
		}
		HANDLE file = file_open_to_read("cat", argv[i]);
		if (file == INVALID_HANDLE_VALUE) {
			result |= TOOL_FAILED;
			continue;
		}
		result |= copy(file, argv[i]);
		CloseHandle(file);
	}
	return result;
}
