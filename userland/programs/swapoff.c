/* swapoff: removes a paging file; what it holds moves to memory and to the others. */
#include "console.h"
#include "tool.h"

static const char usage[] =
	"usage: swapoff DEVICE...|-a\n"
	"Removes paging files while the system runs. What they hold moves to memory and\n"
	"to the other paging files; if it does not fit, or can't be read, the file stays.\n"
	"After 2 seconds the keys are watched: Ctrl-C gives up, and the file stays.\n"
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
	case (uint32_t)STATUS_IO_TIMEOUT:
		fprintf(stderr, "swapoff: %s stays: its disk does not answer; %s of its pages have not moved\n", name,
			tool_number(r->left));
		break;
	default:
		return tool_fail("swapoff", name, RtlNtStatusToDosError(status));
	}
	return TOOL_FAILED;
}

struct removal {
	const char *name;
	struct bs_paging_file_removal numbers;
	NTSTATUS status;
};

static DWORD WINAPI removal_run(void *argument)
{
	struct removal *r = argument;
	r->status = BsRemovePagingFile(r->name, 0, &r->numbers);
	return 0;
}

#define PATIENCE_MS 2000

/* Somebody who sits there is told that it takes long, and may give up: then the process ends, and with it the removal. */
static void removal_wait(const char *name, HANDLE thread)
{
	if (WaitForSingleObject(thread, PATIENCE_MS) == WAIT_OBJECT_0)
		return;
	if (console_is_terminal() && !console_stop && console_keys_watch())
		fprintf(stderr, "swapoff: %s is being emptied; Ctrl-C gives up\n", name);
	HANDLE ends[] = { thread, console_stop };
	if (WaitForMultipleObjects(console_stop ? 2 : 1, ends, FALSE, INFINITE) == WAIT_OBJECT_0)
		return;
	fprintf(stderr, "swapoff: %s stays\n", name);
	ExitProcess((UINT)STATUS_CONTROL_C_EXIT);
}

static int remove_file(const char *name)
{
	struct removal r = { .name = name };
	HANDLE thread = CreateThread(NULL, 0, removal_run, &r, 0, NULL);
	if (!thread)
		return tool_fail("swapoff", "a thread", GetLastError());
	removal_wait(name, thread);
	CloseHandle(thread);
	return r.status ? failed(name, r.status, &r.numbers) : TOOL_OK;
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
