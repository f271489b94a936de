/* ps: the processes, and the memory that each holds. */
#include "counters.h"
#include "tool.h"

static const char usage[] =
	"usage: ps\n"
	"Lists the processes:\n"
	"  ID, PARENT     process numbers\n"
	"  THREADS        threads that have not ended\n"
	"  HANDLES        open handles\n"
	"  CPU            processor time, seconds\n"
	"  PRIVATE        committed private memory (counts against the commit limit)\n"
	"  WORKING SET    in memory and in the process's page table; PEAK: the largest it was\n"
	"  TABLES         page tables\n"
	"  FAULTS         page faults so far\n"
	"A process marked \"ended\" is kept by a handle to it.\n";

int main(int argc, char **argv)
{
	struct bs_process p;
	uint64_t private_pages = 0, working_set = 0, count = 0;
	if (argc > 1)
		return tool_usage(usage, "ps", tool_wants_help(argc, argv) ? NULL : "it takes no arguments", NULL);
	printf("%5s %6s %7s %7s %8s %11s %11s %11s %8s %9s  %s\n", "ID", "PARENT", "THREADS", "HANDLES", "CPU",
	       "PRIVATE", "WORKING SET", "PEAK", "TABLES", "FAULTS", "NAME");
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++) {
		printf("%5u %6u %7u %7u %8.2f %11s %11s %11s %8s %9s  %s", p.id, p.parent_id, p.threads, p.handles,
		       (double)p.cpu_ns / 1e9, tool_pages(p.private_commit), tool_pages(p.working_set),
		       tool_pages(p.working_set_peak), tool_pages(p.page_tables), tool_number(p.faults), p.name);
		if (p.exited)
			printf(" (ended: %s)", tool_exit_text(p.exit_status));
		printf("\n");
		private_pages += p.private_commit;
		working_set += p.working_set;
		count++;
	}
	printf("%llu processes, %s private, %s in working sets (shared pages count in each)\n",
	       (unsigned long long)count, tool_pages(private_pages), tool_pages(working_set));
	return TOOL_OK;
}
