/* memstat: what the memory manager counts, as tables, on a screen that is kept up to date, or as name=value lines. */
#include "console.h"
#include "memstat.h"

static const char usage[] =
	"usage: memstat [-t [SECONDS] [COUNT]] [-r]\n"
	"       memstat -l LOW:HIGH\n"
	"Shows the commit charge and its limit, page frames by state, paging files,\n"
	"faults, and reads and writes.\n"
	"  -t [SECONDS] [COUNT]  again every SECONDS (1), with what changed since; COUNT\n"
	"                        times, else until Ctrl-C. A terminal is kept up to date\n"
	"                        in place; elsewhere one is written below the other.\n"
	"  -r                    raw: a name=value line for each counter, for scripts\n"
	"                        (pages are of 4,096 bytes)\n"
	"  -l LOW:HIGH           sets the thresholds of available memory, as 1M:2M:\n"
	"                        pages begin to leave below LOW, until there is HIGH;\n"
	"                        0:0 sets them as they are after a boot\n";

#define SECONDS_MAX 86400

static int limits_set(const char *text)
{
	uint64_t low, high;
	char copy[64], *colon;
	snprintf(copy, sizeof(copy), "%s", text);
	colon = strchr(copy, ':');
	if (colon)
		*colon = 0;
	if (!colon || !tool_parse_size(copy, &low) || !tool_parse_size(colon + 1, &high))
		return tool_usage(usage, "memstat", "-l wants two sizes, as 1M:2M", text);
	NTSTATUS status = BsSetReclaim(low / PAGE_BYTES, high / PAGE_BYTES);
	if (status)
		return tool_fail("memstat", "LOW is at least 256K, HIGH 64K more, and at most half of memory",
				 RtlNtStatusToDosError(status));
	struct bs_memory now = memory_now();
	printf("Pages begin to leave below %s available, until there is ", tool_pages(now.reclaim_low));
	printf("%s.\n", tool_pages(now.reclaim_high));
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	bool raw = false, again = false;
	uint64_t seconds = 1, count = 1;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "memstat", NULL, NULL);
	if (argc == 3 && !strcmp(argv[1], "-l"))
		return limits_set(argv[2]);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-r")) {
			raw = true;
		} else if (!strcmp(argv[i], "-t") && !again) {
			again = true;
			count = UINT64_MAX;
			if (i + 1 < argc && argv[i + 1][0] != '-' &&
			    (!tool_parse_number(argv[++i], &seconds) || seconds == 0 || seconds > SECONDS_MAX))
				return tool_usage(usage, "memstat", "SECONDS is a number from 1 to 86400", argv[i]);
			if (i + 1 < argc && argv[i + 1][0] != '-' &&
			    (!tool_parse_number(argv[++i], &count) || count == 0))
				return tool_usage(usage, "memstat", "COUNT is a number from 1 on", argv[i]);
		} else {
			return tool_usage(usage, "memstat", "unknown option", argv[i]);
		}
	}
	bool terminal = console_is_terminal(), in_place = again && terminal && !raw;
	if (again && terminal && !console_keys_watch())
		return tool_fail("memstat", "a thread that waits for Ctrl-C", GetLastError());
	struct bs_memory before = { 0 };
	for (uint64_t i = 0; i < count; i++) {
		struct bs_memory now = memory_now();
		if (in_place) {
			print_screen(&now, i > 0 ? &before : NULL, seconds);
		} else {
			if (i > 0)
				printf("\n");
			if (raw)
				print_raw(&now);
			else
				print_tables(&now, i > 0 ? &before : NULL);
			fflush(stdout);
		}
		before = now;
		if (i + 1 < count && console_wait(seconds * 1000))
			break;
	}
	if (in_place)
		printf("\n");
	return TOOL_OK;
}
