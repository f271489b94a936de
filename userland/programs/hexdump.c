/* hexdump: the bytes of files. */
#include "tool.h"

static const char usage[] = "usage: hexdump FILE [OFFSET [COUNT]]\n"
			    "Shows a file's bytes from OFFSET on; both numbers as 100, 0x64, 4K.\n";

int main(int argc, char **argv)
{
	uint64_t offset = 0, left = ~0ull;
	unsigned char bytes[4096];
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "hexdump", NULL, NULL);
	if (argc < 2 || argc > 4)
		return tool_usage(usage, "hexdump", "a name and at most two numbers are expected", NULL);
	if ((argc > 2 && !tool_parse_size(argv[2], &offset)) || (argc > 3 && !tool_parse_size(argv[3], &left)))
		return tool_usage(usage, "hexdump", "this is no number", argv[argc - 1]);
	HANDLE file = CreateFileA(argv[1], GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
				  OPEN_EXISTING, 0, NULL);
	LARGE_INTEGER from = { .QuadPart = (LONGLONG)offset };
	if (file == INVALID_HANDLE_VALUE || !SetFilePointerEx(file, from, NULL, FILE_BEGIN))
		return tool_fail("hexdump", argv[1], GetLastError());
	while (left) {
		DWORD count = 0, want = left < sizeof(bytes) ? (DWORD)left : (DWORD)sizeof(bytes);
		if (!ReadFile(file, bytes, want, &count, NULL))
			return tool_fail("hexdump", argv[1], GetLastError());
		if (!count)
			break;
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
		offset += count;
		left -= count;
	}
	CloseHandle(file);
	return TOOL_OK;
}
