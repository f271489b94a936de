/* cat: writes files, or its input, to its output. */
#include "tool.h"

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
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "cat", NULL, NULL);
	if (argc == 1)
		return copy(GetStdHandle(STD_INPUT_HANDLE), "input");
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-")) {
			result |= copy(GetStdHandle(STD_INPUT_HANDLE), "input");
			continue;
		}
		HANDLE file = CreateFileA(argv[i], GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
					  NULL, OPEN_EXISTING, 0, NULL);
		if (file == INVALID_HANDLE_VALUE) {
			result |= tool_fail("cat", argv[i], GetLastError());
			continue;
		}
		result |= copy(file, argv[i]);
		CloseHandle(file);
	}
	return result;
}
