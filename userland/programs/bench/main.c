/* bench: all rows, or those that are named; one line for each: name, value, unit. */
#include "bench.h"
#include <stdio.h>
#include <string.h>

static const struct row *const groups[] = { memory_rows, process_rows, swap_rows, os_rows };
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

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
	printf("usage: bench [-w] [ROW ...]\n"
	       "What memory operations cost, in ticks of the time-stamp counter unless a row says\n"
	       "otherwise. Without rows: all but those of paging files, which are \"swap\".\n"
	       "  -w                 waits for a key before it begins\n\n");
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

int main(int argc, char **argv)
{
	bool wait = argc > 1 && !strcmp(argv[1], "-w");
	int first = wait ? 2 : 1;
	for (int i = first; i < argc; i++)
		if (!find(argv[i]))
			return usage();
	os_start();
	if (wait) {
		printf("bench ready\n");
		fflush(stdout);
		getchar();
	}
	for (int i = first; i < argc; i++)
		find(argv[i])->run();
	for (size_t g = 0; argc == first && g < 2; g++)
		for (const struct row *r = groups[g]; r->name; r++)
			r->run();
	printf("bench end\n");
	fflush(stdout);
	return 0;
}
