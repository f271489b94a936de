/* testlimit: asks until it is refused, and says what refused it. After the Sysinternals tool of that name. */
#include "testlimit.h"

static const char usage[] =
	"usage: testlimit -a|-d|-l|-m|-r|-s|-v [SIZE] [OPTION]...\n"
	"       testlimit -H [-u] | -p [-n] | -t [-n [KB]] [OPTION]...\n"
	"Asks for it again and again until that is refused, says what refused it, and\n"
	"gives all back. SIZE of a request: in MiB, or with K, M, G, T behind it (1).\n"
	"  -a   AWE: physical memory         -m   commit private memory, do not touch it\n"
	"  -d   commit and touch it          -r   reserve addresses only (64G)\n"
	"  -l   large pages (2)              -s   anonymous (shared) sections, not mapped\n"
	"  -v   commit and VirtualLock it    -H   handles; -u: of files\n"
	"  -p   processes, which do not run; -n: with their working sets emptied\n"
	"  -t   threads; -n: the stack of each reserves KB (64)\n"
	"Options:\n"
	"  -c COUNT    stop after COUNT requests although none was refused\n"
	"  -e SECONDS  wait between requests\n"
	"  -k SECONDS  keep it all so long; with & another program can look meanwhile\n"
	"  -w          raise the minimum working set as far as possible first (for -v)\n"
	"  -x N        in N processes at once (64 at most)\n"
	"The letters are those of the Sysinternals tool, but -k, -x and -H (-h there);\n"
	"its -g and -i are for drawing and windows, which are not here. Exit code: 0,\n"
	"also when a limit is reached; 1 for any other error.\n";

#define SECONDS_MAX 86400

static int wrong(const char *problem, const char *word)
{
	return tool_usage(usage, "testlimit", problem, word);
}

/* A plain number is in MiB, as in the original. */
static bool parse_size(const char *text, uint64_t *size)
{
	uint64_t number;
	if (tool_parse_number(text, &number)) {
		if (number > UINT64_MAX >> 20)
			return false;
		*size = number << 20;
	} else if (!tool_parse_size(text, size)) {
		return false;
	}
	*size = (*size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	return *size != 0;
}

static int run(const struct plan *plan)
{
	void **held;
	struct bs_memory before = memory_now();
	print_state_title();
	print_state("before", &before);
	fflush(stdout);
	struct outcome o = plan_ask(plan, &held, true);
	struct bs_memory peak = memory_now();
	print_state("held", &peak);
	if (plan->size)
		printf("%s of %s in %s requests of %s\n", tool_size(o.got * plan->size), plan->kind->what,
		       tool_number(o.got), tool_size(plan->size));
	else
		printf("%s %s\n", tool_number(o.got), plan->kind->what);
	int result = refusal_explain(plan, &o, &peak);
	fflush(stdout);
	Sleep((DWORD)plan->keep * 1000);
	plan_give_back(plan, held, o.got);
	struct bs_memory after = memory_now();
	print_state("after", &after);
	return result;
}

/* A number behind an option; argv[*i] is the option, and then the number. False: there is none, or it is too large. */
static bool number_behind(int argc, char **argv, int *i, uint64_t max, uint64_t *out)
{
	if (*i + 1 >= argc)
		return false;
	return tool_parse_number(argv[++*i], out) && *out <= max;
}

/* Whether there is a word behind argv[i] that is no option. */
static bool has_word(int argc, char **argv, int i)
{
	return i + 1 < argc && argv[i + 1][0] != '-';
}

struct arguments {
	struct plan plan;
	uint64_t processes;
	const char *part;      /* the section's name, if this is one of several processes */
	uint64_t part_number;
};

/* TOOL_OK, or what wrong() returned. */
static int parse(int argc, char **argv, struct arguments *a)
{
	struct plan *plan = &a->plan;
	uint64_t kib = 64;
	bool small = false, files = false;
	for (int i = 1; i < argc; i++) {
		char option = argv[i][0] == '-' && strlen(argv[i]) == 2 ? argv[i][1] : 0;
		const struct kind *kind = option ? kind_find(option) : NULL;
		const char *name = argv[i];
		if (kind) {
			if (plan->kind)
				return wrong("only one of -a -d -H -l -m -p -r -s -t -v at a time", name);
			plan->kind = kind;
			plan->size = kind->size;
			if (kind->size && has_word(argc, argv, i) && !parse_size(argv[++i], &plan->size))
				return wrong("not a size", argv[i]);
		} else if (option == 'c') {
			if (!number_behind(argc, argv, &i, UINT64_MAX, &plan->count) || plan->count == 0)
				return wrong("-c wants a number of requests", argv[i]);
		} else if (option == 'e' || option == 'k') {
			if (!number_behind(argc, argv, &i, SECONDS_MAX, option == 'e' ? &plan->pause : &plan->keep))
				return wrong("-e and -k want seconds, 86400 at most", argv[i]);
		} else if (option == 'x') {
			if (!number_behind(argc, argv, &i, 64, &a->processes) || a->processes == 0)
				return wrong("-x wants a number of processes from 1 to 64", argv[i]);
		} else if (option == 'n') {
			small = true;
			if (has_word(argc, argv, i) &&
			    (!tool_parse_number(argv[++i], &kib) || kib == 0 || kib > 1 << 20))
				return wrong("-n wants KiB of stack from 1 to 1048576", argv[i]);
		} else if (option == 'u') {
			files = true;
		} else if (option == 'w') {
			plan->working_set = true;
		} else if (option == 'g' || option == 'i') {
			return wrong("there are no windows and nothing to draw on", name);
		} else if (!strcmp(name, "--part") && i + 2 < argc) { /* from many_run */
			a->part = argv[++i];
			tool_parse_number(argv[++i], &a->part_number);
		} else {
			return wrong("unknown option", name);
		}
	}
	if (!plan->kind)
		return wrong("what should it ask for: -a, -d, -H, -l, -m, -p, -r, -s, -t or -v?", NULL);
	if (files && plan->kind->letter != 'H')
		return wrong("-u goes with -H", NULL);
	if (small && plan->kind->letter != 'p' && plan->kind->letter != 't')
		return wrong("-n goes with -p or -t", NULL);
	plan->files = files;
	plan->small = small;
	if (small && plan->kind->letter == 't')
		plan->stack = kib * 1024;
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	struct arguments a = { .plan = { .count = UINT64_MAX }, .processes = 0 };
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "testlimit", NULL, NULL);
	int result = parse(argc, argv, &a);
	if (result != TOOL_OK)
		return result;
	if (a.processes && !a.part)
		return many_run(&a.plan, a.processes, argv + 1, argc - 1);
	uint64_t minimum = a.plan.working_set ? working_set_raise() : 0;
	if (a.plan.working_set && !minimum)
		return tool_fail("testlimit", "raising the minimum working set", GetLastError());
	if (a.part)
		return many_part(&a.plan, a.part, a.part_number);
	if (minimum)
		printf("The minimum working set is %s now.\n", tool_size(minimum));
	return run(&a.plan);
}
