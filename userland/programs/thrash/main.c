/* thrash: touches more memory than there is, and checks what comes back. */
#include "thrash.h"

static const char usage[] =
	"usage: thrash [OPTION]...\n"
	"Processes that each write to their part of a set of pages, then touch its pages\n"
	"again and again. What a page holds tells whose it is, which one, and how often\n"
	"it was written to: that is checked at each access.\n"
	"  -w SIZE|N%    the set, in all processes together (150% of memory)\n"
	"  -a PATTERN    sequential: round and round (the default); random;\n"
	"                zipf: a few pages much more often than the others;\n"
	"                loop: a tenth of the set ten times, then the next tenth\n"
	"  -W PERCENT    of the accesses also write (50)\n"
	"  -P N          processes, 16 at most (2)\n"
	"  -d SECONDS    how long, once all is written to (5), or\n"
	"  -n ACCESSES   how often each process touches a page\n"
	"  -m private|section   memory, or anonymous sections\n"
	"  -s SEED       for the random patterns (1)\n"
	"  -r            at the end also name=value lines, for scripts\n"
	"What the commit limit refuses is said, and the rest is used. Exit code 1: a page\n"
	"did not hold what was written, or a process made no progress.\n";

#define SECONDS_MAX 86400

static int wrong(const char *problem, const char *word)
{
	return tool_usage(usage, "thrash", problem, word);
}

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	return text && tool_parse_number(text, out) && *out >= min && *out <= max;
}

/* "64M" or "150%", in pages. */
static bool parse_set(const char *text, uint64_t *pages)
{
	uint64_t value;
	char digits[16];
	size_t length = text ? strlen(text) : 0;
	if (length == 0)
		return false;
	if (text[length - 1] == '%') {
		if (length > sizeof(digits))
			return false;
		memcpy(digits, text, length - 1);
		digits[length - 1] = 0;
		if (!number(digits, 1, 100000, &value))
			return false;
		*pages = memory_now().frames_total * value / 100;
	} else {
		if (!tool_parse_size(text, &value) || value > 1ull << 46)
			return false;
		*pages = value / PAGE_BYTES;
	}
	return *pages > 0;
}

static bool parse_pattern(const char *text, enum access_pattern *pattern)
{
	static const char *const names[] = { "sequential", "random", "zipf", "loop" };
	for (unsigned int i = 0; text && i < ACCESS_PATTERNS; i++)
		if (!strcmp(text, names[i])) {
			*pattern = (enum access_pattern)i;
			return true;
		}
	return false;
}

/* TOOL_OK, or what wrong() returned. */
static int parse(int argc, char **argv, struct plan *plan)
{
	uint64_t value;
	for (int i = 1; i < argc; i++) {
		char option = argv[i][0] == '-' && strlen(argv[i]) == 2 ? argv[i][1] : 0;
		char *word = i + 1 < argc ? argv[i + 1] : NULL;
		if (option == 'r') {
			plan->raw = true;
			continue;
		}
		switch (option) {
		case 'w':
			if (!parse_set(word, &plan->pages))
				return wrong("-w wants a size (64M) or percent of memory (150%)", word);
			break;
		case 'a':
			if (!parse_pattern(word, &plan->pattern))
				return wrong("-a wants sequential, random, zipf or loop", word);
			break;
		case 'W':
			if (!number(word, 0, 100, &value))
				return wrong("-W wants percent, 0 to 100", word);
			plan->write_percent = (uint32_t)value;
			break;
		case 'P':
			if (!number(word, 1, WORKERS_MAX, &plan->processes))
				return wrong("-P wants a number of processes, 1 to 16", word);
			break;
		case 'd':
			if (!number(word, 1, SECONDS_MAX, &value))
				return wrong("-d wants seconds, 1 to 86400", word);
			plan->milliseconds = value * 1000;
			break;
		case 'n':
			if (!number(word, 1, UINT64_MAX, &plan->accesses))
				return wrong("-n wants a number of accesses", word);
			plan->milliseconds = 0;
			break;
		case 'm':
			if (!word || (strcmp(word, "private") && strcmp(word, "section")))
				return wrong("-m wants private or section", word);
			plan->section = !strcmp(word, "section");
			break;
		case 's':
			if (!number(word, 0, UINT64_MAX, &plan->seed))
				return wrong("-s wants a number", word);
			break;
		default:
			return wrong("unknown option", argv[i]);
		}
		i++;
	}
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	struct plan plan = { .pages = memory_now().frames_total * 3 / 2, .processes = 2, .milliseconds = 5000, .seed = 1,
			     .write_percent = 50 };
	uint64_t worker;
	if (tool_wants_help(argc, argv))
		return tool_usage(usage, "thrash", NULL, NULL);
	if (argc == 4 && !strcmp(argv[1], "--worker")) { /* from thrash_run */
		struct board *board = board_open(argv[2], false);
		if (!board || !number(argv[3], 0, WORKERS_MAX - 1, &worker))
			return tool_fail("thrash", argv[2], GetLastError());
		return worker_run(board, worker);
	}
	int result = parse(argc, argv, &plan);
	return result == TOOL_OK ? thrash_run(&plan) : result;
}
