/* bench: all rows, or those that are named; one line for each: name, value, unit. */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct row *const groups[] = { memory_rows, process_rows, file_rows, growth_rows, disk_rows, swap_rows, os_rows };
#define GROUPS (sizeof(groups) / sizeof(groups[0]))
#define GROUPS_DEFAULT 3

void report(const char *row, const char *unit, double value)
{
	printf("bench %-20s %14.2f %s\n", row, value, unit);
	fflush(stdout);
}

void touch_write(volatile char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		at[i] = 1;
}

void touch_read(const volatile char *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		(void)at[i];
}

static int usage(void)
{
	printf("usage: bench [-w] [-v VIEWS] [-p PROCESSES] [ROW ...]\n"
	       "What memory operations cost, in ticks of the time-stamp counter unless a row says\n"
	       "otherwise. Without rows: the first ones, up to \"file\".\n"
	       "  -e                 ends at once: for the row \"start\"\n"
	       "  -w                 waits for a key before it begins\n"
	       "  -v VIEWS           with so many views of a section more in the process\n"
	       "  -p PROCESSES       with so many processes, of which all but one wait\n\n");
	for (size_t g = 0; g < GROUPS; g++)
		for (const struct row *r = groups[g]; r->name; r++)
			printf("  %-18s %s\n", r->name, r->what);
	return 2;
}

static const struct row *find(const char *name)
{
	for (size_t g = 0; g < GROUPS; g++)
		for (const struct row *r = groups[g]; r->name; r++)
			if (!strcmp(r->name, name))
				return r;
	return NULL;
}

/* A number of at most a million; false: it is none. */
static bool number_parse(const char *text, unsigned int *out)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;

	*out = (unsigned int)value;
	return text && *text >= '0' && *text <= '9' && !*end && value <= 1000000;
}

int main(int argc, char **argv)
{
	unsigned int views = 0, processes = 1;
	bool wait = false;
	int first = 1;

	if (argc == 2 && !strcmp(argv[1], "-e"))
		return 0;
	for (; first < argc && argv[first][0] == '-'; first++) {
		if (!strcmp(argv[first], "-w"))
			wait = true;
		else if ((!strcmp(argv[first], "-v") && number_parse(argv[first + 1], &views)) ||
			 (!strcmp(argv[first], "-p") && number_parse(argv[first + 1], &processes) && processes))
			first++;
		else
			return usage();
	}
	for (int i = first; i < argc; i++)
		if (!find(argv[i]))
			return usage();
	os_start();
	surroundings_make(views, processes);
	if (wait) {
		printf("bench ready\n");
		fflush(stdout);
		getchar();
	}
	for (int i = first; i < argc; i++)
		find(argv[i])->run();
	for (size_t g = 0; argc == first && g < GROUPS_DEFAULT; g++)
		for (const struct row *r = groups[g]; r->name; r++)
			r->run();
	surroundings_end();
	printf("bench end\n");
	fflush(stdout);
	return 0;
}
