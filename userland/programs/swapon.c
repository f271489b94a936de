/* swapon: adds a paging file, or lists them. */
#include "counters.h"
#include "tool.h"

static const char usage[] =
	"usage: swapon [-p PRIORITY] [-s] [DEVICE|ramdisk:SIZE]...\n"
	"Adds paging files while the system runs; without one, or with -s, lists them.\n"
	"  DEVICE        a disk's name (vd2) or serial number; it is overwritten\n"
	"  ramdisk:SIZE  a new RAM disk, of memory that is free now\n"
	"  -p PRIORITY   0 to 32767: files with the highest are used first, those with\n"
	"                the same in turn; without it: lower than all that there are\n"
	"  -s            lists them (afterwards): BAD slots failed and are not used any\n"
	"                more, REQS are requests, AT is the physical address of a RAM\n"
	"                disk that was set aside at boot\n";

static void list(void)
{
	struct bs_paging_file f;
	uint64_t i = 0;
	for (; BsQueryPagingFile(i, &f) == 0; i++) {
		if (i == 0)
			printf("NUM NAME     PRIO      SIZE      USED    BAD  ERRORS W REQS R REQS STATE\n");
		printf("%3llu %-6s %6lld %9s %9s %6s %7s %6s %6s %s", (unsigned long long)f.number, f.name,
		       (long long)f.priority, tool_pages(f.pages), tool_pages(f.used), tool_number(f.bad),
		       tool_number(f.errors), tool_number(f.write_requests), tool_number(f.read_requests),
		       f.state == BS_PAGING_FILE_REMOVING ? "removing" : "open");
		if (f.physical)
			printf("\n    at %#llx", (unsigned long long)f.physical);
		printf("\n");
	}
	if (i == 0)
		printf("There is no paging file.\n");
}

static int failed(const char *name, NTSTATUS status)
{
	switch ((uint32_t)status) {
	case (uint32_t)STATUS_INVALID_PARAMETER_2:
		fprintf(stderr, "swapon: %s: it has fewer than 16 pages (64 KiB)\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND:
		fprintf(stderr, "swapon: %s: there is no such disk\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_OBJECT_NAME_INVALID:
		fprintf(stderr, "swapon: %s: a disk's name or serial number has up to 31 letters\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_SHARING_VIOLATION:
		fprintf(stderr, "swapon: %s: it is a paging file already, or the system volume's disk\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_MEDIA_WRITE_PROTECTED:
		fprintf(stderr, "swapon: %s: it can only be read\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_COMMITMENT_LIMIT:
		fprintf(stderr, "swapon: %s: its memory would exceed the commit limit; memstat shows who holds the charge\n", name);
		return TOOL_FAILED;
	case (uint32_t)STATUS_INSUFFICIENT_RESOURCES:
		fprintf(stderr, "swapon: %s: there is not enough free memory for it, or there are %u paging files\n", name,
			BS_PAGING_FILES_MAX);
		return TOOL_FAILED;
	default:
		return tool_fail("swapon", name, RtlNtStatusToDosError(status));
	}
}

static int add(const char *name, int64_t priority)
{
	static const char ramdisk[] = "ramdisk:";
	uint64_t size = 0;
	if (!strncmp(name, ramdisk, sizeof(ramdisk) - 1)) {
		if (!tool_parse_size(name + sizeof(ramdisk) - 1, &size) || size == 0)
			return tool_usage(usage, "swapon", "this is no size", name + sizeof(ramdisk) - 1);
		NTSTATUS status = BsAddPagingFile("ramdisk", size, priority);
		return status ? failed(name, status) : TOOL_OK;
	}
	NTSTATUS status = BsAddPagingFile(name, 0, priority);
	return status ? failed(name, status) : TOOL_OK;
}

int main(int argc, char **argv)
{
	uint64_t number;
	int64_t priority = BS_PRIORITY_NONE;
	int i = 1, result = TOOL_OK;
	bool summary = argc == 1;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "swapon", NULL, NULL);
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "-s")) {
			summary = true;
		} else if (!strcmp(argv[i], "-p")) {
			if (++i == argc || !tool_parse_number(argv[i], &number) || number > BS_PRIORITY_MAX)
				return tool_usage(usage, "swapon", "PRIORITY is a number from 0 to 32767",
						  i < argc ? argv[i] : NULL);
			priority = (int64_t)number;
		} else {
			return tool_usage(usage, "swapon", "unknown option", argv[i]);
		}
	}
	if (i == argc && !summary)
		return tool_usage(usage, "swapon", "DEVICE or ramdisk:SIZE is missing", NULL);
	for (; i < argc && result == TOOL_OK; i++)
		result = add(argv[i], priority);
	if (summary)
		list();
	return result;
}
