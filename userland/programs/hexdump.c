/* hexdump: the bytes of files, or of its input. */
#include "file_tool.h"

static const char usage[] = "usage: hexdump [FILE [OFFSET [COUNT]]]\n"
			    "Shows a file's bytes from OFFSET on; both numbers as 100, 0x64, 4K. Without a FILE\n"
			    "(or for -) what is typed, to Ctrl-D, or comes through a pipe.\n";

static unsigned char bytes[4096];

/* Reads until so many bytes have come (at most all of bytes), or no more do; *count: how many. False: the last error says why. */
static bool fill(HANDLE file, uint64_t want, DWORD *count)
{
	DWORD got;
	for (*count = 0; *count < want && *count < sizeof(bytes); *count += got) {
		DWORD left = want - *count < sizeof(bytes) - *count ? (DWORD)(want - *count) : (DWORD)(sizeof(bytes) - *count);
		if (!ReadFile(file, bytes + *count, left, &got, NULL))
			return GetLastError() == ERROR_HANDLE_EOF || GetLastError() == ERROR_BROKEN_PIPE;
		if (!got)
			break;
	}
	return true;
}

/* What has no position is read up to there. */
static bool skip(HANDLE file, uint64_t offset)
{
	LARGE_INTEGER from = { .QuadPart = (LONGLONG)offset };
	DWORD count = 1;
	if (GetFileType(file) == FILE_TYPE_DISK)
		return SetFilePointerEx(file, from, NULL, FILE_BEGIN);
	for (; offset && count; offset -= count)
		if (!fill(file, offset, &count))
			return false;
	return true;
}

static void show(uint64_t offset, DWORD count)
{
	for (DWORD line = 0; line < count; line += 16) {
		DWORD end = count - line < 16 ? count - line : 16;
		printf("%08llx ", (unsigned long long)(offset + line));
		for (DWORD i = 0; i < 16; i++)
			printf(i < end ? " %02x" : "   ", bytes[(line + i) % sizeof(bytes)]);
		printf("  ");
		for (DWORD i = 0; i < end; i++)
			putchar(bytes[line + i] >= ' ' && bytes[line + i] < 0x7f ? bytes[line + i] : '.');
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	uint64_t numbers[2] = { 0, ~0ull };
	const char *name = "input";
	HANDLE file = GetStdHandle(STD_INPUT_HANDLE);
	unsigned int options = 0;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "hexdump", NULL, NULL);
	int first = tool_options("hexdump", usage, "", argc, argv, &options);
	if (!first)
		return TOOL_USAGE;
	if (argc - first > 3)
		return tool_usage(usage, "hexdump", "a name and at most two numbers are expected", NULL);
	for (int i = first + 1; i < argc; i++)
		if (!tool_parse_size(argv[i], &numbers[i - first - 1]) && !tool_parse_number(argv[i], &numbers[i - first - 1]))
			return tool_usage(usage, "hexdump", "this is no number", argv[i]);
	if (first < argc && strcmp(argv[first], "-")) {
		name = argv[first];
		file = file_open_to_read("hexdump", name);
		if (file == INVALID_HANDLE_VALUE)
			return TOOL_FAILED;
	}
	if (!skip(file, numbers[0]))
		return tool_fail("hexdump", name, GetLastError());
	for (uint64_t offset = numbers[0], left = numbers[1]; left;) {
		DWORD count;
		if (!fill(file, left, &count))
			return tool_fail("hexdump", name, GetLastError());
		if (!count)
			break;
		show(offset, count);
		offset += count;
		left -= count;
	}
	return TOOL_OK;
}
