/* tour: the steps in their order, and the sum. */
#include "tour.h"

static const char usage[] =
	"usage: tour [-a] [STEP]...\n"
	"Shows where memory is backed, step by step, with the numbers of this machine;\n"
	"all steps if none is given:\n"
	"  1  an anonymous section, shared by two processes\n"
	"  2  VirtualAlloc and HeapAlloc: the same backing\n"
	"  3  memory runs short: pages go to the paging file and come back\n"
	"  4  pages of an image under the same pressure (with 3)\n"
	"  5  the commit limit\n"
	"  6  what is different without a paging file\n"
	"  7  a clone of the process (fork): copied when written\n"
	"  8  physical memory, seen through a window (AWE)\n"
	"  -a fill memory even if that takes over a minute\n"
	"Each statement compares measured numbers. Exit code: 0 if all held, else 1.\n";

struct step {
	const char *numbers; /* that select it */
	void (*run)(void);
};

static const struct step steps[] = {
	{ "1", step_share }, { "2", step_private },	   { "34", step_pressure },
	{ "5", step_limit }, { "6", step_no_paging_file },
	{ "7", step_clone }, { "8", step_window },
};

static bool is_wanted(const struct step *s, int argc, char **argv)
{
	if (argc == 1)
		return true;
	for (int i = 1; i < argc; i++)
		if (strchr(s->numbers, argv[i][0]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "tour", NULL, NULL);
	if (argc > 1 && !strcmp(argv[1], "--child"))
		return share_child(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "-a")) {
		tour.patient = true;
		argv[1] = argv[0];
		argv++, argc--;
	}
	for (int i = 1; i < argc; i++)
		if (strlen(argv[i]) != 1 || !strchr("12345678", argv[i][0]))
			return tool_usage(usage, "tour", "a step is a number from 1 to 8", argv[i]);

	struct bs_memory m = memory_now();
	struct bs_paging_file file;
	tour.paging_file = m.paging_file_pages > 0;
	tour.policy = (enum bs_commit_policy)m.commit_policy;
	tour.overcommit = tour.policy == BS_COMMIT_OVERCOMMIT;
	double start = seconds_now();
	printf("tour: where is memory backed?\n");
	say("Memory for pages: %s, %s of it available. Commit limit: %s, %s charged, policy %s.",
	    tool_pages(m.frames_total), tool_pages(memory_available(&m)), tool_pages(m.commit_limit),
	    tool_pages(m.commit_charge), commit_policy_name(tour.policy));
	if (!tour.paging_file)
		say("There is no paging file.");
	for (uint64_t i = 0; BsQueryPagingFile(i, &file) == 0; i++)
		say("Paging file %llu: %s, %s, %s used.", (unsigned long long)file.number, file.name, tool_pages(file.pages),
		    tool_pages(file.used));
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (is_wanted(&steps[i], argc, argv))
			steps[i].run();
	printf("\ntour: %u of %u statements held (%.1f s)\n", tour.held, tour.statements, seconds_now() - start);
	return tour.held == tour.statements ? TOOL_OK : TOOL_FAILED;
}
