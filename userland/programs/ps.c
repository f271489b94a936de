/* ps: the processes, and the memory that each holds. */
#include "counters.h"
#include "tool.h"

static const char usage[] =
	"usage: ps [-l]\n"
	"Lists the processes:\n"
	"  ID, PARENT  process numbers\n"
	"  THR, HND    threads that have not ended, open handles\n"
	"  CPU         processor time, seconds\n"
	"  CHARGED     committed private memory (counts against the commit limit)\n"
	"  WS          working set: in memory and in the process's page table\n"
	"  FIXED       never paged: locked by VirtualLock, AWE, large pages\n"
	"  TABLES      page tables\n"
	"  -l          more, in longer lines: PEAK, the largest working set so far; FAULTS,\n"
	"              page faults so far; FIXED in its parts\n"
	"A process marked \"ended\" is kept by a handle to it.\n";

static void print_process(const struct bs_process *p, bool all)
{
	printf("%4u %6u %3u %4u %7.2f %9s %9s", p->id, p->parent_id, p->threads, p->handles, (double)p->cpu_ns / 1e9,
	       tool_pages(p->private_commit), tool_pages(p->working_set));
	if (all)
		printf(" %9s %9s %9s %9s %9s", tool_pages(p->working_set_peak), tool_number(p->faults),
		       tool_pages(p->locked), tool_pages(p->physical), tool_pages(p->page_tables));
	else
		printf(" %9s %8s", tool_pages(p->locked + p->physical), tool_pages(p->page_tables));
	printf("  %s", p->name);
	if (p->exited)
		printf(" (ended: %s)", tool_exit_text(p->exit_status));
	printf("\n");
}

int main(int argc, char **argv)
{
	struct bs_process p;
	uint64_t private_pages = 0, working_set = 0, count = 0;
	bool all = argc == 2 && !strcmp(argv[1], "-l");
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "ps", NULL, NULL);
	if (argc > 1 && !all)
		return tool_usage(usage, "ps", "unknown argument", argv[1]);
	printf("  ID PARENT THR  HND     CPU   CHARGED        WS %s  NAME\n",
	       all ? "     PEAK    FAULTS    LOCKED AWE+LARGE    TABLES" : "    FIXED   TABLES");
	for (uint64_t i = 0; BsQueryProcess(i, &p) == 0; i++) {
		print_process(&p, all);
		private_pages += p.private_commit;
		working_set += p.working_set;
		count++;
	}
	printf("%llu processes, %s charged, %s in working sets (shared pages count in each)\n",
	       (unsigned long long)count, tool_pages(private_pages), tool_pages(working_set));
	return TOOL_OK;
}
