/* swapoff: removes a paging file; what it holds moves to memory and to the others. */
#include "counters.h"
#include "tool.h"

static const char usage[] =
	"usage: swapoff DEVICE...|-a\n"
	"Removes paging files while the system runs. What they hold moves to memory and\n"
	"to the other paging files; if it does not fit, or can't be read, the file stays.\n"
	"  DEVICE  as swapon lists it\n"
	"  -a      all of them\n";

/* Why it was refused, with the numbers. */
static int failed(const char *name, NTSTATUS status, const struct bs_paging_file_removal *r)
{
	switch ((uint32_t)status) {
	case (uint32_t)STATUS_OBJECT_NAME_NOT_FOUND:
	case (uint32_t)STATUS_OBJECT_NAME_INVALID:
		fprintf(stderr, "swapoff: %s: there is no such paging file; swapon lists them\n", name);
		break;
	case (uint32_t)STATUS_SHARING_VIOLATION:
		fprintf(stderr, "swapoff: %s: somebody else is removing it\n", name);
		break;
	case (uint32_t)STATUS_COMMITMENT_LIMIT:
		fprintf(stderr, "swapoff: %s stays: the commit charge is %s, and without it the limit would be %s; memstat "
			"shows who holds the charge\n", name, tool_pages(r->commit_charge), tool_pages(r->commit_limit));
		break;
	case (uint32_t)STATUS_INSUFFICIENT_RESOURCES:
		fprintf(stderr, "swapoff: %s stays: it holds %s (%s pages), and there is room for %s (%s pages) elsewhere\n",
			name, tool_pages(r->left), tool_number(r->left), tool_pages(r->room), tool_number(r->room));
		break;
	case (uint32_t)STATUS_IO_DEVICE_ERROR:
		fprintf(stderr, "swapoff: %s stays: %s of its pages could not be read\n", name, tool_number(r->unreadable));
		break;
	default:
		return tool_fail("swapoff", name, RtlNtStatusToDosError(status));
	}
	return TOOL_FAILED;
}

static int remove_file(const char *name)
{
	struct bs_paging_file_removal r;
	NTSTATUS status = BsRemovePagingFile(name, 0, &r);
	return status ? failed(name, status, &r) : TOOL_OK;
}

/* What stays is passed over. */
static int remove_all(void)
{
	struct bs_paging_file f;
	int result = TOOL_OK;
	for (uint64_t index = 0; BsQueryPagingFile(index, &f) == 0;)
		if (remove_file(f.name) != TOOL_OK) {
			result = TOOL_FAILED;
			index++;
		}
	return result;
}

int main(int argc, char **argv)
{
	int result = TOOL_OK;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "swapoff", NULL, NULL);
	if (argc == 2 && !strcmp(argv[1], "-a"))
		return remove_all();
	if (argc == 1)
		return tool_usage(usage, "swapoff", "DEVICE or -a is missing", NULL);
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-')
			return tool_usage(usage, "swapoff", "unknown option", argv[i]);
	for (int i = 1; i < argc && result == TOOL_OK; i++)
		result = remove_file(argv[i]);
	return result;
}
