/* kill: ends processes. */
#include "process.h"

#define KILLED 1 /* exit code of a process that was ended, if none is given */

static const char usage[] = "usage: kill [-e CODE] PID|NAME...\n"
			    "Ends the processes with these numbers or image names.\n"
			    "  -e CODE   their exit code (1)\n";

int main(int argc, char **argv)
{
	uint64_t code = KILLED;
	int first = 1, result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "kill", NULL, NULL);
	if (argc > 1 && !strcmp(argv[1], "-e")) {
		if (argc < 3 || !tool_parse_number(argv[2], &code) || code > UINT32_MAX)
			return tool_usage(usage, "kill", "-e wants an exit code", argc < 3 ? NULL : argv[2]);
		first = 3;
	}
	if (first >= argc)
		return tool_usage(usage, "kill", "which process?", NULL);
	for (int i = first; i < argc; i++) {
		uint32_t id;
		if (argv[i][0] == '-')
			return tool_usage(usage, "kill", "unknown option", argv[i]);
		HANDLE process = process_open("kill", argv[i], PROCESS_TERMINATE, &id);
		if (!process) {
			result = TOOL_FAILED;
			continue;
		}
		if (!TerminateProcess(process, (UINT)code))
			result = tool_fail("kill", argv[i], GetLastError());
		CloseHandle(process);
	}
	return result;
}
